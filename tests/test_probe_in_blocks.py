"""Probing a recording block by block: every edge, here and on a cluster, in little room, and as it was."""

from __future__ import annotations

import tracemalloc

import distributed
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import lstm_widgets as lw
from lstm_widgets.analysis import blocks, timelines
from lstm_widgets.analysis.probes import asked, folds, null_targets, predicted, probed, scored
from lstm_widgets.analysis.probes import numbered as numbered_rows
from lstm_widgets.analysis.probes.null_targets import Segments, shifted
from lstm_widgets.analysis.probes.numbered import Atoms, Numbered
from lstm_widgets.analysis.series import Origin
from lstm_widgets.analysis.split_and_shift import Part, pieces_of
from lstm_widgets.analysis.timelines import Series, forgotten
from lstm_widgets.concepts.packed import PackedTrack
from lstm_widgets.recording import RecordedLayer, Recording
from lstm_widgets.recording.times import standard_times


def slow(n, cells, rng, keep=0.9):
    values = np.zeros((n, cells))
    noise = rng.normal(size=(n, cells))
    for t in range(1, n):
        values[t] = keep * values[t - 1] + noise[t]
    return values


def known_of(examples=1, timesteps=300, cells=6, *, seed=0, padded=False):
    """A recording, and concepts that its cells follow more or less."""
    rng = np.random.default_rng(seed)
    x = slow(examples * timesteps, cells, rng)
    y = x[:, 3] + 0.5 * slow(len(x), 1, rng)[:, 0]
    holes = np.where(rng.random(len(x)) < 0.1, np.nan, y)
    yes = x[:, 2] + 0.5 * slow(len(x), 1, rng)[:, 0] > 1
    shape = (examples, timesteps)
    mask = None
    if padded:
        mask = rng.random(shape) < 0.9
        mask[:, -5:] = False
    states = x.astype(np.float32).reshape(*shape, cells)
    layer = RecordedLayer("lstm", "LSTM", {"hidden_state": states}, mask=mask)
    concepts = {"y": y, "holes": holes, "yes": yes}
    told = {name: each.reshape(shape) for name, each in concepts.items()}
    return Recording.from_layers([layer]), told


def probe(recording, concepts, **options):
    return lw.probe(recording, concepts, **({"signal": "hidden_state", "shifts": 12} | options))


def expect_same(one, other, within=0.0):
    how = {"rtol": within, "atol": within, "check_exact": not within}
    pd.testing.assert_frame_equal(one.table, other.table, **how)
    pd.testing.assert_frame_equal(one.score, other.score, **how)
    assert one.folds == other.folds
    for name, track in one.prediction.items():
        np.testing.assert_allclose(
            track.to_numpy(), other.prediction[name].to_numpy(), rtol=within, atol=within
        )


@settings(max_examples=10)
@given(st.integers(1, 3), st.integers(1, 4000), st.booleans(), st.sampled_from([0, 1]))
def test_blocks_of_any_size_give_the_same(examples, values, padded, lags):
    recording, concepts = known_of(examples, 120, padded=padded)
    concepts.pop("yes")  # what is chosen by scikit-learn's optimizer is a digit less
    whole = probe(recording, concepts, lags=lags)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "ROW_VALUES", values)
        expect_same(probe(recording, concepts, lags=lags), whole, 1e-10)


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None
    ) as made:
        yield made


@pytest.mark.parametrize("workers", [1, 2])
def test_a_cluster_gives_the_same_to_the_bit(cluster, workers, tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "ROW_VALUES", 1500)
    recording, concepts = known_of(2, padded=True)
    recording.save(tmp_path / "saved")
    opened = lw.open_recording(tmp_path / "saved")
    here = probe(opened, concepts)
    cluster.scale(workers)
    with distributed.Client(cluster) as client:
        client.wait_for_workers(workers)
        there = probe(opened, concepts)
    expect_same(there, here)


def test_a_cluster_gives_the_same_of_dates(cluster, monkeypatch):
    monkeypatch.setattr(blocks, "ROW_VALUES", 1500)
    rng = np.random.default_rng(1)
    times = pd.date_range("2001-01-01", periods=800, freq="D")
    x = slow(800, 3, rng).astype(np.float32)[None]
    dated = standard_times(times, 1, 800)
    layer = RecordedLayer("lstm", "LSTM", {"hidden_state": x}, times=dated)
    recording = Recording.from_layers([layer])
    said = {"y": x[..., 1].astype(np.float64) + rng.normal(size=800)}
    here = probe(recording, said)
    assert here.table.attrs["period"] == "year"
    with distributed.Client(cluster):
        expect_same(probe(recording, said), here)


