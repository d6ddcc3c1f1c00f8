import inspect
import math
import traceback

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import forward_ad, gradcheck, gradgradcheck
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

from autodiff_course.functions import FiniteDifference, default_step, finite_difference

# PyTorch's own forward mode compiles a few rules by torch.jit when it is first used.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

SCHEMES = ("forward", "central")
F32, F64 = torch.float32, torch.float64
# Relative errors that a smooth f of moderate size must not exceed.
FIRST = {("forward", F32): 3e-3, ("central", F32): 2e-4, ("forward", F64): 1e-6}
FIRST[("central", F64)] = 1e-9
SECOND = {"forward": 3e-3, "central": 1e-5}  # float64

quick = settings(derandomize=True, deadline=None, max_examples=25)
both_schemes = pytest.mark.parametrize("scheme", SCHEMES)


def smooth(x, w):
    """A torch function of a vector x and a vector w, and its own truth under torch's autodiff."""
    first = torch.exp(x / 2) * w[0] + torch.sin(x * w[1])
    return torch.cat([first, (x.sum() * w[0] * w[1]).reshape(1)])


def opaque(x, w):
    """Compute the same in NumPy, which PyTorch cannot see through."""
    a, b = x.numpy(), w.numpy()
    first = np.exp(a / 2) * b[0] + np.sin(a * b[1])
    return torch.from_numpy(np.concatenate([first, [a.sum() * b[0] * b[1]]])).to(x.dtype)


def sample(dtype=F64):
    return torch.tensor([0.3, -1.1, 0.8], dtype=dtype), torch.tensor([0.7, -0.4], dtype=dtype)


def close(mine, true, tolerance):
    mine, true = mine.detach().double(), true.detach().double()
    assert mine.shape == true.shape
    assert ((mine - true).abs() <= tolerance * true.abs().clamp(min=1)).all(), (mine, true)


# --- The door ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "words", "arguments", "options"),
    [
        (TypeError, "f must be callable, got int", (3,), {}),
        (ValueError, "'forward' or 'central', got 'backward'", (torch.sin, "backward"), {}),
        (ValueError, "positive and finite, got 0", (torch.sin,), {"step": 0}),
        (ValueError, "positive and finite", (torch.sin,), {"step": -1e-3}),
        (ValueError, "positive and finite", (torch.sin,), {"step": math.nan}),
        (ValueError, "positive and finite", (torch.sin,), {"step": (1e-3, math.inf)}),
        (ValueError, "one or two values", (torch.sin,), {"step": ()}),
        (ValueError, "one or two values", (torch.sin,), {"step": (1.0, 1.0, 1.0)}),
        (TypeError, "got '1e-3'", (torch.sin,), {"step": "1e-3"}),
        (TypeError, "got True", (torch.sin,), {"step": True}),
        (ValueError, r"batch must name arguments of f \(\['x', 'w'\]\), got 'y'", (smooth,), {}),
    ],
)
def test_bad_options_are_refused_when_wrapping(error, words, arguments, options):
    options = options or ({"batch": "y"} if arguments == (smooth,) else {})
    with pytest.raises(error, match=words):
        finite_difference(*arguments, **options)


def test_default_step_refuses_what_has_none():
    with pytest.raises(TypeError, match="dtype must be"):
        default_step(torch.float16)
    with pytest.raises(ValueError, match="scheme must be"):
        default_step(F64, "Central")
    with pytest.raises(ValueError, match="derivative must be"):
        default_step(F64, "central", 3)


@both_schemes
@pytest.mark.parametrize("dtype", [F32, F64])
def test_default_steps_are_the_powers_that_the_docstring_names(scheme, dtype):
    eps = torch.finfo(dtype).eps
    powers = {"forward": (1 / 2, 1 / 4), "central": (1 / 3, 2 / 9)}[scheme]
    for derivative, power in enumerate(powers, start=1):
        assert default_step(dtype, scheme, derivative) == pytest.approx(eps**power, rel=1e-12)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.ones(2, dtype=torch.complex64), "x must be real, got torch.complex64"),
        (torch.eye(2).to_sparse(), "x must be a dense tensor"),
        (torch.ones(2, dtype=torch.float16, requires_grad=True), "x must be float32 or float64"),
        ([torch.ones(2)], "x is a list that holds a tensor"),
        ({"a": (1, torch.ones(2))}, "x is a dict that holds a tensor"),
    ],
)
def test_bad_arguments_are_refused_by_name(value, words):
    g = finite_difference(lambda x: torch.ones(1))
    with pytest.raises(TypeError, match=words):
        g(value)
    with pytest.raises(TypeError, match=words):
        g(x=value)
    assert g.calls == 0


