"""The repository's address stands in pyproject.toml, and everything else agrees with it."""

import shutil
import subprocess

import nbformat
import pytest

import address
from address import Repository, disagreements, readdressed, repository, rewrite, setup_cell
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
    links = address.launch_links(repo, "99_last.ipynb")
    title = nbformat.v4.new_markdown_cell(f"# Title\n\n{links}")
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


def test_everything_agrees():
    assert disagreements() == []


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


def test_readme_has_both_badges_of_every_notebook():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in course_notebooks():
        assert address.binder_url(repository(), path.name) in readme
        assert address.colab_url(repository(), path.name) in readme


def test_every_notebook_begins_with_its_own_links():
    for path in course_notebooks():
        title = nbformat.read(path, as_version=4).cells[0].source
        assert address.launch_links(repository(), path.name) in title


def test_a_new_address_is_carried_everywhere(copy):
    change_address(copy, OTHER.url)
    assert disagreements(copy)
    rewrite(copy)
    assert disagreements(copy) == []
    old = f"{repository().owner}/{repository().name}"
    for path in [copy / "README.md", *course_notebooks(copy)]:
        text = path.read_text(encoding="utf-8")
        assert old not in text
        assert f"{OTHER.owner}/{OTHER.name}" in text


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


def test_a_planted_badge_is_found(copy):
    readme = copy / "README.md"
    badge = address.badges(OTHER, "01.ipynb")
    readme.write_text(readme.read_text(encoding="utf-8") + badge, encoding="utf-8")
    right = f"{repository().owner}/{repository().name}"
    assert disagreements(copy) == [
        f"README.md: an address leads to ada-l/course.2, expected {right}"
    ]


def test_a_planted_setup_cell_is_found(copy):
    path = copy / "notebooks/99_last.ipynb"
    edit(path, "leaves torch as it is", "replaces torch")
    assert disagreements(copy) == [
        "99_last.ipynb: the set-up cell is not the one of tools/address.py"
    ]
    rewrite(copy)
    assert read(path).cells[1].source == setup_cell(repository())


def test_links_to_other_projects_are_left_alone():
    text = "See https://github.com/someone/else and [this](https://mybinder.org)."
    assert readdressed(text, OTHER) == text


def test_a_sentence_may_end_with_an_address():
    text = "git clone https://github.com/a/b."
    assert readdressed(text, OTHER) == "git clone https://github.com/ada-l/course.2."


@pytest.mark.parametrize("url", ["https://github.com/", "https://example.org/a/b", "a/b", ""])
def test_an_address_that_is_none_is_refused(copy, url):
    change_address(copy, url)
    with pytest.raises(ValueError, match=r"expected https://github.com/OWNER/REPO, got '"):
        repository(copy)


@pytest.mark.parametrize("ending", ["", "/", ".git"])
def test_the_usual_endings_of_an_address_are_taken(copy, ending):
    change_address(copy, OTHER.url + ending)
    assert repository(copy) == OTHER
