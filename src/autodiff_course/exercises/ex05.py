"""Exercises of notebook 05, a matrix inverse by descent: steps, rates, and what beats them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch

from autodiff_course.descent import descend

from .comparing import Tolerance
from .drills import Problem, drill
from .framework import exercise

__all__ = [
    "adaptive_descent",
    "best_fixed_step",
    "drill_rate",
    "drill_reach",
    "drill_schulz",
    "newton_schulz",
    "polyak_step",
    "predicted_iterations",
    "pseudo_inverse",
    "should_stop",
    "subgradient",
]


# 1. A gradient of the sum of absolute values


@exercise(
    minutes=8,
    seconds=20.0,
    uses="import torch",
    insight="The sizes of the errors are gone from it: only their signs are left.",
    next_try="Which other slopes could stand for 0 at a kink, with E nowhere below its tangent?",
)
def subgradient(x, y):
    """Return the gradient in Y of the sum of ``|XY - I|``.

    Where an entry of XY - I is exactly 0, take 0 for the slope of its absolute value. x and y are
    square tensors of one size and dtype, float32 or float64. Answer in their dtype. Write the
    formula; leave autograd out of it.

    Examples
    --------
    >>> subgradient(torch.tensor([[2.0]]), torch.tensor([[3.0]]))
    tensor([[2.]])
    """
    return x.T @ torch.sign(x @ y - torch.eye(len(x), dtype=x.dtype))


subgradient.add_hints(
    "In the derivation for squares, what stands in the place of 2R?",
    "The slope of |r| is the sign of r: `torch.sign`.",
)


# 2. The adaptive loop


@exercise(
    minutes=12,
    uses="import torch",
    insight="One value and one gradient for each move: the comparison costs nothing.",
    next_try="Which factors make a descent of this kind arrive? Section 4 tries a few.",
)
def adaptive_descent(f, gradient, y, grow, shrink, moves):
    """Make `moves` steps ``y - step * gradient(y)`` and return (y, values, steps).

    The first step is 0.01. After each move the step is multiplied by `grow` if f fell, and by
    `shrink` if it did not. `values` are the values of f from the start to the end, so one more
    than `steps`; both hold Python numbers. Leave the caller's y as it is.

    Examples
    --------
    >>> y, values, steps = adaptive_descent(
    ...     lambda y: (y * y).sum(), lambda y: 2 * y, torch.tensor([1.0]), 2.0, 0.5, 3
    ... )
    >>> steps
    [0.01, 0.02, 0.04]
    """
    step, values, steps = 0.01, [f(y).item()], []
    for _ in range(moves):
        y = y - step * gradient(y)
        values.append(f(y).item())
        steps.append(step)
        step *= grow if values[-1] < values[-2] else shrink
    return y, values, steps


adaptive_descent.add_hints(
    "Before the loop: the step, the list with the value at the start, an empty list of steps.",
    "In it: move, note the value, note the step, change the step.",
)


# 3. Polyak's step


@exercise(
    minutes=6,
    uses="import torch",
    insight="The line along the gradient is prolonged to the least value, and there you step.",
    next_try="What does it do on a parabola of one variable? Compare with Newton's step.",
)
def polyak_step(value, gradient, best):
    """Return the step α for which the first-order prediction of f meets `best`.

    Along ``y - α * gradient`` the first-order prediction is ``value - α * |gradient|²``. `value`
    and `best` are numbers, `gradient` is a matrix that is not zero. Where `value` is below `best`,
    the step is negative. Return a Python float.

    Examples
    --------
    >>> polyak_step(10.0, torch.tensor([[3.0, 0.0], [0.0, 4.0]]), best=5.0)
    0.2
    """
    return (value - best) / gradient.square().sum().item()


polyak_step.add_hints(
    "Set the prediction equal to `best`, and solve for α.",
    "|gradient|² is the sum of the squares of all entries.",
)


# 4. A stop rule for a value that may rise


@exercise(
    minutes=8,
    insight="Such a rule needs no least value, and it cannot tell a stall from an arrival.",
    next_try="Make the rule ask for a new lowest value that is lower by one percent.",
)
def should_stop(values, patience):
    """Say whether the last `patience` values brought no new lowest value.

    `values` holds the objective from the start on, the newest last. While there are no more than
    `patience` of them, the answer is False.

    Examples
    --------
    >>> should_stop([5.0, 3.0, 4.0, 3.5], patience=2)
    True
    >>> should_stop([5.0, 3.0, 4.0, 2.5], patience=2)
    False
    """
    if len(values) <= patience:
        return False
    return min(values[-patience:]) >= min(values[:-patience])


should_stop.add_hints(
    "Cut the list in two: the last `patience` values, and all that came before.",
    "`values[-patience:]` are the last ones and `values[:-patience]` the others. Compare their "
    "lowest values.",
)


# 5. The best fixed step


@exercise(
    minutes=10,
    tolerance=Tolerance(relative=1e-5),
    uses="import torch",
    insight="At the best step the steepest and the flattest direction are equally slow.",
    next_try="Draw the larger of the two factors against the step: where is its tip?",
)
def best_fixed_step(x):
    """Return the fixed step for which descent on ``‖XY - I‖²`` has the smallest rate.

    One step multiplies the error along a singular direction by 1 - 2ασ². The rate is the largest
    absolute value of these factors. x is an invertible tensor. Return a Python float.

    Examples
    --------
    >>> round(best_fixed_step(torch.tensor([[3.0, 0.0], [0.0, 1.0]])), 6)
    0.1
    """
    sigma = torch.linalg.svdvals(x)
    return 1 / (sigma.max() ** 2 + sigma.min() ** 2).item()


best_fixed_step.add_hints(
    "Only the largest and the smallest σ matter: the factors of all others lie between theirs.",
    "At the best step the two are as far from 0, on different sides: 1 − 2ασ²min = 2ασ²max − 1.",
)


# 6. A prediction


@exercise(
    minutes=8,
    uses="import numpy as np",
    insight="Each iteration divides the error by the same number, so only the logarithm counts.",
    next_try="How many iterations does one more right digit cost at κ = 100?",
)
def predicted_iterations(kappa, shrinkage):
    """Return how many iterations the best fixed step needs: a whole number, rounded up.

    `kappa` is the condition number, larger than 1. The error along the slowest direction has to
    shrink to `shrinkage` times its start, or less: 0.001, say. Return an int.

    Examples
    --------
    >>> predicted_iterations(2.0, 0.1)
    5
    """
    rate = (kappa**2 - 1) / (kappa**2 + 1)
    return int(np.ceil(np.log(shrinkage) / np.log(rate)))


predicted_iterations.add_hints(
    "Put the best step into 1 − 2ασ²min, and divide above and below by σ²min.",
    "The rate is (κ² − 1) / (κ² + 1). How often must you multiply by it?",
)


# 7. Newton-Schulz


@exercise(
    minutes=12,
    uses="import torch",
    insight="The residual is squared in each iteration, so right digits double.",
    next_try="Start from Y = I: for which X does the residual grow instead?",
)
def newton_schulz(x, goal):
    """Return (Y, iterations): Newton's ``y (2 - x y)``, for a square matrix X.

    Start from Xᵀ divided by the product of its largest column sum and its largest row sum of
    absolute values. Stop when the sum of ``|XY - I|`` is below `goal`, or after 100 iterations.
    Stay in the dtype of x.

    Examples
    --------
    >>> newton_schulz(torch.tensor([[2.0, 0.0], [0.0, 1.0]]), 1e-3)[1]
    5
    """
    identity = torch.eye(len(x), dtype=x.dtype)
    y = x.T / (x.abs().sum(0).max() * x.abs().sum(1).max())
    iterations = 0
    while (identity - x @ y).abs().sum() >= goal and iterations < 100:
        y = y @ (2 * identity - x @ y)
        iterations += 1
    return y, iterations


newton_schulz.add_hints(
    "For numbers: y = x / (|x| |x|), then y ← y (2 − x y) until |x y − 1| is small.",
    "`x.abs().sum(0).max()` is the largest column sum; `2 * torch.eye(len(x), dtype=x.dtype)`.",
)


# 8. The pseudo-inverse of a tall matrix


@exercise(
    minutes=12,
    seconds=30.0,
    tolerance=Tolerance(relative=1e-4, absolute=1e-4),
    uses="import torch\nfrom autodiff_course.descent import descend",
    insight="The equation cannot be met, and the gradient still says when the best Y is found.",
    next_try="Start from another matrix: for a tall X of full rank the answer stays the same.",
)
def pseudo_inverse(x):
    """Return the Y that minimises ‖XY − I‖², found by `descend`, for a tall matrix X.

    x is float64, has more rows than columns, and its columns are independent. What `descend`
    returns has the matrix as its ``.iterate``. The least value is not 0 here, so `PolyakStep()`
    aims too low. Stop where no entry of the gradient is above 1e-6; with L-BFGS 1e-4, below which
    it may stall. The answer may be off by 1e-4.
    """
    identity = torch.eye(len(x), dtype=x.dtype)
    result = descend(
        lambda y: (x @ y - identity).square().sum(),
        x.new_zeros(x.shape[1], x.shape[0]),
        # The minimum is not 0, so a target for the value would never be reached.
        stop_when=lambda y, value, gradient: gradient.abs().max() < 1e-6,
    )
    return result.iterate


pseudo_inverse.add_hints(
    "XY is as tall as X: which shape has the identity, and which has Y?",
    "m − n of the rows cannot be met: at the minimum E is m − n, for X of shape (m, n). When is a "
    "minimum reached whose value you do not know?",
    "`stop_when` is given the gradient: `lambda y, value, gradient: gradient.abs().max() < 1e-6`.",
)


# Drills


@drill
def drill_reach(random):
    """How far halved steps lead."""
    first, length = random.choice((0.5, 1, 2, 4)), random.randint(1, 6)
    shrink = random.choice((0.5, 0.75, 0.9))
    total = first * length / (1 - shrink)
    return Problem(
        f"A descent starts with the step {first}. Each further step is {shrink} times the one "
        f"before. A move is as long as step times gradient, and all gradients have the length "
        f"{length}. Which distance can the descent never exceed?",
        answer=round(total, 9),
        why=f"{first}·{length}·(1 + {shrink} + {shrink}² + …) = {first * length} / (1 − {shrink}).",
    )


@drill
def drill_rate(random):
    """Rate of a fixed step."""
    small = random.randint(1, 3)
    large = small + random.randint(1, 4)
    step = Fraction(random.choice((1, 2, 3)), 4 * large**2)
    factors = [float(1 - 2 * step * sigma**2) for sigma in (small, large)]
    return Problem(
        f"X has the singular values {small} and {large}. Descent on the squares takes the fixed "
        f"step {step}. By which factor does the slowest error shrink in each iteration?",
        answer=round(max(map(abs, factors)), 4),
        why=f"The factors 1 − 2ασ² are {factors[0]:.4f} and {factors[1]:.4f}. To four digits.",
    )


@drill
def drill_schulz(random):
    """Residuals of Newton-Schulz."""
    residual, steps = random.choice((0.1, 0.2, 0.3, 0.4, 0.5, 0.6)), random.randint(1, 4)
    return Problem(
        f"Newton–Schulz for a number: 1 − xy is {residual} now. What is it after {steps} more "
        "iterations?",
        answer=float(f"{residual ** (2**steps):.3g}"),
        why=f"It is squared {steps} times: {residual} to the power {2**steps}.",
        tolerance=Tolerance(relative=1e-2, absolute=0.0),
    )


# What answers are tried on, and the mistakes that are recognised: they need the exercises above.
from . import _checks05, _wrong05  # noqa: E402, F401
