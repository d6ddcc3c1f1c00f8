"""The page "Walk any formula": its numbers are Python's, whatever is typed."""

import json
import math
import re
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autodiff_course.drawing import scalar_graph
from autodiff_course.drawing.graph_data import graph_data
from autodiff_course.graph import (
    Scalar,
    count_operations,
    forward_sweep,
    gradient,
    reverse_sweep,
    topological_order,
)

from .conftest import BUILD, NARROW, WIDE

METHODS = ("exp", "log", "sqrt", "sin", "cos", "tanh", "relu")
VALUES = {"a": 2.0, "b": 1.0, "x": 0.75, "y": -1.5, "n": 3.0}
FORMULAS = [
    "(a + b)*(b + 1)",
    "c = a + b; d = b + 1; e = c*d",
    "sin(x)*exp(-x*y)",
    "y*y + y",
    "z = x*x; z*z + z",
    "-x**2 + (-x)**2 + 2**-x",
    "2**3**2*x - 7/2/x",
    "a - b - x - -y",
    "x/y/a*b",
    "(x*y).sin() + abs(y) - relu(y)",
    "tanh(2*3 + x) + sqrt(a) + log(b) + pi",
    "1e3*x + .5*y + 2.50",
    "s = x; s*s",
    "k = 2; k*x + sin(k)",
    "a ** n + y ** 3 + n ** x",
    "1/(1 + exp(-(x*a + y)))",
    "x*x*x*x",
    "x**0 + y**1",
]


# --- The same in Python ---------------------------------------------------------------------------


def functions():
    """What a formula may call, for Scalars and for numbers."""

    def function(name):
        def call(x):
            return getattr(x if isinstance(x, Scalar) else Scalar(x), name)()

        def plain(x):
            return call(x) if isinstance(x, Scalar) else call(x).value

        return plain

    return {name: function(name) for name in METHODS} | {"abs": abs, "pi": math.pi}


def recorded(text):
    """Evaluate a formula by Python itself, on Scalars."""
    space = functions() | {name: Scalar(value, name=name) for name, value in VALUES.items()}
    for statement in re.split(r"[;\n]", text):
        name, expression = re.fullmatch(r"\s*(?:(\w+)\s*=)?(.+)", statement).groups()
        output = eval(expression.strip(), {"__builtins__": {}}, space)
        if name:
            space[name] = output
            if isinstance(output, Scalar) and output.operation and not output.name:
                output.named(name)
    return output


def described(output):
    """What the page has to say of a graph."""
    nodes = topological_order(output)
    inputs = [node for node in nodes if not node.parents]
    counts = count_operations(output)
    return {
        "graph": graph_data(output),
        "values": [node.value for node in nodes],
        "locals": [slope for node in nodes for slope in node.local_derivatives],
        "forward": [step.total for step in forward_sweep(output, inputs[0])],
        "reverse": [step.total for step in reverse_sweep(output)],
        "gradient": list(gradient(output, inputs)),
        "costs": {
            "operations": counts.operations,
            "inputs": len(inputs),
            "edges": counts.edges,
            "forwardAdditions": counts.forward_additions,
            "reverseAdditions": counts.reverse_additions,
        },
        "dot": scalar_graph._scalar_dot(
            nodes,
            (output,),
            scalar_graph.label_nodes(nodes),
            {"value": {node: node.value for node in nodes}},
            set(),
            scalar_graph.ROOM,
        ),
    }


DESCRIBE = """([text, values]) => {
    const { evaluate, inputsOf, planSweep, replay } = courseExplorer;
    const { graph } = walkFormula.read(text, courseExplorer);
    for (const node of inputsOf(graph)) graph.nodes[node].value = values[graph.nodes[node].label];
    const numbers = evaluate(graph);
    const totals = (kind, node) =>
        replay(graph, kind, planSweep(graph, kind, [[node, 1]]), numbers).map((step) => step.total);
    const gradients = walk.gradients(graph, graph.nodes.map((node) => node.value));
    return {
        graph, ...numbers,
        forward: totals("tangent", inputsOf(graph)[0]),
        reverse: totals("adjoint", graph.outputs[0]),
        gradient: gradients.map(({ adjoint }) => adjoint),
        differences: gradients.map(({ difference }) => difference),
        costs: walk.costs(graph),
        dot: walkPicture.dot(graph, numbers),
    };
}"""


