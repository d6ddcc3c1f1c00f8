"""Carry the repository's public address from pyproject.toml to wherever a reader follows it.

``python tools/address.py`` rewrites README.md and the notebooks; ``make address`` calls it. Doing
it twice changes nothing.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from notebooks import ROOT, course_notebooks, read, tags, write

GITHUB = "https://github.com/"

# What stands before and after OWNER/REPO in each address that a reader follows. A plain link to
# GitHub is not among them, since it may well lead to somebody else's project.
_BINDER = ("https://mybinder.org/v2/gh/", "/HEAD?urlpath=lab/tree/notebooks/")
_COLAB = ("https://colab.research.google.com/github/", "/blob/main/notebooks/")
_PIP = (f"git+{GITHUB}", "")
_CLONE = (f"git clone {GITHUB}", "")
_SHAPES = (_BINDER, _COLAB, _PIP, _CLONE)
_NAME = r"[A-Za-z0-9_.-]*[A-Za-z0-9_-]"  # a full stop after it ends a sentence


class Repository(NamedTuple):
    """A repository on GitHub."""

    owner: str
    name: str

    @property
    def url(self) -> str:
        """Its address."""
        return f"{GITHUB}{self.owner}/{self.name}"


def repository(root: Path = ROOT) -> Repository:
    """Return the repository that pyproject.toml names.

    Raises
    ------
    ValueError
        If ``[project.urls] Repository`` is not the address of a repository on GitHub.
    """
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    url = settings["project"]["urls"]["Repository"]
    bare = url.removesuffix("/").removesuffix(".git")
    match = re.fullmatch(rf"{re.escape(GITHUB)}({_NAME})/({_NAME})", bare)
    if match is None:
        raise ValueError(
            f"pyproject.toml, [project.urls] Repository: expected {GITHUB}OWNER/REPO, got {url!r}"
        )
    return Repository(match[1], match[2])


def binder_url(repo: Repository, notebook: str) -> str:
    """Return the address that opens a notebook, given by its file's name, on Binder."""
    return f"{_BINDER[0]}{repo.owner}/{repo.name}{_BINDER[1]}{notebook}"


def colab_url(repo: Repository, notebook: str) -> str:
    """Return the address that opens a notebook, given by its file's name, on Colab."""
    return f"{_COLAB[0]}{repo.owner}/{repo.name}{_COLAB[1]}{notebook}"


def badges(repo: Repository, notebook: str) -> str:
    """Return the Markdown of the two badges that open a notebook, given by its file's name."""
    return (
        "[![Open in Binder](https://mybinder.org/badge_logo.svg)]"
        f"({binder_url(repo, notebook)})\n"
        "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
        f"({colab_url(repo, notebook)})"
    )


def launch_links(repo: Repository, notebook: str) -> str:
    """Return the Markdown of the line in a notebook that opens it elsewhere.

    Plain links: a badge is a picture from another host, which an open notebook must not ask.
    """
    return (
        f"[Open in Binder]({binder_url(repo, notebook)}) · "
        f"[Open in Colab]({colab_url(repo, notebook)})"
    )


def setup_cell(repo: Repository) -> str:
    """Return the source of the set-up cell, the same in every notebook."""
    return (
        "# Set-up. Where the course is not installed (on Colab), this installs it once\n"
        "# and leaves torch as it is.\n"
        "try:\n"
        "    import autodiff_course\n"
        "except ModuleNotFoundError:\n"
        f'    %pip install --quiet "autodiff-course @ git+{repo.url}"\n'
        "    import autodiff_course\n"
        "\n"
        "autodiff_course.seed(0)"
    )


def _addresses(text: str, replace: Callable[[re.Match], str]) -> str:
    for before, after in _SHAPES:
        pattern = rf"({re.escape(before)})({_NAME}/{_NAME})({re.escape(after)})"
        text = re.sub(pattern, replace, text)
    return text


def readdressed(text: str, repo: Repository) -> str:
    """Return a text in which every badge, pip and clone address leads to `repo`."""
    return _addresses(text, lambda match: f"{match[1]}{repo.owner}/{repo.name}{match[3]}")


def owners_named(text: str) -> set[str]:
    """Return every OWNER/REPO that a badge, pip or clone address of a text leads to."""
    found: set[str] = set()

    def note(match: re.Match) -> str:
        found.add(match[2])
        return match[0]

    _addresses(text, note)
    return found


def _rewrite_readme(root: Path, repo: Repository) -> list[Path]:
    path = root / "README.md"
    old = path.read_text(encoding="utf-8")
    new = readdressed(old, repo)
    if new == old:
        return []
    path.write_text(new, encoding="utf-8", newline="\n")
    return [path]


def _rewrite_notebook(path: Path, repo: Repository) -> list[Path]:
    nb = read(path)
    for cell in nb.cells:
        if "setup" in tags(cell):
            cell.source = setup_cell(repo)
        elif cell.cell_type == "markdown":
            cell.source = readdressed(cell.source, repo)
    return [path] if write(nb, path) else []


def rewrite(root: Path = ROOT) -> list[Path]:
    """Make README.md and every notebook agree with pyproject.toml.

    Returns
    -------
    list of Path
        The files that changed.
    """
    repo = repository(root)
    changed = _rewrite_readme(root, repo)
    for path in course_notebooks(root):
        changed += _rewrite_notebook(path, repo)
    return changed


def disagreements(root: Path = ROOT) -> list[str]:
    """Return, in words, where README.md or a notebook does not agree with pyproject.toml."""
    repo = repository(root)
    right = f"{repo.owner}/{repo.name}"
    faults = []
    for path in [root / "README.md", *course_notebooks(root)]:
        for named in sorted(owners_named(path.read_text(encoding="utf-8")) - {right}):
            faults.append(f"{path.name}: an address leads to {named}, expected {right}")
    for path in course_notebooks(root):
        for cell in read(path).cells:
            if "setup" in tags(cell) and cell.source != setup_cell(repo):
                faults.append(f"{path.name}: the set-up cell is not the one of tools/address.py")
    return faults


def main() -> int:
    """Rewrite, say what changed, and return the exit status."""
    changed = rewrite()
    for path in changed:
        print(f"written: {path.relative_to(ROOT)}")
    if not changed:
        print(f"unchanged: every address leads to {repository().url}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
