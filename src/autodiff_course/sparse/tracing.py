"""Record the gradient of a function, or its Hessian-vector product, as a list of tensor operations.

PyTorch differentiates while it runs. Running the derivative once under `make_fx` writes down every
operation that autograd performs, as a graph that can be read (`pattern`), or run again with other
numbers and without the cost of autograd (`program`).

A recording holds for one choice of shapes and of Python branches. What would make it hold for one
choice of *numbers* only is refused: a branch on a value, a shape that depends on a value, a tensor
that leaves PyTorch, a random number.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch.autograd.function import once_differentiable
from torch.fx.experimental.proxy_tensor import get_proxy_mode, make_fx
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from .variables import Arguments, Variables

__all__ = ["Problem", "fake", "functional", "simplify", "trace_gradient", "trace_product"]

aten = torch.ops.aten


# --- Recording ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """A function to differentiate twice, with the form of its arguments."""

    f: Callable
    variables: Variables
    arguments: Arguments

    def value(self, leaves: Sequence[Tensor], tensors: Sequence[Tensor]) -> Tensor:
        """Run f and check that it returns one real number."""
        y = self.f(self.variables.tree(leaves), *self.arguments.fill(tensors))
        if not isinstance(y, Tensor):
            raise TypeError(f"f: expected it to return a tensor, got {type(y).__name__}")
        if y.numel() != 1:
            raise ValueError(
                f"f: expected it to return one number, got shape {tuple(y.shape)}; "
                "sum the result, or take the Hessian of one component"
            )
        if not y.is_floating_point():
            raise TypeError(f"f: expected it to return a real number, got {y.dtype}")
        return y.reshape(())

    def gradient(self, leaves, tensors, create_graph: bool = False) -> list[Tensor]:
        """Return the gradient by each tensor of x, with zeros where f ignores it."""
        y = self.value(leaves, tensors)
        if not y.requires_grad:
            return [torch.zeros_like(leaf) for leaf in leaves]
        if create_graph:
            _refuse_once_differentiable(y)
        found = torch.autograd.grad(
            y, leaves, create_graph=create_graph, allow_unused=True, materialize_grads=True
        )
        return list(found)

    def gradient_and_product(self, leaves, tensors, direction: Sequence[Tensor]) -> list[Tensor]:
        """Return the gradient, and the Hessian times a direction by differentiating once more."""
        leaves = [leaf.detach().requires_grad_() for leaf in leaves]
        with torch.enable_grad():
            gradient = self.gradient(leaves, tensors, create_graph=True)
            # A component that is linear in x has no graph left to differentiate.
            curved = [(g, v) for g, v in zip(gradient, direction, strict=True) if g.requires_grad]
            if not curved:
                return gradient + [torch.zeros_like(leaf) for leaf in leaves]
            outputs, seeds = zip(*curved, strict=True)
            try:
                found = torch.autograd.grad(
                    outputs, leaves, seeds, allow_unused=True, materialize_grads=True
                )
            except RuntimeError as error:
                raise _explain_second_derivative(error) from error
        return gradient + list(found)


def _refuse_once_differentiable(y: Tensor) -> None:
    """Look for custom functions without a second derivative.

    Autograd raises an error for them only if nothing else leads to x; otherwise it leaves out their
    part without a word.
    """
    home = once_differentiable.__code__.co_filename
    seen, todo = set(), [y.grad_fn]
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        todo += [parent for parent, _ in node.next_functions]
        function = getattr(node, "_forward_cls", None)
        code = getattr(getattr(function, "backward", None), "__code__", None)
        # The decorator replaces the method by a function of its own.
        if code is not None and code.co_filename == home and code.co_name == "wrapper":
            raise NotImplementedError(
                f"f: {function.__name__} in it has a first derivative but no second one, because "
                "its backward is marked with @once_differentiable"
            )


def _explain_second_derivative(error: RuntimeError) -> Exception:
    text = str(error)
    if "once_differentiable" in text or "is not implemented" in text:
        return NotImplementedError(
            "f: an operation in it has a first derivative but no second one, so PyTorch cannot "
            f"give its Hessian ({text.splitlines()[0]})"
        )
    return error


class _NoEscape(TorchFunctionMode):
    """Refuse to hand the numbers of a recorded tensor to code that is not recorded."""

    EXITS = (Tensor.numpy, Tensor.tolist, Tensor.__array__)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in self.EXITS and _is_recorded(args[0]):
            raise ValueError(
                f"f: it takes the numbers out of a tensor (Tensor.{func.__name__}), so PyTorch "
                "cannot see what is done with them; keep the computation in tensors"
            )
        return func(*args, **(kwargs or {}))


def _is_recorded(tensor: Tensor) -> bool:
    mode = get_proxy_mode()
    return mode is not None and tensor in mode.tracer.tensor_tracker


def _record(function: Callable, inputs: Sequence[Tensor]) -> fx.GraphModule:
    try:
        with _NoEscape():
            recording = make_fx(function)(*inputs)
    except RuntimeError as error:
        if "get value out of a tracing tensor" in str(error):
            raise ValueError(
                "f: its course depends on the value of a tensor (an `if`, a `while`, `.item()` or "
                "`float()` on one); use torch.where, or tensors throughout, and compute constants "
                "outside f"
            ) from error
        if "CSR" in str(error):
            raise NotImplementedError(
                "f: PyTorch cannot record operations on sparse CSR matrices; use sparse COO ones"
            ) from error
        raise
    return functional(recording, inputs)


def functional(recording: fx.GraphModule, inputs: Sequence[Tensor]) -> fx.GraphModule:
    """Replace operations that write in place; a recording without any is returned as it is."""
    if any(_writes_in_place(node) for node in recording.graph.nodes):
        # A second recording, of the first one: inside autograd, functionalize misses some writes.
        return make_fx(torch.func.functionalize(recording, remove="mutations"))(*inputs)
    return recording


def _writes_in_place(node: fx.Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and schema.is_mutable


def trace_gradient(problem: Problem, leaves, tensors) -> fx.GraphModule:
    """Record the gradient as a function of (tensors of x, tensors of the arguments).

    Returns
    -------
    torch.fx.GraphModule
        Its outputs are the gradients by each tensor of x. No operation in it writes in place,
        draws a random number or repeats another; what is constant has been computed.
    """
    count = len(leaves)

    def gradient(*inputs):
        inner = [leaf.detach().requires_grad_() for leaf in inputs[:count]]
        with torch.enable_grad():
            return problem.gradient(inner, inputs[count:])

    return simplify(_record(gradient, [*leaves, *tensors]))


def trace_product(problem: Problem, leaves, tensors) -> tuple[fx.GraphModule, fx.GraphModule]:
    """Record the gradient and the Hessian-vector product together.

    Returns
    -------
    gradient : torch.fx.GraphModule
        As for `trace_gradient`, with further inputs that it ignores.
    product : torch.fx.GraphModule
        A function of (x, arguments, direction); the direction is one tensor for each of x.
    """
    count = len(leaves)

    def both(*inputs):
        return problem.gradient_and_product(inputs[:count], inputs[count:-count], inputs[-count:])

    recording = _record(both, [*leaves, *tensors, *map(torch.ones_like, leaves)])
    return simplify(recording, slice(count)), simplify(recording, slice(count, None))


# --- Simplifying ----------------------------------------------------------------------------------

# These look at the form of their first argument only, so their result is known.
FILLS = {
    aten.zeros_like.default: 0,
    aten.new_zeros.default: 0,
    aten.ones_like.default: 1,
    aten.new_ones.default: 1,
    aten.empty_like.default: 0,
    aten.new_empty.default: 0,
    aten.new_empty_strided.default: 0,
}
FILLS_WITH_VALUE = {aten.full_like.default: 1, aten.new_full.default: 2}
SAME = {aten.detach.default, aten.alias.default, aten.lift_fresh.default}
MULTIPLICATIONS = {aten.mul.Tensor, aten.mul.Scalar}


def fake(node: fx.Node) -> Any:
    """Return a tensor without memory that has the form of a node's result."""
    return node.meta["val"]


