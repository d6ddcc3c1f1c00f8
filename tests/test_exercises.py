"""The framework of the exercises: what `check` says to every kind of answer, and how."""

import _thread
import itertools
import re
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from autodiff_course.exercises import running
from autodiff_course.exercises.comparing import show
from autodiff_course.exercises.display import CheckResult, Solution
from autodiff_course.exercises.framework import case, exercise, exercises_in


@exercise
def scale(values, factor):
    """Return the values times the factor."""
    return [factor * value for value in values]


@scale.cases
def _scale_cases():
    return [case([1.0, 2.0], 3.0), case([], 2.0), case([-1.0], 0.5), case([4.0, 4.0], 1.0)]


@scale.mistake("The factor is added.")
def _added(values, factor):
    return [factor + value for value in values]


@scale.mistake("The factor is squared.")
def _squared(values, factor):
    return [factor * factor * value for value in values]


@scale.mistake("Only the first value is scaled.")
def _only_first(values, factor):
    return [factor * value for value in values[:1]] + values[1:]


scale.add_hints("Look at one value.", "Use a list comprehension.")


@exercise
def point():
    """Return where (x - 1)² + y² is smallest."""
    return 1.0, 0.0


@point.mistake("The coordinates are swapped.")
def _swapped_point():
    return 0.0, 1.0


# Right


def test_a_right_function():
    result = scale.check(lambda values, factor: tuple(value * factor for value in values))
    assert result and result.status == "right"
    assert result.message == "4 inputs tried."


def test_a_right_value():
    assert point.check((1, 0))
    assert point.check([1.0, 1e-15])


def test_each_input_is_new_so_an_answer_may_change_it():
    def in_place(values, factor):
        for position in range(len(values)):
            values[position] *= factor
        return values

    assert scale.check(in_place)
    assert scale.check(in_place)


def test_the_failing_input_is_shown_as_it_was_given():
    def empties_its_input(values, factor):
        values.clear()
        return values

    assert scale.check(empties_its_input).input == "values = [1.0, 2.0], factor = 3.0"


@pytest.mark.parametrize("parameters", ["values, factor", "v, f", "*arguments", "v, f, extra=1"])
def test_parameters_may_have_other_names(parameters):
    names = parameters.replace("=1", "")
    assert scale.check(eval(f"lambda {parameters}: reference({names})", {"reference": _lenient}))


def _lenient(*arguments):
    flat = arguments[0] if len(arguments) == 1 else arguments
    return scale.reference(*flat[:2])


# Not attempted


@pytest.mark.parametrize(
    "answer", [..., lambda values, factor: ..., lambda values, factor: (..., 1)]
)
def test_dots_are_not_attempted(answer):
    result = scale.check(answer)
    assert result.status == "not attempted" and not result


def test_nothing_is_not_attempted():
    assert scale.check().status == "not attempted"


def test_not_implemented_is_not_attempted():
    def answer(values, factor):
        raise NotImplementedError

    assert scale.check(answer).status == "not attempted"


def test_dots_in_a_value_are_not_attempted():
    assert point.check((1.0, ...)).status == "not attempted"


@pytest.mark.parametrize("which", [scale, point])
def test_the_stub_is_not_attempted(which):
    names = {}
    exec(which.stub, names)
    assert which.check(names[f"my_{which.name}"]).status == "not attempted"


# Wrong


def test_the_first_failing_input_is_reported():
    def answer(values, factor):
        return [2.0] if values == [-1.0] else [factor * value for value in values]

    result = scale.check(answer)
    assert result.status == "wrong" and not result
    assert result.input == "values = [-1.0], factor = 0.5"
    assert (result.yours, result.expected, result.index) == ([2.0], [-0.5], (0,))
    assert result.message == "At [0]: yours is 2.0, expected -0.5."


def test_none_asks_for_a_return():
    result = scale.check(lambda values, factor: None)
    assert result.message == "Your function returned None; is a `return` missing?"


