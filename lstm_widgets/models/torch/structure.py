# What a module is called with may be anything: Any.
# ruff: noqa: ANN401
"""What a PyTorch module is called with: arrays with the examples first, and the arguments made of them.

The rest of the package cuts, repeats and edits arrays ``(example, ...)``. A module takes tensors in any
structure, some with the examples along another axis: sequences with time first, states ``(layer, example,
cell)``, packed sequences.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from lstm_widgets.models.inputs import leaves
from lstm_widgets.models.torch.cells import as_array
from lstm_widgets.models.torch.layers import LAYERS
from lstm_widgets.models.torch.layout import FEW, Layout, few

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt
    from torch import nn

    from lstm_widgets.models.torch.carried import Carried
    from lstm_widgets.models.torch.layers import Found

    Taking = Callable[[list[Any], list[int | None]], list[Any]]
    Seen = Callable[["Structure", Any], tuple[int, int] | None]

__all__ = ["Structure", "opened"]

# Examples and timesteps of vectors by which it is found out how a module takes such.
VECTORS = (2, 3)


@dataclass(frozen=True)
class _Leaf:
    """How one array becomes a tensor.

    Attributes
    ----------
    path : str
        Where it stands in what was given, for an error to tell.
    axis : int, optional
        Along which axis of the tensor the examples are; None: it has no such axis.
    dtype, device : optional
        Those of the tensor that was given; None of what was none.
    """

    path: str = "inputs"
    axis: int | None = 0
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
        recurrent layer gets, 0 timesteps of a cell that the module steps; None if none is reached.

    Attributes
    ----------
    time_first : bool
        Whether the module takes sequences ``(timestep, example, ...)``.
    alone : bool
        Whether it takes one example without an axis of examples.
    examples : int
        The number of examples that it was last called with.
    packed : bool
        Whether something that it takes is packed.
    carried : Carried, optional
        The states that it takes as an argument, if it was said to take such.
    """

    def __init__(self, model: nn.Module, layers: Sequence[Found], seen: Seen) -> None:
        self._model, self._layers, self._seen = model, layers, seen
        self._build: Callable[[list[Any]], Any] = lambda given: given[0]
        self._leaves: list[_Leaf] = [_Leaf()]
        self._keywords = False
        self._arguments = False
        self._known = False
        self._main = 0  # which of the arrays is read over time
        self._last: list[npt.NDArray[Any]] = []
        self._layout = Layout()
        self.examples = 0
        self.time_first = self.alone = self.packed = False
        self._taking: Taking = lambda tensors, _: tensors
        self.carried: Carried | None = None

    # What is given ---------------------------------------------------------------------------------

    def take(self, inputs: Any, *, loaded: bool = False) -> Any:
        """Note the structure of what a module is to be called with; return its arrays.

        A tuple has one argument each, a dict arguments by their names; everything else is the only one.
        What is ``loaded`` has an axis of examples, and goes to the device of the weights.
        """
        arrays = self._opened(inputs, loaded=loaded)
        first = arrays[0]
        if len(arrays) == 1 and not loaded and (first.ndim < 2 or self._whole(first)):
            return first
        self._find_axes(arrays)
        return self._examples_first(arrays)

    def take_more(self, inputs: Any, *, loaded: bool = False) -> Any:
        """Return the arrays of more of the same, after :meth:`take` has noted the structure."""
        before = self._leaves
        arrays = self._opened(inputs, loaded=loaded)
        if [leaf.path for leaf in before] != [leaf.path for leaf in self._leaves]:
            raise ValueError(
                "inputs: expected batches of one structure, got "
                f"{', '.join(leaf.path for leaf in before)} and then "
                f"{', '.join(leaf.path for leaf in self._leaves)}"
            )
        self._leaves = before
        first = arrays[0]
        if len(arrays) == 1 and not loaded and (first.ndim < 2 or self._whole(first)):
            return first
        return self._examples_first(arrays)

    def build(self, first: Any) -> None:
        """Find out how the module takes what has the examples first, if nothing else was told."""
        if self._known or isinstance(first, (list, Mapping)) or first.ndim < 2:
            return
        self._known = True
        arrays = [np.asarray(first)]
        examples, timesteps = first.shape[:2]
        some = few(first)
        seen = self._seen(self, [some])
        if seen is not None:
            examples, timesteps = some.shape[:2]
        else:
            if examples == timesteps > 1:
                arrays, examples = [arrays[0][1:]], examples - 1
            seen = self._seen(self, arrays)
        if seen is None and len(first) == 1:
            self.alone = self._seen(self, [first[0]]) in ((1, timesteps), (1, 0))
        turned = seen in ((timesteps, examples), (timesteps, 0))
        self.time_first = turned and timesteps != examples
        axis = None if self.alone else int(self.time_first)
        self._leaves = [replace(self._leaves[0], axis=axis)]

    def learn(self, read: Callable[[Any], Mapping[str, Any]], first: Any) -> None:
        """Find out how what the module returns stands.

        ``read`` calls it with arrays that have the examples first, as ``first`` are, and returns its
        tensors by name.
        """
        self._layout.learn(read, few(first, self._main), self._main)

    def _opened(self, inputs: Any, *, loaded: bool) -> list[npt.NDArray[Any]]:
        self._arguments, self._keywords = isinstance(inputs, tuple), isinstance(inputs, Mapping)
        if isinstance(inputs, PackedSequence):
            self._arguments = False
        found: list[tuple[str, Any]] = []
        self._build = opened(inputs, "inputs", found)
        self.packed = any(path.endswith(_LENGTHS) for path, _ in found)
        if not found:
            raise ValueError(f"inputs: expected tensors or arrays, got {inputs!r:.80}")
        self._leaves = [
            _Leaf(path, 0, one.dtype, None if loaded and _to_be_moved(one) else one.device)
            if isinstance(one, torch.Tensor)
            else _Leaf(path)
            for path, one in found
        ]
        for path, one in found:
            if isinstance(one, torch.Tensor):
                self.expect_tensor(path, one, moved=loaded)
        return [
            as_array(one) if isinstance(one, torch.Tensor) else np.asarray(one) for _, one in found
        ]

    def expect_tensor(self, path: str, tensor: Any, *, moved: bool = False) -> None:
        """Refuse a tensor of another dtype, or on another device, than the weights."""
        weights = [p for p in self._model.parameters() if p.is_floating_point()]
        if any(p.is_meta for p in weights):
            raise ValueError(
                "model: expected weights that have numbers, got some on the device meta, which have none; "
                "make the module on another device and load its weights (load_state_dict)"
            )
        dtypes = {p.dtype for p in weights}
        if tensor.is_floating_point() and dtypes and tensor.dtype not in dtypes:
            known = " and ".join(sorted(map(str, dtypes)))
            raise TypeError(
                f"{path}: expected the dtype of the model's weights, {known}, got {tensor.dtype}; "
                f".to({min(map(str, dtypes))}) converts it"
            )
        devices = {p.device for p in weights}
        if _to_be_moved(tensor) and not moved and devices and tensor.device not in devices:
            known = " and ".join(sorted(map(str, devices)))
            raise ValueError(
                f"{path}: expected the device of the model's weights, {known}, got a tensor on "
                f"{tensor.device}; .to({min(map(str, devices))!r}) moves it there"
            )
        if tensor.is_meta:
            raise ValueError(f"{path}: expected numbers, got a tensor on meta, which has none")

    # Which axis is which ---------------------------------------------------------------------------

    @property
    def of_layer(self) -> bool:
        """Whether the module is nothing but a recurrent layer.

        That says itself how it takes and gives axes, and writes to nothing that it takes.
        """
        hooked = self._model._forward_pre_hooks or self._model._forward_hooks  # noqa: SLF001
        return type(self._model) in LAYERS and not (hooked or self.packed)

    def _find_axes(self, arrays: list[npt.NDArray[Any]]) -> None:
        """Find out along which axis of each array the examples are, by what the module makes of them."""
        self._known = True
        wide = [k for k, one in enumerate(arrays) if one.ndim > 1]
        self._main = next((k for k in wide if not self._is_state(arrays[k])), [*wide, 0][0])
        if self._are_vectors(arrays):
            self.time_first, self.alone = self.of_vectors == VECTORS[::-1], False
            self._set_axes(arrays)
            return
        arrays, seen = self._some(arrays)
        first = arrays[self._main]
        if first.ndim < 2 or first.shape[0] != first.shape[1]:
            seen = seen or self._seen(self, arrays)
            a, b = (*first.shape, 1)[:2]
            turned = seen is not None and seen[0] == b != a
            self.time_first = turned and first.ndim > 1
            self.alone = seen in ((1, a), (1, 0)) and not self.time_first and a != 1
        elif len(first) > 1:
            # Which axis that is tells what is left of it with one example less.
            as_it_is = self._reads_fewer(arrays, time_first=False)
            self.time_first = not as_it_is and self._reads_fewer(arrays, time_first=True)
        self._set_axes(arrays)

    @functools.cached_property
    def of_vectors(self) -> tuple[int, int] | None:
        """How many examples and timesteps the first recurrent layer gets of vectors ``VECTORS``.

        None, if it isn't known how long they are, or if the module takes none.
        """
        if self.features is None:
            return None
        if self.of_layer:
            return VECTORS if self._model.batch_first else VECTORS[::-1]
        untold = self._untold()
        return self._seen(untold, [np.zeros((*VECTORS, self.features), np.float32)])

    @property
    def takes_ids(self) -> bool:
        """Whether it takes ids instead, of which it may make vectors by itself, by one_hot for instance."""
        return self._seen(self._untold(), [np.zeros(VECTORS, np.int64)]) is not None

    def _untold(self) -> Structure:
        """Make one of the same module that was told nothing of what this is called with."""
        untold = Structure(self._model, self._layers, self._seen)
        untold.carried = self.carried
        return untold

    def _are_vectors(self, arrays: list[npt.NDArray[Any]]) -> bool:
        """Whether a single array is of vectors, of which it is known which axis the module takes first."""
        (one, *others) = arrays
        return (
            not others
            and one.ndim == 3
            and one.size > 0
            and one.dtype.kind == "f"
            and one.shape[2] == self.features
            and self.of_vectors in (VECTORS, VECTORS[::-1])
        )

    def _some(
        self, arrays: list[npt.NDArray[Any]]
    ) -> tuple[list[npt.NDArray[Any]], tuple[int, int] | None]:
        """Take what tells as much of a single large array as all of it, where the module takes such.

        It has several rows and columns, not as many of each. What the first recurrent layer gets of it is
        returned, too; None if nothing is known.
        """
        if len(arrays) > 1 or arrays[0].ndim < 2 or not arrays[0].size:
            return arrays, None
        rows, columns = (
            min(count, most) for count, most in zip(arrays[0].shape[:2], FEW, strict=True)
        )
        some = [arrays[0][:rows, : columns - (rows == columns > 1)]]
        seen = self._seen(self, some)
        return (arrays, None) if seen is None else (some, seen)

    def _reads_fewer(self, arrays: list[npt.NDArray[Any]], *, time_first: bool) -> bool:
        """Whether the module gets one example less if the first is left out of each array."""
        self.time_first = time_first
        self._set_axes(arrays)
        fewer = [
            np.delete(one, 0, leaf.axis or 0) if one.ndim and leaf.axis is not None else one
            for one, leaf in zip(arrays, self._leaves, strict=True)
        ]
        seen = self._seen(self, fewer)
        return seen is not None and seen[0] == len(arrays[self._main]) - 1

    def _set_axes(self, arrays: list[npt.NDArray[Any]]) -> None:
        first = arrays[self._main]
        count = first.shape[1 if self.time_first else 0]
        axes = [None if self.alone else self._axis(one, first, count) for one in arrays]
        self._leaves = [
            replace(leaf, axis=axis) for leaf, axis in zip(self._leaves, axes, strict=True)
        ]

    def _axis(self, array: npt.NDArray[Any], first: npt.NDArray[Any], count: int) -> int:
        """Tell along which axis of an array the examples are, ``count`` of them."""
        if array.ndim < 2:
            return 0
        if array is not first and self._is_state(array) and array.shape[1] == count:
            return 1
        if self.time_first and array.shape[:2] == first.shape[:2]:
            return 1
        return int(array.shape[0] != count and array.shape[1] == count)

    def is_state(self, leaf: int, array: npt.NDArray[Any]) -> bool:
        """Whether one of the arrays, with the examples first, are states that the module is given."""
        return leaf != self._main and array.ndim == 3 and self._is_state(np.moveaxis(array, 0, 1))

    def _is_state(self, array: npt.NDArray[Any]) -> bool:
        """Whether an array has the shape of states ``(layer, example, cell)``."""
        shapes = [_stacked(one.module) for one in self._layers if not one.stepped and one.kind]
        return array.ndim == 3 and any(
            array.shape[0] == stack and array.shape[2] in sizes for stack, sizes in shapes
        )

    def _examples_first(self, arrays: list[npt.NDArray[Any]]) -> Any:
        if self.alone:
            arrays = [one[None] for one in arrays]
        else:
            self._expect_examples(arrays)
            arrays = [
                np.moveaxis(one, leaf.axis or 0, 0)
                for one, leaf in zip(arrays, self._leaves, strict=True)
            ]
        return arrays[0] if len(arrays) == 1 else arrays

    def _expect_examples(self, arrays: Sequence[npt.NDArray[Any]]) -> None:
        first, main = self._leaves[self._main], arrays[self._main]
        count = main.shape[first.axis or 0]
        for one, leaf in zip(arrays, self._leaves, strict=True):
            if one.shape[leaf.axis or 0] != count:
                over_time = (one for one in self._layers if not one.stepped and one.kind)
                stack, sizes = next((_stacked(one.module) for one in over_time), (0, {0}))
                states = f", a state ({stack}, {count}, {max(sizes)})" if stack else ""
                raise ValueError(
                    f"{leaf.path}: expected {count} examples along its first axis{states}, because "
                    f"{first.path} of shape {main.shape} has so many; got the shape "
                    f"{one.shape}. What doesn't belong to examples can be handed on in "
                    "run=lambda model: model(...), without inputs"
                )

    # The call --------------------------------------------------------------------------------------

    def call(self, batch: Any, state: Any = None) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Make arguments, and keyword arguments, of arrays with the examples first.

        ``state`` are the states to be handed to a module that takes such as an argument; None: those
        from which it starts.
        """
        arrays = leaves(batch)
        self.examples, self._last = len(arrays[0]), arrays
        if self.alone and self.examples > 1:
            raise ValueError(
                f"inputs: the model takes one example at a time, without an axis of examples; got "
                f"{self.examples} at once. batch_size=1 gives it one after the other"
            )
        arguments, keywords = self.arguments(
            [
                one[0] if leaf.axis is None else np.moveaxis(one, 0, leaf.axis)
                for one, leaf in zip(arrays, self._leaves, strict=True)
            ]
        )
        if self.carried is None:
            return arguments, keywords
        first = self.carried.first(self.examples) if state is None else state
        return self.carried.taken(arguments, keywords, first)

    def arguments(self, arrays: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Make arguments of arrays whose axes are those that the module takes."""
        weights = next((p for p in self._model.parameters() if p.is_floating_point()), None)
        tensors = [
            _tensor(one, leaf, weights, shared=self.of_layer)
            for one, leaf in zip(leaves(arrays), self._leaves, strict=True)
        ]
        made = self._build(self._taking(tensors, [leaf.axis for leaf in self._leaves]))
        if self._keywords:
            return (), made
        return (tuple(made) if self._arguments else (made,)), {}

    @contextlib.contextmanager
    def taking(self, change: Taking) -> Iterator[None]:
        """Let the module take what is made of its tensors, given along which axes the examples are."""
        before, self._taking = self._taking, change
        try:
            yield
        finally:
            self._taking = before

    def examples_first(self, name: str, value: Any) -> Any:
        """Bring a tensor that the module returned into the order that everything else has.

        None, if it has no axis of examples.
        """
        if not value.ndim:
            return None
        if self.alone:
            return value[None]
        if self._layout.known:
            return self._layout.examples_first(name, value, self.examples)
        if self.time_first and self._last:
            turned = tuple(value.shape[:2]) == self._last[self._main].shape[1::-1]
            value = value.transpose(0, 1) if turned else value
        return value if value.shape[0] == self.examples else None

    def timesteps(self, lengths: npt.NDArray[np.intp]) -> int:
        """Tell how many timesteps the sequences had before they were packed by these lengths.

        That is known if the module was told them, or if one and the same stands behind all of their ends.
        """
        longest = int(lengths.max())
        if self.packed or not self._last or self._last[self._main].ndim < 2:
            return longest
        first = self._last[self._main]
        whole = int(first.shape[1])
        if len(first) != len(lengths) or whole <= longest:
            return longest
        told = any(one.ndim == 1 and np.array_equal(one, lengths) for one in self._last)
        behind = first[np.arange(whole) >= lengths[:, None]]
        return whole if told or (behind == behind[:1]).all() else longest

    def _whole(self, array: npt.NDArray[Any]) -> bool:
        """Whether an array is one sequence without an axis of examples, as far as can be told."""
        features = array.ndim == 2 and array.dtype.kind == "f" and self.features == array.shape[1]
        return features and not self.one_step

    @functools.cached_property
    def one_step(self) -> bool:
        """Whether vectors ``(example, features)`` are what a cell reads at a single timestep."""
        if self.features is None or not any(one.stepped for one in self._layers):
            return False
        examples = VECTORS[0]
        vectors = np.zeros((examples, self.features), np.float32)
        return self._seen(self._untold(), [vectors]) == (examples, 0)

    @property
    def features(self) -> int | None:
        """How many numbers the module reads at each timestep, if its first layer tells."""
        for module in self._model.modules():
            # Of what TorchScript has compiled the class isn't told.
            if isinstance(module, (torch.nn.Embedding, torch.jit.ScriptModule)):
                return None
            size = getattr(module, "input_size", None) or getattr(module, "in_features", None)
            if isinstance(size, int):
                return size or None  # 0: a lazy layer that doesn't know yet
        return None


