"""Make reveal.js decks from the notebooks, with the outputs that are committed.

``python tools/slides.py [name ...]`` writes build/slides; ``make slides`` calls it, and brings the
JavaScript that the decks need. A deck asks nothing of the network.
"""

from __future__ import annotations

import argparse
import copy
import html
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nbconvert import SlidesExporter
from nbconvert.filters import Highlight2HTML, markdown2html
from nbformat import NotebookNode

from notebooks import LECTURE_PARTS, ROOT, asks, chosen, read, slide_type, tags
from slide_plan import code_on_slide, is_planned, marked_lines, plan_faults, put_outputs

TEMPLATE = Path(__file__).resolve().parent / "slides_template"
WEB = ROOT / "build" / "web" / "node_modules"
DECKS = ROOT / "build" / "slides"

# What the decks share: where it lies in node_modules, and its name in assets/.
PACKAGED_ASSETS = {
    "reveal.js/dist/reveal.css": "reveal.css",
    "reveal.js/dist/reveal.js": "reveal.js",
    "reveal.js/plugin/notes/notes.js": "notes.js",
    "reveal.js/LICENSE": "reveal.LICENSE",
    # Formulas as SVG need no fonts, which some browsers refuse to load from file://.
    "mathjax/es5/tex-svg.js": "tex-svg.js",
    "mathjax/LICENSE": "mathjax.LICENSE",
}
OWN_ASSETS = ("deck.css", "deck.js")

# A link into the glossary leads nowhere from a deck.
GLOSSARY_LINK = re.compile(r"\[([^\]]*)\]\(\.\./docs/[^)]*\)")
ANCHOR_LINK = re.compile(r'<a class="anchor-link".*?</a>')
# The name that nbconvert itself gives to a cell without its source.
REMOVE_SOURCE = {"remove_source": True}
# An exercise's check of an answer that nobody has given yet tells a room nothing.
EXERCISE_CHECK = re.compile(r"^ex\d+\.\w+\.check\(", re.MULTILINE)


@dataclass(frozen=True)
class Part:
    """A part of a lecture: its heading, its metadata, and the minute in which it begins."""

    title: str
    lecture: NotebookNode
    start: int

    @property
    def minutes(self) -> int:
        """The time for the part; 0 where its notebook does not say."""
        return self.lecture.get("minutes", 0)

    @property
    def time(self) -> str:
        """The time as a speaker reads it, as in ``6 min · 0:12–0:18``."""
        return f"{self.minutes} min · {clock(self.start)}–{clock(self.start + self.minutes)}"


def clock(minutes: int) -> str:
    """Return a number of minutes as hours and minutes.

    >>> clock(65)
    '1:05'
    """
    return f"{minutes // 60}:{minutes % 60:02d}"


def heading(cell: NotebookNode) -> str:
    """Return the first heading of a Markdown cell as plain text, empty where it has none."""
    found = re.search(r"^#+ +(.+)$", cell.source, re.MULTILINE)
    return found[1].replace("`", "").strip() if found and cell.cell_type == "markdown" else ""


def parts_by_cell(cells: Sequence[NotebookNode]) -> Iterator[tuple[NotebookNode, Part]]:
    """Yield every cell with the part of the lecture that it belongs to.

    A part begins at a slide with a heading or with minutes of its own.
    """
    part = Part("", NotebookNode(), 0)
    for cell in cells:
        lecture = cell.metadata.get("lecture", {})
        if slide_type(cell) == "slide" and ("minutes" in lecture or heading(cell)):
            part = Part(heading(cell) or part.title, lecture, part.start + part.minutes)
        yield cell, part


def speaker_notes(part: Part) -> str:
    """Return what the speaker view shows beside every slide of a part, as HTML."""
    notes = f"<h4>{part.time}</h4>" if part.minutes else ""
    for key, title in LECTURE_PARTS.items():
        if key in part.lecture:
            notes += f"<h4>{title}</h4>{markdown2html(part.lecture[key])}"
    return notes


