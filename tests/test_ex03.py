"""Answers that real readers hand in to the exercises of notebook 03."""

import math

import pytest
import torch
import torch.utils.checkpoint
from torch.autograd.graph import saved_tensors_hooks

from autodiff_course.exercises import ex03


def _message(one, answer):
    result = one.check(answer)
    assert not result
    return result.message


# 1. saved_bytes


def _counting_storages(hand_on):
    """Make a count that keeps the storages, and hands each tensor on in this way."""

    def answer(f, *inputs):
        storages = []

        def put_away(tensor):
            if all(tensor.untyped_storage().data_ptr() != s.data_ptr() for s in storages):
                storages.append(tensor.untyped_storage())
            return hand_on(tensor)

        with saved_tensors_hooks(put_away, lambda tensor: tensor):
            f(*inputs)
        return sum(storage.nbytes() for storage in storages)

    return answer


@pytest.mark.parametrize("hand_on", [torch.Tensor.detach, lambda tensor: tensor.data])
def test_saved_bytes_may_keep_the_storages_themselves(hand_on):
    assert ex03.saved_bytes.check(_counting_storages(hand_on))


def test_a_hook_that_keeps_a_result_with_its_graph_is_told_to_detach_it():
    message = _message(ex03.saved_bytes, _counting_storages(lambda tensor: tensor))
    assert "lives on after you returned" in message


def test_a_hook_that_lets_its_tensors_go_is_told_why_the_count_is_wrong():
    def answer(f, *inputs):
        sizes = {}

        def put_away(tensor):
            storage = tensor.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes()

        with saved_tensors_hooks(put_away, lambda tensor: tensor):
            f(*inputs)
        return sum(sizes.values())

    assert "let go before you counted" in _message(ex03.saved_bytes, answer)


def test_every_storage_has_a_size_of_its_own():
    def answer(f, *inputs):
        storages = {}

        def put_away(tensor):
            storages[tensor.untyped_storage().data_ptr()] = tensor.detach()
            return tensor.detach()

        with saved_tensors_hooks(put_away, lambda tensor: tensor):
            f(*inputs)
        return len(storages) * inputs[0].nbytes

    assert ex03.saved_bytes.check(answer).status == "wrong"


def test_bytes_of_inputs_and_result_are_not_what_is_kept():
    def answer(f, *inputs):
        return f(*inputs).nbytes + sum(x.nbytes for x in inputs)

    assert ex03.saved_bytes.check(answer).status == "wrong"


# 3. gradient_with_checkpoints


def _plain(layer, x, length, segment, adjoint):
    start = x.detach().clone().requires_grad_()
    y = start
    for _ in range(length):
        y = layer(y)
    return torch.autograd.grad(y, start, adjoint)[0]


def test_a_gradient_without_checkpoints_is_right_in_value_and_does_not_count():
    assert "more is held" in _message(ex03.gradient_with_checkpoints, _plain)


def test_starts_may_be_found_by_slicing_a_list_of_all_states_only_if_they_are_let_go():
    def holds_all(layer, x, length, segment, adjoint):
        states = [x.detach()]
        with torch.no_grad():
            for _ in range(length - segment):
                states.append(layer(states[-1]))
        for start in reversed(states[::segment]):
            y = start.detach().requires_grad_()
            z = y
            for _ in range(segment):
                z = layer(z)
            (adjoint,) = torch.autograd.grad(z, y, adjoint)
        return adjoint

    assert "more is held" in _message(ex03.gradient_with_checkpoints, holds_all)


