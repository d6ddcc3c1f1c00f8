"""Exercises of notebook 01, computational graphs: the rules, the order, the sweep, and its faults.

Everything but the last exercise runs without torch.
"""

from __future__ import annotations

import math

from ._kinds01 import AnyOrder, FindFault, PathCount, ReverseSweep
from .comparing import Tolerance
from .drills import Problem, drill
from .framework import exercise
from .graphs01 import (
    Node,
    forgets_the_seed,
    hurries,
    overwrites,
    walks_forward,
)

__all__ = [
    "count_paths",
    "drill_adjoint",
    "drill_local_derivative",
    "drill_paths",
    "factored",
    "faulty_sweeps",
    "find_fault",
    "power",
    "quotient",
    "reverse_sweep",
    "separate_gradients",
    "sine",
    "sum_over_paths",
    "topological_order",
]


#: Reverse sweeps with one fault each, by name: for `find_fault`.
faulty_sweeps = {"A": hurries, "B": overwrites, "C": forgets_the_seed, "D": walks_forward}


# 1. The rules of three operations


_NEAR = "Near, but not exact: is that a difference quotient? A rule has a formula."
_EXACT = Tolerance(1e-13, 1e-14)  # a formula rounds a few times; the best difference is worse


@exercise(
    minutes=2,
    insight="A rule knows one operation and nothing else.",
    uses="import math",
    near=_NEAR,
    tolerance=_EXACT,
)
def sine(x):
    """Return sin(x) and its local derivative, as a pair of floats.

    Examples
    --------
    >>> sine(0.0)
    (0.0, 1.0)
    """
    return math.sin(x), math.cos(x)


sine.add_hints(
    "What is the slope of the sine at 0, where it rises at 45 degrees, and at its top?",
    "The derivative of the sine is the cosine. `math` has both.",
)


@exercise(
    minutes=4,
    insight="One number per operand: the rule of an operation with two operands.",
    near=_NEAR,
    tolerance=_EXACT,
)
def quotient(x, y):
    """Return x / y and its two local derivatives, as three floats: the value, by x, by y.

    Examples
    --------
    >>> quotient(6.0, 2.0)
    (3.0, 0.5, -1.5)
    """
    return x / y, 1 / y, -x / y**2


quotient.add_hints(
    "Hold y fixed: x / y is then x times a constant.",
    "Hold x fixed: x / y is x times the power y⁻¹.",
)


@exercise(
    minutes=4,
    insight="The exponent is a constant here, so it needs no edge.",
    near=_NEAR,
    tolerance=_EXACT,
)
def power(x, n):
    """Return x to the power n and its local derivative by x, as two floats; n is a real constant.

    You are asked only where both are finite real numbers. The power 0 is among them: it is 1 for
    every x, also for x = 0.

    Examples
    --------
    >>> power(2.0, 3)
    (8.0, 12.0)
    """
    return x**n, n * x ** (n - 1) if n else 0.0


power.add_hints(
    "Begin with n = 2: the derivative of x² is 2x.",
    "For x³ it is 3x². What became of the exponent?",
    "n = 0 is a case of its own: 0 times x⁻¹ is no number at x = 0.",
)


@drill
def drill_local_derivative(random):
    """Ask for the number on one edge."""
    c, d = random.sample(range(2, 10), 2)
    return random.choice(
        [
            Problem(
                f"p = c · d with c = {c} and d = {d}. Which number stands on the edge from c to p?",
                d,
                f"A product passes on a change of one factor times the other factor, d = {d}.",
            ),
            Problem(
                f"s = c + d with c = {c} and d = {d}. Which number stands on the edge from d to s?",
                1,
                "If d grows by a little, c + d grows by as much, wherever you are.",
            ),
            Problem(
                f"q = c² with c = {c}. Which number stands on the edge from c to q?",
                2 * c,
                f"The slope of c² is 2c = {2 * c}.",
            ),
        ]
    )


# 2. Multiply along a path, add over paths


@exercise(minutes=5, insight="No path at all makes an empty sum, which is 0.")
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


