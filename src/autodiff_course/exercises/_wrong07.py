"""Typical wrong answers to the exercises of notebook 07, and what is said of each."""

from __future__ import annotations

import math

import torch
from torch.func import grad, jvp

from .ex07 import (
    backtrack,
    check_second_derivative,
    difference_along,
    flat_product,
    largest_curvature,
    newton_cg_step,
    second_along,
    smallest_curvature,
    smooth_sinc,
    taylor_product,
)
from .functions07 import ORDERS

difference_along.add_mistakes(
    "That is the forward difference. Go down along v as well as up.",
    lambda function, x, v: (function(x + 1e-5 * v) - function(x)) / 1e-5,
    "The two points lie 2 steps apart: divide by 2 · 1e-5.",
    lambda function, x, v: 2 * difference_along.reference(function, x, v),
    "Every element was moved by the same step. Move along v.",
    lambda function, x, v: difference_along.reference(function, x, torch.ones_like(v)),
    "That asks the rules, which this function is to judge. Take a difference of two values.",
    lambda function, x, v: jvp(function, (x,), (v,))[1],
    "The sign is wrong: the value up along v minus the value down.",
    lambda function, x, v: -difference_along.reference(function, x, v),
    "v was scaled to length 1. Its length counts: move by h times v itself.",
    lambda function, x, v: difference_along.reference(function, x, v / v.norm()),
)


# second_along


def _in_order(of):
    def wrong(f, x, u, v, order):
        return second_along.reference(f, x, u, v, of(order))

    return wrong


second_along.add_mistakes(
    "The words are taken the wrong way round: the last word is done first, inside.",
    _in_order(lambda order: " over ".join(reversed(order.split(" over ")))),
    "`order` is ignored: that is forward over reverse each time.",
    _in_order(lambda _: ORDERS[0]),
    "`order` is ignored: that is reverse over reverse each time.",
    _in_order(lambda _: ORDERS[1]),
    "That is the slope of f along v. It has to be differentiated once more, along u.",
    lambda f, x, u, v, order: jvp(f, (x,), (v,))[1].item(),
    "That is the product Hv, a vector. Take its product with u.",
    lambda f, x, u, v, order: jvp(grad(f), (x,), (v,))[1],
)


# check_second_derivative


def nearly(error, truth):
    return error <= 1e-5 * abs(truth) + 1e-6


def two_random(x):
    return torch.randn_like(x), torch.randn_like(x)


def checked_with(f, x, pieces, directions=two_random, judge=None, gradient=True, near=nearly):
    """Check with other directions, another judge, or without a look at the gradient."""
    difference_along, second_along = pieces
    u, v = directions(x)
    slope, truth = difference_along(f, x, v), (grad(f)(x) * v).sum()
    if gradient and not near(abs(slope - truth), truth):
        return {"gradient": "wrong"} | dict.fromkeys(ORDERS, "unknown")
    truth = (difference_along(grad(f), x, v) * u).sum() if judge is None else judge(u, v)
    said = {"gradient": "right"}
    for order in ORDERS:
        try:
            error = abs(second_along(f, x, u, v, order) - truth)
            said[order] = "right" if near(error, truth) else "wrong"
        except RuntimeError:
            said[order] = "fails"
    return said


@check_second_derivative.mistake(
    "The orders are compared with one of them. All four may share a fault: the judge has to "
    "be the difference of two gradients."
)
def by_another_order(f, x, *pieces):
    def judge(u, v):
        return pieces[1](f, x, u, v, "reverse over reverse")

    return checked_with(f, x, pieces, judge=judge)


check_second_derivative.add_mistakes(
    "Those directions are not random. With u and v full of ones, errors of both signs cancel.",
    lambda f, x, *pieces: checked_with(f, x, pieces, lambda x: (torch.ones_like(x),) * 2),
    "u and v are one vector: an error that is an antisymmetric matrix cancels. Draw two.",
    lambda f, x, *pieces: checked_with(f, x, pieces, lambda x: (torch.randn_like(x),) * 2),
)


