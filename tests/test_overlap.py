"""Windows that overlap are found from what stands in them, however they are ordered."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_widgets.recording import overlap


def windows(series, width, step):
    starts = np.arange(0, len(series) - width + 1, step)
    return np.stack([series[k : k + width] for k in starts]), starts


def told(values):
    return overlap.find(overlap.fingerprints(np.asarray(values)))


def fits(found, series, starts):
    """Whether those that are said to belong together do, each at its place; and all of them."""
    assert found is not None
    for one in set(found.series.tolist()):
        here = found.series == one
        assert len(set(np.asarray(series)[here].tolist())) == 1
        assert len(set((np.asarray(starts)[here] - found.start[here]).tolist())) == 1
        assert found.start[here].min() == 0
    return len(set(found.series.tolist())) == len(set(np.asarray(series).tolist()))


@pytest.mark.parametrize("step", [1, 2, 7, 20, 37])
@pytest.mark.parametrize("order", ["straight", "backwards", "shuffled", "phases"])
@pytest.mark.parametrize("kind", ["walk", "ids"])
def test_windows_of_several_series_are_found_in_any_order(step, order, kind):
    rng = np.random.default_rng(step)
    rows, series, starts = [], [], []
    for one in range(3):
        if kind == "walk":
            whole = rng.normal(size=(400, 2)).cumsum(axis=0).astype(np.float32)
        else:
            whole = rng.integers(0, 30, 400)
        part, at = windows(whole, 50, step)
        rows.append(part)
        series += [one] * len(part)
        starts += at.tolist()
    rows, series, starts = np.concatenate(rows), np.array(series), np.array(starts)
    n = len(rows)
    places = {
        "straight": np.arange(n),
        "backwards": np.arange(n)[::-1],
        "shuffled": rng.permutation(n),
        "phases": np.argsort(np.arange(n) % 5, kind="stable"),
    }[order]
    assert fits(told(rows[places]), series[places], starts[places])


def test_independent_examples_do_not_overlap():
    rng = np.random.default_rng(0)
    assert told(rng.normal(size=(300, 40, 2))) is None
    assert told(rng.integers(0, 60, (800, 30))) is None
    assert told(rng.integers(0, 10, (500, 7))) is None  # by chance a few do, which says nothing
    assert told(np.zeros((40, 20))) is None
    assert told(np.zeros((1, 20))) is None
    assert told(rng.normal(size=(20, 1))) is None
    sparse = np.where(rng.random((200, 30)) < 0.97, 0, rng.random((200, 30)))
    assert told(sparse) is None


def test_a_series_that_hardly_ever_changes_is_found_in_order():
    rng = np.random.default_rng(1)
    rain = np.where(rng.random(900) < 0.9, 0, rng.random(900))
    rows, starts = windows(rain, 40, 1)
    assert fits(told(rows), np.zeros(len(rows)), starts)
    bits = rng.integers(0, 2, 600)
    rows, starts = windows(bits, 15, 2)
    assert fits(told(rows), np.zeros(len(rows)), starts)


def test_text_as_str_and_padding_at_the_start():
    text = np.array(
        list("the quick brown fox jumps over the lazy dog; pack my box with jugs"), object
    )
    rows, starts = windows(text, 20, 3)
    assert fits(told(rows), np.zeros(len(rows)), starts)
    padded = np.stack([np.append(np.repeat("", 20), text)[k : k + 20] for k in range(1, 60)])
    found = told(padded)
    assert found is not None
    assert set(np.diff(found.start[5:])) == {1}


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50)), min_size=2, max_size=40),
    st.integers(1, 60),
)
@settings(max_examples=60)
def test_a_description_says_the_same_again(pairs, count):
    series, start = np.array(pairs, np.intp).T
    found = overlap.Windows(series, start, 9)
    text = json.dumps({"timesteps": 9, "runs": overlap._runs(found)})
    again = overlap.of_description(json.loads(text), count)
    some = series[:count]
    if len(set(some.tolist())) == len(some):
        assert again is None
        return
    assert again.series.tolist() == some.tolist()
    assert again.start.tolist() == start[:count].tolist()
    assert again.timesteps == 9


def test_long_runs_are_described_in_a_few_numbers():
    rows, _ = windows(np.random.default_rng(2).normal(size=(700, 1)), 30, 2)
    assert overlap.described([rows]) == {"timesteps": 30, "runs": [[336, 0, 0, 2]]}
    assert overlap.described([np.zeros((3, 4)), rows])["runs"]
    assert overlap.described([np.zeros(5), np.zeros((0, 3))]) == {"runs": []}


@settings(max_examples=30)
@given(
    st.tuples(st.integers(2, 12), st.integers(1, 9), st.integers(1, 3)),
    st.integers(1, 200),
    st.booleans(),
    st.integers(0, 99),
)
def test_inputs_are_looked_at_some_examples_after_the_other(shape, together, other, seed):
    examples, step, channels = shape
    rng = np.random.default_rng(seed)
    walk = rng.normal(size=(step * examples + 40, channels)).cumsum(axis=0).astype(np.float32)
    values, _ = windows(walk, 40, step)
    values = values[:examples]
    if other:
        values[examples // 2 :] = rng.normal(size=values[examples // 2 :].shape)
    read = []

    class Counting:
        shape, dtype = values.shape, values.dtype

        def __getitem__(self, which):
            found = values[which]
            read.append(found.size)
            return found

    whole = overlap.find(overlap.fingerprints(values))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlap, "_BLOCK_VALUES", together)
        found = overlap.described([Counting()])
        assert max(read) <= max(together, 40 * channels, examples * channels)
        again = overlap.of_description(found, examples)
    if whole is None:
        assert again is None
    else:
        assert again.series.tolist() == whole.series.tolist()
        assert again.start.tolist() == whole.start.tolist()


@pytest.mark.parametrize("shape", [(2, 0), (0, 3), (0, 0)])
@pytest.mark.parametrize("dtype", [object, np.float64])
def test_of_nothing_there_are_no_windows(shape, dtype):
    values = np.empty((*shape, 1), dtype)
    assert overlap.fingerprints(values).shape == shape
    assert overlap.find(overlap.fingerprints(values)) is None
