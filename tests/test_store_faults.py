"""Whatever ends a writer, and whenever: nothing marked is lost, nothing half passes for whole, and it goes on."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys

import numpy as np
import pytest

from lstm_widgets.errors import RecordingFileError
from lstm_widgets.recording import RecordedLayer, Recording, open_recording
from lstm_widgets.recording.store import files
from lstm_widgets.recording.store.disk import Writer
from lstm_widgets.recording.store.streaming import Stream, layer_plan

# A recurrence that needs no framework is recorded in pieces, by a child that ends at the n-th operation
# on files: before it, which is after the one before, or half way through writing. Then what stands there is looked at, by another child,
# and the recording is gone on with, by a third. This process only forks: it has no threads that a fork
# would cut off.
KILLED = """
import os, sys, shutil, pathlib, warnings
import numpy as np
from lstm_widgets.recording import open_recording
from lstm_widgets.recording.store import files, layout
from lstm_widgets.recording.store.streaming import Stream, layer_plan
from lstm_widgets.errors import RecordingFileError

warnings.simplefilter("ignore")
layout.CHUNK_BYTES = 4 * 2 * 5
os.fsync = lambda handle: None  # the machine lives on: what is written is there
ATTRS = {"kind": "GRU", "go_backwards": False, "masked_share": 0.0, "check": {"mode": "none"}, "config": {}}
WORDS = np.array(["a", "b", "the", "of", "cell"], object)
STEPS, PIECE = 8, 4

def steps(state, start, stop):
    values = np.empty((1, stop - start, 2), np.float32)
    for t in range(start, stop):
        state = np.tanh(state * np.float32(1.5) + np.float32([0.1, -0.3]) * np.float32(t % 3)).astype(np.float32)
        values[0, t - start] = state
    return values, state

def record(path, overwrite=False, seed=0.5, last=True):
    with Stream.open(path, fingerprint={"seed": str(seed)}, overwrite=overwrite, spacing=0) as stream:
        stream.layer("gru", layer_plan(["hidden_state"], examples=1, timesteps=None, cells=2, mask=True, tokens=True), ATTRS)
        state = stream.state.get("state", np.full(2, seed, np.float32))
        for start in range(stream.done, STEPS, PIECE):
            values, state = steps(state, start, start + PIECE)
            place = (slice(0, 1), slice(start, start + PIECE))
            words = WORDS[np.arange(start, start + PIECE) * 7 % 5][None]
            mask = np.ones((1, PIECE), bool)
            stream.write("gru", place, {"hidden_state": values, "mask": mask, "token": words})
            stream.mark(start + PIECE, {"state": state})
        if last:
            stream.leave_out("gru", "mask")
            stream.finish({"seed": seed})

def looked_at(path, seed=0.5):
    try:
        opened = open_recording(path)
    except (FileNotFoundError, RecordingFileError) as error:
        return -1
    found = opened["gru"].load()
    count = found.sizes["timestep"]
    expected = {s: steps(np.full(2, s, np.float32), 0, STEPS)[0][:, :count] for s in (0.5, 0.25)}
    seed = next((s for s in expected if np.array_equal(found.hidden_state.values, expected[s])), None)
    assert seed is not None, found.hidden_state.values
    assert found.token.values.tolist() == [WORDS[np.arange(count) * 7 % 5].tolist()]
    whole = opened.tree.attrs.get("complete", True)
    assert whole == (opened.tree.attrs.get("seed") == seed) and (count == STEPS or not whole)
    return count + 1000 * whole + (500 if seed == 0.25 else 0)

def contents(path):
    return {
        file.relative_to(path).as_posix().partition("/")[2]: file.read_bytes()
        for file in sorted(path.glob("data-*/**/*"))
        if file.is_file()
    }

def in_child(work):
    child = os.fork()
    if not child:
        try:
            work()
            sys.stdout.flush()
            os._exit(0)
        except BaseException:
            import traceback; traceback.print_exc()
            os._exit(99)
    status = os.waitpid(child, 0)[1]
    assert status in (0, 7 * 256), status
    return status == 0

