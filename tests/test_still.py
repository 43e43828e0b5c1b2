"""The still pictures that stand beside the widgets: their colours, what is in them, and their size."""

from __future__ import annotations

import base64
import io
import json
import re

import nbformat
import numpy as np
import pytest
import traitlets
from hypothesis import given
from hypothesis import strategies as st
from nbconvert.exporters import HTMLExporter, MarkdownExporter
from PIL import Image
from traitlets.config import Config

from lstm_widgets.colours import THEMES, Colours
from lstm_widgets.figures import columns, fonts, gates
from lstm_widgets.figures.png import png
from lstm_widgets.recording import RecordedLayer, RecordedPredictions, Recording
from lstm_widgets.tokens.wording import (
    in_line,
    number,
    quoted,
    short,
    short_range,
    stepped,
    visible,
)
from lstm_widgets.widgets.cell_grid import CellGrid
from lstm_widgets.widgets.example_grid import ExampleGrid
from lstm_widgets.widgets.explorer import Explorer
from lstm_widgets.widgets.gate_inspector import GateInspector
from lstm_widgets.widgets.text_heatmap import TextHeatmap

WIDGETS = (CellGrid, ExampleGrid, GateInspector, TextHeatmap, Explorer)
PNG, VIEW = "image/png", "application/vnd.jupyter.widget-view+json"
HOSTILE = [
    "<b>",
    "\x00",
    "\ud800",
    "\u202e",
    "👩‍🔬",
    "",
    " ",
    "\n",
    "漢",
    "a" * 300,
    "e\u0301",
    "ب",
]


def recording(examples=24, timesteps=5, cells=40, *, tokens="abcdefg", masked=False, labels=None):
    rng = np.random.default_rng(5)
    shape = (examples, timesteps, cells)
    array = None
    if tokens:
        array = np.empty(shape[:2], dtype=object)
        count = examples * timesteps
        array.reshape(-1)[:] = [tokens[i % len(tokens)] for i in range(count)]
    signals = {
        "hidden_state": np.tanh(rng.normal(size=shape)).astype(np.float32),
        "forget_gate": rng.random(shape).astype(np.float32),
    }
    mask = None
    if masked:
        mask = np.ones(shape[:2], bool)
        mask[:, -1] = False
    layer = RecordedLayer("lstm", "LSTM", signals, mask, array)
    return Recording.from_layers([layer], labels=labels)


def shown(widget):
    """The picture as a viewer gets it: uint8 (height, width, 3)."""
    bundle = widget._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    image = Image.open(io.BytesIO(base64.b64decode(data[PNG])))
    return np.asarray(image.convert("RGB")).astype(int)


def test_values_have_the_colours_of_the_page(root):
    """js/test/colour/colours.test.mjs holds the page's colours against the same table."""
    table = json.loads((root / "js" / "test" / "colours.json").read_text("utf-8"))
    assert {case.get("theme") for case in table} == {None, "dark"}
    for case in table:
        scale = tuple(case["scale"]) if isinstance(case["scale"], list) else case["scale"]
        largest = max(case["largest"])
        theme = THEMES[case.get("theme", "light")]
        look = case["palette"], scale, case["threshold"], theme
        colours = Colours(case["signal"], largest, *look)
        values = np.array([float(value) for value in case["values"].split()], np.float32)
        cell = np.float32(case["largest"][case["cell"]])
        found = ["".join(f"{c:02x}" for c in rgb) for rgb in colours.pixels(values, cell)]
        assert " ".join(found) == case["colours"], case
        assert "".join(map(str, colours.marks(values, cell))) == case["marks"], case


