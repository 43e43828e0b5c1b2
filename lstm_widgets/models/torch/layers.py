# PyTorch's modules may be of any class: Any.
# ruff: noqa: ANN401
"""Which recurrent layers a PyTorch module has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lstm_widgets.models.own_cells import kind_of, other_than_known, size_of
from lstm_widgets.rnn.cells import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CELLS", "LAYERS", "Found", "find_layers", "unwrapped"]

LAYERS: dict[type, str] = {nn.LSTM: "LSTM", nn.GRU: "GRU", nn.RNN: "SimpleRNN"}
"""PyTorch's layers that run over time, and the kind of their cells."""

CELLS: dict[type, str] = {nn.LSTMCell: "LSTM", nn.GRUCell: "GRU", nn.RNNCell: "SimpleRNN"}
"""Its cells, which a model steps itself."""

# What a class is called that has a recurrence of its own.
_RECURRENT = re.compile(r"LSTM|GRU|RNN")
# Where PyTorch has its quantised classes, and those that are made to be quantised.
_QUANTIZED = ("torch.ao.nn.", "torch.nn.quantized", "torch.nn.quantizable")
# What PyTorch's loops are called in compiled code.
_SCRIPTED = re.compile(r"aten::(lstm|gru|rnn_tanh|rnn_relu)")
# Settings of PyTorch's layers that a recording notes.
_SETTINGS = (
    *("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout"),
    *("bidirectional", "proj_size", "nonlinearity"),
)


@dataclass(frozen=True)
class Found:
    """One direction of one layer of a recurrent module, or something that cannot be recorded.

    Attributes
    ----------
    name : str
        Its name in a recording: the module's; with ``/0``, ``/1``, ... for stacked layers, and
        ``/forward``, ``/backward`` for directions, where there are several.
    module : torch.nn.Module
        The module.
    kind : str
        The kind of its cell; "" if it cannot be recorded.
    problem : str
        Why it cannot be recorded; "" if it can.
    number_of_layer, direction : int
        Which layer of the module, and which of its directions: 1 reads from the end.
    stepped : bool
        Whether it is a cell that the model steps itself.
    own : bool
        Whether it is a cell of a class that the user has made known.
    """

    name: str
    module: Any
    kind: str = ""
    problem: str = ""
    number_of_layer: int = 0
    direction: int = 0
    stepped: bool = False
    own: bool = False

    optional = False

    @property
    def units(self) -> tuple[str, ...]:
        """The name under which its cell is recorded; a projected hidden state has one of its own."""
        return (self.name, f"{self.name}/projected") if self.projected else (self.name,)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of what is recorded, if it can be."""
        if not self.kind:
            return ()
        return tuple(KINDS[self.kind].parts) or (self.kind,)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of cells, and of projected hidden states."""
        if not self.kind:
            return ()
        if self.own:
            return (size_of(self.module),)
        cells = int(self.module.hidden_size)
        return (cells, int(self.module.proj_size)) if self.projected else (cells,)

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The name of the dtype in which it computes."""
        weights = next(self.module.parameters(), None) if self.kind else None
        name = str(getattr(weights, "dtype", torch.float32)).removeprefix("torch.")
        return (name,) * len(self.kinds)

    @property
    def projected(self) -> bool:
        """Whether its hidden state is narrower than its cell state."""
        return self.kind == "ProjectedLSTM"

    @property
    def lstm(self) -> bool:
        """Whether it has two states."""
        return self.kind in ("LSTM", "ProjectedLSTM")

    @property
    def go_backwards(self) -> bool:
        """Whether it reads from the end."""
        return self.direction == 1

    def number(self, time: int) -> int:
        """Tell the number of the call that is made as the ``time``-th: modules are called in order."""
        return time

    def config(self) -> dict[str, Any]:
        """Tell the module's settings, as JSON can hold them."""
        known = {name: getattr(self.module, name, None) for name in _SETTINGS}
        return {
            name: value
            for name, value in known.items()
            if isinstance(value, (bool, int, float, str))
        }


