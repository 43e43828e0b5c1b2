"""Evidence of a long recording: the cell read block by block says what all its values say."""

from __future__ import annotations

import distributed
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lstm_widgets as lw
from lstm_widgets.analysis import evidence, glances
from lstm_widgets.analysis.evidence import gather, strongest
from lstm_widgets.recording import RecordedLayer, Recording, blockwise


def recording_of(examples, timesteps, rng, *, padded):
    values = np.round(rng.normal(size=(examples, timesteps, 3)), 1).astype(np.float32)
    values[rng.random(values.shape) < 0.02] = np.nan
    values[rng.random(values.shape) < 0.02] = -np.inf
    mask = rng.random((examples, timesteps)) < 0.8 if padded else None
    if padded:
        mask[:, 0] = True
    return Recording.from_layers([RecordedLayer("lstm", "LSTM", {"hidden_state": values}, mask)])


def long(patch, block):
    """Take every recording for a long one, and every sample for all of it."""
    patch.setattr(evidence, "LONG", 0)
    patch.setattr(glances, "SAMPLED", 1 << 20)
    patch.setattr(blockwise, "BLOCK_VALUES", block)


def row_of(kind, lag):
    row = {"layer": "lstm", "signal": "hidden_state", "cell": 1, "kind": kind, "lag": lag}
    return row | {"sign": 1}


def expect_same(found, expected):
    assert found.passages == expected.passages
    for passage in expected.passages:
        place = passage.example, slice(passage.start, passage.stop)
        np.testing.assert_array_equal(found.cell[place], expected.cell[place])
        np.testing.assert_array_equal(found.said[place], expected.said[place])


def expect_counted(found, values, said):
    """Counts are those of all values, in bins over all that is known of the cell and of the concept."""
    known = ~np.isnan(values) & ~np.isnan(said)
    finite = known & np.isfinite(values)
    if found.histogram is not None:
        drawn = found.histogram
        for counts, which in ((drawn.inside, said > 0), (drawn.outside, said == 0)):
            expected = np.histogram(values[finite & which], drawn.edges)[0]
            np.testing.assert_array_equal(counts, expected)
        assert drawn.infinite == (known & ~finite).sum()
        return
    drawn = found.scatter
    assert drawn.said[0] <= said[finite].min() < said[finite].max() <= drawn.said[-1]
    edges = drawn.said, drawn.levels
    expected = np.histogram2d(said[finite], values[finite].astype(float), edges)[0]
    np.testing.assert_array_equal(drawn.counts, expected)
    sums = np.histogram(said[finite], drawn.said, weights=values[finite].astype(float))[0]
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(drawn.means, sums / expected.sum(axis=1), rtol=1e-10, atol=1e-12)
    assert drawn.infinite == (known & ~finite).sum()


@settings(max_examples=12)
@given(
    st.tuples(st.integers(1, 3), st.integers(100, 200)),
    st.integers(40, 2000),
    st.booleans(),
    st.sampled_from([0, 1, -3]),
    st.integers(0, 2**31),
)
def test_blocks_of_any_size_say_what_all_values_say(shape, block, padded, lag, seed):
    rng = np.random.default_rng(seed)
    recording = recording_of(*shape, rng, padded=padded)
    numbers = rng.normal(size=shape)
    for kind, said in (("yes_no", numbers > 1), ("numeric", numbers)):
        row = row_of(kind, lag)
        expected = gather(recording, row, {"it": said})
        place, lowest = strongest(recording, row), strongest(recording, row | {"sign": -1})
        with pytest.MonkeyPatch.context() as patch:
            long(patch, block)
            found = gather(recording, row, {"it": said})
            assert strongest(recording, row) == place
            assert strongest(recording, row | {"sign": -1}) == lowest
        # The samples are drawn alike, because all is among what they are drawn from.
        expect_same(found, expected)
        expect_counted(found, expected.cell, expected.said)
        expect_counted(expected, expected.cell, expected.said)


def test_of_a_cell_that_is_never_known_nothing_is_shown(monkeypatch):
    values = np.full((1, 50, 3), np.nan, np.float32)
    recording = Recording.from_layers([RecordedLayer("lstm", "LSTM", {"hidden_state": values})])
    long(monkeypatch, 40)
    found = gather(recording, row_of("yes_no", 0), {"it": np.arange(50)[None] > 20})
    assert found.passages == []
    assert found.histogram.inside.sum() == 0
    assert strongest(recording, row_of("yes_no", 0)) is None


def test_a_cluster_sees_the_same(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    recording_of(2, 300, rng, padded=True).save(tmp_path / "saved")
    said = {"it": rng.normal(size=(2, 300)) > 1}
    long(monkeypatch, 100)
    here = gather(lw.open_recording(tmp_path / "saved"), row_of("yes_no", 2), said)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        there = gather(lw.open_recording(tmp_path / "saved"), row_of("yes_no", 2), said)
    expect_same(there, here)
    np.testing.assert_array_equal(there.histogram.inside, here.histogram.inside)
    assert len(there.passages) > 5
