"""The exercises of notebook 01 that are judged in ways of their own."""

from __future__ import annotations

from dataclasses import replace

from .framework import Exercise
from .graphs01 import (
    Node,
    complaint_about_order,
    e_graph,
    hurries,
    overwrites,
    single,
    z_graph,
)
from .running import call, limited


class AnyOrder(Exercise):
    """An exercise for which every order with operands first is right."""

    def agree(self, one, other):
        lists = [getattr(outcome, "value", None) for outcome in (one, other)]
        if not all(isinstance(value, (list, tuple)) for value in lists):
            return super().agree(one, other)
        mine, true = lists
        if complaint_about_order(mine, true) or complaint_about_order(true, mine):
            return list(mine) == list(true)
        return True

    def _checked(self, answer, seconds, seed):
        result = super()._checked(answer, seconds, seed)
        if result.status != "wrong" or result.yours is None:
            return result
        if limited(lambda clock: _remembers(answer), seconds):
            return replace(result, message=_REMEMBERS)
        told = complaint_about_order(result.yours, result.expected)
        return replace(result, message=f"{told} {result.mistake}".strip()) if told else result


_REMEMBERS = (
    "Something of one call is still there at the next: a list as a default value (`order=[]` is "
    "made once, when Python reads the `def`), or a list or set outside the function. Make them new "
    "in each call."
)


def _remembers(answer):
    """Tell whether an answer brings nodes of former calls, or returns another list each time."""
    (x,) = single("")
    lists = []
    for _ in range(2):
        value = getattr(call(answer, (x,)), "value", None)
        if not isinstance(value, (list, tuple)):
            return False
        lists.append(list(value))  # a copy, as it may be the same list each time
    others = [one for value in lists for one in value if isinstance(one, Node) and one is not x]
    return bool(others) or len(set(map(len, lists))) > 1


class FindFault(Exercise):
    """An exercise that knows on which graphs one of the sweeps is right by luck."""

    def _checked(self, answer, seconds, seed):
        result = super()._checked(answer, seconds, seed)
        passes_a = result.input == what_it_leaves(hurries) and result.yours == "right"
        if result.status == "wrong" and passes_a:
            on_b = limited(lambda clock: call(answer, (overwrites,)), seconds)
            if getattr(on_b, "value", "right") != "right":
                return replace(result, message=BY_LUCK, mistake=BY_LUCK)
        return result


BY_LUCK = (
    "Your test lets a sweep that hurries pass. On e = (a + b)(b + 1) it is right by luck: b, the "
    "only node that is used twice, sends nothing on. On y * y with y = x * x too: one operation "
    "has both edges. Find a graph in which two operations use a node that has something to send "
    "on."
)


def what_it_leaves(sweep):
    nodes, more = e_graph(), z_graph()
    on_e, on_z = sweep(nodes), sweep(more)
    return (
        f"a sweep that leaves {on_e[nodes[0]]:g} at a, {on_e[nodes[1]]:g} at b and "
        f"{on_e[nodes[-1]]:g} at e of e = (a + b) * (b + 1); and {on_z[more[0]]:g} at x, "
        f"{on_z[more[1]]:g} at y of z = y + y * y, y = x * x, x = 3, where 114 and 19 are right"
    )
