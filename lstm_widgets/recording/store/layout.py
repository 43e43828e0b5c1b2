"""What a recording on disk consists of; see :mod:`lstm_widgets.recording.store`."""

from __future__ import annotations

import base64
import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.recording.recorded import INITIAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

FORMAT = 4
CHUNK_BYTES = 2**21
COORDINATES = ("token", "channel", "output", "unit", "time", "position", "label")
AXES = ("example", "timestep", "cell", "rank")
BESIDE = ("predictions", "inputs", "outputs", "targets")
DATE: np.dtype[Any] = np.dtype("M8[ns]")
# What the arrays of a recording are made of. Nothing else is opened, so that no file can choose
# which of the installed codecs runs (some of them unpickle).
DTYPES: dict[str, np.dtype[Any]] = {
    "float16": np.dtype(np.float16),
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
    "int64": np.dtype(np.int64),
    "int32": np.dtype(np.int32),
    "bool": np.dtype(np.bool_),
    "string": np.dtype(object),
}
CODECS = {"bytes", "vlen-utf8", "blosc", "crc32c"}

METADATA = "zarr.json"
DATA = re.compile(r"data-[0-9a-f]{32}")
RESUME = "resume"
# What an array is in memory, and what it is on the disk.
KINDS: dict[str, np.dtype[Any]] = {
    **{name: dtype for name, dtype in DTYPES.items() if name != "float16"},
    "date": DATE,
}
DISK: dict[str, np.dtype[Any]] = {**DTYPES, "date": np.dtype(np.int64)}


def read_marker(path: Path) -> dict[str, Any] | None:
    """Read what says that a recording is whole, and which data are its; None where nothing does."""
    try:
        return marker_of(json.loads((path / METADATA).read_bytes()))
    except (OSError, ValueError, RecursionError):
        return None


def marker_of(metadata: Any) -> dict[str, Any] | None:  # noqa: ANN401 - whatever JSON can hold
    """Find the marker in the metadata of a recording; None where there is none."""
    try:
        marker = metadata["attributes"]["lstm_widgets_recording"]
    except (KeyError, TypeError):
        return None
    whole = isinstance(marker, dict) and type(marker.get("format")) is int
    return marker if whole else None


def new_marker(
    data: str,
    layers: Mapping[str, str],
    beside: Iterable[str],
    attrs: Mapping[str, Any],
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """Make what says that this is a recording: its data, its layers (group and name), what is beside them."""
    there = set(beside)
    return {
        "lstm_widgets_recording": {
            "format": FORMAT,
            "data": data,
            "groups": list(layers),
            **{what: what in there for what in BESIDE},
            "attrs": strict({"layers": list(layers.values()), **attrs}),
            **more,
        }
    }


def consolidated(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Put the metadata of all groups and arrays, by path, as Zarr's consolidated metadata.

    They stand in the marker, so that a recording is opened by one request however many arrays it has;
    and as the marker is replaced in one step, they are always those of what is complete.
    """
    return {"kind": "inline", "must_understand": False, "metadata": dict(metadata)}


def coordinates(names: Iterable[str]) -> list[str]:
    """List those names that coordinates have, in the order in which a new recording has them."""
    known = list(names)
    initial = [name for name in known if name.startswith(INITIAL)]
    return [*(name for name in COORDINATES if name in known), *initial]


def table_of(name: str) -> str:
    """Name the array of strings that the codes of an array stand for."""
    return f"{name}s"


def chunks(sizes: Sequence[int | None], dtype: np.dtype[Any]) -> tuple[int, ...]:
    """Cut so that a chunk holds all cells of a block of timesteps, of as many examples as fit.

    None is a length that grows.
    """
    # Strings as if they took 16 bytes, and what takes few bytes not in chunks of millions.
    room = CHUNK_BYTES // (16 if dtype == np.dtype(object) else max(4, dtype.itemsize))
    lengths = [room if size is None else max(1, size) for size in sizes]
    examples, timesteps, cells = (*lengths, 1, 1)[:3]
    steps = max(1, min(timesteps, room // cells))
    batch = max(1, min(examples, room // (steps * cells)))
    return (batch, steps, cells)[: len(sizes)]


def count(folder: Path) -> tuple[int, int]:
    """Count the files and their bytes, but not what a file browser leaves behind."""
    sizes = [
        (Path(root) / file).stat().st_size
        for root, _, files in os.walk(folder)
        for file in files
        if not file.startswith(".")
    ]
    return len(sizes), sum(sizes)


def packed(statistics: npt.NDArray[np.float32]) -> str:
    """Write the statistics of a signal, float32 (3, cell), as text: in a marker they change with it."""
    return base64.b64encode(statistics.astype("<f4").tobytes()).decode("ascii")


def unpacked(text: str) -> npt.NDArray[np.float32]:
    """Read what :func:`packed` wrote."""
    values = np.frombuffer(base64.b64decode(text, validate=True), "<f4")
    return values.reshape(3, -1).astype(np.float32)


def strict(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Write numbers that JSON doesn't have as ``{"float": "inf"}``: other readers take no others."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return _strict(value)
    return value  # which is most often so, and quicker to find out than to be made


def _strict(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, Mapping):
        return {key: _strict(each) for key, each in value.items()}
    return [*map(_strict, value)] if isinstance(value, (list, tuple)) else value


def floats(value: Any) -> Any:  # noqa: ANN401
    """Read what :func:`strict` wrote."""
    if isinstance(value, list):
        return [*map(floats, value)]
    if not isinstance(value, dict):
        return value
    if [*value] == ["float"]:
        return float(value["float"])
    return {key: floats(each) for key, each in value.items()}
