"""Ranking what is too long to be in memory: as what is, whatever the blocks and whoever computes them."""

from __future__ import annotations

import contextlib
import tracemalloc

import distributed
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr
from sklearn.metrics import roc_auc_score

import lstm_widgets as lw
from lstm_widgets import concepts as c
from lstm_widgets.analysis import (
    ranked_in_blocks,
    ranked_long_tracks,
    ranking,
    split_and_shift,
    value_bins,
)
from lstm_widgets.analysis.series import Origin
from lstm_widgets.analysis.split_and_shift import LongPart, Part, halved
from lstm_widgets.analysis.value_bins import Bins, coarse, keys_of, values_of
from lstm_widgets.concepts.packed import PackedTrack
from lstm_widgets.recording import RecordedLayer, Recording, blockwise
from lstm_widgets.recording.store import layout

LETTERS = list("abcdefgh .\n")


def recording_of(values, tokens=None, mask=None):
    grid = None
    if tokens is not None:
        grid = np.empty(values.shape[:2], object)
        grid[:] = tokens
    signals = {"hidden_state": np.asarray(values, np.float32)}
    return Recording.from_layers([RecordedLayer("lstm", "LSTM", signals, mask, grid)])


def in_blocks(monkeypatch, recording, asked, values=1 << 20, **how):
    """Rank as if it were long."""
    with monkeypatch.context() as patch:
        patch.setattr(ranking, "LONG", 0)
        patch.setattr(ranked_in_blocks, "BLOCK_VALUES", values)
        return lw.rank_cells(recording, asked, **how)


def sorted_rows(table):
    return table.sort_values(["signal", "cell", "concept"], ignore_index=True)


def assert_same(whole, parts, within=1e-6):
    whole, parts = sorted_rows(whole), sorted_rows(parts)
    assert list(whole.columns) == list(parts.columns)
    for name in whole:
        if whole[name].dtype.kind == "f":
            np.testing.assert_allclose(parts[name], whole[name], within, within, err_msg=name)
        else:
            assert parts[name].tolist() == whole[name].tolist(), name


# Parts by runs ------------------------------------------------------------------------------------


def expanded(sources):
    if sources.repeated:
        return np.repeat(sources.starts, sources.counts)
    return split_and_shift.ranges(sources.starts, sources.counts)


@settings(max_examples=150, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 12)),
    kind=st.sampled_from(["apart", "windows", "series", "unknown", "groups"]),
    lags=st.sampled_from([[0, 0], [0, 1, -1], [0, 2]]),
    gap=st.integers(0, 3),
    seed=st.integers(0, 2**31),
)
def test_a_long_part_is_what_a_part_is(shape, kind, lags, gap, seed):
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < 0.8
    examples = np.arange(shape[0])
    origin = {
        "windows": Origin(examples * 0, examples * rng.integers(1, 5), "windows"),
        "series": Origin(rng.integers(0, 3, shape[0]), rng.integers(0, 20, shape[0]), "series"),
        "unknown": Origin(examples * 0, examples * shape[1], "unknown", known=False),
    }.get(kind, Origin(examples, examples * 0))
    groups = rng.integers(0, 3, int(mask.sum())) if kind == "groups" and mask.any() else None
    for pieces in filter(None, halved(mask, origin, rng, groups=groups, gap=gap)):
        part, long = Part.of(pieces, np.array(lags)), LongPart.of(pieces, np.array(lags))
        runs = long.runs
        assert part.everything.tolist() == long.everything.places.tolist()
        assert part.places.tolist() == runs.places.tolist()
        assert part.slots.tolist() == long.slots.places.tolist()
        assert part.lengths.tolist() == long.lengths.tolist()
        assert part.segment.tolist() == runs.spread(runs.segment).tolist()
        assert part.index.tolist() == runs.spread(runs.index, counted=True).tolist()
        first, last = sorted(rng.integers(0, mask.sum() + 1, 2).tolist())
        among = np.flatnonzero((part.places >= first) & (part.places < last))
        some = runs.among(first, last)
        assert some.places.tolist() == part.places[among].tolist()
        turns = rng.random((3, long.segments))
        for how in ("shifted", "shifted_windows", "permuted"):
            expected = getattr(part, how)(turns, among)
            for one, each in zip(expected, turns, strict=True):
                assert expanded(getattr(long, how)(each, some)).tolist() == one.tolist()


# Bins ---------------------------------------------------------------------------------------------

N = 60_000


