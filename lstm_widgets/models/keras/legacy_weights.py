# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""Set the weights of a Keras 3 model to those that Keras 2 saved, so that it computes the same.

Three things differ. cuDNN keeps each gate's matrices transposed, and two biases for each gate. The
hard sigmoid of Keras 2 is ``clip(0.2 x + 0.5, 0, 1)``, that of Keras 3 ``clip(x / 6 + 0.5, 0, 1)``:
what goes into it is multiplied by 1.2, which makes it the same function. And it was the gates'
default before Keras 2.3, which a file with weights only doesn't tell.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.models.keras.layers import find_layers
from lstm_widgets.models.keras.legacy_file import (
    MODELS,
    RefusedError,
    class_and_config,
    layer_entries,
    layer_weights,
    names,
)
from lstm_widgets.models.keras.own_loop import OwnLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lstm_widgets.models.keras.legacy_file import Array, Config

    Gates = str | dict[str, str] | None

__all__ = ["GATES", "take_weights"]

GATES = ("hard_sigmoid", "sigmoid")
"""What the gates of Keras 2 had by default, before 2.3 and since."""

_GATE_COUNTS = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1, "ConvLSTM": 4}
_GATED = ("LSTM", "GRU", "ConvLSTM")
_HARD_SIGMOID = 1.2
# The last part of a weight's path, where both versions of Keras call it the same.
_ROLES = (
    *("kernel", "recurrent_kernel", "bias", "embeddings"),
    *("gamma", "beta", "moving_mean", "moving_variance"),
)
_CLIP = "lambda x: keras.ops.clip(0.2 * x + 0.5, 0, 1)"


@dataclass
class _Leaf:
    """A layer with weights of its own, or one cell of a recurrent layer, without what is in it.

    Attributes
    ----------
    name : str
        As a recording has it.
    layer : object
        The layer or cell.
    kind : str
        ``"LSTM"``, ``"GRU"``, ``"SimpleRNN"``, ``"ConvLSTM"`` for cells, else the class.
    weights : list of object
        Its variables.
    told : tuple, optional
        Its settings in Keras 2, where the file has them.
    arrays : dict of int to array
        What the file has for each of its weights, by the position of the weight.
    """

    name: str
    layer: Any
    kind: str
    weights: list[Any]
    told: tuple[str, Config] | None = None
    arrays: dict[int, Array] = field(default_factory=dict)

    @property
    def is_cell(self) -> bool:
        return self.kind in _GATE_COUNTS

    @property
    def units(self) -> int:
        return int(self.layer.filters if self.kind == "ConvLSTM" else self.layer.units)

    def array(self, role: str) -> Array | None:
        """Return what the file has for the weight of this name."""
        roles = [weight.name for weight in self.weights]
        return self.arrays[roles.index(role)] if role in roles else None


@dataclass
class _Unit:
    """A layer of a model, with all that is in it but no model within the model."""

    name: str
    leaves: list[_Leaf]


def take_weights(
    keras: Any,
    model: Any,
    group: Any,
    *,
    config: Config | None = None,
    version: str,
    gates: Gates = None,
) -> None:
    """Set all weights of a model to those in a group of the file.

    Parameters
    ----------
    keras : object
        The module.
    model : object
        A model that is built.
    group : object
        Where the layers' groups are.
    config : Config, optional
        The settings of the model in Keras 2, if the file has them.
    version : str
        That of Keras, as the file has it.
    gates : Gates, optional
        What was said of them.
    """
    shown = _shown_names(keras, model)
    ours = [(layer, units) for layer in model.layers if (units := _units(keras, layer, shown))]
    theirs = [
        (name, weights)
        for name in names(group, "layer_names")
        if (weights := layer_weights(group, name))
    ]
    if "top_level_model_weights" in group and names(
        group["top_level_model_weights"], "weight_names"
    ):
        raise RefusedError("has weights that belong to no layer: not converted")
    if not ours:
        raise ValueError(
            "model: expected one that is built, with weights; got one without: call it once, or give "
            "it an Input"
        )
    if len(ours) != len(theirs):
        raise RefusedError(
            f"has weights of {_counted([name for name, _ in theirs])}, and the model "
            f"{_counted([layer.name for layer, _ in ours])}"
        )
    entries = {} if config is None else _entries(config)
    order = _paired([layer.name for layer, _ in ours], [name for name, _ in theirs])
    for (_, units), k in zip(ours, order, strict=True):
        name, weights = theirs[k]
        if name in entries:
            _tell(name, units, entries[name])
        _share_out(name, units, weights)
    leaves = [leaf for _, units in ours for unit in units for leaf in unit.leaves]
    _Conversion(keras, leaves, version, gates).apply(model)


