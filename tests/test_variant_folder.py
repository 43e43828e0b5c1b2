"""A folder of variants: what ends its writer, and whenever, leaves all that was recorded before."""

from __future__ import annotations

import errno
import io
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import zarr

import lstm_widgets as lw
from lstm_widgets.recording import (
    RecordedLayer,
    RecordedPredictions,
    RecordedSeries,
    Recording,
    Times,
)
from lstm_widgets.recording.recording import contents_of
from lstm_widgets.recording.store import Zipped, files, layout
from lstm_widgets.recording.variant_folder import LIST, VariantFolder

# Three variants are recorded by a child that ends at the n-th operation on files: before it, or half way
# through writing. Another one looks at what is there, and records again. The parent only forks.
KILLED = """
import os, sys, pathlib, shutil, traceback
import numpy as np
import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, Recording
from lstm_widgets.recording.store import disk, files
from lstm_widgets.recording.variant_folder import VariantFolder

NAMES = ("epoch 0", "epoch 1", "epoch 2")
disk.Writer.do = lambda writer, job: job()  # here, and not in a thread
os.fsync = lambda handle: None

def made(k):
    return Recording.from_layers([RecordedLayer("gru", "GRU", {"hidden_state": np.full((1, 3, 2), k, np.float32)})])

def record(path, overwrite=False):
    folder = VariantFolder(path, overwrite=overwrite)
    for k, name in enumerate(NAMES):
        folder.add(name, made(k), {"epoch": k})
        os.write(1, b"+")  # from here on it is there

def looked_at(path):
    try:
        variants = lw.Variants(path)
    except FileNotFoundError:
        return 0
    except ValueError as error:
        assert "at least one variant, got none" in str(error)
        return 0
    assert variants.names == NAMES[:len(variants)]
    assert variants.losses["epoch"].tolist() == [*range(len(variants))]
    for k, each in enumerate(variants.values()):
        assert (each["gru"].hidden_state == k).all()
    return len(variants)

def in_child(work):
    child = os.fork()
    if not child:
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(99)
    status = os.waitpid(child, 0)[1]
    assert status in (0, 7 * 256), status
    return status == 0

def dying(step):
    seen = 0
    def wrap(name):
        done = getattr(files, name)
        def operation(*given):
            nonlocal seen
            seen += 1
            if seen == step:
                if name in ("write", "append"):
                    done(*given[:-1], given[-1][: len(given[-1]) // 2])
                os._exit(7)
            return done(*given)
        setattr(files, name, operation)
    for name in ("make", "write", "append", "sync", "remove"):
        wrap(name)

def broken(path, step):
    dying(step)
    record(path)

def check(path, step):
    os.write(1, f" {looked_at(path)}".encode())
    record(path, overwrite=True)
    os.write(1, f" {looked_at(path)}\\n".encode())

base, step, ended = pathlib.Path(sys.argv[1]), 0, False
while not ended:
    step += 1
    ended = in_child(lambda: broken(base / "r", step))
    assert in_child(lambda: check(base / "r", step))
    shutil.rmtree(base / "r")
"""


def test_a_process_that_ends_at_any_operation_leaves_all_that_was_recorded(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-3000:]
    # How many were recorded when it ended, as it knew; how many are there; and the same once more.
    found = [re.fullmatch(r"(\+*) (\d)\+\+\+ 3", line) for line in done.stdout.splitlines()]
    told = [(len(match[1]), int(match[2])) for match in found if match]
    assert len(found) == len(told) > 15
    assert all(known <= there <= known + 1 for known, there in told)
    assert told == sorted(told)
    assert {there for _, there in told} == {0, 1, 2, 3}


def recording(value=0.0, name="lstm"):
    values = {"hidden_state": np.full((2, 3, 2), value, np.float32)}
    return Recording.from_layers([RecordedLayer(name, "LSTM", values)])


