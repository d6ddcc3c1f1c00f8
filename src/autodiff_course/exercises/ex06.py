"""Exercises of notebook 06, function transforms: from a training step to an ensemble."""

from __future__ import annotations

import torch
from torch import nn  # noqa: F401  # for an example
from torch.func import functional_call, grad, grad_and_value, jvp, vjp, vmap

from . import _forward_mode  # noqa: F401
from ._kinds06 import TriedAgain
from .comparing import Tolerance
from .drills import Problem, drill
from .framework import exercise

__all__ = [
    "fewer_sweeps",
    "clipped_gradient",
    "drill_bytes",
    "drill_shape",
    "drill_sweeps",
    "ensemble_step",
    "halving_slopes",
    "log_ratio",
    "pairwise",
    "per_sample_gradients",
    "pure_call",
    "tangent_kernel",
    "training_step",
]


# 1. A training step with auxiliary data (build 1)


@exercise(
    seconds=20.0,
    minutes=8,
    insight="One call gives gradients, loss and metrics, since all come from the same sweep.",
    uses="from torch.func import grad_and_value",
)
def training_step(loss_fn, parameters, x, y, rate):
    """Take one step of gradient descent: return (new parameters, loss, metrics).

    ``loss_fn(parameters, x, y)`` returns (loss, metrics); `parameters` is a dict of tensors, the
    metrics may be anything. Loss and metrics are those before the step. Call ``loss_fn`` only
    once.

    Examples
    --------
    >>> def loss_fn(p, x, y):
    ...     return ((p["w"] * x - y) ** 2).sum(), {"output": p["w"] * x}
    >>> w, x, y = torch.tensor(1.0), torch.tensor(3.0), torch.tensor(2.0)
    >>> training_step(loss_fn, {"w": w}, x, y, rate=0.5)
    ({'w': tensor(-2.)}, tensor(1.), {'output': tensor(3.)})
    """
    gradients, (loss, metrics) = grad_and_value(loss_fn, has_aux=True)(parameters, x, y)
    stepped = {name: value - rate * gradients[name] for name, value in parameters.items()}
    return stepped, loss, metrics


training_step.add_hints(
    "`grad_and_value(loss_fn, has_aux=True)` is a function. What are its arguments?",
    "With `has_aux=True` the result has the form `gradients, (loss, metrics)`.",
    "The gradients are a dict with the same keys as the parameters.",
)


# 2. A table of all pairs


@exercise(
    seconds=20.0,
    minutes=6,
    insight="Each vmap adds one dimension; the function never learns of either.",
    uses="from torch.func import vmap",
)
def pairwise(f, A, B):
    """Return the table of f(a, b): one row for each row a of A, one column for each row b of B.

    f takes two 1-dimensional tensors and returns a number. Call it only once: no loop.

    Examples
    --------
    >>> A, B = torch.tensor([[1.0, 0.0], [1.0, 2.0]]), torch.tensor([[3.0, 4.0]])
    >>> pairwise(torch.dot, A, B)
    tensor([[ 3.],
            [11.]])
    """
    row = vmap(f, in_dims=(None, 0))
    return vmap(row, in_dims=(0, None))(A, B)


pairwise.add_hints(
    "Write one row first: one a with every row of B.",
    "`in_dims=(None, 0)` keeps a whole and walks through B.",
    "That row is a function of (a, B). Walk through A with a second vmap.",
)


# 3. Per-sample gradients (build 3)


@exercise(
    kind=TriedAgain,
    seconds=20.0,
    minutes=6,
    insight="One gradient for each sample, from one run: grad for one, vmap for all.",
    uses="from torch.func import grad, vmap",
)
def per_sample_gradients(loss_fn, parameters, xs, ys):
    """Return the gradient of each sample's own loss: a dict like `parameters`.

    ``loss_fn(parameters, x, y)`` is the loss of one sample, a number. xs and ys hold one sample per
    row; each tensor of the result counts the samples in its first dimension. Call ``loss_fn`` only
    once.

    Examples
    --------
    >>> def loss_fn(p, x, y):
    ...     return (p["w"] @ x - y) ** 2 / 2
    >>> xs, ys = torch.tensor([[3.0, 4.0], [2.0, 1.0]]), torch.tensor([1.0, 2.0])
    >>> per_sample_gradients(loss_fn, {"w": torch.zeros(2)}, xs, ys)
    {'w': tensor([[-3., -4.],
            [-4., -2.]])}
    """
    return vmap(grad(loss_fn), in_dims=(None, 0, 0))(parameters, xs, ys)


