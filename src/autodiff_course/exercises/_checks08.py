"""What answers to the exercises of notebook 08 are tried on, and which way they must go."""

from __future__ import annotations

from . import _cases08 as inputs
from .ex08 import (
    arrow_jacobian,
    from_the_leaves,
    greedy_colors,
    hubs_apart,
    is_star,
    newton,
    pays_from,
    trace,
    where_to_read,
)


def _leaves(one, what):
    """Ask that the caller's data are left as they were."""
    one.method(f"The result is right, but {what} changed. Make new ones.")(
        lambda call: call.unchanged
    )


# trace

trace.cases(inputs.recordings)
trace.random_cases(inputs.random_recordings)
_leaves(trace, "the steps are")


# greedy_colors

greedy_colors.cases(inputs.orders)
greedy_colors.random_cases(inputs.random_orders)


# where_to_read

where_to_read.cases(inputs.star_colorings)
where_to_read.random_cases(inputs.random_star_colorings)


# is_star

is_star.cases(inputs.colorings)
is_star.random_cases(inputs.random_colorings)


# hubs_apart

hubs_apart.cases(inputs.hubs)
_leaves(hubs_apart, "the rows are")


# from_the_leaves

from_the_leaves.cases(inputs.trees)
from_the_leaves.random_cases(inputs.random_trees)
_leaves(from_the_leaves, "the edges or the sums are")


@from_the_leaves.method(
    "The values are right, but by solving a system. Walk: each leaf tells one value at once."
)
def _walks(call):
    in_c = ("linalg_lstsq", "linalg_solve", "linalg_pinv", "linalg_inv", "linalg_solve_ex")
    packages = ("numpy.linalg", "scipy.linalg", "scipy.sparse.linalg", "scipy.optimize")
    return not call.calls_of(*in_c) + sum(call.calls_in(one) for one in packages)


# arrow_jacobian

arrow_jacobian.cases(inputs.arrows)


@arrow_jacobian.method(
    "The matrix is right, but it took more than three products. Columns 1 to n − 1 can share one."
)
def _three_products(call):
    push, pull, _ = call.arguments
    return call.calls_of(push) + call.calls_of(pull) <= 3


# pays_from

pays_from.cases(inputs.prices)
pays_from.random_cases(inputs.random_prices)


# newton

newton.cases(inputs.landscapes)
_leaves(newton, "x is")
