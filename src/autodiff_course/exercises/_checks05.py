"""What answers to the exercises of notebook 05 are tried on, and which way they must go."""

from __future__ import annotations

from numbers import Integral, Real

import torch

from autodiff_course.descent import descend

from .ex05 import (
    adaptive_descent,
    best_fixed_step,
    newton_schulz,
    polyak_step,
    predicted_iterations,
    pseudo_inverse,
    should_stop,
    subgradient,
)
from .framework import case

# subgradient


def _random(rows, columns, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, columns, generator=generator, dtype=torch.float64)


@subgradient.cases
def _square_pairs():
    return [
        case(torch.tensor([[1.0, 2.0], [0.5, 1.0]]), torch.tensor([[1.0, 1.0], [-3.0, 0.75]])),
        case(torch.tensor([[2.0]]), torch.tensor([[3.0]])),
        case(_random(4, 4, 0), _random(4, 4, 1), label="two random 4 × 4 matrices"),
        case(_random(3, 3, 5), _random(3, 3, 6), label="two random 3 × 3 matrices"),
        case(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[1.0, 1.0], [0.0, 0.5]])),
    ]


@subgradient.method("The numbers are right, but in another dtype: answer in that of x.")
def _dtype_of_x(call):
    return call.value.dtype == call.given[0].dtype


@subgradient.method("That is right, by autograd. Write the formula; autograd is then its check.")
def _by_formula(call):
    return not call.calls_of("run_backward", torch.func.grad)


# adaptive_descent


def _bowl(y):
    """f(y) = (y₀ − 1)² + (y₁ − 1)²"""  # noqa: D400, D403, D415 (the label of a case)
    return ((y - 1) ** 2).sum()


def _bowl_gradient(y):
    return 2 * (y - 1)


def _vee(y):
    """f(y) = |3y₀ + y₁| + |y₁|"""  # noqa: D400, D403, D415
    return (3 * y[0] + y[1]).abs() + y[1].abs()


def _vee_gradient(y):
    one, two = torch.sign(3 * y[0] + y[1]), torch.sign(y[1])
    return torch.stack([3 * one, one + two])


def _flat(y):
    """f(y) = 1"""  # noqa: D400, D403, D415
    return (0 * y).sum() + 1


@adaptive_descent.cases
def _descents():
    runs = [
        (_bowl, _bowl_gradient, [0.0, 3.0], 1.5, 0.5, 5),
        (_bowl, _bowl_gradient, [0.0, 3.0], 3.0, 0.25, 8),
        (_vee, _vee_gradient, [1.0, 1.0], 1.7, 0.5, 20),
        (_vee, _vee_gradient, [0.3, -1.0], 1.2, 0.8, 30),
        (_bowl, _bowl_gradient, [0.0, 3.0], 1.5, 0.5, 0),
        (_flat, torch.zeros_like, [0.0, 3.0], 1.5, 0.5, 4),
    ]
    return [
        case(
            f,
            gradient,
            torch.tensor(start, dtype=torch.float64),
            *settings,
            label="{}, y = {}, grow = {}, shrink = {}, moves = {}".format(
                f.__doc__, start, *settings
            ),
        )
        for f, gradient, start, *settings in runs
    ]


@adaptive_descent.method(
    "The numbers are right, but the caller's y was changed: make a new tensor."
)
def _leaves_y(call):
    return call.unchanged


@adaptive_descent.method(
    "The numbers are right, but the task asks for Python numbers: take each out with `.item()`."
)
def _python_numbers(call):
    return all(isinstance(one, Real) for part in call.value[1:] for one in part)


_A_FLOAT = "The number is right, but the task asks for a Python float: take it out with `.item()`."


def _is_real(call):
    return isinstance(call.value, Real)


polyak_step.method(_A_FLOAT)(_is_real)
best_fixed_step.method(_A_FLOAT)(_is_real)


@polyak_step.cases
def _polyak():
    return [
        case(10.0, torch.tensor([[3.0, 0.0], [0.0, 4.0]]), 5.0),
        case(6.0, _random(3, 3, 0), 0.0),
        case(2.5, _random(5, 1, 1), -1.5),
        case(1.0, torch.tensor([[2.0]]), 1.0),
        case(1.0, torch.tensor([[2.0]]), 3.0),
    ]


