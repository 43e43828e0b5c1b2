"""A widget in a notebook: its parts, its traits in the kernel, and how it is touched."""

from __future__ import annotations

import re
from pathlib import Path

import recordings
from expected import frames, wrong
from lab import eventually, settled
from playwright.sync_api import expect

#: The first cell of a notebook: the recordings, and what shows them.
SETUP = f"{Path(recordings.__file__).read_text()}\nimport lstm_widgets as lw\nimport ipywidgets\n"


def number(value):
    """A value as the status line has it."""
    size = abs(value)
    if size and (size < 1e-3 or size >= 1e5):
        mantissa, exponent = f"{value:.3e}".split("e")
        text = f"{mantissa}e{int(exponent):+d}"
    else:
        text = f"{value:.4f}"
    return text.replace("-", "−")


class Widget:
    """One widget in the page."""

    #: what scrolls inside of it
    scrolling: str

    def __init__(self, notebook, index, *, name="grid", nth=0):
        self.notebook = notebook
        self.name = name
        self.index = index
        self.root = notebook.output(index).locator(".lw").nth(nth)
        self.frame = self.root.locator(self.scrolling)
        self.canvas = self.frame.locator("canvas")
        self.status = self.root.locator(".lw-status")
        self.notice = self.root.locator(".lw-notice")
        expect(self.root).to_have_attribute("data-paints", re.compile(r"\d"))
        settled(self.root)

    def get(self, trait):
        return self.notebook.kernel.value(f"{self.name}.{trait}")

    def set(self, **traits):
        """Let Python set traits; the page has got and painted them afterwards."""
        self.notebook.kernel.run(
            "\n".join(f"{self.name}.{trait} = {value!r}" for trait, value in traits.items())
        )
        self.notebook.received()
        frames(self.root)

    def becomes(self, **traits):
        """Wait until Python has these values."""
        eventually(lambda: {trait: self.get(trait) for trait in traits}, traits)

    def control(self, name):
        return self.root.locator(f"[data-control='{name}']")

    def scroll(self, left=None, top=None):
        self.frame.evaluate(
            "(e, [x, y]) => { if (x !== null) e.scrollLeft = x; if (y !== null) e.scrollTop = y; }",
            [left, top],
        )
        frames(self.frame)

    @property
    def scrolled(self):
        return tuple(self.frame.evaluate("e => [e.scrollLeft, e.scrollTop]"))

    @property
    def size(self):
        """Width and height that can be seen."""
        return tuple(self.frame.evaluate("e => [e.clientWidth, e.clientHeight]"))

    def click(self, x, y):
        self.frame.click(position={"x": x, "y": y})

    def paints(self, canvas, x, y, low, high, *, timeout=10):
        eventually(lambda: wrong(canvas, x, y, low, high), [], timeout=timeout)

    @property
    def paper(self):
        """The background, as the page says it is."""
        return tuple(
            self.root.evaluate(
                """() => {
                  const context = document.createElement("canvas").getContext("2d");
                  context.fillStyle =
                    getComputedStyle(document.body).getPropertyValue("--jp-layout-color0").trim();
                  context.fillRect(0, 0, 1, 1);
                  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
                }"""
            )
        )


class Saved:
    """A saved page in the browser; in place of the notebook that a widget would stand in."""

    def __init__(self, page):
        self.page = page
        self.asked, self.errors = [], []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.errors.append(message.text))

    def output(self, _index):
        return self.page.locator("#widget")
