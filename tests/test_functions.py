import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck
from torch.func import grad, jacfwd, jacrev, jvp, vmap

from autodiff_course.functions import best_step, finite_difference

# PyTorch's own forward mode compiles a few rules by torch.jit when it is first used.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

F32, F64 = torch.float32, torch.float64
# Relative errors that a smooth f of moderate size must not exceed.
FIRST = {("forward", F32): 3e-3, ("central", F32): 2e-4, ("forward", F64): 1e-6}
FIRST[("central", F64)] = 1e-9
SECOND = {"forward": 3e-3, "central": 1e-5}  # float64
quick = settings(derandomize=True, deadline=None, max_examples=25)
both_schemes = pytest.mark.parametrize("scheme", ["forward", "central"])
FOUR = [(a, b) for a in (jacrev, jacfwd) for b in (jacrev, jacfwd)]


def smooth(x, w):
    return torch.cat([torch.exp(x / 2) * w[0] + torch.sin(x * w[1]), (x.sum() * w.prod())[None]])


def opaque(x, w):
    """Compute the same where PyTorch cannot see it."""
    return torch.tensor(smooth(x.detach(), w.detach()).tolist(), dtype=x.dtype)


def number(value, dtype=F64):
    return torch.tensor(value, dtype=dtype, requires_grad=True)


def close(mine, true, tolerance):
    mine, true = mine.detach().double(), true.detach().double()
    assert mine.shape == true.shape
    assert ((mine - true).abs() <= tolerance * true.abs().clamp(min=1)).all(), (mine, true)


@pytest.mark.parametrize(
    ("error", "words", "arguments", "options"),
    [
        (TypeError, "f must be callable, got int", (3,), {}),
        (ValueError, "'forward' or 'central', got 'backward'", (torch.sin, "backward"), {}),
        (ValueError, "step must be positive and finite, got 0", (torch.sin,), {"step": 0}),
        (ValueError, "positive and finite", (torch.sin,), {"step": math.nan}),
        (ValueError, "between 0 and 1, got 1.5", (torch.sin,), {"accuracy": 1.5}),
        (ValueError, "between 0 and 1, got 0", (torch.sin,), {"accuracy": 0}),
    ],
)
def test_bad_options_are_refused(error, words, arguments, options):
    with pytest.raises(error, match=words):
        finite_difference(*arguments, **options)


@pytest.mark.parametrize(
    ("f", "error", "words"),
    [
        (lambda x: 3.0, TypeError, "one float32 or float64 tensor, got float"),
        (lambda x: (x, x), TypeError, "got tuple"),
        (lambda x: x.long(), TypeError, "got torch.int64"),
        (lambda x: x / 0, ValueError, "f must return finite values"),
        (lambda x: x.add_(1), ValueError, "f must not change its arguments, but changed argument"),
        (lambda x: torch.ones(1 + int(x[0] > 1)), ValueError, "the same shape and dtype"),
    ],
)
def test_a_bad_black_box_is_refused(f, error, words):
    x = torch.ones(1, dtype=F64, requires_grad=True)
    with pytest.raises(error, match=words):
        finite_difference(f)(x).sum().backward()
    assert x.tolist() == [1.0]


def test_a_weight_that_comes_in_unseen_is_refused_and_a_detached_one_is_not():
    w, x = number(2.0), number(3.0)
    with pytest.raises(ValueError, match="a tensor that requires grad: pass it as an argument"):
        finite_difference(lambda x: w * x)(x)
    assert finite_difference(lambda x: w.detach() * x)(x).item() == 6.0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_an_argument_that_is_not_finite_is_refused(bad):
    with pytest.raises(ValueError, match="argument 1 of f must be finite"):
        finite_difference(opaque)(torch.ones(2), torch.tensor([1.0, bad]))


def test_a_complex_argument_is_refused():
    z = torch.tensor([1 + 2j], requires_grad=True)
    with pytest.raises(TypeError, match="argument 0 of f must be real, got torch.complex64"):
        finite_difference(lambda z: (z * z.conj()).real)(z)


def test_a_jacobian_may_be_taken_in_one_batched_sweep():
    x = torch.tensor([1.0, 2.0], dtype=F64)
    g = finite_difference(lambda x: torch.tensor([v**2 for v in x.tolist()], dtype=x.dtype))
    close(torch.autograd.functional.jacobian(g, x, vectorize=True), torch.diag(2 * x), 1e-8)


