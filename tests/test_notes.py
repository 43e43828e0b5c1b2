"""Names and notes of cells."""

from __future__ import annotations

import numpy as np
import pytest

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, Recording, open_recording
from lstm_widgets.recording.notes import Notes


def test_a_note_has_a_place_and_a_name():
    notes = Notes({"a": 4, "b": 2})
    notes["b", np.int64(1)] = "  quotes\nsince epoch 3 "
    notes["a", 3] = "line"
    assert notes["b", 1] == "quotes\nsince epoch 3"
    assert (notes.name("b", 1), notes.name("a", 0)) == ("quotes", "")
    assert list(notes) == [("a", 3), ("b", 1)]
    assert notes.plain == {"a": {"3": "line"}, "b": {"1": "quotes\nsince epoch 3"}}
    assert dict(Notes({"a": 4, "b": 2}, given=notes.plain)) == dict(notes)
    notes["a", 3] = " "
    del notes["b", 1]
    assert len(notes) == 0


def test_a_cell_of_both_directions_is_that_of_its_own():
    notes = Notes({"bi/forward": 3, "bi/backward": 3}, {"bi": ("bi/forward", "bi/backward")})
    notes["bi", 4] = "ends"
    assert list(notes) == [("bi/backward", 1)]
    assert notes["bi", 4] == notes["bi/backward", 1] == "ends"
    assert ("bi", 1) not in notes


@pytest.mark.parametrize(
    ("key", "error", "match"),
    [
        ("a", TypeError, r"expected a layer and a cell, notes\['lstm', 22\]; got 'a'"),
        (("c", 0), KeyError, "one of the layers 'a'; got 'c'"),
        (("a", 4), KeyError, "from 0 to 3 \\(layer 'a'\\), got 4"),
        (("a", -1), KeyError, "from 0 to 3"),
        (("a", 1.5), TypeError, "integer"),
    ],
)
def test_what_is_no_cell_is_refused(key, error, match):
    notes = Notes({"a": 4})
    with pytest.raises(error, match=match):
        notes[key] = "x"
    with pytest.raises(TypeError, match="expected a text, got int"):
        notes["a", 0] = 3
    assert len(notes) == 0


def test_who_watches_is_told_of_changes_only():
    class Watcher:
        told = 0

        def notes_changed(self):
            self.told += 1

    notes, watcher = Notes({"a": 4}), Watcher()
    notes.watch(watcher)
    notes["a", 1] = "x"
    notes["a", 1] = "x "
    notes["a", 2] = ""
    assert watcher.told == 1
    del notes["a", 1]
    assert watcher.told == 2
    del watcher
    notes["a", 1] = "y"


def recording():
    values = np.zeros((1, 3, 4), np.float32)
    layers = [RecordedLayer(name, "LSTM", {"hidden_state": values}) for name in ("a", "b")]
    return Recording.from_layers(layers)


def test_notes_are_saved_with_the_recording(tmp_path):
    noted = recording()
    noted.notes["b", 3] = "quotes"
    noted.save(tmp_path / "noted.zarr")
    opened = open_recording(tmp_path / "noted.zarr")
    assert dict(opened.notes) == {("b", 3): "quotes"}
    opened.notes["a", 0] = "line"
    opened.save(tmp_path / "again.zarr")
    assert len(open_recording(tmp_path / "again.zarr").notes) == 2
    del opened.notes["a", 0], opened.notes["b", 3]
    opened.save(tmp_path / "none.zarr")
    assert len(open_recording(tmp_path / "none.zarr").notes) == 0


def test_a_recording_tells_of_its_notes():
    noted = recording()
    assert "notes" not in repr(noted)
    noted.notes["b", 3] = "<i>quotes"
    assert "notes: b 3 “<i>quotes”" in repr(noted)
    assert "b 3 “&lt;i&gt;quotes”" in noted._repr_html_()


def test_widgets_and_the_recording_have_the_same_notes():
    noted = recording()
    noted.notes["a", 1] = "quotes"
    grid, other = lw.CellGrid(noted, cell=1), lw.CellGrid(noted)
    assert "cell 1 “quotes”" in grid._snapshot().status
    grid._notes = {"a": {"2": "line "}}  # as the page sets it
    assert dict(noted.notes) == {("a", 2): "line"}
    assert other._notes == {"a": {"2": "line"}}
    with pytest.raises(KeyError, match="expected one of the layers"):
        grid._notes = {"c": {"0": "x"}}
    assert dict(noted.notes) == {("a", 2): "line"}
