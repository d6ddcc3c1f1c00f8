"""The explorer in a real browser: its numbers against Python's, and what a reader does with it."""

import html
import math
import operator
import re
import struct
import sys
from statistics import median

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from autodiff_course.drawing import draw, explore, explorer, step_through
from autodiff_course.drawing.graph_data import edges_of, graph_data, steps_data
from autodiff_course.graph import Scalar, forward_sweep, reverse_sweep, topological_order

# --- Same numbers ---------------------------------------------------------------------------------

EXACT = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "neg": operator.neg,
    "sqrt": Scalar.sqrt,
}
OPERATIONS = EXACT | {
    "**": operator.pow,
    "abs": abs,
    **{name: getattr(Scalar, name) for name in ("exp", "log", "sin", "cos", "tanh", "relu")},
}
UNARY = ("neg", "sqrt", "abs", "exp", "log", "sin", "cos", "tanh", "relu")
OUTSIDE = (ValueError, ZeroDivisionError, OverflowError)

numbers = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 3.0, 1e-5, 1e16, 1.0625, 1e300, 5e-324]),
    st.floats(-10, 10),
    st.floats(allow_nan=False),
)
constants = st.one_of(numbers, st.integers(-3, 5))


def graphs(operations):
    """Draw a graph: inputs, then operations; those outside a domain are left out."""
    step = st.tuples(
        st.sampled_from(sorted(operations)),
        st.integers(0, 99),
        st.one_of(st.integers(0, 99), constants.map(str)),
        st.booleans(),
    )

    def build(values, steps):
        nodes = [Scalar(value, name=f"x{i}") for i, value in enumerate(values)]
        for name, first, second, swap in steps:
            operands = [nodes[first % len(nodes)]]
            if name not in UNARY:
                is_constant = isinstance(second, str)
                other = _number(second) if is_constant else nodes[second % len(nodes)]
                operands = [other, *operands] if swap else [*operands, other]
            try:
                nodes.append(operations[name](*operands))
            except OUTSIDE:
                continue
        return nodes

    values = st.lists(numbers, min_size=1, max_size=4)
    return st.builds(build, values, st.lists(step, min_size=1, max_size=12))


def _number(text):
    return int(text) if text.lstrip("-").isdigit() else float(text)


@st.composite
def walks(draw_from, operations):
    """A graph, several outputs of it, and the seeds of a sweep in either direction."""
    nodes = draw_from(graphs(operations))
    outputs = draw_from(st.lists(st.sampled_from(nodes), min_size=1, max_size=2, unique_by=id))
    order = topological_order(outputs)
    seeds = st.dictionaries(st.sampled_from(order), st.floats(-3, 3), min_size=1, max_size=3)
    return outputs, draw_from(seeds), draw_from(seeds)


def bits(value):
    return "nan" if math.isnan(value) else struct.pack("<d", value)


def are_close(found, expected):
    return bits(found) == bits(expected) or math.isclose(found, expected, rel_tol=1e-12)


@pytest.fixture(scope="module")
def page(browser):
    """An empty page that knows the script which every output carries."""
    opened = browser.new_page()
    opened.add_script_tag(content=explorer._script())
    yield opened
    opened.close()


# Numbers cross over as texts: what carries them between the two programs loses the sign of a NaN.
WALK = """cases => cases.map(({graph, seeds, local}) => {
    const numbers = evaluate(graph);
    const sweeps = Object.entries(seeds).map(([kind, pairs]) => {
        const steps = planSweep(graph, kind, pairs);
        const walked = replay(graph, kind, steps, local ?? numbers);
        const words = walked.map(step => wordsOf(graph, kind, step, numbers));
        const rows = walked.map(({sent, arrived, total}) => [sent, arrived, total]);
        return {steps, walked: rows, words};
    });
    return {...numbers, sweeps};
})"""


def sweeps_of(walk):
    outputs, forward, backward = walk
    return {
        "tangent": list(forward_sweep(outputs, forward)),
        "adjoint": list(reverse_sweep(backward)),
    }