def _counted(layers: Sequence[str]) -> str:
    return f"{len(layers)} layer{'s' * (len(layers) != 1)} ({', '.join(layers) or 'none'})"


def _paired(ours: Sequence[Any], theirs: Sequence[Any]) -> list[int]:
    """Tell which of theirs each of ours is: by name where the names are the same, else in order."""
    if len(set(ours)) == len(ours) and sorted(map(str, ours)) == sorted(map(str, theirs)):
        return [theirs.index(name) for name in ours]
    return list(range(len(ours)))


# The model ----------------------------------------------------------------------------------------


def _shown_names(keras: Any, model: Any) -> dict[int, str]:
    """Names of recurrent layers and cells as a recording has them, by id."""
    shown = {}
    for found in find_layers(model):
        cells = _cells(keras, found.layer) if isinstance(found.layer, keras.layers.RNN) else []
        if len(cells) == 1:
            shown[id(cells[0])] = found.name
        else:
            shown |= {id(cell): f"{found.name}/cell_{k}" for k, cell in enumerate(cells)}
    return shown


def _cells(keras: Any, layer: Any) -> list[Any]:
    stacked = isinstance(layer.cell, keras.layers.StackedRNNCells)
    return list(layer.cell.cells) if stacked else [layer.cell]


def _units(keras: Any, layer: Any, shown: Mapping[int, str]) -> list[_Unit]:
    """List what has weights in a layer, in the order of Keras 2."""
    if isinstance(layer, keras.Model):
        return [unit for inner in layer.layers for unit in _units(keras, inner, shown)]
    if isinstance(layer, keras.layers.TimeDistributed):
        return _units(keras, layer.layer, shown)
    leaves = [
        _Leaf(shown.get(id(each), layer.name), each, _kind(keras, each), weights)
        for each, weights in {
            id(each): (each, weights) for each, weights in _owners(keras, layer)
        }.values()
    ]
    return [_Unit(layer.name, leaves)] if leaves else []


def _owners(keras: Any, layer: Any) -> Iterator[tuple[Any, list[Any]]]:
    """List a layer and those within it, each with the weights that are its own, if any."""
    if isinstance(layer, keras.layers.Bidirectional):
        inner = [layer.forward_layer, layer.backward_layer]
    elif isinstance(layer, keras.layers.RNN):
        inner = _cells(keras, layer)
    else:
        inner = layer._flatten_layers(include_self=False, recursive=False)  # noqa: SLF001
    others = {id(weight) for each in inner for weight in each.weights}
    own = [weight for weight in layer.weights if id(weight) not in others]
    if own:
        yield layer, own
    for each in inner:
        yield from _owners(keras, each)


def _kind(keras: Any, layer: Any) -> str:
    for kind in ("LSTM", "GRU", "SimpleRNN"):
        if isinstance(layer, getattr(keras.layers, f"{kind}Cell")):
            return kind
    return type(layer).__name__.replace("ConvLSTMCell", "ConvLSTM")


# What the file says of the layers -----------------------------------------------------------------


def _entries(config: Config) -> dict[str, Any]:
    """Return the entries of a model's layers by name."""
    return {
        str(class_and_config(entry)[1].get("name")): entry
        for entry in layer_entries(config)
        if class_and_config(entry)[0] != "InputLayer"
    }


