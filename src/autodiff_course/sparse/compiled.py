"""Compile the inner loops over the entries of large patterns."""

from __future__ import annotations

from collections.abc import Callable

import numba

__all__ = ["compiled"]


def compiled(function: Callable) -> Callable:
    """Compile a function at its first call, and keep the result on disk where that is possible.

    What is kept on disk is renewed when the function's own file changes, but not when a file
    changes from which it calls something. So functions that call each other share a file.

    Examples
    --------
    >>> from autodiff_course.sparse.compiled import compiled
    >>> @compiled
    ... def double(x):
    ...     return x + x
    >>> double(2)
    4
    """
    try:
        return numba.njit(cache=True)(function)
    except RuntimeError:  # no folder to write to: compile anew in each process
        return numba.njit(function)
