# pandas has no types here: Any.
# ruff: noqa: ANN401
"""Concepts that are given as tables of pandas: their index tells to which timesteps values belong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from lstm_widgets.concepts.concept import Concept, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from lstm_widgets.concepts.example import Example, Stretch, Track

__all__ = ["Frame", "is_table", "of_table"]


@runtime_checkable
class Frame(Protocol):
    """A DataFrame."""

    index: Any
    columns: Any

    def reindex(self) -> Any:
        """Take the values of other times."""

    def __getitem__(self, column: Any) -> Any:
        """Take a column."""


def is_table(given: Any) -> bool:
    """Tell whether something is a Series or a DataFrame of pandas."""
    return hasattr(given, "index") and hasattr(given, "reindex")


def of_table(given: Any, name: str) -> Concept:
    """Make a concept of a table.

    Parameters
    ----------
    given : pandas.Series or pandas.DataFrame
        A Series is the same for every example; a DataFrame has a column for each, called as the
        example is labelled, or as many columns as there are examples. The index are the times of the
        recording, more or fewer or in another order, in any time zone, if these have one, and in none, if
        not; or there are no times, and as many rows as timesteps.
    name : str
        Its name.
    """
    values = np.asarray(given)
    if values.dtype == object:
        try:
            values = np.asarray(given.astype("float64"))
        except (TypeError, ValueError) as error:
            raise TypeError(f"concept {name!r}: expected bools or numbers; {error}") from error
    if values.dtype.kind not in "biuf":
        raise TypeError(f"concept {name!r}: expected bools or numbers, got dtype {values.dtype}")
    kind = kind_of(values)
    keys = _keys(given.index)
    if keys.dtype != object and len(np.unique(keys)) < len(keys):
        raise ValueError(f"concept {name!r}: expected different times in its index, got one twice")

    order = np.argsort(keys)
    ordered = keys[order]

    def told(stretches: Iterator[Stretch]) -> Iterator[Track]:
        ends: list[Any] = []  # of the example's times
        found, missing = False, None
        for stretch in stretches:
            example = stretch.example
            column = values if values.ndim == 1 else values[:, _column(given, example, name)]
            times = None if stretch.times is None else _plain(stretch.times)
            counted = getattr(given.index, "start", None) == 0 and len(column) == example.width
            if times is None or times.dtype != keys.dtype or counted:  # counted: a RangeIndex
                if len(column) != example.width:
                    raise ValueError(
                        f"concept {name!r}: expected a value for each of {example.width} timesteps, "
                        f"or an index of the recording's times, got {len(column)} values with an "
                        f"index of {given.index.dtype}"
                    )
                yield column[stretch.timesteps]
                continue
            if keys.dtype.kind == "M":
                _expect_same_clock(name, given.index, example.zone)
            place = np.searchsorted(ordered, times).clip(max=max(len(keys) - 1, 0))
            there = np.zeros(stretch.count, np.bool_)
            if len(keys):
                place = order[place]
                there = keys[place] == times
            if stretch.count:
                ends = [*ends[:1], times[0], times[-1]]
                found = found or bool(there.any())
            if missing is None and kind == "yes_no" and not there.all():
                missing = times[~there][0]
            if stretch.first + stretch.count == example.count:
                _expect_times(name, given.index, ends, found, missing)
            if there.all():
                yield column[place]
            elif kind == "yes_no":
                yield there  # which is refused at the end of the example
            else:
                yield np.where(there, column[place] if len(keys) else np.nan, np.nan)

    return Concept(name, kind, told)


def _expect_times(name: str, index: Any, ends: list[Any], found: bool, missing: Any) -> None:
    """Refuse a table that doesn't say of an example what it should."""
    if ends and not found:
        raise ValueError(
            f"concept {name!r}: none of its times is one of the recording's, from "
            f"{ends[0]} to {ends[-1]}; its index goes from {index.min()} to {index.max()}"
        )
    if missing is not None:
        raise ValueError(
            f"concept {name!r}: expected True or False at every timestep, got no value at "
            f"{missing}; numbers may be missing"
        )


def _expect_same_clock(name: str, index: Any, zone: str) -> None:
    """Refuse dates of which one knows what instants they are, beside such as one doesn't."""
    own = "" if (tz := getattr(index.dtype, "tz", None)) is None else str(tz)
    if bool(own) == bool(zone) or {own, zone} - {""} <= {"UTC"}:
        return
    if zone:
        raise ValueError(
            f"concept {name!r}: expected an index with a time zone, because the recording's times are in "
            f"{zone}; got one without. index.tz_localize({zone!r}) takes it for the time on clocks there, "
            f"index.tz_localize('UTC') for UTC, in which the recording's coordinate is"
        )
    raise ValueError(
        f"concept {name!r}: expected an index without a time zone, because the recording's times have "
        f"none; got one in {own}. index.tz_localize(None) takes the time on clocks there; or record with "
        f"times that have a zone"
    )


def _keys(index: Any) -> npt.NDArray[Any]:
    """Bring an index into the form that times have in a recording: UTC, or numbers."""
    if hasattr(index, "to_timestamp") and hasattr(index, "freq"):  # periods
        index = index.to_timestamp()
    if getattr(index.dtype, "tz", None) is not None:
        index = index.tz_convert("UTC").tz_localize(None)
    keys = np.asarray(index)
    return _plain(keys)


def _plain(times: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Bring dates and numbers into one form each."""
    dates = times.dtype.kind == "M"
    return times.astype("M8[ns]" if dates else np.float64 if times.dtype.kind in "iuf" else object)


def _column(given: Any, example: Example, name: str) -> int:
    columns = [str(column) for column in given.columns]
    if example.label is not None and example.label in columns:
        return columns.index(example.label)
    if len(columns) == (1 if example.examples is None else example.examples):
        return example.number
    called = "" if example.label is None else f" called {example.label!r}"
    raise ValueError(
        f"concept {name!r}: expected a column{called} for each of {example.examples} examples, got "
        f"{', '.join(map(repr, columns))[:200]}"
    )
