r"""Small formulas as HTML and as plain text, without MathJax.

A formula in a question is a line of text: ``\partial e / \partial b``, ``x^2``, ``h\cdot10^{-3}``.
Set as HTML it is the same everywhere, also where no script runs and where no MathJax is in reach.
"""

from __future__ import annotations

import html
import re
import unicodedata

__all__ = ["formula_as_html", "formula_as_text"]

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
_UPRIGHT = {"text", "mathrm", "operatorname", "mathbb", "mathtt"}
_BOLD = {"mathbf", "boldsymbol"}
# A mark that stands above the letter before it.
_ACCENTS = {"bar": "\u0304", "dot": "\u0307", "hat": "\u0302", "tilde": "\u0303", "vec": "\u20d7"}
_OPERATORS = {"=": " = ", "<": " < ", ">": " > ", "+": " + ", "-": " − ", "*": "∗", "'": "′"}
_TOKEN = re.compile(r"\\(?:[A-Za-z]+|.)|\d+(?:\.\d+)?|\s+|.")
_RAISED = dict(zip("0123456789+−()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ", strict=True)) | {"⊤": "ᵀ", "′": "′"}
_LOWERED = dict(zip("0123456789+−()aeijkmnx", "₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₐₑᵢⱼₖₘₙₓ", strict=True))


def formula_as_html(source: str) -> str:
    r"""Return a formula as HTML: letters in italics, exponents raised, indices lowered.

    Parameters
    ----------
    source : str
        The formula in the part of TeX that fits into a line of text, without dollar signs.

    Returns
    -------
    str
        HTML without scripts or classes.

    Raises
    ------
    ValueError
        If the formula uses a command that is not known here, or its braces do not match.

    Examples
    --------
    >>> formula_as_html(r"x^2 \cdot 10^{-3}")
    '<i>x</i><sup>2</sup>·10<sup>−3</sup>'
    """
    return _Reader(source, as_html=True).read()


def formula_as_text(source: str) -> str:
    r"""Return a formula in plain characters, for a terminal.

    Parameters, errors: as for `formula_as_html`.

    Examples
    --------
    >>> formula_as_text(r"\frac{\partial e}{\partial b} = x^2 \cdot 10^{-3}")
    '∂e/∂b = x²·10⁻³'
    """
    return _Reader(source, as_html=False).read()


class _Reader:
    """Reads a formula from left to right, a piece at a time."""

    def __init__(self, source: str, as_html: bool):
        self.source, self.as_html = source, as_html
        self.tokens = _TOKEN.findall(source)[::-1]

    def read(self) -> str:
        text = self._sequence(stop=None)
        text = re.sub(" {2,}", " ", text).strip()
        # A sign at the beginning, after a bracket or after another sign belongs to what follows.
        text = re.sub(r"(^|[(\[{|,=<>→×·]\s*|<su[bp]>)\s*([−+±]) ", r"\1\2", text)
        return text

    def _sequence(self, stop: str | None) -> str:
        result = ""
        while self.tokens:
            if self.tokens[-1] == stop:
                self.tokens.pop()
                return result
            result += self._piece()
        if stop is not None:
            raise self._fault("a closing brace is missing")
        return result

    def _argument(self) -> str:
        while self.tokens and self.tokens[-1].isspace():
            self.tokens.pop()
        if not self.tokens:
            raise self._fault("something is missing at its end")
        return self._piece()

    def _piece(self) -> str:
        token = self.tokens.pop()
        if token.isspace():
            return ""
        if token == "{":
            return self._sequence(stop="}")
        if token == "}":
            raise self._fault("a brace is closed that was never opened")
        if token in "^_":
            return self._script(token, self._argument().strip())
        if token.startswith("\\"):
            return self._command(token[1:])
        if token.isalpha():
            return self._tag("i", token)
        return self._escaped(_OPERATORS.get(token, token))

    def _command(self, name: str) -> str:
        if name == "frac":
            above, below = self._argument().strip(), self._argument().strip()
            return f"{_bracketed(above)}/{_bracketed(below)}"
        if name == "sqrt":
            return f"√{_bracketed(self._argument().strip())}"
        if name in _ACCENTS:
            return re.sub(r"(\w)(?=\W*$|</i>$)", rf"\1{_ACCENTS[name]}", self._argument(), count=1)
        if name in _UPRIGHT:
            return self._words()
        if name in _BOLD:
            return self._tag("b", self._words())
        if name in _FUNCTIONS:
            return f" {name} " if self.tokens and self.tokens[-1] not in "({^_" else f" {name}"
        if name in _SYMBOLS:
            return self._escaped(_SYMBOLS[name])
        if letter := _greek(name):
            return self._tag("i", letter)
        raise self._fault(f"\\{name} is not known; write it with characters, or in the text around")

    def _words(self) -> str:
        """Return the argument of a command as it is written, upright and with its spaces."""
        if not self.tokens or self.tokens.pop() != "{":
            raise self._fault("a command for upright text needs its text in braces")
        words = ""
        while self.tokens and self.tokens[-1] != "}":
            words += self.tokens.pop().removeprefix("\\")
        if not self.tokens:
            raise self._fault("a closing brace is missing")
        self.tokens.pop()
        return self._escaped(words)

    def _script(self, token: str, content: str) -> str:
        content = re.sub(r"\s+", "", content)
        if self.as_html:
            tag = "sup" if token == "^" else "sub"
            return f"<{tag}>{content}</{tag}>"
        characters = _RAISED if token == "^" else _LOWERED
        if all(character in characters for character in content):
            return "".join(characters[character] for character in content)
        return f"{token}{content}" if len(content) == 1 else f"{token}({content})"

    def _tag(self, tag: str, content: str) -> str:
        return f"<{tag}>{content}</{tag}>" if self.as_html else content

    def _escaped(self, text: str) -> str:
        return html.escape(text) if self.as_html else text

    def _fault(self, what: str) -> ValueError:
        return ValueError(f"the formula ${self.source}$ cannot be set: {what}")


def _greek(name: str) -> str:
    """Return the Greek letter of a name, empty where there is none."""
    case = "CAPITAL" if name[0].isupper() else "SMALL"
    spelled = name.removeprefix("var").upper().replace("LAMBDA", "LAMDA")
    try:
        return unicodedata.lookup(f"GREEK {case} LETTER {spelled}")
    except KeyError:
        return ""


def _bracketed(part: str) -> str:
    """Return a part in brackets where it would be misread without."""
    plain = re.sub("<[^>]*>", "", html.unescape(part)).strip()
    return f"({part})" if re.search(r"[ /·]", plain) else part
