"""Ranking where timesteps are not independent: windows that overlap, drifts, few cycles."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest

import lstm_widgets as lw
from lstm_widgets.analysis import series, split_and_shift
from lstm_widgets.analysis.ranked_tracks import Halving, RankedText
from lstm_widgets.recording import RecordedLayer, Recording, overlap
from lstm_widgets.recording.times import standard_times

WIDTH = 50


def slow(rng, n, columns, keep=0.9):
    noise = rng.normal(size=(n, columns))
    for t in range(1, n):
        noise[t] = keep * noise[t - 1] + np.sqrt(1 - keep**2) * noise[t]
    return noise


def cut(series, step=1, width=WIDTH):
    starts = np.arange(0, len(series) - width + 1, step)
    return np.stack([series[k : k + width] for k in starts])


def states(rng, cells, step=1):
    """What cells show in windows: a window's first states still depend on where it starts."""
    rows = cut(cells, step)
    start = rng.normal(size=(len(rows), 1, cells.shape[1]))
    return rows + np.exp(-np.arange(WIDTH) / 5)[None, :, None] * start


def recording_of(values, tokens=None, **attrs):
    signals = {"hidden_state": np.asarray(values, np.float32)}
    return Recording.from_layers(
        [RecordedLayer("lstm", "LSTM", signals, tokens=tokens)], attrs=attrs
    )


def described(rows):
    return {"overlap": overlap.described([rows])}


def model_of(width):
    keras.utils.set_random_seed(0)
    layers = [keras.Input((width, 1)), keras.layers.LSTM(8, name="lstm"), keras.layers.Dense(1)]
    return keras.Sequential(layers)


@pytest.fixture(scope="module")
def model():
    return model_of(WIDTH)


@pytest.mark.parametrize("order", ["straight", "shuffled"])
def test_record_keeps_how_its_inputs_overlap(model, order, tmp_path):
    rng = np.random.default_rng(0)
    rows = cut(rng.normal(size=(160, 1)).cumsum(axis=0), 3)
    places = rng.permutation(len(rows)) if order == "shuffled" else np.arange(len(rows))
    recording = lw.record(model, rows[places], signals=["hidden_state"])
    recording.save(tmp_path / "saved")
    opened = lw.open_recording(tmp_path / "saved")
    # The walk of a sensor beside it, which doesn't overlap itself: only the inputs tell.
    with pytest.warns(UserWarning, match="windows of 1 series that overlap, as the inputs show"):
        table = lw.rank_cells(
            opened, {"late": np.tile(np.arange(WIDTH) > 40, (len(rows), 1))}, lags=0
        )
    assert list(table.attrs["windows"]) == ["lstm"]
    found = overlap.of_description(opened.tree.attrs["overlap"], len(rows))
    assert found.start.tolist() == (3 * places).tolist()
    apart = lw.record(model, rng.normal(size=(9, WIDTH, 1)), signals=["hidden_state"])
    assert apart.tree.attrs["overlap"] == {"runs": []}