def test_tokens_and_numbers_are_written_as_in_the_page():
    """The cases of js/test/lib/tokens.test.mjs."""
    for word in ("a", "don't", "é", "e\u0301", "日本", "the cat", "👩‍🔬", "🇩🇪", "❤️", "<b>", "${x}"):
        assert visible(word) == word
    marks = {" ": "·", "\n": "⏎", "\r": "␍", "\t": "⇥", "\u00a0": "⍽", "": "∅", "\x7f": "␡"}
    marks |= {"\n\n": "⏎⏎", "a\tb": "a⇥b", "\r\n": "␍⏎", " the": " the", "\x00": "␀", "\x1b[": "␛["}
    marks |= dict.fromkeys(("\u200b", "\u200e", "\ufeff", "\u00ad", "\u202e"), "◌")
    marks |= {"a\u202eb": "a◌b", "a\u200bb": "a\u200bb"}
    for token, mark in marks.items():
        assert visible(token) == mark
    assert (quoted("cat"), quoted(" "), quoted("\n"), quoted("")) == ("'cat'", "' '", "'⏎'", "'∅'")
    assert in_line("a b\n") == "a b⏎"
    for value, text in (
        *((0.0, "0.0000"), (-0.0, "0.0000"), (0.5, "0.5000"), (-0.12345, "−0.1235")),
        *((1234.5, "1234.5000"), (0.000123456, "1.235e−4"), (-1234567.0, "−1.235e+6")),
        *((float("nan"), "NaN"), (float("inf"), "∞"), (-float("inf"), "−∞")),
    ):
        assert number(value) == text
    # The same as in js/test/lib/tokens.test.mjs.
    for ends, texts in (
        *(((3.7e-9, 41.5809), ("0", "41.6")), ((-9.2, 24.133), ("−9.2", "24.1"))),
        *(((-1e-9, 1), ("0", "1")), ((1013.21, 1013.94), ("1013.21", "1013.94"))),
        *(((4.4, 41580.9), ("4", "41581")), ((-7.25e-8, 3.7e-9), ("−7.25e−8", "3.7e−9"))),
        *(((0.4, 2512345), ("0", "2.51e+6")), ((0, 0), ("0", "0"))),
    ):
        assert short_range(*ends) == texts
    assert short_range(-0.9016, 0.9016, signed=True) == ("−0.902", "+0.902")
    assert (short(41580.9), short(-2512345)) == ("41600", "−2.51e+6")
    assert short(0.000123456, signed=True) == "+0.000123"
    for value, step, text in (
        *(
            (8.0781, 0.6, "8.1"),
            (-0.04, 0.6, "0.0"),
            (-3.2159, 0.02, "−3.22"),
            (5.0, 0.0, "5.0000"),
        ),
        *((787_401.6, 7874.0, "787000"), (101_325.3937, 0.004, "101325.394")),
        *((3.937e-6, 4e-8, "3.937e−6"), (-2500.0, 1000.0, "−2000"), (2500.0, 1000.0, "3000")),
    ):
        assert stepped(value, step) == text


# -- the grid --------------------------------------------------------------------------------------


def check_grid(widget, order=None):
    """Compare every square in the picture with the colour of its value; return what is in it."""
    picture = shown(widget)
    dataset = widget.recording["lstm"]
    values = dataset[widget.signal].values
    examples, timesteps, cells = values.shape
    flat = values.reshape(-1, cells)
    order = np.arange(cells) if order is None else np.asarray(order)
    row = int(np.flatnonzero(order == widget.cell)[0])
    column = widget.example * timesteps + widget.timestep
    square = 15 if "token" in dataset.coords else 6
    place = columns.squares(
        examples,
        timesteps,
        len(order),
        square=square,
        column=column,
        row=row,
        room=900 - 84 - 12,
        most=400,
    )
    assert place.first <= column < place.stop
    assert place.top <= row < place.bottom
    largest = np.abs(flat).max(axis=0)
    colours = Colours(
        widget.signal, float(largest.max()), widget.palette, widget.scale, widget.threshold
    )
    header = 1 + (18 if examples > 1 else 0) + (20 if "token" in dataset.coords else 6)
    real = dataset["mask"].values.reshape(-1) if "mask" in dataset else np.ones(len(flat), bool)
    for i, cell in enumerate(order[place.top : place.bottom]):
        y = header + i * place.height + place.height // 2 - 1
        for at in range(place.first, place.stop):
            x = columns.GUTTER + place.start(at) + 3
            if colours.marks(flat[at, cell], largest[cell]) or not real[at]:
                continue
            expected = colours.pixels(flat[at, cell], largest[cell]).astype(int)
            assert np.abs(picture[y, x] - expected).max() <= 4, (cell, at)
    return place, picture