per_sample_gradients.add_hints(
    "Write the gradient for one sample first: a function of (parameters, x, y).",
    "`vmap` runs it for all samples. Which of the three arguments have a row per sample?",
    "`None` in `in_dims` keeps an argument whole, a dict of tensors too.",
)


# 4. Clipping each sample


@exercise(
    seconds=20.0,
    minutes=8,
    tolerance=Tolerance(1e-5, 1e-7),
    insight="The mean of clipped gradients: no single sample can pull harder than `most`.",
    next_try="Private training adds noise of spread sigma · most to the *sum*, then divides by the "
    "number of samples (Abadi and others, 2016). Clipping alone keeps nothing private.",
    uses="import torch\nfrom torch.func import grad, vmap",
)
def clipped_gradient(loss_fn, parameters, xs, ys, most):
    """Return the mean of the samples' gradients, each shortened to length `most` if it is longer.

    The length of a gradient runs over all parameters together; a shorter one stays as it is.
    The result is a dict like `parameters`; ``loss_fn(parameters, x, y)`` is the loss of one sample.

    Examples
    --------
    >>> def loss_fn(p, x, y):
    ...     return (p["w"] @ x - y) ** 2 / 2
    >>> xs, ys = torch.tensor([[3.0, 4.0], [0.0, 1.0]]), torch.tensor([-2.0, -1.0])
    >>> clipped_gradient(loss_fn, {"w": torch.zeros(2)}, xs, ys, 5.0)
    {'w': tensor([1.5000, 2.5000])}
    """
    each = vmap(grad(loss_fn), in_dims=(None, 0, 0))(parameters, xs, ys)
    squares = sum(g.flatten(start_dim=1).square().sum(dim=1) for g in each.values())
    factor = (most / squares.sqrt()).clamp(max=1.0)
    return {name: torch.tensordot(factor, g, 1) / len(xs) for name, g in each.items()}


clipped_gradient.add_hints(
    "Per-sample gradients first. The squared length of a sample adds up all its tensors.",
    "The factor of a sample is the smaller of 1 and most / length, also where the length is 0.",
    "Each tensor g has another shape: `torch.tensordot(factor, g, 1)` adds over the samples.",
)


# 5. A module with buffers, called without a trace (build 5)


@exercise(
    kind=TriedAgain,
    seconds=20.0,
    minutes=6,
    insight="State goes in as an argument and comes out as a result: a pure function again.",
    next_try="Does vmap over several sets of buffers work with it?",
    uses="from torch.func import functional_call",
)
def pure_call(model, parameters, buffers, x):
    """Return (output, new buffers) of one call of `model`, and leave everything else as it was.

    `parameters` and `buffers` are dicts of tensors, to be used in place of the model's own. The
    new buffers are those after the call; neither the given ones nor the model's may change.

    Examples
    --------
    >>> model = nn.BatchNorm1d(1, momentum=0.5)
    >>> parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    >>> output, new = pure_call(model, parameters, buffers, torch.tensor([[4.0], [8.0]]))
    >>> new["running_mean"], buffers["running_mean"], model.running_mean
    (tensor([3.]), tensor([0.]), tensor([0.]))
    """
    new_buffers = {name: buffer.clone() for name, buffer in buffers.items()}
    output = functional_call(model, (parameters, new_buffers), (x,))
    return output, new_buffers


pure_call.add_hints(
    "`functional_call` takes a tuple of dicts in the place of one dict.",
    "In training mode batch norm writes into the buffers that it is given. Into which?",
    "Clone the buffers, pass the clones, and return them.",
)


# 6. One step for a whole ensemble (build 6)


