"""Exercises of notebook 05, a matrix inverse by descent: steps, rates, and what beats them."""

from __future__ import annotations

import math

import numpy as np
import torch

from autodiff_course.descent import descend

from .comparing import Tolerance
from .drills import Problem, drill
from .framework import case, exercise

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


def _random(rows, columns, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, columns, generator=generator, dtype=torch.float64)


def _mistakes(one, *messages_and_functions):
    """Register wrong answers: the message for each, and the function."""
    for message, function in zip(
        messages_and_functions[::2], messages_and_functions[1::2], strict=True
    ):
        function.__name__ = f"_wrong_{len(one.mistakes)}"
        one.mistake(message)(function)


# 1. A gradient of the sum of absolute values


@exercise(
    minutes=8,
    seconds=20.0,
    uses="import torch",
    insight="The sizes of the errors are gone from it: only their signs are left.",
    next_try="Is it still right where an entry of XY - I is exactly 0?",
)
def subgradient(x, y):
    """Return the gradient in Y of the sum of ``|XY - I|``, where no entry of XY - I is 0.

    x and y are square tensors of one size and dtype, float32 or float64. Answer in their dtype.
    Write the formula; leave autograd out of it.

    Examples
    --------
    >>> subgradient(torch.tensor([[2.0]]), torch.tensor([[3.0]]))
    tensor([[2.]])
    """
    return x.T @ torch.sign(x @ y - torch.eye(len(x), dtype=x.dtype))


@subgradient.cases
def _square_pairs():
    return [
        case(torch.tensor([[1.0, 2.0], [0.5, 1.0]]), torch.tensor([[1.0, 1.0], [-3.0, 0.75]])),
        case(torch.tensor([[2.0]]), torch.tensor([[3.0]])),
        case(_random(4, 4, 0), _random(4, 4, 1), label="two random 4 × 4 matrices"),
        case(_random(3, 3, 5), _random(3, 3, 6), label="two random 3 × 3 matrices"),
    ]


def _residual(x, y):
    return x @ y - torch.eye(len(x), dtype=x.dtype)


_OTHER_DTYPE = (
    "x may be float64: `torch.zeros` and `torch.eye` make float32, unless told `dtype=x.dtype`."
)


@subgradient.method("That is right, by autograd. Write the formula; autograd is then its check.")
def _by_formula(call):
    return not call.calls_of("run_backward", torch.func.grad)


def _signs(x, y):
    return torch.sign(_residual(x, y))


_mistakes(
    subgradient,
    "X is not transposed. In tr(SᵀX dY), what stands before dY is SᵀX.",
    lambda x, y: x @ _signs(x, y),
    "The order is wrong: dY is multiplied by X from the left, so Xᵀ is too.",
    lambda x, y: _signs(x, y) @ x.T,
    "That is the transpose of the gradient: dE = tr(Gᵀ dY), not tr(G dY).",
    lambda x, y: _signs(x, y).T @ x,
    "The identity is lost: the signs are those of XY − I, not of XY.",
    lambda x, y: x.T @ torch.sign(x @ y),
    "The 1 is subtracted from every entry. The 1 of a matrix formula is I.",
    lambda x, y: x.T @ torch.sign(x @ y - 1),
    _OTHER_DTYPE,
    lambda x, y: x.T @ torch.sign(x @ y - torch.eye(len(x))).float(),
    "That is the gradient of the squares. The slope of |r| is 1 or −1.",
    lambda x, y: 2 * x.T @ _residual(x, y),
    "That has the errors themselves, where their signs belong.",
    lambda x, y: x.T @ _residual(x, y),
    "Twice too large: the 2 comes from the square of an error, and |r| has none.",
    lambda x, y: 2 * x.T @ _signs(x, y),
    "That goes uphill for a positive error: the slope of |r| is its own sign.",
    lambda x, y: -x.T @ _signs(x, y),
    "Those are the signs alone. How does a change of Y change XY?",
    lambda x, y: _signs(x, y),
)


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
    `shrink` if it did not. `values` are the values of f as Python numbers, from the start to the
    end, so one more than `steps`. Leave the caller's y as it is.

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


