"""A number that remembers how it was made, and the two sweeps over what it remembers.

`Scalar` records a computation as a graph while Python runs it: how stands in ``_scalar.py``, its
local derivatives in ``_rules.py``. All in this file is a plain function over that graph: put its
nodes in order, carry derivatives forward or backward along its edges, list or count its paths. Only
the standard library is used.

An *edge* runs from an operand (the *parent*) to the result (the *child*) and carries the *local
derivative* of the result with respect to that operand. Constants are not nodes: the graph of
``b + 1`` has one edge, from ``b``. The sweeps are those of A. Griewank and A. Walther, "Evaluating
Derivatives", 2nd ed., SIAM, 2008, sections 3.1 and 3.2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from typing import NamedTuple

from autodiff_course import _rules
from autodiff_course._scalar import Scalar

__all__ = [
    "Edge",
    "OperationCounts",
    "Path",
    "Scalar",
    "Step",
    "count_operations",
    "count_paths",
    "forward_sweep",
    "gradient",
    "paths",
    "reverse_sweep",
    "topological_order",
]


class Edge(NamedTuple):
    """The edge over which `child` uses `parent` as its operand number `position`.

    The position tells the two edges of ``x * x`` apart. It counts parents, not constants.
    """

    parent: Scalar
    child: Scalar
    position: int

    @property
    def local_derivative(self) -> float:
        """The derivative of the child with respect to this operand alone."""
        return self.child.local_derivatives[self.position]


class Step(NamedTuple):
    """One step of a sweep: what arrives at a node, over which edge, and what the node then holds.

    Attributes
    ----------
    node : Scalar
        The node whose tangent (forward) or adjoint (reverse) changes.
    edge : Edge or None
        Where the contribution came along; None for a seed.
    sent : float
        The tangent or adjoint at the other end of the edge; for a seed, the seed.
    arrived : float
        ``sent`` times the local derivative of the edge.
    total : float
        What `node` holds after this step.
    """

    node: Scalar
    edge: Edge | None
    sent: float
    arrived: float
    total: float


class Path(NamedTuple):
    """A way along edges from `source` to a target; no edges when the two are the same node."""

    source: Scalar
    edges: tuple[Edge, ...]

    @property
    def nodes(self) -> tuple[Scalar, ...]:
        """The nodes on the path, source first."""
        return (self.source, *(edge.child for edge in self.edges))

    @property
    def product(self) -> float:
        """The product of the local derivatives along the path."""
        return math.prod((edge.local_derivative for edge in self.edges), start=1.0)


class OperationCounts(NamedTuple):
    """What evaluating a graph and sweeping over it costs, exactly.

    Attributes
    ----------
    operations : int
        Operations of the function itself (nodes that are not inputs).
    edges : int
        Edges, each visited once by either sweep.
    local_rules : int
        What the local derivatives cost beyond the function: 1 for ``sin`` (a cosine), 2 for ``cos``
        (a sine and its sign), 0 for ``+`` and ``*``, whose rules use what is there already.
    forward_multiplications, forward_additions : int
        Of one forward sweep. A tangent that is 0 is multiplied like any other.
    reverse_multiplications, reverse_additions : int
        Of one reverse sweep. The first contribution to a node is stored, the others are added.
    """

    operations: int
    edges: int
    local_rules: int
    forward_multiplications: int
    forward_additions: int
    reverse_multiplications: int
    reverse_additions: int


def topological_order(output: Scalar | Sequence[Scalar]) -> list[Scalar]:
    """List every node that `output` depends on, parents before children.

    Visits each edge once. Nothing recurses, so a chain of any length works.

    Parameters
    ----------
    output : Scalar or sequence of Scalar
        One output, or several of one graph; a TypeError otherwise.

    Returns
    -------
    list of Scalar
        Each node once, in an order that depends only on how the graph was built.

    Examples
    --------
    >>> a = Scalar(2.0, name="a")
    >>> [node.value for node in topological_order(a * a + 1)]
    [2.0, 4.0, 5.0]
    """
    stack = list(reversed(_as_scalars("output", output)))
    opened = set()
    order = []
    while stack:
        node = stack.pop()
        if node is None:  # every parent of the node below has been listed
            order.append(stack.pop())
        elif node not in opened:
            opened.add(node)
            if node.parents:
                stack += (node, None, *reversed(node.parents))
            else:
                order.append(node)
    return order


def forward_sweep(
    output: Scalar | Sequence[Scalar], wrt: Scalar | Mapping[Scalar, float]
) -> Iterator[Step]:
    """Carry the tangent of one input forward, edge by edge, to the output.

    One sweep costs one multiplication per edge (see `count_operations`) and gives the derivative of
    *every* node with respect to *one* direction.

    Parameters
    ----------
    output : Scalar or sequence of Scalar
        Where to stop: every node that these depend on is visited.
    wrt : Scalar or mapping of Scalar to float
        The input to differentiate with respect to (its tangent is seeded with 1), or a direction:
        the seeds of several inputs at once. A seeded intermediate node is treated as an input.

    Yields
    ------
    Step
        One for the seed of each input (0 for those not in `wrt`), then one per edge, in
        topological order. A node holds its tangent after its last step.

    Raises
    ------
    TypeError
        If `output` or `wrt` is not made of Scalars; at once, not at the first step.

    Examples
    --------
    >>> a, b = Scalar(2.0), Scalar(1.0)
    >>> e = (a + b) * (b + 1)
    >>> *_, last = forward_sweep(e, wrt=b)
    >>> last.node is e, last.total
    (True, 5.0)
    """
    order, seeds = topological_order(output), _as_seeds("wrt", wrt)
    return _forward_steps(order, seeds)


def _forward_steps(order, seeds):
    tangents = {}
    for node in order:
        if node in seeds or not node.parents:
            total = seeds.get(node, 0.0)
            yield Step(node, None, total, total, total)
        else:
            total = 0.0
            for position, parent in enumerate(node.parents):
                sent = tangents[parent]
                arrived = sent * node.local_derivatives[position]
                total += arrived
                yield Step(node, Edge(parent, node, position), sent, arrived, total)
        tangents[node] = total


def reverse_sweep(output: Scalar | Mapping[Scalar, float]) -> Iterator[Step]:
    """Carry the adjoint of the output backward, edge by edge, to every input.

    One sweep costs one multiplication per edge (see `count_operations`) and gives the derivative of
    *one* output with respect to *every* node.

    Parameters
    ----------
    output : Scalar or mapping of Scalar to float
        The node to differentiate (its adjoint is seeded with 1), or weights: the seeds of several
        outputs at once.

    Yields
    ------
    Step
        One per seed, then one per edge, against topological order. A node holds its adjoint once
        all edges out of it have been visited.

    Raises
    ------
    TypeError
        If `output` is not made of Scalars; at once, not at the first step.

    Examples
    --------
    >>> a, b = Scalar(2.0), Scalar(1.0)
    >>> adjoint = {step.node: step.total for step in reverse_sweep((a + b) * (b + 1))}
    >>> adjoint[a], adjoint[b]
    (2.0, 5.0)
    """
    seeds = _as_seeds("output", output)
    return _reverse_steps(topological_order(tuple(seeds)), seeds)


def _reverse_steps(order, seeds):
    adjoints = dict.fromkeys(order, 0.0)
    for node, seed in seeds.items():
        adjoints[node] = seed
        yield Step(node, None, seed, seed, seed)
    for node in reversed(order):
        sent = adjoints[node]
        for position, parent in enumerate(node.parents):
            arrived = sent * node.local_derivatives[position]
            adjoints[parent] += arrived
            yield Step(parent, Edge(parent, node, position), sent, arrived, adjoints[parent])


def gradient(output: Scalar, inputs: Scalar | Sequence[Scalar]) -> float | tuple[float, ...]:
    """Differentiate `output` with respect to each of `inputs` by one reverse sweep.

    Parameters
    ----------
    output : Scalar
        The node to differentiate.
    inputs : Scalar or sequence of Scalar
        The nodes to differentiate with respect to, however many; a TypeError for anything else.

    Returns
    -------
    float or tuple of float
        A float for a single Scalar, else one float per input, in order; 0 for an input on which
        `output` does not depend.

    Examples
    --------
    >>> x = Scalar(3.0)
    >>> gradient(x * x, x)
    6.0
    """
    _require_scalar("output", output)
    wanted = _as_scalars("inputs", inputs)
    # The sweep of reverse_sweep without a record of each step: a test holds the two together.
    order = topological_order(output)
    adjoints = dict.fromkeys(order, 0.0)
    adjoints[output] = 1.0
    for node in reversed(order):
        if node.parents:
            adjoint = adjoints[node]
            # Without strict=, which would cost a tenth of the sweep.
            for parent, local in zip(node.parents, node.local_derivatives):  # noqa: B905
                adjoints[parent] += adjoint * local
    derivatives = tuple(adjoints.get(node, 0.0) for node in wanted)
    return derivatives[0] if isinstance(inputs, Scalar) else derivatives


def count_paths(source: Scalar, target: Scalar) -> int:
    """Count the paths from `source` to `target` by one sweep, without listing them.

    Parameters
    ----------
    source, target : Scalar
        Where the paths start and end; a TypeError for anything else.

    Returns
    -------
    int
        Exact, however large; 1 when the two are the same node, 0 when `target` does not depend on
        `source`.

    Examples
    --------
    >>> x = Scalar(1.0)
    >>> y = x
    >>> for _ in range(60):
    ...     y = y + y
    >>> count_paths(x, y) == 2**60
    True
    """
    return _paths_to_each_node(source, target)[target]


def _paths_to_each_node(source, target):
    _require_scalar("source", source)
    _require_scalar("target", target)
    counts = {}
    for node in topological_order(target):
        counts[node] = 1 if node is source else sum(counts[parent] for parent in node.parents)
    return counts


def paths(source: Scalar, target: Scalar, limit: int = 1000) -> list[Path]:
    """List every path from `source` to `target`.

    The derivative of `target` with respect to `source` is the sum of the products along them. The
    cost is the total length of all paths, which can grow exponentially with the graph.

    Parameters
    ----------
    source, target : Scalar
        Where the paths start and end.
    limit : int, optional
        The largest number of paths to list.

    Returns
    -------
    list of Path
        In the order of the operands; one path without edges when the two are the same node.

    Raises
    ------
    TypeError
        If `source` or `target` is not a Scalar, or `limit` not an int.
    ValueError
        If there are more than `limit` paths. They are counted first, so the answer is immediate.

    Examples
    --------
    >>> a, b = Scalar(2.0), Scalar(1.0)
    >>> [path.product for path in paths(b, (a + b) * (b + 1))]
    [2.0, 3.0]
    """
    if not isinstance(limit, int):
        raise TypeError(f"limit must be an int, got {type(limit).__name__}")
    counts = _paths_to_each_node(source, target)
    if counts[target] > limit:
        raise ValueError(
            f"there are {counts[target]} paths and limit is {limit}: listing them all is what a "
            "sweep avoids. Use gradient(target, source) for their sum, or count_paths."
        )
    # A way is a linked list (last edge, the way to its parent), so that a step costs the same
    # however long the way is.
    ways = {}
    for node in counts:
        ways[node] = (
            [()]
            if node is source
            else [
                (Edge(parent, node, position), way)
                for position, parent in enumerate(node.parents)
                for way in ways[parent]
            ]
        )
    return [Path(source, _edges_along(way)) for way in ways[target]]


def _edges_along(way):
    edges = []
    while way:
        edge, way = way
        edges.append(edge)
    return tuple(reversed(edges))


def _rule_cost(node):
    costs = zip(_rules.COSTS.get(node.operation, ()), node.operands, strict=False)
    return sum(cost for cost, operand in costs if isinstance(operand, Scalar))


def count_operations(output: Scalar) -> OperationCounts:
    """Count what evaluating `output` and one sweep in either direction cost.

    The function, its local rules and one sweep together are what a derivative costs; a constant
    costs nothing.

    Parameters
    ----------
    output : Scalar
        The output of the graph; a TypeError for anything else.

    Returns
    -------
    OperationCounts
        Exact counts.

    Examples
    --------
    >>> a, b = Scalar(2.0), Scalar(1.0)
    >>> counts = count_operations((a + b) * (b + 1))
    >>> counts.operations, counts.edges, counts.reverse_additions
    (3, 5, 1)
    """
    _require_scalar("output", output)
    order = topological_order(output)
    edges = sum(len(node.parents) for node in order)
    operations = sum(1 for node in order if node.parents)
    return OperationCounts(
        operations=operations,
        edges=edges,
        local_rules=sum(map(_rule_cost, order)),
        forward_multiplications=edges,
        forward_additions=edges - operations,
        reverse_multiplications=edges,
        # Every node but the output receives at least one contribution, which needs no addition.
        reverse_additions=edges - (len(order) - 1),
    )


def _require_scalar(argument, node):
    if not isinstance(node, Scalar):
        raise TypeError(f"{argument} must be a Scalar, got {type(node).__name__}")


def _as_scalars(argument, nodes):
    nodes = (nodes,) if isinstance(nodes, Scalar) else nodes
    if not isinstance(nodes, Sequence) or not all(isinstance(node, Scalar) for node in nodes):
        raise TypeError(f"{argument} must be a Scalar or a sequence of Scalars, got {nodes!r}")
    return nodes


def _as_seeds(argument, seeds):
    if isinstance(seeds, Scalar):
        return {seeds: 1.0}
    if isinstance(seeds, Mapping) and all(
        isinstance(node, Scalar) and isinstance(seed, Real) for node, seed in seeds.items()
    ):
        return {node: float(seed) for node, seed in seeds.items()}
    raise TypeError(f"{argument} must be a Scalar or a mapping of Scalars to floats, got {seeds!r}")
