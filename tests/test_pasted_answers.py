"""Each solution, pasted as text into its notebook's cell, runs with what stands above that cell."""

import ast
import contextlib
import importlib
import re
import sys

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from autodiff_course.exercises import ex01
from autodiff_course.exercises.framework import exercises_in
from autodiff_course.exercises.running import call
from notebooks import course_notebooks, put_stubs, read, write


def _pasted():
    for path in course_notebooks():
        module = f"autodiff_course.exercises.ex{path.name[:2]}"
        for one in exercises_in(importlib.import_module(module)):
            yield pytest.param(path, one, id=f"{path.name[:2]}.{one.name}")


PASTED = list(_pasted())


def _is_method(node, names):
    """Whether a statement gives a class one more method, as in ``Dual.sin = sine``."""
    target = node.targets[0] if isinstance(node, ast.Assign) else None
    owner = getattr(getattr(target, "value", None), "id", None)
    return isinstance(target, ast.Attribute) and isinstance(names.get(owner), type)


def _names_above(path, one):
    """What the imports and definitions of a notebook give, above the cell of an exercise."""
    names = {"__name__": "__main__"}
    for cell in read(path).cells:
        if cell.cell_type != "code":
            continue
        if f"{one.name}.check(" in cell.source:
            return names
        tree = ast.parse(TransformerManager().transform_cell(cell.source))
        kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
        for node in tree.body:
            if isinstance(node, kept) or _is_method(node, names):
                # One whose default is a variable of the notebook gives nothing here.
                with contextlib.suppress(NameError):
                    exec(compile(ast.Module([node], []), path.name, "exec"), names)
    raise AssertionError(f"{path.name} has no cell for {one.name}")


def _locals_of_the_solution(one):
    """The local variables of the solution at its end, on the first input."""
    found = {}

    def keep(frame, event, argument):
        if event == "return" and frame.f_code is one.reference.__code__:
            found.update(frame.f_locals)

    sys.setprofile(keep)
    try:
        one.reference(*one.inputs()[0].arguments)
    finally:
        sys.setprofile(None)
    return found


def _expressions(hint):
    """The calls that a hint spells out between backticks, with nothing left open."""
    for code in re.findall(r"`([^`]+)`", hint):
        try:
            tree = ast.parse(code, mode="eval")
        except SyntaxError:
            continue
        dots = any(isinstance(n, ast.Constant) and n.value is ... for n in ast.walk(tree))
        if isinstance(tree.body, ast.Call) and not dots:
            yield code


@pytest.mark.parametrize(("path", "one"), PASTED)
def test_a_solution_runs_in_its_cell(path, one):
    names = _names_above(path, one)
    text = repr(one.solution()).removeprefix(one.uses)
    exec(compile(text, path.name, "exec"), names)
    for ours, pasted in zip(one.inputs(), one.inputs(), strict=True):
        expected = call(one.reference, ours.arguments)
        assert one.agree(call(names[one.name], pasted.arguments), expected)


@pytest.mark.parametrize(("path", "one"), PASTED)
def test_what_a_hint_spells_out_runs_in_its_cell(path, one):
    names = _names_above(path, one) | _locals_of_the_solution(one)
    for hint in one.hints:
        for code in _expressions(hint):
            try:
                eval(code, names)
            except NameError as missing:
                # A name may also be introduced by the sentence around the code.
                assert re.search(rf"\b{missing.name}\b", re.sub(r"`[^`]+`", "", hint)), code
            except RuntimeError:  # a step of the solution may not be possible twice
                pass


def test_the_stubs_are_put_into_a_notebook_and_nothing_else_changes(tmp_path):
    (path, *_) = course_notebooks()
    copy = tmp_path / path.name
    nb = read(path)
    check = next(cell for cell in nb.cells if "sum_over_paths.check(" in cell.source)
    head, tail = check.source.split("ex01.sum_over_paths.check(")
    asked = tail.splitlines()[0]  # without the calls for hint and solution
    check.source = (
        "import math\n\n\ndef my_other(x):\n    pass\n\n\nex01.sum_over_paths.check(" + asked
    )
    write(nb, copy)
    put_stubs(copy)
    cells = {cell.id: cell.source for cell in read(copy).cells}
    stub = ex01.sum_over_paths.stub
    assert cells[check.id] == f"import math\n\n\n{stub}\n\n\nex01.sum_over_paths.check({tail}"
    assert not put_stubs(copy)
    exercises = {cell.id for cell in nb.cells if ".check(" in cell.source}
    assert all(cells[c.id] == c.source for c in nb.cells if c.id not in exercises)
