"""The coordinates of axes take no room, and are to users what arrays of numbers are."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, RecordedPredictions, RecordedSeries

VALUES = np.random.default_rng(0).normal(size=(2, 30, 4)).astype(np.float32)


def recorded(**given):
    def layer(name, **more):
        return RecordedLayer(name=name, kind="GRU", signals={"hidden_state": VALUES}, **more)

    return lw.Recording.from_layers(
        [
            layer("one"),
            layer("both/forward"),
            layer("both/backward", go_backwards=True),
            layer("called", calls=(10, 20)),
        ],
        **given,
    )


@pytest.fixture(params=["in memory", "opened"])
def recording(request, tmp_path):
    numbers = np.zeros((2, 30, 1), np.float32)
    made = recorded(
        predictions=RecordedPredictions(np.zeros((2, 30, 3), np.int32), np.repeat(numbers, 3, 2)),
        inputs=RecordedSeries(numbers, ("rain",), ("mm",)),
    )
    if request.param == "in memory":
        return made
    made.save(tmp_path / "saved.zarr")
    return lw.open_recording(tmp_path / "saved.zarr")


@pytest.mark.parametrize("layer", ["one", "both", "called", "called:2"])
def test_axes_are_ranges(recording, layer):
    for dataset in (recording[layer], recording.calls(layer)):
        assert {"example", "timestep", "cell"} <= set(dataset.indexes)
        for axis, index in dataset.indexes.items():
            assert isinstance(index, pd.RangeIndex), axis
            assert index.equals(pd.RangeIndex(dataset.sizes[axis]))


def test_axes_beside_the_layers_are_ranges(recording):
    for dataset in (recording.predictions, recording.inputs):
        for axis in {"example", "timestep", "rank"} & set(dataset.dims):
            assert isinstance(dataset.indexes[axis], pd.RangeIndex), axis


@pytest.mark.parametrize("layer", ["one", "both", "called:2"])
def test_they_are_to_users_what_arrays_are(recording, layer):
    dataset = recording[layer]
    plain = dataset.assign_coords({axis: np.arange(size) for axis, size in dataset.sizes.items()})
    assert dataset.equals(plain)
    assert repr(dataset) == repr(plain)
    assert dataset.nbytes == plain.nbytes
    for taken in (
        lambda d: d.isel(timestep=slice(3, 9), cell=[2, 0]),
        lambda d: d.isel(timestep=-1),
        lambda d: d.sel(timestep=slice(3, 9)),
        lambda d: d.sel(cell=[3, 1], example=1),
        lambda d: d.hidden_state[:, ::2] + d.hidden_state[:, ::2],
        lambda d: d.mean("timestep"),
        lambda d: pickle.loads(pickle.dumps(d)),
    ):
        assert taken(dataset).identical(taken(plain))
    pd.testing.assert_frame_equal(dataset.to_dataframe(), plain.to_dataframe())
    with pytest.raises(KeyError):
        dataset.sel(timestep=99)
