# What is given to a model is of many types: Any.
# ruff: noqa: ANN401
"""What a model is called with, batch after batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.models.inputs import count_examples, leaves, mapped

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstm_widgets.models.sources import Source

__all__ = ["Batch", "Batches"]


@dataclass(frozen=True)
class Batch:
    """What the model is called with, for some rows.

    Attributes
    ----------
    tensors : tuple of tensor or array
        One for each input of the model.
    rows : int array (row,)
        Index of the example that each row is of.
    """

    tensors: tuple[Any, ...]
    rows: npt.NDArray[np.intp]


class Batches:
    """The inputs of a model, to be cut into batches.

    These are of arrays; a framework may have tensors of its own.

    Parameters
    ----------
    inputs : array, list or dict
        All that it is called with.

    Attributes
    ----------
    count : int
        The number of examples.

    Raises
    ------
    ValueError
        If there is nothing to read.
    """

    def __init__(self, inputs: Any) -> None:
        self._inputs = inputs
        self.count = count_examples(inputs)
        if not self.count:
            raise ValueError("inputs: expected at least one example, got none")
        for value in leaves(inputs):
            if 0 in value.shape[1:]:
                raise ValueError(
                    f"inputs: expected at least one timestep, got shape {tuple(value.shape)}"
                )

    # What a framework may do otherwise ------------------------------------------------------------

    @property
    def declared(self) -> Sequence[str]:
        """The names that the model itself has for its inputs; nothing if it doesn't tell."""
        return ()

    def tensor(self, leaf: int, values: Any) -> Any:
        """Turn what is given for an input into what the model is called with."""
        del leaf
        return np.asarray(values)

    def like(self, values: npt.NDArray[Any], other: Any) -> Any:
        """Make an array what another input is."""
        return values.astype(other.dtype)

    def concatenated(self, parts: Sequence[Any]) -> Any:
        """Put inputs one after the other."""
        return np.concatenate(parts)

    # What follows ---------------------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        """The names of the inputs."""
        if isinstance(self._inputs, Mapping):
            return [str(key) for key in self._inputs]
        count = len(leaves(self._inputs))
        if len(self.declared) == count:
            return list(self.declared)
        return ["inputs"] if count == 1 else [f"inputs[{k}]" for k in range(count)]

    def batch(self, start: int, stop: int) -> Batch:
        """Take out the examples from ``start`` to before ``stop``."""
        arrays = leaves(mapped(lambda value: value[start:stop], self._inputs))
        tensors = tuple(self.tensor(k, value) for k, value in enumerate(arrays))
        return Batch(tensors, np.arange(start, stop))

    def structured(self, batch: Batch) -> Any:
        """Put the tensors of a batch into the structure in which the model takes them."""
        if isinstance(self._inputs, Mapping):
            return dict(zip(self._inputs, batch.tensors, strict=True))
        return list(batch.tensors) if isinstance(self._inputs, list) else batch.tensors[0]

    def all(self, size: int, what: str) -> Iterator[Batch]:
        """Cut the examples into batches of a size, and show how far it is with ``what``."""
        starts: Any = range(0, self.count, size)
        if len(starts) > 1:
            from tqdm.auto import tqdm  # noqa: PLC0415

            starts = tqdm(starts, desc=what, unit="batch", leave=False)
        for start in starts:
            yield self.batch(start, min(start + size, self.count))

    def joined(self, batches: Sequence[Batch]) -> Batch:
        """Put batches one after the other."""
        if len(batches) == 1:
            return batches[0]
        tensors = zip(*(batch.tensors for batch in batches), strict=True)
        rows = np.concatenate([batch.rows for batch in batches])
        return Batch(tuple(map(self.concatenated, tensors)), rows)

    # The tokens -----------------------------------------------------------------------------------

    def tokens(self, source: Source) -> Any:
        """Give what a source gets of all examples, as it was given; None: that is no input."""
        if None in source.leaves:
            return None
        every, shape = leaves(self._inputs), source.shape
        parts = [every[leaf] for leaf in source.leaves if leaf is not None]
        if shape is not None:
            return np.asarray(parts[0]).reshape(-1, *shape)
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def tokens_of(self, source: Source, batch: Batch) -> npt.NDArray[Any]:
        """Return the ids or vectors that the source gets, which are inputs of the model."""
        parts = [np.array(batch.tensors[leaf]) for leaf in source.leaves if leaf is not None]
        return np.concatenate(parts, axis=1)

    def with_tokens(self, source: Source, batch: Batch, tokens: npt.NDArray[Any]) -> Batch:
        """Put other ids or vectors into their place."""
        tensors, start = list(batch.tensors), 0
        for leaf in source.leaves:
            if leaf is not None:
                stop = start + int(tensors[leaf].shape[1])
                tensors[leaf] = self.like(tokens[:, start:stop], tensors[leaf])
                start = stop
        return Batch(tuple(tensors), batch.rows)
