"""Answers that real readers hand in to the exercises of notebook 06."""

import copy
import re
import warnings

import pytest
import torch
from torch.func import (
    functional_call,
    grad,
    grad_and_value,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    replace_all_batch_norm_modules_,
    vjp,
    vmap,
)

from autodiff_course.exercises import ex06


def _message(one, answer):
    result = one.check(answer)
    assert not result
    return result.message


# training_step


def _by_autograd(loss_fn, parameters, x, y, rate):
    leaves = {name: p.detach().requires_grad_() for name, p in parameters.items()}
    loss, metrics = loss_fn(leaves, x, y)
    loss.backward()
    new = {name: (p - rate * p.grad).detach() for name, p in leaves.items()}
    return new, loss.detach(), metrics


def test_a_step_by_plain_autograd_is_right():
    assert ex06.training_step.check(_by_autograd)


def test_a_step_that_changes_the_callers_dict_or_calls_the_loss_twice_does_not_count():
    def changes(loss_fn, parameters, x, y, rate):
        new, loss, metrics = ex06.training_step.reference(loss_fn, parameters, x, y, rate)
        parameters.update(new)
        return parameters, loss, metrics

    def twice(loss_fn, parameters, x, y, rate):
        new, _, _ = ex06.training_step.reference(loss_fn, parameters, x, y, rate)
        return new, *loss_fn(parameters, x, y)

    def leaves_gradients(loss_fn, parameters, x, y, rate):
        loss, metrics = loss_fn({name: p.requires_grad_() for name, p in parameters.items()}, x, y)
        loss.backward()
        new = {name: (p - rate * p.grad).detach() for name, p in parameters.items()}
        return new, loss.detach(), metrics

    assert "caller's dict" in _message(ex06.training_step, changes)
    assert "caller's dict" in _message(ex06.training_step, leaves_gradients)
    assert "more than once" in _message(ex06.training_step, twice)


# pairwise


def test_a_table_may_be_made_by_columns_first():
    def answer(f, A, B):
        return vmap(vmap(f, (0, None)), (None, 0), out_dims=1)(A, B)

    assert ex06.pairwise.check(answer)


def test_a_loop_over_the_pairs_is_another_way():
    def answer(f, A, B):
        return torch.stack([torch.stack([f(a, b) for b in B]) for a in A])

    assert "more than once" in _message(ex06.pairwise, answer)


# per_sample_gradients, clipped_gradient


def _loop(loss_fn, parameters, xs, ys):
    each = [grad(loss_fn)(parameters, x, y) for x, y in zip(xs, ys, strict=True)]
    return {name: torch.stack([g[name] for g in each]) for name in parameters}


def test_the_jacobian_of_each_loss_is_right_and_that_of_all_losses_or_a_loop_is_another_way():
    def all_losses(loss_fn, parameters, xs, ys):
        return jacrev(lambda p: vmap(loss_fn, (None, 0, 0))(p, xs, ys))(parameters)

    def each_loss(loss_fn, parameters, xs, ys):
        return vmap(jacrev(loss_fn), (None, 0, 0))(parameters, xs, ys)

    assert ex06.per_sample_gradients.check(each_loss)
    assert "N sweeps" in _message(ex06.per_sample_gradients, all_losses)
    assert ex06.per_sample_gradients.use(all_losses) is ex06.per_sample_gradients.reference
    assert "there is a loop" in _message(ex06.per_sample_gradients, _loop)


@pytest.mark.parametrize(
    "in_dims", [(None, 0, 0), ({"w": None, "b": None, "W": None, "v": None}, 0, 0)]
)
def test_in_dims_may_be_written_for_each_parameter(in_dims):
    def answer(loss_fn, parameters, xs, ys):
        first = in_dims[0]
        dims = first and {name: first[name] for name in parameters}
        return vmap(grad(loss_fn), in_dims=(dims, 0, 0))(parameters, xs, ys)

    assert ex06.per_sample_gradients.check(answer)


def test_clipping_sample_by_sample_in_a_loop_is_right():
    def answer(loss_fn, parameters, xs, ys, most):
        total = {name: torch.zeros_like(p) for name, p in parameters.items()}
        for x, y in zip(xs, ys, strict=True):
            g = grad(loss_fn)(parameters, x, y)
            length = torch.cat([part.flatten() for part in g.values()]).norm().item()
            for name in total:
                total[name] += g[name] * most / max(most, length) / len(xs)
        return total

    assert ex06.clipped_gradient.check(answer)


