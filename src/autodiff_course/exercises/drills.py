"""Drills: small problems with numbers, a minute each, for pencil and paper.

A drill is a function that makes a problem out of a `random.Random`::

    @drill
    def drill_slope(random):
        \"\"\"The slope of a parabola.\"\"\"
        x = random.randint(-5, 5)
        return Problem(f"What is the slope of x² at x = {x}?", answer=2 * x, why="It is 2x.")

In a notebook ``drill_slope()`` puts a problem, and ``drill_slope(6)`` checks an answer and puts the
next one. The first problem is always the same, so that a notebook's output is; the others are new.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Number
from types import ModuleType

from .comparing import Tolerance, difference, plain, show
from .display import Card
from .judging import has_dots

__all__ = ["Drill", "Problem", "drill", "drills_in"]

_PUT, _RIGHT, _WRONG = ("✎", "#0072B2"), ("✓", "#009E73"), ("✗", "#D55E00")


@dataclass(frozen=True)
class Problem:
    """One problem of a drill.

    Attributes
    ----------
    question : str
        What is asked, with its numbers. Formulas stand between dollars, code between backticks.
    answer : object
        A number, a text, or lists and tuples of them.
    why : str
        How to get there, in one or two sentences with this problem's numbers.
    tolerance : Tolerance
        Three digits are enough, unless said otherwise.
    """

    question: str
    answer: object
    why: str
    tolerance: Tolerance = Tolerance(1e-3, 1e-3)


def drill(function: Callable[[random.Random], Problem]) -> Drill:
    """Make a `Drill` of the function that makes its problems; for use as a decorator."""
    return Drill(function)


def drills_in(module: ModuleType) -> list[Drill]:
    """List the drills of a module, in the order in which it defines them."""
    return [thing for thing in vars(module).values() if isinstance(thing, Drill)]


class Drill:
    """A series of problems: call it without an argument for a problem, with one to answer it.

    Examples
    --------
    >>> @drill
    ... def slope(random):
    ...     x = random.randint(1, 5)
    ...     return Problem(f"The slope of x² at x = {x}?", 2 * x, f"It is 2x = {2 * x}.")
    >>> slope()
    ✎ slope: The slope of x² at x = 4?
    >>> slope(16)
    ✗ Not yet: 16 is not it. Once more: The slope of x² at x = 4?
    >>> str(slope(8)).splitlines()[0]
    '✓ Right. It is 2x = 8.'
    """

    def __init__(self, function: Callable[[random.Random], Problem]) -> None:
        self.name, self.__doc__ = function.__name__, inspect.getdoc(function)
        self._make = function
        self._random = random.Random(0)
        self._problem: Problem | None = None
        self._missed = False
        self._accepted: object = ...  # the answer that was right just now

    def __repr__(self) -> str:
        return f"<Drill {self.name}(answer)>"

    def __call__(self, *values) -> Card:
        """Put the problem or, with an answer, check it and put the next one.

        A wrong answer may be mended once; after that the right one is told. What is no number,
        where one is asked for, does not count as a try, nor does the number that was right just
        now, as when a cell is run twice. Several values are taken as one tuple.
        """
        answer = values[0] if len(values) == 1 else values or ...
        if self._problem is None:
            self._problem = self._make(self._random)
            self._random = random.Random()  # from here on, fresh problems
        problem = self._problem
        if has_dots(answer):
            return Card(*_PUT, f"{self.name}:", problem.question)
        if isinstance(problem.answer, Number) and not isinstance(plain(answer), Number):
            text = f"{show(answer)} is no number, and not counted. {problem.question}"
            return Card(*_PUT, f"{self.name}:", text)
        wrong = difference(answer, problem.answer, problem.tolerance)
        once_more = self._accepted is not ... and not self._missed
        if wrong and once_more and not difference(answer, self._accepted, problem.tolerance):
            text = f"{show(answer)} answered the last one, and is not counted here."
            return Card(*_PUT, f"{self.name}:", f"{text} {problem.question}")
        if wrong and not self._missed:
            self._missed = True
            text = f"{show(answer)} is not it. Once more: {problem.question}"
            return Card(*_WRONG, "Not yet:", text)
        said = f"It is {show(problem.answer)}. {problem.why}" if wrong else problem.why
        self._accepted = ... if wrong else answer
        self._missed, self._problem = False, self._make(self._random)
        look, title = (_WRONG, "Not right.") if wrong else (_RIGHT, "Right.")
        return Card(*look, title, f"{said}\nThe next one: {self._problem.question}")

    def problem(self, seed: int) -> Problem:
        """Make the problem of a seed; 0 is the first one that a reader gets."""
        return self._make(random.Random(seed))
