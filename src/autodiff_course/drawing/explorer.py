"""Pictures that answer: sliders and sweeps step by step, computed in the page, without a kernel.

An output is one piece of HTML: the picture as an ``<img>``, a table, and a script that holds the
graph as data (`graph_data`). Where the script runs it takes the picture out of the image and makes
it answer; where it does not, picture and table stand. The script is ``explorer_numbers.js``, which
computes, and ``explorer.js``, which draws; both are carried in each output, because a cell can be
deleted, run again, or shown alone, and another output could then not rely on it.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from autodiff_course.graph import (
    Scalar,
    Step,
    forward_sweep,
    reverse_sweep,
    topological_order,
)

from .graph_data import graph_data, json_number, steps_data
from .pictures import Picture
from .rendering import table
from .scalar_graph import draw_with_room, formula, label_nodes, number_text, table_rows

__all__ = ["Explorer", "explore", "step_through"]


@dataclass(frozen=True)
class Explorer:
    """A picture that answers; see `explore` and `step_through`.

    Attributes
    ----------
    picture : Picture
        What is shown where no script runs.
    rows : tuple of tuple of str
        The table below it, its heading first.
    data : dict
        What the script gets: ``graph``, ``mode``, and the sweeps or seeds.
    """

    picture: Picture
    rows: tuple[tuple[str, ...], ...]
    data: dict

    @property
    def html(self) -> str:
        """The output as one HTML element."""
        still = f"{self.picture.html}{_html_table(self.rows)}"
        if self.picture.svg is None:
            return still
        data = json.dumps(self.data, ensure_ascii=False, separators=(",", ":"))
        data = data.replace("</", "<\\/")  # the end of a script in a name would end this one
        key = sha256(data.encode()).hexdigest()[:12]
        find = f"document.querySelectorAll('[data-explorer=\"{key}\"]:not([data-live])')"
        start = f"for(const root of {find}){{root.dataset.live='';start(root,{data},style);}}"
        # JupyterLab leaves the keys alone inside an element with the second attribute.
        return (
            f'<div class="ad-explorer" data-explorer="{key}" data-lm-suppress-shortcuts="true">'
            f"{still}<script>(()=>{{\n{_script()}\n{start}}})()</script></div>"
        )

    def __repr__(self) -> str:
        return table(self.rows)

    def _repr_mimebundle_(self, include=None, exclude=None):
        if self.picture.svg is None:
            # The reason, then the table, unless the picture's own is the same.
            both = f"{self.picture.text}\n\n{self!r}"
            return {"text/plain": self.picture.text if repr(self) in self.picture.text else both}
        return {"text/html": self.html, "text/plain": repr(self)}


@cache
def _script():
    """Return the script and the style, without what only their readers need."""
    folder = Path(__file__).parent
    names = ("explorer_numbers.js", "explorer_picture.js", "explorer.js")
    code = "\n".join((folder / name).read_text(encoding="utf-8") for name in names)
    style = (folder / "explorer.css").read_text(encoding="utf-8")
    style = re.sub(r"\s*([{};:,])\s+", r"\1", style).strip()
    return f"{_squeezed(code)}\nconst style={json.dumps(style, ensure_ascii=False)};"


def _squeezed(code):
    """Leave out comments, indentation, and the space around punctuation."""
    lines = (line.strip() for line in re.sub(r"; +// .*", ";", code).splitlines())
    code = "\n".join(line for line in lines if line and not line.startswith("//"))
    text = r'"(?:\\.|[^"\\])*"|`[^`]*`'
    pattern = rf"({text})|([{{(\[,;])\s+| *([-+*/=<>?:&|{{}}()\[\]]) *"
    return re.sub(pattern, lambda match: "".join(filter(None, match.groups())), code)


def _html_table(rows):
    heading, *others = ([html.escape(cell) for cell in row] for row in rows)
    heading = "".join(f'<th scope="col">{cell}</th>' for cell in heading)
    body = "".join(
        f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in rest) + "</tr>"
        for first, *rest in others
    )
    return f"<table><thead><tr>{heading}</tr></thead><tbody>{body}</tbody></table>"


def explore(
    output: Scalar | Sequence[Scalar] | Callable[..., Scalar | Picture],
    *,
    tangents: Scalar | Mapping[Scalar, float] | None = None,
    adjoints: Scalar | Mapping[Scalar, float] | None = None,
    alt: str | None = None,
    **starts: float,
) -> Explorer:
    """Let the reader move the inputs of a graph and see all numbers follow.

    Parameters
    ----------
    output : Scalar or sequence of Scalar
        The graph, as for `draw`. Or a function that makes it, or draws it, from `starts`.
    tangents : Scalar or mapping of Scalar to float, optional
        Show tangents from the start: the derivative with respect to this node, or the seeds, as for
        `forward_sweep`. By default they appear when the reader ticks a box.
    adjoints : Scalar or mapping of Scalar to float, optional
        Show adjoints from the start: of this output, or the seeds, as for `reverse_sweep`.
    alt : str, optional
        Alt text of the picture; made from the graph by default.
    **starts : float
        What the function is called with.

    Returns
    -------
    Explorer
        A slider and a typed number for each input; values, local derivatives, tangents and adjoints
        are computed in the page, each by one sweep. An input outside a domain is answered with the
        error that `Scalar` raises. Where no script runs it is the picture and its table.

    Raises
    ------
    TypeError
        If `output`, `tangents` or `adjoints` is of another type.

    Examples
    --------
    >>> a, b = Scalar(2.0, name="a"), Scalar(1.0, name="b")
    >>> explore((a + b).named("c"), adjoints=True)
    node  made by  value  adjoint  local derivatives
    a     input    2      1
    b     input    1      1
    c     a + b    3      1        ∂c/∂a = 1, ∂c/∂b = 1
    """
    if callable(output):
        output = output(**starts)
    if isinstance(output, Picture) and output.graph is not None:
        output = output.graph
    nodes = topological_order(output)
    outputs = [output] if isinstance(output, Scalar) else list(output)
    inputs = [node for node in nodes if not node.parents]
    seeds = {
        "tangent": _seeds("tangents", tangents, inputs),
        "adjoint": _seeds("adjoints", adjoints, outputs),
    }
    columns = {}
    if tangents is not None:
        columns["tangents"] = _final(forward_sweep(output, seeds["tangent"]))
    if adjoints is not None:
        columns["adjoints"] = _final(reverse_sweep(seeds["adjoint"]))
    number = {node: i for i, node in enumerate(nodes)}
    options = {
        kind: {
            "seeds": [[number[node], json_number(seed)] for node, seed in seeds[kind].items()],
            "shown": f"{kind}s" in columns,
        }
        for kind in seeds
    }
    data = {"graph": graph_data(output), "mode": "explore", "explore": options}
    picture = draw_with_room(output, alt=alt, **columns)
    return Explorer(picture, tuple(map(tuple, table_rows(output, **columns))), data)


def _seeds(argument, wanted, ends):
    """Return {node: seed}: by default 1 at the first of `ends`, where a sweep may begin."""
    if wanted is None or wanted is True:
        return {ends[0]: 1.0}
    if isinstance(wanted, Scalar):
        return {wanted: 1.0}
    if isinstance(wanted, Mapping) and all(isinstance(node, Scalar) for node in wanted):
        return {node: float(seed) for node, seed in wanted.items()}
    raise TypeError(
        f"{argument} must be a Scalar or a mapping of Scalars to floats, got {wanted!r}"
    )


def _final(steps):
    return {step.node: step.total for step in steps}


def step_through(
    output: Scalar | Sequence[Scalar],
    *,
    values: bool = False,
    tangents: Iterable[Step] | None = None,
    adjoints: Iterable[Step] | None = None,
    your_turn: bool = False,
    alt: str | None = None,
) -> Explorer:
    """Walk a sweep step by step, or let the reader choose each step.

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
    your_turn : bool, optional
        The reader clicks which node may send next, and is told what is wrong with a choice that is
        too early. It takes one sweep, forward or reverse.
    alt : str, optional
        Alt text of the picture; made from the graph by default.

    Returns
    -------
    Explorer
        Several sweeps stand side by side, with one clock. Each step lets a number travel along its
        edge and writes out its arithmetic. The inputs can be moved, as in `explore`. Where no
        script runs it is one picture, after the last step, and the table of all steps.

    Raises
    ------
    ValueError
        If there is no sweep to walk; if steps are not those of a sweep over this graph; if it is
        the reader's turn and there is not exactly one sweep with tangents or adjoints.
    TypeError
        If `output` or the steps are of another type.

    Examples
    --------
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
    _check_sweeps(sweeps, your_turn)
    data = {
        "graph": graph_data(output),
        "mode": "turn" if your_turn else "steps",
        "sweeps": [
            {"kind": name, "steps": steps_data(output, steps)} for name, steps in sweeps.items()
        ],
    }
    labels = label_nodes(nodes)
    words = {
        name: [f"no {name} is known yet", *(_arithmetic(name, step, labels) for step in steps)]
        for name, steps in sweeps.items()
    }
    columns = {f"{name}s": {} if your_turn else _final(steps) for name, steps in sweeps.items()}
    return Explorer(draw_with_room(output, alt=alt, **columns), _step_rows(words), data)


