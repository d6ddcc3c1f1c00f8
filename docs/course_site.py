"""What the course's site does beyond Sphinx and its theme."""

from __future__ import annotations

import importlib
import inspect
import re
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.ext.napoleon import NumpyDocstring
from sphinx.util.docutils import SphinxDirective

from address import Repository, binder_url, colab_url, repository
from autodiff_course.exercises.drills import drills_in  # noqa: E402
from autodiff_course.exercises.framework import Exercise, exercises_in
from gather import CARD, EXTRA, ROOT, STATIC

_LONE_STAR = re.compile(r"(?<=[ (])\*(?=\w)(?!\w[^*]*\*)")
_LINK_BACK = re.compile(
    r'(?P<before><div class="viewcode-block" id="(?P<name>[^"]+)">\s*)'
    r'<a class="viewcode-back" href="[^"]*">\[docs\]</a>'
)
LONGEST_DESCRIPTION = 300  # characters; who shows descriptions cuts longer ones anyway


# --- Docstrings -----------------------------------------------------------------------------------


def escape_stars(app: Sphinx, *args: Any) -> None:
    """Escape a star that belongs to Python, as in ``(rows, *shape)``, not to markup.

    Docstrings are written to be read as they are, too.
    """
    lines = args[-1]
    lines[:] = [_LONE_STAR.sub(r"\\*", line) for line in lines]


def skip_fields(
    app: Sphinx, what: str, name: str, member: object, skip: bool, options: Any
) -> bool | None:
    """Leave out the fields of a named tuple, which its own docstring describes."""
    return True if type(member).__name__ == "_tuplegetter" else None


def task_lines(exercise: Exercise, config: Any) -> list[str]:
    """Return the task of an exercise as lines of reStructuredText."""
    # A bar is that of an absolute value.
    return [line.replace("|", r"\|") for line in NumpyDocstring(exercise.__doc__, config).lines()]


class Exercises(SphinxDirective):
    """Describe the exercises of a module, which autodoc takes for data without a text."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return a description of each exercise and of each drill."""
        module = importlib.import_module(self.arguments[0])
        text = [f".. py:currentmodule:: {module.__name__}", ""]
        for exercise in exercises_in(module):
            given = inspect.signature(exercise.reference)
            kind = (
                f"function:: {exercise.name}{given}"
                if given.parameters
                else "data:: " + exercise.name
            )
            text += [f".. py:{kind}", ""]
            text += [f"   {line}" for line in task_lines(exercise, self.config)] + [""]
        for drill in drills_in(module):
            text += [f".. py:function:: {drill.name}(answer=...)", "", f"   {drill.__doc__}", ""]
        described = self.parse_text_to_nodes("\n".join(text))
        for part in described:
            for signature in part.findall(addnodes.desc_signature):
                del signature["module"]  # or viewcode would lead straight to the solution
        return described


# --- The head of a page ---------------------------------------------------------------------------


def _plain_text(paragraph: nodes.paragraph) -> str:
    """Return the text of a paragraph; a formula without the marks that only TeX needs."""
    text = "".join(
        node.astext().translate({ord(mark): None for mark in "{}\\"})
        if isinstance(node.parent, nodes.math)
        else node.astext()
        for node in paragraph.findall(nodes.Text)
    )
    return " ".join(text.split())


def description(doctree: nodes.document | None, otherwise: str) -> str:
    """Return one or two sentences that say what a page is about: its first paragraph.

    A paragraph that is nothing but links says nothing.
    """
    for paragraph in doctree.findall(nodes.paragraph) if doctree else ():
        text = _plain_text(paragraph)
        if not text.startswith("Open in "):
            return text if len(text) <= LONGEST_DESCRIPTION else text[:LONGEST_DESCRIPTION] + "…"
    return otherwise


def _meta(kind: str, name: str, content: str) -> str:
    escaped = content.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return f'<meta {kind}="{name}" content="{escaped}" />\n'


def add_head(app: Sphinx, pagename: str, _template: str, context: dict, doctree: Any) -> None:
    """Say in the head of a page what it is about, for search engines and for shared links."""
    course = app.config.project
    title = nodes.unescape(context.get("title") or course)
    title = doctree.next_node(nodes.title).astext() if doctree else title
    about = description(doctree, f"{title}: {course}.")
    base = app.config.html_baseurl
    card = "The name of the course beside a soap film in a square wire frame, drawn in space."
    context["metatags"] = context.get("metatags", "") + "".join(
        [
            _meta("name", "description", about),
            _meta("property", "og:title", title),
            _meta("property", "og:description", about),
            _meta("property", "og:type", "website"),
            _meta("property", "og:site_name", course),
            _meta("property", "og:url", f"{base}{app.builder.get_target_uri(pagename)}"),
            _meta("property", "og:image", f"{base}_static/{CARD}"),
            _meta("property", "og:image:width", "1200"),
            _meta("property", "og:image:height", "630"),
            _meta("property", "og:image:alt", card),
            _meta("name", "twitter:card", "summary_large_image"),
        ]
    )


