"""Answers that real readers hand in to the exercises of notebook 09."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import spsolve
from torch.func import hessian
from torch.nn.functional import pad

from autodiff_course.exercises import ex09
from autodiff_course.sparse import hessian_pattern

# 1. film_area


def _two_slopes(z, wire):
    sheet = pad(z, (1, 1, 1, 1)) + wire
    h = 2 / (z.shape[0] + 1)
    down, right = torch.diff(sheet, dim=0) / h, torch.diff(sheet, dim=1) / h
    return h, down**2, right**2


def test_an_area_that_is_written_with_means_and_a_mean_over_the_cells_is_right():
    def answer(z, wire):
        h, down, right = _two_slopes(z, wire)
        p = torch.stack([down[:, 1:], down[:, :-1]]).mean(0)
        q = (right[1:] + right[:-1]) * 0.5
        return 4 * ((1 + p + q) ** 0.5).mean()

    result = ex09.film_area.check(answer)
    assert result, result


def test_an_area_with_concatenated_rims_is_right():
    def answer(z, wire):
        inner = torch.cat([wire[1:-1, :1], z, wire[1:-1, -1:]], dim=1)
        sheet = torch.cat([wire[:1], inner, wire[-1:]])
        h = 2 / (len(wire) - 1)
        corners = sheet[:-1, :-1], sheet[:-1, 1:], sheet[1:, :-1], sheet[1:, 1:]
        a, b, c, d = corners
        squares = (a - c) ** 2 + (b - d) ** 2 + (a - b) ** 2 + (c - d) ** 2
        return (h**2 * (1 + squares / (2 * h**2)).sqrt()).sum()

    result = ex09.film_area.check(answer)
    assert result, result


def test_an_area_without_a_derivative_is_told_so():
    def answer(z, wire):
        return ex09.film_area.reference(z, wire).item()

    result = ex09.film_area.check(answer)
    assert result.status == "other way" and "no derivative" in result.message


def test_an_area_in_two_loops_is_told_so():
    def answer(z, wire):
        h, down, right = _two_slopes(z, wire)
        total = 0
        for i in range(len(wire) - 1):
            for j in range(len(wire) - 1):
                p = (down[i, j] + down[i, j + 1]) / 2
                q = (right[i, j] + right[i + 1, j]) / 2
                total = total + h**2 * torch.sqrt(1 + p + q)
        return total

    result = ex09.film_area.check(answer)
    assert result.status == "other way" and "for each cell" in result.message


def test_an_area_with_two_roots_has_no_gradient_where_it_is_flat():
    def answer(z, wire):
        h, down, right = _two_slopes(z, wire)
        p, q = (down[:, 1:] + down[:, :-1]) / 2, (right[1:] + right[:-1]) / 2
        return h**2 * torch.hypot(torch.ones_like(p), torch.sqrt(p + q)).sum()

    result = ex09.film_area.check(answer)
    assert result.status == "wrong" and "NaN where the sheet is flat" in result.message


# 2. coupled


def test_neighbours_may_be_found_by_their_distance():
    def answer(i, j, k):
        grid = np.argwhere(np.ones((k, k)))
        near = abs(grid - (i, j)).max(axis=1) <= 1
        return {tuple(map(int, place)) for place in grid[near]}

    assert ex09.coupled.check(answer)


@pytest.mark.parametrize("distance", [0, 2])
def test_another_neighbourhood_is_wrong(distance):
    def answer(i, j, k):
        near = range(-distance, distance + 1)
        return {(i + a, j + b) for a in near for b in near if 0 <= i + a < k and 0 <= j + b < k}

    assert ex09.coupled.check(answer).status == "wrong"


# 3. added_entries


def test_added_entries_may_be_counted_with_the_notebooks_call_of_area():
    wire = torch.zeros(6, 6, dtype=torch.float64)

    def answer(area, term, k):
        z = torch.rand(k, k, dtype=torch.float64)
        both = hessian_pattern(lambda z: area(z, wire) + term(z), z)
        return int(both.nnz - hessian_pattern(lambda z: area(z, wire), z).nnz)

    result = ex09.added_entries.check(answer)
    assert result, result


def test_entries_counted_at_zero_are_told_that_they_are_values_at_one_place():
    def answer(area, term, k):
        z = torch.zeros(k, k, dtype=torch.float64)
        both = hessian(lambda z: area(z) + term(z))(z)
        return int(both.count_nonzero() - hessian(area)(z).count_nonzero())

    assert "at one z" in ex09.added_entries.check(answer).message


def test_entries_counted_at_a_random_place_are_wrong_where_a_term_sleeps():
    def answer(area, term, k):
        z = torch.rand(k, k, dtype=torch.float64)
        both = hessian(lambda z: area(z) + term(z))(z)
        return int(both.count_nonzero() - hessian(area)(z).count_nonzero())

    result = ex09.added_entries.check(answer)
    assert result.status == "wrong" and "asleep" in result.message


# 4. line_search


def test_a_search_that_counts_its_halvings_is_right():
    def answer(f, value, slope):
        for halvings in range(60):
            t = 0.5**halvings
            if f(t) <= value + abs(value) * 1e-14 + slope * t / 10_000:
                return t
        raise AssertionError

    result = ex09.line_search.check(answer)
    assert result, result


@pytest.mark.parametrize("part", [1e-3, 0.1])
def test_a_search_that_asks_for_another_part_is_wrong(part):
    def answer(f, value, slope):
        t = 1.0
        while f(t) > value + part * t * slope + 1e-14 * abs(value):
            t /= 2
        return t

    assert ex09.line_search.check(answer).status == "wrong"


def test_a_search_that_evaluates_twice_is_another_way():
    def answer(f, value, slope):
        t = 1
        while f(t) > f(0.0) + 1e-4 * t * slope + 1e-14 * abs(f(0.0)):
            t = t / 2
        return t

    assert ex09.line_search.check(answer).status == "other way"


def test_a_search_without_an_allowance_for_rounding_is_told_what_to_allow_for():
    def answer(f, value, slope):
        t = 1.0
        while f(t) > value + 1e-4 * t * slope:
            t /= 2
        return t

    result = ex09.line_search.check(answer, seconds=0.5)
    assert result.status == "wrong" and "rounded" in result.message


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (lambda t, slope, value: 1e-4 * slope + 1e-14 * abs(value), "is t missing"),
        (lambda t, slope, value: 1e-4 * t * t * slope + 1e-14 * abs(value), "not t²"),
        (lambda t, slope, value: 1e-4 * t * slope + 1e-14 * value, "bars"),
        (lambda t, slope, value: 0.5 * t * slope + 1e-14 * abs(value), "Too large a part"),
        (lambda t, slope, value: 1e-4 * t * slope + 1e-14, "in proportion"),
        (lambda t, slope, value: 1e-4 * t * slope + 1e-12 * abs(value), "more than rounding"),
        (lambda t, slope, value: t * slope + 1e-14 * abs(value), "10⁻⁴ is missing"),
    ],
)
def test_another_condition_on_the_fall_is_wrong(part, said):
    def answer(f, value, slope):
        t = 1.0
        while f(t) > value + part(t, slope, value):
            t /= 2
        return t

    result = ex09.line_search.check(answer, seconds=0.5)
    assert result.status == "wrong" and said in result.message


def test_just_enough_is_enough():
    def answer(f, value, slope):
        t = 1.0
        while f(t) >= value + 1e-4 * t * slope + 1e-14 * abs(value):
            t /= 2
        return t

    result = ex09.line_search.check(answer)
    assert result.status == "wrong" and "equals" in result.message


# 5. least_area


def _newton_steps(most, search=True, tolerance=1e-10):
    def answer(area, wire):
        z = torch.zeros_like(wire[1:-1, 1:-1])
        for _ in range(most):
            g, value = torch.func.grad_and_value(area)(z, wire)
            if g.abs().max() < tolerance:
                break
            full = hessian(area)(z, wire).reshape(z.numel(), -1)
            step, t = torch.linalg.solve(full, g.flatten()).view_as(z), 1.0
            while search and area(z - t * step, wire) > value - 1e-4 * t * (g * step).sum() + 1e-13:
                t /= 2
            z = z - t * step
        return area(z, wire).item()

    return answer


def test_a_search_and_steps_enough_find_the_least_area():
    assert ex09.least_area.check(_newton_steps(40))


def test_full_steps_are_told_that_they_run_away():
    result = ex09.least_area.check(_newton_steps(40, search=False))
    assert result.status == "wrong" and "full Newton steps run away" in repr(result)


@pytest.mark.parametrize("most", [5, 8, 12])
def test_a_few_steps_are_not_enough(most):
    assert ex09.least_area.check(_newton_steps(most)).status == "wrong"


@pytest.mark.parametrize(
    ("give", "status", "said"),
    [(torch.tensor, "other way", "float"), (lambda least: torch.zeros(4, 4) + least, "wrong", "")],
)
def test_a_tensor_is_not_a_float(give, status, said):
    def answer(area, wire):
        return give(ex09.least_area.reference(area, wire))

    result = ex09.least_area.check(answer)
    assert result.status == status and said in result.message


# 6. kkt_step


@pytest.mark.parametrize("sign_of_q", [1, -1])
@pytest.mark.parametrize("sign_of_m", [1, -1])
def test_a_sign_error_in_the_kkt_step_is_named(sign_of_q, sign_of_m):
    def answer(solve, a, r, q):
        without, response = solve(r), solve(a)
        m = (a @ without - sign_of_q * q) / (a @ response)
        return without - sign_of_m * m * response, m

    result = ex09.kkt_step.check(answer)
    assert bool(result) == (sign_of_q == sign_of_m == 1)
    assert result or sign_of_q == sign_of_m or "back in" in result.message


def test_a_kkt_step_may_solve_for_both_columns_at_once_and_return_tensors():
    def answer(solve, a, r, q):
        without, response = solve(np.stack([r, a], axis=1)).T
        m = (a @ without - q) / (a @ response)
        return torch.from_numpy(without - m * response), m

    result = ex09.kkt_step.check(answer)
    assert result, result


@pytest.mark.parametrize("more", [1, 2])
def test_three_solves_are_accepted_and_four_are_not(more):
    def answer(solve, a, r, q):
        for _ in range(more):
            solve(a)
        return ex09.kkt_step.reference(solve, a, r, q)

    result = ex09.kkt_step.check(answer)
    assert bool(result) == (more == 1) and (result or "more than three" in result.message)


# 7. low_rank_solve


def test_a_rank_one_system_is_not_solved_with_a_full_matrix():
    def answer(solve, u, c, b):
        inverse = np.stack([solve(column) for column in np.eye(len(b))], axis=1)
        full = np.linalg.inv(inverse) + c * np.outer(u, u)
        return np.linalg.solve(full, b)

    result = ex09.low_rank_solve.check(answer)
    assert result.status == "other way" and "more than three" in result.message


def test_a_full_matrix_from_two_solves_is_named():
    def answer(solve, u, c, b):
        return solve(b) - np.outer(solve(u), u) @ solve(b) * c / (1 + c * (u @ solve(u)))

    def few(solve, u, c, b):
        without, response = solve(b), solve(u)
        return without - c * np.outer(response, u) @ without / (1 + c * (u @ response))

    assert "more than three" in ex09.low_rank_solve.check(answer).message
    assert "full matrix" in ex09.low_rank_solve.check(few).message


# 8. active_step


def test_active_rows_may_be_replaced_by_those_of_the_identity():
    def answer(H, g, active):
        H = H.tolil(copy=True)
        H[active], H[:, active] = 0, 0
        H[active, active] = 1.0
        return spsolve(H.tocsc(), np.where(active, 0.0, -g))

    result = ex09.active_step.check(answer)
    assert result, result


@pytest.mark.parametrize("large", [1e12, 1e15])
def test_active_unknowns_that_move_a_little_are_noticed(large):
    def answer(H, g, active):
        return spsolve((H + sp.diags_array(np.where(active, large, 0.0))).tocsc(), -g)

    result = ex09.active_step.check(answer)
    assert result.status == "wrong" and "nearly 0" in result.message


def test_a_dense_step_is_told_that_it_is_dense():
    def answer(H, g, active):
        free, s = np.flatnonzero(~active), np.zeros(len(g))
        s[free] = -np.linalg.solve(H.toarray()[np.ix_(free, free)], g[free])
        return s

    result = ex09.active_step.check(answer)
    assert result.status == "other way" and "dense" in result.message


def test_an_answer_that_changes_the_gradient_is_noticed():
    def answer(H, g, active):
        s = ex09.active_step.reference(H, g, active)
        g[active] = 0
        return s

    assert "changed" in ex09.active_step.check(answer).message


# The drills


@pytest.mark.parametrize("height", range(1, 4))
@pytest.mark.parametrize("width", range(1, 4))
def test_the_formula_of_the_drill_counts_pairs_of_neighbours(height, width):
    points = [(i, j) for i in range(height) for j in range(width)]
    pairs = sum(max(abs(i - a), abs(j - b)) <= 1 for i, j in points for a, b in points)
    assert pairs == (3 * height - 2) * (3 * width - 2)
