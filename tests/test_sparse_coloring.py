"""Every colouring satisfies its definition, and is as good as is known for standard graphs."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff_course.sparse import color, compiled, prepare_hessian, verify_coloring
from autodiff_course.sparse.coloring_orders import lower_bound, vertex_order
from autodiff_course.sparse.recovery import direct_sources, substitute, substitution_order

METHODS = ["star", "distance2", "acyclic"]
ORDERS = ["natural", "largest_first", "smallest_last", "incidence_degree", "reverse", "random"]


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
def matrices(draw, most=10):
    """A symmetric pattern of few columns, with and without a diagonal, sparse and dense."""
    n = draw(st.integers(1, most))
    pairs = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))
    matrix = np.eye(n, dtype=bool) if draw(st.booleans()) else np.zeros((n, n), bool)
    for i, j in draw(st.lists(pairs, max_size=4 * n)):
        matrix[i, j] = matrix[j, i] = True
    return matrix


def is_readable(matrix, colors):
    """By the definition: each entry or its mirror image is alone of its colour in its row."""

    def alone(i, j):
        return colors[j] >= 0 and sum(matrix[i] & (colors == colors[j])) == 1

    return all(alone(i, j) or alone(j, i) for i, j in zip(*np.nonzero(matrix), strict=True))


def is_solvable(matrix, colors):
    """By the definition: entries that are alone are found, and subtracted, until all are."""
    left = matrix.copy()
    sums = {(i, c): matrix[i] & (colors == c) for i in range(len(matrix)) for c in set(colors)}
    while True:
        lonely = [
            (i, j)
            for (i, c), row in sums.items()
            if c >= 0
            for j in [row.argmax()]
            if sum(row) == 1
        ]
        if not lonely:
            return not left.any()
        for i, j in lonely:
            left[i, j] = left[j, i] = False
            sums[i, colors[j]][j] = False
            sums[j, colors[i]][i] = False


def recovered(matrix, found, random):
    """Compress a matrix of random integers, and recover it: exact in floating point."""
    n = len(matrix)
    lower = np.tril(random.integers(-99, 99, (n, n)))
    true = np.where(matrix, lower + np.tril(lower, -1).T, 0).astype(float)
    compressed = true @ np.equal.outer(found.colors, np.arange(found.count))
    flat = np.ascontiguousarray(compressed.T).reshape(-1)
    pattern = sp.csr_array(matrix)
    form = (pattern.indptr, pattern.indices, found.colors, max(found.count, 1))
    if found.method == "acyclic":
        steps = np.empty(((pattern.nnz + np.trace(matrix)) // 2, 4), np.int64)
        assert substitution_order(*form, steps) == len(steps)
        data = np.empty(pattern.nnz)
        substitute(flat, steps, data)
    else:
        sources = np.empty(pattern.nnz, np.int64)
        assert direct_sources(*form, sources) == -1
        data = flat[sources]
    return true, sp.csr_array((data, pattern.indices, pattern.indptr), pattern.shape).toarray()


@settings(max_examples=200, derandomize=True, deadline=None)
@given(matrices(), st.sampled_from(METHODS), st.sampled_from(ORDERS))
def test_greedy_colorings_satisfy_their_definition(matrix, method, order):
    found = color(matrix, method, orders=[order], refine=False)
    if method == "star" and not (np.diag(matrix) | ~matrix.any(axis=0)).all():
        assert is_readable(matrix, found.colors)  # where diagonal entries are missing, all it takes
    else:
        assert DEFINITION[method](matrix, found.colors)
    verify_coloring(matrix, found.colors, method)
    assert set(found.colors[found.colors >= 0]) == set(range(found.count))
    np.testing.assert_array_equal(found.colors < 0, ~matrix.any(axis=0))
    assert found.method == method
    if matrix.any():
        assert found.order == order


@settings(max_examples=300, derandomize=True, deadline=None)
@given(matrices(), st.sampled_from(["best", *METHODS]), st.booleans(), st.integers(0, 99))
def test_every_coloring_recovers_the_exact_matrix(matrix, method, refine, seed):
    found = color(matrix, method, refine=refine)
    verify_coloring(matrix, found.colors, found.method)
    readable = is_solvable if found.method == "acyclic" else is_readable
    assert readable(matrix, found.colors)
    assert set(found.colors[found.colors >= 0]) == set(range(found.count))
    assert found.lower_bound <= found.count <= len(matrix)
    true, again = recovered(matrix, found, np.random.default_rng(seed))
    np.testing.assert_array_equal(again, true)
    if refine:
        assert found.count <= color(matrix, method, refine=False).count
    if np.diag(matrix).all():
        assert DEFINITION[found.method](matrix, found.colors)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(matrices(most=5), st.sampled_from(METHODS))
def test_no_colors_at_all_go_below_the_bound(matrix, method):
    """Try every colouring, with columns without colours: n is 5 at most."""
    found = color(matrix, method)
    allowed = {"star": is_readable, "acyclic": is_solvable, "distance2": is_distance2}[method]
    first = 0 if method == "distance2" else -1
    for count in range(found.lower_bound):
        for colors in itertools.product(range(first, count), repeat=len(matrix)):
            assert not allowed(matrix, np.array(colors))


def greedy_by_definition(matrix):
    """Colour stars, the vertices with most neighbours first: slow, and straight from the words."""
    colors = np.full(len(matrix), -1)
    order = np.argsort(-(matrix.sum(axis=0) - np.diag(matrix)), kind="stable")
    for place, v in enumerate(order):
        placed = order[: place + 1]
        part = matrix[np.ix_(placed, placed)]
        colors[v] = 0
        while not is_star(part, colors[placed]):
            colors[v] += 1
    return colors


def random_graph(n, edges, seed):
    pairs = np.random.default_rng(seed).integers(0, n, (2, edges))
    matrix = np.eye(n, dtype=bool)
    matrix[pairs[0], pairs[1]] = matrix[pairs[1], pairs[0]] = True
    return matrix


@pytest.mark.parametrize("edges", [30, 60, 120])
def test_random_graphs_need_no_more_colors_than_the_greedy_method_by_the_words(edges):
    """It is what asdex 0.5.1 and, by default, SparseMatrixColorings.jl compute."""
    saved = 0
    for seed in range(4):
        matrix = random_graph(30, edges, seed)
        words = greedy_by_definition(matrix)
        plain = color(matrix, "star", orders=["largest_first"], refine=False)
        np.testing.assert_array_equal(plain.colors, words)
        found = color(matrix)
        assert found.count <= plain.count
        saved += plain.count - found.count
    assert saved > 0


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


def grid(k, points, periodic=False):
    line = chain(k).astype(int).tolil()
    if periodic:
        line[0, -1] = line[-1, 0] = 1
    if points == 9:
        return sp.csr_array(sp.kron(line, line))
    one = sp.eye_array(k)
    return sp.csr_array(sp.kron(line, one) + sp.kron(one, line))


def cube(k):
    line, one, square = chain(k), sp.eye_array(k), grid(k, 5)
    return sp.csr_array(sp.kron(square, one) + sp.kron(sp.eye_array(k * k), line))


def hubs(n, places, diagonal=True, of_hubs=True):
    """A diagonal and a few full rows and columns, which do not meet each other."""
    matrix = np.eye(n, dtype=bool) & diagonal
    matrix[places] = matrix[:, places] = True
    matrix[np.ix_(places, places)] = np.eye(len(places), dtype=bool) & of_hubs
    return matrix


def rectangle(rows, columns):
    """Two full rows and two full columns of a rectangle, beside its transpose."""
    block = np.zeros((rows, columns), bool)
    block[[0, -1]] = block[:, [0, -1]] = True
    return sp.csr_array(sp.block_array([[None, block], [block.T, None]]))


KNOWN = [
    # name, matrix, most colours as stars, at distance 2, acyclic, of the better of the first two
    ("diagonal", sp.eye_array(50), 1, 1, 1, 1),
    ("arrowhead", arrowhead(50), 2, 50, 2, 2),
    ("chain", chain(50), 3, 3, 2, 3),
    ("full", np.ones((7, 7)), 7, 7, 7, 7),
    ("grid of 5 points", grid(20, 5), 5, 5, 4, 5),
    ("grid of 5 points, k = 31", grid(31, 5), 5, 5, 4, 5),
    ("grid of 9 points", grid(20, 9), 9, 9, 6, 9),
    ("torus 5 by 5", grid(5, 5, periodic=True), 5, 5, 5, 5),
    ("torus 6 by 6", grid(6, 5, periodic=True), 6, 9, 5, 6),
    ("torus of 9 points", grid(10, 9, periodic=True), 12, 16, 9, 12),
    ("cube of 7 points", cube(6), 7, 7, 6, 7),
    ("two hubs", hubs(1000, [0, 1]), 3, 1000, 3, 3),
    ("three dense rows first", hubs(2003, [0, 1, 2], of_hubs=False), 4, 2003, 4, 4),
    ("three dense rows anywhere", hubs(500, [7, 130, 499], of_hubs=False), 4, 500, 4, 4),
    ("a hub without diagonal", hubs(500, [0], diagonal=False, of_hubs=False), 1, 499, 1, 1),
    ("antidiagonal", np.eye(4)[::-1], 1, 1, 1, 1),
    ("rectangle", rectangle(10, 20), 4, 20, 4, 4),
    ("empty", np.zeros((4, 4)), 0, 0, 0, 0),
]


@pytest.mark.parametrize(
    ("name", "matrix", "star", "far", "acyclic", "best"), KNOWN, ids=[case[0] for case in KNOWN]
)
def test_standard_matrices_need_no_more_than_is_known(name, matrix, star, far, acyclic, best):
    for method, most in [("star", star), ("distance2", far), ("acyclic", acyclic), ("best", best)]:
        found = color(matrix, method)
        assert found.lower_bound <= found.count <= most, method
        verify_coloring(matrix, found.colors, found.method)


def test_the_lower_bound_proves_some_colorings_best():
    for matrix in (arrowhead(50), chain(50), np.ones((7, 7)), hubs(1000, [0, 1])):
        found = color(matrix)
        assert found.count == found.lower_bound
    assert lower_bound(*form_of(grid(20, 5))) == 4  # 5 are found


def form_of(matrix):
    pattern = sp.csr_array(matrix)
    return pattern.indptr, pattern.indices


def test_on_a_grid_a_star_coloring_comes_from_a_distance2_coloring():
    """The greedy stars need more than the rule does: it is the order that fails."""
    nine = grid(20, 9)
    greedy = color(nine, "star", refine=False)
    assert greedy.count > color(nine, "star").count == color(nine, "distance2").count == 9


FUNCTIONS = [
    (lambda x: (x**4).sum() + (x[0] + x[1]) * (x[2:] ** 2).sum(), 3),
    (lambda x: x[0] * x[1:].sum(), 1),
    (lambda x: x[:3].sum() * x[3:].sum() + (x[3:] ** 3).sum(), 4),
]


@pytest.mark.parametrize(("f", "products"), FUNCTIONS, ids=["two hubs", "one hub", "three rows"])
def test_hubs_take_a_product_each_and_the_hessian_is_right(f, products):
    x = torch.linspace(0.5, 1.5, 60, dtype=torch.float64)
    hessian = prepare_hessian(f, x)
    assert hessian.products == products
    np.testing.assert_allclose(hessian(x).toarray(), torch.func.hessian(f)(x), rtol=1e-12)


def test_colors_do_not_depend_on_chance():
    matrix = random_graph(200, 800, 0)
    np.testing.assert_array_equal(color(matrix).colors, color(matrix).colors)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(matrices(), st.sampled_from(ORDERS))
def test_orders_are_what_their_names_say(matrix, name):
    order = vertex_order(name, *form_of(matrix)).tolist()
    near = neighbours(matrix)
    assert sorted(order) == list(range(len(matrix)))
    for place, v in enumerate(order):
        before, rest = set(order[:place]), order[place:]
        if name in ("natural", "reverse"):
            assert v == (place if name == "natural" else len(order) - 1 - place)
        elif name == "largest_first":
            assert len(near[v]) == max(len(near[w]) for w in rest)
        elif name == "incidence_degree":
            assert len(near[v] & before) == max(len(near[w] & before) for w in rest)
        elif name == "smallest_last":
            upto = {*before, v}
            assert len(near[v] & upto) == min(len(near[w] & upto) for w in upto)


def test_a_hub_of_a_million_neighbours_takes_no_quadratic_time():
    one = arrowhead(1_000_000)
    both = sp.block_diag([one, arrowhead(10)], format="csr")[:, ::-1][::-1]
    for matrix, method, count in [(one, "best", 2), (one, "acyclic", 2), (both, "best", 2)]:
        found = color(matrix, method)
        assert found.count == count
        verify_coloring(matrix, found.colors, found.method)


def test_all_orders_are_tried():
    crown = np.array([[i % 2 != j % 2 and i // 2 != j // 2 for i in range(12)] for j in range(12)])
    counts = [color(crown, "star", orders=[order], refine=False).count for order in ORDERS]
    assert color(crown, "star", refine=False).count == min(counts)


BAD = [
    ("neighbours alike", chain(3), [0, 0, 1], "star", r"entry \(0, 0\) cannot be recovered"),
    ("path of two colours", chain(4), [0, 1, 0, 1], "star", r"entry \(1, 2\) cannot be recovered"),
    ("column without colour", chain(3), [0, 1, -1], "star", "column 2 has an entry in row 2"),
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
    with pytest.raises(ValueError, match="orders: expected a list of names, got the name"):
        color(np.eye(2), orders="natural")
    with pytest.raises(ValueError, match="expected a symmetric one"):
        color(np.triu(np.ones((2, 2))))


def test_importing_compiles_nothing():
    program = (
        "import autodiff_course.sparse.coloring_star as c; assert not c.greedy_star.signatures"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_a_folder_to_write_to_it_compiles_anew(monkeypatch):
    real = compiled.numba.njit

    def njit(*functions, cache=False):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(*functions)

    monkeypatch.setattr(compiled.numba, "njit", njit)

    @compiled.compiled
    def double(x):
        return x + x

    assert double(2) == 4
