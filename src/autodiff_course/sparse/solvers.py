"""What SciPy's solvers want of a function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .prepared import check_options

if TYPE_CHECKING:
    from .prepared_hessian import PreparedHessian

__all__ = ["scipy_functions"]

KINDS = ("sparse", "dense", "operator", "product")


def scipy_functions(
    prepared: PreparedHessian, args: tuple | None = None, hess: str = "sparse"
) -> dict[str, Any]:
    """Return the arguments ``fun``, ``jac`` and ``hess`` of `scipy.optimize.minimize`.

    Parameters
    ----------
    prepared : PreparedHessian
    args : tuple, optional
        As for the call of it.
    hess : {"sparse", "dense", "operator", "product"}
        What the solver wants: a sparse matrix or an operator (trust-constr), a dense matrix
        (trust-exact, dogleg), or products with vectors (trust-krylov, trust-ncg, Newton-CG).

    Returns
    -------
    dict
        Of functions of a flat array, whatever the form of x; ``jac`` is True, since the first
        returns value and gradient.

    Raises
    ------
    ValueError
        If `hess` is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.optimize import minimize
    >>> from autodiff_course.sparse import prepare_hessian
    >>> prepared = prepare_hessian(lambda x: (x**4).sum() - x.sum(), np.ones(3))
    >>> options = prepared.for_scipy(hess="dense")
    >>> bool(minimize(x0=np.ones(3), method="trust-exact", **options).success)
    True
    """
    check_options(hess=(hess, KINDS))

    def value_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
        x = prepared._at(flat)
        value, gradient = prepared.value_and_gradient(x, args)
        number = value[0] if prepared._problem.has_aux else value
        return float(number), prepared._flat(gradient)

    def matrix(flat: np.ndarray) -> Any:
        full = prepared._full(prepared._at(flat), args)
        return full.toarray() if hess == "dense" else full

    def operator(flat: np.ndarray) -> Any:
        return prepared.operator(prepared._at(flat), args)

    second = {
        "product": {"hessp": lambda flat, vector: operator(flat) @ vector},
        "operator": {"hess": operator},
    }
    return {"fun": value_and_gradient, "jac": True, **second.get(hess, {"hess": matrix})}
