"""Answers that real readers hand in to the exercises of notebook 05."""

import math
import re

import numpy as np
import pytest
import torch

from autodiff_course.descent import FixedStep, descend
from autodiff_course.exercises import ex05


def _message(one, answer):
    result = one.check(answer)
    assert not result
    return result.message


# 1. subgradient


def test_autograd_gives_the_gradient_and_is_another_way():
    def answer(x, y):
        y = y.clone().requires_grad_()
        (x @ y - torch.eye(len(x), dtype=x.dtype)).abs().sum().backward()
        return y.grad

    assert ex05.subgradient.check(answer).status == "other way"


def test_signs_in_float32_are_told_of_the_dtype():
    def answer(x, y):
        r = x @ y - torch.eye(len(x), dtype=x.dtype)
        return x.T @ torch.where(r > 0, 1.0, -1.0)

    assert "dtype=x.dtype" in _message(ex05.subgradient, answer)


def test_an_error_of_exactly_zero_is_not_divided_by():
    def answer(x, y):
        r = x @ y - torch.eye(len(x), dtype=x.dtype)
        return x.T @ (r / r.abs())

    assert "0 / 0" in _message(ex05.subgradient, answer)


@pytest.mark.parametrize(
    ("one", "answer", "said"),
    [
        (
            ex05.subgradient,
            lambda x, y: ex05.subgradient.reference(x.double(), y.double()),
            "dtype",
        ),
        (ex05.polyak_step, lambda v, g, best: (v - best) / g.square().sum(), "`.item()`"),
        (ex05.best_fixed_step, lambda x: torch.tensor(ex05.best_fixed_step.reference(x)), "float"),
        (
            ex05.predicted_iterations,
            lambda k, s: np.ceil(np.log(s) / np.log((k**2 - 1) / (k**2 + 1))),
            "int",
        ),
        (
            ex05.newton_schulz,
            lambda x, goal: (lambda y, n: (y.double(), n))(*ex05.newton_schulz.reference(x, goal)),
            "dtype",
        ),
    ],
)
def test_right_numbers_of_another_type_are_not_used_below(one, answer, said):
    result = one.check(answer)
    assert result.status == "other way" and said in result.message


def test_the_gradient_agrees_with_central_differences():
    x, y = (torch.rand(3, 3, dtype=torch.float64) for _ in range(2))

    def error(y):
        return (x @ y - torch.eye(3)).abs().sum()

    step, found = 1e-7, torch.zeros(3, 3, dtype=torch.float64)
    for i, j in np.ndindex(3, 3):
        shift = torch.zeros(3, 3, dtype=torch.float64)
        shift[i, j] = step
        found[i, j] = (error(y + shift) - error(y - shift)) / (2 * step)
    torch.testing.assert_close(ex05.subgradient.reference(x, y), found, atol=1e-6, rtol=1e-6)


# 2. adaptive_descent


def test_the_loop_may_be_written_with_a_counter_and_an_earlier_value():
    def answer(f, gradient, y, grow, shrink, moves):
        before, step, count = f(y).item(), 0.01, 0
        values, steps = [before], []
        while count < moves:
            steps.append(step)
            y = y - gradient(y) * step
            now = f(y).item()
            step = step * grow if now < before else step * shrink
            values.append(now)
            before, count = now, count + 1
        return y, values, steps

    assert ex05.adaptive_descent.check(answer)


def test_values_that_are_tensors_are_told_to_be_taken_out():
    def answer(f, gradient, *rest):
        y, values, steps = ex05.adaptive_descent.reference(f, gradient, *rest)
        return y, [torch.tensor(value, dtype=torch.float64) for value in values], steps

    assert "`.item()`" in _message(ex05.adaptive_descent, answer)


def test_moving_the_callers_start_in_place_is_noticed():
    def answer(f, gradient, y, grow, shrink, moves):
        result = ex05.adaptive_descent.reference(f, gradient, y, grow, shrink, moves)
        y.copy_(result[0])
        return y, *result[1:]

    assert "caller's y was changed" in _message(ex05.adaptive_descent, answer)


# 3. polyak_step


