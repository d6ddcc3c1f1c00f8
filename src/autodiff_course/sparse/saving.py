"""Keep what was prepared in a file: pattern, colours and recordings, but no Python code.

A file holds a text, in JSON, and tensors. Operations stand in it by their names in `torch.ops`; the
function itself does not. So who loads a file gives the function again, and by default it is checked
that it is the one that was prepared.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from .coloring import Coloring
from .coloring_jacobian import JacobianColoring
from .derivatives import Function, Objective, Recorded, VectorFunction
from .jacobian import PreparedJacobian
from .prepared import Prepared
from .prepared_hessian import PreparedHessian
from .record import Form, Node, Recording
from .torch_internals import ordinary_mode
from .variables import Arguments, Variables

__all__ = ["load", "save"]

FORMAT = 2
# What a function that is differentiated once or twice is, and how its matrix was coloured.
KINDS = {
    kind.name: (kind, how)
    for kind, how in ((Objective, Coloring), (VectorFunction, JacobianColoring))
}
# Objects that are known by their name in torch, such as torch.float64.
NAMED = (torch.dtype, torch.layout, torch.memory_format)


def save(prepared: PreparedHessian | PreparedJacobian, path: str | Path) -> None:
    """Write a prepared Hessian or Jacobian to a file, for `load`.

    Parameters
    ----------
    prepared : PreparedHessian or PreparedJacobian
        From `prepare_hessian` or `prepare_jacobian`.
    path : str or Path

    Raises
    ------
    TypeError
        If `prepared` is something else.
    NotImplementedError
        If its pattern is local, if it has auxiliary results, or if an operation in it is not one of
        torch's own.

    Examples
    --------
    >>> import tempfile, torch
    >>> from autodiff_course.sparse import load, prepare_jacobian, save
    >>> def f(x):
    ...     return x[1:] * x[:-1] ** 2
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(prepare_jacobian(f, torch.ones(4)), f"{folder}/jacobian.pt")
    ...     load(f"{folder}/jacobian.pt", f, torch.ones(4))
    PreparedJacobian(m=3, n=4, nnz=6, products=2, direction='columns')
    """
    if not isinstance(prepared, Prepared):
        raise TypeError(
            "prepared: expected the result of prepare_hessian or prepare_jacobian, got "
            f"{type(prepared).__name__}"
        )
    problem, pattern = prepared._problem, prepared.pattern
    if problem.local or problem.has_aux:
        raise NotImplementedError("prepared: with local=True or has_aux=True it cannot be saved")
    is_hessian = isinstance(prepared, PreparedHessian)
    sides = {} if is_hessian else prepared._recorded_sides
    writer = _Writer()
    recorded = [prepared._recorded, *(side._recorded for side in sides.values())]
    recordings = [[writer.recording(part) for part in (r.first, r.product)] for r in recorded]
    coloring = vars(prepared.coloring)
    arrays = [name for name, value in coloring.items() if isinstance(value, np.ndarray)]
    text = {
        "format": FORMAT,
        "kind": problem.name,
        "form": _form_text(problem),
        "recordings": recordings,
        "nodes": writer.nodes,
        "coloring": {name: coloring[name] for name in coloring if name not in arrays},
        "options": [prepared.output, prepared.triangle] if is_hessian else [prepared.output],
        "sides": [*sides],
        "m": pattern.shape[0],
    }
    torch.save(
        {
            "text": json.dumps(text),
            "pattern": [torch.tensor(part) for part in (pattern.indptr, pattern.indices)],
            "coloring": {name: torch.tensor(coloring[name]) for name in arrays},
            "constants": writer.tensors,
        },
        path,
    )


def load(
    path: str | Path,
    f: Callable[..., Tensor],
    x: Any,
    *,
    args: tuple = (),
    check: bool = True,
    compile: bool = False,
) -> PreparedHessian | PreparedJacobian:
    """Read a prepared Hessian or Jacobian from a file.

    Parameters
    ----------
    path : str or Path
        Written by `save`.
    f, x, args, check, compile
        As for `prepare_hessian` or `prepare_jacobian` when it was prepared. Without the check,
        nothing tells whether the file belongs to f.

    Returns
    -------
    PreparedHessian or PreparedJacobian

    Raises
    ------
    ValueError
        If the file is of another format, if x or args are of another form than those it was
        prepared with, or if the check finds that f is another function.

    Notes
    -----
    The file holds the recordings, the pattern and the colouring. No code in it is run: it is read
    with ``torch.load(weights_only=True)``.

    Examples
    --------
    >>> import tempfile, torch
    >>> from autodiff_course.sparse import load, prepare_hessian, save
    >>> def f(x):
    ...     return (x[1:] * x[:-1] ** 2).sum()
    >>> x = torch.ones(4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(prepare_hessian(f, x), f"{folder}/hessian.pt")
    ...     load(f"{folder}/hessian.pt", f, x)
    PreparedHessian(n=4, nnz=9, products=2, method='star')
    """
    stored = torch.load(path, weights_only=True)
    text = json.loads(stored["text"]) if isinstance(stored, dict) and "text" in stored else {}
    if text.get("format") != FORMAT:
        raise ValueError(f"path: expected a file written by save in format {FORMAT}")
    with ordinary_mode():
        kind, colored = KINDS[text["kind"]]
        problem = kind(f, Variables(x), Arguments(args))
        if text["form"] != _form_text(problem):
            raise ValueError(
                f"x, args: prepared for {text['form']}, got {_form_text(problem)} (loading {path})"
            )
        indptr, indices = (part.numpy() for part in stored["pattern"])
        shape = (text["m"], problem.variables.n)
        pattern = sp.csr_array((np.ones(len(indices), bool), indices, indptr), shape=shape)
        pattern.has_canonical_format = True
        arrays = {name: part.numpy() for name, part in stored["coloring"].items()}
        coloring = colored(**arrays, **text["coloring"])
        reader = _Reader(text["nodes"], stored["constants"], problem.variables.device)
        own, *of_sides = (_recorded(reader, parts) for parts in text["recordings"])
        options = (pattern, coloring, *text["options"], compile)
        if kind is Objective:
            prepared = PreparedHessian(problem, own, *options)
        else:
            prepared = PreparedJacobian(problem, own, *options)
            for side, recorded in zip(text["sides"], of_sides, strict=True):
                prepared._add_side(side, recorded)
            prepared._record_sides(x)
        for side in prepared._sides:
            side.prepare(x)
    if check:
        prepared.check(x)
    return prepared


def _recorded(reader: _Reader, parts: list) -> Recorded:
    first, product = (reader.recording(part) for part in parts)
    return Recorded(first, first._replace(nodes=[], outputs=[]), product)


def _form_text(problem: Function) -> str:
    variables, tensors = problem.variables, problem.arguments.tensors()
    shapes = [tuple(shape) for shape in variables.shapes]
    more = [(tuple(tensor.shape), str(tensor.dtype)) for tensor in tensors]
    return f"{variables.structure} of {shapes} {variables.dtype}, arguments {more}"


class _Writer:
    """Turns recordings into what JSON can hold; nodes that they share are kept once."""

    def __init__(self):
        self.nodes: list[Any] = []
        self.tensors: list[Tensor] = []
        self.place: dict[Node, int] = {}

    def recording(self, recording: Recording) -> list[list[int]]:
        for node in (*recording.inputs, *recording.nodes):
            if node not in self.place:
                self.nodes.append(self._node(node))
                self.place[node] = len(self.nodes) - 1
        return [[self.place[node] for node in part] for part in recording]

    def _node(self, node: Node) -> list[Any]:
        if not node.is_operation:
            if node.value is not None:
                self.tensors.append(node.value)
            return [node.target, self._form(node.form)]
        name = "getitem" if node.target is operator.getitem else str(node.target)
        if name != "getitem" and not name.startswith("aten."):
            raise NotImplementedError(f"prepared: the operation {name} cannot be saved")
        return [name, self._form(node.form), self._value(node.args), self._value(node.kwargs)]

    def _form(self, form: Any) -> Any:
        """Keep only an example: a form is read off one."""
        if isinstance(form, Form):
            kind = str(form.layout)
            return ["form", list(form.shape), list(form.stride), str(form.dtype), kind]
        return [self._form(part) for part in form] if isinstance(form, tuple) else self._value(form)

    def _value(self, value: Any) -> Any:
        if isinstance(value, Node):
            return {"node": self.place[value]}
        if isinstance(value, (list, tuple)):
            return {type(value).__name__: [self._value(part) for part in value]}
        if isinstance(value, dict):
            return {"dict": {key: self._value(part) for key, part in value.items()}}
        if value is None or isinstance(value, (bool, int, str)):
            return {"plain": value}
        if isinstance(value, float):
            return {"float": value.hex()}
        if isinstance(value, NAMED):
            return {"torch": str(value).removeprefix("torch.")}
        if isinstance(value, torch.device):
            return {"device": None}
        raise NotImplementedError(f"prepared: {type(value).__name__} cannot be saved")


class _Reader:
    """Makes recordings of what `_Writer` kept."""

    def __init__(self, nodes: list[Any], tensors: list[Tensor], device: torch.device):
        self._device, self._tensors = device, iter(tensors)
        self.nodes: list[Node] = []
        for stored in nodes:
            self.nodes.append(self._node(*stored))

    def recording(self, stored: list[list[int]]) -> Recording:
        return Recording(*([self.nodes[place] for place in part] for part in stored))

    def _node(self, name: str, form: Any, args: Any = None, kwargs: Any = None) -> Node:
        if args is None:
            node = Node(name, form=self._form(form))
            if name == "constant":
                node.value = next(self._tensors).to(self._device)
            return node
        target = operator.getitem
        if name != "getitem":
            _, packet, overload = name.split(".")
            target = getattr(getattr(torch.ops.aten, packet), overload)
        return Node(target, self._value(args), self._value(kwargs), self._form(form))

    def _form(self, form: Any) -> Any:
        if isinstance(form, list) and form and form[0] == "form":
            _, shape, stride, dtype, layout = form
            dtype, layout = (getattr(torch, t.removeprefix("torch.")) for t in (dtype, layout))
            return Form(tuple(shape), tuple(stride), dtype, self._device, layout)
        if isinstance(form, list):
            return tuple(self._form(part) for part in form)
        return self._value(form)

    def _value(self, stored: dict) -> Any:
        ((kind, value),) = stored.items()
        if kind in ("list", "tuple"):
            parts = [self._value(part) for part in value]
            return parts if kind == "list" else tuple(parts)
        if kind == "dict":
            return {key: self._value(part) for key, part in value.items()}
        plain = {
            "node": lambda: self.nodes[value],
            "plain": lambda: value,
            "float": lambda: float.fromhex(value),
            "torch": lambda: getattr(torch, value),
            "device": lambda: self._device,
        }
        return plain[kind]()