def _adaptive(better, sign=-1.0, last=True):
    def wrong(f, gradient, y, grow, shrink, moves):
        step, values, steps = 0.01, [f(y).item()], []
        for _ in range(moves):
            y = y + sign * step * gradient(y)
            values.append(f(y).item())
            steps.append(step)
            step *= grow if better(values) else shrink
        return y, (values if last else values[:-1]), steps

    return wrong


_mistakes(
    adaptive_descent,
    "`grow` belongs to a value that fell.",
    _adaptive(lambda v: v[-1] > v[-2]),
    "A value that stays the same did not fall: the step shrinks there.",
    _adaptive(lambda v: v[-1] <= v[-2]),
    "Compare with the value before the move, not with the lowest of all.",
    _adaptive(lambda v: v[-1] < min(v[:-1])),
    "That goes uphill: y − step·G.",
    _adaptive(lambda v: v[-1] < v[-2], sign=1.0),
    "Compare with the value before.",
    _adaptive(lambda v: v[-1] < v[0]),
    "One value is missing: there are moves + 1 of them, the start and the end included.",
    _adaptive(lambda v: v[-1] < v[-2], last=False),
)


@adaptive_descent.mistake("1.2 and 0.5 are written into it: use `grow` and `shrink`.")
def _own_factors(f, gradient, y, grow, shrink, moves):
    return adaptive_descent.reference(f, gradient, y, 1.2, 0.5, moves)


@adaptive_descent.mistake(
    "A step that failed is taken back there. Here it stays, and only shrinks."
)
def _takes_back(f, gradient, y, grow, shrink, moves):
    step, values, steps = 0.01, [f(y).item()], []
    for _ in range(moves):
        new = y - step * gradient(y)
        steps.append(step)
        if f(new).item() < values[-1]:
            y, step = new, step * grow
        else:
            step *= shrink
        values.append(f(y).item())
    return y, values, steps


