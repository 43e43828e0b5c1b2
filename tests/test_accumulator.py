"""Levels and statistics that are summed up while values come: the pieces make no difference."""

from __future__ import annotations

import copy
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lstm_widgets.recording.levels import (
    BASE_LEVEL,
    FEWEST_RUNS,
    LEVEL_STEP,
    Accumulator,
    CellStatistics,
    LevelRuns,
    pool,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

Signal = tuple["NDArray[np.float32]", "NDArray[np.bool_] | None"]


def made(columns: int, cells: int, rare: bool, padding: str, seed: int) -> Signal:
    """Make values as an LSTM has them, with what is rare, and padding: some, whole runs, or none."""
    rng = np.random.default_rng(seed)
    values = np.tanh(rng.normal(size=(columns, cells))).astype(np.float32)
    values[:, 0] = 0.1  # never changes
    values[:, -1] += 5
    if rare and columns:
        for value in (np.nan, np.inf, -np.inf, 3e38, -0.0):
            values[rng.integers(0, columns, 2), rng.integers(0, cells, 2)] = value
    counted = None
    if padding:
        counted = np.repeat(rng.random(columns) < 0.5, 1 if padding == "some" else 150)[:columns]
    return values, counted


signals = st.builds(
    made,
    st.integers(0, 1800),
    st.sampled_from([1, 2, 3, 40]),
    st.booleans(),
    st.sampled_from(["", "some", "whole"]),
    st.integers(0, 99),
)


def part(signal: Signal, start: int, stop: int) -> Signal:
    values, counted = signal
    return values[start:stop], None if counted is None else counted[start:stop]


def cut(data: st.DataObject, columns: int, most: int = 8) -> list[tuple[int, int]]:
    edges = data.draw(st.lists(st.integers(0, columns), max_size=most))
    return list(itertools.pairwise([0, *sorted(edges), columns]))


def laid(found: Iterable[LevelRuns], cells: int) -> dict[int, NDArray[np.float32]]:
    """Lay runs where they belong: each exactly once, without a gap."""
    levels: dict[int, dict[int, NDArray[np.float32]]] = {}
    for level, start, values in found:
        assert values.shape[1:] == (3, cells)
        for run, each in enumerate(values, start):
            assert run not in levels.setdefault(level, {})
            levels[level][run] = each
    for runs in levels.values():
        assert sorted(runs) == list(range(len(runs)))
    return {level: np.stack([runs[k] for k in sorted(runs)]) for level, runs in levels.items()}


def at_once(signal: Signal) -> tuple[dict[int, NDArray[np.float32]], CellStatistics]:
    whole = Accumulator(signal[0].shape[1])
    levels = laid(whole.add(*signal), whole.cells)
    return levels, whole.statistics


def expect_same(
    levels: dict[int, NDArray[np.float32]], statistics: CellStatistics, signal: Signal
) -> None:
    expected, same = at_once(signal)
    assert {level: runs.tobytes() for level, runs in levels.items()} == {
        level: runs.tobytes() for level, runs in expected.items()
    }
    assert statistics.tobytes() == same.tobytes()


@given(signal=signals, data=st.data())
def test_the_pieces_in_which_values_come_make_no_difference(
    signal: Signal, data: st.DataObject
) -> None:
    values, _ = signal
    pieces = Accumulator(values.shape[1])
    found = [pieces.add(*part(signal, *piece)) for piece in cut(data, len(values))]
    assert pieces.stop == len(values)
    expect_same(laid(itertools.chain(*found), pieces.cells), pieces.statistics, signal)


@given(signal=signals, data=st.data())
def test_what_was_kept_goes_on_as_if_it_had_never_stopped(
    signal: Signal, data: st.DataObject
) -> None:
    values, _ = signal
    going = Accumulator(values.shape[1])
    found = []
    for piece in cut(data, len(values), most=3):
        kept: dict[str, NDArray[Any]] = {name: each.copy() for name, each in going.state.items()}
        going = Accumulator.resumed(kept)
        found += going.add(*part(signal, *piece))
    expect_same(laid(found, going.cells), going.statistics, signal)


@given(signal=signals, data=st.data())
def test_stretches_merge_into_the_whole_wherever_they_were_cut(
    signal: Signal, data: st.DataObject
) -> None:
    values, _ = signal
    cells = values.shape[1]
    shards, found = [], []
    for start, stop in cut(data, len(values), most=4):
        shard = Accumulator(cells, start)
        for first, last in cut(data, stop - start, most=2):
            found += shard.add(*part(signal, start + first, start + last))
        shards.append(shard)
    while len(shards) > 1:  # any neighbours first
        at = data.draw(st.integers(0, len(shards) - 2))
        found += shards[at].merge(shards.pop(at + 1))
    expect_same(laid(found, cells), shards[0].statistics, signal)


@settings(max_examples=30)
@given(signal=signals)
def test_levels_are_those_of_the_whole(signal: Signal) -> None:
    values, _ = signal
    levels, _ = at_once(signal)
    wanted = range(BASE_LEVEL, 40, LEVEL_STEP)
    assert set(levels) == {level for level in wanted if len(values) >> level >= FEWEST_RUNS}
    for level, runs in levels.items():
        assert len(runs) == len(values) >> level
        exact = pool(values[: len(runs) << level], 1 << level)
        np.testing.assert_array_equal(runs[:, 0], exact.lowest)
        np.testing.assert_array_equal(runs[:, 1], exact.highest)
        largest = np.abs(values, where=np.isfinite(values), out=np.zeros_like(values)).max(
            initial=1
        )
        with np.errstate(invalid="ignore", over="ignore"):
            means = (
                values[: len(runs) << level].astype(float).reshape(len(runs), -1, values.shape[1])
            )
            np.testing.assert_allclose(
                runs[:, 2], means.mean(axis=1).astype(np.float32), rtol=1e-6, atol=1e-6 * largest
            )


@settings(max_examples=60)
@given(signal=signals)
def test_statistics_are_those_of_what_counts(signal: Signal) -> None:
    values, counted = signal
    found = at_once(signal)[1]
    kept = values if counted is None else values[counted]
    for cell in range(values.shape[1]):
        column, every = kept[:, cell].astype(float), np.abs(values[:, cell])
        assert found.largest[cell] == every[np.isfinite(every)].max(initial=0)
        if not len(column) or np.isnan(column).any():
            assert np.isnan(found.mean_magnitude[cell])
            assert np.isnan(found.variance[cell])
        elif np.isinf(column).any():
            assert np.isinf(found.mean_magnitude[cell])
            assert np.isnan(found.variance[cell])
        else:
            np.testing.assert_allclose(found.mean_magnitude[cell], np.abs(column).mean(), rtol=2e-6)
            if np.abs(column).max() < 1e18:
                np.testing.assert_allclose(
                    found.variance[cell], column.var(), rtol=1e-5, atol=1e-12
                )


@given(signal=signals, data=st.data())
def test_what_is_compiled_comes_to_the_same(signal: Signal, data: st.DataObject) -> None:
    values, _ = signal
    pieces = Accumulator(values.shape[1], compiled=True)
    found = [pieces.add(*part(signal, *piece)) for piece in cut(data, len(values), most=3)]
    levels = laid(itertools.chain(*found), pieces.cells)
    expected, statistics = at_once(signal)
    assert levels.keys() == expected.keys()
    for level, runs in levels.items():  # of 0 and -0 the lowest is either
        np.testing.assert_array_equal(runs, expected[level])
    np.testing.assert_array_equal(
        np.frombuffer(pieces.statistics.tobytes(), np.float32),
        np.frombuffer(statistics.tobytes(), np.float32),
    )


@given(signal=signals, share=st.floats(0, 1))
def test_a_copy_stays_where_it_was(signal: Signal, share: float) -> None:
    values, _ = signal
    middle = int(len(values) * share)
    going = Accumulator(values.shape[1])
    found = going.add(*part(signal, 0, middle))
    kept = copy.copy(going)
    before = {name: each.tobytes() for name, each in kept.state.items()}
    going.add(*part(signal, middle, len(values)))
    assert {name: each.tobytes() for name, each in kept.state.items()} == before
    found += kept.add(*part(signal, middle, len(values)))
    expect_same(laid(found, kept.cells), kept.statistics, signal)


def test_a_cell_that_never_changes_has_no_variance() -> None:
    values = np.full((700, 2), 0.1, np.float32)
    for counted in (None, np.arange(700) % 3 > 0):
        summed = Accumulator(2)
        summed.add(values, counted)
        assert summed.statistics.variance.tolist() == [0, 0]


@given(hnp.arrays(np.float32, (200, 2), elements=st.floats(width=32)))
def test_any_values_have_their_lowest_and_highest(values: NDArray[np.float32]) -> None:
    long = np.tile(values, (3, 1))[: 64 * FEWEST_RUNS]
    (runs,) = Accumulator(2).add(long)
    exact = pool(long, 64)
    np.testing.assert_array_equal(runs.values[:, 0], exact.lowest)
    np.testing.assert_array_equal(runs.values[:, 1], exact.highest)


def test_what_does_not_fit_is_refused() -> None:
    summed = Accumulator(3)
    with pytest.raises(
        ValueError, match=r"values: expected shape \(column, 3 cells\), got \(5, 2\)"
    ):
        summed.add(np.zeros((5, 2), np.float32))
    with pytest.raises(ValueError, match=r"counted: expected shape \(5,\), got \(4,\)"):
        summed.add(np.zeros((5, 3), np.float32), np.ones(4, bool))
    with pytest.raises(
        ValueError, match="other: expected 3 cells from column 0 on, got 3 from column 7"
    ):
        summed.merge(Accumulator(3, start=7))
    with pytest.raises(ValueError, match="statistics: expected columns from 0 on"):
        _ = Accumulator(3, start=7).statistics
