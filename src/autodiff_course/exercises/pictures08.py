"""The pictures of notebook 08: index sets on their way, matrices of blocks, coloured graphs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
from matplotlib import pyplot as plt

from .recording08 import RecordedStep

__all__ = ["draw_blocks", "draw_graph", "draw_index_sets", "spy"]

# Okabe and Ito's colours; each has a shape of its own too, for whoever cannot tell them apart.
COLORS = ["#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00", "#BBBBBB"]
SHAPES = ["o", "s", "^", "D", "v", "p", "h"]
MARKED = "#D55E00"


def spy(matrices: Sequence, titles: Sequence[str], size: float = 2.13) -> plt.Figure:
    """Draw a dot for each stored entry of some matrices, side by side.

    Parameters
    ----------
    matrices : sequence of sparse or dense matrix
    titles : sequence of str
        One for each.
    size : float, optional
        The width of each, in inches.

    Examples
    --------
    >>> figure = spy([np.eye(3), np.ones((3, 3))], ["diagonal", "full"])
    >>> [axis.get_title() for axis in figure.axes]
    ['diagonal', 'full']
    >>> plt.close(figure)
    """
    lines = 1 + max(title.count("\n") for title in titles)
    height = size + 0.2 + 0.22 * lines
    figure, axes = plt.subplots(1, len(titles), figsize=(size * len(titles), height))
    for axis, matrix, title in zip(np.atleast_1d(axes), matrices, titles, strict=True):
        axis.spy(matrix, markersize=min(6, 60 * size / matrix.shape[0]), color="#0072B2")
        axis.set_title(title, fontsize=11)
        axis.set(xticks=[], yticks=[])
    figure.tight_layout()
    return figure


def draw_blocks(
    axis: plt.Axes,
    matrix: np.ndarray,
    column_colors: Sequence[int],
    title: str,
    marked: Collection[tuple[int, int]] = (),
) -> None:
    """Draw the non-zero entries of a matrix as blocks in the colours of their columns.

    Parameters
    ----------
    axis : matplotlib axes
    matrix : array, shape (rows, columns)
    column_colors : sequence of int
        The colour of each column; its number stands in the block.
    title : str
    marked : collection of (int, int), optional
        Rows and columns of blocks with a thick frame.

    Examples
    --------
    >>> figure, axis = plt.subplots()
    >>> draw_blocks(axis, np.eye(2), [0, 1], "the identity")
    >>> len(axis.patches)
    2
    >>> plt.close(figure)
    """
    for i, j in zip(*np.nonzero(matrix), strict=True):
        c = column_colors[j]
        axis.add_patch(plt.Rectangle((j, i), 1, 1, facecolor=COLORS[c], edgecolor="white"))
        axis.text(j + 0.5, i + 0.55, c, ha="center", va="center", fontsize=11)
    for i, j in marked:
        frame = dict(fill=False, edgecolor="black", lw=2.5, zorder=3)
        axis.add_patch(plt.Rectangle((j + 0.05, i + 0.05), 0.9, 0.9, **frame))
    rows, columns = matrix.shape
    axis.set(xlim=(0, columns), ylim=(rows, 0), xticks=[], yticks=[], aspect="equal")
    axis.set_title(title, fontsize=12)


def draw_graph(
    axis: plt.Axes,
    places: Sequence[tuple[float, float]],
    rows: Sequence[set[int]],
    colors: Sequence[int | None],
    labels: Sequence | None = None,
    thick: Collection[tuple[int, int]] = (),
    title: str = "",
) -> None:
    """Draw the graph of a symmetric pattern: an edge for each entry off the diagonal.

    A number in a vertex is its colour, one beside it, in grey, its own.

    Parameters
    ----------
    axis : matplotlib axes
    places : sequence of (float, float)
        Where each vertex stands.
    rows : sequence of set of int
        The columns with an entry in each row.
    colors : sequence of int or None
        The colour of each vertex, told by its shape as well; None for none yet.
    labels : sequence, optional
        What stands in the vertices, without their numbers beside them; the colours by default.
    thick : collection of (int, int), optional
        Edges to mark.
    title : str, optional

    Examples
    --------
    >>> figure, axis = plt.subplots()
    >>> draw_graph(axis, [(0, 0), (1, 0)], [{0, 1}, {0, 1}], [0, 1], title="one edge")
    >>> [text.get_text() for text in axis.texts], len(axis.lines)
    (['0', '0', '1', '1'], 1)
    >>> plt.close(figure)
    """
    for i, j in [(i, j) for i, row in enumerate(rows) for j in row if i < j]:
        bold = (i, j) in thick or (j, i) in thick
        line = dict(color=MARKED, lw=4.5) if bold else dict(color="#888888", lw=1.2)
        axis.plot(*zip(places[i], places[j], strict=True), **line, zorder=1)
    numbered = labels is None
    labels = ["" if color is None else color for color in colors] if numbered else labels
    beside = dict(textcoords="offset points", ha="left", va="bottom", color="#555555", fontsize=11)
    for vertex, ((a, b), color, label) in enumerate(zip(places, colors, labels, strict=True)):
        look = 6 if color is None else min(color, 6)
        face, shape = ("white", "o") if color is None else (COLORS[look], SHAPES[look])
        size = 620 if shape in "^v" else 420
        axis.scatter(a, b, s=size, color=face, marker=shape, edgecolors="black", zorder=2)
        inside = (0, {"^": -3, "v": 3}.get(shape, 0))
        where = dict(xy=(a, b), xytext=inside, textcoords="offset points", zorder=3, fontsize=12)
        if numbered:
            axis.annotate(vertex, (a, b), (13, 9), **beside)
        axis.annotate(label, **where, ha="center", va="center")
    axis.set_axis_off()
    axis.margins(0.16)
    axis.set_title(title, fontsize=12)


def draw_index_sets(
    axis: plt.Axes,
    steps: Sequence[RecordedStep],
    trace: Callable[[Sequence[RecordedStep]], Sequence[set[int]]],
    follow: int,
) -> None:
    """Draw how index sets travel through a recording, from left to right.

    Parameters
    ----------
    axis : matplotlib axes
    steps : sequence of RecordedStep
    trace : callable
        Returns the sets of the last of some steps.
    follow : int
        The variable whose way is marked.

    Examples
    --------
    >>> from .ex08 import trace
    >>> from .recording08 import recorded_gradient
    >>> steps = recorded_gradient(lambda x: (x**3).sum(), 2)
    >>> figure, axis = plt.subplots()
    >>> draw_index_sets(axis, steps, trace.reference, follow=1)
    >>> [text.get_text() for text in axis.texts][:3]
    ['{0}', '{1}', 'x']
    >>> plt.close(figure)
    """
    corner = _corners(steps)
    sets = {step.name: trace(steps[: number + 1]) for number, step in enumerate(steps)}
    for step in steps:
        a, b = corner[step.name]
        for name, k, i in _reads(step, {name: len(one) for name, one in sets.items()}):
            marked = follow in sets[name][k]
            ends = (corner[name][0], a), (corner[name][1] - k, b - i)
            style = dict(color=MARKED, lw=2.4) if marked else dict(color="#BBBBBB", lw=1)
            axis.plot(*ends, **style, zorder=1 + marked)
        for i, one in enumerate(sets[step.name]):
            box = dict(boxstyle="round", fc="#FBE6D8" if follow in one else "white", ec="black")
            label = "{" + ",".join(map(str, sorted(one))) + "}" if one else "–"
            axis.text(a, b - i, label, ha="center", va="center", bbox=box, fontsize=11.5, zorder=3)
        head = f"{step.name} =\n{step.text}" if step.operands else "x"
        plain = dict(boxstyle="square,pad=0.05", fc="white", ec="none", alpha=0.85)
        head = head.replace(" of ", "\nof ")
        style = dict(
            ha="center", va="bottom", fontsize=11.5, linespacing=1.05, bbox=plain, zorder=4
        )
        axis.text(a, b + 0.42, head, **style)
    right, low = max(a for a, _ in corner.values()), min(b for _, b in corner.values())
    axis.set(xlim=(-0.5, right + 0.8), ylim=(low - steps[-1].size + 0.4, 2.4))
    axis.set_axis_off()


def _reads(step, sizes):
    """List which element of which operand each element is made of."""
    for name in step.operands:
        for i in range(step.size):
            if step.kind == "sum":
                yield from ((name, k, i) for k in range(sizes[name]))
            elif step.kind == "move":
                yield from [(name, step.source[i], i)] if step.source[i] is not None else []
            else:
                yield name, i if sizes[name] > 1 else 0, i


def _corners(steps):
    """Place the tensors: a column for each depth, one tensor below the other."""
    depth, used, corner = {}, {}, {}
    for step in steps:
        depth[step.name] = 1 + max((depth[name] for name in step.operands), default=-1)
        above = min((-corner[name][1] for name in step.operands), default=0)
        lane = max(used.get(depth[step.name], 0), above)
        used[depth[step.name]] = lane + step.size + 1.7
        corner[step.name] = 2.0 * depth[step.name], -1.0 * lane
    return corner
