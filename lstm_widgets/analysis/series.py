"""Which examples are windows of one series: what may be split and shifted is a series, not a window.

Windows that overlap show the same piece of a series again and again, and aren't independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.groups import groups_of
from lstm_widgets.checks import expect_whole
from lstm_widgets.recording import overlap
from lstm_widgets.recording.long_overlap import Compared

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.recording import Recording
    from lstm_widgets.recording.overlap import Windows

    Floats = npt.NDArray[np.floating[Any]]
    Flags = npt.NDArray[np.bool_]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["Origin", "origin_of"]


@dataclass(frozen=True)
class Origin:
    """Where the timesteps of a layer come from.

    Attributes
    ----------
    series : int array (example,)
        Of each example, the series or group that it belongs to, ``(example,)``, from 0.
    start : int array (example,)
        At which of its timesteps the example starts, ``(example,)``, from 0.
    told : str
        In a sentence, how the examples hang together; "" where each stands for itself.
    known : bool
        False where it couldn't be found whether the examples overlap.
    """

    series: Places
    start: Places
    told: str = ""
    known: bool = True

    def overlap(self, timesteps: int) -> bool:
        """Whether examples of so many timesteps overlap, or may."""
        order = np.lexsort([self.start, self.series])
        near = np.diff(self.start[order]) < timesteps
        return bool((near & (np.diff(self.series[order]) == 0)).any() or not self.known)

    def positions(self, timesteps: int) -> Places | None:
        """Count through the timesteps of all series, ``(example, timestep)``.

        Those of several examples that are the same have the same number. None where each example
        stands for itself.
        """
        if not self.told or not self.known:
            return None
        length = int(self.start.max(initial=0)) + timesteps
        return np.asarray((self.series * length + self.start)[:, None] + np.arange(timesteps))


def origin_of(
    recording: Recording,
    layer: str,
    tracks: Mapping[str, xr.DataArray],
    groups: Any,  # noqa: ANN401 - labels of many types
    step: int | None,
) -> Origin:
    """Find out which examples belong together, from what is told, recorded or given.

    Parameters
    ----------
    recording, layer : Recording, str
        Whose examples.
    tracks : mapping of str to xarray.DataArray
        Arrays of numbers ``(example, timestep)`` that belong to them.
    groups, step : optional
        As for ``rank_cells``.
    """
    dataset = recording[layer]
    examples, timesteps = dataset.sizes["example"], dataset.sizes["timestep"]
    own = np.arange(examples)
    known_groups = None if groups is None else groups_of(dataset, groups)
    if (
        known_groups is None or not known_groups.whole
    ):  # labels of timesteps put no examples together
        groups, numbers, names = None, np.zeros(examples, np.intp), 1
    else:
        numbers = known_groups.number[:, 0].astype(np.intp)
        names = len(known_groups.names)
    _expect_step(step)
    if step is not None:
        start = _counted(numbers) * int(step)
        several = f"{names} groups" if groups is not None else "one series"
        apart = f"{step} timestep{'s' * (step != 1)} apart"
        return Origin(numbers, start, f"the examples are windows of {several}, {apart}")
    found, where, known = _overlap(recording, dataset, tracks)
    if groups is not None:
        start = _apart(numbers, found, timesteps)
        return Origin(numbers, start, f"the examples belong to {names} groups")
    if found is None:
        if known:
            return Origin(own, np.zeros(examples, np.intp))
        told = (
            "it isn't known whether the examples are overlapping windows of a series, so they are "
            "assumed to be neighbours in the order of the recording; groups= or step= tells it"
        )
        return Origin(np.zeros(examples, np.intp), own * timesteps, told, known=False)
    start = found.start
    if found.timesteps != timesteps:  # of a layer that sees every second timestep, for example
        start = np.rint(start * (timesteps / found.timesteps)).astype(np.intp)
    alone = examples - int(np.isin(found.series, np.flatnonzero(_sizes(found.series) > 1)).sum())
    told = (
        f"{examples - alone} of {examples} examples are windows of "
        f"{found.several} series that overlap, as {where} show"
    )
    return Origin(found.series, start, told)


def _sizes(numbers: Places) -> Places:
    return np.bincount(numbers)


def _expect_step(step: Any) -> None:  # noqa: ANN401
    if step is not None:
        expect_whole("step", step, 1)


def _counted(numbers: Places) -> Places:
    """Count through the examples of each group."""
    order = np.argsort(numbers, kind="stable")
    sizes = _sizes(numbers)
    counted = np.empty(len(numbers), np.intp)
    counted[order] = np.arange(len(numbers)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return counted


def _apart(groups: Places, found: Windows | None, timesteps: int) -> Places:
    """Put the series of each group one after the other."""
    if found is None:
        return _counted(groups) * timesteps
    start = np.zeros(len(groups), np.intp)
    ends = np.zeros(int(groups.max(initial=-1)) + 1, np.intp)
    pairs = np.stack([groups, found.series], axis=1)
    for group, series in np.unique(pairs, axis=0):
        here = (groups == group) & (found.series == series)
        first = found.start[here].min()
        start[here] = ends[group] + found.start[here] - first
        ends[group] = start[here].max() + timesteps
    return start


def _overlap(
    recording: Recording, dataset: xr.Dataset, tracks: Mapping[str, xr.DataArray]
) -> tuple[Windows | None, str, bool]:
    """Find which examples overlap, by what was read, by tokens, by tracks; whether that is known."""
    description = recording.tree.attrs.get("overlap")
    examples = dataset.sizes["example"]
    if examples < 2:
        return None, "", True
    if description is not None:
        found = overlap.of_description(description, examples)
        if found is not None:
            return found, "the inputs", True
    elif "token" in dataset.coords:
        found = Compared(dataset["token"]).find()
        if found is not None:
            return found, "their tokens", True
    known = description is not None or "token" in dataset.coords
    # Series that were measured at the same times; windows of one series aren't.
    known = known or ("time" in dataset.coords and dataset.coords["time"].ndim == 1)
    for name, track in tracks.items():
        compared = Compared(track)
        if 2 * compared.different() <= examples:
            continue  # it says the same of many examples
        found = compared.find()
        if found is not None:
            return found, f"the numbers of {name!r}", True
        # Numbers that hardly ever come twice would tell.
        known = known or compared.mostly_once()
    return None, "", known
