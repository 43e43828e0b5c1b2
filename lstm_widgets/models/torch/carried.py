# What a module takes and returns may be anything: Any.
# ruff: noqa: ANN401
"""States that a module takes as an argument, and returns, to be handed to it again with the next piece."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lstm_widgets.errors import UnsupportedLayerError
from lstm_widgets.models.torch.cells import as_array
from lstm_widgets.models.torch.outputs import is_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt
    from torch import nn

__all__ = ["Carried", "flat", "parameters", "structured"]

# What is called so in a flat state tells how its arrays belong together, as JSON in UTF-8.
_STRUCTURE = "structure"


def parameters(model: nn.Module) -> dict[str, bool]:
    """List the names that a module's ``forward`` has for what it takes, and whether it needs each."""
    every = inspect.signature(model.forward).parameters.values()
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {one.name: one.default is one.empty for one in every if one.kind not in several}


class Carried:
    """The states that a module takes as one of its arguments, and returns beside its outputs.

    Parameters
    ----------
    model : torch.nn.Module
        The module.
    argument : str
        The argument's name.

    Raises
    ------
    TypeError, ValueError
        If there is no such argument.
    """

    def __init__(self, model: nn.Module, argument: str) -> None:
        if not isinstance(argument, str):
            raise TypeError(f"state: expected the name of an argument, got {argument!r:.80}")
        names = list(parameters(model))
        if argument not in names:
            raise ValueError(
                f"state: expected the name of an argument that {type(model).__name__}.forward takes "
                f"({', '.join(map(repr, names))}), got {argument!r}"
            )
        self.argument = argument
        self._model = model
        self._others = [name for name in names if name != argument]

    def first(self, examples: int) -> Any:
        """Make the states from which the module starts: its own, or None, which stands for zeros."""
        make = getattr(self._model, "init_hidden", None)
        if make is None:
            return None
        return make(examples) if inspect.signature(make).parameters else make()

    def taken(
        self, arguments: tuple[Any, ...], keywords: dict[str, Any], state: Any
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Add states to what the module is called with."""
        named = dict(zip(self._others, arguments, strict=False))
        return arguments[len(named) :], {**named, **keywords, self.argument: state}

    def split(self, returned: Any, given: Any, ended: Callable[[Any], bool]) -> tuple[Any, Any]:
        """Tell the states among what the module returned, and that with nothing in their place.

        They are what has the argument's name, or the structure of what was given to it; where nothing was,
        what the layers ended in, by ``ended`` of a tensor, or what stands last.
        """
        if isinstance(returned, Mapping) and self.argument in returned:
            return returned[self.argument], {**returned, self.argument: None}
        if self.argument in getattr(returned, "_fields", ()):
            return getattr(returned, self.argument), returned._replace(**{self.argument: None})
        if is_record(returned) and self.argument in vars(returned):
            return vars(returned)[self.argument], {**vars(returned), self.argument: None}
        if isinstance(returned, (tuple, list)) and len(returned) > 1:
            if given is None:
                places = [k for k, part in enumerate(returned) if all(map(ended, _tensors(part)))]
            else:
                places = [k for k, part in enumerate(returned) if _alike(part, given)]
            if places or given is None:
                place = places[-1] if places else len(returned) - 1
                parts = [None if k == place else part for k, part in enumerate(returned)]
                return returned[place], parts
        what = type(returned).__name__
        if isinstance(returned, (tuple, list)):
            what += f" of {', '.join(type(part).__name__ for part in returned)}"
        raise ValueError(
            f"state: expected {type(self._model).__name__}.forward to return the states that it takes as "
            f"{self.argument!r}, beside its outputs; it returned a {what}"
        )


def _tensors(value: Any) -> Iterator[Any]:
    """List the tensors in what a module returned; what is none counts as one."""
    if isinstance(value, (tuple, list)):
        for part in value:
            yield from _tensors(part)
    else:
        yield value


def _alike(one: Any, other: Any) -> bool:
    """Whether two states have the same structure, and tensors of the same shapes."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return bool(one.shape == other.shape)
    both = isinstance(one, (tuple, list)) and isinstance(other, (tuple, list))
    return both and len(one) == len(other) > 0 and all(map(_alike, one, other))


def flat(value: Any, owner: str) -> dict[str, npt.NDArray[Any]]:
    """Take apart what a module hands on: its tensors as arrays by number, and how they belong together.

    Raises
    ------
    UnsupportedLayerError
        If there is something else than tensors, numbers, str, and lists, tuples and dicts of these.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}

    def plain(one: Any) -> Any:
        if one is None or isinstance(one, (bool, int, float, str)):
            return one
        if isinstance(one, (torch.Tensor, np.ndarray)):
            tensor = isinstance(one, torch.Tensor)
            dtype = str(one.dtype).removeprefix("torch.")
            array = as_array(one) if tensor else one
            arrays[str(len(arrays))] = array.astype(np.float32) if dtype == "bfloat16" else array
            return {"tensor" if tensor else "array": len(arrays) - 1, "dtype": dtype}
        if type(one) in (list, tuple):
            return {type(one).__name__: [plain(part) for part in one]}
        if type(one) is dict and all(isinstance(key, str) for key in one):
            return {"dict": {key: plain(part) for key, part in one.items()}}
        raise UnsupportedLayerError(
            f"model: {owner} keeps a {type(one).__module__}.{type(one).__qualname__} from one call to the "
            "next, which cannot be written to a file to go on with; record it without to="
        )

    told = json.dumps(plain(value)).encode()
    return {**arrays, _STRUCTURE: np.frombuffer(told, np.uint8)}


def structured(given: Mapping[str, npt.NDArray[Any]], device: Any) -> Any:
    """Put together what :func:`flat` took apart."""

    def built(one: Any) -> Any:
        if not isinstance(one, dict):
            return one
        if "tensor" in one:
            array = np.array(given[str(one["tensor"])])
            return torch.from_numpy(array).to(device, getattr(torch, one["dtype"]))
        if "array" in one:
            return np.array(given[str(one["array"])])
        if "dict" in one:
            return {key: built(part) for key, part in one["dict"].items()}
        ((kind, parts),) = one.items()
        return (tuple if kind == "tuple" else list)(map(built, parts))

    return built(json.loads(bytes(given[_STRUCTURE])))