def test_a_small_number_beside_the_length_is_right():
    def answer(loss_fn, parameters, xs, ys, most):
        each = vmap(grad(loss_fn), (None, 0, 0))(parameters, xs, ys)
        lengths = torch.cat([g.flatten(start_dim=1) for g in each.values()], dim=1).norm(dim=1)
        factor = (most / (lengths + 1e-6)).clamp(max=1.0)
        return {name: torch.tensordot(factor, g, 1) / len(xs) for name, g in each.items()}

    assert ex06.clipped_gradient.check(answer)


@pytest.mark.parametrize("out_dims", [0, 1])
def test_an_index_forgotten_is_named(out_dims):
    def pair(f, x):
        if len(x) >= len(f(x)):
            return ex06.fewer_sweeps.reference(f, x)
        basis = torch.eye(len(x), dtype=x.dtype)
        return vmap(lambda v: jvp(f, (x,), (v,)), out_dims=out_dims)(basis)

    def one_entry(f, x):
        value, pull_back = vjp(f, x)
        if len(x) < len(value):
            return ex06.fewer_sweeps.reference(f, x)
        return vmap(pull_back)(torch.eye(len(value), dtype=x.dtype))

    assert "Take `[1]`" in _message(ex06.fewer_sweeps, pair)
    assert "Take `[0]`" in _message(ex06.fewer_sweeps, one_entry)


# pure_call


def _by_a_copy(model, parameters, buffers, x):
    twin = copy.deepcopy(model)
    twin.load_state_dict({**parameters, **buffers})
    return twin(x), dict(twin.named_buffers())


def _without_a_graph(model, parameters, buffers, x):
    with torch.no_grad():
        return ex06.pure_call.reference(model, parameters, buffers, x)


def _detached(model, parameters, buffers, x):
    output, new_buffers = ex06.pure_call.reference(model, parameters, buffers, x)
    return output.detach(), new_buffers


@pytest.mark.parametrize("answer", [_by_a_copy, _without_a_graph, _detached])
def test_a_call_through_which_no_gradient_passes_does_not_count(answer):
    assert "no gradient passes" in _message(ex06.pure_call, answer)


def test_a_copy_of_the_model_whose_tensors_are_replaced_is_right():
    def answer(model, parameters, buffers, x):
        new = {name: buffer.clone() for name, buffer in buffers.items()}
        return functional_call(copy.deepcopy(model), {**parameters, **new}, (x,)), new

    assert ex06.pure_call.check(answer)


def test_an_answer_that_fails_inside_of_grad_does_not_count():
    def deep(model, parameters, buffers, x):
        new = copy.deepcopy(buffers)
        return functional_call(model, (parameters, new), (x,)), new

    assert "`.clone()` on each" in _message(ex06.pure_call, deep)


def test_the_buffers_that_were_given_must_not_change():
    def answer(model, parameters, buffers, x):
        return functional_call(model, {**parameters, **buffers}, x), buffers

    assert "Clone them" in _message(ex06.pure_call, answer)


def test_a_copy_of_the_dict_alone_still_shares_the_tensors():
    def answer(model, parameters, buffers, x):
        new = dict(buffers)
        return functional_call(model, (parameters, new), (x,)), new

    assert "Clone them" in _message(ex06.pure_call, answer)


def test_a_batch_norm_without_its_running_mean_is_another_layer():
    def answer(model, parameters, buffers, x):
        bare = replace_all_batch_norm_modules_(copy.deepcopy(model))
        return functional_call(bare, parameters, (x,)), buffers

    assert _message(ex06.pure_call, answer).startswith("Those are the buffers before the call.")


# ensemble_step


