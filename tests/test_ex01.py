"""Answers that real readers hand in to the exercises of notebook 01, and the notebook on them."""

import collections
import contextlib
import inspect
import io
import itertools
import math
import random
import struct
import textwrap
import types

import pytest

from autodiff_course import graph
from autodiff_course.exercises import ex01, graphs01
from autodiff_course.exercises.drills import drills_in
from autodiff_course.exercises.framework import exercises_in
from autodiff_course.exercises.graphs01 import Node
from notebooks import course_notebooks, read, tags


def _message(one, answer):
    result = one.check(answer, seed=1)
    assert result.status == "wrong", result
    return result.message


# --- The rules ------------------------------------------------------------------------------------


def _from_scalar(operation):
    """A rule read off the package's graph, an independent truth."""

    def rule(*operands):
        node = operation(*map(graph.Scalar, operands))
        return [node.value, *node.local_derivatives]

    return rule


def test_the_rules_are_those_of_the_package():
    assert ex01.sine.check(_from_scalar(lambda x: x.sin()))
    assert ex01.quotient.check(_from_scalar(lambda x, y: x / y))
    assert ex01.power.check(lambda x, n: _from_scalar(lambda x: x**n)(x))


@pytest.mark.parametrize("name", ["sine", "quotient", "power"])
def test_a_rule_by_differences_is_not_good_enough(name):
    one = getattr(ex01, name)

    def answer(x, *others):
        h = 1e-6
        value = one.reference(x, *others)[0]
        return value, (one.reference(x + h, *others)[0] - value) / h

    assert one.check(answer).status == "wrong"


@pytest.mark.parametrize("name", ["sine", "quotient", "power"])
def test_a_central_difference_is_told_from_a_rule(name):
    one, h = getattr(ex01, name), 1e-5

    def answer(x, *others):
        value, *slopes = one.reference(x, *others)
        if name == "quotient":
            slopes[1] = (x / (others[0] + h) - x / (others[0] - h)) / (2 * h)
        elif x:
            slopes = [(one.reference(x + h, *others)[0] - one.reference(x - h, *others)[0]) / 2 / h]
        return value, *slopes

    assert "difference quotient" in _message(one, answer)


def test_a_formula_in_other_words_or_in_single_precision_is_right():
    def rounded(number):
        return struct.unpack("f", struct.pack("f", number))[0]

    assert ex01.sine.check(lambda x: (math.sin(x), math.sin(x + math.pi / 2)))
    assert ex01.sine.check(lambda x: (rounded(math.sin(x)), rounded(math.cos(x))))
    assert ex01.power.check(lambda x, n: (x**n, n * x**n / x if x and n else float(n == 1)))


def test_a_rule_by_differences_is_recognised():
    def answer(x):
        return math.sin(x), (math.sin(x + 1e-4) - math.sin(x)) / 1e-4

    assert "difference quotient" in _message(ex01.sine, answer)


def test_easy_slips_in_the_rules():
    assert "brackets" in _message(ex01.power, lambda x, n: (x**n, n * x**n - 1))
    assert "square alone" in _message(ex01.power, lambda x, n: (x**n, n * x))
    plain = _message(ex01.power, lambda x, n: (x**n, n * x ** (n - 1)))
    assert plain.startswith("Right but for one point")
    flat = _message(ex01.power, lambda x, n: (x**n, n * x ** (n - 1) if x else 0))
    assert "not the point 0" in flat
    slip = _message(ex01.quotient, lambda x, y: (x / y, 1 / y, -((x / y) ** 2)))
    assert "square is for y alone" in slip


def test_a_rule_that_forgets_the_value_is_told_so():
    assert _message(ex01.quotient, lambda x, y: (1 / y, -x / y**2)).startswith("The value itself")


# --- Paths ----------------------------------------------------------------------------------------