def test_a_half_precision_tangent_is_refused_too():
    g = finite_difference(lambda x: x.float())
    x = torch.ones(2, dtype=torch.float16)
    assert g(x).tolist() == [1, 1]  # as a constant it is let through
    with pytest.raises(TypeError, match="x must be float32 or float64 to be differentiated"):
        jvp(g, (x,), (x,))


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (3.0, "must return one tensor, got float"),
        ((torch.ones(1), torch.ones(1)), "got tuple; stack several into one"),
        (None, "got NoneType"),
        (torch.ones(1, dtype=torch.int64), "float32 or float64, got torch.int64"),
        (torch.ones(1, dtype=torch.complex64), "got torch.complex64"),
        (torch.ones(1, dtype=torch.float16), "got torch.float16"),
        (torch.ones(1).to_sparse(), "torch.sparse_coo"),
    ],
)
def test_bad_outputs_are_refused(output, words):
    with pytest.raises(TypeError, match=words):
        finite_difference(lambda x: output)(torch.ones(1))


@both_schemes
def test_an_output_that_changes_shape_or_dtype_is_refused(scheme):
    def growing(x):
        return torch.ones(2) if x > 1 else torch.ones(1)

    def widening(x):
        return x.double() if x > 1 else x

    for f in (growing, widening):
        x = torch.tensor(1.0, requires_grad=True)
        g = finite_difference(f, scheme)
        with pytest.raises(ValueError, match=r"the same shape and dtype.*x was shifted by \+"):
            g(x).sum().backward()
        with pytest.raises(ValueError, match="the same shape and dtype"):
            jvp(g, (x.detach(),), (torch.tensor(1.0),))


def test_a_tensor_that_is_not_an_argument_is_not_lost_silently():
    hidden = torch.tensor(2.0, requires_grad=True)
    g = finite_difference(lambda x: x * hidden)
    with pytest.raises(ValueError, match="uses a tensor that is not an argument"):
        g(torch.tensor(3.0))
    with torch.no_grad():
        assert g(torch.tensor(3.0)) == 6
    with pytest.raises(ValueError, match="uses a tensor that is not an argument"):
        finite_difference(torch.nn.Linear(2, 1))(torch.ones(2))
    with pytest.raises(ValueError, match="uses a tensor that is not an argument"):
        grad(lambda w: finite_difference(lambda x: x * w)(torch.tensor(3.0)))(torch.tensor(2.0))
    with pytest.raises(ValueError, match="uses a tensor that is not an argument"):
        jacfwd(lambda w: finite_difference(lambda x: x * w)(torch.tensor(3.0)))(torch.tensor(2.0))


def test_f_may_differentiate_inside():
    def slope(x):
        x.requires_grad_()
        return torch.autograd.grad((x**3).sum(), x)[0]

    x = torch.tensor([1.0, 2.0], dtype=F64, requires_grad=True)
    finite_difference(slope, "central")(x).sum().backward()
    close(x.grad, 6 * x, 1e-8)


# --- A callable like f ------------------------------------------------------------------------


def test_the_signature_and_the_help_are_those_of_f():
    g = finite_difference(smooth)
    assert isinstance(g, FiniteDifference) and callable(g)
    assert inspect.signature(g) == inspect.signature(smooth)
    assert (g.__name__, g.__doc__) == (smooth.__name__, smooth.__doc__)
    assert repr(g) == "FiniteDifference(smooth, scheme='forward')"


def test_other_arguments_are_passed_through():
    marker = object()
    seen = []

    def f(x, n, *rest, option, table=None):
        seen.append((n, rest, option, table))
        return x * n

    x = torch.tensor([1.0, 2.0], dtype=F64, requires_grad=True)
    finite_difference(f, "central")(x, 3, marker, option="a", table=[1, 2]).sum().backward()
    assert seen == [(3, (marker,), "a", [1, 2])] * 5
    close(x.grad, torch.tensor([3.0, 3.0]), 1e-9)


