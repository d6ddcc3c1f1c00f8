"""Exercises of notebook 02, forward and reverse mode: tangents, adjoints, and what they cost.

All but the last are plain Python; torch is imported where a call needs it, so that the others also
run in a browser without it.
"""

from __future__ import annotations

import math
import random

from .drills import Problem, drill
from .duals02 import (
    Dual,
    as_lists,
    lift,
)
from .framework import exercise

__all__ = [
    "Dual",
    "as_lists",
    "bracket_costs",
    "divide_duals",
    "drill_adjoint",
    "drill_sweeps",
    "drill_tangent",
    "find_transposed",
    "is_dual_pair",
    "jacobian_by_columns",
    "jacobian_by_rows",
    "jacobian_costs",
    "jvp",
    "lift",
    "matmul_vjp",
    "multiply_duals",
    "newton_step",
]


# 1 and 2. Two rules for dual numbers


@exercise(
    minutes=3,
    insight="ε² = 0 has thrown one of the four products away; what is left is the product rule.",
    next_try="Multiply a dual number by itself: which rule of school do you find?",
)
def multiply_duals(x, y):
    """Multiply two dual numbers: return the pair (value, tangent) of x·y.

    x stands for x.value + x.tangent·ε, y likewise, and ε² = 0.
    """
    return x.value * y.value, x.tangent * y.value + x.value * y.tangent


multiply_duals.add_hints(
    "Multiply (x.value + x.tangent·ε) by (y.value + y.tangent·ε) as in school: four products.",
    "One of the four holds ε·ε = 0. Two hold ε once: together they are the tangent.",
)


@exercise(
    minutes=4,
    insight="The rule of the quotient, and nothing was looked up.",
    next_try="Divide 1 by the dual number of x: the slope of 1/x.",
)
def divide_duals(x, y):
    """Divide two dual numbers: return the pair (value, tangent) of x / y.

    The quotient q is the dual number with q·y = x.
    """
    value = x.value / y.value
    return value, (x.tangent - value * y.tangent) / y.value


divide_duals.add_hints(
    "Write q·y = x with your rule of the product: what is the tangent of q·y?",
    "q.tangent·y.value + q.value·y.tangent = x.tangent. Solve this for q.tangent.",
)


# 3. A slope put to work


_NEAR = (
    "Near, but not exact: is that a difference of two runs? The tangent carries the slope itself."
)


@exercise(
    near=_NEAR,
    minutes=4,
    insight="One run of f gives the height and the slope, which is all that Newton asks for.",
    next_try="Call it five times in a row on x·x - 2 from x = 1: how many digits of √2 are right?",
)
def newton_step(f, x):
    """Return where the tangent line of f at x meets zero: x - f(x) / f'(x).

    f is written with + - * / and .sin(), so that it runs on your Dual (and
    on Scalar); x is a float. One run of f is enough for both numbers.
    """
    y = f(Dual(x, 1.0))
    return x - y.value / y.tangent


newton_step.add_hints(
    "Make a dual number of x that moves with speed 1, and run f on it once.",
    "The result carries both: its value is f(x), its tangent is f'(x).",
)


# 4. One forward run along a direction


@exercise(
    near=_NEAR,
    minutes=5,
    insight="Any direction takes one run, and no more.",
    next_try="Try the sum of two directions: what do you get, and why is one run enough for it?",
)
def jvp(f, point, direction):
    """Return the JVP: how the outputs of f change along a direction.

    f is called as f(x0, x1, ...), with a Dual for each input. It returns a
    list with a Dual for each output, or a plain number for one that never
    changes (`lift` makes a Dual of either). point and direction are lists of
    floats. Return a list with a float for each output.
    """
    inputs = [Dual(value, tangent) for value, tangent in zip(point, direction, strict=True)]
    return [lift(output).tangent for output in f(*inputs)]


jvp.add_hints(
    "Make a dual number of each input: its value from point, its tangent from direction.",
    "Run f once on all of them, as f(*inputs), lift each output, and read one number from it.",
)


# 5. Do the two belong together?


@exercise(
    minutes=6,
    insight="One number from either side. Random vectors miss a fault by bad luck, or if it is as "
    "small as rounding; for fixed ones a fault can be made that they never see.",
    next_try="Make a fault in J that the vectors v = (1, 2, 3) and u = (1, 2) do not see.",
    uses="import math\nimport random",
)
def is_dual_pair(push, pull, n, m):
    """Tell whether push(v) is Jv and pull(u) is Jᵀu for the same matrix J.

    push takes a list of n floats and returns m, pull takes m and returns n.
    Return True or False. You cannot see J. One call of each is enough. The
    two numbers are equal if math.isclose says so, with rel_tol and abs_tol
    of 1e-9.
    """
    v = [random.gauss(0.0, 1.0) for _ in range(n)]
    u = [random.gauss(0.0, 1.0) for _ in range(m)]
    forward = sum(a * b for a, b in zip(u, push(v), strict=True))
    reverse = sum(a * b for a, b in zip(pull(u), v, strict=True))
    return math.isclose(forward, reverse, rel_tol=1e-9, abs_tol=1e-9)


