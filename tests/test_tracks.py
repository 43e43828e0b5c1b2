"""Concept tracks: what travels to the page says of each token what the concepts said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import lstm_widgets as lw
from lstm_widgets import concepts
from lstm_widgets.colours import track_colours
from lstm_widgets.concepts.packed import PackedTrack
from lstm_widgets.recording import RecordedLayer, Recording
from lstm_widgets.recording.times import standard_times
from lstm_widgets.views.tracks import Track

WIDGETS = (lw.CellGrid, lw.TextHeatmap, lw.GateInspector, lw.ExampleGrid, lw.Explorer)
TEXT = ['he said "no" 3 t', "imes; (oh, well)"]


def layer_of(name: str, texts: list[str], mask: np.ndarray | None = None) -> RecordedLayer:
    tokens = np.array([list(text) for text in texts], dtype=object)
    values = np.random.default_rng(3).uniform(-1, 1, (*tokens.shape, 4)).astype(np.float32)
    return RecordedLayer(name, "LSTM", {"hidden_state": values}, mask, tokens)


def two_layers() -> Recording:
    mask = np.ones((2, 16), dtype=bool)
    mask[1, 12:] = False
    return Recording.from_layers(
        [
            layer_of("lstm", TEXT, mask),
            layer_of("lstm_1", TEXT, mask),
            layer_of("answer", ["4", "7"]),
        ]
    )


def decoded(widget: Any, layer: str) -> dict[str, np.ndarray]:
    """Read the tracks of a layer as the page does, with nothing of the code that wrote them."""
    dataset = widget.recording[layer]
    shape = dataset.sizes["example"], dataset.sizes["timestep"]
    found = {}
    for track in widget._tracks[layer]:
        codes = widget._track_codes[track["start"] :]
        said = np.full(shape[0] * shape[1], np.nan)
        for column in range(said.size):
            if track["values"] is None:
                said[column] = codes[column // 8] >> (column % 8) & 1
            elif codes[column] != 255:
                said[column] = track["values"][codes[column]]
        found[track["name"]] = said.reshape(shape)
    return found


GIVEN = [concepts.inside_double_quotes, concepts.position_in_word, ~concepts.vowel]


@pytest.mark.parametrize("widget", WIDGETS)
def test_each_token_is_told_what_the_concepts_say(widget: Any) -> None:
    shown = widget(two_layers(), tracks=GIVEN)
    for layer in ("lstm", "lstm_1", "answer"):
        found = decoded(shown, layer)
        assert list(found) == [concept.name for concept in GIVEN]
        dataset = shown.recording[layer]
        for example in range(2):
            mask = dataset["mask"].values[example] if "mask" in dataset else slice(None)
            tokens = dataset["token"].values[example][mask].tolist()
            for concept in GIVEN:
                np.testing.assert_array_equal(
                    found[concept.name][example][mask], concept(tokens).astype(float)
                )


def test_a_mapping_holds_arrays_functions_and_patterns() -> None:
    recording = two_layers()
    counted = np.arange(32.0).reshape(2, 16)
    counted[0, 3] = np.nan
    shown = lw.CellGrid(
        recording,
        tracks={
            "odd": counted % 2 == 1,
            "counted": counted,
            "long": lambda tokens: [token > "h" for token in tokens],
            "digits": r"\d",
        },
    )
    found = decoded(shown, "lstm")
    unpadded = recording["lstm"]["mask"].values
    np.testing.assert_array_equal(found["odd"][unpadded], (counted % 2 == 1)[unpadded])
    np.testing.assert_array_equal(found["counted"], np.where(unpadded, counted, np.nan))
    np.testing.assert_array_equal(found["long"][0], [token > "h" for token in TEXT[0]])
    np.testing.assert_array_equal(found["digits"][0], [token.isdigit() for token in TEXT[0]])
    # An array has the shape of two of the layers only; the others are said of all three.
    assert [track["name"] for track in shown._tracks["answer"]] == ["long", "digits"]


def test_more_numbers_than_a_byte_holds_are_rounded_to_it_and_said_to_be() -> None:
    values = np.random.default_rng(4).normal(size=(1, 900))
    recording = Recording.from_layers([layer_of("lstm", ["a" * 900])])
    shown = lw.TextHeatmap(recording, tracks={"noise": values})
    assert shown._tracks["lstm"][0]["exact"] is False
    step = (values.max() - values.min()) / 254
    np.testing.assert_allclose(decoded(shown, "lstm")["noise"], values, atol=step * 0.501)


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("widget", WIDGETS)
def test_what_a_probe_reads_is_a_track_at_its_own_times(widget: Any, step: int) -> None:
    # Of windows, none ends in the first days, and with a step, at every third day only.
    rng = np.random.default_rng(5)
    days = np.arange("2001-01-01", "2003-09-28", dtype="M8[D]").astype("M8[ns]")[::step]
    mask = np.arange(len(days)) >= 60 if step == 1 else np.ones(len(days), bool)
    states = rng.normal(size=(1, len(days), 3)).cumsum(axis=1).astype(np.float32) / 9
    states[:, ~mask] = np.nan
    recording = Recording.from_layers(
        [
            RecordedLayer(
                "lstm",
                "LSTM",
                {"cell_state": states},
                mask[None],
                times=standard_times(days, 1, len(days)),
            )
        ]
    )
    snow = states[..., 0] + states[..., 1] + rng.normal(0, 0.1, (1, len(days)))
    snow[0, 100:130] = np.nan
    read = lw.probe(recording, {"snow": snow}, period=0, shifts=0).prediction
    expected = read["snow"].values
    assert np.isnan(expected[0, ~mask]).all()
    shown = widget(recording, tracks=read)
    step_of_codes = (np.nanmax(expected) - np.nanmin(expected)) / 254
    found = decoded(shown, "lstm")["snow"]
    np.testing.assert_allclose(found, expected, atol=0.51 * step_of_codes)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))


def test_a_probe_is_no_track_but_has_some() -> None:
    recording = two_layers()
    found = lw.probe(
        recording,
        {"mine": np.arange(32.0).reshape(2, 16)},
        signal="hidden_state",
        folds=2,
        shifts=0,
    )
    with pytest.raises(TypeError, match=r"got a Probe; its \.prediction is a track"):
        lw.CellGrid(recording, tracks=found)
    assert list(decoded(lw.CellGrid(recording, tracks=found.prediction), "lstm")) == ["mine"]


def test_little_travels_and_layers_over_the_same_tokens_share_it() -> None:
    text = "the cat sat. " * 400
    recording = Recording.from_layers([layer_of("lstm", [text]), layer_of("lstm_1", [text])])
    tracks = [concepts.vowel, concepts.whitespace, concepts.position_in_word]
    shown = lw.Explorer(recording, tracks=tracks)
    assert len(shown._track_codes) == (1 / 8 + 1 / 8 + 1) * len(text)
    assert shown._tracks["lstm"] == shown._tracks["lstm_1"]


def test_python_may_change_them() -> None:
    shown = lw.CellGrid(two_layers())
    assert (shown.tracks, shown._tracks, shown._track_codes) == (None, {}, b"")
    array = np.zeros((2, 16), dtype=bool)
    shown.tracks = {"mine": array}
    assert decoded(shown, "lstm")["mine"].sum() == 0
    array[0, :5] = True
    shown.tracks = {"mine": array}
    assert decoded(shown, "lstm")["mine"].sum() == 5
    shown.hidden_tracks = ("mine",)
    shown.tracks = None
    assert (shown._tracks, shown._track_codes) == ({}, b"")


@pytest.mark.parametrize(
    ("tracks", "error", "told"),
    [
        ({"mine": np.zeros((3, 3))}, ValueError, "mine"),
        ({"mine": np.full((2, 16), np.inf)}, ValueError, "got infinity in 'mine'"),
        ([concepts.vowel, concepts.vowel], ValueError, "different names, got 'vowel' twice"),
        ({"mine": 3}, TypeError, "mine"),
        (3, TypeError, "3"),
        ("vowel", TypeError, "vowel"),
    ],
)
def test_what_is_no_track_is_refused_and_nothing_changes(
    tracks: Any, error: Any, told: str
) -> None:
    with pytest.raises(error, match=told):
        lw.CellGrid(two_layers(), tracks=tracks)
    shown = lw.CellGrid(two_layers(), tracks=[concepts.digit])
    before = shown._tracks
    with pytest.raises(error, match=told):
        shown.tracks = tracks
    assert shown.tracks == [concepts.digit]
    assert shown._tracks == before


def test_too_much_for_a_page_is_refused_with_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstm_widgets.widgets.page.tracks.MOST_BYTES", 16)
    with pytest.raises(ValueError, match=r"tracks: expected at most .* MiB"):
        lw.CellGrid(two_layers(), tracks=[concepts.position_in_word])


@pytest.mark.parametrize("widget", WIDGETS)
def test_the_still_picture_has_them_and_says_what_they_say(widget: Any) -> None:
    recording = two_layers()
    array = np.zeros((2, 16), dtype=bool)
    array[0, 4:9] = True
    shown = widget(recording, tracks={"mine": array, "number": np.arange(32.0).reshape(2, 16)})
    snapshot = shown._snapshot()
    assert snapshot.said == ["mine: no", "number: 0"]
    shown.timestep = 5
    assert shown._snapshot().said == ["mine: yes", "number: 5"]
    shown.align = "predict"
    assert shown._snapshot().said == ["mine: yes", "number: 6"]
    shown.timestep = 15
    assert shown._snapshot().said == ["mine", "number"]
    shown.align, shown.example, shown.timestep = "read", 1, 14
    assert shown._snapshot().said == ["mine: none", "number: none"]

    shown.example, shown.timestep = 0, 5

    def coloured() -> int:
        yes = track_colours(0, np.array([1.0]), yes_no=True)[0]
        return int((np.asarray(shown._still()) == yes).all(axis=-1).sum())

    with_band = coloured()
    shown.tracks = {"mine": np.zeros((2, 16), dtype=bool)}
    without = coloured()  # the swatch alone
    assert with_band > without > 0
    shown.hidden_tracks = ("mine",)
    assert coloured() == 0


@given(
    hnp.arrays(
        np.float64,
        st.integers(1, 200),
        elements=st.one_of(
            st.just(np.nan), st.integers(-3, 3).map(float), st.floats(-9, 9, width=32)
        ),
    ),
    st.booleans(),
    st.integers(1, 9),
)
def test_tracks_are_unpacked_a_stretch_at_a_time(said, yes_no, eighths):
    said = said > 0 if yes_no else said
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lstm_widgets.views.tracks._STRETCH", 8 * eighths)
        patch.setattr("lstm_widgets.views.tracks.NONE", 20)
        track = Track("said", PackedTrack.of(said))
        if yes_no:
            assert track.packed == np.packbits(said, bitorder="little").tobytes()
            return
        numbers = np.unique(said[~np.isnan(said)])
        table, exact = track.table
        assert exact == (len(numbers) <= 20)
        if exact:
            np.testing.assert_array_equal(table, numbers)
        codes = np.frombuffer(track.packed, np.uint8)
        assert (codes == track.codes(0, len(said))).all()
        order = np.arange(len(said))[::-1]
        assert (codes[order] == track.codes_at(order)).all()
        known = ~np.isnan(said)
        assert ((codes == 20) == ~known).all()
        off = 0 if exact else (numbers[-1] - numbers[0]) / 19
        assert (np.abs(table[codes[known]] - said[known]) <= off / 2 * (1 + 1e-9)).all()