@pytest.mark.parametrize(
    "traits",
    [
        {},
        {"cell": 38, "example": 20, "timestep": 3},
        {"scale": "cell", "palette": "vik", "example": 23, "timestep": 4, "cell": 39},
        {"signal": "forget_gate", "threshold": 0.5},
        {"scale": "squared"},
        {"scale": (-0.5, 0.25), "palette": "blue_white_red_20"},
    ],
)
def test_a_grid_shows_its_values(traits):
    place, picture = check_grid(CellGrid(recording(masked=True), **traits))
    assert picture.shape[1] == 900
    assert picture.shape[0] < 540
    # Ten examples of five squares, 26 rows.
    assert place.stop - place.first in range(48, 55)
    assert place.bottom - place.top == 26


def test_a_grid_without_tokens_has_smaller_squares():
    place, _ = check_grid(CellGrid(recording(1, 2000, 3, tokens=None), timestep=1234, cell=2))
    assert (place.width, place.height) == (6, 20)
    assert place.stop - place.first == 134


def test_a_grid_that_fits_is_shown_whole():
    place, _ = check_grid(CellGrid(recording(2, 8, 5), cell=4, example=1))
    assert (place.first, place.stop, place.top, place.bottom) == (0, 16, 0, 5)
    assert (place.width, place.height) == (22, 15)


def test_rows_are_in_the_order_of_the_page():
    widget = CellGrid(recording(), sort="variance", cell=3)
    values = widget.recording["lstm"].hidden_state.values.reshape(-1, 40).astype(np.float64)
    variance, magnitude = values.var(axis=0), np.abs(values).mean(axis=0)
    check_grid(widget, np.argsort(-variance))
    widget.sort = "mean_magnitude"
    check_grid(widget, np.argsort(-magnitude))
    widget.sort = "similarity"
    check_grid(widget, np.argsort(-np.corrcoef(values.T)[3]))
    widget.order, widget.sort = (7, 3, 30), "order"
    check_grid(widget, [7, 3, 30, *(cell for cell in range(40) if cell not in {7, 3, 30})])
    with pytest.raises(traitlets.TraitError, match="order: expected different cells from 0 to 39"):
        widget.order = (7, 7)
    widget.sort, widget.hide_quiet_cells = "index", True
    widget.threshold = float(np.sort(magnitude)[10]) - 1e-6
    widget.cell = int(np.argmax(magnitude))
    check_grid(widget, np.flatnonzero(magnitude >= widget.threshold))
    widget.threshold = 1.0
    assert shown(widget).shape[0] < 130  # every cell is quiet: nothing but words


@given(
    examples=st.integers(1, 300),
    timesteps=st.integers(1, 3000),
    rows=st.integers(1, 2000),
    square=st.sampled_from([6, 15]),
    data=st.data(),
)
def test_what_is_selected_is_in_the_picture(examples, timesteps, rows, square, data):
    column = data.draw(st.integers(0, examples * timesteps - 1))
    row = data.draw(st.integers(0, rows - 1))
    place = columns.squares(
        examples,
        timesteps,
        rows,
        square=square,
        column=column,
        row=row,
        room=900 - 84 - 12,
        most=400,
    )
    assert 0 <= place.first <= column < place.stop <= examples * timesteps
    assert 0 <= place.top <= row < place.bottom <= rows
    assert place.start(place.stop - 1) + place.width <= 900 - 84 - 12
    assert (place.bottom - place.top) * place.height <= 400
    # No room is left where there is more to show.
    if place.stop - place.first < examples * timesteps:
        assert place.start(place.stop - 1) > 900 - 84 - 12 - 2 * place.width - 2 * place.gap - 1


