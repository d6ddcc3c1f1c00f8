"""Answers that real readers hand in to the exercises of notebook 04."""

import pytest
import torch

from autodiff_course.exercises import ex04


def _message(one, answer):
    result = one.check(answer)
    assert result.status == "wrong"
    return result.message


# 1. The backward rule


def test_the_rule_is_the_one_that_autograd_finds():
    def by_autograd(x, s, needs, adjoint):
        leaves = x.detach().requires_grad_(), s.detach().requires_grad_()
        found = torch.autograd.grad(leaves[1] * leaves[0] ** 2, leaves, adjoint)
        return tuple(g if asked else None for g, asked in zip(found, needs, strict=True))

    assert ex04.scaled_backward.check(by_autograd)


def test_the_rule_passes_gradcheck_inside_a_function():
    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(x, s):
            return s * x**2

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, adjoint):
            rule = ex04.scaled_backward.reference
            return rule(*ctx.saved_tensors, ctx.needs_input_grad, adjoint)

    x = torch.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=torch.float64, requires_grad=True)
    s = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Scaled.apply, (x, s))
    assert torch.autograd.gradgradcheck(Scaled.apply, (x, s))


def test_a_list_of_values_is_right_too():
    assert ex04.scaled_backward.check(
        lambda x, s, needs, adjoint: list(ex04.scaled_backward.reference(x, s, needs, adjoint))
    )


# 2. The straight-through estimator


def test_the_detach_trick_is_right():
    def trick(w, x, y):
        w = w.detach().requires_grad_()
        rounded = w + (w.round() - w).detach()
        ((rounded * x - y) ** 2).mean().backward()
        return w.grad

    assert ex04.straight_through.check(trick)


def test_plain_rounding_is_recognised():
    def plain(w, x, y):
        w = w.detach().requires_grad_()
        return torch.autograd.grad(((w.round() * x - y) ** 2).mean(), w)[0]

    assert _message(ex04.straight_through, plain).startswith("All zero")


# 3. The leak


def _shift_in_place(f, w, step, tensor):
    slopes, start = [], f(tensor)
    for i in range(len(tensor)):
        tensor[i] += step
        slopes.append((f(tensor) - start) / step)
        tensor[i] -= step
    return slopes


@pytest.mark.parametrize("alias", [lambda w: w, torch.Tensor.detach, lambda w: w.data])
def test_every_alias_of_the_weights_is_a_leak(alias):
    message = _message(ex04.forward_slopes, lambda f, w, h: _shift_in_place(f, w, h, alias(w)))
    assert message.startswith("The caller's tensor was changed.")


def test_shifting_a_clone_and_back_is_right():
    assert ex04.forward_slopes.check(lambda f, w, h: _shift_in_place(f, w, h, w.clone()))


def test_a_unit_vector_times_the_step_is_right():
    def by_unit_vectors(f, w, step):
        eye = torch.eye(len(w), dtype=w.dtype)
        return torch.tensor([(f(w + step * e) - f(w)) / step for e in eye])

    assert ex04.forward_slopes.check(by_unit_vectors)


# 4. The step


@pytest.mark.parametrize("scheme", ["forward", "central"])
def test_no_other_step_has_a_lower_bound(scheme):
    def bound(h):
        if scheme == "forward":
            return h / 2 + 2 * accuracy / h
        return h**2 / 6 + accuracy / h

    for accuracy in (1e-3, 1e-6, 2.0**-52):
        best = ex04.best_step.reference(accuracy, scheme)
        assert all(bound(best) < bound(best * factor) for factor in (0.5, 0.9, 1.1, 2.0))


def test_the_step_may_come_from_numpy_or_torch():
    def in_torch(accuracy, scheme):
        a = torch.tensor(accuracy, dtype=torch.float64)
        return 2 * a.sqrt() if scheme == "forward" else (3 * a) ** (1 / 3)

    assert ex04.best_step.check(in_torch)


def test_the_powers_alone_are_recognised():
    message = _message(ex04.best_step, lambda a, s: a ** (0.5 if s == "forward" else 1 / 3))
    assert message.startswith("The right powers")
