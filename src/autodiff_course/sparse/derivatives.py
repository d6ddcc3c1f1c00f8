"""First and second derivatives of a function, computed by PyTorch or recorded.

What is wanted as a matrix is the derivative of a vector by x: of the gradient, which gives the
Hessian, or of the function itself, which gives the Jacobian. Both kinds of function know how to
compute that vector (`differentiated`) and the matrix times a direction.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad

from .local import Guards, freeze
from .optimise import optimise
from .record import Recording, record
from .torch_internals import (
    custom_function,
    lacks_second_derivative,
    tree_flatten,
    tree_unflatten,
)
from .variables import Arguments, Variables

__all__ = ["Function", "Objective", "VectorFunction", "record_first", "record_product"]


class First(NamedTuple):
    """What a function gives besides products: tensors, and the auxiliary ones among its results."""

    tensors: list[Tensor]
    aux: list[Tensor]


class Function:
    """A function to differentiate, with the form of its arguments.

    Parameters
    ----------
    f : callable
    variables : Variables
    arguments : Arguments
    has_aux : bool
        Whether f returns a pair, of which only the first is differentiated.
    local : bool
        Whether to freeze what is compared, see `freeze`.
    """

    name: str
    orders: str

    def __init__(
        self,
        f: Callable,
        variables: Variables,
        arguments: Arguments,
        has_aux: bool = False,
        local: bool = False,
    ):
        if not callable(f):
            raise TypeError(f"f: expected a function, got {type(f).__name__}")
        self.f, self.variables, self.arguments, self.has_aux = f, variables, arguments, has_aux
        self._aux: tuple[list[Any], Any] = ([], None)
        #: Where comparisons are frozen, see `local`, what tells that they came out otherwise.
        self.guards: list[Guards] = []
        self.local = local

    def inputs(self, x: Any, args: tuple | None) -> list[Tensor]:
        """Return the tensors of x and of the arguments, after checking them."""
        tensors = [*self.variables.leaves(x), *self.arguments.tensors(args)]
        for guards in self.guards:
            guards.check(tensors)
        return tensors

    def value(self, leaves: Sequence[Tensor], tensors: Sequence[Tensor]) -> Tensor:
        """Run f, and check what it returns."""
        return self._run(leaves, tensors)[0]

    def differentiated(self, leaves, tensors) -> list[Tensor]:
        """Return the vector of which the matrix is the derivative, in one or several tensors."""
        raise NotImplementedError

    def product(self, leaves, tensors, direction: Sequence[Tensor]) -> list[Tensor]:
        """Return the matrix times a direction, as autograd computes it."""
        raise NotImplementedError

    def with_aux(self, value: Any, aux: Sequence[Any]) -> Any:
        """Return a value as f does: with what it returns besides, if it does."""
        if not self.has_aux:
            return value
        leaves, structure = self._aux
        rest = iter(aux)
        filled = [next(rest) if isinstance(old, Tensor) else old for old in leaves]
        return value, tree_unflatten(filled, structure)

    def _run(self, leaves, tensors) -> tuple[Tensor, list[Tensor]]:
        y = self._called(self.variables.tree(leaves), self.arguments.fill(tensors))
        aux: list[Tensor] = []
        if self.has_aux:
            if not isinstance(y, tuple) or len(y) != 2:
                raise TypeError("f: with has_aux=True, expected it to return a pair (value, aux)")
            y, (parts, structure) = y[0], tree_flatten(y[1])
            aux = [part.detach() for part in parts if isinstance(part, Tensor)]
            # Of tensors only their places are kept: these are in a recording.
            parts = [torch.empty(0) if isinstance(part, Tensor) else part for part in parts]
            self._aux = (parts, structure)
        if not isinstance(y, Tensor):
            raise TypeError(f"f: expected it to return a tensor, got {type(y).__name__}")
        return self._checked(y), aux

    def _called(self, x: Any, args: tuple) -> Any:
        try:
            return self.f(x, *args)
        except TypeError as error:
            reason = _misfit(self.f, x, args)
            if reason is None:
                raise
            given = f"x and the {len(args)} of args" if args else "x alone"
            raise TypeError(
                f"f: it cannot be called with {given}: {reason}; "
                "what f takes besides x is given in args=(...)"
            ) from error
        except RuntimeError as error:
            if "leaf Variable that requires grad" not in str(error):
                raise
            raise ValueError(
                "f: it changes x in place; write x = 2 * x for x *= 2, or start with x = x.clone()"
            ) from error

    def _checked(self, y: Tensor) -> Tensor:
        raise NotImplementedError


class Objective(Function):
    """A function with one real number as its value, to be differentiated twice."""

    name, orders = "Hessian", "gradient"

    def _checked(self, y: Tensor) -> Tensor:
        if y.numel() != 1:
            raise ValueError(
                f"f: expected it to return one number, got shape {tuple(y.shape)}; "
                "sum the result, or take the Hessian of one component"
            )
        if not y.is_floating_point():
            raise TypeError(f"f: expected it to return a real number, got {y.dtype}")
        return y.reshape(())

    def differentiated(self, leaves, tensors) -> list[Tensor]:
        """Return the gradient by each tensor of x, with zeros where f ignores it."""
        leaves = [leaf.detach().requires_grad_() for leaf in leaves]
        return self._first(leaves, tensors, create_graph=False).tensors[1:]

    def product(self, leaves, tensors, direction) -> list[Tensor]:
        """Return the Hessian times a direction."""
        return self.first_and_product(leaves, tensors, direction)[1]

    def first(self, leaves, tensors) -> First:
        """Return value and gradient."""
        leaves = [leaf.detach().requires_grad_() for leaf in leaves]
        return self._first(leaves, tensors, create_graph=False)

    def _first(self, leaves, tensors, create_graph: bool) -> First:
        with torch.enable_grad():
            y, aux = self._run(leaves, tensors)
            if not y.requires_grad:
                return First([y, *(torch.zeros_like(leaf) for leaf in leaves)], aux)
            if create_graph:
                _refuse_once_differentiable(y)
            found = torch.autograd.grad(
                y, leaves, create_graph=create_graph, allow_unused=True, materialize_grads=True
            )
        return First([y.detach(), *found], aux)

    def first_and_product(self, leaves, tensors, direction) -> tuple[First, list[Tensor]]:
        """Return value and gradient, and the Hessian times a direction by differentiating again."""
        leaves = [leaf.detach().requires_grad_() for leaf in leaves]
        first = self._first(leaves, tensors, create_graph=True)
        # A component that is linear in x has no graph left to differentiate.
        pairs = zip(first.tensors[1:], direction, strict=True)
        curved = [(g, v) for g, v in pairs if g.requires_grad]
        if not curved:
            return first, [torch.zeros_like(leaf) for leaf in leaves]
        outputs, seeds = zip(*curved, strict=True)
        found = torch.autograd.grad(
            outputs, leaves, seeds, allow_unused=True, materialize_grads=True
        )
        return first, list(found)


class VectorFunction(Function):
    """A function with a tensor of real numbers as its value, to be differentiated once."""

    name, orders = "Jacobian", "function"

    def _checked(self, y: Tensor) -> Tensor:
        if not y.is_floating_point():
            raise TypeError(f"f: expected it to return real numbers, got {y.dtype}")
        if y.layout != torch.strided:
            raise ValueError(f"f: expected it to return a dense tensor, got layout {y.layout}")
        return y

    def differentiated(self, leaves, tensors) -> list[Tensor]:
        """Return the value."""
        return [self.value(leaves, tensors).detach()]

    def product(self, leaves, tensors, direction) -> list[Tensor]:
        """Return the Jacobian times a direction."""
        return self.forward(leaves, tensors, direction)[1]

    def first(self, leaves, tensors) -> First:
        """Return the value."""
        y, aux = self._run(leaves, tensors)
        return First([y.detach()], aux)

    def forward(self, leaves, tensors, direction) -> tuple[First, list[Tensor]]:
        """Return the value, and the Jacobian times a direction, a sum of columns."""
        try:
            return self._forward(leaves, tensors, direction)
        except (RuntimeError, NotImplementedError):  # an operation without a forward rule
            return self._transposed_twice(leaves, tensors, direction)

    def _forward(self, leaves, tensors, direction) -> tuple[First, list[Tensor]]:
        with forward_ad.dual_level():
            pairs = zip(leaves, direction, strict=True)
            duals = [forward_ad.make_dual(leaf.detach(), v) for leaf, v in pairs]
            y, aux = self._run(duals, tensors)
            value, tangent = forward_ad.unpack_dual(y)
            aux = [forward_ad.unpack_dual(part)[0] for part in aux]
        return First([value], aux), [torch.zeros_like(value) if tangent is None else tangent]

    def _transposed_twice(self, leaves, tensors, direction) -> tuple[First, list[Tensor]]:
        """Differentiate Jᵀ w, which is linear in w, by w: that gives J v."""
        leaves = [leaf.detach().requires_grad_() for leaf in leaves]
        with torch.enable_grad():
            y, aux = self._run(leaves, tensors)
            first = First([y.detach()], aux)
            if not y.requires_grad:
                return first, [torch.zeros_like(y)]
            weights = torch.zeros_like(y, requires_grad=True)
            rows = torch.autograd.grad(
                y, leaves, weights, create_graph=True, allow_unused=True, materialize_grads=True
            )
            pairs = [p for p in zip(rows, direction, strict=True) if p[0].requires_grad]
            if not pairs:
                return first, [torch.zeros_like(y)]
            outputs, seeds = zip(*pairs, strict=True)
        found = torch.autograd.grad(
            outputs, weights, seeds, allow_unused=True, materialize_grads=True
        )
        return first, list(found)

    def reverse(self, leaves, tensors, weights) -> tuple[First, list[Tensor]]:
        """Return the value, and the transposed Jacobian times weights, a sum of rows."""
        leaves = [leaf.detach().requires_grad_() for leaf in leaves]
        with torch.enable_grad():
            y, aux = self._run(leaves, tensors)
        first = First([y.detach()], aux)
        if not y.requires_grad:
            return first, [torch.zeros_like(leaf) for leaf in leaves]
        found = torch.autograd.grad(y, leaves, weights, allow_unused=True, materialize_grads=True)
        return first, list(found)


def _misfit(f: Callable, x: Any, args: tuple) -> str | None:
    """Return why the arguments do not fit the parameters of f, or None where they do."""
    try:
        signature = inspect.signature(f)
    except (TypeError, ValueError):  # a built-in function may have none
        return None
    try:
        signature.bind(x, *args)
    except TypeError as error:
        return str(error)
    return None


def _refuse_once_differentiable(y: Tensor) -> None:
    """Look for custom functions without a second derivative.

    Autograd raises an error for them only if nothing else leads to x; otherwise it leaves out their
    part without a word.
    """
    seen, todo = set(), [y.grad_fn]
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        todo += [parent for parent, _ in node.next_functions]
        function = custom_function(node)
        if function is not None and lacks_second_derivative(function):
            raise NotImplementedError(
                f"f: {function.__name__} in it has a first derivative but no second one, because "
                "its backward is marked with @once_differentiable"
            )


class Recorded(NamedTuple):
    """A recording of first results, and one of the product, if any, of the same nodes."""

    first: Recording
    aux: Recording
    product: Recording


def record_first(problem: Function, leaves, tensors) -> Recorded:
    """Record what a function gives without a direction: value and gradient, or the value.

    No operation in it writes in place, draws a random number or repeats another; what is constant
    has been computed.
    """
    return record_product(problem, lambda *now: (problem.first(*now[:2]), []), leaves, tensors, [])


def record_product(
    problem: Function, function: Callable, leaves, tensors, direction: Sequence[Tensor]
) -> Recorded:
    """Record first results and a product together.

    Parameters
    ----------
    problem : Function
    function : callable
        From (tensors of x, tensors of the arguments, direction) to what is to be recorded: one of
        the methods of the problem.
    leaves, tensors, direction : sequence of Tensor
        Examples.

    Returns
    -------
    Recorded
        Each a function of (x, arguments, direction) and without what it does not need.
    """
    ends = (len(leaves), len(leaves) + len(tensors))
    counts = []

    def flat(*inputs: Tensor) -> list[Tensor]:
        first, product = function(inputs[: ends[0]], inputs[ends[0] : ends[1]], inputs[ends[1] :])
        counts[:] = len(first.tensors), len(first.aux)
        return [*first.tensors, *first.aux, *product]

    inputs = [*leaves, *tensors, *direction]
    recording = record(flat, inputs)
    if problem.local:
        recording, guards = freeze(recording, inputs, ends[1])
        problem.guards.append(guards)
    recording = optimise(recording)
    a, b = counts[0], sum(counts)
    parts = (recording.outputs[:a], recording.outputs[a:b], recording.outputs[b:])
    return Recorded(*(recording._replace(outputs=outputs).pruned() for outputs in parts))
