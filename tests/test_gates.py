"""GateInspector's Python side; and what the page's algebra is held against: Keras's own steps.

``js/test/gates.json`` holds recordings of small layers with the states that Keras's cells had before
each timestep. ``js/test/data/changes.test.mjs`` works those out from the recording alone. To make it anew:
``python tests/test_gates.py && npm --prefix js run format``.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from keras import layers as L
from traitlets import TraitError

from lstm_widgets import GateInspector, record
from lstm_widgets.recording import RecordedLayer, Recording, open_recording
from lstm_widgets.rnn.cells import SIGNALS
from lstm_widgets.widgets import recording_widget
from lstm_widgets.widgets.page.tiles import BLOCK

TABLE = Path(__file__).resolve().parents[1] / "js" / "test" / "gates.json"
EXAMPLES, TIMESTEPS, FEATURES, CELLS = 2, 7, 3, 2


class Case(NamedTuple):
    """One recording of the table."""

    name: str
    kind: str
    options: dict[str, Any] = {}  # noqa: RUF012 - never changed
    padded: bool = False
    started: bool = False
    window: int | None = None


BACKWARDS, RESET_BEFORE = {"go_backwards": True}, {"reset_after": False}
CASES = [
    Case("lstm", "LSTM"),
    Case("lstm, padded", "LSTM", padded=True),
    Case("lstm, backwards, padded", "LSTM", BACKWARDS, padded=True),
    Case("lstm from a state, padded", "LSTM", padded=True, started=True),
    Case("lstm, windowed", "LSTM", window=3),
    Case("gru", "GRU"),
    Case("gru, reset before, from a state", "GRU", RESET_BEFORE, started=True),
    Case("gru, backwards from a state", "GRU", BACKWARDS, started=True),
    Case("gru, padded", "GRU", padded=True),
    Case("gru, reset before, windowed", "GRU", RESET_BEFORE, window=3),
    Case("rnn, padded", "SimpleRNN", padded=True),
    Case("rnn, backwards", "SimpleRNN", BACKWARDS),
]


def step_by_step(layer, x, mask, state):
    """Let a layer's own cell take the steps; its last state before each, (example, timestep, cell)."""
    before = np.zeros((*x.shape[:2], CELLS), np.float32)
    order = range(x.shape[1])
    for t in reversed(order) if layer.go_backwards else order:
        before[:, t] = state[-1]
        _, new = layer.cell(x[:, t], state)
        state = [np.where(mask[:, t, None], n, s) for n, s in zip(new, state, strict=True)]
    return before


def make(case: Case) -> dict[str, Any]:
    """Record one layer, and give what the page gets of it, with the true state before each step."""
    name, kind, options, padded, started, window = case
    rng = np.random.default_rng(sum(map(ord, name)))
    layer = getattr(L, kind)(CELLS, return_sequences=True, name="layer", **options)
    inputs = keras.Input((None, FEATURES))
    count = 2 if kind == "LSTM" else 1
    starts = [keras.Input((CELLS,)) for _ in range(count)] if started else []
    masked = L.Masking()
    outputs = layer(
        masked(inputs) if padded else inputs,
        initial_state=starts or None,
        mask=masked.compute_mask(inputs) if padded else None,
    )
    model = keras.Model([inputs, *starts] if started else inputs, outputs)
    layer.set_weights(
        [1.5 * rng.normal(size=w.shape).astype(np.float32) for w in layer.get_weights()]
    )

    x = rng.normal(size=(EXAMPLES, TIMESTEPS, FEATURES)).astype(np.float32)
    mask = np.ones((EXAMPLES, TIMESTEPS), bool)
    if padded:
        mask[0, 5:] = mask[1, :2] = mask[1, 4] = False
        x[~mask] = 0
    state = [np.zeros((EXAMPLES, CELLS), np.float32) for _ in range(count)]
    if started:
        state = [rng.normal(size=s.shape).astype(np.float32) for s in state]
    if window:
        recorded = record(model, x[0], window=window)
        before = ends_of_windows(layer, x[0], window)
        mask = (np.arange(TIMESTEPS) >= window - 1)[None]
    else:
        recorded = record(model, [x, *state] if started else x)
        before = step_by_step(layer, x, mask, state)
    shown = GateInspector(recorded)
    (description,) = shown._layers
    dataset = recorded["layer"]
    return {
        "name": name,
        "layer": {**description, "check": {"tolerance": 1e-5}},
        "mask": mask.reshape(-1).astype(int).tolist(),
        "signals": {signal: by_cell(dataset[signal].values) for signal in SIGNALS[kind]},
        "before": by_cell(before),
        "initial": shown._text["layer"].get("initial", ""),
    }


def ends_of_windows(layer, text, window):
    """Give the last state before each timestep's own, when its window is read from zeros."""
    before = np.full((1, len(text), CELLS), np.nan, np.float32)
    zeros = [np.zeros((1, CELLS), np.float32)] * (2 if isinstance(layer, L.LSTM) else 1)
    for end in range(window, len(text) + 1):
        read = text[None, end - window : end]
        steps = step_by_step(layer, read, np.ones((1, window), bool), zeros)
        before[:, end - 1] = steps[:, -1]
    return before


def by_cell(values) -> list[list[float | None]]:
    """Give values (cell, column) as JSON holds them: the float32 in nine digits, None for NaN."""
    rows = values.reshape(-1, CELLS).T
    return [[None if math.isnan(v) else float(f"{v:.9g}") for v in row] for row in rows]


