"""Call a reader's function on several inputs, whatever it does: raise, exit, or never return.

The calls are made in a second thread, because that is the only way to give up waiting which works
on Linux, macOS and Windows and leaves the notebook's kernel as it was.
"""

from __future__ import annotations

import contextlib
import contextvars
import inspect
import itertools
import linecache
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Raised", "Returned", "Run", "call", "run"]


@dataclass(frozen=True)
class Returned:
    """A call that came back with a value."""

    value: object


@dataclass(frozen=True)
class Raised:
    """A call that raised.

    Holds text only: the exception itself would keep every local variable of the answer alive.
    """

    kind: type
    text: str = ""
    line: str = ""

    def __str__(self) -> str:
        name = self.kind.__name__
        return f"{name}: {self.text}" if self.text else name


@dataclass(frozen=True)
class Run:
    """What came of calling a function on several inputs.

    Attributes
    ----------
    outcomes : tuple of Returned or Raised
        One for each call that ended, in order.
    ended : str
        ``"finished"``, ``"timed out"`` or ``"interrupted"`` (by the user, from outside).
    stopped : bool
        False if the last call could not be stopped and still runs in the background.
    """

    outcomes: tuple
    ended: str = "finished"
    stopped: bool = True


def run(function: Callable, inputs: Sequence[tuple], seconds: float) -> Run:
    """Call ``function(*arguments)`` for each of `inputs`, for at most `seconds` altogether.

    Parameters
    ----------
    function : callable
        May do anything except hold Python's interpreter lock for ever, as ``9**9**9`` does.
    inputs : sequence of tuple
        The arguments of each call.
    seconds : float
        When to give up.

    Returns
    -------
    Run

    Examples
    --------
    >>> run(lambda x: 1 / x, [(2,)], seconds=10.0)
    Run(outcomes=(Returned(value=0.5),), ended='finished', stopped=True)
    """
    worker = _Worker(function, inputs)
    try:
        worker.start()
        ended = "finished" if worker.wait(seconds) else "timed out"
    except KeyboardInterrupt:
        ended = "interrupted"
    outcomes = tuple(worker.outcomes)  # before stopping: a stopped call may still "return"
    return Run(outcomes, ended, worker.stop())


def call(
    function: Callable, arguments: tuple, catch: type[BaseException] = Exception
) -> Returned | Raised:
    """Call a function and return what it returned or raised.

    Parameters
    ----------
    function : callable
    arguments : tuple
    catch : type of exception, optional
        What to catch: any `Exception`, unless said otherwise.

    Examples
    --------
    >>> call(len, ([1, 2],))
    Returned(value=2)
    """
    try:
        return Returned(function(*arguments))
    except _Stop:
        raise
    except catch as error:
        return Raised(type(error), _text_of(error), _line_of(error, function))


class _Stop(BaseException):
    """Raised inside a worker from outside; ``except Exception`` in an answer lets it pass."""


class _FirmStop(_Stop):
    """A stop for an answer that catches everything: it strikes again inside the handler.

    Python makes the instance when a handler catches the exception, in the thread that is to be
    stopped. There it asks to be called back, as a debugger does, at the next line of each frame of
    the answer.
    """

    def __init__(self):
        frame = sys._getframe(1)
        while frame is not None and frame.f_code is not call.__code__:
            frame.f_trace = _strike
            frame = frame.f_back
        sys.settrace(_ignore)


def _strike(frame, event, argument):
    if event == "line":  # not "exception", which comes before the handler is entered
        raise _Stop
    return _strike


def _ignore(frame, event, argument):
    """Serve as the thread's tracer, without which none of its frames is called back."""


class _Worker:
    """A thread that makes the calls one after the other and can be stopped."""

    def __init__(self, function, inputs):
        self.outcomes = []
        self._function = function
        self._inputs = inputs
        self._given_up = False
        # Instead of the thread's own join(), which an interruption leaves in disorder.
        self._ended = threading.Event()
        # With the caller's context an answer sees the same decimal or NumPy settings as in a cell.
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._work,), daemon=True)

    def start(self):
        self._thread.start()

    def _work(self):
        try:
            with contextlib.suppress(_Stop):
                self._call_all()
        finally:
            self._ended.set()

    def _call_all(self):
        for arguments in self._inputs:
            # Everything, SystemExit and KeyboardInterrupt too: in this thread they can only come
            # from the answer itself.
            outcome = call(self._function, arguments, BaseException)
            if self._given_up:
                return
            self.outcomes.append(outcome)

    def wait(self, seconds):
        """Wait for the calls to end; return whether they did."""
        deadline = time.monotonic() + seconds
        # In short waits, because on Windows a single long one cannot be interrupted.
        while not self._ended.wait(0.05):
            if time.monotonic() > deadline:
                return False
        return True

    def stop(self, patience=1.0):
        """Raise `_Stop` in the thread until it ends; return whether it did.

        Repeated, since a bare ``except:`` in the answer may swallow it; first gently, so that what
        stands under ``finally`` can run.
        """
        self._given_up = True
        deadline = time.monotonic() + patience
        for kind in itertools.chain([_Stop] * 3, itertools.repeat(_FirmStop)):
            if self._ended.is_set() or time.monotonic() > deadline:
                break
            _raise_in(self._thread, kind)
            self._ended.wait(0.05)
        return self._ended.is_set()


def _raise_in(thread, kind):
    import ctypes  # here, since only an answer without end needs it

    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(kind)
        )


def _text_of(error):
    try:
        return str(error)
    except BaseException:  # someone else's __str__ may raise anything
        return ""


def _line_of(error, function):
    """Find the line of the answer that was running, the innermost if there are several."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return ""
    lines = [
        (number, linecache.getline(code.co_filename, number).strip())
        for frame, number in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == code.co_filename
    ]
    return "line {}: {}".format(*lines[-1]) if lines and lines[-1][1] else ""
