"""How functions are compiled, where Numba keeps what comes of it, and how it is told that it compiles.

Importing this module imports Numba.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numba
from numba.core import event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["FLAGS", "cache_folder", "cached", "is_private", "jit", "rounded", "said_once"]


def _candidates() -> Iterator[Path]:
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        yield Path(given)
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA")
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    if base:
        yield Path(base).expanduser() / "lstm_widgets"


def cache_folder() -> Path | None:
    """Find, or make, a folder for compiled code that nobody else can write to.

    Compiled code is kept pickled, and reading it runs it: whoever can write there can do anything
    with the account that reads.

    Returns
    -------
    pathlib.Path or None
        ``NUMBA_CACHE_DIR`` if that is set, else one in the user's own folder for such. None if
        there is none, if it can't be written to, or if others can write to it.
    """
    for folder in _candidates():
        with contextlib.suppress(OSError, RuntimeError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if is_private(folder) and os.access(folder, os.W_OK | os.X_OK):
                return folder.resolve()
    return None


def is_private(folder: Path) -> bool:
    """Whether nobody but this user (and the administrator) can put anything into a folder.

    That is so if both it and all that is above it belong to one of them, and others may not write
    there; above it they may if they can't rename what isn't theirs, as in ``/tmp``.
    """
    if not hasattr(os, "getuid"):  # Windows, where the user's own folder is
        return True
    folder = folder.resolve()
    for place in (folder, *folder.parents):
        found = place.stat()
        if found.st_uid not in (os.getuid(), 0):
            return False
        writable = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if writable and (place == folder or not found.st_mode & stat.S_ISVTX):
            return False
    # The administrator's own folder may be written to by a user who is none.
    return True


# Products and sums may become one operation with one rounding. Nothing else may be moved about, and no
# value is taken to be finite.
FLAGS = {"contract"}
_OPTIONS: Any = {"nogil": True, "fastmath": FLAGS, "error_model": "numpy"}


def _folder() -> str | None:
    """Tell where what is compiled is kept: a folder for just these sources.

    Numba looks at the file of a function, and not at those of the functions that it calls.
    """
    folder = cache_folder()
    if folder is None:
        return None
    here = Path(__file__).parent
    sources = [*sorted(here.glob("compil*.py")), here / "meeting.py"]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    return str(folder / f"loops-{digest[:16]}")


_FOLDER = _folder()


def jit(function: Callable[..., Any]) -> Any:  # noqa: ANN401 - Numba has no types
    """Let a function be compiled as soon as it is called, or what calls it is."""
    return numba.njit(function, **_OPTIONS)


def cached(function: Callable[..., Any]) -> Any:  # noqa: ANN401
    """Let a function be compiled once a machine, with all that it calls."""
    return _cached(function, _OPTIONS)


def rounded(function: Callable[..., Any]) -> Any:  # noqa: ANN401
    """Let a function be compiled once a machine, and each operation round by itself, as NumPy's do."""
    return _cached(function, _OPTIONS | {"fastmath": False})


def _cached(function: Callable[..., Any], options: dict[str, Any]) -> Any:  # noqa: ANN401
    config: Any = numba.config  # whose values mypy doesn't see
    before = config.CACHE_DIR
    try:
        if _FOLDER is not None:
            config.CACHE_DIR = _FOLDER
        return numba.njit(function, cache=_FOLDER is not None, **options)
    finally:
        config.CACHE_DIR = before


@functools.cache
def _listener() -> Any:  # noqa: ANN401 - Numba has no types
    class Saying(event.Listener):
        """Says once that something is compiled, and not read from the cache."""

        said = False

        def on_start(self, event: Any) -> None:  # noqa: ANN401, ARG002
            if not Saying.said:
                Saying.said = True
                sys.stderr.write(
                    "lstm_widgets compiles its recurrent loops for this processor: some seconds, "
                    "the first time only\n"
                )

        def on_end(self, event: Any) -> None:  # noqa: ANN401
            pass

    return Saying()


@contextlib.contextmanager
def said_once() -> Iterator[None]:
    """Say on the standard error stream, once a process, if anything is compiled meanwhile."""
    with event.install_listener("numba:compile", _listener()):
        yield
