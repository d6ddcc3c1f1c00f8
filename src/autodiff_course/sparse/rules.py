"""How each tensor operation carries dependence on x from its arguments to its result.

A rule takes the operation and its arguments, tensors being replaced by what is known of them, and
returns the dependence of the result. It may return too much, never too little. An operation
without a rule is taken apart into simpler ones where PyTorch knows how; if not, every element of
its result is taken to depend on all that its arguments depend on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils import _pytree as pytree

from .dependence import Flow, Rows, Workspace, ids_of

__all__ = ["Call", "find_rule", "is_dense"]


class Call(NamedTuple):
    """One operation of a recording."""

    target: Any
    args: tuple
    kwargs: dict
    form: Any  # of the result: a tensor, or a tuple of them
    space: Workspace

    @property
    def flows(self) -> list[Flow]:
        """The tensors among the arguments."""
        return [a for a in pytree.tree_leaves((self.args, self.kwargs)) if isinstance(a, Flow)]

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument given by position or by name."""
        if len(self.args) > position:
            return self.args[position]
        return self.kwargs.get(name, default)

    def result(self, rows: Rows | None, nonzero: np.ndarray | None = None) -> Flow:
        """Describe the result."""
        if nonzero is not None and nonzero.all():
            nonzero = None
        return Flow(self.form, rows, None, nonzero)


class NoRule(Exception):
    """A rule does not cover this call."""


Rule = Callable[[Call], Any]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register the rule of some operations of `torch.ops.aten`."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def name_of(target: Any) -> str:
    """Return the name of an operation without its overload."""
    packet = getattr(target, "overloadpacket", None)
    return getattr(packet, "__name__", str(target))


def find_rule(target: Any) -> Rule | None:
    """Return the rule of an operation, if there is one."""
    name = name_of(target)
    if name in RULES:
        return RULES[name]
    if torch.Tag.pointwise in getattr(target, "tags", ()):
        return linear_in_first if name.endswith("_backward") else elementwise
    return None


# Every element of the result depends on every element of the argument, so nothing is lost by
# having no rule, and no warning is due.
DENSE = {"inverse", "det", "logdet", "cholesky", "cholesky_inverse", "cholesky_solve", "lu_unpack"}
DENSE |= {"triangular_solve", "trace"}


def is_dense(target: Any) -> bool:
    """Say whether an operation mixes all that it gets."""
    name = name_of(target)
    return name in DENSE or name.startswith(("linalg_", "_linalg_"))


# --- Element by element ---------------------------------------------------------------------------


def spread(space: Workspace, flow: Flow, shape: tuple[int, ...]) -> Rows | None:
    """Return the dependence after broadcasting to a shape."""
    if flow.rows is None or flow.shape == shape:
        return flow.rows
    ids = ids_of(flow.shape).expand(shape).reshape(-1).numpy()
    return space.pick(flow.rows, ids, ("spread", flow.shape, shape))


