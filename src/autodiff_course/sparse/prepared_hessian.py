"""A Hessian ready to be computed: with value and gradient, as products, for solvers."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import LinearOperator
from torch import Tensor

from .coloring import Coloring
from .decompression import hessian_recovery
from .derivatives import Objective, Recorded
from .matrix import Matrix
from .prepared import Prepared
from .products import Products
from .program import merged
from .solvers import scipy_functions
from .torch_internals import ordinary_mode

__all__ = ["PreparedHessian"]


class PreparedHessian(Prepared):
    """The Hessian of one function, ready to be computed at any x; made by `prepare_hessian`.

    Attributes
    ----------
    pattern : scipy.sparse.csr_array of bool, shape (n, n)
        The entries that can be non-zero, in both triangles.
    coloring : Coloring
        Which columns share one product.
    n : int
        The number of variables.
    products : int
        The number of Hessian-vector products for one Hessian: of colours.
    """

    def __init__(
        self,
        problem: Objective,
        recorded: Recorded,
        pattern: sp.csr_array,
        coloring: Coloring,
        output: str,
        triangle: str,
        compile: bool,
    ):
        wanted, returned = None, pattern
        if triangle == "lower":
            rows = np.repeat(np.arange(pattern.shape[0]), np.diff(pattern.indptr))
            wanted = np.flatnonzero(pattern.indices <= rows)
            returned = sp.csr_array(sp.tril(pattern, format="csr"))
        super().__init__(problem, recorded, Matrix(returned, output))
        self.pattern, self.coloring, self.products = pattern, coloring, coloring.count
        self.triangle = triangle
        variables = problem.variables
        colors, count = coloring.colors, coloring.count
        self._sides = [Products(problem, recorded, variables, variables, colors, count, compile)]
        self._recover = hessian_recovery(pattern, coloring, wanted, variables.device)

    @property
    def _products(self) -> Products:
        return self._sides[0]

    def __repr__(self) -> str:
        c = self.coloring
        return (
            f"PreparedHessian(n={self.n}, nnz={self.pattern.nnz}, products={self.products}, "
            f"method={c.method!r})"
        )

    def gradient(self, x: Any, args: tuple | None = None) -> Any:
        """Return the gradient at x, in the form of x."""
        return self.value_and_gradient(x, args)[1]

    def value_and_gradient(self, x: Any, args: tuple | None = None) -> tuple[Any, Any]:
        """Return f(x), with ``has_aux`` a pair (value, aux), and the gradient in the form of x.

        Examples
        --------
        >>> import torch
        >>> from autodiff_course.sparse import prepare_hessian
        >>> x = torch.tensor([1.0, 2.0])
        >>> prepare_hessian(lambda x: (x**3).sum(), x).value_and_gradient(x)
        (tensor(9.), tensor([ 3., 12.]))
        """
        with ordinary_mode():
            value, gradient = self._finish(x, self._first(self._gradient_program, x, args))
        return value, self._problem.variables.tree(gradient)

    def value_gradient_hessian(self, x: Any, args: tuple | None = None) -> tuple[Any, Any, Any]:
        """Return value, gradient and Hessian at x, of which the parts in common are done once.

        Returns
        -------
        value
            f(x); with ``has_aux``, a pair (value, aux).
        gradient
            In the form of x.
        hessian
            As the call returns it.

        Examples
        --------
        >>> import numpy as np
        >>> from autodiff_course.sparse import prepare_hessian
        >>> x = np.array([1.0, 2.0])
        >>> prepared = prepare_hessian(lambda x: (x**3).sum(), x)
        >>> value, gradient, hessian = prepared.value_gradient_hessian(x)
        >>> value, gradient, hessian.toarray().tolist()
        (9.0, array([ 3., 12.]), [[6.0, 0.0], [0.0, 12.0]])
        """
        if not self._products.shares_primal:
            return *self.value_and_gradient(x, args), self(x, args)
        with ordinary_mode():
            residuals, first = self._products.residuals_and_first(x, args)
            value, gradient = self._finish(x, first)
            entries = self._recover([self._products.all_of_them(residuals)])
            hessian = self._matrix(entries)
        return value, self._problem.variables.tree(gradient), hessian

    def product(self, x: Any, vector: Any, args: tuple | None = None) -> Any:
        """Return the Hessian at x times a vector of shape (n,), without computing the Hessian.

        Examples
        --------
        >>> import torch
        >>> from autodiff_course.sparse import prepare_hessian
        >>> x = torch.tensor([1.0, 2.0])
        >>> prepare_hessian(lambda x: x[0] ** 2 * x[1], x).product(x, torch.tensor([1.0, 0.0]))
        tensor([4., 2.])
        """
        direction = self._problem.variables.vector("vector", vector)
        with ordinary_mode():
            found = self._products.product(self._products.residuals(x, args), direction)
        return found.cpu().numpy() if isinstance(vector, np.ndarray) else found

    def operator(self, x: Any, args: tuple | None = None) -> LinearOperator:
        """Return the Hessian at x as a linear operator for SciPy, which knows products only.

        What all products share is computed once.

        Examples
        --------
        >>> import numpy as np
        >>> from autodiff_course.sparse import prepare_hessian
        >>> x = np.array([1.0, 2.0])
        >>> prepare_hessian(lambda x: x[0] ** 2 * x[1], x).operator(x) @ np.array([1.0, 0.0])
        array([4., 2.])
        """
        with ordinary_mode():
            # Of the caller's x, which may change, nothing is kept.
            residuals = [part.clone() for part in self._products.residuals(x, args)]

        def product(vector):
            direction = torch.from_numpy(vector).to(self._problem.variables.device)
            with ordinary_mode():
                return self._products.product(residuals, direction).cpu().numpy()

        return self._operator(x, self.n, product, product)

    def for_scipy(self, args: tuple | None = None, hess: str = "sparse") -> dict[str, Any]:
        """Return arguments for `scipy.optimize.minimize`, see `scipy_functions`.

        Examples
        --------
        >>> import numpy as np
        >>> from scipy.optimize import minimize
        >>> from autodiff_course.sparse import prepare_hessian
        >>> x = np.zeros(50)
        >>> prepared = prepare_hessian(lambda x: ((x[1:] - x[:-1]**2)**2 + (1-x[:-1])**2).sum(), x)
        >>> found = minimize(x0=x, method="trust-constr", **prepared.for_scipy())
        >>> bool(abs(found.x - 1).max() < 1e-6)
        True
        """
        return scipy_functions(self, args, hess)

    @cached_property
    def _gradient_program(self):
        return self._program(merged(self._recorded.first, self._recorded.aux))

    def _compute_entries(self, x: Any, args: tuple | None) -> Tensor:
        return self._recover([self._products.compress(x, args)])

    def _full(self, x: Any, args: tuple | None) -> sp.csr_array:
        matrix = super()._full(x, args)
        if self.triangle == "full":
            return matrix
        return sp.csr_array(matrix + sp.tril(matrix, -1).T)
