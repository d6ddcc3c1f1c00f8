"""Typical wrong answers to the two tests of notebook 02, and what is said of each."""

from __future__ import annotations

import math
import random

from .duals02 import close, first_that_differs, times
from .ex02 import find_transposed, is_dual_pair

# is_dual_pair


def _two_numbers(push, pull, v, u):
    forward = sum(a * b for a, b in zip(u, push(v), strict=True))
    return forward, sum(a * b for a, b in zip(pull(u), v, strict=True))


def _gauss(n):
    return [random.gauss(0.0, 1.0) for _ in range(n)]


def _drawn(push, pull, n, m):
    return _two_numbers(push, pull, _gauss(n), _gauss(m))


@is_dual_pair.mistake("With vectors of ones a transposed square matrix passes: take random ones.")
def _with_ones(push, pull, n, m):
    return close(*_two_numbers(push, pull, [1.0] * n, [1.0] * m))


@is_dual_pair.mistake(
    "Your u equals your v: then a square J and its transpose give the same number. Draw two."
)
def _same_vector(push, pull, n, m):
    v = _gauss(max(n, m))
    return close(*_two_numbers(push, pull, v[:n], v[:m]))


@is_dual_pair.mistake("Always True: then there is nothing that the test could find.")
def _always(push, pull, n, m):
    return True


@is_dual_pair.mistake("One entry of J is compared. A fault in another one goes unseen.")
def _one_entry(push, pull, n, m):
    return close(*_two_numbers(push, pull, [1.0] + [0.0] * (n - 1), [1.0] + [0.0] * (m - 1)))


@is_dual_pair.mistake("True pairs fail: by == two sums in another order differ in the last digits.")
def _exactly(push, pull, n, m):
    return False  # true pairs differ by rounding here, so == never holds


is_dual_pair.add_mistakes(
    "u must not be made from push: draw both.",
    lambda push, pull, n, m: close(*_two_numbers(push, pull, v := _gauss(n), push(v))),
    "v must not be made from pull: draw both.",
    lambda push, pull, n, m: close(*_two_numbers(push, pull, pull(u := _gauss(m)), u)),
    "Jᵀ is not the inverse of J: pull does not undo push. Two numbers are to be compared.",
    lambda push, pull, n, m: all(map(close, pull(push(v := _gauss(n))), v)),
    "A tolerance too wide: rounding leaves 15 digits, and a fault in the seventh passes yours.",
    lambda push, pull, n, m: math.isclose(*_drawn(push, pull, n, m), rel_tol=1e-5, abs_tol=1e-8),
    "A true pair with large numbers fails: its rounding exceeds a tolerance that is only absolute. "
    "Give rel_tol too.",
    lambda push, pull, n, m: abs((two := _drawn(push, pull, n, m))[0] - two[1]) < 1e-9,
    "A true pair with J = 0 fails: beside 0 any rounding is too much for a tolerance that is only "
    "relative. Give abs_tol too.",
    lambda push, pull, n, m: math.isclose(*_drawn(push, pull, n, m), rel_tol=1e-9),
    "The sign counts too: compare the two numbers, not their sizes.",
    lambda push, pull, n, m: close(*map(abs, _drawn(push, pull, n, m))),
)


# find_transposed


@find_transposed.mistake(
    "This is 0 each time. By == that is because rounding differs: right products agree up to "
    "rounding. Without push nothing could tell.",
    sure=False,
)
def _always_the_first(push, candidates):
    return 0


find_transposed.add_mistakes(
    "That is a right one: its product with v is push(v).",
    lambda push, candidates: 1 if find_transposed.reference(push, candidates) == 0 else 0,
)


@find_transposed.mistake("The odd one out is not the wrong one when there are two: ask push.")
def _odd_one_out(push, candidates):
    return next((i for i, one in enumerate(candidates) if candidates.count(one) == 1), None)


_ALIKE = (
    "With ones, or the sum of J·v, a permutation and its transpose look alike: draw v by "
    "random.gauss."
)


_ONE_PLACE = (
    "One unit vector, or one component, compares one column or row: the fault may lie elsewhere."
)


def _picked_unless(agree):
    def answer(push, candidates):
        truth = push(v := _gauss(len(candidates[0])))
        wrong = (i for i, one in enumerate(candidates) if not agree(times(one)(v), truth))
        return next(wrong, None)

    return answer


_EVERY_COMPONENT = (
    "No candidate was picked out. Print times(c, v) beside push(v): every component must agree."
)
for _agree in (
    lambda p, t: any(map(close, p, t)),
    lambda p, t: close(math.hypot(*p), math.hypot(*t)),
):
    find_transposed.add_mistakes(_EVERY_COMPONENT, _picked_unless(_agree))
for _place in (1, -1):
    find_transposed.add_mistakes(
        _ONE_PLACE, _picked_unless(lambda p, t, k=_place: close(p[k], t[k]))
    )


_FOR_THIS_V = (
    "Your v is fixed, or drawn from a few numbers such as 1 and -1, and this Jacobian was made for "
    "it: draw one by random.gauss."
)


def _along(v, otherwise):
    """Answer by a fixed direction, and with a number or None where it finds no difference."""

    def answer(push, candidates):
        n = len(candidates[0])
        found = first_that_differs(push, candidates, v(n))
        return otherwise if found is None else found

    return answer


for _message, _v in (
    (_ALIKE, lambda n: [1.0] * n),
    (_ONE_PLACE, lambda n: [1.0] + [0.0] * (n - 1)),
    (_FOR_THIS_V, lambda n: [1.0 + i for i in range(n)]),
    (_FOR_THIS_V, lambda n: [float(i) for i in range(n)]),
    (_FOR_THIS_V, lambda n: [float(n - i) for i in range(n)]),
    (_FOR_THIS_V, lambda n: [(-1.0) ** i for i in range(n)]),
):
    for _otherwise in (None, 0, -1):
        find_transposed.add_mistakes(_message, _along(_v, _otherwise))


@find_transposed.mistake("The answer is an index, not the matrix itself.")
def _the_matrix(push, candidates):
    return candidates[find_transposed.reference(push, candidates)]