def spread_mask(flow: Flow, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return which elements may be non-zero, after broadcasting to a shape."""
    if flow.nonzero is None:
        return None
    return np.broadcast_to(flow.nonzero.reshape(flow.shape), shape).reshape(-1)


def all_of(masks: list[np.ndarray | None]) -> np.ndarray | None:
    """Return where all may be non-zero."""
    masks = [mask for mask in masks if mask is not None]
    return np.logical_and.reduce(masks) if masks else None


def any_of(masks: list[np.ndarray | None]) -> np.ndarray | None:
    """Return where at least one may be non-zero."""
    return None if any(mask is None for mask in masks) else np.logical_or.reduce(masks)


def elementwise(call: Call) -> Flow:
    """Let each element depend on what the same element of every argument depends on."""
    shape = tuple(call.form.shape)
    return call.result(call.space.unite([spread(call.space, a, shape) for a in call.flows]))


@rule("neg", "sin", "tan", "sinh", "tanh", "asin", "atan", "asinh", "erf", "sqrt")
def odd(call: Call) -> Flow:
    """Use that zero of zero is zero."""
    return call.result(elementwise(call).rows, call.args[0].nonzero)


@rule("add", "sub")
def add(call: Call) -> Flow:
    """Use that a sum is zero where both terms are."""
    flow = elementwise(call)
    if not all(isinstance(a, Flow) for a in call.args):
        return flow
    return call.result(flow.rows, any_of([spread_mask(a, flow.shape) for a in call.args]))


@rule("complex", "polar")
def from_parts(call: Call) -> Flow:
    """Let a complex number depend on what its two parts depend on."""
    return elementwise(call)


@rule("floor", "ceil", "round", "trunc", "sign", "heaviside")
def steps(call: Call) -> Flow:
    """Use that a step function has derivative zero wherever it has one."""
    return call.result(None)


@rule("mul")
def multiply(call: Call) -> Flow:
    """Count a factor only where the other one may be non-zero."""
    shape = tuple(call.form.shape)
    factors = [a for a in call.args if isinstance(a, Flow)]
    masks = [spread_mask(a, shape) for a in factors]
    parts = []
    for position, factor in enumerate(factors):
        others = masks[:position] + masks[position + 1 :]
        parts.append(call.space.keep(spread(call.space, factor, shape), all_of(others)))
    zero = any(not isinstance(a, Flow) and a == 0 for a in call.args)
    if zero:
        return call.result(None, np.zeros(math.prod(shape), bool))
    return call.result(call.space.unite(parts), all_of(masks))


CHOOSERS = {"threshold_backward", "hardtanh_backward", "leaky_relu_backward", "hardshrink_backward"}
CHOOSERS |= {"softshrink_backward", "hardsigmoid_backward"}
LINEAR_IN_FIRST = "div elu_backward softplus_backward mish_backward hardswish_backward"
LINEAR_IN_FIRST += " log_sigmoid_backward"


@rule(*LINEAR_IN_FIRST.split(), *CHOOSERS)
def linear_in_first(call: Call) -> Flow:
    """Count the others only where the first may be non-zero: 0 / y is 0 for every y."""
    if call.kwargs.get("rounding_mode"):
        return call.result(None)
    shape = tuple(call.form.shape)
    if not isinstance(call.args[0], Flow):
        return elementwise(call)
    first, *others = call.flows
    if name_of(call.target) in CHOOSERS:
        others = []  # they only choose a branch
    mask = spread_mask(first, shape)
    rows = [call.space.keep(spread(call.space, other, shape), mask) for other in others]
    return call.result(call.space.unite([spread(call.space, first, shape), *rows]), mask)


@rule("where")
def where(call: Call) -> Flow:
    """Let a constant condition choose, and any other choose either."""
    if len(call.args) != 3:
        raise NoRule
    shape = tuple(call.form.shape)
    condition, *branches = call.args
    masks, rows = [], []
    for wanted, branch in zip((True, False), branches, strict=True):
        if isinstance(branch, Flow):
            part, mask = spread(call.space, branch, shape), spread_mask(branch, shape)
        else:
            part, mask = None, None if branch != 0 else np.zeros(math.prod(shape), bool)
        if condition.value is not None:
            chosen = (condition.value == wanted).expand(shape).reshape(-1).cpu().numpy()
            part = call.space.keep(part, chosen)
            mask = chosen if mask is None else chosen & mask
        rows.append(part)
        masks.append(mask)
    return call.result(call.space.unite(rows), any_of(masks))


@rule("masked_fill")
def masked_fill(call: Call) -> Flow:
    """Treat the fill as a second branch."""
    base, mask, fill = call.args
    return where(call._replace(args=(mask, fill, base)))


# --- Along some dimensions: what several files of rules need ------------------------------------


def dims_of(dims: Any, count: int) -> tuple[int, ...]:
    """Return dimensions as sorted non-negative numbers; None or () stands for all."""
    if isinstance(dims, int):
        dims = (dims,)
    if not dims:
        return tuple(range(count))
    return tuple(sorted(d % max(count, 1) for d in dims)) if count else ()


def reduced(space: Workspace, flow: Flow, dims: tuple[int, ...]) -> Rows | None:
    """Return one row for each position outside the dimensions: the union along them."""
    if flow.rows is None:
        return None

    def make() -> Rows | None:
        kept = [1 if d in dims else size for d, size in enumerate(flow.shape)]
        count = math.prod(kept)
        targets = torch.arange(count).reshape(kept).expand(flow.shape).reshape(-1).numpy()
        return space.gather(
            flow.rows, space.group(targets, np.arange(flow.size), (count, flow.size))
        )

    return flow.rows.remember(("reduced", flow.shape, dims), make)


def mixed(space: Workspace, flow: Flow, dims: tuple[int, ...], shape: tuple[int, ...]):
    """Return rows of a result of the given shape that depends on all along the dimensions."""
    rows = reduced(space, flow, dims)
    kept = tuple(1 if d in dims else size for d, size in enumerate(flow.shape))
    if rows is None:
        return None
    key = ("mixed", kept, shape)
    return space.pick(rows, ids_of(kept).expand(shape).reshape(-1).numpy(), key)
