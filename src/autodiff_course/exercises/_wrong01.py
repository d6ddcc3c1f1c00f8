"""Typical wrong answers to the exercises of notebook 01, and what is said of each."""

from __future__ import annotations

import math
from functools import reduce
from operator import mul

from ._kinds01 import BY_LUCK, TURNED_ROUND, WHOLE_NUMBER
from .ex01 import (
    count_paths,
    factored,
    find_fault,
    power,
    quotient,
    reverse_sweep,
    separate_gradients,
    sine,
    sum_over_paths,
    topological_order,
)
from .graphs01 import (
    Node,
    add_along,
    forgets_the_seed,
    overwrites,
    walks_forward,
)

sine.add_mistakes(
    "The sign is wrong: the sine rises at 0, so its slope there is +1.",
    lambda x: (math.sin(x), -math.cos(x)),
    "The two are swapped: the value comes first, its derivative second.",
    lambda x: (math.cos(x), math.sin(x)),
    "That is the rule of the cosine.",
    lambda x: (math.cos(x), -math.sin(x)),
    "`math.sin` takes radians, and so does the derivative: nothing is to be converted.",
    lambda x: (math.sin(math.radians(x)), math.cos(math.radians(x))),
    "The derivative of the sine is not the sine.",
    lambda x: (math.sin(x), math.sin(x)),
)


quotient.add_mistakes(
    "The minus sign is lost: x / y shrinks when a positive y grows.",
    lambda x, y: (x / y, 1 / y, x / y**2),
    "The last two are swapped: the derivative with respect to x comes first.",
    lambda x, y: (x / y, -x / y**2, 1 / y),
    "The square is lost: 1 / y has the derivative -1 / y².",
    lambda x, y: (x / y, 1 / y, -x / y),
    "Those are the local derivatives of the product x·y.",
    lambda x, y: (x / y, y, x),
    "The factor x is lost: x / y is x times 1 / y.",
    lambda x, y: (x / y, 1 / y, -1 / y**2),
    "The value itself comes first, then the two local derivatives.",
    lambda x, y: (1 / y, -x / y**2),
    "Python reads -x / y * y as (-x / y) * y. Put brackets around the divisor: -x / (y * y).",
    lambda x, y: (x / y, 1 / y, -x / y * y),
    "The square is for y alone: -x / y**2, not -(x / y)**2.",
    lambda x, y: (x / y, 1 / y, -((x / y) ** 2)),
)


power.add_mistakes(
    "Right but for one point: x to the power 0 is 1 for every x, so its slope is 0 at x = 0 too. "
    "There your formula divides by zero.",
    lambda x, n: (x**n, n * x ** (n - 1)),
    "Right but for one point: x to the power 0 is 1 for every x, so its slope is 0 at x = 0 too. "
    "There `math.pow` refuses 0 to the power -1.",
    lambda x, n: (math.pow(x, n), n * math.pow(x, n - 1)),
    "It is the power 0 that is a case of its own, not the point 0: x has the slope 1 there.",
    lambda x, n: (x**n, n * x ** (n - 1) if x else 0.0),
    "The exponent comes down as a factor *and* falls by one.",
    lambda x, n: (x**n, n * x**n),
    "The factor n is lost: the exponent comes down as a factor.",
    lambda x, n: (x**n, x ** (n - 1)),
    "That is right for a square alone: the exponent is n.",
    lambda x, n: (x**n, 2 * x),
    "n is a constant: only the derivative by x is asked, not the one by n.",
    lambda x, n: (x**n, x**n * math.log(abs(x) or 1.0)),
    "The value itself comes first, then the local derivative.",
    lambda x, n: n * x ** (n - 1),
    "Python reads x**n-1 as (x**n) - 1. Put the exponent in brackets: x ** (n - 1).",
    lambda x, n: (x**n, n * x**n - 1),
    "That is right for a square alone: x keeps the exponent n - 1.",
    lambda x, n: (x**n, n * x),
    "x**n / x divides by zero at x = 0, where x² has the slope 0: write x ** (n - 1).",
    lambda x, n: (x**n, n * x**n / x),
    "There is a logarithm of positive numbers only, and x may be negative, or 0. x ** (n - 1) "
    "needs none.",
    lambda x, n: (x**n, n * math.exp((n - 1) * math.log(x))),
)


