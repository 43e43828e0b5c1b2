"""Both directions of a layer side by side: what is read is right, and only what is read is put together."""

from __future__ import annotations

import numpy as np
import pytest

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, joined

RNG = np.random.default_rng(0)
VALUES = {name: RNG.normal(size=(3, 5, 4)).astype(np.float32) for name in ("forward", "backward")}


@pytest.fixture
def recording():
    return lw.Recording.from_layers(
        [
            RecordedLayer(
                name=f"both/{name}",
                kind="GRU",
                signals={"hidden_state": values, "candidate": values * 2},
                mask=np.arange(5) < np.array([[5], [3], [4]]),
                go_backwards=name == "backward",
            )
            for name, values in VALUES.items()
        ]
    )


WHOLE = np.concatenate(list(VALUES.values()), axis=2)


def counted(monkeypatch):
    """Count the values that are put together."""
    read = []
    original = joined._Joined._read

    def counting(self, key):
        values = original(self, key)
        read.append(np.size(values))
        return values

    monkeypatch.setattr(joined._Joined, "_read", counting)
    return read


@pytest.mark.parametrize(
    "index",
    [
        {},
        {"cell": 2},
        {"cell": 6},
        {"cell": -1, "timestep": 0},
        {"cell": slice(2, 6), "example": 1},
        {"cell": slice(None, None, -3)},
        {"cell": [7, 0, 5, 1], "timestep": [4, 4, 0]},
        {"cell": slice(5, 5)},
        {"example": 0, "timestep": slice(1, 3)},
    ],
)
def test_every_part_is_what_it_is_in_the_whole(recording, monkeypatch, index):
    read = counted(monkeypatch)
    values = recording["both"].candidate.isel(index)
    assert not read
    expected = WHOLE * 2
    # One axis after the other, as xarray does.
    for axis, name in reversed(list(enumerate(("example", "timestep", "cell")))):
        if name in index:
            expected = expected[(slice(None),) * axis + (index[name],)]
    np.testing.assert_array_equal(values, expected)
    assert sum(read) <= expected.size


def test_a_selection_puts_nothing_together(recording, monkeypatch):
    read = counted(monkeypatch)
    grid = lw.CellGrid(recording, layer="both")
    read.clear()
    for cell in range(8):
        grid.cell = cell
        grid.timestep = cell % 5
        grid.example = cell % 3
    assert grid.cell == 7
    assert not read


def test_it_is_the_dataset_that_it_was(recording):
    both = recording["both"]
    assert list(both.data_vars) == ["hidden_state", "candidate", "mask"]
    assert both.direction.values.tolist() == ["forward"] * 4 + ["backward"] * 4
    assert both.sizes == {"example": 3, "timestep": 5, "cell": 8}
    np.testing.assert_array_equal(both.hidden_state.values, WHOLE)
    np.testing.assert_allclose(both.mean("timestep").hidden_state, WHOLE.mean(axis=1), rtol=1e-5)
    assert both.load().hidden_state.values.flags.c_contiguous


def test_a_layer_is_checked_where_both_of_its_directions_are():
    compared = {"mode": "prefix", "tolerance": 1e-5, "examples": 3, "timesteps": 5}
    less, more = ({"difference": each} | compared for each in (1e-7, 1e-6))
    held = compared | {"mode": "none", "difference": 0.0}
    for checks, expected in (((less, more), more), ((more, less), more), ((held, less), held)):
        both = lw.Recording.from_layers(
            [
                RecordedLayer(
                    name=f"both/{name}",
                    kind="GRU",
                    signals={"hidden_state": VALUES[name]},
                    go_backwards=name == "backward",
                    check=check,
                )
                for name, check in zip(VALUES, checks, strict=True)
            ]
        )
        assert both["both"].attrs["check"] == expected