def test_tensors_are_differentiated_wherever_they_stand():
    def f(a, *rest, k, **more):
        return a * rest[0] * k * more["m"]

    names = "abkm"
    leaves = {
        n: torch.tensor(v, dtype=F64, requires_grad=True)
        for n, v in zip(names, (2, 3, 5, 7), strict=True)
    }
    g = finite_difference(f, "central")
    g(leaves["a"], leaves["b"], k=leaves["k"], m=leaves["m"]).backward()
    for leaf in leaves.values():
        close(leaf.grad, 210 / leaf, 1e-8)


def test_integer_and_constant_tensors_cost_nothing():
    index = torch.tensor([2, 0])
    g = finite_difference(lambda x, index, c: x[index] * c)
    x = torch.tensor([1.0, 2.0, 3.0], dtype=F64, requires_grad=True)
    g(x, index, torch.tensor(5.0, dtype=F64)).sum().backward()
    close(x.grad, torch.tensor([5.0, 0.0, 5.0]), 1e-7)
    assert g.calls == 1 + 3


def test_without_gradients_there_is_no_graph():
    g = finite_difference(smooth)
    assert g(*sample()).grad_fn is None
    assert (
        type(g(*(t.requires_grad_() for t in sample())).grad_fn).__name__ == "_EvaluationBackward"
    )


# --- First derivatives ------------------------------------------------------------------------


@both_schemes
@pytest.mark.parametrize("dtype", [F32, F64])
@given(data=st.data())
@quick
def test_the_gradient_of_any_shape_is_that_of_torch(scheme, dtype, data):
    shape = data.draw(st.lists(st.integers(0, 3), max_size=3))
    size = math.prod(shape)
    numbers = st.floats(-3, 3, width=32)
    x = torch.tensor(data.draw(st.lists(numbers, min_size=size, max_size=size)), dtype=dtype)
    x = x.reshape(shape).requires_grad_()
    y = torch.tensor(data.draw(numbers), dtype=dtype, requires_grad=True)

    def f(x, y):
        return torch.sin(x * y) + x**2 / 4 + y

    weights = torch.linspace(0.5, 1.5, size, dtype=dtype).reshape(shape)
    g = finite_difference(f, scheme)
    mine = torch.autograd.grad((g(x, y) * weights).sum(), (x, y))
    true = torch.autograd.grad((f(x, y) * weights).sum(), (x, y))
    for one, other in zip(mine, true, strict=True):
        close(one, other, 5 * max(size, 1) * FIRST[scheme, dtype])
        assert one.dtype == dtype


@both_schemes
@given(exponent=st.integers(-3, 12), factor=st.floats(1, 9))
@quick
def test_the_step_grows_with_the_argument(scheme, exponent, factor):
    # A fixed step drowns in the rounding of a large argument.
    x = torch.tensor(factor * 10.0**exponent, dtype=F64, requires_grad=True)
    finite_difference(torch.log1p, scheme)(x).backward()
    true = 1 / (1 + x.item())
    size = max(1.0, math.log1p(x.item()))
    assert x.grad.item() == pytest.approx(true, rel=FIRST[scheme, F64] * 10 * size)


@both_schemes
def test_the_step_follows_the_coarser_of_input_and_output(scheme):
    x = torch.tensor(1.3, dtype=F64, requires_grad=True)
    finite_difference(lambda x: torch.exp(x).float(), scheme)(x).backward()
    assert x.grad.dtype == F64
    assert x.grad.item() == pytest.approx(math.exp(1.3), rel=FIRST[scheme, F32])


def test_the_error_table_of_the_docstring():
    x64 = torch.linspace(-2, 2, 4001, dtype=F64)
    table = [row.split() for row in finite_difference.__doc__.splitlines() if " float" in row]
    rows = [row for row in table if row and row[0] in SCHEMES and len(row) == 4]
    assert len(rows) == 4
    for scheme, dtype, *stated in rows:
        x = x64.to(getattr(torch, dtype)).requires_grad_()
        y = finite_difference(lambda x: torch.sin(x) + torch.exp(x), scheme, batch="x")(x)
        first = torch.autograd.grad(y.sum(), x, create_graph=True)[0]
        second = torch.autograd.grad(first.sum(), x)[0]
        z = x.detach().double()
        for mine, true, number in (
            (first, z.cos() + z.exp(), stated[0]),
            (second, z.exp() - z.sin(), stated[1]),
        ):
            error = ((mine.double() - true) / true.abs().clamp(min=1)).abs().median().item()
            assert float(number) / 3 < error < float(number) * 1.5, (scheme, dtype, error)


