"""Exercises of notebook 05, a matrix inverse by descent: from a gradient to a new problem."""

from __future__ import annotations

import torch

from autodiff_course.descent import descend

from .comparing import Tolerance
from .framework import case, exercise

__all__ = ["gradient_of_squares", "largest_fixed_step", "pseudo_inverse", "should_stop"]


def _random(rows, columns, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, columns, generator=generator, dtype=torch.float64)


# 1. The gradient of the squared error


@exercise(uses="import torch")
def gradient_of_squares(x, y):
    """Return the gradient of ‖XY − I‖² (the sum of the squared entries) with respect to Y.

    Both are square tensors. Write the formula that you derived; leave autograd out of it.

    Examples
    --------
    >>> gradient_of_squares(torch.tensor([[2.0]]), torch.tensor([[3.0]]))
    tensor([[20.]])
    """
    identity = torch.eye(len(x), dtype=x.dtype)
    return 2 * x.T @ (x @ y - identity)


@gradient_of_squares.cases
def _square_pairs():
    return [
        case(torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[1.0, 1.0], [3.0, 0.0]])),
        case(torch.tensor([[2.0]]), torch.tensor([[3.0]])),
        case(_random(4, 4, 0), _random(4, 4, 1), label="two random 4 × 4 matrices"),
        case(torch.eye(3), torch.eye(3), label="X = Y = I, where the gradient is 0"),
    ]


@gradient_of_squares.mistake("The factor 2 is lost: the derivative of a square r² is 2r.")
def _no_two(x, y):
    return gradient_of_squares.reference(x, y) / 2


@gradient_of_squares.mistake("X is not transposed. In tr(RᵀX dY), what stands before dY is RᵀX.")
def _not_transposed(x, y):
    return 2 * x @ (x @ y - torch.eye(len(x), dtype=x.dtype))


@gradient_of_squares.mistake(
    "The order is wrong: dY is multiplied by X from the left, so Xᵀ stands on the left too."
)
def _other_side(x, y):
    return 2 * (x @ y - torch.eye(len(x), dtype=x.dtype)) @ x.T


@gradient_of_squares.mistake(
    "That is the transpose of the gradient: d(E) = tr(Gᵀ dY), not tr(G dY)."
)
def _transposed(x, y):
    return gradient_of_squares.reference(x, y).T


@gradient_of_squares.mistake("The identity is lost: differentiate the square of XY − I, not of XY.")
def _no_identity(x, y):
    return 2 * x.T @ x @ y


@gradient_of_squares.mistake("That is the gradient of the sum of absolute values.")
def _of_absolute_values(x, y):
    return x.T @ torch.sign(x @ y - torch.eye(len(x), dtype=x.dtype))


@gradient_of_squares.mistake("That is the gradient with respect to X. Here Y is the variable.")
def _with_respect_to_x(x, y):
    return 2 * (x @ y - torch.eye(len(x), dtype=x.dtype)) @ y.T


gradient_of_squares.add_hints(
    "Write R = XY − I. Then E = tr(RᵀR), and a small change of Y changes R by X dY.",
    "dE = 2 tr(Rᵀ dR) = 2 tr(Rᵀ X dY).",
    "The gradient G is defined by dE = tr(Gᵀ dY). Compare: Gᵀ = 2RᵀX.",
)


# 2. A stop rule for a value that may rise


@exercise
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


@should_stop.mistake(
    "It stops at the first rise. The adaptive step makes rises on purpose: look further back."
)
def _first_rise(values, patience):
    return len(values) > 1 and values[-1] >= values[-2]


@should_stop.mistake(
    "It compares with the value `patience` steps ago. The lowest value may be older than that."
)
def _one_value_ago(values, patience):
    return len(values) > patience and min(values[-patience:]) >= values[-patience - 1]


@should_stop.mistake("Only the newest value is looked at: a new lowest one may stand before it.")
def _newest_only(values, patience):
    return len(values) > patience and values[-1] >= min(values[:-patience])


@should_stop.mistake("Equal is not lower: a value that only equals the lowest one brought nothing.")
def _strict(values, patience):
    return len(values) > patience and min(values[-patience:]) > min(values[:-patience])


@should_stop.mistake("It has to wait for more than `patience` values before it may answer True.")
def _too_early(values, patience):
    lowest = values.index(min(values))
    return len(values) - 1 - lowest >= patience or len(values) <= patience


@should_stop.mistake("It answers the other way round: True should mean stop.")
def _inverted(values, patience):
    return not should_stop.reference(values, patience)


should_stop.add_hints(
    "Cut the list in two: the last `patience` values, and all that came before.",
    "`values[-patience:]` are the last ones and `values[:-patience]` the others. Compare their "
    "lowest values.",
)


# 3. The step beyond which a fixed step diverges


@exercise(tolerance=Tolerance(relative=1e-5))
def largest_fixed_step(x):
    """Return the α below which descent with a fixed step on ‖XY − I‖² converges from any start.

    `x` is an invertible tensor. Return a float.

    Examples
    --------
    >>> round(largest_fixed_step(torch.tensor([[3.0, 0.0], [0.0, 0.5]])), 6)
    0.111111
    """
    largest_singular_value = torch.linalg.matrix_norm(x, ord=2).item()
    return 1 / largest_singular_value**2


