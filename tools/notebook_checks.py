"""What must hold for every notebook of the course.

Each check takes a notebook and returns its faults in plain words; an empty list means that there
is none. `faults` runs them all.
"""

from __future__ import annotations

import getpass
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from nbformat import NotebookNode
from nbformat.validator import iter_validate

from address import repository, setup_cell
from html_tree import Element, outermost_svgs, parse_html, svg_title
from notebooks import (
    LECTURE_PARTS,
    RASTER_IMAGES,
    ROOT,
    SLIDE_PARTS,
    cell_name,
    normalise,
    slide_type,
    tags,
)

MOST_CODE_LINES = 15
LECTURE_MINUTES = range(40, 51)  # one deck is one lecture of 50 minutes, questions included
SLIDE_TYPES = {"slide", "subslide", "fragment", "notes", "skip", "-"}


# --- Walking through a notebook -------------------------------------------------------------------


def _cells(nb: NotebookNode, cell_type: str) -> Iterator[tuple[str, NotebookNode]]:
    """Yield the name and the cell of every cell of a type."""
    for index, cell in enumerate(nb.cells):
        if cell.cell_type == cell_type:
            yield cell_name(nb, index), cell


def _outputs(nb: NotebookNode) -> Iterator[tuple[str, NotebookNode]]:
    """Yield every output, with a name for it."""
    for name, cell in _cells(nb, "code"):
        for number, output in enumerate(cell.outputs, start=1):
            yield f"{name}, output {number}", output


def _output_texts(output: NotebookNode) -> Iterator[str]:
    """Yield every text of an output that a reader sees or a page's source holds."""
    if output.output_type == "stream":
        yield output.text
    elif output.output_type == "error":
        yield "\n".join([output.ename, output.evalue, *output.traceback])
    else:
        for mime, value in output.data.items():
            if mime not in RASTER_IMAGES:
                yield value if isinstance(value, str) else repr(value)


def _tokens(source: str) -> Iterator[Token]:
    """Yield the tokens of a Markdown text, the nested ones included."""
    for token in MarkdownIt().parse(source):
        yield token
        yield from token.children or ()


def _headings(nb: NotebookNode) -> Iterator[tuple[str, NotebookNode, int, str]]:
    """Yield the name of the cell, the cell, the level and the text of every heading."""
    for name, cell in _cells(nb, "markdown"):
        tokens = MarkdownIt().parse(cell.source)
        for opening, inline in zip(tokens, tokens[1:], strict=False):
            if opening.type == "heading_open":
                yield name, cell, int(opening.tag[1:]), inline.content


# --- The checks -----------------------------------------------------------------------------------


def valid_format(nb: NotebookNode) -> list[str]:
    """Check that the notebook follows the notebook format, and that no two cells share an id."""
    faults = [f"not a valid notebook: {error.message}" for error in iter_validate(nb)]
    if (nb.get("nbformat"), nb.get("nbformat_minor")) < (4, 5):
        faults.append("the notebook's format is older than 4.5, which gave cells their ids")
    ids = Counter(cell.get("id") for cell in nb.cells)
    faults += [f"{count} cells have the id {id_!r}" for id_, count in ids.items() if count > 1]
    return faults


def metadata_is_normalised(nb: NotebookNode) -> list[str]:
    """Check that no metadata depends on the editor, the machine or the run."""
    normal = normalise(nb)
    faults = []
    if nb.metadata != normal.metadata:
        faults.append("the notebook's metadata is not normalised; `make outputs` does it")
    for index, (cell, expected) in enumerate(zip(nb.cells, normal.cells, strict=True)):
        differing = [key for key in expected if cell.get(key) != expected[key]]
        if differing:
            faults.append(
                f"{cell_name(nb, index)}: not normalised ({', '.join(differing)}); "
                "`make outputs` does it"
            )
    return faults


