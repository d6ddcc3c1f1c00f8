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
from types import ModuleType

from autodiff_course import graph
from autodiff_course.exercises.framework import Exercise, exercises_in

__all__ = ["exercise_named", "pieces"]

FILE = "your code"  # what a traceback calls the file that the reader's code stands in


def exercise_named(name: str) -> Exercise:
    """Return an exercise by its module and its name, as in ``"ex01.count_paths"``."""
    wanted = name.partition(".")[2]
    return next(one for one in exercises_in(_module_of(name)) if one.name == wanted)


def _module_of(name: str) -> ModuleType:
    module = name.partition(".")[0]
    return importlib.import_module(f"autodiff_course.exercises.{module}")


def pieces(name: str, action: str, code: str) -> list[tuple[str, str]]:
    """Return what to show after a click.

    Parameters
    ----------
    name : str
        The exercise, as in ``"ex01.count_paths"``; for ``"run"`` a drill, too.
    action : str
        ``"run"``, ``"check"``, ``"hint"`` or ``"solution"``.
    code : str
        What the reader has typed.
    """
    if action == "hint":
        return [_shown(exercise_named(name).hint())]
    if action == "solution":
        return [("code", exercise_named(name).solution()._formats()["text/plain"])]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        # All at once: what is printed while it runs is seen when it has run.
        results = list(_run(name, code, check=action == "check"))
    return [("text", printed.getvalue()), *results] if printed.getvalue() else results


def _run(name: str, code: str, check: bool) -> Iterator[tuple[str, str]]:
    """Execute the reader's code as a cell of a notebook would, and check the answer in it."""
    # Tracebacks, and the lines that a check quotes, are looked up here.
    linecache.cache[FILE] = (len(code), None, code.splitlines(keepends=True), FILE)
    space = _names_for(name)
    try:
        value = _execute(code, space)
    except BaseException as error:  # SystemExit and the like, too: the worker must go on
        yield "error", _traceback(error)
        return
    if check:
        exercise = exercise_named(name)
        yield _shown(exercise.check(space.get(f"my_{exercise.name}", ...)))
    elif value is not None:
        yield _shown(value)


def _names_for(place: str) -> dict:
    """Return what a reader has at hand without an import: what the notebook has by then.

    That is the graph module, what the module of the exercises uses, and the functions of the other
    exercises, which the cells of the notebook go on with.
    """
    names = {name: getattr(graph, name) for name in graph.__all__} | {"math": math}
    for name, thing in vars(_module_of(place)).items():
        if isinstance(thing, Exercise):
            if not place.endswith(f".{name}"):
                names[name] = thing.reference
        elif not name.startswith("_"):
            names[name] = thing
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
