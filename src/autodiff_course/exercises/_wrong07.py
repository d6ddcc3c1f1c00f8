"""Typical wrong answers to the exercises of notebook 07; what is said of each stands in ex07."""

import torch
from torch.func import grad

from .functions07 import ORDERS

# check_second_derivative


def two_random(x):
    return torch.randn_like(x), torch.randn_like(x)


def nearly(error, truth):
    return error <= 1e-5 * abs(truth) + 1e-6


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


def by_another_order(f, x, *pieces):
    def judge(u, v):
        return pieces[1](f, x, u, v, "reverse over reverse")

    return checked_with(f, x, pieces, judge=judge)


def along_ones(f, x, *pieces):
    return checked_with(f, x, pieces, lambda x: (torch.ones_like(x),) * 2)


def along_one(f, x, *pieces):
    return checked_with(f, x, pieces, lambda x: (torch.randn_like(x),) * 2)


def not_far(f, x, *pieces):
    return checked_with(
        f, x, pieces, near=lambda error, truth: not error > 1e-5 * abs(truth) + 1e-6
    )


def gradient_unseen(f, x, *pieces):
    return checked_with(f, x, pieces, gradient=False)


def lets_it_raise(f, x, *pieces):
    said = checked_with(f, x, pieces)
    for order, word in said.items():
        if word == "fails":
            pieces[1](f, x, torch.ones_like(x), torch.ones_like(x), order)
    return said


# newton_cg_step


def cg(*, stops=True, zero=True, sign=1.0, beta=True, relative=True, first=True, adds=False):
    def wrong(product, g, tolerance, most):
        s, r, d = torch.zeros_like(g), g, -g
        for _ in range(most):
            curved = product(d)
            if stops and (d @ curved < 0 or zero and d @ curved == 0):
                s = s + d if adds else s if s.any() or not first else -g
                return sign * s, "negative curvature"
            t = (r @ r) / (d @ curved)
            s, new = s + t * d, r + t * curved
            if new.norm() <= tolerance * (g.norm() if relative else 1.0):
                return sign * s, "solved"
            d, r = -new + (new @ new) / (r @ r) * d * beta, new
        return sign * s, "most products"

    return wrong


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


# largest_curvature


def unscaled(then):
    """Iterate from the v that is given, and go on with `then` of each product."""

    def wrong(product, v, steps):
        for _ in range(steps):
            curved = product(v)
            bend, v = (v @ curved).item(), then(curved)
        return bend

    return wrong


def length(product, v, steps):
    for _ in range(steps):
        v = product(v / v.norm())
    return v.norm().item()


# taylor_product


def all_powers(a, b):
    n = len(a)
    full = [0.0] * max(2 * n - 1, 2)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            full[i + j] += x * y
    return full