# -- examples --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sort", ["index", "value"])
def test_examples_show_their_values(sort):
    labels = [f"{i}=abcde" for i in range(24)]
    widget = ExampleGrid(
        recording(tokens="abcde", labels=labels), cell=7, example=13, timestep=2, sort=sort
    )
    picture = shown(widget)
    values = widget.recording["lstm"].hidden_state.values
    largest = np.abs(values).max(axis=(0, 1))
    colours = Colours("hidden_state", float(largest.max()))
    order = np.arange(24) if sort == "index" else np.argsort(-values[:, 2, 7], kind="stable")
    # The squares of an example stand 18 pixels apart; those of the first say where the others are.
    expected = colours.pixels(values[order, :, 7], largest[7]).astype(int)
    found = []
    for rank in range(24):
        places = [
            (y, x)
            for y in range(12, picture.shape[0] - 60, 26)
            for x in range(12, 900 - 5 * 18)
            if all(
                np.abs(picture[y + 1, x + 18 * t + 1] - expected[rank, t]).max() <= 4
                for t in range(5)
            )
        ]
        # There once, as wide as a square; the outline of what is selected covers two columns.
        assert len(places) == (15 if order[rank] == 13 else 17), rank
        found.append(places[0])
    assert found == sorted(found)


def test_the_selected_example_is_in_the_picture():
    first = shown(ExampleGrid(recording(600, 1, 2), example=0))
    last = shown(ExampleGrid(recording(600, 1, 2), example=599))
    assert first.shape == last.shape
    assert first.shape[0] < 500
    assert (first != last).any()


# -- why a state changed ----------------------------------------------------------------------------


def inspected(case):
    """A recording of the table of js/test/data/changes.test.mjs, and the states that really were before."""
    layer, mask = case["layer"], np.array(case["mask"], bool)
    shape = layer["examples"], layer["timesteps"]

    def array(rows):
        values = np.array([[np.nan if v is None else v for v in row] for row in rows])
        return values.T.reshape(*shape, layer["cells"]).astype(np.float32)

    recorded = RecordedLayer(
        layer["name"],
        layer["kind"],
        {signal: array(rows) for signal, rows in case["signals"].items()},
        mask.reshape(shape) if layer["masked"] else None,
        check=layer["check"],
        go_backwards=layer["go_backwards"],
    )
    attrs = {"window": 3} if layer["windowed"] else None
    before = np.array([[np.nan if v is None else v for v in row] for row in case["before"]])
    return Recording.from_layers([recorded], attrs=attrs), before, mask


def test_changes_are_those_of_the_states_that_were_before(root):
    table = json.loads((root / "js" / "test" / "gates.json").read_text("utf-8"))
    assert {case["layer"]["kind"] for case in table} == {"LSTM", "GRU", "SimpleRNN"}
    assert {case["layer"]["go_backwards"] for case in table} == {True, False}
    for case in table:
        made, before, mask = inspected(case)
        kind, count = case["layer"]["kind"], len(mask)
        state = "cell_state" if kind == "LSTM" else "hidden_state"
        for cell in range(case["layer"]["cells"]):
            snapshot = GateInspector(made, cell=cell)._snapshot()
            keep, write, change = gates.changes_at(snapshot, 0, count)
            truth = np.where(mask, snapshot.series(state, 0, count) - before[cell], 0)
            known = ~np.isnan(change)
            assert known.sum() >= count // 2
            np.testing.assert_allclose(change[known], truth[known], atol=2e-4)
            if kind != "SimpleRNN":
                np.testing.assert_allclose((keep + write)[known], change[known], atol=2e-6)
            assert (change[~mask] == 0).all()


