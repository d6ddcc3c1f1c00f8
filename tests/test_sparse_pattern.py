"""The pattern holds every non-zero entry, and no more than can be avoided."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff_course.sparse import TooDense, as_pattern, hessian_pattern

N = 6
A = torch.randn(N, N, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
MASK = torch.tensor([1.0, 0, 1, 1, 0, 1], dtype=torch.float64)
DIAGONAL = A.tril().triu().to_sparse()
INDEX = torch.tensor([0, 2, 2, 5])
FOUR = torch.tensor([0, 1, 1, 2, 3, 3])
KERNEL = torch.tensor([[[1.0, -2, 1]]], dtype=torch.float64)


def dense_hessian(f, x):
    """The Hessian by differentiating twice with plain autograd, row by row."""
    x = x.clone().requires_grad_()
    y = f(x)
    if not y.requires_grad:
        return np.zeros((x.numel(), x.numel()))
    (gradient,) = torch.autograd.grad(y, x, create_graph=True)
    rows = []
    for component in gradient.reshape(-1):
        row = torch.zeros_like(x)
        if component.requires_grad:
            (row,) = torch.autograd.grad(
                component, x, retain_graph=True, allow_unused=True, materialize_grads=True
            )
        rows.append(row.reshape(-1))
    return torch.stack(rows).numpy()


def points(count, n=N, seed=0):
    random = torch.Generator().manual_seed(seed)
    return [torch.randn(n, generator=random, dtype=torch.float64) * 0.7 for _ in range(count)]


def entries_seen(f, count=6, n=N):
    seen = np.zeros((n, n), bool)
    for x in points(count, n, seed=1):
        seen |= np.abs(np.nan_to_num(dense_hessian(f, x), nan=1.0)) > 1e-12
    return seen


def write_slices(x):
    y = x.clone()
    y[1:3] *= x[3:5]
    y[0] = x[5] ** 2
    return (y**3).sum()


def write_into_zeros(x):
    y = torch.zeros(N, dtype=x.dtype)
    y[INDEX[:2]] = x[:2] ** 2
    y[3:] = x[3:] * x[2]
    y.mul_(x + 1)
    return (y**2).sum()


def write_through_views(x):
    y = x * 2
    y.view(2, 3)[0].add_(x[3:] ** 2)
    y.exp_()
    return (y[:-1] * y[1:]).sum()


class Cube(torch.autograd.Function):
    """A custom function with a backward that can be differentiated."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * grad


def zeros(*shape):
    return torch.zeros(*shape, dtype=torch.float64)