sum_over_paths.add_mistakes(
    "Only the last path is left. Does the derivative get `=` where it needs `+=`?",
    lambda paths: math.prod(paths[-1]) if paths else 0.0,
    "Only the first path counts. Does the loop over the paths return too soon?",
    lambda paths: math.prod(paths[0]) if paths else 0.0,
    "It is the other way round: multiply along a path, add over the paths.",
    lambda paths: math.prod(sum(path) for path in paths),
    "The paths are multiplied with each other too. Add over the paths.",
    lambda paths: math.prod(math.prod(path) for path in paths),
    "Along a path the local derivatives are multiplied, not added.",
    lambda paths: sum(sum(path) for path in paths),
)


@sum_over_paths.mistake("The product goes on from one path to the next. Start each path with 1.")
def product_not_reset(paths):
    derivative, product = 0.0, 1.0
    for path in paths:
        product *= math.prod(path)
        derivative += product
    return derivative


sum_over_paths.add_mistakes(
    "Everything is 0. A product has to start with 1, not with 0.",
    lambda paths: 0.0,
    "Only the last edge of each path counts. Does the product get `=` where it needs `*=`?",
    lambda paths: sum(path[-1] if path else 1.0 for path in paths),
    "A sum starts with 0. It is the product along a path that starts with 1.",
    lambda paths: 1.0 + sum(map(math.prod, paths)),
    "The path without edges is lost: it contributes 1, the product that nothing was multiplied to.",
    lambda paths: sum(math.prod(path) for path in paths if path),
    "Two paths with the same numbers are two paths: a set or a dict keeps one of them.",
    lambda paths: sum(map(math.prod, set(map(tuple, paths)))),
    "Two paths with the same product are two paths: a set or a dict keeps one of them.",
    lambda paths: sum({math.prod(path) for path in paths}),
)


_FIRST_EDGE = "A path may have no edge, and then no first one: start the product with 1."
_FIRST_STAGE = "A chain may have no stage, and then no first one: start the product with 1."

sum_over_paths.add_mistakes(
    _FIRST_EDGE,
    lambda paths: sum(path[0] * math.prod(path[1:]) for path in paths),
    _FIRST_EDGE,
    lambda paths: sum(reduce(mul, path) for path in paths),
)


@sum_over_paths.mistake(
    "A path adds its product at each of its edges. Add it once, when the inner loop has ended."
)
def added_inside(paths):
    return sum(math.prod(path[: i + 1]) for path in paths for i in range(len(path)))


factored.add_mistakes(
    _FIRST_STAGE,
    lambda stages: sum(stages[0]) * math.prod(map(sum, stages[1:])),
    _FIRST_STAGE,
    lambda stages: reduce(mul, map(sum, stages)),
    "It is the other way round: add within a stage, multiply over the stages.",
    lambda stages: sum(math.prod(stage) for stage in stages),
    "The numbers are all added. A path goes through every stage: multiply these.",
    lambda stages: sum(map(sum, stages)),
    "The numbers are all multiplied. A path takes *one* edge of each stage.",
    lambda stages: math.prod(map(math.prod, stages)),
    "That is the number of paths. What does each of them contribute?",
    lambda stages: math.prod(map(len, stages)),
    "Everything is 0. A product has to start with 1, not with 0.",
    lambda stages: 0.0,
)


# topological_order


def preorder(output):
    order, stack = [], [output]
    while stack:
        node = stack.pop()
        if node not in order:
            order.append(node)
            stack += [operand for operand, _ in node.edges]
    return order


_REVERSE = (
    "`order.reverse()` turns the list itself round, and returns None. `reversed(order)` and "
    "`order[::-1]` leave the list alone and give you what you asked for."
)


topological_order.add_mistakes(
    "`order.reverse()` and `order.append()` change the list itself, and return None.",
    lambda output: [].reverse(),
    TURNED_ROUND,
    lambda output: topological_order.reference(output)[::-1],
    "To turn round the order in which a walk from the output *meets* the nodes is not enough. "
    "Append a node once all its operands are in the list.",
    lambda output: preorder(output)[::-1],
    "A node is appended before its operands are. First visit these.",
    preorder,
)


@topological_order.mistake(
    "Nearest to the output first, then turned round: a node can be near by one edge and far by "
    "another. Append a node once all its operands are in the list."
)
def by_distance(output):
    order, queue = [], [output]
    while queue:
        node = queue.pop(0)
        if node not in order:
            order.append(node)
            queue += [operand for operand, _ in node.edges]
    return order[::-1]


