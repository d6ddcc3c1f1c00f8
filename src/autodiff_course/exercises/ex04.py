"""Exercises of notebook 04, custom Functions: from a backward rule to a step that fits."""

from __future__ import annotations

import torch

from .comparing import Tolerance
from .drills import Problem, drill
from .framework import case, exercise

__all__ = [
    "agrees",
    "best_step",
    "central_slopes",
    "drill_backward",
    "drill_calls",
    "drill_difference",
    "node_of",
    "recursive_node",
    "scaled_backward",
    "straight_through",
    "training_calls",
]


def _numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


# 1. The backward rule of a Function with two inputs


@exercise(
    minutes=5,
    insight="One number that serves many elements adds up what they send.",
)
def scaled_backward(x, s, needs, adjoint):
    """Return what the backward of ``forward(x, s) = s * x**2`` returns: one value per input.

    x is a tensor of any shape, s a 0-dimensional tensor that scales all of it. `needs` is
    ``ctx.needs_input_grad``: two bools; where one is False, return None in its place. `adjoint` has
    the shape of the output.

    Examples
    --------
    >>> x, s = torch.tensor([1.0, 2.0]), torch.tensor(3.0)
    >>> scaled_backward(x, s, (True, True), torch.tensor([1.0, 10.0]))
    (tensor([  6., 120.]), tensor(41.))
    """
    by_x = adjoint * 2 * s * x if needs[0] else None
    by_s = (adjoint * x**2).sum() if needs[1] else None
    return by_x, by_s


@scaled_backward.cases
def _inputs():
    x, s = _numbers(1.0, -2.0, 0.5), _numbers(3.0)[0]
    adjoint = _numbers(1.0, 0.25, -2.0)
    wide = torch.stack([x, adjoint + 3])
    return [
        case(x, s, (True, True), adjoint),
        case(wide, s, (True, True), torch.stack([adjoint, x])),
        case(x, s, (True, False), adjoint),
        case(x, s, (False, True), adjoint),
    ]


def _asked(needs, *values):
    return tuple(value if asked else None for value, asked in zip(values, needs, strict=True))


@scaled_backward.mistake(
    "The adjoint is lost: backward returns adjoint times local derivative, for each input."
)
def _no_adjoint(x, s, needs, adjoint):
    return _asked(needs, 2 * s * x, (x**2).sum())


@scaled_backward.mistake(
    "The adjoint of s must have the shape of s. One s feeds every element: add up what they send."
)
def _not_summed(x, s, needs, adjoint):
    return _asked(needs, adjoint * 2 * s * x, adjoint * x**2)


@scaled_backward.mistake("sum(0) adds up the first dimension alone. One s feeds all: sum().")
def _summed_once(x, s, needs, adjoint):
    return _asked(needs, adjoint * 2 * s * x, (adjoint * x**2).sum(0))


@scaled_backward.mistake("The two are swapped: one value per input, in the order of forward.")
def _swapped(x, s, needs, adjoint):
    return scaled_backward.reference(x, s, needs, adjoint)[::-1]


@scaled_backward.mistake("Where `needs` says False, return None: nobody asked for that value.")
def _both_always(x, s, needs, adjoint):
    return scaled_backward.reference(x, s, (True, True), adjoint)


@scaled_backward.mistake("The factor s is lost: with respect to x, s·x² has the derivative 2·s·x.")
def _no_scale(x, s, needs, adjoint):
    return _asked(needs, adjoint * 2 * x, (adjoint * x**2).sum())


@scaled_backward.mistake("Return a value for every input, None included: forward has two.")
def _only_what_is_needed(x, s, needs, adjoint):
    values = scaled_backward.reference(x, s, needs, adjoint)
    return tuple(value for value in values if value is not None)


@scaled_backward.mistake("The adjoint of s has the shape of s: no dimension, not one of length 1.")
def _one_dimension(x, s, needs, adjoint):
    return _asked(needs, adjoint * 2 * s * x, (adjoint * x**2).sum().reshape(1))


@scaled_backward.method(
    "backward returns tensors, or None: `.item()` hands out a plain number, which PyTorch refuses.",
    wrong=True,
)
def _returns_tensors(call):
    return all(value is None or isinstance(value, torch.Tensor) for value in call.value)


