"""A folder of variants: a recording each, and a list that tells their names, their order and their losses."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pandas as pd

from lstm_widgets.errors import RecordingFileError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from lstm_widgets.recording.recording import Recording

__all__ = ["LIST", "VariantFolder", "losses_of", "read_variants"]

#: The list; it is replaced in one step, after the recording that it tells of is there.
LIST = "variants.json"
FORMAT = 1
#: Of a name, so many characters name its folder: disks take up to 255 bytes, some fewer.
_LONGEST = 100


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
        self._entries: list[dict[str, Any]] = []
        if not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir())):
            return
        if not (self.path / LIST).is_file():
            raise FileExistsError(
                f"to: expected a folder for variants, found something else at {str(self.path)!r}"
            )
        if not overwrite:
            raise FileExistsError(
                f"to: there are variants at {str(self.path)!r} already: open them with "
                "Variants(...), choose another folder, or say overwrite=True"
            )
        entries = _entries(self.path)
        (self.path / LIST).unlink()
        for entry in entries:
            shutil.rmtree(self.path / entry["folder"], ignore_errors=True)

    def add(self, name: str, recording: Recording, told: Mapping[str, Any]) -> Path:
        """Write a variant, and then note that it is there; give its path."""
        folder = quote(name, safe=" +=,").replace(".", "%2E")
        if len(folder) > _LONGEST:
            folder = f"{folder[:_LONGEST]} {hashlib.sha256(name.encode()).hexdigest()[:16]}"
        recording.save(self.path / folder, overwrite=True)
        self._entries.append({"name": name, "folder": folder, "told": dict(told)})
        text = json.dumps({"format": FORMAT, "variants": self._entries}, indent=1)
        new = self.path / f"{LIST}.new"
        new.write_text(text, encoding="utf-8")
        new.replace(self.path / LIST)
        return self.path / folder


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
    paths = {entry["name"]: folder / entry["folder"] for entry in entries}
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


def _entries(folder: Path) -> list[dict[str, Any]]:
    source = f"{LIST} in {str(folder)!r}"
    try:
        found = json.loads((folder / LIST).read_bytes())
        version, entries = found["format"], found["variants"]
        known: list[dict[str, Any]] = [
            {"name": str(e["name"]), "folder": str(e["folder"]), "told": dict(e["told"])}
            for e in entries
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise RecordingFileError(f"recordings: {source} is damaged: {error}") from error
    if version != FORMAT:
        raise RecordingFileError(
            f"recordings: {source} has format {version!r}, and this version reads {FORMAT}"
        )
    for entry in known:
        # What is in a list may come from anyone: nothing in it leads out of the folder.
        name = entry["folder"]
        if not name or name in {".", ".."} or {"/", "\\", ":", "\0"} & set(name):
            raise RecordingFileError(f"recordings: {source} leads elsewhere, to {name!r:.80}")
    return known
