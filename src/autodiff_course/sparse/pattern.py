"""Which entries of a Hessian can be non-zero.

The Hessian is the Jacobian of the gradient. So record the gradient once, and follow through its
operations which inputs each number depends on: entry (i, j) can be non-zero only if component i of
the gradient depends on x[j]. No derivative is computed on the way, and the numbers in x do not
matter: the pattern holds for every x.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from .derivatives import Function, Objective, VectorFunction, record_first
from .domains import AbstractTensor, DomainAlgebra, TooDense
from .propagate import Propagation
from .record import Recording
from .torch_internals import ordinary_mode
from .variables import Arguments, Variables

__all__ = ["TooDense", "as_pattern", "hessian_pattern", "jacobian_pattern"]

MAX_ENTRIES = 2**28


def hessian_pattern(
    f: Callable[..., Tensor], x: Any, *, args: tuple = (), max_entries: int = MAX_ENTRIES
) -> sp.csr_array:
    """Find the entries of the Hessian of f that can be non-zero.

    Parameters
    ----------
    f : callable
        ``f(x, *args)`` returns one real number as a tensor, computed with PyTorch operations.
    x : Tensor, or a dict, list, tuple, ... of tensors
        float32 or float64. Only its form matters, not the numbers in it. The variables are
        numbered tensor by tensor, in the order of the container, each in row-major order.
    args : tuple
        Further arguments of f. Floating-point tensors among them may have any value; integer and
        boolean tensors, numbers and all that f brings along itself are taken as they are.
    max_entries : int
        The most entries that a pattern on the way may have.

    Returns
    -------
    scipy.sparse.csr_array of bool, shape (n, n)
        Symmetric, with sorted indices. Every entry that is non-zero for some x is in it, as far as
        f takes the same Python branches. It can hold more, see the notes.

    Warns
    -----
    UserWarning
        For an operation that has no rule: its results are taken to depend on all its inputs.

    Raises
    ------
    TypeError, ValueError
        If x or what f returns is not as above; if f branches on a value, has shapes that depend on
        values, takes numbers out of tensors, or draws random numbers.
    TooDense
        A ValueError: there are more than `max_entries` entries.

    See Also
    --------
    color : Group the columns of the pattern.
    sparse_hessian : Compute the entries.

    Notes
    -----
    Costs one recording of the gradient and one pass over its operations, whatever the number of
    variables; no Hessian-vector product.

    The pattern is that of the operations, so it holds entries that are always zero where terms
    cancel, or where a factor happens to be zero; a constant factor zero *is* noticed. Where numbers
    decide which element is taken (max, min, median, sort, topk, kthvalue, cummax, max pooling, an
    index that depends on x), each that could be taken counts, along with every pair of them: all of
    one row, or of one window. Likewise each matrix of a batch counts as dense in inverses,
    decompositions and the like, and a dimension in softmax, norms and Fourier transforms.

    References
    ----------
    Andreas Griewank, Andrea Walther: Evaluating Derivatives (2008), section 7.
    Andrea Walther: Computing sparse Hessians with automatic differentiation (2008).

    Examples
    --------
    >>> import torch
    >>> from autodiff_course.sparse import hessian_pattern
    >>> pattern = hessian_pattern(lambda x: (x[1:] * x[:-1] ** 2).sum(), torch.zeros(4))
    >>> print(pattern.toarray().astype(int))
    [[1 1 0 0]
     [1 1 1 0]
     [0 1 1 1]
     [0 0 1 0]]
    """
    with ordinary_mode():
        problem = Objective(f, Variables(x), Arguments(args))
        leaves = problem.variables.leaves(x)
        recorded = record_first(problem, leaves, problem.arguments.tensors())
        return gradient_pattern(recorded.first, problem, max_entries)


def jacobian_pattern(
    f: Callable[..., Tensor], x: Any, *, args: tuple = (), max_entries: int = MAX_ENTRIES
) -> sp.csr_array:
    """Find the entries of the Jacobian of f that can be non-zero.

    Parameters
    ----------
    f : callable
        ``f(x, *args)`` returns a tensor of m real numbers, of any shape, computed with PyTorch
        operations.
    x, args, max_entries
        As for `hessian_pattern`.

    Returns
    -------
    scipy.sparse.csr_array of bool, shape (m, n)
        With sorted indices. The rows are the elements of what f returns, in row-major order.

    Warns
    -----
    UserWarning
        As `hessian_pattern`.

    Raises
    ------
    TypeError, ValueError, TooDense
        As for `hessian_pattern`.

    Notes
    -----
    Costs one recording of f and one pass over its operations; no product.

    Examples
    --------
    >>> import torch
    >>> from autodiff_course.sparse import jacobian_pattern
    >>> print(jacobian_pattern(lambda x: x[1:] * x[:-1], torch.zeros(4)).toarray().astype(int))
    [[1 1 0 0]
     [0 1 1 0]
     [0 0 1 1]]
    """
    with ordinary_mode():
        problem = VectorFunction(f, Variables(x), Arguments(args))
        leaves = problem.variables.leaves(x)
        recorded = record_first(problem, leaves, problem.arguments.tensors())
        return recorded_pattern(recorded.first, problem, max_entries)


def gradient_pattern(first: Recording, problem: Function, max_entries: int) -> sp.csr_array:
    """Return the pattern of the Hessian whose function's value and gradient were recorded."""
    gradient = first._replace(outputs=first.outputs[1:]).pruned()
    matrix = recorded_pattern(gradient, problem, max_entries)
    # The two halves are found on different ways, and each may hold entries that are always zero.
    symmetric = sp.csr_array(matrix + matrix.T)
    symmetric.data = symmetric.data.copy()  # a sum has room for more
    symmetric.sort_indices()
    if max(symmetric.nnz, symmetric.shape[0]) < 2**31:  # half the memory, where SciPy chose more
        indices, indptr = (a.astype(np.int32) for a in (symmetric.indices, symmetric.indptr))
        symmetric.indices, symmetric.indptr = indices, indptr
    return symmetric


