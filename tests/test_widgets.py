"""The Python side of the widgets: what a person sets, and what the page asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jupyter_client.session import json_packer
from traitlets import TraitError

from lstm_widgets.recording import RecordedLayer, Recording
from lstm_widgets.widgets.cell_grid import CellGrid
from lstm_widgets.widgets.example_grid import ExampleGrid
from lstm_widgets.widgets.page.tiles import BLOCK, OVERVIEW_BYTES, SignalTiles
from lstm_widgets.widgets.text_heatmap import TextHeatmap

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDGETS = [CellGrid, ExampleGrid, TextHeatmap]
Request = dict[str, Any]

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "&lt;",
    "",
    " ",
    "\n",
    "\t",
    "\x00",
    "\x7f",
    "\u200b",
    "\u202e",
    "👩‍🔬",
    "é",
    "'\"`\\",
    "${x}",
    "x" * 500,
]


def layer_of(
    name: str,
    shape: tuple[int, int, int],
    *,
    signals: tuple[str, ...] = ("hidden_state", "forget_gate"),
    masked: bool = False,
    tokens: list[str] | None = None,
) -> RecordedLayer:
    rng = np.random.default_rng(sum(map(ord, name)))
    words = None
    if tokens is not None:
        words = np.empty(shape[:2], dtype=object)
        count = shape[0] * shape[1]
        words.reshape(-1)[:] = [tokens[i % len(tokens)] for i in range(count)]
    return RecordedLayer(
        name=name,
        kind="LSTM",
        signals={signal: rng.normal(size=shape).astype(np.float32) for signal in signals},
        mask=rng.random(shape[:2]) < 0.8 if masked else None,
        tokens=words,
    )


def small() -> Recording:
    return Recording.from_layers(
        [
            layer_of("encoder", (3, 5, 4), tokens=list("abcdefghijklmno")),
            layer_of("decoder", (3, 2, 2), signals=("hidden_state", "update_gate"), masked=True),
            layer_of("top/forward", (3, 7, 3), signals=("hidden_state",), masked=True),
        ],
        labels=["1+1=2", "2+2=4", "<b>"],
    )


@pytest.fixture(scope="module")
def large() -> Recording:
    """More than travels whole: 3 MB a signal, with all that stands above the columns."""
    layers = [
        layer_of("lstm", (31, 401, 60), masked=True, tokens=HOSTILE),
        layer_of("bare", (31, 13, 3), signals=("hidden_state",)),
    ]
    return Recording.from_layers(layers, labels=[f"example {i}" for i in range(31)])


def ask(widget: CellGrid | ExampleGrid, **request: object) -> tuple[Request, list[bytes]]:
    """Let the widget have a message from the page, and return what it sends."""
    sent: list[tuple[Request, list[bytes]]] = []
    widget.send = lambda content, buffers=None: sent.append((content, buffers or []))
    widget._on_message(widget, {"id": "7-abc", **request}, [])
    assert len(sent) == 1
    return sent[0]


# -- what a person sets --------------------------------------------------------------------------


@pytest.mark.parametrize("widget", WIDGETS)
def test_by_default_the_first_layer_and_its_first_signal_are_shown(widget: type[CellGrid]) -> None:
    shown = widget(small())
    assert (shown.layer, shown.signal) == ("encoder", "hidden_state")
    assert (shown.example, shown.cell, shown.timestep) == (0, 0, 0)
    assert (shown.threshold, shown.palette, shown.scale) == (0, "auto", "layer")


@pytest.mark.parametrize("widget", WIDGETS)
def test_what_is_set_is_kept(widget: type[CellGrid]) -> None:
    wanted = {
        "layer": "decoder",
        "signal": "update_gate",
        "example": 2,
        "cell": 1,
        "timestep": 1,
        "threshold": 0.5,
        "palette": "blue_white_red_20",
        "scale": (-1.0, 1.0),
        "align": "predict",
    }
    shown = widget(small(), **wanted)
    assert {name: getattr(shown, name) for name in wanted} == wanted
    assert shown.recording.layers == small().layers


BAD = [
    ("layer", "lstm_9", ["layer", "'encoder'", "'decoder'", "'top/forward'", "'lstm_9'"]),
    ("signal", "cell_state", ["signal", "'hidden_state'", "'forget_gate'", "'cell_state'"]),
    ("example", 3, ["example", "0 to 2", "3"]),
    ("example", -1, ["example", "0 to 2", "-1"]),
    ("cell", 4, ["cell", "0 to 3", "4"]),
    ("timestep", 5, ["timestep", "0 to 4", "5"]),
    ("timestep", 1.5, ["timestep", "int", "1.5"]),
    ("cell", "x", ["cell", "int", "'x'"]),
    ("threshold", -0.1, ["threshold", "at least 0", "-0.1"]),
    ("threshold", float("nan"), ["threshold", "finite", "nan"]),
    ("threshold", float("inf"), ["threshold", "finite", "inf"]),
    ("threshold", "high", ["threshold", "float", "'high'"]),
    ("palette", "jet", ["palette", "'RdBu_r'", "'jet'"]),
    ("scale", "log", ["scale", "'sigmoid'", "'log'"]),
    ("scale", (1.0, 1.0), ["scale", "lowest < highest", "(1.0, 1.0)"]),
    ("scale", (2.0, -2.0), ["scale", "lowest < highest", "(2.0, -2.0)"]),
    ("scale", (0.0, float("inf")), ["scale", "finite", "inf"]),
    ("scale", (float("nan"), 1.0), ["scale", "finite", "nan"]),
    ("scale", (0.0, 1.0, 2.0), ["scale", "(0.0, 1.0, 2.0)"]),
    ("align", "guess", ["align", "'read'", "'guess'"]),
]


@pytest.mark.parametrize("widget", WIDGETS)
@pytest.mark.parametrize(("name", "value", "said"), BAD)
def test_a_wrong_value_is_refused_by_name(
    widget: type[CellGrid], name: str, value: object, said: list[str]
) -> None:
    with pytest.raises(TraitError) as at_first:
        widget(small(), **{name: value})
    shown = widget(small())
    before = getattr(shown, name)
    with pytest.raises(TraitError) as later:
        setattr(shown, name, value)
    for text in (str(at_first.value), str(later.value)):
        for part in said:
            assert part in text
    assert getattr(shown, name) == before


@pytest.mark.parametrize("widget", [CellGrid, ExampleGrid])
def test_an_order_that_is_none_is_refused_by_name(widget: type[CellGrid]) -> None:
    assert widget(small(), sort="index").sort == "index"
    with pytest.raises(TraitError, match=r"sort.*'index'.*'random'"):
        widget(small(), sort="random")


@pytest.mark.parametrize("widget", WIDGETS)
def test_an_unknown_keyword_is_a_type_error(widget: type[CellGrid]) -> None:
    with pytest.raises(TypeError, match=r"'treshold'.*threshold") as caught:
        widget(small(), treshold=1)
    assert widget.__name__ in str(caught.value)


def test_a_private_trait_is_no_keyword() -> None:
    with pytest.raises(TypeError, match="'_layers'"):
        CellGrid(small(), _layers=[])


def test_a_trait_of_another_widget_is_no_keyword() -> None:
    CellGrid(small(), hide_quiet_cells=True)
    with pytest.raises(TypeError, match="'hide_quiet_cells'"):
        ExampleGrid(small(), hide_quiet_cells=True)


@pytest.mark.parametrize("widget", WIDGETS)
@pytest.mark.parametrize("thing", [None, "recording.zarr", np.zeros((1, 2, 3)), small()["encoder"]])
def test_what_is_no_recording_is_a_type_error(widget: type[CellGrid], thing: object) -> None:
    with pytest.raises(TypeError, match="recording.*Recording.*" + type(thing).__name__):
        widget(thing)


# -- changes of the selection --------------------------------------------------------------------


def test_another_layer_resets_the_signal_and_keeps_the_selection_inside() -> None:
    shown = CellGrid(small(), signal="forget_gate", example=2, cell=3, timestep=4)
    shown.layer = "decoder"
    assert shown.signal == "hidden_state"
    assert (shown.example, shown.cell, shown.timestep) == (2, 1, 1)
    shown.layer = "encoder"
    assert (shown.example, shown.cell, shown.timestep) == (2, 1, 1)


def test_another_layer_keeps_a_signal_that_it_has() -> None:
    recording = Recording.from_layers([layer_of("a", (1, 2, 3)), layer_of("b", (1, 2, 3))])
    shown = CellGrid(recording, signal="forget_gate")
    shown.layer = "b"
    assert shown.signal == "forget_gate"


def test_a_change_from_the_page_takes_layer_and_selection_together() -> None:
    shown = CellGrid(small(), cell=3)
    shown.set_state({"layer": "decoder", "signal": "update_gate", "cell": 1, "timestep": 0})
    assert (shown.layer, shown.signal, shown.cell) == ("decoder", "update_gate", 1)
    shown.set_state({"layer": "top/forward"})
    assert (shown.signal, shown.cell) == ("hidden_state", 1)
    shown.set_state({"signal": "hidden_state", "layer": "encoder", "cell": 3})
    assert (shown.layer, shown.cell) == ("encoder", 3)


def test_a_wrong_change_from_the_page_is_told_to_the_page() -> None:
    shown = CellGrid(small())
    sent: list[Request] = []
    shown.send = lambda content, _buffers=None: sent.append(content)
    with pytest.raises(TraitError):
        shown.set_state({"cell": 99})
    assert shown.cell == 0
    assert len(sent) == 1
    assert sent[0]["kind"] == "error"
    assert "cell" in sent[0]["text"]
    assert "99" in sent[0]["text"]


def test_a_refused_layer_leaves_everything_as_it_was(large: Recording) -> None:
    shown = CellGrid(large, signal="forget_gate", cell=59)
    before = shown.get_state()
    with pytest.raises(TraitError):
        shown.layer = "none"
    assert shown.get_state() == before


# -- what travels to the page --------------------------------------------------------------------


def unpack(recording: Recording, whole: bytes) -> tuple[dict[tuple[str, str], Any], dict[str, Any]]:
    """Read what travels whole: float32 (layer, signal, cell, column), then the masks there are."""
    at = 0
    values, masks = {}, {}
    for layer in recording.layers:
        examples, timesteps, cells = recording[layer].hidden_state.shape
        for signal in recording.signals(layer):
            count = examples * timesteps * cells
            array = np.frombuffer(whole, "<f4", count, at).reshape(cells, examples, timesteps)
            values[layer, signal] = array
            at += 4 * count
    for layer in recording.layers:
        if "mask" in recording[layer]:
            shape = recording[layer].mask.shape
            masks[layer] = np.frombuffer(whole, np.uint8, shape[0] * shape[1], at).reshape(shape)
            at += shape[0] * shape[1]
    assert at == len(whole)
    return values, masks


def check_whole(recording: Recording) -> None:
    shown = CellGrid(recording)
    values, masks = unpack(recording, shown._whole)
    for (layer, signal), array in values.items():
        expected = recording[layer][signal].values
        # Bytes, so that each NaN stays the NaN that it was.
        assert array.transpose(1, 2, 0).tobytes() == expected.tobytes()
    for layer, mask in masks.items():
        np.testing.assert_array_equal(mask.astype(bool), recording[layer]["mask"].values)
    for layer in recording.layers:
        dataset, text = recording[layer], shown._text[layer]
        if "token" in dataset.coords:
            assert text["tokens"] == dataset.token.values.reshape(-1).tolist()
        else:
            assert text["tokens"] is None
        assert text["labels"] == (
            dataset.label.values.tolist() if "label" in dataset.coords else None
        )
    assert not shown._overview


def test_a_small_recording_travels_whole() -> None:
    check_whole(small())


@settings(max_examples=30)
@given(
    sizes=st.lists(
        st.tuples(st.integers(1, 6), st.integers(1, 5), st.booleans(), st.booleans()),
        min_size=1,
        max_size=4,
    ),
    examples=st.integers(1, 4),
    labelled=st.booleans(),
)
def test_any_small_recording_travels_whole(
    sizes: list[tuple[int, int, bool, bool]], examples: int, labelled: bool
) -> None:
    layers = [
        layer_of(
            f"layer_{i}",
            (examples, timesteps, cells),
            masked=masked,
            tokens=HOSTILE if named else None,
        )
        for i, (timesteps, cells, masked, named) in enumerate(sizes)
    ]
    layers[0].signals["hidden_state"].reshape(-1)[0] = np.nan
    labels = HOSTILE[:examples] if labelled else None
    check_whole(Recording.from_layers(layers, labels=labels))


def test_the_page_is_told_what_the_recording_has() -> None:
    first, second, third = CellGrid(small())._layers
    assert first["name"] == "encoder"
    assert first["signals"] == ["hidden_state", "forget_gate"]
    assert (first["examples"], first["timesteps"], first["cells"]) == (3, 5, 4)
    assert (first["masked"], first["tokens"], first["labels"]) == (False, True, True)
    assert (second["masked"], second["tokens"]) == (True, False)
    assert third["name"] == "top/forward"


def test_two_directions_are_shown_side_by_side_at_first() -> None:
    parts = [
        layer_of("lstm", (3, 5, 4)),
        layer_of("both/forward", (3, 5, 4)),
        replace(layer_of("both/backward", (3, 5, 4)), go_backwards=True),
    ]
    shown = CellGrid(Recording.from_layers(parts[1:]))
    assert (shown.layer, [each["name"] for each in shown._layers]) == (
        "both",
        ["both", "both/forward", "both/backward"],
    )
    both = shown._layers[0]
    assert (both["cells"], both["parts"]) == (8, ["both/forward", "both/backward"])
    shown.cell = 7
    shown.layer = "both/backward"
    assert shown.cell == 3
    assert CellGrid(Recording.from_layers(parts)).layer == "lstm"


def test_tiles_of_two_directions_have_the_cells_of_both() -> None:
    parts = [
        layer_of("both/forward", (31, 401, 30)),
        replace(layer_of("both/backward", (31, 401, 30)), go_backwards=True),
    ]
    recording = Recording.from_layers(parts)
    reply, buffers = ask(
        CellGrid(recording), layer="both", signal="hidden_state", values=[31, 5, 9]
    )
    assert "error" not in reply
    expected = recording["both/backward"]["hidden_state"].values.reshape(-1, 30)[5:9, 1]
    assert buffers[-1] == expected.tobytes()


def state_bytes(widget: CellGrid) -> int:
    """Count what the widget's state takes, beside the code that draws it."""
    state = {
        name: value
        for name, value in widget.get_state().items()
        if name not in {"_esm", "_css", "layout"}
    }
    binary = [name for name, value in state.items() if isinstance(value, bytes | memoryview)]
    total = sum(memoryview(state.pop(name)).nbytes for name in binary)
    return total + len(json_packer(state))


