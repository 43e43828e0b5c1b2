"""Several recordings of the same inputs: opened when needed, held against each other, stacked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, RecordedSeries, Recording, Times, same_inputs
from lstm_widgets.recording import variants as module

SIGNALS = ("hidden_state", "cell_state")


def made(seed=0, text="abcab", *, cells=3, name="lstm", signals=SIGNALS, **more):
    """Make a recording of a text by some model."""
    rng = np.random.default_rng(seed)
    arrays = {s: rng.normal(size=(1, len(text), cells)).astype("f4") for s in signals}
    tokens = np.array([[*text]], object)
    more = {"tokens": tokens} | more
    return Recording.from_layers([RecordedLayer(name, "LSTM", arrays, **more)])


def series(numbers, seed=0, channels=("rain",)):
    """Make a recording of a series by some model."""
    numbers = np.asarray(numbers, np.float32)
    times = Times(np.arange(numbers.shape[1]).astype("M8[D]").astype("M8[ns]"))
    values = np.random.default_rng(seed).normal(size=(*numbers.shape[:2], 2)).astype("f4")
    return Recording.from_layers(
        [RecordedLayer("lstm", "LSTM", {"hidden_state": values}, times=times)],
        inputs=RecordedSeries(numbers, channels, ("mm",) * len(channels), times),
    )


def test_it_is_a_mapping_in_the_order_given():
    recordings = {"second": made(1), "first": made(0)}
    variants = lw.Variants(recordings)
    assert variants.names == tuple(variants) == ("second", "first")
    assert len(variants) == 2
    assert dict(variants) == recordings
    assert "first" in variants
    assert "third" not in variants
    with pytest.raises(KeyError, match="variant: expected one of 'second', 'first', got 'third'"):
        variants["third"]


def test_a_path_is_opened_when_it_is_needed(tmp_path, monkeypatch):
    for seed in range(3):
        made(seed).save(tmp_path / f"{seed}.zarr")
    opened = []
    monkeypatch.setattr(
        module, "open_recording", lambda path: opened.append(path) or lw.open_recording(path)
    )
    paths = {f"seed {k}": tmp_path / f"{k}.zarr" for k in range(3)}
    variants = lw.Variants(paths)
    assert variants.names == ("seed 0", "seed 1", "seed 2")
    assert opened == []
    for _ in range(2):
        assert variants["seed 1"]["lstm"].hidden_state.equals(made(1)["lstm"].hidden_state)
    assert opened == [paths["seed 1"]]


def test_a_path_without_a_recording_names_the_variant(tmp_path):
    variants = lw.Variants({"here": made(), "gone": tmp_path / "gone.zarr"})
    with pytest.raises(FileNotFoundError) as caught:
        variants["gone"]
    assert caught.value.__notes__ == ["This is variant 'gone'."]


@pytest.mark.parametrize(
    ("recordings", "error", "told"),
    [
        ({}, ValueError, "at least one variant"),
        ([made()], TypeError, "expected a dict .* got list"),
        ({1: made()}, TypeError, "names that are str, got 1"),
        ({"": made()}, ValueError, "aren't empty"),
        ({"a": made()["lstm"]}, TypeError, "as variant 'a', got Dataset"),
    ],
)
def test_what_is_no_variants_is_refused(recordings, error, told):
    with pytest.raises(error, match=told):
        lw.Variants(recordings)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (made(1, "abcaba"), "layer 'lstm' has 6 timesteps instead of 5"),
        (made(1, "abdab"), r"layer 'lstm' has other tokens: 'd' instead of 'c' at \[0, 2\]"),
        (
            made(1, mask=np.array([[True, True, True, True, False]])),
            r"layer 'lstm' has another mask: False instead of True at \[0, 4\]",
        ),
    ],
)
def test_recordings_of_other_inputs_are_refused(other, told, tmp_path):
    with pytest.raises(ValueError, match=f"'epoch 1' differs from 'epoch 0': {told}"):
        lw.Variants({"epoch 0": made(), "epoch 1": other})
    other.save(tmp_path / "other.zarr")
    variants = lw.Variants({"epoch 0": made(), "epoch 1": tmp_path / "other.zarr"})
    with pytest.raises(ValueError, match=told):
        variants["epoch 1"]


def test_a_mask_without_padding_is_none():
    lw.Variants({"a": made(), "b": made(1, mask=np.ones((1, 5), np.bool_))})


def test_labels_are_compared():
    def labelled(*labels):
        values = np.zeros((2, 3, 1), np.float32)
        return Recording.from_layers(
            [RecordedLayer("lstm", "LSTM", {"hidden_state": values})], labels=labels
        )

    lw.Variants({"a": labelled("x", "y"), "b": labelled("x", "y")})
    with pytest.raises(ValueError, match=r"other labels: 'z' instead of 'y' at \[1\]"):
        lw.Variants({"a": labelled("x", "y"), "b": labelled("x", "z")})


def test_numbers_that_were_read_are_compared_by_channel():
    rain = np.random.default_rng(0).exponential(size=(1, 20, 1))
    rain[0, 3] = np.nan
    one = series(rain)
    # Another scaling brings them back with another rounding.
    lw.Variants({"a": one, "b": series(rain * (1 + 1e-6), 1)})
    both = np.concatenate([np.ones_like(rain), rain], axis=2)
    lw.Variants({"a": one, "b": series(both, 1, ("warmth", "rain"))})
    infinite, other = np.ones((2, 1, 5, 1))
    infinite[0, 3] = other[0, 3] = np.inf
    lw.Variants({"a": series(infinite), "b": series(infinite)})
    other[0, 1] = 5
    with pytest.raises(ValueError, match="other numbers in channel 'rain'"):
        lw.Variants({"a": series(infinite), "b": series(other)})
    with pytest.raises(ValueError, match="other numbers in channel 'rain'"):
        lw.Variants({"a": one, "b": series(both, 1, ("rain", "warmth"))})
    with pytest.raises(ValueError, match="20 timesteps instead of 19"):
        lw.Variants({"a": series(rain[:, :19]), "b": one})


def test_other_examples_are_refused_where_no_layer_has_the_same_name():
    two = np.zeros((2, 4, 1), np.float32)
    other = Recording.from_layers([RecordedLayer("gru", "GRU", {"hidden_state": two})])
    with pytest.raises(ValueError, match="2 examples instead of 1"):
        lw.Variants({"a": made(), "b": other})


def test_long_texts_are_compared_in_stretches_to_the_end(monkeypatch):
    monkeypatch.setattr(same_inputs, "COMPARED", 64)
    text = "ab" * 500
    lw.Variants({"a": made(0, text), "b": made(1, text)})
    with pytest.raises(ValueError, match="other tokens"):
        lw.Variants({"a": made(0, text), "b": made(1, text[:-1] + "c")})


def test_layers_are_those_that_all_have_alike():
    def two(cells, signals):
        rng = np.random.default_rng(0)
        layers = [
            RecordedLayer(
                name, "LSTM", {s: rng.normal(size=(1, 4, n)).astype("f4") for s in signals}
            )
            for name, n in cells.items()
        ]
        return Recording.from_layers(layers)

    variants = lw.Variants(
        {
            "a": two({"x": 2, "y": 3, "z": 1}, SIGNALS),
            "b": two({"x": 2, "y": 4}, ("cell_state", "forget_gate")),
        }
    )
    assert variants.layers == ("x",)
    assert variants.signals("x") == ("cell_state",)
    told = repr(variants)
    assert "Variants: 2 recordings of the same inputs" in told
    assert "not alike in all: y (in a, b), z (in a)" in told
    with pytest.raises(ValueError, match="'y', which has 4 in 'b' and 3 in 'a'"):
        variants.stacked("y", "cell_state")
    with pytest.raises(lw.LayerNotFoundError, match=r"got 'z' \(in variant 'b'\)"):
        variants.stacked("z", "cell_state")
    with pytest.raises(ValueError, match=r"layer 'x' \('cell_state'\), got 'hidden_state'"):
        variants.stacked("x", "hidden_state")


@pytest.mark.parametrize("on_disk", [False, True])
def test_stacked_is_what_the_recordings_have(on_disk, tmp_path):
    recordings = {f"seed {k}": made(k) for k in range(4)}
    given = dict(recordings)
    if on_disk:
        for name, recording in recordings.items():
            given[name] = tmp_path / name
            recording.save(given[name])
    stacked = lw.Variants(given).stacked("lstm", "hidden_state")
    expected = np.stack([each["lstm"].hidden_state.to_numpy() for each in recordings.values()])
    assert stacked.dims == ("variant", "example", "timestep", "cell")
    assert list(stacked.variant.values) == list(given)
    assert "".join(stacked.token.to_numpy()[0]) == "abcab"
    np.testing.assert_array_equal(stacked.sel(variant="seed 2").values, expected[2])
    np.testing.assert_array_equal(
        stacked[1:, 0, ::2, [2, 0]].values, expected[1:, 0, ::2][..., [2, 0]]
    )
    np.testing.assert_array_equal(stacked[[3, 1, 1]].values, expected[[3, 1, 1]])
    np.testing.assert_array_equal(stacked[-1, :, -2].values, expected[-1, :, -2])
    assert stacked[:0].to_numpy().shape == (0, 1, 5, 3)
    np.testing.assert_array_equal(stacked.values, expected)


def test_stacked_reads_the_variants_that_are_selected(tmp_path):
    for seed in range(3):
        made(seed).save(tmp_path / f"{seed}.zarr")
    variants = lw.Variants({str(k): tmp_path / f"{k}.zarr" for k in range(3)})
    stacked = variants.stacked("lstm", "cell_state")
    for broken in (0, 2):  # of these nothing can be read any more
        for chunk in (tmp_path / f"{broken}.zarr").rglob("cell_state/c.*"):
            chunk.write_bytes(b"damaged")
    np.testing.assert_array_equal(
        stacked.sel(variant="1").values, made(1)["lstm"].cell_state.values
    )
    with pytest.raises(lw.RecordingFileError):
        _ = stacked.sel(variant="2").to_numpy()


def test_both_directions_and_calls_are_stacked():
    rng = np.random.default_rng(0)

    def both():
        layers = [
            RecordedLayer(
                f"bi/{way}",
                "GRU",
                {"hidden_state": rng.normal(size=(2, 4, 3)).astype("f4")},
                go_backwards=way == "backward",
            )
            for way in ("forward", "backward")
        ]
        return Recording.from_layers(layers)

    variants = lw.Variants({"a": both(), "b": both()})
    stacked = variants.stacked("bi", "hidden_state")
    assert stacked.shape == (2, 2, 4, 6)
    np.testing.assert_array_equal(stacked[1].values, variants["b"]["bi"].hidden_state.values)
    assert list(stacked.direction.values) == ["forward"] * 3 + ["backward"] * 3


def test_names_are_shown_as_text():
    variants = lw.Variants({f"<b>{k}</b>\n": made(k) for k in range(20)})
    assert "<b>0" not in variants._repr_html_()
    assert "&lt;b&gt;0&lt;/b&gt;\\n" in variants._repr_html_()
    assert "… 8 more …, <b>19</b>\\n" in repr(variants)


def test_losses_are_kept_beside():
    losses = pd.DataFrame({"variant": ["a"], "epoch": [0], "loss": [1.5]})
    assert lw.Variants({"a": made()}, losses=losses).losses is losses
    assert lw.Variants({"a": made()}).losses is None


def test_what_takes_one_recording_says_how_to_choose_one():
    from lstm_widgets import concepts  # noqa: PLC0415

    variants = lw.Variants({"first": made(0), "second": made(1)})
    vowel = concepts.vowel
    functions = (
        lambda given: lw.match(given, (0, 2)),
        lw.screen_cells,
        lambda given: concepts.tracks(given, vowel),
        lambda given: lw.compare_cells(given, made(2)),
    )
    for function in functions:
        with pytest.raises(TypeError, match=r"expected one Recording, got Variants; .*\['first'\]"):
            function(variants)
        with pytest.raises(TypeError, match=r"expected a Recording \(from record\(\).*got dict"):
            function({"lstm": 1})
    for function in (
        lw.project,
        lw.expected_responses,
        *(lambda x, f=f: f(x, vowel) for f in (lw.rank_cells, lw.probe)),
    ):
        with pytest.raises(TypeError, match=r"recording: .*, or Variants of several, got NoneType"):
            function(None)


def test_what_runs_a_model_says_that_a_recording_is_no_input():
    torch = pytest.importorskip("torch")
    model = torch.nn.GRU(2, 3, batch_first=True)
    variants = lw.Variants({"first": made(0)})
    for given, called in ((made(0), "Recording"), (variants, "Variants")):
        for function in (
            lw.record,
            lw.relevance,
            lw.dependency,
            lambda model, inputs: lw.ablate(model, inputs, cells=0),
            lambda model, inputs: lw.TrainingRecorder(inputs).record(model, "now"),
        ):
            with pytest.raises(TypeError, match=f"inputs: expected what the model reads.*{called}"):
                function(model, given)


# Layers that are only numbered --------------------------------------------------------------------


def model_of(*layers, seed=0, text="abcab", known=None):
    """Make a recording of layers (name, kind, cells) of a model that has these, or the known ones."""
    rng = np.random.default_rng(seed)
    tokens = np.array([[*text]], object)
    made = [
        RecordedLayer(
            *(name, kind, {"hidden_state": rng.normal(size=(1, len(text), cells)).astype("f4")}),
            tokens=tokens,
        )
        for name, kind, cells in layers
    ]
    attrs = {"model_layers": known or [name for name, *_ in layers]}
    return Recording.from_layers(made, attrs=attrs)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("lstm", "lstm_1"), ("lstm_1", "lstm_2")),
        (("lstm", "lstm_1"), ("lstm_7", "lstm_8")),
        (("lstm_1", "lstm_2"), ("lstm", "lstm_1")),
        (("bi/forward", "bi/backward"), ("bi_3/forward", "bi_3/backward")),
        (("lstm", "gru"), ("lstm_9", "gru_10")),
    ],
)
def test_layers_that_are_numbered_otherwise_are_paired_by_place(one, other, tmp_path):
    kinds = (("LSTM", 3), ("GRU", 2))
    first = model_of(*((name, *kind) for name, kind in zip(one, kinds, strict=True)))
    second = model_of(*((name, *kind) for name, kind in zip(other, kinds, strict=True)), seed=1)
    second.notes[other[1], 1] = "a name"
    with pytest.warns(UserWarning, match=f"{other[0]!r}, {other[1]!r} of 'b' .*by their places"):
        variants = lw.Variants({"a": first, "b": second})
    assert variants.layers == one
    for own, name in zip(other, one, strict=True):
        assert variants["b"][name].hidden_state.equals(second[own].hidden_state)
    assert variants["b"].notes[one[1], 1] == "a name"
    assert variants.is_variant("b", second)
    assert not variants.is_variant("a", second)
    # What is paired can be written, opened, and paired again.
    variants["b"].save(tmp_path / "b")
    again = lw.Variants({"a": first, "b": tmp_path / "b"})
    assert again["b"].layers == one
    stacked = again.stacked(one[1], "hidden_state").sel(variant="b")
    np.testing.assert_array_equal(stacked, second[other[1]].hidden_state)


def test_it_is_told_once_that_layers_are_paired_by_place():
    models = {str(k): model_of((f"lstm_{k}", "LSTM", 3), seed=k) for k in range(1, 5)}
    with pytest.warns(UserWarning, match="taken for 'lstm_1' of '1', by their places") as told:
        assert lw.Variants(models).layers == ("lstm_1",)
    assert len(told) == 1
    assert told[0].filename == __file__


@pytest.mark.parametrize(
    ("others", "known"),
    [
        ((("lstm_1", "LSTM", 3), ("lstm_2", "LSTM", 4)), None),  # other numbers of cells
        ((("lstm_1", "GRU", 3), ("lstm_2", "LSTM", 2)), None),  # another kind
        ((("lstm_1", "LSTM", 3), ("lstm_2", "LSTM", 2), ("lstm_3", "LSTM", 2)), None),
        ((("lstm_1", "LSTM", 2),), None),  # the only one
        ((("lstm_1", "LSTM", 2),), ["lstm_1", "lstm_2", "dense_rnn"]),
    ],
)
def test_one_name_of_layers_at_other_places_is_refused(others, known):
    first = model_of(("lstm", "LSTM", 3), ("lstm_1", "LSTM", 2))
    with pytest.raises(
        ValueError,
        match=r"'lstm_1' is the second of 'lstm', 'lstm_1' in 'a' and the first of.*name=",
    ):
        lw.Variants({"a": first, "b": model_of(*others, known=known)})


@pytest.mark.parametrize(
    ("others", "known"),
    [
        ((("lstm_1", "LSTM", 2),), ["lstm", "lstm_1"]),  # not all layers were recorded
        ((("decoder", "LSTM", 2), ("lstm_1", "LSTM", 2)), ["decoder", "lstm", "lstm_1"]),
        (
            (("lstm", "LSTM", 5), ("lstm_1", "LSTM", 2)),
            None,
        ),  # another number of cells, as anywhere
    ],
)
def test_names_of_layers_at_the_same_places_are_taken(others, known):
    first = model_of(("lstm", "LSTM", 3), ("lstm_1", "LSTM", 2))
    assert lw.Variants({"a": first, "b": model_of(*others, known=known)}).layers == ("lstm_1",)
