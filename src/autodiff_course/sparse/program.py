"""Turn a recorded Hessian-vector product into a Python function.

The product is linear in the direction, and much of it does not involve the direction at all: that
part, the *primal* one, is run once for each x; the *tangent* part once for each colour. What the
tangent part needs of the primal one are its *residuals*. Memory is used again as soon as its
contents are no longer needed; for large tensors that saves more than arithmetic does.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .optimise import optimise
from .record import Node, Recording, record
from .torch_internals import quiet_vmap

__all__ = ["batched", "compile_recording", "merged", "split_by_direction"]

aten = torch.ops.aten


def split_by_direction(product: Recording, directions: int) -> tuple[Recording, Recording]:
    """Split a recorded product into what is done once for each x and once for each direction.

    Parameters
    ----------
    product : Recording
        Its last `directions` inputs are the direction.

    Returns
    -------
    primal, tangent : Recording
        The outputs of `primal`, the residuals, are the first inputs of `tangent`; the direction
        follows them.
    """
    seeds = product.inputs[-directions:]
    moving = set(seeds)
    for node in product.nodes:
        if not moving.isdisjoint(node.operands):
            moving.add(node)
    tangent = [node for node in product.nodes if node in moving]
    fixed = [node for node in product.nodes if node not in moving]
    read = [*(old for node in tangent for old in node.operands), *product.outputs]
    residuals = [
        old for old in dict.fromkeys(read) if old not in moving and old.target != "constant"
    ]
    constants = [node for node in fixed if node.target == "constant"]
    return (
        Recording(fixed, product.inputs[:-directions], residuals).pruned(),
        Recording(constants + tangent, residuals + seeds, product.outputs).pruned(),
    )


def merged(first: Recording, second: Recording) -> Recording:
    """Return both of two recordings in one, of which the second may share nodes of the first."""
    done = set(first.nodes)
    rest = [node for node in second.nodes if node not in done]
    # The order of each is kept, and no node of the first needs one of the second alone.
    return Recording([*first.nodes, *rest], first.inputs, [*first.outputs, *second.outputs])


def batched(
    tangent: Recording,
    residuals: Sequence[Tensor],
    directions: Sequence[Tensor],
    fixed: bool = False,
) -> Recording:
    """Record the tangent part anew, for several directions at once.

    Parameters
    ----------
    tangent : Recording
        From `split_by_direction`.
    residuals : sequence of Tensor
        What its first inputs were for some x.
    directions : sequence of Tensor
        For each tensor of x, one of shape (width, ...).
    fixed : bool
        Whether these directions are part of the recording, and no inputs of it. Then what depends
        on nothing else is computed now.
    """
    axes = (None,) * len(residuals) + (0,) * len(directions)
    several = torch.func.vmap(tangent, in_dims=axes)
    with quiet_vmap():
        if fixed:
            return optimise(record(lambda *given: several(*given, *directions), residuals))
        return optimise(record(several, [*residuals, *directions]))


# --- A Python function ----------------------------------------------------------------------------

# Operations whose result is new memory, and what does the same within the memory of an argument.
IN_PLACE: dict[Any, Callable] = {
    getattr(aten, name).Tensor: getattr(aten, name + "_").Tensor
    for name in ("add", "sub", "mul", "div")
}
IN_PLACE |= {
    getattr(aten, name).default: getattr(aten, name + "_").default
    for name in ("neg", "exp", "sin", "cos", "sqrt", "rsqrt", "reciprocal", "tanh", "sigmoid")
}
COMMUTATIVE = {aten.add.Tensor, aten.mul.Tensor}
NEW_MEMORY = {*IN_PLACE, aten.pow.Tensor_Scalar, aten.mm.default, aten.bmm.default}
NEW_MEMORY |= {aten.sum.dim_IntList, aten.where.self, aten.cat.default}
# Tensors that are zero but for one part, and the view of that part.
PLACED = {
    aten.slice_backward.default: aten.slice.Tensor,
    aten.select_backward.default: aten.select.int,
}
NEW_MEMORY |= set(PLACED)


def add_to_part(total: Tensor, part: Tensor, factor: float, view: Callable, *where: int) -> Tensor:
    """Add a tensor times a number to a part of another one, and leave both as they are."""
    return add_to_part_(total.clone(), part, factor, view, *where)


def add_to_part_(total: Tensor, part: Tensor, factor: float, view: Callable, *where: int) -> Tensor:
    """Add a tensor times a number to a part of another one, in place."""
    aten.add_.Tensor(view(total, *where), part, alpha=factor)
    return total


IN_PLACE[add_to_part] = add_to_part_
NEW_MEMORY.add(add_to_part)


def compile_recording(recording: Recording) -> Callable[..., tuple[Tensor, ...]]:
    """Return a Python function that does what a recording says.

    The recording must be free of operations in place; the function has some, where the memory
    belongs to it and is not needed any more.
    """
    writer = _Writer(_without_placements(recording))
    source = writer.write()
    exec(compile(source, "<recorded product>", "exec"), writer.scope)
    return writer.scope["program"]


def _without_placements(recording: Recording) -> Recording:
    """Add what stands in one part of a zero tensor there, without making the zero tensor."""
    uses: dict[Node, int] = {}
    for node in recording.nodes:
        for old in node.operands:
            uses[old] = uses.get(old, 0) + 1
    # What an input was made of is not here: it was computed by another recording.
    computed = set(recording.nodes) - {*recording.inputs, *recording.outputs}
    passing = {node for node, count in uses.items() if count == 1} & computed
    new: dict[Node, Node] = {}
    nodes = []
    for node in recording.nodes:
        total, part = _sum_with_part(node)
        if part in passing:
            source, _, *where = part.args
            factor = 1
            if source in passing and _is_multiple(source):
                source, factor = source.args
            ends = (new.get(total, total), new.get(source, source))
            args = (*ends, factor, PLACED[part.target], *where)
            new[node] = Node(add_to_part, args, None, node.form)
        elif any(old in new for old in node.operands):
            new[node] = node.with_operands(new)
        nodes.append(new.get(node, node))
    outputs = [new.get(node, node) for node in recording.outputs]
    return Recording(nodes, recording.inputs, outputs).pruned()


def _is_multiple(node: Node) -> bool:
    """Say whether a result is another one of the same form times a number."""
    if node.target is not aten.mul.Tensor or type(node.args[1]) not in (int, float):
        return False
    return node.args[0].form == node.form and node.form.dtype.is_floating_point


def _sum_with_part(node: Node) -> tuple[Node, Node | None]:
    """Return the summands of a sum of which the second can be added in place."""
    if node.target is aten.add.Tensor and not node.kwargs and len(node.operands) == 2:
        for total, part in (node.args, node.args[::-1]):
            if part.target in PLACED and total is not part and total.form == node.form:
                return total, part
    return node, None


class _Writer:
    """Write the source text of the function, one operation a line."""

    def __init__(self, recording: Recording):
        self.recording = recording
        nodes = [*recording.inputs, *recording.nodes]
        self.names = {node: f"t{number}" for number, node in enumerate(nodes)}
        self.place = {node: number for number, node in enumerate(nodes)}
        self.scope: dict = {}
        self.bound: dict[int, str] = {}
        self._follow_memory(nodes)

    def _follow_memory(self, nodes: Sequence[Node]) -> None:
        """Find whose memory each result may lie in, and the last operation that reads there."""
        self.computed = {node for node in self.recording.nodes if node.is_operation}
        self.memory: dict[Node, set[Node]] = {}
        self.last_read: dict[Node, int] = {}
        for node in nodes:
            read = node.operands if node in self.computed else ()
            owners = set().union(*(self.memory[old] for old in read))
            for owner in owners:
                self.last_read[owner] = self.place[node]
            is_new = not owners or node.target in NEW_MEMORY
            self.memory[node] = {node} if is_new else owners
        for node in self.recording.outputs:
            for owner in self.memory[node]:
                self.last_read[owner] = len(nodes)

    def write(self) -> str:
        """Return the text."""
        inputs = [self.names[node] for node in self.recording.inputs]
        lines = [f"def program({', '.join(inputs)}):"]
        last_uses = self.recording.last_uses()
        for node in self.recording.nodes:
            if node.target == "constant":
                self.scope[self.names[node]] = node.value
                continue
            expression = self._expression(node)
            dead = [self.names[old] for old in last_uses.get(node, ()) if old.target != "constant"]
            if dead:  # its name is taken over, which is less to write than `del`
                self.names[node] = dead.pop()
            lines.append(f"    {self.names[node]} = {expression}")
            if dead:
                lines.append(f"    del {', '.join(dead)}")
        lines.append(f"    return ({self._text(self.recording.outputs)})")
        return "\n".join(lines) + "\n"

    def _expression(self, node: Node) -> str:
        target, args = node.target, list(node.args)
        if target is operator.getitem:
            return f"{self.names[args[0]]}[{args[1]!r}]"
        if target in IN_PLACE and not node.kwargs:
            if self._may_overwrite(args[0], node):
                target = IN_PLACE[target]
            elif target in COMMUTATIVE and self._may_overwrite(args[1], node):
                target, args = IN_PLACE[target], args[::-1]
        keywords = "".join(f"{key}={self._value(value)}, " for key, value in node.kwargs.items())
        return f"{self._bind('f', target)}({self._text(args)}{keywords})"

    def _may_overwrite(self, base: Any, node: Node) -> bool:
        """Say whether the memory of an argument is ours, of the right form and free after this."""
        if not isinstance(base, Node) or base.target not in NEW_MEMORY:
            return False
        if base not in self.computed or base.form != node.form or not base.form.is_contiguous:
            return False
        if any(base in self.memory[old] for old in node.operands if old is not base):
            return False  # the same memory would be read by the same operation
        return self.last_read[base] <= self.place[node] and node.operands.count(base) == 1

    def _text(self, args: Sequence) -> str:
        return "".join(f"{self._value(arg)}, " for arg in args)

    def _value(self, arg: Any) -> str:
        if isinstance(arg, Node):
            return self.names[arg]
        if isinstance(arg, (list, tuple)):
            return f"[{self._text(arg)}]"
        if isinstance(arg, (int, bool, type(None), str)):
            return repr(arg)
        return self._bind("c", arg)

    def _bind(self, kind: str, thing: Any) -> str:
        """Give a Python object a name in the function's scope."""
        key = id(thing)
        if key not in self.bound:
            self.bound[key] = f"{kind}{len(self.bound)}"
            self.scope[self.bound[key]] = thing
        return self.bound[key]
