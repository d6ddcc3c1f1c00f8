"""Proofs about the sweeps of graph.py: orders, paths, counts, and other ways to differentiate."""

import cmath
import math
import operator
import sys
from collections import Counter

import mpmath
import pytest
import sympy
import torch

from autodiff_course.graph import (
    Edge,
    OperationCounts,
    Scalar,
    Step,
    count_operations,
    count_paths,
    forward_sweep,
    gradient,
    paths,
    reverse_sweep,
    topological_order,
)
from scalar_programs import SMOOTH, check_generated, run, sum_without_signs


def e_graph():
    a, b = Scalar(2.0, name="a"), Scalar(1.0, name="b")
    c = (a + b).named("c")
    d = (b + 1).named("d")
    return a, b, c, d, (c * d).named("e")


# The graph of e = (a + b)(b + 1).


def test_the_values_of_e_and_its_intermediates():
    assert [node.value for node in e_graph()] == [2.0, 1.0, 3.0, 2.0, 6.0]


def test_the_local_derivatives_stand_on_the_edges_of_e():
    a, b, c, d, e = e_graph()
    assert c.parents == (a, b) and c.local_derivatives == (1.0, 1.0)
    assert d.parents == (b,) and d.local_derivatives == (1.0,)
    assert e.parents == (c, d) and e.local_derivatives == (2.0, 3.0)


def test_the_gradient_of_e_is_2_and_5():
    a, b, _, _, e = e_graph()
    assert gradient(e, (a, b)) == (2.0, 5.0)
    assert gradient(e, [b, a]) == (5.0, 2.0)
    assert gradient(e, b) == 5.0


def test_one_path_leads_from_a_to_e_and_two_from_b():
    a, b, c, d, e = e_graph()
    (only,) = paths(a, e)
    assert only.nodes == (a, c, e) and only.product == 2.0
    over_c, over_d = paths(b, e)
    assert over_c.nodes == (b, c, e) and over_c.product == 2.0
    assert over_d.nodes == (b, d, e) and over_d.product == 3.0
    assert over_d.edges == (Edge(b, d, 0), Edge(d, e, 1))
    assert over_d.source is b


def test_one_forward_sweep_per_input_and_one_reverse_sweep_for_all():
    a, b, _, _, e = e_graph()
    assert [final(forward_sweep(e, wrt=node))[e] for node in (a, b)] == [2.0, 5.0]
    adjoints = final(reverse_sweep(e))
    assert (adjoints[a], adjoints[b]) == (2.0, 5.0)


def test_the_steps_of_the_reverse_sweep_over_e():
    a, b, c, d, e = e_graph()
    assert list(reverse_sweep(e)) == [
        Step(e, None, 1.0, 1.0, 1.0),
        Step(c, Edge(c, e, 0), 1.0, 2.0, 2.0),
        Step(d, Edge(d, e, 1), 1.0, 3.0, 3.0),
        Step(b, Edge(b, d, 0), 3.0, 3.0, 3.0),
        Step(a, Edge(a, c, 0), 2.0, 2.0, 2.0),
        Step(b, Edge(b, c, 1), 2.0, 2.0, 5.0),
    ]


def test_the_counts_of_e():
    # 5 edges; forward adds once in c and once in e, reverse only in b.
    assert count_operations(e_graph()[-1]) == OperationCounts(
        operations=3,
        edges=5,
        local_rules=0,
        forward_multiplications=5,
        forward_additions=2,
        reverse_multiplications=5,
        reverse_additions=1,
    )


def test_local_rules_cost_what_they_compute_beyond_the_function():
    x, y = Scalar(0.5), Scalar(2.0)
    costs = {
        x + y: 0, x - y: 0, x * y: 0, x / y: 3, x / 2: 1, 2 / x: 2, x**3: 3, 2**x: 2, x**y: 5,
        -x: 0, abs(x): 1, x.exp(): 0, x.log(): 1, x.sqrt(): 1, x.sin(): 1, x.cos(): 2,
        x.tanh(): 2, x.relu(): 0, x.sin() + x.cos(): 3,
    }  # fmt: skip
    assert [count_operations(node).local_rules for node in costs] == list(costs.values())