# A path counts where it begins: the "/home/" in https://example.org/home/ is none.
_PATHS = re.compile(
    r"(?<![\w.-])/(?:home|Users|root|tmp|usr|var|opt|private)/[^\s'\"`<>]*"
    r"|\b(?:site|dist)-packages\b"
    r"|\b[A-Za-z]:\\{1,2}(?:Users|Windows|Program|Temp|Python|Anaconda)\w*",
)
_MEMORY_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{4,}")


def machine_names() -> list[str]:
    """Return this machine's and this user's name, unless they may be ordinary words.

    "root" and "vm" stand in many a text. A name counts where it is long, or where it holds a
    digit or a hyphen.
    """
    names = {socket.gethostname(), socket.gethostname().split(".")[0], getpass.getuser()}
    return sorted(n for n in names if len(n) >= 6 or (len(n) >= 3 and re.search(r"[\d-]", n)))


def _machine_traces(text: str) -> Iterator[str]:
    for match in _PATHS.finditer(text):
        yield f"the path {match[0]!r}"
    for match in _MEMORY_ADDRESS.finditer(text):
        yield f"the memory address {match[0]!r}"


def no_trace_of_the_machine(nb: NotebookNode) -> list[str]:
    """Check for absolute paths, memory addresses and, in outputs, the names of the machine."""
    faults = []
    for index, cell in enumerate(nb.cells):
        name = cell_name(nb, index)
        faults += [f"{name}, source: {trace}" for trace in _machine_traces(cell.source)]
    for name, output in _outputs(nb):
        for text in _output_texts(output):
            faults += [f"{name}: {trace}" for trace in _machine_traces(text)]
            for machine in machine_names():
                if re.search(rf"(?<![\w-]){re.escape(machine)}(?![\w-])", text):
                    faults.append(f"{name}: the name {machine!r} of this machine or user")
    return faults


def one_title(nb: NotebookNode) -> list[str]:
    """Check that the first cell holds the title, the only heading of level 1."""
    titles = [(name, text) for name, _, level, text in _headings(nb) if level == 1]
    if not titles:
        return ["there is no title (a heading of level 1)"]
    faults = [f"{name}: a second title, {text!r}" for name, text in titles[1:]]
    if titles[0][0] != cell_name(nb, 0):
        faults.append(f"{titles[0][0]}: the title {titles[0][1]!r} is not in the first cell")
    return faults


def headings_are_numbered(nb: NotebookNode) -> list[str]:
    """Check that sections are numbered ``## 1. `` and so on, without gaps.

    A subsection needs no number; where it has one, it is ``### 1.1 ``.
    """
    faults = []
    section = subsection = 0
    previous = 1
    for name, _, level, text in _headings(nb):
        if level > previous + 1:
            faults.append(f"{name}: {text!r} has level {level} below a heading of level {previous}")
        previous = level
        if level == 2:
            section, subsection = section + 1, 0
            if not text.startswith(f"{section}. "):
                faults.append(f"{name}: expected the heading '## {section}. ...', got {text!r}")
        elif level == 3 and re.match(r"\d", text):
            subsection += 1
            number = f"{section}.{subsection}"
            if not text.startswith(f"{number} "):
                faults.append(f"{name}: expected the heading '### {number} ...', got {text!r}")
    if section == 0:
        faults.append("there is no section (a heading of level 2)")
    return faults


def setup_cell_is_shared(nb: NotebookNode) -> list[str]:
    """Check that one cell is tagged ``setup``, and is the same in every notebook."""
    found = [(name, cell) for name, cell in _cells(nb, "code") if "setup" in tags(cell)]
    if len(found) != 1:
        return [f"expected one code cell tagged 'setup', got {len(found)}"]
    name, cell = found[0]
    if cell.source != setup_cell(repository()):
        return [f"{name}: the set-up cell is not the one that `make address` writes"]
    return []


