"""Find the entries of a matrix in its products with the sums of unit vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from .coloring import Coloring
from .coloring_jacobian import JacobianColoring, two_sided
from .recovery import direct_sources, substitute, substitution_order

__all__ = ["Lookup", "Substitution", "hessian_recovery", "jacobian_sources", "sources_of"]


def sources_of(pattern: sp.csr_array, colors: np.ndarray, count: int) -> np.ndarray:
    """Return where each entry of a symmetric pattern stands in the compressed matrix."""
    places = max(count, 1) * max(pattern.shape[0], 1)
    sources = np.empty(pattern.nnz, np.int32 if places < 2**31 else np.int64)
    if direct_sources(pattern.indptr, pattern.indices, colors, max(count, 1), sources) >= 0:
        raise AssertionError("a colouring from which not every entry can be read")
    return sources


def jacobian_sources(pattern: sp.csr_array, coloring: JacobianColoring) -> np.ndarray:
    """Return where each entry of a Jacobian stands: the products with columns come first."""
    m, n = pattern.shape
    if not pattern.nnz:
        return np.zeros(0, np.int64)
    rows = np.where(coloring.rows < 0, -1, coloring.rows + coloring.column_count)
    joint = np.concatenate([coloring.columns, rows]).astype(np.int32)
    sources = sources_of(two_sided(pattern), joint, coloring.count)[pattern.nnz :]
    color, vertex = np.divmod(sources.astype(np.int64), m + n)
    by_column = color * m + vertex - n
    by_row = coloring.column_count * (m - n) + color * n + vertex
    return np.where(vertex >= n, by_column, by_row)


def hessian_recovery(
    pattern: sp.csr_array, coloring: Coloring, wanted: np.ndarray | None, device: torch.device
) -> Lookup | Substitution:
    """Return how the entries, or those at some places of the pattern, are recovered."""
    if coloring.method == "acyclic":
        return Substitution(pattern, coloring, wanted)
    sources = sources_of(pattern, coloring.colors, coloring.count)
    return Lookup(sources if wanted is None else sources[wanted], device)


class Lookup:
    """Each entry stands somewhere in the compressed matrix."""

    def __init__(self, sources: np.ndarray, device: torch.device):
        self._sources = torch.from_numpy(sources).to(device)

    def __call__(self, compressed: Sequence[Tensor]) -> Tensor:
        """Return the entries, in the order of the pattern."""
        flat = [part.view(-1) for part in compressed]
        both = flat[0] if len(flat) == 1 else torch.cat(flat)
        return torch.index_select(both, 0, self._sources)


class Substitution:
    """Each entry is what remains of a sum when those found before are subtracted."""

    def __init__(self, pattern: sp.csr_array, coloring: Coloring, wanted: np.ndarray | None):
        count = (pattern.nnz + int(np.count_nonzero(pattern.diagonal()))) // 2
        self._steps = np.empty((count, 4), np.int64)
        self._nnz, self._wanted = pattern.nnz, wanted
        done = substitution_order(
            pattern.indptr, pattern.indices, coloring.colors, max(coloring.count, 1), self._steps
        )
        if done < count:
            raise AssertionError("a colouring from which not every entry can be computed")

    def __call__(self, compressed: Sequence[Tensor]) -> Tensor:
        """Return the entries, in the order of the pattern."""
        flat = compressed[0].reshape(-1).cpu().numpy()
        data = np.empty(self._nnz, flat.dtype)
        substitute(flat, self._steps, data)
        data = data if self._wanted is None else data[self._wanted]
        return torch.from_numpy(data).to(compressed[0].device)
