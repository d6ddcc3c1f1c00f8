"""What answers to the exercises of notebook 03 are tried on, and which way they must go."""

from __future__ import annotations

import gc

import torch
from torch.utils.checkpoint import checkpoint

from . import chains03
from .chains03 import Remembered, Watched, bent, descended, values, wanting
from .ex03 import (
    best_segment,
    descend_in_place,
    gradient_by_halving,
    gradient_with_checkpoints,
    gradient_with_frozen_norm,
    saved_bytes,
)
from .framework import case

# saved_bytes


def _leaves(exercise, name, position):
    """Ask that an argument is left as it was."""

    @exercise.method(f"The gradient is right, but {name} was changed: detach it first.")
    def _as_it_was(call):
        return call.unchanged and not call.arguments[position].requires_grad


def _sum_of_slices(x):
    return (x[:10].sin() + x[10:20].sin()).sum()


def _times_fixed(W):
    return values(7, 20) @ W


def _chain_of_five(x):
    for _ in range(5):
        x = torch.sin(x)
    return x


@saved_bytes.cases
def _calls():
    # The 100 sines come before the five, where an address that is used again is a matter of luck.
    calls = {
        "torch.sin of 1000 numbers in float32": (torch.sin, wanting(1000)),
        "x + y, 1000 numbers each": (torch.add, wanting(1000), wanting(1000, seed=1)),
        "x * y, 1000 numbers each": (torch.mul, wanting(1000), wanting(1000, seed=1)),
        "x * x, 1000 numbers": (lambda x: x * x, wanting(1000)),
        "torch.sin in float64": (torch.sin, wanting(30, 20, dtype=torch.float64)),
        "two slices of ten numbers each": (_sum_of_slices, wanting(1000)),
        "100 sines": (chains03.hundred_sines, wanting(1000)),
        "five sines": (_chain_of_five, wanting(100)),
        "torch.exp of 100 numbers": (Remembered(), wanting(100)),
        "A @ W, where only W wants a gradient": (_times_fixed, wanting(20, 5)),
        "x * y of two sizes": (torch.mul, wanting(30, 20), wanting(20, seed=1)),
    }
    return [case(*call, label=label) for label, call in calls.items()]


@saved_bytes.method(
    "The count is right, but a result lives on after you returned: the graph keeps it, and it "
    "holds the graph. Return `tensor.detach()` from the hook."
)
def _sets_free(call):
    f = call.arguments[0]
    if not isinstance(f, Remembered):
        return True
    gc.collect()  # a cycle within Python alone is no fault
    return not f.is_alive


@gradient_with_checkpoints.cases
def _chains():
    x, adjoint = values(5, dtype=torch.float64), values(5, seed=1, dtype=torch.float64)
    sizes = [(4, 2), (1, 1), (6, 1), (6, 6), (12, 3), (36, 6)]
    return [case(Watched(bent), x.clone(), *size, adjoint.clone()) for size in sizes]


@gradient_with_checkpoints.random_cases
def _random_chains(random):
    segment, parts = random.randint(1, 4), random.randint(1, 4)
    x = values(3, seed=random.randint(0, 99), dtype=torch.float64)
    return [case(Watched(bent), x, segment * parts, segment, torch.ones_like(x))]


@gradient_with_checkpoints.method(
    "The gradient is right, but PyTorch's `checkpoint` made it: that is section 7. Write it "
    "yourself, with `torch.no_grad()` and `torch.autograd.grad`.",
    watch=[checkpoint],
)
def _by_hand(call):
    return not call.calls_of(checkpoint)


@gradient_with_checkpoints.method(
    "The gradient is right, but more is held than the starts and one segment. Is everything that "
    "is only run ahead under `torch.no_grad()`, and each segment let go before the next runs? (The "
    "layer has a weight of its own: does your adjoint still carry a graph? `detach()` it.)"
)
def _holds_little(call):
    layer, _, length, segment, _ = call.arguments
    return layer.most <= length // segment + segment + 3


@gradient_with_checkpoints.method(
    "The gradient is right, but too many layers run: each segment twice, and the last one once."
)
def _runs_little(call):
    layer, _, length, segment, _ = call.arguments
    return layer.runs <= 2 * length - segment


_leaves(gradient_with_checkpoints, "x", 1)


