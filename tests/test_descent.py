"""descent.py: it converges where it should, says why it stopped, and loses nothing."""

import math
import signal
import sys
import types

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff_course import descent, evaluating
from autodiff_course.descent import AdaptiveStep, Reason, descend, relative_noise

DETERMINISTIC = settings(derandomize=True, deadline=None, max_examples=40)

# The data of the notebook: numpy.random.seed(0), then rand(3, 3) twice, in float32.
X = torch.tensor(
    [
        [0.5488135, 0.71518934, 0.60276335],
        [0.5448832, 0.4236548, 0.6458941],
        [0.4375872, 0.891773, 0.96366274],
    ]
)
START = torch.tensor(
    [
        [0.3834415, 0.79172504, 0.5288949],
        [0.56804454, 0.92559665, 0.07103606],
        [0.0871293, 0.0202184, 0.83261985],
    ]
)


def absolute(matrix):
    identity = torch.eye(len(matrix), dtype=matrix.dtype)
    return lambda y: (matrix @ y - identity).abs().sum()


def squared(matrix):
    identity = torch.eye(len(matrix), dtype=matrix.dtype)
    return lambda y: (matrix @ y - identity).square().sum()


def bowl(y):
    """A smooth objective with its minimum, 0, at 1."""
    return (y - 1).square().sum()


def conditioned(n, condition, seed):
    """Return an n by n matrix in float64 with largest singular value 1 and this condition."""
    rng = np.random.default_rng(seed)
    left, _ = np.linalg.qr(rng.normal(size=(n, n)))
    right, _ = np.linalg.qr(rng.normal(size=(n, n)))
    return torch.tensor(left * np.geomspace(1, 1 / condition, n) @ right)


# --- Convergence ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seed", "stale"), [(0, True), (1, True), (0, False), (1, False), (2, False)]
)
def test_absolute_values_with_restarts_reach_the_inverse(seed, stale):
    method = AdaptiveStep(restarts=10_000, stale_restarts=stale)
    generator = torch.Generator().manual_seed(seed)
    result = descend(
        absolute(X), START, method, target=1e-3, generator=generator, replay=True, progress=False
    )
    assert result.reason is Reason.TARGET
    residual = X.double().numpy() @ result.iterate.double().numpy() - np.eye(3)
    assert np.abs(residual).sum() < 1.001e-3
    assert result.value == pytest.approx(np.abs(residual).sum(), abs=1e-5)
    inverse = np.linalg.inv(X.double().numpy())
    assert np.abs(result.iterate.numpy() - inverse).max() < 1e-3 * np.abs(inverse).sum(1).max()
    assert result.restarts > 50, "without many restarts it cannot get there"


def test_absolute_values_without_restarts_stall_far_from_the_inverse():
    result = descend(absolute(X), START, target=1e-3)
    assert result.reason is Reason.STALLED
    assert result.value == pytest.approx(2.78, abs=0.02)
    assert 100 < result.iterations < 200
    assert "1e-10" in result.message and "no restarts" in result.message


def test_undoing_rises_does_not_cure_the_stall():
    result = descend(absolute(X), START, AdaptiveStep(on_rise="undo"), target=1e-3)
    assert result.reason is Reason.STALLED
    assert result.value > 1


@pytest.mark.parametrize("condition", [1.0, 5.0, 25.0])
@pytest.mark.parametrize("n", [1, 2, 5, 12])
@pytest.mark.parametrize("on_rise", ["keep", "undo"])
def test_squares_converge_for_every_size_and_condition(n, condition, on_rise):
    for seed in range(3):
        matrix = conditioned(n, condition if n > 1 else 1.0, seed)
        start = torch.tensor(np.random.default_rng(seed).normal(size=(n, n)))
        result = descend(
            squared(matrix), start, AdaptiveStep(on_rise=on_rise), target=1e-10, replay=True
        )
        assert result.reason is Reason.TARGET
        inverse = np.linalg.inv(matrix.numpy())
        # The residual is below 1e-5, and the error of the inverse below condition times that.
        assert np.abs(result.iterate.numpy() - inverse).max() <= 1e-5 * condition


@DETERMINISTIC
@given(
    curvatures=st.lists(st.floats(0.1, 10), min_size=1, max_size=6),
    seed=st.integers(0, 2**32 - 1),
    step=st.floats(1e-4, 1),
)
def test_any_convex_quadratic_reaches_its_minimum(curvatures, seed, step):
    rng = np.random.default_rng(seed)
    minimum = torch.tensor(rng.normal(size=len(curvatures)))
    weights = torch.tensor(curvatures, dtype=torch.float64)
    start = torch.tensor(rng.normal(size=len(curvatures)))

    def objective(y):
        return (weights * (y - minimum).square()).sum()

    result = descend(objective, start, AdaptiveStep(step=step), target=1e-12)
    assert result.reason is Reason.TARGET
    assert torch.allclose(result.iterate, minimum, atol=1e-5)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (2, 1, 3, 2)])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("replay", [False, True])
def test_every_shape_and_floating_dtype(shape, dtype, replay):
    result = descend(bowl, torch.zeros(shape, dtype=dtype), target=1e-3, replay=replay)
    assert result.reason is Reason.TARGET
    assert result.iterate.shape == shape and result.iterate.dtype == dtype
    assert result.history.iterate.shape == (len(result.history), *shape)
    assert result.history.gradient.dtype == dtype


