"""One Hessian, computed by several processes, on one machine or on many.

The products for the colours are independent of each other. So each process of a torch.distributed
group computes some of them, and one collective operation gives all of them to everybody.
"""

from __future__ import annotations

import copy
import itertools
import zlib
from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from .jacobian import PreparedJacobian
from .prepared import Prepared
from .prepared_hessian import PreparedHessian
from .products import Products

if dist.is_available():
    # Recording a function imports this module of torch's. If that happens after init_process_group,
    # its functions keep the group as a default argument: destroy_process_group cannot end its
    # threads, and now and then one of them aborts the process when Python ends.
    import torch.distributed.nn.functional  # noqa: F401

__all__ = ["distribute"]

# What each rank sends after its products: whether it failed, and a checksum of x and args in two
# halves, since float32 holds integers up to 2**24 only.
FOOTER = 3


def distribute(
    prepared: PreparedHessian | PreparedJacobian, group: dist.ProcessGroup | None = None
) -> PreparedHessian | PreparedJacobian:
    """Share the products of each Hessian or Jacobian among the ranks of a process group.

    Parameters
    ----------
    prepared : PreparedHessian or PreparedJacobian
        Prepared in every rank with the same function and example.
    group : ProcessGroup, optional
        Of torch.distributed, with a backend for the device of x: gloo for the processor, NCCL for
        GPUs. By default the group of all ranks.

    Returns
    -------
    PreparedHessian or PreparedJacobian
        Use it like `prepared`, but in all ranks of the group together: each gets the whole matrix.
        Its attribute `my_colors` is the range of colours whose products this rank computes; for a
        Jacobian from columns and rows, of the colours of columns.

    Raises
    ------
    TypeError
        If `prepared` is neither of them.
    ValueError
        If there is no process group or this rank is not in it, or if the ranks prepared different
        Hessians. In the last case, in every rank.

    Notes
    -----
    The call of the result exchanges one message between any two ranks:
    ``ceil(products / ranks)`` vectors of n numbers, for a Jacobian of n or of m (from columns and
    rows: a message for either). If a rank fails, the call raises in every rank:
    the error itself where it happened, elsewhere a RuntimeError that names the rank and its error.
    So it does if the ranks were given different x. If a process ends or stops answering, the others
    get a RuntimeError, at the latest after the time-out of the group.

    Every rank computes colour by colour, as one process does for more than 50,000 variables: then
    the matrix is the same bit for bit. With fewer variables one process takes several colours at
    once; then sums inside f may be added up in another order.

    Examples
    --------
    Here the group has one rank only; `torchrun` starts several.

    >>> import torch
    >>> import torch.distributed as dist
    >>> from autodiff_course.sparse import prepare_hessian
    >>> from autodiff_course.sparse.distributed import distribute
    >>> dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    >>> x = torch.tensor([1.0, 2.0, 3.0])
    >>> hessian = distribute(prepare_hessian(lambda x: (x[1:] * x[:-1] ** 2).sum(), x))
    >>> hessian.my_colors
    range(0, 2)
    >>> print(hessian(x).toarray())
    [[4. 2. 0.]
     [2. 6. 4.]
     [0. 4. 0.]]
    >>> dist.destroy_process_group()
    """
    if not isinstance(prepared, Prepared):
        raise TypeError(
            "prepared: expected the result of prepare_hessian or prepare_jacobian, got "
            f"{type(prepared).__name__}"
        )
    if not (dist.is_available() and dist.is_initialized()):
        raise ValueError("there is no process group: call torch.distributed.init_process_group")
    if dist.get_rank(group) < 0:
        raise ValueError("group: this rank is not in it")
    result = copy.copy(prepared)
    result._sides = [copy.copy(side) for side in prepared._sides]
    for side, own in zip(result._sides, prepared._sides, strict=True):
        side.strategy = _Ranks(own, group)
    result.my_colors = result._sides[0].strategy.my_colors
    return result


