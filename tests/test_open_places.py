"""A recording opens the same wherever it stands, and nothing that stands elsewhere is touched."""

from __future__ import annotations

import os
import pickle
import shutil
import warnings
import zipfile
from pathlib import Path

import fsspec
import numpy as np
import pytest
import xarray as xr
import zarr.storage
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry

from lstm_widgets.errors import RecordingFileError
from lstm_widgets.recording import RecordedLayer, Recording, open_recording
from lstm_widgets.recording.store import places

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    values = {
        name: RNG.normal(size=(2, 9, 5)).astype(np.float32) for name in ("hidden_state", "gate")
    }
    tokens = np.array([*"the cat sat on a mat."[:18], ""], object)[:-1].reshape(2, 9)
    mask = np.arange(9) < np.array([[9], [4]])
    recording = Recording.from_layers(
        [RecordedLayer("a/b", "GRU", values, mask, tokens), RecordedLayer("c", "LSTM", values)],
        labels=["one", "two"],
    )
    path = tmp_path_factory.mktemp("a place") / "run.zarr"
    recording.save(path)
    return recording, path


def archive(saved, path, top=""):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for each in saved.rglob("*"):
            if each.is_file():
                file.write(each, f"{top}{each.relative_to(saved).as_posix()}")
        if top:
            for left in ("__MACOSX/._zarr.json", ".DS_Store"):
                file.writestr(left, b"left by a file browser")
    return path


def in_memory(path, name):
    files = fsspec.filesystem("memory")
    files.put(str(path), f"/{name}", recursive=True)
    return files


def wanderer(path):
    """Open a store of Zarr in memory."""
    held = {
        file.relative_to(path).as_posix(): zarr.core.buffer.cpu.Buffer.from_bytes(file.read_bytes())
        for file in path.rglob("*")
        if file.is_file()
    }
    return zarr.storage.MemoryStore(held)


def mapper(path, _):
    return in_memory(path, "mapped").get_mapper("/mapped")


def address(path, _):
    in_memory(path, "addressed")
    return "Memory://addressed/"


PLACES = {
    "str": lambda path, _: str(path),
    "path": lambda path, _: path,
    "file": lambda path, _: path.as_uri(),
    "zip": lambda path, folder: archive(path, folder / "run.zip"),
    "zip with a folder": lambda path, folder: archive(path, folder / "run.zip", "run.zarr/"),
    "memory": address,
    "mapper": mapper,
    "local store": lambda path, _: zarr.storage.LocalStore(path, read_only=True),
    "store in memory": lambda path, _: wanderer(path),
    "store path": lambda path, _: zarr.storage.StorePath(
        zarr.storage.LocalStore(path.parent), path.name
    ),
    "zip store": lambda path, folder: zarr.storage.ZipStore(archive(path, folder / "run.zip")),
}


@pytest.mark.parametrize("place", PLACES)
def test_it_opens_the_same_wherever_it_stands(saved, tmp_path, place):
    recording, path = saved
    opened = open_recording(PLACES[place](path, tmp_path))
    assert opened.layers == recording.layers
    assert repr(opened) == repr(recording)
    for name in recording.layers:
        xr.testing.assert_identical(opened[name], recording[name])
        sent = pickle.loads(pickle.dumps(opened[name]))
        xr.testing.assert_identical(sent, recording[name])


def test_nothing_is_written_where_it_is_read(saved, tmp_path):
    shutil.copytree(saved[1], tmp_path / "run")
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "run").rglob("*")}
    opened = open_recording(zarr.storage.LocalStore(tmp_path / "run"))
    opened["c"].load()
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "run").rglob("*")} == before


def test_a_layer_is_sent_as_where_it_stands(tmp_path):
    values = RNG.normal(size=(1, 50_000, 8)).astype(np.float32)
    Recording.from_layers([RecordedLayer("lstm", "LSTM", {"hidden_state": values})]).save(
        tmp_path / "run"
    )
    in_memory(tmp_path / "run", "sent")
    for place in (
        tmp_path / "run",
        archive(tmp_path / "run", tmp_path / "run.zip"),
        "memory://sent",
    ):
        opened = open_recording(place)
        assert len(pickle.dumps(opened["lstm"])) < 10_000
        opened["lstm"].hidden_state[0, 3].load()
        assert len(pickle.dumps(opened["lstm"].hidden_state.variable)) < 10_000


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("simplecache::memory://run", "chained"),
        ("zip://x.zarr::memory://run.zip", "chained"),
        ("memory://run::memory://other", "chained"),
        ("reference://run", "address of file://, memory://"),
        ("zip://run", "store of your own making"),
        ("dir://run", "address of"),
        ("github://run", "address of"),
        ("ssh://somebody:secret@host/run", "'ssh://host/run'"),
        ("ftp://host/run", "address of"),
        ("REFERENCE://run", "address of"),
        ("https://host/run.zarr?signature=secret", r"'https://host/run.zarr'.*query"),
        ("s3://bucket/run.zip", "copy it here"),
        ("file://elsewhere/run", "this machine"),
    ],
)
def test_addresses_that_may_lead_elsewhere_are_refused(monkeypatch, address, told):
    monkeypatch.setattr(fsspec, "filesystem", pytest.fail)
    monkeypatch.setattr(fsspec.core, "url_to_fs", pytest.fail)
    monkeypatch.setattr(fsspec, "url_to_fs", pytest.fail)
    with pytest.raises(ValueError, match=told) as error:
        open_recording(address)
    assert "secret" not in str(error.value)