def simplify(module: fx.GraphModule, outputs: slice | None = None) -> fx.GraphModule:
    """Compute what is constant, do equal operations once, and drop what has no effect.

    The graph must not write in place, or equal operations would not have equal results. Give the
    outputs that are wanted, if not all are.
    """
    return _Simplifier(module, outputs).run()


class _Simplifier:
    def __init__(self, module: fx.GraphModule, outputs: slice | None):
        self.module = module
        self.outputs = next(node.args[0] for node in module.graph.nodes if node.op == "output")
        if outputs is not None:
            self.outputs = self.outputs[outputs]
        self.graph = fx.Graph()
        self.constants: dict[str, Tensor] = {}
        self.known: dict[fx.Node, Any] = {}  # old node -> its value
        self.new: dict[fx.Node, fx.Node] = {}  # old node -> new node
        self.emitted: dict[Any, fx.Node] = {}

    def run(self) -> fx.GraphModule:
        needed = _needed(self.module.graph, self.outputs)
        for node in self.module.graph.nodes:
            if node.op == "placeholder":
                self.new[node] = self.graph.node_copy(node)
            elif node.op == "get_attr":
                value = operator.attrgetter(node.target)(self.module)
                self.known[node] = value.detach() if isinstance(value, Tensor) else value
            elif node.op == "call_function" and node in needed:
                self._call(node)
            elif node.op == "output":
                self.graph.output(self._map(self.outputs))
        result = fx.GraphModule(self.constants, self.graph)
        _drop_unused(result)
        return result

    def _call(self, node: fx.Node) -> None:
        _refuse_random(node)
        if node.target in FILLS or node.target in FILLS_WITH_VALUE:
            position = FILLS_WITH_VALUE.get(node.target)
            fill = FILLS[node.target] if position is None else node.args[position]
            if not isinstance(fill, fx.Node):
                self.known[node] = _uniform(fill, fake(node))
                return
        if all(old in self.known for old in node.all_input_nodes):
            self.known[node] = self._compute(node)
            return
        self._refuse_dependent_shape(node)
        if not self._shortcut(node):
            self.new[node] = self._emit(node.target, node.args, node.kwargs, node.meta)

    def _compute(self, node: fx.Node) -> Any:
        args, kwargs = fx.map_arg((node.args, node.kwargs), self.known.__getitem__)
        tensors = [a for a in pytree.tree_leaves((args, kwargs)) if isinstance(a, Tensor)]
        form = node.meta.get("val")
        if tensors and _is_pointwise(node) and isinstance(form, Tensor):
            numbers = [_uniform_value(t) for t in tensors]
            if None not in numbers and form.numel():
                # All elements are equal: compute one.
                one = pytree.tree_map_only(Tensor, lambda t: t.flatten()[:1], (args, kwargs))
                return node.target(*one[0], **one[1]).reshape(()).expand(form.shape)
        # An expanded constant has other strides than were recorded, which some operations mind.
        with torch.no_grad():
            if not (_is_pointwise(node) or node.target is aten.expand.default):
                args = [
                    _with_strides_of(fake(old), value) if isinstance(old, fx.Node) else value
                    for old, value in zip(node.args, args, strict=True)
                ]
            return node.target(*args, **kwargs)

    def _shortcut(self, node: fx.Node) -> bool:
        """Replace an operation that does nothing, or that a cheaper one can do."""
        target, args = node.target, node.args
        if target in SAME:
            return self._replace(node, args[0])
        if target is aten.pow.Tensor_Scalar and args[1] == 1:
            return self._replace(node, args[0])
        if target is aten.pow.Tensor_Scalar and args[1] == 0:
            self.known[node] = _uniform(1, fake(node))
            return True
        if target in (aten.view.default, aten.expand.default, aten._unsafe_view.default):
            return self._replace(node, args[0])
        if target is aten.copy.default and _same_form(fake(args[0]), fake(args[1])):
            return self._replace(node, args[1])
        if target in (aten.add.Tensor, aten.sub.Tensor) and not node.kwargs:
            if self._number(args[1]) == 0:
                return self._replace(node, args[0])
            return (
                target is aten.add.Tensor
                and self._number(args[0]) == 0
                and self._replace(node, args[1])
            )
        if target in MULTIPLICATIONS:
            return self._multiply(node)
        return False

    def _multiply(self, node: fx.Node) -> bool:
        left, right = node.args
        if self._number(left) is not None:
            left, right = right, left
        number = self._number(right)
        if not number or not isinstance(left, fx.Node) or left in self.known:
            return False
        if number == 1 and self._replace(node, left):
            return True
        if not _same_form(fake(left), fake(node)):
            return False
        inner = self.new[left]
        if inner.target is aten.mul.Tensor and not isinstance(inner.args[1], fx.Node):
            product = number * inner.args[1]
            # Only where the product of the factors is exact is it the same computation.
            if product / number == inner.args[1] and abs(number) in (0.5, 1.0, 2.0, 4.0):
                source, number = inner.args[0], product
                self.new[node] = self._emit_new(aten.mul.Tensor, (source, number), {}, node.meta)
                return True
        self.new[node] = self._emit_new(aten.mul.Tensor, (inner, number), {}, node.meta)
        return True

    def _number(self, arg: Any) -> float | None:
        """Return the number that all elements of a constant argument are equal to."""
        if isinstance(arg, fx.Node):
            value = self.known.get(arg)
            return _uniform_value(value) if isinstance(value, Tensor) else None
        return arg if isinstance(arg, (int, float)) and not isinstance(arg, bool) else None

    def _replace(self, node: fx.Node, other: Any) -> bool:
        if not isinstance(other, fx.Node) or not _same_form(fake(other), fake(node)):
            return False
        if other in self.known:
            self.known[node] = self.known[other]
        else:
            self.new[node] = self.new[other]
        return True

    def _emit(self, target, args, kwargs, meta) -> fx.Node:
        return self._emit_new(target, self._map(args), self._map(kwargs), meta)

    def _emit_new(self, target, args, kwargs, meta) -> fx.Node:
        key = (target, _frozen(args), _frozen(kwargs))
        if key not in self.emitted:
            node = self.graph.call_function(target, args, kwargs)
            node.meta = dict(meta)
            self.emitted[key] = node
        return self.emitted[key]

    def _map(self, args: Any) -> Any:
        return fx.map_arg(args, lambda old: self.new[old] if old in self.new else self._name(old))

    def _name(self, old: fx.Node) -> fx.Node:
        """Give a known value a name in the new graph."""
        value = self.known[old]
        if "val" in old.meta and not all(map(_is_pointwise, old.users)):
            value = self.known[old] = _with_strides_of(fake(old), value)
        key = ("constant", id(value))  # the value is kept alive by self.constants
        if key not in self.emitted:
            name = f"constant_{len(self.constants)}"
            self.constants[name] = value
            node = self.graph.create_node("get_attr", name)
            node.meta["val"] = value
            self.emitted[key] = node
        self.new[old] = self.emitted[key]
        return self.new[old]

    def _refuse_dependent_shape(self, node: fx.Node) -> None:
        tags = getattr(node.target, "tags", ())
        if torch.Tag.dynamic_output_shape not in tags:
            return
        suspects = node.all_input_nodes
        if node.target is aten.masked_select.default:
            suspects = [node.args[1]]
        elif node.target is aten.index.Tensor:
            suspects = [i for i in node.args[1] if i is not None and fake(i).dtype == torch.bool]
        if any(old not in self.known for old in suspects):
            raise ValueError(
                f"f: the shape of a tensor in it depends on a value ({node.target}); select with "
                "torch.where or by multiplying with a mask instead"
            )


