"""Virtual environments beside .venv, with other versions than the pinned ones.

`tools/other_versions.py` and `tools/colab.py` make theirs with it, under build/.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from notebooks import ROOT

PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")


class Environment:
    """A virtual environment in a folder.

    Parameters
    ----------
    folder : Path
        Where it is made, with the Python that runs.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._stamp = folder / ".made"
        self._programs = folder / ("Scripts" if os.name == "nt" else "bin")
        self.python = self._programs / ("python.exe" if os.name == "nt" else "python")

    def make(self, *installs: Sequence[str]) -> None:
        """Make it and run ``pip install`` with each of `installs`.

        Nothing is done where an earlier call with the same arguments came to its end.
        """
        recipe = hashlib.sha256(repr((sys.version, installs)).encode()).hexdigest()
        if self._stamp.exists() and self._stamp.read_text().split()[0] == recipe:
            return
        version = ".".join(map(str, sys.version_info[:3]))
        print(f"Making {self.folder.relative_to(ROOT)} with Python {version}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", self.folder], check=True)
        for install in installs:
            self.pip("install", *install)
        self._stamp.write_text(" ".join([recipe, *self.versions()]))

    def added(self) -> list[str]:
        """Return the names of the distributions that were not there when it was made."""
        return sorted(set(self.versions()) - set(self._stamp.read_text().split()))

    def pip(self, *arguments: str) -> None:
        """Run pip, which says nothing unless something is wrong."""
        subprocess.run([self.python, *PIP, "--quiet", *arguments], check=True, cwd=ROOT)

    def versions(self) -> dict[str, str]:
        """Return name → version of every distribution in it."""
        command = [self.python, *PIP, "list", "--format", "freeze"]
        lines = subprocess.check_output(command, text=True, cwd=ROOT).splitlines()
        pairs = (line.split("==", 1) for line in lines if "==" in line)
        return {canonicalize_name(name): version for name, version in pairs}


def dependencies() -> list[Requirement]:
    """Return what pyproject.toml says the package needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [Requirement(line) for line in project["dependencies"]]


def pins(names: Iterable[str]) -> list[str]:
    """Return ``name==version`` as the requirements files pin it, for each of some packages.

    Raises
    ------
    KeyError
        If they do not pin one of them.
    """
    files = ("requirements.txt", "requirements-dev.txt")
    lines = [line for f in files for line in (ROOT / f).read_text(encoding="utf-8").splitlines()]
    found = (line.split("#")[0].strip() for line in lines)
    pinned = {canonicalize_name(Requirement(line).name): line for line in found if line}
    return [pinned[canonicalize_name(name)] for name in names]


def torch_first(torch: str) -> list[tuple[str, ...]]:
    """Return the installation of torch from another package index, where TORCH_INDEX names one."""
    index = os.environ.get("TORCH_INDEX")
    return [("--index-url", index, torch)] if index else []
