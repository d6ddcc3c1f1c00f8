"""Greedy colourings at distance 2, and acyclic ones."""

from __future__ import annotations

import numpy as np

from .compiled import compiled

__all__ = ["greedy_acyclic", "greedy_distance2"]


@compiled
def greedy_distance2(indptr, indices, order, apart, around):
    """Give each column a colour that no column with an entry in the same row has.

    Parameters
    ----------
    indptr, indices : ndarray of int, shapes (n + 1,) and (entries,)
        The symmetric pattern in CSR form.
    order : ndarray of int64
        Of the columns; those that are not in it get no colour.
    apart : int
        So many at the beginning of the order get a colour of their own, and their rows do not
        count: what stands there is read from their columns, by symmetry.
    around : int
        0 to take the first colour possible. Else go around: begin behind the colour of the first
        neighbour, and look at so many colours in a circle before a new one is taken. On grids in
        their natural order that finds periodic colourings, such as (x + 2 y) mod 5 for the stencil
        with five points.

    Returns
    -------
    colors : ndarray of int32, shape (n,)
        -1 for a column without entries, or not in the order.
    count : int

    Notes
    -----
    Costs the sum of the squared row lengths.

    References
    ----------
    A. R. Curtis, M. J. D. Powell, J. K. Reid: On the estimation of sparse Jacobian matrices (1974).
    S. Thomas McCormick: Optimal approximation of sparse Hessians and its equivalence to a graph
    coloring problem (1983), for colours at distance 2.
    """
    n = len(indptr) - 1
    colors = np.full(n, -1, np.int32)
    taken = np.full(n + 1, -1, np.int64)  # by colour: the last vertex that could not have it
    own = np.zeros(n, np.bool_)
    count = 0
    for place in range(len(order)):
        v = order[place]
        if indptr[v] == indptr[v + 1]:
            continue
        c = place
        if place < apart:
            own[v] = True
        else:
            for e in range(indptr[v], indptr[v + 1]):
                w = indices[e]  # a row in which column v has an entry
                if own[w]:
                    continue
                for g in range(indptr[w], indptr[w + 1]):
                    if colors[indices[g]] >= 0:
                        taken[colors[indices[g]]] = v
            c = apart
            if around > 0:
                circle = max(around, count - apart)
                for e in range(indptr[v], indptr[v + 1]):
                    if colors[indices[e]] >= apart:
                        c = colors[indices[e]]
                        break
                for _ in range(circle):
                    c = c + 1 if c + 1 < apart + circle else apart
                    if taken[c] != v:
                        break
                if taken[c] == v:
                    c = apart + circle
            while taken[c] == v:
                c += 1
        colors[v] = c
        count = max(count, c + 1)
    return colors, count


# An acyclic colouring looks at a vertex w through the colours around it. One slot stands for
# (w, colour k): all the neighbours of w that have colour k, and with them w's edges to them, which
# are in one tree. A vertex needs at most as many slots as it has neighbours, so the slots of w lie
# where its row does.


@compiled
def greedy_acyclic(indptr, indices, order):
    """Give each vertex the first colour that closes no cycle of two colours.

    Parameters
    ----------
    indptr, indices : ndarray of int, shapes (n + 1,) and (entries,)
        The symmetric pattern in CSR form.
    order : ndarray of int64, shape (n,)
        Of the vertices.

    Returns
    -------
    colors : ndarray of int32, shape (n,)
        -1 for a column without entries.
    count : int

    Notes
    -----
    Costs, for each entry, one step for each colour that occurs around a vertex, and nearly constant
    time to find a tree.

    References
    ----------
    Thomas F. Coleman, Jin-Yi Cai: The cyclic coloring problem and estimation of sparse Hessian
    matrices (1986).
    Assefaw H. Gebremedhin, Arijit Tarafdar, Fredrik Manne, Alex Pothen: New acyclic and star
    coloring algorithms with application to computing Hessians (2007).
    """
    n = len(indptr) - 1
    colors = np.full(n, -1, np.int32)
    taken = np.full(n + 1, -1, np.int64)
    slot_color = np.empty(len(indices), np.int32)
    slot_tree = np.empty(len(indices), np.int64)
    used = np.zeros(n, np.int64)
    parent = np.empty(len(indices) + 1, np.int64)
    reached = np.full(len(indices) + 1, -1, np.int64)  # by tree: the last vertex v next to it ...
    trees = 0
    count = 0
    for v in order:
        begin, end = indptr[v], indptr[v + 1]
        if begin == end:
            continue
        for e in range(begin, end):
            w = indices[e]
            if colors[w] < 0 or w == v:
                continue
            taken[colors[w]] = v
            for s in range(indptr[w], indptr[w] + used[w]):
                tree = _root(parent, slot_tree[s])
                if reached[tree] == v:  # ... two edges from v into one tree close a cycle
                    taken[slot_color[s]] = v
                reached[tree] = v
        k = 0
        while taken[k] == v:
            k += 1
        colors[v] = k
        count = max(count, k + 1)
        for e in range(begin, end):
            w = indices[e]
            if colors[w] < 0 or w == v:
                continue
            mine = _slot_of(slot_color, begin, used, v, colors[w])
            theirs = _slot_of(slot_color, indptr[w], used, w, k)
            new_mine, new_theirs = mine == begin + used[v], theirs == indptr[w] + used[w]
            if new_mine and new_theirs:
                tree = trees
                parent[tree] = tree
                trees += 1
            elif new_mine:
                tree = slot_tree[theirs]
            else:
                tree = _root(parent, slot_tree[mine])
                if not new_theirs:
                    parent[_root(parent, slot_tree[theirs])] = tree
            slot_color[mine], slot_tree[mine] = colors[w], tree
            slot_color[theirs], slot_tree[theirs] = k, tree
            used[v] += new_mine
            used[w] += new_theirs
    return colors, count


@compiled
def _slot_of(slot_color, first, used, w, c):
    """Return the slot of (w, colour c), or the first free one of w."""
    for s in range(first, first + used[w]):
        if slot_color[s] == c:
            return s
    return first + used[w]


@compiled
def _root(parent, t):
    while parent[t] != t:
        parent[t] = parent[parent[t]]
        t = parent[t]
    return t
