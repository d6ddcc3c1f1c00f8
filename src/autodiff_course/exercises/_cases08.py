"""The inputs on which answers to the exercises of notebook 08 are tried."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from .framework import case
from .recording08 import RecordedStep

# Patterns: rows[i] is the set of the columns with an entry in row i.


def chain(n):
    return [{j for j in (i - 1, i, i + 1) if 0 <= j < n} for i in range(n)]


def arrow(n, hubs=1):
    leaves = [set(range(hubs)) | {i} for i in range(hubs, n)]
    return [{i} | set(range(hubs, n)) for i in range(hubs)] + leaves


def grid(k):
    def near(i, j):
        around = [(i, j), (i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)]
        return {a * k + b for a, b in around if 0 <= a < k and 0 <= b < k}

    return [near(i, j) for i in range(k) for j in range(k)]


def graph(edges, n):
    rows = [{i} for i in range(n)]
    for i, j in edges:
        rows[i].add(j)
        rows[j].add(i)
    return rows


def random_graph(random, n=8, chance=0.3):
    pairs = [(i, j) for i in range(n) for j in range(i)]
    return graph([pair for pair in pairs if random.random() < chance], n)


def distance2(rows):
    colors = []
    for j in range(len(rows)):
        taken = {colors[k] for i in rows[j] for k in rows[i] if k < j}
        colors.append(next(c for c in range(len(rows)) if c not in taken))
    return colors


def random_star(random, rows):
    """Return a star colouring with few colours: two of a distance-2 one joined where possible."""
    colors = distance2(rows)
    for _ in range(20):
        a, b = random.choice(colors), random.choice(colors)
        joined = [a if c == b else c for c in colors]
        if _star(rows, joined):
            colors = joined
    names = {c: number for number, c in enumerate(dict.fromkeys(colors))}
    return [names[c] for c in colors]


def _star(rows, colors):
    def alone(i, j):
        return sum(colors[k] == colors[j] for k in rows[i]) == 1

    return all(alone(i, j) or alone(j, i) for i, row in enumerate(rows) for j in row)


# trace: recordings written by hand, as PyTorch makes them, and random ones


def _recording(n, *lines):
    """Make steps of (kind, operands, size, source) in short."""
    steps = [RecordedStep("x", "input", "the variables", (), n)]
    for number, (kind, operands, size, *source) in enumerate(lines):
        text = f"{kind} of {operands}" if operands else kind
        names = tuple(operands.split())
        steps.append(RecordedStep(f"t{number}", kind, text, names, size, tuple(*source)))
    return steps


def recordings():
    cubes = _recording(2, ("elementwise", "x", 2), ("elementwise", "t0", 2))
    valley = _recording(
        4,
        ("move", "x", 3, (0, 1, 2)),
        ("elementwise", "t0", 3),
        ("move", "x", 3, (1, 2, 3)),
        ("move", "t1", 4, (None, 0, 1, 2)),
        ("elementwise", "t2 t0", 3),
        ("move", "t4", 4, (0, 1, 2, None)),
        ("elementwise", "t3 t5", 4),
    )
    hub = _recording(
        4,
        ("move", "x", 1, (0,)),
        ("elementwise", "t0 x", 4),
        ("elementwise", "x", 4),
        ("sum", "t2", 1),
        ("move", "t3", 4, (0, None, None, None)),
        ("elementwise", "t1 t4", 4),
    )
    weighted = _recording(
        3,
        ("constant", "", 3),
        ("elementwise", "x t0", 3),
        ("move", "t1", 3, (2, 0, 1)),
        ("constant", "", 1),
        ("elementwise", "t2 t3", 3),
    )
    return [
        case(cubes, label="the gradient of (x**3).sum(), 2 variables"),
        case(valley, label="the gradient of (x[:-1] ** 2 * x[1:]).sum(), 4 variables"),
        case(hub, label="the gradient of (x[0] * x**2).sum(), 4 variables"),
        case(weighted, label="x times constants, moved in a circle, 3 variables"),
    ]


def random_recordings(random):
    def one():
        n, lines, sizes = random.randint(3, 6), [], {}
        sizes["x"] = n
        for number in range(8):
            kind = random.choice(("elementwise", "elementwise", "move", "move", "sum", "constant"))
            operand = random.choice(list(sizes))
            size, operands, source = sizes[operand], operand, ()
            if kind == "elementwise":
                fitting = [name for name in sizes if sizes[name] in (1, size)]
                operands = f"{operand} {random.choice(fitting)}"
            elif kind == "move":
                size = random.randint(1, n)
                source = [random.choice((None, *range(sizes[operand]))) for _ in range(size)]
            elif kind == "sum":
                size = 1
            else:
                operands = ""
            lines.append((kind, operands, size, source))
            sizes[f"t{number}"] = size
        return case(_recording(n, *lines), label=f"8 random steps on {n} variables")

    return [one() for _ in range(5)]


# greedy_colors


class Counted(list):
    """A list that may be read only so often: whoever looks at all pairs reads it too often."""

    def __init__(self, values, most, advice):
        super().__init__(values)
        self._left, self._advice = most, advice

    def __getitem__(self, place):
        self._left -= 1
        if self._left < 0:
            raise RuntimeError(self._advice)
        return super().__getitem__(place)


class Shade(int):
    """A colour that may be compared only so often, together with all that share its `left`."""

    def __new__(cls, value, left):
        shade = super().__new__(cls, value)
        shade._left = left
        return shade

    def __getnewargs__(self):
        return int(self), self._left

    def __eq__(self, other):
        self._left[0] -= 1
        if self._left[0] < 0:
            raise RuntimeError(ONCE)
        return int(self) == other

    __hash__ = int.__hash__


LOCAL = (
    "That looks at far too many rows for 100,000 columns. Look at the rows that column j meets, "
    "and at the columns in these rows"
)
ONCE = (
    "That looks at far too many colours for a row of 100,000 entries. Count the colours of each "
    "row once"
)

ALONG = (
    "That looks at far too many rows: there may be many vertices, and many calls. Walk along "
    "neighbours: k in rows[i], and l in rows[j]"
)


def orders():
    long = 1_500
    return [
        case([{0}, {1}], [0, 1], label="two columns that never meet"),
        case([{0, 1}, {0, 1, 2}, {1, 2}], [2, 0, 1]),
        case(chain(7), [3, 0, 6, 1, 5, 2, 4], label="a chain of 7, the middle first"),
        case(arrow(5), [4, 3, 2, 1, 0], label="an arrowhead of 5, backwards"),
        case(grid(4), list(range(16)), label="a grid of 4 by 4"),
        case([{1}, {0, 2}, {1, 3}, {2}], [0, 1, 2, 3], label="a chain of 4 without its diagonal"),
        case([{0, 1}, {0}], [1, 0], label="the pattern of x0² + x0·x1, backwards"),
        case(
            Counted(chain(long), 200 * long, LOCAL),
            list(range(long - 1, -1, -1)),
            label="a chain of 1,500, backwards",
        ),
    ]


def random_orders(random):
    return [case(random_graph(random), random.sample(range(8), 8)) for _ in range(3)]


# where_to_read, is_star, hubs_apart


def _shades(colors, most):
    left = [most]
    return Counted([Shade(c, left) for c in colors], most, ONCE)


def star_colorings():
    many = 400
    return [
        case([{0}, {1}], [0, 0], label="two columns that never meet, in one colour"),
        case(arrow(3), [0, 1, 1], label="an arrowhead of 3"),
        case(chain(6), [0, 1, 0, 2, 0, 1], label="a chain of 6"),
        # {7, 8, 9} is a set that Python goes through as 8, 9, 7.
        case(chain(12), [0, 1, 0, 2] * 3, label="a chain of 12"),
        case(arrow(6, hubs=2), [0, 1, 2, 2, 2, 2], label="two hubs and 4 others"),
        case(
            arrow(many),
            _shades([0] + [1] * (many - 1), 100 * many),
            label="an arrowhead of 400",
        ),
    ]


def random_star_colorings(random):
    def one():
        rows = random_graph(random)
        return case(rows, random_star(random, rows))

    return [one() for _ in range(4)]


def colorings():
    cycle, many = graph([(0, 2), (2, 1), (1, 3), (3, 0)], 4), 60
    long = Counted(chain(many), 100 * many, ALONG)
    return [
        case([{0}, {1}], [0, 0], label="two vertices without an edge, in one colour"),
        case([{0, 1}, {0, 1}], [0, 0], label="two neighbours in one colour"),
        case(chain(3), [0, 1, 0], label="a chain of 3 with the colours 0 1 0"),
        case(chain(4), [0, 1, 0, 1], label="a chain of 4 with the colours 0 1 0 1"),
        case(chain(4), [0, 1, 0, 2], label="a chain of 4 with the colours 0 1 0 2"),
        case(chain(5), [0, 1, 2, 0, 1], label="a chain of 5 with the colours 0 1 2 0 1"),
        case(chain(4), [0, 1, 1, 0], label="a chain of 4 with the colours 0 1 1 0"),
        case(arrow(6), [0, 1, 1, 1, 1, 1], label="an arrowhead of 6, two colours"),
        case(arrow(5, hubs=2), [0, 0, 1, 1, 1], label="two hubs in one colour, leaves in another"),
        case(arrow(5, hubs=2), [0, 1, 2, 2, 2], label="two hubs in two colours, leaves in a third"),
        case(graph([(0, 1), (1, 2), (0, 2)], 3), [0, 1, 2], label="a triangle in three colours"),
        case(cycle, [0, 0, 1, 1], label="a cycle of 4 in two colours"),
        *(_path(*numbers) for numbers in permutations(range(4)) if numbers[0] < numbers[3]),
        case(long, [0, 1, 2] * (many // 3), label="a chain of 60", too_slow=f"{ALONG}."),
    ]


def _path(a, b, c, d):
    """Make a path over four vertices in this order, in two colours in turn."""
    colors = [int(i in (b, d)) for i in range(4)]
    path = graph([(a, b), (b, c), (c, d)], 4)
    return case(path, colors, label=f"the path {a} {b} {c} {d} in two colours")


def random_colorings(random):
    def one():
        rows = random_graph(random, 7, 0.35)
        return case(rows, random_star(random, rows))

    def other():
        rows = random_graph(random, 7, 0.3)
        return case(rows, [random.randint(0, 2) for _ in rows])

    return [one(), one(), other(), other()]


def _greedy(rows, order):
    colors = [None] * len(rows)
    for j in order:
        taken = {colors[k] for i in rows[j] for k in rows[i]}
        colors[j] = next(c for c in range(len(rows)) if c not in taken)
    return colors


def _greedy_by_rows(rows, order):
    """Colour greedily with a list of what each row has met: all rows given must be those meant."""
    colors, met = [None] * len(rows), [set() for _ in rows]
    for j in order:
        taken = set().union(*(met[i] for i in rows[j]))
        colors[j] = next(c for c in range(len(rows)) if c not in taken)
        for i in rows[j]:
            met[i].add(colors[j])
    return colors


def hubs():
    last = [{k for k in row if k < 5} | {5} for row in chain(5)] + [set(range(6))]
    return [
        case(arrow(4), [0], _greedy, label="an arrowhead of 4 with the hub 0"),
        case(arrow(7, hubs=2), [0, 1], _greedy, label="two hubs and 5 others"),
        case(arrow(7, hubs=2), [1, 0], _greedy, label="two hubs, given as [1, 0]"),
        case(last, [5], _greedy, label="a chain of 5 that hangs on vertex 5"),
        case(chain(5), [], _greedy, label="a chain of 5 without hubs"),
        case(arrow(6, hubs=2), [0, 1], _greedy_by_rows, label="two hubs, greedy row by row"),
    ]


# from_the_leaves


def _sums(edges, values, n):
    sums = [0] * n
    for (i, j), value in zip(edges, values, strict=True):
        sums[i] += value
        sums[j] += value
    return sums


def _tree(edges, values, label):
    sums = _sums(edges, values, len(edges) + 1)
    return case(edges, sums, label=label, too_slow="Is a leaf looked for at both ends of an edge?")


def trees():
    return [
        _tree([(0, 1)], [7], "one edge"),
        _tree([(0, 1), (0, 2), (0, 3)], [2, -5, 4], "a star with three leaves"),
        _tree([(1, 2), (0, 1), (2, 3)], [3, 1, 8], "a chain of four, its middle edge first"),
        _tree([(0, 1), (2, 1), (1, 3), (3, 4), (5, 3)], [1.5, 2, 30.75, 4, 5], "a tree of six"),
    ]


def random_trees(random):
    n = random.randint(5, 9)
    edges = [(random.randrange(i), i) for i in range(1, n)]
    random.shuffle(edges)
    return [_tree(edges, [random.randint(-9, 9) for _ in edges], "a random tree")]


# arrow_jacobian


def _arrow_matrix(n, seed):
    random = np.random.default_rng(seed)
    J = np.diag(random.integers(1, 9, n).astype(float))
    J[0], J[1:, 0] = random.integers(1, 9, n), random.integers(-9, -1, n - 1)
    return J


def arrows():
    def one(n, seed):
        J = _arrow_matrix(n, seed)

        def push(v):
            return J @ np.asarray(v, dtype=float)

        def pull(w):
            return J.T @ np.asarray(w, dtype=float)

        return case(push, pull, n, label=f"an arrow of {n} by {n}")

    return [one(2, 0), one(4, 1), one(7, 2)]


# pays_from


def prices():
    return [
        case(10, 1, 5),
        case(8, 1, 5),
        case(11, 1, 5),
        case(0, 2, 3),
        case(1, 3, 3),
        case(0, 3, 3),
        case(5, 3, 2),
        case(0.5, 0.25, 8.0),
        case(120, 0.5, 29),
        case(10_000, 1, 1.5),
    ]


def random_prices(random):
    return [case(random.randint(1, 99), random.randint(1, 9), random.randint(5, 14))]
