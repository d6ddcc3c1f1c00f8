"""The graph that PyTorch recorded behind a tensor, as a picture."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from .pictures import Picture
from .rendering import (
    EDGE_STYLE,
    GRAPH_STYLE,
    INPUT_STYLE,
    MOST_NODES,
    NODE_STYLE,
    OUTPUT_STYLE,
    PALE_GREEN,
    dot_label,
    one_line,
    picture_of,
    table,
    with_room,
)

if TYPE_CHECKING:
    import torch

__all__ = ["draw_autograd"]


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
        Leaf tensors in blue with square corners, functions of the backward pass in white, the
        output with a double border. Arrows run as the backward pass does, from the output to each
        ``AccumulateGrad``, where it ends. A dashed line without an arrow leads to a tensor that a
        function holds: the leaf whose ``.grad`` it adds to, or one that it has saved.

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
    step  node              sends to  holds
    0     output, shape ()  1
    1     MulBackward0      2
    2     AccumulateGrad              3
    3     leaf a, shape ()
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
    return picture_of(lambda: _autograd_dot(nodes, edges), alt, text)


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
    """Return {number: (kind, [name, shape])} and the edges (sender, receiver, is sent).

    Edges run as the backward pass does. Over an edge on which nothing is sent the first node, a
    function, holds the second, a tensor.
    """
    # torchviz gets plain keys: a name like w[0] would not survive its DOT source.
    plain = {f"t{i}": name for i, name in enumerate(names)}
    body = _torchviz(output, {key: names[name] for key, name in plain.items()}).body
    kinds, labels = {}, {}
    precedence = list(AUTOGRAD_KINDS)
    for address, label, fill in (m.groups() for m in map(NODE_LINE.match, body) if m):
        if address not in kinds or precedence.index(fill) < precedence.index(kinds[address]):
            key, *shape = label.split("\n ")
            kinds[address], labels[address] = fill, [one_line(plain.get(key, key)), *shape]
    arrows = [match.groups() for match in map(EDGE_LINE.match, body) if match]
    number = {address: i for i, address in enumerate(_output_first(kinds, arrows))}
    nodes = {i: (AUTOGRAD_KINDS[kinds[address]], labels[address]) for address, i in number.items()}
    edges = []
    for ends in (arrow[:2] for arrow in arrows):
        # torchviz draws the computation, whose arrows arrive where the backward pass begins.
        first, second = (number[end] for end in reversed(ends))
        is_sent = nodes[first][0] in ("", "output") and nodes[second][0] == ""
        edges.append((first, second, is_sent))
    return nodes, sorted(edges)


def _output_first(nodes, arrows):
    sorter = TopologicalSorter({node: [] for node in nodes})
    for source, target, rest in arrows:
        if "dir=none" not in rest:  # a saved tensor hangs on the function that holds it
            sorter.add(target, source)
    return reversed(list(sorter.static_order()))


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
    rows = [["step", "node", "sends to", "holds"]]
    for node, (kind, lines) in nodes.items():
        receivers, held = (
            ", ".join(str(end) for start, end, is_sent in edges if start == node and is_sent is way)
            for way in (True, False)
        )
        rows.append([str(node), _autograd_label(kind, lines), receivers, held])
    return table(rows)


def _autograd_alt(nodes, edges):
    labels = [_autograd_label(kind, lines) for kind, lines in nodes.values()]
    return (
        f"PyTorch's graph with {len(nodes)} nodes and {len(edges)} edges. "
        f"As the backward pass runs: {'; '.join(labels)}."
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
        style = with_room(label[0]) | styles.get(kind, {})
        dot.node(f"n{node}", dot_label(label), **style)
    for start, end, is_sent in edges:
        # Drawn from right to left, so that the leaves stand on the left as in all other pictures.
        arrow = {"dir": "back"} if is_sent else {"dir": "none", "style": "dashed"}
        dot.edge(f"n{end}", f"n{start}", **arrow)
    return dot.source