def test_a_linear_function_has_no_truncation_error():
    # The article's function at its point: f = 3, gradient (2, 1), with a step as coarse as 1/8.
    def f(x, w):
        return 2 * x * w[0] + x**2 * w[1]

    x, w = torch.ones(1), torch.ones(2, requires_grad=True)
    y = finite_difference(f, step=0.125)(x, w)
    y.backward()
    assert y.tolist() == [3.0] and w.grad.tolist() == [2.0, 1.0]


@both_schemes
def test_a_black_box_in_numpy_passes_gradcheck(scheme):
    inputs = tuple(t.requires_grad_() for t in sample())
    g = finite_difference(opaque, scheme)
    # check_batched_forward_grad belongs to an older vmap that knows no custom Function.
    assert gradcheck(
        g, inputs, atol=1e-6, check_forward_ad=True, check_batched_grad=True,
        check_batched_forward_grad=False, check_undefined_grad=True,
    )  # fmt: skip


def test_gradgradcheck_passes_forward_over_reverse_too():
    inputs = tuple(t.requires_grad_() for t in sample())
    g = finite_difference(opaque, "central")
    assert gradgradcheck(g, inputs, atol=1e-4, rtol=1e-3, check_fwd_over_rev=True)


def test_the_same_tensor_twice():
    x = torch.tensor([1.5, -2.0], dtype=F64, requires_grad=True)
    finite_difference(lambda a, b: a * b**2, "central")(x, x).sum().backward()
    close(x.grad, 3 * x**2, 1e-9)


def test_views_and_expanded_tensors():
    base = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=F64, requires_grad=True)
    g = finite_difference(lambda x: (x**2).sum(), "central")
    g(base.T[:, :1].expand(2, 3)).backward()
    close(base.grad, torch.tensor([[6.0, 12.0], [0.0, 0.0]]), 1e-9)


def test_an_infinite_element_spoils_only_its_own_derivative():
    x = torch.tensor([math.inf, 2.0], dtype=F64, requires_grad=True)
    finite_difference(lambda x: 1 / x[0] + x[1] ** 2, "central")(x).backward()
    assert x.grad[0].isnan() and x.grad[1].item() == pytest.approx(4)


def test_a_step_lost_in_rounding_is_refused():
    x = torch.tensor([1.0, 1e8], requires_grad=True)
    g = finite_difference(lambda x: x * 2, step=1e-3)
    with pytest.raises(ValueError, match="step 0.001 is lost in rounding when it is added to x"):
        g(x).sum().backward()
    with pytest.raises(ValueError, match="lost in rounding"):
        jvp(g, (x.detach(),), (torch.ones(2),))
    # Under vmap nothing can be looked at: not a number, rather than a wrong number.
    assert vmap(grad(g))(x.detach())[1].isnan()
    assert vmap(lambda x: jvp(g, (x,), (torch.tensor(1.0),))[1])(x.detach())[1].isnan()


# --- The JVP ----------------------------------------------------------------------------------


@both_schemes
@given(size=st.floats(-6, 6), seed=st.integers(0, 99))
@quick
def test_the_jvp_is_linear_in_the_tangent_whatever_its_length(scheme, size, seed):
    x, w = sample()
    generator = torch.Generator().manual_seed(seed)
    v, u = (10**size * torch.randn(t.shape, generator=generator, dtype=F64) for t in (x, w))
    mine = jvp(finite_difference(opaque, scheme), (x, w), (v, u))[1]
    true = jvp(smooth, (x, w), (v, u))[1]
    assert ((mine - true).abs() <= 20 * FIRST[scheme, F64] * 10**size).all()


@both_schemes
def test_a_zero_tangent_gives_zero(scheme):
    x, w = sample()
    zero = jvp(finite_difference(opaque, scheme), (x, w), (0 * x, 0 * w))[1]
    assert zero.tolist() == [0.0] * 4


