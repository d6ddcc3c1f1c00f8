"""Minimisers side by side: how far each has come, and for how much work.

Work is counted in the numbers that torch computes, with one gradient as the unit. That is the same
on every machine; it leaves out what other libraries do, such as a factorisation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from autodiff_course.sparse import PreparedHessian

__all__ = ["Count", "Counter", "by_lbfgs", "by_newton_cg", "prices"]


class Count(TorchDispatchMode):
    """Count the numbers that torch computes; a view computes none.

    Attributes
    ----------
    numbers : int
        How many so far.

    Examples
    --------
    >>> with Count() as count:
    ...     total = (torch.ones(3) * 2).sum()
    >>> count.numbers  # three ones, three products, one sum
    7
    """

    numbers = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        """Do the operation, and count what it returns."""
        results = operation(*args, **(kwargs or {}))
        if not operation.is_view:
            self.numbers += sum(r.numel() for r in tree_leaves(results) if torch.is_tensor(r))
        return results


def prices(hessian: PreparedHessian, z: Tensor, args: tuple = ()) -> dict[str, float]:
    """Return what a gradient, a value, a product, and all three derivatives at once cost.

    Parameters
    ----------
    hessian : PreparedHessian
        Made by `prepare_hessian` for a function of one tensor.
    z : Tensor
        Where to compute them; only its shape matters.
    args : tuple
        The function's further arguments.

    Returns
    -------
    dict
        The work of each, in gradients: "gradient" (1), "value", "product" and "all three".

    Examples
    --------
    >>> from autodiff_course.sparse import prepare_hessian
    >>> z = torch.zeros(50)
    >>> found = prices(prepare_hessian(lambda z: (z**4).sum(), z), z)
    >>> found["gradient"], found["value"] < 1 < found["all three"]
    (1.0, True)
    """
    calls = {
        "gradient": lambda: hessian.value_and_gradient(z, args),
        "value": lambda: hessian.value(z, args),
        "product": lambda: hessian.product(z, torch.ones_like(z).flatten(), args),
        "all three": lambda: hessian.value_gradient_hessian(z, args),
    }
    counts = {}
    for name, call in calls.items():
        with Count() as count:
            call()
        counts[name] = count.numbers
    return {name: number / counts["gradient"] for name, number in counts.items()}


class Counter:
    """A prepared Hessian that notes work and residual whenever it gives a gradient.

    Parameters
    ----------
    hessian : PreparedHessian
        Made by `prepare_hessian` for a function of one tensor.
    args : tuple
        The function's further arguments.
    residual : callable
        What is noted of a gradient, a tensor: a number.
    prices : Mapping
        What each call costs, as `prices` returns it.

    Attributes
    ----------
    gradients, products : int
        How many so far.
    work : float
        The work so far, in gradients.
    notes : list of tuple
        Work and residual at each gradient.
    """

    def __init__(
        self,
        hessian: PreparedHessian,
        args: tuple,
        residual: Callable[[Tensor], float],
        prices: Mapping[str, float],
    ) -> None:
        self.hessian, self.args, self.residual, self.prices = hessian, args, residual, prices
        self.gradients = self.products = 0
        self.work = 0.0
        self.notes: list[tuple[float, float]] = []

    def note(self, gradient: Tensor, name: str = "gradient") -> None:
        """Note a gradient that a call of this name has given."""
        self.gradients, self.work = self.gradients + 1, self.work + self.prices[name]
        self.notes.append((self.work, self.residual(gradient)))

    def value(self, z: Tensor, args: tuple | None = None) -> Tensor:
        """Return the value of the function."""
        self.work += self.prices["value"]
        return self.hessian.value(z, self.args if args is None else args)

    def value_and_gradient(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the value and the gradient."""
        value, gradient = self.hessian.value_and_gradient(z, self.args)
        self.note(gradient)
        return value, gradient

    def value_gradient_hessian(self, z: Tensor, args: tuple | None = None) -> tuple[Any, Any, Any]:
        """Return the value, the gradient and the Hessian, a sparse matrix of SciPy's."""
        found = self.hessian.value_gradient_hessian(z, self.args if args is None else args)
        self.note(found[1], "all three")
        return found

    def product(self, z: Tensor, vector: Tensor) -> Tensor:
        """Return the Hessian times a vector."""
        self.products, self.work = self.products + 1, self.work + self.prices["product"]
        return self.hessian.product(z, vector, self.args)


def _run(counter: Counter, z: Tensor, goal: float, method: str, **options: float) -> None:
    """Let a method of SciPy's run until a residual is below the goal."""

    def tensor(x: np.ndarray) -> Tensor:
        return torch.tensor(x).to(z).view_as(z)

    def value_and_gradient(x):
        value, gradient = counter.value_and_gradient(tensor(x))
        return value.item(), gradient.cpu().numpy().ravel()

    def product(x, v):
        return counter.product(tensor(x), tensor(v).flatten()).cpu().numpy()

    def stop(_):
        if counter.notes[-1][1] < goal:
            raise StopIteration

    more = {"hessp": product} if method == "Newton-CG" else {}
    start = z.cpu().numpy().ravel().copy()
    minimize(
        value_and_gradient, start, jac=True, method=method, callback=stop, options=options, **more
    )


def by_lbfgs(counter: Counter, z: Tensor, goal: float) -> None:
    """Minimise from z with SciPy's L-BFGS-B, until the residual is below the goal.

    Examples
    --------
    >>> from autodiff_course.sparse import prepare_hessian
    >>> z = torch.ones(4, dtype=torch.float64)
    >>> hessian = prepare_hessian(lambda z: (z**2).sum(), z)
    >>> counter = Counter(hessian, (), lambda g: g.abs().max().item(), prices(hessian, z))
    >>> by_lbfgs(counter, z, 1e-6)
    >>> counter.notes[-1][1] < 1e-6
    True
    """
    _run(counter, z, goal, "L-BFGS-B", gtol=0, ftol=0, maxiter=20_000, maxfun=20_000)


def by_newton_cg(counter: Counter, z: Tensor, goal: float) -> None:
    """Minimise from z with SciPy's Newton-CG, until the residual is below the goal.

    The Hessian is used through products with vectors alone.
    """
    _run(counter, z, goal, "Newton-CG", xtol=0, maxiter=100)
