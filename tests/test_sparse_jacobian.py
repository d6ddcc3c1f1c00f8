"""The sparse Jacobian equals the dense one, whichever way its entries are read."""

import warnings

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from autodiff_course.sparse import (
    color_jacobian,
    jacobian_pattern,
    prepare_jacobian,
    sparse_jacobian,
)
from random_programs import NotHere, Program

DIRECTIONS = ("best", "columns", "rows", "both")
PROGRAMS = 40


def numbers(*shape):
    random = torch.Generator().manual_seed(len(shape))
    return torch.rand(shape, generator=random, dtype=torch.float64) + 0.5


def dense_jacobian(f, x):
    """Differentiate each value by plain autograd."""
    leaves = [leaf.clone().requires_grad_() for leaf in x]
    y = f(leaves).reshape(-1)
    rows = []
    for value in y:
        row = [torch.zeros_like(leaf) for leaf in leaves]
        if value.requires_grad:
            options = {"retain_graph": True, "allow_unused": True, "materialize_grads": True}
            row = torch.autograd.grad(value, leaves, **options)
        rows.append(torch.cat([part.reshape(-1) for part in row]))
    n = sum(leaf.numel() for leaf in leaves)
    return torch.stack(rows).detach().numpy() if rows else np.zeros((0, n))


def arrow(x):
    return torch.cat([(x**2).sum()[None], x[1:] * x[0] + x[1:] ** 3])


CASES = {
    "band": (lambda x: x[1:] * x[:-1] ** 2, 2, "columns"),
    "arrow": (arrow, 3, "both"),
    "full row": (lambda x: (x**2).sum()[None], 1, "rows"),
    "full column": (lambda x: x[0] * torch.arange(5.0), 1, "columns"),
    "matrix product": (lambda x: x.view(4, 2) @ x.view(2, 4), None, None),
    "constant": (lambda x: torch.ones(3, dtype=x.dtype), 0, "columns"),
    "itself": (lambda x: x, 1, "columns"),
    "no values": (lambda x: x[:0], 0, "columns"),
    "one number": (lambda x: x.sum() ** 2, 1, "rows"),
    "a block of zeros": (lambda x: torch.cat([x[:2] ** 2, 0 * x[2:]]), 1, "columns"),
    "float32 inside": (lambda x: (x.float() ** 2)[1:] * x[:-1].float(), 2, "columns"),
}


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", CASES)
def test_known_functions(name, direction):
    f, products, kind = CASES[name]
    x = numbers(8)
    prepared = prepare_jacobian(f, x, direction=direction)
    for at in (x, x**2):
        dense = dense_jacobian(lambda leaves: f(leaves[0]), [at])
        tolerance = 1e-5 if name == "float32 inside" else 1e-12
        np.testing.assert_allclose(prepared(at).toarray(), dense, rtol=tolerance, atol=tolerance)
        found = prepared.value_and_jacobian(at)
        torch.testing.assert_close(found[0], f(at))
        np.testing.assert_array_equal(found[1].toarray(), prepared(at).toarray())
    if direction == "best" and products is not None:
        assert (prepared.products, prepared.coloring.direction) == (products, kind)


def test_random_programs_agree_with_dense_jacobians():
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seed {seed}")  # pytest shows it if the test fails
    entries = compared = 0
    for number in range(PROGRAMS):
        program = Program.random(seed + number)
        points = program.points(2, seed)
        try:
            dense = [dense_jacobian(program.vector, x) for x in points]
        except (RuntimeError, NotImplementedError, NotHere):
            continue  # no derivative in PyTorch
        if not np.isfinite(dense).all():
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # operations without a rule, or that detach
            direction = DIRECTIONS[number % 4]
            prepared = prepare_jacobian(program.vector, points[0], direction=direction)
        for x, true in zip(points, dense, strict=True):
            close = dict(rtol=1e-7, atol=1e-9 * (1 + abs(true).max(initial=0)))
            label = str((seed + number, direction, program.names, program.shapes))
            np.testing.assert_allclose(prepared(x).toarray(), true, err_msg=label, **close)
            entries += np.count_nonzero(true)
        compared += 1
    assert compared > 0.8 * PROGRAMS
    assert entries > 10 * PROGRAMS


def test_many_variables_go_one_by_one():
    x, v = numbers(2, 120_000)
    prepared = prepare_jacobian(lambda x: x[1:] * x[:-1] ** 2, x)
    product = torch.from_numpy(prepared(x) @ v.numpy())
    true = torch.func.jvp(lambda x: x[1:] * x[:-1] ** 2, (x,), (v,))[1]
    torch.testing.assert_close(product, true)
    torch.testing.assert_close(prepared.product(x, v), true)