@both_schemes
def test_dual_numbers_without_torch_func(scheme):
    x, w = sample()
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, torch.ones_like(x))
        mine = forward_ad.unpack_dual(finite_difference(opaque, scheme)(dual, w)).tangent
    close(mine, jvp(lambda x: smooth(x, w), (x,), (torch.ones_like(x),))[1], FIRST[scheme, F64])


# --- Transforms -------------------------------------------------------------------------------

SECOND_ORDER = {
    "jacfwd(jacfwd)": lambda f, a: jacfwd(jacfwd(f, a), a),
    "jacfwd(jacrev)": lambda f, a: jacfwd(jacrev(f, a), a),
    "jacrev(jacfwd)": lambda f, a: jacrev(jacfwd(f, a), a),
    "jacrev(jacrev)": lambda f, a: jacrev(jacrev(f, a), a),
    "hessian": lambda f, a: hessian(f, a),
    "vmap of hessian": lambda f, a: vmap(hessian(f, a), (None, 0)),
    "hessian of vmap": lambda f, a: hessian(vmap(f, (None, 0)), a),
}


@both_schemes
@pytest.mark.parametrize("argument", [0, 1])
@pytest.mark.parametrize("order", SECOND_ORDER)
def test_second_derivatives_in_every_nesting(scheme, argument, order):
    x, w = sample()
    w = torch.stack([w, w + 0.2, -w]) if "vmap" in order else w
    transform = SECOND_ORDER[order]
    mine = transform(finite_difference(opaque, scheme), argument)(x, w)
    true = transform(smooth, argument)(x, w)
    assert true.abs().max() > 0.1
    close(mine, true, SECOND[scheme])


def test_nested_jvp_is_not_zero():
    # PyTorch runs a jvp with forward mode switched off, so that an outer one would see constants.
    def second(f):
        one = torch.tensor(1.0, dtype=F64)
        return lambda x: jvp(lambda y: jvp(f, (y,), (one,))[1], (x,), (one,))[1]

    x = torch.tensor(3.0, dtype=F64)
    assert second(finite_difference(lambda x: x**4, "central"))(x).item() == pytest.approx(108)


@both_schemes
def test_first_derivatives_under_torch_func(scheme):
    x, w = sample()
    rows = torch.stack([x, x + 1, x * 2, -x])
    g, tolerance = finite_difference(opaque, scheme), FIRST[scheme, F64]
    for transform in (
        lambda f: jacrev(f, 1)(x, w),
        lambda f: jacfwd(f, 0)(x, w),
        lambda f: grad(lambda w: f(x, w).prod())(w),
        lambda f: vjp(f, x, w)[1](torch.linspace(1, 2, 4, dtype=F64))[0],
        lambda f: vmap(f, (0, None))(rows, w),
        lambda f: vmap(f, (1, None), out_dims=1)(rows.T, w),
        lambda f: vmap(jacrev(f, 1), (0, None))(rows, w),
        lambda f: vmap(jacfwd(f, 0), (0, None))(rows, w),
        lambda f: jacrev(vmap(f, (0, None)), 1)(rows, w),
        lambda f: vmap(vmap(f, (0, None)), (None, 0))(rows, torch.stack([w, -w])),
        lambda f: torch.autograd.functional.jacobian(lambda w: f(x, w), w, vectorize=True),
    ):
        close(transform(g), transform(smooth), 5 * tolerance)


def test_ordinary_double_backward_and_a_gradient_penalty():
    x, w = sample()
    w.requires_grad_()

    def penalty(f):
        slope = torch.autograd.grad(f(x, w).sum(), w, create_graph=True)[0]
        return torch.autograd.grad((slope**2).sum(), w)[0]

    close(penalty(finite_difference(opaque, "central")), penalty(smooth), 1e-5)


def test_a_third_derivative_is_refused():
    g = finite_difference(lambda x: x**3, "central")
    x = torch.tensor(2.0, dtype=F64)
    for third in (grad(grad(grad(g))), jacfwd(jacfwd(jacfwd(g))), jacfwd(jacrev(jacrev(g)))):
        with pytest.raises(ValueError, match="a third derivative was asked for"):
            third(x)


