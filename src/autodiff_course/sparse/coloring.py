"""Which columns of a Hessian can share one Hessian-vector product.

A product with the sum of several unit vectors gives the sum of several columns. Columns that get
one colour are summed; a colouring is good if every entry can still be told from the few sums.

Seen as a graph (a vertex for each variable, an edge for each entry off the diagonal):

distance-2
    any two columns with an entry in the same row get different colours (Curtis, Powell and Reid
    1974; as a colouring at distance 2: McCormick 1983);
star
    neighbours differ, and every path over four vertices has at least three colours: what two
    colours span are stars. Uses symmetry (Powell and Toint 1979), for an entry may be read from its
    row or its column (Coleman and Moré 1984);
acyclic
    neighbours differ, and every cycle has at least three colours: what two colours span are trees.
    Needs the fewest colours, but an entry is found by subtracting others, which adds up roundings
    (Coleman and Cai 1986).

If the diagonal is full, a distance-2 colouring *is* a star colouring, and a star colouring an
acyclic one. So the fewest colours fall from rule to rule. What a greedy method finds need not: it
goes through the vertices once and gives each the first colour that is left, and its luck depends on
the order. The fewest colours are hard to find, so several orders are tried, for stars from
distance-2 colourings too, and the best is improved as long as that is cheap.

A column need not have a colour: where each of its entries is read from its mirror image, its colour
is dropped (Dalle and Montoison 2025). It takes a diagonal entry to need one for sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from .coloring_orders import ORDERS
from .coloring_search import search
from .pattern import as_pattern
from .recovery import direct_sources, substitution_order

__all__ = ["Coloring", "color", "verify_coloring"]

METHODS = ("best", "star", "distance2", "acyclic")


@dataclass(frozen=True)
class Coloring:
    """A colouring of the columns of a symmetric pattern.

    Attributes
    ----------
    colors : ndarray of int32, shape (n,)
        The colour of each column, from 0; -1 for a column that needs none: it has no entries, or
        all are read from their mirror images.
    count : int
        How many colours there are: so many Hessian-vector products are needed.
    method : str
        "star", "distance2" or "acyclic": how the entries are to be recovered.
    order : str
        The order of the vertices with which the colouring began; see `color`. "around" stands for
        the natural order with the colours taken in a circle.
    lower_bound : int
        No colouring of the method asked for has fewer colours. Where it equals `count`, this one is
        the best; else there may or may not be a better one.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff_course.sparse import color
    >>> coloring = color(np.ones((3, 3)))
    >>> coloring.count, coloring.lower_bound
    (3, 3)
    """

    colors: np.ndarray
    count: int
    method: str
    order: str
    lower_bound: int


def color(
    pattern: Any,
    method: str = "best",
    *,
    orders: Sequence[str] | None = None,
    refine: bool = True,
) -> Coloring:
    """Colour the columns of a Hessian so that few products give all its entries.

    Parameters
    ----------
    pattern : sparse or dense matrix, shape (n, n)
        The entries that can be non-zero; see `as_pattern` for what is accepted.
    method : {"best", "star", "distance2", "acyclic"}
        "best" takes the better one of the star and distance-2 colourings found, from both of which
        the entries are read off. A matrix with one full row and column and a full diagonal needs n
        colours at distance 2 and 2 as a star. "acyclic" must be asked for, since it loses accuracy.
    orders : sequence of str, optional
        The orders of the vertices to try, among "natural", "largest_first", "smallest_last",
        "incidence_degree", "reverse" and "random"; `vertex_order` says what they are. By default
        the first two, and the others as long as that is cheap.
    refine : bool
        Whether to improve on what is found in these orders. For "best" and "star": set the longest
        rows apart, begin with distance-2 colourings too, move columns between colours. For all but
        "distance2": drop the colours that are not needed. For all but "acyclic": with the natural
        order, also take the colours in a circle, which finds periodic colourings of grids. Without,
        it is the greedy method alone.

    Returns
    -------
    Coloring

    Raises
    ------
    ValueError
        If the method or an order is unknown, or the pattern not square and symmetric.

    Notes
    -----
    Each star or acyclic colouring takes time in proportion to entries times colours in a row, each
    distance-2 colouring to the sum of the squared row lengths. The improvements end when they have
    taken some tenths of a second, or the lower bound is reached. The same pattern always gets the
    same colours.

    References
    ----------
    A. R. Curtis, M. J. D. Powell, J. K. Reid: On the estimation of sparse Jacobian matrices (1974).
    M. J. D. Powell, Ph. L. Toint: On the estimation of sparse Hessian matrices (1979).
    S. Thomas McCormick: Optimal approximation of sparse Hessians and its equivalence to a graph
    coloring problem (1983).
    Thomas F. Coleman, Jorge J. Moré: Estimation of sparse Hessian matrices and graph coloring
    problems (1984).
    Thomas F. Coleman, Jin-Yi Cai: The cyclic coloring problem and estimation of sparse Hessian
    matrices (1986).
    Assefaw H. Gebremedhin, Fredrik Manne, Alex Pothen: What color is your Jacobian? (2005).
    Assefaw H. Gebremedhin, Arijit Tarafdar, Fredrik Manne, Alex Pothen: New acyclic and star
    coloring algorithms with application to computing Hessians (2007).
    Assefaw H. Gebremedhin, Arijit Tarafdar, Alex Pothen, Andrea Walther: Efficient computation of
    sparse Hessians using coloring and automatic differentiation (2009).
    Guillaume Dalle, Alexis Montoison: Revisiting sparse matrix coloring and bicoloring (2025).

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

    Without the diagonal, the column of the hub holds every entry:

    >>> arrow[range(6), range(6)] = False
    >>> color(arrow).colors
    array([ 0, -1, -1, -1, -1, -1], dtype=int32)
    """
    if method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {method!r}")
    if isinstance(orders, str):
        raise ValueError(f"orders: expected a list of names, got the name {orders!r} alone")
    for order in orders or ():
        if order not in ORDERS:
            raise ValueError(f"orders: expected some of {', '.join(ORDERS)}, got {order!r}")
    return color_canonical(as_pattern(pattern), method, orders, refine)


def color_canonical(
    pattern: sp.csr_array, method: str, orders: Sequence[str] | None = None, refine: bool = True
) -> Coloring:
    """Colour a pattern that `as_pattern` returned; the arguments are those of `color`."""
    if not pattern.nnz:
        kind = "star" if method == "best" else method
        return Coloring(np.full(pattern.shape[0], -1, np.int32), 0, kind, "natural", 0)
    found, bound = search(pattern.indptr, pattern.indices, method, orders, refine)
    return Coloring(found.colors, found.count, found.kind, found.order, bound)


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
        colouring more than ensures. Under "distance2" it must be alone in its row. Under "acyclic"
        it must be what is left of a sum when others are subtracted. Columns of colour -1 are in no
        sum: their entries must be read from elsewhere.

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
    if colors[j] < 0 and colors[i] < 0:
        return f"colors: column {j} has an entry in row {i}, but neither has a colour"
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
