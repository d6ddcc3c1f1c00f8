"""Every notebook of the course: its text, and its committed outputs against a fresh run."""

import ast
import functools
import importlib
import re
from importlib.metadata import version

import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import v4

from autodiff_course.exercises.framework import exercises_in
from environments import dependencies, pins
from notebook_checks import CHECKS, valid_format
from notebooks import ROOT, NotebookFailed, course_notebooks, execute, figures, read, write
from output_comparison import compare_outputs

NOTEBOOKS = course_notebooks()
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@functools.cache
def fresh_run(path):
    """One run of a notebook, shared by the tests that need it."""
    return execute(path)


def test_the_notebooks_are_numbered_without_gaps():
    assert [path.name[:2] for path in NOTEBOOKS] == [
        f"{n:02}" for n in range(1, len(NOTEBOOKS) + 1)
    ]
    assert NOTEBOOKS


@every_notebook
@pytest.mark.parametrize("check", [valid_format, *CHECKS], ids=lambda check: check.__name__)
def test_notebook_is_sound(path, check):
    assert check(read(path)) == []


@every_notebook
def test_it_runs_and_its_claims_hold(path):
    assert fresh_run(path).cells


def versions_are_the_pinned_ones():
    """Whether what the notebooks import is installed as the committed outputs were made with."""
    pinned = pins(requirement.name for requirement in dependencies())
    pairs = (line.split("==") for line in pinned)
    # A CPU build of torch calls itself 2.13.0+cpu; the local part is no other version.
    return all(version(name.split("[")[0]).split("+")[0] == pin for name, pin in pairs)


@every_notebook
@pytest.mark.skipif(
    not versions_are_the_pinned_ones(), reason="other versions word errors in other ways"
)
def test_committed_outputs_are_those_of_a_fresh_run(path):
    assert compare_outputs(read(path), fresh_run(path)) == []


@every_notebook
def test_the_file_has_the_layout_that_the_tools_write(path, tmp_path):
    copy = tmp_path / path.name
    write(read(path), copy)
    assert copy.read_bytes() == path.read_bytes()


# --- What a notebook shares with the rest of the course -------------------------------------------


@every_notebook
def test_the_untouched_exercises_are_those_of_the_package(path):
    module = importlib.import_module(f"autodiff_course.exercises.ex{path.name[:2]}")
    sources = [cell.source for cell in read(path).cells if cell.cell_type == "code"]
    for exercise in exercises_in(module):
        check = f"{exercise.name}.check("
        holding = [source for source in sources if check in source]
        assert len(holding) == 1, f"{len(holding)} cells check {exercise.name}"
        assert exercise.stub in holding[0]


@every_notebook
def test_its_figures_are_those_that_it_shows(path):
    for name, content in figures(read(path)).items():
        assert (ROOT / "figures" / name).read_bytes() == content, f"run `make outputs`: {name}"


def test_every_figure_belongs_to_one_notebook():
    given = [name for path in NOTEBOOKS for name in figures(read(path))]
    assert sorted(given) == sorted(path.name for path in (ROOT / "figures").iterdir())


def test_a_cell_that_is_to_give_a_figure_must_show_one():
    cell = v4.new_code_cell("1 + 1", id="none", metadata={"tags": ["figure:sum"]})
    with pytest.raises(NotebookFailed, match="none"):
        figures(v4.new_notebook(cells=[cell]))


@every_notebook
def test_the_readme_lists_it(path):
    assert f"](notebooks/{path.name})" in (ROOT / "README.md").read_text(encoding="utf-8")


@every_notebook
def test_the_readme_gives_its_reading_time(path):
    (minutes,) = re.findall(r"\*\*Time to read:\*\* (\d+) minutes", read(path).cells[0].source)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (row,) = [line for line in readme.splitlines() if f"](notebooks/{path.name}) | " in line]
    assert f"| {minutes} min |" in row


# --- Notebook 01 needs no torch before the section that introduces it -----------------------------

BLOCK_TORCH = "import sys\nsys.modules['torch'] = None"


def imports_torch(source):
    """Whether the code of a cell imports torch."""
    tree = ast.parse(TransformerManager().transform_cell(source))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            absolute = isinstance(node, ast.ImportFrom) and node.level == 0
            names = [node.module] if absolute else []
        if any(name.split(".")[0] == "torch" for name in names):
            return True
    return False


def before_torch(nb):
    """The cells before the first that imports torch, or all where none does."""
    for index, cell in enumerate(nb.cells):
        if cell.cell_type == "code" and imports_torch(cell.source):
            return nb.cells[:index]
    return nb.cells


def run_without_torch(nb, folder):
    """Run the cells before the first that imports torch, with torch made impossible to import."""
    for name in ("notebooks", "figures"):
        (folder / name).mkdir()
    path = folder / "notebooks" / "copy.ipynb"
    cells = [v4.new_code_cell(BLOCK_TORCH, id="block-torch"), *before_torch(nb)]
    write(v4.new_notebook(cells=cells, metadata=nb.metadata), path)
    return execute(path)


def test_notebook_01_runs_without_torch_up_to_its_section_on_torch(tmp_path):
    nb = read(NOTEBOOKS[0])
    without = before_torch(nb)
    assert len(without) < len(nb.cells), "no cell imports torch"
    assert sum(cell.cell_type == "code" for cell in without) > 3, "torch comes too early"
    run_without_torch(nb, tmp_path)


def test_a_hidden_need_for_torch_is_found(tmp_path):
    cells = [v4.new_code_cell("import importlib\nimportlib.import_module('torch')", id="hidden")]
    with pytest.raises(NotebookFailed, match="torch"):
        run_without_torch(v4.new_notebook(cells=cells), tmp_path)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import torch", True),
        ("def f():\n    from torch.autograd import grad", True),
        ("import numpy, torch.nn as nn", True),
        ("%pip list\nimport numpy", False),
        ("# import torch\n'import torch'", False),
        ("from .torch import a\nimport torchviz", False),
    ],
)
def test_an_import_of_torch_is_recognised(source, expected):
    assert imports_torch(source) is expected