class _Ranks:
    """A strategy for `Products`: each rank of a group computes some, and all get all of them."""

    def __init__(self, own: Products, group: dist.ProcessGroup | None):
        self._own, self._group = own, group
        rank, self._ranks = dist.get_rank(group), dist.get_world_size(group)
        bounds = [r * own.count // self._ranks for r in range(self._ranks + 1)]
        self._shares = [range(a, b) for a, b in itertools.pairwise(bounds)]
        self.my_colors = self._shares[rank]
        self._agree()
        largest, size = max(map(len, self._shares)), own.codomain.n
        self._message = torch.zeros(largest * size + FOOTER, **own.domain.like)
        self._messages = torch.zeros((self._ranks, len(self._message)), **own.domain.like)
        self._compressed = torch.zeros((own.count, size), **own.domain.like)

    def _agree(self) -> None:
        mine = (
            self._own.codomain.n,
            self._own.count,
            str(self._own.domain.dtype),
            zlib.crc32(self._own.colors.cpu().numpy()),
        )
        all_of_them: list = [None] * self._ranks
        dist.all_gather_object(all_of_them, mine, group=self._group)
        for rank, other in enumerate(all_of_them):
            if other != all_of_them[0]:
                raise ValueError(
                    "prepared: every rank must prepare the same matrix, but rank 0 and rank "
                    f"{rank} differ in variables, products, dtype or colours: "
                    f"{all_of_them[0]} and {other}"
                )

    def __call__(self, x: Any, args: tuple | None) -> Tensor:
        """Compute this rank's products, and exchange them for those of the others."""
        message, error = self._message, None
        message[-FOOTER:] = 0
        try:
            message[-FOOTER + 1 :] = torch.tensor(self._checksum(x, args), dtype=message.dtype)
            self._compute(x, args, message)
        except Exception as caught:  # the others wait for a message, so they get one in any case
            error = caught
            message[-FOOTER] = 1
        try:
            dist.all_gather(list(self._messages), message, group=self._group)
        except RuntimeError as lost:
            raise RuntimeError("a rank of the group ended, or did not answer in time") from lost
        self._raise_if_any_failed(error)
        for colors, row in zip(self._shares, self._messages, strict=True):
            self._compressed[colors.start : colors.stop] = self._rows(row, colors)
        return self._compressed

    def _compute(self, x: Any, args: tuple | None, message: Tensor) -> None:
        residuals = self._own.residuals(x, args)
        self._own.one_by_one(residuals, self.my_colors, self._rows(message, self.my_colors))

    def _rows(self, message: Tensor, colors: range) -> Tensor:
        """Return the part of a message that holds the products of these colours."""
        size = self._own.codomain.n
        return message[: len(colors) * size].view(len(colors), size)

    def _checksum(self, x: Any, args: tuple | None) -> tuple[int, int]:
        problem = self._own.problem
        tensors = [*problem.variables.leaves(x), *problem.arguments.tensors(args)]
        checksum = 0
        for tensor in tensors:
            checksum = zlib.crc32(tensor.detach().cpu().contiguous().numpy(), checksum)
        return divmod(checksum, 2**16)

    def _raise_if_any_failed(self, error: Exception | None) -> None:
        footers = self._messages[:, -FOOTER:].cpu()
        failed = _positions(footers[:, 0] != 0)
        if failed:
            # Everybody has seen it, so everybody comes here, and one more exchange is safe.
            texts: list = [None] * self._ranks
            mine = f"{type(error).__name__}: {error}" if error else None
            dist.all_gather_object(texts, mine, group=self._group)
            if error:
                raise error
            raise RuntimeError("; ".join(f"rank {rank} failed: {texts[rank]}" for rank in failed))
        different = _positions((footers[:, 1:] != footers[0, 1:]).any(dim=1))
        if different:
            raise RuntimeError(
                "every rank must be given the same x and args, but those of rank "
                f"{', '.join(map(str, different))} differ from those of rank 0"
            )


def _positions(marks: Iterable) -> list[int]:
    return [place for place, mark in enumerate(marks) if mark]