# --- The algorithm, against a second writing of it in NumPy ---------------------------------------


def reference(matrix, y, shakes, rows, settings):
    """Write down the algorithm again, without torch: values, steps and jumps row by row."""

    def evaluate(y):
        residual = matrix @ y - np.eye(len(matrix))
        return np.abs(residual).sum(), matrix.T @ np.sign(residual)

    value, gradient = evaluate(y)
    step = settings.step
    table, jumps = [(value, step)], []
    restarts = 0
    while len(table) < rows:
        y = y - step * gradient
        new, gradient = evaluate(y)
        step *= settings.grow if new < value else settings.shrink
        value = new
        landed = step < settings.smallest
        if landed:
            y = y * (1 + shakes[restarts] / (restarts + 1))
            restarts += 1
            step = settings.step
        table.append((value, step))
        if landed:
            jumps.append(len(table))
            if not settings.stale_restarts:
                value, gradient = evaluate(y)
                table.append((value, step))
    return table[:rows], [jump for jump in jumps if jump < rows]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("stale", [True, False])
def test_rows_are_those_of_the_same_algorithm_in_numpy(seed, stale):
    rng = np.random.default_rng(seed)
    matrix, start = rng.random((3, 3)), rng.random((3, 3))
    shakes = rng.normal(size=(100, 3, 3)) * 0.1
    # A large smallest step, for many restarts before rounding drives the two apart.
    method = AdaptiveStep(
        smallest=1e-3,
        restarts=100,
        stale_restarts=stale,
        jump=lambda y, j, _: y * (1 + torch.tensor(shakes[j - 1]) / j),
    )
    result = descend(
        absolute(torch.tensor(matrix)), torch.tensor(start), method, max_iterations=199
    )
    table, jumps = reference(matrix, start, shakes, 200, method)
    value, step = np.array(table).T
    np.testing.assert_allclose(result.history.value, value, rtol=1e-9)
    np.testing.assert_allclose(result.history.step, step, rtol=1e-9)
    assert result.history.restarts.tolist() == jumps
    assert len(jumps) > 1, "the comparison must cover restarts"


def test_each_row_is_one_step_from_the_row_before():
    history = descend(squared(X), START, max_iterations=50).history
    for k in range(50):
        expected = history.iterate[k] - np.float32(history.step[k]) * history.gradient[k]
        assert torch.allclose(history.iterate[k + 1], expected, rtol=1e-5, atol=1e-6)


def test_each_row_holds_value_and_gradient_at_its_iterate():
    history = descend(squared(X), START, max_iterations=50).history
    for value, y, gradient in zip(
        history.value, history.iterate.numpy(), history.gradient.numpy(), strict=True
    ):
        residual = X.numpy() @ y - np.eye(3)
        assert value == pytest.approx((residual**2).sum(), rel=1e-4)
        np.testing.assert_allclose(gradient, 2 * X.numpy().T @ residual, rtol=1e-3, atol=1e-4)


def test_undo_moves_again_from_the_best_iterate():
    history = descend(bowl, torch.zeros(2), AdaptiveStep(step=3.0, on_rise="undo")).history
    best, undone = 0, 0
    for k in range(1, len(history)):
        expected = history.iterate[best] - history.step[k - 1] * history.gradient[best]
        assert torch.allclose(history.iterate[k], expected, atol=1e-6)
        if history.value[k] < history.value[best]:
            best = k
        else:
            undone += 1
    assert undone > 3


def test_keep_overshoots_where_undo_does_not():
    def steep(y):
        return y.pow(4).sum()

    start = torch.tensor([3.0], dtype=torch.float64)
    kept = descend(steep, start, AdaptiveStep(step=1.0), max_iterations=200)
    undone = descend(steep, start, AdaptiveStep(step=1.0, on_rise="undo"), target=1e-8)
    assert kept.reason is Reason.NOT_FINITE
    assert undone.reason is Reason.TARGET


def test_a_fixed_step_is_plain_gradient_descent():
    method = AdaptiveStep(step=0.3, grow=1, shrink=1)
    history = descend(bowl, torch.zeros(3), method, max_iterations=20).history
    assert set(history.step) == {0.3}
    # Each step shrinks the error by the factor 1 - 2 * 0.3.
    expected = 1 - 0.4 ** torch.arange(21.0)[:, None].expand(21, 3)
    assert torch.allclose(history.iterate, expected, atol=1e-6)


# --- Restarts and random numbers ------------------------------------------------------------------


def run_with_restarts(generator=None, **settings):
    method = AdaptiveStep(smallest=1e-4, restarts=8, **settings)
    return descend(absolute(X), START, method, generator=generator)


@pytest.mark.parametrize("stale", [True, False])
def test_restarts_are_marked_and_counted(stale):
    result = run_with_restarts(stale_restarts=stale)
    assert result.reason is Reason.STALLED and "all restarts were used (8)" in result.message
    assert result.restarts == len(result.history.restarts) == 8
    assert result.evaluations == len(result.history) == result.iterations + 1
    for row in result.history.restarts:
        # The row before a jump had just fallen below the smallest step and starts anew.
        assert result.history.step[row - 1] == 0.01


