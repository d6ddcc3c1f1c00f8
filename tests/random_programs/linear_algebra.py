"""Products, solutions and factorisations of matrices."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .making import DTYPE, UNARY, need, numbers, unary


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
