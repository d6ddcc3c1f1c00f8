"""Answers that real readers hand in to the exercises on soap films."""

import numpy as np
import torch
from torch.func import hessian

from autodiff_course.exercises import ex09


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