def final(steps):
    """Return what each node holds after its last step."""
    return {step.node: step.total for step in steps}


def assert_same_gradient(inputs, output, expected):
    # A rounding of 1e-16 in each of 10 operations, multiplied by the slopes of those behind it. The
    # largest difference seen in 2000 examples was 1.3e-15; other machines round otherwise.
    scale = sum_without_signs(output)
    for x, derivative, other in zip(inputs, gradient(output, inputs), expected, strict=True):
        assert abs(derivative - other) <= 1e-12 * (1.0 + scale[x])


def test_generated_gradients_agree_with_torch_autograd():
    def check(values, instructions, inputs, output):
        leaves = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in values]
        result = run(instructions, leaves)[-1]
        assert result.item() == pytest.approx(output.value, rel=1e-12, abs=1e-12)
        expected = torch.autograd.grad(result, leaves, allow_unused=True, materialize_grads=True)
        expected = [one.item() for one in expected]
        assert_same_gradient(inputs, output, expected)

    check_generated(check, examples=200)


class Absolute(sympy.Function):
    """The absolute value of a real number; SymPy's own allows for complex ones."""

    def fdiff(self, argindex=1):
        return Sign(self.args[0])


class Relu(sympy.Function):
    def fdiff(self, argindex=1):
        return Step01(self.args[0])


class Sign(sympy.Function):
    pass


class Step01(sympy.Function):
    pass


WITH_SYMPY = {"neg": operator.neg, "abs": Absolute, "relu": Relu} | {
    name: getattr(sympy, name) for name in ("exp", "log", "sqrt", "sin", "cos", "tanh")
}
WITH_MPMATH = [
    {
        "Absolute": abs,
        "Sign": mpmath.sign,
        "Relu": lambda x: x if x > 0 else mpmath.mpf(0),
        "Step01": lambda x: mpmath.mpf(x > 0),
    },
    "mpmath",
]


def with_exact_constants(instructions):
    def exact(operand):
        kind, what = operand
        return operand if kind == "node" else (kind, sympy.Rational(what))

    return [(name, tuple(map(exact, operands))) for name, operands in instructions]


def test_generated_gradients_agree_with_sympy_at_40_digits():
    def check(values, instructions, inputs, output):
        symbols = sympy.symbols(f"x:{len(values)}", real=True)
        exact = with_exact_constants(instructions)
        expression = run(exact, symbols, lambda name, x: WITH_SYMPY[name](x))[-1]
        derivatives = [sympy.diff(expression, symbol) for symbol in symbols]
        evaluate = sympy.lambdify(symbols, derivatives, WITH_MPMATH)
        with mpmath.workdps(40):
            expected = evaluate(*map(mpmath.mpf, values))
            assert_same_gradient(inputs, output, expected)

    check_generated(check, examples=120, most=8)


def test_generated_smooth_gradients_agree_with_complex_steps():
    # The derivative is the imaginary part of f(x + ih) / h. Nothing is subtracted, so h may be so
    # small that the error of the formula, of order h squared, vanishes.
    h = 1e-30
    with_cmath = {"neg": operator.neg} | {
        name: getattr(cmath, name) for name in ("exp", "log", "sqrt", "sin", "cos", "tanh")
    }

    def check(values, instructions, inputs, output):
        expected = []
        for i in range(len(values)):
            moved = [complex(v, h if j == i else 0.0) for j, v in enumerate(values)]
            result = run(instructions, moved, lambda name, x: with_cmath[name](x))[-1]
            expected.append(result.imag / h)
        assert_same_gradient(inputs, output, expected)

    check_generated(check, examples=150, functions=SMOOTH)


