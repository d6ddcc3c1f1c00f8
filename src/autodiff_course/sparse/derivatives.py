"""The gradient of a function and its Hessian-vector product, computed by PyTorch or recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .optimise import optimise
from .record import Recording, record
from .torch_internals import custom_function, lacks_second_derivative
from .variables import Arguments, Variables

__all__ = ["Problem", "record_gradient", "record_product"]


@dataclass(frozen=True)
class Problem:
    """A function to differentiate twice, with the form of its arguments."""

    f: Callable
    variables: Variables
    arguments: Arguments

    def value(self, leaves: Sequence[Tensor], tensors: Sequence[Tensor]) -> Tensor:
        """Run f and check that it returns one real number."""
        y = self.f(self.variables.tree(leaves), *self.arguments.fill(tensors))
        if not isinstance(y, Tensor):
            raise TypeError(f"f: expected it to return a tensor, got {type(y).__name__}")
        if y.numel() != 1:
            raise ValueError(
                f"f: expected it to return one number, got shape {tuple(y.shape)}; "
                "sum the result, or take the Hessian of one component"
            )
        if not y.is_floating_point():
            raise TypeError(f"f: expected it to return a real number, got {y.dtype}")
        return y.reshape(())

    def gradient(self, leaves, tensors, create_graph: bool = False) -> list[Tensor]:
        """Return the gradient by each tensor of x, with zeros where f ignores it."""
        if not create_graph:
            leaves = [leaf.detach().requires_grad_() for leaf in leaves]
        with torch.enable_grad():
            y = self.value(leaves, tensors)
            if not y.requires_grad:
                return [torch.zeros_like(leaf) for leaf in leaves]
            if create_graph:
                _refuse_once_differentiable(y)
            found = torch.autograd.grad(
                y, leaves, create_graph=create_graph, allow_unused=True, materialize_grads=True
            )
        return list(found)

    def gradient_and_product(self, leaves, tensors, direction: Sequence[Tensor]) -> list[Tensor]:
        """Return the gradient, and the Hessian times a direction by differentiating once more."""
        leaves = [leaf.detach().requires_grad_() for leaf in leaves]
        gradient = self.gradient(leaves, tensors, create_graph=True)
        # A component that is linear in x has no graph left to differentiate.
        curved = [(g, v) for g, v in zip(gradient, direction, strict=True) if g.requires_grad]
        if not curved:
            return gradient + [torch.zeros_like(leaf) for leaf in leaves]
        outputs, seeds = zip(*curved, strict=True)
        found = torch.autograd.grad(
            outputs, leaves, seeds, allow_unused=True, materialize_grads=True
        )
        return gradient + list(found)


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


def record_gradient(problem: Problem, leaves, tensors) -> Recording:
    """Record the gradient as a function of (tensors of x, tensors of the arguments).

    Its outputs are the gradients by each tensor of x. No operation in it writes in place, draws a
    random number or repeats another; what is constant has been computed.
    """
    count = len(leaves)

    def gradient(*inputs):
        return problem.gradient(inputs[:count], inputs[count:])

    return optimise(record(gradient, [*leaves, *tensors]))


def record_product(problem: Problem, leaves, tensors) -> tuple[Recording, Recording]:
    """Record the gradient and the Hessian-vector product together.

    Returns
    -------
    gradient : Recording
        As for `record_gradient`, with further inputs that it ignores.
    product : Recording
        A function of (x, arguments, direction); the direction is one tensor for each of x.
    """
    count = len(leaves)

    def both(*inputs):
        return problem.gradient_and_product(inputs[:count], inputs[count:-count], inputs[-count:])

    like = {"dtype": problem.variables.dtype, "device": problem.variables.device}
    direction = [torch.ones(leaf.shape, **like) for leaf in leaves]
    recording = optimise(record(both, [*leaves, *tensors, *direction]))
    gradient, product = recording.outputs[:count], recording.outputs[count:]
    return (
        recording._replace(outputs=gradient).pruned(),
        recording._replace(outputs=product).pruned(),
    )
