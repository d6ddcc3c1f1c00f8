"""Typical wrong answers to the exercises of notebook 08 about recovery, prices and Newton's method.

What is said of each stands in `_checks08`.
"""

import math
from collections import Counter

import numpy as np

# from_the_leaves


def _found(edges, sums, subtract=True):
    sums, left, found = list(sums), list(edges), {}
    while left:
        for edge in left:
            for leaf, other in (edge, edge[::-1]):
                if edge not in found and sum(leaf in one for one in left) == 1:
                    found[edge] = sums[leaf]
                    sums[other] -= sums[leaf] if subtract else 0
        left = [edge for edge in left if edge not in found]
    return found


def nothing_subtracted(edges, sums):
    found = _found(edges, sums, subtract=False)
    return [found[edge] for edge in edges]


def in_order_found(edges, sums):
    return list(_found(edges, sums).values())


def _one_by_one(edges, sums, subtract=True):
    """Take the first leaf in the order of the edges, one at a time."""
    sums, left, found = list(sums), list(edges), {}
    while left:
        ends = Counter(v for edge in left for v in edge)
        edge = next(edge for edge in left if min(ends[v] for v in edge) == 1)
        leaf, other = edge if ends[edge[0]] == 1 else edge[::-1]
        found[edge] = sums[leaf]
        sums[other] -= sums[leaf] if subtract else 0
        left.remove(edge)
    return found


def nothing_subtracted_one_by_one(edges, sums):
    found = _one_by_one(edges, sums, subtract=False)
    return [found[edge] for edge in edges]


def in_order_found_one_by_one(edges, sums):
    return list(_one_by_one(edges, sums).values())


def _one_pass(edges, sums, missing, both_ends=True):
    """Go through the edges once, each leaf known when it is met."""
    sums, ends = list(sums), Counter(v for edge in edges for v in edge)
    values = [missing] * len(edges)
    for number, edge in enumerate(edges):
        for leaf, other in (edge, edge[::-1])[: 1 + both_ends]:
            if ends[leaf] == 1:
                values[number] = sums[leaf]
                sums[other] -= sums[leaf]
                ends[leaf], ends[other] = 0, ends[other] - 1
                break
    return values


def one_pass(edges, sums):
    return _one_pass(edges, sums, 0)


def one_pass_with_gaps(edges, sums):
    return _one_pass(edges, sums, None)


def one_pass_appended(edges, sums):
    return [value for value in _one_pass(edges, sums, None) if value is not None]


def one_pass_in_a_dict(edges, sums):
    values = zip(edges, _one_pass(edges, sums, None), strict=True)
    found = {edge: value for edge, value in values if value is not None}
    return [found[edge] for edge in edges]


def _one_pass_without_asking(edges, sums, counted):
    """Take for granted that the second end is a leaf where the first is none."""
    sums, ends, values = list(sums), Counter(v for edge in edges for v in edge), []
    for edge in edges:
        leaf, other = edge if ends[edge[0]] == 1 else edge[::-1]
        values.append(sums[leaf])
        sums[other] -= sums[leaf]
        ends.subtract(edge if counted else ())
    return values


def one_pass_without_asking(edges, sums):
    return _one_pass_without_asking(edges, sums, True)


def one_pass_by_the_first_ends(edges, sums):
    return _one_pass_without_asking(edges, sums, False)


def values_rounded(edges, sums):
    found = _one_by_one(edges, sums)
    return [round(found[edge]) for edge in edges]


def sums_cut_to_ints(edges, sums):
    found = _one_by_one(edges, map(int, sums))
    return [found[edge] for edge in edges]


def _looked_at_one_end(edges, sums, end, missing=None):
    values, sums, left = [missing] * len(edges), list(sums), list(range(len(edges)))
    while True:
        ends = Counter(v for k in left for v in edges[k])
        known = [k for k in left if ends[edges[k][end]] == 1]
        if not known:
            return values
        leaf, other = edges[known[0]][:: 1 if end == 0 else -1]
        values[known[0]] = sums[leaf]
        sums[other] -= sums[leaf]
        left.remove(known[0])


def first_end_only(edges, sums):
    return _looked_at_one_end(edges, sums, 0)


def second_end_only(edges, sums):
    return _looked_at_one_end(edges, sums, 1)


def first_end_only_with_zeros(edges, sums):
    return _looked_at_one_end(edges, sums, 0, 0)


# arrow_jacobian


def _first(n):
    return np.eye(n)[0]


