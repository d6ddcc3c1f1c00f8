"""Answers that real readers hand in to the exercises of notebook 07."""

import doctest
import math
import re

import pytest
import torch
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp

from autodiff_course.exercises import ex07, functions07
from autodiff_course.exercises.functions07 import ORDERS, faulty, telltale


def _numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


def _check(f, x):
    pieces = ex07.difference_along.reference, ex07.second_along.reference
    return ex07.check_second_derivative.reference(f, x, *pieces)


def test_the_examples_of_the_faulty_functions_are_true():
    assert doctest.testmod(functions07).failed == 0


# 1. difference_along


def test_a_step_that_is_not_short_enough_is_no_answer():
    def answer(function, x, v):
        return (function(x + 1e-2 * v) - function(x - 1e-2 * v)) / 2e-2

    assert not ex07.difference_along.check(answer)


def test_moving_x_in_place_is_noticed():
    def answer(function, x, v):
        result = ex07.difference_along.reference(function, x, v)
        x += 1e-5 * v
        return result

    assert "changed" in ex07.difference_along.check(answer).message


def test_moving_x_there_and_back_is_noticed_by_the_last_bit():
    def answer(function, x, v):
        x += 1e-5 * v
        up = function(x)
        x -= 2e-5 * v
        down = function(x)
        x += 1e-5 * v
        return (up - down) / 2e-5

    assert "changed" in ex07.difference_along.check(answer).message


def test_a_difference_for_each_variable_is_too_many():
    def answer(function, x, v):
        h = 1e-5 * torch.eye(x.numel()).to(x).reshape(-1, *x.shape)
        parts = [(function(x + e) - function(x - e)) / 2e-5 for e in h]
        return sum(part * c for part, c in zip(parts, v.flatten(), strict=True))

    assert not ex07.difference_along.check(answer)


# 2. curvature


def _by_autograd(f, x):
    x = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(f(x), x, create_graph=True)
    return x, g


def _in_pieces(f, x, u, v, order):
    if order == "forward over reverse":
        return (u * jvp(grad(f), (x,), (v,))[1]).sum().item()
    if order == "reverse over reverse":
        x, g = _by_autograd(f, x)
        return float((torch.autograd.grad((g * v).sum(), x)[0] * u).sum())
    if order == "reverse over forward":
        _, pull_back = vjp(lambda x: jvp(f, (x,), (v,))[1], x)
        return (pull_back(torch.ones(()).double())[0] * u).sum().item()
    return jvp(lambda x: jvp(f, (x,), (v,))[1], (x,), (u,))[1].item()


def test_four_branches_and_the_older_autograd_are_right():
    result = ex07.second_along.check(_in_pieces)
    assert result, result


def test_a_whole_hessian_in_the_right_order_is_another_way():
    ways = {"forward": jacfwd, "reverse": jacrev}

    def answer(f, x, u, v, order):
        outer, inner = order.split(" over ")
        matrix = ways[outer](ways[inner](f))(x).reshape(x.numel(), x.numel())
        return (u.flatten() @ matrix @ v.flatten()).item()

    result = ex07.second_along.check(answer)
    assert result.status == "other way" and "whole Hessian" in result.message


def test_a_product_of_vectors_alone_is_not_right_for_a_matrix():
    def answer(f, x, u, v, order):
        outer, inner = order.split(" over ")

        def slope(x):
            return jvp(f, (x,), (u,))[1] if inner == "forward" else grad(f)(x) @ u

        return (jvp(slope, (x,), (v,))[1] if outer == "forward" else grad(slope)(x) @ v).item()

    assert not ex07.second_along.check(answer)


def test_each_order_of_the_telltale_gives_another_number():
    point = _numbers(0.5, 2.0), _numbers(1.0, 1.0), _numbers(1.0, -2.0)
    found = {ex07.second_along.reference(telltale, *point, order) for order in ORDERS}
    assert len(found) == 4


