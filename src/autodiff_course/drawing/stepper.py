"""A sweep, step by step: buttons and a slider where a kernel runs, a filmstrip elsewhere."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autodiff_course.graph import Scalar, Step, topological_order

from .pictures import Picture, widget_formats
from .rendering import INK, PALE_VERMILION, table
from .scalar_graph import draw, formula, label_nodes, number_text

__all__ = ["Stepper", "Sweep", "step_through"]


def step_through(
    output: Scalar | Sequence[Scalar],
    *,
    values: bool = False,
    tangents: Iterable[Step] | None = None,
    adjoints: Iterable[Step] | None = None,
) -> Stepper:
    """Walk a sweep step by step, with buttons, a slider and a table of all steps.

    Parameters
    ----------
    output : Scalar or sequence of Scalar
        The graph, as for `draw`.
    values : bool, optional
        Walk the evaluation of the function itself: one step per node.
    tangents : iterable of Step, optional
        The steps of a forward sweep over the same graph.
    adjoints : iterable of Step, optional
        The steps of a reverse sweep over the same graph.

    Returns
    -------
    Stepper
        Shows the sweeps side by side. Each step highlights its edge and writes out its
        arithmetic. Where no kernel or no widget runs, the same output is a filmstrip.

    Raises
    ------
    ValueError
        If there is no sweep to walk.
    TypeError
        If `output` or the steps are of another type.

    Examples
    --------
    >>> from autodiff_course.graph import reverse_sweep
    >>> a, b = Scalar(2.0, name="a"), Scalar(1.0, name="b")
    >>> e = ((a + b).named("c") * (b + 1).named("d")).named("e")
    >>> step_through(e, adjoints=reverse_sweep(e))
    step  adjoint
    0     no adjoint is known yet
    1     adjoint of e = 1 (seed)
    2     adjoint of c += adjoint of e × ∂e/∂c = 1 × 2, now 2
    3     adjoint of d += adjoint of e × ∂e/∂d = 1 × 3, now 3
    4     adjoint of b += adjoint of d × ∂d/∂b = 3 × 1, now 3
    5     adjoint of a += adjoint of c × ∂c/∂a = 2 × 1, now 2
    6     adjoint of b += adjoint of c × ∂c/∂b = 2 × 1, now 5
    """
    nodes = topological_order(output)
    evaluation = [Step(node, None, node.value, node.value, node.value) for node in nodes]
    sweeps = {"value": evaluation if values else None, "tangent": tangents, "adjoint": adjoints}
    sweeps = {name: list(steps) for name, steps in sweeps.items() if steps is not None}
    for name, steps in sweeps.items():
        for step in steps:
            if not isinstance(step, Step):
                raise TypeError(f"{name}s must be the Steps of a sweep, got {step!r}")
    if not sweeps:
        raise ValueError(
            "give values=True, tangents=... or adjoints=...: there is no sweep to walk"
        )
    labels = label_nodes(nodes)
    return Stepper(tuple(_sweep(output, name, steps, labels) for name, steps in sweeps.items()))


@dataclass(frozen=True)
class Sweep:
    """The pictures and the words of a sweep: one of each before it, and one after each step."""

    name: str
    pictures: tuple[Picture, ...]
    words: tuple[str, ...]


def _sweep(output, name, steps, labels):
    known, words = {}, [f"no {name} is known yet"]
    pictures = [draw(output, **{f"{name}s": known})]
    for step in steps:
        known = {**known, step.node: step.total}
        pictures.append(draw(output, **{f"{name}s": known}, highlight=step))
        words.append(_arithmetic(name, step, labels))
    return Sweep(name, tuple(pictures), tuple(words))


def _arithmetic(name, step, labels):
    node = labels[step.node]
    if name == "value":
        return f"{node} = {_worked_out(step.node, labels)}"
    if step.edge is None:
        return f"{name} of {node} = {number_text(step.total)} (seed)"
    sender = step.edge.parent if step.edge.child is step.node else step.edge.child
    derivative = f"∂{labels[step.edge.child]}/∂{labels[step.edge.parent]}"
    numbers = f"{number_text(step.sent)} × {number_text(step.edge.local_derivative)}"
    factors = f"{name} of {labels[sender]} × {derivative} = {numbers}"
    return f"{name} of {node} += {factors}, now {number_text(step.total)}"


def _worked_out(node, labels):
    """Write a node's formula with names, then with numbers, then its value."""
    if not node.parents:
        return f"{number_text(node.value)} (input)"
    numbers = {parent: number_text(parent.value) for parent in node.parents}
    return f"{formula(node, labels)} = {formula(node, numbers)} = {number_text(node.value)}"