def test_checkpoints_may_use_backward_and_grad():
    def answer(layer, x, length, segment, adjoint):
        starts, y = [], x.detach()
        with torch.no_grad():
            for number in range(length - segment):
                if number % segment == 0:
                    starts.append(y)
                y = layer(y)
        starts.append(y)
        del y
        for _ in range(length // segment):
            start = starts.pop().clone().requires_grad_()
            z = start
            for _ in range(segment):
                z = layer(z)
            z.backward(adjoint)
            adjoint = start.grad
        return adjoint

    assert ex03.gradient_with_checkpoints.check(answer)


@pytest.mark.parametrize("detached", [True, False])
def test_checkpoints_may_use_a_vjp_whose_adjoint_carries_no_graph(detached):
    def answer(layer, x, length, segment, adjoint):
        starts, y = [], x.detach()
        with torch.no_grad():
            for number in range(length - segment):
                if number % segment == 0:
                    starts.append(y)
                y = layer(y)
        starts.append(y)
        del y

        def run(y):
            for _ in range(segment):
                y = layer(y)
            return y

        while starts:
            _, pull = torch.func.vjp(run, starts.pop())
            adjoint = pull(adjoint)[0]  # it could be differentiated in the layer's weight
            adjoint = adjoint.detach() if detached else adjoint
            del _, pull
        return adjoint

    if detached:
        assert ex03.gradient_with_checkpoints.check(answer)
    else:
        assert "still carry a graph" in _message(ex03.gradient_with_checkpoints, answer)


def test_the_checkpoint_of_pytorch_is_not_the_exercise():
    def answer(layer, x, length, segment, adjoint):
        def run(y):
            for _ in range(segment):
                y = layer(y)
            return y

        y = start = x.detach().clone().requires_grad_()
        for _ in range(length // segment - 1):
            y = torch.utils.checkpoint.checkpoint(run, y, use_reentrant=False)
        return torch.autograd.grad(run(y), start, adjoint)[0]

    assert "Write it yourself" in _message(ex03.gradient_with_checkpoints, answer)


def test_running_ahead_through_the_last_segment_is_noticed():
    def answer(layer, x, length, segment, adjoint):
        with torch.no_grad():
            y = x
            for _ in range(length):
                y = layer(y)
        return ex03.gradient_with_checkpoints.reference(layer, x, length, segment, adjoint)

    assert "too many layers run" in _message(ex03.gradient_with_checkpoints, answer)


# 4. best_segment


def test_a_loop_from_above_finds_the_segment_too():
    def answer(length, budget):
        for s in range(length, 0, -1):
            if not length % s and length / s + s - 1 <= budget:
                return s

    assert ex03.best_segment.check(answer)


def test_the_square_root_is_not_the_answer():
    assert not ex03.best_segment.check(lambda length, budget: math.isqrt(length))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda length, budget: None, "none fits"),
        (
            lambda length, budget: max(
                (
                    s
                    for s in range(1, math.isqrt(length) + 1)
                    if length % s == 0 and length // s + s - 1 <= budget
                ),
                default=None,
            ),
            "up to the square root only",
        ),
    ],
)
def test_a_wrong_none_and_a_short_search_have_messages_of_their_own(answer, message):
    assert message in _message(ex03.best_segment, answer)


# 5. gradient_by_halving


