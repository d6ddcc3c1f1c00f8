"""Every check of the notebooks finds the fault that is planted, and only that one."""

import base64
import copy
import json

import nbformat
import pytest
from nbformat import NotebookNode, v4

import notebook_checks
from address import repository, setup_cell
from notebook_checks import CHECKS, faults
from notebooks import (
    NOTEBOOK_METADATA,
    WIDGET_VIEW,
    NotebookFailed,
    execute,
    normalise,
    read,
    refresh,
    write,
)
from output_comparison import compare_outputs

PNG = "iVBORw0KGgo="
SVG = (
    '<svg role="img" aria-label="a graph" width="10pt" viewBox="0 0 10 5" xmlns="x">'
    '<g id="node1" class="node"><title>a</title>'
    '<ellipse fill="none" stroke="black" cx="1.5" cy="2" rx="27" ry="18"/>'
    '<text x="3" y="4" font-size="14.00">a = 2</text></g></svg>'
)


def display(**data):
    """A displayed output; text_html="..." gives text/html."""
    bundle = {mime.replace("_", "/", 1): value for mime, value in data.items()}
    return v4.new_output("display_data", bundle)


def stream(text, name="stdout"):
    return v4.new_output("stream", name=name, text=text)


def code(source, id_, *outputs, tags=(), slide=None):
    cell = v4.new_code_cell(source, id=id_, outputs=list(outputs))
    if tags:
        cell.metadata["tags"] = list(tags)
    return with_slide(cell, slide)


def markdown(source, id_, slide=None):
    return with_slide(v4.new_markdown_cell(source, id=id_), slide)


def with_slide(cell, slide):
    if slide:
        cell.metadata["slideshow"] = {"slide_type": slide}
    if slide == "slide":
        parts = {"ask": "How?", "misconception": "So.", "answer": "Not so."}
        cell.metadata["lecture"] = {"minutes": 11, **parts}
    return cell


def picture():
    output = display(image_png=PNG, text_plain="<Figure size 640x480>")
    output.metadata = NotebookNode({"image/png": {"alt": "A falling curve."}})
    return output


@pytest.fixture
def nb():
    """A notebook of the course in little, without any fault."""
    cells = [
        markdown("# A title\n\n[a link](https://example.org/a.svg)", "title", "slide"),
        code(setup_cell(repository()), "setup-cell", tags=["setup"]),
        markdown("## 1. One\n\n```\n# no heading\n```\n### 1.1 Part", "one", "slide"),
        code("print(1)", "print", stream("1\n")),
        markdown("## 2. Two\n\n### Exercise", "two", "slide"),
        code("draw(a)", "svg", display(text_html=f"<div>{SVG}</div>", text_plain="a")),
        code("plot()", "png", picture(), slide="subslide"),
        code("1 / 0", "error", an_error(), tags=["raises-exception"], slide="fragment"),
        code("%timeit f()", "timing", stream("3.1 ms\n"), tags=["timing"], slide="subslide"),
        code("a", "result", v4.new_output("execute_result", {"text/plain": "2.0"}), slide="slide"),
        markdown("Bye", "farewell"),
    ]
    nb = v4.new_notebook(cells=cells, metadata=nbformat.from_dict(NOTEBOOK_METADATA))
    for count, cell in enumerate((c for c in cells if c.cell_type == "code"), start=1):
        cell.execution_count = count
    return normalise(nb)


def an_error():
    traceback = ["-----", "ZeroDivisionError Traceback", "Cell In[1], line 1", "division by zero"]
    return v4.new_output("error", ename="ZeroDivisionError", evalue="zero", traceback=traceback)


def cell(nb, id_):
    return next(cell for cell in nb.cells if cell.id == id_)


def append(nb, source, slide=None):
    nb.cells.append(markdown(source, "planted", slide))
    if slide == "slide":
        nb.cells[-1].metadata["lecture"]["minutes"] = 1


def set_lecture(nb, id_, **changes):
    """Change parts of a lecture's metadata; None removes one."""
    lecture = cell(nb, id_).metadata.setdefault("lecture", {}) | changes
    cell(nb, id_).metadata["lecture"] = {k: v for k, v in lecture.items() if v is not None}


def leave_out_only_a_heading(nb):
    append(nb, "## 3. Three", "skip")
    nb.cells.append(markdown("More", "more"))


def only_check(nb, check):
    """The planted fault, after making sure that no other check takes offence."""
    for other in CHECKS:
        if other is not check:
            assert other(nb) == [], other.__name__
    (fault,) = check(nb)
    assert faults(nb) == [fault]
    return fault


