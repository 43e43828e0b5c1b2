# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""Which recurrent layers a model has, and which of them are to be recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstm_widgets.recurrence import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Sequence


class UnsupportedLayerError(ValueError):
    """A recurrent layer of the model is none that can be recorded."""


@dataclass(frozen=True)
class Found:
    """A recurrent layer of the model, or something recurrent that cannot be recorded."""

    name: str
    layer: Any
    kinds: tuple[str, ...] = ()  # one a cell, in the order in which they are stacked
    problem: str = ""

    @property
    def units(self) -> tuple[str, ...]:
        """The names under which its cells are recorded."""
        if len(self.kinds) < 2:
            return (self.name,)
        return tuple(f"{self.name}/cell_{k}" for k in range(len(self.kinds)))


def load_keras() -> Any:
    import keras  # noqa: PLC0415  (`import lstm_widgets` must not need it)

    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"model: expected Keras to run on TensorFlow, got the backend "
            f"{keras.backend.backend()!r} (set KERAS_BACKEND=tensorflow before importing keras)"
        )
    return keras


def find_layers(model: Any) -> list[Found]:
    """List everything recurrent in a model, in its order, each layer once."""
    keras = load_keras()
    found: list[Found] = []
    names: set[str] = set()
    seen: set[int] = set()

    def add(name: str, layer: Any) -> None:
        unique, k = name, 2
        while unique in names:
            unique, k = f"{name}_{k}", k + 1
        names.add(unique)
        kinds, problem = _kinds(layer)
        found.append(Found(unique, layer, kinds, problem))

    def walk(parent: Any, path: str) -> None:
        children = (
            parent.layers
            if isinstance(parent, keras.Model)
            else parent._flatten_layers(include_self=False, recursive=False)  # noqa: SLF001
        )
        for layer in children:
            if id(layer) in seen:
                continue
            seen.add(id(layer))
            name = path + layer.name
            if isinstance(layer, keras.layers.RNN) or _is_cell(layer):
                add(name, layer)
            elif isinstance(layer, keras.layers.Bidirectional):
                add(f"{name}/forward", layer.forward_layer)
                add(f"{name}/backward", layer.backward_layer)
            else:
                walk(layer, f"{name}/")

    walk(model, "")
    return found


def _is_cell(layer: Any) -> bool:
    layers = load_keras().layers
    return isinstance(
        layer, (layers.LSTMCell, layers.GRUCell, layers.SimpleRNNCell, layers.StackedRNNCells)
    )


def _kinds(layer: Any) -> tuple[tuple[str, ...], str]:
    """Tell the kinds of a layer's cells, or why it cannot be recorded."""
    layers = load_keras().layers
    if _is_cell(layer):
        return (), "a cell that the model steps itself, outside of an RNN layer"
    if not isinstance(layer, layers.RNN):
        return (), f"a {type(layer).__name__}, which is no keras.layers.RNN"
    own = (layers.RNN.inner_loop, layers.LSTM.inner_loop, layers.GRU.inner_loop)
    if type(layer).inner_loop not in own:
        return (), f"a {type(layer).__name__}, which has a loop of its own"
    stacked = isinstance(layer.cell, layers.StackedRNNCells)
    kinds = []
    for cell in layer.cell.cells if stacked else [layer.cell]:
        for kind in SIGNALS:
            base = getattr(layers, f"{kind}Cell")
            if isinstance(cell, base) and type(cell).call is base.call:
                kinds.append(kind)
                break
        else:
            return (), f"a {type(layer).__name__} around the custom cell {type(cell).__name__}"
    return tuple(kinds), ""


class Selection:
    """Which layers and which of their signals are to be kept.

    With ``keep=False`` the layers are needed, but none of their signals.
    """

    def __init__(
        self,
        found: Sequence[Found],
        layers: Sequence[str] | str | None,
        signals: Sequence[str] | str | None,
        *,
        keep: bool = True,
    ) -> None:
        self._keep = keep
        if not found:
            raise ValueError(
                "model: expected at least one recurrent layer (LSTM, GRU, SimpleRNN, RNN), "
                "got a model with none"
            )
        self._layers = _names("layers", layers)
        self._signals = _names("signals", signals)
        # Also of layers that can't be recorded.
        self.known = units = [unit for one in found for unit in one.units]
        for name in self._layers or ():
            base = without_call(name)
            if not any(unit == base or unit.startswith(f"{base}/") for unit in units):
                raise ValueError(
                    f"layers: expected names among {', '.join(map(repr, units))}; got {name!r}"
                )
        for one in found:
            if one.problem and self.keeps(one.name):
                raise UnsupportedLayerError(
                    f"model: layer {one.name!r} cannot be recorded: it is {one.problem}. "
                    f"To record the others, name them in layers="
                )
        self.found = [one for one in found if not one.problem]
        known = dict.fromkeys(name for one in self.found for k in one.kinds for name in SIGNALS[k])
        for name in self._signals or ():
            if name not in known:
                raise ValueError(
                    f"signals: expected names among {', '.join(map(repr, known))}; got {name!r}"
                )

    def keeps(self, unit: str) -> bool:
        """Whether a layer, or cell of a stack, of this name is to be kept."""
        if self._layers is None:
            return True
        base = without_call(unit)
        return any(
            name in (unit, base) or unit.startswith(f"{name}/") or base.startswith(f"{name}/")
            for name in self._layers
        )

    def signals(self, unit: str, kind: str) -> tuple[str, ...]:
        """Which signals are to be kept of it, in the order of :data:`SIGNALS`."""
        if not self._keep or not self.keeps(unit):
            return ()
        return tuple(n for n in SIGNALS[kind] if self._signals is None or n in self._signals)


def without_call(name: str) -> str:
    """``"lstm:2"`` → ``"lstm"``, ``"rnn:2/cell_0"`` → ``"rnn/cell_0"``."""
    head, colon, tail = name.rpartition(":")
    call, slash, rest = tail.partition("/")
    return head + slash + rest if colon and call.isdigit() else name


def _names(argument: str, names: Sequence[str] | str | None) -> tuple[str, ...] | None:
    if names is None:
        return None
    names = (names,) if isinstance(names, str) else tuple(names)
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{argument}: expected one or more names, or None for all; got {names!r}")
    return names
