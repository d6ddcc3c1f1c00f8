"""Answers that real readers hand in to the exercises on transforms, sparse Hessians and films."""

import numpy as np
import pytest
import torch
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

from autodiff_course.exercises import ex07, ex08, ex09


def _by_loop(f, x, v):
    return torch.stack([jvp(grad(f), (x,), (one,))[1] for one in torch.eye(len(x)).to(x)]) @ v


def _by_backward(f, x, v):
    x = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(f(x), x, create_graph=True)
    return torch.autograd.grad(g @ v, x)[0]


@pytest.mark.parametrize(
    "right",
    [
        lambda f, x, v: jvp(grad(f), (x,), (v,))[1],
        lambda f, x, v: vjp(grad(f), x)[1](v)[0],
        lambda f, x, v: grad(lambda x: grad(f)(x) @ v)(x),
        lambda f, x, v: grad(lambda x: jvp(f, (x,), (v,))[1])(x),
        lambda f, x, v: torch.autograd.functional.hvp(f, x, v)[1],
        _by_backward,
    ],
)
def test_every_way_to_one_product_is_right(right):
    result = ex07.hvp.check(right)
    assert result, result


@pytest.mark.parametrize(
    "dense",
    [
        lambda f, x, v: hessian(f)(x) @ v,
        lambda f, x, v: jacfwd(grad(f))(x) @ v,
        lambda f, x, v: jacrev(grad(f), chunk_size=1)(x) @ v,
        lambda f, x, v: torch.autograd.functional.hessian(f, x) @ v,
        _by_loop,
    ],
)
def test_no_way_over_the_whole_hessian_counts(dense):
    result = ex07.hvp.check(dense)
    assert result.status == "other way" and "whole Hessian" in result.message


def test_an_error_of_torch_is_not_explained_by_what_it_is_not():
    def answer(f, x, v):
        raise RuntimeError("something else")

    assert ex07.hvp.check(answer).message.startswith("Your function raised RuntimeError: something")


def test_the_snippets_may_be_mended_in_other_ways():
    def answer(xs, matrix):
        def wave(x):
            return torch.sinc(x / torch.pi)

        a = torch.where(xs.abs() < 1, 2 * xs, 2 * xs.sign())
        inverse = torch.linalg.inv(matrix)
        return a, vmap(grad(wave))(xs), -torch.trace(inverse @ inverse)

    result = ex07.three_mended.check(answer)
    assert result, result


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


def test_a_rank_one_system_is_not_solved_with_a_full_matrix():
    def answer(solve, u, c, b):
        inverse = np.stack([solve(column) for column in np.eye(len(b))], axis=1)
        full = np.linalg.inv(inverse) + c * np.outer(u, u)
        return np.linalg.solve(full, b)

    assert ex09.low_rank_solve.check(answer).status == "other way"
