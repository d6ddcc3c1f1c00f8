"""Answers that real readers hand in to the exercises of notebook 08."""

import random
import re
from collections import Counter, defaultdict
from itertools import combinations, product

import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import splu, spsolve

from autodiff_course.exercises import _cases08, ex08
from autodiff_course.exercises.pictures08 import draw_graph, draw_index_sets
from autodiff_course.exercises.recording08 import recorded_gradient
from autodiff_course.sparse import color, hessian_pattern, verify_coloring


def _dense(rows):
    return np.array([[j in row for j in range(len(rows))] for row in rows])


def test_bools_and_arrays_are_patterns_too():
    pattern = np.array(ex08.pattern_by_hand.reference())
    assert ex08.pattern_by_hand.check(pattern.astype(bool))
    assert ex08.pattern_by_hand.check(torch.tensor(pattern))


# trace


def test_a_tracer_with_frozen_sets_and_one_loop_over_elements_is_right():
    def answer(steps):
        known = {}
        for step in steps:
            result = []
            for i in range(step.size):
                if step.kind == "input":
                    seen = {i}
                elif step.kind == "constant":
                    seen = set()
                elif step.kind == "elementwise":
                    seen = set()
                    for name in step.operands:
                        part = known[name]
                        seen |= part[i] if len(part) == step.size else part[0]
                elif step.kind == "move":
                    at = step.source[i]
                    seen = known[step.operands[0]][at] if at is not None else set()
                else:
                    seen = set.union(set(), *known[step.operands[0]])
                result.append(frozenset(seen))
            known[step.name] = result
        return result

    result = ex08.trace.check(answer)
    assert result, result


def test_a_tracer_that_takes_none_for_the_last_element_is_wrong():
    def answer(steps):
        cleaned = [
            step._replace(source=tuple(-1 if k is None else k for k in step.source))
            for step in steps
        ]
        return ex08.trace.reference(cleaned)

    assert not ex08.trace.check(answer)


def _grid(x):
    u = x.view(3, 4)
    return (u.diff(dim=0) ** 4).sum() + (u.diff(dim=1).exp() * u[0, 0]).sum()


@pytest.mark.parametrize(
    "f",
    [
        lambda x: (x[:-1] ** 2 * x[1:]).sum(),
        lambda x: (x[0] * x).sin().sum() + (x**2).sum() ** 2,
        lambda x: (torch.arange(1, 13) * x[::1].tanh() * x[5]).sum(),
        lambda x: ((1 + x[3:] ** 2).sqrt() / (1 + x[:-3] ** 2)).sum(),
        _grid,
    ],
)
def test_the_tracer_finds_the_packages_pattern(f):
    sets = ex08.trace.reference(recorded_gradient(f, 12))
    assert np.array_equal(_dense(sets), hessian_pattern(f, torch.zeros(12).double()).toarray())


def test_an_operation_without_a_kind_is_refused_at_the_door():
    with pytest.raises(NotImplementedError, match="recorded_gradient: the operation"):
        recorded_gradient(lambda x: (x.cumsum(0) ** 2).sum(), 4)


@pytest.mark.parametrize("first", [lambda x: x.tolist()[0], lambda x: x[0].item()])
def test_a_function_that_branches_on_its_numbers_is_refused_at_the_door(first):
    with pytest.raises(ValueError, match="f: it"):
        recorded_gradient(lambda x: x[0] * x[1] if first(x) > 0 else x[0] ** 2, 4)


# greedy_colors, where_to_read, hubs_apart


def test_a_greedy_answer_with_arrays_and_another_loop_is_right():
    def answer(rows, order):
        colors = np.full(len(rows), -1)
        for j in order:
            meeting = set().union(*(rows[i] for i in rows[j])) - {j} if rows[j] else set()
            used = sorted({int(colors[k]) for k in meeting} - {-1})
            c = 0
            for one in used:
                if one == c:
                    c += 1
            colors[j] = c
        return colors

    result = ex08.greedy_colors.check(answer)
    assert result, result


