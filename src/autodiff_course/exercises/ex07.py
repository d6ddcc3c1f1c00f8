"""Exercises of notebook 07, second derivatives: a check of them, and what to do with them."""

from __future__ import annotations

import math
import warnings

import torch
from torch.func import grad, jvp

from . import _wrong07 as wrong
from .comparing import Tolerance
from .drills import Problem, drill
from .framework import case, exercise
from .functions07 import ORDERS, faulty, matrix_product, telltale

__all__ = [
    "backtrack",
    "check_second_derivative",
    "second_along",
    "difference_along",
    "drill_newton",
    "drill_orders",
    "drill_product",
    "flat_product",
    "largest_curvature",
    "newton_cg_step",
    "smallest_curvature",
    "smooth_sinc",
    "taylor_product",
]

# The first use of forward mode loads rules written in TorchScript, which torch itself calls
# deprecated. Load them here, so that no answer meets the warning.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("ignore", FutureWarning)
    jvp(torch.sin, (torch.zeros(()),), (torch.ones(()),))


# torch's function that finds how many a vmap does at once, in `vmap` as in `is_grads_batched`.
BATCH_SIZE = "_validate_and_get_batch_size"


def _numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


def _no_matrix(call):
    """Whether no vmap went through a batch: a Hessian of several columns would."""
    return max(call.results_of(BATCH_SIZE), default=1) <= 1


def _leaves(one, what):
    """Ask that the caller's tensors are left as they were."""
    one.method(f"The numbers are right, but {what} changed. Make new tensors.")(
        lambda call: call.unchanged
    )


def _mistakes(one, *messages_and_functions):
    """Register wrong answers: the message for each, and the function."""
    pairs = zip(messages_and_functions[::2], messages_and_functions[1::2], strict=True)
    for number, (message, function) in enumerate(pairs, start=1):
        function.__name__ = f"wrong_{number}"
        one.mistake(message)(function)


