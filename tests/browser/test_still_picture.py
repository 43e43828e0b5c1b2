"""The still picture beside a widget, in a real JupyterLab: live where scripts run, seen where they don't."""

from __future__ import annotations

import base64
import io

import nbformat
import numpy as np
import recordings
from lab import eventually
from PIL import Image
from playwright.sync_api import expect

from lstm_widgets.colours import Colours
from lstm_widgets.figures.columns import GUTTER

GRID = "grid = lw.CellGrid(sums(), cell=22, example=3, timestep=1)\ngrid"
PNG, VIEW = "image/png", "application/vnd.jupyter.widget-view+json"


def test_the_widget_is_live_and_its_picture_is_in_the_notebook(show, open_notebook):
    notebook = show(GRID)
    expect(notebook.output(1).locator(".lw canvas").first).to_be_visible()
    assert notebook.output(1).locator("img").count() == 0
    (output,) = notebook.outputs(1)
    assert set(output["data"]) == {PNG, VIEW, "text/plain"}
    picture = Image.open(io.BytesIO(base64.b64decode(output["data"][PNG])))
    values = recordings.sums()["lstm"].hidden_state.values.reshape(-1, 40)
    largest = np.abs(values).max(axis=0)
    expected = Colours("hidden_state", float(largest.max())).pixels(values[16, 22], largest[22])
    # The second timestep of the fourth example: 15 pixels a square, 6 between examples.
    x, y = GUTTER + 3 * (5 * 15 + 6) + 15, 1 + 18 + 20 + 22 * 15
    found = picture.convert("RGB").getpixel((x + 7, y + 7))
    assert np.abs(np.subtract(found, expected.astype(int))).max() <= 4

    # A viewer that doesn't trust the notebook runs nothing in it, and shows the picture.
    notebook.save()
    path = notebook.server.root / notebook.name
    saved = nbformat.read(path, 4)
    saved.metadata.pop("widgets", None)
    saved.cells.append(nbformat.v4.new_markdown_cell("From someone else."))
    for cell in saved.cells:
        cell.metadata.pop("trusted", None)
    copied = path.with_name("someone-elses.ipynb")
    nbformat.write(saved, copied)
    other = open_notebook(copied)
    image = other.output(1).locator("img")
    expect(image).to_be_visible()
    natural = "image => [image.naturalWidth, image.naturalHeight]"
    eventually(lambda: tuple(image.evaluate(natural)), picture.size)
    assert other.errors == []
    assert other.outside == []
