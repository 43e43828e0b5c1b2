# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""Build the layers of Keras 3 from the description that Keras 2 wrote of a model.

Layers are built from a list of plain settings, known by name, so that nothing in a file can run.
What is not on the list is refused by name.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from lstm_widgets.models.keras.legacy_file import (
    MODELS,
    RefusedError,
    class_and_config,
    layer_entries,
)

if TYPE_CHECKING:
    from lstm_widgets.models.keras.legacy_file import Config

__all__ = ["build_model"]

_SEQUENCE = {"return_sequences": False, "return_state": False, "go_backwards": False}
_SEQUENCE |= {"stateful": False}
_PLAIN = {"units": int, "activation": "tanh", "use_bias": True}
_PLAIN |= {"dropout": 0.0, "recurrent_dropout": 0.0}
# No default: what a file doesn't say of its gates isn't guessed.
_GATED = {**_PLAIN, "recurrent_activation": str}
_AXIS_NORM = {"axis": -1, "epsilon": 1e-3, "center": True, "scale": True}
_FORMAT = {"data_format": "channels_last"}


def _convolution(rank: int) -> dict[str, Any]:
    ones = (1,) * rank
    shape = {"filters": int, "kernel_size": tuple, "strides": ones, "dilation_rate": ones}
    return {**shape, **_FORMAT, "padding": "valid", "activation": "linear", "use_bias": True}


def _pool(rank: int) -> dict[str, Any]:
    return {"pool_size": (2,) * rank, "strides": None, "padding": "valid", **_FORMAT}


