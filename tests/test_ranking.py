"""Ranking cells: numbers against scikit-learn and plain loops, evidence against planted structure."""

from __future__ import annotations

import math
import tracemalloc
import warnings

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

import lstm_widgets as lw
from lstm_widgets import concepts as c
from lstm_widgets.analysis import blocks, ranked_block, ranked_tracks, statistics
from lstm_widgets.datasets import characters
from lstm_widgets.recording import RecordedLayer, Recording
from lstm_widgets.recording.store import layout

RNG = np.random.default_rng(0)
LETTERS = list("abcdefgh .\n")


def recording_of(values, tokens=None, mask=None, **more):
    values = np.asarray(values, np.float32)
    if tokens is not None:
        grid = np.empty(values.shape[:2], object)
        grid[:] = tokens
        tokens = grid
    signals = {"hidden_state": values} | {k: np.asarray(v, np.float32) for k, v in more.items()}
    return Recording.from_layers([RecordedLayer("lstm", "LSTM", signals, mask, tokens)])


def letters(examples, timesteps, rng=RNG):
    return rng.choice(LETTERS, (examples, timesteps))


def slow(shape, rng, keep=0.95):
    """Noise that changes slowly along its first axis."""
    noise = rng.normal(size=shape)
    for t in range(1, len(noise)):
        noise[t] = keep * noise[t - 1] + math.sqrt(1 - keep**2) * noise[t]
    return noise


def mean_ranks(values):
    """Ranks by counting, value by value."""
    values = np.asarray(values, float)
    below = (values[None, :] < values[:, None]).sum(axis=1)
    same = (values[None, :] == values[:, None]).sum(axis=1)
    return below + (same + 1) / 2


def spearman(a, b):
    return np.corrcoef(mean_ranks(a), mean_ranks(b))[0, 1]


def row(table, **values):
    for name, wanted in values.items():
        table = table[table[name] == wanted]
    assert len(table) == 1
    return table.iloc[0]


# Numbers ------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.integers(2, 60), st.integers(1, 6), st.integers(0, 2**31))
def test_auroc_is_that_of_scikit_learn(n, levels, seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, levels, (3, n)).astype(np.float32) / 7
    tracks = rng.random((4, n)) < 0.4
    scores = statistics.ranked_rows(values)[1] @ tracks.T * statistics.auroc_scale(tracks)
    for cell, track in np.ndindex(*scores.shape):
        if tracks[track].all() or not tracks[track].any():
            assert np.isnan(scores[cell, track])
        else:
            expected = sklearn.metrics.roc_auc_score(tracks[track], values[cell])
            assert scores[cell, track] == pytest.approx(2 * expected - 1, abs=1e-9)


@given(st.lists(st.floats(allow_nan=False, width=32), max_size=40), st.sampled_from("fd"))
def test_order_of_floats(values, kind):
    values = np.array([*values, 0.0, -0.0, -1.5], kind)
    order, ranks = statistics.ranked_rows(values[None])
    np.testing.assert_array_equal(order[0], np.argsort(values, kind="stable"))
    np.testing.assert_allclose(ranks[0], mean_ranks(values) - (len(values) + 1) / 2)


@given(st.lists(st.floats(0, 1) | st.just(np.nan), max_size=30))
def test_q_values_are_those_of_benjamini_and_hochberg(p_values):
    p = np.array(p_values)
    q = statistics.q_values(p)
    tried = np.sort(p[~np.isnan(p)])
    for k, value in enumerate(p):
        if np.isnan(value):
            assert np.isnan(q[k])
        else:  # the smallest m p / rank over all ranks from its own on
            later = [len(tried) * x / (n + 1) for n, x in enumerate(tried) if x >= value]
            assert q[k] == pytest.approx(min(1, *later))


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 8), st.integers(0, 2**31))
def test_threshold_has_the_best_f1(n, levels, seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, levels, n).astype(np.float32)
    tracks = (rng.random((3, n)) < 0.4).astype(np.uint8)
    tracks[:, 0] = 1
    order = np.argsort(values)
    for sign in (1, -1):
        found = statistics.best_threshold(
            values[order], tracks[:, order], np.full(3, sign, np.int8)
        )
        tried = [x for x in np.unique(values) if x != sign * (sign * values).min()]
        for track, threshold in zip(tracks, found, strict=True):
            if not tried:
                assert np.isnan(threshold)
                continue
            best = max(sklearn.metrics.f1_score(track, sign * values >= sign * x) for x in tried)
            mine = sklearn.metrics.f1_score(track, sign * values >= sign * threshold)
            assert mine == pytest.approx(best)