# In little room --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("concept", "most"), [("yes", 6), ("y", 40)])
def test_what_it_takes_is_a_block_and_some_bytes_a_timestep(concept, most, monkeypatch):
    monkeypatch.setattr(blocks, "ROW_VALUES", 1 << 14)
    monkeypatch.setattr(probed, "_KEPT_VALUES", 1 << 12)
    monkeypatch.setattr(predicted, "MANY_COLUMNS", 1 << 10)
    monkeypatch.setattr(scored, "_EXACT", 1 << 10)
    monkeypatch.setattr(timelines, "_REACH", 1 << 12)
    for module in (asked, predicted, numbered_rows):
        monkeypatch.setattr(module, "STRETCH", 1 << 12)

    def peak(timesteps):
        recording, concepts = known_of(1, timesteps, 4)
        told = lw.concepts.tracks(recording, {concept: concepts[concept]})
        monkeypatch.setattr(asked, "tracks", lambda *_, **__: told)
        tracemalloc.start()
        probe(recording, {}, shifts=4)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(2000)  # what is imported and kept for good
    # Numbers are kept as exactly as they are given, and sorted for the null; yes and no in a bit.
    assert peak(120_000) - peak(60_000) < 60_000 * most


@pytest.mark.parametrize("lags", [0, [3], range(-2, 3)])
def test_long_predictions_are_worked_out_where_they_are_looked_at(lags, monkeypatch):
    recording, concepts = known_of(3, 200, padded=True)
    kept = probe(recording, concepts, lags=lags, shifts=0)
    monkeypatch.setattr(predicted, "MANY_COLUMNS", 1)
    lazy = probe(recording, concepts, lags=lags, shifts=0)
    expect_same(lazy, kept, 1e-12)
    for name, track in kept.prediction.items():
        part = lazy.prediction[name][1:, 50:60]
        np.testing.assert_allclose(part.to_numpy(), track[1:, 50:60].to_numpy(), rtol=1e-12)
        assert lazy.prediction[name].attrs == track.attrs
        one = lazy.prediction[name][2, [7, 3, 150]].to_numpy()
        np.testing.assert_allclose(one, track[2, [7, 3, 150]].to_numpy(), rtol=1e-12)


def test_auroc_of_many_timesteps_is_worked_out_in_bins(monkeypatch):
    recording, concepts = known_of(1, 4000)
    exact = probe(recording, {"yes": concepts["yes"]}, period=50)
    monkeypatch.setattr(scored, "_EXACT", 100)
    found = probe(recording, {"yes": concepts["yes"]}, period=50)
    assert "in fine bins, to 1e-4" in repr(found)
    assert "bins" not in repr(exact)
    told = found.score["protocol"] != "calendar"
    np.testing.assert_allclose(found.score["score"], exact.score["score"], atol=1e-4)
    assert not exact.score["score"][told].equals(found.score["score"][told])
    np.testing.assert_allclose(found.table["score"], exact.table["score"], atol=1e-4)


# As if everything were looked at ---------------------------------------------------------------------


