"""Exercises of notebook 08, sparse Hessians: a tracer, colours, recovery, and Newton with them."""

from __future__ import annotations

from collections import Counter

import numpy as np

from . import _wrong08 as wrong
from .comparing import Tolerance
from .drills import Problem, drill
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


def _mistakes(one, *messages_and_functions):
    """Register wrong answers: the message for each, and the function."""
    pairs = zip(messages_and_functions[::2], messages_and_functions[1::2], strict=True)
    for message, function in pairs:
        one.mistake(message)(function)


# 1. A pattern by hand


@exercise(
    minutes=4,
    form="four rows of four zeros and ones",
    insight="An entry needs two variables that meet in one non-linear operation.",
    next_try="Add x₀·x₂ and write down which two entries are new.",
)
def pattern_by_hand():
    """Write the pattern of f(x) = x₀²·x₁ + sin(x₁·x₃) + 5·x₂: four rows of zeros and ones."""
    return [
        [1, 1, 0, 0],
        [1, 1, 0, 1],
        [0, 0, 0, 0],
        [0, 1, 0, 1],
    ]


_mistakes(
    pattern_by_hand,
    "5·x₂ is linear: its second derivative is 0, so row 2 and column 2 are empty.",
    lambda: [[1, 1, 0, 0], [1, 1, 0, 1], [0, 0, 1, 0], [0, 1, 0, 1]],
    "sin(x₁·x₃) also curves along x₁ and along x₃ alone: see the diagonal.",
    lambda: [[1, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]],
    "Differentiate sin(x₁·x₃) twice by x₁: −x₃²·sin(x₁·x₃). See entry (1, 1).",
    lambda: [[1, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 1]],
    "The diagonal is empty. A variable can also meet itself: x₀²·x₁ curves along x₀ alone.",
    lambda: [[0, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]],
    "x₀²·x₁ curves along x₀ alone as well: its second derivative is 2·x₁.",
    lambda: [[0, 1, 0, 0], [1, 1, 0, 1], [0, 0, 0, 0], [0, 1, 0, 1]],
    "A Hessian is symmetric: entry (i, j) comes with entry (j, i).",
    lambda: [[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0], [0, 0, 0, 1]],
    "x₀ and x₃ never meet in one term, though both meet x₁.",
    lambda: [[1, 1, 0, 1], [1, 1, 0, 1], [0, 0, 0, 0], [1, 1, 0, 1]],
)

pattern_by_hand.add_hints(
    "Which pairs of variables stand together in one term that is not a plain sum?",
    "Differentiate twice: ∂²/∂x₀² of x₀²·x₁ is 2·x₁, and that is not 0 for every x.",
)


# 2. The tracer


