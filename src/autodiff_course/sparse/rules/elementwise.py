"""Rules for operations that are done element by element."""

from __future__ import annotations

import math

import numpy as np

from ..domains import AbstractTensor
from .base import Call, NoRule, Rules, all_of, any_of, broadcast, broadcast_nonzero

rules = Rules()


def elementwise(call: Call) -> AbstractTensor:
    """Let each element depend on what the same element of every argument depends on."""
    shape = call.shape
    return call.result(
        call.algebra.union([broadcast(call.algebra, a, shape) for a in call.tensors])
    )


@rules.add("neg", "sin", "tan", "sinh", "tanh", "asin", "atan", "asinh", "erf", "sqrt")
def odd(call: Call) -> AbstractTensor:
    """Use that zero of zero is zero."""
    return call.result(elementwise(call).domains, call.args[0].nonzero)


@rules.add("add", "sub")
def add(call: Call) -> AbstractTensor:
    """Use that a sum is zero where both terms are."""
    tensor = elementwise(call)
    if not all(isinstance(a, AbstractTensor) for a in call.args):
        return tensor
    return call.result(
        tensor.domains, any_of([broadcast_nonzero(a, tensor.shape) for a in call.args])
    )


@rules.add("complex", "polar")
def from_parts(call: Call) -> AbstractTensor:
    """Let a complex number depend on what its two parts depend on."""
    return elementwise(call)


@rules.add("floor", "ceil", "round", "trunc", "sign", "heaviside")
def steps(call: Call) -> AbstractTensor:
    """Use that a step function has derivative zero wherever it has one."""
    return call.result(None)


@rules.add("mul")
def multiply(call: Call) -> AbstractTensor:
    """Count a factor only where the other one may be non-zero."""
    shape = call.shape
    factors = [a for a in call.args if isinstance(a, AbstractTensor)]
    masks = [broadcast_nonzero(a, shape) for a in factors]
    parts = []
    for position, factor in enumerate(factors):
        others = masks[:position] + masks[position + 1 :]
        parts.append(call.algebra.only(broadcast(call.algebra, factor, shape), all_of(others)))
    zero = any(not isinstance(a, AbstractTensor) and a == 0 for a in call.args)
    if zero:
        return call.result(None, np.zeros(math.prod(shape), bool))
    return call.result(call.algebra.union(parts), all_of(masks))


CHOOSERS = {"threshold_backward", "hardtanh_backward", "leaky_relu_backward", "hardshrink_backward"}
CHOOSERS |= {"softshrink_backward", "hardsigmoid_backward"}
LINEAR_IN_FIRST = "div elu_backward softplus_backward mish_backward hardswish_backward"
LINEAR_IN_FIRST += " log_sigmoid_backward"


@rules.add(*LINEAR_IN_FIRST.split(), *CHOOSERS)
def linear_in_first(call: Call) -> AbstractTensor:
    """Count the others only where the first may be non-zero: 0 / y is 0 for every y."""
    if call.kwargs.get("rounding_mode"):
        return call.result(None)
    shape = call.shape
    if not isinstance(call.args[0], AbstractTensor):
        return elementwise(call)
    first, *others = call.tensors
    if call.name in CHOOSERS:
        others = []  # they only choose a branch
    mask = broadcast_nonzero(first, shape)
    domains = [call.algebra.only(broadcast(call.algebra, other, shape), mask) for other in others]
    return call.result(call.algebra.union([broadcast(call.algebra, first, shape), *domains]), mask)


@rules.add("where")
def where(call: Call) -> AbstractTensor:
    """Let a constant condition choose, and any other choose either."""
    if len(call.args) != 3:
        raise NoRule
    shape = call.shape
    condition, *branches = call.args
    masks, domains = [], []
    for wanted, branch in zip((True, False), branches, strict=True):
        if isinstance(branch, AbstractTensor):
            part, mask = broadcast(call.algebra, branch, shape), broadcast_nonzero(branch, shape)
        else:
            part, mask = None, None if branch != 0 else np.zeros(math.prod(shape), bool)
        if condition.value is not None:
            chosen = (condition.value == wanted).expand(shape).reshape(-1).cpu().numpy()
            part = call.algebra.only(part, chosen)
            mask = chosen if mask is None else chosen & mask
        domains.append(part)
        masks.append(mask)
    return call.result(call.algebra.union(domains), any_of(masks))


@rules.add("masked_fill")
def masked_fill(call: Call) -> AbstractTensor:
    """Treat the fill as a second branch."""
    base, mask, fill = call.args
    return where(call._replace(args=(mask, fill, base)))