def _needed(graph: fx.Graph, outputs: Any) -> set[fx.Node]:
    needed = {leaf for leaf in pytree.tree_leaves(outputs) if isinstance(leaf, fx.Node)}
    for node in reversed(graph.nodes):
        if node in needed:
            needed.update(node.all_input_nodes)
    return needed


def _drop_unused(module: fx.GraphModule) -> None:
    output = next(node for node in module.graph.nodes if node.op == "output")
    needed = _needed(module.graph, output.args[0])
    for node in reversed(module.graph.nodes):
        if node not in needed and node.op not in ("placeholder", "output"):
            module.graph.erase_node(node)


def _refuse_random(node: fx.Node) -> None:
    if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
        raise ValueError(
            f"f: it draws random numbers ({node.target}), so it has no one Hessian; draw them "
            "before, and pass them in"
        )


def _is_pointwise(node: fx.Node) -> bool:
    return torch.Tag.pointwise in getattr(node.target, "tags", ())


def _uniform(number: float, form: Tensor) -> Tensor:
    """Return a tensor of one repeated number, which takes no memory."""
    return torch.full((), number, dtype=form.dtype, device=form.device).expand(form.shape)


def _with_strides_of(form: Any, value: Any) -> Any:
    if (
        not isinstance(value, Tensor)
        or not isinstance(form, Tensor)
        or value.layout != torch.strided
    ):
        return value
    if value.stride() == form.stride() or not value.numel():
        return value
    return torch.empty_strided(
        form.shape, form.stride(), dtype=value.dtype, device=value.device
    ).copy_(value)


def _uniform_value(value: Tensor) -> float | None:
    if value.layout != torch.strided or not value.numel() or value.is_complex():
        return None
    if any(size > 1 and stride for size, stride in zip(value.shape, value.stride(), strict=True)):
        return None
    return value.flatten()[0].item() if value.dtype != torch.bool else None


def _same_form(a: Any, b: Any) -> bool:
    return (
        isinstance(a, Tensor)
        and isinstance(b, Tensor)
        and (a.shape, a.dtype, a.device) == (b.shape, b.dtype, b.device)
    )


def _frozen(value: Any) -> Any:
    """Make arguments hashable; 1, 1.0 and True must not be taken for each other."""
    if isinstance(value, dict):
        return tuple((key, _frozen(item)) for key, item in sorted(value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, slice):
        return ("slice", value.start, value.stop, value.step)
    return (type(value), repr(value) if isinstance(value, float) else value)