def _valley(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def _quartic(x):
    return (x**4).sum() + x.sum() ** 3


# 1. A difference along a direction


@exercise(
    seconds=20.0,
    tolerance=Tolerance(1e-8, 1e-8),
    minutes=4,
    uses="import torch",
    insight="Two calls in one direction, however many inputs there are.",
    next_try="Give it a gradient as `function`. What does it return then?",
)
def difference_along(function, x, v):
    """Return the central difference of a function at x along v, with the step 1e-5.

    It approximates the derivative along v. `function` takes a tensor like x and returns a tensor of
    any shape. Call it twice, and leave x and v as they are.

    Examples
    --------
    >>> x, v = torch.tensor([1.0, 2.0]).double(), torch.tensor([1.0, 10.0]).double()
    >>> print(f"{difference_along(lambda x: (x**2).sum(), x, v):.4f}")
    42.0000
    """
    h = 1e-5
    return (function(x + h * v) - function(x - h * v)) / (2 * h)


@difference_along.cases
def _lines():
    def x_and_v():
        return _numbers(0.5, -1.0, 2.0), _numbers(1.0, 0.25, -2.0)

    return [
        case(torch.sum, *x_and_v()),
        case(_quartic, *x_and_v(), label="a quartic function of 3 variables"),
        case(grad(_quartic), *x_and_v(), label="the gradient of a quartic function"),
        case(torch.sin, _numbers(0.3)[0], _numbers(2.0)[0]),
        case(faulty("gradient"), *x_and_v(), label="a function with wrong rules"),
    ]


@difference_along.method("The function is called more than twice. One direction takes two calls.")
def _two_calls(call):
    f = call.arguments[0]
    return f is not _quartic or call.calls_of(f) <= 2


_leaves(difference_along, "x or v is")
_mistakes(
    difference_along,
    "That is the forward difference. Go down along v as well as up.",
    lambda function, x, v: (function(x + 1e-5 * v) - function(x)) / 1e-5,
    "The two points lie 2 steps apart: divide by 2 · 1e-5.",
    lambda function, x, v: 2 * difference_along.reference(function, x, v),
    "Every element was moved by the same step. Move along v.",
    lambda function, x, v: difference_along.reference(function, x, torch.ones_like(v)),
    "That asks the rules, which this function is to judge. Take a difference of two values.",
    lambda function, x, v: jvp(function, (x,), (v,))[1],
    "The sign is wrong: the value up along v minus the value down.",
    lambda function, x, v: -difference_along.reference(function, x, v),
)

difference_along.add_hints(
    "Two points: x plus a short piece of v, and x minus it.",
    "The value up minus the value down, over the length between the two in units of v.",
)


# 2. One number of the Hessian, in a given order


@exercise(
    seconds=20.0,
    minutes=12,
    uses="from torch.func import grad, jvp",
    insight="Two choices, made one after the other, give all four orders.",
    next_try="Which two of them never compute the whole gradient?",
)
def second_along(f, x, u, v, order):
    """Return uᵀHv for the Hessian H of f at x, as a Python float.

    x, u and v have one shape. `order` is "forward over reverse", "reverse over reverse", "reverse
    over forward" or "forward over forward". The last word says how f is differentiated first, and
    the first word how the result is differentiated again. Make no matrix.

    Examples
    --------
    >>> x, u, v = torch.tensor([[2.0, 3.0], [1.0, 0.0], [0.0, 1.0]])
    >>> second_along(lambda x: x[0] ** 2 * x[1], x, u, v, "reverse over forward")
    4.0
    """
    outer, inner = order.split(" over ")

    def slope(x):
        return jvp(f, (x,), (u,))[1] if inner == "forward" else (grad(f)(x) * u).sum()

    if outer == "forward":
        return jvp(slope, (x,), (v,))[1].item()
    return (grad(slope)(x) * v).sum().item()


@second_along.cases
def _orders():
    def point():
        return _numbers(0.5, -1.0, 2.0), _numbers(1.0, 0.25, -2.0), _numbers(-1.0, 3.0, 0.5)

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


def _in_order(of):
    def wrong(f, x, u, v, order):
        return second_along.reference(f, x, u, v, of(order))

    return wrong


_mistakes(
    second_along,
    "The words are taken the wrong way round: the last word is done first, inside.",
    _in_order(lambda order: " over ".join(reversed(order.split(" over ")))),
    "`order` is ignored: that is forward over reverse each time.",
    _in_order(lambda _: ORDERS[0]),
    "`order` is ignored: that is reverse over reverse each time.",
    _in_order(lambda _: ORDERS[1]),
    "That is the slope of f along v. It has to be differentiated once more, along u.",
    lambda f, x, u, v, order: jvp(f, (x,), (v,))[1].item(),
    "That is the product Hv, a vector. Take its product with u.",
    lambda f, x, u, v, order: jvp(grad(f), (x,), (v,))[1],
)

second_along.add_hints(
    "First write the slope of f along u as a function of x: once with jvp, once with grad.",
    "Then differentiate that function along v, again with the one or the other.",
    "`order.split(' over ')` gives the outer and the inner word.",
)


# 3. The check


@exercise(
    seconds=30.0,
    minutes=20,
    uses="import torch\nfrom torch.func import grad",
    insight="The judge is a difference, so first make sure of what it is a difference of.",
    next_try="How small may a fault be for your check to miss it?",
)
def check_second_derivative(f, x, difference_along, second_along):
    """Say whether the gradient and each order of the second derivative are right: a dict.

    Its keys are "gradient" and the four orders. Draw random u and v like x. The gradient is "right"
    if its product with v agrees with `difference_along(f, x, v)`. If not, it is "wrong", and every
    order is "unknown". An order is "right" if `second_along(f, x, u, v, order)` agrees with u times
    the difference of the gradient along v, "wrong" if not, and "fails" if it raises an exception.
    a agrees with the judge b if ``abs(a - b) <= 1e-5 * abs(b) + 1e-6``.

    Examples
    --------
    >>> x = torch.tensor([1.0, 2.0]).double()
    >>> with_pieces = difference_along.reference, second_along.reference
    >>> said = check_second_derivative(lambda x: (x**3).sum(), x, *with_pieces)
    >>> said["gradient"], said["forward over reverse"], len(said)
    ('right', 'right', 5)
    """
    inside_reverse = ["forward over reverse", "reverse over reverse"]
    orders = [*inside_reverse, "reverse over forward", "forward over forward"]

    def agree(a, b):
        return abs(a - b) <= 1e-5 * abs(b) + 1e-6

    u, v = torch.randn_like(x), torch.randn_like(x)
    if not agree((grad(f)(x) * v).sum(), difference_along(f, x, v)):
        return {"gradient": "wrong"} | dict.fromkeys(orders, "unknown")
    truth, said = (difference_along(grad(f), x, v) * u).sum(), {"gradient": "right"}
    for order in orders:
        try:
            said[order] = "right" if agree(second_along(f, x, u, v, order), truth) else "wrong"
        except Exception:
            said[order] = "fails"
    return said


def _sum_of_sinc(x):
    return torch.sinc(x).sum()


def _suspect(f, x, label):
    return case(f, x, difference_along.reference, second_along.reference, label=label)


@check_second_derivative.cases
def _suspects():
    def x():
        return _numbers(0.5, -1.0, 2.0, 1.5)

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
        _suspect(_sum_of_sinc, _numbers(0.0, 0.5), "a second derivative that comes as NaN"),
    ]