# What the lengths of packed sequences are called, behind where these stand.
_LENGTHS = ".lengths"


def _stacked(module: Any) -> tuple[int, set[int]]:
    """Tell how many states a layer has, one for each direction of each of its layers, and their sizes."""
    sizes = {int(module.hidden_size), int(getattr(module, "proj_size", 0)) or module.hidden_size}
    return module.num_layers * (1 + module.bidirectional), sizes


def _to_be_moved(tensor: torch.Tensor) -> bool:
    """Whether a tensor has to be where the weights are; lengths of sequences may be elsewhere."""
    return bool(tensor.is_floating_point() or tensor.ndim > 1)


def opened(value: Any, path: str, found: list[tuple[str, Any]]) -> Callable[[Sequence[Any]], Any]:
    """List the arrays in a structure; return what builds it of others in their places."""
    k = len(found)
    if isinstance(value, torch.Tensor):
        _expect_dense(path, value)
    if isinstance(value, PackedSequence):
        data, lengths = pad_packed_sequence(value, batch_first=True)
        found += [(path, data), (path + _LENGTHS, lengths)]
        return lambda given: pack_padded_sequence(
            given[k], given[k + 1].cpu(), batch_first=True, enforce_sorted=False
        )
    if getattr(value, "shape", ()) or (
        isinstance(value, list) and value and isinstance(value[0], (int, float))
    ):
        found.append((path, value))
        return lambda given: given[k]
    if isinstance(value, Mapping):
        named = {key: opened(part, f"{path}[{key!r}]", found) for key, part in value.items()}
        return lambda given: {key: build(given) for key, build in named.items()}
    if isinstance(value, (list, tuple)):
        parts = [opened(part, f"{path}[{n}]", found) for n, part in enumerate(value)]
        make = type(value)._make if hasattr(value, "_make") else type(value)
        return lambda given: make([build(given) for build in parts])
    return lambda _: value


def _expect_dense(path: str, tensor: torch.Tensor) -> None:
    if tensor.is_nested:
        raise TypeError(
            f"{path}: expected a dense tensor, got a nested one; a list of tensors, list(x.unbind()), has "
            "examples of several lengths"
        )
    if tensor.layout is not torch.strided:
        raise TypeError(
            f"{path}: expected a dense tensor, got one with the layout {tensor.layout}; .to_dense() makes "
            "one of it"
        )


def _tensor(array: npt.NDArray[Any], leaf: _Leaf, weights: Any, *, shared: bool) -> Any:
    """Make a tensor: as the one that was given, else as the weights are.

    It shares the array's memory only with who writes to nothing: a module may.
    """
    if array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    readable = shared and array.flags.writeable and min(array.strides, default=0) >= 0
    tensor = torch.from_numpy(array if readable else np.array(array))
    dtype, device = leaf.dtype, leaf.device
    if dtype is None and weights is not None and array.dtype.kind == "f":
        dtype = weights.dtype
    elif dtype is None and array.dtype.kind in "iu":
        dtype = torch.int64  # an Embedding takes no smaller ones
    if device is None and weights is not None and _to_be_moved(tensor):
        device = weights.device
    return tensor.to(device, dtype)
