"""Gradient descent with an adaptive step, random restarts and a history of everything.

`descend` minimises any differentiable objective of one tensor. How the iterate moves is its
``method``: an `AdaptiveStep`, which changes its one step length after every evaluation, or any
optimiser of `torch.optim`. Both leave the same `Result`, so that methods can be compared.

The file is in the order in which the data flows: what a run returns, how a method moves, and the
run itself. How an objective is evaluated stands in `autodiff_course.evaluating`.
"""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from autodiff_course.evaluating import (
    Eager,
    Evaluator,
    NotReplayable,
    Objective,
    Replay,
    first_evaluation,
    kind_of,
)

__all__ = ["AdaptiveStep", "History", "Reason", "Result", "descend", "relative_noise"]

Jump = Callable[[Tensor, int, torch.Generator], Tensor]
StopRule = Callable[[Tensor, float, Tensor], bool]
OptimiserFactory = Callable[[list[Tensor]], torch.optim.Optimizer]

ROWS_PER_CHUNK = 512  # few enough that what an iteration makes stays in the cache
BYTES_PER_CHUNK = 64 * 2**20  # large tensors: chunks of fewer rows
MOVES_UNTIL_STUCK = 10  # an optimiser that changes no bit so often in a row has come to rest
SECONDS_UNTIL_BAR = 2.0
SECONDS_PER_REFRESH = 0.1


# --- What a run returns ---------------------------------------------------------------------------


class Reason(enum.StrEnum):
    """Why a run stopped.

    Each member equals its lower-case name as a string: ``result.reason == "target"``.
    """

    TARGET = "target"  #: the value fell below ``target``
    RULE = "rule"  #: ``stop_when`` returned true
    ITERATIONS = "iterations"  #: ``max_iterations`` were made
    STALLED = "stalled"  #: the step became too small and no restart was left, or nothing moved
    NOT_FINITE = "not_finite"  #: the objective became NaN or infinite
    INTERRUPTED = "interrupted"  #: the run was interrupted from outside (Ctrl-C, interrupt kernel)


@dataclass(frozen=True)
class History:
    """What happened, one row per evaluated iterate; row 0 is the start.

    Attributes
    ----------
    value : numpy.ndarray of float64, shape (rows,)
        The objective at each iterate, in the objective's unit.
    step : numpy.ndarray of float64, shape (rows,)
        The step with which the run left the row, or would have: for `AdaptiveStep`, row k + 1 lies
        at ``iterate[k] - step[k] * gradient[k]``, except where a restart or an undone step stands
        between them. For an optimiser, its learning rate.
    restarts : numpy.ndarray of int64, shape (number of restarts,)
        The rows that a random jump led to, in ascending order.
    iterate, gradient : torch.Tensor, shape (rows, *shape of start), dtype of start; or None
        The iterates and the gradients there. None if the run was told not to keep them.
    """

    value: np.ndarray
    step: np.ndarray
    restarts: np.ndarray
    iterate: Tensor | None = field(repr=False)
    gradient: Tensor | None = field(repr=False)

    def __len__(self) -> int:
        """Return the number of rows: the iterations and the start."""
        return len(self.value)


@dataclass(frozen=True)
class Result:
    """The best iterate of a run, and why the run stopped.

    Attributes
    ----------
    iterate : torch.Tensor
        The iterate with the lowest value; after `Reason.RULE`, the one that met the rule. It has
        the shape, dtype and device of the start, and shares no memory with it.
    value : float
        The objective at `iterate`.
    history : History
        One row per iterate.
    reason : Reason
        Why the run stopped.
    message : str
        The reason as a sentence with its numbers.
    iterations : int
        How often the iterate was moved and evaluated: ``len(history) - 1``.
    restarts : int
        How many random jumps were made.
    evaluations : int
        How often value and gradient were computed. With `AdaptiveStep` that is once per iteration
        and once for the start; an optimiser with a line search needs more. The comparisons that
        ``replay=True`` makes are not counted.
    """

    iterate: Tensor
    value: float
    history: History
    reason: Reason
    message: str
    iterations: int
    restarts: int
    evaluations: int


class _Row(NamedTuple):
    number: int
    value: float
    step: float
    jumped: bool
    iterate: Tensor | None
    gradient: Tensor | None


