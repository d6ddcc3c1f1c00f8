"""Exercises of notebook 08, function transforms: from a training step to a Jacobian."""

from __future__ import annotations

import warnings

import torch
from torch.func import grad, grad_and_value, jvp, vjp, vmap

from .framework import case, exercise

__all__ = ["gradient_norms", "layer_jacobian", "training_step"]

# The first use of forward mode loads rules written in TorchScript, which torch itself calls
# deprecated. Load them here, so that no answer meets the warning.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    jvp(torch.sin, (torch.zeros(()),), (torch.ones(()),))


def _numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


# 1. A training step with auxiliary data


@exercise(
    seconds=20.0,
    minutes=8,
    insight="One call gives gradients, loss and metrics, since all come from the same sweep.",
    next_try="Wrap it in a loop and watch the loss fall.",
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


def _line_fit(parameters, x, y):
    errors = parameters["slope"] * x + parameters["offset"] - y
    return (errors**2).mean(), {"largest error": errors.abs().max()}


def _bent_fit(parameters, x, y):
    errors = torch.tanh(x @ parameters["weight"]) + parameters["offset"] - y
    return (errors**2).sum(), {"errors": errors}


@training_step.cases
def _steps():
    line = {"slope": _numbers(1.0)[0], "offset": _numbers(0.5)[0]}
    bent = {"weight": _numbers(1.0, -2.0), "offset": _numbers(0.25)[0]}
    points = torch.stack([_numbers(1.0, 0.5), _numbers(-1.0, 2.0), _numbers(0.0, 1.5)])
    xs, ys = _numbers(0.0, 1.0, 2.0), _numbers(1.0, 3.0, 4.0)
    return [
        case(_line_fit, line, xs, ys, 0.125, label="a line through three points, rate 1/8"),
        case(_bent_fit, bent, points, ys, 0.5, label="a tanh layer on three points, rate 1/2"),
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
def _(call):
    return call.unchanged


training_step.add_hints(
    "`grad_and_value(loss_fn, has_aux=True)` is a function. What are its arguments?",
    "With `has_aux=True` the result has the form `gradients, (loss, metrics)`.",
    "The gradients are a dict with the same keys as the parameters.",
)


# 2. The norm of each sample's gradient


@exercise(
    seconds=20.0,
    minutes=6,
    insight="vmap adds the samples as a hidden dimension, so no loop over them is left.",
    next_try="Clip each sample's gradient at length 1 before you average them.",
    uses="from torch.func import grad, vmap",
)
def gradient_norms(loss_fn, w, xs, ys):
    """Return, for each sample, the length of the gradient of its loss with respect to w.

    ``loss_fn(w, x, y)`` is the loss of one sample; xs and ys hold one sample per row.

    Examples
    --------
    >>> def loss_fn(w, x, y):
    ...     return (w @ x - y) ** 2 / 2
    >>> xs = torch.tensor([[3.0, 4.0], [0.0, 1.0]])
    >>> gradient_norms(loss_fn, torch.zeros(2), xs, torch.tensor([1.0, 2.0]))
    tensor([5., 2.])
    """
    gradients = vmap(grad(loss_fn), in_dims=(None, 0, 0))(w, xs, ys)
    return gradients.norm(dim=1)


def _half_square(w, x, y):
    return (w @ x - y) ** 2 / 2


def _logistic(w, x, y):
    return torch.nn.functional.softplus(-y * (w @ x))


@gradient_norms.cases
def _samples():
    w = _numbers(1.0, -1.0, 0.5)
    rows = [(2.0, 0.0, 1.0), (1.0, 1.0, -2.0), (0.0, 3.0, 4.0), (-1.0, 2.0, 2.0)]
    xs, ys = torch.stack([_numbers(*row) for row in rows]), _numbers(1.0, -1.0, 1.0, -1.0)
    return [
        case(_half_square, w, xs, ys, label="half squared errors of 4 samples, 3 weights"),
        case(_logistic, w.clone(), xs.clone(), ys, label="logistic losses of 4 samples, 3 weights"),
    ]


def _all_gradients(loss_fn, w, xs, ys):
    return vmap(grad(loss_fn), in_dims=(None, 0, 0))(w, xs, ys)


@gradient_norms.mistake("Those are squared lengths: the square root is missing.")
def _squared(loss_fn, w, xs, ys):
    return (_all_gradients(loss_fn, w, xs, ys) ** 2).sum(dim=1)


@gradient_norms.mistake("One length per weight: the norm runs over the samples. Take `dim=1`.")
def _over_the_samples(loss_fn, w, xs, ys):
    return _all_gradients(loss_fn, w, xs, ys).norm(dim=0)


@gradient_norms.mistake("That is one length for all gradients together. Take the norm row by row.")
def _all_together(loss_fn, w, xs, ys):
    return _all_gradients(loss_fn, w, xs, ys).norm()


@gradient_norms.mistake(
    "That is the length of the mean gradient, which is what `backward` on the mean loss gives. "
    "Keep the samples apart with vmap."
)
def _of_the_mean(loss_fn, w, xs, ys):
    return _all_gradients(loss_fn, w, xs, ys).mean(dim=0).norm()


@gradient_norms.mistake(
    "That is the length of the summed gradient, which is what `backward` on the summed loss "
    "gives. Keep the samples apart with vmap."
)
def _of_the_sum(loss_fn, w, xs, ys):
    return _all_gradients(loss_fn, w, xs, ys).sum(dim=0).norm()


@gradient_norms.mistake("Those are the gradients themselves. Take the length of each row.")
def _no_norm(loss_fn, w, xs, ys):
    return _all_gradients(loss_fn, w, xs, ys)


@gradient_norms.mistake(
    "vmap splits every argument, w too. All samples share it: `in_dims=(None, 0, 0)`."
)
def _weights_split(loss_fn, w, xs, ys):
    return vmap(grad(loss_fn))(w, xs, ys)


@gradient_norms.mistake(
    "An error in torch. Is `grad` outside of `vmap`? It wants one number; the vector of all "
    "losses is none. Take `vmap(grad(...))`."
)
def _grad_of_a_vector(loss_fn, w, xs, ys):
    return grad(lambda w: vmap(loss_fn, in_dims=(None, 0, 0))(w, xs, ys))(w)


gradient_norms.add_hints(
    "Write the gradient for one sample first, as a function of (w, x, y).",
    "`vmap` then runs it for all samples. Which arguments have a row per sample?",
    "`in_dims=(None, 0, 0)` keeps w whole. The result has one row per sample.",
)


# 3. The Jacobian of a layer, both ways


@exercise(
    seconds=20.0,
    minutes=10,
    insight="jacfwd and jacrev are these two lines: products, batched by vmap.",
    next_try="Which of the two needs fewer sweeps for this layer?",
    uses="import torch\nfrom torch.func import jvp, vjp, vmap",
)
def layer_jacobian(weight, bias, x):
    """Return the Jacobian of x -> tanh(weight @ x + bias) twice: from columns and from rows.

    The first is put together from JVPs, one for each input, the second from VJPs, one for each
    output. Both have one row per output and one column per input.

    Examples
    --------
    >>> eye = torch.eye(2)
    >>> layer_jacobian(eye, torch.zeros(2), torch.zeros(2))
    (tensor([[1., 0.],
            [0., 1.]]), tensor([[1., 0.],
            [0., 1.]]))
    """

    def layer(x):
        return torch.tanh(weight @ x + bias)

    outputs, inputs = weight.shape
    input_basis, output_basis = x.new_ones(inputs).diag(), x.new_ones(outputs).diag()
    columns = vmap(lambda v: jvp(layer, (x,), (v,))[1], out_dims=1)(input_basis)
    _, pull_back = vjp(layer, x)
    rows = vmap(lambda u: pull_back(u)[0])(output_basis)
    return columns, rows


@layer_jacobian.cases
def _layers():
    wide = torch.stack([_numbers(1.0, -2.0, 0.5), _numbers(0.5, 1.0, -1.0)])
    square = torch.stack([_numbers(1.0, 2.0), _numbers(-1.0, 0.5)])
    return [
        case(wide, _numbers(0.1, -0.2), _numbers(0.3, 0.2, 0.5), label="3 inputs, 2 outputs"),
        case(square, _numbers(0.0, 0.5), _numbers(0.4, -0.3), label="2 inputs, 2 outputs"),
    ]


@layer_jacobian.mistake(
    "The first is transposed: vmap stacks the columns as rows. Say `out_dims=1`, or transpose."
)
def _columns_as_rows(weight, bias, x):
    columns, rows = layer_jacobian.reference(weight, bias, x)
    return columns.T, rows


@layer_jacobian.mistake("The second is transposed: a VJP gives a row, and rows belong in rows.")
def _rows_as_columns(weight, bias, x):
    columns, rows = layer_jacobian.reference(weight, bias, x)
    return columns, rows.T


@layer_jacobian.mistake("Both are transposed: a row per output and a column per input.")
def _both_transposed(weight, bias, x):
    columns, rows = layer_jacobian.reference(weight, bias, x)
    return columns.T, rows.T


@layer_jacobian.mistake("That is the weight matrix: the slope of tanh is lost.")
def _without_tanh(weight, bias, x):
    return weight, weight


@layer_jacobian.mistake("`jvp` returns (value, tangent). The columns are the tangents.")
def _values_as_columns(weight, bias, x):
    columns, rows = layer_jacobian.reference(weight, bias, x)
    value = torch.tanh(weight @ x + bias)
    return value[:, None].expand_as(columns), rows


@layer_jacobian.method(
    "Right, but `jacfwd`, `jacrev` and their like do the whole exercise. Put the columns together "
    "from JVPs and the rows from VJPs."
)
def _(call):
    ready_made = (torch.func.jacfwd, torch.func.jacrev, torch.func.hessian)
    return not call.calls_of(*ready_made, torch.autograd.functional.jacobian)


@layer_jacobian.method(
    "The numbers are right, but JVPs or VJPs are missing. Put the columns together from JVPs of "
    "the layer, and the rows, anew, from its VJPs."
)
def _(call):
    forward = (torch.autograd.forward_ad.make_dual, torch.autograd.functional.jvp)
    return bool(call.calls_of(*forward)) and bool(call.calls_of("run_backward"))


layer_jacobian.add_hints(
    "Seed a JVP with a unit vector of the input space, and a VJP with one of the output space.",
    "All unit vectors of a space at once are the rows of `torch.eye(3)`, say: vmap over them.",
    "`jvp` wants tuples and returns (value, tangent); what `vjp` returns wants one vector and "
    "gives a tuple.",
)
