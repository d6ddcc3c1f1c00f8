"""The arguments of a function: the variables x in one flat order, and all the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .torch_internals import tree_flatten, tree_unflatten

__all__ = ["Arguments", "Layout", "Variables", "is_numpy"]


class Layout:
    """Where each of several tensors lies in one flat vector, each in row-major order.

    Parameters
    ----------
    tensors : sequence of Tensor
        Of one dtype, on one device. Only their form is kept.
    """

    def __init__(self, tensors: Sequence[Tensor]):
        self.dtype, self.device = tensors[0].dtype, tensors[0].device
        self.shapes = [tensor.shape for tensor in tensors]
        self.sizes = [tensor.numel() for tensor in tensors]
        self.n = sum(self.sizes)

    @property
    def like(self) -> dict[str, Any]:
        """What makes a new tensor one of these: dtype and device."""
        return {"dtype": self.dtype, "device": self.device}

    def split(self, vector: Tensor) -> list[Tensor]:
        """Cut flat vectors, of shape (..., n), into views shaped like the tensors."""
        parts = vector.split(self.sizes, dim=-1)
        lead = vector.shape[:-1]
        return [part.reshape(lead + shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def vector(self, name: str, vector: Any) -> Tensor:
        """Return a caller's vector as a tensor, after checking that it is of shape (n,)."""
        found = _as_tensor(vector)
        if not isinstance(found, Tensor):
            raise TypeError(f"{name}: expected a vector, got {type(vector).__name__}")
        if (tuple(found.shape), found.dtype) != ((self.n,), self.dtype):
            raise ValueError(
                f"{name}: expected shape ({self.n},) and {self.dtype}, "
                f"got {tuple(found.shape)} and {found.dtype}"
            )
        return found


class Variables(Layout):
    """Where each tensor of x lies in the flat vector of all variables.

    Parameters
    ----------
    x : Tensor or ndarray, or a dict, list, tuple, ... of them
        float32 or float64 throughout, and all on one device. The tensors follow each other in the
        order of the container (a dict: of its keys as they were inserted), each in row-major order.

    Raises
    ------
    TypeError
        If a leaf of x is no tensor and no array, or not of a real floating-point type.
    ValueError
        If the tensors differ in type or in device, or are not dense.
    """

    def __init__(self, x: Any):
        leaves, self.structure = tree_flatten(x)
        if not leaves:
            raise ValueError("x: expected a tensor or a container of tensors, got an empty one")
        self._refuse_bare_numbers(x, leaves)
        leaves = [self._checked(leaf) for leaf in leaves]
        kinds = {(leaf.dtype, leaf.device) for leaf in leaves}
        if len(kinds) > 1:
            got = ", ".join(sorted(f"{dtype} on {device}" for dtype, device in kinds))
            raise ValueError(f"x: expected tensors of one dtype on one device, got {got}")
        super().__init__(leaves)
        self._strides = [_dense_strides(leaf) for leaf in leaves]

    @staticmethod
    def _refuse_bare_numbers(x: Any, leaves: Sequence[Any]) -> None:
        if all(isinstance(leaf, int | float) for leaf in leaves):
            raise TypeError(
                f"x: expected a tensor or an array, got {type(x).__name__}; "
                "write torch.tensor(x, dtype=torch.float64)"
            )

    @staticmethod
    def _checked(leaf: Any) -> Tensor:
        leaf = _as_tensor(leaf)
        if not isinstance(leaf, Tensor):
            raise TypeError(f"x: expected tensors, got {type(leaf).__name__}")
        if leaf.dtype not in (torch.float32, torch.float64):
            raise TypeError(f"x: expected float32 or float64, got {leaf.dtype}")
        if leaf.layout != torch.strided:
            raise ValueError(f"x: expected dense tensors, got layout {leaf.layout}")
        return leaf

    def leaves(self, x: Any) -> list[Tensor]:
        """Return the tensors of a later x, after checking that it is like the first one."""
        leaves, structure = tree_flatten(x)
        if structure != self.structure:
            raise ValueError(f"x: expected the structure {self.structure}, got {structure}")
        leaves = [self._checked(leaf) for leaf in leaves]
        for leaf, shape in zip(leaves, self.shapes, strict=True):
            if (leaf.shape, leaf.dtype, leaf.device) != (shape, self.dtype, self.device):
                raise ValueError(
                    f"x: prepared for shape {tuple(shape)}, {self.dtype} on {self.device}; "
                    f"got {tuple(leaf.shape)}, {leaf.dtype} on {leaf.device}"
                )
        return [_laid_out(*pair) for pair in zip(leaves, self._strides, strict=True)]

    def tree(self, leaves: Sequence[Any]) -> Any:
        """Put tensors back into the container."""
        return tree_unflatten(list(leaves), self.structure)


