"""Which columns, and which rows, of a Jacobian can share one product.

Take the rows and the columns of J as the vertices of a graph, with an edge for each entry: its
pattern is that of the symmetric matrix with J below and Jᵀ above the diagonal. A colouring of that
matrix from which every entry can be read is what a Jacobian needs: colours of columns stand for
products J v, colours of rows for products Jᵀ w, and an entry is read from its column or from its
row. With colours for columns alone, or for rows alone, it is the colouring at distance 2 of Curtis,
Powell and Reid; with both it is a star *bicolouring*, which an arrow needs: its one full row and
its one full column are computed by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from .coloring_greedy import greedy_distance2
from .coloring_orders import lower_bound
from .coloring_search import search
from .coloring_star import drop_colors, graph_of
from .pattern import as_pattern

__all__ = ["DIRECTIONS", "JacobianColoring", "color_jacobian", "two_sided"]

#: The ways in which a Jacobian can be computed.
DIRECTIONS = ("best", "columns", "rows", "both")


@dataclass(frozen=True)
class JacobianColoring:
    """A colouring of the columns and the rows of a Jacobian's pattern.

    Attributes
    ----------
    columns, rows : ndarray of int32, shapes (n,) and (m,)
        The colour of each, from 0; -1 for what is in no product.
    column_count, row_count : int
        So many products J v and Jᵀ w are needed.
    lower_bound : int
        No colouring for the direction asked for has fewer colours in all.
    """

    columns: np.ndarray
    rows: np.ndarray
    column_count: int
    row_count: int
    lower_bound: int

    @property
    def count(self) -> int:
        """The number of products in all."""
        return self.column_count + self.row_count

    @property
    def direction(self) -> str:
        """Which kinds of product there are: "columns", "rows" or "both"."""
        if not self.row_count:
            return "columns"
        return "both" if self.column_count else "rows"


def color_jacobian(pattern: Any, direction: str = "best") -> JacobianColoring:
    """Colour the columns or the rows of a Jacobian so that few products give all its entries.

    Parameters
    ----------
    pattern : sparse or dense matrix, shape (m, n)
        The entries that can be non-zero.
    direction : {"best", "columns", "rows", "both"}
        "best" takes columns or rows, whichever need fewer colours (columns if equal), and both at
        once where that could halve their number and does save some.

    Returns
    -------
    JacobianColoring

    Raises
    ------
    ValueError
        If the direction is unknown, or the pattern no matrix.

    Notes
    -----
    One side costs the sum of the squared row (or column) lengths for each order tried; both at once
    what `color` costs for a symmetric pattern with twice as many entries.

    References
    ----------
    A. R. Curtis, M. J. D. Powell, J. K. Reid: On the estimation of sparse Jacobian matrices (1974).
    A. K. M. Shahadat Hossain, Trond Steihaug: Computing a sparse Jacobian matrix by rows and
    columns (1998).
    Thomas F. Coleman, Arun Verma: The efficient computation of sparse Jacobian matrices using
    automatic differentiation (1998).
    Guillaume Dalle, Alexis Montoison: Revisiting sparse matrix coloring and bicoloring (2025).

    Examples
    --------
    A full row asks for rows, a full column for columns, and an arrow for both:

    >>> import numpy as np
    >>> from autodiff_course.sparse import color_jacobian
    >>> arrow = np.eye(9, dtype=bool)
    >>> arrow[0] = True
    >>> color_jacobian(arrow).direction, color_jacobian(arrow).count
    ('rows', 2)
    >>> arrow[:, 0] = True
    >>> color_jacobian(arrow).direction, color_jacobian(arrow).count
    ('both', 3)
    >>> color_jacobian(arrow, "columns").count
    9
    """
    if direction not in DIRECTIONS:
        raise ValueError(f"direction: expected one of {', '.join(DIRECTIONS)}, got {direction!r}")
    shape = tuple(getattr(pattern, "shape", np.shape(pattern)))
    return color_both_sides(as_pattern(pattern, shape=shape), direction)


def color_both_sides(pattern: sp.csr_array, direction: str) -> JacobianColoring:
    """Colour a canonical pattern; the arguments are those of `color_jacobian`."""
    m, n = pattern.shape
    joint = two_sided(pattern)
    if not pattern.nnz:
        return _one_side(joint, n, np.arange(n), 0)
    found = []
    # The longest row is a bound for columns, since there all columns differ, and the other way.
    if direction in ("best", "columns"):
        found.append(_one_side(joint, n, np.arange(n), int(np.diff(joint.indptr[n:]).max())))
    if direction in ("best", "rows"):
        rows = np.arange(n, n + m)
        found.append(_one_side(joint, n, rows, int(np.diff(joint.indptr[: n + 1]).max())))
    best = min(found, key=lambda coloring: coloring.count, default=None)
    if direction == "both" or (direction == "best" and 2 * _least(joint) <= best.count):
        both = _both_sides(joint, n)
        best = both if best is None or both.count < best.count else best
    if direction == "best":
        bound = _least(joint)
        best = JacobianColoring(best.columns, best.rows, best.column_count, best.row_count, bound)
    return best


def two_sided(pattern: sp.csr_array) -> sp.csr_array:
    """Return the symmetric pattern with J below and its transpose above the diagonal.

    The vertices are the n columns and then the m rows; so the entries of J, in the order of its
    CSR form, are the last ones.
    """
    joint = sp.csr_array(sp.block_array([[None, pattern.T], [pattern, None]], format="csr"))
    joint.sort_indices()
    return joint


def _least(joint: sp.csr_array) -> int:
    return lower_bound(joint.indptr, joint.indices, "star")


def _one_side(joint: sp.csr_array, n: int, side: np.ndarray, bound: int) -> JacobianColoring:
    """Colour the vertices of one side only, in the better of two orders."""
    degrees = np.diff(joint.indptr)[side]
    best, least = np.full(joint.shape[0], -1, np.int32), 0
    for order in (side, side[np.argsort(-degrees, kind="stable")]):
        if joint.nnz and (not least or least > bound):
            colors, count = greedy_distance2(joint.indptr, joint.indices, order, 0, 0)
            if not least or count < least:
                best, least = colors, int(count)
    counts = (least, 0) if not len(side) or side[0] < n else (0, least)
    return JacobianColoring(best[:n], best[n:], *counts, bound)


def _both_sides(joint: sp.csr_array, n: int) -> JacobianColoring:
    """Colour both sides; a colour that rows and columns share stands for two products."""
    found, bound = search(joint.indptr, joint.indices, "star", None, True)
    colors, used = found.colors.astype(np.int64), found.colors >= 0
    is_row = np.arange(len(colors)) >= n
    colors[is_row & used] += found.count
    left, numbers = np.unique(colors[used], return_inverse=True)
    apart = np.full(len(colors), -1, np.int32)
    apart[used] = numbers
    drop_colors(graph_of(joint.indptr, joint.indices), apart, len(left))
    columns, rows = (_renumbered(part) for part in (apart[:n], apart[n:]))
    return JacobianColoring(columns, rows, int(columns.max() + 1), int(rows.max() + 1), bound)


def _renumbered(colors: np.ndarray) -> np.ndarray:
    """Give the colours that occur new numbers, from 0."""
    new = np.full(len(colors), -1, np.int32)
    new[colors >= 0] = np.unique(colors[colors >= 0], return_inverse=True)[1]
    return new