def test_generated_sweeps_gradient_and_sum_over_paths_agree():
    listed = Counter()

    def check(values, instructions, inputs, output):
        scale = sum_without_signs(output)
        derivatives = gradient(output, inputs)
        adjoints = final(reverse_sweep(output))
        # The same additions in the same order: equal to the last bit.
        assert derivatives == tuple(adjoints.get(x, 0.0) for x in inputs)
        for x, derivative in zip(inputs, derivatives, strict=True):
            # Each of at most 20 edges on a path rounds once, relative to the sum without signs.
            bound = 20 * sys.float_info.epsilon * scale[x]
            tangent = final(forward_sweep(output, wrt=x))[output]
            assert abs(tangent - derivative) <= bound
            if count_paths(x, output) <= 100:
                ways = paths(x, output)
                assert len(ways) == len(set(ways)) == count_paths(x, output)
                assert abs(math.fsum(path.product for path in ways) - derivative) <= bound
                listed[len(ways) > 1] += 1

    check_generated(check, examples=200)
    assert listed[True] > 30


def test_generated_sweeps_can_be_replayed_and_counted():
    def check(values, instructions, inputs, output):
        counts = count_operations(output)
        forward = list(forward_sweep(output, wrt=inputs[0]))
        assert replay_forward(output, forward, {inputs[0]: 1.0}) == (
            counts.forward_multiplications,
            counts.forward_additions,
        )
        reverse = list(reverse_sweep(output))
        assert replay_reverse({output: 1.0}, reverse) == (
            counts.reverse_multiplications,
            counts.reverse_additions,
        )
        nodes = topological_order(output)
        assert counts.operations == sum(node.operation != "" for node in nodes)
        assert counts.edges == sum(
            isinstance(operand, Scalar) for node in nodes for operand in node.operands
        )

    check_generated(check, examples=150)


def edges_of(nodes):
    return [Edge(parent, node, i) for node in nodes for i, parent in enumerate(node.parents)]


def replay_forward(output, steps, seeds):
    """Replay a forward sweep, check every step, and count its products and its additions."""
    nodes = topological_order(output)
    arrivals, held = Counter(), {}
    for step in steps:
        if step.edge is None:
            assert step.node in seeds or not step.node.parents
            assert step.sent == step.arrived == seeds.get(step.node, 0.0)
        else:
            parent, child, _ = step.edge
            assert step.node is child
            # A node sends only when it holds everything.
            assert arrivals[parent] == (1 if parent in seeds else max(1, len(parent.parents)))
            assert step.sent == held[parent]
            assert step.arrived == step.sent * step.edge.local_derivative
        arrivals[step.node] += 1
        held[step.node] = held.get(step.node, 0.0) + step.arrived
        assert step.total == held[step.node]
    products = [step.edge for step in steps if step.edge is not None]
    inside = [node for node in nodes if node not in seeds]
    assert Counter(products) == Counter(edges_of(inside))
    assert set(arrivals) == set(nodes)
    return len(products), sum(number - 1 for number in arrivals.values())


def replay_reverse(seeds, steps):
    """Replay a reverse sweep, check every step, and count its products and its additions."""
    nodes = topological_order(tuple(seeds))
    edges = edges_of(nodes)
    uses = Counter(edge.parent for edge in edges) + Counter(seeds.keys())
    arrivals, held = Counter(), {}
    for step in steps:
        if step.edge is None:
            assert step.sent == step.arrived == seeds[step.node]
        else:
            parent, child, _ = step.edge
            assert step.node is parent
            assert arrivals[child] == uses[child]
            assert step.sent == held[child]
            assert step.arrived == step.sent * step.edge.local_derivative
        arrivals[step.node] += 1
        held[step.node] = held.get(step.node, 0.0) + step.arrived
        assert step.total == held[step.node]
    products = [step.edge for step in steps if step.edge is not None]
    assert Counter(products) == Counter(edges)
    assert arrivals == uses
    return len(products), sum(number - 1 for number in arrivals.values())


