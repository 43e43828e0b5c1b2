"""Dependencies to look at. A notebook gets this file as a cell, a test imports it: same seed, same values."""

import numpy as np
import xarray as xr

STORY = (
    "The sea comes up to the old harbour, and it goes away again. The boats know it before the people do.\n"
    "\n"
    "A boy sits on the wall and counts. He counts the boats, the gulls, and the steps that are left free.\n"
)
#: Tokens as hostile as can be.
HOSTILE = [
    "<script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    "\u202e",
    "\x00",
    "\n",
]


def dependency(text=STORY, *, at=None, window=None, examples=1, seed=0, reach=4.0):
    """Make a dependency of known values: the farther back, the less; with exceptions."""
    rng = np.random.default_rng(seed)
    tokens = list(text)
    columns = np.arange(len(tokens))
    rows = columns[(window or 1) - 1 :] if at is None else np.asarray(at)
    back = rows[:, None] - columns
    values = rng.uniform(0, 1, (examples, len(rows), len(columns))) ** 2
    values *= np.exp(-np.abs(back) / reach) * rng.uniform(0.5, 4, (examples, len(rows), 1))
    values[:, back < 0] = 0
    if window:
        values[:, (back < 0) | (back >= window)] = np.nan
    grid = np.empty((examples, len(tokens)), object)
    grid[:] = tokens
    return xr.DataArray(
        values.astype(np.float32),
        dims=("example", "timestep", "input_timestep"),
        coords={
            "example": np.arange(examples),
            "timestep": rows,
            "input_timestep": columns,
            "token": (("example", "input_timestep"), grid),
        },
        attrs={"of": "logit", "norm": "l2"},
    )


def two():
    """Make two models over the story, one of which looks further back."""
    return {"LSTM": dependency(reach=12), "SimpleRNN": dependency(seed=1)}


def some():
    """Make a stretch of predictions and a far one, with windows of forty characters."""
    at = [*range(60, 70), 150]
    return {"LSTM": dependency(at=at, window=40), "SimpleRNN": dependency(at=at, window=40, seed=1)}


def long(count=2000):
    """Make more than travels whole."""
    text = (STORY * 12)[:count]
    return dependency(text, at=range(200, count, 2), seed=3, reach=30)
