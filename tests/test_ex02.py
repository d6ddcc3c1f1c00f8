"""Answers that real readers hand in to the exercises of notebook 02."""

import itertools
import math
import random
import re

import numpy as np
import pytest

from autodiff_course import graph
from autodiff_course.exercises import _wrong02_pairs, duals02, ex02
from autodiff_course.exercises.ex02 import Dual


def _message(one, answer):
    result = one.check(answer)
    assert result.status in ("wrong", "other way"), result
    return result.message


# Right answers in other styles


def _unit(n, place):
    unit = [0] * n
    unit[place] = 1
    return unit


def _product_as_a_list(x, y):
    a, da, b, db = x.value, x.tangent, y.value, y.tangent
    return [a * b, a * db + b * da]


def _quotient_rule(x, y):
    slope = (x.tangent * y.value - x.value * y.tangent) / y.value**2
    return x.value / y.value, slope


def _quotient_by_local_derivatives(x, y):
    return x.value / y.value, x.tangent / y.value - x.value / y.value**2 * y.tangent


def _newton_by_two_runs(f, x):
    return x - f(Dual(x, 1.0)).value / f(Dual(x, 1.0)).tangent


def _newton_by_a_sweep(f, x):
    at = graph.Scalar(x)
    y = f(at)
    return x - y.value / graph.gradient(y, at)


def _jvp_by_a_loop(f, point, direction):
    inputs = []
    for i in range(len(point)):
        inputs.append(Dual(point[i], direction[i]))
    result = []
    for output in f(*inputs):
        result.append(ex02.lift(output).tangent)
    return tuple(result)


def _jvp_by_columns(f, point, direction):
    total = None
    for j, weight in enumerate(direction):
        column = [ex02.lift(y).tangent for y in f(*map(Dual, point, _unit(len(point), j)))]
        column = [weight * entry for entry in column]
        total = column if total is None else [a + b for a, b in zip(total, column, strict=True)]
    return total


def _jvp_by_a_sweep(f, point, direction):
    inputs = [graph.Scalar(value) for value in point]
    outputs = [y if isinstance(y, graph.Scalar) else graph.Scalar(y) for y in f(*inputs)]
    seeds = dict(zip(inputs, direction, strict=True))
    tangent = {step.node: step.total for step in graph.forward_sweep(outputs, wrt=seeds)}
    return [tangent[output] for output in outputs]


def _pair_by_numpy(push, pull, n, m):
    np = pytest.importorskip("numpy")
    source = np.random.default_rng(0)
    v, u = source.normal(size=n), source.normal(size=m)
    return np.isclose(np.dot(u, push(list(v))), np.dot(pull(list(u)), v), rtol=1e-9)


def _pair_by_whole_matrices(push, pull, n, m):
    columns = [push(_unit(n, j)) for j in range(n)]
    rows = [pull(_unit(m, i)) for i in range(m)]
    return all(
        duals02.close(columns[j][i], rows[i][j]) for i, j in itertools.product(range(m), range(n))
    )


def _columns_by_index(push, n):
    columns = [push(_unit(n, j)) for j in range(n)]
    return [[columns[j][i] for j in range(n)] for i in range(len(columns[0]))]


def _columns_after_a_trial(push, n):
    rows = len(push([0.0] * n))
    return [[push(_unit(n, j))[i] for j in range(n)] for i in range(rows)]


def _columns_as_tuples(push, n):
    return list(zip(*(push(_unit(n, j)) for j in range(n)), strict=True))


def _columns_by_numpy(push, n):
    np = pytest.importorskip("numpy")
    return np.array([push(list(row)) for row in np.eye(n)]).T


def _rows_by_a_loop(pull, m):
    rows = []
    for i in range(m):
        seed = [0.0] * m
        seed[i] = 1.0
        rows.append(pull(seed))
    return rows


def _transposed_by_the_whole_jacobian(push, candidates):
    right = _columns_by_index(push, len(candidates[0]))
    return next(
        i
        for i, one in enumerate(candidates)
        if not all(
            math.isclose(a, b, abs_tol=1e-9)
            for row, true in zip(one, right, strict=True)
            for a, b in zip(row, true, strict=True)
        )
    )


