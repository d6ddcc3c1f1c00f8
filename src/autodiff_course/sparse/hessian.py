"""The Hessian as a sparse matrix, from one Hessian-vector product for each colour.

With the pattern and a colouring in hand, the compressed matrix B = H S is computed, where column c
of S is the sum of the unit vectors of colour c, and then every entry of H is read off B.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from .coloring import METHODS, color_canonical
from .derivatives import Objective, record_product
from .matrix import OUTPUTS
from .pattern import MAX_ENTRIES, as_pattern, gradient_pattern
from .prepared import check_options
from .prepared_hessian import PreparedHessian
from .torch_internals import ordinary_mode
from .variables import Arguments, Variables

__all__ = ["PreparedHessian", "prepare_hessian", "sparse_hessian"]

TRIANGLES = ("full", "lower")


def sparse_hessian(
    f: Callable[..., Tensor],
    x: Any,
    *,
    args: tuple = (),
    pattern: Any = None,
    method: str = "best",
    output: str = "scipy",
    check: bool = True,
) -> sp.csr_array | Tensor | np.ndarray:
    """Compute the Hessian of f at x as a sparse matrix.

    For several x use `prepare_hessian`: this function prepares anew in each call.

    Parameters
    ----------
    f, x, args, pattern, method, output, check
        As for `prepare_hessian`.

    Returns
    -------
    scipy.sparse.csr_array, torch.Tensor (sparse_csr) or ndarray, shape (n, n)
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
        prepared = _prepare(Objective(f, Variables(x), Arguments(args)), x, pattern, method, output)
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
    triangle: str = "full",
    has_aux: bool = False,
    local: bool = False,
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
    x : Tensor or ndarray, or a dict, list, tuple, ... of them
        An example: float32 or float64, on one device, with n elements altogether. Later x must have
        the same form; f is given tensors in any case. The variables are numbered tensor by tensor,
        in the order of the container, each in row-major order.
    pattern : sparse or dense matrix, shape (n, n), optional
        The entries that can be non-zero, where they are known; else they are found with
        `hessian_pattern`.
    args : tuple
        Further arguments of f. The values of floating-point tensors may change from call to call;
        all else, NumPy arrays included, may not.
    method : {"best", "star", "distance2", "acyclic"}
        How to colour, see `color`.
    output : {"scipy", "torch", "dense"}
        Whether to return a `scipy.sparse.csr_array`, a sparse CSR tensor on the device of x, or an
        ndarray, for small problems.
    triangle : {"full", "lower"}
        Whether to return all entries, or those with row >= column, as interior-point solvers want.
    has_aux : bool
        Whether f returns a pair (value, aux): the second is passed on by `value` and its like.
    local : bool
        Whether the pattern need only hold near the x given. LOUDLY: it is then not the pattern of
        all x. What f compares or rounds, and each index, is taken as it comes out at this x and
        these args, so masks are constants, and shapes may depend on them, as in a list of
        neighbours. Where one comes out otherwise later, the call raises a ValueError; prepare anew.
    check : bool
        Whether to compare one product with differences of the gradient, see
        `PreparedHessian.check`.
    compile : bool
        Whether to compile the computation by TorchInductor: as one graph, with the directions
        one after another or at once, whichever is faster, where these are not too many. Takes
        seconds, or minutes for many operations. Where no C++ compiler is found, a warning is given,
        and the products are computed as without.
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
    two to three gradients. A Hessian without zeros takes n colours: `torch.func.hessian` then does
    as many products without any preparation.

    Where f has a kink or a jump, the second derivative of the branch that PyTorch takes is
    returned; so relu contributes a zero block. A custom `torch.autograd.Function` must have a
    backward that can itself be differentiated. A NaN or infinity in one entry may spread to other
    entries of the same row and column.

    A Hessian that does not depend on x, as of a quadratic function, is computed once. Of others
    each costs time at least for the bytes that its operations move: without `compile`, each of them
    reads and writes memory, in all some 30 to 100 times the n numbers of x for each colour in the
    problems of ``benchmarks/sparse_hessian_bytes.py``, which counts them.

    In double precision 25 bytes are kept for each entry, those of one matrix returned included: 8
    in it, 8 in the compressed matrix, 4 each for its column and its place there, 1 in the pattern.
    Besides, 16 for each variable, and during a call what the directions share and one of them at
    work. With `method="acyclic"` it is more.

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
        problem = Objective(f, Variables(x), Arguments(args), has_aux, local)
        options = {"triangle": triangle, "max_entries": max_entries, "compile": compile}
        prepared = _prepare(problem, x, pattern, method, output, **options)
        prepared._products.prepare(x)
    if check:
        prepared.check(x)
    return prepared


def _prepare(
    problem: Objective,
    x: Any,
    pattern: Any,
    method: str,
    output: str,
    triangle: str = "full",
    max_entries: int = MAX_ENTRIES,
    compile: bool = False,
) -> PreparedHessian:
    check_options(
        output=(output, OUTPUTS), method=(method, METHODS), triangle=(triangle, TRIANGLES)
    )
    variables = problem.variables
    leaves = variables.leaves(x)
    if pattern is not None:
        pattern = as_pattern(pattern, variables.n)
    tensors = problem.arguments.tensors()
    direction = [torch.ones(leaf.shape, **variables.like) for leaf in leaves]
    recorded = record_product(problem, problem.first_and_product, leaves, tensors, direction)
    if pattern is None:
        pattern = gradient_pattern(recorded.first, problem, max_entries)
    coloring = color_canonical(pattern, method)
    return PreparedHessian(problem, recorded, pattern, coloring, output, triangle, compile)
