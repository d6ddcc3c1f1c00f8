"""Typical wrong answers to the exercises of notebook 03, and what is said of each."""

from __future__ import annotations

import itertools
import math

import torch

from . import chains03
from .chains03 import descended, over_saved
from .ex03 import (
    best_segment,
    descend_in_place,
    four_gradients,
    gradient_by_halving,
    gradient_with_checkpoints,
    gradient_with_frozen_norm,
    network_bytes,
    saved_bytes,
)

saved_bytes.add_mistakes(
    "The inputs count too, where they are kept.",
    chains03.without_inputs,
    "x * x keeps x twice, but in one storage: count each storage once.",
    over_saved(lambda tensor: tensor.untyped_storage().nbytes()),
    "Two slices of one storage have two addresses: take the address of the storage.",
    over_saved(
        lambda tensor: tensor.untyped_storage().nbytes(), key=lambda tensor: tensor.data_ptr()
    ),
    "A slice keeps the whole storage alive: ask the storage for its bytes.",
    over_saved(lambda tensor: tensor.nbytes, key=lambda tensor: tensor.data_ptr()),
    "Those are the bytes of each saved tensor: count storages, each of them once.",
    over_saved(lambda tensor: tensor.nbytes),
    "Those are numbers, not bytes.",
    over_saved(lambda tensor: tensor.numel()),
    "That is how many tensors are kept. Each of them has a storage with bytes.",
    over_saved(lambda tensor: 1),
)


network_bytes.add_mistakes(
    "W is kept for the gradient of the inputs only, and nobody wants that one.",
    lambda: 4 * (64 * 20 + 2 * 64 * 50 + 20 * 50),
    "The inputs are kept too: the gradient of W is their transpose times ...",
    lambda: 4 * 2 * 64 * 50,
    "Those are numbers. Each takes 4 bytes.",
    lambda: 64 * 20 + 2 * 64 * 50,
    "One of 64 × 50 too many: tanh keeps its result, not its input, and + and − keep nothing, "
    "so the targets are not kept either.",
    lambda: 4 * (64 * 20 + 3 * 64 * 50),
    "The product keeps the inputs, for the gradient of W, and not W.",
    lambda: 4 * (20 * 50 + 2 * 64 * 50),
    "Parameters are kept only where a gradient needs them: here neither W nor b.",
    lambda: 4 * (64 * 20 + 2 * 64 * 50 + 20 * 50 + 50),
    "Three operations keep a tensor each: the product, tanh and the square.",
    lambda: 4 * 64 * 50,
    "The square keeps what is squared, beside what tanh keeps.",
    lambda: 4 * (64 * 20 + 64 * 50),
)


gradient_with_checkpoints.add_mistakes(
    "The segments go from the last to the first, as any sweep does.",
    chains03.first_segment_first,
    "Each segment must get the adjoint that the one behind it sends, not the one of the end.",
    chains03.adjoint_of_the_end,
    "That is the adjoint of the last segment's start. Go on, to x.",
    chains03.last_segment_only,
    "The adjoint is lost: give it to `torch.autograd.grad`.",
    chains03.adjoint_of_ones,
)


# best_segment


