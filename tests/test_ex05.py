"""Answers that real readers hand in to the exercises of notebook 05."""

import pytest
import torch

from autodiff_course.descent import descend
from autodiff_course.exercises import ex05


def _message(one, answer):
    result = one.check(answer)
    assert result.status == "wrong"
    return result.message


def test_autograd_gives_the_gradient_too():
    def answer(x, y):
        y = y.clone().requires_grad_()
        (x @ y - torch.eye(len(x), dtype=x.dtype)).square().sum().backward()
        return y.grad

    assert ex05.gradient_of_squares.check(answer)


def test_the_bound_is_where_descent_with_a_fixed_step_begins_to_diverge():
    x = torch.tensor([[2.0, 1.0], [0.5, 1.5]], dtype=torch.float64)
    bound = ex05.largest_fixed_step.reference(x)

    def objective(y):
        return (x @ y - torch.eye(2, dtype=x.dtype)).square().sum()

    def run(step):
        start = torch.zeros(2, 2, dtype=torch.float64)
        sgd = descend(objective, start, lambda p: torch.optim.SGD(p, lr=step), max_iterations=800)
        return sgd.history.value

    assert run(0.99 * bound)[-1] < 1e-6
    beyond = run(1.01 * bound)
    assert beyond[-1] > beyond[0]


def test_the_bound_from_the_largest_eigenvalue_of_the_hessian():
    def answer(x):
        return 2 / torch.linalg.eigvalsh(2 * x.T @ x).max().item()

    assert ex05.largest_fixed_step.check(answer)


def test_a_loop_with_a_counter_is_a_right_stop_rule():
    def answer(values, patience):
        lowest, waited = float("inf"), 0
        for value in values:
            lowest, waited = (value, 0) if value < lowest else (lowest, waited + 1)
        return waited >= patience

    assert ex05.should_stop.check(answer)


@pytest.mark.parametrize("right", [torch.linalg.pinv, lambda x: torch.linalg.inv(x.T @ x) @ x.T])
def test_the_pseudo_inverse_of_linear_algebra_is_right_but_does_not_count(right):
    result = ex05.pseudo_inverse.check(right)
    assert result.status == "other way" and "here the descent is to find it" in result.message


def test_a_target_that_is_never_reached_still_gives_the_pseudo_inverse():
    def answer(x):
        identity = torch.eye(len(x), dtype=x.dtype)
        start = torch.zeros(x.shape[1], x.shape[0], dtype=x.dtype)
        return descend(
            lambda y: (x @ y - identity).square().sum(), start, target=1e-3, max_iterations=2000
        ).iterate

    assert ex05.pseudo_inverse.check(answer)


def test_the_wrong_identity_is_told_where_it_was_made():
    def answer(x):
        start = torch.zeros(x.shape[1], x.shape[0], dtype=x.dtype)
        identity = torch.eye(x.shape[1], dtype=x.dtype)
        return descend(lambda y: (x @ y - identity).square().sum(), start).iterate

    assert "RuntimeError" in _message(ex05.pseudo_inverse, answer)
