"""Gradient descent in one loop: settings in, a result with its history out.

`descend` minimises a function of one tensor. How it moves is its ``method``: a *step rule*, which
says how far to go against the gradient, or any optimiser of `torch.optim`. All of them leave the
same `Result`, so that they can be compared by what they count.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

__all__ = [
    "AdaptiveStep",
    "FixedStep",
    "History",
    "PolyakStep",
    "Result",
    "descend",
]

# A rule in use: the step, from the value and the length of the gradient.
NextStep = Callable[[float, float], float]


def _check_positive(settings, *names) -> None:
    for name in names:
        value = getattr(settings, name)
        real = isinstance(value, int | float) and not isinstance(value, bool)
        if not (real and math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a positive finite number, got {value!r}")


def _kind(thing) -> str:
    if isinstance(thing, Tensor):
        return f"a tensor of dtype {thing.dtype} and shape {tuple(thing.shape)}"
    return f"{thing!r} of type {type(thing).__name__}"


@dataclass(frozen=True)
class FixedStep:
    """Always the same step; its unit is that of the iterate over that of the gradient."""

    step: float

    def __post_init__(self) -> None:
        """Check the setting."""
        _check_positive(self, "step")

    def start(self) -> NextStep:
        """Return the rule for one run."""
        return lambda value, length: self.step


@dataclass(frozen=True)
class AdaptiveStep:
    """A step that is multiplied by `grow` where the value fell, and by `shrink` where it did not.

    Parameters
    ----------
    step : float, optional
        The first step.
    grow, shrink : float, optional
        The two factors.

    Examples
    --------
    >>> result = descend(lambda x: (x**2).sum(), torch.ones(2), AdaptiveStep(), target=1e-6)
    >>> result.reason
    'target'
    """

    step: float = 0.01
    grow: float = 1.2
    shrink: float = 0.5

    def __post_init__(self) -> None:
        """Check the settings."""
        _check_positive(self, "step", "grow", "shrink")

    def start(self) -> NextStep:
        """Return the rule for one run; it remembers the step and the last value."""
        step, before = self.step, None

        def next_step(value: float, length: float) -> float:
            nonlocal step, before
            if before is not None:
                step *= self.grow if value < before else self.shrink
            before = value
            return step

        return next_step


@dataclass(frozen=True)
class PolyakStep:
    """The step (value - best) / length of the gradient squared, where the least value is known.

    Parameters
    ----------
    best : float, optional
        The least value of the function. Where a value is below it, the step is 0.

    References
    ----------
    B. T. Polyak, *Minimization of Unsmooth Functionals*, USSR Computational Mathematics and
    Mathematical Physics 9, 1969.
    """

    best: float = 0.0

    def start(self) -> NextStep:
        """Return the rule for one run."""
        # Divided twice, since the square of a short length underflows.
        return lambda value, length: max(value - self.best, 0.0) / length / length


StepRule = FixedStep | AdaptiveStep | PolyakStep
OptimiserFactory = Callable[[list[Tensor]], torch.optim.Optimizer]


@dataclass(frozen=True)
class History:
    """What happened, one row for each iterate; row 0 is the start.

    Attributes
    ----------
    value : numpy.ndarray of float64, shape (rows,)
        The function at each iterate.
    step : numpy.ndarray of float64, shape (rows,)
        The step with which the run left the row; the learning rate of an optimiser; NaN in the last
        row, which the run did not leave.
    iterate, gradient : torch.Tensor, shape (rows, *shape of start), or None
        The iterates and the gradients there; None with ``keep=False``.
    """

    value: np.ndarray
    step: np.ndarray
    iterate: Tensor | None = field(repr=False)
    gradient: Tensor | None = field(repr=False)


@dataclass(frozen=True)
class Result:
    """The best iterate of a run, and why the run stopped.

    Attributes
    ----------
    iterate : torch.Tensor
        The iterate with the lowest value, as `start` in shape, dtype and device.
    value : float
        The function there.
    reason : str
        "target", "rule" (`stop_when`), "iterations", "stalled" (a step that changes no bit of the
        iterate), "gradient is zero" (its length, as the dtype computes it), "not finite", or
        "interrupted".
    iterations, evaluations : int
        Moves made, and values with gradients computed. The two differ by the start, and by the line
        search of an optimiser that has one.
    history : History
        One row for each iterate.
    """

    iterate: Tensor
    value: float
    reason: str
    iterations: int
    evaluations: int
    history: History = field(repr=False)


def descend(
    f: Callable[[Tensor], Tensor],
    start: Tensor,
    method: StepRule | OptimiserFactory = AdaptiveStep(),  # noqa: B008
    *,
    target: float | None = None,
    stop_when: Callable[[Tensor, float, Tensor], bool] | None = None,
    max_iterations: int = 10_000,
    keep: bool = True,
) -> Result:
    """Minimise a function of one tensor by moving against its gradient.

    Parameters
    ----------
    f : callable
        ``f(x)`` returns one real number, a tensor of one element, for x like `start`.
    start : torch.Tensor
        Where to begin, of a floating dtype, on any device. It is left as it is.
    method : step rule or callable, optional
        How to move; or an optimiser: ``lambda parameters: torch.optim.Adam(parameters, lr=0.1)``.
    target : float, optional
        Stop at a value below this one.
    stop_when : callable, optional
        Stop where ``stop_when(x, value, gradient)`` is true.
    max_iterations : int, optional
        Stop after so many moves.
    keep : bool, optional
        Keep every iterate and gradient; otherwise only values and steps.

    Returns
    -------
    Result
        Also after an interrupt (Ctrl-C, or the kernel's stop button): what there is until then.

    Raises
    ------
    TypeError
        If `start` is no floating tensor, or `method` is neither a rule nor an optimiser's maker.
    ValueError
        If f returns something other than one real number that depends on x.

    Notes
    -----
    One value and one reverse sweep for each iteration, and what a line search adds to it. A run of
    more than two seconds shows a progress bar.

    Examples
    --------
    >>> result = descend(lambda x: (x - 3).abs().sum(), torch.zeros(1), PolyakStep(), target=1e-6)
    >>> result.iterate, result.iterations
    (tensor([3.]), 1)
    """
    if not (isinstance(start, Tensor) and start.is_floating_point()):
        raise TypeError(f"start must be a tensor of a floating dtype, got {_kind(start)}")
    if not isinstance(max_iterations, int) or max_iterations < 0:
        raise ValueError(f"max_iterations must be 0 or a positive int, got {max_iterations!r}")
    evaluate = _Evaluation(f)
    x = start.detach().clone()
    move = _mover(method, x, evaluate)
    rows, steps = [], []
    best, reason = (math.inf, x), "iterations"
    try:
        for number in tqdm(range(max_iterations + 1), delay=2.0, leave=False):
            value, gradient = evaluate(x)
            rows.append((value, x.clone(), gradient) if keep else (value, None, None))
            if value < best[0] or number == 0:
                best = (value, x.clone())
            if found := _reason(x, value, gradient, target, stop_when):
                reason = found
                break
            if number < max_iterations:
                before = x
                x, step = move(x, value, gradient)
                if torch.equal(x, before):
                    reason = "stalled"
                    break
                steps.append(step)
    except KeyboardInterrupt:
        if not rows:
            raise
        reason = "interrupted"
    if reason == "rule":  # it was this iterate that met the rule
        best = (value, x.clone())
    return Result(best[1], best[0], reason, len(rows) - 1, evaluate.count, _history(rows, steps))


def _history(rows, steps) -> History:
    steps = steps[: len(rows) - 1] + [math.nan]  # an interrupt may come after a step was noted
    value, *tensors = zip(*rows, strict=True)
    kept = tensors[0][0] is not None
    return History(
        np.array(value), np.array(steps), *(torch.stack(t) if kept else None for t in tensors)
    )


def _reason(x, value, gradient, target, stop_when) -> str:
    length = gradient.norm().item()
    if not (math.isfinite(value) and math.isfinite(length)):
        return "not finite"
    if target is not None and value < target:
        return "target"
    if stop_when is not None and stop_when(x, value, gradient):
        return "rule"
    return "" if length else "gradient is zero"


class _Evaluation:
    """The function with its gradient, by one reverse sweep; counts how often."""

    def __init__(self, f):
        self.f, self.count = f, 0

    def __call__(self, x: Tensor) -> tuple[float, Tensor]:
        x = x.detach().requires_grad_()
        self.count += 1
        with torch.enable_grad():
            value = self.f(x)
            if not (isinstance(value, Tensor) and value.numel() == 1 and value.is_floating_point()):
                raise ValueError(f"f must return one real number in a tensor, got {_kind(value)}")
            if not value.requires_grad:
                raise ValueError("f must return a value that depends on x, got one without a graph")
            (gradient,) = torch.autograd.grad(value, x)
        return value.item(), gradient


def _mover(method, start, evaluate):
    """Return the function that moves an iterate: (x, value, gradient) to (x, step)."""
    if isinstance(method, StepRule):
        next_step = method.start()

        def move(x, value, gradient):
            step = next_step(value, gradient.norm().item())
            return x - step * gradient, step

        return move
    if not callable(method):
        raise TypeError(
            f"method must be a step rule or a function that makes an optimiser, got {_kind(method)}"
        )
    x = start.clone()
    optimiser = method([x])
    if not isinstance(optimiser, torch.optim.Optimizer):
        raise TypeError(f"method must return a torch optimiser, got {_kind(optimiser)}")

    def move_by_optimiser(_, value, gradient):
        known = [(value, gradient)]  # the optimiser asks first for what the loop knows already

        def closure():
            value, x.grad = known.pop() if known else evaluate(x)
            return torch.tensor(value, dtype=x.dtype)

        optimiser.step(closure)
        return x.detach().clone(), optimiser.param_groups[0]["lr"]

    return move_by_optimiser
