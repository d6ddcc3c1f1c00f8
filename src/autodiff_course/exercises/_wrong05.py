"""Typical wrong answers to the exercises of notebook 05, and what is said of each."""

from __future__ import annotations

import math

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

# subgradient


def _residual(x, y):
    return x @ y - torch.eye(len(x), dtype=x.dtype)


_OTHER_DTYPE = (
    "x may be float64: `torch.zeros` and `torch.eye` make float32, unless told `dtype=x.dtype`."
)


def _signs(x, y):
    return torch.sign(_residual(x, y))


subgradient.add_mistakes(
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
    "Those are the sizes of the errors. The slope of |r| is the sign of r.",
    lambda x, y: x.T @ _residual(x, y).abs(),
    "That is E itself, one number. Its gradient is a matrix as large as Y.",
    lambda x, y: _residual(x, y).abs().sum(),
    "R / |R| is 0 / 0 where an error is exactly 0: take 0 there.",
    lambda x, y: x.T @ (_residual(x, y) / _residual(x, y).abs()),
    "Where an error is exactly 0, take 0, neither 1 nor −1.",
    lambda x, y: x.T @ (1 - 2 * (_residual(x, y) <= 0).to(x.dtype)),
    "Where an error is exactly 0, take 0, neither 1 nor −1.",
    lambda x, y: x.T @ (1 - 2 * (_residual(x, y) < 0).to(x.dtype)),
)


# adaptive_descent


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


adaptive_descent.add_mistakes(
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


@adaptive_descent.mistake("The order is (y, values, steps); yours has the last two swapped.")
def _swapped(f, gradient, y, grow, shrink, moves):
    y, values, steps = adaptive_descent.reference(f, gradient, y, grow, shrink, moves)
    return y, steps, values


@adaptive_descent.mistake("The value at the start is missing: there are moves + 1 of them.")
def _without_start(f, gradient, y, grow, shrink, moves):
    y, values, steps = adaptive_descent.reference(f, gradient, y, grow, shrink, moves)
    return y, values[1:], steps


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


polyak_step.add_mistakes(
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


# should_stop


def _inverted(values, patience):
    return not should_stop.reference(values, patience)


def _once(values, patience):
    return any(should_stop.reference(values[:k], patience) for k in range(len(values) + 1))


def _all_rise(values, patience):
    pairs = list(zip(values, values[1:], strict=False))[-patience:]
    return len(values) > patience and all(new >= old for old, new in pairs)


should_stop.add_mistakes(
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
    "That drought is over: only the last `patience` values count.",
    _once,
    "It asks for `patience` rises in a row. A value may fall and still be above the lowest.",
    _all_rise,
)


# best_fixed_step


def _of_singular_values(step):
    def wrong(x):
        sigma = torch.linalg.svdvals(x)
        return step(sigma.max().item(), sigma.min().item())

    return wrong


def _eigenvalues(x):
    size = torch.linalg.eigvals(x).abs()
    return 1 / (size.max() ** 2 + size.min() ** 2).item()


best_fixed_step.add_mistakes(
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


# predicted_iterations


def _count(k, s, rate=lambda k: (k**2 - 1) / (k**2 + 1)):
    return math.log(s) / math.log(rate(k))


predicted_iterations.add_mistakes(
    "The curvatures are 2σ², so their ratio is κ², not κ.",
    lambda k, s: math.ceil(_count(k, s, lambda k: (k - 1) / (k + 1))),
    "That is the rate when the steepest direction is done in one step. Here the step is best.",
    lambda k, s: math.ceil(_count(k, s, lambda k: 1 - 1 / k**2)),
    "One too few: round up, the error has to be as small as that or smaller.",
    lambda k, s: math.floor(_count(k, s)),
    "One too many where the count is whole already, as for κ = 3 and 0.8: round up, do not add 1.",
    lambda k, s: math.floor(_count(k, s)) + 1,
    "Iterations are whole: round up to an int.",
    _count,
    "Twice too many: `shrinkage` belongs to the error, not to its square.",
    lambda k, s: math.ceil(2 * _count(k, s)),
    "A count is positive: `shrinkage` and the rate are both below 1, so both logarithms are "
    "negative. Turn neither of them round.",
    lambda k, s: math.ceil(-_count(k, s)),
    "κ²/2 · ln(1/s) is what the count tends to for a large κ. For a small one it is too many.",
    lambda k, s: math.ceil(k**2 / 2 * math.log(1 / s)),
)


# newton_schulz


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


newton_schulz.add_mistakes(
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
    "The test takes the largest entry of XY − I. It is the sum of absolute values.",
    _schulz(far=lambda r: r.abs().max()),
    "The test takes the length of XY − I. It is the sum of absolute values.",
    _schulz(far=lambda r: r.norm()),
)


# pseudo_inverse


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


pseudo_inverse.add_mistakes(
    "Yours is the transpose of X, which is where a first step from 0 leads.",
    lambda x: x.T.clone(),
    "That leaves the last rows of X out: it inverts the square part at the top alone.",
    _square_part,
    "The descent was too short: let the gradient say when to stop.",
    _stopped(5),
    "Enough for some, and too short for the matrix with the condition number 10, as κ² says: "
    "let the gradient say when to stop, not a count.",
    _stopped(100),
    "The best that this descent found is its start at 0. Print its `.reason`: after 'not finite' "
    "the step was too long for this X, and section 7 has one that fits.",
    _stopped(0),
    _OTHER_DTYPE,
    _stopped(0, dtype=torch.float32),
)
