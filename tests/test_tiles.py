"""The bytes that a page draws, against plain NumPy that shares nothing with the code."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lstm_widgets.recording.levels import BASE_LEVEL, Levels, pool
from lstm_widgets.widgets.page.tiles import (
    BLOCK,
    NAN,
    NEGATIVE_INFINITY,
    OVERVIEW_BYTES,
    POSITIVE_INFINITY,
    ZERO,
    SignalTiles,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

HUGEST = float(np.finfo(np.float32).max)
#: Below this, 126 / scale is no float32.
FINEST_SCALE = float(np.nextafter(np.float32(126 / HUGEST), np.float32(1)))

anything = st.floats(width=32)
finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
# Squares of subnormal numbers are no float32.
tame = st.floats(-100, 100, width=32).map(lambda value: value if abs(value) > 1e-6 else 0.0)


def rows_of(elements: st.SearchStrategy[float], *, least: int = 0) -> st.SearchStrategy[Any]:
    shape = st.tuples(st.integers(least, 70), st.integers(1, 5))
    return hnp.arrays(np.float32, shape, elements=elements)


def decoded(codes: NDArray[np.uint8], scale: float) -> NDArray[np.float64]:
    return (codes.astype(np.float64) - ZERO) / 126 * scale


def one(value: float, scale: float) -> int:
    return int(encode(np.array([value], np.float32), np.array([scale], np.float32))[0])


def strongest(values: NDArray[np.float32]) -> np.float32:
    """Find the value of largest magnitude by looking at one after the other."""
    best = values[0]
    for value in values:
        if np.isnan(value):
            return np.float32(np.nan)
        if abs(value) > abs(best) or (abs(value) == abs(best) and value > best):
            best = value
    return best


def pooled_by_hand(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    bins = math.ceil(len(values) / size)
    out = np.empty((bins, values.shape[1]), np.float32)
    for i in range(bins):
        for cell in range(values.shape[1]):
            out[i, cell] = strongest(values[i * size : (i + 1) * size, cell])
    return out


def spikes(shape: tuple[int, int, int], seed: int = 0) -> NDArray[np.float32]:
    """Make values as an LSTM has them, with what is rare: NaN, infinities, ties, a silent cell."""
    rng = np.random.default_rng(seed)
    values = np.tanh(rng.normal(size=shape)).astype(np.float32)
    flat = values.reshape(-1, shape[2])
    if flat.size:
        for value in (np.nan, np.inf, -np.inf, 0.0, 0.5, -0.5):
            flat[rng.integers(0, len(flat), 3), rng.integers(0, shape[2], 3)] = value
        flat[:, -1] = 0
    return values


# -- codes ---------------------------------------------------------------------------------------


@given(
    values=hnp.arrays(np.float32, st.integers(1, 50), elements=finite),
    room=st.floats(1, 1e6, width=32),
)
def test_a_value_is_off_by_at_most_half_a_step(values: NDArray[np.float32], room: float) -> None:
    largest = float(np.abs(values).max())
    scale = np.float32(min(max(largest * room, FINEST_SCALE), HUGEST))
    codes = encode(values, scale)
    error = np.abs(decoded(codes, float(scale)) - values.astype(np.float64))
    # 126 steps are told apart with float32's 24 bits.
    assert error.max() <= float(scale) * (1 / 252 + 126 * 2**-23)
    assert not np.isin(codes, [NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY]).any()


@given(scale=st.floats(FINEST_SCALE, HUGEST, width=32))
def test_the_outermost_values_get_the_outermost_codes(scale: float) -> None:
    assert one(scale, scale) == ZERO + 126
    assert one(-scale, scale) == ZERO - 126


@given(value=finite, scale=st.floats(0, HUGEST, width=32))
def test_codes_are_symmetric_about_zero(value: float, scale: float) -> None:
    assert one(value, scale) - ZERO == ZERO - one(-value, scale)


@given(values=hnp.arrays(np.float32, 20, elements=finite), scale=st.floats(0, HUGEST, width=32))
def test_codes_keep_the_order_of_values(values: NDArray[np.float32], scale: float) -> None:
    codes = encode(np.sort(values), np.float32(scale)).astype(int)
    assert (np.diff(codes) >= 0).all()


@given(scale=st.floats(0, HUGEST, width=32))
def test_zero_is_exact_and_what_is_not_finite_has_its_own_code(scale: float) -> None:
    assert one(0.0, scale) == one(-0.0, scale) == ZERO == 127
    assert one(np.nan, scale) == NAN == 255
    assert one(np.inf, scale) == POSITIVE_INFINITY == 254
    assert one(-np.inf, scale) == NEGATIVE_INFINITY == 0


@given(scale=st.floats(2.0**-149, FINEST_SCALE, width=32, exclude_max=True))
def test_of_values_on_a_scale_without_reciprocal_the_sign_is_kept(scale: float) -> None:
    assert one(scale, scale) == ZERO + 126
    assert one(-scale, scale) == ZERO - 126
    assert one(0.0, scale) == ZERO


def test_codes_by_hand() -> None:
    values = np.array([-1, -0.5, -1 / 126, 0, 1 / 126, 0.5, 1], np.float32)
    assert encode(values, np.float32(1)).tolist() == [1, 64, 126, 127, 128, 190, 253]


def test_an_all_zero_cell_has_only_the_code_of_zero() -> None:
    values = np.zeros((2, 7), np.float32)
    assert (encode(values, np.zeros((2, 1), np.float32)) == ZERO).all()


def test_each_cell_has_its_own_scale() -> None:
    values = np.array([[2, -1], [200, -100]], np.float32)
    codes = encode(values, np.array([[2], [200]], np.float32))
    assert codes.tolist() == [[253, 64], [253, 64]]


def test_codes_are_those_that_the_page_makes(root: Path) -> None:
    """js/test/data/codes.test.mjs holds the page's encoder against the same table."""
    table = json.loads((root / "js" / "test" / "codes.json").read_text("utf-8"))
    for case in table:
        values = np.array([float(value) for value in case["values"]], np.float32)
        assert encode(values, np.float32(case["scale"])).tolist() == case["codes"], case["name"]


