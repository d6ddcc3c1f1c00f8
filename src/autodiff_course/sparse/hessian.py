"""The Hessian as a sparse matrix, from one Hessian-vector product for each colour.

With the pattern and a colouring in hand, the compressed matrix B = H S is computed, where column c
of S is the sum of the unit vectors of colour c, and then every entry of H is read off B.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import scipy.sparse as sp
import torch
from torch import Tensor

from .checking import check_hessian
from .coloring import METHODS, Coloring, color_canonical
from .decompression import Lookup, Substitution
from .derivatives import Problem, record_product
from .pattern import MAX_ENTRIES, as_pattern, gradient_pattern
from .products import Products
from .torch_internals import ordinary_mode
from .variables import Arguments, Variables

__all__ = ["PreparedHessian", "prepare_hessian", "sparse_hessian"]

OUTPUTS = ("scipy", "torch")


def sparse_hessian(
    f: Callable[..., Tensor],
    x: Any,
    *,
    args: tuple = (),
    pattern: Any = None,
    method: str = "best",
    output: str = "scipy",
    check: bool = True,
) -> sp.csr_array | Tensor:
    """Compute the Hessian of f at x as a sparse matrix.

    For several x use `prepare_hessian`: this function prepares anew in each call.

    Parameters
    ----------
    f, x, args, pattern, method, output, check
        As for `prepare_hessian`.

    Returns
    -------
    scipy.sparse.csr_array or torch.Tensor (sparse_csr), shape (n, n)
        Of x's dtype, and symmetric to the last bit. Its entries are those of the pattern; some may
        be zero.

    Raises
    ------
    TypeError, ValueError, NotImplementedError
        As for `prepare_hessian`.

    Examples
    --------
    >>> import torch
    >>> from autodiff_course.sparse import sparse_hessian
    >>> x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    >>> hessian = sparse_hessian(lambda x: (x[1:] * x[:-1] ** 2).sum(), x)
    >>> print(hessian.toarray())
    [[4. 2. 0.]
     [2. 6. 4.]
     [0. 4. 0.]]
    """
    with ordinary_mode():
        prepared = _prepare(f, x, pattern, args, method, output, MAX_ENTRIES)
    if check:
        prepared.check(x)
    return prepared(x)


def prepare_hessian(
    f: Callable[..., Tensor],
    x: Any,
    pattern: Any = None,
    *,
    args: tuple = (),
    method: str = "best",
    output: str = "scipy",
    check: bool = True,
    compile: bool = False,
    max_entries: int = MAX_ENTRIES,
) -> PreparedHessian:
    """Do once what does not depend on the numbers in x: pattern, colouring and recording.

    Parameters
    ----------
    f : callable
        ``f(x, *args)`` returns one real number as a tensor, computed with PyTorch operations that
        have a second derivative. What f uses besides its arguments must not change afterwards.
    x : Tensor, or a dict, list, tuple, ... of tensors
        An example: float32 or float64, on one device, with n elements altogether. Later x must have
        the same form. The variables are numbered tensor by tensor, in the order of the container,
        each in row-major order.
    pattern : sparse or dense matrix, shape (n, n), optional
        The entries that can be non-zero, where they are known; else they are found with
        `hessian_pattern`.
    args : tuple
        Further arguments of f. The values of floating-point tensors may change from call to call;
        all else, NumPy arrays included, may not.
    method : {"best", "star", "distance2", "acyclic"}
        How to colour, see `color`.
    output : {"scipy", "torch"}
        Whether to return a `scipy.sparse.csr_array`, or a sparse CSR tensor on the device of x.
    check : bool
        Whether to compare one product with differences of the gradient, see
        `PreparedHessian.check`.
    compile : bool
        Whether to pass the recorded product through `torch.compile`. Takes seconds, and may be
        faster or slower afterwards: measure.
    max_entries : int
        The most entries a pattern may have.

    Returns
    -------
    PreparedHessian
        Call it with x to get the Hessian there.

    Raises
    ------
    TypeError
        If x is not made of float32 or float64 tensors, or f does not return a real tensor.
    ValueError
        If f does not return one number; if its course depends on the numbers in x; if it writes
        into a tensor that it did not make, or uses one of `torch.inference_mode`; if the pattern
        given is not symmetric or does not hold all non-zero entries (as far as the check finds).
    NotImplementedError
        If an operation in f has no second derivative in PyTorch, or takes functions, as
        `torch.cond` does.
    RuntimeError
        Inside `torch.vmap` and other function transforms.
    TooDense
        A ValueError: the pattern has more than `max_entries` entries.

    See Also
    --------
    sparse_hessian : The same in one call.

    Notes
    -----
    Each Hessian costs as many Hessian-vector products as there are colours, each about as much as
    two to three gradients. Where f has a kink or a jump, the second derivative of the branch that
    PyTorch takes is returned; so relu contributes a zero block. A custom `torch.autograd.Function`
    must have a backward that can itself be differentiated. A NaN or infinity in one entry may
    spread to other entries of the same row and column.

    References
    ----------
    M. J. D. Powell, Ph. L. Toint: On the estimation of sparse Hessian matrices (1979).
    Assefaw H. Gebremedhin, Arijit Tarafdar, Alex Pothen, Andrea Walther: Efficient computation of
    sparse Hessians using coloring and automatic differentiation (2009).

    Examples
    --------
    >>> import torch
    >>> from autodiff_course.sparse import prepare_hessian
    >>> def rosenbrock(x):
    ...     return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
    >>> hessian = prepare_hessian(rosenbrock, torch.zeros(1000, dtype=torch.float64))
    >>> hessian.products
    3
    >>> hessian(torch.ones(1000, dtype=torch.float64)).nnz
    2998
    """
    with ordinary_mode():
        prepared = _prepare(f, x, pattern, args, method, output, max_entries, compile=compile)
        prepared._products.prepare_batches(x)
    if check:
        prepared.check(x)
    return prepared


def _prepare(f, x, pattern, args, method, output, max_entries, compile=False) -> PreparedHessian:
    if output not in OUTPUTS:
        raise ValueError(f"output: expected one of {', '.join(OUTPUTS)}, got {output!r}")
    if method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {method!r}")
    if not callable(f):
        raise TypeError(f"f: expected a function, got {type(f).__name__}")
    problem = Problem(f, Variables(x), Arguments(args))
    leaves = problem.variables.leaves(x)
    if pattern is not None:
        pattern = as_pattern(pattern, problem.variables.n)
    gradient, product = record_product(problem, leaves, problem.arguments.tensors())
    if pattern is None:
        pattern = gradient_pattern(gradient, problem, max_entries)
    coloring = color_canonical(pattern, method)
    products = Products(problem, product, coloring, compile)
    return PreparedHessian(pattern, coloring, products, output)


class PreparedHessian:
    """The Hessian of one function, ready to be computed at any x; made by `prepare_hessian`.

    Attributes
    ----------
    pattern : scipy.sparse.csr_array of bool, shape (n, n)
        The entries computed.
    coloring : Coloring
        Which columns share one product.
    n : int
        The number of variables.
    products : int
        The number of Hessian-vector products for one Hessian: of colours.
    """

    def __init__(self, pattern: sp.csr_array, coloring: Coloring, products: Products, output: str):
        self.pattern, self.coloring, self.output = pattern, coloring, output
        self.n, self.products = pattern.shape[0], coloring.count
        self._products, self._problem = products, products.problem
        # The matrices returned share these, so nobody may write to them.
        pattern.indices.flags.writeable = pattern.indptr.flags.writeable = False
        recovery = Substitution if coloring.method == "acyclic" else Lookup
        self._recover = recovery(pattern, coloring, self._problem.variables.device)
        self._torch_indices: tuple[Tensor, Tensor] | None = None

    def __repr__(self) -> str:
        c = self.coloring
        return (
            f"PreparedHessian(n={self.n}, nnz={self.pattern.nnz}, products={self.products}, "
            f"method={c.method!r})"
        )

    def __call__(self, x: Any, args: tuple | None = None) -> sp.csr_array | Tensor:
        """Compute the Hessian at x.

        Parameters
        ----------
        x : Tensor or container of tensors
            Of the form of the example.
        args : tuple, optional
            Other values of the further arguments; by default those given at preparation.

        Returns
        -------
        scipy.sparse.csr_array or torch.Tensor (sparse_csr), shape (n, n)
            The matrices that one object returns share their index arrays, which are read-only;
            copy one before changing its structure in place.

        Raises
        ------
        ValueError
            If x or args are not of the form that they had at preparation.
        """
        with ordinary_mode():
            if self.output == "scipy":
                return self._matrix(x, args)
            data = self._recover(self._products.compress(x, args))
        if self._torch_indices is None:
            parts = (self.pattern.indptr, self.pattern.indices)
            # Copies: torch cannot hold a read-only array.
            self._torch_indices = tuple(torch.tensor(p, device=data.device) for p in parts)
        with warnings.catch_warnings():
            # Once in each process PyTorch says that this kind of tensor is new.
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
            return torch.sparse_csr_tensor(
                *self._torch_indices, data, size=self.pattern.shape, check_invariants=False
            )

    def product(self, x: Any, vector: Tensor, args: tuple | None = None) -> Tensor:
        """Return the Hessian at x times a vector of shape (n,), without computing the Hessian.

        Examples
        --------
        >>> import torch
        >>> from autodiff_course.sparse import prepare_hessian
        >>> x = torch.tensor([1.0, 2.0])
        >>> prepare_hessian(lambda x: x[0] ** 2 * x[1], x).product(x, torch.tensor([1.0, 0.0]))
        tensor([4., 2.])
        """
        dtype = self._problem.variables.dtype
        if tuple(vector.shape) != (self.n,) or vector.dtype != dtype:
            raise ValueError(
                f"vector: expected shape ({self.n},) and {dtype}, "
                f"got {tuple(vector.shape)} and {vector.dtype}"
            )
        with ordinary_mode():
            return self._products.product(x, vector, args)

    def check(self, x: Any, args: tuple | None = None) -> None:
        """Compare H v with differences of the gradient, near x and for a random v.

        Raises
        ------
        ValueError
            If they differ: the pattern lacks entries, or f has changed since it was recorded.

        Warns
        -----
        UserWarning
            If they differ, but H v is what autograd gives without any recording: then its second
            derivative is not that of the first, as where f detaches a tensor.

        Notes
        -----
        Costs one Hessian and four gradients, of which nothing is recorded; if they disagree, four
        more with a longer step, since f may be less accurate than x. The point is taken a
        little beside x, since at x itself (zero, say) entries may vanish that do not elsewhere.
        What two differences of other steps differ by, and what rounding may do to them, is allowed
        for. So the check says little where the gradient jumps or is inaccurate.
        """
        if self.n:
            with ordinary_mode():
                check_hessian(self._problem, lambda x: self._matrix(x, args), x, args)

    def _matrix(self, x: Any, args: tuple | None) -> sp.csr_array:
        data = self._recover(self._products.compress(x, args)).cpu().numpy()
        indices, indptr = self.pattern.indices, self.pattern.indptr
        matrix = sp.csr_array((data, indices, indptr), shape=self.pattern.shape)
        matrix.has_canonical_format = True
        return matrix