def test_a_greedy_answer_that_looks_at_all_pairs_is_told():
    def answer(rows, order):
        colors, done = [None] * len(rows), []
        for j in order:
            taken = {colors[k] for k in done if rows[j] & rows[k]}
            colors[j] = next(c for c in range(len(rows)) if c not in taken)
            done.append(j)
        return colors

    result = ex08.greedy_colors.check(answer)
    assert not result and "far too many rows" in result.message


def test_a_plan_by_counts_in_a_dict_is_right():
    def answer(rows, colors):
        plan = []
        for i in range(len(rows)):
            often = defaultdict(int)
            for j in rows[i]:
                often[colors[j]] += 1
            for j in sorted(rows[i]):
                plan.append([i, colors[j]] if often[colors[j]] < 2 else [j, colors[i]])
        return plan

    result = ex08.where_to_read.check(answer)
    assert result, result
    assert ex08.where_to_read.check(lambda rows, colors: np.array(answer(rows, colors)))


def test_a_plan_that_counts_for_each_entry_is_told():
    def answer(rows, colors):
        return [
            (i, colors[j]) if sum(colors[k] == colors[j] for k in row) == 1 else (j, colors[i])
            for i, row in enumerate(rows)
            for j in sorted(row)
        ]

    def with_lists(rows, colors):
        plan = []
        for i, row in enumerate(rows):
            around = [colors[k] for k in row]
            for j in sorted(row):
                plan.append((i, colors[j]) if around.count(colors[j]) == 1 else (j, colors[i]))
        return plan

    for one in (answer, with_lists):
        result = ex08.where_to_read.check(one)
        assert not result and "far too many colours" in result.message


def test_a_plan_in_the_order_of_the_sets_is_told():
    def answer(rows, colors):
        plan = []
        for i, row in enumerate(rows):
            counts = Counter(colors[j] for j in row)
            plan += [(i, colors[j]) if counts[colors[j]] == 1 else (j, colors[i]) for j in row]
        return plan

    result = ex08.where_to_read.check(answer)
    assert not result and "A set has no order" in result.message


graphs = st.integers(2, 9).flatmap(
    lambda n: st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=20).map(
        lambda edges: _cases08.graph([(i, j) for i, j in edges if i != j], n)
    )
)


@settings(deadline=None, max_examples=60)
@given(graphs, st.randoms(use_true_random=False))
def test_what_the_reader_builds_agrees_with_the_package(rows, random_):
    order = random_.sample(range(len(rows)), len(rows))
    colors = ex08.greedy_colors.reference(rows, order)
    verify_coloring(_dense(rows), colors, "distance2")
    assert ex08.is_star.reference(rows, colors)
    assert color(_dense(rows), "star").count <= 1 + max(colors)

    hubs = random_.sample(range(len(rows)), random_.randint(0, 2))
    apart = ex08.hubs_apart.reference(rows, hubs, ex08.greedy_colors.reference)
    verify_coloring(_dense(rows), apart, "star")

    H = np.array(
        [
            [hash((min(i, j), max(i, j))) % 97 + 1 for j in range(len(rows))]
            for i in range(len(rows))
        ]
    )
    H = H * _dense(rows)
    B = np.stack([H[:, np.array(apart) == c].sum(axis=1) for c in range(1 + max(apart))], axis=1)
    plan = ex08.where_to_read.reference(rows, apart)
    places = [(i, j) for i, row in enumerate(rows) for j in sorted(row)]
    assert all(B[pair] == H[place] for pair, place in zip(plan, places, strict=True))


# is_star


def _by_mirror(rows, colors):
    def alone(i, j):
        return [colors[k] for k in rows[i]].count(colors[j]) == 1

    return all(alone(i, j) or alone(j, i) for i, row in enumerate(rows) for j in row)


