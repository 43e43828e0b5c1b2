"""A recording holds what it was given, says what it holds, and comes back from disk unchanged."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lstm_widgets.errors import LayerNotFoundError, RecordingFileError
from lstm_widgets.recording import (
    RecordedLayer,
    RecordedPredictions,
    Recording,
    open_recording,
)
from lstm_widgets.recording.store import layout, places

SIGNALS = ("hidden_state", "cell_state", "input_gate")
HOSTILE = [
    "lstm",
    "LSTM",
    "outer/lstm",
    "outer",
    "outer/lstm/deeper",
    "bidirectional/forward",
    "bidirectional/backward",
    "a.b",
    ".",
    "..",
    "../up",
    "/absolute",
    "trailing/",
    "two//slashes",
    "a b",
    "Größe 層 😀",
    "mean",
    "hidden_state",
    "layers",
    "50%",
    "a%2Fb",
    "a/b",
    "zarr.json",
    "con",
    "x" * 300,
    "<script>alert(1)</script>",
    "line\nend",
    "nul\0",
]
TEXT = st.text(max_size=6) | st.sampled_from(
    ["\0", "", "a\0", "😀", "e\u0301", "\u202e", "None", "nan"]
)
CHECK = {"difference": 3e-7, "tolerance": 1e-5, "mode": "prefix", "examples": 4, "timesteps": 16}


def strings(values, shape):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array.reshape(shape)


def layer(name="lstm", shape=(2, 3, 4), signals=SIGNALS, **fields):
    rng = np.random.default_rng(sum(shape))
    values = {signal: rng.normal(size=shape).astype(np.float32) for signal in signals}
    return RecordedLayer(
        **{"name": name, "kind": "LSTM", "signals": values, "check": CHECK} | fields
    )


def both_directions(**backward):
    return Recording.from_layers(
        [
            layer("both/forward", tokens=strings(list("abcdef"), (2, 3))),
            layer("both/backward", **{"go_backwards": True, "shape": (2, 3, 4)} | backward),
            layer("lstm"),
        ]
    )


def test_both_directions_of_a_layer_stand_side_by_side():
    recording = both_directions()
    assert recording.bidirectional == {"both": ("both/forward", "both/backward")}
    both = recording["both"]
    for signal in SIGNALS:
        for direction, part in (("forward", slice(0, 4)), ("backward", slice(4, 8))):
            expected = recording[f"both/{direction}"][signal].values
            np.testing.assert_array_equal(both[signal].values[..., part], expected)
            assert (both["direction"].values[part] == direction).all()
    assert both["cell"].values.tolist() == list(range(8))
    assert both["token"].values.tolist() == [list("abc"), list("def")]
    assert recording.layers == ("both/forward", "both/backward", "lstm")


def test_the_check_of_both_directions_is_the_worse_one():
    recording = both_directions(check=CHECK | {"difference": 5e-6})
    assert recording["both"].attrs["check"]["difference"] == 5e-6


@pytest.mark.parametrize(
    "other", [{"go_backwards": False}, {"shape": (2, 4, 4)}, {"signals": SIGNALS[:1]}]
)
def test_layers_that_only_have_such_names_are_no_two_directions(other):
    recording = both_directions(**other)
    assert recording.bidirectional == {}
    with pytest.raises(LayerNotFoundError, match="'both/forward'"):
        recording["both"]


def guesses(shape=(2, 3, 5), **fields):
    rng = np.random.default_rng(sum(shape))
    values = {
        "ids": rng.integers(0, 99, shape, np.int32),
        "probabilities": rng.random(shape, np.float32),
        "targets": rng.random(shape[:2], np.float32),
        "tokens": strings([f"<{n}>" for n in range(np.prod(shape))], shape),
    }
    return RecordedPredictions(**values | fields)


@st.composite
def predictions(draw, examples):
    shape = (examples, draw(st.integers(0, 4)), draw(st.integers(0, 3)))
    size = shape[0] * shape[1] * shape[2]
    numbers = st.floats(width=32)
    return RecordedPredictions(
        ids=draw(hnp.arrays(np.int32, shape)),
        probabilities=draw(hnp.arrays(np.float32, shape, elements=numbers)),
        targets=draw(st.none() | hnp.arrays(np.float32, shape[:2], elements=numbers)),
        tokens=draw(
            st.none()
            | st.lists(TEXT, min_size=size, max_size=size).map(
                lambda values: strings(values, shape)
            )
        ),
    )


@st.composite
def recordings(draw):
    examples = draw(st.integers(0, 3))
    names = draw(
        st.lists(
            st.sampled_from(HOSTILE) | st.text("ab/.% ", min_size=1, max_size=6),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    layers = []
    for name in names:
        shape = (examples, draw(st.integers(0, 4)), draw(st.integers(0, 3)))
        flat = shape[0] * shape[1]
        # Whole float32 range: NaN, infinities, -0.0 and subnormals are values like any other.
        values = st.floats(width=32) | st.sampled_from([-0.0, np.float32(1e-45)])
        signals = draw(st.lists(st.sampled_from(SIGNALS), min_size=1, unique=True))
        layers.append(
            RecordedLayer(
                name=name,
                kind=draw(st.sampled_from(["LSTM", "GRU"])),
                signals={s: draw(hnp.arrays(np.float32, shape, elements=values)) for s in signals},
                mask=draw(st.none() | hnp.arrays(np.bool_, shape[:2])),
                tokens=draw(
                    st.none()
                    | st.lists(TEXT, min_size=flat, max_size=flat).map(
                        lambda values, shape=shape: strings(values, shape[:2])
                    )
                ),
                check=CHECK | {"difference": draw(st.floats())},
                config={"units": shape[2], "nested": {"é": [1, None, True, "\ud800"]}},
                go_backwards=draw(st.booleans()),
            )
        )
    labels = draw(st.none() | st.lists(TEXT, min_size=examples, max_size=examples))
    return Recording.from_layers(
        layers,
        labels=labels,
        attrs={"model": {"name": "m", "n": 1.5}},
        predictions=draw(st.none() | predictions(examples)),
    )


def values_of(recording):
    return [recording[name].load() for name in recording.layers]


def assert_same(first, second):
    assert first.layers == second.layers
    assert repr(first.tree.attrs) == repr(second.tree.attrs)  # repr: NaN equals itself there
    assert (first.predictions is None) == (second.predictions is None)
    pairs = [(first[name], second[name]) for name in first.layers]
    if first.predictions is not None:
        pairs.append((first.predictions, second.predictions))
    for one, other in pairs:
        assert list(one.data_vars) == list(other.data_vars)
        assert set(one.coords) == set(other.coords)
        assert dict(one.sizes) == dict(other.sizes)
        assert repr(one.attrs) == repr(other.attrs)
        for variable in one.variables:
            a, b = one[variable], other[variable]
            assert a.dims == b.dims
            assert a.dtype == b.dtype
            if a.dtype == np.float32:
                nan = np.isnan(a.values)
                np.testing.assert_array_equal(nan, np.isnan(b.values))
                np.testing.assert_array_equal(
                    a.values.view(np.uint32)[~nan], b.values.view(np.uint32)[~nan]
                )
            else:
                assert a.values.tolist() == b.values.tolist()
                assert all(type(text) is str for text in b.values.ravel() if a.dtype == object)


# --- in memory ---------------------------------------------------------------------------------


def test_a_layer_is_a_dataset_of_its_signals():
    tokens = strings([*"ab\0d🙂", ""], (2, 3))
    mask = np.array([[True, True, False], [True, True, True]])
    recorded = layer(tokens=tokens, mask=mask)
    recording = Recording.from_layers([recorded], labels=["one", "two"], attrs={"keras": "3"})

    assert recording.layers == ("lstm",)
    assert recording.signals("lstm") == SIGNALS
    gate = recording["lstm"].input_gate
    assert gate.dims == ("example", "timestep", "cell")
    np.testing.assert_array_equal(gate.values, recorded.signals["input_gate"])
    assert gate.token.values.tolist() == tokens.tolist()
    assert gate.label.values.tolist() == ["one", "two"]
    np.testing.assert_array_equal(gate.cell, np.arange(4))
    np.testing.assert_array_equal(recording["lstm"].mask, mask)
    assert recording.tree.attrs["keras"] == "3"
    assert recording["lstm"].attrs["check"] == CHECK


def test_values_are_not_copied():
    recorded = layer()
    recording = Recording.from_layers([recorded])
    for name, values in recorded.signals.items():
        assert np.shares_memory(recording["lstm"][name].values, values)


def test_predictions_stand_beside_the_layers():
    given = guesses()
    recording = Recording.from_layers([layer("%predictions"), layer("b")], predictions=given)
    assert recording.layers == ("%predictions", "b")
    predictions = recording.predictions
    assert dict(predictions.sizes) == {"example": 2, "timestep": 3, "rank": 5}
    assert predictions.predicted_id.dims == ("example", "timestep", "rank")
    assert predictions.target_probability.dims == ("example", "timestep")
    np.testing.assert_array_equal(predictions.predicted_id, given.ids)
    np.testing.assert_array_equal(predictions.probability, given.probabilities)
    np.testing.assert_array_equal(predictions.target_probability, given.targets)
    assert predictions.predicted_token.values.tolist() == given.tokens.tolist()


def test_predictions_may_be_less_or_none():
    assert Recording.from_layers([layer()]).predictions is None
    predictions = Recording.from_layers(
        [layer()], predictions=guesses(targets=None, tokens=None)
    ).predictions
    assert set(predictions.data_vars) == {"predicted_id", "probability"}


def test_layers_may_differ_in_timesteps_and_cells_even_one_beneath_another():
    layers = [layer("a", (2, 5, 3)), layer("a/b", (2, 2, 7)), layer("a/b/c", (2, 9, 1))]
    recording = Recording.from_layers(layers)
    assert recording.layers == ("a", "a/b", "a/b/c")
    assert recording["a/b"].sizes == {"example": 2, "timestep": 2, "cell": 7}


def test_slashes_are_paths_in_the_tree():
    recording = Recording.from_layers(
        [layer("outer/lstm"), layer("b/forward"), layer("b/backward")]
    )
    assert set(recording.tree.children) == {"outer", "b"}
    assert recording.tree["outer/lstm"].dataset.sizes == recording["outer/lstm"].sizes


def test_every_name_finds_its_own_layer():
    layers = [layer(name, (1, n + 1, 2)) for n, name in enumerate(HOSTILE)]
    recording = Recording.from_layers(layers)
    assert recording.layers == tuple(HOSTILE)
    for n, name in enumerate(HOSTILE):
        assert recording[name].sizes["timestep"] == n + 1


def test_an_unknown_layer_is_named_with_the_known_ones():
    recording = Recording.from_layers([layer("encoder"), layer("decoder")])
    for ask in (recording.__getitem__, recording.signals):
        with pytest.raises(
            LayerNotFoundError, match="expected one of 'encoder', 'decoder', got 'x'"
        ):
            ask("x")
    assert issubclass(LayerNotFoundError, KeyError)


@pytest.mark.parametrize(
    ("layers", "options", "error", "message"),
    [
        ([], {}, ValueError, "at least one recorded layer"),
        ([layer("a"), layer("a")], {}, ValueError, "different"),
        ([layer("")], {}, ValueError, "non-empty"),
        ([layer(signals=())], {}, ValueError, "at least one signal"),
        ([layer(shape=(2, 3))], {}, ValueError, r"\(example, timestep, cell\).*\(2, 3\)"),
        ([layer(signals=("mask",))], {}, ValueError, "cannot be called 'mask'"),
        ([layer(signals=("../x",))], {}, ValueError, "cannot be called"),
        ([layer(mask=np.ones((2, 4), bool))], {}, ValueError, r"mask.*\(2, 3\).*\(2, 4\)"),
        ([layer(mask=np.ones((2, 3)))], {}, TypeError, "mask.*bool.*float64"),
        ([layer(tokens=np.array([["a"] * 3] * 2))], {}, TypeError, "tokens.*object.*U1"),
        ([layer(tokens=strings([1] * 6, (2, 3)))], {}, TypeError, "tokens.*strings, got 1"),
        ([layer(tokens=strings(["a"] * 4, (2, 2)))], {}, ValueError, "tokens"),
        ([layer()], {"labels": ["a"]}, ValueError, "labels.*2 examples.*got 1"),
        ([layer()], {"labels": "ab"}, ValueError, "labels"),
        ([layer()], {"labels": ["a", 2]}, TypeError, "labels.*got 2"),
        ([layer(config={"f": len})], {}, TypeError, "JSON"),
        ([layer()], {"attrs": {"f": {1, 2}}}, TypeError, "attrs.*JSON"),
        ([layer()], {"attrs": {"layers": []}}, ValueError, "layers"),
        ([layer()], {"predictions": guesses((3, 3, 5))}, ValueError, r"2 examples.*\(3, 3, 5\)"),
        (
            [layer()],
            {"predictions": guesses(ids=np.zeros((2, 3, 5)))},
            TypeError,
            "ids.*int32.*float64",
        ),
        (
            [layer()],
            {"predictions": guesses(probabilities=np.zeros((2, 3, 4), np.float32))},
            ValueError,
            r"probabilities.*\(2, 3, 5\).*\(2, 3, 4\)",
        ),
        (
            [layer()],
            {"predictions": guesses(targets=np.zeros((2, 4), np.float32))},
            ValueError,
            r"targets.*\(2, 3\).*\(2, 4\)",
        ),
        (
            [layer()],
            {"predictions": guesses(tokens=strings([1] * 30, (2, 3, 5)))},
            TypeError,
            "predictions: tokens.*got 1",
        ),
    ],
)
def test_bad_input_is_named(layers, options, error, message):
    with pytest.raises(error, match=message):
        Recording.from_layers(layers, **options)


def test_other_dtypes_and_shapes_of_signals_are_refused():
    zeros = np.zeros((2, 3, 4))
    with pytest.raises(TypeError, match=r"'hidden_state'.*float32.*float64"):
        Recording.from_layers([RecordedLayer("a", "LSTM", {"hidden_state": zeros})])
    uneven = {
        "hidden_state": zeros.astype(np.float32),
        "cell_state": np.zeros((2, 3, 5), np.float32),
    }
    with pytest.raises(ValueError, match=r"'cell_state'.*\(2, 3, 4\).*\(2, 3, 5\)"):
        Recording.from_layers([RecordedLayer("a", "LSTM", uneven)])


# --- what it says ------------------------------------------------------------------------------


def test_the_repr_tells_what_is_in_it():
    mask = np.ones((2, 4), bool)
    mask[0, :2] = False
    recording = Recording.from_layers(
        [
            layer("encoder", (2, 4, 3), mask=mask, tokens=strings(["a"] * 8, (2, 4))),
            layer("decoder", (2, 1, 5), kind="GRU", go_backwards=True, check={"mode": "none"}),
        ]
    )
    title, _, encoder, decoder = repr(recording).splitlines()
    assert "2 layers" in title
    for part in (
        "encoder  LSTM",
        "2 × 4",
        "hidden_state, cell_state, input_gate",
        "25.0%",
        " known",
        "equals the layer to 3e-7 (prefix of 4 × 16)",
    ):
        assert part in encoder
    for part in ("GRU (backwards)", "none", "unknown", "not checked", "2 × 1"):
        assert part in decoder


def test_the_repr_tells_of_predictions():
    recording = Recording.from_layers([layer()], predictions=guesses())
    line = "predictions: the 5 most probable next at each of 2 × 3 timesteps, tokens known, "
    assert repr(recording).splitlines()[-1].startswith(line)
    assert "tokens known" in Page(recording._repr_html_()).text.split("predictions")[1]
    assert "predictions" not in repr(Recording.from_layers([layer()]))


@pytest.mark.parametrize("difference", [1e-3, np.nan, np.inf])
def test_a_difference_over_the_tolerance_never_reads_as_equal(difference):
    check = CHECK | {"difference": difference, "mode": "full"}
    text = repr(Recording.from_layers([layer(check=check)]))
    assert "DIFFERS" in text
    assert "equals" not in text
    assert "(all 4 × 16)" in text


class Page(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def test_hostile_text_stays_text_in_html():
    evil = [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '"><b>',
        "&lt;",
        "\u202e",
        "\n",
    ]
    recording = Recording.from_layers(
        [layer("<style>*{}</style>", tokens=strings(evil, (2, 3)), kind="<i>")], labels=evil[:2]
    )
    page = Page(recording._repr_html_())
    assert set(page.tags) <= {
        *("style", "div", "b", "table", "thead", "tbody", "tr", "th", "td", "bdi", "p", "span")
    }
    assert page.tags.count("style") == 1
    assert {name for name, _ in page.attributes} == {"class"}
    assert "<img src=x onerror=alert(1)>" in page.text
    assert r"\u202e" not in page.text  # the second example isn't shown
    assert "<style>*{}</style>" in page.text


def test_html_works_with_nothing_to_show():
    for shape in [(0, 3, 2), (2, 0, 2), (2, 3, 0)]:
        tokens = strings([""] * (shape[0] * shape[1]), shape[:2])
        recording = Recording.from_layers(
            [layer(shape=shape, tokens=tokens)], labels=["l"] * shape[0]
        )
        assert "lstm" in Page(recording._repr_html_()).text
        assert "lstm" in repr(recording)


# --- on disk -----------------------------------------------------------------------------------


@given(recording=recordings())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_round_trip_changes_nothing(recording, tmp_path_factory):
    path = tmp_path_factory.mktemp("round") / "trip"
    recording.save(path)
    opened = open_recording(path)
    assert repr(opened) == repr(recording)
    assert_same(recording, opened)
    for metadata in path.rglob("zarr.json"):  # JSON has no NaN and no infinities
        json.loads(metadata.read_text(), parse_constant=pytest.fail)
    again = path.with_name("again")
    open_recording(path).save(again)
    assert_same(recording, open_recording(again))


def test_hostile_names_come_back(tmp_path):
    recording = Recording.from_layers([layer(n, (1, i + 1, 2)) for i, n in enumerate(HOSTILE)])
    recording.save(tmp_path / "r")
    assert_same(recording, open_recording(tmp_path / "r"))
    assert [p.name for p in tmp_path.iterdir()] == ["r"]


def test_many_chunks_come_back(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "CHUNK_BYTES", 4 * 4 * 10)
    tokens = strings([chr(33 + n % 90) for n in range(3 * 25)], (3, 25))
    for shape in [(3, 25, 4), (25, 3, 4), (3, 3, 100)]:
        recording = Recording.from_layers(
            [layer(shape=shape, tokens=tokens.ravel()[: shape[0] * shape[1]].reshape(shape[:2]))]
        )
        recording.save(tmp_path / "r", overwrite=True)
        assert_same(recording, open_recording(tmp_path / "r"))


@given(data=st.data())
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_part_read_from_disk_is_that_part(data, saved):
    recording, path = saved
    index = {
        dim: data.draw(
            st.one_of(
                st.integers(0, size - 1),
                # xarray's own lazy indexing fails on an empty slice with a negative step.
                st.slices(size).filter(lambda s, n=size: s.indices(n)[2] > 0 or range(n)[s]),
                st.lists(st.integers(-size, size - 1), max_size=4),
            )
        )
        for dim, size in recording["a"].sizes.items()
    }
    xr.testing.assert_identical(
        recording["a"].isel(index).compute(), open_recording(path)["a"].isel(index).compute()
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    layers = [
        layer("a", (3, 6, 5), tokens=strings([f"t{n}" for n in range(18)], (3, 6))),
        layer("b/c", (3, 2, 4), mask=np.ones((3, 2), bool)),
    ]
    recording = Recording.from_layers(layers, labels=["x", "y", "z"], attrs={"model": {"n": 1}})
    path = tmp_path_factory.mktemp("saved") / "recording"
    recording.save(path)
    return recording, path


def test_a_path_may_be_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recording = Recording.from_layers([layer()])
    recording.save("one.zarr")
    Path("folder").mkdir()
    recording.save("folder/two.zarr")
    for path in ("one.zarr", "folder/two.zarr", tmp_path / "one.zarr"):
        assert_same(open_recording(path), recording)


def test_opening_reads_metadata_only(saved, monkeypatch):
    read = []
    get = places.Place.get

    async def spy(self, key, prototype):
        read.append(key)
        return await get(self, key, prototype)

    monkeypatch.setattr(places.Place, "get", spy)
    recording = open_recording(saved[1])
    repr(recording)
    assert recording.layers == ("a", "b/c")
    assert recording["a"].hidden_state.sizes["cell"] == 5
    assert read == ["zarr.json"]
    read.clear()
    np.asarray(recording["a"].cell_state[0, 0])
    assert {key.split("/")[2] for key in read} == {"cell_state"}


def test_assigning_to_an_opened_array_changes_nothing_on_disk(saved):
    recording, path = saved
    values = open_recording(path)["a"].hidden_state
    values[0, 0, 0] = 7.0
    assert float(values[0, 0, 0]) == 7.0
    assert_same(recording, open_recording(path))


def test_a_loaded_layer_stays_loaded(saved, tmp_path):
    shutil.copytree(saved[1], tmp_path / "copy")
    opened = open_recording(tmp_path / "copy")
    opened["a"].load()
    shutil.rmtree(tmp_path / "copy")
    np.testing.assert_array_equal(opened["a"].hidden_state, saved[0]["a"].hidden_state)


def test_it_is_a_zarr_v3_hierarchy_others_can_read(saved):
    recording, path = saved
    group = zarr.open_group(path, mode="r", zarr_format=3)
    (data,) = group.groups()
    (first, *_) = sorted(data[1].groups())
    np.testing.assert_array_equal(first[1]["hidden_state"][:], recording["a"].hidden_state)
    assert first[1]["hidden_state"].metadata.dimension_names == ("example", "timestep", "cell")


def test_a_chunk_holds_all_cells():
    assert layout.chunks((1, 100_000, 1024), np.dtype(np.float32)) == (1, 512, 1024)
    assert layout.chunks((100, 5, 100), np.dtype(np.float32)) == (100, 5, 100)
    assert layout.chunks((1, 7, 10**7), np.dtype(np.float32)) == (1, 1, 10**7)
    assert layout.chunks((0, 0, 0), np.dtype(np.float32)) == (1, 1, 1)


def test_something_else_is_never_overwritten(tmp_path):
    recording = Recording.from_layers([layer()])
    file, folder, group = tmp_path / "file", tmp_path / "folder", tmp_path / "group"
    file.write_text("x")
    folder.mkdir()
    (folder / "thesis.txt").write_text("x")
    zarr.create_group(group)
    recording.save(tmp_path / "mixed")
    (tmp_path / "mixed" / "thesis.txt").write_text("x")
    for path in (file, folder, group, tmp_path / "mixed"):
        with pytest.raises(FileExistsError, match="isn't a recording"):
            recording.save(path, overwrite=True)
    assert (folder / "thesis.txt").read_text() == "x"


def test_a_recording_is_overwritten_only_on_request(tmp_path):
    path = tmp_path / "r"
    old, new = Recording.from_layers([layer("old")]), Recording.from_layers([layer("new")])
    old.save(path)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        new.save(path)
    assert open_recording(path).layers == ("old",)
    reader = open_recording(path)
    new.save(path, overwrite=True)
    assert open_recording(path).layers == ("new",)
    assert len(list(path.iterdir())) == 2
    with pytest.raises(RecordingFileError, match="lost"):  # never the new values, nor zeros
        reader["old"].hidden_state.load()


def test_a_recording_can_replace_the_one_it_was_opened_from(tmp_path):
    guesses = RecordedPredictions(np.ones((2, 3, 1), np.int32), np.ones((2, 3, 1), np.float32))
    recording = Recording.from_layers(
        [layer(tokens=strings("abcdef", (2, 3)))], labels=["x", "y"], predictions=guesses
    )
    recording.save(tmp_path / "r")
    (tmp_path / "link").symlink_to(tmp_path / "r")
    opened = open_recording(tmp_path / "r")
    opened.save(tmp_path / "link", overwrite=True)
    assert_same(recording, open_recording(tmp_path / "r"))
    assert_same(recording, opened)  # it still has its data


def test_a_recording_opened_elsewhere_stays_on_the_disk(tmp_path):
    Recording.from_layers([layer()]).save(tmp_path / "one")
    Recording.from_layers([layer()]).save(tmp_path / "two")
    opened = open_recording(tmp_path / "one")
    opened.save(tmp_path / "two", overwrite=True)
    shutil.rmtree(tmp_path / "one")
    with pytest.raises(RecordingFileError, match="lost"):
        opened["lstm"].load()


def test_a_failing_save_leaves_what_was_there(tmp_path):
    good = Recording.from_layers([layer("good")])
    bad = Recording.from_layers([layer("bad", tokens=strings(["\ud800"] * 6, (2, 3)))])
    with pytest.raises(ValueError, match=r"token.*UTF-8"):
        bad.save(tmp_path / "r")
    assert list(tmp_path.iterdir()) == []
    good.save(tmp_path / "r")
    with pytest.raises(ValueError, match=r"token.*UTF-8"):
        bad.save(tmp_path / "r", overwrite=True)
    assert_same(good, open_recording(tmp_path / "r"))
    assert len(list((tmp_path / "r").iterdir())) == 2


def test_an_interruption_after_the_replacement_keeps_the_new_recording(tmp_path, monkeypatch):
    old, new = Recording.from_layers([layer("old")]), Recording.from_layers([layer("new")])
    old.save(tmp_path / "r")
    replace = Path.replace

    def interrupted(self, target):
        replace(self, target)
        if Path(target) == tmp_path / "r" / "zarr.json":  # Zarr's own threads replace files, too
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        new.save(tmp_path / "r", overwrite=True)
    assert_same(new, open_recording(tmp_path / "r"))


# Saves in a child that is killed at the n-th thing it does to the file system, for n from nothing to
# all, first where nothing stood, then over an old recording; prints what stands there after each.
KILLED = """
import os, signal, sys, shutil, pathlib
import numpy as np
from lstm_widgets.recording import RecordedLayer, Recording, open_recording, store