def test_the_notebook_without_faults_has_none(nb):
    assert faults(nb) == []
    assert compare_outputs(nb, nb) == []


# --- Each fault, planted --------------------------------------------------------------------------


def set_metadata(nb, id_, key, value):
    cell(nb, id_).metadata[key] = value


def set_source(nb, id_, source):
    cell(nb, id_).source = source


def add_output(nb, *outputs):
    cell(nb, "print").outputs.extend(outputs)


def replace_svg(nb, old, new):
    data = cell(nb, "svg").outputs[0].data
    assert old in data["text/html"]
    data["text/html"] = data["text/html"].replace(old, new)


def svg_output(nb, text):
    add_output(nb, v4.new_output("display_data", {"image/svg+xml": text}))


def attach(nb, name):
    append(nb, "![what it shows](attachment:a.png)")
    nb.cells[-1].attachments = NotebookNode({name: {"image/png": PNG}})


def without_minutes(nb, id_):
    set_lecture(nb, id_, minutes=None)
    set_lecture(nb, "result", minutes=20)


def wrong_minutes(nb, minutes):
    set_lecture(nb, "one", minutes=minutes)
    set_lecture(nb, "result", minutes=20)


METADATA, TRACES = notebook_checks.metadata_is_normalised, notebook_checks.no_trace_of_the_machine
TITLE, HEADINGS = notebook_checks.one_title, notebook_checks.headings_are_numbered
SETUP, ALT = notebook_checks.setup_cell_is_shared, notebook_checks.pictures_have_alt_text
IMAGES, SLIDES = notebook_checks.markdown_images_are_sound, notebook_checks.slides_are_marked
LECTURE = notebook_checks.lecture_is_planned
SHORT, RUN = notebook_checks.code_cells_are_short, notebook_checks.every_cell_was_run

