"""Exercises of notebook 09, the soap film: its area, Newton's method, air, and an obstacle."""

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


def _bend(height, k):
    s = torch.linspace(-1, 1, k + 2, dtype=torch.float64)
    wire = height(*torch.meshgrid(s, s, indexing="ij"))
    wire[1:-1, 1:-1] = 0
    return wire


def _parts(z, wire):
    """Return the width of a cell, and the four slopes of each cell."""
    sheet = pad(z, (1, 1, 1, 1)) + wire
    h = 2 / (len(sheet) - 1)
    p, q = sheet.diff(dim=0) / h, sheet.diff(dim=1) / h
    return h, p[:, 1:], p[:, :-1], q[1:], q[:-1]


@film_area.cases
def _sheets():
    def sheet(k):
        place = torch.arange(k * k, dtype=torch.float64).view(k, k)
        return (0.3 * torch.cos(place)).requires_grad_()

    def wave(x, y):
        return torch.sin(2 * x) + 0.5 * y**2

    flat = torch.zeros(3, 3, dtype=torch.float64, requires_grad=True)

    return [
        case(sheet(1), _bend(wave, 1), label="one height in a wavy wire"),
        case(sheet(4), _bend(wave, 4), label="4 × 4 heights in a wavy wire"),
        case(sheet(12), _bend(wave, 12), label="12 × 12 heights in a wavy wire"),
        case(flat, 0 * _bend(wave, 3), label="a flat sheet of 3 × 3 heights"),
    ]


@film_area.method(
    "The number is right, but torch has no derivative of it: return a tensor, without `.item()`, "
    "`float` or `.detach()` on the way."
)
def _(call):
    return getattr(call.value, "grad_fn", None) is not None


@film_area.method(
    "The area is right, but it takes an operation for each cell. Slices of the slopes do all cells "
    "at once, and the cells below need that."
)
def _(call):
    seen, left = set(), [call.value.grad_fn]
    while left:
        node = left.pop()
        if node is not None and node not in seen:
            seen.add(node)
            left += [parent for parent, _ in node.next_functions]
    return len(seen) < 200


@film_area.method(
    "The value is right, but its gradient is NaN where the sheet is flat: √0 has no derivative. "
    "Take one root of 1 + p + q.",
    wrong=True,
)
def _(call):
    (slopes,) = torch.autograd.grad(call.value, call.arguments[0], retain_graph=True)
    return bool(slopes.isfinite().all())


@film_area.mistake("The slopes are too small by h: divide the differences by the width of a cell.")
def _without_h(z, wire):
    h, a, b, c, d = _parts(z, wire)
    return h**2 * torch.sqrt(1 + h**2 * (a**2 + b**2 + c**2 + d**2) / 2).sum()


@film_area.mistake("Multiply by h²: a cell is h wide and h long.")
def _without_the_cell(z, wire):
    h, *_ = _parts(z, wire)
    return film_area.reference(z, wire) / h**2


@film_area.mistake("Take the mean of the two squares in each direction, not their sum.")
def _sum_of_squares(z, wire):
    h, a, b, c, d = _parts(z, wire)
    return h**2 * torch.sqrt(1 + a**2 + b**2 + c**2 + d**2).sum()


@film_area.mistake("That is the square of the mean slope. Take the mean of the squares.")
def _square_of_the_mean(z, wire):
    h, a, b, c, d = _parts(z, wire)
    return h**2 * torch.sqrt(1 + ((a + b) / 2) ** 2 + ((c + d) / 2) ** 2).sum()


@film_area.mistake("That takes one edge for each direction. A cell has two.")
def _one_edge(z, wire):
    h, a, _, c, _ = _parts(z, wire)
    return h**2 * torch.sqrt(1 + a**2 + c**2).sum()


