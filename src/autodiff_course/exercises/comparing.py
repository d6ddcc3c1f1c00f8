"""Compare an answer with what was expected, and say where and how the two differ.

NumPy arrays and torch tensors are recognised by what they can do (``shape``, ``tolist``), so that
neither library has to be installed.
"""

from __future__ import annotations

import math
import reprlib
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Difference", "Tolerance", "difference", "plain", "show"]


@dataclass(frozen=True)
class Tolerance:
    """How far a number may be from the expected one: as in `math.isclose`."""

    relative: float = 1e-9
    absolute: float = 1e-12


@dataclass(frozen=True)
class Difference:
    """Where two values differ, and how, in a sentence for the reader.

    Attributes
    ----------
    message : str
        One or two sentences.
    index : tuple
        Where in the value: ``()`` for the value as a whole, ``(1, 0)`` for element 0 of element 1.
    """

    message: str
    index: tuple = ()


def difference(yours, expected, tolerance: Tolerance | None = None) -> Difference | None:
    """Find the first difference between two values.

    Parameters
    ----------
    yours : object
        The answer: a number, text, or lists, tuples, dicts, sets, arrays and tensors of them.
    expected : object
        The truth. A list agrees with a tuple or an array of the same numbers, an int with the equal
        float, and a 0-dimensional tensor with a number; a bool agrees with nothing but a bool.
    tolerance : Tolerance, optional
        For numbers that are not both ints. A NaN agrees with an expected NaN alone.

    Returns
    -------
    Difference or None
        None where the two agree.

    Examples
    --------
    >>> difference((2, 5.0), [2.0, 5.0]) is None
    True
    >>> difference((2.0, 3.0), (2.0, 5.0))
    Difference(message='At [1]: yours is 3.0, expected 5.0.', index=(1,))
    """
    yours, expected = plain(yours), plain(expected)
    tolerance = tolerance or Tolerance()
    found = _shape_difference(yours, expected) or _differ(yours, expected, tolerance, ())
    if found and _is_matrix(yours) and _is_matrix(expected) and found.index:
        transpose = [list(column) for column in zip(*yours, strict=True)]
        if _shape(transpose) == _shape(expected) and not _differ(
            transpose, expected, tolerance, ()
        ):
            return Difference(f"{found.message} Yours is the transpose of it.", found.index)
    return found


def show(value) -> str:
    """Write a value on few lines, however large it is or ill-behaved its ``repr``.

    Examples
    --------
    >>> show([1.0, 2.0])
    '[1.0, 2.0]'
    """
    try:
        return _short.repr(value)
    except BaseException as error:  # someone else's __repr__ may raise anything
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"


