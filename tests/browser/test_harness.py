"""The harness itself: both directions between a widget and its page, and each of its handles."""

from __future__ import annotations

import pytest
from lab import CellError, eventually, pixel
from playwright.sync_api import expect
from ready import STATE

WIDGET = """
import anywidget
import traitlets


class Counter(anywidget.AnyWidget):
    _esm = '''
    function render({ model, el }) {
      const button = document.createElement("button");
      const canvas = document.createElement("canvas");
      canvas.width = 80; canvas.height = 40;
      canvas.style.width = "40px"; canvas.style.height = "20px";
      const context = canvas.getContext("2d");
      const show = () => {
        button.textContent = `count ${model.get("count")}`;
        context.fillStyle = "rgb(255, 0, 0)"; context.fillRect(0, 0, 40, 40);
        context.fillStyle = `rgb(0, ${model.get("count")}, 255)`; context.fillRect(40, 0, 40, 40);
      };
      button.addEventListener("click", () => {
        model.set("count", model.get("count") + 1);
        model.save_changes();
      });
      model.on("change:count", show);
      show();
      el.append(button, canvas);
    }
    export default { render };
    '''
    count = traitlets.Int(0).tag(sync=True)


counter = Counter()
counter
"""


def test_widget_and_python_reach_each_other(open_notebook):
    notebook = open_notebook([WIDGET])
    notebook.run_all()
    button = notebook.output(0).locator("button")
    expect(button).to_have_text("count 0")

    button.click()
    expect(button).to_have_text("count 1")
    eventually(lambda: notebook.kernel.value("counter.count"), 1)

    notebook.kernel.run("counter.count = 41")
    expect(button).to_have_text("count 41")

    canvas = notebook.output(0).locator("canvas")
    assert pixel(canvas, 19, 10) == (255, 0, 0, 255)
    assert pixel(canvas, 21, 10) == (0, 41, 255, 255)
    assert notebook.outside == []


def test_reload_keeps_the_kernel_and_restart_empties_it(open_notebook):
    notebook = open_notebook([WIDGET])
    notebook.run_all()
    notebook.kernel.run("counter.count = 7")
    notebook.reload()
    expect(notebook.output(0).locator("button")).to_have_text("count 7")

    notebook.restart()
    assert notebook.kernel.value("'counter' in globals()") is False
    notebook.run(0)
    expect(notebook.output(0).locator("button")).to_have_text("count 0")


def test_errors_carry_their_traceback(open_notebook):
    notebook = open_notebook(["1 + 1", "1 / 0"])
    notebook.run(0)
    assert notebook.outputs(0)[0]["data"]["text/plain"] == "2"
    with pytest.raises(CellError, match="ZeroDivisionError: division by zero"):
        notebook.run_all()
    with pytest.raises(CellError, match="NameError"):
        notebook.kernel.value("nothing_of_that_name")
    with pytest.raises(CellError, match="KeyError"):
        notebook.kernel.run("{}['missing']")


def test_theme_and_added_cells(open_notebook):
    notebook = open_notebook([""])
    colour = "getComputedStyle(document.body).getPropertyValue('--jp-layout-color0')"
    notebook.theme("dark")
    dark = notebook.page.evaluate(colour)
    notebook.theme("light")
    assert notebook.page.evaluate(colour) != dark

    index = notebook.add("answer = 42")
    notebook.run(index)
    assert notebook.kernel.value("answer") == 42


#: Each leaves something in a page, and takes it away again.
LEFT = (
    ("window.left = 1", "delete window.left"),
    ("document.body.style.zoom = '1.5'", "document.body.style.zoom = ''"),
    ("document.body.classList.add('left')", "document.body.classList.remove('left')"),
    (
        "document.body.insertAdjacentHTML('beforeend', '<p class=jp-Dialog>')",
        "document.body.lastChild.remove()",
    ),
)


def test_a_page_serves_the_next_notebook_unless_something_is_left_in_it(server, kernels, pages):
    sessions = []

    def opened(number):
        name = server.write(f"served-{number}.ipynb", ["answer = 42"])
        sessions.append(kernels.serve(name))
        return pages.open(pages.notebook(name, "lab"))

    first = opened(0)
    first.run_all()
    state = first.page.evaluate(STATE)
    for leave, take_away in LEFT:
        first.page.evaluate(leave)
        assert first.page.evaluate(STATE) != state, leave
        first.page.evaluate(take_away)
        assert first.page.evaluate(STATE) == state, take_away
    first.page.set_viewport_size({"width": 700, "height": 500})
    first.theme("dark")
    pages.close(first, failed=False)

    second = opened(1)
    assert second.page is first.page
    assert second.state()["cells"] == [["code", "answer = 42", None]]
    assert second.kernel.value("'answer' in globals()") is False
    assert second.page.viewport_size == {"width": 1280, "height": 900}
    assert second.page.evaluate("document.body.dataset.jpThemeLight") == "true"
    second.page.evaluate("window.left = 1")
    pages.close(second, failed=False)
    assert second.page.is_closed()

    third = opened(2)
    third.theme("dark")
    kept = list(server.settings.rglob("themes.jupyterlab-settings"))
    assert len(kept) == 1
    pages.close(third, failed=True)
    assert third.page.is_closed()
    # The theme that it chose went with it.
    assert not kept[0].exists()
    for session in sessions:
        kernels.end(session)
