"""Typical wrong answers to the exercises of notebook 04, and what is said of each."""

from __future__ import annotations

import torch

from ._shared04 import IN_PLACE
from .ex04 import (
    agrees,
    best_step,
    central_slopes,
    node_of,
    recursive_node,
    scaled_backward,
    straight_through,
    training_calls,
)

# scaled_backward


def _asked(needs, *values):
    return tuple(value if asked else None for value, asked in zip(values, needs, strict=True))


scaled_backward.add_mistakes(
    "The adjoint is lost: backward returns adjoint times local derivative, for each input.",
    lambda x, s, needs, adjoint: _asked(needs, 2 * s * x, (x**2).sum()),
    "The adjoint of s must have the shape of s. One s feeds every element: add up what they send.",
    lambda x, s, needs, adjoint: _asked(needs, adjoint * 2 * s * x, adjoint * x**2),
    "sum(0) adds up the first dimension alone. One s feeds all: sum().",
    lambda x, s, needs, adjoint: _asked(needs, adjoint * 2 * s * x, (adjoint * x**2).sum(0)),
    "The two are swapped: one value per input, in the order of forward.",
    lambda x, s, needs, adjoint: scaled_backward.reference(x, s, needs, adjoint)[::-1],
    "Where `needs` says False, return None: nobody asked for that value.",
    lambda x, s, needs, adjoint: scaled_backward.reference(x, s, (True, True), adjoint),
    "The factor s is lost: with respect to x, s·x² has the derivative 2·s·x.",
    lambda x, s, needs, adjoint: _asked(needs, adjoint * 2 * x, (adjoint * x**2).sum()),
    "The factor 2 is lost: with respect to x, s·x² has the derivative 2·s·x.",
    lambda x, s, needs, adjoint: _asked(needs, adjoint * s * x, (adjoint * x**2).sum()),
    "What the elements send to s is added up: sum, not mean.",
    lambda x, s, needs, adjoint: _asked(needs, adjoint * 2 * s * x, (adjoint * x**2).mean()),
    "The adjoint of x has the shape of x: each element gets its own, only those of s are summed.",
    lambda x, s, needs, adjoint: _asked(needs, (adjoint * 2 * s * x).sum(), (adjoint * x**2).sum()),
)


@scaled_backward.mistake("Return a value for every input, None included: forward has two.")
def _only_what_is_needed(x, s, needs, adjoint):
    values = scaled_backward.reference(x, s, needs, adjoint)
    return tuple(value for value in values if value is not None)


@scaled_backward.mistake("The adjoint of s has the shape of s: no dimension, not one of length 1.")
def _one_dimension(x, s, needs, adjoint):
    return _asked(needs, adjoint * 2 * s * x, (adjoint * x**2).sum().reshape(1))


@scaled_backward.mistake(IN_PLACE)
def _in_place_first(x, s, needs, adjoint):
    by_x = adjoint * 2 * s * x
    return _asked(needs, by_x, (by_x * x**2).sum())


# straight_through


def _gradient(w, loss_of):
    w = w.detach().requires_grad_()
    return torch.autograd.grad(loss_of(w), w)[0]


straight_through.add_mistakes(
    "All zero: that is the true derivative of rounding. On the way back, pass the adjoint on.",
    lambda w, x, y: torch.zeros_like(w),
    "The weights were not rounded on the way forward.",
    lambda w, x, y: _gradient(w, lambda w: ((w * x - y) ** 2).mean()),
    "Backward returns the rounded weights instead of the adjoint. What arrives is what goes on.",
    lambda w, x, y: w.round(),
    "Backward returns ones: the adjoint is lost. Return what arrives.",
    lambda w, x, y: torch.ones_like(w),
    "That is the gradient of the summed squares. The loss is their mean.",
    lambda w, x, y: straight_through.reference(w, x, y) * len(w),
    "A gradient has the shape of w: do not add up its elements.",
    lambda w, x, y: straight_through.reference(w, x, y).sum(),
)


@straight_through.mistake("floor is not round: 2.8 must become 3.")
def _floored(w, x, y):
    return _gradient(w, lambda w: ((w + (w.floor() - w).detach()) * x - y).square().mean())


# agrees


def _own_and_slope(function, x):
    x = x.detach().requires_grad_()
    (own,) = torch.autograd.grad(function(x).sum(), x)
    return own, (function(x + 1e-5) - function(x - 1e-5)).detach() / 2e-5


def _judged(function, x, relative, absolute):
    return torch.allclose(*_own_and_slope(function, x), rtol=relative, atol=absolute)


def _small(function, x, step=1e-5, down=1, size=torch.abs):
    own, _ = _own_and_slope(function, x)
    slope = (function(x + step) - function(x - down * step)).detach() / ((1 + down) * step)
    return bool((size(own - slope) <= 1e-6 * slope.abs().clamp(min=1)).all())


_MIXED = "Compare element by element: beside a steep slope a norm hides the error of a flat one."


