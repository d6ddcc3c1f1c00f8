"""What a teacher is told: names, minutes, sections and measured numbers are those there are."""

import ast
import re
from types import SimpleNamespace

import pytest

import lectures
from notebooks import ROOT, course_notebooks, read

TEACHING = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
MADE = lectures.made()
# A section of a notebook, as a link of a page leads to it.
LINK = re.compile(r"\[([^\]]*)\]\(\.\./notebooks/(\d\d_\w+\.ipynb)#([^)]*)\)")
EXERCISE = re.compile(r"`(ex\d\d)\.(\w+)`(?: \((\d+)\))?")
CONFIGURATION = re.search(r"```python\n(# jupyterhub_config\.py.*?)```", TEACHING, re.DOTALL)[1]


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_a_page_is_as_it_would_be_made_now(path):
    assert path.read_text(encoding="utf-8") == MADE[path], "`make format` writes it again"


def test_the_exercises_to_give_out_exist_and_take_so_long():
    found = EXERCISE.findall(TEACHING)
    assert len(found) > 25
    assert [minutes for *_, minutes in found] == [
        f"{lectures.minutes(module, name):g}" for module, name, _ in found
    ]


def test_a_week_of_exercises_fits_an_evening():
    weeks = [line for line in TEACHING.splitlines() if re.match(r"\| \d \| \[", line)]
    assert len(weeks) == len(course_notebooks()) == 9
    for line in weeks:
        minutes = sum(int(told) for *_, told in EXERCISE.findall(line))
        assert minutes == 0 or 30 <= minutes <= 45, line


@pytest.mark.parametrize("name", ["teaching.md", "lectures.md"])
def test_a_link_leads_to_a_section_of_its_name(name):
    links = LINK.findall((ROOT / "docs" / name).read_text(encoding="utf-8"))
    assert links
    titles = {
        path.name: {
            lectures.anchor(part.title): part.title for part in lectures.sections(read(path))
        }
        for path in course_notebooks()
    }
    assert [title for title, *_ in links] == [titles[file].get(to) for _, file, to in links]


def test_every_exercise_and_every_question_of_a_lecture_is_on_its_page():
    page = MADE[ROOT / "docs" / "lectures.md"]
    for path in course_notebooks():
        parts = lectures.sections(read(path))
        assert sum(len(part.exercises) for part in parts) >= 4
        for part in parts:
            assert all(f"`{name}`" in page for _, name, _ in part.exercises)
            assert part.lecture.get("ask", "").replace("|", "\\|") in page


def test_the_hub_starts_the_servers_as_the_page_says():
    ast.parse(CONFIGURATION)
    c = SimpleNamespace(JupyterHub=SimpleNamespace(), Authenticator=SimpleNamespace())
    c.Spawner = SimpleNamespace()
    exec(CONFIGURATION, {"c": c})
    assert c.JupyterHub.bind_url.startswith("http://127.0.0.1:")
    assert (ROOT / c.Spawner.default_url.removeprefix("/lab/tree/")).is_file()
    options = dict(one.removeprefix("--").split("=") for one in c.Spawner.args)
    manager = pytest.importorskip("jupyter_server.services.kernels.kernelmanager")
    for option in options:
        kind, _, trait = option.partition(".")
        assert trait in getattr(manager, kind).class_traits(config=True)


def test_the_tables_of_a_class_are_there():
    assert re.search(r"\| 30 \|( (about )?\d+\.\d GB \|){2}", TEACHING)
