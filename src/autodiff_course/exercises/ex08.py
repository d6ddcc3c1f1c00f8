"""Exercises of notebook 08, sparse Hessians: a pattern by hand, colours, and a Newton step."""

from __future__ import annotations

import numpy as np
import scipy.linalg
import torch
from scipy.sparse.linalg import spsolve

from autodiff_course.sparse import sparse_hessian

from .comparing import Tolerance
from .framework import case, exercise

__all__ = ["active_block", "greedy_colors", "is_recoverable", "newton_step", "pattern_by_hand"]


# 1. A pattern by hand


@exercise(
    minutes=4,
    form="four rows of four zeros and ones",
    insight="An entry needs two variables that meet in one non-linear operation.",
    next_try="Add x₀·x₂ and write down which two entries are new.",
)
def pattern_by_hand():
    """Write the pattern of f(x) = x₀²·x₁ + sin(x₁·x₃) + 5·x₂: four rows of zeros and ones."""
    return [
        [1, 1, 0, 0],
        [1, 1, 0, 1],
        [0, 0, 0, 0],
        [0, 1, 0, 1],
    ]


@pattern_by_hand.mistake(
    "5·x₂ is linear: its second derivative is 0, so row 2 and column 2 are empty."
)
def _linear_counted():
    return [[1, 1, 0, 0], [1, 1, 0, 1], [0, 0, 1, 0], [0, 1, 0, 1]]


@pattern_by_hand.mistake("sin(x₁·x₃) also curves along x₁ and along x₃ alone: see the diagonal.")
def _diagonal_of_sine_lost():
    return [[1, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]]


@pattern_by_hand.mistake("A Hessian is symmetric: entry (i, j) comes with entry (j, i).")
def _upper_half():
    return [[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0], [0, 0, 0, 1]]


@pattern_by_hand.mistake("x₀ and x₃ never meet in one term, though both meet x₁.")
def _neighbours_of_neighbours():
    return [[1, 1, 0, 1], [1, 1, 0, 1], [0, 0, 0, 0], [1, 1, 0, 1]]


pattern_by_hand.add_hints(
    "Which pairs of variables stand together in one term that is not a plain sum?",
    "Differentiate twice: ∂²/∂x₀² of x₀²·x₁ is 2·x₁, and that is not 0 for every x.",
)


# 2. Greedy colours


@exercise(
    minutes=10,
    insight="Columns of one colour do not touch, so one product gives all their entries.",
    next_try="Reverse the order of the columns of the arrowhead. How many colours now?",
)
def greedy_colors(pattern):
    """Colour the columns of a square 0/1 matrix, so that no row meets a colour twice.

    The matrix is a NumPy array: ``pattern[i, j]`` or ``pattern[i][j]``. Return a list or an array.

    Go through the columns in order, and give each the first colour, counted from 0, that no earlier
    column has with which it shares a row.

    Examples
    --------
    >>> greedy_colors(np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]]))
    [0, 1, 2]
    """
    colors = []
    for j in range(len(pattern)):
        taken = {colors[k] for k in range(j) if any(row[j] and row[k] for row in pattern)}
        colors.append(next(c for c in range(len(pattern)) if c not in taken))
    return colors


def _chain(n):
    return np.array([[int(abs(i - j) <= 1) for j in range(n)] for i in range(n)])


def _arrow(n):
    return np.array([[int(i == j or i * j == 0) for j in range(n)] for i in range(n)])


def _symmetric(random, n=6):
    upper = [[int(random.random() < 0.3) for _ in range(n)] for _ in range(n)]
    return np.array([[upper[min(i, j)][max(i, j)] for j in range(n)] for i in range(n)])


@greedy_colors.cases
def _patterns():
    return [
        case(np.array([[1, 0], [0, 1]])),
        case(_chain(6), label="a chain of 6"),
        case(_arrow(5), label="an arrowhead of 5"),
        case(np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]])),
    ]


@greedy_colors.random_cases
def _(random):
    return [case(_symmetric(random)) for _ in range(3)]


@greedy_colors.mistake(
    "Columns are compared only where one has an entry in the other's row. They must also differ if "
    "both have an entry in some third row."
)
def _only_neighbours(pattern):
    colors = []
    for j in range(len(pattern)):
        taken = {colors[k] for k in range(j) if pattern[j][k]}
        colors.append(next(c for c in range(len(pattern)) if c not in taken))
    return colors


@greedy_colors.mistake("Every column got a colour of its own: use an old one where you can.")
def _all_different(pattern):
    return list(range(len(pattern)))


@greedy_colors.mistake("The colours should count from 0.")
def _from_one(pattern):
    return [c + 1 for c in greedy_colors.reference(pattern)]