@check_second_derivative.mistake(
    "A NaN counts as right: ask whether the error is small, not whether it is large."
)
def not_far(f, x, *pieces):
    return checked_with(
        f, x, pieces, near=lambda error, truth: not error > 1e-5 * abs(truth) + 1e-6
    )


check_second_derivative.add_mistakes(
    "The gradient is not checked. A difference of wrong gradients is a wrong judge.",
    lambda f, x, *pieces: checked_with(f, x, pieces, gradient=False),
)


@check_second_derivative.mistake('An order that raises an exception is an answer too: "fails".')
def lets_it_raise(f, x, *pieces):
    said = checked_with(f, x, pieces)
    for order, word in said.items():
        if word == "fails":
            pieces[1](f, x, torch.ones_like(x), torch.ones_like(x), order)
    return said


# flat_product


def _alphabetical(loss, parameters, v):
    ordered = {name: parameters[name] for name in sorted(parameters)}
    return flat_product.reference(loss, ordered, v)


def _as_a_dict(loss, parameters, v):
    sizes = [tensor.numel() for tensor in parameters.values()]
    pieces = zip(parameters, flat_product.reference(loss, parameters, v).split(sizes), strict=True)
    return {name: piece.view_as(parameters[name]) for name, piece in pieces}


flat_product.add_mistakes(
    "That is the gradient. It has to be differentiated once more, along v.",
    lambda loss, parameters, v: torch.cat([g.flatten() for g in grad(loss)(parameters).values()]),
    "v is cut in alphabetical order. Its pieces stand in the order of the dict.",
    _alphabetical,
    "That is the product as a dict. Flatten its tensors and join them.",
    _as_a_dict,
    "That is vᵀHv, one number. Leave out the last product with v.",
    lambda loss, parameters, v: v @ flat_product.reference(loss, parameters, v),
)


# newton_cg_step


def cg(
    *,
    stops=True,
    zero=True,
    sign=1.0,
    beta=True,
    relative=True,
    first=True,
    adds=False,
    gives_up=False,
):
    def wrong(product, g, tolerance, most):
        s, r, d = torch.zeros_like(g), g, -g
        for _ in range(most):
            curved = product(d)
            if stops and (d @ curved < 0 or zero and d @ curved == 0):
                s = -g if gives_up else s + d if adds else s if s.any() or not first else -g
                return sign * s, "negative curvature"
            t = (r @ r) / (d @ curved)
            s, new = s + t * d, r + t * curved
            if new.norm() <= tolerance * (g.norm() if relative else 1.0):
                return sign * s, "solved"
            d, r = -new + (new @ new) / (r @ r) * d * beta, new
        return sign * s, "most products"

    return wrong


newton_cg_step.add_mistakes(
    "The curvature is not looked at. Where it is negative, the model has no least value along "
    "d, and the step goes uphill.",
    cg(stops=False),
    "A parabola with the curvature 0 has no lowest point either: stop there too.",
    cg(zero=False),
    "The sign is wrong: Hs is to be -g. The step has to go downhill.",
    cg(sign=-1.0),
    "Each direction is the residual alone: that is steepest descent. Add a part of the old d.",
    cg(beta=False),
    "The residual is compared with `tolerance` itself. Compare it with `tolerance` times the "
    "length of g.",
    cg(relative=False),
    "If the first direction already has negative curvature, s is 0: return -g instead.",
    cg(first=False),
    "The direction of negative curvature is added with length 1. Return s as it is.",
    cg(adds=True),
    "With negative curvature that is always -g. Return s, and -g only where s is still 0.",
    cg(gives_up=True),
)


@newton_cg_step.mistake(
    "Your `r +=` changes g itself: after `r = g` both are one tensor. Write r = r + …, or begin "
    "with a clone."
)
def changes_g(product, g, tolerance, most):
    s, r, d = torch.zeros_like(g), g, -g
    for _ in range(most):
        curved = product(d)
        if d @ curved <= 0:
            return (s if s.any() else -g), "negative curvature"
        old = r @ r
        t = old / (d @ curved)
        s = s + t * d
        r += t * curved
        if r.norm() <= tolerance * g.norm():
            return s, "solved"
        d = -r + (r @ r) / old * d
    return s, "most products"


# backtrack