def pictures_have_alt_text(nb: NotebookNode) -> list[str]:
    """Check that every picture in an output has a text that says what it shows."""
    faults = []
    for name, output in _outputs(nb):
        data = output.get("data", {})
        for mime in RASTER_IMAGES:
            if mime in data and not output.metadata.get(mime, {}).get("alt", "").strip():
                faults.append(f"{name}: {mime} without alt text in its metadata")
        page = parse_html(data.get("text/html", ""))
        faults += [f"{name}: {fault}" for fault in _html_picture_faults(page)]
        svg = data.get("image/svg+xml")
        if svg is not None and not any(map(svg_title, outermost_svgs(parse_html(svg)))):
            faults.append(f"{name}: image/svg+xml without a <title>")
    return faults


def _html_picture_faults(page: Element) -> Iterator[str]:
    for element in page.elements():
        if element.tag == "img" and not element.attributes.get("alt", "").strip():
            yield "an <img> without alt text"
    for svg in outermost_svgs(page):
        if svg.attributes.get("role") != "img":
            yield 'an <svg> without role="img"'
        if not (svg.attributes.get("aria-label", "").strip() or svg_title(svg)):
            yield "an <svg> with neither aria-label nor <title>"


def _markdown_images(source: str) -> Iterator[tuple[str, str]]:
    """Yield the alt text and the source of every picture of a Markdown text."""
    for token in _tokens(source):
        if token.type == "image":
            yield token.content, str(token.attrs.get("src", ""))
        elif token.type in ("html_block", "html_inline"):
            for element in parse_html(token.content).elements():
                if element.tag == "img":
                    yield element.attributes.get("alt", ""), element.attributes.get("src", "")


def markdown_images_are_sound(nb: NotebookNode, folder: Path = ROOT / "notebooks") -> list[str]:
    """Check that a Markdown cell's picture has alt text and lies in the course itself."""
    faults = []
    for name, cell in _cells(nb, "markdown"):
        for alt, source in _markdown_images(cell.source):
            if not alt.strip():
                faults.append(f"{name}: the picture {source!r} has no alt text")
            if source.startswith("attachment:"):
                if source.removeprefix("attachment:") not in cell.get("attachments", {}):
                    faults.append(f"{name}: there is no {source!r}")
            elif re.match(r"https?:|//", source):
                # It would be missing without a network, and tell another host who reads.
                faults.append(f"{name}: the picture {source!r} comes from another host")
            elif not source.startswith("data:") and not (folder / source).is_file():
                faults.append(f"{name}: there is no file {source!r}")
    return faults


def slides_are_marked(nb: NotebookNode) -> list[str]:
    """Check that a section opens a slide, and a second code cell on a slide says where it goes.

    A section that the lecture leaves out is marked "skip", heading and all.
    """
    faults = []
    headed = {name for name, _, level, _ in _headings(nb) if level <= 2}
    code_on_slide = 0
    left_out = False
    for index, cell in enumerate(nb.cells):
        name, kind = cell_name(nb, index), slide_type(cell)
        if kind not in SLIDE_TYPES:
            faults.append(f"{name}: {kind!r} is not a slide type")
        if name in headed and kind not in ("slide", "skip"):
            faults.append(f"{name}: its heading does not open a slide (slide_type 'slide')")
        if name in headed:
            left_out = kind == "skip"
        if left_out and kind != "skip":
            faults.append(f"{name}: not marked 'skip', but its section's heading is")
        if kind in ("slide", "subslide"):
            code_on_slide = 0
        if cell.cell_type == "code":
            code_on_slide += 1
            if code_on_slide > 1 and "slideshow" not in cell.metadata:
                faults.append(f"{name}: a second code cell on one slide, without a slide type")
    return faults


