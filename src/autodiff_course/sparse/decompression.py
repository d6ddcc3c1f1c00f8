"""Find the entries of a Hessian in its products with the sums of unit vectors."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from .coloring import Coloring
from .recovery import direct_sources, substitute, substitution_order

__all__ = ["Lookup", "Substitution"]


class Lookup:
    """Each entry stands somewhere in the compressed matrix."""

    def __init__(self, pattern: sp.csr_array, coloring: Coloring, device: torch.device):
        places = max(coloring.count, 1) * max(pattern.shape[0], 1)
        sources = np.empty(pattern.nnz, np.int32 if places < 2**31 else np.int64)
        failed = direct_sources(
            pattern.indptr, pattern.indices, coloring.colors, max(coloring.count, 1), sources
        )
        if failed >= 0:
            raise AssertionError("a colouring from which not every entry can be read")
        self._sources = torch.from_numpy(sources).to(device)

    def __call__(self, compressed: Tensor) -> Tensor:
        """Return the entries, in the order of the pattern."""
        return torch.index_select(compressed.view(-1), 0, self._sources)


class Substitution:
    """Each entry is what remains of a sum when those found before are subtracted."""

    def __init__(self, pattern: sp.csr_array, coloring: Coloring, device: torch.device):
        count = (pattern.nnz + int(np.count_nonzero(pattern.diagonal()))) // 2
        self._steps = np.empty((count, 4), np.int64)
        self._nnz = pattern.nnz
        done = substitution_order(
            pattern.indptr, pattern.indices, coloring.colors, max(coloring.count, 1), self._steps
        )
        if done < count:
            raise AssertionError("a colouring from which not every entry can be computed")

    def __call__(self, compressed: Tensor) -> Tensor:
        """Return the entries, in the order of the pattern."""
        flat = compressed.reshape(-1).cpu().numpy()
        data = np.empty(self._nnz, flat.dtype)
        substitute(flat, self._steps, data)
        return torch.from_numpy(data).to(compressed.device)
