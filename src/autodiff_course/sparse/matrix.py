"""The matrix that a caller gets, made of the entries in the order of its pattern."""

from __future__ import annotations

import warnings

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

__all__ = ["OUTPUTS", "Matrix"]

#: The kinds of matrix that can be asked for.
OUTPUTS = ("scipy", "torch", "dense")


class Matrix:
    """Makes matrices of one pattern.

    Parameters
    ----------
    pattern : scipy.sparse.csr_array
        Its index arrays become read-only, since all the matrices made share them.
    output : {"scipy", "torch", "dense"}
    """

    def __init__(self, pattern: sp.csr_array, output: str = "scipy"):
        self.pattern, self.output = pattern, output
        pattern.indices.flags.writeable = pattern.indptr.flags.writeable = False
        self._torch_indices: tuple[Tensor, Tensor] | None = None

    def __call__(self, data: Tensor) -> sp.csr_array | Tensor | np.ndarray:
        """Return the matrix with these entries."""
        if self.output == "torch":
            return self._as_tensor(data)
        found = self.scipy(data)
        return found.toarray() if self.output == "dense" else found

    def scipy(self, data: Tensor) -> sp.csr_array:
        """Return the matrix with these entries in CSR form."""
        indices, indptr = self.pattern.indices, self.pattern.indptr
        matrix = sp.csr_array((data.cpu().numpy(), indices, indptr), shape=self.pattern.shape)
        matrix.has_canonical_format = True
        return matrix

    def _as_tensor(self, data: Tensor) -> Tensor:
        if self._torch_indices is None:
            parts = (self.pattern.indptr, self.pattern.indices)
            # Copies: torch cannot hold a read-only array.
            self._torch_indices = tuple(torch.tensor(p, device=data.device) for p in parts)
        with warnings.catch_warnings():
            # Once in each process PyTorch says that this kind of tensor is new.
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
            return torch.sparse_csr_tensor(
                *self._torch_indices, data, size=self.pattern.shape, check_invariants=False
            )
