"""TextHeatmap in a real JupyterLab: the text as it was written, painted and touched."""

from __future__ import annotations

import re

import numpy as np
import recordings
from expected import Look, frames, picture
from lab import eventually
from playwright.sync_api import expect
from widget_page import Widget, number

PROSE = "recording = prose()\ngrid = lw.TextHeatmap(recording, cell=3, timestep=20)\ngrid"

#: Lengths in the page, in pixels.
EDGE, TOP, ROW, SEAM, CHARACTER = 12, 6, 19, 1, 8
#: Between two lines; between two blocks of rows.
APART, FURTHER_APART = 2, 9


def wrapped(text, width):
    """Where characters stand: line and place in it, for a text of newlines, spaces and short words."""
    room = width // CHARACTER
    places = []
    line = -1
    for paragraph in text.splitlines(keepends=True):
        line, used = line + 1, 0
        for word in re.findall(r"\S*\s", paragraph):
            # White space may stand in the last place, nothing else.
            if used and used + len(word) > room:
                line, used = line + 1, 0
            places += [(line, used + i) for i in range(len(word))]
            used += len(word)
    return np.array(places)


class Text(Widget):
    """The text heatmap of one layer, whose tokens are characters."""

    scrolling = ".lw-text"

    def __init__(self, notebook, index, dataset, **more):
        super().__init__(notebook, index, **more)
        self.values = dataset["hidden_state"].values.astype(float)
        self.tokens = dataset["token"].values

    def places(self, *, example=0, cells=1, shift=0):
        """Upper left corners of the boxes of all timesteps, in the first row of their line."""
        gutter = 7 * len(str(self.values.shape[2] - 1)) + 10 if cells > 1 else 0
        text = "".join(self.tokens[example])
        line, place = wrapped(text, self.size[0] - 2 * EDGE - gutter)[shift:].T
        pitch = cells * (ROW + SEAM) - SEAM + (FURTHER_APART if cells > 1 else APART)
        return EDGE + gutter + place * CHARACTER, TOP + line * pitch - self.scrolled[1]

    def check(self, look, *cells, example=0, shift=0):
        """Compare all boxes in view with what their values are drawn like."""
        x, y = self.places(example=example, cells=len(cells), shift=shift)
        seen = (y >= 0) & (y + len(cells) * (ROW + SEAM) <= self.size[1])
        assert seen.sum() > 100
        largest = np.abs(self.values).max(axis=(0, 1))
        for row, cell in enumerate(cells):
            drawn = self.values[example, : len(x), cell].copy()
            # What the page has may lie on the other side of the threshold by half a step.
            near = np.abs(np.abs(drawn) - look.threshold) < largest[cell] / 252
            keep = seen & ~(near & (look.threshold > 0))
            low, high = look.colours(drawn[keep], largest[cell], largest.max())
            top = y[keep] + row * (ROW + SEAM) + 2
            selected = np.arange(len(x))[keep] == self.get("timestep")
            inside = ~selected
            self.paints(self.canvas, (x[keep] + 3)[inside], top[inside], low[inside], high[inside])

    def says(self, cell, timestep, *, example=0):
        token = {" ": " ", "\n": "⏎"}.get(*[self.tokens[example, timestep]] * 2)
        expect(self.status).to_have_text(
            f"lstm · cell {cell} · example {example} · t={timestep} '{token}' · "
            f"hidden_state {number(self.values[example, timestep, cell])}"
        )

    def click_token(self, timestep, *, cells=1, row=0):
        x, y = self.places(cells=cells)
        self.click(float(x[timestep] + 4), float(y[timestep] + row * (ROW + SEAM) + 8))


def test_text_is_painted_as_it_was_written(show):
    notebook = show(PROSE)
    text = Text(notebook, 1, recordings.prose()["lstm"])
    text.check(Look(), 3)
    text.says(3, 20)
    for look in (Look(palette="blue_white_red_20", scale="sigmoid"), Look(threshold=0.4)):
        text.set(palette="auto" if look.threshold else look.palette, scale=look.scale)
        text.set(threshold=look.threshold)
        text.check(look, 3)
    text.set(threshold=0.0)

    # Letters stand on every box but those of spaces and newlines, which show as marks on request.
    def inked():
        frames(text.frame)
        image = picture(text.canvas)
        x, y = text.places()
        boxes = [
            image[b + 2 : b + 17, a + 1 : a + 7] for a, b in zip(x[:150], y[:150], strict=True)
        ]
        return [len(np.unique(box.reshape(-1, 3), axis=0)) > 2 for box in boxes]

    notebook.page.mouse.move(5, 5)
    blank = np.array([token in " \n" for token in text.tokens[0][:150]])
    blank[20] = False  # is framed
    eventually(inked, (~blank).tolist())
    text.control("marks").check()
    text.becomes(marks=True)
    eventually(inked, [True] * 150)
    text.control("marks").uncheck()

    # Another example is another text.
    text.set(example=1)
    text.check(Look(), 3, example=1)
    text.set(example=0)

    # Several cells, line by line, also where no cell is selected among them.
    text.set(cells=(7, 3, 11))
    text.check(Look(), 7, 3, 11)
    expect(text.root.locator(".lw-caption b")).to_have_text("cells 7, 3, 11")
    text.set(cell=5, scale="cell")
    text.check(Look(scale="cell"), 5, 7, 3, 11)
    text.set(cells=(), scale="layer")
    text.check(Look(), 5)

    notebook.theme("dark")
    expect(text.root).to_have_attribute("data-theme", "dark")
    text.check(Look(palette="berlin"), 5)
    assert tuple(picture(text.canvas)[2, 2]) == text.paper


