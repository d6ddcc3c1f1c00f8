"""One Hessian shared by several processes: products against bytes, and time against one process.

    torchrun --standalone --nproc-per-node 2 benchmarks/distributed_hessian.py --grid 300

On several machines, start it on each with torchrun's --nnodes and --rdzv-endpoint. Without torchrun
it is a group of one rank. The function is the area of a surface over a grid, as in notebook 09, or,
with `--function winding`, one with much work for each variable. All ranks compute the Hessian once
alone and once together; both must be equal bit for bit.
"""

import argparse
import os
import time

import torch
import torch.distributed as dist
from torch.nn.functional import pad

from autodiff_course.sparse import prepare_hessian
from autodiff_course.sparse.distributed import distribute


def area(z):
    sheet = pad(z, (1, 1, 1, 1))
    h = 2 / (len(sheet) - 1)
    p, q = sheet.diff(dim=0) / h, sheet.diff(dim=1) / h
    steep = (p[:, 1:] ** 2 + p[:, :-1] ** 2 + q[1:] ** 2 + q[:-1] ** 2) / 2
    return h**2 * torch.sqrt(1 + steep).sum()


def winding(z, steps=40, reach=3):
    """Do much work for each variable: what one rank saves outweighs what all of them exchange.

    Every point meets all that are at most `reach` away, so there are many products to share; what
    all products have in common, every rank computes for itself.
    """
    y = z
    for _ in range(steps):
        y = torch.sin(y) + 0.1 * z * torch.exp(-y * y)
    total, k = 0, len(z)
    for a in range(reach + 1):
        for b in range(reach + 1):
            total = total + (y[a:, b:] * y[: k - a, : k - b]).sum()
            total = total + (y[a:, : k - b] * y[: k - a, b:]).sum()
    return total


FUNCTIONS = {"area": area, "winding": winding}


def start_group(device):
    if "WORLD_SIZE" not in os.environ:
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
        return torch.device(device)
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    return torch.device(device)


def shortest(function, x, repeats):
    """Return the result, and the shortest times on the clock and of this rank's processor."""
    clock, processor = [], []
    for _ in range(repeats):
        start, used = time.perf_counter(), time.process_time()
        result = function(x)
        clock.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    return result, (min(clock), min(processor))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", type=int, default=300, help="grid points in each direction")
    parser.add_argument("--function", choices=FUNCTIONS, default="area")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = start_group(options.device)
    k, ranks = options.grid, dist.get_world_size()
    random = torch.Generator().manual_seed(0)
    x = torch.rand(k, k, generator=random, dtype=torch.float64).to(device)

    alone = prepare_hessian(FUNCTIONS[options.function], x)
    together = distribute(alone)
    for turn in range(ranks):  # the others wait, so that it has the machine to itself
        if turn == dist.get_rank():
            one, alone_seconds = shortest(alone, x, options.repeats)
        dist.barrier()
    shared, together_seconds = shortest(together, x, options.repeats)
    same = one.data.tobytes() == shared.data.tobytes()
    told = [None] * ranks
    dist.all_gather_object(told, (same, alone_seconds, together_seconds))
    all_same = [one[0] for one in told]
    if dist.get_rank() == 0:
        most = -(-alone.products // ranks)
        received = (ranks - 1) * most * alone.n * 8
        print(f"{alone.n:,} variables, {alone.products} products, {ranks} rank{'s'[: ranks - 1]}")
        print(f"the busiest computes {most} products, each receives {received:,} bytes")
        print(f"the matrix is identical to that of one process: {all(all_same)}")
        # Of the processors that of the busiest rank counts: others may use this machine too.
        for place, kind in enumerate(("on the clock", "of the busiest processor")):
            seconds = [max(one[when][place] for one in told) for when in (1, 2)]
            print(f"{kind}: alone {seconds[0]:.3g} s, together {seconds[1]:.3g} s, ", end="")
            print(f"{seconds[0] / seconds[1]:.2f} times as fast")
    dist.destroy_process_group()
    if not all(all_same):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
