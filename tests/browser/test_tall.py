"""What is higher than an element of a browser can be: each row is reached all the same."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import recordings
import relevances
from expected import frames, picture
from lab import eventually
from playwright.sync_api import expect

import lstm_widgets as lw

#: No browser has an element of more pixels.
MOST = 17_800_000


def shown(status):
    """Which timestep or example the status line tells of."""
    return int(re.search(r"(?:t=|example )(\d+)", status.inner_text()).group(1))


def point(scroller, page, x, y):
    """Rest the pointer at a place of what is scrolled."""
    box = scroller.bounding_box()
    page.mouse.move(box["x"] + x, box["y"] + y)
    frames(scroller)


def test_a_text_of_a_million_lines(open_page):
    count, pitch = 1_000_000, 21
    values = np.resize(np.linspace(-1, 1, 17), (1, count, 1))
    words = [f"{i % 1000:03}\n" for i in range(count)]
    recording = recordings.Recording.from_layers(
        [recordings.layer("lstm", {"hidden_state": values}, tokens=[words])]
    )
    page = open_page(lw.TextHeatmap(recording))
    root = page.page.locator(".lw")
    text, status = root.locator(".lw-text"), root.locator(".lw-status")
    expect(status).to_contain_text("t=0 ", timeout=60_000)
    assert text.evaluate("e => e.scrollHeight") < MOST < count * pitch
    text.press("Control+End")
    expect(status).to_contain_text("t=999999 '999⏎'")
    frames(text)
    room = text.evaluate("e => e.clientHeight")
    last = picture(text.locator("canvas"))[room - 30 : room - 8]
    assert len(np.unique(last.reshape(-1, 3), axis=0)) > 2
    # By its bar, half the way down is half the text.
    text.evaluate("e => { e.scrollTop = (e.scrollHeight - e.clientHeight) / 2; }")
    point(text, page.page, 20, 30)
    middle = shown(status)
    assert abs(middle - count / 2) < 30
    # The wheel goes on line by line, and leaves none out.
    page.page.mouse.wheel(0, 2 * pitch)
    point(text, page.page, 21, 30)
    eventually(lambda: shown(status), middle + 2)
    # Keys bring what they select into view, one line after the other.
    text.click(position={"x": 20, "y": 30})
    for step in range(1, 25):
        text.press("ArrowDown")
        expect(status).to_contain_text(f"t={middle + 2 + step} ")
    frames(text)
    point(text, page.page, 20, room - 20)
    assert shown(status) >= middle + 26


def test_400_000_examples(show):
    source = f"{Path(relevances.__file__).read_text()}\nimport lstm_widgets as lw\n"
    notebook = show(
        f"{source}import numpy as np\n"
        "few = sentences(50, 8)\n"
        "many = few.isel(example=np.resize(np.arange(50), 400_000))\n"
        "many = many.assign_coords(example=np.arange(400_000))\n"
        "heat = lw.RelevanceHeatmap(many, lines=2)\nheat"
    )
    root = notebook.output(1).locator(".lw")
    rows, status = root.locator(".lw-rows"), root.locator(".lw-status")
    expect(status).to_contain_text("example 0 ", timeout=60_000)
    assert rows.evaluate("e => e.scrollHeight") < MOST
    rows.press("Control+End")
    expect(status).to_contain_text("example 399999 ")
    frames(rows)  # the status line tells of it a frame before the rows go there
    rows.evaluate("e => { e.scrollTop = (e.scrollHeight - e.clientHeight) / 2; }")
    frames(rows)
    point(rows, notebook.page, 300, 20)
    expect(status).to_contain_text(re.compile(r"example (199|200)\d\d\d "))
    middle = shown(status)
    for step in range(1, 6):
        rows.hover(position={"x": 300, "y": 20})
        notebook.page.mouse.wheel(0, 47)
        frames(rows)
        point(rows, notebook.page, 300 + step % 2, 20)
        assert shown(status) - middle <= step
    assert shown(status) > middle
