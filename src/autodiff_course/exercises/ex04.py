"""Exercises of notebook 04, custom Functions: from a backward rule to a step that fits."""

from __future__ import annotations

import torch

from .comparing import Tolerance
from .drills import Problem, drill
from .framework import exercise

__all__ = [
    "agrees",
    "best_step",
    "central_slopes",
    "drill_backward",
    "drill_calls",
    "drill_difference",
    "node_of",
    "recursive_node",
    "scaled_backward",
    "straight_through",
    "training_calls",
]


# 1. The backward rule of a Function with two inputs


@exercise(
    minutes=5,
    insight="One number that serves many elements adds up what they send.",
)
def scaled_backward(x, s, needs, adjoint):
    """Return what the backward of ``forward(x, s) = s * x**2`` returns: one value per input.

    x is a tensor of any shape, s a 0-dimensional tensor that scales all of it. `needs` is
    ``ctx.needs_input_grad``: two bools; where one is False, return None in its place. `adjoint` has
    the shape of the output.

    Examples
    --------
    >>> x, s = torch.tensor([1.0, 2.0]), torch.tensor(3.0)
    >>> scaled_backward(x, s, (True, True), torch.tensor([1.0, 10.0]))
    (tensor([  6., 120.]), tensor(41.))
    """
    by_x = adjoint * 2 * s * x if needs[0] else None
    by_s = (adjoint * x**2).sum() if needs[1] else None
    return by_x, by_s


scaled_backward.add_hints(
    "Write the derivative of s·x² with respect to x and with respect to s, for a single number.",
    "Multiply each by the adjoint, element by element.",
    "s is one number and reaches the output along many paths. What does one do with paths?",
)


# 2. A straight-through estimator


@exercise(
    minutes=8,
    insight="A derivative that is not true, and yet it trains: PyTorch believes what you say.",
)
def straight_through(w, x, y):
    """Return the gradient with respect to w of ``((round(w) * x - y) ** 2).mean()``.

    Rounding has the derivative 0 almost everywhere, so nothing would ever train. Treat it as a
    straight-through estimator does: round on the way forward, and on the way back pass the
    adjoint on as if nothing had happened. w, x and y have one shape. w does not require grad: let a
    detached copy of it do so.

    Examples
    --------
    >>> w, x, y = torch.tensor([1.4]), torch.tensor([2.0]), torch.tensor([5.0])
    >>> straight_through(w, x, y)
    tensor([-12.])
    """

    class Round(torch.autograd.Function):
        @staticmethod
        def forward(w):
            return w.round()

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def backward(ctx, adjoint):
            return adjoint

    w = w.detach().requires_grad_()
    loss = ((Round.apply(w) * x - y) ** 2).mean()
    return torch.autograd.grad(loss, w)[0]


straight_through.add_hints(
    "Write a Function whose forward rounds. What does its backward return?",
    "The backward has one argument besides ctx, and that is what it returns.",
    "Let a detached copy v of w require grad: `torch.autograd.grad(loss, v)[0]` is the gradient.",
)


# 3. Look closer than gradcheck


@exercise(
    minutes=10,
    insight="A check is as sharp as its tolerance, and sees only the points that you give it.",
    next_try="Write a wrong backward that your own check lets pass.",
)
def agrees(function, x):
    """Return whether every element of the gradient of function(x).sum() is right to about 1e-6.

    function works element by element on a float64 tensor. Compare its own gradient with central
    differences of its values at steps of 1e-5, element by element; the error is relative to the
    difference, or absolute where that is less than 1. A NaN is not right. Leave x as it is.

    Examples
    --------
    >>> agrees(torch.sin, torch.tensor([0.5, 1.0], dtype=torch.float64))
    True
    """
    x = x.detach().requires_grad_()
    (own,) = torch.autograd.grad(function(x).sum(), x)
    with torch.no_grad():
        slope = (function(x + 1e-5) - function(x - 1e-5)) / 2e-5
    return bool(((own - slope).abs() <= 1e-6 * slope.abs().clamp(min=1)).all())