def test_assignment_instead_of_sum_is_seen_even_where_it_crashes_without_paths():
    def answer(paths):
        for path in paths:
            product = 1
            for factor in path:
                product *= factor
            derivative = product
        return derivative

    assert "Only the last path is left." in _message(ex01.sum_over_paths, answer)


def test_a_return_inside_the_loop():
    def answer(paths):
        for path in paths:
            product = 1
            for factor in path:
                product *= factor
            return product

    assert "Only the first path counts." in _message(ex01.sum_over_paths, answer)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda paths: sum({tuple(one): math.prod(one) for one in paths}.values()), "same numbers"),
        (lambda paths: sum({math.prod(one) for one in paths}), "same product"),
        (lambda paths: 1 + ex01.sum_over_paths.reference(paths), "A sum starts with 0"),
        (lambda paths: sum(math.prod(one) for one in paths if one), "without edges is lost"),
    ],
)
def test_what_a_sum_over_paths_loses_or_adds(answer, message):
    assert message in _message(ex01.sum_over_paths, answer)


@pytest.mark.parametrize(("name", "start"), [("sum_over_paths", 0.0), ("factored", 1.0)])
def test_lists_must_stay_as_they_were(name, start):
    def answer(lists):
        so_far = start
        for one in lists:
            inner = 1.0 - start
            while one:
                inner = inner + one.pop() if start else inner * one.pop()
            so_far = so_far * inner if start else so_far + inner
        return so_far

    result = getattr(ex01, name).check(answer)
    assert result.status == "other way"
    assert "no longer as they were" in result.message


def test_listing_every_path_of_fifteen_stages_takes_too_long():
    def answer(stages):
        return sum(math.prod(path) for path in itertools.product(*stages))

    result = ex01.factored.check(answer, seconds=0.5)
    assert not result
    assert "3^15 paths" in result.message


@pytest.mark.parametrize(
    ("name", "answer", "message"),
    [
        ("power", lambda x, n: (x**n, n * x**n / x), "divides by zero at x = 0"),
        ("power", lambda x, n: (x**n, math.exp(math.log(n) + (n - 1) * math.log(x))), "logarithm"),
        ("sum_over_paths", lambda paths: sum(one[0] * math.prod(one[1:]) for one in paths), "edge"),
        ("factored", lambda stages: sum(stages[0]) * math.prod(map(sum, stages[1:])), "no stage"),
        (
            "topological_order",
            lambda output: _by_counting_users(output)[::-1],
            "The order is turned round",
        ),
    ],
)
def test_a_crash_or_a_turn_is_explained(name, answer, message):
    assert message in _message(getattr(ex01, name), lambda *arguments: answer(*arguments))


def test_factoring_stage_by_stage_is_right():
    def answer(stages):
        so_far = 1.0
        for stage in stages:
            so_far = sum(so_far * slope for slope in stage)
        return so_far

    assert ex01.factored.check(answer)


# --- The order ------------------------------------------------------------------------------------


def _by_counting_users(output):
    """Kahn's algorithm, from the output back; a right order that differs from the solution's."""
    nodes, stack = {output}, [output]
    while stack:
        for operand, _ in stack.pop().edges:
            if operand not in nodes:
                nodes.add(operand)
                stack.append(operand)
    users = collections.Counter(operand for node in nodes for operand, _ in node.edges)
    order, ready = [], [output]
    while ready:
        node = ready.pop()
        order.append(node)
        for operand, _ in node.edges:
            users[operand] -= 1
            if not users[operand]:
                ready.append(operand)
    return order[::-1]


