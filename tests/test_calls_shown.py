"""Widgets over a layer that was called several times, and what it started from."""

import json

import numpy as np
import pytest
import traitlets
import xarray as xr
import zarr

import lstm_widgets as lw
from lstm_widgets.analysis.changes import started
from lstm_widgets.recording import RecordedLayer, Recording
from lstm_widgets.rnn.cells import SIGNALS

CALLS, EXAMPLES, CELLS = (3, 1, 2), 4, 2


def values(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


def made(name="cell", kind="LSTM", seed=0, *, zero=False, **more):
    rng = np.random.default_rng(seed)
    states = ("hidden_state", "cell_state")[: 2 if kind == "LSTM" else 1]
    signals = {signal: values(rng, EXAMPLES, sum(CALLS), CELLS) for signal in SIGNALS[kind]}
    initial = {signal: values(rng, EXAMPLES, len(CALLS), CELLS) * (not zero) for signal in states}
    return RecordedLayer(name, kind, signals, initial=initial, calls=CALLS, **more)


def both(**more):
    layers = [made("bi/forward", **more), made("bi/backward", seed=1, go_backwards=True, **more)]
    return Recording.from_layers(layers)


def state_before(recording, layer, column, cell, *, backwards):
    """The state before a column: that of the column beside, within its call, or the initial one."""
    data, starts = recording[layer].cell_state.values, recording.initial_states(layer, "cell_state")
    example, timestep = divmod(column, sum(CALLS))
    ends = np.cumsum(CALLS)
    call = int(np.searchsorted(ends, timestep, side="right"))
    edge = ends[call] - 1 if backwards else ends[call] - CALLS[call]
    if timestep == edge:
        return starts[example, call, cell]
    return data[example, timestep + (1 if backwards else -1), cell]


def test_a_looped_layer_is_shown_as_one():
    recording = Recording.from_layers([made()])
    grid = lw.CellGrid(recording)
    assert (grid.layer, [layer["name"] for layer in grid._layers]) == ("cell", ["cell"])
    (layer,) = grid._layers
    assert (layer["timesteps"], layer["calls"], layer["initial"]) == (6, [3, 1, 2], "given")
    assert "(3 calls)" in repr(recording)
    assert lw.CellGrid(Recording.from_layers([made(zero=True)]))._layers[0]["initial"] == "zero"


def test_a_single_call_is_shown_by_its_name(tmp_path):
    recording = Recording.from_layers([made()])
    for grid in (lw.CellGrid(recording, layer="cell:3"), lw.CellGrid(recording)):
        grid.timestep = 0
        grid.layer = "cell:3"
        shown = {layer["name"]: layer for layer in grid._layers}
        assert shown["cell:3"]["timesteps"] == 2
        assert list(shown) == ["cell", "cell:3"]
        whole = np.frombuffer(grid._whole, np.float32)
        part = recording["cell:3"].hidden_state.values
        start = 6 * EXAMPLES * sum(CALLS) * CELLS
        first = whole[start : start + part.size].reshape(CELLS, -1).T.reshape(part.shape)
        np.testing.assert_array_equal(first, part)
        with pytest.raises(traitlets.TraitError, match="timestep: expected 0 to 1"):
            grid.timestep = 2
        grid.save_html(tmp_path / "grid.html", overwrite=True)
        with pytest.raises(traitlets.TraitError, match="layer: expected one of 'cell'"):
            grid.layer = "cell:4"
    pair = lw.GateInspector(both(), layer="bi:2")
    names = ["bi", "bi/forward", "bi/backward", "bi:2", "bi/forward:2", "bi/backward:2"]
    assert [layer["name"] for layer in pair._layers] == names
    np.testing.assert_array_equal(
        pair.recording["bi:2"].hidden_state[..., CELLS:],
        pair.recording["bi/backward:2"].hidden_state,
    )


@pytest.mark.parametrize("large", [False, True])
def test_the_page_gets_the_states_that_calls_started_from(large, monkeypatch):
    if large:
        monkeypatch.setattr("lstm_widgets.widgets.page.state.WHOLE_BYTES", 0)
    recording = both()
    inspector = lw.GateInspector(recording)
    assert bool(inspector._whole) is not large
    sent = []
    inspector.send = lambda content, buffers=None: sent.append((content, buffers or []))
    request = {"id": "1", "layer": "bi", "signal": "hidden_state", "series": [[0, 0], [3, 0]]}
    inspector._on_message(inspector, request, [])
    columns = EXAMPLES * sum(CALLS)
    ends = np.cumsum(CALLS)
    for cell, buffer, name in zip((0, 1), sent[0][1], recording.directions("bi"), strict=True):
        rows = np.frombuffer(buffer, np.float32).reshape(7, columns)
        states = recording.initial_states(name, "cell_state")[..., cell]
        expected = np.full((EXAMPLES, sum(CALLS)), np.nan, np.float32)
        expected[:, ends - 1 if cell else ends - CALLS] = states
        np.testing.assert_array_equal(rows[6].reshape(expected.shape), expected)
        np.testing.assert_array_equal(rows[1], recording[name].cell_state[..., cell].values.ravel())


def test_the_still_picture_knows_the_state_before_each_column():
    recording = both()
    for cell in range(2 * CELLS):
        snapshot = lw.GateInspector(recording, cell=cell)._snapshot()
        found = snapshot.beside("cell_state", 0, EXAMPLES * sum(CALLS))
        expected = [
            state_before(recording, "bi", column, cell, backwards=cell >= CELLS)
            for column in range(EXAMPLES * sum(CALLS))
        ]
        np.testing.assert_array_equal(found.astype(np.float32), expected)


def test_outside_of_the_recording_nothing_starts():
    columns = np.arange(-2, 8)
    found = started(np.array([[1.0, 2.0]], np.float32), columns, [2, 3], backwards=False)
    assert np.flatnonzero(~np.isnan(found)).tolist() == [2, 4]
    assert found[[2, 4]].tolist() == [1, 2]


def test_a_recording_window_by_window_shows_no_initial_state():
    rng = np.random.default_rng(0)
    layer = RecordedLayer(
        "gru",
        "GRU",
        {signal: values(rng, 1, 5, CELLS) for signal in SIGNALS["GRU"]},
        initial={"hidden_state": values(rng, 1, CELLS)},
    )
    recording = Recording.from_layers([layer], attrs={"window": 2})
    assert "initial" not in lw.GateInspector(recording)._layers[0]
    assert recording["gru"].initial_hidden_state.dims == ("example", "cell")


def test_a_file_that_has_calls_as_layers_of_their_own_opens(tmp_path):
    rng = np.random.default_rng(0)
    parts = [values(rng, EXAMPLES, n, CELLS) for n in CALLS]
    names = ["cell", "cell:2", "cell:3"]
    Recording.from_layers(
        [
            RecordedLayer(n, "SimpleRNN", {"hidden_state": p})
            for n, p in zip(names, parts, strict=True)
        ]
    ).save(tmp_path / "old")
    file = tmp_path / "old" / "zarr.json"
    content = json.loads(file.read_text())
    content["attributes"]["lstm_widgets_recording"]["format"] = 1
    file.write_text(json.dumps(content))
    opened = lw.open_recording(tmp_path / "old")
    assert opened.layers == ("cell",)
    assert opened.initial_states("cell", "hidden_state") is None
    np.testing.assert_array_equal(opened["cell"].hidden_state, np.concatenate(parts, 1))
    for k, part in enumerate(parts, 1):
        np.testing.assert_array_equal(opened[f"cell:{k}"].hidden_state, part)
    opened.save(tmp_path / "new")
    again = lw.open_recording(tmp_path / "new")
    xr.testing.assert_identical(again["cell"], opened["cell"])
    assert (
        zarr.open_group(tmp_path / "new", mode="r").attrs["lstm_widgets_recording"]["format"] == 4
    )


def test_what_does_not_fit_is_named():
    layer = made()
    for change, message in {
        "calls": "expected calls of 6 timesteps together",
        "initial": "initial 'hidden_state': expected shape",
    }.items():
        wrong = {
            "calls": (3, 3, 3),
            "initial": {"hidden_state": values(np.random.default_rng(0), 4, 2)},
        }
        fields = {name: getattr(layer, name) for name in ("initial", "calls")} | {
            change: wrong[change]
        }
        with pytest.raises(ValueError, match=message):
            Recording.from_layers([RecordedLayer("cell", "LSTM", layer.signals, **fields)])
    initial = {"forget_gate": layer.initial["cell_state"]}
    wrong_state = RecordedLayer("cell", "LSTM", layer.signals, initial=initial, calls=CALLS)
    with pytest.raises(ValueError, match="'forget_gate' isn't an initial state"):
        Recording.from_layers([wrong_state])
