"""Colourings from which each entry is read directly, from its row or from its column.

Everything rests on one question: may column v have colour c, as the other columns are coloured?
With "entry (i, j) is alone" for "j is the only column of its colour with an entry in row i":

* an entry (v, v) must be alone;
* for each other entry (i, v), it or its mirror image (v, i) must be alone;
* an entry (i, k) with k of colour c, which was alone until v came, must have a mirror image (k, i)
  that is alone.

If the diagonal is full, these are the star colourings. Where diagonal entries are missing, they
allow more: two neighbours may have one colour.

The counts behind the answer are kept in slots. One slot stands for (row i, colour c) and knows how
many entries of row i have colour c, and the exclusive or of their numbers: if there is one entry
only, that is its number. A row needs at most as many slots as it has entries, so the slots of a row
lie where its entries lie. Entries can be taken out again, so that columns can change their colours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .compiled import compiled

__all__ = ["Graph", "drop_colors", "greedy_star", "graph_of", "move_columns"]

UNCOLORED = -2
NEUTRAL = -1


class Graph(NamedTuple):
    """A symmetric pattern, and where the mirror image of each entry stands."""

    indptr: np.ndarray
    indices: np.ndarray
    mirrored: np.ndarray


class Slots(NamedTuple):
    """How often each colour occurs in each row."""

    color: np.ndarray
    count: np.ndarray
    entries: np.ndarray  # exclusive or of the numbers of the entries
    of_entry: np.ndarray  # the slot in which an entry is counted
    used: np.ndarray  # how many slots of a row have been in use


def graph_of(indptr: np.ndarray, indices: np.ndarray) -> Graph:
    """Return a graph for the functions of this module; the pattern must be canonical CSR."""
    if len(indices) < 2**31:
        indptr, indices = indptr.astype(np.int32, copy=False), indices.astype(np.int32, copy=False)
    return Graph(indptr, indices, _mirror(indptr, indices))


@compiled
def _mirror(indptr, indices):
    # cursor[j] walks along row j: the rows i come in order, so its entries are met in order too.
    cursor = indptr[:-1].copy()
    mirrored = np.empty(len(indices), indptr.dtype)
    for e in range(len(indices)):
        j = indices[e]
        mirrored[e] = cursor[j]
        cursor[j] += 1
    return mirrored


@compiled
def _no_slots(graph):
    m, n = len(graph.indices), len(graph.indptr) - 1
    integer = graph.mirrored.dtype
    return Slots(
        np.empty(m, np.int32),
        np.zeros(m, np.int32),
        np.zeros(m, integer),
        np.empty(m, integer),
        np.zeros(n, np.int32),
    )


@compiled
def _put(v, c, graph, slots):
    """Count the entries of column v under colour c."""
    for e in range(graph.indptr[v], graph.indptr[v + 1]):
        i, entry = graph.indices[e], graph.mirrored[e]
        first = graph.indptr[i]
        found = free = -1
        for s in range(first, first + slots.used[i]):
            if slots.color[s] == c:
                found = s
                break
            if slots.count[s] == 0:
                free = s
        if found < 0:
            found = free
            if free < 0:
                found = first + slots.used[i]
                slots.used[i] += 1
            slots.color[found] = c
        slots.count[found] += 1
        slots.entries[found] ^= entry
        slots.of_entry[entry] = found


@compiled
def _take(v, graph, slots):
    """Undo `_put`."""
    for e in range(graph.indptr[v], graph.indptr[v + 1]):
        entry = graph.mirrored[e]
        s = slots.of_entry[entry]
        slots.count[s] -= 1
        slots.entries[s] ^= entry


@compiled
def _forbid(v, graph, slots, colors, proper, forbidden, mark):
    """Set forbidden[c] = mark for each colour c that v, which is not counted, may not have."""
    for e in range(graph.indptr[v], graph.indptr[v + 1]):
        i = graph.indices[e]
        its = colors[i]
        if its == UNCOLORED and i != v:
            continue  # it can still get a colour that is alone in row v
        if proper and i != v and its >= 0:
            forbidden[its] = mark
        # Can entry (i, v) be read as (v, i)? If not, it must be alone in row i.
        readable = i != v and its >= 0 and slots.count[slots.of_entry[e]] == 1
        for s in range(graph.indptr[i], graph.indptr[i] + slots.used[i]):
            if slots.count[s] == 0:
                continue
            c = slots.color[s]
            if not readable or c == its:
                forbidden[c] = mark
            elif slots.count[s] == 1:
                lonely = slots.entries[s]  # (i, k) will be read as (k, i), if it can
                if slots.count[slots.of_entry[graph.mirrored[lonely]]] != 1:
                    forbidden[c] = mark


@compiled
def greedy_star(graph, order, apart, proper, limit):
    """Give each column the first colour that it may have.

    Parameters
    ----------
    graph : Graph
    order : ndarray of int64, shape (n,)
        Of the vertices.
    apart : int
        So many at the beginning of the order get a colour of their own, which nobody shares.
    proper : bool
        Whether neighbours must differ even where diagonal entries are missing.
    limit : int
        Give up when more colours than this are needed.

    Returns
    -------
    colors : ndarray of int32, shape (n,)
        -1 for a column without entries.
    count : int
        How many colours there are; if more than the limit, not all columns have got one.

    Notes
    -----
    The sets of colours allowed are those of Algorithm 4.1 of Gebremedhin, Tarafdar, Manne and
    Pothen, if the diagonal is full. Costs, for each entry, one step for each colour that occurs in
    its row.

    References
    ----------
    Thomas F. Coleman, Jorge J. Moré: Estimation of sparse Hessian matrices and graph coloring
    problems (1984).
    Assefaw H. Gebremedhin, Arijit Tarafdar, Fredrik Manne, Alex Pothen: New acyclic and star
    coloring algorithms with application to computing Hessians (2007).
    """
    n = len(graph.indptr) - 1
    colors = np.full(n, UNCOLORED, np.int32)
    forbidden = np.full(n + 1, -1, np.int64)
    slots = _no_slots(graph)
    count = 0
    for place in range(n):
        v = order[place]
        if graph.indptr[v] == graph.indptr[v + 1]:
            colors[v] = NEUTRAL
            continue
        c = place
        if place >= apart:
            _forbid(v, graph, slots, colors, proper, forbidden, v)
            c = apart
            while forbidden[c] == v:
                c += 1
        colors[v] = c
        count = max(count, c + 1)
        if count > limit:
            break
        _put(v, c, graph, slots)
    return colors, count


@compiled
def move_columns(graph, colors, count, sweeps):
    """Move columns into larger colours, so that small colours become empty.

    Parameters
    ----------
    graph : Graph
    colors : ndarray of int32, shape (n,)
        A colouring from which every entry is read directly: a star or a distance-2 colouring. Is
        changed in place.
    count : int
        How many colours it has.
    sweeps : int
        How often to go through all columns, at most.

    Returns
    -------
    count : int
        How many colours are left; never more than before.

    Notes
    -----
    A sweep costs twice what `greedy_star` does. A local search of this course's own, in the manner
    of iterated greedy colouring (Joseph C. Culberson: Iterated greedy graph coloring and the
    difficulty landscape, 1992).
    """
    n = len(colors)
    slots = _no_slots(graph)
    size = np.zeros(count, np.int64)
    for v in range(n):
        if colors[v] >= 0:
            _put(v, colors[v], graph, slots)
            size[colors[v]] += 1
    forbidden = np.full(count, -1, np.int64)
    mark = 0
    rank = np.empty(count, np.int64)
    for _ in range(sweeps):
        by_size = np.argsort(-size)
        for r in range(count):
            rank[by_size[r]] = r
        moved = False
        for v in range(n):
            old = colors[v]
            if old < 0 or rank[old] == 0:
                continue
            mark += 1
            _take(v, graph, slots)
            colors[v] = UNCOLORED
            _forbid(v, graph, slots, colors, False, forbidden, mark)
            new = old
            for r in range(rank[old]):
                if forbidden[by_size[r]] != mark:
                    new = by_size[r]
                    break
            colors[v] = new
            _put(v, new, graph, slots)
            if new != old:
                size[old] -= 1
                size[new] += 1
                moved = True
        if not moved:
            break
    return _renumber(colors, size)


@compiled
def _renumber(colors, size):
    """Give the colours that are left new numbers, from 0."""
    new = np.full(len(size), NEUTRAL, np.int32)
    count = 0
    for c in range(len(size)):
        if size[c] > 0:
            new[c] = count
            count += 1
    for v in range(len(colors)):
        if colors[v] >= 0:
            colors[v] = new[colors[v]]
    return count


@compiled
def drop_colors(graph, colors, count):
    """Take the colour from all columns of a colour if every entry is read elsewhere.

    Parameters
    ----------
    graph : Graph
    colors : ndarray of int32, shape (n,)
        As for `move_columns`. Columns that lose their colour get -1.
    count : int

    Returns
    -------
    count : int
        How many colours are left.

    Notes
    -----
    An entry (i, v) with v of the colour dropped must be alone as (v, i). Which colours go first
    matters: those with the most columns do. Costs a pass over the entries.

    References
    ----------
    Guillaume Dalle, Alexis Montoison: Revisiting sparse matrix coloring and bicoloring (2025),
    for the idea of neutral colours.
    """
    n = len(colors)
    size = np.zeros(count, np.int64)
    for v in range(n):
        if colors[v] >= 0:
            size[colors[v]] += 1
    needed = np.zeros(count, np.bool_)
    for v in range(n):
        for e in range(graph.indptr[v], graph.indptr[v + 1]):
            if graph.indices[e] == v and colors[v] >= 0:
                needed[colors[v]] = True
    if needed.all():
        return count
    # The columns of each colour, one colour after the other.
    columns = np.argsort(colors)
    first = np.zeros(count + 1, np.int64)
    first[0] = n - size.sum()
    for c in range(count):
        first[c + 1] = first[c] + size[c]
    seen = np.full(count, -1, np.int64)
    for c in np.argsort(-size):
        if needed[c]:
            continue
        for place in range(first[c], first[c + 1]):
            v = columns[place]
            for e in range(graph.indptr[v], graph.indptr[v + 1]):
                its = colors[graph.indices[e]]
                if its < 0 or its == c or seen[its] == v:
                    needed[c] = True
                    break
                seen[its] = v
            if needed[c]:
                break
        if not needed[c]:
            for place in range(first[c], first[c + 1]):
                colors[columns[place]] = NEUTRAL
            size[c] = 0
    return _renumber(colors, size)
