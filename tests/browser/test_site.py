"""The course's web site, built as `make site` builds it and looked at in a real browser."""

import ast
import html.parser
import importlib
import posixpath
import re
from urllib.parse import unquote, urlsplit

import pytest
from PIL import Image

from address import Repository, binder_url, colab_url, repository
from notebooks import ROOT, course_notebooks

from .conftest import NARROW

PACKAGE = ROOT / "src" / "autodiff_course"
REPOSITORY = repository()
NOTEBOOKS = [f"notebooks/{path.stem}.html" for path in course_notebooks()]
WRITTEN = [
    path.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
    for kind in ("*.md", "*.rst")
    for path in sorted((ROOT / "docs").rglob(kind))
]
MADE = ["404.html", "genindex.html", "py-modindex.html", "search.html", "_modules/index.html"]
# The other pages of source code differ from this one in nothing but the code.
SOURCE = "_modules/autodiff_course/graph.html"
PAGES = [*WRITTEN, *NOTEBOOKS, *MADE, SOURCE]
# One page of each kind: what is beside the text of a page, and its colours, are always the same.
KINDS = ["index.html", "glossary.html", "api/graph.html", NOTEBOOKS[0], "search.html", SOURCE]
DARK = ["glossary.html", "api/graph.html", NOTEBOOKS[1], SOURCE]
COMPUTING = ["walk.html", "live.html"]


# --- Reading pages --------------------------------------------------------------------------------


class Page(html.parser.HTMLParser):
    """The parts of a page that lead, or load, from somewhere."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.loads, self.pictures, self.meta = set(), [], [], [], {}
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids.add(given.get("id"))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") not in ("canonical", "next", "prev"):
            self.loads.append(given["href"])
        elif tag == "meta" and "content" in given:
            self.meta[given.get("name") or given.get("property")] = given["content"]
        elif tag in ("script", "img", "iframe", "source") and "src" in given:
            self.loads.append(given["src"])
        if tag == "img":
            self.pictures.append(given)


@pytest.fixture(scope="session")
def pages(site):
    """Every page of the site, by its place."""
    found = {path.relative_to(site).as_posix(): path for path in sorted(site.rglob("*.html"))}
    return {name: Page(path) for name, path in found.items() if not name.startswith("_static/")}


def target(name, link):
    """The place on the site and the anchor that a link on a page leads to; None to another host."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    place = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parts.path)))
    return place if parts.path else name, unquote(parts.fragment)


def test_the_pages_are_those_that_are_looked_at(pages):
    seen = [name for name in pages if name == SOURCE or not name.startswith("_modules/a")]
    assert sorted(seen) == sorted(PAGES)


def test_every_link_on_the_site_leads_somewhere(site, pages):
    lost = []
    for name, page in pages.items():
        for link in page.links + page.loads:
            path, anchor = target(name, link) or (name, "")
            anchors = pages[path].ids if path in pages else {anchor}
            if not (site / path).is_file() or anchor not in anchors | {""}:
                lost.append((name, link))
    assert not lost


def test_no_page_loads_anything_from_another_host(site, pages):
    foreign = {
        (name, place)
        for name, page in pages.items()
        for place in page.loads
        if not place.startswith("data:") and target(name, place) is None
    }
    assert not foreign
    for sheet in site.rglob("*.css"):
        assert not re.findall(r"url\(['\"]?(?:https?:)?//[^)]*", sheet.read_text()), sheet


def test_every_picture_has_alt_text(pages):
    for name, page in pages.items():
        for picture in page.pictures:
            if "logo__image" in picture.get("class", ""):
                assert picture["alt"] == "", "its link has a text of its own"
            else:
                assert picture.get("alt", "").strip(), f"{name}: {picture}"


def test_the_notebooks_stand_in_their_order(pages):
    links = [link for link in pages["index.html"].links if link in NOTEBOOKS]
    assert list(dict.fromkeys(links)) == NOTEBOOKS


@pytest.mark.parametrize("name", ["index.html", "teaching.html", *NOTEBOOKS])
def test_buttons_lead_out_where_there_is_a_public_address_and_only_there(pages, name):
    links = [urlsplit(link).netloc for link in pages[name].links]
    assert ("mybinder.org" in links) == (REPOSITORY.is_public and name in NOTEBOOKS)
    if not REPOSITORY.is_public:
        assert not [link for link in pages[name].links if link.startswith(REPOSITORY.url)]