def test_what_a_jvp_refuses_is_nan_under_vmap():
    x = torch.tensor([0.0, 1.0], dtype=F64)
    g = finite_difference(lambda x: torch.stack([x[0], torch.sin(1e9 * x[1])]))
    with pytest.raises(ValueError, match="f bends too much"):
        jvp(g, (x,), (torch.eye(2, dtype=F64)[1],))
    columns = jacfwd(g)(x)
    assert columns[:, 1].isnan().all() and columns[0, 0].item() == pytest.approx(1)


@given(accuracy=st.floats(1e-16, 1e-3), factor=st.sampled_from([0.5, 0.9, 1.1, 2.0]))
@quick
def test_no_other_step_has_a_lower_bound(accuracy, factor):
    for scheme, bound in (
        ("forward", lambda h: h / 2 + 2 * accuracy / h),
        ("central", lambda h: h**2 / 6 + accuracy / h),
    ):
        best = best_step(accuracy, scheme)
        assert bound(best) < bound(best * factor)
        assert best_step(accuracy, scheme, 2) == pytest.approx(best_step(bound(best), scheme))
    with pytest.raises(ValueError, match="derivative must be"):
        best_step(accuracy, "central", 0)


@both_schemes
@pytest.mark.parametrize("dtype", [F32, F64])
@given(data=st.data())
@quick
def test_the_gradient_of_any_shape_is_that_of_torch(scheme, dtype, data):
    shape = data.draw(st.lists(st.integers(0, 3), max_size=3))
    size = math.prod(shape)
    numbers = st.floats(-3, 3, width=32)
    x = torch.tensor(data.draw(st.lists(numbers, min_size=size, max_size=size)), dtype=dtype)
    x, y = x.reshape(shape).requires_grad_(), number(data.draw(numbers), dtype)

    def f(x, y):
        return torch.sin(x * y) + x**2 / 4 + y

    g = finite_difference(f, scheme)
    mine, true = (torch.autograd.grad(h(x, y).sum(), (x, y)) for h in (g, f))
    assert g.calls == 1 + (size + 1) * (1 + (scheme == "central")) + 1
    for one, other in zip(mine, true, strict=True):
        close(one, other, 5 * max(size, 1) * FIRST[scheme, dtype])
        assert one.dtype == dtype


@both_schemes
@given(exponent=st.integers(-3, 12), factor=st.floats(1, 9))
@quick
def test_the_step_grows_with_the_argument(scheme, exponent, factor):
    x = number(factor * 10.0**exponent)
    finite_difference(torch.log1p, scheme)(x).backward()
    size = max(1.0, math.log1p(x.item()))
    true = 1 / (1 + x.item())
    assert x.grad.item() == pytest.approx(true, rel=FIRST[scheme, F64] * 10 * size)


@both_schemes
def test_a_step_that_is_too_long_for_f_is_refused(scheme):
    x = number(1e-9)
    wave = lambda p: torch.sin(1e9 * p)  # noqa: E731
    with pytest.raises(ValueError, match="f bends too much over the default step"):
        finite_difference(wave, scheme)(x).backward()
    with pytest.raises(ValueError, match="f bends too much over the default step"):
        jvp(finite_difference(wave, scheme), (x.detach(),), (torch.tensor(1.0, dtype=F64),))
    assert vmap(grad(finite_difference(wave, scheme)))(x.detach()[None]).isnan().all()
    (slope,) = torch.autograd.grad(finite_difference(wave, "central", step=1e-15)(x), x)
    assert slope.item() == pytest.approx(1e9 * math.cos(1), rel=1e-6)


@both_schemes
def test_a_minimum_and_a_steep_line_are_not_refused(scheme):
    for f, slope in ((lambda x: x**2, 0.0), (lambda x: 1e4 * x, 1e4)):
        x = number(0.0)
        finite_difference(f, scheme)(x).backward()
        assert x.grad.item() == pytest.approx(slope, abs=1e-7)


def test_a_step_lost_in_rounding_is_refused():
    x = torch.tensor([1.0, 1e8], requires_grad=True)
    g = finite_difference(lambda x: x * 2, step=1e-3)
    with pytest.raises(ValueError, match="lost in rounding"):
        g(x).sum().backward()