def arrow_by_symmetry(push, pull, n):
    J = np.diag(push(1 - _first(n)))
    J[:, 0] = J[0] = push(_first(n))
    return J


def arrow_with_a_mixed_corner(push, pull, n):
    J = np.diag(push(1 - _first(n)))
    J[1:, 0], J[0, 1:] = push(_first(n))[1:], pull(_first(n))[1:]
    return J


def arrow_transposed(push, pull, n):
    J = np.diag(push(1 - _first(n)))
    J[0], J[:, 0] = push(_first(n)), pull(_first(n))
    return J


def arrow_with_all_ones(push, pull, n):
    J = np.diag(push(np.ones(n)))
    J[:, 0], J[0] = push(_first(n)), pull(_first(n))
    return J


def arrow_with_the_corner_twice(push, pull, n):
    J = np.diag(push(1 - _first(n)))
    J[0, 0] = 0
    J[:, 0] += push(_first(n))
    J[0] += pull(_first(n))
    return J


# pays_from


def pays_never(preparation, each, other):
    return None


def pays_rounded(preparation, each, other):
    return None if other <= each else round(preparation / (other - each)) + 1


def pays_at_equality(preparation, each, other):
    return None if other <= each else max(1, math.ceil(preparation / (other - each)))


def pays_without_each(preparation, each, other):
    return int(preparation // other) + 1


def pays_in_fractions(preparation, each, other):
    return None if other <= each else preparation / (other - each)


def pays_by_zero(preparation, each, other):
    return None if other < each else int(preparation // (other - each)) + 1


def pays_always(preparation, each, other):
    return int(preparation // ((other - each) or 1)) + 1


# newton


def minimised(
    f,
    gradient,
    hessian,
    solve,
    x,
    goal,
    *,
    descent=False,
    sign=-1,
    search=True,
    most=10**9,
    enough=1e-4,
    size=lambda g: np.abs(g).max(),
    uphill=lambda slope: slope >= 0,
    new_slope=True,
    least=1e-9,
    required=lambda enough, t, slope: enough * t * slope,
    goes_on=False,
):
    """Minimise as the task says, but for one clause of it."""
    lengths = []
    while size(g := gradient(x)) > goal and len(lengths) < most:
        s = -g if descent else sign * solve(hessian(x), g)
        slope = g @ s
        if uphill(slope):
            s = -g
            slope = g @ s if new_slope else slope
        t = 1.0
        while search and t >= least and f(x + t * s) > f(x) + required(enough, t, slope):
            t /= 2
        if t < least and not goes_on:
            return x, lengths
        x = x + t * s
        lengths.append(t)
    return x, lengths


def newton_without_search(*arguments):
    return minimised(*arguments, search=False)


def newton_uphill(*arguments):
    return minimised(*arguments, uphill=lambda slope: False)


def newton_uphill_without_end(*arguments):
    return minimised(*arguments, uphill=lambda slope: False, least=0.0)


def newton_along_the_level(*arguments):
    return minimised(*arguments, uphill=lambda slope: slope > 0)


def newton_by_descent(*arguments):
    return minimised(*arguments, descent=True)


def newton_backwards(*arguments):
    return minimised(*arguments, sign=1, uphill=lambda slope: False, most=60)


def newton_sign_forgotten(*arguments):
    return minimised(*arguments, sign=1)


def newton_one_step(*arguments):
    return minimised(*arguments, most=1)


def newton_of_a_dozen_steps(*arguments):
    return minimised(*arguments, most=12)


def newton_without_lengths(*arguments):
    return minimised(*arguments)[0]


def newton_by_the_norm(*arguments):
    return minimised(*arguments, size=np.linalg.norm)


def newton_without_magnitude(*arguments):
    return minimised(*arguments, size=np.max)


def newton_with_any_fall(*arguments):
    return minimised(*arguments, enough=0.0)


def newton_with_a_hundredth(*arguments):
    return minimised(*arguments, enough=1e-2)


def newton_without_t_in_the_test(*arguments):
    return minimised(*arguments, required=lambda enough, t, slope: enough * slope)


def newton_with_the_old_slope(*arguments):
    return minimised(*arguments, new_slope=False)


def newton_that_gives_up_early(*arguments):
    return minimised(*arguments, least=1e-3)


def newton_that_gives_up_late(*arguments):
    return minimised(*arguments, least=1e-15)


def newton_without_a_limit(*arguments):
    return minimised(*arguments, least=0.0)


def newton_steps_anyway(*arguments):
    return minimised(*arguments, goes_on=True)
