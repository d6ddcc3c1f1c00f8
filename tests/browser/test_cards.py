"""Question cards, answered as a reader answers them, in every kind of page that shows them."""

import functools
import json
import re
import subprocess
import sys

import pytest
from nbconvert import HTMLExporter
from nbformat import v4

import slides
from autodiff_course.exercises import ask
from notebooks import ROOT, normalise, write

from .conftest import BUILD, RUN_ALL, TOKEN

FIRST = ask(
    "How many paths lead from $b$ to $e = (a + b)(b + 1)$?",
    {"One, $b + 1$": "Only the path through `c`.", "Two": "Through $c$ and through $d$."},
    answer="Two",
)
SECOND = ask(
    "How large is the error at $h = 10^{-3}$?", {"$h^2$": "No $f''$.", "$h$": "Yes."}, "$h$"
)


def question_cell(card, name):
    call = f"ask({card.question!r}, {dict(card.choices)!r}, {card.answer!r})"
    output = v4.new_output("execute_result", card._repr_mimebundle_(), execution_count=1)
    return v4.new_code_cell(call, id=name, outputs=[output], execution_count=1)


def printing_cell(text, name):
    output = v4.new_output("stream", text=f"{text}\n")
    return v4.new_code_cell(f"print({text!r})", id=name, outputs=[output], execution_count=1)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """A notebook with two cards, each before the cell that answers it."""
    setup = v4.new_code_cell("from autodiff_course.exercises import ask", id="setup")
    titles = [v4.new_markdown_cell(text) for text in ("# Two cards", "## 1. Paths", "## 2. Errors")]
    for title in titles:
        title.metadata["slideshow"] = {"slide_type": "slide"}
    setup.metadata["slideshow"] = {"slide_type": "skip"}
    first = [
        question_cell(FIRST, "first"),
        v4.new_markdown_cell("Count."),
        printing_cell("2 paths", "a"),
    ]
    second = [printing_cell("open", "b"), titles[2], question_cell(SECOND, "second")]
    cells = [titles[0], setup, titles[1], *first, *second, printing_cell("it is h", "c")]
    path = tmp_path_factory.mktemp("cards") / "two_cards.ipynb"
    write(normalise(v4.new_notebook(cells=cells)), path)
    return path


@pytest.fixture
def opened(browser):
    """Open a page of its own context, and fail where something went wrong on it."""
    pages, faults = [], []
    BUILD.mkdir(parents=True, exist_ok=True)

    def open_page(address, ready=".adq", **options):
        page = browser.new_page(viewport={"width": 900, "height": 900}, **options)
        pages.append(page)
        page.on("pageerror", lambda error: faults.append(str(error)))
        # A card asks nothing of any host; the pages of nbconvert look for MathJax and RequireJS.
        page.route(re.compile("^https?:(?!//127)"), lambda route: route.abort())
        page.goto(address, wait_until="domcontentloaded")
        page.locator(ready).first.wait_for()
        return page

    yield open_page
    for page in pages:
        page.context.close()
    assert faults == []


def converted(notebook, template, **options):
    page, _ = HTMLExporter(template_name=template, **options).from_filename(str(notebook))
    path = notebook.with_name(f"{template}.html")
    path.write_text(page, encoding="utf-8")
    return path.as_uri()


def shown(page, *texts):
    """Which of some printed outputs are in sight; the source cells hold them in quotes."""
    return [t for t in texts if page.locator(f"pre:text-is('{t}')").filter(visible=True).count()]


# The same steps on every page whose structure is known.
def answer_both(page):
    outputs = functools.partial(shown, page, "2 paths", "open", "it is h")
    assert outputs() == ["open"]
    first, second = page.locator(".adq").nth(0), page.locator(".adq").nth(1)
    assert (
        first.locator("fieldset legend").inner_text()
        == "How many paths lead from b to e = (a + b)(b + 1)?"
    )
    status = first.get_by_role("status")
    assert status.inner_text() == "" and "✓" not in first.inner_text()
    first.get_by_role("button", name="A)").click()
    assert status.inner_text() == "A) ✗ No. Only the path through c."
    assert outputs() == ["2 paths", "open"]
    first.get_by_role("button", name="B)").click()
    assert status.inner_text() == "B) ✓ Right. Through c and through d."
    assert first.locator("[aria-pressed=true]").count() == 1
    second.get_by_role("button", name="Show it anyway").click()
    assert outputs() == ["2 paths", "open", "it is h"]
    assert second.get_by_role("status").inner_text() == ""


