"""Expected responses, against plain loops over all timesteps, and groups that were planted."""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lstm_widgets as lw
from lstm_widgets.analysis import blocks, responses
from lstm_widgets.errors import LayerNotFoundError
from lstm_widgets.recording import RecordedLayer, Recording

RNG = np.random.default_rng(0)
#: Control characters, directions, half a surrogate pair, what looks like markup, and nothing.
HOSTILE = ["\x00", "\u202e", "\ud800", "<script>", "$x$", " ", "a" * 300, "é", "\n"]


def layer_of(values, tokens, mask=None, **options):
    return RecordedLayer(
        *("lstm", "LSTM", {"hidden_state": values}, mask, np.asarray(tokens, object)), **options
    )


def looped(values, tokens, mask, initial=None, calls=None, *, backwards=False):
    """Give all changes of each word, one timestep after the other."""
    found = {}
    examples, timesteps, cells = values.shape
    ends = np.cumsum(calls or [timesteps]).tolist()
    for example in range(examples):
        order = range(timesteps)[::-1] if backwards else range(timesteps)
        before, of = None, None
        for t in order:
            if not mask[example, t]:
                continue
            call = next(k for k, end in enumerate(ends) if t < end)
            if call != of:
                before = None if initial is None else initial[example].reshape(-1, cells)[call]
                of = call
            state = values[example, t].astype(np.float64)
            if before is not None:
                found.setdefault(tokens[example][t], []).append(state - before)
            before = state
    return found


def expect_same(got, changes, cells=slice(None)):
    for k, word in enumerate(got["word"].to_numpy()):
        here = got.isel(word=k)  # NumPy makes "" of a label that is a null character
        if word not in changes:
            assert np.isnan(here["response"][cells]).all()
            assert np.isnan(here["band"][:, cells]).all()
            continue
        every = np.array(changes[word])
        np.testing.assert_allclose(here["response"][cells], every.mean(axis=0), rtol=0, atol=1e-6)
        expected = np.percentile(every, [9, 25, 75, 91], axis=0)
        np.testing.assert_allclose(here["band"][:, cells], expected, rtol=0, atol=1e-6)


@settings(max_examples=80)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 25), st.integers(1, 4)),
    padded=st.sampled_from([0, 0.3, 0.9]),
    known=st.booleans(),
    backwards=st.booleans(),
    several=st.booleans(),
    held=st.integers(1, 150),
    seed=st.integers(0, 2**31),
)
def test_it_is_the_mean_change_whatever_the_blocks(
    shape, padded, *, known, backwards, several, held, seed
):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape).astype(np.float32)
    mask = rng.random(shape[:2]) >= padded
    tokens = np.array([*HOSTILE, None], object)[rng.integers(len(HOSTILE), size=shape[:2])]
    tokens[~mask] = ""
    calls = (shape[1] // 2, shape[1] - shape[1] // 2) if several and shape[1] > 1 else ()
    axes = (shape[0], len(calls), shape[2]) if calls else (shape[0], shape[2])
    start = rng.normal(size=axes).astype(np.float32)
    initial = {"hidden_state": start} if known else {}
    layer = layer_of(*(values, tokens, mask), go_backwards=backwards, initial=initial, calls=calls)
    recording = Recording.from_layers([layer])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "ROW_VALUES", held)
        if not mask.any():
            with pytest.raises(ValueError, match="timesteps that aren't padding, got none"):
                lw.expected_responses(recording)
            return
        found = lw.expected_responses(recording, clusters=0)
    changes = looped(
        *(values, tokens, mask, start if known else None, list(calls)), backwards=backwards
    )
    expect_same(found, changes)
    counts = Counter(tokens[mask].tolist())
    assert dict(zip(found["word"].to_numpy(), found["count"].to_numpy(), strict=True)) == counts
    assert (np.diff(found["count"]) <= 0).all()
    assert found.attrs["different"] == len(counts)
    assert found.attrs["spelling"] in ("characters", "pieces", "words")


def test_a_bidirectional_layer_reads_both_ways():
    values = RNG.normal(size=(2, 2, 30, 3)).astype(np.float32)
    tokens = RNG.choice(["a", "b", "c"], (2, 30)).astype(object)
    start = {"hidden_state": np.ones((2, 3), np.float32)}
    layers = [
        RecordedLayer(
            *(f"b/{way}", "LSTM", {"hidden_state": each}),
            tokens=tokens,
            go_backwards=way == "backward",
            initial=start,
        )
        for way, each in zip(("forward", "backward"), values, strict=True)
    ]
    found = lw.expected_responses(Recording.from_layers(layers), "b", clusters=0)
    mask, begin = np.ones((2, 30), bool), np.ones((2, 3))
    expect_same(found, looped(values[0], tokens, mask, begin), slice(3))
    expect_same(found, looped(values[1], tokens, mask, begin, backwards=True), slice(3, 6))