def test_a_single_step_serves_first_derivatives_only():
    x = torch.tensor(2.0, dtype=F64)
    one = finite_difference(lambda x: x**3, "central", step=1e-5)
    assert grad(one)(x).item() == pytest.approx(12)
    for nested in (grad(grad(one)), jacfwd(jacfwd(one)), jacfwd(grad(one))):
        with pytest.raises(ValueError, match="step is given for the first one only"):
            nested(x)
    two = finite_difference(lambda x: x**3, "central", step=(1e-5, 1e-3))
    assert grad(grad(two))(x).item() == pytest.approx(12, rel=1e-5)


def test_small_arguments_need_steps_of_their_own():
    # The default step is meant for arguments around 1; here it is far longer than the argument.
    x = torch.tensor(1e-12, dtype=F64, requires_grad=True)
    g = finite_difference(lambda x: torch.sin(x * 1e12), "central", step=1e-17)
    g(x).backward()
    assert x.grad.item() == pytest.approx(1e12 * math.cos(1), rel=1e-6)


# --- Rows -------------------------------------------------------------------------------------


def row_wise(x, w):
    """Two outputs for each row of x."""
    return torch.stack([torch.exp(x[:, 0] * w[0]) + x[:, 1] ** 2, x.prod(1) * w[1]], dim=1)


def row_wise_opaque(x, w):
    return row_wise(torch.from_numpy(x.numpy()), torch.from_numpy(w.numpy()))


@both_schemes
@given(rows=st.integers(0, 6), seed=st.integers(0, 99))
@quick
def test_a_batch_is_perturbed_all_rows_at_once(scheme, rows, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 2, generator=generator, dtype=F64).requires_grad_()
    w = torch.tensor([0.3, -0.8], dtype=F64, requires_grad=True)
    g = finite_difference(row_wise_opaque, scheme, batch="x")
    weights = torch.randn(rows, 2, generator=generator, dtype=F64)
    mine = torch.autograd.grad((g(x, w) * weights).sum(), (x, w))
    true = torch.autograd.grad((row_wise(x, w) * weights).sum(), (x, w))
    for one, other in zip(mine, true, strict=True):
        close(one, other, 100 * FIRST[scheme, F64])
    assert g.calls == 1 + 4 * (1 if scheme == "forward" else 2)


@both_schemes
def test_vmap_over_rows_calls_f_once_per_perturbation(scheme):
    x = torch.linspace(-1, 1, 24, dtype=F64).reshape(4, 3, 2)
    w = torch.tensor([0.3, -0.8], dtype=F64)
    g = finite_difference(row_wise_opaque, scheme, batch=("x",))
    once = 1 if scheme == "forward" else 2
    for transform, calls in (
        (lambda f: vmap(f, (0, None))(x, w), 1),
        (lambda f: vmap(f, (1, None))(x.transpose(0, 1), w), 1),
        (lambda f: vmap(grad(lambda x, w: f(x, w).sum(), 1), (0, None))(x, w), 1 + 2 * once),
        (lambda f: vmap(grad(lambda x, w: f(x, w).sum(), 0), (0, None))(x, w), 1 + 2 * once),
        (lambda f: vmap(hessian(lambda x, w: f(x, w).sum(), 1), (0, None))(x, w), None),
        (lambda f: vmap(vmap(f, (0, None)), (0, None))(x[:, :, None], w), 1),
        (lambda f: vmap(f, (None, 0))(x[0], torch.stack([w, w, -w])), 3),  # w is no batch
    ):
        g.calls = 0
        close(transform(g), transform(row_wise), SECOND[scheme])
        assert calls is None or g.calls == calls


@pytest.mark.parametrize("batch", [(), ("x",)])
def test_vmap_over_nothing_is_refused(batch):
    g = finite_difference(lambda x: x * 2, batch=batch)
    with pytest.raises(ValueError, match="vmap over a dimension of size 0"):
        vmap(g)(torch.ones(0, 2))


@both_schemes
def test_no_elements_no_perturbation(scheme):
    g = finite_difference(lambda x: (x**2).sum(), scheme)
    x = torch.ones(0, 3, requires_grad=True)
    g(x).backward()
    assert x.grad.shape == (0, 3) and g.calls == 1
    assert jvp(g, (x.detach(),), (x.detach(),))[1] == 0


