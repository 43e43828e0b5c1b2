"""What is drawn as lines over time: which lines a recording has, and each at any zoom.

A *level* ``k`` has the lowest and the highest of every ``4**k`` timesteps, so that no spike is lost
however many timesteps share a pixel. What is missing (NaN) counts in neither: only where all of them are
missing is there a gap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lstm_widgets.lru import LRU
from lstm_widgets.tokens.wording import sendable
from lstm_widgets.views.times import shown_times

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from lstm_widgets.recording import Recording
    from lstm_widgets.views.series_relevance import SeriesRelevance
    from lstm_widgets.views.tracks import Track

#: Runs of one level that are one of the next. The page has the same numbers (js/src/data/levels.js).
POOLED = 4
#: Runs in a tile; the coarsest level has no more.
TILE = 512
#: Lines are kept, as many as a person looks at and some: up to so many bytes of values.
_KEPT_BYTES = 1 << 26


class Key(NamedTuple):
    """
    Which line it is.

    Parameters
    ----------
    kind : str
        ``"channel"`` of the input, ``"output"`` or ``"target"``, ``"cell"``, ``"track"`` of a concept,
        ``"readout"``, what a probe reads of that concept, or ``"relevance"``, see `SeriesRelevance.number`,
        whose examples are explanations.
    number : int
        Which of them.
    layer, signal : str, optional
        Of a cell; the layer also of a track and of its readout.
    """

    kind: str
    number: int
    layer: str = ""
    signal: str = ""


class Line:
    """
    One line at every level of detail.

    Parameters
    ----------
    values : float32 array (timestep,)
        NaN where there is none.

    Examples
    --------
    >>> import numpy as np
    >>> line = Line(np.array([0, 1, np.nan, 9, -2, 3], np.float32))
    >>> line.level(1).tolist()
    [[0.0, -2.0], [9.0, 3.0]]
    """

    def __init__(self, values: NDArray[np.float32]) -> None:
        self.values = np.ascontiguousarray(values, dtype=np.float32)
        self._levels = [np.stack([self.values, self.values])]

    def level(self, level: int) -> NDArray[np.float32]:
        """Give the lowest and the highest of every ``4**level`` timesteps: float32 (2, run)."""
        while len(self._levels) <= level:
            self._levels.append(pooled(self._levels[-1]))
        return self._levels[level]

    @property
    def top(self) -> int:
        """The first level of no more than ``TILE`` runs."""
        return top_level(len(self.values))

    def tile(self, level: int, block: int) -> NDArray[np.float32]:
        """
        Give one block of a level.

        Parameters
        ----------
        level : int
        block : int
            Which ``TILE`` runs.

        Returns
        -------
        float32 array (2, run), or (run,) of level 0, which has the values themselves
        """
        part = slice(block * TILE, (block + 1) * TILE)
        return self.level(level)[:, part] if level else self.values[part]

    @cached_property
    def extent(self) -> tuple[float, float] | None:
        """The lowest and the highest finite value; None if there is none."""
        finite = self.values[np.isfinite(self.values)]
        return (float(finite.min()), float(finite.max())) if len(finite) else None

    def strongest(self, edges: NDArray[np.intp]) -> NDArray[np.float32]:
        """Give what has the largest magnitude between edges, with its sign: float32 (column,)."""
        low, high = self.columns(edges)
        strongest: NDArray[np.float32] = np.where(-low > high, low, high)
        return strongest

    def columns(self, edges: NDArray[np.intp]) -> NDArray[np.float32]:
        """
        Give the lowest and the highest between edges.

        Parameters
        ----------
        edges : int array (column + 1,)
            Rising: a column has the timesteps from one edge up to, without, the next.

        Returns
        -------
        float32 array (2, column)
            NaN where a column has no timestep, or all of them are missing.
        """
        made = np.full((2, len(edges) - 1), np.nan, np.float32)
        some = edges[1:] > edges[:-1]
        if some.any():
            starts = edges[:-1][some]
            part = self.values[: edges[-1]]
            made[0, some] = np.fmin.reduceat(part, starts)
            made[1, some] = np.fmax.reduceat(part, starts)
        return made


def pooled(level: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum up every ``POOLED`` runs: the lowest and the highest of each, float32 (2, run)."""
    count = math.ceil(level.shape[1] / POOLED)
    parts = np.full((2, count * POOLED), np.nan, np.float32)
    parts[:, : level.shape[1]] = level
    made = parts[:, ::POOLED].copy()
    for i in range(1, POOLED):
        np.fmin(made[0], parts[0, i::POOLED], out=made[0])
        np.fmax(made[1], parts[1, i::POOLED], out=made[1])
    return made


def top_level(count: int) -> int:
    """Give the first level of so many timesteps that has no more than ``TILE`` runs."""
    level = 0
    while count > TILE * POOLED**level:
        level += 1
    return level