@greedy_colors.method(
    "This calls the package for the whole exercise. It is right, but here it is yours to write."
)
def _(call):
    return not call.calls_in("autodiff_course.sparse")


greedy_colors.add_hints(
    "Columns j and k share a row if `any(row[j] and row[k] for row in pattern)`.",
    "Collect the colours of all earlier columns that share a row in a set, then count upwards.",
)


# 3. Catch a wrong colouring


@exercise(
    minutes=10,
    insight="Symmetry gives every entry beside the diagonal two chances to be read off.",
    next_try="Find the fewest colours for an arrowhead of 5 that are still enough.",
)
def is_recoverable(pattern, colors):
    """Say whether all entries of a symmetric matrix can be read off: True or False.

    The matrix is given by its pattern, a NumPy array of 0 and 1, and `colors` by an array too.

    Entry (i, j) can be read off row i if no other entry of row i has the colour of column j; and
    since it equals entry (j, i), also off row j in the same way.

    Examples
    --------
    >>> arrow = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 1]])
    >>> is_recoverable(arrow, np.array([0, 1, 1])), is_recoverable(arrow, np.array([0, 0, 1]))
    (True, False)
    """

    def alone(i, j):
        return sum(colors[k] == colors[j] for k, entry in enumerate(pattern[i]) if entry) == 1

    n = len(pattern)
    entries = [(i, j) for i in range(n) for j in range(n) if pattern[i][j]]
    return all(alone(i, j) or alone(j, i) for i, j in entries)


@is_recoverable.cases
def _colorings():
    hub_last = _arrow(4)[::-1, ::-1].copy()
    drawn = [
        ("a chain of 6", _chain(6), [0, 1, 2, 0, 1, 2]),
        ("a chain of 6", _chain(6), [0, 1, 0, 1, 0, 1]),
        ("an arrowhead of 5", _arrow(5), [0, 1, 1, 1, 1]),
        ("an arrowhead of 5", _arrow(5), [0, 0, 1, 2, 3]),
        # Read off row i alone, or off row j alone, this one seems lost.
        ("an arrowhead of 4 with the full row last", hub_last, [0, 0, 0, 1]),
        ("an empty matrix of 2", np.zeros((2, 2), int), [0, 0]),
        ("[[0, 1], [1, 0]]", np.array([[0, 1], [1, 0]]), [0, 0]),
        ("[[1, 1], [1, 0]]", np.array([[1, 1], [1, 0]]), [0, 0]),
    ]
    return [
        case(pattern, np.array(colors), label=f"{name}, colours {' '.join(map(str, colors))}")
        for name, pattern, colors in drawn
    ]


@is_recoverable.random_cases
def _(random):
    drawn = [(_symmetric(random, 4), [random.randrange(3) for _ in range(4)]) for _ in range(6)]
    return [case(pattern, np.array(colors)) for pattern, colors in drawn]


@is_recoverable.mistake("An entry may also be read off its mirror image: try row j too.")
def _own_row_only(pattern, colors):
    return all(
        len({colors[k] for k, entry in enumerate(row) if entry}) == sum(row) for row in pattern
    )


@is_recoverable.mistake("That only asks whether neighbours differ: look for entries that mix.")
def _proper_only(pattern, colors):
    n = len(pattern)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j and pattern[i][j]]
    return all(colors[i] != colors[j] for i, j in pairs)


@is_recoverable.mistake("The diagonal has to be read off too, not only what lies beside it.")
def _without_diagonal(pattern, colors):
    n = len(pattern)
    rows = [[colors[k] for k in range(n) if pattern[i][k]] for i in range(n)]
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j and pattern[i][j]]
    return all(1 in (rows[i].count(colors[j]), rows[j].count(colors[i])) for i, j in pairs)


@is_recoverable.method(
    "This calls the package for the whole exercise. It is right, but here it is yours to write."
)
def _(call):
    return not call.calls_in("autodiff_course.sparse")


is_recoverable.add_hints(
    "Write a helper `alone(i, j)`: how many entries of row i lie in columns of column j's colour?",
    "Each entry needs `alone(i, j) or alone(j, i)`.",
)


# 4. One active weight, or none


@exercise(
    seconds=20.0,
    minutes=5,
    insight="The Hessian of a square of something linear is twice an outer product, of rank one.",
    next_try="Which entries would a dense Hessian in all weights have in vain?",
    uses="import torch",
)
def active_block(x, active):
    """Return the Hessian of ((w ⊙ z)·x − 1)² in the active weights: k rows of k numbers.

    x is a float64 tensor, `active` the list of the k positions where z is 1; z is 0 elsewhere. k
    may be 1 or 0. Return a tensor, or lists.

    Examples
    --------
    >>> active_block(torch.tensor([1.0, 2.0, 3.0]), [0, 2])
    tensor([[ 2.,  6.],
            [ 6., 18.]])
    >>> active_block(torch.tensor([1.0, 2.0, 3.0]), []).shape
    torch.Size([0, 0])
    """
    chosen = x[active]
    return 2 * torch.outer(chosen, chosen)


