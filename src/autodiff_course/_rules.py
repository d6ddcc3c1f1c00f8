"""Local rules: plain floats in; the value and its local derivatives, one per operand, out."""

import math


def add(x, y):
    return x + y, 1.0, 1.0


def subtract(x, y):
    return x - y, 1.0, -1.0


def multiply(x, y):
    return x * y, y, x


def divide(x, y):
    quotient = x / y
    return quotient, 1.0 / y, -quotient / y


def power(x, n):
    value = x**n
    if isinstance(value, complex):
        raise ValueError("a negative number has no real power with a fractional exponent")
    by_exponent = value * math.log(x) if x > 0.0 else 0.0 if x == 0.0 else math.nan
    return value, _power_slope(x, n), by_exponent


def _power_slope(x, n):
    if n == 0:
        return 0.0
    if x == 0.0:
        # Python refuses 0 ** -0.5, and 0 * inf would be NaN where the slope is infinite.
        return 0.0 if n > 1 else 1.0 if n == 1 else math.inf
    try:
        return n * x ** (n - 1)
    except OverflowError:
        # A value near the edge of the range has a slope beyond it; x ** (n - 1) is negative only
        # for a negative x with a whole, even n.
        return math.copysign(math.inf, -n if x < 0.0 and n % 2 == 0 else n)


def negate(x):
    return -x, -1.0


def absolute(x):
    return abs(x), math.copysign(1.0, x) if x else 0.0


def exp(x):
    value = math.exp(x)
    return value, value


def log(x):
    return math.log(x), 1.0 / x


def sqrt(x):
    value = math.sqrt(x)
    return value, 0.5 / value if value else math.inf


def sin(x):
    return math.sin(x), math.cos(x)


def cos(x):
    return math.cos(x), -math.sin(x)


def tanh(x):
    value = math.tanh(x)
    return value, 1.0 - value * value


def relu(x):
    # Written so that a NaN stays a NaN, as in torch.
    return (0.0, 0.0) if x <= 0.0 else (x, 1.0)


def power_with_a_scalar(x, y):
    # With a constant exponent (-2) ** 3 is fine; with a variable one it has no derivative.
    if x < 0.0:
        raise ValueError(
            "with a Scalar as exponent the base must not be negative; give a whole exponent as an "
            "int"
        )
    return power(x, y)


# Operations of each local derivative, by operand, as the rules above compute them.
COSTS = {
    "/": (1, 2),
    "**": (3, 2),
    "abs": (1,),
    "log": (1,),
    "sqrt": (1,),
    "sin": (1,),
    "cos": (2,),
    "tanh": (2,),
}