def _brackets_by_matrices(sizes):
    def work(shapes):
        total, left = 0, shapes[0]
        for shape in shapes[1:]:
            total += left[0] * left[1] * shape[1]
            left = (left[0], shape[1])
        return total

    shapes = [(p, q) for q, p in itertools.pairwise(sizes)]
    flipped = [(q, p) for p, q in shapes]
    return work(flipped), work(shapes[::-1])


def _costs_by_parts(operations, rules, edges, inputs, outputs):
    forward = sum(operations * (k == 0) + rules * (k == 0) + edges for k in range(inputs))
    forward += inputs * (edges - operations)
    reverse_additions = edges - operations - inputs + outputs
    return [forward, operations + rules + outputs * (edges + reverse_additions)]


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("multiply_duals", _product_as_a_list),
        ("divide_duals", _quotient_rule),
        ("divide_duals", _quotient_by_local_derivatives),
        ("newton_step", _newton_by_a_sweep),
        ("jvp", _jvp_by_a_loop),
        ("jvp", _jvp_by_a_sweep),
        ("is_dual_pair", _pair_by_numpy),
        ("jacobian_by_columns", _columns_by_index),
        ("jacobian_by_columns", _columns_as_tuples),
        ("jacobian_by_columns", _columns_by_numpy),
        ("jacobian_by_rows", _rows_by_a_loop),
        ("bracket_costs", _brackets_by_matrices),
        ("jacobian_costs", _costs_by_parts),
    ],
)
def test_right_answers_in_other_styles(name, answer):
    result = getattr(ex02, name).check(answer)
    assert result, result


# The course's own answers against an independent truth


def _recorded(f, point):
    inputs = [graph.Scalar(value) for value in point]
    return inputs, f(*inputs)


def _one_output(x, y, z):
    return [(x + y) * (z + 1)]


def test_jvp_is_the_forward_sweep():
    point, direction = [0.7, -1.3, 2.0], [0.5, -2.0, 1.0]
    inputs, outputs = _recorded(_one_output, point)
    seeds = dict(zip(inputs, direction, strict=True))
    swept = {step.node: step.total for step in graph.forward_sweep(outputs, wrt=seeds)}
    assert ex02.jvp.reference(_one_output, point, direction) == pytest.approx(
        [swept[y] for y in outputs]
    )


def test_dual_numbers_agree_with_scalars_on_every_operation():
    def every(x, y):
        return (2 * x - x * y).sin() / (1 + y.cos() * y.cos()) + x / 3 + (1 - y) / -x + 2 / x - 5

    inputs, output = _recorded(every, [0.4, 1.9])
    for seeds in ((1.0, 0.0), (0.0, 1.0), (0.3, -2.0)):
        mine = every(Dual(0.4, seeds[0]), Dual(1.9, seeds[1]))
        true = sum(a * b for a, b in zip(seeds, graph.gradient(output, inputs), strict=True))
        assert (mine.value, mine.tangent) == pytest.approx((output.value, true))


def _several(x, y, z):
    s = (x * y).sin()
    return [s * s + z, s * z, (x + z) * (y + z)]


def test_the_costs_of_the_sweeps_are_those_of_the_sweeps():
    """Count multiplications and additions step by step, over three inputs and three outputs."""
    inputs, outputs = _recorded(_several, [0.5, 2.0, -1.0])
    order = graph.topological_order(outputs)
    edges = sum(len(node.parents) for node in order)
    operations = len(order) - len(inputs)
    forward = _arithmetic(graph.forward_sweep(outputs, wrt=inputs[0]), seeded=inputs)
    reverse = _arithmetic(graph.reverse_sweep(dict.fromkeys(outputs, 1.0)), seeded=outputs)
    once = operations + 1  # the rule of one sine
    assert ex02.jacobian_costs.reference(operations, 1, edges, 3, 3) == (
        once + 3 * forward,
        once + 3 * reverse,
    )


def _arithmetic(steps, seeded):
    held, work = set(), 0
    for step in steps:
        if step.edge:
            work += 1 + (step.node in held)
        held.add(step.node)
    assert set(seeded) <= held
    return work


