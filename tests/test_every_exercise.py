"""What holds for each exercise of each notebook, new ones included: they are found, not listed."""

import ast
import doctest
import importlib
import inspect
import itertools
import pkgutil
import re
import textwrap

import pytest

import autodiff_course.exercises
from autodiff_course.exercises.framework import case, exercise, exercises_in
from autodiff_course.exercises.running import call


def _all_exercises():
    for module in pkgutil.iter_modules(autodiff_course.exercises.__path__):
        if re.fullmatch(r"ex\d\d", module.name):
            full_name = f"{autodiff_course.exercises.__name__}.{module.name}"
            for one in exercises_in(importlib.import_module(full_name)):
                yield pytest.param(one, id=f"{module.name}.{one.name}")


EXERCISES = list(_all_exercises())
MISTAKES = [
    pytest.param(one.values[0], mistake, id=f"{one.id}-{number}-{mistake.function.__name__}")
    for one in EXERCISES
    for number, mistake in enumerate(one.values[0].mistakes)
]


def _answer(one, function):
    """What a reader would hand in: the function, or the value that it returns."""
    return function if one.asks_for_function else function()


def _outcomes(one, function):
    return [call(function, each.arguments) for each in one.inputs()]


def _same(one, first, second):
    return all(map(one.agree, first, second))


def _confusions(one):
    """Pairs of functions, the solution among them, that no input tells apart."""
    functions = [one.reference, *(mistake.function for mistake in one.mistakes)]
    outcomes = [(function.__name__, _outcomes(one, function)) for function in functions]
    return [
        (first, second)
        for (first, one_way), (second, other_way) in itertools.combinations(outcomes, 2)
        if _same(one, one_way, other_way)
    ]


def _skip_without_libraries(one):
    missing = one.missing_library()
    if missing:
        pytest.skip(f"needs {missing}")


@pytest.fixture
def one(request):
    _skip_without_libraries(request.param)
    return request.param


for_each = pytest.mark.parametrize("one", EXERCISES, indirect=True)


@for_each
def test_the_solution_passes(one):
    result = one.check(_answer(one, one.reference))
    assert result, result


@for_each
def test_the_untouched_stub_is_not_attempted(one):
    names = {}
    exec(one.stub, names)
    assert one.check(names[f"my_{one.name}"]).status == "not attempted"


@pytest.mark.parametrize(("one", "mistake"), MISTAKES, indirect=["one"])
def test_each_mistake_gets_its_own_message(one, mistake):
    result = one.check(_answer(one, mistake.function))
    assert result.status in ("wrong", "other way")
    assert result.mistake == mistake.message
    # A fact, or "perhaps" after what is seen for sure.
    assert result.message.endswith(mistake.message)
    assert repr(one.solution()) not in repr(result)


@for_each
def test_mistakes_differ_from_the_solution_and_from_each_other(one):
    assert one.mistakes
    assert _confusions(one) == []


@for_each
def test_the_inputs_are_the_same_each_time(one):
    assert _same(one, _outcomes(one, one.reference), _outcomes(one, one.reference))


@for_each
def test_hints_help_without_telling(one):
    assert one.hints
    code = {line.strip() for line in repr(one.solution()).splitlines() if len(line.strip()) > 12}
    for hint in one.hints:
        assert hint.strip()
        assert not [line for line in code if line in hint]


@for_each
def test_the_solution_shown_is_the_one_that_is_tested(one):
    """What it does when it is pasted into a notebook is seen in test_pasted_answers.py."""
    parts = ast.parse(repr(one.solution())).body
    shown = next(part for part in parts if isinstance(part, ast.FunctionDef))
    written = ast.parse(textwrap.dedent(inspect.getsource(one.reference))).body[0]
    written.decorator_list = []
    assert ast.dump(shown) == ast.dump(written)


@for_each
def test_the_task_is_told_and_its_examples_are_true(one):
    assert one.__doc__
    names = dict(one.reference.__globals__) | {one.name: one.reference}
    test = doctest.DocTestParser().get_doctest(one.__doc__, names, one.name, None, 0)
    assert doctest.DocTestRunner().run(test).failed == 0


def test_there_are_exercises():
    assert len(EXERCISES) >= 5


def test_mistakes_that_no_input_tells_apart_are_found():
    @exercise
    def square(x):
        return x * x

    square.cases(lambda: [case(0.0), case(2.0)])

    @square.mistake("twice")
    def _twice(x):
        return 2 * x

    @square.mistake("plus four")
    def _four(x):
        return 4.0 if x else 1.0

    @square.mistake("four more")
    def _also_four(x):
        return 4.0 if x else 1.0

    assert _confusions(square) == [("square", "_twice"), ("_four", "_also_four")]
