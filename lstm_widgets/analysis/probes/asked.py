# ruff: noqa: ANN401 - groups and cells are of many types
"""What a probe is asked for, and what is known of the timesteps before any state is read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.groups import Groups, groups_of
from lstm_widgets.analysis.probes.null_targets import (
    Segments,
    exchanged,
    exchanged_in_order,
    shifted,
)
from lstm_widgets.analysis.probes.numbered import STRETCH, Atoms, Numbered, stretches
from lstm_widgets.analysis.ranked_tracks import numbers
from lstm_widgets.analysis.series import origin_of
from lstm_widgets.analysis.split_and_shift import Part, pieces_of
from lstm_widgets.analysis.timelines import read_by_window, timeline_of
from lstm_widgets.analysis.times import Dates
from lstm_widgets.concepts.make_tracks import tracks
from lstm_widgets.concepts.packed import Packing
from lstm_widgets.recording.masks import mask_of
from lstm_widgets.recording.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.analysis.probes.calendars import Period
    from lstm_widgets.analysis.probes.null_targets import NullTargets
    from lstm_widgets.analysis.series import Origin
    from lstm_widgets.analysis.timelines import Timeline
    from lstm_widgets.concepts.concept import Concepts, Kind
    from lstm_widgets.concepts.packed import PackedTrack
    from lstm_widgets.recording import Recording

    Flags = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["Asked", "Moves"]

# Of a series whose groups change more often, each timestep is looked at.
_RUNS = 1 << 16


@dataclass(frozen=True)
class Asked:
    """What is asked for: states, concepts, and how the timesteps hang together."""

    layer: str
    dataset: xr.Dataset
    signal: xr.DataArray
    cells: Places
    tracks: xr.Dataset
    mask: Flags
    groups: Groups | None
    origin: Origin
    window: int
    plain: bool
    """Whether each example is a series of its own, its timesteps one after the other, without dates, or with
    dates the only one: then nothing is worked out for each timestep that follows from where it stands."""
    dates: Dates | None
    """Their dates, if they have such."""

    @classmethod
    def of(
        cls,
        recording: Recording,
        concepts: Concepts,
        *,
        layer: str | None,
        signal: str,
        cells: Any,
        groups: Any,
        step: int | None,
    ) -> Asked:
        """Check what is asked for."""
        name = recording.layers[0] if layer is None else layer
        dataset = recording[name]
        if signal not in (has := recording.signals(name)):
            raise ValueError(
                f"signal: expected one of {', '.join(map(repr, has))} of layer {name!r}, "
                f"got {signal!r}"
            )
        said = tracks(recording, concepts, layer=name)
        if not said:
            raise ValueError("concepts: expected one or more, got none")
        mask = mask_of(dataset)
        if not mask.any():
            raise ValueError(f"layer {name!r}: expected timesteps that aren't padding, got none")
        grouped = None if groups is None else groups_of(dataset, groups)
        origin = origin_of(recording, name, numbers(concepts, *said.values()), groups, step)
        alone = not origin.told and origin.known
        if dataset.sizes["example"] > 1:
            alone &= not {"time", "position"} & {*dataset.coords}
            alone &= grouped is None or grouped.whole
        elif grouped is not None:
            number = grouped.number[0]
            alone &= int(np.count_nonzero(number[1:] != number[:-1])) < _RUNS
        return cls(
            name,
            dataset,
            dataset[signal],
            _expect_cells(cells, dataset.sizes["cell"]),
            said,
            mask,
            grouped,
            origin,
            read_by_window(recording, dataset, origin),
            alone and _is_regular(dataset),
            Dates.of(dataset),
        )

    @cached_property
    def timeline(self) -> Timeline:
        """Where each of its timesteps stands."""
        return timeline_of(self.dataset, self.origin, self.mask)

    @property
    def in_order(self) -> bool:
        """Whether it is one series, from its beginning to its end."""
        return self.plain and len(self.mask) == 1

    @cached_property
    def step(self) -> int:
        """How many timesteps of its series are from one to the next."""
        if not self.plain:
            return self.timeline.step
        if "position" not in self.dataset.coords:
            return 1
        return int(np.diff(self.positions(slice(0, 2)))[0]) if self.mask.shape[1] > 1 else 1

    def positions(self, columns: slice) -> Places:
        """Tell where in their series some timesteps stand, padding included."""
        example, along = np.divmod(np.arange(columns.start, columns.stop), self.mask.shape[1])
        if "position" in self.dataset.coords:
            position = self.dataset.coords["position"]
            if len(self.mask) == 1:
                return np.asarray(position[columns].to_numpy())
            along = position.to_numpy()[along]
        return np.asarray(self.origin.start[example] * self.step + along)

    @cached_property
    def along(self) -> Callable[[int], float]:
        """Tell where a timestep stands on the axis of time of the only series, in units of a timestep."""
        dates = self.dates
        if dates is None or self.mask.shape[1] < 2:
            return lambda column: float(self.positions(slice(column, column + 1))[0])
        begin = dates.times(slice(0, 1))[0]

        def seconds(columns: slice) -> Floats:
            return np.asarray((dates.times(columns) - begin) / np.timedelta64(1, "s"))

        steps = Counter[float]()
        for part in stretches(self.mask.shape[1] - 1):
            apart = np.diff(seconds(slice(part.start, part.stop + 1)))
            later = self.mask[0, part.start + 1 : part.stop + 1]
            different, counts = np.unique(apart[later], return_counts=True)
            steps.update(dict(zip(different.tolist(), counts.tolist(), strict=True)))
        unit = max(_median(steps) / self.step, 1e-9) if steps else 1.0
        return lambda column: float(seconds(slice(column, column + 1))[0] / unit)

    @cached_property
    def real(self) -> Numbered:
        """Its timesteps that aren't padding."""
        return Numbered.of(self.mask.reshape(-1)[part] for part in stretches(self.mask.size))

    @cached_property
    def _edges(self) -> tuple[Places, Places]:
        """Where examples begin and end, of the timesteps that aren't padding."""
        lengths = self.mask.sum(axis=1)
        stops = np.cumsum(lengths)
        return stops - lengths, stops

    def said(self, name: str) -> PackedTrack:
        """Say a concept of each timestep that isn't padding."""
        if name not in self._said:
            packing = Packing(self.tracks[name].attrs["kind"])
            for values in self._values(name):
                packing.add(values)
            self._said[name] = packing.packed()
        return self._said[name]

    @cached_property
    def _said(self) -> dict[str, PackedTrack]:
        return {}

    def _values(self, name: str) -> Iterator[Floats]:
        track, width = self.tracks[name], self.mask.shape[1]
        together = max(1, STRETCH // max(1, width))
        for first in range(0, len(self.mask), together):
            for part in stretches(width):
                here = self.mask[first : first + together, part]
                yield track[first : first + together, part].to_numpy()[here]

    def known(self, name: str, lags: Places) -> Flags:
        """Tell where a concept is known at all the timesteps that lie some lags back, ``(n,)``."""
        said = self.said(name)
        n = len(said)
        finite = np.ones(n, np.bool_)
        if said.kind == "numeric":
            for part in stretches(n):
                finite[part] = np.isfinite(said.block(part))
        there = np.ones(n, np.bool_)
        starts, stops = self._edges
        for lag in lags.tolist():
            there[max(0, lag) : n - max(0, -lag)] &= finite[max(0, -lag) : n - max(0, lag)]
            # Beyond an example there is nothing.
            along = np.arange(abs(lag))
            beyond = starts[:, None] + along if lag > 0 else stops[:, None] - 1 - along
            inside = beyond < stops[:, None] if lag > 0 else beyond >= starts[:, None]
            there[beyond[inside]] = False
        return there

    def alike(self, lags: Places) -> list[tuple[list[str], Flags]]:
        """Put concepts together that are known at the same timesteps: they are read together."""
        together: dict[bytes, list[str]] = {}
        for name in map(str, self.tracks):
            together.setdefault(np.packbits(self.known(name, lags)).tobytes(), []).append(name)
        count = len(self.real)
        return [
            (names, np.unpackbits(np.frombuffer(bits, np.uint8), count=count).view(np.bool_))
            for bits, names in together.items()
        ]

    def rows(self, there: Flags) -> Numbered:
        """Give numbers to those of its timesteps at which something is known."""

        def parts() -> Iterator[Flags]:
            for part in stretches(self.mask.size):
                here = self.mask.reshape(-1)[part].copy()
                here[here] = there[self.real.within(part)]
                yield here

        return self.real if there.all() else Numbered.of(parts())

    def lagged(self, name: str, lag: int, there: Flags) -> PackedTrack:
        """Say a concept, as it was so many timesteps before, where that is known."""
        said = self.said(name)
        if not lag and there.all():
            return said
        packing = Packing(said.kind)
        for part in stretches(len(there)):
            here = there[part]
            low, high = max(0, part.start - lag), min(len(said), part.stop - lag)
            values = said.block(slice(low, max(low, high)))
            before = max(0, low + lag - part.start)
            packing.add(values[np.flatnonzero(here) - before])
        return packing.packed()

    def lines(self, rows: Numbered) -> dict[int, slice]:
        """List the examples of which there are timesteps, and which of these they have."""
        ends = rows.edges(self.mask.shape[1]).tolist()
        return {
            k: slice(start, stop) for k, (start, stop) in enumerate(pairwise(ends)) if start < stop
        }


@dataclass(frozen=True)
class Moves:
    """How concepts are moved for the null."""

    part: Part | None
    period: Period
    turns: Floats
    keys: Floats

    @classmethod
    def of(cls, asked: Asked, period: Period, rng: np.random.Generator, shifts: int) -> Moves:
        """Draw how concepts are moved."""
        if not shifts:
            return cls(None, period, np.zeros((0, 0)), np.zeros((0, 0)))
        part = None
        if asked.plain and (not period.name or isinstance(period.cycle, Atoms)):
            segments = int(asked.mask.any(axis=1).sum())
        else:
            part = Part.of(pieces_of(asked.mask, asked.origin), np.zeros(1, np.intp))
            segments = part.segments
        # Series that have dates are moved together: they may share their weather.
        dated = part is not None and asked.timeline.date is not None
        apart = 1 if dated else segments
        turns = np.repeat(rng.random((shifts, apart)), segments // apart, axis=1)
        keys = rng.random((shifts, period.last + 1))
        return cls(part, period, turns, keys)

    def null(
        self,
        asked: Asked,
        target: tuple[str, Kind, PackedTrack],
        rows: Numbered,
        there: Flags,
        period: Period,
    ) -> NullTargets | None:
        """Move what a concept says at the timesteps at which it is known, which lie so in their period."""
        if not len(self.turns):
            return None
        name, kind, said = target
        if self.part is None:
            if period.name:
                found = exchanged_in_order(period, self.keys)
                if found is not None:
                    return found
            some = asked.mask.any(axis=1)
            edges = np.append(rows.edges(asked.mask.shape[1])[:-1][some], len(rows))
            known = np.diff(edges)
            whole = ((known == 0) | (known == asked.mask.sum(axis=1)[some])).all()
            return Segments(edges, self.turns, whole=bool(whole)).null(kind, said)
        values = np.full(len(there), np.nan)
        values[there] = said.block(slice(0, len(said)))
        if self.period.name:
            found = exchanged(values, self.part, self.period, self.keys)
            if found is not None:
                return found
        return shifted(name, kind, values, self.part, self.turns)


def _is_regular(dataset: xr.Dataset) -> bool:
    """Whether timesteps follow each other at equal steps, as far as they are counted."""
    if "position" not in dataset.coords:
        return True
    position = Rows(dataset.coords["position"], axes=1)
    steps = {
        int(step)
        for part in stretches(max(0, len(position) - 1))
        for step in np.unique(np.diff(position[part.start : part.stop + 1]))
    }
    return len(steps) < 2


def _median(counts: Counter[float]) -> float:
    """Give the median of values that come so often."""
    values = np.array(sorted(counts))
    upto = np.cumsum([counts[value] for value in values.tolist()])
    middle = [(int(upto[-1]) - 1) // 2, int(upto[-1]) // 2]
    return float(values[np.searchsorted(upto, middle, side="right")].mean())


def _expect_cells(cells: Any, count: int) -> Places:
    if cells is None:
        return np.arange(count)
    chosen = np.asarray(cells)
    if chosen.ndim != 1 or not len(chosen) or chosen.dtype.kind not in "iu":
        raise ValueError(f"cells: expected one or more whole numbers, got {cells!r:.80}")
    outside = (chosen < 0) | (chosen >= count)
    if outside.any():
        raise ValueError(f"cells: expected numbers below {count}, got {chosen[outside][0]}")
    if len(np.unique(chosen)) < len(chosen):
        raise ValueError(f"cells: expected different ones, got {cells!r:.80}")
    return chosen.astype(np.intp)
