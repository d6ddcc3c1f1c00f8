"""Exercises of notebook 02, forward and reverse mode: tangents, adjoints, and what they cost.

All but the last are plain Python; torch is imported where a call needs it, so that the others also
run in a browser without it.
"""

from __future__ import annotations

import math
import random

from .drills import Problem, drill
from .duals02 import (
    CYCLE,
    LARGE,
    MATRICES,
    SLIGHTLY_OFF,
    SQUARE,
    STRONG,
    WIDE,
    Dual,
    Pair,
    as_lists,
    balanced_fault,
    central,
    close,
    exact,
    first_that_differs,
    frame,
    lift,
    random_matrix,
    rounded,
    rounded_up,
    shape,
    times,
    transpose,
    with_entry,
)
from .framework import case, exercise

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


@multiply_duals.cases
def _factors():
    return [
        case(Pair(3.0, 1.0), Pair(2.0, 0.0)),
        case(Pair(3.0, 1.0), Pair(3.0, 1.0)),
        case(Pair(-1.0, 2.0), Pair(4.0, 0.5)),
        case(Pair(0.0, 1.0), Pair(5.0, -3.0)),
    ]


@multiply_duals.random_cases
def _random_factors(random):
    numbers = [random.uniform(-3.0, 3.0) for _ in range(4)]
    return [case(Pair(*numbers[:2]), Pair(*numbers[2:]))]


@multiply_duals.mistake(
    "This operator is what you are writing: take the numbers .value and .tangent of x and y."
)
def _by_the_operator(x, y):
    return x * y


@multiply_duals.mistake("The two are swapped: the value comes first, then the tangent.")
def _tangent_first(x, y):
    return multiply_duals.reference(x, y)[::-1]


@multiply_duals.mistake("The tangents are not multiplied with each other: ε·ε is 0.")
def _tangents_multiplied(x, y):
    return x.value * y.value, x.tangent * y.tangent


@multiply_duals.mistake("ε·ε is 0, so the product of the two tangents has no place.")
def _third_term_kept(x, y):
    value, tangent = multiply_duals.reference(x, y)
    return value, tangent + x.tangent * y.tangent


@multiply_duals.mistake("What arrives from y is lost: y moves too.")
def _product_only_from_x(x, y):
    return x.value * y.value, x.tangent * y.value


@multiply_duals.mistake("What arrives from x is lost: x moves too.")
def _product_only_from_y(x, y):
    return x.value * y.value, x.value * y.tangent


@multiply_duals.mistake("Each tangent meets the value of the *other* factor.")
def _own_values(x, y):
    return x.value * y.value, x.tangent * x.value + y.tangent * y.value


@multiply_duals.mistake("That is the tangent of the sum x + y.")
def _as_a_sum(x, y):
    return x.value * y.value, x.tangent + y.tangent


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


@divide_duals.cases
def _quotients():
    return [
        case(Pair(6.0, 1.0), Pair(2.0, 0.0)),
        case(Pair(6.0, 1.0), Pair(2.0, 0.5)),
        case(Pair(1.0, 0.0), Pair(-4.0, 1.0)),
        case(Pair(-3.0, 2.0), Pair(0.5, -1.5)),
        case(Pair(0.0, 1.0), Pair(5.0, 1.0)),
    ]


@divide_duals.random_cases
def _random_quotients(random):
    x = Pair(random.uniform(-3.0, 3.0), random.uniform(-3.0, 3.0))
    return [case(x, Pair(random.choice((-1, 1)) * random.uniform(0.5, 3.0), random.random()))]


@divide_duals.mistake(
    "This operator is what you are writing: take the numbers .value and .tangent of x and y."
)
def _quotient_by_the_operator(x, y):
    return x / y


@divide_duals.mistake("The denominator is squared in the rule of the quotient.")
def _denominator_not_squared(x, y):
    return x.value / y.value, (x.tangent * y.value - x.value * y.tangent) / y.value


@divide_duals.mistake("The tangents are not divided by each other: ε has no inverse.")
def _tangents_divided(x, y):
    return x.value / y.value, x.tangent / y.tangent


@divide_duals.mistake("Both signs are turned: x / y grows with x, for a positive y.")
def _both_signs(x, y):
    value, tangent = divide_duals.reference(x, y)
    return value, -tangent


