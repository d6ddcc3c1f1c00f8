"""Time sparse Hessians: this course's engine beside asdex, CasADi and the dense methods.

    python benchmarks/sparse_hessian.py [--sizes 1000 10000] [--problems ...] [--methods ...]
        [--clock processor] [--write]

Each measurement runs in a process of its own, with one thread and a time limit, after the others.
A process first goes through a tiny problem of the same kind, so that imports and compiled code
that is kept on disk are not counted. Then, for the size asked for: `first` is the time from the
function to the first Hessian in CSR (or dense), `each` the shortest time of a further one,
`gradients` is `each` in units of the shortest time of a gradient of the same library, and `peak`
the most memory that the process has had, libraries included. On a machine that others use as well,
`--clock processor` counts the seconds of this process only, in all its threads. Peers that are not
installed are left out: pip install jax asdex casadi. `--write` keeps the numbers beside this
script, from where README's table comes.
"""

import argparse
import functools
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

KEPT = Path(__file__).with_suffix(".json")
PROBLEMS = ("rosenbrock", "arrowhead", "bratu", "surface", "masked")
METHODS = ("ours", "ours compiled", "asdex", "casadi sx", "casadi mx", "dense", "article", "jax")
TINY = 16
DENSE_UP_TO = {"dense": 3000, "jax": 3000, "article": 1000}


# The problems, with the few functions in which torch and jax.numpy differ passed in.


def rosenbrock(x, lib):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def arrowhead(x, lib):
    return ((x[0] * x) ** 2 + x**4).sum()


def bratu(x, lib):
    k = round(x.shape[0] ** 0.5)
    u = x.reshape(k, k)
    stiff = ((u[1:] - u[:-1]) ** 2).sum() + ((u[:, 1:] - u[:, :-1]) ** 2).sum()
    return stiff / 2 - lib.exp(u).sum() / k**2


def surface(x, lib):
    k = round(x.shape[0] ** 0.5)
    u = x.reshape(k, k)
    a, b = u[1:, 1:] - u[:-1, :-1], u[1:, :-1] - u[:-1, 1:]
    return lib.sqrt(1 + (a * a + b * b) * (k * k / 2)).sum() / k**2


def masked(x, lib):
    """The sum of (w * z) x against one target; every fifth weight is active."""
    mask, data = (lib.asarray(part) for part in mask_and_data(x.shape[0]))
    return ((x * mask * data).sum() - 1.0) ** 2


@functools.cache
def mask_and_data(n):
    import numpy as np

    place = np.arange(n)
    return (place % 5 == 0) * 1.0, np.cos(place)


def clock():
    """Read the clock that was asked for, in seconds."""
    processor = os.environ.get("BENCHMARK_CLOCK") == "processor"
    return time.process_time() if processor else time.perf_counter()


FUNCTIONS = {f.__name__: f for f in (rosenbrock, arrowhead, bratu, surface, masked)}


def casadi_problem(name, n, kind):
    import casadi as ca

    x = kind.sym("x", n)
    if name == "rosenbrock":
        f = ca.sumsqr(10 * (x[1:] - x[:-1] ** 2)) + ca.sumsqr(1 - x[:-1])
    elif name == "arrowhead":
        f = ca.sumsqr(x[0] * x) + ca.sum1(x**4)
    elif name == "masked":
        mask, data = mask_and_data(n)
        f = (ca.dot(x, ca.DM(mask * data)) - 1) ** 2
    else:
        k = round(n**0.5)
        u = ca.reshape(x, k, k)
        if name == "bratu":
            f = (ca.sumsqr(u[1:, :] - u[:-1, :]) + ca.sumsqr(u[:, 1:] - u[:, :-1])) / 2
            f = f - ca.sum1(ca.exp(x)) / n
        else:
            a, b = u[1:, 1:] - u[:-1, :-1], u[1:, :-1] - u[:-1, 1:]
            f = ca.sum1(ca.sum2(ca.sqrt(1 + (a * a + b * b) * (n / 2)))) / n
    return x, f


# The methods: each sets up, and returns a function for the Hessian in CSR (or dense), one for the
# gradient, and the number of products with the Hessian.


