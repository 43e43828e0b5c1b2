"""States as points in a few dimensions: principal components, directions, or whatever transforms."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from lstm_widgets.analysis.blocks import row_blocks
from lstm_widgets.checks import expect_whole, is_whole
from lstm_widgets.recording import Variants
from lstm_widgets.recording.blockwise import blockwise
from lstm_widgets.recording.expecting import expect_recording, usual_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from lstm_widgets.recording import Recording
    from lstm_widgets.recording.blockwise import Block

    Flags = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    States = npt.NDArray[np.float32]

__all__ = ["positions_of", "project"]

#: How many principal components there are, unless it is said or there are fewer cells.
_COMPONENTS = 3
#: What is fitted a part at a time gets so many timesteps at least: one has to have as many as there are
#: components.
_LEAST_ROWS = 4096
#: So far, as a share of the largest, may positions be from those of a transformer's own directions.
_NEAR = 1e-4
#: Coordinates of a layer's timesteps that mean the same of their positions, whose name is taken by these.
_TAKEN = ("position", "direction")


def project(
    recording: Recording | Variants,
    layer: str | None = None,
    signal: str = "hidden_state",
    *,
    method: Any = "pca",  # noqa: ANN401 - any transformer
    components: int | None = None,
    fit: Any = None,  # noqa: ANN401 - indices or flags
    fit_variant: str | None = None,
) -> xr.Dataset:
    r"""Project the states of a layer to a few dimensions, a point a timestep.

    What is fitted to one part (``fit``) is applied to all timesteps. Padding, and timesteps with a value
    that isn't finite, are left out: their positions are NaN.

    Parameters
    ----------
    recording : Recording or Variants
        Opened from a file it may be larger than memory: it is read block by block, twice for principal
        components, on the Dask cluster of the current client if there is one. Only positions are kept,
        4 bytes a component and timestep. Variants are projected alike, so that they can be compared.
    layer : str, optional
        Default: the first that has the signal; of variants, in all of them, with as many cells.
    signal : str, default "hidden_state"
        What is projected.
    method : "pca", transformer, or array (component, cell), default "pca"
        - ``"pca"``: principal components, by the covariance in float64. The entry of largest magnitude of
          each direction is positive.
        - A transformer as scikit-learn and UMAP have them, with ``transform(states)``. One that hasn't been
          fitted is fitted here, a copy of it: part by part if it has ``partial_fit``, else by ``fit`` of
          all states of the part at once. It transforms block by block, in this process.
        - An array, or a DataArray, of directions, whose names are its coordinate along the axis that isn't
          ``cell``: the position is the product with the state. A readout direction is a column of the
          ``Dense`` layer behind: ``model.layers[-1].kernel.numpy().T``.
    components : int, optional
        How many are kept, the first ones. Default: 3 principal components (of a smaller layer as many as
        it has cells), and all of whatever else.
    fit : slice, sequence of int, or bool array, optional
        What is fitted to: examples, by their indices or flags; or timesteps, by flags ``(timestep,)`` or
        ``(example, timestep)``. Default: all.
    fit_variant : str, optional
        The variant that is fitted to. Default: all of them together.

    Returns
    -------
    xarray.Dataset
        - ``position`` float32 ``(example, timestep, component)``, of variants with the axis ``variant``
          in front;
        - ``direction`` float64 ``(component, cell)`` and ``center`` float64 ``(cell,)``: a position is
          the product of a direction with the state less the center. A transformer that isn't linear has
          none;
        - ``explained_variance_ratio`` float64 ``(component,)``: which share of the variance of the states
          that it is fitted to each component explains; where the method tells it.

        Coordinates are those of the recording's timesteps, and ``component`` with the names (``"PC 1"``,
        ...). Attributes: ``layer``, ``signal``, ``method``, and ``fitted``, the number of timesteps that
        it was fitted to here, 0 if it wasn't.

    Raises
    ------
    TypeError, ValueError
        If an argument doesn't fit, or there is nothing to fit to.
    LayerNotFoundError
        If there is no such layer.

    See Also
    --------
    positions_of : Project further states.

    Notes
    -----
    Means and products of all blocks are put together as Chan, Golub and LeVeque 1979 (Stanford
    STAN-CS-79-773) do. Of :math:`C = \frac{1}{n-1} \sum_t (s_t - \bar s)(s_t - \bar s)^\top`, eigenvectors
    are the directions, eigenvalues over their sum the explained variance.

    Examples
    --------
    >>> projection = lw.project(recording, components=2)
    >>> projection["position"].dims, projection["component"].values.tolist()
    (('example', 'timestep', 'component'), ['PC 1', 'PC 2'])
    >>> int(abs(projection["direction"][0]).argmax("cell"))  # it follows quotes, and moves most
    1
    """
    expect_recording("recording", recording, several=True)
    every = [*recording.values()] if isinstance(recording, Variants) else [recording]
    name = usual_layer(recording, signal) if layer is None else layer
    parts = [_part(each, name, signal) for each in every]
    cells = parts[0].sizes["cell"]
    if any(part.sizes["cell"] != cells for part in parts):
        told = ", ".join(str(part.sizes["cell"]) for part in parts)
        raise ValueError(f"layer: expected as many cells of {name!r} in all variants, got {told}")
    count = None if components is None else expect_whole("components", components, 1)
    made = _Method.of(method, cells, count)
    of = _variants_fitted_to(recording, fit_variant)
    fitted = 0
    if made.needs_fit:
        made, fitted = made.fitted([_fitted_to(parts[k], fit) for k in of], signal)
    elif fit is not None or fit_variant is not None:
        argument, got = ("fit", fit) if fit is not None else ("fit_variant", fit_variant)
        raise ValueError(
            f"{argument}: expected nothing with {made.told}, which isn't fitted here; got {got!r:.80}"
        )
    found = [made.positions(part, signal) for part in parts]
    positions = [position for position, _ in found]
    # Of a transformer it is found out while it transforms whether its directions hold.
    direction = found[0][1] if all(one is not None for _, one in found) else None
    names = made.names(positions[0].shape[-1])
    axes: tuple[str, ...] = ("example", "timestep", "component")
    variables: dict[str, Any] = {"position": (axes, positions[0])}
    if isinstance(recording, Variants):
        variables = {"position": (("variant", *axes), np.stack(positions))}
    if direction is not None:
        variables["direction"] = (("component", "cell"), direction.rows)
        variables["center"] = (("cell",), direction.center)
    explained = made.explained(len(names))
    if explained is not None:
        variables["explained_variance_ratio"] = (("component",), explained)
    kept = every[0][name][signal]
    where = {
        at: coordinate.variable
        for at, coordinate in kept.coords.items()
        if at not in _TAKEN and ("cell" not in coordinate.dims or at == "cell")
    }
    indexes = {at: index for at, index in kept.xindexes.items() if at in where}
    coords = xr.Coordinates(where, indexes)
    result = xr.Dataset(variables, coords)
    result = result.assign_coords(component=np.array([*names, ""], object)[:-1])
    if isinstance(recording, Variants):
        result = result.assign_coords(variant=np.array([*recording.names, ""], object)[:-1])
    return result.assign_attrs(layer=name, signal=signal, method=made.name, fitted=fitted)


def positions_of(projection: xr.Dataset, states: Any) -> Any:  # noqa: ANN401 - as it comes
    """Project further states, such as fixed points, as a projection does.

    Parameters
    ----------
    projection : xarray.Dataset
        What `project` gave.
    states : array (..., cell) or xarray.DataArray
        A DataArray has an axis ``cell`` anywhere; or it is the ``state`` of `fixed_points`, of which that
        signal is taken that was projected.

    Returns
    -------
    float32 array (..., component), or xarray.DataArray
        As the states came. NaN where a state isn't finite.

    Raises
    ------
    TypeError
        If the projection is no Dataset, or the states are one.
    ValueError
        If the projection has no directions (use the transformer's own ``transform``), or states have
        another number of cells.

    Examples
    --------
    >>> projection = lw.project(recording, components=2)
    >>> states = recording["lstm"]["hidden_state"]
    >>> bool((lw.positions_of(projection, states) == projection["position"]).all())
    True
    """
    if not isinstance(projection, xr.Dataset):
        raise TypeError(
            f"projection: expected what project() gave, got {type(projection).__name__}"
        )
    if "direction" not in projection:
        method = projection.attrs.get("method", "something else")
        raise ValueError(
            f"projection: expected one with directions, which is a linear map; got one by {method}. Its own "
            "transform(states) gives their positions"
        )
    directions = _Directions(
        projection["direction"].transpose("component", "cell").to_numpy(),
        projection["center"].to_numpy(),
    )
    if isinstance(states, xr.Dataset):
        raise TypeError(
            f"states: expected an array, one of {', '.join(map(repr, states.data_vars))}; got a Dataset"
        )
    if isinstance(states, xr.DataArray) and {"state", "signal", "cell"} <= {
        *states.dims,
        *states.coords,
    }:
        signal = projection.attrs.get("signal")
        there = states["signal"].to_numpy() == signal
        if not there.any():
            raise ValueError(
                f"states: expected those of signal {signal!r}, which was projected; got none"
            )
        states = states.isel(state=there).drop_vars(["signal", "cell"]).rename(state="cell")
    named = isinstance(states, xr.DataArray)
    if named and "cell" not in states.dims:
        raise ValueError(
            f"states: expected an axis 'cell', got {', '.join(map(repr, states.dims))}"
        )
    laid = states.transpose(..., "cell") if named else states
    values = np.asarray(laid)
    cells = directions.rows.shape[1]
    if values.ndim < 1 or values.shape[-1] != cells:
        raise ValueError(
            f"states: expected {cells} cells along the last axis, got an array {values.shape}"
        )
    found = directions.of(values.reshape(-1, cells))
    found = found.reshape(*values.shape[:-1], len(directions.rows))
    if not named:
        return found
    coords = {at: c for at, c in laid.coords.items() if "cell" not in c.dims}
    coords["component"] = projection["component"]
    return xr.DataArray(found, coords, (*laid.dims[:-1], "component"), "position")


@dataclass(frozen=True)
class _Directions:
    """A linear map: rows (component, cell), and the state (cell,) that is at 0."""

    rows: Floats
    center: Floats

    def of(self, states: npt.NDArray[Any]) -> States:
        """Give positions (n, component) of states (n, cell)."""
        finite = np.isfinite(states).all(axis=1)
        found = np.full((len(states), len(self.rows)), np.nan, np.float32)
        found[finite] = (states[finite] - self.center) @ self.rows.T
        return found


@dataclass(frozen=True)
class _Method:
    """How positions come of states: by directions, or by what transforms."""

    name: str
    count: int | None
    directions: _Directions | None = None
    transformer: Any = None
    needs_fit: bool = False
    own_names: tuple[str, ...] = ()
    ratio: Floats | None = None

    @classmethod
    def of(cls, method: Any, cells: int, count: int | None) -> _Method:  # noqa: ANN401
        """Tell what was asked for."""
        if isinstance(method, str):
            if method != "pca":
                raise ValueError(f"method: expected {_EXPECTED}; got {method!r:.80}")
            if count is not None and count > cells:
                raise ValueError(
                    f"components: expected at most {cells}, as many as there are cells; got {count}"
                )
            return cls("pca", min(_COMPONENTS, cells) if count is None else count, needs_fit=True)
        if callable(getattr(method, "transform", None)) and not isinstance(method, type):
            name = type(method).__name__
            fittable = callable(getattr(method, "fit", None)) and not _is_fitted(method)
            return cls(name, count, transformer=method, needs_fit=fittable)
        if isinstance(method, type) or hasattr(method, "fit_transform"):
            named = method.__name__ if isinstance(method, type) else type(method).__name__
            raise TypeError(
                f"method: expected {_EXPECTED}; got {named}, "
                + ("a class: make one of it" if isinstance(method, type) else "which has none")
            )
        return cls._of_array(method, cells, count)

    @classmethod
    def _of_array(cls, method: Any, cells: int, count: int | None) -> _Method:  # noqa: ANN401
        names: Sequence[Any] | None = None
        if isinstance(method, xr.DataArray):
            if method.ndim != 2 or "cell" not in method.dims:
                raise ValueError(
                    f"method: expected directions (component, cell), got a DataArray with the axes "
                    f"{', '.join(map(repr, method.dims))}"
                )
            method = method.transpose(..., "cell")
            axis = method.dims[0]
            names = method[axis].to_numpy().tolist() if axis in method.coords else None
        try:
            rows = np.asarray(method, np.float64)
        except (TypeError, ValueError):
            raise TypeError(
                f"method: expected {_EXPECTED}; got {type(method).__name__} {method!r:.80}"
            ) from None
        if rows.ndim != 2 or rows.shape[1] != cells or not len(rows):
            turned = rows.ndim == 2 and rows.shape[0] == cells
            raise ValueError(
                f"method: expected directions (component, {cells} cells), got an array {rows.shape}"
                + ("; transposed, .T, it would be one" if turned else "")
            )
        if not np.isfinite(rows).all():
            raise ValueError("method: expected finite directions, got NaN or infinite values")
        _expect_enough(count, len(rows), "directions")
        rows = rows[:count]
        told = [f"direction {k + 1}" for k in range(len(rows))] if names is None else names
        own = tuple(map(str, told[: len(rows)]))
        directions = _Directions(rows, np.zeros(cells))
        return cls("directions", len(rows), directions, own_names=own)

    @property
    def told(self) -> str:
        """What it is called in errors."""
        return "directions" if self.transformer is None else f"a fitted {self.name}"

    def fitted(self, parts: Sequence[xr.Dataset], signal: str) -> tuple[_Method, int]:
        """Fit it to parts of layers; tell to how many timesteps, too."""
        if self.name == "pca":
            return self._principal(parts, signal)
        model, n = _fit(copy.deepcopy(self.transformer), parts, signal)
        return _Method(self.name, self.count, transformer=model), n

    def _principal(self, parts: Sequence[xr.Dataset], signal: str) -> tuple[_Method, int]:
        total = _Moments.none(parts[0].sizes["cell"])
        for part in parts:
            blocks = row_blocks(part)
            for one in blockwise(partial(_moments, signal), blocks, desc="principal components"):
                total = total.joined(one)
        if total.n < 2:
            raise ValueError(
                f"fit: expected two or more timesteps with finite states that aren't padding, "
                f"got {total.n}"
            )
        values, vectors = np.linalg.eigh(total.products / (total.n - 1))
        rows = vectors.T[::-1][: self.count]
        largest = np.take_along_axis(rows, np.abs(rows).argmax(axis=1)[:, None], axis=1)
        rows = rows * np.where(largest < 0, -1.0, 1.0)
        values = np.maximum(values[::-1], 0)
        with np.errstate(invalid="ignore"):
            ratio = values[: self.count] / values.sum()
        directions = _Directions(rows, total.mean)
        names = tuple(f"PC {k + 1}" for k in range(len(rows)))
        return _Method("pca", self.count, directions, own_names=names, ratio=ratio), total.n

    def positions(self, part: xr.Dataset, signal: str) -> tuple[States, _Directions | None]:
        """Give the positions (example, timestep, component) of a layer, and the directions."""
        if self.directions is not None:
            function = partial(_placed, signal, self.directions)
            blocks = row_blocks(part)
            results = blockwise(function, blocks, desc="projecting")
            return _gathered(part, results, len(self.directions.rows)), self.directions
        return self._transformed(part, signal)

    def _transformed(self, part: xr.Dataset, signal: str) -> tuple[States, _Directions | None]:
        own = _own_directions(self.transformer, part.sizes["cell"])
        width = 0

        def transformed() -> Iterator[tuple[slice, States]]:
            nonlocal own, width
            for block in _told(row_blocks(part), "projecting"):
                states, there = _rows(signal, block)
                if not len(states):
                    continue
                try:
                    given = np.asarray(self.transformer.transform(states))
                except ValueError as error:
                    raise ValueError(
                        f"method: expected {self.name} to transform the states of "
                        f"{states.shape[1]} cells, but it said: {error}"
                    ) from error
                if given.ndim != 2 or len(given) != len(states):
                    raise ValueError(
                        f"method: expected {self.name}.transform to give an array ({len(states)}, "
                        f"component), got {given.shape}"
                    )
                _expect_enough(self.count, given.shape[1], f"components of {self.name}")
                width = given.shape[1] if self.count is None else self.count
                if own is not None and not _alike(own.of(states), given):
                    own = None
                placed = np.full((there.size, width), np.nan, np.float32)
                placed[there] = given[:, :width]
                yield block.columns, placed

        found = _gathered(part, transformed(), None)
        if own is None:
            return found, None
        return found, _Directions(own.rows[:width], own.center)

    def names(self, count: int) -> tuple[str, ...]:
        """Name the components."""
        return self.own_names or tuple(f"{self.name} {k + 1}" for k in range(count))

    def explained(self, count: int) -> Floats | None:
        """Tell the share of the variance that each explains, if that is known."""
        if self.transformer is None:
            return self.ratio
        told = getattr(self.transformer, "explained_variance_ratio_", None)
        if told is None or np.ndim(told) != 1 or len(told) < count:
            return None
        return np.asarray(told, np.float64)[:count]


_EXPECTED = "'pca', a transformer with transform(), or an array of directions (component, cell)"


def _variants_fitted_to(recording: Recording | Variants, name: str | None) -> range:
    """Tell which of the recordings are fitted to."""
    if not isinstance(recording, Variants):
        if name is not None:
            raise ValueError(f"fit_variant: expected nothing with one recording, got {name!r:.80}")
        return range(1)
    if name is None:
        return range(len(recording))
    if name not in recording:
        known = ", ".join(map(repr, recording.names))
        raise ValueError(f"fit_variant: expected one of {known}, got {name!r:.80}")
    at = recording.names.index(name)
    return range(at, at + 1)


def _part(recording: Recording, layer: str, signal: str) -> xr.Dataset:
    """Give what is read of a layer."""
    if signal not in (has := recording.signals(layer)):
        raise ValueError(
            f"signal: expected one of {', '.join(map(repr, has))} of layer {layer!r}, got {signal!r}"
        )
    dataset = recording[layer]
    part = dataset[[signal, *(["mask"] if "mask" in dataset else [])]]
    return part.drop_vars(list(part.coords))


def _fitted_to(part: xr.Dataset, fit: Any) -> xr.Dataset:  # noqa: ANN401 - indices or flags
    """Mask all but what is fitted to."""
    if fit is None:
        return part
    shape = examples, timesteps = part.sizes["example"], part.sizes["timestep"]
    chosen = np.zeros(shape, np.bool_)
    if isinstance(fit, slice):
        chosen[fit] = True
    else:
        flags = np.asarray(fit)
        if flags.dtype == np.bool_:
            if flags.shape == shape or flags.shape == (timesteps,) != (examples,):
                chosen[:] = flags
            elif flags.shape == (examples,):
                chosen[flags] = True
            else:
                raise ValueError(
                    f"fit: expected flags of {examples} examples, {timesteps} timesteps, or both "
                    f"({examples}, {timesteps}); got shape {flags.shape}"
                )
        else:
            wanted = flags.tolist() if flags.ndim == 1 else [None]
            if not all(is_whole(k) and -examples <= k < examples for k in wanted):
                raise ValueError(
                    f"fit: expected a slice or indices of {examples} examples, or flags of examples "
                    f"or timesteps; got {fit!r:.80}"
                )
            chosen[np.array(wanted, np.intp)] = True
    if "mask" in part:
        chosen &= part["mask"].to_numpy()
    if not chosen.any():
        raise ValueError("fit: expected timesteps that aren't padding, got none")
    return part.assign(mask=(("example", "timestep"), chosen))


@dataclass(frozen=True)
class _Moments:
    """How many states there are, their mean (cell,), and products around it (cell, cell)."""

    n: int
    mean: Floats
    products: Floats

    @classmethod
    def none(cls, cells: int) -> _Moments:
        """Those of nothing."""
        return cls(0, np.zeros(cells), np.zeros((cells, cells)))

    def joined(self, other: _Moments) -> _Moments:
        """Put together with those of further states."""
        n = self.n + other.n
        if not other.n:
            return self
        apart = other.mean - self.mean
        between = np.outer(apart, apart) * (self.n * other.n / n)
        mean = self.mean + apart * (other.n / n)
        return _Moments(n, mean, self.products + other.products + between)


def _rows(signal: str, block: Block) -> tuple[States, Flags]:
    """Read the finite states (n, cell) of a block that aren't padding, and where they stand."""
    values = block.read(signal)
    rows = values.reshape(-1, values.shape[2])
    there = block.mask().reshape(-1) & np.isfinite(rows).all(axis=1)
    return rows[there], there


def _moments(signal: str, block: Block) -> _Moments:
    states, _ = _rows(signal, block)
    if not len(states):
        return _Moments.none(states.shape[1])
    mean = states.mean(axis=0, dtype=np.float64)
    away = states - mean
    return _Moments(len(states), mean, away.T @ away)


def _placed(signal: str, directions: _Directions, block: Block) -> tuple[slice, States]:
    states, there = _rows(signal, block)
    found = np.full((there.size, len(directions.rows)), np.nan, np.float32)
    found[there] = directions.of(states)
    return block.columns, found


def _gathered(
    part: xr.Dataset, results: Iterator[tuple[slice, States]], width: int | None
) -> States:
    """Lay the positions of blocks side by side: (example, timestep, component)."""
    examples, timesteps = part.sizes["example"], part.sizes["timestep"]
    gathered: States | None = None
    for columns, found in results:
        if gathered is None:
            gathered = np.full((examples * timesteps, found.shape[1]), np.nan, np.float32)
        gathered[columns] = found
    if gathered is None:
        if width is None:
            raise ValueError("recording: expected timesteps with finite states, got none")
        gathered = np.zeros((0, width), np.float32)
    return gathered.reshape(examples, timesteps, -1)


def _told(blocks: Sequence[Block], desc: str) -> Iterator[Block]:
    """Show a progress bar."""
    from tqdm.auto import tqdm  # noqa: PLC0415

    quiet = True if len(blocks) < 2 else None
    yield from tqdm(blocks, desc=desc, unit="block", leave=False, disable=quiet)


def _is_fitted(method: Any) -> bool:  # noqa: ANN401
    """Tell it as scikit-learn does: what is fitted has attributes whose names end in "_"."""
    told = getattr(method, "__sklearn_is_fitted__", None)
    if callable(told):
        return bool(told())
    own: dict[str, Any] = getattr(method, "__dict__", {})
    return any(name.endswith("_") and not name.startswith("__") for name in own)


def _fit(
    model: Any,  # noqa: ANN401
    parts: Sequence[xr.Dataset],
    signal: str,
) -> tuple[Any, int]:
    by_part: Callable[[States], Any] | None = getattr(model, "partial_fit", None)
    kept: list[States] = []
    waiting: States | None = None
    n = size = 0
    for part in parts:
        for block in _told(row_blocks(part), f"fitting {type(model).__name__}"):
            states, _ = _rows(signal, block)
            kept.append(states)
            n, size = n + len(states), size + len(states)
            if by_part is not None and size >= _LEAST_ROWS:
                if waiting is not None:
                    by_part(waiting)
                # The last is kept back, so that what is left over has company.
                waiting, kept, size = np.concatenate(kept), [], 0
    if not n:
        raise ValueError("fit: expected timesteps with finite states that aren't padding, got none")
    rest = np.concatenate([*([] if waiting is None else [waiting]), *kept])
    if by_part is not None:
        by_part(rest)
    else:
        model.fit(rest)
    return model, n


def _own_directions(model: Any, cells: int) -> _Directions | None:  # noqa: ANN401
    """Give the directions that a transformer says it has, to be held against what it does."""
    rows = getattr(model, "components_", None)
    center = getattr(model, "mean_", None)
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.shape[1] != cells:
        return None
    center = np.zeros(cells) if center is None else np.asarray(center, np.float64)
    if center.shape != (cells,):
        return None
    return _Directions(rows.astype(np.float64), center)


def _alike(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    if one.shape != other.shape:
        return False
    size = float(np.abs(other).max(initial=0))
    return bool(np.abs(one - other).max(initial=0) <= _NEAR * size)


def _expect_enough(count: int | None, there: int, what: str) -> None:
    if count is not None and count > there:
        raise ValueError(f"components: expected at most {there}, the {what}; got {count}")