def _without_recursion(output):
    order, stack = [], [(output, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in order:
            stack.append((node, True))
            stack += [(operand, False) for operand, _ in node.edges]
    return list(dict.fromkeys(order))


def _by_asking_the_list(output, order=None):
    order = [] if order is None else order
    for operand, _ in output.edges:
        if operand not in order:
            _by_asking_the_list(operand, order)
    return [*order, output] if output in order else order.append(output) or order


def _last_in_the_middle(output):
    order = ex01.topological_order.reference(output)
    return order[:-2] + order[:-3:-1]


@pytest.mark.parametrize("answer", [_by_counting_users, _without_recursion, _by_asking_the_list])
def test_every_right_order_is_accepted(answer):
    for seed in range(3):
        result = ex01.topological_order.check(lambda output: answer(output), seed=seed)
        assert result, result


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda output: [output], "misses its operand"),
        (lambda output: ex01.topological_order.reference(output) * 2, "stands in the list twice"),
        (_last_in_the_middle, "stands before its operand"),
        (lambda output: output, "Expected"),
        (lambda output: ["x"], "Expected a list of nodes."),
    ],
)
def test_a_wrong_order_is_told_which_node_stands_wrong(answer, message):
    assert message in _message(ex01.topological_order, answer)


def _with_a_list_as_default(output, order=[]):  # noqa: B006
    for operand, _ in output.edges:
        if operand not in order:
            _with_a_list_as_default(operand, order)
    order.append(output)
    return order


def _with_a_set_outside(visited):
    def answer(output):
        order = []

        def visit(node):
            if node not in visited:
                visited.add(node)
                for operand, _ in node.edges:
                    visit(operand)
                order.append(node)

        visit(output)
        return order

    return answer


@pytest.mark.parametrize("answer", [_with_a_list_as_default, _with_a_set_outside(set())])
def test_what_survives_a_call_is_named(answer):
    for _ in range(2):
        assert "still there at the next" in _message(ex01.topological_order, answer)


def _marking_the_nodes(output):
    order = []

    def visit(node):
        if not hasattr(node, "seen"):
            node.seen = True
            for operand, _ in node.edges:
                visit(operand)
            order.append(node)

    visit(output)
    return order


def _taking_the_edges(output):
    order, stack, seen = [], [output], {output}
    while stack:
        if not stack[-1].edges:
            order.append(stack.pop())
            continue
        operand, _ = stack[-1].edges.pop()
        if operand not in seen:
            seen.add(operand)
            stack.append(operand)
    return order


def _summing_on_the_nodes(order):
    for node in order:
        if not hasattr(node, "grad"):
            node.grad = 0.0
    order[-1].grad = 1.0
    for node in reversed(order):
        for operand, slope in node.edges:
            operand.grad += node.grad * slope
    return {node: node.grad for node in order}


def _summing_and_taking_the_edges(order):
    adjoint = dict.fromkeys(order, 0.0) | {order[-1]: 1.0}
    for node in reversed(order):
        while node.edges:
            operand, slope = node.edges.pop()
            adjoint[operand] += adjoint[node] * slope
    return adjoint


@pytest.mark.parametrize(
    ("name", "answer", "status", "message"),
    [
        ("topological_order", _marking_the_nodes, "wrong", "second one on the same graph"),
        ("reverse_sweep", _summing_on_the_nodes, "wrong", "second one on the same graph"),
        ("topological_order", _taking_the_edges, "other way", "`node.edges` is no longer"),
        ("reverse_sweep", _summing_and_taking_the_edges, "other way", "`node.edges` is no longer"),
    ],
)
def test_the_graph_serves_for_a_second_call(name, answer, status, message):
    result = getattr(ex01, name).check(answer)
    assert result.status == status
    assert message in result.message


def test_sums_on_the_nodes_that_start_anew_are_right():
    def answer(order):
        for node in order:
            node.grad = float(node is order[-1])
        for node in reversed(order):
            for operand, slope in node.edges:
                operand.grad += node.grad * slope
        return {node: node.grad for node in order}

    assert ex01.reverse_sweep.check(answer)


