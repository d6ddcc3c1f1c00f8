"""What answers to the exercises of notebook 07 are tried on, and which way they must go."""

from __future__ import annotations

import math

import torch
from torch.func import grad
from torch.utils._pytree import tree_leaves

from ._tensors import numbers
from .ex07 import (
    backtrack,
    check_second_derivative,
    difference_along,
    flat_product,
    largest_curvature,
    newton_cg_step,
    second_along,
    smallest_curvature,
    smooth_sinc,
    taylor_product,
)
from .framework import case
from .functions07 import ORDERS, faulty, matrix_product, telltale

# difference_along


# torch's function that finds how many a vmap does at once, in `vmap` as in `is_grads_batched`.
BATCH_SIZE = "_validate_and_get_batch_size"


def _no_matrix(call):
    """Whether no vmap went through a batch: a Hessian of several columns would."""
    return max(call.results_of(BATCH_SIZE), default=1) <= 1


def _leaves(one, what):
    """Ask that the caller's tensors are left as they were."""
    one.method(f"The numbers are right, but {what} changed. Make new tensors.")(_untouched)


def _untouched(call):
    """Whether the arguments are as they were, bit by bit: `x += h` and `x -= h` leave a trace."""
    pairs = zip(tree_leaves(call.arguments), tree_leaves(call.given), strict=True)
    return call.unchanged and all(torch.equal(a, b) for a, b in pairs if torch.is_tensor(b))


