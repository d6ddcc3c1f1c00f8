"""Exercises of notebook 06, function transforms: from a training step to an ensemble."""

from __future__ import annotations

import warnings

import torch
from torch import nn
from torch.func import functional_call, grad, grad_and_value, jvp, vjp, vmap

from . import _networks06 as networks
from ._networks06 import numbers, rows
from .comparing import Tolerance
from .drills import Problem, drill
from .framework import case, exercise

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

# The first use of forward mode loads rules written in TorchScript, which torch itself calls
# deprecated. Load them here, so that no answer meets the warning.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    jvp(torch.sin, (torch.zeros(()),), (torch.ones(()),))


# 1. A training step with auxiliary data (build 1)


@exercise(
    seconds=20.0,
    minutes=8,
    insight="One call gives gradients, loss and metrics, since all come from the same sweep.",
    uses="from torch.func import grad_and_value",
)
def training_step(loss_fn, parameters, x, y, rate):
    """Take one step of gradient descent: return (new parameters, loss, metrics).

    ``loss_fn(parameters, x, y)`` returns (loss, metrics); `parameters` is a dict of tensors. The
    loss and the metrics are those before the step. Call ``loss_fn`` only once.

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


@training_step.cases
def _steps():
    line = {"slope": numbers(1.0)[0], "offset": numbers(0.5)[0]}
    bent = {"weight": numbers(1.0, -2.0), "offset": numbers(0.25)[0]}
    points = torch.stack([numbers(1.0, 0.5), numbers(-1.0, 2.0), numbers(0.0, 1.5)])
    xs, ys = numbers(0.0, 1.0, 2.0), numbers(1.0, 3.0, 4.0)
    return [
        case(networks.line_fit, line, xs, ys, 0.125, label="a line through three points, rate 1/8"),
        case(
            networks.bent_fit, bent, points, ys, 0.5, label="a tanh layer on three points, rate 1/2"
        ),
    ]


@training_step.mistake("The step goes uphill: subtract rate times gradient.")
def _uphill(loss_fn, parameters, x, y, rate):
    return training_step.reference(loss_fn, parameters, x, y, -rate)


@training_step.mistake("The rate is lost: multiply each gradient by it.")
def _no_rate(loss_fn, parameters, x, y, rate):
    return training_step.reference(loss_fn, parameters, x, y, 1.0)


@training_step.mistake("Those are the gradients. Return the parameters after the step.")
def _gradients_returned(loss_fn, parameters, x, y, rate):
    gradients, (loss, metrics) = grad_and_value(loss_fn, has_aux=True)(parameters, x, y)
    return gradients, loss, metrics


@training_step.mistake("The loss and the metrics belong to the parameters before the step.")
def _evaluated_again(loss_fn, parameters, x, y, rate):
    stepped, _, _ = training_step.reference(loss_fn, parameters, x, y, rate)
    return stepped, *loss_fn(stepped, x, y)


@training_step.mistake(
    "`loss_fn` returns two things, the loss and the metrics. Say so: `has_aux=True`."
)
def _without_has_aux(loss_fn, parameters, x, y, rate):
    return grad_and_value(loss_fn)(parameters, x, y)


@training_step.mistake("`grad_and_value` returns the gradient first, in spite of its name's ring.")
def _value_first(loss_fn, parameters, x, y, rate):
    (loss, metrics), gradients = grad_and_value(loss_fn, has_aux=True)(parameters, x, y)
    return {name: value - rate * gradients[name] for name, value in parameters.items()}


@training_step.mistake("Return three things: take the pair (loss, metrics) apart.")
def _pair_returned(loss_fn, parameters, x, y, rate):
    stepped, loss, metrics = training_step.reference(loss_fn, parameters, x, y, rate)
    return stepped, (loss, metrics)


@training_step.method(
    "`loss_fn` is called more than once. `grad_and_value` gives all from one call."
)
def _(call):
    return call.calls_of(call.given[0]) == 1


@training_step.method("The caller's dict or tensors are changed. Make new ones.")
def _leaves_the_parameters(call):
    tensors = call.arguments[1].values()
    return call.unchanged and not any(p.requires_grad or p.grad is not None for p in tensors)


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


@pairwise.cases
def _tables():
    A = rows((1.0, 2.0), (0.5, -1.0), (3.0, 0.0))
    B = rows((1.0, -1.0), (0.0, 2.0))
    square = rows((0.3, 0.2), (-0.4, 1.0), (0.1, 0.7))
    return [
        case(networks.one_sided, A, B, label="the sum of |a - 2 b|, 3 rows and 2 rows"),
        case(networks.bent, A, square, label="tanh(a·b) + a₀ b₀², 3 rows and 3 rows"),
    ]


@pairwise.mistake("The table is transposed: a row for each row of A.")
def _transposed_table(f, A, B):
    return pairwise.reference(f, A, B).T


@pairwise.mistake("That is row with row only. For all pairs, one vmap inside of another.")
def _row_with_row(f, A, B):
    return vmap(f)(A, B)


@pairwise.mistake("a and b are swapped in the call of f.")
def _arguments_swapped(f, A, B):
    return pairwise.reference(lambda a, b: f(b, a), A, B)


@pairwise.mistake("That is the table of inner products. f may be any function of a and b: call it.")
def _inner_products(f, A, B):
    return A @ B.T


@pairwise.method("f is called more than once: let two vmaps do the loops, one inside of the other.")
def _one_call(call):
    return call.calls_of(call.given[0]) == 1


pairwise.add_hints(
    "Write one row first: one a with every row of B.",
    "`in_dims=(None, 0)` keeps a whole and walks through B.",
    "That row is a function of (a, B). Walk through A with a second vmap.",
)


# 3. Per-sample gradients (build 3)


@exercise(
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


def _sample_cases(*more):
    xs, ys = networks.samples()
    line = {"w": numbers(1.0, -1.0), "b": numbers(0.5)}
    net = {"W": rows((1.0, 0.5), (-0.5, 0.3), (0.2, 1.0)), "v": numbers(1.0, -1.0, 0.5)}
    return [
        case(
            networks.half_square,
            line,
            xs,
            ys,
            *more,
            label="half squared errors of a line, 4 samples",
        ),
        case(
            networks.logistic,
            net,
            xs.clone(),
            ys.clone(),
            *more,
            label="a small network, 4 samples",
        ),
    ]


per_sample_gradients.cases(_sample_cases)


def _mean_of(gradients, keepdim=False):
    return {name: g.mean(dim=0, keepdim=keepdim) for name, g in gradients.items()}


@per_sample_gradients.mistake(
    "Averaged over the samples: that is what `backward` on the mean loss gives. Keep them apart."
)
def _averaged(loss_fn, parameters, xs, ys):
    return _mean_of(per_sample_gradients.reference(loss_fn, parameters, xs, ys))


@per_sample_gradients.mistake(
    "Added over the samples: that is what `backward` on the summed loss gives. Keep them apart."
)
def _added(loss_fn, parameters, xs, ys):
    each = per_sample_gradients.reference(loss_fn, parameters, xs, ys)
    return {name: g.sum(dim=0) for name, g in each.items()}


@per_sample_gradients.mistake(
    "vmap walks through every argument, the parameters too. All samples share those: "
    "`in_dims=(None, 0, 0)`."
)
def _parameters_split(loss_fn, parameters, xs, ys):
    return vmap(grad(loss_fn))(parameters, xs, ys)


@per_sample_gradients.mistake(
    "Is `grad` outside of `vmap`? It wants one number; the vector of all losses is none. Take "
    "`vmap(grad(...))`."
)
def _grad_of_a_vector(loss_fn, parameters, xs, ys):
    return grad(lambda p: vmap(loss_fn, in_dims=(None, 0, 0))(p, xs, ys))(parameters)


@per_sample_gradients.mistake("Those are derivatives by x. Differentiate by the parameters.")
def _by_the_samples(loss_fn, parameters, xs, ys):
    return {"x": vmap(grad(loss_fn, argnums=1), in_dims=(None, 0, 0))(parameters, xs, ys)}


@per_sample_gradients.mistake("Those are derivatives by x. Differentiate by the parameters.")
def _by_the_samples_alone(loss_fn, parameters, xs, ys):
    return vmap(grad(loss_fn, argnums=1), in_dims=(None, 0, 0))(parameters, xs, ys)


@per_sample_gradients.method(
    "`loss_fn` is called more than once: there is a loop. Let vmap walk through the samples."
)
def _one_run(call):
    return call.calls_of(call.given[0]) == 1


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


@clipped_gradient.cases
def _clipped_cases():
    return _sample_cases(2.0) + _sample_cases(0.1)[1:]


def _each(loss_fn, parameters, xs, ys):
    return per_sample_gradients.reference(loss_fn, parameters, xs, ys)


def _lengths(each):
    return sum(g.flatten(start_dim=1).square().sum(dim=1) for g in each.values()).sqrt()


def _weighted(each, factor):
    return {name: torch.tensordot(factor, g, 1) / len(factor) for name, g in each.items()}


@clipped_gradient.mistake("Nothing is shortened: that is the plain gradient of the mean loss.")
def _not_clipped(loss_fn, parameters, xs, ys, most):
    return _mean_of(_each(loss_fn, parameters, xs, ys))


@clipped_gradient.mistake("The mean is clipped, after the samples were mixed. Clip each of them.")
def _mean_clipped(loss_fn, parameters, xs, ys, most):
    mean = _mean_of(_each(loss_fn, parameters, xs, ys), keepdim=True)
    factor = (most / _lengths(mean)).clamp(max=1.0)
    return {name: factor[0] * g[0] for name, g in mean.items()}


@clipped_gradient.mistake("Short gradients were made longer: the factor must be at most 1.")
def _normalised(loss_fn, parameters, xs, ys, most):
    each = _each(loss_fn, parameters, xs, ys)
    return _weighted(each, most / _lengths(each))


@clipped_gradient.mistake(
    "Each tensor is clipped by itself. A sample's length runs over all its parameters."
)
def _tensor_by_tensor(loss_fn, parameters, xs, ys, most):
    clipped = {}
    for name, g in _each(loss_fn, parameters, xs, ys).items():
        factor = (most / _lengths({name: g})).clamp(max=1.0)
        clipped[name] = torch.tensordot(factor, g, 1) / len(xs)
    return clipped


@clipped_gradient.mistake("That is the sum of the clipped gradients. Return their mean.")
def _summed(loss_fn, parameters, xs, ys, most):
    clipped = clipped_gradient.reference(loss_fn, parameters, xs, ys, most)
    return {name: g * len(xs) for name, g in clipped.items()}


clipped_gradient.add_hints(
    "Per-sample gradients first. The squared length of a sample adds up all its tensors.",
    "The factor of a sample is the smaller of 1 and most / length.",
    "Each tensor g has another shape: `torch.tensordot(factor, g, 1)` adds over the samples.",
)


# 5. A module with buffers, called without a trace (build 5)


@exercise(
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


@pure_call.cases
def _modules():
    return [
        case(*networks.normed(lambda: nn.BatchNorm1d(2)), label="BatchNorm1d(2) on 3 samples"),
        case(
            *networks.normed(lambda: nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Tanh())),
            label="Linear(2, 3), BatchNorm1d(3), Tanh on 3 samples",
        ),
    ]


@pure_call.mistake("Those are the buffers before the call. Return those that the call has changed.")
def _old_buffers(model, parameters, buffers, x):
    return pure_call.reference(model, parameters, buffers, x)[0], buffers


@pure_call.mistake("The model used its own parameters and buffers, not the given ones.")
def _own_state(model, parameters, buffers, x):
    return model(x), dict(model.named_buffers())


@pure_call.mistake("The model used its own buffers. Pass both dicts: `(parameters, buffers)`.")
def _own_buffers(model, parameters, buffers, x):
    own = {name: buffer.clone() for name, buffer in model.named_buffers()}
    return pure_call.reference(model, parameters, own, x)


@pure_call.mistake(
    "The model ran in evaluation mode: it normalised by the running mean, and changed nothing."
)
def _evaluating(model, parameters, buffers, x):
    model.eval()
    return functional_call(model, (parameters, buffers), (x,)), buffers


@pure_call.mistake("Return both, the output and the buffers after the call.")
def _output_only(model, parameters, buffers, x):
    return pure_call.reference(model, parameters, buffers, x)[0]


@pure_call.method("The given dicts were changed: the call writes into the buffers. Clone them.")
def _leaves_the_buffers(call):
    return call.unchanged


@pure_call.method(
    "Right, but no gradient passes: the output must depend on the given parameters themselves. "
    "Neither detach it nor copy them into a model."
)
def _passes_gradients(call):
    output, parameters = call.value[0], list(call.arguments[1].values())
    if not output.requires_grad:
        return False
    slopes = torch.autograd.grad(output.sum(), parameters, retain_graph=True, allow_unused=True)
    return all(slope is not None for slope in slopes)


@pure_call.method("The model itself was changed. `functional_call` leaves its tensors alone.")
def _leaves_the_model(call):
    def state(model):
        return [model.training, *model.state_dict().values()]

    now, before = state(call.arguments[0]), state(call.given[0])
    return all(map(_equal, now, before))


def _equal(one, other):
    return torch.equal(one, other) if torch.is_tensor(one) else one == other


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


@ensemble_step.cases
def _ensembles():
    lines = {"w": numbers(1.0, -0.5, 2.0), "b": numbers(0.0, 1.0, 0.5)}
    xs, ys = numbers(0.0, 1.0, 2.0), numbers(1.0, 3.0, 4.0)
    first, second = rows((1.0, 0.5), (-0.5, 0.3)), rows((0.2, -0.4), (0.7, 1.0))
    nets = {"W": torch.stack([first, second]), "v": rows((1.0, -1.0), (0.5, 2.0))}
    return [
        case(networks.fit, lines, xs, ys, 0.125, label="3 lines through 3 points, rate 1/8"),
        case(
            networks.deep,
            nets,
            *networks.samples(),
            0.5,
            label="2 small networks on 4 points, rate 1/2",
        ),
    ]


@ensemble_step.mistake(
    "vmap walks through the data too, and gives each member one sample. All of them share x and "
    "y: `in_dims=(0, None, None)`."
)
def _data_split(loss_fn, stacked, x, y, rate):
    gradients, losses = vmap(grad_and_value(loss_fn))(stacked, x, y)
    return {name: p - rate * gradients[name] for name, p in stacked.items()}, losses


@ensemble_step.mistake(
    "There is no vmap: `loss_fn` is written for one member, and met the stack of all of them."
)
def _stack_as_one_member(loss_fn, stacked, x, y, rate):
    gradients, loss = grad_and_value(loss_fn)(stacked, x, y)
    return {name: p - rate * gradients[name] for name, p in stacked.items()}, loss


@ensemble_step.mistake("The step goes uphill: subtract rate times gradient.")
def _ensemble_uphill(loss_fn, stacked, x, y, rate):
    return ensemble_step.reference(loss_fn, stacked, x, y, -rate)


@ensemble_step.mistake("The rate is lost: multiply each gradient by it.")
def _ensemble_without_rate(loss_fn, stacked, x, y, rate):
    return ensemble_step.reference(loss_fn, stacked, x, y, 1.0)


@ensemble_step.mistake("The members are mixed: each takes a step along its own gradient.")
def _members_mixed(loss_fn, stacked, x, y, rate):
    new, losses = ensemble_step.reference(loss_fn, stacked, x, y, rate)
    steps = {name: (new[name] - p).mean(dim=0) for name, p in stacked.items()}
    return {name: p + steps[name] for name, p in stacked.items()}, losses


@ensemble_step.mistake("The step is divided by the number of members. They do not share a mean.")
def _mean_loss(loss_fn, stacked, x, y, rate):
    members = len(next(iter(stacked.values())))
    return ensemble_step.reference(loss_fn, stacked, x, y, rate / members)


@ensemble_step.mistake("Those are the losses after the step. Return those before it.")
def _losses_after(loss_fn, stacked, x, y, rate):
    new, _ = ensemble_step.reference(loss_fn, stacked, x, y, rate)
    return new, vmap(loss_fn, in_dims=(0, None, None))(new, x, y)


@ensemble_step.method(
    "`loss_fn` is called more than once: there is a loop. Let vmap walk through the members."
)
def _one_run_for_all(call):
    return call.calls_of(call.given[0]) == 1


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
    `jacrev`. One vmap runs all sweeps at once, so that f is called at most twice.

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


@fewer_sweeps.cases
def _maps():
    x = numbers(1.0, 2.0, -0.5)
    return [
        case(networks.tall, x, label="3 inputs, 7 outputs"),
        case(networks.wide, x.clone(), label="3 inputs, 2 outputs"),
        case(networks.square_map, x[:2], label="f(x) = x · x[0], 2 inputs"),
    ]


@fewer_sweeps.mistake(
    "Transposed where JVPs are used: vmap stacks the columns as rows. Say `out_dims=1`."
)
def _columns_as_rows(f, x):
    matrix = fewer_sweeps.reference(f, x)
    return matrix.T if len(matrix) > len(x) else matrix


@fewer_sweeps.mistake("Transposed where VJPs are used: each VJP is a row already.")
def _rows_as_columns(f, x):
    matrix = fewer_sweeps.reference(f, x)
    return matrix if len(matrix) > len(x) else matrix.T


@fewer_sweeps.mistake("`jvp` returns (value, tangent). The columns are the tangents.")
def _values_as_columns(f, x):
    matrix = fewer_sweeps.reference(f, x)
    return f(x)[:, None].expand_as(matrix) if len(matrix) > len(x) else matrix


_PAIR = "`jvp` returns a pair, (value, tangent), and so does vmap over it. Take `[1]`."


def _pairs(f, x, out_dims):
    columns = torch.eye(len(x), dtype=x.dtype)
    return vmap(lambda v: jvp(f, (x,), (v,)), out_dims=out_dims)(columns)


@fewer_sweeps.mistake(_PAIR)
def _pairs_as_rows(f, x):
    matrix = fewer_sweeps.reference(f, x)
    return _pairs(f, x, 0) if len(matrix) > len(x) else matrix


@fewer_sweeps.mistake(_PAIR)
def _pairs_as_columns(f, x):
    matrix = fewer_sweeps.reference(f, x)
    return _pairs(f, x, 1) if len(matrix) > len(x) else matrix


@fewer_sweeps.mistake("What `vjp` returns gives a tuple, one entry per argument of f. Take `[0]`.")
def _tuple_of_vjp(f, x):
    matrix = fewer_sweeps.reference(f, x)
    return matrix if len(matrix) > len(x) else (matrix,)


@fewer_sweeps.mistake("That is one product only, with a vector of ones. Seed each unit vector.")
def _one_product(f, x):
    matrix = fewer_sweeps.reference(f, x)
    return matrix.sum(dim=1) if len(matrix) >= len(x) else matrix.sum(dim=0)


@fewer_sweeps.method(
    "Right, but `jacfwd`, `jacrev` and their like do the whole exercise. Use JVPs and VJPs."
)
def _not_ready_made(call):
    ready_made = (torch.func.jacfwd, torch.func.jacrev, torch.func.hessian)
    return not call.calls_of(*ready_made, torch.autograd.functional.jacobian)


_FORWARD = (torch.autograd.forward_ad.make_dual, torch.autograd.functional.jvp)


@fewer_sweeps.method("Fewer inputs than outputs: here JVPs, the columns, need fewer sweeps.")
def _tall_by_columns(call):
    if len(call.arguments[1]) >= len(call.value):
        return True
    return bool(call.calls_of(*_FORWARD)) and not call.calls_of("run_backward")


@fewer_sweeps.method("More inputs than outputs: here VJPs, the rows, need fewer sweeps.")
def _wide_by_rows(call):
    if len(call.arguments[1]) <= len(call.value):
        return True
    return bool(call.calls_of("run_backward")) and not call.calls_of(*_FORWARD)


@fewer_sweeps.method("f is called more than twice: let one vmap run all sweeps at once.")
def _few_calls(call):
    return call.calls_of(call.given[0]) <= 2


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


@tangent_kernel.cases
def _kernels():
    (_, line, xs, *_), (_, net, *_) = (one.arguments for one in _sample_cases())
    return [
        case(networks.line, line, xs, label="a line, 4 samples"),
        case(networks.net, net, xs.clone(), label="a small network, 4 samples"),
    ]


def _flat(f, parameters, xs):
    each = vmap(grad(f), in_dims=(None, 0))(parameters, xs)
    return torch.cat([g.flatten(start_dim=1) for g in each.values()], dim=1)


@tangent_kernel.mistake("That is a matrix of parameters by parameters. One row for each sample.")
def _wrong_side(f, parameters, xs):
    flat = _flat(f, parameters, xs)
    return flat.T @ flat


@tangent_kernel.mistake("Those are cosines: do not divide by the lengths.")
def _cosines(f, parameters, xs):
    flat = nn.functional.normalize(_flat(f, parameters, xs), dim=1)
    return flat @ flat.T


@tangent_kernel.mistake("Those are gradients by x. Differentiate by the parameters.")
def _by_inputs(f, parameters, xs):
    slopes = vmap(grad(f, argnums=1), in_dims=(None, 0))(parameters, xs)
    return slopes @ slopes.T


@tangent_kernel.mistake("Only one of the tensors is used: add over all parameters.")
def _first_only(f, parameters, xs):
    each = vmap(grad(f), in_dims=(None, 0))(parameters, xs)
    flat = next(iter(each.values())).reshape(len(xs), -1)
    return flat @ flat.T


@tangent_kernel.mistake("That is the diagonal, the squared lengths. Pair every two samples.")
def _diagonal(f, parameters, xs):
    return _flat(f, parameters, xs).square().sum(dim=1)


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


@log_ratio.cases
def _near_zero():
    return [
        case(numbers(0.0, 1.0)),
        case(numbers(-0.5, 0.0, 0.25, 2.0)),
        case(numbers(1e-16, 1e-12, 1e-8)),
        case(numbers(-1e-5, 1e-3)),
    ]


def _with_branch(branch, xs, small=lambda x: x == 0, log=torch.log1p):
    """Return values and slopes of the quotient, and of `branch` where x is small."""

    def ratio(x):
        safe = torch.where(small(x), 1.0, x)
        return torch.where(small(x), branch(x), log(safe) / safe)

    return _values_and_slopes(ratio, xs)


def _values_and_slopes(ratio, xs):
    return vmap(ratio)(xs), vmap(grad(ratio))(xs)


@log_ratio.mistake("NaN at 0: 0 / 0. Choose another branch there.")
def _unguarded(xs):
    return _values_and_slopes(lambda x: torch.log1p(x) / x, xs)


@log_ratio.mistake(
    "The value at 0 is right and the slope is NaN: the branch that is not chosen leaks. Give it a "
    "harmless number, by a second `where`."
)
def _one_where(xs):
    return _values_and_slopes(lambda x: torch.where(x == 0, 1 - x / 2, torch.log1p(x) / x), xs)


@log_ratio.mistake(
    "No NaN, and a wrong slope at 0: the branch `1` is a constant. Its slope must be that of the "
    "series."
)
def _constant_branch(xs):
    return _with_branch(lambda x: 1.0, xs)


def _guarded_up_to(threshold, log):
    def guarded(xs):
        return _with_branch(lambda x: 1 - x / 2, xs, lambda x: abs(x) <= threshold, log)

    guarded.__name__ = f"_guarded_up_to_{threshold}_{log.__name__}"
    return guarded


def _log_of_the_sum(x):
    return torch.log(1 + x)


for _threshold in (0.0, 1e-14):
    for _log in (torch.log1p, _log_of_the_sum):
        log_ratio.mistake(
            "Right at 0, and wrong beside it: the slope of the quotient is a difference of two "
            "numbers of size 1/x, and their digits cancel. Take the series for all small x."
        )(_guarded_up_to(_threshold, _log))


@log_ratio.mistake("The line 1 - x/2 is taken too far: its slope lacks the 2x/3 of the next term.")
def _line_too_far(xs):
    return _with_branch(lambda x: 1 - x / 2, xs, small=lambda x: abs(x) < 1e-2)


@log_ratio.mistake("The two are swapped: values first, then slopes.")
def _slopes_first(xs):
    return log_ratio.reference(xs)[::-1]


@log_ratio.mistake("The values only. Return a pair: values, slopes.")
def _only_values(xs):
    return log_ratio.reference(xs)[0]


@log_ratio.method("Right, but not by automatic differentiation: let `grad` find the slopes.")
def _by_autodiff(call):
    return bool(call.calls_of("run_backward", *_FORWARD))


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


@halving_slopes.cases
def _starts():
    return [case(numbers(0.5, 3.0), 5), case(numbers(1.0, 9.0, -2.0, 1.5, 1e12), 40)]


def _halving(xs, most, step):
    def f(x):
        for _ in range(most):
            x = step(x)
        return x**2

    return vmap(grad(f))(xs)


@halving_slopes.mistake("Every entry is halved in every pass. Leave alone what is 1 or less.")
def _all_halved(xs, most):
    return _halving(xs, most, lambda x: x / 2)


@halving_slopes.mistake("Only one pass was made: repeat it `most` times.")
def _one_pass(xs, most):
    return _halving(xs, 1, lambda x: torch.where(x > 1, x / 2, x))


@halving_slopes.mistake("Some entries need more than 20 passes: make `most` of them.")
def _twenty_passes(xs, most):
    return halving_slopes.reference(xs, 20)


@halving_slopes.mistake("That is twice the last x. Each halving halves the slope, too: use `grad`.")
def _chain_forgotten(xs, most):
    for _ in range(most):
        xs = torch.where(xs > 1, xs / 2, xs)
    return 2 * xs


@halving_slopes.mistake("Those are the values. Return the slopes.")
def _halved_values(xs, most):
    for _ in range(most):
        xs = torch.where(xs > 1, xs / 2, xs)
    return xs**2


@halving_slopes.mistake("A `while` or `if` on a batched number: vmap cannot go both ways.")
def _python_loop(xs, most):
    def f(x):
        while x > 1:
            x = x / 2
        return x**2

    return vmap(grad(f))(xs)


@halving_slopes.method("Right, but without `vmap`: run all entries at once, by `vmap(grad(...))`.")
def _by_vmap(call):
    return call.calls_of(vmap) >= 1


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
