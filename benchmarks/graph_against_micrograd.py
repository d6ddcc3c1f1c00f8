"""Time the same expressions and their gradients in this course's Scalar and in micrograd's Value.

Both run alternately, in this one process, so that what disturbs the machine disturbs both. A time
is the median over the repeats of one complete round: make the inputs, evaluate the expression, get
every gradient. The ratio is the median of the ratios of neighbouring rounds; below 1, Scalar is the
faster. The gradients are compared before anything is timed.
"""

import argparse
import gc
import math
import random
import statistics
import sys
import time

from autodiff_course.graph import Scalar, count_operations, gradient

try:
    from micrograd.engine import Value
except ImportError:
    sys.exit("This benchmark needs micrograd: run  pip install -e '.[benchmarks]'")


# Expressions: each takes a list of inputs of either kind and uses only what micrograd has.


def wide_sum(inputs):
    total = inputs[0]
    for x in inputs[1:]:
        total = total + x
    return total


def balanced_sum_of_squares(inputs):
    terms = [x * x for x in inputs]
    while len(terms) > 1:
        terms = [x + y for x, y in zip(terms[::2], terms[1::2], strict=True)]
    return terms[0]


def chain(inputs):
    (x,) = inputs
    y = x
    for _ in range(CHAIN):
        y = y * 0.999 + 0.001
    return y


# micrograd's backward recurses once per node, and Python stops at about 1000 levels.
CHAIN = 300


def network(inputs):
    """Apply two layers of relu neurons and an output neuron; the inputs are all its weights."""
    signals, unused = [0.5, -1.0, 2.0, 0.25, -0.75, 1.5, -0.1, 1.0], iter(inputs)
    for neurons in WIDTHS:
        layer = []
        for _ in range(neurons):
            activation = next(unused)
            for signal in signals:
                activation = activation + next(unused) * signal
            layer.append(activation.relu())
        signals = layer
    return signals[0]


WIDTHS = (16, 16, 1)
WEIGHTS = sum(neurons * (fan_in + 1) for fan_in, neurons in zip((8, *WIDTHS), WIDTHS, strict=False))


def reuse(inputs):
    """Use each intermediate result several times."""
    x, y = inputs
    for _ in range(60):
        x, y = (x * y + x) * 0.5, (x - y) * (x + y) * 0.25 + y
    return x * y


def rational(inputs):
    """Mix every operation that micrograd has."""
    total = 0.0
    for x in inputs:
        total = total + (x**2 + 1) / (x * 3 - 7) - (2 - x).relu() ** 3 + (-x) / (x * x + 1)
    return total


CASES = [
    ("sum of 10", wide_sum, 10),
    ("sum of 300", wide_sum, 300),
    ("balanced sum of 16 squares", balanced_sum_of_squares, 16),
    ("balanced sum of 1024 squares", balanced_sum_of_squares, 1024),
    (f"chain of {2 * CHAIN} operations", chain, 1),
    ("network 8-16-16-1", network, WEIGHTS),
    ("results reused, 60 rounds", reuse, 2),
    ("all operations, 1 input", rational, 1),
    ("all operations, 30 inputs", rational, 30),
]


def scalar_round(function, values):
    inputs = [Scalar(value) for value in values]
    return gradient(function(inputs), inputs)


def value_round(function, values):
    inputs = [Value(value) for value in values]
    function(inputs).backward()
    return tuple(x.grad for x in inputs)


def seconds(work, function, values, loops):
    start = time.perf_counter()
    for _ in range(loops):
        work(function, values)
    return (time.perf_counter() - start) / loops


def measure(function, values, repeats):
    """Return the median time of each and the median ratio of neighbouring rounds."""
    one = seconds(value_round, function, values, loops=1)
    loops = max(1, math.ceil(0.002 / one))  # long enough for the clock
    pairs = []
    gc.collect()
    for i in range(repeats):
        works = [scalar_round, value_round]
        if i % 2:  # neither always comes first
            works.reverse()
        times = {work: seconds(work, function, values, loops) for work in works}
        pairs.append((times[scalar_round], times[value_round]))
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    return ours, theirs, statistics.median(x / y for x, y in pairs)


def check_gradients(name, function, values):
    ours, theirs = scalar_round(function, values), value_round(function, values)
    # micrograd visits the nodes of a set in another order, and computes x / y as x * y ** -1.
    same = all(
        math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-12) for x, y in zip(ours, theirs, strict=True)
    )
    if not same:
        sys.exit(f"{name}: the gradients differ")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=101, help="rounds of each (default: 101)")
    repeats = parser.parse_args().repeats
    generator = random.Random(0)
    print(f"{'expression':30} {'operations':>10} {'Scalar':>11} {'micrograd':>11} {'ratio':>6}")
    ratios = []
    for name, function, number in CASES:
        values = [generator.uniform(-1.0, 1.0) for _ in range(number)]
        check_gradients(name, function, values)
        operations = count_operations(function([Scalar(value) for value in values])).operations
        ours, theirs, ratio = measure(function, values, repeats)
        ratios.append(ratio)
        times = f"{ours * 1e6:8.1f} µs {theirs * 1e6:8.1f} µs"
        print(f"{name:30} {operations:10} {times} {ratio:6.2f}")
    mean = statistics.geometric_mean(ratios)
    print(f"Gradients agree. Geometric mean of the ratios {mean:.2f}, largest {max(ratios):.2f}.")


if __name__ == "__main__":
    main()
