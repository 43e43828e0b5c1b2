"""A folder of variants: a recording each, and a list that tells their names, their order and their losses.

A recording is a zip file, and the list has a line for each, which is added when the recording is there: what
ends the process leaves all that is in the list. Both are on their way to the disk then, in a thread; what
the disk hasn't got when the machine itself ends, and all after it, is taken for not recorded.
"""

from __future__ import annotations

import contextlib
import json
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from lstm_widgets.errors import RecordingFileError
from lstm_widgets.recording.file_names import file_name
from lstm_widgets.recording.recording import contents_of, store_module

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from os import PathLike

    from lstm_widgets.recording.recording import Recording

__all__ = ["LIST", "VariantFolder", "losses_of", "read_variants"]

#: The list: a line that tells the format, and one for each variant, of JSON.
LIST = "variants.jsonl"
FORMAT = 2


class VariantFolder:
    """A folder that recordings are put into, one a variant.

    Parameters
    ----------
    path : path-like
        The folder to make, or one that has variants already.
    overwrite : bool
        Whether variants that are there may be removed. Nothing else ever is.

    Raises
    ------
    FileExistsError
        If something stands there that may not be replaced.
    """

    def __init__(self, path: str | PathLike[str], *, overwrite: bool) -> None:
        self.path = Path(path)
        self._store = store_module()
        self._zipped = self._store.Zipped()
        self._writer: Any = None
        self._count = self._size = 0
        if not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir())):
            return
        if not (self.path / LIST).is_file():
            raise FileExistsError(
                f"to: expected a folder for variants, found something else at {str(self.path)!r}"
            )
        entries = _entries(self.path)
        if entries and not overwrite:
            raise FileExistsError(
                f"to: there are variants at {str(self.path)!r} already: open them with "
                "Variants(...), choose another folder, or say overwrite=True"
            )
        (self.path / LIST).unlink()
        for entry in entries:
            (self.path / entry["file"]).unlink(missing_ok=True)

    def add(self, name: str, recording: Recording, told: Mapping[str, Any]) -> Path:
        """Write a variant, and then note that it is there; give its path."""
        files = self._store.files
        path, told_of = self.path / f"{file_name(self._count, name)}.zip", self.path / LIST
        content = self._zipped.content(*contents_of(recording))
        files.make(self.path)
        if not self._size:
            self._append({"format": FORMAT})
        try:
            files.write(path, content)
        except BaseException:
            files.remove(path)
            raise
        self._append({"name": name, "file": path.name, "bytes": len(content), "told": {**told}})
        self._count += 1
        if self._writer is None:
            self._writer = self._store.disk.Writer()
        self._writer.do(partial(_synced, files.sync, path, told_of, self.path))
        return path

    def _append(self, line: Mapping[str, Any]) -> None:
        """Add a line to the list; if that ends half way, the next one takes its place."""
        data = f"{json.dumps(line)}\n".encode()
        self._store.files.append(self.path / LIST, self._size, data)
        self._size += len(data)


def _synced(sync: Callable[[Path], None], *paths: Path) -> None:
    """Have the disk hold files; where that can't be had, the system sees to them as to any other."""
    for path in paths:
        with contextlib.suppress(OSError):
            sync(path)


def read_variants(path: str | PathLike[str]) -> tuple[dict[str, Path], pd.DataFrame]:
    """Read the list of a folder: the path of each variant, and the losses beside.

    Raises
    ------
    FileNotFoundError
        If there is no list.
    RecordingFileError
        If the list is damaged, or of a newer version.
    """
    folder = Path(path)
    if not (folder / LIST).is_file():
        raise FileNotFoundError(
            f"recordings: expected a folder of variants, as TrainingRecorder(to=...) writes; found no "
            f"{LIST} in {str(folder)!r}"
        )
    entries = _entries(folder)
    whole = [entry for entry in entries if _is_whole(folder / entry["file"], entry["bytes"])]
    if len(whole) < len(entries):
        lost = [entry["name"] for entry in entries if entry not in whole]
        warnings.warn(
            f"recordings: {', '.join(map(repr, lost))} in {str(folder)!r} can't be read: files were lost or "
            "cut short since they were written",
            stacklevel=4,
        )
    entries = whole
    paths = {entry["name"]: folder / entry["file"] for entry in entries}
    return paths, losses_of({entry["name"]: entry["told"] for entry in entries})


def losses_of(told: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Make a table of what is told beside each variant: a row each.

    Examples
    --------
    >>> losses_of({"epoch 0": {"epoch": 0}, "epoch 1": {"epoch": 1, "loss": 0.5}})
       variant  epoch  loss
    0  epoch 0      0   NaN
    1  epoch 1      1   0.5
    """
    return pd.DataFrame([{"variant": name, **each} for name, each in told.items()])


def _is_whole(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _entries(folder: Path) -> list[dict[str, Any]]:
    """Read the list, whose last line may have been cut short when the process ended."""
    source = f"{LIST} in {str(folder)!r}"
    first, *lines = (folder / LIST).read_bytes().split(b"\n")
    if not lines:
        return []
    try:
        version = json.loads(first)["format"]
        known: list[dict[str, Any]] = [
            {
                "name": str(entry["name"]),
                "file": str(entry["file"]),
                "bytes": int(entry["bytes"]),
                "told": dict(entry["told"]),
            }
            for entry in map(json.loads, lines[:-1])
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise RecordingFileError(f"recordings: {source} is damaged: {error!r}") from error
    if version != FORMAT:
        raise RecordingFileError(
            f"recordings: {source} has format {version!r}, and this version reads {FORMAT}"
        )
    for entry in known:
        # What is in a list may come from anyone: nothing in it leads out of the folder.
        name = entry["file"]
        if not name or name in {".", ".."} or {"/", "\\", ":", "\0"} & set(name):
            raise RecordingFileError(f"recordings: {source} leads elsewhere, to {name!r:.80}")
    return known
