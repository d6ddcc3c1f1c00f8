"""The orders in which a greedy colouring goes through the vertices, and bounds that need one.

A greedy colouring is as good as its order: it gives a vertex the first colour that those before it
have left. None of the orders is best on all graphs.
"""

from __future__ import annotations

import numpy as np

from .compiled import compiled

__all__ = ["ORDERS", "lower_bound", "vertex_order"]

#: The names of the orders in which columns may be given their colours.
ORDERS = (
    "natural",
    "largest_first",
    "smallest_last",
    "incidence_degree",
    "reverse",
    "random",
)
MANY_ENTRIES = 2_000_000


def vertex_order(name: str, indptr: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return the vertices of a graph in one of the orders of `ORDERS`.

    Parameters
    ----------
    name : str
        "natural": 0, 1, 2, ...; "reverse": the other way round; "random": a permutation that is
        the same in each call. "largest_first": by falling degree (the number of neighbours).
        "smallest_last": the last vertex has the fewest neighbours, the one before it the fewest
        among the rest, and so on. "incidence_degree": each vertex has the most neighbours among
        those before it.
    indptr, indices : ndarray of int, shapes (n + 1,) and (entries,)
        The symmetric pattern in CSR form. Entries on the diagonal do not count.

    Returns
    -------
    ndarray of int64, shape (n,)

    Notes
    -----
    Costs a pass over the entries, or, for "largest_first", a sort of the vertices.

    References
    ----------
    Thomas F. Coleman, Jorge J. Moré: Estimation of sparse Hessian matrices and graph coloring
    problems (1984).
    Assefaw H. Gebremedhin, Fredrik Manne, Alex Pothen: What color is your Jacobian? (2005).

    Examples
    --------
    A path, and a vertex with three neighbours:

    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from autodiff_course.sparse.coloring_orders import vertex_order
    >>> edges = np.array([[0, 1], [1, 2], [2, 3], [2, 4]])
    >>> graph = sp.csr_array((np.ones(4), edges.T), shape=(5, 5))
    >>> graph = sp.csr_array(graph + graph.T)
    >>> vertex_order("largest_first", graph.indptr, graph.indices)
    array([2, 1, 0, 3, 4])
    """
    n = len(indptr) - 1
    if name == "natural":
        return np.arange(n)
    if name == "reverse":
        return np.arange(n)[::-1].copy()
    if name == "random":
        return np.random.default_rng(0).permutation(n)
    degrees = off_diagonal_degrees(indptr, indices)
    if name == "largest_first":
        return np.argsort(-degrees, kind="stable")
    if name == "smallest_last":
        return _smallest_last(indptr, indices, degrees)
    return _incidence_degree(indptr, indices, degrees)


def off_diagonal_degrees(indptr: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return how many neighbours each vertex has, as an ndarray of int64 of shape (n,)."""
    return _degrees(indptr, indices, np.zeros(len(indptr) - 1, np.bool_))


def has_diagonal(indptr: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return which entries (i, i) a pattern has, as an ndarray of bool of shape (n,)."""
    found = np.zeros(len(indptr) - 1, np.bool_)
    _degrees(indptr, indices, found)
    return found


@compiled
def _degrees(indptr, indices, diagonal):
    n = len(indptr) - 1
    degrees = np.empty(n, np.int64)
    for v in range(n):
        degrees[v] = indptr[v + 1] - indptr[v]
        for e in range(indptr[v], indptr[v + 1]):
            if indices[e] == v:
                diagonal[v] = True
                degrees[v] -= 1
                break
    return degrees


# Vertices wait in one doubly linked list for each degree: ahead[v] and behind[v] are its neighbours
# in the list, head[d] the first. To move one by a degree takes a few assignments.


@compiled
def _unlink(v, d, head, ahead, behind):
    if ahead[v] >= 0:
        behind[ahead[v]] = behind[v]
    else:
        head[d] = behind[v]
    if behind[v] >= 0:
        ahead[behind[v]] = ahead[v]


@compiled
def _link(v, d, head, ahead, behind):
    ahead[v], behind[v] = -1, head[d]
    if head[d] >= 0:
        ahead[head[d]] = v
    head[d] = v


@compiled
def _shift(v, by, degree, head, ahead, behind):
    """Move a vertex to the list of another degree."""
    _unlink(v, degree[v], head, ahead, behind)
    degree[v] += by
    _link(v, degree[v], head, ahead, behind)


@compiled
def _smallest_last(indptr, indices, degrees):
    n = len(degrees)
    degree = degrees.copy()
    head = np.full(n + 1, -1, np.int64)
    ahead, behind = np.empty(n, np.int64), np.empty(n, np.int64)
    for v in range(n):
        _link(v, degree[v], head, ahead, behind)
    order = np.empty(n, np.int64)
    least = 0
    for place in range(n - 1, -1, -1):
        while head[least] < 0:
            least += 1
        v = head[least]
        _unlink(v, least, head, ahead, behind)
        order[place] = v
        degree[v] = -1
        for e in range(indptr[v], indptr[v + 1]):
            w = indices[e]
            if degree[w] >= 0:
                _shift(w, -1, degree, head, ahead, behind)
        least = max(least - 1, 0)
    return order


@compiled
def _incidence_degree(indptr, indices, degrees):
    n = len(degrees)
    met = np.zeros(n, np.int64)  # neighbours already in the order; -1 for a vertex in it
    head = np.full(n + 1, -1, np.int64)
    ahead, behind = np.empty(n, np.int64), np.empty(n, np.int64)
    # The last one linked comes first: so among equals one of the largest degree begins.
    for v in np.argsort(degrees):
        _link(v, 0, head, ahead, behind)
    order = np.empty(n, np.int64)
    most = 0
    for place in range(n):
        while head[most] < 0:
            most -= 1
        v = head[most]
        _unlink(v, most, head, ahead, behind)
        order[place] = v
        met[v] = -1
        for e in range(indptr[v], indptr[v + 1]):
            w = indices[e]
            if met[w] >= 0:
                _shift(w, 1, met, head, ahead, behind)
                most = max(most, met[w])
    return order


def lower_bound(indptr: np.ndarray, indices: np.ndarray, method: str = "star") -> int:
    """Return a number of colours that no colouring can stay below.

    Parameters
    ----------
    indptr, indices : ndarray of int, shapes (n + 1,) and (entries,)
        The symmetric pattern in CSR form.
    method : {"star", "acyclic", "distance2"}
        How the entries are to be recovered.

    Returns
    -------
    int
        0 for a pattern without entries. The fewest colours may be more.

    Notes
    -----
    At distance 2 the columns with an entry in one row all differ: the longest row is a bound.

    With symmetry, m entries (i, j), i <= j, among n variables must be read from n numbers for each
    colour: p n >= m. If the diagonal is full, any two of p colours span a forest. It has fewer
    edges than vertices, and the sum over all pairs gives at most (p - 1) n - p (p - 1) / 2 edges.
    If they span stars, count each edge at its leaf: a vertex is a leaf for each other colour but
    those of which it has two neighbours or more, and it has one if it has p neighbours. That gives
    at most (p - 1) n - h edges, with h vertices of p neighbours or more. All this holds among any
    set of variables; the sets tried are those at the beginning of the order smallest last, which
    puts what is sparse at the end (above two million entries: of the natural order). Besides, a
    path over four vertices or a triangle needs three colours in a star colouring with a full
    diagonal.

    Costs a few passes over the entries.

    References
    ----------
    S. Thomas McCormick: Optimal approximation of sparse Hessians and its equivalence to a graph
    coloring problem (1983), for p n >= m; the other counts follow from the definitions.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from autodiff_course.sparse.coloring_orders import lower_bound
    >>> chain = sp.diags_array([1.0, 1.0, 1.0], offsets=[-1, 0, 1], shape=(9, 9), format="csr")
    >>> {m: lower_bound(chain.indptr, chain.indices, m) for m in ("star", "acyclic", "distance2")}
    {'star': 3, 'acyclic': 2, 'distance2': 3}
    """
    if not len(indices):
        return 0
    if method == "distance2":
        return int(np.diff(indptr).max())
    degrees, diagonal = off_diagonal_degrees(indptr, indices), has_diagonal(indptr, indices)
    many = len(indices) > MANY_ENTRIES
    order = np.arange(len(degrees)) if many else _smallest_last(indptr, indices, degrees)
    dense = int(_density_bound(indptr, indices, order, diagonal, method == "star"))
    return max(dense, int(_path_bound(indptr, indices, diagonal)) if method == "star" else 1)


@compiled
def _density_bound(indptr, indices, order, diagonal, stars):
    n = len(order)
    degree = np.full(n, -1, np.int64)  # among the vertices up to here; -1 for one beyond
    edges = np.int64(0)
    full = np.int64(0)
    heavy = np.int64(0)  # vertices with `least` neighbours or more
    least = np.int64(1)
    for t in range(n):
        v = order[t]
        degree[v] = 0
        full += diagonal[v]
        for e in range(indptr[v], indptr[v + 1]):
            w = indices[e]
            if w != v and degree[w] >= 0:
                edges += 1
                degree[v] += 1
                degree[w] += 1
                heavy += degree[w] == least
        heavy += degree[v] >= least
        while not _enough(least, t + 1, edges, full, heavy if stars else 0):
            least += 1
            heavy = 0
            for u in order[: t + 1]:
                heavy += degree[u] >= least
    return least


@compiled
def _enough(p, size, edges, full, heavy):
    """Whether p colours are not too few for so many vertices, edges and diagonal entries."""
    if full < size:
        return p * size >= edges + full
    return (p - 1) * size - max(p * (p - 1) // 2, heavy) >= edges


@compiled
def _path_bound(indptr, indices, diagonal):
    """Return 3 if four vertices with diagonal entries form a path, or three a triangle."""
    n = len(indptr) - 1
    degree = np.zeros(n, np.int64)  # among the vertices with a diagonal entry
    for v in range(n):
        for e in range(indptr[v], indptr[v + 1]):
            w = indices[e]
            degree[v] += w != v and diagonal[v] and diagonal[w]
    least = 1
    for v in range(n):
        for e in range(indptr[v], indptr[v + 1]):
            w = indices[e]
            if w != v and diagonal[v] and diagonal[w]:
                least = max(least, 2)
                # Two neighbours with further neighbours: a path over four vertices, or a triangle.
                if degree[v] > 1 and degree[w] > 1:
                    return 3
    return least
