"""The small graphs and sweeps on which the answers to the exercises of notebook 01 are tried."""

from __future__ import annotations

import math

__all__ = [
    "Node",
    "Slope",
    "add_along",
    "breadth_first",
    "complaint_about_order",
    "counted",
    "depth_first",
    "e_graph",
    "forgets_the_seed",
    "hurries",
    "last_met_first",
    "overwrites",
    "random_graph",
    "single",
    "sums",
    "tower",
    "tripled",
    "unequal_ways",
    "walks_forward",
    "z_graph",
]


class Node:
    """A value, and an edge (operand, local derivative) back to each number it was made from.

    The `Node` of the notebook with its two first operations. A name makes two nodes of two copies
    of one graph equal, so that an answer can be compared with the solution.

    Parameters
    ----------
    value : float
        The number itself.
    edges : sequence of (Node, float), optional
        None for an input.
    name : str, optional
        For the messages of a check.

    Examples
    --------
    >>> x = Node(3.0, name="x")
    >>> y = x * x + 1.0
    >>> y.value, y.edges
    (10.0, [(Node(9.0), 1.0)])
    """

    def __init__(self, value: float, edges=(), name: str = "") -> None:
        self.value, self.edges, self.name = value, edges, name

    def __add__(self, other: Node | float) -> Node:
        """Add a node or a constant, which gets no edge."""
        if isinstance(other, Node):
            return Node(self.value + other.value, [(self, 1.0), (other, 1.0)])
        return Node(self.value + other, [(self, 1.0)])

    def __mul__(self, other: Node | float) -> Node:
        """Multiply by a node or a constant, which gets no edge."""
        if isinstance(other, Node):
            return Node(self.value * other.value, [(self, other.value), (other, self.value)])
        return Node(self.value * other, [(self, other)])

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Node) and self.name != "" and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name) if self.name else id(self)

    def __repr__(self) -> str:
        return self.name or f"Node({self.value!r})"


class Slope(float):
    """A local derivative whose products a check can count, as calls of its two methods.

    Examples
    --------
    >>> 2.0 * Slope(3.0), Slope(3.0) * 2.0
    (6.0, 6.0)
    """

    def __mul__(self, other: float) -> float:
        """Multiply as a float does."""
        return float(self).__mul__(other)

    def __rmul__(self, other: float) -> float:
        """Multiply as a float does."""
        return float(self).__rmul__(other)


# --- Graphs, each as a list of its nodes with operands first and the output last ------------------


def single(name: str = "x") -> list[Node]:
    """Make a graph of one node."""
    return [Node(3.0, name=name)]


def _named(*nodes_and_names):
    for node, name in nodes_and_names:
        node.name = name
    return [node for node, _ in nodes_and_names]


def e_graph() -> list[Node]:
    """Make e = (a + b)(b + 1) at a = 2, b = 1.

    Examples
    --------
    >>> [node.value for node in e_graph()]
    [2.0, 1.0, 3.0, 2.0, 6.0]
    """
    a, b = Node(2.0), Node(1.0)
    c, d = a + b, b + 1.0
    return _named((a, "a"), (b, "b"), (c, "c"), (d, "d"), (c * d, "e"))


def z_graph(hasty: bool = True) -> list[Node]:
    """Make y = x·x, w = y·y and z = y + w (with `hasty`) or w + y, at x = 3.

    Examples
    --------
    >>> [node.value for node in z_graph()]
    [3.0, 9.0, 81.0, 90.0]
    """
    x = Node(3.0)
    y = x * x
    w = y * y
    return _named((x, "x"), (y, "y"), (w, "w"), (y + w if hasty else w + y, "z"))


def unequal_ways(short_first: bool = True) -> list[Node]:
    """Make v = x·x, p = v·2, q = p + 1 and z = v + q (with `short_first`) or q + v, at x = 3.

    Examples
    --------
    >>> [node.value for node in unequal_ways()]
    [3.0, 9.0, 18.0, 19.0, 28.0]
    """
    x = Node(3.0)
    v = x * x
    p = v * 2.0
    q = p + 1.0
    return _named((x, "x"), (v, "v"), (p, "p"), (q, "q"), (v + q if short_first else q + v, "z"))


def tower(layers: int) -> list[Node]:
    """Make the tower: in each layer y becomes sin(y) + cos(y).

    Examples
    --------
    >>> len(tower(60))
    181
    """
    nodes = single()
    for layer in range(1, layers + 1):
        y = nodes[-1]
        sine = Node(math.sin(y.value), [(y, math.cos(y.value))], f"sin{layer}")
        cosine = Node(math.cos(y.value), [(y, -math.sin(y.value))], f"cos{layer}")
        total = sine + cosine
        total.name = f"y{layer}"
        nodes += [sine, cosine, total]
    return nodes


def tripled(stages: int) -> list[Node]:
    """Make a chain with three edges in each stage.

    Examples
    --------
    >>> [len(node.edges) for node in tripled(2)]
    [0, 3, 3]
    """
    nodes = single()
    for stage in range(1, stages + 1):
        edges = [(nodes[-1], slope) for slope in (0.5, 0.25, 0.125)]
        nodes.append(Node(1.0, edges, f"t{stage}"))
    return nodes


