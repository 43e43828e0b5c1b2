"""Which folds a probe has: how far apart, and what each holds out, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.probes.folds import (
    cut_in_time,
    cut_into_groups,
    cut_lines_in_time,
    cut_lines_into_groups,
)
from lstm_widgets.analysis.probes.numbered import Atoms, stretches
from lstm_widgets.analysis.timelines import TELLING, Series, forgotten, memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.analysis.probes.asked import Asked
    from lstm_widgets.analysis.probes.folds import Folds
    from lstm_widgets.analysis.probes.numbered import Numbered
    from lstm_widgets.concepts.packed import PackedTrack

    Flags = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["distance", "held_out"]


def distance(asked: Asked, lags: Places, count: int, gap: int | None) -> tuple[int, str]:
    """Tell how far what is fitted stays away from what is held out, and why."""
    if gap is not None:
        return gap, ""
    step = asked.step
    lag = int(np.abs(lags).max()) * step
    if asked.window:
        if lag > asked.window:
            return lag, " (the longest lag)"
        return asked.window, " (the window)"
    if asked.plain:
        different = int(asked.mask.any(axis=0).sum())
    else:
        different = len(np.unique(asked.timeline.axes(shared=True)[1]))
    half = different * step // (2 * count)
    longest = max(_memory(asked, str(name), half) for name in asked.tracks)
    if max(lag, min(longest, half)) == lag:
        return lag, " (the longest lag)" if lag else ""
    if longest > half:
        return half, " (half a fold, concepts remember for longer)"
    return longest, " (until concepts have forgotten)"


def _memory(asked: Asked, name: str, most: int) -> int:
    """Tell after how many timesteps a concept has forgotten; more exactly than that it is more than most."""
    said = asked.said(name)
    if not asked.plain:
        return memory(said.block(slice(0, len(said))).astype(np.float64), asked.timeline)
    total, known = 0.0, 0
    for part in stretches(len(said)):
        values = said.block(part)
        finite = np.isfinite(values)
        total, known = total + float(values[finite].sum()), known + int(np.count_nonzero(finite))
    mean = total / max(1, known)
    series = []
    for example in np.flatnonzero(asked.mask.any(axis=1))[:TELLING].tolist():
        real = np.flatnonzero(asked.mask[example])
        first, last = (example * asked.mask.shape[1] + int(real[k]) for k in (0, -1))
        read = _Away(asked, said, mean, first, last + 1)
        series.append(Series(last + 1 - first, read))
    return forgotten(series, asked.step, most)


@dataclass(frozen=True)
class _Away:
    """How far a concept is from its mean, over the timesteps of an example that aren't padding."""

    asked: Asked
    said: PackedTrack
    mean: float
    first: int
    stop: int

    def __call__(self, start: int, stop: int) -> tuple[Floats, Floats]:
        """Tell it of some of them, and where it is known."""
        columns = slice(self.first + start, min(self.first + stop, self.stop))
        here = self.asked.real.here(columns)
        row, there = np.zeros((2, len(here)))
        values = self.said.block(self.asked.real.within(columns)).astype(np.float64)
        known = np.isfinite(values)
        row[here], there[here] = np.where(known, values - self.mean, 0.0), known
        return row, there


def held_out(
    asked: Asked, *, rows: Numbered, there: Flags, count: int, gap: int
) -> tuple[Folds, str]:
    """Cut what is held out, and say in words what that is.

    Parameters
    ----------
    asked : Asked
        What is asked for.
    rows, there : Numbered, bool array (n,)
        The timesteps at which something is known, and which they are of those that aren't padding.
    count, gap : int
        How many folds, and how far apart.
    """
    if asked.plain:
        return _of_lines(asked, rows, count, gap)
    timeline = asked.timeline.only(there)
    groups = asked.groups
    numbers: Places
    several = len(np.unique(timeline.series)) > 1
    if groups is not None:
        numbers, known = groups.number[asked.mask][there], groups.names
        what, shared = groups.what, not groups.whole
    elif several and timeline.date is None:
        labels = asked.dataset.coords.get("label")
        own = len(asked.mask) == int(asked.origin.series.max()) + 1
        known = tuple(
            str(labels[k].item()) if labels is not None and own else f"series {k}"
            for k in range(int(asked.origin.series.max()) + 1)
        )
        numbers, what, shared = timeline.series, "series" if not own else "examples", False
    else:
        line, at = timeline.axes(shared=True)
        _expect_enough(len(np.unique(at)), count)
        times = asked.dataset.coords.get("time")
        folds = cut_in_time(line, at, count=count, gap=gap)
        names = _spans(folds, asked, times, there)
        return folds.named(names), f"{count} blocks in time"
    present, numbers = np.unique(numbers, return_inverse=True)
    names = [known[k] for k in present]
    _expect_several(names)
    line, at = timeline.axes(shared=shared)
    parts = min(count, len(names))
    folds = cut_into_groups(line, at, group=numbers, count=parts, gap=gap, names=names)
    return folds, _in_turn(len(names), what, parts)


