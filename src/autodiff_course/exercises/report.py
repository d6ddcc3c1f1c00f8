"""A teacher's report: what became of the exercises in a folder of submitted notebooks.

``python -m autodiff_course.exercises.report FOLDER`` runs each notebook in a kernel of its own,
with limits on time and memory, and writes ``report.csv`` and ``report.html`` into the folder. A
folder in FOLDER is one student with several notebooks; a notebook in FOLDER itself is a student.

The notebooks are programs of others and run with your rights: do it where they can do no harm.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import html
import json
import math
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import record

__all__ = ["Student", "collect", "main", "run_notebook", "write_report"]

MARK = "autodiff-course results: "
_WORDS = {"right": "✓ right", "wrong": "✗ wrong", "not tried": "… not tried"}
_ONES_NOTEBOOK = re.compile(r"\bex(\d\d)\b")
# Nothing that the notebook does can raise a hard limit again. Windows and macOS have none.
_LIMIT = """
try:
    import resource
    resource.setrlimit(resource.RLIMIT_DATA, ({bytes}, {bytes}))
except (ImportError, OSError, ValueError):
    pass
"""
_RESULTS = """
import importlib, json
from autodiff_course.exercises.overview import results
for name in {modules}:
    module = importlib.import_module("autodiff_course.exercises." + name)
    for exercise, result in results(module).items():
        print({mark!r} + json.dumps([name + "." + exercise, result.status, result.mistake]))