def test_the_cost_of_a_gradient_is_that_of_the_package():
    x = [graph.Scalar(0.5) for _ in range(6)]
    f = sum((a * b.sin() for a, b in itertools.pairwise(x)), start=x[0] * x[0])
    counts = graph.count_operations(f)
    costs = ex02.jacobian_costs.reference(counts.operations, 5, counts.edges, 6, 1)
    once = counts.operations + 5
    assert costs == (
        once + 6 * (counts.forward_multiplications + counts.forward_additions),
        once + counts.reverse_multiplications + counts.reverse_additions,
    )


# What readers really get wrong


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("newton_step", _newton_by_two_runs),
        ("jvp", _jvp_by_columns),
        ("is_dual_pair", _pair_by_whole_matrices),
        ("find_transposed", _transposed_by_the_whole_jacobian),
        ("jacobian_by_columns", _columns_after_a_trial),
    ],
)
def test_more_runs_than_needed_are_told_apart_from_wrong_answers(name, answer):
    result = getattr(ex02, name).check(answer)
    assert result.status == "other way"
    assert result.message.startswith("More ")


@pytest.mark.parametrize("step", [1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8])
def test_a_central_difference_is_no_jvp(step):
    def answer(f, point, direction):
        ends = []
        for h in (step, -step):
            moved = [Dual(x + h * v) for x, v in zip(point, direction, strict=True)]
            ends.append([ex02.lift(output).value for output in f(*moved)])
        return [(high - low) / (2 * step) for high, low in zip(*ends, strict=True)]

    assert "difference of two runs" in _message(ex02.jvp, answer)


@pytest.mark.parametrize("step", [1e-3, 1e-4, 1e-5, 1e-6, 1e-8])
def test_a_nudged_newton_step_is_told_so(step):
    def forward(f, x):
        low, high = f(Dual(x)).value, f(Dual(x + step)).value
        return x - low * step / (high - low)

    assert "difference of two runs" in _message(ex02.newton_step, forward)


@pytest.mark.parametrize("step", [1e-3, 1e-5, 1e-7])
def test_a_function_of_dual_numbers_is_not_run_on_floats(step):
    def newton(f, x):
        return x - f(x) * 2 * step / (f(x + step) - f(x - step))

    def jvp(f, point, direction):
        moved = ([x + h * v for x, v in zip(point, direction, strict=True)] for h in (step, -step))
        return [(up - down) / (2 * step) for up, down in zip(*(f(*x) for x in moved), strict=True)]

    assert "a float has no tangent" in _message(ex02.newton_step, newton)
    assert "a float has no tangent" in _message(ex02.jvp, jvp)


def test_a_constant_output_does_not_change():
    def answer(f, point, direction):
        return [output.tangent for output in f(*map(Dual, point, direction))]

    assert "lift each output" in _message(ex02.jvp, answer)
    assert ex02.jvp.reference(lambda x, y: [x * y, 5.0], [2.0, 3.0], [1.0, 0.0]) == [3.0, 0.0]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_no_unit_vector_finds_every_transposed_candidate(place):
    def answer(push, candidates):
        unit = _unit(len(candidates[0]), min(place, len(candidates[0]) - 1))
        truth = push(unit)
        wrong = (
            i
            for i, one in enumerate(candidates)
            if duals02.first_that_differs(push, [one], unit) == 0
        )
        return next(wrong, None) if truth else None

    assert ex02.find_transposed.check(answer).status == "wrong"


@pytest.mark.parametrize("tolerance", [1e-6, 1e-5, 1e-4])
def test_a_relative_tolerance_that_lets_a_fault_through_is_told_so(tolerance):
    def answer(push, pull, n, m):
        v, u = ([random.gauss(0.0, 1.0) for _ in range(k)] for k in (n, m))
        forward = sum(a * b for a, b in zip(u, push(v), strict=True))
        reverse = sum(a * b for a, b in zip(pull(u), v, strict=True))
        return math.isclose(forward, reverse, rel_tol=tolerance, abs_tol=1e-9)

    for seed in range(10):
        assert "tolerance too wide" in ex02.is_dual_pair.check(answer, seed=seed).message
    tolerance = 1e-9
    assert ex02.is_dual_pair.check(answer)


