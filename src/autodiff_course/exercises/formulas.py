r"""Small formulas as HTML and as plain text, without MathJax.

A formula in a question is a line of text: ``\partial e / \partial b``, ``x^2``, ``h\cdot10^{-3}``.
Set as HTML it is the same everywhere, also where no script runs and where no MathJax is in reach.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass

__all__ = ["formula_as_html", "formula_as_text"]

# TeX's names of characters; a relation or a binary operator brings its spaces.
_SYMBOLS = {
    "partial": "∂",
    "nabla": "∇",
    "infty": "∞",
    "sum": "∑",
    "prod": "∏",
    "times": " × ",
    "cdot": "·",
    "div": " ÷ ",
    "pm": " ± ",
    "circ": "∘",
    "odot": " ⊙ ",
    "le": " ≤ ",
    "leq": " ≤ ",
    "ge": " ≥ ",
    "geq": " ≥ ",
    "ne": " ≠ ",
    "neq": " ≠ ",
    "approx": " ≈ ",
    "equiv": " ≡ ",
    "propto": " ∝ ",
    "ll": " ≪ ",
    "gg": " ≫ ",
    "in": " ∈ ",
    "to": " → ",
    "rightarrow": " → ",
    "leftarrow": " ← ",
    "mapsto": " ↦ ",
    "Rightarrow": " ⇒ ",
    "dots": "…",
    "ldots": "…",
    "cdots": "⋯",
    "top": "⊤",
    "prime": "′",
    "mid": " | ",
    "lvert": "|",
    "rvert": "|",
    "lVert": "‖",
    "rVert": "‖",
    "|": "‖",
    "quad": "\u2003",
    ",": "\u2009",
    ";": "\u2005",
    " ": " ",
    "!": "",
    "{": "{",
    "}": "}",
    "%": "%",
    "_": "_",
    "$": "$",
    "&": "&",
    "left": "",
    "right": "",
}
_FUNCTIONS = {"sin", "cos", "tan", "tanh", "exp", "log", "ln", "max", "min", "det", "tr"}
# Text that is set as it stands, and the HTML tag for it.
_UPRIGHT = {
    "text": "",
    "mathrm": "",
    "operatorname": "",
    "mathbb": "",
    "mathbf": "b",
    "boldsymbol": "b",
    "mathtt": "code",
}
# A mark that stands above the letter before it.
_ACCENTS = {"bar": "\u0304", "dot": "\u0307", "hat": "\u0302", "tilde": "\u0303", "vec": "\u20d7"}
_OPERATORS = {
    "=": " = ",
    "<": " < ",
    ">": " > ",
    "+": " + ",
    "-": " − ",
    ",": ", ",
    "*": "∗",
    "'": "′",
}
_SIGNS = {" + ", " − ", " ± "}
_BLACKBOARD = {"R": "ℝ", "N": "ℕ", "Z": "ℤ", "C": "ℂ"}
_TOKEN = re.compile(r"\\(?:[A-Za-z]+|.)|\d+(?:\.\d+)?|\s+|.")
_RAISED = dict(zip("0123456789+−()ni⊤′", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱᵀ′", strict=True))
_LOWERED = dict(zip("0123456789+−()aeijkmnx", "₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₐₑᵢⱼₖₘₙₓ", strict=True))


@dataclass(frozen=True)
class _Piece:
    """Some characters of a formula, and how they are set: as an HTML tag is, or plainly."""

    content: str | tuple
    tag: str = ""

    def close(self) -> _Piece:
        """Return the piece without the spaces of an operator, as in an exponent."""
        is_text = isinstance(self.content, str)
        return _Piece(self.content.strip(), self.tag) if is_text else self

    def as_text(self) -> str:
        inner = self.content if isinstance(self.content, str) else _as_text(self.content)
        if self.tag not in ("sup", "sub"):
            return inner
        characters = _RAISED if self.tag == "sup" else _LOWERED
        if all(character in characters for character in inner):
            return "".join(characters[character] for character in inner)
        sign = "^" if self.tag == "sup" else "_"
        return f"{sign}{inner}" if len(inner) == 1 else f"{sign}({inner})"

    def as_html(self) -> str:
        text = isinstance(self.content, str)
        inner = html.escape(self.content) if text else _as_html(self.content)
        return f"<{self.tag}>{inner}</{self.tag}>" if self.tag else inner


def _as_text(pieces) -> str:
    return "".join(piece.as_text() for piece in pieces)


def _as_html(pieces) -> str:
    return "".join(piece.as_html() for piece in pieces)


def formula_as_html(source: str) -> str:
    r"""Return a formula as HTML: letters in italics, exponents raised, indices lowered.

    Parameters
    ----------
    source : str
        The formula in the part of TeX that fits into a line of text, without dollar signs.

    Returns
    -------
    str
        HTML that needs neither script nor style.

    Raises
    ------
    ValueError
        If the formula uses a command that is not known here, or its braces do not match.

    Examples
    --------
    >>> formula_as_html(r"x^2 \cdot 10^{-3}")
    '<i>x</i><sup>2</sup>·10<sup>−3</sup>'
    """
    return _as_html(_Reader(source).read()).strip()


def formula_as_text(source: str) -> str:
    r"""Return a formula in plain characters, for a terminal.

    Parameters
    ----------
    source : str
        As for `formula_as_html`.

    Returns
    -------
    str
        The formula in one line.

    Raises
    ------
    ValueError
        As `formula_as_html` does.

    Examples
    --------
    >>> formula_as_text(r"\frac{\partial e}{\partial b} = x^2 \cdot 10^{-3}")
    '∂e/∂b = x²·10⁻³'
    """
    return _as_text(_Reader(source).read()).strip()


class _Reader:
    """Reads the pieces of a formula from left to right."""

    def __init__(self, source: str):
        self.source = source
        self.tokens = _TOKEN.findall(source)[::-1]

    def read(self) -> tuple[_Piece, ...]:
        return self._sequence(stop=None)

    def _sequence(self, stop: str | None) -> tuple[_Piece, ...]:
        pieces: list[_Piece] = []
        while self.tokens:
            if self.tokens[-1] == stop:
                self.tokens.pop()
                return tuple(pieces)
            pieces += self._next(before=_as_text(pieces))
        if stop is not None:
            raise self._fault("a closing brace is missing")
        return tuple(pieces)

    def _next(self, before: str) -> tuple[_Piece, ...]:
        """Return the next piece, spaced as what stands before it asks for."""
        apart = self.tokens[-1] == "\\frac"
        pieces = self._pieces()
        begins = not before or before[-1] in " ([{|,·/"
        if begins and len(pieces) == 1 and pieces[0].content in _SIGNS:
            return (_Piece(pieces[0].content.strip()),)  # the sign of what follows
        return (_Piece(" "), *pieces) if apart and not begins else pieces

    def _argument(self) -> tuple[_Piece, ...]:
        """Return what a command or a script applies to: a group, or one character."""
        while self.tokens and self.tokens[-1].isspace():
            self.tokens.pop()
        if not self.tokens:
            raise self._fault("something is missing at its end")
        if len(self.tokens[-1]) > 1 and self.tokens[-1].isdigit():
            self.tokens += reversed(self.tokens.pop())
        return self._next(before="")

    def _pieces(self) -> tuple[_Piece, ...]:
        token = self.tokens.pop()
        if token.isspace():
            return ()
        if token == "{":
            return self._sequence(stop="}")
        if token == "}":
            raise self._fault("a brace is closed that was never opened")
        if token in "^_":
            script = tuple(piece.close() for piece in self._argument())
            return (_Piece(script, "sup" if token == "^" else "sub"),)
        if token.startswith("\\"):
            return self._command(token[1:])
        if token.isalpha():
            return (_Piece(token, "i"),)
        return (_Piece(_OPERATORS.get(token, token)),)

    def _command(self, name: str) -> tuple[_Piece, ...]:
        if name == "frac":
            above, below = self._argument(), self._argument()
            fraction = (*_bracketed(above), _Piece("/"), *_bracketed(below))
            return (*fraction, _Piece(" ")) if self._goes_on() else fraction
        if name == "sqrt":
            return (_Piece("√"), *_bracketed(self._argument()))
        if name in _ACCENTS:
            first, *rest = self._argument() or (_Piece(""),)
            return (_Piece(first.as_text() + _ACCENTS[name], first.tag), *rest)
        if name in _UPRIGHT:
            words = self._words()
            return (_Piece(_BLACKBOARD.get(words, words), _UPRIGHT[name]),)
        if name in _FUNCTIONS:
            return (_Piece(f"{name} " if self._goes_on() else name),)
        if name in _SYMBOLS:
            return (_Piece(_SYMBOLS[name]),)
        if letter := _greek(name):
            return (_Piece(letter, "i"),)
        raise self._fault(f"\\{name} is not known; write it with characters, or in the text around")

    def _goes_on(self) -> bool:
        """Return whether a letter, a number or a name stands next."""
        follows = next((token for token in self.tokens[::-1] if not token.isspace()), "")
        name = follows.removeprefix("\\")
        return name.isalnum() and _SYMBOLS.get(name, "∂") in "∂∑∏∞"

    def _words(self) -> str:
        """Return the argument of a command as it is written, spaces and all."""
        if not self.tokens or self.tokens.pop() != "{":
            raise self._fault("upright text stands in braces")
        words = ""
        while self.tokens and self.tokens[-1] != "}":
            words += self.tokens.pop().removeprefix("\\")
        if not self.tokens:
            raise self._fault("a closing brace is missing")
        self.tokens.pop()
        return words

    def _fault(self, what: str) -> ValueError:
        return ValueError(f"the formula ${self.source}$ cannot be set: {what}")


def _greek(name: str) -> str:
    """Return the Greek letter of a name, empty where there is none."""
    case = "CAPITAL" if name[:1].isupper() else "SMALL"
    spelled = name.removeprefix("var").upper().replace("LAMBDA", "LAMDA")
    try:
        return unicodedata.lookup(f"GREEK {case} LETTER {spelled}")
    except KeyError:
        return ""


def _bracketed(pieces: tuple[_Piece, ...]) -> tuple[_Piece, ...]:
    """Return a part of a fraction, in brackets where it would be misread without."""
    if re.search(r"[ /·]", _as_text(pieces).strip()):
        return (_Piece("("), *pieces, _Piece(")"))
    return pieces