def test_a_loop_over_the_members_is_another_way_and_one_summed_loss_is_right():
    def loop(loss_fn, stacked, x, y, rate):
        members = range(len(next(iter(stacked.values()))))
        done = [
            grad_and_value(loss_fn)({name: p[k] for name, p in stacked.items()}, x, y)
            for k in members
        ]
        new = {
            name: p - rate * torch.stack([g[name] for g, _ in done]) for name, p in stacked.items()
        }
        return new, torch.stack([loss for _, loss in done])

    def summed(loss_fn, stacked, x, y, rate):
        def total(stacked):
            losses = vmap(loss_fn, (0, None, None))(stacked, x, y)
            return losses.sum(), losses

        gradients, losses = grad(total, has_aux=True)(stacked)
        return {name: p - rate * gradients[name] for name, p in stacked.items()}, losses

    def twice(loss_fn, stacked, x, y, rate):
        new, _ = ex06.ensemble_step.reference(loss_fn, stacked, x, y, rate)
        return new, vmap(loss_fn, (0, None, None))(stacked, x, y)

    assert "gives both from one call" in _message(ex06.ensemble_step, twice)
    assert "there is a loop" in _message(ex06.ensemble_step, loop)
    assert ex06.ensemble_step.check(summed)


# fewer_sweeps


def test_jacfwd_and_jacrev_do_the_whole_exercise():
    def answer(f, x):
        return jacfwd(f)(x) if len(x) < len(f(x)) else jacrev(f)(x)

    assert ex06.fewer_sweeps.check(answer).status == "other way"


def test_one_direction_for_all_shapes_is_another_way():
    def rows(f, x):
        value, pull_back = vjp(f, x)
        return vmap(pull_back)(torch.eye(len(value), dtype=x.dtype))[0]

    def columns(f, x):
        return vmap(lambda v: jvp(f, (x,), (v,))[1], out_dims=1)(torch.eye(len(x), dtype=x.dtype))

    assert "JVPs, the columns" in _message(ex06.fewer_sweeps, rows)
    assert "VJPs, the rows" in _message(ex06.fewer_sweeps, columns)


@pytest.mark.parametrize("ahead, right", [(-1, False), (0, True), (1, True)])
def test_as_many_inputs_as_outputs_leave_the_choice_and_one_less_does_not(ahead, right):
    def answer(f, x):
        value, pull_back = vjp(f, x)
        if len(x) < len(value) + ahead:
            basis = torch.eye(len(x), dtype=x.dtype)
            return vmap(lambda v: jvp(f, (x,), (v,))[1], out_dims=1)(basis)
        return vmap(pull_back)(torch.eye(len(value), dtype=x.dtype))[0]

    assert bool(ex06.fewer_sweeps.check(answer)) is right


def test_a_loop_of_products_calls_f_too_often():
    def answer(f, x):
        value, pull_back = vjp(f, x)
        if len(x) > len(value):
            return torch.stack([pull_back(u)[0] for u in torch.eye(len(value), dtype=x.dtype)])
        basis = torch.eye(len(x), dtype=x.dtype)
        return torch.stack([jvp(f, (x,), (v,))[1] for v in basis], dim=1)

    assert "too often" in _message(ex06.fewer_sweeps, answer)