def by_ours(name, n, compiled=False):
    import torch

    from autodiff_course.sparse import prepare_hessian

    x = torch.from_numpy(point(n))

    def f(x):
        return FUNCTIONS[name](x, torch)

    def gradient():
        inner = x.clone().requires_grad_()
        return torch.autograd.grad(f(inner), inner)[0]

    prepared = prepare_hessian(f, x, compile=compiled)
    return lambda: prepared(x), gradient, prepared.products


def once_by_ours(name, n):
    """One Hessian in one call, its check against autograd included."""
    import torch

    from autodiff_course.sparse import sparse_hessian

    sparse_hessian(lambda x: FUNCTIONS[name](x, torch), torch.from_numpy(point(n)))


def by_asdex(name, n):
    import asdex
    import jax
    import jax.numpy as jnp
    import numpy as np
    import scipy.sparse as sp

    jax.config.update("jax_enable_x64", True)
    x = jnp.asarray(point(n))

    def f(x):
        return FUNCTIONS[name](x, jnp)

    coloring = asdex.hessian_coloring(f, x)
    compressed = asdex.compressed_hessian_from_coloring(f, coloring)
    entries = jax.jit(lambda x: asdex.decompress_data(compressed(x), coloring))
    rows, columns = np.asarray(coloring.sparsity.rows), np.asarray(coloring.sparsity.cols)
    # The order of the entries in CSR, once: faster than asdex's own output as a SciPy matrix.
    order = np.lexsort((columns, rows))
    in_order = bool((order == np.arange(len(order))).all())
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))]).astype(np.int32)
    columns = columns[order].astype(np.int32)

    def hessian():
        data = np.asarray(entries(x))
        return sp.csr_array((data if in_order else data[order], columns, indptr), shape=(n, n))

    gradient = jax.jit(jax.grad(f))
    return hessian, lambda: gradient(x).block_until_ready(), coloring.num_colors


def by_casadi(name, n, kind):
    import casadi as ca
    import numpy as np
    import scipy.sparse as sp

    x, f = casadi_problem(name, n, getattr(ca, kind))
    matrix, slope = ca.hessian(f, x)
    pattern = matrix.sparsity()
    # Compressed columns; the matrix is symmetric.
    indices, indptr = (np.array(p, np.int32) for p in (pattern.row(), pattern.colind()))
    evaluate, data = by_buffer(ca.Function("h", [x], [matrix]), n, len(indices))
    evaluate_gradient, _ = by_buffer(ca.Function("g", [x], [slope]), n, n)

    def hessian():
        evaluate()
        return sp.csr_array((data.copy(), indices, indptr), shape=(n, n))

    return hessian, evaluate_gradient, None


def by_buffer(function, n, size):
    """Return the fastest way to call a CasADi function, and where its result will stand."""
    import numpy as np

    buffer, evaluate = function.buffer()
    at, result = point(n), np.zeros(size)
    buffer.set_arg(0, memoryview(at))
    buffer.set_res(0, memoryview(result))
    # What the buffer points to must live as long as it.
    return lambda keep=(function, buffer, at, result): evaluate(), result


def by_dense(name, n):
    import torch

    x = torch.from_numpy(point(n))
    hessian = torch.func.hessian(lambda x: FUNCTIONS[name](x, torch))
    gradient = torch.func.grad(lambda x: FUNCTIONS[name](x, torch))
    return lambda: hessian(x), lambda: gradient(x), n


def by_jax(name, n):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    x = jnp.asarray(point(n))
    hessian = jax.jit(jax.hessian(lambda x: FUNCTIONS[name](x, jnp)))
    gradient = jax.jit(jax.grad(lambda x: FUNCTIONS[name](x, jnp)))
    at = (lambda: hessian(x).block_until_ready(), lambda: gradient(x).block_until_ready())
    return *at, n