sum_over_paths.add_hints(
    "Two loops: the outer one over the paths, the inner one along a path.",
    "What does a sum start with, what does a product start with, and where does each start?",
)


# 3. Factoring


@exercise(
    minutes=4,
    seconds=2.0,
    insight="Fifteen stages of three edges are 3^15 paths, and 45 numbers to look at.",
)
def factored(stages):
    """Return the sum over all paths through a chain of stages, without listing the paths.

    A stage is the list of the local derivatives on its parallel edges; a path takes one edge of
    each stage. A chain without any stage is a node itself, and the derivative is 1.

    Examples
    --------
    >>> factored([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    90.0
    """
    return math.prod((sum(stage) for stage in stages), start=1.0)


factored.add_hints(
    "At the node between two stages all paths meet. What has come together there?",
    "(α+β+γ)(δ+ε+ζ) has two factors because the chain has two stages.",
)


@drill
def drill_paths(random):
    """Ask for the paths of a chain."""
    widths = [random.randint(2, 4) for _ in range(random.randint(2, 4))]
    edges = ", ".join(str(width) for width in widths)
    return Problem(
        f"A chain of nodes has {edges} parallel edges in its {len(widths)} stages. "
        "How many paths lead from its first node to its last?",
        math.prod(widths),
        f"Every stage multiplies the choices: {' · '.join(map(str, widths))}. "
        f"The edges only add up, to {sum(widths)}.",
    )


# 4. The order


@exercise(
    kind=AnyOrder,
    minutes=10,
    insight="The list of the tower has 181 nodes, though 2^60 paths lead through them.",
    next_try="A chain of 5000 nodes: if your function calls itself, Python stops it. The solution "
    "does not.",
)
def topological_order(output):
    """Return a list of all nodes that `output` depends on, itself included, operands first.

    Every node stands in the list once, after all nodes that it was made from, so that `output`
    comes last. `node.edges` lists pairs (operand, local derivative).

    Examples
    --------
    >>> x = Node(3.0)
    >>> y = x * x
    >>> topological_order(y) == [x, y]
    True
    """
    order, opened, stack = [], set(), [(output, False)]
    while stack:  # a function that calls itself is shorter, and gives up after a thousand calls
        node, operands_are_listed = stack.pop()
        if operands_are_listed:
            order.append(node)
        elif node not in opened:
            opened.add(node)
            stack.append((node, True))  # below its operands, so that it comes after them
            stack += [(operand, False) for operand, _ in node.edges]
    return order


topological_order.add_hints(
    "When may a node be appended to the list? When is that certain?",
    "A function `visit` of one node: it first visits the operands and then appends the node.",
    "Keep a set of visited nodes, and let `visit` return at once for one that is in it.",
)


# 5. The reverse sweep


@exercise(
    kind=ReverseSweep,
    minutes=10,
    insight="No edge took more than one multiplication, however many inputs and paths there are.",
    next_try="Count the visits to edges yourself, for the tower of 60 layers.",
)
def reverse_sweep(order):
    """Return a dict of the adjoints of all nodes in `order`, whose last node is the output.

    `order` lists operands first. The adjoint of the output is 1. Then each node, in the right
    order, sends its adjoint times the local derivative to each operand, which adds it up.

    Examples
    --------
    >>> x = Node(3.0)
    >>> y = x * x
    >>> reverse_sweep([x, y])[x]
    6.0
    """
    adjoint = dict.fromkeys(order, 0.0)
    adjoint[order[-1]] = 1.0
    for node in reversed(order):
        for operand, local_derivative in node.edges:
            adjoint[operand] += adjoint[node] * local_derivative
    return adjoint


reverse_sweep.add_hints(
    "Give every node an adjoint of 0 first, and the output 1.",
    "Two loops: over the nodes from the output back, and over the edges of each.",
    "What arrives is added: `+=`.",
)


@drill
def drill_adjoint(random):
    """Ask for the adjoint of an input that is used twice."""
    a, b, k = random.sample(range(1, 6), 3)
    c, d = a + b, b + k
    return Problem(
        f"e = (a + b)(b + {k}) at a = {a}, b = {b}. What is the adjoint of b?",
        c + d,
        f"It gets d = {d} over c = a + b, and c = {c} over d = b + {k}: {d} + {c} = {c + d}.",
    )


