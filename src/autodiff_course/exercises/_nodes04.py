"""What the Functions that answer notebook 04 are tried on: `node_of` and `recursive_node`."""

from __future__ import annotations

import torch

from ._shared04 import SHORT_STEP
from ._tensors import numbers
from .ex04 import node_of, recursive_node
from .framework import case

# node_of


class _Opaque:
    """A quadratic function that records nothing and counts its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, x, w):
        self.calls += 1
        x, w = x.detach(), w.detach()
        return x * w[0] ** 2 + x**2 * w[-1] + w.prod()

    def __repr__(self):
        return "a black box"


@node_of.cases
def _boxes():
    return [
        case(_Opaque(), numbers(1.0), numbers(1.0, 2.0).requires_grad_(), 0.5),
        case(_Opaque(), numbers(0.5, 2.0, -1.0), numbers(1.0, -2.0, 3.0).requires_grad_(), 0.25),
        case(_Opaque(), numbers(0.3), numbers(0.4, 0.1).requires_grad_(), SHORT_STEP),
    ]


def _functions_in(value):
    """Return the nodes in the graph of a value that somebody's own Function has made."""
    found, waiting = set(), [getattr(value, "grad_fn", None)]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in found:
            found.add(one)
            waiting += [source for source, _ in one.next_functions]
    return [one for one in found if isinstance(one, torch.autograd.function.BackwardCFunction)]


def _by_w(call, adjoint=None):
    """Return the gradient that an answer's node gives, or None."""
    adjoint = torch.ones_like(call.value) if adjoint is None else adjoint
    try:
        found = torch.autograd.grad(
            call.value, call.arguments[2], adjoint, retain_graph=True, allow_unused=True
        )
    except Exception:  # whatever the reader's backward raises
        return None
    return found[0]


def _true_by_w(call, adjoint, step=None):
    f, x, w, given = call.arguments
    step = given if step is None else step
    w, eye = w.detach(), torch.eye(len(w), dtype=w.dtype)
    return torch.stack([(adjoint * (f(x, w + step * e) - f(x, w)) / step).sum() for e in eye])


def _all_at_once(call, adjoint):
    f, x, w, step = call.arguments
    return (adjoint * (f(x, w + step) - f(x, w)) / step).sum().expand(len(w))


def _piled_up(call, adjoint):
    f, x, w, step = call.arguments
    moved = w + step * torch.ones(len(w), len(w), dtype=w.dtype).tril()
    return torch.stack([(adjoint * (f(x, one) - f(x, w)) / step).sum() for one in moved])


def _returned(call):
    """Return what the answer's backward returns, as a tuple, or what it raises."""
    node = _functions_in(call.value)[0]
    try:
        values = type(node)._forward_cls.backward(node, torch.ones_like(call.value))
    except Exception as error:
        return error
    return values if isinstance(values, tuple) else (values,)


def _why_no_sweep(call):
    """Say why the sweep through an answer's node ends without a gradient."""
    values, needs = _returned(call), _functions_in(call.value)[0].needs_input_grad
    if isinstance(values, Exception):
        return f"backward raised {type(values).__name__}: {values}"
    if len(values) != len(needs):
        return (
            f"backward returns {len(values)} of {len(needs)} values: one for each argument of "
            "forward, None included."
        )
    place = needs.index(True)
    if values[place] is None:
        others = [i for i, value in enumerate(values) if value is not None]
        if not others:
            return "backward returns None in every place."
        return (
            f"backward returns {len(values)} values, but the adjoint stands in place "
            f"{others[0] + 1}: the argument that asks for it is number {place + 1} of forward."
        )
    try:
        y = call.value
        torch.autograd.grad(y, _asking(call), torch.ones_like(y), retain_graph=True)
    except Exception as error:
        return f"PyTorch refuses what backward returns: {error}"
    return "The sweep ends without a gradient."


def _asking(call):
    tensors = (one for one in call.arguments if isinstance(one, torch.Tensor))
    return next(one for one in tensors if one.requires_grad)


_NO_NODE = "It has no grad_fn: call your Function by its apply."


_NO_FUNCTION = "No Function of yours is in the graph: write one, and call it by its apply."


@node_of.method(_NO_NODE, wrong=True)
def _has_node(call):
    return getattr(call.value, "grad_fn", None) is not None


