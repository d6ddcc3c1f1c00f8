"""Exercises of notebook 03, memory: what is kept, and what is computed a second time."""

from __future__ import annotations

import math

import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

from . import chains03
from .chains03 import Watched, bent, descended, over_saved, values, wanting
from .drills import Problem, drill
from .framework import case, exercise

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


def _mistakes(exercise, *pairs):
    """Register wrong answers, given as message and function."""
    for number, (message, function) in enumerate(pairs, start=1):
        if function.__name__ in ("<lambda>", "count"):
            function.__name__ = f"wrong_{number}"
        exercise.mistake(message)(function)


def _leaves(exercise, name, position):
    """Ask that an argument is left as it was."""

    @exercise.method(f"The gradient is right, but {name} was changed: detach it first.")
    def _as_it_was(call):
        return call.unchanged and not call.arguments[position].requires_grad


# 1. The bytes that a graph keeps


@exercise(
    minutes=10,
    uses="import torch\nfrom torch.autograd.graph import saved_tensors_hooks",
    insight="What is kept are storages, not tensors: a small view keeps a large tensor alive.",
    next_try="Which layer of torch.nn keeps the most bytes for each byte of its input?",
)
def saved_bytes(f, *inputs):
    """Return how many bytes the call ``f(*inputs)`` keeps for its backward sweep.

    Count the storage of each saved tensor, and each storage once. The inputs count too where they
    are kept.

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
    calls = {
        "torch.sin of 1000 numbers in float32": (torch.sin, wanting(1000)),
        "x + y, 1000 numbers each": (torch.add, wanting(1000), wanting(1000, seed=1)),
        "x * y, 1000 numbers each": (torch.mul, wanting(1000), wanting(1000, seed=1)),
        "x * x, 1000 numbers": (lambda x: x * x, wanting(1000)),
        "torch.sin in float64": (torch.sin, wanting(30, 20, dtype=torch.float64)),
        "two slices of ten numbers each": (_sum_of_slices, wanting(1000)),
        "five sines": (_chain_of_five, wanting(100)),
        "torch.exp of 100 numbers": (torch.exp, wanting(100)),
        "100 sines": (chains03.hundred_sines, wanting(1000)),
        "A @ W, where only W wants a gradient": (_times_fixed, wanting(20, 5)),
        "x * y of two sizes": (torch.mul, wanting(30, 20), wanting(20, seed=1)),
    }
    return [case(*call, label=label) for label, call in calls.items()]


_mistakes(
    saved_bytes,
    (
        "x * x keeps x twice, but in one storage: count each storage once.",
        over_saved(lambda tensor: tensor.untyped_storage().nbytes()),
    ),
    (
        "Two slices of one storage have two addresses: take the address of the storage.",
        over_saved(
            lambda tensor: tensor.untyped_storage().nbytes(), key=lambda tensor: tensor.data_ptr()
        ),
    ),
    (
        "A slice keeps the whole storage alive: ask the storage for its bytes.",
        over_saved(lambda tensor: tensor.nbytes, key=lambda tensor: tensor.data_ptr()),
    ),
    (
        "Those are the bytes of each saved tensor: count storages, each of them once.",
        over_saved(lambda tensor: tensor.nbytes),
    ),
    ("Those are numbers, not bytes.", over_saved(lambda tensor: tensor.numel())),
    (
        "That is how many tensors are kept. Each of them has a storage with bytes.",
        over_saved(lambda tensor: 1),
    ),
)


saved_bytes.add_hints(
    "Begin with `saved_by`, and look at the storage of each tensor that is put away.",
    "Keep the sizes in a dict with the storage's address as key: the same storage twice is one.",
    "Return the tensor, detached or not, from the hook: what is let go gives its address to the "
    "next tensor, and two storages are counted as one.",
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


_mistakes(
    network_bytes,
    (
        "W is kept for the gradient of the inputs only, and nobody wants that one.",
        lambda: 4 * (64 * 20 + 2 * 64 * 50 + 20 * 50),
    ),
    (
        "The inputs are kept too: the gradient of W is their transpose times ...",
        lambda: 4 * 2 * 64 * 50,
    ),
    ("Those are numbers. Each takes 4 bytes.", lambda: 64 * 20 + 2 * 64 * 50),
    (
        "One of 64 × 50 too many: tanh keeps its result, not its input, and + and − keep nothing, "
        "so the targets are not kept either.",
        lambda: 4 * (64 * 20 + 3 * 64 * 50),
    ),
    (
        "The product keeps the inputs, for the gradient of W, and not W.",
        lambda: 4 * (20 * 50 + 2 * 64 * 50),
    ),
    (
        "Parameters are kept only where a gradient needs them: here neither W nor b.",
        lambda: 4 * (64 * 20 + 2 * 64 * 50 + 20 * 50 + 50),
    ),
    (
        "Three operations keep a tensor each: the product, tanh and the square.",
        lambda: 4 * 64 * 50,
    ),
    ("The square keeps what is squared, beside what tanh keeps.", lambda: 4 * (64 * 20 + 64 * 50)),
)


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
    insight="Memory is traded for work, and not for accuracy: the same bits arrive at x.",
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
    "is only run ahead under `torch.no_grad()`, and each segment let go before the next runs?"
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


_mistakes(
    gradient_with_checkpoints,
    (
        "The segments go from the last to the first, as any sweep does.",
        chains03.first_segment_first,
    ),
    (
        "Each segment must get the adjoint that the one behind it sends, not the one of the end.",
        chains03.adjoint_of_the_end,
    ),
    (
        "That is the adjoint of the last segment's start. Go on, to x.",
        chains03.last_segment_only,
    ),
    ("The adjoint is lost: give it to `torch.autograd.grad`.", chains03.adjoint_of_ones),
)


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


def _fitting(length, budget):
    return [s for s in range(1, length + 1) if length % s == 0 and length // s + s - 1 <= budget]


_mistakes(
    best_segment,
    (
        "That holds the fewest tensors. What is asked is the least work that fits. (Do you search "
        "up to the square root only?)",
        lambda length, budget: min(
            _fitting(length, budget), key=lambda s: length // s + s, default=None
        ),
    ),
    (
        "Of those that fit, the shortest segment does the most work.",
        lambda length, budget: min(_fitting(length, budget), default=None),
    ),
    (
        "One too many is counted: the start of the segment at work is held once. (Or is `<` in "
        "the place of `<=`?)",
        lambda length, budget: max(_fitting(length, budget - 1), default=None),
    ),
    (
        "You say that none fits. For 6 layers and a budget of 4, s = 3 does: 2 + 3 − 1 = 4. (Or is "
        "a `return` missing?)",
        lambda length, budget: None,
    ),
    (
        "A segment must divide the length.",
        lambda length, budget: max(
            (s for s in range(1, length + 1) if math.ceil(length / s) + s - 1 <= budget),
            default=None,
        ),
    ),
)


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
    "`torch.no_grad()`, and the middle let go before the first part?"
)
def _holds_a_logarithm(call):
    layer, _, length, _ = call.arguments
    return layer.most <= length.bit_length() + 3


@gradient_by_halving.method("The gradient is right, but too many layers run: begin at the middle.")
def _runs_of_a_logarithm(call):
    layer, _, length, _ = call.arguments
    return layer.runs <= chains03.runs_of_halving(length)


_leaves(gradient_by_halving, "x", 1)


_mistakes(
    gradient_by_halving,
    ("The second part comes first: the adjoint arrives at the end.", chains03.first_part_first),
    ("The first part must get the adjoint that the second one returns.", chains03.same_adjoint),
    (
        "That is the adjoint of the middle. The first part is still to do.",
        chains03.second_part_only,
    ),
    (
        "Where length is odd, the two parts must still add up to it.",
        lambda layer, x, length, adjoint: gradient_by_halving.reference(
            layer, x, 1 << (length.bit_length() - 1), adjoint
        ),
    ),
    (
        "An odd length has two parts that differ: give one `length - half`.",
        chains03.half_and_half,
    ),
)


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


_mistakes(
    four_gradients,
    ("a: the detached factor brings its value, no derivative.", lambda: (27.0, 12.0, 6.0, 9.0)),
    (
        "a: one factor of three is detached. Two are left, and each of them sends.",
        lambda: (9.0, 12.0, 6.0, 9.0),
    ),
    ("a: the detached factor is cut off, but its value 3 remains.", lambda: (6.0, 12.0, 6.0, 9.0)),
    ("d: k is only a number there. What is the slope of k·x?", lambda: (18.0, 12.0, 6.0, 27.0)),
    ("d: the product k·x is recorded, though k was not.", lambda: (18.0, 12.0, 6.0, 0.0)),
    ("b: two sweeps, and gradients accumulate.", lambda: (18.0, 6.0, 6.0, 9.0)),
    ("c: only one of the two terms has a graph.", lambda: (18.0, 12.0, 12.0, 9.0)),
    ("c: `detach` made a second tensor; y itself keeps its graph.", lambda: (18.0, 12.0, 0.0, 9.0)),
    ("d: the square was not recorded. k is the number 9.", lambda: (18.0, 12.0, 6.0, 18.0)),
)


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


@gradient_with_frozen_norm.cases
def _weights():
    pairs = [((2, 1), 0), ((3, 4), 1), ((5, 2), 2)]
    return [
        case(values(n, seed=seed, dtype=torch.float64), values(n, m, seed=seed + 9).double())
        for (n, m), seed in pairs
    ]


_leaves(gradient_with_frozen_norm, "w", 0)


@gradient_with_frozen_norm.mistake("The norm is differentiated too: detach it.")
def _norm_too(w, data):
    w = w.detach().clone().requires_grad_()
    return torch.autograd.grad(((w / w.norm()) @ data).sum(), w)[0]


@gradient_with_frozen_norm.mistake("The norm is lost: it is fixed, and it still divides.")
def _no_norm(w, data):
    return data.sum(1)


@gradient_with_frozen_norm.mistake("That divides by the square of the norm.")
def _squared_norm(w, data):
    return data.sum(1) / (w @ w)


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
    "The values are right, but `.data` hid the steps from the version counter of x, which guards "
    "saved tensors. Take them on x itself, under `torch.no_grad()`."
)
def _counted(call):
    return call.arguments[1]._version - call.given[1]._version >= call.given[3]


@descend_in_place.method("x is left with a stale `.grad`: set it to None at the end.")
def _no_stale_gradient(call):
    return call.arguments[1].grad is None


@descend_in_place.method("The values must be Python numbers, which keep no graph: `value.item()`.")
def _numbers_only(call):
    return all(isinstance(value, (float, int)) for value in call.value)


_mistakes(
    descend_in_place,
    (
        "The gradients of earlier steps are added up. `backward()` adds to `.grad`: set it to None "
        "before each sweep.",
        lambda f, x, rate, steps: [
            f(descended(f, x, rate, n, forget=False)).item() for n in range(steps)
        ],
    ),
    (
        "Those are the values *after* each step.",
        lambda f, x, rate, steps: [f(descended(f, x, rate, n + 1)).item() for n in range(steps)],
    ),
    (
        "That goes uphill: step against the gradient.",
        lambda f, x, rate, steps: [f(descended(f, x, -rate, n)).item() for n in range(steps)],
    ),
    ("The values stay the same: x has not moved.", lambda f, x, rate, steps: [f(x).item()] * steps),
)


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
        "many layers run? Answer (tensors, runs).",
        answer=(parts + segment - 1, 2 * length - segment),
        why=f"{parts} starts and {segment} in the segment at work, one of which is its start; "
        f"each layer runs twice, but for the last {segment}.",
    )