def test_halving_needs_no_recursion():
    def answer(layer, x, length, adjoint):
        parts = [(x.detach(), length)]
        while parts:
            start, count = parts.pop()
            if count == 1:
                start = start.clone().requires_grad_()
                (adjoint,) = torch.autograd.grad(layer(start), start, adjoint)
                continue
            middle = start
            with torch.no_grad():
                for _ in range(count // 2):
                    middle = layer(middle)
            parts += [(start, count // 2), (middle, count - count // 2)]
            del middle, start
        return adjoint

    assert ex03.gradient_by_halving.check(answer)


def test_a_plain_gradient_holds_too_much_to_count_as_halving():
    def answer(layer, x, length, adjoint):
        return _plain(layer, x, length, length, adjoint)

    assert "swept whole" in _message(ex03.gradient_by_halving, answer)


@pytest.mark.parametrize("last", [2, 3, 8])
def test_halving_goes_on_to_single_layers(last):
    def answer(layer, x, length, adjoint):
        if length <= last:
            return _plain(layer, x, length, length, adjoint)
        half, middle = length // 2, x
        with torch.no_grad():
            for _ in range(half):
                middle = layer(middle)
        adjoint = answer(layer, middle, length - half, adjoint)
        del middle
        return answer(layer, x, half, adjoint)

    assert "swept whole" in _message(ex03.gradient_by_halving, answer)


# 6. four_gradients


@pytest.mark.parametrize("answer", [[18, 12, 6, 9], torch.tensor([18.0, 12.0, 6.0, 9.0])])
def test_four_gradients_may_come_as_a_list_or_a_tensor(answer):
    assert ex03.four_gradients.check(answer)


def test_the_four_gradients_are_those_that_pytorch_gives():
    def left(program):
        x = torch.tensor(3.0, requires_grad=True)
        program(x)
        return x.grad.item()

    def b(x):
        y = x * x
        y.backward(retain_graph=True)
        y.backward()

    def c(x):
        y = x * x
        (y.detach() + y).backward()

    def d(x):
        with torch.no_grad():
            k = x * x
        (k * x).backward()

    found = tuple(left(one) for one in (lambda x: (x.detach() * x * x).backward(), b, c, d))
    assert found == (18.0, 12.0, 6.0, 9.0) == ex03.four_gradients.reference()


# 2. network_bytes


def test_the_network_keeps_what_the_exercise_says():
    W, b = torch.rand(20, 50, requires_grad=True), torch.rand(50, requires_grad=True)
    inputs, targets = torch.rand(64, 20), torch.rand(64, 50)

    def loss():
        return ((torch.tanh(inputs @ W + b) - targets) ** 2).mean()

    assert ex03.saved_bytes.reference(loss) == ex03.network_bytes.reference()


# 7. and 8.


def test_a_closed_form_of_the_frozen_norm_is_right():
    assert ex03.gradient_with_frozen_norm.check(lambda w, data: data.sum(1) / w.norm())


def test_descent_may_use_an_optimiser_if_it_leaves_nothing_behind():
    def answer(f, x, rate, steps):
        optimiser, values = torch.optim.SGD([x], lr=rate), []
        for _ in range(steps):
            optimiser.zero_grad()
            value = f(x)
            value.backward()
            optimiser.step()
            values.append(value.item())
        x.grad = None
        return values

    assert ex03.descend_in_place.check(answer)


def test_a_new_tensor_in_the_place_of_x_is_noticed():
    def answer(f, x, rate, steps):
        values = []
        for _ in range(steps):
            value = f(x)
            (gradient,) = torch.autograd.grad(value, x)
            x = (x - rate * gradient).detach().requires_grad_()
            values.append(value.item())
        return values

    assert "x itself does not hold" in _message(ex03.descend_in_place, answer)


def test_an_update_behind_the_version_counter_is_told_apart():
    def answer(f, x, rate, steps):
        values = []
        for _ in range(steps):
            value = f(x)
            (gradient,) = torch.autograd.grad(value, x)
            x.data -= rate * gradient
            values.append(value.item())
        x.grad = None
        return values

    assert "version counter" in _message(ex03.descend_in_place, answer)


def test_steps_on_a_private_copy_are_not_blamed_on_data():
    def answer(f, x, rate, steps):
        copy = x.detach().clone().requires_grad_()
        values = ex03.descend_in_place.reference(f, copy, rate, steps)
        with torch.no_grad():
            x.copy_(copy)
        x.grad = None
        return values

    message = _message(ex03.descend_in_place, answer)
    assert "fewer changes than there are steps" in message and "hid" not in message


def test_two_wrong_letters_are_both_named():
    message = _message(ex03.four_gradients, (9.0, 12.0, 6.0, 27.0))
    assert "a: one factor" in message and "d: k is only a number" in message


def test_only_one_of_three_factors_is_detached():
    assert "Two are left" in _message(ex03.four_gradients, (9.0, 12.0, 6.0, 9.0))


def test_the_value_is_not_the_gradient_of_the_frozen_norm():
    def answer(w, data):
        return ((w / w.norm()) @ data).sum()

    assert "That is the value" in _message(ex03.gradient_with_frozen_norm, answer)


def test_inputs_that_are_kept_count():
    def answer(f, *inputs):
        sizes, own = {}, {x.untyped_storage().data_ptr() for x in inputs}

        def put_away(tensor):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                sizes[storage.data_ptr()] = storage.nbytes()
            return tensor.detach()

        with saved_tensors_hooks(put_away, lambda tensor: tensor):
            result = f(*inputs)
        del result
        return sum(sizes.values())

    assert "inputs count too" in _message(ex03.saved_bytes, answer)
