"""Widgets over several recordings of the same inputs: what Python gives the page, and draws itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import traitlets
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import lstm_widgets as lw
from lstm_widgets.colours import LIGHT
from lstm_widgets.recording import RecordedLayer, RecordedPredictions, RecordedSeries, Recording
from lstm_widgets.tokens.wording import short_range
from lstm_widgets.widgets.page import export
from lstm_widgets.widgets.page import state as page_state
from lstm_widgets.widgets.page import variants as shown_variants
from lstm_widgets.widgets.page.tiles import ZERO

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

WIDGETS = [
    lw.CellGrid,
    lw.TextHeatmap,
    lw.ExampleGrid,
    lw.GateInspector,
    lw.Explorer,
    lw.CellFinder,
]
NAMES = ("epoch 0", "epoch 1", "epoch 2")
STEPS = 126


def recording(
    seed: int, shape: tuple[int, int, int] = (2, 9, 4), *, more: bool = False, scale: float = 1.0
) -> Recording:
    rng = np.random.default_rng(seed)
    mask = np.ones(shape[:2], bool)
    mask[1:, 6:] = False
    signals = {
        "hidden_state": (scale * rng.standard_normal(shape)).astype(np.float32),
        "forget_gate": rng.random(shape).astype(np.float32),
    }
    if more:  # what not all variants have
        signals = {"cell_state": signals["hidden_state"] * 2, **signals}
    tokens = np.resize(np.array(list("abc"), dtype=object), shape[:2])
    check = {"difference": 1e-7 * (seed + 1), "tolerance": 1e-5, "mode": "none"}
    layers = [RecordedLayer("lstm", "LSTM", signals, mask, tokens, check=check)]
    if more:
        own = {"hidden_state": np.zeros((2, 5, 3), np.float32)}
        layers.append(RecordedLayer("another", "LSTM", own, check=check))
    ids = rng.integers(0, 3, (*shape[:2], 2)).astype(np.int32)
    guessed = np.array(list("abc"), dtype=object)[ids]
    chances = rng.random((*shape[:2], 2)).astype(np.float32)
    predictions = RecordedPredictions(ids, chances, tokens=guessed)
    return Recording.from_layers(layers, predictions=predictions)


def epochs(**options: Any) -> lw.Variants:
    scales = (0.1, 2.0, 1.0)
    return lw.Variants(
        {name: recording(seed, scale=scales[seed], **options) for seed, name in enumerate(NAMES)}
    )


def large() -> lw.Variants:
    return epochs(shape=(2, 3000, 40))


def values_of(variants: lw.Variants, signal: str = "hidden_state") -> NDArray[np.float32]:
    """(variant, column, cell)."""
    every = [one["lstm"][signal].values for one in variants.values()]
    return np.stack([values.reshape(-1, values.shape[2]) for values in every])


def counted(variants: lw.Variants) -> NDArray[np.bool_]:
    return np.asarray(variants[NAMES[0]]["lstm"]["mask"].values.reshape(-1))


def ask(widget: Any, **request: object) -> tuple[dict[str, Any], list[bytes]]:
    message = {"id": "1", "layer": widget.layer, "signal": widget.signal, **request}
    reply, buffers = widget._answer(message)
    assert reply["id"] == "1"
    return reply, buffers


@pytest.mark.parametrize("widget", WIDGETS)
def test_the_first_variant_is_shown_at_first(widget: Any) -> None:
    variants = epochs()
    shown = widget(variants)
    assert (shown.variant, shown.difference) == ("epoch 0", "")
    assert shown.recording is variants
    assert "variant='epoch 0'" in repr(shown)
    shown.variant, shown.difference = "epoch 2", "epoch 1"
    assert shown.view["variant"] == "epoch 2"
    assert shown.view["difference"] == "epoch 1"
    again = widget(shown.recording, **shown.view)
    assert again.view == shown.view


@pytest.mark.parametrize("trait", ["variant", "difference"])
def test_a_name_that_is_none_is_refused(trait: str) -> None:
    said = rf"^{trait}: expected one of 'epoch 0', 'epoch 1', 'epoch 2'.*; got 'epoch 9'$"
    variants = epochs()
    with pytest.raises(traitlets.TraitError, match=said):
        lw.CellGrid(variants, **{trait: "epoch 9"})
    grid = lw.CellGrid(variants)
    with pytest.raises(traitlets.TraitError, match=said):
        setattr(grid, trait, "epoch 9")


@pytest.mark.parametrize("trait", ["variant", "difference"])
def test_one_recording_has_no_variants(trait: str) -> None:
    grid = lw.CellGrid(recording(0))
    assert (grid.variant, grid.difference, grid._variants) == ("", "", {})
    with pytest.raises(
        traitlets.TraitError, match=f"{trait}: expected one of '', because there is one"
    ):
        setattr(grid, trait, "epoch 0")


def test_all_variants_of_a_small_recording_travel() -> None:
    variants = epochs()
    grid = lw.CellGrid(variants)
    ends = grid._variants["whole"]
    assert grid._variants["names"] == list(NAMES)
    assert ends[-1] == len(grid._whole)
    for name, start, stop in zip(NAMES, ends, ends[1:], strict=False):
        alone = lw.CellGrid(variants[name])
        assert grid._whole[start:stop] == alone._whole
    assert [check["lstm"]["difference"] for check in grid._variants["check"]] == [1e-7, 2e-7, 3e-7]
    # Tokens once; what a model guesses is its own.
    assert grid._text["lstm"]["tokens"] == lw.CellGrid(variants[NAMES[0]])._text["lstm"]["tokens"]
    assert "guessed" not in grid._text["lstm"]
    assert all("guessed" in text["lstm"] for text in grid._variants["text"])


def test_only_what_all_have_is_shown() -> None:
    variants = lw.Variants({"more": recording(0, more=True), "less": recording(1)})
    grid = lw.CellGrid(variants)
    assert [layer["name"] for layer in grid._layers] == ["lstm"]
    assert grid._layers[0]["signals"] == ["hidden_state", "forget_gate"]
    sizes = np.diff(grid._variants["whole"])
    assert sizes[0] == sizes[1]
    with pytest.raises(
        traitlets.TraitError, match="signal: expected one of 'hidden_state', 'forget_gate'"
    ):
        grid.signal = "cell_state"


def test_variants_without_a_layer_in_common_are_refused() -> None:
    other = Recording.from_layers(
        [RecordedLayer("gru", "GRU", {"hidden_state": np.zeros((2, 9, 4), np.float32)})]
    )
    with pytest.raises(
        ValueError, match="recording: expected variants that have a layer in common"
    ):
        lw.CellGrid(lw.Variants({"one": recording(0), "other": other}))


@pytest.mark.parametrize("less", ["", "epoch 0"])
def test_codes_stand_for_the_same_in_all_variants(less: str) -> None:
    variants = large()
    values = values_of(variants)
    if less:
        values = values - values[0]
    largest = np.abs(values).max(axis=(0, 1))
    grid = lw.CellGrid(variants, difference=less)
    assert not grid._whole
    for i, name in enumerate(NAMES):
        grid.variant = name
        told = np.frombuffer(grid._statistics, np.float32).reshape(6, -1)
        np.testing.assert_array_equal(told[0], largest)
        own = np.abs(values[i][counted(variants)].astype(np.float64))
        np.testing.assert_allclose(told[1], own.mean(axis=0), rtol=1e-5)
        assert grid._summary["variant"] == name
        assert grid._summary["difference"] == less
        (_, [codes]) = ask(grid, variant=name, difference=less, tiles=[[0, 0, [7, 3]]])
        read = np.frombuffer(codes, np.uint8).reshape(2, -1)
        expected = ZERO + np.rint(
            STEPS * values[i, :512, [7, 3]].astype(np.float64) / largest[[7, 3], None]
        )
        np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize("less", ["", "epoch 1"])
def test_a_question_names_its_variant(less: str) -> None:
    """Whatever is shown by then: the page may have gone on to another."""
    variants = large()
    values = values_of(variants)
    grid = lw.CellGrid(variants, variant="epoch 2")
    _, [exact] = ask(grid, variant="epoch 0", difference=less, values=[5, 100, 200])
    expected = values[0, 100:200, 5] - (values[1, 100:200, 5] if less else np.float32(0))
    np.testing.assert_array_equal(np.frombuffer(exact, np.float32), expected)
    gates = values_of(variants, "forget_gate")
    _, [series] = ask(grid, variant="epoch 0", difference=less, series=[[5, 0]])
    rows = np.frombuffer(series, np.float32).reshape(2, 512)
    gate = gates[0, :512, 5] - (gates[1, :512, 5] if less else np.float32(0))
    np.testing.assert_array_equal(rows[1], gate)
    reply, [_, probability, _] = ask(grid, variant="epoch 0", difference=less, predictions=[0])
    own = variants["epoch 0"].predictions
    assert own is not None
    np.testing.assert_array_equal(
        np.frombuffer(probability, np.float32),
        own["probability"].values.reshape(-1, 2)[:512].ravel(),
    )
    assert reply["predictions"][0]["block"] == 0


def test_a_question_of_no_variant_is_answered_with_an_error() -> None:
    grid = lw.CellGrid(large())
    sent: list[Any] = []
    grid.send = lambda *message: sent.append(message)  # type: ignore[method-assign]
    grid._on_message(
        grid, {"id": "7", "layer": "lstm", "signal": "hidden_state", "variant": "epoch 9"}, []
    )
    ((reply,),) = sent
    assert reply["id"] == "7"
    assert "epoch 9" in reply["error"]


@given(
    data=st.lists(
        st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=12, max_size=12),
        min_size=2,
        max_size=4,
    ),
    less=st.integers(0, 1),
)
@settings(max_examples=30, deadline=None)
def test_a_difference_is_numpys(data: list[list[float]], less: int) -> None:
    arrays = [np.array(values, np.float32).reshape(1, 6, 2) for values in data]
    variants = lw.Variants(
        {
            str(i): Recording.from_layers([RecordedLayer("lstm", "LSTM", {"hidden_state": array})])
            for i, array in enumerate(arrays)
        }
    )
    grid = lw.CellGrid(variants, difference=str(less))
    for i, array in enumerate(arrays):
        grid.variant = str(i)
        np.testing.assert_array_equal(
            grid._current["lstm"].hidden_state.values, array - arrays[less]
        )
        part = grid._current["lstm"].hidden_state[0, [4, 1], :]
        np.testing.assert_array_equal(part.values, (array - arrays[less])[0, [4, 1], :])


def test_a_difference_is_read_where_it_is_asked_for(tmp_path: Path) -> None:
    """Of variants on a disk, too."""
    variants = epochs(shape=(2, 400, 4))
    paths = {}
    for name, one in variants.items():
        paths[name] = tmp_path / f"{name}.zarr"
        one.save(paths[name])
    opened = lw.Variants(paths)
    grid = lw.CellGrid(opened, variant="epoch 2", difference="epoch 0")
    values = grid._current["lstm"].hidden_state
    assert not values.variable._in_memory
    expected = variants["epoch 2"]["lstm"].hidden_state - variants["epoch 0"]["lstm"].hidden_state
    np.testing.assert_array_equal(
        values[1, 50:60, [3, 0]].values, expected[1, 50:60, [3, 0]].values
    )
    np.testing.assert_array_equal(values[:, -1].values, expected[:, -1].values)
    assert grid._whole
    assert grid._layers[0]["tokens"]


@pytest.mark.parametrize("sort", ["mean_magnitude", "variance", "similarity"])
def test_rows_have_the_same_order_in_all_variants(sort: str) -> None:
    variants = large()
    values = values_of(variants)[:, counted(variants)].astype(np.float64)
    if sort == "similarity":
        by = np.mean([np.corrcoef(one.T)[5] for one in values], axis=0)
    else:
        each = np.abs(values).mean(axis=1) if sort == "mean_magnitude" else values.var(axis=1)
        by = each.mean(axis=0)
    grid = lw.CellGrid(variants, sort=sort, cell=5)
    for name in NAMES:
        grid.variant = name
        order = grid._order(grid._snapshot())
        assert order.tolist() == np.argsort(-by, kind="stable").tolist()
        if sort == "similarity":
            _, [sent] = ask(grid, variant=name, difference="", similarity=5)
            np.testing.assert_allclose(np.frombuffer(sent, np.float32), by, atol=1e-5)


def test_a_cell_is_quiet_that_is_so_in_all_variants() -> None:
    arrays = np.zeros((3, 1, 6, 3), np.float32)
    arrays[1, :, :, 1] = 0.9
    variants = lw.Variants(
        {
            name: Recording.from_layers([RecordedLayer("lstm", "LSTM", {"hidden_state": array})])
            for name, array in zip(NAMES, arrays, strict=True)
        }
    )
    grid = lw.CellGrid(variants, threshold=0.5, hide_quiet_cells=True)
    for name in NAMES:
        grid.variant = name
        assert grid._order(grid._snapshot()).tolist() == [1]


def test_the_selection_stays() -> None:
    grid = lw.CellGrid(epochs(), cell=3, example=1, timestep=4, threshold=0.25, sort="variance")
    before = grid.view
    for name in NAMES:
        grid.variant = name
        assert grid.view == before | {"variant": name}


def test_notes_are_those_of_the_first_variant() -> None:
    variants = epochs()
    grid = lw.CellGrid(variants)
    variants["epoch 0"].notes["lstm", 2] = "counts"
    assert grid._notes == {"lstm": {"2": "counts"}}
    grid.variant = "epoch 1"
    assert grid._snapshot().status.startswith("epoch 1 · lstm · cell 0")
    grid._notes = {"lstm": {"1": "said in the page"}}
    assert variants["epoch 0"].notes["lstm", 1] == "said in the page"


@pytest.mark.parametrize("widget", WIDGETS)
def test_a_figure_names_the_variant(widget: Any, tmp_path: Path) -> None:
    shown = widget(epochs(), variant="epoch 1")
    shown.save_figure(tmp_path / "own.svg")
    assert "epoch 1" in (tmp_path / "own.svg").read_text("utf-8")
    shown.difference = "epoch 0"
    shown.save_figure(tmp_path / "less.svg")
    text = (tmp_path / "less.svg").read_text("utf-8")
    assert "epoch 1 minus epoch 0" in text
    assert "difference to epoch 0" in text


def test_the_scale_of_a_figure_is_that_of_all_variants() -> None:
    variants = epochs()
    largest = np.abs(values_of(variants)).max()
    grid = lw.CellGrid(variants)
    for name in NAMES:
        grid.variant = name
        low, high = grid._snapshot().coloured(LIGHT).range
        assert (low, high) == (-largest, largest)


def test_the_difference_of_gates_has_a_sign() -> None:
    grid = lw.CellGrid(epochs(), signal="forget_gate")
    assert not grid._snapshot().coloured(LIGHT).diverging
    grid.difference = "epoch 1"
    assert grid._snapshot().coloured(LIGHT).diverging


def test_matches_are_those_of_the_variant() -> None:
    variants = epochs()
    shown = lw.TextHeatmap(variants, span=(1, 3))
    request = {"span": [1, 3], "example": 0, "threshold": 0.3}
    for name in NAMES:
        alone = lw.TextHeatmap(variants[name])
        expected, _ = ask(alone, **request)
        found, _ = ask(shown, **request, variant=name, difference="")
        assert found == expected


# -- files ----------------------------------------------------------------------------------------


def test_a_file_has_all_variants(tmp_path: Path) -> None:
    grid = lw.CellGrid(large(), variant="epoch 1")
    found = grid._file_state()
    assert found.traits["_variants"]["names"] == list(NAMES)
    assert found.rounded
    grid.save_html(tmp_path / "grid.html")
    assert "differences to 1/126" in (tmp_path / "grid.html").read_text("utf-8")


@pytest.mark.parametrize("columns", [9, 20_000])
def test_twice_as_many_variants_take_twice_as_much(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    tiles_of = shown_variants.tiles_of
    monkeypatch.setattr(
        shown_variants, "tiles_of", lambda *given: made.append(given) or tiles_of(*given)
    )

    def count(variants: int) -> int:
        signals = {
            f"signal_{n}": np.zeros((1, columns, 2), np.float32)
            for n in range(page_state._KEPT_SIGNALS + 2)
        }
        layers = [RecordedLayer("lstm", "LSTM", signals)]
        every = {str(k): Recording.from_layers(layers) for k in range(variants)}
        made.clear()
        lw.CellGrid(lw.Variants(every), layer="lstm", signal="signal_0")._file_state()
        return len(made)

    assert count(8) == 2 * count(4)


def test_where_not_all_fit_a_file_has_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    variants = large()
    one = 2 * 3000 * 40  # a byte a value
    grid = lw.CellGrid(variants, variant="epoch 2", difference="epoch 0")
    monkeypatch.setattr(export, "FILE_BYTES", 2 * one + 100)
    found = grid._file_state()
    assert found.traits["_variants"]["names"] == ["epoch 0", "epoch 2"]
    assert len(found.traits["_variants"]["whole"]) == 3
    assert "the other variants" in found.missing
    grid.difference = ""
    assert grid._file_state().traits["_variants"]["names"] == ["epoch 2"]
    monkeypatch.setattr(export, "FILE_BYTES", one - 1)
    with pytest.raises(ValueError, match="Record fewer examples"):
        grid._file_state()


# -- series ---------------------------------------------------------------------------------------


def series(days: int = 50) -> lw.Variants:
    def made(seed: int) -> Recording:
        rng = np.random.default_rng(seed)
        shape = (2, days, 3)
        rain = np.random.default_rng(9).random((2, days, 1)).astype(np.float32)
        said = (rng.random((2, days, 1)) * (seed + 1)).astype(np.float32)
        states = (rng.standard_normal(shape) * (seed + 1)).astype(np.float32)
        return Recording.from_layers(
            [RecordedLayer("lstm", "LSTM", {"hidden_state": states})],
            inputs=RecordedSeries(rain, ["rain"], ["mm"]),
            outputs=RecordedSeries(said, ["flow"], ["mm"]),
        )

    return lw.Variants({name: made(seed) for seed, name in enumerate(NAMES)})


def test_lines_travel_for_each_variant() -> None:
    variants = series()
    plot = lw.SeriesPlot(variants)
    values = np.frombuffer(plot._series_values, np.float32).reshape(3, 2, 2, 50)
    for i, name in enumerate(NAMES):
        one = variants[name]
        assert one.inputs is not None
        assert one.outputs is not None
        np.testing.assert_array_equal(values[i, 0], one.inputs.values[..., 0])
        np.testing.assert_array_equal(values[i, 1], one.outputs.values[..., 0])


def test_lines_are_answered_for_the_variant_that_is_asked_for() -> None:
    variants = series(days=80_000)
    plot = lw.SeriesPlot(variants, variant="epoch 2")
    assert not plot._series_values
    states = [one["lstm"].hidden_state.values for one in variants.values()]
    key = ["cell", 1, "lstm", "hidden_state"]
    for less, expected in (("", states[1]), ("epoch 0", states[1] - states[0])):
        reply, [line] = plot._answer(
            {
                "id": "1",
                "lines": [[key, 1, 0, 2]],
                "largest": ["lstm", "hidden_state"],
                "variant": "epoch 1",
                "difference": less,
            }
        )
        np.testing.assert_array_equal(np.frombuffer(line, np.float32), expected[1, 1024:1536, 1])
        every = np.stack(states) - (states[0] if less else 0)
        assert reply["largest"][2] == np.abs(every).max()


def test_bands_of_a_figure_reach_as_far_in_all_variants(tmp_path: Path) -> None:
    variants = series()
    states = np.stack([one["lstm"].hidden_state.values for one in variants.values()])
    low, high = states[:, 0, :, 1].min(), states[:, 0, :, 1].max()
    plot = lw.SeriesPlot(variants, cell=1)
    texts = []
    for name in NAMES:
        plot.variant = name
        plot.save_figure(tmp_path / f"{name}.svg")
        texts.append((tmp_path / f"{name}.svg").read_text("utf-8"))
    for end in short_range(low, high, signed=True):
        assert all(f">{end}<" in text for text in texts)


def rain_of(variants: lw.Variants) -> dict[str, NDArray[np.float32]]:
    inputs = variants["epoch 0"].inputs
    assert inputs is not None
    return {"rain": inputs.to_numpy()[..., 0]}


def probe_of(recording: Recording, name: str = "rain") -> lw.Probe:
    assert recording.inputs is not None
    said = {name: recording.inputs.to_numpy()[..., 0]}
    return lw.probe(recording, said, signal="hidden_state", shifts=0, folds=3)


def probes(variants: lw.Variants) -> lw.Probe:
    return lw.probe(variants, rain_of(variants), signal="hidden_state", shifts=0, folds=3)


def test_what_a_probe_reads_is_drawn_of_each_variant(tmp_path: Path) -> None:
    variants = series()
    found = probes(variants)
    tracks = rain_of(variants)
    each = {name: probe_of(variants[name]) for name in NAMES}
    for either in (found, each):
        plot = lw.SeriesPlot(variants, tracks=tracks, probe=either, outputs=(), channels=())
        keys = [tuple(key[:2]) for key in plot._series["keys"]]
        values = np.frombuffer(plot._series_values, np.float32).reshape(3, len(keys), 2, 50)
        told = plot._beside["tracks"]["lstm"][0]["read"]
        for i, name in enumerate(NAMES):
            read = found.prediction["rain"].sel(variant=name).values.astype(np.float32)
            np.testing.assert_array_equal(values[i, keys.index(("readout", 0))], read)
            table = found.table[found.table["variant"] == name].set_index("protocol")
            score = f"{table['score']['whole state']:.2f}".replace("-", "−")
            assert f"R² {score}" in told[name]
            plot.variant = name
            plot.save_figure(tmp_path / f"{name}.svg", overwrite=True)
            assert f"R² {score}" in (tmp_path / f"{name}.svg").read_text("utf-8")
    assert len(set(told.values())) == 3


def test_probes_that_dont_fit_variants_are_refused() -> None:
    variants = series()
    found = probe_of(variants["epoch 0"])
    plot = lw.SeriesPlot(variants)
    for wrong, said in (
        (found, "that of every variant, .*none of 'epoch 0', 'epoch 1', 'epoch 2'"),
        ({"epoch 0": found}, "got none of 'epoch 1', 'epoch 2'"),
        (dict.fromkeys(NAMES, 3), "or a dict of such by variant, got int"),
        ({name: 3 if name == "epoch 1" else found for name in NAMES}, "got Probe, int"),
    ):
        with pytest.raises(traitlets.TraitError, match=f"probe: expected .*{said}"):
            plot.probe = wrong
    other = probe_of(variants["epoch 0"], "else")
    with pytest.raises(traitlets.TraitError, match="the same layer and concepts in all variants"):
        plot.probe = {"epoch 0": found, "epoch 1": other, "epoch 2": found}
    assert plot.probe is None


def explained(scale: float, days: int = 50, methods: tuple[str, ...] = ("sensitivity",)) -> Any:
    rng = np.random.default_rng(int(scale))
    values = scale * rng.random((len(methods), 2, days, 1)).astype(np.float32)
    return xr.Dataset(
        {"relevance": (("method", "example", "timestep", "channel"), values)},
        {"method": list(methods), "channel": ["rain"]},
    )


def test_relevance_is_that_of_the_variant_on_one_scale(tmp_path: Path) -> None:
    variants = series()
    every = {name: explained(scale) for name, scale in zip(NAMES, (1, 4, 2), strict=True)}
    stacked = xr.concat(every.values(), "variant").assign_coords(variant=list(NAMES))
    values = np.stack([one["relevance"].values for one in every.values()])
    largest = np.abs(values).max(axis=(0, 1, 3, 4))
    for either in (every, stacked):
        plot = lw.SeriesPlot(variants, relevance=either)
        assert plot.relevance is either
        assert plot._relevance["variants"] == 3
        assert plot._relevance["methods"][0]["largest"] == [largest.max(), largest.max()]
        sent = np.frombuffer(plot._relevance_values, np.float32).reshape(3, 2, 1, 1, 50)
        np.testing.assert_array_equal(sent, np.moveaxis(values, 2, 1).transpose(0, 1, 2, 4, 3))
        rows = np.frombuffer(plot._relevance_rows, np.float32, 4, 24).reshape(2, 2)
        np.testing.assert_array_equal(rows, [largest, largest])
    ends = []
    for name in NAMES:
        plot.variant = name
        placed = plot._placed[name]
        np.testing.assert_array_equal(placed.values[0, 0], every[name]["relevance"][0, :, :, 0])
        plot.save_figure(tmp_path / f"{name}.svg")
        text = (tmp_path / f"{name}.svg").read_text("utf-8")
        ends.append([word for word in re.findall(r">([^<>]+)<", text) if "sensitivity" in word])
        # What the kernel is asked for is that of the variant, too.
        key = ["relevance", 0, "", ""]
        _, [line] = plot._answer(
            {"id": "1", "lines": [[key, 1, 0, 0]], "variant": name, "difference": ""}
        )
        np.testing.assert_array_equal(
            np.frombuffer(line, np.float32), every[name]["relevance"].values[0, 1, :, 0]
        )
    assert ends[0] == ends[1] == ends[2] != []
    state = plot._file_state().traits
    assert len(state["_relevance_values"]) == 4 * values.size


def test_relevance_that_doesnt_fit_variants_is_refused() -> None:
    variants = series()
    every = {name: explained(1) for name in NAMES}
    with pytest.raises(TypeError, match="relevance: expected a dict with that of each variant"):
        lw.SeriesPlot(variants, relevance=explained(1))
    with pytest.raises(ValueError, match="got none of 'epoch 2'"):
        lw.SeriesPlot(variants, relevance={name: every[name] for name in NAMES[:2]})
    others = every | {"epoch 1": explained(1, methods=("sensitivity", "occlusion"))}
    with pytest.raises(ValueError, match=r"the same methods, of the same .*others in 'epoch 1'"):
        lw.SeriesPlot(variants, relevance=others)
    with pytest.raises(TypeError, match="relevance"):
        lw.SeriesPlot(variants, relevance=object())  # type: ignore[arg-type]