def test_a_list_turned_round_in_place_gives_none():
    def order(output):
        return ex01.topological_order.reference(output).reverse()

    assert "return None" in _message(ex01.topological_order, order)

    def sweep(order):
        adjoint = dict.fromkeys(order, 0.0) | {order[-1]: 1.0}
        for node in order.reverse():
            adjoint[node] += 1.0
        return adjoint

    assert "returns None" in _message(ex01.reverse_sweep, sweep)


def test_a_walk_that_forgets_where_it_was_takes_too_long():
    def walk(node):
        return [one for operand, _ in node.edges for one in walk(operand)] + [node]

    def answer(output):
        return list(dict.fromkeys(walk(output)))

    result = ex01.topological_order.check(answer, seconds=0.5)
    assert result.input == "a tower of 60 layers"
    assert "2^60 paths" in result.message


# --- The sweep and its faults ---------------------------------------------------------------------


def test_sweeps_in_other_styles_are_right():
    def with_defaultdict(order):
        adjoint = collections.defaultdict(float, {order[-1]: 1})
        for node in order[::-1]:
            for operand, slope in node.edges:
                adjoint[operand] = adjoint[operand] + adjoint[node] * slope
        return adjoint

    assert ex01.reverse_sweep.check(with_defaultdict)
    assert ex01.reverse_sweep.check(graphs01.sums)


def test_a_walk_for_each_node_is_told_so():
    """Forward mode from each node gives the same numbers, and multiplies each edge n times."""

    def forward(order):
        adjoint = {}
        for source in order:
            tangent = {}
            for node in order:
                sums = sum(tangent[operand] * slope for operand, slope in node.edges)
                tangent[node] = 1.0 if node is source else sums
            adjoint[source] = tangent[order[-1]]
        return adjoint

    result = ex01.reverse_sweep.check(forward)
    assert result.status == "other way"
    assert "a walk per node" in result.message


def test_a_walk_along_every_path_is_told_that_there_are_too_many():
    def answer(order):
        adjoint = dict.fromkeys(order, 0.0)

        def send(node, sent):
            adjoint[node] += sent
            for operand, slope in node.edges:
                send(operand, sent * slope)

        send(order[-1], 1.0)
        return adjoint

    result = ex01.reverse_sweep.check(answer, seconds=1)
    assert result.status == "other way"
    assert "has 2^60" in result.message


def _turning_round(order):
    order.reverse()
    adjoint = dict.fromkeys(order, 0.0) | {order[0]: 1.0}
    for node in order:
        for operand, slope in node.edges:
            adjoint[operand] += adjoint[node] * slope
    return adjoint


def _emptying(order):
    adjoint = dict.fromkeys(order, 0.0) | {order[-1]: 1.0}
    while order:
        node = order.pop()
        for operand, slope in node.edges:
            adjoint[operand] += adjoint[node] * slope
    return adjoint


@pytest.mark.parametrize("answer", [_turning_round, _emptying])
def test_the_list_must_stay_as_it_was(answer):
    result = ex01.reverse_sweep.check(answer)
    assert result.status == "other way"
    assert "no longer as it was" in result.message


def test_a_return_in_the_loop_of_the_sweep():
    def answer(order):
        adjoint = dict.fromkeys(order, 0.0) | {order[-1]: 1.0}
        for node in reversed(order):
            for operand, slope in node.edges:
                adjoint[operand] += adjoint[node] * slope
            return adjoint

    assert "returns too soon" in _message(ex01.reverse_sweep, answer)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (graphs01.overwrites, "What arrived first is lost"),
        (graphs01.forgets_the_seed, "Every adjoint is 0"),
        (graphs01.walks_forward, "Only the output has sent something on."),
    ],
)
def test_the_three_faults_are_recognised(answer, message):
    assert _message(ex01.reverse_sweep, lambda order: answer(order)).startswith(message)


def test_what_is_added_to_the_sender_is_told_so():
    def answer(order):
        adjoint = dict.fromkeys(order, 0.0) | {order[-1]: 1.0}
        for node in reversed(order):
            for operand, slope in node.edges:
                adjoint[node] += adjoint[operand] * slope
        return adjoint

    assert "stand at the *operand*" in _message(ex01.reverse_sweep, answer)


