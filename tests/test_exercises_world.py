"""What an answer may do to the world, and what is left of it afterwards."""

import os
import random
import subprocess
import sys
import textwrap

import numpy
import pytest
import torch

from autodiff_course.exercises import running
from autodiff_course.exercises.framework import case, exercise


@exercise
def one(x):
    """Return 1."""
    return 1


one.cases(lambda: [case(0)])


def _state():
    return {
        "folder": os.getcwd(),
        "recursion": sys.getrecursionlimit(),
        "random": random.getstate(),
        "numpy": numpy.random.get_state()[1].tolist(),
        "torch": torch.get_rng_state().tolist(),
        "dtype": torch.get_default_dtype(),
        "grad": torch.is_grad_enabled(),
        "prints": (numpy.get_printoptions(), repr(torch.tensor(1 / 3))),
        "streams": (sys.stdout, sys.stderr),
    }


def _upsets_everything(x):
    os.chdir("/")
    sys.setrecursionlimit(5000)
    random.seed(1), numpy.random.seed(1), torch.manual_seed(1)
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    numpy.set_printoptions(precision=2)
    torch.set_printoptions(precision=9)
    sys.stdout = None
    return 1


@pytest.mark.parametrize("threads", [True, False])
def test_the_world_is_as_before(monkeypatch, threads):
    if not threads:
        monkeypatch.setattr(running._Worker, "start", _no_threads)
    before = _state()
    result = one.check(_upsets_everything)
    assert result, result
    after = _state()
    if not threads:  # grad mode belongs to the thread, and torch runs nowhere without threads
        torch.set_grad_enabled(True)
        after["grad"] = True
    assert after == before


def _no_threads(worker):
    raise RuntimeError("can't start new thread")


def test_what_is_printed_stands_under_the_result_and_is_capped(capsys):
    def answer(x):
        print("here")
        print("!" * 10**6, file=sys.stderr)
        return 1

    result = one.check(answer)
    (row,) = result.rows
    assert row[0] == "Printed" and row[1].startswith("here\n!!!") and len(row[1]) < 1100
    assert capsys.readouterr() == ("", "")


def test_memory_that_python_cannot_give():
    def answer(x):
        raise MemoryError

    result = one.check(answer)
    assert result.status == "wrong"
    assert result.message.startswith("Your function asks for more memory than it may use.")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory")
@pytest.mark.parametrize(
    "answer",
    [
        lambda x: torch.ones(40_000, 40_000, dtype=torch.float64),
        lambda x: numpy.ones((40_000, 40_000)),
        lambda x: [1] * 2 * 10**9,
    ],
    ids=["torch", "numpy", "list"],
)
def test_an_answer_that_asks_for_13_gigabytes_is_told_so(answer):
    @exercise
    def small(x):
        return 1

    small.cases(lambda: [case(0, too_slow="Is a full matrix formed?")])
    result = small.check(answer)
    assert "asks for more memory than it may use. Is a full matrix formed?" in result.message
    numpy.ones(10**6), torch.ones(10**6)


def test_without_threads_numpy_and_torch_an_answer_is_checked_directly():
    code = """
    import sys, threading
    for name in ("torch", "numpy", "scipy", "platformdirs"):
        sys.modules[name] = None  # importing it raises ImportError
    def start(self):
        raise RuntimeError("can't start new thread")
    threading.Thread.start = start
    from autodiff_course.exercises import check_all, ex01, ex02, progress
    print(ex01.sum_over_paths.check(ex01.sum_over_paths.reference).status)
    print(ex01.sum_over_paths.check(lambda paths: 1 / 0).status)
    print(check_all(ex02).text)
    print("needs a library" in repr(progress()))
    """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert out[:2] == ["right", "wrong"] and out[2].startswith("0 of") and out[3] == "True"