def test_a_batch_of_scalars_costs_one_perturbation():
    x = torch.linspace(-2, 2, 101, dtype=F64, requires_grad=True)
    g = finite_difference(torch.sin, "central")
    named = finite_difference(lambda x: torch.sin(x), "central", batch="x")
    for f, calls in ((g, 1 + 2 * 101), (named, 1 + 2)):
        (slope,) = torch.autograd.grad(f(x).sum(), x)
        close(slope, torch.cos(x), 1e-9)
        assert f.calls == calls


@pytest.mark.parametrize("x", [torch.ones(3), torch.tensor(1.0)])
def test_a_batch_that_is_none_is_refused(x):
    g = finite_difference(lambda x: x.sum(), batch="x")
    with pytest.raises(ValueError, match="the same number of rows, got x"):
        g(x)
    with pytest.raises(ValueError, match="the same number of rows"):
        finite_difference(lambda x, y: x, batch=("x", "y"))(torch.ones(3), torch.ones(2))


# --- Cost -------------------------------------------------------------------------------------


@both_schemes
@given(n=st.integers(1, 6))
@settings(derandomize=True, deadline=None, max_examples=6)
def test_calls_are_counted_as_documented(scheme, n):
    g = finite_difference(lambda x: torch.sin(x).sum(), scheme)
    x = torch.linspace(0.1, 1, n, dtype=F64, requires_grad=True)
    central = scheme == "central"

    def calls(action):
        g.calls = 0
        action()
        return g.calls

    assert calls(lambda: g(x)) == 1
    assert calls(lambda: g(x).backward()) == 1 + (2 * n if central else n)
    assert calls(lambda: torch.autograd.grad(g(x), x, create_graph=True)) == 1 + n * (1 + central)
    z = x.detach()
    assert calls(lambda: jvp(g, (z,), (z,))) == (3 if central else 2)
    assert calls(lambda: jacfwd(g)(z)) == 1 + (2 * n if central else n)
    full = 4 * n * n + 2 * n + 1 if central else (n + 1) ** 2
    assert calls(lambda: jacrev(jacrev(g))(z)) == full


def test_a_failed_call_is_counted():
    g = finite_difference(lambda x: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        g(torch.ones(1))
    assert g.calls == 1


# --- What belongs to the caller ---------------------------------------------------------------


def fingerprint(tensor):
    return tensor.detach().numpy().tobytes(), tensor._version, tensor.data_ptr()


@both_schemes
@given(
    values=st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=4),
    dtype=st.sampled_from([F32, F64]),
)
@quick
def test_the_tensors_of_the_caller_stay_as_they_are(scheme, values, dtype):
    x = torch.tensor(values, dtype=dtype)
    w = torch.tensor([0.1, 0.2], dtype=dtype)
    received = []

    def vandal(x, w):
        received.extend((x.data_ptr(), w.data_ptr()))
        value = x * w[0] + w[1] ** 2
        x.fill_(7), w.zero_()
        return value

    before = fingerprint(x), fingerprint(w)
    g = finite_difference(vandal, scheme)
    mine = [
        torch.autograd.grad(g(x.requires_grad_(), w.requires_grad_()).sum(), (x, w)),
        grad(lambda x, w: g(x, w).sum(), (0, 1))(x.detach(), w.detach()),
    ]
    jvp(g, (x.detach(), w.detach()), (x.detach(), w.detach()))
    vmap(g, (0, None))(x.detach(), w.detach())
    hessian(lambda w: g(x.detach(), w).sum())(w.detach())
    assert (fingerprint(x), fingerprint(w)) == before
    assert not {x.data_ptr(), w.data_ptr()} & set(received)
    for by_x, by_w in mine:
        size = 1e3 if dtype == F32 else 1.0
        close(by_x, torch.full_like(x, 0.1), size * FIRST[scheme, dtype])
        true = torch.stack([x.sum(), len(values) * 2 * w[1]])
        close(by_w, true, 1e3 * size * FIRST[scheme, dtype])