def test_tangents_are_no_adjoints():
    def answer(order):
        tangent = dict.fromkeys(order, 0.0) | {order[0]: 1.0}
        for node in order:
            for operand, slope in node.edges:
                tangent[node] += tangent[operand] * slope
        return tangent

    assert "These are tangents" in _message(ex01.reverse_sweep, answer)


def test_a_sweep_that_hurries_is_wrong():
    assert not ex01.reverse_sweep.check(lambda order: graphs01.hurries(order), seed=0)


def test_the_faulty_sweeps_show_what_the_notebook_says():
    a, b, c, d, e = graphs01.e_graph()
    hurried = graphs01.hurries([a, b, c, d, e])
    assert (hurried[a], hurried[b]) == (2.0, 5.0)
    for hasty in (True, False):
        x, y, w, z = graphs01.z_graph(hasty)
        assert graphs01.hurries([x, y, w, z])[x] == 6.0
        assert ex01.reverse_sweep.reference([x, y, w, z])[x] == 114.0


def _finds(*graphs):
    """A test of the order on graphs of its own, after x + x: functions of v = x·x."""

    def answer(sweep):
        x = Node(3.0)
        twice = x + x
        adjoint = sweep([x, twice])
        if adjoint[twice] != 1.0:
            return "no seed"
        if adjoint[x] != 2.0:
            return "overwrites"
        v = x * x
        for graph_of in graphs:
            order = ex01.topological_order.reference(graph_of(v))
            if sweep(order)[x] != ex01.reverse_sweep.reference(order)[x]:
                return "wrong order"
        return "right"

    return answer


@pytest.mark.parametrize(
    "graphs",
    [
        (lambda v: (v + 1.0) + v,),
        (lambda v: (v + 1.0) + v * 2.0,),
        (lambda v: (v * 2.0 + 1.0) + v,),
        (lambda v: v + v * v,),
        (lambda v: v * v + v,),
    ],
)
def test_one_side_of_a_sum_is_not_enough_to_find_every_fault(graphs):
    assert "try both sides of the last sum" in _message(ex01.find_fault, _finds(*graphs))


@pytest.mark.parametrize(
    "graphs",
    [
        (lambda v: (v * 2.0 + 1.0) + v, lambda v: v + (v * 2.0 + 1.0)),
        (lambda v: v + v * v, lambda v: v * v + v),
    ],
)
def test_both_sides_of_a_sum_are(graphs):
    assert ex01.find_fault.check(_finds(*graphs))


@pytest.mark.parametrize("turn", [list, reversed])
def test_a_sweep_that_goes_deeper_at_each_edge_is_found_too(turn):
    def sweep(order):
        adjoint, met = dict.fromkeys(order, 0.0) | {order[-1]: 1.0}, set()

        def visit(node):
            met.add(node)
            for operand, slope in turn(node.edges):
                adjoint[operand] += adjoint[node] * slope
                if operand not in met:
                    visit(operand)

        visit(order[-1])
        return adjoint

    assert ex01.find_fault.reference(sweep) == "wrong order"
    assert _message(ex01.reverse_sweep, sweep).startswith("y has sent before w did")


def test_a_table_of_the_sweeps_that_are_shown_is_no_test():
    names = {"A": "wrong order", "B": "overwrites", "C": "no seed", "D": "wrong order"}

    def looked_up(sweep):
        known = [name for name, one in ex01.faulty_sweeps.items() if one is sweep]
        return names[known[0]] if known else "right"

    def by_number(sweep):
        x = Node(3.0)
        y = x * x
        w = y * y
        adjoint = sweep([x, y, w, y + w])[x]
        table = {0.0: "wrong order", 6.0: "wrong order", 114.0: "right"}
        return table.get(adjoint, "overwrites")

    for one in looked_up, by_number:
        assert ex01.find_fault.check(one).status == "wrong"


