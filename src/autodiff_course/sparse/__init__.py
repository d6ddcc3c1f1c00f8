"""Hessians and Jacobians of which most entries are zero: find which, and compute only the others.

The data flows through the files in this order:

`record`
    runs the gradient once and keeps a *recording*: every tensor operation that autograd performs;
`optimise`
    computes what is constant in it and does equal operations once;
`domains`, `propagate`, `rules`
    carry *index domains* through it, for each number the set of variables that it depends on;
`pattern`
    reads the *pattern* off them: the entries that can be non-zero;
`coloring`
    groups the columns, so that few *directions*, sums of unit vectors, tell all entries;
`program`, `products`
    split the recorded *Hessian-vector product* into its *primal* part, done once for each x, and
    its *tangent* part, which is linear in the direction and done once for each colour; what the
    second needs of the first are *residuals*; the products are the *compressed* Hessian;
`decompression`
    reads the entries off the compressed Hessian, or finds them by *substitution*;
`hessian`, `jacobian`
    are what a caller sees of all this, with what they share in `prepared`; `checking` compares them
    with differences of gradients, or of values;
`solvers`, `constrained`
    hand them to solvers of optimisation problems, `saving` keeps them in files, and `distributed`
    shares the products among processes.

A Jacobian takes the same way as a Hessian: what is recorded is the function instead of its
gradient, and its pattern with its transpose is coloured (`coloring_jacobian`). With ``local=True``
what a function compares is frozen as it comes out at one x (`local`).

All that PyTorch does not promise to keep is in `torch_internals`.
"""

from .coloring import Coloring, color, verify_coloring
from .coloring_jacobian import JacobianColoring, color_jacobian
from .constrained import ConstrainedProblem, prepare_constrained
from .hessian import PreparedHessian, prepare_hessian, sparse_hessian
from .jacobian import PreparedJacobian, prepare_jacobian, sparse_jacobian
from .pattern import TooDense, as_pattern, hessian_pattern, jacobian_pattern
from .saving import load, save

__all__ = [
    "Coloring",
    "ConstrainedProblem",
    "JacobianColoring",
    "PreparedHessian",
    "PreparedJacobian",
    "TooDense",
    "as_pattern",
    "color",
    "color_jacobian",
    "hessian_pattern",
    "jacobian_pattern",
    "load",
    "prepare_constrained",
    "prepare_hessian",
    "prepare_jacobian",
    "save",
    "sparse_hessian",
    "sparse_jacobian",
    "verify_coloring",
]