def timetable(slides: Sequence[Part]) -> str:
    """Return when each part of a lecture begins, as an HTML list, from the parts of its slides."""
    parts = {part.start: part for part in slides if part.minutes}.values()
    lines = [f"<li>{clock(part.start)} {html.escape(part.title)}</li>" for part in parts]
    return f"<h4>Timetable</h4><ul>{''.join(lines)}</ul>" if lines else ""


def shows_its_code(cell: NotebookNode) -> bool:
    """Return whether a code cell's source stands on its slide.

    That of a plot does not: the picture is what the room came for. That of a question card does
    not: it gives the answer away. The tags ``slide-code`` and ``no-slide-code`` say otherwise.
    """
    plots = any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
    hidden = plots or asks(cell) or "no-slide-code" in tags(cell)
    return "slide-code" in tags(cell) or not hidden


def plan(cell: NotebookNode) -> None:
    """Put into a cell what its planned slide shows of it."""
    if cell.cell_type == "markdown":
        cell.source = cell.metadata.get("lecture", {}).get("slide", cell.source)
        return
    above = markdown2html(cell.metadata.get("lecture", {}).get("slide", ""))
    for key in ("crop", "uncover"):
        cell.metadata[key] = cell.metadata.get("lecture", {}).get(key, "")
    cell.metadata.above = ANCHOR_LINK.sub("", above)
    cell.source = code_on_slide(cell)
    cell.metadata.marked = marked_lines(cell.source, cell)
    put_outputs(cell)
    if not cell.source:
        cell.metadata.transient = REMOVE_SOURCE


def prose(cells: Sequence[NotebookNode]) -> str:
    """Return the prose of the cells of one slide that the slide itself leaves out, as HTML."""
    texts = [
        re.sub(r"^#+ .*\n*", "", cell.source, flags=re.MULTILINE)
        for cell in cells
        if cell.cell_type == "markdown"
        and ("slide" in cell.metadata.get("lecture", {}) or slide_type(cell) == "notes")
    ]
    text = markdown2html(GLOSSARY_LINK.sub(r"\1", "\n\n".join(texts)))
    return f"<h4>In the notebook</h4>{text}" if text.strip() else ""


def cells_by_slide(cells: Sequence[NotebookNode]) -> list[list[NotebookNode]]:
    """Return the cells, those of each slide together."""
    slides: list[list[NotebookNode]] = []
    for cell in cells:
        if slide_type(cell) in ("slide", "subslide") or not slides:
            slides.append([])
        slides[-1].append(cell)
    return slides


def prepared(nb: NotebookNode) -> NotebookNode:
    """Return a copy of a notebook with what the template needs in the cells' metadata."""
    nb = copy.deepcopy(nb)
    nb.cells = [cell for cell in nb.cells if slide_type(cell) != "skip"]
    nb.metadata.title = heading(nb.cells[0])
    nb.metadata.planned = is_planned(nb)
    placed = list(parts_by_cell(nb.cells))
    slides = [part for cell, part in placed if slide_type(cell) in ("slide", "subslide")]
    for cell, part in placed:
        # The answer is needed where the question's result is in sight: on a later slide.
        cell.metadata.notes = speaker_notes(part)
        cell.metadata.running = "" if nb.metadata.planned else part.title
        cell.metadata.seconds = round(60 * part.minutes / max(1, slides.count(part)))
    nb.cells[0].metadata.notes += timetable(slides)
    if nb.metadata.planned:
        for cells in cells_by_slide(nb.cells)[1:]:  # the title has the timetable
            cells[0].metadata.notes += prose(cells)
        nb.cells = [cell for cell in nb.cells if slide_type(cell) != "notes"]
    for cell in nb.cells:
        if nb.metadata.planned:
            plan(cell)
        elif cell.cell_type == "code":
            leave_out(cell)
        if cell.cell_type == "markdown":
            cell.source = GLOSSARY_LINK.sub(r"\1", cell.source)
    return nb


def leave_out(cell: NotebookNode) -> None:
    """Leave out what a slide that nobody planned does not show of a code cell."""
    if EXERCISE_CHECK.search(cell.source):
        cell.outputs = []
    if not shows_its_code(cell):
        cell.metadata.transient = REMOVE_SOURCE


