"""A minimisation with constraints, as interior-point solvers want it.

Minimise f(x) where the values of c(x) lie between bounds. Solvers ask for the gradient of f, the
Jacobian of c and the Hessian of the Lagrangian σ f(x) + λᵀ c(x), all sparse; σ and λ are arguments
of a recorded function, so they may change from call to call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from scipy.optimize import NonlinearConstraint
from torch import Tensor

from .hessian import prepare_hessian
from .jacobian import PreparedJacobian, prepare_jacobian
from .prepared_hessian import PreparedHessian
from .solvers import scipy_functions
from .variables import Variables

__all__ = ["ConstrainedProblem", "prepare_constrained"]


def prepare_constrained(
    f: Callable[..., Tensor],
    constraints: Callable[..., Tensor],
    x: Any,
    *,
    args: tuple = (),
    check: bool = True,
) -> ConstrainedProblem:
    """Prepare all that a solver for constrained minimisation asks for.

    Parameters
    ----------
    f : callable
        ``f(x, *args)`` returns the number to be minimised, as for `prepare_hessian`.
    constraints : callable
        ``constraints(x, *args)`` returns a tensor of m numbers, as for `prepare_jacobian`.
    x, args, check
        As for `prepare_hessian`.

    Returns
    -------
    ConstrainedProblem

    Raises
    ------
    TypeError, ValueError, NotImplementedError, RuntimeError, TooDense
        As `prepare_hessian` and `prepare_jacobian`.

    Examples
    --------
    The point of a circle that is farthest to the lower left:

    >>> import numpy as np
    >>> from scipy.optimize import minimize
    >>> from autodiff_course.sparse import prepare_constrained
    >>> x = np.array([-0.5, -1.0])
    >>> problem = prepare_constrained(lambda x: x.sum(), lambda x: (x**2).sum()[None], x)
    >>> found = minimize(x0=x, method="trust-constr", **problem.for_scipy(2.0, 2.0))
    >>> bool(abs(found.x + 1).max() < 1e-5)
    True
    """
    jacobian = prepare_jacobian(constraints, x, args=args, check=check)
    variables = Variables(x)
    one = torch.ones((), **variables.like)
    multipliers = torch.ones(jacobian.m, **variables.like)

    def lagrangian(x: Any, factor: Tensor, multipliers: Tensor, *args: Any) -> Tensor:
        values = constraints(x, *args).reshape(-1)
        return factor * f(x, *args).reshape(()) + (multipliers * values).sum()

    # The factor is a recorded argument, so that the value of f alone is the Lagrangian at λ = 0.
    hessian = prepare_hessian(
        lagrangian, x, args=(one, multipliers, *args), triangle="lower", check=check
    )
    return ConstrainedProblem(hessian, jacobian, args)


class ConstrainedProblem:
    """An objective with constraints; made by `prepare_constrained`.

    Its methods are those that `cyipopt.Problem` calls: it can be its ``problem_obj``. They take and
    return flat arrays of float64, whatever the form of x. All take `args`, other values of the
    further arguments; by default those given at preparation.

    Attributes
    ----------
    n, m : int
        The numbers of variables and of constraints.
    lagrangian : PreparedHessian
        Of σ f + λᵀ c, with arguments (σ, λ, further arguments).
    constraint_jacobian : PreparedJacobian

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff_course.sparse import prepare_constrained
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> problem = prepare_constrained(lambda x: (x**2).sum(), lambda x: x[1:] * x[:-1], x)
    >>> problem.objective(x), problem.gradient(x), problem.constraints(x)
    (14.0, array([2., 4., 6.]), array([2., 6.]))
    >>> rows, columns = problem.jacobianstructure()
    >>> list(zip(rows.tolist(), columns.tolist(), problem.jacobian(x).tolist()))
    [(0, 0, 2.0), (0, 1, 1.0), (1, 1, 3.0), (1, 2, 2.0)]
    """

    def __init__(self, lagrangian: PreparedHessian, jacobian: PreparedJacobian, args: tuple):
        self.lagrangian, self.constraint_jacobian, self._args = lagrangian, jacobian, args
        self.n, self.m = lagrangian.n, jacobian.m
        self._lower = sp.csr_array(sp.tril(lagrangian.pattern, format="csr"))

    def objective(self, x: np.ndarray, args: tuple | None = None) -> float:
        """Return f(x).

        Examples
        --------
        >>> import numpy as np, torch
        >>> from autodiff_course.sparse import prepare_constrained
        >>> one = torch.tensor(1.0).double()
        >>> problem = prepare_constrained(
        ...     lambda x, a: a * x.sum(), lambda x, a: x[:1] * x[1:] - a, np.ones(2), args=(one,)
        ... )
        >>> problem.objective(np.ones(2)), problem.objective(np.ones(2), args=(3 * one,))
        (2.0, 6.0)
        """
        return float(self.lagrangian.value(self._at(x), self._weights(1.0, None, args)))

    def gradient(self, x: np.ndarray, args: tuple | None = None) -> np.ndarray:
        """Return the gradient of f, of shape (n,)."""
        gradient = self.lagrangian.gradient(self._at(x), self._weights(1.0, None, args))
        return self.lagrangian._flat(gradient)

    def constraints(self, x: np.ndarray, args: tuple | None = None) -> np.ndarray:
        """Return c(x), of shape (m,)."""
        return self.constraint_jacobian.for_scipy(self._given(args))["fun"](x)

    def jacobianstructure(self) -> tuple[np.ndarray, np.ndarray]:
        """Return rows and columns of the entries that `jacobian` returns."""
        return self.constraint_jacobian.pattern.tocoo().coords

    def jacobian(self, x: np.ndarray, args: tuple | None = None) -> np.ndarray:
        """Return the entries of the Jacobian of the constraints."""
        matrix = self.constraint_jacobian._full(self._at(x), self._given(args))
        return matrix.data.astype(np.float64)

    def hessianstructure(self) -> tuple[np.ndarray, np.ndarray]:
        """Return rows and columns of the entries that `hessian` returns, in the lower triangle."""
        return self._lower.tocoo().coords

    def hessian(
        self,
        x: np.ndarray,
        multipliers: np.ndarray,
        factor: float = 1.0,
        args: tuple | None = None,
    ) -> np.ndarray:
        """Return the lower triangle of the Hessian of σ f + λᵀ c, with the factor σ.

        Examples
        --------
        >>> import numpy as np
        >>> from autodiff_course.sparse import prepare_constrained
        >>> problem = prepare_constrained(
        ...     lambda x: (x**2).sum(), lambda x: x[1:] * x[:-1], np.ones(3)
        ... )
        >>> print(np.stack(problem.hessianstructure()))
        [[0 1 1 2 2]
         [0 0 1 1 2]]
        >>> problem.hessian(np.ones(3), np.array([5.0, 7.0]), 1.0)
        array([2., 5., 2., 7., 2.])
        """
        weights = self._weights(factor, multipliers, args)
        entries = self.lagrangian._matrix.scipy
        return entries(self.lagrangian._entries(self._at(x), weights)).data.astype(np.float64)

    def for_scipy(self, lower: Any, upper: Any, args: tuple | None = None) -> dict[str, Any]:
        """Return arguments for `scipy.optimize.minimize`, with ``method="trust-constr"``.

        Parameters
        ----------
        lower, upper : float or ndarray, shape (m,)
            Bounds of the constraints; equal where one is an equation.
        args : tuple, optional
            Other values of the further arguments.

        Returns
        -------
        dict
            ``fun``, ``jac``, ``hess`` and ``constraints``.

        Notes
        -----
        SciPy wants the Hessians of f and of λᵀ c apart, so both are computed with the pattern of
        the whole, one after the other.
        """
        of_c = self.constraint_jacobian.for_scipy(self._given(args))
        constraint = NonlinearConstraint(
            of_c["fun"],
            lower,
            upper,
            jac=of_c["jac"],
            hess=lambda x, multipliers: self._hessian(x, self._weights(0.0, multipliers, args)),
        )
        of_f = scipy_functions(self.lagrangian, self._weights(1.0, None, args))
        return of_f | {"constraints": constraint}

    def kkt(
        self, x: np.ndarray, multipliers: np.ndarray, args: tuple | None = None
    ) -> tuple[sp.csr_array, np.ndarray]:
        """Return the matrix and the right-hand side of a Newton step for c(x) = 0.

        Parameters
        ----------
        x : ndarray, shape (n,)
        multipliers : ndarray, shape (m,)
        args : tuple, optional
            Other values of the further arguments.

        Returns
        -------
        matrix : scipy.sparse.csr_array, shape (n + m, n + m)
            The Hessian of f + λᵀ c, with the Jacobian of c below and its transpose to the right.
        right : ndarray, shape (n + m,)
            Minus the gradient of f + λᵀ c, and minus c: add ``spsolve(matrix, right)`` to (x, λ).

        Examples
        --------
        One step, since the objective is quadratic and the constraint linear; then one for another
        value of the sum, an argument:

        >>> import numpy as np, torch
        >>> from scipy.sparse.linalg import spsolve
        >>> from autodiff_course.sparse import prepare_constrained
        >>> problem = prepare_constrained(
        ...     lambda x, total: (x**2).sum(),
        ...     lambda x, total: x.sum()[None] - total,
        ...     np.zeros(3),
        ...     args=(torch.tensor(3.0),),
        ... )
        >>> matrix, right = problem.kkt(np.zeros(3), np.zeros(1))
        >>> spsolve(matrix.tocsc(), right)
        array([ 1.,  1.,  1., -2.])
        >>> matrix, right = problem.kkt(np.zeros(3), np.zeros(1), args=(torch.tensor(6.0),))
        >>> spsolve(matrix.tocsc(), right)
        array([ 2.,  2.,  2., -4.])
        """
        weights = self._weights(1.0, multipliers, args)
        gradient = self.lagrangian._flat(self.lagrangian.gradient(self._at(x), weights))
        below = self.constraint_jacobian._full(self._at(x), self._given(args))
        matrix = sp.block_array([[self._hessian(x, weights), below.T], [below, None]])
        return sp.csr_array(matrix), -np.concatenate([gradient, self.constraints(x, args)])

    def _hessian(self, x: np.ndarray, weights: tuple) -> sp.csr_array:
        return self.lagrangian._full(self._at(x), weights)

    def _given(self, args: tuple | None) -> tuple:
        return self._args if args is None else args

    def _at(self, x: np.ndarray) -> Any:
        return self.lagrangian._at(x)

    def _weights(self, factor: float, multipliers: np.ndarray | None, args: tuple | None) -> tuple:
        like = self.lagrangian._problem.variables.like
        values = np.zeros(self.m) if multipliers is None else np.asarray(multipliers, np.float64)
        if values.shape != (self.m,):
            raise ValueError(f"multipliers: expected {self.m} numbers, got shape {values.shape}")
        return (torch.tensor(factor, **like), torch.tensor(values, **like), *self._given(args))
