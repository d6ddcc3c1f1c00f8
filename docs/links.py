"""The links of the site's pages: where they lead there, and words that become links.

The site has the layout of the repository, except that the pages of docs/ lie at its top.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from notebook_pages import Book

# The target of a link or a picture in Markdown, where it is neither an address nor an anchor.
_RELATIVE_TARGET = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")
# A badge in a link: its picture lies on another host, which no page of the site may ask.
_BADGE = re.compile(r"\[!\[([^\]]*)\]\(https?:[^)]*\)\]")
# What is no running text: code, pictures and links, tags, formulas, headings.
_NO_TEXT = re.compile(
    r"(```[\s\S]*?```|`[^`]*`|!?\[[^\]]*\]\([^)]*\)|<[^>]+>|\$\$[\s\S]*?\$\$|\$[^$]*\$|^#[^\n]*)",
    re.MULTILINE,
)
_LIST = r"(?:(?:, | and | to |–){0})*"
_NOTEBOOKS = re.compile(r"\b[Nn]otebooks?\s(0[1-9])" + _LIST.format(r"0[1-9]"))
_SECTIONS = re.compile(
    r"\b[Ss]ections?\s(\d+)" + _LIST.format(r"\d+") + r"\b(?!\.\d|\s(?:of|in)\s(?:notebook|the))"
)
_ANCHORED = re.compile(r"\]\((?:[^)\s]*?(\d\d_\w+)\.ipynb)?#([^)\s]+)\)")


def place_on_site(path: PurePosixPath) -> PurePosixPath:
    """Return where a file of the repository stands on the site."""
    return path.relative_to("docs") if path.is_relative_to("docs") else path


def relinked(text: str, page: str, repository_url: str) -> str:
    """Return a Markdown text whose relative links suit the layout of the site.

    Parameters
    ----------
    text : str
        The text.
    page : str
        The path of the file that it comes from, relative to the repository.
    repository_url : str
        The address of the repository, which has the files that the site has not.
    """
    folder = PurePosixPath(page).parent

    def moved(match: re.Match) -> str:
        target = PurePosixPath(posixpath.normpath(folder / match[1]))
        if target.parts[0] not in ("docs", "figures", "notebooks"):
            return f"{repository_url}/blob/main/{target}"
        return posixpath.relpath(place_on_site(target), place_on_site(PurePosixPath(page)).parent)

    return _RELATIVE_TARGET.sub(moved, text)


def without_badges(text: str) -> str:
    """Return a Markdown text in which a badge is replaced by the text that it stands for."""
    return _BADGE.sub(r"[\1]", text)


class Links:
    """Puts links into the texts of the site: to notebooks, and to the pages of their sections."""

    def __init__(self, books: list[Book]) -> None:
        self.books = {book.stem: book for book in books}
        self.by_number = {book.stem[:2]: book for book in books}

    def put(self, text: str, page: str, own: Book | None = None) -> str:
        """Return a Markdown text with links for words, and with anchors where they now are.

        Parameters
        ----------
        text : str
            The text.
        page : str
            The path of its file, relative to the repository.
        own : Book, optional
            The notebook that it belongs to, to which "section 3" leads.
        """
        root = posixpath.relpath("notebooks", PurePosixPath(page).parent)

        def target(place: str) -> str:
            return posixpath.normpath(posixpath.join(root, place))

        def moved(match: re.Match) -> str:
            book = self.books.get(match[1]) if match[1] else own
            place = book and book.anchor(match[2])
            return f"]({target(place)})" if place else match[0]

        def notebook(number: str) -> str | None:
            book = self.by_number.get(number)
            return target(f"{book.stem}.ipynb") if book and book is not own else None

        def section(number: str) -> str | None:
            place = own and own.section(number)
            return target(place) if place else None

        parts = _NO_TEXT.split(_ANCHORED.sub(moved, text))
        for index in range(0, len(parts), 2):
            part = _NOTEBOOKS.sub(lambda match: _linked(match, notebook), parts[index])
            if own:
                part = _SECTIONS.sub(lambda match: _linked(match, section), part)
            parts[index] = part
        return "".join(parts)


def _linked(match: re.Match, place: Callable[[str], str | None]) -> str:
    """Return words with a link: the whole where they name one thing, else each number."""
    numbers = re.findall(r"\d+", match[0])
    if len(numbers) == 1:
        return f"[{match[0]}]({place(numbers[0])})" if place(numbers[0]) else match[0]
    return re.sub(r"\d+", lambda n: f"[{n[0]}]({to})" if (to := place(n[0])) else n[0], match[0])