def test_the_same_generator_gives_the_same_run_and_another_a_different_one():
    values = [
        run_with_restarts(torch.Generator().manual_seed(seed)).history.value for seed in (1, 1, 2)
    ]
    assert values[0].tolist() == values[1].tolist()
    assert values[0].tolist() != values[2].tolist()


def test_without_a_generator_the_seed_is_0_and_the_global_one_is_left_alone():
    state = torch.random.get_rng_state()
    default = run_with_restarts()
    assert torch.equal(torch.random.get_rng_state(), state)
    seeded = run_with_restarts(torch.Generator().manual_seed(0))
    assert default.history.value.tolist() == seeded.history.value.tolist()


def test_relative_noise_shrinks_with_the_number_of_the_restart():
    def spread(number):
        generator = torch.Generator().manual_seed(3)
        return (relative_noise(torch.ones(10_000), number, generator) - 1).std().item()

    assert spread(1) == pytest.approx(0.1, rel=0.05)
    assert spread(5) == pytest.approx(0.02, rel=0.05)


def test_relative_noise_cannot_move_a_zero():
    generator = torch.Generator().manual_seed(0)
    assert relative_noise(torch.zeros(3), 1, generator).tolist() == [0, 0, 0]


def test_a_jump_that_edits_its_argument_edits_a_copy():
    def careless(y, number, generator):
        return y.mul_(1.5)

    plain = run_with_restarts(jump=lambda y, number, generator: y * 1.5)
    edited = run_with_restarts(jump=careless)
    assert torch.equal(edited.history.iterate, plain.history.iterate)


def test_a_tensor_that_a_jump_returns_stays_the_readers():
    mine = torch.ones(2)
    method = AdaptiveStep(
        step=1.2, grow=1, smallest=1.1, restarts=1, jump=lambda y, number, generator: mine
    )
    result = descend(bowl, torch.zeros(2), method, target=1e-3)
    assert result.reason is Reason.TARGET and result.restarts == 1
    result.iterate.fill_(7.0)
    assert mine.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("jump", "error", "message"),
    [
        (lambda y, j, g: None, TypeError, "jump must return a tensor, but it returned None"),
        (lambda y, j, g: y[0], ValueError, r"shape \(3, 3\).*returned shape \(3,\)"),
        (lambda y, j, g: y.double(), ValueError, "float32.*float64"),
    ],
)
def test_a_bad_jump_is_named(jump, error, message):
    with pytest.raises(error, match=message):
        run_with_restarts(jump=jump)


# --- Stopping -------------------------------------------------------------------------------------


def test_a_start_that_meets_the_target_is_returned_at_once():
    result = descend(bowl, torch.ones(2), target=0.1)
    assert (result.reason, result.iterations, result.evaluations) == (Reason.TARGET, 0, 1)
    assert result.iterate.tolist() == [1, 1] and len(result.history) == 1


def test_no_iterations_allowed():
    result = descend(bowl, torch.zeros(2), max_iterations=0)
    assert (result.reason, result.iterations, result.value) == (Reason.ITERATIONS, 0, 2.0)


def test_the_number_of_iterations_is_a_limit():
    result = descend(bowl, torch.zeros(2), max_iterations=7)
    assert (result.reason, result.iterations) == (Reason.ITERATIONS, 7)
    assert result.message == "7 iterations were made"


def test_the_best_iterate_is_returned_not_the_last():
    result = descend(bowl, torch.zeros(1), AdaptiveStep(step=1.2, grow=1, shrink=1), target=None,
                     max_iterations=5)  # fmt: skip
    assert result.history.value[-1] > result.history.value[0], "this step diverges"
    assert result.value == result.history.value.min() == 1.0
    assert result.iterate.tolist() == [0.0]


def test_the_iterate_that_met_the_rule_is_returned_even_if_an_earlier_one_was_lower():
    result = descend(
        bowl,
        torch.zeros(1),
        AdaptiveStep(step=1.2, grow=1, shrink=1),
        stop_when=lambda y, value, gradient: value > 3,
    )
    assert result.reason is Reason.RULE
    assert result.value == result.history.value[-1] > 3
    assert torch.equal(result.iterate, result.history.iterate[-1])


def test_the_rule_sees_iterate_value_and_gradient():
    seen = []

    def rule(iterate, value, gradient):
        seen.append((iterate.clone(), value, gradient.clone()))
        return gradient.norm() < 1e-3

    result = descend(bowl, torch.zeros(2), stop_when=rule)
    assert result.reason is Reason.RULE
    assert [value for _, value, _ in seen] == result.history.value.tolist()
    assert torch.equal(torch.stack([y for y, _, _ in seen]), result.history.iterate)
    assert torch.equal(torch.stack([g for _, _, g in seen]), result.history.gradient)


def test_reasons_are_strings():
    assert descend(bowl, torch.ones(2), target=0.1).reason == "target"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("replay", [True, False])
def test_a_value_that_is_not_finite_stops_the_run(bad, replay):
    def objective(y):
        return torch.where(y > 0.5, torch.full_like(y, bad), (y - 1).square())

    result = descend(objective, torch.tensor(0.0), AdaptiveStep(step=0.1), replay=replay)
    assert result.reason is Reason.NOT_FINITE
    assert str(bad) in result.message and "at a finite iterate" in result.message
    assert math.isfinite(result.value) and result.value == result.history.value[:-1].min()
    assert result.iterate <= 0.5