def recording(value):
    values = {"hidden_state": np.full((2, 3, 4), value, np.float32)}
    return Recording.from_layers([RecordedLayer(name, "GRU", values) for name in "ab"])

def stands(path):
    try:
        opened = open_recording(path)
    except (FileNotFoundError, ValueError) as error:
        return type(error).__name__
    values = {float(v) for n in opened.layers for s in opened.signals(n) for v in opened[n][s].values.flat}
    assert len(values) == 1 and opened.layers == ("a", "b"), values
    return str(values.pop())

def in_child(work):
    # This process itself never saves or reads: Zarr's threads would not survive the next fork.
    child = os.fork()
    if not child:
        work()
        sys.stdout.flush()
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0

def save_and_die(path, step, overwrite):
    seen = 0
    def die(event, args):
        nonlocal seen
        if event.partition(".")[0] in ("open", "os", "shutil") and args and str(path) in str(args[0]):
            seen += 1
            if seen > step:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(die)
    recording(2.0).save(path, overwrite=overwrite)

def report(path, overwrite, done):
    found = stands(path)
    # Whatever was left behind, the next save works and clears it away.
    recording(3.0).save(path, overwrite=True)
    print(overwrite, done, found, stands(path), len(list(path.iterdir())))

os.fsync = lambda handle: None  # the machine lives on: what is written is there
base = pathlib.Path(sys.argv[1])
in_child(lambda: recording(1.0).save(base / "old"))
for overwrite in (False, True):
    step, done = 0, False
    while not done:
        path = base / f"{overwrite}-{step}"
        if overwrite:
            shutil.copytree(base / "old", path)
        done = in_child(lambda: save_and_die(path, step, overwrite))
        assert in_child(lambda: report(path, overwrite, done))
        shutil.rmtree(path)
        step += 7
