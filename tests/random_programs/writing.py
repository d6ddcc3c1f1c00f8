"""Operations that write into tensors."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .making import indices, mask, need, numbers, some_dim, unary


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
