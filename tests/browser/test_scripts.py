"""Text of many kinds on the screen: pieces of words, scripts from right to left, emoji."""

from __future__ import annotations

import base64
import io

import numpy as np
from expected import frames, picture
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from lab import eventually
from playwright.sync_api import expect
from widget_page import Widget

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, Recording

EDGE, TOP, ROW = 12, 6, 19
PAPER = (255, 255, 255)
ARABIC = "مرحبا بالعالم، هذا نص 42 و English"
HEBREW = "שלום עולם"


def recording_of(tokens, value=1.0):
    grid = np.empty((1, len(tokens)), object)
    grid[0] = list(tokens)
    values = np.full((1, len(tokens), 2), value, np.float32)
    return Recording.from_layers(
        [RecordedLayer("lstm", "LSTM", {"hidden_state": values}, tokens=grid)]
    )


class Shown(Widget):
    scrolling = ".lw-text"

    def boxes(self, line=0):
        """Where the boxes of a line begin and end."""
        frames(self.frame)
        y = TOP + line * (ROW + 2) + 1
        row = picture(self.canvas)[y, :, :3]
        coloured = np.flatnonzero(np.diff((row != PAPER).any(axis=1), prepend=0, append=0))
        return coloured.reshape(-1, 2)

    def timestep(self, timestep):
        field = self.control("timestep number")
        eventually(lambda: int(field.input_value()), timestep)


def test_pieces_of_a_word_are_joined_and_each_is_a_span(open_page):
    tokens = ["the", "un", "##want", "##ed", "[UNK]", "con", "##duct", "##or"]
    shown = Shown(open_page(lw.TextHeatmap(recording_of(tokens), timestep=7)), 0)
    # A hair within a word, the room of a letter between two; the selected one has a frame around.
    boxes = shown.boxes()
    gaps = boxes[1:, 0] - boxes[:-1, 1]
    assert gaps[:6].tolist() == [8, 1, 1, 8, 8, 1]
    shown.click(int(boxes[2].mean()), TOP + 8)
    shown.timestep(2)
    expect(shown.status).to_contain_text("t=2 '##want' ·")
    # Of letters for bytes the space is part of the span.
    tokens = ["The", "Ġcat", "s", "Ġsat"]
    shown = Shown(open_page(lw.TextHeatmap(recording_of(tokens), timestep=3)), 0)
    boxes = shown.boxes()
    assert (boxes[1:, 0] - boxes[:-1, 1])[:2].tolist() == [1, 1]
    widths = boxes[:, 1] - boxes[:, 0]
    assert np.abs(widths[:3] - np.array([3, 4, 1]) * widths[0] / 3).max() <= 1
    shown.frame.press("ArrowLeft")
    shown.frame.press("ArrowLeft")
    expect(shown.status).to_contain_text("t=1 'Ġcat' ·")


#: A line as the browser writes it by itself: how light each pixel is.
WRITTEN = """([text, width, height]) => {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, {width, height});
  const context = canvas.getContext("2d");
  const mono = getComputedStyle(document.querySelector(".lw")).getPropertyValue("--lw-mono");
  context.fillRect(0, 0, width, height);
  context.fillStyle = "#fff";
  context.font = `13px ${mono}`;
  context.direction = "rtl";
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.fillText(text, 0, height / 2 + 0.5);
  const { data } = context.getImageData(0, 0, width, height);
  return Array.from({length: width * height}, (_, i) => data[4 * i] / 255);
}"""


def test_arabic_letters_are_joined_and_run_from_the_right(open_page):
    saved = open_page(lw.TextHeatmap(recording_of(ARABIC), timestep=len(ARABIC) - 1))
    shown = Shown(saved, 0)
    ((left, right),) = shown.boxes()[-1:]
    assert right == shown.size[0] - EDGE
    # The frame around the last, at the left end, hides some of the box before it.
    left = int(shown.boxes()[0, 0])
    width = int(right) - left
    text = picture(shown.canvas)[TOP : TOP + ROW, left:right, :3].astype(float)
    background = text[1, -2]
    drawn = (np.abs(text - background) / np.abs(255 - background)).mean(axis=2).clip(0, 1)
    alone = np.reshape(saved.page.evaluate(WRITTEN, [ARABIC, width + 2, ROW]), (ROW, -1))[:, :width]
    # The same picture, but for the frame.
    clear = slice(20, width)
    best = max(
        np.corrcoef(np.roll(drawn, by, axis=1)[:, clear].ravel(), alone[:, clear].ravel())[0, 1]
        for by in (-2, -1, 0, 1, 2)
    )
    assert best > 0.9
    # The first letter stands at the right end; the next is left of it.
    shown.click(int(right) - 3, TOP + 8)
    shown.timestep(0)
    shown.frame.press("ArrowLeft")
    shown.timestep(1)
    shown.frame.press("End")
    shown.timestep(len(ARABIC) - 1)
    shown.frame.press("ArrowRight")
    shown.timestep(len(ARABIC) - 2)
    # English and numbers within run their own way.
    box = shown.frame.bounding_box()
    first, last = (ARABIC.index(letter) for letter in "Eh")
    seen = []
    for x in range(left + 4, int(right), 4):
        saved.page.mouse.move(box["x"] + x, box["y"] + TOP + 8)
        frames(shown.frame)
        seen.append(int(shown.status.inner_text().split("t=")[1].split(" ")[0]))
    assert seen.index(first) < seen.index(last) < seen.index(0)


