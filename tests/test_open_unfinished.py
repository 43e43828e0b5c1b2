"""What is complete of a recording opens while the rest is being written."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from lstm_widgets.recording import RecordedLayer, Recording, open_recording
from lstm_widgets.recording.levels import written_levels
from lstm_widgets.recording.store import arrays, layout
from lstm_widgets.recording.store.plans import layer_plan
from lstm_widgets.recording.store.streaming import Stream
from lstm_widgets.widgets.page.state import tiles_of

VALUES = np.random.default_rng(0).normal(size=(1, 60, 3)).astype(np.float32)
TOKENS = np.array([*[f"t{n // 2}" for n in range(60)], ""], object)[:-1].reshape(1, 60)


def write(stream, start, stop):
    place = (slice(0, 1), slice(start, stop))
    part = {"hidden_state": VALUES[:, start:stop], "token": TOKENS[:, start:stop]}
    stream.write("lstm", place, part)
    stream.mark(stop)


def stream_to(path, **more):
    stream = Stream.open(path, fingerprint={"model": "one"}, spacing=0, **more)
    stream.layer(
        "lstm", layer_plan(["hidden_state"], examples=1, timesteps=None, cells=3, tokens=True)
    )
    return stream


def opened(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return open_recording(path)


@pytest.mark.parametrize("table", [4, 1024])
def test_what_was_opened_reads_on_while_more_is_written(tmp_path, monkeypatch, table):
    monkeypatch.setattr(arrays, "_TABLE", table)
    path, seen = tmp_path / "run", []
    stream = stream_to(path)
    for start in range(0, 60, 10):
        write(stream, start, start + 10)
        stream._writer.wait()
        seen.append((start + 10, opened(path)))
    for length, each in seen:
        layer = each["lstm"]
        assert layer.sizes["timestep"] == length
        assert each.tree.attrs["done"] == length
        np.testing.assert_array_equal(layer.hidden_state, VALUES[:, :length])
        np.testing.assert_array_equal(layer.token, TOKENS[:, :length])
        assert "not checked" in repr(each)
    stream.finish()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = open_recording(path)
    assert "complete" not in whole.tree.attrs
    np.testing.assert_array_equal(whole["lstm"].token, TOKENS)
    for length, each in seen:  # and who had it open before goes on reading
        np.testing.assert_array_equal(each["lstm"].token, TOKENS[:, :length])


def test_a_table_that_grew_after_the_last_mark_takes_nothing_away(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "_TABLE", 4)
    stream = stream_to(tmp_path / "run")
    write(stream, 0, 11)
    stream._writer.wait()
    with pytest.MonkeyPatch.context() as patch:  # all but the marker
        patch.setattr(Stream, "_replace_marker", lambda *_: None)
        write(stream, 11, 37)
        stream._writer.wait()
        with pytest.warns(UserWarning, match="complete up to 11"):
            layer = open_recording(tmp_path / "run")["lstm"]
        np.testing.assert_array_equal(layer.token, TOKENS[:, :11])
        np.testing.assert_array_equal(layer.hidden_state, VALUES[:, :11])
        stream.close()


def test_a_layer_tells_of_itself_what_is_known_before_the_end(tmp_path):
    stream = stream_to(tmp_path / "run")
    write(stream, 0, 20)
    stream.close()
    layer = opened(tmp_path / "run")["lstm"]
    assert layer.attrs["check"] == {"mode": "none"}
    assert layer.attrs["kind"] == ""
    again = stream_to(tmp_path / "run")
    assert again.done == 20
    again.close()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize(
    "shape",
    [(1, 2000, True, False), (1, 2000, False, True), (4, 500, False, True), (4, 500, True, False)],
)
def test_what_is_unfinished_is_drawn_from_what_was_summed_up(tmp_path, monkeypatch, dtype, shape):
    examples, timesteps, grows, masked = shape
    monkeypatch.setattr(layout, "CHUNK_BYTES", 4 * 3 * 170)
    rng = np.random.default_rng(0)
    signal = np.tanh(rng.normal(size=(examples, timesteps, 3))).astype(np.float16)
    values = {"hidden_state": signal.astype(np.float32)}
    if masked:
        values["mask"] = rng.random((examples, timesteps)) < 0.8
    lengths = (examples, None) if grows and examples == 1 else (None, timesteps)
    lengths = lengths if grows else (examples, timesteps)
    plan = layer_plan(
        *(["hidden_state"],),
        examples=lengths[0],
        timesteps=lengths[1],
        cells=3,
        mask=masked,
        dtype=dtype,
    )

    def places():
        if examples == 1:
            return [(slice(0, 1), slice(k, k + 250)) for k in range(0, timesteps, 250)]
        return [(slice(k, k + 1), slice(0, timesteps)) for k in range(examples)]

    drawn = 0
    for ends in ([5, 8] if examples == 1 else [2, 4]), [8 if examples == 1 else 4]:
        path = tmp_path / str(len(ends))
        for end in ends:  # stopped once, or never
            with Stream.open(path, fingerprint={"model": "one"}, spacing=0) as stream:
                stream.layer("lstm", plan)
                for k, place in [*enumerate(places())][stream.done : end]:
                    stream.write(
                        "lstm", place, {name: each[place] for name, each in values.items()}
                    )
                    stream.mark(k + 1)
                    stream._writer.wait()
                    here = opened(path)
                    layer = here["lstm"]
                    count = layer.sizes["example"], layer.sizes["timestep"]
                    there = slice(0, count[0]), slice(0, count[1])
                    part = {name: each[there] for name, each in values.items()}
                    signals = {"hidden_state": part["hidden_state"]}
                    same = Recording.from_layers(
                        [RecordedLayer("lstm", "GRU", signals, part.get("mask"))]
                    )
                    kept = written_levels([layer["hidden_state"]])
                    assert (kept is not None) == (count[0] * count[1] >= 64 * 8 + 170)
                    drawn += kept is not None
                    tiles = [tiles_of(each, "lstm", "hidden_state") for each in (here, same)]
                    assert tiles[0].statistics.tobytes() == tiles[1].statistics.tobytes()
                    for level in (0, 6, 7, 9, 10):
                        found, expected = (each.tile(level, 0, [0, 1, 2]) for each in tiles)
                        np.testing.assert_array_equal(found, expected)
                if end == ends[-1]:
                    stream.finish()
    assert drawn
    contents = [
        {
            file.relative_to(each).parts[2:]: file.read_bytes()
            for file in each.glob("data-*/**/*")
            if file.is_file()
        }
        for each in tmp_path.iterdir()
    ]
    assert contents[0] == contents[1]
    assert (
        b'"statistics":' not in (tmp_path / "1" / "zarr.json").read_bytes().partition(b"attrs")[0]
    )