def unwrapped(model: nn.Module) -> nn.Module:
    """Take a module out of what only compiles it, or shares its batches out to devices."""
    while True:
        if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            model = model.module
        elif hasattr(model, "_orig_mod"):  # torch.compile
            model = model._orig_mod  # noqa: SLF001
        else:
            return model


def find_layers(model: nn.Module) -> list[Found]:
    """List everything recurrent in a module, in its order; cells that it steps itself last."""
    found: list[Found] = []
    inside = ""  # of what can't be recorded, nothing more is said
    for name, module in model.named_modules():
        if inside and name.startswith(inside):
            continue
        own = kind_of(module)
        if own:
            found.append(Found(_named(name, module), module, own, stepped=True, own=True))
            inside = f"{name}." if name else "."
            continue
        kind = next((kind for base, kind in LAYERS.items() if isinstance(module, base)), None)
        if getattr(module, "proj_size", 0) and kind == "LSTM":
            kind = "ProjectedLSTM"
        step = next((kind for base, kind in CELLS.items() if isinstance(module, base)), None)
        if kind is not None:
            found += _directions(_named(name, module), module, kind)
        elif step is not None:
            found.append(Found(_named(name, module), module, step, stepped=True))
        else:
            problem = _problem(module)
            if problem:
                found.append(Found(_named(name, module), module, problem=problem))
                inside = f"{name}." if name else "."
    return sorted(found, key=lambda one: one.stepped)


def _directions(name: str, module: Any, kind: str) -> Iterator[Found]:
    for layer in range(module.num_layers):
        for direction in range(2 if module.bidirectional else 1):
            parts = [name]
            if module.num_layers > 1:
                parts.append(str(layer))
            if module.bidirectional:
                parts.append("backward" if direction else "forward")
            yield Found("/".join(parts), module, kind, number_of_layer=layer, direction=direction)


def _named(name: str, module: nn.Module) -> str:
    """Name a module as the model does; the model itself by what it is."""
    name = ".".join(part for part in name.split(".") if part != "_orig_mod")  # of torch.compile
    if name:
        return name
    for base in (*LAYERS, *CELLS):
        if isinstance(module, base):
            return {"LSTMCell": "lstm_cell", "GRUCell": "gru_cell", "RNNCell": "rnn_cell"}.get(
                base.__name__, base.__name__.lower()
            )
    return str(getattr(module, "original_name", type(module).__name__)).lower()


def _problem(module: nn.Module) -> str:
    """Say why something that seems recurrent cannot be recorded; "" of everything else."""
    name = str(getattr(module, "original_name", type(module).__name__))
    if type(module).__module__.startswith(_QUANTIZED) and _RECURRENT.search(name):
        return (
            f"the quantised class {type(module).__module__}.{name}, which computes in whole numbers: "
            "record the model before it is quantised"
        )
    if any(map(kind_of, module.modules())):
        return ""  # it is named by what is in it
    other = other_than_known(module)
    if other:
        return other
    own = [type(one) for one in module.modules() if one is not module]
    if isinstance(module, torch.jit.ScriptModule):
        known = {one.__name__ for one in (*LAYERS, *CELLS)}
        frozen = not own and _SCRIPTED.search(str(getattr(module, "inlined_graph", "")))
        if name in known or frozen:
            return "compiled by TorchScript, which hides what it computes: record the module itself"
        return ""
    built_on = isinstance(module, (nn.RNNBase, nn.RNNCellBase))  # PyTorch's own for weights of any
    if not (built_on or _RECURRENT.search(name)) or any(
        issubclass(one, (*LAYERS, *CELLS)) for one in own
    ):
        return ""
    if any(isinstance(one, torch.jit.ScriptModule) for one in module.children()):
        return ""
    if any(_RECURRENT.search(one.__name__) for one in own):
        return ""  # it is named by what is in it
    if not any(True for _ in module.parameters()):
        return ""
    where = type(module)
    return (
        f"a class of its own, {where.__module__}.{where.__qualname__}, whose equations aren't known "
        "(lstm_widgets.register_cell makes those of a cell known)"
    )
