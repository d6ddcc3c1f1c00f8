"""What a notebook shows: a drawn graph or a plot, each with alt text."""

from __future__ import annotations

import base64
import html
import io
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import matplotlib.figure

__all__ = ["Picture", "Plot", "show"]


@dataclass(frozen=True)
class Picture:
    """A drawn graph.

    Attributes
    ----------
    svg : str or None
        One ``<svg>`` element with title and alt text; None where nothing could draw it.
    alt : str
        What the picture shows, in words.
    text : str
        The same graph as a table.
    graph : Scalar or sequence of Scalar, optional
        The graph that is drawn, where it is one of Scalars.

    Notes
    -----
    In a notebook the last line of a cell shows the picture; a terminal shows the table.
    """

    svg: str | None
    alt: str
    text: str
    graph: Any = field(default=None, repr=False, compare=False)

    @property
    def html(self) -> str:
        """The picture as an ``<img>`` that holds it; the table where there is no picture."""
        if self.svg is None:
            return f"<pre>{html.escape(self.text)}</pre>"
        style = "max-width:100%;height:auto"
        return f'<img src="{self._address}" alt="{html.escape(self.alt)}" style="{style}">'

    @property
    def _address(self):
        # As an image, because pages that show notebooks of strangers, GitHub among them, take an
        # <svg> out of an output and leave an <img>. Base64 is what such pages let pass. Inside an
        # image nothing reads the title and the description; the alt text stands outside.
        svg = re.sub(r"<(title|desc)>.*?</\1>", "", self.svg, flags=re.DOTALL)
        svg = re.sub(r' (role|aria-label|style)="[^"]*"', "", svg)
        return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include=None, exclude=None):
        bundle = {"text/plain": self.text}
        if self.svg is not None:
            bundle["text/html"] = self.html
        return bundle


@dataclass(frozen=True)
class Plot:
    """A matplotlib figure as a PNG with alt text.

    Attributes
    ----------
    png : bytes
        The image, at twice the size in which it is shown, for sharp screens.
    alt : str
        What the plot shows, in words.
    size : tuple of int
        Width and height in which it is shown, in CSS pixels.
    """

    png: bytes
    alt: str
    size: tuple[int, int]

    def __repr__(self) -> str:
        return f"Plot: {self.alt}"

    def _repr_mimebundle_(self, include=None, exclude=None):
        width, height = self.size
        metadata = {"image/png": {"alt": self.alt, "width": width, "height": height}}
        return {"image/png": self.png, "text/plain": repr(self)}, metadata


def show(figure: matplotlib.figure.Figure, alt: str) -> Plot:
    """Turn a matplotlib figure into an output that has alt text.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure. It is closed, so that no second copy of it is shown.
    alt : str
        What the plot shows, in words: its axes, its curves and what is to be seen.

    Returns
    -------
    Plot
        Shows itself as the last line of a cell.

    Raises
    ------
    ValueError
        If `alt` is empty.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> figure, axes = plt.subplots(figsize=(4, 3))
    >>> show(figure, alt="Empty axes from 0 to 1.")
    Plot: Empty axes from 0 to 1.
    """
    import matplotlib.pyplot as plt

    if not alt.strip():
        raise ValueError("alt must say what the plot shows, got an empty text")
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    buffer = io.BytesIO()
    # A white ground keeps the plot readable on a dark page.
    figure.savefig(buffer, format="png", dpi=192, facecolor="white")
    plt.close(figure)
    return Plot(buffer.getvalue(), alt, (width, height))