def test_what_is_no_place_is_named(saved, tmp_path):
    for wrong in (7, None, b"run", ["run"], {"zarr.json": b""}):
        with pytest.raises(TypeError, match="path: expected a directory or a zip file"):
            open_recording(wrong)
    with pytest.raises(ValueError, match="storage_options: expected an address"):
        open_recording(saved[1], storage_options={"anon": True})
    with pytest.raises(FileNotFoundError, match=r"found nothing at 'zip::run\.zip'"):
        open_recording("zip::run.zip")
    with pytest.raises(RecordingFileError, match=r"got 'memory://nowhere', which isn't one"):
        open_recording("memory://nowhere")
    (tmp_path / "empty.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    with pytest.raises(RecordingFileError, match="which isn't one"):
        open_recording(tmp_path / "empty.zip")


def test_storage_options_come_to_the_file_system(saved, monkeypatch):
    seen = []

    class Asked(MemoryFileSystem):
        protocol = "az"

        def __init__(self, *args, **kwargs):
            seen.append(kwargs.get("account_key"))
            super().__init__(*args, **kwargs)

        @classmethod
        def _strip_protocol(cls, path):
            return "/" + path.removeprefix("az://").strip("/")

    in_memory(saved[1], "asked")
    monkeypatch.setitem(_registry, "az", Asked)
    opened = open_recording("az://asked", storage_options={"account_key": "secret"})
    assert seen == ["secret"]
    xr.testing.assert_identical(opened["c"], saved[0]["c"])
    assert "secret" not in repr(opened["c"].hidden_state.encoding)


@pytest.fixture
def copy(saved, tmp_path):
    return Path(shutil.copytree(saved[1], tmp_path / "copy"))


def chunk_of(path):
    return next(
        file for file in sorted(path.glob("data-*/1-c/gate/c*")) if file.name != "zarr.json"
    )


def one_file(path):
    path = chunk_of(path)
    return path if path.is_file() else next(file for file in path.rglob("*") if file.is_file())


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("which", ["chunk", "array", "layer", "data"])
def test_links_that_lead_out_of_it_are_not_followed(copy, tmp_path, which):
    chunk = one_file(copy)
    data = next(copy.glob("data-*"))
    target = {"chunk": chunk, "array": data / "1-c" / "gate", "layer": data / "1-c", "data": data}
    moved = shutil.move(target[which], tmp_path / "outside")
    target[which].symlink_to(moved)
    with pytest.raises(RecordingFileError, match="a link that leads out of the recording"):
        quietly(copy)["c"].gate.load()


def quietly(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return open_recording(path)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_within_it_and_to_it_are_followed(saved, copy, tmp_path):
    chunk = one_file(copy)
    shutil.move(chunk, copy / "chunk")
    chunk.symlink_to(copy / "chunk")
    (tmp_path / "link").symlink_to(copy)
    opened = quietly(tmp_path / "link")
    np.testing.assert_array_equal(opened["c"].gate, saved[0]["c"].gate)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes there")
def test_what_never_ends_is_not_read(copy):
    chunk = one_file(copy)
    chunk.unlink()
    os.mkfifo(chunk)
    with pytest.raises(RecordingFileError, match="'gate' of layer 'c' is lost"):
        quietly(copy)["c"].gate.load()


def test_files_larger_than_any_of_a_recording_are_not_read(copy, tmp_path, monkeypatch):
    one_file(copy).write_bytes(bytes(100_000))
    archive(copy, tmp_path / "run.zip")
    assert (tmp_path / "run.zip").stat().st_size < 20_000
    monkeypatch.setattr(places, "LARGEST", 50_000)
    for place in (copy, tmp_path / "run.zip"):
        with pytest.raises(RecordingFileError, match="has 100000 bytes"):
            quietly(place)["c"].gate.load()


def test_a_zip_file_that_was_replaced_is_noticed(saved, tmp_path):
    path = archive(saved[1], tmp_path / "run.zip")
    opened = open_recording(path)
    sent = pickle.dumps(opened["c"])
    archive(saved[1], path, "run.zarr/")
    places._archive.cache_clear()
    with pytest.raises(RecordingFileError, match="replaced since it was opened"):
        pickle.loads(sent).gate.load()


def test_the_beginning_of_a_zip_file_is_told_as_such(saved, tmp_path):
    path = archive(saved[1], tmp_path / "run.zip")
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(RecordingFileError, match="beginning of a zip file, whose end is missing"):
        open_recording(path)


def test_a_damaged_zip_file_is_named(saved, tmp_path):
    path = archive(saved[1], tmp_path / "run.zip")
    content = path.read_bytes()
    with zipfile.ZipFile(path) as file:
        at = file.getinfo("zarr.json").header_offset + 60
    path.write_bytes(content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :])
    with pytest.raises(RecordingFileError, match=r"'zarr.json' of .*run.zip.* is damaged"):
        open_recording(path)
