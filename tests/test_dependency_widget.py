"""DependencyHeatmap in Python: what it takes, what it sends, and its still picture."""

from __future__ import annotations

import io
import json

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from jupyter_client.session import json_packer
from PIL import Image
from traitlets import TraitError

import lstm_widgets as lw
from lstm_widgets.views.dependencies import NEAR
from lstm_widgets.views.prediction import distance, position, summary
from lstm_widgets.widgets import dependency_heatmap
from lstm_widgets.widgets.page import export

TEXT = "the cat sat on a mat\nand ate <b>it</b> al"
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script>",
    "\ud800",
    "\u202e",
    "",
    "\n",
    "\x00",
    "👩‍🔬",
]


def made(text=TEXT, *, at=None, window=None, examples=1, seed=0, known=True, **coordinates):
    """A dependency of known values, as `lw.dependency` would give it."""
    rng = np.random.default_rng(seed)
    count = len(text)
    chosen = np.arange(count) if at is None else np.asarray(at)
    if window and at is None:
        chosen = np.arange(window - 1, count)
    back = chosen[:, None] - np.arange(count)
    values = rng.uniform(0.1, 1, (examples, len(chosen), count)) * np.exp(-np.abs(back) / 5)
    values[:, back < 0] = 0
    columns = np.arange(count)
    if window:
        values[:, (back < 0) | (back >= window)] = np.nan
        columns = columns[chosen.min() - window + 1 : chosen.max() + 1]
        values = values[:, :, columns]
    coords = {
        "example": np.arange(examples),
        "timestep": chosen,
        "input_timestep": columns,
        "target": (("example", "timestep"), rng.integers(0, 9, (examples, len(chosen)))),
    }
    if known:
        tokens = np.array([list(text)] * examples, dtype=object)
        coords["token"] = (("example", "input_timestep"), tokens[:, columns])
    return xr.DataArray(
        values.astype(np.float32),
        dims=("example", "timestep", "input_timestep"),
        coords=coords | coordinates,
        attrs={"of": "logit", "norm": "l2"},
    )


def unpacked(widget):
    """What `_whole` holds: for each model and example a list of (start, values)."""
    models, at = [], 0
    for info in widget._models:
        count = info["examples"] * len(info["timesteps"])
        starts = np.frombuffer(widget._whole, np.int32, count, at)
        stops = np.frombuffer(widget._whole, np.int32, count, at + 4 * count)
        at += 8 * count
        rows = []
        for start, stop in zip(starts, stops, strict=True):
            values = np.frombuffer(widget._whole, np.float32, stop - start, at)
            at += values.nbytes
            rows.append((int(start), values))
        models.append(rows)
    assert at == len(widget._whole)
    return models


# -- what travels ----------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [None, 6])
def test_each_row_travels_as_the_stretch_that_was_read(window):
    array = made(window=window, examples=2)
    widget = lw.DependencyHeatmap(array)
    told = {"first": 0, "stop": len(TEXT), "examples": 2, "tokens": True, "series": False}
    assert widget._extent == {**told, "spelling": "characters"}
    assert widget.timestep == len(TEXT) - 1
    (rows,) = unpacked(widget)
    assert len(rows) == array.shape[0] * array.shape[1]
    for (example, row), (start, values) in zip(np.ndindex(array.shape[:2]), rows, strict=True):
        timestep = int(array.timestep[row])
        first = timestep - window + 1 if window else 0
        assert (start, start + len(values)) == (first, timestep + 1)
        np.testing.assert_array_equal(values, array[example, row, first : timestep + 1])
    text = widget._text[1]
    assert "".join(text["tokens"]) == TEXT
    assert text["targets"] == [[f"#{one}" for one in array.target.values[1]]]
    json_packer(widget.get_state())


def test_a_model_that_reads_both_ways_has_read_everything():
    array = made()
    array.values[0] = np.maximum(array.values[0], array.values[0].T)
    widget = lw.DependencyHeatmap(array)
    (rows,) = unpacked(widget)
    assert {(start, len(values)) for start, values in rows} == {(0, len(TEXT))}
    assert widget._models[0]["forwards"] is False
    assert lw.DependencyHeatmap(made())._models[0]["forwards"] is True


def test_a_row_of_which_nothing_is_known_is_empty():
    array = made(at=[3, 9])
    array.values[0, 1] = np.nan
    array.values[0, 0, 1] = np.nan
    (rows,) = unpacked(lw.DependencyHeatmap(array))
    assert len(rows[1][1]) == 0
    # By default the last of which something is known is shown.
    assert lw.DependencyHeatmap(array).timestep == 3
    np.testing.assert_array_equal(rows[0][1], array.values[0, 0, :4])


def test_the_order_of_the_predictions_is_that_of_the_text():
    array = made(at=[9, -1 + len(TEXT), 4, 9])
    widget = lw.DependencyHeatmap(array)
    assert widget._models[0]["timesteps"] == [4, 9, len(TEXT) - 1]
    (rows,) = unpacked(widget)
    np.testing.assert_array_equal(rows[0][1], array.values[0, 2, :5])


