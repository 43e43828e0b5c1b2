"""What is done to the disk while a recording is written, one operation a function."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["clear", "make", "put", "remove", "replace", "sync", "write"]


def make(folder: Path) -> None:
    """Make a folder, and those that it stands in."""
    folder.mkdir(parents=True, exist_ok=True)


def write(path: Path, *data: bytes | memoryview) -> None:
    """Write a file of some parts, whole or with an error."""
    with path.open("wb") as file:
        file.writelines(data)


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
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
