"""Matching: equal to the definition in plain loops, on small arrays; and clear about bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import lstm_widgets as lw
from lstm_widgets.analysis import matching
from lstm_widgets.errors import LayerNotFoundError
from lstm_widgets.recording import RecordedLayer, Recording


def recording_of(values, *, mask=None, tokens=None, labels=None, name="lstm"):
    values = np.asarray(values, np.float32)
    layer = RecordedLayer(name, "LSTM", {"hidden_state": values}, mask=mask, tokens=tokens)
    return Recording.from_layers([layer], labels=labels)


def by_hand(values, span, example, *, threshold, context, mask):
    """Chosen (cell, sign) pairs, and all spans, from one value after the other."""
    examples, timesteps, cells = values.shape
    threshold = np.float32(threshold)

    def is_on(e, t, c, sign):
        if not 0 <= t < timesteps or (mask is not None and not mask[e, t]):
            return False
        return bool(values[e, t, c] * sign >= threshold)

    def marked(e, start, stop):
        outside = [*range(start - context[0], start), *range(stop, stop + context[1])]
        return {
            (c, sign)
            for c in range(cells)
            for sign in (1, -1)
            if all(is_on(e, t, c, sign) for t in range(start, stop))
            and not any(is_on(e, t, c, sign) for t in outside)
        }

    chosen = marked(example, *span)
    counts = [
        [sum(is_on(e, t, c, sign) for c, sign in chosen) for t in range(timesteps)]
        for e in range(examples)
    ]
    candidates = set()
    for n in range(1, len(chosen) + 1):
        for e in range(examples):
            for start in range(timesteps):
                for stop in range(start + min(2, span[1] - span[0]), timesteps + 1):
                    inside = all(counts[e][t] >= n for t in range(start, stop))
                    left = start > 0 and counts[e][start - 1] >= n
                    right = stop < timesteps and counts[e][stop] >= n
                    if inside and not left and not right:
                        candidates.add((e, start, stop))
    rows = []
    for e, start, stop in candidates:
        on = marked(e, start, stop)
        rows.append((-len(on & chosen), len(on | chosen), start - stop, e, start, stop, len(on)))
    listed, kept = [], [(example, *span)]
    for shared, union, _, e, start, stop, on in sorted(rows):
        free = all(e != k or stop <= a or b <= start for k, a, b in kept)
        if shared and free:
            kept.append((e, start, stop))
            listed.append((e, start, stop, -shared / union, -shared, on))
    return sorted(chosen), listed


@st.composite
def cases(draw):
    shape = tuple(draw(st.integers(1, most)) for most in (3, 9, 11))
    # Few values, so that many are on together; one is on just at the threshold, one is unknown.
    value = st.sampled_from([0.0, 0.4, -0.4, 0.3, -0.3, 0.2, -0.9, 0.9, np.nan])
    values = draw(arrays.arrays(np.float32, shape, elements=value.map(np.float32)))
    mask = draw(st.none() | arrays.arrays(np.bool_, shape[:2]))
    start = draw(st.integers(0, shape[1] - 1))
    span = (start, draw(st.integers(start + 1, shape[1])))
    context = (draw(st.integers(0, 3)), draw(st.integers(0, 3)))
    return values, mask, span, draw(st.integers(0, shape[0] - 1)), context


@given(cases(), st.sampled_from([1, 20, 1 << 22]))
def test_equals_the_definition_in_plain_loops(case, block):
    values, mask, span, example, context = case
    before = matching._BLOCK_VALUES
    matching._BLOCK_VALUES = block  # blocks of one row, of a few, and all in one
    try:
        table = lw.match(
            recording_of(values, mask=mask), span, example=example, context=context, limit=1000
        )
    finally:
        matching._BLOCK_VALUES = before
    chosen, listed = by_hand(values, span, example, threshold=0.3, context=context, mask=mask)
    assert list(zip(table.attrs["cells"], table.attrs["signs"], strict=True)) == chosen
    columns = ["example", "start", "stop", "overlap", "shared", "cells_on"]
    assert list(table[columns].itertuples(index=False, name=None)) == listed


@given(cases(), st.integers(0, 4))
def test_a_limit_gives_the_beginning_of_all(case, limit):
    values, mask, span, example, context = case
    recording = recording_of(values, mask=mask)
    options = {"example": example, "context": context}
    everything = lw.match(recording, span, limit=1000, **options)
    some = lw.match(recording, span, limit=limit, **options)
    assert some.equals(everything.head(limit))


def planted():
    """Two cells, one of them negative, on over three words; a third one is on throughout."""
    text = "say <ab> or <cd> ..", "<ef> and no more ..", "nothing at all .. <"
    values = np.zeros((3, len(text[0]), 4), np.float32)
    values[..., 3] = 1
    for e, t in [(0, 5), (0, 13), (1, 1)]:
        values[e, t : t + 2, 0], values[e, t : t + 2, 1] = 0.8, -0.6
    values[2, -1, :2] = 0.8, -0.6  # just before the first example would follow again
    tokens = np.array([list(line) for line in text], object)
    return recording_of(values, tokens=tokens, labels=["a", "b", "c"])


def test_finds_planted_spans_with_their_text_and_label():
    table = lw.match(planted(), (5, 7))
    assert table.attrs == {"cells": [0, 1], "signs": [1, -1]}
    assert table.to_dict("records") == [
        {"example": 0, "start": 13, "stop": 15, "overlap": 1.0, "shared": 2, "cells_on": 2}
        | {"text": "cd", "label": "a"},
        {"example": 1, "start": 1, "stop": 3, "overlap": 1.0, "shared": 2, "cells_on": 2}
        | {"text": "ef", "label": "b"},
    ]
    assert list(lw.match(planted(), (5, 6), context=(0, 0))["text"]) == ["cd", "ef", "<"]


def test_a_saved_recording_of_words_is_read_block_by_block(tmp_path, monkeypatch):
    monkeypatch.setattr(matching, "_BLOCK_VALUES", 12)
    recording = planted()
    tokens = np.array([[*["one", "two", "three"] * 4, "x"]], object)
    words = recording_of(recording["lstm"].hidden_state[:1, 3:16], tokens=tokens)
    for whole in (recording, words):
        whole.save(tmp_path / "saved", overwrite=True)
        opened = lw.open_recording(tmp_path / "saved")
        span = (13, 15) if whole is recording else (2, 4)
        assert lw.match(opened, span).equals(lw.match(whole, span))
    assert list(lw.match(words, (2, 4))["text"]) == ["two three"]


def test_without_tokens_or_cells():
    table = lw.match(recording_of(np.zeros((1, 5, 2))), (1, 3))
    assert table.empty
    assert list(table.columns) == list(matching.COLUMNS)
    assert table.attrs == {"cells": [], "signs": []}
    values = np.zeros((1, 9, 2))
    values[0, [1, 2, 5, 6], 0] = 1
    table = lw.match(recording_of(values), (1, 3))
    assert table[["start", "stop", "text", "label"]].to_numpy().tolist() == [[5, 7, None, None]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"span": (2, 2)}, "span: expected 0 <= start < stop <= 19, the timesteps; got (2, 2)"),
        ({"span": (2, 20)}, "span: expected 0 <= start < stop <= 19"),
        ({"span": (-1, 2)}, "span: expected a whole number from 0 on, got -1"),
        ({"span": 3}, "span: expected (start, stop), got 3"),
        ({"example": 3}, "example: expected a whole number from 0 to 2, got 3"),
        ({"signal": "mask"}, "signal: expected one of 'hidden_state', got 'mask'"),
        ({"threshold": 0}, "threshold: expected a positive finite number, got 0"),
        ({"threshold": np.nan}, "threshold: expected a positive finite number, got nan"),
        ({"context": (1, -1)}, "context: expected a whole number from 0 on, got -1"),
        ({"context": 1}, "context: expected (left, right), got 1"),
        ({"limit": 1.5}, "limit: expected a whole number from 0 on, got 1.5"),
    ],
)
def test_bad_input_is_named(options, message):
    with pytest.raises(ValueError, match=r".") as caught:
        lw.match(planted(), **({"span": (5, 7)} | options))
    assert str(caught.value).startswith(message)


def test_an_unknown_layer_is_named():
    with pytest.raises(LayerNotFoundError, match="'gru'"):
        lw.match(planted(), (5, 7), layer="gru")


def told_of(values, span, **more):
    """Chosen (cell, sign) pairs and what was let go of."""
    table = lw.match(recording_of(values), span, relax=True, **more)
    return list(zip(table.attrs["cells"], table.attrs["signs"], strict=True)), table


@pytest.mark.parametrize("late", [0, 1, 2, 3])
def test_ends_that_are_a_little_off_are_let_go_of_first(late):
    values = np.zeros((2, 60, 5), np.float32)
    for example, start in ((0, 10), (0, 30), (1, 20)):  # on from a little later, and for as long
        values[example, start + late : start + 12 + late, 1] = 0.8
        values[example, start - 5 : start + 14, 2] = -0.8  # far from the ends of what is chosen
    values[..., 4] = 1  # always on
    chosen, table = told_of(values, (10, 22))
    assert chosen == [(1, 1)]
    assert [(row.example, row.start) for row in table.itertuples()] == [
        (0, 30 + late),
        (1, 20 + late),
    ]
    ends = f"within {late} timestep{'s' * (late != 1)} of either end of the span"
    assert table.attrs["relaxed"].startswith(ends if late else "")
    assert bool(table.attrs["relaxed"]) == (late > 0)
    strict = lw.match(recording_of(values), (10, 22))
    assert strict.attrs == {"cells": [1] if late == 0 else [], "signs": [1] if late == 0 else []}


def test_then_a_part_of_the_span_and_at_last_those_that_are_on_more_often_in_it():
    values = np.zeros((1, 80, 3), np.float32)
    values[0, 20:40, 0] = -0.5
    values[0, [25, 30, 31], 0] = 0  # off at three of twenty
    values[0, 22:40:2, 1] = 0.9  # at half of them, and nowhere else
    chosen, table = told_of(values, (20, 40))
    assert chosen == [(0, -1)]
    assert "on at 75% of the rest of it or more" in table.attrs["relaxed"]
    chosen, table = told_of(values[..., 1:], (20, 40))
    assert chosen == [(0, 1)]
    assert table.attrs["relaxed"] == "they are on in the span more often than beside it"
    chosen, table = told_of(values[..., 2:], (20, 40))
    assert (chosen, table.attrs["relaxed"], len(table)) == ([], "", 0)


@given(cases(), st.sampled_from([1, 20, 1 << 22]))
def test_what_marks_a_span_strictly_is_never_relaxed(case, block):
    values, mask, span, example, context = case
    recording = recording_of(values, mask=mask)
    options = {"example": example, "context": context, "limit": 1000}
    strict = lw.match(recording, span, **options)
    before = matching._BLOCK_VALUES
    matching._BLOCK_VALUES = block
    try:
        relaxed = lw.match(recording, span, relax=True, **options)
    finally:
        matching._BLOCK_VALUES = before
    if strict.attrs["cells"]:
        assert relaxed.attrs.pop("relaxed") == ""
        assert relaxed.attrs == strict.attrs
        assert relaxed.equals(strict)
    else:
        assert bool(relaxed.attrs["relaxed"]) == bool(relaxed.attrs["cells"])