scaled_backward.add_hints(
    "Write the derivative of s·x² with respect to x and with respect to s, for a single number.",
    "Multiply each by the adjoint, element by element.",
    "s is one number and reaches the output along many paths. What does one do with paths?",
)


# 2. A straight-through estimator


@exercise(
    minutes=8,
    insight="A derivative that is not true, and yet it trains: PyTorch believes what you say.",
)
def straight_through(w, x, y):
    """Return the gradient with respect to w of ``((round(w) * x - y) ** 2).mean()``.

    Rounding has the derivative 0 almost everywhere, so nothing would ever train. Treat it as a
    *straight-through estimator* does: round on the way forward, and on the way back pass the
    adjoint on as if nothing had happened. w does not require grad: let a detached copy of it do so.

    Examples
    --------
    >>> w, x, y = torch.tensor([1.4]), torch.tensor([2.0]), torch.tensor([5.0])
    >>> straight_through(w, x, y)
    tensor([-12.])
    """

    class Round(torch.autograd.Function):
        @staticmethod
        def forward(w):
            return w.round()

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def backward(ctx, adjoint):
            return adjoint

    w = w.detach().requires_grad_()
    loss = ((Round.apply(w) * x - y) ** 2).mean()
    return torch.autograd.grad(loss, w)[0]


@straight_through.cases
def _weights():
    return [
        case(_numbers(1.4), _numbers(2.0), _numbers(5.0)),
        case(_numbers(0.3, -1.2, 2.8), _numbers(1.0, 2.0, -0.5), _numbers(1.0, -1.0, 0.0)),
    ]


def _gradient(w, loss_of):
    w = w.detach().requires_grad_()
    return torch.autograd.grad(loss_of(w), w)[0]


@straight_through.mistake(
    "All zero: that is the true derivative of rounding. On the way back, pass the adjoint on."
)
def _true_derivative(w, x, y):
    return torch.zeros_like(w)


@straight_through.mistake("The weights were not rounded on the way forward.")
def _not_rounded(w, x, y):
    return _gradient(w, lambda w: ((w * x - y) ** 2).mean())


@straight_through.mistake(
    "Backward returns the rounded weights instead of the adjoint. What arrives is what goes on."
)
def _values_passed_on(w, x, y):
    return w.round()


@straight_through.mistake("Backward returns ones: the adjoint is lost. Return what arrives.")
def _ones(w, x, y):
    return torch.ones_like(w)


@straight_through.mistake("That is the gradient of the summed squares. The loss is their mean.")
def _of_the_sum(w, x, y):
    return straight_through.reference(w, x, y) * len(w)


@straight_through.mistake("floor is not round: 2.8 must become 3.")
def _floored(w, x, y):
    return _gradient(w, lambda w: ((w + (w.floor() - w).detach()) * x - y).square().mean())


@straight_through.method(
    "The caller's w requires grad now, and a second call may add to its gradient. Let a detached "
    "copy of it require grad.",
    wrong=True,
)
def _leaves_the_weights(call):
    w = call.arguments[0]
    return not w.requires_grad and w.grad is None and call.unchanged


straight_through.add_hints(
    "Write a Function whose forward rounds. What does its backward return?",
    "The backward has one argument besides ctx, and that is what it returns.",
    "Then `torch.autograd.grad(loss, w)` gives the gradient; w must require grad.",
)


# 3. Look closer than gradcheck


@exercise(
    minutes=10,
    insight="A check is as sharp as its tolerance, and sees only the points that you give it.",
    next_try="Write a wrong backward that your own check lets pass.",
)
def agrees(function, x):
    """Return whether every element of the gradient of function(x).sum() is right to about 1e-6.

    function works element by element on a float64 tensor. Compare its own gradient with central
    differences of its values at steps of 1e-5; the error is relative to the difference, or absolute
    where that is less than 1. Leave x as it is.

    Examples
    --------
    >>> agrees(torch.sin, torch.tensor([0.5, 1.0], dtype=torch.float64))
    True
    """
    x = x.detach().requires_grad_()
    (own,) = torch.autograd.grad(function(x).sum(), x)
    with torch.no_grad():
        slope = (function(x + 1e-5) - function(x - 1e-5)) / 2e-5
    return bool(((own - slope).abs() <= 1e-6 * slope.abs().clamp(min=1)).all())


