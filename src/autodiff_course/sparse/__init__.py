"""Hessians of which most entries are zero: find which, and compute only the others.

`pattern` finds the entries that can be non-zero, `coloring` groups the columns so that few
Hessian-vector products give all of them, and `hessian` computes the products and reads them off.
"""

from .coloring import Coloring, color, verify_coloring
from .hessian import PreparedHessian, prepare_hessian, sparse_hessian
from .pattern import TooDense, as_pattern, hessian_pattern

__all__ = [
    "Coloring",
    "PreparedHessian",
    "TooDense",
    "as_pattern",
    "color",
    "hessian_pattern",
    "prepare_hessian",
    "sparse_hessian",
    "verify_coloring",
]