agrees.add_hints(
    "With v a detached copy of x that requires grad, torch.autograd.grad(function(v).sum(), v)[0] "
    "is what the function says.",
    "All elements may be shifted at once, as each depends on its own only.",
)


# 4. A complete Function


@exercise(
    minutes=15,
    insight="One node, whose value may come from anywhere, and whose derivative is what you say.",
    next_try="Is its second derivative right? Section 8 tells; go back then and make it honest.",
)
def node_of(f, x, w, step):
    """Return f(x, w) as a node of the graph, with forward differences as its derivative.

    Write a torch.autograd.Function with forward, setup_context and backward, and apply it. f gets
    two 1-dimensional tensors and returns a tensor like x, in which nothing is recorded. backward
    gives the adjoint of w, by one more call of f for each element and no further one, and None for
    the rest: for now, x too gets none. Leave w as it is.

    Examples
    --------
    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> f = lambda x, w: torch.tensor([3.0 * w[0].item() * v for v in x.tolist()])
    >>> node_of(f, torch.tensor([2.0]), w, 0.5).backward()
    >>> w.grad
    tensor([6., 0.])
    """

    class Difference(torch.autograd.Function):
        @staticmethod
        def forward(x, w, f, step):
            return f(x, w.detach().clone())

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, w, ctx.f, ctx.step = inputs
            ctx.save_for_backward(x, w, output)

        @staticmethod
        def backward(ctx, adjoint):
            x, w, start = ctx.saved_tensors
            by_w = torch.zeros_like(w)
            for i in range(len(w)):
                shifted = w.detach().clone()
                shifted[i] += ctx.step
                by_w[i] = (adjoint * (ctx.f(x, shifted) - start) / ctx.step).sum()
            return None, by_w, None, None

    return Difference.apply(x, w, f, step)


node_of.add_hints(
    "forward(x, w, f, step) returns f(x, w). setup_context keeps what backward needs.",
    "f and step are no tensors: keep them as attributes, ctx.f and ctx.step.",
    "For each i: clone w, shift element i, call f, subtract, divide, times adjoint, sum.",
)


# 5. What training costs


@exercise(
    minutes=4,
    insight="Not the size of the batch, but the number of weights sets the price.",
)
def training_calls(weights, steps, scheme):
    """Return how often f is called in `steps` training steps by finite differences.

    Each step takes the value and the gradient with respect to that many `weights`. scheme is
    "forward" or "central". The value is used again where it can be.

    Examples
    --------
    >>> training_calls(2, 400, "forward")
    1200
    """
    return steps * (1 + weights * (1 if scheme == "forward" else 2))


training_calls.add_hints("Count one step first: the value, then each weight.")


# 6. Central differences


@exercise(
    minutes=6,
    insight="Where both sides bend alike, the bend cancels.",
)
def central_slopes(f, w, step):
    """Return the central differences of f at w, one per element: a tensor like w.

    f gets a 1-dimensional tensor and returns a number. Leave w as it is, at every moment: f might
    look at it, or raise.

    Examples
    --------
    >>> central_slopes(lambda w: float(w[0] ** 2 - w[1]), torch.tensor([1.0, 2.0]), 0.5)
    tensor([ 2., -1.])
    """
    slopes = torch.zeros_like(w)
    for i in range(len(w)):
        up, down = w.detach().clone(), w.detach().clone()
        up[i] += step
        down[i] -= step
        slopes[i] = (f(up) - f(down)) / (2 * step)
    return slopes


central_slopes.add_hints(
    "Two clones for each element, one shifted up and one shifted down.",
    "How far apart are the two?",
)


# 7. A step that fits


