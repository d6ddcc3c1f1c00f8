"""The minimisers that notebook 09 compares, and how their work is counted."""

import pytest
import torch

from autodiff_course.sparse import prepare_hessian
from autodiff_course.work import Count, Counter, by_lbfgs, by_newton_cg, prices

N = 30


def chain(z, pull):
    return (z.diff() ** 2).sum() + (z**4).sum() + (z**2).sum() - (pull * z).sum()


@pytest.fixture(scope="module")
def hessian():
    z = torch.zeros(N, dtype=torch.float64)
    return prepare_hessian(chain, z, args=(z,))


def counter_of(hessian, pull):
    z = torch.zeros(N, dtype=torch.float64)
    return Counter(
        hessian, (pull,), lambda g: g.abs().max().item(), prices(hessian, z, args=(pull,))
    )


def test_views_count_nothing_and_every_result_of_an_operation_counts():
    x = torch.ones(4, 3)
    with Count() as count:
        x.T[1:].clone()
    assert count.numbers == 8
    with Count() as count:
        torch.sort(x, dim=1)
    assert count.numbers == 24


def test_prices_are_the_counts_of_the_calls_over_that_of_a_gradient(hessian):
    z = torch.zeros(N, dtype=torch.float64)
    found = prices(hessian, z, args=(z,))
    with Count() as one:
        hessian.value_and_gradient(z, (z,))
    with Count() as other:
        hessian.product(z, torch.ones(N, dtype=torch.float64), (z,))
    assert found["gradient"] == 1
    assert found["product"] == other.numbers / one.numbers
    assert found["all three"] > 2 > 1 > found["value"] > 0


@pytest.mark.parametrize("method", [by_lbfgs, by_newton_cg])
def test_a_method_stops_at_its_goal_and_its_work_is_the_sum_of_its_calls(hessian, method):
    pull = torch.cos(torch.arange(N, dtype=torch.float64))
    counter = counter_of(hessian, pull)
    start = torch.ones(N, dtype=torch.float64)
    method(counter, start, 1e-7)
    assert torch.equal(start, torch.ones(N, dtype=torch.float64))
    assert counter.notes[-1][1] < 1e-7
    assert counter.gradients == len(counter.notes) > 3
    assert (counter.products > 0) == (method is by_newton_cg)
    own = counter.gradients + counter.products * counter.prices["product"]
    assert counter.work == pytest.approx(own)


def test_a_newton_step_is_noted_as_all_three_and_takes_other_arguments(hessian):
    zero, pull = torch.zeros(2, N, dtype=torch.float64).unbind()
    counter = counter_of(hessian, pull)
    z = torch.ones(N, dtype=torch.float64)
    value, gradient, matrix = counter.value_gradient_hessian(z, (zero,))
    assert value == counter.value(z) == 2 * N
    assert (matrix.toarray() == hessian(z, (zero,)).toarray()).all()
    assert counter.notes == [(counter.prices["all three"], gradient.abs().max().item())]
    assert counter.work == counter.prices["all three"] + counter.prices["value"]
