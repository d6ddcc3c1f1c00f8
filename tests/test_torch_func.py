"""What notebooks 06 and 07 say of torch.func, its faults included.

Where torch is wrong or fails, a test holds it to that. When such a test fails after an update,
torch has changed, probably for the better: its message says which part of which notebook to mend.
"""

import subprocess
import sys
import warnings

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, linearize, vjp, vmap

VERSION = torch.__version__.split("+")[0]
MINOR = tuple(map(int, VERSION.split(".")[:2]))

pytestmark = [
    pytest.mark.skipif(
        MINOR < (2, 13),
        reason="notebook 06 describes torch 2.13 and what follows it",
    ),
    # The first forward sweep loads rules that torch keeps in TorchScript.
    pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning"),
]

ORDERS = {
    "forward over reverse": lambda f: jacfwd(jacrev(f)),
    "reverse over reverse": lambda f: jacrev(jacrev(f)),
    "reverse over forward": lambda f: jacrev(jacfwd(f)),
    "forward over forward": lambda f: jacfwd(jacfwd(f)),
}
OVER_FORWARD = [name for name in ORDERS if name.endswith("over forward")]


class Cube(torch.autograd.Function):
    """The cube, with every rule that a custom Function can have."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x**3

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, adjoint):
        return 3 * ctx.saved_tensors[0] ** 2 * adjoint

    @staticmethod
    def jvp(ctx, tangent):
        return 3 * ctx.saved_tensors[0] ** 2 * tangent


def _random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


C = _random(9, seed=1)
POINT = (3 * torch.eye(3, dtype=torch.float64) + 0.5 * _random(3, 3)).flatten()


def _batch_norm(x):
    return (C[:, None] * nn.functional.batch_norm(x[:, None], None, None, training=True)).sum()


FUNCTIONS = {
    "softmax": lambda x: (C * torch.softmax(x, 0)).sum(),
    "inv": lambda x: (torch.linalg.inv(x.view(3, 3)) ** 2).sum(),
    "logdet": lambda x: torch.logdet(x.view(3, 3)),
    "slogdet": lambda x: torch.linalg.slogdet(x.view(3, 3))[1],
    "det": lambda x: torch.linalg.det(x.view(3, 3)),
    "cholesky_inverse": lambda x: (
        torch.cholesky_inverse(torch.linalg.cholesky(x.view(3, 3) @ x.view(3, 3).T)) * C.view(3, 3)
    ).sum(),
    "linalg.solve": lambda x: (torch.linalg.solve(x.view(3, 3), C[:3]) ** 2).sum(),
    "layer_norm": lambda x: (C * nn.functional.layer_norm(x, (9,))).sum(),
    "batch_norm": _batch_norm,
    "custom Function": lambda x: Cube.apply(x).sum(),
}
MENDED_IN_2_15 = ("logdet", "slogdet", "det", "linalg.solve")
# The forward rule of cholesky_inverse is wrong itself: only reverse over reverse does without it.
WRONG = {
    (name, order)
    for name in (*MENDED_IN_2_15 * (MINOR < (2, 15)), "layer_norm", "batch_norm")
    for order in OVER_FORWARD
} | {
    ("custom Function", "forward over forward"),
    *(("cholesky_inverse", order) for order in (*OVER_FORWARD, "forward over reverse")),
}


def _error(f, order, x=POINT, h=1e-5):
    """How far a Hessian is from differences of gradients, relative to their size."""
    steps = h * torch.eye(len(x), dtype=x.dtype)
    truth = torch.stack([(grad(f)(x + s) - grad(f)(x - s)) / (2 * h) for s in steps])
    return ((order(f)(x) - truth).norm() / truth.norm()).item()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_second_derivative_is_right_or_wrong_as_the_notebook_says(name, order):
    error = _error(FUNCTIONS[name], ORDERS[order])
    if (name, order) in WRONG:
        assert error > 0.01, (
            f"torch {VERSION} gets {order} through {name} right (error {error:.1e}). Take it out "
            "of WRONG here; section 2 of notebook 07 says which operations have a cross."
        )
    else:
        assert error < 1e-6, (
            f"torch {VERSION} gets {order} through {name} wrong (error {error:.1e}). Add it to "
            "WRONG here; the map in section 2 of notebook 07 should show it."
        )


def test_the_gradients_that_judge_are_right():
    for name, f in FUNCTIONS.items():
        assert torch.autograd.gradcheck(f, POINT.clone().requires_grad_()), name


def test_a_third_derivative_through_a_custom_function_by_nested_jacfwd_is_zero():
    x = torch.tensor(3.0, dtype=torch.float64)
    assert jacfwd(jacfwd(jacfwd(Cube.apply)))(x) == 0, (
        f"torch {VERSION} no longer loses nested jacfwd through a custom Function: mend the two "
        "causes in section 2 of notebook 07, and what notebook 04 says of it."
    )
    assert grad(grad(grad(Cube.apply)))(x) == hessian(grad(Cube.apply))(x) == 6


def test_autograd_grad_inside_a_transform_forgets_without_create_graph():
    def slope(x, **options):
        return torch.autograd.grad(x**3, x, **options)[0]

    x = torch.tensor(3.0)
    assert grad(lambda x: slope(x, create_graph=True))(x) == 18
    assert grad(slope)(x) == 0, (
        f"torch {VERSION} no longer returns 0 for autograd.grad inside grad: mend the last cell of "
        "section 2 of notebook 07."
    )


@pytest.mark.skipif(MINOR < (2, 15), reason="cdist has no second derivative before torch 2.15")
def test_products_with_the_hessian_of_cdist_are_right_and_vmap_over_them_is_not():
    def by_cdist(x):
        return (C.view(3, 3) * torch.cdist(x.view(3, 3), C.view(3, 3))).sum()

    def by_roots(x):
        distances = ((x.view(3, 1, 3) - C.view(1, 3, 3)) ** 2).sum(2).sqrt()
        return (C.view(3, 3) * distances).sum()

    _, pull_back = vjp(grad(by_cdist), POINT)
    exact, directions = hessian(by_roots)(POINT), torch.eye(9, dtype=torch.float64)
    assert torch.allclose(torch.stack([pull_back(one)[0] for one in directions]), exact)
    batched = vmap(lambda one: pull_back(one)[0])(directions)
    assert (batched - exact).norm() > 0.01 * exact.norm(), (
        f"torch {VERSION} mends cdist under vmap: mend the text about whole Hessians in section 2 "
        "of notebook 07."
    )


def test_the_second_derivative_of_sinc_at_0_is_not_a_number():
    second = grad(grad(torch.sinc))(torch.tensor(0.0, dtype=torch.float64))
    assert second.isnan(), (
        f"torch {VERSION} mends torch.sinc: mend the text below the double where in section 6 of "
        "notebook 07."
    )


# --- Errors of torch itself -----------------------------------------------------------------------

XS = torch.tensor([1.0, 2.0, 3.0, 4.0])
TWO, ONE = torch.tensor(2.0), torch.tensor(1.0)


def _mse(p, reduction="mean"):
    return nn.functional.mse_loss(p * XS, 2 * XS, reduction=reduction)


def test_jvp_of_the_gradient_of_mse_loss_meets_a_zero_tensor():
    try:
        jvp(grad(_mse), (TWO,), (ONE,))
    except RuntimeError as error:
        assert "ZeroTensors are immutable" in str(error)
    else:
        pytest.fail(
            f"torch {VERSION} mends jvp(grad(...)) of mse_loss: take the patient out of section 9 "
            "of notebook 06."
        )


def test_the_mends_of_mse_loss():
    expected = 15.0  # the mean of 2 x²
    assert hessian(_mse)(TWO) == expected
    assert vjp(grad(_mse), TWO)[1](ONE)[0] == expected
    assert jvp(grad(lambda p: ((p * XS - 2 * XS) ** 2).mean()), (TWO,), (ONE,))[1] == expected
    assert jvp(grad(lambda p: _mse(p, "sum")), (TWO,), (ONE,))[1] == 4 * expected


CRASH = """
import torch
from torch.func import grad, linearize
x = torch.ones(4)
value, push = linearize(grad(lambda p: torch.nn.functional.mse_loss(2 * p, x)), x)
print("survived", push(x).tolist())
"""


def test_linearize_of_the_gradient_of_mse_loss_ends_the_process():
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CRASH], capture_output=True, text=True, timeout=120
    )
    assert run.returncode != 0 and "survived" not in run.stdout, (
        f"torch {VERSION} survives linearize(grad(...)) of mse_loss: take the remark out of "
        "section 9 of notebook 06."
    )


def test_linearize_is_right_and_computes_the_constant_part_once():
    weight, x, v = _random(4, 6), _random(6, seed=1), _random(6, seed=2)

    def layer(x):
        return torch.tanh(weight @ x)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value, push = linearize(layer, x)
    expected = jvp(layer, (x,), (v,))
    for tangent in (push(v), push(v)):
        assert torch.allclose(value, expected[0]) and torch.allclose(tangent, expected[1])


# --- Branches and loops ---------------------------------------------------------------------------


def _with_cond(x):
    return torch.cond(x > 2, lambda x: x**2, lambda x: x.clone(), (x,)) + x**3


def _with_scan(x):
    from torch._higher_order_ops.scan import scan

    factors = torch.where(x > 2, x, 1.0)[None]
    product, _ = scan(lambda carry, factor: (carry * factor, carry.clone()), x, factors)
    return product + x**3


def _with_while(x):
    from torch._higher_order_ops.while_loop import while_loop

    def step(left, product):
        return left - 1, product * x

    return while_loop(lambda left, _: left > 0, step, ((x > 2).long(), x.clone()))[1] + x**3


WAYS = {
    "Python if": lambda x: (x**2 if x > 2 else x) + x**3,
    "torch.where": lambda x: torch.where(x > 2, x**2, x) + x**3,
    "torch.cond": _with_cond,
    "scan": _with_scan,
    "while_loop": _with_while,
}


def _autograd(f, x, times):
    x = x.clone().requires_grad_()
    result = f(x)
    for _ in range(times):
        (result,) = torch.autograd.grad(result, x, create_graph=True)
    return result.detach()


AT = torch.tensor(3.0)
SLOPES = torch.tensor([4.0, 13.0, 33.0, 56.0])
TRANSFORMS = {
    "value": (lambda f: f(AT), torch.tensor(36.0)),
    "autograd": (lambda f: _autograd(f, AT, 1), SLOPES[2]),
    "autograd twice": (lambda f: _autograd(f, AT, 2), torch.tensor(20.0)),
    "grad": (lambda f: grad(f)(AT), SLOPES[2]),
    "jvp": (lambda f: jvp(f, (AT,), (torch.ones(()),))[1], SLOPES[2]),
    "vmap": (lambda f: vmap(f)(XS), torch.tensor([2.0, 10.0, 36.0, 80.0])),
    "vmap(grad)": (lambda f: vmap(grad(f))(XS), SLOPES),
    "hessian": (lambda f: hessian(f)(AT), torch.tensor(20.0)),
}
_EXPECTED = {  # in the order of TRANSFORMS
    "Python if": "ok ok ok ok ok fails fails ok",
    "torch.where": "ok ok ok ok ok ok ok ok",
    "torch.cond": "ok ok WRONG fails fails ok fails fails",
    "scan": "ok ok WRONG fails fails ok fails fails",
    "while_loop": "ok ok ok fails fails fails fails fails",
}
SUPPORT = [
    pytest.param(way, name, verdict, id=f"{way}-{name}")
    for way, verdicts in _EXPECTED.items()
    for name, verdict in zip(TRANSFORMS, verdicts.split(), strict=True)
]


def _verdict(run, f, truth):
    try:
        return "ok" if torch.allclose(run(f), truth) else "WRONG"
    except Exception:
        return "fails"


@pytest.mark.filterwarnings("ignore")  # torch compiles cond and scan, and warns on the way
@pytest.mark.parametrize(("way", "name", "expected"), SUPPORT)
def test_branches_and_loops_work_where_the_notebook_says(way, name, expected):
    run, truth = TRANSFORMS[name]
    assert _verdict(run, WAYS[way], truth) == expected, (
        f"torch {VERSION} changes {way} under {name}. Correct _EXPECTED here; in notebook 06 run "
        "the table of section 7 again, and mend the text below it and the notes of the summary."
    )


@pytest.mark.filterwarnings("ignore")
def test_a_branch_of_cond_must_not_return_its_input():
    try:
        torch.cond(TWO > 1, lambda x: x, lambda x: x**2, (TWO,))
    except Exception as error:
        assert "alias" in str(error)
    else:
        pytest.fail(
            f"torch {VERSION} lets a branch of cond return its input: mend sections 7 and 9 of "
            "notebook 06."
        )


@pytest.mark.filterwarnings("ignore")
def test_cond_evaluates_both_branches_under_vmap_and_lets_nan_through():
    def root(x):
        return torch.cond(x > 0, lambda x: x.sqrt(), lambda x: 0 * x, (x,))

    xs = torch.tensor([0.0, 4.0], requires_grad=True)
    (slopes,) = torch.autograd.grad(vmap(root)(xs).sum(), xs)
    assert slopes[0].isnan() and slopes[1] == 0.25


def test_torch_func_has_no_scan():
    assert not hasattr(torch.func, "scan"), (
        f"torch {VERSION} has torch.func.scan: rewrite the box about scan in section 7 of "
        "notebook 06."
    )


def test_where_leaks_a_nan_and_two_wheres_do_not():
    xs = torch.tensor([0.0, 4.0])
    leaking = vmap(grad(lambda x: torch.where(x > 0, x.sqrt(), 0.0)))(xs)
    guarded = vmap(grad(lambda x: torch.where(x > 0, torch.where(x > 0, x, 1.0).sqrt(), 0.0)))(xs)
    assert leaking[0].isnan() and guarded.tolist() == [0.0, 0.25]


# --- The other patients of the clinic -------------------------------------------------------------


def _square(x):
    return x**2


def _slope_through_batch_norm():
    layer = nn.BatchNorm1d(2)  # made outside of grad, as a model is
    return grad(lambda x: layer(x).sum())(_random(5, 2).float())


CLINIC = {
    "no graph": (lambda: torch.autograd.grad(_square(TWO), TWO), "does not require grad"),
    "vector": (lambda: grad(_square)(XS), "scalar Tensor"),
    "Python number": (lambda: hessian(_square)(2.0), "float"),
    "no tuples": (lambda: jvp(_square, TWO, ONE), "tuple"),
    "integers": (lambda: grad(_square)(torch.tensor(2)), "floating point"),
    "item": (lambda: vmap(lambda x: x * x.item())(XS), "item()"),
    "if": (lambda: vmap(lambda x: x if x > 0 else -x)(XS), "control flow"),
    "random": (lambda: vmap(lambda x: x + torch.rand(()))(XS), "randomness"),
    "has_aux": (lambda: tuple(torch.func.grad_and_value(_square, has_aux=True)), "not iterable"),
    "batch norm": (_slope_through_batch_norm, "in-place"),
    "backward": (lambda: grad(lambda x: _square(x).backward())(TWO), "backward()"),
}


@pytest.mark.parametrize("name", CLINIC)
def test_a_patient_of_the_clinic_is_still_ill(name):
    call, words = CLINIC[name]
    try:
        call()
    except Exception as error:
        assert words in str(error), (
            f"torch {VERSION} says it in other words: {error}. Read section 9 of notebook 06 "
            "again, and put words of the new message here."
        )
    else:
        pytest.fail(f"torch {VERSION} lets this pass: take it out of section 9 of notebook 06.")


def test_functional_call_gives_gradients_in_the_form_of_the_parameters():
    model = nn.Linear(4, 1)
    parameters = {name: tensor.detach() for name, tensor in model.named_parameters()}
    gradients = grad(lambda p: functional_call(model, p, (XS,)).sum())(parameters)
    assert gradients["weight"].tolist() == [XS.tolist()] and gradients["bias"].tolist() == [1.0]
