"""The exercises of notebook 01 that are judged in ways of their own."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

from .display import CheckResult
from .framework import Exercise
from .graphs01 import (
    Node,
    complaint_about_order,
    e_graph,
    hurries,
    overwrites,
    single,
    unequal_ways,
    z_graph,
)
from .running import call, limited, world_kept

WHOLE_NUMBER = (
    "A count is a whole number, and a float has no room for all digits of 3^40. Count with "
    "integers, from 1 and not from 1.0."
)


class SharedGraph(Exercise):
    """An exercise whose answer is called again on a graph that it has seen, in whole and in part.

    A subclass says in `_calls` with which arguments, given the nodes of one graph.
    """

    def _checked(self, answer, seconds, seed):
        result = super()._checked(answer, seconds, seed)
        if not result:
            return result
        with world_kept():
            found = limited(lambda clock: self._again(answer), seconds)
        return result if found is None else found

    def _again(self, answer):
        nodes = z_graph()
        before = [copy(node.edges) for node in nodes]
        for arguments, label in self._calls(nodes):
            mine, true = call(answer, copy(arguments)), call(self.reference, arguments)
            if [node.edges for node in nodes] != before:
                return CheckResult("other way", _EDGES, input=label, rows=(("Input", label),))
            if not self.agree(mine, true):
                rows = (("Input", f"{label}, in the second call or a later one"),)
                return CheckResult("wrong", _MARKS, input=label, rows=rows)
        return None


_EDGES = (
    "`node.edges` is no longer as it was, and the graph is needed after this. Read the edges with "
    "`for`, and take none away."
)
_MARKS = (
    "The first call is right, a second one on the same graph is not: it finds what the first has "
    "left, such as marks or sums on the nodes. Keep these in a set or dict that the function makes "
    "new in each call."
)


class ReverseSweep(SharedGraph):
    """An exercise that gets an order."""

    def _calls(self, nodes):
        whole, part = "the order x, y, w, z of z = y + y * y, y = x * x", "the order x, y of it"
        return [(([*nodes],), whole)] * 2 + [((nodes[:2],), part)]

    def _checked(self, answer, seconds, seed):
        result = super()._checked(answer, seconds, seed)
        if result.status == "wrong" and not result.mistake and _sent_early(result.yours):
            return replace(result, message=_TOO_EARLY, mistake=_TOO_EARLY)
        return result


_TOO_EARLY = (
    "y has sent before w did (section 7): all 19 have arrived at y, but not all of them were sent "
    "on to x. Who goes through `order` from its end needs no other rule of who is next."
)


def _sent_early(adjoints):
    """Tell whether these are the adjoints of a z_graph in which y sent 1, 9, 10 or 18 of its 19."""
    if not isinstance(adjoints, dict):
        return False
    by_name = {getattr(node, "name", ""): adjoint for node, adjoint in adjoints.items()}
    x, *others = (by_name.get(name) for name in "xywz")
    return others == [19.0, 1.0, 1.0] and x in (6.0, 54.0, 60.0, 108.0)


class PathCount(SharedGraph):
    """An exercise that gets a source and an order."""

    def _calls(self, nodes):
        whole, part = "from x to z = y + y * y, y = x * x", "from x to y of the same graph"
        return [((nodes[0], [*nodes]), whole)] * 2 + [((nodes[0], nodes[:2]), part)]


class AnyOrder(SharedGraph):
    """An exercise that gets an output, and for which every order with operands first is right."""

    def _calls(self, nodes):
        whole, part = "z = y + y * y, y = x * x", "its node y"
        return [((nodes[-1],), whole)] * 2 + [((nodes[1],), part)]

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
        if _turned_round(result.yours, result.expected):
            return replace(result, message=TURNED_ROUND, mistake=TURNED_ROUND)
        told = complaint_about_order(result.yours, result.expected)
        return replace(result, message=f"{told} {result.mistake}".strip()) if told else result


TURNED_ROUND = "The order is turned round: the output comes last."


def _turned_round(nodes, wanted):
    one_list = isinstance(nodes, (list, tuple)) and len(nodes) > 1
    return one_list and not complaint_about_order(nodes[::-1], wanted)


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
    """An exercise with four words as answers; on some graphs one of its sweeps is right by luck."""

    def _checked(self, answer, seconds, seed):
        result = super()._checked(answer, seconds, seed)
        passes_a = result.input == what_it_leaves(hurries) and result.yours == "right"
        if result.status == "wrong" and passes_a:
            on_b = limited(lambda clock: call(answer, (overwrites,)), seconds)
            if getattr(on_b, "value", "right") != "right":
                return replace(result, message=BY_LUCK, mistake=BY_LUCK)
        pair = result.yours, result.expected
        if pair == ("right", "wrong order") and result.input.startswith(_HASTY):
            return replace(result, message=ONE_SIDE, mistake=ONE_SIDE)
        if sorted(map(str, pair)) == ["overwrites", "wrong order"] and not result.mistake:
            return replace(result, message=TWO_CAUSES, mistake=TWO_CAUSES)
        # A right one too: the words were compared without regard to capitals and blanks.
        said = limited(lambda clock: self._said(answer), seconds) if result else [result.yours]
        others = [word for word in said if isinstance(word, str) and word not in _WORDS]
        if others:
            rows = () if result else result.rows  # without what a right answer may try next
            text = f"{others[0]!r} is none of the {_FOUR}"
            return replace(result, status="wrong", message=text, rows=rows)
        return result

    def _said(self, answer):
        with world_kept():
            outcomes = [call(answer, one.arguments) for one in self.inputs()]
        return [getattr(outcome, "value", None) for outcome in outcomes]


_WORDS = ("no seed", "overwrites", "wrong order", "right")
_FOUR = f"four answers, which are {', '.join(map(repr, _WORDS))}, letter by letter."

BY_LUCK = (
    "Your test lets a sweep that hurries pass. On e = (a + b)(b + 1) it is right by luck: b, the "
    "only node that is used twice, sends nothing on. On y * y with y = x * x too: one operation "
    "has both edges. Find a graph in which two operations use a node that has something to send "
    "on."
)

ONE_SIDE = (
    "Your test lets a sweep pass that sends too early, though not on your graph. Whether it comes "
    "to the node used twice too early may depend on which operand is written first, and on how "
    "long the ways from that node are: let one be longer, and try both sides of the last sum."
)

TWO_CAUSES = (
    "A wrong sum has two causes, a lost contribution or a sender that was too early, as in sweep "
    "D. Look for the first on x + x, where only one node sends."
)


_HASTY = "a sweep in which each node sends once"


def what_a_hasty_one_leaves(sweep):
    both = [sweep(nodes)[nodes[0]] for nodes in map(unequal_ways, (True, False))]
    return (
        f"{_HASTY}, some of them too early: it leaves {both[0]:g} at x of v + (2v + 1) and "
        f"{both[1]:g} at x of (2v + 1) + v, where v = x * x, x = 3, and 18 is right"
    )


def what_it_leaves(sweep):
    nodes, more = e_graph(), z_graph()
    on_e, on_z = sweep(nodes), sweep(more)
    return (
        f"a sweep that leaves {on_e[nodes[0]]:g} at a, {on_e[nodes[1]]:g} at b and "
        f"{on_e[nodes[-1]]:g} at e of e = (a + b) * (b + 1); and {on_z[more[0]]:g} at x, "
        f"{on_z[more[1]]:g} at y of z = y + y * y, y = x * x, x = 3, where 114 and 19 are right"
    )
