"""Exercises of notebook 01, computational graphs: from hand-held derivatives to fresh gradients."""

from __future__ import annotations

import math

from autodiff_course import graph
from autodiff_course.graph import Scalar, paths, topological_order

from .framework import case, exercise

__all__ = [
    "count_paths",
    "fresh_gradients",
    "local_derivatives",
    "sum_over_paths",
    "two_derivatives",
]


# 1. Two derivatives by hand


@exercise
def two_derivatives():
    """Differentiate e = (a + b)(b + 1) by hand: (∂e/∂a, ∂e/∂b) at a = -1, b = 3."""
    a, b = -1.0, 3.0
    c, d = a + b, b + 1
    through_c = 1.0 * d  # ∂c/∂a = ∂c/∂b = 1, ∂e/∂c = d
    through_d = 1.0 * c  # ∂d/∂b = 1, ∂e/∂d = c
    return through_c, through_c + through_d


@two_derivatives.mistake("One path from b is lost: b also reaches e through d. Add both paths.")
def _only_through_c():
    return 4.0, 4.0


@two_derivatives.mistake("One path from b is lost: b also reaches e through c. Add both paths.")
def _only_through_d():
    return 4.0, 2.0


@two_derivatives.mistake(
    "The right numbers for the wrong inputs: the derivative with respect to a comes first."
)
def _other_input_first():
    return 6.0, 4.0


@two_derivatives.mistake("That is the gradient at a = 2, b = 1. Here a = -1 and b = 3.")
def _at_the_other_point():
    return 2.0, 5.0


@two_derivatives.mistake("The derivative of the product c·d by c is the other factor, d.")
def _own_factor():
    return 2.0, 6.0


two_derivatives.add_hints(
    "Write the numbers at the nodes first: what are c = a + b and d = b + 1 at this point?",
    "The derivative on the edge from c to e is d, and the one on the edge from d to e is c.",
    "Multiply along each path and add over the paths. a has one path to e, b has two.",
)


# 2. Local derivatives of a quotient


@exercise
def local_derivatives(x, y):
    """Return the two local derivatives of x / y, as floats: by x, then by y.

    Examples
    --------
    >>> local_derivatives(6.0, 2.0)
    (0.5, -1.5)
    """
    return 1 / y, -x / y**2


@local_derivatives.cases
def _quotients():
    return [case(6.0, 2.0), case(1.0, -4.0), case(-3.0, 0.5), case(0.0, 5.0)]


@local_derivatives.mistake("The minus sign is lost: x / y shrinks when a positive y grows.")
def _no_minus(x, y):
    return 1 / y, x / y**2


@local_derivatives.mistake("The two are swapped: the derivative with respect to x comes first.")
def _y_first(x, y):
    return -x / y**2, 1 / y


@local_derivatives.mistake("The square is lost: 1 / y has the derivative -1 / y².")
def _no_square(x, y):
    return 1 / y, -x / y


@local_derivatives.mistake("Those are the local derivatives of the product x·y.")
def _of_the_product(x, y):
    return y, x


@local_derivatives.mistake("The factor x is lost: x / y is x times 1 / y.")
def _no_factor(x, y):
    return 1 / y, -1 / y**2


local_derivatives.add_hints(
    "Hold y fixed: x / y is then x times a constant.",
    "Hold x fixed: x / y is x times the power y⁻¹.",
)


# 3. Multiply along a path, add over paths


@exercise
def sum_over_paths(paths):
    """Return a derivative, given each path as the list of the local derivatives on its edges.

    Multiply along a path, add over the paths. Without any path the derivative is 0; a path without
    edges leads from a node to itself, and contributes 1.

    Examples
    --------
    >>> sum_over_paths([[1.0, 2.0], [1.0, 3.0]])
    5.0
    """
    derivative = 0.0
    for path in paths:
        product = 1.0
        for local_derivative in path:
            product *= local_derivative
        derivative += product
    return derivative


@sum_over_paths.cases
def _lists_of_paths():
    return [
        case([[1.0, 2.0], [1.0, 3.0]]),
        case([[1.0, 2.0]]),
        case([[2.0], [3.0, -1.0], [0.5, 4.0, 1.5]]),
        case([]),
        case([[]]),
    ]


