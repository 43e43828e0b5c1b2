# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""Which recurrent layers a Keras model has."""

from __future__ import annotations

import json
import types
import weakref
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lstm_widgets.models.keras.backend import backend
from lstm_widgets.models.own_cells import kind_of, other_than_known, size_of, way_back
from lstm_widgets.rnn.cells import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Found:
    """A recurrent layer of the model, or something recurrent that cannot be recorded."""

    name: str
    layer: Any
    kinds: tuple[str, ...] = ()  # one a cell, in the order in which they are stacked
    problem: str = ""
    stepped: bool = False  # whether it is a cell that the model steps itself, one call a timestep
    order: tuple[int, ...] = ()  # see call_orders
    optional: bool = False  # whether it is also stepped within a layer, and need not be outside

    def number(self, time: int) -> int:
        """Tell the number of the call that is made as the ``time``-th, from 1 on."""
        return numbered(self.order, time)

    @property
    def cells(self) -> tuple[Any, ...]:
        """Its cells, in the order in which they are stacked."""
        if self.stepped:
            return (self.layer,)
        return tuple(self.layer.cell.cells) if is_stack(self.layer) else (self.layer.cell,)

    @property
    def states(self) -> list[Any]:
        """The variables in which it keeps its states from one call of the model to the next."""
        states: list[Any] = load_keras().tree.flatten(getattr(self.layer, "states", None))
        return [state for state in states if state is not None]

    @property
    def stateful(self) -> bool:
        """Whether it does."""
        return bool(getattr(self.layer, "stateful", False))

    @property
    def go_backwards(self) -> bool:
        """Whether it reads from the end."""
        return bool(getattr(self.layer, "go_backwards", False))

    @property
    def units(self) -> tuple[str, ...]:
        """The names under which its cells are recorded."""
        if len(self.kinds) < 2:
            return (self.name,)
        return tuple(f"{self.name}/cell_{k}" for k in range(len(self.kinds)))

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many units each of its cells has."""
        return tuple(size_of(one) if kind_of(one) else int(one.units) for one in self.cells)

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtype in which each of its cells computes."""
        return tuple(backend().dtype(str(cell.compute_dtype)) for cell in self.cells)

    def config(self) -> dict[str, Any]:
        """Tell its settings, as JSON can hold them."""
        return plain_config(self.layer)


_configs: weakref.WeakKeyDictionary[Any, tuple[Any, str]] = weakref.WeakKeyDictionary()


def plain_config(thing: Any) -> dict[str, Any]:
    """Describe a layer or model as JSON can hold it; what was described before isn't again."""
    settings = _settings(thing)
    known = _configs.get(thing)
    if known is None or known[0] != settings:
        try:
            text = json.dumps(thing.get_config(), default=str)
        except (NotImplementedError, TypeError, ValueError):
            text = "{}"  # a subclassed model need not have one
        known = _configs[thing] = (settings, text)
    plain: dict[str, Any] = json.loads(known[1])
    return plain


def _settings(thing: Any) -> list[tuple[str, Any]]:
    """List the attributes of a layer, and of all in it, that a description of it is made of."""
    return [
        (name, value)
        for layer in thing._flatten_layers()  # noqa: SLF001
        for name, value in vars(layer).items()
        if isinstance(value, (str, int, float, type(None), types.FunctionType))
    ]


def load_keras() -> Any:
    """Import Keras when it is first needed, on a backend that is supported."""
    import keras  # noqa: PLC0415  (`import lstm_widgets` must not need it)

    backend()
    return keras


def find_layers(model: Any) -> list[Found]:
    """List everything recurrent in a model, in its order, each layer once.

    Cells that the model steps itself come last.
    """
    keras = load_keras()
    found: list[Found] = []
    names: set[str] = set()
    seen: set[int] = set()
    orders = call_orders(model)

    def add(name: str, layer: Any) -> None:
        unique, k = name, 2
        while unique in names:
            unique, k = f"{name}_{k}", k + 1
        names.add(unique)
        kinds, problem = _kinds(layer)
        order = orders.get(id(layer), ())
        found.append(Found(unique, layer, kinds, problem, _is_cell(layer), order))

    def walk(parent: Any, path: str) -> None:
        children = (
            parent.layers
            if isinstance(parent, keras.Model)
            else parent._flatten_layers(include_self=False, recursive=False)  # noqa: SLF001
        )
        for layer in (*children, *backend().wrapped(parent)):
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
                for inside in backend().foreign(layer):
                    problem = "a module that is none of Keras's; record the module that has it"
                    found.append(Found(f"{name}/{inside}", layer, problem=problem))
                walk(layer, f"{name}/")

    walk(model, "")
    # Last, because a cell that a model steps itself may also be the one within a layer before.
    found.sort(key=lambda one: one.stepped)
    layers = [one for one in found if not one.stepped and not one.problem]
    inside = {id(cell) for one in layers for cell in one.cells}
    return [replace(one, optional=one.stepped and id(one.layer) in inside) for one in found]


