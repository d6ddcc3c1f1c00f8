"""Descents against closed formulas, against torch's own optimisers, and at their limits."""

import doctest
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff_course import descent
from autodiff_course.descent import AdaptiveStep, FixedStep, PolyakStep, descend

START = torch.tensor([3.0, -1.0], dtype=torch.float64)


def bowl(x):
    return (x * x).sum()


def valley(x):
    return x[0] ** 2 + 10 * x[1] ** 2


def vee(x):
    return (3 * x[0] + x[1]).abs() + x[1].abs()


def test_the_examples_are_true():
    assert doctest.testmod(descent).failed == 0


# Step rules


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 0.45), st.integers(0, 20))
def test_a_fixed_step_on_a_bowl_multiplies_by_one_factor(step, moves):
    run = descend(bowl, START, FixedStep(step), max_iterations=moves)
    torch.testing.assert_close(run.iterate, START * (1 - 2 * step) ** moves)
    assert run.iterations == moves and run.evaluations == moves + 1


@settings(max_examples=25, deadline=None)
@given(st.floats(1.05, 2.0), st.floats(0.3, 0.95))
def test_the_adaptive_step_follows_the_values(grow, shrink):
    run = descend(vee, START, AdaptiveStep(0.1, grow, shrink), max_iterations=40)
    values, steps = run.values, run.steps[:-1]
    factors = np.where(np.diff(values)[: len(steps) - 1] < 0, grow, shrink)
    np.testing.assert_allclose(steps[1:] / steps[:-1], factors, rtol=1e-12)
    moves = run.iterates.diff(dim=0)
    torch.testing.assert_close(moves, -torch.tensor(steps)[:, None] * run.gradients[:-1])


@settings(max_examples=25, deadline=None)
@given(st.floats(-5, 5), st.floats(-5, 5))
def test_polyaks_step_never_leads_away_from_the_minimum(a, b):
    run = descend(vee, torch.tensor([a, b], dtype=torch.float64), PolyakStep(), max_iterations=50)
    distance = run.iterates.norm(dim=1)
    assert (distance.diff() <= 1e-12).all()


def test_polyaks_step_on_a_parabola_is_half_of_newtons():
    run = descend(
        lambda x: (x - 5).square().sum() + 2, START[:1], PolyakStep(2.0), max_iterations=4
    )
    torch.testing.assert_close(run.iterates[:, 0] - 5, -2 * 0.5 ** torch.arange(5).double())


def test_polyaks_step_below_its_best_stalls_and_does_not_climb():
    run = descend(bowl, START, PolyakStep(best=11.0))
    assert run.reason == "stalled" and run.iterations == 0 and run.steps.size == 1


def test_a_gradient_whose_square_underflows_counts_as_zero():
    run = descend(lambda x: 1e-170 * x.sum(), START, PolyakStep(-1e-170))
    assert run.reason == "gradient is zero" and run.iterations == 0


@pytest.mark.parametrize("rule", [FixedStep, AdaptiveStep])
@pytest.mark.parametrize("step", [0, -1.0, math.nan, math.inf, True, "0.1"])
def test_a_rule_wants_positive_settings(rule, step):
    with pytest.raises(ValueError, match="must be a positive finite number, got"):
        rule(step)


# Torch's optimisers


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9),
        lambda p: torch.optim.Adam(p, lr=0.1),
        lambda p: torch.optim.LBFGS(p, max_iter=1, line_search_fn="strong_wolfe"),
    ],
)
def test_an_optimiser_goes_the_way_it_goes_by_itself(make):
    x = START.clone().requires_grad_()
    optimiser, alone, calls = make([x]), [x.detach().clone()], 0

    def closure():
        nonlocal calls
        calls += 1
        optimiser.zero_grad()
        value = valley(x)
        value.backward()
        return value

    for _ in range(5):
        optimiser.step(closure)
        alone.append(x.detach().clone())
    run = descend(valley, START, make, max_iterations=5)
    assert torch.equal(run.iterates, torch.stack(alone))
    assert run.evaluations == calls + 1  # the value at the end is asked by the loop


# The result


def test_the_history_holds_values_and_gradients_of_its_iterates():
    run = descend(valley, START, FixedStep(0.03), max_iterations=10)
    for x, value, gradient in zip(run.iterates, run.values, run.gradients, strict=True):
        assert valley(x).item() == value
        torch.testing.assert_close(gradient, torch.stack([2 * x[0], 20 * x[1]]))
    assert math.isnan(run.steps[-1])


