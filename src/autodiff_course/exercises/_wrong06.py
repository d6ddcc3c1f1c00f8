"""Typical wrong answers to the exercises of notebook 06, and what is said of each."""

from __future__ import annotations

import torch
from torch import nn
from torch.func import functional_call, grad, grad_and_value, jvp, vmap

from .ex06 import (
    clipped_gradient,
    ensemble_step,
    fewer_sweeps,
    halving_slopes,
    log_ratio,
    pairwise,
    per_sample_gradients,
    pure_call,
    tangent_kernel,
    training_step,
)


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


@training_step.mistake("A dict cannot be multiplied: go through its keys.")
def _dict_multiplied(loss_fn, parameters, x, y, rate):
    gradients, (loss, metrics) = grad_and_value(loss_fn, has_aux=True)(parameters, x, y)
    return parameters - rate * gradients, loss, metrics


@training_step.mistake("The metrics may be anything, not only a dict: hand them through.")
def _metrics_taken_apart(loss_fn, parameters, x, y, rate):
    stepped, loss, metrics = training_step.reference(loss_fn, parameters, x, y, rate)
    return stepped, loss, {name: value.detach() for name, value in metrics.items()}


pairwise.add_mistakes(
    "The table is transposed: a row for each row of A.",
    lambda f, A, B: pairwise.reference(f, A, B).T,
    "That is row with row only. For all pairs, one vmap inside of another.",
    lambda f, A, B: vmap(f)(A, B),
    "a and b are swapped in the call of f.",
    lambda f, A, B: pairwise.reference(lambda a, b: f(b, a), A, B),
    "That is the table of inner products. f may be any function of a and b: call it.",
    lambda f, A, B: A @ B.T,
)


# per_sample_gradients


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
    "`grad` wants one number, and got the losses of several samples. Is it outside of `vmap`, or "
    "ys not walked through? `vmap(grad(...), in_dims=(None, 0, 0))`."
)
def _grad_of_a_vector(loss_fn, parameters, xs, ys):
    return grad(lambda p: vmap(loss_fn, in_dims=(None, 0, 0))(p, xs, ys))(parameters)


@per_sample_gradients.mistake("Those are derivatives by x. Differentiate by the parameters.")
def _by_the_samples(loss_fn, parameters, xs, ys):
    return {"x": vmap(grad(loss_fn, argnums=1), in_dims=(None, 0, 0))(parameters, xs, ys)}


@per_sample_gradients.mistake("Those are derivatives by x. Differentiate by the parameters.")
def _by_the_samples_alone(loss_fn, parameters, xs, ys):
    return vmap(grad(loss_fn, argnums=1), in_dims=(None, 0, 0))(parameters, xs, ys)


# clipped_gradient


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


@clipped_gradient.mistake("0/0: a gradient of length 0. Shorter ones stay as they are.")
def _zero_by_zero(loss_fn, parameters, xs, ys, most):
    each = _each(loss_fn, parameters, xs, ys)
    return _weighted(each, _lengths(each).clamp(max=most) / _lengths(each))


@clipped_gradient.mistake("Each entry is clamped. Multiply all entries of a sample by one factor.")
def _entry_by_entry(loss_fn, parameters, xs, ys, most):
    each = _each(loss_fn, parameters, xs, ys)
    return _mean_of({name: g.clamp(-most, most) for name, g in each.items()})


@clipped_gradient.mistake("That is the square of the length: the root is missing.")
def _no_root(loss_fn, parameters, xs, ys, most):
    each = _each(loss_fn, parameters, xs, ys)
    return _weighted(each, (most / _lengths(each) ** 2).clamp(max=1.0))


@clipped_gradient.mistake("That is the sum of the clipped gradients. Return their mean.")
def _summed(loss_fn, parameters, xs, ys, most):
    clipped = clipped_gradient.reference(loss_fn, parameters, xs, ys, most)
    return {name: g * len(xs) for name, g in clipped.items()}


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


@pure_call.mistake("Those are the model's own buffers. Return the clones that the call was given.")
def _own_buffers_returned(model, parameters, buffers, x):
    return pure_call.reference(model, parameters, buffers, x)[0], dict(model.named_buffers())


@pure_call.mistake(
    "The model ran in evaluation mode: it normalised by the running mean, and changed nothing."
)
def _evaluating(model, parameters, buffers, x):
    model.eval()
    return functional_call(model, (parameters, buffers), (x,)), buffers


@pure_call.mistake("Return both, the output and the buffers after the call.")
def _output_only(model, parameters, buffers, x):
    return pure_call.reference(model, parameters, buffers, x)[0]


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


