"""Run the sparse engine on random programs beside dense Hessians: `make fuzz`.

Faults are a missed entry, a wrong number, an error where PyTorch has none; they make the status 1.
Surplus entries are counted for each operation, from the programs that consist of it alone.
"""

from __future__ import annotations

import argparse
import collections
import sys
import warnings
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from autodiff_course.sparse import prepare_hessian
from random_programs import Program

POINTS, POINTS_ALONE = 3, 8  # at which dense Hessians are computed
SMALL = 1e-9  # what is smaller, relative to the largest entry, is rounding


@dataclass
class Report:
    """What came of many programs."""

    programs: int = 0
    entries: int = 0
    surplus: int = 0
    not_comparable: int = 0
    inconsistent: int = 0
    faults: list[str] = field(default_factory=list)
    warned: collections.Counter = field(default_factory=collections.Counter)
    alone: dict[str, list[int]] = field(default_factory=dict)


def dense_hessian(program: Program, x: list[torch.Tensor]) -> np.ndarray:
    """Differentiate twice with plain autograd, row by row."""
    x = [t.clone().requires_grad_() for t in x]
    y = program(x)
    n = sum(t.numel() for t in x)
    if not y.requires_grad:
        return np.zeros((n, n))
    options = {"allow_unused": True, "materialize_grads": True}
    gradient = torch.autograd.grad(y, x, create_graph=True, **options)
    rows = []
    for component in torch.cat([g.reshape(-1) for g in gradient]):
        row = [torch.zeros_like(t) for t in x]
        if component.requires_grad:
            row = torch.autograd.grad(component, x, retain_graph=True, **options)
        rows.append(torch.cat([t.reshape(-1) for t in row]))
    return torch.stack(rows).detach().numpy()


class _Watch(TorchDispatchMode):
    """See every operation and change none, as a recording does."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        """Do the operation."""
        return operation(*args, **(kwargs or {}))


def is_consistent(program: Program, points: list, dense: np.ndarray) -> bool:
    """Say whether PyTorch itself gives the same Hessian while somebody watches.

    It does not always: some derivatives then take another formula, which may be wrong in the second
    order.
    """
    with _Watch():
        watched = np.stack([dense_hessian(program, x) for x in points])
    return np.allclose(watched, dense, rtol=1e-6, atol=1e-8 * (np.abs(dense).max() + 1e-2))


def compare(seed: int, report: Report, steps: int | None = None) -> None:
    """Compare one program's sparse Hessian with its dense ones."""
    program = Program.random(seed, steps)
    points = program.points(POINTS_ALONE if len(program.names) == 1 else POINTS, seed)
    try:
        dense = np.stack([dense_hessian(program, x) for x in points])
    except (RuntimeError, NotImplementedError):
        dense = None  # no second derivative in PyTorch
    if dense is None or not np.isfinite(dense).all():
        report.not_comparable += 1
        return
    fault = _fault(program, points, dense, seed, report)
    if fault and not is_consistent(program, points, dense):
        report.inconsistent += 1
    elif fault:
        report.faults.append(f"{fault}: seed {seed}, {program.names} of {program.shapes}")


def _fault(program: Program, points: list, dense: np.ndarray, seed: int, report: Report) -> str:
    """Return what is wrong with the sparse Hessian, and count what is right."""
    report.programs += 1
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            prepared = prepare_hessian(program, points[0])
        found = np.stack([prepared(x).toarray() for x in points])
    except Exception as error:  # whatever it is, PyTorch alone had none
        return f"{type(error).__name__}: {str(error)[:300]}"
    for warning in caught:
        report.warned[str(warning.message)[:100]] += 1
    # Where all terms cancel, only their roundings are left: the numbers in a program are about 1.
    scale = np.abs(dense).max() + 1e-2
    pattern = prepared.pattern.toarray()
    real = (np.abs(dense) > SMALL * scale).any(axis=0)
    surplus = int((pattern & ~real).sum())
    report.entries += int(real.sum())
    report.surplus += surplus
    if len(program.names) == 1:
        counts = report.alone.setdefault(program.names[0], [0, 0, 0])
        for place, number in enumerate((1, int(real.sum()), surplus)):
            counts[place] += number
    if (real & ~pattern).any():
        return f"missed {int((real & ~pattern).sum())} entries"
    if not np.allclose(found, dense, rtol=1e-6, atol=1e-8 * scale):
        return f"wrong by {np.abs(found - dense).max() / scale:.1e}"
    return ""


def main() -> int:
    """Run the programs and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=None, help="by default a fresh one")
    parser.add_argument("--steps", type=int, default=None, help="operations in each program")
    options = parser.parse_args()
    seed = np.random.SeedSequence().entropy % 2**31 if options.seed is None else options.seed
    print(f"{options.programs} programs from seed {seed} on")
    report = Report()
    for number in range(options.programs):
        compare(seed + number, report, options.steps)
    print(f"compared {report.programs}; {report.not_comparable} have no finite dense Hessian")
    print(f"{report.inconsistent} in which PyTorch gives another Hessian while it is watched")
    print(f"entries {report.entries}, surplus {report.surplus}; faults: {len(report.faults)}")
    for text, count in report.warned.most_common():
        print(f"warned {count} times: {text}")
    print("operation alone: programs, entries, surplus (those with any)")
    for name, counts in sorted(report.alone.items(), key=lambda item: -item[1][2]):
        if counts[2]:
            print(f"  {name:34}", *(f"{count:7}" for count in counts))
    print("without surplus:", ", ".join(sorted(n for n, c in report.alone.items() if not c[2])))
    for fault in report.faults:
        print("FAULT", fault)
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
