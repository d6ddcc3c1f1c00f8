"""The drills of notebook 08: entries of a Hessian, colours of a band, paths in two colours."""

from __future__ import annotations

from .drills import Problem, drill

__all__ = ["drill_band", "drill_entries", "drill_path"]


@drill
def drill_entries(random):
    """Count the entries of a Hessian by looking at its terms."""
    a, b, c, d = random.sample(range(6), 4)
    curve = random.choice(("sin", "exp"))
    first = random.choice((f"x_{a}", f"x_{a}^2"))
    second = random.choice((rf"\{curve}(x_{b} x_{c})", rf"\{curve}(x_{b}) \, x_{c}"))
    last = random.choice((f"x_{d}^3", f"7 x_{d}", f"x_{d}^2 \\, x_{c}"))
    entries = {(b, b), (a, b), (b, c)}
    entries |= {(a, a)} if "^" in first else set()
    entries |= {(c, c)} if f"x_{c})" in second else set()
    entries |= {(d, d)} if "^" in last else set()
    entries |= {(d, c)} if f"x_{c}" in last else set()
    entries |= {(j, i) for i, j in entries}
    return Problem(
        rf"$f(x) = {first} \, x_{b} + {second} + {last}$. How many of the 36 entries of its "
        r"Hessian, for $x_0, \dots, x_5$, can be non-zero?",
        answer=len(entries),
        why=" ".join(f"({i},{j})" for i, j in sorted(entries)) + ".",
    )


@drill
def drill_band(random):
    """Ask how many colours a band needs at distance 2."""
    width, n = random.randint(2, 9), random.choice((100, 1000, 10_000, 100_000))
    where, entries, order = random.choice(
        (
            (f"|i − j| ≤ {width}", 2 * width + 1, "one after the other"),
            (f"|i − j| is 0 or {width}", 3, f"each {width} times, then the next,"),
            (f"|i − j| is even and ≤ {2 * width}", 2 * width + 1, "each twice, then the next,"),
        )
    )
    return Problem(
        f"In a Hessian of {n:,} variables entry (i, j) can be non-zero where {where}. "
        "How many products does a distance-2 colouring need at least?",
        answer=entries,
        why=f"A row in the middle has {entries} entries, and all need different colours; "
        f"{entries} colours, {order} reach that.",
    )


@drill
def drill_path(random):
    """Look for a path of four vertices with two colours."""
    colors = [random.randint(0, 2)]
    while len(colors) < 8:
        colors.append(random.choice([c for c in range(3) if c != colors[-1]]))
    first = next((i for i in range(5) if len(set(colors[i : i + 4])) == 2), -1)
    shown = " ".join(map(str, colors))
    return Problem(
        f"A chain of 8 vertices, numbered from 0, has the colours {shown}. At which vertex "
        "does the first path over four vertices with only two colours begin? (-1 if none does.)",
        answer=first,
        why="It is a star colouring: each four in a row have three colours."
        if first < 0
        else f"Vertices {first} to {first + 3} have the colours "
        f"{' '.join(map(str, colors[first : first + 4]))}.",
    )
