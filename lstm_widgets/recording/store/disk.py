"""What was written and isn't on the disk yet, and the thread that writes it."""

from __future__ import annotations

import json
import queue
import threading
from typing import TYPE_CHECKING, Any

from lstm_widgets.recording.store import files
from lstm_widgets.recording.store.layout import METADATA

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    # A file, and what is in it, part behind part.
    File = tuple[Path, tuple[bytes, ...]]

__all__ = ["Disk", "Writer", "group_of", "json_of"]

# Bytes that wait for the disk. When there are more, whoever computes waits, too.
_WAITING = 1 << 26
# Files that the disk may not have yet. If there are more, it gets them: then little is left to wait for
# once all has to be there.
_UNSYNCED = 64


class Disk:
    """The files that were written and that the disk may not have yet."""

    def __init__(self, data: Path) -> None:
        self._files: dict[Path, None] = {}
        #: What groups and arrays are, by their folders.
        self.metadata: dict[Path, dict[str, Any]] = {}
        self.folders: set[Path] = set()
        self._made = {data.parent}

    def put(self, file: File) -> None:
        """Write a file, in a folder that is made if it isn't there."""
        path, data = file
        folder = path.parent
        if folder not in self._made:
            files.make(folder)
            while folder not in self._made:
                self._made.add(folder)
                self.folders.add(folder)
                folder = folder.parent
            self.folders.add(folder)
        files.put(path, *data, synced=path.exists())
        self._files[path] = None
        self.folders.add(path.parent)
        if len(self._files) > _UNSYNCED:
            self._sync_files()

    def describe(self, folder: Path, metadata: dict[str, Any]) -> None:
        """Write what a group or an array is."""
        self.put((folder / METADATA, (json_of(metadata),)))
        self.metadata[folder] = metadata

    def remove(self, folder: Path) -> None:
        """Remove an array, of which nothing tells any more."""
        self._files = {path: None for path in self._files if path.parent != folder}
        self.folders.discard(folder)
        self.metadata.pop(folder, None)
        files.remove(folder)
        self.folders.add(folder.parent)

    def sync(self) -> None:
        """Have the disk hold all that was written."""
        self._sync_files()
        for folder in sorted(self.folders, reverse=True):
            files.sync(folder)
        self.folders.clear()

    def _sync_files(self) -> None:
        for path in self._files:
            files.sync(path)
        self._files.clear()


class Writer:
    """A thread that writes, one file after the other, while the caller computes."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[tuple[Callable[[], None], int] | None] = queue.Queue()
        self._waiting = 0
        self._fewer = threading.Condition()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True, name="recording")
        self._thread.start()

    def _work(self) -> None:
        while (given := self._jobs.get()) is not None:
            job, size = given
            try:
                if self._error is None:
                    job()
            except BaseException as error:  # noqa: BLE001 - comes out where the caller is
                self._error = error
            finally:
                del given, job
                with self._fewer:
                    self._waiting -= size
                    self._fewer.notify()
                self._jobs.task_done()
        self._jobs.task_done()

    def do(self, job: Callable[[], None], size: int = 0) -> None:
        """Have something done, after all before, that holds so many bytes; wait if too many wait already."""
        self._raise()
        with self._fewer:
            self._fewer.wait_for(lambda: self._waiting < _WAITING)
            self._jobs.put((job, size))
            self._waiting += size

    def wait(self) -> None:
        """Wait until all is done."""
        self._jobs.join()
        self._raise()

    def stop(self) -> None:
        """End the thread, after all that it was given."""
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error


def group_of(attributes: Mapping[str, Any], inside: dict[str, Any] | None = None) -> dict[str, Any]:
    """Make the metadata of a group."""
    metadata = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    return metadata if inside is None else {**metadata, "consolidated_metadata": inside}


def json_of(metadata: Mapping[str, Any]) -> bytes:
    """Write metadata as files have them."""
    return json.dumps(metadata, allow_nan=False).encode()