def test_of_a_large_recording_only_an_overview_travels(large: Recording) -> None:
    shown = CellGrid(large)
    assert not shown._whole
    assert not shown._text
    assert state_bytes(shown) <= 300 * 1024
    assert len(shown._overview) <= OVERVIEW_BYTES


def check_summary(shown: CellGrid) -> None:
    dataset = shown.recording[shown.layer]
    mask = dataset["mask"].values if "mask" in dataset else None
    tiles = SignalTiles(dataset[shown.signal].values, mask)
    level, overview = tiles.overview
    assert shown._summary == {"layer": shown.layer, "signal": shown.signal, "level": level}
    assert shown._overview == overview.tobytes()
    statistics = np.frombuffer(shown._statistics, "<f4").reshape(3, tiles.cells)
    np.testing.assert_array_equal(statistics[0], tiles.statistics.largest)
    np.testing.assert_array_equal(statistics[1], tiles.statistics.mean_magnitude)
    np.testing.assert_array_equal(statistics[2], tiles.statistics.variance)


def test_the_overview_is_that_of_what_is_shown(large: Recording) -> None:
    shown = CellGrid(large)
    check_summary(shown)
    shown.signal = "forget_gate"
    check_summary(shown)
    shown.layer = "bare"
    assert shown.signal == "hidden_state"
    check_summary(shown)
    shown.set_state({"layer": "lstm", "signal": "forget_gate"})
    check_summary(shown)


