"""What a planned slide shows, and what is said about a plan that is not sound."""

import pytest
from nbformat import v4

import slides
from notebooks import course_notebooks, read
from slide_plan import (
    MOST_SLIDES,
    chosen_lines,
    code_on_slide,
    is_planned,
    marked_lines,
    plan_faults,
    put_outputs,
)

PLANNED = [path for path in course_notebooks() if is_planned(read(path))]
SOURCE = """import math


def double(x):
    assert x > 0
    return 2 * x


print(double(3))
assert (
    double(3) == 6
)
"""


def text(source, kind="slide", **lecture):
    return v4.new_markdown_cell(
        source, metadata={"slideshow": {"slide_type": kind}, "lecture": lecture}
    )


def code(source=SOURCE, *outputs, kind="-", **lecture):
    cell = v4.new_code_cell(source, metadata={"lecture": lecture})
    cell.outputs = [v4.new_output("stream", name="stdout", text=one) for one in outputs]
    cell.metadata.slideshow = {"slide_type": kind}
    return cell


def notebook(*cells):
    return v4.new_notebook(cells=[text("# 01 · A", slide="# 01 · A", minutes=3), *cells])


@pytest.mark.parametrize("path", PLANNED, ids=lambda path: path.stem)
def test_the_course_s_plans_are_sound(path):
    assert plan_faults(read(path)) == []


def test_asserts_and_lines_that_are_not_chosen_are_not_shown():
    assert code_on_slide(code(mark="double")) == (
        "import math\n\ndef double(x):\n    return 2 * x\n\nprint(double(3))"
    )
    assert code_on_slide(code(lines="5-6")) == "return 2 * x"
    assert code_on_slide(code()) == ""


def test_a_magic_command_is_shown_as_it_is():
    assert code_on_slide(code("%pip list", lines="1")) == "%pip list"


@pytest.mark.parametrize("wanted", ["", "0-2", "3-9", "two", "4-3"])
def test_lines_that_do_not_exist_are_refused(wanted):
    with pytest.raises(ValueError, match="lines"):
        chosen_lines(wanted, 8)


def test_marks_are_found_in_what_is_shown():
    cell = code(mark=["def", "print"])
    assert marked_lines(code_on_slide(cell), cell) == [3, 6]


def test_outputs_are_cut_and_the_words_about_no_answer_left_out():
    words = "sine: the course's own is used until yours passes its check.\n"
    cell = code(SOURCE, f"{words}one\ntwo\nthree\n", output="1, 3")
    put_outputs(cell)
    assert cell.outputs[0].text == "one\nthree"
    for wanted, left in (("none", 0), ("picture", 1)):
        cell = code(SOURCE, "one", output=wanted)
        cell.outputs.append(v4.new_output("display_data", {"image/png": "AA=="}))
        put_outputs(cell)
        assert len(cell.outputs) == left
    cell = code(SOURCE, words)
    put_outputs(cell)
    assert cell.outputs == []


TEN_LINES = "x = 1\n" * 10
PLANTED = {
    f"{MOST_SLIDES + 1} slides": [text("## A") for _ in range(MOST_SLIDES)],
    "begins without a heading": [text("words")],
    "41 words": [text("## A " + "b " * 40)],
    "11 lines of code": [text("## A?"), code(TEN_LINES + "x = 2", mark="x")],
    "marks no line": [text("## A"), code(TEN_LINES, lines="1-3")],
    "shows references": [text("### References")],
    "is an exercise": [text("## A"), code("ex01.sine.check(mine)")],
    "there are lines 1 to 10": [text("## A"), code(TEN_LINES, lines="1-11")],
    "crop must be as in": [text("## A"), code(crop="left")],
    "uncover must be as in": [text("## A"), code(uncover="up 1 2 3 4 5")],
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_fault_in_a_plan_is_named(fault):
    found = plan_faults(notebook(*PLANTED[fault]))
    assert len(found) == 1 and fault in found[0]


def test_what_needs_no_mark_is_not_faulted():
    sound = [text("## Why?"), code(TEN_LINES, lines="1-10"), text("## A"), code(mark="double")]
    assert plan_faults(notebook(*sound, text("long " * 90, kind="notes"))) == []


def test_the_prose_goes_to_the_notes_and_the_plan_to_the_slide():
    cells = [text("## 1. Old\n\nprose", slide="## New"), text("for the speaker", kind="notes")]
    nb = slides.prepared(notebook(*cells, code(SOURCE, "6", slide="### Above", mark="return")))
    _, section, shown = nb.cells
    assert section.source == "## New" and "prose" in section.metadata.notes
    assert "for the speaker" in section.metadata.notes and "1. Old" not in section.metadata.notes
    assert "Above" in shown.metadata.above and "¶" not in shown.metadata.above
    assert "assert" not in shown.source and '<span class="hll">' in slides.highlighted(shown)
