"""Read, run, normalise and write the notebooks of the course.

``python tools/notebooks.py outputs [name ...]`` runs notebooks again and keeps the outputs that
changed; ``make outputs`` calls it. ``python tools/notebooks.py normalise [file ...]`` runs nothing
and takes out what an editor or a run left in the files; ``make format`` calls it.
``python tools/notebooks.py stubs [name ...]`` puts the package's exercises into their cells.
"""

from __future__ import annotations

import argparse
import base64
import copy
import importlib
import os
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbmake.nb_run import NotebookRun

ROOT = Path(__file__).resolve().parent.parent
CELL_TIMEOUT = 120  # seconds; a cell that takes longer is stuck

NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
KEPT_CELL_METADATA = ("alt", "lecture", "slideshow", "tags")
# What a slide's `lecture` may hold beside `minutes`, and its heading in the speaker notes.
LECTURE_PARTS = {
    "ask": "Ask the room",
    "misconception": "A common misconception",
    "answer": "Answer",
    "say": "For the speaker",
}
# What else it may hold: what the slide shows of the cell (slide_plan.py).
SLIDE_PARTS = {"slide", "lines", "mark", "output", "crop", "uncover"}
# How JupyterLab and Colab know that a cell's source is out of sight.
HIDDEN_SOURCE = {"jupyter": {"source_hidden": True}, "cellView": "form"}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
RASTER_IMAGES = ("image/png", "image/jpeg", "image/gif")
FIGURE_TAG = "figure:"
LIBRARY_FRAMES = "... the frames inside libraries are left out"
ANSI_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


class NotebookFailed(Exception):
    """A cell raised an error that the notebook does not announce, or took too long."""


def course_notebooks(root: Path = ROOT) -> list[Path]:
    """Return the paths of the course's notebooks, in the order of their numbers."""
    return sorted((root / "notebooks").glob("*.ipynb"))


def read(path: Path) -> NotebookNode:
    """Read a notebook as it stands in the file.

    Unlike ``nbformat.read`` this repairs nothing, so that a check sees every fault.
    """
    return nbformat.v4.reads(path.read_text(encoding="utf-8"))


def write(nb: NotebookNode, path: Path) -> bool:
    """Write a notebook in the course's layout, and return whether the file changed."""
    text = nbformat.v4.writes(nb).rstrip("\n") + "\n"
    old = path.read_bytes() if path.exists() else None
    new = text.encode("utf-8")
    if new != old:
        path.write_bytes(new)
    return new != old


def tags(cell: NotebookNode) -> list[str]:
    """Return the tags of a cell."""
    return cell.metadata.get("tags", [])


def slide_type(cell: NotebookNode) -> str:
    """Return the slide type of a cell, ``-`` where it has none."""
    return cell.metadata.get("slideshow", {}).get("slide_type", "-")


def asks(cell: NotebookNode) -> bool:
    """Return whether a cell shows a question card; its source gives the answer away."""
    return cell.cell_type == "code" and re.search(r"^ask\(", cell.source, re.MULTILINE) is not None


def cell_name(nb: NotebookNode, index: int) -> str:
    """Return how a message names a cell: its number, counted from 1, and its id."""
    return f"cell {index + 1} (id {nb.cells[index].get('id', 'missing')!r})"


def execute(path: Path, timeout: int = CELL_TIMEOUT) -> NotebookNode:
    """Run a notebook in a fresh kernel, in the notebook's own folder.

    Parameters
    ----------
    path : Path
        The notebook. The file is left as it is.
    timeout : int, optional
        The longest time in seconds that one cell may take.

    Returns
    -------
    NotebookNode
        The notebook with fresh outputs, normalised.

    Raises
    ------
    NotebookFailed
        If a cell without the tag ``raises-exception`` raises, or a cell takes too long.
    """
    # No output depends on what somebody did earlier, and no run counts as somebody's progress.
    os.environ["AUTODIFF_COURSE_PROGRESS"] = ""
    # language_info and the like come from the kernel that ran; normalising removes them again.
    result = NotebookRun(path.resolve(), default_timeout=timeout).execute()
    if result.error is not None:
        where = cell_name(result.nb, result.error.failing_cell_index)
        trace = ANSI_ESCAPE.sub("", result.error.trace)
        raise NotebookFailed(f"{path.name}, {where}: {result.error.summary}\n{trace}")
    return normalise(result.nb)