def _by_all_paths(rows, colors):
    n = len(rows)
    if any(colors[i] == colors[j] for i in range(n) for j in rows[i] if i != j):
        return False
    for i, j, k, m in product(range(n), repeat=4):
        different = len({i, j, k, m}) == 4
        path = j in rows[i] and k in rows[j] and m in rows[k]
        if different and path and len({colors[v] for v in (i, j, k, m)}) < 3:
            return 0
    return 1


def test_a_star_may_be_checked_by_the_entries_that_can_be_read():
    result = ex08.is_star.check(_by_mirror)
    assert result, result


def test_a_star_check_that_looks_at_all_paths_is_told():
    result = ex08.is_star.check(_by_all_paths)
    assert not result and "Walk along neighbours" in result.message


def test_a_walk_that_orders_the_ends_of_its_paths_is_told():
    def answer(rows, colors):
        for i, row in enumerate(rows):
            for j in row - {i}:
                if colors[i] == colors[j]:
                    return False
                for k in rows[i] - {i, j}:
                    for m in rows[j] - {j, i, k}:
                        if k > i and m > j and colors[k] == colors[j] and colors[m] == colors[i]:
                            return False
        return True

    result = ex08.is_star.check(answer)
    assert not result and "leave out `k > i`" in result.message


@pytest.mark.parametrize("constant", [True, False])
def test_a_check_that_always_says_the_same_is_wrong(constant):
    assert not ex08.is_star.check(lambda rows, colors: constant)


def test_a_check_agrees_with_the_package_on_all_small_graphs():
    pairs = list(combinations(range(4), 2))
    for edges in (edges for m in range(7) for edges in combinations(pairs, m)):
        rows = _cases08.graph(edges, 4)
        for colors in product(range(3), repeat=4):
            assert ex08.is_star.reference(rows, colors) == _by_mirror(rows, colors)


# from_the_leaves


def test_a_recursive_walk_and_a_linear_solve_find_the_values():
    def recursive(edges, sums):
        near = defaultdict(list)
        for number, (i, j) in enumerate(edges):
            near[i].append((j, number))
            near[j].append((i, number))
        values = [None] * len(edges)

        def gather(v, above):
            rest = sums[v]
            for w, number in near[v]:
                if number != above:
                    values[number] = gather(w, number)
                    rest -= values[number]
            return rest

        gather(0, None)
        return values

    def solved(edges, sums):
        incidence = np.array([[v in edge for edge in edges] for v in range(len(sums))], float)
        return np.linalg.lstsq(incidence, np.array(sums, float), rcond=None)[0]

    result = ex08.from_the_leaves.check(recursive)
    assert result, result
    result = ex08.from_the_leaves.check(solved)
    assert result.status == "other way" and "solving a system" in result.message


def test_sums_changed_in_place_are_noticed():
    def answer(edges, sums):
        result = ex08.from_the_leaves.reference(edges, sums)
        sums[0] = 0
        return result

    result = ex08.from_the_leaves.check(answer)
    assert result.status == "other way" and "changed" in result.message


@pytest.mark.parametrize("counted", [True, False])
def test_one_pass_that_takes_the_second_end_for_a_leaf_is_told(counted):
    def answer(edges, sums):
        sums, left = list(sums), Counter(v for edge in edges for v in edge)
        values = []
        for a, b in edges:
            leaf, other = (a, b) if left[a] == 1 else (b, a)
            values.append(sums[leaf])
            sums[other] -= sums[leaf]
            left.subtract((a, b) if counted else ())
        return values

    result = ex08.from_the_leaves.check(answer)
    assert not result and "again and again" in result.message


# arrow_jacobian


def test_the_corner_may_come_from_the_row_and_tensors_are_fine():
    def answer(push, pull, n):
        e = torch.zeros(n).double()
        e[0] = 1
        J = torch.zeros(n, n).double()
        J[1:, 1:] = torch.as_tensor(push((1 - e).numpy()))[1:].diag()
        J[1:, 0] = torch.as_tensor(push(e.numpy()))[1:]
        J[0] = torch.as_tensor(pull(e.numpy()))
        return J

    result = ex08.arrow_jacobian.check(answer)
    assert result, result