def _check_sweeps(sweeps, your_turn):
    for name, steps in sweeps.items():
        for step in steps:
            if not isinstance(step, Step):
                raise TypeError(f"{name}s must be the Steps of a sweep, got {step!r}")
    if not sweeps:
        raise ValueError(
            "give values=True, tangents=... or adjoints=...: there is no sweep to walk"
        )
    if your_turn and (len(sweeps) > 1 or "value" in sweeps):
        raise ValueError(
            "your_turn takes one sweep, tangents=... or adjoints=..., "
            f"got {', '.join(f'{name}s' for name in sweeps)}"
        )
    for name, steps in sweeps.items():
        _check_sums(name, steps)


def _check_sums(name, steps):
    # The page adds up anew what the steps say is added up: these must be the same numbers.
    held = {}
    for number, step in enumerate(steps, start=1):
        total = step.total
        if step.edge is not None:
            total = held.get(step.node, 0.0) + step.sent * step.edge.local_derivative
        if total != step.total and total == total:
            raise ValueError(
                f"{name}s must be the Steps of a sweep, which adds up what arrives: "
                f"step {number} holds {step.total!r}, expected {total!r}"
            )
        held[step.node] = total


def _step_rows(words):
    last = max(map(len, words.values()))
    rows = [("step", *words)]
    for step in range(last):
        texts = (column[step] if step < len(column) else "" for column in words.values())
        rows.append((str(step), *texts))
    return tuple(rows)


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
