"""Operations that move elements and change shapes."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .making import indices, mask, need, some_dim, unary


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
