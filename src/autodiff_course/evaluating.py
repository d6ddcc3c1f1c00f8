"""Value and gradient of an objective: evaluated call after call, or recorded once and replayed.

`descend` needs both at every iterate. `Eager` calls the objective and differentiates it afresh each
time. `Replay` records the operations below autograd once, as straight-line code, and runs that
code again: on small tensors most of the time goes into bookkeeping that no longer happens.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = [
    "Eager",
    "Evaluator",
    "NotReplayable",
    "Objective",
    "Replay",
    "first_evaluation",
    "kind_of",
]

Objective = Callable[[Tensor], Tensor]


class Evaluator(Protocol):
    """What gives value and gradient at an iterate, and counts how often it did."""

    count: int

    def __call__(self, iterate: Tensor) -> tuple[float, Tensor]:
        """Return the objective's value and its gradient at `iterate`."""


def _call(objective: Objective, iterate: Tensor) -> tuple[Tensor, Tensor]:
    """Call the objective and differentiate it: its value as a tensor, and the gradient."""
    variable = iterate.detach().requires_grad_()
    with torch.enable_grad():
        value = objective(variable)
    _check_value(value)
    # autograd.grad, not backward(): the .grad of the reader's own tensors stays as it is.
    (gradient,) = torch.autograd.grad(value, variable, allow_unused=True)
    if gradient is None:
        raise ValueError(_NO_DEPENDENCE)
    return value.detach(), gradient


_NO_DEPENDENCE = (
    "objective: its value does not depend on its argument through operations that torch records; "
    "look for .detach(), .item(), .numpy() or torch.tensor(...) on the way"
)


def _check_value(value: Any) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(f"objective must return a tensor, but it returned {kind_of(value)}")
    if value.dim():
        raise ValueError(
            f"objective must return a scalar (shape ()), but it returned shape "
            f"{tuple(value.shape)}; reduce it, for example with .sum()"
        )
    if not value.dtype.is_floating_point:
        raise TypeError(f"objective must return a real floating-point value, not {value.dtype}")
    if not value.requires_grad:
        raise ValueError(_NO_DEPENDENCE)


def kind_of(thing: Any) -> str:
    """Describe a thing and its type, for messages."""
    return f"{thing!r} of type {type(thing).__name__}"


def first_evaluation(objective: Objective, start: Tensor) -> tuple[float, Tensor]:
    """Evaluate at the start, where anything that is not finite is the caller's mistake."""
    value, gradient = _call(objective, start)
    if not math.isfinite(value.item()):
        raise ValueError(f"objective is {value.item()} at start; it must be finite there")
    if not gradient.isfinite().all():
        raise ValueError(
            f"objective has the finite value {value.item():g} at start, but a gradient that is not "
            "finite; move start away from where the derivative does not exist"
        )
    return value.item(), gradient


class Eager:
    """Evaluate by calling the objective and differentiating it, afresh every time."""

    def __init__(self, objective: Objective):
        self.objective = objective
        self.count = 1  # the evaluation at the start, which stands before the run

    def __call__(self, iterate: Tensor) -> tuple[float, Tensor]:
        """Return the objective's value and its gradient at `iterate`."""
        self.count += 1
        value, gradient = _call(self.objective, iterate)
        return value.item(), gradient


class _Recorder(TorchDispatchMode):
    """Record every operation below autograd: those of the objective and those of its gradient."""

    def __init__(self):
        super().__init__()
        self.calls: list[tuple] = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        _refuse_operation(operation, args)
        result = operation(*args, **(kwargs or {}))
        for part in result if isinstance(result, list | tuple) else [result]:
            if isinstance(part, Tensor) and part.layout is not torch.strided:
                raise _not_recordable(operation, "makes a tensor that is not dense")
        self.calls.append((operation, args, kwargs or {}, result))
        return result


def _refuse_operation(operation: Any, args: tuple) -> None:
    """Refuse what a fixed list of operations cannot repeat faithfully."""
    unfit = {
        torch.Tag.data_dependent_output: "reads a number out of a tensor",
        torch.Tag.dynamic_output_shape: "gives a shape that depends on the data",
        torch.Tag.nondeterministic_seeded: "draws random numbers",
    }
    for tag, why in unfit.items():
        if tag in operation.tags and not _indexes_with_numbers(operation, args):
            raise _not_recordable(operation, why)


