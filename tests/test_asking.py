"""Question cards: what `ask` accepts, and what stands in a card before any script runs."""

import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from autodiff_course.exercises import ask

QUESTION = "How large is $\\partial e/\\partial b$ in `graph`?"
CHOICES = {"2": "Only `d` was counted.", "$a + b$": "Two paths, $x^2 < 4$.", "5 & more": "No."}


@pytest.fixture
def card():
    return ask(QUESTION, CHOICES, answer="$a + b$")


class Reader(HTMLParser):
    """The tags of a card, and the text that is left where scripts and styles are stripped."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text, self._open = [], [], "", []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open[-1] not in ("script", "style"):
            self.text += data


def test_question_choices_and_answer_are_text_from_the_start(card):
    text = Reader(card.html).text
    assert "How large is ∂e/∂b in graph?" in text
    for part in (
        "A) 2",
        "B) a + b",
        "C) 5 & more",
        "A) ✗ No. Only d",
        "B) ✓ Right. Two paths, x2 <",
    ):
        assert part in text
    assert text.index("C) 5") < text.index("Answer") < text.index("A) ✗")


def test_the_answer_is_folded_without_scripts(card):
    page = re.sub("<script>.*?</script>|<style>.*?</style>", "", card.html, flags=re.DOTALL)
    assert page.count("<details") == 1 and "✓" not in page.split("<details")[0]


def test_plain_text(card):
    assert repr(card).splitlines() == [
        "How large is ∂e/∂b in graph?",
        "  A) 2",
        "  B) a + b",
        "  C) 5 & more",
        "Answer:",
        "  A) no: Only d was counted.",
        "  B) right: Two paths, x² < 4.",
        "  C) no: No.",
    ]
    assert card._repr_mimebundle_() == {"text/plain": repr(card), "text/html": card.html}


def test_a_card_is_small_and_asks_for_nothing(card):
    reader = Reader(card.html)
    assert len(card.html.encode()) < 12_000
    assert not [name for name, _ in reader.attributes if name.startswith("on")]
    assert not re.search(r"https?:|\bfetch\b|\beval\b|\bimport\b|src=|url\(", card.html)
    assert "$" not in reader.text  # nothing is left that MathJax might set a second time


def test_markup_in_a_text_is_only_text():
    card = ask("<script>alert(1)</script> costs \\$5?", {"<b>": "<i>", "a": "b"}, answer="a")
    assert Reader(card.html).tags.count("script") == 1
    assert "<b>" in Reader(card.html).text and "&#36;5" in card.html and "costs $5?" in repr(card)


def test_ids_depend_on_the_question_alone(card):
    program = (
        "from autodiff_course.exercises import ask; "
        f"print(ask({QUESTION!r}, {CHOICES!r}, answer='$a + b$').html, end='')"
    )
    fresh = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert fresh.stdout == card.html
    others = [ask("Other?", CHOICES, answer="2"), ask(QUESTION, {"2": "a", "3": "b"}, answer="2")]
    ids = {re.search(r'id="([\w-]+)"', each.html)[1] for each in [card, *others]}
    assert len(ids) == 3


@pytest.mark.parametrize("folds", [True, False])
def test_folding_can_be_left_out(folds):
    assert f'data-folds="{int(folds)}"' in ask("?", {"a": "b", "c": "d"}, "a", folds=folds).html


@pytest.mark.parametrize(
    ("question", "choices", "answer", "error", "message"),
    [
        ("?", {"a": "b"}, "a", ValueError, "two to four, got 1"),
        ("?", dict.fromkeys("abcde", "why"), "a", ValueError, "two to four, got 5"),
        ("?", {"a": "b", "c": "d"}, "e", ValueError, r"one of the choices \['a', 'c'\], got 'e'"),
        ("?", {"a": "b", "c": " "}, "a", ValueError, "explanation of the choice 'c' must not be"),
        ("?", {"a": "b", "c": None}, "a", TypeError, "choice 'c' must be a str, got NoneType"),
        ("?", {"a": "b", 2: "d"}, "a", TypeError, "a choice must be a str, got int"),
        ("?", ["a", "b"], "a", TypeError, "dict of choice to explanation, got list"),
        (" ", {"a": "b", "c": "d"}, "a", ValueError, "question must not be empty"),
        (3, {"a": "b", "c": "d"}, "a", TypeError, "question must be a str, got int"),
        ("$\\foo$", {"a": "b", "c": "d"}, "a", ValueError, r"\\foo is not known"),
        ("?", {"a": "$x$ costs $5", "c": "d"}, "a", ValueError, "a dollar sign without"),
    ],
)
def test_bad_arguments_are_told_at_the_door(question, choices, answer, error, message):
    with pytest.raises(error, match=message):
        ask(question, choices, answer)