# 3. check_second_derivative


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("gradient", "wrong unknown unknown unknown unknown"),
        ("forward rule", "right right right wrong wrong"),
        ("all orders", "right wrong wrong wrong wrong"),
        ("balanced", "right wrong wrong wrong wrong"),
        ("twisted", "right wrong wrong wrong wrong"),
        ("no forward rule", "right fails right fails fails"),
    ],
)
def test_the_check_finds_a_fault_that_was_put_in(fault, expected):
    said = _check(faulty(fault), _numbers(0.5, -1.0, 2.0, 1.5))
    assert [said["gradient"], *(said[order] for order in ORDERS)] == expected.split()


def test_a_check_with_vectors_in_the_place_of_numbers_is_right():
    def answer(f, x, difference_along, second_along):
        u, v = torch.rand_like(x) - 0.5, torch.rand_like(x) - 0.5
        g, said = grad(f), {}

        def same(a, b):
            return bool(torch.isclose(torch.as_tensor(a, dtype=b.dtype), b, rtol=1e-5, atol=1e-6))

        good = same((g(x) * v).sum(), difference_along(f, x, v))
        for order in ORDERS:
            try:
                right = same(second_along(f, x, u, v, order), (u * difference_along(g, x, v)).sum())
            except RuntimeError:
                said[order] = "fails" if good else "unknown"
            else:
                said[order] = ("right" if right else "wrong") if good else "unknown"
        return said | {"gradient": "right" if good else "wrong"}

    result = ex07.check_second_derivative.check(answer)
    assert result, result


def test_only_one_order_looked_at_is_not_enough():
    def answer(f, x, difference_along, second_along):
        said = ex07.check_second_derivative.reference(f, x, difference_along, second_along)
        return said | dict.fromkeys(ORDERS, said[ORDERS[0]])

    assert not ex07.check_second_derivative.check(answer)


def test_a_check_that_always_says_right_is_not_believed():
    def answer(f, x, difference_along, second_along):
        return dict.fromkeys(["gradient", *ORDERS], "right")

    assert not ex07.check_second_derivative.check(answer)


# 4. flat_product


def _flat(tree, parameters):
    return torch.cat([tree[name].reshape(-1) for name in parameters])


def _as_dict(v, parameters):
    result, start = {}, 0
    for name, tensor in parameters.items():
        result[name] = v[start : start + tensor.numel()].reshape(tensor.shape)
        start += tensor.numel()
    return result


def _double_backward(loss, parameters, v):
    own = {name: tensor.clone().requires_grad_() for name, tensor in parameters.items()}
    settings = {"create_graph": True, "materialize_grads": True}
    g = torch.autograd.grad(loss(own), list(own.values()), **settings)
    along = sum((a * b).sum() for a, b in zip(g, _as_dict(v, own).values(), strict=True))
    found = torch.autograd.grad(along, list(own.values()), materialize_grads=True)
    return torch.cat([one.reshape(-1) for one in found])


@pytest.mark.parametrize(
    "right",
    [
        lambda loss, p, v: _flat(vjp(grad(loss), p)[1](_as_dict(v, p))[0], p),
        lambda loss, p, v: _flat(
            grad(lambda q: jvp(loss, (q,), (_as_dict(v, p),))[1])(p),
            p,
        ),
        lambda loss, p, v: jvp(grad(lambda x: loss(_as_dict(x, p))), (_flat(p, p),), (v,))[1],
        _double_backward,
    ],
)
def test_every_way_to_one_product_is_right(right):
    result = ex07.flat_product.check(right)
    assert result, result


def _by_columns(loss, p, v):
    flat = _flat(p, p)

    def gradient(x):
        return grad(lambda x: loss(_as_dict(x, p)))(x)

    return torch.stack([jvp(gradient, (flat,), (e,))[1] for e in torch.eye(len(v)).to(v)]) @ v


