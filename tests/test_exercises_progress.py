"""What is kept of the reader's progress, and how it is shown."""

import json
import types

import pytest

from autodiff_course.exercises import check_all, ex01, overview, progress, record
from autodiff_course.exercises.framework import exercises_in


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of its own for what is recorded, and a session that has just begun."""
    monkeypatch.setenv(record.VARIABLE, str(tmp_path / "new"))
    monkeypatch.setattr(record, "_this_session", {})
    return tmp_path / "new"


def test_what_is_done_is_kept(folder, monkeypatch):
    assert ex01.sum_over_paths.check(ex01.sum_over_paths.reference)
    ex01.quotient.check(lambda x, y: (y, x))
    monkeypatch.setattr(record, "_this_session", {})  # the next day
    assert record.statuses() == {"ex01.sum_over_paths": "right", "ex01.quotient": "wrong"}
    text = repr(progress())
    assert "sum_over_paths" in text and "✓ right" in text and "1 of" in text
    assert [file.name for file in folder.iterdir()] == ["progress.json"]


def test_what_was_right_once_stays_right(folder):
    record.keep("autodiff_course.exercises.ex01", "sweep", "right")
    record.keep("autodiff_course.exercises.ex01", "sweep", "wrong")
    assert record.statuses() == {"ex01.sweep": "right"}


def test_only_exercises_of_the_course_that_were_tried_are_kept(folder):
    record.keep("__main__", "mine", "right")
    record.keep("autodiff_course.exercises.ex01", "sweep", "not attempted")
    assert record.statuses() == {} and not folder.exists()


def test_where_nothing_can_be_written_the_session_is_remembered(folder):
    folder.write_text("a file where a folder should be")
    record.keep("autodiff_course.exercises.ex01", "sweep", "right")
    assert record.statuses() == {"ex01.sweep": "right"}


@pytest.mark.parametrize("text", ["", "{", "[1]", json.dumps({"ex01.sweep": 3})])
def test_a_broken_file_is_as_none(folder, text):
    folder.mkdir()
    (folder / "progress.json").write_text(text)
    assert record.statuses() == {}


def test_the_tests_write_nothing(monkeypatch):
    assert record._file() is None


def test_the_record_lies_in_the_users_data_folder(monkeypatch):
    monkeypatch.delenv(record.VARIABLE)
    assert record._file().parts[-2:] == ("autodiff-course", "progress.json")


def test_the_time_for_the_rest(folder, monkeypatch):
    before = progress().text
    record.keep("autodiff_course.exercises.ex01", exercises_in(ex01)[0].name, "right")
    assert before.startswith("0 of") and progress().text.startswith("1 of")


def test_a_module_that_cannot_be_imported_is_told(monkeypatch):
    monkeypatch.setattr(overview, "_modules", lambda: [("01", ex01), ("04", None)])
    assert "needs a library" in repr(progress())


def test_all_answers_of_a_notebook_at_once():
    first, second = exercises_in(ex01)[:2]
    answer = first.reference if first.asks_for_function else first.reference()
    table = check_all(ex01, {f"my_{first.name}": answer, f"my_{second.name}": lambda *values: 7})
    states = [state for _, state, _ in table.rows]
    assert states[:3] == ["✓ right", "✗ not right yet", "… not tried"]
    assert table.text == f"1 of {len(table.rows)} right."
    assert "<table" in table._repr_mimebundle_()["text/html"]


def test_the_answers_are_those_of_the_notebook(monkeypatch):
    name = exercises_in(ex01)[0].name
    main = types.SimpleNamespace(**{f"my_{name}": 7})
    monkeypatch.setitem(overview.sys.modules, "__main__", main)
    assert check_all(ex01).rows[0][1] == "✗ not right yet"