# -- pooling -------------------------------------------------------------------------------------


@given(values=rows_of(anything), size=st.integers(1, 40))
@example(values=np.array([[1], [-1]], np.float32), size=2)
@example(values=np.array([[-3], [np.nan], [np.inf]], np.float32), size=3)
@example(values=np.array([[-np.inf], [np.inf]], np.float32), size=5)
def test_pooling_keeps_the_largest_magnitude(values: NDArray[np.float32], size: int) -> None:
    np.testing.assert_array_equal(pool(values, size).strongest, pooled_by_hand(values, size))


def test_pooling_keeps_a_lone_spike_and_its_sign() -> None:
    values = np.full((10_000, 2), 0.01, np.float32)
    values[7_321] = [-1, 1]
    assert pool(values, 4096).strongest[1].tolist() == [-1, 1]


@given(values=rows_of(anything), size=st.integers(1, 40))
def test_pooling_keeps_the_lowest_and_the_highest(values: NDArray[np.float32], size: int) -> None:
    runs = [values[start : start + size] for start in range(0, len(values), size)]
    found = pool(values, size)
    for kept, by_hand in ((found.lowest, np.min), (found.highest, np.max)):
        expected = [by_hand(run, axis=0) for run in runs]
        np.testing.assert_array_equal(kept, np.reshape(expected, kept.shape))


@given(values=rows_of(tame, least=1), level=st.integers(0, 9), data=st.data())
def test_a_level_has_the_mean_of_its_columns(
    values: NDArray[np.float32], level: int, data: st.DataObject
) -> None:
    size = 1 << level
    runs = math.ceil(len(values) / size)
    start = data.draw(st.integers(0, runs))
    stop = data.draw(st.integers(start, runs))
    found = Levels(values[None]).at(level, start, stop)
    assert len(found.mean) == stop - start
    for run, mean in enumerate(found.mean, start):
        exact = values[run * size : (run + 1) * size].astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(mean, exact, rtol=0, atol=1e-5 * max(1, np.abs(values).max()))


