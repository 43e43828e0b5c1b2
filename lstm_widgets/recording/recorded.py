"""What `record` puts into a recording: layers and predictions, checked, as xarray datasets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from lstm_widgets.recording.axes import ranges
from lstm_widgets.recording.times import Times, with_time_index

AXES = ("example", "timestep", "cell")
#: What the states that a layer started from are called, before the names of their signals.
INITIAL = "initial_"
PREDICTION_AXES = ("example", "timestep", "rank")
#: Axes along which nothing but a number is known.
NUMBERED = frozenset({*AXES, *PREDICTION_AXES})
# Names that a layer's dataset uses itself, so no signal can have them.
RESERVED = frozenset({*AXES, "token", "time", "position", "label", "mask", "call"})


@dataclass(frozen=True)
class RecordedLayer:
    """One recurrent layer, or one direction of it, to put into a recording.

    Parameters
    ----------
    name : str
        The layer's name; slashes separate levels, as in ``"bidirectional/forward"``.
    kind : str
        ``"LSTM"``, ``"GRU"``, ``"SimpleRNN"``, or ``"Projection"`` of an LSTM's hidden state.
    signals : mapping of str to float array (example, timestep, cell)
        Name to float32 array. Index ``t`` is the input timestep ``t``, also for a layer that reads
        from the end.
    mask : bool array (example, timestep), optional
        True at real timesteps; None if nothing is padding.
    tokens : object array (example, timestep), optional
        Of str; None if they aren't known.
    times : Times, optional
        When each timestep is; None if that isn't known.
    positions : int64 array (timestep,), optional
        Which of the series' timesteps each is, where the layer has fewer; None where it has them all.
    check : mapping
        The self-check: ``difference``, ``tolerance``, ``mode`` (``"prefix"``, ``"full"``,
        ``"none"``), ``examples``, ``timesteps``.
    config : mapping
        The layer's configuration, serialisable as JSON.
    go_backwards : bool
        Whether the layer read from the end.
    initial : mapping of str to float array
        From the name of a state's signal to the layer's initial state, float32 ``(example, cell)``;
        of several calls ``(example, call, cell)``. Those that are known.
    calls : tuple of int
        The numbers of timesteps of a layer's calls, which stand one after the other on its time
        axis; empty if it was called once.
    same_timesteps : bool
        Whether all calls read the same timesteps, those of a text.
    """

    name: str
    kind: str
    signals: dict[str, npt.NDArray[np.float32]]
    mask: npt.NDArray[np.bool_] | None = None
    tokens: npt.NDArray[np.object_] | None = None
    times: Times | None = None
    positions: npt.NDArray[np.int64] | None = None
    check: dict[str, Any] = field(default_factory=lambda: {"mode": "none"})
    config: dict[str, Any] = field(default_factory=dict)
    go_backwards: bool = False
    initial: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    calls: tuple[int, ...] = ()
    same_timesteps: bool = False


@dataclass(frozen=True)
class RecordedPredictions:
    """A model's predictions of what comes next, to put into a recording.

    Timestep ``t`` has the prediction of the token at ``t + 1``.

    Parameters
    ----------
    ids : int32 array (example, timestep, rank)
        The most probable symbols, the most probable first; -1 where there is no prediction.
    probabilities : float32 array (example, timestep, rank)
        Their probabilities; NaN where there is no prediction.
    targets : float32 array (example, timestep), optional
        The probability of the token that really comes next, NaN where that isn't known; None if it
        is nowhere known.
    tokens : object array (example, timestep, rank), optional
        Of str: what the ids stand for, or None.
    """

    ids: npt.NDArray[np.int32]
    probabilities: npt.NDArray[np.float32]
    targets: npt.NDArray[np.float32] | None = None
    tokens: npt.NDArray[np.object_] | None = None


@dataclass(frozen=True)
class RecordedSeries:
    """Numbers over time to put into a recording: what a model read, said, or should have said.

    Parameters
    ----------
    values : float32 array (example, timestep, channel)
        NaN where there is none.
    names : tuple of str
        What the channels, or outputs, are called, each another.
    units : tuple of str
        Their units, "" where unknown.
    times : Times, optional
        When each timestep is.
    """

    values: npt.NDArray[np.float32]
    names: tuple[str, ...]
    units: tuple[str, ...]
    times: Times | None = None


@dataclass(frozen=True)
class Node:
    """A layer of a recording, or what stands beside the layers: what a Dataset is made of, once it is read.

    Parameters
    ----------
    data, coords : dict of str to xarray.Variable
        Arrays by name, without the numbers of examples, timesteps, cells and ranks.
    attrs : dict
        Attributes, as JSON can hold them.
    """

    data: dict[str, xr.Variable]
    coords: dict[str, xr.Variable]
    attrs: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, dataset: xr.Dataset) -> Node:
        """Take apart what ``recording[layer]`` gives."""
        every = dataset.variables
        return cls(
            {str(name): every[name] for name in dataset.data_vars},
            {str(name): every[name] for name in dataset.coords if name not in NUMBERED},
            dict(dataset.attrs),
        )

    @property
    def variables(self) -> dict[str, xr.Variable]:
        """All arrays."""
        return self.data | self.coords

    @property
    def sizes(self) -> dict[str, int]:
        """The lengths of axes."""
        return {
            str(axis): size for each in self.variables.values() for axis, size in each.sizes.items()
        }

    @property
    def dataset(self) -> xr.Dataset:
        """Make the Dataset."""
        numbers = ranges({axis: size for axis, size in self.sizes.items() if axis in NUMBERED})
        return with_time_index(xr.Dataset(self.data, {**numbers, **self.coords}, self.attrs))


def can_be_signal(name: str) -> bool:
    """Tell whether a signal can be called so."""
    return name.isidentifier() and name not in RESERVED and not name.startswith(INITIAL)


def expect_layer(layer: RecordedLayer, labels: Sequence[str] | None) -> tuple[int, ...]:
    """Check a recorded layer; return the shape of its signals."""
    where = f"layer {layer.name!r}"
    if not layer.signals:
        raise ValueError(f"{where}: expected at least one signal, got none")
    shape = next(iter(layer.signals.values())).shape
    if len(shape) != len(AXES):
        raise ValueError(f"{where}: expected signals (example, timestep, cell), got shape {shape}")
    for name, values in layer.signals.items():
        if not can_be_signal(name):
            raise ValueError(f"{where}: a signal cannot be called {name!r}")
        _expect(values, f"{where}: signal {name!r}", np.dtype(np.float32), shape)
    for name, values in layer.initial.items():
        of = (shape[0], len(layer.calls), shape[2]) if layer.calls else (shape[0], shape[2])
        _expect(values, f"{where}: initial {name!r}", np.dtype(np.float32), of)
        if not name.endswith("_state") or not can_be_signal(name):
            raise ValueError(f"{where}: {name!r} isn't an initial state of a layer")
    if layer.calls and sum(layer.calls) != shape[1]:
        raise ValueError(
            f"{where}: expected calls of {shape[1]} timesteps together, got {layer.calls}"
        )
    if layer.mask is not None:
        _expect(layer.mask, f"{where}: mask", np.dtype(np.bool_), shape[:2])
    if layer.tokens is not None:
        _expect(layer.tokens, f"{where}: tokens", np.dtype(np.object_), shape[:2])
        _expect_strings(layer.tokens.ravel(), f"{where}: tokens")
    _expect_times(layer.times, shape[:2], where)
    if layer.positions is not None:
        _expect(layer.positions, f"{where}: positions", np.dtype(np.int64), shape[1:2])
    if labels is not None:
        if isinstance(labels, str) or len(labels) != shape[0]:
            raise ValueError(
                f"labels: expected one string for each of {shape[0]} examples of {where}, "
                f"got {len(labels)} for {labels!r:.80}"
            )
        _expect_strings(labels, "labels")
    return shape


def layer_attrs(layer: RecordedLayer) -> dict[str, Any]:
    """Give the attributes of a layer's dataset, as JSON can hold them."""
    masked_share = 0.0
    if layer.mask is not None and layer.mask.size:
        masked_share = 1.0 - float(layer.mask.mean())
    attrs = {
        "kind": layer.kind,
        "go_backwards": layer.go_backwards,
        "masked_share": masked_share,
        "check": layer.check,
        "config": layer.config,
    }
    if layer.calls:
        attrs |= {"calls": layer.calls, "same_timesteps": layer.same_timesteps}
    return jsonable(attrs, f"layer {layer.name!r}")


