"""Derivatives of a function that PyTorch cannot see through, from differences of its values.

`finite_difference` wraps a black box, and the result takes part in everything that PyTorch
differentiates: ``backward``, ``torch.func``, second derivatives. Behind it stands one
`torch.autograd.Function`, `_Evaluation`: forward calls the black box, ``backward`` and ``jvp`` are
ordinary torch code that calls it again at shifted arguments. So they can be differentiated in turn.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

__all__ = ["FiniteDifference", "default_step", "finite_difference"]

# The order of the truncation error: f' + O(h) one-sided, f' + O(h²) two-sided.
ACCURACY = {"forward": 1, "central": 2}
HIGHEST_DERIVATIVE = 2
DTYPES = (torch.float32, torch.float64)
HIDDEN = (
    "f uses a tensor that is not an argument, and its derivative would be lost. Pass that tensor "
    "as an argument, or detach it where its derivative is not wanted"
)


def finite_difference(
    f: Callable[..., Tensor],
    scheme: str = "forward",
    step: float | tuple[float, float] | None = None,
    *,
    batch: str | Sequence[str] = (),
) -> FiniteDifference:
    """Make a black box differentiable with respect to every tensor argument that asks for it.

    Parameters
    ----------
    f : callable
        Called with the arguments that it would get without the wrapper, tensors as copies. It
        returns one float32 or float64 tensor of any shape, and the same values whenever it gets
        the same arguments. What it computes with does not matter.
    scheme : {"forward", "central"}
        ``(f(x + h) - f(x)) / h``, or ``(f(x + h) - f(x - h)) / (2 h)``: about twice the calls and
        far more correct digits.
    step : float or pair of float, optional
        h for first derivatives, or for first and second ones, in the unit of the arguments and the
        same for all of their elements. By default each element x has its own step,
        `default_step` times max(1, abs(x)). Give one where f is less accurate than its dtype, as
        an iterative solver is, or where arguments are much smaller than 1.
    batch : str or sequence of str, optional
        Names of arguments whose first dimension is a batch. The caller thereby promises that row i
        of the output depends on row i of these arguments, whatever the number of rows. One
        perturbation then serves all rows at once.

    Returns
    -------
    FiniteDifference
        A callable with the signature of f, which counts its calls of f in ``calls``.

    Raises
    ------
    TypeError, ValueError
        Here, if an argument is not as described. When the result is called or differentiated: if a
        tensor is complex or sparse or stands inside a list, tuple or dict; if one that asks for a
        derivative is neither float32 nor float64; if the output is not as described, changes its
        shape or dtype between calls, or depends on a tensor that requires grad and is not an
        argument; if `step` is lost in rounding; if a third derivative is asked for, or a second
        one with only one `step`.
    Exception
        Whatever f raises passes unchanged, with a note that names the argument and the shift.

    Notes
    -----
    Cost in calls of f, for n elements of all the arguments that ask for a derivative (an argument
    in `batch` counts the elements of one row): 1 for the value, then n ("forward") or 2n
    ("central") for a backward sweep, and 1 or 2 for a JVP, however large n is. The Hessian of a
    scalar by ``jacrev(jacrev(...))`` takes (n + 1)² or 4n² + 2n + 1 in all. ``create_graph=True``
    adds no calls until the gradient is differentiated itself.

    Under ``torch.vmap`` f is called once per sample, unless all mapped arguments are in `batch`:
    their samples are then put below each other and f is called once for all.

    The tensors of the caller are neither changed nor handed to f. Second derivatives are
    differences of differences, with a longer step for the outer one. Typical relative errors
    (medians over x in [-2, 2] for sin x + exp x):

    ======= ======= ================ =================
    scheme  dtype   first derivative second derivative
    ======= ======= ================ =================
    forward float32 2e-4             1e-2
    central float32 3e-6             3e-4
    forward float64 8e-9             6e-5
    central float64 5e-12            3e-8
    ======= ======= ================ =================

    References
    ----------
    J. Nocedal and S. J. Wright, "Numerical Optimization", 2nd ed., Springer, 2006, section 8.1.

    Examples
    --------
    >>> import math
    >>> black_box = lambda x, w: torch.tensor(math.exp(float(x)) * float(w) ** 2)
    >>> g = finite_difference(black_box, scheme="central")
    >>> x = torch.tensor(0.0, requires_grad=True)
    >>> w = torch.tensor(3.0, requires_grad=True)
    >>> g(x, w).backward()
    >>> print(f"{x.grad.item():.3f} {w.grad.item():.3f}")
    9.000 6.000
    >>> g.calls
    5
    """
    return FiniteDifference(f, scheme, step, batch=batch)


def default_step(dtype: torch.dtype, scheme: str = "forward", derivative: int = 1) -> float:
    """Return the step, relative to the argument, that balances truncation and rounding.

    Parameters
    ----------
    dtype : torch.dtype
        float32 or float64; the less accurate one of argument and output.
    scheme : {"forward", "central"}
        As for `finite_difference`.
    derivative : {1, 2}
        1 for the step of a first derivative, 2 for the step between two first derivatives.

    Returns
    -------
    float
        With ε the spacing of the floats at 1: ε^(1/2) and ε^(1/4) for the forward scheme,
        ε^(1/3) and ε^(2/9) for the central one.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> f"{default_step(torch.float64):.1e}, {default_step(torch.float64, 'central'):.1e}"
    '1.5e-08, 6.1e-06'
    """
    if dtype not in DTYPES:
        raise TypeError(f"dtype must be torch.float32 or torch.float64, got {dtype}")
    _check_scheme(scheme)
    if derivative not in (1, 2):
        raise ValueError(f"derivative must be 1 or 2, got {derivative!r}")
    noise = torch.finfo(dtype).eps
    for _ in range(derivative):
        # The least of h**p + noise / h, up to constant factors; what it leaves is the noise of
        # the values that the next difference is taken of.
        step = noise ** (1 / (ACCURACY[scheme] + 1))
        noise /= step
    return step


class FiniteDifference:
    """A black box that PyTorch can differentiate; made by `finite_difference`, described there.

    Attributes
    ----------
    calls : int
        How often f was called so far; may be set back to 0.
    scheme : str
        ``"forward"`` or ``"central"``.
    step : tuple of float or None
        The steps for first and, where given, second derivatives; None for the default.
    batch : tuple of str
        The arguments whose first dimension is a batch.

    Examples
    --------
    >>> FiniteDifference(torch.sin, "central")
    FiniteDifference(sin, scheme='central')
    """

    def __init__(
        self,
        f: Callable[..., Tensor],
        scheme: str = "forward",
        step: float | tuple[float, float] | None = None,
        *,
        batch: str | Sequence[str] = (),
    ) -> None:
        if not callable(f):
            raise TypeError(f"f must be callable, got {type(f).__name__}")
        _check_scheme(scheme)
        # __wrapped__ lets `inspect.signature` and `help` show those of f.
        functools.update_wrapper(self, f, updated=())
        self.calls = 0
        self.scheme = scheme
        self.step = _checked_steps(step)
        self._f = f
        self._parameters = _parameters(f)
        self.batch = self._checked_batch(batch)

    def __repr__(self) -> str:
        name = getattr(self._f, "__name__", type(self._f).__name__)
        step = f", step={self.step}" if self.step else ""
        batch = f", batch={self.batch}" if self.batch else ""
        return f"FiniteDifference({name}, scheme={self.scheme!r}{step}{batch})"

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        """Return ``f(*args, **kwargs)``, recorded for differentiation. One call of f."""
        _check_closure(self._f)
        given = {**dict(enumerate(args)), **kwargs}
        names = {key: self._name(key) for key in given}
        for key, value in given.items():
            _check_argument(names[key], value)
        keys = tuple(key for key, value in given.items() if isinstance(value, Tensor))
        call = _Call(
            box=self,
            given={key: None if key in keys else value for key, value in given.items()},
            keys=keys,
            names=tuple(names[key] for key in keys),
            guarded=torch.is_grad_enabled(),
        )
        return _Evaluation.apply(call, None, *(given[key] for key in keys))

    def _checked_batch(self, batch):
        batch = (batch,) if isinstance(batch, str) else tuple(batch)
        known = [name for name, _ in self._parameters]
        for name in batch:
            if name not in known:
                raise ValueError(f"batch must name arguments of f ({known}), got {name!r}")
        return batch

    def _name(self, key):
        """Return the name that f gives to its argument number `key`, or to the keyword `key`."""
        if isinstance(key, str):
            return key
        positional = [p for p in self._parameters if p[1] != inspect.Parameter.KEYWORD_ONLY]
        for place, (name, kind) in enumerate(positional):
            if kind == inspect.Parameter.VAR_POSITIONAL:
                return f"{name}[{key - place}]"
            if place == key:
                return name
        return f"argument {key}"


# What is checked at the door.


def _check_scheme(scheme):
    if scheme not in ACCURACY:
        raise ValueError(f"scheme must be 'forward' or 'central', got {scheme!r}")


def _checked_steps(step):
    if step is None:
        return None
    steps = step if isinstance(step, tuple) else (step,)
    for one in steps:
        if isinstance(one, bool) or not isinstance(one, Real):
            raise TypeError(f"step must be a number, two numbers or None, got {step!r}")
        if not 0 < one < math.inf:
            raise ValueError(f"step must be positive and finite, got {step!r}")
    if len(steps) not in (1, 2):
        raise ValueError(f"step must have one or two values, got {step!r}")
    return tuple(float(one) for one in steps)


def _parameters(f):
    """Return (name, kind) of the parameters of f; nothing where a built-in does not tell."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return []
    return [(parameter.name, parameter.kind) for parameter in parameters]