@pytest.mark.parametrize("signal", ["hidden_state", "forget_gate"])
def test_signals_are_bars_from_zero(signal):
    timesteps = 30
    made = recording(1, timesteps, 4)
    widget = GateInspector(made, cell=2, timestep=12, signal=signal)
    picture = shown(widget)
    top, height, low, high = {
        "hidden_state": (1 + 20 + 2, 42, -1.0, 1.0),
        "forget_gate": (1 + 20 + 2 + 42 + 8, 32, 0.0, 1.0),
    }[signal]
    values = made["lstm"][signal].values[0, :, 2]
    everything = made["lstm"][signal].values
    largest = np.abs(everything).max(axis=(0, 1))
    colours = Colours(signal, float(largest.max())).pixels(values, largest[2]).astype(int)

    def y(value):
        return round(top + (1 - (value - low) / (high - low)) * (height - 1))

    for t, value in enumerate(values):
        x = 84 + 22 * t + 10
        assert abs(value) < 1
        if abs(y(value) - y(0)) < 4:
            continue
        middle = (y(value) + y(0)) // 2
        assert np.abs(picture[middle, x] - colours[t]).max() <= 4, t
        beyond = y(value) + (3 if value < 0 else -3)
        assert picture[beyond, x].min() > 200, t  # paper, or a line


def test_what_was_not_recorded_is_left_out():
    widget = GateInspector(recording(2, 9, 3), cell=1)
    assert shown(widget).shape[1] == 900
    values = {"hidden_state": np.zeros((1, 4, 2), np.float32)}
    for kind in ("LSTM", "GRU", "SimpleRNN"):
        layer = RecordedLayer("lstm", kind, values)
        assert shown(GateInspector(Recording.from_layers([layer]))).shape[1] == 900


# -- text ------------------------------------------------------------------------------------------

PROSE = (
    "The miller asked where the small key was, and looked at the sacks that stood by the door, one "
    "beside the other, as they had stood there for years.\n\nOn the shelf, said his daughter; and I "
    "told you so this morning. She had told him. He went up, and saw nothing but rain, and rain.\n"
)


def wrapped(text, room):
    """Where characters stand: line and place in it; as tests/browser/test_text_heatmap.py has it."""
    places, line = [], -1
    for paragraph in text.splitlines(keepends=True):
        line, used = line + 1, 0
        for word in re.findall(r"\S*\s", paragraph):
            # White space may stand in the last place, nothing else.
            if used and used + len(word) > room:
                line, used = line + 1, 0
            places += [(line, used + i) for i in range(len(word))]
            used += len(word)
    return np.array(places)


