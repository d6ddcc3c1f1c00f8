"""Record what a function does as a list of tensor operations.

PyTorch differentiates while it runs. Running a derivative once, with somebody who takes notes of
every operation that autograd performs, gives a list that can be read (`pattern`), simplified
(`optimise`), or run again with other numbers and without the cost of autograd (`program`).

A recording holds for one choice of shapes and of Python branches. What would make it hold for one
choice of *numbers* only is refused: a branch on a value, a shape that depends on a value, a tensor
that leaves PyTorch, a random number.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .torch_internals import TorchDispatchMode, Traits, explained, memory_of, traits, tree_leaves

__all__ = ["Form", "Node", "Recording", "record"]

aten = torch.ops.aten
SAME = {aten.detach.default, aten.alias.default}


@dataclass(slots=True)
class Form:
    """What a tensor is like apart from its numbers."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device
    layout: torch.layout

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def is_real_or_complex(self) -> bool:
        """Whether it can have a derivative: integers and booleans have none."""
        return self.dtype.is_floating_point or self.dtype.is_complex

    @property
    def is_contiguous(self) -> bool:
        """Whether its elements lie in memory in row-major order, without gaps."""
        expected = 1
        for size, stride in zip(reversed(self.shape), reversed(self.stride), strict=True):
            if size != 1:
                if stride != expected:
                    return 0 in self.shape
                expected *= size
        return self.layout is torch.strided


def form_of(value: Any) -> Any:
    """Return the form of a tensor, or the forms of a list of them; anything else as it is."""
    if isinstance(value, Tensor):
        stride = value.stride() if value.layout is torch.strided else ()
        return Form(tuple(value.shape), stride, value.dtype, value.device, value.layout)
    if isinstance(value, (list, tuple)):
        return tuple(form_of(part) for part in value)
    return value


class Node:
    """One result in a recording.

    Attributes
    ----------
    target : str or callable
        "input", "constant", or the operation.
    args, kwargs : tuple, dict
        Its arguments; nodes stand for tensors.
    operands : list of Node
        The nodes among the arguments.
    form : Form or tuple
        The form of its result, or of its several results.
    value : Tensor or None
        Of a constant, its numbers.
    """

    __slots__ = ("args", "form", "kwargs", "operands", "target", "value")

    def __init__(self, target: Any, args: tuple = (), kwargs: dict | None = None, form: Any = None):
        self.target, self.args, self.kwargs, self.form = target, args, kwargs or {}, form
        self.value = None
        self.operands: list[Node] = []
        for arg in (*args, *self.kwargs.values()):
            if type(arg) is Node:
                self.operands.append(arg)
            elif isinstance(arg, (list, tuple)):
                self.operands += [part for part in arg if type(part) is Node]

    def with_operands(self, new: dict[Node, Node]) -> Node:
        """Return the same operation with other nodes in place of some."""
        args, kwargs = substitute((self.args, self.kwargs), lambda old: new.get(old, old))
        return Node(self.target, args, kwargs, self.form)

    @property
    def is_operation(self) -> bool:
        """Whether something is computed here."""
        return not isinstance(self.target, str)


def constant(value: Tensor, form: Form | None = None) -> Node:
    """Return a node for a tensor that never changes."""
    node = Node("constant", form=form or form_of(value))
    node.value = value
    return node


PLAIN = {int, float, bool, str, type(None), torch.dtype, torch.device}


def substitute(arg: Any, change: Callable[[Any], Any], kind: type = Node) -> Any:
    """Change everything of one type in an argument that may be a list or a dict."""
    if isinstance(arg, kind):
        return change(arg)
    if type(arg) in (list, tuple):
        return type(arg)(
            [part if type(part) in PLAIN else substitute(part, change, kind) for part in arg]
        )
    if type(arg) is dict:
        return {key: substitute(part, change, kind) for key, part in arg.items()}
    return arg