def _fixed(v):
    def answer(push, candidates):
        return duals02.first_that_differs(push, candidates, v[: len(candidates[0])])

    return answer


def test_a_fixed_direction_is_not_praised_for_being_random():
    for v in duals02.FIXED:
        assert ex02.find_transposed.check(_fixed([*v, 4.0])).status == "wrong"
    assert "for a fixed one a Jacobian can be made" in ex02.find_transposed.insight
    assert "Your v is fixed" in _message(ex02.find_transposed, _fixed([1.0, 2.0, 3.0, 4.0]))
    for v in ([1.0, 10.0, 100.0, 1000.0], [1.0, 2.0, 4.0, 8.0]):
        result = ex02.find_transposed.check(_fixed(v))
        assert result.status == "other way" and "the same each time" in result.message


@pytest.mark.parametrize("draw", [lambda: random.gauss(0.0, 1.0), lambda: random.randint(1, 99)])
def test_a_relative_comparison_finds_the_transposed_one_too(draw):
    def answer(push, candidates):
        v = [draw() for _ in candidates[0]]
        truth = push(v)
        wrong = (not all(map(math.isclose, duals02.times(c)(v), truth)) for c in candidates)
        return list(wrong).index(True)

    assert ex02.find_transposed.check(answer)


@pytest.mark.parametrize(
    ("v", "message"),
    [([1.0, 2.0, 3.0, 4.0], "v is fixed"), ([1.0] * 4, "With ones"), ([1.0, 0, 0, 0], "One unit")],
)
def test_the_farthest_candidate_along_a_fixed_direction_is_told_so(v, message):
    def answer(push, candidates):
        n = len(candidates[0])
        truth = push(v[:n])
        return max(
            range(len(candidates)),
            key=lambda i: math.dist(duals02.times(candidates[i])(v[:n]), truth),
        )

    assert message in _message(ex02.find_transposed, answer)


def _picked_by(agree):
    def answer(push, candidates):
        v = [random.gauss(0.0, 1.0) for _ in candidates[0]]
        truth = push(v)
        wrong = (i for i, c in enumerate(candidates) if not agree(duals02.times(c)(v), truth))
        return next(wrong, None)

    return answer


@pytest.mark.parametrize(
    ("agree", "message"),
    [
        (lambda p, t: math.isclose(p[0], t[0]), "one component"),
        (lambda p, t: math.isclose(p[1], t[1]), "one component"),
        (lambda p, t: math.isclose(p[-1], t[-1]), "one component"),
        (lambda p, t: math.isclose(sum(p), sum(t)), "the sum of"),
        (lambda p, t: any(map(math.isclose, p, t)), "every component must agree"),
        (lambda p, t: math.isclose(math.hypot(*p), math.hypot(*t)), "every component must agree"),
    ],
)
def test_a_comparison_that_sees_too_little_is_told_so(agree, message):
    assert message in _message(ex02.find_transposed, _picked_by(agree))


def _pair_drawn(make):
    def answer(push, pull, n, m):
        v, u = make(push, pull, *([random.gauss(0.0, 1.0) for _ in range(k)] for k in (n, m)))
        forward = sum(a * b for a, b in zip(u, push(v), strict=True))
        return duals02.close(forward, sum(a * b for a, b in zip(pull(u), v, strict=True)))

    return answer


def test_a_vector_made_from_push_or_pull_is_told_so():
    u_from_push = _pair_drawn(lambda push, pull, v, u: (v, push(v)))
    v_from_pull = _pair_drawn(lambda push, pull, v, u: (pull(u), u))
    assert "u must not be made from push" in _message(ex02.is_dual_pair, u_from_push)
    assert "v must not be made from pull" in _message(ex02.is_dual_pair, v_from_pull)


def test_the_transpose_is_not_the_inverse():
    def undone(push, pull, n, m):
        v = [random.gauss(0.0, 1.0) for _ in range(n)]
        return all(map(duals02.close, pull(push(v)), v))

    assert "not the inverse" in _message(ex02.is_dual_pair, undone)