def test_threshold_among_many_values_is_nearly_the_best():
    values = np.sort(RNG.normal(size=20_000)).astype(np.float32)
    for share in (0.001, 0.05, 0.5):
        track = (np.arange(20_000) >= 20_000 * (1 - share)) ^ (RNG.random(20_000) < share / 10)
        found = statistics.best_threshold(
            values, track[None].astype(np.uint8), np.array([1], np.int8)
        )
        below = np.append(0, np.cumsum(track))[:-1]
        called = np.arange(20_000, 0, -1)
        best = (2 * (track.sum() - below) / (called + track.sum())).max()
        assert sklearn.metrics.f1_score(track, values >= found[0]) > best - 0.01


@pytest.mark.parametrize("examples", [1, 7])
def test_every_number_of_a_row(examples):
    timesteps, cells, lags = 120, 5, (-1, 0, 2)
    values = RNG.integers(-9, 9, (examples, timesteps, cells)) / 10  # with ties
    tokens = letters(examples, timesteps)
    values[:, :, 0] += np.roll(tokens == "a", 2, axis=1)
    mask = np.ones((examples, timesteps), bool)
    mask[0, 100:] = False
    recording = recording_of(values, tokens, mask)
    wanted = [c.is_token("a", "b"), c.whitespace, c.line_length, c.position_in_word]
    table = lw.rank_cells(recording, wanted, lags=lags, shifts=20, seed=3)
    assert len(table) == cells * len(wanted)
    assert table.attrs == {"seed": 3, "shifts": 20, "lags": {"lstm": [0, -1, 2]}, "complete": True}

    # The halves: a single example is cut in the middle; of several, each is in one of the two.
    real = mask.sum(axis=1)
    if examples == 1:
        spans = [[(0, 0, 50)], [(0, 50, 100)]]
    else:
        order = np.random.default_rng(3).permutation(examples)
        spans, sizes = [[], []], [0, 0]
        for example in order:
            half = int(sizes[1] < sizes[0])
            spans[half].append((example, 0, real[example]))
            sizes[half] += real[example]
        assert abs(sizes[0] - sizes[1]) <= timesteps
    x32 = recording["lstm"]["hidden_state"].values
    for concept in wanted:
        says = [concept(tokens[k, : real[k]]).astype(float) for k in range(examples)]

        def paired(half, lag, cell, says=says):
            """What a cell and the concept said, timestep by timestep."""
            pairs = [
                (x32[k, t, cell], says[k][t - lag])
                for k, start, stop in spans[half]
                for t in range(start + 2, stop - 1)
            ]
            return np.array([pair for pair in pairs if not np.isnan(pair[1])], np.float64).T

        def score(half, lag, cell, concept=concept, paired=paired):
            x, y = paired(half, lag, cell)
            if concept.kind == "yes_no":
                return 2 * sklearn.metrics.roc_auc_score(y, x) - 1
            return spearman(x, y)

        for cell in range(cells):
            found = row(table, cell=cell, concept=concept.name)
            selected = {lag: score(0, lag, cell) for lag in lags}
            assert abs(selected[found.lag]) >= max(map(abs, selected.values())) - 1e-6
            assert found.selection_score == pytest.approx(selected[found.lag], abs=1e-6)
            assert found.score == pytest.approx(score(1, found.lag, cell), abs=1e-6)
            assert found.sign == (-1 if found.selection_score < 0 else 1)
            x, y = paired(1, found.lag, cell)
            if concept.kind == "numeric":
                assert found.pearson == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-6)
                assert found.spearman == found.score
                assert np.isnan([found.auroc, found.f1, found.threshold, found.base_rate]).all()
                continue
            assert found.auroc == pytest.approx((found.score + 1) / 2)
            assert found.base_rate == pytest.approx(y.mean())
            assert np.isnan([found.pearson, found.spearman]).all()
            called = found.sign * x >= found.sign * found.threshold
            assert found.f1 == pytest.approx(sklearn.metrics.f1_score(y, called))
            x, y = paired(0, found.lag, cell)
            tried = np.unique(x)[1:] if found.sign > 0 else np.unique(x)[:-1]
            f1 = [
                sklearn.metrics.f1_score(y, found.sign * x >= found.sign * level)
                for level in (found.threshold, *tried)
            ]
            assert f1[0] == pytest.approx(max(f1))


