"""The pages that the site makes of a notebook.

A notebook is cut between its sections into pages of a few screens, for which the height of each
cell is estimated. What a reader of a page does not look at first is folded: set-up, the code of
pictures, long checks; and, below each exercise, its hints and its solution, which a notebook shows
when it is asked. The words "notebook 02" and "section 3" become links.
"""

from __future__ import annotations

import base64
import html
import importlib
import json
import math
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from docutils.nodes import make_id
from myst_parser.mdit_to_docutils.base import default_slugify

from autodiff_course.exercises.framework import Exercise
from links import Links, relinked

# Pixels, on a screen of 1280 by 800.
SCREEN = 800
DESIRED, LONGEST = 7.5 * SCREEN, 9.5 * SCREEN
LINE, CODE_LINE, LETTERS = 26, 20, 90

_HEADING = re.compile(r"^(#+) +(.+)$", re.MULTILINE)
_NUMBERED = re.compile(r"(\d+)\. +(.+)")
_CHECK = re.compile(r"^(ex\d\d)\.(\w+)\.check\(", re.MULTILINE)
_SVG = re.compile(r"data:image/svg\+xml;base64,([\w+/=]+)")
_DRAWING = re.compile(r"\b(axes|axis|figure|plt|panel)\b")


# --- Cells ----------------------------------------------------------------------------------------


def _source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def _tags(cell: dict[str, Any]) -> list[str]:
    return cell["metadata"].get("tags", [])


def _pictures(cell: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the notebook says of each PNG in a cell's outputs: its alt text and size."""
    return [
        output.get("metadata", {}).get("image/png", {})
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]


def is_hidden(cell: dict[str, Any]) -> bool:
    """Return whether JupyterLab does not show the source of a cell: that of a question card."""
    return bool(cell["metadata"].get("jupyter", {}).get("source_hidden"))


def fold(cell: dict[str, Any]) -> str | None:
    """Return the words under which a code cell's source is folded, or None where it is shown."""
    source = _source(cell)
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    if "setup" in _tags(cell):
        return "Set-up"
    if _CHECK.search(source) or "slide-code" in _tags(cell):
        return None
    if _pictures(cell) or 3 * sum(bool(_DRAWING.search(line)) for line in lines) > len(lines):
        return "The code of the picture"
    if "long" in _tags(cell):
        return "A longer piece of code"
    if 2 * sum(line.startswith("assert") for line in lines) > len(lines):
        return "A check in code"
    return None


def _text_height(text: str) -> float:
    lines = sum(max(1, math.ceil(len(line) / LETTERS)) for line in text.splitlines() if line)
    return LINE * lines + 18 * (text.count("\n\n") + 1) + 30 * len(_HEADING.findall(text))


def _output_height(output: dict[str, Any]) -> float:
    data = output.get("data", {})
    if "image/png" in data:
        return 30 + output.get("metadata", {}).get("image/png", {}).get("height", 320)
    markup = "".join(data.get("text/html", ""))
    if "adq" in markup:
        return 200 + 52 * markup.count('<p class="adq-choice"')
    if found := _SVG.search(markup):
        size = re.search(rb'<svg[^>]* height="([\d.]+)pt', base64.b64decode(found[1]))
        drawn = float(size[1]) * 4 / 3 if size else 200
        return drawn + (300 if "<script" in markup else 40)  # an explorer has a table and keys
    if markup:
        rows = len(re.findall(r"<(?:tr|p|pre|li)\b|\n", markup))
        return 40 + 24 * rows
    text = "".join(output.get("text", "")) or "".join(data.get("text/plain", ""))
    return 40 + CODE_LINE * (text.count("\n") + 1)


def height(cell: dict[str, Any]) -> float:
    """Return about how many pixels of a wide screen a cell takes on its page."""
    source = _source(cell)
    if cell["cell_type"] == "markdown":
        return _text_height(source)
    code = 50 if fold(cell) else 40 + CODE_LINE * (source.count("\n") + 1)
    shown = 0 if is_hidden(cell) else code
    folds = 130 if _CHECK.search(source) else 0
    return shown + folds + sum(map(_output_height, cell.get("outputs", [])))


# --- Hints and solutions --------------------------------------------------------------------------


def _details(title: str, inside: str) -> str:
    return f'<details class="fold"><summary>{title}</summary>\n\n{inside}\n\n</details>\n'


def _as_html(hint: str) -> str:
    return "<p>" + re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(hint)) + "</p>"


def exercise_of(cell: dict[str, Any]) -> Exercise | None:
    """Return the exercise that a cell checks, if it checks one."""
    found = _CHECK.search(_source(cell)) if cell["cell_type"] == "code" else None
    if not found:
        return None
    return getattr(importlib.import_module(f"autodiff_course.exercises.{found[1]}"), found[2])


