"""Notebook 09's soap film, clocked stage by stage, up to a million unknowns.

    python benchmarks/minimal_surface.py [--grids 30 100 300 1000] [--write]
    python benchmarks/minimal_surface.py --multigrid 100 300 1000 2000 [--write]

The functions measured are those of the notebook: this script takes its cells. Each grid starts
from the film of the one before. Newton's method runs until it stops; the other methods get the same
start and as much time. Seconds are those of one processor core, so other work on the machine
matters little; `peak` is the most memory that the process has had. `--multigrid` solves one Newton
system on each grid, without factors, in a process of its own. `--write` keeps what was measured in
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

import autodiff_course

HERE = Path(__file__).resolve().parent
NOTEBOOK = HERE.parent / "notebooks" / "09_minimal_surface.ipynb"
NOTES = HERE.parent / "src" / "autodiff_course" / "minimal_surface.json"
LONG_UP_TO = 300  # so far L-BFGS also gets ten times as long, and CG is tried without help

CELLS = (
    "wire-bend",
    "wire-arches",
    "area-check",
    "area-residual",
    "pattern-predicted",
    "pattern-prepare",
    "newton-solve",
    "newton-code",
    "peers-prices",
    "peers-run-descent",
    "cascade-refine",
    "grid-solve",
)


def functions_of_the_notebook():
    cells = {cell.id: cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells}
    # No answers to the exercises: the notebook then takes the course's own.
    names = dict.fromkeys(("my_film_area", "my_coupled", "my_line_search"), ...)
    names["autodiff_course"] = autodiff_course
    with contextlib.redirect_stdout(io.StringIO()):
        for name in CELLS:
            exec(compile(cells[name], f"<cell {name}>", "exec"), names)
    return SimpleNamespace(**names)


class Late(Exception):
    """The time that a method was given is over."""


def in_time(f, method, wire, hessian, start, seconds):
    """Let a method run for so many seconds, and return what it did and the least residual."""

    class Clocked(f.Counter):
        def value_and_gradient(self, z):
            self.look_at_the_clock()
            return super().value_and_gradient(z)

        def product(self, z, vector):
            self.look_at_the_clock()
            return super().product(z, vector)

        def look_at_the_clock(self):
            if time.process_time() - begin > seconds:
                raise Late

    class Notes(list):
        def append(self, note):
            counter.look_at_the_clock()
            super().append(note)

    counter = Clocked(hessian, (wire,), f.residual, f.PRICES)
    counter.notes = Notes()
    begin = time.process_time()
    with contextlib.suppress(Late):
        method(counter, start, f.GOAL)
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
    def by_descent(counter, z, goal):
        f.by_descent(counter, z, goal, most=10**9)

    return by_descent


def solve_without_factors(k):
    """Solve the first Newton system on a grid by conjugate gradients, from a film of a coarser."""
    f = functions_of_the_notebook()
    film = torch.zeros(25, 25)
    for coarse in (25, 50, 100):
        film = f.refine(film, coarse, f.arches)
        film, _ = f.newton(f.prepare(coarse), film, f.bend(f.arches, coarse))
    start, wire = f.refine(film, k, f.arches), f.bend(f.arches, k)
    prepared = f.prepare_hessian(f.area, start, args=(wire,), check=False)
    _, g, matrix = prepared.value_gradient_hessian(start, (wire,))
    matrix, right = matrix.tocsr(), -g.numpy().ravel()
    row = {"k": k, "n": k * k, "before": peak()}
    begin = time.process_time()
    multigrid = f.coarser(matrix)
    row["setup"], begin = time.process_time() - begin, time.process_time()
    _, row["passes"] = f.by_cg(matrix, right, multigrid)
    row["seconds"], row["peak"] = time.process_time() - begin, peak()
    if k <= LONG_UP_TO:
        _, row["plain"] = f.by_cg(matrix, right)
    return row


def measure_stages(grids):
    f = functions_of_the_notebook()
    film, rows = torch.zeros(grids[0], grids[0]), []
    measure(f, 20, torch.zeros(20, 20))  # imports, and code compiled at its first use
    for k in grids:
        film, row = measure(f, k, f.refine(film, k, f.arches))
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


def keep(**found):
    """Put what was found beside what other runs have kept."""
    kept = json.loads(NOTES.read_text()) if NOTES.exists() else {}
    NOTES.write_text(json.dumps(kept | found, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grids", type=int, nargs="+", default=[30, 100])
    parser.add_argument("--multigrid", type=int, nargs="+", help="solve on these only")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)  # of --multigrid, in a process
    parser.add_argument("--write", action="store_true", help="keep the result for the notebook")
    options = parser.parse_args()
    matplotlib.use("Agg")
    torch.set_num_threads(1)
    if options.one:
        print(json.dumps(solve_without_factors(options.one)))
    elif options.multigrid:
        rows = []
        for k in options.multigrid:
            command = [sys.executable, __file__, "--one", str(k)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            rows.append(json.loads(done.stdout))
            print(done.stdout, end="", flush=True)
            if options.write:
                keep(multigrid=rows)
    else:
        rows = measure_stages(options.grids)
        if options.write:
            found = {"torch": torch.__version__, "cores": os.cpu_count()}
            keep(**found, rows=rows)


if __name__ == "__main__":
    main()