# Seeds.


def diamond():
    x, y = Scalar(1.5, name="x"), Scalar(-0.5, name="y")
    u = x * y + x
    v = u.sin() * u
    w = v / (x + 3) - u
    return x, y, u, v, w


def test_a_forward_sweep_in_a_direction_is_the_linear_combination():
    x, y, _, _, w = diamond()
    steps = list(forward_sweep(w, {x: 2.0, y: -3}))
    along_x, along_y = gradient(w, (x, y))
    assert steps[-1].total == pytest.approx(2.0 * along_x - 3.0 * along_y, rel=1e-14)
    replay_forward(w, steps, {x: 2.0, y: -3.0})


def test_a_reverse_sweep_with_weights_is_the_linear_combination():
    x, y, u, v, w = diamond()
    for weights in ({w: 2.0, v: -3.0}, {v: -3.0, w: 2.0}):  # v lies inside the graph of w
        steps = list(reverse_sweep(weights))
        adjoints = final(steps)
        for node in (x, y, u):
            expected = 2.0 * gradient(w, node) - 3.0 * gradient(v, node)
            assert adjoints[node] == pytest.approx(expected, rel=1e-14)
        replay_reverse(weights, steps)


def test_a_seeded_intermediate_node_is_treated_as_an_input():
    x, y, u, v, w = diamond()
    steps = list(forward_sweep(w, wrt=u))
    tangents = final(steps)
    assert tangents[u] == 1.0
    assert tangents[x] == tangents[y] == 0.0
    assert tangents[w] == pytest.approx(gradient(w, u), rel=1e-14)
    assert not any(step.edge and step.edge.child is u for step in steps)
    replay_forward(w, steps, {u: 1.0})


def test_the_gradient_reaches_intermediate_nodes_and_the_output_itself():
    a, _, c, d, e = e_graph()
    assert gradient(e, (c, d, e)) == (2.0, 3.0, 1.0)
    assert gradient(a, a) == 1.0


def test_an_unused_input_has_derivative_zero():
    a, b, c, _, e = e_graph()
    stranger = Scalar(7.0)
    assert gradient(e, (a, stranger)) == (2.0, 0.0)
    assert gradient(c, e) == 0.0
    assert final(forward_sweep(e, wrt=stranger))[e] == 0.0
    assert stranger not in final(reverse_sweep(e))


def test_several_outputs_share_one_forward_sweep():
    a, b, c, d, e = e_graph()
    other = a * 10
    tangents = final(forward_sweep([e, other], wrt=a))
    assert (tangents[e], tangents[other]) == (2.0, 10.0)
    assert [step.node for step in forward_sweep([e, other], wrt=a)][-1] is other


def test_a_sweep_leaves_the_graph_as_it_was_so_that_a_second_one_gives_the_same():
    a, b, _, _, e = e_graph()
    assert list(reverse_sweep(e)) == list(reverse_sweep(e))
    assert gradient(e, (a, b)) == gradient(e, (a, b))


def test_a_sweep_is_lazy_but_refuses_at_once():
    a, b, _, _, e = e_graph()
    assert next(forward_sweep(e, wrt=a)) == Step(a, None, 1.0, 1.0, 1.0)
    with pytest.raises(TypeError):
        forward_sweep(e, wrt="a")  # not consumed
    with pytest.raises(TypeError):
        reverse_sweep("e")


# Order.


def test_topological_order_lists_each_node_once_with_parents_first():
    a, b, c, d, e = e_graph()
    assert topological_order(e) == [a, b, c, d, e]
    assert topological_order([d, c]) == [b, d, a, c]
    assert topological_order((e, e, d)) == [a, b, c, d, e]


def test_generated_orders_put_parents_first_and_leave_nothing_out():
    def check(values, instructions, inputs, output):
        order = topological_order(output)
        place = {node: i for i, node in enumerate(order)}
        assert len(place) == len(order)
        assert all(place[edge.parent] < place[edge.child] for edge in edges_of(order))
        assert order[-1] is output
        with_children = {edge.parent for edge in edges_of(order)}
        assert with_children == set(order) - {output}

    check_generated(check, examples=100)


