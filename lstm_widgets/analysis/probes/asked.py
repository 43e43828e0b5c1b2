# ruff: noqa: ANN401 - groups and cells are of many types
"""What a probe is asked for, and what is known of the timesteps before any state is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.groups import Groups, groups_of
from lstm_widgets.analysis.probes.null_targets import exchanged, shifted
from lstm_widgets.analysis.ranked_tracks import numbers
from lstm_widgets.analysis.series import origin_of
from lstm_widgets.analysis.split_and_shift import Part, pieces_of
from lstm_widgets.analysis.timelines import read_by_window, timeline_of
from lstm_widgets.concepts.make_tracks import tracks
from lstm_widgets.recording.masks import mask_of

if TYPE_CHECKING:
    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.analysis.probes.calendars import Period
    from lstm_widgets.analysis.probes.null_targets import NullTargets
    from lstm_widgets.analysis.series import Origin
    from lstm_widgets.analysis.timelines import Timeline
    from lstm_widgets.concepts.concept import Concepts, Kind
    from lstm_widgets.recording import Recording

    Flags = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["Asked", "Moves"]


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
    timeline: Timeline
    window: int

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
        return cls(
            name,
            dataset,
            dataset[signal],
            _expect_cells(cells, dataset.sizes["cell"]),
            said,
            mask,
            grouped,
            origin,
            timeline_of(dataset, origin, mask),
            read_by_window(recording, dataset, origin),
        )

    def lagged(self, name: str, lags: Places) -> Floats:
        """Say a concept of the timesteps that lie some lags back, ``(lag, n)``; NaN beyond an example."""
        said = self.tracks[name].to_numpy()[self.mask]
        example = np.repeat(np.arange(len(self.mask)), self.mask.sum(axis=1))
        found = np.full((len(lags), len(said)), np.nan)
        for row, lag in zip(found, lags.tolist(), strict=True):
            from_ = slice(max(0, -lag), len(said) - max(0, lag))
            to = slice(max(0, lag), len(said) - max(0, -lag))
            same = example[from_] == example[to]
            row[to] = np.where(same, said[from_], np.nan)
        return found

    def alike(self, lags: Places) -> list[list[str]]:
        """Put concepts together that are known at the same timesteps: they are read together."""
        together: dict[bytes, list[str]] = {}
        for name in map(str, self.tracks):
            there = np.isfinite(self.lagged(name, lags)).all(axis=0)
            together.setdefault(np.packbits(there).tobytes(), []).append(name)
        return list(together.values())


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
        part = Part.of(pieces_of(asked.mask, asked.origin), np.zeros(1, np.intp))
        # Series that have dates are moved together: they may share their weather.
        apart = 1 if asked.timeline.date is not None else part.segments
        turns = np.repeat(rng.random((shifts, apart)), part.segments // apart, axis=1)
        keys = rng.random((shifts, int(period.cycle.max(initial=0)) + 1))
        return cls(part, period, turns, keys)

    def null(self, name: str, kind: Kind, said: Floats) -> NullTargets | None:
        """Move what a concept says at the timesteps at which it is known."""
        if self.part is None:
            return None
        if self.period.name:
            found = exchanged(said, self.part, self.period, self.keys)
            if found is not None:
                return found
        return shifted(name, kind, said, self.part, self.turns)


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
