"""The slides are made from the notebooks: what is in them, and what is not."""

import pytest
from nbformat import v4

import slides
from notebooks import write


def cell(source, slide=None, new=v4.new_markdown_cell, outputs=None, **metadata):
    made = new(source, metadata=metadata, **({"outputs": outputs} if outputs else {}))
    if slide:
        made.metadata["slideshow"] = {"slide_type": slide}
    return made


def code(source, *texts, **arguments):
    outputs = [v4.new_output("stream", name="stdout", text=text) for text in texts]
    return cell(source, new=v4.new_code_cell, outputs=outputs, **arguments)


def notebook(*cells):
    return v4.new_notebook(cells=[cell("# 01 · A & `b`", "slide", lecture={"minutes": 4}), *cells])


@pytest.fixture
def page(tmp_path):
    """Return the page that a notebook of some cells becomes."""

    def made(*cells):
        path = tmp_path / "01_a.ipynb"
        write(notebook(*cells), path)
        return slides.deck(path)

    return made


def test_the_notes_stand_under_headings_with_the_time():
    lecture = {"minutes": 60, "answer": "**No**", "ask": "Is $x_1$?"}
    nb = slides.prepared(notebook(cell("## 1. Why?\n\ntext", "slide", lecture=lecture)))
    title, section = (c.metadata.notes for c in nb.cells)
    assert section.startswith("<h4>60 min · 0:04–1:04</h4><h4>Ask the room</h4><p>Is $x_1$?</p>")
    assert section.index("Ask") < section.index("<h4>Answer</h4><p><strong>No</strong></p>")
    assert "misconception" not in section
    assert title.startswith("<h4>4 min · 0:00–0:04</h4><h4>Timetable</h4>")
    assert "<li>0:00 01 · A &amp; b</li><li>0:04 1. Why?</li>" in title


def test_every_slide_of_a_section_has_its_notes_and_a_share_of_its_time():
    cells = [cell("## 1. Why?", "slide", lecture={"minutes": 5, "ask": "Why?"})]
    cells += [cell("because", "subslide"), cell("so", "fragment"), cell("and", "slide")]
    nb = slides.prepared(notebook(*cells))
    assert len({c.metadata.notes for c in nb.cells[1:]}) == 1
    assert [c.metadata.seconds for c in nb.cells] == [240, 100, 100, 100, 100]
    assert [c.metadata.running for c in nb.cells[1:]] == ["1. Why?"] * 4


def test_what_is_skipped_is_not_in_the_deck(page):
    made = page(cell("left out", "skip"), code("a = 1", slide="skip"), cell("joined"))
    assert "left out" not in made and "joined" in made
    assert made.count("<section") == 2


def test_the_notes_are_in_the_deck_once_for_each_slide(page):
    made = page(cell("## 1. B", "slide", lecture={"ask": "Why?"}), cell("c", "subslide"))
    assert made.count("Ask the room") == 2
    assert made.count('<aside class="notes">') == 3


def plot():
    data = {"image/png": "AA==", "text/plain": "Plot"}
    return v4.new_output("display_data", data, metadata={"image/png": {"alt": 'A "curve".'}})


def test_a_plot_stands_without_its_code_and_with_its_alt_text(page):
    made = page(cell("plot_code()", new=v4.new_code_cell, outputs=[plot()]))
    assert "plot_code" not in made
    assert "alt='A \"curve\".'" in made or 'alt="A &quot;curve&quot;."' in made


def test_tags_say_whether_code_is_shown(page):
    shown = cell("plot_code", new=v4.new_code_cell, outputs=[plot()], tags=["slide-code"])
    made = page(shown, code("hidden_code", "its output", tags=["no-slide-code"]))
    assert "plot_code" in made and "its output" in made
    assert "hidden_code" not in made


def test_a_question_card_stands_without_its_source_which_gives_the_answer_away(page):
    made = page(code("ask('Which?', {'a': 'b', 'c': 'd'}, answer='a')", "the card"))
    assert "the card" in made and "answer=" not in made.replace("&#39;", "'")


def test_an_exercise_shows_its_task_but_not_the_check_of_no_answer(page):
    made = page(code("mine = ...\n\nex01.first_one.check(mine)", "Not attempted yet."))
    assert "first_one" in made
    assert "Not attempted" not in made


def test_no_page_names_another_host(page, tmp_path):
    made = page(cell("## 1. B", "slide"), code("a = 1", "1"))
    assert "//" not in made.replace("</", "<")
    assert "//" not in slides.index([]).replace("</", "<")


def test_the_index_lists_the_decks_by_their_titles(tmp_path, page):
    deck = tmp_path / "01_a.html"
    deck.write_text(page(), encoding="utf-8")
    assert '<li><a href="01_a.html">01 · A &amp; b</a></li>' in slides.index([deck])


def test_an_unknown_name_is_refused():
    with pytest.raises(SystemExit, match="no notebook's name begins with '99'; there are: 01_"):
        slides.main(["99"])


def test_missing_packages_name_the_command_that_brings_them(tmp_path):
    with pytest.raises(SystemExit, match="reveal.css is missing; `make slides` brings it"):
        slides.make_decks([], tmp_path / "slides", tmp_path / "node_modules")
    assert not (tmp_path / "slides").exists()
