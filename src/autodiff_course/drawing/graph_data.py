"""A Scalar graph and a sweep over it as plain data, the form in which the explorer reads them.

The same graph in JSON (``explorer_numbers.js`` describes it for those who write it in a page)::

    {"nodes": [{"label": "a", "value": 2.0},
               {"label": "b", "value": 1.0},
               {"label": "c", "operation": "+", "operands": [0, 1]},
               {"label": "d", "operation": "+", "operands": [1, [1.0, "1"]]},
               {"label": "e", "operation": "*", "operands": [2, 3]}],
     "outputs": [4]}

Nodes stand in topological order and are known by their place in it; a constant is its value and
its repr. An edge is known by its place among all edges, node by node and operand by operand. A step
of a sweep is ``[node, seed]`` or ``[edge]``; what is sent and what arrives follows from the graph.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from autodiff_course.graph import Edge, Scalar, Step, topological_order

from .scalar_graph import label_nodes

__all__ = ["edges_of", "graph_data", "steps_data"]


def graph_data(output: Scalar | Sequence[Scalar]) -> dict:
    """Describe a graph by numbers, texts and lists.

    Parameters
    ----------
    output : Scalar or sequence of Scalar
        The output, or several.

    Returns
    -------
    dict
        Fit for ``json.dumps``; what is infinite or not a number is the text ``"inf"``, ``"-inf"``
        or ``"nan"``.

    Examples
    --------
    >>> b = Scalar(1.0, name="b")
    >>> graph_data((b + 1).named("d"))["nodes"]
    [{'label': 'b', 'value': 1.0}, {'label': 'd', 'operation': '+', 'operands': [0, [1.0, '1']]}]
    """
    nodes = topological_order(output)
    outputs = [output] if isinstance(output, Scalar) else output
    number = {node: i for i, node in enumerate(nodes)}
    labels = label_nodes(nodes)
    return {
        "nodes": [_node_data(node, labels[node], number) for node in nodes],
        "outputs": [number[node] for node in outputs],
    }


def _node_data(node, label, number):
    if not node.parents:
        return {"label": label, "value": json_number(node.value)}
    operands = [
        number[operand] if isinstance(operand, Scalar) else [json_number(operand), repr(operand)]
        for operand in node.operands
    ]
    return {"label": label, "operation": node.operation, "operands": operands}


def json_number(value: float) -> float | str:
    """Return a number in a form that JSON has.

    Examples
    --------
    >>> json_number(2), json_number(-math.inf)
    (2.0, '-inf')
    """
    value = float(value)
    return value if math.isfinite(value) else str(value)


def edges_of(nodes: Iterable[Scalar]) -> list[Edge]:
    """List the edges into `nodes`, node by node and operand by operand.

    Examples
    --------
    >>> x = Scalar(3.0)
    >>> [edge.position for edge in edges_of(topological_order(x * x))]
    [0, 1]
    """
    return [
        Edge(parent, node, position)
        for node in nodes
        for position, parent in enumerate(node.parents)
    ]


def steps_data(output: Scalar | Sequence[Scalar], steps: Iterable[Step]) -> list[list]:
    """Describe the steps of a sweep over the graph of `output`.

    Raises
    ------
    ValueError
        If a step is at a node or along an edge that the graph does not have.

    Examples
    --------
    >>> from autodiff_course.graph import reverse_sweep
    >>> x = Scalar(3.0)
    >>> y = x * x
    >>> steps_data(y, reverse_sweep(y))
    [[1, 1.0], [0], [1]]
    """
    nodes = topological_order(output)
    number = {node: i for i, node in enumerate(nodes)}
    edge_number = {edge: i for i, edge in enumerate(edges_of(nodes))}
    data = []
    for step in steps:
        if step.node not in number or not (step.edge is None or step.edge in edge_number):
            raise ValueError(f"{step!r} is a step of another graph than that of output")
        seed = [number[step.node], json_number(step.sent)]
        data.append(seed if step.edge is None else [edge_number[step.edge]])
    return data
