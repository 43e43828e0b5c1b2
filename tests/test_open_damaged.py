"""What is damaged, lost or forged in a recording is named; the rest of it opens and reads."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lstm_widgets.errors import RecordingFileError
from lstm_widgets.recording import RecordedLayer, Recording, open_recording
from lstm_widgets.recording.store import layout

ROWS, CELLS = 8, 3


def cut(monkeypatch):
    """Have chunks of 8 timesteps of one example."""
    monkeypatch.setattr(layout, "CHUNK_BYTES", 4 * ROWS * CELLS)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    rng = np.random.default_rng(0)
    values = {
        name: rng.normal(size=(2, 30, CELLS)).astype(np.float32)
        for name in ("hidden_state", "cell_state")
    }
    tokens = np.array([*("abcdefghij" * 6), ""], object)[:-1].reshape(2, 30)
    recording = Recording.from_layers(
        [
            RecordedLayer("lstm", "LSTM", values, np.ones((2, 30), bool), tokens),
            RecordedLayer("other", "LSTM", values),
        ]
    )
    path = tmp_path_factory.mktemp("saved") / "run"
    with pytest.MonkeyPatch.context() as patch:
        cut(patch)
        recording.save(path)
    return recording, path


@pytest.fixture
def copy(saved, tmp_path):
    return Path(shutil.copytree(saved[1], tmp_path / "copy"))


def quietly(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return open_recording(path)


def flipped(content):
    return content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]


FAULTS = {
    "flipped": lambda file: file.write_bytes(flipped(file.read_bytes())),
    "flipped in front": lambda file: file.write_bytes(b"\x17" + file.read_bytes()[1:]),
    "cut short": lambda file: file.write_bytes(file.read_bytes()[:-7]),
    "empty": lambda file: file.write_bytes(b""),
    "zeros": lambda file: file.write_bytes(bytes(file.stat().st_size)),
    "another": lambda file: shutil.copy(file.parents[1] / "mask" / "c.0.0", file),
    "lost": lambda file: file.unlink(),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_chunk_is_named_and_the_rest_reads(saved, copy, fault):
    (chunk,) = copy.glob("data-*/0-lstm/cell_state/c.1.2.0")
    FAULTS[fault](chunk)
    opened = quietly(copy)
    expected = saved[0]["lstm"]
    told = (
        r"'cell_state' of layer 'lstm', examples 1 to 1, timesteps 16 to 23, is (damaged|lost).*"
        r"the rest of the recording at '.*copy' can be read"
    )
    states = opened["lstm"].cell_state
    for part in (
        {},
        {"example": 1, "timestep": 17},
        {"timestep": slice(20, None, 3), "cell": [2, 0]},
        {"timestep": [0, 29, 16]},
        {"timestep": slice(None, None, 10)},
    ):
        with pytest.raises(RecordingFileError, match=told):
            np.asarray(states.isel(part))
    for part in ({"example": 0}, {"timestep": slice(0, 16)}, {"timestep": [0, 29]}):
        np.testing.assert_array_equal(states.isel(part), expected.cell_state.isel(part))
    for name in ("hidden_state", "mask", "token"):
        np.testing.assert_array_equal(opened["lstm"][name], expected[name])
    np.testing.assert_array_equal(opened["other"].cell_state, expected.cell_state)


def test_what_was_lost_is_told_when_it_opens(copy):
    (chunk,) = copy.glob("data-*/0-lstm/mask/c.0.0")
    chunk.unlink()
    with pytest.warns(UserWarning, match=r"copy' is incomplete: expected \d+ files") as told:
        open_recording(copy)
    assert [each.filename for each in told] == [__file__]


def test_codes_without_a_text_are_named(copy):
    edit(copy, "tokens", lambda array: array | {"shape": [3]})
    with pytest.raises(RecordingFileError, match="'token' of layer 'lstm' is damaged: 3 different"):
        np.asarray(open_recording(copy)["lstm"].token)


def edit(path, name, change):
    """Change what the marker says of an array of the first layer."""
    metadata = json.loads((path / "zarr.json").read_text())
    every = metadata["consolidated_metadata"]["metadata"]
    (key,) = (each for each in every if each.endswith(f"0-lstm/{name}"))
    every[key] = change(every[key])
    (path / "zarr.json").write_text(json.dumps(metadata))


def chunked(array, *shape):
    return array | {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [*shape]}}}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda a: a | {"shape": [2, -30, 3]}, "whole numbers as sizes"),
        (lambda a: a | {"shape": [2, 30.5, 3]}, "whole numbers as sizes"),
        (lambda a: a | {"shape": [2, True, 3]}, "whole numbers as sizes"),
        (lambda a: a | {"shape": [2, "30", 3]}, "whole numbers as sizes"),
        (lambda a: a | {"shape": [2, 31, 3]}, "damaged"),
        (lambda a: a | {"shape": [2, 30]}, "a size and a chunk for each axis"),
        (lambda a: a | {"shape": [2, 10**15, 3]}, "are no recording's"),
        (lambda a: a | {"shape": [10**400, 30, 3]}, "are no recording's"),
        (lambda a: a | {"shape": None}, "damaged"),
        (lambda a: chunked(a, 1, 0, 3), "whole numbers as sizes"),
        (lambda a: chunked(a, 1, -8, 3), "whole numbers as sizes"),
        (lambda a: chunked(a, 1, 10**15, 3), "are no recording's"),
        (lambda a: chunked(a, 1, 8), "a size and a chunk for each axis"),
        (lambda a: a | {"chunk_grid": {"name": "rectilinear"}}, "chunk_grid"),
        (lambda a: a | {"dimension_names": ["example", "example", "cell"]}, "each axis"),
        (lambda a: a | {"dimension_names": ["example", "cell", "timestep"]}, "damaged"),
        (lambda a: a | {"dimension_names": None}, "damaged"),
        (lambda a: a | {"data_type": "complex64"}, "complex64"),
        (lambda a: a | {"data_type": {"name": "numpy.datetime64"}}, "numpy.datetime64"),
        (lambda a: a | {"data_type": "string"}, "data type 'string'"),
        (
            lambda a: a | {"data_type": "int32"},
            "'hidden_state' of layer 'lstm' is damaged: .* int32",
        ),
        (lambda a: a | {"attributes": {"date": "ns"}}, "it is of datetime64"),
        (lambda a: a | {"attributes": {"codes": "tokens"}}, "it is of object"),
        (lambda a: a | {"codecs": [*a["codecs"], *a["codecs"]]}, "codecs"),
        (lambda a: a | {"codecs": [{"name": "sharding_indexed"}]}, "sharding_indexed"),
        (lambda a: a | {"storage_transformers": [{"name": "x"}]}, "storage_transformers"),
        (lambda a: a | {"extension": {"must_understand": False}}, "extension"),
        (lambda a: a | {"chunk_key_encoding": {"name": "v2"}}, "v2"),
        (lambda a: a | {"zarr_format": 2}, "zarr_format"),
        (lambda a: a | {"node_type": "group"}, "has lost 'hidden_state' of layer 'lstm'"),
        (lambda _: [], "damaged"),
    ],
)
def test_forged_arrays_are_refused_before_anything_is_read(copy, change, told):
    edit(copy, "hidden_state", change)
    tracemalloc.start()
    try:
        with pytest.raises(RecordingFileError, match=told):
            open_recording(copy)
        assert tracemalloc.get_traced_memory()[1] < 10**7
    finally:
        tracemalloc.stop()


def test_a_chunk_that_claims_to_be_large_is_refused(copy):
    (chunk,) = copy.glob("data-*/0-lstm/hidden_state/c.0.0.0")
    content = bytearray(chunk.read_bytes())
    content[4:8] = (2**31 - 1).to_bytes(4, "little")
    chunk.write_bytes(content)
    with pytest.raises(RecordingFileError, match="it claims to have 2147483647 bytes"):
        quietly(copy)["lstm"].hidden_state.load()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "zarr.json' is damaged"),
        (b'{"zarr_format": 3, "attr', "zarr.json' is damaged"),
        (b"\xff\xfe", "zarr.json' is damaged"),
        (b"[" * 100_000, "zarr.json' is damaged"),
        (b'{"attributes": ' * 2000 + b"1" + b"}" * 2000, "damaged|isn't one"),
        (b"7", "isn't one"),
        (b"[]", "isn't one"),
        (b'{"attributes": {"lstm_widgets_recording": 7}}', "isn't one"),
        (b'{"attributes": {"lstm_widgets_recording": {"format": true}}}', "isn't one"),
        (b'{"attributes": {"lstm_widgets_recording": {"format": 4}}}', "damaged"),
        (b'{"attributes": {"lstm_widgets_recording": {"format": 1e9}}}', "isn't one"),
    ],
)
def test_a_bad_marker_is_named(copy, text, told):
    (copy / "zarr.json").write_bytes(text)
    with pytest.raises(RecordingFileError, match=told):
        open_recording(copy)


@pytest.mark.parametrize("notes", [7, {"lstm": 7}, {"lstm": {"99": "x"}}, {"none": {"1": "x"}}])
def test_bad_notes_are_named_and_the_rest_reads(saved, copy, notes):
    path = copy / "zarr.json"
    metadata = json.loads(path.read_text())
    metadata["attributes"]["lstm_widgets_recording"]["attrs"]["notes"] = notes
    path.write_text(json.dumps(metadata))
    opened = open_recording(copy)
    with pytest.raises(RecordingFileError, match="the notes of the recording are damaged"):
        repr(opened)
    assert opened["lstm"].equals(saved[0]["lstm"])


def test_attributes_nested_without_end_are_refused(copy):
    path = copy / "zarr.json"
    text = path.read_text()
    deep = '{"a": ' * 900 + "1" + "}" * 900
    path.write_text(re.sub(r'"attrs": \{', f'"attrs": {{"deep": {deep}, ', text, count=1))
    assert path.read_text() != text
    with pytest.raises(RecordingFileError, match="damaged"):
        open_recording(copy)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["..", "/", "timestep", "string", "0-lstm", "data-0"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=4,
)


def places_in(value, path=()):
    """Find every place in what JSON holds."""
    yield path
    inner = enumerate(value) if isinstance(value, list) else ()
    for key, each in value.items() if isinstance(value, dict) else inner:
        yield from places_in(each, (*path, key))


@given(data=st.data())
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_a_marker_says_it_opens_or_is_refused(saved, tmp_path, data):
    metadata = json.loads((saved[1] / "zarr.json").read_text())
    where = data.draw(st.sampled_from([*places_in(metadata)][1:]))
    inner = metadata
    for key in where[:-1]:
        inner = inner[key]
    if data.draw(st.booleans()):
        inner[where[-1]] = data.draw(JSON)
    else:
        del inner[where[-1]]
    copy = tmp_path / "forged"
    if not copy.exists():
        shutil.copytree(saved[1], copy)
    (copy / "zarr.json").write_text(json.dumps(metadata))
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            with contextlib.suppress(RecordingFileError):
                opened = open_recording(copy)
                repr(opened)
                name = opened.layers[0]
                np.asarray(opened[name][opened.signals(name)[0]][0, 0])
        assert tracemalloc.get_traced_memory()[1] < 5 * 10**7
    finally:
        tracemalloc.stop()


def unfinished(path, done):
    """Have the marker say that only so many timesteps are complete."""
    metadata = json.loads((path / "zarr.json").read_text())
    marker = metadata["attributes"]["lstm_widgets_recording"]
    marker |= {"complete": False, "done": done}
    for node in metadata["consolidated_metadata"]["metadata"].values():
        axes = node.get("dimension_names", [])
        if "timestep" in axes:
            node["shape"][axes.index("timestep")] = done
    (path / "zarr.json").write_text(json.dumps(metadata))


def test_what_is_complete_of_an_unfinished_recording_opens(saved, copy):
    unfinished(copy, 13)
    for chunk in copy.glob("data-*/*/*/c.*.2*"):
        chunk.write_bytes(b"half of it")
    with pytest.warns(UserWarning, match="is not finished: it is complete up to 13") as told:
        opened = open_recording(copy)
    assert [each.filename for each in told] == [__file__]
    assert opened.tree.attrs["complete"] is False
    assert opened.tree.attrs["done"] == 13
    for name in ("hidden_state", "cell_state", "mask", "token"):
        expected = saved[0]["lstm"][name][:, :13]
        np.testing.assert_array_equal(opened["lstm"][name], expected)
    assert "2 × 13" in repr(opened)