@exercise(
    seconds=20.0,
    minutes=8,
    insight="The members never meet, and yet one run trains them all.",
    next_try="Give each member data of its own, or a learning rate of its own.",
    uses="from torch.func import grad_and_value, vmap",
)
def ensemble_step(loss_fn, stacked, x, y, rate):
    """Take one step of gradient descent for every member: return (new stacked, losses).

    `stacked` is a dict of tensors whose first dimension counts the members; all of them see the
    same x and y. ``loss_fn(parameters, x, y)`` is the loss of one member, a number; `losses` are
    those before the step. Call ``loss_fn`` only once.

    Examples
    --------
    >>> def loss_fn(p, x, y):
    ...     return ((p["w"] * x - y) ** 2).sum()
    >>> x, y = torch.tensor([1.0, 2.0]), torch.tensor([2.0, 4.0])
    >>> ensemble_step(loss_fn, {"w": torch.tensor([1.0, 3.0])}, x, y, 0.125)
    ({'w': tensor([2.2500, 1.7500])}, tensor([5., 5.]))
    """
    member = grad_and_value(loss_fn)
    gradients, losses = vmap(member, in_dims=(0, None, None))(stacked, x, y)
    return {name: p - rate * gradients[name] for name, p in stacked.items()}, losses


ensemble_step.add_hints(
    "For one member you know it: gradient and loss from `grad_and_value(loss_fn)`.",
    "vmap walks through `stacked` alone. Which `in_dims` say so?",
    "The gradients come back stacked: subtract them tensor by tensor.",
)


# 7. The Jacobian, in as few sweeps as its shape allows (build 7)


@exercise(
    seconds=20.0,
    minutes=10,
    insight="jacfwd and jacrev are these two lines. Choosing between them is your share.",
    next_try="How many tangents at once can your memory hold? `chunk_size` sets it.",
    uses="import torch\nfrom torch.func import jvp, vjp, vmap",
)
def fewer_sweeps(f, x):
    """Return the Jacobian of f at x: a row per output, a column per input.

    f takes and returns a 1-dimensional tensor. With fewer inputs than outputs put it together from
    JVPs, with fewer outputs from VJPs; where they are as many, choose. Do not use `jacfwd` or
    `jacrev`. One vmap runs all sweeps at once, so that f is called at most twice, or three times
    if you use `linearize`, which runs it twice by itself.

    Examples
    --------
    >>> fewer_sweeps(lambda x: torch.stack([x[0] * x[1], x[1] ** 2]), torch.tensor([2.0, 3.0]))
    tensor([[3., 2.],
            [0., 6.]])
    """
    value, pull_back = vjp(f, x)
    if len(x) < len(value):
        columns = torch.eye(len(x), dtype=x.dtype)
        return vmap(lambda v: jvp(f, (x,), (v,))[1], out_dims=1)(columns)
    rows = torch.eye(len(value), dtype=x.dtype)
    return vmap(lambda u: pull_back(u)[0])(rows)


fewer_sweeps.add_hints(
    "`vjp(f, x)` gives the value as well, and so the number of outputs.",
    "The n seeds are the rows of `torch.eye(n, dtype=x.dtype)`: vmap over them.",
    "For a seed v `jvp(f, (x,), (v,))` returns (value, tangent). What `vjp` returns gives a tuple.",
)


# 8. The neural tangent kernel


@exercise(
    seconds=20.0,
    minutes=8,
    insight="Two samples are alike where a step on the one moves the other.",
    next_try="Train for a while and compute it again: how far does it move?",
    uses="from torch.func import grad, vmap",
)
def tangent_kernel(f, parameters, xs):
    """Return the matrix whose entry (i, j) is the inner product of two gradients: of x_i and x_j.

    ``f(parameters, x)`` is the output of a network for one sample, a number; its gradient is taken
    with respect to all parameters, a dict of tensors. xs holds one sample per row.

    Examples
    --------
    >>> f = lambda p, x: p["w"] @ x + p["b"][0]
    >>> p, xs = {"w": torch.zeros(2), "b": torch.zeros(1)}, torch.tensor([[1.0, 2.0], [3.0, 0.0]])
    >>> tangent_kernel(f, p, xs)
    tensor([[ 6.,  4.],
            [ 4., 10.]])
    """
    gradients = vmap(grad(f), in_dims=(None, 0))(parameters, xs)
    flat = [g.flatten(start_dim=1) for g in gradients.values()]
    return sum(g @ g.T for g in flat)


tangent_kernel.add_hints(
    "Per-sample gradients of f, without a loss.",
    "Flatten each tensor to one row per sample.",
    "A matrix times its transpose holds all inner products of its rows.",
)


# 9. A branch that leaks, and a mend that is wrong


