# Neither Keras nor h5py has types, so what comes from them is Any.
# ruff: noqa: ANN401
"""Open models that Keras 2 saved and Keras 3 can't open any more.

A file is only read: layers are built from a list of plain settings, known by name, so that nothing
in it can run. What is not on the list is refused by name.
"""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.recorders._layers import load_keras

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    _Array = npt.NDArray[Any]
    _Config = dict[str, Any]

__all__ = ["load_legacy"]

_SEQUENCE = {"units": int, "return_sequences": False, "go_backwards": False, "stateful": False}
_PLAIN = {**_SEQUENCE, "activation": "tanh", "use_bias": True}
_PLAIN |= {"dropout": 0.0, "recurrent_dropout": 0.0}
_GATED = {**_PLAIN, "recurrent_activation": "hard_sigmoid"}

_SETTINGS: dict[str, dict[str, Any]] = {
    "LSTM": _GATED,
    "GRU": {**_GATED, "reset_after": False},
    "SimpleRNN": _PLAIN,
    "CuDNNLSTM": _SEQUENCE,
    "CuDNNGRU": _SEQUENCE,
    "Dense": {"units": int, "activation": "linear", "use_bias": True},
    "Embedding": {"input_dim": int, "output_dim": int, "mask_zero": False},
    "BatchNormalization": {
        "axis": -1,
        "momentum": 0.99,
        "epsilon": 1e-3,
        "center": True,
        "scale": True,
    },
    "Dropout": {"rate": float},
    "SpatialDropout1D": {"rate": float},
    "Activation": {"activation": str},
    "RepeatVector": {"n": int},
    "Masking": {"mask_value": 0.0},
    "Flatten": {},
}
"""What is taken over from a layer's configuration, with Keras 2's default, or the type of what must
be there. The rest (initialisers, regularisers, constraints) matters to training only."""

_WRAPPED = {
    "Bidirectional": ("LSTM", "GRU", "SimpleRNN", "CuDNNLSTM", "CuDNNGRU"),
    "TimeDistributed": ("Dense",),
}
"""What may stand in which wrapper."""

_CUDNN_GATES = {"CuDNNLSTM": 4, "CuDNNGRU": 3}
# Settings that change what a layer computes, and that aren't converted.
_REFUSED = ("return_state", "time_major", "backward_layer", "zero_output_for_mask")
_MERGES = ("concat", "sum", "mul", "ave")
# Keras 3 computes these as Keras 2 did.
_ACTIVATIONS = (
    *("elu", "exponential", "gelu", "linear", "relu", "selu", "sigmoid", "softmax"),
    *("softplus", "softsign", "swish", "tanh"),
)
_DTYPES = ("float16", "float32", "float64")
# Keras 2's hard sigmoid is clip(0.2 x + 0.5), Keras 3's clip(x / 6 + 0.5): the same at 1.2 x.
_HARD_SIGMOID = 1.2