def test_a_mistake_gets_its_message():
    assert scale.check(_added).message == "The factor is added."
    assert scale.check(_only_first).message == "Only the first value is scaled."
    assert point.check((0, 1)).message == "The coordinates are swapped."


def test_a_mistake_is_recognised_beside_another_fault():
    def added_and_fails_on_empty(values, factor):
        values[0]
        return [factor + value for value in values]

    assert scale.check(added_and_fails_on_empty).message == "The factor is added."


def test_a_mistake_is_not_seen_in_an_answer_that_only_resembles_it():
    def answer(values, factor):
        return [4.0, 5.0] if factor == 3.0 else [0.0] * len(values)

    assert scale.check(answer).message == "At [0]: yours is 4.0, expected 3.0."


def test_of_two_fitting_mistakes_the_one_that_predicts_more_is_taken():
    @exercise
    def number(x):
        return 0

    number.cases(lambda: [case(1), case(2), case(3)])
    number.mistake("once")(lambda x: 7 if x == 1 else 0)
    number.mistake("always")(lambda x: 7)
    assert number.check(lambda x: 7).message == "always"
    assert number.check(lambda x: 7 if x == 1 else 0).message == "once"


def test_a_mistake_may_be_known_by_what_it_raises():
    @exercise
    def inverse(x):
        return 1 / x if x else 0.0

    inverse.cases(lambda: [case(2.0), case(0.0)])
    inverse.mistake("Mind the zero.")(lambda x: 1 / x)
    result = inverse.check(lambda x: 1 / x)
    assert result.message == "Mind the zero."
    assert dict(result.rows)["Yours"].startswith("raises ZeroDivisionError: ")
    # The same type with another text may have another cause.
    guess = inverse.check(lambda x: x**-1)
    assert guess.message.startswith("Your function raised ZeroDivisionError: 0.0 cannot be raised")
    assert guess.message.endswith("Perhaps: Mind the zero.")


def test_an_answer_that_raises():
    def answer(values, factor):
        return values[7]

    result = scale.check(answer)
    assert result.status == "wrong"
    assert result.message.startswith("Your function raised IndexError: list index out of range.")
    assert result.message.endswith("return values[7]")
    assert result.yours is None and result.expected == [3.0, 6.0]


def test_the_line_shown_is_in_the_answer_not_in_what_it_calls():
    def answer(values, factor):
        return textwrap.dedent(3)

    assert scale.check(answer).message.endswith("return textwrap.dedent(3)")


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_an_answer_that_raises_what_nobody_expects(kind):
    def answer(values, factor):
        raise kind

    result = scale.check(answer)
    assert result.status == "wrong" and kind.__name__ in result.message


def test_an_exception_that_cannot_be_shown():
    class Rude(Exception):
        def __str__(self):
            raise RuntimeError

    def answer(values, factor):
        raise Rude

    assert scale.check(answer).message.startswith("Your function raised Rude.")


def test_infinite_recursion():
    def answer(values, factor):
        return answer(values, factor)

    result = scale.check(answer)
    assert "calls itself without end" in result.message
    assert result.message.endswith("return answer(values, factor)")


def test_an_exception_where_one_is_expected():
    @exercise
    def refuse(x):
        raise ValueError

    refuse.cases(lambda: [case(1)])

    def also_refuse(x):
        raise ValueError("no")

    assert refuse.check(also_refuse)
    assert refuse.check(lambda x: x).message == "Your function should raise ValueError here."
    assert refuse.check(lambda x: 1 / 0).rows[-1] == ("Expected", "raises ValueError")


@pytest.mark.parametrize(
    ("answer", "parameters"),
    [(lambda: [], "()"), (lambda x: [], "(x)"), (lambda *, x: [], "(*, x)")],
)
def test_wrong_parameters(answer, parameters):
    result = scale.check(answer)
    assert result.status == "wrong"
    assert "called as `scale(values, factor)`" in result.message
    assert f"`{parameters}`" in result.message


