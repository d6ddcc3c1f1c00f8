"""The explorers of notebooks 01 and 02 in JupyterLab, driven as a reader drives them."""

import pytest

FIRST, SECOND = "01_computational_graphs.ipynb", "02_forward_and_reverse_mode.ipynb"
ERRORS = "[data-mime-type='application/vnd.jupyter.error'], [data-mime-type$='stderr']"


def assert_clean(visit):
    errors = visit.page.locator(ERRORS)
    assert [errors.nth(i).inner_text() for i in range(errors.count())] == []
    assert visit.faults == []


@pytest.mark.parametrize("notebook", [FIRST, SECOND])
def test_restart_and_run_all_is_clean(visit_to, notebook):
    visit = visit_to(notebook)
    visit.page.wait_for_timeout(500)  # a late request would still be seen
    assert_clean(visit)
    assert visit.page.locator(".jp-Cell-outputArea img[src^='data:image/svg']").count() > 3


def test_a_slider_redraws_the_graph(visit_to):
    visit = visit_to(FIRST)
    output = explorer_of(visit)
    handle = output.get_by_label("a, slider")
    handle.focus()
    handle.press("ArrowRight")  # a tenth more: a = 2.1
    assert {"2.1", "3.1", "6.2", "∂e/∂c = 2", "∂e/∂d = 3.1"} <= texts(output)
    visit.keep_picture("slider")
    assert_clean(visit)


def test_the_steps_of_both_sweeps_are_walked_by_buttons_and_keys(visit_to):
    visit = visit_to(SECOND)
    output = explorer_of(visit)
    forward = output.get_by_role("button", name="Forward")
    assert captions(output)[0] == "0. no tangent is known yet"
    forward.click()
    assert captions(output)[0].startswith("1. tangent of")
    forward.press("End")
    assert captions(output)[1] == "6. adjoint of b += adjoint of c × ∂c/∂b = 2 × 1, now 5"
    forward.press("ArrowLeft")
    # JupyterLab has not taken the key for itself.
    assert captions(output)[0].startswith("6. tangent of e")
    visit.keep_picture("steps")
    assert_clean(visit)


def explorer_of(visit):
    output = visit.page.locator(".ad-explorer").first
    output.scroll_into_view_if_needed()
    return output


def texts(output):
    return {text.strip() for text in output.locator("svg text").all_text_contents()}


def captions(output):
    return output.locator("figcaption").all_inner_texts()