def test_a_lost_sum_has_two_causes():
    def answer(sweep):
        a, b, c, d, e = graphs01.e_graph()
        adjoint = sweep([a, b, c, d, e])
        if adjoint[e] != 1.0:
            return "no seed"
        if adjoint[b] != 5.0:
            return "overwrites"
        x, y, w, z = graphs01.z_graph()
        return "right" if sweep([x, y, w, z])[x] == 114.0 else "wrong order"

    answers = {one: answer(one) for one in ex01.faulty_sweeps.values()}
    assert answers[graphs01.walks_forward] == "overwrites"
    assert "as in sweep D" in _message(ex01.find_fault, answer)


@pytest.mark.parametrize("turn", [list, reversed])
@pytest.mark.parametrize("name", ["depth_first", "breadth_first", "last_met_first"])
def test_a_sweep_that_sends_as_it_meets_is_told_who_was_early(name, turn):
    sweep = getattr(graphs01, name)
    wrong = [sweep(graphs01.unequal_ways(first), turn) for first in (True, False)]
    assert any(one[Node(0.0, name="x")] != 18.0 for one in wrong)
    result = ex01.reverse_sweep.check(lambda order: sweep(order, turn))
    assert result.input.startswith("the order x, y, w, z")
    assert result.message.startswith("y has sent before w did")


def test_a_test_that_never_sends_early_is_told_so():
    result = ex01.find_fault.check(
        lambda sweep: ex01.find_fault.mistakes[1].function(sweep), seed=0
    )
    assert result.status == "wrong"
    assert "right by luck" in result.message


@pytest.mark.parametrize("one_operation", [True, False])
def test_a_test_on_a_graph_that_hurts_nobody_is_told_so(one_operation):
    def answer(sweep):
        if one_operation:
            x = Node(3.0)
            order, right = [x, x * x], 108.0
            order.append(order[1] * order[1])
        else:
            _, x, *_ = order = graphs01.e_graph()
            right = 5.0
        adjoint = sweep(order)
        if adjoint[order[-1]] != 1.0:
            return "no seed"
        return {right: "right", 0.0: "wrong order"}.get(adjoint[x], "overwrites")

    assert "right by luck" in _message(ex01.find_fault, answer)


@pytest.mark.parametrize(
    ("word", "instead"),
    [
        ("right", "Right"),
        ("right", " right"),
        ("no seed", "No seed"),
        ("overwrites", "overwrite"),
        ("wrong order", "order"),
    ],
)
def test_another_word_than_the_four_is_told_so(word, instead):
    def answer(sweep):
        found = ex01.find_fault.reference(sweep)
        return instead if found == word else found

    message = _message(ex01.find_fault, answer)
    assert message.startswith(repr(instead))
    assert "'no seed', 'overwrites', 'wrong order', 'right'" in message


def test_luck_is_not_blamed_where_nothing_is_tested():
    for one in ex01.find_fault.mistakes[0].function, ex01.find_fault.mistakes[3].function:
        assert "by luck" not in _message(ex01.find_fault, lambda sweep, one=one: one(sweep))


def test_equally_long_ways_do_not_save_a_sweep_that_hurries():
    """What saves it on e is that b, the only node used twice, is an input."""
    x = Node(3.0)
    y = x * x
    u, v = y + 1.0, y * 2.0
    order = [x, y, u, v, u + v]
    assert graphs01.hurries(order)[x] == 6.0
    assert ex01.reverse_sweep.reference(order)[x] == 18.0
    for layers in (2, 3):
        order = graphs01.tower(layers)
        right = ex01.reverse_sweep.reference(order)[order[0]]
        assert not math.isclose(graphs01.hurries(order)[order[0]], right, rel_tol=1e-3)


