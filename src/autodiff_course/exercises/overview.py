"""How far the reader has come: in the whole course, and in one notebook."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from types import ModuleType

from . import record
from .display import Table
from .framework import exercises_in

__all__ = ["check_all", "progress", "results"]

_WORDS = {
    "right": "✓ right",
    "wrong": "✗ not right yet",
    "other way": "≈ another way asked",
    "not attempted": "… not tried",
    "not checked": "! not checked",
}


def progress() -> Table:
    """Show every exercise of the course: done or not, and how long the rest takes.

    What was done earlier is known from the user's data folder, see
    `autodiff_course.exercises.record`.
    """
    found, rows, left, done = record.statuses(), [], 0.0, 0
    for number, module in _modules():
        if module is None:
            rows.append((number, "", "! needs a library that is not installed", ""))
            continue
        for one in exercises_in(module):
            status = found.get(f"ex{number}.{one.name}", "not attempted")
            done += status == "right"
            left += one.minutes if status != "right" else 0
            rows.append((number, one.name, _WORDS[status], f"{one.minutes:g}"))
    of = sum(bool(name) for _, name, _, _ in rows)
    text = f"{done} of {of} done; about {left:g} minutes for the others."
    return Table(("Notebook", "Exercise", "State", "Minutes"), tuple(rows), text)


def check_all(module: ModuleType, names: dict | None = None) -> Table:
    """Check every exercise of one notebook at once.

    Parameters
    ----------
    module : module
        The exercises of the notebook, such as ``ex01``.
    names : dict, optional
        Where the answers are, each as ``my_`` and the name of its exercise; those of the notebook,
        unless said otherwise.

    Returns
    -------
    Table
    """
    found = results(module, names)
    rows = tuple(
        (name, _WORDS[one.status], "" if one.task else one.message) for name, one in found.items()
    )
    done = sum(map(bool, found.values()))
    return Table(("Exercise", "State", ""), rows, f"{done} of {len(found)} right.")


def results(module: ModuleType, names: dict | None = None) -> dict:
    """Return the result of each exercise of a notebook, by its name; as `check_all` shows them."""
    names = vars(sys.modules["__main__"]) if names is None else names
    return {one.name: one.check(names.get(f"my_{one.name}", ...)) for one in exercises_in(module)}


def _modules():
    package = importlib.import_module(__package__)
    for info in pkgutil.iter_modules(package.__path__):
        if re.fullmatch(r"ex\d\d", info.name):
            try:
                yield info.name[2:], importlib.import_module(f"{__package__}.{info.name}")
            except ImportError:
                yield info.name[2:], None