def test_a_step_that_leaves_the_range_is_named():
    result = descend(bowl, torch.zeros(1), AdaptiveStep(step=1e30, grow=1, shrink=1))
    assert result.reason is Reason.NOT_FINITE
    assert result.value == 1.0


def test_an_overflowing_iterate_is_named():
    result = descend(
        lambda y: (y * 1e-30).square().sum() - y.sum(), torch.zeros(1), AdaptiveStep(step=1e38)
    )
    assert result.reason is Reason.NOT_FINITE
    assert "left the range of torch.float32" in result.message


def test_a_gradient_that_is_not_finite_is_named():
    # At 0 the square root has the value 0 and an infinite slope.
    result = descend(
        lambda y: (y - 1).abs().sqrt().sum(),
        torch.tensor([2.0]),
        AdaptiveStep(step=2.0, grow=1, shrink=1),
    )
    assert result.reason is Reason.NOT_FINITE
    assert "the gradient before it was not finite" in result.message
    assert result.value == 0.0


# --- Interruption and errors: nothing is lost -----------------------------------------------------


def interrupted_at(call, action):
    calls = 0

    def objective(y):
        nonlocal calls
        calls += 1
        if calls == call:
            action()
        return bowl(y)

    return objective


def raise_interrupt():
    raise KeyboardInterrupt


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("action", [raise_interrupt, lambda: signal.raise_signal(signal.SIGINT)])
@pytest.mark.parametrize("call", [2, 3, 40])
def test_an_interrupt_returns_what_there_is(call, action):
    result = descend(interrupted_at(call, action), torch.zeros(2))
    assert result.reason is Reason.INTERRUPTED
    assert len(result.history) == call - 1 == result.iterations + 1
    plain = descend(bowl, torch.zeros(2), max_iterations=call - 2)
    assert result.history.value.tolist() == plain.history.value.tolist()
    assert torch.equal(result.iterate, plain.iterate)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no interval timer")
@pytest.mark.parametrize("replay", [True, False])
def test_an_interrupt_at_any_moment_returns_what_there_is(replay, monkeypatch):
    monkeypatch.setattr(descent, "ROWS_PER_CHUNK", 3)  # much packing, to be hit in the middle of it
    # The first call imports modules of torch, which would stay half imported after an interrupt.
    descend(squared(X), START, max_iterations=1, replay=replay)

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for attempt in range(20):
            signal.setitimer(signal.ITIMER_REAL, 0.03 + 0.00037 * attempt)
            try:
                result = descend(
                    squared(X), START, AdaptiveStep(step=1e-3, grow=1, shrink=1), replay=replay
                )
            except KeyboardInterrupt:
                continue  # it came before there was anything
            history = result.history
            assert result.reason is Reason.INTERRUPTED
            assert result.value <= history.value.min()
            assert len(history.iterate) == len(history.gradient) == len(history) > 0
            moved = history.iterate[:-1] - 1e-3 * history.gradient[:-1]
            assert torch.allclose(history.iterate[1:], moved, atol=1e-5), "a row is lost or doubled"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_an_interrupt_before_anything_is_known_goes_on_to_the_caller():
    with pytest.raises(KeyboardInterrupt):
        descend(interrupted_at(1, raise_interrupt), torch.zeros(2))


def test_an_interrupt_while_rows_are_packed_loses_and_doubles_nothing(monkeypatch):
    monkeypatch.setattr(descent, "ROWS_PER_CHUNK", 5)

    class Chunks(list):
        def append(self, chunk):
            super().append(chunk)
            if len(self) == 3:
                raise KeyboardInterrupt  # after the chunk is kept, before its rows are let go

    def log(like, keep_tensors, make=descent._Log):
        made = make(like, keep_tensors)
        made.chunks = Chunks()
        return made

    monkeypatch.setattr(descent, "_Log", log)
    result = descend(bowl, torch.zeros(2))
    monkeypatch.undo()
    plain = descend(bowl, torch.zeros(2), max_iterations=14)
    assert result.reason is Reason.INTERRUPTED
    assert result.history.value.tolist() == plain.history.value.tolist()


def test_an_error_of_the_objective_carries_the_result_so_far():
    def fail():
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        descend(interrupted_at(10, fail), torch.zeros(2))
    assert caught.value.result.iterations == 8
    assert "after iteration 8" in caught.value.__notes__[0]


def test_an_objective_that_turns_into_a_vector_is_refused_when_it_does():
    calls = []

    def objective(y):
        calls.append(y)
        return bowl(y) if len(calls) < 5 else y

    with pytest.raises(ValueError, match=r"scalar \(shape \(\)\), but it returned shape \(2,\)"):
        descend(objective, torch.zeros(2))


def test_the_start_and_the_gradients_of_the_reader_stay_as_they_are():
    start = torch.nn.Parameter(torch.zeros(2))
    weight = torch.ones(2, requires_grad=True)
    for method in (AdaptiveStep(), lambda p: torch.optim.SGD(p, lr=0.1)):
        result = descend(lambda y: (weight * (y - 1)).square().sum(), start, method, target=1e-3)
        assert start.tolist() == [0, 0] and start.grad is None and weight.grad is None
        assert not result.iterate.requires_grad and type(result.iterate) is torch.Tensor
        result.iterate.fill_(7.0)
        assert start.tolist() == [0, 0] and not (result.history.iterate == 7).any()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_runs_where_gradients_are_switched_off(mode):
    with mode():
        result = descend(bowl, torch.zeros(2), target=1e-3)
    assert result.reason is Reason.TARGET
    assert not result.iterate.is_inference() and not result.history.iterate.is_inference()


