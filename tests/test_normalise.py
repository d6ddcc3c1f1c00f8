"""`python tools/notebooks.py normalise`, the verb behind `make format` and the commit hook."""

import json

import pytest
from nbformat import v4

import notebooks
from notebooks import main, read, write


@pytest.fixture
def path(tmp_path):
    """A notebook as an editor may leave it: run in another order, with metadata of its own."""
    cells = [
        v4.new_markdown_cell("# Title", id="title", metadata={"collapsed": True}),
        v4.new_code_cell("1 + 1", id="sum", execution_count=7, metadata={"tags": ["setup"]}),
    ]
    cells[1].outputs = [v4.new_output("execute_result", {"text/plain": "2"}, execution_count=7)]
    path = tmp_path / "01_odd.ipynb"
    write(v4.new_notebook(cells=cells, metadata={"editor": "somebody's"}), path)
    return path


def test_a_notebook_is_normalised_without_being_run(path, capsys):
    cell = read(path).cells[1]
    assert main(["normalise", str(path)]) == 0
    assert capsys.readouterr().out == "written: 01_odd.ipynb\n"
    nb = read(path)
    assert nb.metadata == notebooks.NOTEBOOK_METADATA
    assert nb.cells[0].metadata == {}
    assert nb.cells[1].metadata == cell.metadata
    assert nb.cells[1].execution_count == nb.cells[1].outputs[0].execution_count == 1
    assert nb.cells[1].outputs[0].data == cell.outputs[0].data


def test_doing_it_twice_changes_nothing(path, capsys):
    main(["normalise", str(path)])
    once = path.read_bytes()
    assert main(["normalise", str(path)]) == 0
    assert path.read_bytes() == once
    assert capsys.readouterr().out.endswith("unchanged: 01_odd.ipynb\n")


def test_the_source_of_a_question_card_is_hidden(path):
    nb = read(path)
    nb.cells.append(v4.new_code_cell("ask('?', {'a': 'b', 'c': 'd'}, answer='a')", id="question"))
    nb.cells.append(v4.new_code_cell("task(1)", id="task"))
    write(nb, path)
    main(["normalise", str(path)])
    *_, question, task = read(path).cells
    assert question.metadata == {"cellView": "form", "jupyter": {"source_hidden": True}}
    assert task.metadata == {}


def test_another_layout_of_the_same_notebook_is_undone(path):
    main(["normalise", str(path)])
    once = path.read_bytes()
    path.write_text(json.dumps(json.loads(once)))
    main(["normalise", str(path)])
    assert path.read_bytes() == once


@pytest.mark.parametrize("text", ["<<<<<<< ours\n{}", ""])
def test_a_file_that_is_no_notebook_is_named_and_left_as_it_is(path, capsys, text):
    broken = path.with_name("02_broken.ipynb")
    broken.write_text(text)
    assert main(["normalise", str(broken), str(path)]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("FAILED 02_broken.ipynb: cannot be read: ")
    assert said.out == "written: 01_odd.ipynb\n"
    assert broken.read_text() == text


def test_a_file_that_is_not_there_is_named(tmp_path, capsys):
    assert main(["normalise", str(tmp_path / "03_gone.ipynb")]) == 1
    assert "03_gone.ipynb" in capsys.readouterr().err


def test_without_a_file_all_notebooks_are_normalised(path, capsys, monkeypatch):
    monkeypatch.setattr(notebooks, "course_notebooks", lambda: [path])
    assert main(["normalise"]) == 0
    assert capsys.readouterr().out == "written: 01_odd.ipynb\n"