@exercise(
    seconds=20.0,
    minutes=8,
    insight="A guard that only avoids NaN gives the slope of its constant; the series gives yours.",
    next_try="From which x on is the quotient as exact as the three terms?",
    tolerance=Tolerance(1e-6),
    uses="import torch\nfrom torch.func import grad, vmap",
)
def log_ratio(xs):
    """Return (values, slopes) of log(1 + x) / x at each of xs, by `torch.func`.

    At 0 the function is filled in by its limit, 1. Near 0 it is 1 - x/2 + x²/3 - ... Six digits
    must be right, also where x is as small as 1e-16.

    Examples
    --------
    >>> log_ratio(torch.tensor([0.0, 1.0]))
    (tensor([1.0000, 0.6931]), tensor([-0.5000, -0.1931]))
    """

    def ratio(x):
        small = abs(x) < 1e-4
        safe = torch.where(small, 1.0, x)
        return torch.where(small, 1 - x / 2 + x**2 / 3, torch.log1p(safe) / safe)

    return vmap(ratio)(xs), vmap(grad(ratio))(xs)


log_ratio.add_hints(
    "Two wheres: one picks the result, one keeps the 0 away from the division.",
    "Which function is chosen at 0? Its slope there is the one you get.",
    "Take the first three terms of the series where |x| < 1e-4, say.",
)


# 10. A loop whose length depends on the number


@exercise(
    seconds=20.0,
    minutes=8,
    insight="A loop of fixed length, and a where that lets the finished ones rest.",
    next_try="Count the passes that were computed for nothing.",
    uses="import torch\nfrom torch.func import grad, vmap",
)
def halving_slopes(xs, most):
    """Return the slope of this function at each of xs, by one `vmap(grad(...))`.

    ``while x > 1: x = x / 2`` and then ``return x**2``. No entry needs more than `most` passes.

    Examples
    --------
    >>> halving_slopes(torch.tensor([0.5, 3.0]), 5)
    tensor([1.0000, 0.3750])
    """

    def halved(x):
        for _ in range(most):
            x = torch.where(x > 1, x / 2, x)
        return x**2

    return vmap(grad(halved))(xs)


halving_slopes.add_hints(
    "A `for` loop over `range(most)` has the same length for every entry.",
    "In each pass: who is finished keeps its x.",
    "By a condition `torch.where(condition, a, b)` takes a or b, number by number.",
)


# Drills


@drill
def drill_shape(random):
    """Ask for the shape that vmap returns."""
    n, m, k = random.sample(range(2, 8), 3)
    shared, last = random.random() < 0.5, random.random() < 0.5
    ins, b = ("(0, None)", f"({m}, {k})") if shared else ("(0, 0)", f"({n}, {m}, {k})")
    return Problem(
        f"A has shape ({n}, {m}), B has shape {b}. What is the shape of "
        f"`vmap(torch.matmul, in_dims={ins}, out_dims={1 if last else 0})(A, B)`? Answer with a "
        "tuple.",
        answer=(k, n) if last else (n, k),
        why=f"For one sample ({m},) @ ({m}, {k}) gives ({k},); the {n} samples are counted in "
        f"dimension {1 if last else 0}.",
    )


@drill
def drill_bytes(random):
    """Ask for the bytes of per-sample gradients."""
    inputs, hidden = random.randint(2, 5), random.choice((4, 8, 10, 20))
    samples = random.choice((10, 50, 100))
    weights = inputs * hidden + hidden + hidden + 1
    return Problem(
        f"A network {inputs}-{hidden}-1 with biases, {samples} samples, float64. How many bytes "
        "hold all per-sample gradients?",
        answer=samples * weights * 8,
        why=f"{inputs}·{hidden} + {hidden} + {hidden} + 1 = {weights} parameters, times {samples} "
        "samples, times 8 bytes.",
    )


@drill
def drill_sweeps(random):
    """Ask for the number of sweeps that a Jacobian takes."""
    inputs, outputs = random.sample(range(2, 30), 2)
    forward = random.random() < 0.5
    return Problem(
        f"f has {inputs} inputs and {outputs} outputs. How many sweeps does "
        f"`{'jacfwd' if forward else 'jacrev'}(f)` run, all in one vmap?",
        answer=inputs if forward else outputs,
        why="A JVP is a column, one for each input."
        if forward
        else "A VJP is a row, one for each output.",
    )


# What answers are tried on, and the mistakes that are recognised: they need the exercises above.
from . import _checks06, _wrong06  # noqa: E402, F401