def seeds_of(walk):
    outputs, forward, backward = walk
    number = {node: i for i, node in enumerate(topological_order(outputs))}
    kinds = {"tangent": forward, "adjoint": backward}
    return {k: [[number[n], seed] for n, seed in seeds.items()] for k, seeds in kinds.items()}


# The page is the same for all examples, and one call takes many graphs.
batched = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@batched
@given(st.lists(walks(EXACT), min_size=20, max_size=25))
def test_graphs_of_exact_operations_give_the_same_numbers_bit_for_bit(page, cases):
    found = page.evaluate(
        WALK, [{"graph": graph_data(walk[0]), "seeds": seeds_of(walk)} for walk in cases]
    )
    for walk, there in zip(cases, found, strict=True):
        nodes = topological_order(walk[0])
        assert list(map(bits, there["values"])) == [bits(node.value) for node in nodes]
        slopes = [edge.local_derivative for edge in edges_of(nodes)]
        assert list(map(bits, there["locals"])) == list(map(bits, slopes))
        for (kind, steps), sweep in zip(sweeps_of(walk).items(), there["sweeps"], strict=True):
            assert sweep["steps"] == steps_data(walk[0], steps)
            expected = [[step.sent, step.arrived, step.total] for step in steps]
            assert [list(map(bits, row)) for row in sweep["walked"]] == [
                list(map(bits, row)) for row in expected
            ]
            labels = explorer.label_nodes(nodes)
            assert sweep["words"] == [explorer._arithmetic(kind, step, labels) for step in steps]


def one_operation(node):
    """The graph of one operation, on inputs with the values that the operands have."""
    inputs = {parent: Scalar(parent.value, name=f"x{i}") for i, parent in enumerate(node.parents)}
    return again(node, inputs)


def again(node, copies):
    operands = [copies.get(o, o) if isinstance(o, Scalar) else o for o in node.operands]
    return OPERATIONS[node.operation](*operands)


@batched
@given(st.lists(walks(OPERATIONS), min_size=20, max_size=25))
@example([(Scalar(0.0) ** Scalar(-math.inf), {}, {}), (Scalar(-0.0) ** Scalar(-math.inf), {}, {})])
def test_each_operation_gives_the_same_value_and_slopes(page, cases):
    """From the same operands: behind a difference of near numbers the last digits may be others."""
    made = [node for walk in cases for node in topological_order(walk[0]) if node.parents]
    graphs = [graph_data(one_operation(node)) for node in made]
    found = page.evaluate("graphs => graphs.map(graph => evaluate(graph))", graphs)
    for node, there in zip(made, found, strict=True):
        assert there["error"] is None
        assert are_close(there["values"][-1], node.value), node
        for slope, expected in zip(there["locals"], node.local_derivatives, strict=True):
            # Where tanh is almost 1, 1 - tanh² has lost all digits but those of the last bit.
            is_lost = node.operation == "tanh" and abs(slope - expected) <= 2**-51
            is_sign_of_nan = node.operation == "abs" and math.isnan(node.value)
            assert are_close(slope, expected) or is_lost or is_sign_of_nan, node


@batched
@given(st.lists(walks(OPERATIONS), min_size=20, max_size=25))
def test_sweeps_add_up_the_same_numbers_bit_for_bit(page, cases):
    """From the same local derivatives, whatever the operations were."""

    def local(walk):
        nodes = topological_order(walk[0])
        slopes = [edge.local_derivative for edge in edges_of(nodes)]
        return {"values": [node.value for node in nodes], "locals": slopes}

    found = page.evaluate(
        WALK,
        [
            {"graph": graph_data(walk[0]), "seeds": seeds_of(walk), "local": local(walk)}
            for walk in cases
        ],
    )
    for walk, there in zip(cases, found, strict=True):
        for steps, sweep in zip(sweeps_of(walk).values(), there["sweeps"], strict=True):
            assert sweep["steps"] == steps_data(walk[0], steps)
            expected = [[step.sent, step.arrived, step.total] for step in steps]
            assert [list(map(bits, row)) for row in sweep["walked"]] == [
                list(map(bits, row)) for row in expected
            ]


