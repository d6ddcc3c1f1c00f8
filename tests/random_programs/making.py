"""What makers of operations share: how they are registered, and what they draw at random."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
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