def enough(new, old, t, slope):
    return new <= old + 1e-4 * t * slope


def search(enough, start=1.0, last=0.0):
    def wrong(f, x, step, slope):
        t = start
        while t > 1e-9:
            if enough(f(x + t * step), f(x), t, slope):
                return t
            t /= 2
        return last

    return wrong


backtrack.add_mistakes(
    "Any fall of f is taken. The fall has to be at least 1e-4 · t · |slope|.",
    search(lambda new, old, t, slope: new < old),
    "The promise does not shrink with the step: it is 1e-4 · t · slope.",
    search(lambda new, old, t, slope: new <= old + 1e-4 * slope),
    "The whole promise of the slope is asked for. Ask for the part 1e-4 of it.",
    search(lambda new, old, t, slope: new <= old + t * slope),
    "The full step is never tried: begin with t = 1.",
    search(enough, start=0.5),
    "Where no t is good, the last one tried is returned. Return 0.0.",
    search(enough, last=2.0**-30),
    "f is NaN at this t: that is no fall. Ask whether f fell enough, not whether it is too large.",
    search(lambda new, old, t, slope: not new > old + 1e-4 * t * slope),
)


# largest_curvature


def unscaled(then):
    """Iterate from the v that is given, and go on with `then` of each product."""

    def wrong(product, v, steps):
        for _ in range(steps):
            curved = product(v)
            bend, v = (v @ curved).item(), then(curved)
        return bend

    return wrong


@largest_curvature.mistake("That is the length of Hv, which has no sign. Return the product vᵀHv.")
def length(product, v, steps):
    for _ in range(steps):
        v = product(v / v.norm())
    return v.norm().item()


largest_curvature.add_mistakes(
    "v is not scaled to length 1 at the start.",
    unscaled(lambda curved: curved / curved.norm()),
    "v is never scaled: its length is that of a power of H.",
    unscaled(lambda curved: curved),
    "One product too many: return the curvature noted in the last step.",
    lambda product, v, steps: largest_curvature.reference(product, v, steps + 1),
)


# smallest_curvature


def _off_every_element(product, largest, v, steps):
    return largest + largest_curvature.reference(lambda d: product(d) - largest, v, steps)


def _added(product, largest, v, steps):
    return largest_curvature.reference(lambda d: product(d) + largest * d, v, steps) - largest


smallest_curvature.add_mistakes(
    "`largest` is not put back: that is the smallest minus the largest.",
    lambda product, largest, v, steps: (
        smallest_curvature.reference(product, largest, v, steps) - largest
    ),
    "That is build 7 again, the largest in size. Shift H first.",
    lambda product, largest, v, steps: largest_curvature.reference(product, v, steps),
    "`largest` is taken off every element of Hv. Off every curvature means: Hv minus largest · v.",
    _off_every_element,
    "The shift goes the wrong way: that finds the largest once more.",
    _added,
    "`largest` is taken off twice. It was taken off every curvature: add it again.",
    lambda product, largest, v, steps: (
        smallest_curvature.reference(product, largest, v, steps) - 2 * largest
    ),
)


smooth_sinc.add_mistakes(
    "At 0 that is 0/0, a NaN.",
    lambda x: x.sin() / x,
    "torch.sinc(x) is sin(πx)/(πx), another function.",
    lambda x: torch.sinc(x),
    "A small number added to x shifts the curve. Choose another formula near 0.",
    lambda x: (x + 1e-3).sin() / (x + 1e-3),
)


taylor_product.add_mistakes(
    "Each power is multiplied with itself only. Which pairs give t²?",
    lambda a, b: [x * y for x, y in zip(a, b, strict=True)],
)


@taylor_product.mistake("That is the whole product of two polynomials: leave out higher powers.")
def all_powers(a, b):
    n = len(a)
    full = [0.0] * max(2 * n - 1, 2)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            full[i + j] += x * y
    return full


taylor_product.add_mistakes(
    "That is the rule for derivatives, with binomial coefficients. Taylor coefficients have "
    "the factorials in them already.",
    lambda a, b: [
        sum(math.comb(k, i) * a[i] * b[k - i] for i in range(k + 1)) for k in range(len(a))
    ],
)