# --- The history ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 2, 7, 50, 51, 512])
def test_chunks_of_any_size_give_the_same_history(rows, monkeypatch):
    plain = run_with_restarts().history
    monkeypatch.setattr(descent, "ROWS_PER_CHUNK", rows)
    chunked = run_with_restarts().history
    for name in ("value", "step", "restarts", "iterate", "gradient"):
        assert torch.equal(
            torch.as_tensor(getattr(plain, name)), torch.as_tensor(getattr(chunked, name))
        )


def test_large_tensors_are_packed_in_chunks_of_few_rows(monkeypatch):
    monkeypatch.setattr(descent, "BYTES_PER_CHUNK", 1000)
    log = descent._Log(torch.zeros(30), keep_tensors=True)
    assert log.rows_per_chunk == 1000 // (2 * 30 * 4)
    assert descent._Log(torch.zeros(3000), keep_tensors=True).rows_per_chunk == 1


def test_the_history_can_do_without_tensors():
    full = descend(bowl, torch.zeros(2), max_iterations=30)
    slim = descend(bowl, torch.zeros(2), max_iterations=30, keep_tensors=False)
    assert slim.history.iterate is None and slim.history.gradient is None
    assert slim.history.value.tolist() == full.history.value.tolist()
    assert torch.equal(slim.iterate, full.iterate)


def test_evaluations_count_the_calls_of_the_objective():
    calls = []

    def objective(y):
        calls.append(1)
        return bowl(y)

    for method in (
        AdaptiveStep(restarts=2),
        lambda p: torch.optim.Adam(p, lr=0.1),
        lambda p: torch.optim.LBFGS(p, max_iter=1, line_search_fn="strong_wolfe"),
        lambda p: torch.optim.LBFGS(p),
    ):
        calls.clear()
        result = descend(objective, torch.zeros(2), method, max_iterations=20)
        assert result.evaluations == len(calls)


# --- Optimisers -----------------------------------------------------------------------------------

OPTIMISERS = {
    "fixed step": lambda p: torch.optim.SGD(p, lr=0.2),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.05),
    "L-BFGS": lambda p: torch.optim.LBFGS(p, max_iter=1, line_search_fn="strong_wolfe"),
}


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("replay", [True, False])
def test_optimisers_reach_the_inverse(name, replay):
    for seed in range(3):
        matrix = conditioned(3, 5.0, seed)
        start = torch.tensor(np.random.default_rng(seed).normal(size=(3, 3)))
        result = descend(squared(matrix), start, OPTIMISERS[name], target=1e-8, replay=replay)
        assert result.reason is Reason.TARGET
        inverse = np.linalg.inv(matrix.numpy())
        assert np.abs(result.iterate.numpy() - inverse).max() <= 1e-4 * 5


def test_a_torch_optimiser_gives_the_iterates_it_gives_by_itself():
    for factory in OPTIMISERS.values():
        result = descend(squared(X), START, factory, max_iterations=15)
        y = START.clone().requires_grad_()
        optimiser = factory([y])

        def closure(y=y, optimiser=optimiser):
            optimiser.zero_grad()
            value = squared(X)(y)
            value.backward()
            return value

        expected = [y.detach().clone()]
        for _ in range(15):
            optimiser.step(closure)
            expected.append(y.detach().clone())
        torch.testing.assert_close(result.history.iterate, torch.stack(expected))


def test_an_optimiser_without_a_line_search_needs_one_evaluation_per_iteration():
    for name in ("fixed step", "momentum", "Adam"):
        result = descend(bowl, torch.zeros(2), OPTIMISERS[name], max_iterations=20)
        assert result.evaluations == 21


def test_an_optimiser_that_edits_the_gradient_edits_a_copy():
    class Untidy(torch.optim.SGD):
        def step(self, closure):
            super().step(closure)
            self.param_groups[0]["params"][0].grad.zero_()

    def untidy(parameters):
        return Untidy(parameters, lr=0.2)

    tidy = descend(bowl, torch.zeros(2), OPTIMISERS["fixed step"], max_iterations=5)
    result = descend(bowl, torch.zeros(2), untidy, max_iterations=5)
    assert torch.equal(result.history.gradient, tidy.history.gradient)


def test_the_step_of_an_optimiser_is_its_learning_rate():
    result = descend(bowl, torch.zeros(1), OPTIMISERS["fixed step"], max_iterations=3)
    assert result.history.step.tolist() == [0.2] * 4


def test_an_optimiser_that_no_longer_moves_has_stalled():
    result = descend(bowl, torch.ones(2), OPTIMISERS["fixed step"])
    assert result.reason is Reason.STALLED and "unchanged" in result.message
    assert result.value == 0.0


