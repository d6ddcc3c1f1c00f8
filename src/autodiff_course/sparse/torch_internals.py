"""Everything of PyTorch that this package uses and that PyTorch does not promise to keep.

If a new PyTorch breaks the engine, this is the one file to mend. `PRIVATE` says of each name what
breaks without it, and `missing` which of them the PyTorch at hand no longer has.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

import torch
from torch.autograd.function import once_differentiable
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = [
    "PRIVATE",
    "TorchDispatchMode",
    "Traits",
    "compiled",
    "custom_function",
    "decomposition",
    "explained",
    "lacks_second_derivative",
    "memory_of",
    "missing",
    "ordinary_mode",
    "outside_this_package",
    "quiet_vmap",
    "traits",
    "tree_flatten",
    "tree_leaves",
    "tree_unflatten",
]

#: What is private to torch, and what breaks where it is gone.
PRIVATE = {
    "utils._python_dispatch.TorchDispatchMode": "nothing can be recorded",
    "utils._pytree.tree_flatten": "containers of tensors cannot be taken apart",
    "utils._pytree.tree_unflatten": "containers of tensors cannot be put together again",
    "utils._pytree.tree_leaves": "the tensors among nested arguments are not found",
    "ops.aten.add_.Tensor._schema.is_mutable": "operations in place are not recognised",
    "ops.aten.add_.Tensor._schema.arguments": "writing into a foreign tensor is not noticed",
    "ops.aten.add.Tensor.overloadpacket.__name__": "rules are not found by the operation's name",
    "UntypedStorage._cdata": "writing into a foreign tensor is not noticed",
    "_decomp.get_decompositions": "operations without a rule count as dense",
    "_C._functorch._set_vmap_fallback_warning_enabled": "vmap warns where it need not",
    "_inductor.compile": "compile=True is refused with a warning",
    "fx.experimental.proxy_tensor.make_fx": "compile=True is refused with a warning",
    "_C._functorch.peek_interpreter_stack": "a call inside vmap or grad is not refused clearly",
}

tree_flatten, tree_unflatten = pytree.tree_flatten, pytree.tree_unflatten
tree_leaves = pytree.tree_leaves


def missing() -> list[str]:
    """Return the private names that this PyTorch lacks, each with what breaks."""
    import torch._decomp
    import torch._inductor
    import torch.fx.experimental.proxy_tensor  # noqa: F401  (they take a moment)

    lacking = []
    for name, consequence in PRIVATE.items():
        try:
            attrgetter(name)(torch)
        except AttributeError:
            lacking.append(f"torch.{name} is gone: {consequence}")
    return lacking


class Traits(NamedTuple):
    """What PyTorch says of one operation.

    Attributes
    ----------
    name : str
        Without namespace and overload.
    writes : tuple of (int, str)
        Position and name of the arguments that it writes into.
    pointwise : bool
        Each element of its result depends on the same element of its arguments.
    random, value_dependent, dynamic_shape : bool
        It draws random numbers; its result is no tensor and depends on numbers in tensors; so does
        the shape of its result.
    """

    name: str
    writes: tuple[tuple[int, str], ...]
    pointwise: bool
    random: bool
    value_dependent: bool
    dynamic_shape: bool


@cache
def traits(operation: Any) -> Traits:
    """Return what PyTorch says of an operation of `torch.ops`, or nothing for a Python function."""
    tags = getattr(operation, "tags", ())
    schema = getattr(operation, "_schema", None)
    packet = getattr(operation, "overloadpacket", None)
    writes = ()
    if schema is not None and schema.is_mutable:
        places = enumerate(schema.arguments)
        writes = tuple((i, a.name) for i, a in places if a.alias_info and a.alias_info.is_write)
    return Traits(
        getattr(packet, "__name__", str(operation)),
        writes,
        torch.Tag.pointwise in tags,
        torch.Tag.nondeterministic_seeded in tags,
        torch.Tag.data_dependent_output in tags,
        torch.Tag.dynamic_output_shape in tags,
    )


def memory_of(tensor: torch.Tensor) -> int | None:
    """Return the same number for tensors that share memory; None for those that are not dense."""
    return tensor.untyped_storage()._cdata if tensor.layout is torch.strided else None


def decomposition(operation: Any) -> Callable | None:
    """Return a function of simpler operations that does the same, if PyTorch has one."""
    from torch._decomp import get_decompositions  # takes a moment, and is seldom needed

    try:
        return get_decompositions([operation]).get(operation)
    except (RuntimeError, AttributeError):
        return None


def compiled(function: Callable, examples: Sequence[torch.Tensor]) -> Callable:
    """Return a function of tensors compiled for the shapes, strides and dtypes of these examples.

    `torch.compile` would ask before each call whether it still fits, which takes longer than the
    work on some thousand numbers. Here shapes and dtypes must fit; other strides are mended.
    """
    import torch._inductor
    from torch.fx.experimental.proxy_tensor import make_fx

    # Traced with tensors that have no memory: real ones would stay alive as long as the graph.
    trace = make_fx(function, tracing_mode="fake", _allow_non_fake_inputs=True)
    program = torch._inductor.compile(trace(*examples), list(examples))
    strides = [example.stride() for example in examples]

    def run(*tensors):
        fit = (
            tensor if tensor.stride() == stride else _with_strides(tensor, stride)
            for tensor, stride in zip(tensors, strides, strict=True)
        )
        return program(*fit)

    return run


def _with_strides(tensor: torch.Tensor, strides: tuple[int, ...]) -> torch.Tensor:
    like = {"dtype": tensor.dtype, "device": tensor.device}
    return torch.empty_strided(tensor.shape, strides, **like).copy_(tensor)


@contextmanager
def quiet_vmap() -> Iterator[None]:
    """Keep vmap from warning where it takes one element after the other, as a loop would."""
    enable = getattr(torch._C._functorch, "_set_vmap_fallback_warning_enabled", lambda on: None)
    enable(False)
    try:
        yield
    finally:
        enable(True)


@contextmanager
def ordinary_mode() -> Iterator[None]:
    """Let tensors remember where they come from, and Python's collector of garbage rest.

    The many small notes of a recording are no garbage, and looking through them again and again
    takes a third of the time.

    Raises
    ------
    RuntimeError
        Inside vmap, grad or another function transform, whose tensors have no numbers of their own.
    """
    peek = getattr(torch._C._functorch, "peek_interpreter_stack", lambda: None)
    if peek() is not None:
        raise RuntimeError(
            "a sparse Hessian cannot be computed inside torch.vmap, torch.func.grad and the like: "
            "take it outside of them"
        )
    collects = gc.isenabled()
    gc.disable()
    try:
        with torch.inference_mode(False):
            yield
    finally:
        if collects:
            gc.enable()


def lacks_second_derivative(function: Any) -> bool:
    """Say whether a custom function's backward is marked with @once_differentiable."""
    # The decorator replaces the method by a function of its own.
    code = getattr(getattr(function, "backward", None), "__code__", None)
    home = once_differentiable.__code__.co_filename
    return code is not None and (code.co_filename, code.co_name) == (home, "wrapper")


