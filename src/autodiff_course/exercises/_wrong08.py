"""Typical wrong answers to the exercises of notebook 08; what is said of each stands in ex08."""

import math
from collections import Counter

import numpy as np
from scipy.sparse.linalg import spsolve

# trace


def traced(steps, move=None, join=None, constant=None, last=True):
    """Trace with another rule for one kind of step."""
    known = {}
    for step in steps:
        given = [known[name] for name in step.operands]
        if step.kind == "input":
            sets = [{i} for i in range(step.size)]
        elif step.kind == "constant":
            sets = constant(step) if constant else [set()] * step.size
        elif step.kind == "move":
            sets = [set() if k is None else given[0][k] for k in step.source]
            sets = move(given[0], step) if move else sets
        elif step.kind == "sum":
            sets = [set().union(*given[0])]
        else:
            wide = [part * (step.size if len(part) == 1 else 1) for part in given]
            sets = [set().union(*parts) for parts in zip(*wide, strict=True)]
            sets = join(given, step) if join else sets
        known[step.name] = sets
    return known[steps[-1].name] if last else known


def trace_unmoved(steps):
    def move(given, step):
        return [given[i] if i < len(given) else set() for i in range(step.size)]

    return traced(steps, move=move)


def trace_joins_all(steps):
    def join(given, step):
        return [set().union(*(one for part in given for one in part))] * step.size

    return traced(steps, join=join)


def trace_constants(steps):
    return traced(steps, constant=lambda step: [{i} for i in range(step.size)])


def trace_first_operand(steps):
    def join(given, step):
        return given[0] * (step.size if len(given[0]) == 1 else 1)

    return traced(steps, join=join)


def trace_without_broadcast(steps):
    def join(given, step):
        return [set().union(*parts) for parts in zip(*given, strict=False)]

    return traced(steps, join=join)


def trace_everything(steps):
    return traced(steps, last=False)


def trace_zero_for_none(steps):
    def move(given, step):
        return [given[k] if k else set() for k in step.source]

    return traced(steps, move=move)


def trace_shared_sets(steps):
    def join(given, step):
        sets = [given[0][i if len(given[0]) > 1 else 0] for i in range(step.size)]
        for part in given[1:]:
            for i in range(step.size):
                sets[i] |= part[i if len(part) > 1 else 0]
        return sets

    return traced(steps, join=join)


# greedy_colors


def greedy(rows, order, around=None):
    colors = [None] * len(rows)
    for j in order:
        seen = around(j) if around else (k for i in rows[j] for k in rows[i])
        taken = {colors[k] for k in seen}
        colors[j] = next(c for c in range(len(rows)) if c not in taken)
    return colors


def only_neighbours(rows, order):
    return greedy(rows, order, lambda j: rows[j])


def natural_order(rows, order):
    return greedy(rows, range(len(rows)))


def in_order_of_coloring(rows, order):
    colors = greedy(rows, order)
    return [colors[j] for j in order]


def all_different(rows, order):
    colors = [0] * len(rows)
    for c, j in enumerate(order):
        colors[j] = c
    return colors


def counted_from_one(rows, order):
    return [c + 1 for c in greedy(rows, order)]


def one_more_than_the_largest(rows, order):
    colors = [None] * len(rows)
    for j in order:
        taken = [colors[k] for i in rows[j] for k in rows[i] if colors[k] is not None]
        colors[j] = max(taken, default=-1) + 1
    return colors


def zeros_to_begin_with(rows, order):
    colors = [0] * len(rows)
    for j in order:
        taken = {colors[k] for i in rows[j] for k in rows[i] if k != j}
        colors[j] = next(c for c in range(len(rows) + 1) if c not in taken)
    return colors


def zero_is_no_color(rows, order):
    colors = [None] * len(rows)
    for j in order:
        taken = {colors[k] for i in rows[j] for k in rows[i] if colors[k]}
        colors[j] = next(c for c in range(len(rows)) if c not in taken)
    return colors


# where_to_read


def entries(rows):
    return [(i, j) for i, row in enumerate(rows) for j in sorted(row)]


def own_row_always(rows, colors):
    return [(i, colors[j]) for i, j in entries(rows)]


def mirror_always(rows, colors):
    return [(j, colors[i]) for i, j in entries(rows)]


def _planned(rows, colors, mirror, inside=None, backwards=False):
    pairs, everywhere = [], Counter(colors)
    for i, row in enumerate(rows):
        counts = everywhere if inside == "all" else Counter(colors[k] for k in row)
        for j in sorted(row, reverse=backwards):
            pairs.append((i, colors[j]) if counts[colors[j]] == 1 else mirror(i, j))
    return pairs


def mirror_in_own_color(rows, colors):
    return _planned(rows, colors, lambda i, j: (j, colors[j]))


def counted_everywhere(rows, colors):
    return _planned(rows, colors, lambda i, j: (j, colors[i]), "all")


def unsorted_columns(rows, colors):
    return _planned(rows, colors, lambda i, j: (j, colors[i]), backwards=True)


def in_the_order_of_the_set(rows, colors):
    plan = _planned(rows, colors, lambda i, j: (j, colors[i]))
    pair_of = dict(zip(entries(rows), plan, strict=True))
    return [pair_of[i, j] for i, row in enumerate(rows) for j in row]


def row_of_the_column(rows, colors):
    return [(j, colors[j]) for i, j in entries(rows)]