@pytest.mark.parametrize(
    "dense",
    [
        lambda loss, p, v: hessian(lambda x: loss(_as_dict(x, p)))(_flat(p, p)) @ v,
        lambda loss, p, v: (
            torch.autograd.functional.hessian(lambda x: loss(_as_dict(x, p)), _flat(p, p)) @ v
        ),
        _by_columns,
    ],
)
def test_no_way_over_the_whole_hessian_counts(dense):
    result = ex07.flat_product.check(dense)
    assert result.status == "other way" and "whole Hessian" in result.message


# 5. newton_cg_step


def test_a_step_by_solve_is_not_one_of_products():
    def answer(product, g, tolerance, most):
        h = torch.stack([product(e) for e in torch.eye(len(g)).to(g)])
        return torch.linalg.solve(h, -g), "solved"

    assert not ex07.newton_cg_step.check(answer)


def test_a_step_with_names_and_signs_of_a_book_is_right():
    def answer(product, g, tolerance, most):
        z, r, d, passes = torch.zeros_like(g), g.clone(), -g.clone(), 0
        while passes < most:
            passes += 1
            hd = product(d)
            kappa = torch.dot(d, hd).item()
            if kappa <= 0:
                return (-g if passes == 1 else z), "negative curvature"
            old = torch.dot(r, r).item()
            alpha = old / kappa
            z += alpha * d
            r += alpha * hd
            if torch.linalg.vector_norm(r) <= tolerance * torch.linalg.vector_norm(g):
                return z, "solved"
            d = -r + torch.dot(r, r).item() / old * d
        return z, "most products"

    result = ex07.newton_cg_step.check(answer)
    assert result, result


def test_two_products_in_a_pass_are_told():
    def answer(product, g, tolerance, most):
        def twice(d):
            product(d)
            return product(d)

        return ex07.newton_cg_step.reference(twice, g, tolerance, most)

    assert ex07.newton_cg_step.check(answer).status == "other way"


def test_a_step_goes_downhill_whatever_the_matrix_is():
    random = torch.Generator().manual_seed(0)
    for _ in range(200):
        a = torch.randn(5, 5, generator=random, dtype=torch.float64)
        g = torch.randn(5, generator=random, dtype=torch.float64)
        s, _ = ex07.newton_cg_step.reference(lambda d, a=a: (a + a.T) @ d, g, 1e-6, 5)
        assert g @ s < 0


def test_a_tight_step_solves_the_equation():
    a = torch.randn(6, 6, dtype=torch.float64)
    h, g = a @ a.T + torch.eye(6), torch.randn(6, dtype=torch.float64)
    s, why = ex07.newton_cg_step.reference(lambda d: h @ d, g, 1e-12, 50)
    assert why == "solved" and torch.allclose(h @ s, -g)


# 6. backtrack


def test_a_search_while_f_is_too_large_is_told_about_its_nan():
    def answer(f, x, step, slope):
        t, start = 1.0, f(x)
        while f(x + t * step) > start + 1e-4 * t * slope:
            t /= 2
            if t <= 1e-9:
                return 0.0
        return t

    assert "NaN" in ex07.backtrack.check(answer).message


def test_a_for_loop_over_powers_of_two_is_right():
    def answer(f, x, step, slope):
        for k in range(30):
            t = 0.5**k
            if f(x + t * step) - f(x) <= 1e-4 * t * slope:
                return t
        return 0.0

    assert ex07.backtrack.check(answer)


def test_a_search_that_moves_x_is_not_right():
    def answer(f, x, step, slope):
        start, t = f(x).item(), 1.0
        while t > 1e-9:
            x += t * step
            if f(x) <= start + 1e-4 * t * slope:
                return t
            t /= 2
        return 0.0

    assert not ex07.backtrack.check(answer)


# 7. and 8. power iteration


def test_other_norms_and_a_tensor_are_right():
    def answer(product, v, steps):
        v = v.clone()
        for _ in range(steps):
            v /= torch.sqrt(v @ v)
            w = product(v)
            found = v @ w
            v = w
        return found

    assert ex07.largest_curvature.check(answer)


def test_the_dense_matrix_takes_more_products_or_other_numbers():
    def answer(product, v, steps):
        h = torch.stack([product(e) for e in torch.eye(len(v)).to(v)])
        values = torch.linalg.eigvalsh(h)
        return values[values.abs().argmax()].item()

    assert not ex07.largest_curvature.check(answer)


