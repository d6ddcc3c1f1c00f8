"""What an exercise shows in a notebook: a task, the result of a check, a hint, a solution, a table.

Each is an object that a notebook displays richly and a terminal prints as text, so that nothing has
to be printed and a test can look inside.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, replace

__all__ = ["Card", "CheckResult", "Hint", "Solution", "Table", "Task"]

# Symbol, words, accent. The accents are from the Okabe-Ito palette; they only repeat what the
# symbol and the words say.
_LOOKS = {
    "right": ("✓", "Right.", "#009E73"),
    "wrong": ("✗", "Not right yet.", "#D55E00"),
    "other way": ("≈", "The values are right, the way is another.", "#E69F00"),
    "not attempted": ("…", "Not attempted yet.", "#56B4E9"),
    "not checked": ("!", "Not checked.", "#E69F00"),
}
_HINT = ("?", "#CC79A7")
_TASK = ("▸", "#0072B2")


class _Rich:
    """Something that a notebook shows as one of several formats, whichever it prefers."""

    def _formats(self):
        raise NotImplementedError

    def _repr_mimebundle_(self, include=None, exclude=None):
        return self._formats()

    def __repr__(self):
        return self._formats()["text/plain"]


@dataclass(frozen=True, repr=False)
class Task(_Rich):
    """What an exercise asks for.

    Examples
    --------
    >>> Task("square(x)", "Return x squared.", "import math")
    ▸ square(x): Return x squared.
    You may use: import math
    """

    form: str
    docstring: str
    uses: str = ""

    @property
    def text(self) -> str:
        """The docstring without its examples."""
        return re.split(r"\n+Examples\n-+\n", self.docstring)[0].strip()

    @property
    def examples(self) -> str:
        """The examples of the docstring."""
        return (re.split(r"\n+Examples\n-+\n", self.docstring) + [""])[1].strip()

    def _formats(self):
        symbol, accent = _TASK
        uses = f"You may use: {self.uses}" if self.uses else ""
        parts = (f"{symbol} {self.form}: {self.text}", self.examples, uses)
        return {
            "text/plain": "\n".join(part for part in parts if part),
            "text/html": _card(accent, symbol, f"{self.form}:", "", inside=self.as_html()),
        }

    def as_html(self) -> str:
        """Return the text, the examples and the imports as HTML."""
        paragraphs = "".join(
            f'<p style="margin: 0.3em 0;">{_inline(part)}</p>' for part in self.text.split("\n\n")
        )
        uses = f"# You may use:\n{self.uses}" if self.uses else ""
        blocks = (self.examples, uses)
        return paragraphs + "".join(
            f'<pre style="margin: 0.3em 0;">{html.escape(part)}</pre>' for part in blocks if part
        )


@dataclass(frozen=True, repr=False)
class CheckResult(_Rich):
    """What `Exercise.check` found. It is true if the answer is right, and false otherwise.

    Attributes
    ----------
    status : str
        ``"right"``, ``"wrong"``, ``"other way"`` (the values are right, but they were not got as
        the exercise asks), ``"not attempted"`` or ``"not checked"`` (the check was interrupted, or
        a library it needs is missing).
    message : str
        What to tell the reader.
    input : str
        The first input on which the answer is wrong, as text; empty where there is none.
    yours, expected : object
        What the answer gave for that input and what it should have given; None where there is
        nothing to show.
    index : tuple or None
        Where in these two the first difference is; None where they differ as a whole.
    rows : tuple of (str, str)
        The table under the message: a label and a value per row.
    mistake : str
        The message of the mistake that was recognised, if one was.
    task : Task or None
        The task, for an exercise that was not attempted.

    Examples
    --------
    >>> CheckResult("right", "2 inputs tried.")
    ✓ Right. 2 inputs tried.
    """

    status: str
    message: str
    input: str = ""
    yours: object = None
    expected: object = None
    index: tuple | None = None
    rows: tuple = ()
    mistake: str = ""
    task: Task | None = None

    def __bool__(self) -> bool:
        return self.status == "right"

    def with_rows(self, *rows: tuple[str, str]) -> CheckResult:
        """Return the same result with more rows in its table."""
        return replace(self, rows=(*self.rows, *rows))

    def _formats(self):
        symbol, words, accent = _LOOKS[self.status]
        width = max((len(label) for label, _ in self.rows), default=0)
        lines = [f"{symbol} {words} {self.message}"]
        lines += [f"    {label:{width}}  {value}" for label, value in self.rows]
        inside = _rows(self.rows)
        if self.task:
            lines.append(repr(self.task))
            inside += self.task.as_html()
        return {
            "text/plain": "\n".join(lines),
            "text/html": _card(accent, symbol, words, self.message, inside),
        }


@dataclass(frozen=True, repr=False)
class Card(_Rich):
    """A few words with a symbol and a title before them.

    Examples
    --------
    >>> Card("?", "#CC79A7", "Problem:", "What is `2 * 3`?")
    ? Problem: What is `2 * 3`?
    """

    symbol: str
    accent: str
    title: str
    text: str

    def _formats(self):
        return {
            "text/plain": f"{self.symbol} {self.title} {self.text}",
            "text/html": _card(self.accent, self.symbol, self.title, self.text),
        }


class Hint(Card):
    """One of the hints of an exercise.

    Examples
    --------
    >>> Hint("Multiply first.", number=1, of=2)
    ? Hint 1 of 2: Multiply first.
    """

    def __init__(self, text: str, number: int, of: int) -> None:
        symbol, accent = _HINT
        super().__init__(symbol, accent, f"Hint {number} of {of}:", text)


@dataclass(frozen=True, repr=False)
class Solution(_Rich):
    """The source of a solution, its imports and, where the exercise asks for a value, that value.

    Examples
    --------
    >>> Solution("x = 6 * 7", value="42")
    x = 6 * 7
    <BLANKLINE>
    # The value is 42
    """

    source: str
    value: str = ""
    uses: str = ""

    def _formats(self):
        value = f"# The value is {self.value}" if self.value else ""
        text = "\n\n".join(part for part in (self.uses, self.source, value) if part)
        # Markdown rather than HTML: Jupyter, VS Code, Colab and nbconvert all highlight a fenced
        # block in the colours of the reader's own theme, with no highlighter of ours. No HTML
        # beside it, because a front end that gets both shows the HTML.
        return {"text/plain": text, "text/markdown": f"```python\n{text}\n```"}


@dataclass(frozen=True, repr=False)
class Table(_Rich):
    """A table with a line of text under it.

    Examples
    --------
    >>> Table(("Exercise", "State"), (("sweep", "✓ right"),), "1 of 1 done.")
    Exercise  State
    sweep     ✓ right
    1 of 1 done.
    """

    head: tuple
    rows: tuple
    text: str = ""

    def _formats(self):
        lines = [self.head, *self.rows]
        widths = [max(len(line[n]) for line in lines) for n in range(len(self.head))]
        plain = [
            "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        return {
            "text/plain": "\n".join([*plain, self.text] if self.text else plain),
            "text/html": self.as_html(),
        }

    def as_html(self) -> str:
        """Return the table as HTML."""
        head = "".join(f'<th scope="col" {_CELL}>{html.escape(cell)}</th>' for cell in self.head)
        rows = "".join(
            f'<tr><th scope="row" {_CELL}>{html.escape(first)}</th>'
            + "".join(f"<td {_CELL}>{_inline(cell)}</td>" for cell in others)
            + "</tr>"
            for first, *others in self.rows
        )
        text = f"<p>{_inline(self.text)}</p>" if self.text else ""
        return f'<table style="{_TABLE}"><tr>{head}</tr>{rows}</table>{text}'


_CELL = 'style="text-align: left; vertical-align: top; padding: 0.1em 0.8em 0.1em 0;"'
# A page without a doctype would give a table its own colour and size.
_TABLE = "color: inherit; font-size: inherit; margin: 0.3em 0 0 0;"


def _card(accent, symbol, title, text, inside=""):
    # Text keeps the colour that the page gives it, so the card reads on light and on dark.
    return (
        f'<div style="border-left: 4px solid {accent}; padding: 0.2em 0.8em; margin: 0.3em 0;">'
        f'<div><span aria-hidden="true">{symbol}</span> <strong>{html.escape(title)}</strong> '
        f"{_inline(text)}</div>{inside}</div>"
    )


def _rows(rows):
    if not rows:
        return ""
    lines = "".join(
        f'<tr><th scope="row" {_CELL}>{html.escape(label)}</th><td {_CELL}>'
        + (
            _inline(value)
            if label == "Try next"
            else f'<code style="white-space: pre-wrap;">{html.escape(value)}</code>'
        )
        + "</td></tr>"
        for label, value in rows
    )
    return f'<table style="{_TABLE}">{lines}</table>'


def _inline(text):
    """Escape text; set what stands between one or two backticks as code."""
    return re.sub(r"(`{1,2})([^`]+)\1", r"<code>\2</code>", html.escape(text)).replace("\n", "<br>")
