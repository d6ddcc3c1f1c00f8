"""Functions with known faults in their derivatives, for the exercises of notebook 07."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["ORDERS", "faulty", "matrix_product", "telltale"]

#: The four orders of a second derivative; the last word says what is done first.
ORDERS = (
    "forward over reverse",
    "reverse over reverse",
    "reverse over forward",
    "forward over forward",
)


def matrix_product(matrix: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the function that multiplies a vector by a matrix, and shows nothing else of it."""

    def product(d):
        return matrix.to(d) @ d

    return product


def _with_rules(value, reverse, forward=None):
    """Return an elementwise function with these slopes for reverse and for forward mode."""

    class Rules(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x):
            return value(x)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx, adjoint):
            return adjoint * reverse(ctx.saved_tensors[0])

    if forward is not None:
        Rules.jvp = staticmethod(lambda ctx, tangent: tangent * forward(ctx.saved_tensors[0]))
    return Rules.apply


def _cube(x):
    return x**3


def _slope(x):
    return 3 * x**2


def _bend(x):
    return 6 * x


def telltale(x: Tensor) -> Tensor:
    """Sum the cubes of x, with rules that contradict each other: each order gives another number.

    Examples
    --------
    >>> from torch.func import grad
    >>> grad(telltale)(torch.tensor([1.0, 2.0]))
    tensor([ 3., 12.])
    """
    of_reverse = _with_rules(_slope, lambda x: 2 * _bend(x), _bend)
    of_forward = _with_rules(_slope, lambda x: 3 * _bend(x), lambda x: 4 * _bend(x))
    return _with_rules(_cube, of_reverse, of_forward)(x).sum()


def faulty(fault: str, size: float = 1.0) -> Callable[[Tensor], Tensor]:
    """Return a function of a vector with one fault in its rules.

    Parameters
    ----------
    fault : {"gradient", "forward rule", "all orders", "second backward", "no forward rule", \
"balanced", "twisted"}
        What is wrong: the first derivative; the derivative of the forward rule; that of both rules;
        the backward of the backward, twice as large as it should be; a forward rule that is
        missing; or the derivative of both rules, by numbers that add up to 0, or by an
        antisymmetric matrix.
    size : float
        The factor before the faulty part.

    Examples
    --------
    >>> faulty("all orders")(torch.tensor([1.0, 2.0]))
    tensor(11.)
    """

    def constant_slope(x):
        return _slope(x.detach())

    def balanced(x):
        signs = torch.tensor([1.0, -1.0]).to(x).repeat(len(x) // 2)
        return _slope(x) + (x - x.detach()) * signs

    def twisted(x):
        moved = x - x.detach()
        return _slope(x) + moved.roll(1) - moved.roll(-1)

    def too_steep(x):
        return 1.1 * _slope(x)

    rules = {
        "gradient": (too_steep, too_steep),
        "forward rule": (_slope, constant_slope),
        "all orders": (constant_slope, constant_slope),
        "second backward": (_with_rules(_slope, lambda x: 2 * _bend(x), _bend), _slope),
        "no forward rule": (_slope,),
        "balanced": (balanced, balanced),
        "twisted": (twisted, twisted),
    }
    function = _with_rules(_cube, *rules[fault])

    def f(x):
        return size * function(x).sum() + x.prod()

    return f