class Recording(NamedTuple):
    """Operations in the order in which they are done; call it with tensors to do them again.

    Attributes
    ----------
    nodes : list of Node
        Constants and operations, in order.
    inputs : list of Node
        Not among the nodes; any node can be one, whatever it was in another recording.
    outputs : list of Node
    """

    nodes: list[Node]
    inputs: list[Node]
    outputs: list[Node]

    def pruned(self) -> Recording:
        """Leave out what the outputs do not need."""
        needed = set(self.outputs)
        for node in reversed(self.nodes):
            if node in needed:
                needed.update(node.operands)
        return self._replace(nodes=[node for node in self.nodes if node in needed])

    def last_uses(self) -> dict[Node, list[Node]]:
        """Return by node the operands that nothing reads after it, outputs excepted."""
        seen, uses = set(self.outputs), {}
        for node in reversed(self.nodes):
            for old in node.operands:
                if old not in seen:
                    seen.add(old)
                    uses.setdefault(node, []).append(old)
        return uses

    def __call__(self, *tensors: Tensor) -> list[Tensor]:
        """Do the operations with these inputs."""
        values = dict(zip(self.inputs, tensors, strict=True))
        last_uses = self.last_uses()
        for node in self.nodes:
            if node.target == "constant":
                values[node] = node.value
            else:
                args, kwargs = substitute((node.args, node.kwargs), values.__getitem__)
                values[node] = node.target(*args, **kwargs)
            for old in last_uses.get(node, ()):
                del values[old]
        return [values[node] for node in self.outputs]


def record(function: Callable, inputs: Sequence[Tensor]) -> Recording:
    """Record a function of tensors that returns tensors; nothing in the result writes in place.

    Raises
    ------
    ValueError
        If the course of the function depends on numbers in its inputs, if it hands them to code
        outside PyTorch, or if it writes into a tensor that it did not make.
    NotImplementedError
        If PyTorch cannot show what happens inside an operation, such as `torch.cond`.
    """
    recording = _record_once(function, inputs)
    if any(traits(node.target).writes for node in recording.nodes if node.is_operation):
        # A second recording, of the first one: inside autograd, functionalize misses some writes.
        recording = _record_once(torch.func.functionalize(recording, remove="mutations"), inputs)
    return recording


def _record_once(function: Callable, inputs: Sequence[Tensor]) -> Recording:
    recorder = _Recorder()
    try:
        # Copies in name only: a note is left on each tensor, and the caller's are not ours.
        tensors = [recorder.add_input(tensor.detach()) for tensor in inputs]
        with _NoEscape(recorder), recorder:
            found = function(*tensors)
    except (RuntimeError, NotImplementedError) as error:
        other = explained(error)
        if other is error:
            raise
        raise other from error
    outputs = [recorder.node(tensor) for tensor in found]
    return Recording(recorder.nodes, recorder.inputs, outputs)