# The null -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("concept", [c.is_token("a"), c.line_length, c.position_in_word])
def test_p_value_is_the_share_of_all_turns_that_score_as_well(concept):
    rng = np.random.default_rng(5)
    tokens = letters(1, 120, rng)
    values = slow((120, 4), rng, keep=0.6)[None]
    values[0, :, 0] += 0.8 * (tokens[0] == "a")
    values[0, :, 1] -= 0.1 * c.line_length(tokens[0])
    table = lw.rank_cells(recording_of(values, tokens), [concept], lags=0, shifts=3000)
    y = concept(tokens[0]).astype(float)[60:]
    inside = ~np.isnan(y)
    y = y[inside]
    for found in table.itertuples():
        x = values[0, 60:, found.cell].astype(np.float32)[inside]
        turned = [
            spearman(x, np.roll(y, k))  # of a yes/no track it orders the turns as the AUROC does
            for k in range(len(y))
        ]
        as_well = np.mean([found.sign * s >= found.sign * turned[0] - 1e-9 for s in turned])
        assert found.p_value == pytest.approx(as_well, abs=0.035)
        assert found.p_value >= 1 / 3001


def test_p_value_with_examples_each_turned_by_itself():
    rng = np.random.default_rng(6)
    tokens = letters(8, 6, rng)
    tokens[:, 2] = "a"
    values = rng.normal(size=(8, 6, 2)) + (tokens == "a")[..., None] * [0.7, 0]
    table = lw.rank_cells(recording_of(values, tokens), [c.is_token("a")], lags=0, shifts=2000)
    held_out = np.random.default_rng(0).permutation(8)[1::2]
    for found in table.itertuples():
        x = values[held_out, :, found.cell].astype(np.float32)
        y = tokens[held_out] == "a"

        def auroc(y, x=x):
            above = x[y][:, None] - x[~y][None, :]
            return np.mean((above > 0) + (above == 0) / 2)

        own = auroc(y)
        assert found.auroc == pytest.approx(own)
        null = [auroc(np.stack([np.roll(one, rng.integers(6)) for one in y])) for _ in range(2000)]
        as_well = np.mean(found.sign * (np.array(null) - own) >= -1e-9)
        assert found.p_value == pytest.approx(as_well, abs=0.035)


def test_labels_are_permuted_across_examples():
    rng = np.random.default_rng(7)
    labels = rng.random(60) < 0.5
    level = rng.normal(size=(60, 1, 6))  # each example has a level of its own, whatever its label
    values = level + 0.1 * rng.normal(size=(60, 9, 6))
    values[:, :, 2] += 3 * labels[:, None]
    table = lw.rank_cells(recording_of(values), [c.label(labels)], lags=0)
    assert table.cell[0] == 2
    assert table.q_value[0] < 0.05
    assert (table.q_value[1:] > 0.05).all()
    assert (table.p_value[1:] > 0.01).all()


@pytest.mark.parametrize("shifts", [19, 20, 60, 200])
def test_a_score_above_the_level_of_the_null_has_a_small_p_value(shifts):
    rng = np.random.default_rng(7)
    tokens = letters(6, 200, rng)
    values = slow((200, 6, 30), rng, 0.8).transpose(1, 0, 2)
    values[..., :10] += np.linspace(0, 1, 10) * (tokens == "a")[..., None]
    table = lw.rank_cells(
        recording_of(values, tokens), {"a": tokens == "a", "b": tokens == "b"}, shifts=shifts
    )
    above = table.score * table.sign > table.null_level + 1e-5
    assert above.any()
    assert not above.all()
    assert ((table.p_value <= 0.05) <= above).all()
    assert (table.reason[above & (table.p_value > 0.05)] == "slow drifts only").all()


