"""Typical wrong answers to the exercises of notebook 08 about patterns and colours.

What is said of each stands in `_checks08`.
"""

from collections import Counter

# trace


def traced(steps, move=None, join=None, constant=None, joined=None, last=True):
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
            sets = joined(given[0]) if joined else [set().union(*given[0])]
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


def trace_intersections(steps):
    def join(given, step):
        parts = [part * (step.size if len(part) == 1 else 1) for part in given]
        return [set.intersection(*map(set, meeting)) for meeting in zip(*parts, strict=True)]

    return traced(steps, join=join)


def trace_moved_the_other_way(steps):
    def move(given, step):
        sets = [set() for _ in range(step.size)]
        for i, k in enumerate(step.source):
            if k is not None and i < len(given) and k < step.size:
                sets[k] = given[i]
        return sets

    return traced(steps, move=move)


def trace_sums_not_joined(steps):
    return traced(steps, joined=lambda given: given[:1])


def trace_beyond_one_element(steps):
    def join(given, step):
        return [set().union(*(part[i] for part in given)) for i in range(step.size)]

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


def own_row_left_out(rows, order):
    colors = [None] * len(rows)
    for j in order:
        taken = {colors[k] for i in rows[j] if i != j for k in rows[i]}
        colors[j] = next(c for c in range(len(rows)) if c not in taken)
    return colors


def by_distance(rows, order):
    near = [row - {i} for i, row in enumerate(rows)]
    return greedy(rows, order, lambda j: near[j].union(*(near[i] for i in near[j])) - {j})


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


def columns_for_colors(rows, colors):
    counts = [Counter(colors[k] for k in row) for row in rows]
    return [(i, j) if counts[i][colors[j]] == 1 else (j, i) for i, j in entries(rows)]


def mirror_first(rows, colors):
    counts = [Counter(colors[k] for k in row) for row in rows]
    return [
        (j, colors[i]) if counts[j][colors[i]] == 1 else (i, colors[j]) for i, j in entries(rows)
    ]


def mirror_by_column(rows, colors):
    return _planned(rows, colors, lambda i, j: (j, i))


def first_of_each_color(rows, colors):
    pairs = []
    for i, row in enumerate(rows):
        seen = set()
        for j in sorted(row):
            pairs.append((j, colors[i]) if colors[j] in seen else (i, colors[j]))
            seen.add(colors[j])
    return pairs


# is_star


def _near(rows):
    return [row - {i} for i, row in enumerate(rows)]


def neighbours_differ(rows, colors):
    return all(colors[i] != colors[j] for i, row in enumerate(_near(rows)) for j in row)


def is_distance2(rows, colors):
    return all(len({colors[j] for j in row}) == len(row) for row in rows)


def _paths(rows):
    near = _near(rows)
    return (
        (k, i, j, m)
        for i, row in enumerate(near)
        for j in row
        for k in near[i] - {j}
        for m in near[j] - {i, k}
    )


def _bad_path(rows, colors, allowed=lambda *path: True):
    return any(len({colors[v] for v in path}) == 2 and allowed(*path) for path in _paths(rows))


def paths_alone(rows, colors):
    return not any(
        colors[k] == colors[j] and colors[m] == colors[i]
        for i, row in enumerate(_near(rows))
        for j in row
        for k in row - {j}
        for m in _near(rows)[j] - {i, k}
        if colors[i] != colors[j]
    )


def paths_in_two_colors_at_most(rows, colors):
    return not any(len({colors[v] for v in path}) < 3 for path in _paths(rows))


def paths_without_cycles(rows, colors):
    def open_ends(k, i, j, m):
        return k not in rows[m]

    return neighbours_differ(rows, colors) and not _bad_path(rows, colors, open_ends)


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


def not_even_itself(rows, colors):
    return all(colors[i] != colors[j] for i, row in enumerate(rows) for j in row)


def three_colors_in_all(rows, colors):
    return neighbours_differ(rows, colors) and (len(set(colors)) > 2 or len(rows) < 4)


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


def hubs_with_full_rows(rows, hubs, greedy):
    rest = [row - set(hubs) for row in rows]
    return _renumbered(rest, hubs, greedy)


def hubs_in_the_rows_of_others(rows, hubs, greedy):
    rest = [set() if i in hubs else row for i, row in enumerate(rows)]
    return _renumbered(rest, hubs, greedy)


def hubs_sorted(rows, hubs, greedy):
    return _apart(rows, sorted(hubs), greedy)


def hubs_by_vertex(rows, hubs, greedy):
    return _apart(rows, hubs, greedy, number=lambda c, colors: hubs[c])


def _renumbered(rest, hubs, greedy):
    colors = [len(hubs) + c for c in greedy(rest, list(range(len(rest))))]
    for c, hub in enumerate(hubs):
        colors[hub] = c
    return colors
