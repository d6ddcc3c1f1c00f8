"""Turn a recording into a Python function, split where the direction comes in.

A Hessian-vector product is linear in the direction, and much of it does not involve the direction
at all: that part is run once for each x, the rest once for each colour. Memory is used again as
soon as its contents are no longer needed; for large tensors that saves more than arithmetic does.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx

from .tracing import fake, functional, simplify

__all__ = ["batched", "compile_recording", "split_by_direction"]

aten = torch.ops.aten

# Operations whose result is new memory, and what does the same within the memory of an argument.
IN_PLACE: dict = {
    getattr(aten, name).Tensor: getattr(aten, name + "_").Tensor
    for name in ("add", "sub", "mul", "div")
}
IN_PLACE |= {
    getattr(aten, name).default: getattr(aten, name + "_").default
    for name in ("neg", "exp", "sin", "cos", "sqrt", "rsqrt", "reciprocal", "tanh", "sigmoid")
}
COMMUTATIVE = {aten.add.Tensor, aten.mul.Tensor}
PLACED = {
    aten.slice_backward.default: aten.slice.Tensor,
    aten.select_backward.default: aten.select.int,
}
NEW_MEMORY = {*IN_PLACE, *PLACED, aten.pow.Tensor_Scalar, aten.mm.default, aten.bmm.default}
NEW_MEMORY |= {aten.sum.dim_IntList, aten.where.self, aten.cat.default}


def split_by_direction(
    module: fx.GraphModule, directions: int
) -> tuple[fx.GraphModule, fx.GraphModule]:
    """Split a recorded product into what is done once for each x and once for each direction.

    Parameters
    ----------
    module : GraphModule
        A product; its last `directions` inputs are the direction.

    Returns
    -------
    once, each : GraphModule
        The outputs of `once` are the first inputs of `each`; the direction follows them.
    """
    inputs = [node for node in module.graph.nodes if node.op == "placeholder"]
    moving = set(inputs[-directions:])
    for node in module.graph.nodes:
        if node.op == "call_function" and not moving.isdisjoint(node.all_input_nodes):
            moving.add(node)
    output = next(node for node in module.graph.nodes if node.op == "output")
    kept: dict[fx.Node, None] = {}
    for node in module.graph.nodes:
        if node in moving or node is output:
            for old in node.all_input_nodes:
                if old not in moving and old.op != "get_attr":
                    kept[old] = None
    once, each = fx.Graph(), fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in module.graph.nodes:
        if node not in moving and node is not output:
            copies[node] = once.node_copy(node, copies.__getitem__)
    once.output(tuple(copies[node] for node in kept))
    copies = {}
    for node in kept:
        copies[node] = each.placeholder(f"kept_{len(copies)}")
        copies[node].meta = dict(node.meta)
    for node in module.graph.nodes:
        if node in moving or node is output or node.op == "get_attr":
            copies[node] = each.node_copy(node, copies.__getitem__)
    each.eliminate_dead_code()
    return fx.GraphModule(module, once), fx.GraphModule(module, each)


def batched(each: fx.GraphModule, kept: Sequence[Tensor], directions: Sequence[Tensor]):
    """Record the part that involves the direction anew, for several directions at once.

    Parameters
    ----------
    each : GraphModule
        From `split_by_direction`.
    kept : sequence of Tensor
        What its first inputs were for some x.
    directions : sequence of Tensor
        For each tensor of x, one of shape (width, ...).
    """
    axes = (None,) * len(kept) + (0,) * len(directions)
    run = torch.func.vmap(each, in_dims=axes)
    with _quiet_fallback():
        recording = make_fx(run)(*kept, *directions)
    return simplify(functional(recording, [*kept, *directions]))


@contextmanager
def _quiet_fallback():
    """Keep vmap from warning where it does the directions one by one, as a loop would."""
    try:
        from torch._C._functorch import _set_vmap_fallback_warning_enabled as enable
    except ImportError:
        yield
        return
    enable(False)
    try:
        yield
    finally:
        enable(True)


def compile_recording(module: fx.GraphModule) -> Callable[..., tuple[Tensor, ...]]:
    """Return a Python function that does what a recording says.

    The recording must be free of operations in place; the function has some, where the memory
    belongs to it and is not needed any more.
    """
    writer = _Writer(module)
    source = writer.write()
    scope = dict(writer.scope)
    exec(compile(source, "<recorded product>", "exec"), scope)
    return scope["program"]


class _Writer:
    """Write the source text of the function, one operation a line."""

    def __init__(self, module: fx.GraphModule):
        self.module = module
        self.nodes = list(module.graph.nodes)
        self.place = {node: number for number, node in enumerate(self.nodes)}
        self.names = {node: f"t{number}" for number, node in enumerate(self.nodes)}
        self.scope: dict = {}
        self.bound: dict = {}
        self.roots = _memory_roots(self.nodes)
        delayed = {
            node: next(iter(node.users)) for node in self.nodes if self._could_be_delayed(node)
        }
        self.last_read = _last_reads(self.nodes, self.roots, delayed)
        # Placements (zeros but for one slice) that are not made, but added to something in place.
        self.merged: dict[fx.Node, fx.Node] = {}  # part -> what it is added to
        for part, user in delayed.items():
            base = self._base_of(part, user)
            if base is not None:
                self.merged[part] = base

    def write(self) -> str:
        """Return the text."""
        inputs = [self.names[node] for node in self.nodes if node.op == "placeholder"]
        lines = [f"def program({', '.join(inputs)}):"]
        dead = self._dead_after()
        for node in self.nodes:
            if node.op == "get_attr":
                self.scope[self.names[node]] = operator.attrgetter(node.target)(self.module)
            elif node.op == "output":
                lines.append(f"    return ({self._text(list(node.args[0]))})")
            elif node.op == "call_function" and node not in self.merged:
                lines.append(f"    {self._line(node)}")
                if node in dead:
                    lines.append(f"    del {', '.join(self.names[old] for old in dead[node])}")
        return "\n".join(lines) + "\n"

    def _could_be_delayed(self, node: fx.Node) -> bool:
        if node.target not in PLACED or len(node.users) != 1:
            return False
        user = next(iter(node.users))
        is_sum = user.target is aten.add.Tensor and not user.kwargs
        return is_sum and user.args[0] is not user.args[1]

    def _base_of(self, part: fx.Node, user: fx.Node) -> fx.Node | None:
        """Return the other summand, if the placement can be added to it in place."""
        base = user.args[1] if user.args[0] is part else user.args[0]
        if base in self.merged or (isinstance(base, fx.Node) and self._is_later(base, part)):
            return None  # of two placements the first is made, so that there is a place to add to
        return base if self._may_overwrite(base, user) else None

    def _is_later(self, base: fx.Node, part: fx.Node) -> bool:
        return base.target in PLACED and self.place[base] > self.place[part]

    def _may_overwrite(self, base, node: fx.Node) -> bool:
        """Say whether the memory of an argument is ours, of the right form and free after this."""
        if not isinstance(base, fx.Node) or base.target not in NEW_MEMORY:
            return False
        form, wanted = fake(base), fake(node)
        if not form.is_contiguous() or (form.shape, form.dtype) != (wanted.shape, wanted.dtype):
            return False
        others = {self.roots[old] for old in self._inputs(node) if old is not base}
        if base in others or None in others:
            return False  # the same memory may be read by the same operation
        return self.last_read[base] <= self.place[node]

    def _inputs(self, node: fx.Node) -> list[fx.Node]:
        """Return what is read when a node is computed."""
        inputs = []
        for old in node.all_input_nodes:
            inputs += old.all_input_nodes if old in self.merged else [old]
        return inputs

    def _dead_after(self) -> dict[fx.Node, list[fx.Node]]:
        last: dict[fx.Node, fx.Node] = {}
        for node in self.nodes:
            if node not in self.merged:
                for old in self._inputs(node):
                    last[old] = node
        dead: dict[fx.Node, list[fx.Node]] = {}
        for old, node in last.items():
            if old.op == "call_function" and node.op != "output":
                dead.setdefault(node, []).append(old)
        return dead

    def _line(self, node: fx.Node) -> str:
        name, target, args = self.names[node], node.target, list(node.args)
        for part in node.all_input_nodes:
            if part in self.merged:
                return self._add_in_place(node, part)
        if target is operator.getitem:
            return f"{name} = {self.names[args[0]]}[{args[1]!r}]"
        if target in IN_PLACE and not node.kwargs:
            if self._may_overwrite(args[0], node):
                target = IN_PLACE[target]
            elif target in COMMUTATIVE and self._may_overwrite(args[1], node):
                target, args = IN_PLACE[target], args[::-1]
        keywords = "".join(f"{key}={self._value(value)}, " for key, value in node.kwargs.items())
        return f"{name} = {self._bind('f', target)}({self._text(args)}{keywords})"

    def _add_in_place(self, node: fx.Node, part: fx.Node) -> str:
        name, base = self.names[node], self.names[self.merged[part]]
        source, _, *where = part.args
        view = f"{self._bind('f', PLACED[part.target])}({base}, {self._text(where)})"
        add = self._bind("f", aten.add_.Tensor)
        return f"{name} = {base}; {add}({view}, {self._value(source)})"

    def _text(self, args) -> str:
        return "".join(f"{self._value(arg)}, " for arg in args)

    def _value(self, arg) -> str:
        if isinstance(arg, fx.Node):
            return self.names[arg]
        if isinstance(arg, (list, tuple)):
            return f"[{self._text(arg)}]"
        if isinstance(arg, (int, bool, type(None), str)):
            return repr(arg)
        return self._bind("c", arg)

    def _bind(self, kind: str, thing) -> str:
        """Give a Python object a name in the function's scope."""
        key = id(thing)
        if key not in self.bound:
            self.bound[key] = f"{kind}{len(self.bound)}"
            self.scope[self.bound[key]] = thing
        return self.bound[key]


