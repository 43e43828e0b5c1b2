"""Label-free screens, against plain loops and cells whose answer is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import lstm_widgets as lw
from lstm_widgets.analysis import blocks
from lstm_widgets.recording import RecordedLayer, Recording

RNG = np.random.default_rng(0)


def recording_of(signals, mask=None, kind="LSTM"):
    signals = {name: np.asarray(values, np.float32) for name, values in signals.items()}
    return Recording.from_layers([RecordedLayer("lstm", kind, signals, mask)])


def test_every_number(monkeypatch):
    mask = RNG.random((4, 60)) < 0.8
    mask[2] = False
    gates = RNG.random((2, 4, 60, 3))
    state = RNG.normal(size=(4, 60, 3)).cumsum(axis=1) / 5
    recording = recording_of(
        {"hidden_state": state, "input_gate": gates[0], "forget_gate": gates[1]}, mask
    )
    table = lw.screen_cells(recording, threshold=0.4, saturation=0.2)
    assert table.cell.tolist() == [0, 1, 2]
    for cell, found in enumerate(table.itertuples()):
        x, i, f = (v[mask][:, cell] for v in (state, *gates))
        assert found.input_gate_left == pytest.approx(np.mean(i < 0.2))
        assert found.input_gate_right == pytest.approx(np.mean(i > 0.8))
        assert found.forget_gate_right == pytest.approx(np.mean(f > 0.8))
        assert found.time_constant == pytest.approx(1 / (1 - f.mean()), rel=1e-5)
        assert found.on == pytest.approx(np.mean(np.abs(x) >= 0.4))
        assert not found.dead
        # Sample skewness and excess kurtosis by their textbook sums.
        n, z = len(x), (x - x.mean()) / x.std(ddof=1)
        g = n / ((n - 1) * (n - 2)) * (z**3).sum()
        k = n * (n + 1) / ((n - 1) * (n - 2) * (n - 3)) * (z**4).sum()
        k -= 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))
        bimodality = (g**2 + 1) / (k + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3)))
        assert found.bimodality == pytest.approx(bimodality, rel=1e-4)
        # Runs and pairs end with their example.
        runs, pairs = [], []
        for example in range(4):
            row = state[example, mask[example], cell]
            pairs += list(itertools.pairwise(row))
            length = 0
            for on in [*(np.abs(row) >= 0.4), False]:
                if on:
                    length += 1
                elif length:
                    runs.append(length)
                    length = 0
        assert found.median_run == np.median(runs)
        a, b = np.array(pairs).T - x.mean()
        expected = (a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum())
        assert found.persistence == pytest.approx(expected, rel=1e-4)
    monkeypatch.setattr(blocks, "_BLOCK_VALUES", 1)
    again = lw.screen_cells(recording, threshold=0.4, saturation=0.2)
    assert again.reason.tolist() == table.reason.tolist()
    for name in table.columns.drop(["layer", "reason"]):
        np.testing.assert_allclose(again[name], table[name])


def test_cells_whose_answer_is_known():
    n = 4000
    state = np.zeros((1, n, 5))
    state[0, :, 0] = (
        np.sign(np.sin((np.arange(n) + 0.5) * 2 * np.pi / 40)) * 0.9 + RNG.normal(size=n) * 0.05
    )
    state[0, :, 1] = RNG.normal(size=n)
    state[0, :, 2] = 0.2 + RNG.random(n) * 1e-3
    state[0, :, 3] = RNG.random(n)
    state[0, 7, 4] = np.nan
    keeps = np.broadcast_to([0.99, 0.5, 0.0, 1.0, 0.5], state.shape)
    table = lw.screen_cells(recording_of({"hidden_state": state, "update_gate": keeps}, kind="GRU"))
    assert table.bimodality[0] > 0.9
    assert table.bimodality[1] == pytest.approx(1 / 3, abs=0.03)
    assert table.bimodality[3] == pytest.approx(5 / 9, abs=0.02)
    assert table.persistence[0] == pytest.approx(0.9, abs=0.01)  # it turns twice in 40 timesteps
    assert abs(table.persistence[1]) < 0.05
    assert table.on[0] == 1
    assert table.median_run[0] == n
    assert np.isnan(table.median_run[2])
    assert table.dead.tolist() == [False, False, True, False, False]
    assert table.time_constant[:3].tolist() == pytest.approx([100, 2, 1], rel=1e-4)
    assert table.time_constant[3] == np.inf
    assert table.update_gate_right.tolist() == [1, 0, 0, 1, 0]
    assert table.loc[4, ["bimodality", "persistence", "median_run", "on"]].isna().all()


def test_what_is_refused():
    recording = recording_of({"hidden_state": np.zeros((1, 9, 2))})
    with pytest.raises(ValueError, match="signal: expected one of 'hidden_state' of layer 'lstm'"):
        lw.screen_cells(recording, signal="cell_state", layers="lstm")
    with pytest.raises(ValueError, match=r"signal: expected one of .*, got 'cell_state'"):
        lw.screen_cells(recording, signal="cell_state")
    with pytest.raises(ValueError, match="saturation"):
        lw.screen_cells(recording, saturation=0.6)
    with pytest.raises(ValueError, match="threshold"):
        lw.screen_cells(recording, threshold=0)


SHORT = [(1, 1, 2), (1, 2, 2), (1, 3, 2), (3, 1, 2), (1, 0, 2), (0, 4, 2)]


@pytest.mark.parametrize("shape", SHORT)
def test_what_is_too_short_is_nan_with_a_reason(shape):
    values = RNG.random(shape)
    gates = RNG.random(shape)
    table = lw.screen_cells(recording_of({"hidden_state": values, "forget_gate": gates}))
    n = shape[0] * shape[1]
    assert table.bimodality.isna().all() == (n < 4)
    assert table.persistence.isna().all() == (shape[1] < 2 or n == 0)
    assert table.forget_gate_left.isna().all() == (n == 0)
    assert (table.reason == "").all() == (n >= 4)
    assert not table.dead.any()
    for reason in table.reason:
        if n == 0:
            assert reason == "no timestep"
        elif n == 1:
            assert "1 timestep only: no bimodality" in reason
        elif shape == (3, 1, 2):
            assert "1 timestep an example: no persistence" in reason
        elif shape[0] == 1 < shape[1]:
            assert f"{n} timesteps only: no bimodality" in reason


def test_each_reason_names_what_is_missing():
    values = np.stack([np.full(50, 0.2), RNG.normal(size=50) / 50, RNG.normal(size=50)], axis=1)
    values = np.repeat(values[None], 4, axis=2)[:, :, [0, 4, 8, 9]]
    values[0, 7, 3] = np.inf
    table = lw.screen_cells(recording_of({"hidden_state": values}), threshold=0.5)
    assert table.reason.tolist() == [
        "never changes: no bimodality and persistence; never on: no median_run",
        "never on: no median_run",
        "",
        "values that aren't finite",
    ]


def test_a_layer_without_cells_gives_no_rows():
    table = lw.screen_cells(recording_of({"hidden_state": np.zeros((1, 5, 0))}))
    assert len(table) == 0
    assert {"bimodality", "dead", "reason"} <= set(table.columns)
