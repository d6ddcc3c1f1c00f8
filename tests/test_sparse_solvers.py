"""Value, gradient and Hessian of one recording, and what solvers make of them."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, cg, spsolve

from autodiff_course.sparse import prepare_constrained, prepare_hessian


def energy(x):
    return ((x[1:] - x[:-1]) ** 2).sum() + (x**4).sum() / 4 - x.sum()


def numbers(n, seed=0):
    return np.random.default_rng(seed).uniform(0.5, 1.5, n)


def brute(f, x):
    """Return value, gradient and Hessian by torch.func."""
    x = torch.from_numpy(x)
    return f(x).numpy(), torch.func.grad(f)(x).numpy(), torch.func.hessian(f)(x).numpy()


@pytest.mark.parametrize("method", ["best", "acyclic"])
@pytest.mark.parametrize("triangle", ["full", "lower"])
def test_value_gradient_and_hessian_together(method, triangle):
    prepared = prepare_hessian(energy, numbers(9), method=method, triangle=triangle)
    for seed in (1, 2):
        x = numbers(9, seed)
        value, gradient, hessian = prepared.value_gradient_hessian(x)
        true = brute(energy, x)
        assert isinstance(value, float) and isinstance(gradient, np.ndarray)
        np.testing.assert_allclose(value, true[0])
        np.testing.assert_allclose(gradient, true[1], atol=1e-14)
        whole = true[2] if triangle == "full" else np.tril(true[2])
        np.testing.assert_allclose(hessian.toarray(), whole, atol=1e-14)
        np.testing.assert_allclose(prepared(x).toarray(), whole, atol=1e-14)
        assert prepared.value(x) == value
        np.testing.assert_array_equal(prepared.gradient(x), gradient)
        assert isinstance(prepared.product(x, x), np.ndarray)
    with pytest.raises(ValueError, match="triangle: expected one of full, lower"):
        prepare_hessian(energy, numbers(9), triangle="upper")


def test_tensors_come_back_in_the_form_of_x_and_belong_to_the_caller():
    x = {"a": torch.ones(2), "b": torch.tensor(3.0)}
    prepared = prepare_hessian(lambda x: (x["a"] * x["b"]).sum(), x)
    value, gradient, hessian = prepared.value_gradient_hessian(x)
    assert value == 6.0 and gradient["b"] == 2.0 and gradient["a"].tolist() == [3.0, 3.0]
    assert hessian.toarray().tolist() == [[0, 0, 1], [0, 0, 1], [1, 1, 0]]
    gradient["a"].zero_()
    assert prepared.gradient(x)["a"].tolist() == [3.0, 3.0]
    linear = prepare_hessian(lambda x: 2 * x.sum(), torch.ones(2))
    linear.gradient(torch.ones(2)).zero_()
    assert linear.gradient(torch.ones(2)).tolist() == [2.0, 2.0]
    assert linear.value_gradient_hessian(torch.ones(2))[2].nnz == 0


def test_auxiliary_results_are_passed_on():
    def f(x, shift):
        moved = x - shift
        return (moved**4).sum(), (moved, {"label": "moved", "count": 4})

    x = torch.tensor([1.0, 2.0])
    prepared = prepare_hessian(f, x, args=(torch.tensor(0.5),), has_aux=True)
    (value, aux), gradient, hessian = prepared.value_gradient_hessian(x, (torch.tensor(1.0),))
    assert value == 1.0 and gradient.tolist() == [0.0, 4.0]
    assert aux[0].tolist() == [0.0, 1.0] and aux[1] == {"label": "moved", "count": 4}
    assert hessian.diagonal().tolist() == [0.0, 12.0]
    assert minimize(x0=x.numpy(), method="trust-exact", **prepared.for_scipy(hess="dense")).success


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        ("sparse", "trust-constr"),
        ("operator", "trust-constr"),
        ("dense", "trust-exact"),
        ("product", "trust-krylov"),
        ("product", "Newton-CG"),
    ],
)
def test_minimisers_of_scipy_take_it(kind, method):
    x = {"left": numbers(5), "right": numbers(4)}
    prepared = prepare_hessian(
        lambda x: energy(torch.cat([x["left"], x["right"]])), x, triangle="lower"
    )
    found = minimize(x0=numbers(9, 7), method=method, **prepared.for_scipy(hess=kind))
    np.testing.assert_allclose(found.x, 1, atol=1e-4)
    with pytest.raises(ValueError, match="hess: expected one of sparse"):
        prepared.for_scipy(hess="full")
    with pytest.raises(ValueError, match="x: expected 9 numbers"):
        prepared.for_scipy()["fun"](np.zeros(8))


def test_an_operator_is_enough_for_conjugate_gradients():
    x = torch.from_numpy(numbers(30))
    prepared = prepare_hessian(energy, x)
    operator = prepared.operator(x)
    x.zero_()  # the operator stays that of the x given
    assert isinstance(operator, LinearOperator)
    found, status = cg(operator, np.ones(30), rtol=1e-12)
    assert status == 0
    matrix = prepared(torch.from_numpy(numbers(30)))
    np.testing.assert_allclose(matrix @ found, 1, atol=1e-9)


def distance(x, target):
    return ((x - target) ** 2).sum()


def lengths(x, target):
    """The squared length of each link of a chain of points in the plane."""
    points = x.view(-1, 2)
    return ((points[1:] - points[:-1]) ** 2).sum(1)


def chain(n=6):
    target = torch.from_numpy(numbers(2 * n, 5)).cumsum(0)
    start = np.linspace(0, 1, 2 * n)
    return prepare_constrained(distance, lengths, start, args=(target,)), start, target


def test_a_lagrangian_is_that_of_brute_force():
    problem, x, target = chain()
    multipliers = numbers(problem.m, 3)

    def lagrangian(x):
        return (
            2.5 * distance(x, target) + (torch.from_numpy(multipliers) * lengths(x, target)).sum()
        )

    at, constraint = torch.from_numpy(x), lambda x: lengths(x, target)
    rows, columns = problem.hessianstructure()
    entries = problem.hessian(x, multipliers, 2.5)
    found = sp.coo_array((entries, (rows, columns)), (problem.n, problem.n)).toarray()
    np.testing.assert_allclose(found, np.tril(brute(lagrangian, x)[2]), atol=1e-12)
    rows, columns = problem.jacobianstructure()
    found = sp.coo_array((problem.jacobian(x), (rows, columns)), (problem.m, problem.n))
    np.testing.assert_allclose(found.toarray(), torch.func.jacrev(constraint)(at), atol=1e-12)
    np.testing.assert_allclose(problem.constraints(x), constraint(at))
    assert problem.objective(x) == pytest.approx(float(distance(at, target)))
    np.testing.assert_allclose(problem.gradient(x), 2 * (at - target))
    with pytest.raises(ValueError, match=r"multipliers: expected 5 numbers, got shape \(2,\)"):
        problem.hessian(x, np.ones(2))


def test_arguments_may_change():
    problem, x, target = chain()
    other, at = (target + torch.from_numpy(numbers(problem.n, 8)),), torch.from_numpy(x)
    # Here the constraints and the Hessian depend on the argument too.
    scaled = prepare_constrained(
        lambda x, t: ((x - t) ** 4).sum(), lambda x, t: lengths(x * t, t), x, args=(target,)
    )
    fresh = prepare_constrained(
        lambda x, t: ((x - t) ** 4).sum(), lambda x, t: lengths(x * t, t), x, args=other
    )
    multipliers = numbers(problem.m, 3)
    for name in ("objective", "gradient", "constraints", "jacobian"):
        found, true = getattr(scaled, name)(x, other), getattr(fresh, name)(x)
        np.testing.assert_array_equal(found, true)
        assert np.any(found != getattr(scaled, name)(x))
    np.testing.assert_array_equal(
        scaled.hessian(x, multipliers, 2.0, other), fresh.hessian(x, multipliers, 2.0)
    )
    matrix, right = scaled.kkt(x, multipliers, other)

    def lagrangian(x, multipliers):
        t = other[0]
        return ((x - t) ** 4).sum() + (multipliers * lengths(x * t, t)).sum()

    both = (at, torch.from_numpy(multipliers))
    blocks = torch.func.hessian(lagrangian, (0, 1))(*both)
    true = torch.cat([torch.cat(row, 1) for row in blocks])
    np.testing.assert_allclose(matrix.toarray(), true, atol=1e-12)
    slope = torch.cat(torch.func.grad(lagrangian, (0, 1))(*both))
    np.testing.assert_allclose(right, -slope, atol=1e-12)
    ours, theirs = scaled.for_scipy(1.0, 1.0, other), fresh.for_scipy(1.0, 1.0)
    assert ours["fun"](x)[0] == theirs["fun"](x)[0]
    pairs = [(p["constraints"].fun(x), p["constraints"].jac(x).data) for p in (ours, theirs)]
    for found, true in zip(*pairs, strict=True):
        np.testing.assert_array_equal(found, true)


def newton(problem, x, steps=30):
    """Solve the conditions of Karush, Kuhn and Tucker by Newton's method."""
    both = np.concatenate([x, np.zeros(problem.m)])
    for _ in range(steps):
        matrix, right = problem.kkt(both[: problem.n], both[problem.n :])
        both += spsolve(matrix.tocsc(), right)
    return both[: problem.n], abs(problem.kkt(both[: problem.n], both[problem.n :])[1]).max()


