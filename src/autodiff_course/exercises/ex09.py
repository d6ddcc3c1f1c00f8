"""Exercises of notebook 09, the soap film: an added term, another wire, air, a penalty."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import splu
from torch.nn.functional import pad

from autodiff_course.sparse import hessian_pattern, prepare_hessian

from .comparing import Tolerance
from .drills import Problem, drill
from .framework import case, exercise

__all__ = ["added_entries", "drill_multiplier", "kkt_step", "least_area", "low_rank_solve"]


# The area of the notebook, for the solutions and the inputs.


def _area(z, wire):
    sheet = pad(z, (1, 1, 1, 1)) + wire
    h = 2 / (len(sheet) - 1)
    p, q = sheet.diff(dim=0) / h, sheet.diff(dim=1) / h
    steep = (p[:, 1:] ** 2 + p[:, :-1] ** 2 + q[1:] ** 2 + q[:-1] ** 2) / 2
    return h**2 * torch.sqrt(1 + steep).sum()


def _heavy_area(z, wire):
    return _area(z, wire) + 0.1 * z.sum() * (2 / (len(wire) - 1)) ** 2


def _bend(height, k):
    s = torch.linspace(-1, 1, k + 2, dtype=torch.float64)
    wire = height(*torch.meshgrid(s, s, indexing="ij"))
    wire[1:-1, 1:-1] = 0
    return wire


def _flat_area(z, wire=None):  # a reader may pass the notebook's wire all the same
    wire = torch.zeros(z.shape[0] + 2, z.shape[1] + 2, dtype=z.dtype)
    return _area(z, wire)


# 1. What does a term do to the pattern?


@exercise(
    seconds=20.0,
    minutes=5,
    insight="A sum over all heights, squared, couples every height with every other.",
    next_try="Is there a term that adds no entry at all, though it is not zero?",
    uses="import torch\nfrom autodiff_course.sparse import hessian_pattern",
)
def added_entries(area, term, k):
    """Count the entries that area + term can have non-zero in its Hessian, but area cannot.

    Both are functions of z, the k × k heights, and return one number as a tensor; the
    wire is fixed.

    Examples
    --------
    >>> added_entries(lambda z: (z**2).sum(), lambda z: z[0, 0] * z[1, 1], 2)
    2
    """
    z = torch.zeros(k, k, dtype=torch.float64)
    with_term = hessian_pattern(lambda z: area(z) + term(z), z)
    return with_term.nnz - hessian_pattern(area, z).nnz


def _obstacle(z):
    return 100 * torch.relu(0.2 - z).square().sum()


def _kept_volume(z):
    return 50 * (z.sum() - 3.0) ** 2


def _stick(z):
    return z[0, 0] * z[-1, -1]


@added_entries.cases
def _terms():
    return [
        case(_flat_area, _obstacle, 4, label="an obstacle below the film, k = 4"),
        case(_flat_area, _kept_volume, 4, label="a volume to be kept, k = 4"),
        case(_flat_area, _stick, 4, label="a product of two far corners, k = 4"),
    ]


def _dense_entries(f, k):
    """Count the non-zero entries where the obstacle presses: the slow way, and no tracing."""
    z = 0.1 * torch.arange(k * k, dtype=torch.float64).cos().view(k, k)
    return int(torch.func.hessian(f)(z).count_nonzero())


@added_entries.mistake("Those are all the entries of the term. How many of them are new?")
def _all_of_the_term(area, term, k):
    return _dense_entries(term, k)


@added_entries.mistake(
    "Those are all the entries of the sum. Subtract those that the area has without the term."
)
def _all_of_the_sum(area, term, k):
    return _dense_entries(lambda z: area(z) + term(z), k)


added_entries.add_hints(
    "`hessian_pattern(f, z).nnz` counts the entries of f; only the shape of z matters.",
    "The sum of two functions is a function too: `lambda z: area(z) + term(z)`.",
)


# 2. Another wire


@exercise(
    seconds=30.0,
    tolerance=Tolerance(relative=1e-7),
    minutes=12,
    insight="The pattern knows nothing of wire or area: one preparation serves every wire.",
    next_try="Start from random heights instead of z = 0. Where does it end?",
    uses="import torch\nfrom scipy.sparse.linalg import splu\n"
    "from autodiff_course.sparse import prepare_hessian",
)
def least_area(area, wire):
    """Return the least value of area(z, wire) over all z, as a float.

    wire is a (k + 2) × (k + 2) tensor; z holds the k × k heights inside it. Start with z = 0.

    Examples
    --------
    >>> def squares(z, wire):
    ...     return 3.0 + ((z - 2.0) ** 2).sum()
    >>> least_area(squares, torch.zeros(4, 4, dtype=torch.float64))
    3.0
    """
    z = torch.zeros_like(wire[1:-1, 1:-1])
    hessian = prepare_hessian(area, z, args=(wire,), check=False)
    for _ in range(50):
        gradient, value = torch.func.grad_and_value(area)(z, wire)
        if gradient.abs().max() < 1e-10:
            break
        step = splu(hessian(z, (wire,)).tocsc()).solve(gradient.numpy().ravel())
        step = torch.from_numpy(step).view_as(z)
        t = 1.0
        while area(z - t * step, wire) > value - 1e-4 * t * (gradient * step).sum() + 1e-14:
            t /= 2
        z = z - t * step
    return area(z, wire).item()


@least_area.cases
def _wires():
    return [
        case(_area, _bend(lambda x, y: 0.6 * (x**2 - y**2), 4), label="a saddle, k = 4"),
        case(
            _heavy_area,
            _bend(lambda x, y: 2 * torch.cos(3 * x) * y + x, 5),
            label="waves, and a film that weighs something, k = 5",
        ),
    ]


@least_area.mistake("That is the area at the start, z = 0: it has not been minimised.")
def _at_the_start(area, wire):
    return area(torch.zeros_like(wire[1:-1, 1:-1]), wire).item()


@least_area.mistake("That is the area after one Newton step: go on until the gradient vanishes.")
def _one_step(area, wire):
    z = torch.zeros_like(wire[1:-1, 1:-1])
    gradient = torch.func.grad(area)(z, wire).flatten()
    hessian = torch.func.hessian(area)(z, wire).reshape(z.numel(), z.numel())
    return area(z - torch.linalg.solve(hessian, gradient).view_as(z), wire).item()


@least_area.mistake(
    "That is the least area of a soap film: minimise the `area` that you are given."
)
def _always_the_same_area(area, wire):
    return least_area.reference(_area, wire)


@least_area.mistake("That is the film of a flat wire: pass on the `wire` that you are given.")
def _flat_wire(area, wire):
    return area(torch.zeros_like(wire[1:-1, 1:-1]), torch.zeros_like(wire)).item()


least_area.add_hints(
    "Newton's method does the work: prepare a Hessian for the shape of z first.",
    "`prepare_hessian(area, z, args=(wire,))` is called as `hessian(z, (wire,))` in each step. End "
    "with `area` of the last z.",
)


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
    """Tell whether an answer takes few solves, and no full matrix."""
    solve, u, *_ = call.arguments
    n = len(u)
    if call.calls_of(solve) > 3 or any(shape[:1] > (2,) for shape in call.results_of(*_FULL)):
        return False
    return n < 1000 or call.peak < 8 * n * n / 4  # a quarter of one full matrix


# 3. The volume, exactly


@exercise(
    seconds=20.0,
    tolerance=Tolerance(relative=1e-7, absolute=1e-10),
    minutes=12,
    insight="The border of an arrowhead costs one more solve, with the factors that you have.",
    next_try="There are m constraints instead of one. How many solves, and how large a system of "
    "numbers?",
    uses="import numpy as np",
)
def kkt_step(solve, a, r, q):
    """Return the vector s and the number m with S·s + m·a = r and a·s = q.

    solve(v) gives S⁻¹v for any vector v. a and r are NumPy vectors, q is a number. Solve with S a
    few times only, and form no matrix.

    Examples
    --------
    >>> kkt_step(lambda v: v / 2, np.array([1.0, 1.0]), np.array([6.0, 2.0]), 1.0)
    (array([ 1.5, -0.5]), 3.0)
    """
    without, response = solve(r), solve(a)
    m = (a @ without - q) / (a @ response)
    return without - m * response, float(m)


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


kkt_step.method(
    "The step is right, but it takes more than three solves with S, or a full matrix. Two solves "
    "and a few vectors are enough.",
    watch=_FULL,
    memory=True,
)(_few_solves)


@kkt_step.method("The step is right, but the caller's a or r is changed.")
def _(call):
    return call.unchanged


@kkt_step.mistake("That is the step without the condition: a·s = q does not hold.")
def _without_the_condition(solve, a, r, q):
    return solve(r), 0.0


@kkt_step.mistake("Your step has a·s = 0. It is to be q.")
def _without_q(solve, a, r, q):
    return kkt_step.reference(solve, a, r, 0.0)


@kkt_step.mistake("a·s = q holds, but m has the wrong sign: S·s + m·a = r.")
def _wrong_sign_of_m(solve, a, r, q):
    s, m = kkt_step.reference(solve, a, r, q)
    return s, -m


@kkt_step.mistake("Return both, the vector s and then the number m.")
def _step_alone(solve, a, r, q):
    return kkt_step.reference(solve, a, r, q)[0]


@kkt_step.mistake("The vector s comes first, then the number m.")
def _number_first(solve, a, r, q):
    return kkt_step.reference(solve, a, r, q)[::-1]


kkt_step.add_hints(
    "If m were known, s = S⁻¹r − m·S⁻¹a. Put that into a·s = q.",
    "a·S⁻¹r − m·(a·S⁻¹a) = q is one equation for one number.",
)


# 4. A penalty


@exercise(
    tolerance=Tolerance(relative=1e-7, absolute=1e-10),
    minutes=10,
    insight="A full matrix that is sparse plus rank one costs two sparse solves, not n³.",
    next_try="What happens as c grows without bound? Which condition does x then meet?",
    uses="import numpy as np",
)
def low_rank_solve(solve, u, c, b):
    """Return x with (S + c·u·uᵀ) x = b, where solve(v) gives S⁻¹v for any vector v.

    u and b are NumPy vectors, c is a number. S + c·u·uᵀ is full: do not form it, and solve with S a
    few times only.

    Examples
    --------
    >>> low_rank_solve(lambda v: v / 2, np.array([1.0, 1.0]), 3.0, np.array([8.0, 8.0]))
    array([1., 1.])
    """
    without, response = solve(b), solve(u)
    return without - response * (c * (u @ without) / (1 + c * (u @ response)))


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
    "The solution is right, but it takes more than three solves with S, or a full matrix. Two "
    "solves and a few vectors are enough.",
    watch=_FULL,
    memory=True,
)(_few_solves)


@low_rank_solve.method("The solution is right, but the caller's u or b is changed.")
def _(call):
    return call.unchanged


@low_rank_solve.mistake("The term c·u·uᵀ is lost: that is S⁻¹b.")
def _without_the_term(solve, u, c, b):
    return solve(b)


@low_rank_solve.mistake("The correction has the wrong sign.")
def _wrong_sign(solve, u, c, b):
    return 2 * solve(b) - low_rank_solve.reference(solve, u, c, b)


@low_rank_solve.mistake("Divide by 1 + c·(u·S⁻¹u): you seem to have left out the 1.")
def _without_the_one(solve, u, c, b):
    without, response = solve(b), solve(u)
    return without - response * ((u @ without) / (u @ response))


@low_rank_solve.mistake("A factor c is missing in the numerator.")
def _without_c(solve, u, c, b):
    without, response = solve(b), solve(u)
    return without - response * ((u @ without) / (1 + c * (u @ response)))


low_rank_solve.add_hints(
    "Two solves with S are enough, one for b and one for u. What is x if u·x is known?",
    "S x = b − c·u·(u·x), so x = S⁻¹b − c·(u·x)·S⁻¹u. Multiply by u from the left to find u·x.",
)


# A drill


@drill
def drill_multiplier(random):
    """Multiplier of a small problem."""
    a, b, total = random.randint(1, 5), random.randint(1, 5), random.randint(1, 9)
    return Problem(
        f"Minimise ({a}·x² + {b}·y²)/2 where x + y = {total}. What is the multiplier λ of "
        f"L = ({a}·x² + {b}·y²)/2 + λ·({total} − x − y)?",
        answer=total * a * b / (a + b),
        why=f"{a}·x = λ and {b}·y = λ, so λ/{a} + λ/{b} = {total}. The least value is "
        f"{total}²·{a * b}/{2 * (a + b)}, and λ is its slope in {total}.",
        tolerance=Tolerance(relative=1e-3),
    )