def _with_slope(value, slope):
    """Return a function with this value, and a derivative that may be wrong."""

    def function(x):
        known = x.detach()
        return value(known) + (x - known) * slope(known)

    return function


@agrees.cases
def _functions():
    x = _numbers(0.5, 1.0, -0.75)
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
        case(torch.exp, _numbers(0.0, 10.0, 15.0), label="torch.exp at 0, 10 and 15"),
        case(lambda x: -x.exp(), _numbers(0.0, 10.0, 15.0), label="-exp at 0, 10 and 15"),
        case(lambda x: x**3, _numbers(0.0, 1.0), label="x³ at 0 and 1"),
        case(
            _with_slope(lambda x: x**3 + x, lambda x: 3 * x**2 + 1 + (x == 0)),
            _numbers(0.0, 1000.0),
            label="x³ + x at 0 and 1000, with a slope of 2 for 1 at 0",
        ),
        case(
            _with_slope(torch.sin, lambda x: x.cos() + 3e-6 * (x == 1)),
            torch.linspace(0.0, 1.0, 101, dtype=torch.float64),
            label="sin at 101 points, with a slope that is wrong by 3e-6 at the last",
        ),
        case(
            _with_slope(torch.sin, lambda x: x.cos() / (x != 0) * (x != 0)),
            _numbers(0.0, 1.0),
            label="sin at 0 and 1, with a slope that is NaN at 0",
        ),
        case(
            torch.exp,
            torch.tensor([-0.9, -0.3, 0.0] + 300 * [7.0], dtype=torch.float64),
            label="torch.exp at three small numbers and 300 times at 7",
        ),
    ]


def _own_and_slope(function, x):
    x = x.detach().requires_grad_()
    (own,) = torch.autograd.grad(function(x).sum(), x)
    return own, (function(x + 1e-5) - function(x - 1e-5)).detach() / 2e-5


def _judged(function, x, relative, absolute):
    return torch.allclose(*_own_and_slope(function, x), rtol=relative, atol=absolute)


@agrees.mistake("Those are the tolerances of gradcheck, which lets a factor of 0.9995 pass.")
def _loose(function, x):
    return _judged(function, x, 1e-3, 1e-5)


@agrees.mistake("An absolute error alone: of a slope of a million, rounding leaves more than 1e-6.")
def _absolute_only(function, x):
    return _judged(function, x, 0, 1e-6)


@agrees.mistake("A relative error alone: where the slope is 0, no error is small enough.")
def _relative_only(function, x):
    return _judged(function, x, 1e-6, 0)


@agrees.mistake("Compare element by element: the sum of the errors may be 0.")
def _summed(function, x):
    own, slope = _own_and_slope(function, x)
    return bool(abs(own.sum() - slope.sum()) <= 1e-6 * slope.sum().abs().clamp(min=1))


@agrees.mistake("Take the size of the slope by abs: a negative one is less than 1, however steep.")
def _without_abs(function, x):
    own, slope = _own_and_slope(function, x)
    return bool(((own - slope).abs() <= 1e-6 * slope.clamp(min=1)).all())


_MIXED = "Compare element by element: beside a steep slope a norm hides the error of a flat one."


@agrees.mistake(_MIXED)
def _by_norm(function, x):
    own, slope = _own_and_slope(function, x)
    return bool((own - slope).norm() <= 1e-6 * slope.norm().clamp(min=1))


@agrees.mistake(_MIXED)
def _by_largest(function, x):
    own, slope = _own_and_slope(function, x)
    return bool((own - slope).abs().max() <= 1e-6 * slope.abs().max().clamp(min=1))


@agrees.mistake("Compare element by element: among many right ones a mean hides the wrong one.")
def _by_mean(function, x):
    own, slope = _own_and_slope(function, x)
    return bool(((own - slope).abs() / slope.abs().clamp(min=1)).mean() <= 1e-6)


@agrees.mistake("NaN > 1e-6 is False: ask that every error is small, not that none is large.")
def _none_is_large(function, x):
    own, slope = _own_and_slope(function, x)
    return not bool(((own - slope).abs() > 1e-6 * slope.abs().clamp(min=1)).any())


