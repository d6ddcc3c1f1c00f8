"""The page "Write and check": its exercises are those of the package, and Python runs in it."""

import pytest

from autodiff_course.exercises import ex01, ex02
from autodiff_course.exercises.drills import drills_in
from autodiff_course.exercises.framework import exercises_in

from .conftest import BUILD, NARROW, WIDE

MODULES = {"ex01": ex01, "ex02": ex02}
ALL = [
    (f"{name}.{one.name}", one) for name, module in MODULES.items() for one in exercises_in(module)
]
# The Python in the page has its standard library only.
HERE = {name: one for name, one in ALL if not one._needs}
LATEST = 60_000  # milliseconds


def answer_to(exercise):
    """What a reader has to type: the solution, under the name that the stub gives it."""
    source = exercise.solution()._formats()["text/plain"]
    if exercise.asks_for_function:
        return source.replace(f"def {exercise.name}(", f"def my_{exercise.name}(")
    return f"my_{exercise.name} = {exercise.reference()!r}"


class LivePage:
    def __init__(self, visitor):
        self.visitor, self.page = visitor, visitor.page

    def place(self, name):
        return self.page.locator(f'.live[data-name="{name}"]')

    def field(self, name):
        return self.place(name).locator("textarea")

    def click(self, name, words):
        """Press one of an exercise's buttons; return what is then shown."""
        output = self.place(name).locator(".live-output")
        output.evaluate("(output) => output.replaceChildren()")
        self.place(name).get_by_role("button", name=words).click()
        output.locator("> *").first.wait_for(timeout=LATEST)
        return output.inner_text()


@pytest.fixture(scope="module")
def live(visitor):
    # One page with one Python for all tests: that takes the longest.
    visitor.open("live.html")
    visitor.page.evaluate("localStorage.clear()")
    visitor.page.reload()
    return LivePage(visitor)


def test_the_page_has_the_exercises_that_its_python_can_check(live):
    names = live.page.locator(".live[data-kind=exercise]").evaluate_all(
        "all => all.map((one) => one.dataset.name)"
    )
    assert names == list(HERE)
    for module in MODULES:
        names = [one.name for name, one in ALL if name not in HERE and name.startswith(module)]
        told = live.page.get_by_text(
            f"In the notebook only, for want of torch: {', '.join(names)}."
        )
        assert told.count() == (1 if names else 0)


def test_python_is_not_loaded_before_a_click(live):
    loaded = "performance.getEntriesByType('resource').map((entry) => entry.name).join()"
    assert "live.js" in live.page.evaluate(loaded)
    assert "pyodide" not in live.page.evaluate(loaded)


@pytest.mark.parametrize("name", HERE)
def test_the_solution_passes_and_the_stub_does_not(live, name):
    assert "Not attempted yet." in live.click(name, "Check")
    live.field(name).fill(answer_to(HERE[name]))
    assert "Right." in live.click(name, "Check")


def test_a_drill_puts_a_problem_and_then_the_next_one(live):
    drills = [f"{name}.{one.name}" for name, module in MODULES.items() for one in drills_in(module)]
    assert live.page.locator(".live[data-kind=drill]").count() == len(drills)
    for name in drills:
        first = live.click(name, "Run")
        live.field(name).fill(name.partition(".")[2] + "('no answer')")
        assert live.click(name, "Run") != first


def test_a_hint_and_the_solution_are_those_of_the_package(live):
    name, exercise = next(iter(HERE.items()))
    assert f"Hint 1 of {len(exercise.hints)}: {exercise.hints[0][:20]}" in live.click(name, "Hint")
    assert exercise.solution().source in live.click(name, "Solution")


def test_a_run_shows_what_is_printed_the_last_value_and_what_went_wrong(live):
    name = next(iter(HERE))
    live.field(name).fill("x = Scalar(3.0)\nprint('seen')\ngradient(x * x, x)")
    assert live.click(name, "Run").split() == ["seen", "6.0"]
    live.field(name).fill("def f():\n    return 1 / 0\n\nf()")
    shown = live.click(name, "Run")
    assert 'File "your code", line 2, in f' in shown
    assert shown.endswith("ZeroDivisionError: division by zero")
    assert "live_python" not in shown
    live.field(name).fill("<b>")
    assert "SyntaxError" in live.click(name, "Run")


def test_an_answer_without_end_is_ended_and_python_starts_again(live):
    name = next(iter(HERE))
    live.field(name).fill("while True:\n    pass")
    output = live.place(name).locator(".live-output")
    live.place(name).get_by_role("button", name="Run").click()
    live.page.get_by_text("Python works").wait_for()
    live.page.get_by_role("button", name="Stop").click()
    output.get_by_text("Stopped.").wait_for()
    live.field(name).fill("1 + 1")
    assert live.click(name, "Run") == "2"
    live.page.clock.install()  # the clock of the page, not that of its Python
    live.field(name).fill("while True:\n    pass")
    live.place(name).get_by_role("button", name="Run").click()
    live.page.get_by_text("Python works").wait_for()
    live.page.clock.fast_forward("01:00")
    output.get_by_text("No result after 15 s.").wait_for()


def test_what_was_typed_is_kept_until_the_reader_starts_again(live):
    name, exercise = next(iter(HERE.items()))
    live.field(name).fill("")
    live.field(name).press_sequentially("if x:")
    live.field(name).press("Enter")
    live.field(name).press("Tab")
    live.field(name).press_sequentially("y")
    live.page.reload()
    assert live.field(name).input_value() == "if x:\n        y"
    live.field(name).focus()
    live.page.keyboard.press("Escape")
    live.page.keyboard.press("Tab")  # leaves the editor
    assert live.page.evaluate("document.activeElement.textContent") == "Check"
    live.page.once("dialog", lambda dialog: dialog.dismiss())
    live.place(name).get_by_role("button", name="Start again").click()
    assert live.field(name).input_value() == "if x:\n        y"
    live.page.once("dialog", lambda dialog: dialog.accept())
    live.place(name).get_by_role("button", name="Start again").click()
    assert f"my_{exercise.name}" in live.field(name).input_value()


def test_nothing_went_wrong_and_nobody_else_was_asked(live):
    assert live.visitor.faults == []


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_a_check_shows_can_be_read(visitor, size, theme):
    visitor.open("live.html", size, theme)
    live, name = LivePage(visitor), next(iter(HERE))
    # As a check would show it, without another load of Python.
    result = HERE[name].check()._formats()["text/html"]
    live.place(name).locator(".live-output").evaluate("(o, html) => (o.innerHTML = html)", result)
    BUILD.mkdir(parents=True, exist_ok=True)
    live.place(name).scroll_into_view_if_needed()
    live.page.screenshot(path=BUILD / f"live-{size['width']}-{theme}.png")
    assert live.page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert visitor.violations() == []
