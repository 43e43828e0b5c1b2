"""A widget as a page of its own: what stands in the file, and what it refuses."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from lstm_widgets.recording import RecordedLayer, Recording
from lstm_widgets.widgets.base import STATIC
from lstm_widgets.widgets.cell_grid import CellGrid
from lstm_widgets.widgets.example_grid import ExampleGrid
from lstm_widgets.widgets.page import export

#: What could end a script, a comment, a string or a line where it must not.
HOSTILE = [
    "</script><script>window.hacked=1</script>",
    "<!--",
    "<!--<script>",
    "-->",
    "]]>",
    "\u2028",
    "\u2029",
    "\x00",
    "\ud800",
    "\udc00x",
    '"',
    "\\",
    "&lt;/script&gt;",
    "${x}`",
    "{state}",
    "👩‍🔬",
]


class Page(HTMLParser):
    """What a parser makes of the page: its scripts, its texts and its tags."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.scripts, self.texts, self.metas = [], [], {}, []
        self.open = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "meta":
            self.metas.append(dict(attributes))
        if tag == "script":
            self.scripts.append([dict(attributes), ""])
        if tag == "img":
            self.image = dict(attributes)["src"]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1][1] += data
        elif self.open:
            self.texts[self.open[-1]] = self.texts.get(self.open[-1], "") + data

    @property
    def state(self):
        return json.loads(self.scripts[0][1])[""]

    @property
    def held(self):
        return {
            attributes["data-trait"]: gzip.decompress(base64.b64decode(text))
            for attributes, text in self.scripts
            if "data-trait" in attributes
        }


def layer(name, shape, signals=("hidden_state", "cell_state"), *, tokens=None, masked=False):
    rng = np.random.default_rng(3)
    array = None
    if tokens is not None:
        array = np.empty(shape[:2], dtype=object)
        array.reshape(-1)[:] = [tokens[i % len(tokens)] for i in range(shape[0] * shape[1])]
    values = {signal: rng.normal(size=shape).astype(np.float32) for signal in signals}
    mask = np.arange(shape[1]) < np.full(shape[:1], 3)[:, None] if masked else None
    return RecordedLayer(name, "LSTM", values, mask, array)


def recording():
    return Recording.from_layers(
        [
            layer("one", (2, 5, 3), masked=True, tokens=list("abcde")),
            layer("two", (2, 4, 6), tokens=list("vwxyz")),
        ],
        labels=["first", "second"],
    )


@pytest.fixture
def saved(tmp_path):
    """Save a widget and read the page again."""

    def saved(widget, **options):
        path = tmp_path / "page.html"
        widget.save_html(path, overwrite=True, **options)
        return Page(path.read_text("utf-8"))

    return saved


def test_the_page_holds_the_whole_widget(saved):
    widget = CellGrid(recording(), layer="two", cell=4, timestep=2, threshold=0.25, scale=(-1, 2))
    page = saved(widget)
    state = page.state
    shown = {"layer": "two", "cell": 4, "timestep": 2, "threshold": 0.25, "scale": [-1, 2]}
    assert {name: state[name] for name in shown} == shown
    assert state["sort"] == "index"
    assert not {"_esm", "_css", "_model_name", "layout", "_dom_classes"} & set(state)
    assert page.held == {"_whole": widget._whole}
    assert [entry["name"] for entry in state["_layers"]] == ["one", "two"]
    assert state["_text"]["one"]["tokens"] == list("abcdeabcde")
    assert state["_text"]["two"]["labels"] == ["first", "second"]
    assert page.texts["h1"] == page.texts["title"] == "Cell grid: two"
    assert re.search(
        r"Made with lstm_widgets \d+\.\d+\.\d+\. .* without a network\.$", page.texts["p"]
    )
    assert saved(ExampleGrid(recording()), title="1 < 2").texts["title"] == "1 < 2"


def test_the_page_reaches_for_nothing(saved, tmp_path):
    page = saved(CellGrid(recording()))
    text = (tmp_path / "page.html").read_text("utf-8")
    assert text.startswith("<!doctype html>\n")
    assert page.metas[0] == {"charset": "utf-8"}
    assert not re.search(r"https?:|\bsrc=(?!\"data:)|href=|@import|url\(", text)
    assert base64.b64decode(page.image.split(",")[1]).startswith(b"\x89PNG")
    policy = next(m["content"] for m in page.metas if "http-equiv" in m)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe-eval" not in policy
    (script,) = (text for attributes, text in page.scripts if attributes["type"] == "module")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}' data:;" in policy
    modules = re.findall(r'from "data:text/javascript;base64,([^"]+)"', script)
    assert [base64.b64decode(module).decode() for module in modules] == [
        (STATIC / name).read_text("utf-8") for name in ("cell_grid.js", "page.js")
    ]