def counted(nodes: list[Node]) -> list[Node]:
    """Make the local derivatives of a graph such that their products can be counted.

    Examples
    --------
    >>> type(counted(e_graph())[-1].edges[0][1]).__name__
    'Slope'
    """
    for node in nodes:
        node.edges = [(operand, Slope(slope)) for operand, slope in node.edges]
    return nodes


def random_graph(random, size: int = 8) -> list[Node]:
    """Make a graph in which every node but the output is used, some of them often."""
    nodes = [Node(random.uniform(-2.0, 2.0), name="v0")]
    for i in range(1, size):
        operands = [nodes[-1], random.choice(nodes)]
        random.shuffle(operands)
        edges = [(operand, random.choice([-2.0, -1.0, 0.5, 1.0, 3.0])) for operand in operands]
        nodes.append(Node(random.uniform(-2.0, 2.0), edges, f"v{i}"))
    return nodes


def complaint_about_order(nodes: object, wanted: list[Node]) -> str:
    """Say why a list is no order of the wanted nodes with operands first; "" if it is one.

    Examples
    --------
    >>> x, y, w, z = z_graph()
    >>> complaint_about_order([x, w, y, z], [x, y, w, z])
    'w stands before its operand y.'
    """
    if not isinstance(nodes, (list, tuple)) or not all(hasattr(one, "edges") for one in nodes):
        return "Expected a list of nodes."
    seen = set()
    for node in nodes:
        if node in seen:
            return f"{node!r} stands in the list twice."
        for operand, _ in node.edges:
            if operand not in seen:
                where = "stands before its operand" if operand in nodes else "misses its operand"
                return f"{node!r} {where} {operand!r}."
        seen.add(node)
    missing = [node for node in wanted if node not in seen]
    if missing:
        return f"{missing[0]!r} is missing."
    return "" if len(seen) == len(wanted) else "There are nodes that the output does not need."


# --- Sweeps, right in another style or with one fault ---------------------------------------------


def _seeded(order):
    return dict.fromkeys(order, 0.0) | {order[-1]: 1.0}


def _send(node, adjoint):
    for operand, slope in node.edges:
        adjoint[operand] += adjoint[node] * slope


def sums(order: list[Node]) -> dict[Node, float]:
    """Sweep rightly, by collecting the contributions to each node."""
    arrived = {node: [] for node in order}
    arrived[order[-1]].append(1.0)
    for node in order[::-1]:
        for operand, slope in node.edges:
            arrived[operand].append(sum(arrived[node]) * slope)
    return {node: sum(parts) for node, parts in arrived.items()}


def overwrites(order: list[Node]) -> dict[Node, float]:
    """Sweep with ``=`` for ``+=``."""
    adjoint = _seeded(order)
    for node in reversed(order):
        for operand, slope in node.edges:
            adjoint[operand] = adjoint[node] * slope
    return adjoint


def forgets_the_seed(order: list[Node]) -> dict[Node, float]:
    """Sweep without the 1 at the output."""
    adjoint = dict.fromkeys(order, 0.0)
    for node in reversed(order):
        _send(node, adjoint)
    return adjoint


def hurries(order: list[Node]) -> dict[Node, float]:
    """Sweep so that of the nodes at which something has arrived the first in the list sends."""
    adjoint, waiting, sent = _seeded(order), {order[-1]}, set()
    while waiting:
        node = min(waiting, key=order.index)
        _send(node, adjoint)
        sent.add(node)
        waiting = (waiting | {operand for operand, _ in node.edges}) - sent
    return adjoint


def depth_first(order: list[Node], turn=list) -> dict[Node, float]:
    """Sweep so that each node sends once, and then its operands do, one after the other.

    ``turn=reversed`` takes the edges of each node from the last.
    """
    adjoint, met = _seeded(order), set()

    def visit(node):
        met.add(node)
        _send(node, adjoint)
        for operand, _ in turn(node.edges):
            if operand not in met:
                visit(operand)

    visit(order[-1])
    return adjoint


def breadth_first(order: list[Node], turn=list) -> dict[Node, float]:
    """Sweep so that the nodes send once, in the order in which they are met."""
    return _as_met(order, turn, first=0)


def last_met_first(order: list[Node], turn=list) -> dict[Node, float]:
    """Sweep with a stack: the node that was met last sends next, each of them once."""
    return _as_met(order, turn, first=-1)


def _as_met(order, turn, first):
    adjoint, met, sent = _seeded(order), [order[-1]], set()
    while met:
        node = met.pop(first)
        if node not in sent:
            sent.add(node)
            _send(node, adjoint)
            met += [operand for operand, _ in turn(node.edges)]
    return adjoint


def walks_forward(order: list[Node]) -> dict[Node, float]:
    """Sweep from the inputs to the output, where nothing has arrived yet."""
    adjoint = _seeded(order)
    for node in order:
        _send(node, adjoint)
    return adjoint


def add_along(order: list[Node], contribution) -> dict[Node, float]:
    """Sweep with another contribution of an edge than adjoint times local derivative."""
    adjoint = _seeded(order)
    for node in reversed(order):
        for operand, slope in node.edges:
            adjoint[operand] += contribution(adjoint[node], slope)
    return adjoint
