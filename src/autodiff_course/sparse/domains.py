"""Which inputs each element of a tensor depends on, as rows of a sparse boolean matrix.

The inputs that one number depends on are called its *index domain*. `IndexDomains` holds those of a
whole tensor and `AbstractTensor` what else is known of it. The few things that `DomainAlgebra` can
do with them (take, unite, unite by groups) are all that the rules for single operations need.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from .record import Form

__all__ = ["AbstractTensor", "DomainAlgebra", "IndexDomains", "TooDense"]


class TooDense(ValueError):
    """A pattern with more entries than allowed: the Hessian is not sparse.

    Examples
    --------
    >>> import torch
    >>> from autodiff_course.sparse import TooDense, hessian_pattern
    >>> try:
    ...     hessian_pattern(lambda x: x.sum() ** 2, torch.ones(100), max_entries=1000)
    ... except TooDense:
    ...     print("not sparse")
    not sparse
    """


@dataclass(eq=False)
class IndexDomains:
    """For each element of a tensor (row-major) the inputs (columns) that its derivative involves.

    Results are remembered by what was asked, since a recording asks the same again and again.
    """

    matrix: sp.csr_array
    memo: dict[Any, Any] = field(default_factory=dict)

    @property
    def lengths(self) -> np.ndarray:
        """The number of inputs of each element."""
        return np.diff(self.matrix.indptr)

    def remember(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return the result remembered under a key, or make it."""
        if key not in self.memo:
            self.memo[key] = make()
        return self.memo[key]


@dataclass(slots=True)
class AbstractTensor:
    """What is known of one tensor of a recording, whatever the numbers in x.

    Attributes
    ----------
    form : Form
        Its dtype, layout, and so on.
    domains : IndexDomains or None
        The inputs that its elements depend on; None if no element depends on x.
    value : Tensor or None
        The tensor itself where it is constant. A tensor with neither domains nor value changes with
        x but has derivative zero, as the result of a comparison does: nothing may be concluded from
        the number that it has now.
    nonzero : ndarray of bool or None
        Which elements may be non-zero; None stands for all.
    shape : tuple of int
        As in the form, unless it is looked at in another shape.
    """

    form: Form
    domains: IndexDomains | None = None
    value: Tensor | None = None
    nonzero: np.ndarray | None = None
    shape: tuple[int, ...] = ()

    def __post_init__(self):
        self.shape = self.shape or self.form.shape

    @property
    def size(self) -> int:
        """Its number of elements."""
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        """Its number of dimensions."""
        return len(self.shape)


@dataclass(frozen=True)
class DomainAlgebra:
    """The moves on dependence matrices with n columns, none of more than `most` entries."""

    n: int
    most: int

    def _check(self, entries: int) -> None:
        if entries > self.most:
            raise TooDense(
                f"f: at least {entries:,} pairs of variables interact, more than max_entries = "
                f"{self.most:,}; such a matrix is better used through products with vectors"
            )

    def _new(self, indices: np.ndarray, indptr: np.ndarray) -> IndexDomains:
        kind = np.int32 if max(self.n, len(indices)) < 2**31 else np.int64
        matrix = sp.csr_array(
            (np.ones(len(indices), bool), indices.astype(kind), indptr.astype(kind)),
            shape=(len(indptr) - 1, self.n),
        )
        matrix.has_canonical_format = True
        return IndexDomains(matrix)

    def empty(self, count: int) -> IndexDomains:
        """Return rows without entries."""
        return self._new(np.zeros(0, np.int32), np.zeros(count + 1, np.int32))

    def identity(self, first: int, count: int) -> IndexDomains:
        """Return the rows of the inputs number first, first + 1, ... themselves."""
        return self._new(np.arange(first, first + count), np.arange(count + 1))

    def take(
        self, domains: IndexDomains | None, ids: np.ndarray, key: Any = None
    ) -> IndexDomains | None:
        """Return row ids[i] - 1 as row i; 0 stands for an empty row.

        Give the key, if any, that says which ids these are: the result is then remembered.
        """
        if domains is None:
            return None
        if key is not None:
            return domains.remember(key, lambda: self.take(domains, ids))
        old = domains.matrix
        padded = np.concatenate([old.indptr[:1], old.indptr])
        self._check(int((padded[1:] - padded[:-1])[ids].sum(dtype=np.int64)))
        source = sp.csr_array((old.data, old.indices, padded), shape=(len(padded) - 1, self.n))
        picked = source[ids]
        picked.has_canonical_format = True
        return IndexDomains(picked)

    def only(self, domains: IndexDomains | None, wanted: np.ndarray | None) -> IndexDomains | None:
        """Empty the domains that are not wanted."""
        if domains is None or wanted is None or wanted.all():
            return domains
        if not wanted.any():
            return None
        return self.take(domains, np.where(wanted, np.arange(1, len(wanted) + 1), 0))

    def union(self, parts: Sequence[IndexDomains | None]) -> IndexDomains | None:
        """Return the union, row by row."""
        parts = [part for part in parts if part is not None]
        if not parts:
            return None
        total = parts[0]
        for part in parts[1:]:
            total = self._unite_two(total, part)
        return total

    def _unite_two(self, a: IndexDomains, b: IndexDomains) -> IndexDomains:
        if a is b:
            return a

        def make() -> tuple[IndexDomains, IndexDomains]:
            matrix = a.matrix + b.matrix
            if matrix.nnz == a.matrix.nnz:
                return a, b  # b adds nothing: keep one object, and what it remembers
            if matrix.nnz == b.matrix.nnz:
                return b, b
            self._check(matrix.nnz)
            matrix.has_canonical_format = True
            return IndexDomains(matrix), b

        # b is kept in the memo, so that its id cannot be given to another object.
        return a.remember(("unite", id(b)), make)[0]

    def union_over(self, domains: IndexDomains | None, groups: sp.csr_array) -> IndexDomains | None:
        """Return as row i the union of the rows that row i of `groups` lists."""
        if domains is None or not domains.matrix.nnz:
            return None
        # Groups of all rows at once have a dense result; count before multiplying.
        self._check(int(np.max(groups @ domains.lengths.astype(np.int64), initial=0)))
        matrix = sp.csr_array(groups @ domains.matrix)
        matrix.sort_indices()
        self._check(matrix.nnz)
        return IndexDomains(matrix)

    def relation(self, targets: np.ndarray, sources: np.ndarray, shape: tuple[int, int]):
        """Return the groups in which target i has source j for each pair given."""
        self._check(len(targets))
        groups = sp.csr_array((np.ones(len(targets), bool), (targets, sources)), shape=shape)
        groups.sum_duplicates()
        return groups

    def concatenate(
        self, parts: Sequence[IndexDomains | None], sizes: Sequence[int]
    ) -> IndexDomains | None:
        """Put the rows of several tensors below each other."""
        if all(part is None for part in parts):
            return None
        if len(parts) == 1:
            return parts[0]
        blocks = [self.empty(s) if p is None else p for p, s in zip(parts, sizes, strict=True)]
        matrix = sp.csr_array(sp.vstack([b.matrix for b in blocks], format="csr", dtype=bool))
        matrix.has_canonical_format = True
        return IndexDomains(matrix)


def element_numbers(shape: Sequence[int], first: int = 1) -> Tensor:
    """Return the numbers of the elements; 0 is left for one that comes from nowhere."""
    count = math.prod(shape)
    return torch.arange(first, first + count).reshape(tuple(shape))
