"""Gather what the site is made of in one folder, from which Sphinx then builds it.

``python docs/gather.py FOLDER`` puts there the pages of docs/, the notebooks, README.md and the
figures; in its ``static`` folder the card that a link to the site shows, what pages need from the
npm registry (MathJax's fonts; a parser of formulas, Graphviz and Python for the pages that
compute), and the course's package for the Python in the page; and in ``extra`` the whole notebooks
and the slides. ``make site`` calls it. A file that has not changed is not written again, so that
Sphinx rebuilds little.

The folder has the layout of the site, which is not quite that of the repository: the pages of docs/
lie at its top; a notebook becomes several pages. What links.py and notebook_pages.py do, they do
here.
"""

from __future__ import annotations

import argparse
import filecmp
import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from links import Links, place_on_site, relinked, without_badges
from notebook_pages import Book

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
NODE_MODULES = ROOT / "build" / "web" / "node_modules"
MATHJAX = NODE_MODULES / "mathjax"
FONTS = MATHJAX / "es5" / "output" / "chtml" / "fonts" / "woff-v2"
FORMULAS_CSS = "formulas.css"
# What other pages load, and where it stands on the site.
PARTS = {
    "jsep.js": "jsep/dist/iife/jsep.iife.min.js",
    "jsep.LICENSE.txt": "jsep/LICENSE",
    "viz.js": "@viz-js/viz/dist/viz-global.js",
    "pyodide/pyodide.mjs": "pyodide/pyodide.mjs",
    "pyodide/pyodide.asm.mjs": "pyodide/pyodide.asm.mjs",
    "pyodide/pyodide.asm.wasm": "pyodide/pyodide.asm.wasm",
    "pyodide/pyodide-lock.json": "pyodide/pyodide-lock.json",
    "pyodide/python_stdlib.zip": "pyodide/python_stdlib.zip",
}
PACKAGE = "autodiff_course.zip"
EXPLORER = "explorer.js"
# What of the explorer's script a page may use.
EXPLORER_NAMES = (
    "applyRule derivativeName edgesOf evaluate headingOf heldAfter inputsOf planSweep planValues "
    "pythonRepr replay shortText start style"
)
STATIC = "static"
# What goes to the top of the site as it is: whole notebooks, and the slides.
EXTRA = "extra"
CARD = "card.png"


def _found(folder: Path, pattern: str) -> list[Path]:
    """Return the files that match, without the copies that JupyterLab keeps beside them."""
    paths = sorted(path for path in folder.glob(pattern) if path.is_file())
    return [path for path in paths if ".ipynb_checkpoints" not in path.parts]


def _files(root: Path, repository_url: str) -> Iterator[tuple[PurePosixPath, Path | bytes]]:
    """Yield the place on the site of every file, and the file or what is to stand there."""
    books = [Book(path) for path in _found(root / "notebooks", "*.ipynb")]
    links = Links(books)
    pages = [path for kind in ("md", "rst") for path in _found(root / "docs", f"**/*.{kind}")]
    for path in [*pages, root / "README.md"]:
        page = path.relative_to(root).as_posix()
        text = without_badges(path.read_text(encoding="utf-8"))
        if path.suffix == ".md":
            text = links.put(text, page)
        place = place_on_site(PurePosixPath(page))
        yield place, relinked(text, page, repository_url).encode()
    for book in books:
        for name, content in book.pages(links, repository_url):
            yield PurePosixPath("notebooks", name), content
    for path in _found(root / "notebooks", "*.*"):
        # The whole notebook, to be downloaded; and what lies beside it.
        yield PurePosixPath(EXTRA, "notebooks", path.name), path
    for path in _found(root / "figures", "*.*"):
        yield PurePosixPath("figures", path.name), path
    yield PurePosixPath(STATIC, "mathjax", "LICENSE"), MATHJAX / "LICENSE"
    for font in _found(FONTS, "*.woff"):
        yield PurePosixPath(STATIC, "mathjax", font.name), font
    yield PurePosixPath(STATIC, FORMULAS_CSS), formulas_css()
    for place, part in PARTS.items():
        yield PurePosixPath(STATIC, place), NODE_MODULES / part
    yield PurePosixPath(STATIC, EXPLORER), explorer_script().encode()
    yield PurePosixPath(STATIC, PACKAGE), packed(root / "src", root / "docs" / "live_python.py")


