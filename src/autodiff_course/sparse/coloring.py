"""Which columns of a Hessian can share one Hessian-vector product.

A product with the sum of several unit vectors gives the sum of several columns. Columns that get
one colour are summed; a colouring is good if every entry can still be told from the few sums.

Seen as a graph (a vertex for each variable, an edge for each entry off the diagonal):

distance-2
    any two columns with an entry in the same row get different colours (Curtis, Powell and Reid);
star
    neighbours differ, and every path over four vertices has at least three colours: what two
    colours span are stars. Uses symmetry, for an entry may be read from its row or its column;
acyclic
    neighbours differ, and every cycle has at least three colours: what two colours span are trees.
    Needs the fewest colours, but an entry is found by subtracting others, which adds up roundings.

The fewest colours are hard to find; each method goes through the vertices once and gives each the
first colour that is left. The order in which it does so matters, so several are tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import scipy.sparse as sp

from .pattern import as_pattern

__all__ = ["Coloring", "color", "verify_coloring"]

METHODS = ("best", "star", "distance2", "acyclic")
ORDERS = ("natural", "largest_first", "smallest_last")
MANY_ENTRIES = 2_000_000


@dataclass(frozen=True)
class Coloring:
    """A colouring of the columns of a symmetric pattern.

    Attributes
    ----------
    colors : ndarray of int32, shape (n,)
        The colour of each column, from 0; -1 for a column without entries, which needs none.
    count : int
        How many colours there are: so many Hessian-vector products are needed.
    method : str
        "star", "distance2" or "acyclic".
    order : str
        The order of the vertices that gave it: "natural", "largest_first" or "smallest_last".
    """

    colors: np.ndarray
    count: int
    method: str
    order: str


def compiled(function):
    """Compile a function at its first call, and keep the result on disk where that is possible."""
    try:
        return numba.njit(cache=True)(function)
    except RuntimeError:  # no folder to write to: compile anew in each process
        return numba.njit(function)


def color(pattern: Any, method: str = "best", *, orders: Sequence[str] | None = None) -> Coloring:
    """Colour the columns of a Hessian so that few products give all its entries.

    Parameters
    ----------
    pattern : sparse or dense matrix, shape (n, n)
        The entries that can be non-zero; see `as_pattern` for what is accepted.
    method : {"best", "star", "distance2", "acyclic"}
        "best" takes the better one of star and distance-2 colourings, from both of which the
        entries are read off. Neither is always better: a grid with nine points in its stencil
        needs 9 colours at distance 2 and 12 or so as stars, a matrix with one full row and column
        n and 2. "acyclic" must be asked for, since it loses accuracy.
    orders : sequence of str, optional
        The orders of the vertices to try, among "natural", "largest_first" and "smallest_last". By
        default all, or only the natural one if there are more than two million entries.

    Returns
    -------
    Coloring

    Raises
    ------
    ValueError
        If the method or an order is unknown, or the pattern not square and symmetric.

    Notes
    -----
    Star and acyclic colourings take time in proportion to entries times colours, a distance-2
    colouring to the sum of the squared row lengths.

    References
    ----------
    A. R. Curtis, M. J. D. Powell, J. K. Reid: On the estimation of sparse Jacobian matrices (1974).
    Thomas F. Coleman, Jorge J. Moré: Estimation of sparse Hessian matrices and graph coloring
    problems (1984).
    Assefaw H. Gebremedhin, Fredrik Manne, Alex Pothen: What color is your Jacobian? (2005).
    Assefaw H. Gebremedhin, Arijit Tarafdar, Alex Pothen, Andrea Walther: Efficient computation of
    sparse Hessians using coloring and automatic differentiation (2009).

    Examples
    --------
    One full row and column and a diagonal: two products, for any n.

    >>> import numpy as np
    >>> from autodiff_course.sparse import color
    >>> arrow = np.eye(6, dtype=bool)
    >>> arrow[0] = arrow[:, 0] = True
    >>> coloring = color(arrow)
    >>> coloring.colors, coloring.count, coloring.method
    (array([0, 1, 1, 1, 1, 1], dtype=int32), 2, 'star')
    >>> color(arrow, "distance2").count
    6
    """
    if method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {method!r}")
    for order in orders or ():
        if order not in ORDERS:
            raise ValueError(f"orders: expected some of {', '.join(ORDERS)}, got {order!r}")
    return color_canonical(as_pattern(pattern), method, orders)


def color_canonical(
    pattern: sp.csr_array, method: str, orders: Sequence[str] | None = None
) -> Coloring:
    """Colour a pattern that `as_pattern` returned."""
    indptr, indices = pattern.indptr, pattern.indices
    if not len(indices):
        kind = "star" if method == "best" else method
        return Coloring(np.full(pattern.shape[0], -1, np.int32), 0, kind, "natural")
    orders = orders or (ORDERS if len(indices) <= MANY_ENTRIES else ORDERS[:1])
    # Columns with an entry in one row all differ at distance 2, so the longest row is a bound.
    longest = int(np.diff(indptr).max())
    bounds = {"star": int(_least(indptr, indices)), "acyclic": 2, "distance2": longest}
    greedy = {"star": _star, "acyclic": _acyclic, "distance2": _distance2}
    best = None
    for order in orders:
        vertices = _order(order, indptr, indices)
        for kind in ("star", "distance2") if method == "best" else (method,):
            if best is None or best.count > bounds[kind]:
                colors, count = greedy[kind](indptr, indices, vertices)
                if best is None or count < best.count:
                    best = Coloring(colors, int(count), kind, order)
    return best


def _order(name: str, indptr, indices) -> np.ndarray:
    degrees = np.diff(indptr)
    if name == "natural":
        return np.arange(len(degrees), dtype=np.int64)
    if name == "largest_first":
        return np.argsort(-degrees, kind="stable")
    return _smallest_last(indptr, indices)


@compiled
def _least(indptr, indices):
    """Return how many colours a star colouring needs at least: 1, 2 if all is stars, else 3."""
    n = len(indptr) - 1
    degree = np.zeros(n, np.int64)
    for v in range(n):
        for e in range(indptr[v], indptr[v + 1]):
            degree[v] += indices[e] != v
    least = 1
    for v in range(n):
        for e in range(indptr[v], indptr[v + 1]):
            w = indices[e]
            if w != v:
                least = max(least, 2)
                # Two neighbours with further neighbours: a path over four vertices, or a triangle.
                if degree[v] > 1 and degree[w] > 1:
                    return 3
    return least


@compiled
def _smallest_last(indptr, indices):
    """Order the vertices so that each has the fewest neighbours among those before it."""
    n = len(indptr) - 1
    degree = np.empty(n, np.int64)
    for v in range(n):
        degree[v] = indptr[v + 1] - indptr[v]
    # Vertices sorted by degree, with the start of each degree's section: moving a vertex down by
    # one degree is one exchange.
    starts = np.zeros(degree.max() + 2, np.int64)
    for v in range(n):
        starts[degree[v] + 1] += 1
    for d in range(1, len(starts)):
        starts[d] += starts[d - 1]
    begin = starts.copy()
    place = np.empty(n, np.int64)
    line = np.empty(n, np.int64)
    for v in range(n):
        place[v] = starts[degree[v]]
        line[place[v]] = v
        starts[degree[v]] += 1
    for first in range(n):
        v = line[first]
        for e in range(indptr[v], indptr[v + 1]):
            w = indices[e]
            d = degree[w]
            if place[w] <= first or d <= degree[v]:
                continue
            head = max(begin[d], first + 1)
            other = line[head]
            line[head], line[place[w]] = w, other
            place[other], place[w] = place[w], head
            begin[d] = head + 1
            degree[w] = d - 1
            if begin[d - 1] > head:
                begin[d - 1] = head
    return line[::-1].copy()


@compiled
def _distance2(indptr, indices, vertices):
    n = len(indptr) - 1
    colors = np.full(n, -1, np.int32)
    taken = np.full(n + 1, -1, np.int64)  # by colour: the last vertex that could not have it
    count = 0
    for v in vertices:
        if indptr[v] == indptr[v + 1]:
            continue
        for e in range(indptr[v], indptr[v + 1]):
            w = indices[e]  # a row in which column v has an entry
            for g in range(indptr[w], indptr[w + 1]):
                c = colors[indices[g]]
                if c >= 0:
                    taken[c] = v
        c = 0
        while taken[c] == v:
            c += 1
        colors[v] = c
        count = max(count, c + 1)
    return colors, count


# Star and acyclic colourings look at a vertex w through the colours around it. One slot stands for
# (w, colour k): all the neighbours of w that have colour k, and with them w's edges to them. A
# vertex needs at most as many slots as it has neighbours, so the slots of w lie where its row does.


@compiled
def _find_slot(slot_color, first, used, c):
    for s in range(first, first + used):
        if slot_color[s] == c:
            return s
    return -1


@compiled
def _star(indptr, indices, vertices):
    """Colour greedily; each pair of colours spans stars, of which the slots know the hubs."""
    n = len(indptr) - 1
    colors = np.full(n, -1, np.int32)
    taken = np.full(n + 1, -1, np.int64)
    slot_color = np.empty(len(indices), np.int32)
    slot_star = np.empty(len(indices), np.int64)
    used = np.zeros(n, np.int64)
    hub = np.empty(len(indices), np.int64)  # of a star; -1 while it has one edge only
    stars = 0
    seen = np.full(n + 1, -1, np.int64)  # by colour: v if it occurs around v ...
    witness = np.empty(n + 1, np.int64)  # ... the first neighbour of v that has it ...
    twice = np.full(n + 1, -1, np.int64)  # ... and v again if another one has it too
    count = 0
    for v in vertices:
        begin, end = indptr[v], indptr[v + 1]
        if begin == end:
            continue
        for e in range(begin, end):
            c = colors[indices[e]]
            if c < 0 or indices[e] == v:
                continue
            if seen[c] == v:
                twice[c] = v
            seen[c], witness[c] = v, indices[e]
            taken[c] = v
        for e in range(begin, end):
            w = indices[e]
            c = colors[w]
            if c < 0 or w == v:
                continue
            for s in range(indptr[w], indptr[w] + used[w]):
                # If v took this colour k, then v-w would join w's edges to neighbours of colour k.
                # Two neighbours of colour c make v a hub, and w can have no such edge; one leaves
                # w a hub, unless the star already has another.
                if twice[c] == v:
                    taken[slot_color[s]] = v
                else:
                    h = hub[slot_star[s]]
                    if h >= 0 and h != w:
                        taken[slot_color[s]] = v
        k = 0
        while taken[k] == v:
            k += 1
        colors[v] = k
        count = max(count, k + 1)
        for e in range(begin, end):
            w = indices[e]
            c = colors[w]
            if c < 0 or w == v:
                continue
            mine = _find_slot(slot_color, begin, used[v], c)
            theirs = _find_slot(slot_color, indptr[w], used[w], k)
            if mine >= 0:  # v is the hub of a star in which w is one more leaf
                star = slot_star[mine]
                hub[star] = v
            elif theirs >= 0:  # v is one more leaf of w's star
                star = slot_star[theirs]
                hub[star] = w
            else:
                star = stars
                stars += 1
                hub[star] = -1
            if mine < 0:
                slot_color[begin + used[v]] = c
                slot_star[begin + used[v]] = star
                used[v] += 1
            if theirs < 0:
                slot_color[indptr[w] + used[w]] = k
                slot_star[indptr[w] + used[w]] = star
                used[w] += 1
    return colors, count


@compiled
def _root(parent, t):
    while parent[t] != t:
        parent[t] = parent[parent[t]]
        t = parent[t]
    return t


@compiled
def _acyclic(indptr, indices, vertices):
    """Colour greedily; each pair of colours spans trees, which the slots belong to."""
    n = len(indptr) - 1
    colors = np.full(n, -1, np.int32)
    taken = np.full(n + 1, -1, np.int64)
    slot_color = np.empty(len(indices), np.int32)
    slot_tree = np.empty(len(indices), np.int64)
    used = np.zeros(n, np.int64)
    parent = np.empty(len(indices) + 1, np.int64)
    reached = np.full(len(indices) + 1, -1, np.int64)  # by tree: the last vertex v next to it ...
    trees = 0
    count = 0
    for v in vertices:
        begin, end = indptr[v], indptr[v + 1]
        if begin == end:
            continue
        for e in range(begin, end):
            c = colors[indices[e]]
            if c >= 0 and indices[e] != v:
                taken[c] = v
        for e in range(begin, end):
            w = indices[e]
            if colors[w] < 0 or w == v:
                continue
            for s in range(indptr[w], indptr[w] + used[w]):
                tree = _root(parent, slot_tree[s])
                if reached[tree] == v:  # ... two edges from v into one tree close a cycle
                    taken[slot_color[s]] = v
                reached[tree] = v
        k = 0
        while taken[k] == v:
            k += 1
        colors[v] = k
        count = max(count, k + 1)
        for e in range(begin, end):
            w = indices[e]
            c = colors[w]
            if c < 0 or w == v:
                continue
            mine = _find_slot(slot_color, begin, used[v], c)
            theirs = _find_slot(slot_color, indptr[w], used[w], k)
            if mine >= 0 and theirs >= 0:
                tree = _root(parent, slot_tree[mine])
                parent[_root(parent, slot_tree[theirs])] = tree
            elif mine >= 0:
                tree = slot_tree[mine]
            elif theirs >= 0:
                tree = slot_tree[theirs]
            else:
                tree = trees
                parent[tree] = tree
                trees += 1
            if mine < 0:
                slot_color[begin + used[v]] = c
                slot_tree[begin + used[v]] = tree
                used[v] += 1
            if theirs < 0:
                slot_color[indptr[w] + used[w]] = k
                slot_tree[indptr[w] + used[w]] = tree
                used[w] += 1
    return colors, count


# --- Reading entries off the products -------------------------------------------------------------


@compiled
def direct_sources(indptr, indices, colors, count, sources):
    """Find for each entry (i, j) a place c * n + i of the compressed matrix that equals it.

    Place (c, i) holds the sum of row i over the columns of colour c. It equals entry (i, j) if j is
    the only such column; else the mirrored entry (j, i) must be alone. Entries (i, j) and (j, i)
    get the same place, so that the result is symmetric to the last bit. Returns the first entry
    that neither tells, or -1.
    """
    n = len(indptr) - 1
    seen = np.full(count, -1, np.int64)
    crowded = np.full(count, -1, np.int64)
    for i in range(n):
        for e in range(indptr[i], indptr[i + 1]):
            c = colors[indices[e]]
            if c < 0:
                return e
            if seen[c] == i:
                crowded[c] = i
            seen[c] = i
        for e in range(indptr[i], indptr[i + 1]):
            c = colors[indices[e]]
            sources[e] = -1 if crowded[c] == i else c * n + i
    # cursor[j] walks along row j: the rows i come in order, so its entries are met in order too.
    cursor = indptr[:-1].copy()
    for i in range(n):
        for e in range(indptr[i], indptr[i + 1]):
            j = indices[e]
            mirrored = cursor[j]
            cursor[j] += 1
            if j < i:
                continue
            if sources[e] < 0:
                sources[e] = sources[mirrored]
                if sources[e] < 0:
                    return e
            sources[mirrored] = sources[e]
    return -1


@compiled
def substitution_order(indptr, indices, colors, count, steps):
    """Order the entries so that each is what is left of a sum after subtracting earlier ones.

    Writes a row (entry, mirrored entry, place read, place reduced) for each entry of the upper
    triangle; an entry on the diagonal is read alone. Returns how many were ordered.
    """
    n = len(indptr) - 1
    m = len(indices)
    mirrored = np.empty(m, np.int64)
    slot = np.empty(m, np.int64)  # of entry (i, j): that of vertex i and the colour of j
    left = np.zeros(m, np.int64)  # entries of a slot not yet known ...
    mixed = np.zeros(m, np.int64)  # ... and their numbers, combined by exclusive or
    cursor = indptr[:-1].copy()
    where = np.full(count, -1, np.int64)
    owner = np.full(count, -1, np.int64)
    for i in range(n):
        for e in range(indptr[i], indptr[i + 1]):
            j = indices[e]
            mirrored[e] = cursor[j]
            cursor[j] += 1
            c = colors[j]
            if c < 0:
                return 0
            if owner[c] != i:
                owner[c], where[c] = i, e
            slot[e] = where[c]
            left[where[c]] += 1
            mixed[where[c]] ^= e
    queue = np.empty(m, np.int64)
    head = tail = 0
    for s in range(m):
        if left[s] == 1:
            queue[tail] = s
            tail += 1
    row = np.empty(m, np.int64)
    for i in range(n):
        row[indptr[i] : indptr[i + 1]] = i
    done = 0
    while head < tail:
        s = queue[head]
        head += 1
        if left[s] != 1:
            continue  # found from its other end
        e = mixed[s]
        i, j = row[e], indices[e]
        left[s] = 0
        other = slot[mirrored[e]]
        steps[done, 0], steps[done, 1] = e, mirrored[e]
        steps[done, 2] = colors[j] * n + i
        steps[done, 3] = -1 if i == j else colors[i] * n + j
        done += 1
        if i != j:
            left[other] -= 1
            mixed[other] ^= mirrored[e]
            if left[other] == 1:
                queue[tail] = other
                tail += 1
    return done


@compiled
def substitute(compressed, steps, data):
    """Compute the entries in the order found; uses up the compressed matrix."""
    for s in range(len(steps)):
        value = compressed[steps[s, 2]]
        data[steps[s, 0]] = value
        data[steps[s, 1]] = value
        if steps[s, 3] >= 0:
            compressed[steps[s, 3]] -= value


def verify_coloring(pattern: Any, colors: Any, method: str = "star") -> None:
    """Check that a colouring lets every entry of a symmetric matrix be recovered.

    Parameters
    ----------
    pattern : sparse or dense matrix, shape (n, n)
    colors : array of int, shape (n,)
        As in `Coloring`.
    method : {"star", "distance2", "acyclic"}
        How the entries are to be recovered. Under "star" each must be alone in its row or in its
        column among the entries of its colour: what a star colouring ensures, and a distance-2
        colouring more than ensures. Under "distance2" it must be alone in its row.

    Raises
    ------
    ValueError
        If the colours are not n integers, or an entry cannot be recovered; the message names one.

    Notes
    -----
    It does not look at paths or cycles as the colouring does, but at whether recovery succeeds.
    Costs a few passes over the entries.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff_course.sparse import verify_coloring
    >>> chain = np.eye(4, dtype=bool) | np.eye(4, k=1, dtype=bool) | np.eye(4, k=-1, dtype=bool)
    >>> verify_coloring(chain, [0, 1, 2, 0])
    >>> verify_coloring(chain, [0, 1, 0, 1])
    Traceback (most recent call last):
    ...
    ValueError: colors: entry (1, 2) cannot be recovered: row 1 and row 2 each have another \