@check_second_derivative.random_cases
def _more_suspects(random):
    def one(fault):
        x = torch.tensor([random.uniform(0.5, 2.0) for _ in range(4)], dtype=torch.float64)
        return _suspect(faulty(fault, random.uniform(0.2, 2.0)), x, "drawn at random")

    return [one(random.choice(("forward rule", "all orders", "second backward")))]


_mistakes(
    check_second_derivative,
    "The orders are compared with one of them. All four may share a fault: the judge has to "
    "be the difference of two gradients.",
    wrong.by_another_order,
    "Those directions are not random. With u and v full of ones, errors of both signs cancel.",
    wrong.along_ones,
    "u and v are one vector: an error that is an antisymmetric matrix cancels. Draw two.",
    wrong.along_one,
    "A NaN counts as right: ask whether the error is small, not whether it is large.",
    wrong.not_far,
    "The gradient is not checked. A difference of wrong gradients is a wrong judge.",
    wrong.gradient_unseen,
    'An order that raises an exception is an answer too: "fails".',
    wrong.lets_it_raise,
)

check_second_derivative.add_hints(
    "First the gradient: two numbers to compare. If they differ you are done.",
    "The judge of the orders is `(difference_along(grad(f), x, v) * u).sum()`.",
    "One loop over the four orders, with try and except around one call of `second_along`.",
)


# 4. A product for the parameters of a model


@exercise(
    seconds=20.0,
    minutes=10,
    uses="import torch\nfrom torch.func import grad, jvp, vjp",
    insight="A dict of tensors is one long vector; torch.func asks for no more than its form.",
    next_try="Record the gradient once with `vjp`, and make ten products from the record.",
)
def flat_product(loss, parameters, v):
    """Return the product of the Hessian of a model's loss with a long vector v.

    loss takes a dict of tensors, `parameters`, and returns a number. v holds one number for each
    element of them: the tensors in the order of the dict, each flattened. So does the result. Make
    no matrix, and leave the arguments as they are.

    Examples
    --------
    >>> parameters = {"w": torch.tensor([[1.0, 2.0]]), "b": torch.tensor([3.0])}
    >>> flat_product(lambda p: (p["w"] ** 2 * p["b"]).sum(), parameters, torch.ones(3))
    tensor([ 8., 10.,  6.])
    """
    pieces = v.split([tensor.numel() for tensor in parameters.values()])
    vector = {
        name: piece.view_as(parameters[name])
        for name, piece in zip(parameters, pieces, strict=True)
    }
    product = jvp(grad(loss), (parameters,), (vector,))[1]
    return torch.cat([product[name].flatten() for name in parameters])