@pytest.mark.parametrize("answer", [[3.0, 6.0], None, 5, "scale"])
def test_a_value_where_a_function_is_asked_for(answer):
    result = scale.check(answer)
    assert result.status == "wrong"
    assert "asks for a function" in result.message
    assert "check(my_scale)" in result.message


@pytest.mark.parametrize("answer", [max, zip, str.upper, int, object])
def test_a_built_in_function_as_an_answer(answer):
    assert scale.check(answer).status == "wrong"


def test_a_function_where_a_value_is_asked_for():
    assert "a value, not for a function" in point.check(lambda: (1.0, 0.0)).message


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "The answer is None. Did you assign a value to it?"),
        (1.0, "Expected 2 values, got one number."),
        ((1.0, 0.0, 0.0), "Expected 2 values, got 3 values."),
        ((1.0, 0.5), "Look again at index [1]."),
        ("1, 0", "Expected 2 values, got a value of type str."),
        ((1.0, float("nan")), "Look again at index [1]."),
    ],
)
def test_a_wrong_value_does_not_give_the_answer_away(answer, message):
    result = point.check(answer)
    assert result.status == "wrong"
    assert result.message == message
    assert result.expected is None
    assert "Expected" not in dict(result.rows)


def test_an_object_that_raises_when_looked_at():
    class Hostile:
        @property
        def tolist(self):
            raise SystemExit

        def __repr__(self):
            raise SystemExit

    result = scale.check(lambda values, factor: Hostile())
    assert result.status == "not checked"
    assert "could not be compared" in result.message
    assert show(Hostile()) == "<Hostile that cannot be shown: SystemExit>"


# Time-out and interruption


def _settles_at(threads):
    """Whether so many threads are left, after the few instructions that an ended one still has."""
    deadline = time.monotonic() + 1.0
    while threading.active_count() != threads and time.monotonic() < deadline:
        time.sleep(0.001)
    return threading.active_count() == threads


def _busy(values, factor):
    while True:
        pass


def _swallows_everything(values, factor):
    while True:
        try:  # noqa: SIM105  # as a reader would write it
            pass
        except:  # noqa: E722
            pass


def _waits_for_ever(values, factor):
    for number in itertools.count():
        threading.Event().wait(0.01 + 0 * number)


def _cleans_up_slowly(values, factor):
    try:
        _busy(values, factor)
    finally:
        time.sleep(0.02)


@pytest.mark.parametrize(
    "answer",
    [
        _busy,
        _swallows_everything,
        _waits_for_ever,
        _cleans_up_slowly,
    ],
)
def test_an_answer_without_end_is_stopped(answer, capfd):
    threads = threading.active_count()
    start = time.monotonic()
    result = scale.check(answer, seconds=0.2)
    assert result.status == "wrong"
    assert result.message == "No result after 0.2 s. Is there a loop that never ends?"
    assert result.input == "values = [1.0, 2.0], factor = 3.0"
    assert time.monotonic() - start < 5.0
    assert _settles_at(threads)
    assert capfd.readouterr() == ("", "")


def test_the_input_that_takes_too_long_is_named_and_its_own_message_given():
    @exercise
    def double(x):
        return 2 * x

    double.cases(lambda: [case(1.0), case(2.0, label="two", too_slow="Two is hard.")])
    result = double.check(lambda x: 2 * x if x == 1.0 else _busy(x, x), seconds=0.2)
    assert result.input == "two"
    assert result.message == "No result after 0.2 s. Two is hard."


def test_a_wrong_outcome_before_the_time_out_is_what_is_reported():
    result = scale.check(lambda v, f: [f + x for x in v] if v else _busy(v, f), seconds=0.2)
    # Whether it is the known mistake cannot be told without the other inputs.
    assert result.message == "At [0]: yours is 4.0, expected 3.0."


