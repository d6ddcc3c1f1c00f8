"""Answers that real readers hand in to the exercises of notebook 08."""

import numpy as np
import torch
from torch.func import grad, hessian

from autodiff_course.exercises import ex08


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