@should_stop.cases
def _runs():
    return [
        case([5.0, 3.0, 4.0, 3.5], 2),
        case([5.0, 3.0, 4.0, 2.5], 2),
        case([5.0, 4.0, 2.0, 4.5], 2),
        case([5.0, 3.0, 4.0], 2),
        case([1.0, 9.0, 8.0, 7.0], 3),
        case([2.0, 1.0, 4.0, 3.0, 2.0, 1.5], 3),
        case([3.0, 3.0], 1),
        case([4.0, 5.0], 2),
        case([5.0, 6.0, 6.0, 4.0], 2),
        case([4.0], 1),
    ]


@best_fixed_step.cases
def _matrices():
    return [
        case(torch.tensor([[3.0, 0.0], [0.0, 1.0]])),
        case(torch.tensor([[0.0, 4.0], [-2.0, 0.0]])),
        case(_random(4, 4, 2), label="a random 4 × 4 matrix"),
        case(_random(3, 3, 7), label="a random 3 × 3 matrix"),
    ]


@predicted_iterations.cases
def _predictions():
    return [
        case(2.0, 0.1),
        case(12.0, 1e-3),
        case(3.0, 0.5),
        case(3.0, 0.8),  # exactly one iteration, in whichever form the rate is written
        case(100.0, 1e-6),
        case(1.5, 1e-4),
    ]


@predicted_iterations.method("The count is right, but the task asks for an int: put `int` around.")
def _is_whole(call):
    return isinstance(call.value, Integral)


@newton_schulz.method("The numbers are right, but in another dtype: stay in that of x.")
def _stays_in_dtype(call):
    return call.value[0].dtype == call.given[0].dtype


@newton_schulz.cases
def _to_invert():
    return [
        case(torch.tensor([[2.0, 0.0], [0.0, 1.0]]), 1e-3),
        case(torch.tensor([[4.0]], dtype=torch.float64), 1e-3),
        case(torch.tensor([[1.0, 2.0], [0.0, 1.0]], dtype=torch.float64), 1e-6),
        case(torch.diag(torch.tensor([2.0, 1, 1, 1, 1, 1], dtype=torch.float64)), 3e-4),
        case(torch.diag(torch.tensor([2.0, 1, 1, 1, 1, 1], dtype=torch.float64)), 1.5e-4),
        case(_random(4, 4, 3), 1e-3, label="a random 4 × 4 matrix"),
        case(_random(6, 6, 4), 1e-8, label="a random 6 × 6 matrix"),
        case(
            torch.tensor([[1.0, 1.0], [1.0, 1.0]], dtype=torch.float64),
            1e-3,
            label="a matrix without an inverse: 100 iterations",
        ),
    ]


@pseudo_inverse.cases
def _tall():
    narrow = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
    return [
        case(narrow),
        case(torch.tensor([[1.0], [0.5]], dtype=torch.float64)),
        case(torch.tensor([[2.0, 0.0], [0.0, 0.2], [0.0, 0.0]], dtype=torch.float64)),
        case(_random(6, 3, 5), label="a random 6 × 3 matrix"),
    ]


@pseudo_inverse.method(
    "This calls a library for the whole exercise. It is right; here the descent is to find it."
)
def _(call):
    library = ("linalg_pinv", "pinverse", "linalg_lstsq", "linalg_inv", "linalg_solve", "inverse")
    return not call.calls_of(*library, "linalg_svd", "linalg_qr")


@pseudo_inverse.method(
    "Its value ends at 0, which XY = I cannot reach here: you minimised something else, such as "
    "‖YX − I‖². That has many minima; from this start it leads to the same Y.",
    watch=(descend,),
)
def _the_objective_asked_for(call):
    return all(run.value > 1e-6 for run in call.results_of(descend))


@pseudo_inverse.method(
    lambda call: (
        f"The run ended by {call.results_of(descend)[-1].reason!r}, not by a rule: it was near "
        "enough here. Let the gradient say so, with a bound that it reaches."
    ),
    watch=(descend,),
)
def _stopped_on_purpose(call):
    return all(run.reason not in ("iterations", "stalled") for run in call.results_of(descend)[-1:])
