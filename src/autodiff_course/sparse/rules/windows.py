"""Rules for convolutions, for pooling, and for interpolation."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch

from ..domains import AbstractTensor, DomainAlgebra, IndexDomains
from ..record import Form
from .base import Call, NoRule, Rules, broadcast, reduce

rules = Rules()


class Window(NamedTuple):
    """Which input meets which weight in which output of a convolution."""

    outputs: np.ndarray
    inputs: np.ndarray
    weights: np.ndarray


def window(
    shape: tuple, weight: tuple, out: tuple, stride, padding, dilation, groups: int, most: int
) -> Window:
    """List all triples of a convolution, each tensor by the row-major numbers of its elements."""
    batch, channels = shape[:2]
    depth, kernel = weight[1], weight[2:]
    if batch * math.prod(out[1:]) * depth * math.prod(kernel) > most:
        raise NoRule
    ids_in = np.arange(math.prod(shape)).reshape(shape)
    ids_out = np.arange(math.prod(out)).reshape(out)
    ids_w = np.arange(math.prod(weight)).reshape(weight)
    per_group = out[1] // groups
    triples: list[tuple] = []
    for offset in itertools.product(*map(range, kernel)):
        where_out, where_in = [], []
        for d, o in enumerate(offset):
            position = np.arange(out[2 + d]) * stride[d] - padding[d] + o * dilation[d]
            inside = (position >= 0) & (position < shape[2 + d])
            where_out.append(np.nonzero(inside)[0])
            where_in.append(position[inside])
        for channel in range(out[1]):
            first = channel // per_group * depth
            o = ids_out[:, channel][np.ix_(range(batch), *where_out)]
            for c in range(depth):
                i = ids_in[:, first + c][np.ix_(range(batch), *where_in)]
                w = np.full(o.shape, ids_w[(channel, c, *offset)])
                triples.append((o.reshape(-1), i.reshape(-1), w.reshape(-1)))
    return Window(*(np.concatenate(part) for part in zip(*triples, strict=True)))


def _window_of(
    shape, weight, out, stride, padding, dilation, transposed: bool, groups: int, most: int
) -> Window:
    if not transposed:
        return window(shape, weight, out, stride, padding, dilation, groups, most)
    # The same triples as of the convolution that it transposes, read the other way.
    w = window(out, weight, shape, stride, padding, dilation, groups, most)
    return Window(w.inputs, w.outputs, w.weights)


def _through(
    algebra: DomainAlgebra,
    tensor: AbstractTensor,
    targets,
    sources,
    other: AbstractTensor,
    meets,
    count: int,
):
    """Carry rows along pairs, where the other factor may be non-zero."""
    if tensor.domains is None:
        return None
    if other.nonzero is not None:
        open_ = other.nonzero[meets]
        targets, sources = targets[open_], sources[open_]
    return algebra.union_over(
        tensor.domains, algebra.relation(targets, sources, (count, tensor.size))
    )


@rules.add("convolution")
def convolution(call: Call) -> AbstractTensor:
    """Let each output depend on the inputs in its window, and on the weights."""
    x, weight, bias, stride, padding, dilation, transposed, _, groups = call.args
    w = _window_of(x.shape, weight.shape, call.shape, stride, padding, dilation, transposed, groups,
                   call.algebra.most)  # fmt: skip
    size = math.prod(call.shape)
    rows = [
        _through(call.algebra, x, w.outputs, w.inputs, weight, w.weights, size),
        _through(call.algebra, weight, w.outputs, w.weights, x, w.inputs, size),
    ]
    if bias is not None and bias.domains is not None:
        shape = (1, bias.size) + (1,) * (len(call.shape) - 2)
        rows.append(broadcast(call.algebra, dataclasses.replace(bias, shape=shape), call.shape))
    return call.result(call.algebra.union(rows))


@rules.add("convolution_backward")
def convolution_backward(call: Call) -> tuple[AbstractTensor | None, ...]:
    """Transpose a convolution: by its input, its weights and its bias."""
    grad, x, weight, _, stride, padding, dilation, transposed, _, groups, wanted = call.args
    w = _window_of(x.shape, weight.shape, grad.shape, stride, padding, dilation, transposed, groups,
                   call.algebra.most)  # fmt: skip
    algebra = call.algebra

    def joined(
        a: AbstractTensor, ids_a, b: AbstractTensor, ids_b, targets, count: int
    ) -> IndexDomains | None:
        return algebra.union(
            [
                _through(algebra, a, targets, ids_a, b, ids_b, count),
                _through(algebra, b, targets, ids_b, a, ids_a, count),
            ]
        )

    by_input = joined(grad, w.outputs, weight, w.weights, w.inputs, x.size)
    by_weight = joined(grad, w.outputs, x, w.inputs, w.weights, weight.size)
    dims = tuple(d for d in range(len(grad.shape)) if d != 1)
    by_bias = reduce(algebra, grad, dims)
    return tuple(
        AbstractTensor(form, rows) if want and form is not None else None
        for form, rows, want in zip(call.form, (by_input, by_weight, by_bias), wanted, strict=True)
    )


# --- One dimension after the other ----------------------------------------------------------------

# For each dimension a matrix says which inputs meet which outputs; together they act as their
# Kronecker product.


def separable(
    call: Call, tensor: AbstractTensor, form: Form, factors: list[sp.csr_array], is_transposed: bool
) -> AbstractTensor:
    """Let each output depend on the inputs that it meets in every dimension."""
    lead = math.prod(tensor.shape[: -len(factors)])
    entries = lead * math.prod(factor.nnz for factor in factors)
    if entries > call.algebra.most:
        raise NoRule
    together = sp.eye_array(lead, dtype=bool, format="coo")
    for factor in factors:
        together = sp.kron(together, factor.T if is_transposed else factor, format="coo")
    groups = call.algebra.relation(together.row, together.col, together.shape)
    nonzero = None
    if tensor.nonzero is not None:
        nonzero = (groups @ tensor.nonzero.astype(np.int32)) > 0
    result = call._replace(form=form)
    return result.result(call.algebra.union_over(tensor.domains, groups), nonzero)


def _factor(out: int, size: int, pairs: Iterable[tuple[int, int]]) -> sp.csr_array:
    rows, columns = np.array(list(pairs), int).reshape(-1, 2).T
    return sp.csr_array((np.ones(len(rows), bool), (rows, columns)), shape=(out, size))


def _pool_factors(call: Call, first: int, inputs: tuple, outputs: tuple, count: int, dilated: bool):
    """Return the matrices of windows of a fixed size; its arguments begin at `first`."""
    kernel = _for_each(call.args[first], count)
    stride = _for_each(call.argument(first + 1, "stride") or kernel, count)
    padding = _for_each(call.argument(first + 2, "padding", 0), count)
    dilation = _for_each(call.argument(first + 3, "dilation", 1) if dilated else 1, count)
    return [
        _factor(out, size, (
            (o, o * s - p + k * d) for o in range(out) for k in range(length)
            if 0 <= o * s - p + k * d < size
        ))
        for out, size, length, s, p, d in zip(
            outputs[-count:], inputs[-count:], kernel, stride, padding, dilation, strict=True
        )
    ]  # fmt: skip


def _for_each(number: Any, count: int) -> list[int]:
    numbers = list(number) if isinstance(number, (list, tuple)) else [number]
    return numbers * count if len(numbers) == 1 else numbers


@rules.add("avg_pool2d", "avg_pool3d", "max_pool2d_with_indices", "max_pool3d_with_indices")
def pool(call: Call) -> Any:
    """Let each output depend on its window."""
    x, count, is_max = call.args[0], int(call.name.split("d")[0][-1]), call.name[0] == "m"
    form = call.form[0] if is_max else call.form
    factors = _pool_factors(call, 1, x.shape, form.shape, count, is_max)
    result = separable(call, x, form, factors, False)
    return (result, AbstractTensor(call.form[1])) if is_max else result


@rules.add("avg_pool2d_backward", "avg_pool3d_backward", "max_pool2d_with_indices_backward")
@rules.add("max_pool3d_with_indices_backward")
def pool_backward(call: Call) -> AbstractTensor:
    """Let each input depend on the windows that it lies in: where a maximum is, is not known."""
    grad, x = call.args[:2]
    count, is_max = int(call.name.split("d")[0][-1]), call.name[0] == "m"
    factors = _pool_factors(call, 2, x.shape, grad.shape, count, is_max)
    return separable(call, grad, call.form, factors, True)


def _adaptive_factors(inputs: tuple, outputs: tuple, count: int) -> list[sp.csr_array]:
    return [
        _factor(out, size, (
            (o, i) for o in range(out) for i in range(o * size // out, -(-(o + 1) * size // out))
        ))
        for out, size in zip(outputs[-count:], inputs[-count:], strict=True)
    ]  # fmt: skip


ADAPTIVE = ("_adaptive_avg_pool2d", "_adaptive_avg_pool3d")
ADAPTIVE += ("adaptive_max_pool2d", "adaptive_max_pool3d")


@rules.add(*ADAPTIVE)
def adaptive_pool(call: Call) -> Any:
    """Let each output depend on its window, whose size follows from the sizes."""
    x, is_max = call.args[0], "max" in call.name
    form = call.form[0] if is_max else call.form
    factors = _adaptive_factors(x.shape, form.shape, int(call.name[-2]))
    result = separable(call, x, form, factors, False)
    return (result, AbstractTensor(call.form[1])) if is_max else result


@rules.add(*(name + "_backward" for name in ADAPTIVE))
def adaptive_pool_backward(call: Call) -> AbstractTensor:
    """Let each input depend on the windows that it lies in."""
    grad, x = call.args[:2]
    count = int(call.name.removesuffix("_backward")[-2])
    return separable(call, grad, call.form, _adaptive_factors(x.shape, grad.shape, count), True)


RESIZES = {
    f"{prefix}upsample_{kind}{count}d{suffix}": count
    for prefix, kind, count, suffix in [
        *(("", "nearest", count, "") for count in (1, 2, 3)),
        *(("_", "nearest_exact", count, "") for count in (1, 2, 3)),
        *(("", "linear", 1, ""), ("", "bilinear", 2, ""), ("", "trilinear", 3, "")),
        *(("", "bicubic", 2, ""), ("_", "bilinear", 2, "_aa"), ("_", "bicubic", 2, "_aa")),
    ]
}


@rules.add(*RESIZES)
def resize(call: Call) -> AbstractTensor:
    """Let each output depend on the inputs that it is interpolated from."""
    x, out, *options = call.args
    factors = _resize_factors(call.name, x.shape, out, options)
    return separable(call, x, call.form, factors, False)


@rules.add(*(name + "_backward" for name in RESIZES))
def resize_backward(call: Call) -> AbstractTensor:
    """Let each input depend on the outputs that are interpolated from it."""
    grad, out, shape, *options = call.args
    factors = _resize_factors(call.name.removesuffix("_backward"), shape, out, options)
    return separable(call, grad, call.form, factors, True)


def _resize_factors(name: str, shape: tuple, out: Sequence[int], options: list):
    """Return the matrices of an interpolation, found by interpolating the unit vectors."""
    count = RESIZES[name]
    corners = 0 if "nearest" in name else 1  # whether the corners are aligned comes first
    options, scales = options[:corners], options[corners:]
    scales += [None] * (count - len(scales))  # what is left to its default is not recorded
    factors = []
    for d, size in enumerate(shape[-count:]):
        others = [1] * d, [1] * (count - d - 1)
        units = torch.eye(size, dtype=torch.float64).reshape(size, 1, *others[0], size, *others[1])
        one_scale = [scale if place == d else None for place, scale in enumerate(scales)]
        found = getattr(torch.ops.aten, name).default(
            units, [*others[0], out[d], *others[1]], *options, *one_scale
        )
        inputs, outputs = found.reshape(size, out[d]).nonzero(as_tuple=True)
        factors.append(_factor(out[d], size, zip(outputs.tolist(), inputs.tolist(), strict=True)))
    return factors