is_dual_pair.add_hints(
    "u·(Jv) and (Jᵀu)·v are the same number, whatever u and v are.",
    "Draw v with n and u with m random numbers, compute both sides, and compare them by "
    "math.isclose with an absolute tolerance as well.",
)


# 6 and 7. The Jacobian by columns and by rows


@exercise(
    minutes=5,
    insight="n inputs, n runs, whatever the number of outputs.",
    next_try="Build the Jacobian of the first exercise's product rule itself.",
)
def jacobian_by_columns(push, n):
    """Return the Jacobian as a list of rows, from n calls of push.

    push(v) is Jv: it takes a list of n floats, one for each input, and
    returns a float for each output. Row i of the Jacobian belongs to output
    i, column j to input j.
    """
    columns = [push([1.0 if i == j else 0.0 for i in range(n)]) for j in range(n)]
    return [list(row) for row in zip(*columns, strict=True)]


jacobian_by_columns.add_hints(
    "push of the unit vector [0, ..., 1, ..., 0] with the 1 at place j is column j.",
    "zip(*columns) takes the first number of each column, then the second of each, and so on.",
)


@exercise(
    minutes=3,
    insight="m outputs, m sweeps, whatever the number of inputs.",
    next_try="Which of the two would you take for 3 inputs and 3 outputs?",
)
def jacobian_by_rows(pull, m):
    """Return the Jacobian as a list of rows, from m calls of pull.

    pull(u) is Jᵀu: it takes a list of m floats, one for each output, and
    returns a float for each input.
    """
    return [pull([1.0 if i == j else 0.0 for i in range(m)]) for j in range(m)]


jacobian_by_rows.add_hints(
    "pull of a unit vector with the 1 at place i is row i, with a number for each input.",
    "Put the m rows into a list.",
)


# 8. The transposed Jacobian


@exercise(
    minutes=5,
    insight="One run told them apart. A random direction misses the fault only by bad luck; for a "
    "fixed one a Jacobian can be made that it cannot tell from its transpose.",
    next_try="Make a Jacobian that v = (2, 5, -3) cannot tell from its transpose.",
    uses="import math\nimport random",
)
def find_transposed(push, candidates):
    """Return the index of the candidate that is the Jacobian transposed.

    push(v) is Jv, the truth. The candidates are square matrices, as lists
    of rows; all others are right. One call of push, with a random v, is
    enough. Compare by math.isclose with abs_tol=1e-9: its numbers are rounded.
    """
    v = [random.gauss(0.0, 1.0) for _ in candidates[0]]
    truth = push(v)
    for index, matrix in enumerate(candidates):
        product = [sum(a * b for a, b in zip(row, v, strict=True)) for row in matrix]
        pairs = zip(product, truth, strict=True)
        if not all(math.isclose(p, t, abs_tol=1e-9) for p, t in pairs):
            return index
    return None


find_transposed.add_hints(
    "For every v, a right candidate times v is push(v).",
    "Draw one random v, push it once, multiply each candidate by it, and compare every number "
    "by math.isclose with abs_tol=1e-9.",
)


# 9. The order of the brackets


@exercise(
    minutes=6,
    insight="Two orders, two bills, one Jacobian; the layers between have a say in both.",
    next_try="Find sizes for which a bracket that begins in the middle beats both.",
)
def bracket_costs(sizes):
    """Count the multiplications of J_k ··· J_2·J_1 in both orders.

    sizes lists the numbers in each layer, the inputs first: J_1 has the
    shape sizes[1] × sizes[0], J_2 the shape sizes[2] × sizes[1]. A matrix
    of p × q times one of q × r takes p·q·r multiplications. Return two
    counts: from the right, as J_3·(J_2·J_1), first, then from the left, as
    (J_3·J_2)·J_1. For sizes [4, 3, 2, 1] that is (32, 18): no seed is
    multiplied.
    """
    inputs, outputs = sizes[0], sizes[-1]
    from_the_right = sum(inputs * q * p for q, p in zip(sizes[1:], sizes[2:], strict=False))
    from_the_left = sum(outputs * q * p for q, p in zip(sizes, sizes[1:-1], strict=False))
    return from_the_right, from_the_left


