"""Typical wrong answers about the film of notebook 09, and what is said of each."""

from __future__ import annotations

import torch
from torch.nn.functional import pad

from autodiff_course.sparse import hessian_pattern

from .ex09 import added_entries, coupled, film_area, least_area, line_search

# film_area


def _parts(z, wire):
    """Return the width of a cell, and the four slopes of each cell."""
    sheet = pad(z, (1, 1, 1, 1)) + wire
    h = 2 / (len(sheet) - 1)
    p, q = sheet.diff(dim=0) / h, sheet.diff(dim=1) / h
    return h, p[:, 1:], p[:, :-1], q[1:], q[:-1]


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


@film_area.mistake("Return one number, a tensor without axes: `.sum()` over everything.")
def _with_an_axis(z, wire):
    return film_area.reference(z, wire).reshape(1)


# coupled


@coupled.mistake("Two heights at opposite corners of a cell meet as well.")
def _without_corners(i, j, k):
    return {(a, b) for a, b in coupled.reference(i, j, k) if a == i or b == j}


@coupled.mistake("A height meets itself: its square stands in the area.")
def _without_itself(i, j, k):
    return coupled.reference(i, j, k) - {(i, j)}


@coupled.mistake("Some of your points lie on the wire or beyond it: rows and columns end at k − 1.")
def _beyond_the_rim(i, j, k):
    return {(a, b) for a in (i - 1, i, i + 1) for b in (j - 1, j, j + 1)}


@coupled.mistake("Some of your points lie on the far side of the wire: the last row is k − 1.")
def _beyond_the_last_row(i, j, k):
    return {(a, b) for a, b in _beyond_the_rim(i, j, k) if a >= 0 and b >= 0}


@coupled.mistake("Some of your rows or columns are negative: the first one is 0.")
def _before_the_first_row(i, j, k):
    return {(a, b) for a, b in _beyond_the_rim(i, j, k) if a < k and b < k}


@coupled.mistake("Nothing meets across the sheet: the first column is no neighbour of the last.")
def _around_the_torus(i, j, k):
    return {(a % k, b % k) for a in (i - 1, i, i + 1) for b in (j - 1, j, j + 1)}


@coupled.mistake("Row 0 and column 0 belong to the film as well.")
def _without_the_first_row(i, j, k):
    return {(a, b) for a, b in coupled.reference(i, j, k) if a > 0 and b > 0}


# added_entries


def _dense_entries(f, k):
    """Count the non-zero entries where the obstacle presses: the slow way, and no tracing."""
    z = 0.1 * torch.arange(k * k, dtype=torch.float64).cos().view(k, k)
    return int(torch.func.hessian(f)(z).count_nonzero())


@added_entries.mistake("Those are all the entries of the term. How many of them are new?")
def _all_of_the_term(area, term, k):
    return _dense_entries(term, k)


@added_entries.mistake("Those can be non-zero in the term. Which of them has the area already?")
def _pattern_of_the_term(area, term, k):
    return hessian_pattern(term, torch.zeros(k, k, dtype=torch.float64)).nnz


@added_entries.mistake(
    "Those are all the entries of the sum. Subtract those that the area has without the term."
)
def _all_of_the_sum(area, term, k):
    return _dense_entries(lambda z: area(z) + term(z), k)


@added_entries.mistake("That is what the sum has. Subtract what the area has without the term.")
def _pattern_of_the_sum(area, term, k):
    z = torch.zeros(k, k, dtype=torch.float64)
    return hessian_pattern(lambda z: area(z) + term(z), z).nnz


@added_entries.mistake(
    "The two share entries, and these are then subtracted too. Take the pattern of the sum."
)
def _difference_of_the_patterns(area, term, k):
    z = torch.zeros(k, k, dtype=torch.float64)
    return hessian_pattern(term, z).nnz - hessian_pattern(area, z).nnz


@added_entries.mistake(
    "You counted values at one z, it seems; at another z more can differ from zero. The pattern "
    "tells what can."
)
def _at_one_place(area, term, k):
    z = torch.zeros(k, k, dtype=torch.float64)
    both = torch.func.hessian(lambda z: area(z) + term(z))(z).count_nonzero()
    return int(both - torch.func.hessian(area)(z).count_nonzero())


@added_entries.mistake(
    "You counted values at some z: there a term may be asleep, as relu is below its kink. The "
    "pattern tells what can differ from zero."
)
def _where_a_term_sleeps(area, term, k):
    return _dense_entries(lambda z: area(z) + term(z), k) - _dense_entries(area, k)


# line_search


@line_search.mistake("That is the full step, whatever f says.")
def _full_step(f, value, slope):
    return 1.0


@line_search.mistake(
    "Any fall is enough for yours. Ask for a small part, 10⁻⁴·t·slope, of what the slope promises."
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


@line_search.mistake("10⁻⁴ is missing: a small part of what the slope promises is enough.")
def _all_of_the_slope(f, value, slope):
    return _search(lambda t: f(t) <= value + t * slope + 1e-14 * abs(value))


@line_search.mistake("Just enough is enough: f(t) ≤ …, with the equals sign.")
def _more_than_enough(f, value, slope):
    return _search(lambda t: f(t) < value + 1e-4 * t * slope + 1e-14 * abs(value))


@line_search.mistake(
    "Any fall is enough for yours, and where the area is only rounded up it finds none. Ask for "
    "10⁻⁴·t·slope, and allow 1e-14·|value|."
)
def _strictly_any_fall(f, value, slope):
    return _search(lambda t: f(t) < value)


@line_search.mistake(
    "The area is rounded, and need not fall at all near its minimum: allow 1e-14·|value|."
)
def _without_allowance(f, value, slope):
    return _search(lambda t: f(t) <= value + 1e-4 * t * slope)


@line_search.mistake("The rounding of an area is in proportion to it: 1e-14·|value|, not 1e-14.")
def _absolute_allowance(f, value, slope):
    return _search(lambda t: f(t) <= value + 1e-4 * t * slope + 1e-14)


@line_search.mistake("That allows for more than rounding: 1e-14 of |value|, not 1e-12.")
def _wide_allowance(f, value, slope):
    return _search(lambda t: f(t) <= value + 1e-4 * t * slope + 1e-12 * abs(value))


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


# least_area


def _newton(area, wire, most):
    """Return area and film after `most` Newton steps with a line search, or fewer."""
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
    return area(z, wire).item(), z


@least_area.mistake("That is the film, its heights. Return its area.")
def _the_film(area, wire):
    return _newton(area, wire, 50)[1]


@least_area.mistake("Five steps are too few for this wire: go on until the gradient vanishes.")
def _five_steps(area, wire):
    return _newton(area, wire, 5)[0]


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
