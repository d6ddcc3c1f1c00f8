"""The compressed Hessian: one Hessian-vector product for each colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .coloring import Coloring
from .derivatives import Problem
from .program import batched, compile_recording, split_by_direction
from .record import Recording

__all__ = ["Products"]

# Several directions at once save Python's time on small tensors, but fall out of the processor's
# cache on large ones.
BATCH_ELEMENTS = 100_000


class Products:
    """Computes the Hessian times the sum of the unit vectors of each colour.

    Parameters
    ----------
    problem : Problem
    product : Recording
        Of one product.
    coloring : Coloring
    compile : bool
        Whether to pass the tangent part through `torch.compile`.
    """

    def __init__(self, problem: Problem, product: Recording, coloring: Coloring, compile: bool):
        self.problem, self._compile = problem, compile
        self.n, self.count = problem.variables.n, coloring.count
        self.like = {"dtype": problem.variables.dtype, "device": problem.variables.device}
        self.colors = torch.from_numpy(coloring.colors).to(problem.variables.device)
        primal, self._recorded_tangent = split_by_direction(product, len(problem.variables.sizes))
        self._primal = compile_recording(primal)
        self._batch: Callable | None = None
        self._seeds: Tensor | None = None
        self._width = 1
        self._compressed = torch.zeros((self.count, self.n), **self.like)

    @cached_property
    def _tangent(self) -> Callable:
        """The program for one direction; not needed where they are taken several at a time."""
        return self._program(self._recorded_tangent)

    def _program(self, recording: Recording) -> Callable:
        program = compile_recording(recording)
        return torch.compile(program) if self._compile else program

    def residuals(self, x: Any, args: tuple | None) -> tuple[Tensor, ...]:
        """Compute what all products at x share."""
        leaves = self.problem.variables.leaves(x)
        with torch.no_grad():
            return self._primal(*leaves, *self.problem.arguments.tensors(args))

    def product(self, x: Any, vector: Tensor, args: tuple | None) -> Tensor:
        """Return the Hessian at x times a vector."""
        result = torch.empty_like(vector)
        self._run(self._tangent, self.residuals(x, args), vector, result)
        return result

    def one_by_one(self, residuals: Sequence[Tensor], colors: range, results: Tensor) -> None:
        """Compute the products of some colours, each into a row of a tensor."""
        for color, result in zip(colors, results, strict=True):
            self._run(self._tangent, residuals, (self.colors == color).to(result.dtype), result)

    def compress(self, x: Any, args: tuple | None) -> Tensor:
        """Compute all products, one row for each colour; the memory is used again next time."""
        residuals = self.residuals(x, args)
        if self._batch is None:
            self.one_by_one(residuals, range(self.count), self._compressed)
        else:
            for first in range(0, len(self._compressed), self._width):
                chosen = slice(first, first + self._width)
                self._run(self._batch, residuals, self._seeds[chosen], self._compressed[chosen])
        return self._compressed

    def prepare_batches(self, x: Any) -> None:
        """Record the tangent part for several directions at once, where that is faster."""
        fit = max(1, min(self.count, BATCH_ELEMENTS // max(self.n, 1)))
        if fit == 1:
            return
        batches = -(-self.count // fit)
        width = -(-self.count // batches)
        wanted = torch.arange(batches * width, device=self.colors.device)[:, None]
        seeds = (self.colors == wanted).to(self.like["dtype"])
        split = self.problem.variables.split
        residuals = self.residuals(x, None)
        try:
            recording = batched(self._recorded_tangent, residuals, split(seeds[:width]))
        except (RuntimeError, NotImplementedError):  # vmap cannot do it: one by one, then
            return
        self._batch, self._seeds, self._width = self._program(recording), seeds, width
        self._compressed = torch.zeros_like(seeds)

    def _run(self, program: Callable, residuals, directions: Tensor, results: Tensor) -> None:
        split = self.problem.variables.split
        with torch.no_grad():
            parts = program(*residuals, *split(directions))
            for target, part in zip(split(results), parts, strict=True):
                target.copy_(part)