bracket_costs.add_hints(
    "J_2·J_1 has the shape sizes[2] × sizes[0] and took sizes[2]·sizes[1]·sizes[0].",
    "From the right every product has sizes[0] columns; from the left, sizes[-1] rows.",
    "A chain of k matrices takes k - 1 products. With one matrix nothing is multiplied.",
)


# 10. The cost of a Jacobian


@exercise(
    minutes=6,
    insight="With as many inputs as outputs the two bills are equal to the last operation.",
    next_try="How many outputs may a function of 1,000 inputs have before columns are cheaper?",
)
def jacobian_costs(operations, rules, edges, inputs, outputs):
    """Count all operations of a whole Jacobian: by columns, then by rows.

    Either way the function (operations) and its local rules (rules) are
    computed once. A sweep multiplies once for each edge. A node stores the
    first number it receives, seed or contribution, and adds each further
    one. Every input is used, and every output is the result of an operation
    of its own; its seed is 1 or 0.
    """
    forward = edges + (edges - operations)
    reverse = edges + (edges - (operations + inputs - outputs))
    once = operations + rules
    return once + inputs * forward, once + outputs * reverse


jacobian_costs.add_hints(
    "A forward sweep has edges - operations additions: each operation stores one contribution.",
    "A reverse sweep has edges - (operations + inputs - outputs): the outputs store their seeds. "
    "For [x·y, x + sin y], with 3 operations and 5 edges, that is 5 - (3 + 2 - 2) = 2 additions.",
    "Then: once the function and its rules, plus the number of sweeps times the cost of one.",
)


# 11. The VJP of a matrix product


@exercise(
    needs="torch",
    seconds=20.0,
    minutes=8,
    insight="As products of matrices: adjoint @ B.T and A.T @ adjoint, which fit any shapes.",
    next_try="What is the adjoint of b in x @ W + b, where b is added to every row?",
)
def matmul_vjp(A, B, adjoint):
    """Return the adjoints of A and B, given the adjoint of C = A @ B.

    The adjoint is a tensor of C's shape. Write the answer with products of
    these tensors; leave autograd aside.
    """
    return adjoint @ B.T, A.T @ adjoint


matmul_vjp.add_hints(
    "Write out one entry: C[i, k] is the sum over j of A[i, j] · B[j, k]. Who uses A[i, j]?",
    "A[i, j] is used by C[i, k] for every k, with the local derivative B[j, k]. Add over k.",
    "The sum over k of adjoint[i, k] · B[j, k] is one entry of a product of two matrices.",
)


# Drills


# Different ones, so that no slip of letters goes unseen; no two of them add up to 0.
_NUMBERS = (-3, -2, 4, 5, 6)


@drill
def drill_tangent(random):
    """Carry one tangent through e = (a + b)(b + 1)."""
    a, b, da, db = random.sample(_NUMBERS, 4)
    return Problem(
        f"$e = (a + b)(b + 1)$ at $a = {a}$, $b = {b}$. The seeds are {da} for $a$ and {db} for "
        "$b$. What is the tangent of $e$?",
        answer=(da + db) * (b + 1) + (a + b) * db,
        why=f"The factors are {a + b} and {b + 1}, their tangents {da + db} and {db}: "
        f"{da + db}·{b + 1} + {a + b}·{db}.",
    )


@drill
def drill_adjoint(random):
    """Pull two weights back through f₁ = x·y, f₂ = x + y."""
    x, y, u1, u2 = random.sample(_NUMBERS, 4)
    return Problem(
        f"$f_1 = x y$ and $f_2 = x + y$ at $x = {x}$, $y = {y}$. The adjoints of the outputs are "
        f"{u1} and {u2}. What is the adjoint of $x$?",
        answer=u1 * y + u2,
        why=f"$x$ receives {u1}·{y} from $f_1$, whose slope by $x$ is $y$, and {u2}·1 from $f_2$.",
    )


@drill
def drill_sweeps(random):
    """Say how few sweeps give a whole Jacobian."""
    n, m = random.sample((random.randint(1, 9), random.randint(20, 900)), 2)
    mode = "forward, one for each input" if n <= m else "in reverse, one for each output"
    sizes = f"{n} input{'s' * (n > 1)} and {m} output{'s' * (m > 1)}"
    return Problem(
        f"A function has {sizes}. What is the smallest number of sweeps that gives its whole "
        "Jacobian, all in one direction?",
        answer=min(n, m),
        why=f"Forward takes {n}, reverse takes {m}: so {min(n, m)}, {mode}.",
    )


# What answers are tried on, and the mistakes that are recognised: they need the exercises above.
from . import _checks02, _wrong02, _wrong02_pairs  # noqa: E402, F401