def _fitting(length, budget):
    return [s for s in range(1, length + 1) if length % s == 0 and length // s + s - 1 <= budget]


best_segment.add_mistakes(
    "That holds the fewest tensors. What is asked is the least work that fits. (Do you search "
    "up to the square root only?)",
    lambda length, budget: min(
        _fitting(length, budget), key=lambda s: length // s + s, default=None
    ),
    "Of those that fit, the shortest segment does the most work.",
    lambda length, budget: min(_fitting(length, budget), default=None),
    "One too many is counted: the start of the segment at work is held once. (Or is `<` in "
    "the place of `<=`?)",
    lambda length, budget: max(_fitting(length, budget - 1), default=None),
    "You say that none fits. For 6 layers and a budget of 4, s = 3 does: 2 + 3 − 1 = 4. (Or is "
    "a `return` missing?)",
    lambda length, budget: None,
    "A segment of one layer fits too, where the budget is large: begin with s = 1.",
    lambda length, budget: max((s for s in _fitting(length, budget) if s > 1), default=None),
    "All layers may be one segment, s = length. (`range` ends before its second number.)",
    lambda length, budget: max((s for s in _fitting(length, budget) if s < length), default=None),
    "`//` rounds down, and does not ask whether s divides the length: ask that first.",
    lambda length, budget: max(
        (s for s in range(1, length + 1) if length // s + s - 1 <= budget), default=None
    ),
    "A segment must divide the length.",
    lambda length, budget: max(
        (s for s in range(1, length + 1) if math.ceil(length / s) + s - 1 <= budget),
        default=None,
    ),
)


gradient_by_halving.add_mistakes(
    "The second part comes first: the adjoint arrives at the end.",
    chains03.first_part_first,
    "The first part must get the adjoint that the second one returns.",
    chains03.same_adjoint,
    "That is the adjoint of the middle. The first part is still to do.",
    chains03.second_part_only,
    "Where length is odd, the two parts must still add up to it.",
    lambda layer, x, length, adjoint: gradient_by_halving.reference(
        layer, x, 1 << (length.bit_length() - 1), adjoint
    ),
    "An odd length has two parts that differ: give one `length - half`.",
    chains03.half_and_half,
)


# What is said of each number, for a, b, c and d; of the right one, nothing.
_SAID = (
    {
        18.0: "",
        27.0: "a: the detached factor brings its value, no derivative.",
        9.0: "a: one factor of three is detached. Two are left, and each of them sends.",
        6.0: "a: the detached factor is cut off, but its value 3 remains.",
    },
    {12.0: "", 6.0: "b: two sweeps, and gradients accumulate."},
    {
        6.0: "",
        12.0: "c: only one of the two terms has a graph.",
        0.0: "c: `detach` made a second tensor; y itself keeps its graph.",
    },
    {
        9.0: "",
        27.0: "d: k is only a number there. What is the slope of k·x?",
        0.0: "d: the product k·x is recorded, though k was not.",
        18.0: "d: the square was not recorded. k is the number 9.",
    },
)

for _numbers in itertools.product(*_SAID):
    _texts = [text for said, number in zip(_SAID, _numbers, strict=True) if (text := said[number])]
    if _texts:
        four_gradients.add_mistakes(" ".join(_texts), lambda numbers=_numbers: numbers)


@gradient_with_frozen_norm.mistake("The norm is differentiated too: detach it.")
def _norm_too(w, data):
    w = w.detach().clone().requires_grad_()
    return torch.autograd.grad(((w / w.norm()) @ data).sum(), w)[0]


gradient_with_frozen_norm.add_mistakes(
    "The norm is lost: it is fixed, and it still divides.",
    lambda w, data: data.sum(1),
    "That is the value. What is asked is its gradient in w.",
    lambda w, data: ((w / w.norm()) @ data).sum(),
    "The wrong factor is detached: w wants a gradient, and its norm is held fixed.",
    lambda w, data: -w * (w @ data.sum(1)) / w.norm() ** 3,
    "That divides by the square of the norm.",
    lambda w, data: data.sum(1) / (w @ w),
)


descend_in_place.add_mistakes(
    "The gradients of earlier steps are added up. `backward()` adds to `.grad`: set it to None "
    "before each sweep.",
    lambda f, x, rate, steps: [
        f(descended(f, x, rate, n, forget=False)).item() for n in range(steps)
    ],
    "Those are the values *after* each step.",
    lambda f, x, rate, steps: [f(descended(f, x, rate, n + 1)).item() for n in range(steps)],
    "That goes uphill: step against the gradient.",
    lambda f, x, rate, steps: [f(descended(f, x, -rate, n)).item() for n in range(steps)],
    "The values stay the same: x has not moved.",
    lambda f, x, rate, steps: [f(x).item()] * steps,
)
