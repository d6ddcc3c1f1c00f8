"""How an exercise is written, and how an answer to it is checked.

An exercise *is* its solution: a plain function, whose docstring is the task. Around it stand the
inputs to try an answer on, the mistakes to recognise, the way that is asked, and the hints::

    @exercise(minutes=3, insight="A power is a product.", next_try="Cube it.")
    def square(x):
        \"\"\"Return x squared.\"\"\"
        return x * x

    @square.cases  # the smallest first: the first one that goes wrong is shown
    def _():
        return [case(0.0), case(3.0)]

    @square.random_cases  # beside them, new at each check, so that no accident passes
    def _(random):
        return [case(random.uniform(-5.0, 5.0))]

    @square.mistake("That is twice x.")  # said of an answer that gives what this function gives
    def _doubled(x):
        return 2 * x

    @square.method("Multiply: do not call `pow`.")  # asked once the values are right
    def _(call):
        return not call.calls_of("pow")

    square.add_hints("Multiply x by itself.")

Short mistakes may be added as a list, by `Exercise.add_mistakes`. A solution without parameters
makes an exercise that asks for a value instead of a function. How an answer is called is told in
`autodiff_course.exercises.running`, how it is judged in `autodiff_course.exercises.judging`.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import random
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from types import ModuleType

from . import record
from ._values import complaint_about_value, written_out
from .comparing import Tolerance, difference, plain, show
from .display import CheckResult, Hint, Solution, Task
from .judging import Call, Case, Judge, Method, Mistake, has_dots, is_perhaps
from .nearly import nearly
from .running import Raised, Returned, TimedOut, limited, world_kept

__all__ = ["Call", "Case", "Exercise", "case", "exercise", "exercises_in"]


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


def exercise(function: Callable | None = None, *, kind: type[Exercise] | None = None, **settings):
    """Make an `Exercise` of its solution; for use as a decorator, with or without settings.

    Parameters
    ----------
    function : callable
        The solution. Its docstring is the task.
    kind : type, optional
        A kind of `Exercise` that judges in a way of its own.
    **settings
        Those of `Exercise`.

    Examples
    --------
    >>> @exercise(seconds=1.0)
    ... def half(x):
    ...     return x / 2
    >>> half
    <Exercise half(x): task, check(answer), hint(), solution(), use(answer)>
    """
    make = partial(kind or Exercise, **settings)
    return make if function is None else make(function)


def exercises_in(module: ModuleType) -> list[Exercise]:
    """List the exercises of a module, in the order in which it defines them.

    Examples
    --------
    >>> from autodiff_course.exercises import ex01
    >>> len(exercises_in(ex01)) > 3
    True
    """
    return [thing for thing in vars(module).values() if isinstance(thing, Exercise)]


class Exercise:
    """A task for the reader: `check` an answer, ask for a `hint`, see the `solution`, `use` it.

    Parameters
    ----------
    reference : callable
        The solution. Without parameters, the exercise asks for the value that it returns.
    needs : str or iterable of str, optional
        Libraries without which an answer cannot be checked, as ``import`` names them.
    seconds : float, optional
        How long an answer may take for all inputs together, comparison and printing included.
    tolerance : Tolerance, optional
        How far a number may be from the expected one.
    minutes : float, optional
        How long a reader is expected to need.
    insight, next_try : str, optional
        What is said after "Right": one sentence of insight, and what to try next.
    uses : str, optional
        The imports that an answer may build on. The notebook has them above the exercise.
    form : str, optional
        What kind of value is asked for, to be told where the answer is of another kind.
    near : str, optional
        What is said of a wrong answer whose numbers are within a hundredth of the true ones, as a
        difference quotient's are.

    Attributes
    ----------
    name : str
        The name of the solution.
    mistakes : list of Mistake
        The mistakes that are recognised.
    hints : list of str
        The hints, in the order in which they are given.

    Examples
    --------
    >>> @exercise(insight="A power is a product.")
    ... def square(x):
    ...     return x * x
    >>> @square.cases
    ... def _cases():
    ...     return [case(3.0), case(0.0)]
    >>> @square.mistake("That is twice x.")
    ... def _doubled(x):
    ...     return 2 * x
    >>> square.check(lambda x: x**2)
    ✓ Right. 2 inputs tried. A power is a product.
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
        minutes: float = 5,
        insight: str = "",
        next_try: str = "",
        uses: str = "",
        form: str = "",
        near: str = "",
    ) -> None:
        self.reference = reference
        self.name = reference.__name__
        self.minutes, self.insight, self.next_try = minutes, insight, next_try
        self._form, self._near = form, near
        self.uses = textwrap.dedent(uses).strip()
        self.mistakes: list[Mistake] = []
        self.methods: list[Method] = []
        self.hints: list[str] = []
        self.__doc__ = inspect.getdoc(reference)
        self._signature = inspect.signature(reference)
        self._needs = (needs,) if isinstance(needs, str) else tuple(needs)
        self._seconds = seconds
        self.tolerance = tolerance or Tolerance()
        self._fixed_cases = lambda: [case()]
        self._random_cases = lambda random: []
        self._hints_given = 0
        self._right_answer = None

    def __repr__(self) -> str:
        call_form = f"{self.name}{self._signature}" if self.asks_for_function else self.name
        return f"<Exercise {call_form}: task, check(answer), hint(), solution(), use(answer)>"

    # For the reader

    @property
    def task(self) -> Task:
        """What the exercise asks for, and what an answer may use."""
        form = f"{self.name}{self._signature}" if self.asks_for_function else self.name
        return Task(form, self.__doc__ or "", self.uses)

    def check(
        self, answer=..., *, seconds: float | None = None, seed: int | None = None
    ) -> CheckResult:
        """Say whether an answer is right and, if not, where it goes wrong.

        Parameters
        ----------
        answer : callable or object
            The function, or the value, that the exercise asks for.
        seconds : float, optional
            How long the answer may take, if not as long as the exercise says.
        seed : int, optional
            Of the random inputs, as an earlier check named it; otherwise they are new.

        Returns
        -------
        CheckResult
            Never an exception, whatever the answer does.
        """
        seconds = self._seconds if seconds is None else seconds
        seed = random.SystemRandom().randrange(10_000) if seed is None else seed
        try:
            result = self._checked(answer, seconds, seed)
        except KeyboardInterrupt:
            return CheckResult("not checked", "The check was interrupted.")
        except RecursionError:
            text = "Your answer contains itself, or is nested too deeply to be compared."
            result = CheckResult("wrong", text)
        except BaseException as error:  # a returned object may raise when it is looked at
            what = Raised(type(error), show(error))
            result = CheckResult("not checked", f"Your answer could not be compared: {what}")
        if result:
            self._right_answer = answer
        record.keep(self.reference.__module__, self.name, result.status)
        return result

    def use(self, answer=...):
        """Return the reader's function if it is right, and otherwise say so and return ours.

        The cells of a notebook go on with it. Where a value is asked for, it is the value.
        """
        why = ""
        if answer is not ...:
            if answer is self._right_answer or (result := self.check(answer)):
                return answer
            if result.status == "other way":
                why = " (≈ does not count: the way that is asked matters)"
        print(f"{self.name}: the course's own is used until yours passes its check{why}.")
        return self.reference if self.asks_for_function else self.reference()

    def hint(self) -> Hint:
        """Give the next hint; the last one again when there are no more."""
        self._hints_given = min(self._hints_given + 1, len(self.hints))
        return Hint(self.hints[self._hints_given - 1], self._hints_given, len(self.hints))

    def solution(self) -> Solution:
        """Show the source of the function that answers are compared with."""
        value = "" if self.asks_for_function else show(self.reference())
        return Solution(_source(self.reference), value, self.uses)

    @property
    def stub(self) -> str:
        """What the notebook holds before the reader starts: runs, and counts as not attempted."""
        # "my_": a plain name could hide one that the notebook imports, such as count_paths.
        text = "\n\n".join(map(_narrow, self.task.text.split("\n\n")))
        if self.asks_for_function:
            raw, end = "r" if "\\" in text else "", "\n" if "\n" in text else ""
            body = f'{raw}"""{text}{end}"""\n# your code here\nreturn ...'
            return f"def my_{self.name}{self._signature}:\n{textwrap.indent(body, '    ')}"
        value = self.reference()
        dots = f"({', '.join(['...'] * len(value))})" if isinstance(value, tuple) else "..."
        return f"{textwrap.indent(text, '# ', lambda line: True)}\nmy_{self.name} = {dots}"

    @property
    def asks_for_function(self) -> bool:
        """Whether the answer is a function; otherwise it is a value."""
        return bool(self._signature.parameters)

    # For the author

    def cases(self, function: Callable[[], list[Case]]) -> Callable[[], list[Case]]:
        """Decorate the function that makes the inputs: the same ones, but new, at each call.

        The smallest input should come first: the first that goes wrong is shown. None should need
        more than a gigabyte, even in the obvious slow way.
        """
        self._fixed_cases = function
        return function

    def random_cases(self, function: Callable[[random.Random], list[Case]]) -> Callable:
        """Decorate the function that makes random inputs, out of a `random.Random`."""
        self._random_cases = function
        return function

    def mistake(self, message: str, *, sure: bool = True) -> Callable[[Callable], Callable]:
        """Decorate a wrong function, with what to tell a reader whose answer does the same.

        Where other mistakes give the same, say ``sure=False``: the reader is then told "perhaps".
        """

        def register(function):
            self.mistakes.append(Mistake(function, message, sure))
            return function

        return register

    def add_mistakes(self, *messages_and_functions: str | Callable) -> None:
        """Add mistakes as `mistake` does: the message of each, then its function."""
        pairs = zip(messages_and_functions[::2], messages_and_functions[1::2], strict=True)
        self.mistakes += [Mistake(function, message) for message, function in pairs]

    def method(
        self,
        message: str | Callable[[Call], str],
        *,
        watch: Iterable[Callable | str] = (),
        memory: bool = False,
        wrong: bool = False,
    ) -> Callable[[Callable[[Call], bool]], Callable]:
        """Decorate the question whether a call went the way that is asked, which `Call` tells.

        It is asked of every input once the values are right; the message is for a reader whose
        answer is right in another way, such as by a library's function for the whole exercise. What
        it may ask of `watch` and `memory`, and what `wrong` does, `Method` tells.
        """

        def register(function):
            self.methods.append(Method(function, message, tuple(watch), memory, wrong))
            return function

        return register

    def add_hints(self, *hints: str) -> None:
        """Add hints, the vaguest first."""
        self.hints += hints

    def inputs(self, seed: int | None = None) -> list[Case]:
        """Make the inputs, new ones each time; with a seed the random ones too."""
        drawn = [] if seed is None else self._random_cases(random.Random(seed))
        # Whoever looks at one of these sees which seed makes it again.
        drawn = [one._replace(label=f"{_label(self, one)} (seed={seed})") for one in drawn]
        return self._fixed_cases() + drawn

    def agree(self, one: Returned | Raised, other: Returned | Raised) -> bool:
        """Tell whether two outcomes are the same: equal values, or the same kind of exception."""
        if isinstance(one, Raised) or isinstance(other, Raised):
            return type(one) is type(other) and one.kind is other.kind
        return difference(one.value, other.value, self.tolerance) is None

    def missing_library(self) -> str | None:
        """Return the name of a library that the exercise needs and that is not installed."""
        for library in self._needs:
            try:
                importlib.import_module(library)
            except ImportError:
                return library
        return None

    # Checking

    def _checked(self, answer, seconds, seed):
        missing = self.missing_library()
        if missing:
            return CheckResult("not checked", f"This exercise needs {missing}: install it first.")
        judge = Judge(self, answer, seed)
        with world_kept() as printed:
            try:
                work = judge.function if self.asks_for_function else self._judge_value
                result = limited(
                    # A list of someone else's making may be without end: under the limit, too.
                    lambda clock: self.not_attempted() if has_dots(answer) else work(clock, answer),
                    seconds,
                )
            except TimedOut as late:
                result = judge.too_late(seconds, late.stopped)
        if self._near and result.status == "wrong" and not result.mistake and nearly(result):
            result = replace(result, message=self._near)
        if printed.text and result.status != "not attempted":
            result = result.with_rows(("Printed", printed.text))
        return result

    def not_attempted(self) -> CheckResult:
        """Say what is to be done."""
        text = "Replace the `...` by your answer and run the cell again."
        return CheckResult("not attempted", text, task=self.task)

    def right(self, said: str) -> CheckResult:
        """Say that the answer is right, what there is to see, and what to try next."""
        rows = (("Try next", self.next_try),) if self.next_try else ()
        return CheckResult("right", f"{said} {self.insight}".rstrip(), rows=rows)

    def _judge_value(self, clock, answer):
        if callable(answer) and not hasattr(answer, "tolist"):
            return CheckResult("wrong", "This exercise asks for a value, not for a function.")
        if answer is None:
            return CheckResult("wrong", "The answer is None. Did you assign a value to it?")
        answer = written_out(answer)
        with clock.paused():
            expected = self.reference()
            known = [(mistake, mistake.function()) for mistake in self.mistakes]
        found = difference(answer, expected, self.tolerance)
        if not found:
            return self.right(f"The answer is {show(answer)}.")
        message = next(
            (
                mistake.message
                for mistake, value in known
                if difference(answer, value, self.tolerance) is None
            ),
            "",
        )
        said = f"Perhaps: {message}" if message and is_perhaps([plain(answer)]) else message
        return CheckResult(
            "wrong",
            said or complaint_about_value(answer, expected, found, self._form),
            mistake=message,
            yours=answer,
            index=found.index or None,
            rows=(("Yours", show(answer)),),
        )


def _narrow(paragraph):
    """Wrap a paragraph, unless it is a list, so that a cell that holds it does not scroll."""
    listed = any(line[:1] in " -*" for line in paragraph.splitlines())
    return paragraph if listed else textwrap.fill(paragraph, 72, break_on_hyphens=False)


def _label(exercise, one):
    pairs = zip(exercise._signature.parameters, one.arguments, strict=False)
    return one.label or ", ".join(f"{name} = {show(value)}" for name, value in pairs)


def _source(function):
    """Return the source of a function without its decorators, which are not part of the answer."""
    text = textwrap.dedent(inspect.getsource(function))
    first = ast.parse(text).body[0].lineno  # of the `def`, below the decorators
    return "\n".join(text.splitlines()[first - 1 :]).rstrip()