# Long chains.

LONG = 200_000


def test_nothing_recurses_on_a_chain_of_200_000_nodes():
    x = Scalar(1.0)
    y = x
    for _ in range(LONG - 1):
        y = y + 1
    assert len(topological_order(y)) == LONG
    assert gradient(y, x) == 1.0
    assert sum(1 for _ in forward_sweep(y, wrt=x)) == LONG
    assert sum(1 for _ in reverse_sweep(y)) == LONG
    assert count_operations(y).edges == LONG - 1
    assert count_paths(x, y) == 1
    (path,) = paths(x, y)
    assert len(path.edges) == LONG - 1
    assert len(path.nodes) == LONG
    assert path.product == 1.0
    # Letting go of the graph must not recurse either.
    del path, y
    assert x.value == 1.0


# Paths.


def doubling(layers):
    x = Scalar(1.0)
    y = x
    for _ in range(layers):
        y = y + y
    return x, y


def test_2_to_the_60_paths_are_counted_at_once_and_refused_with_their_number():
    x, y = doubling(60)
    assert count_paths(x, y) == 2**60
    with pytest.raises(ValueError, match=f"there are {2**60} paths and limit is 1000"):
        paths(x, y)
    assert gradient(y, x) == 2.0**60


def test_the_limit_is_the_largest_number_of_paths_listed():
    x, y = doubling(5)
    assert len(paths(x, y, limit=32)) == 32
    with pytest.raises(ValueError, match="there are 32 paths and limit is 31"):
        paths(x, y, limit=31)
    assert paths(Scalar(0.0), y, limit=0) == []


def test_by_default_a_thousand_paths_are_listed_and_1024_are_not():
    x, y = doubling(9)
    assert len(paths(x, y)) == 512
    layers = [x]
    for _ in range(9):
        layers.append(layers[-1] + layers[-1])
    # 1000 = 512 + 256 + 128 + 64 + 32 + 8
    assert len(paths(x, sum((layers[k] for k in (9, 8, 7, 6, 5)), start=layers[3]))) == 1000
    with pytest.raises(ValueError, match="1024"):
        paths(*doubling(10))


def test_the_path_from_a_node_to_itself_has_no_edges():
    a, _, c, _, _ = e_graph()
    for node in (a, c):
        (path,) = paths(node, node)
        assert (path.source, path.edges, path.nodes, path.product) == (node, (), (node,), 1.0)
        assert count_paths(node, node) == 1


def test_there_is_no_path_between_unrelated_nodes_nor_against_the_edges():
    a, b, c, d, e = e_graph()
    for source, target in [(a, d), (e, a), (c, d), (Scalar(0.0), e)]:
        assert paths(source, target) == []
        assert count_paths(source, target) == 0


def test_the_two_edges_of_a_square_are_two_paths():
    x = Scalar(3.0)
    y = x * x
    first, second = paths(x, y)
    assert (first.edges, second.edges) == ((Edge(x, y, 0),), (Edge(x, y, 1),))
    assert first.product == second.product == 3.0
    assert gradient(y, x) == 6.0
    assert count_operations(y).reverse_additions == 1


def test_parallel_edges_carry_their_own_local_derivatives():
    x = Scalar(3.0)
    y = x - x
    assert [path.product for path in paths(x, y)] == [1.0, -1.0]
    assert gradient(y, x) == 0.0


def test_paths_that_start_inside_the_graph_ignore_what_lies_before():
    x, y, u, v, w = diamond()
    assert count_paths(u, w) == len(paths(u, w)) == 3
    assert sum(path.product for path in paths(u, w)) == pytest.approx(gradient(w, u), rel=1e-14)
    assert all(path.nodes[0] is u and path.nodes[-1] is w for path in paths(u, w))
