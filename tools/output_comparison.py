"""Compare the committed outputs of a notebook with those of a fresh run."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from nbformat import NotebookNode

from html_tree import Element, outermost_svgs, parse_html
from notebooks import RASTER_IMAGES, cell_name, normalise, tags

# Where things stand in a picture depends on the fonts of the machine that laid it out.
_PLACES = (
    "cx cy d dx dy height points r rx ry textlength transform viewbox width x x1 x2 y y1 y2 "
    "max-height max-width min-height min-width"
)
GEOMETRY = frozenset(_PLACES.split())


def _svg_structure(svg: Element) -> list[object]:
    """Return the elements of a picture with their text, in order, without any geometry."""
    structure: list[object] = []
    for element in svg.elements():
        attributes = {k: v for k, v in element.attributes.items() if k not in GEOMETRY}
        if "style" in attributes:
            attributes["style"] = _style_without_geometry(attributes["style"])
        texts = [" ".join(child.split()) for child in element.children if isinstance(child, str)]
        structure.append((element.tag, *sorted(attributes.items()), *texts))
    return structure


def _style_without_geometry(style: str) -> str:
    declarations = [part.strip() for part in style.split(";") if part.strip()]
    return ";".join(d for d in declarations if d.split(":")[0].strip().lower() not in GEOMETRY)


def _page_structure(element: Element) -> list[object]:
    """Return an HTML page in which pictures count by their structure and the rest as it is."""
    if element.tag == "svg":
        return _svg_structure(element)
    structure: list[object] = [(element.tag, *sorted(element.attributes.items()))]
    for child in element.children:
        structure += [child] if isinstance(child, str) else _page_structure(child)
    return structure


# A drawing inside an image.
IMAGE = re.compile(r'<img src="data:image/svg\+xml;base64,([^"]*)"')


def _opened(image: re.Match[str]) -> str:
    return f"{base64.b64decode(image[1]).decode()}<img"


def _comparable(mime: str, value: object) -> object:
    """Return what of one representation of an output must be the same in every run."""
    if mime in RASTER_IMAGES:
        return "a picture"
    if mime == "image/svg+xml":
        return _page_structure(parse_html(str(value)))
    if mime == "text/html":
        page = parse_html(IMAGE.sub(_opened, str(value)))
        return _page_structure(page) if any(outermost_svgs(page)) else value
    return value


def _comparable_output(output: NotebookNode) -> dict[str, object]:
    if output.output_type == "stream":
        return {output.name: output.text}
    if output.output_type == "error":
        return {"error": f"{output.ename}: {output.evalue}"}
    return {mime: _comparable(mime, value) for mime, value in output.data.items()}


def _first_difference(old: object, new: object) -> str:
    """Say where two texts, or two pictures, first differ."""
    if isinstance(old, list) and isinstance(new, list):
        for before, after in zip(old, new, strict=False):
            if before != after:
                return _element_difference(before, after)
        return f"committed {len(old)} elements, fresh {len(new)}"
    old_lines, new_lines = str(old).splitlines(), str(new).splitlines()
    for before, after in zip(old_lines, new_lines, strict=False):
        if before != after:
            return f"committed {before!r}, fresh {after!r}"
    return f"committed {len(old_lines)} lines, fresh {len(new_lines)}"


def _element_difference(before: object, after: object) -> str:
    """Name the attributes and texts in which two elements differ, or the two elements."""
    if isinstance(before, tuple) and isinstance(after, tuple) and before[0] == after[0]:
        old = [part for part in before[1:] if part not in after]
        new = [part for part in after[1:] if part not in before]
        return f"<{before[0]}> committed {old}, fresh {new}"
    return f"committed {before!r}, fresh {after!r}"


def _output_differences(committed: NotebookNode, fresh: NotebookNode) -> Iterator[str]:
    old, new = _comparable_output(committed), _comparable_output(fresh)
    if old.keys() != new.keys():
        yield f"committed {', '.join(old)}; fresh {', '.join(new)}"
        return
    for kind in old:
        if old[kind] != new[kind]:
            yield f"{kind}: {_first_difference(old[kind], new[kind])}"


def compare_outputs(committed: NotebookNode, fresh: NotebookNode) -> list[str]:
    """Return the differences between a notebook's committed outputs and those of a fresh run.

    Texts must be equal. A PNG or JPEG picture must only be there, and an SVG picture must have the
    same elements, texts, colours and names, wherever they stand. The outputs of a cell tagged
    ``timing`` are not compared.

    Parameters
    ----------
    committed, fresh : NotebookNode
        The notebook as it was committed, and as a run left it.

    Returns
    -------
    list of str
        The differences in plain words, each with its cell.
    """
    if [cell.source for cell in committed.cells] != [cell.source for cell in fresh.cells]:
        return ["the two notebooks do not have the same cells"]
    committed, fresh = normalise(committed), normalise(fresh)
    differences = []
    for index, (old, new) in enumerate(zip(committed.cells, fresh.cells, strict=True)):
        if old.cell_type != "code" or "timing" in tags(old):
            continue
        name = cell_name(committed, index)
        if len(old.outputs) != len(new.outputs):
            differences.append(
                f"{name}: committed {len(old.outputs)} outputs ({_kinds(old)}), "
                f"fresh {len(new.outputs)} ({_kinds(new)})"
            )
            continue
        for number, pair in enumerate(zip(old.outputs, new.outputs, strict=True), start=1):
            differences += [f"{name}, output {number}: {d}" for d in _output_differences(*pair)]
    return differences


def _kinds(cell: NotebookNode) -> str:
    return "; ".join(", ".join(_comparable_output(output)) for output in cell.outputs) or "none"