def lecture_is_planned(nb: NotebookNode) -> list[str]:
    """Check that every section on the slides has its minutes, a question and a misconception.

    The minutes of the whole lecture must add up to between 40 and 50.
    """
    faults = []
    headings = {name: (level, text) for name, _, level, text in reversed(list(_headings(nb)))}
    minutes = 0
    for index, cell in enumerate(nb.cells):
        name = cell_name(nb, index)
        level, text = headings.get(name, (9, ""))
        lecture = cell.metadata.get("lecture", {})
        faults += [f"{name}: lecture, {fault}" for fault in _lecture_type_faults(lecture)]
        if slide_type(cell) == "slide":
            asks = level == 2 and not text.endswith("Summary")
            needed = ["minutes"] * (level <= 2) + ["ask", "misconception", "answer"] * asks
            faults += [f"{name}: lecture, no {key!r}" for key in needed if key not in lecture]
        elif not lecture.keys() <= SLIDE_PARTS and (level > 2 or slide_type(cell) == "skip"):
            faults.append(f"{name}: lecture, but the cell opens no slide (slide_type 'slide')")
        minutes += lecture.get("minutes", 0) if _is_minutes(lecture.get("minutes")) else 0
    if minutes not in LECTURE_MINUTES:
        least, most = LECTURE_MINUTES[0], LECTURE_MINUTES[-1]
        faults.append(f"the lecture takes {minutes} minutes, {least} to {most} expected")
    return faults


def _is_minutes(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _lecture_type_faults(lecture: NotebookNode) -> Iterator[str]:
    for key, value in lecture.items():
        if key == "minutes":
            if not _is_minutes(value):
                yield f"'minutes' is {value!r}, a positive whole number expected"
        elif key not in LECTURE_PARTS and key not in SLIDE_PARTS:
            known = ", ".join(["minutes", *LECTURE_PARTS, *sorted(SLIDE_PARTS)])
            yield f"{key!r} is unknown; there are: {known}"
        elif key == "mark" and isinstance(value, list) and value:
            for one in value:
                yield from _lecture_type_faults(NotebookNode(mark=one))
        elif not isinstance(value, str) or not value.strip():
            yield f"{key!r} is {value!r}, a text expected"


def code_cells_are_short(nb: NotebookNode) -> list[str]:
    """Check that a code cell has at most 15 lines of code, unless it is tagged ``long``."""
    faults = []
    for name, cell in _cells(nb, "code"):
        lines = [line.strip() for line in cell.source.splitlines()]
        count = sum(1 for line in lines if line and not line.startswith("#"))
        if count > MOST_CODE_LINES and "long" not in tags(cell):
            faults.append(f"{name}: {count} lines of code, at most {MOST_CODE_LINES} expected")
    return faults


def every_cell_was_run(nb: NotebookNode) -> list[str]:
    """Check that every code cell was run, and that only announced errors occurred."""
    faults = []
    for name, cell in _cells(nb, "code"):
        errors = [o.ename for o in cell.outputs if o.output_type == "error"]
        announced = "raises-exception" in tags(cell)
        if cell.execution_count is None:
            faults.append(f"{name}: was not run")
        elif errors and not announced:
            faults.append(f"{name}: raised {errors[0]}, without the tag 'raises-exception'")
        elif announced and not errors:
            faults.append(f"{name}: raised nothing, in spite of the tag 'raises-exception'")
    if not any(True for _ in _outputs(nb)):
        faults.append("no cell has an output")
    return faults


CHECKS: tuple[Callable[[NotebookNode], list[str]], ...] = (
    metadata_is_normalised,
    no_trace_of_the_machine,
    one_title,
    headings_are_numbered,
    setup_cell_is_shared,
    pictures_have_alt_text,
    markdown_images_are_sound,
    slides_are_marked,
    lecture_is_planned,
    code_cells_are_short,
    every_cell_was_run,
)


def faults(nb: NotebookNode) -> list[str]:
    """Return every fault of a notebook; one that is not valid is not looked at any further."""
    return valid_format(nb) or [fault for check in CHECKS for fault in check(nb)]
