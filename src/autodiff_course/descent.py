"""Gradient descent in one loop: settings in, a result with its history out.

`descend` minimises a function of one tensor. How it moves is its ``method``: a *step rule*, which
says how far to go against the gradient, or any optimiser of `torch.optim`. All leave the same
`Result`, so that they can be compared by what they count.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

__all__ = ["AdaptiveStep", "FixedStep", "PolyakStep", "Result", "descend"]


@dataclass(frozen=True)
class AdaptiveStep:
    """A step that is multiplied by `grow` where the value fell, and by `shrink` where it did not.

    Each of the three is a positive number; otherwise there is a ValueError.

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
        for name, value in vars(self).items():
            real = isinstance(value, int | float) and not isinstance(value, bool)
            if not (real and math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be a positive finite number, got {value!r}")

    def next_step(self, step: float | None, before: float, value: float, length: float) -> float:
        """Return the step, from the last one (None at the start) and the last value."""
        return self.step if step is None else step * (self.grow if value < before else self.shrink)


class FixedStep(AdaptiveStep):
    """Always the same step; its unit is that of the iterate over that of the gradient."""

    def __init__(self, step: float) -> None:
        super().__init__(step, grow=1.0, shrink=1.0)


@dataclass(frozen=True)
class PolyakStep:
    """The step (value - best) / length of the gradient squared, where the least value is known.

    `best` is the least value of the function. Where a value is below it, the step is 0. Source:
    B. T. Polyak, *Minimization of Unsmooth Functionals*, USSR Computational Mathematics and
    Mathematical Physics 9, 1969.
    """

    best: float = 0.0

    def next_step(self, step: float | None, before: float, value: float, length: float) -> float:
        """Return the step, from the value and the length of the gradient."""
        # Divided twice, since the square of a short length underflows.
        return max(value - self.best, 0.0) / length / length


StepRule = AdaptiveStep | PolyakStep
OptimiserFactory = Callable[[list[Tensor]], torch.optim.Optimizer]


@dataclass(frozen=True)
class Result:
    """The best iterate of a run, and why the run stopped.

    Attributes
    ----------
    iterate : torch.Tensor
        The iterate with the lowest value, or that met `stop_when`; shaped and typed as `start`.
    value : float
        The function there.
    reason : str
        "target", "rule" (`stop_when`), "iterations", "stalled" (a step that changes no bit of the
        iterate), "gradient is zero" (its length, as computed), "not finite" or "interrupted".
    iterations, evaluations : int
        Moves made, and values with gradients computed. The two differ by the start, and by the line
        search of an optimiser that has one.
    values, steps : numpy.ndarray of float64, shape (rows,)
        One row for each iterate, row 0 is the start: the value there, and the step with which the
        run left it (the learning rate of an optimiser). It did not leave the last one: NaN.
    iterates, gradients : torch.Tensor, shape (rows, *shape of start), or None
        The iterates and the gradients there; None with ``keep=False``.
    """

    iterate: Tensor
    value: float
    reason: str
    iterations: int
    evaluations: int
    values: np.ndarray = field(repr=False)
    steps: np.ndarray = field(repr=False)
    iterates: Tensor | None = field(repr=False)
    gradients: Tensor | None = field(repr=False)


def descend(
    f: Callable[[Tensor], Tensor],
    start: Tensor,
    method: StepRule | OptimiserFactory = AdaptiveStep(),  # noqa: B008
    *,
    target: float | None = None,
    stop_when: Callable[[Tensor, float, Tensor], bool] | None = None,
    max_iterations: int = 10_000,
    keep: bool = True,
    progress: bool = False,
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
        Make `torch.optim.LBFGS` with ``max_iter=1, max_eval=25``: without the second its line
        search may give up at the step 0, and the run has stalled.
    target, stop_when : optional
        Stop at a value below `target`; stop where ``stop_when(x, value, gradient)`` is true.
    max_iterations : int, optional
        Stop after so many moves.
    keep, progress : bool, optional
        Keep every iterate and gradient, not only values and steps; show a progress bar.

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
    One value and one reverse sweep for each iteration, and what a line search adds to it.

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
    # In rows, as L-BFGS flattens what it is given: 0 * x.T is not.
    x, evaluate = start.detach().clone(memory_format=torch.contiguous_format), _Evaluation(f)
    move = _mover(method, x, evaluate)
    rows, steps, best, reason = [], [], (math.inf, x), ""
    try:
        for number in tqdm(range(max_iterations + 1), disable=not progress):
            value, gradient = evaluate(x)
            rows.append((value, x, gradient) if keep else (value, None, None))
            reason = _reason(x, value, gradient, target, stop_when)
            if value < best[0] or number == 0 or reason == "rule":
                best = (value, x)
            if reason or number == max_iterations:
                break
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
    values, *tensors = zip(*rows, strict=True)
    tensors = (torch.stack(kept) if keep else None for kept in tensors)
    steps = steps[: len(rows) - 1] + [math.nan]  # an interrupt may come after a step was noted
    counts = len(rows) - 1, evaluate.count
    history = np.array(values), np.array(steps), *tensors
    return Result(best[1], best[0], reason or "iterations", *counts, *history)


def _kind(thing) -> str:
    if isinstance(thing, Tensor):
        return f"a tensor of dtype {thing.dtype} and shape {tuple(thing.shape)}"
    return f"{thing!r} of type {type(thing).__name__}"


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
        return value.item(), gradient.contiguous()


def _mover(method, start, evaluate):
    """Return the function that moves an iterate: (x, value, gradient) to (x, step)."""
    if isinstance(method, StepRule):
        step, before = None, math.nan

        def move(x, value, gradient):
            nonlocal step, before
            step = method.next_step(step, before, value, gradient.norm().item())
            before = value
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