@node_of.method(_NO_FUNCTION)
def _has_function(call):
    return bool(_functions_in(call.value))


@node_of.method(_why_no_sweep, wrong=True)
def _sweeps(call):
    return _by_w(call) is not None


@node_of.method("w was changed: shift a clone of it. `detach` shares its memory.", wrong=True)
def _leaves_w(call):
    return call.unchanged and call.arguments[2]._version == 0


@node_of.method("The adjoint is lost, or not multiplied in before the sum.", wrong=True)
def _uses_adjoint(call):
    ones = torch.ones_like(call.value)
    return torch.allclose(3 * _by_w(call, ones), _by_w(call, ones * 3))


def _some_adjoint(call):
    return torch.linspace(1.0, 2.0, len(call.value), dtype=call.value.dtype)


def _why_not_forward(call):
    """Say which slip leads to the gradient that an answer's node gives."""
    adjoint, step = _some_adjoint(call), call.arguments[3]
    found, forward = _by_w(call, adjoint), _true_by_w(call, adjoint)
    backward = _true_by_w(call, adjoint, -step)
    slips = {
        "divide by the step.": forward * step,
        "divide by the step, do not multiply.": forward * step**2,
        "add up the elements: sum, not mean.": forward / len(adjoint),
        "shift w up, not down.": backward,
        "the sign is wrong.": -forward,
        "that is the central one.": (forward + backward) / 2,
        "shift one element at a time, not all.": _all_at_once(call, adjoint),
        "the shifts pile up. Make a fresh clone of w for each element.": _piled_up(call, adjoint),
    }
    if step == SHORT_STEP:
        return "w or a value went through float32: give torch.tensor the dtype of w."
    slip = [f": {text}" for text, slope in slips.items() if torch.allclose(found, slope)]
    return "The gradient of w is not the forward difference with this step" + (*slip, ".")[0]


@node_of.method(_why_not_forward, wrong=True)
def _is_forward(call):
    adjoint = _some_adjoint(call)
    return torch.allclose(_by_w(call, adjoint), _true_by_w(call, adjoint))


def _why_more_calls(call):
    if _calls_of_a_sweep(call) < len(call.arguments[2]):
        return "The differences are taken on the way forward, even if nobody sweeps."
    return "backward calls f at w again. That value is known: keep the output of forward."


def _calls_of_a_sweep(call):
    f, before = call.arguments[0], call.arguments[0].calls
    _by_w(call)
    return f.calls - before


@node_of.method(_why_more_calls)
def _keeps_the_value(call):
    return _calls_of_a_sweep(call) == len(call.arguments[2])


@node_of.method(
    "backward returns zeros for x: that says that f does not depend on x, and is silently wrong. "
    "Return None.",
    wrong=True,
)
def _claims_nothing(call):
    needs = _functions_in(call.value)[0].needs_input_grad
    return all(asks or v is None for v, asks in zip(_returned(call), needs, strict=False))


_ATTRIBUTE = "A tensor is an attribute of ctx. Keep inputs and output by save_for_backward."


_OLDER = (
    "forward(ctx, ...) is the older form, which the transforms of notebook 06 refuse: let "
    "setup_context keep what backward needs."
)


@node_of.method(_ATTRIBUTE)
def _saves(call):
    kept = [value for one in _functions_in(call.value) for value in vars(one).values()]
    return not any(isinstance(value, torch.Tensor) for value in kept)


@node_of.method(
    "x or w was changed between forward and backward, and your gradient silently changed too: what "
    "backward reads from outside is not guarded. Keep x and w by save_for_backward.",
    wrong=True,
)
def _guards_its_inputs(call):  # no sweep comes after this one
    _, x, w, _ = call.arguments
    before = _by_w(call)
    with torch.no_grad():
        (x if len(x) > 1 else w).add_(1)
    after = _by_w(call)
    return after is None or torch.equal(after, before)


@node_of.method(_OLDER)
def _is_new(call):
    default = torch.autograd.Function.setup_context
    classes = [type(one)._forward_cls for one in _functions_in(call.value)]
    return all(one.setup_context is not default for one in classes)


# recursive_node