ensemble_step.add_mistakes(
    "The step goes uphill: subtract rate times gradient.",
    lambda loss_fn, stacked, x, y, rate: ensemble_step.reference(loss_fn, stacked, x, y, -rate),
    "The rate is lost: multiply each gradient by it.",
    lambda loss_fn, stacked, x, y, rate: ensemble_step.reference(loss_fn, stacked, x, y, 1.0),
)


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


# fewer_sweeps


_PAIR = "`jvp` returns a pair, (value, tangent), and so does vmap over it. Take `[1]`."


def _pairs(f, x, out_dims):
    columns = torch.eye(len(x), dtype=x.dtype)
    return vmap(lambda v: jvp(f, (x,), (v,)), out_dims=out_dims)(columns)


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


# tangent_kernel


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


# log_ratio


def _with_branch(branch, xs, small=lambda x: x == 0, log=torch.log1p):
    """Return values and slopes of the quotient, and of `branch` where x is small."""

    def ratio(x):
        safe = torch.where(small(x), 1.0, x)
        return torch.where(small(x), branch(x), log(safe) / safe)

    return _values_and_slopes(ratio, xs)


def _values_and_slopes(ratio, xs):
    return vmap(ratio)(xs), vmap(grad(ratio))(xs)


def _guarded_up_to(threshold, log=torch.log1p, branch=lambda x: 1 - x / 2):
    return lambda xs: _with_branch(branch, xs, lambda x: abs(x) <= threshold, log)


def _three_terms(x):
    return 1 - x / 2 + x**2 / 3


def _four_terms(x):
    return 1 - x / 2 + x**2 / 3 - x**3 / 4


def _log_of_the_sum(x):
    return torch.log(1 + x)


_CANCELLED = (
    "Right at 0, and wrong beside it: the slope of the quotient is a difference of two numbers of "
    "size 1/x, and their digits cancel. Take the series for all small x."
)


log_ratio.add_mistakes(
    "NaN at 0: 0 / 0. Choose another branch there.",
    lambda xs: _values_and_slopes(lambda x: torch.log1p(x) / x, xs),
    "The value at 0 is right and the slope is NaN: the branch that is not chosen leaks. Give it a "
    "harmless number, by a second `where`.",
    lambda xs: _values_and_slopes(lambda x: torch.where(x == 0, 1 - x / 2, torch.log1p(x) / x), xs),
    "No NaN, and a wrong slope at 0: the branch `1` is a constant. Its slope must be that of the "
    "series.",
    lambda xs: _with_branch(lambda x: 1.0, xs),
    "The two are swapped: values first, then slopes.",
    lambda xs: log_ratio.reference(xs)[::-1],
    "The values only. Return a pair: values, slopes.",
    lambda xs: log_ratio.reference(xs)[0],
)


for _threshold in (0.0, 1e-15, 1e-14, 1e-12, 1e-11):
    log_ratio.add_mistakes(_CANCELLED, _guarded_up_to(_threshold))
for _threshold in (0.0, 1e-14, 1e-12, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5):
    log_ratio.add_mistakes(
        _CANCELLED + " And write log1p(x): 1 + x rounds x.",
        _guarded_up_to(_threshold, _log_of_the_sum),
    )
for _threshold in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5):
    log_ratio.add_mistakes(
        "The line 1 - x/2 is taken too far: its slope lacks the 2x/3 of the next term.",
        _guarded_up_to(_threshold),
    )
for _terms, _thresholds in ((_three_terms, (1e-1, 1e-2, 1e-3)), (_four_terms, (1e-1, 1e-2))):
    for _threshold in _thresholds:
        log_ratio.add_mistakes(
            "The series is taken too far: compare the first term that is left out with six digits.",
            _guarded_up_to(_threshold, branch=_terms),
        )


# halving_slopes


def _halving(xs, most, step):
    def f(x):
        for _ in range(most):
            x = step(x)
        return x**2

    return vmap(grad(f))(xs)


halving_slopes.add_mistakes(
    "Every entry is halved in every pass. Leave alone what is 1 or less.",
    lambda xs, most: _halving(xs, most, lambda x: x / 2),
    "At x = 1 the loop has ended: compare with `>`.",
    lambda xs, most: _halving(xs, most, lambda x: torch.where(x >= 1, x / 2, x)),
    "Only one pass was made: repeat it `most` times.",
    lambda xs, most: _halving(xs, 1, lambda x: torch.where(x > 1, x / 2, x)),
    "Some entries need more than 20 passes: make `most` of them.",
    lambda xs, most: halving_slopes.reference(xs, 20),
)


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