@best_segment.cases
def _budgets():
    pairs = [(6, 4), (6, 6), (6, 3), (400, 39), (400, 60), (400, 10), (1, 1), (97, 96), (97, 97)]
    return [case(*pair) for pair in pairs]


@best_segment.random_cases
def _random_budgets(random):
    return [case(random.randint(2, 300), random.randint(2, 60)) for _ in range(3)]


@best_segment.method("A segment length is a whole number: divide by `//`.")
def _whole(call):
    return call.value is None or not isinstance(call.value, float)


@gradient_by_halving.cases
def _long_chains():
    x, adjoint = values(5, dtype=torch.float64), values(5, seed=1, dtype=torch.float64)
    lengths = [2, 1, 3, 16, 37, 64]
    return [case(Watched(bent), x.clone(), length, adjoint.clone()) for length in lengths]


@gradient_by_halving.method(
    "The gradient is right, but a part of more than one layer was swept whole. Halve it too; to "
    "stop earlier is worth a try in a second function."
)
def _halves_to_the_end(call):
    layer, _, length, _ = call.arguments
    return layer.runs >= chains03.runs_of_halving(length)


@gradient_by_halving.method(
    "The gradient is right, but too much is held. Is everything that is run ahead under "
    "`torch.no_grad()`, and the middle let go before the first part? (The layer has a weight of "
    "its own: does your adjoint still carry a graph? `detach()` it.)"
)
def _holds_a_logarithm(call):
    layer, _, length, _ = call.arguments
    return layer.most <= length.bit_length() + 3


@gradient_by_halving.method("The gradient is right, but too many layers run: begin at the middle.")
def _runs_of_a_logarithm(call):
    layer, _, length, _ = call.arguments
    return layer.runs <= chains03.runs_of_halving(length)


_leaves(gradient_by_halving, "x", 1)


@gradient_with_frozen_norm.cases
def _weights():
    pairs = [((2, 1), 0), ((3, 4), 1), ((5, 2), 2)]
    return [
        case(values(n, seed=seed, dtype=torch.float64), values(n, m, seed=seed + 9).double())
        for (n, m), seed in pairs
    ]


_leaves(gradient_with_frozen_norm, "w", 0)


# descend_in_place


def _bowl(x):
    return ((x - 1) ** 2).sum()


def _hill(x):
    return (x**4 - x).sum()


def _with_a_grad(x):
    x.grad = torch.full_like(x, 8.0)
    return x


@descend_in_place.cases
def _descents():
    bowl, hill = "f = lambda x: ((x - 1) ** 2).sum()", "f = lambda x: (x**4 - x).sum()"
    stale = _with_a_grad(wanting(2, dtype=torch.float64))
    return [
        case(_bowl, wanting(1, dtype=torch.float64), 0.2, 3, label=f"{bowl}, 3 steps of 0.2"),
        case(_bowl, wanting(3, dtype=torch.float64), 0.1, 5, label=f"{bowl}, 5 steps of 0.1"),
        case(_hill, wanting(4, seed=2, dtype=torch.float64), 0.05, 4, label=f"{hill}, 4 steps"),
        case(_bowl, stale, 0.1, 3, label=f"{bowl}, x has a .grad from before"),
        case(_hill, wanting(2, dtype=torch.float64), 0.05, 0, label=f"{hill}, 0 steps"),
    ]


@descend_in_place.method("The values are right, but x itself does not hold the result.")
def _moved_x(call):
    f, x, rate, steps = call.given
    return bool(torch.allclose(descended(f, x, rate, steps), call.arguments[1].detach()))


@descend_in_place.method("x must end as a leaf that requires a gradient: move it under `no_grad`.")
def _still_a_leaf(call):
    return call.arguments[1].is_leaf and call.arguments[1].requires_grad


@descend_in_place.method(
    "The values are right, but the version counter of x, which guards saved tensors, has seen "
    "fewer changes than there are steps: take each step on x itself, under `torch.no_grad()` and "
    "without `.data`."
)
def _counted(call):
    return call.arguments[1]._version - call.given[1]._version >= call.given[3]


@descend_in_place.method("x is left with a stale `.grad`: set it to None at the end.")
def _no_stale_gradient(call):
    return call.arguments[1].grad is None


@descend_in_place.method("The values must be Python numbers, which keep no graph: `value.item()`.")
def _numbers_only(call):
    return all(isinstance(value, (float, int)) for value in call.value)