@agrees.mistake(
    "A difference of two sums: rounding in the sum drowns the slope of a small element. Subtract "
    "element by element."
)
def _of_sums(function, x):
    own, slope = _own_and_slope(function, x)
    for i in range(len(x)):
        shift = 1e-5 * (torch.arange(len(x)) == i)
        slope[i] = (function(x + shift).sum() - function(x - shift).sum()) / 2e-5
    return bool(((own - slope).abs() <= 1e-6 * slope.abs().clamp(min=1)).all())


@agrees.method(
    "The caller's x requires grad now, or has another value. Let a detached copy of it require "
    "grad.",
    wrong=True,
)
def _leaves_the_point(call):
    x = call.arguments[1]
    return not x.requires_grad and x.grad is None and call.unchanged


agrees.add_hints(
    "torch.autograd.grad(function(x).sum(), x) is what the function says.",
    "All elements may be shifted at once, as each depends on its own only.",
)


# 4. A complete Function


@exercise(
    minutes=15,
    insight="One node, whose value may come from anywhere, and whose derivative is what you say.",
    next_try="Return the adjoint of x as well, where it is asked for.",
)
def node_of(f, x, w, step):
    """Return f(x, w) as a node of the graph, with forward differences as its derivative.

    Write a torch.autograd.Function with forward, setup_context and backward, and apply it. f gets
    two 1-dimensional tensors and returns a tensor like x, in which nothing is recorded. backward
    gives the adjoint of w, by one more call of f for each element and no further one, and None for
    the rest: for now, x too gets none. Leave w as it is.

    Examples
    --------
    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> f = lambda x, w: torch.tensor([3.0 * w[0].item() * v for v in x.tolist()])
    >>> node_of(f, torch.tensor([2.0]), w, 0.5).backward()
    >>> w.grad
    tensor([6., 0.])
    """

    class Difference(torch.autograd.Function):
        @staticmethod
        def forward(x, w, f, step):
            return f(x, w.detach().clone())

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, w, ctx.f, ctx.step = inputs
            ctx.save_for_backward(x, w, output)

        @staticmethod
        def backward(ctx, adjoint):
            x, w, start = ctx.saved_tensors
            by_w = torch.zeros_like(w)
            for i in range(len(w)):
                shifted = w.detach().clone()
                shifted[i] += ctx.step
                by_w[i] = (adjoint * (ctx.f(x, shifted) - start) / ctx.step).sum()
            return None, by_w, None, None

    return Difference.apply(x, w, f, step)


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
        case(_Opaque(), _numbers(1.0), _numbers(1.0, 2.0).requires_grad_(), 0.5),
        case(_Opaque(), _numbers(0.5, 2.0, -1.0), _numbers(1.0, -2.0, 3.0).requires_grad_(), 0.25),
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
    }
    slip = [f": {text}" for text, slope in slips.items() if torch.allclose(found, slope)]
    return "The gradient of w is not the forward difference with this step" + (*slip, ".")[0]


@node_of.method(_why_not_forward, wrong=True)
def _is_forward(call):
    adjoint = _some_adjoint(call)
    return torch.allclose(_by_w(call, adjoint), _true_by_w(call, adjoint))


@node_of.method("backward calls f at w again. That value is known: keep the output of forward.")
def _keeps_the_value(call):
    f, before = call.arguments[0], call.arguments[0].calls
    _by_w(call)
    return f.calls - before == len(call.arguments[2])


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


@node_of.method(_OLDER)
def _is_new(call):
    default = torch.autograd.Function.setup_context
    classes = [type(one)._forward_cls for one in _functions_in(call.value)]
    return all(one.setup_context is not default for one in classes)


@node_of.mistake("forward returns the value of f at w, not at a shifted w.")
def _shifted_value(f, x, w, step):
    return f(x, w + step)


node_of.add_hints(
    "forward(x, w, f, step) returns f(x, w). setup_context keeps what backward needs.",
    "f and step are no tensors: keep them as attributes, ctx.f and ctx.step.",
    "For each i: clone w, shift element i, call f, subtract, divide, times adjoint, sum.",
)


# 5. What training costs


@exercise(
    minutes=4,
    insight="Not the size of the batch, but the number of weights sets the price.",
)
def training_calls(weights, steps, scheme):
    """Return how often f is called in `steps` training steps by finite differences.

    Each step takes the value and the gradient with respect to that many `weights`. scheme is
    "forward" or "central". The value is used again where it can be.

    Examples
    --------
    >>> training_calls(2, 400, "forward")
    1200
    """
    return steps * (1 + weights * (1 if scheme == "forward" else 2))


