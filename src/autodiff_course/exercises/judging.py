"""Judge an answer that is a function: try it on the inputs, and explain the first that goes wrong.

A message written for a mistake is stated as a fact only where the answer gives what the mistaken
function gives, on every input where that differs from the truth; for an exception that is its type
and its text. Where so little can be compared that this may be chance, it says "perhaps".
"""

from __future__ import annotations

import inspect
import re
import sys
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import is_dataclass, replace
from typing import NamedTuple

from .comparing import difference, plain, show
from .display import CheckResult
from .running import Raised, Returned, call

__all__ = ["Call", "Case", "Judge", "Method", "Mistake", "has_dots", "is_perhaps"]


class Case(NamedTuple):
    """One input on which an answer is tried.

    Attributes
    ----------
    arguments : tuple
        The arguments of the call.
    label : str
        A description of the input, for arguments whose ``repr`` says little.
    too_slow : str
        What to tell the reader of an answer that takes too long, or asks for too much memory.
    """

    arguments: tuple
    label: str = ""
    too_slow: str = ""


class Mistake(NamedTuple):
    """A wrong function, what to tell a reader whose answer does the same, and whether for sure."""

    function: Callable
    message: str
    sure: bool = True


class Method(NamedTuple):
    """A question about a call, and what to tell a reader for whose answer it is false.

    Attributes
    ----------
    function : callable
        Is given the `Call`.
    message : str or callable
        A callable is given the `Call` too, and returns the text.
    watch : tuple of callable or str
        The Python functions, or their names, for whose results it asks `Call.results_of`.
    memory : bool
        Whether it asks for `Call.peak`, which makes the call slower.
    wrong : bool
        Whether the answer is then wrong, as where its value is right and its gradient is not.
    """

    function: Callable[[Call], bool]
    message: str | Callable[[Call], str]
    watch: tuple[Callable | str, ...] = ()
    memory: bool = False
    wrong: bool = False


class Call:
    """One call of an answer, for the question whether it went the way that the exercise asks.

    Attributes
    ----------
    arguments : tuple
        The arguments as they are after the call.
    given : tuple
        The same, as they were before it.
    value : object
        What the call returned.
    peak : int
        The bytes that Python and NumPy held at once beyond what they held before, if a method asks
        for it. torch's are not among them.
    """

    def __init__(
        self, arguments: tuple, given: tuple, agree: Callable, methods: list[Method]
    ) -> None:
        self.arguments, self.given, self.value, self.peak = arguments, given, None, 0
        self._agree, self._calls, self._modules = agree, Counter(), Counter()
        self._watch = {_key(one) for method in methods for one in method.watch}
        self._memory = any(method.memory for method in methods)
        self._results, self._codes = defaultdict(list), {}

    def calls_of(self, *functions: Callable | str) -> int:
        """Count the calls of functions during this one, from wherever and under whatever name.

        A function written in Python is given itself, one written in C by its own name, its
        ``__name__``: "linalg_pinv" for `torch.linalg.pinv`.
        """
        return sum(self._calls[_key(one)] for one in functions)

    def calls_in(self, package: str) -> int:
        """Count the calls of functions that are written in a package, in Python."""
        inside = package + "."
        return sum(n for name, n in self._modules.items() if f"{name}.".startswith(inside))

    def results_of(self, *functions: Callable | str) -> list:
        """List what watched functions returned: ints and dataclasses, of an array its shape.

        They are written in Python; a name stands for all that have it.
        """
        return [result for one in functions for result in self._results[_key(one)]]

    @property
    def unchanged(self) -> bool:
        """Whether the arguments are as they were: those that are not functions."""
        return all(
            self._agree(Returned(now), Returned(before))
            for now, before in zip(self.arguments, self.given, strict=True)
            if not callable(before)
        )

    def watched(self, answer: Callable) -> Returned | Raised:
        """Make the call, and count what it calls."""

        def count(frame, event, argument):
            if event == "call":
                # By the id, as a code's own hash takes long; kept, so that no other gets its id.
                self._codes[id(frame.f_code)] = frame.f_code
                self._calls[id(frame.f_code)] += 1
                self._modules[frame.f_globals.get("__name__", "")] += 1
            elif event == "c_call":
                self._calls[argument.__name__] += 1
            elif event == "return" and self._watch:
                for key in self._watch & {id(frame.f_code), frame.f_code.co_name}:
                    itself = isinstance(argument, int) or is_dataclass(argument)
                    shape = getattr(argument, "shape", ())
                    self._results[key].append(argument if itself else shape)

        before = sys.getprofile()
        with self._peak_taken() if self._memory else nullcontext():
            sys.setprofile(count)
            try:
                outcome = call(answer, self.arguments)
            finally:
                sys.setprofile(before)
        self.value = getattr(outcome, "value", None)
        return outcome

    @contextmanager
    def _peak_taken(self):
        was_tracing = tracemalloc.is_tracing()
        if not was_tracing:
            tracemalloc.start()
        tracemalloc.reset_peak()
        held = tracemalloc.get_traced_memory()[0]
        try:
            yield
        finally:
            self.peak = tracemalloc.get_traced_memory()[1] - held
            if not was_tracing:
                tracemalloc.stop()


