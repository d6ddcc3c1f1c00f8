"""The glossary, and the links from the notebooks to it."""

import re

import pytest

from notebooks import ROOT, course_notebooks, read

GLOSSARY = ROOT / "docs" / "glossary.md"
TAUGHT = re.compile(r"Taught in \[notebook (\d\d)\]\(\.\./notebooks/(\1_\w+\.ipynb)\)\.$")
LINK = re.compile(r"\]\(\.\./docs/glossary\.md(?:#([^)]*))?\)")


def anchor(heading):
    """The anchor that GitHub and the site make of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower().replace(" ", "-"))


def entries():
    """Every term with what is said about it."""
    parts = re.split(r"^## ", GLOSSARY.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {
        term.strip(): text.strip() for term, _, text in (part.partition("\n") for part in parts)
    }


ENTRIES = entries()
ANCHORS = {anchor(term) for term in ENTRIES}


def linked_from(path):
    """The anchors in the glossary that a notebook links to, in its order."""
    cells = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    return [found for source in cells for found in LINK.findall(source)]


def test_the_terms_are_in_alphabetical_order():
    keys = [re.sub(r"[-–_]", " ", term).replace("'", "").casefold() for term in ENTRIES]
    assert keys == sorted(keys)


def test_no_two_terms_share_an_anchor():
    assert len(ANCHORS) == len(ENTRIES) > 60


@pytest.mark.parametrize("term", ENTRIES)
def test_a_term_is_short_and_says_where_it_is_taught(term):
    text = ENTRIES[term]
    assert len(text.split()) < 80
    taught = TAUGHT.search(text)
    assert taught or text.endswith("Listed for reference.")
    if taught:
        assert (ROOT / "notebooks" / taught[2]).is_file()


@pytest.mark.parametrize("term", ENTRIES)
def test_a_term_leads_to_others_that_exist(term):
    assert set(re.findall(r"\]\(#([^)]*)\)", ENTRIES[term])) <= ANCHORS - {anchor(term)}


@pytest.mark.parametrize("path", course_notebooks(), ids=lambda path: path.stem)
def test_a_notebook_links_to_terms_that_exist_and_to_each_once(path):
    found = linked_from(path)
    assert set(found) <= ANCHORS
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("path", course_notebooks(), ids=lambda path: path.stem)
def test_a_notebook_links_to_every_term_that_it_teaches(path):
    taught = {
        anchor(term)
        for term, text in ENTRIES.items()
        if (where := TAUGHT.search(text)) and where[2] == path.name
    }
    assert taught <= set(linked_from(path))
