"""Relevance for the browser tests, from seeds: made in a notebook and again in the test."""

from __future__ import annotations

import numpy as np
import xarray as xr

from lstm_widgets.recording import RecordedLayer, Recording

METHODS = ("lrp", "sensitivity", "gradient_x_input")
WORDS = [
    "the",
    "a",
    "film",
    "was",
    "plot",
    "acting",
    "not",
    "never",
    "very",
    "really",
    "good",
    "great",
    "bad",
    "boring",
    "dull",
    "charming",
    "but",
    "although",
    "slow",
    "clever",
    "story",
    "ends",
    "with",
    "heart",
    "and",
    "no",
    "surprise",
    "it",
    "is",
]


def sentences(count=60, longest=14, *, seed=3, padded=True):
    """Sentences of different lengths, padded at their ends, with the relevance of three methods."""
    rng = np.random.default_rng(seed)
    tokens = rng.choice(np.array(WORDS, object), (count, longest))
    lengths = rng.integers(4, longest + 1, count)
    mask = np.arange(longest) < lengths[:, None]
    tokens[~mask] = ""
    values = rng.normal(size=(3, count, longest)) * rng.uniform(0.2, 1, (count, 1))
    values[1] **= 2
    values[:, ~mask] = 0
    logits = rng.normal(size=(count, 2)) * 2
    predicted = logits.argmax(axis=1)
    variables = {
        "relevance": (("method", "example", "timestep"), values.astype(np.float32)),
        "score": ("example", logits.max(axis=1).astype(np.float32)),
        "target": ("example", predicted),
        "predicted": ("example", predicted),
        "confidence": (
            "example",
            (1 / (1 + np.exp(-np.abs(logits[:, 0] - logits[:, 1])))).astype(np.float32),
        ),
    }
    if padded:
        variables["mask"] = (("example", "timestep"), mask)
    coords = {
        "method": list(METHODS),
        "example": np.arange(count),
        "timestep": np.arange(longest),
        "token": (("example", "timestep"), tokens),
    }
    return xr.Dataset(variables, coords, {"outputs": 2})


def truth(relevance, *, seed=4):
    """True classes of which four in five are predicted."""
    rng = np.random.default_rng(seed)
    predicted = relevance["predicted"].values
    return np.where(rng.random(len(predicted)) < 0.8, predicted, 1 - predicted)


def recorded(relevance, cells=5):
    """Make a recording of the same examples."""
    count, longest = relevance.sizes["example"], relevance.sizes["timestep"]
    values = np.random.default_rng(5).uniform(-1, 1, (count, longest, cells)).astype(np.float32)
    signals = {"hidden_state": values}
    mask = relevance["mask"].values if "mask" in relevance else None
    layer = RecordedLayer("lstm", "LSTM", signals, mask, relevance["token"].values)
    return Recording.from_layers([layer])