def _told_units(entry: Any) -> Iterator[tuple[str, list[tuple[str, Config]]]]:
    """List the recurrent layers in an entry, each with its cells as they were."""
    kind, config = class_and_config(entry)
    if kind in MODELS:
        for inner in layer_entries(config):
            yield from _told_units(inner)
    elif kind == "TimeDistributed":
        yield from _told_units(config.get("layer"))
    elif kind == "Bidirectional":
        _, inner_config = class_and_config(config.get("layer"))
        (_, cells), *_ = [*_told_units(config.get("layer")), ("", [])]
        backward = config.get("backward_layer")
        (_, back), *_ = [*_told_units(backward), ("", [])] if backward else [("", cells)]
        yield str(config.get("name", inner_config.get("name"))), [*cells, *back]
    elif kind == "RNN":
        cell_kind, cell = class_and_config(config.get("cell"))
        stacked = [class_and_config(each) for each in cell.get("cells", [])]
        cells = [
            (each.removesuffix("Cell"), settings)
            for each, settings in (stacked or [(cell_kind, cell)])
        ]
        yield str(config.get("name")), cells
    elif kind.startswith("ConvLSTM"):
        yield str(config.get("name")), [("ConvLSTM", config)]
    elif kind.removeprefix("CuDNN") in _GATE_COUNTS:
        yield str(config.get("name")), [(kind, config)]


def _tell(name: str, units: list[_Unit], entry: Any) -> None:
    """Note what the file says of the recurrent layers within one layer."""
    told = list(_told_units(entry))
    if not told:
        return  # a layer of one's own, which may have some within it
    recurrent = [unit for unit in units if any(leaf.is_cell for leaf in unit.leaves)]
    if len(told) != len(recurrent):
        raise RefusedError(
            f"has {len(told)} recurrent layers in {name!r}, and the model {len(recurrent)}"
        )
    order = _paired([unit.name for unit in recurrent], [each for each, _ in told])
    for unit, k in zip(recurrent, order, strict=True):
        cells = told[k][1]
        if len(cells) != len(unit.leaves):
            raise RefusedError(
                f"has {len(cells)} cells in {told[k][0]!r}, and the model {len(unit.leaves)}"
            )
        for leaf, settings in zip(unit.leaves, cells, strict=True):
            leaf.told = settings


# Which array is which weight ----------------------------------------------------------------------

_Slot = tuple[_Leaf, int]


def _share_out(name: str, units: list[_Unit], weights: list[tuple[str, Array]]) -> None:
    """Give each weight of a layer its array."""
    slots = [slot for unit in units for slot in _slots(unit.leaves)]
    if len(slots) == len(weights):
        for order in _orders(units, weights):
            if all(_fits(*slot, *each) for slot, each in zip(order, weights, strict=True)):
                for (leaf, k), (_, array) in zip(order, weights, strict=True):
                    leaf.arrays[k] = array
                return
    ours = [f"{leaf.weights[k].name} {tuple(leaf.weights[k].shape)}" for leaf, k in slots]
    theirs = [f"{_role(path)} {array.shape}" for path, array in weights]
    whose = f"{units[0].leaves[0].name!r}" + " and more" * (len(units) > 1)
    raise RefusedError(
        f"has in the layer {name!r} the weights {', '.join(theirs)}, which are not those of the "
        f"model's {whose}: {', '.join(ours)}"
    )


def _slots(leaves: list[_Leaf], choose: Callable[[Any], bool] = lambda _: True) -> list[_Slot]:
    return [(leaf, k) for leaf in leaves for k, w in enumerate(leaf.weights) if choose(w)]


def _orders(units: list[_Unit], weights: list[tuple[str, Array]]) -> Iterator[list[_Slot]]:
    """List in which orders the weights of a layer may stand in the file, the likeliest first.

    Of a model within the model, Keras 2 writes first what was trainable, of all layers, then the
    rest. What was trainable then isn't said, but the paths mostly name the layers.
    """
    every = [leaf for unit in units for leaf in unit.leaves]
    parts = [re.split("/", path) for path, _ in weights]
    owners = [[unit for unit in units if unit.name in part[:-1]] for part in parts]
    if len(units) > 1 and all(len(owner) == 1 for owner in owners):
        remaining = {id(unit): iter(_trained_first(unit.leaves)) for unit in units}
        slots = [next(remaining[id(unit)], None) for (unit,) in owners]
        if None not in slots:
            yield [slot for slot in slots if slot is not None]
        return
    yield _trained_first(every)
    frozen = {id(w) for leaf in every for w in leaf.weights if _never_trained(w)}
    yield [
        *_slots(every, lambda w: id(w) not in frozen),
        *_slots(every, lambda w: id(w) in frozen),
    ]
    yield _slots(every)