# 6. Find the fault


@exercise(
    kind=FindFault,
    minutes=15,
    insight="A test is as good as its graphs: on e, one of these sweeps gives 2 and 5.",
    next_try="Which of your graphs would find a sweep that forgets the second edge of x * x?",
)
def find_fault(sweep):
    """Return what is wrong with a reverse sweep, by trying it on small graphs of your own.

    `sweep` is called as `reverse_sweep` is: with a list of nodes, operands first, and it returns
    their adjoints. Return "no seed" (the output never gets its 1), "overwrites" (`=` where `+=` is
    needed), "wrong order" (a node sends before everything has arrived at it, in whatever way that
    comes about), or "right". At most one of the faults is there.
    """
    x = Node(3.0)
    twice = x + x
    adjoint = sweep([x, twice])
    if adjoint[twice] != 1.0:
        return "no seed"
    if adjoint[x] != 2.0:
        return "overwrites"
    v = x * x
    p = v * 2.0
    q = p + 1.0
    for z in (q + v, v + q):  # whichever comes first: v has to wait for p, and p for q
        if sweep([x, v, p, q, z])[x] != 18.0:
            return "wrong order"
    return "right"


find_fault.add_hints(
    "For each fault, draw the smallest graph on which it shows. Which adjoint is wrong there?",
    "`x + x` shows a lost contribution whatever the order of the nodes is: there is one sender.",
    "For the order, two operations have to use a node that sends on, as y in y + y·y. The only "
    "node of e that is used twice is b, an input, which sends nothing on.",
    "A sweep may come to that node late by luck: because of the ways from it to the output, or of "
    "which operand is written first. Make one way longer, and try both sides of the last sum.",
)


# 7. Count paths without walking along them


@exercise(
    kind=PathCount,
    minutes=6,
    seconds=2.0,
    insight="It is the sweep with every local derivative replaced by 1.",
)
def count_paths(source, order):
    """Return the number of paths from `source` to the last node of `order`.

    `order` lists operands first. A node used twice by one operation counts twice. From a node to
    itself leads one path, the one without edges; from a node that is not in `order`, none. The
    number is an int, and exact: one input has 3^40 paths. A sweep that starts with 1.0 has no room
    for all digits, so yours cannot be used as it is.

    Examples
    --------
    >>> x = Node(3.0)
    >>> count_paths(x, [x, x * x])
    2
    """
    count = {}
    for node in order:
        if node is source:
            count[node] = 1
        else:
            count[node] = sum(count[operand] for operand, _ in node.edges)
    return count[order[-1]]


count_paths.add_hints(
    "How many paths lead to a node if you know how many lead to each of its operands?",
    "One loop over `order` is enough. Keep the counts in a dict with the nodes as keys.",
    "The source has 1.",
)


# 8. Gradients that do not add up


@exercise(
    needs="torch",
    seconds=20.0,
    minutes=6,
    insight="`backward()` adds to `.grad`; to clear it is left to you.",
    uses="import torch",
)
def separate_gradients(functions, w):
    """Return the derivative of each function at the tensor w, as a list of floats.

    w is a leaf with `requires_grad=True`, and each function takes it to a tensor with one number.
    Call `backward()` once per function. Something may stand in `w.grad` from before.

    Examples
    --------
    >>> import torch
    >>> w = torch.tensor(3.0, requires_grad=True)
    >>> separate_gradients([lambda w: w * w, lambda w: 5 * w], w)
    [6.0, 5.0]
    """
    gradients = []
    for function in functions:
        w.grad = None  # backward() adds to what is there
        function(w).backward()
        gradients.append(w.grad.item())
    return gradients


separate_gradients.add_hints(
    "After the second `backward`, what does `w.grad` hold: the new derivative, or more than that?",
    "Set `w.grad` to None before each `backward`.",
)


# What answers are tried on, and the mistakes that are recognised: they need the exercises above.
from . import _checks01, _wrong01  # noqa: E402, F401