@topological_order.mistake("A node is appended before its operands are. First visit these.")
def appended_before_the_visits(output):
    order = []

    def visit(node):
        if node not in order:
            order.append(node)
            for operand, _ in node.edges:
                visit(operand)

    visit(output)
    return order


@topological_order.mistake("The output itself belongs to the list too.")
def _without_output(output):
    return topological_order.reference(output)[:-1]


reverse_sweep.add_mistakes(
    "What arrived first is lost: an adjoint gets `=` where it needs `+=`.",
    overwrites,
    "Every adjoint is 0: nobody gave the output its 1.",
    forgets_the_seed,
    "Only the output has sent something on. Either the loop begins at the wrong end of `order`, or "
    "it returns too soon.",
    walks_forward,
    "Nothing has arrived at any operand. Does the loop reach the output, the last node of `order`, "
    "and does `+=` stand at the *operand*?",
    lambda order: dict.fromkeys(order, 0.0) | {order[-1]: 1.0},
)


@reverse_sweep.mistake(
    "The 1 belongs to the output, not to an input. The output is the last node of `order`; after "
    "`order.reverse()`, the first."
)
def seed_at_the_first(order):
    adjoint = dict.fromkeys(order, 0.0) | {order[0]: 1.0}
    for node in reversed(order):
        for operand, slope in node.edges:
            adjoint[operand] += adjoint[node] * slope
    return adjoint


reverse_sweep.add_mistakes(
    "That counts the paths: the local derivatives are missing.",
    lambda order: add_along(order, lambda adjoint, slope: adjoint),
    "The sender's adjoint is missing: only the local derivative arrives.",
    lambda order: add_along(order, lambda adjoint, slope: slope),
    "Adjoint and local derivative are added. Multiply them.",
    lambda order: add_along(order, lambda adjoint, slope: adjoint + slope),
    _REVERSE,
    lambda order: [node for node in order.reverse()],
    "Everything is too large by one factor, the value of the output. Its adjoint starts with 1: "
    "how it moves with itself.",
    lambda order: {n: a * order[-1].value for n, a in reverse_sweep.reference(order).items()},
)


@reverse_sweep.mistake(
    "These are tangents: they start with 1 at an input and go forward. Adjoints start with 1 at "
    "the output, and go back."
)
def tangents(order):
    tangent = dict.fromkeys(order, 0.0) | {order[0]: 1.0}
    for node in order[1:]:
        tangent[node] = sum((tangent[operand] * slope for operand, slope in node.edges), start=0.0)
    return tangent


@reverse_sweep.mistake("An operation that uses a number twice, as x * x, has two edges to it.")
def one_edge_per_operand(order):
    adjoint = dict.fromkeys(order, 0.0)
    adjoint[order[-1]] = 1.0
    for node in reversed(order):
        for operand, slope in dict(node.edges).items():
            adjoint[operand] += adjoint[node] * slope
    return adjoint


@reverse_sweep.mistake("That starts with 1 everywhere. Only the output starts with 1.")
def ones(order):
    adjoint = dict.fromkeys(order, 1.0)
    for node in reversed(order):
        for operand, slope in node.edges:
            adjoint[operand] += adjoint[node] * slope
    return adjoint


@find_fault.mistake("A graph in which no number is used twice cannot tell `=` from `+=`.")
def chain_alone(sweep):
    x = Node(3.0)
    y = x * 2.0
    z = y * 5.0
    adjoint = sweep([x, y, z])
    if adjoint[z] != 1.0:
        return "no seed"
    return "right" if adjoint[x] == 10.0 else "wrong order"


@find_fault.mistake(BY_LUCK)
def e_alone(sweep):
    a, b = Node(2.0), Node(1.0)
    c, d = a + b, b + 1.0
    e = c * d
    adjoint = sweep([a, b, c, d, e])
    if adjoint[e] != 1.0:
        return "no seed"
    if adjoint[b] == 5.0:
        return "right"
    return "overwrites" if adjoint[b] else "wrong order"


@find_fault.mistake(
    "Zeros at the inputs have two causes: an output without its 1, or nodes that send before "
    "anything has arrived, as in sweep D. Look at the adjoint of the output itself."
)
def zeros_mean_no_seed(sweep):
    x = Node(3.0)
    y = x * x
    w = y * y
    adjoint = sweep([x, y, w, y + w])[x]
    if adjoint in (0.0, 114.0):
        return "right" if adjoint else "no seed"
    return "wrong order" if adjoint == 6.0 else "overwrites"


