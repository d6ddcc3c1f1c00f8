"""Do a reader's work under a limit of time and memory, and leave the reader's world as it was.

The work is done in a second thread: the only way to give up waiting that works on Linux, macOS and
Windows and leaves the notebook's kernel alive. Where there are no threads, as in a browser's
Pyodide, it is done at once, and the page around it has to keep the time.

Two things no thread can be saved from: C code that keeps Python's interpreter lock, such as
``9**9**9`` or ``sum(range(10**12))``, is waited for; and the limit of memory is Linux's alone.
"""

from __future__ import annotations

import contextlib
import contextvars
import inspect
import io
import linecache
import os
import random
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Clock", "Raised", "Returned", "TimedOut", "call", "limited", "world_kept"]

MEMORY = 2 * 10**9  # bytes that an answer may ask for beyond what the kernel already holds
PRINTED = 1000  # characters of an answer's printing that are kept
NO_MEMORY = ("can't allocate memory", "not enough memory", "std::bad_alloc")


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

    @property
    def out_of_memory(self) -> bool:
        """Whether it asked for more memory than there is; torch says so in a RuntimeError."""
        return issubclass(self.kind, MemoryError) or any(part in self.text for part in NO_MEMORY)


def call(function: Callable, arguments: tuple) -> Returned | Raised:
    """Call a function and return what it returned or raised, whatever that is.

    Examples
    --------
    >>> call(len, ([1, 2],))
    Returned(value=2)
    """
    try:
        return Returned(function(*arguments))
    except _Stop:
        raise
    except BaseException as error:  # SystemExit and KeyboardInterrupt too, if it raises them itself
        if isinstance(error, KeyboardInterrupt) and not _in_worker():
            raise
        return Raised(type(error), _text_of(error), _line_of(error, function))


class TimedOut(Exception):
    """The work did not end in time; ``stopped`` tells whether it could be stopped."""

    def __init__(self, stopped: bool) -> None:
        super().__init__(stopped)
        self.stopped = stopped


class Clock:
    """The time that an answer has used; it stands still while the course does its own part.

    Examples
    --------
    >>> clock = Clock()
    >>> with clock.paused():
    ...     stands = clock.elapsed() == clock.elapsed()
    >>> stands
    True
    """

    def __init__(self) -> None:
        self._used = 0.0
        self._since: float | None = time.monotonic()

    def elapsed(self) -> float:
        """Return the seconds used so far."""
        since = self._since  # read once: the other thread may pause the clock in between
        return self._used + (time.monotonic() - since if since is not None else 0.0)

    @contextlib.contextmanager
    def paused(self):
        """Let the clock stand still for the time of a ``with`` block."""
        self._used, self._since = self.elapsed(), None
        try:
            yield
        finally:
            self._since = time.monotonic()


def limited(work: Callable[[Clock], object], seconds: float) -> object:
    """Do some work in a thread of its own, for at most `seconds` of its clock.

    Parameters
    ----------
    work : callable
        Is given the `Clock`, which it may pause.
    seconds : float

    Returns
    -------
    object
        What `work` returns.

    Raises
    ------
    TimedOut
        If the time is over.
    KeyboardInterrupt
        If the reader interrupts the waiting.
    BaseException
        Whatever `work` raises.

    Examples
    --------
    >>> limited(lambda clock: 6 * 7, seconds=10.0)
    42
    """
    worker = _Worker(work)
    try:
        worker.start()
    except RuntimeError:  # no threads here
        return work(worker.clock)
    try:
        in_time = worker.wait(seconds)
    except KeyboardInterrupt:
        worker.stop()
        raise
    if not in_time:
        raise TimedOut(worker.stop())
    if worker.error is not None:
        raise worker.error
    return worker.result


class _Stop(BaseException):
    """Raised inside a worker from outside; ``except Exception`` in an answer lets it pass."""