def test_words_stand_in_the_order_of_their_script(open_page):
    words = [*HEBREW.split(), "and", "more", "שוב"]
    shown = Shown(open_page(lw.TextHeatmap(recording_of(words), timestep=4)), 0)
    boxes = shown.boxes()
    assert boxes[-1, 1] == shown.size[0] - EDGE
    # From the right: two words, then English from its own left, and the last.
    for box, timestep in zip(boxes[::-1], (0, 1, 3, 2), strict=False):
        shown.click(int(box.mean()), TOP + 8)
        shown.timestep(timestep)


def colour_font():
    """A font with one emoji, a green square."""
    pen = TTGlyphPen(None)
    for k, point in enumerate([(100, 0), (100, 700), (900, 700), (900, 0)]):
        (pen.moveTo if k == 0 else pen.lineTo)(point)
    pen.closePath()
    square = pen.glyph()
    empty = TTGlyphPen(None).glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "face", "square"])
    builder.setupCharacterMap({0x1F642: "face"})
    builder.setupGlyf({".notdef": empty, "face": square, "square": square})
    builder.setupHorizontalMetrics(dict.fromkeys((".notdef", "face", "square"), (1000, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Faces", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.setupCPAL([[(0.0, 0.8, 0.0, 1.0)]])
    builder.setupCOLR({"face": [("square", 0)]})
    data = io.BytesIO()
    builder.save(data)
    return base64.b64encode(data.getvalue()).decode()


FACES = """async (data) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  document.fonts.add(await new FontFace("Faces", bytes).load());
  document.querySelector(".lw").style.setProperty("--lw-mono", "Faces, monospace");
  document.body.classList.add("faces");
}"""
GREEN = (0, 204, 0)


def test_emoji_keep_their_colours_on_every_square(open_page):
    recording = recording_of(["a", "🙂", "b"])
    for widget, scrolling, count in (
        (lw.CellGrid(recording), ".lw-grid", 2),
        (lw.TextHeatmap(recording, cell=0), ".lw-text", 1),
    ):
        saved = open_page(widget)
        shown = Shown.__new__(type("Some", (Shown,), {"scrolling": scrolling}))
        shown.__init__(saved, 0)
        saved.page.evaluate(FACES, colour_font())

        def green(shown=shown):
            frames(shown.frame)
            return (
                np.abs(picture(shown.canvas)[:, :, :3].astype(int) - GREEN).max(axis=2) < 3
            ).sum()

        # A square of about 9 by 8 pixels in each row.
        eventually(lambda count=count, green=green: green() > 50 * count, True)


def test_a_page_from_right_to_left_changes_nothing_within(open_page):
    saved = open_page(lw.CellGrid(recording_of("some text and more of it" * 9), cell=1, timestep=9))
    shown = Shown.__new__(type("Grid", (Shown,), {"scrolling": ".lw-grid"}))
    shown.__init__(saved, 0)

    def places():
        frames(shown.frame)
        return shown.root.evaluate(
            """root => [...root.querySelectorAll("*")].map(e => {
              const [a, b] = [root, e].map(x => x.getBoundingClientRect());
              return [Math.round(b.left - a.left), Math.round(b.width)];
            })"""
        )

    shown.scroll(left=300)
    before, seen = places(), picture(shown.canvas)
    saved.page.evaluate("document.documentElement.dir = 'rtl'")
    saved.page.set_viewport_size({"width": 1200, "height": 900})
    saved.page.set_viewport_size({"width": 1280, "height": 900})
    eventually(places, before)
    assert shown.scrolled[0] == 300
    eventually(lambda: np.array_equal(picture(shown.canvas), seen), True)
    shown.frame.press("ArrowRight")
    expect(shown.status).to_contain_text("t=10 ")
