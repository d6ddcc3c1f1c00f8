"""Exercises of notebook 08, sparse Hessians: a tracer, colours, recovery, and Newton with them."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ._drills08 import drill_band, drill_entries, drill_path
from .comparing import Tolerance
from .framework import exercise

__all__ = [
    "arrow_jacobian",
    "drill_band",
    "drill_entries",
    "drill_path",
    "from_the_leaves",
    "greedy_colors",
    "hubs_apart",
    "is_star",
    "newton",
    "pattern_by_hand",
    "pays_from",
    "trace",
    "where_to_read",
]


# 1. A pattern by hand


@exercise(
    minutes=5,
    form="four rows of four zeros and ones",
    insight="An entry needs two variables that meet in one non-linear operation.",
    next_try="Add x₀·x₂ and write down which two entries are new.",
)
def pattern_by_hand():
    """Write the smallest pattern of f(x) = x₀²·x₁ + sin(x₁·x₃) + 5·x₂: four rows of 0 and 1."""
    return [
        [1, 1, 0, 0],
        [1, 1, 0, 1],
        [0, 0, 0, 0],
        [0, 1, 0, 1],
    ]


pattern_by_hand.add_hints(
    "Which pairs of variables stand together in one term that is not a plain sum?",
    "Differentiate twice: ∂²/∂x₀² of x₀²·x₁ is 2·x₁, and that is not 0 for every x.",
)


# 2. The tracer


@exercise(
    minutes=30,
    insight="No number was looked at, so the sets hold for every x.",
    next_try="Let a product with a constant 0 end a dependence. What must a step tell you for it?",
)
def trace(steps):
    """Follow index sets through recorded steps; return those of the last one: a list of sets.

    Each element of each tensor gets the set of variables that it depends on. By `step.kind`:

    - "input": element i gets {i}. "constant": every element gets an empty set.
    - "elementwise": element i gets what element i of each operand has. An operand with one element
      serves all i.
    - "move": element i gets what element step.source[i] of the operand has; for None an empty set.
    - "sum": the one element gets what any element of the operand has.

    A step has a name, operands (names of earlier steps) and a size.

    Examples
    --------
    >>> from autodiff_course.exercises.recording08 import recorded_gradient
    >>> trace(recorded_gradient(lambda x: (x[1:] * x[:-1] ** 2).sum(), 3))
    [{0, 1}, {0, 1, 2}, {1}]
    """
    known = {}
    for step in steps:
        given = [known[name] for name in step.operands]
        if step.kind == "input":
            sets = [{i} for i in range(step.size)]
        elif step.kind == "constant":
            sets = [set() for _ in range(step.size)]
        elif step.kind == "move":
            sets = [set() if k is None else given[0][k] for k in step.source]
        elif step.kind == "sum":
            sets = [set().union(*given[0])]
        else:
            parts = [part if len(part) > 1 else part * step.size for part in given]
            sets = [set().union(*meeting) for meeting in zip(*parts, strict=True)]
        known[step.name] = sets
    return known[steps[-1].name]


trace.add_hints(
    "A dict from names to lists of sets, filled step by step.",
    "`set().union(a, b, c)` joins any number of sets; a star spreads a list of them.",
    "For an elementwise step: `part[i if len(part) > 1 else 0]` is what an operand has at i.",
)


# 3. Greedy colours


@exercise(
    minutes=25,
    insight="Columns of one colour never meet in a row, so one product gives all their entries.",
    next_try="Give it the columns of a grid in several orders. How far apart do the counts lie?",
)
def greedy_colors(rows, order):
    """Colour the columns of a symmetric pattern so that no row meets a colour twice: a list.

    rows[i] is the set of the columns with an entry in row i; by symmetry it is also the set of the
    rows with an entry in column i. `order` holds all columns, in the order in which they are
    coloured. Each gets the first colour, counted from 0, that no column coloured before it has with
    which it shares a row; a row may lack its own column. colors[j] is the colour of column j. There
    may be 100,000 columns: look at the rows that column j meets, not at all columns.

    Examples
    --------
    >>> greedy_colors([{0, 1}, {0, 1, 2}, {1, 2}], [2, 0, 1])
    [1, 2, 0]
    """
    colors = [None] * len(rows)
    for j in order:
        taken = {colors[k] for i in rows[j] for k in rows[i]}
        colors[j] = next(c for c in range(len(rows)) if c not in taken)
    return colors


greedy_colors.add_hints(
    "Which colours are taken for column j? Those of the columns in the rows that it meets.",
    "Two loops: over the rows i in rows[j], and over the columns k in rows[i].",
    "A set `taken`; then count c up from 0 while it is in there.",
)


# 4. Recovery with symmetry


@exercise(
    minutes=25,
    uses="from collections import Counter",
    insight="The plan is made once. Each further Hessian is then one indexed read.",
    next_try="Return None where neither of the two works. What have you written?",
)
def where_to_read(rows, colors):
    """Say where in B = HS each entry of a symmetric H is to be read: a list of pairs.

    B[r, c] is the sum of the entries of row r in the columns of colour c. Go through the rows, and
    in each row through its columns j from left to right. Entry (i, j) is B[i, colors[j]] if no
    other column in row i has the colour of j; the pair is then (i, colors[j]). Otherwise it is read
    as entry (j, i): the pair is (j, colors[i]). One of the two always works here. A row may have
    100,000 entries: count the colours of a row once.

    Examples
    --------
    >>> where_to_read([{0, 1, 2}, {0, 1}, {0, 2}], [0, 1, 1])
    [(0, 0), (1, 0), (2, 0), (1, 0), (1, 1), (2, 0), (2, 1)]
    """
    pairs = []
    counts = [Counter(colors[j] for j in row) for row in rows]
    for i, row in enumerate(rows):
        for j in sorted(row):
            alone = counts[i][colors[j]] == 1
            pairs.append((i, colors[j]) if alone else (j, colors[i]))
    return pairs


where_to_read.add_hints(
    "For each row, how often does each colour occur in it? `collections.Counter` counts.",
    "`Counter(colors[j] for j in row)` for each row first, then the loop over the entries.",
)


# 5. A check of stars


@exercise(
    minutes=25,
    insight="Two colours may span a star, but no path of four vertices.",
    next_try="Of all ways to give a chain of 6 three colours, how many pass?",
)
def is_star(rows, colors):
    """Say whether colours form a star colouring of a graph: True or False.

    rows[i] is the set of the columns with an entry in row i, i itself among them. Two different
    vertices i and j are neighbours if j is in rows[i]. In a star colouring neighbours have
    different colours, and no path over four different vertices has only two colours. There may be
    many vertices: walk along neighbours.

    Examples
    --------
    >>> chain = [{0, 1}, {0, 1, 2}, {1, 2, 3}, {2, 3}]
    >>> is_star(chain, [0, 1, 0, 1]), is_star(chain, [0, 1, 0, 2])
    (False, True)
    """
    near = [row - {i} for i, row in enumerate(rows)]
    for i in range(len(rows)):
        for j in near[i]:
            if colors[i] == colors[j]:
                return False
            # A path k, i, j, l with the colours of j, i, j, i.
            before = any(colors[k] == colors[j] for k in near[i] - {j})
            after = any(colors[k] == colors[i] for k in near[j] - {i})
            if before and after:
                return False
    return True


is_star.add_hints(
    "Take each pair of neighbours i and j as the middle of a path k, i, j, l.",
    "Is there a neighbour k of i, other than j, with the colour of j? And l of j, likewise?",
)


# 6. Two hubs


@exercise(
    minutes=15,
    insight="A hub pays one product for itself, and all others are coloured as if it were absent.",
    next_try="Which vertices of a graph would you call hubs? Try a bound on the length of a row.",
)
def hubs_apart(rows, hubs, greedy):
    """Colour a symmetric pattern with hubs apart: a list of colours.

    Hub number h of the list `hubs` gets the colour h, and no other vertex gets a hub's colour. All
    others get the colours that `greedy(rows, order)` gives them in natural order when the hubs are
    absent, that is in no row, and with empty rows of their own; these colours count on from
    len(hubs). Hubs keep their numbers.

    Examples
    --------
    >>> arrow = [{0, 1, 2, 3}, {0, 1}, {0, 2}, {0, 3}]
    >>> hubs_apart(arrow, [0], greedy_colors.reference)
    [0, 1, 1, 1]
    """
    away = set(hubs)
    rest = [set() if i in away else row - away for i, row in enumerate(rows)]
    colors = [len(hubs) + c for c in greedy(rest, list(range(len(rows))))]
    for c, hub in enumerate(hubs):
        colors[hub] = c
    return colors


hubs_apart.add_hints(
    "Make new rows: empty ones for the hubs, and `row - set(hubs)` for the others.",
    "Colour them, add len(hubs) to each colour, and then overwrite the hubs.",
)


# 7. Substitution


@exercise(
    minutes=30,
    uses="from collections import Counter",
    insight="Each sum with one unknown gives it away, and taking it off makes the next leaf.",
    next_try="Let one sum be off by 1e-6. Which values are off, and by how much?",
)
def from_the_leaves(edges, sums):
    """Find the values on the edges of a tree from the sums at its vertices: a list.

    edges is a list of pairs of vertices, sums[v] the sum of the values of all edges at v. At a
    *leaf*, a vertex with one edge left, the sum is that edge's value. Take it off the sum at the
    other end, take the edge away, and go on. Return the values in the order of `edges`.

    Examples
    --------
    >>> from_the_leaves([(0, 1), (1, 2), (1, 3)], [5, 12, 3, 4])
    [5, 3, 4]
    """
    sums, left, values = list(sums), list(edges), {}
    while left:
        ends = Counter(v for edge in left for v in edge)
        edge = next(edge for edge in left if min(ends[v] for v in edge) == 1)
        leaf, other = edge if ends[edge[0]] == 1 else edge[::-1]
        values[edge] = sums[leaf]
        sums[other] -= sums[leaf]
        left.remove(edge)
    return [values[edge] for edge in edges]


from_the_leaves.add_hints(
    "How many edges are left at each vertex? Count again whenever one goes.",
    "Keep the values in a dict by edge, and make the list at the end.",
)


# 8. A Jacobian from both sides


@exercise(
    minutes=15,
    uses="import numpy as np",
    insight="A column costs one push, a row one pull; what is left shares one more.",
    next_try="What if the bottom row were full too?",
)
def arrow_jacobian(push, pull, n):
    """Recover an n × n Jacobian J from three products: a NumPy array.

    J is zero but for its first row, its first column and its diagonal, and it is not symmetric.
    push(v) is the product Jv, pull(w) the product Jᵀw; v, w and what they return are NumPy arrays
    of length n. Call them three times altogether.

    Examples
    --------
    >>> J = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 0.0], [6.0, 0.0, 7.0]])
    >>> print(arrow_jacobian(lambda v: J @ v, lambda w: J.T @ w, 3))
    [[1. 2. 3.]
     [4. 5. 0.]
     [6. 0. 7.]]
    """
    first = np.zeros(n)
    first[0] = 1
    J = np.diag(push(1 - first))
    J[:, 0] = push(first)
    J[0] = pull(first)
    return J


arrow_jacobian.add_hints(
    "A push of (1, 0, …, 0) is column 0; a pull of it is row 0.",
    "A push of (0, 1, …, 1) holds the rest of the diagonal, from row 1 on.",
)


# 9. From how many Hessians on


@exercise(
    minutes=10,
    insight="A preparation is an investment: name the number from which it pays.",
    next_try="Put in the times that you measure for a function of your own.",
)
def pays_from(preparation, each, other):
    """Return the least number of Hessians from which preparing is cheaper, or None.

    A prepared method takes `preparation` seconds once and `each` for each Hessian, the other method
    `other` for each. Cheaper means: less time in all. A whole number; None where
    that never happens.

    Examples
    --------
    >>> pays_from(10, 1, 5)
    3
    """
    if other <= each:
        return None
    return int(preparation // (other - each)) + 1


pays_from.add_hints(
    "For k Hessians: preparation + k · each against k · other.",
    "Solve for k; the answer is the next whole number above, not the one reached.",
)


# 10. Newton's method


@exercise(
    minutes=35,
    seconds=20.0,
    uses="import numpy as np",
    tolerance=Tolerance(1e-6, 1e-6),
    insight="The loop never asks how the Hessian was made: a sparse one serves as it is.",
    next_try="Count the calls of f. How many of them does the line search take?",
)
def newton(f, gradient, hessian, solve, x, goal):
    """Minimise f with Newton's method and a line search; return x and the list of all t.

    f(x) is a number, gradient(x) a NumPy array like x, hessian(x) a sparse matrix; solve(H, g)
    solves Hs = g. As long as an element of the gradient g is larger than `goal` in magnitude: let s
    solve Hs = -g; if gᵀs >= 0, that is no way down, so take s = -g instead. Let t be the first of
    1, 1/2, 1/4, … with ``f(x + t * s) <= f(x) + 1e-4 * t * gᵀs``. Then x becomes x + t * s. If no
    t >= 1e-9 does it, give up: return what you have.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> H = sp.csc_array(np.diag([2.0, 8.0]))
    >>> from scipy.sparse.linalg import spsolve
    >>> newton(lambda x: x @ H @ x / 2, lambda x: H @ x, lambda x: H, spsolve, np.ones(2), 1e-9)
    (array([0., 0.]), [1.0])
    """
    lengths = []
    while np.abs(g := gradient(x)).max() > goal:
        s = -solve(hessian(x), g)
        if g @ s >= 0:
            s = -g
        t, now = 1.0, f(x)
        while f(x + t * s) > now + 1e-4 * t * (g @ s):
            t /= 2
            if t < 1e-9:
                return x, lengths
        x = x + t * s
        lengths.append(t)
    return x, lengths


newton.add_hints(
    "A while loop over the gradient, in it the step, and in that a second while loop for t.",
    "The step is minus the solution of Hs = g; then `while f(x + t * s) > …: t /= 2`.",
)


# What answers are tried on, and which way they must go: they need the exercises above.
from . import _checks08  # noqa: E402, F401
