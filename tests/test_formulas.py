"""Small formulas as HTML and as plain text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodiff_course.exercises.formulas import formula_as_html, formula_as_text

CASES = [
    (r"\partial e/\partial b", "∂<i>e</i>/∂<i>b</i>", "∂e/∂b"),
    ("x^2", "<i>x</i><sup>2</sup>", "x²"),
    (r"h\cdot 10^{-3}", "<i>h</i>·10<sup>−3</sup>", "h·10⁻³"),
    ("x_{n+1}", "<i>x</i><sub><i>n</i>+1</sub>", "xₙ₊₁"),
    ("-x + (-y)", "−<i>x</i> + (−<i>y</i>)", "−x + (−y)"),
    (r"\lambda\le-1", "<i>λ</i> ≤ −1", "λ ≤ −1"),
    ("a<b", "<i>a</i> &lt; <i>b</i>", "a < b"),
    (r"\frac{f(x+h)-f(x)}{h}", None, "(f(x + h) − f(x))/h"),
    (r"2\frac12 f", "2 1/2 <i>f</i>", "2 1/2 f"),
    (r"\bar v_i = \sum_j \bar v_j \frac{\partial v_j}{\partial v_i}", None, "v̄ᵢ = ∑ⱼv̄ⱼ ∂vⱼ/∂vᵢ"),
    (r"J^\top v", "<i>J</i><sup>⊤</sup><i>v</i>", "Jᵀv"),
    (r"\mathbb{R}^n \to \mathbb{R}^m", None, "ℝⁿ → ℝ^m"),
    (r"\text{number of paths} = 2^n", "number of paths = 2<sup><i>n</i></sup>", None),
    (r"\sin x + \exp(x)", "sin <i>x</i> + exp(<i>x</i>)", "sin x + exp(x)"),
    (r"\sqrt{\varepsilon}", "√<i>ε</i>", "√ε"),
    (r"\sqrt{a + b}", None, "√(a + b)"),
    (r"e^{x^2}", "<i>e</i><sup><i>x</i><sup>2</sup></sup>", "e^(x²)"),
    (r"\mathbf{J}", "<b>J</b>", "J"),
    (r"\Omega + \theta'", "<i>Ω</i> + <i>θ</i>′", "Ω + θ′"),
]


@pytest.mark.parametrize(("source", "page", "text"), CASES)
def test_formulas_as_a_reader_writes_them(source, page, text):
    assert page is None or formula_as_html(source) == page
    assert text is None or formula_as_text(source) == text


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (r"\foo", r"\\foo is not known"),
        ("{a", "closing brace is missing"),
        ("a}", "never opened"),
        ("a^", "missing at its end"),
        (r"\frac{a}", "missing at its end"),
        (r"\text a", "in braces"),
        (r"\text{a", "closing brace is missing"),
    ],
)
def test_what_cannot_be_set_is_told(source, message):
    with pytest.raises(ValueError, match=message):
        formula_as_text(source)


@given(st.text(alphabet="ab12+-=/^_{}\\ ()<&'", max_size=12))
def test_any_source_is_set_or_refused_and_never_becomes_markup(source):
    try:
        page = formula_as_html(source)
    except ValueError:
        return
    for tag in ("i", "b", "sup", "sub", "code"):
        assert page.count(f"<{tag}>") == page.count(f"</{tag}>")
        page = page.replace(f"<{tag}>", "").replace(f"</{tag}>", "")
    assert "<" not in page
