"""Probes: numbers against scikit-learn, evidence against planted stores, hold-out against leaks."""

from __future__ import annotations

import sys
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lstm_widgets as lw
from lstm_widgets.analysis import blocks, probing
from lstm_widgets.analysis.probes import folds, probed, tables
from lstm_widgets.analysis.probes.readouts import PENALTIES
from lstm_widgets.recording import RecordedLayer, Recording
from lstm_widgets.recording.times import standard_times

RNG = np.random.default_rng(0)


def recording_of(states, mask=None, times=None):
    states = np.asarray(states, np.float32)
    if times is not None:
        times = standard_times(times, *states.shape[:2])
    layer = RecordedLayer("lstm", "LSTM", {"cell_state": states}, mask, times=times)
    return Recording.from_layers([layer])


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


def test_groups_padding_and_missing_values_are_those_of_scikit_learn():
    group = np.repeat(np.arange(5), 2)
    x = RNG.normal(size=(10, 30, 4))
    mask = np.ones((10, 30), bool)
    mask[3, 20:] = False
    y = x[..., 0] + 0.3 * RNG.normal(size=(10, 30)) + group[:, None]
    y[5, 7:11] = np.nan
    names = np.array([f"basin {k}" for k in group])
    found = lw.probe(recording_of(x, mask), {"y": y}, groups=names, folds=9, gap=0, shifts=0)
    there = mask & ~np.isnan(y)
    x = x.astype(np.float32).astype(np.float64)[there]
    block = np.broadcast_to(group[:, None], mask.shape)[there]
    # (At half a timestep, groups are never near each other.)
    expected, _ = by_scikit_learn(x, y[there], block, 0.5)
    assert found.prediction["y"].to_numpy()[there] == pytest.approx(expected, abs=1e-6)
    assert np.isnan(found.prediction["y"].to_numpy()[~there]).all()
    each = found.score[found.score["protocol"] == "whole state"]
    assert each["held_out"].tolist() == [f"basin {k}" for k in range(5)]
    assert "5 groups each in turn" in repr(found)


def captured(monkeypatch):
    """Keep what a probe fits."""
    kept = []
    add = tables.ProbeTables.add

    def keep(self, designs, fitted, *rest):
        kept.append((designs, fitted))
        add(self, designs, fitted, *rest)

    monkeypatch.setattr(tables.ProbeTables, "add", keep)
    return kept