@film_area.mistake("The cells between the film and its wire are missing: pad z, and add the wire.")
def _inside_only(z, wire):
    h, *slopes = _parts(z, wire)
    a, b, c, d = (slope[1:-1, 1:-1] for slope in slopes)
    return h**2 * torch.sqrt(1 + (a**2 + b**2 + c**2 + d**2) / 2).sum()


@film_area.mistake("The sheet has k + 2 points and so k + 1 cells each way: h = 2 / (k + 1).")
def _h_of_the_free_points(z, wire):
    h, a, b, c, d = _parts(z, wire)
    wide = 2 / len(z)
    steep = (h / wide) ** 2 * (a**2 + b**2 + c**2 + d**2) / 2
    return wide**2 * torch.sqrt(1 + steep).sum()


film_area.add_hints(
    "`sheet.diff(dim=0)` has one row less than the sheet. How wide is it, counted in cells?",
    "With the slopes `dx` over the rows, a cell's two are those in `dx[:, :-1]` and `dx[:, 1:]`.",
)


# What the solutions and the inputs below share.


def _heavy_area(z, wire):
    return film_area.reference(z, wire) + 0.1 * z.sum() * (2 / (len(wire) - 1)) ** 2


def _flat_area(z, wire=None):  # a reader may pass the notebook's wire all the same
    wire = torch.zeros(z.shape[0] + 2, z.shape[1] + 2, dtype=z.dtype)
    return film_area.reference(z, wire)


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


@coupled.cases
def _places():
    return [case(2, 3, 6), case(0, 2, 5), case(4, 4, 5), case(0, 0, 1)]


@coupled.random_cases
def _(random):
    k = random.randint(2, 9)
    return [case(random.randrange(k), random.randrange(k), k)]


@coupled.mistake("Two heights at opposite corners of a cell meet as well.")
def _without_corners(i, j, k):
    return {(a, b) for a, b in coupled.reference(i, j, k) if a == i or b == j}


@coupled.mistake("A height meets itself: its square stands in the area.")
def _without_itself(i, j, k):
    return coupled.reference(i, j, k) - {(i, j)}


@coupled.mistake("Some of your points lie on the wire or beyond it: rows and columns end at k − 1.")
def _beyond_the_rim(i, j, k):
    return {(a, b) for a in (i - 1, i, i + 1) for b in (j - 1, j, j + 1)}


@coupled.mistake("Nothing meets across the sheet: the first column is no neighbour of the last.")
def _around_the_torus(i, j, k):
    return {(a % k, b % k) for a in (i - 1, i, i + 1) for b in (j - 1, j, j + 1)}


coupled.add_hints(
    "Draw the four cells around a point. Which points are their corners?",
    "Rows i − 1 to i + 1, columns j − 1 to j + 1, and of these what lies in the film.",
)


# 3. What does a term do to the pattern?


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


def _switch(z):
    return (torch.relu(z - 5.0).sum() ** 2) / 2