def _loss_of_a_layer(p):
    x = torch.linspace(-1, 1, 8, dtype=torch.float64).view(4, 2)
    return (torch.tanh(x @ p["weight"].T + p["bias"]) ** 2).sum() + p["weight"].sum() ** 2


def _loss_with_an_offset(p):
    return (p["scale"] ** 3).sum() * p["angle"].sin() + 3 * p["offset"].sum()


@flat_product.cases
def _models():
    def layer():
        weight = torch.linspace(-1.0, 0.8, 6, dtype=torch.float64).view(3, 2)
        return {"weight": weight, "bias": _numbers(0.1, 0.2, -0.4)}

    def other():
        return {
            "scale": _numbers(1.0, 2.0),
            "angle": _numbers(0.5)[0],
            "offset": _numbers(1.0, 1.0),
        }

    return [
        case(_loss_of_a_layer, layer(), torch.linspace(1, 3, 9).double(), label="a layer"),
        case(_loss_of_a_layer, layer(), torch.eye(9).double()[7], label="a layer, along one bias"),
        case(_loss_with_an_offset, other(), _numbers(1, 2, 3, 4, 5), label="a linear offset"),
    ]


@flat_product.method(
    "The numbers are right, but on the way there is the whole Hessian, or a product per parameter. "
    "Ask for the one product only.",
    watch=[BATCH_SIZE],
)
def _one_product(call):
    loss = call.arguments[0]
    return _no_matrix(call) and max(call.calls_of(loss), call.calls_of("run_backward")) < 5


def _alphabetical(loss, parameters, v):
    ordered = {name: parameters[name] for name in sorted(parameters)}
    return flat_product.reference(loss, ordered, v)


_leaves(flat_product, "the parameters or v are")


def _as_a_dict(loss, parameters, v):
    sizes = [tensor.numel() for tensor in parameters.values()]
    pieces = zip(parameters, flat_product.reference(loss, parameters, v).split(sizes), strict=True)
    return {name: piece.view_as(parameters[name]) for name, piece in pieces}


_mistakes(
    flat_product,
    "That is the gradient. It has to be differentiated once more, along v.",
    lambda loss, parameters, v: torch.cat([g.flatten() for g in grad(loss)(parameters).values()]),
    "v is cut in alphabetical order. Its pieces stand in the order of the dict.",
    _alphabetical,
    "That is the product as a dict. Flatten its tensors and join them.",
    _as_a_dict,
    "That is vᵀHv, one number. Leave out the last product with v.",
    lambda loss, parameters, v: v @ flat_product.reference(loss, parameters, v),
)

flat_product.add_hints(
    "`v.split(sizes)` cuts a vector, with sizes a list of numbers of elements.",
    "Make a dict of the pieces, each in the shape of its parameter: it is the tangent.",
    "`jvp(grad(loss), (parameters,), (vector,))` takes dicts as it takes tensors.",
)


# 5. A step of Newton-CG