def recorded_pattern(recording: Recording, problem: Function, max_entries: int) -> sp.csr_array:
    """Return which inputs the outputs of a recording depend on, a row for each number."""
    variables = problem.variables
    algebra = DomainAlgebra(variables.n, max_entries)
    known, first = {}, 0
    for node, size in zip(recording.inputs, variables.sizes, strict=False):
        known[node] = AbstractTensor(node.form, algebra.identity(first, size))
        first += size
    propagation = Propagation(algebra)
    outputs = propagation.run(recording, known)
    propagation.warn()
    sizes = [tensor.size for tensor in outputs]
    domains = algebra.concatenate([tensor.domains for tensor in outputs], sizes)
    return (domains or algebra.empty(sum(sizes))).matrix


# --- A pattern given by the caller ----------------------------------------------------------------


def as_pattern(
    pattern: Any, n: int | None = None, *, shape: tuple[int, int] | None = None
) -> sp.csr_array:
    """Return any sparse or dense matrix as a pattern: boolean, canonical CSR.

    Parameters
    ----------
    pattern : sparse or dense matrix of SciPy, NumPy or PyTorch, shape (n, n)
        Of a sparse matrix each stored entry counts, whatever its value, unless it is boolean: then
        only what is True does.
    n : int, optional
        The number of rows expected.
    shape : tuple of two int, optional
        The shape of the pattern of a Jacobian, which need not be square or symmetric.

    Returns
    -------
    scipy.sparse.csr_array of bool

    Raises
    ------
    ValueError
        If the matrix is of another shape; or, without a shape, if it is not square, of another size
        than n, or not symmetric.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff_course.sparse import as_pattern
    >>> as_pattern(np.array([[2.0, 0.5], [0.5, 0.0]])).toarray().tolist()
    [[True, True], [True, False]]
    """
    matrix = _to_scipy(pattern)
    if shape is None:
        size = matrix.shape[0] if n is None else n
        expected = (size, size)
        text = "(n, n)" if n is None else str(expected)
    else:
        expected, text = shape, str(shape)
    if matrix.shape != expected:
        raise ValueError(f"pattern: expected shape {text}, got {matrix.shape}")
    ones = np.ones(matrix.nnz, bool)
    result = sp.csr_array((ones, matrix.indices, matrix.indptr), shape=matrix.shape)
    result.sum_duplicates()
    if shape is None and (result != result.T).nnz:
        row, column = (part[0] for part in (result > result.T).nonzero())
        raise ValueError(
            f"pattern: expected a symmetric one, but entry ({row}, {column}) is set and "
            f"({column}, {row}) is not"
        )
    return result


def _to_scipy(pattern: Any) -> sp.csr_array:
    if isinstance(pattern, Tensor):
        pattern = pattern.detach().cpu()
        if pattern.layout == torch.strided:
            pattern = pattern.numpy()
        else:
            pattern = pattern.to_sparse_coo().coalesce()
            indices = pattern.indices().numpy()
            pattern = sp.coo_array((pattern.values().numpy(), tuple(indices)), tuple(pattern.shape))
    if not sp.issparse(pattern):
        pattern = np.asarray(pattern)
        if pattern.ndim != 2:
            raise ValueError(f"pattern: expected a matrix, got {pattern.ndim} dimensions")
    matrix = sp.csr_array(pattern, copy=True)
    if matrix.dtype == bool:
        matrix.eliminate_zeros()
    return matrix
