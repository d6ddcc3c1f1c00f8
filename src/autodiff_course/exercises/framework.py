"""How an exercise is written, and how an answer to it is checked.

An exercise *is* its solution: a plain function, whose docstring is the task. Around it stand the
inputs to try an answer on, the mistakes to recognise, and the hints::

    @exercise
    def square(x):
        \"\"\"Return x squared.\"\"\"
        return x * x

    @square.cases
    def _cases():
        return [case(3.0), case(0.0)]

    @square.mistake("That is twice x.")
    def _doubled(x):
        return 2 * x

    square.add_hints("Multiply x by itself.")

A mistake is a function too: a wrong one. An answer that is wrong in the same way gets its message.
A solution without parameters makes an exercise that asks for a value instead of a function.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import NamedTuple

from .comparing import Tolerance, difference, plain, show
from .display import CheckResult, Hint, Solution
from .running import Raised, Returned, Run, call, run

__all__ = ["Case", "Exercise", "Mistake", "case", "exercise", "exercises_in"]


class Case(NamedTuple):
    """One input on which an answer is tried.

    Attributes
    ----------
    arguments : tuple
        The arguments of the call.
    label : str
        A description of the input, for arguments whose ``repr`` says little.
    too_slow : str
        What to tell the reader of an answer that takes too long on this input.
    """

    arguments: tuple
    label: str = ""
    too_slow: str = "Is there a loop that never ends?"


class Mistake(NamedTuple):
    """A wrong function and what to tell a reader whose answer does the same."""

    function: Callable
    message: str


def case(*arguments, **texts: str) -> Case:
    """Write one input of an exercise as one writes a call.

    Parameters
    ----------
    *arguments
        The arguments of the call.
    **texts
        ``label`` and ``too_slow``, as in `Case`.

    Examples
    --------
    >>> case(2.0, 1.0, label="the point of the figure").arguments
    (2.0, 1.0)
    """
    return Case(arguments, **texts)


def exercise(function: Callable | None = None, **settings):
    """Make an `Exercise` of its solution; for use as a decorator, with or without settings.

    Parameters
    ----------
    function : callable
        The solution. Its docstring is the task.
    **settings
        Those of `Exercise`.

    Examples
    --------
    >>> @exercise(seconds=1.0)
    ... def half(x):
    ...     return x / 2
    >>> half
    <Exercise half(x): check(answer), hint(), solution()>
    """
    if function is None:
        return lambda solution: Exercise(solution, **settings)
    return Exercise(function, **settings)


def exercises_in(module: ModuleType) -> list[Exercise]:
    """List the exercises of a module, in the order in which it defines them.

    Examples
    --------
    >>> from autodiff_course.exercises import ex01
    >>> exercises_in(ex01)[0].name
    'two_derivatives'
    """
    return [thing for thing in vars(module).values() if isinstance(thing, Exercise)]


class Exercise:
    """A task for the reader: `check` an answer, ask for a `hint`, see the `solution`.

    Parameters
    ----------
    reference : callable
        The solution. Without parameters, the exercise asks for the value that it returns.
    needs : str or iterable of str, optional
        Libraries without which an answer cannot be checked, as ``import`` names them.
    seconds : float, optional
        How long an answer may take for all inputs together.
    tolerance : Tolerance, optional
        How far a number may be from the expected one.

    Attributes
    ----------
    name : str
        The name of the solution.
    reference : callable
        The solution.
    mistakes : list of Mistake
        The mistakes that are recognised.
    hints : list of str
        The hints, in the order in which they are given.

    Examples
    --------
    >>> @exercise
    ... def square(x):
    ...     return x * x
    >>> @square.cases
    ... def _cases():
    ...     return [case(3.0), case(0.0)]
    >>> @square.mistake("That is twice x.")
    ... def _doubled(x):
    ...     return 2 * x
    >>> square.check(lambda x: x**2)
    ✓ Right. 2 inputs tried.
    >>> square.check(lambda x: x + x)
    ✗ Not right yet. That is twice x.
        Input     x = 3.0
        Yours     6.0
        Expected  9.0
    """

    def __init__(
        self,
        reference: Callable,
        *,
        needs: str | Iterable[str] = (),
        seconds: float = 5.0,
        tolerance: Tolerance | None = None,
    ) -> None:
        self.reference = reference
        self.name = reference.__name__
        self.mistakes: list[Mistake] = []
        self.hints: list[str] = []
        self.__doc__ = inspect.getdoc(reference)
        self._signature = inspect.signature(reference)
        self._needs = (needs,) if isinstance(needs, str) else tuple(needs)
        self._seconds = seconds
        self._tolerance = tolerance or Tolerance()
        self._make_cases = lambda: [case()]
        self._hints_given = 0

    def __repr__(self) -> str:
        call_form = f"{self.name}{self._signature}" if self.asks_for_function else self.name
        return f"<Exercise {call_form}: check(answer), hint(), solution()>"

    # For the reader

    def check(self, answer=..., *, seconds: float | None = None) -> CheckResult:
        """Say whether an answer is right and, if not, where it goes wrong.

        Parameters
        ----------
        answer : callable or object
            The function, or the value, that the exercise asks for.
        seconds : float, optional
            How long the answer may take, if not as long as the exercise says.

        Returns
        -------
        CheckResult
            Never an exception, whatever the answer does.
        """
        try:
            return self._check(answer, self._seconds if seconds is None else seconds)
        except KeyboardInterrupt:
            return CheckResult("not checked", "The check was interrupted.")
        except BaseException as error:  # a returned object may raise when it is looked at
            what = Raised(type(error), show(error))
            return CheckResult("not checked", f"Your answer could not be compared: {what}")

    def hint(self) -> Hint:
        """Give the next hint; the last one again when there are no more."""
        self._hints_given = min(self._hints_given + 1, len(self.hints))
        return Hint(self.hints[self._hints_given - 1], self._hints_given, len(self.hints))

    def solution(self) -> Solution:
        """Show the source of the function that answers are compared with."""
        value = "" if self.asks_for_function else show(self.reference())
        return Solution(_source(self.reference), value)

    @property
    def stub(self) -> str:
        """What the notebook holds before the reader starts: runs, and counts as not attempted."""
        # "my_": a plain name could hide one that the notebook imports, such as count_paths.
        if self.asks_for_function:
            return f"def my_{self.name}{self._signature}:\n    # your code here\n    return ..."
        value = self.reference()
        dots = f"({', '.join(['...'] * len(value))})" if isinstance(value, tuple) else "..."
        return f"my_{self.name} = {dots}  # your values here"

    @property
    def asks_for_function(self) -> bool:
        """Whether the answer is a function; otherwise it is a value."""
        return bool(self._signature.parameters)

    # For the author

    def cases(self, function: Callable[[], list[Case]]) -> Callable[[], list[Case]]:
        """Decorate the function that makes the inputs: the same ones, but new, at each call.

        The most telling input should come first: it is the one shown when the answer is wrong.
        """
        self._make_cases = function
        return function

    def mistake(self, message: str) -> Callable[[Callable], Callable]:
        """Decorate a wrong function, with what to tell a reader whose answer does the same."""

        def register(function):
            self.mistakes.append(Mistake(function, message))
            return function

        return register

    def add_hints(self, *hints: str) -> None:
        """Add hints, the vaguest first."""
        self.hints += hints

    def outcomes(self, function: Callable) -> list[Returned | Raised]:
        """Call a function of ours, a solution or a mistake, on every input."""
        return [call(function, one.arguments) for one in self._make_cases()]

    def agree(self, one: Returned | Raised, other: Returned | Raised) -> bool:
        """Tell whether two outcomes are the same: equal values, or the same kind of exception."""
        if isinstance(one, Raised) or isinstance(other, Raised):
            return type(one) is type(other) and one.kind is other.kind
        return difference(one.value, other.value, self._tolerance) is None

    # Checking

    def _check(self, answer, seconds):
        missing = self._missing_library()
        if missing:
            return CheckResult("not checked", f"This exercise needs {missing}: install it first.")
        if _has_dots(answer):
            return _not_attempted()
        if not self.asks_for_function:
            return self._check_value(answer)
        complaint = self._complaint_about_call(answer)
        if complaint:
            return CheckResult("wrong", complaint)
        # The truth first: what it imports and warms up is then not on the reader's clock.
        expected = self.outcomes(self.reference)
        tried = run(answer, [one.arguments for one in self._make_cases()], seconds)
        if tried.ended == "interrupted":
            return CheckResult("not checked", f"The check was interrupted.{_leftover(tried)}")
        return self._judge(tried, expected, seconds)

    def _missing_library(self):
        for library in self._needs:
            try:
                importlib.import_module(library)
            except ImportError:
                return library
        return None

    def _check_value(self, answer):
        if callable(answer):
            return CheckResult("wrong", "This exercise asks for a value, not for a function.")
        if answer is None:
            return CheckResult("wrong", "The answer is None. Did you assign a value to it?")
        expected, yours = self.outcomes(self.reference), Returned(answer)
        found = difference(answer, expected[0].value, self._tolerance)
        if not found:
            return CheckResult("right", f"The answer is {show(answer)}.")
        # Neither the expected value nor a sentence that quotes it: they would give it away.
        asked, given = _form(expected[0].value), _form(answer)
        if asked != given:
            general = f"Expected {asked}, got {given}."
        elif found.index:
            general = f"Look again at index {_brackets(found.index)}."
        else:
            general = "That is another value."
        return CheckResult(
            "wrong",
            self._recognise([yours], expected, 0) or general,
            yours=answer,
            index=found.index or None,
            rows=(("Yours", show(answer)),),
        )

    def _complaint_about_call(self, answer):
        """Say what keeps `answer` from being called at all, if anything does."""
        if not callable(answer):
            return (
                f"This exercise asks for a function, but got {show(answer)}. Pass the function "
                f"itself, without calling it: `check(my_{self.name})`."
            )
        try:
            signature = inspect.signature(answer)
        except (TypeError, ValueError):  # some built-in functions do not tell
            return ""
        try:
            signature.bind(*self._make_cases()[0].arguments)
        except TypeError:
            wanted = ", ".join(self._signature.parameters)
            return (
                f"Your function is called as `{self.name}({wanted})`, but its parameters are "
                f"`{signature}`."
            )
        return ""

    def _judge(self, tried: Run, expected, seconds):
        for number, (mine, true) in enumerate(zip(tried.outcomes, expected, strict=False)):
            if not self.agree(mine, true):
                return self._explain(tried.outcomes, expected, number)
        if tried.ended == "timed out":
            return self._too_late(tried, expected, seconds)
        inputs = "input" if len(expected) == 1 else "inputs"
        return CheckResult("right", f"{len(expected)} {inputs} tried.")

    def _too_late(self, tried, expected, seconds):
        number = len(tried.outcomes)
        guess = self._make_cases()[number].too_slow
        message = f"No result after {seconds:g} s. {guess}{_leftover(tried)}"
        return self._wrong(message, number, expected)

    def _explain(self, outcomes, expected, number):
        """Describe the first wrong outcome, which is that of input `number`."""
        mine, true = outcomes[number], expected[number]
        if _is_unwritten(mine):
            return _not_attempted()
        recognised = self._recognise(outcomes, expected, number)
        if isinstance(mine, Raised):
            return self._wrong(recognised or _about(mine), number, expected, _outcome(mine))
        if isinstance(true, Raised):
            general = f"Your function should raise {true.kind.__name__} here."
            return self._wrong(recognised or general, number, expected, _outcome(mine), mine.value)
        found = difference(mine.value, true.value, self._tolerance)
        general = found.message
        if mine.value is None:
            general = "Your function returned None; is a `return` missing?"
        return self._wrong(
            recognised or general, number, expected, _outcome(mine), mine.value, found.index
        )

    def _wrong(self, message, number, expected, shown="", yours=None, index=()):
        given = self._input(number)
        true = expected[number]
        rows = [("Input", given), ("Yours", shown), ("Expected", _outcome(true))]
        if index:
            rows.append(("Index", _brackets(index)))
        return CheckResult(
            "wrong",
            message,
            input=given,
            yours=yours,
            expected=None if isinstance(true, Raised) else true.value,
            index=index or None,
            rows=tuple((label, value) for label, value in rows if value),
        )

    def _input(self, number):
        # Of a new case: the answer may have changed the one that it was given.
        this = self._make_cases()[number]
        pairs = zip(self._signature.parameters, this.arguments, strict=False)
        return this.label or ", ".join(f"{name} = {show(value)}" for name, value in pairs)

    def _recognise(self, outcomes, expected, first_wrong):
        """Return the message of the mistake that explains the outcomes, if one does.

        It must predict the answer's outcome wherever it differs from the truth itself, the first
        wrong outcome among them. The answer may have further faults elsewhere; so of several such
        mistakes the one that predicts the most outcomes is taken.
        """
        best, message = 0, ""
        for mistake in self.mistakes:
            predicted = self.outcomes(mistake.function)
            # After a time-out there are fewer outcomes than inputs.
            hits = [self.agree(*pair) for pair in zip(outcomes, predicted, strict=False)]
            telling = {n for n in range(len(hits)) if not self.agree(predicted[n], expected[n])}
            explains = first_wrong in telling and all(hits[n] for n in telling)
            if explains and sum(hits) > best:
                best, message = sum(hits), mistake.message
        return message


def _not_attempted():
    return CheckResult("not attempted", "Replace the `...` by your answer and run the cell again.")


def _has_dots(value):
    if isinstance(value, (list, tuple)):
        return any(_has_dots(item) for item in value)
    return value is ...


def _is_unwritten(outcome):
    if isinstance(outcome, Raised):
        return issubclass(outcome.kind, NotImplementedError)
    return _has_dots(outcome.value)


def _outcome(outcome):
    return f"raises {outcome}" if isinstance(outcome, Raised) else show(outcome.value)


def _about(raised):
    where = f" In {raised.line}" if raised.line else ""
    if issubclass(raised.kind, RecursionError):
        return f"Your function calls itself without end (RecursionError).{where}"
    return f"Your function raised {raised}.{where}"


def _leftover(tried):
    if tried.stopped:
        return ""
    return " It could not be stopped and still runs: restart the kernel to end it."


def _brackets(index):
    return f"[{', '.join(show(part) for part in index)}]"


def _form(value):
    """Describe the form of a value without giving away what it is."""
    value = plain(value)
    if isinstance(value, list):
        return f"{len(value)} values"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "one number"
    return f"a value of type {type(value).__name__}"


def _source(function):
    """Return the source of a function without its decorators, which are not part of the answer."""
    text = textwrap.dedent(inspect.getsource(function))
    first = ast.parse(text).body[0].lineno  # of the `def`, below the decorators
    return "\n".join(text.splitlines()[first - 1 :]).rstrip()
