"""Where each entry of a Hessian stands in its compressed matrix.

The compressed matrix B = H S has one column for each colour; here it is stored by colours, so that
place c * n + i holds the sum of row i over the columns of colour c. What no colour has, none of the
sums contains.
"""

from __future__ import annotations

import numpy as np

from .compiled import compiled

__all__ = ["direct_sources", "substitute", "substitution_order"]


@compiled
def direct_sources(indptr, indices, colors, count, sources):
    """Find for each entry (i, j) a place of the compressed matrix that equals it.

    Place c * n + i equals entry (i, j) if j is the only column of colour c with an entry in row i;
    else the mirrored entry (j, i) must be alone. Entries (i, j) and (j, i) get the same place, so
    that the result is symmetric to the last bit.

    Parameters
    ----------
    indptr, indices : ndarray of int, shapes (n + 1,) and (entries,)
        The symmetric pattern in CSR form.
    colors : ndarray of int32, shape (n,)
        -1 for a column without a colour.
    count : int
        How many colours there are.
    sources : ndarray of int, shape (entries,)
        The places are written here.

    Returns
    -------
    int
        The first entry that is alone in neither row, or -1.

    Notes
    -----
    Costs three passes over the entries.

    References
    ----------
    M. J. D. Powell, Ph. L. Toint: On the estimation of sparse Hessian matrices (1979).
    Thomas F. Coleman, Jorge J. Moré: Estimation of sparse Hessian matrices and graph coloring
    problems (1984).
    """
    n = len(indptr) - 1
    seen = np.full(count, -1, np.int64)
    crowded = np.full(count, -1, np.int64)
    for i in range(n):
        for e in range(indptr[i], indptr[i + 1]):
            c = colors[indices[e]]
            if c < 0:
                continue
            if seen[c] == i:
                crowded[c] = i
            seen[c] = i
        for e in range(indptr[i], indptr[i + 1]):
            c = colors[indices[e]]
            sources[e] = -1 if c < 0 or crowded[c] == i else c * n + i
    # cursor[j] walks along row j: the rows i come in order, so its entries are met in order too.
    cursor = indptr[:-1].copy()
    for i in range(n):
        for e in range(indptr[i], indptr[i + 1]):
            j = indices[e]
            mirrored = cursor[j]
            cursor[j] += 1
            if j < i:
                continue
            if sources[e] < 0:
                sources[e] = sources[mirrored]
                if sources[e] < 0:
                    return e
            sources[mirrored] = sources[e]
    return -1


@compiled
def substitution_order(indptr, indices, colors, count, steps):
    """Order the entries so that each is what is left of a sum after subtracting earlier ones.

    Parameters
    ----------
    indptr, indices, colors, count
        As for `direct_sources`.
    steps : ndarray of int64, shape (entries of the upper triangle, 4)
        A row for each entry is written here: the entry, the mirrored entry, the place read, and
        the place from which it is subtracted, or -1.

    Returns
    -------
    int
        How many entries were ordered; the others cannot be recovered.

    Notes
    -----
    Costs a few passes over the entries.

    References
    ----------
    M. J. D. Powell, Ph. L. Toint: On the estimation of sparse Hessian matrices (1979).
    Thomas F. Coleman, Jin-Yi Cai: The cyclic coloring problem and estimation of sparse Hessian
    matrices (1986).
    """
    n = len(indptr) - 1
    m = len(indices)
    row = np.empty(m, np.int64)
    mirrored = np.empty(m, np.int64)
    slot = np.full(m, -1, np.int64)  # of entry (i, j): that of vertex i and the colour of j
    left = np.zeros(m, np.int64)  # entries of a slot not yet known ...
    mixed = np.zeros(m, np.int64)  # ... and their numbers, combined by exclusive or
    cursor = indptr[:-1].copy()
    where = np.full(count, -1, np.int64)
    owner = np.full(count, -1, np.int64)
    for i in range(n):
        for e in range(indptr[i], indptr[i + 1]):
            row[e] = i
            j = indices[e]
            mirrored[e] = cursor[j]
            cursor[j] += 1
            c = colors[j]
            if c < 0:
                continue
            if owner[c] != i:
                owner[c], where[c] = i, e
            slot[e] = where[c]
            left[where[c]] += 1
            mixed[where[c]] ^= e
    queue = np.empty(m, np.int64)
    head = tail = 0
    for s in range(m):
        if left[s] == 1:
            queue[tail] = s
            tail += 1
    done = 0
    while head < tail:
        s = queue[head]
        head += 1
        if left[s] != 1:
            continue  # found from its other end
        e = mixed[s]
        i, j = row[e], indices[e]
        left[s] = 0
        other = slot[mirrored[e]]
        steps[done, 0], steps[done, 1] = e, mirrored[e]
        steps[done, 2] = colors[j] * n + i
        steps[done, 3] = -1 if i == j or other < 0 else colors[i] * n + j
        done += 1
        if i != j and other >= 0:
            left[other] -= 1
            mixed[other] ^= mirrored[e]
            if left[other] == 1:
                queue[tail] = other
                tail += 1
    return done


@compiled
def substitute(compressed, steps, data):
    """Compute the entries in the order found.

    Parameters
    ----------
    compressed : ndarray of float, shape (colours * n,)
        Is used up.
    steps : ndarray of int64, shape (entries of the upper triangle, 4)
        From `substitution_order`.
    data : ndarray of float, shape (entries,)
        The entries are written here.
    """
    for s in range(len(steps)):
        value = compressed[steps[s, 2]]
        data[steps[s, 0]] = value
        data[steps[s, 1]] = value
        if steps[s, 3] >= 0:
            compressed[steps[s, 3]] -= value
