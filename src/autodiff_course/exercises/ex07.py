"""Exercises of notebook 09, second derivatives: from one product to silent faults."""

from __future__ import annotations

import warnings

import torch
from torch.func import grad, hessian, jvp, vmap

from .framework import case, exercise

__all__ = ["hvp", "three_mended"]

# The first use of forward mode loads rules written in TorchScript, which torch itself calls
# deprecated. Load them here, so that no answer meets the warning.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    jvp(torch.sin, (torch.zeros(()),), (torch.ones(()),))


# torch's function that finds how many a vmap does at once, in `vmap` as in `is_grads_batched`.
BATCH_SIZE = "_validate_and_get_batch_size"


def _numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


# 1. A Hessian-vector product


@exercise(
    seconds=20.0,
    minutes=6,
    insight="A product with the Hessian costs a few gradients, however many variables there are.",
    next_try="Swap the two: grad of a jvp. What does the other order keep in memory?",
    uses="from torch.func import grad, jvp",
)
def hvp(f, x, v):
    """Return the product of the Hessian of f at x with v, without making the Hessian.

    Examples
    --------
    >>> hvp(lambda x: (x**3).sum(), torch.tensor([1.0, 2.0]), torch.tensor([1.0, 10.0]))
    tensor([  6., 120.])
    """
    return jvp(grad(f), (x,), (v,))[1]


