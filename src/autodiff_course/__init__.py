"""Automatic differentiation in PyTorch: the helper package that all notebooks share.

Importing it loads nothing but the standard library; each notebook imports the module it needs, for
example ``from autodiff_course.graph import Scalar``.
"""

from __future__ import annotations

__all__ = ["seed"]


def seed(number: int) -> None:
    """Seed every random generator that the notebooks use, so that a rerun prints the same numbers.

    Parameters
    ----------
    number : int
        The seed of Python's `random`, and of NumPy's and torch's global generators where those
        libraries are installed.

    Examples
    --------
    >>> import random
    >>> seed(0)
    >>> first = random.random()
    >>> seed(0)
    >>> random.random() == first
    True
    """
    import importlib.util
    import random

    random.seed(number)
    if importlib.util.find_spec("numpy"):
        import numpy

        numpy.random.seed(number)
    if importlib.util.find_spec("torch"):
        import torch

        torch.manual_seed(number)