@pytest.fixture(scope="module")
def page(visitor):
    visitor.open("walk.html")
    shown(visitor.page)
    return visitor.page


def shown(page):
    """Wait until the picture, and with it the address, is that of what has been typed."""
    page.wait_for_function("""() => {
        const field = document.getElementById("walk-formula");
        const told = new URLSearchParams(location.hash.slice(1)).get("f");
        return field && told === field.value && document.querySelector("#walk g.node");
    }""")


def agree(ours, theirs):
    """Whether two lists of numbers are the same, up to the last bits of exp, sin and the like."""
    return len(ours) == len(theirs) and all(
        mine == pytest.approx(true, rel=1e-12, abs=1e-300, nan_ok=True)
        for mine, true in zip(ours, theirs, strict=True)
    )


def without_numbers(dot):
    """The DOT of a graph without the values: their last digit shown may be another."""
    return re.sub(r"(\n|= )-?\d[\d.e+-]*(?=\W)", r"\1#", dot)


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_recorded_and_differentiated_as_in_python(page, text):
    mine, true = page.evaluate(DESCRIBE, [text, VALUES]), described(recorded(text))
    assert mine["error"] is None
    assert mine["graph"] == true["graph"]
    assert mine["costs"] == true["costs"]
    assert mine["dot"] == true["dot"]
    is_exact = not re.search(r"\*\*|\w\(", text)  # only + - * /
    for name in ("values", "locals", "forward", "reverse", "gradient"):
        assert mine[name] == true[name] if is_exact else agree(mine[name], true[name]), name
    assert mine["differences"] == pytest.approx(true["gradient"], rel=1e-6, abs=1e-6)


def calls(inner):
    safe = ("sin", "cos", "tanh", "abs", "relu")
    return st.builds("{}({})".format, st.sampled_from(safe), inner)


def operations(inner):
    binary = st.builds("{} {} {}".format, inner, st.sampled_from("+-*"), inner)
    power = st.builds("{}**{}".format, st.sampled_from(("x", "-x", "(a - y)")), st.integers(0, 3))
    return st.one_of(
        binary, binary.map("({})".format), inner.map("-{}".format), power, calls(inner)
    )


LEAVES = st.sampled_from(["a", "b", "x", "y", "2", "0.5"])
EXPRESSIONS = st.recursive(LEAVES, operations, max_leaves=12).filter(
    lambda text: re.search(r"\b[abxy]\b", text) and not re.fullmatch(r"-*\w|-*\(\w\)", text)
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(EXPRESSIONS)
def test_generated_formulas_too(page, text):
    output = recorded(text)
    mine, true = page.evaluate(DESCRIBE, [text, VALUES]), described(output)
    assert mine["graph"]["outputs"] == true["graph"]["outputs"]
    assert without_numbers(mine["dot"]) == without_numbers(true["dot"])
    for name in ("values", "locals", "forward", "reverse", "gradient"):
        assert agree(mine[name], true[name]), name


# --- What it does not know ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "marked", "message"),
    [
        ("2 + (3 + foo(x))*y", "foo", "foo is not known. Known are exp, log"),
        ("x^2", "^", "For a power write **"),
        ("3*x + 2x", "x", "For a product write *, as in 2*x."),
        ("a(b + 1)", "a", "For a product write *"),
        ("(a + b)*(b + 1", "(", "This ( is not closed."),
        ("a + b)", ")", "This ) closes nothing."),
        ("x*", "*", "The formula stops too early."),
        ("sin(x, y)", "sin(x, y)", "sin takes one argument, not 2."),
        ("sin x", "x", "sin needs its argument in parentheses"),
        ("x = x + 1", "x", "x cannot be made of itself"),
        ("c = 2*a\nc = c*b", "c", "c stands for something already"),
        ("x + 1/0", "1/0", "1 / 0: float division by zero"),
        ("2 + 3", "2 + 3", "There is no input in this"),
        ("x²", "x²", "For a square write x**2."),
        ("x[0] + 1", "x[0]", "Only + - * / **, functions and names are known."),
        ("", "", "Type a formula"),
    ],
)
def test_what_cannot_be_read_is_told_and_marked(page, text, marked, message):
    read = """(text) => {
        try {
            walkFormula.read(text, courseExplorer);
        } catch (error) {
            return [text.slice(error.start, error.end), error.message];
        }
    }"""
    found, told = page.evaluate(read, text)
    assert found == marked
    assert message in told


