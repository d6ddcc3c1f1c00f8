"""The functions and networks on which the answers to the exercises of notebook 06 are tried."""

from __future__ import annotations

import torch
from torch import nn

from ._tensors import numbers, rows


def line_fit(parameters, x, y):
    """Return the mean square of a line's errors, and the largest."""
    errors = parameters["slope"] * x + parameters["offset"] - y
    return (errors**2).mean(), {"largest error": errors.abs().max()}


def bent_fit(parameters, x, y):
    """Return the sum of squares of a tanh layer's errors, and the errors."""
    errors = torch.tanh(x @ parameters["weight"]) - y
    return (errors**2).sum(), errors


def one_sided(a, b):
    """Return a number of two vectors that changes when they are swapped."""
    return (a - 2 * b).abs().sum()


def bent(a, b):
    """Return a number of two vectors that is no inner product."""
    return torch.tanh(a @ b) + a[0] * b[0] ** 2


def half_square(p, x, y):
    """Return half the squared error of a line at one sample."""
    return (line(p, x) - y) ** 2 / 2


def logistic(p, x, y):
    """Return the logistic loss of a small network at one sample."""
    return nn.functional.softplus(-y * net(p, x))


def samples():
    """Return four samples and their labels."""
    xs = rows((2.0, 0.0), (1.0, -2.0), (3.0, 4.0), (-1.0, 2.0))
    return xs, numbers(1.0, -1.0, 1.0, -1.0)


def normed(layers):
    """Return a module, parameters and buffers that are not the module's own, and a batch."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = layers().double()
    parameters = {name: (p.detach() + 0.5).requires_grad_() for name, p in model.named_parameters()}
    buffers = {name: b + 2 for name, b in model.named_buffers()}
    return model, parameters, buffers, rows((1.0, 2.0), (0.5, -1.0), (3.0, 0.5))


def fit(p, x, y):
    """Return the mean square of a line's errors."""
    return ((p["w"] * x + p["b"] - y) ** 2).mean()


def deep(p, x, y):
    """Return the logistic loss of a small network."""
    return nn.functional.softplus(-y * (torch.tanh(x @ p["W"]) @ p["v"])).mean()


def tall(x):
    """Return 2n + 1 numbers of n."""
    return torch.cat([x**2, x.sin(), x.sum()[None]])


def one_more(x):
    """Return n + 1 numbers of n."""
    return torch.cat([x**2, x.sum()[None]])


def wide(x):
    """Return two numbers of n."""
    return torch.stack([(x**2).sum(), x.prod()])


def square_map(x):
    """Return as many numbers as it is given."""
    return x * x[0]


def line(p, x):
    """Return the output of a line at one sample."""
    return p["w"] @ x + p["b"][0]


def net(p, x):
    """Return the output of a small network at one sample."""
    return p["v"] @ torch.tanh(p["W"] @ x)
