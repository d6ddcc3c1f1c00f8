"""Rules for operations that move elements: into another order, or into another tensor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..domains import AbstractTensor, element_numbers
from ..record import substitute
from ..torch_internals import tree_leaves
from .base import Call, NoRule, Rules, broadcast, broadcast_nonzero, reduce_and_broadcast

rules = Rules()

KEEP_ORDER = "view _unsafe_view reshape unsqueeze squeeze clone detach alias lift_fresh contiguous"
KEEP_ORDER += " lift_fresh_copy view_copy unsqueeze_copy squeeze_copy _to_copy _reshape_alias"
KEEP_ORDER += " resolve_conj resolve_neg _conj _conj_physical conj_physical _neg_view real"


@rules.add(*KEEP_ORDER.split())
def keep_order(call: Call) -> AbstractTensor:
    """Leave the elements in their order."""
    source = call.args[0]
    if source.size != math.prod(call.shape):
        raise NoRule
    return call.result(source.domains, source.nonzero)


MOVES = "expand permute transpose t numpy_T movedim slice select narrow diagonal flip roll repeat"
MOVES += " cat stack split split_with_sizes unbind chunk unfold slice_backward select_backward"
MOVES += " diagonal_backward tril triu index index_select gather take embedding slice_scatter"
MOVES += " select_scatter diagonal_scatter constant_pad_nd pixel_shuffle pixel_unshuffle rot90"
MOVES += " unsafe_split unsafe_split_with_sizes channel_shuffle masked_select as_strided im2col"
MOVES += " reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d"
MOVES += " replication_pad3d unsafe_chunk"
MOVES += " broadcast_in_dim block_diag diag_embed repeat_interleave _unsafe_index expand_copy"
MOVES += " _unsafe_masked_index"
FLOAT_ONLY = ("reflection", "replication", "im2col", "embedding")


@rules.add(*MOVES.split())
def move(call: Call) -> Any:
    """Do to the numbers of the elements what is done to the elements."""
    sources, numbers, first = [], {}, 1
    for tensor in call.tensors:
        if not (tensor.form.is_real_or_complex):
            if tensor.value is None:
                raise NoRule  # an index that is not constant could point anywhere
        elif id(tensor) not in numbers:
            numbers[id(tensor)] = _numbers_for(tensor, first)
            sources.append(tensor)
            first += tensor.size
    name = call.name
    args, kwargs, fill = call.args, dict(call.kwargs), 0
    if name == "constant_pad_nd":
        fill = call.argument(2, "value", 0)
        args, kwargs = args[:2], {}
    if name == "as_strided" and not call.args[0].form.is_contiguous:
        raise NoRule
    key = _key(name, args, kwargs, numbers)
    if key is not None and len(sources) == 1 and sources[0].domains is not None:
        ids = sources[0].domains.remember(("ids", key), lambda: _run(call, args, kwargs, numbers))
    else:
        ids = _run(call, args, kwargs, numbers)
    return _moved(call, sources, ids, key, fill)


def _numbers_for(tensor: AbstractTensor, first: int) -> Tensor:
    return element_numbers(tensor.shape, first)


def _key(name: str, args: tuple, kwargs: dict, numbers: dict) -> Any:
    """Return what decides a move, or None where a tensor of indices has part in it."""
    if any(id(part) not in numbers for part in _tensors((args, kwargs))):
        return None
    described = substitute((args, kwargs), lambda tensor: ("tensor", tensor.shape), AbstractTensor)
    return name, repr(described)


def _tensors(args: Any) -> list[AbstractTensor]:
    return [arg for arg in tree_leaves(args) if isinstance(arg, AbstractTensor)]


def _run(call: Call, args: tuple, kwargs: dict, numbers: dict[int, Tensor]) -> Any:
    kind = torch.float64 if call.name.startswith(FLOAT_ONLY) else torch.int64

    def replace(tensor: AbstractTensor) -> Tensor:
        if id(tensor) in numbers:
            return numbers[id(tensor)].to(kind)
        return tensor.value.cpu()

    args, kwargs = substitute((args, kwargs), replace, AbstractTensor)
    try:
        ids = call.target(*args, **kwargs)
    except (RuntimeError, NotImplementedError, TypeError) as error:
        raise NoRule from error
    return substitute(ids, lambda t: t.reshape(-1).long().numpy(), Tensor)


def _moved(call: Call, sources: list[AbstractTensor], ids: Any, key: Any, fill: float) -> Any:
    algebra = call.algebra
    single = isinstance(ids, np.ndarray)
    rows = algebra.concatenate([s.domains for s in sources], [s.size for s in sources])
    known = _stack_masks(sources)
    flows = []
    for number, (part, form) in enumerate(
        zip([ids] if single else ids, [call.form] if single else call.form, strict=True)
    ):
        if len(part) != math.prod(form.shape):
            raise NoRule
        wanted = None if key is None or len(sources) > 1 else ("move", key, number)
        nonzero = part != 0 if known is None else np.concatenate([[False], known])[part]
        if fill:
            nonzero |= part == 0
        if call.name == "as_strided" and not (part > 0).all():
            raise NoRule
        tensor = call._replace(form=form).result(algebra.take(rows, part, wanted), nonzero)
        flows.append(tensor)
    return flows[0] if single else tuple(flows)


def _stack_masks(sources: list[AbstractTensor]) -> np.ndarray | None:
    if all(source.nonzero is None for source in sources):
        return None
    masks = [np.ones(s.size, bool) if s.nonzero is None else s.nonzero for s in sources]
    return np.concatenate(masks)


@rules.add("view_as_real", "view_as_real_copy")
def view_as_real(call: Call) -> AbstractTensor:
    """Let both parts of a complex number depend on what it depends on."""
    source = call.args[0]
    ids = np.repeat(np.arange(1, source.size + 1), 2)
    return call.result(call.algebra.take(source.domains, ids))


@rules.add("view_as_complex", "view_as_complex_copy")
def view_as_complex(call: Call) -> AbstractTensor:
    """Make one complex number of two real ones."""
    source = call.args[0]
    count = source.size // 2
    groups = call.algebra.relation(
        np.repeat(np.arange(count), 2), np.arange(2 * count), (count, 2 * count)
    )
    return call.result(call.algebra.union_over(source.domains, groups))


# --- Writing into a tensor ------------------------------------------------------------------------


def write(
    call: Call,
    base: AbstractTensor,
    places: np.ndarray,
    source: AbstractTensor | None,
    ids: np.ndarray,
    add: bool,
) -> AbstractTensor:
    """Return the result of writing element ids[i] of the source at place i of the base."""
    algebra = call.algebra
    touched = np.zeros(base.size, bool)
    touched[places] = True
    groups = algebra.relation(places, ids, (base.size, source.size if source else len(ids)))
    rows = [base.domains if add else algebra.only(base.domains, ~touched)]
    arriving = touched
    if source is not None:
        rows.append(algebra.union_over(source.domains, groups))
        if source.nonzero is not None:
            arriving = (groups @ source.nonzero.astype(np.int32)) > 0
    mask = np.ones(base.size, bool) if base.nonzero is None else base.nonzero
    mask = mask | arriving if add else (mask & ~touched) | arriving
    return call.result(algebra.union(rows), mask)


def _constant(index: AbstractTensor) -> Tensor:
    if index.value is None:
        raise NoRule
    return index.value.cpu()


@rules.add("index_put", "_unsafe_index_put")
def index_put(call: Call) -> AbstractTensor:
    """Write at the places that the indices pick out."""
    base, indices, values = call.args[:3]
    picks = tuple(slice(None) if i is None else _constant(i) for i in indices)
    # As PyTorch does: indices after the last one given take the whole dimension.
    places = element_numbers(base.shape, 0)[picks]
    ids = element_numbers(values.shape, 0).expand(places.shape)
    add = bool(call.argument(3, "accumulate", False))
    return write(call, base, places.reshape(-1).numpy(), values, ids.reshape(-1).numpy(), add)


@rules.add("scatter", "scatter_add", "scatter_reduce")
def scatter(call: Call) -> AbstractTensor:
    """Write along one dimension."""
    base, dim, index = call.args[:3]
    source = call.argument(3, "src", call.kwargs.get("value"))
    name = call.name
    add = name != "scatter" or len(call.args) > 4 or "reduce" in call.kwargs
    if index.value is None:
        return _scatter_anywhere(call, base, dim % max(len(base.shape), 1), index, source)
    index = _constant(index)
    places = element_numbers(base.shape, 0).gather(dim, index).reshape(-1).numpy()
    if not isinstance(source, AbstractTensor):
        return write(call, base, places, None, np.arange(len(places)), add)
    ids = element_numbers(source.shape, 0)[tuple(slice(0, size) for size in index.shape)]
    tensor = write(call, base, places, source, ids.reshape(-1).numpy(), add)
    # Other ways to combine than adding (a product, a mean) mix what meets at one place.
    return tensor if name != "scatter_reduce" else call.result(tensor.domains)


def _scatter_anywhere(
    call: Call, base: AbstractTensor, dim: int, index: AbstractTensor, source: Any
) -> AbstractTensor:
    """Let every place along the dimension get every element: the places are not known."""
    rows = [base.domains]
    if isinstance(source, AbstractTensor) and source.domains is not None and base.shape:
        if source.shape != index.shape or any(
            i != b for d, (i, b) in enumerate(zip(index.shape, base.shape, strict=True)) if d != dim
        ):
            raise NoRule
        rows.append(reduce_and_broadcast(call.algebra, source, (dim,), base.shape))
    elif isinstance(source, AbstractTensor):
        rows.append(source.domains)
    return call.result(call.algebra.union(rows))


@rules.add("gather")
def gather(call: Call) -> AbstractTensor:
    """Move by a constant index; any other may pick every element along the dimension."""
    source, dim, index = call.args[:3]
    if index.value is not None:
        return move(call)
    if not source.shape:
        return call.result(source.domains)
    dim %= len(source.shape)
    shape = call.shape
    if any(a != b for d, (a, b) in enumerate(zip(source.shape, shape, strict=True)) if d != dim):
        raise NoRule
    return call.result(reduce_and_broadcast(call.algebra, source, (dim,), shape))


@rules.add("index_add", "index_copy", "index_fill")
def index_write(call: Call) -> AbstractTensor:
    """Write whole slices."""
    base, dim, index, source = call.args[:4]
    index = _constant(index)
    if not base.shape:
        raise NoRule
    places = element_numbers(base.shape, 0).index_select(dim, index).reshape(-1).numpy()
    if not isinstance(source, AbstractTensor) or source.ndim == 0:
        if isinstance(source, AbstractTensor) and source.domains is not None:
            raise NoRule
        return write(call, base, places, None, np.arange(len(places)), False)
    add = call.name == "index_add"
    return write(call, base, places, source, np.arange(source.size), add)


@rules.add("as_strided_scatter")
def as_strided_scatter(call: Call) -> AbstractTensor:
    """Write through a view that is described by strides."""
    base, source, size, stride = call.args[:4]
    offset = call.argument(4, "storage_offset") or 0
    if not base.form.is_contiguous:
        raise NoRule
    try:
        places = element_numbers(base.shape, 0).as_strided(size, stride, offset)
    except RuntimeError as error:  # a view that reaches beyond the tensor
        raise NoRule from error
    return write(call, base, places.reshape(-1).numpy(), source, np.arange(source.size), False)


@rules.add("masked_scatter")
def masked_scatter(call: Call) -> AbstractTensor:
    """Write at the places where a mask is true, in order."""
    base, mask, source = call.args
    shape = call.shape
    places = np.flatnonzero(_constant(mask).expand(shape).numpy())
    if base.shape != shape:
        raise NoRule
    return write(call, base, places, source, np.arange(len(places)), False)


@rules.add("masked_scatter_backward")
def masked_scatter_backward(call: Call) -> AbstractTensor:
    """Read back what was written; the rest is zero."""
    grad, mask, _ = call.args
    places = np.flatnonzero(_constant(mask).expand(grad.shape).numpy())
    ids = np.zeros(math.prod(call.shape), int)
    ids[: len(places)] = places + 1
    return call.result(call.algebra.take(grad.domains, ids))


@rules.add("put")
def put(call: Call) -> AbstractTensor:
    """Write at row-major places."""
    base, index, source = call.args[:3]
    places = _constant(index).reshape(-1).numpy() % max(base.size, 1)
    add = bool(call.argument(3, "accumulate", False))
    return write(call, base, places, source, np.arange(source.size), add)


@rules.add("embedding_dense_backward")
def embedding_backward(call: Call) -> AbstractTensor:
    """Give each row of the table the sum over its uses."""
    grad, indices, count = call.args[:3]
    width = grad.shape[-1]
    rows = _constant(indices).reshape(-1, 1).numpy()
    places = (rows * width + np.arange(width)).reshape(-1)
    groups = call.algebra.relation(places, np.arange(grad.size), (count * width, grad.size))
    return call.result(call.algebra.union_over(grad.domains, groups))


@rules.add("copy")
def copy(call: Call) -> AbstractTensor:
    """Forget the old contents."""
    source, shape = call.args[1], call.shape
    return call.result(broadcast(call.algebra, source, shape), broadcast_nonzero(source, shape))


@rules.add("fill")
def fill(call: Call) -> AbstractTensor:
    """Repeat one number everywhere."""
    value = call.args[1]
    if isinstance(value, AbstractTensor):
        return call.result(broadcast(call.algebra, value, call.shape))
    return call.result(None)


PADS = [f"{kind}_pad{count}d" for kind in ("reflection", "replication") for count in (1, 2, 3)]


@rules.add(*(name + "_backward" for name in PADS))
def pad_backward(call: Call) -> AbstractTensor:
    """Let each element depend on all the places that it was copied to."""
    grad, source, padding = call.args
    forward = getattr(torch.ops.aten, call.name.removesuffix("_backward")).default
    ids = forward(element_numbers(source.shape, 0).double(), padding).reshape(-1).long().numpy()
    groups = call.algebra.relation(ids, np.arange(grad.size), (source.size, grad.size))
    return call.result(call.algebra.union_over(grad.domains, groups))