def _check_argument(name, value):
    if _holds_tensor(value):
        raise TypeError(
            f"{name} is a {type(value).__name__} that holds a tensor, which could not be "
            "differentiated: pass each tensor as an argument of its own"
        )
    if not isinstance(value, Tensor):
        return
    if value.is_complex():
        raise TypeError(f"{name} must be real, got {value.dtype}; pass real and imaginary parts")
    if value.layout != torch.strided:
        raise TypeError(f"{name} must be a dense tensor, got layout {value.layout}")
    if value.requires_grad:
        _check_dtype(name, value.dtype)


def _holds_tensor(value):
    if isinstance(value, dict):
        value = tuple(value.values())
    if not isinstance(value, (list, tuple)):
        return False
    return any(isinstance(item, Tensor) or _holds_tensor(item) for item in value)


def _check_closure(f):
    # Inside grad, jvp or vmap such a tensor does not show in the output: f runs beneath them.
    for cell in getattr(f, "__closure__", None) or ():
        try:
            value = cell.cell_contents
        except ValueError:  # a name that has no value yet
            continue
        if isinstance(value, Tensor) and torch._C._functorch.is_functorch_wrapped_tensor(value):
            raise ValueError(f"f closes over a tensor that is being transformed: {HIDDEN}")


def _check_dtype(name, dtype):
    if dtype not in DTYPES:
        raise TypeError(f"{name} must be float32 or float64 to be differentiated, got {dtype}")


