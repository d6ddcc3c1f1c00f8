"""Derivatives of a function that PyTorch cannot see through, from differences of its values.

`finite_difference` wraps a black box. Behind it stands one `torch.autograd.Function`: its backward
calls the *Function* again at shifted arguments, so it can itself be differentiated.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.autograd import forward_ad

__all__ = ["FiniteDifference", "best_step", "finite_difference"]

SCHEMES = ("forward", "central")
DTYPES = (torch.float32, torch.float64)
PROBE = 0.37  # part of the step at which f is asked once more whether it is straight enough


def best_step(accuracy: float, scheme: str = "central", derivative: int = 1) -> float:
    """Return the step with the least error bound where f and its derivatives have size 1.

    The bound is truncation plus rounding: ``h / 2 + 2 a / h`` ("forward") or ``h**2 / 6 + a / h``
    ("central"), with a the `accuracy`. What it is at its least is the accuracy of the first
    derivative, and sets the step between two of those: `derivative` 2, and so on.

    Parameters
    ----------
    accuracy : float
        Absolute error of the values of f where they have size 1, between 0 and 1.
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
    if scheme not in SCHEMES:
        raise ValueError(f"scheme must be 'forward' or 'central', got {scheme!r}")
    if not 0 < accuracy < 1:
        raise ValueError(f"accuracy must lie between 0 and 1, got {accuracy!r}")
    if derivative < 1:
        raise ValueError(f"derivative must be at least 1, got {derivative!r}")
    for _ in range(derivative):
        if scheme == "forward":
            step = 2 * math.sqrt(accuracy)
            accuracy = step
        else:
            step = (3 * accuracy) ** (1 / 3)
            accuracy = step**2 / 2
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
        Takes positional arguments, tensors as copies, and returns one float32 or float64 tensor:
        the same for the same arguments. It must not change them.
    scheme : {"forward", "central"}
        ``(f(x + h) - f(x)) / h``, or ``(f(x + h) - f(x - h)) / (2 h)``.
    accuracy : float, optional
        Relative accuracy of f, by default that of the coarsest dtype involved. It sets the step:
        ``best_step(accuracy, scheme)``, times abs(x) where that is more than 1.
    step : float, optional
        h itself, for first derivatives, in the unit of the arguments. For arguments that are much
        smaller than 1. Higher derivatives are then refused.

    Returns
    -------
    FiniteDifference
        Called like f; counts its calls of f in ``calls``.

    Raises
    ------
    TypeError, ValueError
        Here or when the result is used, if something is not as described: a value that is not
        finite, an output that changes its shape, a changed argument, a step lost in rounding, or a
        step over which f changes too much.

    Notes
    -----
    Cost in calls of f: 1 for the value; in a backward sweep n ("forward") or 2 n more for each
    tensor of n elements that asks; 1 or 2 more for a JVP. Without `step`, one more for each of
    these tensors, or for the JVP: part of the step away f must be where the derivative says, or
    the step is refused as too long. Under ``torch.vmap`` all that for each sample. Where values
    cannot be looked at (a derivative under ``vmap``), one that would be refused is NaN.

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


class FiniteDifference:
    """A differentiable function made of calls of a black box: see `finite_difference`."""

    def __init__(self, f, scheme="central", accuracy=None, step=None):
        if not callable(f):
            raise TypeError(f"f must be callable, got {type(f).__name__}")
        best_step(0.5 if accuracy is None else accuracy, scheme)  # refuses what is not a choice
        if step is not None and not 0 < step < math.inf:
            raise ValueError(f"step must be positive and finite, got {step!r}")
        self.f, self.scheme, self.accuracy, self.step = f, scheme, accuracy, step
        self.calls = 0

    def __call__(self, *args) -> Tensor:
        """Return f(*args) as a node of the graph."""
        slots = tuple(i for i, value in enumerate(args) if isinstance(value, Tensor))
        rest = tuple(None if i in slots else value for i, value in enumerate(args))
        return _Evaluation.apply(_Call(self, rest, slots), None, *(args[i] for i in slots))