@dataclass(frozen=True)
class Stepper:
    """One sweep, or several side by side; see `step_through`.

    Attributes
    ----------
    sweeps : tuple of Sweep
        The sweeps, of the same graph. A shorter one waits at its end for the others.
    """

    # A filmstrip of more frames is no longer looked at; the table has all steps anyhow.
    MOST_FRAMES = 12

    sweeps: tuple[Sweep, ...]

    @property
    def last(self) -> int:
        """The number of the last step; the state before the first step is number 0."""
        return max(len(sweep.words) for sweep in self.sweeps) - 1

    def __repr__(self) -> str:
        return table([self._heading(), *map(self._row, range(self.last + 1))])

    def html(self, step: int) -> str:
        """Return the pictures after a step, their arithmetic, and the table of all steps."""
        pictures = "".join(self._frame(sweep, step) for sweep in self.sweeps)
        return f'<div style="{_columns(len(self.sweeps))}">{pictures}</div>{self._html_table(step)}'

    @property
    def filmstrip(self) -> str:
        """All steps as one HTML element, for pages where nothing moves."""
        if self.sweeps[0].pictures[0].svg is None:
            return f"<pre>{html.escape(repr(self))}</pre>"
        steps = _spread(self.last + 1, self.MOST_FRAMES)
        frames = (self._frame(sweep, step) for step in steps for sweep in self.sweeps)
        return f'<div style="{_columns(2)}">{"".join(frames)}</div>{self._html_table()}'

    def _repr_mimebundle_(self, include=None, exclude=None):
        bundle = {"text/html": self.filmstrip, "text/plain": repr(self)}
        try:
            return widget_formats(_stepper_box(self)) | bundle
        except ImportError:
            return bundle

    def _frame(self, sweep, step):
        step = min(step, len(sweep.words) - 1)
        caption = f"<figcaption><b>{step}.</b> {html.escape(sweep.words[step])}</figcaption>"
        return (
            f'<figure style="margin:0" data-step="{step}">{sweep.pictures[step].html}{caption}'
            "</figure>"
        )

    def _heading(self):
        return ["step", *(sweep.name for sweep in self.sweeps)]

    def _row(self, step):
        words = (sweep.words[step] if step < len(sweep.words) else "" for sweep in self.sweeps)
        return [str(step), *words]

    def _html_table(self, current=None):
        heading = "".join(f'<th scope="col">{word}</th>' for word in self._heading())
        rows = "".join(self._html_row(step, step == current) for step in range(self.last + 1))
        return f"<table><thead><tr>{heading}</tr></thead><tbody>{rows}</tbody></table>"

    def _html_row(self, step, is_current):
        number, *words = map(html.escape, self._row(step))
        cells = "".join(
            f'<td style="text-align:left;padding:0.1em 0.8em">{word}</td>' for word in words
        )
        # Its own ink on its own ground: readable on a light and on a dark page.
        ground = f"background:{PALE_VERMILION};color:{INK}"
        mark = f' aria-current="step" style="{ground}"' if is_current else ""
        number = f"{'▶' if is_current else ''} {number}"
        return f'<tr{mark}><th scope="row" style="min-width:3em">{number}</th>{cells}</tr>'


def _columns(count):
    # As many beside each other as the page has room for, at most `count`.
    return (
        "display:grid;gap:1em;grid-template-columns:"
        f"repeat(auto-fit,minmax(max(18em,{90 // count}%),1fr))"
    )


def _spread(count, most):
    """Return at most `most` of the numbers below `count`, evenly spread, both ends included."""
    if count <= most:
        return range(count)
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})


def _stepper_box(stepper):
    import ipywidgets

    slider = ipywidgets.IntSlider(min=0, max=stepper.last, description="step")
    play = ipywidgets.Play(min=0, max=stepper.last, interval=1500, description="play")
    # In the browser, so that playing does not wait for the kernel.
    ipywidgets.jslink((play, "value"), (slider, "value"))
    back = ipywidgets.Button(description="back", icon="step-backward")
    forward = ipywidgets.Button(description="forward", icon="step-forward")
    view = ipywidgets.HTML(stepper.html(0))

    def move(by):
        slider.value = min(max(slider.value + by, 0), stepper.last)

    back.on_click(lambda _: move(-1))
    forward.on_click(lambda _: move(+1))
    slider.observe(lambda change: setattr(view, "value", stepper.html(change["new"])), "value")
    return ipywidgets.VBox([ipywidgets.HBox([play, back, forward, slider]), view])
