"""Probes: numbers against scikit-learn, evidence against planted stores, hold-out against leaks."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lstm_widgets as lw
from lstm_widgets.analysis.readouts import PENALTIES
from lstm_widgets.recording import RecordedLayer, Recording

RNG = np.random.default_rng(0)


def recording_of(states, mask=None, **more):
    states = np.asarray(states, np.float32)
    return Recording.from_layers(
        [RecordedLayer("lstm", "LSTM", {"cell_state": states}, mask)], **more
    )


def slow(shape, rng, keep=0.95):
    """Noise that changes slowly along its first axis."""
    noise = rng.normal(size=shape)
    for t in range(1, len(noise)):
        noise[t] = keep * noise[t - 1] + np.sqrt(1 - keep**2) * noise[t]
    return noise


def row(probe, protocol="whole state", concept=None):
    table = probe.table[probe.table["protocol"] == protocol]
    if concept is not None:
        table = table[table["concept"] == concept]
    assert len(table) == 1
    return table.iloc[0]


def by_scikit_learn(x, y, block, gap):
    """Predict every block of time: fitted on the others, at a distance, the penalty chosen by inner blocks."""
    at = np.arange(len(y))
    found, penalties = np.full(len(y), np.nan), []

    def apart(out):
        return np.array([np.abs(at[out] - t).min() >= gap for t in at])

    for one in np.unique(block):
        out = np.flatnonzero(block == one)
        train = np.flatnonzero(apart(out))
        splits = []
        for other in np.unique(block):
            if other != one:
                held = np.flatnonzero((block == other) & apart(out))
                fitted = np.flatnonzero(apart(out) & apart(np.flatnonzero(block == other)))
                splits.append((np.searchsorted(train, fitted), np.searchsorted(train, held)))
        ridge = RidgeCV(PENALTIES * len(train), cv=splits, scoring="neg_mean_squared_error")
        model = make_pipeline(StandardScaler(), ridge).fit(x[train], y[train])
        found[out] = model.predict(x[out])
        penalties.append(model[-1].alpha_)
    return found, penalties


def test_whole_state_is_that_of_scikit_learn():
    n = 400
    x = slow((n, 6), RNG).astype(np.float32)
    x[:, 5] = 2 * x[:, 4] + 100  # of no use, and far from 0
    y = x[:, 0] - 0.5 * x[:, 3] + slow(n, RNG) + 5
    found = lw.probe(recording_of(x[None]), {"y": y[None]}, gap=17, shifts=0)
    block = np.repeat(np.arange(5), n // 5)
    expected, penalties = by_scikit_learn(x.astype(np.float64), y, block, 17)
    assert found.prediction["y"].to_numpy()[0] == pytest.approx(expected, abs=1e-6)
    assert row(found)["score"] == pytest.approx(sklearn.metrics.r2_score(y, expected), abs=1e-6)
    each = found.score[found.score["protocol"] == "whole state"]
    assert each["penalty"].tolist() == pytest.approx(penalties)
    for k, score in enumerate(each["score"]):
        here = block == k
        assert score == pytest.approx(sklearn.metrics.r2_score(y[here], expected[here]), abs=1e-6)
    assert row(found)["r"] == pytest.approx(np.corrcoef(y, expected)[0, 1], abs=1e-6)
