"""Rules for operations along dimensions: sums, extremes, sorting, cumulative operations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..domains import AbstractTensor, IndexDomains, element_numbers
from ..record import Form
from .base import Call, NoRule, Rules, dims_of, reduce, reduce_and_broadcast
from .elementwise import elementwise

rules = Rules()


@rules.add("sum", "nansum")
def total(call: Call) -> AbstractTensor:
    """Unite along dimensions; a sum is zero if all its terms are."""
    source = call.args[0]
    dims = dims_of(call.argument(1, "dim"), len(source.shape))
    nonzero = None
    if source.nonzero is not None:
        nonzero = source.nonzero.reshape(source.shape).any(axis=dims).reshape(-1)
    return call.result(reduce(call.algebra, source, dims), nonzero)


@rules.add("mean", "prod", "amax", "amin", "logsumexp", "var", "std", "linalg_vector_norm", "norm")
def reduction(call: Call) -> AbstractTensor:
    """Let each result depend on all that was reduce to it."""
    source = call.args[0]
    name, overload = call.name, str(call.target)
    if name in ("linalg_vector_norm", "norm"):
        dims = call.argument(2, "dim")
    elif name in ("mean", "prod") and overload.endswith("default"):
        dims = None
    else:
        dims = call.argument(1, "dim")
    dims = dims_of(dims if not isinstance(dims, bool) else None, len(source.shape))
    domains = reduce(call.algebra, source, dims)
    if domains is not None and domains.matrix.shape[0] != math.prod(call.shape):
        raise NoRule
    return call.result(domains)


@rules.add("max", "min", "median", "nanmedian")
def extreme(call: Call) -> Any:
    """Let the result be any element: which one is not known beforehand."""
    source = call.args[0]
    if not isinstance(call.form, Form):
        dims = dims_of(call.args[1], len(source.shape))
        return _with_forms(call, reduce(call.algebra, source, dims))
    if len(call.tensors) > 1:
        return elementwise(call)
    return call.result(reduce(call.algebra, source, dims_of(None, len(source.shape))))


def _with_forms(call: Call, domains: IndexDomains | None) -> tuple[AbstractTensor, ...]:
    """Give the first result its domains; the others are positions."""
    first, *others = call.form
    return (AbstractTensor(first, domains), *(AbstractTensor(form) for form in others))


@rules.add("sort", "topk", "kthvalue", "mode")
def choice(call: Call) -> Any:
    """Let each result be any element along the dimension."""
    source = call.args[0]
    name = call.name
    position = {"topk": 2, "kthvalue": 2}.get(name, 1)
    if "stable" in str(call.target) and name == "sort":
        dim = call.kwargs.get("dim", call.args[2] if len(call.args) > 2 else -1)
    else:
        dim = call.argument(position, "dim", -1)
    if not source.shape:
        return _with_forms(call, source.domains)
    dims = dims_of(dim, len(source.shape))
    shape = tuple(call.form[0].shape)
    if len(shape) < len(source.shape):
        return _with_forms(call, reduce(call.algebra, source, dims))
    return _with_forms(call, reduce_and_broadcast(call.algebra, source, dims, shape))


@rules.add("_softmax", "_log_softmax", "_fft_r2c", "_fft_c2r", "_fft_c2c")
def along(call: Call) -> AbstractTensor:
    """Let each result depend on all along the dimensions."""
    source = call.args[0]
    if not source.shape:
        return call.result(source.domains)
    dims = dims_of(call.args[1], len(source.shape))
    return call.result(reduce_and_broadcast(call.algebra, source, dims, call.shape))


@rules.add("_softmax_backward_data", "_log_softmax_backward_data")
def softmax_backward(call: Call) -> AbstractTensor:
    """Mix both arguments along the dimension."""
    shape = call.shape
    if not shape:
        return elementwise(call)
    dims = dims_of(call.args[2], len(shape))
    return call.result(
        call.algebra.union(
            [reduce_and_broadcast(call.algebra, a, dims, shape) for a in call.args[:2]]
        )
    )


@rules.add("cumsum", "cumprod", "logcumsumexp", "cummax", "cummin")
def cumulative(call: Call) -> Any:
    """Let each result depend on the elements up to its own place."""
    source = call.args[0]
    if not isinstance(call.form, Form):
        first, positions = call.form
        return cumulative(call._replace(form=first)), AbstractTensor(positions)
    if not source.shape or source.domains is None:
        return call.result(source.domains)
    dim = call.args[1] % len(source.shape)
    length = source.shape[dim]
    if length * source.size > call.algebra.most:
        return along(call)
    places = element_numbers(source.shape, 0).movedim(dim, -1).reshape(-1, length).numpy()
    later, earlier = np.tril_indices(length)
    targets, sources = places[:, later].reshape(-1), places[:, earlier].reshape(-1)
    groups = call.algebra.relation(targets, sources, (source.size, source.size))
    return call.result(call.algebra.union_over(source.domains, groups))
