"""Exercises of notebook 09, the soap film: its area, Newton's method, air, and an obstacle."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp  # noqa: F401 - for the examples
import torch
from scipy.sparse.linalg import splu
from torch.nn.functional import pad

from autodiff_course.sparse import hessian_pattern, prepare_hessian

from .comparing import Tolerance
from .drills import Problem, drill
from .framework import exercise

__all__ = [
    "active_step",
    "added_entries",
    "coupled",
    "drill_entries",
    "drill_halvings",
    "drill_multiplier",
    "film_area",
    "kkt_step",
    "least_area",
    "line_search",
    "low_rank_solve",
]


# 1. The area


@exercise(
    seconds=20.0,
    minutes=8,
    insight="Five lines, and torch has all that Newton's method needs of them.",
    next_try="What changes if each cell is cut into two triangles?",
    uses="import torch\nfrom torch.nn.functional import pad",
)
def film_area(z, wire):
    """Return the area of the sheet that has the heights z inside the wire, as a tensor.

    z is k × k. The wire is (k + 2) × (k + 2), with 0 inside, so that `pad(z, (1, 1, 1, 1)) + wire`
    is the whole sheet. Its cells have the width h = 2 / (k + 1). In a cell, the slopes along two
    edges estimate z_x, those along the other two z_y. A cell adds h²·√(1 + p + q), where p is the
    mean of the two squares of z_x and q that of z_y. Write no loop.

    Examples
    --------
    >>> flat = torch.zeros(5, 5, dtype=torch.float64)
    >>> float(film_area(torch.zeros(3, 3, dtype=torch.float64), flat))
    4.0
    """
    sheet = pad(z, (1, 1, 1, 1)) + wire
    h = 2 / (len(sheet) - 1)
    dx, dy = sheet.diff(dim=0) / h, sheet.diff(dim=1) / h
    steep = (dx[:, 1:] ** 2 + dx[:, :-1] ** 2 + dy[1:] ** 2 + dy[:-1] ** 2) / 2
    return h**2 * torch.sqrt(1 + steep).sum()


film_area.add_hints(
    "`sheet.diff(dim=0)` has one row less than the sheet. How wide is it, counted in cells?",
    "With the slopes `dx` over the rows, a cell's two are those in `dx[:, :-1]` and `dx[:, 1:]`.",
)


# 2. Which heights meet?


@exercise(
    minutes=4,
    insight="The pattern follows from who meets whom in a cell: nobody has to differentiate.",
    next_try="And if the area took the slopes over two cells, as (z[i+1] − z[i−1]) / 2h?",
)
def coupled(i, j, k):
    """Return the heights that meet the height in row i and column j in some cell of the film.

    The film has k × k heights; rows and columns are counted from 0. Return a set of pairs (row,
    column), with (i, j) itself. The points of the wire are no unknowns.

    Examples
    --------
    >>> sorted(coupled(0, 0, 5))
    [(0, 0), (0, 1), (1, 0), (1, 1)]
    """
    near = (-1, 0, 1)
    around = {(i + down, j + right) for down in near for right in near}
    return {(a, b) for a, b in around if 0 <= a < k and 0 <= b < k}


coupled.add_hints(
    "Draw the four cells around a point. Which points are their corners?",
    "Rows i − 1 to i + 1, columns j − 1 to j + 1, and of these what lies in the film.",
)


# 3. What does a term do to the pattern?


@exercise(
    seconds=20.0,
    minutes=5,
    insight="A sum over all heights, squared, couples every height with every other.",
    next_try="And the sum of all products z[i, j]·z[i, j + 2]? Predict the count first.",
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


added_entries.add_hints(
    "`hessian_pattern(f, z).nnz` counts the entries of f; only the shape of z matters.",
    "The sum of two functions is a function too: `lambda z: area(z) + term(z)`.",
)


# 4. The line search


@exercise(
    minutes=8,
    insight="A step that lowers the area a little, each time less, may never arrive; a fixed part "
    "of what the slope promises leads to where the slope vanishes.",
    next_try="What does yours do if f(t) is NaN? Which side of the comparison decides?",
)
def line_search(f, value, slope):
    """Return the first t of 1, 1/2, 1/4, … after which the area has fallen enough.

    f(t) is the area after t times the step. value is f(0), and slope, a negative number, is the
    derivative of f at 0. Enough means f(t) ≤ value + 10⁻⁴·t·slope + 10⁻¹⁴·|value|; the last term
    allows for rounding. Evaluate f once for each t.

    Examples
    --------
    >>> line_search(lambda t: 1 - t + 3 * t**2, 1.0, -1.0)
    0.25
    """
    t = 1.0
    while f(t) > value + 1e-4 * t * slope + 1e-14 * abs(value):
        t /= 2
    return t


line_search.add_hints(
    "A `while` loop: as long as f(t) is too large, halve t.",
    "Too large means: f(t) > value + 1e-4 · t · slope + 1e-14 · abs(value).",
)


# 5. Another wire


@exercise(
    seconds=30.0,
    tolerance=Tolerance(relative=1e-7),
    minutes=12,
    insight="The pattern knows nothing of the wire: one preparation serves every wire. Another "
    "area needs its own.",
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
        while area(z - t * step, wire) > value - 1e-4 * t * (gradient * step).sum() + 1e-13:
            t /= 2
        z = z - t * step
    return area(z, wire).item()


least_area.add_hints(
    "Newton's method does the work: prepare a Hessian for the shape of z first.",
    "`prepare_hessian(area, z, args=(wire,))` is called as `hessian(z, (wire,))` in each step. End "
    "with `area` of the last z.",
)


# 6. The volume, exactly


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

    solve(v) gives S⁻¹v for any vector v. a and r are NumPy vectors, q is a number, m the μ of
    the KKT system. Solve with S at most three times, and form no matrix.

    Examples
    --------
    >>> kkt_step(lambda v: v / 2, np.array([1.0, 1.0]), np.array([6.0, 2.0]), 1.0)
    (array([ 1.5, -0.5]), 3.0)
    """
    without, response = solve(r), solve(a)
    m = (a @ without - q) / (a @ response)
    return without - m * response, float(m)


