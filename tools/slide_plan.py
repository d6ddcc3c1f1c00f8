"""What of a cell stands on its slide, and whether the plan of a deck is sound.

A deck is planned where its title has ``lecture.slide``. In a planned deck `lecture` holds, beside
what the speaker needs, what the room sees of a cell:

- ``slide``: Markdown that stands on the slide instead of a Markdown cell's prose, which moves to
  the speaker's notes; at a code cell, what stands above its output.
- ``lines``: the lines of the code that are shown, as in ``"3-7, 9"``.
- ``mark``: a text in the line of code that matters, or a list of such texts.
- ``output``: the lines of the printed output that are shown, or ``"picture"`` for none of them, or
  ``"none"`` for no output at all.
- ``crop``: which part of the output's plot is shown, as in ``"0 8 50 100"``: left, top, right and
  bottom, in percent of its size.
- ``uncover``: how the first picture of the output comes into sight, strip by strip, as in
  ``"down 8 10 100 85 6"``: the direction (down or right), the part that is covered, as for
  ``crop``, and the number of steps.

Code without ``lines`` and ``mark`` is not shown. Asserts never are. A fragment that is tagged
``slide-instead`` takes the place of what stands before it, so that a picture moves.
"""

from __future__ import annotations

import ast
import copy
import re
import textwrap
from collections.abc import Iterator

from nbformat import NotebookNode

from notebooks import slide_type

MOST_SLIDES = 28
MOST_WORDS = 40
MOST_CODE_LINES = 10
CODE_WITHOUT_MARK = 2  # so few lines need none

PICTURE_PARTS = (
    ("crop", r"\d+( \d+){3}", "0 8 50 100"),
    ("uncover", r"(down|right)( \d+){5}", "down 8 10 100 85 6"),
)

# What `use` and `check` say while nobody has answered yet, which tells a room nothing.
UNANSWERED = re.compile(r"^.*: the course's own is used until .*\n?", re.MULTILINE)
EXERCISE = re.compile(r"^(?:ex\d+\.\w+\.check|ex\d+\.drill_\w+|check_all)\(", re.MULTILINE)


def is_planned(nb: NotebookNode) -> bool:
    """Return whether a notebook says what its slides show."""
    return "slide" in nb.cells[0].metadata.get("lecture", {})


def chosen_lines(text: str, count: int) -> list[int]:
    """Return the numbers of lines, counted from 1, that a text such as ``"3-5, 8"`` names.

    Raises
    ------
    ValueError
        If the text names no lines, or lines that are not among the `count` that there are.

    >>> chosen_lines("3-5, 8", 9)
    [3, 4, 5, 8]
    """
    numbers: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if not found:
            raise ValueError(f"lines must be as in '3-5, 8', got {text!r}")
        numbers += range(int(found[1]), int(found[2] or found[1]) + 1)
    if not numbers or min(numbers) < 1 or max(numbers) > count:
        raise ValueError(f"there are lines 1 to {count}, got {text!r}")
    return numbers


def _assert_lines(source: str) -> set[int]:
    """Return the numbers of the lines that an assert takes; none where Python cannot read it."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a magic command
        return set()
    asserts = [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    return {n for node in asserts for n in range(node.lineno, node.end_lineno + 1)}


def code_on_slide(cell: NotebookNode) -> str:
    """Return the lines of a code cell's source that a planned slide shows; empty for none."""
    lecture = cell.metadata.get("lecture", {})
    if "lines" not in lecture and "mark" not in lecture:
        return ""
    lines = cell.source.splitlines()
    numbers = chosen_lines(lecture.get("lines", f"1-{len(lines)}"), len(lines))
    asserts = _assert_lines(cell.source)
    shown = "\n".join(lines[n - 1] for n in numbers if n not in asserts)
    # Two empty lines around a function are for an editor.
    return re.sub(r"\n{3,}", "\n\n", textwrap.dedent(shown)).strip("\n")


