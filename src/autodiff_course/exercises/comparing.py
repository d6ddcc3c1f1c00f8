"""Compare an answer with what was expected, and say where and how the two differ.

NumPy arrays, torch tensors and SymPy's numbers are recognised by what they can do (``tolist``,
``is_number``), so that none of these libraries has to be installed.
"""

from __future__ import annotations

import math
import numbers
import reprlib
import struct
from dataclasses import dataclass

__all__ = ["Difference", "Tolerance", "difference", "plain", "show"]

SINGLE = 1e-5  # the relative tolerance of a number in float32, some eighty roundings


@dataclass(frozen=True)
class Tolerance:
    """How far a number may be from the expected one, as in `math.isclose`.

    Where the answer or the truth is in float32, a relative tolerance of 1e-5 is enough.
    """

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
    """Find the first difference between two values: first of form, then of content.

    Parameters
    ----------
    yours : object
        The answer: a number, text, or lists, tuples, dicts, sets, arrays and tensors of them.
    expected : object
        The truth. A list agrees with a tuple or an array of the same numbers, an int with the equal
        float, 1 and 0 with True and False, a 0-dimensional tensor or a SymPy number with a number,
        and text with the same text in capitals.
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
    mine, true = _shape(yours), _shape(expected)
    if len(mine) > 1 and len(true) > 1 and mine != true:
        advice = " It looks transposed." if mine == true[::-1] else ""
        return Difference(f"The shape should be {true}; yours is {mine}.{advice}")
    single = _in_single(expected)
    yours, expected = plain(yours), plain(expected)
    compare = _Comparison(tolerance or Tolerance(), single, _largest(expected))
    found = compare.differ(yours, expected, ())
    if found and len(found.index) == 2 == len(true) and mine == true == true[::-1]:
        transpose = [list(column) for column in zip(*yours, strict=True)]
        if not compare.differ(transpose, expected, ()):
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
    except (Exception, SystemExit) as error:  # someone else's __repr__ may raise anything
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"


def plain(value):
    """Turn arrays and tuples into lists, and whatever else is a number into Python's own.

    Examples
    --------
    >>> plain(((1, 2), range(2)))
    [[1, 2], [0, 1]]
    """
    if hasattr(value, "tolist") and hasattr(value, "shape"):
        # One call serves both: tolist() of a 0-dimensional array is a number.
        value = value.tolist()
    if isinstance(value, (list, tuple, range)):
        return [item if type(item) in (int, float) else plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return set(value)
    return _python_number(value)


_short = reprlib.Repr()
_short.maxlist = _short.maxtuple = _short.maxdict = _short.maxset = 12
_short.maxother = _short.maxstring = _short.maxlong = 300


def _python_number(value):
    """Return SymPy's, `fractions`' and other libraries' numbers as int, float, complex or bool."""
    if isinstance(value, (int, float, complex, str)):
        return value
    if getattr(value, "is_Boolean", False):  # SymPy's true and false
        return bool(value)
    if isinstance(value, numbers.Number) or getattr(value, "is_number", False):
        if getattr(value, "is_real", True):
            return int(value) if getattr(value, "is_integer", False) is True else float(value)
        return complex(value)
    return value


def _shape(value):
    """Return the shape of an array, or of nested lists as their first elements have it."""
    if hasattr(value, "shape") and hasattr(value, "tolist"):
        return tuple(value.shape)
    shape = []
    while isinstance(value, (list, tuple)):
        shape.append(len(value))
        # Ragged lists have no shape; they are compared row by row.
        lengths = {len(item) if isinstance(item, (list, tuple)) else None for item in value}
        if len(lengths) != 1 or None in lengths:
            break
        value = value[0]
    return tuple(shape)


def _in_single(value):
    """Whether an array in float32 is in it."""
    if isinstance(value, (list, tuple)):
        return any(_in_single(item) for item in value[:100])
    if isinstance(value, dict):
        return any(_in_single(item) for item in value.values())
    return "float32" in str(getattr(value, "dtype", ""))