PLANTED = [
    (METADATA, "the notebook's metadata", lambda nb: nb.metadata.update(widgets={"state": {}})),
    (METADATA, "the notebook's metadata", lambda nb: nb.metadata.language_info.update(version="3")),
    (METADATA, "(metadata)", lambda nb: set_metadata(nb, "print", "execution", {"busy": "12:00"})),
    (METADATA, "(metadata)", lambda nb: set_metadata(nb, "two", "collapsed", True)),
    (METADATA, "(execution_count)", lambda nb: cell(nb, "print").update(execution_count=7)),
    (METADATA, "(outputs)", lambda nb: add_output(nb, stream("2"))),
    (
        METADATA,
        "(outputs)",
        lambda nb: cell(nb, "svg").outputs[0].data.update({WIDGET_VIEW: {"id": 1}}),
    ),
    (METADATA, "(outputs)", lambda nb: cell(nb, "result").outputs[0].update(execution_count=1)),
    (
        TRACES,
        "the path '/home/me/x.py'",
        lambda nb: add_output(nb, stream("/home/me/x.py", "stderr")),
    ),
    (TRACES, "source: the path '/Users/me'", lambda nb: set_source(nb, "print", "cd('/Users/me')")),
    (TRACES, "source: the path '/tmp/'", lambda nb: append(nb, "Look into `/tmp/`")),
    (TRACES, "the path '/usr/lib'", lambda nb: add_output(nb, display(text_plain="'/usr/lib'"))),
    (TRACES, "the path '/root/a'", lambda nb: add_output(nb, display(text_html="<b>/root/a</b>"))),
    (TRACES, "site-packages", lambda nb: add_output(nb, stream("in site-packages", "stderr"))),
    (TRACES, "the path 'C:", lambda nb: add_output(nb, stream(r"C:\Users\me", "stderr"))),
    (
        TRACES,
        "the path '/home/me'",
        lambda nb: cell(nb, "error").outputs[0].update(evalue="/home/me"),
    ),
    (TRACES, "at 0x7f01", lambda nb: add_output(nb, display(text_plain="<object at 0x7f01>"))),
    (TITLE, "there is no title", lambda nb: set_source(nb, "title", "A title")),
    (TITLE, "a second title, 'Again'", lambda nb: append(nb, "# Again", "slide")),
    (
        TITLE,
        "is not in the first cell",
        lambda nb: nb.cells.insert(0, markdown("Hello", "planted")),
    ),
    (HEADINGS, "'## 1. ...', got 'One'", lambda nb: set_source(nb, "one", "## One")),
    (HEADINGS, "'## 2. ...', got '3. Two'", lambda nb: set_source(nb, "two", "## 3. Two")),
    (HEADINGS, "'### 2.1 ...', got '2.2 B'", lambda nb: append(nb, "### 2.2 B")),
    (
        HEADINGS,
        "level 4 below a heading of level 2",
        lambda nb: set_source(nb, "two", "## 2. Two\n#### A"),
    ),
    (SETUP, "tagged 'setup', got 0", lambda nb: cell(nb, "setup-cell").metadata.pop("tags")),
    (SETUP, "tagged 'setup', got 2", lambda nb: set_metadata(nb, "print", "tags", ["setup"])),
    (SETUP, "is not the one", lambda nb: set_source(nb, "setup-cell", "import autodiff_course")),
    (ALT, "image/png without alt", lambda nb: cell(nb, "png").outputs[0].metadata.clear()),
    (ALT, "image/jpeg without alt", lambda nb: add_output(nb, display(image_jpeg=PNG))),
    (
        ALT,
        "an <img> without alt",
        lambda nb: add_output(nb, display(text_html="<img alt=' ' src='a'>")),
    ),
    (ALT, 'without role="img"', lambda nb: replace_svg(nb, 'role="img"', "")),
    (ALT, "neither aria-label nor <title>", lambda nb: replace_svg(nb, 'aria-label="a graph"', "")),
    (
        ALT,
        "image/svg+xml without a <title>",
        lambda nb: svg_output(nb, "<svg><g><title>a</title></g></svg>"),
    ),
    (IMAGES, "e.svg' has no alt", lambda nb: append(nb, "![](../figures/adjoints_of_e.svg)")),
    (IMAGES, "'data:b' has no alt", lambda nb: append(nb, "<img src='data:b'>")),
    (IMAGES, "another host", lambda nb: append(nb, "![a](https://example.org/a.svg)")),
    (IMAGES, "another host", lambda nb: append(nb, '<img alt="a" src="//example.org/a.png">')),
    (IMAGES, "has no alt text", lambda nb: append(nb, "| a |\n|---|\n| x <img src='data:a'> |")),
    (IMAGES, "there is no file 'missing.png'", lambda nb: append(nb, "![alt](missing.png)")),
    (IMAGES, "there is no 'attachment:a.png'", lambda nb: attach(nb, "b.png")),
    (SLIDES, "does not open a slide", lambda nb: append(nb, "## 3. Three")),
    (SLIDES, "does not open a slide", lambda nb: append(nb, "## 3. Three", "-")),
    (
        SLIDES,
        "'slid' is not a slide",
        lambda nb: set_metadata(nb, "png", "slideshow", {"slide_type": "slid"}),
    ),
    (SLIDES, "a second code cell", lambda nb: cell(nb, "error").metadata.pop("slideshow")),
    (SLIDES, "not marked 'skip'", leave_out_only_a_heading),
    (LECTURE, "(id 'two'): lecture, no 'minutes'", lambda nb: without_minutes(nb, "two")),
    (LECTURE, "(id 'title'): lecture, no 'minutes'", lambda nb: without_minutes(nb, "title")),
    (LECTURE, "'minutes' is True, a positive", lambda nb: wrong_minutes(nb, True)),
    (LECTURE, "'minutes' is 0, a positive", lambda nb: wrong_minutes(nb, 0)),
    (LECTURE, "'minutes' is '11', a positive", lambda nb: wrong_minutes(nb, "11")),
    (LECTURE, "takes 39 minutes, 40 to 50", lambda nb: set_lecture(nb, "one", minutes=6)),
    (LECTURE, "takes 51 minutes, 40 to 50", lambda nb: set_lecture(nb, "one", minutes=18)),
    (LECTURE, "no 'ask'", lambda nb: set_lecture(nb, "one", ask=None)),
    (LECTURE, "no 'misconception'", lambda nb: set_lecture(nb, "one", misconception=None)),
    (LECTURE, "no 'answer'", lambda nb: set_lecture(nb, "one", answer=None)),
    (LECTURE, "'answer' is ' ', a text", lambda nb: set_lecture(nb, "one", answer=" ")),
    (LECTURE, "'say' is 5, a text", lambda nb: set_lecture(nb, "title", say=5)),
    (LECTURE, "'asks' is unknown", lambda nb: set_lecture(nb, "one", asks="How?")),
    (LECTURE, "opens no slide", lambda nb: set_lecture(nb, "farewell", say="Bye")),
    (
        SHORT,
        "16 lines of code, at most 15",
        lambda nb: set_source(nb, "print", "a = 1\n\n# why\n" * 16),
    ),
    (RUN, "was not run", lambda nb: cell(nb, "result").update(execution_count=None, outputs=[])),
    (RUN, "raised ZeroDivisionError, without", lambda nb: cell(nb, "error").metadata.pop("tags")),
    (RUN, "raised nothing, in spite of", lambda nb: cell(nb, "error").update(outputs=[])),
]


