"""Notebooks that were saved, as pages without a kernel and without a network: live where they are asked to be."""

from __future__ import annotations

import re
from contextlib import ExitStack
from functools import partial

import nbformat
import pytest
from host import NAMES, SETUP, watched
from lab import eventually, settled
from looks import control_of, faint, painted
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from playwright.sync_api import expect
from samples import BOXED
from sphinx.cmd.build import build_main as sphinx_build

#: What the templates ask for themselves, with or without a widget in the page.
OWN = (
    "https://cdnjs.cloudflare.com/ajax/libs/require.js/",
    "https://cdnjs.cloudflare.com/ajax/libs/mathjax/",
)
#: Of boxes only what stands in them has pages.
SHOWN = [name for name in NAMES if name != BOXED]
OUTPUT = ".jp-OutputArea-output"
#: What is seen of an output: letters, or a picture that has come.
SEEN = """output => output.innerText.trim().length > 0 ||
  [...output.querySelectorAll("img")].some((image) => image.complete && image.naturalWidth > 8)"""


def nbconvert(notebook, folder):
    """Make a page of a notebook as ``jupyter nbconvert --to html`` does."""
    path = folder / "notebook.html"
    path.write_text(HTMLExporter().from_notebook_node(notebook)[0], "utf-8")
    return path


def myst(notebook, folder):
    """Make a site of a notebook as Jupyter Book 1 and other sites of MyST-NB do, by Sphinx."""
    source = folder / "source"
    source.mkdir()
    nbformat.write(notebook, source / "index.ipynb")
    options = {"extensions": "myst_nb", "nb_execution_mode": "off"}
    given = [f"-D{name}={value}" for name, value in options.items()]
    arguments = [*given, "-C", "-q", "-W", "-b", "html", str(source), str(folder / "site")]
    assert sphinx_build(arguments) == 0
    return folder / "site" / "index.html"


def open_converted(page, path):
    page.page.goto(path.as_uri())
    return page


@pytest.fixture(scope="module", params=[nbconvert, myst])
def page(request, browser, saved, tmp_path_factory):
    """Give what becomes of it on the web."""
    with watched(browser) as opened:
        yield open_converted(opened, request.param(saved, tmp_path_factory.mktemp("web")))


@pytest.fixture(scope="module")
def saved():
    """Give a saved notebook in which each sample was shown as a page."""
    setup = f"{SETUP}\nimport lstm_widgets as lw\n\nlw.show_as('page')"
    cells = [setup, *(f"shown[{name!r}].shown" for name in SHOWN)]
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))
    client = NotebookClient(notebook, timeout=120, kernel_name="python3")
    client.store_widget_state = False  # as JupyterLab saves
    client.execute()
    return notebook


def root_of(page, name):
    frame = page.page.locator("iframe").nth(SHOWN.index(name))
    frame.scroll_into_view_if_needed()  # it is opened once it is seen
    root = frame.content_frame.locator(".lw").first
    expect(root).to_have_attribute("data-paints", re.compile(r"\d"), timeout=60_000)
    settled(root)
    return root


@pytest.mark.parametrize("name", SHOWN)
def test_a_page_in_an_output_is_live(page, name):
    root = root_of(page, name)
    eventually(lambda: painted(root), True)
    control, trait = control_of(root)
    before, paints = control.input_value(), root.get_attribute("data-paints")
    control.focus()
    if trait == "palette":
        control.select_option("berlin")
    else:
        control.press("End" if control.get_attribute("max") != before else "Home")
    assert control.input_value() != before
    eventually(lambda: root.get_attribute("data-paints") != paints, True)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_can_be_read(page, theme):
    page.page.emulate_media(color_scheme=theme)
    found = {}
    for name in SHOWN:
        root = root_of(page, name)
        expect(root).to_have_attribute("data-theme", theme)
        found[name] = faint(root, theme)
    assert found == {name: {} for name in SHOWN}


def test_frames_may_run_scripts_and_no_more_and_ask_nobody(page):
    frames = page.page.locator("iframe").all()
    assert [frame.get_attribute("sandbox") for frame in frames] == ["allow-scripts"] * len(SHOWN)
    for name in SHOWN:
        root_of(page, name)
    assert [url for url in page.outside if not url.startswith(OWN)] == []
    assert page.errors == []


def test_shipped_notebooks_have_no_blank_output(browser, root, tmp_path):
    paths = sorted((root / "notebooks").glob("*.ipynb"))
    assert paths
    for path in paths:
        notebook = nbformat.read(path, 4)
        with ExitStack() as stack:
            opened = open_converted(
                stack.enter_context(watched(browser)), nbconvert(notebook, tmp_path)
            )
            outputs = opened.page.locator(OUTPUT).all()
            left = sum(len(cell.get("outputs", [])) for cell in notebook.cells)
            assert len(outputs) == left > 0, path.name
            blank = f"outputs => outputs.filter((each) => !({SEEN})(each)).map((each) => each.outerHTML.slice(0, 200))"
            eventually(partial(opened.page.locator(OUTPUT).evaluate_all, blank), [])
            assert [url for url in opened.outside if not url.startswith(OWN)] == []
