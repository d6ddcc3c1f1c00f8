"""Typical wrong answers to the exercises of notebook 01; what is said of each stands in ex01."""

import math

from .graphs01 import Node, add_along

# sine


def minus_cosine(x):
    return math.sin(x), -math.cos(x)


def slope_first(x):
    return math.cos(x), math.sin(x)


def cosine(x):
    return math.cos(x), -math.sin(x)


def degrees(x):
    return math.sin(math.radians(x)), math.cos(math.radians(x))


def sine_twice(x):
    return math.sin(x), math.sin(x)


# quotient


def no_minus(x, y):
    return x / y, 1 / y, x / y**2


def y_first(x, y):
    return x / y, -x / y**2, 1 / y


def no_square(x, y):
    return x / y, 1 / y, -x / y


def of_the_product(x, y):
    return x / y, y, x


def no_factor(x, y):
    return x / y, 1 / y, -1 / y**2


def no_value(x, y):
    return 1 / y, -x / y**2


def square_of_all(x, y):
    return x / y, 1 / y, -((x / y) ** 2)


# power


def without_the_power_zero(x, n):
    return x**n, n * x ** (n - 1)


def without_the_power_zero_by_math(x, n):
    return math.pow(x, n), n * math.pow(x, n - 1)


def flat_at_zero(x, n):
    return x**n, n * x ** (n - 1) if x else 0.0


def exponent_stays(x, n):
    return x**n, n * x**n


def factor_lost(x, n):
    return x**n, x ** (n - 1)


def always_a_square(x, n):
    return x**n, 2 * x


def by_the_exponent(x, n):
    return x**n, x**n * math.log(abs(x) or 1.0)


def slope_alone(x, n):
    return n * x ** (n - 1)


def without_brackets(x, n):
    return x**n, n * x**n - 1


def exponent_lost(x, n):
    return x**n, n * x


# sum_over_paths


def last_path(paths):
    return math.prod(paths[-1]) if paths else 0.0


def first_path(paths):
    return math.prod(paths[0]) if paths else 0.0


def adds_along(paths):
    return math.prod(sum(path) for path in paths)


def product_of_all(paths):
    return math.prod(math.prod(path) for path in paths)


def sum_of_all(paths):
    return sum(sum(path) for path in paths)


def product_not_reset(paths):
    derivative, product = 0.0, 1.0
    for path in paths:
        product *= math.prod(path)
        derivative += product
    return derivative


def product_from_zero(paths):
    return 0.0


def last_edge(paths):
    return sum(path[-1] if path else 1.0 for path in paths)


# factored


def multiply_within(stages):
    return sum(math.prod(stage) for stage in stages)


def add_everything(stages):
    return sum(map(sum, stages))


def multiply_everything(stages):
    return math.prod(map(math.prod, stages))


def number_of_paths(stages):
    return math.prod(map(len, stages))


def from_zero(stages):
    return 0.0


# topological_order


def preorder(output):
    order, stack = [], [output]
    while stack:
        node = stack.pop()
        if node not in order:
            order.append(node)
            stack += [operand for operand, _ in node.edges]
    return order


def preorder_reversed(output):
    return preorder(output)[::-1]


def by_distance(output):
    order, queue = [], [output]
    while queue:
        node = queue.pop(0)
        if node not in order:
            order.append(node)
            queue += [operand for operand, _ in node.edges]
    return order[::-1]


# reverse_sweep


def without_slopes(order):
    return add_along(order, lambda adjoint, slope: adjoint)


def without_adjoints(order):
    return add_along(order, lambda adjoint, slope: slope)


def added(order):
    return add_along(order, lambda adjoint, slope: adjoint + slope)


def one_edge_per_operand(order):
    adjoint = dict.fromkeys(order, 0.0)
    adjoint[order[-1]] = 1.0
    for node in reversed(order):
        for operand, slope in dict(node.edges).items():
            adjoint[operand] += adjoint[node] * slope
    return adjoint


def without_the_output(order):
    return dict.fromkeys(order, 0.0) | {order[-1]: 1.0}


def seed_at_the_first(order):
    adjoint = dict.fromkeys(order, 0.0) | {order[0]: 1.0}
    for node in reversed(order):
        for operand, slope in node.edges:
            adjoint[operand] += adjoint[node] * slope
    return adjoint


def ones(order):
    adjoint = dict.fromkeys(order, 1.0)
    for node in reversed(order):
        for operand, slope in node.edges:
            adjoint[operand] += adjoint[node] * slope
    return adjoint


# find_fault


def chain_alone(sweep):
    x = Node(3.0)
    y = x * 2.0
    z = y * 5.0
    adjoint = sweep([x, y, z])
    if adjoint[z] != 1.0:
        return "no seed"
    return "right" if adjoint[x] == 10.0 else "wrong order"


def e_alone(sweep):
    a, b = Node(2.0), Node(1.0)
    c, d = a + b, b + 1.0
    e = c * d
    adjoint = sweep([a, b, c, d, e])
    if adjoint[e] != 1.0:
        return "no seed"
    if adjoint[b] == 5.0:
        return "right"
    return "overwrites" if adjoint[b] else "wrong order"


def zeros_mean_no_seed(sweep):
    x = Node(3.0)
    y = x * x
    w = y * y
    adjoint = sweep([x, y, w, y + w])[x]
    if adjoint in (0.0, 114.0):
        return "right" if adjoint else "no seed"
    return "wrong order" if adjoint == 6.0 else "overwrites"


def trusting(sweep):
    return "right"


# count_paths


def counts_overwritten(source, order):
    count = dict.fromkeys(order, 0) | {order[-1]: 1}
    for node in reversed(order):
        for operand, _ in node.edges:
            count[operand] = count[node]
    return count.get(source, 0)


def rounded(source, order):
    count = {}
    for node in order:
        operands = (count[operand] for operand, _ in node.edges)
        count[node] = 1.0 if node == source else sum(operands, start=0.0)
    return int(count[order[-1]])


def every_input_counts(source, order):
    count = {}
    for node in order:
        operands = (count[operand] for operand, _ in node.edges)
        count[node] = sum(operands) if node.edges else 1
    return count[order[-1]]


def edges(source, order):
    return sum(len(node.edges) for node in order)


def nodes(source, order):
    return len(order)


def edges_out_of_the_source(source, order):
    return sum(operand == source for node in order for operand, _ in node.edges)


def without_repeats(source, order):
    count = {}
    for node in order:
        operands = dict(node.edges)
        count[node] = 1 if node == source else sum(count[operand] for operand in operands)
    return count[order[-1]]


# separate_gradients


def never_cleared(functions, w):
    gradients = []
    for function in functions:
        function(w).backward()
        gradients.append(w.grad.item())
    return gradients


def cleared_once(functions, w):
    w.grad = None
    return never_cleared(functions, w)


def cleared_too_late(functions, w):
    gradients = []
    for function in functions:
        function(w).backward()
        gradients.append(w.grad.item())
        w.grad = None
    return gradients


def values(functions, w):
    return [function(w).item() for function in functions]