def distributions():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=N)
    return {
        "normal": noise,
        "saturated": 1 / (1 + np.exp(-30 * noise)),
        "rounded": np.round(rng.random(N), 2),
        "constant but for some": np.where(rng.random(N) < 0.99, 0.3, noise),
        "spike": np.maximum(noise, 0),
        "next to each other": 0.9999 + 1e-5 * noise,
        "denormal": 1e-42 * noise,
        "constant": np.full(N, 0.7),
        "large and small": np.sign(noise) * 10.0 ** (9 * rng.normal(size=N)),
    }


def binned(values, full):
    keys = keys_of(np.asarray(values, np.float32))
    bins = Bins.first(coarse(keys)[None], full)
    for _ in range(7):
        counts = bins.count(keys)[None]
        if not bins.full(counts, full):
            return keys, bins, counts
        bins = bins.cut(counts, full)
    raise AssertionError("bins are still too full")


@given(st.lists(st.floats(allow_nan=False, width=32), min_size=1, max_size=40))
def test_keys_are_sorted_as_the_numbers(values):
    values = np.array(values, np.float32)
    keys = keys_of(values)
    np.testing.assert_array_equal(values_of(keys), values)
    np.testing.assert_array_equal(rankdata(keys), rankdata(values))


@pytest.mark.parametrize("compiled", [True, False])
def test_ranks_of_bins_are_close_whatever_the_values(compiled, monkeypatch):
    if not compiled:
        monkeypatch.setattr(value_bins, "compiled_module", lambda _: None)
    values = np.stack(list(distributions().values())).astype(np.float32)
    keys, bins, counts = binned(values, 1e-3)
    places, ranks = bins.place(keys), bins.ranks(counts)[0][0]
    assert np.diff(bins.offsets).max() < 20_000
    for cell, row in enumerate(values):
        own = bins.of_cell(cell)
        expected = np.searchsorted(bins.edges[own], keys[cell], side="right") - 1
        np.testing.assert_array_equal(places[cell], expected)
        exact = rankdata(row) - (N + 1) / 2
        assert np.abs(ranks[own][places[cell]] - exact).max() <= N * 1e-3 / 2
        assert ranks[own] @ counts[0, own] == pytest.approx(0, abs=1e-3)


# Rankings -----------------------------------------------------------------------------------------


