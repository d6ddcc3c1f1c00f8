"""Answers that real readers hand in to the exercises of notebook 01."""

import pytest

from autodiff_course import graph
from autodiff_course.exercises import ex01


def _message(one, answer):
    result = one.check(answer)
    assert result.status == "wrong"
    return result.message


def test_hand_values_match_the_graph():
    a, b = graph.Scalar(-1.0), graph.Scalar(3.0)
    assert ex01.two_derivatives.check(graph.gradient((a + b) * (b + 1), (a, b)))


def test_local_derivatives_match_the_graph():
    def from_graph(x, y):
        return (graph.Scalar(x) / graph.Scalar(y)).local_derivatives

    assert ex01.local_derivatives.check(from_graph)


def test_assignment_instead_of_sum_is_seen_even_where_it_crashes_without_paths():
    def answer(paths):
        for path in paths:
            product = 1
            for factor in path:
                product *= factor
            derivative = product
        return derivative

    assert _message(ex01.sum_over_paths, answer).startswith("Only the last path is left.")


def test_a_return_inside_the_loop():
    def answer(paths):
        for path in paths:
            product = 1
            for factor in path:
                product *= factor
            return product

    assert _message(ex01.sum_over_paths, answer).startswith("Only the first path counts.")


def test_the_package_s_own_function_is_right_but_does_not_count():
    result = ex01.count_paths.check(graph.count_paths)
    assert result.status == "other way" and "yours to write" in result.message


def test_walking_along_every_path_takes_too_long():
    def walk(source, target):
        if source is target:
            return 1
        return sum(walk(source, parent) for parent in target.parents)

    result = ex01.count_paths.check(walk, seconds=0.5)
    assert result.input == "from x, 40 times x = x.sin() + x.cos()"
    assert "2^40 paths" in result.message


def test_listing_the_paths_is_refused():
    message = _message(ex01.count_paths, lambda s, t: len(graph.paths(s, t)))
    assert message.startswith("Listing the paths")


# Real code with the real fault: the mistakes of the exercise only imitate it.


def _with_torch(points, *, reset, take, backwards=1):
    import torch

    a, b = torch.zeros((), requires_grad=True), torch.zeros((), requires_grad=True)
    gradients = []
    for a_value, b_value in points:
        with torch.no_grad():
            a.fill_(a_value)
            b.fill_(b_value)
        reset(a)
        reset(b)
        e = (a + b) * (b + 1)
        for _ in range(backwards):
            e.backward(retain_graph=True)
        gradients.append(take(a.grad, b.grad))
    return gradients


def _keep(leaf):
    pass


def _to_none(leaf):
    leaf.grad = None


def _to_zero(leaf):
    if leaf.grad is not None:
        leaf.grad.zero_()


def _numbers(by_a, by_b):
    return by_a.item(), by_b.item()


def _tensors(by_a, by_b):
    return by_a, by_b


def _swapped(by_a, by_b):
    return by_b.item(), by_a.item()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"reset": _keep, "take": _numbers}, "The gradients add up from point to point"),
        ({"reset": _keep, "take": _tensors}, "Every entry is the same tensor `.grad`, to which"),
        ({"reset": _to_zero, "take": _tensors}, "Every entry is the same tensor `.grad`, which"),
        ({"reset": _to_none, "take": _numbers, "backwards": 2}, "Every gradient is doubled"),
        ({"reset": _to_none, "take": _swapped}, "The two are swapped"),
    ],
)
def test_real_mistakes_in_torch(settings, message):
    pytest.importorskip("torch")
    assert _message(
        ex01.fresh_gradients, lambda points: _with_torch(points, **settings)
    ).startswith(message)


@pytest.mark.parametrize(("reset", "take"), [(_to_none, _tensors), (_to_zero, _numbers)])
def test_right_ways_in_torch(reset, take):
    pytest.importorskip("torch")
    assert ex01.fresh_gradients.check(lambda points: _with_torch(points, reset=reset, take=take))
