"""Passages and histograms of one cell, held against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lstm_widgets.analysis.evidence import histogram, passages, scatter


def plain_extremes(values, mask, *, extremes, context):
    """The same choice, one timestep after the other."""
    taken = set()
    found = []
    for kind in ("highest", "lowest"):
        for _ in range(extremes):
            best = None
            for example, row in enumerate(values.tolist()):
                for t, value in enumerate(row):
                    if (example, t) in taken or not mask[example, t] or math.isnan(value):
                        continue
                    better = best is None or (
                        value > best[0] if kind == "highest" else value < best[0]
                    )
                    if better:
                        best = value, example, t
            if best is None:
                break
            _, example, peak = best
            within = [t for t in range(len(values[0])) if abs(t - peak) <= context]
            real = [t for t in within if mask[example, t]]
            taken |= {(example, t) for t in range(real[0], real[-1] + 1)}
            found.append((kind, example, real[0], real[-1] + 1, peak))
    return found


@pytest.mark.parametrize(
    ("shape", "context"), [((1, 400), 12), ((6, 30), 30), ((3, 90), 0), ((2, 3), 5)]
)
def test_extremes_are_those_of_a_plain_loop(shape, context):
    rng = np.random.default_rng(sum(shape))
    values = rng.uniform(-1, 1, shape).round(1).astype(np.float32)  # with ties
    values[rng.random(shape) < 0.05] = np.nan
    values[0, 1] = np.inf
    mask = np.ones(shape, bool)
    mask[0, shape[1] - shape[1] // 3 :] = False
    found = passages(values, mask, extremes=4, samples=0, context=context)
    rows = [(p.kind, p.example, p.start, p.stop, p.peak) for p in found]
    assert rows == plain_extremes(values, mask, extremes=4, context=context)


def test_samples_come_from_every_range_of_values():
    rng = np.random.default_rng(4)
    values = rng.standard_normal((2, 3000)).astype(np.float32)
    mask = np.ones(values.shape, bool)
    mask[1, 2000:] = False
    found = passages(values, mask, extremes=2, samples=5, context=10)
    kinds = [p.kind for p in found]
    assert kinds == ["highest"] * 2 + ["lowest"] * 2 + ["sample"] * 5
    ordered = np.sort(values[mask])
    for rank, passage in enumerate(found[4:]):
        value = values[passage.example, passage.peak]
        place = np.searchsorted(ordered, value) / len(ordered)
        assert (4 - rank) / 5 <= place + 1e-3
        assert place <= (5 - rank) / 5
    # No peak stands in another passage.
    for one in found:
        others = [p for p in found if p is not one and p.example == one.example]
        assert not any(p.start <= one.peak < p.stop for p in others)
    other = passages(values, mask, extremes=2, samples=5, context=10, seed=1)
    assert other[:4] == found[:4]
    assert other[4:] != found[4:]
    assert passages(values, mask, extremes=2, samples=5, context=10) == found


def test_a_cell_that_never_changes_and_one_of_nan():
    same = passages(np.zeros((1, 500), np.float32), extremes=2, samples=2, context=5)
    assert [p.kind for p in same] == ["highest", "highest", "lowest", "lowest", "sample", "sample"]
    assert passages(np.full((2, 4), np.nan, np.float32)) == []
    assert passages(np.zeros((0, 4), np.float32)) == []
    assert passages(np.ones((2, 4), np.float32), np.zeros((2, 4), bool)) == []


def test_a_histogram_is_that_of_a_plain_loop():
    rng = np.random.default_rng(3)
    values = rng.standard_normal((3, 200)).astype(np.float32)
    said = rng.integers(0, 2, (3, 200)) * 1.0
    said[2, 150:] = np.nan
    values[0, 3], values[0, 4], values[1, 5] = np.nan, np.inf, -np.inf
    found = histogram(values, said, bins=8)
    known = [
        (float(v), s)
        for v, s in zip(values.ravel(), said.ravel(), strict=True)
        if not math.isnan(v) and not math.isnan(s)
    ]
    low = min(v for v, _ in known if math.isfinite(v))
    high = max(v for v, _ in known if math.isfinite(v))
    counts = {True: [0] * 8, False: [0] * 8}
    for value, say in known:
        if math.isfinite(value):
            place = min(7, int((value - low) / (high - low) * 8))
            counts[say > 0][place] += 1
    assert found.inside.tolist() == counts[True]
    assert found.outside.tolist() == counts[False]
    assert found.infinite == 2
    assert found.edges[0] == low
    assert found.edges[-1] == high


def test_a_scatter_is_that_of_a_plain_loop():
    rng = np.random.default_rng(4)
    values = rng.standard_normal((3, 200)).astype(np.float32)
    said = 10 + 5 * rng.standard_normal((3, 200))
    said[2, 150:] = np.nan
    values[0, 3], values[0, 4], said[1, 5] = np.nan, np.inf, -np.inf
    found = scatter(values, said, bins=(6, 4))
    known = [
        (float(v), float(s))
        for v, s in zip(values.ravel(), said.ravel(), strict=True)
        if math.isfinite(v) and math.isfinite(s)
    ]
    (low, high), (least, most) = ((min(each), max(each)) for each in zip(*known, strict=True))
    there: dict[tuple[int, int], list[float]] = {}
    for value, say in known:
        across = min(5, int((say - least) / (most - least) * 6))
        up = min(3, int((value - low) / (high - low) * 4))
        there.setdefault((across, up), []).append(value)
    for across in range(6):
        column = [there.get((across, up), []) for up in range(4)]
        assert found.counts[across].tolist() == [len(each) for each in column]
        together = [value for each in column for value in each]
        mean = sum(together) / len(together) if together else math.nan
        assert found.means[across] == pytest.approx(mean, nan_ok=True)
    assert found.counts.sum() == len(known)
    assert found.infinite == 2
    assert (found.said[0], found.said[-1], found.levels[0], found.levels[-1]) == (
        *(least, most),
        *(low, high),
    )


def test_a_scatter_of_one_value_or_none_is_no_error():
    one = scatter(np.full((1, 5), 0.25), np.full((1, 5), 3.0), bins=(4, 4))
    assert one.counts.sum() == one.counts.max() == 5
    none = scatter(np.zeros((0, 5)), np.zeros((0, 5)), bins=(2, 2))
    assert none.counts.sum() == 0
    assert np.isnan(none.means).all()


def test_a_histogram_of_one_value_has_its_bin():
    found = histogram(np.full((1, 5), 0.25), np.array([[1.0, 0, 0, np.nan, 1]]), bins=4)
    assert found.inside.sum() == 2
    assert found.outside.sum() == 2
    assert found.edges[0] < 0.25 < found.edges[-1]
    empty = histogram(np.zeros((0, 5)), np.zeros((0, 5)))
    assert empty.inside.sum() == empty.outside.sum() == 0
