"""What answers to the exercises of notebook 01 are tried on, and which way they must go."""

from __future__ import annotations

from functools import partial
from numbers import Integral, Real

from ._kinds01 import WHOLE_NUMBER, what_a_hasty_one_leaves, what_it_leaves
from .ex01 import (
    count_paths,
    factored,
    faulty_sweeps,
    find_fault,
    power,
    quotient,
    reverse_sweep,
    separate_gradients,
    sine,
    sum_over_paths,
    topological_order,
)
from .framework import case
from .graphs01 import (
    Slope,
    breadth_first,
    counted,
    depth_first,
    e_graph,
    forgets_the_seed,
    last_met_first,
    overwrites,
    random_graph,
    single,
    sums,
    tower,
    tripled,
    z_graph,
)


@sine.cases
def _angles():
    return [case(0.0), case(1.0), case(-2.5), case(10.0)]


@sine.random_cases
def _more_angles(random):
    return [case(random.uniform(-5.0, 5.0))]


@quotient.cases
def _quotients():
    return [case(6.0, 2.0), case(1.0, -4.0), case(-3.0, 0.5), case(0.0, 5.0)]


@quotient.random_cases
def _more_quotients(random):
    return [case(random.uniform(-3.0, 3.0), random.uniform(0.5, 3.0))]


@power.cases
def _powers():
    whole = [(2.0, 3), (3.0, 2), (-1.5, 2), (0.0, 2), (5.0, 1), (0.0, 1), (3.0, 0), (0.0, 0)]
    return [case(x, n) for x, n in [*whole, (4.0, 0.5)]]


@power.random_cases
def _more_powers(random):
    return [case(random.uniform(0.5, 2.0), random.choice([-2, -1, 4, 5]))]


@sum_over_paths.cases
def _lists_of_paths():
    return [
        case([[1.0, 2.0], [1.0, 3.0]]),
        case([[1.0, 2.0]]),
        case([[2.0], [3.0, -1.0], [0.5, 4.0, 1.5]]),
        case([[3.0], [3.0]]),
        case([[1.0, 6.0], [2.0, 3.0]]),
        case([]),
        case([[]]),
    ]


_LEAVE_THE_LISTS = (
    "The lists are no longer as they were, and whoever called you may need them. A `for` reads "
    "them and leaves them alone."
)


@sum_over_paths.method(_LEAVE_THE_LISTS)
def _paths_are_unchanged(call):
    return call.unchanged


# factored


# Not more: a list made in C alone, as by `itertools`, cannot be stopped before its end.
_TOO_MANY = "Here are 3^15 paths, too many to visit. What do all paths through one node share?"


@factored.cases
def _chains():
    return [
        case([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
        case([[2.0, 5.0]]),
        case([[1.0, -3.0], [0.5], [2.0, 2.0, 3.0]]),
        case([]),
        case(
            [[0.5, 0.25, 0.125] for _ in range(15)],
            label="15 stages of 3 edges",
            too_slow=_TOO_MANY,
        ),
    ]


@factored.method(_LEAVE_THE_LISTS)
def _stages_are_unchanged(call):
    return call.unchanged


# topological_order


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


# reverse_sweep


_SEND_ONCE = (
    "Here are 2^60 paths. Does a node send again whenever something arrives at it? Let every node "
    "send once, after everything has arrived."
)


@reverse_sweep.cases
def _orders():
    e, z, turned = e_graph(), z_graph(), z_graph(hasty=False)
    return [
        case(single(), label="x alone"),
        case(counted(e), label="the order a, b, c, d, e of e = (a + b) * (b + 1)"),
        case(counted(z), label="the order x, y, w, z of z = y + w, w = y * y, y = x * x"),
        case(counted(turned), label="the order x, y, w, z of z = w + y, w = y * y, y = x * x"),
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


# find_fault


def _also_right(order):
    return reverse_sweep.reference(list(order))


def _also_overwrites(order):
    return overwrites(list(order))


def _also_without_a_seed(order):
    return forgets_the_seed(list(order))


@find_fault.cases
def _sweeps():
    sweeps = [reverse_sweep.reference, *faulty_sweeps.values(), _also_right, sums]
    sweeps += [_also_overwrites, _also_without_a_seed]  # no table of the four knows these
    hasty = [
        partial(sweep, turn=turn)
        for sweep in (depth_first, breadth_first, last_met_first)
        for turn in (list, reversed)
    ]
    return [case(sweep, label=what_it_leaves(sweep)) for sweep in sweeps] + [
        case(sweep, label=what_a_hasty_one_leaves(sweep)) for sweep in hasty
    ]


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


@count_paths.method(WHOLE_NUMBER, wrong=True)
def _exactly(call):
    return isinstance(call.value, Integral) and call.value == count_paths.reference(*call.given)


# separate_gradients


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
