"""Every deck, slide by slide, in a real browser."""

import functools
import http.server
import threading

import pytest
from nbformat import v4

import slides
from notebooks import course_notebooks, read, write
from slide_pictures import SMALLEST_SCALE, look, open_deck
from slide_plan import is_planned

NOTEBOOKS = course_notebooks()


@pytest.fixture(scope="module")
def decks(web, tmp_path_factory):
    """The folder of all decks, made from the committed outputs."""
    folder = tmp_path_factory.mktemp("slides")
    slides.make_decks(NOTEBOOKS, folder, web)
    return folder


class Watch:
    """What goes wrong on the pages of a browser's context, whoever opens them."""

    def __init__(self, page, own):
        self.faults = []
        context = page.context
        context.on("console", self._note_message)
        context.on("weberror", lambda error: self.faults.append(f"page error: {error.error}"))
        context.on("request", lambda request: self._note_request(request, own))
        context.on(
            "requestfailed", lambda request: self.faults.append(f"missing file: {request.url}")
        )

    def _note_message(self, message):
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text}")

    def _note_request(self, request, own):
        if not request.url.startswith((own, "data:", "blob:", "about:")):
            self.faults.append(f"request elsewhere: {request.url}")


class WatchedBrowser:
    """A browser whose new pages are watched from their first request on."""

    def __init__(self, browser, own):
        self.browser, self.own, self.watch = browser, own, None

    def new_page(self, **options):
        page = self.browser.new_page(**options)
        self.watch = Watch(page, self.own)
        return page


def opened(browser, address, own):
    """An open deck, and the list that its faults go to."""
    watched = WatchedBrowser(browser, own)
    return open_deck(watched, address), watched.watch.faults


def sections_of(notebook):
    return [c for c in read(notebook).cells if "minutes" in c.metadata.get("lecture", {})]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_deck_fits_and_is_complete(decks, browser, notebook):
    deck = decks / f"{notebook.stem}.html"
    page, faults = opened(browser, deck.as_uri(), decks.as_uri())
    seen = look(page)
    page.context.close()
    faults += [f"slide {s['id']}: {fault}" for s in seen for fault in s["faults"]]
    assert faults == []
    assert len(seen) > 15
    assert min(s["scale"] for s in seen) >= SMALLEST_SCALE
    if is_planned(read(notebook)):
        assert_it_can_be_read(seen)
    assert "Timetable" in seen[0]["notes"]
    notes = {s["id"]: s["notes"] for s in seen}
    assert len(sections_of(notebook)) > 5
    for cell in sections_of(notebook):
        assert f"{cell.metadata.lecture['minutes']} min" in notes[cell.id]


def assert_it_can_be_read(seen):
    """In pixels of a slide 720 high: of the projected type, and of notes in a window of 1280."""
    assert {s["scale"] for s in seen} == {1}
    assert min(s["type"] for s in seen) >= 24
    assert min(s["drawn"] or 24 for s in seen) >= 20
    assert min(s["notesSize"] for s in seen) >= 14


def test_the_speaker_view_shows_the_notes_without_a_network(decks, browser):
    deck = decks / f"{NOTEBOOKS[0].stem}.html"
    page, faults = opened(browser, f"{deck.as_uri()}#/local-question", decks.as_uri())
    with page.expect_popup() as popup:
        page.keyboard.press("s")
    notes = popup.value.locator(".speaker-controls-notes .value")
    notes.get_by_role("heading", name="Ask the room").wait_for()
    headings = notes.locator("h4").all_inner_texts()
    minutes = [cell.metadata.lecture["minutes"] for cell in sections_of(NOTEBOOKS[0])]
    third = next(n for n, c in enumerate(sections_of(NOTEBOOKS[0])) if c.id == "local-question")
    assert headings[0].startswith(f"{minutes[third]} min · 0:{sum(minutes[:third]):02}")
    assert headings[1:] == [
        *("Ask the room", "A common misconception", "Answer", "For the speaker"),
        "In the notebook",
    ]
    popup.value.set_viewport_size({"width": 1280, "height": 800})
    assert popup.value.locator("#speaker-controls").evaluate(
        "(controls) => controls.scrollHeight <= controls.clientHeight"
    )
    assert notes.locator("mjx-container svg").count() > 3
    assert faults == []
    page.context.close()


