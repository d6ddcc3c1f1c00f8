"""Gather what the site is made of in one folder, from which Sphinx then builds it.

``python docs/gather.py FOLDER`` puts there the pages of docs/, the notebooks, README.md and the
figures, and in its ``static`` folder the card that a link to the site shows, what pages need from
the npm registry (MathJax; a parser of formulas, Graphviz and Python for the pages that compute),
and the course's package for the Python in the page; ``make site`` calls it. A file that has not
changed is not written again, so that Sphinx rebuilds little.

The folder has the layout of the site, which is not quite that of the repository: the pages of docs/
lie at its top. `relinked` takes care of the links.
"""

from __future__ import annotations

import argparse
import filecmp
import io
import json
import posixpath
import re
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
NODE_MODULES = ROOT / "build" / "web" / "node_modules"
MATHJAX = NODE_MODULES / "mathjax" / "es5"
# What a page with formulas loads, and what its menu for the reader may load later.
MATHJAX_PARTS = (
    "tex-chtml.js",
    "a11y",
    "input/tex/extensions",
    "output/chtml/fonts/woff-v2",
    "sre/mathmaps/base.json",
    "sre/mathmaps/en.json",
)
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
CARD = "card.png"

# The target of a link or a picture in Markdown, where it is neither an address nor an anchor.
_RELATIVE_TARGET = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")
# A badge in a link: its picture lies on another host, which no page of the site may ask.
_BADGE = re.compile(r"\[!\[([^\]]*)\]\(https?:[^)]*\)\]")


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


def _found(folder: Path, pattern: str) -> list[Path]:
    """Return the files that match, without the copies that JupyterLab keeps beside them."""
    paths = sorted(path for path in folder.glob(pattern) if path.is_file())
    return [path for path in paths if ".ipynb_checkpoints" not in path.parts]


def _files(root: Path, repository_url: str) -> Iterator[tuple[PurePosixPath, Path | bytes]]:
    """Yield the place on the site of every file, and the file or what is to stand there."""
    pages = [path for kind in ("md", "rst") for path in _found(root / "docs", f"**/*.{kind}")]
    for path in [*pages, root / "README.md"]:
        page = path.relative_to(root).as_posix()
        text = without_badges(path.read_text(encoding="utf-8"))
        place = place_on_site(PurePosixPath(page))
        yield place, relinked(text, page, repository_url).encode()
    for folder in ("notebooks", "figures"):
        for path in _found(root / folder, "*.*"):
            yield PurePosixPath(folder, path.name), path
    yield PurePosixPath(STATIC, "mathjax", "LICENSE"), MATHJAX.parent / "LICENSE"
    for part in MATHJAX_PARTS:
        whole = MATHJAX / part
        for path in [whole] if whole.is_file() else sorted(whole.rglob("*.*")):
            yield PurePosixPath(STATIC, "mathjax", path.relative_to(MATHJAX).as_posix()), path
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
    for path in (MATHJAX / MATHJAX_PARTS[0], *(NODE_MODULES / part for part in PARTS.values())):
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
    wanted = {folder / path for path in files} | {folder / place}
    for path in folder.rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()
    for path, content in files.items():
        _put(content, folder / path)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where to put the sources")
    gather(parser.parse_args().folder)


if __name__ == "__main__":
    main()