def test_buttons_open_the_notebook_itself(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    course_site = pytest.importorskip("course_site")
    public = Repository("ada-l", "course")
    monkeypatch.setattr(course_site, "repository", lambda root: public)
    source = {"text": "Edit", "url": f"{public.url}/edit/main/docs/notebooks/x.ipynb"}
    buttons = [{"text": "Binder", "url": "?"}, {"text": "Colab", "url": "?"}, source]
    context = {"header_buttons": [{"label": "launch-buttons", "buttons": buttons}]}
    course_site.correct_buttons(None, "notebooks/x", "", context, None)
    assert [button["url"] for button in context["header_buttons"][0]["buttons"]] == [
        binder_url(public, "x.ipynb"),
        colab_url(public, "x.ipynb"),
        f"{public.url}/edit/main/notebooks/x.ipynb",
    ]


def test_every_page_says_what_it_is_about(site, pages):
    described = {name: page for name, page in pages.items() if name != "404.html"}
    for name, page in described.items():
        assert 20 < len(page.meta["description"]) < 310, name
        assert page.meta["og:description"] == page.meta["description"]
        assert page.meta["og:title"], name
        assert page.meta["og:image"].endswith("/_static/card.png")
    written = [described[name].meta["description"] for name in [*WRITTEN, *NOTEBOOKS]]
    assert len(set(written)) == len(written)
    with Image.open(site / "_static" / "card.png") as card:
        assert card.size == (1200, 630)


def public_names():
    """Every module of the package that names its public things, and these."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        for statement in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(statement, ast.Assign) and ast.unparse(statement.targets) == "__all__":
                yield module, ast.literal_eval(statement.value)


def test_every_public_name_is_in_the_reference(pages):
    documented = {i for name, page in pages.items() if name.startswith("api/") for i in page.ids}
    for module, names in public_names():
        package = module.rpartition(".")[0]
        for name in names:
            # A name that its package hands on is described there, under that shorter name.
            places = {f"{module}.{name}", f"{package}.{name}"}
            # What torch itself makes, torch describes.
            made_by = getattr(getattr(importlib.import_module(module), name), "__module__", "")
            if name != "TooDense" and not str(made_by).startswith("torch."):  # (handed on twice)
                assert places & documented, f"{module}.{name}"


def test_search_knows_the_words_of_the_course(site):
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert all(f'"{word}"' in index or f"{word}:" in index for word in ("adjoint", "tangent"))


# --- In the browser -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_sound_and_fits_a_telephone(visitor, name):
    visitor.open(name, NARROW)
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    formulas = visitor.page.locator(".math").count()
    assert visitor.page.locator(".math mjx-container").count() == formulas
    assert visitor.page.locator("mjx-merror").count() == 0
    assert visitor.violations() == []
    assert visitor.faults == []


@pytest.mark.parametrize("name", [*KINDS, *COMPUTING])
def test_a_page_is_open_to_all_on_a_wide_screen(visitor, name):
    visitor.open(name)
    assert visitor.violations(code=True) == []


@pytest.mark.parametrize("name", [*DARK, *COMPUTING])
def test_a_page_can_be_read_on_a_dark_ground(visitor, name):
    visitor.open(name, theme="dark")
    assert visitor.page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert visitor.violations("color-contrast", code=True) == []


def test_buttons_have_names(visitor):
    visitor.open(NOTEBOOKS[0])
    names = ["Download this page"]
    if REPOSITORY.is_public:
        names += ["Launch interactive content", "Source repositories"]
    for name in names:
        assert visitor.page.get_by_role("button", name=name).count() == 1


def test_search_finds_adjoint(visitor):
    visitor.open("search.html?q=adjoint")
    results = visitor.page.locator("#search-results li a")
    results.first.wait_for(timeout=20_000)
    visitor.page.wait_for_function("document.querySelectorAll('#search-results li').length > 5")
    found = " ".join(results.all_inner_texts())
    assert "Forward and reverse mode" in found
    assert "Glossary" in found
    assert visitor.faults == []


@pytest.mark.parametrize("folder", ["", f"/{REPOSITORY.name}"])
def test_the_page_for_what_is_missing_leads_back_from_any_depth(visitor, folder):
    visitor.open(f"{folder.lstrip('/')}/no/such/page.html".lstrip("/"))
    for link in visitor.page.locator("main a").all():
        url = link.evaluate("link => link.href")
        assert url.startswith(f"{visitor.address}{folder}/"), url
    visitor.page.locator("main a").first.click()
    assert visitor.page.url == f"{visitor.address}{folder}/index.html"
    assert "Automatic differentiation" in visitor.page.title()