def test_an_answer_that_cannot_be_stopped_is_said_to_run_on(monkeypatch):
    monkeypatch.setattr(running._Worker, "stop", lambda worker: False)
    release = threading.Event()
    result = scale.check(lambda v, f: release.wait(), seconds=0.1)
    release.set()
    assert "It still runs: restart the kernel to end it." in result.message


def test_a_result_that_comes_after_the_time_out_does_not_count():
    def answer(values, factor):
        try:
            _busy(values, factor)
        except BaseException:
            return [factor * value for value in values]

    assert scale.check(answer, seconds=0.2).message.startswith("No result after")


@pytest.mark.usefixtures("ctrl_c")
def test_an_interruption_by_the_user_stops_the_answer():
    threads = threading.active_count()
    timer = threading.Timer(0.3, _thread.interrupt_main)
    timer.start()
    result = scale.check(_busy, seconds=20.0)
    timer.join()
    assert result.status == "not checked" and not result
    assert result.message == "The check was interrupted."
    assert _settles_at(threads)


def test_the_time_limit_covers_all_inputs_together_but_not_the_solution():
    @exercise
    def slow(x):
        time.sleep(0.1)
        return x

    slow.cases(lambda: [case(n) for n in range(10)])
    calls = []
    result = slow.check(lambda x: calls.append(x) or time.sleep(0.1) or x, seconds=0.25)
    assert result.message.startswith("No result after 0.25 s") and 2 <= len(calls) <= 4
    assert slow.check(lambda x: x, seconds=0.25)


def test_the_time_limit_covers_the_comparison_and_the_printing():
    class Endless:
        def __repr__(self):
            while True:
                pass

    result = scale.check(lambda values, factor: Endless(), seconds=0.2)
    assert result.status == "wrong"
    assert "comparing or printing what your function returned" in result.message


