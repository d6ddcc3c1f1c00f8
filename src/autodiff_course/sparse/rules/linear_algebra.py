"""Rules for products of matrices, and for linear algebra with batches of matrices."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from ..domains import AbstractTensor, DomainAlgebra, IndexDomains, element_numbers
from ..record import Form, substitute
from .base import Call, NoRule, Rules, broadcast, reduce, reduce_and_broadcast

rules = Rules()


def product(
    algebra: DomainAlgebra, a: AbstractTensor, b: AbstractTensor
) -> tuple[IndexDomains | None, np.ndarray | None]:
    """Return rows and mask of the product of (batch, m, k) by (batch, k, n)."""
    (batch, m, k), n = a.shape, b.shape[2]
    mask_a = None if a.nonzero is None else a.nonzero.reshape(batch, m, k)
    mask_b = None if b.nonzero is None else b.nonzero.reshape(batch, k, n)
    mask = None
    if mask_a is not None or mask_b is not None:
        left = np.ones((batch, m, k), bool) if mask_a is None else mask_a
        right = np.ones((batch, k, n), bool) if mask_b is None else mask_b
        mask = (left.astype(np.float32) @ right.astype(np.float32) > 0).reshape(-1)
    rows = [_left(algebra, a, mask_b, n)]
    # A product and its transpose have the same dependences: [A B] = [B' A']'.
    ids_b = element_numbers(b.shape).transpose(1, 2)
    columns = algebra.take(b.domains, ids_b.reshape(-1).numpy(), ("transposed", b.shape))
    flipped = dataclasses.replace(b, domains=columns, nonzero=None, shape=(batch, n, k))
    mask_at = None if mask_a is None else mask_a.transpose(0, 2, 1)
    right_rows = _left(algebra, flipped, mask_at, m)
    back = element_numbers((batch, n, m)).transpose(1, 2).reshape(-1).numpy()
    rows.append(algebra.take(right_rows, back))
    return algebra.union(rows), mask


def _left(
    algebra: DomainAlgebra, a: AbstractTensor, mask: np.ndarray | None, n: int
) -> IndexDomains | None:
    """Return the rows that (batch, m, k) gives to its product with a (batch, k, n) matrix."""
    if a.domains is None:
        return None
    batch, m, k = a.shape
    if mask is None or np.count_nonzero(mask) * m > algebra.most:
        return reduce_and_broadcast(algebra, a, (2,), (batch, m, n))
    b, inner, column = np.nonzero(mask)
    row = np.arange(m)[:, None]
    targets = (b * m + row) * n + column
    sources = (b * m + row) * k + inner
    shape = (batch * m * n, batch * m * k)
    return algebra.union_over(
        a.domains, algebra.relation(targets.reshape(-1), sources.reshape(-1), shape)
    )


def _as_batch(tensor: AbstractTensor, shape: tuple[int, ...]) -> AbstractTensor:
    return dataclasses.replace(tensor, shape=shape)


def _both(call: Call, a: AbstractTensor, b: AbstractTensor):
    if a.form.layout != torch.strided:
        return _sparse_product(call.algebra, a, b), None
    if b.form.layout != torch.strided:
        raise NoRule
    if a.ndim == 2:
        a = _as_batch(a, (1, *a.shape))
    if b.ndim == 1:
        b = _as_batch(b, (1, b.shape[0], 1))
    elif b.ndim == 2:
        b = _as_batch(b, (1, *b.shape))
    return product(call.algebra, a, b)


def _sparse_product(
    algebra: DomainAlgebra, matrix: AbstractTensor, dense: AbstractTensor
) -> IndexDomains | None:
    if matrix.value is None:
        raise NoRule
    if dense.domains is None:
        return None
    entries = matrix.value.to_sparse_coo().coalesce()
    row, column = entries.indices().cpu().numpy()
    n = dense.size // max(dense.shape[0], 1)
    each = np.arange(n)
    targets = (row[:, None] * n + each).reshape(-1)
    sources = (column[:, None] * n + each).reshape(-1)
    return algebra.union_over(
        dense.domains, algebra.relation(targets, sources, (matrix.shape[0] * n, dense.size))
    )


@rules.add("mm", "bmm", "mv")
def matrix_product(call: Call) -> AbstractTensor:
    """Multiply row by column, over the terms that may be non-zero."""
    return call.result(*_both(call, call.args[0], call.args[1]))


@rules.add("dot", "vdot")
def dot(call: Call) -> AbstractTensor:
    """Multiply one row by one column."""
    a, b = call.args
    return call.result(*_both(call, _as_batch(a, (1, 1, a.size)), b))


@rules.add("addmm", "baddbmm", "addmv", "_sparse_addmm")
def add_product(call: Call) -> AbstractTensor:
    """Unite a matrix product and a summand."""
    bias, a, b = call.args
    rows, _ = _both(call, a, b)
    return call.result(call.algebra.union([rows, broadcast(call.algebra, bias, call.shape)]))


@rules.add("trace")
def trace(call: Call) -> AbstractTensor:
    """Sum the diagonal."""
    matrix = call.args[0]
    places = element_numbers(matrix.shape, 0).diagonal().numpy()
    groups = call.algebra.relation(np.zeros(len(places), int), places, (1, matrix.size))
    return call.result(call.algebra.union_over(matrix.domains, groups))


# --- Linear algebra with each matrix of a batch ---------------------------------------------------

MATRIX_BY_MATRIX = "inverse det logdet slogdet cholesky cholesky_inverse cholesky_solve lu_unpack"
MATRIX_BY_MATRIX += " triangular_solve linalg_inv_ex _linalg_det _linalg_slogdet linalg_eig geqrf"
MATRIX_BY_MATRIX += " linalg_cholesky_ex linalg_lu_factor_ex linalg_lu linalg_lu_solve linalg_qr"
MATRIX_BY_MATRIX += " _linalg_solve_ex linalg_solve_triangular _linalg_eigh _linalg_svd ormqr"
MATRIX_BY_MATRIX += " linalg_eigvals linalg_matrix_exp linalg_pinv linalg_lstsq orgqr"
MATRIX_BY_MATRIX += " linalg_ldl_factor_ex linalg_ldl_solve linalg_householder_product"
MATRIX_BY_MATRIX += " _linalg_eigvals"


@rules.add(*MATRIX_BY_MATRIX.split())
def matrix_by_matrix(call: Call) -> AbstractTensor | tuple[AbstractTensor, ...]:
    """Let what belongs to one matrix of a batch depend on all of that matrix, and on no other."""
    tensors = [tensor for tensor in call.tensors if tensor.domains is not None]
    matrix = call.args[0]
    batches = [_batch_of(tensor, matrix) for tensor in call.tensors if tensor.ndim > 1]
    batch = np.broadcast_shapes(*batches)
    blocks = []
    for tensor in tensors:
        own = _batch_of(tensor, matrix)
        inner = tuple(range(len(own), tensor.ndim))
        padded = (1,) * (len(batch) - len(own)) + own
        blocks.append((reduce(call.algebra, tensor, inner) if inner else tensor.domains, padded))

    def result(form: Form) -> AbstractTensor:
        if not form.is_real_or_complex or not form.size:
            return AbstractTensor(form)
        if form.shape[: len(batch)] != batch:
            raise NoRule
        rest = form.shape[len(batch) :]
        parts = []
        for domains, shape in blocks:
            ids = element_numbers(shape).reshape(shape + (1,) * len(rest)).expand(batch + rest)
            key = ("blocks", shape, form.shape)
            parts.append(call.algebra.take(domains, ids.reshape(-1).numpy(), key))
        return AbstractTensor(form, call.algebra.union(parts))

    return substitute(call.form, result, Form)


def _batch_of(tensor: AbstractTensor, matrix: AbstractTensor) -> tuple[int, ...]:
    # A right-hand side that is one vector for each matrix has one dimension less.
    is_vector = tensor.ndim == 1 or tensor.shape == matrix.shape[:-1]
    return tensor.shape[:-1] if is_vector else tensor.shape[:-2]
