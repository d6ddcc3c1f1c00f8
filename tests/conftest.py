"""What tests of more than one file need, and how the tests are dealt out to processes."""

import os
import re
import signal

import pytest

# No test, and no kernel of a test, writes into the progress of whoever runs it.
os.environ["AUTODIFF_COURSE_PROGRESS"] = ""

# The files that take longest. What begins last ends last.
LONGEST = (
    "test_notebooks.py",
    "test_notebooks_in_the_browser.py",
    "test_site.py",
    "test_sparse_coloring.py",
    "test_sparse_random.py",
    "test_torch_func.py",
    "test_every_exercise.py",
)


def pytest_collection_modifyitems(items):
    """Let the longest files begin first; all else stays in its order."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Take one process more than there are cores: tests wait for kernels, browsers and clocks."""
    return min((os.cpu_count() or 1) + 1, 4)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Test a file in one process, which may share a browser, and a notebook in one of its own."""
    from xdist.scheduler import LoadFileScheduling

    class ByFileOrNotebook(LoadFileScheduling):
        def _split_scope(self, nodeid):
            notebook = re.search(r"test_notebooks\.py::.*\b(\d\d_\w+)\]$", nodeid)
            return notebook[1] if notebook else super()._split_scope(nodeid)

    return ByFileOrNotebook(config, log)


@pytest.fixture
def ctrl_c():
    """Let an interrupt arrive, even where the tests run in a background job, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