@exercise(
    minutes=6,
    tolerance=Tolerance(relative=1e-4),
    insight="The worse f is, the longer the step: the number of digits sets it, not the dtype.",
    next_try="What does the bound come to at its least? That is the accuracy of your derivative.",
)
def best_step(accuracy, scheme):
    """Return the step with the least error bound, for an f that is only `accuracy` accurate.

    All derivatives of f have size 1. The bound adds truncation and rounding: h/2 + 2·accuracy/h for
    the scheme "forward", h²/6 + accuracy/h for "central".

    Examples
    --------
    >>> best_step(1e-6, "forward")
    0.002
    """
    if scheme == "forward":
        return 2 * accuracy**0.5  # where 1/2 = 2·accuracy / h²
    return (3 * accuracy) ** (1 / 3)  # where h/3 = accuracy / h²


best_step.add_hints(
    "The bound is a function of h alone. Where is it flat?",
    "Forward: the derivative of the bound is 1/2 - 2·accuracy/h². Now central.",
)


# 8. The recursive backward


@exercise(
    minutes=15,
    insight="backward calls apply, and so its own result can be differentiated: to any order.",
    next_try="Differentiate three times. How many digits are left, and how many calls was it?",
)
def recursive_node(f, x, step):
    """Return f(x) as a node of the graph that can be differentiated again and again.

    f works element by element, and nothing in it is recorded. Write a Function, with setup_context,
    whose backward takes the central difference of the Function itself.

    Examples
    --------
    >>> x = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    >>> y = recursive_node(lambda x: x.detach() ** 3, x, 0.5)
    >>> (first,) = torch.autograd.grad(y, x, create_graph=True)
    >>> torch.autograd.grad(first, x)[0].item()
    12.0
    """

    class Recursive(torch.autograd.Function):
        @staticmethod
        def forward(x, f, step):
            return f(x.detach().clone())

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, ctx.f, ctx.step = inputs
            ctx.save_for_backward(x)

        @staticmethod
        def backward(ctx, adjoint):
            (x,) = ctx.saved_tensors
            up = Recursive.apply(x + ctx.step, ctx.f, ctx.step)
            down = Recursive.apply(x - ctx.step, ctx.f, ctx.step)
            return adjoint * (up - down) / (2 * ctx.step), None, None

    return Recursive.apply(x, f, step)


recursive_node.add_hints(
    "Start from node_of: forward, setup_context and backward, for a single argument x.",
    "In backward call `YourFunction.apply` at x + step and at x - step.",
)


# Drills


@drill
def drill_difference(random):
    """Put a difference quotient to work out by hand."""
    x, h, central = random.randint(1, 6), random.choice((0.5, 0.25, 2)), random.random() < 0.5
    kind = "central" if central else "forward"
    return Problem(
        f"The {kind} difference of $x^2$ at $x = {x}$ with step $h = {h}$?",
        answer=2 * x if central else 2 * x + h,
        why="(x + h)² - (x - h)² = 4xh: 2x, exactly."
        if central
        else f"((x + h)² - x²) / h = 2x + h: {h} too much.",
    )


@drill
def drill_backward(random):
    """Ask how many values backward returns."""
    tensors, others = random.randint(1, 4), random.randint(1, 3)
    given = f"{tensors} tensor{'s' * (tensors > 1)} and {others} number{'s' * (others > 1)}"
    return Problem(
        f"`forward` takes {given}. How many values does `backward` "
        "return, and how many of them must be None? Answer (values, nones).",
        answer=(tensors + others, others),
        why=f"One for each argument: {tensors} + {others}; a number that is no tensor gets None.",
    )


@drill
def drill_calls(random):
    """Ask for the calls for a gradient."""
    n, scheme = random.randint(2, 30), random.choice(("forward", "central"))
    return Problem(
        f"Value and gradient in {n} weights by {scheme} differences: how many calls of $f$?",
        answer=1 + n * (1 if scheme == "forward" else 2),
        why=f"1 for the value, {1 if scheme == 'forward' else 2} for each of the {n} weights.",
    )


# What answers are tried on, and the mistakes that are recognised: they need the exercises above.
from . import _checks04, _nodes04, _wrong04  # noqa: E402, F401