KINDS = {
    "walk": lambda rng: slow(rng, 300, 1, 0.995)[:, 0],
    "drift": lambda rng: np.linspace(-2, 2, 300) * rng.normal() + rng.normal(size=300),
    "cycles": lambda rng: (
        np.sin(np.arange(300) / 18 + rng.uniform(0, 6)) + rng.normal(size=300) / 5
    ),
    "step": lambda rng: (np.arange(300) > rng.integers(30, 270)) + rng.normal(size=300) / 9,
    "noise": lambda rng: slow(rng, 300, 1, 0.6)[:, 0],
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_nothing_to_do_with_the_cells_is_not_found(kind):
    make = KINDS[kind]
    found, p_values = 0, []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        cells = np.stack([make(rng) for _ in range(10)], axis=1)
        track = make(rng)
        rows = cut(cells)
        recording = recording_of(states(rng, cells), **described(rows))
        said = {"number": cut(track), "yes": cut(track > np.median(track))}
        with pytest.warns(UserWarning, match="overlap"):
            table = lw.rank_cells(recording, said, shifts=60, seed=seed)
        found += bool((table.q_value < 0.05).any())
        p_values += table.p_value.fillna(1).tolist()
        assert (table.effective_n <= WIDTH + 100).all()
    assert found <= 2
    assert np.mean(np.array(p_values) <= 0.05) <= 0.09


@pytest.mark.parametrize("how", ["found", "told", "shuffled", "tokens", "numbers"])
def test_what_a_cell_follows_is_found_in_windows(how):
    rng = np.random.default_rng(3)
    cells = slow(rng, 400, 6)
    track = slow(rng, 400, 1)[:, 0]
    cells[:, 4] = -track + slow(rng, 400, 1)[:, 0] / 2
    rows, said = states(rng, cells), cut(track)
    places = rng.permutation(len(rows)) if how in ("shuffled", "tokens") else np.arange(len(rows))
    more, tokens, asked = {}, None, {"track": said[places] > 0}
    if how in ("found", "shuffled"):
        attrs = described(cut(cells)[places])
    elif how == "told":
        attrs, more = {}, {"step": 1}
    elif how == "tokens":
        attrs, tokens = {}, cut(rng.choice(list("abcdefghijklmnop"), 400).astype(object))[places]
    else:
        attrs, asked = {}, {"track": said}
    recording = recording_of(rows[places], tokens, **attrs)
    if how == "told":
        table = lw.rank_cells(recording, asked, **more)
        assert table.attrs["step"] == 1
    else:
        with pytest.warns(UserWarning, match="351 of 351 examples are windows of 1 series"):
            table = lw.rank_cells(recording, asked)
    best = table.iloc[0]
    assert (best.cell, best.sign) == (4, -1)
    assert best.q_value < 0.05
    assert best.reason == ""
    assert 10 < best.effective_n < 200
    assert not (table.q_value[1:] < 0.05).any()
    # The evidence makes the same null again.
    again = lw.CellFinder(recording, asked, ranking=table).evidence(0)
    p = (1 + np.sum(best.sign * again.null >= best.sign * best.score - 1e-5)) / 201
    assert p == pytest.approx(best.p_value)


def test_effective_n_is_bartletts():
    """Of one series: n / sum of the products of circular autocorrelations."""
    rng = np.random.default_rng(4)
    x, y = slow(rng, 1600, 3, 0.8), slow(rng, 1600, 1, 0.8)[:, 0]
    table = lw.rank_cells(recording_of(x[None]), {"y": y[None]}, lags=0, shifts=1500)

    def circular(values):
        ranks = values[800:].argsort().argsort() - 399.5
        power = np.abs(np.fft.fft(ranks)) ** 2
        return np.fft.ifft(power).real / (ranks @ ranks)

    for found in table.itertuples():
        products = circular(x[:, found.cell]) * circular(y)
        assert found.effective_n == pytest.approx(800 / products.sum(), rel=0.15)


def test_independent_noise_is_worth_its_timesteps():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(40, 30, 4))
    yes = {"yes": rng.random((40, 30)) < 0.3}
    table = lw.rank_cells(recording_of(values, overlap={"runs": []}), yes, lags=0)
    assert table.effective_n.between(400, 600).all()
    assert (table.reason == "").all()


@pytest.mark.parametrize("kind", ["yes_no", "numeric"])
def test_too_few_cycles_are_told(kind):
    rng = np.random.default_rng(6)
    wave = np.sin(2 * np.pi * 6 * np.arange(1200) / 1200)
    values = np.stack([wave + rng.normal(size=1200) / 4, rng.normal(size=1200)], axis=1)[None]
    track = (wave > 0 if kind == "yes_no" else wave)[None]
    table = lw.rank_cells(recording_of(values), {"season": track})
    assert table.cell[0] == 0
    assert abs(table.score[0]) > 0.8
    assert table.reason.tolist() == ["3 cycles only"] * 2
    assert table[["p_value", "pooled_p_value", "q_value"]].isna().all(axis=None)
    assert (table.effective_n >= 1).all()
    # Thirty of them are enough to tell who follows them exactly.
    wave = np.sin(2 * np.pi * 6 * (np.arange(1200) / 1200) ** 3 * 10)
    values = np.stack([wave + rng.normal(size=1200) / 4, rng.normal(size=1200)], axis=1)[None]
    track = (wave > 0 if kind == "yes_no" else wave)[None]
    table = lw.rank_cells(recording_of(values), {"season": track})
    assert (table.cell[0], table.reason[0]) == (0, "")
    assert table.q_value[0] < 0.05


def test_what_agrees_in_its_drift_only_is_told():
    rng = np.random.default_rng(7)
    drift = np.linspace(-2, 2, 1000)
    cells = drift[:, None] + rng.normal(size=(1000, 3))
    table = lw.rank_cells(recording_of(cells[None]), {"y": (drift + rng.normal(size=1000))[None]})
    assert (table.score > 0.1).all()
    assert not (table.q_value < 0.05).any()
    assert "slow drifts only" in set(table.reason)
    assert (table.p_value[table.reason == "slow drifts only"] > 0.05).all()