def call_orders(model: Any) -> dict[int, tuple[int, ...]]:
    """Tell which call of each layer is made as the first, the second and so on.

    The author of a functional model calls the layers in some order, and that is how calls are
    numbered; the model makes calls that don't depend on each other in another order.

    Returns
    -------
    dict
        By the ``id`` of a layer, of those that are called several times.
    """
    ranks: dict[int, list[tuple[int, ...]]] = {}
    bidirectional = load_keras().layers.Bidirectional

    def walk(model: Any, before: tuple[int, ...]) -> None:
        graph = getattr(model, "_functional", None) or model
        by_depth = getattr(graph, "_nodes_by_depth", None) or {}
        for depth in sorted(by_depth, reverse=True):
            for node in by_depth[depth]:
                layer = node.operation
                if node.is_input:
                    continue
                rank = (*before, next(k for k, n in enumerate(layer._inbound_nodes) if n is node))  # noqa: SLF001
                if isinstance(layer, load_keras().Model):
                    walk(layer, rank)
                both = isinstance(layer, bidirectional)
                for one in (layer.forward_layer, layer.backward_layer) if both else (layer,):
                    ranks.setdefault(id(one), []).append(rank)

    walk(model, ())
    return {
        layer: tuple(sorted(made).index(rank) + 1 for rank in made)
        for layer, made in ranks.items()
        if len(made) > 1
    }


def numbered(order: Sequence[int], time: int) -> int:
    """Tell the number of the call that is made as the ``time``-th, by its layer's order."""
    return order[time - 1] if time <= len(order) else time


def _is_cell(layer: Any) -> bool:
    layers = load_keras().layers
    if isinstance(layer, (layers.LSTMCell, layers.GRUCell, layers.SimpleRNNCell)):
        return True
    known = kind_of(layer) or other_than_known(layer)
    return bool(known) and not isinstance(layer, layers.RNN)


def is_stack(layer: Any) -> bool:
    """Whether a layer has several cells, each reading what the one before it gives."""
    return isinstance(layer.cell, load_keras().layers.StackedRNNCells)


def _kind(cell: Any) -> str:
    """Tell the kind of a cell, "" if it is none that can be recorded."""
    own = kind_of(cell)
    if own:
        return own
    for kind in SIGNALS:
        base = getattr(load_keras().layers, f"{kind}Cell", None)
        if base is not None and isinstance(cell, base) and type(cell).call is base.call:
            return kind
    return ""


def _kinds(layer: Any) -> tuple[tuple[str, ...], str]:
    """Tell the kinds of a layer's cells, or why it cannot be recorded."""
    layers = load_keras().layers
    if _is_cell(layer):
        kind = _kind(layer)
        if kind:
            return (kind,), ""
        return (), f"{_custom(layer)}, which the model steps itself"
    if not isinstance(layer, layers.RNN):
        return (), f"a {type(layer).__name__}, which is no keras.layers.RNN"
    own = (layers.RNN.inner_loop, layers.LSTM.inner_loop, layers.GRU.inner_loop)
    if type(layer).inner_loop not in own:
        return (), f"a {type(layer).__name__}, which has a loop of its own"
    cells = layer.cell.cells if is_stack(layer) else [layer.cell]
    kinds = tuple(map(_kind, cells))
    for cell, kind in zip(cells, kinds, strict=True):
        if not kind:
            return (), f"a {type(layer).__name__} around {_custom(cell)}"
    return kinds, ""


def _custom(cell: Any) -> str:
    """Name a cell that isn't known, and what makes it known."""
    return f"the custom cell {type(cell).__name__} (lstm_widgets.register_cell makes its equations known)"


def with_way_back(found: Sequence[Found]) -> list[Found]:
    """List the same layers: those through which nothing can be traced back have a problem."""
    why = [next(filter(None, map(way_back, one.kinds)), "") for one in found]
    return [
        replace(one, kinds=(), problem=problem) if problem else one
        for one, problem in zip(found, why, strict=True)
    ]