# The pattern must be exactly the entries that are non-zero somewhere.
EXACT = {
    "chain": lambda x: (x[1:] * x[:-1] ** 2).sum(),
    "linear": lambda x: x.sum(),
    "constant": lambda x: torch.tensor(3.0, dtype=torch.float64),
    "partly linear": lambda x: x[0] * x[1] + x[2:].sum(),
    "power 0": lambda x: x.pow(0).sum(),
    "power 1": lambda x: x.pow(1).sum(),
    "times zero": lambda x: (x * 0.0).pow(2).sum() + x[0] ** 2,
    "mask": lambda x: (x.sin() * MASK).pow(2).sum(),
    "mask then product": lambda x: ((x * MASK) @ A[0] - 1) ** 2,
    "where constant": lambda x: torch.where(MASK > 0, x**2, 0.0).sum(),
    "boolean index": lambda x: (x[MASK > 0] ** 2).sum(),
    "masked select": lambda x: x.masked_select(MASK > 0).pow(3).sum(),
    "masked fill": lambda x: x.masked_fill(MASK > 0, 1.0).pow(3).sum(),
    "masked scatter": lambda x: x.masked_scatter(MASK > 0, x[2:] ** 2).pow(3).sum(),
    "padded with zeros": lambda x: (F.pad(x[:3], (0, 3)).sin() * x).sum(),
    "padded": lambda x: (F.pad(x, (1, 2))[1:] * F.pad(x, (2, 1), value=1.0)[:-1]).pow(2).sum(),
    "reflected": lambda x: (F.pad(x[None], (1, 1), mode="reflect") ** 3).sum(),
    "rounded": lambda x: (x.round() * x).sum(),
    "step": lambda x: (x * x.floor()).sum(),
    "in place, slices": write_slices,
    "in place, zeros": write_into_zeros,
    "in place, views": write_through_views,
    "scatter": lambda x: (zeros(4).scatter(0, INDEX[:3] // 2, x[:3] ** 2) * x[:4]).pow(2).sum(),
    "scatter_add": lambda x: (zeros(4).scatter_add(0, FOUR, x) ** 3).sum(),
    "index_add": lambda x: (zeros(3).index_add(0, INDEX[:3] // 2, x[:3]) ** 2).sum(),
    "index_put": lambda x: (zeros(N).index_put((INDEX,), x[:4], accumulate=True) ** 2).sum(),
    "index_copy": lambda x: (x.index_copy(0, INDEX[:2], x[3:5] ** 2) ** 2).sum(),
    "index_fill": lambda x: (x.index_fill(0, INDEX[:2], 2.0) ** 2).sum(),
    "put": lambda x: x.put(INDEX[:2], x[3:5]).pow(3).sum(),
    "take": lambda x: x.take(INDEX).pow(3).sum(),
    "gather": lambda x: (x.view(2, 3).gather(1, INDEX.view(2, 2) // 2) ** 3).sum(),
    "embedding": lambda x: (F.embedding(INDEX[:3] // 2 * 2, x.view(3, 2)) ** 3).sum(),
    "cumsum": lambda x: (x.view(2, 3).cumsum(1) ** 2).sum(),
    "matrix, vector": lambda x: (A @ x).pow(4).sum(),
    "matrix with zeros": lambda x: (A.tril(1).triu(-1) @ x).pow(4).sum(),
    "sparse matrix": lambda x: (
        (torch.sparse.mm(A.tril().triu().to_sparse(), x[:, None])).pow(3).sum()
    ),
    "matrices": lambda x: (x.view(2, 3) @ x.view(3, 2)).pow(2).sum(),
    "batch of matrices": lambda x: (x.view(2, 1, 3) @ x.view(2, 3, 1)).pow(2).sum(),
    "linear layer": lambda x: F.linear(x.view(2, 3), A[:4, :3], A[0, :4]).sigmoid().sum(),
    "dot": lambda x: x[:3].dot(x[3:]) ** 2,
    "convolution": lambda x: F.conv1d(x[None, None], KERNEL).pow(4).sum(),
    "convolution by x": lambda x: F.conv1d(x[None, None, :4], x[4:].view(1, 1, 2)).pow(2).sum(),
    "strided convolution": lambda x: (
        F.conv1d(x.view(1, 2, 3), A[:2, :4].reshape(2, 2, 2), padding=1, stride=2).pow(3).sum()
    ),
    "grouped convolution": lambda x: (
        F.conv1d(x.view(1, 2, 3), A[:2, :2].reshape(2, 1, 2), groups=2).pow(3).sum()
    ),
    "average pool": lambda x: F.avg_pool1d(x[None], 2).pow(4).sum(),
    "softmax": lambda x: (x.view(2, 3).softmax(1) ** 2).sum(),
    "logsumexp": lambda x: x.view(3, 2).logsumexp(1).pow(2).sum(),
    "norm": lambda x: x.view(2, 3).norm(dim=1).pow(3).sum(),
    "standard deviation": lambda x: x.view(2, 3).std(1).sum(),
    "layer norm": lambda x: (F.layer_norm(x.view(2, 3), (3,)) ** 4).sum(),
    "cross entropy": lambda x: F.cross_entropy(x.view(2, 3), torch.tensor([0, 2])),
    "smooth losses": lambda x: F.mse_loss(x[:3] ** 2, x[3:]) + F.softplus(x).sum(),
    "activations": lambda x: (F.gelu(x) + F.elu(x) + F.silu(x) + F.mish(x)).sum(),
    "flip": lambda x: (x.flip(0) * x).sum(),
    "roll": lambda x: (x.roll(1) * x**2).sum(),
    "cat": lambda x: (torch.cat([x[3:], x[:3] ** 2]) * x).sum(),
    "diagonal": lambda x: x.view(2, 3).diagonal().pow(3).sum(),
    "tril": lambda x: (x.view(2, 3).tril() ** 3).sum(),
    "repeat": lambda x: x.repeat(2).diff().pow(3).sum(),
    "as_complex": lambda x: torch.view_as_complex(x.view(3, 2)).abs().pow(3).sum(),
    "complex": lambda x: ((torch.complex(x[:3], x[3:]) ** 2).real ** 2).sum(),
    "logdet": lambda x: torch.logdet(x.outer(x) + torch.eye(N, dtype=x.dtype)),
    "solve": lambda x: torch.linalg.solve(torch.diag(x[:3] ** 2 + 2) + 0.1, x[3:]).pow(2).sum(),
    "custom function": lambda x: Cube.apply(x).sum(),
    "checkpoint": lambda x: torch.utils.checkpoint.checkpoint(
        lambda y: (y.sin() ** 2).sum(), x, use_reentrant=False
    ),
    "inner gradient": lambda x: torch.func.grad(lambda y: (y**4).sum())(x)[:3].sum(),
    "vmap": lambda x: torch.vmap(lambda a: a.sin() * a)(x).sum(),
    "python loop": lambda x: sum((x[i] * x[i + 1]) ** 2 for i in range(5)),
}

# Which entries are non-zero depends on the numbers: the pattern must hold all of them.
COVERED = {
    "clamp": lambda x: (x.clamp(-0.3, 0.3) ** 2 * x).sum(),
    "clamp by x": lambda x: (x.clamp(max=x[0].abs()) ** 3).sum(),
    "max": lambda x: x.max() ** 2,
    "max by row": lambda x: (x.view(2, 3).max(1).values ** 2).sum(),
    "amax": lambda x: x.view(2, 3).amax(1).pow(3).sum(),
    "maximum": lambda x: (torch.maximum(x[1:], x[:-1]) ** 3).sum(),
    "median": lambda x: x.median() ** 3,
    "sort": lambda x: (x.sort().values * torch.arange(N)).pow(2).sum(),
    "sort by row": lambda x: (x.view(2, 3).sort(1).values[:, 0] ** 2).sum(),
    "topk": lambda x: (x.topk(2).values ** 3).sum(),
    "kthvalue": lambda x: x.kthvalue(3).values ** 2,
    "cummax": lambda x: (x.cummax(0).values ** 2).sum(),
    "cumprod": lambda x: x.cumprod(0).sum(),
    "fft": lambda x: (torch.fft.fft(x**2).real ** 2).sum(),
    "rfft, irfft": lambda x: (torch.fft.irfft(torch.fft.rfft(x) * torch.arange(4), n=N) ** 3).sum(),
    "where": lambda x: torch.where(x > 0, x**2, x[0] * x).sum(),
    "relu": lambda x: (F.relu(x)[1:] * F.relu(x)[:-1]).sum(),
    "leaky relu": lambda x: (F.leaky_relu(x) ** 2).sum(),
    "max pool": lambda x: F.max_pool1d(x[None], 2).pow(4).sum(),
    "huber": lambda x: F.huber_loss(x, A[0]),
    "abs": lambda x: (x.abs() ** 3).sum(),
    "remainder": lambda x: (x % 0.3).pow(2).sum(),
    "scatter_reduce": lambda x: (
        torch.ones(4, dtype=x.dtype).scatter_reduce(0, FOUR, x, "amax") ** 2
    ).sum(),
    "product of rows": lambda x: x.view(2, 3).prod(1).sum(),
    "unfold": lambda x: x.unfold(0, 3, 2).prod(-1).sum(),
    "as_strided": lambda x: x.as_strided((2, 3), (1, 2)).prod(0).sum(),
    "detach": lambda x: (x * x.detach()).sum(),
    "determinant": lambda x: x[:4].view(2, 2).det() * x[5],
    "straight through": lambda x: ((x.round() - x).detach() + x).pow(3).sum(),
}


@pytest.mark.parametrize("name", EXACT)
def test_pattern_is_exact(name):
    f = EXACT[name]
    pattern = hessian_pattern(f, points(1)[0])
    np.testing.assert_array_equal(pattern.toarray(), entries_seen(f))


@pytest.mark.parametrize("name", COVERED)
def test_pattern_covers_every_branch(name):
    f = COVERED[name]
    pattern = hessian_pattern(f, points(1)[0]).toarray()
    assert (pattern >= entries_seen(f)).all()


@pytest.mark.parametrize("name", ["max by row", "amax", "sort by row", "leaky relu", "huber"])
def test_a_covering_pattern_is_not_simply_full(name):
    assert hessian_pattern(COVERED[name], points(1)[0]).nnz < N * N


@pytest.mark.parametrize("start", [-1.0, 0.0, 1.0, float("nan"), float("inf")])
def test_the_numbers_in_x_do_not_matter(start):
    f = COVERED["clamp"]
    x = torch.full((N,), start, dtype=torch.float64)
    np.testing.assert_array_equal(hessian_pattern(f, x).toarray(), np.eye(N, dtype=bool))


# Functions put together at random from operations that move, mix, mask and choose.
STEPS = {
    "sin": torch.sin,
    "square": lambda y: y**2,
    "shift": lambda y: y.roll(1),
    "flip": lambda y: y.flip(0),
    "mask": lambda y: y * MASK,
    "halves": lambda y: torch.cat([y[3:] * y[:3], y[:3]]),
    "neighbours": lambda y: F.pad(y[1:] * y[:-1], (0, 1)),
    "relu": F.relu,
    "clamp": lambda y: y.clamp(-0.5, 0.5),
    "where": lambda y: torch.where(y > 0, y, y[0]),
    "pick": lambda y: y[FOUR],
    "put": lambda y: zeros(N).index_add(0, FOUR, y),
    "rows": lambda y: (y.view(2, 3).sum(1, keepdim=True) * y.view(2, 3)).reshape(-1),
    "sort": lambda y: y.view(2, 3).sort(1).values.reshape(-1),
    "band": lambda y: A.tril(1).triu(0) @ y,
    "cumsum": lambda y: y.view(3, 2).cumsum(1).reshape(-1),
    "window": lambda y: F.conv1d(y[None, None], KERNEL, padding=1)[0, 0],
    "write": lambda y: y.index_put((INDEX[:2],), y[4:] ** 2),
    "softmax": lambda y: y.view(2, 3).softmax(1).reshape(-1),
}


@st.composite
def programs(draw):
    """A function of x: a list of steps, each on an earlier result, two of which are joined."""
    steps = draw(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=5))
    sources = [draw(st.integers(0, place)) for place in range(len(steps))]
    join = draw(st.sampled_from(["add", "multiply", "last"]))

    def f(x):
        results = [x]
        for name, source in zip(steps, sources, strict=True):
            results.append(STEPS[name](results[source]))
        last, other = results[-1], results[sources[-1]]
        joined = {"add": last + other**2, "multiply": last * other, "last": last**2}[join]
        return joined.sum()

    f.description = (steps, sources, join)
    return f


@settings(max_examples=40, derandomize=True, deadline=None)
@given(programs())
def test_no_entry_of_a_generated_function_is_missed(f):
    pattern = hessian_pattern(f, points(1)[0]).toarray()
    assert (pattern >= entries_seen(f, count=3)).all(), f.description


def test_an_operation_without_a_rule_is_taken_to_mix_everything():
    grid = A[:1, :4].view(1, 1, 2, 2).tanh()

    def f(x):
        return (F.grid_sample(x.view(1, 1, 2, 3), grid, align_corners=True) ** 3).sum() * 1.0

    with pytest.warns(UserWarning, match="no exact sparsity rule for .*grid_sampler_2d") as caught:
        pattern = hessian_pattern(f, points(1)[0]).toarray()
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert pattern.all()


def test_an_index_that_depends_on_x_may_point_anywhere():
    with pytest.warns(UserWarning, match="no exact sparsity rule for aten.index"):
        pattern = hessian_pattern(lambda x: (x[x.argsort()][:3] ** 3).sum(), points(1)[0])
    assert pattern.nnz == N * N


def test_arguments_that_may_change_do_not_remove_entries():
    def f(x, weights, index):
        return (weights * x[index] ** 2).sum()

    x, weights = torch.ones(4), torch.tensor([0.0, 1.0])
    index = torch.tensor([1, 3])
    diagonal = hessian_pattern(f, x, args=(weights, index)).diagonal()
    assert diagonal.tolist() == [False, True, False, True]
    captured = hessian_pattern(lambda x: f(x, weights, index), x).diagonal()
    assert captured.tolist() == [False, False, False, True]


def test_containers_are_numbered_in_order():
    x = {"b": torch.zeros(2, 2), "a": torch.zeros(3)}
    pattern = hessian_pattern(lambda x: x["b"][0, 1] * x["a"][2] + x["b"][1, 0] ** 2, x)
    assert set(zip(*pattern.nonzero(), strict=True)) == {(1, 6), (6, 1), (2, 2)}


@pytest.mark.parametrize("n", [0, 1])
def test_few_variables(n):
    assert hessian_pattern(lambda x: (x**2).sum(), torch.zeros(n)).nnz == n


def test_a_dense_hessian_is_refused_before_it_fills_the_memory():
    x = torch.zeros(100_000)
    with pytest.raises(TooDense, match="pairs of variables interact"):
        hessian_pattern(lambda x: (x**2).sum() ** 2, x)
    with pytest.raises(TooDense, match="max_entries = 20"):
        hessian_pattern(lambda x: (x**2).sum() ** 2, x[:5], max_entries=20)


def test_a_large_pattern():
    n = 100_000
    pattern = hessian_pattern(EXACT["chain"], torch.zeros(n))
    assert pattern.nnz == 3 * n - 3
    assert abs(pattern - pattern.T).nnz == 0


REFUSED = {
    "branch": (lambda x: x.sum() if x[0] > 0 else (x**2).sum(), ValueError, "depends on the value"),
    "item": (lambda x: x.sum() * x[0].item(), ValueError, "depends on the value"),
    "numpy": (lambda x: x.detach().numpy().sum() * x.sum(), ValueError, "takes the numbers out"),
    "tolist": (lambda x: x.sum() * x.detach().tolist()[0], ValueError, "takes the numbers out"),
    "shape": (lambda x: x[x > 0].sum(), ValueError, "shape of a tensor in it"),
    "nonzero": (
        lambda x: x[x.nonzero()[:, 0]].sum(),
        ValueError,
        "shape of a tensor in it",
    ),
    "random": (lambda x: (x * torch.rand(N)).sum(), ValueError, "draws random numbers"),
    "dropout": (lambda x: F.dropout(x, 0.5).sum(), ValueError, "draws random numbers"),
    "vector": (lambda x: x**2, ValueError, r"got shape \(6,\)"),
    "float": (lambda x: 3.0, TypeError, "expected it to return a tensor, got float"),
    "complex": (lambda x: x.sum() * 1j, TypeError, "got torch.complex"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_recording_cannot_hold_is_refused(name):
    f, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        hessian_pattern(f, points(1)[0])


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (
            torch.zeros(3, dtype=torch.int64),
            TypeError,
            "expected float32 or float64, got",
        ),
        ([1.0, 2.0], TypeError, r"expected a tensor or an array, got list; write torch\.tensor\(x"),
        ({"a": torch.ones(2), "b": 1.0}, TypeError, "expected tensors, got float"),
        ({}, ValueError, "got an empty one"),
        ([torch.zeros(1), torch.zeros(1, dtype=torch.float64)], ValueError, "of one dtype"),
        (torch.eye(3).to_sparse(), ValueError, "expected dense tensors"),
    ],
)
def test_what_x_cannot_be(x, error, message):
    with pytest.raises(error, match=message):
        hessian_pattern(lambda x: x.sum(), x)


GIVEN = np.array([[0, 2.0, 0], [2.0, 5.0, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    "matrix",
    [
        GIVEN,
        GIVEN.tolist(),
        GIVEN != 0,
        sp.coo_matrix(GIVEN),
        sp.csc_array(GIVEN != 0),
        sp.dok_array(GIVEN),
        torch.tensor(GIVEN),
        torch.tensor(GIVEN).to_sparse(),
        torch.tensor(GIVEN != 0).to_sparse_coo(),
    ],
    ids=lambda m: f"{type(m).__module__}.{type(m).__name__}",
)
def test_any_matrix_can_be_a_pattern(matrix):
    pattern = as_pattern(matrix, 3)
    assert pattern.dtype == bool
    assert pattern.has_canonical_format
    np.testing.assert_array_equal(pattern.toarray(), GIVEN != 0)


def test_a_stored_zero_counts_unless_it_says_false():
    indices = ([0, 1], [0, 1])
    assert as_pattern(sp.coo_array(([0.0, 1.0], indices), (2, 2))).nnz == 2
    assert as_pattern(sp.coo_array(([False, True], indices), (2, 2))).nnz == 1


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.triu(np.ones((3, 3))), r"expected a symmetric one, but entry \(0, 1\)"),
        (np.ones((2, 3)), r"expected shape \(n, n\), got \(2, 3\)"),
        (np.ones(3), "expected a matrix, got 1 dimensions"),
    ],
)
def test_a_bad_pattern_is_refused(matrix, message):
    with pytest.raises(ValueError, match=message):
        as_pattern(matrix)


def test_a_pattern_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"expected shape \(4, 4\), got \(3, 3\)"):
        as_pattern(np.eye(3), 4)


def test_no_warning_without_reason():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hessian_pattern(EXACT["logdet"], points(1)[0])
