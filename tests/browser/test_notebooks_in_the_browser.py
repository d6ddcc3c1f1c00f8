"""The explorers of notebooks 01 and 02 in JupyterLab, driven as a reader drives them."""

import pytest

from notebooks import ROOT

from .conftest import TOKEN, recipe

FIRST, SECOND = "01_computational_graphs.ipynb", "02_forward_and_reverse_mode.ipynb"
UNREAD = "03_memory.ipynb"
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
    assert visit.page.locator(".jp-Cell-outputArea img[src^='data:image']").count() > 3


# The kernel has named itself to the notebook, and the notebook has been told.
IS_CHANGED = """async () => {
    const { context } = window.jupyterapp.shell.currentWidget;
    await context.ready;
    await context.sessionContext.ready;
    await context.sessionContext.session.kernel.info;
    await context.sessionContext.session.kernel.spec;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return context.model.dirty;
}"""
DO = "async (command) => { await window.jupyterapp.commands.execute(command); }"


def test_a_notebook_that_is_opened_and_saved_untouched_does_not_change(lab, browser):
    page = browser.new_page()
    page.goto(f"{lab}/lab/tree/{UNREAD}?token={TOKEN}&reset")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
    assert not page.evaluate(IS_CHANGED)
    page.evaluate(DO, "docmanager:save")
    saved = page.request.get(f"{lab}/files/{UNREAD}?token={TOKEN}").body()
    assert saved == (ROOT / "notebooks" / UNREAD).read_bytes()
    page.evaluate(DO, "application:close")
    page.wait_for_selector(".jp-NotebookPanel", state="detached")
    assert page.locator(".jp-Dialog").count() == 0
    page.close()


def test_make_lab_opens_the_first_notebook_at_the_address_that_it_prints(lab, browser):
    assert any("lab --config=tools/jupyter_lab_config.py" in line for line in recipe("lab"))
    tab = browser.new_context()
    opened = tab.request.get(f"{lab}/?token={TOKEN}").url
    tab.close()
    path = opened.removeprefix(f"{lab}/lab/tree/").partition("?")[0]
    assert path == f"notebooks/{FIRST}" and (ROOT / path).exists()


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
    if not output.is_visible():  # folded until the card above it is answered
        visit.page.get_by_role("button", name="Show it anyway").first.click()
    output.scroll_into_view_if_needed()
    return output


def texts(output):
    return {text.strip() for text in output.locator("svg text").all_text_contents()}


def captions(output):
    return output.locator("figcaption").all_inner_texts()
