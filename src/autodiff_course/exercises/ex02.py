"""Exercises of notebook 02, forward and reverse mode: tangents, adjoints, and which to carry."""

from __future__ import annotations

from .framework import case, exercise

__all__ = [
    "cheaper_mode",
    "divide_duals",
    "find_transposed",
    "matmul_vjp",
]


# 1. A rule for dual numbers


@exercise
def divide_duals(x, x_tangent, y, y_tangent):
    """Divide two dual numbers: return the value and the tangent of x / y.

    Examples
    --------
    >>> divide_duals(6.0, 1.0, 2.0, 0.0)
    (3.0, 0.5)
    """
    value = x / y
    return value, x_tangent / y - value / y * y_tangent


@divide_duals.cases
def _duals():
    return [
        case(6.0, 1.0, 2.0, 0.5),
        case(6.0, 1.0, 2.0, 0.0),
        case(1.0, 0.0, -4.0, 1.0),
        case(-3.0, 2.0, 0.5, -1.5),
        case(0.0, 1.0, 5.0, 1.0),
    ]


@divide_duals.mistake("The tangents are not divided by each other: each has a local derivative.")
def _tangents_divided(x, x_tangent, y, y_tangent):
    return x / y, x_tangent / y_tangent


@divide_duals.mistake("The minus sign is lost: x / y shrinks when a positive y grows.")
def _no_minus(x, x_tangent, y, y_tangent):
    return x / y, x_tangent / y + x / y**2 * y_tangent


@divide_duals.mistake("What arrives from y is lost: add what arrives from x and from y.")
def _only_from_x(x, x_tangent, y, y_tangent):
    return x / y, x_tangent / y


@divide_duals.mistake("What arrives from x is lost: add what arrives from x and from y.")
def _only_from_y(x, x_tangent, y, y_tangent):
    return x / y, -x / y**2 * y_tangent


@divide_duals.mistake("That is the rule of the product x·y.")
def _product(x, x_tangent, y, y_tangent):
    return x * y, x_tangent * y + x * y_tangent


divide_duals.add_hints(
    "The local derivatives of x / y are 1 / y and -x / y².",
    "Multiply each local derivative with the tangent of its operand, and add the two.",
)


# 2. Which mode is cheaper


@exercise
def cheaper_mode(inputs, outputs):
    """Return "forward" or "reverse": which needs fewer sweeps for the whole Jacobian.

    With as many inputs as outputs, return "forward", which need not remember the computation.

    Examples
    --------
    >>> cheaper_mode(inputs=1, outputs=50)
    'forward'
    """
    return "forward" if inputs <= outputs else "reverse"


@cheaper_mode.cases
def _shapes():
    return [case(10_000, 1), case(1, 50), case(3, 3), case(1, 1), case(7, 6), case(6, 7)]


@cheaper_mode.mistake(
    "It is the other way round: forward mode needs a sweep per input, reverse mode one per output."
)
def _swapped(inputs, outputs):
    return "reverse" if inputs < outputs else "forward"


@cheaper_mode.mistake("Reverse mode is the habit, but with few inputs forward mode needs less.")
def _always_reverse(inputs, outputs):
    return "reverse"


@cheaper_mode.mistake("With many inputs forward mode needs many sweeps.")
def _always_forward(inputs, outputs):
    return "forward"


@cheaper_mode.mistake("With as many inputs as outputs the sweeps are equally many: say forward.")
def _reverse_on_a_tie(inputs, outputs):
    return "forward" if inputs < outputs else "reverse"


cheaper_mode.add_hints(
    "How many sweeps does forward mode need, how many does reverse mode need?",
    "Forward: one per input. Reverse: one per output. Compare the two numbers.",
)


# 3. The transposed Jacobian


@exercise(needs="torch", seconds=20.0)
def find_transposed(f, x, candidates):
    """Return the index of the one candidate that is the transposed Jacobian of f at x.

    The Jacobian has a row per output and a column per input. All other candidates are right.

    Examples
    --------
    >>> import torch
    >>> x = torch.tensor([1.0, 2.0])
    >>> right = torch.tensor([[2.0, 1.0], [0.0, 4.0]])
    >>> find_transposed(lambda x: torch.stack([x[0] * x[1], x[1] ** 2]), x, [right, right.T])
    1
    """
    import torch

    jacobian = torch.func.jacrev(f)(x)
    for index, candidate in enumerate(candidates):
        if not torch.allclose(candidate, jacobian):
            return index
    return None