entry of the same colour
    """
    matrix = as_pattern(pattern)
    colors = _checked_colors(colors, matrix.shape[0])
    count = int(colors.max(initial=-1)) + 1
    if method == "acyclic":
        steps = np.empty(((matrix.nnz + _diagonal_entries(matrix)) // 2, 4), np.int64)
        done = substitution_order(matrix.indptr, matrix.indices, colors, count, steps)
        if done < len(steps):
            raise ValueError("colors: entries around a cycle of two colours cannot be recovered")
        return
    if method not in ("star", "distance2"):
        raise ValueError(f"method: expected star, distance2 or acyclic, got {method!r}")
    if method == "distance2":
        rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        places = rows * max(count, 1) + colors[matrix.indices]
        bad = colors[matrix.indices] < 0
        bad |= np.bincount(np.where(bad, 0, places), minlength=1)[np.where(bad, 0, places)] > 1
        if bad.any():
            i, j = rows[bad][0], matrix.indices[bad][0]
            raise ValueError(f"colors: entry ({i}, {j}) is not alone of its colour in row {i}")
        return
    sources = np.empty(matrix.nnz, np.int64)
    failed = direct_sources(matrix.indptr, matrix.indices, colors, max(count, 1), sources)
    if failed >= 0:
        raise ValueError(_unrecoverable(matrix, colors, failed))


def _unrecoverable(matrix: sp.csr_array, colors: np.ndarray, entry: int) -> str:
    i = int(np.searchsorted(matrix.indptr, entry, side="right")) - 1
    j = int(matrix.indices[entry])
    if colors[j] < 0:
        return f"colors: column {j} has an entry in row {i}, but no colour"
    return (
        f"colors: entry ({i}, {j}) cannot be recovered: row {i} and row {j} each have another "
        "entry of the same colour"
    )


def _checked_colors(colors: Any, n: int) -> np.ndarray:
    array = np.asarray(colors)
    if array.shape != (n,) or array.dtype.kind not in "iu":
        raise ValueError(f"colors: expected {n} integers, got {array.dtype} of {array.shape}")
    return array.astype(np.int32)


def _diagonal_entries(matrix: sp.csr_array) -> int:
    return int(np.count_nonzero(matrix.diagonal()))