def custom_function(node: Any) -> Any:
    """Return the custom autograd function that made a node of autograd's graph, if one did."""
    return getattr(node, "_forward_cls", None)


def explained(error: Exception) -> Exception:
    """Translate an error of PyTorch's into one that says what to do about f; else return it."""
    text = str(error)
    first_line = text.splitlines()[0] if text else ""
    if "once_differentiable" in text or "is not implemented" in text:
        return NotImplementedError(
            "f: an operation in it has a first derivative but no second one, so PyTorch cannot "
            f"give its Hessian ({first_line})"
        )
    if "HigherOrderOperator" in text or "rule registered for HOP" in text:  # newer, older PyTorch
        return NotImplementedError(
            "f: torch.cond and other operations that take functions cannot be recorded; use "
            f"torch.where, or a Python loop ({first_line})"
        )
    if "CSR" in text:
        return NotImplementedError(
            "f: PyTorch cannot record operations on sparse CSR matrices; use sparse COO ones"
        )
    if "Inference tensors" in text:
        return ValueError(
            "f: it uses a tensor that was made under torch.inference_mode, of which PyTorch gives "
            "no derivatives; make it outside, or pass a clone of it in args"
        )
    return error


def outside_this_package() -> int:
    """Return the stack level of the caller's own line, which a warning should show."""
    level, frame = 1, sys._getframe(1)
    package = __name__.rpartition(".")[0]
    while frame and frame.f_globals.get("__name__", "").startswith(package):
        level, frame = level + 1, frame.f_back
    return level
