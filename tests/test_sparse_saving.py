"""What was prepared comes back from a file as it was."""

import warnings

import numpy as np
import pytest
import torch

from autodiff_course.sparse import (
    load_hessian,
    prepare_hessian,
    prepare_jacobian,
    save_hessian,
)
from random_programs import Program


def f(x, scale):
    a, b = x["a"], x["b"]
    return scale * (a[1:] * a[:-1] ** 2).sum() + b * torch.where(a > 0, a**3, -a).sum()


def test_a_file_gives_the_same_hessian(tmp_path):
    x = {"a": torch.linspace(-1, 1, 6), "b": torch.tensor(2.0)}
    scale = (torch.tensor(3.0),)
    prepared = prepare_hessian(f, x, args=scale, method="acyclic", triangle="lower")
    save_hessian(prepared, tmp_path / "hessian.pt")
    loaded = load_hessian(tmp_path / "hessian.pt", f, x, args=scale)
    for factor in (1.0, 2.0):
        at = {"a": factor * x["a"], "b": -x["b"]}
        new = prepared.value_gradient_hessian(at, (torch.tensor(factor),))
        old = loaded.value_gradient_hessian(at, (torch.tensor(factor),))
        assert new[0] == old[0] and torch.equal(new[1]["a"], old[1]["a"])
        np.testing.assert_array_equal(new[2].toarray(), old[2].toarray())
    assert repr(loaded) == repr(prepared)


def test_random_programs_come_back(tmp_path):
    seen = 0
    for seed in range(20):
        program = Program.random(seed)
        (x,) = program.points(1, seed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                prepared = prepare_hessian(program, x, check=False)
            save_hessian(prepared, tmp_path / "hessian.pt")
        except (RuntimeError, ValueError):
            continue  # no second derivative, or random numbers
        loaded = load_hessian(tmp_path / "hessian.pt", program, x, check=False)
        np.testing.assert_array_equal(loaded(x).toarray(), prepared(x).toarray())
        seen += 1
    assert seen > 15


def test_another_file_or_function_is_refused(tmp_path):
    path = tmp_path / "hessian.pt"
    x = torch.ones(4)
    save_hessian(prepare_hessian(lambda x: (x**3).sum(), x), path)
    with pytest.raises(ValueError, match="does not agree with differences"):
        load_hessian(path, lambda x: (x**4).sum(), x)
    with pytest.raises(ValueError, match=r"x, args: prepared for .*got"):
        load_hessian(path, lambda x: (x**3).sum(), torch.ones(5))
    torch.save({"something": "else"}, path)
    with pytest.raises(ValueError, match="path: expected a file written by save_hessian"):
        load_hessian(path, lambda x: (x**3).sum(), x)
    with pytest.raises(TypeError, match="prepared: expected the result of prepare_hessian"):
        save_hessian(prepare_jacobian(lambda x: x**2, x), path)
    local = prepare_hessian(lambda x: (x**3).sum(), x, local=True)
    with pytest.raises(NotImplementedError, match="local=True"):
        save_hessian(local, path)