@given(digits=st.integers(3, 8), point=st.floats(0.5, 2))
@quick
def test_the_stated_accuracy_sets_the_step(digits, point):
    def printed(x):
        return torch.tensor(float(f"{math.sin(x.item()):.{digits}f}"), dtype=x.dtype)

    x = number(point)
    finite_difference(printed, accuracy=10.0**-digits)(x).backward()
    bound = (3 * 10.0**-digits) ** (2 / 3) / 2  # the least of the bound
    scale = max(1.0, point) ** 2
    assert abs(x.grad.item() - math.cos(point)) <= scale * bound


@both_schemes
@given(seed=st.integers(0, 99), length=st.floats(-6, 6))
@quick
def test_the_jvp_is_that_of_torch_whatever_the_length_of_the_tangent(scheme, seed, length):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda n: torch.randn(n, generator=generator, dtype=F64)  # noqa: E731
    primals, tangents = (draw(3), draw(2)), (draw(3) * 10**length, draw(2) * 10**length)
    g = finite_difference(opaque, scheme)
    mine, true = (jvp(h, primals, tangents)[1] for h in (g, smooth))
    close(mine / 10**length, true / 10**length, 20 * FIRST[scheme, F64])
    assert g.calls == 3 + (scheme == "central")


@both_schemes
@given(seed=st.integers(0, 99))
@settings(derandomize=True, deadline=None, max_examples=4)
def test_second_derivatives_agree_in_all_four_nestings(scheme, seed):
    x = torch.rand(2, generator=torch.Generator().manual_seed(seed), dtype=F64)

    def f(x):
        return torch.sin(x[0] * x[1]) + x[0] ** 3

    for outer, inner in FOUR:
        mine, true = (outer(inner(h))(x) for h in (finite_difference(f, scheme), f))
        close(mine, true, SECOND[scheme])


def test_second_derivatives_with_one_step_are_refused():
    x = torch.tensor(2.0, dtype=F64)
    with pytest.raises(ValueError, match="step is for first derivatives only"):
        grad(grad(finite_difference(lambda x: x**3, step=1e-5)))(x)


def test_gradcheck_and_gradgradcheck_pass():
    inputs = (
        torch.tensor([0.3, -1.1, 0.8], dtype=F64, requires_grad=True),
        torch.tensor([0.7, -0.4], dtype=F64, requires_grad=True),
    )
    g = finite_difference(opaque)
    assert gradcheck(g, inputs, check_forward_ad=True, check_undefined_grad=True)
    assert gradgradcheck(g, inputs, atol=1e-4, rtol=1e-3, check_fwd_over_rev=True)


def test_vmap_calls_f_once_for_each_sample():
    x, w = torch.linspace(-1, 1, 12, dtype=F64).reshape(4, 3), torch.tensor([0.3, -0.8], dtype=F64)
    g = finite_difference(opaque)
    close(vmap(g, (0, None))(x, w), vmap(smooth, (0, None))(x, w), 1e-12)
    assert g.calls == 4
    mine, true = (vmap(jacrev(h, 1), (0, None))(x, w) for h in (g, smooth))
    close(mine, true, 1e-8)


def test_other_arguments_are_passed_on_and_cost_nothing():
    x = torch.tensor([1.0, 2.0, 3.0], dtype=F64, requires_grad=True)
    g = finite_difference(lambda x, index, factor: x[index] * factor)
    g(x, torch.tensor([2, 0]), 5.0).sum().backward()
    close(x.grad, torch.tensor([5.0, 0.0, 5.0]), 1e-8)
    assert g.calls == 1 + 2 * 3 + 1


def test_a_buffer_that_f_uses_again_is_copied_and_the_output_is_the_callers():
    buffer, x = torch.zeros(2, dtype=F64), torch.tensor([1.0, 3.0], dtype=F64, requires_grad=True)
    y = finite_difference(lambda x: torch.mul(x, x, out=buffer))(x)
    y += 1
    y.sum().backward()
    close(x.grad, 2 * x, 1e-8)
    assert y.tolist() == [2.0, 10.0]


def test_a_weight_in_use_elsewhere_is_left_alone():
    w = torch.tensor([0.1, 0.2], dtype=F64, requires_grad=True)
    y = finite_difference(lambda w: (w**3).sum())(w) + (w**2).sum()
    version = w._version
    first = torch.autograd.grad(y, w, retain_graph=True)[0]
    assert torch.equal(first, torch.autograd.grad(y, w)[0]) and w._version == version
    close(first, 3 * w**2 + 2 * w, 1e-9)
