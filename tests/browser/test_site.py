"""The course's web site, built as `make site` builds it and looked at in a real browser."""

import ast
import functools
import html.parser
import http.server
import posixpath
import re
import shlex
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from PIL import Image

from address import binder_url, colab_url, repository
from notebooks import ROOT, course_notebooks

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
NARROW = {"width": 400, "height": 800}
WIDE = {"width": 1280, "height": 900}


# --- Building -------------------------------------------------------------------------------------


def recipe(verb):
    """The commands that a verb of the Makefile runs after what it depends on."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.search(rf"^{verb}:.*\n((?:\t.*\n)+)", makefile, flags=re.MULTILINE)[1]
    return [line.strip().replace("$(BIN)/python", sys.executable) for line in lines.splitlines()]


@pytest.fixture(scope="session")
def site(web, tmp_path_factory):
    """The folder of a site that has just been built."""
    pytest.importorskip("sphinx", reason="the site needs what requirements.txt pins")
    folder = tmp_path_factory.mktemp("site")
    for command in recipe("site"):
        arguments = shlex.split(command.replace("build/", f"{folder.as_posix()}/"))
        done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0 or done.stderr:
            pytest.fail(f"{command}\n{done.stdout}{done.stderr}")
    return folder / "site"


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


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_buttons_open_the_notebook_itself(pages, name):
    file = Path(name).with_suffix(".ipynb")
    links = pages[name].links
    assert {binder_url(REPOSITORY, file.name), colab_url(REPOSITORY, file.name)} <= set(links)
    assert f"{REPOSITORY.url}/edit/main/{file.as_posix()}" in links
    assert f"{REPOSITORY.url}/blob/main/{file.as_posix()}?plain=1" in links
    assert not [link for link in links if "/docs/notebooks/" in link]


def test_a_button_opens_the_source_of_a_page(pages):
    assert f"{REPOSITORY.url}/edit/main/docs/teaching.md" in pages["teaching.html"].links


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
            if name != "TooDense":  # handed on twice, and described where it ends up
                assert places & documented, f"{module}.{name}"


def test_search_knows_the_words_of_the_course(site):
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert all(f'"{word}"' in index or f"{word}:" in index for word in ("adjoint", "tangent"))


# --- In the browser -------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def address(site):
    """Where a server shows the site, with its own page for what is missing, as hosts do."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def translate_path(self, path):
            # The site also stands in a folder, as it does on GitHub Pages.
            return super().translate_path(path.removeprefix(f"/{REPOSITORY.name}"))

        def send_error(self, code, *_):
            content = (site / "404.html").read_bytes()
            self.send_response(code)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Visitor:
    """A tab of a browser, and what went wrong in it."""

    def __init__(self, page, address, web):
        self.page, self.address = page, address
        self.axe = (web / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
        self.faults = []
        page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        page.on("console", self._note_message)
        page.on("request", self._note_request)

    def _note_message(self, message):
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.type}: {message.text}")

    def _note_request(self, request):
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.faults.append(f"request to another host: {request.url}")

    def open(self, name, size=WIDE, theme="light"):
        """Open a page and wait until its formulas are set."""
        self.faults = []
        self.page.set_viewport_size(size)
        self.page.emulate_media(color_scheme=theme)
        self.page.goto(f"{self.address}/{name}")
        self.page.evaluate("window.MathJax?.startup?.promise.then(() => 0)")

    def violations(self, *rules, code=False):
        """What axe finds that keeps people out, by all of its rules or by some.

        The thousands of words in the cells of a notebook have few colours, so that it is enough
        to look at the `code` of some pages. The inside of a drawing is its own: it has one name.
        """
        self.page.evaluate(LIGHTEN, "svg > g")
        if not code:
            self.page.evaluate(LIGHTEN, ".highlight pre span")
        self.page.evaluate(self.axe)
        return self.page.evaluate(RUN_AXE, list(rules))


# Leaves of an element what is text.
LIGHTEN = """(selector) => document.querySelectorAll(selector).forEach(
    (part) => part.replaceWith(part.closest("svg") ? "" : part.textContent))"""
RUN_AXE = """async (rules) => {
    const how = rules.length ? {runOnly: rules} : {};
    const found = await axe.run({resultTypes: ["violations"], ...how});
    return found.violations
        .filter(({impact}) => ["serious", "critical"].includes(impact))
        .map(({id, nodes}) => [id, nodes.map(({target}) => target.join(" "))]);
}"""


@pytest.fixture(scope="session")
def visitor(browser, address, web):
    page = browser.new_page()
    yield Visitor(page, address, web)
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_sound_and_fits_a_telephone(visitor, name):
    visitor.open(name, NARROW)
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    formulas = visitor.page.locator(".math").count()
    assert visitor.page.locator(".math mjx-container").count() == formulas
    assert visitor.page.locator("mjx-merror").count() == 0
    assert visitor.violations() == []
    assert visitor.faults == []


@pytest.mark.parametrize("name", KINDS)
def test_a_page_is_open_to_all_on_a_wide_screen(visitor, name):
    visitor.open(name)
    assert visitor.violations(code=True) == []


@pytest.mark.parametrize("name", DARK)
def test_a_page_can_be_read_on_a_dark_ground(visitor, name):
    visitor.open(name, theme="dark")
    assert visitor.page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert visitor.violations("color-contrast", code=True) == []


def test_buttons_have_names(visitor):
    visitor.open(NOTEBOOKS[0])
    for name in ("Launch interactive content", "Source repositories", "Download this page"):
        assert visitor.page.get_by_role("button", name=name).count() == 1
    visitor.page.get_by_role("button", name="Launch interactive content").click()
    for name in ("Binder", "Colab"):
        link = visitor.page.locator(".dropdown-menu.show").get_by_role("link", name=name)
        assert link.is_visible()


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
