"""Carry the repository's public address from pyproject.toml to wherever a reader follows it.

``python tools/address.py`` rewrites README.md and the notebooks; ``make address`` calls it. Doing
it twice changes nothing. Where there is no public address yet, nothing that leads to one is shown.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

from notebooks import ROOT, course_notebooks, read, tags, write

GITHUB = "https://github.com/"

NAME = r"[A-Za-z0-9_.-]*[A-Za-z0-9_-]"  # a full stop after it ends a sentence
NOT_PUBLIC = (
    "This course has no public address yet, so nothing here opens on Binder or Colab. "
    "Once pyproject.toml has the address, `make address` brings the buttons."
)
# The row of a notebook in README.md's table, and what is before the column of the badges.
_ROW = re.compile(
    r"^(\| \d\d \| .*\(notebooks/(\S+\.ipynb)\) \|.*\| \d+ min \|)[^|\n]*\|?$", re.MULTILINE
)
_HEAD = re.compile(r"^(\| No\. \|.*\| To read \|).*\n(\|---\|---\|---\|---\|).*$", re.MULTILINE)


class Repository(NamedTuple):
    """A repository on GitHub."""

    owner: str
    name: str

    @property
    def url(self) -> str:
        """Its address."""
        return f"{GITHUB}{self.owner}/{self.name}"

    @property
    def is_public(self) -> bool:
        """Whether it can exist: no owner on GitHub has an underscore in the name."""
        return "_" not in self.owner


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
    match = re.fullmatch(rf"{re.escape(GITHUB)}({NAME})/({NAME})", bare)
    if match is None:
        raise ValueError(
            f"pyproject.toml, [project.urls] Repository: expected {GITHUB}OWNER/REPO, got {url!r}"
        )
    return Repository(match[1], match[2])


def binder_url(repo: Repository, notebook: str) -> str:
    """Return the address that opens a notebook, given by its file's name, on Binder."""
    return (
        f"https://mybinder.org/v2/gh/{repo.owner}/{repo.name}"
        f"/HEAD?urlpath=lab/tree/notebooks/{notebook}"
    )


def colab_url(repo: Repository, notebook: str) -> str:
    """Return the address that opens a notebook, given by its file's name, on Colab."""
    return (
        f"https://colab.research.google.com/github/{repo.owner}/{repo.name}"
        f"/blob/main/notebooks/{notebook}"
    )


def badges(repo: Repository, notebook: str) -> str:
    """Return the Markdown of the two badges that open a notebook, given by its file's name."""
    return (
        "[![Open in Binder](https://mybinder.org/badge_logo.svg)]"
        f"({binder_url(repo, notebook)}) "
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


def rewritten_readme(text: str, repo: Repository) -> str:
    """Return README.md with the badges of `repo` in its table, or with a line that says why not."""

    def row(match: re.Match) -> str:
        return f"{match[1]} {badges(repo, match[2])} |" if repo.is_public else match[1]

    text = _ROW.sub(row, text.replace(f"{NOT_PUBLIC}\n\n", ""))
    text = _HEAD.sub(r"\1 Open |\n\2---|" if repo.is_public else r"\1\n\2", text)
    if not repo.is_public:
        *_, last = _ROW.finditer(text)
        text = f"{text[: last.end()]}\n\n{NOT_PUBLIC}{text[last.end() :]}"
    return text


def rewritten_title(text: str, repo: Repository, notebook: str) -> str:
    """Return the title cell of a notebook with its links, or without where there are none."""
    heading, *rest = text.split("\n\n")
    rest = [part for part in rest if not part.startswith("[Open in Binder](")]
    links = [launch_links(repo, notebook)] if repo.is_public else []
    return "\n\n".join([heading, *links, *rest])


def _rewrite_readme(root: Path, repo: Repository) -> list[Path]:
    path = root / "README.md"
    old = path.read_text(encoding="utf-8")
    new = rewritten_readme(old, repo)
    if new == old:
        return []
    path.write_text(new, encoding="utf-8", newline="\n")
    return [path]


def _rewrite_notebook(path: Path, repo: Repository) -> list[Path]:
    nb = read(path)
    nb.cells[0].source = rewritten_title(nb.cells[0].source, repo, path.name)
    for cell in nb.cells:
        if "setup" in tags(cell):
            cell.source = setup_cell(repo)
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


def main() -> int:
    """Rewrite, say what changed, and return the exit status."""
    changed = rewrite()
    for path in changed:
        print(f"written: {path.relative_to(ROOT)}")
    if not changed:
        print(f"unchanged: everything agrees with {repository().url}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
