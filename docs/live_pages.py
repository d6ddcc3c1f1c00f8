"""The pages of the site that compute: their scripts, and the exercises that one of them offers."""

from __future__ import annotations

import ast
import html
import importlib
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from autodiff_course.exercises import framework
from autodiff_course.exercises.drills import Drill, drills_in
from autodiff_course.exercises.framework import Exercise, exercises_in
from course_site import task_lines

# What a page loads that the others do not; in this order.
SCRIPTS = {
    "walk": (
        "jsep.js",
        "viz.js",
        "explorer.js",
        "walk_formula.js",
        "walk_picture.js",
        "walk.js",
    ),
    "live": ("live.js",),
}
STYLES = {"walk": ("walk.css",), "live": ("live.css",)}


class LiveExercises(SphinxDirective):
    """The exercises of a module, each with its task and the stub that live.js makes an editor of.

    An exercise that needs a library which the Python in the page has not is named, and left out.
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return a section for each exercise."""
        module = importlib.import_module(f"autodiff_course.exercises.{self.arguments[0]}")
        for source in (module.__file__, framework.__file__, __file__):
            self.env.note_dependency(source)  # where one changes, the page is made again
        found, elsewhere = [], []
        for exercise in exercises_in(module):
            (elsewhere if exercise._needs else found).append(exercise)
        made = self._left_out(elsewhere) if elsewhere else []
        made += [self._section(exercise) for exercise in found]
        made += [self._drills(drills)] if (drills := drills_in(module)) else []
        return made

    def _left_out(self, exercises: list[Exercise]) -> list[nodes.Node]:
        names = ", ".join(f"``{exercise.name}``" for exercise in exercises)
        needed = ", ".join(dict.fromkeys(name for one in exercises for name in one._needs))
        return self.parse_text_to_nodes(f"In the notebook only, for want of {needed}: {names}.")

    def _section(self, exercise: Exercise) -> nodes.section:
        name = f"{self.arguments[0]}.{exercise.name}"
        anchor = name.replace(".", "-").replace("_", "-")
        title = exercise.name.replace("_", " ").capitalize()
        section = nodes.section("", nodes.title("", title), ids=[anchor], names=[name])
        section += self.parse_text_to_nodes("\n".join(task_lines(exercise, self.config)))
        section += _editor(name, "exercise", starting_point(exercise))
        return section

    def _drills(self, drills: list[Drill]) -> nodes.section:
        anchor = f"{self.arguments[0]}-drills"
        section = nodes.section("", nodes.title("", "Drills"), ids=[anchor], names=[anchor])
        how = "Run puts a problem. Write your answer between the parentheses, and run it again."
        section += nodes.paragraph("", how)
        for drill in drills:
            section += _editor(f"{self.arguments[0]}.{drill.name}", "drill", f"{drill.name}()")
        return section


def _editor(name: str, kind: str, code: str) -> nodes.raw:
    inside = f"<pre>{html.escape(code)}</pre>"
    opened = f'<div class="live" data-name="{name}" data-kind="{kind}">'
    return nodes.raw("", f"{opened}{inside}</div>", format="html")


def starting_point(exercise: Exercise) -> str:
    """Return what the editor holds at first: what the answer may use, and the stub.

    The task stands above the editor, so the stub comes without it.
    """
    lines = exercise.stub.splitlines()
    if exercise.asks_for_function:
        first = ast.parse(exercise.stub).body[0].body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value.value, str):
            del lines[first.lineno - 1 : first.end_lineno]
    else:
        lines = [line for line in lines if not line.startswith("#")]
    uses = getattr(exercise, "uses", "")
    return "\n".join([uses, "", *lines] if uses else lines)


def add_own_files(app: Sphinx, pagename: str, _template: str, context: dict, _tree: Any) -> None:
    """Let a page that computes load its scripts and styles, and no other page."""
    for script in SCRIPTS.get(pagename, ()):
        app.add_js_file(script, loading_method="defer")
    for style in STYLES.get(pagename, ()):
        app.add_css_file(style)


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx of the directive and of the pages."""
    app.add_directive("live-exercises", LiveExercises)
    app.connect("html-page-context", add_own_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
