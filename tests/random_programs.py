"""Random functions of tensors, put together from the operations that the sparse engine knows.

A program is a list of steps, each on one or two earlier results, and a way to make one number of
the last. `Program.random` chooses operations, sizes and indices; the same seed gives the same one.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

MOST = 48  # elements of a result
SHAPES = [
    (6,),
    (8,),
    (2, 3),
    (3, 2),
    (1, 5),
    (4, 1),
    (2, 2, 2),
    (2, 1, 3),
    (4, 4),
    (2, 2, 3),
    (3, 3),
]
DTYPE = torch.float64


class NotHere(Exception):
    """An operation that cannot be done on the tensors at hand."""


Maker = Callable[..., Callable[..., Tensor]]
UNARY: dict[str, Maker] = {}
BINARY: dict[str, Maker] = {}


def unary(function: Maker) -> Maker:
    """Register a maker: from a random generator and a tensor it makes a function of tensors."""
    UNARY[function.__name__.strip("_")] = function
    return function


def binary(function: Maker) -> Maker:
    """Register a maker of a function of two tensors."""
    BINARY[function.__name__.strip("_")] = function
    return function


def need(condition: Any) -> None:
    """Give the operation up unless the condition holds."""
    if not condition:
        raise NotHere


def numbers(r: random.Random, *shape: int, zeros: float = 0.0) -> Tensor:
    """Return random numbers, some of them zero."""
    generator = torch.Generator().manual_seed(r.getrandbits(31))
    found = torch.randn(shape, generator=generator, dtype=DTYPE)
    return found * (torch.rand(shape, generator=generator) >= zeros)


def indices(r: random.Random, below: int, *shape: int) -> Tensor:
    """Return random indices."""
    need(below)
    return torch.randint(below, shape, generator=torch.Generator().manual_seed(r.getrandbits(31)))


def mask(r: random.Random, *shape: int) -> Tensor:
    """Return a random mask that is true somewhere."""
    found = numbers(r, *shape) > 0
    need(found.any())
    return found


def some_dim(r: random.Random, t: Tensor) -> int:
    """Choose a dimension, counted from either end."""
    need(t.dim())
    return r.randrange(-t.dim(), t.dim())


# --- Element by element ---------------------------------------------------------------------------

SIMPLE = {
    "sin": torch.sin,
    "cos": torch.cos,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "exp": lambda t: (0.3 * t).exp(),
    "square": torch.square,
    "cube": lambda t: t**3,
    "pow_1": lambda t: t.pow(1),
    "pow_0": lambda t: t.pow(0),
    "neg": torch.neg,
    "sqrt": lambda t: (1 + t**2).sqrt(),
    "rsqrt": lambda t: (1 + t**2).rsqrt(),
    "log": lambda t: (2 + t**2).log(),
    "log1p": lambda t: (t**2).log1p(),
    "reciprocal": lambda t: (2 + t**2).reciprocal(),
    "expm1": lambda t: (t / 3).expm1(),
    "atan": torch.atan,
    "asinh": torch.asinh,
    "erf": torch.erf,
    "lgamma": lambda t: (1 + t**2).lgamma(),
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
    "mish": F.mish,
    "selu": F.selu,
    "celu": F.celu,
    "softplus": F.softplus,
    "hardtanh": F.hardtanh,
    "hardswish": F.hardswish,
    "logsigmoid": F.logsigmoid,
    "softsign": F.softsign,
    "abs": torch.abs,
    "tanhshrink": F.tanhshrink,
    "softshrink": F.softshrink,
    "hardshrink": F.hardshrink,
    "clamp": lambda t: t.clamp(-0.4, 0.5),
    "clamp_min": lambda t: t.clamp(min=0.1),
    "sign": lambda t: t.sign() * t,
    "round": lambda t: t.round() * t,
    "floor": lambda t: t - t.floor(),
    "frac": lambda t: t.frac() ** 2,
    "remainder": lambda t: (t % 0.7) * t,
    "sinc": torch.sinc,
    "nan_to_num": torch.nan_to_num,
    "times_zero": lambda t: t * 0.0 + t,
    "clone": torch.clone,
    "double_where": lambda t: torch.where(t > 0, t, 1.0).log() * t,
    "threshold": lambda t: F.threshold(t, 0.1, 0.2),
    "where_value": lambda t: torch.where(t > 0.1, t**2, t),
    "contiguous": lambda t: t.contiguous(),
    "float32": lambda t: t.float().double() * t,
    "ones_like": lambda t: torch.ones_like(t) * t,
    "xlogy": lambda t: torch.xlogy(t, 2 + t**2),
    "logit": lambda t: torch.sigmoid(t).logit(),
    "addcmul": lambda t: torch.addcmul(t, t, t, value=0.5),
    "i0": lambda t: torch.special.i0(t),
    "empty_sum": lambda t: t + t[..., :0].sum(),
}
for _name, _function in SIMPLE.items():
    UNARY[_name] = lambda r, t, function=_function: function


@unary
def times_constant(r, t):
    c = numbers(r, *t.shape, zeros=0.4)
    return lambda t: t * c


@unary
def broadcast_constant(r, t):
    c = numbers(r, r.randint(1, 2), *(r.choice([1, size]) for size in t.shape), zeros=0.2)
    return lambda t: t * c + c


@unary
def where_constant(r, t):
    m = mask(r, *t.shape)
    return lambda t: torch.where(m, t**2, 0.5)


@unary
def masked_fill(r, t):
    m = mask(r, *t.shape)
    return lambda t: t.masked_fill(m, 0.3)


@unary
def prelu(r, t):
    w = numbers(r, 1)
    return lambda t: F.prelu(t, w)


# --- Another order, another shape -----------------------------------------------------------------


@unary
def reshape(r, t):
    n = t.numel()
    first = r.choice([d for d in range(1, n + 1) if n % d == 0])
    rest = n // first
    second = r.choice([d for d in range(1, rest + 1) if rest % d == 0])
    shape = r.choice([(first, rest), (first, second, rest // second), (n,), (-1, second)])
    return lambda t: t.reshape(shape)


@unary
def view(r, t):
    need(t.is_contiguous())
    return lambda t: t.view(-1)


@unary
def transpose(r, t):
    a, b = some_dim(r, t), some_dim(r, t)
    return lambda t: t.transpose(a, b)


@unary
def permute(r, t):
    order = r.sample(range(t.dim()), t.dim())
    return lambda t: t.permute(order)


@unary
def unsqueeze(r, t):
    need(t.dim() < 5)
    d = r.randint(0, t.dim())
    return lambda t: t.unsqueeze(d)


@unary
def squeeze(r, t):
    return lambda t: t.squeeze()


@unary
def expand(r, t):
    shape = (r.randint(1, 3), *(2 if size == 1 else size for size in t.shape))
    return lambda t: t.expand(shape)


@unary
def as_strided(r, t):
    need(t.numel() > 3)
    last = t.numel() // 2
    return lambda t: t.contiguous().as_strided((last, 2), (1, r_stride(t)), 0)


def r_stride(t):
    return t.numel() - t.numel() // 2


@unary
def unfold(r, t):
    d = some_dim(r, t)
    size = r.randint(1, min(3, t.shape[d]))
    step = r.randint(1, 2)
    return lambda t: t.unfold(d, size, step)


@unary
def diagonal(r, t):
    need(t.dim() > 1)
    return lambda t: t.diagonal(dim1=-2, dim2=-1)


@unary
def slice_(r, t):
    d = some_dim(r, t)
    start, step = r.randrange(t.shape[d]), r.randint(1, 2)
    where = [slice(None)] * t.dim()
    where[d] = slice(start, None, step)
    return lambda t: t[tuple(where)]


@unary
def select(r, t):
    d = some_dim(r, t)
    i = r.randrange(t.shape[d])
    return lambda t: t.select(d, i)


@unary
def flip(r, t):
    d = some_dim(r, t)
    return lambda t: t.flip(d)


@unary
def roll(r, t):
    d = some_dim(r, t)
    return lambda t: t.roll(1, d) * t


@unary
def repeat(r, t):
    times = [r.randint(1, 2) for _ in t.shape]
    need(times)
    return lambda t: t.repeat(times)


@unary
def repeat_interleave(r, t):
    d = some_dim(r, t)
    return lambda t: t.repeat_interleave(2, d)


@unary
def split_and_cat(r, t):
    d = some_dim(r, t)
    return lambda t: torch.cat([p * k for k, p in enumerate(t.split(2, d), 1)][::-1], d)


@unary
def chunk_and_stack(r, t):
    d = some_dim(r, t)
    need(t.shape[d] % 2 == 0)
    return lambda t: torch.stack(t.chunk(2, d), -1)


@unary
def unbind(r, t):
    d = some_dim(r, t)
    return lambda t: sum(part**k for k, part in enumerate(t.unbind(d), 1))


@unary
def pad(r, t):
    need(t.dim())
    amount = (r.randint(0, 2), r.randint(0, 2))
    value = r.choice([0.0, 0.5])
    return lambda t: F.pad(t, amount, value=value) + F.pad(t, amount)


@unary
def pad_by_elements(r, t):
    mode = r.choice(["reflect", "replicate", "circular"])
    need(t.dim() in (2, 3) and t.shape[-1] > 1)
    return lambda t: F.pad(t, (1, 1), mode=mode)


@unary
def rot90(r, t):
    need(t.dim() > 1)
    return lambda t: t.rot90(1, (0, 1))


@unary
def tril(r, t):
    need(t.dim() > 1)
    k = r.randint(-1, 1)
    name = r.choice(["tril", "triu"])
    return lambda t: getattr(t, name)(k)


@unary
def diag_embed(r, t):
    need(t.dim() < 3)
    return lambda t: torch.diag_embed(t)


@unary
def index_list(r, t):
    need(t.dim())
    i = indices(r, t.shape[0], 3)
    return lambda t: t[i]


@unary
def index_two_lists(r, t):
    need(t.dim() > 1)
    i, j = indices(r, t.shape[0], 3), indices(r, t.shape[1], 2, 1)
    return lambda t: t[i, j]


@unary
def index_mask(r, t):
    m = mask(r, *t.shape)
    return lambda t: t[m]


@unary
def masked_select(r, t):
    m = mask(r, *t.shape)
    return lambda t: t.masked_select(m)


@unary
def gather(r, t):
    d = some_dim(r, t)
    shape = list(t.shape)
    shape[d] = 2
    i = indices(r, t.shape[d], *shape)
    return lambda t: t.gather(d, i)


@unary
def take(r, t):
    i = indices(r, t.numel(), 2, 2)
    return lambda t: t.take(i)


@unary
def index_select(r, t):
    d = some_dim(r, t)
    i = indices(r, t.shape[d], 3)
    return lambda t: t.index_select(d, i)


@unary
def embedding(r, t):
    need(t.dim() == 2)
    i = indices(r, t.shape[0], 3)
    return lambda t: F.embedding(i, t)


@unary
def as_complex(r, t):
    need(t.dim() and t.shape[-1] == 2)
    return lambda t: (torch.view_as_complex(t.contiguous()) ** 2).abs()


@unary
def complex_parts(r, t):
    return lambda t: (torch.complex(t, t.sin()) ** 2).imag


@unary
def gather_by_value(r, t):
    d = some_dim(r, t)
    return lambda t: t.gather(d, t.argsort(d))


@unary
def argmax_mask(r, t):
    need(t.dim())
    return lambda t: t * (t == t.max())


# --- Writing --------------------------------------------------------------------------------------


@unary
def write_slice(r, t):
    need(t.dim() and t.shape[0] > 1)

    def f(t):
        y = t.clone()
        y[1:] = y[1:] * t[:-1]
        return y

    return f


@unary
def write_into_zeros(r, t):
    need(t.dim())
    i = torch.randperm(t.shape[0], generator=torch.Generator().manual_seed(r.getrandbits(31)))
    keep = i[: max(1, len(i) - 1)]

    def f(t):
        y = torch.zeros_like(t)
        y[keep] = t[keep] ** 2
        y.add_(t, alpha=0.5)
        return y

    return f


@unary
def write_through_view(r, t):
    need(t.dim() > 1)

    def f(t):
        y = t * 2
        y.transpose(0, 1)[0].mul_(t[0, 0])
        y.view(-1)[::2].sin_()
        return y

    return f


@unary
def write_in_place(r, t):
    c = numbers(r, *t.shape, zeros=0.3)

    def f(t):
        y = t.sin()
        y += c
        y.mul_(t).sub_(c).tanh_()
        return y

    return f


@unary
def write_mask(r, t):
    m = mask(r, *t.shape)

    def f(t):
        y = t.clone()
        y[m] = 0.0
        return y + t * 0.5

    return f


@unary
def write_diagonal(r, t):
    need(t.dim() == 2)

    def f(t):
        y = t.exp().clone()
        y.diagonal().copy_(t.diagonal() ** 2)
        return y

    return f


@unary
def write_buffer(r, t):
    need(t.dim())

    def f(t):
        y = torch.empty(t.shape[0], dtype=t.dtype)
        total = t[0].sum() * 0
        for i in range(t.shape[0]):
            total = total + t[i].sum() ** 2
            y[i] = total
        return y

    return f


@unary
def write_tensor(r, t):
    def f(t):
        y = torch.tensor([1.0, 2.0, 3.0], dtype=t.dtype)
        y[1] = t.sum()
        y[2] *= y[1]
        return y

    return f


@unary
def index_put(r, t):
    need(t.dim())
    i = indices(r, 3, t.shape[0])
    return lambda t: t.new_zeros(3, *t.shape[1:]).index_put((i,), t, accumulate=True)


@unary
def index_put_once(r, t):
    need(t.dim())
    i = indices(r, t.shape[0], 1)
    return lambda t: t.index_put((i,), t[:1] ** 2)


@unary
def index_add(r, t):
    d = some_dim(r, t)
    i = indices(r, t.shape[d], t.shape[d])
    return lambda t: t.cos().index_add(d, i, t)


@unary
def index_copy(r, t):
    d = some_dim(r, t)
    i = indices(r, t.shape[d], 1)
    return lambda t: t.index_copy(d, i, t.narrow(d, 0, 1) ** 2)


@unary
def index_fill(r, t):
    d = some_dim(r, t)
    i = indices(r, t.shape[d], 1)
    return lambda t: t.index_fill(d, i, 0.4)


@unary
def scatter(r, t):
    d = some_dim(r, t)
    i = indices(r, t.shape[d], *t.shape)
    return lambda t: torch.zeros_like(t).scatter_add(d, i, t)


@unary
def scatter_once(r, t):
    d = some_dim(r, t)
    shape = list(t.shape)
    shape[d] = 1
    i = indices(r, t.shape[d], *shape)
    return lambda t: t.scatter(d, i, t**2)


@unary
def scatter_reduce(r, t):
    need(t.dim() == 1)
    how = r.choice(["sum", "mean", "amax", "amin"])
    i = indices(r, 3, t.shape[0])
    return lambda t: torch.ones(3, dtype=t.dtype).scatter_reduce(0, i, t, how)


@unary
def slice_scatter(r, t):
    need(t.dim() and t.shape[0] > 1)
    return lambda t: t.slice_scatter(t[1:] ** 2, 0, 0, t.shape[0] - 1)


@unary
def select_scatter(r, t):
    need(t.dim())
    return lambda t: t.select_scatter(t[0] ** 2, 0, -1)


@unary
def masked_scatter(r, t):
    m = mask(r, *t.shape)
    return lambda t: t.masked_scatter(m, (t**2).contiguous())


@unary
def put(r, t):
    i = indices(r, t.numel(), 2)
    return lambda t: t.put(i[:1], t.reshape(-1)[:1] ** 2)


@unary
def max_unpool(r, t):
    need(t.dim() == 1 and t.numel() % 2 == 0)
    return lambda t: F.pad(F.max_pool1d(t[None, None], 2)[0, 0], (0, 1))


# --- Along dimensions -----------------------------------------------------------------------------

REDUCTIONS = ["sum", "mean", "prod", "amax", "amin", "logsumexp", "nansum", "norm"]
CUMULATIVE = ["cumsum", "cumprod", "logcumsumexp", "softmax", "log_softmax"]
for _name in REDUCTIONS:

    def _reduction(r, t, name=_name):
        d, keepdim = some_dim(r, t), r.random() < 0.5
        return lambda t: getattr(t, name)(dim=d, keepdim=keepdim)  # fmt: skip

    UNARY[_name] = _reduction
for _name in CUMULATIVE:

    def _cumulative(r, t, name=_name):
        d = some_dim(r, t)
        return lambda t: getattr(t, name)(d)  # fmt: skip

    UNARY[_name] = _cumulative
for _name in ["max", "min", "median", "cummax", "cummin", "sort"]:

    def _extreme(r, t, name=_name):
        d = some_dim(r, t)
        return lambda t: getattr(t, name)(d).values  # fmt: skip

    UNARY[_name + "_values"] = _extreme
for _name in ["sum", "mean", "prod", "max", "min", "median", "norm", "std", "logsumexp"]:

    def _total(r, t, name=_name):
        need(t.numel() > 1)
        if name == "logsumexp":
            return lambda t: t.logsumexp(tuple(range(t.dim())))
        return lambda t: getattr(t, name)()  # fmt: skip

    UNARY[_name + "_of_all"] = _total


@unary
def var(r, t):
    d = some_dim(r, t)
    need(t.shape[d] > 1)
    return lambda t: t.var(d, keepdim=True) + t


@unary
def sum_keepdim_times(r, t):
    d = some_dim(r, t)
    return lambda t: t.sum(d, keepdim=True) * t


@unary
def sum_two_dims(r, t):
    need(t.dim() > 2)
    return lambda t: t.sum((0, -1))


@unary
def topk(r, t):
    d = some_dim(r, t)
    need(t.shape[d] > 1)
    return lambda t: t.topk(2, d).values


@unary
def kthvalue(r, t):
    d = some_dim(r, t)
    return lambda t: t.kthvalue(1, d).values


@unary
def diff(r, t):
    d = some_dim(r, t)
    need(t.shape[d] > 1)
    return lambda t: t.diff(dim=d)


@unary
def layer_norm(r, t):
    need(t.dim() and t.shape[-1] > 1)
    return lambda t: F.layer_norm(t, t.shape[-1:])


@unary
def group_norm(r, t):
    need(t.dim() == 3 and t.shape[1] % 2 == 0 and t.shape[1] * t.shape[2] > 2)
    return lambda t: F.group_norm(t, 2)


@unary
def batch_norm(r, t):
    need(t.dim() == 2 and t.shape[0] > 1)
    return lambda t: F.batch_norm(t, None, None, training=True)


@unary
def normalize(r, t):
    d = some_dim(r, t)
    return lambda t: F.normalize(t + 0.1, dim=d)


@unary
def fft(r, t):
    d = some_dim(r, t)
    return lambda t: torch.fft.fft(t, dim=d).real


@unary
def rfft(r, t):
    need(t.dim() and t.shape[-1] > 1)
    n = t.shape[-1]
    return lambda t: torch.fft.irfft(torch.fft.rfft(t) ** 2, n=n)


# --- Windows --------------------------------------------------------------------------------------


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


# --- Linear algebra -------------------------------------------------------------------------------


@unary
def matrix_times(r, t):
    need(t.dim())
    a = numbers(r, 3, t.shape[0], zeros=0.5)
    return lambda t: torch.tensordot(a, t, 1)


@unary
def times_matrix(r, t):
    need(t.dim())
    a = numbers(r, t.shape[-1], 2, zeros=0.3)
    return lambda t: t @ a


@unary
def sparse_times(r, t):
    need(t.dim() == 2)
    a = numbers(r, 3, t.shape[0], zeros=0.5).to_sparse()
    return lambda t: torch.sparse.mm(a, t)


@unary
def gram(r, t):
    need(t.dim() > 1)
    return lambda t: t @ t.mT


@unary
def linear(r, t):
    need(t.dim())
    w, b = numbers(r, 2, t.shape[-1]), numbers(r, 2)
    return lambda t: F.linear(t, w, b)


@unary
def outer(r, t):
    need(t.dim() == 1 and t.numel() < 7)
    return lambda t: torch.outer(t, t.sin())


@unary
def einsum(r, t):
    need(t.dim() == 3)
    return lambda t: torch.einsum("bij,bkj->bik", t, t.cos())


@unary
def kron(r, t):
    need(t.numel() < 7)
    return lambda t: torch.kron(t, t.new_tensor([1.0, 2.0]) if t.dim() < 2 else t[:1, :1])


@unary
def cross(r, t):
    need(t.dim() and t.shape[-1] == 3)
    return lambda t: torch.linalg.cross(t, t.sin())


@unary
def cosine_similarity(r, t):
    need(t.dim() > 1)
    return lambda t: F.cosine_similarity(t, t.flip(0) + 1, dim=-1)


MATRICES = {
    "inv": torch.linalg.inv,
    "det": torch.linalg.det,
    "logdet": torch.logdet,
    "slogdet": lambda m: torch.linalg.slogdet(m).logabsdet,
    "solve": lambda m: torch.linalg.solve(m, m.mT + 1),
    "matrix_exp": lambda m: torch.matrix_exp(m / 3),
    "solve_vector": lambda m: torch.linalg.solve(m, m[..., 0] + 1),
    "solve_left": lambda m: torch.linalg.solve(m, m[..., :1, :], left=False),
    "cholesky": lambda m: torch.linalg.cholesky(m @ m.mT),
    "cholesky_solve": lambda m: torch.cholesky_solve(m, torch.linalg.cholesky(m @ m.mT)),
    "triangular": lambda m: torch.linalg.solve_triangular(m.tril(), m, upper=False),
    "eigvalsh": lambda m: torch.linalg.eigvalsh(m + m.mT + torch.arange(m.shape[-1]).diag()),
    "svdvals": lambda m: torch.linalg.svdvals(m + torch.arange(m.shape[-1]).diag()),
    "qr": lambda m: torch.linalg.qr(m).R,
    "lu": lambda m: torch.linalg.lu(m).U,
    "pinv": torch.linalg.pinv,
    "matrix_power": lambda m: torch.linalg.matrix_power(m, -2),
    "matrix_norm": lambda m: torch.linalg.matrix_norm(m),
    "lu_solve": lambda m: torch.linalg.lu_solve(*torch.linalg.lu_factor(m), m + 1),
}
for _name, _function in MATRICES.items():

    def _matrices(r, t, function=_function):
        size = r.choice([2, 2, 3])
        need(t.numel() % size**2 == 0 and t.numel() // size**2 < 5)
        eye = 3 * torch.eye(size, dtype=DTYPE)
        return lambda t: function(0.3 * t.reshape(-1, size, size).tanh() + eye)

    UNARY[_name] = _matrices


@unary
def trace(r, t):
    need(t.dim() == 2)
    return lambda t: t.trace()


@unary
def solve_shared(r, t):
    need(t.dim() == 1 and t.numel() >= 6)
    eye = 3 * torch.eye(2, dtype=DTYPE)
    return lambda t: torch.linalg.solve(
        0.3 * t[:4].reshape(2, 2).tanh() + eye, t[4:6, None].expand(2, 2, 1)
    )


# --- Python and containers ------------------------------------------------------------------------


@unary
def loop(r, t):
    need(t.dim())
    turns = r.randint(2, 5)

    def f(t):
        y = t
        for k in range(turns):
            y = y + 0.1 * torch.sin(y * (k + 1)) * y.roll(1, 0)
        return y

    return f


@unary
def fixed_point(r, t):
    def f(t):
        y, k = t, 0
        while k < 4:
            y, k = y - 0.2 * (y**3 + y - t), k + 1
        return y

    return f


@unary
def list_of_rows(r, t):
    need(t.dim())
    return lambda t: torch.stack([row * row.sum() for row in t])


@unary
def dictionary(r, t):
    def f(t):
        parts = {"a": t.sin(), "b": (t**2, t.sum())}
        return parts["a"] * parts["b"][0] + parts["b"][1]

    return f


@unary
def vmap(r, t):
    need(t.dim())
    return lambda t: torch.vmap(lambda row: row.sin() * row.sum())(t)


@unary
def inner_gradient(r, t):
    return lambda t: torch.func.grad(lambda s: (s**3).sum() + s.prod())(t)


@unary
def inner_jvp(r, t):
    return lambda t: torch.func.jvp(torch.sin, (t,), (t.cos(),))[1]


@unary
def checkpoint(r, t):
    return lambda t: torch.utils.checkpoint.checkpoint(
        lambda s: s.sin() * s, t, use_reentrant=False
    )


class Cube(torch.autograd.Function):
    """A custom function whose backward can be differentiated."""

    @staticmethod
    def forward(ctx, t):
        """Return the cube."""
        ctx.save_for_backward(t)
        return t**3

    @staticmethod
    def backward(ctx, grad):
        """Multiply by the derivative."""
        (t,) = ctx.saved_tensors
        return 3 * t**2 * grad


@unary
def custom_function(r, t):
    return lambda t: Cube.apply(t)


# --- Two tensors ----------------------------------------------------------------------------------

PAIRS = {
    "add": torch.add,
    "mul": torch.mul,
    "sub": lambda a, b: torch.sub(a, b, alpha=0.5),
    "div": lambda a, b: a / (2 + b**2),
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "atan2": lambda a, b: torch.atan2(a, b + 3),
    "hypot": lambda a, b: torch.hypot(a, b + 3),
    "where": lambda a, b: torch.where(a > b, a, b**2),
    "lerp": lambda a, b: torch.lerp(a, b, 0.3),
    "lerp_tensor": lambda a, b: torch.lerp(a, b, b.sin()),
    "logaddexp": torch.logaddexp,
    "pow": lambda a, b: (1 + a**2) ** b.tanh(),
    "addcdiv": lambda a, b: torch.addcdiv(a, a, 2 + b**2),
    "clamp_by": lambda a, b: a.clamp(max=b),
    "mse": lambda a, b: F.mse_loss(*torch.broadcast_tensors(a, b)),
    "huber": lambda a, b: F.huber_loss(*torch.broadcast_tensors(a, b), reduction="none"),
    "smooth_l1": lambda a, b: F.smooth_l1_loss(*torch.broadcast_tensors(a, b)),
    "matmul": torch.matmul,
    "cat": lambda a, b: torch.cat([a.reshape(-1), b.reshape(-1)]),
    "dot": lambda a, b: torch.dot(a.reshape(-1)[:2], b.reshape(-1)[:2]),
    "copysign": lambda a, b: torch.copysign(a, b),
    "xlogy_two": lambda a, b: torch.xlogy(a, 2 + b**2),
    "baddbmm": lambda a, b: torch.baddbmm(a, a, b),
    "write_two": lambda a, b: write_two(a, b),
}
for _name, _function in PAIRS.items():
    BINARY[_name] = lambda r, a, b, function=_function: function


def write_two(a: Tensor, b: Tensor) -> Tensor:
    """Write one tensor into another."""
    y = a.clone()
    y.mul_(b)
    y.view(-1)[:1].copy_(b.reshape(-1)[:1])
    return y


# --- Programs -------------------------------------------------------------------------------------


@dataclass
class Program:
    """A function of x.

    Attributes
    ----------
    names : list of str
        The operations.
    shapes : list of tuple
        Of the tensors of x.
    function : callable
        From the list of tensors of x to a tensor.
    """

    names: list[str]
    shapes: list[tuple[int, ...]]
    function: Callable[[list[Tensor]], Tensor]

    def __call__(self, x: Any) -> Tensor:
        """Run it, and add up the numbers that it returns."""
        return self.vector(x).sum()

    def vector(self, x: Any) -> Tensor:
        """Run it."""
        return self.function(list(x.values()) if isinstance(x, dict) else list(x))

    def points(self, count: int, seed: int = 0) -> list[list[Tensor]]:
        """Return some x."""
        generator = torch.Generator().manual_seed(seed)
        return [
            [torch.randn(s, generator=generator, dtype=DTYPE) * 0.7 for s in self.shapes]
            for _ in range(count)
        ]

    @classmethod
    def random(cls, seed: int, steps: int | None = None) -> Program:
        """Put operations together until so many fit each other."""
        r = random.Random(seed)
        shapes = [r.choice(SHAPES) for _ in range(r.choice([1, 1, 1, 2]))]
        program = cls([], shapes, lambda x: x[0])
        (example,) = program.points(1, seed)
        results, made = list(example), []
        wanted = r.choice([1, 1, 2, 3, 4, 5]) if steps is None else steps
        for _ in range(200):
            if len(made) == wanted:
                break
            step = _random_step(r, results)
            if step is not None:
                made.append(step)
                results.append(step.run(results))
        last = r.choice([torch.square, torch.sin, lambda t: t**3, lambda t: (1 + t**2).log()])
        joined = r.random() < 0.3 and results[0].shape == results[-1].shape

        def function(x: list[Tensor]) -> Tensor:
            results = list(x)
            for step in made:
                results.append(step.run(results))
            y = results[-1]
            return last(y * results[0] if joined else y)

        return cls([step.name for step in made], shapes, function)


@dataclass
class Step:
    """One operation on earlier results."""

    name: str
    function: Callable[..., Tensor]
    sources: list[int]
    scale: float = 1.0

    def run(self, results: list[Tensor]) -> Tensor:
        """Do it; a factor keeps the numbers moderate."""
        y = self.function(*(results[source] for source in self.sources))
        return y if self.scale == 1.0 else y * self.scale


def _random_step(r: random.Random, results: list[Tensor]) -> Step | None:
    """Choose an operation and its arguments; None if they do not fit."""
    pair = r.random() < 0.2
    name = r.choice(list(BINARY if pair else UNARY))
    # Mostly the last result, so that operations act on each other.
    sources = [len(results) - 1 if r.random() < 0.7 else r.randrange(len(results))]
    if pair:
        others = [place for place in range(len(results)) if place != sources[0]]
        if not others:
            return None
        sources.append(r.choice(others))
        r.shuffle(sources)
    tensors = [results[source] for source in sources]
    try:
        function = (BINARY if pair else UNARY)[name](r, *tensors)
        y = function(*tensors)
    except (NotHere, RuntimeError, IndexError, ValueError):
        return None  # PyTorch itself refuses these shapes
    if not 0 < y.numel() <= MOST or y.dtype != DTYPE or not torch.isfinite(y).all():
        return None
    size = float(y.abs().max())
    return Step(name, function, sources, 2 / size if size > 4 else 1.0)
