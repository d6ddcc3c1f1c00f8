"""Run the tests on other versions than the pinned ones.

``python tools/other_versions.py lowest`` takes the lowest versions that pyproject.toml allows,
``newest`` the newest that the package index has; ``make test-lowest`` and ``make test-newest`` call
it. The environment, under build/, is made again when the versions asked for change. What follows
the name goes to pytest.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from environments import Environment, dependencies, pins, torch_first
from notebooks import ROOT

TEST_TOOLS = (
    *("pytest", "pytest-xdist", "hypothesis", "nbmake", "nbclient", "nbformat"),
    *("markdown-it-py", "packaging", "PyYAML"),
)
# These test the tools that keep the course, which are used in their pinned versions only.
OF_TOOLS = (
    *("tests/browser", "tests/test_make_slides.py", "tests/test_slide_plan.py"),
    *("tests/test_makefile.py", "tests/test_repository.py", "tests/test_other_versions.py"),
)
# A warning about a library's own code is no fault of the course on versions it was not made for.
PYTEST = ("-n", "auto", "-o", "filterwarnings=default")


def lowest() -> list[str]:
    """Return ``name==version`` for the lowest version of each dependency that this Python needs.

    Raises
    ------
    ValueError
        If a dependency has no lower bound.
    """
    found = []
    for requirement in dependencies():
        if requirement.marker and not requirement.marker.evaluate():
            continue
        bounds = [s.version for s in requirement.specifier if s.operator == ">="]
        if len(bounds) != 1:
            raise ValueError(f"pyproject.toml: {requirement} has no lower bound")
        found.append(f"{requirement.name}=={bounds[0]}")
    return found


def installations(which: str) -> list[tuple[str, ...]]:
    """Return the arguments of each ``pip install`` that makes an environment."""
    if which == "lowest":
        versions = lowest()
        torch = next(version for version in versions if version.startswith("torch=="))
        return [*torch_first(torch), (*versions, *pins(TEST_TOOLS), "--editable", ".")]
    return [*torch_first("torch"), ("--upgrade", *pins(TEST_TOOLS), "--editable", ".")]


def main(arguments: Sequence[str]) -> int:
    """Make the environment where it is missing, run the tests in it, and return their status."""
    if not arguments or arguments[0] not in ("lowest", "newest"):
        raise SystemExit("usage: python tools/other_versions.py lowest|newest [pytest arguments]")
    which, *chosen = arguments
    environment = Environment(ROOT / "build" / "environments" / which)
    environment.make(*installations(which))
    versions = environment.versions()
    names = [requirement.name for requirement in dependencies()]
    print(*(f"{name} {versions[name]}" for name in names if name in versions), sep=", ", flush=True)
    ignored = [f"--ignore={path}" for path in OF_TOOLS]
    command = [environment.python, "-m", "pytest", *PYTEST, *ignored, *chosen]
    return subprocess.run(command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