def help_for(exercise: Exercise) -> str:
    """Return the hints and the solution of an exercise in Markdown, each in a fold.

    The exercise itself is asked for them, so that page and notebook say the same.
    """
    several = len(exercise.hints) > 1
    folds = [
        _details(f"Hint {number}" if several else "Hint", _as_html(hint))
        for number, hint in enumerate(exercise.hints, 1)
    ]
    folds.append(_details("Solution", f"```python\n{exercise.solution().source.rstrip()}\n```"))
    module = exercise.reference.__module__.rpartition(".")[2]
    if module in ("ex01", "ex02") and not exercise._needs:
        anchor = f"{module}-{exercise.name}".replace("_", "-")
        link = f'<a href="../live.html#{anchor}">Write and check it in the browser</a>'
        folds.insert(0, f"<p>{link}</p>\n")
    return "\n".join(folds)


# --- A notebook and its pages ---------------------------------------------------------------------


@dataclass(frozen=True)
class Heading:
    """A heading, in plain text, with the numbers of its cell, its level and its section."""

    text: str
    cell: int
    level: int
    number: str

    @property
    def slug(self) -> str:
        """The anchor that GitHub and MyST know."""
        return default_slugify(self.text)


class Book:
    """A notebook and how it is cut into pages.

    Parameters
    ----------
    path : Path
        The notebook.
    """

    def __init__(self, path: Path) -> None:
        self.stem = path.stem
        self.notebook = json.loads(path.read_text(encoding="utf-8"))
        self.cells = self.notebook["cells"]

    @cached_property
    def headings(self) -> list[Heading]:
        """All headings, in their order."""
        found, number = [], ""
        for index, cell in enumerate(self.cells):
            for marks, text in _HEADING.findall(_source(cell) if self._is_text(index) else ""):
                numbered = _NUMBERED.match(text) if len(marks) == 2 else None
                number = numbered[1] if numbered else number
                found.append(Heading(text.replace("`", ""), index, len(marks), number))
        return found

    def _is_text(self, index: int) -> bool:
        return self.cells[index]["cell_type"] == "markdown"

    def _price(self, index: int) -> float | None:
        """Return how badly a page begins with a cell, in squared screens; None: it cannot."""
        begun = [heading.level for heading in self.headings if heading.cell == index]
        text = self._is_text(index) and not self._is_text(index - 1)
        if begun and self._is_text(index):
            return {2: 0.0, 3: 2.0}.get(begun[0])
        return 8.0 if text and not is_hidden(self.cells[index - 1]) else None

    @cached_property
    def starts(self) -> list[int]:
        """The cells with which its pages begin: the cheapest way to cut it, found by sweeping."""
        tops = [0.0]
        for cell in self.cells:
            tops.append(tops[-1] + height(cell))
        prices = {0: 0.0} | {i: self._price(i) for i in range(1, len(self.cells))}
        places = [i for i, price in prices.items() if price is not None] + [len(self.cells)]
        best: dict[int, tuple[float, list[int]]] = {0: (0.0, [])}
        for end in places[1:]:
            ways = []
            for start in (place for place in places if place < end):
                tall = tops[end] - tops[start]
                # Nobody minds a page that is a little short; a page that is too long is one fault.
                weight = 50 if tall > LONGEST else 1
                cost = weight * ((tall - DESIRED) / SCREEN) ** 2 / 4 + prices[start]
                ways.append((best[start][0] + cost, [*best[start][1], start]))
            best[end] = min(ways)
        return best[len(self.cells)][1]

    @property
    def length(self) -> int:
        """The number of its pages."""
        return len(self.starts)

    def _page_of(self, cell: int) -> int:
        return sum(start <= cell for start in self.starts) - 1

    def file(self, page: int) -> str:
        """Return the name of a page; the first one has that of the notebook."""
        return f"{self.stem}-{page + 1}" if page else self.stem

    def place(self, heading: Heading) -> str:
        """Return the file of a heading's page, with the anchor."""
        return f"{self.file(self._page_of(heading.cell))}.ipynb#{heading.slug}"

    def section(self, number: str) -> str | None:
        """Return the place of the section with a number, if there is one."""
        for heading in self.headings:
            if heading.level == 2 and heading.number == number:
                return self.place(heading)
        return None

    def anchor(self, slug: str) -> str | None:
        """Return the place of the heading with an anchor, if there is one."""
        return next((self.place(one) for one in self.headings if one.slug == slug), None)

    def _opened(self, page: int) -> tuple[Heading, list[Heading]]:
        """Return the section within which a page begins, and those that begin on it."""
        start, end = [*self.starts, len(self.cells)][page : page + 2]
        sections = [heading for heading in self.headings if heading.level == 2]
        opened = [heading for heading in sections if heading.cell <= start][-1]
        return opened, [heading for heading in sections if start <= heading.cell < end]

    def title(self, page: int) -> str:
        """Return the title of a page: that of the notebook and, after the first, a number."""
        name = self.headings[0].text
        return f"{name}, page {page + 1} of {self.length}" if page else name

    def label(self, page: int) -> str:
        """Return what the list of pages beside a text says of a page after the first."""
        opened, begun = self._opened(page)
        if not begun:
            return f"{opened.text} (continued)"
        last = begun[-1].number
        numbers = last if last == opened.number else f"{opened.number}–{last}"
        return f"{numbers}. {begun[0].text.partition('. ')[2]}"

    def _markdown(self, name: str, text: str) -> dict[str, Any]:
        return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text}

    def _contents(self) -> str:
        """Return what stands below the title: the sections, and where else the lecture is."""
        sections = [
            f"{h.number}. [{h.text.partition('. ')[2]}]({self.place(h)})"
            for h in self.headings
            if h.level == 2 and _NUMBERED.match(h.text)
        ]
        moved = {
            anchor: f"{self.file(page)}.html#{make_id(h.text)}"
            for h in self.headings
            if (page := self._page_of(h.cell))
            for anchor in (h.slug, make_id(h.text))
        }
        pages = range(1, self.length)
        others = "\n".join(f"{self.label(page)} <{self.file(page)}>" for page in pages)
        slides = f'<a href="../slides/{self.stem}.html">slides</a>'
        notebook = f'<a href="{self.stem}.ipynb" download>notebook</a>'
        return "\n".join(
            [
                f'<p class="elsewhere">The same as {slides}, and as a {notebook} that runs.</p>\n',
                '<nav class="sections" aria-label="Sections">\n',
                *sections,
                "\n</nav>\n",
                f"```{{toctree}}\n:hidden:\n\n{others}\n```\n",
                # A link to a section from the time when a notebook was one page still leads there.
                f'<script type="application/json" id="moved">{json.dumps(moved)}</script>',
            ]
        )

    def _shown(self, index: int, links: Links, repository_url: str) -> list[dict[str, Any]]:
        """Return a cell as it stands on its page, with what the page adds below it."""
        cell = json.loads(json.dumps(self.cells[index]))
        source, made = _source(cell), [cell]
        if cell["cell_type"] == "markdown":
            page = f"notebooks/{self.stem}.ipynb"
            cell["source"] = relinked(links.put(source, page, self), page, repository_url)
            is_slide = cell["metadata"].get("slideshow", {}).get("slide_type") == "slide"
            if source.startswith("## ") and is_slide:
                title, _, rest = cell["source"].partition("\n")
                slide = f"../slides/{self.stem}.html#/{cell['id']}"
                to_slide = f'<p class="to-slide"><a href="{slide}">Slide</a></p>'
                cell["source"] = f"{title}\n\n{to_slide}\n{rest}"
        else:
            settings = cell["metadata"].setdefault("mystnb", {})
            for picture in _pictures(cell):
                if alt := picture.get("alt"):
                    settings["image"] = {"alt": alt}
            tags = cell["metadata"].setdefault("tags", [])
            if is_hidden(cell):
                tags.append("remove-input")
            elif words := fold(cell):
                tags.append("hide-input")
                settings["code_prompt_show"] = settings["code_prompt_hide"] = words
            if exercise := exercise_of(cell):
                made.append(self._markdown(f"{cell.get('id', index)}-help", help_for(exercise)))
        return made

    def pages(self, links: Links, repository_url: str) -> list[tuple[str, bytes]]:
        """Return the names of the pages, and each page as a notebook."""
        made = []
        for page, start in enumerate(self.starts):
            end = [*self.starts, len(self.cells)][page + 1]
            shown = (self._shown(index, links, repository_url) for index in range(start, end))
            cells = [cell for group in shown for cell in group]
            if page:
                before = f"# {self.title(page)}\n"
                opened, _ = self._opened(page)
                if opened.cell < start:
                    before += f"\n## {opened.text} (continued)\n"
                cells.insert(0, self._markdown("page-title", before))
            else:
                cells.insert(1, self._markdown("page-contents", self._contents()))
            text = json.dumps({**self.notebook, "cells": cells})
            made.append((f"{self.file(page)}.ipynb", text.encode()))
        return made