def test_hostile_text_is_data(saved, tmp_path):
    names = [f"<b>{text}" for text in HOSTILE]
    hostile = Recording.from_layers(
        [layer(name, (len(HOSTILE), 1, 2), ("hidden_state",), tokens=HOSTILE) for name in names],
        labels=HOSTILE,
    )
    plain = saved(CellGrid(recording(), layer="one"))
    for title in (None, *HOSTILE):
        page = saved(CellGrid(hostile), title=title)
        assert page.tags == plain.tags
        assert len(page.scripts) == 3
    state = page.state
    assert [entry["name"] for entry in state["_layers"]] == names
    clean = [text.replace("\ud800", "\ufffd").replace("\udc00", "\ufffd") for text in HOSTILE]
    for name in names:
        assert state["_text"][name]["tokens"] == clean
        assert state["_text"][name]["labels"] == clean
    raw = (tmp_path / "page.html").read_bytes()
    start = raw.index(b'type="application/json">') + 24
    assert not re.search(rb"[^\x20-\x7e]|[<>&]", raw[start : raw.index(b"</script>", start)])


def test_a_picture_that_fails_leaves_the_page(saved, monkeypatch):
    def broken(_widget):
        raise ValueError("no ink")

    monkeypatch.setattr(CellGrid, "_still", broken)
    with pytest.warns(UserWarning, match="no still picture of CellGrid"):
        page = saved(CellGrid(recording()))
    assert "img" not in page.tags
    assert "_whole" in page.held


def test_a_style_sheet_cannot_end_its_element():
    text = export.page(
        {"_layers": []},
        esm="export default '</script><script>'",
        css="a::after { content: '</style><script>x</script>' }",
        host="export default 1 // </script>",
        still=b"",
        title="t",
        version="1",
        missing=[],
    )
    page = Page(text)
    assert page.tags.count("style") == 1
    assert page.tags.count("script") == 2


def test_what_is_no_number_is_null(saved):
    layers = [layer("one", (1, 2, 2))]
    layers[0].check.update(difference=float("nan"), mode="prefix")
    page = saved(CellGrid(Recording.from_layers(layers)))
    assert page.state["_layers"][0]["check"] == {"difference": None, "mode": "prefix"}


def test_a_large_recording_goes_in_as_far_as_it_fits(saved, monkeypatch):
    whole = recording()
    widget = CellGrid(whole, layer="two", signal="cell_state")
    # 120 bytes a signal of the first layer, 192 of the second.
    everything = {"one": ("hidden_state", "cell_state"), "two": ("hidden_state", "cell_state")}
    for limit, kept in (
        (624, everything),
        (623, {"two": ("hidden_state", "cell_state")}),
        (384, {"two": ("hidden_state", "cell_state")}),
        (383, {"two": ("cell_state",)}),
        (192, {"two": ("cell_state",)}),
    ):
        monkeypatch.setattr(export, "FILE_BYTES", limit)
        assert export.fitting(widget._layers, "two", "cell_state") == kept
    page = saved(widget)
    values = whole["two"]["cell_state"].values.reshape(8, 6).T
    np.testing.assert_array_equal(
        np.frombuffer(page.held["_whole"], np.float32).reshape(6, 8), values
    )
    one, two = page.state["_layers"]
    assert (one["signals"], one["absent"]) == ([], ["hidden_state", "cell_state"])
    assert (two["signals"], two["absent"]) == (["cell_state"], ["hidden_state"])
    assert (one["masked"], one["tokens"], two["tokens"]) == (False, False, True)
    assert list(page.state["_text"]) == ["two"]
    assert page.texts["p"].endswith(
        "Not in this file, but in the notebook: one (hidden_state, cell_state), two (hidden_state)."
    )
    monkeypatch.setattr(export, "FILE_BYTES", 191)
    with pytest.raises(
        ValueError, match=r"'cell_state' of layer 'two' takes 0.0 MiB; .* at most 0 MiB"
    ):
        saved(widget)


def test_both_directions_go_in_together(saved, monkeypatch):
    layers = [layer(f"both/{way}", (1, 4, 3), masked=True) for way in ("forward", "backward")]
    layers[1] = dataclasses.replace(layers[1], go_backwards=True)
    widget = CellGrid(Recording.from_layers([*layers, layer("top", (1, 4, 9))]))
    assert widget.layer == "both"
    monkeypatch.setattr(export, "FILE_BYTES", 2 * 4 * 12)
    page = saved(widget)
    assert len(page.held["_whole"]) == 2 * (4 * 12 + 4)  # values, then masks
    both, forward, backward, top = page.state["_layers"]
    for entry in (both, forward, backward):
        assert (entry["signals"], entry["absent"]) == (["hidden_state"], ["cell_state"])
    assert (both["parts"], top["signals"]) == (["both/forward", "both/backward"], [])
    assert page.texts["p"].count("both") == 2
    # One direction alone, and no view of both.
    widget.layer = "both/backward"
    monkeypatch.setattr(export, "FILE_BYTES", 2 * 4 * 12 - 1)
    both, forward, backward, top = saved(widget).state["_layers"]
    signals = [entry["signals"] for entry in (both, forward, backward, top)]
    assert signals == [[], [], ["hidden_state"], []]


