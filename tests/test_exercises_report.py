"""The teacher's report, over notebooks that are right, wrong, without end, and fatal."""

import asyncio
import csv
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from nbformat import v4, write

from autodiff_course.exercises import ex01, report

HEAD = "from autodiff_course.exercises import ex01"
RIGHT = "def my_quotient(x, y):\n    return x / y, 1 / y, -x / y**2"
CHECK = "ex01.power.check(my_power)"
SWAPPED = "def my_quotient(x, y):\n    return x / y, -x / y**2, 1 / y"


def _hand_in(path, *cells):
    path.parent.mkdir(exist_ok=True)
    write(v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in (HEAD, *cells)]), path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    _hand_in(folder / "ada.ipynb", RIGHT, "raise ValueError('a cell that fails')")
    _hand_in(folder / "bob" / "01.ipynb", SWAPPED)
    _hand_in(folder / "eve.ipynb", SWAPPED, "import time\nwhile True:\n    time.sleep(0.1)")
    _hand_in(folder / "kim.ipynb", RIGHT, "import os\nos._exit(1)", "def my_power(x, n\n" + CHECK)
    (folder / "max.ipynb").write_text("no notebook")
    assert report.main([str(folder), "--seconds", "9", "--jobs", "4"]) == 0
    return folder


def _rows(folder):
    with (folder / "report.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def test_each_student_has_a_row(folder):
    rows = _rows(folder)
    assert list(rows) == ["ada", "bob", "eve", "kim", "max"]
    states = {name: row["ex01.quotient"] for name, row in rows.items()}
    assert states == {"ada": "right", "bob": "wrong", "eve": "wrong", "kim": "right", "max": ""}
    assert rows["ada"]["ex01.sum_over_paths"] == "not tried"
    assert rows["ada"]["right"] == "1" and rows["ada"]["problem"] == ""
    assert rows["kim"]["ex01.power"] == "not run"
    assert rows["bob"]["first mistake"].startswith("ex01.quotient: The last two are swapped")


def test_a_notebook_without_end_or_with_a_dead_kernel_costs_its_own_row_only(folder):
    problems = {name: row["problem"] for name, row in _rows(folder).items()}
    assert re.fullmatch(r"code cell 3 \(import time\) was stopped after \d s", problems["eve"])
    assert problems["kim"] == "code cell 3 (import os) killed its kernel or hung in it"
    assert problems["max"] == "no notebook: the file is damaged, or empty"


def test_a_problem_names_the_file_where_a_student_has_several(tmp_path):
    (tmp_path / "bob").mkdir()
    (tmp_path / "bob" / "02.ipynb").write_text("")
    assert report.main([str(tmp_path)]) == 0
    assert _rows(tmp_path)["bob"]["problem"].startswith("02.ipynb: no notebook")


def test_the_page_shows_the_same_and_the_mistakes_of_the_class(folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "✓ right" in page and "… not tried" in page and "src=" not in page
    mistake = next(one for one in ex01.quotient.mistakes if "swapped" in one.message)
    assert f"<td>{mistake.message}</td><td>2: bob, eve</td>" in page
    assert re.search(r"the class</th><td>0 of 4</td><td>2 of 4</td>", page)  # sine, quotient
    assert "<td>1 of 10</td>" in page


def test_memory_is_limited(tmp_path):
    _hand_in(tmp_path / "big.ipynb", RIGHT, "x = bytearray(3 * 10**9)\nmy_quotient = 1")
    work = report.run_notebook(tmp_path / "big.ipynb", gigabytes=2.0)
    with ThreadPoolExecutor(1) as thread:  # a test of the browser leaves a loop in this one
        student = thread.submit(asyncio.run, work).result()
    assert student.states["ex01.quotient"] == "right"  # the cell failed before its end


def test_a_cell_of_the_table_is_no_formula(tmp_path):
    report.write_report([report.Student("=1+1")], tmp_path)
    assert "'=1+1" in (tmp_path / "report.csv").read_text(encoding="utf-8-sig")


def test_an_exercise_that_was_not_told_of_leaves_its_field_empty(tmp_path):
    ada = report.Student("ada", states={"ex01.sine": "other way", "ex01.power": "right"})
    report.write_report([ada, report.Student("bob", states={"ex01.sine": "right"})], tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<td>≈ right, another way</td><td>✓ right</td>" in page
    assert '<th scope="row">bob</th><td>✓ right</td><td></td>' in page


def test_a_folder_without_notebooks_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        report.main([str(tmp_path)])
    assert "no notebooks" in capsys.readouterr().err