def _valley(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def _quartic(x):
    return (x**4).sum() + x.sum() ** 3


def _total(x):
    return x.sum()


def _sine(x):
    return x.sin()


@difference_along.cases
def _lines():
    def x_and_v():
        return numbers(0.5, -1.0, 2.0), numbers(1.0, 0.25, -2.0)

    return [
        case(_total, *x_and_v(), label="the sum of x = (0.5, -1, 2), along v = (1, 0.25, -2)"),
        case(_quartic, *x_and_v(), label="a quartic function of 3 variables"),
        case(grad(_quartic), *x_and_v(), label="the gradient of a quartic function"),
        case(_sine, numbers(0.3)[0], numbers(2.0)[0], label="the sine at x = 0.3, along v = 2"),
        case(faulty("gradient"), *x_and_v(), label="a function with wrong rules"),
    ]


@difference_along.method("The function is called more than twice. One direction takes two calls.")
def _two_calls(call):
    f = call.arguments[0]
    return f is not _quartic or call.calls_of(f) <= 2


_leaves(difference_along, "x or v is")


@second_along.cases
def _orders():
    def point():
        return numbers(0.5, -1.0, 2.0), numbers(1.0, 0.25, -2.0), numbers(-1.0, 3.0, 0.5)

    def matrices():
        return torch.linspace(-1.0, 2.0, 12, dtype=torch.float64).view(3, 2, 2).unbind()

    return [
        *(case(_quartic, *point(), o, label=f"a quartic function, {o}") for o in ORDERS),
        # Its rules contradict each other on purpose, so that the number shows the order.
        *(case(telltale, *point(), o, label=f"a function to tell orders, {o}") for o in ORDERS),
        case(_valley, torch.linspace(-1, 1, 9).double(), *torch.eye(9).double()[3:5], ORDERS[0]),
        *(
            case(_quartic, *matrices(), o, label=f"a function of a matrix, {o}")
            for o in ORDERS[::2]
        ),
    ]


@second_along.method(
    "The number is right, but on the way there is the whole Hessian. Two directions need two "
    "derivatives, one along each.",
    watch=[BATCH_SIZE],
)
def _no_hessian(call):
    return _no_matrix(call)


# check_second_derivative


def _cubes_of_sizes(x):  # |x|³: the gradient is right at 0, each second derivative is NaN
    return ((x**2) ** 1.5).sum()


def _suspect(f, x, label):
    return case(f, x, difference_along.reference, second_along.reference, label=label)


@check_second_derivative.cases
def _suspects():
    def x():
        return numbers(0.5, -1.0, 2.0, 1.5)

    return [
        _suspect(_valley, x(), "Rosenbrock's function"),
        _suspect(faulty("gradient"), x(), "a wrong gradient"),
        _suspect(faulty("forward rule"), x(), "a forward rule that counts as a constant"),
        _suspect(faulty("all orders"), x(), "a slope that counts as a constant"),
        _suspect(faulty("second backward"), x(), "a wrong second backward"),
        _suspect(faulty("no forward rule"), x(), "no forward rule"),
        _suspect(faulty("balanced"), x(), "errors whose sum over all entries is 0"),
        _suspect(faulty("twisted"), x(), "an error that is an antisymmetric matrix"),
        _suspect(faulty("forward rule"), x().view(2, 2), "a function of a matrix"),
        _suspect(_cubes_of_sizes, numbers(0.0, 0.5), "a second derivative that comes as NaN"),
    ]


@check_second_derivative.random_cases
def _more_suspects(random):
    def one(fault):
        x = torch.tensor([random.uniform(0.5, 2.0) for _ in range(4)], dtype=torch.float64)
        return _suspect(faulty(fault, random.uniform(0.2, 2.0)), x, "drawn at random")

    return [one(random.choice(("forward rule", "all orders", "second backward")))]


# flat_product


def _loss_of_a_layer(p):
    x = torch.linspace(-1, 1, 8, dtype=torch.float64).view(4, 2)
    return (torch.tanh(x @ p["weight"].T + p["bias"]) ** 2).sum() + p["weight"].sum() ** 2


def _loss_with_an_offset(p):
    return (p["scale"] ** 3).sum() * p["angle"].sin() + 3 * p["offset"].sum()


@flat_product.cases
def _models():
    def layer():
        weight = torch.linspace(-1.0, 0.8, 6, dtype=torch.float64).view(3, 2)
        return {"weight": weight, "bias": numbers(0.1, 0.2, -0.4)}

    def other():
        return {
            "scale": numbers(1.0, 2.0),
            "angle": numbers(0.5)[0],
            "offset": numbers(1.0, 1.0),
        }

    return [
        case(_loss_of_a_layer, layer(), torch.linspace(1, 3, 9).double(), label="a layer"),
        case(_loss_of_a_layer, layer(), torch.eye(9).double()[7], label="a layer, along one bias"),
        case(_loss_with_an_offset, other(), numbers(1, 2, 3, 4, 5), label="a linear offset"),
    ]


@flat_product.method(
    "The numbers are right, but on the way there is the whole Hessian, or a product per parameter. "
    "Ask for the one product only.",
    watch=[BATCH_SIZE],
)
def _one_product(call):
    loss = call.arguments[0]
    return _no_matrix(call) and max(call.calls_of(loss), call.calls_of("run_backward")) < 5


_leaves(flat_product, "the parameters or v are")


@newton_cg_step.cases
def _equations():
    random = torch.Generator().manual_seed(3)
    a = torch.randn(6, 6, generator=random, dtype=torch.float64)
    bowl, g = a @ a.T + torch.eye(6), torch.randn(6, generator=random, dtype=torch.float64)
    saddle = torch.diag(numbers(5, 4, 3, 2, 1, -0.5))

    def one(matrix, tolerance, most, label):
        return case(matrix_product(matrix), g.clone(), tolerance, most, label=label)

    return [
        one(2 * torch.eye(6), 0.1, 10, "H = 2 I"),
        one(-torch.eye(6), 0.1, 10, "H = -I"),
        one(torch.zeros(6, 6), 0.1, 10, "H = 0"),
        one(bowl, 1e-8, 30, "a positive definite H"),
        one(bowl, 0.3, 30, "a positive definite H, loosely"),
        one(bowl, 1e-8, 2, "a positive definite H, 2 passes"),
        one(saddle, 1e-8, 30, "an H with one negative curvature"),
        one(torch.diag(numbers(3, 1, -2, 2, 1, -2)), 1e-8, 30, "an H with two negative ones"),
    ]


@newton_cg_step.method("The step is right, but there are more products than passes: keep Hd.")
def _one_product_a_pass(call):
    product, g, _, most = call.arguments
    return call.calls_of(product) <= min(most, len(g) + 2)


_leaves(newton_cg_step, "g is")


# backtrack


def _bowl(x):
    return (x**2).sum()


def _log_bowl(x):  # NaN for negative x
    return (x - 1 - x.log()).sum()


@backtrack.cases
def _searches():
    def one(step, slope, f=_bowl, name="x²"):
        label = f"f(x) = {name} at x = 2, step = {step:g}, slope = {slope:g}"
        return case(f, numbers(2.0), numbers(step), slope, label=label)

    start = numbers(-1.2, 1.0)
    return [
        one(-2.0, -8.0),
        one(-16.0, -64.0),
        one(-3.9999, -15.9996),
        one(1.0, 4.0),
        one(-31.9976, -127.9904),
        one(-12.0, -6.0, _log_bowl, "x - 1 - log x, NaN for x < 0,"),
        case(
            _valley, start, -grad(_valley)(start), -54229.0, label="Rosenbrock's, along -gradient"
        ),
        one(-2.0e9, -8e9),
    ]


@largest_curvature.cases
def _matrices():
    random = torch.Generator().manual_seed(5)
    a = torch.randn(5, 5, generator=random, dtype=torch.float64)
    start = torch.randn(5, generator=random, dtype=torch.float64)

    def one(matrix, steps, label):
        return case(matrix_product(matrix), start.clone(), steps, label=label)

    return [
        one(a + a.T, 1, "a symmetric H, 1 product"),
        one(a + a.T, 4, "a symmetric H, 4 products"),
        one(torch.diag(numbers(1, 2, -9, 3, 0.5)), 40, "an H whose largest curvature is -9"),
        one(1e4 * (a @ a.T), 200, "large entries, 200 products"),
    ]


@largest_curvature.method("The number is right, with more products than `steps`.")
def _so_many_products(call):
    return call.calls_of(call.arguments[0]) <= call.arguments[2]


_leaves(largest_curvature, "v is")


@smallest_curvature.cases
def _shifted_matrices():
    start = numbers(1.0, -2.0, 0.5, 1.5)

    def one(*curvatures, steps=60):
        matrix = torch.diag(numbers(*curvatures))
        label = f"an H with the curvatures {', '.join(map(str, curvatures))}, {steps} products"
        return case(matrix_product(matrix), max(curvatures), start.clone(), steps, label=label)

    return [one(7, 5, 1, -3), one(7, 5, 1, 2, steps=2), one(4, 3, 2, 1), one(9, 8, -6, -5, steps=3)]


@smallest_curvature.method("The number is right, with more products than `steps`.")
def _no_more_products(call):
    return call.calls_of(call.arguments[0]) <= call.arguments[3]


# smooth_sinc


def _all_points(*values):
    return numbers(*values).requires_grad_()


@smooth_sinc.cases
def _sinc_points():
    return [
        case(_all_points(0.5, 1.0, -2.0)),
        case(_all_points(0.0, 3.0)),
        case(_all_points(1e-3, -1e-2, 1e-5, 1e-8, 0.1)),
        case(_all_points(0.0099, -0.03, 0.05, 0.2, -0.4)),
    ]


def _slopes(call):
    """Return the first and the second derivative that an answer gives, None for none."""
    x, found, y = call.arguments[0], [], call.value
    for _ in range(2):
        try:
            (y,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        except Exception:  # whatever an answer without a graph raises
            return (*found, None, None)[:2]
        found.append(y.detach())
    return tuple(found)


def _near(found, true):
    return found is not None and torch.allclose(found, true, rtol=1e-6, atol=1e-6)


def _true_slopes(x):
    """Sum the series of both derivatives, far enough for |x| < 4."""
    x = x.detach()
    first, second = torch.zeros_like(x), torch.zeros_like(x)
    for k in range(1, 16):
        factor = (-1) ** k / math.factorial(2 * k + 1)
        first += factor * 2 * k * x ** (2 * k - 1)
        second += factor * 2 * k * (2 * k - 1) * x ** (2 * k - 2)
    return first, second


@smooth_sinc.method(
    "The value is right, the first derivative is not. Is it NaN? Then the branch that is not "
    "picked divides by 0. Is it 0 near 0? Then a constant stands there.",
    wrong=True,
)
def _first_is_right(call):
    return _near(_slopes(call)[0], _true_slopes(call.arguments[0])[0])


@smooth_sinc.method(
    "Value and first derivative are right, the second is not. At 0 it has to be -1/3: a constant "
    "there has the second derivative 0, and too short a series, or one for too few points, has not "
    "enough digits.",
    wrong=True,
)
def _second_is_right(call):
    return _near(_slopes(call)[1], _true_slopes(call.arguments[0])[1])


@taylor_product.cases
def _series():
    return [
        case([2.0], [3.0]),
        case([1.0, 2.0, 3.0], [5.0, 1.0, 0.0]),
        case([1.0, -1.0, 0.5, 2.0], [0.5, 3.0, -2.0, 1.0]),
    ]


@taylor_product.random_cases
def _more_series(random):
    a, b = ([random.uniform(-2.0, 2.0) for _ in range(6)] for _ in range(2))
    return [case(a, b)]