@pytest.mark.parametrize(
    ("factory", "error", "message"),
    [
        (lambda p: None, TypeError, "torch.optim.Optimizer, but it returned None"),
        (
            lambda p: torch.optim.SGD([torch.zeros(2, requires_grad=True)], lr=0.1),
            ValueError,
            "exactly the parameters it is given",
        ),
    ],
)
def test_a_bad_factory_is_named(factory, error, message):
    with pytest.raises(error, match=message):
        descend(bowl, torch.zeros(2), factory)


# --- Replaying ------------------------------------------------------------------------------------

W = torch.linspace(-1, 1, 16, dtype=torch.float64).reshape(4, 4)

REPLAYABLE = {
    "absolute values": lambda y: (W @ y - torch.eye(4, dtype=y.dtype)).abs().sum(),
    "squares": lambda y: (W @ y).square().mean() + y.square().sum(),
    "its own argument twice": lambda y: (y * y).sum() + y.pow(3).abs().sum(),
    "saved results": lambda y: y.exp().sum() + y.tanh().sum() + y.sigmoid().mean(),
    "linear": lambda y: (3 * y).sum() + y.sum() * 0.5,
    "sum only": lambda y: y.sum(),
    "times one": lambda y: (y * torch.ones(4, 4, dtype=y.dtype)).mul(1.0).sum(),
    "ones that broadcast": lambda y: (y.sum(0) * torch.ones(4, 4, dtype=y.dtype)).square().sum(),
    "softmax": lambda y: -torch.log_softmax(W @ y, 1)[:, 0].sum(),
    "indices": lambda y: y[[0, 2]].square().sum() + y[1, 3] * y[2, 0],
    "cat and stack": lambda y: torch.cat([y, W]).square().sum() + torch.stack([y, y]).exp().mean(),
    "split": lambda y: sum((part.square().sum() for part in y.split(2)), torch.zeros(())),
    "max and min": lambda y: y.max() - y.min() + y.amax(0).sum() + y.max(1).values.sum(),
    "kinks": lambda y: y.relu().sum() + (y - W).abs().amax() + y.clamp(-0.5, 0.5).sum(),
    "where": lambda y: torch.where(y > 0, y.square(), -y).sum(),
    "solve": lambda y: torch.linalg.solve(y @ y.mT + torch.eye(4, dtype=y.dtype), W).square().sum(),
    "logdet": lambda y: torch.logdet(y @ y.mT + torch.eye(4, dtype=y.dtype)),
    "norms": lambda y: torch.linalg.matrix_norm(y) + y.norm() + torch.linalg.vector_norm(y, 1),
    "variance": lambda y: y.var() + y.std(0).sum() + y.mean(1).prod(),
    "cumulative": lambda y: y.cumsum(0).square().sum() + y.sort(0).values[0].sum(),
    "einsum": lambda y: torch.einsum("ij,jk,kl->", y, W, y),
    "views": lambda y: (y.mT.reshape(2, 8).flip(0)[:, ::2] * y.flatten()[:8].view(2, 4)).sum(),
    "another dtype": lambda y: (y.float() * 2).sum().double() + y.square().sum(),
    "complex inside": lambda y: torch.fft.fft(y).abs().square().sum(),
    "a conjugate": lambda y: (torch.fft.fft(y) * torch.fft.fft(y).conj() * (1 + 1j)).imag.sum(),
    "a library loss": lambda y: torch.nn.functional.huber_loss(y, W),
    "a layer": lambda y: torch.nn.functional.layer_norm(y, (4,)).square().mean() + y.sum(),
}


@pytest.mark.parametrize("name", REPLAYABLE)
def test_replaying_gives_the_numbers_of_calling(name):
    objective = REPLAYABLE[name]
    start = torch.tensor(np.random.default_rng(1).normal(size=(4, 4)))
    method = AdaptiveStep(step=1e-3, on_rise="undo")
    called, replayed = (
        descend(objective, start, method, max_iterations=40, replay=replay)
        for replay in (False, True)
    )
    np.testing.assert_allclose(replayed.history.value, called.history.value, rtol=1e-12)
    torch.testing.assert_close(replayed.history.gradient, called.history.gradient)
    assert len(set(called.history.value)) > 5, "the run must move"


ELEMENTWISE = [
    torch.sin, torch.tanh, torch.exp, torch.abs, torch.relu, torch.square, torch.neg, torch.cos,
    lambda t: t * 1.0, lambda t: t + 1, lambda t: 2 - t, lambda t: t.clone(), lambda t: t.mT,
    lambda t: t @ W, lambda t: t / (1 + t.square()), lambda t: t - t.mean(0), lambda t: t.detach(),
]  # fmt: skip