def test_columns_one_by_one_are_another_way():
    def answer(push, pull, n):
        return np.column_stack([push(e) for e in np.eye(n)])

    assert ex08.arrow_jacobian.check(answer).status == "other way"


# pays_from


def test_counting_up_is_right():
    def answer(preparation, each, other):
        for k in range(1, 100_000):
            if preparation + k * each < k * other:
                return k
        return None

    result = ex08.pays_from.check(answer)
    assert result, result
    assert not ex08.pays_from.check(
        lambda *times: next(
            (k for k in range(10_000) if times[0] + k * times[1] < k * times[2]), None
        )
    )


def test_a_none_that_is_meant_is_not_taken_for_a_missing_return():
    result = ex08.pays_from.check(
        lambda once, each, other: ex08.pays_from.reference(once, each, other) if once < 9 else None
    )
    assert not result and result.message == "Expected a number, got None."


# newton


def _newton(f, gradient, hessian, solve, x, goal, enough=1e-4, halvings=30, size=None, turn=True):
    ts, g = [], gradient(x)
    while (size or np.abs)(g).max() > goal:
        s = solve(hessian(x), -g)
        slope = g.dot(s)
        if slope >= 0 and turn:
            s, slope = -g, -g.dot(g)
        for k in range(halvings):
            t = 0.5**k
            if f(x + t * s) - f(x) <= enough * t * slope:
                break
        else:
            return x, ts
        ts += [t]
        x = x + t * s
        g = gradient(x)
    return x, ts


def test_a_newton_with_a_for_loop_is_right():
    result = ex08.newton.check(_newton)
    assert result, result


def _keywords(**given):
    return lambda f, gradient, hessian, solve, x, goal: _newton(
        f, gradient, hessian, solve, x, goal, **given
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"size": np.linalg.norm}, "That is the length of the gradient."),
        ({"enough": 0.0}, "Any fall is taken."),
        ({"turn": False}, "gᵀs is not negative there"),
        ({"turn": False, "halvings": 10**9}, "gᵀs is not negative there"),
        ({"halvings": 10**9}, "your loop goes on"),
    ],
)
def test_a_newton_that_leaves_out_a_clause_is_told(given, told):
    result = ex08.newton.check(_keywords(**given))
    assert not result and told in result.message


def test_a_newton_with_another_solver_is_another_way():
    def dense(f, gradient, hessian, solve, x, goal):
        return _newton(f, gradient, lambda x: hessian(x).toarray(), np.linalg.solve, x, goal)

    result = ex08.newton.check(dense)
    assert result.status == "other way" and "Not every step calls `solve`" in result.message
    given_dense = ex08.newton.check(
        lambda f, gradient, hessian, *others: _newton(
            f, gradient, lambda x: hessian(x).toarray(), *others
        )
    )
    assert not given_dense and "solve takes the sparse matrix" in given_dense.message


@pytest.mark.parametrize("looks", [True, False])
def test_full_steps_are_told_without_any_warning(looks):
    def answer(f, gradient, hessian, solve, x, goal):
        lengths = []
        while not np.abs(gradient(x)).max() <= goal:
            s = -solve(hessian(x), gradient(x))
            x = x + (s if gradient(x) @ s < 0 else -gradient(x))
            lengths.append(1.0 + 0 * (f(x) if looks else 0))
        return x, lengths

    result = ex08.newton.check(answer)
    assert "No line search: t is 1" in result.message
    assert "Warning" not in str(result)


def test_a_newton_that_moves_the_callers_x_is_told():
    def answer(f, gradient, hessian, solve, x, goal):
        best, ts = ex08.newton.reference(f, gradient, hessian, solve, x.copy(), goal)
        x += best - x
        return x, ts

    assert "changed" in ex08.newton.check(answer).message