@divide_duals.mistake("The minus sign is lost: x / y shrinks when a positive y grows.")
def _no_minus(x, y):
    value = x.value / y.value
    return value, (x.tangent + value * y.tangent) / y.value


@divide_duals.mistake("What arrives from y is lost: y moves too.")
def _only_from_x(x, y):
    return x.value / y.value, x.tangent / y.value


@divide_duals.mistake("What arrives from x is lost: add what arrives from x and from y.")
def _only_from_y(x, y):
    return x.value / y.value, -x.value / y.value**2 * y.tangent


@divide_duals.mistake("The square is lost: the slope of x / y by y is -x / y².")
def _no_square(x, y):
    return x.value / y.value, x.tangent / y.value - x.value / y.value * y.tangent


divide_duals.add_hints(
    "Write q·y = x with your rule of the product: what is the tangent of q·y?",
    "q.tangent·y.value + q.value·y.tangent = x.tangent. Solve this for q.tangent.",
)


# 3. A slope put to work


_ON_FLOATS = "f runs on dual numbers here: a float has no tangent, and no .sin()."


@exact(
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


@newton_step.cases
def _starts():
    starts = [
        (lambda x: x * x - 2, "x·x - 2", 1.0),
        (lambda x: x * x - 2, "x·x - 2", 2.0),
        (lambda x: x.sin() + x * 0.5 + 0.25, "sin x + x/2 + 1/4", 1.0),
        (lambda x: x.sin() + x * 0.5 + 0.25, "sin x + x/2 + 1/4", 2.0),
        (lambda x: 1 / (x * x) + x.sin(), "1/x² + sin x", 0.01),  # which no difference gets right
    ]
    return [case(f, x, label=f"f = {text} at x = {x}") for f, text, x in starts]


@newton_step.random_cases
def _random_starts(random):
    x = random.uniform(0.5, 2.0)
    return [case(lambda x: x * x * x / 4.0 + x, x, label=f"f = x³/4 + x at x = {x}")]


@newton_step.mistake("Without a seed the tangent is 0: give x the tangent 1.")
def _unseeded(f, x):
    y = f(Dual(x))
    return x - y.value / y.tangent


@newton_step.mistake("The tangent of x is 1, not x: by itself, x changes at the rate 1.")
def _seeded_with_x(f, x):
    y = f(Dual(x, x))
    return x - y.value / y.tangent


@newton_step.mistake("The sign: from a positive height on a rising line, zero lies to the left.")
def _wrong_sign(f, x):
    y = f(Dual(x, 1.0))
    return x + y.value / y.tangent


@newton_step.mistake("That is a step of gradient descent: divide by the slope, do not multiply.")
def _descent(f, x):
    return x - f(Dual(x, 1.0)).tangent


@newton_step.mistake("The tangent line is divided the wrong way round: height ÷ slope is a width.")
def _upside_down(f, x):
    y = f(Dual(x, 1.0))
    return x - y.tangent / y.value


@newton_step.mistake(_ON_FLOATS)
def _newton_on_floats(f, x):
    (slope,) = central(lambda t: [f(t)], [x], [1.0], 1e-5)
    return x - f(x) / slope


@newton_step.method("More runs than needed: one run of f gives the height and the slope.")
def _one_run_for_both(call):
    return call.calls_of(call.arguments[0]) <= 1


newton_step.add_hints(
    "Make a dual number of x that moves with speed 1, and run f on it once.",
    "The result carries both: its value is f(x), its tangent is f'(x).",
)


# 4. One forward run along a direction


@exact(
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


@jvp.cases
def _directions():
    two, three = "[x·y, x + sin y]", "[x·x, x/y, x·sin y]"
    starts = [
        (lambda x, y: [x * y, x + y.sin()], two, [2.0, 1.0], [1.0, 0.0]),
        (lambda x, y: [x * y, x + y.sin()], two, [2.0, 1.0], [3.0, -1.0]),
        (lambda x, y: [x * x, x / y, y.sin() * x], three, [0.5, 2.0], [1.0, 2.0]),
        (lambda x, y: [1 / (x * x), y.sin() - x], "[1/x², sin y - x]", [0.01, 0.01], [1.0, 1.0]),
        (lambda x, y: [1.0, 2.0], "[1, 2], always", [2.0, 1.0], [1.0, 1.0]),
    ]
    return [case(f, x, v, label=f"f(x, y) = {text} at {x} along {v}") for f, text, x, v in starts]


@jvp.random_cases
def _random_directions(random):
    point, direction = ([random.uniform(-2.0, 2.0) for _ in range(3)] for _ in range(2))
    text = f"f(x, y, z) = [(x + y)(z + 1)] at {point} along {direction}"
    return [case(lambda x, y, z: [(x + y) * (z + 1)], point, direction, label=text)]


def _tangents(outputs):
    return [lift(output).tangent for output in outputs]


@jvp.mistake("Those are the values. The changes travel in the tangents.")
def _values(f, point, direction):
    outputs = f(*map(Dual, point, direction))
    return [output.value if isinstance(output, Dual) else 0.0 for output in outputs]


@jvp.mistake("An output may be a plain number, which does not change: lift each output first.")
def _not_lifted(f, point, direction):
    return [output.tangent for output in f(*map(Dual, point, direction))]


@jvp.mistake("Every input moves with speed 1 here. Seed input i with direction[i].")
def _all_ones(f, point, direction):
    return _tangents(f(*(Dual(value, 1.0) for value in point)))


@jvp.mistake("Only the first output is left. Return a list with all of them.")
def _first_output(f, point, direction):
    return f(*map(Dual, point, direction))[0].tangent


@jvp.mistake("Point and direction are swapped: Dual takes the value first.")
def _swapped(f, point, direction):
    return _tangents(f(*map(Dual, direction, point)))


@jvp.mistake(_ON_FLOATS)
def _jvp_on_floats(f, point, direction):
    return central(f, point, direction, 1e-5)


@jvp.method("More runs than needed: one run of f is enough for any direction.")
def _one_run(call):
    return call.calls_of(call.arguments[0]) <= 1


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


def _pair(matrix, pulled, text):
    n, m = len(matrix[0]), len(matrix)
    return case(times(matrix), times(pulled), n, m, label=text)


@is_dual_pair.cases
def _pairs():
    wide = transpose(WIDE)
    return [
        _pair(WIDE, rounded(wide), "a true pair, J of shape 2 × 3"),
        _pair(SQUARE, SQUARE, "pull(u) = Ju instead of Jᵀu, J of shape 3 × 3"),
        _pair(CYCLE, CYCLE, "pull(u) = Ju instead of Jᵀu, J a permutation"),
        _pair(WIDE, with_entry(wide, 2, 1, 0.8), "one entry of Jᵀ is 0.8 instead of 0.7"),
        _pair(WIDE, [[-a for a in row] for row in wide], "pull(u) = -Jᵀu"),
        _pair(SQUARE, balanced_fault(), "two entries of Jᵀ wrong by 1 and -1"),
        *_again(LARGE, rounded(transpose(LARGE)), "a true pair, J of shape 7 × 9"),
        *_again(SQUARE, SQUARE, "pull(u) = Ju instead of Jᵀu, J of shape 3 × 3"),
        *_again(CYCLE, CYCLE, "pull(u) = Ju instead of Jᵀu, J a permutation"),
        *_again(STRONG, SLIGHTLY_OFF, "Jᵀu is too large by one part in two million"),
    ]


def _again(matrix, pulled, text):
    """Return the same case ten times: an answer draws new vectors for each."""
    return [_pair(matrix, pulled, text) for _ in range(10)]


@is_dual_pair.random_cases
def _random_pairs(random):
    true = [[random.uniform(-1.0, 1.0) for _ in range(9)] for _ in range(7)]
    return [_pair(true, rounded(transpose(true)), "a true pair, J of shape 7 × 9, random entries")]


def _two_numbers(push, pull, v, u):
    forward = sum(a * b for a, b in zip(u, push(v), strict=True))
    return forward, sum(a * b for a, b in zip(pull(u), v, strict=True))


def _drawn(push, pull, n, m):
    source = random.Random(1)
    return _two_numbers(push, pull, *([source.gauss(0.0, 1.0) for _ in range(k)] for k in (n, m)))


@is_dual_pair.mistake("With vectors of ones a transposed square matrix passes: take random ones.")
def _with_ones(push, pull, n, m):
    return close(*_two_numbers(push, pull, [1.0] * n, [1.0] * m))


@is_dual_pair.mistake(
    "Your u equals your v: then a square J and its transpose give the same number. Draw two."
)
def _same_vector(push, pull, n, m):
    v = [random.gauss(0.0, 1.0) for _ in range(max(n, m))]
    return close(*_two_numbers(push, pull, v[:n], v[:m]))


@is_dual_pair.mistake("Always True: then there is nothing that the test could find.")
def _always(push, pull, n, m):
    return True


@is_dual_pair.mistake("One entry of J is compared. A fault in another one goes unseen.")
def _one_entry(push, pull, n, m):
    return close(*_two_numbers(push, pull, [1.0] + [0.0] * (n - 1), [1.0] + [0.0] * (m - 1)))


@is_dual_pair.mistake("Compared by ==: two sums in another order differ in their last digits.")
def _exactly(push, pull, n, m):
    return False  # true pairs differ by rounding here, so == never holds


@is_dual_pair.mistake(
    "A tolerance too wide: rounding leaves 15 digits, and a fault in the seventh passes yours."
)
def _too_tolerant(push, pull, n, m):
    return math.isclose(*_drawn(push, pull, n, m), rel_tol=1e-5, abs_tol=1e-8)


@is_dual_pair.mistake("The sign counts too: compare the two numbers, not their sizes.")
def _sizes(push, pull, n, m):
    return close(*map(abs, _drawn(push, pull, n, m)))


@is_dual_pair.method("More calls than needed: one push and one pull are enough.")
def _one_of_each(call):
    return call.calls_of(call.arguments[0]) <= 2  # push and pull are made by the same code


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


@jacobian_by_columns.cases
def _push_cases():
    return [case(times(one), len(one[0]), label=shape(one)) for one in MATRICES]


@jacobian_by_columns.random_cases
def _random_push_cases(random):
    one = random_matrix(random)
    return [case(times(one), len(one[0]), label=shape(one))]


@jacobian_by_columns.mistake(
    "Each push gives a column, and you have laid the columns down as rows: this is the transpose. "
    "Rows are outputs."
)
def _columns_as_rows(push, n):
    return transpose(jacobian_by_columns.reference(push, n))


@jacobian_by_columns.mistake("All inputs move at once: that adds up the columns.")
def _pushed_all(push, n):
    return push([1.0] * n)


@jacobian_by_columns.mistake("Every seed is all ones: each push is then the sum of all columns.")
def _ones_pushed_again(push, n):
    return transpose([push([1.0] * n) for _ in range(n)])


@jacobian_by_columns.mistake("The seed of the input before is still set: clear it.")
def _seed_not_cleared(push, n):
    columns = [push([1.0 if i <= j else 0.0 for i in range(n)]) for j in range(n)]
    return transpose(columns)


@jacobian_by_columns.method("More runs than needed: one push for each input is enough.")
def _n_pushes(call):
    return call.calls_of(call.arguments[0]) <= call.arguments[1]


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


@jacobian_by_rows.cases
def _pull_cases():
    return [case(times(transpose(one)), len(one), label=shape(one)) for one in MATRICES]


@jacobian_by_rows.random_cases
def _random_pull_cases(random):
    one = random_matrix(random)
    return [case(times(transpose(one)), len(one), label=shape(one))]


@jacobian_by_rows.mistake("Each pull is a row already: nothing is to be transposed here.")
def _rows_transposed(pull, m):
    return transpose(jacobian_by_rows.reference(pull, m))


@jacobian_by_rows.mistake("All outputs are seeded at once: that adds up the rows.")
def _pulled_all(pull, m):
    return pull([1.0] * m)


@jacobian_by_rows.mistake("Every seed is all ones: each pull is then the sum of all rows.")
def _ones_pulled_again(pull, m):
    return [pull([1.0] * m) for _ in range(m)]


@jacobian_by_rows.mistake("The seed of the output before is still set: clear it.")
def _row_seed_not_cleared(pull, m):
    return [pull([1.0 if i <= j else 0.0 for i in range(m)]) for j in range(m)]


@jacobian_by_rows.method("More sweeps than needed: one pull for each output is enough.")
def _m_pulls(call):
    return call.calls_of(call.arguments[0]) <= call.arguments[1]


jacobian_by_rows.add_hints(
    "pull of a unit vector with the 1 at place i is row i, with a number for each input.",
    "Put the m rows into a list.",
)


# 8. The transposed Jacobian


@exercise(
    minutes=5,
    insight="One run told them apart. A random direction misses the fault only by bad luck.",
    next_try="Is there a square Jacobian that no test of this kind can call transposed?",
    uses="import random",
)
def find_transposed(push, candidates):
    """Return the index of the candidate that is the Jacobian transposed.

    push(v) is Jv, the truth. The candidates are square matrices, as lists
    of rows; all others are right. One call of push is enough.
    """
    v = [random.gauss(0.0, 1.0) for _ in candidates[0]]
    truth = push(v)
    for index, matrix in enumerate(candidates):
        product = [sum(a * b for a, b in zip(row, v, strict=True)) for row in matrix]
        if any(abs(p - t) > 1e-9 for p, t in zip(product, truth, strict=True)):
            return index
    return None


@find_transposed.cases
def _candidates():
    return [
        _suspects([[1.0, 2.0], [0.0, 3.0]], 1, 3, "2 × 2"),
        _suspects(SQUARE, 0, 2, "3 × 3"),
        _suspects(SQUARE, 1, 2, "3 × 3"),
        _suspects(CYCLE, 3, 4, "a permutation"),
        *(_suspects(frame(k), 2, 3, f"3 × 3, row {k} like column {k}") for k in range(3)),
    ]


def _suspects(right, transposed, count, text):
    given = [transpose(right) if i == transposed else right for i in range(count)]
    return case(rounded_up(times(right)), given, label=f"{count} candidates, {text}")


@find_transposed.random_cases
def _random_candidates(random):
    right = [[random.uniform(-1.0, 1.0) for _ in range(4)] for _ in range(4)]
    return [_suspects(right, random.randrange(3), 3, "4 × 4, random entries")]


@find_transposed.mistake("Compared by ==: rounding differs. Right products agree up to rounding.")
def _compared_exactly(push, candidates):
    return 0


@find_transposed.mistake("That is a right one: its product with v is push(v).")
def _a_right_one(push, candidates):
    return 1 if find_transposed.reference(push, candidates) == 0 else 0


@find_transposed.mistake("The odd one out is not the wrong one when there are two: ask push.")
def _odd_one_out(push, candidates):
    return next((i for i, one in enumerate(candidates) if candidates.count(one) == 1), None)


@find_transposed.mistake("With a vector of ones a permutation and its transpose look alike.")
def _by_ones(push, candidates):
    return first_that_differs(push, candidates, [1.0] * len(candidates[0]))


@find_transposed.mistake("One unit vector compares one column: it misses what lies elsewhere.")
def _by_one_column(push, candidates):
    return first_that_differs(push, candidates, [1.0] + [0.0] * (len(candidates[0]) - 1))


@find_transposed.mistake("The answer is an index, not the matrix itself.")
def _the_matrix(push, candidates):
    return candidates[find_transposed.reference(push, candidates)]


@find_transposed.method("More runs than needed: one push serves all candidates.")
def _one_push(call):
    return call.calls_of(call.arguments[0]) <= 1


find_transposed.add_hints(
    "For every v, a right candidate times v is push(v).",
    "Draw one random v, push it once, and multiply each candidate by it.",
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


@bracket_costs.cases
def _chains():
    return [
        case([4, 3, 2, 1]),
        case([1, 2, 3, 4]),
        case([5, 7]),
        case([1000, 100, 100, 1]),
        case([2, 50, 3, 50, 4]),
    ]


@bracket_costs.random_cases
def _random_chains(random):
    return [case([random.randint(1, 20) for _ in range(random.randint(3, 6))])]


@bracket_costs.mistake("The two are swapped: from the right, J_2·J_1 comes first.")
def _left_first(sizes):
    return bracket_costs.reference(sizes)[::-1]


@bracket_costs.mistake("One product too many: J_1 itself, or J_k, is there from the beginning.")
def _one_too_many(sizes):
    pairs = list(zip(sizes, sizes[1:], strict=False))
    return sizes[0] * sum(p * q for p, q in pairs), sizes[-1] * sum(p * q for p, q in pairs)


@bracket_costs.mistake("Those are the counts for one vector. Here whole matrices are multiplied.")
def _for_one_vector(sizes):
    pairs = list(zip(sizes, sizes[1:], strict=False))
    return sum(p * q for p, q in pairs[1:]), sum(p * q for p, q in pairs[:-1])


@bracket_costs.mistake("You carry a vector through, from either end: here no vector is multiplied.")
def _vector_through_all(sizes):
    work = sum(p * q for p, q in zip(sizes, sizes[1:], strict=False))
    return work, work


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


@jacobian_costs.cases
def _graphs():
    return [
        case(3, 0, 5, 2, 1),
        case(3, 2, 4, 1, 3),
        case(6, 2, 10, 3, 3),
        case(299_999, 100_000, 499_998, 100_001, 1),
    ]


@jacobian_costs.random_cases
def _random_graphs(random):
    inputs, outputs, unary = (random.randint(1, 9) for _ in range(3))
    binary = inputs + outputs + random.randint(1, 20)
    return [case(unary + binary, unary, unary + 2 * binary, inputs, outputs)]


@jacobian_costs.mistake("The two are swapped: columns take a forward sweep for each input.")
def _rows_first(operations, rules, edges, inputs, outputs):
    return jacobian_costs.reference(operations, rules, edges, inputs, outputs)[::-1]


def _sweeps(operations, edges, inputs, outputs):
    return 2 * edges - operations, 2 * edges - (operations + inputs - outputs)


@jacobian_costs.mistake("Columns take a sweep for each *input*, rows one for each *output*.")
def _other_numbers(operations, rules, edges, inputs, outputs):
    forward, reverse = _sweeps(operations, edges, inputs, outputs)
    once = operations + rules
    return once + outputs * forward, once + inputs * reverse


@jacobian_costs.mistake("The function and its local rules are missing: they are computed too.")
def _sweeps_only(operations, rules, edges, inputs, outputs):
    forward, reverse = _sweeps(operations, edges, inputs, outputs)
    return inputs * forward, outputs * reverse


@jacobian_costs.mistake("The function and its rules are computed once, not anew for each sweep.")
def _each_anew(operations, rules, edges, inputs, outputs):
    forward, reverse = _sweeps(operations, edges, inputs, outputs)
    once = operations + rules
    return inputs * (once + forward), outputs * (once + reverse)


@jacobian_costs.mistake("The additions of the sweeps are missing.")
def _multiplications_only(operations, rules, edges, inputs, outputs):
    return operations + rules + inputs * edges, operations + rules + outputs * edges


@jacobian_costs.mistake("The function is computed once, not anew for each sweep.")
def _function_anew(operations, rules, edges, inputs, outputs):
    forward, reverse = _sweeps(operations, edges, inputs, outputs)
    return rules + inputs * (operations + forward), rules + outputs * (operations + reverse)


@jacobian_costs.mistake("The local rules are computed once, not anew for each sweep.")
def _rules_anew(operations, rules, edges, inputs, outputs):
    forward, reverse = _sweeps(operations, edges, inputs, outputs)
    return operations + inputs * (rules + forward), operations + outputs * (rules + reverse)


@jacobian_costs.mistake("The first number that a node receives is stored, not added.")
def _every_contribution_added(operations, rules, edges, inputs, outputs):
    once = operations + rules
    return once + inputs * 2 * edges, once + outputs * 2 * edges


@jacobian_costs.mistake("In reverse the inputs store a first number too, and the outputs a seed.")
def _forward_additions_twice(operations, rules, edges, inputs, outputs):
    forward, _ = _sweeps(operations, edges, inputs, outputs)
    once = operations + rules
    return once + inputs * forward, once + outputs * forward


@jacobian_costs.mistake("In reverse *each* output stores a seed, 0 or 1: not only one of them.")
def _one_seed(operations, rules, edges, inputs, outputs):
    forward, _ = _sweeps(operations, edges, inputs, outputs)
    reverse = 2 * edges - (operations + inputs - 1)
    once = operations + rules
    return once + inputs * forward, once + outputs * reverse


@jacobian_costs.mistake("That is one sweep each way: columns take one for each input, and so on.")
def _one_sweep(operations, rules, edges, inputs, outputs):
    forward, reverse = _sweeps(operations, edges, inputs, outputs)
    return operations + rules + forward, operations + rules + reverse


@jacobian_costs.mistake("The local rules are missing: a sine in f costs a cosine for its rule.")
def _no_rules(operations, rules, edges, inputs, outputs):
    return jacobian_costs.reference(operations, 0, edges, inputs, outputs)


jacobian_costs.add_hints(
    "A forward sweep has edges - operations additions: each operation stores one contribution.",
    "A reverse sweep has edges - (operations + inputs - outputs): the outputs store their seeds.",
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


@matmul_vjp.cases
def _products():
    import torch

    generator = torch.Generator().manual_seed(0)
    cases = []
    for m, n, p in ((2, 3, 4), (3, 1, 2), (3, 3, 3)):
        shapes = ((m, n), (n, p), (m, p))
        tensors = [torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes]
        cases.append(case(*tensors, label=f"A of shape {shapes[0]}, B of shape {shapes[1]}"))
    return cases


@matmul_vjp.mistake(
    "The factors are not transposed. A shape error, or for square matrices a wrong number, is the "
    "sign: the adjoint of A must have A's shape."
)
def _not_transposed(A, B, adjoint):
    return adjoint @ B, A @ adjoint


@matmul_vjp.mistake("The two are swapped: the adjoint of A comes first.")
def _b_first(A, B, adjoint):
    return A.T @ adjoint, adjoint @ B.T


@matmul_vjp.mistake("Matrices do not commute: the adjoint stands left of Bᵀ and right of Aᵀ.")
def _wrong_sides(A, B, adjoint):
    return B.T @ adjoint, adjoint @ A.T


@matmul_vjp.mistake("Each result is transposed: the adjoint of A must have A's shape.")
def _results_transposed(A, B, adjoint):
    return B @ adjoint.T, adjoint.T @ A


@matmul_vjp.mistake("Entry by entry is the rule of A ∘ B. Here rows meet columns: use @.")
def _entry_wise(A, B, adjoint):
    return adjoint * B, A * adjoint


_NO_ADJOINT = "The adjoint of C is not used: it says how much each entry of C counts."


@matmul_vjp.mistake(_NO_ADJOINT)
def _factors_alone(A, B, adjoint):
    return B.T, A.T


@matmul_vjp.mistake(_NO_ADJOINT)
def _adjoint_of_ones(A, B, adjoint):
    ones = adjoint * 0 + 1
    return ones @ B.T, A.T @ ones


@matmul_vjp.mistake("Two adjoints are asked for: that of A, then that of B.")
def _only_for_a(A, B, adjoint):
    return adjoint @ B.T


@matmul_vjp.method(
    "Right numbers, and a good way to check yours: but here PyTorch's reverse sweep has done the "
    "work. Write the two products yourself."
)
def _without_autograd(call):
    import torch

    return not call.calls_of(torch.autograd.grad, torch.autograd.backward)


matmul_vjp.add_hints(
    "Write out one entry: C[i, k] is the sum over j of A[i, j] · B[j, k]. Who uses A[i, j]?",
    "A[i, j] is used by C[i, k] for every k, with the local derivative B[j, k]. Add over k.",
    "The sum over k of adjoint[i, k] · B[j, k] is one entry of a product of two matrices.",
)


# Drills


@drill
def drill_tangent(random):
    """Carry one tangent through e = (a + b)(b + 1)."""
    a, b, da, db = (random.choice((-3, -2, 2, 3, 4)) for _ in range(4))
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
    x, y, u1, u2 = (random.choice((-3, -2, 2, 3, 4)) for _ in range(4))
    return Problem(
        f"$f_1 = x y$ and $f_2 = x + y$ at $x = {x}$, $y = {y}$. The adjoints of the outputs are "
        f"{u1} and {u2}. What is the adjoint of $x$?",
        answer=u1 * y + u2,
        why=f"$x$ receives {u1}·{y} from $f_1$, whose slope by $x$ is $y$, and {u2}·1 from $f_2$.",
    )


@drill
def drill_sweeps(random):
    """Say how few sweeps give a whole Jacobian."""
    n, m = random.choice((1, 2, 3, 40, 500)), random.choice((1, 4, 30, 600))
    mode = "forward, one for each input" if n <= m else "in reverse, one for each output"
    sizes = f"{n} input{'s' * (n > 1)} and {m} output{'s' * (m > 1)}"
    return Problem(
        f"A function has {sizes}. What is the smallest number of sweeps that gives its whole "
        "Jacobian, all in one direction?",
        answer=min(n, m),
        why=f"Forward takes {n}, reverse takes {m}: so {min(n, m)}, {mode}.",
    )