# One call of f.


@dataclass(frozen=True)
class _Call:
    """All that belongs to a call of f except the tensors.

    ``derivative`` counts the differences that lead here, and ``shift`` says in words what was
    moved. ``guarded``: look for tensors that f uses without their being arguments.
    """

    box: FiniteDifference
    given: dict[int | str, Any]
    keys: tuple[int | str, ...]
    names: tuple[str, ...]
    guarded: bool
    derivative: int = 0
    shift: str = ""

    def differentiated(self) -> _Call:
        """Return the call that a difference is taken of in order to differentiate this one."""
        if self.derivative == HIGHEST_DERIVATIVE:
            raise ValueError(
                "a third derivative was asked for: differences of differences of differences are "
                "too inaccurate; use an f that PyTorch can differentiate"
            )
        steps = self.box.step
        if steps is not None and len(steps) <= self.derivative:
            raise ValueError(
                "a second derivative was asked for, but step is given for the first one only: "
                f"use step=({steps[0]:g}, a longer one), or no step for the default"
            )
        return replace(self, derivative=self.derivative + 1, guarded=False)

    def shifted(self, description: str) -> _Call:
        """Return this call with a further shift noted, for messages."""
        return replace(self, shift=f"{self.shift} and {description}" if self.shift else description)

    def is_batch(self, number: int) -> bool:
        """Tell whether the first dimension of tensor `number` is a batch."""
        return self.names[number] in self.box.batch

    def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
        """Call f on copies of `tensors` and return a copy of its output."""
        # Copies in: f may write into its arguments. A copy out: f may write into its output again.
        copies = dict(zip(self.keys, (t.detach().clone() for t in tensors), strict=True))
        given = {**self.given, **copies}
        args = [value for key, value in given.items() if isinstance(key, int)]
        kwargs = {key: value for key, value in given.items() if isinstance(key, str)}
        self.box.calls += 1
        try:
            with torch.enable_grad():  # f may use autograd inside; and see _check_output
                output = self.box._f(*args, **kwargs)
        except Exception as error:
            error.add_note(f"raised by f, called {self._where(tensors)}")
            raise
        self._check_output(output, tensors)
        return output.detach().clone()

    def _where(self, tensors):
        shapes = ", ".join(
            f"{name} of shape {tuple(tensor.shape)}"
            for name, tensor in zip(self.names, tensors, strict=True)
        )
        return f"with {shapes or 'no tensor'}; {self.shift or 'nothing was shifted'}"

    def _check_output(self, output, tensors):
        if not isinstance(output, Tensor):
            hint = "; stack several into one" if isinstance(output, (tuple, list)) else ""
            raise TypeError(f"f must return one tensor, got {type(output).__name__}{hint}")
        if output.dtype not in DTYPES or output.layout != torch.strided:
            raise TypeError(
                "f must return a dense tensor of float32 or float64, "
                f"got {output.dtype}, {output.layout}"
            )
        if self.guarded and output.requires_grad:
            raise ValueError(f"the output of f requires grad, although its inputs do not: {HIDDEN}")
        rows = {
            name: tensor.shape[:1]
            for name, tensor in zip(self.names, tensors, strict=True)
            if name in self.box.batch
        }
        if rows and (len({*rows.values(), output.shape[:1]}) > 1 or not output.shape):
            found = ", ".join(f"{name} {tuple(shape)}" for name, shape in rows.items())
            raise ValueError(
                "arguments in batch and the output must have the same number of rows, got "
                f"{found}, output {tuple(output.shape[:1])}"
            )


