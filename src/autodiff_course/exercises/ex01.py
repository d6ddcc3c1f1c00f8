"""Exercises of notebook 01, computational graphs: the rules, the order, the sweep, and its faults.

Everything but the last exercise runs without torch.
"""

from __future__ import annotations

import math
from dataclasses import replace
from numbers import Integral, Real

from . import _wrong01 as wrong
from .drills import Problem, drill
from .framework import Exercise, case, exercise
from .graphs01 import (
    Node,
    Slope,
    complaint_about_order,
    counted,
    e_graph,
    forgets_the_seed,
    hurries,
    overwrites,
    random_graph,
    single,
    sums,
    tower,
    tripled,
    walks_forward,
    z_graph,
)
from .nearly import nearly
from .running import call, limited

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


class _Rule(Exercise):
    """An exercise that recognises a difference quotient, whatever its step."""

    def _checked(self, answer, seconds, seed):
        result = super()._checked(answer, seconds, seed)
        if result.status == "wrong" and not result.mistake and nearly(result):
            text = "Near, but not exact: is that a difference quotient? A rule has a formula."
            return replace(result, message=text)
        return result


def _rule(**settings):
    return lambda solution: _Rule(solution, **settings)


@_rule(
    minutes=2,
    insight="A rule knows one operation and nothing else.",
    uses="import math",
)
def sine(x):
    """Return sin(x) and its local derivative, as a pair of floats.

    Examples
    --------
    >>> sine(0.0)
    (0.0, 1.0)
    """
    return math.sin(x), math.cos(x)


@sine.cases
def _angles():
    return [case(0.0), case(1.0), case(-2.5), case(10.0)]


@sine.random_cases
def _more_angles(random):
    return [case(random.uniform(-5.0, 5.0))]


sine.mistake("The sign is wrong: the sine rises at 0, so its slope there is +1.")(
    wrong.minus_cosine
)
sine.mistake("The two are swapped: the value comes first, its derivative second.")(
    wrong.slope_first
)
sine.mistake("That is the rule of the cosine.")(wrong.cosine)
sine.mistake("`math.sin` takes radians, and so does the derivative: nothing is to be converted.")(
    wrong.degrees
)
sine.mistake("The derivative of the sine is not the sine.")(wrong.sine_twice)

sine.add_hints(
    "What is the slope of the sine at 0, where it rises at 45 degrees, and at its top?",
    "The derivative of the sine is the cosine. `math` has both.",
)


@_rule(minutes=4, insight="One number per operand: the rule of an operation with two operands.")
def quotient(x, y):
    """Return x / y and its two local derivatives, as three floats: the value, by x, by y.

    Examples
    --------
    >>> quotient(6.0, 2.0)
    (3.0, 0.5, -1.5)
    """
    return x / y, 1 / y, -x / y**2


@quotient.cases
def _quotients():
    return [case(6.0, 2.0), case(1.0, -4.0), case(-3.0, 0.5), case(0.0, 5.0)]


@quotient.random_cases
def _more_quotients(random):
    return [case(random.uniform(-3.0, 3.0), random.uniform(0.5, 3.0))]


quotient.mistake("The minus sign is lost: x / y shrinks when a positive y grows.")(wrong.no_minus)
quotient.mistake("The last two are swapped: the derivative with respect to x comes first.")(
    wrong.y_first
)
quotient.mistake("The square is lost: 1 / y has the derivative -1 / y².")(wrong.no_square)
quotient.mistake("Those are the local derivatives of the product x·y.")(wrong.of_the_product)
quotient.mistake("The factor x is lost: x / y is x times 1 / y.")(wrong.no_factor)
quotient.mistake("The value itself comes first, then the two local derivatives.")(wrong.no_value)
quotient.mistake("The square is for y alone: -x / y**2, not -(x / y)**2.")(wrong.square_of_all)

quotient.add_hints(
    "Hold y fixed: x / y is then x times a constant.",
    "Hold x fixed: x / y is x times the power y⁻¹.",
)


@_rule(minutes=4, insight="The exponent is a constant here, so it needs no edge.")
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


@power.cases
def _powers():
    whole = [(2.0, 3), (3.0, 2), (-1.5, 2), (0.0, 2), (5.0, 1), (0.0, 1), (3.0, 0), (0.0, 0)]
    return [case(x, n) for x, n in [*whole, (4.0, 0.5)]]


@power.random_cases
def _more_powers(random):
    return [case(random.uniform(0.5, 2.0), random.choice([-2, -1, 4, 5]))]