@DETERMINISTIC
@given(
    chain=st.lists(st.sampled_from(ELEMENTWISE), min_size=1, max_size=6),
    mix=st.lists(st.integers(0, 6), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
)
def test_replaying_random_compositions_gives_the_numbers_of_calling(chain, mix, seed):
    def objective(y):
        stages = [y]
        for function in chain:
            stages.append(function(stages[-1]))
        picked = [stages[i % len(stages)] for i in mix]
        return sum((p * y).mean() for p in picked) + y.square().mean()

    start = torch.tensor(np.random.default_rng(seed).normal(size=(4, 4))) / 4
    evaluate = evaluating.Replay(objective, start)
    for other in (start, start.mT.contiguous(), 0.5 - start):
        variable = other.clone().requires_grad_()
        value = objective(variable)
        (gradient,) = torch.autograd.grad(value, variable)
        replayed_value, replayed_gradient = evaluate(other)
        assert replayed_value == pytest.approx(value.item(), rel=1e-13, nan_ok=True)
        torch.testing.assert_close(replayed_gradient, gradient, equal_nan=True)


def test_replaying_does_not_call_the_objective_except_to_compare():
    calls = []

    def objective(y):
        calls.append(1)
        return absolute(X)(y)

    result = descend(objective, START, AdaptiveStep(restarts=50), replay=True, max_iterations=1000)
    assert result.evaluations == 1001
    assert len(calls) < 20


def test_a_replayed_objective_may_change_its_own_tensors_only():
    table, ones = torch.zeros(2), torch.ones(2)

    def its_own(y):
        total = torch.zeros(2)
        total += y
        total[0] *= 3.0
        total.view(1, 2).add_(-1.0)
        total = total + (y * ones).add_(0.5)
        return total.square().sum() + torch.zeros(2).index_put((torch.tensor([1]),), y[:1]).sum()

    def not_its_own(y):
        table.copy_(y.detach())
        return bowl(y) + table.sum()

    called, replayed = (
        descend(its_own, torch.zeros(2), max_iterations=40, replay=replay)
        for replay in (False, True)
    )
    assert called.history.value.tolist() == replayed.history.value.tolist()
    assert len(set(called.history.value)) > 10
    with pytest.raises(ValueError, match="copy_.*changes a tensor in place that is not its own"):
        descend(not_its_own, torch.zeros(2), replay=True)


@pytest.mark.parametrize(
    ("objective", "why"),
    [
        (lambda y: y.sum() * y.sum().item(), "reads a number out of a tensor"),
        (lambda y: y.square().sum() if y.sum() > 0 else y.sum(), "reads a number out of a tensor"),
        (lambda y: (y * torch.rand(2)).sum(), "draws random numbers"),
        (lambda y: torch.nn.functional.dropout(y).sum(), "draws random numbers"),
        (lambda y: y[y > 0].sum() + y.sum(), "a shape that depends on the data"),
        (lambda y: (y.diag().to_sparse() @ y[:, None]).sum(), "depends on the data|not dense"),
    ],
)
def test_what_cannot_be_replayed_is_refused(objective, why):
    with pytest.raises(ValueError, match=f"replay=True needs.*{why}"):
        descend(objective, torch.ones(2), replay=True)


class ThroughNumpy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, y):
        ctx.save_for_backward(y)
        return torch.from_numpy(np.asarray(np.square(y.detach().numpy()).sum()))

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        return grad * 2 * y


def test_what_happens_outside_torch_is_found_out():
    start = torch.ones(3, dtype=torch.float64)
    assert descend(ThroughNumpy.apply, start, target=1e-3).reason is Reason.TARGET
    with pytest.raises(ValueError, match="performs the same operations at every call"):
        descend(ThroughNumpy.apply, start, target=1e-3, replay=True)


@pytest.mark.parametrize("changes_in_call", range(2, 7))
def test_an_objective_that_changes_later_is_found_out(changes_in_call):
    # Calls: 1 at the door, 2 recorded, 3 compared at once, 4 and 5 compared in evaluations 2 and 4,
    # 6 compared at the result.
    calls = []

    def objective(y):
        calls.append(1)
        return bowl(y) * (1 if len(calls) < changes_in_call else 2)

    def run():
        return descend(objective, torch.zeros(2), replay=True, max_iterations=5)

    if changes_in_call == 2:
        assert run().history.value[0] == 4.0  # the same operations from the recording on
        return
    with pytest.raises(ValueError, match="performs the same operations at every call"):
        run()


def test_a_reader_who_changes_the_data_between_runs_gets_the_new_data():
    matrix = X.clone()
    objective = squared(matrix)
    first = descend(objective, START, target=1e-8, replay=True)
    matrix *= 2
    second = descend(objective, START, target=1e-8, replay=True)
    assert torch.allclose(first.iterate, 2 * second.iterate, atol=1e-2)


# --- Bad input ------------------------------------------------------------------------------------