agrees.add_mistakes(
    "Those are the tolerances of gradcheck, which lets a factor of 0.9995 pass.",
    lambda function, x: _judged(function, x, 1e-3, 1e-5),
    "An absolute error alone: of a slope of a million, rounding leaves more than 1e-6.",
    lambda function, x: _judged(function, x, 0, 1e-6),
    "A relative error alone: where the slope is 0, no error is small enough.",
    lambda function, x: _judged(function, x, 1e-6, 0),
    "A forward difference is right to about 1e-5 alone: go down as well as up.",
    lambda function, x: _small(function, x, down=0),
    "A step of 1e-3 is too long where the function bends: take 1e-5.",
    lambda function, x: _small(function, x, step=1e-3),
    "An error below 0 is an error too: take its abs.",
    lambda function, x: _small(function, x, size=torch.clone),
)


@agrees.mistake("Compare element by element: the sum of the errors may be 0.")
def _summed(function, x):
    own, slope = _own_and_slope(function, x)
    return bool(abs(own.sum() - slope.sum()) <= 1e-6 * slope.sum().abs().clamp(min=1))


@agrees.mistake("Take the size of the slope by abs: a negative one is less than 1, however steep.")
def _without_abs(function, x):
    own, slope = _own_and_slope(function, x)
    return bool(((own - slope).abs() <= 1e-6 * slope.clamp(min=1)).all())


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


@node_of.mistake("forward returns the value of f at w, not at a shifted w.")
def _shifted_value(f, x, w, step):
    return f(x, w + step)


training_calls.add_mistakes(
    "The value itself is a call too, in each step.",
    lambda weights, steps, scheme: steps * weights * (1 if scheme == "forward" else 2),
    "The value is a call in every step, as the weights have moved: it is not one call in all.",
    lambda weights, steps, scheme: 1 + steps * weights * (1 if scheme == "forward" else 2),
    "A central difference makes no use of the value, but the training step does: one call more.",
    lambda weights, steps, scheme: steps * (1 + weights if scheme == "forward" else 2 * weights),
    "A forward difference may use the value that is known already.",
    lambda weights, steps, scheme: steps * (1 + 2 * weights),
    "A central difference takes two calls for each weight.",
    lambda weights, steps, scheme: steps * (1 + weights),
)


# central_slopes

_SINGLE = "w or a value went through float32: give torch.tensor the dtype of w."


def _slopes(f, w, up, down, over, accumulate=False):
    slopes, kept = torch.zeros_like(w), w.clone()
    for i in range(len(w)):
        kept = kept if accumulate else w.clone()
        low = kept.clone()
        low[i] -= down
        kept[i] += up
        slopes[i] = (f(kept) - f(low)) / over
    return slopes


central_slopes.add_mistakes(
    "That is the forward difference. Go down as well as up.",
    lambda f, w, step: _slopes(f, w, step, 0.0, step),
    "The two arguments lie 2 steps apart: divide by 2 * step.",
    lambda f, w, step: _slopes(f, w, step, step, step),
    "`/ 2 * step` multiplies by the step: write / (2 * step).",
    lambda f, w, step: _slopes(f, w, step, step, 2 / step),
    "Shift by the whole step to either side, not by half of it.",
    lambda f, w, step: _slopes(f, w, step / 2, step / 2, step),
    "One slope for each element: shift one at a time, not all of w at once.",
    lambda f, w, step: (f(w + step) - f(w - step)) / (2 * step),
    "The sign is wrong: the upper value minus the lower one.",
    lambda f, w, step: _slopes(f, w, step, step, -2 * step),
    "The shifts pile up: make a fresh clone of w for each element.",
    lambda f, w, step: _slopes(f, w, step, step, 2 * step, accumulate=True),
    _SINGLE,
    lambda f, w, step: _slopes(lambda w: torch.tensor(f(w)).to(w), w, step, step, 2 * step),
    _SINGLE,
    lambda f, w, step: _slopes(lambda w: f(w.float()), w, step, step, 2 * step),
)


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


best_step.add_mistakes(
    "The right powers, but not the least of these bounds: set the derivative of the bound to 0.",
    lambda accuracy, scheme: accuracy ** (1 / 2 if scheme == "forward" else 1 / 3),
    "That is the forward scheme's step for both. Central truncation falls as h², so its best step "
    "is longer.",
    lambda accuracy, scheme: 2 * accuracy**0.5,
)


@best_step.mistake("The two schemes are swapped.")
def _schemes_swapped(accuracy, scheme):
    return best_step.reference(accuracy, "central" if scheme == "forward" else "forward")


@best_step.mistake(
    "That is where truncation equals rounding. Close, but the least of their sum lies where the "
    "derivative of the sum is 0."
)
def _equal_parts(accuracy, scheme):
    return 2 * accuracy**0.5 if scheme == "forward" else (6 * accuracy) ** (1 / 3)


best_step.add_mistakes(
    "Shorter is not better: the rounding error grows as the step shrinks.",
    lambda accuracy, scheme: accuracy,
    "A root binds before a product: (3 * accuracy) ** (1 / 3), in parentheses.",
    lambda accuracy, scheme: 2 * accuracy**0.5 if scheme == "forward" else 3 * accuracy ** (1 / 3),
    "`** 1 / 3` is the power 1, divided by 3: write ** (1 / 3).",
    lambda accuracy, scheme: 2 * accuracy**0.5 if scheme == "forward" else (3 * accuracy) ** 1 / 3,
)


@recursive_node.mistake("forward returns f(x) itself.")
def _shifted_forward(f, x, step):
    return f(x + step)