def test_a_text_read_in_windows_has_no_state_before_its_first():
    values = RNG.normal(size=(1, 8, 2)).astype(np.float32)
    tokens, mask = [[*"xabababa"]], np.arange(8)[None] > 0
    layer = layer_of(values, tokens, mask, initial={"hidden_state": np.ones((1, 2), np.float32)})
    recording = Recording.from_layers([layer], attrs={"window": 2})
    expect_same(lw.expected_responses(recording, clusters=0), looped(values, tokens, mask))


def test_gates_start_from_nothing():
    layer = layer_of(RNG.normal(size=(2, 5, 2)).astype(np.float32), [[*"abcab"], [*"cabca"]])
    layer.signals["forget_gate"] = RNG.random((2, 5, 2)).astype(np.float32)
    recording = Recording.from_layers([layer])
    found = lw.expected_responses(recording, signal="forget_gate", clusters=0)
    gate = layer.signals["forget_gate"]
    expect_same(found, looped(gate, layer.tokens, np.ones((2, 5), bool)))


def test_it_is_read_block_by_block_from_a_file(tmp_path, monkeypatch):
    values = RNG.normal(size=(2, 3000, 4)).astype(np.float32)
    tokens = RNG.choice(["one", "two", "three"], (2, 3000)).astype(object)
    initial = {"hidden_state": np.zeros((2, 4), np.float32)}
    recording = Recording.from_layers([layer_of(values, tokens, initial=initial)])
    recording.save(tmp_path / "r")
    whole = lw.expected_responses(recording, clusters=2)
    monkeypatch.setattr(blocks, "ROW_VALUES", 6000)
    found = lw.expected_responses(lw.open_recording(tmp_path / "r"), clusters=2)
    np.testing.assert_allclose(found["response"], whole["response"], rtol=0, atol=1e-7)
    np.testing.assert_array_equal(found["band"], whole["band"])
    assert found["word_group"].equals(whole["word_group"])


def test_bands_of_frequent_words_are_those_of_a_part(monkeypatch):
    monkeypatch.setattr(responses, "_LEAST_KEPT", 2000)
    monkeypatch.setattr(responses, "_KEPT_VALUES", 1)
    tokens = np.where(RNG.random((1, 40_000)) < 0.999, "often", "rare").astype(object)
    values = RNG.normal(size=(1, 40_000, 1)).cumsum(axis=1).astype(np.float32)
    recording = Recording.from_layers([layer_of(values, tokens)])
    found = lw.expected_responses(recording, clusters=0)
    changes = looped(values, tokens, np.ones(tokens.shape, bool))
    assert 1800 < _kept(recording) < 2300
    expected = np.percentile(changes["often"], [9, 25, 75, 91], axis=0)
    np.testing.assert_allclose(found["band"].sel(word="often"), expected, atol=0.15)
    exactly = np.percentile(changes["rare"], [9, 25, 75, 91], axis=0)
    np.testing.assert_allclose(found["band"].sel(word="rare"), exactly, atol=1e-3)


def _kept(recording):
    """Count the changes that percentiles are worked out of."""
    layer = responses._Direction(recording, "lstm", "hidden_state")
    counts = layer.counts()
    shares = np.minimum(1, 2000 / np.array([*counts.values()]))
    reading = responses.Reading(
        *("hidden_state", tuple(counts), shares, 40_000, np.array([40_000])), backwards=False
    )
    return sum(
        len(responses.responses(reading, block).words) for block in blocks.row_blocks(layer._part)
    )


def planted(groups_of_words, groups_of_cells, noise=0.02, seed=0):
    """Plant groups: each word moves the cells of its group up or down, and no other."""
    rng = np.random.default_rng(seed)
    words, cells = len(groups_of_words), len(groups_of_cells)
    signs = rng.choice([-1.0, 1.0], (words, cells)) * rng.uniform(0.4, 1, (words, cells))
    moves = np.where(np.equal.outer(groups_of_words, groups_of_cells), signs, 0)
    read = rng.integers(words, size=6000)
    steps = moves[read] + rng.normal(size=(6000, cells)) * noise
    values = steps.cumsum(axis=0)[None].astype(np.float32)
    tokens = np.array([[f"word {k}" for k in read]], object)
    return Recording.from_layers([layer_of(values, tokens)]), moves


def partition(labels):
    return {frozenset(np.flatnonzero(labels == each).tolist()) for each in set(labels.tolist())}


@pytest.mark.parametrize("seed", range(3))
def test_planted_groups_are_found(seed):
    rng = np.random.default_rng(seed)
    of_words, of_cells = rng.permutation(np.arange(24) % 4), rng.permutation(np.arange(20) % 4)
    recording, moves = planted(of_words, of_cells, seed=seed)
    names = [f"word {k}" for k in range(24)]
    found = lw.expected_responses(recording, words=names, clusters=4, seed=seed)
    np.testing.assert_allclose(found["response"], moves, atol=0.02)
    assert partition(found["word_group"].to_numpy()) == partition(of_words)
    assert partition(found["cell_group"].to_numpy()) == partition(of_cells)
    for group in range(4):
        here = found["response"].to_numpy()[found["word_group"] == group]
        assert np.abs(here[:, found["cell_group"] == group]).mean() > 0.3
        assert np.abs(here[:, found["cell_group"] != group]).mean() < 0.02
    within = [
        float(
            abs(
                found["response"].sel(word=found["word_group"] == k, cell=found["cell_group"] == k)
            ).sum()
        )
        for k in range(4)
    ]
    assert within == sorted(within, reverse=True)
    again = lw.expected_responses(recording, words=names, clusters=4, seed=seed)
    assert again.identical(found)