@dataclass(frozen=True)
class Output:
    """What a model says, and should have said: which of ``outputs`` and of ``targets``, if any."""

    name: str
    unit: str
    output: int | None
    target: int | None


def _names(array: xr.DataArray | None, along: str) -> list[tuple[str, str]]:
    """Give names and units along the last axis."""
    if array is None:
        return []
    units = array["unit"].values if "unit" in array.coords else [""] * array.sizes[along]
    return [(str(name), str(unit)) for name, unit in zip(array[along].values, units, strict=True)]


class Readout(NamedTuple):
    """
    What a probe reads of a concept, and how good that is, in words.

    Parameters
    ----------
    values : float32 array (example, timestep)
    told : str
    """

    values: NDArray[np.float32]
    told: str


class Lines:
    """
    All lines of a recording.

    Parameters
    ----------
    recording : Recording
    said : mapping of str to tuple of Track
        The concepts of each layer.
    read : mapping of (str, str) to Readout, optional
        By layer and the name of a concept: what a probe reads of it.
    relevance : SeriesRelevance, optional
        What stands behind the lines of channels.
    """

    def __init__(
        self,
        recording: Recording,
        said: Mapping[str, tuple[Track, ...]],
        read: Mapping[tuple[str, str], Readout] | None = None,
        relevance: SeriesRelevance | None = None,
    ) -> None:
        self.recording = recording
        self.relevance = relevance
        self.said = said
        self.read = {} if read is None else dict(read)
        self._arrays = {
            "channel": recording.inputs,
            "output": recording.outputs,
            "target": recording.targets,
        }
        self._kept: LRU[Line] = LRU(_KEPT_BYTES, lambda line: line.values.nbytes)

    @property
    def channels(self) -> list[tuple[str, str]]:
        """The names and the units of the channels that the model read."""
        return _names(self._arrays["channel"], "channel")

    @property
    def outputs(self) -> list[Output]:
        """What the model said and should have said, matched by name."""
        said = _names(self._arrays["output"], "output")
        wanted = _names(self._arrays["target"], "output")
        names = dict((*wanted, *said))
        places = [{name: i for i, (name, _) in enumerate(all_)} for all_ in (said, wanted)]
        order = dict.fromkeys([name for name, _ in (*said, *wanted)])
        return [
            Output(name, names[name], places[0].get(name), places[1].get(name)) for name in order
        ]

    def tracks(self, layer: str) -> tuple[Track, ...]:
        """Give the concepts of a layer."""
        return self.said.get(self.recording.directions(layer)[0], ())

    @property
    def timesteps(self) -> int:
        """How many timesteps the series has; 0 if there is none."""
        return 0 if self.series is None else int(self.series.sizes["timestep"])

    @property
    def labels(self) -> list[str] | None:
        """What the examples are called, if that is known."""
        every = (
            dataset["label"] for dataset in self.recording.values() if "label" in dataset.coords
        )
        labels = next(every, None)
        return None if labels is None else [str(label) for label in labels.to_numpy()]

    @property
    def described(self) -> dict[str, Any]:
        """Tell the page what there is beside cells."""
        labels = self.labels
        return {
            "labels": None if labels is None else [sendable(label) for label in labels],
            "channels": [{"name": sendable(n), "unit": sendable(u)} for n, u in self.channels],
            "outputs": [
                {
                    "name": sendable(one.name),
                    "unit": sendable(one.unit),
                    "output": one.output,
                    "target": one.target,
                }
                for one in self.outputs
            ],
            "tracks": {
                layer: [
                    {
                        "name": sendable(track.name),
                        "yes_no": track.yes_no,
                        "read": self.told(layer, track.name),
                    }
                    for track in tracks
                ]
                for layer, tracks in self.said.items()
            },
        }

    @property
    def beside(self) -> list[Key]:
        """All lines beside those of cells."""
        keys = [
            Key(kind, i)
            for kind, array in self._arrays.items()
            if array is not None
            for i in range(array.shape[2])
        ]
        for layer, tracks in self.said.items():
            keys += [Key("track", i, layer) for i in range(len(tracks))]
            keys += [
                Key("readout", i, layer)
                for i, track in enumerate(tracks)
                if (layer, track.name) in self.read
            ]
        return keys

    def told(self, layer: str, name: str) -> str | None:
        """Tell how well a concept can be read; None if no probe was asked."""
        readout = self.read.get((layer, name))
        return None if readout is None else sendable(readout.told)

    def values(self, key: Key, example: int) -> NDArray[np.float32]:
        """
        Give the values of a line in one example.

        Parameters
        ----------
        key : Key
        example : int

        Returns
        -------
        float32 array (timestep,)
            Of a cell or a concept as many as its layer has, NaN where that is padding; of relevance as many
            as an explanation has; else as many as the series has.

        Raises
        ------
        KeyError, IndexError
            If there is no such line.
        """
        if key.kind == "cell":
            parts = self.recording.directions(key.layer)
            each = self.recording[parts[0]].sizes["cell"]
            dataset = self.recording[parts[key.number // each]]
            values: NDArray[np.float32] = dataset[key.signal][
                example, :, key.number % each
            ].to_numpy()
            return _without_padding(values, dataset, example)
        if key.kind == "readout":
            name = self.tracks(key.layer)[key.number].name
            read: NDArray[np.float32] = self.read[key.layer, name].values[example]
            return read
        if key.kind == "track":
            track = self.tracks(key.layer)[key.number]
            layer = self.layer(key.layer)
            timesteps = layer.sizes["timestep"]
            said = track.said[example * timesteps : (example + 1) * timesteps]
            return _without_padding(said.astype(np.float32), layer, example)
        if key.kind == "relevance" and self.relevance is not None:
            return self.relevance.line(self.relevance.of(key.number), example)
        array = self._arrays.get(key.kind)
        if array is None:
            raise KeyError(f"no {key.kind} was recorded")
        given: NDArray[np.float32] = array[example, :, key.number].to_numpy()
        return given

    def line(self, key: Key, example: int) -> Line:
        """Give a line of one example at all levels; those asked for last are kept."""
        return self._kept.get((key, example), lambda: Line(self.values(key, example)))

    def places(self, layer: str, example: int) -> NDArray[np.float64]:
        """
        Give where the timesteps of an example stand on a time axis.

        Parameters
        ----------
        layer : str
            "" for the series itself.
        example : int

        Returns
        -------
        float64 array (timestep,)
            Dates as milliseconds since 1970, or numbers.
        """
        array = self.series if layer == "" else self.layer(layer)
        times = shown_times(array)
        if times is not None:
            row = times.values[0 if times.shared else example]
            return np.asarray(row.view(np.int64) / 1e6 if times.dates else row, np.float64)
        if array is None:
            return np.zeros(0)
        first, step = counted(array)
        return first + step * np.arange(array.sizes["timestep"], dtype=np.float64)

    def layer(self, name: str) -> xr.Dataset:
        """Give a layer, of both directions the first."""
        return self.recording[self.recording.directions(name)[0]]

    @property
    def series(self) -> xr.DataArray | None:
        """Something that has the series' own timesteps."""
        return next((array for array in self._arrays.values() if array is not None), None)


def _without_padding(
    values: NDArray[np.float32], layer: xr.Dataset, example: int
) -> NDArray[np.float32]:
    if "mask" not in layer:
        return values
    return np.where(layer["mask"][example].to_numpy(), values, np.float32(np.nan))


def counted(array: xr.DataArray | xr.Dataset) -> list[int]:
    """Give the first of timesteps that have no times, and the step: those of a series may be fewer."""
    positions = array.coords["position"].to_numpy() if "position" in array.coords else np.arange(2)
    if not len(positions):
        return [0, 1]
    step = positions[1] - positions[0] if len(positions) > 1 else 1
    return [int(positions[0]), int(step)]


@dataclass(frozen=True)
class Subject:
    """
    What stands together: one line, or what a model said over what it should have said.

    Parameters
    ----------
    kind : str
        ``"channel"``, ``"output"``, ``"cell"`` or ``"track"``.
    name, unit : str
    hue : int
        Which of the colours of its kind.
    keys : tuple of Key
        From behind to the front.
    yes_no : bool
    told : str
        How well it can be read, if a probe was asked.
    """

    kind: str
    name: str
    unit: str
    hue: int
    keys: tuple[Key, ...]
    yes_no: bool = False
    told: str = ""


def subjects_of(lines: Lines, layer: str, signal: str, cells: Sequence[int]) -> list[Subject]:
    """Give every line that can be shown, in the order in which they stand, as js/src/state/series.js does."""
    made = [
        Subject("channel", name, unit, i, (Key("channel", i),))
        for i, (name, unit) in enumerate(lines.channels)
    ]
    for i, one in enumerate(lines.outputs):
        places = (("target", one.target), ("output", one.output))
        keys = tuple(Key(kind, at) for kind, at in places if at is not None)
        made.append(Subject("output", one.name, one.unit, i, keys))
    made += [
        Subject("cell", f"cell {cell}", "", i, (Key("cell", cell, layer, signal),))
        for i, cell in enumerate(cells)
    ]
    part = lines.recording.directions(layer)[0]
    for i, track in enumerate(lines.tracks(layer)):
        told = lines.told(part, track.name)
        keys = tuple(
            Key(kind, i, part) for kind in ("track", "readout")[: 1 if told is None else 2]
        )
        made.append(Subject("track", track.name, "", i, keys, track.yes_no, told or ""))
    return made
