"""The compressed matrix: one product with a sum of unit vectors for each colour."""

from __future__ import annotations

import functools
import time
import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .derivatives import Function, Recorded
from .program import batched, compile_recording, merged, split_by_direction
from .record import Recording
from .torch_internals import compiled, outside_this_package
from .variables import Layout

__all__ = ["Products"]

# Several directions at once save Python's time on small tensors, but fall out of the processor's
# cache on large ones.
BATCH_ELEMENTS = 100_000
# More directions do not follow each other in one graph: compiling takes about a second for each ...
MOST_IN_ONE_GRAPH = 16
# ... but they may be taken at once, if they fit into the processor's cache.
MOST_ELEMENTS_AT_ONCE = 1_000_000
RUNS_TO_COMPARE = 5


class Products:
    """Computes a matrix, or its transpose, times the sum of the unit vectors of each colour.

    Parameters
    ----------
    problem : Function
    recorded : Recorded
        Of one product, and of what is computed besides.
    domain, codomain : Layout
        Of the directions and of the products.
    colors : ndarray of int32, shape (domain.n,)
        The colour of each unit vector; -1 for one in no sum.
    count : int
        How many colours there are.
    compile : bool
        Whether to pass the computation through `torch.compile`.
    """

    def __init__(
        self,
        problem: Function,
        recorded: Recorded,
        domain: Layout,
        codomain: Layout,
        colors: np.ndarray,
        count: int,
        compile: bool = False,
    ):
        self.problem, self.domain, self.codomain = problem, domain, codomain
        self.count, self._compile = count, compile
        self.colors = torch.from_numpy(colors).to(domain.device)
        self._recorded = recorded
        self._split = split_by_direction(recorded.product, len(domain.sizes))
        self._batch: Callable | None = None
        self._seeds: Tensor | None = None
        self._width = 1
        self._whole: Callable | None = None
        #: Computes the products in another way, from x and the arguments.
        self.strategy: Callable[[Any, tuple | None], Tensor] | None = None
        self._compressed = torch.zeros((count, codomain.n), **problem.variables.like)

    @cached_property
    def _primal(self) -> Callable:
        return compile_recording(self._split[0])

    @cached_property
    def _primal_and_first(self) -> Callable:
        first = merged(self._recorded.first, self._recorded.aux)
        return compile_recording(merged(self._split[0], first))

    @cached_property
    def _tangent(self) -> Callable:
        """The program for one direction; not needed where they are taken several at a time."""
        return self._program(self._split[1])

    @cached_property
    def _seed(self) -> Tensor:
        return torch.empty(self.domain.n, **self.domain.like)

    def _program(self, recording: Recording) -> Callable:
        program = compile_recording(recording)
        return torch.compile(program) if self._compile else program

    @property
    def shares_primal(self) -> bool:
        """Whether the primal part is run by itself, so that something else can share it."""
        return self.strategy is None and self._whole is None and not self.is_constant

    @property
    def is_constant(self) -> bool:
        """Whether the matrix does not depend on x and the arguments, as where f is quadratic."""
        return self.strategy is None and not self._split[0].outputs

    def residuals(self, x: Any, args: tuple | None) -> tuple[Tensor, ...]:
        """Compute what all products at x share."""
        inputs = self.problem.inputs(x, args)
        with torch.no_grad():
            return self._primal(*inputs)

    def residuals_and_first(self, x: Any, args: tuple | None) -> tuple[tuple, tuple]:
        """Compute what all products at x share, and what was recorded besides."""
        inputs = self.problem.inputs(x, args)
        with torch.no_grad():
            found = self._primal_and_first(*inputs)
        count = len(self._split[0].outputs)
        return found[:count], found[count:]

    def product(self, residuals: Sequence[Tensor], vector: Tensor) -> Tensor:
        """Return the matrix times a vector, at the x to which the residuals belong."""
        result = torch.empty(self.codomain.n, **self.problem.variables.like)
        self._run(self._tangent, residuals, vector, result)
        return result

    def one_by_one(self, residuals: Sequence[Tensor], colors: range, results: Tensor) -> None:
        """Compute the products of some colours, each into a row of a tensor."""
        for color, result in zip(colors, results, strict=True):
            torch.eq(self.colors, color, out=self._seed)
            self._run(self._tangent, residuals, self._seed, result)

    def compress(self, x: Any, args: tuple | None) -> Tensor:
        """Compute all products at x, one row for each colour, by whoever is to compute them.

        The memory is used again next time.
        """
        if self.strategy is not None:
            return self.strategy(x, args)
        if self._whole is not None:
            with torch.no_grad():
                self._whole(*self._tensors(x, args))
            return self._compressed
        return self.all_of_them(self.residuals(x, args))

    def all_of_them(self, residuals: Sequence[Tensor]) -> Tensor:
        """Compute all products in this process."""
        if self._batch is None:
            self.one_by_one(residuals, range(self.count), self._compressed)
        else:
            for first in range(0, len(self._compressed), self._width):
                chosen = slice(first, first + self._width)
                self._run(self._batch, residuals, self._seeds[chosen], self._compressed[chosen])
        return self._compressed[: self.count]

    def release(self) -> None:
        """Free what only computing all the products needs."""
        self._batch = self._seeds = None
        self._compressed = self._compressed.new_empty(0)

    def prepare(self, x: Any) -> None:
        """Choose how to compute all the products of one matrix, and prepare for it."""
        if self._compile and self.count and not self.is_constant:
            self._compile_whole(x)
        if self._whole is None and self.count:
            self._prepare_batches(x)

    def _compile_whole(self, x: Any) -> None:
        """Compile everything, from x to the compressed matrix, as one graph, if it is not too long.

        The directions are taken at once, by `torch.vmap`, or follow each other in the graph.
        Neither is always faster, so both are measured. What the directions alone decide is computed
        beforehand if they are taken at once; if one after another, that would take more memory.
        """
        self._directions_together = self._directions(self.count)
        ways = [self._one_after_another] if self.count <= MOST_IN_ONE_GRAPH else []
        if self.count * self.domain.n <= MOST_ELEMENTS_AT_ONCE:
            many = self._batched(x, self._directions_together, fixed=True)
            ways += [functools.partial(self._at_once, many)] if many else []
        tensors, shortest = self._tensors(x, None), float("inf")
        try:
            for way in ways:
                with torch.no_grad():
                    program = compiled(way, tensors)
                    seconds = _shortest(program, tensors)
                if seconds < shortest:
                    shortest, self._whole = seconds, program
        except Exception as error:  # whatever it is, the eager way remains
            self._whole, self._compile = None, False
            warnings.warn(
                "compile=True: the compiler failed, so the products are computed without it; is "
                f"there a C++ compiler? ({type(error).__name__}: {str(error).strip()[:200]})",
                stacklevel=outside_this_package(),
            )

    def _tensors(self, x: Any, args: tuple | None) -> list[Tensor]:
        """Return what the whole is computed from, and into: inputs, directions, products."""
        return [*self.problem.inputs(x, args), self._directions_together, self._compressed]

    def _one_after_another(self, *tensors: Tensor) -> None:
        """Compute the products for all directions, each by itself, into the rows of a tensor."""
        *inputs, seeds, rows = tensors
        primal, tangent = self._split
        residuals = primal(*inputs)
        products = [tangent(*residuals, *self.domain.split(seed)) for seed in seeds]
        rows.view(-1).copy_(torch.cat([part.reshape(-1) for row in products for part in row]))

    def _at_once(self, many: Recording, *tensors: Tensor) -> None:
        """Compute the products for all directions together, into the rows of a tensor."""
        *inputs, _, rows = tensors
        parts = many(*self._split[0](*inputs))
        rows.copy_(torch.cat([part.reshape(self.count, -1) for part in parts], 1))

    def _directions(self, count: int) -> Tensor:
        wanted = torch.arange(count, device=self.colors.device)[:, None]
        return (self.colors == wanted).to(self.domain.dtype)

    def _batched(self, x: Any, seeds: Tensor, fixed: bool = False) -> Recording | None:
        """Record the tangent part for several directions at once, if vmap can do that."""
        try:
            return batched(self._split[1], self.residuals(x, None), self.domain.split(seeds), fixed)
        except (RuntimeError, NotImplementedError):
            return None

    def _prepare_batches(self, x: Any) -> None:
        """Take several directions at once, where that is faster."""
        most = max(self.domain.n, self.codomain.n, 1)
        fit = max(1, min(self.count, BATCH_ELEMENTS // most))
        if fit == 1:
            return
        batches = -(-self.count // fit)
        width = -(-self.count // batches)
        seeds = self._directions(batches * width)
        recording = self._batched(x, seeds[:width])
        if recording is None:  # one by one, then
            return
        self._batch, self._seeds, self._width = self._program(recording), seeds, width
        self._compressed = torch.zeros((len(seeds), self.codomain.n), **self.problem.variables.like)

    def _run(self, program: Callable, residuals, directions: Tensor, results: Tensor) -> None:
        with torch.no_grad():
            parts = program(*residuals, *self.domain.split(directions))
            for target, part in zip(self.codomain.split(results), parts, strict=True):
                target.copy_(part)


def _shortest(program: Callable, tensors: Sequence[Tensor]) -> float:
    """Return the shortest time in seconds of a few runs, after one that is not counted."""
    times = []
    for _ in range(RUNS_TO_COMPARE + 1):
        start = time.perf_counter()
        program(*tensors)
        times.append(time.perf_counter() - start)
    return min(times[1:])