def test_products_both_ways_and_as_an_operator():
    x, v = numbers(2, 8)
    prepared = prepare_jacobian(arrow, x, direction="columns")
    dense = dense_jacobian(lambda leaves: arrow(leaves[0]), [x])
    np.testing.assert_allclose(prepared.product(x, v), dense @ v.numpy())
    np.testing.assert_allclose(prepared.transposed_product(x, v), dense.T @ v.numpy())
    operator = prepared.operator(x)
    np.testing.assert_allclose(operator @ v.numpy(), dense @ v.numpy())
    np.testing.assert_allclose(operator.T @ v.numpy(), dense.T @ v.numpy())
    with pytest.raises(ValueError, match=r"vector: expected shape \(8,\)"):
        prepared.product(x, v[1:])


def test_numpy_in_numpy_out():
    x = {"a": np.array([1.0, 2.0]), "b": np.array(3.0)}
    prepared = prepare_jacobian(lambda x: x["a"] * x["b"], x)
    value, jacobian = prepared.value_and_jacobian(x)
    assert isinstance(value, np.ndarray) and value.tolist() == [3.0, 6.0]
    assert jacobian.toarray().tolist() == [[3.0, 0.0, 1.0], [0.0, 3.0, 2.0]]
    assert isinstance(prepared.product(x, np.ones(3)), np.ndarray)
    with pytest.raises(TypeError, match="x: expected float32 or float64, got torch.int64"):
        prepare_jacobian(lambda x: x, np.arange(3))


def test_arguments_and_auxiliary_results():
    def f(x, scale, power):
        return scale * x**power, {"norm": x.norm(), "name": "a name"}

    x = numbers(5)
    prepared = prepare_jacobian(f, x, args=(torch.tensor(2.0), 3), has_aux=True)
    (value, aux), jacobian = prepared.value_and_jacobian(x, (torch.tensor(5.0), 3))
    torch.testing.assert_close(value, 5 * x**3)
    torch.testing.assert_close(aux["norm"], x.norm())
    assert aux["name"] == "a name"
    np.testing.assert_allclose(jacobian.diagonal(), 15 * x**2)
    with pytest.raises(TypeError, match="has_aux=True, expected it to return a pair"):
        prepare_jacobian(lambda x: x, x, has_aux=True)


class WithoutForwardRule(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx, grad):
        return 2 * ctx.saved_tensors[0] * grad


def test_without_a_forward_rule_the_transposed_is_transposed():
    x = numbers(6)
    prepared = prepare_jacobian(WithoutForwardRule.apply, x, direction="columns")
    np.testing.assert_allclose(prepared(x).diagonal(), 2 * x)


@pytest.mark.parametrize("output", ["torch", "dense"])
def test_other_outputs(output):
    x = numbers(6)
    found = sparse_jacobian(arrow, x, output=output)
    found = found.to_dense().numpy() if output == "torch" else found
    np.testing.assert_allclose(found, dense_jacobian(lambda leaves: arrow(leaves[0]), [x]))


def test_least_squares_of_scipy_takes_it():
    def residuals(x):
        return x["a"] ** 3 - 1 + (x["a"] - x["a"].flip(0)) / 10

    x = np.full(30, 2.0)
    prepared = prepare_jacobian(residuals, {"a": x})
    found = least_squares(x0=x, **prepared.for_scipy())
    np.testing.assert_allclose(found.x, 1, atol=1e-6)


def test_mistakes_are_noticed():
    x = numbers(4)
    with pytest.raises(ValueError, match="Jacobian found does not agree with differences"):
        sparse_jacobian(lambda x: x * x[0], x, pattern=np.eye(4))
    with pytest.raises(ValueError, match=r"pattern: expected shape \(3, 4\), got \(4, 4\)"):
        sparse_jacobian(lambda x: x[1:], x, pattern=np.eye(4))
    with pytest.raises(ValueError, match="direction: expected one of best"):
        prepare_jacobian(arrow, x, direction="down")
    with pytest.raises(ValueError, match="direction: expected one of best"):
        color_jacobian(np.eye(3), "down")
    with pytest.raises(TypeError, match="f: expected it to return real numbers, got torch.bool"):
        jacobian_pattern(lambda x: x > 0, x)
    with pytest.raises(ValueError, match="its course depends on the value"):
        jacobian_pattern(lambda x: x if x[0] > 0 else -x, x)
    with pytest.warns(UserWarning, match="derivative of f is not that of its values"):
        prepare_jacobian(lambda x: x * x.detach(), x)


def test_no_bicolouring_needs_more_than_one_side():
    random = np.random.default_rng(0)
    for m, n, filled in [(5, 9, 0.2), (30, 20, 0.1), (40, 40, 0.05), (1, 7, 1.0), (7, 1, 1.0)]:
        pattern = random.random((m, n)) < filled
        pattern[0] |= random.random(n) < 0.8
        counts = {name: color_jacobian(pattern, name) for name in DIRECTIONS}
        one_side = min(counts["columns"].count, counts["rows"].count)
        assert counts["best"].lower_bound <= counts["best"].count <= one_side
        assert counts["columns"].count >= pattern.sum(axis=1).max()
        assert counts["rows"].count >= pattern.sum(axis=0).max()