def by_article(name, n):
    """The Hessian by the active weights, written into a dense matrix by two loops."""
    import torch

    if name != "masked":
        raise NotImplementedError
    active = [i for i in range(n) if i % 5 == 0]
    x = torch.from_numpy(point(n))

    def by_active(weights):
        return masked(
            torch.zeros(n, dtype=x.dtype).index_put((torch.tensor(active),), weights), torch
        )

    def hessian():
        small = torch.autograd.functional.hessian(by_active, x[active])
        full = torch.zeros(n, n, dtype=x.dtype)
        for i, row in enumerate(active):
            for j, column in enumerate(active):
                full[row, column] = small[i, j]
        return full

    gradient = torch.func.grad(lambda x: masked(x, torch))
    return hessian, lambda: gradient(x), len(active)


RUN = {
    "ours": by_ours,
    "ours compiled": lambda name, n: by_ours(name, n, compiled=True),
    "asdex": by_asdex,
    "casadi sx": lambda name, n: by_casadi(name, n, "SX"),
    "casadi mx": lambda name, n: by_casadi(name, n, "MX"),
    "dense": by_dense,
    "jax": by_jax,
    "article": by_article,
}


def point(n):
    import numpy as np

    return np.random.default_rng(0).uniform(0.5, 1.5, n)


def shortest(function, repeats, seconds=3.0):
    times, stop = [], clock() + seconds
    while len(times) < repeats and (not times or clock() < stop):
        start = clock()
        function()
        times.append(clock() - start)
    return min(times)


def measure(method, name, n):
    RUN[method](name, TINY)[0]()
    if method == "ours":
        once_by_ours(name, TINY)
        start = clock()
        once_by_ours(name, n)
        first = clock() - start
    start = clock()
    hessian, gradient, products = RUN[method](name, n)
    hessian()
    if method != "ours":
        first = clock() - start
    gradient()
    each = shortest(hessian, 15)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "first": first,
        "each": each,
        "gradient": shortest(gradient, 15),
        "products": products,
        "peak": peak,
    }


def run_apart(method, name, n, limit):
    """Measure in a process of its own; return the result, or why there is none."""
    if n > DENSE_UP_TO.get(method, n):
        return "too large"
    command = [sys.executable, __file__, "--measure", method, name, str(n)]
    one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    one["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    one["JAX_PLATFORMS"] = "cpu"
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit, env=os.environ | one
        )
    except subprocess.TimeoutExpired:
        return f"no answer in {limit:g} s"
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"ended with {done.returncode}"]
        kind = last[0].split(":")[0]
        return {"ModuleNotFoundError": "not installed", "NotImplementedError": ""}.get(
            kind, last[0]
        )
    return json.loads(done.stdout.splitlines()[-1])


def row(method, name, n, found):
    if isinstance(found, str):
        return f"| {name} | {n:,} | {method} | | {found} | | | |"
    products = found["products"] if found["products"] is not None else ""
    return (
        f"| {name} | {n:,} | {method} | {products} | {found['first']:.3g} s | "
        f"{found['each'] * 1e3:.3g} ms | {found['each'] / found['gradient']:.2g} | "
        f"{found['peak']:.0f} MB |"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=PROBLEMS)
    parser.add_argument(
        "--methods", nargs="+", choices=METHODS, default=[*METHODS[:1], *METHODS[2:]]
    )
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for one measurement")
    parser.add_argument("--clock", choices=("wall", "processor"), default="wall")
    parser.add_argument("--write", action="store_true", help="keep the numbers in a file")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        method, name, n = options.measure
        print(json.dumps(measure(method, name, int(n))))
        return
    os.environ["BENCHMARK_CLOCK"] = options.clock
    kept = []
    print("| problem | n | method | products | first | each | gradients | peak |")
    print("|---|---|---|---|---|---|---|---|")
    for name in options.problems:
        for n in options.sizes if name != "masked" else [1000]:
            if name in ("bratu", "surface"):
                n = round(n**0.5) ** 2
            for method in options.methods:
                found = run_apart(method, name, n, options.limit)
                if found not in ("", "too large", "not installed"):
                    print(row(method, name, n, found), flush=True)
                    found = {"why": found} if isinstance(found, str) else found
                    kept.append({"problem": name, "n": n, "method": method} | found)
    if options.write:
        lines = ",\n".join(json.dumps(one) for one in kept)
        KEPT.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
