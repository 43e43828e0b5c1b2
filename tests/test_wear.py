"""Machines wear out: damage adds up to 1, sensors follow it, and padding is no cycle."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lstm_widgets.datasets.wear import SENSORS, UNITS, arrays, build_model, generate, train


@pytest.fixture(scope="module")
def cycles():
    return generate(40, seed=1)


def test_every_machine_runs_until_its_damage_is_1(cycles):
    for _, run in cycles.groupby(level="machine"):
        assert run.damage.is_monotonic_increasing
        assert run.damage.iloc[-1] >= 1
        assert (run.damage.iloc[:-1] < 1).all()
        count = len(run)
        assert run.remaining.tolist() == list(range(count - 1, -1, -1))
        assert run.index.get_level_values("cycle").tolist() == list(range(count))
        assert 20 < count < 250


def test_damage_is_the_sum_of_what_cycles_do(cycles):
    for _, run in cycles.groupby(level="machine"):
        done = np.diff(run.damage, prepend=0.0)
        life = (run.load / 75) ** 3 / done
        np.testing.assert_allclose(life, life.iloc[0])
        assert 50 < life.iloc[0] < 125


def test_sensors_follow_load_and_damage(cycles):
    late, early = cycles[cycles.damage > 0.9], cycles[cycles.damage < 0.1]
    assert late.vibration.median() > 1.5 * early.vibration.median()
    assert late.temperature.mean() > early.temperature.mean()
    assert late.pressure.mean() < early.pressure.mean()
    assert np.corrcoef(early.load, early.temperature)[0, 1] > 0.3


def test_the_same_seed_draws_the_same(cycles):
    pd.testing.assert_frame_equal(cycles, generate(40, seed=1))
    assert list(cycles) == list(UNITS)
    assert not np.isclose(generate(40, seed=2).load.iloc[0], cycles.load.iloc[0])


def test_arrays_are_as_long_as_the_longest(cycles):
    some = cycles.loc[[3, 4, 9]]
    filled = arrays(some)
    lengths = [len(run) for _, run in some.groupby(level="machine")]
    assert filled.names == ["machine 3", "machine 4", "machine 9"]
    assert filled.sensors.shape == (3, max(lengths), len(SENSORS))
    assert filled.sensors.dtype == filled.remaining.dtype == filled.damage.dtype == np.float32
    for row, number in enumerate((3, 4, 9)):
        run = cycles.loc[number]
        held = len(run)
        np.testing.assert_allclose(filled.sensors[row, :held], run[list(SENSORS)], rtol=1e-6)
        np.testing.assert_allclose(filled.remaining[row, :held], run.remaining)
        np.testing.assert_allclose(filled.damage[row, :held], run.damage, rtol=1e-6)
        for values in (filled.sensors, filled.remaining, filled.damage):
            assert np.isnan(values[row, held:]).all()


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="machines: expected a positive whole number, got 0"):
        generate(0, seed=1)


def test_what_stands_at_padding_does_not_count(cycles):
    filled = arrays(cycles.loc[[0, 1, 2, 3]])
    scaled = (filled.sensors - 50) / 50
    said = []
    for padded in (filled.remaining / 100, np.nan_to_num(filled.remaining / 100, nan=7.0)):
        model = build_model(cells=3, seed=1)
        losses = train(model, scaled, padded, epochs=3, seed=1)
        said.append(model.predict(np.nan_to_num(scaled), verbose=0))
        assert np.isfinite(losses).all()
    np.testing.assert_allclose(*said, rtol=1e-4, atol=1e-5)