@pytest.mark.parametrize(
    ("check", "expected", "plant"), PLANTED, ids=[f"{c.__name__}: {e}" for c, e, _ in PLANTED]
)
def test_a_planted_fault_is_found_and_named(nb, check, expected, plant):
    plant(nb)
    assert expected in only_check(nb, check)


def test_every_check_has_a_planted_fault():
    assert {check for check, _, _ in PLANTED} == set(CHECKS)


def test_a_notebook_without_outputs_is_found(nb):
    for c in nb.cells:
        c.metadata.pop("tags", None)
        if c.cell_type == "code":
            c.outputs = []
    assert RUN(nb) == ["no cell has an output"]


def test_the_name_of_the_machine_is_found(nb, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "lab-pc7.example.org")
    monkeypatch.setattr("getpass.getuser", lambda: "root")
    add_output(nb, display(text_plain="the root of it, run on lab-pc7"))
    assert "the name 'lab-pc7'" in only_check(nb, TRACES)


@pytest.mark.parametrize(
    ("host", "user", "names"),
    [
        ("vm", "root", []),
        ("graph", "max", []),
        ("x1", "ada-l", ["ada-l"]),
        ("a", "wilhelm", ["wilhelm"]),
    ],
)
def test_a_name_that_may_be_a_word_is_let_pass(monkeypatch, host, user, names):
    monkeypatch.setattr("socket.gethostname", lambda: host)
    monkeypatch.setattr("getpass.getuser", lambda: user)
    assert notebook_checks.machine_names() == names


@pytest.mark.parametrize(
    "text",
    ["https://example.org/home/a", "a/usr/b", "the set A:\nB", "see ~/notes", "0x7f01", r"$C:\R$"],
)
def test_what_only_looks_like_a_trace_is_let_pass(nb, text):
    append(nb, text)
    assert TRACES(nb) == []


def test_a_summary_needs_no_question_and_a_left_out_section_no_minutes(nb):
    append(nb, "## 3. Summary", "slide")
    nb.cells[-1].metadata["lecture"] = {"minutes": 1}
    nb.cells.append(markdown("## 4. More", "more", "skip"))
    nb.cells.append(markdown("Much more", "much-more", "skip"))
    assert faults(nb) == []
    set_lecture(nb, "more", minutes=1)
    assert "opens no slide" in only_check(nb, LECTURE)


def test_a_long_cell_may_say_so(nb):
    set_source(nb, "print", "a = 1\n" * 16)
    set_metadata(nb, "print", "tags", ["long"])
    assert faults(nb) == []


def test_a_picture_file_or_attachment_that_exists_is_sound(nb, tmp_path):
    (tmp_path / "a.png").touch()
    append(nb, "![what it shows](a.png) ![other](data:image/png;base64,AA)")
    assert IMAGES(nb, tmp_path) == []
    assert IMAGES(nb, tmp_path / "elsewhere") != []
    nb.cells.pop()
    attach(nb, "a.png")
    assert IMAGES(nb) == []


@pytest.mark.parametrize(
    ("expected", "plant"),
    [
        ("2 cells have the id 'print'", lambda nb: cell(nb, "two").update(id="print")),
        ("'bad id' does not match", lambda nb: cell(nb, "two").update(id="bad id")),
        ("not a valid notebook", lambda nb: cell(nb, "two").pop("id")),
        ("older than 4.5", lambda nb: nb.update(nbformat_minor=4, cells=[])),
        ("not a valid notebook", lambda nb: cell(nb, "print").pop("outputs")),
    ],
)
def test_a_notebook_that_is_not_valid_is_found(nb, expected, plant):
    plant(nb)
    assert any(expected in fault for fault in faults(nb))


# --- Comparing outputs ----------------------------------------------------------------------------


def change_text(nb, id_, mime, old, new):
    data = cell(nb, id_).outputs[0].data
    assert old in data[mime]
    data[mime] = data[mime].replace(old, new)


def add_node(nb):
    replace_svg(nb, "</svg>", '<g class="node"><title>b</title></g></svg>')


