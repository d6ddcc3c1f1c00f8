"""A question with choices, which a reader answers before the next output is in sight.

`ask` makes a card that works without a kernel and without a request: in JupyterLab, on a page that
nbconvert or Sphinx makes, on a slide. What a page shows without scripts, on GitHub for example, is
in the card from the start; ``card.js`` turns it into buttons, and ``card.css`` sets it.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from autodiff_course.exercises.formulas import formula_as_html, formula_as_text

__all__ = ["Question", "ask"]

CHOICES = range(2, 5)
# `code` or $formula$; a backslash makes a plain dollar sign.
_PARTS = re.compile(r"`(?P<code>[^`]+)`|(?<!\\)\$(?P<formula>[^$]+)(?<!\\)\$")


@dataclass(frozen=True, repr=False)
class Question:
    """A question card; a notebook shows it as the last expression of a cell.

    Attributes
    ----------
    question : str
        The question, with inline `code` and $formulas$.
    choices : dict of str to str
        Each choice with its explanation, in the order in which they are shown.
    answer : str
        The right choice.
    folds : bool
        Whether the outputs of the next code cell stay folded until the reader has chosen.
    """

    question: str
    choices: Mapping[str, str]
    answer: str
    folds: bool = True

    def __repr__(self) -> str:
        lines = [_as_text(self.question)]
        lines += [f"  {letter}) {_as_text(choice)}" for letter, choice in self._lettered()]
        lines.append("Answer:")
        for letter, choice in self._lettered():
            verdict = "right" if choice == self.answer else "no"
            lines.append(f"  {letter}) {verdict}: {_as_text(self.choices[choice])}")
        return "\n".join(lines)

    def _lettered(self):
        return zip("ABCD", self.choices, strict=False)

    @property
    def _identity(self) -> str:
        text = "\0".join([self.question, *self.choices])
        return "question-" + hashlib.sha256(text.encode()).hexdigest()[:10]

    @property
    def html(self) -> str:
        """The card as HTML, complete in itself."""
        choices = explanations = ""
        for letter, choice in self._lettered():
            right = choice == self.answer
            mark = f'<span class="adq-letter">{letter})</span> '
            choices += f'<p class="adq-choice">{mark}<span>{_as_html(choice)}</span></p>'
            verdict = "<b>✓ Right.</b>" if right else "<b>✗ No.</b>"
            explanations += (
                f'<p data-right="{int(right)}">{mark}{verdict} {_as_html(self.choices[choice])}</p>'
            )
        return (
            f'<div class="adq" id="{self._identity}" data-folds="{int(self.folds)}">'
            f"<style>{_resource('card.css')}</style>"
            f'<p class="adq-question">{_as_html(self.question)}</p>'
            f'{choices}<details class="adq-answer"><summary>Answer</summary>'
            f"{explanations}</details>"
            f"<script>{_resource('card.js')}</script></div>"
        )

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": repr(self), "text/html": self.html}


def ask(question: str, choices: Mapping[str, str], answer: str, *, folds: bool = True) -> Question:
    r"""Ask the reader a question before the next cell answers it.

    Parameters
    ----------
    question : str
        The question. `code` between backticks and $formulas$ between dollar signs are set as such;
        ``\$`` is a dollar sign.
    choices : mapping of str to str
        Two to four choices in the order in which they are shown, each with its explanation: why it
        is wrong, or why it is right.
    answer : str
        The right choice, spelled as in `choices`.
    folds : bool, optional
        Whether the outputs of the next code cell stay folded until the reader has chosen. They are
        open wherever scripts do not run. The browser remembers a choice until the reader wants to
        choose again, in a deck of slides only as long as its tab is open.

    Returns
    -------
    Question
        Shows itself as the last expression of a cell, and asks nothing of the kernel after that.

    Raises
    ------
    TypeError
        If `choices` is not a mapping, or one of the texts is not a text.
    ValueError
        If a text is empty, there are fewer than two or more than four choices, `answer` is not
        among them, or a formula uses a command that cannot be set.

    Examples
    --------
    >>> ask(
    ...     "What is the derivative of $x^2$ at $x = 3$?",
    ...     {"6": "The derivative is $2x$.", "9": "That is the value, not the derivative."},
    ...     answer="6",
    ... )
    What is the derivative of x² at x = 3?
      A) 6
      B) 9
    Answer:
      A) right: The derivative is 2x.
      B) no: That is the value, not the derivative.
    """
    _require_text("question", question)
    if not isinstance(choices, Mapping):
        raise TypeError(
            f"choices must be a dict of choice to explanation, got {type(choices).__name__}"
        )
    if len(choices) not in CHOICES:
        raise ValueError(f"choices must be two to four, got {len(choices)}")
    for choice, explanation in choices.items():
        _require_text("a choice", choice)
        _require_text(f"the explanation of the choice {choice!r}", explanation)
    if answer not in choices:
        raise ValueError(f"answer must be one of the choices {list(choices)}, got {answer!r}")
    card = Question(question, dict(choices), answer, bool(folds))
    for text in (question, *choices, *choices.values()):
        _require_formulas(text)
    return card


def _require_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, got {type(value).__name__}")
    if not value.strip():
        raise ValueError(f"{name} must not be empty")


def _require_formulas(text: str) -> None:
    """Raise an error for a formula that could not be set when the card is shown."""
    _as_html(text)
    if re.search(r"(?<!\\)\$", _PARTS.sub("", text)):
        raise ValueError(
            rf"a dollar sign without its partner in {text!r}; for a plain one write \$"
        )


@cache
def _resource(name: str) -> str:
    """Return the script or the style of the cards."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8").strip()


def _as_html(text: str) -> str:
    """Return a text with its `code` and $formulas$ as HTML."""

    def plain(part: str) -> str:
        return html.escape(part.replace(r"\$", "$")).replace("$", "&#36;").replace("\n", "<br>")

    return _joined(text, plain, lambda c: f"<code>{html.escape(c)}</code>", formula_as_html)


def _as_text(text: str) -> str:
    """Return a text with its formulas in plain characters."""
    return _joined(text, lambda part: part.replace(r"\$", "$"), str, formula_as_text)


def _joined(text, plain, code, formula) -> str:
    result, end = "", 0
    for match in _PARTS.finditer(text):
        result += plain(text[end : match.start()])
        result += code(match["code"]) if match["code"] else formula(match["formula"])
        end = match.end()
    return result + plain(text[end:])
