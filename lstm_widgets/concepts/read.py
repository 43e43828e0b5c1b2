"""The examples of a layer as concepts see them, read a block at a time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.concepts.example import Example, Row, read_together
from lstm_widgets.recording.expecting import expect_recording
from lstm_widgets.tokens.words import spelling_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.recording import Recording

__all__ = ["ReadLayer"]


class ReadLayer:
    """What stands at the timesteps of a layer.

    Parameters
    ----------
    layer : xarray.Dataset
        The layer, as ``recording[name]`` gives it.
    """

    def __init__(self, layer: xr.Dataset) -> None:
        self._layer = layer
        self.shape: tuple[int, int] = layer.sizes["example"], layer.sizes["timestep"]
        self.masked = "mask" in layer
        self._spelling = spelling_of(layer)
        self._held = _Held(layer, slice(0, 0), slice(0, 0))

    @classmethod
    def of(cls, recording: Recording, layer: str | None) -> ReadLayer:
        """Make those of a layer, the first if none is told."""
        expect_recording("recording", recording)
        return cls(recording[recording.layers[0] if layer is None else layer])

    @property
    def first(self) -> Example | None:
        """The first example, if there is one."""
        return next(self.examples(), None)

    def examples(self) -> Iterator[Example]:
        """Give all examples, in order."""
        count, width = self.shape
        coords = self._layer.coords
        labels = coords["label"].to_numpy() if "label" in coords else None
        zone = str(coords["time"].attrs.get("time_zone", "")) if "time" in coords else ""
        for k in range(count):
            yield Example(
                self._count(k),
                width,
                partial(self._read, k),
                k,
                count,
                self._spelling,
                None if labels is None else str(labels[k]),
                zone,
            )

    def _count(self, example: int) -> int:
        """Count the timesteps of an example that aren't padding."""
        width = self.shape[1]
        if not self.masked:
            return width
        return sum(
            int(np.count_nonzero(self._hold(example, k).row("mask", example)))
            for k in range(0, width, read_together())
        )

    def _read(self, example: int, start: int, stop: int) -> Row:
        held = self._hold(example, start)
        here = slice(start - held.timesteps.start, stop - held.timesteps.start)
        timesteps = np.arange(start, stop)
        there: Any = slice(None)
        if self.masked:
            there = np.asarray(held.row("mask", example)[here], np.bool_)
            timesteps = timesteps[there]
        tokens, times, positions = (
            held.row(name, example)[here][there] if name in self._layer.coords else None
            for name in ("token", "time", "position")
        )
        said = None if tokens is None else tuple(map(str, tokens.tolist()))
        return Row(said, timesteps, times, positions)

    def _hold(self, example: int, timestep: int) -> _Held:
        """Read what is around a timestep; of short examples, also the next ones."""
        most = read_together()
        start = timestep - timestep % most
        held = self._held
        if held.timesteps.start != start or not held.examples.start <= example < held.examples.stop:
            examples = slice(example, example + max(1, most // max(1, self.shape[1])))
            held = self._held = _Held(self._layer, examples, slice(start, start + most))
        return held


class _Held:
    """Some timesteps of some examples, read when they are asked for."""

    def __init__(self, layer: xr.Dataset, examples: slice, timesteps: slice) -> None:
        self._layer = layer
        self.examples = examples
        self.timesteps = timesteps
        self._read: dict[str, tuple[npt.NDArray[Any], bool]] = {}

    def row(self, name: str, example: int) -> npt.NDArray[Any]:
        """Give what a variable has for one of the examples."""
        if name not in self._read:
            variable = self._layer[name].variable
            places = {"example": self.examples, "timestep": self.timesteps}
            part = variable.isel({dim: places[dim] for dim in map(str, variable.dims)})
            self._read[name] = part.to_numpy(), "example" in variable.dims
        values, several = self._read[name]
        return np.asarray(values[example - self.examples.start] if several else values)
