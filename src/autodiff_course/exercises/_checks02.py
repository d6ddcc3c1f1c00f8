"""What answers to the exercises of notebook 02 are tried on, and which way they must go."""

from __future__ import annotations

from .duals02 import (
    CYCLE,
    FIXED,
    HUGE,
    LARGE,
    LEFT_OVER,
    MATRICES,
    SLIGHTLY_OFF,
    SQUARE,
    STRONG,
    TURNING,
    UNIT,
    WIDE,
    Pair,
    balanced_fault,
    blind,
    frame,
    random_matrix,
    rounded,
    rounded_up,
    shape,
    times,
    transpose,
    with_entry,
)
from .ex02 import (
    bracket_costs,
    divide_duals,
    find_transposed,
    is_dual_pair,
    jacobian_by_columns,
    jacobian_by_rows,
    jacobian_costs,
    jvp,
    matmul_vjp,
    multiply_duals,
    newton_step,
)
from .framework import case


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


@newton_step.method("More runs than needed: one run of f gives the height and the slope.")
def _one_run_for_both(call):
    return call.calls_of(call.arguments[0]) <= 1


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


@jvp.method("More runs than needed: one run of f is enough for any direction.")
def _one_run(call):
    return call.calls_of(call.arguments[0]) <= 1


# is_dual_pair


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
        _pair([[0.0] * 3] * 2, wide, "push returns zeros, pull(u) = Jᵀu, J of shape 2 × 3"),
        _pair(WIDE, [[0.0] * 2] * 3, "pull returns zeros, push(v) = Jv, J of shape 2 × 3"),
        _pair(UNIT, TURNING, "push(v) = v and pull(u) = u + Au, Aᵀ = -A"),
        _pair(TURNING, UNIT, "push(v) = v + Av, Aᵀ = -A, and pull(u) = u"),
        _pair(CYCLE, rounded(transpose(CYCLE)), "a true pair, J a permutation"),
        *_again(LARGE, rounded(transpose(LARGE)), "a true pair, J of shape 7 × 9"),
        *_again(SQUARE, SQUARE, "pull(u) = Ju instead of Jᵀu, J of shape 3 × 3"),
        *_again(CYCLE, CYCLE, "pull(u) = Ju instead of Jᵀu, J a permutation"),
        *_again(STRONG, SLIGHTLY_OFF, "Jᵀu is too large by one part in two million"),
        _pair(HUGE, rounded(transpose(HUGE)), "a true pair, J of shape 7 × 9, entries up to 1e8"),
        _pair(LEFT_OVER, [[0.0] * 3] * 3, "a true pair, J = 0, and push leaves some 1e-17"),
    ]


def _again(matrix, pulled, text):
    """Return the same case ten times: an answer draws new vectors for each."""
    return [_pair(matrix, pulled, text) for _ in range(10)]


@is_dual_pair.random_cases
def _random_pairs(random):
    true = [[random.uniform(-1.0, 1.0) for _ in range(9)] for _ in range(7)]
    return [_pair(true, rounded(transpose(true)), "a true pair, J of shape 7 × 9, random entries")]


@is_dual_pair.method("More calls than needed: one push and one pull are enough.")
def _one_of_each(call):
    return call.calls_of(call.arguments[0]) <= 2  # push and pull are made by the same code


@jacobian_by_columns.cases
def _push_cases():
    return [case(times(one), len(one[0]), label=shape(one)) for one in MATRICES]


@jacobian_by_columns.random_cases
def _random_push_cases(random):
    one = random_matrix(random)
    return [case(times(one), len(one[0]), label=shape(one))]


@jacobian_by_columns.method("More runs than needed: one push for each input is enough.")
def _n_pushes(call):
    return call.calls_of(call.arguments[0]) <= call.arguments[1]


@jacobian_by_rows.cases
def _pull_cases():
    return [case(times(transpose(one)), len(one), label=shape(one)) for one in MATRICES]


@jacobian_by_rows.random_cases
def _random_pull_cases(random):
    one = random_matrix(random)
    return [case(times(transpose(one)), len(one), label=shape(one))]


@jacobian_by_rows.method("More sweeps than needed: one pull for each output is enough.")
def _m_pulls(call):
    return call.calls_of(call.arguments[0]) <= call.arguments[1]


@find_transposed.cases
def _candidates():
    asked = []  # the vectors that all of these inputs were asked along
    return [
        _suspects([[1.0, 2.0], [0.0, 3.0]], 1, 3, "2 × 2", asked),
        _suspects(SQUARE, 0, 2, "3 × 3", asked),
        _suspects(SQUARE, 1, 2, "3 × 3", asked),
        _suspects(CYCLE, 3, 4, "a permutation", asked),
        _suspects([[0.6, -0.8], [0.8, 0.6]], 1, 3, "a rotation", asked),
        *(_suspects(frame(k), 2, 3, f"3 × 3, row {k} like column {k}", asked) for k in range(3)),
        *(_suspects(blind(v), 1, 3, f"3 × 3, with Jv = Jᵀv for v = {v}", asked) for v in FIXED),
    ]


def _suspects(right, transposed, count, text, asked):
    given = [transpose(right) if i == transposed else right for i in range(count)]
    multiplied = rounded_up(times(right))

    def push(v):
        asked.append([float(a) for a in v])
        return multiplied(v)

    push.asked = asked
    return case(push, given, label=f"{count} candidates, {text}")


@find_transposed.random_cases
def _random_candidates(random):
    right = [[random.uniform(-1.0, 1.0) for _ in range(4)] for _ in range(4)]
    return [_suspects(right, random.randrange(3), 3, "4 × 4, random entries", [])]


@find_transposed.method("More runs than needed: one push serves all candidates.")
def _one_push(call):
    return call.calls_of(call.arguments[0]) <= 1


@find_transposed.method(
    "Right on these, but your v is the same each time: a Jacobian can be made that it cannot tell "
    "from its transpose. Draw one."
)
def _drawn_anew(call):
    asked = [v for v in call.arguments[0].asked if len(v) == 3]
    return len(asked) < 5 or any(v != asked[0] for v in asked)


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


@matmul_vjp.cases
def _products():
    import torch

    generator = torch.Generator().manual_seed(0)
    cases = []
    for m, n, p in ((2, 3, 4), (3, 1, 2), (3, 3, 3)):
        shapes = ((m, n), (n, p), (m, p))
        tensors = [torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes]
        text = f"A of shape {shapes[0]}, B of shape {shapes[1]}"
        cases.append(case(*map(_counting(), tensors), label=text))
    return cases


def _counting():
    """Return what makes a tensor that counts how often rows or entries are taken out."""
    import torch

    class Tensor(torch.Tensor):
        taken = 0

        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            Tensor.taken += function.__name__ in ("__getitem__", "__iter__", "unbind")
            with torch._C.DisableTorchFunctionSubclass():
                return function(*args, **(kwargs or {}))

    return lambda tensor: tensor.as_subclass(Tensor)


@matmul_vjp.method(
    "Right numbers, and a good way to check yours: but here PyTorch's reverse sweep has done the "
    "work. Write the two products yourself."
)
def _without_autograd(call):
    import torch

    return not call.calls_of(torch.autograd.grad, torch.autograd.backward)


@matmul_vjp.method(
    "Right numbers, entry by entry. Each sum over k, or over i, is an entry of a product of two "
    "matrices: write the two products."
)
def _by_whole_matrices(call):
    return type(call.arguments[0]).taken <= 6 and not call.calls_of("tolist")