@adaptive_descent.mistake("`steps` holds each step as it was taken: note it before you change it.")
def _noted_late(f, gradient, y, grow, shrink, moves):
    y, values, steps = adaptive_descent.reference(f, gradient, y, grow, shrink, moves)
    factors = [grow if new < old else shrink for old, new in zip(values, values[1:], strict=False)]
    return y, values, [step * factor for step, factor in zip(steps, factors, strict=True)]


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
    and `best` are numbers, `gradient` is a tensor that is not zero. Where `value` is below `best`,
    the step is negative. Return a Python float.

    Examples
    --------
    >>> polyak_step(10.0, torch.tensor([[3.0, 0.0], [0.0, 4.0]]), best=5.0)
    0.2
    """
    return (value - best) / gradient.square().sum().item()


@polyak_step.cases
def _polyak():
    return [
        case(10.0, torch.tensor([[3.0, 0.0], [0.0, 4.0]]), 5.0),
        case(6.0, _random(3, 3, 0), 0.0),
        case(2.5, _random(5, 1, 1), -1.5),
        case(1.0, torch.tensor([2.0]), 1.0),
        case(1.0, torch.tensor([2.0]), 3.0),
    ]


_mistakes(
    polyak_step,
    "`best` is lost: the prediction has to fall by value − best.",
    lambda value, gradient, best: value / gradient.square().sum().item(),
    "That divides by the length of the gradient. The prediction has its square.",
    lambda value, gradient, best: (value - best) / gradient.norm().item(),
    "That is the mean of the squares: add them up.",
    lambda value, gradient, best: (value - best) / gradient.square().mean().item(),
    "Half of it: the prediction is a straight line, without a 2.",
    lambda value, gradient, best: (value - best) / (2 * gradient.square().sum().item()),
    "The sign is wrong: the step is positive above the least value.",
    lambda value, gradient, best: (best - value) / gradient.square().sum().item(),
    "The sign is lost: below `best` the prediction meets it at a negative step.",
    lambda value, gradient, best: abs(value - best) / gradient.square().sum().item(),
    "Below `best` the step is negative, not 0: there the prediction meets it.",
    lambda value, gradient, best: max(value - best, 0.0) / gradient.square().sum().item(),
)


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
        case([4.0], 1),
    ]


def _inverted(values, patience):
    return not should_stop.reference(values, patience)


_mistakes(
    should_stop,
    "It stops at the first rise. The adaptive step makes rises on purpose: look further back.",
    lambda v, patience: len(v) > 1 and v[-1] >= v[-2],
    "It compares with the value `patience` steps ago. The lowest value may be older than that.",
    lambda v, patience: len(v) > patience and min(v[-patience:]) >= v[-patience - 1],
    "Only the newest value is looked at: a new lowest one may stand before it.",
    lambda v, patience: len(v) > patience and v[-1] >= min(v[:-patience]),
    "Equal is not lower: a value that only equals the lowest one brought nothing.",
    lambda v, patience: len(v) > patience and min(v[-patience:]) > min(v[:-patience]),
    "It has to wait for more than `patience` values before it may answer True.",
    lambda v, patience: len(v) - 1 - v.index(min(v)) >= patience or len(v) <= patience,
    "It answers the other way round: True should mean stop.",
    _inverted,
)


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


@best_fixed_step.cases
def _matrices():
    return [
        case(torch.tensor([[3.0, 0.0], [0.0, 1.0]])),
        case(torch.tensor([[0.0, 4.0], [-2.0, 0.0]])),
        case(_random(4, 4, 2), label="a random 4 × 4 matrix"),
        case(_random(3, 3, 7), label="a random 3 × 3 matrix"),
    ]


def _of_singular_values(step):
    def wrong(x):
        sigma = torch.linalg.svdvals(x)
        return step(sigma.max().item(), sigma.min().item())

    return wrong


def _eigenvalues(x):
    size = torch.linalg.eigvals(x).abs()
    return 1 / (size.max() ** 2 + size.min() ** 2).item()


_mistakes(
    best_fixed_step,
    "That is the bound above which descent diverges. Its rate is 1.",
    _of_singular_values(lambda high, low: 1 / high**2),
    "Then the steepest direction is done in one step, and the flattest crawls.",
    _of_singular_values(lambda high, low: 0.5 / high**2),
    "Then the flattest direction is done in one step, and the others explode.",
    _of_singular_values(lambda high, low: 0.5 / low**2),
    "Twice too large: the factor is 1 − 2ασ², with a 2 in it.",
    _of_singular_values(lambda high, low: 2 / (high**2 + low**2)),
    "The squares are lost: the factor is 1 − 2ασ².",
    _of_singular_values(lambda high, low: 1 / (high + low)),
    "That adds the squares of all singular values. Only two of them matter.",
    lambda x: 1 / x.square().sum().item(),
    "Those are eigenvalues. A step has to do with singular values.",
    _eigenvalues,
)


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
    """Return how many iterations the best fixed step needs, as the next whole number.

    `kappa` is the condition number, larger than 1. The error along the slowest direction has to
    shrink to `shrinkage` times its start, or less: 0.001, say. Return an int.

    Examples
    --------
    >>> predicted_iterations(2.0, 0.1)
    5
    """
    rate = (kappa**2 - 1) / (kappa**2 + 1)
    return int(np.ceil(np.log(shrinkage) / np.log(rate)))


@predicted_iterations.cases
def _predictions():
    return [case(2.0, 0.1), case(12.0, 1e-3), case(3.0, 0.5), case(100.0, 1e-6), case(1.5, 1e-4)]


def _count(k, s, rate=lambda k: (k**2 - 1) / (k**2 + 1)):
    return math.log(s) / math.log(rate(k))


_mistakes(
    predicted_iterations,
    "The curvatures are 2σ², so their ratio is κ², not κ.",
    lambda k, s: math.ceil(_count(k, s, lambda k: (k - 1) / (k + 1))),
    "That is the rate when the steepest direction is done in one step. Here the step is best.",
    lambda k, s: math.ceil(_count(k, s, lambda k: 1 - 1 / k**2)),
    "One too few: round up, the error has to be as small as that or smaller.",
    lambda k, s: math.floor(_count(k, s)),
    "Iterations are whole: round up to an int.",
    _count,
    "Twice too many: `shrinkage` belongs to the error, not to its square.",
    lambda k, s: math.ceil(2 * _count(k, s)),
    "κ²/2 · ln(1/s) is what the count tends to for a large κ. For a small one it is too many.",
    lambda k, s: math.ceil(k**2 / 2 * math.log(1 / s)),
)


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


@newton_schulz.cases
def _to_invert():
    return [
        case(torch.tensor([[2.0, 0.0], [0.0, 1.0]]), 1e-3),
        case(torch.tensor([[4.0]], dtype=torch.float64), 1e-3),
        case(torch.tensor([[1.0, 2.0], [0.0, 1.0]], dtype=torch.float64), 1e-6),
        case(torch.diag(torch.tensor([2.0, 1, 1, 1, 1, 1], dtype=torch.float64)), 3e-4),
        case(_random(4, 4, 3), 1e-3, label="a random 4 × 4 matrix"),
        case(_random(6, 6, 4), 1e-8, label="a random 6 × 6 matrix"),
        case(
            torch.tensor([[1.0, 1.0], [1.0, 1.0]], dtype=torch.float64),
            1e-3,
            label="a matrix without an inverse: 100 iterations",
        ),
    ]


def _schulz(begin=None, move=None, far=None, most=100):
    """Make the iteration with one piece of it put wrong."""
    begin = begin or (lambda x: x.T / (x.abs().sum(0).max() * x.abs().sum(1).max()))
    move = move or (lambda x, y, eye: y @ (2 * eye - x @ y))
    far = far or (lambda r: r.abs().sum())

    def wrong(x, goal):
        y, count, eye = begin(x), 0, torch.eye(len(x), dtype=x.dtype)
        while far(x @ y - eye) >= goal and count < most:
            y, count = move(x, y, eye), count + 1
        return y, count

    return wrong


def _nan_goes_on(move):
    """Put one move wrong, in a loop that runs on when the residual has become NaN."""
    return _schulz(move=move, far=lambda r: torch.nan_to_num(r, nan=1e30).abs().sum())


def _one_too_many(x, goal):
    y, iterations = newton_schulz.reference(x, goal)
    return y @ (2 * torch.eye(len(x), dtype=x.dtype) - x @ y), iterations + 1


_mistakes(
    newton_schulz,
    "`*` multiplies entry by entry: use `@`.",
    _schulz(move=lambda x, y, eye: y * (2 * eye - x @ y)),
    "`*` multiplies entry by entry: use `@`.",
    _nan_goes_on(lambda x, y, eye: y * (2 * eye - x @ y)),
    "`*` multiplies entry by entry: use `@` inside the bracket too.",
    _schulz(move=lambda x, y, eye: y @ (2 * eye - x * y)),
    "`*` multiplies entry by entry: use `@` inside the bracket too.",
    _nan_goes_on(lambda x, y, eye: y @ (2 * eye - x * y)),
    "The order counts: Y (2I − XY), with the bracket on the right.",
    _schulz(move=lambda x, y, eye: (2 * eye - x @ y) @ y),
    "The order counts: Y (2I − XY), with the bracket on the right.",
    _nan_goes_on(lambda x, y, eye: (2 * eye - x @ y) @ y),
    "`*` multiplies entry by entry: use `@`, twice.",
    _schulz(move=lambda x, y, eye: y * (2 * eye - x * y)),
    "Where the goal is never reached, the count is 100; yours is 99.",
    _schulz(most=99),
    "Where the goal is never reached, the count is 100; yours is 101.",
    _schulz(most=101),
    "2 − XY subtracts from every entry. The 2 of a matrix formula is 2I.",
    _schulz(move=lambda x, y, eye: y @ (2 - x @ y)),
    "One iteration too many: test before you iterate.",
    _one_too_many,
    "That is the inverse of linear algebra: iterate, and count.",
    lambda x, goal: (torch.linalg.pinv(x), 1),
    "The start is Xᵀ, transposed: without it the iteration may run away.",
    _schulz(begin=lambda x: x / (x.abs().sum(0).max() * x.abs().sum(1).max())),
    "The sums of the start are of absolute values: signs cancel, and it may begin too far.",
    _schulz(begin=lambda x: x.T / (x.sum(0).max() * x.sum(1).max())),
    "The test adds up signed errors, which cancel: it is the sum of absolute values.",
    _schulz(far=lambda r: r.sum().abs()),
    "The test adds up squares. It is the sum of absolute values.",
    _schulz(far=lambda r: r.square().sum()),
    "The test takes the length of XY − I. It is the sum of absolute values.",
    _schulz(far=lambda r: r.norm()),
)


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
    aims too low. The answer may be off by 1e-4.
    """
    identity = torch.eye(len(x), dtype=x.dtype)
    result = descend(
        lambda y: (x @ y - identity).square().sum(),
        x.new_zeros(x.shape[1], x.shape[0]),
        # The minimum is not 0, so a target for the value would never be reached.
        stop_when=lambda y, value, gradient: gradient.abs().max() < 1e-7,
    )
    return result.iterate


