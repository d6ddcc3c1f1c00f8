"""Write what a lecturer needs of each notebook into docs/lectures.md.

``python tools/lectures.py`` gathers it from the notebooks (sections, minutes, questions and what
people believe), from README.md (the question of each notebook) and from the exercises (their
minutes); `make format` and `make outputs` call it. The tables of benchmarks/classroom.py go into
docs/teaching.md in the same way, between two comments.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode

from notebooks import ROOT, asks, course_notebooks, read, slide_type

NO_BREAK = "\N{NO-BREAK SPACE}"
_SECTION = re.compile(r"^## (\d+\. .+)$", re.MULTILINE)
_CHECK = re.compile(r"^(ex\d\d)\.(\w+)\.check\(", re.MULTILINE)
_DRILL = re.compile(r"^(ex\d\d)\.(drill_\w+)\(", re.MULTILINE)
_ROW = re.compile(r"^\| (\d\d) \| \[.*?\]\(.*?\) \| (.*?) \| (\d+) min \|", re.MULTILINE)

HEAD = """# The lectures, section by section

This page is made from the notebooks, by `tools/lectures.py`. For each section it has what you put \
to the room, what many will answer, and its exercises with their minutes; the answers are in the \
speaker's notes. A section with ◆ has a question card on its slides: let everybody choose before \
you open it. [Teaching with it](teaching.md) says how to plan a term.
"""


@dataclass
class Section:
    """A section of a notebook, as a lecturer sees it.

    Attributes
    ----------
    title : str
        Its heading.
    lecture : Mapping
        Its metadata: minutes, ask, misconception, answer.
    card : bool
        Whether one of its question cards is on a slide.
    exercises : list of tuple
        For each exercise: module, name, and whether it is on a slide.
    drills : int
        How many drills it has.
    """

    title: str
    lecture: Mapping
    card: bool = False
    exercises: list[tuple[str, str, bool]] = field(default_factory=list)
    drills: int = 0


def anchor(heading: str) -> str:
    """Return the anchor that GitHub and the site make of a heading.

    Examples
    --------
    >>> anchor("4. PyTorch's switches")
    '4-pytorchs-switches'
    """
    return re.sub(r"[^\w\- ]", "", heading.strip().lower().replace(" ", "-"))


def sections(nb: NotebookNode) -> list[Section]:
    """Return the numbered sections of a notebook."""
    found: list[Section] = []
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            for title in _SECTION.findall(cell.source):
                found.append(Section(title, cell.metadata.get("lecture", {})))
        elif found:
            one, shown = found[-1], slide_type(cell) != "skip"
            one.card |= asks(cell) and shown
            one.exercises += [(*match, shown) for match in _CHECK.findall(cell.source)]
            one.drills += len(_DRILL.findall(cell.source))
    return found


def minutes(module: str, name: str) -> float:
    """Return how long an exercise takes, as its module says."""
    return getattr(importlib.import_module(f"autodiff_course.exercises.{module}"), name).minutes


def questions(root: Path = ROOT) -> dict[str, tuple[str, str]]:
    """Return question and minutes to read of each notebook, by its number, from README.md."""
    text = (root / "README.md").read_text(encoding="utf-8")
    return {number: (question, time) for number, question, time in _ROW.findall(text)}


def lecture(path: Path, question: str, to_read: str) -> str:
    """Return the part of the page on one notebook."""
    nb = read(path)
    title = nb.cells[0].source.partition("\n")[0].removeprefix("# ")
    first = nb.cells[0].metadata.get("lecture", {})
    parts = sections(nb)
    told = first.get("minutes", 0) + sum(part.lecture.get("minutes", 0) for part in parts)
    at_home = sum(minutes(*one[:2]) for part in parts for one in part.exercises)
    link = f"../notebooks/{path.name}"
    rows = [_row(part, link) for part in parts if part.lecture.get("ask") or part.exercises]
    lines = [
        f"## {title}",
        f"**{question}** [The notebook]({link}): {told:g} minutes on slides, {to_read} to read, "
        f"{at_home:g} for the exercises.",
        first.get("say", ""),
        "\n".join(
            [
                "| Section | Put to the room | What many believe | Exercises |",
                "|---|---|---|---|",
                *rows,
            ]
        ),
    ]
    return "\n\n".join(line for line in lines if line) + "\n"


def _row(part: Section, link: str) -> str:
    place = f"[{part.title}]({link}#{anchor(part.title)})"
    told = part.lecture.get("minutes")
    if told:
        marks = [f"{told:g}", "min", *(["◆"] if part.card else [])]
        place += ", " + NO_BREAK.join(marks)
    else:
        place += ", at home"
    work = [
        f"`{name}` {minutes(module, name):g}{', in the room' if shown else ''}"
        for module, name, shown in part.exercises
    ]
    if part.drills:
        work.append("a drill" if part.drills == 1 else f"{part.drills} drills")
    said = (" ".join(part.lecture.get(key, "").split()) for key in ("ask", "misconception"))
    cells = [cell.replace("|", "\\|") for cell in (place, *said, "; ".join(work))]
    return "| " + " | ".join(cells) + " |"


def page(root: Path = ROOT) -> str:
    """Return docs/lectures.md."""
    known = questions(root)
    parts = [lecture(path, *known[path.name[:2]]) for path in course_notebooks(root)]
    return "\n".join([HEAD, *parts])


# --- The tables of the classroom ------------------------------------------------------------------


def class_rows(measured: Mapping) -> Iterator[list[str]]:
    """Yield, for each size of a class, what it takes with each notebook open and run.

    A size that was not measured continues the line through the two largest that were.

    Examples
    --------
    >>> one = {"classes": [{"students": 5, "all": 2500}, {"students": 10, "all": 4500}]}
    >>> two = {"classes": [{"students": 20, "all": 8000}]}
    >>> print(table(class_rows({"01": one, "08": two})))
    | Students | 01 open | 08 open |
    |---|---|---|
    | 5 | 2.5 GB |  |
    | 10 | 4.5 GB |  |
    | 20 | about 8.5 GB | 8.0 GB |
    """
    numbers = sorted(measured)
    yield ["Students", *(f"{number} open" for number in numbers)]
    known = {n: {one["students"]: one["all"] for one in measured[n]["classes"]} for n in numbers}
    for size in sorted({size for sizes in known.values() for size in sizes}):
        yield [str(size), *(_class_memory(known[number], size) for number in numbers)]


def _class_memory(known: Mapping[int, float], size: int) -> str:
    if size in known:
        return f"{known[size] / 1000:.1f} GB"
    if len(known) < 2 or size < max(known):
        return ""
    small, large = sorted(known)[-2:]
    each = (known[large] - known[small]) / (large - small)
    return f"about {(known[large] + each * (size - large)) / 1000:.1f} GB"


def student_rows(measured: Mapping) -> Iterator[list[str]]:
    """Yield what one student takes, for each notebook."""
    numbers = sorted(measured)
    yield ["For one student", *numbers]
    for name, key, unit in (
        ("start of the server, processor", "start processor", "s"),
        ("kernel with the imports, processor", "imports processor", "s"),
        ("all cells of the notebook, processor", "run processor", "s"),
        ("server, memory", "server memory", "MB"),
        ("kernel after the imports, memory", "imports memory", "MB"),
        ("kernel after the notebook, memory", "memory", "MB"),
        ("and how much more while it ran", "above", "MB"),
    ):
        form = "{:.0f} MB" if unit == "MB" else "{:.1f} s"
        yield [name, *(form.format(measured[number]["each"][key]) for number in numbers)]


def table(rows: Iterator[list[str]]) -> str:
    """Return rows as a table in Markdown; the first is its head.

    Examples
    --------
    >>> print(table(iter([["n", "GB"], ["1", "0.7"]])))
    | n | GB |
    |---|---|
    | 1 | 0.7 |
    """
    head, *rest = rows
    lines = [head, *rest]
    lines = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def with_tables(text: str, measured: Mapping) -> str:
    """Return the text of docs/teaching.md with the tables of what was measured."""
    for name, rows in (("class", class_rows), ("student", student_rows)):
        text = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- end -->)",
            lambda match, rows=rows: f"{match[1]}\n{table(rows(measured))}\n\n{match[2]}",
            text,
            flags=re.DOTALL,
        )
    return text


def made(root: Path = ROOT) -> dict[Path, str]:
    """Return each file that this script writes, with its text."""
    teaching = root / "docs" / "teaching.md"
    measured = json.loads((root / "benchmarks" / "classroom.json").read_text(encoding="utf-8"))
    return {
        root / "docs" / "lectures.md": page(root),
        teaching: with_tables(teaching.read_text(encoding="utf-8"), measured),
    }


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text, encoding="utf-8")