def _indexes_with_numbers(operation: Any, args: tuple) -> bool:
    """Whether this is an indexing that is tagged for the sake of masks, but uses none."""
    if operation is not torch.ops.aten.index.Tensor:
        return False
    return all(index is None or index.dtype is torch.int64 for index in args[1])


def _not_recordable(operation: Any, why: str) -> ValueError:
    return ValueError(
        f"replay=True needs an objective that is a fixed list of operations, but {operation} "
        f"{why}; leave replay=True out"
    )


def _identity(tensor: Tensor) -> tuple:
    """Return what tells tensors apart while all of them are alive.

    Autograd hands saved tensors back as new objects on the same memory, so ``id`` would not do.
    What reads the same memory in the same way has the same value at any time.
    """
    place = tensor.untyped_storage()._cdata, tensor.storage_offset()
    return *place, tensor.shape, tensor.stride(), tensor.dtype, tensor.is_conj(), tensor.is_neg()


# The seed of a backward sweep is made by ones_like.
_DEPENDS_ON_SHAPE_ONLY = {torch.ops.aten.ones_like.default, torch.ops.aten.zeros_like.default}


class _Program:
    """Straight-line Python code made from recorded calls.

    What depends on the argument only through shapes is computed once, now, and what nothing reads
    is left out; unless an operation changes a tensor in place, as some derivatives do. Then a
    tensor stands for different values at different times, and everything is repeated literally.
    """

    def __init__(self, argument: Tensor, literal: bool):
        self.literal = literal
        self.names = {_identity(argument): "y"}
        self.constants: dict[str, Any] = {}
        self.lines: list[tuple[str, set[str], str]] = []  # target, names it reads, code
        self.read: set[str] = set()

    def name(self, thing: Any) -> str:
        """Return the code for an operand. A tensor that no recorded call made is a constant."""
        if isinstance(thing, list | tuple):
            return "[" + ", ".join(self.name(item) for item in thing) + "]"
        if isinstance(thing, Tensor) and _identity(thing) in self.names:
            name = self.names[_identity(thing)]
            self.read.add(name.partition("[")[0])
            return name
        name = f"c{len(self.constants)}"
        self.constants[name] = thing
        if isinstance(thing, Tensor):
            self.names[_identity(thing)] = name
        return name

    def is_constant(self, thing: Any) -> bool:
        if isinstance(thing, list | tuple):
            return all(self.is_constant(item) for item in thing)
        if not isinstance(thing, Tensor):
            return True
        return self.names.get(_identity(thing), "c").startswith("c")

    def add(self, operation, args, kwargs, result) -> None:
        """Append the line for one recorded call, if it needs one."""
        parts = enumerate(result if isinstance(result, list | tuple) else [result])
        results = [(index, part) for index, part in parts if isinstance(part, Tensor)]
        if operation._schema.is_mutable:
            self._check_written(operation, args, kwargs)
        elif all(_identity(tensor) in self.names for _, tensor in results):
            return  # detach() and its like: another handle on a known tensor
        elif self._is_foldable(operation, args, kwargs):
            return  # name() will find its result to be a constant
        elif (factor := self._factor_beside_ones(operation, args, result)) is not None:
            self.names[_identity(result)] = self.name(factor)
            return
        self.read = set()
        target = f"v{len(self.lines)}"
        operands = [self.name(arg) for arg in args]
        operands += [f"{key}={self.name(arg)}" for key, arg in kwargs.items()]
        function = self.name(_quick_form(operation, args, kwargs, result))
        self.lines.append((target, self.read, f"{target} = {function}({', '.join(operands)})"))
        for index, tensor in results:
            self.names[_identity(tensor)] = target if tensor is result else f"{target}[{index}]"

    def _check_written(self, operation, args, kwargs) -> None:
        """Refuse a change to a tensor that the objective did not make itself."""
        arguments = operation._schema.arguments
        given = {argument.name: value for argument, value in zip(arguments, args, strict=False)}
        given |= kwargs
        for argument in arguments:
            written = argument.alias_info is not None and argument.alias_info.is_write
            if written and not self.names.get(_identity(given[argument.name]), "").startswith("v"):
                raise _not_recordable(operation, "changes a tensor in place that is not its own")

    def _is_foldable(self, operation, args, kwargs) -> bool:
        fixed = all(self.is_constant(arg) for arg in (*args, *kwargs.values()))
        return not self.literal and (fixed or operation in _DEPENDS_ON_SHAPE_ONLY)

    def _factor_beside_ones(self, operation, args, result) -> Tensor | None:
        """Return x where the call is x·1: a backward sweep begins by multiplying by its seed."""
        if operation is not torch.ops.aten.mul.Tensor or self.literal:
            return None
        for one, other in (args, args[::-1]):
            same = isinstance(other, Tensor) and _layout(other) == _layout(result)
            if same and self.is_constant(one) and bool((torch.as_tensor(one) == 1).all()):
                return other
        return None

    def compile(self, value: Tensor, gradient: Tensor) -> Callable[[Tensor], tuple]:
        self.read = set()
        answer = f"return {self.name(value)}, {self.name(gradient)}"
        live, needed = [answer], self.read
        for target, reads, code in reversed(self.lines):
            if target in needed or self.literal:
                live.append(code)
                needed |= reads
        names = ", ".join(f"{name}={name}" for name in self.constants)
        body = "".join(f"    {code}\n" for code in reversed(live))
        space = dict(self.constants)
        exec(f"def replay(y, {names}):\n{body}", space)
        return space["replay"]


