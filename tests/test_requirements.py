"""The pins of the requirements files, environment.yml and the ranges of pyproject.toml agree."""

import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from notebooks import ROOT

# The conda name of a package, where it is not the same.
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


def requirements_of(text):
    """Name → requirement, from the lines of a requirements file."""
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    requirements = [Requirement(line) for line in lines if line]
    return {canonicalize_name(r.name): r for r in requirements}


def pinned_version(requirement):
    specifiers = list(requirement.specifier)
    assert len(specifiers) == 1 and specifiers[0].operator == "==", f"not a pin: {requirement}"
    return specifiers[0].version


def pins_of_requirements(text):
    return {name: pinned_version(r) for name, r in requirements_of(text).items()}


def pins_of_environment(text):
    """Name as pip knows it → version, for all but Python, pip and the course itself."""
    to_pip = {conda: pip for pip, conda in CONDA_NAMES.items()}
    pins = {}
    for entry in yaml.safe_load(text)["dependencies"]:
        if isinstance(entry, dict):
            lines = [line for line in entry["pip"] if line != "-e ."]
            pins |= pins_of_requirements("\n".join(lines))
        elif entry.split("=")[0] not in ("python", "pip"):
            name, version = entry.split("=")[:2]
            pins[to_pip.get(name, name)] = version
    return pins


def ranges_of_pyproject(text):
    dependencies = tomllib.loads(text)["project"]["dependencies"]
    return requirements_of("\n".join(dependencies))


def differences(requirements, environment, pyproject):
    """Every disagreement between the texts of the three files, in words."""
    pinned = pins_of_requirements(requirements)
    conda = pins_of_environment(environment)
    found = [
        f"{name}: requirements.txt {pinned.get(name)}, environment.yml {conda.get(name)}"
        for name in sorted(pinned.keys() | conda.keys())
        if pinned.get(name) != conda.get(name)
    ]
    for name, requirement in ranges_of_pyproject(pyproject).items():
        if name not in pinned:
            found.append(f"{name}: pyproject.toml needs it, requirements.txt does not pin it")
        elif not requirement.specifier.contains(pinned[name]):
            found.append(f"{name}: the pin {pinned[name]} is not in {requirement.specifier}")
    return found


def texts():
    names = ("requirements.txt", "environment.yml", "pyproject.toml")
    return [(ROOT / name).read_text(encoding="utf-8") for name in names]


def test_the_three_files_agree():
    assert differences(*texts()) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        (0, "torch==2.13.0", "torch==2.12.0", "torch: requirements.txt 2.12.0, environment.yml 2."),
        (1, "numpy=2.4.6", "numpy=2.4.5", "numpy: requirements.txt 2.4.6, environment.yml 2.4.5"),
        (1, "torchviz==0.0.3", "torchviz==0.0.2", "torchviz: requirements.txt 0.0.3, environment"),
        (1, "  - sympy=1.14.0", "  # -", "sympy: requirements.txt 1.14.0, environment.yml None"),
        (0, "sympy==", "# sympy==", "sympy: requirements.txt None, environment.yml 1.14.0"),
        (
            1,
            "  - pip  #",
            "  - pandas=1.17.1  #",
            "pandas: requirements.txt None, environment.yml 1",
        ),
        (
            1,
            "  - pip  #",
            "  - ruff=0.1.0  #",
            "ruff: requirements.txt None, environment.yml 0.1.0",
        ),
        (2, "numpy>=2.0", "numpy>=2.5", "numpy: the pin 2.4.6 is not in >=2.5"),
        (
            2,
            '"numpy>=2.0"',
            '"pandas>=1"',
            "pandas: pyproject.toml needs it, requirements.txt does",
        ),
    ],
)
def test_a_planted_disagreement_is_found(file, old, new, expected):
    contents = texts()
    assert old in contents[file]
    contents[file] = contents[file].replace(old, new, 1)
    assert [d for d in differences(*contents) if d.startswith(expected)]


def test_what_only_developers_need_is_pinned_once_and_not_given_to_readers():
    developers = pins_of_requirements((ROOT / "requirements-dev.txt").read_text(encoding="utf-8"))
    assert "pytest" in developers
    assert developers.keys() & pins_of_requirements(texts()[0]).keys() == set()


def test_a_range_is_not_taken_for_a_pin():
    with pytest.raises(AssertionError, match="not a pin: numpy>=2"):
        pins_of_requirements("numpy>=2")


def test_pyproject_has_lower_bounds_only():
    # An upper bound would make pip replace the torch that a hosted notebook service brings.
    for requirement in ranges_of_pyproject(texts()[2]).values():
        assert {s.operator for s in requirement.specifier} == {">="}, str(requirement)


def test_every_dependency_says_why_it_is_there():
    for name in ("requirements.txt", "requirements-dev.txt", "environment.yml"):
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            if re.match(r"\S+==|\s+- [^:]*$", line) and "conda-forge" not in line:
                assert re.search(r"  # \S", line), f"{name}: no reason in {line!r}"


def test_the_environment_installs_the_course_and_the_cpu_build_from_one_channel():
    environment = yaml.safe_load(texts()[1])
    assert environment["channels"] == ["conda-forge"]
    assert environment["dependencies"][-1]["pip"][-1] == "-e ."
    assert any(re.match(r"pytorch=[\d.]+=cpu", str(e)) for e in environment["dependencies"])