@pytest.mark.parametrize("template", ["lab", "classic"])
def test_a_page_of_nbconvert(notebook, opened, template):
    page = opened(converted(notebook, template))
    answer_both(page)
    page.evaluate("sessionStorage.clear()")  # as in a new tab on the next day
    page.reload(wait_until="domcontentloaded")
    page.locator("fieldset").first.wait_for()
    first = page.locator(".adq").first
    assert first.get_by_role("status").inner_text() == "B) ✓ Right. Through c and through d."
    assert shown(page, "2 paths", "it is h") == ["2 paths", "it is h"]
    first.get_by_role("button", name="Choose again").click()
    assert shown(page, "2 paths", "it is h") == ["it is h"]
    assert first.get_by_role("status").inner_text() == "" and "✓" not in first.inner_text()
    page.reload(wait_until="domcontentloaded")
    page.locator("fieldset").first.wait_for()
    assert shown(page, "2 paths", "it is h") == ["it is h"]
    first.get_by_role("button", name="A)").click()
    assert shown(page, "2 paths", "it is h") == ["2 paths", "it is h"]


def test_the_keyboard_alone(notebook, opened):
    page = opened(converted(notebook, "lab"))
    page.locator(".adq button").first.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent").startswith("B)")
    assert page.get_by_role("status").first.inner_text() == ""  # looking is not choosing
    page.keyboard.press("Enter")
    assert "✓ Right." in page.get_by_role("status").first.inner_text()
    page.locator(".adq").nth(1).get_by_role("button", name="Show it anyway").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    assert "✗ No." in page.get_by_role("status").nth(1).inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_narrow_page_keeps_nobody_out(notebook, opened, web, theme):
    page = opened(converted(notebook, "lab", theme=theme), reduced_motion="reduce")
    page.set_viewport_size({"width": 400, "height": 900})
    page.locator(".adq button").first.click()
    page.locator(".adq").first.scroll_into_view_if_needed()
    page.screenshot(path=BUILD / f"card-narrow-{theme}.png")
    assert page.locator(".adq, .adq div, .adq button").evaluate_all(TOO_WIDE) == []
    page.evaluate((web / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    assert page.evaluate(AXE) == []


TOO_WIDE = """parts => parts.filter(part => part.scrollWidth > part.clientWidth + 1)
    .map(part => part.outerHTML)"""
AXE = """async () => (await axe.run(".adq")).violations
    .map(({id, nodes}) => [id, nodes.map(({html}) => html)])"""


def test_an_isolated_frame_shows_the_card_and_folds_nothing(opened, tmp_path):
    path = tmp_path / "host.html"
    frame = (FIRST.html + "<pre>2 paths</pre>").replace("&", "&amp;").replace('"', "&quot;")
    path.write_text(f'<meta charset="utf-8"><iframe sandbox="allow-scripts" srcdoc="{frame}">')
    page = opened(path.as_uri(), ready="iframe").frame_locator("iframe")
    page.locator("fieldset").wait_for()
    assert page.locator("pre").is_visible()
    assert not page.get_by_role("button", name="Show it anyway").is_visible()
    page.get_by_role("button", name="B)").click()
    assert "✓ Right." in page.get_by_role("status").inner_text()
    assert (
        page.get_by_text("folded").count()
        == page.get_by_text("folded").filter(visible=False).count()
    )


def test_without_scripts_everything_is_there_as_text(notebook, opened):
    page = opened(converted(notebook, "lab"), java_script_enabled=False)
    assert shown(page, "2 paths", "it is h") == ["2 paths", "it is h"]
    card = page.locator(".adq").first
    assert "A) One, b + 1\n\nB) Two\n\nAnswer" in card.inner_text()
    assert not card.get_by_text("Through c and through d.").is_visible()
    card.locator("summary").click()
    assert card.get_by_text("Through c and through d.").is_visible()


def test_a_deck(notebook, opened, web, tmp_path):
    (deck,) = slides.make_decks([notebook], tmp_path, web)
    page = opened(deck.as_uri(), ready=".reveal.ready")
    assert (
        page.locator("text=answer=").count() == 0
        and "ask(" not in page.locator(".slides").inner_text()
    )
    page.keyboard.press("Space")
    card = page.locator(".adq").first
    assert shown(page, "2 paths") == [] and "✓" not in card.get_by_role("status").inner_text()
    card.get_by_role("button", name="B)").click()
    assert shown(page, "2 paths") == ["2 paths"]
    page.screenshot(path=BUILD / "card-deck.png")
    # Another lecture, in a tab of its own, starts with cards that nobody has chosen on.
    assert page.get_by_role("button", name="Choose again").count() == 0
    assert page.evaluate("localStorage.length") == 0
    fits = page.locator(".fit").evaluate_all("boxes => boxes.map(box => box.dataset.fits)")
    assert fits == ["yes"] * 3
    page.keyboard.press("ArrowRight")  # the keys belong to the deck again
    assert page.locator(".adq").nth(1).is_visible()


def test_a_page_of_the_site(notebook, opened, tmp_path):
    reason = "the site needs what requirements-dev.txt pins"
    pages = pytest.importorskip("notebook_pages", reason=reason)
    links = pytest.importorskip("links", reason=reason)
    for folder in ("notebooks", "static", "extra"):
        (tmp_path / "source" / folder).mkdir(parents=True)
    book = pages.Book(notebook)
    for name, content in book.pages(links.Links([book]), repository_url=""):
        (tmp_path / "source" / "notebooks" / name).write_bytes(content)
    (tmp_path / "source" / "index.md").write_text(
        "# Start\n\n```{toctree}\nnotebooks/two_cards\n```\n"
    )
    command = [sys.executable, "-m", "sphinx", "--quiet", "--conf-dir", "docs"]
    command += [str(tmp_path / "source"), str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = opened((tmp_path / "site" / "notebooks" / "two_cards.html").as_uri(), ready="fieldset")
    assert page.locator("text=ask(").count() == 0
    page.screenshot(path=BUILD / "card-site.png")
    answer_both(page)


KERNEL_IS_READY = """async () => {
    const context = window.jupyterapp.shell.currentWidget.sessionContext;
    await context.ready;
    await context.session.kernel.info;
}"""


# How far the words in place of a folded output stand from the column of the outputs.
INDENT = """folded => {
    const prompt = document.querySelector(".jp-OutputArea-prompt").getBoundingClientRect().width;
    return parseFloat(getComputedStyle(folded, "::before").marginLeft) - prompt;
}"""


def test_in_jupyterlab(lab, notebook, opened):
    page = opened(f"{lab}/lab?token={TOKEN}", ready="#jp-top-panel")
    content = {"type": "notebook", "content": json.loads(notebook.read_text(encoding="utf-8"))}
    address = f"{lab}/api/contents/{notebook.name}?token={TOKEN}"
    assert page.request.put(address, data=content).status in (200, 201)
    page.goto(f"{lab}/lab/tree/{notebook.name}?token={TOKEN}&reset")
    # Committed outputs of a notebook that is not trusted: the text, and nothing is folded.
    page.locator(".jp-Notebook details").first.wait_for(timeout=60_000)
    assert "A) One, b + 1" in page.locator(".jp-Notebook").inner_text()
    assert shown(page, "2 paths", "it is h") == ["2 paths", "it is h"]
    page.evaluate(KERNEL_IS_READY)
    page.evaluate(RUN_ALL)
    card = page.locator(".adq").first
    card.locator("button").first.wait_for()
    assert shown(page, "2 paths", "open", "it is h") == ["open"]
    assert not page.locator(".jp-Notebook .jp-InputArea:has-text('answer')").first.is_visible()
    page.screenshot(path=BUILD / "card-lab.png")
    assert page.locator("[data-adq-folded]").first.evaluate(INDENT) == 0
    card.locator("button").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert card.get_by_role("status").inner_text() == "B) ✓ Right. Through c and through d."
    assert shown(page, "2 paths", "open", "it is h") == ["2 paths", "open"]
    page.evaluate(RUN_ALL)
    page.locator(".adq").first.locator("fieldset").wait_for()
    assert shown(page, "2 paths", "open", "it is h") == ["2 paths", "open"]
    page.screenshot(path=BUILD / "card-lab-run-again.png")