"""


def test_a_killed_save_never_opens_as_a_whole_one(tmp_path):
    output = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    ).stdout
    rows = [line.split() for line in output.splitlines()]
    fresh = [row for row in rows if row[0] == "False"]
    over = [row for row in rows if row[0] == "True"]
    assert len(fresh) > 5
    assert len(over) > 5
    assert {row[2] for row in fresh if row[1] == "False"} <= {
        "FileNotFoundError",
        "RecordingFileError",
        "2.0",
    }
    assert "RecordingFileError" in {row[2] for row in fresh}
    assert {row[2] for row in over} == {"1.0", "2.0"}
    assert fresh[-1][1:3] == over[-1][1:3] == ["True", "2.0"]
    assert all(row[3:] == ["3.0", "2"] for row in rows)


def test_no_file_can_be_lost_or_cut_short_unnoticed(saved, tmp_path):
    recording, path = saved
    files = [file.relative_to(path) for file in path.rglob("*") if file.is_file()]
    assert len(files) > 10
    for file in files:
        for cut in (True, False):
            copy = tmp_path / "copy"
            shutil.copytree(path, copy)
            if cut:
                content = (copy / file).read_bytes()
                (copy / file).write_bytes(content[: len(content) // 2])
            else:
                (copy / file).unlink()
            if file.name == "zarr.json" and len(file.parts) == 1:
                with pytest.raises(RecordingFileError):
                    open_recording(copy)
            else:
                with pytest.warns(UserWarning, match="incomplete: expected .* files"):
                    opened = open_recording(copy)
                if file.name == "zarr.json":  # the marker has what it says
                    assert_same(recording, opened)
                else:
                    with pytest.raises(
                        RecordingFileError, match=f"'{file.parts[2]}' of layer.*(lost|damaged)"
                    ):
                        values_of(opened)
            shutil.rmtree(copy)
    (path / ".DS_Store").write_bytes(b"left by a file browser")
    assert_same(recording, open_recording(path))
    open_recording(path).save(path, overwrite=True)
    (path / ".DS_Store").unlink()


def test_a_changed_byte_is_noticed_when_it_is_read(saved, tmp_path):
    _, path = saved
    for chunk in [file.relative_to(path) for file in path.rglob("c.*") if file.is_file()]:
        copy = tmp_path / "copy"
        shutil.copytree(path, copy)
        content = bytearray((copy / chunk).read_bytes())
        content[len(content) // 2] ^= 1
        (copy / chunk).write_bytes(content)
        opened = open_recording(copy)
        with pytest.raises(ValueError, match=r"(?i)crc32c|checksum"):
            values_of(opened)
        shutil.rmtree(copy)


def test_what_is_no_recording_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="found nothing"):
        open_recording(tmp_path / "nowhere")
    (tmp_path / "file").write_text("{}")
    (tmp_path / "empty").mkdir()
    zarr.create_group(tmp_path / "group")
    for name in ("file", "empty", "group"):
        with pytest.raises(RecordingFileError, match="isn't one"):
            open_recording(tmp_path / name)


def edit(file, change):
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def marker(content):
    return content["attributes"]["lstm_widgets_recording"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(format=5), "format 5.*newer version"),
        (lambda m: m.pop("data"), "damaged"),
        (lambda m: m.update(data="../elsewhere"), "outside"),
        (lambda m: m.update(groups=["../../x"]), "outside"),
        (lambda m: m.update(groups=[3]), "damaged"),
        (lambda m: m.update(groups=["nope"]), "damaged"),
        (lambda m: m.update(files="many"), "damaged"),
    ],
)
def test_bad_metadata_is_named(saved, tmp_path, change, message):
    copy = tmp_path / "copy"
    shutil.copytree(saved[1], copy)
    edit(copy / "zarr.json", lambda content: change(marker(content)))
    with pytest.raises(RecordingFileError, match=message):
        open_recording(copy)


def forge(array, change):
    """Change what an array says of itself: in the marker, and where it stands."""
    path = array.parents[2]
    name = array.relative_to(path).as_posix()
    edit(array / "zarr.json", change)
    edit(path / "zarr.json", lambda m: change(m["consolidated_metadata"]["metadata"][name]))


def as_older(path):
    """Leave what arrays are to themselves, as older files do."""
    edit(path / "zarr.json", lambda content: content.pop("consolidated_metadata"))


def reseal(path):
    """Make the marker fit the files, as someone who forges a recording would."""
    files, size = layout.count(next(path.glob("data-*")))
    edit(path / "zarr.json", lambda content: marker(content).update(files=files, bytes=size))


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path("exploded"),))


@pytest.mark.parametrize("codec", ["numcodecs.pickle", "pickle", "numcodecs.json2", "cast_value"])
@pytest.mark.parametrize("older", [False, True])
def test_no_file_chooses_a_codec(saved, tmp_path, monkeypatch, codec, older):
    monkeypatch.chdir(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(saved[1], copy)
    (array,) = copy.glob("data-*/0-a/token")
    (chunk,) = (file for file in array.glob("c.*") if file.is_file())
    chunk.write_bytes(pickle.dumps(Bomb()))
    forge(array, lambda content: content.update(codecs=[{"name": codec}]))
    reseal(copy)
    if older:
        as_older(copy)
    with pytest.raises(RecordingFileError, match=re.escape(codec)):
        open_recording(copy)["a"].load()
    assert not Path("exploded").exists()


def test_no_pickle_hides_in_an_older_zarr_format(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(saved[1], copy)
    (array,) = copy.glob("data-*/0-a/token")
    shutil.rmtree(array)
    array.mkdir()
    (array / ".zarray").write_text(
        json.dumps(
            {
                "zarr_format": 2,
                "shape": [3, 6],
                "chunks": [3, 6],
                "dtype": "|O",
                "fill_value": None,
                "order": "C",
                "filters": [{"id": "pickle", "protocol": 5}],
                "compressor": None,
            }
        )
    )
    (array / "0.0").write_bytes(pickle.dumps(Bomb()))
    reseal(copy)
    as_older(copy)
    with pytest.raises(RecordingFileError):
        open_recording(copy)["a"].load()
    assert not Path("exploded").exists()


def test_importing_recordings_needs_no_keras():
    code = "import sys, lstm_widgets.recording; print({'keras', 'tensorflow', 'dask'} & set(sys.modules))"
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert output.stdout.strip() == "set()"
