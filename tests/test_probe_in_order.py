"""Of one series, a probe works out what follows from its dates where it is asked: with the same result."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_probe_in_blocks import expect_same, probe, slow

import lstm_widgets as lw
from lstm_widgets.analysis import blocks, timelines
from lstm_widgets.analysis.probes import asked, calendars, null_targets, predicted, probed, scored
from lstm_widgets.analysis.probes import numbered as numbered_rows
from lstm_widgets.analysis.probes.asked import Asked
from lstm_widgets.recording import RecordedLayer, Recording
from lstm_widgets.recording.times import standard_times

ZONES = [None, "Europe/Berlin"]


def dated(timesteps, *, seed=0, holes=False, padded=False, freq="D", zone=None, positions=None):
    """Make one series, of which some times may be missing, and concepts that its cells follow."""
    rng = np.random.default_rng(seed)
    times = pd.date_range("2001-03-01", periods=2 * timesteps, freq=freq, tz=zone)
    kept = np.arange(timesteps)
    if holes:
        kept = np.sort(rng.choice(timesteps + timesteps // 3, timesteps, replace=False))
    x = slow(timesteps, 4, rng)
    y = x[:, 3] + 0.5 * slow(timesteps, 1, rng)[:, 0]
    gone = np.where(rng.random(timesteps) < 0.1, np.nan, y)
    mask = None
    if padded:
        mask = rng.random((1, timesteps)) < 0.9
    layer = RecordedLayer(
        "lstm",
        "LSTM",
        {"hidden_state": x.astype(np.float32)[None]},
        mask,
        times=standard_times(times[kept], 1, timesteps),
        positions=positions,
    )
    return Recording.from_layers([layer]), {"y": y[None], "gone": gone[None]}


def looked_at_one_by_one(patch):
    """Let each timestep be looked at, as of several series."""
    of = Asked.of.__func__

    def plainly(cls, *args, **options):
        made = of(cls, *args, **options)
        assert made.plain
        object.__setattr__(made, "plain", False)
        return made

    patch.setattr(Asked, "of", classmethod(plainly))


@settings(max_examples=25)
@given(
    made=st.fixed_dictionaries(
        {
            "timesteps": st.integers(150, 1200),
            "seed": st.integers(0, 99),
            "holes": st.booleans(),
            "padded": st.booleans(),
            "freq": st.sampled_from(["D", "6h"]),
            "zone": st.sampled_from(ZONES),
        }
    ),
    options=st.sampled_from(
        [
            {},
            {"period": "year"},
            {"period": "week"},
            {"period": 40},
            {"period": 0},
            {"period": "day", "groups": "month"},
            {"groups": "year"},
            {"groups": "week", "gap": 9},
            {"gap": 30},
            {"lags": [0, 2]},
        ]
    ),
    stretch=st.integers(30, 400),
)
def test_what_is_worked_out_where_it_is_asked_is_the_same(made, options, stretch):
    recording, concepts = dated(**made)

    def found():
        try:
            one = probe(recording, concepts, folds=3, **options)
            # What never changes goes with nothing, or, as it is rounded, by next to nothing.
            tables = {name: getattr(one, name).copy() for name in ("table", "score")}
            for table in tables.values():
                table["r"] = table["r"].where(table["r"].abs() > 1e-9)
            return replace(one, **tables)
        except ValueError as error:  # of so few timesteps
            return str(error)

    with pytest.MonkeyPatch.context() as patch:
        looked_at_one_by_one(patch)
        expected = found()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numbered_rows, "STRETCH", stretch)
        patch.setattr(asked, "STRETCH", stretch)
        patch.setattr(null_targets, "STRETCH", stretch)
        mine = found()
    if isinstance(expected, str):
        assert mine == expected
    else:
        expect_same(mine, expected, 1e-9)


@pytest.mark.parametrize("groups", [None, "labels"])
def test_every_third_timestep_of_a_series_is_one_series(monkeypatch, groups):
    rng = np.random.default_rng(3)
    x = slow(600, 3, rng)
    layer = RecordedLayer(
        "lstm",
        "LSTM",
        {"hidden_state": x.astype(np.float32)[None]},
        positions=4 + 3 * np.arange(600),
    )
    recording = Recording.from_layers([layer])
    concepts = {"y": x[None, :, 1] + rng.normal(size=(1, 600))}
    labels = None if groups is None else np.repeat([*"abacbd"], 100)
    here = probe(recording, concepts, groups=labels, period=30)
    looked_at_one_by_one(monkeypatch)
    expect_same(here, probe(recording, concepts, groups=labels, period=30), 1e-9)


@pytest.mark.parametrize("options", [{}, {"groups": "month"}])
def test_dates_take_a_few_bytes_a_timestep(options, monkeypatch):
    monkeypatch.setattr(blocks, "ROW_VALUES", 1 << 14)
    monkeypatch.setattr(probed, "_KEPT_VALUES", 1 << 12)
    monkeypatch.setattr(predicted, "MANY_COLUMNS", 1 << 10)
    monkeypatch.setattr(scored, "_EXACT", 1 << 10)
    monkeypatch.setattr(timelines, "_REACH", 1 << 12)
    monkeypatch.setattr(null_targets, "_SAMPLED", 1 << 10)
    for module in (asked, null_targets, predicted, numbered_rows):
        monkeypatch.setattr(module, "STRETCH", 1 << 12)

    def peak(timesteps):
        recording, concepts = dated(timesteps, freq="h")
        told = lw.concepts.tracks(recording, {"yes": concepts["y"] > 1})
        monkeypatch.setattr(asked, "tracks", lambda *_, **__: told)
        tracemalloc.start()
        probe(recording, {}, shifts=4, period="day", **options)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(2000)  # what is imported and kept for good
    assert peak(120_000) - peak(60_000) < 60_000 * 14


def test_the_steps_of_a_period_are_few_bytes():
    recording, concepts = dated(900)
    one = Asked.of(
        recording, concepts, layer=None, signal="hidden_state", cells=None, groups=None, step=None
    )
    found = calendars.period_of(one, None)
    assert found.name == "year"
    assert found.bins.dtype == np.uint16
    assert found.last == 2