class _Evaluation(torch.autograd.Function):
    """One call of f, and how it is differentiated: by further evaluations at shifted arguments."""

    @staticmethod
    def forward(call: _Call, known: Tensor | None, *tensors: Tensor) -> Tensor:
        """Return the value of f; without calling it where the value is known already."""
        return call(tensors) if known is None else known.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Keep the tensors in PyTorch's care, and the rest as an attribute."""
        ctx.call, _, *tensors = inputs
        # A copy of the output, so that the caller may go on to change the output in place.
        kept = (*tensors, output.detach().clone())
        ctx.save_for_backward(*kept)
        ctx.save_for_forward(*kept)
        # An argument without a tangent then brings None to jvp, not a tensor of zeros.
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, adjoint):
        """Return the VJP: the adjoint times the derivative along each element in turn."""
        nothing = (None, None)
        needed = ctx.needs_input_grad[len(nothing) :]
        if adjoint is None:
            return nothing + (None,) * len(needed)
        *tensors, output = ctx.saved_tensors
        difference = _Difference(ctx.call.differentiated(), tensors, output)
        return nothing + tuple(
            _adjoint_of(difference, number, adjoint) if asks else None
            for number, asks in enumerate(needed)
        )

    @staticmethod
    def jvp(ctx, _call, _known, *tangents):
        """Return the JVP: one difference along the direction of all tangents together."""
        with _forward_mode_on():
            *tensors, output = (forward_ad.unpack_dual(saved).primal for saved in ctx.saved_tensors)
            difference = _Difference(ctx.call.differentiated(), tensors, output)
            return _tangent_along(difference, tangents)

    @staticmethod
    def vmap(info, in_dims, call, known, *tensors):
        """Call f once for all samples where `batch` allows it, else once per sample."""
        if info.batch_size == 0:
            raise ValueError(
                "vmap over a dimension of size 0: without a call of f the shape of its output is "
                "not known"
            )
        dims = in_dims[1:]
        if _can_merge(call, dims):
            return _evaluate_merged(info.batch_size, call, dims, (known, *tensors)), 0
        outputs = [
            _Evaluation.apply(
                call.shifted(f"sample {i} of vmap"),
                *(
                    _sample(tensor, dim, i)
                    for tensor, dim in zip((known, *tensors), dims, strict=True)
                ),
            )
            for i in range(info.batch_size)
        ]
        return torch.stack(outputs), 0


