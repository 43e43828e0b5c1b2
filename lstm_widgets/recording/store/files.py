"""What is done to the disk while a recording is written, one operation a function."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["append", "clear", "make", "put", "remove", "replace", "sync", "write"]


# Files from so many bytes on go to the disk past the system's cache.
_LARGE = 1 << 18
# In such parts, which begin in memory at a multiple of it.
_PAGE = 1 << 12


def make(folder: Path) -> None:
    """Make a folder, and those that it stands in."""
    folder.mkdir(parents=True, exist_ok=True)


def write(path: Path, *data: bytes | memoryview) -> None:
    """Write a file of some parts, whole or with an error."""
    with path.open("wb") as file:
        if sum(map(len, data)) >= _LARGE:
            content = _room.holding(data)
            file.write(content[_written_directly(file.fileno(), content) :])
        else:
            file.writelines(data)


class _Room(threading.local):
    """Memory of a thread, which begins at a page, for what is in a file."""

    def __init__(self) -> None:
        self._memory = np.empty(0, np.uint8)

    def holding(self, data: tuple[bytes | memoryview, ...]) -> memoryview:
        """Put parts one behind the other."""
        size = sum(map(len, data))
        if size > len(self._memory):
            memory = np.empty(size + _PAGE, np.uint8)
            self._memory = memory[-memory.ctypes.data % _PAGE :]
        content, start = self._memory.data[:size], 0
        for part in data:
            content[start : start + len(part)] = part
            start += len(part)
        return content


_room = _Room()


def _written_directly(handle: int, content: memoryview) -> int:
    """Write the whole pages of a new file from memory to the disk; tell how many bytes are written.

    What is recorded is seldom read soon. To copy it to where the system would keep files takes as long as
    compressing it, of a processor that computes meanwhile. Not every system and disk can do without: then
    nothing is written.
    """
    direct, written = getattr(os, "O_DIRECT", 0), 0
    if direct:
        import fcntl  # noqa: PLC0415 - there is none on Windows

        usual = fcntl.fcntl(handle, fcntl.F_GETFL)
        # What goes wrong is told when it is written as usual.
        with contextlib.suppress(OSError):
            fcntl.fcntl(handle, fcntl.F_SETFL, usual | direct)
            written = os.write(handle, content[: len(content) // _PAGE * _PAGE])
        fcntl.fcntl(handle, fcntl.F_SETFL, usual)
    return written


def append(path: Path, at: int, data: bytes) -> None:
    """Write behind so many bytes of a file, whatever stands there."""
    with path.open("r+b" if at else "wb") as file:
        file.seek(at)
        file.write(data)
        file.truncate()


def replace(draft: Path, path: Path) -> None:
    """Put a file in the place of another, or of none, at once."""
    draft.replace(path)


def sync(path: Path) -> None:
    """Have the system write a file or a folder through to the disk."""
    if os.name == "nt" and path.is_dir():  # which Windows can't, and needn't
        return
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Remove a file or a folder; what can't be removed stays."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def clear(folder: Path) -> None:
    """Remove the drafts that :func:`put` left behind when its process ended."""
    for draft in [*folder.rglob(".c.*"), *folder.rglob(".zarr.json")]:
        remove(draft)


def put(path: Path, *data: bytes | memoryview, synced: bool) -> None:
    """Write a file so that at all times the old one stands there, or the new one, or none.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    *data : bytes
        What is in it, part behind part.
    synced : bool
        Whether it takes the place of what must not be lost: then the disk has it before.
    """
    draft = path.with_name(f".{path.name}")
    try:
        write(draft, *data)
        if synced:
            sync(draft)
        replace(draft, path)
    except BaseException as error:
        draft.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:  # as of a full disk
            error.filename = str(path)
        raise
