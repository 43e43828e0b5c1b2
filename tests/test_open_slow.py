"""A recording on a slow server takes few requests, many at a time, and errors name the address."""

from __future__ import annotations

import json
import threading
import time

import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from lstm_widgets.errors import RecordingFileError
from lstm_widgets.recording import RecordedLayer, Recording, open_recording

SIGNALS = ("hidden_state", "cell_state", "forget_gate")


class Slow(MemoryFileSystem):
    """A server that answers slowly, and counts what it was asked."""

    protocol = "memory"
    cachable = False
    store: dict = {}  # noqa: RUF012 - of its own, not the one that all others share
    pseudo_dirs: list = [""]  # noqa: RUF012

    def __init__(self, fails=None):
        super().__init__()
        self.asked, self.most, self.fails = [], 0, fails
        self._now, self._lock = 0, threading.Lock()

    def cat_file(self, path, start=None, end=None, **kwargs):
        with self._lock:
            self.asked.append(path)
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            time.sleep(0.02)
            if self.fails is not None:
                raise self.fails
            return super().cat_file(path, start, end, **kwargs)
        finally:
            with self._lock:
                self._now -= 1

    def ls(self, path, detail=True, **kwargs):
        self.asked.append(f"ls {path}")
        return super().ls(path, detail, **kwargs)


def on_a_server(tmp_path, layers, timesteps, name="run", known=True):
    rng = np.random.default_rng(0)
    values = {s: rng.normal(size=(1, timesteps, 512)).astype(np.float32) for s in SIGNALS}
    letters = ("abcde" * (timesteps // 5 + 1))[:timesteps]
    tokens = np.array([*letters, ""], object)[:-1].reshape(1, -1) if known else None
    recording = Recording.from_layers(
        [RecordedLayer(f"lstm_{n}", "LSTM", values, tokens=tokens) for n in range(layers)]
    )
    recording.save(tmp_path / name)
    server = Slow()
    server.store.clear()
    server.pseudo_dirs[:] = [""]
    server.put(str(tmp_path / name), f"/{name}", recursive=True)
    server.asked.clear()
    return recording, server


@pytest.mark.parametrize(("layers", "timesteps"), [(1, 10), (5, 10), (1, 5000)])
def test_opening_takes_one_request_however_much_there_is(tmp_path, layers, timesteps):
    _, server = on_a_server(tmp_path, layers, timesteps)
    opened = open_recording(server.get_mapper("/run"))
    layer = opened["lstm_0"]
    assert server.asked == ["/run/zarr.json"]
    np.asarray(layer.hidden_state[0, 3])
    np.asarray(layer.token[0, 3])
    assert len(server.asked) <= 4  # the marker, a chunk, a chunk of codes, and their table


def test_chunks_are_asked_for_at_the_same_time(tmp_path):
    recording, server = on_a_server(tmp_path, 1, 5000)
    opened = open_recording(server.get_mapper("/run"))
    server.asked.clear()
    values = opened["lstm_0"].cell_state[:, 1500:4500]
    np.testing.assert_array_equal(values, recording["lstm_0"].cell_state[:, 1500:4500])
    assert len(server.asked) == len(set(server.asked)) == 4
    assert server.most > 1


def test_older_recordings_take_two_rounds_of_requests(tmp_path):
    recording, server = on_a_server(tmp_path, 3, 10, known=False)
    marker = json.loads(server.cat_file("/run/zarr.json"))
    marker.pop("consolidated_metadata")
    server.pipe_file("/run/zarr.json", json.dumps(marker).encode())
    server.asked.clear()
    opened = open_recording(server.get_mapper("/run"))
    assert len(server.asked) == 1 + 3 + 3 * len(SIGNALS)  # the marker, layers, arrays
    assert server.most > 1
    values = recording["lstm_2"].cell_state
    np.testing.assert_array_equal(opened["lstm_2"].cell_state, values)


SECRET = "https://user:hunter2@host/run/zarr.json?sig=hunter3"


@pytest.mark.parametrize(
    "error",
    [TimeoutError(f"no answer from {SECRET}"), PermissionError("403"), RuntimeError(SECRET)],
)
def test_an_error_of_the_server_names_what_was_asked_for_and_no_secret(tmp_path, error):
    _, server = on_a_server(tmp_path, 1, 10)
    opened = open_recording(server.get_mapper("/run"))
    server.fails = error
    told = rf"could not read '.*hidden_state.*' of 'memory:///run': {type(error).__name__}"
    with pytest.raises(OSError, match=told) as caught:
        np.asarray(opened["lstm_0"].hidden_state)
    assert not isinstance(caught.value, RecordingFileError)
    assert "hunter" not in str(caught.value)
    assert caught.value.__cause__ is (None if "hunter" in str(error) else error)
    with pytest.raises(OSError, match=r"could not read 'zarr.json' of 'memory:///run'"):
        open_recording(server.get_mapper("/run"))
    server.fails = None  # and then it works again
    opened["lstm_0"].hidden_state.load()