def test_columns_by_linearize_are_right_too():
    def answer(f, x):
        value, pull_back = vjp(f, x)
        if len(x) >= len(value):
            return vmap(pull_back)(torch.eye(len(value), dtype=x.dtype))[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer warns of its own internals
            _, push = linearize(f, x)
        return vmap(push, out_dims=1)(torch.eye(len(x), dtype=x.dtype))

    assert ex06.fewer_sweeps.check(answer)


@pytest.mark.parametrize("rows_where_fewer", [True, False])
def test_linearize_first_is_right_if_the_rows_are_used_where_they_are_fewer(rows_where_fewer):
    def answer(f, x):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer warns of its own internals
            value, push = linearize(f, x)
        if len(x) < len(value) or not rows_where_fewer:
            return vmap(push, out_dims=1)(torch.eye(len(x), dtype=x.dtype))
        return vmap(vjp(f, x)[1])(torch.eye(len(value), dtype=x.dtype))[0]

    if rows_where_fewer:
        assert ex06.fewer_sweeps.check(answer)
    else:
        assert "VJPs, the rows" in _message(ex06.fewer_sweeps, answer)


# tangent_kernel


def test_a_kernel_by_products_is_right():
    def answer(f, parameters, xs):
        value, pull_back = vjp(lambda p: vmap(f, (None, 0))(p, xs), parameters)

        def column(u):
            tangent = pull_back(u)
            return jvp(lambda p: vmap(f, (None, 0))(p, xs), (parameters,), tangent)[1]

        return vmap(column)(torch.eye(len(xs), dtype=value.dtype))

    assert ex06.tangent_kernel.check(answer)


# halving_slopes, log_ratio


def test_a_loop_that_stops_early_for_all_is_right():
    def answer(xs, most):
        def halved(x):
            for _ in range(most):
                x = x * torch.where(x > 1, 0.5, 1.0)
            return x * x

        return vmap(grad(halved))(xs)

    assert ex06.halving_slopes.check(answer)


def test_the_slopes_one_by_one_are_right_but_not_by_vmap():
    def halved(x):
        while x > 1:
            x = x / 2
        return x**2

    def answer(xs, most):
        return torch.stack([grad(halved)(x) for x in xs])

    assert "without `vmap`" in _message(ex06.halving_slopes, answer)


def _ratio(terms, small, log=torch.log1p):
    def answer(xs):
        def ratio(x):
            safe = torch.where(small(x), 1.0, x)
            return torch.where(small(x), terms(x), log(safe) / safe)

        return vmap(ratio)(xs), vmap(grad(ratio))(xs)

    return answer


def _line(x):
    return 1 - x / 2


@pytest.mark.parametrize("threshold", [1e-8, 1e-6, 5e-4])  # rounding below, the fourth term above
def test_three_terms_of_the_series_are_right_on_each_side_of_any_fair_threshold(threshold):
    answer = _ratio(lambda x: 1 - x / 2 + x**2 / 3, lambda x: abs(x) < threshold)
    assert ex06.log_ratio.check(answer)


def test_a_series_taken_too_far_and_a_rounded_sum_are_wrong_at_any_threshold():
    four = _ratio(lambda x: 1 - x / 2 + x**2 / 3 - x**3 / 4, lambda x: abs(x) < 0.1)
    rounded = _ratio(_line, lambda x: abs(x) < 1e-6, lambda x: torch.log(1 + x))
    odd = _ratio(lambda x: 1 - x / 2 + x**2 / 3, lambda x: abs(x) < 0.003)
    assert "too far" in _message(ex06.log_ratio, four)
    assert "log1p" in _message(ex06.log_ratio, rounded)
    assert not ex06.log_ratio.check(odd)


@pytest.mark.parametrize("log", [torch.log1p, lambda x: torch.log(1 + x)])
@pytest.mark.parametrize("small", [lambda x: x == 0, lambda x: abs(x) < 1e-14])
def test_a_guard_at_0_alone_is_told_of_the_cancellation_beside_it(small, log):
    assert "cancel" in _message(ex06.log_ratio, _ratio(_line, small, log))


def test_a_line_taken_too_far_is_wrong_and_formulas_by_hand_are_another_way():
    def by_hand(xs):
        small = abs(xs) < 1e-4
        safe = torch.where(small, 1.0, xs)
        slopes = (safe / (1 + safe) - torch.log1p(safe)) / safe**2
        values = torch.where(small, 1 - xs / 2, torch.log1p(safe) / safe)
        return values, torch.where(small, -0.5 + 2 * xs / 3, slopes)

    assert "2x/3" in _message(ex06.log_ratio, _ratio(_line, lambda x: abs(x) < 1e-2))
    assert "automatic differentiation" in _message(ex06.log_ratio, by_hand)


# The drills


@pytest.mark.parametrize("seed", range(20))
def test_the_answer_to_a_drill_is_what_torch_does(seed):
    problem = ex06.drill_shape.problem(seed)
    shapes, call = problem.question.split("What is")
    a, b = re.findall(r"has shape (\([\d, ]+\))", shapes)
    names = {"torch": torch, "vmap": vmap, "A": torch.zeros(eval(a)), "B": torch.zeros(eval(b))}
    assert tuple(eval(call.split("`")[1], names).shape) == problem.answer


@pytest.mark.parametrize("seed", range(5))
def test_the_bytes_of_a_drill_are_those_of_torch(seed):
    problem = ex06.drill_bytes.problem(seed)
    words = problem.question.replace(",", "").split()
    inputs, hidden, _ = map(int, words[2].split("-"))
    layers = [torch.nn.Linear(inputs, hidden), torch.nn.Linear(hidden, 1)]
    weights = sum(p.numel() for layer in layers for p in layer.parameters())
    assert problem.answer == int(words[5]) * weights * 8


def test_drills_have_an_answer():
    for one in (ex06.drill_shape, ex06.drill_bytes, ex06.drill_sweeps):
        assert "✎" in str(one())