def test_few_shifts_have_no_level():
    tokens = letters(4, 60)
    table = lw.rank_cells(
        recording_of(RNG.normal(size=(4, 60, 2)), tokens), {"a": tokens == "a"}, shifts=18
    )
    assert table.null_level.isna().all()


def test_p_values_of_nothing_are_even():
    rng = np.random.default_rng(1)
    values = slow((1200, 150), rng)[None]
    said = {f"c{k}": slow(1200, rng)[None] > 0.5 for k in range(4)}
    said |= {f"n{k}": slow(1200, rng)[None] for k in range(2)}
    table = lw.rank_cells(recording_of(values), said)
    # Slow cells and slow tracks: what the usual test of ranks takes for certain, is chance.
    x, y = values[0, 600:, 0], said["c0"][0, 600:]
    spread = math.sqrt((600 + 1) / (12 * y.sum() * (~y).sum())) * 2
    usual = np.abs(table.score[table.kind == "yes_no"]) > 1.96 * spread
    assert usual.mean() > 0.4
    assert len(x) == 600
    for level in (0.05, 0.2, 0.5):
        assert (table.p_value <= level).mean() == pytest.approx(level, abs=0.06)
        assert (table.pooled_p_value <= level).mean() == pytest.approx(level, abs=0.06)
    assert not (table.q_value < 0.05).any()
    assert (table.p_value >= 1 / 201).all()
    assert (table.q_value >= table.p_value).all()


# Planted structure --------------------------------------------------------------------------------


