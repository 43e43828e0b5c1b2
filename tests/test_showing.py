"""What a cell's output carries of a widget is what `show_as` was told."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

import pytest
import recordings

import lstm_widgets as lw

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def chosen():
    """Choose, and be as at first afterwards."""
    yield lw.show_as
    lw.show_as("widget")


def output(widget):
    """Give what a cell that ends with the widget leaves, by MIME type."""
    bundle = widget._repr_mimebundle_()
    return bundle[0] if isinstance(bundle, tuple) else bundle


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize(
    ("what", "kinds"),
    [
        ("widget", {VIEW, "image/png", "text/plain"}),
        ("page", {"text/html", "image/png", "text/plain"}),
        ("picture", {"image/png", "text/plain"}),
    ],
)
def test_an_output_has_what_was_chosen(chosen, what, kinds):
    grid = lw.CellGrid(recordings.sums())
    still = output(grid)["image/png"]
    chosen(what)
    shown = output(grid)
    assert set(shown) == kinds
    assert shown["image/png"] == still
    assert shown["text/plain"] == repr(grid)


def test_a_page_stands_in_a_frame_that_may_run_scripts_and_no_more(chosen, tmp_path):
    chosen("page")
    grid = lw.CellGrid(recordings.hostile())
    grid.save_html(tmp_path / "page.html")
    tags = Tags(output(grid)["text/html"])
    ((tag, attributes),) = tags.found
    assert tag == "iframe"
    assert attributes["sandbox"] == "allow-scripts"
    assert attributes["srcdoc"] == (tmp_path / "page.html").read_text("utf-8")
    assert tags.text == ""
    assert {*attributes} == {"sandbox", "srcdoc", "title", "loading", "style"}


def test_a_page_in_an_output_is_rounded_where_a_file_is(chosen):
    chosen("page")
    large, small = lw.CellGrid(recordings.many_examples()), lw.CellGrid(recordings.sums())
    said = re.compile("Values marked ≈ are rounded")
    assert said.search(unescape(output(large)["text/html"]))
    assert not said.search(unescape(output(small)["text/html"]))


def test_another_choice_is_refused(chosen):
    with pytest.raises(ValueError, match="what: expected one of widget, page, picture; got 'png'"):
        chosen("png")
    assert VIEW in output(lw.CellGrid(recordings.sums()))
