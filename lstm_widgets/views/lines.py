"""What is drawn as lines over time: which lines a recording has, and each at any zoom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lstm_widgets.lru import LRU
from lstm_widgets.recording.levels import Levels, OneCell, written_levels
from lstm_widgets.recording.rows import Rows, in_memory, rows_of
from lstm_widgets.tokens.wording import sendable
from lstm_widgets.views.line import Line
from lstm_widgets.views.long_lines import LongLine
from lstm_widgets.views.places import Places
from lstm_widgets.views.times import shown_times

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from lstm_widgets.recording import Recording
    from lstm_widgets.views.series_relevance import SeriesRelevance
    from lstm_widgets.views.tracks import Track

#: Lines are kept, as many as a person looks at and some: up to so many bytes of values.
_KEPT_BYTES = 1 << 26
#: Of what isn't in memory, lines of no more timesteps are read whole.
SHORT = 1 << 16
#: Arrays that aren't in memory, as they are summed up: so many are kept.
_KEPT_ARRAYS = 16


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
    values : xarray.DataArray (example, timestep)
        Of a long recording it is worked out where it is looked at.
    told : str
    """

    values: xr.DataArray
    told: str

    def part(self, start: int, stop: int) -> NDArray[np.float32]:
        """Give what is read at some columns, examples laid end to end: float32 (column,)."""
        return rows_of(self.values, start, stop).astype(np.float32)


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
    levels : callable, optional
        Gives a signal of a layer that isn't in memory, summed up, by their names. Default: it is done here.
    """

    def __init__(
        self,
        recording: Recording,
        said: Mapping[str, tuple[Track, ...]],
        read: Mapping[tuple[str, str], Readout] | None = None,
        relevance: SeriesRelevance | None = None,
        *,
        levels: Callable[[str, str], Levels] | None = None,
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
        self._levels = self._summed_up if levels is None else levels
        self._summed: LRU[Levels] = LRU(_KEPT_ARRAYS)
        self._masks: dict[str, Rows] = {}

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
        if key.kind in ("track", "readout"):
            layer = self.layer(key.layer)
            timesteps = layer.sizes["timestep"]
            said = self._said(key, example * timesteps, (example + 1) * timesteps)
            return said if key.kind == "readout" else _without_padding(said, layer, example)
        if key.kind == "relevance" and self.relevance is not None:
            return self.relevance.line(self.relevance.of(key.number), example)
        array = self._arrays.get(key.kind)
        if array is None:
            raise KeyError(f"no {key.kind} was recorded")
        given: NDArray[np.float32] = array[example, :, key.number].to_numpy()
        return given

    def _said(self, key: Key, start: int, stop: int) -> NDArray[np.float32]:
        """Give what a concept, or a readout, says of some columns of its layer."""
        track = self.tracks(key.layer)[key.number]
        if key.kind == "readout":
            return self.read[key.layer, track.name].part(start, stop)
        return track.said.block(slice(start, stop)).astype(np.float32)

    def line(self, key: Key, example: int) -> Line | LongLine:
        """Give a line of one example at all levels; values of those asked for last are kept."""
        long = self._long(key, example)
        if long is not None:
            return long
        return self._kept.get((key, example), lambda: Line(self.values(key, example)))

    def _long(self, key: Key, example: int) -> LongLine | None:
        """Give a line that isn't in memory and too long to be read whole; None of any other."""
        dataset = self.layer(key.layer) if key.layer else None
        timesteps = self.timesteps if dataset is None else int(dataset.sizes["timestep"])
        if timesteps <= SHORT or key.kind == "relevance":
            return None
        number, mask = 0, None
        if dataset is None:
            array = self._arrays[key.kind]
            if array is None or in_memory(array):
                return None
            levels, number = self._summed.get(key.kind, partial(Levels, array)), key.number
        elif key.kind == "cell":
            if in_memory(self.recording[self.recording.directions(key.layer)[0]][key.signal]):
                return None
            levels, number = self._levels(key.layer, key.signal), key.number
        else:
            said = OneCell(partial(self._said, key), dataset.sizes["example"] * timesteps)
            levels = self._summed.get(key, partial(Levels, said))
        if dataset is not None and "mask" in dataset and key.kind != "readout":
            mask = self._masks.setdefault(key.layer, Rows(dataset["mask"]))
        return LongLine(levels, number, example, timesteps, mask)

    def _summed_up(self, layer: str, signal: str) -> Levels:
        """Give a signal of a layer, summed up; of both directions side by side."""
        names = self.recording.directions(layer)
        written = written_levels([self.recording[name][signal] for name in names])
        values = self.recording[layer][signal]
        return self._summed.get((layer, signal), lambda: Levels(values, None, written))

    def places(self, layer: str, example: int) -> Places:
        """
        Give where the timesteps of an example stand on a time axis.

        Parameters
        ----------
        layer : str
            "" for the series itself.
        example : int

        Returns
        -------
        Places
            Dates as milliseconds since 1970, or numbers.
        """
        array = self.series if layer == "" else self.layer(layer)
        times = shown_times(array)
        if times is not None:
            row = times.values[0 if times.shared else example]
            placed = np.asarray(row.view(np.int64) / 1e6 if times.dates else row, np.float64)
            return Places(len(placed), times=placed)
        if array is None:
            return Places(0)
        return Places(array.sizes["timestep"], *counted(array))

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
    positions = np.arange(2)
    if "position" in array.coords:
        positions = array.coords["position"][:2].to_numpy()
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