class _Worker(threading.Thread):
    def __init__(self, work):
        super().__init__(daemon=True)
        self.clock, self.result, self.error = Clock(), None, None
        # With the caller's context an answer sees the same decimal or NumPy settings as in a cell.
        self._context, self._work = contextvars.copy_context(), work
        # Instead of join(), which an interruption leaves in disorder.
        self._ended = threading.Event()

    def run(self):
        with contextlib.suppress(_Stop):  # a repeated stop may hit even what stands below
            self._run()

    def _run(self):
        try:
            self.result = self._context.run(self._work, self.clock)
        except _Stop:
            pass
        except BaseException as error:
            self.error = error
        finally:
            self._ended.set()

    def wait(self, seconds):
        """Wait for the work to end; return whether it did. What it imports costs it no time."""
        looked = time.monotonic()
        # In short waits, because on Windows a single long one cannot be interrupted.
        while not self._ended.wait(0.05):
            before, looked = looked, time.monotonic()
            if self._imports():
                seconds += looked - before
            elif self.clock.elapsed() > seconds:
                return False
        return True

    def _imports(self):
        """Whether it imports a module just now: cut off there, the module would stay half made."""
        frame = sys._current_frames().get(self.ident)
        while frame and not frame.f_code.co_filename.startswith("<frozen importlib"):
            frame = frame.f_back
        return frame is not None

    def stop(self, patience=1.0):
        """Raise `_Stop` in the thread until it ends; return whether it did.

        Repeated, since a bare ``except:`` in the answer may swallow it.
        """
        import ctypes  # here, since only an answer without end needs it

        deadline = time.monotonic() + patience
        while not self._is_over() and time.monotonic() < deadline:
            if not self._imports():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self.ident), ctypes.py_object(_Stop)
                )
            self._ended.wait(0.02)
        return self._is_over()

    def _is_over(self):
        # A second stop may hit the thread before it says that it has ended.
        return self._ended.is_set() or not self.is_alive()


def _in_worker():
    return isinstance(threading.current_thread(), _Worker)


@contextlib.contextmanager
def world_kept():
    """Put back afterwards what an answer may change; what it prints goes into what this yields.

    Kept are the working folder, the recursion limit, the seeds and the printing options of Python,
    NumPy and torch, and torch's default dtype. Grad mode belongs to a thread, so it is kept anyway.
    """
    printed = _Printed()
    with contextlib.ExitStack() as stack:
        stack.callback(os.chdir, os.getcwd())
        stack.callback(sys.setrecursionlimit, sys.getrecursionlimit())
        stack.callback(random.setstate, random.getstate())
        _keep_numpy(stack, sys.modules.get("numpy"))
        _keep_torch(stack, sys.modules.get("torch"))
        stack.enter_context(_memory_limited())
        stack.enter_context(contextlib.redirect_stdout(printed))
        stack.enter_context(contextlib.redirect_stderr(printed))
        yield printed


def _keep_numpy(stack, numpy):
    if hasattr(numpy, "random"):
        stack.callback(numpy.random.set_state, numpy.random.get_state())
        # NumPy keeps these in the context, which a thread only has a copy of; a browser has one.
        stack.enter_context(numpy.printoptions())


def _keep_torch(stack, torch):
    if hasattr(torch, "set_default_dtype"):
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        stack.callback(torch.set_rng_state, torch.get_rng_state())
        stack.callback(torch.set_printoptions, **_torch_print_options(torch))


def _torch_print_options(torch):
    return dict(vars(torch._tensor_str.PRINT_OPTS))  # torch has no public way to ask for them


@contextlib.contextmanager
def _memory_limited():
    """Let an allocation fail that would go far beyond; elsewhere than on Linux do nothing."""
    try:
        import resource

        before = resource.getrlimit(resource.RLIMIT_DATA)
        with open("/proc/self/statm") as statm:
            held = int(statm.read().split()[5]) * resource.getpagesize()
        # Not RLIMIT_AS: that counts address space too, of which threads and compilers reserve much.
        limits = [limit for limit in (held + MEMORY, *before) if limit != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_DATA, (min(limits), before[1]))
    except (ImportError, OSError, ValueError):
        yield
        return
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


class _Printed(io.TextIOBase):
    """Keeps the first characters that are printed, and forgets the others."""

    def __init__(self):
        self.text = ""

    def writable(self):
        return True

    def write(self, text):
        room = PRINTED - len(self.text)
        if len(text) <= room:
            self.text += text
        else:
            self.text += f"{text[:room]} …"
            self.write = len  # from here on all is forgotten, at the cost of a call written in C
        return len(text)


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