find_fault.add_mistakes(
    "Not all sweeps are right: try one on a graph whose adjoints you know.", lambda sweep: "right"
)


# count_paths


def edges(source, order):
    return sum(len(node.edges) for node in order)


def nodes(source, order):
    return len(order)


@count_paths.mistake("Paths are lost where they meet. Does a count get `=` where it needs `+=`?")
def counts_overwritten(source, order):
    count = dict.fromkeys(order, 0) | {order[-1]: 1}
    for node in reversed(order):
        for operand, _ in node.edges:
            count[operand] = count[node]
    return count.get(source, 0)


@count_paths.mistake(
    "The source need not stand in `order`: no path leads from it then, and the count is 0. A "
    "dict's `.get(source, 0)` says so."
)
def source_looked_up(source, order):
    count = dict.fromkeys(order, 0) | {order[-1]: 1}
    for node in reversed(order):
        for operand, _ in node.edges:
            count[operand] += count[node]
    return count[source]


@count_paths.mistake(WHOLE_NUMBER)
def rounded(source, order):
    count = {}
    for node in order:
        operands = (count[operand] for operand, _ in node.edges)
        count[node] = 1.0 if node == source else sum(operands, start=0.0)
    return int(count[order[-1]])


@count_paths.mistake(
    "That counts the paths from all inputs, each of which starts with 1. Only the source has 1."
)
def every_input_counts(source, order):
    count = {}
    for node in order:
        operands = (count[operand] for operand, _ in node.edges)
        count[node] = sum(operands) if node.edges else 1
    return count[order[-1]]


count_paths.add_mistakes(
    "That is the number of edges in the graph.",
    edges,
    "That is the number of nodes in the graph.",
    nodes,
    "That is the number of edges out of the source. Follow them to the output.",
    lambda source, order: sum(operand == source for node in order for operand, _ in node.edges),
)


@count_paths.mistake(
    "A path does not become two by going over an edge: pass the count on, and add nothing to it."
)
def one_more_per_edge(source, order):
    count = {}
    for node in order:
        longer = sum(count[operand] + 1 for operand, _ in node.edges)
        count[node] = 1 if node == source else longer
    return count[order[-1]]


@count_paths.mistake(
    "Each edge adds 1 to the count of its operand. What it brings is the count of the node that "
    "sends."
)
def one_per_edge(source, order):
    count = dict.fromkeys([*order, source], 0) | {order[-1]: 1}
    for node in reversed(order):
        for operand, _ in node.edges:
            count[operand] += 1
    return count[source]


@count_paths.mistake("A node used twice by one operation, as in x * x, is reached by two paths.")
def without_repeats(source, order):
    count = {}
    for node in order:
        operands = dict(node.edges)
        count[node] = 1 if node == source else sum(count[operand] for operand in operands)
    return count[order[-1]]


@count_paths.mistake("That multiplies the local derivatives: it is the derivative, not a count.")
def _derivative(source, order):
    return reverse_sweep.reference(order).get(source, 0)


# separate_gradients


def never_cleared(functions, w):
    gradients = []
    for function in functions:
        function(w).backward()
        gradients.append(w.grad.item())
    return gradients


separate_gradients.add_mistakes(
    "The derivatives add up from function to function: `backward` adds to `.grad`. Clear it first.",
    never_cleared,
)


@separate_gradients.mistake(
    "Cleared once, before the loop: the second function still adds to the first. Clear it before "
    "each `backward`."
)
def cleared_once(functions, w):
    w.grad = None
    return never_cleared(functions, w)


@separate_gradients.mistake(
    "Right from the second function on. `w.grad` may hold something from before: clear it *before* "
    "each `backward`."
)
def cleared_too_late(functions, w):
    gradients = []
    for function in functions:
        function(w).backward()
        gradients.append(w.grad.item())
        w.grad = None
    return gradients


@separate_gradients.mistake(
    "`w.grad` is None before the first `backward`, so there is nothing to zero yet: set it to None."
)
def zeroed_too_soon(functions, w):
    gradients = []
    for function in functions:
        w.grad.zero_()
        function(w).backward()
        gradients.append(w.grad.item())
    return gradients


separate_gradients.add_mistakes(
    "Every entry is the same tensor `.grad`, which the last function has overwritten. Take the "
    "number out with `.item()` at once.",
    lambda functions, w: separate_gradients.reference(functions, w)[-1:] * len(functions),
    "Those are the values of the functions, not their derivatives.",
    lambda functions, w: [function(w).item() for function in functions],
)
