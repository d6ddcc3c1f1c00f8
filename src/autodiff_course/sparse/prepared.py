"""What a prepared Hessian and a prepared Jacobian have in common."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import LinearOperator
from torch import Tensor

from .checking import check_derivative
from .derivatives import Function, Recorded
from .matrix import Matrix
from .products import Products
from .program import compile_recording, merged
from .torch_internals import ordinary_mode
from .variables import is_numpy

__all__ = ["Prepared", "check_options"]


def check_options(**options: tuple[Any, tuple]) -> None:
    """Refuse a value that is not among those an option may have."""
    for name, (value, allowed) in options.items():
        if value not in allowed:
            raise ValueError(f"{name}: expected one of {', '.join(allowed)}, got {value!r}")


class Prepared:
    """A sparse derivative of one function, ready to be computed at any x.

    Parameters
    ----------
    problem : Function
    recorded : Recorded
        Of what it gives without a direction.
    matrix : Matrix
    """

    #: The products of which the matrix is read: with columns, with rows or of both kinds.
    _sides: list[Products]

    def __init__(self, problem: Function, recorded: Recorded, matrix: Matrix):
        self._problem, self._recorded, self._matrix = problem, recorded, matrix
        self.output = matrix.output
        self._constant: Tensor | None = None
        self.n = problem.variables.n

    def __call__(self, x: Any, args: tuple | None = None) -> sp.csr_array | Tensor | np.ndarray:
        """Compute the matrix at x.

        Parameters
        ----------
        x : Tensor or ndarray, or container of them
            Of the form of the example.
        args : tuple, optional
            Other values of the further arguments; by default those given at preparation.

        Returns
        -------
        scipy.sparse.csr_array, torch.Tensor (sparse_csr) or ndarray
            The sparse matrices that one object returns share their index arrays, which are
            read-only; copy one before changing its structure in place.

        Raises
        ------
        ValueError
            If x or args are not of the form that they had at preparation.
        """
        with ordinary_mode():
            return self._matrix(self._entries(x, args))

    def value(self, x: Any, args: tuple | None = None) -> Any:
        """Return f(x), computed from the recording; with ``has_aux``, a pair (value, aux).

        Examples
        --------
        >>> import numpy as np
        >>> from autodiff_course.sparse import prepare_hessian
        >>> prepare_hessian(lambda x: (x**3).sum(), np.ones(2)).value(np.array([1.0, 2.0]))
        9.0
        """
        with ordinary_mode():
            return self._finish(x, self._first(self._value_program, x, args))[0]

    def check(self, x: Any, args: tuple | None = None) -> None:
        """Compare the matrix times a random vector with differences, near x.

        Raises
        ------
        ValueError
            If they differ: the pattern lacks entries, or f has changed since it was recorded.

        Warns
        -----
        UserWarning
            If they differ, but the product is what autograd gives without any recording: then
            PyTorch's derivative is not that of the function, as where f detaches a tensor.

        Notes
        -----
        The differences are those of the gradient for a Hessian, of f for a Jacobian. Costs one
        matrix and four gradients, or values of f, of which nothing is recorded; if they disagree,
        four more with a longer step, since f may be less accurate than x. The point is taken a
        little beside x, since at x itself (zero, say) entries may vanish that do not elsewhere.
        What two differences of other steps differ by, and what rounding may do to them, is allowed
        for. So the check says little where what is compared jumps or is inaccurate.
        """
        if self.n:
            with ordinary_mode():
                check_derivative(self._problem, lambda x: self._full(x, args), x, args)

    def _entries(self, x: Any, args: tuple | None) -> Tensor:
        """Compute the entries of the matrix; those of a constant one only once."""
        if not all(side.is_constant for side in self._sides):
            return self._compute_entries(x, args)
        self._problem.inputs(x, args)  # is x of the right form?
        if self._constant is None:
            self._constant = self._compute_entries(x, args)
            for side in self._sides:
                side.release()
        return self._constant.clone()

    def _compute_entries(self, x: Any, args: tuple | None) -> Tensor:
        raise NotImplementedError

    def _full(self, x: Any, args: tuple | None) -> sp.csr_array:
        """Compute the whole matrix in CSR form."""
        return self._matrix.scipy(self._entries(x, args))

    @cached_property
    def _value_program(self):
        first, aux = self._recorded.first, self._recorded.aux
        return self._program(merged(first._replace(outputs=first.outputs[:1]).pruned(), aux))

    def _program(self, recording):
        """Return a program of x and the arguments alone."""
        given = len(self._problem.variables.sizes) + len(self._problem.arguments.tensors())
        return compile_recording(recording._replace(inputs=recording.inputs[:given]))

    def _first(self, program, x: Any, args: tuple | None) -> tuple:
        inputs = self._problem.inputs(x, args)
        with torch.no_grad():
            return program(*inputs)

    def _finish(self, x: Any, found: tuple) -> tuple:
        """Return first results in the form of x, with those of f itself in front."""
        count = len(self._recorded.aux.outputs)
        tensors, aux = found[: len(found) - count], found[len(found) - count :]
        # What f returns may be x itself, or a constant.
        tensors, aux = ([_own(part, is_numpy(x)) for part in parts] for parts in (tensors, aux))
        return self._problem.with_aux(tensors[0], aux), tensors[1:]

    def _operator(self, x: Any, m: int, product, transposed) -> LinearOperator:
        dtype = torch.empty(0, dtype=self._problem.variables.dtype).numpy().dtype

        def with_array(apply):
            def multiply(vector):
                return apply(np.asarray(vector, dtype).reshape(-1))

            return multiply

        return LinearOperator(
            (m, self.n),
            matvec=with_array(product),
            rmatvec=with_array(transposed),
            dtype=dtype,
        )

    def _at(self, flat: np.ndarray) -> Any:
        """Return a flat array, as SciPy's solvers have it, in the form of x."""
        variables = self._problem.variables
        flat = np.asarray(flat)
        if flat.shape != (self.n,):
            raise ValueError(f"x: expected {self.n} numbers in one dimension, got {flat.shape}")
        tensor = torch.from_numpy(np.array(flat, np.float64)).to(**variables.like)
        return variables.tree(variables.split(tensor))

    def _flat(self, tree: Any) -> np.ndarray:
        """Return tensors in the form of x as one flat array of float64."""
        parts = self._problem.variables.leaves(tree)
        return torch.cat([part.reshape(-1).cpu().double() for part in parts]).numpy()


def _own(tensor: Tensor, as_numpy: bool) -> Any:
    """Return a copy that belongs to the caller; of one number in NumPy, the number."""
    copy = tensor.detach().clone()
    if not as_numpy:
        return copy
    return copy.cpu().numpy() if copy.dim() else copy.item()