@largest_fixed_step.cases
def _matrices():
    return [
        case(torch.tensor([[3.0, 0.0], [0.0, 0.5]])),
        case(torch.tensor([[0.0, 4.0], [-2.0, 0.0]])),
        case(_random(4, 4, 2), label="a random 4 × 4 matrix"),
    ]


@largest_fixed_step.mistake(
    "Twice too large: the second derivative of the square r² is 2, so the largest curvature is 2σ²."
)
def _twice(x):
    return 2 * largest_fixed_step.reference(x)


@largest_fixed_step.mistake("Half as large as it may be: an error may be overshot by its own size.")
def _half(x):
    return largest_fixed_step.reference(x) / 2


@largest_fixed_step.mistake("The square is lost: X enters the gradient twice, so σ does too.")
def _no_square(x):
    return 1 / torch.linalg.matrix_norm(x, ord=2).item()


@largest_fixed_step.mistake(
    "That uses the smallest singular value. The steepest direction diverges first."
)
def _smallest(x):
    return 1 / torch.linalg.matrix_norm(x, ord=-2).item() ** 2


@largest_fixed_step.mistake(
    "That is the Frobenius norm, which counts all singular values. Only the largest one matters."
)
def _frobenius(x):
    return 1 / torch.linalg.matrix_norm(x).item() ** 2


@largest_fixed_step.mistake(
    "Those are eigenvalues. They agree with singular values for symmetric matrices only."
)
def _eigenvalue(x):
    return 1 / torch.linalg.eigvals(x).abs().max().item() ** 2


largest_fixed_step.add_hints(
    "With one number x instead of a matrix, the gradient is 2x(xy − 1). What does one step do to "
    "the error y − 1/x?",
    "A step multiplies the error by 1 − 2αx². When is that between −1 and 1?",
    "For a matrix, the errors along the singular vectors are multiplied by 1 − 2ασ² each. "
    "`torch.linalg.matrix_norm(x, ord=2)` is the largest σ.",
)


# 4. The pseudo-inverse of a tall matrix


@exercise(
    seconds=30.0,
    tolerance=Tolerance(relative=1e-4, absolute=1e-4),
    uses="import torch\nfrom autodiff_course.descent import descend",
)
def pseudo_inverse(x):
    """Return the Y that minimises ‖XY − I‖², found by `descend`, for a tall matrix X.

    `x` has more rows than columns, and its columns are independent. The answer may be off by 1e-4.
    """
    identity = torch.eye(len(x), dtype=x.dtype)
    result = descend(
        lambda y: (x @ y - identity).square().sum(),
        x.new_zeros(x.shape[1], x.shape[0]),
        # The minimum is not 0, so a target for the value would never be reached.
        stop_when=lambda y, value, gradient: gradient.abs().max() < 1e-6,
    )
    return result.iterate


@pseudo_inverse.cases
def _tall():
    narrow = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
    return [
        case(narrow),
        case(torch.tensor([[3.0], [4.0]], dtype=torch.float64)),
        case(_random(6, 3, 5), label="a random 6 × 3 matrix"),
    ]


@pseudo_inverse.mistake("Yours is the transpose of X, which is where a first step from 0 leads.")
def _only_the_transpose(x):
    return x.T.clone()


@pseudo_inverse.mistake(
    "That leaves the last rows of X out: it inverts the square part at the top alone."
)
def _square_part(x):
    square = x[: x.shape[1]]
    inverse = torch.linalg.pinv(square)
    return torch.cat([inverse, torch.zeros(x.shape[1], len(x) - x.shape[1], dtype=x.dtype)], 1)


@pseudo_inverse.mistake(
    "The descent went on too short: watch the gradient, not the value, whose minimum is not 0."
)
def _first_steps_only(x):
    identity = torch.eye(len(x), dtype=x.dtype)
    start = torch.zeros(x.shape[1], x.shape[0], dtype=x.dtype)
    return descend(lambda y: (x @ y - identity).square().sum(), start, max_iterations=5).iterate


@pseudo_inverse.mistake("The descent has not moved from its start at 0.")
def _start(x):
    return torch.zeros(x.shape[1], x.shape[0], dtype=x.dtype)


@pseudo_inverse.method(
    "This calls a library for the whole exercise. It is right; here the descent is to find it."
)
def _(call):
    library = ("linalg_pinv", "pinverse", "linalg_lstsq", "linalg_inv", "linalg_solve", "inverse")
    return not call.calls_of(*library, "linalg_svd", "linalg_qr")


pseudo_inverse.add_hints(
    "XY is as tall as X: which shape has the identity, and which has Y?",
    "m − n of the rows cannot be met: at the minimum E is m − n, for X of shape (m, n). When is a "
    "minimum reached whose value you do not know?",
    "`stop_when` is given the gradient: `lambda y, value, gradient: gradient.abs().max() < 1e-6`.",
)
