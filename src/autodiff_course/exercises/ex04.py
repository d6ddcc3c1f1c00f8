"""Exercises of notebook 04, custom Functions: from a backward rule to a step that fits."""

from __future__ import annotations

import torch

from .framework import case, exercise

__all__ = ["best_step", "forward_slopes", "scaled_backward", "straight_through"]


def _numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


# 1. The backward rule of a Function with two inputs


@exercise
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


def _mend(rule):
    """Make a wrong rule for two needed inputs obey `needs`."""

    def obeying(x, s, needs, adjoint):
        both = rule(x, s, adjoint)
        return tuple(value if asked else None for value, asked in zip(both, needs, strict=True))

    return obeying


@scaled_backward.mistake(
    "The adjoint is lost: backward returns adjoint times local derivative, for each input."
)
def _no_adjoint(x, s, needs, adjoint):
    return _mend(lambda x, s, _: (2 * s * x, (x**2).sum()))(x, s, needs, adjoint)


@scaled_backward.mistake(
    "The adjoint of s must have the shape of s. One s feeds every element: add up what they send."
)
def _not_summed(x, s, needs, adjoint):
    return _mend(lambda x, s, adjoint: (adjoint * 2 * s * x, adjoint * x**2))(x, s, needs, adjoint)


@scaled_backward.mistake("One s feeds every element: their contributions are added, not averaged.")
def _averaged(x, s, needs, adjoint):
    def rule(x, s, adjoint):
        return adjoint * 2 * s * x, (adjoint * x**2).mean()

    return _mend(rule)(x, s, needs, adjoint)


@scaled_backward.mistake("The two are swapped: one value per input, in the order of forward.")
def _swapped(x, s, needs, adjoint):
    by_x, by_s = scaled_backward.reference(x, s, needs, adjoint)
    return by_s, by_x


@scaled_backward.mistake("Where `needs` says False, return None: nobody asked for that value.")
def _both_always(x, s, needs, adjoint):
    return scaled_backward.reference(x, s, (True, True), adjoint)


@scaled_backward.mistake("The factor s is lost: with respect to x, s·x² has the derivative 2·s·x.")
def _no_scale(x, s, needs, adjoint):
    def rule(x, s, adjoint):
        return adjoint * 2 * x, (adjoint * x**2).sum()

    return _mend(rule)(x, s, needs, adjoint)


@scaled_backward.mistake("Return a value for every input, None included: forward has two.")
def _only_what_is_needed(x, s, needs, adjoint):
    values = scaled_backward.reference(x, s, needs, adjoint)
    return tuple(value for value in values if value is not None)


scaled_backward.add_hints(
    "Write the derivative of s·x² with respect to x and with respect to s, for a single number.",
    "Multiply each by the adjoint, element by element.",
    "s is one number and reaches the output along many paths. What does one do with paths?",
)


# 2. A straight-through estimator


