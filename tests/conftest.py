"""What tests of more than one file need."""

import os
import signal

import pytest

# No test, and no kernel of a test, writes into the progress of whoever runs it.
os.environ["AUTODIFF_COURSE_PROGRESS"] = ""

# The files that take longest. A file is tested by one process, so what begins last ends last.
LONGEST = ("test_notebooks.py", "test_site.py", "test_every_exercise.py")


def pytest_collection_modifyitems(items):
    """Let the longest files begin first; all else stays in its order."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture
def ctrl_c():
    """Let an interrupt arrive, even where the tests run in a background job, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
