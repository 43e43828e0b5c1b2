"""Finding a text among tokens: in the kernel, as in the page."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lstm_widgets.recording import RecordedLayer, Recording
from lstm_widgets.tokens.words import Spelling
from lstm_widgets.widgets.page.search import Search, hits_of


def places(tokens, query, kind="characters"):
    return Search(query).go_on(Spelling(kind).pieces(tokens))


def test_across_tokens_capitals_or_not():
    assert places(list("Alice! ALICE"), "alice") == [(0, 5), (7, 12)]
    assert places(["the", "cat", "sat"], "e C", "words") == [(0, 2)]
    assert places(["play", "##ing", "chess"], "ying c", "##") == [(0, 3)]
    assert places(["Ġthe", "Ġcat"], "the c", "Ġ") == [(0, 2)]


def test_places_do_not_overlap_and_touch_tokens():
    assert places(list("aaaa"), "aa") == [(0, 2), (2, 4)]
    assert places(["a", "b"], " ", "words") == []
    assert places(["a", "", "b"], "ab") == [(0, 3)]
    assert places(list("abc"), "") == places([], "a") == []
    assert places(list("İİx"), "x") == [(2, 3)]


@given(
    st.lists(st.sampled_from(["a", "b", "ab", "", "Ba"]), min_size=1, max_size=30),
    st.text("aB", min_size=1, max_size=3),
)
def test_what_is_found_stands_there(tokens, query):
    found = places(tokens, query)
    for start, stop in found:
        assert query.lower() in "".join(tokens[start:stop]).lower()
        assert tokens[start]
    assert len(found) == "".join(tokens).lower().count(query.lower())


def test_columns_of_several_examples():
    rows = ["the cat", "a cat  ", "no dog "]
    tokens = np.array([list(row) for row in rows], object)
    layer = RecordedLayer(
        "lstm", "LSTM", {"hidden_state": np.zeros((3, 7, 2), np.float32)}, None, tokens
    )
    starts, stops = hits_of(Recording.from_layers([layer])["lstm"], "CAT")
    assert (starts.dtype, starts.tolist(), stops.tolist()) == (np.uint32, [4, 9], [7, 12])