def dying(step):
    seen = 0
    def wrap(name):
        done = getattr(files, name)
        def operation(*given, **named):
            nonlocal seen
            seen += 1
            if seen == step:
                if name == "write":
                    data = b"".join(given[1:])
                    done(given[0], data[: len(data) // 2])
                os._exit(7)
            return done(*given, **named)
        setattr(files, name, operation)
    for name in ("make", "write", "replace", "sync", "remove"):
        wrap(name)

def broken(path, step, **options):
    dying(step)
    record(path, **options)

base = pathlib.Path(sys.argv[1])
in_child(lambda: record(base / "whole"))
in_child(lambda: record(base / "old", seed=0.25))
in_child(lambda: record(base / "marked", last=False))

def check(path, before, ended):
    found = looked_at(path)
    try:
        record(path, overwrite=before == "old" and found != 1000 + STEPS)
    except FileExistsError:
        assert found == 1000 + STEPS
    after = looked_at(path)
    assert contents(path) == contents(base / "whole"), path
    left = sorted(entry.name for entry in path.iterdir() if not entry.name.startswith("."))
    print(before, ended, found, after, *left[1:])

for before in ("nothing", "marked", "old"):
    over = before == "old"
    step, ended = 1, False
    while not ended:
        path = base / "r"
        if before != "nothing":
            shutil.copytree(base / before, path)
        ended = in_child(lambda: broken(path, step, overwrite=over))
        assert in_child(lambda: check(path, before, ended))
        shutil.rmtree(path)
        step += 3 if over else 1
"""


def test_a_writer_that_ends_at_any_operation_is_gone_on_with(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-3000:]
    rows = [line.split() for line in done.stdout.splitlines()]
    new, marked, over = (
        [int(row[2]) for row in rows if row[0] == before] for before in ("nothing", "marked", "old")
    )
    # Nothing, then what was marked, then all; and never less than before.
    assert new == sorted(new)
    assert set(new) == {-1, 4, 8, 1008}
    assert marked == sorted(marked)
    assert set(marked) == {8, 1008}
    assert over == sorted(over, reverse=True)
    assert set(over) == {1508, 1008}
    assert len(new) > 50
    assert {tuple(row[3:]) for row in rows} == {("1008", "zarr.json")}


ATTRS = {
    "kind": "GRU",
    "go_backwards": False,
    "masked_share": 0.0,
    "check": {"mode": "none"},
    "config": {},
}
VALUES = np.random.default_rng(0).normal(size=(1, 30, 4)).astype(np.float32)


def stream_to(path, seed="1", **options):
    stream = Stream.open(path, fingerprint={"model": "m", "seed": seed}, spacing=0, **options)
    plan = layer_plan(["hidden_state"], examples=1, timesteps=None, cells=4)
    stream.layer("gru", plan, ATTRS)
    return stream


def go_on(stream, stop=30):
    for start in range(stream.done, stop, 10):
        place = (slice(0, 1), slice(start, start + 10))
        stream.write("gru", place, {"hidden_state": VALUES[place]})
        stream.mark(start + 10)


def unfinished(path, seed="1"):
    with stream_to(path, seed) as stream:
        go_on(stream, 20)


@pytest.mark.parametrize("short", [False, True])
def test_a_full_disk_is_told_and_what_was_marked_is_gone_on_with(tmp_path, monkeypatch, short):
    path = tmp_path / "r"
    unfinished(path)
    write = files.write

    def full(file, *data):
        if short:
            write(file, b"".join(data)[: sum(map(len, data)) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    def to_the_end():
        with stream_to(path) as stream, monkeypatch.context() as patch:
            patch.setattr(files, "write", full)
            go_on(stream)
            stream.finish()

    with pytest.raises(OSError, match=f"No space left on device: '{path}") as raised:
        to_the_end()
    assert raised.value.errno == errno.ENOSPC
    with pytest.warns(UserWarning, match="complete up to 20"):
        found = open_recording(path)["gru"].hidden_state.values
    np.testing.assert_array_equal(found, VALUES[:, :20])
    with stream_to(path) as stream:
        assert stream.done == 20
        go_on(stream)
        stream.finish()
    np.testing.assert_array_equal(open_recording(path)["gru"].hidden_state, VALUES)
    assert not [file for file in path.rglob(".*") if file.is_file()]


def test_a_full_disk_while_saving_leaves_what_was_there(tmp_path, monkeypatch):
    def recording(value):
        values = {"hidden_state": np.full((1, 3, 2), value, np.float32)}
        return Recording.from_layers([RecordedLayer("a", "GRU", values)])

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    recording(1).save(tmp_path / "r")
    with monkeypatch.context() as patch:
        patch.setattr(files, "write", full)
        with pytest.raises(OSError, match="No space left"):
            recording(2).save(tmp_path / "r", overwrite=True)
    assert (open_recording(tmp_path / "r")["a"].hidden_state == 1).all()
    assert len(list((tmp_path / "r").iterdir())) == 2


def test_two_writers_do_not_meet(tmp_path):
    with stream_to(tmp_path / "r") as stream:
        go_on(stream, 10)
        for other in (stream_to, Stream.open):
            with pytest.raises(FileExistsError, match=rf"being written by process {os.getpid()}"):
                other(tmp_path / "r", overwrite=True)
    with stream_to(tmp_path / "r") as stream:
        go_on(stream)
        stream.finish()
    np.testing.assert_array_equal(open_recording(tmp_path / "r")["gru"].hidden_state, VALUES)


def test_a_writer_that_was_killed_locks_nothing(tmp_path):
    code = (
        "import os, sys; from lstm_widgets.recording.store.lock import Lock; from pathlib import Path; "
        "lock = Lock(Path(sys.argv[1])); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert (tmp_path / ".writing").exists()
    unfinished(tmp_path)
    assert not (tmp_path / ".writing").exists()


def test_a_path_that_stands_already_is_left_alone(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("x")
    for name in ("file", "folder"):
        for overwrite in (False, True):
            with pytest.raises(FileExistsError, match="isn't a recording"):
                stream_to(tmp_path / name, overwrite=overwrite)
    assert [entry.name for entry in (tmp_path / "folder").iterdir()] == ["thesis.txt"]
    with stream_to(tmp_path / "whole") as stream:
        go_on(stream)
        stream.finish()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        stream_to(tmp_path / "whole")
    np.testing.assert_array_equal(open_recording(tmp_path / "whole")["gru"].hidden_state, VALUES)


def test_an_unfinished_recording_of_something_else_is_named(tmp_path):
    unfinished(tmp_path / "r", seed="1")
    with pytest.raises(
        FileExistsError, match="something else: seed was 1 and is 2; pass overwrite"
    ):
        stream_to(tmp_path / "r", seed="2")
    with stream_to(tmp_path / "r", seed="1") as stream:
        assert stream.done == 20
    with stream_to(tmp_path / "r", seed="2", overwrite=True) as stream:
        assert stream.done == 0
        go_on(stream)
        stream.finish()
    assert len(list((tmp_path / "r").iterdir())) == 2


def test_what_stood_there_whole_stays_until_the_new_one_is(tmp_path):
    with stream_to(tmp_path / "r", seed="old") as stream:
        go_on(stream)
        stream.finish({"which": "old"})
    with stream_to(tmp_path / "r", overwrite=True) as stream:
        go_on(stream, 20)
    assert open_recording(tmp_path / "r").tree.attrs["which"] == "old"
    with stream_to(tmp_path / "r", overwrite=True) as stream:
        assert stream.done == 20
        go_on(stream)
        stream.finish({"which": "new"})
    assert open_recording(tmp_path / "r").tree.attrs["which"] == "new"


def test_damage_of_what_is_gone_on_from_is_named(tmp_path):
    unfinished(tmp_path / "r")
    (tmp_path / "r" / "resume" / "state.npz").write_bytes(b"PK")
    with pytest.raises(RecordingFileError, match=r"state\.npz.*damaged.*overwrite=True"):
        stream_to(tmp_path / "r")
    with stream_to(tmp_path / "r", overwrite=True) as stream:
        assert stream.done == 0


def test_an_interrupt_at_any_time_loses_nothing_that_was_marked(tmp_path, monkeypatch):
    monkeypatch.setattr("lstm_widgets.recording.store.layout.CHUNK_BYTES", 4 * 4 * 7)
    given = Writer.do
    with stream_to(tmp_path / "whole") as stream:
        go_on(stream)
        stream.finish()

    def contents(path):
        found = {
            file.relative_to(path).parts[1:]: file.read_bytes()
            for file in path.glob("data-*/**/*")
            if file.is_file()
        }
        assert found
        return found

    interrupted, at = True, 0
    while interrupted:
        at, left, interrupted = at + 1, at, False

        def do(writer, job, size=0):
            nonlocal left, interrupted
            left -= 1
            if left == -1:
                interrupted = True
                raise KeyboardInterrupt
            given(writer, job, size)

        path = tmp_path / str(at)
        with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
            patch.setattr(Writer, "do", do)
            with stream_to(path) as stream:
                go_on(stream)
                stream.finish()
        if interrupted:
            with stream_to(path) as stream:
                if stream.done:
                    with pytest.warns(UserWarning, match=f"complete up to {stream.done}"):
                        found = open_recording(path)["gru"].hidden_state.values
                    np.testing.assert_array_equal(found, VALUES[:, : stream.done])
                go_on(stream)
                stream.finish()
        assert contents(path) == contents(tmp_path / "whole")
    assert at > 10
