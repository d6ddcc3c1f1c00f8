"""Operations on two tensors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .making import BINARY

PAIRS = {
    "add": torch.add,
    "mul": torch.mul,
    "sub": lambda a, b: torch.sub(a, b, alpha=0.5),
    "div": lambda a, b: a / (2 + b**2),
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "atan2": lambda a, b: torch.atan2(a, b + 3),
    "hypot": lambda a, b: torch.hypot(a, b + 3),
    "where": lambda a, b: torch.where(a > b, a, b**2),
    "lerp": lambda a, b: torch.lerp(a, b, 0.3),
    "lerp_tensor": lambda a, b: torch.lerp(a, b, b.sin()),
    "logaddexp": torch.logaddexp,
    "pow": lambda a, b: (1 + a**2) ** b.tanh(),
    "addcdiv": lambda a, b: torch.addcdiv(a, a, 2 + b**2),
    "clamp_by": lambda a, b: a.clamp(max=b),
    "mse": lambda a, b: F.mse_loss(*torch.broadcast_tensors(a, b)),
    "huber": lambda a, b: F.huber_loss(*torch.broadcast_tensors(a, b), reduction="none"),
    "smooth_l1": lambda a, b: F.smooth_l1_loss(*torch.broadcast_tensors(a, b)),
    "matmul": torch.matmul,
    "cat": lambda a, b: torch.cat([a.reshape(-1), b.reshape(-1)]),
    "dot": lambda a, b: torch.dot(a.reshape(-1)[:2], b.reshape(-1)[:2]),
    "copysign": lambda a, b: torch.copysign(a, b),
    "xlogy_two": lambda a, b: torch.xlogy(a, 2 + b**2),
    "baddbmm": lambda a, b: torch.baddbmm(a, a, b),
    "write_two": lambda a, b: write_two(a, b),
}
for _name, _function in PAIRS.items():
    BINARY[_name] = lambda r, a, b, function=_function: function


def write_two(a: Tensor, b: Tensor) -> Tensor:
    """Write one tensor into another."""
    y = a.clone()
    y.mul_(b)
    y.view(-1)[:1].copy_(b.reshape(-1)[:1])
    return y
