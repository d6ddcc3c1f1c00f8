"""What answers to the exercises of notebook 09 are tried on, and which way they must go."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import splu

from .ex09 import (
    active_step,
    added_entries,
    coupled,
    film_area,
    kkt_step,
    least_area,
    line_search,
    low_rank_solve,
)
from .framework import case

# film_area


def _bend(height, k):
    s = torch.linspace(-1, 1, k + 2, dtype=torch.float64)
    wire = height(*torch.meshgrid(s, s, indexing="ij"))
    wire[1:-1, 1:-1] = 0
    return wire


@film_area.cases
def _sheets():
    def sheet(k):
        place = torch.arange(k * k, dtype=torch.float64).view(k, k)
        return (0.3 * torch.cos(place)).requires_grad_()

    def wave(x, y):
        return torch.sin(2 * x) + 0.5 * y**2

    flat = torch.zeros(3, 3, dtype=torch.float64, requires_grad=True)

    return [
        case(sheet(1), _bend(wave, 1), label="one height in a wavy wire"),
        case(sheet(4), _bend(wave, 4), label="4 × 4 heights in a wavy wire"),
        case(sheet(12), _bend(wave, 12), label="12 × 12 heights in a wavy wire"),
        case(flat, 0 * _bend(wave, 3), label="a flat sheet of 3 × 3 heights"),
    ]


@film_area.method(
    "The number is right, but torch has no derivative of it: return a tensor, without `.item()`, "
    "`float` or `.detach()` on the way."
)
def _(call):
    return getattr(call.value, "grad_fn", None) is not None


@film_area.method(
    "The area is right, but it takes an operation for each cell. Slices of the slopes do all cells "
    "at once, and the cells below need that."
)
def _(call):
    seen, left = set(), [call.value.grad_fn]
    while left:
        node = left.pop()
        if node is not None and node not in seen:
            seen.add(node)
            left += [parent for parent, _ in node.next_functions]
    return len(seen) < 200


@film_area.method(
    "The value is right, but its gradient is NaN where the sheet is flat: √0 has no derivative. "
    "Take one root of 1 + p + q.",
    wrong=True,
)
def _(call):
    (slopes,) = torch.autograd.grad(call.value, call.arguments[0], retain_graph=True)
    return bool(slopes.isfinite().all())


# What the inputs below share.


def _heavy_area(z, wire):
    return film_area.reference(z, wire) + 0.1 * z.sum() * (2 / (len(wire) - 1)) ** 2


def _flat_area(z, wire=None):  # a reader may pass the notebook's wire all the same
    wire = torch.zeros(z.shape[0] + 2, z.shape[1] + 2, dtype=z.dtype)
    return film_area.reference(z, wire)


# coupled


@coupled.cases
def _places():
    return [case(2, 3, 6), case(0, 2, 5), case(4, 4, 5), case(0, 0, 1)]


@coupled.random_cases
def _(random):
    k = random.randint(2, 9)
    return [case(random.randrange(k), random.randrange(k), k)]


# added_entries


def _obstacle(z):
    return 100 * torch.relu(0.2 - z).square().sum()


def _kept_volume(z):
    return 50 * (z.sum() - 3.0) ** 2


def _stick(z):
    return z[0, 0] * z[-1, -1]


def _switch(z):
    return (torch.relu(z - 5.0).sum() ** 2) / 2


@added_entries.cases
def _terms():
    return [
        case(_flat_area, _obstacle, 4, label="an obstacle below the film, k = 4"),
        case(_flat_area, _kept_volume, 4, label="a volume to be kept, k = 4"),
        case(_flat_area, _stick, 4, label="a product of two far corners, k = 4"),
        case(_flat_area, _switch, 3, label="relu(z - 5).sum()**2 / 2, k = 3"),
    ]


# line_search


def _along(curve, value=1.0, slope=-1.0):
    """Return a parabola that starts with this value and slope."""

    def f(t):
        return value + slope * t + curve * t**2

    return f


def _rounded(value, excess, slope):
    """Return an input on which f is too large by so much, but for the tiniest t."""

    def f(t):
        return value if t == 0 else value + excess if t >= 2.0**-40 else value - 1

    return case(f, value, slope, label=f"f(t) = {value:g} + {excess:g} down to t = 2⁻⁴⁰")


def _just_enough(t):
    return {0: 0.0, 1: -1e-4}.get(t, -1.0)


@line_search.cases
def _lines():
    fair = "No t is small enough for yours: is t missing in 10⁻⁴·t·slope?"
    return [
        case(_along(3.0), 1.0, -1.0, label="f(t) = 1 − t + 3t²"),
        case(_along(0.9), 1.0, -1.0, label="f(t) = 1 − t + 0.9t²"),
        case(_along(1 - 5e-4), 1.0, -1.0, label="f(t) = 1 − t + 0.9995t²"),
        case(_along(1 - 5e-5), 1.0, -1.0, label="f(t) = 1 − t + 0.99995t²"),
        case(_along(1 + 5e-5), 1.0, -1.0, label="f(t) = 1 − t + 1.00005t²"),
        case(_along(2e4), 1.0, -1.0, label="f(t) = 1 − t + 20000t²", too_slow=fair),
        case(_along(1.99985), 1.0, -1.0, label="f(t) = 1 − t + 1.99985t²"),
        case(_along(2.0**25), 1.0, -1.0, label="f(t) = 1 − t + 33554432t²"),
        _rounded(7.0, 1e-15, -1e-17),
        _rounded(-7.0, 1e-15, -1e-17),
        _rounded(1000.0, 2e-12, -1e-13),
        _rounded(7.0, 3e-12, -1e-17),
        case(_just_enough, 0.0, -1.0, label="f(1) = −10⁻⁴, just enough, and f(t) = −1 below"),
    ]


@line_search.random_cases
def _(random):
    slope, curve = -random.uniform(0.5, 5), random.uniform(1, 500)
    return [
        case(_along(curve, 3.0, slope), 3.0, slope, label=f"f(t) = 3 {slope:+.2f}t {curve:+.0f}t²")
    ]


@line_search.method("The t is right, but f is evaluated more often than once for each t.")
def _(call):
    f = call.arguments[0]
    return call.calls_of(f) <= 1 - np.log2(float(call.value)) + 1e-9


# least_area


@least_area.cases
def _wires():
    return [
        case(
            film_area.reference, _bend(lambda x, y: 0.6 * (x**2 - y**2), 4), label="a saddle, k = 4"
        ),
        case(
            film_area.reference,
            _bend(lambda x, y: 20 * torch.sign(x - 0.1), 5),
            label="a wire so steep that full Newton steps run away (search the line), k = 5",
        ),
        case(
            _heavy_area,
            _bend(lambda x, y: 2 * torch.cos(3 * x) * y + x, 5),
            label="waves, and a film that weighs something, k = 5",
        ),
    ]


@least_area.method("The area is right, but it is a tensor. Return a float: `.item()`.")
def _(call):
    return not isinstance(call.value, torch.Tensor)


# Systems with a matrix of which only the solves are known.


def _chain(n):
    """Return a function that solves with a sparse matrix of n rows, and two vectors."""
    line = sp.diags_array([-1.0, 2.5, -1.0], offsets=[-1, 0, 1], shape=(n, n), dtype=float)
    factors = splu(line.tocsc())

    def solve(v):
        return factors.solve(v)

    place = np.arange(n)
    return solve, 1.0 + 0.1 * (place % 3), np.cos(place)


_FULL = (np.linalg.solve.__wrapped__, np.linalg.inv.__wrapped__, np.outer.__wrapped__)


def _few_solves(call):
    return call.calls_of(call.arguments[0]) <= 3


def _no_full_matrix(call):
    n = len(call.arguments[1])
    if any(shape[:1] > (2,) for shape in call.results_of(*_FULL)):
        return False
    return n < 1000 or call.peak < 8 * n * n / 4  # a quarter of one full matrix


# kkt_step


@kkt_step.cases
def _borders():
    def border(n, q):
        solve, a, r = _chain(n)
        return solve, a, r, q

    return [
        case(*border(4, 1.5), label="4 unknowns, q = 1.5"),
        case(*border(50, -0.25), label="50 unknowns, q = -0.25"),
        case(
            *border(3_000, 2.0),
            label="3,000 unknowns, q = 2",
            too_slow="Is a full matrix formed? One of 3,000 columns takes 72 MB.",
        ),
    ]


kkt_step.method("The step is right, but it takes more than three solves with S. Two are enough.")(
    _few_solves
)

kkt_step.method(
    "The step is right, but a full matrix is formed. Two solves and a few vectors are enough.",
    watch=_FULL,
    memory=True,
)(_no_full_matrix)


@kkt_step.method("The step is right, but the caller's a or r is changed.")
def _(call):
    return call.unchanged


# low_rank_solve


@low_rank_solve.cases
def _systems():
    def system(n, c):
        solve, u, b = _chain(n)
        return solve, u, c, b

    return [
        case(*system(4, 2.0), label="4 unknowns, c = 2"),
        case(*system(50, -0.001), label="50 unknowns, c = -0.001"),
        case(
            *system(3_000, 0.5),
            label="3,000 unknowns, c = 0.5",
            too_slow="Is a full matrix formed? One of 3,000 columns takes 72 MB.",
        ),
    ]


low_rank_solve.method(
    "The solution is right, but it takes more than three solves with S. Two are enough."
)(_few_solves)

low_rank_solve.method(
    "The solution is right, but a full matrix is formed. Two solves and a few vectors are enough.",
    watch=_FULL,
    memory=True,
)(_no_full_matrix)


@low_rank_solve.method("The solution is right, but the caller's u or b is changed.")
def _(call):
    return call.unchanged


# active_step


@active_step.cases
def _contacts():
    def contact(n, some):
        line = sp.diags_array([-1.0, 2.5, -1.0], offsets=[-1, 0, 1], shape=(n, n), dtype=float)
        place = np.arange(n)
        return line.tocsr(), np.cos(place), some(place)

    return [
        case(*contact(4, lambda i: i == 2), label="4 unknowns, one of them active"),
        case(*contact(6, lambda i: i < 0), label="6 unknowns, none of them active"),
        case(*contact(50, lambda i: i % 7 < 3), label="50 unknowns, 22 of them active"),
        case(
            *contact(1_200, lambda i: i > 1_100),
            label="1,200 unknowns, 99 of them active",
            too_slow="Is a dense matrix made, or a loop over its entries?",
        ),
    ]


@active_step.method(
    "s is nearly 0 where active is True, and must be 0: a point that moves by a rounding no longer "
    "touches. Leave rows and columns out instead of making the diagonal large.",
    wrong=True,
)
def _(call):
    return not np.asarray(call.value, dtype=float)[call.arguments[2]].any()


@active_step.method("The step is right, but a dense matrix is made on the way.", memory=True)
def _(call):
    n = len(call.arguments[1])
    return n < 1000 or call.peak < 8 * n * n / 2  # half of a dense matrix


@active_step.method("The step is right, but an argument is changed.")
def _(call):
    (H, g, active), (before, *vectors) = call.arguments, call.given
    same = abs(H - before).sum() == 0 if H.shape == before.shape else False
    return same and all(map(np.array_equal, (g, active), vectors))
