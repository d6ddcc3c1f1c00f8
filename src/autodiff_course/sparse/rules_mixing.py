"""Rules for operations whose results depend on many elements: sums, sorting, matrix products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from .dependence import Flow, Rows, Workspace, ids_of
from .rules import Call, NoRule, dims_of, elementwise, mixed, name_of, reduced, rule, spread


@rule("sum", "nansum")
def total(call: Call) -> Flow:
    """Unite along dimensions; a sum is zero if all its terms are."""
    source = call.args[0]
    dims = dims_of(call.argument(1, "dim"), len(source.shape))
    nonzero = None
    if source.nonzero is not None:
        nonzero = source.nonzero.reshape(source.shape).any(axis=dims).reshape(-1)
    return call.result(reduced(call.space, source, dims), nonzero)


@rule("mean", "prod", "amax", "amin", "logsumexp", "var", "std", "linalg_vector_norm", "norm")
def reduction(call: Call) -> Flow:
    """Let each result depend on all that was reduced to it."""
    source = call.args[0]
    name, overload = name_of(call.target), str(call.target)
    if name in ("linalg_vector_norm", "norm"):
        dims = call.argument(2, "dim")
    elif name in ("mean", "prod") and overload.endswith("default"):
        dims = None
    else:
        dims = call.argument(1, "dim")
    dims = dims_of(dims if not isinstance(dims, bool) else None, len(source.shape))
    rows = reduced(call.space, source, dims)
    if rows is not None and rows.matrix.shape[0] != math.prod(call.form.shape):
        raise NoRule
    return call.result(rows)


@rule("max", "min", "median", "nanmedian")
def extreme(call: Call) -> Any:
    """Let the result be any element: which one is not known beforehand."""
    source = call.args[0]
    if isinstance(call.form, (tuple, list)):
        dims = dims_of(call.args[1], len(source.shape))
        return _with_forms(call, reduced(call.space, source, dims))
    if len(call.flows) > 1:
        return elementwise(call)
    return call.result(reduced(call.space, source, dims_of(None, len(source.shape))))


def _with_forms(call: Call, rows: Rows | None) -> tuple[Flow, ...]:
    """Give the first result its rows; the others are positions."""
    first, *others = call.form
    return (Flow(first, rows), *(Flow(form) for form in others))


@rule("sort", "topk", "kthvalue", "mode", "cummax", "cummin")
def choice(call: Call) -> Any:
    """Let each result be any element along the dimension."""
    source = call.args[0]
    name = name_of(call.target)
    position = {"topk": 2, "kthvalue": 2}.get(name, 1)
    if "stable" in str(call.target) and name == "sort":
        dim = call.kwargs.get("dim", call.args[2] if len(call.args) > 2 else -1)
    else:
        dim = call.argument(position, "dim", -1)
    if not source.shape:
        return _with_forms(call, source.rows)
    dims = dims_of(dim, len(source.shape))
    shape = tuple(call.form[0].shape)
    if len(shape) < len(source.shape):
        return _with_forms(call, reduced(call.space, source, dims))
    return _with_forms(call, mixed(call.space, source, dims, shape))


@rule("_softmax", "_log_softmax", "_fft_r2c", "_fft_c2r", "_fft_c2c", "cumprod", "logcumsumexp")
def along(call: Call) -> Flow:
    """Let each result depend on all along the dimensions."""
    source = call.args[0]
    if not source.shape:
        return call.result(source.rows)
    dims = dims_of(call.args[1], len(source.shape))
    return call.result(mixed(call.space, source, dims, tuple(call.form.shape)))


@rule("_softmax_backward_data", "_log_softmax_backward_data")
def softmax_backward(call: Call) -> Flow:
    """Mix both arguments along the dimension."""
    shape = tuple(call.form.shape)
    if not shape:
        return elementwise(call)
    dims = dims_of(call.args[2], len(shape))
    return call.result(call.space.unite([mixed(call.space, a, dims, shape) for a in call.args[:2]]))


@rule("cumsum")
def running_sum(call: Call) -> Flow:
    """Let each result depend on the elements up to its own place."""
    source = call.args[0]
    if not source.shape or source.rows is None:
        return call.result(source.rows)
    dim = call.args[1] % len(source.shape)
    length = source.shape[dim]
    if length * source.size > call.space.most:
        return along(call)
    places = ids_of(source.shape, 0).movedim(dim, -1).reshape(-1, length).numpy()
    later, earlier = np.tril_indices(length)
    targets, sources = places[:, later].reshape(-1), places[:, earlier].reshape(-1)
    groups = call.space.group(targets, sources, (source.size, source.size))
    return call.result(call.space.gather(source.rows, groups))


# --- Products of matrices -------------------------------------------------------------------------


def product(space: Workspace, a: Flow, b: Flow) -> tuple[Rows | None, np.ndarray | None]:
    """Return rows and mask of the product of (batch, m, k) by (batch, k, n)."""
    (batch, m, k), n = a.shape, b.shape[2]
    mask_a = None if a.nonzero is None else a.nonzero.reshape(batch, m, k)
    mask_b = None if b.nonzero is None else b.nonzero.reshape(batch, k, n)
    mask = None
    if mask_a is not None or mask_b is not None:
        left = np.ones((batch, m, k), bool) if mask_a is None else mask_a
        right = np.ones((batch, k, n), bool) if mask_b is None else mask_b
        mask = (left.astype(np.float32) @ right.astype(np.float32) > 0).reshape(-1)
    rows = [_left(space, a, mask_b, n)]
    # A product and its transpose have the same dependences: [A B] = [B' A']'.
    ids_b = ids_of(b.shape).transpose(1, 2)
    flipped = Flow(
        b.form.transpose(1, 2), space.pick(b.rows, ids_b.reshape(-1).numpy(), "transposed")
    )
    mask_at = None if mask_a is None else mask_a.transpose(0, 2, 1)
    right_rows = _left(space, flipped, mask_at, m)
    back = ids_of((batch, n, m)).transpose(1, 2).reshape(-1).numpy()
    rows.append(space.pick(right_rows, back))
    return space.unite(rows), mask


def _left(space: Workspace, a: Flow, mask: np.ndarray | None, n: int) -> Rows | None:
    """Return the rows that (batch, m, k) gives to its product with a (batch, k, n) matrix."""
    if a.rows is None:
        return None
    batch, m, k = a.shape
    if mask is None or np.count_nonzero(mask) * m > space.most:
        return mixed(space, a, (2,), (batch, m, n))
    b, inner, column = np.nonzero(mask)
    row = np.arange(m)[:, None]
    targets = (b * m + row) * n + column
    sources = (b * m + row) * k + inner
    shape = (batch * m * n, batch * m * k)
    return space.gather(a.rows, space.group(targets.reshape(-1), sources.reshape(-1), shape))


def _as_batch(flow: Flow, shape: tuple[int, ...]) -> Flow:
    return Flow(flow.form.reshape(shape), flow.rows, flow.value, flow.nonzero)


def _both(call: Call, a: Flow, b: Flow):
    if a.form.layout != torch.strided:
        return _sparse_product(call.space, a, b), None
    if b.form.layout != torch.strided:
        raise NoRule
    if a.form.dim() == 2:
        a = _as_batch(a, (1, *a.shape))
    if b.form.dim() == 1:
        b = _as_batch(b, (1, b.shape[0], 1))
    elif b.form.dim() == 2:
        b = _as_batch(b, (1, *b.shape))
    return product(call.space, a, b)


def _sparse_product(space: Workspace, matrix: Flow, dense: Flow) -> Rows | None:
    if matrix.value is None:
        raise NoRule
    if dense.rows is None:
        return None
    entries = matrix.value.to_sparse_coo().coalesce()
    row, column = entries.indices().cpu().numpy()
    n = dense.size // max(dense.shape[0], 1)
    each = np.arange(n)
    targets = (row[:, None] * n + each).reshape(-1)
    sources = (column[:, None] * n + each).reshape(-1)
    return space.gather(
        dense.rows, space.group(targets, sources, (matrix.shape[0] * n, dense.size))
    )


@rule("mm", "bmm", "mv")
def matrix_product(call: Call) -> Flow:
    """Multiply row by column, over the terms that may be non-zero."""
    return call.result(*_both(call, call.args[0], call.args[1]))


@rule("dot", "vdot")
def dot(call: Call) -> Flow:
    """Multiply one row by one column."""
    a, b = call.args
    return call.result(*_both(call, _as_batch(a, (1, 1, a.size)), b))


@rule("addmm", "baddbmm", "addmv", "_sparse_addmm")
def add_product(call: Call) -> Flow:
    """Unite a matrix product and a summand."""
    bias, a, b = call.args
    rows, _ = _both(call, a, b)
    return call.result(call.space.unite([rows, spread(call.space, bias, tuple(call.form.shape))]))