def _layout(tensor: Tensor) -> tuple:
    return tensor.shape, tensor.stride(), tensor.dtype


def _quick_form(operation, args, kwargs, result) -> Callable:
    """Return torch's own binding of an operation, which costs half the call of the registered one.

    The registered operation stays where there is no such binding, or where it does not give the
    same bits.
    """
    quick = getattr(torch, operation._schema.name.partition("::")[2], None)
    is_binding = type(quick) is type(torch.mm) and isinstance(result, Tensor)
    if not is_binding or operation._schema.is_mutable:
        return operation
    try:
        again = quick(*args, **kwargs)
        same = _layout(again) == _layout(result) and torch.equal(again, result)
    except (TypeError, RuntimeError):
        same = False
    return quick if same else operation


class NotReplayable(ValueError):
    """The objective does something else than the operations recorded from it."""


class Replay:
    """Evaluate by replaying the operations recorded at the start.

    The objective itself is called again at evaluations 1, 2, 4, 8, ..., to compare.
    """

    def __init__(self, objective: Objective, start: Tensor):
        self.objective = objective
        with _Recorder() as recorder:
            value, gradient = _call(objective, start)
        in_place = any(operation._schema.is_mutable for operation, *_ in recorder.calls)
        program = _Program(start, literal=in_place)
        for call in recorder.calls:
            program.add(*call)
        self.replay = program.compile(value, gradient)
        self.count = 1  # the evaluation at the start, which stands before the run
        value, gradient = self.replay(start)
        self.compare(start, value, gradient)
        self.at_start = value.item(), gradient

    def __call__(self, iterate: Tensor) -> tuple[float, Tensor]:
        """Return the objective's value and its gradient at `iterate`."""
        value, gradient = self.replay(iterate)
        self.count += 1
        if not self.count & (self.count - 1):
            self.compare(iterate, value, gradient)
        return value.item(), gradient

    def compare(self, iterate: Tensor, value: Tensor, gradient: Tensor) -> None:
        """Call the objective itself, and raise if it gives something else than the replay."""
        true_value, true_gradient = _call(self.objective, iterate)
        if not (_close(value, true_value) and _close(gradient, true_gradient)):
            raise NotReplayable(
                "replay=True needs an objective that performs the same operations at every call, "
                f"but in evaluation {self.count} calling it gave the value {true_value.item():g} "
                f"and replaying its operations {value.item():g} (or another gradient); leave "
                "replay=True out"
            )


def _close(a: Tensor, b: Tensor) -> bool:
    tolerance = 1000 * torch.finfo(b.dtype).eps
    scale = b.abs().max().nan_to_num().item()
    same_form = a.shape == b.shape and a.dtype == b.dtype
    return same_form and torch.allclose(
        a, b, rtol=tolerance, atol=tolerance * scale, equal_nan=True
    )