def test_two_ways_of_being_too_early_are_shown():
    def answer(sweep):
        a, b, c, d, e = graphs01.e_graph()
        adjoint = sweep([a, b, c, d, e])
        if adjoint[a] == adjoint[b] == 0.0:
            return "no seed"
        x, y, w, z = graphs01.z_graph()
        on_z = sweep([x, y, w, z])[x]
        return {114.0: "right", 6.0: "wrong order"}.get(on_z, "overwrites")

    assert graphs01.walks_forward in ex01.faulty_sweeps.values()
    result = ex01.find_fault.check(answer)
    assert "as in sweep D" in result.message
    assert "leaves 0 at a, 0 at b and 1 at e" in result.input


def test_the_package_s_counts_are_those_of_the_exercise():
    scalars = [graph.Scalar(0.5)]
    for _ in range(5):
        scalars.append(scalars[-1].sin() + scalars[-1].cos())
    nodes = graphs01.tower(5)
    count = ex01.count_paths.reference(nodes[0], nodes)
    assert count == graph.count_paths(scalars[0], scalars[-1]) == 32


def test_walking_along_every_path_takes_too_long():
    def answer(source, order):
        def walk(node):
            return 1 if node is source else sum(walk(operand) for operand, _ in node.edges)

        return walk(order[-1])

    result = ex01.count_paths.check(answer, seconds=0.5)
    assert "2^40 paths" in result.message


def test_a_float_is_no_exact_count():
    def answer(source, order):
        count = {}
        for node in order:
            sums = sum(count[operand] for operand, _ in node.edges)
            count[node] = 1.0 if node is source else sums
        return count[order[-1]]

    assert 3.0**40 != 3**40
    for one in (answer, lambda source, order: int(answer(source, order))):
        assert "whole number" in _message(ex01.count_paths, one)


def test_a_source_outside_the_order_has_no_path():
    def answer(source, order):
        count = dict.fromkeys(order, 0) | {order[-1]: 1}
        for node in reversed(order):
            for operand, _ in node.edges:
                count[operand] += count[node]
        return count[source]

    assert "need not stand in `order`" in _message(ex01.count_paths, answer)


def test_a_long_chain_does_not_stop_the_solution():
    nodes = [Node(1.0)]
    for _ in range(5000):
        nodes.append(nodes[-1] + 1.0)
    assert ex01.topological_order.reference(nodes[-1]) == nodes


def test_counting_leaves_the_graph_as_it_is():
    def answer(source, order):
        for node in order:
            node.edges = [(operand, 1) for operand, _ in node.edges]
        adjoint = dict.fromkeys([*order, source], 0) | {order[-1]: 1}
        for node in reversed(order):
            for operand, slope in node.edges:
                adjoint[operand] += adjoint[node] * slope
        return adjoint[source]

    result = ex01.count_paths.check(answer)
    assert result.status == "other way"
    assert "`node.edges` is no longer" in result.message


def test_counting_from_the_output_is_right():
    def answer(source, order):
        count = dict.fromkeys([*order, source], 0)
        count[order[-1]] = 1
        for node in reversed(order):
            for operand, _ in node.edges:
                count[operand] += count[node]
        return count[source]

    assert ex01.count_paths.check(answer)


# --- In PyTorch -----------------------------------------------------------------------------------


def _by_grad(functions, w):
    import torch

    return [torch.autograd.grad(function(w), w)[0] for function in functions]


def _zeroed(functions, w):
    gradients = []
    for function in functions:
        if w.grad is not None:
            w.grad.zero_()
        function(w).backward()
        gradients.append(float(w.grad))
    return gradients


def _fresh_leaves(functions, w):
    gradients = []
    for function in functions:
        leaf = w.detach().clone().requires_grad_()
        function(leaf).backward()
        gradients.append(leaf.grad.item())
    return gradients