"""


@dataclass
class Student:
    """What one student handed in.

    Attributes
    ----------
    name : str
    states : dict of str
        For each exercise, such as ``"ex01.sum_over_paths"``: right, wrong or not tried.
    mistakes : dict of str
        For each exercise with a recognised mistake: what the check said of it.
    problems : list of str
        What went wrong with a notebook as a whole: a cell without end, a kernel that died.
    """

    name: str
    states: dict[str, str] = field(default_factory=dict)
    mistakes: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


async def run_notebook(path: Path, seconds: float = 300.0, gigabytes: float = 4.0) -> Student:
    """Run one notebook, and return what became of its exercises.

    Parameters
    ----------
    path : Path
        The notebook; the file is left as it is.
    seconds : float, optional
        How long all its cells may take together. A cell without end is interrupted, and the
        exercises are checked with what there is by then.
    gigabytes : float, optional
        How much memory it may have; on Linux alone.

    Returns
    -------
    Student
        Never an exception, whatever the notebook does.
    """
    import nbformat

    student = Student(path.stem)
    try:
        nb = nbformat.read(path, as_version=4)
        sources = "\n".join(cell.source for cell in nb.cells if cell.cell_type == "code")
        modules = sorted({f"ex{number}" for number in _ONES_NOTEBOOK.findall(sources)})
        if not modules:
            student.problems.append("no exercise of the course is in it")
        else:
            await _run_cells(nb, student, modules, seconds, int(gigabytes * 1e9))
    except Exception as error:  # a broken notebook costs its own row only
        student.problems.append(f"{type(error).__name__}: {str(error).splitlines()[0][:200]}")
    return student


async def _run_cells(nb, student, modules, seconds, memory):
    from jupyter_client.kernelspec import NATIVE_KERNEL_NAME
    from nbclient import NotebookClient
    from nbclient.exceptions import DeadKernelError
    from nbformat.v4 import new_code_cell

    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    begin = new_code_cell(_LIMIT.format(bytes=memory))
    end = new_code_cell(_RESULTS.format(modules=modules, mark=MARK))
    nb.cells = [begin, *code, end]
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            nb,
            kernel_name=NATIVE_KERNEL_NAME,
            allow_errors=True,
            interrupt_on_timeout=True,
            shutdown_kernel="immediate",
            extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": folder}},
        )
        environment = os.environ | {record.VARIABLE: ""}  # their progress is not the teacher's
        async with client.async_setup_kernel(env=environment):
            deadline = time.monotonic() + seconds
            for number, cell in enumerate(nb.cells):
                left = deadline - time.monotonic()
                if left <= 0 and cell is not end:
                    continue
                # The check at the end has a minute, even if the cells have used all of the time.
                client.timeout = math.ceil(max(60, left) if cell is end else left)
                try:
                    # A cell that is interrupted, and goes on all the same, has some seconds more.
                    run = client.async_execute_cell(cell, number)
                    await asyncio.wait_for(run, client.timeout + 5)
                except (DeadKernelError, TimeoutError):
                    student.problems.append(f"code cell {number} killed its kernel or hung in it")
                    return
                if cell is not end and time.monotonic() > deadline:
                    student.problems.append(f"code cell {number} was stopped after {seconds:g} s")
    _read_results(end, student)


def _read_results(cell, student):
    for output in cell.outputs:
        for line in output.get("text", "").splitlines():
            if line.startswith(MARK):
                name, status, mistake = json.loads(line.removeprefix(MARK))
                tried = {"right": "right", "not attempted": "not tried"}
                student.states[name] = tried.get(status, "wrong")
                if mistake:
                    student.mistakes[name] = mistake
    if not student.states:
        student.problems.append("its exercises could not be checked")


async def collect(folder: Path, seconds: float, gigabytes: float, jobs: int) -> list[Student]:
    """Run every notebook in a folder, `jobs` at a time, and return the students by name."""
    free = asyncio.Semaphore(jobs)

    async def run(path):
        async with free:
            found = await run_notebook(path, seconds, gigabytes)
        print(f"{path.relative_to(folder)}: {len(found.states)} exercises", file=sys.stderr)
        return found

    paths = [path for path in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts]
    students: dict[str, Student] = {}
    for path, found in zip(paths, await asyncio.gather(*map(run, paths)), strict=True):
        name = path.relative_to(folder).parts[0].removesuffix(".ipynb")
        one = students.setdefault(name, Student(name))
        one.states |= found.states
        one.mistakes |= found.mistakes
        one.problems += found.problems
    return [students[name] for name in sorted(students)]


def common_mistakes(students: Sequence[Student]) -> list[tuple[str, str, int]]:
    """Return exercise, mistake and number of students, the most common mistake first.

    Examples
    --------
    >>> common_mistakes([Student("a", mistakes={"ex01.x": "Add."}), Student("b")])
    [('ex01.x', 'Add.', 1)]
    """
    counts = Counter(pair for student in students for pair in student.mistakes.items())
    return [(*pair, count) for pair, count in sorted(counts.items(), key=lambda it: (-it[1], it))]


def write_report(students: Sequence[Student], folder: Path) -> None:
    """Write ``report.csv`` and ``report.html``: a row per student, a column per exercise."""
    # Within a notebook, the exercises stay in the order in which they are done.
    names = list(dict.fromkeys(name for student in students for name in student.states))
    names.sort(key=lambda name: name.partition(".")[0])
    head = ["student", *names, "right", "first mistake", "problem"]
    rows = [_row(student, names) for student in students]
    with (folder / "report.csv").open("w", encoding="utf-8-sig", newline="") as file:
        # With the byte order mark spreadsheets read the signs as they are.
        csv.writer(file).writerows([head, *rows])
    shown = [
        [row[0], *(_WORDS.get(state, "") for state in row[1 : len(names) + 1]), *row[-3:]]
        for row in rows
    ]
    page = _PAGE.format(
        students=_table(head, shown),
        mistakes=_table(["exercise", "mistake", "students"], common_mistakes(students)),
    )
    (folder / "report.html").write_text(page, encoding="utf-8")


def _row(student, names):
    states = [student.states.get(name, "") for name in names]
    first = next((f"{name}: {student.mistakes[name]}" for name in student.mistakes), "")
    cells = [student.name, *states, str(states.count("right")), first, "; ".join(student.problems)]
    # A spreadsheet would run what begins like a formula.
    return [f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell for cell in cells]


def _table(head, rows):
    heads = "".join(f'<th scope="col">{_breakable(cell)}</th>' for cell in head)
    lines = [
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    ]
    return f"<div><table><tr>{heads}</tr>{''.join(lines)}</table></div>"


def _breakable(name):
    return re.sub(r"([._])", r"\1<wbr>", html.escape(name))


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Exercises of the class</title>
<meta name="viewport" content="width=device-width">
<style>
body {{ font-family: system-ui, sans-serif; margin: 1.5em; color-scheme: light dark; }}
div {{ overflow-x: auto; }}
table {{ border-collapse: collapse; }}
th, td {{ border: 1px solid #8888; padding: 0.3em 0.6em; text-align: left; vertical-align: top; }}
td:first-child {{ font-weight: bold; }}
td {{ min-width: 4em; }}
td:nth-last-child(2) {{ min-width: 18em; }}
td:last-child:not(:empty) {{ min-width: 9em; }}
</style></head><body>
<h1>Exercises of the class</h1>
{students}
<h2>The most common mistakes</h2>
{mistakes}
</body></html>
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the submitted notebooks")
    parser.add_argument("--seconds", type=float, default=300.0, help="for each notebook")
    parser.add_argument("--gigabytes", type=float, default=4.0, help="for each notebook, on Linux")
    parser.add_argument("--jobs", type=int, default=2, help="notebooks at a time")
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is not a folder")
    students = asyncio.run(
        collect(options.folder, options.seconds, options.gigabytes, options.jobs)
    )
    if not students:
        parser.error(f"there are no notebooks in {options.folder}")
    write_report(students, options.folder)
    print(f"{len(students)} students: {options.folder / 'report.html'}, and report.csv beside it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
