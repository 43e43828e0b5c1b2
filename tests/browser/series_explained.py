"""Relevance and dependency of a series for the browser tests: made in a notebook and again in the test."""

from __future__ import annotations

import numpy as np
import xarray as xr

DAYS = np.arange("2003-01-01", "2006-01-01", dtype="M8[D]").astype("M8[ns]")[:900]
CHANNELS = {"channel": ["rain", "cold"], "unit": ("channel", ["mm", ""])}


def relevance_of_a_series():
    """Two methods of three forecasts, each from 900 days."""
    values = np.random.default_rng(8).normal(size=(2, 3, 900, 2)).astype(np.float32)
    values[1] **= 2
    score = np.array([1.5, 2.25, 0.125], np.float32)
    return xr.Dataset(
        {
            "relevance": (("method", "example", "timestep", "channel"), values),
            "score": ("example", score, {"units": "mm/d"}),
            "target": ("example", np.zeros(3, int)),
        },
        {"method": ["integrated_gradients", "sensitivity"], **CHANNELS, "time": ("timestep", DAYS)},
        {"outputs": 1, "meaning": "values"},
    )


def dependency_of_a_series():
    """Thirty forecasts, each from twenty days."""
    values = np.abs(np.random.default_rng(9).normal(size=(1, 30, 20, 2))).astype(np.float32)
    rows = np.arange(19, 49)
    return xr.DataArray(
        values,
        {
            "example": [0],
            "timestep": rows,
            "lag": np.arange(20),
            **CHANNELS,
            "time": ("timestep", DAYS[rows]),
        },
        ("example", "timestep", "lag", "channel"),
        attrs={
            "of": "logit",
            "method": "occlusion",
            "replace_with": "mean",
            "outputs": 1,
            "meaning": "values",
            "units": "mm/d",
        },
    )
