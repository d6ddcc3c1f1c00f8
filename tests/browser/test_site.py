"""The course's web site, built as `make site` builds it and looked at in a real browser."""

import ast
import html.parser
import importlib
import posixpath
import re
from urllib.parse import quote, unquote, urlsplit

import pytest
from PIL import Image

from address import Repository, binder_url, colab_url, repository
from notebooks import ROOT, course_notebooks

from .conftest import NARROW

Links = pytest.importorskip("links").Links
notebook_pages = pytest.importorskip("notebook_pages", reason="the site needs Sphinx and MyST")

PACKAGE = ROOT / "src" / "autodiff_course"
REPOSITORY = repository()
BOOKS = [notebook_pages.Book(path) for path in course_notebooks()]
NOTEBOOKS = [f"notebooks/{book.stem}.html" for book in BOOKS]
PARTS = [f"notebooks/{book.file(page)}.html" for book in BOOKS for page in range(book.length)]
SCREEN = {"width": 1280, "height": 800}
WRITTEN = [
    path.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
    for kind in ("*.md", "*.rst")
    for path in sorted((ROOT / "docs").rglob(kind))
]
MADE = ["404.html", "genindex.html", "py-modindex.html", "search.html", "_modules/index.html"]
# The other pages of source code differ from this one in nothing but the code.
SOURCE = "_modules/autodiff_course/graph.html"
PAGES = [*WRITTEN, *PARTS, *MADE, SOURCE]
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
    own = (name for name in found if not name.startswith(("_static/", "slides/")))
    return {name: Page(found[name]) for name in own}


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
        if parts[-1] != "__init__" and parts[-1].startswith("_"):
            continue  # what it has is handed on by another module
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
    assert not visitor.page.evaluate(TOO_WIDE)
    if name in PARTS:
        visitor.page.set_viewport_size(SCREEN)
        assert (
            visitor.page.evaluate("document.documentElement.scrollHeight") < 10.5 * SCREEN["height"]
        )
        assert not visitor.page.evaluate(TOO_WIDE)
        assert visitor.page.locator(".math[tabindex], .math [tabindex='0']").count() == 0
        visitor.page.set_viewport_size(NARROW)
    assert visitor.violations() == []
    assert visitor.faults == []


# The lines of code that can be seen only by scrolling sideways.
TOO_WIDE = """() => [...document.querySelectorAll("article .highlight pre")]
    .filter((code) => !code.closest(".cell_output") && code.scrollWidth > code.clientWidth + 1)
    .map((code) => code.textContent.slice(0, 80))"""


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


def found_by(visitor, query):
    """The results of a search, each as its place and its words."""
    visitor.open(f"search.html?q={quote(query)}")
    results = visitor.page.locator("#search-results li")
    results.first.wait_for(timeout=20_000)
    # The summaries of many results come one after the other.
    visitor.page.wait_for_function("document.querySelector('.search-summary').textContent")
    assert visitor.faults == []
    links = results.locator("a")
    return links.evaluate_all("all => all.map((a) => [a.getAttribute('href'), a.textContent])")


def test_search_finds_adjoint(visitor):
    found = " ".join(words for _, words in found_by(visitor, "adjoint"))
    assert "Forward and reverse mode" in found
    assert "Glossary" in found


@pytest.mark.parametrize(
    ("symbol", "anchor"),
    [("∂", "local-derivative"), ("∇", "gradient"), ("H⁻¹", "newton-s-method")],
)
def test_search_finds_a_symbol(visitor, symbol, anchor):
    assert found_by(visitor, symbol)[0][0] == f"glossary.html#{anchor}"


def test_a_link_to_a_section_leads_to_its_page(visitor, pages):
    book = BOOKS[0]
    last = [heading for heading in book.headings if heading.level == 2][-1]
    visitor.page.goto(f"{visitor.address}/{NOTEBOOKS[0]}#{last.slug}")
    visitor.page.wait_for_url(f"**/{book.file(book.length - 1)}.html#*")
    assert visitor.page.url.rpartition("#")[2] in pages[PARTS[book.length - 1]].ids


def test_code_can_be_copied(visitor):
    visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.open(PARTS[0])
    code = visitor.page.locator(".cell_input .highlight:visible").first
    code.hover()
    code.get_by_role("button", name="Copy").click()
    code.get_by_role("button", name="Copied").wait_for()
    shown = code.locator("pre").inner_text()
    assert visitor.page.evaluate("navigator.clipboard.readText()") == shown.rstrip()


def test_cards_and_explorers_move_without_a_kernel(visitor):
    visitor.open(NOTEBOOKS[0])
    card = visitor.page.locator(".adq").first
    folded = visitor.page.locator("[data-adq-folded]")
    before = folded.count()
    card.locator("button.adq-choice").first.click()
    assert folded.count() == before - 1
    picture = visitor.page.locator(".ad-explorer .picture").first
    before = picture.inner_html()
    visitor.page.get_by_label("a, slider").first.press("ArrowUp")
    visitor.page.wait_for_function(
        "([one, before]) => one.innerHTML !== before", arg=[picture.element_handle(), before]
    )
    assert visitor.faults == []


def test_hints_and_solutions_are_folded_below_every_exercise(pages):
    for book in BOOKS:
        names = [f"notebooks/{book.file(page)}.html" for page in range(book.length)]
        text = "".join(pages[name].text for name in names)
        checks = [found for cell in book.cells if (found := notebook_pages.exercise_of(cell))]
        hints = sum(len(exercise.hints) for exercise in checks)
        assert checks, book.stem
        assert text.count("<summary>Solution</summary>") == len(checks)
        assert text.count('<details class="fold">') == len(checks) + hints


def test_every_section_leads_to_its_slide(site, pages):
    links = {link for name in PARTS for link in pages[name].links if "/slides/" in link}
    for link in links:
        path, _, slide = link.removeprefix("../").partition("#/")
        assert not slide or f' id="{slide}"' in (site / path).read_text(encoding="utf-8")
    assert len(links) > 5 * len(BOOKS)


def test_pages_are_light(site):
    heavy = {path: size for path in site.rglob("*.html") if (size := path.stat().st_size) > 500_000}
    assert not [path for path in heavy if "slides" not in path.parts]


def test_words_become_links_and_code_does_not():
    links = Links(BOOKS)
    text = "In notebook 02, `notebook 02`, [notebook 02](x), section 3; notebooks 01 to 03."
    second, third = (f"{book.stem}.ipynb" for book in BOOKS[1:3])
    assert links.put(text, f"notebooks/{BOOKS[0].stem}.ipynb", BOOKS[0]) == (
        f"In [notebook 02]({second}), `notebook 02`, [notebook 02](x), "
        f"[section 3]({BOOKS[0].section('3')}); notebooks 01 to [03]({third})."
    )


@pytest.mark.parametrize("folder", ["", f"/{REPOSITORY.name}"])
def test_the_page_for_what_is_missing_leads_back_from_any_depth(visitor, folder):
    visitor.open(f"{folder.lstrip('/')}/no/such/page.html".lstrip("/"))
    for link in visitor.page.locator("main a").all():
        url = link.evaluate("link => link.href")
        assert url.startswith(f"{visitor.address}{folder}/"), url
    visitor.page.locator("main a").first.click()
    assert visitor.page.url == f"{visitor.address}{folder}/index.html"
    assert "Automatic differentiation" in visitor.page.title()
