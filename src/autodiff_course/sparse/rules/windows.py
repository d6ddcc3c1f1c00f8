"""Rules for convolutions and averages over windows."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np

from ..domains import AbstractTensor, DomainAlgebra, IndexDomains
from .base import Call, NoRule, Rules, broadcast, reduce

__all__ = ["rules"]

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


def _through(
    space: DomainAlgebra,
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
    return space.union_over(tensor.domains, space.relation(targets, sources, (count, tensor.size)))


@rules.add("convolution")
def convolution(call: Call) -> AbstractTensor:
    """Let each output depend on the inputs in its window, and on the weights."""
    x, weight, bias, stride, padding, dilation, transposed, _, groups = call.args
    if transposed:
        # The same triples as of the convolution that it transposes, read the other way.
        w = window(call.shape, weight.shape, x.shape, stride, padding, dilation, groups,
                   call.space.most)  # fmt: skip
        w = Window(w.inputs, w.outputs, w.weights)
    else:
        w = window(x.shape, weight.shape, call.shape, stride, padding, dilation, groups,
                   call.space.most)  # fmt: skip
    size = math.prod(call.shape)
    rows = [
        _through(call.space, x, w.outputs, w.inputs, weight, w.weights, size),
        _through(call.space, weight, w.outputs, w.weights, x, w.inputs, size),
    ]
    if bias is not None and bias.domains is not None:
        form = (1, bias.size) + (1,) * (len(call.shape) - 2)
        rows.append(
            broadcast(call.space, AbstractTensor(bias.form.reshape(form), bias.domains), call.shape)
        )
    return call.result(call.space.union(rows))


def _pool_window(call: Call, x: tuple, out: tuple) -> Window:
    """List which input meets which output of an average over windows."""
    first = 1 if call.name.endswith("_backward") else 0
    kernel, stride = call.args[first + 1], call.argument(first + 2, "stride") or ()
    stride = stride or kernel
    padding = call.argument(first + 3, "padding") or [0] * len(kernel)
    lead = math.prod(x[: -len(kernel)])
    shape, form = (lead, 1, *x[-len(kernel) :]), (lead, 1, *out[-len(kernel) :])
    ones = [1] * len(kernel)
    return window(shape, (1, 1, *kernel), form, stride, padding, ones, 1, call.space.most)


@rules.add("avg_pool2d", "avg_pool3d")
def average_pool(call: Call) -> AbstractTensor:
    """Let each output depend on its window."""
    x, out = call.args[0], call.shape
    w = _pool_window(call, x.shape, out)
    groups = call.space.relation(w.outputs, w.inputs, (math.prod(out), x.size))
    return call.result(call.space.union_over(x.domains, groups))


@rules.add("avg_pool2d_backward", "avg_pool3d_backward")
def average_pool_backward(call: Call) -> AbstractTensor:
    """Let each input depend on the windows that it lies in."""
    grad, x = call.args[0], call.shape
    w = _pool_window(call, x, grad.shape)
    groups = call.space.relation(w.inputs, w.outputs, (math.prod(x), grad.size))
    return call.result(call.space.union_over(grad.domains, groups))


@rules.add("convolution_backward")
def convolution_backward(call: Call) -> tuple[AbstractTensor | None, ...]:
    """Transpose a convolution: by its input, its weights and its bias."""
    grad, x, weight, _, stride, padding, dilation, transposed, _, groups, wanted = call.args
    if transposed:
        raise NoRule
    w = window(
        x.shape, weight.shape, grad.shape, stride, padding, dilation, groups, call.space.most
    )
    space = call.space

    def joined(
        a: AbstractTensor, ids_a, b: AbstractTensor, ids_b, targets, count: int
    ) -> IndexDomains | None:
        return space.union(
            [
                _through(space, a, targets, ids_a, b, ids_b, count),
                _through(space, b, targets, ids_b, a, ids_a, count),
            ]
        )

    by_input = joined(grad, w.outputs, weight, w.weights, w.inputs, x.size)
    by_weight = joined(grad, w.outputs, x, w.inputs, w.weights, weight.size)
    dims = tuple(d for d in range(len(grad.shape)) if d != 1)
    by_bias = reduce(space, grad, dims)
    return tuple(
        AbstractTensor(form, rows) if want and form is not None else None
        for form, rows, want in zip(call.form, (by_input, by_weight, by_bias), wanted, strict=True)
    )
