"""Drills: the first problem is fixed, the others are fresh."""

import sys

import pytest

from autodiff_course.exercises.drills import Problem, drill, drills_in


def _new():
    @drill
    def drill_double(random):
        """Double a number."""
        x = random.randint(1, 10**6)
        return Problem(f"What is 2 times {x}?", 2 * x, f"It is {x} + {x}.")

    return drill_double


def _asked(card):
    return int(card.text.split("2 times ")[1].rstrip("?"))


def test_the_first_problem_is_fixed_and_stays_until_it_is_answered():
    one, other = _new(), _new()
    assert repr(one()) == repr(other()) == repr(one()) == repr(one(...))
    assert repr(one()).startswith("✎ drill_double: What is 2 times ")


def test_the_next_problem_is_fresh():
    nexts = set()
    for _ in range(3):
        one = _new()
        result = one(2 * _asked(one()))
        assert result.title == "Right." and "It is " in result.text
        nexts.add(_asked(result))
        assert _asked(one()) == _asked(result)
    assert len(nexts) == 3


def test_a_wrong_answer_may_be_mended_once():
    one = _new()
    x = _asked(one())
    assert one(2 * x + 1).title == "Not yet:" and _asked(one()) == x
    assert one(2 * x).title == "Right."
    y = _asked(one())
    one(0)
    told = one(0)
    assert told.title == "Not right." and f"It is {2 * y}. It is {y} + {y}." in told.text
    assert _asked(one()) != y


def test_a_cell_that_is_run_again_is_not_a_try():
    one = _new()
    x = _asked(one())
    one(2 * x)
    y = _asked(one())
    assert "answered the last one" in one(2 * x).text and _asked(one()) == y
    assert one(2 * y + 1).title == "Not yet:"  # the first try, not the second
    assert one(2 * y).title == "Right."


@pytest.mark.parametrize("thing", ["nonsense", "7", None, [1.0], len])
def test_what_is_no_number_is_not_a_try(thing):
    one = _new()
    x = _asked(one())
    for _ in range(3):
        assert "is no number" in one(thing).text and _asked(one()) == x
    assert one(2 * x + 1).title == "Not yet:"


def test_several_values_are_one_answer():
    pair = drill(lambda random: Problem("6 and 2?", (6, 2), "6, then 2."))
    assert pair(2, 6).title == "Not yet:" and pair(6, 2).title == "Right."
    assert "(6, 2) is no number" in _new()(6, 2).text


def test_three_digits_are_enough():
    thirds = drill(lambda random: Problem("1/3?", 1 / 3, "Divide."))
    assert thirds(0.333).title == "Right."
    assert thirds(0.34).title == "Not yet:"


def test_drills_are_found_and_told(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "found", _new(), raising=False)
    assert [one.name for one in drills_in(sys.modules[__name__])] == ["drill_double"]
    assert _new().__doc__ == "Double a number."
    assert _new().problem(0).question == _new()().text