GOOD = torch.zeros(2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((None, GOOD), TypeError, "objective must be callable, but it is None of type NoneType"),
        ((bowl, [0.0]), TypeError, r"start must be a tensor, but it is \[0.0\] of type list"),
        ((bowl, torch.zeros(2, dtype=torch.int64)), TypeError, "start .*floating.*torch.int64"),
        ((bowl, torch.zeros(2, dtype=torch.complex64)), TypeError, "start .*real.*complex64"),
        ((bowl, torch.zeros(2).to_sparse()), TypeError, "start must be a dense tensor"),
        ((bowl, torch.zeros(0, 2)), ValueError, r"start must have elements.*\(0, 2\)"),
        ((bowl, torch.tensor([1.0, math.nan])), ValueError, "start must be finite"),
        ((bowl, torch.tensor([math.inf])), ValueError, "start must be finite"),
        ((bowl, GOOD, "adam"), TypeError, "method must be an AdaptiveStep or a callable"),
        ((lambda y: y, GOOD), ValueError, r"scalar \(shape \(\)\), but it returned shape \(2,\)"),
        ((lambda y: y[:1], GOOD), ValueError, r"scalar.*returned shape \(1,\)"),
        ((lambda y: 1.0, GOOD), TypeError, "must return a tensor, but it returned 1.0 of type"),
        ((lambda y: None, GOOD), TypeError, "must return a tensor, but it returned None"),
        ((lambda y: torch.tensor(1.0), GOOD), ValueError, "does not depend on its argument"),
        ((lambda y: y.sum().detach(), GOOD), ValueError, "does not depend on its argument"),
        (
            (lambda y: torch.ones((), requires_grad=True) * 2, GOOD),
            ValueError,
            "does not depend on its argument",
        ),
        ((lambda y: y.argmax(), GOOD), TypeError, "floating-point value, not torch.int64"),
        ((lambda y: (y * 1j).sum(), GOOD), TypeError, "floating-point value, not torch.complex64"),
        ((lambda y: y.log().sum(), GOOD), ValueError, "objective is -inf at start"),
        ((lambda y: (y * math.nan).sum(), GOOD), ValueError, "objective is nan at start"),
        ((lambda y: y.sqrt().sum(), GOOD), ValueError, "a gradient that is not finite"),
    ],
)
@pytest.mark.parametrize("replay", [False, True])
def test_bad_arguments_are_named(arguments, error, message, replay):
    with pytest.raises(error, match=message):
        descend(*arguments, replay=replay)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"target": "low"}, TypeError, "target must be a number"),
        ({"target": math.nan}, ValueError, "target must be a finite number"),
        ({"stop_when": 3}, TypeError, "stop_when must be callable or None, but it is 3"),
        ({"max_iterations": 1.5}, TypeError, "max_iterations must be a whole number"),
        ({"max_iterations": True}, TypeError, "max_iterations must be a whole number"),
        ({"max_iterations": -1}, ValueError, "max_iterations must be >= 0, but it is -1"),
        ({"generator": 0}, TypeError, "generator must be a torch.Generator, but it is 0"),
    ],
)
def test_bad_options_are_named(options, error, message):
    with pytest.raises(error, match=message):
        descend(bowl, GOOD, **options)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"step": 0}, ValueError, "step must be a finite number > 0, but it is 0"),
        ({"step": math.inf}, ValueError, "step must be a finite number"),
        ({"step": "1"}, TypeError, "step must be a number > 0, but it is '1' of type str"),
        ({"grow": 0.9}, ValueError, "grow must be a finite number >= 1, but it is 0.9"),
        ({"shrink": 0}, ValueError, "shrink must be a finite number > 0 and <= 1"),
        ({"shrink": 1.5}, ValueError, "shrink must be"),
        ({"smallest": 0.0}, ValueError, "smallest must be"),
        ({"smallest": 0.02}, ValueError, r"smallest must be .* below step \(0.01\)"),
        ({"restarts": -1}, ValueError, "restarts must be >= 0, but it is -1"),
        ({"restarts": 2.0}, TypeError, "restarts must be a whole number"),
        ({"jump": 0.1}, TypeError, "jump must be callable, but it is 0.1"),
        ({"on_rise": "stop"}, ValueError, 'on_rise must be "keep" or "undo", but it is \'stop\''),
    ],
)
def test_bad_settings_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        AdaptiveStep(**settings)


# --- The progress bar -----------------------------------------------------------------------------


class FakeBar:
    made = []

    def __init__(self, total, **_):
        self.total, self.n, self.closed = total, 0, False
        FakeBar.made.append(self)

    def set_postfix(self, fields, refresh):
        self.fields = fields

    def update(self, n):
        self.n += n

    def close(self):
        self.closed = True


@pytest.fixture
def fake_bar(monkeypatch):
    monkeypatch.setattr(FakeBar, "made", [])
    monkeypatch.setattr(descent, "SECONDS_PER_REFRESH", 0.0)
    monkeypatch.setitem(sys.modules, "tqdm", types.SimpleNamespace(tqdm=FakeBar))
    return FakeBar


def test_a_short_run_shows_no_bar(fake_bar):
    descend(bowl, torch.zeros(2), max_iterations=5)
    assert not fake_bar.made


def test_a_long_run_shows_a_bar(fake_bar, monkeypatch):
    monkeypatch.setattr(descent, "SECONDS_UNTIL_BAR", 0.0)
    descend(bowl, torch.zeros(2), max_iterations=50)
    (bar,) = fake_bar.made
    assert (bar.total, bar.n, bar.closed) == (50, 50, True)
    assert "value" in bar.fields


def test_the_bar_is_closed_after_an_interrupt(fake_bar):
    descend(interrupted_at(10, raise_interrupt), torch.zeros(2), progress=True)
    assert fake_bar.made[0].closed


def test_no_bar_where_none_is_wanted(fake_bar, monkeypatch):
    monkeypatch.setattr(descent, "SECONDS_UNTIL_BAR", 0.0)
    descend(bowl, torch.zeros(2), max_iterations=50, progress=False)
    assert not fake_bar.made


def test_without_tqdm_a_run_has_no_bar_unless_one_is_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(descent, "SECONDS_UNTIL_BAR", 0.0)
    assert descend(bowl, torch.zeros(2), max_iterations=50).iterations == 50
    with pytest.raises(ImportError, match="progress=True needs the package tqdm"):
        descend(bowl, torch.zeros(2), progress=True)