def is_numpy(x: Any) -> bool:
    """Say whether x is made of NumPy arrays, so that results should be, too."""
    return any(isinstance(leaf, np.ndarray) for leaf in tree_flatten(x)[0])


def _as_tensor(leaf: Any) -> Any:
    """Return an array of numbers as a tensor; anything else as it is."""
    if not isinstance(leaf, np.ndarray) or leaf.dtype.kind not in "fiub" or leaf.itemsize > 8:
        return leaf
    # Of native bytes, in memory that may be written to: torch minds both.
    plain = np.require(leaf, leaf.dtype.newbyteorder("="), ["C", "W"])
    return torch.from_numpy(plain)


class Arguments:
    """The arguments of f other than x: floating-point tensors may change, all else may not."""

    def __init__(self, args: tuple):
        if not isinstance(args, tuple):
            raise TypeError(f"args: expected a tuple, got {type(args).__name__}")
        self._leaves, self._structure = tree_flatten(args)
        self._free = [isinstance(a, Tensor) and a.is_floating_point() for a in self._leaves]
        self._strides = [
            _dense_strides(a) if free else ()
            for a, free in zip(self._leaves, self._free, strict=True)
        ]
        # An index or a mask decides the structure, so a later change of it must not go unnoticed.
        self._leaves = [
            a if free else _copied(a) for a, free in zip(self._leaves, self._free, strict=True)
        ]

    def tensors(self, args: tuple | None = None) -> list[Tensor]:
        """Return the tensors that may change, after checking that nothing else did."""
        if args is None:
            leaves = self._leaves
        else:
            leaves, structure = tree_flatten(args)
            if structure != self._structure:
                raise ValueError(f"args: expected {self._structure}, got {structure}")
            for new, old, free in zip(leaves, self._leaves, self._free, strict=True):
                self._check(new, old, free)
        both = zip(leaves, self._strides, self._free, strict=True)
        return [_laid_out(a, strides) for a, strides, free in both if free]

    @staticmethod
    def _check(new: Any, old: Any, free: bool) -> None:
        if isinstance(old, Tensor):
            same = isinstance(new, Tensor) and (new.shape, new.dtype) == (old.shape, old.dtype)
            same = same and (free or torch.equal(new, old))
        elif isinstance(old, np.ndarray):
            same = isinstance(new, np.ndarray) and new.dtype == old.dtype
            same = same and np.array_equal(new, old)
        else:
            same = new is old or (type(new) is type(old) and _equal(new, old))
        if not same:
            raise ValueError(
                "args: only the values of floating-point tensors may change after preparation; "
                f"prepared with {_describe(old)}, got {_describe(new)}"
            )

    def fill(self, tensors: Sequence[Tensor]) -> tuple:
        """Put tensors back into the arguments."""
        rest = iter(tensors)
        leaves = [next(rest) if f else a for a, f in zip(self._leaves, self._free, strict=True)]
        return tree_unflatten(leaves, self._structure)


def _dense_strides(tensor: Tensor) -> tuple[int, ...]:
    """Return the strides of a copy: the same, unless elements share memory or leave gaps."""
    if tensor.layout != torch.strided:
        return ()
    return torch.empty_like(tensor, device="meta").stride()


def _laid_out(tensor: Tensor, strides: tuple[int, ...]) -> Tensor:
    """Return a tensor with these strides, as it was recorded, that autograd can start from."""
    tensor = tensor.detach()
    if tensor.layout != torch.strided or (tensor.stride(), tensor.storage_offset()) == (strides, 0):
        return tensor.clone() if tensor.is_inference() else tensor
    like = {"dtype": tensor.dtype, "device": tensor.device}
    return torch.empty_strided(tensor.shape, strides, **like).copy_(tensor)


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    return value.copy() if isinstance(value, np.ndarray) else value


def _equal(new: Any, old: Any) -> bool:
    try:
        return bool(new == old)
    except (TypeError, ValueError, RuntimeError):  # a comparison without a clear answer
        return False


def _describe(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)} and {value.dtype}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and {value.dtype}"
    return repr(value)