def _two_by_two(x):
    import torch

    return torch.stack([x[0] * x[1], x[1] ** 2])


def _three_by_three(x):
    import torch

    return torch.stack([x[0].sin(), x[0] * x[1] * x[2], x[2].exp() + x[0]])


def _candidates(f, values, transposed, count):
    import torch

    x = torch.tensor(values)
    right = torch.func.jacrev(f)(x)
    given = [right.T.clone() if index == transposed else right.clone() for index in range(count)]
    return case(f, x, given, label=f"{f.__name__.strip('_')} at {values}, {count} candidates")


@find_transposed.cases
def _jacobians():
    return [
        _candidates(_two_by_two, [1.0, 2.0], transposed=1, count=3),
        _candidates(_two_by_two, [-0.5, 3.0], transposed=0, count=2),
        _candidates(_three_by_three, [0.3, -1.0, 2.0], transposed=3, count=4),
    ]


@find_transposed.mistake("That is a right one: its row i holds the derivatives of output i.")
def _a_right_one(f, x, candidates):
    import torch

    jacobian = torch.func.jacrev(f)(x)
    return next(i for i, given in enumerate(candidates) if torch.allclose(given, jacobian))


@find_transposed.mistake("These Jacobians are square: their shapes cannot tell them apart.")
def _by_shape(f, x, candidates):
    outputs, inputs = f(x).numel(), x.numel()
    wrong = (i for i, given in enumerate(candidates) if given.shape != (outputs, inputs))
    return next(wrong, None)


@find_transposed.mistake("The answer is an index, not the matrix itself.")
def _the_matrix(f, x, candidates):
    return candidates[find_transposed.reference(f, x, candidates)]


find_transposed.add_hints(
    "You need the truth to compare with: one call of torch.func.jacrev or jacfwd, or a few JVPs.",
    "For any v, a right candidate times v is the JVP of f at x in the direction v.",
)


# 4. The VJP of a matrix product


@exercise(needs="torch", seconds=10.0)
def matmul_vjp(A, B, adjoint):
    """Return the adjoints of A and B, given the adjoint of C = A @ B (a tensor of C's shape).

    Examples
    --------
    >>> import torch
    >>> A, B = torch.ones(2, 3), torch.ones(3, 4)
    >>> [tuple(t.shape) for t in matmul_vjp(A, B, torch.ones(2, 4))]
    [(2, 3), (3, 4)]
    """
    return adjoint @ B.T, A.T @ adjoint


@matmul_vjp.cases
def _products():
    import torch

    generator = torch.Generator().manual_seed(0)
    cases = []
    for m, n, p in ((2, 3, 4), (3, 1, 2), (3, 3, 3)):
        shapes = ((m, n), (n, p), (m, p))
        tensors = [torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes]
        cases.append(case(*tensors, label=f"A of shape {shapes[0]}, B of shape {shapes[1]}"))
    return cases


@matmul_vjp.mistake(
    "The factors are not transposed. A shape error, or for square matrices a wrong number, is the "
    "sign: the adjoint of A must have A's shape."
)
def _not_transposed(A, B, adjoint):
    return adjoint @ B, A @ adjoint


@matmul_vjp.mistake("The two are swapped: the adjoint of A comes first.")
def _b_first(A, B, adjoint):
    return A.T @ adjoint, adjoint @ B.T


@matmul_vjp.mistake("Matrices do not commute: the adjoint stands left of Bᵀ and right of Aᵀ.")
def _wrong_sides(A, B, adjoint):
    return B.T @ adjoint, adjoint @ A.T


@matmul_vjp.mistake("Each result is transposed: the adjoint of A must have A's shape.")
def _results_transposed(A, B, adjoint):
    return B @ adjoint.T, adjoint.T @ A


matmul_vjp.add_hints(
    "Write out one entry: C[i, k] is the sum over j of A[i, j] · B[j, k]. Who uses A[i, j]?",
    "A[i, j] is used by C[i, k] for every k, with the local derivative B[j, k]. Add over k.",
    "The sum over k of adjoint[i, k] · B[j, k] is one entry of adjoint @ B.T.",
)
