"""The layers and the wrong ways on which the answers to the exercises of notebook 03 are tried."""

from __future__ import annotations

import contextlib
import weakref

import torch
from torch.autograd.graph import saved_tensors_hooks

__all__ = [
    "Remembered",
    "Watched",
    "adjoint_of_ones",
    "adjoint_of_the_end",
    "bent",
    "descended",
    "first_part_first",
    "first_segment_first",
    "half_and_half",
    "hundred_sines",
    "last_segment_only",
    "over_saved",
    "runs_of_halving",
    "same_adjoint",
    "second_part_only",
    "values",
    "wanting",
    "without_inputs",
]


def values(*shape, seed=0, dtype=torch.float32):
    """Draw numbers between 0.1 and 1.1."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) + 0.1


def wanting(*shape, seed=0, dtype=torch.float32):
    """Draw numbers between 0.1 and 1.1 that want a gradient."""
    return values(*shape, seed=seed, dtype=dtype).requires_grad_()


def over_saved(measure, key=lambda tensor: object()):
    """Make a count of bytes: the sum of a measure of the saved tensors, once for each key."""

    def count(f, *inputs):
        found = {}

        def put_away(tensor):
            found[key(tensor)] = measure(tensor)
            return tensor.detach()

        with saved_tensors_hooks(put_away, lambda tensor: tensor):
            result = f(*inputs)  # the name keeps the graph, and so each address taken
        del result
        return sum(found.values())

    return count


def without_inputs(f, *inputs):
    """Count the bytes of the storages that are kept, but for those of the inputs."""
    own = {x.untyped_storage().data_ptr() for x in inputs}

    def address(tensor):
        return tensor.untyped_storage().data_ptr()

    def measure(tensor):
        return 0 if address(tensor) in own else tensor.untyped_storage().nbytes()

    return over_saved(measure, key=address)(f, *inputs)


def hundred_sines(x):
    """Run 100 sines, and ask the first for what it keeps, as a sweep would."""
    y = first = torch.sin(x)
    for _ in range(99):
        y = torch.sin(y)
    try:
        first.grad_fn._saved_self  # noqa: B018 - to read it takes it out
    except (RuntimeError, TypeError):
        raise ValueError(
            "Your hook `put_away` did not hand its tensor on, so no sweep could take it out again. "
            "A tensor that you let go before you counted gives its address to the next one: "
            "return the tensor, or its `detach()`"
        ) from None
    return y


class Remembered:
    """An exponential function that knows whether its last result is still alive."""

    def __init__(self):
        self.result = None

    def __call__(self, x):
        """Return exp(x), of which the graph keeps the result."""
        y = torch.exp(x)
        self.result = weakref.ref(y)
        return y

    @property
    def is_alive(self):
        """Whether somebody still holds the result of the last call."""
        return self.result is not None and self.result() is not None

    def __repr__(self):
        return "torch.exp"


class Watched:
    """A layer that counts its runs, and how many of its results and adjoints are alive at once."""

    def __init__(self, layer):
        self.layer, self.runs, self.most, self._seen = layer, 0, 0, []

    def __call__(self, x):
        """Run the layer, and look at its result and, later, at its adjoint."""
        self.runs += 1
        y = self.layer(x)
        self._see(y)
        if y.requires_grad:
            y.register_hook(self._see)
        return y

    def _see(self, tensor):
        with contextlib.suppress(NotImplementedError):  # inside a transform nothing can be seen
            self._seen.append(weakref.ref(tensor.untyped_storage()))
        self._seen = [ref for ref in self._seen if ref() is not None]
        self.most = max(self.most, len({id(ref()) for ref in self._seen}))

    def __repr__(self):
        return "a layer that counts its runs"


_WEIGHT = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)


def bent(x):
    """Run a layer whose place in the chain matters, and which autograd always records."""
    return x * torch.cos(x.roll(1)) * _WEIGHT + 0.5


def _run(layer, x, count):
    for _ in range(count):
        x = layer(x)
    return x


def _pulled_back(layer, start, count, adjoint):
    """Run some layers from `start`, recorded, and sweep back."""
    start = start.detach().requires_grad_()
    return torch.autograd.grad(_run(layer, start, count), start, adjoint)[0]


def _starts(layer, x, length, segment):
    starts = [x.detach()]
    with torch.no_grad():
        for _ in range(length // segment - 1):
            starts.append(_run(layer, starts[-1], segment))
    return starts


def first_segment_first(layer, x, length, segment, adjoint):
    """Sweep through the segments in the order of the run."""
    for start in _starts(layer, x, length, segment):
        adjoint = _pulled_back(layer, start, segment, adjoint)
    return adjoint


def adjoint_of_the_end(layer, x, length, segment, adjoint):
    """Give each segment the adjoint of the end."""
    for start in reversed(_starts(layer, x, length, segment)):
        found = _pulled_back(layer, start, segment, adjoint)
    return found


def last_segment_only(layer, x, length, segment, adjoint):
    """Stop after the segment that is swept first."""
    return _pulled_back(layer, _starts(layer, x, length, segment)[-1], segment, adjoint)


def adjoint_of_ones(layer, x, length, segment, adjoint):
    """Begin with ones, whatever adjoint arrives."""
    return _pulled_back(layer, x, length, torch.ones_like(x))


def runs_of_halving(length):
    """Count the layers that halving runs."""
    half = length // 2
    return half + runs_of_halving(length - half) + runs_of_halving(half) if half else 1


def first_part_first(layer, x, length, adjoint):
    """Sweep through the layers in the order of the run."""
    return first_segment_first(layer, x, length, 1, adjoint)


def same_adjoint(layer, x, length, adjoint):
    """Halve, and give the first part the adjoint of the end."""
    return _pulled_back(layer, x, 1, adjoint)


def second_part_only(layer, x, length, adjoint):
    """Halve, and forget the first part."""
    half = length // 2
    with torch.no_grad():
        middle = _run(layer, x, half)
    return _pulled_back(layer, middle, length - half, adjoint)


def half_and_half(layer, x, length, adjoint):
    """Halve, and take both parts as equally long."""
    if length == 1:
        return _pulled_back(layer, x, 1, adjoint)
    with torch.no_grad():
        middle = _run(layer, x, length // 2)
    adjoint = half_and_half(layer, middle, length // 2, adjoint)
    return half_and_half(layer, x, length // 2, adjoint)


def descended(f, x, rate, steps, forget=True):
    """Descend in new tensors; without `forget`, by the sum of all gradients so far."""
    x = x.detach().clone().requires_grad_()
    total = 0.0
    for _ in range(steps):
        (gradient,) = torch.autograd.grad(f(x), x)
        total = gradient if forget else total + gradient
        x = (x - rate * total).detach().requires_grad_()
    return x.detach()
