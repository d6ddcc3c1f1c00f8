"""Typical wrong answers to the exercises of notebook 02, and what is said of each."""

from __future__ import annotations

import math

from .duals02 import (
    Dual,
    central,
    lift,
    transpose,
)
from .ex02 import (
    bracket_costs,
    divide_duals,
    jacobian_by_columns,
    jacobian_by_rows,
    jacobian_costs,
    jvp,
    matmul_vjp,
    multiply_duals,
    newton_step,
)

multiply_duals.add_mistakes(
    "This operator is what you are writing: take the numbers .value and .tangent of x and y.",
    lambda x, y: x * y,
    "The two are swapped: the value comes first, then the tangent.",
    lambda x, y: multiply_duals.reference(x, y)[::-1],
    "The tangents are not multiplied with each other: ε·ε is 0.",
    lambda x, y: (x.value * y.value, x.tangent * y.tangent),
)


@multiply_duals.mistake("ε·ε is 0, so the product of the two tangents has no place.")
def _third_term_kept(x, y):
    value, tangent = multiply_duals.reference(x, y)
    return value, tangent + x.tangent * y.tangent


multiply_duals.add_mistakes(
    "What arrives from y is lost: y moves too.",
    lambda x, y: (x.value * y.value, x.tangent * y.value),
    "What arrives from x is lost: x moves too.",
    lambda x, y: (x.value * y.value, x.value * y.tangent),
    "Each tangent meets the value of the *other* factor.",
    lambda x, y: (x.value * y.value, x.tangent * x.value + y.tangent * y.value),
    "That is the tangent of the sum x + y.",
    lambda x, y: (x.value * y.value, x.tangent + y.tangent),
)


divide_duals.add_mistakes(
    "This operator is what you are writing: take the numbers .value and .tangent of x and y.",
    lambda x, y: x / y,
    "The denominator is squared in the rule of the quotient.",
    lambda x, y: (x.value / y.value, (x.tangent * y.value - x.value * y.tangent) / y.value),
    "The tangents are not divided by each other: ε has no inverse.",
    lambda x, y: (x.value / y.value, x.tangent / y.tangent),
)


@divide_duals.mistake("Both signs are turned: x / y grows with x, for a positive y.")
def _both_signs(x, y):
    value, tangent = divide_duals.reference(x, y)
    return value, -tangent


@divide_duals.mistake("The minus sign is lost: x / y shrinks when a positive y grows.")
def _no_minus(x, y):
    value = x.value / y.value
    return value, (x.tangent + value * y.tangent) / y.value


divide_duals.add_mistakes(
    "What arrives from y is lost: y moves too.",
    lambda x, y: (x.value / y.value, x.tangent / y.value),
    "What arrives from x is lost: add what arrives from x and from y.",
    lambda x, y: (x.value / y.value, -x.value / y.value**2 * y.tangent),
    "The square is lost: the slope of x / y by y is -x / y².",
    lambda x, y: (x.value / y.value, x.tangent / y.value - x.value / y.value * y.tangent),
)


# newton_step


_ON_FLOATS = "f runs on dual numbers here: a float has no tangent, and no .sin()."


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


def _steps(number):
    def answer(f, x):
        for _ in range(number):
            x = newton_step.reference(f, x)
        return x

    return answer


def _with_a_small_seed(size):
    def answer(f, x):
        y = f(Dual(x, size))
        return x - y.value / y.tangent

    return answer


for _number in (2, 3, 5, 10, 20, 50, 100):
    newton_step.add_mistakes("One step only: a loop around it comes later.", _steps(_number))
for _size in (1e-8, 1e-6, 1e-5, 1e-4, 1e-3):
    newton_step.add_mistakes("ε is no small step: give x the tangent 1.", _with_a_small_seed(_size))


@newton_step.mistake("The tangent line is divided the wrong way round: height ÷ slope is a width.")
def _upside_down(f, x):
    y = f(Dual(x, 1.0))
    return x - y.tangent / y.value


@newton_step.mistake(_ON_FLOATS)
def _newton_on_floats(f, x):
    (slope,) = central(lambda t: [f(t)], [x], [1.0], 1e-5)
    return x - f(x) / slope


# jvp


def _tangents(outputs):
    return [lift(output).tangent for output in outputs]


@jvp.mistake("Those are the values. The changes travel in the tangents.")
def _values(f, point, direction):
    outputs = f(*map(Dual, point, direction))
    return [output.value if isinstance(output, Dual) else 0.0 for output in outputs]


jvp.add_mistakes(
    "An output may be a plain number, which does not change: lift each output first.",
    lambda f, point, direction: [output.tangent for output in f(*map(Dual, point, direction))],
    "Every input moves with speed 1 here. Seed input i with direction[i].",
    lambda f, point, direction: _tangents(f(*(Dual(value, 1.0) for value in point))),
    "Only the first output is left. Return a list with all of them.",
    lambda f, point, direction: f(*map(Dual, point, direction))[0].tangent,
    "Point and direction are swapped: Dual takes the value first.",
    lambda f, point, direction: _tangents(f(*map(Dual, direction, point))),
    _ON_FLOATS,
    lambda f, point, direction: central(f, point, direction, 1e-5),
)