def test_without_tensors_the_values_are_the_same():
    full, slim = (descend(vee, START, max_iterations=30, keep=keep) for keep in (True, False))
    assert slim.iterates is None and slim.gradients is None
    np.testing.assert_array_equal(full.values, slim.values)
    assert torch.equal(full.iterate, slim.iterate)


def test_the_result_is_the_best_iterate_and_the_start_is_left_alone():
    start = START.clone().requires_grad_()
    run = descend(valley, start, FixedStep(0.11), max_iterations=30)  # it diverges
    assert run.value == run.values.min() == valley(run.iterate)
    assert torch.equal(start.detach(), START) and start.grad is None
    assert not run.iterate.requires_grad


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_dtype_stays_also_where_f_computes_in_another(dtype):
    for method in (AdaptiveStep(), lambda p: torch.optim.LBFGS(p, max_iter=1)):
        run = descend(lambda x: (x.double() ** 2).sum(), START.to(dtype), method, max_iterations=3)
        assert run.iterate.dtype == run.gradients.dtype == dtype
        assert run.value < 10


def test_lbfgs_goes_from_a_transposed_start_with_a_transposed_gradient():
    x = torch.arange(6.0).reshape(3, 2)
    for start in (0 * x.T, 0 * x):
        run = descend(
            lambda y: ((y.T if y.shape == (2, 3) else y) - x).square().sum(),
            start,
            lambda p: torch.optim.LBFGS(p, max_iter=1, max_eval=25, line_search_fn="strong_wolfe"),
            target=1e-8,
        )
        assert run.reason == "target" and run.iterate.shape == start.shape


# Why it stops


@pytest.mark.parametrize(
    ("reason", "f", "options"),
    [
        ("target", bowl, dict(target=1e-3)),
        ("rule", bowl, dict(stop_when=lambda x, value, gradient: value < 5)),
        ("iterations", bowl, dict(max_iterations=3)),
        ("stalled", vee, dict(method=AdaptiveStep(0.5, shrink=0.1))),
        ("gradient is zero", lambda x: (x - START).square().sum(), {}),
        ("not finite", valley, dict(method=FixedStep(10.0))),
        ("not finite", lambda x: x.sum() * math.nan, {}),
        ("not finite", lambda x: (x - START).norm().sqrt() + x.sum(), {}),  # only the gradient
    ],
)
def test_the_reason_is_told(reason, f, options):
    assert descend(f, START, **options).reason == reason


def test_the_iterate_that_met_the_rule_is_returned_though_another_was_lower():
    far = 0.5
    run = descend(bowl, START, FixedStep(1.2), stop_when=lambda x, v, g: v > 15 and far)
    assert run.value == run.values[-1] > run.values[0]


@pytest.mark.parametrize("when", [2, 5])
def test_an_interrupt_leaves_what_there_is(when):
    calls = 0

    def interrupted(x):
        nonlocal calls
        calls += 1
        if calls == when:
            raise KeyboardInterrupt
        return bowl(x)

    run = descend(interrupted, START, FixedStep(0.1))
    assert run.reason == "interrupted" and run.iterations == when - 2
    assert len(run.values) == len(run.steps) == when - 1
    assert math.isnan(run.steps[-1])


def test_an_interrupt_before_the_first_value_is_passed_on():
    def interrupted(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        descend(interrupted, START)


def test_a_progress_bar_is_shown_when_it_is_asked_for(capsys):
    descend(bowl, START, max_iterations=3)
    assert capsys.readouterr() == ("", "")
    descend(bowl, START, max_iterations=3, progress=True)
    assert "it/s" in capsys.readouterr().err


# Bad input


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((bowl, [1.0]), {}, TypeError, "start must be a tensor of a floating dtype, got"),
        ((bowl, torch.tensor([1])), {}, TypeError, "start must be .* torch.int64"),
        ((bowl, START, 0.1), {}, TypeError, "method must be a step rule or"),
        ((bowl, START, lambda p: None), {}, TypeError, "method must return a torch optimiser"),
        ((lambda x: x, START), {}, ValueError, r"f must return one real number .* shape \(2,\)"),
        ((lambda x: 1.0, START), {}, ValueError, "f must return one real number .* got 1.0"),
        ((lambda x: x.detach().sum(), START), {}, ValueError, "depends on x"),
        ((bowl, START), dict(max_iterations=-1), ValueError, "max_iterations must be"),
        ((bowl, START), dict(max_iterations=2.5), ValueError, "max_iterations must be"),
    ],
)
def test_bad_input_is_refused_with_its_name(arguments, options, error, message):
    with pytest.raises(error, match=message):
        descend(*arguments, **options)