def test_several_models_and_the_text_between_them():
    one, other = made(at=range(8, 12), window=5), made(at=[20, 30], window=5, seed=1)
    widget = lw.DependencyHeatmap({"LSTM": one, "SimpleRNN": other})
    assert [model["name"] for model in widget._models] == ["LSTM", "SimpleRNN"]
    assert (widget._extent["first"], widget._extent["stop"], widget.timestep) == (4, 31, 30)
    # What neither has read is not known.
    assert "".join(widget._text[0]["tokens"]) == TEXT[4:12] + TEXT[16:31]
    assert [model["first"] for model in widget._models] == [4, 16]
    whole = lw.DependencyHeatmap({"LSTM": one, "SimpleRNN": other}, tokens=TEXT)
    assert (whole._extent["first"], whole._extent["stop"]) == (0, len(TEXT))
    assert "".join(whole._text[0]["tokens"]) == TEXT
    assert repr(widget) == (
        "<DependencyHeatmap models=['LSTM', 'SimpleRNN'], example=0, timestep=30>"
    )


def test_targets_are_named_where_they_are_tokens():
    names = np.array([["x", " ", ""]], dtype=object)
    targets = np.array([[3, 4, -1]])
    array = made(
        at=[1, 2, 3],
        target=(("example", "timestep"), targets),
        target_token=(("example", "timestep"), names),
    )
    assert lw.DependencyHeatmap(array)._text[0]["targets"] == [["=x", "= ", ""]]
    assert lw.DependencyHeatmap(array.drop_vars("target"))._text[0]["targets"] == [None]


def test_what_is_large_is_answered_where_one_looks(monkeypatch):
    monkeypatch.setattr(dependency_heatmap, "WHOLE_BYTES", 100)
    array = made(examples=2)
    widget = lw.DependencyHeatmap({"a": array, "b": made(examples=2, seed=1)})
    assert (widget._whole, widget._text) == (b"", [])
    sent = []
    widget.send = lambda content, buffers=None: sent.append((content, buffers))
    request = {"id": "7", "example": 1, "rows": [[0, 3], [1, 5]], "text": True}
    widget._on_message(widget, request | {"near": [[0, 2, 5]]}, [])
    reply, buffers = sent.pop()
    assert (reply["id"], reply["example"], reply["rows"]) == ("7", 1, [[0, 3, 0], [1, 5, 0]])
    np.testing.assert_array_equal(np.frombuffer(buffers[0], np.float32), array[1, 3, :4])
    assert len(buffers[1]) == 4 * 6
    assert "".join(reply["text"]["tokens"]) == TEXT
    near = np.frombuffer(buffers[2], np.float32).reshape(3, 1 + NEAR)
    for line, row in zip(near, range(2, 5), strict=True):
        assert line[0] == array.values[1, row].max()
        np.testing.assert_array_equal(line[1 : row + 2], array.values[1, row, row::-1])
        assert np.isnan(line[row + 2 :]).all()
    widget._on_message(widget, {"id": "8", "example": 1, "rows": [[2, 0]]}, [])
    assert sent.pop()[0] == {"id": "8", "error": "IndexError: list index out of range"}
    # A file has everything all the same.
    state, missing, *_ = widget._file_state()
    assert missing == []
    widget._whole = state["_whole"]
    assert [len(rows) for rows in unpacked(widget)] == [2 * len(TEXT)] * 2
    assert len(state["_text"]) == 2


def test_a_file_has_its_limit(monkeypatch, tmp_path):
    widget = lw.DependencyHeatmap({"a": made()})
    monkeypatch.setattr(export, "FILE_BYTES", 1000)
    with pytest.raises(ValueError, match=r"save_html: the dependencies take .*, with at="):
        widget.save_html(tmp_path / "page.html")


# -- what a person sets ----------------------------------------------------------------------------


def test_traits():
    wanted = {
        "example": 1,
        "timestep": 7,
        "input_timestep": 3,
        "scale": "all",
        "same_scale": True,
        "log_scale": True,
        "hover": "read",
        "marks": True,
        "align": "predict",
        "palette": "viridis",
    }
    widget = lw.DependencyHeatmap(made(examples=2), **wanted)
    assert {name: getattr(widget, name) for name in wanted} == wanted
    widget.input_timestep = None
    # The logger that every widget has is still there.
    widget.log.debug("")


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("example", 1, "example: expected 0 to 0, got 1"),
        ("timestep", 41, "timestep: expected 0 to 40, got 41"),
        ("timestep", -1, "timestep: expected 0 to 40, got -1"),
        ("input_timestep", 41, "input_timestep: expected 0 to 40, got 41"),
        ("scale", "layer", "scale"),
        ("palette", "RdBu_r", "palette"),
        ("hover", "look", "hover"),
        ("align", None, "align"),
    ],
)
def test_bad_traits(trait, value, message):
    assert len(TEXT) == 41
    with pytest.raises(TraitError, match=message):
        lw.DependencyHeatmap(made(), **{trait: value})
    widget = lw.DependencyHeatmap(made())
    before = getattr(widget, trait)
    with pytest.raises(TraitError, match=message):
        setattr(widget, trait, value)
    assert getattr(widget, trait) == before


