"""The repository's address stands in pyproject.toml, and everything else agrees with it."""

import shutil
import subprocess

import nbformat
import pytest

import address
from address import NOT_PUBLIC, Repository, repository, rewrite, setup_cell
from notebooks import ROOT, course_notebooks, read, write

OTHER = Repository("ada-l", "course.2")


@pytest.fixture
def copy(tmp_path):
    """A copy of every file that holds the address, and one notebook more."""
    (tmp_path / "notebooks").mkdir()
    for path in [ROOT / "pyproject.toml", ROOT / "README.md", *course_notebooks()]:
        shutil.copy2(path, tmp_path / path.relative_to(ROOT))
    repo = repository()
    setup = nbformat.v4.new_code_cell(setup_cell(repo), metadata={"tags": ["setup"]})
    title = nbformat.v4.new_markdown_cell("# Title\n\nA promise.")
    nb = nbformat.v4.new_notebook(cells=[title, setup])
    write(nb, tmp_path / "notebooks/99_last.ipynb")
    return tmp_path


def change_address(folder, new):
    path = folder / "pyproject.toml"
    text = path.read_text(encoding="utf-8")
    assert repository().url in text
    path.write_text(text.replace(repository().url, new), encoding="utf-8")


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_everything_agrees(copy):
    assert rewrite(copy) == []


def test_the_address_stands_nowhere_else():
    """Files other than README.md and the notebooks would be missed by the rewriting."""
    repo = repository()
    search = subprocess.run(
        ["git", "grep", "--untracked", "--files-with-matches", "--fixed-strings"]
        + [f"{repo.owner}/{repo.name}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if search.returncode not in (0, 1):
        pytest.skip("not a git repository")
    notebooks = {path.relative_to(ROOT).as_posix() for path in course_notebooks()}
    assert set(search.stdout.split()) <= {"pyproject.toml", "README.md"} | notebooks


def test_without_a_public_address_no_button_leads_nowhere(copy):
    change_address(copy, "https://github.com/not_set/course")
    rewrite(copy)
    for path in [copy / "README.md", *course_notebooks(copy)]:
        text = path.read_text(encoding="utf-8")
        assert "mybinder.org/v2" not in text and "colab.research" not in text
    readme = (copy / "README.md").read_text(encoding="utf-8")
    assert readme.count(NOT_PUBLIC) == 1
    assert "| Open |" not in readme and "min | |" not in readme  # no column without anything in it


def test_a_public_address_brings_every_button(copy):
    change_address(copy, OTHER.url)
    rewrite(copy)
    readme = (copy / "README.md").read_text(encoding="utf-8")
    assert NOT_PUBLIC not in readme
    assert "| To read | Open |\n|---|---|---|---|---|\n" in readme
    for path in course_notebooks():
        assert address.badges(OTHER, path.name) in readme
    for path in course_notebooks(copy):
        cells = read(path).cells
        assert cells[0].source.split("\n\n")[1] == address.launch_links(OTHER, path.name)
        (setup,) = [cell for cell in cells if "setup" in cell.metadata.get("tags", [])]
        assert f'git+{OTHER.url}"' in setup.source


def test_rewriting_twice_changes_nothing(copy):
    change_address(copy, OTHER.url)
    assert rewrite(copy)
    assert rewrite(copy) == []


def test_rewriting_there_and_back_gives_the_same_files(copy):
    files = [copy / "README.md", *course_notebooks(copy)]
    before = [path.read_bytes() for path in files]
    change_address(copy, OTHER.url)
    rewrite(copy)
    shutil.copy2(ROOT / "pyproject.toml", copy)
    rewrite(copy)
    assert [path.read_bytes() for path in files] == before


def test_a_planted_fault_is_found_and_mended(copy):
    last = copy / "notebooks/99_last.ipynb"
    edit(last, "leaves torch as it is", "replaces torch")
    readme = copy / "README.md"
    edit(readme, NOT_PUBLIC, NOT_PUBLIC.replace("no public", "a public"))
    assert rewrite(copy) == [readme, last]
    assert read(last).cells[1].source == setup_cell(repository())


@pytest.mark.parametrize("url", ["https://github.com/", "https://example.org/a/b", "a/b", ""])
def test_an_address_that_is_none_is_refused(copy, url):
    change_address(copy, url)
    with pytest.raises(ValueError, match=r"expected https://github.com/OWNER/REPO, got '"):
        repository(copy)


@pytest.mark.parametrize("ending", ["", "/", ".git"])
def test_the_usual_endings_of_an_address_are_taken(copy, ending):
    change_address(copy, OTHER.url + ending)
    assert repository(copy) == OTHER