def _trained_first(leaves: list[_Leaf]) -> list[_Slot]:
    trained = {id(w) for leaf in leaves for w in leaf.weights if w.trainable}
    return [
        *_slots(leaves, lambda w: id(w) in trained),
        *_slots(leaves, lambda w: id(w) not in trained),
    ]


def _never_trained(weight: Any) -> bool:
    return bool(weight.name.startswith("moving_"))


def _role(path: str) -> str:
    return re.sub(r"(_\d+)?(:\d+)?$", "", path.rsplit("/", 1)[-1])


def _fits(leaf: _Leaf, position: int, path: str, array: Array) -> bool:
    weight = leaf.weights[position]
    role, shape = weight.name, tuple(weight.shape)
    theirs = _role(path)
    if role in _ROLES and theirs in _ROLES and role != theirs:
        return False
    if leaf.is_cell and role == "bias":
        # cuDNN has two biases a gate, a GRU one or two: told apart later, with more to say.
        one = _GATE_COUNTS[leaf.kind] * leaf.units
        return bool(array.shape in {shape, (2 * one,), (one,), (2, one)})
    return bool(array.shape == shape)


# Conversion ---------------------------------------------------------------------------------------


class _Conversion:
    """What is done to the weights of a model, decided for all of them before any is set."""

    def __init__(self, keras: Any, leaves: list[_Leaf], version: str, gates: Gates) -> None:
        self._keras = keras
        self._leaves = leaves
        self._version = version
        self._gates = gates
        self._used = False  # whether what was said of the gates was of use

    def apply(self, model: Any) -> None:
        """Convert all weights, then set them."""
        self._expect_known_layers()
        self._expect_convertible(model)
        functions = [self._gate_function(leaf) for leaf in self._leaves]
        unsaid = [
            leaf.name for leaf, name in zip(self._leaves, functions, strict=True) if name == ""
        ]
        if unsaid:
            origin = f"of Keras {self._version}" if self._version else "of no version of Keras"
            raise ValueError(
                "recurrent_activation: expected 'hard_sigmoid' or 'sigmoid' for the "
                f"layer{'s' * (len(unsaid) > 1)} {', '.join(map(repr, unsaid))}, got None. The file, "
                f"{origin}, doesn't say which function the gates had in training, and the model has "
                "Keras 3's default. Before Keras 2.3 and in TensorFlow 1 it was 'hard_sigmoid' unless "
                "the code said otherwise, in TensorFlow 2 'sigmoid'; of ConvLSTM always "
                "'hard_sigmoid'. For several layers: {name: function}"
            )
        if self._gates is not None and not self._used:
            raise ValueError(
                "recurrent_activation: expected None, because file and model say which functions all "
                f"gates had in training; got {self._gates!r}"
            )
        converted = []
        for leaf, function in zip(self._leaves, functions, strict=True):
            converted.append(self._converted(leaf, function))
        for leaf, function, arrays in zip(self._leaves, functions, converted, strict=True):
            if function == "hard_sigmoid":
                leaf.layer.recurrent_activation = self._keras.activations.hard_sigmoid
            for weight, array in zip(leaf.weights, arrays, strict=True):
                weight.assign(array)
        self._forget_compiled(model)

    def _forget_compiled(self, model: Any) -> None:
        """Let nothing run on that was traced with the gates as they were."""
        for name in ("train_function", "test_function", "predict_function"):
            setattr(model, name, None)
        for found in find_layers(model):
            OwnLoop.forget(found.layer)

    def _expect_known_layers(self) -> None:
        if not isinstance(self._gates, dict):
            return
        cells = [leaf.name for leaf in self._leaves if leaf.kind in _GATED]
        for key in self._gates:
            if not any(_within(name, key) for name in cells):
                raise ValueError(
                    "recurrent_activation: expected names of layers with gates among "
                    f"{', '.join(map(repr, cells)) or 'none'}; got {key!r}"
                )

    def _expect_convertible(self, model: Any) -> None:
        """Refuse hard sigmoids whose input no weights can be converted for."""
        layers = self._keras.layers
        known = {
            "recurrent_activation": (layers.RNN,),
            "activation": (layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D),
        }
        known["activation"] += (layers.GRU, layers.SimpleRNN)
        cells = {id(leaf.layer): leaf.kind for leaf in self._leaves if leaf.is_cell}
        for layer in model._flatten_layers():  # noqa: SLF001
            for setting, classes in known.items():
                if not self._is(getattr(layer, setting, None), "hard_sigmoid"):
                    continue
                kind = cells.get(id(layer), "")
                as_cell = kind in (_GATED if setting != "activation" else ("GRU", "SimpleRNN"))
                if not (as_cell or isinstance(layer, classes)):
                    message = (
                        f"model: the layer {layer.name!r} ({type(layer).__name__}) has {setting}="
                        "'hard_sigmoid', which is another function in Keras 3 and isn't converted "
                        f"there: rebuild the model with {setting}={_CLIP}"
                    )
                    raise ValueError(message)

    def _is(self, function: Any, name: str) -> bool:
        """Whether a function is Keras's own of this name."""
        try:
            return function is not None and self._keras.activations.get(name) is function
        except ValueError:
            return False

    def _is_own(self, function: Any) -> bool:
        """Whether a function is one of Keras, and none that was written for this model."""
        name = getattr(function, "__name__", "")
        return getattr(self._keras.activations, name, None) is function

    def _said(self, name: str) -> str | None:
        """Find what was said of the gates of a layer."""
        if not isinstance(self._gates, dict):
            return self._gates
        keys = [key for key in self._gates if _within(name, key)]
        return self._gates[max(keys, key=len)] if keys else None

    def _gate_function(self, leaf: _Leaf) -> str | None:
        """Name the function of a layer's gates in Keras 2; "" if unknown, None if not of concern."""
        if leaf.kind not in _GATED:
            return None
        function = leaf.layer.recurrent_activation
        said = self._said(leaf.name)
        written = self._written_gate(leaf)
        is_hard = self._is(function, "hard_sigmoid")
        known = written or ("hard_sigmoid" if is_hard else None)
        if known and said == known:
            self._used = True
        elif known and said and (isinstance(self._gates, dict) or not written):
            raise ValueError(
                f"recurrent_activation: {said!r} for the layer {leaf.name!r}, of which the "
                f"{'file' if written else 'model'} says that it is {known!r}"
            )
        if written and not self._is(function, written):
            # What is no function of Keras's own was chosen on purpose.
            own = self._is_own(function)
            if own and not (written == "hard_sigmoid" and self._is(function, "sigmoid")):
                raise self._differs(leaf, "recurrent_activation", written)
            return written if own else None
        if known or not self._is(function, "sigmoid"):
            return known
        if said:
            self._used = True
            return said
        # ConvLSTM has kept its hard sigmoid in all of Keras 2.
        recent = _version(self._version) >= (2, 3) and leaf.kind != "ConvLSTM"
        return "sigmoid" if recent else ""

    def _written_gate(self, leaf: _Leaf) -> str | None:
        """Name the function of the gates if the file says it."""
        if _is_cudnn(leaf):
            self._expect_cudnn(leaf)
            return "sigmoid"
        if leaf.told is None:
            return None
        name = leaf.told[1].get("recurrent_activation")
        return name if isinstance(name, str) else None

    def _expect_cudnn(self, leaf: _Leaf) -> None:
        for setting, name in (("activation", "tanh"), ("recurrent_activation", "sigmoid")):
            if not self._is(getattr(leaf.layer, setting), name):
                raise self._differs(leaf, setting, name)
        if leaf.kind == "GRU" and not leaf.layer.reset_after:
            raise self._differs(leaf, "reset_after", True)

    def _differs(self, leaf: _Leaf, setting: str, value: Any) -> ValueError:
        what = f"CuDNN{leaf.kind}" if _is_cudnn(leaf) else leaf.kind
        return ValueError(
            f"model: the layer {leaf.name!r} was a {what} with {setting}={value!r} in Keras 2, and "
            f"isn't in the model: rebuild it with {leaf.kind}(..., {setting}={value!r})"
        )

    def _converted(self, leaf: _Leaf, gate_function: str | None) -> list[Array]:
        """Turn the weights of one layer into what Keras 3 has to have."""
        arrays = [leaf.arrays[k] for k in range(len(leaf.weights))]
        hard = self._is(getattr(leaf.layer, "activation", None), "hard_sigmoid")
        if not leaf.is_cell:
            return [_scaled(array, _HARD_SIGMOID) for array in arrays] if hard else arrays
        self._expect_as_told(leaf)
        if _is_cudnn(leaf):
            arrays = _from_cudnn(leaf.kind, *arrays)
        elif leaf.kind == "GRU":
            self._expect_reset(leaf)
        factors = np.ones(_GATE_COUNTS[leaf.kind])
        if gate_function == "hard_sigmoid":
            factors[:] = _HARD_SIGMOID
            factors[2] = 1  # the candidate has an activation of its own
        if hard:
            factors[-1] = _HARD_SIGMOID  # of a GRU the candidate, of a SimpleRNN all there is
        if (factors == 1).all():
            return arrays
        return [_scaled(array, factors.repeat(leaf.units)) for array in arrays]

    def _expect_as_told(self, leaf: _Leaf) -> None:
        """Refuse a layer that the file describes otherwise."""
        if leaf.told is None:
            return
        kind, settings = leaf.told
        if kind.removeprefix("CuDNN") != leaf.kind:
            raise ValueError(
                f"model: the layer {leaf.name!r} is a {leaf.kind}, and was a {kind} in Keras 2"
            )
        if kind != leaf.kind:
            return
        activation = settings.get("activation")
        ours = leaf.layer.activation
        if isinstance(activation, str) and self._is_own(ours) and not self._is(ours, activation):
            raise self._differs(leaf, "activation", activation)
        if kind == "GRU" and settings.get("reset_after", False) != leaf.layer.reset_after:
            raise self._differs(leaf, "reset_after", settings.get("reset_after", False))

    def _expect_reset(self, leaf: _Leaf) -> None:
        """Find out whether a GRU's reset gate came after the product, from its biases."""
        after = leaf.layer.reset_after
        bias = leaf.array("bias")
        if bias is not None:
            if (bias.ndim == 2) != after:
                raise self._differs(leaf, "reset_after", not after)
        elif after and leaf.told is None and _version(self._version) < (2, 4):
            warnings.warn(
                f"the file doesn't say whether the layer {leaf.name!r}, a GRU without biases, had "
                "reset_after=True. The model says so; the default of Keras 2 was False, in "
                "TensorFlow 2 True",
                stacklevel=6,
            )