@pytest.mark.parametrize(
    ("given", "options", "error", "message"),
    [
        (None, {}, TypeError, "dependency: expected what lstm_widgets.dependency.. gives"),
        (made()[0], {}, TypeError, r"got \('timestep', 'input_timestep'\)"),
        ({"a": made().astype(int)}, {}, TypeError, r"dependency\['a'\]: expected floating point"),
        ({1: made()}, {}, TypeError, "dependency: expected names of models, got 1"),
        ({}, {}, ValueError, "dependency: expected at least one"),
        (-made(), {}, ValueError, "dependency: expected no negative values"),
        (made()[..., ::2], {}, ValueError, "expected each input timestep between"),
        ({"a": made(), "b": made(examples=2)}, {}, ValueError, "as many examples in each"),
        ({"a": made(), "b": made(TEXT.upper())}, {}, ValueError, "at timestep 0 of example 0 'b'"),
        (made(), {"tokens": "short"}, ValueError, "tokens: expected at least 41"),
        (made(), {"tokens": [TEXT, TEXT]}, ValueError, "tokens: expected at least 41"),
        (made(examples=2), {"tokens": [TEXT]}, ValueError, "one sequence of str for each of 2"),
        (made(), {"tokens": [list(range(41))]}, TypeError, "tokens: expected str, got 0"),
        (made(), {"cell": 3}, TypeError, r"got an unexpected keyword argument 'cell'; expected"),
        (made(), {"log": True}, TypeError, "unexpected keyword argument 'log'"),
    ],
)
def test_errors(given, options, error, message):
    with pytest.raises(error, match=message):
        lw.DependencyHeatmap(given, **options)


# -- the still picture -----------------------------------------------------------------------------


def test_the_picture_counts_as_the_page_does(root):
    """js/test/state/dependency.test.mjs holds the page against the same table."""
    table = json.loads((root / "js" / "test" / "dependency.json").read_text("utf-8"))
    for case in table["summaries"]:
        values = np.array(case["values"], np.float64).astype(np.float32)
        found = summary(case["start"], values, case["timestep"])
        assert found == (case["largest"], case["at"], case["half"])
    for value, largest, log, expected in table["positions"]:
        (found,) = position(np.array([value]), largest, log=log)
        assert found == pytest.approx(expected, abs=1e-12)
    assert [distance(back) for back in (0, 3, -2)] == ["just read", "3 back", "2 ahead"]


def picture(widget):
    return np.asarray(Image.open(io.BytesIO(widget._png())).convert("RGB")).astype(int)


def test_tokens_have_the_colours_of_their_values():
    # One line of words apart, so that there is room for the colour beside the letters.
    array = made("abcdefghij", known=False)
    widget = lw.DependencyHeatmap(array, timestep=6, palette="viridis")
    image = picture(widget)
    row = array.values[0, 6] / array.values[0, 6].max()
    # The boxes are 8 pixels wide, from the edge on; there are no letters in them.
    colours = image[1 + 28 + 10, 12 + 3 + 8 * np.arange(10)]
    expected = 255 * mpl.colormaps["viridis"](row[:7])[:, :3]
    assert np.abs(colours[:7] - expected).max() <= 4
    assert (colours[7:] == 255).all()
    widget.log_scale = True
    logarithm = np.clip(1 + np.log10(row[:7]) / 3, 0, 1)
    colours = picture(widget)[1 + 28 + 10, 12 + 3 + 8 * np.arange(7)]
    assert np.abs(colours - 255 * mpl.colormaps["viridis"](logarithm)[:, :3]).max() <= 4
    # A prediction that was not computed has no colours at all.
    widget = lw.DependencyHeatmap(made("abcdefghij", at=[6], known=False), timestep=3)
    assert (picture(widget)[1 + 28 + 10, 12 + 3 + 8 * np.arange(10)] == 255).all()


def test_a_picture_of_anything():
    tokens = np.array([HOSTILE], dtype=object)
    hostile = made("x" * len(HOSTILE)).assign_coords(token=(("example", "input_timestep"), tokens))
    for widget in (
        lw.DependencyHeatmap(hostile),
        lw.DependencyHeatmap({"<b>": hostile, "\ud800": hostile}, marks=True, align="predict"),
        lw.DependencyHeatmap({"a": made(), "b": made(at=[3])}, input_timestep=2, same_scale=True),
        lw.DependencyHeatmap(made(window=4), timestep=1, scale="all"),
        lw.DependencyHeatmap(made(known=False), align="predict"),
        lw.DependencyHeatmap(made(examples=0, known=False)),
        lw.DependencyHeatmap(made(at=np.zeros(0, int))),
        lw.DependencyHeatmap(made("", at=np.zeros(0, int))),
        lw.DependencyHeatmap(made() * 0),
        lw.DependencyHeatmap(made() * np.nan),
    ):
        data = widget._repr_mimebundle_()
        bundle = data[0] if isinstance(data, tuple) else data
        assert bundle["image/png"]
        assert np.asarray(picture(widget)).shape[1] == 900
        json_packer(widget.get_state())