@pytest.mark.parametrize(
    "length_squared",
    [
        lambda g: (g.flatten() @ g.flatten()).item(),
        lambda g: g.norm().item() ** 2,
        lambda g: torch.trace(g.T @ g).item(),
        lambda g: sum(g[i, j].item() ** 2 for i, j in np.ndindex(*g.shape)),
        lambda g: sum(entry**2 for entry in g.flatten().tolist()),
    ],
)
def test_the_square_of_the_length_may_be_computed_in_any_way(length_squared):
    assert ex05.polyak_step.check(lambda value, g, best: (value - best) / length_squared(g))


def test_a_matrix_norm_is_not_the_length():
    def answer(value, gradient, best):
        return (value - best) / torch.linalg.matrix_norm(gradient, 2).item() ** 2

    assert not ex05.polyak_step.check(answer)


# 4. should_stop


def test_a_loop_with_a_counter_is_a_right_stop_rule():
    def answer(values, patience):
        lowest, waited = float("inf"), 0
        for value in values:
            lowest, waited = (value, 0) if value < lowest else (lowest, waited + 1)
        return waited >= patience

    assert ex05.should_stop.check(answer)


def test_a_drought_that_is_over_is_no_reason_to_stop():
    def answer(values, patience):
        lowest, waited = float("inf"), 0
        for value in values:
            lowest, waited = (value, 0) if value < lowest else (lowest, waited + 1)
            if waited >= patience:
                return True
        return False

    assert "drought is over" in _message(ex05.should_stop, answer)


# 5. best_fixed_step and 6. predicted_iterations


def test_the_best_step_may_come_from_the_hessian():
    def answer(x):
        curvature = torch.linalg.eigvalsh(2 * x.T @ x)
        return 2 / (curvature[0] + curvature[-1]).item()

    assert ex05.best_fixed_step.check(answer)


