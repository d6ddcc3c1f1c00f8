"""Simplify a recording: compute constants, do equal operations once, drop what has no effect.

Constants of which all elements are equal are kept as one number, expanded. The form of every result
(its strides too, which some operations mind) stays as it was recorded.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .record import SAME, Form, Node, Recording, constant, substitute
from .torch_internals import traits

__all__ = ["optimise"]

aten = torch.ops.aten

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
IDENTITIES = {*SAME, aten.lift_fresh.default}
# They do nothing if the form is the same afterwards.
RESHAPES = {aten.view.default, aten.expand.default, aten._unsafe_view.default}
MULTIPLICATIONS = {aten.mul.Tensor, aten.mul.Scalar}


def optimise(recording: Recording) -> Recording:
    """Return a recording that computes the same with fewer operations.

    Parameters
    ----------
    recording : Recording
        It must not write in place, or equal operations would not have equal results.

    Raises
    ------
    ValueError
        If what is wanted depends on random numbers, or has a shape that depends on a value.
    """
    return _Optimiser(recording.pruned()).run()


class _Optimiser:
    def __init__(self, recording: Recording):
        self.recording = recording
        self.nodes: list[Node] = []
        self.new: dict[Node, Node] = {}  # old node -> new node, which may be a constant
        self.made: dict[Any, Node] = {}
        self.materialised: dict[Node, Node] = {}

    def run(self) -> Recording:
        old = self.recording
        inputs = [Node("input", form=node.form) for node in old.inputs]
        self.new.update(zip(old.inputs, inputs, strict=True))
        for node in old.nodes:
            self.new[node] = self._operation(node) if node.is_operation else node
        outputs = [self._materialise(self.new[node]) for node in old.outputs]
        read = [*(part for node in self.nodes for part in node.operands), *outputs]
        constants = [node for node in dict.fromkeys(read) if node.target == "constant"]
        return Recording([*constants, *self.nodes], inputs, outputs).pruned()

    def _operation(self, node: Node) -> Node:
        about = traits(node.target)
        if about.random:
            raise ValueError(
                f"f: it draws random numbers ({node.target}), so it has no one Hessian; draw them "
                "before, and pass them in"
            )
        args = substitute(node.args, self.new.__getitem__)
        kwargs = substitute(node.kwargs, self.new.__getitem__) if node.kwargs else {}
        if about.name.startswith("as_strided"):
            args = (self._in_own_memory(node.args[0]), *args[1:])
        new = Node(node.target, args, kwargs, node.form)
        fill = _fill_value(new)
        if fill is not None:
            return _uniform(fill, node.form)
        if all(old.target == "constant" for old in new.operands):
            return self._compute(new, about.pointwise)
        if about.dynamic_shape:
            _refuse_dependent_shape(new)
        return self._shortcut(new) or self._emit(new)

    def _in_own_memory(self, old: Node) -> Node:
        """Return a result that does not lie in the middle of another tensor, if it did not before.

        as_strided counts from the beginning of the memory, whichever part of it a tensor has.
        """
        new = self.new[old]
        if old.target in RESHAPES | IDENTITIES or new.target in ("constant", old.target):
            return new
        return self._emit(Node(aten.clone.default, (new,), None, old.form))

    def _compute(self, node: Node, pointwise: bool) -> Node:
        """Do an operation on constants now."""
        form = node.form
        args, kwargs = node.args, node.kwargs
        with torch.no_grad():
            equal = pointwise and node.operands and isinstance(form, Form) and form.size
            if equal and all(_uniform_value(old) is not None for old in node.operands):
                one = substitute((args, kwargs), lambda old: old.value.flatten()[:1])
                return _uniform(node.target(*one[0], **one[1]).reshape(()), form)
            exact = substitute((args, kwargs), lambda old: self._materialise(old).value)
            result = node.target(*exact[0], **exact[1])
        value = Node("constant", form=form)
        value.value = result
        return value

    def _emit(self, node: Node) -> Node:
        """Add an operation, unless it has been done before."""
        if any(old.target == "constant" for old in node.operands) and not _may_expand(node):
            args, kwargs = substitute((node.args, node.kwargs), self._materialise)
            node = Node(node.target, args, kwargs, node.form)
        key = (node.target, _frozen(node.args), _frozen(node.kwargs))
        if key not in self.made:
            self.made[key] = node
            self.nodes.append(node)
        return self.made[key]

    def _materialise(self, node: Node) -> Node:
        """Give an expanded constant the strides that were recorded."""
        value, form = node.value, node.form
        if not isinstance(value, Tensor) or form.layout is not torch.strided:
            return node
        if value.stride() == form.stride or not value.numel():
            return node
        if node not in self.materialised:
            like = {"dtype": value.dtype, "device": value.device}
            copy = torch.empty_strided(form.shape, form.stride, **like).copy_(value)
            self.materialised[node] = constant(copy, form)
        return self.materialised[node]

    def _shortcut(self, node: Node) -> Node | None:
        """Return what an operation can be replaced by, if it does nothing or too much."""
        target, args = node.target, node.args
        if target in IDENTITIES:
            return args[0]
        if target in RESHAPES:
            return _if_same(args[0], node)
        if target is aten.pow.Tensor_Scalar and args[1] == 1:
            return _if_same(args[0], node)
        if target is aten.pow.Tensor_Scalar and args[1] == 0:
            return _uniform(1, node.form)
        if target is aten.copy.default:
            return _if_same(args[1], node)
        if target in (aten.add.Tensor, aten.sub.Tensor) and not node.kwargs:
            if _number(args[1]) == 0:
                return _if_same(args[0], node)
            if target is aten.add.Tensor and _number(args[0]) == 0:
                return _if_same(args[1], node)
            return self._difference(node)
        if target is aten.neg.default:
            return self._negation(node)
        if target in MULTIPLICATIONS:
            return self._multiplication(node)
        return None

    def _difference(self, node: Node) -> Node | None:
        """Subtract instead of adding what has changed its sign."""
        for left, right in (node.args, node.args[::-1]):
            negated = isinstance(right, Node) and right.target is aten.neg.default
            if node.target is aten.add.Tensor and negated and isinstance(left, Node):
                inner = right.args[0]
                if inner.form == right.form or _all_in_row_major_order(node, left, inner):
                    return self._emit(Node(aten.sub.Tensor, (left, inner), None, node.form))
        return None

    def _negation(self, node: Node) -> Node | None:
        """Change a sign without a pass of its own, where a number or a sign stands before it."""
        (inner,) = node.args
        if inner.form != node.form:
            return None
        if inner.target is aten.neg.default:
            return _if_same(inner.args[0], node)
        if inner.target is aten.mul.Tensor and type(inner.args[1]) in (int, float):
            left, number = inner.args
            return self._emit(Node(aten.mul.Tensor, (left, -number), None, node.form))
        return None

    def _multiplication(self, node: Node) -> Node | None:
        """Multiply by a number instead of by a tensor of equal numbers; twice by 2 is by 4."""
        left, right = node.args
        if _number(left) is not None:
            left, right = right, left
        number = _number(right)
        if not number or not isinstance(left, Node) or left.form != node.form:
            return None
        if number == 1:
            return left
        if left.target is aten.neg.default and left.args[0].form == node.form:
            left, number = left.args[0], -number  # a sign is exact
            if number == 1:
                return left
        if left.target is aten.mul.Tensor and not isinstance(left.args[1], Node):
            product = number * left.args[1]
            # Only where the product of the factors is exact is it the same computation.
            if product / number == left.args[1] and abs(number) in (0.5, 1.0, 2.0, 4.0):
                left, number = left.args[0], product
        return self._emit(Node(aten.mul.Tensor, (left, number), None, node.form))


def _fill_value(node: Node) -> float | None:
    if node.target in FILLS:
        return FILLS[node.target]
    position = FILLS_WITH_VALUE.get(node.target)
    if position is None or isinstance(node.args[position], Node):
        return None
    return node.args[position]


def _if_same(other: Any, node: Node) -> Node | None:
    return other if isinstance(other, Node) and other.form == node.form else None


def _all_in_row_major_order(result: Node, *operands: Node) -> bool:
    """Say whether a contiguous result has operands of its shape and order, gaps or not."""
    in_order = all(
        node.form.shape == result.form.shape
        and node.form.dtype == result.form.dtype
        and node.form.stride == tuple(sorted(node.form.stride, reverse=True))
        for node in operands
    )
    return in_order and result.form.is_contiguous and result.form.layout is torch.strided


def _uniform(number: Any, form: Form) -> Node:
    """Return a constant of one repeated number, which takes no memory."""
    value = torch.as_tensor(number, dtype=form.dtype, device=form.device)
    return constant(value.expand(form.shape), form)


def _uniform_value(node: Node) -> float | None:
    """Return the number that all elements of a constant are equal to, if it is kept as one."""
    value = node.value
    if value.layout != torch.strided or not value.numel() or value.is_complex():
        return None
    if any(size > 1 and stride for size, stride in zip(value.shape, value.stride(), strict=True)):
        return None
    return value.flatten()[0].item() if value.dtype != torch.bool else None


def _number(arg: Any) -> float | None:
    """Return the number that a constant argument stands for."""
    if isinstance(arg, Node):
        return _uniform_value(arg) if arg.target == "constant" else None
    return arg if isinstance(arg, (int, float)) and not isinstance(arg, bool) else None


def _may_expand(node: Node) -> bool:
    """Say whether an operation gives a result of the same form from expanded constants."""
    if node.target is aten.expand.default:
        return True
    forms = [node.form, *(old.form for old in node.operands)]
    return traits(node.target).pointwise and all(
        isinstance(form, Form) and form.is_contiguous for form in forms
    )


def _refuse_dependent_shape(node: Node) -> None:
    suspects = node.operands
    if node.target is aten.linalg_lstsq.default:
        return  # only the shape of its residuals depends on the rank
    if node.target is aten.masked_select.default:
        suspects = [node.args[1]]
    elif node.target is aten.index.Tensor:
        suspects = [i for i in node.args[1] if i is not None and i.form.dtype == torch.bool]
    if any(old.target != "constant" for old in suspects):
        raise ValueError(
            f"f: the shape of a tensor in it depends on a value ({node.target}); select with "
            "torch.where or by multiplying with a mask instead"
        )


def _frozen(value: Any) -> Any:
    """Make arguments hashable; 1, 1.0 and True must not be taken for each other."""
    if isinstance(value, dict):
        return tuple((key, _frozen(item)) for key, item in sorted(value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, slice):
        return ("slice", value.start, value.stop, value.step)
    return value if type(value) is Node else (type(value), repr(value))
