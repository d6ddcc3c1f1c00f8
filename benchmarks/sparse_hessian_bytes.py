"""Count the bytes that one Hessian moves, and how long that takes at the speed of memory.

    python benchmarks/sparse_hessian_bytes.py [--sizes 100000] [--problems ...]

Eager PyTorch reads and writes memory in each operation, so what it moves is a floor under its time.
Counted are the bytes that the operations of one Hessian read and write (a view moves none, a
broadcast number counts once), the entries' way into CSR included; `passes` is that in units of 8 n
bytes for each product. The floor is the time of so many bytes at the speed at which this machine
adds two large vectors. Time is that of this process's processor, in one thread.
"""

import argparse
import time

import torch
from sparse_hessian import FUNCTIONS, PROBLEMS, point
from torch.utils._python_dispatch import TorchDispatchMode

from autodiff_course.sparse import prepare_hessian


class Bytes(TorchDispatchMode):
    """Count what operations read and write."""

    moved = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        outputs = found if isinstance(found, (list, tuple)) else [found]
        if not function.is_view:
            flat = torch.utils._pytree.tree_leaves((args, kwargs, outputs))
            self.moved += sum(size_of(part) for part in flat if isinstance(part, torch.Tensor))
        return found


def size_of(tensor):
    """Return the bytes that a tensor has in memory: those of a repeated number once."""
    pairs = zip(tensor.shape, tensor.stride(), strict=True)
    elements = 1
    for size, stride in pairs:
        elements *= size if stride else 1
    return elements * tensor.element_size()


def shortest(function, repeats=15):
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def bytes_per_second(n):
    """Measure how many bytes a second an addition of vectors of n numbers moves."""
    a, b = torch.ones(n, dtype=torch.float64), torch.ones(n, dtype=torch.float64)
    return 3 * 8 * n / shortest(lambda: torch.add(a, b, out=a))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000])
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=PROBLEMS[:-1])
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| problem | n | products | bytes moved | passes | floor | each |")
    print("|---|---|---|---|---|---|---|")
    for name in options.problems:
        for n in options.sizes:
            n = round(n**0.5) ** 2 if name in ("bratu", "surface") else n
            print(row(name, torch.from_numpy(point(n))), flush=True)


def row(name, x):
    n = len(x)
    hessian = prepare_hessian(lambda x: FUNCTIONS[name](x, torch), x)
    hessian(x)
    with Bytes() as count:
        hessian(x)
    floor = count.moved / bytes_per_second(n)
    passes = count.moved / (8 * n * hessian.products)
    return (
        f"| {name} | {n:,} | {hessian.products} | {count.moved / 1e6:.3g} MB | {passes:.3g} | "
        f"{floor * 1e3:.3g} ms | {shortest(lambda: hessian(x)) * 1e3:.3g} ms |"
    )


if __name__ == "__main__":
    main()