# --- Buttons --------------------------------------------------------------------------------------


# The groups of buttons that lead to the repository or to a copy of it elsewhere.
LEADS_OUT = {"launch-buttons", "source-buttons", "source-repository-button"}


def _notebook(pagename: str) -> str:
    """Return the file of the notebook that a page is a part of."""
    return re.sub(r"-\d+$", "", PurePosixPath(pagename).name) + ".ipynb"


def _correct(button: dict[str, Any], pagename: str, repo: Repository) -> None:
    """Make a button above a notebook lead to where the notebook lies, which is not in docs/."""
    name = _notebook(pagename)
    if button.get("text") == "Binder":
        button["url"] = binder_url(repo, name)
    elif button.get("text") == "Colab":
        button["url"] = colab_url(repo, name)
    elif "url" in button:
        place = PurePosixPath(button["url"])
        button["url"] = button["url"].replace(f"/docs/notebooks/{place.name}", f"/notebooks/{name}")


def correct_buttons(app: Sphinx, pagename: str, _template: str, context: dict, _tree: Any) -> None:
    """Correct the addresses of the buttons above a page; leave out those that lead nowhere."""
    repo = repository(ROOT)
    groups = context.get("header_buttons", [])
    if not repo.is_public:
        context["header_buttons"] = [g for g in groups if g.get("label") not in LEADS_OUT]
    elif pagename.startswith("notebooks/"):
        for group in groups:
            for button in group.get("buttons", []):
                _correct(button, pagename, repo)


def mend_source_page(app: Sphinx, pagename: str, _template: str, context: dict, _tree: Any) -> None:
    """Mend what viewcode makes of the pages of source code."""
    if pagename == "_modules/index":
        # It puts lists where only items of a list may stand.
        items = "".join(re.findall(r"<li>.*?</li>", context["body"], re.DOTALL))
        context["body"] = f"<h1>{context['title']}</h1>\n<ul>{items}</ul>"
    elif pagename.startswith("_modules/"):
        back = partial(_link_back, app, pagename)
        context["body"] = _LINK_BACK.sub(back, context["body"])


def mend_folds(app: Sphinx, pagename: str, _template: str, context: dict, _tree: Any) -> None:
    """Let the words of a folded cell be its name; myst-nb gives all of them another one."""
    body = context.get("body", "")
    context["body"] = body.replace('<summary aria-label="Toggle hidden content">', "<summary>")


def _link_back(app: Sphinx, pagename: str, match: re.Match) -> str:
    """Return the link from a piece of source code to where it is described, if it is.

    By itself, viewcode takes all of a module for described where one name of it is.
    """
    objects = app.env.domains["py"].objects
    module = pagename.removeprefix("_modules/").replace("/", ".")
    for owner in (module, module.rpartition(".")[0]):
        if entry := objects.get(f"{owner}.{match['name']}"):
            uri = app.builder.get_relative_uri(pagename, entry.docname)
            anchor = f"{uri}#{entry.node_id}"
            return f'{match["before"]}<a class="viewcode-back" href="{anchor}">[docs]</a>'
    return match["before"]


def add_static_files(app: Sphinx, config: Any) -> None:
    """Take what docs/gather.py has put beside the sources, MathJax and the slides among it."""
    config.html_static_path.append(str(app.srcdir / STATIC))
    config.html_extra_path.append(str(app.srcdir / EXTRA))


def drop_icons(app: Sphinx, error: Exception | None) -> None:
    """Empty the theme's 1.5 MB of icons as a script: its style sheet has them as a font, too."""
    script = app.outdir / "_static" / "scripts" / "fontawesome.js"
    if error is None and script.exists():
        script.write_text("", encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx when to call the functions of this module."""
    app.add_directive("exercises", Exercises)
    app.connect("config-inited", add_static_files)
    app.connect("autodoc-process-docstring", escape_stars, priority=100)  # before napoleon
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("html-page-context", add_head)
    app.connect("html-page-context", mend_source_page)
    app.connect("html-page-context", mend_folds)
    app.connect("html-page-context", correct_buttons, priority=900)  # after the theme
    app.connect("build-finished", drop_icons)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