def load_legacy(path: str | PathLike[str]) -> Any:
    """Open a Sequential model that Keras 2 saved whole, in HDF5, and rebuild it in Keras 3.

    Keras 3 can't open a model with ``CuDNNLSTM`` or ``CuDNNGRU``, nor most others of Keras 2. This
    rebuilds them with the layers of Keras 3 and converts their weights, so that the outputs are the
    same. No code in the file is run.

    Layers: ``CuDNNLSTM`` (becomes LSTM), ``CuDNNGRU`` (GRU with ``reset_after``), ``LSTM``, ``GRU``,
    ``SimpleRNN``, ``Bidirectional`` around these, ``Dense``, ``TimeDistributed(Dense)``,
    ``Embedding``, ``BatchNormalization``, ``Dropout``, ``SpatialDropout1D``, ``Activation``,
    ``RepeatVector``, ``Masking``, ``Flatten``. Their names stay. Optimiser, initialisers, regularisers
    and constraints are left out.

    Weights are those of the file but for two things. cuDNN keeps each gate's weights transposed, and
    two biases for each gate. And ``recurrent_activation="hard_sigmoid"``, the default of Keras 2, is
    ``clip(0.2 x + 0.5, 0, 1)`` there, ``clip(x / 6 + 0.5, 0, 1)`` in Keras 3: the weights and
    biases of such gates are multiplied by 1.2, which makes it the same function.

    A file that has weights only (``save_weights``) needs none of this: rebuild the model and call
    its ``load_weights``.

    Parameters
    ----------
    path
        The file, usually ``.h5`` or ``.hdf5``.

    Returns
    -------
    keras.Model
        A ``keras.Sequential``, built and not compiled.

    Raises
    ------
    TypeError
        If ``path`` is no path.
    FileNotFoundError
        If there is no such file.
    ValueError
        If it isn't a model of Keras 2 in HDF5 (a SavedModel, a pickle, weights only, a model of Keras
        1 or 3, a damaged file), or has something that isn't converted: a functional model, a layer, a
        setting.

    Examples
    --------
    >>> model = lw.load_legacy("weights-improvement-20.hdf5")  # doctest: +SKIP
    >>> recording = lw.record(model, inputs)  # doctest: +SKIP
    """
    if not isinstance(path, (str, PathLike)):
        raise TypeError(f"path: expected a str or a path, got {path!r:.80}")
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"path: expected a model saved by Keras 2, found no file at {path}")
    try:
        return _load(path)
    except _RefusedError as error:
        raise ValueError(f"path: {path.name!r} {error}") from None


class _RefusedError(Exception):
    """What is wrong with the file, as the rest of a sentence about it."""


def _load(path: Path) -> Any:
    _expect_hdf5(path)
    keras = load_keras()
    import h5py  # noqa: PLC0415  (comes with Keras)

    try:
        opened = h5py.File(path, "r")
    except OSError as error:
        raise _RefusedError(f"is a damaged HDF5 file: {error}") from None
    with opened as file:
        name, configs, input_shape = _sequential(file)
        built = [_build(keras, kind, config) for kind, config in configs]
        layers = [layer for layer, _ in built]
        # Ids of tokens are whole numbers, whatever Keras 2 took them for.
        dtype = "int32" if configs[0][0] == "Embedding" else layers[0].compute_dtype
        entrance = keras.Input(batch_shape=input_shape, dtype=dtype)
        model = keras.Sequential([entrance, *layers], name=name)
        for layer, set_weights in built:
            set_weights(layer, _weights(file, layer.name))
    return model


# The file -----------------------------------------------------------------------------------------


def _expect_hdf5(path: Path) -> None:
    if path.is_dir():
        what = "a SavedModel" if (path / "saved_model.pb").exists() else "a folder"
        raise _RefusedError(
            f"is {what}, expected one HDF5 file: open it with the Keras 2 that made it, and call "
            "model.save('model.h5')"
        )
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"\x80"):
        raise _RefusedError(
            "is a pickle, expected an HDF5 file. Opening a pickle can run any code, so it was not"
        )
    if start.startswith(b"PK"):
        raise _RefusedError(
            "is a zip archive, expected an HDF5 file: if Keras 3 saved it, keras.models.load_model "
            "opens it"
        )
    import h5py  # noqa: PLC0415

    if not h5py.is_hdf5(path):
        raise _RefusedError("is no HDF5 file")


def _sequential(file: Any) -> tuple[str | None, list[tuple[str, _Config]], tuple[int | None, ...]]:
    """Read a Sequential model's name, its layers' classes and settings, and its input's shape."""
    _expect_keras_2(file)
    try:
        model = json.loads(_text(file.attrs["model_config"]))
    except ValueError as error:
        raise _RefusedError(f"has a model_config that is no JSON: {error}") from None
    kind, config = _class_and_config(model)
    if kind != "Sequential":
        raise _RefusedError(
            f"is no Sequential model (but {kind}), and only those are converted: rebuild the model in "
            "Keras 3 and call its load_weights"
        )
    # Until Keras 2.2.2 a Sequential model was the list of its layers.
    config = {"layers": config} if isinstance(config, list) else config
    layers = [_class_and_config(layer) for layer in config.get("layers", [])]
    if not any(kind != "InputLayer" for kind, _ in layers):
        raise _RefusedError("is a model without layers")
    shape = layers[0][1].get("batch_input_shape") or config.get("build_input_shape")
    if not isinstance(shape, list) or not all(n is None or type(n) is int for n in shape):
        raise _RefusedError(f"doesn't say what shape of input its model takes, but {shape!r}")
    return config.get("name"), [each for each in layers if each[0] != "InputLayer"], tuple(shape)