def test_newton_minimises_what_scipy_and_torch_make():
    f = lambda x: ((x[1:] - x[:-1] ** 2) ** 2).sum() + ((1 - x) ** 2).sum()  # noqa: E731

    def value(x):
        return f(torch.from_numpy(x)).item()

    def gradient(x):
        return torch.func.grad(f)(torch.from_numpy(x)).numpy()

    def hessian(x):
        return sp.csc_array(torch.func.hessian(f)(torch.from_numpy(x)).numpy())

    for solve in (spsolve, lambda H, g: splu(H).solve(g)):
        x, lengths = ex08.newton.reference(value, gradient, hessian, solve, np.full(20, -1.0), 1e-9)
        assert np.allclose(x, 1) and lengths[-1] == 1 > min(lengths)


# Pictures


def test_neighbouring_colors_differ_in_shape_and_fill():
    figure, axis = plt.subplots()
    draw_graph(axis, [(0, 0), (1, 0), (2, 0)], _cases08.chain(3), [0, 1, None], thick=[(1, 0)])
    looks = [
        (dots.get_facecolor().tobytes(), dots.get_paths()[0].vertices.tobytes())
        for dots in axis.collections
    ]
    widths = [line.get_linewidth() for line in axis.lines]
    plt.close(figure)
    assert len({face for face, _ in looks}) == 3
    assert looks[0][1] != looks[1][1] and widths[0] > widths[1]


def test_a_sum_is_drawn_from_all_that_it_adds_up():
    steps = recorded_gradient(lambda x: (x**2).sum() ** 2, 3)
    assert "sum" in {step.kind for step in steps}
    figure, axis = plt.subplots()
    draw_index_sets(axis, steps, ex08.trace.reference, follow=2)
    texts = [text.get_text() for text in axis.texts]
    marked = [line for line in axis.lines if line.get_linewidth() > 2]
    plt.close(figure)
    assert texts.count("{0,1,2}") >= 4 and 3 < len(marked) < len(axis.lines)


# Drills


@pytest.mark.parametrize("seed", range(6))
def test_the_answers_of_the_drills_are_counted(seed):
    entries = ex08.drill_entries.problem(seed)
    formula = entries.question.split("$")[1].split("=", 1)[1]
    code = re.sub(r"x_(\d)", r"x[\1]", formula).replace("^", "**").replace(r"\,", "*")
    code = re.sub(r"\\(sin|exp)", r"torch.\1", code).replace("] x", "] * x").replace("7 x", "7*x")

    def f(x):
        return eval(code)

    assert entries.answer == hessian_pattern(f, torch.zeros(6)).nnz

    band = ex08.drill_band.problem(seed)
    where = re.search(r"where (.*?)\.", band.question)[1]
    width, between = int(re.search(r"\d+$", where)[0]), range(60)
    near = {d for d in between if d <= width and not ("even" in where and d % 2)}
    near = {0, width} if "is 0 or" in where else near
    rows = [{j for j in between if abs(i - j) in near} for i in between]
    found = color(_dense(rows), "distance2")
    assert band.answer == found.count == found.lower_bound

    path = ex08.drill_path.problem(seed)
    colors = [int(c) for c in re.search(r"the colours ([\d ]+)", path.question)[1].split()]
    assert (path.answer < 0) == ex08.is_star.reference(_cases08.chain(8), colors)
    assert len(colors) == 8


def test_the_drill_of_paths_has_both_kinds():
    answers = {ex08.drill_path.problem(seed).answer for seed in range(40)}
    assert -1 in answers and len(answers) > 2


def test_random_star_colorings_are_star_colorings():
    random_ = random.Random(3)
    for _ in range(30):
        rows = _cases08.random_graph(random_)
        assert ex08.is_star.reference(rows, _cases08.random_star(random_, rows))
