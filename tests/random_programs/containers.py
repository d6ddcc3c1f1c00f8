"""Loops, containers, and derivatives inside of functions."""

from __future__ import annotations

import torch

from .making import need, unary


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
