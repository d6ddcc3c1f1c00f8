"""What PyTorch records of a small gradient, as plain data, for the exercises of notebook 08."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from autodiff_course.sparse.optimise import optimise
from autodiff_course.sparse.record import Node, record

__all__ = ["RecordedStep", "recorded_gradient"]

aten = torch.ops.aten
MOVES = {
    aten.slice.Tensor,
    aten.slice_backward.default,
    aten.select.int,
    aten.select_backward.default,
    aten.view.default,
    aten.expand.default,
}
INTO = {aten.slice_backward.default: "[{}:{}]", aten.select_backward.default: "[{}]"}
FROM = {aten.slice.Tensor: "[{}:{}]", aten.select.int: "[{}]"}


class RecordedStep(NamedTuple):
    """One line of a recording: a tensor, and where its elements come from.

    Attributes
    ----------
    name : str
        "x" for the variables, then "t0", "t1" and so on.
    kind : str
        "input", "constant", "elementwise", "move" or "sum".
    text : str
        What is computed, to be read.
    operands : tuple of str
        The names of the tensors that it is computed from.
    size : int
        How many elements it has.
    source : tuple of (int or None)
        Of a move, for each element the number of the operand's element that stands there, or None
        for a zero. Empty for the other kinds.
    """

    name: str
    kind: str
    text: str
    operands: tuple[str, ...]
    size: int
    source: tuple[int | None, ...] = ()


def recorded_gradient(f: Callable[[Tensor], Tensor], n: int) -> list[RecordedStep]:
    """Record the gradient of f, a step for each tensor operation; the last one is the gradient.

    Parameters
    ----------
    f : callable
        ``f(x)`` returns one number for a float64 tensor of shape (n,). Its gradient may consist of
        elementwise operations, of slices and their like, and of sums of all elements.
    n : int

    Returns
    -------
    list of RecordedStep
        The first one is the input. Elements of tensors with several dimensions are numbered row by
        row.

    Raises
    ------
    NotImplementedError
        If the gradient needs another kind of operation.
    ValueError
        If the course of f depends on the numbers in x, or takes them out of PyTorch.

    Examples
    --------
    >>> from autodiff_course.exercises.recording08 import recorded_gradient
    >>> for step in recorded_gradient(lambda x: (x[:-1] ** 2 * x[1:]).sum(), 4):
    ...     print(f"{step.name:3} {step.kind:12} {step.text}")
    x   input        the variables
    t0  move         x[0:3]
    t1  elementwise  pow(t0, 2)
    t2  move         x[1:4]
    t3  move         t1 into [1:4] of 4 zeros
    t4  elementwise  mul(t0, 2.0)
    t5  elementwise  mul(t2, t4)
    t6  move         t5 into [0:3] of 4 zeros
    t7  elementwise  add(t3, t6)
    """
    x = torch.zeros(n, dtype=torch.float64)
    record(lambda x: [f(x)], [x])  # torch.func wraps x, and `x.tolist()` would pass unnoticed
    recording = optimise(record(lambda x: [torch.func.grad(f)(x)], [x]))
    names = {recording.inputs[0]: "x"}
    names |= {node: f"t{number}" for number, node in enumerate(recording.nodes)}
    steps = [RecordedStep("x", "input", "the variables", (), n)]
    return steps + [_step(node, names) for node in recording.nodes]


def _step(node, names):
    operands = tuple(names[one] for one in node.operands)
    size, source = node.form.size, ()
    if node.target == "constant":
        kind = "constant"
    elif node.target in MOVES:
        kind, source = "move", _source(node)
    elif node.target is aten.sum.default:
        kind = "sum"
    elif _is_elementwise(node):
        kind = "elementwise"
    else:
        raise NotImplementedError(f"recorded_gradient: the operation {node.target} is not expected")
    return RecordedStep(names[node], kind, _text(node, names), operands, size, source)


def _is_elementwise(node):
    sizes = {one.form.size for one in node.operands}
    return torch.Tag.pointwise in node.target.tags and sizes <= {1, node.form.size}


def _source(node):
    """Move the numbers of the elements instead of the elements."""
    operand = node.operands[0].form
    numbers = torch.arange(1, operand.size + 1, dtype=torch.float64).view(operand.shape)
    moved = node.target(numbers, *node.args[1:], **node.kwargs).flatten().long().tolist()
    return tuple(number - 1 if number else None for number in moved)


def _text(node, names):
    if node.target == "constant":
        return "numbers that do not depend on x"
    flat = len(node.form.shape) <= 1 and all(len(one.form.shape) <= 1 for one in node.operands)
    if flat and node.target in FROM:
        return names[node.args[0]] + _part(FROM, node, node.args[2:], node.operands[0].form.size)
    if flat and node.target in INTO:
        part = _part(INTO, node, node.args[3:], node.form.size)
        return f"{names[node.args[0]]} into {part} of {node.form.size} zeros"
    shown = ", ".join(names[arg] if isinstance(arg, Node) else str(arg) for arg in node.args)
    name = node.target.name().removeprefix("aten::").split(".")[0]
    return f"{name}({shown})"


def _part(forms, node, numbers, size):
    places = [range(size)[number] if number < 0 else min(number, size) for number in numbers]
    return forms[node.target].format(*places)
