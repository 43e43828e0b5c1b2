"""A recording written piece by piece is the one written at once, whatever the pieces, and wherever it stopped."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lstm_widgets.errors import RecordingFileError
from lstm_widgets.recording import RecordedLayer, Recording, open_recording
from lstm_widgets.recording.store import layout
from lstm_widgets.recording.store.streaming import Plan, Stream, Variable, layer_plan

ATTRS = {
    "kind": "LSTM",
    "go_backwards": False,
    "masked_share": 0.0,
    "check": {"mode": "none"},
    "config": {},
}
SIGNALS = ("hidden_state", "cell_state")


def made(examples, timesteps, cells=3, seed=0):
    rng = np.random.default_rng(seed)
    values = {
        name: rng.normal(size=(examples, timesteps, cells)).astype(np.float32) for name in SIGNALS
    }
    values["mask"] = rng.random((examples, timesteps)) < 0.8
    tokens = np.array(["a", "bc", "", "😀", "e\u0301"], object)
    values["token"] = tokens[rng.integers(0, len(tokens), (examples, timesteps))]
    return values


def plan_of(examples, timesteps, cells=3, **options):
    options = {"mask": True, "tokens": True} | options
    return layer_plan(SIGNALS, examples=examples, timesteps=timesteps, cells=cells, **options)


def part(values, place):
    return {name: each[place] for name, each in values.items()}


def assert_holds(path, values, layer="lstm"):
    dataset = open_recording(path)[layer]
    for name, expected in values.items():
        found = dataset[name].values
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@st.composite
def cuts(draw, size):
    inner = draw(st.sets(st.integers(1, size - 1), max_size=5)) if size > 1 else set()
    edges = [0, *sorted(inner), size]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


@st.composite
def pieces(draw):
    """Cut some examples into groups, and each group's timesteps into pieces."""
    examples, timesteps = draw(st.integers(1, 5)), draw(st.integers(1, 12))
    groups = draw(cuts(examples))
    places = [(group, piece) for group in groups for piece in draw(cuts(timesteps))]
    return examples, timesteps, places


@given(
    pieces=pieces(),
    grows=st.sampled_from([(), ("example",), ("timestep",)]),
    room=st.integers(1, 60),
    stops=st.sets(st.integers(0, 20), max_size=3),
)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_any_pieces_and_any_stops_give_the_whole(pieces, grows, room, stops, tmp_path_factory):
    examples, timesteps, places = pieces
    spacing = 1000 * (room % 2)  # marks are kept each for itself, or together
    if "timestep" in grows and len({str(group) for group, _ in places}) > 1:
        grows = ()
    values = made(examples, timesteps)
    path = tmp_path_factory.mktemp("stream") / "r"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "CHUNK_BYTES", 4 * room)
        sizes = {
            "examples": None if "example" in grows else examples,
            "timesteps": None if "timestep" in grows else timesteps,
        }
        going = True
        while going:
            with Stream.open(path, fingerprint={"model": "m"}, spacing=spacing) as stream:
                stream.layer("lstm", plan_of(**sizes), ATTRS)
                going = False
                assert stream.done == len(stream.state.get("places", ()))
                for n in range(stream.done, len(places)):
                    stream.write("lstm", places[n], part(values, places[n]))
                    if n in stops:  # written and not marked: written again next time
                        stops = stops - {n}
                        going = True
                        break
                    stream.mark(n + 1, {"places": np.arange(n + 1)})
                else:
                    stream.finish({"model": {"n": 1}})
    assert_holds(path, values)
    assert sorted(entry.name for entry in path.iterdir())[1:] == ["zarr.json"]


def summed_up(data, layer="0-lstm"):
    """Read all that was written of levels and statistics."""
    return {
        file.parent.relative_to(data / layer).as_posix(): zarr.open_array(file.parent, mode="r")[:]
        for file in (data / layer).rglob("zarr.json")
        if file.parent.parent.parent.name in ("levels", "statistics")
    }


@pytest.mark.parametrize(("grows", "examples"), [(False, 1), (False, 3), (True, 1), (True, 3)])
@pytest.mark.parametrize(("masked", "stops"), [(False, ()), (True, (0, 3))])
def test_levels_and_statistics_are_written_in_the_same_pass(
    tmp_path, grows, examples, masked, stops
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "CHUNK_BYTES", 4 * 3 * 70)  # no edges where levels have theirs
        expect_summed_up(tmp_path / "r", grows, examples, masked, stops)


