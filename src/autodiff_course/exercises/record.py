"""What a reader has done so far, kept in the user's data folder, never in the repository.

The environment variable ``AUTODIFF_COURSE_PROGRESS`` names another folder; if it is empty, nothing
is written. Where nothing can be written, as on a page without a disk, the record lasts as long as
the session.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

__all__ = ["VARIABLE", "keep", "statuses"]

#: The environment variable that names the folder of the record.
VARIABLE = "AUTODIFF_COURSE_PROGRESS"
PACKAGE = __package__ + "."  # only the course's own exercises are recorded
_this_session: dict[str, str] = {}


def keep(module: str, name: str, status: str) -> None:
    """Record the status of one exercise that was tried. What was right once stays right."""
    key = f"{module.removeprefix(PACKAGE)}.{name}"
    if not module.startswith(PACKAGE) or status.startswith("not "):
        return
    if statuses().get(key) in ("right", status):
        return
    _this_session[key] = status
    _write(_read() | {key: status})


def statuses() -> dict[str, str]:
    """Return what is recorded: the status for each exercise, such as ``"ex01.sum_over_paths"``."""
    return _read() | _this_session


def _file():
    folder = os.environ.get(VARIABLE)
    if folder is None:
        import platformdirs  # here: a browser may not have it

        folder = platformdirs.user_data_dir("autodiff-course", appauthor=False)
    return Path(folder) / "progress.json" if folder else None


def _read():
    try:
        found = json.loads(_file().read_text(encoding="utf-8"))
        return {key: value for key, value in found.items() if isinstance(value, str)}
    except (ImportError, OSError, ValueError, AttributeError):
        return {}


def _write(found):
    try:
        file = _file()
        file.parent.mkdir(parents=True, exist_ok=True)
        # Another notebook never sees half a file.
        half = file.with_suffix(f".{os.getpid()}")
        half.write_text(json.dumps(found, indent=1, sort_keys=True), encoding="utf-8")
        half.replace(file)
    except (ImportError, OSError, AttributeError):
        pass