def test_many_columns_of_few_cells_do_not_travel_whole() -> None:
    """Their tokens would be most of it."""
    recording = Recording.from_layers(
        [layer_of("lstm", (1, 100_000, 1), signals=("hidden_state",), tokens=["word"])]
    )
    shown = CellGrid(recording)
    assert not shown._whole
    assert state_bytes(shown) <= 300 * 1024


@pytest.mark.parametrize("shape", [(0, 5, 2), (3, 0, 2)])
@pytest.mark.parametrize("widget", WIDGETS)
def test_a_recording_of_nothing_is_shown(
    widget: type[CellGrid], shape: tuple[int, int, int]
) -> None:
    shown = widget(Recording.from_layers([layer_of("lstm", shape, masked=True, tokens=["a"])]))
    assert shown._overview == b""
    with pytest.raises(TraitError, match="example" if shape[0] == 0 else "timestep"):
        setattr(shown, "example" if shape[0] == 0 else "timestep", 1)


def test_what_the_page_gets_is_json(large: Recording) -> None:
    for shown in (CellGrid(small()), CellGrid(large), ExampleGrid(small(), scale=(0.0, 1.0))):
        state = shown.get_state()
        json_packer({name: v for name, v in state.items() if not isinstance(v, bytes | memoryview)})
    reply, _ = ask(CellGrid(large), layer="lstm", signal="hidden_state", columns=[0, 24])
    json_packer(reply)