@exercise(
    seconds=20.0,
    tolerance=Tolerance(1e-6, 1e-9),
    minutes=20,
    uses="import torch",
    insight="Every step that it returns begins downhill, whatever H is.",
    next_try="Where the curvature is negative, how far could one go along that direction?",
)
def newton_cg_step(product, g, tolerance, most):
    """Return a step s with Hs ≈ -g, and why it ended: a pair.

    product(d) is Hd. Begin with s = 0, the residual r = g and the direction d = -g. In each pass,
    with one product: if dᵀHd <= 0, return s as it is, or -g if s is still 0, with "negative
    curvature". Otherwise go along d to the least value of the model, t = rᵀr / dᵀHd: s becomes
    s + td, and r becomes r + tHd. If r is then no longer than `tolerance` times g, return with
    "solved"; after `most` passes with "most products". The next direction is -r plus d times the
    new rᵀr over the old one.

    Examples
    --------
    >>> g = torch.tensor([2.0, 4.0])
    >>> newton_cg_step(lambda d: 2 * d, g, 0.1, 10)
    (tensor([-1., -2.]), 'solved')
    >>> newton_cg_step(lambda d: -2 * d, g, 0.1, 10)
    (tensor([-2., -4.]), 'negative curvature')
    """
    s, r, d = torch.zeros_like(g), g, -g
    for _ in range(most):
        curved = product(d)
        bend = d @ curved
        if bend <= 0:
            return (s if s.any() else -g), "negative curvature"
        t = (r @ r) / bend
        s, new = s + t * d, r + t * curved
        if new.norm() <= tolerance * g.norm():
            return s, "solved"
        d, r = -new + (new @ new) / (r @ r) * d, new
    return s, "most products"


@newton_cg_step.cases
def _equations():
    random = torch.Generator().manual_seed(3)
    a = torch.randn(6, 6, generator=random, dtype=torch.float64)
    bowl, g = a @ a.T + torch.eye(6), torch.randn(6, generator=random, dtype=torch.float64)
    saddle = torch.diag(_numbers(5, 4, 3, 2, 1, -0.5))

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
        one(torch.diag(_numbers(3, 1, -2, 2, 1, -2)), 1e-8, 30, "an H with two negative ones"),
    ]


@newton_cg_step.method("The step is right, but there are more products than passes: keep Hd.")
def _one_product_a_pass(call):
    product, g, _, most = call.arguments
    return call.calls_of(product) <= min(most, len(g) + 2)


_leaves(newton_cg_step, "g is")


_mistakes(
    newton_cg_step,
    "The curvature is not looked at. Where it is negative, the model has no least value along "
    "d, and the step goes uphill.",
    wrong.cg(stops=False),
    "A parabola with the curvature 0 has no lowest point either: stop there too.",
    wrong.cg(zero=False),
    "The sign is wrong: Hs is to be -g. The step has to go downhill.",
    wrong.cg(sign=-1.0),
    "Each direction is the residual alone: that is steepest descent. Add a part of the old d.",
    wrong.cg(beta=False),
    "The residual is compared with `tolerance` itself. Compare it with `tolerance` times the "
    "length of g.",
    wrong.cg(relative=False),
    "If the first direction already has negative curvature, s is 0: return -g instead.",
    wrong.cg(first=False),
    "The direction of negative curvature is added with length 1. Return s as it is.",
    wrong.cg(adds=True),
)

newton_cg_step.add_hints(
    "One loop of at most `most` passes; keep s, r and d, and one product `curved` in each.",
    "The new residual costs no product: r + t * curved.",
    "The factor of the old direction is the new r @ r over the old one.",
)


# 6. A line search


@exercise(
    seconds=20.0,
    minutes=8,
    uses="import torch",
    insight="A step that goes downhill at first is always good enough if it is short enough.",
    next_try="Count the evaluations of f over a whole run. How often is the full step taken?",
)
def backtrack(f, x, step, slope):
    """Return the first t of 1, 1/2, 1/4, … for which f falls enough along the step.

    Enough is ``f(x + t * step) <= f(x) + 1e-4 * t * slope``, with `slope` the derivative of f along
    the step at t = 0: a negative number. Where no t above 1e-9 is good, return 0.0.

    Examples
    --------
    >>> x, step = torch.tensor([2.0]), torch.tensor([-16.0])
    >>> backtrack(lambda x: (x**2).sum(), x, step, slope=-64.0)
    0.125
    """
    start, t = f(x), 1.0
    while t > 1e-9:
        if f(x + t * step) <= start + 1e-4 * t * slope:
            return t
        t /= 2
    return 0.0


