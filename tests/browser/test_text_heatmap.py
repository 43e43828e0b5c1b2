"""TextHeatmap in a real JupyterLab: the text as it was written, painted and touched."""

from __future__ import annotations

import re

import numpy as np
import recordings
from expected import Look, frames, picture, resized
from lab import eventually
from playwright.sync_api import expect
from widget_page import Widget, number

PROSE = "recording = prose()\ngrid = lw.TextHeatmap(recording, cell=3, timestep=20)\ngrid"

#: Lengths in the page, in pixels.
EDGE, TOP, ROW, SEAM, CHARACTER = 12, 6, 19, 1, 8
#: Of the guesses under a line; their boxes are wider.
GUESS_ROW, ABOVE_GUESSES, WIDER = 14, 2, 2
#: Between two lines; between two blocks of rows.
APART, FURTHER_APART = 2, 9


def wrapped(text, width, character=CHARACTER):
    """Where characters stand: line and place in it, for a text of newlines, spaces and short words."""
    room = width // character
    places = []
    line = -1
    for paragraph in text.splitlines(keepends=True):
        line, used = line + 1, 0
        for word in re.findall(r"\S*\s|\S+$", paragraph):
            # White space may stand in the last place, nothing else.
            if used and used + len(word) + (not word[-1].isspace()) > room:
                line, used = line + 1, 0
            places += [(line, used + i) for i in range(len(word))]
            used += len(word)
    return np.array(places)


class Boxes(Widget):
    """A text heatmap of anything."""

    scrolling = ".lw-text"


class Text(Boxes):
    """The text heatmap of one layer, whose tokens are characters."""

    def __init__(self, notebook, index, dataset, **more):
        super().__init__(notebook, index, **more)
        self.values = dataset["hidden_state"].values.astype(float)
        self.tokens = dataset["token"].values
        self.ranks = 0

    def places(self, *, example=0, cells=1, shift=0):
        """Upper left corners of the boxes of all timesteps, in the first row of their line."""
        gutter = 7 * len(str(self.values.shape[2] - 1)) + 10 if cells > 1 else 0
        text = "".join(self.tokens[example])
        character = CHARACTER + (WIDER if self.ranks else 0)
        line, place = wrapped(text, self.size[0] - 2 * EDGE - gutter, character)[shift:].T
        pitch = cells * (ROW + SEAM) - SEAM
        pitch += FURTHER_APART if cells > 1 or self.ranks else APART
        pitch += self.ranks * GUESS_ROW + (ABOVE_GUESSES if self.ranks else 0)
        return EDGE + gutter + place * character, TOP + line * pitch - self.scrolled[1]

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
    expect(text.frame).to_have_attribute("title", "the next token is unknown")


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