def test_a_state_stands_on_the_token_that_it_predicts(show):
    text = Text(show(PROSE), 1, recordings.prose()["lstm"])
    text.control("token").select_option("predict")
    text.becomes(align="predict")
    text.check(Look(), 3, shift=1)
    # Nothing stands before the first token.
    image = picture(text.canvas)
    assert tuple(image[TOP + 2, EDGE + 3]) == text.paper
    expect(text.status).to_have_text(re.compile(r" · t=20 → ' ' · "))
    text.click_token(0)
    text.becomes(timestep=20)
    text.click_token(31)
    text.becomes(timestep=30)
    text.frame.press("Control+End")
    last = len(text.tokens[0]) - 1
    text.becomes(timestep=last)
    # The last state predicts what is not known.
    frames(text.frame)
    expect(text.status).to_have_text(re.compile(rf" · t={last} · "))
    text.frame.hover(position={"x": EDGE + 4, "y": text.size[1] - APART - 9})
    expect(text.frame).to_have_attribute("title", "what comes next is not known")


def test_keys_hover_click_and_drag(show):
    notebook = show(PROSE)
    text = Text(notebook, 1, recordings.prose()["lstm"])
    x, y = text.places()
    top = text.scrolled[1]

    def at(line, near):
        """The timestep whose box in a line is nearest to a place."""
        there = np.flatnonzero(y + top == TOP + line * (ROW + APART))
        return int(there[np.argmin(np.abs(x[there] + CHARACTER / 2 - near))])

    count = len(x)
    middle = x[20] + CHARACTER / 2
    lines = int((y + top).max() - TOP) // (ROW + APART)
    for key, timestep in (
        ("ArrowRight", 21),
        ("ArrowLeft", 20),
        ("ArrowDown", at(1, middle)),
        ("ArrowDown", at(2, middle)),
        # Through lines that are too short, one comes back to where one was.
        ("ArrowDown", at(3, middle)),
        ("ArrowUp", at(2, middle)),
        ("ArrowUp", at(1, middle)),
        ("Home", at(1, 0)),
        ("ArrowUp", 0),
        ("ArrowUp", 0),
        ("ArrowLeft", 0),
        ("End", at(0, 1e6)),
        ("Control+End", count - 1),
        ("ArrowRight", count - 1),
        ("ArrowDown", count - 1),
        ("ArrowUp", at(lines - 1, x[-1] + CHARACTER / 2)),
        ("Control+Home", 0),
        ("b", 0),
        ("d", 0),
    ):
        text.frame.press(key)
        text.becomes(timestep=timestep)
        text.says(3, timestep)
    text.frame.press("PageDown")
    eventually(lambda: text.get("timestep") > at(3, 0), True)
    text.frame.press("PageUp")
    text.becomes(timestep=0)

    for key, cell in (("]", 4), ("]", 5), ("[", 4)):
        text.frame.press(key)
        text.becomes(cell=cell)
    text.frame.press("p")
    text.becomes(cells=[4])
    expect(text.root.locator(".lw-pin")).to_have_text("unpin cell 4")
    text.frame.press("]")
    text.becomes(cell=5)
    text.root.locator(".lw-pin").click()
    text.becomes(cells=[4, 5])
    # A row's number selects its cell, and so does a token in the row.
    text.click(EDGE + 4, TOP + 8)
    text.becomes(cell=4, timestep=0)
    text.click_token(10, cells=2, row=1)
    text.becomes(cell=5, timestep=10)
    text.frame.press("p")
    text.becomes(cells=[4])
    text.frame.press("[")
    text.frame.press("p")
    text.becomes(cells=[], cell=4)

    # Under the pointer something is told, and nothing selected.
    x, y = text.places()
    box = text.frame.bounding_box()
    mouse = notebook.page.mouse
    to = [(box["x"] + float(x[t]) + 4, box["y"] + float(y[t]) + 9) for t in range(60)]
    mouse.move(*to[33])
    text.says(4, 33)
    mouse.move(5, 5)
    text.says(4, 10)
    text.becomes(timestep=10)
    mouse.move(*to[12])
    mouse.down()
    mouse.move(*to[40], steps=5)
    text.becomes(timestep=40)
    mouse.move(*to[44])
    mouse.up()
    text.becomes(timestep=44)
    mouse.move(*to[50])
    text.says(4, 50)
    text.becomes(timestep=44)
