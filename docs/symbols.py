"""Symbols for the search, which by itself knows words only.

What stands in Sphinx's index is also compared with a search as it was typed.
"""

from __future__ import annotations

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform

# What a reader may search for and no word of the glossary is: the entry that explains it.
SYMBOLS = {
    "∂": "local derivative",
    "∂e/∂b": "local derivative",
    "∂f/∂x": "local derivative",
    "d/dx": "local derivative",
    "∇": "gradient",
    "∇f": "gradient",
    "∇²": "Hessian",
    "H": "Hessian",
    "Hv": "Hessian-vector product",
    "J": "Jacobian",
    "Jv": "JVP",
    "uᵀJ": "VJP",
    "vᵀJ": "VJP",
    "ε": "machine epsilon",
    "ε²": "dual number",
    "ẋ": "tangent",
    "x̄": "adjoint",
    "λ": "multiplier",
    "κ": "condition number",
    "σ": "singular value",
    "A⁻¹": "pseudo-inverse",
    "A⁺": "pseudo-inverse",
    "H⁻¹": "Newton's method",
    "h": "step size",
}


class IndexSymbols(SphinxTransform):
    """Put the symbols into the index, each with the glossary's section that explains it."""

    default_priority = 800  # before Sphinx collects the entries of its index

    def apply(self) -> None:
        """Do so, if the document is the glossary."""
        if self.env.docname != "glossary":
            return
        sections = {
            part[0].astext().replace("’", "'"): part
            for part in self.document.findall(nodes.section)
        }
        for symbol, title in SYMBOLS.items():
            if title not in sections:
                raise ExtensionError(f"{symbol} is to lead to {title!r}, which no glossary has")
            entry = ("single", symbol, sections[title]["ids"][0], "main", None)
            sections[title].insert(1, addnodes.index(entries=[entry]))


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx of the symbols."""
    app.add_transform(IndexSymbols)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
