"""Derivatives that hold near one x only, where every comparison comes out as it does there.

What a function compares, rounds, sorts or looks up gives booleans and integers, which have no
derivative. Near almost every x they stay as they are. So where the pattern of all x is too wide (a
list of neighbours within a radius, say), they can be *frozen* as they come out at one x: then they
are constants, of which zeros are known, and even shapes may depend on them. At a later x they are
computed anew, and where one has changed, an error is raised.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .program import compile_recording
from .record import Form, Node, Recording, constant

__all__ = ["Guards", "freeze"]


class Guards:
    """The frozen tensors, and how to compute them at another x.

    Parameters
    ----------
    recording : Recording
        Of the tensors, as a function of x and the arguments.
    frozen : sequence of Tensor
        What came out.
    """

    def __init__(self, recording: Recording, frozen: Sequence[Tensor]):
        self._program, self._frozen = compile_recording(recording), list(frozen)

    def check(self, inputs: Sequence[Tensor]) -> None:
        """Raise a ValueError if one of the tensors comes out otherwise."""
        with torch.no_grad():
            found = self._program(*inputs)
        pairs = zip(found, self._frozen, strict=True)
        changed = [(new, old) for new, old in pairs if not torch.equal(new, old)]
        if changed:
            new, old = changed[0]
            what = "its shape differs"
            if new.shape == old.shape:
                what = f"{int((new != old).sum())} of {old.numel()} elements differ"
            raise ValueError(
                "x: the pattern is local, and at this x a comparison or an index in f comes out "
                f"otherwise than where it was prepared ({what}); prepare anew at this x"
            )


def freeze(recording: Recording, inputs: Sequence[Tensor], given: int) -> tuple[Recording, Guards]:
    """Make constants of all booleans and integers that derivatives are computed with.

    Parameters
    ----------
    recording : Recording
    inputs : sequence of Tensor
        The x, arguments and direction at which to freeze.
    given : int
        So many of the inputs are not the direction.

    Returns
    -------
    recording : Recording
    guards : Guards
    """
    recording = recording.pruned()
    chosen = _choose(recording)
    source = recording._replace(outputs=chosen, inputs=recording.inputs[:given]).pruned()
    with torch.no_grad():
        values = source(*inputs[:given])
    constants = {node: constant(value.clone()) for node, value in zip(chosen, values, strict=True)}
    nodes: list[Node] = [*constants.values()]
    new = dict(constants)
    for node in recording.nodes:
        if node not in constants:
            if any(old in new for old in node.operands):
                new[node] = node.with_operands(new)
            nodes.append(new.get(node, node))
    outputs = [new.get(node, node) for node in recording.outputs]
    frozen = Recording(nodes, recording.inputs, outputs).pruned()
    return frozen, Guards(source, list(values))


def _choose(recording: Recording) -> list[Node]:
    """Return what is neither real nor constant, and read by what is real or wanted."""
    varying = set(recording.inputs)
    chosen: dict[Node, None] = {}
    for node in recording.nodes:
        if varying.isdisjoint(node.operands):
            continue
        varying.add(node)
        if _is_discrete(node):
            continue
        chosen |= {old: None for old in node.operands if old in varying and _is_discrete(old)}
    return list(chosen)


def _is_discrete(node: Node) -> bool:
    return isinstance(node.form, Form) and not node.form.is_real_or_complex