def plain(value):
    """Turn arrays and tuples into lists, and 0-dimensional arrays into numbers.

    Examples
    --------
    >>> plain(((1, 2), range(2)))
    [[1, 2], [0, 1]]
    """
    if hasattr(value, "tolist") and hasattr(value, "shape"):
        # One call serves both: tolist() of a 0-dimensional array is a number.
        value = value.tolist()
    if isinstance(value, (list, tuple, range)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return set(value)
    return value


_short = reprlib.Repr()
_short.maxlist = _short.maxtuple = _short.maxdict = _short.maxset = 12
_short.maxother = _short.maxstring = _short.maxlong = 300


def _shape(value):
    """Return the shape of nested lists, or None where the rows have different lengths."""
    if not isinstance(value, list):
        return ()
    inner = [_shape(item) for item in value]
    if any(shape is None for shape in inner) or any(one != two for one, two in pairwise(inner)):
        return None
    return (len(value), *(inner[0] if inner else ()))


def _is_matrix(value):
    shape = _shape(value)
    return shape is not None and len(shape) == 2


def _shape_difference(yours, expected):
    mine, true = _shape(yours), _shape(expected)
    # In one dimension a length says more than a shape; ragged lists are compared row by row.
    if mine is None or true is None or mine == true or len(mine) < 2 or len(true) < 2:
        return None
    advice = " It looks transposed." if mine == true[::-1] else ""
    return Difference(f"The shape should be {true}; yours is {mine}.{advice}")


def _differ(yours, expected, tolerance, index):
    if isinstance(expected, list):
        return _sequences_differ(yours, expected, tolerance, index)
    if isinstance(expected, dict):
        return _dicts_differ(yours, expected, tolerance, index)
    if _is_number(expected):
        return _numbers_differ(yours, expected, tolerance, index)
    if type(yours) is not type(expected):
        return _wrong_kind(yours, expected, index)
    return None if yours == expected else _wrong_value(yours, expected, index)


def _sequences_differ(yours, expected, tolerance, index):
    if not isinstance(yours, list):
        return _wrong_kind(yours, expected, index)
    if len(yours) != len(expected):
        values = "value" if len(expected) == 1 else "values"
        return Difference(
            _sentence(f"{_at(index)}expected {len(expected)} {values}, got {len(yours)}."), index
        )
    for position, (mine, true) in enumerate(zip(yours, expected, strict=True)):
        found = _differ(mine, true, tolerance, (*index, position))
        if found:
            return found
    return None


def _dicts_differ(yours, expected, tolerance, index):
    if not isinstance(yours, dict):
        return _wrong_kind(yours, expected, index)
    for verb, extra in (
        ("is missing", [key for key in expected if key not in yours]),
        ("should not be there", [key for key in yours if key not in expected]),
    ):
        if extra:
            text = f"{_at(index)}the key {show(extra[0])} {verb}."
            return Difference(_sentence(text), (*index, extra[0]))
    for key, true in expected.items():
        found = _differ(yours[key], true, tolerance, (*index, key))
        if found:
            return found
    return None


def _numbers_differ(yours, expected, tolerance, index):
    if not _is_number(yours) or (isinstance(yours, complex) and not isinstance(expected, complex)):
        return _wrong_kind(yours, expected, index)
    return None if _close(yours, expected, tolerance) else _wrong_value(yours, expected, index)


def _is_number(value):
    # A bool is an int to Python, but never the answer to "which number?".
    return isinstance(value, (int, float, complex)) and not isinstance(value, bool)


def _close(yours, expected, tolerance):
    if yours == expected:
        return True
    if isinstance(yours, int) and isinstance(expected, int):
        return False
    if yours != yours or expected != expected:
        return yours != yours and expected != expected
    if math.inf in (abs(yours), abs(expected)):
        return False
    try:
        allowed = max(tolerance.relative * max(abs(yours), abs(expected)), tolerance.absolute)
        return abs(yours - expected) <= allowed
    except OverflowError:  # an int beyond the range of a float
        return False


def _wrong_value(yours, expected, index):
    advice = ""
    if yours != yours:
        advice = " NaN means that a computation on the way was undefined, such as 0/0 or inf - inf."
    text = f"{_at(index)}yours is {show(yours)}, expected {show(expected)}."
    return Difference(_sentence(text) + advice, index)


def _wrong_kind(yours, expected, index):
    advice = ""
    if isinstance(yours, list) and _shape(yours) in ((1,), (1, 1)):
        advice = " Take the one number out of it."
    elif _is_number(getattr(yours, "value", None)):
        advice = " Return its `.value`."
    elif isinstance(expected, list) and hasattr(yours, "__next__"):
        advice = " Put `list(...)` around it."
    text = f"{_at(index)}expected {_describe(expected)}, got {_describe(yours)}."
    return Difference(_sentence(text) + advice, index)


def _describe(value):
    if value is None or value is ...:
        return str(value)
    if isinstance(value, (bool, str)):
        return f"{show(value)} ({type(value).__name__})"
    if _is_number(value):
        kind = "complex number" if isinstance(value, complex) else "number"
        return f"a {kind}"
    if isinstance(value, list):
        return f"a list or tuple of {len(value)}"
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _at(index):
    return f"at [{', '.join(show(part) for part in index)}]: " if index else ""


def _sentence(text):
    return text[:1].upper() + text[1:]
