"""One writer at a time: a lock that ends with the process that holds it."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Lock"]

NAME = ".writing"


class Lock:
    """The right to write to a folder, until :meth:`give_up` or the end of the process.

    A file in the folder says which process holds it. The system locks that file, too, and lets it go
    when the process ends, however it ends: so a file that was left behind locks nothing. Where the file
    system has no locks, the file alone counts, and has to be deleted by hand if it is left behind.

    Parameters
    ----------
    folder : pathlib.Path
        The folder.

    Raises
    ------
    FileExistsError
        If another writer holds it.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._handle = self._taken()

    def _taken(self) -> int:
        while True:
            try:
                handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
                new = True
            except FileExistsError:
                new = False
                try:
                    handle = os.open(self._path, os.O_RDWR)
                except FileNotFoundError:
                    continue  # given up in between
            locked = _locked(handle)
            if locked is False or (locked is None and not new):
                os.close(handle)
                raise FileExistsError(self._held(known=locked is not None))
            # Who gives up removes the file: a lock on a removed one is none.
            if new or _same(handle, self._path):
                identity = {"process": os.getpid(), "host": socket.gethostname()}
                os.ftruncate(handle, 0)
                os.write(handle, json.dumps(identity).encode())
                return handle
            os.close(handle)

    def _held(self, *, known: bool) -> str:
        folder = str(self._path.parent)
        try:
            identity = json.loads(self._path.read_text(encoding="utf-8"))
            who = f"process {identity['process']} on {identity['host']}"
        except (OSError, ValueError, KeyError, TypeError):
            who = "another process"
        if known:
            return f"path: {folder!r} is being written by {who}"
        return f"path: {folder!r} is being written by {who}; if that has ended, delete {str(self._path)!r}"

    def give_up(self) -> None:
        """Let others write."""
        if self._handle < 0:
            return
        handle, self._handle = self._handle, -1
        if os.name == "nt":  # which removes no open file
            os.close(handle)
            self._path.unlink(missing_ok=True)
        else:
            self._path.unlink(missing_ok=True)
            os.close(handle)


def _same(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _locked(handle: int) -> bool | None:
    """Lock an open file; False if another has, None if the file system has no locks."""
    try:
        if os.name == "nt":
            import msvcrt  # noqa: PLC0415

            # Far behind what is in it, which others may go on reading.
            os.lseek(handle, 2**30, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
            os.lseek(handle, 0, os.SEEK_SET)
        else:
            import fcntl  # noqa: PLC0415

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None
    return True