def _largest(value):
    """Return the largest magnitude in a value, beside which a rounding error is small."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return max(map(_largest, value), default=0.0)
    return abs(value) if isinstance(value, float) and math.isfinite(value) else 0.0


def _is_number(value):
    return isinstance(value, (int, float, complex))


def _float32_holds(value):
    """Whether a float was computed in float32: of those in float64, it holds one in 10^9."""
    try:
        return isinstance(value, float) and struct.unpack("f", struct.pack("f", value))[0] == value
    except OverflowError:
        return False


class _Comparison:
    """One comparison: the tolerance, and whether the truth is in float32."""

    def __init__(self, tolerance, single, largest):
        self._tolerance, self._single = tolerance, single
        self._largest = largest

    def differ(self, yours, expected, index):
        if isinstance(expected, list):
            return self._sequences_differ(yours, expected, index)
        if isinstance(expected, dict):
            return self._dicts_differ(yours, expected, index)
        if _is_number(expected):
            return self._numbers_differ(yours, expected, index)
        if isinstance(expected, str) and isinstance(yours, str):
            same = yours.strip().casefold() == expected.strip().casefold()
            return None if same else _wrong_value(yours, expected, index)
        if type(yours) is not type(expected):
            return _wrong_kind(yours, expected, index)
        return None if yours == expected else _wrong_value(yours, expected, index)

    def _sequences_differ(self, yours, expected, index):
        if not isinstance(yours, list):
            return _wrong_kind(yours, expected, index)
        if len(yours) != len(expected):
            values = "value" if len(expected) == 1 else "values"
            text = f"{_at(index)}expected {len(expected)} {values}, got {len(yours)}."
            return Difference(_sentence(text), index)
        # Types before values: [None, 1.0] for [1.0, 2.0] is told as a None, wherever it stands.
        for position, (mine, true) in enumerate(zip(yours, expected, strict=True)):
            if _is_number(true) and not _is_number(mine):
                return _wrong_kind(mine, true, (*index, position))
        for position, (mine, true) in enumerate(zip(yours, expected, strict=True)):
            found = self.differ(mine, true, (*index, position))
            if found:
                return found
        return None

    def _dicts_differ(self, yours, expected, index):
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
            found = self.differ(yours[key], true, (*index, key))
            if found:
                return found
        return None

    def _numbers_differ(self, yours, expected, index):
        if isinstance(expected, bool) and isinstance(yours, (int, float)) and yours not in (0, 1):
            return _wrong_kind(yours, expected, index)
        real = not isinstance(expected, complex)
        if not _is_number(yours) or (isinstance(yours, complex) and real):
            return _wrong_kind(yours, expected, index)
        return None if self._close(yours, expected) else _wrong_value(yours, expected, index)

    def _close(self, yours, expected):
        if yours == expected:
            return True
        if isinstance(yours, int) and isinstance(expected, int):
            return False
        if yours != yours or expected != expected:
            return yours != yours and expected != expected
        if math.inf in (abs(yours), abs(expected)):
            return False
        try:
            size = max(abs(yours), abs(expected))
            relative, absolute = self._tolerance.relative, self._tolerance.absolute
            if self._single or _float32_holds(yours):
                relative = max(relative, SINGLE)
                absolute = max(absolute, SINGLE / 10 * self._largest)
            return abs(yours - expected) <= max(relative * size, absolute)
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
    if isinstance(yours, list) and _is_number(expected) and _shape(yours) in ((1,), (1, 1)):
        advice = " Take the one number out of it."
    elif isinstance(expected, list) and hasattr(yours, "__next__"):
        advice = " Put `list(...)` around it."
    elif isinstance(expected, list) and hasattr(yours, "iterate"):  # what `descend` returns
        advice = " Return the run's `.iterate`."
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
        return f"a list, tuple or array of {len(value)}"
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _at(index):
    return f"at [{', '.join(show(part) for part in index)}]: " if index else ""


def _sentence(text):
    return text[:1].upper() + text[1:]
