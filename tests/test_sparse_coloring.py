"""Every colouring satisfies its definition, and is as good as is known for standard graphs."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff_course.sparse import color, coloring, verify_coloring

METHODS = ["star", "distance2", "acyclic"]
ORDERS = ["natural", "largest_first", "smallest_last"]


def neighbours(matrix):
    return [set(np.flatnonzero(row)) - {i} for i, row in enumerate(matrix)]


def is_proper(matrix, colors):
    return all(colors[i] != colors[j] for i, near in enumerate(neighbours(matrix)) for j in near)


def is_star(matrix, colors):
    """By the definition: no path over four vertices has only two colours."""
    near = neighbours(matrix)
    for b in range(len(near)):
        for c in near[b]:
            for a, d in itertools.product(near[b] - {c}, near[c] - {b}):
                if a != d and colors[a] == colors[c] and colors[b] == colors[d]:
                    return False
    return is_proper(matrix, colors)


def is_distance2(matrix, colors):
    """By the definition: the columns with an entry in one row all differ."""
    return all(len(set(colors[row])) == np.count_nonzero(row) for row in np.asarray(matrix, bool))


def is_acyclic(matrix, colors):
    """By the definition: what two colours span is a forest, with fewer edges than vertices."""
    near = neighbours(matrix)
    for pair in itertools.combinations(set(colors), 2):
        left = {v for v in range(len(near)) if colors[v] in pair}
        while left:
            component, todo = set(), {left.pop()}
            while todo:
                v = todo.pop()
                component.add(v)
                todo |= {w for w in near[v] if colors[w] in pair} - component
            left -= component
            edges = sum(len({w for w in near[v] if w in component}) for v in component) // 2
            if edges >= len(component):
                return False
    return is_proper(matrix, colors)


DEFINITION = {"star": is_star, "distance2": is_distance2, "acyclic": is_acyclic}


@st.composite
def matrices(draw):
    """A symmetric pattern of up to 10 columns, with and without a diagonal, sparse and dense."""
    n = draw(st.integers(1, 10))
    pairs = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))
    matrix = np.eye(n, dtype=bool) if draw(st.booleans()) else np.zeros((n, n), bool)
    for i, j in draw(st.lists(pairs, max_size=4 * n)):
        matrix[i, j] = matrix[j, i] = True
    return matrix


@settings(max_examples=150, derandomize=True, deadline=None)
@given(matrices(), st.sampled_from(METHODS), st.sampled_from(ORDERS))
def test_colorings_satisfy_their_definition(matrix, method, order):
    found = color(matrix, method, orders=[order])
    assert DEFINITION[method](matrix, found.colors)
    verify_coloring(matrix, found.colors, method)
    used = found.colors[found.colors >= 0]
    assert set(used) == set(range(found.count))
    np.testing.assert_array_equal(found.colors < 0, ~matrix.any(axis=0))
    assert found.method == method
    if matrix.any():
        assert found.order == order


@settings(max_examples=150, derandomize=True, deadline=None)
@given(matrices(), st.data())
def test_verification_agrees_with_solving_for_the_entries(matrix, data):
    """Any colours at all: they pass exactly if the sums determine all entries."""
    n = len(matrix)
    colors = np.array(data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    entries = [(i, j) for i in range(n) for j in range(i, n) if matrix[i, j]]
    sums = np.zeros((n, 4, len(entries)))
    for e, (i, j) in enumerate(entries):
        sums[i, colors[j], e] += 1
        if i != j:
            sums[j, colors[i], e] += 1
    flat = sums.reshape(n * 4, len(entries))
    alone = {int(np.argmax(row)) for row in flat if row.sum() == 1}
    passes = True
    try:
        verify_coloring(matrix, colors, "star")
    except ValueError:
        passes = False
    assert passes == (len(alone) == len(entries))
    try:
        verify_coloring(matrix, colors, "acyclic")
    except ValueError:
        return
    assert np.linalg.matrix_rank(flat) == len(entries) if entries else True


def arrowhead(n):
    ones, first, rest = np.ones(n, bool), np.zeros(n, int), np.arange(n)
    rows, columns = np.r_[rest, first, rest], np.r_[rest, rest, first]
    return sp.csr_array(sp.coo_array((np.r_[ones, ones, ones], (rows, columns)), (n, n)))


def chain(n):
    return sp.diags_array([np.ones(n - 1), np.ones(n), np.ones(n - 1)], offsets=[-1, 0, 1]) != 0


def grid(k, points):
    line = chain(k).astype(int)
    if points == 9:
        return sp.csr_array(sp.kron(line, line))
    one = sp.eye_array(k)
    return sp.csr_array(sp.kron(line, one) + sp.kron(one, line))


KNOWN = [
    # name, matrix, colours as stars, at distance 2, acyclic, of the better of the first two
    ("diagonal", sp.eye_array(50), 1, 1, 1, 1),
    ("arrowhead", arrowhead(50), 2, 50, 2, 2),
    ("chain", chain(50), 3, 3, 2, 3),
    ("full", np.ones((7, 7)), 7, 7, 7, 7),
    ("grid of 5 points", grid(20, 5), 5, 7, 4, 5),
    ("grid of 9 points", grid(20, 9), 12, 9, 6, 9),
    ("empty", np.zeros((4, 4)), 0, 0, 0, 0),
]


@pytest.mark.parametrize(("name", "matrix", "star", "far", "acyclic", "best"), KNOWN)
def test_standard_matrices_need_no_more_than_is_known(name, matrix, star, far, acyclic, best):
    for method, most in [("star", star), ("distance2", far), ("acyclic", acyclic), ("best", best)]:
        found = color(matrix, method)
        assert found.count <= most, method
        verify_coloring(matrix, found.colors, found.method)


def test_a_hub_of_a_million_neighbours_takes_no_quadratic_time():
    matrix = arrowhead(1_000_000)
    for method in ("best", "acyclic"):
        found = color(matrix, method)
        assert found.count == 2
        verify_coloring(matrix, found.colors, found.method)


def test_all_orders_are_tried():
    crown = np.array([[i % 2 != j % 2 and i // 2 != j // 2 for i in range(12)] for j in range(12)])
    counts = {order: color(crown, "star", orders=[order]).count for order in ORDERS}
    assert color(crown, "star").count == min(counts.values())


BAD = [
    ("neighbours alike", chain(3), [0, 0, 1], "star", r"entry \(0, 0\) cannot be recovered"),
    ("path of two colours", chain(4), [0, 1, 0, 1], "star", r"entry \(1, 2\) cannot be recovered"),
    ("column without colour", chain(3), [0, 1, -1], "star", "column 2 has an entry"),
    ("distance 2", chain(3), [0, 1, 0], "distance2", "not alone of its colour in row 1"),
    ("cycle", np.ones((4, 4)) - np.eye(4)[::-1], [0, 1, 1, 0], "acyclic", "around a cycle"),
    ("too few", chain(3), [0, 1], "star", "expected 3 integers"),
    ("not integers", chain(3), [0.0, 1.0, 2.0], "star", "expected 3 integers, got float64"),
    ("unknown method", chain(3), [0, 1, 2], "best", "expected star, distance2 or acyclic"),
]


@pytest.mark.parametrize(("name", "matrix", "colors", "method", "message"), BAD)
def test_a_bad_coloring_is_caught(name, matrix, colors, method, message):
    with pytest.raises(ValueError, match=message):
        verify_coloring(matrix, colors, method)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="method: expected one of best, star"):
        color(np.eye(2), "rainbow")
    with pytest.raises(ValueError, match="orders: expected some of natural"):
        color(np.eye(2), orders=["backwards"])
    with pytest.raises(ValueError, match="expected a symmetric one"):
        color(np.triu(np.ones((2, 2))))


def test_importing_compiles_nothing():
    program = "import autodiff_course.sparse.coloring as c; assert not c._star.signatures"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_a_folder_to_write_to_it_compiles_anew(monkeypatch):
    real = coloring.numba.njit

    def njit(*functions, cache=False):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(*functions)

    monkeypatch.setattr(coloring.numba, "njit", njit)

    @coloring.compiled
    def double(x):
        return x + x

    assert double(2) == 4