@sum_over_paths.mistake(
    "Only the last path is left. Does the derivative get `=` where it needs `+=`?"
)
def _last_path(paths):
    return math.prod(paths[-1]) if paths else 0.0


@sum_over_paths.mistake("Only the first path counts. Does the loop over the paths return too soon?")
def _first_path(paths):
    return math.prod(paths[0]) if paths else 0.0


@sum_over_paths.mistake("It is the other way round: multiply along a path, add over the paths.")
def _add_along(paths):
    return math.prod(sum(path) for path in paths)


@sum_over_paths.mistake("The paths are multiplied with each other too. Add over the paths.")
def _product_of_all(paths):
    return math.prod(math.prod(path) for path in paths)


@sum_over_paths.mistake("Along a path the local derivatives are multiplied, not added.")
def _sum_of_all(paths):
    return sum(sum(path) for path in paths)


@sum_over_paths.mistake("The product goes on from one path to the next. Start each path with 1.")
def _product_not_reset(paths):
    derivative, product = 0.0, 1.0
    for path in paths:
        product *= math.prod(path)
        derivative += product
    return derivative


@sum_over_paths.mistake("Everything is 0. A product has to start with 1, not with 0.")
def _product_from_zero(paths):
    return 0.0


@sum_over_paths.mistake(
    "Only the last edge of each path counts. Does the product get `=` where it needs `*=`?"
)
def _last_edge(paths):
    return sum(path[-1] if path else 1.0 for path in paths)


sum_over_paths.add_hints(
    "Two loops: the outer one over the paths, the inner one along a path.",
    "What does a sum start with, what does a product start with, and where does each start?",
)


# 4. Count paths without walking along them


@exercise(seconds=2.0)
def count_paths(source, target):
    """Return the number of paths from source to target, two Scalars, in one sweep.

    A node used twice by the same operation counts twice. From a node to itself leads one path,
    the one without edges.

    Examples
    --------
    >>> x = Scalar(3.0)
    >>> count_paths(x, x * x)
    2
    """
    count = {source: 1}  # each node is counted once, however many paths lead to it

    def paths_to(node):
        if node not in count:
            count[node] = sum(paths_to(parent) for parent in node.parents)
        return count[node]

    return paths_to(target)


def _ladder(layers):
    source = node = Scalar(0.5, name="x")
    for _ in range(layers):
        node = node.sin() + node.cos()
    return source, node


@count_paths.cases
def _graphs():
    a, b, x = (Scalar(value, name=name) for value, name in ((2.0, "a"), (1.0, "b"), (3.0, "x")))
    e = (a + b) * (b + 1)
    return [
        case(b, e, label="from b to e = (a + b) * (b + 1)"),
        case(a, e, label="from a to e = (a + b) * (b + 1)"),
        case(x, x * x, label="from x to x * x"),
        case(x, x.sin().exp(), label="from x to x.sin().exp()"),
        case(*_ladder(3), label="from x, 3 times x = x.sin() + x.cos()"),
        case(x, x, label="from x to x itself"),
        case(a, b * 2, label="from a to b * 2"),
        case(
            *_ladder(40),
            label="from x, 40 times x = x.sin() + x.cos()",
            too_slow="Here are 2^40 paths, too many to visit: count instead. The number of paths "
            "to a node follows from the numbers at its parents.",
        ),
    ]


_OVERWRITTEN = "Paths are lost where they meet. Does a count get `=` where it needs `+=`?"


@count_paths.mistake(_OVERWRITTEN)
def _overwritten_from_the_target(source, target):
    count = {target: 1}
    for node in reversed(topological_order(target)):
        for parent in node.parents:
            count[parent] = count[node]
    return count.get(source, 0)


@count_paths.mistake(_OVERWRITTEN)
def _overwritten_from_the_source(source, target):
    count = {}
    for node in topological_order(target):
        count[node] = 1 if node is source else 0
        for parent in node.parents:
            count[node] = count[parent]
    return count[target]


@count_paths.mistake("That is the number of edges in the graph.")
def _edges(source, target):
    return sum(len(node.parents) for node in topological_order(target))


@count_paths.mistake("That is the number of nodes in the graph.")
def _nodes(source, target):
    return len(topological_order(target))


@count_paths.mistake("That is the number of edges out of the source. Follow them to the target.")
def _edges_out_of_the_source(source, target):
    return sum(node.parents.count(source) for node in topological_order(target))


