"""The numbers, functions and matrices on which the exercises of notebook 02 are built and tried."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

from .comparing import plain

__all__ = ["Dual", "Pair", "as_lists", "lift"]


@dataclass(frozen=True)  # no tuple: the two numbers of one output are not two outputs
class Dual:
    """A number with its tangent, as the notebook completes it; ``+ - * / sin cos``.

    Examples
    --------
    >>> x = Dual(3.0, 1.0)
    >>> x * x + 1
    Dual(value=10.0, tangent=6.0)
    """

    value: float
    tangent: float = 0.0
    __array_ufunc__ = None  # a number of NumPy leaves its + and * to the dual number

    def __add__(self, other):
        other = lift(other)
        return Dual(self.value + other.value, self.tangent + other.tangent)

    def __mul__(self, other):
        other = lift(other)
        tangent = self.tangent * other.value + self.value * other.tangent
        return Dual(self.value * other.value, tangent)

    def __truediv__(self, other):
        other = lift(other)
        value = self.value / other.value
        return Dual(value, (self.tangent - value * other.tangent) / other.value)

    def sin(self):
        """Return the sine, whose slope is the cosine."""
        return Dual(math.sin(self.value), math.cos(self.value) * self.tangent)

    def cos(self):
        """Return the cosine, whose slope is minus the sine."""
        return Dual(math.cos(self.value), -math.sin(self.value) * self.tangent)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self):
        return -1 * self

    def __sub__(self, other):
        return self + -1 * other

    def __rsub__(self, other):
        return other + -1 * self

    def __rtruediv__(self, other):
        return lift(other) / self


def lift(x):
    """Return a dual number itself, and a plain number as one that does not move.

    Raises
    ------
    TypeError
        If `x` is neither a dual nor a real number.

    Examples
    --------
    >>> lift(5.0)
    Dual(value=5.0, tangent=0.0)
    """
    if not isinstance(x, (Dual, Real)):
        raise TypeError(f"expected a Dual or a real number, got {x!r}")
    return x if isinstance(x, Dual) else Dual(x)


def as_lists(function):
    """Return the function with plain lists as its answer, whatever sequence or array it gave.

    Examples
    --------
    >>> as_lists(lambda n: tuple(range(n)))(3)
    [0, 1, 2]
    """
    return lambda *arguments: plain(function(*arguments))


class _OperatorNotWrittenError(TypeError):
    """An operator on dual numbers whose rule the answer is to write."""


@dataclass(frozen=True)
class Pair:
    """A dual number before its operators are written."""

    value: float
    tangent: float

    def _unwritten(self, other):
        raise _OperatorNotWrittenError("this operator is what you are writing")

    __add__ = __radd__ = __sub__ = __rsub__ = _unwritten
    __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _unwritten

    def __iter__(self):
        raise TypeError("a dual number is not a tuple: take its .value and .tangent")

    __getitem__ = lambda self, place: iter(self)  # noqa: E731


def central(f, point, direction, step):
    """Return the difference of two runs on either side of a point, divided by their distance."""
    ends = []
    for h in (step, -step):
        ends.append(f(*[x + h * v for x, v in zip(point, direction, strict=True)]))
    return [
        (lift(up).value - lift(down).value) / (2 * step) for up, down in zip(*ends, strict=True)
    ]


SQUARE = [[1.0, 2.0, 0.0], [0.0, 1.0, 0.5], [3.0, 0.0, -1.0]]
CYCLE = [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
UNIT = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
TURNING = [[1.0, 2.0, 0.5], [-2.0, 1.0, -1.0], [-0.5, 1.0, 1.0]]  # u·Tu = u·u for all u
FIXED = ([1.0, 2.0, 3.0], [0.0, 1.0, 2.0], [3.0, 2.0, 1.0], [1.0, -1.0, 1.0])
WIDE = [[1.0, 2.0, 0.3], [0.0, 0.1, 0.7]]
LARGE = [[math.sin(1.0 + 9 * i + j) for j in range(9)] for i in range(7)]
STRONG = [[1000 * a for a in row] for row in LARGE]
HUGE = [[1e8 * a for a in row] for row in LARGE]
LEFT_OVER = [[a * 1e-17 for a in row] for row in SQUARE]  # of a product that cancels
SLIGHTLY_OFF = [[(1 + 5e-7) * a for a in column] for column in zip(*STRONG, strict=True)]
MATRICES = [
    [[1.0, 2.0]],
    [[1.0], [2.0], [3.0]],
    [[1.0, 2.0, 0.0], [0.0, 1.0, 0.5]],
    [[1.0, 2.0], [3.0, 4.0]],
    SQUARE,
]


def times(matrix):
    """Return the function that multiplies by a matrix from the left."""

    def product(vector):
        if len(vector) != len(matrix[0]):
            raise ValueError(f"expected {len(matrix[0])} numbers, got {len(vector)}")
        return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]

    return product


def transpose(matrix):
    return [list(column) for column in zip(*matrix, strict=True)]


def with_entry(matrix, i, j, value):
    copy = [list(row) for row in matrix]
    copy[i][j] = value
    return copy


def balanced_fault():
    turned = transpose(SQUARE)
    return with_entry(with_entry(turned, 0, 0, 2.0), 1, 1, 0.0)


def frame(k):
    """Return a matrix whose row k is its column k: the unit vector of k cannot tell it apart."""
    i, j = sorted({0, 1, 2} - {k})
    return with_entry([[1.0, 2.0, 3.0], [2.0, 0.5, 4.0], [3.0, 4.0, 0.0]], i, j, 5.0)


def blind(v):
    """Return a matrix whose product with v is that of its transpose: it holds v × x besides."""
    a, b, c = v
    return [[1.0, 2.0 - c, 3.0 + b], [2.0 + c, 0.5, 4.0 - a], [3.0 - b, 4.0 + a, 0.0]]


def random_matrix(random):
    rows, columns = random.randint(2, 4), random.randint(2, 4)
    return [[random.uniform(-2.0, 2.0) for _ in range(columns)] for _ in range(rows)]


def shape(matrix):
    return f"a Jacobian of {len(matrix)} × {len(matrix[0])}"


def rounded(matrix):
    """Return the matrix with its last digits off, as a longer sum would leave them."""
    return [[a * (1 + 1e-13) for a in row] for row in matrix]


def rounded_up(push):
    """Return push with its last digit off, as another order of addition would leave it.

    An exact 0 stays: next to it a relative tolerance would see nothing but difference.
    """
    return lambda v: [math.nextafter(y, math.inf) if y else y for y in push(v)]


def first_that_differs(push, candidates, v):
    truth = push(v)
    for index, one in enumerate(candidates):
        if not all(map(close, times(one)(v), truth)):
            return index
    return None


def close(a, b):
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
