"""Notebook 09's soap film, clocked stage by stage, up to a million unknowns.

    python benchmarks/minimal_surface.py [--grids 30 100 300 1000] [--write]

The functions measured are those of the notebook: this script takes its cells. Each grid starts
from the film of the one before. Newton's method runs until it stops; the other methods get the same
start and as much time. Seconds are those of one processor core, so other work on the machine
matters little; `peak` is the most memory that the process has had. `--write` keeps everything in
the package, as src/autodiff_course/minimal_surface.json, which the notebook shows.
"""

import argparse
import contextlib
import io
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import nbformat
import numpy as np
import torch

HERE = Path(__file__).resolve().parent
NOTEBOOK = HERE.parent / "notebooks" / "09_minimal_surface.ipynb"
NOTES = HERE.parent / "src" / "autodiff_course" / "minimal_surface.json"
LONG_UP_TO = 300  # so far L-BFGS also gets ten times as long

CELLS = (
    "wire-bend",
    "wire-arches",
    "area-code",
    "area-residual",
    "pattern-count",
    "pattern-prepare",
    "newton-solve",
    "newton-code",
    "peers-cost",
    "peers-prices",
    "peers-count",
    "peers-run-scipy",
    "peers-run-descent",
    "cascade-refine",
)


def functions_of_the_notebook():
    cells = {cell.id: cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells}
    names = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for name in CELLS:
            exec(compile(cells[name], f"<cell {name}>", "exec"), names)
    return SimpleNamespace(**names)


class Late(Exception):
    """The time that a method was given is over."""


def in_time(f, method, wire, hessian, start, seconds):
    """Let a method run for so many seconds, and return what it did and the least residual."""

    class Clocked(f.Counter):
        def value_and_gradient(self, x):
            self.look_at_the_clock()
            return super().value_and_gradient(x)

        def product(self, x, v):
            self.look_at_the_clock()
            return super().product(x, v)

        def look_at_the_clock(self):
            if time.process_time() - begin > seconds:
                raise Late

    class Notes(list):
        def append(self, note):
            counter.look_at_the_clock()
            super().append(note)

    counter = Clocked(wire, hessian)
    counter.notes = Notes()
    begin = time.process_time()
    with contextlib.suppress(Late):
        method(counter, start.numpy().ravel().copy())
    least = min((r for _, r in counter.notes), default=f.residual(f.grad(f.area)(start, wire)))
    work = {"gradients": counter.gradients, "products": counter.products, "residual": least}
    return work | {"seconds": time.process_time() - begin}


def peak():
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def measure(f, k, start):
    wire, stages = f.bend(f.arches, k), {}

    def stage(name, function, *arguments, **keywords):
        begin = time.process_time()
        result = function(*arguments, **keywords)
        stages[name] = {"seconds": time.process_time() - begin, "peak": peak()}
        return result

    pattern = stage("pattern", f.hessian_pattern, f.area, start, args=(wire,))
    stage("colouring", f.color, pattern)
    hessian = stage(
        "preparation", f.prepare_hessian, f.area, start, pattern, args=(wire,), check=False
    )
    hessian(start, (wire,))
    f.grad(f.area)(start, wire)
    stage("gradient", f.grad(f.area), start, wire)
    matrix = stage("Hessian", hessian, start, (wire,))
    factors = stage("factors", f.factorise, matrix)
    stage("solve", factors.solve, np.ones(k * k))
    held = {
        "pattern": pattern.data.nbytes + pattern.indices.nbytes + pattern.indptr.nbytes,
        "Hessian": matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes,
        "factors": 12 * factors.nnz,  # a float64 and an int32 for each entry
    }
    del factors, matrix
    begin = time.process_time()
    film, history = f.newton(hessian, start, wire)
    seconds = time.process_time() - begin
    row = {"k": k, "n": k * k, "colours": hessian.products, "steps": len(history) - 1}
    row |= {"peak": peak(), "stages": stages, "bytes": held}
    row["newton"] = {"seconds": seconds, "residuals": history}
    for method in (f.by_lbfgs, f.by_newton_cg, by_descent(f)):
        row[method.__name__] = in_time(f, method, wire, hessian, start, seconds)
    if k <= LONG_UP_TO:
        row["longer"] = in_time(f, f.by_lbfgs, wire, hessian, start, 10 * seconds + 1)
    return film, row


def by_descent(f):
    def by_descent(counter, x):
        f.by_descent(counter, x, most=10**9)

    return by_descent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grids", type=int, nargs="+", default=[30, 100])
    parser.add_argument("--write", action="store_true", help="keep the result for the notebook")
    options = parser.parse_args()
    matplotlib.use("Agg")
    torch.set_num_threads(1)
    f = functions_of_the_notebook()
    film, rows = torch.zeros(options.grids[0], options.grids[0]), []
    measure(f, 20, torch.zeros(20, 20))  # imports, and code compiled at its first use
    for k in options.grids:
        film, row = measure(f, k, f.refine(film, k, f.arches))
        rows.append(row)
        print(json.dumps(row), flush=True)
    if options.write:
        shared = []
        for ranks in ("1", "2"):
            command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
            command += ["--nproc-per-node", ranks, str(HERE / "distributed_hessian.py")]
            command += ["--grid", str(options.grids[-1])]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            shared.append(done.stdout)
        found = {"torch": torch.__version__, "cores": os.cpu_count()}
        NOTES.write_text(json.dumps(found | {"rows": rows, "shared": shared}, indent=1) + "\n")


if __name__ == "__main__":
    main()
