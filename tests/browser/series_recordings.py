"""Recordings of series, with times. A notebook gets this file as a cell, a test imports it."""

import numpy as np
import pandas as pd

from lstm_widgets.recording import RecordedLayer, RecordedSeries, Recording
from lstm_widgets.recording.times import standard_times


def series(times=None, *, timesteps=400, cells=6, examples=1, seed=3):
    """Make one layer over series of two channels, rain with a gap and temperature; by default of days."""
    rng = np.random.default_rng(seed)
    if times is None:
        times = pd.date_range("2015-10-01", periods=timesteps, freq="D")
    known = standard_times(times, examples, timesteps)
    shape = (examples, timesteps)
    phase = 2 * np.pi * np.arange(timesteps) / 365.25
    rain = np.where(rng.random(shape) < 0.4, rng.gamma(1, 6, shape), 0)
    temperature = 8 - 12 * np.cos(phase) + rng.normal(0, 2, shape)
    read = np.stack([rain, temperature], -1).astype(np.float32)
    read[:, 30:40, 0] = np.nan
    strength = rng.permutation(np.linspace(0.3, 2, cells))
    state = np.tanh(rng.normal(0, 0.4, (*shape, cells)) + np.sin(phase)[:, None] * strength)
    signals = {
        "hidden_state": state / 2,
        "cell_state": 2 * state,
        **{
            f"{gate}_gate": 1 / (1 + np.exp(-rng.normal(size=(*shape, cells))))
            for gate in ("input", "forget", "output")
        },
        "candidate": state,
    }
    check = {"difference": 3e-7, "tolerance": 1e-5, "mode": "prefix", "examples": 1}
    layer = RecordedLayer(
        "lstm",
        "LSTM",
        {name: values.astype(np.float32) for name, values in signals.items()},
        times=known,
        check={**check, "timesteps": 50},
    )
    return Recording.from_layers(
        [layer],
        labels=[f"basin {number}" for number in range(examples)] if examples > 1 else None,
        inputs=RecordedSeries(read, ("rain", "temperature"), ("mm/day", "°C"), known),
    )
