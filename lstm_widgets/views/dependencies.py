"""Dependencies as the page gets them: of each prediction the stretch of tokens that it was computed from.

The page's side is js/src/data/dependency.js.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from lstm_widgets.tokens.wording import sendable
from lstm_widgets.views.times import ShownTimes

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

DIMS = ("example", "timestep", "input_timestep")
#: Of a series: what was read is told by how many timesteps before the prediction it was.
DIMS_OF_SERIES = ("example", "timestep", "lag", "channel")
#: What takes the place of a channel, in words.
_REPLACED = {"mean": "its mean", "blocks": "other stretches of it", "zero": "zeros"}
#: So many of the last tokens before each prediction are in the picture of all predictions.
NEAR = 64


@dataclass(frozen=True)
class Dependency:
    """
    The dependency of one model, or on one channel of a series.

    Parameters
    ----------
    name : str
    of : str
        What depends: ``"logit"``, ``"probability"``, ``"loss"``; of outputs that are no classes
        ``"value"``, of the only one ``"forecast"``.
    how : str
        How it was found out, in words: what was made of each gradient, or what was put into the place.
    values : float32 array (example, row, input timestep)
        A row for each prediction, NaN where a token was not read.
    timesteps : int array (row,)
        The timestep of each prediction, in order.
    first : int
        The first of the input timesteps.
    starts, stops : int32 array (example, row)
        The stretch of input timesteps that the model has read, from ``first`` on; empty where nothing
        is known of a prediction.
    forwards : bool
        Whether no prediction depends on anything that comes later.
    tokens : object array (example, input timestep), optional
    targets : int array (example, row), optional
        The class that each prediction is of, -1 if unknown.
    target_tokens : object array (example, row), optional
        The same as tokens.
    unit : str
        That of the values, "" if it isn't known.
    times : ShownTimes, optional
        When the timesteps of a series are, as far as that is known, from ``since`` on.
    since : int
    channel : str
        The channel of a series that it is on, "" if it is none.
    labels : list of str, optional
        What the examples are called.
    """

    name: str
    of: str
    how: str
    values: NDArray[np.float32]
    timesteps: NDArray[np.intp]
    first: int
    starts: NDArray[np.int32]
    stops: NDArray[np.int32]
    forwards: bool
    tokens: NDArray[np.object_] | None
    targets: NDArray[np.int_] | None
    target_tokens: NDArray[np.object_] | None
    unit: str = ""
    times: ShownTimes | None = None
    since: int = 0
    channel: str = ""
    labels: list[str] | None = None

    @classmethod
    def of_channels(cls, name: str, where: str, array: xr.DataArray) -> list[Dependency]:
        """Take what `lstm_widgets.dependency` gave of a series: one for each of its channels."""
        steps, lags = array["timestep"].values, array["lag"].values
        columns = np.arange(max(0, steps.min() - lags.max()), steps.max() - lags.min() + 1)
        # Which lag each timestep has for each prediction, and whether there is one.
        lag = steps[:, None] - columns
        place = np.clip(np.searchsorted(lags, lag), 0, len(lags) - 1)
        there = lags[place] == lag
        values = array.values[:, np.arange(len(steps))[:, None], place]
        values = np.where(there[None, :, :, None], values, np.nan)
        since, times = _times(array, columns, there, place)
        some = np.flatnonzero(~np.isnan(values).all(axis=(0, 1, 3)))
        if len(some):
            values, columns = (
                values[:, :, some[0] : some[-1] + 1],
                columns[some[0] : some[-1] + 1],
            )
        units = array["unit"].values if "unit" in array.coords else [""] * array.sizes["channel"]
        coords: dict[Hashable, Any] = {"timestep": steps, "input_timestep": columns}
        if "target" in array.coords:
            coords["target"] = array["target"]
        if "label" in array.coords:
            coords["label"] = array["label"]
        found = []
        for k, (channel, unit) in enumerate(zip(array["channel"].values, units, strict=True)):
            title = f"{channel} ({unit})" if unit else str(channel)
            one = xr.DataArray(values[..., k], coords, DIMS, attrs=array.attrs)
            whole = f"{name} · {title}" if name else title
            made = cls.of_array(whole, where, one)
            unit_of_output = str(array.attrs.get("units", ""))
            found.append(
                replace(made, unit=unit_of_output, times=times, since=since, channel=title)
            )
        return found

    @classmethod
    def of_array(cls, name: str, where: str, array: xr.DataArray) -> Dependency:
        """Take what `lstm_widgets.dependency` gave, or a part of it that has all of its axes."""
        if not isinstance(array, xr.DataArray) or array.dims != DIMS:
            got = array.dims if isinstance(array, xr.DataArray) else type(array).__name__
            raise TypeError(
                f"{where}: expected what lstm_widgets.dependency() gives, a DataArray {DIMS}; got {got}"
            )
        if array.dtype.kind != "f":
            raise TypeError(f"{where}: expected floating point numbers, got {array.dtype}")
        array = array.sortby("timestep").sortby("input_timestep")
        array = array.drop_duplicates("timestep")
        columns, timesteps = array["input_timestep"].values, array["timestep"].values
        if (np.diff(columns) != 1).any():
            raise ValueError(
                f"{where}: expected each input timestep between the first and the last"
            )
        values = array.values.astype(np.float32, copy=False)
        if (values < 0).any():
            raise ValueError(f"{where}: expected no negative values, got {np.nanmin(values):.4g}")
        first = int(columns[0]) if len(columns) else 0
        starts, stops, forwards = _stretches(values, timesteps - first + 1)
        coordinates = {
            key: array[coordinate].values if coordinate in array.coords else None
            for key, coordinate in (
                ("tokens", "token"),
                ("targets", "target"),
                ("target_tokens", "target_token"),
            )
        }
        of = str(array.attrs.get("of", ""))
        how = f"norm {array.attrs['norm']}" if array.attrs.get("norm") else ""
        if array.attrs.get("method") == "occlusion":
            how = f"change with {_REPLACED.get(str(array.attrs.get('replace_with')), 'others')} in its place"
            if array.attrs.get("stretch", 1) > 1:
                how += f", {array.attrs['stretch']} timesteps at once"
        meaning = array.attrs.get("meaning", "classes")
        if meaning == "values" or (meaning == "unknown" and coordinates["target_tokens"] is None):
            of = "value"
            if array.attrs.get("outputs") == 1:
                of, coordinates["targets"] = "forecast", None
        return cls(
            *(name, of, how, values, timesteps, first, starts, stops, forwards),
            coordinates["tokens"],
            coordinates["targets"],
            coordinates["target_tokens"],
            labels=list(map(str, array["label"].values)) if "label" in array.coords else None,
        )

    @property
    def examples(self) -> int:
        """How many examples there are."""
        return int(self.values.shape[0])

    @property
    def stop(self) -> int:
        """The timestep after the last that is read or predicted from."""
        last = int(self.timesteps[-1]) + 1 if len(self.timesteps) else 0
        return max(last, self.first + int(self.values.shape[2]))

    @property
    def every(self) -> int:
        """How many timesteps each value of :meth:`near` stands for: of a series all are to be seen."""
        longest = int((self.stops - self.starts).max(initial=1))
        return -(-longest // NEAR) if self.channel else 1

    @property
    def size(self) -> int:
        """How many bytes all stretches take."""
        return 4 * int((self.stops - self.starts).sum(dtype=np.int64)) + 8 * self.starts.size

    def last(self, example: int) -> int:
        """Give the timestep of the last prediction of which something is known; -1 if there is none."""
        if example not in range(self.examples):
            return -1
        known = self.timesteps[self.stops[example] > self.starts[example]]
        return int(known[-1]) if len(known) else -1

    def row_of(self, timestep: int) -> int:
        """Find the row of a prediction; -1 if it was not computed."""
        row = int(np.searchsorted(self.timesteps, timestep))
        there = row < len(self.timesteps) and self.timesteps[row] == timestep
        return row if there else -1

    def row(self, example: int, row: int) -> NDArray[np.float32]:
        """Give the stretch of one prediction."""
        return self.values[example, row, self.starts[example, row] : self.stops[example, row]]

    def near(self, example: int, start: int, stop: int) -> NDArray[np.float32]:
        """Give of some predictions the largest value, and those of the last tokens, from the last on.

        Returns
        -------
        float32 array (row, 1 + NEAR)
            NaN where nothing was read. Where more is to be seen, each is the largest of `every`.
        """
        every = self.every
        result = np.full((stop - start, 1 + NEAR), np.nan, np.float32)
        for line, row in zip(result, range(start, stop), strict=True):
            stretch = self.row(example, row)
            # A row of a model that reads forwards ends at its own timestep.
            last = stretch[::-1][: NEAR * every]
            if every > 1:
                last = np.fmax.reduceat(last, np.arange(0, len(last), every)) if len(last) else last
            line[0] = stretch[np.isfinite(stretch)].max(initial=0)
            line[1 : 1 + len(last)] = last
        return result

    def packed(self) -> bytes:
        """Give everything: int32 starts, int32 stops, and the stretches, float32."""
        rows = [
            self.row(example, row)
            for example in range(self.examples)
            for row in range(len(self.timesteps))
        ]
        stretches = np.concatenate(rows) if rows else np.zeros(0, np.float32)
        return self.starts.tobytes() + self.stops.tobytes() + stretches.tobytes()

    @property
    def described(self) -> dict[str, Any]:
        """Describe the model to the page."""
        finite = self.values[np.isfinite(self.values)]
        return {
            "name": sendable(self.name),
            "of": self.of,
            "how": self.how,
            "every": self.every,
            "unit": sendable(self.unit),
            "examples": self.examples,
            "timesteps": self.timesteps.tolist(),
            "first": self.first,
            "largest": float(finite.max(initial=0)),
            "forwards": self.forwards,
        }

    def targets_of(self, example: int) -> list[str] | None:
        """Name the class that each prediction of an example is of; ``""`` if unknown, # before ids.

        Before a token stands =, before the number of an output that is no class @.
        """
        if self.targets is None:
            return None
        ids = self.targets[example]
        if self.target_tokens is None:
            mark = "@" if self.of == "value" else "#"
            return ["" if one < 0 else f"{mark}{one}" for one in ids]
        tokens = self.target_tokens[example]
        return [
            "" if one < 0 else f"={sendable(token)}" for one, token in zip(ids, tokens, strict=True)
        ]


def _stretches(
    values: NDArray[np.float32], after: NDArray[np.intp]
) -> tuple[NDArray[np.int32], NDArray[np.int32], bool]:
    """Find where each row has been read: between what is NaN, and not beyond its own timestep.

    A model that reads forwards depends on nothing that comes later, which then are zeros; one that
    doesn't has read everything. Whether it is one of the first kind is told too.
    """
    count = values.shape[2]
    known = ~np.isnan(values)
    some = known.any(axis=2)
    starts = stops = np.zeros(some.shape, np.intp)
    if count:
        starts = np.where(some, known.argmax(axis=2), 0)
        stops = np.where(some, count - known[..., ::-1].argmax(axis=2), 0)
    later = np.arange(count) >= after[:, None]
    forwards = not np.any(np.nan_to_num(values) * later)
    if forwards:
        stops = np.where(some, np.clip(after, starts, stops), 0)
    return starts.astype(np.int32), stops.astype(np.int32), forwards


def _times(
    array: xr.DataArray,
    columns: NDArray[np.intp],
    there: NDArray[np.bool_],
    place: NDArray[np.intp],
) -> tuple[int, ShownTimes | None]:
    """
    Find when the timesteps of a series are that were read, or predicted at.

    Parameters
    ----------
    array : xarray.DataArray
        What `lstm_widgets.dependency` gave.
    columns : int array (column,)
        The timesteps that were read.
    there : bool array (row, column)
        Whether a prediction has each of them.
    place : int array (row, column)
        At which of its lags that is.

    Returns
    -------
    tuple of (int, ShownTimes or None)
        The first timestep, and the times from there on: NaT or NaN where it isn't known.
    """
    if "time" not in array.coords or not array.sizes["timestep"]:
        return 0, None
    time, steps = array.coords["time"], array["timestep"].values
    known = np.atleast_2d(time.to_numpy())
    dates = known.dtype.kind == "M"
    every = np.concatenate([steps, columns])
    since, stop = int(every.min()), int(every.max()) + 1
    shape = (len(known), stop - since)
    values = np.full(shape, "NaT", "M8[ns]") if dates else np.full(shape, np.nan)
    if "input_time" in array.coords:
        # A timestep that several predictions have is looked up in the first of them.
        row = there.argmax(axis=0)
        read = array.coords["input_time"].to_numpy()[..., row, place[row, range(len(columns))]]
        some = there.any(axis=0)
        values[:, columns[some] - since] = np.atleast_2d(read)[:, some]
    values[:, steps - since] = known
    return since, ShownTimes(values, str(time.attrs.get("time_zone", "")))


def standard_dependencies(given: Any) -> list[Dependency]:  # noqa: ANN401 - checked here
    """
    Take one dependency, or several by the names of their models.

    Raises
    ------
    TypeError, ValueError
        If something is none, or they aren't of the same text.
    """
    if isinstance(given, Mapping):
        if not given:
            raise ValueError("dependency: expected at least one, got an empty dict")
        for name in given:
            if not isinstance(name, str):
                raise TypeError(f"dependency: expected names of models, got {name!r}")
        models = [
            one
            for name, array in given.items()
            for one in _models(name, f"dependency[{name!r}]", array)
        ]
    else:
        models = _models("", "dependency", given)
    if len({bool(model.channel) for model in models}) > 1:
        raise ValueError("dependency: expected texts or series, got both")
    counts = {model.name: model.examples for model in models}
    if len(set(counts.values())) > 1:
        raise ValueError(f"dependency: expected as many examples in each, got {counts}")
    return models


def _models(name: str, where: str, array: object) -> list[Dependency]:
    if isinstance(array, xr.DataArray) and array.dims == DIMS_OF_SERIES:
        return Dependency.of_channels(name, where, array)
    return [Dependency.of_array(name, where, array)]  # type: ignore[arg-type]


def stops_of(models: Sequence[Dependency], stop: int) -> list[int]:
    """
    Tell of each example the timestep after its last.

    Parameters
    ----------
    models : list of Dependency
    stop : int
        That of the longest. A text ends there, too; a series where nothing more is known of it.
    """
    stops = [stop] * models[0].examples
    if not models[0].channel:
        return stops
    for example in range(len(stops)):
        read = [model.stops[example].max(initial=0) + model.first for model in models]
        last = max([model.last(example) + 1 for model in models])
        stops[example] = max(last, *map(int, read)) if last > 0 else stop
    return stops


def times_of(models: Sequence[Dependency], example: int, first: int, stop: int) -> list[str] | None:
    """
    Write when timesteps are, ``""`` where it isn't known; None if it is of none.

    Parameters
    ----------
    models : list of Dependency
    example : int
    first, stop : int
        The timesteps.
    """
    labels = [""] * (stop - first)
    known = [model for model in models if model.times is not None]
    for model in known[:1]:
        assert model.times is not None  # noqa: S101 - chosen above
        values = model.times.values[0 if model.times.shared else example]
        for row in np.flatnonzero(~np.isnat(values) if model.times.dates else ~np.isnan(values)):
            if first <= row + model.since < stop:
                labels[row + model.since - first] = model.times.label(example, int(row))
    return labels if known else None


def standard_texts(
    models: Sequence[Dependency],
    tokens: Any,  # noqa: ANN401 - checked here
) -> tuple[int, int, list[list[str]] | None]:
    """
    Tell what the text is: its first timestep, the one after its last, and what stands at each.

    Parameters
    ----------
    models : list of Dependency
    tokens : str, list of str, or a list of such for each example; or None
        What stands at each timestep from 0 on. Default: the tokens that the dependencies carry.

    Raises
    ------
    TypeError, ValueError
        If they don't fit, or the models have read different texts.
    """
    stop = max(model.stop for model in models)
    examples = models[0].examples
    if tokens is not None:
        rows = _given_rows(tokens, examples)
        for row in rows:
            if len(row) < stop:
                raise ValueError(
                    f"tokens: expected at least {stop} for each example, got {len(row)}"
                )
        longest = max(map(len, rows), default=stop)
        if any(len(row) != longest for row in rows):
            raise ValueError("tokens: expected as many for each example")
        return 0, longest, rows
    first = min(min([model.first, *model.timesteps[:1].tolist()]) for model in models)
    known = [model for model in models if model.tokens is not None]
    if not known:
        return first, stop, None
    texts: list[list[str]] = []
    for example in range(examples):
        text: list[str | None] = [None] * (stop - first)
        for model in known:
            assert model.tokens is not None  # noqa: S101 - chosen above
            for t, token in enumerate(model.tokens[example], model.first - first):
                if text[t] is not None and text[t] != token:
                    raise ValueError(
                        f"dependency: expected models that have read the same text; at timestep "
                        f"{t + first} of example {example} {model.name!r} has {token!r}, another "
                        f"{text[t]!r}"
                    )
                text[t] = str(token)
        texts.append(["" if token is None else token for token in text])
    return first, stop, texts


def _given_rows(tokens: Any, examples: int) -> list[list[str]]:  # noqa: ANN401
    one = isinstance(tokens, str) or (len(tokens) > 0 and isinstance(tokens[0], str))
    # A list of texts is a batch, unless there is one example: then it is that one's tokens.
    if isinstance(tokens, str) or (one and examples == 1):
        tokens = [tokens]
    if len(tokens) != examples:
        raise ValueError(
            f"tokens: expected one sequence of str for each of {examples} examples, got {len(tokens)}"
        )
    rows = [list(row) for row in tokens]
    for row in rows:
        for token in row:
            if not isinstance(token, str):
                raise TypeError(f"tokens: expected str, got {token!r}")
    return rows
