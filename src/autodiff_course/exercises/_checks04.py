"""What answers to the exercises of notebook 04 are tried on, and which way they must go."""

from __future__ import annotations

import torch

from ._shared04 import IN_PLACE, SHORT_STEP
from ._tensors import numbers
from .ex04 import (
    agrees,
    best_step,
    central_slopes,
    scaled_backward,
    straight_through,
    training_calls,
)
from .framework import case


@scaled_backward.cases
def _inputs():
    x, s = numbers(1.0, -2.0, 0.5), numbers(3.0)[0]
    adjoint = numbers(1.0, 0.25, -2.0)
    wide = torch.stack([x, adjoint + 3])
    return [
        case(x.clone(), s, (True, True), adjoint.clone()),
        case(wide, s, (True, True), torch.stack([adjoint, x])),
        case(x.clone(), s, (True, False), adjoint.clone()),
        case(x.clone(), s, (False, True), adjoint.clone()),
    ]


@scaled_backward.method(IN_PLACE, wrong=True)
def _leaves_the_adjoint(call):
    return call.unchanged


@scaled_backward.method(
    "backward returns tensors, or None: `.item()` hands out a plain number, which PyTorch refuses.",
    wrong=True,
)
def _returns_tensors(call):
    return all(value is None or isinstance(value, torch.Tensor) for value in call.value)


@straight_through.cases
def _weights():
    return [
        case(numbers(1.4), numbers(2.0), numbers(5.0)),
        case(numbers(0.3, -1.2, 2.8), numbers(1.0, 2.0, -0.5), numbers(1.0, -1.0, 0.0)),
    ]


@straight_through.method(
    "The caller's w requires grad now, and a second call may add to its gradient. Let a detached "
    "copy of it require grad.",
    wrong=True,
)
def _leaves_the_weights(call):
    w = call.arguments[0]
    return not w.requires_grad and w.grad is None and call.unchanged


# agrees


def _with_slope(value, slope):
    """Return a function with this value, and a derivative that may be wrong."""

    def function(x):
        known = x.detach()
        return value(known) + (x - known) * slope(known)

    return function


@agrees.cases
def _functions():
    x = numbers(0.5, 1.0, -0.75)
    wrong = {
        "a backward 0.9995 times as large as it should be": lambda x: 0.9995 * x.cos(),
        "a backward that is wrong for negative x": lambda x: x.cos().copysign(x),
        "a backward that is 5e-6 too large": lambda x: x.cos() + 5e-6,
        "a backward of the right mean": lambda x: x.cos().mean().expand(len(x)),
    }
    return [
        case(torch.sin, x, label="torch.sin"),
        case(_with_slope(torch.sin, torch.cos), x.clone(), label="a right backward"),
        *(case(_with_slope(torch.sin, one), x.clone(), label=at) for at, one in wrong.items()),
        case(torch.exp, numbers(0.0, 10.0, 15.0), label="torch.exp at 0, 10 and 15"),
        case(lambda x: -x.exp(), numbers(0.0, 10.0, 15.0), label="-exp at 0, 10 and 15"),
        case(lambda x: x**3, numbers(0.0, 1.0), label="x³ at 0 and 1"),
        case(
            _with_slope(lambda x: x**3 + x, lambda x: 3 * x**2 + 1 + (x == 0)),
            numbers(0.0, 1000.0),
            label="x³ + x at 0 and 1000, with a slope of 2 for 1 at 0",
        ),
        case(
            _with_slope(torch.sin, lambda x: x.cos() + 3e-6 * (x == 1)),
            torch.linspace(0.0, 1.0, 101, dtype=torch.float64),
            label="sin at 101 points, with a slope that is wrong by 3e-6 at the last",
        ),
        case(
            _with_slope(torch.sin, lambda x: x.cos() / (x != 0) * (x != 0)),
            numbers(0.0, 1.0),
            label="sin at 0 and 1, with a slope that is NaN at 0",
        ),
        case(lambda x: (20 * x).sin(), x.clone(), label="sin(20x)"),
        case(
            torch.exp,
            torch.tensor([-0.9, -0.3, 0.0] + 300 * [7.0], dtype=torch.float64),
            label="torch.exp at three small numbers and 300 times at 7",
        ),
    ]


@agrees.method(
    "The caller's x requires grad now, or has another value. Let a detached copy of it require "
    "grad.",
    wrong=True,
)
def _leaves_the_point(call):
    x = call.arguments[1]
    return not x.requires_grad and x.grad is None and call.unchanged


@training_calls.cases
def _sizes():
    return [case(n, k, s) for n, k in ((3, 10), (1, 7)) for s in ("forward", "central")]


# central_slopes


class _Watchful:
    """A cubic f that raises when the caller's tensor is no longer what it was."""

    def __init__(self, caller):
        self.caller, self.original = caller, caller.clone()

    def __call__(self, w):
        if not torch.equal(self.caller, self.original):
            raise RuntimeError("the caller's tensor w has been changed")
        weights = torch.arange(1.0, len(w) + 1, dtype=w.dtype)
        return float((weights * w**3).sum() + w.prod())

    def __repr__(self):
        return "a cubic function"


@central_slopes.cases
def _watched():
    one, two = numbers(1.0, 2.0), numbers(0.5, -1.0, 3.0)
    low = numbers(0.4, 0.1)
    pairs = (one, 0.5), (two, 0.25), (low, SHORT_STEP)
    return [case(_Watchful(w), w, step) for w, step in pairs]


@central_slopes.method("Return a tensor like w: of the same dtype and shape.", wrong=True)
def _is_like_the_weights(call):
    w, value = call.arguments[1], call.value
    return isinstance(value, torch.Tensor) and (value.dtype, value.shape) == (w.dtype, w.shape)


@best_step.cases
def _accuracies():
    return [case(a, scheme) for scheme in ("forward", "central") for a in (1e-6, 2.0**-52, 1e-3)]