def test_a_way_that_does_not_accumulate_is_another_way():
    pytest.importorskip("torch")
    result = ex01.separate_gradients.check(_by_grad)
    assert result.status == "other way"
    assert "nothing to clear" in result.message


def test_tensors_are_no_floats():
    pytest.importorskip("torch")
    import torch

    def answer(functions, w):
        return [torch.tensor(one) for one in _fresh_leaves(functions, w)]

    assert "floats are asked for" in _message(ex01.separate_gradients, answer)


def test_nothing_stands_in_grad_at_first():
    pytest.importorskip("torch")

    def answer(functions, w):
        slopes = []
        for function in functions:
            w.grad.zero_()
            function(w).backward()
            slopes.append(w.grad.item())
        return slopes

    assert "nothing to zero yet" in _message(ex01.separate_gradients, answer)


@pytest.mark.parametrize("answer", [_zeroed, _fresh_leaves])
def test_right_ways_in_torch(answer):
    pytest.importorskip("torch")
    assert ex01.separate_gradients.check(answer)


def test_clearing_once_is_not_enough():
    pytest.importorskip("torch")

    def answer(functions, w):
        w.grad = None
        gradients = []
        for function in functions:
            function(w).backward()
            gradients.append(w.grad.item())
        return gradients

    assert "Cleared once" in _message(ex01.separate_gradients, answer)


def test_a_shared_gradient_is_recognised():
    pytest.importorskip("torch")

    def answer(functions, w):
        gradients = []
        for function in functions:
            if w.grad is not None:
                w.grad.zero_()
            function(w).backward()
            gradients.append(w.grad)
        return gradients

    assert "same tensor" in _message(ex01.separate_gradients, answer)


def test_differences_instead_of_backward_are_not_accepted():
    pytest.importorskip("torch")

    def answer(functions, w):
        h = 1e-6
        return [((f(w + h) - f(w - h)) / (2 * h)).item() for f in functions]

    assert ex01.separate_gradients.check(answer).status in ("wrong", "other way")


# --- Drills ---------------------------------------------------------------------------------------


def test_the_drills_ask_for_what_the_graph_says():
    for seed in range(20):
        problem = ex01.drill_adjoint.problem(seed)
        a, b, k = random.Random(seed).sample(range(1, 6), 3)
        x, y = graph.Scalar(a), graph.Scalar(b)
        assert problem.answer == graph.gradient((x + y) * (y + k), y)
        assert all(f"{number}" in problem.question for number in (a, b, k))
    assert len(drills_in(ex01)) == 3


# --- The notebook on the reader's own code --------------------------------------------------------


def _answered():
    """The code cells of the notebook, each stub replaced by the solution."""
    (path,) = [one for one in course_notebooks() if one.name.startswith("01")]
    for cell in read(path).cells:
        if cell.cell_type != "code" or "setup" in tags(cell):
            continue
        source = cell.source
        for one in exercises_in(ex01):
            if one.stub in source:
                lines = textwrap.dedent(inspect.getsource(one.reference)).splitlines()
                start = next(i for i, line in enumerate(lines) if line.startswith("def "))
                answer = "\n".join(lines[start:]).replace(f"{one.name}(", f"my_{one.name}(", 1)
                source = source.replace(one.stub, answer)
        yield cell.id, source


def test_the_notebook_runs_on_the_reader_s_answers_in_any_order():
    """From the first cell to the last, then from the last to the first, on what they left."""
    pytest.importorskip("torch")
    cells = [(name, source) for name, source in _answered() if name != "progress"]
    module = types.ModuleType("notebook")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        last = ("ex-open", "fit([1.0, 9.0, 1.0], steps=1)")  # the line that exercise 11 names
        for name, source in [*cells, last, *cells[::-1]]:
            exec(compile(source, name, "exec"), vars(module))
    assert "the course's own" not in printed.getvalue()
    assert module.reverse_sweep.__name__ == "my_reverse_sweep"
    assert module.gradient.__globals__ is vars(module)
