"""Exercises of notebook 03, memory: what is kept, and what is computed a second time."""

from __future__ import annotations

import torch
from torch.autograd.graph import saved_tensors_hooks

from .drills import Problem, drill
from .framework import exercise

__all__ = [
    "best_segment",
    "descend_in_place",
    "drill_checkpoint_cost",
    "drill_saved_bytes",
    "four_gradients",
    "gradient_by_halving",
    "gradient_with_checkpoints",
    "gradient_with_frozen_norm",
    "network_bytes",
    "saved_bytes",
]


# 1. The bytes that a graph keeps


@exercise(
    minutes=10,
    uses="import torch\nfrom torch.autograd.graph import saved_tensors_hooks",
    insight="What is kept are storages, not tensors: a small view keeps a large tensor alive.",
    next_try="Which layer of torch.nn keeps the most bytes for each byte of its input?",
)
def saved_bytes(f, *inputs):
    """Return how many bytes the call ``f(*inputs)`` puts away for its backward sweep.

    Count the storage of each saved tensor, and each storage once. The inputs count too where they
    are kept, and let go of everything when you return.

    Examples
    --------
    >>> x = torch.rand(1000, requires_grad=True)
    >>> saved_bytes(torch.sin, x)
    4000
    """
    sizes = {}

    def put_away(tensor):
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # a result that holds its own graph would never be set free

    with saved_tensors_hooks(put_away, lambda tensor: tensor):
        result = f(*inputs)  # the name keeps the graph, and so each address taken
    del result
    return sum(sizes.values())


saved_bytes.add_hints(
    "Begin with `saved_by`, and look at the storage of each tensor that is put away.",
    "Keep the sizes in a dict with the storage's address as key: the same storage twice is one.",
    "Return the tensor, detached, from the hook: what is let go gives its address to the next "
    "tensor, and two storages are counted as one.",
)


# 2. A network, with a pencil


@exercise(
    minutes=6,
    insight="The input is kept for the gradient of W; W would be kept for that of the input.",
    next_try="Let `inputs` require a gradient, and see how many bytes that adds.",
)
def network_bytes():
    """Return how many bytes the network of this exercise keeps, with its loss, in float32."""
    inputs = 64 * 20  # for the gradient of W
    tanh = 64 * 50  # its result
    difference = 64 * 50  # for the square
    return 4 * (inputs + tanh + difference)


network_bytes.add_hints(
    "Go through the operations: @, +, tanh, −, ** 2, mean. Which local derivative needs a tensor?",
    "Three operations keep one tensor each: the product one input, tanh its result, the square its "
    "argument.",
)


# 3. Checkpoints


