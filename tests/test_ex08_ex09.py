"""Answers that real readers hand in to the exercises on sparse Hessians and soap films."""

import numpy as np
import torch
from torch.func import grad, hessian

from autodiff_course.exercises import ex08, ex09


def test_active_block_takes_the_notebooks_own_formula():
    def answer(x, active):
        z = torch.zeros_like(x)
        z[active] = 1
        full = hessian(lambda w: ((w * z) @ x - 1) ** 2)(torch.ones_like(x))
        return full[active][:, active]

    result = ex08.active_block.check(answer)
    assert result, result
    assert ex08.active_block.check(lambda x, a: [[2 * x[i] * x[j] for j in a] for i in a])


def test_a_dense_newton_step_is_told_that_it_is_dense():
    def answer(f, x):
        return x - torch.linalg.solve(hessian(f)(x), grad(f)(x))

    result = ex08.newton_step.check(answer)
    assert result.status == "other way" and "full matrix" in result.message


def test_bools_and_arrays_are_patterns_too():
    pattern = np.array(ex08.pattern_by_hand.reference())
    assert ex08.pattern_by_hand.check(pattern.astype(bool))
    assert ex08.pattern_by_hand.check(torch.tensor(pattern))
    assert ex08.is_recoverable.check(lambda p, c: int(ex08.is_recoverable.reference(p, c)))


def test_added_entries_may_be_counted_with_the_notebooks_call_of_area():
    wire = torch.zeros(6, 6, dtype=torch.float64)

    def answer(area, term, k):
        z = torch.linspace(0, 0.1, k * k, dtype=torch.float64).view(k, k)
        both = hessian(lambda z: area(z, wire) + term(z))(z)
        return int(both.count_nonzero() - hessian(lambda z: area(z, wire))(z).count_nonzero())

    result = ex09.added_entries.check(answer)
    assert result, result


def test_a_kkt_step_may_solve_for_both_columns_at_once_and_return_tensors():
    def answer(solve, a, r, q):
        without, response = solve(np.stack([r, a], axis=1)).T
        m = (a @ without - q) / (a @ response)
        return torch.from_numpy(without - m * response), m

    result = ex09.kkt_step.check(answer)
    assert result, result


def test_a_rank_one_system_is_not_solved_with_a_full_matrix():
    def answer(solve, u, c, b):
        inverse = np.stack([solve(column) for column in np.eye(len(b))], axis=1)
        full = np.linalg.inv(inverse) + c * np.outer(u, u)
        return np.linalg.solve(full, b)

    assert ex09.low_rank_solve.check(answer).status == "other way"
