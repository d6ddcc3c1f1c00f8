"""The sparse Hessian equals the dense one, and what it cannot do it says."""

import shutil
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from packaging.version import Version

from autodiff_course.sparse import prepare_hessian, products, sparse_hessian
from test_sparse_pattern import COVERED, EXACT, MASK, N, dense_hessian, points, programs


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def arrowhead(x):
    return ((x[0] * x) ** 2 + x**4).sum()


def bratu(x):
    u = x.view(round(x.numel() ** 0.5), -1)
    return (u.diff(dim=0) ** 2).sum() / 2 + (u.diff(dim=1) ** 2).sum() / 2 - u.exp().sum() / 10


def minimal_surface(x):
    u = x.view(round(x.numel() ** 0.5), -1)
    a, b = u[1:, 1:] - u[:-1, :-1], u[1:, :-1] - u[:-1, 1:]
    return (1 + a**2 + b**2).sqrt().sum()


MODELS = [rosenbrock, arrowhead, bratu, minimal_surface]
PRODUCTS = {rosenbrock: 3, arrowhead: 2, bratu: 5, minimal_surface: 9}


@pytest.mark.parametrize("f", MODELS)
@pytest.mark.parametrize("method", ["best", "star", "distance2", "acyclic"])
def test_models_agree_with_the_dense_hessian(f, method):
    (x,) = points(1, 25)
    hessian = sparse_hessian(f, x, method=method)
    np.testing.assert_allclose(hessian.toarray(), dense_hessian(f, x), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("f", MODELS)
def test_large_models(f):
    """With so many variables that the directions go one by one; checked by finite differences."""
    n = 400 * 400
    x, v = points(2, n)
    prepared = prepare_hessian(f, x)
    assert prepared.products == PRODUCTS[f]

    def gradient(x):
        return torch.func.grad(f)(x)

    difference = (gradient(x + 1e-6 * v) - gradient(x - 1e-6 * v)) / 2e-6
    product = torch.from_numpy(prepared(x) @ v.numpy())
    torch.testing.assert_close(product, difference, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(prepared.product(x, v), product, rtol=1e-11, atol=1e-11)


@settings(max_examples=20, derandomize=True, deadline=None)
@given(programs())
def test_generated_functions_agree_with_the_dense_hessian(f):
    prepared = prepare_hessian(f, points(1)[0])
    for x in points(2, seed=2):
        dense = dense_hessian(f, x)
        close = dict(rtol=1e-9, atol=1e-9 * (1 + np.abs(dense).max()), err_msg=str(f.description))
        np.testing.assert_allclose(prepared(x).toarray(), dense, **close)


CASES = EXACT | {name: f for name, f in COVERED.items() if name != "as_strided"}


DETACHED = {"detach", "straight through"}  # autograd's second derivative is not that of the first


@pytest.mark.parametrize("name", list(CASES)[::3])
def test_single_operations_agree_with_the_dense_hessian(name):
    prepared = prepare_hessian(CASES[name], points(1)[0], check=name not in DETACHED)
    for x in points(2, seed=3):
        close = dict(rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(prepared(x).toarray(), dense_hessian(CASES[name], x), **close)


@pytest.mark.parametrize("method", ["star", "distance2", "acyclic"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_symmetric_to_the_last_bit(method, dtype):
    x = points(1, 100)[0].to(dtype)
    hessian = sparse_hessian(minimal_surface, x, method=method)
    assert hessian.dtype == (np.float32 if dtype == torch.float32 else np.float64)
    assert (hessian != hessian.T).nnz == 0
    assert hessian.has_canonical_format


def test_substitution_loses_digits_that_reading_off_does_not():
    x = points(1, 20_000)[0].float()
    true = sparse_hessian(rosenbrock, x.double())

    def error(method):
        found = sparse_hessian(rosenbrock, x, method=method)
        return np.max(np.abs(found.data - true.data) / np.abs(true.data))

    assert error("star") * 10 < error("acyclic")


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_variables(n):
    x = torch.full((n,), 3.0, dtype=torch.float64)
    hessian = sparse_hessian(lambda x: (x**3).sum(), x)
    np.testing.assert_array_equal(hessian.toarray(), np.diag([18.0] * n).reshape(n, n))
    assert sparse_hessian(lambda x: (x**3).sum(), x, output="torch").shape == (n, n)


def test_a_scalar_variable():
    x = torch.tensor(2.0, dtype=torch.float64)
    assert sparse_hessian(lambda x: x**3, x).toarray() == [[12.0]]


@pytest.mark.parametrize("name", ["linear", "constant"])
def test_no_second_derivative_is_an_empty_matrix(name):
    hessian = sparse_hessian(EXACT[name], points(1)[0])
    assert hessian.shape == (N, N)
    assert hessian.nnz == 0
    assert sparse_hessian(EXACT[name], points(1)[0], output="torch")._nnz() == 0


def test_a_function_that_ignores_part_of_a_container():
    x = {"used": torch.ones(2), "unused": torch.ones(3)}
    hessian = sparse_hessian(lambda x: (x["used"] ** 2).sum(), x)
    assert sorted(hessian.nonzero()[0]) == [0, 1]


def test_relu_gives_zeros():
    hessian = sparse_hessian(lambda x: F.relu(x).sum() + x[0] ** 2, points(1)[0])
    np.testing.assert_array_equal(hessian.toarray(), np.diag([2.0, 0, 0, 0, 0, 0]))


def test_a_hessian_without_zeros_takes_a_product_for_each_variable():
    assert prepare_hessian(lambda x: x.sum() ** 3, torch.ones(6)).products == 6


def test_nan_spreads_no_further_than_its_neighbours():
    x = torch.tensor([1.0, float("nan"), 2.0, 3.0, 4.0], dtype=torch.float64)
    prepared = prepare_hessian(EXACT["chain"], x)
    hessian = prepared(x).toarray()
    assert np.isnan(hessian[:3, 1]).all()
    np.testing.assert_array_equal(hessian[4], [0, 0, 0, 6.0, 0])
    assert np.isfinite(prepared(torch.ones_like(x)).data).all()


def test_matrices_and_containers_of_parameters():
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh()).double()
    data = points(4, 3)
    parameters = dict(model.named_parameters())

    def loss(parameters):
        outputs = torch.func.functional_call(model, parameters, (torch.stack(data),))
        return (outputs**2).sum()

    hessian = sparse_hessian(loss, parameters)
    vector = torch.cat([p.detach().reshape(-1) for p in parameters.values()])

    def flat(vector):
        parts = vector.split([p.numel() for p in parameters.values()])
        shapes = [p.shape for p in parameters.values()]
        rebuilt = [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]
        return loss(dict(zip(parameters, rebuilt, strict=True)))

    np.testing.assert_allclose(hessian.toarray(), dense_hessian(flat, vector), atol=1e-12)
    assert hessian.nnz == 32  # the two outputs do not interact


def test_torch_output():
    (x,) = points(1, 30)
    sparse = sparse_hessian(rosenbrock, x, output="torch")
    assert sparse.layout == torch.sparse_csr
    np.testing.assert_allclose(sparse.to_dense().numpy(), dense_hessian(rosenbrock, x), atol=1e-11)


def test_a_tensor_that_is_not_contiguous():
    x = points(1, 24)[0].view(4, 6).T

    def f(x):
        return (x[1:] * x[:-1] ** 2).sum()

    hessian = sparse_hessian(f, x).toarray()
    dense = dense_hessian(lambda x: f(x.view(6, 4)), x.reshape(-1))
    np.testing.assert_allclose(hessian, dense, atol=1e-12)


def test_a_prepared_hessian_follows_x_and_the_arguments():
    def f(x, data):
        return (data["scale"] * (x[1:] - data["target"] * x[:-1] ** 2) ** 2).sum() * data["power"]

    def data(scale):
        scale = torch.tensor(scale, dtype=torch.float64)
        return ({"scale": scale, "target": torch.ones(N - 1, dtype=torch.float64), "power": 2},)

    prepared = prepare_hessian(f, points(1)[0], args=data(0.0))
    for x in points(3, seed=4):
        for scale in (0.0, 1.0, 3.0):
            dense = dense_hessian(lambda x, scale=scale: f(x, *data(scale)), x)
            np.testing.assert_allclose(prepared(x, data(scale)).toarray(), dense, atol=1e-11)


def test_a_pattern_from_the_caller_is_used():
    x = points(1)[0]
    band = sp.diags_array([1.0] * 3, offsets=[-1, 0, 1], shape=(N, N))
    prepared = prepare_hessian(lambda x: (x[1:] * x[:-1]).sum(), x, band)
    assert prepared(x).nnz == 16
    assert (prepared(x).diagonal() == 0).all()


def test_a_pattern_that_lacks_entries_is_caught():
    with pytest.raises(ValueError, match="does not agree with differences of the gradient"):
        sparse_hessian(rosenbrock, points(1)[0], pattern=np.eye(N))


def test_a_function_that_changed_is_caught():
    factor = [1.0]
    prepared = prepare_hessian(lambda x: factor[0] * (x**3).sum(), points(1)[0])
    prepared.check(points(1)[0])
    factor[0] = 2.0
    with pytest.raises(ValueError, match="does not compute the same each time"):
        prepared.check(points(1)[0])


def test_what_is_returned_is_the_callers_own():
    x, other = points(2, 30)
    prepared = prepare_hessian(rosenbrock, x)
    first = prepared(x)
    before = first.toarray()
    prepared(other)
    np.testing.assert_array_equal(first.toarray(), before)
    with pytest.raises(ValueError, match="read-only"):
        first.indices[0] = 1
    copy = first.copy()
    copy.data[:] = 0
    copy.eliminate_zeros()
    assert copy.nnz == 0
    np.testing.assert_array_equal(prepared(x).toarray(), before)


def test_solvers_take_the_result():
    (x,) = points(1, 50)
    hessian = sparse_hessian(lambda x: (x**4 + x**2).sum() + rosenbrock(x) / 1000, x)
    right = np.ones(50)
    direct = scipy.sparse.linalg.spsolve(hessian, right)
    np.testing.assert_allclose(hessian @ direct, right, atol=1e-9)
    factors = scipy.sparse.linalg.splu(hessian.tocsc())
    np.testing.assert_allclose(factors.solve(right), direct, atol=1e-9)


@pytest.mark.parametrize("n", [10, 400_000])
def test_the_recorded_product_can_be_compiled(n, monkeypatch):
    programs = []

    def stand_in(function, examples):  # the real one takes seconds, and needs a C++ compiler
        programs.append(function)
        return function

    monkeypatch.setattr(products, "compiled", stand_in)
    (x,) = points(1, n)
    found = prepare_hessian(rosenbrock, x, compile=True)(x)
    assert len(programs) == (2 if n == 10 else 1)
    assert abs(found - sparse_hessian(rosenbrock, x)).max() < 1e-9


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_what_is_compiled_takes_tensors_of_other_strides():
    x, scale = torch.linspace(0.5, 1.5, 12), torch.arange(1.0, 13.0)
    prepared = prepare_hessian(lambda x, s: rosenbrock(x * s), x, args=(scale,), compile=True)
    twice = torch.stack([x + 0.1, scale + 1], 1)
    found = prepared(twice[:, 0], args=(twice[:, 1],))
    true = sparse_hessian(lambda x: rosenbrock(x * (scale + 1)), x + 0.1)
    np.testing.assert_allclose(found.toarray(), true.toarray(), rtol=1e-4)


def test_without_a_compiler_a_warning_is_given_and_the_result_is_right(monkeypatch):
    def stand_in(function, examples):
        raise RuntimeError("No working C++ compiler found")

    monkeypatch.setattr(products, "compiled", stand_in)
    (x,) = points(1, 10)
    with pytest.warns(UserWarning, match=r"the compiler failed.*No working C\+\+ compiler"):
        prepared = prepare_hessian(rosenbrock, x, compile=True)
    assert abs(prepared(x) - sparse_hessian(rosenbrock, x)).max() == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("method", ["star", "acyclic"])
def test_on_a_gpu(method):
    (x,) = points(1, 100)
    true = sparse_hessian(minimal_surface, x, method=method)
    found = sparse_hessian(minimal_surface, x.cuda(), method=method, output="torch")
    assert found.device.type == "cuda"
    np.testing.assert_allclose(found.to_dense().cpu().numpy(), true.toarray(), atol=1e-11)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(5), r"prepared for shape \(6,\)"),
        (torch.zeros(6, dtype=torch.float64), "float64"),
        ([torch.zeros(6)], "expected the structure"),
    ],
)
def test_another_form_of_x_is_refused(x, message):
    prepared = prepare_hessian(lambda x: (x**2).sum(), torch.zeros(6))
    with pytest.raises(ValueError, match=message):
        prepared(x)


@pytest.mark.parametrize(
    "args",
    [
        (torch.zeros(3), 1),
        (torch.zeros(2), 2),
        (torch.zeros(2), 1.0),
        (torch.zeros(2),),
    ],
)
def test_other_arguments_are_refused(args):
    prepared = prepare_hessian(
        lambda x, w, p: (w * x**p).sum(), torch.zeros(2), args=(torch.ones(2), 1)
    )
    with pytest.raises(ValueError, match="args: "):
        prepared(torch.zeros(2), args)


class OnceOnly(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        return 2 * ctx.saved_tensors[0] * grad


NO_SECOND = {
    "once_differentiable": lambda x: OnceOnly.apply(x).sum(),
    "once_differentiable, in a product": lambda x: OnceOnly.apply(x).sum() * x[0],
    "cdist": lambda x: torch.cdist(x.view(3, 2), x.view(3, 2) + 1).sum(),
    "hardsigmoid": lambda x: (F.hardsigmoid(x) ** 2).sum(),
}
if Version(torch.__version__) >= Version("2.15"):
    del NO_SECOND["cdist"]  # that torch has its second derivative


@pytest.mark.parametrize("name", NO_SECOND)
def test_no_second_derivative_in_pytorch_is_said(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no sparsity rule for these
        with pytest.raises(NotImplementedError, match="has a first derivative but no second one"):
            sparse_hessian(NO_SECOND[name], points(1)[0])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "rainbow"}, ValueError, "method: expected one of"),
        ({"output": "numpy"}, ValueError, "output: expected one of scipy, torch"),
        ({"args": [1]}, TypeError, "args: expected a tuple, got list"),
        ({"pattern": np.eye(3)}, ValueError, r"pattern: expected shape \(6, 6\)"),
    ],
)
def test_bad_options_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        prepare_hessian(rosenbrock, points(1)[0], **options)


