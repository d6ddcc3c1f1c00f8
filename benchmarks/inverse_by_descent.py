"""The inverse of a matrix by gradient descent: `descend` beside other ways, in one run.

Three tables. In the first, every row takes Polyak's step on the sum of absolute values and keeps
values, steps, iterates and gradients. Rounding differs between the rows, so the iterations differ
a little. In the second, every row minimises the
squared error, or inverts directly, from the same start to the same absolute residual. The third has
the article's own loop, with its restarts, beside the first row of the first.

The repeats of all rows alternate, and the smallest time of each counts, which other work on the
machine disturbs least. The first time of each row is shown too. Ratios are to bare NumPy with
Polyak's step, the gradient by hand: of the whole time, and of the time per iteration. Evaluations
are of a value with its gradient.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from autodiff_course.descent import AdaptiveStep, PolyakStep, descend

TARGET = 1e-3
STEP, GROW, SHRINK, SMALLEST, RESTARTS = 0.01, 1.2, 0.5, 1e-10, 10_000

# The order of the draws matters: the matrix, the start, then the shakes of the restarts.
RANDOM = np.random.RandomState(0)
X = RANDOM.rand(3, 3).astype(np.float32)
START = RANDOM.rand(3, 3).astype(np.float32)
SHAKES = 0.1 * RANDOM.randn(RESTARTS, 3, 3).astype(np.float32)
IDENTITY = np.eye(3, dtype=np.float32)
TORCH_X, TORCH_START, TORCH_IDENTITY = (torch.from_numpy(array) for array in (X, START, IDENTITY))


def absolute(y):
    return (TORCH_X @ y - TORCH_IDENTITY).abs().sum()


def squared(y):
    return (TORCH_X @ y - TORCH_IDENTITY).square().sum()


def residual(y) -> float:
    """Return the sum of the absolute values of XY - I, in double precision."""
    return float(np.abs(X.astype(np.float64) @ np.asarray(y, np.float64) - IDENTITY).sum())


# --- The same algorithm, three times --------------------------------------------------------------


def by_descend(keep=True):
    result = descend(absolute, TORCH_START, PolyakStep(), target=TARGET, keep=keep)
    return result.iterations, result.evaluations, result.iterate


def by_plain_torch():
    log, y = [], TORCH_START.clone().requires_grad_()
    while True:
        value = absolute(y)
        (gradient,) = torch.autograd.grad(value, y)
        error = value.item()
        log.append((error, y.detach(), gradient))
        if error < TARGET:
            return len(log) - 1, len(log), y.detach()
        step = error / gradient.square().sum().item()
        y = (y.detach() - step * gradient).requires_grad_()


def numpy_evaluation(y):
    error = X @ y - IDENTITY
    return np.abs(error).sum(), X.T @ np.sign(error)


def by_numpy():
    log, y = [], START
    while True:
        value, gradient = numpy_evaluation(y)
        log.append((value, y, gradient))
        if value < TARGET:
            return len(log) - 1, len(log), y
        y = y - value / (gradient * gradient).sum() * gradient


SAME_ALGORITHM = {
    "descend": by_descend,
    "descend, keep=False": lambda: by_descend(keep=False),
    "plain torch loop": by_plain_torch,
    "bare NumPy, gradient by hand": by_numpy,
}


# --- The article's loop ---------------------------------------------------------------------------


def by_article():
    log, y = [], START
    last, gradient = numpy_evaluation(y)
    step, restarts = np.float32(STEP), 0
    while last >= TARGET:
        y = y - step * gradient
        value, gradient = numpy_evaluation(y)
        step *= np.float32(GROW if value < last else SHRINK)
        last = value
        log.append((value, step, y, gradient))
        if step < SMALLEST and value >= TARGET:
            y = y + y * SHAKES[restarts] / np.float32(restarts + 1)
            restarts, step = restarts + 1, np.float32(STEP)
    return len(log), len(log) + 1, y


ARTICLE = {"descend, Polyak's step": by_descend, "the article's loop in NumPy": by_article}


# --- The squared error, and no descent at all -----------------------------------------------------


def close_enough(y, value, _gradient):
    # Squares add up to at most the square of the sum of the absolute values: while they are larger,
    # there is no need to look.
    return value < TARGET**2 and residual(y) < TARGET


def by_method(method):
    result = descend(squared, TORCH_START, method, stop_when=close_enough)
    return result.iterations, result.evaluations, result.iterate


def by_scipy():
    from scipy.optimize import minimize

    def value_and_gradient(flat):
        y = torch.from_numpy(flat.reshape(3, 3)).requires_grad_()
        value = (TORCH_X.double() @ y - TORCH_IDENTITY).square().sum()
        (gradient,) = torch.autograd.grad(value, y)
        return value.item(), gradient.numpy().ravel()

    def stop(intermediate_result):
        if residual(intermediate_result.x.reshape(3, 3)) < TARGET:
            raise StopIteration

    start = START.astype(np.float64).ravel()
    options = {"ftol": 0, "gtol": 0}
    found = minimize(
        value_and_gradient, start, jac=True, method="L-BFGS-B", callback=stop, options=options
    )
    return found.nit, found.nfev, found.x.reshape(3, 3)


def by_newton_schulz():
    ones, infinity = TORCH_X.abs().sum(0).max(), TORCH_X.abs().sum(1).max()
    y = TORCH_X.mT / (ones * infinity)
    iterations = 0
    while (residual_now := TORCH_X @ y - TORCH_IDENTITY).abs().sum() >= TARGET:
        y = y - y @ residual_now
        iterations += 1
    return iterations, 0, y


def lbfgs(parameters):
    return torch.optim.LBFGS(parameters, max_iter=1, max_eval=25, line_search_fn="strong_wolfe")


SMOOTH = {
    "descend, squared": lambda: by_method(AdaptiveStep()),
    "descend with torch's L-BFGS": lambda: by_method(lbfgs),
    "SciPy's L-BFGS-B, float64": by_scipy,
    "Newton-Schulz": by_newton_schulz,
    "torch.linalg.inv": lambda: (1, 0, torch.linalg.inv(TORCH_X)),
}


# --- Measuring ------------------------------------------------------------------------------------


def measure(runs: dict[str, Callable], repeats: int) -> dict[str, tuple[list[float], int, int]]:
    """Return the seconds of every repeat, the iterations and the evaluations of every run."""
    table = {name: ([], 0, 0) for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            begin = time.perf_counter()
            iterations, evaluations, y = run()
            table[name][0].append(time.perf_counter() - begin)
            assert residual(y) < 1.01 * TARGET, f"{name} did not arrive"
            table[name] = table[name][0], iterations, evaluations
    return table


def show(title: str, table: dict, unit: tuple[float, int]) -> None:
    """Print a table; `unit` has the seconds and the iterations of bare NumPy."""
    print(f"{title}\n")
    print(f"{'':30}{'iterations':>11}{'evaluations':>12}{'first':>12}{'best':>12}", end="")
    print(f"{'whole / NumPy':>15}{'iteration / NumPy':>19}")
    for name, (seconds, iterations, evaluations) in table.items():
        best = min(seconds)
        each = best / iterations / (unit[0] / unit[1])
        print(
            f"{name:30}{iterations:11,}{evaluations or '-':>12}{seconds[0] * 1e3:9,.1f} ms"
            f"{best * 1e3:9,.1f} ms{best / unit[0]:15.3f}{each:19.2f}"
        )
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, NumPy {np.__version__}, {repeats} repeats, one thread\n")
    same = measure(SAME_ALGORITHM, repeats)
    seconds, iterations, _ = same["bare NumPy, gradient by hand"]
    unit = min(seconds), iterations
    show("The sum of absolute values by Polyak's step, to 0.001", same, unit)
    smooth = dict(SMOOTH)
    try:
        import scipy  # noqa: F401
    except ImportError:
        del smooth["SciPy's L-BFGS-B, float64"]
        print("SciPy is not installed: its row is left out.\n")
    show("The same residual by smooth methods", measure(smooth, 10 * repeats), unit)
    show("With the article's restarts or without", measure(ARTICLE, repeats), unit)


if __name__ == "__main__":
    main()