@exercise(
    minutes=15,
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


_mistakes(
    trace,
    "A move takes element step.source[i], not element i.",
    wrong.trace_unmoved,
    "An elementwise operation joins element i with element i, not with all others. If you mean "
    "that, do all elements share one set, as in `[set()] * n`?",
    wrong.trace_joins_all,
    "A constant depends on no variable: its sets are empty.",
    wrong.trace_constants,
    "Of an elementwise operation only the first operand was followed.",
    wrong.trace_first_operand,
    "An operand with one element serves every i: x₀·x has as many elements as x.",
    wrong.trace_without_broadcast,
    "Return the sets of the last step alone: they belong to the gradient.",
    wrong.trace_everything,
    "In a move, source 0 is the first element. Only None is a zero: ask `is None`.",
    wrong.trace_zero_for_none,
    "`|=` changes the operand's own set, which later steps read again. Make a new set: `a | b`.",
    wrong.trace_shared_sets,
)
trace.add_hints(
    "A dict from names to lists of sets, filled step by step.",
    "`set().union(a, b, c)` joins any number of sets; a star spreads a list of them.",
    "For an elementwise step: `part[i if len(part) > 1 else 0]` is what an operand has at i.",
)


# 3. Greedy colours


@exercise(
    minutes=12,
    insight="Columns of one colour never meet in a row, so one product gives all their entries.",
    next_try="Give it the columns of a grid in several orders. How far apart do the counts lie?",
)
def greedy_colors(rows, order):
    """Colour the columns of a symmetric pattern so that no row meets a colour twice: a list.

    rows[i] is the set of the columns with an entry in row i; by symmetry it is also the set of the
    rows with an entry in column i. `order` holds all columns, in the order in which they are
    coloured. Each gets the first colour, counted from 0, that no column coloured before it has with
    which it shares a row. colors[j] is the colour of column j. There may be 100,000 columns: look
    at the rows that column j meets, not at all columns.

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


_mistakes(
    greedy_colors,
    "Two columns must also differ if both have an entry in some third row: look at the rows that "
    "column j meets, and at all columns in them.",
    wrong.only_neighbours,
    "`order` is ignored: that is the natural order each time.",
    wrong.natural_order,
    "colors[j] must be the colour of column j. Yours stand in the order of `order`.",
    wrong.in_order_of_coloring,
    "Every column got a colour of its own: use an old one where you can.",
    wrong.all_different,
    "The colours should count from 0.",
    wrong.counted_from_one,
    "That is one colour more than the largest around. Take the first one that is free.",
    wrong.one_more_than_the_largest,
    "Columns without a colour count as colour 0 with you. Begin with None, and leave None out.",
    wrong.zeros_to_begin_with,
    "Colour 0 is a colour too: where you ask `if color`, ask `if color is not None`.",
    wrong.zero_is_no_color,
)
greedy_colors.add_hints(
    "Which colours are taken for column j? Those of the columns in the rows that it meets.",
    "Two loops: over the rows i in rows[j], and over the columns k in rows[i].",
    "A set `taken`; then count c up from 0 while it is in there.",
)


# 4. Recovery with symmetry


@exercise(
    minutes=12,
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


_mistakes(
    where_to_read,
    "Symmetry is not used: in a row where a colour comes twice, read the mirror image.",
    wrong.own_row_always,
    "All entries are read from their mirror image. Look at the own row first.",
    wrong.mirror_always,
    "The mirror image of (i, j) stands in row j in the colour of column i: (j, colors[i]).",
    wrong.mirror_in_own_color,
    "Is the colour of j alone among the columns of row i? You count it among all columns.",
    wrong.counted_everywhere,
    "The columns of a row are to come from left to right.",
    wrong.unsorted_columns,
    "A set has no order: go through `sorted(row)`.",
    wrong.in_the_order_of_the_set,
    "The pair of the mirror image is (j, colors[i]): row j, in the colour of column i.",
    wrong.row_of_the_column,
    "Which colour is alone where? Count the colour of column j in row i, not in row j.",
    wrong.counted_in_the_other_row,
)
where_to_read.add_hints(
    "For each row, how often does each colour occur in it? `collections.Counter` counts.",
    "`Counter(colors[j] for j in row)` for each row first, then the loop over the entries.",
)


# 5. A check of stars


@exercise(
    minutes=12,
    insight="Two colours may span a star, but no path of four vertices.",
    next_try="Write the other check: did you look for paths, or for entries that can be read?",
)
def is_star(rows, colors):
    """Say whether colours form a star colouring of a graph: True or False.

    rows[i] is the set of the columns with an entry in row i, i itself among them. Two different
    vertices i and j are neighbours if j is in rows[i]. In a star colouring neighbours have
    different colours, and no path over four different vertices has only two colours.

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


_mistakes(
    is_star,
    "That asks only whether neighbours differ. Look at the paths of four vertices too.",
    wrong.neighbours_differ,
    "That asks whether vertices at distance 2 differ. A star may have leaves of one colour.",
    wrong.is_distance2,
    "Paths are looked at, but not whether neighbours differ.",
    wrong.paths_alone,
    "A path of four along ascending numbers only: a path may turn back to smaller ones.",
    wrong.ascending_paths,
    "A path may end at smaller numbers than its middle has: leave out `k > i` and `l > j`.",
    wrong.paths_with_larger_ends,
    "Order one pair of a path, its middle or its ends, not both: some paths are left out.",
    wrong.paths_with_ascending_ends_and_middle,
)
is_star.add_hints(
    "Take each pair of neighbours i and j as the middle of a path k, i, j, l.",
    "Is there a neighbour k of i, other than j, with the colour of j? And l of j, likewise?",
)


# 6. Two hubs


@exercise(
    minutes=8,
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


_mistakes(
    hubs_apart,
    "The hubs are still in the rows of the others, so any two columns meet there.",
    wrong.hubs_still_there,
    "The colours of the others begin at 0, where the hubs' colours are. Count on from len(hubs).",
    wrong.hubs_share_colors,
    "The hubs share one colour. Two hubs with a common neighbour may not.",
    wrong.hubs_in_one_color,
    "The hubs come last. Hub number h is to get the colour h.",
    wrong.hubs_last,
    "It is not enough to colour the hubs first: they must leave the rows of the others.",
    wrong.hubs_merely_first,
)
hubs_apart.add_hints(
    "Make new rows: empty ones for the hubs, and `row - set(hubs)` for the others.",
    "Colour them, add len(hubs) to each colour, and then overwrite the hubs.",
)


# 7. Substitution


@exercise(
    minutes=12,
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


_mistakes(
    from_the_leaves,
    "What is known must be taken off the sum at the other end before the next leaf is read.",
    wrong.nothing_subtracted,
    "The values come in the order in which they were found. Return them in the order of `edges`.",
    wrong.in_order_found,
)
from_the_leaves.add_hints(
    "How many edges are left at each vertex? Count again whenever one goes.",
    "Keep the values in a dict by edge, and make the list at the end.",
)


# 8. A Jacobian from both sides


@exercise(
    minutes=8,
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


_mistakes(
    arrow_jacobian,
    "J is not symmetric: its first row needs a product of its own, a pull.",
    wrong.arrow_by_symmetry,
    "Row 0 of that product is a sum of many entries, not the entry (0, 0).",
    wrong.arrow_with_a_mixed_corner,
    "push gives columns and pull gives rows: yours are the other way round.",
    wrong.arrow_transposed,
    "A push of all ones holds column 0 as well. Push (0, 1, …, 1), or take column 0 off.",
    wrong.arrow_with_all_ones,
)
arrow_jacobian.add_hints(
    "A push of (1, 0, …, 0) is column 0; a pull of it is row 0.",
    "A push of (0, 1, …, 1) holds the rest of the diagonal, from row 1 on.",
)


# 9. From how many Hessians on


@exercise(
    minutes=4,
    insight="A preparation is an investment: name the number from which it pays.",
    next_try="Put in the times that you measure for a function of your own.",
)
def pays_from(preparation, each, other):
    """Return the least number of Hessians from which preparing is cheaper, or None.

    A prepared method takes `preparation` seconds once and `each` for each Hessian, the other method
    `other` for each. Cheaper means: less time in all. None where that never happens.

    Examples
    --------
    >>> pays_from(10, 1, 5)
    3
    """
    if other <= each:
        return None
    return int(preparation // (other - each)) + 1


_mistakes(
    pays_from,
    "At that number both take the same time. Cheaper is less time.",
    wrong.pays_at_equality,
    "The prepared method takes `each` for every Hessian as well.",
    wrong.pays_without_each,
    "That is not a whole number: Hessians are counted.",
    wrong.pays_in_fractions,
    "Where a Hessian of the prepared method takes no less, it never pays: return None.",
    wrong.pays_always,
)
pays_from.add_hints(
    "For k Hessians: preparation + k · each against k · other.",
    "Solve for k; the answer is the next whole number above, not the one reached.",
)


# 10. Newton's method


@exercise(
    minutes=15,
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
    t >= 1e-9 does it, stop there: the value cannot fall any more.

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


_mistakes(
    newton,
    "No line search: t is 1 in each step. Halve it until f falls enough.",
    wrong.newton_without_search,
    "gᵀs is not negative there, so s leads uphill or along the level: take s = -g.",
    wrong.newton_uphill,
    "That is descent along -g. Solve with the Hessian.",
    wrong.newton_by_descent,
    "That step has the wrong sign: s solves Hs = -g.",
    wrong.newton_backwards,
    "That took one step only. Go on until the gradient is small.",
    wrong.newton_one_step,
    "Return x and the list of all t.",
    wrong.newton_without_lengths,
    "That is the length of the gradient. The largest element, in magnitude, is asked for.",
    wrong.newton_by_the_norm,
    "Any fall is taken. f must fall by at least 1e-4 · t · |gᵀs|.",
    wrong.newton_with_any_fall,
    "Where no t >= 1e-9 makes f fall enough, stop and return: your loop goes on.",
    wrong.newton_steps_anyway,
)
newton.add_hints(
    "A while loop over the gradient, in it the step, and in that a second while loop for t.",
    "The step is minus the solution of Hs = g; then `while f(x + t * s) > …: t /= 2`.",
)


# Drills


@drill
def drill_entries(random):
    """Count the entries of a Hessian by looking at its terms."""
    a, b, c, d = random.sample(range(6), 4)
    curve = random.choice(("sin", "exp"))
    pure = random.choice((True, False))
    last = f"x_{d}^3" if pure else f"7 x_{d}"
    return Problem(
        rf"$f(x) = x_{a}^2 \, x_{b} + \{curve}(x_{b} x_{c}) + {last}$. How many of the 36 entries "
        r"of its Hessian, for $x_0, \dots, x_5$, can be non-zero?",
        answer=8 if pure else 7,
        why=f"({a},{a}), ({a},{b}) and ({b},{a}); ({b},{b}), ({b},{c}), ({c},{b}) and ({c},{c})"
        + (f"; ({d},{d})." if pure else f". 7·x{d} is linear."),
    )


@drill
def drill_band(random):
    """Ask how many colours a band needs at distance 2."""
    width, n = random.randint(1, 5), random.choice((100, 1000, 10_000, 100_000))
    return Problem(
        f"In a Hessian of {n:,} variables entry (i, j) can be non-zero where |i − j| ≤ {width}. "
        "How many products does a distance-2 colouring need at least?",
        answer=2 * width + 1,
        why=f"A row in the middle has 2·{width} + 1 entries, and all need different colours; "
        "colours in turn reach that.",
    )


@drill
def drill_path(random):
    """Look for a path of four vertices with two colours."""
    colors = [random.randint(0, 2)]
    while len(colors) < 8:
        colors.append(random.choice([c for c in range(3) if c != colors[-1]]))
    first = next((i for i in range(5) if len(set(colors[i : i + 4])) == 2), -1)
    shown = " ".join(map(str, colors))
    return Problem(
        f"A chain of 8 vertices, numbered from 0, has the colours {shown}. At which vertex "
        "does the first path over four vertices with only two colours begin? (-1 if none does.)",
        answer=first,
        why="It is a star colouring: each four in a row have three colours."
        if first < 0
        else f"Vertices {first} to {first + 3} have the colours "
        f"{' '.join(map(str, colors[first : first + 4]))}.",
    )


# What answers are tried on, and which way they must go: they need the exercises above.
from . import _checks08  # noqa: E402, F401