@pytest.mark.parametrize("operation", ["write", "append"])
def test_a_full_disk_costs_the_variant_that_has_no_room(tmp_path, monkeypatch, operation):
    folder = VariantFolder(tmp_path / "run", overwrite=False)
    folder.add("one", recording(1), {"epoch": 1})
    done = getattr(files, operation)

    def full(*given):
        done(*given[:-1], given[-1][:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, operation, full)
        with pytest.raises(OSError, match="No space left"):
            folder.add("two", recording(2), {"epoch": 2})
    assert lw.Variants(tmp_path / "run").names == ("one",)
    folder.add("three", recording(3), {"epoch": 3})
    variants = lw.Variants(tmp_path / "run")
    assert variants.names == ("one", "three")
    assert (variants["three"]["lstm"].hidden_state == 3).all()
    assert variants.losses["epoch"].tolist() == [1, 3]


def test_a_recording_that_the_disk_lost_is_told_and_left_out(tmp_path):
    folder = VariantFolder(tmp_path, overwrite=False)
    paths = [folder.add(name, recording(k), {}) for k, name in enumerate("abcd")]
    paths[1].unlink()
    paths[3].write_bytes(paths[3].read_bytes()[:-9])
    with pytest.warns(UserWarning, match="'b', 'd' in .* can't be read"):
        assert lw.Variants(tmp_path).names == ("a", "c")


def test_names_that_are_the_same_to_some_file_systems_are_kept_apart(tmp_path):
    folder = VariantFolder(tmp_path, overwrite=False)
    names = ("a", "A", "a ", "Ä", "å" * 200, "con")
    paths = [folder.add(name, recording(k), {}) for k, name in enumerate(names)]
    assert len({path.name.lower() for path in paths}) == len(names)
    assert all(len(path.name) < 80 and path.name.isascii() for path in paths)
    variants = lw.Variants(tmp_path)
    assert variants.names == names
    assert [float(each["lstm"].hidden_state[0, 0, 0]) for each in variants.values()] == [*range(6)]


# The file of one -----------------------------------------------------------------------------------


def everything(seed=0):
    """Make a recording that has all that one may have, of two layers."""
    rng = np.random.default_rng(seed)
    mask = np.arange(40) < np.array([[40], [31], [7]])
    tokens = rng.choice(["a", "the", "Ä"], (3, 40)).astype(object)
    days = Times(np.arange(40).astype("M8[D]").astype("M8[ns]"))

    def signal(cells):
        return rng.normal(size=(3, 40, cells)).astype(np.float32)

    layers = [
        RecordedLayer(
            *("one/forward", "LSTM", {"hidden_state": signal(4), "cell_state": signal(4)}),
            mask=mask,
            tokens=tokens,
            times=days,
            check={"mode": "full", "difference": 1e-7 * (seed + 1), "tolerance": np.inf}
            | {"examples": 3, "timesteps": 40},
            initial={"hidden_state": signal(4)[:, 0]},
        ),
        RecordedLayer("two", "GRU", {"hidden_state": signal(5)}, config={"units": 5}),
    ]
    numbers = RecordedSeries(signal(2), ("rain", "warmth"), ("mm", ""), days)
    predictions = RecordedPredictions(
        rng.integers(0, 3, (3, 40, 2), np.int32), signal(2), signal(1)[..., 0]
    )
    more = {"labels": ["x", "y", "z"], "inputs": numbers, "predictions": predictions}
    return Recording.from_layers(layers, attrs={"model": "m", "seed": seed}, **more)


@pytest.mark.parametrize("chunk", [layout.CHUNK_BYTES, 4 * 4 * 9])
def test_a_zip_file_has_the_files_that_a_save_has(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(layout, "CHUNK_BYTES", chunk)
    zipped = Zipped()
    for seed in range(2):  # the second takes from the first what is the same
        made, path = everything(seed), tmp_path / str(seed)
        content = zipped.content(*contents_of(made))
        made.save(path)
        (data,) = path.glob("data-*")
        saved = {
            file.relative_to(data).as_posix(): file.read_bytes()
            for file in data.rglob("*")
            if file.is_file()
        }
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = {
                name.partition("/")[2]: archive.read(name)
                for name in archive.namelist()
                if name.startswith("data-")
            }
        assert found == saved
        file = path.with_suffix(".zip")
        file.write_bytes(content)
        opened = lw.open_recording(file)
        assert opened.tree.identical(lw.open_recording(path).tree)
        assert opened.tree.identical(made.tree)
        store = zarr.open_group(zarr.storage.ZipStore(file), mode="r")
        name = f"{data.name[:5]}{0:032x}/1-two/hidden_state"
        np.testing.assert_array_equal(store[name][:], made["two"].hidden_state)


def test_a_saved_recording_is_that_of_its_tree_once_there_is_one(tmp_path):
    made = recording(1)
    made.tree.attrs["mine"] = "yes"
    made["lstm"].hidden_state[0, 0, 0] = 5
    made.notes["lstm", 1] = "a name"
    made.save(tmp_path / "r")
    opened = lw.open_recording(tmp_path / "r")
    assert opened.tree.attrs["mine"] == "yes"
    assert float(opened["lstm"].hidden_state[0, 0, 0]) == 5
    assert opened.notes["lstm", 1] == "a name"


@pytest.mark.parametrize("text", ["", "{", '{"format": 2}', '{"format": 2}\n{"name": "a", "fi'])
def test_a_list_without_a_whole_line_has_no_variants(tmp_path, text):
    (tmp_path / LIST).write_text(text)
    with pytest.raises(ValueError, match="at least one variant, got none"):
        lw.Variants(tmp_path)
    VariantFolder(tmp_path, overwrite=False).add("one", recording(1), {})
    assert lw.Variants(tmp_path).names == ("one",)
