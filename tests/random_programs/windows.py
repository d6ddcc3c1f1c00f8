"""Operations on windows of images: convolutions, pooling, interpolation."""

from __future__ import annotations

import random

import torch.nn.functional as F
from torch import Tensor

from .making import UNARY, need, numbers, unary


def image(r: random.Random, t: Tensor, dims: int) -> tuple[int, ...]:
    """Choose a shape (batch, channels, ...) with so many dimensions in space for a tensor."""
    n = t.numel()
    shapes = []
    for batch in (1, 2):
        for channels in (1, 2):
            rest = n // (batch * channels)
            if batch * channels * rest == n:
                sides = {1: [(rest,)], 2: [(d, rest // d) for d in range(2, rest) if rest % d == 0],
                         3: [(2, 2, rest // 4)] if rest % 4 == 0 else []}[dims]  # fmt: skip
                shapes += [(batch, channels, *s) for s in sides if min(s) > 1]
    need(shapes)
    return r.choice(shapes)


@unary
def convolution(r, t):
    dims = r.choice([1, 1, 2, 3])
    shape = image(r, t, dims)
    groups = r.choice([1, shape[1]])
    w = numbers(r, 2, shape[1] // groups, *([2] * dims), zeros=0.3)
    options = {"stride": r.randint(1, 2), "padding": r.randint(0, 1), "groups": groups}
    f = [F.conv1d, F.conv2d, F.conv3d][dims - 1]
    return lambda t: f(t.reshape(shape), w, **options)


@unary
def dilated_convolution(r, t):
    shape = image(r, t, 1)
    need(shape[-1] > 2)
    w, b = numbers(r, 1, shape[1], 2), numbers(r, 1)
    return lambda t: F.conv1d(t.reshape(shape), w, b, dilation=2)


@unary
def convolution_by_itself(r, t):
    need(t.numel() > 3 and t.is_contiguous())
    return lambda t: F.conv1d(
        t.reshape(1, 1, -1), t.reshape(-1)[:2].reshape(1, 1, 2), t.reshape(-1)[:1]
    )


@unary
def transposed_convolution(r, t):
    dims = r.choice([1, 2])
    shape = image(r, t, dims)
    w = numbers(r, shape[1], 1, *([2] * dims), zeros=0.3)
    options = {"stride": r.randint(1, 2), "padding": r.randint(0, 1)}
    f = [F.conv_transpose1d, F.conv_transpose2d][dims - 1]
    return lambda t: f(t.reshape(shape), w, **options)


@unary
def transposed_convolution_by_itself(r, t):
    need(t.numel() > 3)
    return lambda t: F.conv_transpose1d(t.reshape(1, 1, -1), t.reshape(-1)[:2].reshape(1, 1, 2))


POOLS = {
    "avg_pool": (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d),
    "max_pool": (F.max_pool1d, F.max_pool2d, F.max_pool3d),
}
for _name, _functions in POOLS.items():

    def _pool(r, t, functions=_functions):
        dims = r.choice([1, 2, 3])
        shape = image(r, t, dims)
        options = {"stride": r.choice([1, 2, None]), "padding": r.randint(0, 1)}
        return lambda t: functions[dims - 1](t.reshape(shape), 2, **options)

    UNARY[_name] = _pool
ADAPTIVE = {
    "adaptive_avg_pool": (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d),
    "adaptive_max_pool": (F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d),
}
for _name, _functions in ADAPTIVE.items():

    def _adaptive(r, t, functions=_functions):
        dims = r.choice([1, 2, 3])
        shape = image(r, t, dims)
        size = r.randint(1, 3)
        return lambda t: functions[dims - 1](t.reshape(shape), size)

    UNARY[_name] = _adaptive
MODES = {
    "nearest": (1, 2, 3),
    "nearest-exact": (1, 2),
    "linear": (1,),
    "bilinear": (2,),
    "bicubic": (2,),
    "trilinear": (3,),
}
for _name, _dims in MODES.items():

    def _interpolate(r, t, mode=_name, dims=_dims):
        shape = image(r, t, r.choice(dims))
        options = {"scale_factor": 1.5} if r.random() < 0.5 else {"size": [3] * (len(shape) - 2)}
        if mode.endswith(("linear", "cubic")):
            options["align_corners"] = r.random() < 0.5
        return lambda t: F.interpolate(t.reshape(shape), mode=mode, **options)

    UNARY["interpolate_" + _name] = _interpolate


@unary
def im2col(r, t):
    shape = image(r, t, 2)
    return lambda t: F.unfold(t.reshape(shape), 2)


@unary
def col2im(r, t):
    need(t.numel() == 16)
    return lambda t: F.fold(t.reshape(1, 4, 4), 3, 2)


@unary
def pixel_shuffle(r, t):
    need(t.numel() % 4 == 0)
    return lambda t: F.pixel_shuffle(t.reshape(1, 4, 1, -1), 2)
