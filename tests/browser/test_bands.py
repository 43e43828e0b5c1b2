"""Concept tracks in a real JupyterLab and in a saved page: bands under the tokens, by their pixels."""

from __future__ import annotations

import numpy as np
import recordings
from expected import picture
from lab import eventually
from playwright.sync_api import expect
from test_cell_grid import GUTTER, LABELS, SQUARE, TOKENS
from test_text_heatmap import CHARACTER, EDGE, ROW, TOP, Text

import lstm_widgets as lw

#: Of a band under a line of text, and in the head of columns: from one to the next.
UNDER, ABOVE = 5, 10
#: From a line to the next one, with two tracks.
PITCH = ROW + 2 * UNDER + 9
GREEN, PLUM = (0, 143, 112), (122, 31, 120)
SHOWN = """recording = written_signals()
import numpy as np
shape = recording["lstm"].sizes["example"], recording["lstm"].sizes["timestep"]
odd = np.arange(shape[0] * shape[1]).reshape(shape) % 3 == 1
depth = np.arange(shape[0] * shape[1]).reshape(shape) % 5 / 2
depth[:, 7] = np.nan
grid = lw.Explorer(recording, cell=3, timestep=20, tracks={"third": odd, "depth": depth})
grid"""


def mixed(hue, share):
    """A colour on white paper."""
    return tuple(int(255 + (channel - 255) * share + 0.5) for channel in hue)


THIRD = {True: GREEN, False: mixed(GREEN, 0.1)}


def depth_colour(column):
    if column % 1059 == 7:
        return (255, 255, 255)
    return mixed(PLUM, 0.22 + 0.78 * (column % 5) / 4)


def bands_of_text(text, count, *, rows=2):
    """What is under each of the first tokens, which all stand in the first line."""
    image = picture(text.canvas)
    x = EDGE + np.arange(count) * CHARACTER + CHARACTER // 2
    y = TOP + ROW + 1 + 2 - int(text.scrolled[1])
    return [[tuple(map(int, image[y + row * UNDER, at])) for at in x] for row in range(rows)]


def bands_of_columns(canvas, width, count):
    image = picture(canvas)
    y = LABELS + TOKENS + 4
    x = GUTTER + np.arange(count) * width + width // 2
    return [[tuple(map(int, image[y + row * ABOVE, at])) for at in x] for row in range(2)]


def near(found, wanted):
    return all(
        max(abs(a - b) for a, b in zip(one, other, strict=True)) <= 1
        for row, line in zip(found, wanted, strict=True)
        for one, other in zip(row, line, strict=True)
    )


def test_bands_stand_under_the_tokens_of_every_view(show):
    notebook = show(SHOWN)
    recording = recordings.written_signals()
    text = Text(notebook, 1, recording["lstm"])
    grid = text.root.locator(".lw-grid canvas")
    text.set(timestep=40)  # out of the way of what is looked at
    text.scroll(top=0)
    text.root.locator(".lw-grid").evaluate("e => { e.scrollLeft = 0; }")
    third = [THIRD[column % 3 == 1] for column in range(30)]
    wanted = [third, [depth_colour(column) for column in range(30)]]
    eventually(lambda: near(bands_of_text(text, 30), wanted), True)
    eventually(lambda: near(bands_of_columns(grid, SQUARE, 30), wanted), True)

    # The status line says them; aligned to what is predicted, of the token that stands there.
    text.set(timestep=21)
    expect(text.status).to_contain_text("third: no · depth: 0.5000")
    text.set(timestep=7)
    expect(text.status).to_contain_text("third: yes · depth: none")
    text.set(align="predict")
    expect(text.status).to_contain_text("third: no · depth: 1.5000")
    expect(text.status).to_contain_text("→")
    text.set(align="read", timestep=40)

    # Each can be hidden, by a person or by Python; what is hidden takes no room.
    row = text.root.locator(".lw-tracks")
    expect(row).to_contain_text("third")
    expect(row).to_contain_text("0 to 2")
    text.control("third").uncheck()
    text.becomes(hidden_tracks=["third"])
    expect(text.status).not_to_contain_text("third")
    eventually(lambda: near(bands_of_text(text, 30, rows=1), wanted[1:]), True)
    text.set(hidden_tracks=["depth"])
    expect(text.control("depth")).not_to_be_checked()
    expect(text.control("third")).to_be_checked()
    eventually(lambda: near(bands_of_text(text, 30, rows=1), wanted[:1]), True)
    text.set(hidden_tracks=[])

    # Python may change them, and take them away.
    notebook.kernel.run("grid.tracks = {'third': ~odd, 'vowels': '[aeiou]'}")
    expect(row).to_contain_text("vowels")
    expect(row).not_to_contain_text("depth")
    inverse = [THIRD[column % 3 != 1] for column in range(30)]
    eventually(lambda: near(bands_of_text(text, 30, rows=1), [inverse]), True)
    notebook.kernel.run("grid.tracks = None")
    expect(row).to_be_hidden()

    # A dark page has hues of its own.
    notebook.kernel.run("grid.tracks = {'third': odd}")
    notebook.theme("dark")
    expect(text.root).to_have_attribute("data-theme", "dark")
    light = (53, 201, 165)
    eventually(lambda: bands_of_text(text, 2, rows=1)[0][1], light)


def test_a_saved_page_has_them_and_hides_them(open_page):
    recording = recordings.sums()
    said = np.arange(24 * 5).reshape(24, 5) % 2 == 0
    page = open_page(lw.CellGrid(recording, timestep=2, tracks={"<b>even</b>": said}))
    root = page.output(0).locator(".lw")
    expect(root.locator(".lw-tracks")).to_have_text("tracks<b>even</b>")
    expect(root.locator(".lw-status")).to_contain_text("<b>even</b>: yes")
    canvas = root.locator(".lw-grid canvas")

    def band(example, timestep):
        gap, square = 6, SQUARE
        x = GUTTER + example * (5 * square + gap) + timestep * square + square // 2
        return tuple(map(int, picture(canvas)[LABELS + TOKENS + 4, x]))

    # The second example ends after three timesteps: padding has no band.
    wanted = [THIRD[True], THIRD[False], (255, 255, 255), (255, 255, 255)]
    eventually(lambda: [band(0, 0), band(0, 1), band(1, 3), band(1, 4)], wanted)
    root.locator(".lw-tracks input").press("Space")
    expect(root.locator(".lw-status")).not_to_contain_text("even")
    assert page.page.evaluate("window.hacked") is None