def text_of(examples, timesteps, seed=0):
    rng = np.random.default_rng(seed)
    tokens = rng.choice(LETTERS, (examples, timesteps))
    values = rng.normal(size=(examples, timesteps, 6))
    for t in range(1, timesteps):
        values[:, t] += 0.8 * values[:, t - 1]
    values[..., 0] += np.roll(tokens == "a", 2, axis=1) * 2
    values[..., 1] = np.round(values[..., 1], 1)
    values[..., 2] = np.tanh(5 * values[..., 2])
    values[0, 3, 3] = np.nan
    values[..., 4] = 0.5
    mask = np.ones((examples, timesteps), bool)
    mask[0, timesteps * 5 // 6 :] = False
    mask[-1, :2] = False
    asked = [
        c.is_token("a", "b"),
        c.whitespace,
        c.line_length,
        c.position_in_word,
        c.is_token("never"),
    ]
    if examples > 5:
        asked.append(c.label(rng.random(examples) < 0.5))
    return recording_of(values, tokens, mask), asked


@pytest.mark.parametrize("shape", [(1, 700), (7, 120), (40, 30)])
def test_few_timesteps_in_blocks_are_ranked_exactly(shape, monkeypatch):
    recording, asked = text_of(*shape)
    whole = lw.rank_cells(recording, asked, shifts=30)
    parts = in_blocks(monkeypatch, recording, asked, 700, shifts=30)
    assert_same(whole, parts, 1e-5)
    assert parts.attrs == whole.attrs | {"error": 0}


@pytest.mark.parametrize(
    "how",
    [{"step": 3}, {}, {"groups": [k // 20 for k in range(60)]}, {"groups": [0] * 9 + [1] * 21}],
)
def test_windows_and_groups_in_blocks(how, monkeypatch):
    rng = np.random.default_rng(1)
    series, rain = rng.normal(size=(500, 4)).cumsum(axis=0), np.maximum(rng.normal(size=500), 0)
    windows, wet = (np.stack([x[3 * k : 3 * k + 30] for k in range(60)]) for x in (series, rain))
    recording = recording_of(windows)
    said = {"rain": wet, "wet": wet > 0.5, "at": np.broadcast_to(np.arange(30.0), wet.shape)}
    with pytest.warns(UserWarning, match="windows of") if not how else contextlib.nullcontext():
        whole = lw.rank_cells(recording, said, shifts=30, **how)
        parts = in_blocks(monkeypatch, recording, said, 500, shifts=30, **how)
    assert_same(whole, parts, 1e-5)


@pytest.fixture(scope="module")
def long_text():
    values = np.stack(list(distributions().values())).astype(np.float32)
    rng = np.random.default_rng(2)
    values = np.concatenate([values, values[:1]])[:, : N // 2]
    n = values.shape[1]
    keys = keys_of(values)
    said = {
        "low bits": keys[0] >> 9 & 1 == 1,  # what bins can't see
        "rare": rng.random(n) < 0.003,
        "often": values[5] > 0.9999 + 1e-5 * rng.normal(size=n),
        "number": np.where(rng.random(n) < 0.2, np.nan, np.round(values[1] * 9)),
        "noise": values[0] + rng.normal(size=n),
    }
    said = {name: track[None] for name, track in said.items()}
    return recording_of(values.T[None]), said


@pytest.mark.parametrize("full", [1e-3, 0.02])
def test_scores_are_within_the_error_that_is_told(long_text, full, monkeypatch):
    recording, said = long_text
    monkeypatch.setattr(ranked_in_blocks, "FULL", full)
    table = in_blocks(monkeypatch, recording, said, 90_000, lags=1, shifts=40)
    whole = lw.rank_cells(recording, said, lags=1, shifts=40)
    whole, parts = sorted_rows(whole), sorted_rows(table)
    error = table.attrs["error"]
    assert 0 < error <= full * 1.01
    same = (whole.lag == parts.lag).to_numpy()
    assert same.mean() > 0.8
    n = recording["lstm"].sizes["timestep"]
    values = recording["lstm"]["hidden_state"].to_numpy()[0]
    for one, other in zip(whole[same].itertuples(), parts[same].itertuples(), strict=True):
        assert np.isnan(one.score) == np.isnan(other.score)
        if np.isnan(one.score):
            continue
        here = np.arange(n // 2 + 1, n - 1)
        x, y = values[here, one.cell], said[one.concept][0, here - one.lag]
        known = ~np.isnan(y)
        if one.kind == "yes_no":
            exact, found = roc_auc_score(y, x), other.auroc
        else:
            exact, found = spearmanr(x[known], y[known])[0], other.spearman
            assert other.pearson == pytest.approx(one.pearson, abs=1e-5)
        assert abs(found - exact) <= error + 1e-6
        assert other.base_rate == pytest.approx(one.base_rate, nan_ok=True)
        if one.f1 > 0.1:
            assert other.f1 == pytest.approx(one.f1, abs=10 * full)
        # A p-value changes where a shifted track scores within the error of the score.
        if full < 0.01:
            assert other.p_value == pytest.approx(one.p_value, abs=2 / 41, nan_ok=True)
            assert other.effective_n == pytest.approx(one.effective_n, rel=0.02, nan_ok=True)


@settings(max_examples=12, deadline=None)
@given(values=st.integers(6, 3000))
def test_any_edges_of_blocks_give_the_same(values):
    recording, asked = text_of(3, 90, seed=4)
    with pytest.MonkeyPatch.context() as patch:
        once = in_blocks(patch, recording, asked, shifts=7)
        again = in_blocks(patch, recording, asked, values, shifts=7)
    for name in ("score", "selection_score", "f1", "threshold", "pearson", "effective_n"):
        tolerance = 1e-4 if name == "effective_n" else 1e-12
        np.testing.assert_allclose(again[name], once[name], tolerance, tolerance)
    for name in ("cell", "concept", "lag", "sign", "p_value", "reason"):
        np.testing.assert_array_equal(again[name], once[name])


def test_numbers_of_many_values_share_codes(monkeypatch):
    rng = np.random.default_rng(3)
    n = 4000
    numbers = rng.normal(size=n)
    recording = recording_of((numbers[:, None] * [1, -1, 0] + rng.normal(size=(n, 3)))[None])
    whole = lw.rank_cells(recording, {"number": numbers[None]}, shifts=20)
    monkeypatch.setattr(ranked_long_tracks, "_NUMBERS", 500)
    parts = in_blocks(monkeypatch, recording, {"number": numbers[None]}, shifts=20)
    assert parts.attrs["error"] > 0
    one, other = sorted_rows(whole), sorted_rows(parts)
    np.testing.assert_allclose(other.score, one.score, atol=parts.attrs["error"])
    np.testing.assert_allclose(other.pearson, one.pearson, atol=1e-3)


@given(st.lists(st.sampled_from([0.0, 1.0, 2.5, np.nan]), max_size=60), st.integers(1, 9))
def test_codes_are_what_was_said(said, stretch):
    said = np.array(said)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranked_long_tracks, "_STRETCH", stretch)
        for values in (said, said > 0.5):
            mask = np.arange(len(values)) % 3 > 0
            codes = ranked_long_tracks.Codes.of(PackedTrack.of(values), mask)
            kept = values[mask].astype(float)
            places = np.arange(len(kept))
            np.testing.assert_array_equal(codes.values[codes.block(0, len(kept))], kept)
            np.testing.assert_array_equal(codes.values[codes.take(places)], kept)
            if codes.holes:
                known = codes.known_before(np.arange(len(kept) + 1))
                np.testing.assert_array_equal(np.diff(known), ~np.isnan(kept))
                np.testing.assert_array_equal(
                    codes.values[codes.without_holes().stored], kept[~np.isnan(kept)]
                )


# How it is read -----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_a_cluster_ranks_and_screens_the_same_to_the_bit(tmp_path, workers, monkeypatch):
    recording, asked = text_of(3, 400)
    recording.save(tmp_path / "r.zarr")
    opened = lw.open_recording(tmp_path / "r.zarr")
    monkeypatch.setattr(blockwise, "BLOCK_VALUES", 1500)
    here = in_blocks(monkeypatch, opened, asked, 1500, shifts=9), lw.screen_cells(opened)
    with (
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        there = in_blocks(monkeypatch, opened, asked, 1500, shifts=9), lw.screen_cells(opened)
    for one, other in zip(here, there, strict=True):
        for name in one:
            if one[name].dtype.kind == "f":
                assert one[name].to_numpy().tobytes() == other[name].to_numpy().tobytes()
            else:
                assert one[name].tolist() == other[name].tolist()


def test_memory_does_not_grow_with_the_text(monkeypatch, tmp_path):
    monkeypatch.setattr(layout, "CHUNK_BYTES", 2**17)  # chunks are read whole
    monkeypatch.setattr(blockwise, "HERE", 1)  # whether blocks peak together is a matter of chance
    peaks = []
    for n in (20_000, 160_000):
        values = np.random.default_rng(0).normal(size=(1, n, 24)).astype(np.float32)
        recording_of(values).save(tmp_path / f"{n}.zarr")
        recording = lw.open_recording(tmp_path / f"{n}.zarr")
        said = {"up": (values[..., 0] > 0.5)}
        del values
        monkeypatch.setattr(ranked_in_blocks, "FULL", 0.01)
        monkeypatch.setattr(ranked_long_tracks, "_STRETCH", 4096)
        in_blocks(monkeypatch, recording, said, 5000 * 24, shifts=2, lags=0)
        tracemalloc.start()
        try:
            in_blocks(monkeypatch, recording, said, 5000 * 24, shifts=2, lags=0)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    # By less than a fourth of what the signal has grown by.
    assert peaks[1] - peaks[0] < (160_000 - 20_000) * 24 * 4 / 4


def test_interrupted_keeps_the_cells_that_are_done(monkeypatch):
    recording, asked = text_of(3, 60)
    monkeypatch.setattr(ranking, "_CELLS", 2)
    columns, calls = ranked_in_blocks.RankedInBlocks.columns, []

    def interrupted(work, pool):
        calls.append(work)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return columns(work, pool)

    monkeypatch.setattr(ranked_in_blocks.RankedInBlocks, "columns", interrupted)
    with pytest.warns(UserWarning, match=f"interrupted: {2 * len(asked)} rows are ranked"):
        part = in_blocks(monkeypatch, recording, asked, shifts=3)
    assert sorted(set(part.cell)) == [0, 1]
    assert part.attrs["complete"] is False


def test_the_null_of_one_row_is_computed_again(monkeypatch):
    recording, asked = text_of(1, 300)
    table = lw.rank_cells(recording, asked, shifts=12)
    how = {"lags": table.attrs["lags"]["lstm"], "shifts": 12, "seed": 0}
    for concept in asked[:4]:
        row = table[(table.cell == 0) & (table.concept == concept.name)].iloc[0].to_dict()
        whole = ranking.shifted_scores(recording, [concept], row, **how)
        with monkeypatch.context() as patch:
            patch.setattr(ranking, "LONG", 0)
            parts = ranking.shifted_scores(recording, [concept], row, **how)
        np.testing.assert_allclose(parts, whole, atol=1e-5)