@pseudo_inverse.cases
def _tall():
    narrow = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
    return [
        case(narrow),
        case(torch.tensor([[1.0], [0.5]], dtype=torch.float64)),
        case(torch.tensor([[2.0, 0.0], [0.0, 0.1], [0.0, 0.0]], dtype=torch.float64)),
        case(_random(6, 3, 5), label="a random 6 × 3 matrix"),
    ]


def _square_part(x):
    square, below = x[: x.shape[1]], x[x.shape[1] :]
    return torch.cat([torch.linalg.pinv(square), torch.zeros_like(below.T)], 1)


def _stopped(after, dtype=torch.float64):
    def wrong(x):
        identity = torch.eye(len(x), dtype=x.dtype)
        start = torch.zeros(x.shape[1], x.shape[0], dtype=dtype)
        f = lambda y: (x @ y - identity).square().sum()  # noqa: E731
        return descend(f, start, max_iterations=after).iterate

    return wrong


_mistakes(
    pseudo_inverse,
    "Yours is the transpose of X, which is where a first step from 0 leads.",
    lambda x: x.T.clone(),
    "That leaves the last rows of X out: it inverts the square part at the top alone.",
    _square_part,
    "The descent was too short: let the gradient say when to stop.",
    _stopped(5),
    "Enough for some, and too short for the matrix with the condition number 20, as κ² says: "
    "let the gradient say when to stop, not a count.",
    _stopped(100),
    "The descent has not moved from its start at 0: why did it stop?",
    _stopped(0),
    _OTHER_DTYPE,
    _stopped(0, dtype=torch.float32),
)


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
    step = random.choice((0.25, 0.5, 0.75)) / large**2
    factors = [1 - 2 * step * sigma**2 for sigma in (small, large)]
    return Problem(
        f"X has the singular values {small} and {large}. Descent on the squares takes the fixed "
        f"step {step:.6g}. By which factor does the slowest error shrink in each iteration?",
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
        answer=residual ** (2**steps),
        why=f"It is squared {steps} times: {residual} to the power {2**steps}.",
        tolerance=Tolerance(relative=1e-2, absolute=0.0),
    )
