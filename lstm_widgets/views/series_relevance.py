"""Relevance behind the lines of a series: where in a recording each of its timesteps stands.

js/src/data/series_relevance.js is the page's side.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from lstm_widgets.analysis.relevance_methods import UNSIGNED
from lstm_widgets.tokens.wording import sendable
from lstm_widgets.views.examples import Examples
from lstm_widgets.views.times import shown_times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lstm_widgets.views.lines import Lines

#: So many explanations are summed up at a time.
_AT_A_TIME = 256


class Of(NamedTuple):
    """
    Which relevance: by which method, of which channel.

    Parameters
    ----------
    method : int
    channel : int or None
        None: of all channels, summed up.
    """

    method: int
    channel: int | None


class SeriesRelevance:
    """
    The relevance of channels, placed on the timesteps of a recorded series.

    An *explanation* is one example of the relevance: a window of a series, or all of one.

    Parameters
    ----------
    relevance : xarray.Dataset
        What `lstm_widgets.relevance` returns of a series.
    lines : Lines
        The lines of the recording.

    Raises
    ------
    TypeError, ValueError
        If it isn't relevance of channels, or of another recording; the text says how.
    """

    def __init__(self, relevance: xr.Dataset, lines: Lines) -> None:
        examples = Examples(relevance)
        self.dataset = relevance
        self.methods = examples.methods
        self.unit = examples.unit
        #: What was explained, in words.
        self.told = examples.explained
        self.doubtful: NDArray[np.bool_] = examples.doubtful
        self.count, self.timesteps = examples.count, examples.timesteps
        self._mask = examples.mask
        order = _order(examples, [name for name, _ in lines.channels])
        #: Float32 (method, channel, explanation, timestep), channels as the recording has them.
        self.values = examples.values[:, order] if order != sorted(order) else examples.values
        #: The example of the recording that each is of; -1 where all is padding.
        self.examples = _examples_of(examples, lines)
        #: The timestep of the series at which each begins, and that which is explained.
        self.starts = np.full(self.count, -self.timesteps, np.int32)
        self.explained = np.full(self.count, -1, np.int32)
        self._place(lines)
        self.largest = self._largest()

    @property
    def channels(self) -> int:
        """How many channels there are."""
        return int(self.values.shape[1])

    def number(self, of: Of) -> int:
        """Give the number of a line: methods one after the other, each with its channels and their sum."""
        return of.method * (self.channels + 1) + (
            self.channels if of.channel is None else of.channel
        )

    def of(self, number: int) -> Of:
        """Give what a number stands for."""
        method, channel = divmod(number, self.channels + 1)
        return Of(method, None if channel == self.channels else channel)

    def signed(self, method: int) -> bool:
        """Whether a method has values on both sides of zero."""
        return self.methods[method] not in UNSIGNED

    def row(self, example: int, timestep: int) -> int | None:
        """
        Give the explanation of an example whose explained timestep is nearest to one.

        Parameters
        ----------
        example, timestep : int
            Of the series.

        Returns
        -------
        int or None
            None if nothing of the example is explained. Of two as near, the first.
        """
        own = np.flatnonzero(self.examples == example)
        if not len(own):
            return None
        return int(own[np.abs(self.explained[own] - timestep).argmin()])

    def line(self, of: Of, row: int) -> NDArray[np.float32]:
        """
        Give the relevance at the timesteps of one explanation.

        Parameters
        ----------
        of : Of
        row : int
            Which explanation.

        Returns
        -------
        float32 array (timestep,)
            From its start on; NaN at padding.
        """
        values = self._masked(of.method, slice(row, row + 1))
        return np.array((_summed(values) if of.channel is None else values[of.channel])[0])

    def along(self, of: Of, row: int, timesteps: int) -> NDArray[np.float32]:
        """Give the same at all timesteps of the series, NaN where there is none: float32 (timestep,)."""
        made = np.full(timesteps, np.nan, np.float32)
        start = int(self.starts[row])
        first, stop = max(0, start), min(timesteps, start + self.timesteps)
        if stop > first:
            made[first:stop] = self.line(of, row)[first - start : stop - start]
        return made

    def _masked(self, method: int, rows: slice) -> NDArray[np.float32]:
        """Give relevance by a method, NaN at padding: float32 (channel, explanation, timestep)."""
        values: NDArray[np.float32] = self.values[method][:, rows]
        if self._mask is None:
            return values
        return np.where(self._mask[rows], values, np.float32(np.nan))

    def _largest(self) -> NDArray[np.float32]:
        """Find the largest magnitudes: float32 (2, method, explanation), of channels and of their sums."""
        made = np.zeros((2, len(self.methods), self.count), np.float32)
        for start in range(0, self.count, _AT_A_TIME):
            rows = slice(start, start + _AT_A_TIME)
            for method in range(len(self.methods)):
                values = self._masked(method, rows)
                for kind, some in enumerate((values, _summed(values)[None])):
                    finite = np.isfinite(some)
                    found = np.max(np.abs(some), axis=(0, 2), initial=0, where=finite)
                    made[kind, method, rows] = found
        return made

    # -- where it stands -------------------------------------------------------------------------

    def _place(self, lines: Lines) -> None:
        """Find where each explanation begins, and which timestep it is of."""
        own, there = shown_times(self.dataset["relevance"]), shown_times(lines.series)
        windows = "end" in self.dataset.coords
        ends = self.dataset["end"].values if windows else None
        if (own is None or there is None) and not windows and self.timesteps != lines.timesteps:
            raise ValueError(
                f"relevance: expected that of the recording's {lines.timesteps} timesteps, or times in both "
                f"that tell where it stands; got that of {self.timesteps} timesteps"
            )
        for row in range(self.count):
            valid = np.ones(self.timesteps, bool) if self._mask is None else self._mask[row]
            if own is not None and there is not None:
                times = own.values[0 if own.shared else row]
                real = valid & ~np.isnat(times) if own.dates else valid & ~np.isnan(times)
                example = max(0, int(self.examples[row]))
                start = _start(times, real, there.values[0 if there.shared else example])
            elif ends is not None:
                real, start = valid, int(ends[row]) - self.timesteps + 1
            else:
                real, start = valid, 0
            if not real.any():
                self.examples[row] = -1
                continue
            if start is None or start + int(np.flatnonzero(real)[-1]) >= lines.timesteps:
                raise ValueError(
                    "relevance: expected that of this recording's series; got that of other timesteps "
                    f"(its example {row})"
                )
            self.starts[row] = start
            self.explained[row] = start + self._explained_in(row, real, windows=windows)

    def _explained_in(self, row: int, real: NDArray[np.bool_], *, windows: bool) -> int:
        """Give which timestep of an explanation was explained: the last, unless another was asked for."""
        if windows:
            return self.timesteps - 1
        if "at" in self.dataset.coords:
            return min(self.timesteps - 1, int(self.dataset["at"].values[row]))
        return int(np.flatnonzero(real)[-1])

    # -- what the page is told -------------------------------------------------------------------

    @property
    def size(self) -> int:
        """How many bytes all values take."""
        return int(self.values.nbytes)

    def packed(self, rows: slice) -> bytes:
        """Give the values of some explanations: float32 (explanation, method, channel, timestep)."""
        every = np.stack([self._masked(method, rows) for method in range(len(self.methods))])
        return np.moveaxis(every, 2, 0).tobytes()

    def alike(self, other: SeriesRelevance) -> bool:
        """Whether another is by the same methods, of the same timesteps."""
        return (
            self.methods == other.methods
            and all(
                np.array_equal(getattr(self, name), getattr(other, name))
                for name in ("examples", "starts", "explained")
            )
            and self.timesteps == other.timesteps
        )


def placed_of(
    relevance: Any,  # noqa: ANN401 - not checked yet
    lines: Mapping[str, Lines],
) -> dict[str, SeriesRelevance]:
    """
    Place relevance by variant, on one scale.

    Parameters
    ----------
    relevance : xarray.Dataset or mapping
        That of one recording; of variants a dict from their names, or one with the dimension ``variant``.
    lines : mapping of str to Lines
        The lines of each variant; of one recording by the name "".

    Returns
    -------
    dict of SeriesRelevance
        By the same names.

    Raises
    ------
    TypeError, ValueError
        As for `SeriesRelevance`; and if there is none of a variant, or not for the same in all of them.
    """
    if "" in lines:
        return {"": SeriesRelevance(relevance, lines[""])}
    given = relevance
    if isinstance(given, xr.Dataset) and "variant" in given.dims:
        given = {str(name): given.sel(variant=name, drop=True) for name in given["variant"].values}
    known = ", ".join(map(repr, lines))
    if isinstance(given, xr.Dataset) or not isinstance(given, Mapping):
        raise TypeError(
            f"relevance: expected a dict with that of each variant ({known}), because recording is "
            f"Variants; got {type(given).__name__}"
        )
    missing = [name for name in lines if name not in given]
    if missing:
        raise ValueError(
            f"relevance: expected that of each variant ({known}), got none of "
            f"{', '.join(map(repr, missing))}"
        )
    found = {name: SeriesRelevance(given[name], own) for name, own in lines.items()}
    first, *others = found.values()
    for name, other in zip([*lines][1:], others, strict=True):
        if not first.alike(other):
            raise ValueError(
                "relevance: expected the same methods, of the same timesteps, in all variants; "
                f"got others in {name!r}"
            )
    largest = np.max([each.largest for each in found.values()], axis=0)
    for each in found.values():
        each.largest = largest
    return found


def described(
    every: Sequence[SeriesRelevance], rows: slice, *, whole: bool
) -> tuple[dict[str, Any], bytes, bytes]:
    """
    Describe some explanations to the page.

    Parameters
    ----------
    every : sequence of SeriesRelevance
        Of each variant; of one recording alone.
    rows : slice
        Which of them.
    whole : bool
        Whether to give their values, too.

    Returns
    -------
    tuple of (dict, bytes, bytes)
        What there is. Of each explanation int32 (3, explanation), its example, start and explained
        timestep; float32 (2, method, explanation), the largest magnitude of channels and of their sum;
        uint8 (variant, method, explanation), 1 where it is doubtful. And float32 (variant, explanation,
        method, channel, timestep), or nothing.
    """
    first = every[0]
    placed = np.stack([first.examples, first.starts, first.explained])[:, rows]
    largest = first.largest[..., rows]
    told = {
        "methods": [
            {
                "name": sendable(name),
                "signed": first.signed(method),
                "unit": sendable(first.unit) if first.signed(method) else "",
                "largest": [float(first.largest[kind, method].max(initial=0)) for kind in (0, 1)],
            }
            for method, name in enumerate(first.methods)
        ],
        "variants": len(every),
        "channels": first.channels,
        "timesteps": first.timesteps,
        "count": placed.shape[1],
        "explained": sendable(first.told),
        "whole": whole,
    }
    doubtful = np.stack([each.doubtful[:, rows] for each in every])
    parts = (placed.astype(np.int32), largest, doubtful.astype(np.uint8))
    values = b"".join(each.packed(rows) for each in every) if whole else b""
    return told, b"".join(np.ascontiguousarray(part).tobytes() for part in parts), values


def _summed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum up channels, NaN where all of them are: float32 (explanation, timestep)."""
    summed = np.nansum(values, axis=0, dtype=np.float64)
    return np.where(np.isnan(values).all(axis=0), np.nan, summed).astype(np.float32)