def test_reasons_of_what_cannot_be_told():
    rng = np.random.default_rng(8)
    values = rng.normal(size=(12, 30, 3))
    values[..., 1] = 0.5
    values[3, 4, 2] = np.nan
    labels = np.array(["a"] * 11 + ["b"])
    asked = [lw.concepts.label(labels == "b", name="b"), lw.concepts.length()]
    recording = recording_of(values, overlap={"runs": []})
    table = lw.rank_cells(recording, asked[:1]).sort_values("cell")
    selected = np.random.default_rng(0).permutation(12)[::2]
    where = "held-out" if 11 in selected else "selection"
    assert table.reason.tolist()[0] == f"no example in the {where} half"
    assert table.reason.tolist()[2] == "values that aren't finite"
    few = recording_of(rng.normal(size=(4, 30, 2)), overlap={"runs": []})
    odd = {"odd": np.repeat([[True], [False], [False], [True]], 30, axis=1)}
    table = lw.rank_cells(few, odd, seed=1)
    assert set(table.reason) <= {
        *("2 examples only", "no example in the selection half", "no example in the held-out half"),
        *("yes everywhere in the selection half", "yes everywhere in the held-out half"),
    }
    assert table.q_value.isna().all()


def test_groups_are_never_cut_and_their_label_is_permuted():
    rng = np.random.default_rng(9)
    groups = np.repeat(np.arange(24), 10)
    level = rng.normal(size=(24, 5))[groups]  # a subject has a level of its own
    values = level[:, None] + 0.1 * rng.normal(size=(240, 12, 5))
    ill = (np.arange(24) % 2 == 0)[groups]
    values[..., 3] += 2.5 * ill[:, None]
    recording = recording_of(values, overlap={"runs": []})
    said = {"ill": np.repeat(ill[:, None], 12, axis=1)}
    table = lw.rank_cells(recording, said, groups=[f"subject {n}" for n in groups], lags=0)
    assert table.cell[0] == 3
    assert table.p_value[0] < 0.05
    assert (table.p_value[1:] > 0.02).all()
    assert table.attrs["windows"] == {"lstm": "the examples belong to 24 groups"}
    blind = lw.rank_cells(recording, said, lags=0)
    assert (blind.p_value[1:] < 0.02).any()  # what a subject is, is taken for what an illness is


def test_where_nothing_tells_there_is_a_gap_between_the_halves():
    rng = np.random.default_rng(10)
    rows = states(rng, slow(rng, 300, 4))
    said = {"yes": cut(slow(rng, 300, 1)[:, 0] > 0)}
    with pytest.warns(
        UserWarning, match="it isn't known whether the examples are overlapping windows"
    ):
        table = lw.rank_cells(recording_of(rows), said)
    assert not (table.q_value < 0.05).any()
    told = lw.rank_cells(recording_of(rows), said, step=1)
    assert table.effective_n.median() < 4 * told.effective_n.median()


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"groups": ["a"]}, "one label for each of 6 examples, or for each of 20 timesteps, got 1"),
        ({"groups": "abcdef"}, "groups: expected one label for each example"),
        ({"step": 0}, "step: expected a positive whole number, got 0"),
        ({"step": 1.5}, "step"),
    ],
)
def test_what_is_refused(more, error):
    recording = recording_of(np.random.default_rng(0).normal(size=(6, 20, 2)))
    with pytest.raises((TypeError, ValueError), match=error):
        lw.rank_cells(recording, {"x": np.ones((6, 20)) > 0}, **more)


def test_the_finder_passes_on_how_to_rank_and_shows_reasons():
    rng = np.random.default_rng(11)
    values = states(rng, slow(rng, 300, 4))
    said = {"yes": cut(slow(rng, 300, 1)[:, 0] > 0), "one": cut(np.arange(300) > 220)}
    recording = recording_of(values)
    finder = lw.CellFinder(recording, said, step=1, shifts=30, lags=0, seed=2)
    expected = lw.rank_cells(
        recording, said, signals="hidden_state", step=1, shifts=30, lags=0, seed=2
    )
    assert finder.ranking.equals(expected)
    sent = finder._ranking
    assert sent["windows"] == ["the examples are windows of one series, 1 timestep apart"]
    reasons = [sent["reason"][code] for code in sent["reasons"]]
    assert reasons == expected.reason.tolist()
    assert any(reasons)
    with pytest.raises(TypeError, match="step: expected only where concepts are to be ranked"):
        lw.CellFinder(recording, said, ranking=expected, step=1)
    # A table of an earlier version has neither.
    older = lw.CellFinder(recording, expected.drop(columns=["effective_n", "reason"]))
    assert set(older._ranking["reason"]) == {""}