def normalise(nb: NotebookNode) -> NotebookNode:
    """Return a copy of a notebook without what depends on the machine or on the run.

    Kept are the cells, their ids, their tags, slide, lecture and alt metadata, and their outputs;
    the metadata of the notebook is always the same. The source of a question card is hidden.
    Execution counts become 1, 2, 3 and so on.
    """
    nb = copy.deepcopy(nb)
    nb.metadata = nbformat.from_dict(NOTEBOOK_METADATA)
    count = 0
    for cell in nb.cells:
        cell.metadata = _kept_metadata(cell.metadata)
        if cell.cell_type != "code":
            continue
        if cell.get("execution_count") is not None:
            count += 1
            cell.execution_count = count
        cell.outputs = _normalised_outputs(cell)
        if asks(cell):
            cell.metadata |= HIDDEN_SOURCE
    return nb


def _kept_metadata(metadata: NotebookNode) -> NotebookNode:
    return NotebookNode({key: metadata[key] for key in KEPT_CELL_METADATA if metadata.get(key)})


def _normalised_outputs(cell: NotebookNode) -> list[NotebookNode]:
    outputs = []
    for output in merge_streams(cell.outputs):
        if "data" in output:
            # A live widget needs its kernel; the still picture beside it in the same output stays.
            output.data.pop(WIDGET_VIEW, None)
            output.metadata.pop(WIDGET_VIEW, None)
            if not output.data:
                continue
        if output.output_type == "stream" and _is_erased(output.text):
            continue
        if output.output_type == "execute_result":
            output.execution_count = cell.execution_count
        if output.output_type == "error":
            output.traceback = _without_library_frames(output.traceback)
        outputs.append(output)
    return outputs


def _without_library_frames(traceback: Sequence[str]) -> list[str]:
    # A frame in a library begins with the path of its file, which differs between machines.
    kept: list[str] = []
    for entry in traceback:
        if not ANSI_ESCAPE.sub("", entry).startswith("File "):
            kept.append(entry)
        elif kept[-1:] != [LIBRARY_FRAMES]:
            kept.append(LIBRARY_FRAMES)
    return kept


def _is_erased(text: str) -> bool:
    """Whether nothing is left to see of a text that writes over itself, as a progress bar does."""
    return "\r" in text and not any(
        line.rstrip("\r").rpartition("\r")[2].strip() for line in text.split("\n")
    )