def test_one_dual_number_is_not_two_outputs():
    jvp = ex02.as_lists(ex02.jvp.reference)
    with pytest.raises(TypeError, match="not iterable"):
        jvp(lambda a, b: (a + b) * (b + 1), [2.0, 1.0], [1.0, 0.0])
    with pytest.raises(TypeError, match="not supported"):
        ex02.Dual(2.0, 1.0) < ex02.Dual(2.0, 5.0)  # noqa: B015


def test_a_dual_number_that_is_unpacked_is_told_where_its_numbers_are():
    def unpacked(x, y):
        (a, da), (b, db) = x, y
        return a * b, a * db + b * da

    for answer in (unpacked, lambda x, y: (x[0] * y[0], x[0] * y[1] + x[1] * y[0])):
        assert "take its .value and .tangent" in _message(ex02.multiply_duals, answer)


def _newton(steps, seed):
    def answer(f, x):
        for _ in range(steps):
            y = f(Dual(x, seed))
            x = x - y.value / y.tangent
        return x

    return answer


@pytest.mark.parametrize("steps", [5, 10, 100])
def test_a_loop_is_not_one_step(steps):
    assert "One step only" in _message(ex02.newton_step, _newton(steps, 1.0))


@pytest.mark.parametrize("seed", [1e-8, 1e-6])
def test_the_seed_is_no_small_step(seed):
    assert "no small step" in _message(ex02.newton_step, _newton(1, seed))


def test_the_odd_candidate_is_not_the_transposed_one_for_that():
    def answer(push, candidates):
        return min(range(len(candidates)), key=lambda i: candidates.count(candidates[i]))

    assert "ask push" in _message(ex02.find_transposed, answer)


def test_an_unseeded_newton_step_is_recognised_by_its_division():
    def answer(f, x):
        y = f(Dual(x))
        return x - y.value / y.tangent

    assert "the tangent 1" in _message(ex02.newton_step, answer)


@pytest.mark.parametrize(
    ("name", "answer", "message"),
    [
        (
            "divide_duals",
            lambda x, y: (
                x.value / y.value,
                (x.value * y.tangent - y.value * x.tangent) / y.value**2,
            ),
            "Both signs",
        ),
        ("jacobian_by_columns", lambda push, n: [[y] * n for y in push([1] * n)], "all ones"),
        ("jacobian_by_rows", lambda pull, m: [pull([1.0] * m) for _ in range(m)], "all ones"),
        ("bracket_costs", lambda sizes: [_through(sizes), _through(sizes[::-1])], "a vector"),
        (
            "jacobian_costs",
            lambda f, r, e, n, m: (f + r + 2 * e - f, f + r + 2 * e - f - n + m),
            "one sweep each way",
        ),
        (
            "jacobian_costs",
            lambda f, r, e, n, m: (f + n * (2 * e - f), f + m * (2 * e - f - n + m)),
            "local rules are missing",
        ),
        (
            "bracket_costs",
            lambda sizes: [sum(map(math.prod, zip(sizes, sizes[1:], sizes[2:], strict=False)))] * 2,
            "the whole result so far",
        ),
        (
            "jacobian_costs",
            lambda f, r, e, n, m: (f + r + n * (2 * e - 1), f + r + m * (2 * e - 1)),
            "Not one node alone",
        ),
        (
            "jacobian_costs",
            lambda f, r, e, n, m: (f + r + n * (2 * e - f - n), f + r + m * (2 * e - f - n + m)),
            "the inputs receive nothing",
        ),
        (
            "jacobian_costs",
            lambda f, r, e, n, m: (f + r + n * (2 * e - f), f + r + m * (2 * e - f - n)),
            "the outputs hold their seeds",
        ),
        ("matmul_vjp", lambda A, B, adjoint: (adjoint * B, adjoint * A), "Entry by entry"),
        ("matmul_vjp", lambda A, B, adjoint: adjoint.mm(B.T), "Two adjoints"),
    ],
)
def test_typical_slips_are_met_with_their_message(name, answer, message):
    if name == "matmul_vjp":
        pytest.importorskip("torch")
    assert message in _message(getattr(ex02, name), answer)


def _through(sizes):
    return sum(p * q for p, q in itertools.pairwise(sizes))