@pytest.mark.parametrize("period", [0, 40])
def test_moved_targets_are_scored_as_scikit_learn_scores_them(monkeypatch, period):
    n, kept = 400, captured(monkeypatch)
    x = slow((n, 4), RNG).astype(np.float32)
    y = x[:, 1] + slow(n, RNG)
    lw.probe(recording_of(x[None]), {"y": y[None]}, gap=9, shifts=3, period=period)
    ((_, fitted),) = kept
    moved = fitted.target.columns(slice(None))
    assert moved.shape == (n, 4)
    assert moved[:, 0] + fitted.target.mean == pytest.approx(y)
    scores = fitted.scores(0)
    for column, score in zip(moved.T, scores, strict=True):
        expected, _ = by_scikit_learn(
            x.astype(np.float64), column, np.repeat(np.arange(5), n // 5), 9
        )
        assert score == pytest.approx(sklearn.metrics.r2_score(column, expected), abs=1e-6)


def test_best_set_and_best_cell_are_those_that_were_planted():
    n = 600
    x = slow((n, 12), RNG)
    x[:, 9] = x[:, 3]  # a copy adds nothing
    y = 2 * x[:, 3] + x[:, 5] + 0.1 * RNG.normal(size=n)
    found = lw.probe(recording_of(x[None]), {"y": y[None]}, shifts=60)
    assert row(found, "best set")["cells"] == (3, 5)
    assert row(found, "best cell")["cells"] == (3,)
    assert row(found)["cells"] is None
    assert row(found, "best set")["score"] > 0.98 > row(found, "best cell")["score"] > 0.5
    assert row(found, "best set")["p_value"] == pytest.approx(1 / 61)
    # One cell by least squares, selected and fitted on what isn't held out.
    each = found.score[found.score["protocol"] == "best cell"]
    gap = found.table.attrs["gap"]
    for k, score in enumerate(each["score"]):
        at = np.arange(n)
        out = (at >= k * 120) & (at < (k + 1) * 120)
        train = (at <= k * 120 - gap) | (at >= (k + 1) * 120 - 1 + gap)
        line = np.polynomial.Polynomial.fit(x[train, 3], y[train], 1)
        assert score == pytest.approx(sklearn.metrics.r2_score(y[out], line(x[out, 3])), abs=1e-4)


def test_nothing_is_read_from_slow_states_that_a_shuffled_split_would_praise():
    n = 800
    x, y = np.cumsum(RNG.normal(size=(n, 40)), axis=0), np.cumsum(RNG.normal(size=n))
    shuffled = KFold(5, shuffle=True, random_state=0)
    model = make_pipeline(StandardScaler(), RidgeCV(PENALTIES * n))
    assert cross_val_predict(model, x, y, cv=shuffled) @ y / (y @ y) > 0
    assert sklearn.metrics.r2_score(y, cross_val_predict(model, x, y, cv=shuffled)) > 0.8
    found = lw.probe(recording_of(x[None]), {"y": y[None]}, shifts=40)
    for protocol in ("whole state", "best set", "best cell"):
        assert row(found, protocol)["score"] < 0.2
        assert not row(found, protocol)["p_value"] < 0.05


def test_windows_that_overlap_are_one_series():
    n, width = 300, 20
    series = np.cumsum(RNG.normal(size=n))
    y = np.stack([series[k : k + width] for k in range(n - width)])
    # Cells that know nothing but which window it is, and where.
    x = np.cumsum(RNG.normal(size=(n - width, 8)), axis=0)[:, None] + RNG.normal(size=(1, width, 8))
    found = lw.probe(recording_of(x), {"y": y}, step=1, shifts=0)
    assert "20 timesteps apart (the window)" in repr(found)
    assert row(found)["score"] < 0.2
    fold = found.score[found.score["protocol"] == "whole state"]
    assert fold["timesteps"].sum() == y.size
    # Each timestep of the series is held out by one fold, in whichever windows it stands.
    assert fold["held_out"].iloc[0].startswith("0 to ")


# What is seasonal -----------------------------------------------------------------------------------


def seasons(years, rng, days=90):
    """A store that fills in the cold and empties in the warm, and states that only know the season."""
    day = np.arange(years * days)
    cold = -np.sin(2 * np.pi * day / days)
    weather = np.repeat(rng.uniform(0.6, 1.4, years), days)
    snow = np.zeros(len(day))
    for t in range(1, len(day)):
        snow[t] = max(0.0, snow[t - 1] + (weather[t] if cold[t] > 0 else -3))
    phases = 2 * np.pi * rng.random(6)
    states = np.sin(2 * np.pi * day[:, None] / days + phases) + 0.05 * rng.normal(
        size=(len(day), 6)
    )
    return snow, states


def test_the_calendar_does_what_a_season_can_and_skill_tells():
    snow, states = seasons(12, RNG)
    told = {"snow": snow[None]}
    season = lw.probe(recording_of(states[None]), told, period=90, shifts=100)
    assert row(season)["score"] > 0.5  # it looks like a finding
    assert row(season, "calendar")["score"] > 0.5
    assert row(season)["skill"] < 0.1
    assert row(season)["anomaly_score"] < 0.1
    assert row(season)["p_value"] > 0.05
    assert row(season, "null")["score"] > 0.4
    assert row(season, "calendar")["skill"] == 0
    # Circular shifts would be taken in: any season fits another one.
    assert row(lw.probe(recording_of(states[None]), told, period=0, shifts=100))["score"] > 0.5

    states[:, 4] = snow / 20 + 0.05 * RNG.normal(size=len(snow))
    store = lw.probe(recording_of(states[None]), told, period=90, shifts=100)
    assert row(store)["score"] > 0.95
    assert row(store)["skill"] > 0.8
    assert row(store)["anomaly_score"] > 0.5
    assert row(store)["p_value"] == row(store)["anomaly_p_value"] == pytest.approx(1 / 101)
    assert row(store, "best cell")["cells"] == (4,)


def test_calendar_is_the_mean_by_phase_of_what_is_not_held_out():
    years, days = 10, 4
    y = RNG.normal(size=days) * 10 + RNG.normal(size=(years, days))
    found = lw.probe(
        recording_of(RNG.normal(size=(1, y.size, 2))),
        {"y": y.reshape(1, -1)},
        period=4,
        gap=0,
        shifts=0,
    )
    # Phases that are four different numbers aren't smoothed, and each fold holds two years out.
    expected = np.concatenate(
        [np.tile(np.delete(y, [k, k + 1], 0).mean(0), 2) for k in range(0, 10, 2)]
    )
    squares = ((y.ravel() - expected) ** 2).sum()
    score = 1 - squares / ((y - y.mean()) ** 2).sum()
    assert row(found, "calendar")["score"] == pytest.approx(score, abs=1e-6)
    read = found.prediction["y"].to_numpy().ravel()
    skill = 1 - ((y.ravel() - read) ** 2).sum() / squares
    assert row(found)["skill"] == pytest.approx(skill, abs=1e-6)


def test_whole_years_are_exchanged_in_phase(monkeypatch):
    kept = captured(monkeypatch)
    times = pd.date_range("1990-10-01", "1999-03-01", freq="D")
    water_year = (times - pd.DateOffset(months=9)).year.to_numpy()
    # What it is tells year and day.
    y = water_year * 1000.0 + times.day_of_year.to_numpy()
    y[100:130] = np.nan
    recording = recording_of(RNG.normal(size=(1, len(y), 2)), times=times)
    lw.probe(recording, {"y": y[None]}, shifts=20)
    ((_, fitted),) = kept
    there = np.isfinite(y)
    moved = fitted.target.columns(slice(None))[:, 1:] + fitted.target.mean
    year, day = np.divmod(np.rint(moved), 1000)
    apart = np.abs(day - times.day_of_year.to_numpy()[there, None])
    apart = np.minimum(apart, 365 - apart)
    # A day more or less in leap years; at the rims of years, and of what is missing, the nearest there is.
    assert np.mean(apart <= 1) > 0.95
    for column in year.T:
        given = [np.unique(column[water_year[there] == one]) for one in range(1990, 1998)]
        assert np.mean([len(each) == 1 for each in given]) > 0.5
    assert (year != water_year[there, None]).mean() > 0.5


def test_few_years_are_never_left_as_they_are(monkeypatch):
    kept = captured(monkeypatch)
    y = np.arange(90.0)
    y[70:] += 0.5
    lw.probe(recording_of(RNG.normal(size=(1, 90, 2))), {"y": y[None]}, period=30, gap=0, shifts=9)
    ((_, fitted),) = kept
    moved = fitted.target.columns(slice(None))[:, 1:] + fitted.target.mean
    own = (np.arange(90) // 30)[:, None]
    assert (np.rint(moved - 0.25) // 30 != own).all()
    assert fitted.target.null.reason == "3 cycles of 30 timesteps only"


def test_days_are_those_of_the_clock_of_the_place():
    times = pd.date_range("2020-03-20", "2020-04-08", freq="h", tz="Europe/Berlin")
    y = (times.hour.to_numpy() == 7).astype(float)  # also after the clock was put forward
    recording = recording_of(RNG.normal(size=(1, len(y), 2)), times=times)
    assert recording["lstm"].time.attrs["time_zone"] == "Europe/Berlin"
    found = lw.probe(recording, {"y": y[None]}, period="day", gap=0, shifts=0)
    assert row(found, "calendar")["score"] == pytest.approx(1)


# Yes or no ------------------------------------------------------------------------------------------


def test_yes_no_is_a_logistic_regression_of_scikit_learn():
    n = 500
    x = slow((n, 5), RNG).astype(np.float32)
    yes = x[:, 0] + x[:, 2] + 0.5 * RNG.normal(size=n) > 0.5
    found = lw.probe(recording_of(x[None]), {"on": yes[None]}, gap=11, shifts=40)
    block = np.repeat(np.arange(5), n // 5)
    _, penalties = by_scikit_learn(x.astype(np.float64), 2.0 * yes - 1, block, 11)
    each = found.score[found.score["protocol"] == "whole state"]
    assert each["penalty"].tolist() == pytest.approx(penalties)
    expected = np.empty(n)
    for k, penalty in enumerate(penalties):
        out = np.flatnonzero(block == k)
        train = np.abs(out[:, None] - np.arange(n)).min(axis=0) >= 11
        model = make_pipeline(StandardScaler(), LogisticRegression(C=4 / penalty, tol=1e-8))
        model.fit(x[train].astype(np.float64), yes[train])
        expected[out] = model.predict_proba(x[out].astype(np.float64))[:, 1]
        score = sklearn.metrics.roc_auc_score(yes[out], expected[out])
        assert each["score"].iloc[k] == pytest.approx(score, abs=1e-3)
    assert found.prediction["on"].to_numpy()[0] == pytest.approx(expected, abs=1e-3)
    assert row(found)["score"] > 0.9
    assert row(found)["p_value"] == pytest.approx(1 / 41)
    assert row(found, "null")["score"] == pytest.approx(0.5, abs=0.1)
    assert set(row(found, "best set")["cells"]) == {0, 2}


def test_a_logistic_regression_on_some_of_the_timesteps_says_so(monkeypatch):
    n = 600
    x = slow((n, 3), RNG).astype(np.float32)
    yes = x[:, 0] + 0.5 * RNG.normal(size=n) > 0.5
    concepts = {"on": yes[None], "number": x[None, :, 1]}
    recording = recording_of(x[None])
    whole = lw.probe(recording, concepts, gap=11, shifts=20)
    assert "one in" not in repr(whole)
    monkeypatch.setattr(probed, "_KEPT_VALUES", 500)
    monkeypatch.setattr(probed, "_NULL_TIMESTEPS", 50)
    found = lw.probe(recording, concepts, gap=11, shifts=20)
    for told in (repr(found), found._repr_html_()):
        assert (
            "logistic regressions are fitted on one in 4 timesteps, evenly spaced: 150 of" in told
        )
        assert "p-values of yes/no concepts count one in 12 timesteps" in told
    assert "one in" not in repr(lw.probe(recording, {"number": x[None, :, 1]}, shifts=20))
    # Each fourth it is: so scikit-learn does it, with the penalties that were chosen.
    block = np.repeat(np.arange(5), n // 5)
    each = found.score[found.score["protocol"] == "whole state"]
    each = each[each["concept"] == "on"]
    for k, penalty in enumerate(each["penalty"]):
        out = np.flatnonzero(block == k)
        train = np.abs(out[:, None] - np.arange(n)).min(axis=0) >= 11
        some = train & (np.arange(n) % 4 == 0)
        strength = 4 / (penalty * some.sum() / train.sum())
        fitted = make_pipeline(StandardScaler(), LogisticRegression(C=strength, tol=1e-8))
        fitted.fit(x[some].astype(np.float64), yes[some])
        expected = fitted.predict_proba(x[out].astype(np.float64))[:, 1]
        assert found.prediction["on"].to_numpy()[0, out] == pytest.approx(expected, abs=1e-3)


def test_a_class_that_a_fold_never_saw_is_no_error():
    yes = np.zeros(100, bool)
    yes[:9] = True
    found = lw.probe(
        recording_of(RNG.normal(size=(1, 100, 2))), {"on": yes[None]}, gap=0, shifts=10
    )
    assert np.isnan(found.score["score"][1:5]).all()
    assert np.isfinite(found.prediction["on"]).all()


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    recording = recording_of(RNG.normal(size=(1, 50, 2)))
    with pytest.raises(ModuleNotFoundError, match=r'pip install "lstm-widgets\[analysis\]"'):
        lw.probe(recording, {"on": np.arange(50)[None] > 20})
    lw.probe(recording, {"number": np.arange(50.0)[None]}, shifts=0)


# Lags, and what is hard -----------------------------------------------------------------------------


def test_the_state_tells_what_was():
    y = slow(400, RNG, keep=0.5)
    x = RNG.normal(size=(400, 3))
    x[3:, 1] = y[:-3]
    found = lw.probe(recording_of(x[None]), {"y": y[None]}, lags=range(5), shifts=20)
    assert row(found)["lag"] == 3
    assert row(found)["score"] > 0.999
    # It stands where the concept does; at each lag there has to be a value.
    said = found.prediction["y"].to_numpy()[0]
    assert said[1:397] == pytest.approx(y[1:397], abs=0.05)
    assert np.isnan(said[397:]).all()
    assert lw.probe(recording_of(x[None]), {"y": y[None]}, lags=3, shifts=0).table.attrs[
        "lags"
    ] == [*(0, -1, 1, -2, 2, -3, 3)]


def test_nothing_to_tell_is_told():
    x = RNG.normal(size=(1, 60, 3))
    x[..., 2] = 4.0  # a cell that never changes
    said = {
        "same": np.full((1, 60), 3.0),
        "missing": np.full((1, 60), np.nan),
        "never": np.zeros((1, 60), bool),
        "number": x[..., 0],
    }
    found = lw.probe(recording_of(x), said, shifts=10)
    assert found.table["concept"].unique().tolist() == list(said)
    for concept, reason in (
        ("same", "3 everywhere"),
        ("missing", "nothing is said"),
        ("never", "no example"),
    ):
        assert row(found, concept=concept)["reason"] == reason
        assert np.isnan(row(found, concept=concept)["score"])
        assert np.isnan(row(found, concept=concept)["p_value"])
    assert row(found, concept="number")["score"] > 0.99
    assert np.isnan(found.prediction["missing"]).all()


def test_states_that_are_not_finite_are_left_out():
    x = RNG.normal(size=(1, 100, 3))
    y = x[..., 0].copy()
    x[0, 30:50, 1] = np.nan
    found = lw.probe(recording_of(x), {"y": y}, shifts=10)
    assert "20 timesteps are left out" in repr(found)
    assert np.isnan(found.prediction["y"].to_numpy()[0, 30:50]).all()
    assert row(found)["timesteps"] == 80
    assert row(found)["score"] > 0.99
    x[...] = np.inf
    with pytest.raises(ValueError, match="finite"):
        lw.probe(recording_of(x), {"y": y})


def test_groups_with_one_member_and_few_groups():
    x = RNG.normal(size=(1, 9, 2))
    found = lw.probe(recording_of(x), {"y": x[..., 0]}, groups=[*"aaaabbbbc"], gap=0, shifts=0)
    each = found.score[found.score["protocol"] == "whole state"]
    assert each["timesteps"].tolist() == [4, 4, 1]
    assert np.isnan(each["score"].iloc[2])
    assert np.isfinite(row(found)["score"])
    two = lw.probe(recording_of(x), {"y": x[..., 0]}, groups=[*"aaaaabbbb"], gap=0, shifts=0)
    assert "2 folds only" in repr(two)
    assert (two.score["penalty"] > 0).all()  # chosen inside of the one group that is left


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"groups": ["a"] * 3}, ValueError, "got 'a' only"),
        ({"groups": ["a"] * 5}, ValueError, "one label for each of 3 examples, or for each of 20"),
        ({"groups": "year"}, ValueError, "the recording has none"),
        ({"groups": "basin"}, ValueError, "'year', 'month', 'week', 'day'"),
        ({"groups": 3}, TypeError, "one label for each example"),
        ({"period": "season"}, ValueError, "'year'"),
        ({"period": "year"}, ValueError, "give a number of timesteps"),
        ({"period": 1}, ValueError, "2 timesteps or more"),
        ({"period": True}, TypeError, "got True"),
        ({"signal": "input_gate"}, ValueError, "'cell_state' of layer 'lstm'"),
        ({"cells": [0, 2]}, ValueError, "below 2, got 2"),
        ({"cells": [0, 0]}, ValueError, "different ones"),
        ({"folds": 1}, ValueError, "folds"),
        ({"gap": -1}, ValueError, "gap"),
        ({"shifts": -1}, ValueError, "shifts"),
        ({"step": 20, "gap": 60}, ValueError, "leave nothing to fit"),
        ({"layer": "gru"}, lw.LayerNotFoundError, "'lstm'"),
    ],
)
def test_errors_name_what_came(options, error, told):
    recording = recording_of(RNG.normal(size=(3, 20, 2)))
    with pytest.raises(error, match=told):
        lw.probe(recording, {"y": RNG.normal(size=(3, 20))}, **options)


def test_one_timestep_and_too_few():
    for n in (1, 7):
        with pytest.raises(ValueError, match=f"{n} different timesteps"):
            lw.probe(recording_of(np.ones((1, n, 2))), {"y": np.arange(float(n))[None]}, shifts=0)


def test_cells_can_be_chosen():
    x = RNG.normal(size=(1, 200, 5))
    found = lw.probe(recording_of(x), {"y": x[..., 4] + x[..., 0]}, cells=[4, 2], shifts=0)
    assert row(found, "best cell")["cells"] == (4,)
    assert row(found)["score"] == pytest.approx(0.5, abs=0.15)


# What it gives --------------------------------------------------------------------------------------


def test_opened_from_a_file_it_is_the_same_and_a_track_for_every_view(tmp_path):
    times = pd.date_range("2001-01-01", periods=120, freq="D")
    x = slow((120, 4), RNG)
    recording = recording_of(x[None], times=times)
    said = {"number": x[None, :, 0], "yes": x[None, :, 1] > 0}
    one = lw.probe(recording, said, shifts=20)
    recording.save(tmp_path / "series.zarr")
    other = lw.probe(lw.open_recording(tmp_path / "series.zarr"), said, shifts=20)
    pd.testing.assert_frame_equal(one.table, other.table)
    pd.testing.assert_frame_equal(one.score, other.score)
    xr.testing.assert_identical(one.prediction, other.prediction)
    assert one.prediction["number"].dims == ("example", "timestep")
    assert (one.prediction.time.to_numpy() == times.to_numpy()).all()
    assert one.score["held_out"][0] == "2001-01-01 to 2001-01-24"
    lw.CellGrid(recording, tracks=one.prediction)
    again = lw.concepts.tracks(recording, one.prediction)
    assert (again["number"] == one.prediction["number"]).all()
    table = lw.rank_cells(recording, one.prediction[["number"]], signals="cell_state", shifts=0)
    assert table["cell"][0] == 0


def test_it_can_be_read():
    x = slow((200, 3), RNG)
    found = lw.probe(recording_of(x[None]), {"<b>": x[None, :, 1]}, period=50, shifts=20)
    told = repr(found)
    for part in (
        "5 blocks in time",
        "the calendar repeats after 50 timesteps",
        "best cell (1)",
        "R²",
    ):
        assert part in told
    assert "&lt;b&gt;" in found._repr_html_()
    assert "<b>" not in found._repr_html_()


def test_interrupted_it_keeps_what_is_done(monkeypatch):
    x = RNG.normal(size=(1, 100, 3))
    said = {"a": x[..., 0], "b": x[..., 1], "c": np.where(x[..., 2] > 1, np.nan, x[..., 2])}
    whole = lw.probe(recording_of(x), said, shifts=10)
    fitted = []

    class Interrupted(probing.FittedTarget):
        def __init__(self, *given, **more):
            if len(fitted) == 1:
                raise KeyboardInterrupt
            fitted.append(given)
            super().__init__(*given, **more)

    monkeypatch.setattr(probing, "FittedTarget", Interrupted)
    with pytest.warns(UserWarning, match="interrupted: 1 concept is probed"):
        found = lw.probe(recording_of(x), said, shifts=10)
    assert not found.table.attrs["complete"]
    assert list(found.prediction) == ["a"]
    pd.testing.assert_frame_equal(found.table, whole.table.iloc[: len(found.table)])
    with pytest.raises(KeyboardInterrupt):
        lw.probe(recording_of(x), said, shifts=10)


def test_memory_is_that_of_a_block(monkeypatch):
    monkeypatch.setattr(blocks, "ROW_VALUES", 1 << 14)
    x = RNG.normal(size=(1, 40_000, 32)).astype(np.float32)
    recording, said = recording_of(x), {"y": x[..., 0].astype(np.float64)}
    lw.probe(recording_of(x[:, :500]), {"y": said["y"][:, :500]}, shifts=0)
    tracemalloc.start()
    lw.probe(recording, said, gap=10, shifts=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Some numbers a timestep, but none for each cell, for which float64 would need 256 bytes.
    assert peak < 40_000 * 200 + 8_000_000


# Folds ----------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(
    st.integers(1, 3),
    st.integers(2, 6),
    st.integers(0, 12),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_what_is_fitted_stays_away_from_what_is_held_out(lines, count, gap, grouped, seed):
    rng = np.random.default_rng(seed)
    n = 60 * lines
    line = np.repeat(np.arange(lines), 60)
    at = np.tile(np.cumsum(rng.integers(1, 4, 60)), lines).astype(float)
    order = rng.permutation(n)
    line, at = line[order], at[order]
    if grouped:
        _, group = np.unique(rng.integers(0, count + 3, n), return_inverse=True)
        count = min(count, int(group.max()) + 1)
        names = [str(k) for k in range(int(group.max()) + 1)]
        cut = folds.cut_into_groups(line, at, group=group, count=count, gap=gap, names=names)
    else:
        cut = folds.cut_in_time(line, at, count=count, gap=gap)
    assert cut.count == count

    def distance(one, other):
        same = line[one][:, None] == line[other]
        apart = np.abs(at[one][:, None] - at[other])
        return np.where(same, apart, np.inf).min(axis=1, initial=np.inf)

    seen = np.zeros(n, int)
    for fold in range(count):
        out = cut.held_out(fold)[cut.atom]
        train = cut.training(fold)[cut.atom]
        seen += out
        assert out.any()
        assert not (out & train).any()
        assert (train == ((distance(np.arange(n), np.flatnonzero(out)) >= gap) & ~out)).all()
        if grouped:
            assert not set(group[out]) & set(group[~out])
        held = np.zeros(n, int)
        for parts in cut.inner(fold):
            fitted, inner = (part[cut.atom] for part in parts)
            held += inner
            assert train[fitted | inner].all()
            assert (distance(np.flatnonzero(fitted), np.flatnonzero(inner)) >= gap).all()
        assert held.max(initial=0) <= 1
    assert (seen == 1).all()


def test_moved_tracks_of_two_examples_are_circularly_shifted(monkeypatch):
    kept = captured(monkeypatch)
    y = np.arange(120.0).reshape(2, 60)
    lw.probe(recording_of(RNG.normal(size=(2, 60, 2))), {"y": y}, groups=["a", "b"], shifts=8)
    ((_, fitted),) = kept
    moved = np.rint(fitted.target.columns(slice(None))[:, 1:] + fitted.target.mean).astype(int)
    for column in moved.T:
        assert (np.sort(column) == np.arange(120)).all()
        for half in (column[:60], column[60:]):
            assert (np.diff(half) % 60 == 1).all()