@added_entries.cases
def _terms():
    return [
        case(_flat_area, _obstacle, 4, label="an obstacle below the film, k = 4"),
        case(_flat_area, _kept_volume, 4, label="a volume to be kept, k = 4"),
        case(_flat_area, _stick, 4, label="a product of two far corners, k = 4"),
        case(_flat_area, _switch, 3, label="relu(z - 5).sum()**2 / 2, k = 3"),
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


@added_entries.mistake(
    "You counted values at one z, it seems; at another z more can differ from zero. The pattern "
    "tells what can."
)
def _at_one_place(area, term, k):
    z = torch.zeros(k, k, dtype=torch.float64)
    both = torch.func.hessian(lambda z: area(z) + term(z))(z).count_nonzero()
    return int(both - torch.func.hessian(area)(z).count_nonzero())


added_entries.add_hints(
    "`hessian_pattern(f, z).nnz` counts the entries of f; only the shape of z matters.",
    "The sum of two functions is a function too: `lambda z: area(z) + term(z)`.",
)


# 4. The line search


def _along(curve, value=1.0, slope=-1.0):
    """Return a parabola that starts with this value and slope."""

    def f(t):
        return value + slope * t + curve * t**2

    return f


@exercise(
    minutes=8,
    insight="A step that lowers the area a little, each time less, may never arrive; a fair part "
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


@line_search.cases
def _lines():
    hint = (
        "The area is rounded, and need not fall at all near its minimum: allow 1e-14·|value|, "
        "with the bars, for a value may be negative."
    )
    fair = "No t is small enough for yours: is t missing in 10⁻⁴·t·slope?"
    return [
        case(_along(3.0), 1.0, -1.0, label="f(t) = 1 − t + 3t²"),
        case(_along(0.9), 1.0, -1.0, label="f(t) = 1 − t + 0.9t²"),
        case(_along(1 - 5e-5), 1.0, -1.0, label="f(t) = 1 − t + 0.99995t²"),
        case(_along(1 + 5e-5), 1.0, -1.0, label="f(t) = 1 − t + 1.00005t²"),
        case(_along(2e4), 1.0, -1.0, label="f(t) = 1 − t + 20000t²", too_slow=fair),
        case(_along(1.99985), 1.0, -1.0, label="f(t) = 1 − t + 1.99985t²"),
        case(_along(2.0**25), 1.0, -1.0, label="f(t) = 1 − t + 33554432t²"),
        case(lambda t: 7.0 + 1e-15, 7.0, -1e-17, label="f(t) = 7 + 1e-15", too_slow=hint),
        case(lambda t: -7.0 + 1e-15, -7.0, -1e-17, label="f(t) = −7 + 1e-15", too_slow=hint),
    ]


@line_search.random_cases
def _(random):
    slope, curve = -random.uniform(0.5, 5), random.uniform(1, 500)
    return [
        case(_along(curve, 3.0, slope), 3.0, slope, label=f"f(t) = 3 {slope:+.2f}t {curve:+.0f}t²")
    ]


@line_search.method("The t is right, but f is evaluated more often than once for each t.")
def _(call):
    f = call.arguments[0]
    return call.calls_of(f) <= 1 - np.log2(float(call.value)) + 1e-9


@line_search.mistake("That is the full step, whatever f says.")
def _full_step(f, value, slope):
    return 1.0


@line_search.mistake(
    "Any fall is enough for yours. Ask for a fair part, 10⁻⁴·t·slope, of what the slope promises."
)
def _any_fall(f, value, slope):
    t = 1.0
    while f(t) > value + 1e-14 * abs(value):
        t /= 2
    return t


@line_search.mistake("The slope is negative: add 10⁻⁴·t·slope, do not subtract it.")
def _wrong_sign_of_slope(f, value, slope):
    return line_search.reference(f, value, -slope)


def _search(enough, factor=0.5, t=1.0, most=60):
    """Return the first t, at most `most` times shortened, at which `enough` holds."""
    for _ in range(most):
        if enough(t):
            return t
        t *= factor
    return t


@line_search.mistake("t is missing in 10⁻⁴·t·slope: a short step can promise only little.")
def _without_t(f, value, slope):
    return _search(lambda t: f(t) <= value + 1e-4 * slope + 1e-14 * abs(value))


@line_search.mistake("10⁻⁴·t·slope has t once, not t².")
def _with_t_squared(f, value, slope):
    return _search(lambda t: f(t) <= value + 1e-4 * t * t * slope + 1e-14 * abs(value))


@line_search.mistake("Too large a part of the slope: 10⁻⁴ of what it promises is enough.")
def _half_of_the_slope(f, value, slope):
    return _search(lambda t: f(t) <= value + 0.5 * t * slope + 1e-14 * abs(value))


@line_search.mistake("1e-14·|value|, with the bars: a negative value would ask for more, not less.")
def _without_bars(f, value, slope):
    return _search(lambda t: f(t) <= value + 1e-4 * t * slope + 1e-14 * value)


@line_search.mistake("Try the full step first: t begins at 1.")
def _starts_at_a_half(f, value, slope):
    return line_search.reference(lambda t: f(t / 2), value, slope / 2) / 2


@line_search.mistake("Halve t each time: 1, 1/2, 1/4, …")
def _in_thirds(f, value, slope):
    return _search(lambda t: f(t) <= value + 1e-4 * t * slope + 1e-14 * abs(value), 1 / 3)


@line_search.mistake("Yours stops after twenty halvings. Some steps need more.")
def _twenty_at_most(f, value, slope):
    enough = lambda t: f(t) <= value + 1e-4 * t * slope + 1e-14 * abs(value)  # noqa: E731
    return _search(enough, most=20)


@line_search.mistake("Yours searches for the least area. The first t that is good enough will do.")
def _least_of_all(f, value, slope):
    best = min((0.5**m for m in range(30)), key=lambda t: (float(f(t)), -t))
    return best


@line_search.mistake("One halving too many: test first, then halve.")
def _once_too_often(f, value, slope):
    return line_search.reference(f, value, slope) / 2


@line_search.mistake("That is the area after the step. Return t.")
def _area_instead(f, value, slope):
    return f(line_search.reference(f, value, slope))


line_search.add_hints(
    "A `while` loop: as long as f(t) is too large, halve t.",
    "Too large means: f(t) > value + 1e-4 · t · slope + 1e-14 · abs(value).",
)


# 5. Another wire


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
        case(
            film_area.reference, _bend(lambda x, y: 0.6 * (x**2 - y**2), 4), label="a saddle, k = 4"
        ),
        case(
            film_area.reference,
            _bend(lambda x, y: 5 * torch.sign(x - 0.1), 5),
            label="a wire so steep that full Newton steps run away (search the line), k = 5",
        ),
        case(
            _heavy_area,
            _bend(lambda x, y: 2 * torch.cos(3 * x) * y + x, 5),
            label="waves, and a film that weighs something, k = 5",
        ),
    ]


def _newton(area, wire, most):
    """Return the area after `most` Newton steps with a line search, or fewer."""
    z = torch.zeros_like(wire[1:-1, 1:-1])
    for _ in range(most):
        gradient, value = torch.func.grad_and_value(area)(z, wire)
        if gradient.abs().max() < 1e-10:
            break
        hessian = torch.func.hessian(area)(z, wire).reshape(z.numel(), z.numel())
        step = torch.linalg.solve(hessian, gradient.flatten()).view_as(z)
        slope, t = -(gradient * step).sum(), 1.0
        while area(z - t * step, wire) > value + 1e-4 * t * slope + 1e-14:
            t /= 2
        z = z - t * step
    return area(z, wire).item()


@least_area.mistake("Five steps are too few for this wire: go on until the gradient vanishes.")
def _five_steps(area, wire):
    return _newton(area, wire, 5)


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
    return least_area.reference(film_area.reference, wire)


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
    the KKT system. Solve with S a few times only, and form no matrix.

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


@kkt_step.mistake(
    "a·s = q does not hold: put your s back in. Check the sign of q in the formula of m."
)
def _wrong_sign_of_q(solve, a, r, q):
    return kkt_step.reference(solve, a, r, -q)


@kkt_step.mistake(
    "S·s + m·a is not r: put s and m back in. Check the sign of m in s = S⁻¹r − m·S⁻¹a."
)
def _adds_the_response(solve, a, r, q):
    without, response = solve(r), solve(a)
    m = (a @ without - q) / (a @ response)
    return without + m * response, m


@kkt_step.mistake("The sign of m is the other one in both places, so a·s is not q: put s back in.")
def _m_from_minus(solve, a, r, q):
    without, response = solve(r), solve(a)
    m = -(a @ without - q) / (a @ response)
    return without - m * response, m


@kkt_step.mistake("Divide by a·S⁻¹a, not by a·a: it is S⁻¹a that m moves s by.")
def _divided_by_a_a(solve, a, r, q):
    without, response = solve(r), solve(a)
    m = (a @ without - q) / (a @ a)
    return without - m * response, m


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


# 7. A penalty


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


@low_rank_solve.mistake("A factor c is missing in the denominator, 1 + c·(u·S⁻¹u).")
def _without_c_below(solve, u, c, b):
    without, response = solve(b), solve(u)
    return without - response * (c * (u @ without) / (1 + u @ response))


@low_rank_solve.mistake("The denominator is 1 + c·(u·S⁻¹u), with a plus.")
def _minus_below(solve, u, c, b):
    without, response = solve(b), solve(u)
    return without - response * (c * (u @ without) / (1 - c * (u @ response)))


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


@active_step.cases
def _contacts():
    def contact(n, some):
        line = sp.diags_array([-1.0, 2.5, -1.0], offsets=[-1, 0, 1], shape=(n, n), dtype=float)
        place = np.arange(n)
        return line.tocsr(), np.cos(place), some(place)

    return [
        case(*contact(4, lambda i: i == 2), label="4 unknowns, one of them active"),
        case(*contact(6, lambda i: i < 0), label="6 unknowns, none of them active"),
        case(*contact(50, lambda i: i % 7 < 3), label="50 unknowns, 22 of them active"),
        case(
            *contact(1_200, lambda i: i > 1_100),
            label="1,200 unknowns, 99 of them active",
            too_slow="Is a dense matrix made, or a loop over its entries?",
        ),
    ]


@active_step.method("The step is right, but a dense matrix is made on the way.", memory=True)
def _(call):
    n = len(call.arguments[1])
    return n < 1000 or call.peak < 8 * n * n / 2  # half of a dense matrix


@active_step.method("The step is right, but an argument is changed.")
def _(call):
    (H, g, active), (before, *vectors) = call.arguments, call.given
    same = abs(H - before).sum() == 0 if H.shape == before.shape else False
    return same and all(map(np.array_equal, (g, active), vectors))


@active_step.mistake(
    "That is the step of the whole film, set to 0 where active: H·s = −g no longer holds beside "
    "these points. Leave their columns out before you solve."
)
def _overwritten(H, g, active):
    return np.where(active, 0.0, splu(H.tocsc()).solve(-g))


@active_step.mistake(
    "With g = 0 in the active rows their unknowns move all the same, since their neighbours do."
)
def _gradient_cut(H, g, active):
    return splu(H.tocsc()).solve(np.where(active, 0.0, -g))


@active_step.mistake(
    "First g = 0 and then s = 0 where active: in the solve between, these unknowns still moved. "
    "Leave their columns out before you solve."
)
def _both_cut(H, g, active):
    return np.where(active, 0.0, _gradient_cut(H, g, active))


@active_step.mistake("The sign of g: H·s = −g.")
def _wrong_sign_of_g(H, g, active):
    return -active_step.reference(H, g, active)


@active_step.mistake("True in `active` means that s is 0 there. You have exchanged the two.")
def _exchanged(H, g, active):
    return active_step.reference(H, g, ~active) if active.any() else 0 * g


@active_step.mistake("Return n numbers, with the zeros of the active unknowns in their places.")
def _free_numbers_only(H, g, active):
    return active_step.reference(H, g, active)[~active]


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
    a, b, total = random.randint(1, 5), random.randint(1, 5), random.randint(1, 9)
    return Problem(
        f"Minimise ({a}·x² + {b}·y²)/2 where x + y = {total}. What is the multiplier λ of "
        f"L = ({a}·x² + {b}·y²)/2 + λ·({total} − x − y)?",
        answer=total * a * b / (a + b),
        why=f"{a}·x = λ and {b}·y = λ, so λ/{a} + λ/{b} = {total}. The least value is "
        f"{total}²·{a * b}/{2 * (a + b)}, and λ is its slope in {total}.",
        tolerance=Tolerance(relative=1e-3),
    )
