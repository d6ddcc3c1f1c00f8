"""What was prepared comes back from a file as it was."""

import warnings

import numpy as np
import pytest
import torch

from autodiff_course.sparse import load, prepare_hessian, prepare_jacobian, save
from random_programs import Program


def f(x, scale):
    a, b = x["a"], x["b"]
    return scale * (a[1:] * a[:-1] ** 2).sum() + b * torch.where(a > 0, a**3, -a).sum()


def test_a_file_gives_the_same_hessian(tmp_path):
    x = {"a": torch.linspace(-1, 1, 6), "b": torch.tensor(2.0)}
    scale = (torch.tensor(3.0),)
    prepared = prepare_hessian(f, x, args=scale, method="acyclic", triangle="lower")
    save(prepared, tmp_path / "hessian.pt")
    loaded = load(tmp_path / "hessian.pt", f, x, args=scale)
    for factor in (1.0, 2.0):
        at = {"a": factor * x["a"], "b": -x["b"]}
        new = prepared.value_gradient_hessian(at, (torch.tensor(factor),))
        old = loaded.value_gradient_hessian(at, (torch.tensor(factor),))
        assert new[0] == old[0] and torch.equal(new[1]["a"], old[1]["a"])
        np.testing.assert_array_equal(new[2].toarray(), old[2].toarray())
    assert repr(loaded) == repr(prepared)


@pytest.mark.parametrize("direction", ["columns", "rows", "both"])
def test_a_file_gives_the_same_jacobian(tmp_path, direction):
    def arrow(x, scale):  # its first value depends on all variables, its first variable on all
        return torch.cat([(scale * x**2).sum()[None], x[0] * x[1:].sin()]).reshape(2, -1)

    x, args = torch.linspace(0.1, 1, 8, dtype=torch.float64), (torch.tensor(3.0),)
    prepared = prepare_jacobian(arrow, x, args=args, direction=direction)
    save(prepared, tmp_path / "jacobian.pt")
    loaded = load(tmp_path / "jacobian.pt", arrow, x, args=args)
    assert repr(loaded) == repr(prepared) and loaded.coloring.direction == direction
    at, args = x.flip(0), (torch.tensor(2.0),)
    value, jacobian = loaded.value_and_jacobian(at, args)
    assert torch.equal(value, arrow(at, *args))
    np.testing.assert_array_equal(jacobian.toarray(), prepared(at, args).toarray())
    true = torch.func.jacrev(arrow)(at, *args).reshape(8, 8)
    np.testing.assert_allclose(jacobian.toarray(), true, atol=1e-14)
    torch.testing.assert_close(loaded.product(at, x, args), true @ x)
    torch.testing.assert_close(loaded.transposed_product(at, x, args), true.T @ x)


def test_random_programs_come_back(tmp_path):
    seen = 0
    for seed in range(20):
        program = Program.random(seed)
        (x,) = program.points(1, seed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                prepared = prepare_hessian(program, x, check=False)
            save(prepared, tmp_path / "hessian.pt")
        except (RuntimeError, ValueError):
            continue  # no second derivative, or random numbers
        loaded = load(tmp_path / "hessian.pt", program, x, check=False)
        np.testing.assert_array_equal(loaded(x).toarray(), prepared(x).toarray())
        seen += 1
    assert seen > 15


def test_another_file_or_function_is_refused(tmp_path):
    path = tmp_path / "hessian.pt"
    x = torch.ones(4)
    save(prepare_hessian(lambda x: (x**3).sum(), x), path)
    with pytest.raises(ValueError, match="does not agree with differences"):
        load(path, lambda x: (x**4).sum(), x)
    with pytest.raises(ValueError, match=r"x, args: prepared for .*got"):
        load(path, lambda x: (x**3).sum(), torch.ones(5))
    torch.save({"something": "else"}, path)
    with pytest.raises(ValueError, match="path: expected a file written by save "):
        load(path, lambda x: (x**3).sum(), x)
    with pytest.raises(TypeError, match="prepared: expected the result of prepare_hessian"):
        save(lambda x: x**2, path)
    save(prepare_jacobian(lambda x: x**2, x), path)
    with pytest.raises(ValueError, match="does not agree with differences"):
        load(path, lambda x: x**3, x)
    local = prepare_hessian(lambda x: (x**3).sum(), x, local=True)
    with pytest.raises(NotImplementedError, match="local=True"):
        save(local, path)