def test_a_token_that_utf8_cannot_hold_does_not_stop_the_widget() -> None:
    """A lone surrogate, as from a text that was cut or decoded with errors="surrogateescape"."""
    recording = Recording.from_layers([layer_of("lstm", (1, 2, 3), tokens=["\ud800", "a"])])
    assert json_packer(CellGrid(recording)._text)


# -- what the page asks for ----------------------------------------------------------------------


def columns_of(large: Recording, signal: str) -> NDArray[np.float32]:
    values: NDArray[np.float32] = large["lstm"][signal].values
    return values.reshape(-1, values.shape[2])


@pytest.mark.parametrize("signal", ["hidden_state", "forget_gate"])
def test_tiles_are_answered(large: Recording, signal: str) -> None:
    wanted = [[0, 0, [0, 1, 2]], [0, 24, [59]], [3, 1, [7, 3]], [6, 0, [5]], [20, 0, [1]]]
    reply, buffers = ask(CellGrid(large), layer="lstm", signal=signal, tiles=wanted)
    assert (reply["id"], reply["layer"], reply["signal"]) == ("7-abc", "lstm", signal)
    assert "error" not in reply
    assert reply["tiles"] == wanted
    assert (reply["columns"], reply["values"], reply["similarity"]) == ([], None, None)
    dataset = large["lstm"]
    tiles = SignalTiles(dataset[signal].values, dataset["mask"].values)
    assert len(buffers) == len(wanted)
    for (level, block, cells), codes in zip(wanted, buffers, strict=True):
        assert codes == tiles.tile(level, block, cells).tobytes()


