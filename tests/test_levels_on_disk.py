"""What is drawn of a signal on a disk: the same as in memory, and no more is read than is shown."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from xarray.backends import BackendArray
from xarray.core import indexing

import lstm_widgets as lw
from lstm_widgets.analysis.changes import initial_of
from lstm_widgets.lru import LRU
from lstm_widgets.recording import RecordedLayer, Recording, open_recording, rows
from lstm_widgets.recording.levels import (
    BASE_LEVEL,
    Accumulator,
    KeptLevels,
    Levels,
    pool,
    written_levels,
)
from lstm_widgets.recording.rows import Rows, rows_of
from lstm_widgets.recording.store.stored import StoredArray
from lstm_widgets.tokens.words import Spelling
from lstm_widgets.widgets.page import search
from lstm_widgets.widgets.page.state import tiles_of
from lstm_widgets.widgets.page.tiles import BLOCK, SignalTiles

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

RNG = np.random.default_rng(0)


class OnDisk(BackendArray):
    """An array that is read when it is touched, and counts the values that are."""

    def __init__(self, values: NDArray[Any]) -> None:
        self.values, self.shape, self.dtype = values, values.shape, values.dtype
        self.read = 0

    def __getitem__(self, key: indexing.ExplicitIndexer) -> NDArray[Any]:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> NDArray[Any]:
        found = self.values[key]
        self.read += found.size
        return found

    def variable(self, chunks: tuple[int, ...] | None = None) -> xr.Variable:
        encoding = {} if chunks is None else {"chunks": chunks}
        lazy = indexing.LazilyIndexedArray(self)
        return xr.Variable([f"axis {k}" for k in range(self.values.ndim)], lazy, encoding=encoding)


def values_of(examples: int, timesteps: int, cells: int) -> NDArray[np.float32]:
    values = np.tanh(RNG.normal(size=(examples, timesteps, cells))).astype(np.float32)
    values[0, timesteps // 3, 0] = np.nan
    return values


def opened(
    values: NDArray[np.float32], chunks: tuple[int, int, int], kind: type[Levels] = Levels
) -> tuple[Levels, OnDisk, list[OnDisk]]:
    """Give a signal as it comes from a disk, with the levels that were written beside it."""
    flat = values.reshape(-1, values.shape[2])
    whole = Accumulator(values.shape[2])
    found = {runs.level: OnDisk(runs.values) for runs in whole.add(flat)}
    kept = KeptLevels(
        {level: Rows(runs.variable((512, 3, 1)), axes=1) for level, runs in found.items()},
        whole.statistics,
    )
    disk = OnDisk(values)
    return kind(disk.variable(chunks), None, kept), disk, list(found.values())


shapes = st.tuples(st.integers(1, 3), st.integers(1, 1500), st.integers(1, 3))


@settings(max_examples=40)
@given(shape=shapes, chunk=st.integers(1, 700), level=st.integers(0, 12), data=st.data())
def test_every_level_is_the_same_as_in_memory(
    shape: tuple[int, int, int], chunk: int, level: int, data: st.DataObject
) -> None:
    values = values_of(*shape)
    batch = data.draw(st.integers(1, 3)) if chunk >= shape[1] else 1
    levels, _, _ = opened(values, (batch, chunk, shape[2]))
    runs = math.ceil(levels.columns / (1 << level))
    start = data.draw(st.integers(0, runs))
    stop = data.draw(st.integers(start, runs))
    cells = data.draw(st.sampled_from([slice(None), np.array([0]), slice(1, None)]))
    found = levels.at(level, start, stop, cells)
    exact = pool(values.reshape(-1, shape[2])[start << level : stop << level][:, cells], 1 << level)
    np.testing.assert_array_equal(found.lowest, exact.lowest)
    np.testing.assert_array_equal(found.highest, exact.highest)
    np.testing.assert_allclose(found.mean, exact.mean, atol=1e-6)
    in_memory = Levels(values)
    assert in_memory.statistics.tobytes() == levels.statistics.tobytes()
    for part, same in zip(found, in_memory.at(level, start, stop, cells), strict=True):
        assert part.tobytes() == same.tobytes()


@given(shape=st.tuples(st.integers(0, 4), st.integers(0, 9)), data=st.data())
def test_columns_are_examples_end_to_end(shape: tuple[int, int], data: st.DataObject) -> None:
    values = np.arange(math.prod(shape) * 2).reshape(*shape, 2)
    start = data.draw(st.integers(0, math.prod(shape)))
    stop = data.draw(st.integers(start, math.prod(shape)))
    flat = values.reshape(-1, 2)[start:stop]
    for given_ in (values, OnDisk(values).variable()):
        if shape[1]:
            np.testing.assert_array_equal(rows_of(given_, start, stop), flat)
        np.testing.assert_array_equal(Rows(given_)[start:stop], flat)
    if shape[1]:
        np.testing.assert_array_equal(rows_of(values, start, stop, 1), flat[:, 1])


def first_picture(timesteps: int) -> tuple[int, int]:
    """Count what is read for an overview and the tiles at its beginning, at any zoom."""
    levels, disk, coarse = opened(values_of(1, timesteps, 64), (1, 1024, 64), SignalTiles)
    assert isinstance(levels, SignalTiles)
    _ = levels.overview
    for level in (0, 3, 8):
        levels.tile(level, 0, list(range(64)))
    return disk.read, sum(each.read for each in coarse)


def test_a_first_picture_reads_no_more_of_a_longer_recording() -> None:
    short, long = first_picture(1 << 14), first_picture(1 << 18)
    assert long[0] <= short[0]
    # Of levels, at most 8 runs for each that is in the overview, as many as in the shorter one.
    assert long[1] <= 1.1 * 64 * 3 * (8 * 4096 + 512 * 8)


def test_a_tile_reads_its_own_chunks_only() -> None:
    chunk, cells = 1000, 4
    levels, disk, _ = opened(values_of(1, 100_000, cells), (1, chunk, cells), SignalTiles)
    assert isinstance(levels, SignalTiles)
    levels.tile(0, 100, [0, 3])
    touched = 1 + ((100 * BLOCK + BLOCK - 1) // chunk) - (100 * BLOCK // chunk)
    assert disk.read == touched * chunk * cells
    levels.tile(0, 100, [1, 2])  # what was read last is kept
    assert disk.read == touched * chunk * cells
    levels.tile(BASE_LEVEL + 1, 0, [0])  # levels are read instead of values
    assert disk.read == touched * chunk * cells


def test_similarity_of_a_long_recording_takes_stretches_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = RNG.normal(size=(1, 200_000, 3)).astype(np.float32)
    values[..., 2] = values[..., 0] + 0.5 * values[..., 1]
    exact = Levels(values).similarity(0)
    monkeypatch.setattr("lstm_widgets.recording.levels.SIMILAR_VALUES", 60_000)
    levels, disk, _ = opened(values, (1, 1000, 3))
    found = levels.similarity(0)
    assert disk.read <= 60_000
    # Of 20 000 independent timesteps: five times the standard error.
    np.testing.assert_allclose(found, exact, atol=5 / math.sqrt(20_000))


def test_what_is_kept_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: LRU[NDArray[Any]] = LRU(10_000, lambda block: block.nbytes)
    monkeypatch.setattr(rows, "_kept", kept)
    read = Rows(OnDisk(values_of(1, 5000, 2)).variable((1, 100, 2)))
    for start in range(0, 5000, 70):
        _ = read[start : start + 70]
        assert len(kept) <= 10_000 // (100 * 2 * 4)
    heavy: LRU[int] = LRU(10, lambda value: value)
    assert [heavy.get(n, lambda n=n: n) for n in (4, 5, 11, 6)] == [4, 5, 11, 6]
    assert [n in heavy for n in (4, 5, 11, 6)] == [False, False, False, True]


@given(
    st.lists(st.sampled_from(["a", "##b", "Ba", "", "##"]), min_size=1, max_size=40),
    st.text("ab B", min_size=1, max_size=4),
    st.integers(1, 12),
)
def test_a_text_is_found_across_the_edges_of_stretches(
    tokens: list[str], query: str, stretch: int
) -> None:
    for kind in ("characters", "words", "##"):
        pieces = Spelling(kind).pieces(tokens)
        piecewise = search.Search(query)
        found = [
            hit
            for start in range(0, len(pieces), stretch)
            for hit in piecewise.go_on(pieces[start : start + stretch])
        ]
        assert found == search.Search(query).go_on(pieces)


def test_a_text_is_found_in_a_recording_of_several_stretches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = ["the cat sat on the mat. the end"[k % 31] for k in range(200)]
    tokens = np.array([text, text[::-1]], object)
    signals = {"hidden_state": np.zeros((2, 200, 1), np.float32)}
    dataset = Recording.from_layers([RecordedLayer("l", "GRU", signals, None, tokens)])["l"]
    whole = search.hits_of(dataset, "the")
    monkeypatch.setattr(search, "_STRETCH", 7)
    for one, other in zip(whole, search.hits_of(dataset, "the"), strict=True):
        assert one.tolist() == other.tolist()
    assert len(whole[0]) > 10


# -- recordings that were saved and opened ---------------------------------------------------------


def recorded(examples: int, timesteps: int, *, padded: bool = False) -> Recording:
    mask = None
    if padded:
        mask = np.arange(timesteps) < RNG.integers(1, timesteps, (examples, 1))

    def layer(name: str) -> RecordedLayer:
        signals = {"hidden_state": values_of(examples, timesteps, 5)}
        return RecordedLayer(name, "GRU", signals, mask, go_backwards=name.endswith("backward"))

    return Recording.from_layers([layer("one"), layer("both/forward"), layer("both/backward")])


@pytest.mark.parametrize(("examples", "padded"), [(1, False), (3, False), (4, True)])
def test_an_opened_recording_is_drawn_as_the_one_in_memory(
    tmp_path: Path, examples: int, padded: bool
) -> None:
    made = recorded(examples, 4000, padded=padded)
    made.save(tmp_path / "saved.zarr")
    opened = open_recording(tmp_path / "saved.zarr")
    for name in ("one", "both", "both/backward"):
        parts = [opened[part]["hidden_state"] for part in opened.directions(name)]
        assert written_levels(parts) is not None
        assert written_levels([part[:, :1000] for part in parts]) is None
        found, same = (tiles_of(each, name, "hidden_state") for each in (opened, made))
        assert found.statistics.tobytes() == same.statistics.tobytes()
        assert found.overview[0] == same.overview[0]
        np.testing.assert_array_equal(found.overview[1], same.overview[1])
        for level in (0, 4, BASE_LEVEL, BASE_LEVEL + 2, 10):
            cells = list(range(found.cells))
            np.testing.assert_array_equal(found.tile(level, 0, cells), same.tile(level, 0, cells))


def test_values_that_were_changed_in_memory_are_drawn_as_they_are(tmp_path: Path) -> None:
    recorded(1, 4000).save(tmp_path / "saved.zarr")
    opened = open_recording(tmp_path / "saved.zarr")
    signal = opened["one"]["hidden_state"]
    signal[0, 7, 1] = 9
    assert written_levels([signal]) is None


def test_a_widget_reads_no_more_of_a_longer_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: dict[str, int] = {}
    original = StoredArray.read

    def counting(self: StoredArray, key: tuple[Any, ...]) -> NDArray[Any]:
        found = original(self, key)
        read[self.path] = read.get(self.path, 0) + found.size
        return found

    monkeypatch.setattr(StoredArray, "read", counting)
    monkeypatch.setattr("lstm_widgets.widgets.page.tiles.OVERVIEW_BYTES", 256)
    monkeypatch.setattr("lstm_widgets.recording.store.layout.CHUNK_BYTES", 1 << 14)
    monkeypatch.setattr("lstm_widgets.tokens.words._ENOUGH", 1000)
    totals = []
    for timesteps in (20_000, 80_000):
        tokens = np.resize(np.array(list("the cat sat. "), object), (1, timesteps))
        signals = {"hidden_state": values_of(1, timesteps, 5)}
        layer = RecordedLayer("one", "GRU", signals, None, tokens)
        path = tmp_path / f"{timesteps}.zarr"
        Recording.from_layers([layer]).save(path)
        read.clear()
        opened = open_recording(path)
        repr(opened)
        grid = lw.CellGrid(opened)
        grid._answer(
            {
                "id": 1,
                "layer": "one",
                "signal": "hidden_state",
                "tiles": [[0, 0, [0, 1, 2, 3, 4]], [8, 0, [0, 1]]],
                "columns": [0],
            }
        )
        grid._still()
        totals.append(sum(read.values()))
    assert totals[1] <= 1.2 * totals[0]


@pytest.mark.parametrize("value", [0, 0.5])
def test_initial_states_of_an_opened_recording_are_those_in_memory(
    tmp_path: Path, value: float
) -> None:
    initial = np.zeros((300, 2), np.float32)
    initial[-1, 1] = value
    signals = {"hidden_state": np.zeros((300, 4, 2), np.float32)}
    layers = [RecordedLayer("one", "GRU", signals, initial={"hidden_state": initial})]
    called = np.zeros((300, 2, 2), np.float32)
    called[0, 1, 0] = value
    more = {"hidden_state": called}
    layers.append(RecordedLayer("called", "GRU", signals, initial=more, calls=(1, 3)))
    made = Recording.from_layers(layers)
    made.save(tmp_path / "saved.zarr")
    opened = open_recording(tmp_path / "saved.zarr")
    for each in (made, opened):
        np.testing.assert_array_equal(initial_of(each, "one"), initial[:, None])
        np.testing.assert_array_equal(initial_of(each, "called"), called)
        np.testing.assert_array_equal(initial_of(each, "called:2"), called[:, 1:])


def test_a_long_signal_without_levels_is_summed_up_a_block_at_a_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    values = values_of(1, 5000, 2)
    disk = OnDisk(values)
    levels = Levels(disk.variable((1, 40, 2)))
    assert levels.statistics.tobytes() == Levels(values).statistics.tobytes()
    assert disk.read == values.size
    assert "summing up" in capsys.readouterr().err
