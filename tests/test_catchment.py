"""The catchment loses no water, its seasons are plausible, and the same seed draws the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_widgets.datasets.catchment import (
    INPUTS,
    STORES,
    UNITS,
    Parameters,
    build_model,
    generate,
    simulate,
    train,
    weather,
)

parameters = st.builds(
    Parameters,
    threshold=st.floats(-2, 2),
    degree_day=st.floats(0, 10),
    capacity=st.floats(1, 500),
    shape=st.floats(0, 6),
    wet=st.floats(0.01, 1),
    percolation=st.floats(0, 20),
    fast_rate=st.floats(0, 1),
    slow_rate=st.floats(0, 1),
)
day = st.tuples(st.floats(0, 200), st.floats(-40, 40), st.floats(0, 20))


@pytest.fixture(scope="module")
def days():
    return generate(20, seed=1)


@given(parameters, st.lists(day, min_size=1, max_size=40))
@settings(deadline=None)
def test_no_water_is_lost_and_no_store_is_overdrawn(of, rows):
    falls = pd.DataFrame(rows, columns=list(INPUTS))
    flows = simulate(falls, of)
    stored = flows[list(STORES)].sum(axis=1)
    gone = (flows.discharge + flows.actual_evaporation).cumsum()
    fallen = falls.precipitation.cumsum() + of.capacity * 2 / 3
    np.testing.assert_allclose(stored + gone, fallen, rtol=1e-12, atol=1e-9)
    assert (flows >= 0).all(axis=None)
    assert flows.soil.max() <= of.capacity * (1 + 1e-12)
    assert (flows.actual_evaporation <= falls.evaporation).all()
    frozen = falls.temperature < of.threshold
    before = flows.snow.shift(fill_value=0.0)
    np.testing.assert_allclose(
        flows.snow[frozen], (before + falls.precipitation)[frozen], rtol=1e-12
    )


def test_snow_waits_for_warmth():
    rows = [(10, -1, 0), (5, -0.1, 0), (0, 1, 0), (7, 3, 0), (0, 0, 0), (0, 2, 0)]
    flows = simulate(pd.DataFrame(rows, columns=list(INPUTS)))
    np.testing.assert_allclose(flows.snow, [10, 15, 12, 3, 3, 0])


def test_without_water_the_stores_empty_as_exponentials():
    rows = [(60, 5, 0)] + [(0, 5, 0)] * 50
    dry = Parameters(shape=0, percolation=0, fast_rate=0.2)  # all goes through, nothing seeps
    flows = simulate(pd.DataFrame(rows, columns=list(INPUTS)), dry)
    np.testing.assert_allclose(flows.discharge, 60 * 0.2 * 0.8 ** np.arange(51))
    np.testing.assert_allclose(flows.soil, 100)


def test_the_seasons_are_plausible(days):
    month = days.index.month
    mean = days.groupby(month).mean()
    assert mean.temperature.idxmin() in {1, 2}
    assert mean.temperature.idxmax() in {7, 8}
    assert -8 < mean.temperature.min() < 0
    assert 10 < mean.temperature.max() < 20
    assert mean.snow.idxmax() in {2, 3}
    assert mean.snow[7:9].max() < 1
    assert mean.soil.idxmin() in {7, 8, 9}
    assert mean.evaporation.max() > 5 * mean.evaporation.min()
    year = days.precipitation.groupby((days.index + pd.DateOffset(months=3)).year).sum()
    assert 600 < year.min() < year.max() < 1800
    wet = days.precipitation > 0
    assert 0.3 < wet.mean() < 0.6
    assert wet[1:][wet[:-1].to_numpy()].mean() > 1.5 * wet[1:][~wet[:-1].to_numpy()].mean()
    fell = days.precipitation[wet]
    assert fell.mean() > 1.2 * fell.median()
    anomaly = days.temperature - days.temperature.groupby(days.index.day_of_year).transform("mean")
    assert anomaly.autocorr(1) > 0.7


def test_winters_differ_so_that_the_snow_is_not_the_calendar(days):
    peaks = days.snow.groupby((days.index + pd.DateOffset(months=3)).year).max()
    assert peaks.quantile(0.9) > 3 * peaks.quantile(0.1)
    calendar = days.snow.groupby(days.index.day_of_year).transform("mean")
    assert np.corrcoef(calendar, days.snow)[0, 1] ** 2 < 0.6


def test_the_same_seed_draws_the_same(days):
    pd.testing.assert_frame_equal(days, generate(20, seed=1))
    other = generate(20, seed=2)
    assert not np.allclose(days.temperature, other.temperature)
    assert set(days) == set(UNITS)
    every = pd.date_range("2000-10-01", "2020-09-30", name="date")
    pd.testing.assert_index_equal(days.index, every, exact="equiv")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: weather(0, seed=1), "years: expected a positive whole number, got 0"),
        (lambda: Parameters(wet=0), "wet: expected more than 0, got 0"),
        (
            lambda: Parameters(fast_rate=1.5),
            "fast_rate: expected a finite number from 0 to 1, got 1.5",
        ),
        (lambda: Parameters(degree_day=-1), "degree_day"),
        (lambda: Parameters(threshold=np.inf), "threshold"),
        (lambda: simulate(weather(1, seed=1)[["precipitation"]]), "no 'temperature'"),
        (lambda: simulate(weather(1, seed=1).assign(evaporation=np.nan)), "evaporation has others"),
        (
            lambda: simulate(weather(1, seed=1).assign(precipitation=-1.0)),
            "precipitation of at least 0, got -1",
        ),
        (
            lambda: train(build_model(), np.zeros((99, 3)), np.zeros(99), steps=1),
            "455 days at least",
        ),
        (
            lambda: train(build_model(), np.zeros((500, 3)), np.zeros(499), steps=1),
            r"targets: expected shape \(500,\), got \(499,\)",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_training_teaches_the_same_model_twice():
    random = np.random.default_rng(0)
    inputs = random.normal(size=(120, 3))
    targets = inputs[:, 0] + np.roll(inputs[:, 1], 1)
    losses, said = [], []
    for _ in range(2):
        model = build_model(cells=4, window=6, seed=3)
        sizes = {"window": 6, "days": 10, "batch_size": 8, "dropout": 0.0}
        losses.append(train(model, inputs, targets, steps=80, learning_rate=0.05, seed=3, **sizes))
        windows = np.lib.stride_tricks.sliding_window_view(inputs, 6, axis=0).swapaxes(1, 2)
        said.append(model.predict(windows, verbose=0)[:, 0])
    np.testing.assert_allclose(*said, rtol=1e-4, atol=1e-5)
    assert np.mean(losses[0][-5:]) < 0.3 * np.mean(losses[0][:5])
    assert np.mean((said[0] - targets[5:]) ** 2) < 0.5 * targets.var()