def _bowl(x):
    return (x**2).sum()


def _log_bowl(x):  # NaN for negative x
    return (x - 1 - x.log()).sum()


@backtrack.cases
def _searches():
    two = _numbers(2.0)
    return [
        case(_bowl, two.clone(), _numbers(-2.0), -8.0),
        case(_bowl, two.clone(), _numbers(-16.0), -64.0),
        case(_bowl, two.clone(), _numbers(-3.9999), -15.9996),
        case(_bowl, two.clone(), _numbers(1.0), 4.0),
        case(_bowl, two.clone(), _numbers(-31.9976), -127.9904),
        case(_log_bowl, two.clone(), _numbers(-12.0), -6.0),
        case(_valley, _numbers(-1.2, 1.0), -grad(_valley)(_numbers(-1.2, 1.0)), -54229.0),
        case(_bowl, two.clone(), _numbers(-2.0e9), -8e9),
    ]


_mistakes(
    backtrack,
    "Any fall of f is taken. The fall has to be at least 1e-4 · t · |slope|.",
    wrong.search(lambda new, old, t, slope: new < old),
    "The promise does not shrink with the step: it is 1e-4 · t · slope.",
    wrong.search(lambda new, old, t, slope: new <= old + 1e-4 * slope),
    "The whole promise of the slope is asked for. Ask for the part 1e-4 of it.",
    wrong.search(lambda new, old, t, slope: new <= old + t * slope),
    "The full step is never tried: begin with t = 1.",
    wrong.search(wrong.enough, start=0.5),
    "Where no t is good, the last one tried is returned. Return 0.0.",
    wrong.search(wrong.enough, last=2.0**-30),
)

backtrack.add_hints(
    "Compute f(x) once, before the loop.",
    "A loop that halves t until the condition holds, and ends at 1e-9.",
)


# 7. The largest curvature


@exercise(
    seconds=20.0,
    tolerance=Tolerance(1e-7, 1e-9),
    minutes=8,
    uses="import torch",
    insight="The largest in size wins, whatever its sign: the quotient tells which it was.",
    next_try="How many products for three digits? What decides it?",
)
def largest_curvature(product, v, steps):
    """Return the curvature that power iteration finds with `steps` products, as a float.

    product(d) is Hd. In each step scale v to length 1, note the curvature vᵀHv, and go on
    with Hv in the place of v. Return the last curvature noted.

    Examples
    --------
    >>> H = torch.tensor([[2.0, 0.0], [0.0, -8.0]])
    >>> round(largest_curvature(lambda d: H @ d, torch.tensor([3.0, 4.0]), 30), 6)
    -8.0
    """
    for _ in range(steps):
        v = v / v.norm()
        curved = product(v)
        bend = (v @ curved).item()
        v = curved
    return bend


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
        one(torch.diag(_numbers(1, 2, -9, 3, 0.5)), 40, "an H whose largest curvature is -9"),
        one(1e4 * (a @ a.T), 200, "large entries, 200 products"),
    ]


@largest_curvature.method("The number is right, with more products than `steps`.")
def _so_many_products(call):
    return call.calls_of(call.arguments[0]) <= call.arguments[2]


_leaves(largest_curvature, "v is")


_mistakes(
    largest_curvature,
    "That is the length of Hv, which has no sign. Return the product vᵀHv.",
    wrong.length,
    "v is not scaled to length 1 at the start.",
    wrong.unscaled(lambda curved: curved / curved.norm()),
    "v is never scaled: its length is that of a power of H.",
    wrong.unscaled(lambda curved: curved),
    "One product too many: return the curvature noted in the last step.",
    lambda product, v, steps: largest_curvature.reference(product, v, steps + 1),
)

largest_curvature.add_hints(
    "`v / v.norm()` has length 1.",
    "Three lines in a loop: scale, multiply and note, go on with the product.",
)


