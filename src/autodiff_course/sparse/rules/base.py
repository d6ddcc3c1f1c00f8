"""What a rule gets and gives, and what the rules of several files need."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from ..domains import AbstractTensor, DomainAlgebra, IndexDomains, element_numbers
from ..torch_internals import traits

__all__ = ["Call", "NoRule", "Rule", "Rules"]


class Call(NamedTuple):
    """One operation of a recording.

    Attributes
    ----------
    target : callable
        The operation.
    args, kwargs : tuple, dict
        Its arguments, with an `AbstractTensor` in place of each tensor.
    form : Form or tuple
        The form of its result, or of its several results.
    algebra : DomainAlgebra
        What can be done with index domains.
    """

    target: Any
    args: tuple
    kwargs: dict
    form: Any
    algebra: DomainAlgebra

    @property
    def name(self) -> str:
        """The operation's name, without its overload."""
        return traits(self.target).name

    @property
    def tensors(self) -> list[AbstractTensor]:
        """The tensors among the arguments."""
        found: list[AbstractTensor] = []
        for arg in (*self.args, *self.kwargs.values()):
            if isinstance(arg, AbstractTensor):
                found.append(arg)
            elif isinstance(arg, (list, tuple)):
                found += [part for part in arg if isinstance(part, AbstractTensor)]
        return found

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the result, where there is one only."""
        return self.form.shape

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument given by position or by name."""
        if len(self.args) > position:
            return self.args[position]
        return self.kwargs.get(name, default)

    def result(
        self, domains: IndexDomains | None, nonzero: np.ndarray | None = None
    ) -> AbstractTensor:
        """Describe the result."""
        if nonzero is not None and nonzero.all():
            nonzero = None
        return AbstractTensor(self.form, domains, None, nonzero)


class NoRule(Exception):
    """A rule does not cover this call."""


#: What a rule is: a function of the call of an operation.
Rule = Callable[[Call], Any]


class Rules(dict[str, Rule]):
    """The rules of one file, by the names of the operations that they are for."""

    def add(self, *names: str) -> Callable[[Rule], Rule]:
        """Decorate the rule of some operations of `torch.ops.aten`."""

        def register(function: Rule) -> Rule:
            self.update(dict.fromkeys(names, function))
            return function

        return register


# --- Broadcasting ---------------------------------------------------------------------------------


def broadcast(
    algebra: DomainAlgebra, tensor: AbstractTensor, shape: tuple[int, ...]
) -> IndexDomains | None:
    """Return the dependence after broadcasting to a shape."""
    if tensor.domains is None or tensor.shape == shape:
        return tensor.domains
    ids = element_numbers(tensor.shape).expand(shape).reshape(-1).numpy()
    return algebra.take(tensor.domains, ids, ("broadcast", tensor.shape, shape))


def broadcast_nonzero(tensor: AbstractTensor, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return which elements may be non-zero, after broadcasting to a shape."""
    if tensor.nonzero is None:
        return None
    return np.broadcast_to(tensor.nonzero.reshape(tensor.shape), shape).reshape(-1)


def all_of(masks: list[np.ndarray | None]) -> np.ndarray | None:
    """Return where all may be non-zero."""
    masks = [mask for mask in masks if mask is not None]
    return np.logical_and.reduce(masks) if masks else None


def any_of(masks: list[np.ndarray | None]) -> np.ndarray | None:
    """Return where at least one may be non-zero."""
    return None if any(mask is None for mask in masks) else np.logical_or.reduce(masks)


# --- Along some dimensions ------------------------------------------------------------------------


def dims_of(dims: Any, count: int) -> tuple[int, ...]:
    """Return dimensions as sorted non-negative numbers; None or () stands for all."""
    if isinstance(dims, int):
        dims = (dims,)
    if not dims:
        return tuple(range(count))
    return tuple(sorted(d % max(count, 1) for d in dims)) if count else ()


def reduce(
    algebra: DomainAlgebra, tensor: AbstractTensor, dims: tuple[int, ...]
) -> IndexDomains | None:
    """Return one row for each position outside the dimensions: the union along them."""
    if tensor.domains is None:
        return None

    def make() -> IndexDomains | None:
        kept = [1 if d in dims else size for d, size in enumerate(tensor.shape)]
        count = math.prod(kept)
        targets = torch.arange(count).reshape(kept).expand(tensor.shape).reshape(-1).numpy()
        return algebra.union_over(
            tensor.domains, algebra.relation(targets, np.arange(tensor.size), (count, tensor.size))
        )

    return tensor.domains.remember(("reduce", tensor.shape, dims), make)


def reduce_and_broadcast(
    algebra: DomainAlgebra, tensor: AbstractTensor, dims: tuple[int, ...], shape: tuple[int, ...]
):
    """Return domains of a result of the given shape that depends on all along the dimensions."""
    domains = reduce(algebra, tensor, dims)
    kept = tuple(1 if d in dims else size for d, size in enumerate(tensor.shape))
    if domains is None:
        return None
    key = ("reduce_and_broadcast", kept, shape)
    return algebra.take(domains, element_numbers(kept).expand(shape).reshape(-1).numpy(), key)
