"""What counts as the same value, and what is said where two values differ."""

import fractions
import time

import pytest

from autodiff_course.exercises.comparing import Tolerance, difference, plain, show
from autodiff_course.exercises.framework import exercise
from autodiff_course.graph import Scalar


@pytest.mark.parametrize(
    ("yours", "expected"),
    [
        (2, 2.0),
        (0.1 + 0.2, 0.3),
        ([1, (2, 3)], (1, [2.0, 3.0])),
        (float("nan"), float("nan")),
        (float("inf"), float("inf")),
        (10**400, 10**400),
        (True, True),
        ("grün", "grün"),
        ({"a": 1}, {"a": 1.0}),
        (frozenset({1}), {1}),
        (range(3), [0, 1, 2]),
        (1j, 1j),
        (None, None),
        ([], ()),
        (1, True),
        (False, 0.0),
        ([0, 1], [False, True]),
        ("Reverse ", "reverse"),
        (fractions.Fraction(1, 4), 0.25),
    ],
)
def test_values_that_agree(yours, expected):
    assert difference(yours, expected) is None


NOT_NUMBER = " NaN means that a computation on the way was undefined, such as 0/0 or inf - inf."


@pytest.mark.parametrize(
    ("yours", "expected", "index", "message"),
    [
        (3.0, 6.0, (), "Yours is 3.0, expected 6.0."),
        (float("nan"), 6.0, (), "Yours is nan, expected 6.0." + NOT_NUMBER),
        (float("inf"), 6.0, (), "Yours is inf, expected 6.0."),
        (float("-inf"), float("inf"), (), "Yours is -inf, expected inf."),
        (10**400, 6.0, (), f"Yours is {show(10**400)}, expected 6.0."),
        (2**60 + 1, 2**60, (), f"Yours is {2**60 + 1}, expected {2**60}."),
        (2, True, (), "Expected True (bool), got a number."),
        (0, True, (), "Yours is 0, expected True."),
        ("6", 6.0, (), "Expected a number, got '6' (str)."),
        (None, 6.0, (), "Expected a number, got None."),
        (1j, 6.0, (), "Expected a number, got a complex number."),
        (
            [6.0],
            6.0,
            (),
            "Expected a number, got a list, tuple or array of 1. Take the one number out of it.",
        ),
        (6.0, (6.0, 1.0), (), "Expected a list, tuple or array of 2, got a number."),
        (Scalar(6.0), 6.0, (), "Expected a number, got a Scalar."),
        (
            (1.0, Scalar(2.0)),
            (1, 2),
            (1,),
            "At [1]: expected a number, got a Scalar.",
        ),
        (
            map(abs, []),
            [1],
            (),
            "Expected a list, tuple or array of 1, got a map. Put `list(...)` around it.",
        ),
        ([1, 2], [1], (), "Expected 1 value, got 2."),
        ([1, 2], [1, 3], (1,), "At [1]: yours is 2, expected 3."),
        ([[1, 2], [3]], [[1, 2], [3, 4]], (1,), "At [1]: expected 2 values, got 1."),
        ([[1, 2], [3, 5]], [[1, 2], [3, 4]], (1, 1), "At [1, 1]: yours is 5, expected 4."),
        (
            [[1, 3], [2, 4]],
            [[1, 2], [3, 4]],
            (0, 1),
            "At [0, 1]: yours is 3, expected 2. Yours is the transpose of it.",
        ),
        (
            [[1], [2]],
            [[1, 2]],
            (),
            "The shape should be (1, 2); yours is (2, 1). It looks transposed.",
        ),
        ([[1, 2, 3]], [[1, 2]], (), "The shape should be (1, 2); yours is (1, 3)."),
        ({"a": 1}, {"b": 1}, ("b",), "At []: the key 'b' is missing."),
        ({"a": 1, "b": 1}, {"a": 1}, ("b",), "The key 'b' should not be there."),
        ({"a": 1}, {"a": 2}, ("a",), "At ['a']: yours is 1, expected 2."),
        ({1}, {2}, (), "Yours is {1}, expected {2}."),
        ("rot", "grün", (), "Yours is 'rot', expected 'grün'."),
    ],
)
def test_values_that_differ(yours, expected, index, message):
    found = difference(yours, expected)
    assert found.index == index
    assert found.message == message.replace("At []: the", "The")


def test_the_tolerance_can_be_set():
    assert difference(1.001, 1.0) is not None
    assert difference(1.001, 1.0, Tolerance(relative=0.01)) is None

    @exercise(tolerance=Tolerance(absolute=0.5))
    def about_one():
        return 1.0

    assert about_one.check(1.4)
    assert not about_one.check(1.6)


def test_numpy():
    numpy = pytest.importorskip("numpy")
    assert difference(numpy.float64(2.0), 2.0) is None
    assert difference(numpy.array(2.0), 2.0) is None
    assert difference(numpy.array([1, 2]), (1.0, 2.0)) is None
    assert difference([[1, 2]], numpy.array([[1.0, 2.0]])) is None
    assert difference(numpy.bool_(True), True) is None
    assert difference(numpy.float32(0.1), 0.1) is None
    found = difference(numpy.ones((3, 2)), numpy.ones((2, 3)))
    assert found.message == "The shape should be (2, 3); yours is (3, 2). It looks transposed."
    assert difference(numpy.ones((1,)), 1.0).message.endswith("Take the one number out of it.")


def test_torch():
    torch = pytest.importorskip("torch")
    assert difference(torch.tensor(2.0, requires_grad=True), 2.0) is None
    assert difference(torch.ones(2, 2), [[1, 1], [1, 1]]) is None
    assert difference([torch.tensor(1.0), torch.tensor(2.0)], torch.tensor([1.0, 2.0])) is None
    square = torch.arange(4.0).reshape(2, 2)
    assert difference(square.T, square).message.endswith("Yours is the transpose of it.")
    third = torch.tensor(1.0) / 3
    assert difference(third, 1 / 3) is None and difference(third.item(), 1 / 3) is None
    # float64 is held to more digits, and so is float32 where it is not right to its own.
    assert difference(1 / 3 + 1e-7, 1 / 3) is not None
    assert difference(third * 1.0001, 1 / 3) is not None
    assert difference(torch.tensor([1e-8, 1.0]), [0.0, 1.0]) is None  # a rounding error beside 1
    assert difference(torch.tensor(float("nan")), 1.0).message.startswith("Yours is nan")


def test_plain_leaves_other_things_alone():
    thing = object()
    assert plain(thing) is thing


def test_sympy():
    sympy = pytest.importorskip("sympy")
    x = sympy.Symbol("x")
    assert difference([sympy.Integer(2), sympy.Rational(1, 4)], [2, 0.25]) is None
    assert difference(sympy.sin(1), 0.8414709848078965) is None
    assert difference(sympy.Matrix([[1, 2]]), [[1, 2]]) is None
    assert difference(sympy.true, True) is None
    assert difference(2 * x, 2.0).message == "Expected a number, got a Mul."


def test_the_form_is_told_before_a_value():
    assert difference([9.0, None], [1.0, 2.0]).message == "At [1]: expected a number, got None."
    assert difference([9.0], [1.0, 2.0]).message == "Expected 2 values, got 1."


def test_a_million_numbers_are_compared_in_a_moment():
    numpy = pytest.importorskip("numpy")
    numbers = numpy.arange(1e6)
    start = time.process_time()
    assert difference(numbers * (1 + 1e-12), numbers) is None
    assert time.process_time() - start < 4.0
