"""Save networks so that older versions of Keras read them, too, such as Colab's."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import keras

# Settings of newer versions, which older ones refuse to read even where they say nothing.
_NEWER = ("input_axes", "output_axes", "quantization_config")


def save(model: keras.Model, path: Path) -> None:
    """Write a model to a file ``.keras``."""
    model.save(path)
    make_portable(path)


def make_portable(path: Path) -> None:
    """Leave out of a file what says nothing and keeps older versions from reading it."""
    with zipfile.ZipFile(path) as file:
        parts = {part: file.read(part) for part in file.infolist()}
    with zipfile.ZipFile(path, "w") as file:
        for part, content in parts.items():
            if part.filename == "config.json":
                content = json.dumps(_without_newer(json.loads(content))).encode()  # noqa: PLW2901
            file.writestr(part, content)


def _without_newer(config: Any) -> Any:  # noqa: ANN401
    if isinstance(config, list):
        return [_without_newer(each) for each in config]
    if not isinstance(config, dict):
        return config
    return {
        name: _without_newer(value)
        for name, value in config.items()
        if not (name in _NEWER and value is None)
    }