@settings(max_examples=80)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=8),
    st.integers(2, 6),
    st.integers(0, 12),
    st.integers(0, 2**31),
)
def test_folds_of_lines_are_those_of_all_timesteps(lengths, count, gap, seed):
    rng = np.random.default_rng(seed)
    width = 60
    flags = np.zeros((len(lengths), width), bool)
    for row, length in zip(flags, lengths, strict=True):
        row[rng.choice(width, length, replace=False)] = True
    line, at = np.nonzero(flags)
    numbered = Numbered.of([flags.ravel()[:17], flags.ravel()[17:]])
    assert len(numbered) == len(at)
    stops = np.cumsum(lengths)
    lines = [slice(stop - n, stop) for stop, n in zip(stops.tolist(), lengths, strict=True)]

    def near(first, last):
        first, last = numbered.column(first) - gap + 1, numbered.column(last) + gap
        return numbered.before(first), numbered.before(last)

    pairs = []
    if len(at) >= 4 * count:
        pairs.append(
            (
                folds.cut_in_time(line, at.astype(float), count=count, gap=gap),
                folds.cut_lines_in_time(lines, count=count, gap=gap, near=near),
            )
        )
    _, group = np.unique(rng.integers(0, 4, len(lengths)), return_inverse=True)
    names = [str(k) for k in range(int(group.max()) + 1)]
    if len(names) > 1:
        parts = min(count, len(names))
        given_to = {"count": parts, "gap": gap, "names": names}
        pairs.append(
            (
                folds.cut_into_groups(line, at.astype(float), group=group[line], **given_to),
                folds.cut_lines_into_groups(lines, group=group, near=near, **given_to),
            )
        )
    for general, short in pairs:
        assert isinstance(short.atom, Atoms)
        atoms = short.atom[:]
        assert (short.atom[np.arange(len(at))] == atoms).all()
        assert (short.atom[3:9] == atoms[3:9]).all()
        assert short.names == general.names
        for fold in range(general.count):
            for one, other in (
                (general.held_out(fold), short.held_out(fold)),
                (general.training(fold), short.training(fold)),
                *zip(
                    (part for pair in general.inner(fold) for part in pair),
                    (part for pair in short.inner(fold) for part in pair),
                    strict=True,
                ),
            ):
                assert (one[general.atom[:]] == other[atoms]).all()


@settings(max_examples=80)
@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=6),
    st.sampled_from(["walk", "rare", "still", "same", "few"]),
    st.booleans(),
    st.sampled_from([3, 100]),
    st.integers(0, 2**31),
)
@example([1, 1, 1], "walk", True, 3, 2)  # one of them isn't known
def test_shifts_of_segments_are_those_of_all_timesteps(lengths, what, holes, together, seed):
    rng = np.random.default_rng(seed)
    mask = np.arange(30) < np.array(lengths)[:, None]
    n = int(mask.sum())
    said = {
        "walk": np.cumsum(rng.normal(size=n)),
        "rare": (rng.random(n) < 0.1).astype(float),
        "still": np.repeat(rng.integers(0, 3, len(lengths)), lengths).astype(float),
        "same": np.ones(n),
        "few": np.maximum(0, rng.normal(size=n) - 0.5),
    }[what]
    kind = "yes_no" if what == "rare" else "numeric"
    if holes and kind == "numeric":
        said[rng.random(n) < 0.2] = np.nan
    there = np.isfinite(said)
    if not there.any():
        return
    origin = Origin(np.arange(len(lengths)), np.zeros(len(lengths), np.intp))
    part = Part.of(pieces_of(mask, origin), np.zeros(1, np.intp))
    turns = rng.random((7, len(lengths)))
    expected = shifted("y", kind, said, part, turns)
    counts = [int(each.sum()) for each in np.split(there, np.cumsum(lengths)[:-1])]
    edges = np.append(0, np.cumsum(counts))
    packed = PackedTrack.of(said[there] > 0.5 if kind == "yes_no" else said[there])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numbered_rows, "STRETCH", together)
        patch.setattr(null_targets, "SHIFTED_VALUES", 50)
        whole = all(count in (0, length) for count, length in zip(counts, lengths, strict=True))
        found = Segments(edges, turns, whole=whole).null(kind, packed)
    count = int(there.sum())
    assert (found.sources(slice(0, count)) == expected.sources(slice(0, count))).all()
    some = rng.integers(0, count, 9)
    assert (found.sources(some) == expected.sources(some)).all()
    if len(np.unique(said[there])) > 1:  # else the table says why
        assert found.reason == expected.reason


@given(st.integers(2, 200), st.integers(1, 60), st.integers(0, 2**31))
def test_what_is_remembered_is_found_in_pieces(n, reach, seed):
    rng = np.random.default_rng(seed)
    row, there = slow(n, 1, rng, keep=0.8)[:, 0], (rng.random(n) < 0.8).astype(float)
    row *= there
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timelines, "_REACH", reach)
        found = forgotten([Series(n, lambda a, b: (row[a:b], there[a:b]))], 1)
    alike = np.array([(row[: n - k] * row[k:]).sum() for k in range(n)])
    pairs = np.array([(there[: n - k] * there[k:]).sum() for k in range(n)])
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.flatnonzero(~(alike / pairs * (pairs[0] / alike[0]) >= np.exp(-1)))
    assert found == (0 if not alike[0] > 0 else below[0] if len(below) else n)