def counted_in_the_other_row(rows, colors):
    counts = [Counter(colors[k] for k in row) for row in rows]
    return [
        (i, colors[j]) if counts[j][colors[i]] == 1 else (j, colors[i]) for i, j in entries(rows)
    ]


# is_star


def _near(rows):
    return [row - {i} for i, row in enumerate(rows)]


def neighbours_differ(rows, colors):
    return all(colors[i] != colors[j] for i, row in enumerate(_near(rows)) for j in row)


def is_distance2(rows, colors):
    return all(len({colors[j] for j in row}) == len(row) for row in rows)


def _bad_path(rows, colors, allowed=lambda *path: True):
    near = _near(rows)
    paths = (
        (k, i, j, m)
        for i, row in enumerate(near)
        for j in row
        for k in near[i] - {j}
        for m in near[j] - {i, k}
    )
    return any(len({colors[v] for v in path}) == 2 and allowed(*path) for path in paths)


def paths_alone(rows, colors):
    return not any(
        colors[k] == colors[j] and colors[m] == colors[i]
        for i, row in enumerate(_near(rows))
        for j in row
        for k in row - {j}
        for m in _near(rows)[j] - {i, k}
        if colors[i] != colors[j]
    )


def ascending_paths(rows, colors):
    def ascending(*path):
        return list(path) == sorted(path)

    return neighbours_differ(rows, colors) and not _bad_path(rows, colors, ascending)


def paths_with_larger_ends(rows, colors):
    def larger_ends(k, i, j, m):
        return k > i and m > j

    return neighbours_differ(rows, colors) and not _bad_path(rows, colors, larger_ends)


def paths_with_ascending_ends_and_middle(rows, colors):
    def ascending(k, i, j, m):
        return i < j and k < m

    return neighbours_differ(rows, colors) and not _bad_path(rows, colors, ascending)


# hubs_apart


def _apart(rows, hubs, greedy, away=True, shift=None, number=None):
    gone = set(hubs) if away else set()
    rest = [set() if i in gone else row - gone for i, row in enumerate(rows)]
    shift = len(hubs) if shift is None else shift
    colors = [shift + c for c in greedy(rest, list(range(len(rows))))]
    for c, hub in enumerate(hubs):
        colors[hub] = number(c, colors) if number else c
    return colors


def hubs_still_there(rows, hubs, greedy):
    return _apart(rows, hubs, greedy, away=False)


def hubs_share_colors(rows, hubs, greedy):
    return _apart(rows, hubs, greedy, shift=0)


def hubs_in_one_color(rows, hubs, greedy):
    return _apart(rows, hubs, greedy, shift=min(1, len(hubs)), number=lambda c, colors: 0)


def hubs_last(rows, hubs, greedy):
    most = max(_apart(rows, hubs, greedy, shift=0)) + 1
    return _apart(rows, hubs, greedy, shift=0, number=lambda c, colors: most + c)


def hubs_merely_first(rows, hubs, greedy):
    rest = [i for i in range(len(rows)) if i not in set(hubs)]
    return greedy(rows, [*hubs, *rest])


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


# pays_from


def pays_at_equality(preparation, each, other):
    return None if other <= each else max(1, math.ceil(preparation / (other - each)))


def pays_without_each(preparation, each, other):
    return int(preparation // other) + 1


def pays_in_fractions(preparation, each, other):
    return None if other <= each else preparation / (other - each)


def pays_always(preparation, each, other):
    return int(preparation // ((other - each) or 1)) + 1


# newton


def minimised(
    f, gradient, hessian, solve, x, goal, step=None, search=True, most=60, enough=1e-4, size=None
):
    """Minimise with another step, search or goal; give up after some steps."""
    lengths, size = [], size or (lambda g: np.abs(g).max())
    while size(g := gradient(x)) > goal and len(lengths) < most:
        s = step(hessian(x), g) if step else -solve(hessian(x), g)
        if g @ s >= 0 and not step:
            s = -g
        t = 1.0
        while search and f(x + t * s) > f(x) + enough * t * (g @ s):
            t /= 2
            if t < 1e-9:
                return x, lengths
        x = x + t * s
        lengths.append(t)
    return x, lengths


def newton_without_search(*arguments):
    with np.errstate(all="ignore"):
        return minimised(*arguments, search=False)


def newton_uphill(*arguments):
    return minimised(*arguments, step=lambda h, g: -spsolve(h, g))


def newton_by_descent(*arguments):
    return minimised(*arguments, step=lambda h, g: -g, most=2000)


def newton_backwards(*arguments):
    return minimised(*arguments, step=lambda h, g: spsolve(h, g))


def newton_one_step(*arguments):
    return minimised(*arguments, most=1)


def newton_without_lengths(*arguments):
    return minimised(*arguments)[0]


def newton_by_the_norm(*arguments):
    return minimised(*arguments, size=np.linalg.norm)


def newton_with_any_fall(*arguments):
    return minimised(*arguments, enough=0.0, most=10**9)


def newton_steps_anyway(f, gradient, hessian, solve, x, goal):
    lengths = []
    while np.abs(g := gradient(x)).max() > goal:
        s = -solve(hessian(x), g)
        s = -g if g @ s >= 0 else s
        t = 1.0
        while t >= 1e-9 and f(x + t * s) > f(x) + 1e-4 * t * (g @ s):
            t /= 2
        x = x + t * s
        lengths.append(t)
    return x, lengths
