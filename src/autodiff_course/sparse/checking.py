"""Compare a matrix with what is known of it without any recording.

A Hessian is compared with differences of the gradient, a Jacobian with those of the function.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from .derivatives import Function
from .torch_internals import outside_this_package

__all__ = ["check_derivative"]

ASIDE = 0.01  # how far from x, relative to 1 + |x|
# A longer step, if the first one disagrees: f may be less accurate than x, as in float32 inside.
STEPS = {torch.float64: (1e-5, 1e-3), torch.float32: (1e-2, 1e-1)}
TOLERANCES = {torch.float64: 1e-5, torch.float32: 2e-2}
# Where terms cancel, their roundings are left: how large, in units of f / x^2.
LEFT_OVER = {torch.float64: 2e-8, torch.float32: 2e-3}
CAUTION = 20.0  # an error estimate may be too small by this factor


def check_derivative(
    problem: Function, matrix_at: Callable[[Any], sp.csr_array], x: Any, args: tuple | None
) -> None:
    """Raise an error if a matrix does not agree with differences.

    Parameters
    ----------
    problem : Objective
    hessian : callable
        Returns the matrix at a point.
    x, args
        As for `PreparedHessian.check`, which says what is raised.
    """
    direction, aside = np.random.default_rng(0).uniform(-1, 1, (2, problem.variables.n))
    steps = STEPS[problem.variables.dtype]
    for size in (0.0,) if problem.local else (ASIDE, 0.0):  # a local pattern is that of x alone
        near = _moved(problem, problem.variables.leaves(x), size * aside)
        true, error = _difference(problem, near, direction, args, steps[0])
        if np.isfinite(true).any():
            break
    matrix = matrix_at(problem.variables.tree(near))
    found, sizes = matrix @ direction, abs(matrix) @ abs(direction)
    for step in steps:
        if step != steps[0]:
            true, error = _difference(problem, near, direction, args, step)
        seen = np.isfinite(true) & np.isfinite(found)
        if not seen.any():
            return
        size = max(np.max(sizes[seen]), np.max(abs(true[seen])))
        tolerance = TOLERANCES[problem.variables.dtype] * size + _left_over(problem, near, args)
        excess = np.where(seen, abs(found - true) - tolerance - error, -1.0)
        worst = int(np.argmax(excess))
        if excess[worst] <= 0:
            return
    eager = _product(problem, near, direction, args)
    _complain(problem, worst, found, true, np.max(abs(found - eager)[seen]) <= tolerance)


def _complain(problem: Function, worst: int, found, true, autograd_agrees: bool) -> None:
    letter = problem.name[0]
    numbers = f"component {worst} of {letter} v is {found[worst]:.6g}"
    if autograd_agrees:
        kinds = "second derivative of f is not the derivative of its first"
        if problem.name == "Jacobian":
            kinds = "derivative of f is not that of its values"
        warnings.warn(
            f"PyTorch's {kinds}: {numbers}, and differences of the {problem.orders} give "
            f"{true[worst]:.6g}. Does f detach a tensor, or does it use a custom function or an "
            "operation that is wrong in this order?",
            stacklevel=outside_this_package(),
        )
        return
    raise ValueError(
        f"the {problem.name} found does not agree with differences of the {problem.orders}: "
        f"{numbers} instead of {true[worst]:.6g}. Either the pattern lacks entries, or f does not "
        "compute the same each time"
    )


def _moved(problem: Function, leaves: list[Tensor], move: np.ndarray) -> list[Tensor]:
    """Return x moved by a multiple of 1 + |x|."""
    moves = problem.variables.split(_tensor(problem, move))
    return [leaf + move * (1 + leaf.abs()) for leaf, move in zip(leaves, moves, strict=True)]


def _tensor(problem: Function, numbers: np.ndarray) -> Tensor:
    return torch.from_numpy(numbers).to(problem.variables.device, problem.variables.dtype)


def _flat(tensors: list[Tensor]) -> np.ndarray:
    # Some versions of torch leave parts in it that ask for a gradient.
    parts = [tensor.detach().reshape(-1).cpu().double() for tensor in tensors]
    return torch.cat(parts).numpy()


def _difference(
    problem: Function, leaves, direction, args, step: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrix times a direction by central differences, and an estimate of the error."""
    tensors = problem.arguments.tensors(args)
    parts = problem.variables.split(_tensor(problem, direction))

    def at(step: float) -> np.ndarray:
        moved = [leaf + step * part for leaf, part in zip(leaves, parts, strict=True)]
        return _flat(problem.differentiated(moved, tensors))

    scale = 1 + max(float(leaf.abs().max()) for leaf in leaves if leaf.numel())
    long, short = step * scale, step * scale / 2
    ahead, behind = at(long), at(-long)
    rough = (ahead - behind) / (2 * long)
    fine = (at(short) - at(-short)) / (2 * short)
    both = abs(np.stack([ahead, behind]))
    largest = np.max(both, where=np.isfinite(both), initial=0)
    rounding = torch.finfo(problem.variables.dtype).eps * largest / short
    return fine, CAUTION * (abs(fine - rough) + rounding)


def _left_over(problem: Function, leaves, args) -> float:
    """Return how large numbers may be that should be zero."""
    with torch.no_grad():
        values = problem.value(leaves, problem.arguments.tensors(args)).abs()
    value = float(values.max()) if values.numel() else 0.0
    scale = 1 + max(float(leaf.abs().max()) for leaf in leaves if leaf.numel())
    unit = LEFT_OVER[problem.variables.dtype]
    return unit * value / scale**2 if np.isfinite(value) else 0.0


def _product(problem: Function, leaves, direction, args) -> np.ndarray:
    """Return the matrix times a direction as autograd computes it."""
    parts = problem.variables.split(_tensor(problem, direction))
    return _flat(problem.product(leaves, problem.arguments.tensors(args), parts))