def _valley(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def _sum_of_cubes(x):
    return (x**3).sum()


def _wave_on_a_slope(x):
    # Differences of its gradients are wrong for every step: of the wave if it is long, and because
    # of the slope, in which the wave is lost to rounding, if it is short.
    return (20 * x).cos().sum() + 1e6 * x.sum()


@hvp.cases
def _products():
    def x_and_v():  # new ones each time: an answer may change them
        return _numbers(0.5, -1.0, 2.0), _numbers(1.0, 0.25, -2.0)

    long = torch.linspace(-1.0, 1.2, 12, dtype=torch.float64)
    return [
        case(_valley, *x_and_v(), label="Rosenbrock's function of 3 variables"),
        case(torch.prod, *x_and_v(), label="the product of 3 variables"),
        case(_sum_of_cubes, *x_and_v(), label="a sum of cubes of 3 variables"),
        case(_wave_on_a_slope, *x_and_v(), label="waves on a steep slope, 3 variables"),
        case(_valley, long, long.flip(0), label="Rosenbrock's function of 12 variables"),
    ]


@hvp.method(
    "The numbers are right, but on the way there is the whole Hessian, or a product per variable. "
    "Ask for the one product only.",
    watch=[BATCH_SIZE],
)
def _(call):
    # One product takes a few evaluations and sweeps; a column for each of 12 variables does not.
    f, x, _ = call.given
    few = min(5, len(x) + 2)
    batched = max(call.results_of(BATCH_SIZE), default=1) > 1
    return not batched and max(call.calls_of(f), call.calls_of("run_backward")) < few


@hvp.method("The product is right, but the caller's x or v is changed. Make new tensors.")
def _(call):
    return call.unchanged


@hvp.mistake("`jvp` returns (value, tangent). The value is the gradient; the product is second.")
def _gradient(f, x, v):
    return grad(f)(x)


@hvp.mistake("That is the pair (gradient, product) that `jvp` returns. Return the product.")
def _pair(f, x, v):
    return jvp(grad(f), (x,), (v,))


@hvp.mistake("`vjp`'s function returns a tuple, one part per argument. Unpack it: take `[0]`.")
def _tuple_of_one(f, x, v):
    return (hvp.reference(f, x, v),)


@hvp.mistake("That is the pair (value of f, product). Unpack it: return the product.")
def _value_and_product(f, x, v):
    return f(x), hvp.reference(f, x, v)


@hvp.mistake("That is the slope of f along v, one number. Differentiate the gradient along v.")
def _slope(f, x, v):
    return jvp(f, (x,), (v,))[1]


@hvp.mistake("That multiplies gradient and v entry by entry. No second derivative is in it.")
def _gradient_times_v(f, x, v):
    return grad(f)(x) * v


@hvp.mistake("That is vᵀHv, one number. Leave out the last product with v.")
def _curvature(f, x, v):
    return v @ hvp.reference(f, x, v)


@hvp.mistake("`jvp` wants tuples: `(x,)` and `(v,)`.")
def _no_tuples(f, x, v):
    return jvp(grad(f), x, v)[1]


hvp.add_hints(
    "The Hessian is the Jacobian of the gradient. What gives a Jacobian times a vector?",
    "`grad(f)` is a function. Push the tangent v through it.",
)


# 2. Three broken snippets


@exercise(
    seconds=20.0,
    minutes=12,
    insight="Loud, visible, silent: only the silent fault needs a second way to compare with.",
    next_try="Find one more function whose two orders of second derivatives disagree.",
    uses="import torch\nfrom torch.func import grad, hessian, vmap",
)
def three_mended(xs, matrix):
    """Return what the three snippets were meant to compute: (a, b, c).

    a: for each x in xs the slope of x² where |x| < 1, and of 2|x| − 1 elsewhere. b: for each x in
    xs the slope of sin(x)/x, which is 0 at x = 0. c: the second derivative at t = 0 of
    log det(matrix + t·I).

    Examples
    --------
    >>> three_mended(torch.tensor([0.0, 0.5, 3.0]), torch.eye(2))
    (tensor([0., 1., 2.]), tensor([ 0.0000, -0.1625, -0.3457]), tensor(-2.))
    """

    def rounded(x):
        return torch.where(x.abs() < 1, x**2, 2 * x.abs() - 1)

    def wave(x):
        safe = torch.where(x == 0, 1.0, x)  # the unused branch must be harmless, too
        return torch.where(x == 0, 1.0, safe.sin() / safe)

    def volume(t):
        return torch.logdet(matrix + t * torch.eye(len(matrix), dtype=matrix.dtype))

    return vmap(grad(rounded))(xs), vmap(grad(wave))(xs), hessian(volume)(matrix.new_zeros(()))


@three_mended.cases
def _patients():
    one = torch.stack([_numbers(2.0, 1.0), _numbers(0.0, 4.0)])
    other = torch.stack([_numbers(3.0, -1.0), _numbers(1.0, 1.0)])
    return [case(_numbers(0.0, 0.25, 2.0, -9.0), one), case(_numbers(4.0, 0.0, -3.0, -0.5), other)]


def _wave_with_one_where(xs):
    return vmap(grad(lambda x: torch.where(x == 0, 1.0, x.sin() / x)))(xs)


@three_mended.mistake(
    "vmap cannot follow a Python `if` on a tensor. For a, compute both branches and choose with "
    "`torch.where`."
)
def _python_if(xs, matrix):
    return vmap(grad(lambda x: x**2 if x.abs() < 1 else 2 * x.abs() - 1))(xs)


@three_mended.mistake(
    "b is NaN at x = 0: there 0/0 stands in the branch that is not taken, and 0 times its slope is "
    "NaN. Give the division a harmless number there: a second `torch.where`, inside."
)
def _one_where(xs, matrix):
    a, _, c = three_mended.reference(xs, matrix)
    return a, _wave_with_one_where(xs), c


@three_mended.mistake(
    "c is silently wrong: the derivative of the forward rule of log det loses a term. Take "
    "`hessian`, or any order that begins with reverse mode.",
    sure=False,  # c: 0 has other causes
)
def _term_lost(xs, matrix):
    a, b, _ = three_mended.reference(xs, matrix)
    return a, b, 0.0


@three_mended.mistake(
    "Two are still ill. b is NaN at x = 0: a second `torch.where`, inside, keeps the division away "
    "from 0/0. c loses a term: take `hessian`.",
    sure=False,
)
def _only_the_loud_one(xs, matrix):
    a, _, _ = three_mended.reference(xs, matrix)
    return a, _wave_with_one_where(xs), 0.0


@three_mended.mistake("b is off near 0: a small number added to x shifts the wave. Choose instead.")
def _shifted(xs, matrix):
    a, _, c = three_mended.reference(xs, matrix)
    return a, vmap(grad(lambda x: (x + 1e-3).sin() / (x + 1e-3)))(xs), c


@three_mended.mistake("a holds the values. The slopes were asked: put `grad` inside `vmap`.")
def _values(xs, matrix):
    _, b, c = three_mended.reference(xs, matrix)
    return torch.where(xs.abs() < 1, xs**2, 2 * xs.abs() - 1), b, c


three_mended.add_hints(
    "One snippet raises an error, one returns a NaN, and one is wrong without a word.",
    "For a and b think of `torch.where`: once in a, twice in b.",
    "For c look at the table of section 6: which orders are right for logdet?",
)
