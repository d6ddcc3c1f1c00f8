"""Carry index domains through a recording, operation by operation.

Each operation has a rule. One without is taken apart into simpler ones where PyTorch knows how; if
not, every element of its result is taken to depend on all that its arguments depend on.
"""

from __future__ import annotations

import operator
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .domains import AbstractTensor, DomainAlgebra, TooDense
from .optimise import optimise
from .record import Form, Node, Recording, record, substitute
from .rules import find_rule
from .rules.base import Call, NoRule
from .torch_internals import decomposition, outside_this_package

__all__ = ["Propagation"]


class Propagation:
    """Finds what the results of recordings depend on.

    Parameters
    ----------
    algebra : DomainAlgebra
        What to compute with.

    Attributes
    ----------
    without_rule : set of str
        The operations met so far that have no rule and cannot be taken apart.
    """

    def __init__(self, algebra: DomainAlgebra):
        self.algebra = algebra
        self.without_rule: set[str] = set()

    def run(self, recording: Recording, known: dict[Node, AbstractTensor]) -> list[AbstractTensor]:
        """Return what is known of the outputs; an input that is not in `known` has no domains."""
        found: dict[Node, Any] = {node: AbstractTensor(node.form) for node in recording.inputs}
        found |= known
        last_uses = recording.last_uses()
        for node in recording.nodes:
            if node.target == "constant":
                found[node] = _constant(node)
            else:
                args, kwargs = substitute((node.args, node.kwargs), found.__getitem__)
                found[node] = self._operation(node, args, kwargs)
            for old in last_uses.get(node, ()):
                del found[old]  # domains can be large
        return [found[node] for node in recording.outputs]

    def _operation(self, node: Node, args: tuple, kwargs: dict) -> Any:
        form = node.form
        if node.target is operator.getitem:
            return args[0][args[1]]
        if isinstance(form, Form) and not form.is_real_or_complex:
            return AbstractTensor(form)
        call = Call(node.target, args, kwargs, form, self.algebra)
        rule = find_rule(node.target)
        if rule is not None:
            try:
                return rule(call)
            except NoRule:
                pass
        if all(tensor.domains is None for tensor in call.tensors):
            return substitute(form, AbstractTensor, Form)
        parts = self._taken_apart(call)
        if parts is not None:
            return parts
        self.without_rule.add(str(node.target))
        return self._dense(call)

    def _taken_apart(self, call: Call) -> Any:
        """Follow the simpler operations that PyTorch can replace an operation by."""
        simpler = decomposition(call.target)
        if simpler is None:
            return None

        parts: list[Tensor | None] = []
        varying = [tensor for tensor in call.tensors if tensor.value is None]

        def run(*tensors: Tensor) -> Any:
            rest = iter(tensors)
            args, kwargs = substitute(
                (call.args, call.kwargs),
                lambda tensor: next(rest) if tensor.value is None else tensor.value,
                AbstractTensor,
            )
            found = simpler(*args, **kwargs)
            parts[:] = [found] if isinstance(found, Tensor) else found
            return [part for part in parts if part is not None]

        try:
            recording = record(run, [_example(tensor.form) for tensor in varying])
            if any(node.target is call.target for node in recording.nodes):
                return None
            recording = optimise(recording)
            results = self.run(recording, dict(zip(recording.inputs, varying, strict=True)))
        except TooDense:
            raise
        except Exception:  # any failure of PyTorch's own replacement only means: no help
            return None
        if isinstance(call.form, Form):
            return results[0]
        rest = iter(results)
        return tuple(None if part is None else next(rest) for part in parts)

    def _dense(self, call: Call) -> Any:
        """Let every element of the results depend on all that the arguments depend on."""
        algebra, parts = self.algebra, []
        for tensor in call.tensors:
            if tensor.domains is not None and tensor.size:
                everything = np.zeros(tensor.size, int), np.arange(tensor.size)
                groups = algebra.relation(*everything, (1, tensor.size))
                parts.append(algebra.union_over(tensor.domains, groups))
        union = algebra.union(parts)

        def result(form: Form) -> AbstractTensor:
            if not form.is_real_or_complex:
                return AbstractTensor(form)
            return AbstractTensor(form, algebra.take(union, np.ones(form.size, int)))

        return substitute(call.form, result, Form)

    def warn(self) -> None:
        """Name the operations that were taken to be dense for want of a rule."""
        if self.without_rule:
            warnings.warn(
                f"no exact sparsity rule for {', '.join(sorted(self.without_rule))}: each of its "
                "results is taken to depend on all its inputs, so the pattern may be too large",
                stacklevel=outside_this_package(),
            )


def _constant(node: Node) -> AbstractTensor:
    nonzero, value = None, node.value
    if not isinstance(value, Tensor):
        return value
    if value.layout == torch.strided:
        mask = (value != 0).reshape(-1).cpu().numpy()
        nonzero = None if mask.all() else mask
    return AbstractTensor(node.form, None, value, nonzero)


def _example(form: Form) -> Tensor:
    return torch.empty_strided(form.shape, form.stride, dtype=form.dtype).fill_(1)