_SETTINGS: dict[str, dict[str, Any]] = {
    "LSTM": {**_SEQUENCE, **_GATED},
    "GRU": {**_SEQUENCE, **_GATED, "reset_after": False},
    "SimpleRNN": {**_SEQUENCE, **_PLAIN},
    "CuDNNLSTM": {**_SEQUENCE, "units": int},
    "CuDNNGRU": {**_SEQUENCE, "units": int},
    "LSTMCell": _GATED,
    "GRUCell": {**_GATED, "reset_after": False},
    "SimpleRNNCell": _PLAIN,
    "Dense": {"units": int, "activation": "linear", "use_bias": True},
    "Embedding": {"input_dim": int, "output_dim": int, "mask_zero": False},
    "BatchNormalization": {**_AXIS_NORM, "momentum": 0.99},
    "LayerNormalization": _AXIS_NORM,
    "Conv1D": _convolution(1),
    "Conv2D": _convolution(2),
    "MaxPooling1D": _pool(1),
    "MaxPooling2D": _pool(2),
    "AveragePooling1D": _pool(1),
    "AveragePooling2D": _pool(2),
    **{f"Global{kind}Pooling{n}D": _FORMAT for kind in ("Max", "Average") for n in (1, 2)},
    "ZeroPadding1D": {"padding": (1, 1)},
    "ZeroPadding2D": {"padding": ((1, 1), (1, 1)), **_FORMAT},
    "Cropping1D": {"cropping": (1, 1)},
    "UpSampling1D": {"size": 2},
    "Dropout": {"rate": float},
    "SpatialDropout1D": {"rate": float},
    "GaussianNoise": {"stddev": float},
    "GaussianDropout": {"rate": float},
    "Activation": {"activation": str},
    "ReLU": {"max_value": None, "negative_slope": 0.0, "threshold": 0.0},
    "LeakyReLU": {"alpha": 0.3},
    "ELU": {"alpha": 1.0},
    "Softmax": {"axis": -1},
    "RepeatVector": {"n": int},
    "Masking": {"mask_value": 0.0},
    "Flatten": _FORMAT,
    "Reshape": {"target_shape": tuple},
    "Permute": {"dims": tuple},
    "Concatenate": {"axis": -1},
    **{kind: {} for kind in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")},
    "Dot": {"axes": (-1,), "normalize": False},
}
"""What is taken over from a layer's configuration, with Keras 2's default, or the type of what must
be there. The rest (initialisers, regularisers, constraints) matters to training only."""

_RENAMED = {"LeakyReLU": {"alpha": "negative_slope"}}
_CELLS = ("LSTMCell", "GRUCell", "SimpleRNNCell")
_RECURRENT = ("LSTM", "GRU", "SimpleRNN", "CuDNNLSTM", "CuDNNGRU")
_CONTAINERS = ("Bidirectional", "TimeDistributed", "RNN", *MODELS)
# Settings that change what a layer computes, and that aren't converted.
_REFUSED = ("time_major", "backward_layer", "zero_output_for_mask", "renorm", "sparse", "ragged")
_MERGES = ("concat", "sum", "mul", "ave")
# Keras 3 computes these as Keras 2 did.
_ACTIVATIONS = (
    *("elu", "exponential", "gelu", "linear", "relu", "selu", "sigmoid", "softmax"),
    *("softplus", "softsign", "swish", "tanh"),
)
# Layers whose weights can be converted so that Keras 3's hard sigmoid does what Keras 2's did.
_HARD = ("GRU", "GRUCell", "SimpleRNN", "SimpleRNNCell", "Dense", "Conv1D", "Conv2D")
_DTYPES = ("float16", "float32", "float64", "mixed_float16", "mixed_bfloat16")
_INPUT_DTYPES = (*_DTYPES[:3], "int32", "int64", "bool", "uint8")


def build_model(keras: Any, kind: str, config: Config) -> Any:
    """Build a model without its weights."""
    if kind == "Sequential":
        model = _sequential(keras, config)
        if not model.built:
            shape = config.get("build_input_shape", _input_shape(config))
            raise RefusedError(f"doesn't say what shape of input its model takes, but {shape!r}")
        return model
    if kind in MODELS:
        return _functional(keras, config)
    raise RefusedError(f"is a model of the class {kind}: not converted, only {', '.join(MODELS)}")


def _sequential(keras: Any, config: Config) -> Any:
    entries = [class_and_config(entry) for entry in layer_entries(config)]
    layers = [_layer(keras, *each) for each in entries if each[0] != "InputLayer"]
    if not layers:
        raise RefusedError(f"has the model {config.get('name')!r} without layers")
    shape = _input_shape(config)
    if shape is not None:
        # Ids of tokens are whole numbers, whatever Keras 2 took them for.
        ids = _reads_ids("Sequential", config)
        dtype = "int32" if ids else getattr(layers[0], "compute_dtype", "float32")
        layers = [keras.Input(batch_shape=shape, dtype=dtype), *layers]
    return _made("has a model", keras.Sequential, layers, name=config.get("name"))


def _input_shape(config: Config) -> tuple[int | None, ...] | None:
    """Find what shape of input a Sequential model takes, where it says so."""
    _, first = class_and_config(layer_entries(config)[0])
    if "layers" in first:
        return None  # it begins with a model, which knows
    inner = first.get("layer")
    places = (first, class_and_config(inner)[1] if isinstance(inner, dict) else {})
    shapes = [place.get("batch_input_shape") for place in places]
    for shape in (*shapes, config.get("build_input_shape")):
        if isinstance(shape, list) and all(n is None or type(n) is int for n in shape):
            return tuple(shape)
    return None


def _reads_ids(kind: str, config: Config, position: int = 0) -> bool:
    """Whether what goes into a layer, as its only or n-th input, goes into an Embedding."""
    if kind == "TimeDistributed":
        return _reads_ids(*class_and_config(config.get("layer")))
    if kind == "Sequential":
        entries = [class_and_config(entry) for entry in layer_entries(config)]
        return next((_reads_ids(*each) for each in entries if each[0] != "InputLayer"), False)
    if kind in MODELS:
        inner = _Graph(config)
        return inner.reads_ids(inner.inputs[position][0])
    return kind == "Embedding"


# Models with branches -----------------------------------------------------------------------------

_Reference = tuple[str, int, int]  # a layer's name, which of its calls, which of its outputs


class _Graph:
    """Which layer of a model is called with what.

    Attributes
    ----------
    layers : dict of str to tuple
        Class and settings of each layer, by name.
    calls : dict of str to list of tuple
        For each call of each layer: what it is called with, and by which keywords.
    inputs, outputs : list of tuple
        Of the model.
    """

    def __init__(self, config: Config) -> None:
        self.layers: dict[str, tuple[str, Config]] = {}
        self.calls: dict[str, list[tuple[list[_Reference], Config]]] = {}
        try:
            for entry in layer_entries(config):
                kind, settings = class_and_config(entry)
                name = str(entry.get("name", settings.get("name")))
                self.layers[name] = kind, settings
                self.calls[name] = [_call(name, node) for node in entry.get("inbound_nodes", [])]
            self.inputs = [_reference(each) for each in _listed(config["input_layers"])]
            self.outputs = [_reference(each) for each in _listed(config["output_layers"])]
            known = all(name in self.layers for name, _, _ in self.references())
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            known = False
        if not known or not self.inputs or not self.outputs:
            raise RefusedError(
                f"has the model {config.get('name')!r}, whose layers are connected in a way that "
                "isn't converted"
            )

    def references(self) -> list[_Reference]:
        """List everything that is taken from a layer."""
        called = [each for calls in self.calls.values() for taken, _ in calls for each in taken]
        return [*called, *self.outputs]

    def reads_ids(self, name: str) -> bool:
        """Whether an input goes into nothing but Embeddings."""
        readers = [
            _reads_ids(*self.layers[layer], position)
            for layer, calls in self.calls.items()
            for taken, _ in calls
            for position, (source, _, _) in enumerate(taken)
            if source == name
        ]
        return bool(readers) and all(readers)


def _listed(references: Any) -> list[Any]:
    if isinstance(references, dict):
        return list(references.values())
    return [references] if isinstance(references[0], str) else references


def _reference(entry: Any) -> _Reference:
    name, call, output = entry[:3]
    return str(name), int(call), int(output)


def _call(name: str, node: Any) -> tuple[list[_Reference], Config]:
    if not isinstance(node, list):
        raise TypeError
    options: Config = {}
    for entry in _listed(node):
        options |= entry[3] if len(entry) > 3 else {}
    options = {key: value for key, value in options.items() if value is not None}
    for key, value in options.items():
        if key != "training" or type(value) is not bool:
            raise RefusedError(f"calls the layer {name!r} with {key}={value!r:.40}: not converted")
    return [_reference(entry) for entry in _listed(node)], options


def _functional(keras: Any, config: Config) -> Any:
    graph = _Graph(config)
    layers = {
        name: None if kind == "InputLayer" else _layer(keras, kind, settings)
        for name, (kind, settings) in graph.layers.items()
    }
    made: dict[_Reference, Any] = {}
    for name, (kind, settings) in graph.layers.items():
        if kind == "InputLayer":
            made[name, 0, 0] = _input(keras, name, settings, graph.reads_ids(name))
    # Keras 2 counts a nested model's calls from 1: the first one made it.
    first = dict.fromkeys(layers, 1 << 30)
    for name, call, _ in graph.references():
        first[name] = min(first[name], call)
    waiting = deque((name, k) for name, calls in graph.calls.items() for k in range(len(calls)))
    stuck = 0
    while waiting:
        name, k = waiting.popleft()
        taken, options = graph.calls[name][k]
        if not all(each in made for each in taken):
            waiting.append((name, k))
            stuck += 1
            if stuck > len(waiting):
                raise RefusedError(f"calls the layer {name!r} with what no other layer makes")
            continue
        stuck = 0
        where = f"has the layer {name!r} ({graph.layers[name][0]})"
        results = _made(
            where, _called, keras, layers[name], [made[each] for each in taken], options
        )
        for output, result in enumerate(keras.tree.flatten(results)):
            made[name, first[name] + k, output] = result
    missing = [each for each in (*graph.inputs, *graph.outputs) if each not in made]
    if missing:
        raise RefusedError(f"has a model whose inputs or outputs no layer makes: {missing}")
    inputs, outputs = (
        _ends(config[key], [made[each] for each in references])
        for key, references in (("input_layers", graph.inputs), ("output_layers", graph.outputs))
    )
    return _made("has a model", keras.Model, inputs, outputs, name=config.get("name"))


def _ends(references: Any, tensors: list[Any]) -> Any:
    """Give a model's inputs or outputs the structure that they had."""
    if isinstance(references, dict):
        return dict(zip(references, tensors, strict=True))
    return tensors[0] if len(tensors) == 1 else tensors


def _input(keras: Any, name: str, config: Config, ids: bool) -> Any:
    where = f"has the input {name!r}"
    shape = config.get("batch_input_shape")
    if not isinstance(shape, list):
        raise RefusedError(f"{where} of the shape {shape!r}, expected a list of sizes")
    for setting in _REFUSED:
        if config.get(setting):
            raise RefusedError(f"{where} with {setting}={config[setting]!r}: not converted")
    dtype = config.get("dtype", "float32")
    if dtype not in _INPUT_DTYPES:
        raise RefusedError(f"{where} with dtype={dtype!r}, expected {', '.join(_INPUT_DTYPES)}")
    dtype = "int32" if ids else dtype
    return _made(where, keras.Input, batch_shape=tuple(shape), dtype=dtype, name=name)


def _called(keras: Any, layer: Any, tensors: list[Any], options: Config) -> Any:
    if layer is None:
        raise ValueError("an input is called")
    x, *states = tensors
    if not states:
        return layer(x, **options)
    if not isinstance(layer, (keras.layers.RNN, keras.layers.Bidirectional)):
        return layer(tensors, **options)
    both = isinstance(layer, keras.layers.Bidirectional)
    cell = layer.forward_layer.cell if both else layer.cell
    expected = len(keras.tree.flatten(cell.state_size)) * (2 if both else 1)
    if len(states) != expected:
        raise ValueError(f"expected {expected} initial states, got {len(states)}")
    return layer(x, initial_state=states, **options)


def _made(where: str, make: Any, *arguments: Any, **options: Any) -> Any:
    """Let Keras 3 make something; what it doesn't take is refused with its reason."""
    try:
        return make(*arguments, **options)
    except (ValueError, TypeError) as error:
        raise RefusedError(f"{where} that Keras 3 doesn't make: {error}") from None


# Layers -------------------------------------------------------------------------------------------


def _layer(keras: Any, kind: str, config: Config) -> Any:
    """Build one layer, or a model within the model."""
    where = f"has the layer {config.get('name')!r} ({kind})"
    for setting in _REFUSED:
        if config.get(setting):
            raise RefusedError(f"{where} with {setting}={config[setting]!r}: not converted")
    common = {"name": config.get("name"), "trainable": config.get("trainable") is not False}
    if kind == "Sequential":
        return _sequential(keras, config)
    if kind in MODELS:
        return _functional(keras, config)
    if kind in _SETTINGS:
        return _plain_layer(keras, kind, config, where, common)
    if kind not in _CONTAINERS:
        known = ", ".join((*_SETTINGS, *_CONTAINERS))
        raise RefusedError(f"{where}: not converted, only {known}")
    if kind == "RNN":
        return _cells(keras, config, where, common)
    inner_kind, inner = class_and_config(config.get("layer"))
    if kind == "TimeDistributed":
        layer = _layer(keras, inner_kind, inner)
        return _made(where, keras.layers.TimeDistributed, layer, **common)
    if inner_kind not in (*_RECURRENT, "RNN"):
        known = ", ".join((*_RECURRENT, "RNN"))
        raise RefusedError(f"{where} around {inner_kind}: not converted, only around {known}")
    merge = config.get("merge_mode", "concat")
    if merge not in _MERGES:
        raise RefusedError(f"{where} with merge_mode={merge!r}, expected {', '.join(_MERGES)}")
    layer = _layer(keras, inner_kind, inner)
    return _made(where, keras.layers.Bidirectional, layer, merge_mode=merge, **common)


def _plain_layer(keras: Any, kind: str, config: Config, where: str, common: Config) -> Any:
    renamed = _RENAMED.get(kind, {})
    settings = {
        renamed.get(key, key): _setting(kind, where, config, key, default)
        for key, default in _SETTINGS[kind].items()
    }
    if kind == "CuDNNGRU":
        settings["reset_after"] = True
    layer_class = getattr(keras.layers, kind.removeprefix("CuDNN"))
    return _made(where, layer_class, **settings, **common, dtype=_dtype(where, kind, config))


def _cells(keras: Any, config: Config, where: str, common: Config) -> Any:
    """Build a layer around one cell, or several that are stacked."""
    kind, inner = class_and_config(config.get("cell"))
    stacked = kind == "StackedRNNCells"
    cells = (
        [class_and_config(cell) for cell in inner.get("cells", [])] if stacked else [(kind, inner)]
    )
    for each, _ in cells:
        if each not in _CELLS:
            raise RefusedError(f"{where} around {each}: not converted, only {', '.join(_CELLS)}")
    built = [_layer(keras, *each) for each in cells]
    cell = _made(where, keras.layers.StackedRNNCells, built) if stacked else built[0]
    settings = {
        key: _setting("RNN", where, config, key, default) for key, default in _SEQUENCE.items()
    }
    return _made(where, keras.layers.RNN, cell, **settings, **common)


def _setting(kind: str, where: str, config: Config, key: str, default: Any) -> Any:
    """Take one setting of a layer, if it is of the type it should be."""
    value = config.get(key, default)
    expected = default if isinstance(default, type) else type(default)
    if key == "axis" and expected is int and isinstance(value, list) and len(value) == 1:
        value = value[0]  # TensorFlow's Keras 2 has a list here
    if expected is tuple and type(value) in (int, list):
        return _sizes(value)
    if expected is float and type(value) is int:
        value = float(value)
    if default is None and (value is None or type(value) in (int, float, list)):
        return _sizes(value)
    if type(value) is not expected:
        missing = f"{where} without {key}" if key not in config else f"{where} with {key}={value!r}"
        raise RefusedError(f"{missing}, expected {expected.__name__}")
    if not key.endswith("activation") or value in _ACTIVATIONS:
        return value
    if value == "hard_sigmoid" and (key == "recurrent_activation" or kind in _HARD):
        return value
    raise RefusedError(
        f"{where} with {key}={value!r}: not converted, only {', '.join(_ACTIVATIONS)}, and "
        f"hard_sigmoid as recurrent_activation or in {', '.join(_HARD)}"
    )


def _sizes(value: Any) -> Any:
    return tuple(_sizes(each) for each in value) if isinstance(value, list) else value


def _dtype(where: str, kind: str, config: Config) -> str:
    dtype = config.get("dtype", "float32")
    if isinstance(dtype, dict):  # a policy, as TensorFlow's Keras 2 writes those that are mixed
        policy = dtype.get("config")
        dtype = policy.get("name") if isinstance(policy, dict) else dtype
    if kind == "Embedding" and dtype == "int32":
        return "float32"  # the first versions of Keras 2 have the dtype of the ids here
    if dtype not in _DTYPES:
        raise RefusedError(f"{where} with dtype={dtype!r}, expected {', '.join(_DTYPES)}")
    return str(dtype)
