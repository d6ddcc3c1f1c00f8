"""Random functions of tensors, put together from the operations that the sparse engine knows.

A program is a list of steps, each on one or two earlier results, and a way to make one number of
the last. `Program.random` chooses operations, sizes and indices; the same seed gives the same one.
"""

# Each of these registers operations, and from them, in this order, a seed chooses.
# isort: off
from . import elements  # noqa: F401
from . import order_and_shape  # noqa: F401
from . import writing  # noqa: F401
from . import dimensions  # noqa: F401
from . import windows  # noqa: F401
from . import linear_algebra  # noqa: F401
from . import containers  # noqa: F401
from . import pairs  # noqa: F401

# isort: on
from .making import NotHere
from .programs import Program

__all__ = ["NotHere", "Program"]
