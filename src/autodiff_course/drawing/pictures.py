"""What a notebook shows: a drawn graph or a plot, each with alt text."""

from __future__ import annotations

import html
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import matplotlib.figure

__all__ = ["Picture", "Plot", "show"]


def widget_formats(widget) -> dict:
    """Return what a cell shows for a widget of ipywidgets, as format → content."""
    if hasattr(widget, "_repr_mimebundle_"):
        return widget._repr_mimebundle_()
    # ipywidgets 7, which Colab has, shows its widgets itself and never returns this.
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {"application/vnd.jupyter.widget-view+json": view}


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

    Notes
    -----
    In a notebook the last line of a cell shows the picture; a terminal shows the table.
    """

    svg: str | None
    alt: str
    text: str

    @property
    def html(self) -> str:
        """The picture as an HTML element; the table where there is no picture."""
        if self.svg is None:
            return f"<pre>{html.escape(self.text)}</pre>"
        return f'<div style="overflow-x:auto">{self.svg}</div>'

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
