"""The inverse of a matrix by gradient descent: `descend` beside other ways, in one run.

Two tables. In the first, every row runs the same algorithm (absolute values, adaptive step, random
restarts with a stale gradient) on the same data, with the same random numbers and the same stop,
and logs value, step, iterate and gradient in every iteration. Rounding differs between the rows,
and this algorithm amplifies it, so the iterations differ; the ratios are therefore of the time per
iteration. In the second, every row minimises the squared error, or inverts directly, from the same
start to the same absolute residual.

The repeats of all rows alternate, and the smallest time of each counts, which other work on the
machine disturbs least. The first time of each row is shown too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from autodiff_course.descent import AdaptiveStep, descend

TARGET = 1e-3
STEP, GROW, SHRINK, SMALLEST, RESTARTS = 0.01, 1.2, 0.5, 1e-10, 10_000

# The order of the draws matters: the matrix, the start, then the shakes of the restarts.
RANDOM = np.random.RandomState(0)
X = RANDOM.rand(3, 3).astype(np.float32)
START = RANDOM.rand(3, 3).astype(np.float32)
SHAKES = 0.1 * RANDOM.randn(RESTARTS, 3, 3).astype(np.float32)
IDENTITY = np.eye(3, dtype=np.float32)
TORCH_X, TORCH_START, TORCH_SHAKES, TORCH_IDENTITY = (
    torch.from_numpy(array) for array in (X, START, SHAKES, IDENTITY)
)


def shaken(y, number, _generator=None):
    return y + y * TORCH_SHAKES[number - 1] / number


def absolute(y):
    return (TORCH_X @ y - TORCH_IDENTITY).abs().sum()


def squared(y):
    return (TORCH_X @ y - TORCH_IDENTITY).square().sum()


def residual(y) -> float:
    """Return the sum of the absolute values of XY - I, in double precision."""
    return float(np.abs(X.astype(np.float64) @ np.asarray(y, np.float64) - IDENTITY).sum())


# --- The same algorithm, four times ---------------------------------------------------------------


def by_descend(replay: bool):
    method = AdaptiveStep(STEP, GROW, SHRINK, SMALLEST, RESTARTS, jump=shaken, stale_restarts=True)
    result = descend(
        absolute,
        TORCH_START,
        method,
        target=TARGET,
        max_iterations=1_000_000,
        replay=replay,
        progress=False,
    )
    return result.iterations, result.iterate


def by_plain_torch():
    log = []
    y = TORCH_START.clone().requires_grad_()
    last = absolute(y)
    last.backward()
    step, restarts, iterations = STEP, 0, 0
    while last.item() >= TARGET:
        with torch.no_grad():
            y -= step * y.grad
        y.grad = None
        value = absolute(y)
        value.backward()
        iterations += 1
        step *= GROW if value.item() < last.item() else SHRINK
        last = value
        log.append((value.item(), step, y.detach().clone(), y.grad.clone()))
        if step < SMALLEST and value.item() >= TARGET:
            restarts += 1
            with torch.no_grad():
                y.copy_(shaken(y, restarts))
            step = STEP
    return iterations, y.detach()


def by_numpy():
    log = []

    def evaluate(y):
        error = X @ y - IDENTITY
        return np.abs(error).sum(), X.T @ np.sign(error)

    y = START
    last, gradient = evaluate(y)
    step, restarts, iterations = np.float32(STEP), 0, 0
    while last >= TARGET:
        y = y - step * gradient
        value, gradient = evaluate(y)
        iterations += 1
        step *= np.float32(GROW if value < last else SHRINK)
        last = value
        log.append((value, step, y, gradient))
        if step < SMALLEST and value >= TARGET:
            restarts += 1
            y = y + y * SHAKES[restarts - 1] / np.float32(restarts)
            step = np.float32(STEP)
    return iterations, y


SAME_ALGORITHM = {
    "descend, replay=True": lambda: by_descend(replay=True),
    "descend": lambda: by_descend(replay=False),
    "plain torch loop": by_plain_torch,
    "bare NumPy, gradient by hand": by_numpy,
}


# --- The squared error, and no descent at all -----------------------------------------------------


def close_enough(y, value, _gradient):
    # Squares add up to at most the square of the sum of the absolute values: while they are larger,
    # there is no need to look.
    return value < TARGET**2 and residual(y) < TARGET


def by_method(method, replay=True):
    result = descend(squared, TORCH_START, method, stop_when=close_enough, replay=replay)
    return result.iterations, result.iterate


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
    return found.nit, found.x.reshape(3, 3)


def by_newton_schulz():
    ones, infinity = TORCH_X.abs().sum(0).max(), TORCH_X.abs().sum(1).max()
    y = TORCH_X.mT / (ones * infinity)
    iterations = 0
    while (residual_now := TORCH_X @ y - TORCH_IDENTITY).abs().sum() >= TARGET:
        y = y - y @ residual_now
        iterations += 1
    return iterations, y


def lbfgs(parameters):
    return torch.optim.LBFGS(parameters, max_iter=1, line_search_fn="strong_wolfe")


SMOOTH = {
    "descend, squared, replay=True": lambda: by_method(AdaptiveStep()),
    "descend, squared": lambda: by_method(AdaptiveStep(), replay=False),
    "descend with torch's L-BFGS": lambda: by_method(lbfgs, replay=False),
    "SciPy's L-BFGS-B, float64": by_scipy,
    "Newton-Schulz": by_newton_schulz,
    "torch.linalg.inv": lambda: (1, torch.linalg.inv(TORCH_X)),
}


# --- Measuring ------------------------------------------------------------------------------------


def measure(runs: dict[str, Callable], repeats: int) -> dict[str, tuple[list[float], int]]:
    """Return the seconds of every repeat and the iterations of every run."""
    table = {name: ([], 0) for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            begin = time.perf_counter()
            iterations, y = run()
            table[name][0].append(time.perf_counter() - begin)
            assert residual(y) < 1.01 * TARGET, f"{name} did not arrive"
            table[name] = table[name][0], iterations
    return table


def show(title: str, table: dict, per_iteration: bool) -> None:
    """Print a table; the ratios are to its first row."""

    def cost(seconds, iterations):
        return min(seconds) / (iterations if per_iteration else 1)

    unit = cost(*next(iter(table.values())))
    print(f"{title}\n")
    print(f"{'':32}{'iterations':>11}{'first':>11}{'best':>11}{'per iteration':>15}{'ratio':>8}")
    for name, (seconds, iterations) in table.items():
        print(
            f"{name:32}{iterations:11,}{seconds[0] * 1e3:8,.1f} ms{min(seconds) * 1e3:8,.1f} ms"
            f"{min(seconds) / iterations * 1e6:12,.1f} µs{cost(seconds, iterations) / unit:8.2f}"
        )
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, NumPy {np.__version__}, {repeats} repeats, one thread\n")
    title = "The sum of absolute values with restarts, to 0.001 (ratio: of the time per iteration)"
    show(title, measure(SAME_ALGORITHM, repeats), per_iteration=True)
    smooth = dict(SMOOTH)
    try:
        import scipy  # noqa: F401
    except ImportError:
        del smooth["SciPy's L-BFGS-B, float64"]
        print("SciPy is not installed: its row is left out.\n")
    title = "The same residual by smooth methods (ratio: of the whole time)"
    show(title, measure(smooth, 10 * repeats), per_iteration=False)


if __name__ == "__main__":
    main()