class _Recorder(TorchDispatchMode):
    """Take notes of every operation that PyTorch performs below autograd.

    Each result carries its node as an attribute, which PyTorch keeps with the tensor for as long as
    autograd holds it.
    """

    def __init__(self):
        super().__init__()
        self.nodes: list[Node] = []
        self.inputs: list[Node] = []
        self.constants: dict[int, tuple[Tensor, Node]] = {}
        self.varying: set[Node] = set()  # results that are not the same for all inputs ...
        self.varying_memory: dict[int, Any] = {}  # ... and the memory such were written into
        self.foreign: set[int | None] = set()  # memory of inputs and constants

    def add_input(self, tensor: Tensor) -> Tensor:
        """Note one input."""
        node = Node("input", form=form_of(tensor))
        tensor._recorded = (self, node)
        self.inputs.append(node)
        self.varying.add(node)
        self.foreign.add(memory_of(tensor))
        return tensor

    def node(self, tensor: Tensor) -> Node:
        """Return the node of a tensor; what was not made here is a constant."""
        mark = getattr(tensor, "_recorded", None)
        if mark is not None and mark[0] is self:
            return mark[1]
        if id(tensor) not in self.constants:
            node = constant(tensor.detach())
            self.nodes.append(node)
            self.constants[id(tensor)] = (tensor, node)  # kept, so that no other gets its id
            self.foreign.add(memory_of(tensor))
        return self.constants[id(tensor)][1]

    def varies(self, tensor: Tensor) -> bool:
        """Say whether the numbers of a tensor depend on the inputs."""
        mark = getattr(tensor, "_recorded", None)
        if mark is None or mark[0] is not self:
            return False
        return mark[1] in self.varying or memory_of(tensor) in self.varying_memory

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        """Do one operation, and note it."""
        kwargs = kwargs or {}
        if operation in SAME:
            result = operation(*args)
            result._recorded = (self, self.node(args[0]))
            return result
        about = traits(operation)
        if about.value_dependent or about.writes:
            self._watch(about, args, kwargs)
        if operation is aten.lift_fresh.default:  # torch.tensor(...) in f, which f may write into
            nodes = (constant(args[0].clone()),)
            self.nodes += nodes
        else:
            nodes = substitute(args, self.node, Tensor)
        node = Node(operation, nodes, substitute(kwargs, self.node, Tensor) if kwargs else None)
        result = operation(*args, **kwargs)
        node.form = form_of(result)
        self.nodes.append(node)
        if not self.varying.isdisjoint(node.operands) or self._reads_varying_memory(args):
            self.varying.add(node)
        self._mark(result, node)
        return result

    def _mark(self, result: Any, node: Node) -> None:
        if isinstance(result, Tensor):
            result._recorded = (self, node)
        elif isinstance(result, (list, tuple)):
            for place, part in enumerate(result):
                if isinstance(part, Tensor):
                    item = Node(operator.getitem, (node, place), form=node.form[place])
                    self.nodes.append(item)
                    if node in self.varying:
                        self.varying.add(item)
                    part._recorded = (self, item)

    def _reads_varying_memory(self, args: tuple) -> bool:
        return bool(self.varying_memory) and any(map(self.varies, _tensors(args)))

    def _watch(self, about: Traits, args: tuple, kwargs: dict) -> None:
        """Refuse what a recording cannot hold, and remember where varying numbers are written."""
        varying = [tensor for tensor in _tensors((args, kwargs)) if self.varies(tensor)]
        if about.value_dependent and varying:
            raise ValueError(
                "f: its course depends on the value of a tensor (an `if`, a `while`, `.item()` or "
                "`float()` on one); use torch.where, or tensors throughout, and compute constants "
                "outside f"
            )
        written = [args[place] if place < len(args) else kwargs.get(name)
                   for place, name in about.writes]  # fmt: skip
        for tensor in _tensors(written):
            mark = getattr(tensor, "_recorded", None)
            is_ours = mark is not None and mark[0] is self and memory_of(tensor) not in self.foreign
            if not is_ours and (varying or tensor.is_floating_point()):
                raise ValueError(
                    f"f: it writes into a tensor that it did not make ({about.name}), so it does "
                    "not compute the same each time; write into a clone"
                )
            if varying:
                self.varying_memory[memory_of(tensor)] = tensor  # kept, as the constants are


def _tensors(args: Any) -> list[Tensor]:
    return [arg for arg in tree_leaves(args) if isinstance(arg, Tensor)]


class _NoEscape(TorchFunctionMode):
    """Refuse to hand varying numbers to code that is not recorded."""

    EXITS = (Tensor.numpy, Tensor.tolist, Tensor.__array__)

    def __init__(self, recorder: _Recorder):
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Let everything else pass."""
        if func in self.EXITS and self.recorder.varies(args[0]):
            raise ValueError(
                f"f: it takes the numbers out of a tensor (Tensor.{func.__name__}), so PyTorch "
                "cannot see what is done with them; keep the computation in tensors"
            )
        return func(*args, **(kwargs or {}))