@contextmanager
def _forward_mode_on() -> Iterator[None]:
    # PyTorch switches forward mode off around a jvp. An outer jvp or jacfwd then finds no tangents
    # and takes the derivative of this one for zero, silently (pytorch issue 197867). With it on,
    # each saved tensor still carries the tangent that this jvp was called for: see unpack_dual.
    with forward_ad._set_fwd_grad_enabled(True):
        yield


# Differences.


@dataclass(frozen=True)
class _Difference:
    """What differences are taken of: the call to make, its tensors, and its known output."""

    call: _Call
    tensors: list[Tensor]
    output: Tensor

    def between(self, ups: dict[int, Tensor], downs: dict[int, Tensor], what: str) -> Tensor:
        """Return f at the tensors plus `ups`, less f at the tensors minus `downs`."""
        above = self._value(ups, 1, what)
        if self.call.box.scheme == "central":
            return above - self._value(downs, -1, what)
        return above - self.base

    @functools.cached_property
    def base(self) -> Tensor:
        """The known output, differentiated with the same step as the values around it.

        The errors of the two derivatives then cancel in their difference.
        """
        return _Evaluation.apply(self.call, self.output, *self.tensors)

    def _value(self, shifts, sign, what):
        tensors = list(self.tensors)
        for number, shift in shifts.items():
            tensors[number] = tensors[number] + sign * shift
        call = self.call.shifted(what.replace("±", "+" if sign > 0 else "-"))
        value = _Evaluation.apply(call, None, *tensors)
        if value.shape != self.output.shape or value.dtype != self.output.dtype:
            raise ValueError(
                f"f must always return the same shape and dtype, got {tuple(self.output.shape)} "
                f"{self.output.dtype} first and {tuple(value.shape)} {value.dtype} when "
                f"{call.shift}"
            )
        return value

    def scale(self, number: int) -> Tensor:
        """Return what the steps of tensor `number` are multiples of, element by element."""
        tensor = self.tensors[number].detach()
        if self.call.box.step is not None:
            return torch.ones_like(tensor)
        return tensor.abs().clamp(min=1)

    def reach(self, numbers: Sequence[int]) -> float:
        """Return the step, in units of `scale`, for a shift of these tensors."""
        involved = [self.output.dtype]
        for number in numbers:
            _check_dtype(self.call.names[number], self.tensors[number].dtype)
            involved.append(self.tensors[number].dtype)
        derivative = self.call.derivative
        if self.call.box.step is not None:
            return self.call.box.step[derivative - 1]
        coarsest = max(involved, key=lambda dtype: torch.finfo(dtype).eps)
        return default_step(coarsest, self.call.box.scheme, derivative)


def _adjoint_of(difference, number, adjoint):
    """Return the adjoint of tensor `number`, given that of the output."""
    tensor = difference.tensors[number]
    by_rows = difference.call.is_batch(number)
    shape = tensor.shape[1:] if by_rows else tensor.shape
    ups, downs = _displacements(difference, number)
    scheme = difference.call.box.scheme
    parts = []
    for index in itertools.product(*map(range, shape)):
        here = torch.zeros(shape, dtype=torch.bool, device=tensor.device)
        here[index] = True
        column = (slice(None), *index) if by_rows else index
        span = (ups + downs)[column]
        what = f"{_element(difference.call, number, index)} was shifted by ±{_shown(span, scheme)}"
        # where, not a product: an infinite element elsewhere would make 0 * inf of it.
        up, down = torch.where(here, ups, 0), torch.where(here, downs, 0)
        change = difference.between({number: up}, {number: down}, what)
        parts.append(_contract(adjoint, change, span, by_rows).to(tensor.device, tensor.dtype))
    if not parts:
        return torch.zeros(tensor.shape, dtype=tensor.dtype, device=tensor.device)
    return torch.stack(parts, dim=1 if by_rows else 0).reshape(tensor.shape)


def _contract(adjoint, change, span, by_rows):
    """Return the sum of adjoint times derivative, over all of the output or over each row."""
    if not by_rows:
        return (adjoint * (change / span)).sum()
    span = span.reshape(-1, *[1] * (change.ndim - 1))
    products = adjoint * (change / span)
    return products.flatten(1).sum(1) if products.ndim > 1 else products