def test_a_vector_of_another_form_is_refused():
    prepared = prepare_hessian(rosenbrock, points(1)[0])
    with pytest.raises(ValueError, match=r"vector: expected shape \(6,\)"):
        prepared.product(points(1)[0], torch.zeros(5, dtype=torch.float64))
    with pytest.raises(TypeError, match="f: expected a function, got int"):
        prepare_hessian(3, points(1)[0])


def test_the_masked_model():
    """Y = (W * Z) X: one dense block for each row of W, on its active columns, and nothing else."""
    random = torch.Generator().manual_seed(0)
    w, x, y = (torch.randn(*s, generator=random).double() for s in ((4, 6), (6, 9), (4, 9)))
    z = MASK.expand(4, 6)

    def loss(w):
        return (((w * z) @ x - y) ** 2).mean()

    hessian = sparse_hessian(loss, w)
    active = z.reshape(-1).nonzero()[:, 0].numpy()
    assert hessian.nnz == 4 * 4**2
    assert set(hessian.nonzero()[0]) == set(active)
    block = 2 / y.numel() * (x @ x.T)
    true = torch.kron(torch.eye(4, dtype=w.dtype), block) * z.reshape(-1).outer(z.reshape(-1))
    np.testing.assert_allclose(hessian.toarray(), true, atol=1e-12)