jacobian_by_columns.add_mistakes(
    "Each push gives a column, and you have laid the columns down as rows: this is the transpose. "
    "Rows are outputs.",
    lambda push, n: transpose(jacobian_by_columns.reference(push, n)),
    "All inputs move at once: that adds up the columns.",
    lambda push, n: push([1.0] * n),
    "Every seed is all ones: each push is then the sum of all columns.",
    lambda push, n: transpose([push([1.0] * n) for _ in range(n)]),
)


@jacobian_by_columns.mistake("The seed of the input before is still set: clear it.")
def _seed_not_cleared(push, n):
    columns = [push([1.0 if i <= j else 0.0 for i in range(n)]) for j in range(n)]
    return transpose(columns)


jacobian_by_rows.add_mistakes(
    "Each pull is a row already: nothing is to be transposed here.",
    lambda pull, m: transpose(jacobian_by_rows.reference(pull, m)),
    "All outputs are seeded at once: that adds up the rows.",
    lambda pull, m: pull([1.0] * m),
    "Every seed is all ones: each pull is then the sum of all rows.",
    lambda pull, m: [pull([1.0] * m) for _ in range(m)],
    "The seed of the output before is still set: clear it.",
    lambda pull, m: [pull([1.0 if i <= j else 0.0 for i in range(m)]) for j in range(m)],
)


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


@bracket_costs.mistake("A product meets the whole result so far, not the next matrix alone.")
def _neighbours_only(sizes):
    work = sum(map(math.prod, zip(sizes, sizes[1:], sizes[2:], strict=False)))
    return work, work


@bracket_costs.mistake("You carry a vector through, from either end: here no vector is multiplied.")
def _vector_through_all(sizes):
    work = sum(p * q for p, q in zip(sizes, sizes[1:], strict=False))
    return work, work


# jacobian_costs


def _sweeps(operations, edges, inputs, outputs):
    return 2 * edges - operations, 2 * edges - (operations + inputs - outputs)


@jacobian_costs.mistake("The two are swapped: columns take a forward sweep for each input.")
def _rows_first(operations, rules, edges, inputs, outputs):
    return jacobian_costs.reference(operations, rules, edges, inputs, outputs)[::-1]


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


@jacobian_costs.mistake("Not one node alone stores its first number: each one that receives does.")
def _one_stores(operations, rules, edges, inputs, outputs):
    once, sweep = operations + rules, edges + edges - 1
    return once + inputs * sweep, once + outputs * sweep


@jacobian_costs.mistake("Forward, the inputs receive nothing: each *operation* stores its first.")
def _forward_inputs_too(operations, rules, edges, inputs, outputs):
    _, reverse = _sweeps(operations, edges, inputs, outputs)
    once = operations + rules
    return once + inputs * (2 * edges - operations - inputs), once + outputs * reverse


@jacobian_costs.mistake("In reverse the outputs hold their seeds: they store no contribution.")
def _seeds_forgotten(operations, rules, edges, inputs, outputs):
    forward, _ = _sweeps(operations, edges, inputs, outputs)
    once = operations + rules
    return once + inputs * forward, once + outputs * (2 * edges - operations - inputs)


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


# matmul_vjp


_NO_ADJOINT = "The adjoint of C is not used: it says how much each entry of C counts."


matmul_vjp.add_mistakes(
    "The factors are not transposed. A shape error, or for square matrices a wrong number, is the "
    "sign: the adjoint of A must have A's shape.",
    lambda A, B, adjoint: (adjoint @ B, A @ adjoint),
    "The two are swapped: the adjoint of A comes first.",
    lambda A, B, adjoint: (A.T @ adjoint, adjoint @ B.T),
    "Matrices do not commute: the adjoint stands left of Bᵀ and right of Aᵀ.",
    lambda A, B, adjoint: (B.T @ adjoint, adjoint @ A.T),
    "Each result is transposed: the adjoint of A must have A's shape.",
    lambda A, B, adjoint: (B @ adjoint.T, adjoint.T @ A),
    "Entry by entry is the rule of A ∘ B. Here rows meet columns: use @.",
    lambda A, B, adjoint: (adjoint * B, A * adjoint),
    _NO_ADJOINT,
    lambda A, B, adjoint: (B.T, A.T),
)


@matmul_vjp.mistake(_NO_ADJOINT)
def _adjoint_of_ones(A, B, adjoint):
    ones = adjoint * 0 + 1
    return ones @ B.T, A.T @ ones


@matmul_vjp.mistake("Two adjoints are asked for: that of A, then that of B.")
def _only_for_a(A, B, adjoint):
    return adjoint @ B.T