class _Log:
    """Rows of the history, kept as they come and packed chunk by chunk.

    Appending a tuple to a list is all that an iteration pays. It is also one indivisible act, so an
    interrupt never leaves half a row.
    """

    def __init__(self, like: Tensor, keep_tensors: bool):
        self.like = like
        self.keep_tensors = keep_tensors
        self.rows: list[_Row] = []
        self.chunks: list[tuple] = []
        bytes_per_row = 2 * like.numel() * like.element_size() if keep_tensors else 1
        self.rows_per_chunk = max(1, min(ROWS_PER_CHUNK, BYTES_PER_CHUNK // bytes_per_row))

    def append(self, number, value, step, jumped, iterate, gradient) -> None:
        if not self.keep_tensors:
            iterate = gradient = None
        self.rows.append((number, value, step, jumped, iterate, gradient))
        if len(self.rows) >= self.rows_per_chunk:
            self.pack()

    def pack(self) -> None:
        # An interrupt may have come between the two last lines of an earlier call: rows that are
        # already in a chunk are left out.
        packed = sum(len(chunk[0]) for chunk in self.chunks)
        rows = [_Row(*row) for row in self.rows if row[0] >= packed]
        if rows:
            columns = [np.array([row[i] for row in rows]) for i in (1, 2, 3)]
            if self.keep_tensors:
                columns.append(torch.stack([row.iterate for row in rows]))
                columns.append(torch.stack([row.gradient for row in rows]))
            self.chunks.append(tuple(columns))
        self.rows = []

    def is_empty(self) -> bool:
        return not (self.rows or self.chunks)

    def history(self) -> History:
        self.pack()
        value, step, jumped, *tensors = zip(*self.chunks, strict=True)
        iterate, gradient = (torch.cat(chunks) for chunks in tensors) if tensors else (None, None)
        return History(
            value=np.concatenate(value),
            step=np.concatenate(step),
            restarts=np.flatnonzero(np.concatenate(jumped)),
            iterate=iterate,
            gradient=gradient,
        )


# --- How a method moves ---------------------------------------------------------------------------


def relative_noise(
    iterate: Tensor, number: int, generator: torch.Generator, scale: float = 0.1
) -> Tensor:
    """Shake every element by a normal random fraction of itself, less at every restart.

    Parameters
    ----------
    iterate : torch.Tensor
        Where the run stands. It is left as it is.
    number : int
        Which restart this is, from 1 on.
    generator : torch.Generator
        Where the random numbers come from; on the device of `iterate`.
    scale : float, optional
        The standard deviation of the fraction at the first restart; at restart j it is
        ``scale / j``.

    Returns
    -------
    torch.Tensor
        ``iterate + iterate * N(0, 1) * scale / number``. An element that is 0 stays 0.

    Examples
    --------
    >>> relative_noise(torch.ones(2), 1, torch.Generator().manual_seed(0), scale=0.0)
    tensor([1., 1.])
    """
    noise = torch.randn(
        iterate.shape, generator=generator, dtype=iterate.dtype, device=iterate.device
    )
    return iterate + iterate * noise * (scale / number)


@dataclass(frozen=True)
class AdaptiveStep:
    """Settings of gradient descent with one step length that adapts itself.

    The iterate moves by minus step times gradient. Then the step is multiplied by `grow` where the
    value fell, and by `shrink` where it did not. Once the step is below `smallest`, the iterate
    jumps to a random place nearby and the step starts anew, `restarts` times at most.

    Parameters
    ----------
    step : float, optional
        The first step, positive; its unit is that of the iterate over that of the gradient.
    grow, shrink : float, optional
        The factors, ``grow >= 1`` and ``0 < shrink <= 1``. With both at 1 the step is fixed.
    smallest : float, optional
        The step below which the run has stalled; positive and below `step`.
    restarts : int, optional
        How many random jumps are allowed before a stalled run stops.
    jump : callable, optional
        ``jump(iterate, number, generator)`` returns where restart ``number`` (from 1 on) goes, as a
        new tensor of the same shape and dtype.
    on_rise : {"keep", "undo"}, optional
        What happens to a move that did not lower the value. ``"keep"``: nothing, the next move
        starts there; only the step changes. ``"undo"``: the next move starts again from the best
        iterate since the last restart, with that gradient.
    stale_restarts : bool, optional
        If true, a restart does not evaluate the place it jumped to: the first move from there uses
        the value and the gradient from before the jump. That saves one evaluation and gives a
        direction that belongs to another place; it is here so that an algorithm that does this can
        be studied.

    Raises
    ------
    TypeError
        If a setting has the wrong type.
    ValueError
        If a setting is out of its range.

    Examples
    --------
    >>> AdaptiveStep(grow=0.9)
    Traceback (most recent call last):
    ValueError: grow must be a finite number >= 1, but it is 0.9
    """

    step: float = 0.01
    grow: float = 1.2
    shrink: float = 0.5
    smallest: float = 1e-10
    restarts: int = 0
    jump: Jump = relative_noise
    on_rise: Literal["keep", "undo"] = "keep"
    stale_restarts: bool = False

    def __post_init__(self) -> None:
        """Check every setting."""
        _check_number("step", self.step, "> 0", lambda x: x > 0)
        _check_number("grow", self.grow, ">= 1", lambda x: x >= 1)
        _check_number("shrink", self.shrink, "> 0 and <= 1", lambda x: 0 < x <= 1)
        below = f"> 0 and below step ({self.step:g})"
        _check_number("smallest", self.smallest, below, lambda x: 0 < x < self.step)
        _check_count("restarts", self.restarts, 0)
        if not callable(self.jump):
            raise TypeError(f"jump must be callable, but it is {kind_of(self.jump)}")
        if self.on_rise not in ("keep", "undo"):
            raise ValueError(f'on_rise must be "keep" or "undo", but it is {self.on_rise!r}')


def _check_number(name: str, value: Any, range_: str, holds: Callable[[float], bool]) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number {range_}, but it is {kind_of(value)}")
    if not (math.isfinite(value) and holds(value)):
        raise ValueError(f"{name} must be a finite number {range_}, but it is {value!r}")


def _check_count(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number >= {least}, but it is {kind_of(value)}")
    if value < least:
        raise ValueError(f"{name} must be >= {least}, but it is {value}")


class _Mover(Protocol):
    """What moves the iterate: it is shown every evaluated iterate, then asked for the next."""

    step: float
    jumped: bool  # whether the last move was, or began with, a random jump
    stalled: str  # why there is no next iterate; empty while there is one

    def observe(self, value: float, iterate: Tensor, gradient: Tensor) -> None: ...

    def move(self) -> Tensor: ...


class _AdaptiveMover:
    """Move along the negative gradient and adapt the step."""

    def __init__(self, settings: AdaptiveStep, generator: torch.Generator):
        self.settings = settings
        self.generator = generator
        self.step = settings.step
        self.restarts = 0
        self.jumped = False
        self.stalled = ""
        self.value: float | None = None  # None: there is nothing to compare the next value with
        self.landing: Tensor | None = None  # where a jump led, if it is still to be evaluated

    def observe(self, value: float, iterate: Tensor, gradient: Tensor) -> None:
        self.jumped = False
        if self.value is None:
            self.value, self.iterate, self.gradient = value, iterate, gradient
            return
        fell = value < self.value
        self.step *= self.settings.grow if fell else self.settings.shrink
        if fell or self.settings.on_rise == "keep":
            self.value, self.iterate, self.gradient = value, iterate, gradient
        if self.step < self.settings.smallest:
            self.restart()

    def restart(self) -> None:
        settings = self.settings
        if self.restarts == settings.restarts:
            self.stalled = (
                f"the step fell below {settings.smallest:g} and "
                f"{'all' if settings.restarts else 'no'} restarts were "
                f"{f'used ({settings.restarts})' if settings.restarts else 'allowed'}"
            )
            return
        self.restarts += 1
        landing = settings.jump(self.iterate.clone(), self.restarts, self.generator)
        _check_landing(landing, self.iterate)
        self.jumped = True
        self.step = settings.step
        if settings.stale_restarts:
            self.iterate = landing
        else:
            self.landing, self.value = landing, None

    def move(self) -> Tensor:
        if self.landing is not None:
            landing, self.landing = self.landing, None
            return landing
        return torch.sub(self.iterate, self.gradient, alpha=self.step)


def _check_landing(landing: Any, iterate: Tensor) -> None:
    if not isinstance(landing, Tensor):
        raise TypeError(f"jump must return a tensor, but it returned {kind_of(landing)}")
    if landing.shape != iterate.shape or landing.dtype != iterate.dtype:
        raise ValueError(
            f"jump must return shape {tuple(iterate.shape)} and {iterate.dtype}, but it returned "
            f"shape {tuple(landing.shape)} and {landing.dtype}"
        )


class _OptimiserMover:
    """Let an optimiser of torch.optim move the iterate."""

    jumped = False

    def __init__(self, factory: OptimiserFactory, start: Tensor, evaluate: Evaluator):
        self.parameter = torch.nn.Parameter(start.clone())
        self.evaluate = evaluate
        self.optimiser = factory([self.parameter])
        _check_optimiser(self.optimiser, self.parameter)
        self.stalled = ""
        self.moves_without_change = 0

    @property
    def step(self) -> float:
        return float(self.optimiser.param_groups[0].get("lr", math.nan))

    def observe(self, value: float, iterate: Tensor, gradient: Tensor) -> None:
        self.known = value, iterate, gradient

    def closure(self) -> Tensor:
        """Evaluate where the optimiser put the parameter, which is where it stood at first."""
        value, iterate, gradient = self.known
        place = self.parameter.detach()
        if not torch.equal(place, iterate):
            value, gradient = self.evaluate(place.clone())
        # A copy, because an optimiser may change .grad in place.
        self.parameter.grad = gradient.clone()
        return torch.tensor(value, dtype=torch.float64)

    def move(self) -> Tensor:
        _, before, _ = self.known
        self.optimiser.step(self.closure)
        after = self.parameter.detach().clone()
        self.moves_without_change = (
            self.moves_without_change + 1 if torch.equal(before, after) else 0
        )
        if self.moves_without_change == MOVES_UNTIL_STUCK:
            self.stalled = f"the optimiser left the iterate unchanged {MOVES_UNTIL_STUCK} times"
        return after


def _check_optimiser(optimiser: Any, parameter: Tensor) -> None:
    if not isinstance(optimiser, torch.optim.Optimizer):
        raise TypeError(
            "method must be an AdaptiveStep or a callable that takes a list of parameters and "
            f"returns a torch.optim.Optimizer, but it returned {kind_of(optimiser)}"
        )
    held = [thing for group in optimiser.param_groups for thing in group["params"]]
    if len(held) != 1 or held[0] is not parameter:
        raise ValueError("method must make an optimiser of exactly the parameters it is given")


# --- The run --------------------------------------------------------------------------------------


def descend(
    objective: Objective,
    start: Tensor,
    method: AdaptiveStep | OptimiserFactory | None = None,
    *,
    target: float | None = None,
    stop_when: StopRule | None = None,
    max_iterations: int = 100_000,
    generator: torch.Generator | None = None,
    keep_tensors: bool = True,
    replay: bool = False,
    progress: bool | None = None,
) -> Result:
    """Minimise a differentiable objective of one tensor.

    Parameters
    ----------
    objective : callable
        Takes a tensor with the shape, dtype and device of `start` and returns a scalar tensor that
        depends on it through differentiable operations.
    start : torch.Tensor
        Where to begin: any shape, real floating point, finite. It is never changed.
    method : AdaptiveStep or callable, optional
        How the iterate moves; ``AdaptiveStep()`` if left out. A callable takes a list with one
        parameter and returns an optimiser of it, for example
        ``lambda parameters: torch.optim.Adam(parameters, lr=0.1)``. One call of the optimiser's
        ``step`` is one iteration.
    target : float, optional
        Stop once the value is below it.
    stop_when : callable, optional
        Stop once ``stop_when(iterate, value, gradient)`` is true. It gets a tensor, a float and a
        tensor, after every evaluation, the one at the start included, and must leave the tensors as
        they are.
    max_iterations : int, optional
        Stop after so many iterations.
    generator : torch.Generator, optional
        The random numbers of the restarts, on the device of `start`. If left out, a new generator
        with seed 0: the same call gives the same result. The global generator is not used.
    keep_tensors : bool, optional
        Whether the history keeps iterates and gradients, which takes twice the bytes of `start` per
        iteration. Values and steps are always kept.
    replay : bool, optional
        For speed on small tensors, where most of an evaluation's time goes into recording the graph
        and walking through it. If true, the operations of one evaluation (the objective's and
        those of its gradient) are recorded once and then replayed without calling `objective`. The
        numbers are the same. It needs an objective that performs the same operations at every
        call: no Python ``if`` on a value, no random numbers, no in-place change of a tensor from
        elsewhere, nothing computed outside torch. What can be recognised is refused. The rest is
        found out by comparing: in evaluations 1, 2, 4, 8, ... and at the result, `objective` is
        called as well.
    progress : bool, optional
        Whether to show a progress bar, which needs the package tqdm. If left out, a bar appears
        where the run has taken longer than two seconds and tqdm is installed.

    Returns
    -------
    Result
        The best iterate, its value, the history, and why the run stopped. A run that is interrupted
        (Ctrl-C, or "interrupt" in a notebook) returns what there is, as does one whose objective
        becomes NaN or infinite on the way.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described above: among others, if the objective returns no scalar,
        does not depend on its argument, or is not finite at `start`; with ``replay=True``, also if
        the objective is found not to be a fixed list of operations.

    Notes
    -----
    An iteration with `AdaptiveStep` costs one evaluation of value and gradient, whatever becomes of
    the move; a restart costs one more, unless `AdaptiveStep.stale_restarts` is set. For a
    gradient by reverse mode that is a small multiple of the work of `objective` alone [1]_. The
    history costs no copies: evaluated tensors are kept as they are and packed in chunks.

    An error that `objective` raises on the way reaches the caller with what there is of the result
    in its attribute ``result``.

    References
    ----------
    .. [1] A. Griewank and A. Walther, "Evaluating Derivatives", 2nd edition, SIAM, 2008, chapter 4.

    Examples
    --------
    >>> def objective(y):
    ...     return (y - torch.tensor([1.0, -2.0])).square().sum()
    >>> result = descend(objective, torch.zeros(2), target=1e-8)
    >>> result.reason
    <Reason.TARGET: 'target'>
    >>> torch.allclose(result.iterate, torch.tensor([1.0, -2.0]), atol=1e-4)
    True
    >>> len(result.history) == result.iterations + 1 == result.evaluations
    True
    """
    method = AdaptiveStep() if method is None else method
    _check_arguments(objective, start, method, target, stop_when, max_iterations)
    generator = _checked_generator(generator, start)
    bar = _Bar(progress, max_iterations)
    # Inference mode would mark the tensors of the result as unfit for later differentiation.
    with torch.inference_mode(False), torch.no_grad():
        start = start.detach().clone()
        value, gradient = first_evaluation(objective, start)
        evaluate: Evaluator = Eager(objective)
        if replay:
            evaluate = Replay(objective, start)
            value, gradient = evaluate.at_start
        if isinstance(method, AdaptiveStep):
            mover: _Mover = _AdaptiveMover(method, generator)
        else:
            mover = _OptimiserMover(method, start, evaluate)
        run = _Run(evaluate, mover, _Log(start, keep_tensors), bar)
        run.go(value, start, gradient, target, stop_when, max_iterations)
        result = run.result()
        if isinstance(evaluate, Replay):
            evaluate.compare(result.iterate, *evaluate.replay(result.iterate))
        return result


def _check_arguments(objective, start, method, target, stop_when, max_iterations) -> None:
    if not callable(objective):
        raise TypeError(f"objective must be callable, but it is {kind_of(objective)}")
    if not isinstance(start, Tensor):
        raise TypeError(f"start must be a tensor, but it is {kind_of(start)}")
    if not start.dtype.is_floating_point:
        raise TypeError(f"start must have a real floating-point dtype, but it has {start.dtype}")
    if start.layout is not torch.strided:
        raise TypeError(f"start must be a dense tensor, but its layout is {start.layout}")
    if not start.numel():
        raise ValueError(f"start must have elements, but its shape is {tuple(start.shape)}")
    if not start.isfinite().all():
        raise ValueError("start must be finite, but it holds NaN or infinity")
    if not callable(method) and not isinstance(method, AdaptiveStep):
        raise TypeError(
            f"method must be an AdaptiveStep or a callable that makes an optimiser, "
            f"but it is {kind_of(method)}"
        )
    if target is not None:
        _check_number("target", target, "(or None)", lambda _: True)
    if stop_when is not None and not callable(stop_when):
        raise TypeError(f"stop_when must be callable or None, but it is {kind_of(stop_when)}")
    _check_count("max_iterations", max_iterations, 0)


def _checked_generator(generator: torch.Generator | None, start: Tensor) -> torch.Generator:
    if generator is None:
        return torch.Generator(start.device).manual_seed(0)
    if not isinstance(generator, torch.Generator):
        raise TypeError(f"generator must be a torch.Generator, but it is {kind_of(generator)}")
    if generator.device.type != start.device.type:
        raise ValueError(
            f"generator must be on the device of start ({start.device}), "
            f"but it is on {generator.device}"
        )
    return generator


class _Run:
    """One run: the loop, and what is known when it ends, however it ends."""

    def __init__(self, evaluate: Evaluator, mover: _Mover, log: _Log, bar: _Bar):
        self.evaluate, self.mover, self.log, self.bar = evaluate, mover, log, bar
        self.best: tuple[float, Tensor] | None = None
        self.end: tuple[Reason, str] | None = None

    def go(self, value, iterate, gradient, target, stop_when, max_iterations) -> None:
        """Run to the end, and keep everything if the end comes from outside."""
        try:
            self.loop(value, iterate, gradient, target, stop_when, max_iterations)
        except KeyboardInterrupt:
            if self.log.is_empty():
                raise
            self.end = Reason.INTERRUPTED, "the run was interrupted"
        except NotReplayable:
            raise  # what has been found so far is not to be trusted
        except Exception as error:
            if not self.log.is_empty():
                self.end = Reason.INTERRUPTED, f"an error was raised: {error}"
                error.result = self.result()
                error.add_note(
                    f"raised after iteration {error.result.iterations} of descend; what there was "
                    "by then is the attribute `result` of this exception"
                )
            raise
        finally:
            self.bar.close()

    def loop(self, value, iterate, gradient, target, stop_when, max_iterations) -> None:
        """Log, decide whether to stop, move, evaluate; and so on."""
        evaluate, mover, log, bar = self.evaluate, self.mover, self.log, self.bar
        lowest = math.inf
        jumped = False
        number = 0
        while True:
            if -math.inf < value < lowest:
                lowest = value
                self.best = value, iterate
            mover.observe(value, iterate, gradient)
            log.append(number, value, mover.step, jumped, iterate, gradient)
            self.end = self.reason_to_stop(value, iterate, gradient, target, stop_when)
            if self.end is None and number == max_iterations:
                self.end = Reason.ITERATIONS, f"{max_iterations} iterations were made"
            if self.end is not None:
                return
            jumped = mover.jumped
            self.last_move = number + 1, mover.step, gradient
            iterate = mover.move()
            value, gradient = evaluate(iterate)
            number += 1
            bar.show(number, value)

    def reason_to_stop(
        self, value, iterate, gradient, target, stop_when
    ) -> tuple[Reason, str] | None:
        if not math.isfinite(value):
            return Reason.NOT_FINITE, self.what_was_not_finite(value, iterate)
        if target is not None and value < target:
            return Reason.TARGET, f"the value {value:g} is below the target {target:g}"
        if stop_when is not None and stop_when(iterate, value, gradient):
            self.best = value, iterate
            return Reason.RULE, "stop_when returned true"
        if self.mover.stalled:
            return Reason.STALLED, self.mover.stalled
        return None

    def what_was_not_finite(self, value: float, iterate: Tensor) -> str:
        """Say where it began: in the objective, in the gradient before it, or in the step."""
        number, step, gradient = self.last_move  # the start is finite, so there was a move
        message = f"the objective became {value} in iteration {number}"
        if iterate.isfinite().all():
            return f"{message}, at a finite iterate"
        if not gradient.isfinite().all():
            return f"{message}: the gradient before it was not finite"
        return f"{message}: a move with step {step:g} left the range of {iterate.dtype}"

    def result(self) -> Result:
        assert self.best is not None and self.end is not None
        history = self.log.history()
        value, iterate = self.best
        reason, message = self.end
        return Result(
            iterate=iterate.clone(),
            value=value,
            history=history,
            reason=reason,
            message=message,
            iterations=len(history) - 1,
            restarts=len(history.restarts),
            evaluations=self.evaluate.count,
        )


class _Bar:
    """A progress bar that comes only when a run turns out to be long."""

    def __init__(self, wanted: bool | None, total: int):
        self.wanted, self.total = wanted, total
        self.bar: Any = None
        self.due = math.inf if wanted is False else time.perf_counter() + SECONDS_UNTIL_BAR
        if wanted:
            self.open()

    def open(self) -> None:
        """Show the bar, or never again try to."""
        self.due = math.inf
        try:
            from tqdm import tqdm
        except ImportError:
            if self.wanted:
                raise ImportError("progress=True needs the package tqdm") from None
            return
        self.bar = tqdm(total=self.total, desc="descend", unit="iteration", leave=False)
        self.due = 0.0

    def show(self, number: int, value: float) -> None:
        now = time.perf_counter()
        if now < self.due:
            return
        if self.bar is None:
            self.open()
        if self.bar is not None:
            self.bar.set_postfix({"value": f"{value:.4g}"}, refresh=False)
            self.bar.update(number - self.bar.n)
            self.due = now + SECONDS_PER_REFRESH

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