def test_power_iteration_finds_the_ends_of_the_spectrum():
    a = torch.randn(6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    h, v = a @ a.T, torch.ones(6, dtype=torch.float64)
    exact = torch.linalg.eigvalsh(h)
    top = ex07.largest_curvature.reference(lambda d: h @ d, v, 2000)
    assert math.isclose(top, exact[-1], rel_tol=1e-6)
    least = ex07.smallest_curvature.reference(lambda d: h @ d, top, v, 2000)
    assert abs(least - exact[0]) < 1e-3 * top


# 9. smooth_sinc


def test_a_double_where_is_right_in_value_and_slope_only():
    def answer(x):
        safe = torch.where(x == 0, 1.0, x)
        return torch.where(x == 0, 1.0, safe.sin() / safe)

    result = ex07.smooth_sinc.check(answer)
    assert result.status == "wrong" and "second is not" in result.message


def test_a_single_where_is_told_about_its_nan():
    def answer(x):
        return torch.where(x.abs() < 0.01, 1 - x**2 / 6 + x**4 / 120, x.sin() / x)

    assert "divides by 0" in ex07.smooth_sinc.check(answer).message


def test_two_terms_as_far_as_a_hundredth_are_too_few():
    def answer(x):
        near = x.abs() < 0.01
        safe = torch.where(near, 1.0, x)
        return torch.where(near, 1 - x**2 / 6, safe.sin() / safe)

    assert "too short a series" in ex07.smooth_sinc.check(answer).message


def test_other_borders_and_lengths_are_right():
    def answer(x):
        small = x.abs() <= 0.3
        y = x.square()
        series = 1 - y / 6 * (1 - y / 20 * (1 - y / 42 * (1 - y / 72 * (1 - y / 110))))
        safe = x.masked_fill(small, 1.0)
        return torch.where(small, series, torch.sin(safe) / safe)

    result = ex07.smooth_sinc.check(answer)
    assert result, result


def test_a_series_at_0_alone_leaves_its_neighbours_to_rounding():
    def answer(x):
        safe = torch.where(x == 0, 1.0, x)
        return torch.where(x == 0, 1 - x**2 / 6, safe.sin() / safe)

    result = ex07.smooth_sinc.check(answer)
    assert result.status == "wrong" and "second is not" in result.message


def test_a_detached_value_is_not_enough():
    assert not ex07.smooth_sinc.check(lambda x: ex07.smooth_sinc.reference(x).detach())


# 10. taylor_product


def test_series_by_a_double_loop_are_right():
    def answer(a, b):
        c = [0.0] * len(a)
        for i, x in enumerate(a):
            for j, y in enumerate(b):
                if i + j < len(c):
                    c[i + j] += x * y
        return c

    assert ex07.taylor_product.check(answer)


# Drills


@pytest.mark.parametrize("seed", range(5))
def test_the_answers_of_the_drills_come_out_of_torch(seed):
    def whole(question):
        return [int(n) for n in re.findall(r"(?<![\^{])\d+", question)]

    orders = ex07.drill_orders.problem(seed)
    n = whole(orders.question)[0]
    assert orders.answer == (n if "jacrev" in orders.question else n * n)
    product = ex07.drill_product.problem(seed)
    x, y, a, b = map(float, re.search(r"\((\d), (\d)\).*\((\d), (\d)\)", product.question).groups())
    h = hessian(lambda p: p[0] ** 2 * p[1])(_numbers(x, y))
    assert (h @ _numbers(a, b)).tolist() == list(product.answer)
    newton = ex07.drill_newton.problem(seed)
    c, x = map(float, re.search(r"- (\d+) x.*x = (\d+)", newton.question).groups())
    x = _numbers(x)[0]

    def f(x):
        return x**3 - c * x

    assert math.isclose((x - grad(f)(x) / hessian(f)(x)).item(), newton.answer)
