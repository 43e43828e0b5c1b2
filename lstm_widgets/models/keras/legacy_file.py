# h5py has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""The HDF5 files of Keras 2, read without running anything in them."""

from __future__ import annotations

import json
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.errors import ModelFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Array = npt.NDArray[Any]
    Config = dict[str, Any]

MODELS = ("Sequential", "Model", "Functional")
"""How Keras 2 names the classes of models that are made of layers."""


class RefusedError(Exception):
    """What is wrong with the file, as the rest of a sentence about it."""


@contextmanager
def opened(path: str | PathLike[str]) -> Iterator[Any]:
    """Open a file for reading; what is refused of it becomes a ValueError with its name."""
    if not isinstance(path, (str, PathLike)):
        raise TypeError(f"path: expected a str or a path, got {path!r:.80}")
    path = Path(path)
    if not path.exists() and path.with_name(f"{path.name}.index").exists():
        raise ValueError(
            f"path: {path.name!r} are weights in TensorFlow's own format, expected HDF5: with the Keras "
            "2 that saved them, load them into the model and call model.save_weights('weights.h5')"
        )
    if not path.exists():
        raise FileNotFoundError(f"path: expected a file of Keras 2, found no file at {path}")
    try:
        with _hdf5(path) as file:
            yield file
    except RefusedError as error:
        raise ModelFileError(f"path: {path.name!r} {error}") from None


def _hdf5(path: Path) -> Any:
    if path.is_dir():
        what = "a SavedModel" if (path / "saved_model.pb").exists() else "a folder"
        raise RefusedError(
            f"is {what}, expected one HDF5 file: open it with the Keras 2 that made it, and call "
            "model.save('model.h5')"
        )
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"\x80"):
        raise RefusedError(
            "is a pickle, expected an HDF5 file. Opening a pickle can run any code, so it wasn't opened"
        )
    if start.startswith(b"PK"):
        raise RefusedError(
            "is a zip archive, expected an HDF5 file: if Keras 3 saved it, keras.models.load_model "
            "opens it"
        )
    import h5py  # noqa: PLC0415  (comes with Keras)

    if not h5py.is_hdf5(path):
        raise RefusedError("isn't an HDF5 file")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise RefusedError(f"is a damaged HDF5 file: {error}") from None


def expect_whole(file: Any) -> None:
    """Refuse what is no whole model of Keras 2."""
    if "model_config" not in file.attrs:
        if not names(file, "layer_names"):
            raise RefusedError("has no model_config: it is HDF5, but not a model of Keras 2")
        raise RefusedError(
            "has weights only, expected a complete model: rebuild the model in Keras 3 and call "
            "lw.load_legacy_weights(model, path)"
        )
    expect_keras_2(file, "keras.models.load_model")


def expect_keras_2(file: Any, alternative: str) -> None:
    """Refuse the files of other versions; one that doesn't say its version may be of Keras 2."""
    version = text(file.attrs.get("keras_version", ""))
    major = version.split(".")[0]
    if version and major != "2":
        advice = f"{alternative} opens it" if major == "3" else "save it by Keras 2 first"
        raise RefusedError(f"was saved by Keras {version}, expected Keras 2: {advice}")


def model_config(file: Any) -> Any:
    """Read the description of a whole model."""
    try:
        return json.loads(text(file.attrs["model_config"]))
    except ValueError as error:
        raise RefusedError(f"has a model_config that isn't JSON: {error}") from None


def class_and_config(entry: Any) -> tuple[str, Config]:
    """Take a layer's class and settings from its entry in the description."""
    if isinstance(entry, dict):
        kind, config = entry.get("class_name"), entry.get("config")
        if kind == "Sequential" and isinstance(config, list):
            # Until Keras 2.2.2 a Sequential model was the list of its layers.
            config = {"layers": config}
        if isinstance(kind, str) and isinstance(config, dict):
            name = config.get("name", entry.get("name"))
            return kind, config if name is None else {**config, "name": name}
    raise RefusedError(f"has a part that Keras 2 doesn't write in a model: {str(entry)[:80]}")


def layer_entries(config: Config) -> list[Any]:
    """List the entries of a model's layers."""
    layers = config.get("layers", [])
    if not isinstance(layers, list):
        raise RefusedError(f"has a model whose layers aren't a list, but {str(layers)[:80]}")
    return layers


def text(value: Any) -> str:
    """Read what is bytes in some versions and str in others."""
    return value.decode() if isinstance(value, bytes) else str(value)


def names(group: Any, attribute: str) -> list[str]:
    """Read a list of names, which Keras 2 cuts into pieces where it is too long for HDF5."""
    pieces = [attribute] if attribute in group.attrs else []
    while f"{attribute}{len(pieces)}" in group.attrs:
        pieces.append(f"{attribute}{len(pieces)}")
    return [text(name) for piece in pieces for name in group.attrs[piece]]


def layer_weights(group: Any, layer: str) -> list[tuple[str, Array]]:
    """Read a layer's weights and their paths as they are in the file, in its order."""
    inner = member(group, layer)
    return [(name, np.asarray(member(inner, name))) for name in names(inner, "weight_names")]


def member(group: Any, name: str) -> Any:
    """Find a part of a file, by way of nothing that leads out of it."""
    import h5py  # noqa: PLC0415

    for part in name.split("/"):
        link = group.get(part, getlink=True) if isinstance(group, h5py.Group) else None
        if not isinstance(link, h5py.HardLink):
            raise RefusedError(f"has no {name!r} within itself, expected the weights of a layer")
        group = group[part]
    if isinstance(group, h5py.Dataset) and (group.external or group.is_virtual):
        raise RefusedError(f"keeps {name!r} in another file, expected all weights within itself")
    return group
