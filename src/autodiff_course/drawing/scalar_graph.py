"""The graph of a Scalar as a picture: values in the nodes, local derivatives on the edges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from autodiff_course.graph import Edge, Path, Scalar, Step, topological_order

from .pictures import Picture
from .rendering import (
    EDGE_STYLE,
    GRAPH_STYLE,
    HIGHLIGHTED_EDGE,
    HIGHLIGHTED_NODE,
    INPUT_STYLE,
    MOST_NODES,
    NODE_STYLE,
    OUTPUT_STYLE,
    dot_label,
    one_line,
    picture_of,
    table,
    with_room,
)

__all__ = ["draw", "label_nodes"]

# Operands in the order in which they are read: the first one on top.
ORDERED_STYLE = GRAPH_STYLE | {"ordering": "in"}
# What an explorer needs beyond `GRAPH_STYLE` and `NODE_STYLE`.
ROOM = {"graph_attr": {"nodesep": "0.5"}, "node_attr": {"width": "0.95"}}


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
        What a sweep has filled in so far. A node that it has not reached shows a question mark; a
        text in the place of a number ("1, later 19") stands as it is.
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
    return _picture(output, highlight, values, tangents, adjoints, alt, {})


def draw_with_room(output, *, values=None, tangents=None, adjoints=None, alt=None) -> Picture:
    """Draw as `draw` does, with room for numbers that are longer and for lines that are added."""
    return _picture(output, (), values, tangents, adjoints, alt, ROOM)


def table_rows(output, **columns) -> list[list[str]]:
    """Return the rows of the table of a graph, its heading first; columns as for `draw`."""
    nodes = topological_order(output)
    columns = {"values": {node: node.value for node in nodes}} | columns
    columns = {name.removesuffix("s"): filled for name, filled in columns.items()}
    return _scalar_rows(nodes, label_nodes(nodes), columns)


def _picture(output, highlight, values, tangents, adjoints, alt, room):
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
    text = table(_scalar_rows(nodes, labels, columns)) + (f"\n{in_words}" if in_words else "")
    alt = alt or f"{_scalar_alt(nodes, outputs, labels, columns)} {in_words}".strip()
    picture = picture_of(
        lambda: _scalar_dot(nodes, outputs, labels, columns, marked, room), alt, text
    )
    return replace(picture, graph=output)


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
    return {node: one_line(node.name) if node.name else next(fresh) for node in nodes}


def _scalar_dot(nodes, outputs, labels, columns, marked, room):
    import graphviz

    dot = graphviz.Digraph(
        graph_attr=ORDERED_STYLE | room.get("graph_attr", {}),
        node_attr=NODE_STYLE | room.get("node_attr", {}),
        edge_attr=EDGE_STYLE,
    )
    identity = {node: f"n{i}" for i, node in enumerate(nodes)}
    for node in nodes:
        heading = f"{labels[node]} = {formula(node, labels)}" if node.parents else labels[node]
        lines = [heading, *_column_lines(node, columns)]
        style = {} if node.parents else dict(INPUT_STYLE)
        style |= OUTPUT_STYLE if node in outputs else {}
        style |= HIGHLIGHTED_NODE if node in marked else {}
        dot.node(
            identity[node], dot_label(lines), id=identity[node], **with_room(lines[0]), **style
        )
    for number, edge in enumerate(chain.from_iterable(map(_edges_into, nodes))):
        style = HIGHLIGHTED_EDGE if edge in marked else {}
        # The spaces keep the label off the line that it belongs to.
        label = dot_label([f" {_derivative(edge, labels, columns['value'])} "])
        ends = identity[edge.parent], identity[edge.child]
        dot.edge(*ends, label=label, id=f"e{number}", **style)
    return dot.source


def _edges_into(node):
    return [Edge(parent, node, position) for position, parent in enumerate(node.parents)]


def _column_lines(node, columns):
    # The value stands alone, as in a formula; a tangent or an adjoint says what it is.
    words = {name: "" if name == "value" else f"{name} " for name in columns}
    return [words[name] + number_text(filled.get(node)) for name, filled in columns.items()]


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


def formula(node, labels):
    operands = [
        labels[operand] if isinstance(operand, Scalar) else number_text(operand)
        for operand in node.operands
    ]
    if len(operands) == 2:
        return f"{operands[0]} {node.operation} {operands[1]}"
    return f"-{operands[0]}" if node.operation == "neg" else f"{node.operation}({operands[0]})"


def _derivative(edge, labels, values):
    # A local derivative is worked out with the value, so it is not known before.
    slope = edge.local_derivative if edge.child in values else None
    return f"∂{labels[edge.child]}/∂{labels[edge.parent]} = {number_text(slope)}"


def number_text(value):
    # z: the derivative of the cosine at 0 is shown as 0, not as -0.
    if isinstance(value, str):
        return one_line(value)
    return "?" if value is None else f"{float(value):z.4g}"


def _scalar_rows(nodes, labels, columns):
    rows = [["node", "made by", *columns, "local derivatives"]]
    for node in nodes:
        made_by = formula(node, labels) if node.parents else "input"
        filled = [number_text(column.get(node)) for column in columns.values()]
        edges = _edges_into(node)
        derivatives = ", ".join(_derivative(edge, labels, columns["value"]) for edge in edges)
        rows.append([labels[node], made_by, *filled, derivatives])
    return rows


def _scalar_alt(nodes, outputs, labels, columns):
    names = ", ".join(labels[node] for node in outputs)
    if len(nodes) > 12:
        return f"Computational graph of {names}: {len(nodes)} nodes, too many to read out."
    parts = []
    for node in nodes:
        made_by = f" = {formula(node, labels)}" if node.parents else ""
        parts.append(f"{labels[node]}{made_by} = {', '.join(_column_lines(node, columns))}")
    edges = chain.from_iterable(map(_edges_into, nodes))
    derivatives = ", ".join(_derivative(edge, labels, columns["value"]) for edge in edges)
    graph = f"Computational graph of {names}. Nodes: {'; '.join(parts)}."
    return f"{graph} Local derivatives on the edges: {derivatives}." if derivatives else graph