def highlighted(cell: NotebookNode) -> str:
    """Return the source of a code cell as HTML, with the lines that matter marked."""
    return Highlight2HTML(extra_formatter_options={"hl_lines": cell.metadata.get("marked", [])})(
        cell.source, metadata=cell.metadata
    )


def deck(path: Path) -> str:
    """Return a notebook as the HTML page of a deck, which expects assets/ beside it."""
    exporter = SlidesExporter(
        template_name=TEMPLATE.name,
        extra_template_basedirs=[str(TEMPLATE.parent)],
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
        embed_images=True,
    )
    exporter.register_filter("highlighted", highlighted)
    resources = {"metadata": {"name": path.stem, "path": str(path.parent)}}
    page, _ = exporter.from_notebook_node(prepared(read(path)), resources)
    return page


def copy_assets(folder: Path, web: Path) -> None:
    """Copy the files that all decks share into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for source, name in PACKAGED_ASSETS.items():
        shutil.copyfile(web / source, folder / name)
    for name in OWN_ASSETS:
        shutil.copyfile(TEMPLATE / name, folder / name)


def index(decks: Sequence[Path]) -> str:
    """Return a page that lists decks, each by its title."""
    items = []
    for path in decks:
        title = re.search(r"<title>(.*?)</title>", path.read_text(encoding="utf-8"))[1]
        items.append(f'<li><a href="{path.name}">{title}</a></li>')
    return INDEX.replace("ITEMS", "\n".join(items))


INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Automatic differentiation in PyTorch: the slides</title>
<link rel="icon" href="data:,">
<style>
body { max-width: 42em; margin: 3em auto; padding: 0 1em; font: 1.2rem/1.6 Arial, sans-serif; }
</style>
</head>
<body>
<main>
<h1>Automatic differentiation in PyTorch</h1>
<p>Each deck is one lecture. Space goes on, S opens the speaker's view, F fills the screen,
Esc shows all slides. To print a deck, add ?print-pdf to its address.</p>
<ul>
ITEMS
</ul>
</main>
</body>
</html>
"""


def make_decks(notebooks: Sequence[Path], folder: Path = DECKS, web: Path = WEB) -> list[Path]:
    """Write decks, the files they share, and the page that lists them.

    Parameters
    ----------
    notebooks : sequence of Path
        The notebooks; decks of other notebooks in the folder stay.
    folder : Path, optional
        Where the decks go.
    web : Path, optional
        The folder node_modules with the JavaScript packages.

    Returns
    -------
    list of Path
        The decks that were written.

    Raises
    ------
    SystemExit
        If the JavaScript packages are missing.
    """
    missing = [name for name in PACKAGED_ASSETS if not (web / name).is_file()]
    if missing:
        raise SystemExit(f"{web / missing[0]} is missing; `make slides` brings it")
    copy_assets(folder / "assets", web)
    decks = []
    for notebook in notebooks:
        decks.append(folder / f"{notebook.stem}.html")
        decks[-1].write_text(deck(notebook), encoding="utf-8")
    listed = sorted(path for path in folder.glob("*.html") if path.name != "index.html")
    (folder / "index.html").write_text(index(listed), encoding="utf-8")
    return decks


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="a number or name; without any, all notebooks")
    parser.add_argument(
        "--screenshots", type=Path, metavar="DIR", help="also take a picture of every slide"
    )
    parser.add_argument("--pdf", type=Path, metavar="DIR", help="also print every deck to a PDF")
    options = parser.parse_args(arguments)
    notebooks = chosen(options.names)
    decks = make_decks(notebooks)
    for path in decks:
        print(f"written: {path.relative_to(ROOT)}")
    for notebook in filter(lambda path: is_planned(read(path)), notebooks):
        for fault in plan_faults(read(notebook)):
            print(f"{notebook.name}: {fault}", file=sys.stderr)
    # Only here is a browser needed, and the program that drives it.
    if options.screenshots is not None:
        from slide_pictures import take_pictures

        take_pictures(decks, options.screenshots)
    if options.pdf is not None:
        from slide_pictures import print_pdf

        print_pdf(decks, options.pdf)
    return 0


if __name__ == "__main__":
    sys.exit(main())