def layer_node(
    layer: RecordedLayer, labels: npt.NDArray[np.object_] | None, attrs: dict[str, Any]
) -> Node:
    """Make of a recorded layer what ``recording[layer]`` is made of."""
    data = {name: xr.Variable(AXES, values) for name, values in layer.signals.items()}
    coords = {}
    if layer.mask is not None:
        data["mask"] = xr.Variable(AXES[:2], layer.mask)
    if layer.tokens is not None:
        # Strings: so xarray doesn't look for dates among them.
        coords["token"] = xr.Variable(AXES[:2], layer.tokens, fastpath=True)
    coords |= _times(layer.times)
    if layer.positions is not None:
        coords["position"] = xr.Variable("timestep", layer.positions)
    if labels is not None:
        coords["label"] = xr.Variable("example", labels)
    for name, values in layer.initial.items():
        axes = ("example", "call", "cell") if layer.calls else ("example", "cell")
        coords[INITIAL + name] = xr.Variable(axes, values)
    return Node(data, coords, attrs)


def expect_series(what: str, given: RecordedSeries, examples: int) -> None:
    """Check numbers over time: ``what`` is ``"inputs"``, ``"outputs"`` or ``"targets"``."""
    shape = given.values.shape
    if len(shape) != 3 or shape[0] != examples:
        raise ValueError(
            f"{what}: expected values ({examples} examples, timestep, channel), got shape {shape}"
        )
    _expect(given.values, what, np.dtype(np.float32), shape)
    for argument, texts in (("names", given.names), ("units", given.units)):
        if len(texts) != shape[2]:
            raise ValueError(
                f"{what}: expected {shape[2]} {argument}, one for each along the last axis; got "
                f"{len(texts)}"
            )
        _expect_strings(texts, f"{what}: {argument}")
    if len(set(given.names)) < len(given.names):
        raise ValueError(f"{what}: expected different names, got {', '.join(given.names)}")
    _expect_times(given.times, shape[:2], what)


