"""How each tensor operation carries dependence on x from its arguments to its result.

A rule takes the operation and its arguments, tensors being replaced by what is known of them, and
returns what is known of the result. It may return too much, never too little. Each file holds the
rules of one kind of operation; here they are put together.
"""

from __future__ import annotations

from typing import Any

from ..torch_internals import traits
from . import elementwise, indexing, linear_algebra, reductions, windows
from .base import Rule

__all__ = ["find_rule"]

RULES: dict[str, Rule] = (
    elementwise.rules | reductions.rules | indexing.rules | linear_algebra.rules | windows.rules
)


def find_rule(operation: Any) -> Rule | None:
    """Return the rule of an operation, if there is one."""
    about = traits(operation)
    if about.name in RULES:
        return RULES[about.name]
    if about.pointwise:
        is_backward = about.name.endswith("_backward")
        return elementwise.linear_in_first if is_backward else elementwise.elementwise
    return None