@training_calls.cases
def _sizes():
    return [case(n, k, s) for n, k in ((3, 10), (1, 7)) for s in ("forward", "central")]


@training_calls.mistake("The value itself is a call too, in each step.")
def _no_value(weights, steps, scheme):
    return steps * weights * (1 if scheme == "forward" else 2)


@training_calls.mistake(
    "A central difference makes no use of the value, but the training step does: one call more."
)
def _no_value_if_central(weights, steps, scheme):
    return steps * (1 + weights if scheme == "forward" else 2 * weights)


@training_calls.mistake("A forward difference may use the value that is known already.")
def _two_each(weights, steps, scheme):
    return steps * (1 + 2 * weights)


@training_calls.mistake("A central difference takes two calls for each weight.")
def _one_each(weights, steps, scheme):
    return steps * (1 + weights)


training_calls.add_hints("Count one step first: the value, then each weight.")


# 6. Central differences


@exercise(
    minutes=6,
    insight="Where both sides bend alike, the bend cancels.",
)
def central_slopes(f, w, step):
    """Return the central differences of f at w, one per element: a tensor like w.

    f gets a 1-dimensional tensor and returns a number. Leave w as it is, at every moment: f might
    look at it, or raise.

    Examples
    --------
    >>> central_slopes(lambda w: float(w[0] ** 2 - w[1]), torch.tensor([1.0, 2.0]), 0.5)
    tensor([ 2., -1.])
    """
    slopes = torch.zeros_like(w)
    for i in range(len(w)):
        up, down = w.detach().clone(), w.detach().clone()
        up[i] += step
        down[i] -= step
        slopes[i] = (f(up) - f(down)) / (2 * step)
    return slopes


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
    one, two = _numbers(1.0, 2.0), _numbers(0.5, -1.0, 3.0)
    return [case(_Watchful(one), one, 0.5), case(_Watchful(two), two, 0.25)]


def _slopes(f, w, up, down, over, accumulate=False):
    slopes, kept = torch.zeros_like(w), w.clone()
    for i in range(len(w)):
        kept = kept if accumulate else w.clone()
        low = kept.clone()
        low[i] -= down
        kept[i] += up
        slopes[i] = (f(kept) - f(low)) / over
    return slopes


@central_slopes.mistake("That is the forward difference. Go down as well as up.")
def _forward(f, w, step):
    return _slopes(f, w, step, 0.0, step)


@central_slopes.mistake("The two arguments lie 2 steps apart: divide by 2 * step.")
def _over_one(f, w, step):
    return _slopes(f, w, step, step, step)


@central_slopes.mistake("`/ 2 * step` multiplies by the step: write / (2 * step).")
def _no_parentheses(f, w, step):
    return _slopes(f, w, step, step, 2 / step)


@central_slopes.mistake("The sign is wrong: the upper value minus the lower one.")
def _negated(f, w, step):
    return _slopes(f, w, step, step, -2 * step)


@central_slopes.mistake("The shifts pile up: make a fresh clone of w for each element.")
def _piled_up(f, w, step):
    return _slopes(f, w, step, step, 2 * step, accumulate=True)


@central_slopes.mistake("The caller's tensor was changed. `detach` shares its memory: clone it.")
def _in_place(f, w, step):
    shared = w.detach()
    shared[0] += step
    try:
        return f(shared)
    finally:
        shared[0] -= step


@central_slopes.mistake("The shifts pile up: make two fresh clones of w for each element.")
def _both_piled_up(f, w, step):
    up, down, slopes = w.clone(), w.clone(), torch.zeros_like(w)
    for i in range(len(w)):
        up[i] += step
        down[i] -= step
        slopes[i] = (f(up) - f(down)) / (2 * step)
    return slopes


@central_slopes.mistake(
    "Element 0 is still shifted when element 1 is moved: shift it back, or make a fresh clone."
)
def _not_back(f, w, step):
    moved, slopes = w.clone(), torch.zeros_like(w)
    for i in range(len(w)):
        moved[i] += step
        high = f(moved)
        moved[i] -= 2 * step
        slopes[i] = (high - f(moved)) / (2 * step)
    return slopes


