"""A picture that follows sliders."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .pictures import Picture, widget_formats

__all__ = ["Explorer", "explore"]


def explore(make_picture: Callable[..., Picture], **starts: float) -> Explorer:
    """Redraw a picture while the reader moves sliders.

    Parameters
    ----------
    make_picture : callable
        Takes one float per slider, as keyword arguments, and returns a Picture.
    **starts : float
        Where each slider starts. It goes 4 to either side, in steps of a tenth.

    Returns
    -------
    Explorer
        Shows sliders above the picture. Where no kernel or no widget runs, the same output is the
        picture at the start.

    Raises
    ------
    TypeError
        If `make_picture` returns something else than a Picture.
    ValueError
        If there is no slider.

    Notes
    -----
    An error raised while a slider moves (a value outside a function's domain) is shown in place of
    the picture.

    Examples
    --------
    >>> from autodiff_course.drawing import draw
    >>> from autodiff_course.graph import Scalar
    >>> def square(x):
    ...     x = Scalar(x, name="x")
    ...     return draw((x * x).named("y"))
    >>> explore(square, x=3.0)
    node  made by  value  local derivatives
    x     input    3
    y     x * x    9      ∂y/∂x = 3, ∂y/∂x = 3
    """
    if not starts:
        raise ValueError("starts must name at least one slider, for example x=1.0")
    picture = make_picture(**starts)
    if not isinstance(picture, Picture):
        raise TypeError(f"make_picture must return a Picture, got {type(picture).__name__}")
    return Explorer(make_picture, starts, picture)


@dataclass(frozen=True)
class Explorer:
    """Sliders and the picture that follows them; see `explore`."""

    make_picture: Callable[..., Picture]
    starts: Mapping[str, float]
    at_start: Picture

    def __repr__(self) -> str:
        return repr(self.at_start)

    def _repr_mimebundle_(self, include=None, exclude=None):
        bundle = self.at_start._repr_mimebundle_()
        try:
            return bundle | widget_formats(_slider_box(self)) | {"text/plain": repr(self)}
        except ImportError:
            return bundle


def _slider_box(explorer):
    import ipywidgets

    sliders = {
        name: ipywidgets.FloatSlider(
            value=start, min=start - 4, max=start + 4, step=0.1, description=name
        )
        for name, start in explorer.starts.items()
    }
    view = ipywidgets.HTML(explorer.at_start.html)

    def redraw(_):
        values = {name: slider.value for name, slider in sliders.items()}
        try:
            view.value = explorer.make_picture(**values).html
        except Exception as error:
            view.value = f"<pre>{html.escape(f'{type(error).__name__}: {error}')}</pre>"

    for slider in sliders.values():
        slider.observe(redraw, names="value")
    return ipywidgets.VBox([*sliders.values(), view])
