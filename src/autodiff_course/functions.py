"""Derivatives of a function that PyTorch cannot see through, from differences of its values.

`finite_difference` wraps a black box. Behind it stands one `torch.autograd.Function`: its backward
calls the *Function* again at shifted arguments, so it can itself be differentiated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import forward_ad

__all__ = ["FiniteDifference", "best_step", "finite_difference"]

PROBE = 0.37  # part of the step at which f is asked once more whether it is straight enough


def best_step(accuracy: float, scheme: str = "central", derivative: int = 1) -> float:
    """Return the step with the least error bound where f and its derivatives have size 1.

    The bound is ``h / 2 + 2 a / h`` ("forward") or ``h**2 / 6 + a / h`` ("central"), with a the
    `accuracy`. Its least value is the accuracy of the first derivative, and so on.

    Parameters
    ----------
    accuracy : float
        Error of a value of f, between 0 and 1.
    scheme : {"forward", "central"}
    derivative : int
        1 for a first derivative.

    Raises
    ------
    ValueError
        If an argument is not as described.

    Examples
    --------
    >>> f"{best_step(1e-6, 'forward'):.3f} {best_step(1e-6):.4f}"
    '0.002 0.0144'
    """
    if scheme not in ("forward", "central"):
        raise ValueError(f"scheme must be 'forward' or 'central', got {scheme!r}")
    if not 0 < accuracy < 1:
        raise ValueError(f"accuracy must lie between 0 and 1, got {accuracy!r}")
    if derivative < 1:
        raise ValueError(f"derivative must be at least 1, got {derivative!r}")
    for _ in range(derivative):
        step = 2 * math.sqrt(accuracy) if scheme == "forward" else math.cbrt(3 * accuracy)
        accuracy = step if scheme == "forward" else step**2 / 2
    return step


def finite_difference(
    f: Callable[..., Tensor],
    scheme: str = "central",
    *,
    accuracy: float | None = None,
    step: float | None = None,
) -> FiniteDifference:
    """Make a black box differentiable with respect to every tensor argument that asks for it.

    Parameters
    ----------
    f : callable
        Takes positional arguments, real tensors as copies, which it must not change; returns one
        float32 or float64 tensor, the same for the same arguments.
    scheme : {"forward", "central"}
        ``(f(x + h) - f(x)) / h``, or ``(f(x + h) - f(x - h)) / (2 h)``.
    accuracy : float, optional
        Error of a value of f, by default the spacing of the coarser dtype of argument and output.
        It sets the step: ``best_step(accuracy, scheme)``, times abs(x) / 8 where that exceeds 1.
    step : float, optional
        h itself, for first derivatives, in the unit of the arguments.

    Returns
    -------
    FiniteDifference
        Called like f; counts its calls of f in ``calls``.

    Raises
    ------
    TypeError, ValueError
        Here or when the result is used, if something is not as described: a value that is not
        finite, an output that changes its shape, a changed argument, a tensor that requires grad
        and is not an argument, a step lost in rounding, or a step over which f is seen to bend.

    Notes
    -----
    Cost in calls of f: 1 for the value; in a backward sweep one ("forward") or two more for each
    element of a tensor that asks; 1 or 2 more for a JVP. Without `step` one more for each first
    derivative, at a point in between: a VJP looks there at one sum of the outputs, a JVP at each of
    them, and so refuses more. Not every bend is seen: none where all values are below 4e-4, since
    the alarm counts in units of ``max(1, abs(f(x)))``. Under ``torch.vmap`` all that for each
    sample. A derivative under ``vmap``, as in ``jacfwd``, cannot raise: what would be refused is
    NaN. There a weight that f takes from outside counts as a constant.

    References
    ----------
    J. Nocedal and S. J. Wright, "Numerical Optimization", 2nd ed., Springer, 2006, section 8.1.

    Examples
    --------
    >>> g = finite_difference(lambda x: torch.tensor(math.exp(float(x)), dtype=x.dtype))
    >>> x = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
    >>> g(x).backward()
    >>> f"{x.grad.item():.6f}", g.calls
    ('1.000000', 4)
    """
    return FiniteDifference(f, scheme, accuracy, step)


@dataclass(eq=False)
class FiniteDifference:
    """A black box as a differentiable function that counts its calls: see `finite_difference`."""

    f: Callable[..., Tensor]
    scheme: str = "central"
    accuracy: float | None = None
    step: float | None = None
    calls: int = 0

    def __post_init__(self):
        if not callable(self.f):
            raise TypeError(f"f must be callable, got {type(self.f).__name__}")
        best_step(0.5 if self.accuracy is None else self.accuracy, self.scheme)  # checks both
        if self.step is not None and not 0 < self.step < math.inf:
            raise ValueError(f"step must be positive and finite, got {self.step!r}")

    def __call__(self, *args) -> Tensor:
        """Return f(*args) as a node of the graph."""
        return _Evaluation.apply(self, 1, None, *args)

    def _value(self, args):
        copies = [a.detach().clone() if isinstance(a, Tensor) else a for a in args]
        tensors = [(i, a, copies[i]) for i, a in enumerate(args) if isinstance(a, Tensor)]
        for i, tensor, _ in tensors:
            if tensor.is_complex():
                raise TypeError(f"argument {i} of f must be real, got {tensor.dtype}")
            if not tensor.isfinite().all():
                raise ValueError(f"argument {i} of f must be finite, got {tensor}")
        self.calls += 1
        with torch.enable_grad():  # a weight that came in unseen then shows in the output
            output = self.f(*copies)
        if not isinstance(output, Tensor) or output.dtype not in (torch.float32, torch.float64):
            found = output.dtype if isinstance(output, Tensor) else type(output).__name__
            raise TypeError(f"f must return one float32 or float64 tensor, got {found}")
        if output.requires_grad:
            raise ValueError("f uses a tensor that requires grad: pass it as an argument")
        if not output.isfinite().all():
            raise ValueError(f"f must return finite values, got {output} at {args}")
        for i, tensor, copy in tensors:
            if copy.shape != tensor.shape or not torch.equal(copy, tensor):
                raise ValueError(f"f must not change its arguments, but changed argument {i}")
        return output.clone()  # f may write into its output again


class _Evaluation(torch.autograd.Function):
    """One call of f; differentiated by further evaluations at shifted arguments."""

    @staticmethod
    def forward(box, order, known, *args):
        return box._value(args) if known is None else known.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.box, ctx.order, _, *args = inputs
        ctx.others = [None if isinstance(a, Tensor) else a for a in args]
        kept = [a if isinstance(a, Tensor) else None for a in args]
        kept.append(output.detach().clone())  # the caller may change the output in place
        ctx.save_for_backward(*kept)
        ctx.save_for_forward(*kept)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, adjoint):
        asks = ctx.needs_input_grad
        if adjoint is None:
            return (None,) * len(asks)
        return None, None, None, *_Point(ctx, ctx.saved_tensors).vjp(adjoint, asks[3:])

    @staticmethod
    def jvp(ctx, _box, _order, _known, *tangents):
        # PyTorch switches forward mode off in here, and an outer jvp would silently find 0
        # (pytorch issue 197867). On, a saved tensor still carries the tangent of this jvp.
        with forward_ad._set_fwd_grad_enabled(True):
            kept = (t if t is None else forward_ad.unpack_dual(t)[0] for t in ctx.saved_tensors)
            return _Point(ctx, kept).jvp(tangents)

    @staticmethod
    def vmap(info, in_dims, box, order, known, *args):
        def sample(i):
            inputs = zip((known, *args), in_dims[2:], strict=True)
            return [a.select(d, i) if isinstance(d, int) else a for a, d in inputs]

        values = [_Evaluation.apply(box, order, *sample(i)) for i in range(info.batch_size)]
        return torch.stack(values), 0


class _Point:
    """Where f is differentiated, and for the how-manieth time."""

    def __init__(self, ctx, kept):
        *tensors, self.output = kept
        both = zip(tensors, ctx.others, strict=True)
        self.args = [other if tensor is None else tensor for tensor, other in both]
        self.box, self.order, self.central = ctx.box, ctx.order, ctx.box.scheme == "central"

    def steps(self, n):
        """Return the step for each element of argument n."""
        box, tensor = self.box, self.args[n].detach()
        if box.step is None:
            accuracy = box.accuracy or max(torch.finfo(t.dtype).eps for t in (tensor, self.output))
            return best_step(accuracy, box.scheme, self.order) * (tensor.abs() / 8).clamp(min=1)
        if self.order > 1:
            raise ValueError("step is for first derivatives only: give accuracy instead")
        return torch.full_like(tensor, box.step)

    def moved(self, shifts, known=None):
        """Return f at the arguments plus `shifts`, as a node."""
        args = [a + shifts[n] if n in shifts else a for n, a in enumerate(self.args)]
        found, here = _Evaluation.apply(self.box, self.order + 1, known, *args), self.output
        if found.shape != here.shape or found.dtype != here.dtype:
            raise ValueError(
                "f must always return the same shape and dtype, got "
                f"{tuple(here.shape)} {here.dtype} and {tuple(found.shape)} {found.dtype}"
            )
        return found

    def change(self, shifts):
        """Return the difference of values of f that the scheme asks for."""
        if self.central:
            return self.moved(shifts) - self.moved({n: -shift for n, shift in shifts.items()})
        # The known value costs no call, and is differentiated with the same step as its neighbour.
        return self.moved(shifts) - self.moved({}, self.output)

    def vjp(self, adjoint, asks):
        """Return the adjoints of the arguments that ask, by a difference for each element."""
        found = [torch.zeros_like(self.args[n]) if ask else None for n, ask in enumerate(asks)]
        steps = {n: self.steps(n) for n, a in enumerate(found) if a is not None and a.numel()}
        for n, step in steps.items():
            tensor, parts = self.args[n].detach(), []
            span = (tensor + step) - (tensor - step if self.central else tensor)  # as rounded
            _refuse((span == 0).any(), "the step is lost in rounding: give a longer one")
            numbers = torch.arange(tensor.numel(), device=tensor.device).reshape(tensor.shape)
            for i in range(tensor.numel()):
                slope = self.change({n: step * (numbers == i)}) / span.flatten()[i]
                parts.append((adjoint * slope).sum().to(tensor))
            found[n] = torch.stack(parts).reshape(tensor.shape)
        probe = PROBE / max(1, sum(step.numel() for step in steps.values())) ** 0.5
        shifts = {n: probe * step for n, step in steps.items()}
        with torch.no_grad():
            expected = sum((found[n] * shift).sum() for n, shift in shifts.items())
            rough = self.bends(shifts, expected, adjoint)
        return [torch.where(rough, math.nan, a) if n in steps else a for n, a in enumerate(found)]

    def jvp(self, tangents):
        """Return the tangent of f, by one difference along all tangents together."""
        moving = {n: tangent for n, tangent in enumerate(tangents) if tangent is not None}
        speeds = [(t.detach().abs() / self.steps(n)).max().double() for n, t in moving.items()]
        speed = torch.stack(speeds).max()
        length = 1 / torch.where(speed == 0, 1.0, speed)  # no element goes further than its step
        shifts = {n: (length * tangent).to(tangent) for n, tangent in moving.items()}
        lost = [((self.args[n] + s == self.args[n]) & (s != 0)).any() for n, s in shifts.items()]
        _refuse(torch.stack(lost).all(), "the step is lost in rounding: give a longer one")
        slope = (self.change(shifts) / (length * (1 + self.central))).to(self.output)
        probe = {n: PROBE * shift for n, shift in shifts.items()}
        rough = self.bends(probe, (PROBE * length * slope).detach())
        return torch.where(rough, math.nan, slope)

    def bends(self, shifts, expected, weight=None):
        """Return whether f, at these shifts, has not changed (in a weighted sum) as expected."""
        if not shifts or self.box.step is not None or self.order > 1:
            return torch.zeros_like(self.output, dtype=torch.bool).any()
        here = self.output.detach()
        change = self.moved({n: shift.detach() for n, shift in shifts.items()}).detach() - here
        size = here.abs().clamp(min=1)
        if weight is not None:
            change, size = (weight * change).sum(), (weight.abs() * size).sum()
        tolerance = max(1e-3, 10 * (self.box.accuracy or 0) ** (2 / 3))
        rough = ((change - expected).abs() > tolerance * size).any()
        _refuse(rough, "f bends too much over the default step: give a shorter one as step")
        return rough


def _refuse(found, reason):
    try:
        wrong = bool(found)
    except RuntimeError:  # under vmap no value can be looked at
        return
    if wrong:
        raise ValueError(reason)