def test_trust_constr_keeps_the_links_at_their_lengths():
    problem, x, _ = chain()
    options = {"gtol": 1e-9, "xtol": 1e-12}
    found = minimize(x0=x, method="trust-constr", options=options, **problem.for_scipy(1.0, 1.0))
    np.testing.assert_allclose(problem.constraints(found.x), 1, atol=1e-7)
    shifted = prepare_constrained(
        distance, lambda x, t: lengths(x, t) - 1, x, args=(problem._args[0],)
    )
    true, residual = newton(shifted, found.x)
    assert residual < 1e-10
    np.testing.assert_allclose(found.x, true, atol=1e-5)


def test_ipopt_finds_the_same():
    casadi = pytest.importorskip("casadi")
    problem, x, _ = chain()
    rows, columns = problem.hessianstructure()
    upper = casadi.Sparsity.triplet(problem.n, problem.n, columns.tolist(), rows.tolist())
    order = np.lexsort((columns, rows))  # column by column of the upper triangle
    rows, columns = problem.jacobianstructure()
    jacobian = casadi.Sparsity.triplet(problem.m, problem.n, rows.tolist(), columns.tolist())
    by_columns = np.lexsort((rows, columns))

    class Given(casadi.Callback):
        def __init__(self, name, function, inputs, outputs):
            casadi.Callback.__init__(self)
            self.function, self.inputs, self.outputs = function, inputs, outputs
            self.construct(name)

        def get_n_in(self):
            return len(self.inputs)

        def get_n_out(self):
            return len(self.outputs)

        def get_sparsity_in(self, i):
            return self.inputs[i]

        def get_sparsity_out(self, i):
            return self.outputs[i]

        def eval(self, arguments):
            dense = [np.array(part).ravel() for part in arguments]
            found = self.function(*dense)
            return [casadi.DM(s, v) for s, v in zip(self.outputs, found, strict=True)]

    one, none = casadi.Sparsity.dense(1), casadi.Sparsity(0, 0)
    at, values = casadi.Sparsity.dense(problem.n), casadi.Sparsity.dense(problem.m)
    f = Given("f", lambda x: [problem.objective(x)], [at], [one])
    g = Given("g", lambda x: [problem.constraints(x)], [at], [values])
    parts = {
        "grad_f": Given(
            "grad_f",
            lambda x, p: [problem.objective(x), problem.gradient(x)],
            [at, none],
            [one, at],
        ),
        "jac_g": Given(
            "jac_g",
            lambda x, p: [problem.constraints(x), problem.jacobian(x)[by_columns]],
            [at, none],
            [values, jacobian],
        ),
        "hess_lag": Given(
            "hess_lag",
            lambda x, p, factor, multipliers: [
                problem.hessian(x, multipliers, float(factor[0]))[order]
            ],
            [at, none, one, values],
            [upper],
        ),
    }
    symbol = casadi.MX.sym("x", problem.n)
    quiet = {"ipopt.print_level": 0, "print_time": False, "ipopt.sb": "yes", "no_nlp_grad": True}
    nlp = {"x": symbol, "f": f(symbol), "g": g(symbol)}
    solver = casadi.nlpsol("solver", "ipopt", nlp, parts | quiet)
    found = solver(x0=x, lbg=1, ubg=1)
    assert solver.stats()["success"] and solver.stats()["iter_count"] < 30
    by_scipy = minimize(x0=x, method="trust-constr", **problem.for_scipy(1.0, 1.0))
    np.testing.assert_allclose(np.array(found["x"]).ravel(), by_scipy.x, atol=1e-3)


def test_a_constant_hessian_is_computed_once_and_belongs_to_the_caller():
    prepared = prepare_hessian(lambda x: (x[1:] * x[:-1]).sum(), numbers(4))
    first = prepared(numbers(4))
    true = first.toarray()
    np.testing.assert_array_equal(true, np.eye(4, k=1) + np.eye(4, k=-1))
    first.data[:] = 7
    np.testing.assert_array_equal(prepared(numbers(4, 1)).toarray(), true)
    np.testing.assert_array_equal(prepared.value_gradient_hessian(numbers(4))[2].toarray(), true)
    with pytest.raises(ValueError, match="x: prepared for shape"):
        prepared(numbers(5))