def test_an_answer_is_not_charged_for_an_import_nor_cut_off_in_it(tmp_path, monkeypatch):
    (tmp_path / "takes_long.py").write_text("import time\ntime.sleep(0.6)\nwhole = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "takes_long", raising=False)

    def answer(values, factor):
        import takes_long

        return [factor * value for value in values if takes_long.whole]

    def endless(values, factor):
        import takes_long

        while takes_long.whole:
            pass

    assert scale.check(answer, seconds=0.3)
    del sys.modules["takes_long"]
    assert scale.check(endless, seconds=0.3).message.startswith("No result after")
    assert sys.modules.pop("takes_long").whole


# Libraries


def test_a_missing_library_is_named():
    @exercise(needs=("math", "no_such_library"))
    def anything(x):
        return x

    result = anything.check(lambda x: x)
    assert result.status == "not checked"
    assert result.message == "This exercise needs no_such_library: install it first."


def test_the_exercises_need_neither_torch_nor_time():
    code = """
    import sys, time
    sys.modules["torch"] = sys.modules["numpy"] = None  # importing them raises ImportError
    start = time.process_time()
    from autodiff_course.exercises import ex01
    print(time.process_time() - start, "IPython" in sys.modules)
    print(ex01.separate_gradients.check(lambda functions, w: []).message)
    print(ex01.sum_over_paths.check(ex01.sum_over_paths.reference).status)
    """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    seconds, has_ipython = out[0].split()
    assert float(seconds) < 0.3  # of processor time, so that a busy machine does not matter
    assert has_ipython == "False"
    assert out[1:] == ["This exercise needs torch: install it first.", "right"]


# Display


def _mime(shown):
    return shown._repr_mimebundle_()


def test_a_result_is_shown_as_html_and_as_text():
    result = scale.check(lambda values, factor: [0.0, 6.0])
    assert set(_mime(result)) == {"text/plain", "text/html"}
    assert repr(result) == _mime(result)["text/plain"]
    assert repr(result).splitlines() == [
        "✗ Not right yet. At [0]: yours is 0.0, expected 3.0.",
        "    Input     values = [1.0, 2.0], factor = 3.0",
        "    Yours     [0.0, 6.0]",
        "    Expected  [3.0, 6.0]",
        "    Index     [0]",
    ]


def test_html_is_escaped():
    result = scale.check(lambda values, factor: "<script>alert('&')</script>")
    page = _mime(result)["text/html"]
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<b>" not in _mime(CheckResult("wrong", "`a<b>`", rows=(("<b>", "<b>"),)))["text/html"]


def test_backticks_become_code():
    assert "<code>x &lt; y</code>" in _mime(CheckResult("wrong", "`x < y`"))["text/html"]


@pytest.mark.parametrize("status", ["right", "wrong", "other way", "not attempted", "not checked"])
def test_colour_is_an_accent_only(status):
    page = _mime(CheckResult(status, "text", rows=(("Yours", "1"),)))["text/html"]
    # A border alone is coloured; text and background are the page's, light or dark.
    assert page.count("#") == 1 and "border-left: 4px solid #" in page
    assert re.findall(r"color: *([^;]*);", page) == ["inherit"] and "background" not in page
    looks = {
        "right": "✓ Right.",
        "wrong": "✗ Not right yet.",
        "other way": "≈ The values are right, the way is another.",
        "not attempted": "… Not attempted yet.",
        "not checked": "! Not checked.",
    }
    assert repr(CheckResult(status, "text")).startswith(looks[status])


def test_hints_come_one_after_the_other_and_the_last_repeats():
    shown = [repr(scale.hint()) for _ in range(3)]
    assert shown == [
        "? Hint 1 of 2: Look at one value.",
        "? Hint 2 of 2: Use a list comprehension.",
        "? Hint 2 of 2: Use a list comprehension.",
    ]
    assert set(_mime(scale.hint())) == {"text/plain", "text/html"}


def test_the_solution_is_the_source_of_the_reference_without_decorators():
    shown = _mime(scale.solution())
    assert shown["text/plain"] == (
        "def scale(values, factor):\n"
        '    """Return the values times the factor."""\n'
        "    return [factor * value for value in values]"
    )
    assert shown["text/markdown"] == f"```python\n{shown['text/plain']}\n```"
    # A front end that finds HTML shows it, and then nothing is highlighted.
    assert set(shown) == {"text/plain", "text/markdown"}


def test_the_solution_of_a_value_shows_the_value_too():
    assert repr(point.solution()).endswith("return 1.0, 0.0\n\n# The value is (1.0, 0.0)")
    assert isinstance(point.solution(), Solution)


def test_the_docstring_of_an_exercise_is_its_task():
    assert scale.__doc__ == "Return the values times the factor."
    assert (
        repr(scale)
        == "<Exercise scale(values, factor): task, check(answer), hint(), solution(), use(answer)>"
    )
    assert repr(point) == "<Exercise point: task, check(answer), hint(), solution(), use(answer)>"


def test_exercises_are_listed_in_order():
    names = [one.name for one in exercises_in(sys.modules[__name__])]
    assert names == ["scale", "point", "mean"]


def test_stubs():
    assert scale.stub == (
        "def my_scale(values, factor):\n"
        '    """Return the values times the factor."""\n'
        "    # your code here\n"
        "    return ..."
    )
    assert point.stub == "# Return where (x - 1)² + y² is smallest.\nmy_point = (..., ...)"


def test_the_task_is_in_view():
    @exercise(uses="import math")
    def root(x):
        """Return the *square* root of `x`.

        Examples
        --------
        >>> root(4.0)
        2.0
        """

    root.cases(lambda: [case(4.0)])
    text = "root(x): Return the *square* root of `x`.\n>>> root(4.0)\n2.0\nYou may use: import math"
    assert repr(root.task).endswith(text)
    assert repr(root.check()).endswith(text)
    page = _mime(root.check())["text/html"]
    assert "<code>x</code>" in page and "&gt;&gt;&gt; root(4.0)" in page
    assert ">>>" not in root.stub and "square" in root.stub
    assert repr(root.solution()).startswith("import math\n\ndef root(x):")


# Insight, random inputs, method, use


def test_after_right_comes_an_insight_and_what_to_try_next():
    @exercise(insight="A power is a product.", next_try="Cube it.")
    def square(x):
        return x * x

    square.cases(lambda: [case(3.0)])
    result = square.check(square.reference)
    assert result.message == "1 input tried. A power is a product."
    assert result.rows == (("Try next", "Cube it."),)


def test_random_inputs_catch_an_accident_and_their_seed_is_told():
    @exercise
    def sum_of(x, y):
        return x + y

    sum_of.cases(lambda: [case(0, 0), case(2, 2)])
    sum_of.random_cases(lambda random: [case(random.randint(5, 99), 100) for _ in range(3)])
    assert sum_of.check(sum_of.reference).message == "5 inputs tried."
    result = sum_of.check(lambda x, y: x * y)
    (seed,) = re.findall(r"\(seed=(\d+)\)", result.input)
    assert sum_of.check(lambda x, y: x * y, seed=int(seed)).input == result.input


def _total(values):
    return sum(values)


@exercise
def mean(values):
    return _total(values) / len(values)


mean.cases(lambda: [case([1.0, 3.0]), case([2.0])])
mean.method("`sort` changes the caller's list.")(lambda call: call.unchanged)
mean.method("Add up once.")(lambda call: call.calls_of(_total, "sum") <= 2)


def test_the_method_is_asked_once_the_values_are_right(capsys):
    assert mean.check(mean.reference)

    def sorts(values):
        values.sort(reverse=True)
        return sum(values) / len(values)

    result = mean.check(sorts)
    assert result.status == "other way" and not result
    assert result.message == result.mistake == "`sort` changes the caller's list."
    assert result.input == "values = [1.0, 3.0]"
    assert mean.use(sorts) is mean.reference
    assert "≈ does not count" in capsys.readouterr().out
    other_name = _total
    assert mean.check(lambda v: (other_name(v), _total(v))[0] / len(v)).message == "Add up once."
    assert mean.check(lambda v: _total(v)).status == "wrong"


def test_use_returns_the_answer_once_it_is_right(capsys):
    def mine(values, factor):
        return [value * factor for value in values]

    assert scale.use(mine) is mine
    assert scale.use(mine) is mine  # and does not check it again
    assert capsys.readouterr().out == ""
    assert scale.use(lambda values, factor: ...) is scale.reference
    assert scale.use() is scale.reference
    line = "scale: the course's own is used until yours passes its check.\n"
    assert capsys.readouterr().out == 2 * line
    assert point.use((1, 0)) == (1, 0)
    assert point.use((0, 1)) == (1.0, 0.0)


# Sure, or perhaps


def test_a_yes_or_no_supports_no_more_than_a_perhaps():
    @exercise
    def positive(x):
        return x > 0

    positive.cases(lambda: [case(0), case(1), case(-1)])
    positive.mistake("Zero is not positive.")(lambda x: x >= 0)
    result = positive.check(lambda x: x >= 0)
    assert result.message == "Yours is True, expected False. Perhaps: Zero is not positive."
    assert result.mistake == "Zero is not positive."
    assert positive.check(lambda x: True).mistake == ""


def test_a_librarys_not_implemented_is_an_error_of_the_answer():
    def answer(values, factor):
        raise NotImplementedError("no rule for aten::huh")

    assert scale.check(answer).status == "wrong"


def test_the_stubs_lines_are_narrow_but_lists_stay():
    @exercise
    def wide(x):
        """Return x.

        A line that is longer than what a cell can show without scrolling to the side, on the site.

        - one
        - two
        """

    assert max(map(len, wide.stub.splitlines())) <= 76
    assert "    - one\n    - two\n" in wide.stub