def test_rate_and_iterations_are_those_of_a_run_on_the_slowest_direction():
    x = torch.diag(torch.tensor([2.0, 0.5], dtype=torch.float64))
    start = torch.linalg.inv(x) + torch.tensor([[0.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    run = descend(
        lambda y: (x @ y - torch.eye(2)).square().sum(),
        start,
        FixedStep(ex05.best_fixed_step.reference(x)),
        stop_when=lambda y, value, gradient: abs(y[1, 1] - 2) <= 1e-3,
    )
    assert run.iterations == ex05.predicted_iterations.reference(4.0, 1e-3)


def test_counting_in_a_loop_is_a_right_prediction():
    def answer(kappa, shrinkage):
        error, count = 1.0, 0
        while error > shrinkage:
            error *= (kappa**2 - 1) / (kappa**2 + 1)
            count += 1
        return count

    assert ex05.predicted_iterations.check(answer)


# 7. newton_schulz


def test_norms_of_linalg_and_the_other_form_of_the_formula_are_right():
    def answer(x, goal):
        norm = torch.linalg.matrix_norm
        y, eye = x.mT / (norm(x, 1) * norm(x, torch.inf)), torch.eye(len(x), dtype=x.dtype)
        for count in range(101):
            r = eye - x @ y
            if r.abs().sum() < goal or count == 100:
                return y, count
            y = y + y @ r

    assert ex05.newton_schulz.check(answer)


def test_an_endless_loop_on_a_singular_matrix_is_not_praised():
    def answer(x, goal):
        y, count, eye = x.T / x.square().sum(), 0, torch.eye(len(x), dtype=x.dtype)
        while (x @ y - eye).abs().sum() >= goal and count < 100:
            y, count = y @ (2 * eye - x @ y), count + 1
        return y, count

    assert not ex05.newton_schulz.check(answer)  # another start, other counts


@pytest.mark.parametrize("loop", ["while", "for"])
@pytest.mark.parametrize(
    ("move", "said"),
    [
        (lambda x, y, eye: (2 * eye - x @ y) @ y, "order"),
        (lambda x, y, eye: y * (2 * eye - x @ y), "entry by entry"),
    ],
)
def test_order_and_star_are_told_in_either_loop(loop, move, said):
    def answer(x, goal):
        y = x.T / (x.abs().sum(0).max() * x.abs().sum(1).max())
        eye, count = torch.eye(len(x), dtype=x.dtype), 0
        while loop == "while" and (x @ y - eye).abs().sum() >= goal and count < 100:
            y, count = move(x, y, eye), count + 1
        for count in range(101 if loop == "for" else 0):
            if (x @ y - eye).abs().sum() < goal or count == 100:
                break
            y = move(x, y, eye)
        return y, count

    assert said in _message(ex05.newton_schulz, answer)


# 8. pseudo_inverse


@pytest.mark.parametrize("right", [torch.linalg.pinv, lambda x: torch.linalg.inv(x.T @ x) @ x.T])
def test_the_pseudo_inverse_of_linear_algebra_is_right_and_another_way(right):
    assert ex05.pseudo_inverse.check(right).status == "other way"


def _descent(**options):
    def answer(x):
        identity = torch.eye(len(x), dtype=x.dtype)
        start = torch.zeros(x.shape[1], x.shape[0], dtype=options.get("dtype", x.dtype))
        stops = {name: value for name, value in options.items() if name != "dtype"}
        return descend(lambda y: (x @ y - identity).square().sum(), start, **stops).iterate

    return answer


@pytest.mark.parametrize(
    "stops",
    [
        dict(target=1e-3, max_iterations=2000),
        dict(stop_when=lambda y, value, gradient: False, max_iterations=2000),
    ],
)
def test_a_run_whose_stop_never_fires_is_another_way(stops):
    result = ex05.pseudo_inverse.check(_descent(**stops))
    assert result.status == "other way" and "not by a rule" in result.message


def test_the_other_product_is_another_objective():
    def answer(x):
        identity = torch.eye(x.shape[1], dtype=x.dtype)
        return descend(
            lambda y: (y @ x - identity).square().sum(),
            x.new_zeros(x.shape[1], x.shape[0]),
            stop_when=lambda y, value, gradient: gradient.abs().max() < 1e-6,
        ).iterate

    result = ex05.pseudo_inverse.check(answer)
    assert result.status == "other way" and "YX − I" in result.message


def test_a_start_in_float32_is_told_of_the_dtype():
    assert "dtype=x.dtype" in _message(ex05.pseudo_inverse, _descent(dtype=torch.float32))


@pytest.mark.parametrize("options", [{}, {"max_eval": 25}])
def test_lbfgs_finds_the_pseudo_inverse_from_zero(options):
    def method(parameters):
        return torch.optim.LBFGS(parameters, max_iter=1, line_search_fn="strong_wolfe", **options)

    def answer(x):
        identity = torch.eye(len(x), dtype=x.dtype)
        return descend(
            lambda y: (x @ y - identity).square().sum(),
            x.new_zeros(x.shape[1], x.shape[0]),
            method,
            stop_when=lambda y, value, gradient: gradient.abs().max() < 1e-4,
        ).iterate

    assert ex05.pseudo_inverse.check(answer)


def test_the_result_of_descend_is_not_yet_its_iterate():
    def answer(x):
        identity = torch.eye(len(x), dtype=x.dtype)
        start = torch.zeros(x.shape[1], x.shape[0], dtype=x.dtype)
        return descend(lambda y: (x @ y - identity).square().sum(), start, max_iterations=10)

    assert "`.iterate`" in _message(ex05.pseudo_inverse, answer)


def test_the_wrong_identity_is_told_where_it_was_made():
    def answer(x):
        start = torch.zeros(x.shape[1], x.shape[0], dtype=x.dtype)
        identity = torch.eye(x.shape[1], dtype=x.dtype)
        return descend(lambda y: (x @ y - identity).square().sum(), start).iterate

    assert "RuntimeError" in _message(ex05.pseudo_inverse, answer)


# Drills


@pytest.mark.parametrize("seed", range(5))
def test_the_answers_of_the_drills_come_out_of_a_count(seed):

    def numbers(question):
        return [float(n) for n in re.findall(r"\d+\.\d+|\d+", question)]

    reach = ex05.drill_reach.problem(seed)
    first, shrink, length = numbers(reach.question)[:3]
    assert math.isclose(sum(first * shrink**k * length for k in range(1000)), reach.answer)
    rate = ex05.drill_rate.problem(seed)
    small, large, over, under = numbers(rate.question)[:4]
    step = over / under
    errors = [abs((1 - 2 * step * s * s) ** 50) ** (1 / 50) for s in (small, large)]
    assert math.isclose(max(errors), rate.answer, abs_tol=1e-4)
    schulz = ex05.drill_schulz.problem(seed)
    _, residual, steps = numbers(schulz.question)[:3]
    y = 1 - residual
    for _ in range(int(steps)):
        y = y * (2 - y)
    assert math.isclose(1 - y, schulz.answer, rel_tol=5e-3, abs_tol=1e-15)
