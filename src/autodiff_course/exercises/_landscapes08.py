"""The functions that answers to the exercise of Newton's method are tried on."""

from __future__ import annotations

import warnings

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import MatrixRankWarning, spsolve

from .framework import case


def _solve(H, g):
    """Solve Hs = g; what a diverging answer makes singular is not the reader's to read."""
    if not sp.issparse(H):
        raise TypeError("solve takes the sparse matrix that hessian(x) returns, as it is")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MatrixRankWarning)
        return spsolve(H, g)


def _quiet(function):
    """Leave out NumPy's warnings of an overflow: far out, where a diverging answer asks."""

    def called(x):
        with np.errstate(all="ignore"):
            return function(x)

    return called


def _landscape(weights, coupling, start, kind, goal, label):
    """Make a function of three variables: a sum of curves and squared differences."""
    weights = np.array(weights)
    links = coupling * np.array([[1.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 1.0]])

    @_quiet
    def f(x):
        return float(weights @ kind[0](x) + x @ links @ x / 2)

    @_quiet
    def gradient(x):
        return weights * kind[1](x) + links @ x

    @_quiet
    def hessian(x):
        return sp.csc_array(np.diag(weights * kind[2](x)) + links)

    return _case(f, gradient, hessian, start, goal, label)


SQUARE = (lambda x: (x - 1) ** 2 / 2, lambda x: x - 1, lambda x: np.ones_like(x))
ROUNDED = (  # |x| with its kink rounded off: a whole Newton step goes from x to -x³
    lambda x: np.sqrt(1 + x**2),
    lambda x: x / np.sqrt(1 + x**2),
    lambda x: (1 + x**2) ** -1.5,
)
WELLS = (lambda x: x**4 / 4 - x**2 / 2, lambda x: x**3 - x, lambda x: 3 * x**2 - 1)


class Patient:
    """Count the calls of a function and of its gradient, and say why they are too many."""

    def __init__(self, f, gradient, most=1000):
        self._f, self._gradient = f, gradient
        self._left, self._slopes, self._values = most, 0, 0

    def f(self, x):
        self._values += 1
        if self._values > self._left:
            raise RuntimeError(ENDLESS)
        return self._f(x)

    def gradient(self, x):
        self._slopes += 1
        far = not np.abs(x).max() < FAR
        if far or (self._slopes > 300 and self._values < 3 * self._slopes):
            raise RuntimeError(UNSEARCHED)
        return self._gradient(x)


FAR = 1e6  # no step that makes f fall leads there
UNSEARCHED = "the steps lead far off, or never end: every t is 1, and the line search is missing"
ENDLESS = (
    "f was called 1,000 times: the loop does not end. Take s = -g where gᵀs is not negative, and "
    "end the search at t < 1e-9"
)


def _case(f, gradient, hessian, start, goal, label):
    patient = Patient(f, gradient)
    start = np.array(start)
    return case(patient.f, patient.gradient, hessian, _solve, start, goal, label=label)


def _flat(goal):
    """Make a value that never falls, although the gradient says that it does."""
    return _case(
        lambda x: 0.0,
        lambda x: np.ones(2),
        lambda x: sp.csc_array(np.eye(2)),
        [1.0, 2.0],
        goal,
        "a value that never falls",
    )


def _part_known(part, goal):
    """Make a square with a Hessian of only a part of its own: a full step goes too far."""
    return _case(
        lambda x: float(x @ x) / 2,
        lambda x: 1.0 * x,
        lambda x: sp.csc_array(np.eye(2) * part),
        [1.0, 1.0],
        goal,
        f"a square, and a Hessian of {part:g} times its own",
    )


def _along_the_level():
    """Make a point where gᵀs is 0 exactly: a bowl along x₀, a ridge between two wells along x₁."""
    return _case(
        lambda x: float(x[0] ** 2 / 2 + x[1] ** 4 / 4 - x[1] ** 2 / 2),
        lambda x: np.array([x[0], x[1] ** 3 - x[1]]),
        lambda x: sp.csc_array(np.diag([1.0, 3 * x[1] ** 2 - 1])),
        [0.75, 0.5],
        1e-9,
        "a bowl along x0, two wells along x1: gᵀs = 0 at the start",
    )


def landscapes():
    point, few = [0.57735] * 3, [200.0] * 3
    return [
        _landscape([1, 2, 3], 0.5, [4.0, 0.0, -1.0], SQUARE, 1e-9, "a quadratic function"),
        _landscape([1] * 3, 0.0, [1.3] * 3, SQUARE, 0.4, "three slopes of 0.3, goal 0.4"),
        _landscape([1] * 3, 0.0, [0.5] * 3, SQUARE, 0.4, "three slopes of -0.5, goal 0.4"),
        _landscape([1, 1, 1], 0.0, [1.5, -2.5, 2.0], ROUNDED, 1e-9, "rounded-off |x|, apart"),
        _landscape([3, 1, 2], 0.1, [3.0, -2.5, 2.0], ROUNDED, 1e-9, "rounded-off |x|, coupled"),
        _landscape([1, 1, 1], 0.1, [0.2, 0.3, 0.1], WELLS, 1e-9, "wells, from their middle"),
        _landscape([2] * 3, 0.0, point, WELLS, 1e-9, "wells, from near where they do not curve"),
        _along_the_level(),
        _landscape([1, 2, 3], 0.5, [1.0, 1.0, 1.0], SQUARE, 1e-9, "a minimum as the start"),
        _part_known(0.50001, 0.99997),
        _part_known(0.5002, 0.9995),
        _part_known(0.001, 0.96),
        _landscape([1] * 3, 0.0, few, ROUNDED, 1e-9, "rounded-off |x|, from 200"),
        _landscape([1] * 3, 0.0, [2e3] * 3, ROUNDED, 1e-9, "rounded-off |x|, from 2,000"),
        _flat(1e-9),
        _landscape([1] * 3, 0.0, [5e4] * 3, ROUNDED, 1e-3, "rounded-off |x|, from 50,000"),
    ]