@pytest.fixture(scope="module")
def table() -> dict[str, dict[str, Any]]:
    return {case["name"]: case for case in json.loads(TABLE.read_text("utf-8"))}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_page_is_tested_on_what_keras_computes(case, table) -> None:
    made, kept = make(case), table[case.name]
    for name in ("layer", "mask", "initial"):
        assert made[name] == kept[name]
    for name in ("before", *kept["signals"]):
        rows = [c["before"] if name == "before" else c["signals"][name] for c in (made, kept)]
        new, old = (np.array(r, dtype=float) for r in rows)
        np.testing.assert_allclose(new, old, atol=1e-5)


def test_all_cases_are_in_the_table(table) -> None:
    assert list(table) == [case.name for case in CASES]


# -- what a person sets, and what the page is told --------------------------------------------------


def recording(shape=(3, 700, 4), kind="LSTM", signals=None, **more) -> Recording:
    rng = np.random.default_rng(5)
    names = SIGNALS[kind] if signals is None else signals
    values = {name: rng.normal(size=shape).astype(np.float32) for name in names}
    return Recording.from_layers([RecordedLayer("layer", kind, values, **more)])


def test_it_takes_what_every_widget_takes() -> None:
    shown = GateInspector(recording(), signal="forget_gate", cell=3, timestep=9, align="predict")
    assert (shown.signal, shown.cell, shown.timestep) == ("forget_gate", 3, 9)
    with pytest.raises(TypeError, match="'sort'"):
        GateInspector(recording(), sort="index")
    with pytest.raises(TraitError, match="cell: expected 0 to 3"):
        shown.cell = 4


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_the_page_is_told_how_a_layer_computes_and_reads(kind, backwards) -> None:
    (layer,) = GateInspector(recording(kind=kind, go_backwards=backwards))._layers
    assert (layer["kind"], layer["go_backwards"]) == (kind, backwards)
    assert layer["signals"] == list(SIGNALS[kind])


# -- what the page asks for ---------------------------------------------------------------------------


def ask(widget: GateInspector, **request: object) -> tuple[dict[str, Any], list[bytes]]:
    sent: list[tuple[dict[str, Any], list[bytes]]] = []
    widget.send = lambda content, buffers=None: sent.append((content, buffers or []))
    content = {"id": "1", "layer": "layer", "signal": "hidden_state", **request}
    widget._on_message(widget, content, [])
    return sent[0]


@pytest.mark.parametrize("shape", [(3, 700, 4), (1, 2100, 4), (700, 3, 4)])
@pytest.mark.parametrize("stored", [False, True])
def test_series_are_the_numbers_of_the_arrays(shape, stored, tmp_path) -> None:
    made = recording(shape)
    if stored:
        made.save(tmp_path / "made.zarr")
        made = open_recording(tmp_path / "made.zarr")
    wanted = [[0, 0], [3, 1], [2, 4]]
    reply, buffers = ask(GateInspector(made), series=wanted)
    assert reply["series"] == wanted
    dataset = recording(shape)["layer"]
    assert len(buffers) == len(wanted)
    for (cell, block), found in zip(wanted, buffers, strict=True):
        rows = [dataset[s].values.reshape(-1, 4)[:, cell] for s in SIGNALS["LSTM"]]
        expected = np.stack(rows)[:, block * BLOCK : (block + 1) * BLOCK]
        assert found == expected.tobytes()


def test_series_leave_out_what_was_not_recorded_and_the_mask() -> None:
    mask = np.ones((3, 700), bool)
    mask[:, 600:] = False
    shown = GateInspector(recording(signals=("hidden_state", "forget_gate"), mask=mask))
    _, (found,) = ask(shown, series=[[1, 0]])
    assert len(found) == 2 * BLOCK * 4


def test_series_make_no_tiles_of_other_signals(monkeypatch) -> None:
    made = recording((1, 20_000, 8))
    shown = GateInspector(made)
    built: list[str] = []
    tiles = recording_widget.tiles_of

    def counted(of, layer, signal):
        built.append(signal)
        return tiles(of, layer, signal)

    monkeypatch.setattr(recording_widget, "tiles_of", counted)
    ask(shown, series=[[cell, 3] for cell in range(8)])
    assert set(built) == {"hidden_state"}


def test_series_of_both_directions_are_those_of_each() -> None:
    parts = ["both/forward", "both/backward"]
    layers = []
    for part in parts:
        rng = np.random.default_rng(len(part))
        values = {s: rng.normal(size=(2, 600, 3)).astype(np.float32) for s in SIGNALS["GRU"]}
        layers.append(RecordedLayer(part, "GRU", values, go_backwards=part == parts[1]))
    made = Recording.from_layers(layers)
    shown = GateInspector(made)
    assert shown._layers[0]["go_backwards"] is False
    _, buffers = ask(shown, layer="both", series=[[cell, 1] for cell in range(6)])
    for cell, found in enumerate(buffers):
        dataset = made[parts[cell // 3]]
        rows = [dataset[s].values.reshape(-1, 3)[512:1024, cell % 3] for s in SIGNALS["GRU"]]
        assert found == np.stack(rows).tobytes()
    reply, _ = ask(shown, layer="both", series=[[6, 0]])
    assert "error" in reply


@pytest.mark.parametrize("wanted", [[[4, 0]], [[0]], ["x"], [["x", 0]], 7])
def test_nonsense_is_answered_with_an_error(wanted) -> None:
    reply, buffers = ask(GateInspector(recording()), series=wanted)
    assert reply["error"]
    assert buffers == []


def test_series_come_after_all_else() -> None:
    shown = GateInspector(recording())
    both = {"values": [1, 5, 9], "similarity": 2}
    _, alone = ask(shown, series=[[1, 1]])
    _, buffers = ask(shown, **both, series=[[1, 1]])
    assert len(buffers) == 3
    assert buffers[2:] == alone


if __name__ == "__main__":
    TABLE.write_text(json.dumps([make(case) for case in CASES]) + "\n", "utf-8")
