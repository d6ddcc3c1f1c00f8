"""Tell whether a wrong answer is near the truth, as a difference quotient is."""

from __future__ import annotations

import math

from .display import CheckResult

__all__ = ["nearly"]


def nearly(result: CheckResult) -> bool:
    """Tell whether all numbers of a wrong answer are within a hundredth of the expected ones.

    Examples
    --------
    >>> nearly(CheckResult("wrong", "", yours=[2.001, 5.0], expected=[2.0, 5.0]))
    True
    """
    mine, true = _numbers(result.yours), _numbers(result.expected)
    try:
        pairs = list(zip(mine, true, strict=True))
        return all(math.isclose(x, y, rel_tol=1e-2, abs_tol=1e-2) for x, y in pairs)
    except (TypeError, ValueError):  # not numbers, or not as many
        return False


def _numbers(value):
    return value if isinstance(value, (list, tuple)) else [value]
