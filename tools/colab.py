"""Run each notebook as on Colab: alone in an empty folder, with Colab's versions of the libraries.

``python tools/colab.py [FILE]`` reads these versions from the output of ``pip freeze`` in FILE, by
default tools/colab_packages.txt; ``make test-colab`` calls it. The set-up cell installs the course
from the last commit of this repository, which git gives it in place of the public address. The
versions of all that was there before must be the same afterwards.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from address import repository
from environments import Environment, dependencies, torch_first
from notebooks import ROOT, course_notebooks

COLAB_PACKAGES = ROOT / "tools" / "colab_packages.txt"
COURSE = "autodiff-course"
# What runs a notebook there is part of Colab too.
KERNEL = ("ipykernel", "ipython", "nbclient", "nbformat")
RUN = """
import sys, time, nbformat, nbclient
nb = nbformat.read(sys.argv[1], 4)
start = time.perf_counter()
nbclient.NotebookClient(nb, timeout=600, resources={"metadata": {"path": "."}}).execute()
print(f"{time.perf_counter() - start:.0f} s")
"""


def colab_versions(text: str) -> list[str]:
    r"""Return ``name==version`` of what the course and its kernel use, from a ``pip freeze``.

    A version's local part, as in ``2.9.0+cu126``, is left out, and so is what is not listed.

    Examples
    --------
    >>> colab_versions("numpy==2.0.2\ntorch @ https://host/cu126/torch-2.9.0%2Bcu126-cp312.whl")
    ['torch==2.9.0', 'numpy==2.0.2']
    """
    listed = {}
    for line in text.splitlines():
        plain = re.match(r"([\w.-]+)==([^+\s#]+)", line)
        wheel = re.match(r"([\w.-]+) @ .*/[\w.]+-([\d.]+)[^/]*\.whl", line)
        if found := plain or wheel:
            listed[canonicalize_name(found[1])] = found[2]
    names = [requirement.name for requirement in dependencies()] + list(KERNEL)
    return [f"{name}=={listed[name]}" for name in map(canonicalize_name, names) if name in listed]


def with_address_of(clone: str) -> dict[str, str]:
    """Return environment variables with which git takes `clone` for the public address."""
    hidden = {"PYTHONPATH", "VIRTUAL_ENV"}
    variables = {name: value for name, value in os.environ.items() if name not in hidden}
    here = {
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": f"url.{clone}.insteadOf",
        "GIT_CONFIG_VALUE_0": repository().url,
        "GIT_CONFIG_KEY_1": "protocol.file.allow",
        "GIT_CONFIG_VALUE_1": "always",
    }
    return variables | here


def run_alone(notebook: Path, environment: Environment, variables: dict[str, str]) -> str:
    """Run a copy of a notebook in an empty folder, and return how long it took."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(notebook, folder)
        programs = f"{environment.python.parent}{os.pathsep}{os.environ['PATH']}"
        command = [environment.python, "-c", RUN, notebook.name]
        done = subprocess.run(
            command,
            cwd=folder,
            env=variables | {"PATH": programs},
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise RuntimeError(f"{notebook.name} failed:\n{done.stderr}")
    return done.stdout.strip()


def changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return, in words, what an installation did to the versions that were there before."""
    return [
        f"{name} {version} became {after.get(name, 'absent')}"
        for name, version in before.items()
        if after.get(name) != version
    ]


def uninstall(environment: Environment, names: Sequence[str]) -> None:
    """Take packages away, and what pip leaves of the course: its compiled functions."""
    if names:
        environment.pip("uninstall", "--yes", *names)
    for folder in environment.folder.glob("**/site-packages/autodiff_course"):
        shutil.rmtree(folder)


def main(arguments: Sequence[str]) -> int:
    """Run every notebook, say what came of it, and return the exit status."""
    path = Path(arguments[0]) if arguments else COLAB_PACKAGES
    versions = colab_versions(path.read_text(encoding="utf-8"))
    torch = next((version for version in versions if version.startswith("torch==")), None)
    if torch is None:
        raise SystemExit(f"{path}: names no version of torch")
    if shutil.which("dot"):
        print("note: this machine has Graphviz' dot, which Colab's notebooks must do without")
    environment = Environment(ROOT / "build" / "environments" / "colab")
    environment.make(*torch_first(torch), (*versions, "nbclient"))
    uninstall(environment, environment.added())  # left behind by a run that was interrupted
    variables = with_address_of(ROOT.as_uri())
    before = environment.versions()
    print("as on Colab:", *versions, sep=" ", flush=True)
    failed = False
    for notebook in course_notebooks():
        faults = []
        try:
            print(notebook.name, run_alone(notebook, environment, variables), flush=True)
        except RuntimeError as error:
            faults.append(str(error))
        after = environment.versions()
        faults += changes(before, after)
        added = environment.added()
        if COURSE not in added:
            faults.append("the set-up cell did not install the course")
        print("  added:", *added)
        print(*(f"  FAULT: {fault}" for fault in faults), sep="\n", end="\n" * bool(faults))
        failed |= bool(faults)
        uninstall(environment, added)  # so that the next notebook starts without the course, too
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
