"""Screens of what is read block by block, against SciPy and plain loops over the whole."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, Recording, blockwise


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 40)),
    values=st.integers(1, 90),
    padded=st.sampled_from([0, 0.2, 0.9]),
    offset=st.sampled_from([0, 100]),
    seed=st.integers(0, 2**31),
)
def test_any_edges_of_blocks_give_the_same(shape, values, padded, offset, seed):
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) >= padded
    state = (rng.integers(-2, 3, (*shape, 2)) + offset + rng.random((*shape, 1))).astype(np.float32)
    state[..., 1] = 0.5
    gates = rng.random((*shape, 2)).astype(np.float32)
    signals = {"hidden_state": state, "forget_gate": gates}
    recording = Recording.from_layers([RecordedLayer("lstm", "LSTM", signals, mask)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blockwise, "BLOCK_VALUES", values)
        table = lw.screen_cells(recording, threshold=offset + 1.3, saturation=0.2)
    n = int(mask.sum())
    for cell, found in enumerate(table.itertuples()):
        if not n:
            assert found.reason == "no timestep"
            continue
        x, f = state[mask][:, cell].astype(float), gates[mask][:, cell].astype(float)
        assert found.forget_gate_left == pytest.approx(np.mean(f < 0.2))
        assert found.forget_gate_right == pytest.approx(np.mean(f > 0.8))
        assert found.time_constant == pytest.approx(1 / (1 - f.mean()), rel=1e-6)
        on = np.abs(state[..., cell]) >= np.float32(offset + 1.3)
        assert found.on == pytest.approx(on[mask].mean())
        runs, pairs = [], []
        for example in range(shape[0]):
            kept = mask[example]
            pairs += list(itertools.pairwise(state[example, kept, cell].astype(float)))
            runs += [len(list(run)) for is_on, run in itertools.groupby(on[example, kept]) if is_on]
        if runs:
            assert found.median_run == np.median(runs)
        else:
            assert np.isnan(found.median_run)
        if np.ptp(x) == 0:
            assert np.isnan([found.bimodality, found.persistence]).all()
            assert found.dead == (n > 1)
            continue
        assert not found.dead
        away = np.array(pairs).reshape(-1, 2).T - x.mean()
        lengths = (away[0] ** 2).sum() * (away[1] ** 2).sum()
        expected = (away[0] * away[1]).sum() / np.sqrt(lengths) if lengths else np.nan
        assert found.persistence == pytest.approx(expected, rel=1e-6, abs=1e-9, nan_ok=True)
        if n > 3:
            g, k = stats.skew(x, bias=False), stats.kurtosis(x, bias=False)
            expected = (g**2 + 1) / (k + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3)))
            assert found.bimodality == pytest.approx(expected, rel=1e-6)
