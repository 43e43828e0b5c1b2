"""CellFinder without concepts, and the one that an Explorer opens."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, Recording

sys.path.insert(0, str(Path(__file__).parent / "browser"))

import recordings


def spoken(text):
    values = np.zeros((1, len(text), 2), np.float32)
    tokens = np.array([list(text)], object)
    return Recording.from_layers(
        [RecordedLayer("a", "LSTM", {"hidden_state": values}, None, tokens)]
    )


def test_what_fits_the_tokens_is_what_differs_among_them():
    fits = {concept.name for concept in lw.concepts.fitting(spoken("He said “no” and left."))}
    assert {"upper_case", "vowel", "whitespace", "inside_double_quotes", "punctuation"} <= fits
    assert not fits & {"digit", "newline", "inside_brackets", "bracket_depth", "inside_tag"}
    assert [c.name for c in lw.concepts.fitting(spoken("a1a"), [lw.concepts.digit])] == ["digit"]
    assert lw.concepts.fitting(spoken("aaaa"), [lw.concepts.digit, lw.concepts.vowel]) == ()
    values = np.zeros((1, 4, 2), np.float32)
    bare = Recording.from_layers([RecordedLayer("a", "LSTM", {"hidden_state": values})])
    assert lw.concepts.fitting(bare) == ()
    with pytest.raises(ValueError, match=r"concepts: expected some, .*CellFinder\(recording, \{"):
        lw.CellFinder(bare)
    with pytest.raises(TypeError, match="recording: expected a Recording"):
        lw.CellFinder(3)


def test_without_concepts_the_planted_ones_are_found():
    recording = recordings.planted()
    finder = lw.CellFinder(recording, shifts=20)
    names = {concept.name for concept in lw.concepts.fitting(recording)}
    assert set(finder.ranking["concept"]) == names
    best = finder.ranking.drop_duplicates("concept").set_index("concept")
    assert (best.layer["inside_double_quotes"], best.cell["inside_double_quotes"]) == ("upper", 4)
    assert (best.layer["line_length"], best.cell["line_length"]) == ("lower", 2)


def test_an_explorer_follows_its_finder(monkeypatch):
    monkeypatch.setattr(lw.concepts, "TEXT", (lw.concepts.inside_double_quotes, lw.concepts.vowel))
    explorer = lw.Explorer(recordings.planted())
    assert not explorer.finding
    assert explorer._finder is None
    explorer.finding = True
    finder = explorer.finder
    assert explorer._finder is finder
    for row in (3, 0):
        finder.row = row
        for name in ("layer", "signal", "cell", "example", "timestep", "threshold"):
            assert getattr(explorer, name) == getattr(finder, name)
    state = explorer._file_state().traits
    assert (state["_finder"], state["finding"], state["_can_find"]) == (None, False, False)