def _put(content: Path | bytes, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        if not target.exists() or target.read_bytes() != content:
            target.write_bytes(content)
    elif not target.exists() or not filecmp.cmp(content, target, shallow=False):
        shutil.copyfile(content, target)


def formulas_css() -> bytes:
    """Return the style sheet of the formulas, which the site shows without a script."""
    command = ["node", str(DOCS / "formulas.cjs"), str(MATHJAX), "css"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def explorer_script() -> str:
    """Return the explorer of the notebooks, and the styles of Python's pictures, as one script."""
    from autodiff_course.drawing import explorer, rendering, scalar_graph

    styles = {
        "graph": scalar_graph.ORDERED_STYLE | scalar_graph.ROOM["graph_attr"],
        "node": rendering.NODE_STYLE | scalar_graph.ROOM["node_attr"],
        "edge": rendering.EDGE_STYLE,
        "input": rendering.INPUT_STYLE,
        "output": rendering.OUTPUT_STYLE,
        "text": {
            "font-family": rendering.FONTS,
            "font-size": rendering.FONT_SIZE,
            "text-anchor": "middle",
        },
    }
    names = ", ".join(EXPLORER_NAMES.split())
    return (
        f"const courseExplorer = (() => {{\n{explorer._script()}\n"
        f"const styles = {json.dumps(styles)};\nreturn {{ {names}, styles }};\n}})();\n"
    )


def packed(folder: Path, beside: Path) -> bytes:
    """Return the Python files of a folder, and one more, as a zip file: the same for the same."""
    files = {path.relative_to(folder).as_posix(): path for path in _found(folder, "**/*.py")}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in {**files, beside.name: beside}.items():
            # With a fixed date: the time of writing would make every archive another one.
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return content.getvalue()


def card(picture: Path) -> bytes:
    """Return the picture that other sites show beside a link to this one, as a PNG.

    It has the 1200 by 630 pixels that they expect: the name of the course, and one of its figures.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6.3), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.5, 0.02, 0.48, 0.96))
    axes.imshow(matplotlib.image.imread(picture))
    axes.axis("off")
    blue = "#0072b2"
    figure.text(0.05, 0.80, "A course in nine notebooks", fontsize=22, color=blue)
    title = "Automatic\ndifferentiation\nin PyTorch"
    figure.text(0.05, 0.40, title, fontsize=46, weight="bold", color="#1a1a1a", linespacing=1.15)
    promise = "From the graph of (a + b)(b + 1)\nto sparse Hessians of a million variables"
    figure.text(0.05, 0.17, promise, fontsize=20, color="#1a1a1a", linespacing=1.4)
    content = io.BytesIO()
    figure.savefig(content, metadata={"Software": None})
    return content.getvalue()


def gather(folder: Path, root: Path = ROOT) -> None:
    """Make a folder hold the site's sources, and nothing else.

    Parameters
    ----------
    folder : Path
        The folder. What is in it and does not belong there is removed.
    root : Path, optional
        The repository.

    Raises
    ------
    FileNotFoundError
        If what comes from the npm registry has not been put into build/web.
    """
    for path in (MATHJAX / "LICENSE", *(NODE_MODULES / part for part in PARTS.values())):
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing; `make site` puts it there")
    sys.path.insert(0, str(ROOT / "tools"))
    from address import repository

    files = dict(_files(root, repository(root).url))
    picture = root / "figures" / "soap_film.png"
    place = PurePosixPath(STATIC, CARD)
    newest = max(path.stat().st_mtime for path in (picture, Path(__file__)))
    if not (folder / place).exists() or (folder / place).stat().st_mtime < newest:
        files[place] = card(picture)
    decks = folder / EXTRA / "slides"
    wanted = {folder / path for path in files} | {folder / place}
    for path in folder.rglob("*"):
        if path.is_file() and path not in wanted and decks not in path.parents:
            path.unlink()
    for path, content in files.items():
        _put(content, folder / path)
    _make_decks(_found(root / "notebooks", "*.ipynb"), decks)


def _make_decks(notebooks: list[Path], folder: Path) -> None:
    """Make the slides of the notebooks, where they are older than these or than their maker."""
    import slides

    makers = [*(ROOT / "tools").glob("slide*.py"), *slides.TEMPLATE.glob("*")]
    latest = max(path.stat().st_mtime for path in makers)

    def is_old(notebook: Path) -> bool:
        deck = folder / f"{notebook.stem}.html"
        made = deck.stat().st_mtime if deck.exists() else 0.0
        return made < max(latest, notebook.stat().st_mtime)

    if stale := [notebook for notebook in notebooks if is_old(notebook)]:
        slides.make_decks(stale, folder, NODE_MODULES)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where to put the sources")
    gather(parser.parse_args().folder)


if __name__ == "__main__":
    main()