DIFFERENCES = [
    (
        "stdout: committed '1', fresh '2'",
        lambda nb: cell(nb, "print").outputs[0].update(text="2\n"),
    ),
    (
        "stdout: committed 1 lines, fresh 2",
        lambda nb: cell(nb, "print").outputs[0].update(text="1\n2\n"),
    ),
    (
        "committed 1 outputs (stdout), fresh 2",
        lambda nb: add_output(nb, stream("Warning!", "stderr")),
    ),
    (
        "committed 1 outputs (stdout), fresh 0 (none)",
        lambda nb: cell(nb, "print").update(outputs=[]),
    ),
    (
        "text/plain: committed '2.0', fresh '2.5'",
        lambda nb: change_text(nb, "result", "text/plain", "2.0", "2.5"),
    ),
    (
        "error: committed 'ZeroDivisionError: zero'",
        lambda nb: cell(nb, "error").outputs[0].update(evalue="one"),
    ),
    ("error: committed", lambda nb: cell(nb, "error").outputs[0].update(ename="ValueError")),
    ("<text> committed ['a = 2'], fresh ['a = 3']", lambda nb: replace_svg(nb, "a = 2", "a = 3")),
    ("<title> committed ['a'], fresh ['b']", lambda nb: replace_svg(nb, "<title>a<", "<title>b<")),
    (
        "fresh [('aria-label', 'b')]",
        lambda nb: replace_svg(nb, 'aria-label="a graph"', 'aria-label="b"'),
    ),
    ("fresh [('stroke', 'red')]", lambda nb: replace_svg(nb, 'stroke="black"', 'stroke="red"')),
    (
        "<div> committed [], fresh [('class', 'wide')]",
        lambda nb: replace_svg(nb, "<div>", "<div class='wide'>"),
    ),
    ("text/html: committed 7 elements, fresh 9", add_node),
    (
        "committed image/png, text/plain; fresh text/plain",
        lambda nb: cell(nb, "png").outputs[0].data.pop("image/png"),
    ),
]


@pytest.mark.parametrize(("expected", "change"), DIFFERENCES, ids=[d for d, _ in DIFFERENCES])
def test_another_output_is_a_difference(nb, expected, change):
    fresh = copy.deepcopy(nb)
    change(fresh)
    (difference,) = compare_outputs(nb, fresh)
    assert expected in difference


EQUAL = [
    lambda nb: replace_svg(nb, 'cx="1.5"', 'cx="2.25"'),
    lambda nb: replace_svg(nb, 'width="10pt" viewBox="0 0 10 5"', 'width="9pt" viewBox="0 0 9 5"'),
    lambda nb: replace_svg(nb, "<g ", "<!-- node a -->\n  <g "),
    lambda nb: cell(nb, "png").outputs[0].data.update({"image/png": "AAAA"}),
    lambda nb: cell(nb, "timing").outputs[0].update(text="2.9 ms\n"),
    lambda nb: cell(nb, "error").outputs[0].update(traceback=["elsewhere"]),
    lambda nb: cell(nb, "print").update(execution_count=12),
    lambda nb: cell(nb, "print").update(outputs=[stream("1"), stream("\n")]),
]


@pytest.mark.parametrize("change", EQUAL)
def test_what_depends_on_the_machine_is_no_difference(nb, change):
    fresh = copy.deepcopy(nb)
    change(fresh)
    assert fresh != nb
    assert compare_outputs(nb, fresh) == []


def test_svg_outputs_are_compared_by_structure():
    def one(svg):
        output = v4.new_output("display_data", {"image/svg+xml": svg})
        return v4.new_notebook(cells=[code("draw()", "a", output)])

    assert compare_outputs(one(SVG), one(SVG.replace("1.5", "9"))) == []
    (difference,) = compare_outputs(one(SVG), one(SVG.replace("a = 2", "a = 3")))
    assert "image/svg+xml" in difference


def test_html_without_a_picture_is_compared_as_text():
    def one(html):
        return v4.new_notebook(cells=[code("table()", "a", display(text_html=html))])

    assert compare_outputs(one("<p width='1'>"), one("<p width='2'>"))


def test_other_cells_are_a_difference(nb):
    fresh = copy.deepcopy(nb)
    set_source(fresh, "print", "print(2)")
    assert compare_outputs(nb, fresh) == ["the two notebooks do not have the same cells"]


# --- Normalising and running ----------------------------------------------------------------------


def test_normalising_twice_is_normalising_once(nb):
    assert normalise(normalise(nb)) == normalise(nb) == nb


