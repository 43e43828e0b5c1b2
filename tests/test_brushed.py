"""Spans of tokens: what is taken for one, and what the page is told of its cells and matches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from traitlets import TraitError

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, Recording

WIDGETS = (lw.CellGrid, lw.TextHeatmap, lw.Explorer)


def planted(*, tokens: bool = True) -> Recording:
    """Make two examples in which cells 1 and 3 are on together at three places, and a shorter layer."""
    rng = np.random.default_rng(6)
    values = rng.uniform(-0.2, 0.2, (2, 30, 5)).astype(np.float32)
    for example, start, stop in ((0, 4, 7), (0, 20, 22), (1, 10, 13)):
        values[example, start:stop, 1] = 0.6
        values[example, start:stop, 3] = -0.9
    text = np.array([list("the cat sat on\nthe mat and ran"), list("0123456789" * 3)], dtype=object)
    short = rng.uniform(-1, 1, (2, 4, 3)).astype(np.float32)
    layers = [
        RecordedLayer("lstm", "LSTM", {"hidden_state": values}, tokens=text if tokens else None),
        RecordedLayer("short", "LSTM", {"hidden_state": short}),
    ]
    return Recording.from_layers(layers, labels=["text", "digits"])


def asked(widget: Any, **changed: Any) -> dict[str, Any]:
    """Send what the page sends, through all that answers it."""
    sent: list[tuple[Any, ...]] = []
    widget.send = lambda content, buffers=None: sent.append((content, buffers))
    request = {
        "id": "7",
        "layer": widget.layer,
        "signal": widget.signal,
        "span": list(widget.span),
        "example": widget._span_example,
        "threshold": widget.threshold,
    }
    widget._on_message(widget, request | changed, [])
    ((reply, _),) = sent
    assert reply["id"] == "7"
    return reply


@pytest.mark.parametrize("widget", WIDGETS)
def test_cells_and_matches_are_those_of_match(widget: Any) -> None:
    recording = planted()
    shown = widget(recording, span=(4, 7))
    table = lw.match(recording, (4, 7), layer="lstm", threshold=0.3)
    reply = asked(shown)
    assert (reply["cells"], reply["signs"]) == ([1, 3], [1, -1])
    assert reply["told"] == "Cells with |value| ≥ 0.3 all through the span and not just outside"
    assert reply["count"] == f"{len(table)} other spans"
    assert len(table) == 2
    tokens = recording["lstm"]["token"].values.reshape(-1)
    for match, row in zip(reply["matches"], table.itertuples(), strict=True):
        label = ("text", "digits")[row.example]
        assert match["words"] == [
            f"overlap {row.overlap:.2f}",
            f"{row.shared} of 2 cells",
            f"example {row.example} {label}, t={row.start} to {row.stop - 1}",
        ]
        assert match["column"] == row.example * 30 + row.start
        assert match["length"] == row.stop - row.start
        around = slice(match["from"], match["from"] + len(match["tokens"]))
        assert match["tokens"] == tokens[around].tolist()
        # Nothing of another example stands around it, and all of the match is there.
        assert match["from"] // 30 == (around.stop - 1) // 30 == row.example
        assert match["from"] <= match["column"] <= around.stop - match["length"]


def test_the_threshold_takes_part_and_nothing_found_is_told() -> None:
    shown = lw.CellGrid(planted(), span=(4, 7), threshold=0.7)
    assert asked(shown)["cells"] == [3]
    none = asked(shown, threshold=0.95)
    assert none["told"].startswith("There is no cell with |value| ≥ 0.95")
    assert (none["cells"], none["matches"], none["count"]) == ([], [], "")


def test_without_tokens_places_are_told_alone() -> None:
    reply = asked(lw.CellGrid(planted(tokens=False), span=(4, 7)))
    assert [match["tokens"] for match in reply["matches"]] == [[], []]


def test_what_can_not_be_answered_is_answered_with_the_reason() -> None:
    shown = lw.TextHeatmap(planted(), span=(4, 7))
    assert "signal" in asked(shown, signal="none")["error"]
    assert "span" in asked(shown, span=[4, 300])["error"]


@pytest.mark.parametrize(
    "span", [(3, 2), (3, 3), (-1, 2), (0, 31), (1,), (1, 2, 3), "ab", 4, (0.5, 2)]
)
def test_what_is_no_span_is_refused_by_name(span: Any) -> None:
    with pytest.raises(TraitError, match="span"):
        lw.CellGrid(planted(), span=span)
    shown = lw.CellGrid(planted(), span=(4, 7))
    with pytest.raises(TraitError, match="span"):
        shown.span = span
    assert shown.span == (4, 7)


def test_a_span_stays_with_its_example_and_goes_with_its_layer() -> None:
    shown = lw.Explorer(planted(), example=1, span=(10, 13))
    assert shown._span_example == 1
    shown.example = 0
    assert (shown.span, shown._span_example) == ((10, 13), 1)
    shown.span = (2, 4)
    assert shown._span_example == 0
    shown.layer = "short"
    assert shown.span == (2, 4)
    shown.layer, shown.span = "lstm", (4, 7)
    shown.layer = "short"
    assert shown.span is None
    # As the page sends it: all in one message.
    shown.set_state({"span": [1, 3], "_span_example": 1, "example": 1, "timestep": 2})
    assert (shown.span, shown._span_example, shown.example) == ((1, 3), 1, 1)


def test_what_was_let_go_of_is_said_in_a_sentence() -> None:
    shown = lw.TextHeatmap(planted(), span=(3, 7))  # from one timestep before the cells are on
    reply = asked(shown)
    assert (reply["cells"], reply["signs"]) == ([1, 3], [1, -1])
    assert reply["told"] == (
        "No cell has |value| ≥ 0.3 all through the span and not just outside. These mark it best: "
        "within 1 timestep of either end of the span they may be on or off."
    )
    assert len(reply["matches"]) == 2