def course_graphs():
    x, y = Scalar(0.7, name="x"), Scalar(1.3, name="y")
    tower = x
    for _ in range(3):
        tower = tower.sin() + tower.cos()
    return [
        tower,
        x.sin() * (-x * y).exp(),
        (1 + (x * y).exp()).log() / (x**2 + y**x).sqrt(),
        (x.tanh() - y.relu()) ** 3 * abs(y),
    ]


def test_the_graphs_of_the_course_give_the_same_numbers(page):
    cases = [
        ((output,), {topological_order(output)[0]: 1.0}, {output: 1.0})
        for output in course_graphs()
    ]
    found = page.evaluate(WALK, [{"graph": graph_data(w[0]), "seeds": seeds_of(w)} for w in cases])
    for walk, there in zip(cases, found, strict=True):
        expected = [node.value for node in topological_order(walk[0])]
        assert all(map(are_close, there["values"], expected))
        for steps, sweep in zip(sweeps_of(walk).values(), there["sweeps"], strict=True):
            for row, step in zip(sweep["walked"], steps, strict=True):
                assert all(map(are_close, row, (step.sent, step.arrived, step.total)))


@batched
@given(
    st.lists(st.tuples(graphs(OPERATIONS), st.lists(numbers, min_size=4, max_size=4)), min_size=25)
)
def test_errors_outside_a_domain_are_those_of_python(page, cases):
    graphs = [graph_data(nodes[-1]) for nodes, _ in cases]
    asked = []
    for graph, (nodes, values) in zip(graphs, cases, strict=True):
        inputs = [node for node in topological_order(nodes[-1]) if not node.parents]
        moved = dict(zip(inputs, values, strict=False))
        asked.append(
            {"graph": graph, "inputs": [moved.get(n) for n in topological_order(nodes[-1])]}
        )
    found = page.evaluate("cases => cases.map(c => evaluate(c.graph, c.inputs).error)", asked)
    for (nodes, values), there in zip(cases, found, strict=True):
        order = topological_order(nodes[-1])
        inputs = [node for node in order if not node.parents]
        expected = first_error(order, dict(zip(inputs, values, strict=False)))
        assert there == expected or without_reason(there) == without_reason(expected), nodes[-1]


def first_error(order, values):
    copies = {node: Scalar(value) for node, value in values.items()}
    for i, node in enumerate(order):
        if node.parents:
            try:
                copies[node] = again(node, copies)
            except OUTSIDE as error:
                return {"type": type(error).__name__, "message": str(error), "node": i}
    return None


def without_reason(error):
    """What every version of Python words alike: the type, and the operation with its operands."""
    if error is None or not newer_words():
        return error
    return error | {"message": error["message"].rpartition(": ")[0]}


def newer_words():
    return sys.version_info >= (3, 14)


@settings(batched, max_examples=5)
@given(st.lists(st.one_of(st.floats(), numbers), min_size=200, max_size=400))
def test_numbers_are_written_as_python_writes_them(page, values):
    texts = "values => values.map(x => [pythonRepr(x), shortText(x)])"
    assert page.evaluate(texts, values) == [[repr(x), f"{x:z.4g}"] for x in values]


# --- What a reader does ---------------------------------------------------------------------------


def e_graph():
    a, b = Scalar(2.0, name="a"), Scalar(1.0, name="b")
    c, d = (a + b).named("c"), (b + 1).named("d")
    return a, b, c, d, (c * d).named("e")


def both_sweeps():
    _, b, *_, e = e_graph()
    return step_through(e, tangents=forward_sweep(e, b), adjoints=reverse_sweep(e))


def square_and_sum():
    x = Scalar(3.0, name="x")
    y = (x * x).named("y")
    return (y * y + y).named("z")


PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title>
<meta name="viewport" content="width=device-width"><style>{style}</style>
<main><h1>A page</h1>{content}</main></html>"""
DARK = "body { background: #111; color: #eee; }"


@pytest.fixture
def opened(browser):
    """Return a function that opens an output in a page of its own."""
    pages, faults = [], []

    def open_output(*outputs, style="", width=1280, reduced_motion="reduce", **options):
        view = {"viewport": {"width": width, "height": 900}, "reduced_motion": reduced_motion}
        tab = browser.new_page(**view, **options)
        tab.set_default_timeout(5000)
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("request", lambda request: faults.append(request.url))
        pages.append(tab)
        content = "".join(output._repr_mimebundle_()["text/html"] for output in outputs)
        tab.set_content(PAGE.format(style=style, content=content))
        return tab

    yield open_output
    for tab in pages:
        tab.close()
    assert [fault for fault in faults if not fault.startswith(("data:", "about:"))] == []


def lines(tab, panel=0):
    """{label: the lines below it} of the nodes of a picture."""
    nodes = tab.locator(".ad-explorer svg").nth(panel).locator(".node")
    texts = [node.locator("text").all_text_contents() for node in nodes.all()]
    return {heading.split(" = ")[0]: rest for heading, *rest in texts}


def slopes(tab, panel=0):
    return tab.locator(".ad-explorer svg").nth(panel).locator(".edge text").all_text_contents()


def captions(tab):
    return tab.locator("figcaption").all_text_contents()


def test_a_slider_and_a_typed_number_move_an_input(opened):
    tab = opened(explore(e_graph()[-1], tangents=True, adjoints=True))
    assert lines(tab)["b"] == ["1", "tangent 0", "adjoint 5"]
    tab.get_by_label("a, slider").press("ArrowRight")  # a tenth more
    assert lines(tab)["a"][0] == "2.1" and lines(tab)["e"][0] == "6.2"
    assert "∂e/∂d = 3.1" in slopes(tab)
    assert lines(tab)["b"] == ["1", "tangent 0", "adjoint 5.1"]
    tab.get_by_label("a, number").fill("-1e3")
    assert lines(tab)["e"][0] == "-1998"
    assert tab.get_by_label("a, slider").input_value() == "-1000"


# How far the drawing stays inside its picture: left, top, right and bottom.
ROOM = """() => {
    const svg = document.querySelector(".ad-explorer svg");
    const inside = [...svg.querySelectorAll(".node, .edge")].map((e) => e.getBoundingClientRect());
    const outside = svg.getBoundingClientRect();
    return [
        Math.min(...inside.map((box) => box.left)) - outside.left,
        Math.min(...inside.map((box) => box.top)) - outside.top,
        outside.right - Math.max(...inside.map((box) => box.right)),
        outside.bottom - Math.max(...inside.map((box) => box.bottom)),
    ];
}"""
VIEW = "document.querySelector('.ad-explorer svg').getAttribute('viewBox').split(' ').map(Number)"


def test_sweeps_appear_when_they_are_asked_for_and_follow_their_seeds(opened):
    tab = opened(explore(e_graph()[-1]))
    assert lines(tab)["b"] == ["1"]
    assert min(tab.evaluate(ROOM)) >= 0
    tab.get_by_label("adjoints").check()
    assert min(tab.evaluate(ROOM)) >= 0
    view = tab.evaluate(VIEW)
    tab.get_by_label("tangents").check()
    assert min(tab.evaluate(ROOM)) >= 0
    tab.get_by_label("adjoints").uncheck()
    assert min(tab.evaluate(ROOM)) >= 0
    assert tab.evaluate(VIEW) == view  # the room for the second sweep is given back
    tab.get_by_label("adjoints").check()
    tab.get_by_label("seed of b").fill("10")
    tab.get_by_label("seed of e").fill("-1")
    assert lines(tab)["b"] == ["1", "tangent 10", "adjoint -5"]
    assert lines(tab)["e"] == ["6", "tangent 52", "adjoint -1"]


@pytest.mark.parametrize(
    ("make", "value"),
    [
        (lambda x: 3.0 / x, 0.0),
        (lambda x: x.log(), -1.0),
        (lambda x: x**0.5, -2.0),
        (lambda x: x.exp(), 1e3),
    ],
)
def test_outside_a_domain_stands_what_python_says_and_a_good_number_mends_it(opened, make, value):
    with pytest.raises(OUTSIDE) as raised:
        make(Scalar(value))
    tab = opened(explore((make(Scalar(2.0, name="x")) * 2).named("y"), adjoints=True))
    before = lines(tab)
    tab.get_by_label("x, number").fill(str(value))
    alarm = tab.get_by_role("alert")
    assert alarm.inner_text() == f"{raised.type.__name__}: {raised.value}"
    assert lines(tab)["v1"][0] == lines(tab)["y"][0] == "?"
    assert "?" in slopes(tab)[0]
    tab.get_by_label("x, number").fill("2")
    assert alarm.inner_text() == "" and lines(tab) == before


def test_every_step_says_and_shows_what_python_says(opened):
    _, b, *_, e = e_graph()
    output = both_sweeps()
    tab = opened(output)
    rows = [row[1:] for row in output.rows[1:]]
    held = [{}, {}]
    sweeps = [list(forward_sweep(e, b)), list(reverse_sweep(e))]
    for number, row in enumerate(rows):
        for panel, kind in enumerate(["tangent", "adjoint"]):
            done = min(number, len(sweeps[panel]))
            if 0 < number == done:
                step = sweeps[panel][number - 1]
                held[panel][step.node.name] = f"{kind} {step.total:g}"
            assert captions(tab)[panel] == f"{done}. {row[panel] or rows[done][panel]}"
            for label, (_, line) in lines(tab, panel).items():
                assert line == held[panel].get(label, f"{kind} ?")
        assert tab.get_by_role("status").inner_text().startswith(f"Step {number} of 7. ")
        tab.get_by_role("button", name="Forward").click()
    tab.get_by_text("All steps as a table").click()
    table = tab.locator("tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(c => c.innerText))"
    )
    assert [tuple(row) for row in table] == list(output.rows)
    # The browser tells the page that the table was opened a moment after it has shown it.
    tab.locator("tr[aria-current=step]").first.wait_for()
    assert tab.locator("tr[aria-current=step]").count() == 1


def test_the_keys_walk_and_stay_inside(opened):
    tab = opened(both_sweeps())
    tab.evaluate("void (window.heard = [], document.onkeydown = event => heard.push(event.key))")
    tab.get_by_role("button", name="Back").focus()
    clock = tab.get_by_text(re.compile("^step .* of"))
    for key, step in [
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("End", 7),
        ("Home", 0),
    ]:
        tab.keyboard.press(key)
        assert clock.inner_text() == f"step {step} of 7"
    slider = tab.get_by_label("step", exact=True)
    slider.press("End")
    assert clock.inner_text() == "step 7 of 7"
    tab.get_by_label("a, slider").press("ArrowRight")
    assert clock.inner_text() == "step 7 of 7"
    assert lines(tab)["a"][0] == "2.1"
    assert tab.evaluate("heard") == []  # a deck or a notebook would have turned the page


BEATS = """void (
    window.beats = [],
    window.setInterval = beat => beats.push(beat),
    window.clearInterval = () => { beats.length = 0; }
)"""


def test_it_plays_to_the_end_and_pauses(opened):
    tab = opened(step_through(e_graph()[2], values=True))
    tab.evaluate(BEATS)  # a clock that the test turns
    tab.get_by_role("button", name="Play").click()
    tab.evaluate("beats[0]()")
    assert tab.get_by_text("step 2 of 3", exact=True).is_visible()
    tab.get_by_role("button", name="Pause").click()
    assert tab.evaluate("beats.length") == 0
    tab.get_by_role("button", name="Play").click()
    assert captions(tab) == ["3. c = a + b = 2 + 1 = 3"]
    assert tab.evaluate("beats.length") == 0
    tab.get_by_role("button", name="Play").click()  # from the end it begins anew
    assert tab.get_by_text("step 1 of 3", exact=True).is_visible()


def test_an_evaluation_gives_nothing_away(opened):
    tab = opened(step_through(e_graph()[-1], values=True))
    for _ in range(4):
        tab.get_by_role("button", name="Forward").click()
    assert lines(tab)["e"] == ["?"] and lines(tab)["d"] == ["2"]
    assert slopes(tab)[-2:] == ["∂e/∂c = ?", "∂e/∂d = ?"]


TRACK = """panel => new Promise(resolve => {
    const svg = document.querySelectorAll(".ad-explorer svg")[panel], seen = [];
    const look = () => {
        const bubble = svg.querySelector(".bubble[transform]");
        if (bubble) {
            const [place] = bubble.getAttribute("transform").match(/[-\\d.]+/);
            seen.push([Number(place), bubble.textContent]);
        }
        if (seen.length && !bubble) resolve(seen);
        else requestAnimationFrame(look);
    };
    look();
})"""


@pytest.mark.parametrize("panel", [0, 1])
def test_a_number_travels_along_its_edge_in_its_direction(opened, panel):
    tab = opened(both_sweeps(), reduced_motion="no-preference")
    tab.get_by_label("step", exact=True).fill("5")
    tab.evaluate(f"void (window.track = ({TRACK})({panel}))")
    tab.get_by_role("button", name="Forward").click()  # c sends to e, and to b
    seen = tab.evaluate("track")
    places = [place for place, _ in seen]
    assert len(places) > 3
    assert places == sorted(places, reverse=panel == 1)
    assert [seen[0][1], seen[-1][1]] == ([["1", "2"], ["2", "2"]][panel])
    word = ["tangent", "adjoint"][panel]
    assert lines(tab, panel)[["e", "b"][panel]][1] == f"{word} {[2, 5][panel]}"


def test_who_wants_less_motion_sees_none(opened):
    tab = opened(both_sweeps())
    tab.evaluate(
        """() => {
        window.bubbles = 0;
        new MutationObserver(() => { bubbles += document.querySelectorAll(".bubble").length; })
            .observe(document.body, {childList: true, subtree: true});
    }"""
    )
    for _ in range(5):
        tab.get_by_role("button", name="Forward").click()
    tab.wait_for_timeout(100)
    assert tab.evaluate("bubbles") == 0
    assert lines(tab, 1)["a"] == ["2", "adjoint 2"]


def test_arrowheads_point_where_the_number_goes(opened):
    tab = opened(both_sweeps())
    ends = tab.locator(".ad-explorer svg").evaluate_all(
        """pictures => pictures.map(svg => [...svg.querySelectorAll(".edge")].map(edge => {
            const line = edge.querySelector("path"), head = edge.querySelector("polygon").getBBox();
            const [first, last] = [0, line.getTotalLength()].map(at => line.getPointAtLength(at));
            const middle = {x: head.x + head.width / 2, y: head.y + head.height / 2};
            const far = point => Math.hypot(point.x - middle.x, point.y - middle.y);
            return far(first) < far(last) ? "parent" : "child";
        }))"""
    )
    assert ends == [["child"] * 5, ["parent"] * 5]


def test_a_chosen_node_says_what_it_is(opened):
    tab = opened(both_sweeps())
    tab.get_by_role("button", name="Back").press("End")
    node = tab.locator(".ad-explorer svg").nth(1).locator(".node").nth(1)
    node.click()
    detail = tab.locator(".detail")
    assert detail.inner_text() == (
        "b = 1 (input). Local derivatives: ∂c/∂b = 1, ∂d/∂b = 1. "
        "tangent of b = 1 (seed). adjoint of b = 3 × 1 + 2 × 1 = 5."
    )
    node.press("Enter")
    assert detail.inner_text() == ""


# --- Your turn ------------------------------------------------------------------------------------


def choose(tab, label):
    node = tab.locator(".ad-explorer .node", has=tab.get_by_text(re.compile(f"^{label}( =| ✓|$)")))
    node.focus()
    tab.keyboard.press("Enter")
    return captions(tab)[0]


def test_who_sends_too_early_is_told_what_is_missing_and_what_would_come_of_it(opened):
    z = square_and_sum()
    tab = opened(step_through(z, adjoints=reverse_sweep(z), your_turn=True))
    assert choose(tab, "z") == "Right: z sends 1 × 1 = 1 to v1 and 1 × 1 = 1 to y."
    assert choose(tab, "y") == (
        "Too early: y still waits for what arrives from v1 over ∂v1/∂y and from v1 over ∂v1/∂y. "
        "If it sent its 1 now, the adjoint of x would be 6 instead of 114."
    )
    assert lines(tab)["x"][1] == "adjoint ?"
    assert tab.get_by_role("status").inner_text() == captions(tab)[0]
    assert "z has sent already" in choose(tab, "z")
    assert "the sweep ends here" in choose(tab, "x")
    tab.get_by_role("button", name="Which may send?").click()
    assert captions(tab)[0] == "All has arrived at v1."
    choose(tab, "v1")
    assert choose(tab, "y").endswith("All have sent: the adjoint of x is 114.")
    assert lines(tab)["x"][1] == "adjoint 114"
    tab.get_by_role("button", name="Start again").click()
    assert [line[1] for line in lines(tab).values()] == ["adjoint ?"] * 3 + ["adjoint 1"]


def test_one_may_send_forward_too(opened):
    _, b, *_, e = e_graph()
    tab = opened(step_through(e, tangents=forward_sweep(e, b), your_turn=True))
    assert choose(tab, "d").startswith(
        "Too early: d still waits for what arrives from b over ∂d/∂b. "
    )
    for label in "acbd":
        said = choose(tab, label)
        if label == "c":
            assert said.startswith("Too early: c still waits for what arrives from b over ∂c/∂b.")
            assert "the tangent of e would be 3 instead of 5" in said
    choose(tab, "c")
    assert lines(tab)["e"][1] == "tangent 5"


@settings(batched, max_examples=4)
@given(st.lists(graphs(EXACT), min_size=10, max_size=15))
def test_who_sends_when_it_is_allowed_gets_the_adjoints_of_python(page, cases):
    outputs = [nodes[-1] for nodes in cases]
    found = page.evaluate(
        """graphs => graphs.map(graph => {
            const numbers = evaluate(graph);
            let turn = startTurn(graph, "adjoint", [[graph.outputs[0], 1]]);
            for (let ready = readyIn(turn); ready.length; ready = readyIn(turn))
                turn = sendFrom(turn, ready.at(-1), numbers);
            return [turn.held, turn.sent.size];
        })""",
        list(map(graph_data, outputs)),
    )
    for output, (held, senders) in zip(outputs, found, strict=True):
        order = topological_order(output)
        adjoints = {step.node: step.total for step in reverse_sweep(output)}
        # The order of equal right is free, and with it the order of a sum: the last bit.
        for there, node in zip(held, order, strict=True):
            expected = adjoints[node]
            terms = sum(abs(s.arrived) for s in reverse_sweep(output) if s.node is node and s.edge)
            near = math.isclose(there, expected, rel_tol=1e-9, abs_tol=1e-9 * terms)
            assert near or not math.isfinite(terms)
        assert senders == sum(1 for node in order if node.parents)


# --- Hosts ----------------------------------------------------------------------------------------


def test_without_scripts_there_are_one_picture_and_the_table(opened):
    tab = opened(both_sweeps(), java_script_enabled=False)
    assert tab.get_by_role("img").count() == 1
    assert tab.get_by_role("img").bounding_box()["height"] > 100
    assert tab.locator("tr:visible").count() == 9
    assert tab.get_by_role("button").count() == 0


def test_it_lives_in_a_frame_that_is_cut_off_from_its_page(opened):
    content = PAGE.format(style="", content=html_of(both_sweeps()))
    tab = opened()
    tab.set_content(
        f'<iframe sandbox="allow-scripts" width="900" height="700" title="an output" '
        f'srcdoc="{html.escape(content)}"></iframe>'
    )
    frame = tab.frame_locator("iframe")
    frame.get_by_role("button", name="Forward").click()
    assert frame.get_by_text("1. adjoint of e = 1 (seed)", exact=True).is_visible()


def html_of(output):
    return output._repr_mimebundle_()["text/html"]


def test_outputs_live_side_by_side_and_twice(opened):
    output = both_sweeps()
    tab = opened(output, explore(e_graph()[-1]), output)
    assert tab.locator(".ad-explorer svg").count() == 5
    assert tab.locator(".ad-explorer img").count() == 0
    tab.get_by_role("button", name="Forward").last.click()
    assert tab.get_by_text(re.compile("^step ")).all_inner_texts() == ["step 0 of 7", "step 1 of 7"]


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("style", ["", DARK])
def test_it_fits_its_page_and_keeps_nobody_out(opened, web, width, style):
    z = square_and_sum()
    outputs = [
        explore(e_graph()[-1], adjoints=True),
        both_sweeps(),
        step_through(z, adjoints=reverse_sweep(z), your_turn=True),
    ]
    tab = opened(*outputs, style=style, width=width)
    tab.get_by_role("button", name="Forward").click()
    tab.locator(".node").nth(1).click()
    for summary in tab.locator("summary").all():
        summary.click()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    sizes = tab.locator(".ad-explorer .node text").evaluate_all(
        "texts => texts.map(text => text.getBoundingClientRect().height)"
    )
    assert min(sizes) >= 11
    tab.evaluate((web / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    found = tab.evaluate(
        "async () => (await axe.run()).violations.map(v => [v.id, v.nodes[0].html])"
    )
    assert found == []


def fifty_nodes():
    nodes = [Scalar(0.3 + 0.1 * i, name=f"x{i}") for i in range(5)]
    for i in range(45):
        first, second = nodes[-1], nodes[7 * i % len(nodes)]
        nodes.append([first * second, first + second, first.sin()][i % 3])
    return nodes[-1]


REDRAW = """async () => {
    const milliseconds = [];
    const field = document.querySelector(".dial input[type=number]");
    const forward = document.querySelectorAll("button")[2];
    for (let i = 0; i < 40; i++) {
        await new Promise(requestAnimationFrame);
        const begin = performance.now();
        if (i % 2) { field.value = 0.3 + i / 100; field.oninput(); } else forward.click();
        document.body.getBoundingClientRect();
        milliseconds.push(performance.now() - begin);
    }
    return milliseconds;
}"""


def test_a_redraw_changes_only_what_has_changed(opened):
    output = fifty_nodes()
    assert len(topological_order(output)) >= 49
    tab = opened(step_through(output, adjoints=reverse_sweep(output)))
    print(f"a redraw of 49 nodes takes {median(tab.evaluate(REDRAW)):.1f} ms")
    tab.evaluate(
        """() => {
        window.changes = 0;
        const what = {subtree: true, childList: true, characterData: true};
        new MutationObserver(records => { changes += records.length; })
            .observe(document.querySelector("svg"), what);
    }"""
    )
    tab.get_by_role("button", name="Forward").click()
    tab.wait_for_timeout(50)
    assert 0 < tab.evaluate("changes") <= 4  # the number of one node, not all of the picture


def test_a_drawing_is_an_image_that_a_page_shows(opened):
    tab = opened(draw(e_graph()[-1]))
    image = tab.get_by_role("img")
    assert image.evaluate("image => image.naturalWidth") > 300
    assert image.get_attribute("alt").startswith("Computational graph of e.")