def merge_streams(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring outputs of the same stream: where they are cut depends on timing."""
    merged: list[NotebookNode] = []
    for output in outputs:
        previous = merged[-1] if merged else None
        if (
            previous is not None
            and output.output_type == previous.output_type == "stream"
            and output.name == previous.name
        ):
            previous.text += output.text
        else:
            merged.append(copy.deepcopy(output))
    return merged


def keep_timings(committed: NotebookNode, fresh: NotebookNode) -> NotebookNode:
    """Return `fresh` with the committed outputs of the cells that measure time.

    A cell tagged ``timing`` prints other numbers in every run. Its committed outputs stay as long
    as only their numbers differ from the fresh ones.
    """
    nb = copy.deepcopy(fresh)
    old_cells = {cell.get("id"): cell for cell in committed.cells}
    for cell in nb.cells:
        old = old_cells.get(cell.get("id"))
        if (
            cell.cell_type == "code"
            and "timing" in tags(cell)
            and old is not None
            and old.cell_type == "code"
            and _shapes(old.outputs) == _shapes(cell.outputs)
        ):
            cell.outputs = old.outputs
    return normalise(nb)


def _shapes(outputs: Sequence[NotebookNode]) -> list[object]:
    return [_shape(output) for output in merge_streams(outputs)]


def _shape(output: NotebookNode) -> object:
    """Return what stays of an output when its numbers change."""
    if output.output_type == "stream":
        return output.name, _without_numbers(output.text)
    data = output.get("data", {})
    return output.output_type, {
        mime: _without_numbers(value) if isinstance(value, str) and mime.startswith("text/") else ""
        for mime, value in data.items()
        if mime != WIDGET_VIEW
    }


def _without_numbers(text: str) -> str:
    # Spaces go too, for a column's padding follows the width of its numbers.
    return re.sub(r"\s+", "", re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", "#", text))


def figures(nb: NotebookNode) -> dict[str, bytes]:
    """Return the pictures of a notebook that also stand in figures/, by the names of their files.

    A cell tagged ``figure:NAME`` gives its picture to ``NAME.svg`` or ``NAME.png``.
    """
    found = {}
    for cell in nb.cells:
        for tag in tags(cell):
            if tag.startswith(FIGURE_TAG):
                suffix, content = _picture(cell)
                found[tag.removeprefix(FIGURE_TAG) + suffix] = content
    return found


def _picture(cell: NotebookNode) -> tuple[str, bytes]:
    for output in cell.outputs:
        data = output.get("data", {})
        if "image/png" in data:
            return ".png", base64.b64decode(data["image/png"])
        image = re.search(r'"data:image/svg\+xml;base64,([^"]*)"', data.get("text/html", ""))
        if image:
            return ".svg", base64.b64decode(image[1]) + b"\n"
    raise NotebookFailed(f"the cell {cell.get('id')!r} is to give a figure but shows no picture")


def refresh(path: Path, timing: bool = False) -> bool:
    """Run a notebook again, write what changed, and return whether anything did.

    A picture counts as changed when its bytes did; with the pinned versions, the same code draws
    the same bytes. The outputs of ``timing`` cells are kept unless `timing` is true. The pictures
    that the notebook gives to figures/ are written too.
    """
    fresh = execute(path)
    nb = fresh if timing else keep_timings(read(path), fresh)
    folder = path.resolve().parent.parent / "figures"
    for name, content in figures(nb).items():
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    return write(nb, path)


def chosen(names: Sequence[str]) -> list[Path]:
    """Return the notebooks whose names begin with one of `names`, or all where none is given.

    Raises
    ------
    SystemExit
        If no notebook's name begins with one of them.
    """
    notebooks = course_notebooks()
    if not names:
        return notebooks
    for name in names:
        if not any(path.stem.startswith(Path(name).stem) for path in notebooks):
            known = ", ".join(path.stem for path in notebooks) or "none"
            raise SystemExit(f"no notebook's name begins with {name!r}; there are: {known}")
    return [path for path in notebooks if any(path.stem.startswith(Path(n).stem) for n in names)]


def normalise_file(path: Path) -> bool:
    """Normalise a notebook's file without running it, and return whether the file changed."""
    try:
        nb = read(path)
    except (OSError, ValueError) as error:
        raise NotebookFailed(f"{path.name}: cannot be read: {error}") from error
    return write(normalise(nb), path)


HELP = "\n# {name}.hint()  # run it again for the next hint\n# {name}.solution()"


def put_stubs(path: Path) -> bool:
    """Put the package's untouched exercises into a notebook, and return whether it changed.

    Only what stands above ``exNN.name.check(`` in an exercise's cell is replaced, and below it the
    calls for hint and solution are added where they are missing; no cell runs.
    """
    from autodiff_course.exercises.framework import exercises_in

    module = importlib.import_module(f"autodiff_course.exercises.ex{path.name[:2]}")
    nb = read(path)
    for one in exercises_in(module):
        name = f"{module.__name__.rpartition('.')[2]}.{one.name}"
        call = f"{name}.check("
        for cell in nb.cells:
            if cell.cell_type == "code" and call in cell.source:
                above, found, below = cell.source.partition(call)
                imports = re.findall(r"^(?:from|import) .*$", above, flags=re.MULTILINE)
                head = "\n".join(imports) + "\n\n\n" if imports else ""
                gap = "\n\n\n" if one.asks_for_function else "\n\n"
                cell.source = head + one.stub + gap + found + below
                if f"{name}.hint()" not in below:
                    cell.source += HELP.format(name=name)
    return write(nb, path)


def _for_each(paths: Sequence[Path], change: Callable[[Path], bool]) -> int:
    """Change each file, say what became of it, and return the exit status."""
    status = 0
    for path in paths:
        try:
            changed = change(path)
        except NotebookFailed as error:
            print(f"FAILED {error}", file=sys.stderr)
            status = 1
        else:
            print(f"{'written' if changed else 'unchanged'}: {path.name}")
    return status


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    outputs = commands.add_parser("outputs", help="run notebooks again, keep what changed")
    outputs.add_argument("names", nargs="*", help="a number or name; without any, all notebooks")
    outputs.add_argument("--timing", action="store_true", help="also refresh timing cells")
    normal = commands.add_parser("normalise", help="take out what an editor or a run left")
    normal.add_argument("files", nargs="*", type=Path, help="without any, all notebooks")
    stubs = commands.add_parser("stubs", help="put the package's exercises into their cells")
    stubs.add_argument("names", nargs="*", help="a number or name; without any, all notebooks")
    options = parser.parse_args(arguments)

    if options.command == "stubs":
        return _for_each(chosen(options.names), put_stubs)
    if options.command == "normalise":
        return _for_each(options.files or course_notebooks(), normalise_file)
    return _for_each(chosen(options.names), partial(refresh, timing=options.timing))


if __name__ == "__main__":
    sys.exit(main())
