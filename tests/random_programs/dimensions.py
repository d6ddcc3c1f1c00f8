"""Operations along dimensions: sums, sorting, normalisation, Fourier transforms."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .making import UNARY, need, some_dim, unary

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
