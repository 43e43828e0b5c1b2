"""What is seen is taken along: as an image, and as text that makes it again in Python."""

from __future__ import annotations

import io

import numpy as np
import pytest
import recordings
from lab import eventually
from PIL import Image
from playwright.sync_api import expect

import lstm_widgets as lw

SEEN = """root => {
  const hidden = ".lw-bar, .lw-sliders, .lw-spoken, dialog";
  const boxes = [...root.children].filter(one => !one.matches(hidden))
    .map(one => one.getBoundingClientRect()).filter(box => box.height > 0);
  const top = Math.min(...boxes.map(box => box.top));
  const {left, width} = root.getBoundingClientRect();
  return {x: left, y: top, width, height: Math.max(...boxes.map(box => box.bottom)) - top};
}"""


def finder():
    recording = recordings.planted()
    said = [lw.concepts.vowel, lw.concepts.whitespace]
    return lw.CellFinder(recording, said, ranking=lw.rank_cells(recording, said, shifts=20))


@pytest.mark.parametrize(
    ("make", "scheme"),
    [
        (lambda: lw.CellGrid(recordings.sums(), cell=22, example=3, timestep=1), "light"),
        (finder, "dark"),
    ],
)
def test_the_image_is_what_is_on_the_screen(open_page, make, scheme):
    saved = open_page(make(), scheme=scheme)
    root = saved.output(0).locator(".lw")
    expect(root.locator("canvas").first).to_be_visible()
    button = root.get_by_role("button", name="save what is seen as PNG")
    button.focus()
    eventually(lambda: root.get_attribute("aria-busy"), "false")
    with saved.page.expect_download() as waiting:
        saved.page.keyboard.press("Enter")
    path = waiting.value.path()
    assert waiting.value.suggested_filename in ("cell-grid.png", "cell-finder.png")
    expect(root.locator(".lw-spoken")).to_contain_text("saved")
    eventually(lambda: "saved" in root.locator(".lw-status").inner_text(), False)
    found = np.asarray(Image.open(path).convert("RGB")).astype(int)
    box = root.evaluate(SEEN)
    screen = saved.page.screenshot(full_page=True, clip=box)
    wanted = np.asarray(Image.open(io.BytesIO(screen)).convert("RGB")).astype(int)
    assert abs(found.shape[0] - wanted.shape[0]) <= 2
    assert abs(found.shape[1] - wanted.shape[1]) <= 2
    high, wide = np.minimum(found.shape[:2], wanted.shape[:2])
    off = np.abs(found[:high, :wide] - wanted[:high, :wide]).max(axis=2)
    # Edges of letters may be smoothed in another way, and arrows of menus are the browser's own.
    assert (off < 40).mean() > 0.94
    assert len(np.unique(found.reshape(-1, 3), axis=0)) > 50


def test_the_text_makes_the_same_widget_in_python(open_page):
    recording = recordings.sums()
    saved = open_page(lw.CellGrid(recording, cell=22, example=3, timestep=1, scale=(-0.5, 0.5)))
    saved.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    root = saved.output(0).locator(".lw")
    expect(root).to_have_attribute("aria-busy", "false")
    root.get_by_label("cell", exact=True).first.fill("7")
    root.get_by_role("button", name="copy the selected value").click()
    expect(root.locator(".lw-spoken")).to_have_text("copied")
    text = saved.page.evaluate("navigator.clipboard.readText()")
    *said, code = text.splitlines()
    assert said[0].startswith("# Cell grid: ")
    assert "t=1" in said[0]
    value = recording["lstm"].hidden_state.values[3, 1, 7]
    assert np.float32(said[1].removeprefix("# ")) == value
    assert code.startswith('lw.CellGrid(recording, layer="lstm", signal="hidden_state", ')
    made = eval(code, {"lw": lw, "recording": recording})
    assert (made.cell, made.example, made.timestep, made.scale) == (7, 3, 1, (-0.5, 0.5))
    assert len(code) < 140  # what is as usual isn't told
