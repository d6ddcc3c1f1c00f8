"""Try several greedy colourings, and improve the best: fewer colours for a bounded time.

A greedy colouring can be far from the best where a few rows are long. Two such rows that have no
entry in common are given one colour, since nothing speaks against it yet, and then every column
that meets both needs a colour of its own. So the longest rows are also set apart, with colours of
their own, before the others are coloured.

A colouring from which every entry is read directly, found as it may be, is then the start of a
local search: columns move into larger colours until small ones are empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .coloring_greedy import greedy_acyclic, greedy_distance2
from .coloring_orders import ORDERS, has_diagonal, lower_bound, off_diagonal_degrees, vertex_order
from .coloring_star import Graph, drop_colors, graph_of, greedy_star, move_columns
from .recovery import substitution_order

__all__ = ["Found", "search"]

# Steps of a few nanoseconds, spent on what is not needed for a colouring but may improve it: no
# more of them for each entry than a few dozen Hessians cost, and some hundredths of a second.
LEAST_BUDGET, MOST_BUDGET = 3e6, 5e7
STEPS_PER_ENTRY = 60
SWEEPS = 5
ROUNDS = 50  # of the local search from reordered colours
MOST_APART = 256  # so many rows at most get colours of their own
ALWAYS = 2  # so many orders are tried even if the budget is used up


@dataclass(frozen=True)
class Found:
    """A colouring, how it is to be read, and the order from which it came."""

    colors: np.ndarray
    count: int
    kind: str
    order: str


def budget_for(entries: int) -> float:
    """Return how many steps may be spent on improving the colouring of a pattern."""
    return min(MOST_BUDGET, max(LEAST_BUDGET, STEPS_PER_ENTRY * entries))


def search(
    indptr: np.ndarray,
    indices: np.ndarray,
    method: str,
    orders: Sequence[str] | None,
    refine: bool,
) -> tuple[Found, int]:
    """Return the best colouring found, and a lower bound; see `color` for the arguments.

    The pattern, in canonical CSR form, must have entries.
    """
    if method == "acyclic":
        return _search_acyclic(indptr, indices, orders, refine)
    kinds = ("star", "distance2") if method == "best" else (method,)
    searching = _DirectSearch(indptr, indices, kinds, refine)
    if refine and "star" in kinds:
        searching.set_apart()
    searching.try_orders(orders)
    if refine and "star" in kinds:
        searching.improve()
    return searching.best, searching.bound


def _search_acyclic(indptr, indices, orders, refine) -> tuple[Found, int]:
    bound = lower_bound(indptr, indices, "acyclic")
    best = None
    spent = 0
    for place, order in enumerate(orders or ORDERS):
        if best and (
            best.count <= bound
            or (not orders and place >= ALWAYS and spent > budget_for(len(indices)))
        ):
            break
        spent += 10 * len(indices)
        colors, count = greedy_acyclic(indptr, indices, vertex_order(order, indptr, indices))
        if refine:
            count = _drop_acyclic(indptr, indices, colors, count)
        if not best or count < best.count:
            best = Found(colors, int(count), "acyclic", order)
    return best, bound


def _drop_acyclic(indptr, indices, colors, count) -> int:
    """Take the colour from all columns of a colour where substitution succeeds without it."""
    diagonal = has_diagonal(indptr, indices)
    entries = (len(indices) + np.count_nonzero(diagonal)) // 2
    needed = np.bincount(colors[diagonal & (colors >= 0)], minlength=count) > 0
    steps = np.empty((0 if needed.all() else entries, 4), np.int64)
    for c in np.argsort(-np.bincount(colors[colors >= 0], minlength=count), kind="stable"):
        if not needed[c]:
            without = np.where(colors == c, -1, colors).astype(np.int32)
            if substitution_order(indptr, indices, without, count, steps) == entries:
                colors[:] = without
    left, colors[colors >= 0] = np.unique(colors[colors >= 0], return_inverse=True)
    return len(left)


class _DirectSearch:
    """Star and distance-2 colourings of one pattern, and the best so far."""

    def __init__(self, indptr, indices, kinds: tuple[str, ...], refine: bool):
        self.graph: Graph = graph_of(indptr, indices)
        self.indptr, self.indices = self.graph.indptr, self.graph.indices
        self.kinds, self.refine = kinds, refine
        self.bound = lower_bound(self.indptr, self.indices, kinds[0])
        self.lengths = np.diff(self.indptr).astype(np.int64)
        # Of the shortest rows, as many as one likes: the longest may be set apart.
        self.squares = np.cumsum(np.r_[0.0, np.sort(self.lengths).astype(float) ** 2])
        self.full = bool((has_diagonal(self.indptr, self.indices) | (self.lengths == 0)).all())
        self.spent, self.budget = 0.0, budget_for(len(self.indices))
        self.best: Found | None = None
        self.starts: list[Found] = []

    def done(self) -> bool:
        """Whether nothing better exists, or the time for it is over."""
        return self.best.count <= self.bound or self.spent > self.budget

    def try_orders(self, orders: Iterable[str] | None) -> None:
        """Colour greedily in each of the orders."""
        for place, order in enumerate(orders or ORDERS):
            optional = not orders and place >= ALWAYS
            if self.best and (self.best.count <= self.bound or (optional and self.done())):
                return
            vertices = vertex_order(order, self.indptr, self.indices)
            # Where time is short, the cheaper kind goes first, and the other must be better.
            steps = [self._try_star, self._try_distance2]
            for step in reversed(steps) if self._large() else steps:
                step(vertices, order)

    def _try_star(self, vertices: np.ndarray, order: str) -> None:
        if "star" in self.kinds:
            self._star(vertices, 0, order)

    def _try_distance2(self, vertices: np.ndarray, order: str) -> None:
        if self.refine and order == "natural" and self._worth_distance2():
            self._distance2(vertices, 0, "around", int(self.lengths.max()))
        if self._worth_distance2():
            self._distance2(vertices, 0, order)

    def set_apart(self) -> None:
        """Give the longest rows colours of their own, where lengths fall steeply."""
        degrees = off_diagonal_degrees(self.indptr, self.indices)
        falling = np.argsort(-degrees, kind="stable")
        most = min(MOST_APART, len(falling) - 1)
        lengths = degrees[falling[: most + 1]]
        steepness = lengths[:-1] / np.maximum(lengths[1:], 1)
        steep = np.argsort(-steepness, kind="stable")[:3]
        for apart in np.sort(steep[steepness[steep] >= 2]) + 1:
            if self.best and (self.best.count <= self.bound or apart >= self.best.count):
                return
            self._star(falling, int(apart), "largest_first")
            if self._affordable(int(apart)):
                self._distance2(falling, int(apart), "largest_first")

    def improve(self) -> None:
        """Search from the colourings found, the best first, and then from the best again."""
        for start in sorted(self.starts, key=lambda found: found.count):
            if self.done():
                return
            self._move(start)
        random = np.random.default_rng(0)
        current = self.best
        for _ in range(ROUNDS):
            if self.done():
                return
            again = self._star(_by_colors(current.colors, random), 0, current.order, keep=False)
            moved = self._move(again) if again else current
            current = moved if moved.count <= current.count else current

    def _star(self, vertices, apart: int, order: str, keep: bool = True) -> Found | None:
        """Colour greedily; give up, and return None, where too many colours are needed."""
        found = None
        # With neighbours that differ, more colours may turn out not to be needed.
        variants = (True, False) if self.refine and keep and not self.full else (False,)
        for proper in variants:
            limit = self._limit() if self.best else len(vertices)
            self.spent += self._star_cost()
            colors, count = greedy_star(self.graph, vertices, apart, proper, limit)
            if count <= limit:
                found = self._offer(colors, count, "star", order, keep)
        return found

    def _distance2(self, vertices, apart: int, order: str, around: int = 0) -> None:
        self.spent += self._squares(apart)
        colors, count = greedy_distance2(self.indptr, self.indices, vertices, apart, around)
        kind = "distance2" if "distance2" in self.kinds and not apart else "star"
        self._offer(colors, count, kind, order)

    def _move(self, start: Found) -> Found:
        """Move columns of a colouring to empty colours, and offer the result."""
        self.spent += 2 * SWEEPS * self._star_cost()
        colors = start.colors.copy()
        count = move_columns(self.graph, colors, start.count, SWEEPS)
        return self._offer(colors, count, "star", start.order, keep=False)

    def _offer(self, colors, count, kind: str, order: str, keep: bool = True) -> Found:
        found = Found(colors, int(count), kind, order)
        if keep:
            self.starts.append(found)
        offered = found
        if self.refine and not self.full and "star" in self.kinds:
            rest = colors.copy()
            left = int(drop_colors(self.graph, rest, count))
            offered = Found(rest, left, "star", order) if left < count else found
        if not self.best or offered.count < self.best.count:
            self.best = offered
        return found

    def _limit(self) -> int:
        """Return up to how many colours a star colouring is of use, be it as a start."""
        return self.best.count - 1 if self._large() else 2 * self.best.count + 10

    def _large(self) -> bool:
        return self._star_cost() > MOST_BUDGET / 10

    def _star_cost(self) -> float:
        colors = self.best.count if self.best else 32
        return float((self.lengths * np.minimum(self.lengths, colors)).sum())

    def _squares(self, apart: int) -> float:
        return float(self.squares[len(self.squares) - 1 - apart])

    def _worth_distance2(self) -> bool:
        """Whether a distance-2 colouring may be the best, or is cheap and a start for others."""
        longest = int(self.lengths.max())
        if "distance2" in self.kinds and (not self.best or longest < self.best.count):
            return True
        return "star" in self.kinds and self.refine and self._affordable(0)

    def _affordable(self, apart: int) -> bool:
        return self.spent + self._squares(apart) <= self.budget


def _by_colors(colors: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Order the vertices by their colours, with the colours shuffled, or the smallest first."""
    sizes = np.bincount(colors + 1)
    if random.random() < 0.5:
        rank = np.argsort(np.argsort(-sizes, kind="stable"))
    else:
        rank = random.permutation(len(sizes))
    return np.lexsort((random.random(len(colors)), rank[colors + 1]))