def _displacements(difference, number):
    """Return by how much each element really moves up and down: the step after rounding."""
    tensor = difference.tensors[number].detach()
    wanted = difference.reach([number]) * difference.scale(number)
    up = (tensor + wanted) - tensor
    down = tensor - (tensor - wanted)
    _refuse_lost((up == 0) | (down == 0), difference, [number])
    return up, down if difference.call.box.scheme == "central" else torch.zeros_like(down)


def _tangent_along(difference, tangents):
    """Return the tangent of the output, given those of the tensors."""
    tangents = {n: tangent for n, tangent in enumerate(tangents) if tangent is not None}
    length = _length(difference, tangents)
    shifts = {
        n: length.to(tangent.device, tangent.dtype) * tangent for n, tangent in tangents.items()
    }
    names = ", ".join(difference.call.names[n] for n in tangents)
    change = difference.between(shifts, shifts, f"{names} was shifted by ±h times its tangent")
    span = 2 * length if difference.call.box.scheme == "central" else length
    return change / span.to(change.device, change.dtype)


def _length(difference, tangents):
    """Return the h of a step from x to x + h·v: the longest in which no element goes too far."""
    reach = difference.reach(list(tangents))
    speeds = [tangent.detach().abs() / difference.scale(n) for n, tangent in tangents.items()]
    speed = _largest(speeds)
    length = reach / torch.where(speed == 0, 1.0, speed)
    errors = []
    for n, tangent in tangents.items():
        tensor, wanted = difference.tensors[n].detach(), tangent.detach()
        wanted = length.to(wanted.device, wanted.dtype) * wanted
        errors.append(((tensor + wanted) - tensor - wanted).abs() / difference.scale(n))
    # With a step of its own size each element would move by what it really moves by. Here all
    # share one h, so a step that rounding changes is not a little inaccurate, but wrong.
    lost = _largest(errors) > 0.01 * reach
    _refuse_lost(lost, difference, list(tangents))
    return torch.where(lost, math.nan, length)


def _largest(tensors):
    """Return the largest element of all the tensors as a float64 scalar; 0 if there is none."""
    device = tensors[0].device
    maxima = [t.max().to(device, torch.float64) for t in tensors if t.numel()]
    return torch.stack(maxima).max() if maxima else torch.zeros((), dtype=torch.float64)


def _refuse_lost(lost, difference, numbers):
    try:
        found = bool(lost.any())
    except RuntimeError:  # under vmap no value can be looked at; the derivative becomes NaN
        return
    if found:
        names = ", ".join(difference.call.names[n] for n in numbers)
        raise ValueError(
            f"step {difference.reach(numbers):g} is lost in rounding when it is added to {names}: "
            "give a longer one"
        )


def _element(call, number, index):
    place = ", ".join(map(str, index))
    if call.is_batch(number):
        place = f":, {place}" if place else ":"
    return f"{call.names[number]}[{place}]" if place else call.names[number]


def _shown(span, scheme):
    """Return the step as text, as far as it can be looked at."""
    try:
        step = span.max().item() / ACCURACY[scheme]
    except RuntimeError:  # no rows, or under vmap
        return "h"
    return f"{step:.3g}"


# vmap.


def _sample(tensor, dim, index):
    return tensor if dim is None else tensor.select(dim, index)


def _can_merge(call, dims):
    """Tell whether the samples are rows: all that is mapped over is declared as a batch."""
    _known, *dims = dims
    return all(dim is None or call.is_batch(number) for number, dim in enumerate(dims))


def _evaluate_merged(size, call, dims, tensors):
    """Put the rows of all samples below each other, call f once, and part them again."""

    def merged(tensor, dim):
        if dim is None:
            tensor = tensor.unsqueeze(0).expand(size, *tensor.shape)
        return tensor.movedim(dim or 0, 0).flatten(0, 1)

    known, *tensors = (
        merged(tensor, dim) if tensor is not None and (n < 0 or call.is_batch(n)) else tensor
        for n, (tensor, dim) in enumerate(zip(tensors, dims, strict=True), start=-1)
    )
    output = _Evaluation.apply(call.shifted(f"{size} samples of vmap in one"), known, *tensors)
    return output.unflatten(0, (size, output.shape[0] // size))