def _memory_roots(nodes: Sequence[fx.Node]) -> dict[fx.Node, fx.Node | None]:
    """Say for each result whose memory it lies in; None where that is not certain."""
    roots: dict[fx.Node, fx.Node | None] = {}
    for node in nodes:
        if node.op != "call_function" or node.target in NEW_MEMORY:
            roots[node] = node
            continue
        # Any other operation may return a view of one of its arguments.
        candidates = {roots[old] for old in node.all_input_nodes}
        roots[node] = candidates.pop() if len(candidates) == 1 else None
    return roots


def _last_reads(nodes, roots, delayed) -> dict[fx.Node, int]:
    """Return the place of the last operation that may read the memory of each result."""
    place = {node: number for number, node in enumerate(nodes)}
    last = dict(place)
    held: dict[fx.Node, set[fx.Node]] = {}  # all memory that a result may lie in
    for node in nodes:
        inputs = [held[old] for old in node.all_input_nodes]
        is_new = node.op != "call_function" or node.target in NEW_MEMORY
        held[node] = {node} if is_new else set().union(*inputs)
        # A placement may be read as late as it is used.
        now = max(place[node], place[delayed[node]] if node in delayed else 0)
        for root in set().union(*inputs):
            last[root] = max(last[root], now)
    return last