@exercise
def straight_through(w, x, y):
    """Return the gradient with respect to w of ``((round(w) * x - y) ** 2).mean()``.

    Rounding has the derivative 0 almost everywhere, so nothing would ever train. Treat it as a
    *straight-through estimator* does: round on the way forward, and on the way back pass the
    adjoint on as if nothing had happened.

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
        case(_numbers(0.3, -1.7, 2.2), _numbers(1.0, 2.0, -0.5), _numbers(1.0, -1.0, 0.0)),
        case(_numbers(0.7, -0.4), _numbers(1.0, 3.0), _numbers(2.0, 1.0)),  # no floor, no ceiling
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


@straight_through.mistake("Backward multiplies by w. The derivative to pretend is 1.")
def _times_w(w, x, y):
    return straight_through.reference(w, x, y) * w


@straight_through.mistake("Backward returns ones: the adjoint is lost. Return what arrives.")
def _ones(w, x, y):
    return torch.ones_like(w)


@straight_through.mistake("Backward rounds the adjoint as well. Return it as it arrives.")
def _adjoint_rounded(w, x, y):
    return straight_through.reference(w, x, y).round()


@straight_through.mistake("That is the gradient of the summed squares. The loss is their mean.")
def _of_the_sum(w, x, y):
    return straight_through.reference(w, x, y) * len(w)


straight_through.add_hints(
    "Write a Function whose forward rounds. What does its backward return?",
    "The backward has one argument besides ctx, and that is what it returns.",
    "Then `torch.autograd.grad(loss, w)` gives the gradient; w must require grad.",
)


# 3. A Function that leaks


@exercise
def forward_slopes(f, w, step):
    """Return the forward differences of f at w, one per element: a tensor like w.

    f gets a 1-dimensional tensor and returns a number. The tensor w belongs to the caller: at no
    moment may it be changed, for f might look at it, or raise.

    Examples
    --------
    >>> forward_slopes(lambda w: float(3 * w[0] - w[1]), torch.tensor([1.0, 2.0]), 0.5)
    tensor([ 3., -1.])
    """
    start = f(w.detach().clone())
    slopes = w.new_zeros(w.shape)
    for i in range(len(w)):
        shifted = w.detach().clone()  # a detached tensor alone would share w's memory
        shifted[i] += step
        slopes[i] = (f(shifted) - start) / step
    return slopes


class _WatchfulFunction:
    """A quadratic f that raises when the caller's tensor is no longer what it was."""

    def __init__(self, caller, curvature, square=0.0):
        self.caller, self.original = caller, caller.clone()
        self.curvature, self.square = curvature, square

    def __call__(self, w):
        if not torch.equal(self.caller, self.original):
            raise RuntimeError("the caller's tensor w has been changed")
        weights = torch.arange(1.0, len(w) + 1, dtype=w.dtype)
        bent = self.curvature * w.prod() + self.square * (w**2).sum()
        return float((weights * w).sum() + bent)


@forward_slopes.cases
def _watched():
    one, two = _numbers(1.0, 2.0), _numbers(0.5, -1.0, 3.0)
    return [
        case(_WatchfulFunction(one, 0.0), one, 0.5, label="f linear, w = [1., 2.], step = 0.5"),
        case(  # central differences, which are exact here, differ from forward ones
            _WatchfulFunction(one, 0.0, square=1.0),
            one,
            0.5,
            label="f = w0 + 2·w1 + w0² + w1², w = [1., 2.], step = 0.5",
        ),
        case(
            _WatchfulFunction(two, 1.0),
            two,
            0.25,
            label="f = w0 + 2·w1 + 3·w2 + w0·w1·w2, w = [0.5, -1., 3.], step = 0.25",
        ),
    ]


@forward_slopes.mistake(
    "The caller's tensor was changed. `w.detach()` is a second name for the same memory: clone it."
)
def _perturbed_in_place(f, w, step):
    shared = w.detach()
    shared[0] += step
    try:
        f(shared)
    finally:
        shared[0] -= step


def _slopes(f, w, step, accumulate=False, sign=1.0, divide=True):
    start, slopes, shifted = f(w.clone()), torch.zeros_like(w), w.clone()
    for i in range(len(w)):
        shifted = shifted if accumulate else w.clone()
        shifted[i] += sign * step
        slopes[i] = (f(shifted) - start) / (sign * step if divide else 1.0)
    return slopes


@forward_slopes.mistake(
    "The shifts pile up: each element starts from the tensor that the last one left. Make a fresh "
    "clone for each."
)
def _piled_up(f, w, step):
    return _slopes(f, w, step, accumulate=True)


@forward_slopes.mistake("Those are differences of values. Divide by the step.")
def _not_divided(f, w, step):
    return _slopes(f, w, step, divide=False)


@forward_slopes.mistake("The sign is wrong: shifted value minus start, not the other way round.")
def _negated(f, w, step):
    return -_slopes(f, w, step)


@forward_slopes.mistake("All elements were shifted at once. One at a time gives one slope each.")
def _all_at_once(f, w, step):
    return torch.full_like(w, (f(w + step) - f(w.clone())) / step)


forward_slopes.add_hints(
    "What does `detach` share with the tensor that it came from?",
    "`w.detach().clone()` is yours alone. Make one for each element.",
)


# 4. A step that fits


@exercise
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


@best_step.mistake(
    "That step suits an f accurate to the last bit of float64. This f is accurate to `accuracy`."
)
def _machine_epsilon(accuracy, scheme):
    return best_step.reference(2.0**-52, scheme)


best_step.add_hints(
    "The bound is a function of h alone. Where is it flat?",
    "Forward: the derivative of the bound is 1/2 - 2·accuracy/h². Now central.",
)
