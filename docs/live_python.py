"""What the page "Write and check" asks of the Python that runs in the browser.

The page sends the reader's code and what to do with it; back go pieces to show, each a pair of a
kind (``"text"``, ``"html"``, ``"code"`` or ``"error"``) and the content. Nothing here knows that it
runs in a browser.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import linecache
import math
import traceback
from collections.abc import Iterator

from autodiff_course import graph
from autodiff_course.exercises.framework import Exercise, exercises_in

__all__ = ["exercise_named", "pieces"]

NOTEBOOKS = ("ex01", "ex02")
FILE = "your code"  # what a traceback calls the file that the reader's code stands in


def exercise_named(name: str) -> Exercise:
    """Return an exercise by its module and its name, as in ``"ex01.count_paths"``."""
    module, _, wanted = name.partition(".")
    if module not in NOTEBOOKS:
        raise ValueError(f"name must begin with one of {NOTEBOOKS}, got {name!r}")
    found = importlib.import_module(f"autodiff_course.exercises.{module}")
    return next(one for one in exercises_in(found) if one.name == wanted)


def pieces(name: str, action: str, code: str) -> list[tuple[str, str]]:
    """Return what to show after a click.

    Parameters
    ----------
    name : str
        The exercise, as in ``"ex01.count_paths"``.
    action : str
        ``"run"``, ``"check"``, ``"hint"`` or ``"solution"``.
    code : str
        What the reader has typed.
    """
    exercise = exercise_named(name)
    if action == "hint":
        return [_shown(exercise.hint())]
    if action == "solution":
        return [("code", exercise.solution()._formats()["text/plain"])]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        # All at once: what is printed while it runs is seen when it has run.
        results = list(_run(exercise, code, check=action == "check"))
    return [("text", printed.getvalue()), *results] if printed.getvalue() else results


def _run(exercise: Exercise, code: str, check: bool) -> Iterator[tuple[str, str]]:
    """Execute the reader's code as a cell of a notebook would, and check the answer in it."""
    # Tracebacks, and the lines that a check quotes, are looked up here.
    linecache.cache[FILE] = (len(code), None, code.splitlines(keepends=True), FILE)
    space = _names_for(exercise)
    try:
        value = _execute(code, space)
    except BaseException as error:  # SystemExit and the like, too: the worker must go on
        yield "error", _traceback(error)
        return
    if check:
        yield _shown(exercise.check(space.get(f"my_{exercise.name}", ...)))
    elif value is not None:
        yield _shown(value)


def _names_for(exercise: Exercise) -> dict:
    """Return what a reader has at hand without an import: what the notebook has by then.

    That is the graph module, what the exercise's own module uses, and the other exercises'
    functions, which the cells of the notebook go on with.
    """
    names = {name: getattr(graph, name) for name in graph.__all__} | {"math": math}
    for name, thing in vars(importlib.import_module(exercise.reference.__module__)).items():
        if not name.startswith("_") and thing is not exercise:
            names[name] = thing.reference if isinstance(thing, Exercise) else thing
    return names


def _execute(code: str, space: dict) -> object:
    """Execute code; return the value of its last line where that is an expression."""
    tree = ast.parse(code, FILE)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, FILE, "exec"), space)
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), FILE, "eval"), space)


def _traceback(error: BaseException) -> str:
    """Write what went wrong without the lines of this file, which the reader did not write."""
    shown = traceback.TracebackException.from_exception(error)
    own = [frame.filename == FILE for frame in shown.stack]
    first = own.index(True) if any(own) else len(own)
    shown.stack = traceback.StackSummary.from_list(list(shown.stack)[first:])
    return "".join(shown.format()).rstrip()


def _shown(value: object) -> tuple[str, str]:
    formats = getattr(value, "_repr_mimebundle_", dict)()
    return ("html", formats["text/html"]) if "text/html" in formats else ("text", repr(value))