def test_a_deck_works_from_a_web_server(decks, browser):
    handler = functools.partial(QuietHandler, directory=decks)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        page, faults = opened(browser, f"{address}/{NOTEBOOKS[0].stem}.html", address)
        page.context.close()
        server.shutdown()
    assert faults == []


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def picture_without_alt_text():
    pixel = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
        "gg=="
    )
    return v4.new_output("display_data", {"image/png": pixel})


# What an author may get wrong, and what is seen of it.
PLANTED = [
    ("does not fit", v4.new_code_cell("x = 1\n" * 60)),
    ("a line is too long", v4.new_code_cell("x" * 200)),
    ("too wide: <td>", v4.new_markdown_cell(f"|a|b|\n|-|-|\n|{'x' * 90}|{'y' * 90}|")),
    ("not typeset", v4.new_markdown_cell("It costs $x.")),
    ("bad formula", v4.new_markdown_cell(r"$\frac{1}$")),
    ("without alt text", v4.new_code_cell("", outputs=[picture_without_alt_text()])),
    ("without alt text", v4.new_markdown_cell("<img src='data:image/png;base64,'>")),
    ("without a label", v4.new_markdown_cell("<svg role='img'></svg>")),
]


def test_planted_faults_are_seen_and_nothing_else(web, browser, tmp_path):
    for _, cell in PLANTED:
        cell.metadata["slideshow"] = {"slide_type": "slide"}
    cells = [v4.new_markdown_cell("# A title"), *(cell for _, cell in PLANTED)]
    notebook = tmp_path / "planted.ipynb"
    write(v4.new_notebook(cells=cells), notebook)
    (deck,) = slides.make_decks([notebook], tmp_path / "slides", web)
    page = open_deck(browser, deck.as_uri())
    first, *others = look(page)
    page.context.close()
    assert first["faults"] == []
    for (expected, _), seen in zip(PLANTED, others, strict=True):
        assert any(expected in fault for fault in seen["faults"]), (expected, seen["faults"])


def deck_at(browser, decks, number, slide):
    name = next(path.stem for path in NOTEBOOKS if path.stem.startswith(number))
    return open_deck(browser, f"{(decks / name).as_uri()}.html#/{slide}")


def test_the_key_that_goes_on_moves_two_sweeps(decks, browser):
    page = deck_at(browser, decks, "02_", "directions-terms")
    captions = page.locator("section.present figcaption")
    captions.get_by_text("no adjoint is known yet").wait_for()
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    captions.get_by_text("7. tangent of e").wait_for()
    captions.get_by_text("6. adjoint of b").wait_for()
    page.keyboard.press("ArrowLeft")
    captions.get_by_text("6. tangent of e").wait_for()
    page.context.close()


def test_time_passes_over_a_picture(decks, browser):
    page = deck_at(browser, decks, "03_", "checkpoint-picture")
    strips = page.locator("section.present .strip")
    hidden = "(strips) => strips.filter((one) => one.classList.contains('visible')).length"
    assert strips.count() == 12 and strips.evaluate_all(hidden) == 0
    for _ in range(3):
        page.keyboard.press("Space")
    assert strips.evaluate_all(hidden) == 3
    page.context.close()


def test_a_deck_is_printed_with_a_page_for_each_slide(decks, browser):
    page = open_deck(browser, f"{(decks / NOTEBOOKS[0].stem).as_uri()}.html?print-pdf")
    assert page.locator(".strip:visible").count() == 0
    assert page.locator("input[aria-label=step]").evaluate_all(
        "(sliders) => sliders.every((slider) => slider.value === slider.max)"
    )
    pages = page.locator(".pdf-page").count()
    page.context.close()
    assert pages == len(slides.cells_by_slide(slides.prepared(read(NOTEBOOKS[0])).cells))