def test_a_shared_seed_that_is_never_cleared():
    def answer(push, n):
        seed, columns = [0.0] * n, []
        for j in range(n):
            seed[j] = 1.0
            columns.append(push(seed))
        return [list(row) for row in zip(*columns, strict=True)]

    assert _message(ex02.jacobian_by_columns, answer).startswith("The seed of the input before")


def test_columns_laid_down_as_rows():
    message = _message(
        ex02.jacobian_by_columns, lambda push, n: [push(_unit(n, j)) for j in range(n)]
    )
    assert "Rows are outputs." in message


def test_comparing_by_equality_fails_for_rounding():
    def answer(push, pull, n, m):
        v = [random.gauss(0.0, 1.0) for _ in range(n)]
        u = [random.gauss(0.0, 1.0) for _ in range(m)]
        forward = sum(a * b for a, b in zip(u, push(v), strict=True))
        return forward == sum(a * b for a, b in zip(pull(u), v, strict=True))

    random.seed(0)
    result = ex02.is_dual_pair.check(answer)
    assert result.status == "wrong"


def test_a_pull_on_the_wrong_side_for_a_shape():
    result = ex02.is_dual_pair.check(lambda push, pull, n, m: push([1.0] * m) == pull([1.0] * n))
    assert "expected 3 numbers, got 2" in result.message


def test_library_calls_that_do_the_whole_exercise_are_not_counted():
    torch = pytest.importorskip("torch")

    def by_grad(A, B, adjoint):
        A, B = A.clone().requires_grad_(), B.clone().requires_grad_()
        return torch.autograd.grad(A @ B, (A, B), adjoint)

    def by_backward(A, B, adjoint):
        A, B = A.clone().requires_grad_(), B.clone().requires_grad_()
        (A @ B).backward(adjoint)
        return A.grad, B.grad

    def by_vjp(A, B, adjoint):
        return torch.func.vjp(torch.matmul, A, B)[1](adjoint)

    for answer in (by_grad, by_backward, by_vjp):
        result = ex02.matmul_vjp.check(answer)
        assert result.status == "other way"
        assert result.message.startswith("Right numbers")


def test_the_product_rule_of_matrices_in_other_styles():
    torch = pytest.importorskip("torch")

    def by_einsum(A, B, adjoint):
        return torch.einsum("ik,jk->ij", adjoint, B), torch.einsum("ij,ik->jk", A, adjoint)

    def by_mt(A, B, adjoint):
        return [adjoint.matmul(B.mT), (adjoint.mT @ A).mT]

    for answer in (by_einsum, by_mt):
        assert ex02.matmul_vjp.check(answer)


def test_loops_over_entries_are_no_product_of_matrices():
    torch = pytest.importorskip("torch")

    def by_loops(A, B, adjoint):
        of_A, of_B = torch.zeros_like(A), torch.zeros_like(B)
        for i, j in itertools.product(*map(range, A.shape)):
            for k in range(B.shape[1]):
                of_A[i, j] += adjoint[i, k] * B[j, k]
                of_B[j, k] += A[i, j] * adjoint[i, k]
        return of_A, of_B

    def by_lists(A, B, adjoint):
        rows = adjoint.tolist()
        of_A = [[sum(map(math.prod, zip(c, b, strict=True))) for b in B.tolist()] for c in rows]
        return torch.tensor(of_A, dtype=A.dtype), A.T @ adjoint

    for answer in (by_loops, by_lists):
        result = ex02.matmul_vjp.check(answer)
        assert result.status == "other way" and "entry by entry" in result.message


# Drills


def _numbers_in(problem):
    """Return the numbers that a question names, but for those of its formulas."""
    text = re.sub(r"f_\d|\(b \+ 1\)", "", problem.question)
    return [int(number) for number in re.findall(r"-?\d+", text)]