@dataclass(frozen=True)
class _Call:
    """What to call, where the tensors stand, and the how-manieth derivative comes next."""

    box: FiniteDifference
    rest: tuple
    slots: tuple[int, ...]
    derivative: int = 1

    def __call__(self, tensors):
        args, copies = list(self.rest), [t.detach().clone() for t in tensors]
        for i, tensor, copy in zip(self.slots, tensors, copies, strict=True):
            if not tensor.isfinite().all():
                raise ValueError(f"argument {i} of f must be finite, got {tensor}")
            args[i] = copy
        self.box.calls += 1
        output = self.box.f(*args)
        if not isinstance(output, Tensor) or output.dtype not in DTYPES:
            found = output.dtype if isinstance(output, Tensor) else type(output).__name__
            raise TypeError(f"f must return one float32 or float64 tensor, got {found}")
        if not output.isfinite().all():
            raise ValueError(f"f must return finite values, got {output.detach()} at {tensors}")
        for i, tensor, copy in zip(self.slots, tensors, copies, strict=True):
            if copy.shape != tensor.shape or not torch.equal(copy, tensor):
                raise ValueError(f"f must not change its arguments, but changed argument {i}")
        return output.detach().clone()  # f may write into its output again

    def step(self, tensors):
        if self.box.step is not None:
            if self.derivative > 1:
                raise ValueError("step is for first derivatives only: give accuracy instead")
            return self.box.step
        accuracy = self.box.accuracy or max(torch.finfo(t.dtype).eps for t in tensors)
        return best_step(accuracy, self.box.scheme, self.derivative)

    def scale(self, tensor):
        """Return what the step is multiplied by, for each element."""
        if self.box.step is not None:
            return torch.ones_like(tensor)
        return tensor.detach().abs().clamp(min=1)


class _Evaluation(torch.autograd.Function):
    """One call of f; differentiated by further evaluations at shifted arguments."""

    @staticmethod
    def forward(call, known, *tensors):
        return call(tensors) if known is None else known.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.call, _, *tensors = inputs
        kept = (*tensors, output.detach().clone())  # the caller may change the output in place
        ctx.save_for_backward(*kept)
        ctx.save_for_forward(*kept)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, adjoint):
        *tensors, output = ctx.saved_tensors
        needed = ctx.needs_input_grad[2:]
        if adjoint is None:
            return (None,) * (2 + len(needed))
        return (
            None,
            None,
            *(
                _adjoint_of(ctx.call, tensors, output, n, adjoint) if asks else None
                for n, asks in enumerate(needed)
            ),
        )

    @staticmethod
    def jvp(ctx, _call, _known, *tangents):
        # PyTorch switches forward mode off in here, and an outer jvp would silently find 0
        # (pytorch issue 197867). On, a saved tensor still carries the tangent of this jvp.
        with forward_ad._set_fwd_grad_enabled(True):
            *tensors, output = (forward_ad.unpack_dual(t).primal for t in ctx.saved_tensors)
            return _tangent_along(ctx.call, tensors, output, tangents)

    @staticmethod
    def vmap(info, in_dims, call, known, *tensors):
        if info.batch_size == 0:
            raise ValueError("vmap over a dimension of size 0: f cannot be called")
        samples = (
            [
                t if d is None else t.select(d, i)
                for t, d in zip((known, *tensors), in_dims[1:], strict=True)
            ]
            for i in range(info.batch_size)
        )
        return torch.stack([_Evaluation.apply(call, *sample) for sample in samples]), 0