def marked_lines(code: str, cell: NotebookNode) -> list[int]:
    """Return the numbers of the lines of shown code that a cell's ``mark`` names."""
    marks = cell.metadata.get("lecture", {}).get("mark", [])
    marks = [marks] if isinstance(marks, str) else marks
    lines = enumerate(code.splitlines(), start=1)
    return [n for n, line in lines if any(mark in line for mark in marks)]


def put_outputs(cell: NotebookNode) -> None:
    """Leave of a code cell's outputs those that a planned slide shows."""
    wanted = cell.metadata.get("lecture", {}).get("output", "")
    if wanted == "none":
        cell.outputs = []
    if wanted == "picture":
        cell.outputs = [output for output in cell.outputs if output.output_type != "stream"]
    for output in cell.outputs:
        if output.output_type == "stream":
            output.text = UNANSWERED.sub("", output.text)
            lines = output.text.splitlines()
            if wanted:
                output.text = "\n".join(lines[n - 1] for n in chosen_lines(wanted, len(lines)))
    cell.outputs = [o for o in cell.outputs if o.output_type != "stream" or o.text.strip()]


# --- Whether a plan is sound ----------------------------------------------------------------------


def _slides(nb: NotebookNode) -> Iterator[list[NotebookNode]]:
    """Yield the cells of every slide, without those that only the speaker sees."""
    slide: list[NotebookNode] = []
    for cell in nb.cells:
        if slide_type(cell) in ("slide", "subslide") and slide:
            yield slide
            slide = []
        if slide_type(cell) not in ("skip", "notes"):
            slide.append(cell)
    yield slide


def _text(cell: NotebookNode) -> str:
    lecture = cell.metadata.get("lecture", {})
    return lecture.get("slide", cell.source if cell.cell_type == "markdown" else "")


def _words(text: str) -> int:
    """Count words; a formula is one, and a table's or a list's marks are none."""
    text = re.sub(r"\$\$?[^$]+\$\$?", "formula", text)
    return len(re.findall(r"[^\s|*#>-]\S*", text))


def plan_faults(nb: NotebookNode) -> list[str]:
    """Return what is wrong with the plan of a planned deck, in plain words."""
    slides = list(_slides(nb))
    faults = []
    if len(slides) > MOST_SLIDES:
        faults.append(f"{len(slides)} slides, at most {MOST_SLIDES} expected")
    for cells in slides:
        name = f"slide {cells[0].id!r}"
        if not re.match(r"#+ \S", _text(cells[0])):
            faults.append(f"{name}: begins without a heading")
        words = sum(_words(_text(cell)) for cell in cells)
        if words > MOST_WORDS:
            faults.append(f"{name}: {words} words, at most {MOST_WORDS} expected")
        # A question does not mark the line that answers it.
        asks = _text(cells[0]).partition("\n")[0].endswith("?")
        for cell in cells:
            faults += [f"{name}: {fault}" for fault in _cell_faults(cell, asks)]
    return faults


def _cell_faults(cell: NotebookNode, asks: bool) -> Iterator[str]:
    if cell.cell_type == "markdown":
        if "References" in _text(cell):
            yield "shows references"
        return
    if EXERCISE.search(cell.source):
        yield f"the cell {cell.id!r} is an exercise"
    try:
        code = code_on_slide(cell)
        put_outputs(copy.deepcopy(cell))
    except ValueError as error:
        yield f"the cell {cell.id!r}: {error}"
        return
    for key, pattern, example in PICTURE_PARTS:
        value = cell.metadata.get("lecture", {}).get(key, example)
        if not re.fullmatch(pattern, value):
            yield f"the cell {cell.id!r}: {key} must be as in {example!r}, got {value!r}"
    count = sum(1 for line in code.splitlines() if line.strip())
    if count > MOST_CODE_LINES:
        yield f"the cell {cell.id!r} shows {count} lines of code, at most {MOST_CODE_LINES}"
    if count > CODE_WITHOUT_MARK and not asks and not marked_lines(code, cell):
        yield f"the cell {cell.id!r} marks no line of its code"
