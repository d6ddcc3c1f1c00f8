"""Local patterns: exact at one x, and refused where they do not hold."""

import numpy as np
import pytest
import torch

from autodiff_course.sparse import prepare_hessian, prepare_jacobian

ATOMS = 20
PAIRS = torch.triu_indices(ATOMS, ATOMS, 1)


def squares(x):
    i, j = PAIRS
    return ((x[i] - x[j]) ** 2).sum(1)


def potential(x):
    r = squares(x)
    return torch.where(r < 1, (1 - r) ** 3, torch.zeros_like(r)).sum()


def by_list(x):
    r = squares(x)
    return ((1 - r[(r < 1).nonzero()[:, 0]]) ** 3).sum()


def atoms():
    random = torch.Generator().manual_seed(0)
    return torch.rand(ATOMS, 3, generator=random, dtype=torch.float64) * 3


@pytest.mark.parametrize("f", [potential, by_list])
def test_neighbours_within_a_radius(f):
    x = atoms()
    prepared = prepare_hessian(f, x, local=True)
    n = 3 * ATOMS
    for at in (x, x + 1e-7):
        dense = torch.func.hessian(potential)(at).reshape(n, n).numpy()
        np.testing.assert_allclose(prepared(at).toarray(), dense, atol=1e-12)
    assert prepared.pattern.nnz == np.count_nonzero(dense)
    for call in (prepared, prepared.value, prepared.gradient, prepared.value_gradient_hessian):
        with pytest.raises(ValueError, match="the pattern is local.*prepare anew at this x"):
            call(1.3 * x)
    with pytest.raises(ValueError, match="the pattern is local"):
        prepared.product(1.3 * x, x.reshape(-1))
    prepared(x)  # still right where it was


def test_without_local_all_pairs_count():
    assert prepare_hessian(potential, atoms()).pattern.nnz == (3 * ATOMS) ** 2
    with pytest.raises(ValueError, match="the shape of a tensor in it depends on a value"):
        prepare_hessian(by_list, atoms())


def test_a_jacobian_and_arguments_can_be_local():
    x, limit = torch.tensor([1.0, 2.0, 3.0]), torch.tensor(2.5)
    f = lambda x, limit: torch.where(x < limit, x**2, x[0])  # noqa: E731
    prepared = prepare_jacobian(f, x, args=(limit,), local=True)
    assert prepared(x).toarray().tolist() == [[2, 0, 0], [0, 4, 0], [1, 0, 0]]
    assert prepared(x, (torch.tensor(2.6),)).nnz == 3
    with pytest.raises(ValueError, match="1 of 3 elements differ"):
        prepared(x, (torch.tensor(3.5),))