@exercise(
    minutes=15,
    seconds=20.0,
    uses="import torch",
    insight="Memory is traded for work, and not for accuracy: the same operations run again.",
    next_try="Allow a segment that does not divide the length.",
)
def gradient_with_checkpoints(layer, x, length, segment, adjoint):
    """Return the adjoint of x, for `adjoint` at the end of a chain of `length` layers.

    Run the chain once without recording it, and keep only the inputs of the segments of `segment`
    layers. Then, from the last segment to the first, run each again and sweep back through it.
    Run the last segment once only, and leave x as it is.

    Examples
    --------
    >>> x, one = torch.tensor([0.0]), torch.tensor([1.0])
    >>> gradient_with_checkpoints(lambda x: x * (x + 2), x, 4, 2, one)
    tensor([16.])
    """
    starts = [x.detach()]
    with torch.no_grad():
        for _ in range(length // segment - 1):
            y = starts[-1]
            for _ in range(segment):
                y = layer(y)
            starts.append(y)
    while starts:
        start = starts.pop().detach().requires_grad_()
        y = start
        for _ in range(segment):
            y = layer(y)
        (adjoint,) = torch.autograd.grad(y, start, adjoint)
    return adjoint


gradient_with_checkpoints.add_hints(
    "Two loops: one forward, under `torch.no_grad()`, which fills a list of starts; one backward.",
    "In the second loop: `start.detach().requires_grad_()`, run the segment, and let "
    "`torch.autograd.grad(y, start, adjoint)` replace `adjoint`.",
    "Take each start off the end of the list, and let go of it before the next segment runs.",
)


# 4. The cost model


@exercise(
    minutes=6,
    insight="Among the segments that fit, the longest does the least work.",
    next_try="For which budgets does a chain of 1000 layers not fit at all?",
)
def best_segment(length, budget):
    """Return the segment length that fits and runs the fewest layers, or None where none fits.

    A segment length s divides `length`, holds ``length/s + s - 1`` tensors, which must be at most
    `budget`, and runs ``2*length - s`` layers. Return a whole number.

    Examples
    --------
    >>> best_segment(400, 39), best_segment(400, 60), best_segment(400, 10)
    (20, 50, None)
    """
    fits = [s for s in range(1, length + 1) if length % s == 0 and length // s + s - 1 <= budget]
    return max(fits, default=None)


best_segment.add_hints(
    "List the divisors of `length`, and keep those that fit the budget.",
    "The work is 2·length − s. For which s is that smallest?",
)


# 5. Halving


@exercise(
    minutes=12,
    seconds=20.0,
    uses="import torch",
    insight="Logarithmic memory costs a logarithmic factor of work.",
    next_try="In a second function, stop halving at eight layers and record those: how much work "
    "does that save?",
)
def gradient_by_halving(layer, x, length, adjoint):
    """Return the adjoint of x, for `adjoint` at the end of a chain of `length` layers.

    Of more than one layer: run the first ``length // 2`` without recording them, treat the second
    part by this same function, then the first. Leave x as it is.

    Examples
    --------
    >>> x, one = torch.tensor([0.0]), torch.tensor([1.0])
    >>> gradient_by_halving(lambda x: x * (x + 2), x, 4, one)
    tensor([16.])
    """

    def sweep(x, length, adjoint):
        if length == 1:
            start = x.detach().requires_grad_()
            return torch.autograd.grad(layer(start), start, adjoint)[0]
        half, middle = length // 2, x
        with torch.no_grad():
            for _ in range(half):
                middle = layer(middle)
        adjoint = sweep(middle, length - half, adjoint)
        del middle
        return sweep(x, half, adjoint)

    return sweep(x, length, adjoint)


gradient_by_halving.add_hints(
    "One layer is the end of the recursion: record it, and sweep back through it.",
    "Otherwise the function calls itself twice: from the middle with `length - half` layers, then "
    "from x with `half` layers and the adjoint that came out.",
    "After the first call nobody needs the middle: `del` it.",
)


# 6. Four switches


@exercise(
    minutes=5,
    insight="Each switch removes paths, or sweeps them again; the rest of the graph is untouched.",
    next_try="What does `b` leave without `retain_graph`?",
)
def four_gradients():
    """Return what x.grad holds after each of the programs a, b, c and d, at x = 3."""
    return 18.0, 12.0, 6.0, 9.0


four_gradients.add_hints(
    "Write each as a formula in which the factors without a graph are plain numbers: 3, or 9.",
    "a is 3·x·x; b is x·x, twice; c is 9 + x·x; d is 9·x.",
)


# 7. A factor that is held fixed


@exercise(
    minutes=6,
    seconds=20.0,  # a first use of torch.func or torch.optim loads much
    uses="import torch",
    insight="`detach` says: this is a number to me, wherever it came from.",
    next_try="Differentiate the norm too, and take the product of the two gradients with w.",
)
def gradient_with_frozen_norm(w, data):
    """Return the gradient of ``((w / norm) @ data).sum()`` in w, with the norm of w held fixed.

    w is a vector of n numbers, data n by m. Leave w as it is.

    Examples
    --------
    >>> gradient_with_frozen_norm(torch.tensor([3.0, 4.0]), torch.tensor([[1.0], [10.0]]))
    tensor([0.2000, 2.0000])
    """
    w = w.detach().clone().requires_grad_()
    norm = w.norm().detach()
    loss = ((w / norm) @ data).sum()
    return torch.autograd.grad(loss, w)[0]


gradient_with_frozen_norm.add_hints(
    "Make a leaf of your own from w, and compute its norm.",
    "The norm is a number to you: `w.norm().detach()`.",
)


# 8. Update in place


@exercise(
    minutes=8,
    seconds=20.0,  # a first use of torch.func or torch.optim loads much
    uses="import torch",
    insight="Under `no_grad` an in-place update of a leaf is allowed, since nobody records it.",
    next_try="Leave out `no_grad`, and read the error: which rule does it state?",
)
def descend_in_place(f, x, rate, steps):
    """Take steps of gradient descent ``x -= rate * gradient`` in the tensor x itself.

    x is a leaf that requires a gradient, and may come with a ``.grad`` from before, which does not
    count. It is still a leaf afterwards, without a ``.grad``, and its version counter has seen
    every change. Return the list of the values of f before each step, as Python numbers.

    Examples
    --------
    >>> x = torch.tensor([4.0], requires_grad=True)
    >>> descend_in_place(lambda x: (x * x).sum(), x, rate=0.25, steps=2), x
    ([16.0, 4.0], tensor([1.], requires_grad=True))
    """
    values = []
    for _ in range(steps):
        value = f(x)
        (gradient,) = torch.autograd.grad(value, x)
        with torch.no_grad():
            x -= rate * gradient
        values.append(value.item())
    x.grad = None
    return values


descend_in_place.add_hints(
    "One step: the value, its gradient by `torch.autograd.grad`, then the update.",
    "An in-place update of a leaf that is recorded raises an error. Do it under `torch.no_grad()`.",
)


# Drills


@drill
def drill_saved_bytes(random):
    """Bytes that a chain keeps."""
    layer, tensors, why = random.choice(
        [
            ("sin", 1, "each keeps its input"),
            ("exp", 1, "each keeps its result"),
            ("1 - x", 0, "its local derivative is fixed, so none keeps a tensor"),
            ("tanh", 1, "each keeps its result"),
        ]
    )
    layers, numbers, size = random.randint(2, 9), 100 * random.randint(1, 9), random.choice((4, 8))
    dtype = {4: "float32", 8: "float64"}[size]
    return Problem(
        f"How many bytes does a chain of {layers} layers `{layer}` keep, on {numbers} numbers in "
        f"{dtype}?",
        answer=tensors * layers * numbers * size,
        why=f"{layers} layers, and {why}: {tensors * layers} tensors of {numbers * size} bytes.",
    )


@drill
def drill_checkpoint_cost(random):
    """Tensors held and layers run with checkpoints."""
    segment, parts = random.randint(2, 12), random.randint(2, 12)
    length = segment * parts
    return Problem(
        f"{length} layers in segments of {segment}: how many tensors are held at most, and how "
        "many layers run? Answer with both in one pair of brackets: (tensors, runs).",
        answer=(parts + segment - 1, 2 * length - segment),
        why=f"{parts} starts and {segment} in the segment at work, one of which is its start; "
        f"each layer runs twice, but for the last {segment}.",
    )


# What answers are tried on, and the mistakes that are recognised: they need the exercises above.
from . import _checks03, _wrong03  # noqa: E402, F401