def _of_lines(asked: Asked, rows: Numbered, count: int, gap: int) -> tuple[Folds, str]:
    """Cut examples that are series of their own, without a look at each timestep."""
    lines = asked.lines(rows)
    ranges = list(lines.values())

    def near(first: int, last: int) -> tuple[int, int]:
        if asked.in_order:
            return _near(asked, rows, (first, last), gap)
        return rows.before(rows.column(first) - gap + 1), rows.before(rows.column(last) + gap)

    if asked.groups is None and len(lines) < 2:
        _expect_enough(len(rows), count)
        folds = cut_lines_in_time(ranges, count=count, gap=gap, near=near)
        width = asked.mask.shape[1]
        fold = folds.at(folds.begins)
        starts = [int(folds.begins[np.argmax(fold == k)]) for k in range(count)]
        ends = [*starts[1:], len(rows)]
        names = [
            " to ".join(_when(asked, rows.column(row) % width) for row in (start, end - 1))
            for start, end in zip(starts, ends, strict=True)
        ]
        return folds.named(names), f"{count} blocks in time"
    if asked.groups is not None and asked.in_order:
        runs, of_run = _runs(asked.groups.number, rows)
        what, known = asked.groups.what, asked.groups.names
        present, group = np.unique(of_run, return_inverse=True)
        called = [known[k] for k in present]
        _expect_several(called)
        parts = min(count, len(called))
        folds = cut_lines_into_groups(
            ranges, runs=runs, group=group, count=parts, gap=gap, near=near, names=called
        )
        return folds, _in_turn(len(called), what, parts)
    examples = np.array(list(lines))
    if asked.groups is not None:
        number, known = asked.groups.number[examples, 0], asked.groups.names
        what = asked.groups.what
    else:
        labels = asked.dataset.coords.get("label")
        number, what = examples, "examples"
        known = tuple(
            f"series {k}" if labels is None else str(labels[k].item())
            for k in range(len(asked.mask))
        )
    present, group = np.unique(number, return_inverse=True)
    called = [known[k] for k in present]
    _expect_several(called)
    parts = min(count, len(called))
    folds = cut_lines_into_groups(
        ranges, group=group, count=parts, gap=gap, near=near, names=called
    )
    return folds, _in_turn(len(called), what, parts)


def _near(asked: Asked, rows: Numbered, ends: tuple[int, int], gap: int) -> tuple[int, int]:
    """Tell which timesteps of the only series are too near to some: the first, and the one after the last."""
    near = gap * (1 - 1e-9)  # dates in units of a timestep are rounded
    begin, end = (rows.column(row) for row in ends)
    before, behind = asked.along(begin) - near, asked.along(end) + near

    def first(is_far: Callable[[float], bool], low: int, high: int) -> int:
        """Find the first of some columns that isn't so far before, and count the timesteps up to it."""
        while low < high:
            middle = (low + high) // 2
            if is_far(asked.along(middle)):
                low = middle + 1
            else:
                high = middle
        return rows.before(low)

    return (
        first(lambda at: at <= before, 0, begin),
        first(lambda at: at < behind, end + 1, asked.mask.shape[1]),
    )


def _when(asked: Asked, column: int) -> str:
    """Say when a timestep is."""
    time = asked.dataset.coords.get("time")
    if time is None:
        return str(column)
    when = np.atleast_2d(time[..., column : column + 1].to_numpy())[0, 0]
    if when.dtype.kind != "M":
        return str(when)
    return str(np.datetime_as_string(when, "s")).replace("T00:00:00", "")


def _runs(number: Places, rows: Numbered) -> tuple[list[slice], Places]:
    """Cut the timesteps of the only series where their groups change; and tell the group of each part."""
    starts, groups = [], []
    for part in stretches(number.size):
        here = number[0, part][rows.here(part)]
        fresh = np.append(True, here[1:] != here[:-1])[: len(here)]
        starts.append(rows.before(part.start) + np.flatnonzero(fresh))
        groups.append(here[fresh])
    runs = Atoms.of(np.concatenate(starts), np.concatenate(groups), len(rows))
    ends = np.append(runs.starts[1:], runs.count)
    return list(map(slice, runs.starts.tolist(), ends.tolist())), runs.values


def _expect_enough(different: int, count: int) -> None:
    if different < 4 * count:
        raise ValueError(
            f"folds: expected fewer than {count}, because there are {different} different "
            f"timesteps with a value; each fold needs some"
        )


def _expect_several(names: Sequence[str]) -> None:
    if len(names) < 2:
        raise ValueError(
            f"groups: expected two different ones or more to leave out, got {names[0]!r} only; "
            f"without groups=, blocks in time are held out"
        )


def _in_turn(groups: int, what: str, parts: int) -> str:
    each = "each in turn" if parts == groups else f"in {parts} folds"
    return f"{groups} {what} {each}"


def _spans(folds: Folds, asked: Asked, times: xr.DataArray | None, there: Flags) -> list[str]:
    """Say from when to when each fold goes."""
    if times is None:
        when = np.broadcast_to(np.arange(asked.mask.shape[1]), asked.mask.shape)
        if asked.origin.told:
            when = when + asked.origin.start[:, None]
    else:
        when = np.broadcast_to(times.to_numpy(), asked.mask.shape)
    when = when[asked.mask][there]
    fold = folds.at(slice(None))
    names = []
    for k in range(folds.count):
        first, last = when[fold == k].min(), when[fold == k].max()
        if when.dtype.kind == "M":
            first, last = (
                np.datetime_as_string(x, "s").replace("T00:00:00", "") for x in (first, last)
            )
        names.append(f"{first} to {last}")
    return names
