"""Whole recordings as zip files, for many that are small and alike; see the package."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lstm_widgets.recording.file_names import file_name
from lstm_widgets.recording.store.arrays import Array
from lstm_widgets.recording.store.disk import Disk, group_of, json_of
from lstm_widgets.recording.store.layout import AXES, METADATA, consolidated, new_marker, strict
from lstm_widgets.recording.store.summaries import Summary
from lstm_widgets.recording.store.writing import plan_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from lstm_widgets.recording.recorded import Node
    from lstm_widgets.recording.store.disk import File
    from lstm_widgets.recording.store.plans import Plan

__all__ = ["Zipped"]

_DATA = Path(f"data-{0:032x}")
_READABLE = 0o644 << 16


class Zipped:
    """Makes zip files of recordings; what is the same as in the one before is taken from there."""

    def __init__(self) -> None:
        self._before: dict[Path, _Made] = {}

    def content(
        self, layers: Mapping[str, Node], beside: Mapping[str, Node], attrs: Mapping[str, Any]
    ) -> bytes:
        """Give what is in the file of a recording.

        Parameters
        ----------
        layers, beside, attrs : mapping
            As :func:`lstm_widgets.recording.store.writing.write` takes them.

        Returns
        -------
        bytes
        """
        entries = _Entries()
        entries.describe(_DATA, group_of({}))
        names = {file_name(k, name): name for k, name in enumerate(layers)}
        for group, node in zip(names, layers.values(), strict=True):
            self._put(entries, f"layer {names[group]}", group, node)
        for what, node in beside.items():
            self._put(entries, what, what, node)
        size = sum(map(len, entries.files.values()))
        count = {"complete": True, "files": len(entries.files), "bytes": size}
        marker = new_marker(_DATA.name, names, beside, attrs, count)
        metadata = {folder.as_posix(): each for folder, each in entries.metadata.items()}
        whole = json_of(group_of(marker, consolidated(metadata)))
        return _archive({METADATA: whole, **entries.files})

    def _put(self, entries: _Entries, told: str, group: str, node: Node) -> None:
        """Add a layer, or what stands beside the layers."""
        plan, variables, folder = plan_of(node), node.variables, _DATA / group
        entries.describe(
            folder, group_of({**strict(node.attrs), "variables": list(plan.variables)})
        )
        mask = variables["mask"].to_numpy() if "mask" in variables else None
        for name in plan.variables:
            place, values = folder / name, variables[name].to_numpy()
            made = self._before.get(place)
            if made is None or not made.is_of(plan, values):
                made = self._before[place] = _made(f"{told}: {name}", place, plan, values, mask)
            entries.files |= made.entries.files
            entries.metadata |= made.entries.metadata


class _Made(NamedTuple):
    """The files of an array, and what they are of."""

    plan: Plan
    values: npt.NDArray[Any]
    entries: _Entries

    def is_of(self, plan: Plan, values: npt.NDArray[Any]) -> bool:
        same = self.values is values or np.array_equal(self.values, values)
        return same and self.plan == plan


class _Entries(Disk):
    """Files that are only in memory."""

    def __init__(self) -> None:
        super().__init__(_DATA)
        self.files: dict[str, bytes] = {}

    def put(self, file: File) -> None:
        path, data = file
        self.files[path.as_posix()] = b"".join(data)


def _made(
    told: str, folder: Path, plan: Plan, values: npt.NDArray[Any], mask: npt.NDArray[Any] | None
) -> _Made:
    """Make the files of an array, and, of a signal, of what is summed up of it."""
    entries, variable = _Entries(), plan.variables[folder.name]
    signal = variable.dims == AXES[:3]
    array = Array(told, folder, variable, plan.sizes, masked=signal and mask is not None)
    summary = Summary(folder, values.shape[-1]) if signal else None
    place = slice(0, plan.sizes.get("example") or 0), slice(0, plan.sizes.get("timestep") or 0)
    for index, chunk in array.put(place, values, mask):
        entries.put(array.file(index, chunk.values))
        if summary is not None:
            for file in summary.add(*array.columns(index, chunk)):
                entries.put(file)
    for describe in array.described(entries):
        describe()
    if summary is not None:
        summary.finish(entries, values.shape[0] * values.shape[1])
    return _Made(plan, values, entries)


def _archive(files: Mapping[str, bytes]) -> bytes:
    """Put files into a zip file, as they are: what is in them is compressed already."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = _READABLE
            archive.writestr(entry, content)
    return made.getvalue()