def _order(examples: Examples, wanted: list[str]) -> list[int]:
    """Give which channel of the relevance each of the recording is."""
    names = list(examples.channels)
    if not names:
        raise ValueError(
            "relevance: expected that of channels, (method, example, timestep, channel), as lw.relevance() "
            "makes it of a series; got that of tokens, (method, example, timestep)"
        )
    if names == wanted:
        return list(range(len(names)))
    if sorted(names) != sorted(wanted) or len(set(names)) < len(names):
        there = ", ".join(map(repr, wanted)) or "none: the recording has no such series"
        raise ValueError(
            f"relevance: expected that of the recording's channels, {there}; got that of "
            f"{', '.join(map(repr, names))}"
        )
    return [names.index(name) for name in wanted]


def _examples_of(examples: Examples, lines: Lines) -> NDArray[np.int32]:
    """Find the example of the recording that each explanation is of."""
    series = lines.series
    assert series is not None  # noqa: S101 - it has channels
    there, dataset = int(series.sizes["example"]), examples.dataset
    windows = "end" in dataset.coords
    if windows and there == 1:
        return np.zeros(examples.count, np.int32)
    labels = lines.labels
    if labels is not None and len(set(labels)) == len(labels) and "label" in dataset.coords:
        own = [str(one) for one in np.broadcast_to(dataset["label"].values, examples.count)]
        wrong = list(dict.fromkeys(one for one in own if one not in labels))
        if wrong:
            raise ValueError(
                f"relevance: expected examples of the recording, labelled "
                f"{', '.join(map(repr, labels[:8]))}{' …' * (len(labels) > 8)}; got "
                f"{', '.join(map(repr, wrong[:8]))}"
            )
        return np.array([labels.index(one) for one in own], np.int32)
    numbers = dataset["series"].values if "series" in dataset.coords else None
    if numbers is not None and numbers.max(initial=0) < there:
        return numbers.astype(np.int32)
    if windows:
        raise ValueError(
            f"relevance: expected to be told which of the recording's {there} examples these windows are "
            "of, by the labels of a recording that was made with labels=: relevance.assign_coords(label="
            "'that of the example'); got none"
        )
    numbers = np.asarray(dataset["example"].values if "example" in dataset.coords else ())
    if numbers.dtype.kind not in "iu" or len(numbers) != examples.count:
        numbers = np.arange(examples.count)
    if len(numbers) and not (numbers.min() >= 0 and numbers.max() < there):
        raise ValueError(
            f"relevance: expected examples 0 to {there - 1} of the recording; got {numbers.min()} to "
            f"{numbers.max()} (for windows of a series: lw.relevance(model, series, window=...))"
        )
    return numbers.astype(np.int32)


def _start(times: NDArray[Any], real: NDArray[np.bool_], there: NDArray[np.generic]) -> int | None:
    """Find at which timestep of a series times begin; None if they aren't those of consecutive ones."""
    places = np.flatnonzero(real)
    if not len(places):
        return 0
    if (times.dtype.kind == "M") != (there.dtype.kind == "M"):
        return None
    start = int(np.searchsorted(there, times[places[0]])) - int(places[0])
    if start + places[-1] >= len(there) or (there[start + places] != times[places]).any():
        return None
    return start
