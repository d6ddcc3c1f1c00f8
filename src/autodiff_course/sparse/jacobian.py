"""The Jacobian as a sparse matrix, from one product for each colour of its columns or rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import LinearOperator
from torch import Tensor

from .coloring_jacobian import DIRECTIONS, JacobianColoring, color_both_sides
from .decompression import Lookup, jacobian_sources
from .derivatives import Recorded, VectorFunction, record_first, record_product
from .matrix import OUTPUTS, Matrix
from .pattern import MAX_ENTRIES, as_pattern, recorded_pattern
from .prepared import Prepared, check_options
from .products import Products
from .torch_internals import ordinary_mode
from .variables import Arguments, Layout, Variables

__all__ = ["PreparedJacobian", "prepare_jacobian", "sparse_jacobian"]


def sparse_jacobian(
    f: Callable[..., Tensor],
    x: Any,
    *,
    args: tuple = (),
    pattern: Any = None,
    direction: str = "best",
    output: str = "scipy",
    check: bool = True,
) -> sp.csr_array | Tensor | np.ndarray:
    """Compute the Jacobian of f at x as a sparse matrix.

    For several x use `prepare_jacobian`: this function prepares anew in each call.

    Parameters
    ----------
    f, x, args, pattern, direction, output, check
        As for `prepare_jacobian`.

    Returns
    -------
    scipy.sparse.csr_array, torch.Tensor (sparse_csr) or ndarray, shape (m, n)
        Of x's dtype. Its entries are those of the pattern; some may be zero.

    Raises
    ------
    TypeError, ValueError, NotImplementedError
        As for `prepare_jacobian`.

    Examples
    --------
    >>> import torch
    >>> from autodiff_course.sparse import sparse_jacobian
    >>> x = torch.tensor([1.0, 2.0, 3.0])
    >>> print(sparse_jacobian(lambda x: x[1:] * x[:-1] ** 2, x).toarray())
    [[ 4.  1.  0.]
     [ 0. 12.  4.]]
    """
    with ordinary_mode():
        problem = VectorFunction(f, Variables(x), Arguments(args))
        prepared = _prepare(problem, x, pattern, direction, output)
    if check:
        prepared.check(x)
    return prepared(x)


def prepare_jacobian(
    f: Callable[..., Tensor],
    x: Any,
    pattern: Any = None,
    *,
    args: tuple = (),
    direction: str = "best",
    output: str = "scipy",
    has_aux: bool = False,
    local: bool = False,
    check: bool = True,
    compile: bool = False,
    max_entries: int = MAX_ENTRIES,
) -> PreparedJacobian:
    """Do once what does not depend on the numbers in x: pattern, colouring and recording.

    Parameters
    ----------
    f : callable
        ``f(x, *args)`` returns a tensor of m real numbers, of any shape, computed with PyTorch
        operations that have a derivative. What f uses besides its arguments must not change
        afterwards.
    x, args, output, has_aux, local, compile, max_entries
        As for `prepare_hessian`.
    pattern : sparse or dense matrix, shape (m, n), optional
        The entries that can be non-zero, where they are known; else they are found with
        `jacobian_pattern`.
    direction : {"best", "columns", "rows", "both"}
        From which products the entries are read, see `color_jacobian`: J v, sums of columns, by
        forward mode; Jᵀ w, sums of rows, by reverse mode; or some of each.
    check : bool
        Whether to compare one product with differences of f, see `PreparedJacobian.check`.

    Returns
    -------
    PreparedJacobian
        Call it with x to get the Jacobian there.

    Raises
    ------
    TypeError
        If x is not made of float32 or float64 tensors, or f does not return a real tensor.
    ValueError
        As for `prepare_hessian`; and if the pattern given does not hold all non-zero entries (as
        far as the check finds).
    NotImplementedError
        If an operation in f has no derivative in PyTorch, or takes functions, as `torch.cond` does.
    RuntimeError
        Inside `torch.vmap` and other function transforms.
    TooDense
        A ValueError: the pattern has more than `max_entries` entries.

    See Also
    --------
    sparse_jacobian : The same in one call.

    Notes
    -----
    Each Jacobian costs as many products as there are colours: one of forward mode about as much as
    f and its derivatives once more, one of reverse mode two to three times f. Where PyTorch has no
    forward rule for an operation, J v is found as the derivative of Jᵀ w by w. Kinks are treated as
    in `prepare_hessian`.

    References
    ----------
    A. R. Curtis, M. J. D. Powell, J. K. Reid: On the estimation of sparse Jacobian matrices (1974).
    Thomas F. Coleman, Arun Verma: The efficient computation of sparse Jacobian matrices using
    automatic differentiation (1998).

    Examples
    --------
    >>> import torch
    >>> from autodiff_course.sparse import prepare_jacobian
    >>> jacobian = prepare_jacobian(lambda x: x[1:] * x[:-1] ** 2, torch.zeros(1000))
    >>> jacobian.products, jacobian.coloring.direction
    (2, 'columns')
    >>> jacobian(torch.ones(1000)).nnz
    1998
    """
    with ordinary_mode():
        problem = VectorFunction(f, Variables(x), Arguments(args), has_aux, local)
        prepared = _prepare(problem, x, pattern, direction, output, max_entries, compile)
        for side in prepared._sides:
            side.prepare(x)
    if check:
        prepared.check(x)
    return prepared


def _prepare(
    problem: VectorFunction,
    x: Any,
    pattern: Any,
    direction: str,
    output: str = "scipy",
    max_entries: int = MAX_ENTRIES,
    compile: bool = False,
) -> PreparedJacobian:
    check_options(output=(output, OUTPUTS), direction=(direction, DIRECTIONS))
    leaves, tensors = problem.variables.leaves(x), problem.arguments.tensors()
    first = record_first(problem, leaves, tensors)
    (form,) = (node.form for node in first.first.outputs)
    shape = (form.size, problem.variables.n)
    if pattern is None:
        pattern = recorded_pattern(first.first, problem, max_entries)
    else:
        pattern = as_pattern(pattern, shape=shape)
    coloring = color_both_sides(pattern, direction)
    prepared = PreparedJacobian(problem, first, pattern, coloring, output, compile)
    prepared._record_sides(x)
    return prepared


class PreparedJacobian(Prepared):
    """The Jacobian of one function, ready to be computed at any x; made by `prepare_jacobian`.

    Attributes
    ----------
    pattern : scipy.sparse.csr_array of bool, shape (m, n)
        The entries computed.
    coloring : JacobianColoring
        Which columns, or rows, share one product.
    m, n : int
        The numbers of values and of variables.
    products : int
        The number of products for one Jacobian: of colours.
    """

    def __init__(
        self,
        problem: VectorFunction,
        recorded: Recorded,
        pattern: sp.csr_array,
        coloring: JacobianColoring,
        output: str,
        compile: bool = False,
    ):
        super().__init__(problem, recorded, Matrix(pattern, output))
        self.pattern, self.coloring, self.products = pattern, coloring, coloring.count
        (form,) = (node.form for node in recorded.first.outputs)
        self._values = Layout([torch.empty(form.shape, dtype=form.dtype, device=form.device)])
        self.m, self._compile = self._values.n, compile
        self._recorded_sides: dict[str, Products] = {}
        self._sides = []
        self._recover = Lookup(jacobian_sources(pattern, coloring), problem.variables.device)

    def __repr__(self) -> str:
        return (
            f"PreparedJacobian(m={self.m}, n={self.n}, nnz={self.pattern.nnz}, "
            f"products={self.products}, direction={self.coloring.direction!r})"
        )

    def value_and_jacobian(self, x: Any, args: tuple | None = None) -> tuple[Any, Any]:
        """Return f(x), with ``has_aux`` a pair (value, aux), and the Jacobian.

        What the value and the products have in common is done once.

        Examples
        --------
        >>> import numpy as np
        >>> from autodiff_course.sparse import prepare_jacobian
        >>> x = np.array([1.0, 2.0])
        >>> value, jacobian = prepare_jacobian(lambda x: x**3, x).value_and_jacobian(x)
        >>> value, jacobian.toarray().tolist()
        (array([1., 8.]), [[3.0, 0.0], [0.0, 12.0]])
        """
        side, *others = self._sides
        if not side.shares_primal:
            return self.value(x, args), self(x, args)
        with ordinary_mode():
            residuals, first = side.residuals_and_first(x, args)
            value, _ = self._finish(x, first)
            parts = [side.all_of_them(residuals)]
            parts += [other.compress(x, args) for other in others]
            return value, self._matrix(self._recover(parts))

    def product(self, x: Any, vector: Any, args: tuple | None = None) -> Any:
        """Return the Jacobian at x times a vector of shape (n,), by forward mode.

        Examples
        --------
        >>> import torch
        >>> from autodiff_course.sparse import prepare_jacobian
        >>> x = torch.tensor([1.0, 2.0])
        >>> jacobian = prepare_jacobian(lambda x: x**2, x)
        >>> jacobian.product(x, torch.tensor([1.0, 10.0]))
        tensor([ 2., 40.])
        """
        return self._multiply("forward", x, vector, args)

    def transposed_product(self, x: Any, vector: Any, args: tuple | None = None) -> Any:
        """Return the transposed Jacobian at x times a vector of shape (m,), by reverse mode.

        Examples
        --------
        >>> import torch
        >>> from autodiff_course.sparse import prepare_jacobian
        >>> x = torch.tensor([1.0, 2.0])
        >>> jacobian = prepare_jacobian(lambda x: x[:1] * x[1:], x)
        >>> jacobian.transposed_product(x, torch.tensor([10.0]))
        tensor([20., 10.])
        """
        return self._multiply("reverse", x, vector, args)

    def operator(self, x: Any, args: tuple | None = None) -> LinearOperator:
        """Return the Jacobian at x as a linear operator for SciPy: products both ways.

        Examples
        --------
        >>> import numpy as np
        >>> from autodiff_course.sparse import prepare_jacobian
        >>> x = np.array([1.0, 2.0])
        >>> operator = prepare_jacobian(lambda x: x[:1] * x[1:], x).operator(x)
        >>> operator @ np.array([1.0, 10.0]), operator.T @ np.array([1.0])
        (array([12.]), array([2., 1.]))
        """
        x = self._problem.variables.tree([t.clone() for t in self._problem.variables.leaves(x)])
        return self._operator(
            x,
            self.m,
            lambda vector: self.product(x, vector, args),
            lambda vector: self.transposed_product(x, vector, args),
        )

    def for_scipy(self, args: tuple | None = None) -> dict[str, Any]:
        """Return the arguments ``fun`` and ``jac`` of `scipy.optimize.least_squares`.

        Examples
        --------
        >>> import numpy as np
        >>> from scipy.optimize import least_squares
        >>> from autodiff_course.sparse import prepare_jacobian
        >>> x = np.full(4, 2.0)
        >>> jacobian = prepare_jacobian(lambda x: x**2 - 1, x)
        >>> bool(abs(least_squares(x0=x, **jacobian.for_scipy()).x - 1).max() < 1e-6)
        True
        """

        def fun(flat: np.ndarray) -> np.ndarray:
            value = self.value(self._at(flat), args)
            tensor = value[0] if self._problem.has_aux else value
            return tensor.reshape(-1).cpu().double().numpy()

        return {"fun": fun, "jac": lambda flat: self._full(self._at(flat), args)}

    def _multiply(self, kind: str, x: Any, vector: Any, args: tuple | None) -> Any:
        with ordinary_mode():
            side = self._side(kind, x)
            direction = side.domain.vector("vector", vector)
            found = side.product(side.residuals(x, args), direction)
        return found.cpu().numpy() if isinstance(vector, np.ndarray) else found

    def _compute_entries(self, x: Any, args: tuple | None) -> Tensor:
        parts = [side.compress(x, args) for side in self._sides]
        return self._recover(parts).to(self._problem.variables.dtype)

    def _record_sides(self, x: Any) -> None:
        kinds = [self.coloring.column_count, self.coloring.row_count]
        wanted = [kind for kind, count in zip(("forward", "reverse"), kinds, strict=True) if count]
        self._sides = [self._side(kind, x) for kind in wanted or ["forward"]]

    def _side(self, kind: str, x: Any) -> Products:
        """Return the products with sums of columns or of rows, recorded when first needed."""
        if kind not in self._recorded_sides:
            problem = self._problem
            domain = problem.variables if kind == "forward" else self._values
            ones = [torch.ones(shape, **domain.like) for shape in domain.shapes]
            leaves, tensors = problem.variables.leaves(x), problem.arguments.tensors()
            function = getattr(problem, kind)
            self._add_side(kind, record_product(problem, function, leaves, tensors, ones))
        return self._recorded_sides[kind]

    def _add_side(self, kind: str, recorded: Recorded) -> Products:
        ends, coloring = (self._problem.variables, self._values), self.coloring
        colors, count = coloring.columns, coloring.column_count
        if kind == "reverse":
            ends, colors, count = ends[::-1], coloring.rows, coloring.row_count
        side = Products(self._problem, recorded, *ends, colors, count, self._compile)
        self._recorded_sides[kind] = side
        return side