def test_what_nothing_moves_is_in_no_group():
    recording, _ = planted(np.array([0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 3]), noise=0)
    found = lw.expected_responses(recording, words=[f"word {k}" for k in range(5)], clusters=2)
    assert found["word_group"].to_numpy()[4] == -1
    assert found["cell_group"].to_numpy()[4] == -1
    assert partition(found["word_group"].to_numpy()) == {
        *(frozenset({0, 1}), frozenset({2, 3}), frozenset({4}))
    }


@pytest.mark.parametrize("clusters", [0, 1])
def test_without_groups_it_takes_no_scikit_learn(clusters, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    recording, _ = planted(np.array([0, 1]), np.array([0, 1, 1]))
    found = lw.expected_responses(recording, clusters=clusters)
    assert ("word_group" in found.coords) == bool(clusters)
    with pytest.raises(ModuleNotFoundError, match=r"clusters=0 goes without") as caught:
        lw.expected_responses(recording)
    assert caught.value.name == "sklearn"


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"signal": "cell_state"}, ValueError, "signal: expected one of 'hidden_state'"),
        ({"layer": "gru"}, LayerNotFoundError, "layer: expected one of 'lstm'"),
        ({"words": "word 0"}, TypeError, "words: expected several of them"),
        ({"words": []}, ValueError, "words: expected one or more"),
        ({"words": ["word 0", "no"]}, ValueError, "words that the layer has read, got 'no'"),
        ({"limit": 0}, ValueError, "limit: expected a positive whole number"),
        ({"clusters": -1}, ValueError, "clusters: expected a whole number from 0 on"),
    ],
)
def test_errors_say_what_was_expected(options, error, said):
    recording, _ = planted(np.array([0, 1]), np.array([0, 1, 1]))
    with pytest.raises(error, match=said):
        lw.expected_responses(recording, **options)


def test_numbers_are_no_words():
    layer = RecordedLayer("lstm", "LSTM", {"hidden_state": np.zeros((1, 3, 2), np.float32)})
    with pytest.raises(ValueError, match="expected one with tokens, got 'lstm', which has none"):
        lw.expected_responses(Recording.from_layers([layer]))


def test_variants_have_words_and_groups_in_common():
    rng = np.random.default_rng(5)
    of_words, of_cells = rng.permutation(np.arange(12) % 3), rng.permutation(np.arange(9) % 3)
    late, _ = planted(of_words, of_cells, seed=4)
    values = late["lstm"]["hidden_state"].to_numpy()
    tokens = late["lstm"]["token"].to_numpy()
    # Before, cells drift: the groups are those of what moves them most in any.
    drift = rng.normal(scale=0.02, size=values.shape).cumsum(axis=1).astype(np.float32)
    early = Recording.from_layers([layer_of(drift, tokens)])
    variants = lw.Variants({"early": early, "late": late})
    found = lw.expected_responses(variants, clusters=3)
    assert found["response"].dims == ("variant", "word", "cell")
    assert found["band"].dims == ("variant", "percentile", "word", "cell")
    assert found["count"].dims == ("word",)
    for name, recording in variants.items():
        alone = lw.expected_responses(recording, clusters=0)
        own = found.sel(variant=name, drop=True)
        for one in ("response", "band", "count"):
            np.testing.assert_array_equal(own[one], alone[one])
        assert own["word"].to_numpy().tolist() == alone["word"].to_numpy().tolist()
    numbers = [int(word.split()[1]) for word in found["word"].to_numpy()]
    assert partition(found["word_group"].to_numpy()) == partition(of_words[numbers])
    assert partition(found["cell_group"].to_numpy()) == partition(of_cells)
    assert found.attrs["layer"] == "lstm"


def test_variants_of_other_sizes_have_no_cells_in_common():
    more, _ = planted(np.array([0, 1]), np.array([0, 1, 1]))
    values, tokens = (more["lstm"][name].to_numpy() for name in ("hidden_state", "token"))
    few = Recording.from_layers([layer_of(values[..., :2], tokens)])
    variants = lw.Variants({"few": few, "more": more})
    with pytest.raises(ValueError, match=r"'few' has 'lstm' \(2 cells\); 'more' has 'lstm' \(3"):
        lw.expected_responses(variants)
    with pytest.raises(
        ValueError, match=r"as many cells in all variants, .*2 in 'few', 3 in 'more'"
    ):
        lw.expected_responses(variants, "lstm")