def _within(name: str, key: Any) -> bool:
    return name == key or name.startswith(f"{key}/")


def _version(written: str) -> tuple[int, int]:
    """Return major and minor version; TensorFlow 2.0 and 2.1 say 2.2.4-tf, as TensorFlow 1 does."""
    found = re.match(r"(\d+)\.(\d+)", written)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _is_cudnn(leaf: _Leaf) -> bool:
    """Tell cuDNN's weights by their biases, of which there always are two for each gate, in a row."""
    if leaf.kind not in ("LSTM", "GRU"):
        return False
    bias = leaf.array("bias")
    gates = _GATE_COUNTS[leaf.kind]
    return bias is not None and bias.shape == (2 * gates * leaf.units,)


def _from_cudnn(kind: str, kernel: Array, recurrent_kernel: Array, bias: Array) -> list[Array]:
    # cuDNN adds a bias to the input's product and one to the recurrent product.
    both = bias.reshape(2, -1)
    gates = _GATE_COUNTS[kind]
    return [
        _transposed(kernel, gates),
        _transposed(recurrent_kernel, gates),
        both.sum(0) if kind == "LSTM" else both,
    ]


def _transposed(kernel: Array, gates: int) -> Array:
    """Read each gate as cuDNN does: ``(units, inputs)``, though the file says ``(inputs, units)``."""
    parts = np.split(kernel, gates, axis=1)
    return np.concatenate([part.reshape(part.shape[::-1]).T for part in parts], axis=1)


def _scaled(array: Array, factors: Any) -> Array:
    return (array * np.asarray(factors, np.float64)).astype(array.dtype)