power.mistake(
    "Right but for one point: x to the power 0 is 1 for every x, so its slope is 0 at x = 0 too. "
    "There your formula divides by zero."
)(wrong.without_the_power_zero)
power.mistake(
    "Right but for one point: x to the power 0 is 1 for every x, so its slope is 0 at x = 0 too. "
    "There `math.pow` refuses 0 to the power -1."
)(wrong.without_the_power_zero_by_math)
power.mistake(
    "It is the power 0 that is a case of its own, not the point 0: x has the slope 1 there."
)(wrong.flat_at_zero)
power.mistake("The exponent comes down as a factor *and* falls by one.")(wrong.exponent_stays)
power.mistake("The factor n is lost: the exponent comes down as a factor.")(wrong.factor_lost)
power.mistake("That is right for a square alone: the exponent is n.")(wrong.always_a_square)
power.mistake("n is a constant: only the derivative by x is asked, not the one by n.")(
    wrong.by_the_exponent
)
power.mistake("The value itself comes first, then the local derivative.")(wrong.slope_alone)
power.mistake("Python reads x**n-1 as (x**n) - 1. Put the exponent in brackets: x ** (n - 1).")(
    wrong.without_brackets
)
power.mistake("That is right for a square alone: x keeps the exponent n - 1.")(wrong.exponent_lost)