# 8. The smallest curvature


@exercise(
    seconds=20.0,
    tolerance=Tolerance(1e-7, 1e-8),
    minutes=8,
    uses="import torch",
    insight="A shift moves every curvature by the same, so the smallest becomes the largest.",
    next_try="Is the Hessian of the network at its start positive definite? Ask this function.",
)
def smallest_curvature(product, largest, v, steps):
    """Return the smallest curvature of H, by power iteration with `steps` products, as a float.

    product(d) is Hd, and `largest` is the largest curvature: positive, and not below any other in
    size. (Where a negative curvature is larger in size than all others, build 6 returns the
    smallest itself.) The smallest is the one most to the left on the number line. Take off
    `largest` from every curvature, so that this one becomes the largest in size; iterate as in
    build 6; put it back.

    Examples
    --------
    >>> H = torch.tensor([[5.0, 0.0], [0.0, -3.0]])
    >>> round(smallest_curvature(lambda d: H @ d, 5.0, torch.tensor([3.0, 4.0]), 30), 6)
    -3.0
    """
    for _ in range(steps):
        v = v / v.norm()
        curved = product(v) - largest * v
        bend = (v @ curved).item()
        v = curved
    return bend + largest


@smallest_curvature.cases
def _shifted_matrices():
    start = _numbers(1.0, -2.0, 0.5, 1.5)

    def one(*curvatures, steps=60):
        matrix = torch.diag(_numbers(*curvatures))
        label = f"an H with the curvatures {', '.join(map(str, curvatures))}, {steps} products"
        return case(matrix_product(matrix), max(curvatures), start.clone(), steps, label=label)

    return [one(7, 5, 1, -3), one(7, 5, 1, 2, steps=2), one(4, 3, 2, 1), one(9, 8, -6, -5, steps=3)]


@smallest_curvature.method("The number is right, with more products than `steps`.")
def _no_more_products(call):
    return call.calls_of(call.arguments[0]) <= call.arguments[3]


def _off_every_element(product, largest, v, steps):
    return largest + largest_curvature.reference(lambda d: product(d) - largest, v, steps)


def _added(product, largest, v, steps):
    return largest_curvature.reference(lambda d: product(d) + largest * d, v, steps) - largest


_mistakes(
    smallest_curvature,
    "`largest` is not put back: that is the smallest minus the largest.",
    lambda product, largest, v, steps: (
        smallest_curvature.reference(product, largest, v, steps) - largest
    ),
    "That is build 6 again, the largest in size. Shift H first.",
    lambda product, largest, v, steps: largest_curvature.reference(product, v, steps),
    "`largest` is taken off every element of Hv. Off every curvature means: Hv minus largest · v.",
    _off_every_element,
    "The shift goes the wrong way: that finds the largest once more.",
    _added,
)

smallest_curvature.add_hints(
    "If H has the curvature λ along v, what does H minus a multiple of the identity have there?",
    "Along every direction d the shifted product is the product minus largest times d.",
)


# 9. A function whose formula fails at one point


@exercise(
    seconds=20.0,
    minutes=12,
    uses="import torch",
    insight="A branch gives its own derivatives: a constant has none, a series has all.",
    next_try="Do the same for (1 - cos x) / x².",
)
def smooth_sinc(x):
    """Return sin(x)/x, 1 at 0, with right first and second derivatives everywhere.

    x is a tensor of any shape. Near 0 the second derivative has to be right to 1e-6, at 0 itself it
    is -1/3. There is the series 1 - x²/6 + x⁴/120 - x⁶/5040 + …

    Examples
    --------
    >>> smooth_sinc(torch.tensor([0.0, 3.141592653589793]).double()).abs() < 0.5
    tensor([False,  True])
    """
    near = x.abs() < 0.01
    series = 1 - x**2 / 6 + x**4 / 120 - x**6 / 5040
    safe = torch.where(near, 1.0, x)
    return torch.where(near, series, safe.sin() / safe)


