"""What is complete of a recording opens while the rest is being written."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from lstm_widgets.recording import open_recording
from lstm_widgets.recording.store import arrays
from lstm_widgets.recording.store.plans import layer_plan
from lstm_widgets.recording.store.streaming import Stream

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
