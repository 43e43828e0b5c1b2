# What a module is called with may be anything: Any.
# ruff: noqa: ANN401
"""What a PyTorch module is called with: arrays with the examples first, and the arguments made of them.

The rest of the package cuts, repeats and edits arrays ``(example, ...)``. A module takes tensors in any
structure, some with the examples along another axis: sequences with time first, states ``(layer, example,
cell)``, packed sequences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from lstm_widgets.models.inputs import leaves
from lstm_widgets.models.torch.cells import as_array

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt
    from torch import nn

    from lstm_widgets.models.torch.layers import Found

    Seen = Callable[["Structure", Any], tuple[int, int] | None]

__all__ = ["Structure"]


@dataclass(frozen=True)
class _Leaf:
    """How one array becomes a tensor.

    Attributes
    ----------
    axis : int
        Along which axis of the tensor the examples are.
    dtype, device : optional
        Those of the tensor that was given; None of what was none.
    """

    axis: int = 0
    dtype: torch.dtype | None = None
    device: torch.device | None = None


class Structure:
    """How arrays with the examples first become what a module is called with.

    Parameters
    ----------
    model : torch.nn.Module
        The module.
    layers : sequence of Found
        What is recurrent in it.
    seen : callable
        Calls the module with what this makes of arrays, and tells how many examples and timesteps its first
        recurrent layer gets; None if none is reached.

    Attributes
    ----------
    time_first : bool
        Whether the module takes sequences ``(timestep, example, ...)``.
    examples : int
        The number of examples that it was last called with.
    """

    def __init__(self, model: nn.Module, layers: Sequence[Found], seen: Seen) -> None:
        self._model, self._layers, self._seen = model, layers, seen
        self._build: Callable[[list[Any]], Any] = lambda given: given[0]
        self._leaves: list[_Leaf] = [_Leaf()]
        self._keywords = False
        self._arguments = False
        self._last: tuple[int, int] | None = None
        self.examples = 0
        self.time_first = False

    def take(self, inputs: Any) -> Any:
        """Note the structure of what a module is to be called with; return its arrays.

        A tuple has one argument each, a dict arguments by their names; everything else is the only one.
        """
        self._arguments, self._keywords = isinstance(inputs, tuple), isinstance(inputs, Mapping)
        if isinstance(inputs, PackedSequence):
            self._arguments = False
        found: list[Any] = []
        self._build = _opened(inputs, found)
        if not found:
            raise ValueError(f"inputs: expected tensors or arrays, got {inputs!r:.80}")
        self._leaves = [
            _Leaf(0, one.dtype, one.device) if isinstance(one, torch.Tensor) else _Leaf()
            for one in found
        ]
        arrays = [
            as_array(one) if isinstance(one, torch.Tensor) else np.asarray(one) for one in found
        ]
        if arrays[0].ndim < 2 or (len(arrays) == 1 and self._whole(arrays[0])):
            return arrays[0] if len(arrays) == 1 else arrays
        self.find_time(arrays)
        count = arrays[0].shape[1 if self.time_first else 0]
        self._leaves = [
            _Leaf(self._axis(one, count), leaf.dtype, leaf.device)
            for one, leaf in zip(arrays, self._leaves, strict=True)
        ]
        self._expect(arrays, count)
        arrays = [
            np.moveaxis(one, leaf.axis, 0) for one, leaf in zip(arrays, self._leaves, strict=True)
        ]
        return arrays[0] if len(arrays) == 1 else arrays

    def find_time(self, arrays: Any) -> None:
        """Find out whether the module takes time first.

        ``arrays`` have the axes as they are handed to the module.
        """
        first = leaves(arrays)[0]
        if first.ndim < 2:
            return
        if first.shape[0] == first.shape[1] > 1 and len(leaves(arrays)) == 1:
            first = arrays = first[:, :-1]
        a, b = first.shape[:2]
        seen = self._seen(self, arrays)
        self.time_first = seen is not None and a != b and seen[0] == b and seen[0] != a
        if not isinstance(arrays, list):
            self._leaves = [
                _Leaf(int(self.time_first), self._leaves[0].dtype, self._leaves[0].device)
            ]

    def call(self, batch: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Make arguments, and keyword arguments, of arrays with the examples first."""
        arrays = leaves(batch)
        self.examples = len(arrays[0])
        if arrays[0].ndim > 1:
            self._last = arrays[0].shape[:2]
        moved = [
            np.moveaxis(one, 0, leaf.axis) for one, leaf in zip(arrays, self._leaves, strict=True)
        ]
        return self.arguments(moved)

    def arguments(self, arrays: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Make arguments of arrays whose axes are those that the module takes."""
        weights = next((p for p in self._model.parameters() if p.is_floating_point()), None)
        tensors = [
            _tensor(one, leaf, weights)
            for one, leaf in zip(leaves(arrays), self._leaves, strict=True)
        ]
        made = self._build(tensors)
        if self._keywords:
            return (), made
        return (tuple(made) if self._arguments else (made,)), {}

    def examples_first(self, value: Any) -> Any:
        """Bring a tensor that the module returned into the order that everything else has."""
        if (
            self.time_first
            and self._last is not None
            and tuple(value.shape[:2]) == self._last[::-1]
        ):
            return value.transpose(0, 1)
        return value

    def _whole(self, array: npt.NDArray[Any]) -> bool:
        """Whether an array is one sequence without an axis of examples, as far as can be told."""
        return array.ndim == 2 and array.dtype.kind == "f" and self.features == array.shape[1]

    @property
    def features(self) -> int | None:
        """How many numbers the module reads at each timestep, if its first layer tells."""
        for module in self._model.modules():
            if isinstance(module, torch.nn.Embedding):
                return None
            size = getattr(module, "input_size", None) or getattr(module, "in_features", None)
            if isinstance(size, int):
                return size
        return None

    def _axis(self, array: npt.NDArray[Any], count: int) -> int:
        """Tell along which axis of an array the examples are."""
        if array.ndim == 3 and array.shape[1] == count:
            for one in self._layers:
                module = one.module
                stacked = getattr(module, "num_layers", 0) * (
                    1 + getattr(module, "bidirectional", 0)
                )
                sizes = {getattr(module, "hidden_size", 0), getattr(module, "proj_size", 0)}
                if array.shape[0] == stacked and array.shape[2] in sizes:
                    return 1
        if self.time_first and array.ndim > 1 and array.shape[1] == count:
            return 1
        return int(array.ndim > 1 and array.shape[0] != count and array.shape[1] == count)

    def _expect(self, arrays: Sequence[npt.NDArray[Any]], count: int) -> None:
        for k, (one, leaf) in enumerate(zip(arrays, self._leaves, strict=True)):
            if one.ndim and one.shape[leaf.axis] != count:
                raise ValueError(
                    f"inputs: expected each tensor to have {count} examples, as the first one has; "
                    f"tensor {k} has the shape {one.shape}"
                )


def _opened(value: Any, found: list[Any]) -> Callable[[list[Any]], Any]:
    """List the arrays in a structure; return what builds it of others in their places."""
    k = len(found)
    if isinstance(value, PackedSequence):
        found += pad_packed_sequence(value, batch_first=True)
        return lambda given: pack_padded_sequence(
            given[k], given[k + 1].cpu(), batch_first=True, enforce_sorted=False
        )
    if hasattr(value, "shape") or (
        isinstance(value, list) and value and isinstance(value[0], (int, float))
    ):
        found.append(value)
        return lambda given: given[k]
    if isinstance(value, Mapping):
        named = {key: _opened(part, found) for key, part in value.items()}
        return lambda given: {key: build(given) for key, build in named.items()}
    if isinstance(value, (list, tuple)):
        parts = [_opened(part, found) for part in value]
        make = type(value)._make if hasattr(value, "_make") else type(value)
        return lambda given: make([build(given) for build in parts])
    return lambda _: value


def _tensor(array: npt.NDArray[Any], leaf: _Leaf, weights: Any) -> Any:
    """Make a tensor: as the one that was given, else as the weights are."""
    if array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    tensor = torch.from_numpy(np.array(array))
    dtype, device = leaf.dtype, leaf.device
    if dtype is None and weights is not None and array.dtype.kind == "f":
        dtype = weights.dtype
    if device is None and weights is not None:
        device = weights.device
    return tensor.to(device, dtype)
