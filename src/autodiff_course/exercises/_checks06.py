"""What answers to the exercises of notebook 06 are tried on, and which way they must go."""

from __future__ import annotations

import torch
from torch import nn
from torch.func import grad, vmap
from torch.utils.flop_counter import FlopCounterMode

from . import _networks06 as networks
from ._tensors import numbers, rows
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
from .framework import case
from .running import Raised, call


@training_step.cases
def _steps():
    line = {"slope": numbers(1.0)[0], "offset": numbers(0.5)[0]}
    bent = {"weight": numbers(1.0, -2.0)}
    points = torch.stack([numbers(1.0, 0.5), numbers(-1.0, 2.0), numbers(0.0, 1.5)])
    xs, ys = numbers(0.0, 1.0, 2.0), numbers(1.0, 3.0, 4.0)
    return [
        case(networks.line_fit, line, xs, ys, 0.125, label="a line through three points, rate 1/8"),
        case(
            networks.bent_fit, bent, points, ys, 0.5, label="a tanh layer on three points, rate 1/2"
        ),
    ]


@training_step.method(
    "`loss_fn` is called more than once. `grad_and_value` gives all from one call."
)
def _(call):
    return call.calls_of(call.given[0]) == 1


@training_step.method("The caller's dict or tensors are changed. Make new ones.")
def _leaves_the_parameters(call):
    tensors = call.arguments[1].values()
    return call.unchanged and not any(p.requires_grad or p.grad is not None for p in tensors)


@pairwise.cases
def _tables():
    A = rows((1.0, 2.0), (0.5, -1.0), (3.0, 0.0))
    B = rows((1.0, -1.0), (0.0, 2.0))
    square = rows((0.3, 0.2), (-0.4, 1.0), (0.1, 0.7))
    return [
        case(networks.one_sided, A, B, label="the sum of |a - 2 b|, 3 rows and 2 rows"),
        case(networks.bent, A, square, label="tanh(a·b) + a₀ b₀², 3 rows and 3 rows"),
    ]


@pairwise.method("f is called more than once: let two vmaps do the loops, one inside of the other.")
def _one_call(call):
    return call.calls_of(call.given[0]) == 1


# per_sample_gradients


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


@per_sample_gradients.method(
    "`loss_fn` is called more than once: there is a loop. Let vmap walk through the samples."
)
def _one_run(call):
    return call.calls_of(call.given[0]) == 1


@per_sample_gradients.trial(status="other way")
def _one_sweep_for_each(answer):
    arguments = _sample_cases()[1].arguments
    products = []
    for way in (per_sample_gradients.reference, answer):
        with FlopCounterMode(display=False) as counter:
            way(*arguments)
        products.append(counter.get_total_flops())
    if products[1] <= 2 * products[0]:
        return ""
    return (
        "The values are right, but this is N sweeps through all N samples. A sample's loss depends "
        "on no other sample: take `vmap(grad(...))`."
    )


@clipped_gradient.cases
def _clipped_cases():
    line = {"w": numbers(1.0, -1.0), "b": numbers(0.5)}
    xs, ys = networks.samples()
    ys[1] = networks.line(line, xs[1])
    fitted = case(networks.half_square, line, xs, ys, 2.0, label="4 samples, one of them fitted")
    return [*_sample_cases(2.0), *_sample_cases(0.1)[1:], fitted]


@pure_call.cases
def _modules():
    return [
        case(*networks.normed(lambda: nn.BatchNorm1d(2)), label="BatchNorm1d(2) on 3 samples"),
        case(
            *networks.normed(lambda: nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Tanh())),
            label="Linear(2, 3), BatchNorm1d(3), Tanh on 3 samples",
        ),
    ]


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


@pure_call.trial()
def _inside_grad(answer):
    model, parameters, buffers, x = networks.normed(lambda: nn.BatchNorm1d(2))

    def loss(parameters, buffers):
        output, new_buffers = answer(model, parameters, buffers, x)
        return output.sum(), new_buffers

    outcome = call(grad(loss, has_aux=True), (parameters, buffers))
    if not isinstance(outcome, Raised):
        return ""
    if "storage of TensorWrapper" in outcome.text:
        return "Inside of `grad`, `deepcopy` cannot copy a wrapped tensor. Use `.clone()` on each."
    return f"Right by itself, but inside of `grad` it raises {outcome}"


# ensemble_step


def _equal(one, other):
    return torch.equal(one, other) if torch.is_tensor(one) else one == other


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


def _which_calls(call):
    if call.calls_of(call.given[0]) == 2 < len(call.value[1]):
        return "`loss_fn` is called twice. `grad_and_value` gives both from one call."
    return "`loss_fn` is called more than once: there is a loop. Let vmap walk through the members."


@ensemble_step.method(_which_calls)
def _one_run_for_all(call):
    return call.calls_of(call.given[0]) == 1


@fewer_sweeps.cases
def _maps():
    x = numbers(1.0, 2.0, -0.5)
    return [
        case(networks.tall, x, label="3 inputs, 7 outputs"),
        case(networks.one_more, x.clone(), label="3 inputs, 4 outputs"),
        case(networks.wide, x.clone(), label="3 inputs, 2 outputs"),
        case(networks.square_map, x[:2], label="f(x) = x · x[0], 2 inputs"),
    ]


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
    # linearize uses forward mode itself, and gives the number of outputs as well as vjp does
    forward = call.calls_of(*_FORWARD) and not call.calls_of(torch.func.linearize)
    return bool(call.calls_of("run_backward")) and not forward


@fewer_sweeps.method("f is called too often: let one vmap run all sweeps at once.")
def _few_calls(call):
    most = 3 if call.calls_of(torch.func.linearize) else 2  # it runs f twice itself
    return call.calls_of(call.given[0]) <= most


@tangent_kernel.cases
def _kernels():
    (_, line, xs, *_), (_, net, *_) = (one.arguments for one in _sample_cases())
    return [
        case(networks.line, line, xs, label="a line, 4 samples"),
        case(networks.net, net, xs.clone(), label="a small network, 4 samples"),
    ]


@log_ratio.cases
def _near_zero():
    return [
        case(numbers(0.0, 1.0)),
        case(numbers(-0.5, 0.0, 0.25, 2.0)),
        *(case(_decade(k)) for k in range(-16, 0)),
    ]


def _decade(k):
    """Return 8 numbers between 10^k and 10^(k+1), none on a border, and their negatives."""
    found = 10 ** (k + (torch.arange(8, dtype=torch.float64) + 0.5) / 8)
    return torch.cat([found, -found])


@log_ratio.method("Right, but not by automatic differentiation: let `grad` find the slopes.")
def _by_autodiff(call):
    return bool(call.calls_of("run_backward", *_FORWARD))


@halving_slopes.cases
def _starts():
    return [case(numbers(0.5, 3.0), 5), case(numbers(1.0, 9.0, -2.0, 1.5, 1e12), 40)]


@halving_slopes.method("Right, but without `vmap`: run all entries at once, by `vmap(grad(...))`.")
def _by_vmap(call):
    return call.calls_of(vmap) >= 1