class _Quintic:
    """f = x⁵, which records nothing and counts the calls from outside of a forward.

    A cubic would not do: its second difference is the second derivative for any step.
    """

    def __init__(self):
        self.direct = 0

    def __call__(self, x):
        self.direct += torch.is_grad_enabled()  # a forward runs with recording switched off
        return x.detach() ** 5

    def __repr__(self):
        return "x to the power 5"


@recursive_node.cases
def _points():
    return [
        case(_Quintic(), numbers(2.0)[0].requires_grad_(), 0.5),
        case(_Quintic(), numbers(-1.0, 0.5).requires_grad_(), 0.25),
    ]


def _orders(call, adjoint=1.0, formula=lambda y: y):
    """Return the first three derivatives that an answer's node gives, None for none."""
    x = call.arguments[1]
    found, y = [], formula(call.value)
    for _ in range(3):
        try:
            (y,) = torch.autograd.grad(y, x, torch.full_like(y, adjoint), create_graph=True)
        except Exception:  # whatever the reader's backward raises
            return (*found, None, None, None)[:3]
        found.append(y)
    return tuple(found)


def _true_orders(call):
    """Return the central difference of f, that of this, and that of this again."""
    f, x, h = call.arguments
    with torch.no_grad():  # as in a forward
        far, near, here = f(x + 2 * h) - f(x), f(x + h) - f(x - h), f(x) - f(x - 2 * h)
        third = f(x + 3 * h) - f(x - 3 * h) - 3 * near
    return near / (2 * h), (far - here) / (2 * h) ** 2, third / (2 * h) ** 3


recursive_node.method(_NO_NODE, wrong=True)(_has_node)


recursive_node.method(_NO_FUNCTION)(_has_function)


@recursive_node.method(_why_no_sweep, wrong=True)
def _has_first(call):
    return _orders(call)[0] is not None


@recursive_node.method("The adjoint is lost: multiply the difference by it.", wrong=True)
def _first_uses_adjoint(call):
    return torch.allclose(3 * _orders(call)[0], _orders(call, 3.0)[0])


def _why_not_central(call):
    found, true, (f, x, h) = _orders(call)[0], _true_orders(call)[0], call.arguments
    with torch.no_grad():
        forward = (f(x + h) - f(x)) / h
    slips = {
        "x + step and x - step lie 2 steps apart.": 2 * true,
        "`/ 2 * step` multiplies by the step. Write / (2 * step).": true * h**2,
        "that is the forward one. Go down as well as up.": forward,
        "the sign is wrong.": -true,
    }
    slip = [f": {text}" for text, slope in slips.items() if torch.allclose(found, slope)]
    return "The first is not the central difference with this step" + (*slip, ".")[0]


@recursive_node.method(_why_not_central, wrong=True)
def _first_is_central(call):
    return torch.allclose(_orders(call)[0], _true_orders(call)[0])


@recursive_node.method("There is no second one: backward must call apply, not f.", wrong=True)
def _calls_apply(call):
    f, before = call.arguments[0], call.arguments[0].direct
    return _orders(call)[1] is not None or f.direct == before


@recursive_node.method(
    "There is no second one: shift x itself, recorded, not detached.", wrong=True
)
def _has_second(call):
    return _orders(call)[1] is not None


def _why_not_second(call):
    if not _orders(call)[1].any():
        return (
            "The second is 0: backward uses the x of the outer function. The inner nodes have "
            "another x: save it, and take it from ctx.saved_tensors."
        )
    return "The second is not the central difference of the first: give apply the same step."


@recursive_node.method(_why_not_second, wrong=True)
def _second_is_right(call):
    return torch.allclose(_orders(call)[1], _true_orders(call)[1])


@recursive_node.method(
    "The adjoint carries a graph too: with the node inside a formula, y * y, its part of the "
    "second derivative is missing. Do not detach it.",
    wrong=True,
)
def _keeps_the_adjoint(call):
    y = call.value.detach()
    first, second, _ = _true_orders(call)
    found = _orders(call, formula=torch.square)[1]
    return found is not None and torch.allclose(found, 2 * first**2 + 2 * y * second)


@recursive_node.method(
    "There is no right third one: what backward applies must be the same Function again.",
    wrong=True,
)
def _third_is_right(call):
    found = _orders(call)[2]
    return found is not None and torch.allclose(found, _true_orders(call)[2])


recursive_node.method(_ATTRIBUTE)(_saves)


recursive_node.method(_OLDER)(_is_new)
