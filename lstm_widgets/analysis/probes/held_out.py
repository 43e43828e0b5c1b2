"""Which folds a probe has: how far apart, and what each holds out, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.probes.folds import cut_in_time, cut_into_groups
from lstm_widgets.analysis.timelines import memory

if TYPE_CHECKING:
    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.analysis.probes.asked import Asked
    from lstm_widgets.analysis.probes.folds import Folds
    from lstm_widgets.analysis.timelines import Timeline

    Flags = npt.NDArray[np.bool_]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["distance", "held_out"]


def distance(asked: Asked, lags: Places, count: int, gap: int | None) -> tuple[int, str]:
    """Tell how far what is fitted stays away from what is held out, and why."""
    timeline = asked.timeline
    if gap is not None:
        return gap, ""
    lag = int(np.abs(lags).max()) * timeline.step
    if asked.window:
        if lag > asked.window:
            return lag, " (the longest lag)"
        return asked.window, " (the window)"
    now = np.zeros(1, np.intp)
    longest = max(memory(asked.lagged(str(name), now)[0], timeline) for name in asked.tracks)
    different = len(np.unique(timeline.axes(shared=True)[1]))
    half = different * timeline.step // (2 * count)
    if max(lag, min(longest, half)) == lag:
        return lag, " (the longest lag)" if lag else ""
    if longest > half:
        return half, " (half a fold, concepts remember for longer)"
    return longest, " (until concepts have forgotten)"


def held_out(
    asked: Asked, *, timeline: Timeline, there: Flags, count: int, gap: int
) -> tuple[Folds, str]:
    """Cut what is held out, and say in words what that is."""
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
        different = len(np.unique(at))
        if different < 4 * count:
            raise ValueError(
                f"folds: expected fewer than {count}, because there are {different} different "
                f"timesteps with a value; each fold needs some"
            )
        times = asked.dataset.coords.get("time")
        folds = cut_in_time(line, at, count=count, gap=gap)
        names = _spans(folds, asked, times, there)
        return folds.named(names), f"{count} blocks in time"
    present, numbers = np.unique(numbers, return_inverse=True)
    names = [known[k] for k in present]
    if len(names) < 2:
        raise ValueError(
            f"groups: expected two different ones or more to leave out, got {names[0]!r} only; "
            f"without groups=, blocks in time are held out"
        )
    line, at = timeline.axes(shared=shared)
    parts = min(count, len(names))
    folds = cut_into_groups(line, at, group=numbers, count=parts, gap=gap, names=names)
    each = "each in turn" if parts == len(names) else f"in {parts} folds"
    return folds, f"{len(names)} {what} {each}"


def _spans(folds: Folds, asked: Asked, times: xr.DataArray | None, there: Flags) -> list[str]:
    """Say from when to when each fold goes."""
    if times is None:
        when = np.broadcast_to(np.arange(asked.mask.shape[1]), asked.mask.shape)
        if asked.origin.told:
            when = when + asked.origin.start[:, None]
    else:
        when = np.broadcast_to(times.to_numpy(), asked.mask.shape)
    when = when[asked.mask][there]
    fold = folds.of_atom[folds.atom]
    names = []
    for k in range(folds.count):
        first, last = when[fold == k].min(), when[fold == k].max()
        if when.dtype.kind == "M":
            first, last = (
                np.datetime_as_string(x, "s").replace("T00:00:00", "") for x in (first, last)
            )
        names.append(f"{first} to {last}")
    return names
