"""Operations on each element for itself."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .making import UNARY, mask, numbers, unary

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