@count_paths.mistake("A node used twice by one operation, as in x * x, is reached by two paths.")
def _parents_without_repeats(source, target):
    count = {}
    for node in topological_order(target):
        parents = dict.fromkeys(node.parents)
        count[node] = 1 if node is source else sum(count[parent] for parent in parents)
    return count[target]


@count_paths.mistake("Listing the paths visits every one of them. Count them without listing.")
def _listed(source, target):
    return len(paths(source, target))


@count_paths.method(
    "This calls the package's own count. It is right, but here it is yours to write."
)
def _(call):
    return not call.calls_of(graph.count_paths)


count_paths.add_hints(
    "How many paths lead to a node if you know how many lead to each of its parents?",
    "The sum over its parents asks again for the same nodes: let it ask a dict first.",
    "Keep the counts in a dict with the nodes as keys. The source has 1.",
)


# 5. Fresh gradients in PyTorch


@exercise(needs="torch", seconds=10.0)
def fresh_gradients(points):
    """Return [(∂e/∂a, ∂e/∂b), ...] of e = (a + b)(b + 1) at each point (a, b), with PyTorch.

    Make one pair of leaf tensors a and b, and use it again for every point.

    Examples
    --------
    >>> fresh_gradients([(2.0, 1.0), (-1.0, 3.0)])
    [(2.0, 5.0), (4.0, 6.0)]
    """
    import torch

    a = torch.zeros((), requires_grad=True)
    b = torch.zeros((), requires_grad=True)
    gradients = []
    for a_value, b_value in points:
        with torch.no_grad():  # a new value is not part of the computation
            a.fill_(a_value)
            b.fill_(b_value)
        a.grad = b.grad = None  # backward() adds to what is there
        e = (a + b) * (b + 1)
        e.backward()
        gradients.append((a.grad.item(), b.grad.item()))
    return gradients


@fresh_gradients.cases
def _points():
    # Small halves: exact in float32 as well, so a reader may use either precision.
    return [
        case([(2.0, 1.0), (-1.0, 3.0)]),
        case([(2.0, 1.0)]),
        case([(0.5, -2.0), (1.5, 0.0), (-3.0, 4.0)]),
        case([]),
    ]


# The mistakes do what the wrong torch code would do, but without torch.


def _true_gradients(points):
    return [(b + 1, a + 2 * b + 1) for a, b in points]


def _added_up(gradients):
    total, so_far = (0.0, 0.0), []
    for by_a, by_b in gradients:
        total = (total[0] + by_a, total[1] + by_b)
        so_far.append(total)
    return so_far


@fresh_gradients.mistake(
    "The gradients add up from point to point: `backward` adds to `.grad`. Reset it before each."
)
def _never_reset(points):
    return _added_up(_true_gradients(points))


@fresh_gradients.mistake(
    "Every entry is the same tensor `.grad`, to which each `backward` adds. Take the number out "
    "with `.item()` at once, and reset `.grad` before each point."
)
def _never_reset_and_shared(points):
    return _added_up(_true_gradients(points))[-1:] * len(points)


@fresh_gradients.mistake(
    "Every entry is the same tensor `.grad`, which the last point has overwritten. Take the number "
    "out with `.item()` at once."
)
def _shared(points):
    return _true_gradients(points)[-1:] * len(points)


@fresh_gradients.mistake(
    "Every gradient is doubled: a second `backward` adds the same gradient once more."
)
def _doubled(points):
    return [(2 * by_a, 2 * by_b) for by_a, by_b in _true_gradients(points)]


@fresh_gradients.mistake("The two are swapped: the derivative with respect to a comes first.")
def _b_first(points):
    return [(by_b, by_a) for by_a, by_b in _true_gradients(points)]


@fresh_gradients.method("The numbers are right; get them from PyTorch's `backward` or `grad`.")
def _(call):
    return not call.given[0] or call.calls_of("run_backward") > 0


fresh_gradients.add_hints(
    "After the second `backward`, what does `a.grad` hold: the new gradient, or more than that?",
    "Set `a.grad` and `b.grad` to None, or to zero, before each `backward`.",
    "Inside `torch.no_grad()`, `a.fill_(2.0)` gives a leaf tensor a new value in place.",
)