def _expect_keras_2(file: Any) -> None:
    if "model_config" not in file.attrs:
        if not _names(file, "layer_names"):
            raise _RefusedError("has no model_config: it is HDF5, but no model")
        raise _RefusedError(
            "has weights only, expected a whole model: rebuild the model in Keras 3 and call its "
            "load_weights (weights of CuDNNLSTM and CuDNNGRU convert from a whole model only)"
        )
    version = _text(file.attrs.get("keras_version", "1"))
    major = version.split(".")[0]
    if major != "2":
        advice = "keras.models.load_model opens it" if major == "3" else "save it by Keras 2 first"
        raise _RefusedError(f"was saved by Keras {version}, expected Keras 2: {advice}")


def _class_and_config(entry: Any) -> tuple[str, Any]:
    if isinstance(entry, dict):
        kind, config = entry.get("class_name"), entry.get("config")
        if isinstance(kind, str) and isinstance(config, list if kind == "Sequential" else dict):
            return kind, config
        if kind == "Sequential" and isinstance(config, dict):
            return kind, config
    raise _RefusedError(f"has a part that Keras 2 doesn't write in a model: {str(entry)[:80]}")


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _names(group: Any, attribute: str) -> list[str]:
    """Read a list of names, which Keras 2 cuts into pieces where it is too long for HDF5."""
    pieces = [attribute] if attribute in group.attrs else []
    while f"{attribute}{len(pieces)}" in group.attrs:
        pieces.append(f"{attribute}{len(pieces)}")
    return [_text(name) for piece in pieces for name in group.attrs[piece]]


def _weights(file: Any, layer: str) -> list[_Array]:
    """Read a layer's weights as they are in the file, in its order."""
    group = _member(file, f"model_weights/{layer}")
    return [np.asarray(_member(group, name)) for name in _names(group, "weight_names")]


def _member(group: Any, name: str) -> Any:
    """Find a part of a file, by way of nothing that leads out of it."""
    import h5py  # noqa: PLC0415

    for part in name.split("/"):
        link = group.get(part, getlink=True) if isinstance(group, h5py.Group) else None
        if not isinstance(link, h5py.HardLink):
            raise _RefusedError(f"has no {name!r} within itself, expected the weights of a layer")
        group = group[part]
    if isinstance(group, h5py.Dataset) and (group.external or group.is_virtual):
        raise _RefusedError(f"keeps {name!r} in another file, expected all weights within itself")
    return group


# Layers -------------------------------------------------------------------------------------------


def _build(
    keras: Any, kind: str, config: _Config
) -> tuple[Any, Callable[[Any, list[_Array]], None]]:
    """Build a layer, and what sets its weights from those in the file once the layer has some."""
    where = f"has the layer {config.get('name')!r} ({kind})"
    for setting in _REFUSED:
        if config.get(setting):
            raise _RefusedError(f"{where} with {setting}={config[setting]!r}: not converted")
    common = {"name": config.get("name"), "trainable": config.get("trainable") is not False}
    if kind in _WRAPPED:
        return _build_wrapper(keras, kind, config, where, common)
    if kind not in _SETTINGS:
        known = ", ".join((*_SETTINGS, *_WRAPPED))
        raise _RefusedError(f"{where}: not converted, only {known}")
    settings = {
        key: _setting(where, config, key, default) for key, default in _SETTINGS[kind].items()
    }
    if kind == "CuDNNGRU":
        settings["reset_after"] = True
    layer_class = getattr(keras.layers, kind.removeprefix("CuDNN"))
    layer = layer_class(**settings, **common, dtype=_dtype(where, kind, config))

    def set_weights(layer: Any, weights: list[_Array]) -> None:
        expected = [tuple(weight.shape) for weight in layer.weights]
        if kind in _CUDNN_GATES:
            expected[-1] = (2 * _CUDNN_GATES[kind] * settings["units"],)
        shapes = [weight.shape for weight in weights]
        if shapes != expected:
            raise _RefusedError(f"{where} with weights of shapes {shapes}, expected {expected}")
        layer.set_weights(_converted(kind, settings, weights))

    return layer, set_weights