# -- statistics ----------------------------------------------------------------------------------


def check_statistics(
    values: NDArray[np.float32], mask: NDArray[np.bool_] | None, rtol: float = 1e-5
) -> None:
    found = SignalTiles(values, mask).statistics
    cells = values.shape[2]
    everything = values.reshape(-1, cells).astype(np.float64)
    kept = everything if mask is None else everything[mask.reshape(-1)]
    with np.errstate(all="ignore"):
        for cell in range(cells):
            column = kept[:, cell]
            magnitudes = np.abs(everything[:, cell])
            magnitudes = magnitudes[np.isfinite(magnitudes)]
            assert found.largest[cell] == magnitudes.max(initial=0)
            if len(column) == 0:
                assert np.isnan(found.mean_magnitude[cell])
                assert np.isnan(found.variance[cell])
            elif np.isfinite(column).all():
                size = np.abs(column).max()
                np.testing.assert_allclose(
                    found.mean_magnitude[cell], np.abs(column).mean(), rtol=rtol, atol=1e-30
                )
                # Relative to what the values spread over: their distance from one another.
                spread = np.ptp(column)
                np.testing.assert_allclose(
                    found.variance[cell],
                    column.var(),
                    rtol=rtol,
                    atol=1e-6 * spread**2 + 1e-13 * size**2,
                )
            elif np.isnan(column).any():
                assert np.isnan(found.mean_magnitude[cell])
                assert np.isnan(found.variance[cell])
            else:
                assert np.isinf(found.mean_magnitude[cell])
                assert np.isnan(found.variance[cell])