@pytest.mark.parametrize("examples", [1, 12])
def test_planted_cells_come_out_on_top(examples):
    rng = np.random.default_rng(2)
    timesteps = 1800 // examples
    tokens = letters(examples, timesteps, rng)
    mask = np.ones(tokens.shape, bool)
    mask[-1, timesteps // 2 :] = False
    planted = {  # cell: concept, lag, sign
        3: (c.is_token("c"), 2, 1),
        11: (c.newline, -1, -1),
        17: (c.line_length, 0, -1),
        23: (c.position_in_word, 1, 1),
    }
    values = np.stack([slow((timesteps, 30), rng, 0.7) for _ in range(examples)])
    for cell, (concept, lag, sign) in planted.items():
        for example in range(examples):
            track = np.nan_to_num(concept.shift(lag)(tokens[example]).astype(float))
            values[example, :, cell] += sign * 3 * track / track.std()
    # What is at padding may be anything.
    values[~mask] = 1e6 * rng.normal(size=values[~mask].shape)
    tokens[~mask] = "c"
    table = lw.rank_cells(recording_of(values, tokens, mask), [x[0] for x in planted.values()])
    top = table.head(4)
    assert {(r.cell, r.concept, r.lag, r.sign) for r in top.itertuples()} == {
        (cell, concept.name, lag, sign) for cell, (concept, lag, sign) in planted.items()
    }
    assert (top.q_value < 0.05).all()
    assert (top.score * top.sign > 0.5).all()
    # Beside these, only what goes with a line's length: where it begins and ends.
    others = table[4:]
    others = others[~others.cell.isin(planted)]
    assert not (others.q_value < 0.05).any()


SMALL = {
    "quotes": (c.inside_double_quotes, ' "abcdwxyz'),
    "depth": (c.bracket_depth, "()abcde"),
    "line": (c.line_length, "\nLSabcd"),
}


def planted_text(kind, length, seed):
    """Text that can only be guessed by who knows one thing about where it stands."""
    rng = np.random.default_rng(seed)
    text = ""
    while len(text) < length:
        if kind == "quotes":  # other letters in quotes than outside
            inside = text.count('"') % 2
            text += "".join(rng.choice(list("wxyz" if inside else "abcd"), rng.integers(3, 16)))
            text += '"' if inside else ' "'
        elif kind == "depth":  # a letter for each depth
            depth = text.count("(") - text.count(")")
            opens = rng.random() < (0.5 if 0 < depth < 4 else depth == 0)
            text += "(" if opens else ")"
            text += "abcde"[depth + (1 if opens else -1)] * rng.integers(1, 4)
        else:  # long lines and short ones
            long = rng.random() < 0.5
            text += (
                ("L" if long else "S") + "".join(rng.choice(list("abcd"), 13 if long else 6)) + "\n"
            )
    return text


@pytest.mark.parametrize("kind", SMALL)
def test_cells_of_a_trained_network_follow_what_it_has_to_know(kind):
    concept, symbols = SMALL[kind]
    model = characters.build_model(len(symbols), cells=(16,), embedding=6, seed=1)
    learned = characters.encode(planted_text(kind, 16_000, seed=1), symbols)
    characters.train(model, learned, epochs=6, window=50, streams=16, learning_rate=0.02, seed=1)
    text = planted_text(kind, 3000, seed=2)
    recording = lw.record(model, characters.encode(text, symbols), vocabulary=list(symbols))
    asked = [concept, *(x for x, _ in SMALL.values() if x is not concept)]
    asked.append(c.vowel.shift(4))
    table = lw.rank_cells(recording, asked)
    best = table[table.concept == concept.name].iloc[0]
    assert best.q_value < 0.05
    assert best.score * best.sign > 0.8
    assert abs(best.lag) <= 1
    if kind != "line":  # where its end tells as much as its length
        assert table.concept[0] == concept.name

    # The same cells held against another text: nothing.
    other = planted_text(kind, 3000 + len(text), seed=3)[: len(text)]
    tracks = {x.name: x(other)[None] for x in asked if x(other).any()}
    nothing = lw.rank_cells(recording, tracks)
    assert not (nothing.q_value < 0.05).any()
    # And against its own characters in another order.
    shuffled = "".join(np.random.default_rng(4).permutation(list(text)))
    tracks = {x.name: x(shuffled)[None] for x in asked if x(shuffled).any()}
    nothing = lw.rank_cells(recording, tracks)
    assert not (nothing.q_value < 0.05).any()


# How it works -------------------------------------------------------------------------------------


def test_blocks_and_files_change_nothing(monkeypatch, tmp_path):
    values = RNG.normal(size=(3, 80, 7))
    recording = recording_of(
        values, letters(3, 80), cell_state=2 * values + RNG.normal(size=values.shape)
    )
    asked = [c.whitespace, c.line_length, c.position_in_word]
    whole = lw.rank_cells(recording, asked)
    assert set(whole.signal) == {"hidden_state", "cell_state"}
    recording.save(tmp_path / "saved.zarr")
    monkeypatch.setattr(blocks, "_BLOCK_VALUES", 240 * 2)
    for module in (ranked_block, ranked_tracks):
        monkeypatch.setattr(module, "SHIFTED_VALUES", 999)
    parts = lw.rank_cells(lw.open_recording(tmp_path / "saved.zarr"), asked)
    keys = ["signal", "cell", "concept"]
    whole, parts = (table.sort_values(keys, ignore_index=True) for table in (whole, parts))
    assert list(whole.columns) == list(parts.columns)
    for name in whole:
        if whole[name].dtype.kind == "f":
            np.testing.assert_allclose(whole[name], parts[name], atol=1e-5)
        else:
            assert whole[name].tolist() == parts[name].tolist()


def test_memory_is_that_of_a_block(monkeypatch, tmp_path):
    values = RNG.normal(size=(1, 10_000, 256)).astype(np.float32)
    size = values.nbytes
    monkeypatch.setattr(layout, "CHUNK_BYTES", 2**17)  # several are read at once
    recording_of(values, letters(1, 10_000)).save(tmp_path / "saved.zarr")
    del values
    monkeypatch.setattr(blocks, "_BLOCK_VALUES", 10_000 * 16)
    for module in (ranked_block, ranked_tracks):
        monkeypatch.setattr(module, "SHIFTED_VALUES", 50_000)
    recording = lw.open_recording(tmp_path / "saved.zarr")
    tracemalloc.start()
    try:
        table = lw.rank_cells(recording, [c.newline], shifts=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(table) == 256
    assert peak < size / 1.5


def test_interrupted_keeps_what_is_done(monkeypatch):
    recording = recording_of(RNG.normal(size=(1, 100, 4)), letters(1, 100))
    whole = lw.rank_cells(recording, [c.whitespace])
    monkeypatch.setattr(blocks, "_BLOCK_VALUES", 100)
    columns, calls = ranked_block.RankedBlock.columns, []

    def interrupted(work, pool):
        calls.append(work)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return columns(work, pool)

    monkeypatch.setattr(ranked_block.RankedBlock, "columns", interrupted)
    with pytest.warns(UserWarning, match="interrupted: 2 rows are ranked"):
        part = lw.rank_cells(recording, [c.whitespace])
    assert sorted(part.cell) == [0, 1]
    assert part.attrs["complete"] is False
    for found in part.itertuples():
        assert found.score == pytest.approx(row(whole, cell=found.cell).score)
    calls[:] = [None, None]
    with pytest.raises(KeyboardInterrupt):
        lw.rank_cells(recording, [c.whitespace])


def test_what_cannot_be_told_is_nan_and_last():
    values = RNG.normal(size=(1, 100, 4))
    tokens = letters(1, 100)
    values[0, :, 1] += 4 * (tokens[0] == "a")
    values[0, 70, 2] = np.nan
    values[0, :, 3] = 0.5
    asked = [c.is_token("a"), c.is_token("never"), c.line_length]
    table = lw.rank_cells(recording_of(values, tokens), asked)
    assert table.cell[0] == 1
    assert table[table.concept == "is_token('never')"].score.isna().all()
    assert (
        table[table.cell == 2][["score", "p_value", "q_value", "f1", "threshold"]]
        .isna()
        .all(axis=None)
    )
    dead = row(table, cell=3, concept="is_token('a')")
    assert (dead.score, dead.p_value) == (0, 1)
    assert np.isnan(dead.f1)
    assert np.isnan(row(table, cell=3, concept="line_length").score)
    told = table.score.notna()
    assert not told[told.argmin() :].any()
    # Rows that tell nothing change no q-value of the others.
    fewer = lw.rank_cells(recording_of(values[:, :, [0, 1, 3]], tokens), [asked[0], asked[2]])
    assert sorted(fewer.q_value.dropna()) == pytest.approx(sorted(table.q_value.dropna()))


def test_what_is_refused():
    recording = recording_of(np.zeros((1, 10, 2)), letters(1, 10))
    with pytest.raises(KeyError, match="expected one of 'lstm'"):
        lw.rank_cells(recording, [c.digit], layers="gru")
    with pytest.raises(ValueError, match="expected one of 'hidden_state' of layer 'lstm'"):
        lw.rank_cells(recording, [c.digit], signals="gate")
    with pytest.raises(ValueError, match="shifts: expected a whole number from 0 on, got -1"):
        lw.rank_cells(recording, [c.digit], shifts=-1)
    with pytest.raises(ValueError, match="that have a token at each of the lags"):
        lw.rank_cells(recording, [c.digit], lags=3)
    with pytest.raises(ValueError, match="lags: expected a whole number from 0"):
        lw.rank_cells(recording, [c.digit], lags=[])
    with pytest.raises(ValueError, match="concepts: expected one or more"):
        lw.rank_cells(recording, [])
    with pytest.raises(ValueError, match="layers: expected one or more"):
        lw.rank_cells(recording, [c.digit], layers=[])


def test_values_that_are_missing_or_infinite_are_ranked_without_a_warning():
    """The largest is the largest; of none there is no score. NumPy's own warnings would tell of neither."""
    recording = recording_of(np.random.default_rng(0).normal(size=(6, 50, 2)).astype("f4"))
    values = recording["lstm"]["hidden_state"].values[..., 0].astype(float)
    infinite, largest = (np.where(values > 1, high, values) for high in (np.inf, 100.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tables = [
            lw.rank_cells(recording, {"track": track}, shifts=5, groups=np.arange(6))
            for track in (infinite, largest, values * np.nan)
        ]
    np.testing.assert_allclose(tables[0]["score"], tables[1]["score"])
    assert tables[0]["pearson"].isna().all()
    assert tables[2]["score"].isna().all()
