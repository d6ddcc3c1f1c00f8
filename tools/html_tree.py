"""The elements of an HTML page or an SVG picture, as far as checks look at them."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

VOID_ELEMENTS = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "wbr"}


class Element:
    """An element of an HTML page: its tag, its attributes, its text and what it contains."""

    def __init__(self, tag: str, attributes: dict[str, str]):
        self.tag = tag
        self.attributes = attributes
        self.children: list[Element | str] = []

    def elements(self) -> Iterator[Element]:
        """Yield the element and everything in it, in the order of the page."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.elements()

    def text(self) -> str:
        """Return all the text in the element."""
        return "".join(c if isinstance(c, str) else c.text() for c in self.children)


class _TreeBuilder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID_ELEMENTS:
            self._open.append(self._open[-1].children[-1])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self._open[-1].children.append(Element(tag, attributes))

    def handle_endtag(self, tag: str) -> None:
        # An end without a beginning is ignored, as browsers do.
        for depth in range(len(self._open) - 1, 0, -1):
            if self._open[depth].tag == tag:
                del self._open[depth:]
                return

    def handle_data(self, data: str) -> None:
        if data.strip():
            self._open[-1].children.append(data)


def parse_html(text: str) -> Element:
    """Return the root of a page, which has no tag of its own."""
    builder = _TreeBuilder()
    builder.feed(text)
    builder.close()
    return builder.root


def outermost_svgs(element: Element) -> Iterator[Element]:
    """Yield the pictures in an element, without the pictures inside of them."""
    if element.tag == "svg":
        yield element
        return
    for child in element.children:
        if isinstance(child, Element):
            yield from outermost_svgs(child)


def svg_title(svg: Element) -> str:
    """Return the title of a whole picture; the titles of its parts lie deeper."""
    for child in svg.children:
        if isinstance(child, Element) and child.tag == "title":
            return child.text().strip()
    return ""
