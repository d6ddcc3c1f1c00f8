"""The teacher's report as a page and as a table for spreadsheets."""

from __future__ import annotations

import csv
import html
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .display import _inline

if TYPE_CHECKING:
    from .report import Student

__all__ = ["common_mistakes", "write_report"]

_WORDS = {
    "right": "✓ right",
    "other way": "≈ right, another way",
    "wrong": "✗ wrong",
    "not tried": "… not tried",
    "not run": "! not run",
    "not checked": "! not checked",
}
_LEGEND = (
    "≈ right, another way: the values are right, but not got as the exercise asks. "
    "! not run: the cell of the answer failed, or was not reached. "
    "An empty field: the notebook was not handed in, or could not be checked."
)


def write_report(students: Sequence[Student], folder: Path) -> None:
    """Write ``report.csv`` and ``report.html`` into a folder.

    Parameters
    ----------
    students : sequence of Student
        In the order in which they are to stand there.
    folder : Path
        A folder that exists.
    """
    modules = _by_module(students)
    with (folder / "report.csv").open("w", encoding="utf-8-sig", newline="") as file:
        # With the byte order mark spreadsheets read the signs as they are.
        csv.writer(file).writerows(_flat(students, modules))
    (folder / "report.html").write_text(_page(students, modules), encoding="utf-8")


def common_mistakes(students: Sequence[Student]) -> list[tuple[str, str, list[str]]]:
    """Return exercise, mistake and who made it, the most common mistake first.

    Examples
    --------
    >>> from autodiff_course.exercises.report import Student
    >>> common_mistakes([Student("a", mistakes={"ex01.x": "Add."}), Student("b")])
    [('ex01.x', 'Add.', ['a'])]
    """
    found = defaultdict(list)
    for student in students:
        for pair in student.mistakes.items():
            found[pair].append(student.name)
    return [(*pair, names) for pair, names in sorted(found.items(), key=_most_common)]


def _most_common(item):
    pair, names = item
    return -len(names), pair


def _by_module(students) -> dict[str, list[str]]:
    """Return the exercises of each notebook, in the order in which they are done."""
    found = dict.fromkeys(name for student in students for name in student.states)
    modules = defaultdict(list)
    for name in found:
        modules[name.partition(".")[0]].append(name)
    return dict(sorted(modules.items()))


def _count(student, names) -> str:
    """Return how many exercises are right, as text; empty where none could be checked."""
    states = [student.states[name] for name in names if name in student.states]
    return f"{states.count('right')} of {len(names)}" if states else ""


def _flat(students, modules) -> Iterable[list[str]]:
    """Yield the rows of the table for spreadsheets: what matters most is leftmost."""
    names = [name for exercises in modules.values() for name in exercises]
    yield ["student", "right", "problem", "first mistake", *names]
    for student in students:
        states = [student.states.get(name, "") for name in names]
        first = next((f"{name}: {text}" for name, text in student.mistakes.items()), "")
        problem = "; ".join(student.problems)
        cells = [student.name, str(states.count("right")), problem, first, *states]
        # A spreadsheet would run what begins like a formula.
        yield [f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell for cell in cells]


def _page(students, modules) -> str:
    overview = [
        [student.name, *(_count(student, names) for names in modules.values()), *_problems(student)]
        for student in students
    ]
    head = ["student", *map(_title, modules), "problem"]
    mistakes = [
        [name, _inline(text), f"{len(names)}: {html.escape(', '.join(names))}"]
        for name, text, names in common_mistakes(students)
    ]
    parts = [_table(head, overview)]
    for module, names in modules.items():
        parts.append(f"<h2>{_title(module)}</h2>\n{_exercises(students, names)}")
    if modules:
        parts.append(f"<p>{_LEGEND}</p>")
    parts.append("<h2>The most common mistakes</h2>")
    none = "<p>No answer was wrong in a way that is known.</p>"
    parts.append(_table(["exercise", "mistake", "students"], mistakes) if mistakes else none)
    return _PAGE.format(count=len(students), parts="\n".join(parts))


def _title(module) -> str:
    return f"Notebook {module.removeprefix('ex')}"


def _problems(student) -> list[str]:
    return ["<br>".join(map(html.escape, student.problems))]


def _exercises(students, names) -> str:
    """Return the table of one notebook, with the class in its last row."""
    there = [one for one in students if any(name in one.states for name in names)]
    rows = [[one.name, *(_WORDS.get(one.states.get(name), "") for name in names)] for one in there]
    right = [Counter(one.states.get(name) for one in there)["right"] for name in names]
    rows.append(["the class", *(f"{count} of {len(there)}" for count in right)])
    return _table(["student", *(name.partition(".")[2] for name in names)], rows)


def _table(head, rows) -> str:
    """Return a table; its first column is text, the others are HTML."""
    heads = "".join(f'<th scope="col">{_breakable(cell)}</th>' for cell in head)
    lines = [
        f'<tr><th scope="row">{_breakable(first)}</th>'
        + "".join(f"<td>{cell}</td>" for cell in others)
        + "</tr>"
        for first, *others in rows
    ]
    return f"<div><table><tr>{heads}</tr>\n" + "\n".join(lines) + "</table></div>"


def _breakable(name) -> str:
    return re.sub(r"([._])", r"\1<wbr>", html.escape(name))


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Exercises of the class</title>
<meta name="viewport" content="width=device-width">
<style>
body {{ font-family: system-ui, sans-serif; margin: 1.5em; color-scheme: light dark; }}
div {{ overflow-x: auto; }}
table {{ border-collapse: collapse; }}
th, td {{ border: 1px solid #8888; padding: 0.3em 0.6em; text-align: left; vertical-align: top; }}
th[scope=row] {{ position: sticky; left: 0; background: Canvas; }}
</style></head><body>
<h1>Exercises of the class</h1>
<p>{count} students. The exercises were checked again, whatever the outputs in the files say.</p>
{parts}
</body></html>
"""
