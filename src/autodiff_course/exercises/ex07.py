"""Exercises of notebook 07, second derivatives: a check of them, and what to do with them."""

from __future__ import annotations

import torch
from torch.func import grad, jvp

from . import _forward_mode  # noqa: F401
from .comparing import Tolerance
from .drills import Problem, drill
from .framework import exercise

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
    the step at t = 0: a negative number. A NaN is not enough. Where no t above 1e-9 is good, return
    0.0.

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
    size. (Where a negative curvature is larger in size than all others, build 7 returns the
    smallest itself.) The smallest is the one most to the left on the number line. Take off
    `largest` from every curvature, so that this one becomes the largest in size; iterate as in
    build 7; put it back.

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
        "(An expression such as 17/8 will do, without quotes.)",
        answer=x + step,
        why=f"Slope 3·{x}² - {c} = {3 * x**2 - c}, curvature 6·{x}: the step is {step:.4g}.",
    )


# What answers are tried on, and the mistakes that are recognised: they need the exercises above.
from . import _checks07, _wrong07  # noqa: E402, F401
