"""The drills of notebook 08: entries of a Hessian, colours of a band, paths in two colours."""

from __future__ import annotations

from .drills import Problem, drill

__all__ = ["drill_band", "drill_entries", "drill_path"]


@drill
def drill_entries(random):
    """Count the entries of a Hessian by looking at its terms."""
    a, b, c, d = random.sample(range(6), 4)
    curve = random.choice(("sin", "exp"))
    pure = random.choice((True, False))
    last = f"x_{d}^3" if pure else f"7 x_{d}"
    return Problem(
        rf"$f(x) = x_{a}^2 \, x_{b} + \{curve}(x_{b} x_{c}) + {last}$. How many of the 36 entries "
        r"of its Hessian, for $x_0, \dots, x_5$, can be non-zero?",
        answer=8 if pure else 7,
        why=f"({a},{a}), ({a},{b}) and ({b},{a}); ({b},{b}), ({b},{c}), ({c},{b}) and ({c},{c})"
        + (f"; ({d},{d})." if pure else f". 7·x{d} is linear."),
    )


@drill
def drill_band(random):
    """Ask how many colours a band needs at distance 2."""
    width, n = random.randint(1, 5), random.choice((100, 1000, 10_000, 100_000))
    return Problem(
        f"In a Hessian of {n:,} variables entry (i, j) can be non-zero where |i − j| ≤ {width}. "
        "How many products does a distance-2 colouring need at least?",
        answer=2 * width + 1,
        why=f"A row in the middle has 2·{width} + 1 entries, and all need different colours; "
        "colours in turn reach that.",
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
