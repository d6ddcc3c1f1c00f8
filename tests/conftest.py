"""What tests of more than one file need."""

import signal

import pytest


@pytest.fixture
def ctrl_c():
    """Let an interrupt arrive, even where the tests run in a background job, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
