"""Programs: operations put together at random."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .making import BINARY, DTYPE, MOST, SHAPES, UNARY, NotHere


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