def _key(function):
    """Return what a function is counted under: its code's id, or its name if it is in C."""
    if isinstance(function, str):
        return function
    code = getattr(function, "__code__", None)
    return getattr(function, "__name__", function) if code is None else id(code)


class Judge:
    """What one check knows: the inputs, the truth as far as it was needed, and the outcomes."""

    def __init__(self, exercise, answer, seed) -> None:
        self._exercise, self._answer, self._seed = exercise, answer, seed
        self._number, self._doing = 0, ""
        self._outcomes, self._expected = [], []
        self._known = None  # what is wrong, before its cause is looked for
        self._other_way = None  # the first input where only the way was another

    def function(self, clock, answer) -> CheckResult:
        """Try the answer on one input after the other; stop at the first that goes wrong.

        Which way it went is told only if the values are right on all inputs.
        """
        exercise = self._exercise
        complaint = self._about_the_call()
        if complaint:
            return CheckResult("wrong", complaint)
        with clock.paused():
            inputs, given = (exercise.inputs(self._seed) for _ in range(2))
        for self._number, one in enumerate(inputs):
            with clock.paused():
                # What it imports and warms up is then not on the reader's clock.
                self._expected.append(call(exercise.reference, self._fresh(self._number)))
            mine, true = self._try(one, given[self._number]), self._expected[-1]
            self._doing = "comparing or printing what your function returned"
            if not exercise.agree(mine, true):
                return self._wrong_outcome(clock, mine, true)
            if self._other_way is None and (method := self._wrong_way()):
                text = method.message(self._call) if callable(method.message) else method.message
                found = self._wrong(text, status="other way", mistake=text)
                self._other_way = replace(found, status="wrong") if method.wrong else found
        if self._other_way is not None:
            return self._other_way
        tried = "1 input" if len(inputs) == 1 else f"{len(inputs)} inputs"
        return exercise.right(f"{tried} tried.")

    def too_late(self, seconds, stopped) -> CheckResult:
        """Say which input took too long, or what was found wrong before."""
        if self._known is not None:
            return self._known
        if self._other_way is not None:  # and that way is too slow for this input
            return self._other_way
        text = f"No result after {seconds:g} s"
        text += f", while {self._doing}." if self._doing else "."
        one = self._inputs()[self._number]
        guess = "" if self._doing else one.too_slow or "Is there a loop that never ends?"
        left = "" if stopped else "It still runs: restart the kernel to end it."
        return self._wrong(" ".join(part for part in (text, guess, left) if part))

    # The parts

    def _inputs(self):
        return self._exercise.inputs(self._seed)

    def _fresh(self, number):
        # New each time: an answer may change the input that it was given.
        return self._inputs()[number].arguments

    def _about_the_call(self):
        """Say what keeps the answer from being called at all, if anything does."""
        name, answer = self._exercise.name, self._answer
        if not callable(answer):
            return (
                f"This exercise asks for a function, but got {show(answer)}. Pass the function "
                f"itself, without calling it: `check(my_{name})`."
            )
        wanted = ", ".join(self._exercise._signature.parameters)
        try:
            signature = inspect.signature(answer)
            signature.bind(*self._fresh(0))
        except ValueError:  # some built-in functions do not tell
            return ""
        except TypeError:
            return (
                f"Your function is called as `{name}({wanted})`, but its parameters are "
                f"`{signature}`."
            )
        return ""

    def _try(self, one, given):
        self._doing = ""
        if not self._exercise.methods:
            outcome = call(self._answer, one.arguments)
        else:
            self._call = Call(
                one.arguments, given.arguments, self._exercise.agree, self._exercise.methods
            )
            outcome = self._call.watched(self._answer)
        self._outcomes.append(outcome)
        return outcome

    def _wrong_way(self):
        return next((one for one in self._exercise.methods if not one.function(self._call)), None)

    def _wrong_outcome(self, clock, mine, true):
        """Describe the first wrong outcome."""
        if _is_unwritten(mine):
            return self._exercise.not_attempted()
        if isinstance(mine, Raised) and mine.out_of_memory and self._other_way is not None:
            return self._other_way
        if isinstance(mine, Raised):
            found, general = None, self._about(mine)
        elif isinstance(true, Raised):
            found, general = None, f"Your function should raise {true.kind.__name__} here."
        elif mine.value is None and not self._none_is_an_answer(clock):
            found, general = None, "Your function returned None; is a `return` missing?"
        else:
            found = difference(mine.value, true.value, self._exercise.tolerance)
            general = found.message
        number, self._known = self._number, self._wrong(general, mine, found)
        message, sure = self._recognise(clock)
        if message and not sure:
            general = general.replace("; is a `return` missing?", ".")
            general = f"{general} Perhaps: {message}"
        self._number = number  # to recognise it, further inputs were tried
        return self._wrong(message if sure else general, mine, found, mistake=message)

    def _none_is_an_answer(self, clock):
        """Whether None is right for another input: then it may well be meant."""
        reference, cases = self._exercise.reference, self._exercise.inputs()
        with clock.paused():
            right = (call(reference, self._fresh(number)) for number in range(len(cases)))
            return any(getattr(one, "value", ...) is None for one in right)

    def _about(self, raised):
        where = f" In {raised.line}" if raised.line else ""
        if issubclass(raised.kind, RecursionError):
            return f"Your function calls itself without end (RecursionError).{where}"
        if raised.out_of_memory:
            guess = self._inputs()[self._number].too_slow
            return f"Your function asks for more memory than it may use. {guess}{where}".rstrip()
        return f"Your function raised {raised}.{where}"

    def _recognise(self, clock):
        """Return the message of the mistake that the answer makes, and whether that is sure.

        Of several that fit, the one that gives the same on the most inputs. The answer may have
        further faults, where the mistaken function is right.
        """
        wrong, best, found = self._number, 0, ("", False)
        for mistake in self._exercise.mistakes:
            same = self._same(clock, mistake, wrong)
            if len(same) <= best:
                continue
            mine = self._outcomes[wrong]
            if isinstance(mine, Raised):
                with clock.paused():
                    theirs = call(mistake.function, self._fresh(wrong))
                sure = _normal(mine.text) == _normal(theirs.text)
                if not sure and mine.kind is RuntimeError:
                    continue  # torch raises it for whatever goes wrong: only the text tells
                sure = sure and mistake.sure
            else:
                telling = [self._outcomes[n] for n in same if self._is_wrong(n)]
                sure = not is_perhaps([plain(getattr(one, "value", None)) for one in telling])
                if not sure and len(same) < len(self._outcomes):
                    continue  # a yes here and there is no resemblance
                sure = sure and mistake.sure
            best, found = len(same), (mistake.message, sure)
        return found

    def _same(self, clock, mistake, wrong):
        """Return the inputs on which the answer does as a mistake does, if that explains it."""
        agree, same = self._exercise.agree, []
        fixed = max(len(self._exercise.inputs()), wrong + 1)
        # The first wrong input first: most mistakes are ruled out there.
        for number in [wrong, *(n for n in range(fixed) if n != wrong)]:
            with clock.paused():
                predicted = call(mistake.function, self._fresh(number))
            self._complete(clock, number)
            if agree(self._outcomes[number], predicted):
                same.append(number)
            elif not agree(predicted, self._expected[number]):
                return []
        return same if wrong in same else []

    def _complete(self, clock, last):
        """Try the answer on the inputs up to `last` that were not tried yet."""
        inputs = self._inputs()
        for number in range(len(self._outcomes), last + 1):
            self._number, self._doing = number, ""
            with clock.paused():
                self._expected.append(call(self._exercise.reference, self._fresh(number)))
            self._outcomes.append(call(self._answer, inputs[number].arguments))

    def _is_wrong(self, number):
        return not self._exercise.agree(self._outcomes[number], self._expected[number])

    def _wrong(self, message, mine=None, found=None, *, status="wrong", mistake=""):
        one = self._inputs()[self._number]
        names = zip(self._exercise._signature.parameters, one.arguments, strict=False)
        given = one.label or ", ".join(f"{name} = {show(value)}" for name, value in names)
        rows = [("Input", given)]
        true = self._expected[self._number] if self._number < len(self._expected) else None
        if status == "wrong":
            rows += [("Yours", _shown(mine)), ("Expected", _shown(true))]
        if found and found.index:
            rows.append(("Index", f"[{', '.join(map(show, found.index))}]"))
        return CheckResult(
            status,
            message,
            input=given,
            yours=getattr(mine, "value", None),
            expected=getattr(true, "value", None),
            index=found.index or None if found else None,
            mistake=mistake,
            rows=tuple((label, value) for label, value in rows if value),
        )


def has_dots(value) -> bool:
    """Whether a value holds ``...``, which stands where the reader has not written yet.

    Examples
    --------
    >>> has_dots((1.0, ...))
    True
    """
    return _has_dots(value, depth=20)  # a list may contain itself


def _has_dots(value, depth):
    if isinstance(value, (list, tuple)) and depth > 0:
        return any(item is ... or _has_dots(item, depth - 1) for item in value)
    return value is ...


def is_perhaps(values: list) -> bool:
    """Whether equal values say too little to be sure of their cause: a yes, a no, a small choice.

    Examples
    --------
    >>> is_perhaps([True, False]), is_perhaps(["forward"]), is_perhaps([[2.0, 5.0]])
    (True, True, False)
    """
    return all(isinstance(value, (bool, str, type(None))) for value in values)


def _is_unwritten(outcome):
    if isinstance(outcome, Raised):
        # A library's own has a text: torch raises it for an operation without a rule.
        return outcome.kind is NotImplementedError and not outcome.text
    return has_dots(outcome.value)


def _normal(text):
    return re.sub(r"\d+(\.\d+)?", "#", text)


def _shown(outcome):
    if outcome is None:
        return ""
    return f"raises {outcome}" if isinstance(outcome, Raised) else show(outcome.value)