@both_schemes
def test_an_error_in_f_leaves_everything_as_it_was(scheme):
    w = torch.tensor([0.1, 0.2], requires_grad=True)
    limit = {"now": math.nextafter(0.2, 1)}

    def fragile(w):
        if w[1] > limit["now"] + 1e-6:
            raise ArithmeticError("too far")
        return w.sum()

    before = fingerprint(w)
    y = finite_difference(fragile, scheme)(w)
    with pytest.raises(ArithmeticError, match="too far") as caught:
        y.backward()
    assert fingerprint(w) == before and w.grad is None
    shown = "".join(traceback.format_exception(caught.value))
    assert "raised by f, called with w of shape (2,); w[1] was shifted by +0.00" in shown
    limit["now"] = math.inf
    (again,) = torch.autograd.grad(finite_difference(fragile, scheme)(w), w)
    close(again, torch.ones(2), 1e-3)


def test_an_error_names_the_shift_under_every_transform():
    def fragile(x, w):
        if w[1] > 0.2 or x.sum() > 9:
            raise ArithmeticError("too far")
        return x * w.sum()

    g = finite_difference(fragile, "central", step=1e-3)
    x, w = torch.tensor([1.0, 2.0]), torch.tensor([0.1, 0.2])
    many = torch.stack([x, x])
    for action, note in (
        (lambda: g(x + 10, w), "x of shape (2,), w of shape (2,); nothing was shifted"),
        (lambda: jacrev(g, 1)(x, w), "w[1] was shifted by +0.001"),
        (lambda: jacfwd(g, 1)(x, w), "w was shifted by +h times its tangent and sample 1 of vmap"),
        (lambda: vmap(jacrev(g, 1), (0, None))(many, w), "w[1] was shifted by +0.001 and sample 0"),
        (lambda: g(x.requires_grad_(), w=w.requires_grad_()).sum().backward(), "w[1] was shifted"),
    ):
        with pytest.raises(ArithmeticError) as caught:
            action()
        assert any(note in line for line in caught.value.__notes__), caught.value.__notes__


def test_an_output_that_f_uses_again_is_copied():
    buffer = torch.zeros(2, dtype=F64)

    def reusing(x):
        return torch.mul(x, x, out=buffer)

    x = torch.tensor([1.0, 3.0], dtype=F64, requires_grad=True)
    for scheme in SCHEMES:
        y = finite_difference(reusing, scheme)(x)
        (slope,) = torch.autograd.grad(y.sum(), x)
        close(slope, 2 * x, 1e-7)
        assert y.tolist() == [1.0, 9.0]


@both_schemes
def test_the_output_is_the_caller_s_own(scheme):
    x = torch.ones(2, requires_grad=True)
    y = finite_difference(lambda x: x, scheme)(x)
    y += 1
    y.sum().backward()
    assert x.tolist() == [1.0, 1.0]
    close(x.grad, torch.ones(2), 1e-3)


def test_a_graph_kept_for_a_second_sweep_gives_the_same_again():
    x, w = (t.requires_grad_() for t in sample())
    y = finite_difference(opaque, "central")(x, w).sum() + (w**2).sum()
    first = torch.autograd.grad(y, (x, w), retain_graph=True)
    second = torch.autograd.grad(y, (x, w))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_changing_an_argument_before_the_sweep_is_noticed():
    w = torch.ones(2, requires_grad=True)
    y = finite_difference(lambda w: (w**2).sum())(w)
    with torch.no_grad():
        w.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


# --- It trains --------------------------------------------------------------------------------


def test_it_trains_like_the_function_that_torch_can_see():
    def f(x, w):
        return 2 * x * w[0] + x**2 * w[1]

    def blind(x, w):
        rows = [2 * float(a) * float(w[0]) + float(a) ** 2 * float(w[1]) for a in x]
        return torch.tensor(rows, dtype=x.dtype)

    generator = torch.Generator().manual_seed(0)
    x = torch.rand(20, generator=generator, dtype=F64)
    y = f(x, torch.tensor([1.2, -3.4], dtype=F64))
    ends = []
    for model in (f, finite_difference(blind)):
        w = torch.zeros(2, dtype=F64, requires_grad=True)
        optimiser = torch.optim.Adam([w], lr=0.1)
        for _ in range(150):
            optimiser.zero_grad()
            ((model(x, w) - y) ** 2).mean().backward()
            optimiser.step()
        ends.append(w.detach())
    close(ends[1], ends[0], 1e-5)
    assert ((y - f(x, ends[1])) ** 2).mean() < 1e-2