@central_slopes.method("Return a tensor like w: of the same dtype and shape.", wrong=True)
def _is_like_the_weights(call):
    w, value = call.arguments[1], call.value
    return isinstance(value, torch.Tensor) and (value.dtype, value.shape) == (w.dtype, w.shape)


central_slopes.add_hints(
    "Two clones for each element, one shifted up and one shifted down.",
    "How far apart are the two?",
)


# 7. A step that fits


@exercise(
    minutes=6,
    tolerance=Tolerance(relative=1e-4),
    insight="The worse f is, the longer the step: the number of digits sets it, not the dtype.",
    next_try="What does the bound come to at its least? That is the accuracy of your derivative.",
)
def best_step(accuracy, scheme):
    """Return the step with the least error bound, for an f that is only `accuracy` accurate.

    All derivatives of f have size 1. The bound adds truncation and rounding: h/2 + 2·accuracy/h for
    the scheme "forward", h²/6 + accuracy/h for "central".

    Examples
    --------
    >>> best_step(1e-6, "forward")
    0.002
    """
    if scheme == "forward":
        return 2 * accuracy**0.5  # where 1/2 = 2·accuracy / h²
    return (3 * accuracy) ** (1 / 3)  # where h/3 = accuracy / h²


@best_step.cases
def _accuracies():
    return [case(a, scheme) for scheme in ("forward", "central") for a in (1e-6, 2.0**-52, 1e-3)]


@best_step.mistake(
    "The right powers, but not the least of these bounds: set the derivative of the bound to 0."
)
def _powers_only(accuracy, scheme):
    return accuracy ** (1 / 2 if scheme == "forward" else 1 / 3)


@best_step.mistake(
    "That is the forward scheme's step for both. Central truncation falls as h², so its best step "
    "is longer."
)
def _forward_for_both(accuracy, scheme):
    return 2 * accuracy**0.5


@best_step.mistake("The two schemes are swapped.")
def _schemes_swapped(accuracy, scheme):
    return best_step.reference(accuracy, "central" if scheme == "forward" else "forward")


@best_step.mistake(
    "That is where truncation equals rounding. Close, but the least of their sum lies where the "
    "derivative of the sum is 0."
)
def _equal_parts(accuracy, scheme):
    return 2 * accuracy**0.5 if scheme == "forward" else (6 * accuracy) ** (1 / 3)


@best_step.mistake("Shorter is not better: the rounding error grows as the step shrinks.")
def _accuracy_itself(accuracy, scheme):
    return accuracy


@best_step.mistake("A root binds before a product: (3 * accuracy) ** (1 / 3), in parentheses.")
def _root_first(accuracy, scheme):
    return 2 * accuracy**0.5 if scheme == "forward" else 3 * accuracy ** (1 / 3)


@best_step.mistake("`** 1 / 3` is the power 1, divided by 3: write ** (1 / 3).")
def _power_first(accuracy, scheme):
    return 2 * accuracy**0.5 if scheme == "forward" else (3 * accuracy) ** 1 / 3


best_step.add_hints(
    "The bound is a function of h alone. Where is it flat?",
    "Forward: the derivative of the bound is 1/2 - 2·accuracy/h². Now central.",
)


# 8. The recursive backward


@exercise(
    minutes=15,
    insight="backward calls apply, and so its own result can be differentiated: to any order.",
    next_try="Differentiate three times. How many digits are left, and how many calls was it?",
)
def recursive_node(f, x, step):
    """Return f(x) as a node of the graph that can be differentiated again and again.

    f works element by element, and nothing in it is recorded. Write a Function, with setup_context,
    whose backward takes the central difference of *the Function itself*.

    Examples
    --------
    >>> x = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    >>> y = recursive_node(lambda x: x.detach() ** 3, x, 0.5)
    >>> (first,) = torch.autograd.grad(y, x, create_graph=True)
    >>> torch.autograd.grad(first, x)[0].item()
    12.0
    """

    class Recursive(torch.autograd.Function):
        @staticmethod
        def forward(x, f, step):
            return f(x.detach().clone())

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, ctx.f, ctx.step = inputs
            ctx.save_for_backward(x)

        @staticmethod
        def backward(ctx, adjoint):
            (x,) = ctx.saved_tensors
            up = Recursive.apply(x + ctx.step, ctx.f, ctx.step)
            down = Recursive.apply(x - ctx.step, ctx.f, ctx.step)
            return adjoint * (up - down) / (2 * ctx.step), None, None

    return Recursive.apply(x, f, step)