def series_node(what: str, given: RecordedSeries, labels: npt.NDArray[np.object_] | None) -> Node:
    """Make of numbers over time what ``recording.inputs``, for example, is made of."""
    last = "channel" if what == "inputs" else "output"
    coords = {
        last: xr.Variable(last, np.array([*given.names, ""], object)[:-1]),
        "unit": xr.Variable(last, np.array([*given.units, ""], object)[:-1]),
        **_times(given.times),
    }
    if labels is not None:
        coords["label"] = xr.Variable("example", labels)
    return Node({what: xr.Variable(("example", "timestep", last), given.values)}, coords)


def predictions_node(given: RecordedPredictions, examples: int) -> Node:
    """Check predictions, and make of them what :attr:`lstm_widgets.Recording.predictions` is made of."""
    shape = given.ids.shape
    if len(shape) != len(PREDICTION_AXES) or shape[0] != examples:
        raise ValueError(
            f"predictions: expected ids ({examples} examples, timestep, rank), got shape {shape}"
        )
    _expect(given.ids, "predictions: ids", np.dtype(np.int32), shape)
    _expect(given.probabilities, "predictions: probabilities", np.dtype(np.float32), shape)
    variables = {
        "predicted_id": xr.Variable(PREDICTION_AXES, given.ids),
        "probability": xr.Variable(PREDICTION_AXES, given.probabilities),
    }
    if given.tokens is not None:
        _expect(given.tokens, "predictions: tokens", np.dtype(np.object_), shape)
        _expect_strings(given.tokens.ravel(), "predictions: tokens")
        variables["predicted_token"] = xr.Variable(PREDICTION_AXES, given.tokens)
    if given.targets is not None:
        _expect(given.targets, "predictions: targets", np.dtype(np.float32), shape[:2])
        variables["target_probability"] = xr.Variable(PREDICTION_AXES[:2], given.targets)
    return Node(variables, {})


def _times(times: Times | None) -> dict[str, xr.Variable]:
    if times is None:
        return {}
    axes = ("timestep",) if times.values.ndim == 1 else ("example", "timestep")
    return {"time": xr.Variable(axes, times.values, times.attrs)}


def _expect_times(times: Times | None, shape: tuple[int, ...], where: str) -> None:
    if times is None:
        return
    if times.values.shape not in (shape, shape[1:]):
        raise ValueError(
            f"{where}: expected times of shape {shape[1:]} or {shape}, got {times.values.shape}"
        )
    if times.values.dtype not in (np.dtype("M8[ns]"), np.dtype(np.int64), np.dtype(np.float64)):
        raise TypeError(
            f"{where}: expected times of dtype datetime64[ns], int64 or float64, got "
            f"{times.values.dtype}"
        )


def _expect(
    array: npt.NDArray[Any], what: str, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> None:
    if array.dtype != dtype:
        raise TypeError(f"{what}: expected dtype {dtype}, got {array.dtype}")
    if array.shape != shape:
        raise ValueError(f"{what}: expected shape {shape}, got {array.shape}")


def _expect_strings(values: Sequence[Any] | npt.NDArray[Any], what: str) -> None:
    for value in values:
        if not isinstance(value, str):
            raise TypeError(f"{what}: expected strings, got {value!r}")


class _Plain(dict[str, Any]):
    """Settings as JSON gives them back."""


def plain(settings: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Bring settings that many recordings have into the form in which JSON gives them back, once for all."""
    found = jsonable({"": settings}, "settings")[""]
    return _Plain(found) if isinstance(found, dict) else found


def jsonable(attrs: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Bring attributes into the form in which JSON gives them back, so that a save changes none."""
    others = {name: value for name, value in attrs.items() if not isinstance(value, _Plain)}
    try:
        found = json.loads(json.dumps(others, default=_as_json))
    except TypeError as error:
        raise TypeError(f"{what}: expected values that JSON can hold: {error}") from error
    return {str(name): found.get(name, value) for name, value in attrs.items()}


def _as_json(value: object) -> object:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"got {value!r:.80}, a {type(value).__name__}")