def _change(call, tensors, output, ups, downs):
    """Return f at the tensors plus `ups`, less f at the tensors minus `downs` (or at them)."""
    outer = replace(call, derivative=call.derivative + 1)

    def value(shifts, sign):
        moved = [t + sign * shifts[n] if n in shifts else t for n, t in enumerate(tensors)]
        found = _Evaluation.apply(outer, None, *moved)
        if found.shape != output.shape or found.dtype != output.dtype:
            raise ValueError(
                "f must always return the same shape and dtype, got "
                f"{tuple(output.shape)} {output.dtype} and {tuple(found.shape)} {found.dtype}"
            )
        return found

    # The known value costs no call, and is differentiated with the same step as its neighbour.
    base = _Evaluation.apply(outer, output, *tensors)
    above = value(ups, 1)
    return above - (value(downs, -1) if call.box.scheme == "central" else base)


def _checked(call, tensors, output, shifts, change, result):
    """Return the result where f, `shifts` away, has changed by about `change`; else refuse."""
    if call.box.step is not None or call.derivative > 1:
        return result
    moved = [(t + shifts[n] if n in shifts else t).detach() for n, t in enumerate(tensors)]
    found = _Evaluation.apply(replace(call, derivative=2), None, *moved) - output.detach()
    tolerance = max(1e-3, 10 * (call.box.accuracy or 0) ** (2 / 3)) * output.detach().abs().clamp(
        min=1
    )
    rough = ((found - change.detach()).abs() > tolerance).any()
    _refuse(rough, "f bends too much over the default step: give a shorter one as step")
    return torch.where(rough, math.nan, result)


def _adjoint_of(call, tensors, output, number, adjoint):
    """Return the VJP for one tensor: one difference for each of its elements."""
    tensor = tensors[number].detach()
    wanted = call.step([tensor, output]) * call.scale(tensor)
    up, down = (tensor + wanted) - tensor, tensor - (tensor - wanted)  # as rounded
    _refuse(((up == 0) | (down == 0)).any(), "the step is lost in rounding: give a longer one")
    span = up + down if call.box.scheme == "central" else up
    parts, total, small = [], torch.zeros_like(output), PROBE / max(1, tensor.numel()) ** 0.5
    for index in itertools.product(*map(range, tensor.shape)):
        here = torch.zeros(tensor.shape, dtype=torch.bool, device=tensor.device)
        here[index] = True
        ups, downs = ({number: torch.where(here, shift, 0)} for shift in (up, down))
        slope = _change(call, tensors, output, ups, downs) / span[index]
        parts.append((adjoint * slope).sum().to(tensor))
        total = total + slope.detach() * up[index] * small
    if not parts:
        return torch.zeros_like(tensor)
    result = torch.stack(parts).reshape(tensor.shape)
    return _checked(call, tensors, output, {number: small * up}, total, result)


def _tangent_along(call, tensors, output, tangents):
    """Return the JVP: one difference along the direction of all tangents together."""
    moving = {n: tangent for n, tangent in enumerate(tangents) if tangent is not None}
    step = call.step([output, *(tensors[n] for n in moving)])
    speeds = [(t.detach().abs() / call.scale(tensors[n])).max() for n, t in moving.items()]
    speed = torch.stack([s.double() for s in speeds]).max()
    length = step / torch.where(speed == 0, 1.0, speed)  # no element goes further than its step
    shifts = {n: (length * tangent).to(tangent) for n, tangent in moving.items()}
    lost = [(tensors[n] + s == tensors[n]) & (s != 0) for n, s in shifts.items()]
    _refuse(torch.stack([one.any() for one in lost]).all(), "the step is lost in rounding")
    span = 2 * length if call.box.scheme == "central" else length
    slope = (_change(call, tensors, output, shifts, shifts) / span).to(output)
    probe = {n: PROBE * shift for n, shift in shifts.items()}
    return _checked(call, tensors, output, probe, PROBE * length * slope, slope)


def _refuse(found, reason):
    try:
        wrong = bool(found)
    except RuntimeError:  # under vmap no value can be looked at
        return
    if wrong:
        raise ValueError(reason)
