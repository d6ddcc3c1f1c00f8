"""What an exercise shows in a notebook: the result of a check, a hint, a solution.

Each is an object that a notebook displays richly and a terminal prints as text, so that nothing has
to be printed and a test can look inside.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

__all__ = ["CheckResult", "Hint", "Solution"]

# Symbol, words, accent. The accents are from the Okabe-Ito palette; they only repeat what the
# symbol and the words say.
_LOOKS = {
    "right": ("✓", "Right", "#009E73"),
    "wrong": ("✗", "Not right yet", "#D55E00"),
    "not attempted": ("…", "Not attempted yet", "#56B4E9"),
    "not checked": ("!", "Not checked", "#E69F00"),
}
_HINT_LOOK = ("?", "#CC79A7")


class _Rich:
    """Something that a notebook shows as one of several formats, whichever it prefers."""

    def _formats(self):
        raise NotImplementedError

    def _repr_mimebundle_(self, include=None, exclude=None):
        return self._formats()

    def __repr__(self):
        return self._formats()["text/plain"]


@dataclass(frozen=True, repr=False)
class CheckResult(_Rich):
    """What `Exercise.check` found. It is true if the answer is right, and false otherwise.

    Attributes
    ----------
    status : str
        ``"right"``, ``"wrong"``, ``"not attempted"`` or ``"not checked"`` (the check was
        interrupted, or a library it needs is missing).
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

    def __bool__(self) -> bool:
        return self.status == "right"

    def _formats(self):
        symbol, words, accent = _LOOKS[self.status]
        width = max((len(label) for label, _ in self.rows), default=0)
        lines = [f"{symbol} {words}. {self.message}"]
        lines += [f"    {label:{width}}  {value}" for label, value in self.rows]
        return {
            "text/plain": "\n".join(lines),
            "text/html": _card(accent, symbol, f"{words}.", self.message, self.rows),
        }


@dataclass(frozen=True, repr=False)
class Hint(_Rich):
    """One of the hints of an exercise.

    Examples
    --------
    >>> Hint("Multiply first.", number=1, of=2)
    ? Hint 1 of 2: Multiply first.
    """

    text: str
    number: int
    of: int

    def _formats(self):
        symbol, accent = _HINT_LOOK
        title = f"Hint {self.number} of {self.of}:"
        return {
            "text/plain": f"{symbol} {title} {self.text}",
            "text/html": _card(accent, symbol, title, self.text),
        }


@dataclass(frozen=True, repr=False)
class Solution(_Rich):
    """The source of a solution and, where the exercise asks for a value, that value.

    Examples
    --------
    >>> Solution("x = 6 * 7", value="42")
    x = 6 * 7
    <BLANKLINE>
    # The value is 42
    """

    source: str
    value: str = ""

    def _formats(self):
        text = f"{self.source}\n\n# The value is {self.value}" if self.value else self.source
        # Markdown rather than HTML: Jupyter, VS Code, Colab and nbconvert all highlight a fenced
        # block in the colours of the reader's own theme, with no highlighter of ours. No HTML
        # beside it, because a front end that gets both shows the HTML.
        return {"text/plain": text, "text/markdown": f"```python\n{text}\n```"}


def _card(accent, symbol, title, text, rows=()):
    # Text keeps the colour that the page gives it, so the card reads on light and on dark.
    return (
        f'<div style="border-left: 4px solid {accent}; padding: 0.2em 0.8em; margin: 0.3em 0;">'
        f'<div><span aria-hidden="true">{symbol}</span> <strong>{html.escape(title)}</strong> '
        f"{_inline(text)}</div>{_table(rows)}</div>"
    )


def _table(rows):
    if not rows:
        return ""
    cell = 'style="text-align: left; vertical-align: top; padding: 0.1em 0.8em 0.1em 0;"'
    lines = "".join(
        f'<tr><th scope="row" {cell}>{html.escape(label)}</th>'
        f'<td {cell}><code style="white-space: pre-wrap;">{html.escape(value)}</code></td></tr>'
        for label, value in rows
    )
    # A page without a doctype would give a table its own colour and size.
    style = "color: inherit; font-size: inherit; margin: 0.3em 0 0 0;"
    return f'<table style="{style}">{lines}</table>'


def _inline(text):
    """Escape text; set what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text)).replace("\n", "<br>")
