"""Which entries of a Hessian can be non-zero.

The Hessian is the Jacobian of the gradient. So record the gradient once, and follow through its
operations which inputs each number depends on: entry (i, j) can be non-zero only if component i of
the gradient depends on x[j]. No derivative is computed on the way, and the numbers in x do not
matter: the pattern holds for every x.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from . import rules, rules_mixing, rules_moving, rules_windows  # noqa: F401 (they register)
from .dependence import Flow, TooDense, Workspace
from .tracing import Problem, functional, simplify, trace_gradient
from .variables import Arguments, Variables

__all__ = ["TooDense", "as_pattern", "hessian_pattern"]

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
        f takes the same Python branches. It can hold more: two terms that cancel are not noticed,
        nor is a factor that only happens to be zero. A constant factor zero *is* noticed.

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
    variables, arguments = Variables(x), Arguments(args)
    problem, leaves = Problem(f, variables, arguments), variables.leaves(x)
    gradient = trace_gradient(problem, leaves, arguments.tensors())
    return follow_gradient(gradient, problem, leaves, max_entries)


def follow_gradient(
    gradient: fx.GraphModule, problem: Problem, leaves: list[Tensor], max_entries: int
) -> sp.csr_array:
    """Follow the dependences through a recorded gradient."""
    variables = problem.variables
    space = Workspace(variables.n, max_entries)
    inputs, first = [], 0
    for leaf, size in zip(leaves, variables.sizes, strict=True):
        inputs.append(Flow(leaf, space.identity(first, size)))
        first += size
    inputs += [Flow(tensor) for tensor in problem.arguments.tensors()]
    follower = _Follower(space)
    outputs = follower.follow(gradient, inputs)
    follower.warn()
    rows = space.stack([flow.rows for flow in outputs], variables.sizes) or space.empty(variables.n)
    # The two halves are found on different ways, and each may hold entries that are always zero.
    matrix = sp.csr_array(rows.matrix + rows.matrix.T)
    matrix.sort_indices()
    return matrix


class _Follower:
    """Follow dependences through recordings."""

    def __init__(self, space: Workspace):
        self.space = space
        self.unknown: set[str] = set()

    def follow(self, module: fx.GraphModule, inputs: list[Flow]) -> list[Flow]:
        flows: dict[fx.Node, Any] = {}
        rest = iter(inputs)
        last_use = _last_uses(module.graph)
        for node in module.graph.nodes:
            if node.op == "placeholder":
                flows[node] = next(rest, None)  # a direction, if any, has no part in the gradient
            elif node.op == "get_attr":
                flows[node] = _constant(operator.attrgetter(node.target)(module))
            elif node.op == "output":
                found = fx.map_arg(node.args[0], flows.__getitem__)
                return list(found) if isinstance(found, (list, tuple)) else [found]
            else:
                args, kwargs = fx.map_arg((node.args, node.kwargs), flows.__getitem__)
                flows[node] = self._apply(node.target, args, kwargs, node.meta.get("val"))
            for old in last_use.get(node, ()):
                del flows[old]  # a pattern can be large
        raise AssertionError("a recording ends with its output")

    def _apply(self, target: Any, args: tuple, kwargs: dict, form: Any) -> Any:
        if target is operator.getitem:
            return args[0][args[1]]
        if isinstance(target, type) and issubclass(target, tuple):
            return args  # gives names to several results
        call = rules.Call(target, args, kwargs, form, self.space)
        if isinstance(form, Tensor) and not _has_derivative(form):
            return Flow(form)
        rule = rules.find_rule(target)
        if rule is not None and isinstance(form, (Tensor, tuple, list)):
            try:
                return rule(call)
            except rules.NoRule:
                pass
        if not any(flow.rows is not None for flow in call.flows):
            return pytree.tree_map_only(Tensor, Flow, form)
        if rules.is_dense(target):
            return self._everything(call)
        parts = self._taken_apart(call)
        if parts is not None:
            return parts
        self.unknown.add(str(target))
        return self._everything(call)

    def _taken_apart(self, call: rules.Call) -> Any:
        """Follow the simpler operations that PyTorch can replace an operation by."""
        decomposition = _decomposition(call.target)
        if decomposition is None:
            return None
        flat, structure = pytree.tree_flatten((call.args, call.kwargs))
        flows = [a for a in flat if isinstance(a, Flow)]

        def simpler(*tensors: Tensor) -> Any:
            rest = iter(tensors)
            leaves = [next(rest) if isinstance(a, Flow) else a for a in flat]
            args, kwargs = pytree.tree_unflatten(leaves, structure)
            return decomposition(*args, **kwargs)

        examples = [_example(flow) for flow in flows]
        try:
            module = functional(make_fx(simpler)(*examples), examples)
        except Exception:  # any failure of PyTorch's own replacement only means: no help
            return None
        if any(node.target is call.target for node in module.graph.nodes):
            return None
        try:
            results = self.follow(simplify(module), flows)
        except ValueError as error:
            if isinstance(error, TooDense):
                raise
            return None
        if isinstance(call.form, Tensor):
            return results[0]
        return tuple(results) if len(results) == len(call.form) else None

    def _everything(self, call: rules.Call) -> Any:
        """Let every element of the results depend on all that the arguments depend on."""
        space = self.space
        rows = []
        for flow in call.flows:
            if flow.rows is not None and flow.size:
                groups = space.group(np.zeros(flow.size, int), np.arange(flow.size), (1, flow.size))
                rows.append(space.gather(flow.rows, groups))
        union = space.unite(rows)

        def spread(form: Tensor) -> Flow:
            if not _has_derivative(form):
                return Flow(form)
            return Flow(form, space.pick(union, np.ones(form.numel(), int)))

        return pytree.tree_map_only(Tensor, spread, call.form)

    def warn(self) -> None:
        if self.unknown:
            warnings.warn(
                f"no exact sparsity rule for {', '.join(sorted(self.unknown))}: each of its "
                "results is taken to depend on all its inputs, so the pattern may be too large",
                stacklevel=_outside_this_package(),
            )


def _last_uses(graph: fx.Graph) -> dict[fx.Node, list[fx.Node]]:
    uses: dict[fx.Node, list[fx.Node]] = {}
    seen: set[fx.Node] = set()
    for node in reversed(graph.nodes):
        for old in dict.fromkeys(node.all_input_nodes):
            if old not in seen:
                seen.add(old)
                uses.setdefault(node, []).append(old)
    return uses


def _constant(value: Tensor) -> Flow:
    nonzero = None
    if value.layout == torch.strided:
        mask = (value != 0).reshape(-1).cpu().numpy()
        nonzero = None if mask.all() else mask
    return Flow(value, None, value, nonzero)


def _has_derivative(form: Tensor) -> bool:
    return form.is_floating_point() or form.is_complex()


def _example(flow: Flow) -> Tensor:
    if flow.value is not None:
        return flow.value
    return torch.ones(flow.shape, dtype=flow.form.dtype)


def _decomposition(target: Any) -> Callable | None:
    from torch._decomp import get_decompositions  # takes a moment to import, and is seldom needed

    try:
        return get_decompositions([target]).get(target)
    except (RuntimeError, AttributeError):
        return None


def _outside_this_package() -> int:
    """Return the stack level of the caller's own line, which a warning should show."""
    import sys

    level, frame = 1, sys._getframe(1)
    package = __name__.rpartition(".")[0]
    while frame and frame.f_globals.get("__name__", "").startswith(package):
        level, frame = level + 1, frame.f_back
    return level


# --- A pattern given by the caller ----------------------------------------------------------------


def as_pattern(pattern: Any, n: int | None = None) -> sp.csr_array:
    """Return any sparse or dense matrix as a pattern: boolean, canonical CSR, symmetric.

    Parameters
    ----------
    pattern : sparse or dense matrix of SciPy, NumPy or PyTorch, shape (n, n)
        Of a sparse matrix each stored entry counts, whatever its value, unless it is boolean: then
        only what is True does.
    n : int, optional
        The number of rows expected.

    Returns
    -------
    scipy.sparse.csr_array of bool

    Raises
    ------
    ValueError
        If the matrix is not square, of another size than n, or not symmetric.
    """
    matrix = _to_scipy(pattern)
    if matrix.shape[0] != matrix.shape[1] or (n is not None and matrix.shape[0] != n):
        size = "n" if n is None else str(n)
        raise ValueError(f"pattern: expected shape ({size}, {size}), got {matrix.shape}")
    ones = np.ones(matrix.nnz, bool)
    result = sp.csr_array((ones, matrix.indices, matrix.indptr), shape=matrix.shape)
    result.sum_duplicates()
    if (result != result.T).nnz:
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