def expect_summed_up(path, grows, examples, masked, stops):
    values = made(examples, 1000 // examples * 2)
    del values["token"]
    if not masked:
        del values["mask"]
    values["cell_state"][0, 5, 1] = np.nan
    timesteps = values["hidden_state"].shape[1]
    edges = [0, 90, 91, 400, timesteps - 2, timesteps]
    plan = plan_of(examples, None if grows else timesteps, mask=masked, tokens=False)
    todo = {*stops}
    for _ in range(len(stops) + 1):
        with Stream.open(path, fingerprint={}, spacing=0) as stream:
            stream.layer("lstm", plan, ATTRS)
            for n in range(stream.done, len(edges) - 1):
                place = (slice(0, examples), slice(edges[n], edges[n + 1]))
                stream.write("lstm", place, part(values, place))
                if n in todo:
                    todo.remove(n)
                    break
                stream.mark(n + 1)
            else:
                stream.finish()
    assert_holds(path, values)
    (data,) = path.glob("data-*")
    found = summed_up(data)
    columns = examples * timesteps
    mask = values.pop("mask", np.ones((examples, timesteps), bool)).ravel()
    for name, each in values.items():
        flat = each.reshape(columns, 3).astype(np.float64)
        whole = flat[: columns // 64 * 64].reshape(-1, 64, 3)
        level = found.pop(f"levels/{name}/6")
        for k, expected in enumerate((whole.min(1), whole.max(1), whole.mean(1))):
            np.testing.assert_allclose(level[:, k], expected, rtol=1e-6, atol=1e-7)
        cells = found.pop(f"statistics/{name}/cells")
        counted = flat[mask]
        np.testing.assert_allclose(cells[0], np.nanmax(np.abs(flat), axis=0), rtol=1e-6)
        np.testing.assert_allclose(cells[1], np.abs(counted).mean(0), rtol=1e-5)
        np.testing.assert_allclose(cells[2], counted.var(0), rtol=1e-4)
    assert not found


def test_what_is_marked_opens_while_it_is_written(tmp_path):
    values = made(1, 9)
    path = tmp_path / "r"
    with pytest.raises(KeyboardInterrupt), Stream.open(path, fingerprint={}) as stream:  # noqa: PT012
        stream.layer("lstm", plan_of(1, None), ATTRS)
        for start in (0, 3, 6):
            place = (slice(0, 1), slice(start, start + 3))
            stream.write("lstm", place, part(values, place))
            if start < 6:
                stream.mark(start + 3)
        raise KeyboardInterrupt
    with pytest.warns(UserWarning, match="complete up to 6"):
        assert_holds(path, part(values, (slice(0, 1), slice(0, 6))))


def test_some_of_the_examples_open_whole(tmp_path):
    values = made(5, 4)
    path = tmp_path / "r"
    with Stream.open(path, fingerprint={}) as stream:
        stream.layer("lstm", plan_of(5, 4), ATTRS)
        stream.write("lstm", (slice(0, 2), slice(0, 4)), part(values, slice(0, 2)))
        # Half of the next examples' timesteps are there, but no example is.
        place = (slice(2, 5), slice(0, 2))
        stream.write("lstm", place, part(values, place))
        stream.mark(2)
    with pytest.warns(UserWarning, match="complete up to 2"):
        assert_holds(path, part(values, slice(0, 2)))


def test_nothing_marked_is_unfinished(tmp_path):
    with Stream.open(tmp_path / "r", fingerprint={}) as stream:
        stream.layer("lstm", plan_of(1, None), ATTRS)
        with pytest.raises(RecordingFileError, match="unfinished"):
            open_recording(tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_it_is_what_save_writes(tmp_path):
    values = made(2, 7)
    tokens, mask = values["token"], values["mask"]
    signals = {name: values[name] for name in SIGNALS}
    share = 1.0 - float(mask.mean())
    saved = Recording.from_layers(
        [RecordedLayer("lstm", "LSTM", signals, mask=mask, tokens=tokens)], attrs={"model": 1}
    )
    saved.save(tmp_path / "saved")
    with Stream.open(tmp_path / "stream", fingerprint={}) as stream:
        stream.layer("lstm", plan_of(2, 7), ATTRS)
        stream.write("lstm", (slice(0, 2), slice(0, 7)), values)
        stream.finish({"model": 1}, {"lstm": {"masked_share": share}})
    contents = [
        {
            file.relative_to(data): file.read_bytes()
            for file in data.rglob("*")
            if file.is_file() and file.name != "zarr.json"
        }
        for data in (next((tmp_path / name).glob("data-*")) for name in ("saved", "stream"))
    ]
    assert contents[0] == contents[1]
    assert repr(open_recording(tmp_path / "saved")) == repr(open_recording(tmp_path / "stream"))


def test_what_stands_beside_is_written_in_pieces_too(tmp_path):
    ids = np.arange(12, dtype=np.int32).reshape(1, 6, 2)
    words = ids.astype(str).astype(object)
    axes = ("example", "timestep", "rank")
    plan = Plan(
        {"example": 1, "timestep": None, "rank": 2},
        {
            "predicted_id": Variable(axes, "int32"),
            "probability": Variable(axes),
            "predicted_token": Variable(axes, "string"),
        },
    )
    values = made(1, 6)
    with Stream.open(tmp_path / "r", fingerprint={}) as stream:
        stream.layer("lstm", plan_of(1, None), ATTRS)
        stream.beside("predictions", plan)
        for start in (0, 4):
            place = (slice(0, 1), slice(start, min(start + 4, 6)))
            stream.write("lstm", place, part(values, place))
            found = {
                "predicted_id": ids[place],
                "probability": np.float32(1) / (1 + ids[place]).astype(np.float32),
                "predicted_token": words[place],
            }
            stream.write_beside("predictions", place, found)
        stream.finish()
    predictions = open_recording(tmp_path / "r").predictions
    np.testing.assert_array_equal(predictions.predicted_id, ids)
    assert predictions.predicted_token.values.tolist() == words.tolist()


def test_a_token_is_one_object_however_often_it_comes(tmp_path):
    tokens = np.array([["the ", "cell "] * 500], object)
    values = {"hidden_state": np.zeros((1, 1000, 2), np.float32)}
    Recording.from_layers([RecordedLayer("a", "LSTM", values, tokens=tokens)]).save(tmp_path / "r")
    opened = open_recording(tmp_path / "r")["a"].token
    assert {id(token) for token in opened.values.ravel()} == {
        id(token) for token in opened[0, 500:502].values
    }
    (codes,) = (tmp_path / "r").glob("data-*/0-a/token")
    assert zarr.open_array(codes, mode="r").dtype == np.int32


@given(
    st.lists(
        st.floats(width=32, min_value=-65519, max_value=65519)
        | st.sampled_from([np.nan, np.inf, -np.inf, -0.0]),
        min_size=1,
        max_size=20,
    )
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_float16_is_within_half_of_its_last_digit(tmp_path_factory, numbers):
    exact = np.array(numbers, np.float32).reshape(1, -1, 1)
    path = tmp_path_factory.mktemp("half") / "r"
    with Stream.open(path) as stream:
        plan = layer_plan(["hidden_state"], examples=1, timesteps=None, cells=1, dtype="float16")
        stream.layer("lstm", plan, ATTRS)
        stream.write("lstm", (slice(0, 1), slice(0, len(numbers))), {"hidden_state": exact})
        stream.finish()
    found = open_recording(path)["lstm"].hidden_state.values
    assert found.dtype == np.float32
    finite = np.isfinite(exact)
    np.testing.assert_array_equal(found[~finite], exact[~finite])
    error = np.abs(found[finite].astype(np.float64) - exact[finite])
    assert (error <= np.maximum(np.abs(exact[finite]) * 2.0**-11, 2.0**-25)).all()


def test_what_float16_cannot_hold_is_named(tmp_path):
    values = np.zeros((1, 5, 2), np.float32)
    values[0, 3, 1] = 65520
    with Stream.open(tmp_path / "r") as stream:
        plan = layer_plan(["cell_state"], examples=1, timesteps=5, cells=2, dtype="float16")
        stream.layer("lstm", plan, ATTRS)
        with pytest.raises(
            ValueError, match=r"lstm: cell_state: 65520 .*timestep 3, cell 1.*dtype='float32'"
        ):
            stream.write("lstm", (slice(0, 1), slice(0, 5)), {"cell_state": values})


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ((slice(0, 1), slice(1, 3)), None),  # a gap before the first
        ((slice(0, 1), slice(0, 3)), (slice(0, 1), slice(4, 6))),
        ((slice(0, 1), slice(0, 3)), (slice(0, 1), slice(2, 5))),
        ((slice(0, 1), slice(0, 3)), (slice(1, 2), slice(0, 3))),  # example 0 isn't whole
        ((slice(0, 1), slice(0, 6)), (slice(2, 3), slice(0, 6))),
        ((slice(0, 1), slice(0, 6)), (slice(1, 3), slice(0, 7))),
    ],
)
def test_pieces_that_do_not_follow_are_refused(tmp_path, first, then):
    values = made(9, 9)
    with Stream.open(tmp_path / "r") as stream:
        stream.layer("lstm", plan_of(3, 6), ATTRS)
        if then is not None:
            stream.write("lstm", first, part(values, first))
        place = then or first
        with pytest.raises(ValueError, match="expected"):
            stream.write("lstm", place, part(values, place))


def test_what_is_missing_at_the_end_is_named(tmp_path):
    values = made(1, 6)
    with Stream.open(tmp_path / "r") as stream:
        stream.layer("lstm", plan_of(1, 6), ATTRS)
        place = (slice(0, 1), slice(0, 4))
        stream.write("lstm", place, part(values, place))
        with pytest.raises(ValueError, match=r"lstm: hidden_state.*\(1, 6, 3\).*\(1, 4, 3\)"):
            stream.finish()


def test_chunks_are_what_zarr_makes_of_them(tmp_path):
    rng = np.random.default_rng(0)
    kinds = {
        "float32": rng.normal(size=(1, 700)).astype(np.float32),
        "float64": rng.normal(size=(1, 700)),
        "int32": rng.integers(-9, 9, (1, 700), dtype=np.int32),
        "int64": rng.integers(-9, 9, (1, 700)),
        "bool": rng.random((1, 700)) < 0.5,
    }
    variables = {f"of_{kind}": Variable(("example", "timestep"), kind) for kind in kinds}
    values = {f"of_{kind}": each for kind, each in kinds.items()}
    for name, kind in (("signal", "float32"), ("half", "float16")):
        variables[name] = Variable(("example", "timestep", "cell"), kind)
        values[name] = np.tanh(rng.normal(size=(1, 700, 3))).astype(np.float32)
    sizes = {"example": 1, "timestep": 700, "cell": 3}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "CHUNK_BYTES", 1200)
        with Stream.open(tmp_path / "run") as stream:
            stream.layer("lstm", Plan(sizes, variables), ATTRS)
            stream.write("lstm", (slice(0, 1), slice(0, 700)), values)
            stream.finish()
    (data,) = (tmp_path / "run").glob("data-*")
    for name in values:
        folder, again = data / "0-lstm" / name, tmp_path / name
        again.mkdir()
        (again / "zarr.json").write_bytes((folder / "zarr.json").read_bytes())
        array = zarr.open_array(again, mode="r+")
        array[...] = zarr.open_array(folder, mode="r")[...]
        files = sorted(file.name for file in again.iterdir())
        assert len(files) > 2
        assert files == sorted(file.name for file in folder.iterdir())
        for file in files:
            if file.startswith("c"):
                assert (folder / file).read_bytes() == (again / file).read_bytes(), (name, file)


def test_what_was_written_may_change_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "CHUNK_BYTES", 4 * 3 * 10)
    values = made(1, 35)
    expected = {name: each.copy() for name, each in values.items()}
    with Stream.open(tmp_path / "run", fingerprint={"a": "b"}, spacing=0) as stream:
        stream.layer("lstm", plan_of(1, None), ATTRS)
        for start in range(0, 35, 20):  # whole chunks, and parts of one
            place = (slice(0, 1), slice(start, min(start + 20, 35)))
            piece = part(values, place)
            stream.write("lstm", place, piece)
            stream.mark(place[1].stop)
            for name in SIGNALS:
                piece[name][...] = 7
            piece["mask"][...] = False
        stream.finish()
    assert_holds(tmp_path / "run", expected)
