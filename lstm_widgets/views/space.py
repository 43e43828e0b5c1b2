"""States as points: where they stand, which of them there is room for, and what tells them apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.projecting import positions_of
from lstm_widgets.recording.rows import Rows
from lstm_widgets.tokens.wording import sendable

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr
    from numpy.typing import ArrayLike, NDArray

    from lstm_widgets.views.lines import Key, Lines

#: So many points are drawn at most, chosen at random among more.
MOST_POINTS = 1_000_000
#: Of tokens and labels, the commonest have a colour of their own: as many as stay apart for every eye.
CLASSES = 6
#: The code of those that have none.
OTHER = 255
#: Fixed points are marks a person can tell apart, and no cloud.
MOST_FIXED = 2000
#: How three axes are turned at first, in degrees: around the vertical, and towards the eye.
ANGLES = (-35.0, 20.0)
#: How long the line along an unstable direction is, in parts of the space that states take.
_REACH = 0.05
#: So many eigenvalues of a fixed point are told.
_TOLD = 3
#: Columns that are read together.
_STRETCH = 1 << 15


@dataclass(frozen=True)
class Classes:
    """
    The commonest of some texts.

    Parameters
    ----------
    codes : uint8 array (point,)
        Which of them each point has; ``OTHER`` where it has none of them.
    names : list of str
        From the commonest on.
    counts : list of int
        How many points have each.
    """

    codes: NDArray[np.uint8]
    names: list[str]
    counts: list[int]


class Space:
    """
    The states of one layer as points.

    Parameters
    ----------
    projection : xarray.Dataset
        What ``project`` gave: ``position`` (example, timestep, component).
    dataset : xarray.Dataset
        The layer in its recording.
    among : xarray.DataArray, optional
        Places whose range the picture has: of variants, those of all of them. Default: these.
    seed : int, optional
        Which points are chosen where there are too many.

    Attributes
    ----------
    columns : int64 array (point,)
        The column that each point is, ``example * timesteps + timestep``, rising; padding is none.
    total : int
        How many points there are, of which ``columns`` may be a part.
    """

    def __init__(
        self,
        projection: xr.Dataset,
        dataset: xr.Dataset,
        *,
        among: xr.DataArray | None = None,
        seed: int = 0,
    ) -> None:
        self.projection = projection
        self._dataset, self._among = dataset, among
        position = projection["position"]
        self._rows = position.to_numpy().reshape(-1, position.sizes["component"])
        #: The states of one cell lie on a line, which is drawn across the picture.
        self._line = self._rows.shape[1] == 1
        if self._line:
            self._rows = np.pad(self._rows, ((0, 0), (0, 1)))
        columns = np.flatnonzero(np.isfinite(self._rows).all(axis=1))
        self.total = len(columns)
        if self.total > MOST_POINTS:
            some = np.random.default_rng(seed).choice(self.total, MOST_POINTS, replace=False)
            columns = columns[np.sort(some)]
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def components(self) -> int:
        """How many axes there are to choose from."""
        return self._rows.shape[1]

    @cached_property
    def names(self) -> list[str]:
        """What the components are called."""
        given = self.projection.coords.get("component")
        count = self.projection.sizes["component"]
        names = [f"component {i}" for i in range(count)] if given is None else given.to_numpy()
        return [*map(str, names), *([""] if self._line else [])]

    @cached_property
    def shares(self) -> list[float | None]:
        """How much of the variance each component explains, where that is known."""
        shares = self.projection.get("explained_variance_ratio")
        if shares is None:
            return [None] * self.components
        known = [float(share) if np.isfinite(share) else None for share in shares.to_numpy()]
        return [*known, *([None] if self._line else [])]

    @cached_property
    def ranges(self) -> NDArray[np.float64]:
        """The lowest and the highest place of all points along each component: (component, 2)."""
        if not len(self):
            return np.zeros((self.components, 2))
        every = self._rows[self.columns]
        if self._among is not None:
            places = self._among.to_numpy().reshape(-1, self._among.sizes["component"])
            every = places[np.isfinite(places).all(axis=1)]
        ranges = np.stack([every.min(axis=0), every.max(axis=0)], axis=1).astype(np.float64)
        return np.pad(ranges, ((0, self.components - len(ranges)), (0, 0)))

    def make_room(self, places: NDArray[np.float64]) -> None:
        """Let the picture have further places (place, component), unless they would make its points small."""
        low, high = self.ranges.T
        most = (high - low).max(initial=0)
        near = ((places >= low - most) & (places <= high + most)).all(axis=1)
        if len(self) and near.any():
            every = np.concatenate([self.ranges, places[near].T], axis=1)
            self.ranges = np.stack([every.min(axis=1), every.max(axis=1)], axis=1)

    def component(self, which: int) -> NDArray[np.float32]:
        """Give the places of all points along a component: float32 (point,)."""
        return np.ascontiguousarray(self._rows[self.columns, which], dtype=np.float32)

    def taken(self, read: Callable[[int, int], NDArray[Any]]) -> NDArray[Any]:
        """
        Take what is read of all points, a stretch of columns at a time.

        Parameters
        ----------
        read : callable
            From one column to another: what stands there ``(column,)``.

        Returns
        -------
        array (point,)
        """
        parts = [read(0, 0)]
        edges = np.arange(0, (self.columns[-1] if len(self) else -1) + 1 + _STRETCH, _STRETCH)
        for start, (first, last) in zip(
            edges.tolist(), pairwise(np.searchsorted(self.columns, edges).tolist()), strict=False
        ):
            if first < last:
                here = self.columns[first:last] - start
                parts.append(read(start, start + int(here[-1]) + 1)[here])
        return np.concatenate(parts)

    def positions_of(self, states: NDArray[Any]) -> NDArray[np.float64]:
        """Place further states (point, cell): float64 (point, component)."""
        places = np.asarray(positions_of(self.projection, states), np.float64)
        return np.pad(places, ((0, 0), (0, 1))) if self._line else places

    def at(self, column: int) -> NDArray[np.float32]:
        """Give the place of one column: float32 (component,), NaN for padding."""
        place: NDArray[np.float32] = self._rows[column].astype(np.float32)
        return place

    # -- what tells points apart -------------------------------------------------------------------

    @cached_property
    def tokens(self) -> Classes | None:
        """The commonest tokens; None if none are known."""
        if "token" not in self._dataset.coords:
            return None
        rows = Rows(self._dataset["token"])
        return _commonest(self.taken(lambda start, stop: rows[start:stop]))

    @cached_property
    def labels(self) -> Classes | None:
        """The commonest labels of examples; None if there are none."""
        if "label" not in self._dataset.coords:
            return None
        labels = self._dataset["label"].to_numpy()
        return _commonest(labels[self.columns // self._dataset.sizes["timestep"]])


def _commonest(texts: NDArray[Any]) -> Classes:
    import pandas as pd  # noqa: PLC0415 - slow to load

    numbers, different = pd.factorize(np.asarray(texts, dtype=object))
    counts = np.bincount(numbers, minlength=len(different))
    order = np.argsort(-counts, kind="stable")[:CLASSES]
    codes = np.full(len(different), OTHER, np.uint8)
    codes[order] = np.arange(len(order))
    return Classes(
        codes[numbers],
        [sendable(str(different[i])) for i in order],
        [int(counts[i]) for i in order],
    )


def turned(places: NDArray[np.floating[Any]], angles: tuple[float, float]) -> NDArray[np.float64]:
    """
    Turn points in three dimensions, so that the first two are seen: js/src/panes/space/camera.js.

    Parameters
    ----------
    places : float array (point, 3)
    angles : tuple of float
        In degrees: around the vertical, and towards the eye.

    Returns
    -------
    float64 array (point, 3)
        To the right, up, and towards the eye.

    Examples
    --------
    >>> import numpy as np
    >>> turned(np.eye(3), (90.0, 0.0)).round(6).tolist()
    [[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    yaw, tilt = np.radians(angles)
    x, y, z = np.asarray(places, np.float64).T
    right, ahead = x * np.cos(yaw) + z * np.sin(yaw), z * np.cos(yaw) - x * np.sin(yaw)
    up, near = y * np.cos(tilt) - ahead * np.sin(tilt), ahead * np.cos(tilt) + y * np.sin(tilt)
    return np.stack([right, up, near], axis=1)


def tilted_size(size: ArrayLike, angles: tuple[float, float]) -> NDArray[np.float64]:
    """
    Give the room that a box takes as it is tilted, however it is turned: js/src/panes/space/camera.js.

    Parameters
    ----------
    size : float array (3,)
        Along each axis.
    angles : tuple of float
        In degrees: around the vertical, which makes no difference, and towards the eye.

    Returns
    -------
    float64 array (2,)
        Across and up.

    Examples
    --------
    >>> tilted_size((3.0, 2.0, 4.0), (10.0, 90.0)).round(6).tolist()
    [5.0, 5.0]
    """
    width, height, depth = np.asarray(size, np.float64)
    tilt = np.radians(angles[1])
    across = np.hypot(width, depth)
    return np.array([across, height * np.cos(tilt) + across * abs(np.sin(tilt))])


def series_at(space: Space, lines: Lines, key: Key) -> NDArray[np.float32]:
    """Give what a line is at each point: float32 (point,)."""
    timesteps = space.projection.sizes["timestep"]

    def read(start: int, stop: int) -> NDArray[np.float32]:
        parts = [np.zeros(0, np.float32)]
        while start < stop:
            example, first = divmod(start, timesteps)
            last = min(timesteps, first + stop - start)
            parts.append(lines.line(key, example).read(first, last))
            start += last - first
        return np.concatenate(parts)

    return space.taken(read)


class FixedPoints:
    """
    Fixed points among the states of one layer.

    Parameters
    ----------
    found : xarray.Dataset
        What ``fixed_points`` gave.
    space : Space
        Where they are put.
    signal : str
        Which of the states the space is of.

    Raises
    ------
    ValueError
        If they are of no such state, of another number of cells, or can't be projected.
    """

    def __init__(self, found: xr.Dataset, space: Space, signal: str) -> None:
        if not {"state", "stable", "speed"} <= {*found.variables}:
            raise ValueError(
                "fixed_points: expected what lw.fixed_points gives, 'state', 'stable' and 'speed'; got a "
                "dataset of " + (", ".join(map(repr, found.data_vars)) or "nothing")
            )
        self._found = found
        chosen = np.ones(found.sizes["state"], bool)
        if "signal" in found.coords:
            chosen = found["signal"].to_numpy().astype(str) == signal
        states = found["state"].to_numpy()[:MOST_FIXED, chosen]
        cells = space.projection.sizes.get("cell", states.shape[1])
        if states.shape[1] != cells:
            raise ValueError(
                f"fixed_points: expected those of a layer with {cells} cells, as the recording's has, got "
                f"{states.shape[1]} of signal {signal!r}"
            )
        self.positions = space.positions_of(states)
        ends = np.zeros_like(states)
        if "unstable_direction" in found:
            ends = found["unstable_direction"].to_numpy()[:MOST_FIXED, chosen]
        along = space.positions_of(states + ends) - self.positions
        # As long as can be seen, whichever way it points.
        reach = _REACH * float(np.ptp(space.ranges, axis=1).max(initial=0.0))
        length = np.linalg.norm(along, axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            self.directions = np.where(length > 0, along / length * reach, np.nan)

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def kinds(self) -> list[str]:
        """Of each, ``"stable"``, ``"saddle"``, or ``"slow"`` if states only nearly rest there."""
        stable = self._found["stable"].to_numpy()[:MOST_FIXED].astype(bool)
        fixed = np.ones(len(stable), bool)
        if "fixed" in self._found:
            fixed = self._found["fixed"].to_numpy()[:MOST_FIXED].astype(bool)
        kinds = np.where(stable, "stable", "saddle")
        return [str(kind) for kind in np.where(fixed, kinds, "slow")]

    @property
    def described(self) -> list[dict[str, Any]]:
        """Tell the page of each: where it is, of what kind, and what is read out."""
        found = self._found
        values = found["eigenvalue"].to_numpy()[:MOST_FIXED] if "eigenvalue" in found else None
        readout = found["readout"].to_numpy()[:MOST_FIXED] if "readout" in found else None
        names = None
        if readout is not None:
            along = found["readout"].dims[-1]
            if along in found.coords:
                names = [sendable(str(name)) for name in found[along].to_numpy()]
        described = []
        for i, kind in enumerate(self.kinds):
            one: dict[str, Any] = {
                "at": self.positions[i].tolist(),
                "kind": kind,
                "speed": float(found["speed"].to_numpy()[i]),
            }
            if np.isfinite(self.directions[i]).all():
                one["along"] = self.directions[i].tolist()
            if values is not None:
                known = values[i][np.isfinite(values[i])]
                one["eigenvalues"] = [[float(v.real), float(v.imag)] for v in known[:_TOLD]]
                one["unstable"] = int((np.abs(known) > 1).sum())
            if "count" in found:
                one["count"] = int(found["count"].to_numpy()[i])
            if readout is not None:
                row = np.atleast_1d(readout[i])
                one["readout"] = [float(value) for value in row[:8]]
                if names is not None:
                    one["names"] = names[:8]
            described.append(one)
        return described