@pytest.mark.parametrize(
    ("text", "is_kept"),
    [("\r10%\r    \r", False), ("\r10%\r100%", True), ("\r10%\r   \rdone\n", True), ("a\n", True)],
)
def test_a_progress_bar_that_has_gone_leaves_nothing(nb, text, is_kept):
    add_output(nb, stream(text, "stderr"))
    kept = [output for c in normalise(nb).cells for output in c.get("outputs", [])]
    assert any(output.get("text") == text for output in kept) is is_kept


def test_a_drawing_in_an_image_counts_by_its_structure(nb):
    def shown(svg):
        address = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
        fresh = copy.deepcopy(nb)
        cell(fresh, "svg").outputs[0].data["text/html"] = f'<img src="{address}" alt="a graph">'
        return fresh

    committed = shown(SVG)
    assert compare_outputs(committed, shown(SVG.replace('x="3"', 'x="4"'))) == []
    (difference,) = compare_outputs(committed, shown(SVG.replace("a = 2", "a = 3")))
    assert "<text> committed ['a = 2'], fresh ['a = 3']" in difference


def test_a_widget_leaves_its_still_picture(nb):
    view = {WIDGET_VIEW: {"model_id": "1"}}
    add_output(nb, v4.new_output("display_data", view | {"text/html": "<p>still</p>"}))
    add_output(nb, v4.new_output("display_data", view))
    outputs = cell(normalise(nb), "print").outputs
    assert [dict(o.data) for o in outputs[1:]] == [{"text/html": "<p>still</p>"}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("notebooks")


def saved(folder, *cells):
    path = folder / "try.ipynb"
    write(v4.new_notebook(cells=list(cells), metadata=NOTEBOOK_METADATA), path)
    return path


def test_a_run_keeps_what_it_must_and_a_second_run_changes_nothing(folder):
    path = saved(
        folder,
        code("import os, time\nprint(sorted(os.listdir()))", "a"),
        code("print(time.perf_counter_ns())", "b", tags=["timing"]),
        code("import json\njson.loads('{')", "c", tags=["raises-exception"]),
        code(f"display({{'text/plain': 'a slider', {WIDGET_VIEW!r}: {{}}}}, raw=True)", "d"),
    )
    assert refresh(path)
    first = read(path)
    assert normalise(first) == first
    assert [c.execution_count for c in first.cells] == [1, 2, 3, 4]
    assert cell(first, "a").outputs[0].text == "['try.ipynb']\n"
    assert cell(first, "c").outputs[0].ename == "JSONDecodeError"
    assert TRACES(first) == []
    assert cell(first, "d").outputs[0].data == {"text/plain": "a slider"}
    assert not refresh(path)
    assert refresh(path, timing=True)
    assert cell(read(path), "b").outputs != cell(first, "b").outputs


def test_a_timing_cell_that_says_something_else_is_refreshed(folder):
    path = saved(
        folder, code("print('took 1.5 s')", "a", stream("time  2.25 s\n"), tags=["timing"])
    )
    refresh(path)
    assert read(path).cells[0].outputs[0].text == "took 1.5 s\n"


def test_an_error_that_is_not_announced_stops_the_run_and_is_shown(folder):
    path = saved(folder, code("a = 1", "a"), code("a / 0", "b"), code("print('on')", "c"))
    before = path.read_bytes()
    with pytest.raises(NotebookFailed, match=r"try.ipynb, cell 2 \(id 'b'\): .*ZeroDivisionError"):
        refresh(path)
    assert path.read_bytes() == before


def test_a_cell_that_never_ends_is_stopped(folder):
    path = saved(folder, code("while True: pass", "a"))
    with pytest.raises(NotebookFailed, match=r"cell 1 \(id 'a'\)"):
        execute(path, timeout=3)


def test_reading_repairs_nothing(nb, tmp_path):
    raw = json.loads(v4.writes(nb))
    del raw["cells"][0]["id"]
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(raw), encoding="utf-8")
    assert "id" not in read(path).cells[0]


def test_a_file_is_written_in_one_layout(nb, tmp_path):
    append(nb, "∂e/∂a")
    path = tmp_path / "a.ipynb"
    assert write(nb, path)
    text = path.read_bytes().decode("utf-8")
    assert text.endswith("}\n") and not text.endswith("\n\n") and "\r" not in text
    assert "∂e/∂a" in text and text.startswith('{\n "cells"')
    assert read(path) == nb
    assert not write(nb, path)
