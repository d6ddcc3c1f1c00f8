"""What is said of an answer that is a value, without giving the right one away."""

from __future__ import annotations

import math

from .comparing import plain, show


def written_out(value):
    """Write out a sparse matrix, SciPy's or torch's, if it is a small one."""
    write_out = getattr(value, "toarray", None) or getattr(value, "to_dense", None)
    small = math.prod(getattr(value, "shape", ())) <= 10**6
    return write_out() if callable(write_out) and small else value


def complaint_about_value(answer, expected, found, form):
    """Say what is wrong with a value, but neither the expected one nor what would give it away."""
    asked, given = _form(expected), _form(answer)
    if asked != given:
        return f"Expected {form or asked}, got {given}."
    if found.index:
        return f"Look again at index [{', '.join(map(show, found.index))}]."
    return "That is another value."


def _form(value):
    shape = getattr(value, "shape", ())
    if len(shape) > 1:  # told without its numbers, of which there may be many
        return f"an array of shape {tuple(shape)}"
    value = plain(value)
    if isinstance(value, list):
        widths = {len(row) if isinstance(row, list) else None for row in value}
        if len(widths) == 1 and None not in widths:
            return f"an array of shape {(len(value), *widths)}"
        return f"{len(value)} values"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "one number"
    return f"a value of type {type(value).__name__}"