def test_guesses_stand_under_their_token_and_the_right_one_is_framed(show):
    notebook = show("grid = lw.TextHeatmap(guessed(), cell=2, timestep=15)\ngrid")
    recording = recordings.guessed()
    text = Text(notebook, 1, recording["lstm"])
    ids = recording.predictions
    tokens = ids["predicted_token"].values[0]
    probability = ids["probability"].values[0].astype(float)
    following = np.append(text.tokens[0][1:], "")
    right = tokens == following[:, None]
    assert 50 < right.sum() < right.shape[0] * 0.8

    def listed(timestep):
        marks = {" ": "·", "\n": "⏎"}
        found = [
            f"{marks.get(token, token)} {number(float(value))}{' ✓' if token == hit else ''}"
            for token, value, hit in zip(
                tokens[timestep], probability[timestep], [following[timestep]] * 3, strict=True
            )
        ]
        if not right[timestep].any() and timestep + 1 < len(tokens):
            target = float(ids["target_probability"].values[0, timestep])
            token = following[timestep]
            found.append(f"{marks.get(token, token)} {number(target)} ✓")
        return found

    # The list of the selected timestep is there without the guesses under the text.
    chips = text.root.locator(".lw-guesses li")
    for timestep in (15, 16, 17, 18, len(tokens) - 1):
        text.set(timestep=timestep)
        eventually(chips.all_text_contents, listed(timestep))
    text.set(timestep=15)
    expect(text.root.locator(".lw-guesses")).to_have_attribute("aria-live", "polite")

    def wrong_guesses(shift, paper, ink):
        frames(text.frame)
        image = picture(text.canvas).astype(int)
        x, y = text.places(shift=shift)
        wrongs = []
        for timestep in range(len(x)):
            for rank in range(3):
                top = int(y[timestep]) + ROW + ABOVE_GUESSES + rank * GUESS_ROW
                if top + GUESS_ROW > image.shape[0]:
                    continue
                share = 0.06 + 0.74 * probability[timestep, rank]
                wanted = paper + (ink - paper) * share
                inside = image[top + 1, int(x[timestep]) + 1]
                border = image[top + GUESS_ROW // 2, int(x[timestep])]
                framed = np.abs(border - wanted).max() > 12 or share > 0.75
                if np.abs(inside - wanted).max() > 1.5 or framed < right[timestep, rank]:
                    wrongs.append((timestep, rank, inside.tolist(), wanted.round(1).tolist()))
                if np.abs(border - wanted).max() > 12 and not right[timestep, rank]:
                    wrongs.append((timestep, rank, "framed"))
        return wrongs[:4]

    text.control("top guesses").check()
    text.becomes(guesses=True)
    text.ranks = 3
    white, black = np.full(3, 255), np.zeros(3)
    expect(text.root.locator(".lw-caption")).to_contain_text("top 3 guesses for the token after it")
    text.check(Look(), 2)
    eventually(lambda: wrong_guesses(0, white, black), [])

    text.set(align="predict")
    expect(text.root.locator(".lw-caption")).to_contain_text("top 3 guesses for this token")
    text.check(Look(), 2, shift=1)
    eventually(lambda: wrong_guesses(1, white, black), [])
    notebook.theme("dark")
    text.check(Look(palette="berlin"), 2, shift=1)
    eventually(lambda: wrong_guesses(1, np.array(text.paper), white), [])


def test_a_book_is_read_where_one_looks(show):
    notebook = show(
        "large = book()\nasked = []\nbig = lw.TextHeatmap(large, cell=2)\n"
        "big.on_msg(lambda _widget, content, _buffers: asked.append(content))\nbig"
    )
    text = Text(notebook, 1, recordings.book()["lstm"], name="big")
    kernel = notebook.kernel
    last = len(text.tokens[0]) - 1
    assert last == 149_999

    def says(timestep):
        token = text.tokens[0][timestep].replace("\n", "⏎")
        value = number(text.values[0, timestep, 2])
        expect(text.status).to_have_text(
            f"lstm · cell 2 · t={timestep} '{token}' · hidden_state {value}"
        )

    def whole():
        _, y = text.places()
        height = text.frame.locator(".lw-spacer").evaluate("e => e.offsetHeight")
        return height == y[-1] + text.scrolled[1] + ROW + APART + TOP

    eventually(whole, True)
    says(0)
    text.check(Look(), 2)
    text.frame.press("Control+End")
    text.becomes(timestep=last)
    says(last)
    text.check(Look(), 2)
    x, y = text.places()
    seen = np.flatnonzero((y >= 0) & (y + ROW < text.size[1]))
    for timestep in seen[[0, 77, -2]]:
        text.frame.hover(position={"x": float(x[timestep]) + 4, "y": float(y[timestep]) + 9})
        says(timestep)
    text.frame.press("Home")
    text.set(threshold=0.5)
    text.check(Look(threshold=0.5), 2)

    # The text came in pieces; of values, only what was in view was asked for.
    asked = kernel.value("asked")
    pieces = [request["text"] for request in asked if request["text"]]
    assert pieces == [[0, 0, 65_536], [0, 65_536, 131_072], [0, 131_072, 150_000]]
    tiles = {(level, block) for request in asked for level, block, _ in request["tiles"]}
    top = range(-(-int((text.places()[1] - text.places()[1][0] < 430).sum()) // 512) + 1)
    bottom = range(seen[0] // 512 - 1, 150_000 // 512 + 1)
    assert tiles <= {(0, block) for block in (*top, *bottom)}
    assert all(cells == [2] for request in asked for *_, cells in request["tiles"])

    # So it is with guesses, and the token that is selected stays in view as lines move.
    text.control("top guesses").check()
    text.becomes(guesses=True)
    text.ranks = 2
    eventually(lambda: any(r["predictions"] for r in kernel.value("asked")), True)
    selected = text.get("timestep")
    eventually(lambda: 0 <= text.places()[1][selected] < text.size[1], True)
    blocks = {block for request in kernel.value("asked") for block in request["predictions"]}
    assert blocks <= {0, *range(seen[0] // 512 - 1, 293)}
    for width in (800, 1600):
        resized(text.root, width)
        eventually(lambda: 0 <= text.places()[1][selected] < text.size[1], True)
        text.check(Look(threshold=0.5), 2)


def test_hostile_and_strange_tokens_are_text(show):
    notebook = show(
        "grid = lw.TextHeatmap(hostile(), cell=1, example=1, cells=(0, 2))\ngrid",
        "strange_one = lw.TextHeatmap(strange(), cell=1)\nstrange_one",
        "none = lw.TextHeatmap(of_shape(1, 0, 3))\nnone",
        "odd_one = lw.TextHeatmap(odd(), cell=1, timestep=1)\nodd_one",
    )
    hostile = Text(notebook, 1, recordings.hostile()[recordings.HOSTILE[0]])
    for name in recordings.HOSTILE:
        hostile.set(layer=name)
        expect(hostile.status).to_have_text(re.compile(re.escape(f"{name} · cell 1 · example 1 ")))
    frames(hostile.frame)
    assert hostile.root.evaluate("root => root.querySelectorAll('img, script').length") == 0
    assert notebook.page.evaluate("window.hacked") is None

    strange = Text(notebook, 2, recordings.strange()["lstm"], name="strange_one")
    for timestep, token in enumerate(recordings.STRANGE):
        expect(strange.status).to_have_text(re.compile(rf"^lstm · cell 1 · t={timestep} '"))
        value = number(strange.values[0, timestep, 1])
        expect(strange.status).to_have_text(re.compile(rf"{re.escape(value)}$"))
        # Nothing of a token acts on the line that tells it.
        assert not set(strange.status.text_content()) & set("\u202e\u2066\x00\x7f\t\n"), token
        strange.frame.press("ArrowRight")
    inside = "e => [e.scrollWidth <= e.clientWidth, e.querySelector('canvas').width]"
    eventually(lambda: strange.frame.evaluate(inside) == [True, strange.size[0]], True)

    empty = notebook.output(3).locator(".lw")
    expect(empty.locator(".lw-empty")).to_have_text("Nothing to show: no timestep was recorded.")

    # Without tokens there are boxes all the same; NaN, what is clipped and padding have their marks.
    odd = Boxes(notebook, 4, name="odd_one")
    expect(odd.root.locator(".lw-caption")).to_contain_text("tokens were not recorded")
    expect(odd.status).to_have_text("odd · cell 1 · t=1 · hidden_state NaN")
    odd.set(timestep=4)
    notebook.page.mouse.move(5, 5)

    def patterned():
        frames(odd.frame)
        image = picture(odd.canvas)[TOP + 2 : TOP + ROW - 2]
        boxes = [image[:, EDGE + t * CHARACTER + 1 :][:, :6].reshape(-1, 3) for t in range(8)]
        return [len(np.unique(box, axis=0)) > 1 for box in boxes]

    # Around the fifth is the frame of what is selected.
    eventually(lambda: patterned()[:3] + patterned()[6:], [False, True, False, True, True])
    odd.set(cell=2)
    eventually(lambda: patterned()[:3], [False, False, True])


def test_it_fits_where_it_stands(show):
    notebook = show(PROSE)
    text = Text(notebook, 1, recordings.prose()["lstm"])
    inside = """root => {
      const box = root.getBoundingClientRect();
      return [root.scrollWidth <= root.clientWidth,
        [...root.querySelectorAll("select, input, button, .lw-caption, .lw-status, canvas")]
          .map((e) => [e, e.getBoundingClientRect()])
          .filter(([, b]) => b.width > 0 && (b.left < box.left - 0.5 || b.right > box.right + 0.5))
          .map(([e]) => e.dataset.control ?? e.className)];
    }"""
    for width in (800, 1280, 1900):
        resized(text.root, width)
        eventually(lambda: text.root.evaluate(inside), [True, []])
        text.check(Look(), 3)