@pytest.mark.parametrize("align", ["read", "predict"])
@pytest.mark.parametrize("cells", [(), (1, 5)])
def test_text_stands_on_the_colours_of_its_values(align, cells):
    text = PROSE * 2
    made = recording(1, len(text), 6, tokens=text)
    widget = TextHeatmap(made, cell=3, cells=cells, timestep=30, align=align, threshold=0.2)
    picture = shown(widget)
    values = made["lstm"].hidden_state.values[0]
    largest = np.abs(values).max(axis=0)
    colours = Colours("hidden_state", float(largest.max()), threshold=0.2)
    rows = [3, *cells]
    left = 12 + (17 if cells else 0)
    lines, places = wrapped(text, (900 - 12 - left) // 8).T
    pitch = len(rows) * 20 - 1 + (9 if cells else 2)
    shift = int(align == "predict")
    near = []
    for box in range(shift, len(text)):
        y = 1 + 28 + lines[box] * pitch
        if y + pitch > picture.shape[0] - 48 or box == 30 + shift:
            continue
        for row, cell in enumerate(rows):
            expected = colours.pixels(values[box - shift, cell], largest[cell]).astype(int)
            found = picture[y + row * 20 + 1, left + 8 * places[box] + 1]
            # A letter's soft edge may reach the corner of its box.
            near.append(np.abs(found - expected).max() <= 6)
    assert len(near) > 500
    assert np.mean(near) > 0.98


def test_a_late_timestep_of_a_long_text_is_in_the_picture():
    text = "".join(f"{line} is the number of this line.\n" for line in range(4000))
    made = recording(1, len(text), 2, tokens=text)
    late = shown(TextHeatmap(made, cell=1, timestep=100_000))
    values = made["lstm"].hidden_state.values[0, :, 1]
    largest = np.abs(made["lstm"].hidden_state.values).max()
    start = text.rindex("\n", 0, 100_000) + 1
    expected = Colours("hidden_state", float(largest)).pixels(
        values[start : start + 20], np.abs(values).max()
    )
    found = [
        all(
            np.abs(late[1 + 28 + line * 21 + 1, 12 + 8 * i + 1] - expected[i].astype(int)).max()
            <= 8
            for i in range(20)
            if abs(start + i - 100_000) > 1
        )
        for line in range((late.shape[0] - 48 - 29) // 21)
    ]
    assert found.count(True) == 1


def test_words_have_their_guesses_under_them():
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "ate", "it"]
    made = recording(1, 90, 3, tokens=words)
    ids = np.tile(np.arange(2, dtype=np.int32), (1, 90, 1))
    tokens = np.array([["cat", "dog"]] * 90, object)[None]
    chances = np.tile(np.array([0.9, 0.05], np.float32), (1, 90, 1))
    predictions = RecordedPredictions(ids, chances, None, tokens)
    layer = made["lstm"]
    made = Recording.from_layers(
        [
            RecordedLayer(
                "lstm",
                "LSTM",
                {"hidden_state": layer.hidden_state.values},
                tokens=layer["token"].values,
            )
        ],
        predictions=predictions,
    )
    plain, guessed = (shown(TextHeatmap(made, guesses=on)) for on in (False, True))
    assert guessed.shape[0] > plain.shape[0]
    # Under "the": cat, dark and in a frame, as it is what follows; dog, pale.
    x, y = 12 + 2, 1 + 28 + 19 + 2
    dark, pale = guessed[y + 3, x], guessed[y + 14 + 3, x]
    assert np.abs(dark - (255 - (0.06 + 0.74 * 0.9) * (255 - np.array([31, 35, 40])))).max() <= 4
    assert np.abs(pale - (255 - (0.06 + 0.74 * 0.05) * (255 - np.array([31, 35, 40])))).max() <= 4
    assert np.abs(guessed[y, x + 10] - [31, 35, 40]).max() <= 4
    assert guessed[y + 14, x + 10].min() > 200


# -- any widget ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WIDGETS)
def test_the_picture_stands_beside_the_widget(kind):
    widget = kind(recording())
    bundle = widget._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert set(data) == {PNG, VIEW, "text/plain"}
    assert data[VIEW]["model_id"] == widget.model_id
    name = kind.__name__
    shows = f"<{name} layer='lstm', signal='hidden_state', cell=0, example=0, timestep=0>"
    assert data["text/plain"] == repr(widget) == shows
    image = Image.open(io.BytesIO(base64.b64decode(data[PNG])))
    assert (image.format, image.mode, image.width) == ("PNG", "P", 900)
    assert len(data[PNG]) < 40_000
    before = data[PNG]
    widget.threshold = 0.5
    bundle = widget._repr_mimebundle_()
    assert (bundle[0] if isinstance(bundle, tuple) else bundle)[PNG] != before


def test_the_explorer_shows_all_three():
    made = recording(1, 300, 30)
    alone = [shown(kind(made, timestep=9)) for kind in (CellGrid, TextHeatmap, GateInspector)]
    whole = shown(Explorer(made, timestep=9))
    assert whole.shape[0] > alone[2].shape[0] + 240
    # The gates as they are alone, at the end.
    body = alone[2][1:-48]
    assert np.abs(whole[-48 - len(body) : -48, 1:-1] - body[:, 1:-1]).mean() < 1


@pytest.mark.parametrize("kind", WIDGETS)
@pytest.mark.parametrize("shape", [(0, 3, 2), (2, 0, 2), (2, 3, 0)])
def test_nothing_recorded_is_said(kind, shape):
    assert shown(kind(recording(*shape))).shape == (109, 900, 3)


@pytest.mark.parametrize("kind", WIDGETS)
@pytest.mark.parametrize("there", ["as installed", "none"])
def test_any_token_is_drawn(kind, there, monkeypatch):
    if there == "none":
        monkeypatch.setattr(fonts, "_WIDE", ())
    caches = (fonts.wide, fonts.properties, fonts._fonts, fonts._advance, fonts.drawable)
    for cached in (*caches, fonts.text_width, fonts.outline):
        cached.cache_clear()
    try:
        hostile = recording(len(HOSTILE), 1, 3, tokens=HOSTILE, labels=HOSTILE)
        widget = kind(hostile)
        for example in range(len(HOSTILE)):
            widget.example = example
            widget.align = ("read", "predict")[example % 2]
            assert widget._still().shape[1] == 900
    finally:
        for cached in (*caches, fonts.text_width, fonts.outline):
            cached.cache_clear()


def test_odd_values_are_drawn():
    layers = recording(2, 4, 5)
    values = layers["lstm"].hidden_state.values
    values[0, 1, 1], values[0, 2, 2], values[1, 3, 3] = np.nan, np.inf, -np.inf
    values[..., 4] = 0
    for cell in range(5):
        for kind in WIDGETS:
            for scale in ("layer", "cell", "sigmoid", "squared", (-0.1, 0.1)):
                assert kind(layers, cell=cell, scale=scale)._still().shape[1] == 900


def test_a_picture_that_fails_leaves_the_widget(monkeypatch):
    widget = CellGrid(recording())

    def broken():
        raise ValueError("no ink")

    monkeypatch.setattr(widget, "_still", broken)
    with pytest.warns(UserWarning, match=r"no still picture of CellGrid: ValueError\('no ink'\)"):
        bundle = widget._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert set(data) == {VIEW, "text/plain"}


def test_a_picture_keeps_its_colours():
    """Areas of up to 208 are kept exactly; of more, each is near."""
    few = np.zeros((16, 208 * 4, 3), np.uint8)
    few[..., 0] = np.arange(208 * 4) // 4
    raw = png(few)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(raw)).convert("RGB")), few)
    many = np.random.default_rng(1).integers(100, 130, (90, 90, 3)).astype(np.uint8)
    many[:50] = (200, 10, 77)
    again = np.asarray(Image.open(io.BytesIO(png(many))).convert("RGB"))
    assert (again[:50] == (200, 10, 77)).all()
    assert np.abs(again.astype(int) - many).max() <= 12


def test_converters_without_scripts_take_the_picture():
    """What a notebook's output has is what such converters choose from."""
    widget = CellGrid(recording())
    bundle = widget._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    cell = nbformat.v4.new_code_cell("grid")
    cell.outputs = [nbformat.v4.new_output("display_data", data)]
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbformat.validate(notebook)
    _, resources = MarkdownExporter().from_notebook_node(notebook)
    assert list(resources["outputs"].values()) == [base64.b64decode(data[PNG])]
    # The converter to HTML takes the widget, which needs scripts from the network, unless told.
    config = Config({"NbConvertBase": {"display_data_priority": [PNG, "text/plain"]}})
    page, _ = HTMLExporter(config=config).from_notebook_node(notebook)
    assert data[PNG][:1000] in page.replace("\n", "")