@st.composite
def signals(
    draw: Callable[..., Any], elements: st.SearchStrategy[float] = tame
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    shape = draw(st.tuples(st.integers(0, 4), st.integers(0, 40), st.integers(1, 4)))
    values = draw(hnp.arrays(np.float32, shape, elements=elements))
    mask = draw(st.none() | hnp.arrays(np.bool_, shape[:2]))
    return values, mask


@given(signals())
def test_statistics_of_finite_values(
    signal: tuple[NDArray[np.float32], NDArray[np.bool_] | None],
) -> None:
    check_statistics(*signal)


@given(signals(tame | st.sampled_from([np.nan, np.inf, -np.inf])))
def test_statistics_with_values_that_are_not_finite(
    signal: tuple[NDArray[np.float32], NDArray[np.bool_] | None],
) -> None:
    check_statistics(*signal)


@pytest.mark.parametrize("cells", [1, 2, 37])
def test_statistics_over_many_blocks(cells: int) -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(3, 300_000 // cells, cells)).astype(np.float32)
    mask = rng.random(values.shape[:2]) < 0.7
    check_statistics(values, None)
    check_statistics(values, mask)


@pytest.mark.parametrize("value", [0.1, 0.9, 1.7])
@pytest.mark.parametrize("cells", [1, 2, 8])
def test_mean_magnitude_of_a_long_constant_cell_does_not_drift(value: float, cells: int) -> None:
    values = np.full((1, 262_144, cells), value, np.float32)
    found = SignalTiles(values).statistics
    np.testing.assert_allclose(found.mean_magnitude, np.float32(value), rtol=1e-5)
    np.testing.assert_allclose(found.variance, 0, atol=1e-12)


def hovering(padding: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Make a cell about 5 ± 0.001 with some padding, which is zero, before it."""
    rng = np.random.default_rng(2)
    values = (5 + 0.001 * rng.normal(size=(1, 2000, 3))).astype(np.float32)
    values[:, :padding] = 0
    mask = np.ones((1, 2000), bool)
    mask[:, :padding] = False
    return values, mask


@pytest.mark.parametrize("padding", [0, 100])
def test_a_cell_that_hovers_far_from_zero_has_its_variance(padding: int) -> None:
    values, mask = hovering(padding)
    found = SignalTiles(values, mask).statistics.variance
    expected = values[mask].astype(np.float64).var(axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


# -- tiles ---------------------------------------------------------------------------------------


def check_tile(values: NDArray[np.float32], level: int, block: int, cells: list[int]) -> None:
    flat = values.reshape(-1, values.shape[2])
    finite_only = np.where(np.isfinite(flat), np.abs(flat), 0)
    scale = finite_only.max(axis=0, initial=0)
    whole = encode(pooled_by_hand(flat, 1 << level).T, scale[:, None])
    expected = whole[cells, block * BLOCK : (block + 1) * BLOCK]
    found = SignalTiles(values).tile(level, block, cells)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("level", [0, 1, 3, BASE_LEVEL, BASE_LEVEL + 1, 7, 13, 40])
def test_every_tile_is_a_part_of_the_whole(level: int) -> None:
    values = spikes((7, 331, 5))
    bins = math.ceil(7 * 331 / (1 << level))
    for block in range(math.ceil(bins / BLOCK) + 1):
        for cells in ([0, 1, 2, 3, 4], [4, 0, 2], [3], []):
            check_tile(values, level, block, cells)


@given(
    values=hnp.arrays(
        np.float32,
        st.tuples(st.integers(0, 4), st.integers(0, 60), st.integers(1, 4)),
        elements=anything,
    ),
    level=st.integers(0, 9),
    data=st.data(),
)
def test_any_tile_of_any_values(
    values: NDArray[np.float32], level: int, data: st.DataObject
) -> None:
    cells = data.draw(st.lists(st.integers(0, values.shape[2] - 1), max_size=6))
    check_tile(values, level, 0, cells)


def test_tiles_over_many_blocks_of_the_base() -> None:
    """So many cells that a base is made in several parts."""
    values = spikes((3, 701, 300))
    tiles = SignalTiles(values)
    flat = values.reshape(-1, 300)
    for level in (BASE_LEVEL, BASE_LEVEL + 2):
        expected = encode(
            pooled_by_hand(flat[:, :3], 1 << level).T, tiles.statistics.largest[:3, None]
        )
        np.testing.assert_array_equal(tiles.tile(level, 0, [0, 1, 2]), expected)


def test_values_that_are_not_contiguous_give_the_same() -> None:
    values = spikes((5, 200, 6))
    other = np.asfortranarray(values)
    mask = np.random.default_rng(3).random((200, 5)).T < 0.5
    left, right = SignalTiles(values, np.ascontiguousarray(mask)), SignalTiles(other, mask)
    np.testing.assert_array_equal(left.tile(2, 0, [1, 3]), right.tile(2, 0, [1, 3]))
    np.testing.assert_array_equal(left.statistics.variance, right.statistics.variance)


# -- overview ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape", [(1, 10, 3), (1, OVERVIEW_BYTES, 1), (1, OVERVIEW_BYTES + 1, 1), (50, 1000, 33)]
)
def test_the_overview_is_the_finest_level_that_fits(shape: tuple[int, int, int]) -> None:
    values = spikes(shape)
    tiles = SignalTiles(values)
    level, overview = tiles.overview
    assert overview.dtype == np.uint8
    assert overview.size <= OVERVIEW_BYTES == 256 * 1024
    columns = shape[0] * shape[1]
    assert level == 0 or shape[2] * math.ceil(columns / (1 << (level - 1))) > OVERVIEW_BYTES
    assert overview.shape == (shape[2], math.ceil(columns / (1 << level)))
    cells = list(range(shape[2]))
    blocks = range(math.ceil(overview.shape[1] / BLOCK))
    again = np.concatenate([tiles.tile(level, block, cells) for block in blocks], axis=1)
    np.testing.assert_array_equal(overview, again)


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 0, 3), (0, 0, 3)])
def test_nothing_recorded_gives_empty_tiles(shape: tuple[int, int, int]) -> None:
    for mask in (None, np.zeros(shape[:2], bool)):
        tiles = SignalTiles(np.zeros(shape, np.float32), mask)
        assert tiles.overview[1].shape == (3, 0)
        assert tiles.tile(0, 0, [0, 2]).shape == (2, 0)
        assert tiles.tile(9, 0, [1]).shape == (1, 0)
        assert tiles.statistics.largest.tolist() == [0, 0, 0]
        assert np.isnan(tiles.statistics.mean_magnitude).all()
        assert np.isnan(tiles.statistics.variance).all()
        assert np.isnan(tiles.similarity(1)).all()


# -- similarity ----------------------------------------------------------------------------------


def check_similarity(
    values: NDArray[np.float32], mask: NDArray[np.bool_] | None, cell: int
) -> None:
    found = SignalTiles(values, mask).similarity(cell)
    flat = values.reshape(-1, values.shape[2]).astype(np.float64)
    kept = flat if mask is None else flat[mask.reshape(-1)]
    assert found.dtype == np.float32
    assert found.shape == (values.shape[2],)
    for other in range(values.shape[2]):
        pair = kept[:, [cell, other]]
        if len(kept) == 0 or (pair == pair[:1]).all(axis=0).any() or not np.isfinite(pair).all():
            assert np.isnan(found[other]), (other, found[other])
        else:
            expected = np.corrcoef(pair.T)[0, 1]
            np.testing.assert_allclose(found[other], expected, atol=2e-4)


@st.composite
def small_signals(
    draw: Callable[..., Any],
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Draw eighths: whether a cell is constant is then no matter of rounding."""
    shape = draw(st.tuples(st.integers(0, 3), st.integers(0, 20), st.integers(1, 4)))
    eighths = st.integers(-8, 8).map(lambda n: n / 8)
    values = draw(hnp.arrays(np.float32, shape, elements=eighths))
    mask = draw(st.none() | hnp.arrays(np.bool_, shape[:2]))
    return values, mask


@given(small_signals(), st.data())
def test_similarity_is_pearsons_correlation(
    signal: tuple[NDArray[np.float32], NDArray[np.bool_] | None], data: st.DataObject
) -> None:
    values, mask = signal
    check_similarity(values, mask, data.draw(st.integers(0, values.shape[2] - 1)))


@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_similarity_over_many_timesteps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(2, 5000, 4)).astype(np.float32)
    values[..., 1] = -values[..., 0] + 0.5 * values[..., 1]
    values[..., 3] = 0.1
    mask = rng.random((2, 5000)) < 0.5
    check_similarity(values, None, 0)
    check_similarity(values, mask, 1)
    check_similarity(values, mask, 3)


@pytest.mark.parametrize("padding", [0, 100])
def test_similarity_of_cells_that_hover_far_from_zero(padding: int) -> None:
    values, mask = hovering(padding)
    values[:, padding:, 1] = values[:, padding:, 0]
    check_similarity(values, mask, 0)


def test_a_constant_cell_after_padding_is_like_no_other() -> None:
    """Keras pads at the start, and a layer's output is zero there."""
    rng = np.random.default_rng(4)
    values = rng.normal(size=(20, 50, 3)).astype(np.float32)
    values[..., 1] = 0.1
    values[:, :10] = 0
    mask = np.ones((20, 50), bool)
    mask[:, :10] = False
    check_similarity(values, mask, 0)


def test_a_nan_in_the_padding_counts_for_nothing() -> None:
    values = np.random.default_rng(5).normal(size=(1, 30, 2)).astype(np.float32)
    values[0, 0] = np.nan
    mask = np.ones((1, 30), bool)
    mask[0, 0] = False
    check_statistics(values, mask)
    check_similarity(values, mask, 0)


def test_a_nan_makes_only_its_own_cell_unknown() -> None:
    values = np.random.default_rng(6).normal(size=(1, 30, 3)).astype(np.float32)
    values[0, 7, 1] = np.nan
    check_statistics(values, None)
    check_similarity(values, None, 0)


def test_similarity_of_large_values_does_not_overflow() -> None:
    """An unbounded activation may give them."""
    values = 1e20 * np.random.default_rng(7).normal(size=(1, 30, 2))
    check_similarity(values.astype(np.float32), None, 0)