@pytest.mark.parametrize("seed", range(30))
def test_the_drills_have_the_right_answers(seed):
    a, b, da, db = _numbers_in(ex02.drill_tangent.problem(seed))
    assert len({a, b, da, db}) == 4 and a + b != 0
    e = (Dual(a, da) + Dual(b, db)) * (Dual(b, db) + 1)
    assert ex02.drill_tangent.problem(seed).answer == e.tangent
    *point, u1, u2 = _numbers_in(ex02.drill_adjoint.problem(seed))
    assert len({*point, u1, u2}) == 4
    x, y = map(graph.Scalar, point)
    weights = {x * y: float(u1), x + y: float(u2)}
    adjoint = {step.node: step.total for step in graph.reverse_sweep(weights)}
    assert ex02.drill_adjoint.problem(seed).answer == adjoint[x]
    sweeps = ex02.drill_sweeps.problem(seed)
    n, m = _numbers_in(sweeps)
    assert n != m and sweeps.answer == min(n, m) and str(min(n, m)) in sweeps.why
    assert " 1 inputs" not in sweeps.question and " 1 outputs" not in sweeps.question


def test_nothing_but_the_last_exercise_needs_torch():
    needing = [one for one in vars(ex02).values() if getattr(one, "_needs", ())]
    assert needing == [ex02.matmul_vjp]


@pytest.mark.parametrize("name", ["multiply_duals", "divide_duals"])
def test_the_operator_that_is_to_be_written_is_not_there(name):
    message = _message(
        getattr(ex02, name), (lambda x, y: x * y) if name[0] == "m" else lambda x, y: x / y
    )
    assert "is what you are writing" in message


def test_exact_comparison_is_told_of_rounding():
    def exactly(push, candidates):
        v = [random.gauss(0.0, 1.0) for _ in candidates[0]]
        return next(
            (i for i, one in enumerate(candidates) if duals02.times(one)(v) != push(v)), None
        )

    assert "rounding differs" in _message(ex02.find_transposed, exactly)


def _pair_within(tolerance, draw=lambda: random.gauss(0.0, 1.0)):
    def answer(push, pull, n, m):
        v, u = [draw() for _ in range(n)], [draw() for _ in range(m)]
        forward = sum(a * b for a, b in zip(u, push(v), strict=True))
        return abs(forward - sum(a * b for a, b in zip(pull(u), v, strict=True))) <= tolerance

    return answer


@pytest.mark.parametrize(
    "answer",
    [_pair_within(1e-2), _pair_within(0.0), _pair_within(1e-9, lambda: random.randint(0, 1))],
)
def test_a_careless_pair_test_never_passes_by_luck(answer):
    assert not any(ex02.is_dual_pair.check(answer, seed=seed) for seed in range(20))


@pytest.mark.parametrize(
    ("same", "message"),
    [
        (lambda a, b: abs(a - b) < 1e-9, "large numbers"),
        (lambda a, b: abs(a - b) < 1e-6, "large numbers"),
        (lambda a, b: round(a, 6) == round(b, 6), "large numbers"),
        (math.isclose, "Give abs_tol too"),
    ],
)
def test_half_a_tolerance_is_told_which_half_is_missing(same, message):
    def answer(push, pull, n, m):
        v, u = ([random.gauss(0.0, 1.0) for _ in range(k)] for k in (n, m))
        forward = sum(a * b for a, b in zip(u, push(v), strict=True))
        return same(forward, sum(a * b for a, b in zip(pull(u), v, strict=True)))

    assert message in _message(ex02.is_dual_pair, answer)


def test_equality_to_the_last_bit_is_told_so():
    assert "by ==" in _message(ex02.is_dual_pair, _pair_within(0.0))


def test_one_vector_on_both_sides_is_told_so():
    assert "u equals your v" in _message(ex02.is_dual_pair, _wrong02_pairs._same_vector)


@pytest.mark.parametrize("number", [np.float64(2.0), np.float32(2.0), np.int64(2)])
def test_a_number_of_numpy_may_stand_before_a_dual_number(number):
    x = ex02.Dual(3.0, 1.0)
    assert (number + x, number * x) == (ex02.Dual(5.0, 1.0), ex02.Dual(6.0, 2.0))


@pytest.mark.parametrize("thing", [np.array([1.0, 2.0]), "2", [2.0], 1j, None])
def test_lift_refuses_what_is_no_real_number(thing):
    with pytest.raises(TypeError, match="a Dual or a real number"):
        ex02.lift(thing)
