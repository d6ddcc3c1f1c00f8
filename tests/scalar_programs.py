"""Programs of random operations on Scalars, for the tests of graph.py."""

import operator
from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autodiff_course.graph import (
    Scalar,
    count_paths,
    topological_order,
)

BINARY = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}


def call_method(name, x):
    return getattr(operator, name)(x) if name in ("neg", "abs") else getattr(x, name)()


# Generated expressions: a program is a list of instructions, each applied to any earlier nodes, so
# that results are shared. The same program runs on Scalars, tensors, symbols and complex numbers.

FUNCTIONS = ("neg", "abs", "exp", "log", "sqrt", "sin", "cos", "tanh", "relu")
SMOOTH = tuple(name for name in FUNCTIONS if name not in ("abs", "relu"))
NAMES = (*BINARY, *FUNCTIONS)
OUT_OF_DOMAIN = (ValueError, ZeroDivisionError, OverflowError)


@st.composite
def programs(draw, functions=FUNCTIONS, most=10):
    """Return (inputs, instructions); an operand is ("node", how far back) or ("constant", c)."""
    inputs = draw(st.lists(st.integers(-300, 300).map(lambda n: n / 100), min_size=1, max_size=3))
    # Few far operands, many near ones: most of the program then leads to the last node.
    node = st.tuples(st.just("node"), st.sampled_from([0, 0, 0, 1, 1, 2, 3, 5, 8]))
    # Eighths are exact in binary, so that every way to evaluate sees the same constant.
    constant = st.tuples(st.just("constant"), st.integers(-24, 24).map(lambda n: n / 8))
    whole = st.tuples(st.just("constant"), st.sampled_from([-2, -1, 0, 1, 2, 3, 2.0, 0.5, 1.5]))
    base = st.tuples(st.just("constant"), st.sampled_from([0.5, 1.5, 2, 3]))
    pairs = st.one_of(st.tuples(node, node), st.tuples(node, constant), st.tuples(constant, node))
    powers = st.one_of(st.tuples(node, whole), st.tuples(base, node), st.tuples(node, node))
    instruction = st.one_of(
        st.tuples(st.sampled_from(["+", "-", "*", "/"]), pairs),
        st.tuples(st.sampled_from(["+", "-", "*"]), pairs),
        st.tuples(st.sampled_from(functions), st.tuples(node)),
        st.tuples(st.just("**"), powers),
    )
    return inputs, draw(st.lists(instruction, min_size=1, max_size=most))


def run(instructions, inputs, call=call_method):
    """Return the inputs and the result of each instruction."""
    nodes = list(inputs)
    for name, operands in instructions:
        arguments = [
            nodes[-1 - what % len(nodes)] if kind == "node" else what for kind, what in operands
        ]
        nodes.append(BINARY[name](*arguments) if name in BINARY else call(name, *arguments))
    return nodes


def sum_without_signs(output):
    """Return, for each node, the sum over paths of the absolute products.

    Terms of this size cancel in a derivative, so rounding is measured against it.
    """
    held = Counter({output: 1.0})
    for node in reversed(topological_order(output)):
        for parent, local in zip(node.parents, node.local_derivatives, strict=True):
            held[parent] += held[node] * abs(local)
    return held


def is_tame(output):
    """Say whether rounding in one node stays small in the next, far from every kink and pole."""
    for node in topological_order(output):
        if abs(node.value) > 1e4 or any(abs(local) > 1e2 for local in node.local_derivatives):
            return False
        kinked = node.operation in ("abs", "relu", "log", "sqrt") or (
            node.operation == "**" and isinstance(node.operands[1], Scalar)
        )
        if kinked and isinstance(node.operands[0], Scalar) and abs(node.operands[0].value) < 1e-3:
            return False
    return True


def check_generated(check, examples, **choices):
    """Call `check` on generated graphs; require that most are inside the domain and tame."""
    outcomes = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(programs(**choices))
    def one(program):
        values, instructions = program
        inputs = [Scalar(value) for value in values]
        try:
            output = run(instructions, inputs)[-1]
        except OUT_OF_DOMAIN as error:
            assert any(f" {name} " in str(error) or f"{name} of" in str(error) for name in NAMES)
            outcomes["out of the domain"] += 1
            return
        if not is_tame(output):
            outcomes["not tame"] += 1
            return
        outcomes["checked"] += 1
        outcomes["shared"] += any(count_paths(x, output) > 1 for x in inputs)
        check(values, instructions, inputs, output)

    one()
    tried = outcomes.total() - outcomes["shared"]
    assert outcomes["checked"] > 0.5 * tried, outcomes
    assert outcomes["shared"] > 0.2 * outcomes["checked"], outcomes
