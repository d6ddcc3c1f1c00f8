"""A teacher's report: what became of the exercises in a folder of submitted notebooks.

``python -m autodiff_course.exercises.report FOLDER`` runs each notebook in a kernel of its own,
with limits on time and memory, and writes ``report.csv`` and ``report.html`` into the folder. A
folder in FOLDER is one student with several notebooks; a notebook in FOLDER itself is a student.

The notebooks are programs of others and run with your rights: do it where they can do no harm.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from . import record
from ._report_page import common_mistakes, write_report

__all__ = ["Student", "collect", "common_mistakes", "main", "run_notebook", "write_report"]

MARK = "autodiff-course results: "
_ONES_NOTEBOOK = re.compile(r"\bex(\d\d)\b")
_CHECK = re.compile(r"\b(ex\d\d\.\w+)\.check\(")
KERNELS = 3  # a cell that kills its kernel is left out of the next one
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
        For each exercise, such as ``"ex01.sum_over_paths"``: right, other way (right values, but
        not as the exercise asks), wrong, not tried, not run (its cell failed or was not reached)
        or not checked.
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
        How long all its cells may take together. A cell that takes half of what is left is
        interrupted, and the exercises are checked with what there is by then. One that kills its
        kernel is left out of the next kernel, which has all the time again.
    gigabytes : float, optional
        How much memory it may have; on Linux alone.

    Returns
    -------
    Student
        Never an exception, whatever the notebook does.
    """
    from nbformat.reader import NotJSONError

    student = Student(path.stem)
    try:
        await _run(path, student, seconds, int(gigabytes * 1e9))
    except NotJSONError:
        student.problems.append("no notebook: the file is damaged, or empty")
    except Exception as error:  # a broken notebook costs its own row only
        first = (str(error).splitlines() or [""])[0][:200]
        student.problems.append(f"could not be run: {type(error).__name__}: {first}")
    return student


async def _run(path, student, seconds, memory):
    import nbformat
    from nbformat.v4 import new_code_cell

    nb = nbformat.read(path, as_version=4)
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    modules = sorted({f"ex{n}" for cell in code for n in _ONES_NOTEBOOK.findall(cell.source)})
    if not modules:
        student.problems.append("no exercise of the course is in it")
        return
    end = new_code_cell(_RESULTS.format(modules=modules, mark=MARK))
    nb.cells = [new_code_cell(_LIMIT.format(bytes=memory)), *code, end]
    problems, left_out = {}, set()
    for _ in range(KERNELS):
        fatal, ran = await _run_cells(nb, problems, left_out, seconds)
        if fatal is None:
            break
        left_out.add(fatal)
    student.problems += [f"{_name(nb, n)} {problem}" for n, problem in problems.items()]
    _read_results(nb, student, ran)


async def _run_cells(nb, problems, left_out, seconds):
    """Run the cells in a new kernel; return which killed it, if one did, and which ran."""
    from jupyter_client.kernelspec import NATIVE_KERNEL_NAME
    from nbclient import NotebookClient
    from nbclient.exceptions import DeadKernelError

    ran = set()
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
                last = number == len(nb.cells) - 1
                left = deadline - time.monotonic()
                if number in left_out or (left <= 0 and not last):
                    continue
                # A cell without end leaves half of the time to those below it; the check at the
                # end has a minute, even if they have used all of it.
                client.timeout = math.ceil(max(60, left) if last else left / 2)
                begun = time.monotonic()
                try:
                    # A cell that is interrupted, and goes on all the same, has some seconds more.
                    run = client.async_execute_cell(cell, number)
                    await asyncio.wait_for(run, client.timeout + 5)
                except (DeadKernelError, TimeoutError):
                    problems[number] = "killed its kernel or hung in it"
                    return number, ran
                if not last and time.monotonic() - begun >= client.timeout:
                    problems[number] = f"was stopped after {client.timeout} s"
                ran.add(number)
    return None, ran


def _name(nb, number):
    """Name a cell so that a teacher finds it: by its number and its first line."""
    first = next((line for line in nb.cells[number].source.splitlines() if line.strip()), "")
    return f"code cell {number} ({first.strip()[:40]})"


def _read_results(nb, student, ran):
    failed = set()
    for number, cell in enumerate(nb.cells):
        broken = any(output.output_type == "error" for output in cell.outputs)
        if number not in ran or broken:
            failed.update(_CHECK.findall(cell.source))
    lines = [line for output in nb.cells[-1].outputs for line in output.get("text", "").split("\n")]
    for line in lines:
        if line.startswith(MARK):
            name, status, mistake = json.loads(line.removeprefix(MARK))
            if status == "not attempted":
                status = "not run" if name in failed else "not tried"
            student.states[name] = status
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
        several = path.parent != folder  # of one student: which of them?
        one.problems += [f"{path.name}: {text}" if several else text for text in found.problems]
    return [students[name] for name in sorted(students)]


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
    work = collect(options.folder, options.seconds, options.gigabytes, options.jobs)
    with ThreadPoolExecutor(1) as thread:  # in a notebook an event loop runs in this one already
        students = thread.submit(asyncio.run, work).result()
    if not students:
        parser.error(f"there are no notebooks in {options.folder}")
    write_report(students, options.folder)
    print(f"{len(students)} students: {options.folder / 'report.html'}, and report.csv beside it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
