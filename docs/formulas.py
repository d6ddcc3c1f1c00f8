"""Formulas that are set while the site is built, so that a page needs no script for them.

MathJax runs in Node.js, once for a build, and is asked formula by formula. A page then loads a
style sheet and fonts, a quarter of what MathJax itself would be, and no formula is a stop of the
Tab key. For those who listen, each brings its MathML.
"""

from __future__ import annotations

import atexit
import functools
import json
import subprocess
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from gather import FORMULAS_CSS, MATHJAX

PROGRAM = Path(__file__).with_suffix(".cjs")


@functools.cache
def _mathjax() -> subprocess.Popen:
    process = subprocess.Popen(
        ["node", str(PROGRAM), str(MATHJAX)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    atexit.register(process.kill)
    return process


@functools.cache
def as_html(tex: str, display: bool) -> str:
    """Return a formula as HTML.

    Parameters
    ----------
    tex : str
        The formula in TeX.
    display : bool
        Whether it stands on a line of its own.

    Raises
    ------
    ExtensionError
        If it is not TeX, or MathJax has ended.
    """
    process = _mathjax()
    print(json.dumps([tex, display]), file=process.stdin, flush=True)
    answer = process.stdout.readline()
    made = json.loads(answer) if answer else "MathJax has ended"
    if not answer or "<mjx-merror" in made:
        raise ExtensionError(f"the formula {tex!r} cannot be set: {made}")
    return made


def _inline(writer: Any, node: nodes.math) -> None:
    made = as_html(node.astext(), False)
    writer.body.append(f'<span class="math notranslate nohighlight">{made}</span>')
    raise nodes.SkipNode


def _block(writer: Any, node: nodes.math_block) -> None:
    tex = node.astext()
    if r"\\" in tex and not node.get("nowrap"):
        tex = rf"\begin{{split}}{tex}\end{{split}}"
    writer.body.append(writer.starttag(node, "div", CLASS="math notranslate nohighlight"))
    writer.body.append(f"{as_html(tex, True)}</div>")
    raise nodes.SkipNode


def _add_style(app: Sphinx, _page: str, _template: str, _context: dict, doctree: Any) -> None:
    """Let a page with formulas load their style sheet, and no other page."""
    if doctree and any(
        isinstance(node, (nodes.math, nodes.math_block)) for node in doctree.findall()
    ):
        app.add_css_file(FORMULAS_CSS)


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx who sets formulas."""
    app.add_html_math_renderer("built", (_inline, None), (_block, None))
    app.connect("html-page-context", _add_style)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