def test_tokens_labels_and_masks_are_answered(large: Recording) -> None:
    dataset = large["lstm"]
    tokens = dataset.token.values.reshape(-1)
    mask = dataset["mask"].values.reshape(-1)
    blocks = [0, 3, len(tokens) // BLOCK]
    reply, buffers = ask(CellGrid(large), layer="lstm", signal="hidden_state", columns=blocks)
    assert len(reply["columns"]) == len(buffers) == len(blocks)
    for block, found, padding in zip(blocks, reply["columns"], buffers, strict=True):
        start, stop = block * BLOCK, min((block + 1) * BLOCK, len(tokens))
        assert found["start"] == start
        assert found["tokens"] == tokens[start:stop].tolist()
        assert np.frombuffer(padding, np.uint8).tolist() == mask[start:stop].tolist()
        examples = sorted({column // 401 for column in range(start, stop)})
        assert found["first_example"] == examples[0]
        assert found["labels"] == [f"example {i}" for i in examples]


def test_a_layer_without_tokens_and_padding_says_so(large: Recording) -> None:
    reply, buffers = ask(CellGrid(large), layer="bare", signal="hidden_state", columns=[0])
    assert reply["columns"][0]["tokens"] is None
    assert reply["columns"][0]["labels"] == [f"example {i}" for i in range(31)]
    assert buffers == [b""]


@pytest.mark.parametrize(("cell", "start", "stop"), [(0, 0, 512), (59, 12_000, 12_431), (7, 5, 6)])
def test_values_are_the_numbers_of_the_array(
    large: Recording, cell: int, start: int, stop: int
) -> None:
    wanted = [cell, start, stop]
    reply, buffers = ask(CellGrid(large), layer="lstm", signal="forget_gate", values=wanted)
    assert reply["values"] == wanted
    expected = columns_of(large, "forget_gate")[start:stop, cell]
    assert buffers == [expected.tobytes()]


def test_similarity_is_answered(large: Recording) -> None:
    reply, buffers = ask(CellGrid(large), layer="lstm", signal="hidden_state", similarity=5)
    assert reply["similarity"] == 5
    kept = columns_of(large, "hidden_state")[large["lstm"]["mask"].values.reshape(-1)]
    expected = np.corrcoef(kept.T.astype(np.float64))[5]
    np.testing.assert_allclose(np.frombuffer(buffers[0], "<f4"), expected, atol=1e-4)


def test_all_at_once_is_answered_in_order(large: Recording) -> None:
    request = {
        "layer": "lstm",
        "signal": "hidden_state",
        "tiles": [[0, 1, [2, 3]]],
        "columns": [1],
        "values": [2, 10, 20],
        "similarity": 0,
    }
    _, buffers = ask(CellGrid(large), **request)
    parts = [
        ask(CellGrid(large), layer="lstm", signal="hidden_state", **{name: request[name]})[1][0]
        for name in ("tiles", "columns", "values", "similarity")
    ]
    assert buffers == parts
    assert len(buffers) == 4


def test_a_request_for_what_is_not_shown_is_answered_all_the_same(large: Recording) -> None:
    shown = CellGrid(large, layer="bare")
    reply, buffers = ask(shown, layer="lstm", signal="forget_gate", values=[3, 0, 4])
    assert "error" not in reply
    assert buffers == [columns_of(large, "forget_gate")[:4, 3].tobytes()]
    assert (shown.layer, shown.signal) == ("bare", "hidden_state")


def test_requests_that_alternate_over_many_signals_stay_right() -> None:
    """Only a few signals are kept ready."""
    names = ("hidden_state", "cell_state", "input_gate", "forget_gate", "output_gate")
    recording = Recording.from_layers([layer_of("lstm", (2, 9, 3), signals=names)])
    shown = CellGrid(recording)
    for _ in range(2):
        for name in names:
            _, buffers = ask(shown, layer="lstm", signal=name, values=[1, 0, 18])
            assert buffers[0] == recording["lstm"][name].values[..., 1].tobytes()


NONSENSE: list[tuple[Request, str]] = [
    ({}, "layer"),
    ({"layer": "lstm"}, "signal"),
    ({"layer": "none", "signal": "hidden_state"}, "none"),
    ({"layer": "lstm", "signal": "none"}, "none"),
    ({"layer": None, "signal": None}, ""),
    ({"layer": ["lstm"], "signal": "hidden_state"}, ""),
    ({"layer": "lstm", "signal": "hidden_state", "tiles": [[0, 0, [60]]]}, "60"),
    ({"layer": "lstm", "signal": "hidden_state", "tiles": [[-1, 0, [0]]]}, ""),
    ({"layer": "lstm", "signal": "hidden_state", "tiles": [["x", 0, [0]]]}, "x"),
    ({"layer": "lstm", "signal": "hidden_state", "tiles": [0]}, ""),
    ({"layer": "lstm", "signal": "hidden_state", "columns": ["x"]}, ""),
    ({"layer": "lstm", "signal": "hidden_state", "values": [60, 0, 1]}, "60"),
    ({"layer": "lstm", "signal": "hidden_state", "values": [0]}, ""),
    ({"layer": "lstm", "signal": "hidden_state", "similarity": 60}, "60"),
    ({"layer": "lstm", "signal": "hidden_state", "similarity": "x"}, ""),
]


@pytest.mark.parametrize(("request_", "said"), NONSENSE)
def test_nonsense_is_answered_with_an_error(large: Recording, request_: Request, said: str) -> None:
    reply, buffers = ask(CellGrid(large), **request_)
    assert reply["id"] == "7-abc"
    assert said in reply["error"]
    assert buffers == []
    json_packer(reply)


def test_after_an_error_the_next_request_is_answered(large: Recording) -> None:
    shown = CellGrid(large)
    ask(shown, layer="none", signal="none")
    reply, _ = ask(shown, layer="lstm", signal="hidden_state", values=[0, 0, 1])
    assert "error" not in reply


def test_a_message_of_the_page_reaches_the_widget(large: Recording) -> None:
    """Through the host's own way in, not by calling ours."""
    shown = CellGrid(large)
    sent: list[tuple[Request, list[bytes]]] = []
    shown.send = lambda content, buffers=None: sent.append((content, buffers))
    request = {"id": "1", "layer": "lstm", "signal": "hidden_state", "values": [4, 0, 8]}
    message = {"content": {"data": {"method": "custom", "content": request}}, "buffers": []}
    shown._handle_msg(message)
    assert sent[0][0]["id"] == "1"
    assert sent[0][1] == [columns_of(large, "hidden_state")[:8, 4].tobytes()]


# -- tokens are text -----------------------------------------------------------------------------


def test_hostile_tokens_and_labels_travel_unchanged() -> None:
    count = len(HOSTILE)
    recording = Recording.from_layers(
        [layer_of("lstm", (count, 1, 2), tokens=HOSTILE)], labels=HOSTILE
    )
    shown = ExampleGrid(recording)
    assert shown._text["lstm"]["tokens"] == HOSTILE
    assert shown._text["lstm"]["labels"] == HOSTILE
    reply, _ = ask(shown, layer="lstm", signal="hidden_state", columns=[0])
    assert reply["columns"][0]["tokens"] == HOSTILE
    assert reply["columns"][0]["labels"] == HOSTILE
    assert all(type(token) is str for token in reply["columns"][0]["tokens"])


@pytest.mark.parametrize("name", ["<b>lstm</b>", "a/b/c", "Δ", "x" * 300])
def test_a_layer_may_have_any_name(name: str) -> None:
    shown = CellGrid(Recording.from_layers([layer_of(name, (1, 2, 3))]))
    assert shown.layer == shown._layers[0]["name"] == name
    reply, _ = ask(shown, layer=name, signal="hidden_state", values=[0, 0, 1])
    assert reply["layer"] == name


def test_the_first_timestep_selected_is_no_padding() -> None:
    layer = layer_of("lstm", (3, 6, 4), masked=True)
    assert layer.mask is not None
    layer.mask[:] = [[False, False, True, True, True, True], [True] * 6, [False] * 6]
    recording = Recording.from_layers([layer])
    starts = [CellGrid(recording, example=example).timestep for example in range(3)]
    assert starts == [2, 0, 0]
    assert CellGrid(recording, timestep=1).timestep == 1