def test_a_fault_is_shown_beside_the_formula_and_goes_away(visitor):
    page = visitor.page
    visitor.open("walk.html")
    shown(page)
    page.get_by_label("Your formula").fill("x + foo(x)")
    page.locator("#walk-fault mark").wait_for()
    assert page.locator("#walk-fault mark").inner_text() == "foo"
    page.get_by_label("Your formula").fill("log(x - 1)")
    shown(page)
    page.get_by_label("x, number").fill("1")
    # Out of a domain: Python's own words, and the place.
    page.locator("#walk-fault mark").get_by_text("log(x - 1)").wait_for()
    expected = "ValueError: log of 0.0: math domain error"
    assert page.locator("#walk-fault p").inner_text() == expected
    page.get_by_label("x, number").fill("3")
    page.locator("#walk-fault p").wait_for(state="detached")
    assert visitor.faults == []


# --- The page -------------------------------------------------------------------------------------


def test_a_link_holds_the_formula_the_values_and_what_is_shown(visitor):
    page = visitor.page
    page.goto("about:blank")
    formula = quote("y = x*x; z = y*y + y")
    visitor.open(f"walk.html#f={formula}&at=x:3&show=reverse")
    shown(page)
    assert page.get_by_role("radio", name="Reverse", exact=True).is_checked()
    page.locator("#walk .ad-panel input[type=range]").focus()
    page.keyboard.press("End")
    assert "adjoint 114" in page.locator("#walk g.node").first.text_content()
    page.get_by_label("x, number").fill("2")
    page.wait_for_function("location.hash.includes('x%3A2&')")
    visitor.page.reload()
    shown(page)
    assert page.get_by_label("x, number").input_value() == "2"
    assert page.get_by_label("Your formula").input_value() == "y = x*x; z = y*y + y"
    assert visitor.faults == []


def test_everything_can_be_shown_with_the_keyboard_alone(visitor):
    page = visitor.page
    visitor.open("walk.html")
    shown(page)
    page.get_by_label("Your formula").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("sin(x)*exp(-x*y)")
    page.get_by_text("Counted: 5 operations, 2 inputs, 7 edges").wait_for()
    page.keyboard.press("Tab")
    seen = []
    for _ in range(page.locator("#walk input[type=radio]").count()):
        shown(page)
        seen.append(page.locator("#walk input[type=radio]:checked").input_value())
        page.keyboard.press("ArrowDown")
    assert len(set(seen)) == len(seen) > 5
    assert visitor.faults == []


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_graph_of_the_menu_can_be_walked(visitor, size, theme):
    page = visitor.page
    visitor.open("walk.html", size, theme)
    menu = page.get_by_label("A graph of the course")
    for index in range(1, menu.locator("option").count()):
        menu.select_option(index=index)
        shown(page)
        assert page.locator("#walk-fault").inner_text() == ""
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    BUILD.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=BUILD / f"walk-{size['width']}-{theme}.png", full_page=True)
    assert visitor.violations() == []
    assert visitor.faults == []


def test_the_page_needs_no_server(browser, site):
    page = browser.new_page()
    page.goto((site / "walk.html").as_uri())
    shown(page)
    page.close()


def test_the_weight_of_the_page_is_kept(visitor):
    page = visitor.page
    sizes = {}
    page.on("response", lambda one: sizes.update({one.url: len(one.body())}))
    visitor.open("walk.html")
    shown(page)
    (BUILD / "walk.json").write_text(json.dumps(sizes, indent=1))
    own = [
        size for url, size in sizes.items() if re.search(r"/(viz|jsep|walk\w*|explorer)\.js", url)
    ]
    assert sum(own) < 1_500_000
