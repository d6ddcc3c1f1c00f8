"""Look at decks in a browser: the faults of every slide, and a picture of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import chromium

SMALLEST_SCALE = 0.65
SIZE = {"width": 1280, "height": 720}
SHEET_COLUMNS, SHEET_ROWS = 2, 3
PART_OF_A_SHEET = (800, 450)

LOOK = (Path(__file__).parent / "slides_template" / "look.js").read_text(encoding="utf-8")


def open_deck(browser: Any, address: str) -> Any:
    """Return a page with a deck whose slides have been fitted."""
    page = browser.new_page(viewport=SIZE)
    page.goto(address)
    page.wait_for_selector(".reveal.ready")
    return page


def look(page: Any) -> list[dict[str, Any]]:
    """Show every slide of an open deck, all fragments included, and return what was seen.

    Returns
    -------
    list of dict
        For each slide its id, its place (h, v), its scale, the smallest type of its text and
        of its pictures in pixels of a slide 720 high (None where there is none), its speaker notes
        as text and the size of their type, and its faults in plain words.
    """
    return page.evaluate(LOOK)


def take_pictures(decks: Sequence[Path], folder: Path) -> None:
    """Take a picture of every slide, join them to sheets, and print the scale and the faults."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium.find(), args=chromium.QUIET)
        for deck in decks:
            page = open_deck(browser, deck.resolve().as_uri())
            _take_pictures_of(page, folder / deck.stem)
            page.close()
        browser.close()


def print_pdf(decks: Sequence[Path], folder: Path) -> list[Path]:
    """Print decks, a page for each slide with all that it shows in the end, and return the files.

    Sweeps stand at their last step. The pages have the shape of the slides; nothing is scaled.
    """
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    files = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium.find(), args=chromium.QUIET)
        for deck in decks:
            page = open_deck(browser, f"{deck.resolve().as_uri()}?print-pdf")
            page.wait_for_selector(".pdf-page")
            files.append(folder / f"{deck.stem}.pdf")
            page.pdf(path=files[-1], print_background=True, prefer_css_page_size=True)
            print(f"printed: {files[-1]}")
            page.close()
        browser.close()
    return files


def _take_pictures_of(page: Any, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    pictures = []
    for number, slide in enumerate(look(page), start=1):
        page.evaluate("({h, v}) => Reveal.slide(h, v, 1000)", slide)
        # A fragment comes in slowly; its end is what counts.
        page.evaluate("document.getAnimations().forEach((animation) => animation.finish())")
        pictures.append(folder / f"{number:02d}-{slide['id']}.png")
        page.screenshot(path=pictures[-1])
        types = "/".join(f"{slide[kind] or 0:.0f}" for kind in ("type", "drawn"))
        sizes = f"{slide['scale']:.0%} {types} px"
        print(f"{number:3} {slide['id']:30} {sizes} {'; '.join(slide['faults'])}")
    _write_sheets(pictures, folder)


def _write_sheets(pictures: Sequence[Path], folder: Path) -> None:
    """Join six pictures at a time to one, which is quicker to look through."""
    from PIL import Image

    width, height = PART_OF_A_SHEET
    on_a_sheet = SHEET_COLUMNS * SHEET_ROWS
    for first in range(0, len(pictures), on_a_sheet):
        sheet = Image.new("RGB", (SHEET_COLUMNS * width, SHEET_ROWS * height), "gray")
        for place, path in enumerate(pictures[first : first + on_a_sheet]):
            row, column = divmod(place, SHEET_COLUMNS)
            with Image.open(path) as picture:
                small = picture.resize((width - 4, height - 4))
            sheet.paste(small, (column * width + 2, row * height + 2))
        sheet.save(folder / f"sheet-{1 + first // on_a_sheet}.png")