class _Cube:
    """A cubic f that records nothing and counts the calls from outside of a forward."""

    def __init__(self):
        self.direct = 0

    def __call__(self, x):
        self.direct += torch.is_grad_enabled()  # a forward runs with recording switched off
        return x.detach() ** 3

    def __repr__(self):
        return "a cubic function"


@recursive_node.cases
def _points():
    return [
        case(_Cube(), _numbers(2.0)[0].requires_grad_(), 0.5),
        case(_Cube(), _numbers(-1.0, 0.5).requires_grad_(), 0.25),
    ]


def _orders(call, adjoint=1.0):
    """Return the first and the second derivative that an answer's node gives, None for none."""
    x = call.arguments[1]
    found, y = [], call.value
    for _ in range(2):
        try:
            (y,) = torch.autograd.grad(y, x, torch.full_like(y, adjoint), create_graph=True)
        except Exception:  # whatever the reader's backward raises
            return (*found, None, None)[:2]
        found.append(y)
    return tuple(found)


recursive_node.method(_NO_NODE, wrong=True)(_has_node)
recursive_node.method(_NO_FUNCTION)(_has_function)


@recursive_node.method(_why_no_sweep, wrong=True)
def _has_first(call):
    return _orders(call)[0] is not None


@recursive_node.method("The adjoint is lost: multiply the difference by it.", wrong=True)
def _first_uses_adjoint(call):
    return torch.allclose(3 * _orders(call)[0], _orders(call, 3.0)[0])


@recursive_node.method("The first is not the central difference with this step.", wrong=True)
def _first_is_central(call):
    _, x, step = call.arguments
    return torch.allclose(_orders(call)[0], 3 * x**2 + step**2)


@recursive_node.method("There is no second one: backward must call apply, not f.", wrong=True)
def _calls_apply(call):
    f, before = call.arguments[0], call.arguments[0].direct
    return _orders(call)[1] is not None or f.direct == before


@recursive_node.method(
    "There is no second one: shift x itself, recorded, not detached.", wrong=True
)
def _has_second(call):
    return _orders(call)[1] is not None


@recursive_node.method("The second derivative is not 6x where f is x³.", wrong=True)
def _second_is_right(call):
    return torch.allclose(_orders(call)[1], 6 * call.arguments[1])


recursive_node.method(_ATTRIBUTE)(_saves)
recursive_node.method(_OLDER)(_is_new)


@recursive_node.mistake("forward returns f(x) itself.")
def _shifted_forward(f, x, step):
    return f(x + step)


recursive_node.add_hints(
    "Start from node_of: forward, setup_context and backward, for a single argument x.",
    "In backward call `YourFunction.apply` at x + step and at x - step.",
)


# Drills


@drill
def drill_difference(random):
    """Put a difference quotient to work out by hand."""
    x, h, central = random.randint(1, 6), random.choice((0.5, 0.25, 2)), random.random() < 0.5
    kind = "central" if central else "forward"
    return Problem(
        f"The {kind} difference of $x^2$ at $x = {x}$ with step $h = {h}$?",
        answer=2 * x if central else 2 * x + h,
        why="(x + h)² - (x - h)² = 4xh: 2x, exactly."
        if central
        else f"((x + h)² - x²) / h = 2x + h: {h} too much.",
    )


@drill
def drill_backward(random):
    """Ask how many values backward returns."""
    tensors, others = random.randint(1, 4), random.randint(1, 3)
    given = f"{tensors} tensor{'s' * (tensors > 1)} and {others} number{'s' * (others > 1)}"
    return Problem(
        f"`forward` takes {given}. How many values does `backward` "
        "return, and how many of them must be None? Answer (values, nones).",
        answer=(tensors + others, others),
        why=f"One for each argument: {tensors} + {others}; a number that is no tensor gets None.",
    )


@drill
def drill_calls(random):
    """Ask for the calls for a gradient."""
    n, scheme = random.randint(2, 30), random.choice(("forward", "central"))
    return Problem(
        f"Value and gradient in {n} weights by {scheme} differences: how many calls of $f$?",
        answer=1 + n * (1 if scheme == "forward" else 2),
        why=f"1 for the value, {1 if scheme == 'forward' else 2} for each of the {n} weights.",
    )