kkt_step.add_hints(
    "If m were known, s = S⁻¹r − m·S⁻¹a. Put that into a·s = q.",
    "a·S⁻¹r − m·(a·S⁻¹a) = q is one equation for one number.",
)


# 7. A penalty


@exercise(
    seconds=20.0,
    tolerance=Tolerance(relative=1e-7, absolute=1e-10),
    minutes=10,
    insight="A full matrix that is sparse plus rank one costs two sparse solves, not n³.",
    next_try="What happens as c grows without bound? Which condition does x then meet?",
    uses="import numpy as np",
)
def low_rank_solve(solve, u, c, b):
    """Return x with (S + c·u·uᵀ) x = b, where solve(v) gives S⁻¹v for any vector v.

    u and b are NumPy vectors, c is a number. S + c·u·uᵀ is full: do not form it, and solve with S
    at most three times.

    Examples
    --------
    >>> low_rank_solve(lambda v: v / 2, np.array([1.0, 1.0]), 3.0, np.array([8.0, 8.0]))
    array([1., 1.])
    """
    without, response = solve(b), solve(u)
    return without - response * (c * (u @ without) / (1 + c * (u @ response)))


low_rank_solve.add_hints(
    "Two solves with S are enough, one for b and one for u. What is x if u·x is known?",
    "S x = b − c·u·(u·x), so x = S⁻¹b − c·(u·x)·S⁻¹u. Multiply by u from the left to find u·x.",
)


# 8. An obstacle


@exercise(
    seconds=20.0,
    tolerance=Tolerance(relative=1e-7, absolute=1e-10),
    minutes=10,
    insight="What may not move leaves the system: the rest of H is still sparse, symmetric and "
    "positive definite.",
    next_try="And if the active unknowns are to move by given amounts, not by 0?",
    uses="import numpy as np\nfrom scipy.sparse.linalg import splu",
)
def active_step(H, g, active):
    """Return the vector s with s = 0 where active is True, and H·s = −g in all other rows.

    H is a sparse matrix of SciPy's, symmetric and positive definite, of n rows. g is a NumPy vector
    of n numbers, active one of n bools. Make no dense matrix, and change no argument.

    Examples
    --------
    >>> H = sp.csr_array([[2.0, 1.0], [1.0, 2.0]])
    >>> active_step(H, np.array([1.0, 5.0]), np.array([False, True]))
    array([-0.5,  0. ])
    """
    free, s = ~active, np.zeros(len(g))
    s[free] = splu(H.tocsr()[free][:, free].tocsc()).solve(-g[free])
    return s


active_step.add_hints(
    "An unknown that is 0 adds nothing to any row: its column may go, and its own row as well.",
    "`H.tocsr()[free]` has the rows of the free unknowns, and `[:, free]` takes their columns.",
)


# Drills


@drill
def drill_entries(random):
    """Entries of the Hessian of a film that is no square."""
    m, n = random.randint(2, 6), random.randint(3, 9)
    return Problem(
        f"A film of {m} × {n} heights: how many entries of its Hessian can differ from zero?",
        answer=(3 * m - 2) * (3 * n - 2),
        why=f"A row of {n} points has 3·{n} − 2 pairs of neighbours, each point with itself "
        f"included; a column of {m} has 3·{m} − 2. In a grid every pair of the one goes with every "
        f"pair of the other: {3 * m - 2}·{3 * n - 2}.",
    )


@drill
def drill_halvings(random):
    """Line search on a parabola, by pencil."""
    slope, ratio = random.randint(1, 6), random.choice((3, 5, 6, 7, 9, 11, 13))
    t = next(0.5**m for m in range(9) if 0.5**m < 1 / ratio)
    return Problem(
        f"Along a step the area is 5 − {slope}·t + {slope * ratio}·t². Which t does the line "
        "search take?",
        answer=t,
        why=f"It falls where {slope * ratio}·t² < {slope}·t, so for t < 1/{ratio}; 10⁻⁴ changes "
        f"nothing here. Of 1, 1/2, 1/4, … the first is {t:g}.",
    )


@drill
def drill_multiplier(random):
    """Multiplier of a small problem."""
    a, b = random.sample(range(1, 6), 2)
    total = random.randint(1, 9)
    return Problem(
        f"Minimise ({a}·x² + {b}·y²)/2 where x + y = {total}. What is the multiplier λ of "
        f"L = ({a}·x² + {b}·y²)/2 + λ·({total} − x − y)?",
        answer=total * a * b / (a + b),
        why=f"{a}·x = λ and {b}·y = λ, so λ/{a} + λ/{b} = {total}. The least value on "
        f"x + y = V is V²·{a * b}/{2 * (a + b)}, and λ is its derivative at V = {total}.",
        tolerance=Tolerance(relative=1e-3),
    )


# What answers are tried on, and the mistakes that are recognised: they need the exercises above.
from . import _checks09, _wrong09, _wrong09_constraints  # noqa: E402, F401