def _all_points(*values):
    return _numbers(*values).requires_grad_()


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


_mistakes(
    smooth_sinc,
    "At 0 that is 0/0, a NaN.",
    lambda x: x.sin() / x,
    "torch.sinc(x) is sin(πx)/(πx), another function.",
    lambda x: torch.sinc(x),
    "A small number added to x shifts the curve. Choose another formula near 0.",
    lambda x: (x + 1e-3).sin() / (x + 1e-3),
)

smooth_sinc.add_hints(
    "Two branches: the series near 0, the formula elsewhere. How near is near?",
    "The branch that is not picked is differentiated too: give the formula a harmless x there.",
)


# 10. The product of two Taylor series


@exercise(
    minutes=5,
    insight="n derivatives of a product for about n²/2 multiplications.",
    next_try="Write the quotient of two series in the same way.",
)
def taylor_product(a, b):
    """Return the Taylor coefficients of the product of two functions, as a list.

    a and b are the coefficients of the two, equally many: a[k] stands before the k-th power of t.
    Return as many.

    Examples
    --------
    >>> taylor_product([1.0, 2.0, 3.0], [5.0, 1.0, 0.0])
    [5.0, 11.0, 17.0]
    """
    return [sum(a[i] * b[k - i] for i in range(k + 1)) for k in range(len(a))]


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


_mistakes(
    taylor_product,
    "Each power is multiplied with itself only. Which pairs give t²?",
    lambda a, b: [x * y for x, y in zip(a, b, strict=True)],
    "That is the whole product of two polynomials: leave out higher powers.",
    wrong.all_powers,
    "That is the rule for derivatives, with binomial coefficients. Taylor coefficients have "
    "the factorials in them already.",
    lambda a, b: [
        sum(math.comb(k, i) * a[i] * b[k - i] for i in range(k + 1)) for k in range(len(a))
    ],
)

taylor_product.add_hints(
    "For the power 2 there are three pairs: 0 with 2, 1 with 1, and 2 with 0.",
    "For the power k the two indices add up to k.",
)


# Drills


@drill
def drill_orders(random):
    """Ask what a whole Hessian costs."""
    n, inner = random.randint(3, 40), random.choice(("jacrev", "jacfwd"))
    return Problem(
        f"`f` has {n} inputs. Count a sweep through `f`, forward or in reverse, as 1, and a "
        f"derivative of k sweeps as k. What does `jacfwd({inner}(f))` come to?",
        answer=n if inner == "jacrev" else n * n,
        why=f"Inside, {'one reverse sweep makes' if inner == 'jacrev' else f'{n} columns make'} "
        f"the gradient; outside, {n} derivatives of that.",
    )


@drill
def drill_product(random):
    """Put a Hessian-vector product to work out by hand."""
    x, y, a, b = (random.randint(1, 4) for _ in range(4))
    return Problem(
        f"$f(x, y) = x^2 y$. What is $Hv$ at $({x}, {y})$ for $v = ({a}, {b})$? Answer (one, two).",
        answer=(2 * y * a + 2 * x * b, 2 * x * a),
        why=f"The gradient is (2xy, x²). Along v: 2·{y}·{a} + 2·{x}·{b}, and 2·{x}·{a}.",
    )


@drill
def drill_newton(random):
    """Put one Newton step of one variable to work out by hand."""
    x, c = random.randint(1, 4), random.choice((2, 6, 9))
    step = -(3 * x**2 - c) / (6 * x)
    return Problem(
        f"$f(x) = x^3 - {c} x$. To which $x$ does one Newton step lead from $x = {x}$? "
        "(An expression such as 17/8 will do.)",
        answer=x + step,
        why=f"Slope 3·{x}² - {c} = {3 * x**2 - c}, curvature 6·{x}: the step is {step:.4g}.",
    )
