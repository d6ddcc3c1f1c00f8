"""The widgets of notebooks 01 and 02, driven as a reader drives them."""

import pytest

FIRST, SECOND = "01_computational_graphs.ipynb", "02_forward_and_reverse_mode.ipynb"
ERRORS = "[data-mime-type='application/vnd.jupyter.error'], [data-mime-type$='stderr']"

# Clicks an element and resolves with the milliseconds until the output next to it has changed.
TIME_A_CLICK = """([button, output]) => new Promise(resolve => {
    const start = performance.now();
    const observer = new MutationObserver(() => {
        observer.disconnect();
        requestAnimationFrame(() => resolve(performance.now() - start));
    });
    observer.observe(output, {childList: true, subtree: true, characterData: true});
    button.click();
})"""


def assert_clean(visit):
    errors = visit.page.locator(ERRORS)
    assert [errors.nth(i).inner_text() for i in range(errors.count())] == []
    assert visit.faults == []


@pytest.mark.parametrize("notebook", [FIRST, SECOND])
def test_restart_and_run_all_is_clean(visit_to, notebook):
    visit = visit_to(notebook)
    visit.page.wait_for_timeout(500)  # a late request would still be seen
    assert_clean(visit)
    assert visit.page.locator(".jp-Cell-outputArea svg[role=img]").count() > 3


def test_a_slider_redraws_the_graph(visit_to):
    visit = visit_to(FIRST)
    output = visit.cell("local-explore")
    output.scroll_into_view_if_needed()
    assert {"6", "∂e/∂c = 2", "∂e/∂d = 3"} <= texts(output)
    handle = output.locator("[role=slider]").first  # that of a
    handle.focus()
    handle.press("ArrowRight")  # a tenth more: a = 2.1
    output.locator("svg text", has_text="6.2").wait_for()
    assert {"2.1", "3.1", "6.2", "∂e/∂c = 2", "∂e/∂d = 3.1"} <= texts(output)
    visit.keep_picture("slider")
    assert_clean(visit)


def test_the_stepper_walks_both_sweeps(visit_to):
    visit = visit_to(SECOND)
    output = visit.cell("directions-stepper")
    output.scroll_into_view_if_needed()
    forward, back = (output.locator("button", has_text=word) for word in ("forward", "back"))
    assert current(output) == "▶ 0\tno tangent is known yet\tno adjoint is known yet"
    assert {"tangent ?", "adjoint ?"} <= texts(output)

    milliseconds = [step(output, forward) for _ in range(6)]
    assert "adjoint of b += adjoint of c × ∂c/∂b = 2 × 1, now 5" in current(output)
    assert "tangent of e += tangent of c × ∂e/∂c = 1 × 2, now 2" in current(output)
    assert {"adjoint 5", "tangent 2"} <= texts(output)
    assert "adjoint ?" not in texts(output)
    visit.keep_picture("stepper")

    milliseconds.append(step(output, back))
    assert current(output).startswith("▶ 5\t") and "adjoint 3" in texts(output)
    visit.keep_numbers("step_milliseconds", milliseconds)


def test_the_stepper_follows_the_slider_and_plays(visit_to):
    visit = visit_to(SECOND)
    output = visit.cell("directions-stepper")
    handle = output.locator("[role=slider]").first
    handle.focus()
    handle.press("End")
    output.locator("tr[aria-current=step]", has_text="now 5").wait_for()
    assert current(output).startswith("▶ 7\t")
    handle.press("Home")
    output.locator("tr[aria-current=step]", has_text="no tangent is known yet").wait_for()
    output.locator(".widget-play button").first.click()
    output.locator("tr[aria-current=step]", has_text="tangent of b = 1 (seed)").wait_for()
    assert_clean(visit)


def texts(output):
    return {text.strip() for text in output.locator("svg text").all_text_contents()}


def current(output):
    return output.locator("tr[aria-current=step]").inner_text()


def step(output, button):
    """Click, wait for the picture to change, and return how long that took."""
    view = output.locator(".widget-html-content").first
    return view.page.evaluate(TIME_A_CLICK, [button.element_handle(), view.element_handle()])
