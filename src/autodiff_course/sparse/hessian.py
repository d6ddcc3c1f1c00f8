"""The Hessian as a sparse matrix, from one Hessian-vector product for each colour.

With the pattern and a colouring in hand, the compressed matrix B = H S is computed, where column c
of S is the sum of the unit vectors of colour c, and then every entry of H is read off B.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, fx

from .coloring import METHODS, Coloring, color_canonical
from .pattern import MAX_ENTRIES, as_pattern, follow_gradient
from .program import batched, compile_recording, split_by_direction
from .recovery import direct_sources, substitute, substitution_order
from .tracing import Problem, trace_product
from .variables import Arguments, Variables

__all__ = ["PreparedHessian", "prepare_hessian", "sparse_hessian"]

OUTPUTS = ("scipy", "torch")
# Several directions at once save Python's time on small tensors, but fall out of the processor's
# cache on large ones.
BATCH_ELEMENTS = 100_000


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
        Further arguments of f. The values of floating-point tensors may change from call to call.
    method : {"best", "star", "distance2", "acyclic"}
        How to colour, see `color`.
    output : {"scipy", "torch"}
        Whether to return a `scipy.sparse.csr_array`, or a sparse CSR tensor on the device of x.
    check : bool
        Whether to compare one product with what autograd gives directly, at a point near x.
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
        If f does not return one number; if its course depends on the numbers in x; if the pattern
        given is not symmetric or does not hold all non-zero entries (as far as the check finds).
    NotImplementedError
        If an operation in f has no second derivative in PyTorch.
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
    prepared = _prepare(f, x, pattern, args, method, output, max_entries, compile=compile)
    prepared.prepare_batches(x)
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
    gradient, product = trace_product(problem, leaves, problem.arguments.tensors())
    if pattern is None:
        pattern = follow_gradient(gradient, problem, leaves, max_entries)
    coloring = color_canonical(pattern, method)
    return PreparedHessian(problem, _Product(problem, product, compile), pattern, coloring, output)


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

    def __init__(
        self,
        problem: Problem,
        product: _Product,
        pattern: sp.csr_array,
        coloring: Coloring,
        output: str,
    ):
        self.pattern, self.coloring, self.output = pattern, coloring, output
        self.n, self.products = problem.variables.n, coloring.count
        self._problem, self._product = problem, product
        # The matrices returned share these, so nobody may write to them.
        pattern.indices.flags.writeable = pattern.indptr.flags.writeable = False
        if coloring.method == "acyclic":
            self._decompress = _Substitution(pattern, coloring, problem.variables)
        else:
            self._decompress = _Lookup(pattern, coloring, problem.variables)
        device, dtype = problem.variables.device, problem.variables.dtype
        self._colors = torch.from_numpy(coloring.colors).to(device)
        self._compressed = torch.zeros((coloring.count, self.n), dtype=dtype, device=device)
        self._many, self._seeds, self._width = None, None, 1
        self._torch_indices: tuple[Tensor, Tensor] | None = None

    def __repr__(self) -> str:
        c = self.coloring
        return (
            f"PreparedHessian(n={self.n}, nnz={self.pattern.nnz}, products={self.products}, "
            f"method={c.method!r})"
        )

    def prepare_batches(self, x: Any) -> None:
        """Record the product for several directions at once, where that is faster."""
        count = self.products
        fit = max(1, min(count, BATCH_ELEMENTS // max(self.n, 1)))
        if fit == 1:
            return
        batches = -(-count // fit)
        width = -(-count // batches)
        wanted = torch.arange(batches * width, device=self._colors.device)[:, None]
        seeds = (self._colors == wanted).to(self._compressed.dtype)
        many = self._product.for_batches(self._problem.variables.leaves(x), seeds[:width])
        if many is not None:
            self._many, self._seeds, self._width = many, seeds, width
            self._compressed = torch.zeros_like(seeds)

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
        data = self._decompress(self._compress(x, args))
        if self.output == "scipy":
            indices, indptr = self.pattern.indices, self.pattern.indptr
            matrix = sp.csr_array((data.cpu().numpy(), indices, indptr), shape=self.pattern.shape)
            matrix.has_canonical_format = True
            return matrix
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

    def _compress(self, x: Any, args: tuple | None) -> Tensor:
        """Compute H times the sum of the unit vectors of each colour, one row for each colour."""
        leaves = self._problem.variables.leaves(x)
        tensors = self._problem.arguments.tensors(args)
        with torch.no_grad():
            kept = self._product.once(*leaves, *tensors)
            if self._many is None:
                self._compress_one_by_one(kept)
            else:
                for first in range(0, len(self._compressed), self._width):
                    chosen = slice(first, first + self._width)
                    self._many(kept, self._seeds[chosen], self._compressed[chosen])
        return self._compressed

    def _compress_one_by_one(self, kept) -> None:
        dtype = self._problem.variables.dtype
        for c in range(self.products):
            self._product.each(kept, (self._colors == c).to(dtype), self._compressed[c])

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
        variables = self._problem.variables
        if tuple(vector.shape) != (self.n,) or vector.dtype != variables.dtype:
            raise ValueError(
                f"vector: expected shape ({self.n},) and {variables.dtype}, "
                f"got {tuple(vector.shape)} and {vector.dtype}"
            )
        leaves = variables.leaves(x)
        tensors = self._problem.arguments.tensors(args)
        result = torch.empty_like(vector)
        with torch.no_grad():
            self._product.each(self._product.once(*leaves, *tensors), vector, result)
        return result

    def check(self, x: Any, args: tuple | None = None) -> None:
        """Compare H v with what autograd gives without any recording, near x and for a random v.

        Raises
        ------
        ValueError
            If they differ: the pattern lacks entries, or f has changed since it was recorded.

        Notes
        -----
        Costs one Hessian, one gradient and one Hessian-vector product. The point is taken a little
        beside x, since at x itself (zero, say) entries may vanish that do not elsewhere.
        """
        if not self.n:
            return
        variables = self._problem.variables
        random = torch.Generator().manual_seed(0)

        def draw() -> Tensor:
            numbers = torch.rand(self.n, generator=random, dtype=torch.float64) * 2 - 1
            return numbers.to(variables.device, variables.dtype)

        v, shift = draw(), draw()
        for size in (0.01, 0.0):
            moves = variables.split(shift * size)
            near = [
                leaf + move * (1 + leaf.abs())
                for leaf, move in zip(variables.leaves(x), moves, strict=True)
            ]
            true = self._eager_product(near, v, args)
            seen = torch.isfinite(true)
            if seen.any():
                break
        data = self._decompress(self._compress(variables.tree(near), args)).cpu().numpy()
        matrix = sp.csr_array((data, self.pattern.indices, self.pattern.indptr), self.pattern.shape)
        found = matrix @ v.cpu().numpy()
        scale = abs(matrix) @ abs(v.cpu().numpy())
        self._compare(found, true.cpu().numpy(), scale, seen.cpu().numpy())

    def _eager_product(self, leaves: list[Tensor], v: Tensor, args: tuple | None) -> Tensor:
        tensors = self._problem.arguments.tensors(args)
        split = self._problem.variables.split(v)
        both = self._problem.gradient_and_product(leaves, tensors, split)
        # Some versions of torch leave parts in it that ask for a gradient.
        return torch.cat([part.reshape(-1) for part in both[len(leaves) :]]).detach()

    def _compare(self, found, true, scale, seen) -> None:
        seen = seen & np.isfinite(found)
        if not seen.any():
            return
        single = self._problem.variables.dtype == torch.float32
        allowed = 1e-2 if single else 1e-6
        if self.coloring.method == "acyclic":
            allowed *= 20  # substitution adds up roundings
        size = max(np.max(scale[seen]), np.max(np.abs(true[seen])))
        error = np.where(seen, np.abs(found - true), 0.0)
        worst = int(np.argmax(error))
        if error[worst] > allowed * size:
            raise ValueError(
                f"the Hessian found does not agree with autograd: component {worst} of H v is "
                f"{found[worst]:.6g} instead of {true[worst]:.6g}. Either the pattern lacks "
                "entries, or f does not compute the same each time"
            )


# --- Products -------------------------------------------------------------------------------------


class _Product:
    """The recorded product: what is done once for each x, and what for each direction."""

    def __init__(self, problem: Problem, module: fx.GraphModule, compile: bool):
        self._problem, self._compile = problem, compile
        once, self._each_module = split_by_direction(module, len(problem.variables.sizes))
        self.once = compile_recording(once)
        self._each = self._finish(self._each_module)

    def _finish(self, module: fx.GraphModule) -> Callable:
        return torch.compile(module) if self._compile else compile_recording(module)

    def each(self, kept, direction: Tensor, result: Tensor) -> None:
        """Write one product into a vector."""
        variables = self._problem.variables
        parts = self._each(*kept, *variables.split(direction))
        for target, part in zip(variables.split(result), parts, strict=True):
            target.copy_(part)

    def for_batches(self, leaves: list[Tensor], seeds: Tensor) -> Callable | None:
        """Return a function for several directions at once, or None where vmap cannot do it."""
        split = self._problem.variables.split
        with torch.no_grad():
            kept = self.once(*leaves, *self._problem.arguments.tensors())
        try:
            run = self._finish(batched(self._each_module, kept, split(seeds)))
        except (RuntimeError, NotImplementedError):
            return None

        def many(kept, directions: Tensor, results: Tensor) -> None:
            parts = run(*kept, *split(directions))
            for target, part in zip(split(results), parts, strict=True):
                target.copy_(part)

        return many


# --- Recovering the entries -----------------------------------------------------------------------


class _Lookup:
    """Each entry stands somewhere in the compressed matrix."""

    def __init__(self, pattern: sp.csr_array, coloring: Coloring, variables: Variables):
        places = max(coloring.count, 1) * max(variables.n, 1)
        sources = np.empty(pattern.nnz, np.int32 if places < 2**31 else np.int64)
        failed = direct_sources(
            pattern.indptr, pattern.indices, coloring.colors, max(coloring.count, 1), sources
        )
        if failed >= 0:
            raise AssertionError("a colouring from which not every entry can be read")
        self._sources = torch.from_numpy(sources).to(variables.device)

    def __call__(self, compressed: Tensor) -> Tensor:
        return torch.index_select(compressed.view(-1), 0, self._sources)


class _Substitution:
    """Each entry is what remains of a sum when those found before are subtracted."""

    def __init__(self, pattern: sp.csr_array, coloring: Coloring, variables: Variables):
        count = (pattern.nnz + int(np.count_nonzero(pattern.diagonal()))) // 2
        self._steps = np.empty((count, 4), np.int64)
        self._nnz = pattern.nnz
        done = substitution_order(
            pattern.indptr, pattern.indices, coloring.colors, max(coloring.count, 1), self._steps
        )
        if done < count:
            raise AssertionError("a colouring from which not every entry can be computed")

    def __call__(self, compressed: Tensor) -> Tensor:
        flat = compressed.reshape(-1).cpu().numpy()
        data = np.empty(self._nnz, flat.dtype)
        substitute(flat, self._steps, data)
        return torch.from_numpy(data).to(compressed.device)