power.add_hints(
    "The promise of this notebook is the case n = 2: the derivative of x² is 2x.",
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


@sum_over_paths.cases
def _lists_of_paths():
    return [
        case([[1.0, 2.0], [1.0, 3.0]]),
        case([[1.0, 2.0]]),
        case([[2.0], [3.0, -1.0], [0.5, 4.0, 1.5]]),
        case([]),
        case([[]]),
    ]


sum_over_paths.mistake(
    "Only the last path is left. Does the derivative get `=` where it needs `+=`?"
)(wrong.last_path)
sum_over_paths.mistake("Only the first path counts. Does the loop over the paths return too soon?")(
    wrong.first_path
)
sum_over_paths.mistake("It is the other way round: multiply along a path, add over the paths.")(
    wrong.adds_along
)
sum_over_paths.mistake("The paths are multiplied with each other too. Add over the paths.")(
    wrong.product_of_all
)
sum_over_paths.mistake("Along a path the local derivatives are multiplied, not added.")(
    wrong.sum_of_all
)
sum_over_paths.mistake("The product goes on from one path to the next. Start each path with 1.")(
    wrong.product_not_reset
)
sum_over_paths.mistake("Everything is 0. A product has to start with 1, not with 0.")(
    wrong.product_from_zero
)
sum_over_paths.mistake(
    "Only the last edge of each path counts. Does the product get `=` where it needs `*=`?"
)(wrong.last_edge)

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


# Not more: a list made in C alone, as by `itertools`, cannot be stopped before its end.
_TOO_MANY = "Here are 3^15 paths, too many to visit. What do all paths through one node share?"


@factored.cases
def _chains():
    return [
        case([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
        case([[2.0, 5.0]]),
        case([[1.0, -3.0], [0.5], [2.0, 2.0, 3.0]]),
        case([]),
        case([[0.5, 0.25, 0.125]] * 15, label="15 stages of 3 edges", too_slow=_TOO_MANY),
    ]


factored.mistake("It is the other way round: add within a stage, multiply over the stages.")(
    wrong.multiply_within
)
factored.mistake("The numbers are all added. A path goes through every stage: multiply these.")(
    wrong.add_everything
)
factored.mistake("The numbers are all multiplied. A path takes *one* edge of each stage.")(
    wrong.multiply_everything
)
factored.mistake("That is the number of paths. What does each of them contribute?")(
    wrong.number_of_paths
)
factored.mistake("Everything is 0. A product has to start with 1, not with 0.")(wrong.from_zero)

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


class _AnyOrder(Exercise):
    """An exercise for which every order with operands first is right."""

    def agree(self, one, other):
        lists = [getattr(outcome, "value", None) for outcome in (one, other)]
        if not all(isinstance(value, (list, tuple)) for value in lists):
            return super().agree(one, other)
        mine, true = lists
        if complaint_about_order(mine, true) or complaint_about_order(true, mine):
            return list(mine) == list(true)
        return True

    def _checked(self, answer, seconds, seed):
        result = super()._checked(answer, seconds, seed)
        if result.status != "wrong" or result.yours is None:
            return result
        if limited(lambda clock: _remembers(answer), seconds):
            return replace(result, message=_REMEMBERS)
        told = complaint_about_order(result.yours, result.expected)
        return replace(result, message=f"{told} {result.mistake}".strip()) if told else result


_REMEMBERS = (
    "Something of one call is still there at the next: a list as a default value (`order=[]` is "
    "made once, when Python reads the `def`), or a list or set outside the function. Make them new "
    "in each call."
)


def _remembers(answer):
    """Tell whether an answer brings nodes of former calls, or returns another list each time."""
    (x,) = single("")
    lists = []
    for _ in range(2):
        value = getattr(call(answer, (x,)), "value", None)
        if not isinstance(value, (list, tuple)):
            return False
        lists.append(list(value))  # a copy, as it may be the same list each time
    others = [one for value in lists for one in value if isinstance(one, Node) and one is not x]
    return bool(others) or len(set(map(len, lists))) > 1


@_AnyOrder
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


topological_order.minutes = 10
topological_order.insight = (
    "The list of the tower has 181 nodes, though 2^60 paths lead through them."
)
topological_order.next_try = (
    "A chain of 5000 nodes: if your function calls itself, Python stops it. The solution does not."
)

_VISIT_ONCE = (
    "Here are 2^60 paths. Remember which nodes you have visited, and visit none of them again."
)


@topological_order.cases
def _outputs():
    return [
        case(single()[-1], label="a single node x"),
        case(e_graph()[-1], label="e = (a + b) * (b + 1)"),
        case(z_graph()[-1], label="z = y + y * y, y = x * x"),
        case(z_graph(hasty=False)[-1], label="z = y * y + y, y = x * x"),
        case(tower(60)[-1], label="a tower of 60 layers", too_slow=_VISIT_ONCE),
    ]


@topological_order.random_cases
def _more_outputs(random):
    return [case(random_graph(random)[-1], label="a random graph")]


@topological_order.mistake("The order is turned round: the output comes last.")
def _output_first(output):
    return topological_order.reference(output)[::-1]


topological_order.mistake(
    "To turn round the order in which a walk from the output *meets* the nodes is not enough. "
    "Append a node once all its operands are in the list."
)(wrong.preorder_reversed)
topological_order.mistake("A node is appended before its operands are. First visit these.")(
    wrong.preorder
)
topological_order.mistake(
    "Nearest to the output first, then turned round: a node can be near by one edge and far by "
    "another. Append a node once all its operands are in the list."
)(wrong.by_distance)


@topological_order.mistake("The output itself belongs to the list too.")
def _without_output(output):
    return topological_order.reference(output)[:-1]


topological_order.add_hints(
    "When may a node be appended to the list? When is that certain?",
    "A function `visit` of one node: it first visits the operands and then appends the node.",
    "Keep a set of visited nodes, and let `visit` return at once for one that is in it.",
)


# 5. The reverse sweep


@exercise(
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


_SEND_ONCE = (
    "Here are 2^60 paths. Does a node send again whenever something arrives at it? Let every node "
    "send once, after everything has arrived."
)


@reverse_sweep.cases
def _orders():
    e, z = e_graph(), z_graph()
    return [
        case(single(), label="x alone"),
        case(counted(e), label="the order a, b, c, d, e of e = (a + b) * (b + 1)"),
        case(counted(z), label="the order x, y, w, z of z = y + w, w = y * y, y = x * x"),
        case(counted(tower(60)), label="a tower of 60 layers", too_slow=_SEND_ONCE),
    ]


@reverse_sweep.random_cases
def _more_orders(random):
    return [case(counted(random_graph(random)), label="a random graph")]


_LEAVE_THE_LIST = (
    "The list is no longer as it was, and whoever called you may need it. `reversed(order)` and "
    "`order[::-1]` leave it alone."
)


@reverse_sweep.method(_LEAVE_THE_LIST)
def _order_is_unchanged(call):
    return call.unchanged


@reverse_sweep.method(
    "Edges are multiplied again and again: is that a walk per node, or per path, of which the "
    "tower of 60 layers has 2^60? One walk back from the output is enough, one product per edge."
)
def _one_product_for_each_edge(call):
    products = call.calls_of(Slope.__mul__, Slope.__rmul__)
    return products <= sum(len(node.edges) for node in call.given[0])


reverse_sweep.mistake("What arrived first is lost: an adjoint gets `=` where it needs `+=`.")(
    overwrites
)
reverse_sweep.mistake("Every adjoint is 0: nobody gave the output its 1.")(forgets_the_seed)
reverse_sweep.mistake(
    "Only the output has sent something on. Either the loop begins at the wrong end of `order`, or "
    "it returns too soon."
)(walks_forward)
reverse_sweep.mistake(
    "Nobody has sent anything: the loop leaves out the output, which is the last node of `order`."
)(wrong.without_the_output)
reverse_sweep.mistake("The 1 belongs to the output, the last node of `order`, not to the first.")(
    wrong.seed_at_the_first
)
reverse_sweep.mistake("That counts the paths: the local derivatives are missing.")(
    wrong.without_slopes
)
reverse_sweep.mistake("The sender's adjoint is missing: only the local derivative arrives.")(
    wrong.without_adjoints
)
reverse_sweep.mistake("Adjoint and local derivative are added. Multiply them.")(wrong.added)
reverse_sweep.mistake("An operation that uses a number twice, as x * x, has two edges to it.")(
    wrong.one_edge_per_operand
)
reverse_sweep.mistake("That starts with 1 everywhere. Only the output starts with 1.")(wrong.ones)

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


class _FindFault(Exercise):
    """An exercise that knows on which graphs one of the sweeps is right by luck."""

    def _checked(self, answer, seconds, seed):
        result = super()._checked(answer, seconds, seed)
        passes_a = result.input == _what_it_leaves(hurries) and result.yours == "right"
        if result.status == "wrong" and passes_a:
            on_b = limited(lambda clock: call(answer, (overwrites,)), seconds)
            if getattr(on_b, "value", "right") != "right":
                return replace(result, message=_BY_LUCK, mistake=_BY_LUCK)
        return result


_BY_LUCK = (
    "Your test lets a sweep that hurries pass. On e = (a + b)(b + 1) it is right by luck: b, the "
    "only node that is used twice, sends nothing on. On y * y with y = x * x too: one operation "
    "has both edges. Find a graph in which two operations use a node that has something to send "
    "on."
)


def _find_fault(**settings):
    return lambda solution: _FindFault(solution, **settings)


@_find_fault(
    minutes=12,
    insight="A test is as good as its graph: on e, one of these sweeps gives 2 and 5.",
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
    y = x * x
    w = y * y
    z = y + w
    return "right" if sweep([x, y, w, z])[x] == 114.0 else "wrong order"


def _also_right(order):
    return reverse_sweep.reference(list(order))


@find_fault.cases
def _sweeps():
    sweeps = [reverse_sweep.reference, *faulty_sweeps.values(), _also_right, sums]
    return [case(sweep, label=_what_it_leaves(sweep)) for sweep in sweeps]


def _what_it_leaves(sweep):
    nodes, more = e_graph(), z_graph()
    on_e, on_z = sweep(nodes), sweep(more)
    return (
        f"a sweep that leaves {on_e[nodes[0]]:g} at a, {on_e[nodes[1]]:g} at b and "
        f"{on_e[nodes[-1]]:g} at e of e = (a + b) * (b + 1); and {on_z[more[0]]:g} at x, "
        f"{on_z[more[1]]:g} at y of z = y + y * y, y = x * x, x = 3, where 114 and 19 are right"
    )


find_fault.mistake("A graph in which no number is used twice cannot tell `=` from `+=`.")(
    wrong.chain_alone
)
find_fault.mistake(_BY_LUCK)(wrong.e_alone)
find_fault.mistake(
    "Zeros at the inputs have two causes: an output without its 1, or nodes that send before "
    "anything has arrived, as in sweep D. Look at the adjoint of the output itself."
)(wrong.zeros_mean_no_seed)
find_fault.mistake("Not all sweeps are right: try one on a graph whose adjoints you know.")(
    wrong.trusting
)

find_fault.add_hints(
    "For each fault, draw the smallest graph on which it shows. Which adjoint is wrong there?",
    "`x + x` shows a lost contribution whatever the order of the nodes is: there is one sender.",
    "For the order, two operations have to use a node that sends on, as y in y + y·y. The only "
    "node of e that is used twice is b, an input, which sends nothing on.",
)


# 7. Count paths without walking along them


@exercise(
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


@count_paths.cases
def _paths_of_graphs():
    a, b, c, d, e = e_graph()
    x, y, w, z = z_graph()
    ladder, tall, wide = tower(3), tower(40), tripled(40)
    return [
        case(b, [a, b, c, d, e], label="from b to e = (a + b) * (b + 1)"),
        case(a, [a, b, c, d, e], label="from a to e = (a + b) * (b + 1)"),
        case(x, [x, y], label="from x to y = x * x"),
        case(x, [x, y, w, z], label="from x to z = y + w, w = y * y, y = x * x"),
        case(ladder[0], ladder, label="from x through a tower of 3 layers"),
        case(x, [x], label="from x to x itself"),
        case(single("u")[0], [x, y], label="from u, on which nothing depends, to y = x * x"),
        case(
            tall[0],
            tall,
            label="from x through a tower of 40 layers",
            too_slow="Here are 2^40 paths, too many to visit: count instead. The number of paths "
            "to a node follows from the numbers at its operands.",
        ),
        case(
            wide[0],
            wide,
            label="from x through 40 stages of 3 edges",
            too_slow="Here are 3^40 paths, too many to visit: count instead.",
        ),
    ]


@count_paths.method(_LEAVE_THE_LIST)
def _list_is_unchanged(call):
    return call.unchanged


_WHOLE_NUMBER = (
    "A count is a whole number, and a float has no room for all digits of 3^40. Count with "
    "integers, from 1 and not from 1.0."
)


@count_paths.method(_WHOLE_NUMBER, wrong=True)
def _exactly(call):
    return isinstance(call.value, Integral) and call.value == count_paths.reference(*call.given)


count_paths.mistake("Paths are lost where they meet. Does a count get `=` where it needs `+=`?")(
    wrong.counts_overwritten
)
count_paths.mistake(_WHOLE_NUMBER)(wrong.rounded)
count_paths.mistake(
    "That counts the paths from all inputs, each of which starts with 1. Only the source has 1."
)(wrong.every_input_counts)
count_paths.mistake("That is the number of edges in the graph.")(wrong.edges)
count_paths.mistake("That is the number of nodes in the graph.")(wrong.nodes)
count_paths.mistake("That is the number of edges out of the source. Follow them to the output.")(
    wrong.edges_out_of_the_source
)
count_paths.mistake("A node used twice by one operation, as in x * x, is reached by two paths.")(
    wrong.without_repeats
)


@count_paths.mistake("That multiplies the local derivatives: it is the derivative, not a count.")
def _derivative(source, order):
    return reverse_sweep.reference(order).get(source, 0)


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


def _square(w):
    return w * w


def _five_times(w):
    return 5 * w


def _of_sine(w):
    return w.sin() + w


@separate_gradients.cases
def _functions():
    return [
        case([_square], _leaf(3.0), label="w * w at 3"),
        case([_square, _five_times], _leaf(3.0), label="w * w and 5 * w at 3"),
        case(
            [_five_times, _of_sine, _square],
            _leaf(-2.0, grad=7.0),
            label="5 * w, sin(w) + w and w * w at -2; w.grad holds a 7 from before",
        ),
        case([], _leaf(1.0), label="no function at all"),
    ]


def _leaf(value, grad=None):
    import torch

    w = torch.tensor(value, dtype=torch.float64, requires_grad=True)
    w.grad = None if grad is None else torch.tensor(grad, dtype=torch.float64)
    return w


@separate_gradients.method("Let PyTorch sweep: call `backward()` once for each function.")
def _one_sweep_each(call):
    return call.calls_of("run_backward") == len(call.given[0])


@separate_gradients.method(
    "`torch.autograd.grad` adds nothing to `.grad`, so there is nothing to clear. Here it is to be "
    "`backward()`, as in most programs."
)
def _by_backward(call):
    import torch

    return call.calls_of(torch.autograd.backward) == len(call.given[0])


@separate_gradients.method(
    "The list holds tensors, where floats are asked for: take each number out with `.item()`.",
    wrong=True,
)
def _floats(call):
    return all(isinstance(one, Real) for one in call.value)


separate_gradients.mistake(
    "The derivatives add up from function to function: `backward` adds to `.grad`. Clear it first."
)(wrong.never_cleared)
separate_gradients.mistake(
    "Cleared once, before the loop: the second function still adds to the first. Clear it before "
    "each `backward`."
)(wrong.cleared_once)
separate_gradients.mistake(
    "Right from the second function on. `w.grad` may hold something from before: clear it *before* "
    "each `backward`."
)(wrong.cleared_too_late)


@separate_gradients.mistake(
    "Every entry is the same tensor `.grad`, which the last function has overwritten. Take the "
    "number out with `.item()` at once."
)
def _shared(functions, w):
    return separate_gradients.reference(functions, w)[-1:] * len(functions)


separate_gradients.mistake("Those are the values of the functions, not their derivatives.")(
    wrong.values
)

separate_gradients.add_hints(
    "After the second `backward`, what does `w.grad` hold: the new derivative, or more than that?",
    "Set `w.grad` to None before each `backward`.",
)