@active_block.cases
def _masks():
    x = torch.tensor([1.0, 2.0, 3.0, -0.5], dtype=torch.float64)
    return [case(x.clone(), active) for active in ([0, 2], [3], [], [0, 1, 2, 3])]


@active_block.mistake("With one active weight the result should still have one row and one column.")
def _squeezed(x, active):
    return active_block.reference(x, active).squeeze()


@active_block.mistake("Leave out the rows and columns of the inactive weights.")
def _with_zeros(x, active):
    masked = torch.zeros_like(x)
    masked[active] = x[active]
    return 2 * torch.outer(masked, masked)


@active_block.mistake("The factor 2 is lost: the second derivative of r² is 2.")
def _no_two(x, active):
    return active_block.reference(x, active) / 2


active_block.add_hints(
    "The function is a square of something linear in w: what is its second derivative?",
    "By ∂/∂wᵢ comes out 2·(w·x − 1)·xᵢ, and by ∂/∂wⱼ of that 2·xᵢ·xⱼ.",
)


# 5. A Newton step on your own function


@exercise(
    seconds=20.0,
    tolerance=Tolerance(relative=1e-6, absolute=1e-8),
    minutes=8,
    insight="Exact second derivatives cost a handful of gradients here, however many variables.",
    next_try="Call it again and again: on the chain each step gains digits, on the quadratic none.",
    uses="import torch\nfrom scipy.sparse.linalg import spsolve\n"
    "from autodiff_course.sparse import sparse_hessian",
)
def newton_step(f, x):
    """Return x − H⁻¹g, where g is the gradient and H the Hessian of f at x, as a torch tensor.

    x is a float64 tensor of up to 2,000 variables, and every variable meets few others. Use a
    sparse Hessian and a sparse solver: the same lines then serve for a million variables.

    Examples
    --------
    >>> newton_step(lambda x: (x**4).sum(), torch.tensor([3.0], dtype=torch.float64))
    tensor([2.], dtype=torch.float64)
    """
    gradient = torch.func.grad(f)(x)
    step = spsolve(sparse_hessian(f, x), gradient.numpy())
    return x - torch.as_tensor(step)


def _quartic_chain(x):
    return (x**4).sum() + ((x[1:] - x[:-1]) ** 2).sum()


def _quadratic(x):
    return ((x - 2) ** 2).sum() + (x[0] * x[1:]).sum() / len(x)


@newton_step.cases
def _functions():
    def start(n):
        return torch.linspace(1, 2, n, dtype=torch.float64)

    return [
        case(_quadratic, start(4), label="a quadratic function of 4 variables"),
        case(_quartic_chain, start(6), label="a chain of fourth powers, 6 variables"),
        # A dense Hessian of it has 32 MB: slow enough to notice, and harmless.
        case(
            _quartic_chain,
            start(2_000),
            label="a chain of fourth powers, 2,000 variables",
            too_slow="Is a full matrix formed, or solved with?",
        ),
    ]


@newton_step.method(
    "The step is right, but on the way stands a full matrix, of n² numbers. Take `sparse_hessian` "
    "and a sparse solver."
)
def _(call):
    dense = ("linalg_solve", "linalg_inv", "linalg_solve_ex", "linalg_inv_ex", "inverse")
    numpy_too = (np.linalg.solve.__wrapped__, np.linalg.inv.__wrapped__, scipy.linalg.solve)
    return not call.calls_of(*dense, *numpy_too, torch.func.hessian)


@newton_step.method("The step is right, but the caller's x is changed: `x -= …` works in place.")
def _(call):
    return call.unchanged


@newton_step.mistake("The step goes the wrong way: subtract H⁻¹g.")
def _uphill(f, x):
    return 2 * x - newton_step.reference(f, x)


@newton_step.mistake("That is a step of gradient descent: solve with the Hessian first.")
def _descent(f, x):
    return x - torch.func.grad(f)(x)


@newton_step.mistake("That is the step alone: subtract it from x.")
def _step_only(f, x):
    return x - newton_step.reference(f, x)


newton_step.add_hints(
    "`torch.func.grad(f)(x)` is the gradient, `sparse_hessian(f, x)` the Hessian.",
    "`spsolve` takes the Hessian and the gradient, as a NumPy array, and solves.",
)