def _build_wrapper(
    keras: Any, kind: str, config: _Config, where: str, common: _Config
) -> tuple[Any, Callable[[Any, list[_Array]], None]]:
    inner_kind, inner_config = _class_and_config(config.get("layer"))
    if inner_kind not in _WRAPPED[kind]:
        known = ", ".join(_WRAPPED[kind])
        raise _RefusedError(f"{where} around {inner_kind}: not converted, only around {known}")
    inner, set_weights = _build(keras, inner_kind, inner_config)
    if kind == "TimeDistributed":
        return keras.layers.TimeDistributed(inner, **common), set_weights
    merge = config.get("merge_mode", "concat")
    if merge not in _MERGES:
        raise _RefusedError(f"{where} with merge_mode={merge!r}, expected {', '.join(_MERGES)}")

    def set_both(layer: Any, weights: list[_Array]) -> None:
        half = len(weights) // 2
        set_weights(layer.forward_layer, weights[:half])
        set_weights(layer.backward_layer, weights[half:])

    return keras.layers.Bidirectional(inner, merge_mode=merge, **common), set_both


def _setting(where: str, config: _Config, key: str, default: Any) -> Any:
    """Take one setting of a layer, if it is of the type it should be."""
    value = config.get(key, default)
    if key == "axis" and isinstance(value, list) and len(value) == 1:
        value = value[0]  # TensorFlow's Keras 2 has a list here
    expected = default if isinstance(default, type) else type(default)
    if expected is float and type(value) is int:
        value = float(value)
    if type(value) is not expected:
        raise _RefusedError(f"{where} with {key}={value!r}, expected {expected.__name__}")
    rescaled = key == "recurrent_activation" and value == "hard_sigmoid"
    if key.endswith("activation") and value not in _ACTIVATIONS and not rescaled:
        raise _RefusedError(
            f"{where} with {key}={value!r}: not converted, only {', '.join(_ACTIVATIONS)}, and "
            "hard_sigmoid as recurrent_activation"
        )
    return value


def _dtype(where: str, kind: str, config: _Config) -> str:
    dtype = config.get("dtype", "float32")
    if kind == "Embedding" and dtype == "int32":
        return "float32"  # the first versions of Keras 2 have the dtype of the ids here
    if dtype not in _DTYPES:
        raise _RefusedError(f"{where} with dtype={dtype!r}, expected {', '.join(_DTYPES)}")
    return str(dtype)


# Weights ------------------------------------------------------------------------------------------


def _converted(kind: str, settings: Mapping[str, Any], weights: list[_Array]) -> list[_Array]:
    """Turn the weights of one layer from Keras 2's layout into that of Keras 3."""
    if kind in _CUDNN_GATES:
        kernel, recurrent_kernel, bias = weights
        gates = _CUDNN_GATES[kind]
        # cuDNN adds a bias to the input's product and one to the recurrent product.
        both = bias.reshape(2, -1)
        bias = both.sum(0) if kind == "CuDNNLSTM" else both
        return [_transposed(kernel, gates), _transposed(recurrent_kernel, gates), bias]
    if settings.get("recurrent_activation") == "hard_sigmoid":
        units = settings["units"]
        factors = np.full(weights[0].shape[-1], _HARD_SIGMOID)
        factors[2 * units : 3 * units] = 1  # the candidate has an activation of its own
        return [(weight * factors).astype(weight.dtype) for weight in weights]
    return weights


def _transposed(kernel: _Array, gates: int) -> _Array:
    """Read each gate as cuDNN does: ``(units, inputs)``, though the file says ``(inputs, units)``."""
    parts = np.split(kernel, gates, axis=1)
    return np.concatenate([part.reshape(part.shape[::-1]).T for part in parts], axis=1)