def test_passages_show_a_moment_of_a_series_once():
    rng = np.random.default_rng(12)
    cells = slow(rng, 300, 1)
    recording = recording_of(cut(cells), **described(cut(cells)))
    table = lw.rank_cells(recording, {"yes": cut(slow(rng, 300, 1)[:, 0] > 0)}, step=1, shifts=0)
    shown = lw.CellFinder(recording, {"yes": cut(cells[:, 0] > 0)}, ranking=table).evidence(0)
    taken = [set(range(p.example + p.start, p.example + p.stop)) for p in shown.passages]
    assert len(taken) > 3
    for number, passage in enumerate(shown.passages):
        assert not any(passage.example + passage.peak in one for one in taken[:number])


# Groups of timesteps --------------------------------------------------------------------------------


def test_years_are_halved_as_wholes_and_windows_keep_their_distance():
    rng = np.random.default_rng(0)
    year = np.repeat(np.arange(10), 40)
    mask = np.ones((2, 400), bool)
    mask[1, 390:] = False
    origin = series.Origin(np.arange(2), np.zeros(2, int))
    numbers = np.stack([year, year])[mask]
    for gap in (0, 7):
        selection, held_out = split_and_shift.halved(mask, origin, rng, groups=numbers, gap=gap)
        whole = [np.zeros(len(numbers), bool) for _ in range(2)]
        for half, flags in zip((selection, held_out), whole, strict=True):
            for piece in half:
                flags[piece.start : piece.stop] = True
                assert piece.position == (piece.start if piece.segment == 0 else piece.start - 400)
        assert not (whole[0] & whole[1]).any()
        assert not set(numbers[whole[0]]) & set(numbers[whole[1]])
        if not gap:
            assert (whole[0] | whole[1]).all()
        at = np.arange(len(numbers))
        for example in (at < 400, at >= 400):
            one, other = at[whole[0] & example], at[whole[1] & example]
            assert np.abs(one[:, None] - other).min() >= max(gap, 1)


def test_what_holds_in_a_few_years_only_is_not_found_in_others():
    rng = np.random.default_rng(0)
    times = pd.date_range("2001-01-01", "2010-12-31", freq="D")
    y = rng.normal(size=len(times))
    values = rng.normal(size=(len(times), 3))
    values[:, 1] += 2 * y
    layer = RecordedLayer(
        "lstm",
        "LSTM",
        {"hidden_state": values[None].astype(np.float32)},
        times=standard_times(times, 1, len(times)),
    )
    recording = Recording.from_layers([layer])
    table = lw.rank_cells(recording, {"y": y[None]}, groups="year", shifts=50)
    assert table["cell"][0] == 1
    assert table["score"][0] > 0.8
    assert table["q_value"][0] < 0.05 < table["q_value"][1:].min()
    assert table.attrs["groups"] == "year"
    labels = times.year.to_numpy()
    same = lw.rank_cells(recording, {"y": y[None]}, groups=labels, shifts=50)
    pd.testing.assert_frame_equal(table, same)
    assert same.attrs["groups"] == labels.tolist()


@pytest.mark.parametrize("sign", [1, -1])
def test_cycles_are_counted_where_most_values_are_the_same(sign):
    """Snow lies for a third of each of twelve winters, and is 0 in between; or the other way round."""
    rng = np.random.default_rng(0)
    day = np.arange(12 * 200)
    snow = np.maximum(0, np.sin(2 * np.pi * day / 200) - 0.5) * rng.uniform(1, 3, 12).repeat(200)
    states = np.stack([snow, rng.normal(size=len(day))], axis=1)[None]
    layer = RecordedLayer("lstm", "LSTM", {"cell_state": states.astype(np.float32)})
    recording = Recording.from_layers([layer])
    table = lw.rank_cells(recording, {"snow": sign * snow[None]}, shifts=50)
    assert not table.reason.str.contains("cycles").any()
    assert table.cell[0] == 0
    assert table.p_value[0] < 0.05


# A series that was read in windows ------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("groups", [None, "month"])
def test_halves_of_a_recording_in_windows_have_no_timestep_in_common(step, groups):
    n, width = 900, 20
    rng = np.random.default_rng(step)
    told = {} if groups is None else {"times": pd.date_range("2001-01-01", periods=n)}
    values = rng.normal(size=(n, 1)).astype(np.float32)
    recording = lw.record(model_of(width), values, window=width, step=step, **told)
    ends = np.arange(width - 1, n, step)  # of each window, in the series
    heard = rng.random(n) > 0.5
    how = Halving(groups, None, lags=0, shifts=3, seed=0)
    ranked = RankedText.of(recording, {"heard": heard[None]}, "lstm", how)
    assert ranked.mask.sum() == len(ends)
    one, other = (ends[half.slots] for half in ranked.halves)
    assert min(len(one), len(other)) > len(ends) / 5
    # A window that ends in one half has read nothing that a window of the other has.
    apart = np.abs(one[:, None] - other)
    assert apart.min() >= width
    assert apart.min() < width + step  # and no more is left out than that