def test_what_never_travels_whole_does_here(saved):
    """A recording too large for a trait has its values, and not its overview, in the page."""
    large = Recording.from_layers([layer("one", (1, 9000, 40), ("hidden_state", "input_gate"))])
    widget = CellGrid(large, signal="input_gate")
    assert not widget._whole
    page = saved(widget, exact=True)
    values = [large["one"][name].values[0].T for name in ("hidden_state", "input_gate")]
    assert page.held == {"_whole": np.stack(values).tobytes()}
    assert page.state["_summary"] == {}
    # The widget itself is as it was.
    assert not widget._whole
    assert widget._overview


def test_a_large_recording_takes_a_byte_a_value(saved, tmp_path):
    """What a byte stands for is within half a step of the value, and what is no number stays so."""
    names = ("hidden_state", "cell_state")
    wide = [layer("one", (3, 2500, 40), names, masked=True), layer("two", (1, 9, 5), names)]
    values = wide[0].signals["cell_state"]
    values[..., 7] *= 1e-3
    values[..., 8] = 0
    values[1, 1, 9], values[1, 2, 9], values[2, 0, 9] = np.nan, np.inf, -np.inf
    widget = CellGrid(Recording.from_layers(wide))
    assert not widget._whole
    page = saved(widget)
    assert all(entry["rounded"] for entry in page.state["_layers"])
    assert "Values marked ≈ are rounded to 1/252 of their cell's largest" in page.texts["p"]
    packed = page.held["_whole"]
    sizes = [7500 * 40, 7500 * 40, 9 * 5, 9 * 5]
    codes = np.frombuffer(packed, np.uint8, sum(sizes))
    statistics = np.frombuffer(packed, np.float32, 3 * (40 + 40 + 5 + 5), sum(sizes))
    mask = packed[sum(sizes) + statistics.nbytes :]
    assert mask == wide[0].mask.astype(np.uint8).tobytes()

    found = codes[sizes[0] : 2 * sizes[0]].reshape(40, 7500).astype(float)
    largest, mean, variance = statistics[120:240].reshape(3, 40)
    true = values.reshape(7500, 40).T.astype(float)
    finite = np.isfinite(true)
    np.testing.assert_array_equal(largest, np.abs(np.where(finite, true, 0)).max(axis=1))
    near = np.abs((found - 127) / 126 * largest[:, None] - true)[finite]
    assert np.all(near <= np.broadcast_to(largest[:, None] / 252 * (1 + 1e-6), true.shape)[finite])
    specials = [found[9, k] for k in (2501, 2502, 5000)]
    assert specials == [255, 254, 0]
    real = wide[0].mask.reshape(-1)
    cells = np.arange(40) != 9
    np.testing.assert_allclose(mean[cells], np.abs(true[cells][:, real]).mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(variance[cells], true[cells][:, real].var(axis=1), rtol=1e-4)

    rounded = (tmp_path / "page.html").stat().st_size
    exact = saved(widget, exact=True)
    assert not any("rounded" in entry for entry in exact.state["_layers"])
    assert "≈" not in exact.texts["p"]
    assert 3 * rounded < (tmp_path / "page.html").stat().st_size


def test_a_small_recording_is_exact_unless_asked(saved):
    whole = recording()
    widget = CellGrid(whole)
    assert "≈" not in saved(widget).texts["p"]
    page = saved(widget, exact=False)
    assert page.state["_layers"][0]["rounded"]
    # Two signals of (2, 5, 3) and (2, 4, 6), their statistics, and the mask of the first layer.
    assert len(page.held["_whole"]) == 2 * (30 + 48) + 2 * 12 * (3 + 6) + 10


def test_what_fits_is_counted_as_it_stands_in_the_file(monkeypatch):
    widget = CellGrid(recording(), layer="two", signal="cell_state")
    monkeypatch.setattr(export, "FILE_BYTES", 156)  # of codes: 30 a signal, and 48
    assert list(export.fitting(widget._layers, "two", "cell_state", 1)) == ["one", "two"]
    with pytest.raises(ValueError, match=r"exact=False takes a quarter of that\. Or record fewer"):
        export.fitting(widget._layers, "two", "cell_state", 4)


def test_the_page_is_of_now(saved):
    widget = CellGrid(recording())
    widget.layer, widget.cell, widget.palette = "two", 5, "vik"
    state = saved(widget).state
    assert (state["layer"], state["cell"], state["palette"]) == ("two", 5, "vik")


def test_nothing_is_overwritten_unasked(tmp_path):
    widget = CellGrid(recording())
    path = tmp_path / "page.html"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match=r"page\.html' exists; pass overwrite=True"):
        widget.save_html(path)
    assert path.read_text() == "mine"
    widget.save_html(str(path), overwrite=True)
    assert path.read_text("utf-8").startswith("<!doctype html>")
    with pytest.raises(FileExistsError, match="is a folder"):
        widget.save_html(tmp_path, overwrite=True)
    with pytest.raises(FileNotFoundError, match="expected an existing folder"):
        widget.save_html(tmp_path / "none" / "page.html")
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


def test_a_file_is_whole_or_not_there(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("mine")

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(type(path), "replace", full)
    with pytest.raises(OSError, match="no space left"):
        export.write(path, "new", overwrite=True)
    assert path.read_text() == "mine"
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]
