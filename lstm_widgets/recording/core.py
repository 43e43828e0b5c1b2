"""A Recording: all that a model's recurrent layers did on some inputs."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import xarray as xr

from lstm_widgets.errors import LayerNotFoundError
from lstm_widgets.recording.calls import all_named, call_name, split_call
from lstm_widgets.recording.notes import Notes
from lstm_widgets.recording.repr import as_html, as_text
from lstm_widgets.recording.sides import side_by_side

__all__ = [
    "RecordedLayer",
    "RecordedPredictions",
    "Recording",
    "open_recording",
]

if TYPE_CHECKING:
    from os import PathLike

AXES = ("example", "timestep", "cell")
#: The states that a layer started from.
INITIAL = ("initial_hidden_state", "initial_cell_state")
PREDICTION_AXES = ("example", "timestep", "rank")
# The node of the predictions. No layer can have it: a "%" in a layer's name is percent-encoded.
PREDICTIONS_NODE = "%predictions"
# Names that a layer's dataset uses itself, so no signal can have them.
RESERVED = frozenset({*AXES, "token", "label", "mask", "call", *INITIAL})


@dataclass(frozen=True)
class RecordedLayer:
    """What `record` hands over: one recurrent layer, or one direction of it.

    Parameters
    ----------
    name : str
        The layer's name; slashes tell levels, as in ``"bidirectional/forward"``.
    kind : str
        ``"LSTM"``, ``"GRU"`` or ``"SimpleRNN"``.
    signals : mapping of str to float array (example, timestep, cell)
        Name to float32 array ``(example, timestep, cell)``, in reading order: index ``t`` is the
        input timestep ``t``, also for a layer that reads from the end.
    mask : bool array (example, timestep), optional
        Boolean ``(example, timestep)``, True at real timesteps; None if nothing is padding.
    tokens : object array (example, timestep), optional
        Object array of str ``(example, timestep)``, or None if they aren't known.
    check : mapping
        The self-check: ``difference``, ``tolerance``, ``mode`` (``"prefix"``, ``"full"``,
        ``"none"``), ``examples``, ``timesteps``.
    config : mapping
        The layer's configuration, as JSON can hold it.
    go_backwards : bool
        Whether the layer read from the end.
    initial : mapping of str to float array
        Name of a state's signal to the state that the layer started from, float32 ``(example,
        cell)``; of several calls ``(example, call, cell)``. Those that are known.
    calls : tuple of int
        The numbers of timesteps of a layer's calls, which stand one after the other on its time
        axis; empty if it was called once.
    same_timesteps : bool
        Whether all calls are about the same timesteps: those of a text.
    """

    name: str
    kind: str
    signals: dict[str, npt.NDArray[np.float32]]
    mask: npt.NDArray[np.bool_] | None = None
    tokens: npt.NDArray[np.object_] | None = None
    check: dict[str, Any] = field(default_factory=lambda: {"mode": "none"})
    config: dict[str, Any] = field(default_factory=dict)
    go_backwards: bool = False
    initial: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    calls: tuple[int, ...] = ()
    same_timesteps: bool = False


@dataclass(frozen=True)
class RecordedPredictions:
    """What `record` hands over about the model's guesses of what comes next.

    What is at timestep ``t`` is about the token at ``t + 1``.

    Parameters
    ----------
    ids : int32 array (example, timestep, rank)
        int32 ``(example, timestep, rank)``: the most probable symbols, the most probable first;
        -1 where there is no prediction.
    probabilities : float32 array (example, timestep, rank)
        float32 ``(example, timestep, rank)``: theirs; NaN where there is no prediction.
    targets : float32 array (example, timestep), optional
        float32 ``(example, timestep)``: the probability given to the token that really comes next,
        NaN where that isn't known; None if it is nowhere known.
    tokens : object array (example, timestep, rank), optional
        Object array of str ``(example, timestep, rank)``: what the ids stand for, or None.
    """

    ids: npt.NDArray[np.int32]
    probabilities: npt.NDArray[np.float32]
    targets: npt.NDArray[np.float32] | None = None
    tokens: npt.NDArray[np.object_] | None = None


class Recording(Mapping[str, xr.Dataset]):
    """All that a model's recurrent layers did on some inputs: a mapping from layer to Dataset.

    A thin cover over an :class:`xarray.DataTree` with one node a layer and one variable a signal.
    ``recording["lstm_1"].forget_gate`` is a :class:`xarray.DataArray` with the dimensions
    ``(example, timestep, cell)``, and with the coordinates ``token`` ``(example, timestep)`` and
    ``label`` ``(example,)`` where they are known. The states that the layer started from are the
    coordinates ``initial_hidden_state`` and ``initial_cell_state`` ``(example, cell)``: what came
    before the first timestep that was read, which of a layer that reads backwards is the last one.
    Read window by window, every window starts from them; they are missing where windows start from
    different ones.

    A layer that the model calls several times (a decoder in a loop, an encoder of two inputs) is
    one layer: ``recording["cell"]`` has all its calls, one after the other on the time axis, and
    ``recording["cell:2"]`` the second one. In a text each call is about the same timesteps; there
    ``recording["cell"]`` has the last one. :meth:`calls` always has all of them, and says which
    timestep is of which.

    Recordings come from :func:`lstm_widgets.record` and :func:`lstm_widgets.open_recording`. Two
    are equal only if they are the same.

    Examples
    --------
    >>> "lstm" in recording, list(recording), len(recording)  # doctest: +SKIP
    (True, ['lstm'], 1)
    """

    def __init__(self, layers: Sequence[str], make_tree: Callable[[], xr.DataTree]) -> None:
        self._paths = _tree_paths(layers)
        self._make_tree = make_tree

    @functools.cached_property
    def tree(self) -> xr.DataTree:
        """All of it, as xarray has it; made when it is first looked at."""
        return self._make_tree()

    @classmethod
    def from_layers(
        cls,
        layers: Sequence[RecordedLayer],
        *,
        labels: Sequence[str] | None = None,
        attrs: Mapping[str, Any] | None = None,
        predictions: RecordedPredictions | None = None,
    ) -> Recording:
        """Put recorded layers into one recording.

        Parameters
        ----------
        layers : sequence of RecordedLayer
            The layers in model order. Their signals are kept, not copied.
        labels : sequence of str, optional
            One string for each example.
        attrs : mapping, optional
            What is needed to trust the recording later (the model's configuration, the versions of
            the libraries), as JSON can hold it.
        predictions : RecordedPredictions, optional
            What the model guessed to come next, of the same examples.

        Raises
        ------
        ValueError
            If names repeat, or shapes don't fit each other.
        TypeError
            If an array has another dtype than named in :class:`RecordedLayer` or
            :class:`RecordedPredictions`, a token or label is no string, or JSON cannot hold a
            configuration.
        """
        names = [layer.name for layer in layers]
        if not names:
            raise ValueError("layers: expected at least one recorded layer, got none")
        if len(set(names)) != len(names) or not all(names):
            raise ValueError(f"layers: expected different, non-empty names, got {names}")
        attrs = attrs or {}
        if "layers" in attrs:
            raise ValueError("attrs: 'layers' is kept for the names of the layers")

        shapes = [_expect_layer(layer, labels) for layer in layers]
        own_attrs = {layer.name: _attrs(layer) for layer in layers}
        column = None if labels is None else np.array([*labels, ""], object)[:-1]
        guesses = None if predictions is None else predictions_dataset(predictions, shapes[0][0])
        attrs = {"layers": names, **_jsonable(attrs, "attrs")}

        def make_tree() -> xr.DataTree:
            datasets = {x.name: _dataset(x, column, own_attrs[x.name]) for x in layers}
            return _tree(datasets, guesses, attrs)

        return cls(names, make_tree)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers' names, in model order."""
        return tuple(self._paths)

    @property
    def bidirectional(self) -> dict[str, tuple[str, str]]:
        """Layers of which both directions were recorded, each with the names of the two.

        ``{"bidirectional": ("bidirectional/forward", "bidirectional/backward")}``, for example;
        ``recording["bidirectional"]`` then has both.
        """
        pairs = {}
        for forward in self._paths:
            name = re.fullmatch(r"(.+)/forward((?::\d+)?(?:/.+)?)", forward)
            if name is None:
                continue
            both, backward = name[1] + name[2], f"{name[1]}/backward{name[2]}"
            if backward in self._paths and both not in self._paths:
                one, other = self[forward], self[backward]
                reads = one.attrs["go_backwards"], other.attrs["go_backwards"]
                same = list(one.data_vars) == list(other.data_vars)
                if same and reads[0] != reads[1] and dict(one.sizes) == dict(other.sizes):
                    pairs[both] = (forward, backward)
        return pairs

    def __iter__(self) -> Iterator[str]:
        """Go through the names of :attr:`layers`."""
        return iter(self._paths)

    def __len__(self) -> int:
        """Count the :attr:`layers`."""
        return len(self._paths)

    def __contains__(self, layer: object) -> bool:
        """Whether there is something by this name: a layer, or both directions of one."""
        return isinstance(layer, str) and (layer in self._paths or layer in self.bidirectional)

    # Which of two recordings it is, and not what is in it: that may be on a disk, and large.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __getitem__(self, layer: str) -> xr.Dataset:
        """One layer: its signals, and a boolean ``mask`` if some timesteps are padding.

        By the name of a :attr:`bidirectional` layer, both directions: the cells of the forward one,
        then those of the backward one, with the coordinate ``direction`` ``(cell,)``. Both are in
        reading order: index t is the input's timestep t.

        Of a layer that was called several times, all calls one after the other (of a text the last
        one); ``attrs["calls"]`` are their numbers of timesteps. One call of it by its name with the
        call's number, ``"lstm:2"``.
        """
        if not isinstance(layer, str):
            raise TypeError(f"layer: expected the name of one, got {layer!r:.80}")
        nodes, call = self._nodes(layer)
        shown = [_shown(node, call) for node in nodes]
        return shown[0] if len(shown) == 1 else side_by_side(*shown)

    def calls(self, layer: str) -> xr.Dataset:
        """All calls of a layer on one time axis.

        Parameters
        ----------
        layer : str
            As for ``recording[layer]``.

        Returns
        -------
        xarray.Dataset
            As ``recording[layer]``, with the coordinate ``call`` ``(timestep,)``: the number of the
            call, from 1 on. A warm-up of 12 timesteps and 4 single steps have 16.

        Examples
        --------
        >>> recording.calls("cell").call.values  # doctest: +SKIP
        array([1, 2, 3, 4])
        """
        nodes, call = self._nodes(layer)
        shown = [_all_calls(node, call) for node in nodes]
        return shown[0] if len(shown) == 1 else side_by_side(*shown)

    def call_names(self, layer: str) -> tuple[str, ...]:
        """Name the calls of a layer that was called several times; of one that wasn't, none.

        ``("cell:1", "cell:2", "cell:3")``, for example.
        """
        names = self.bidirectional.get(layer, (layer,))
        if names[0] not in self._paths:
            return ()
        count = len(self._node(names[0]).attrs.get("calls", ()))
        return tuple(call_name(layer, call) for call in range(1, count + 1))

    def _node(self, layer: str) -> xr.Dataset:
        return self.tree[self._paths[layer]].to_dataset()

    def directions(self, layer: str) -> tuple[str, ...]:
        """Name both directions of a layer, or of a call of one, and of any other just itself.

        ``("bidirectional/forward:2", "bidirectional/backward:2")`` of ``"bidirectional:2"``.
        """
        name, call = (layer, None) if layer in self._paths else split_call(layer)
        names = (name,) if name in self._paths else self.bidirectional.get(name, (name,))
        return names if call is None else tuple(call_name(each, call) for each in names)

    def initial_states(self, layer: str, signal: str) -> npt.NDArray[np.float32] | None:
        """Give the states from which each call of a layer started.

        Parameters
        ----------
        layer : str
            As for ``recording[layer]``.
        signal : str
            ``"hidden_state"`` or ``"cell_state"``.

        Returns
        -------
        numpy.ndarray | None
            float32 ``(example, call, cell)``, of the calls that ``recording[layer]`` has; None if
            they aren't known.
        """
        nodes, call = self._nodes(layer)
        every = [_initial(node, f"initial_{signal}", call) for node in nodes]
        known = [states for states in every if states is not None]
        return np.concatenate(known, axis=2) if len(known) == len(every) else None

    def _nodes(self, layer: str) -> tuple[list[xr.Dataset], int | None]:
        """Find a layer, or both its directions, and the call that is meant; None: all."""
        name, call = (layer, None) if layer in self._paths else split_call(layer)
        pairs = {} if name in self._paths else self.bidirectional
        directions = pairs.get(name, (name,))
        if directions[0] not in self._paths:
            known = ", ".join(map(repr, [*self._paths, *pairs]))
            raise LayerNotFoundError(f"layer: expected one of {known}, got {layer!r}")
        nodes = [self._node(direction) for direction in directions]
        count = len(nodes[0].attrs.get("calls", [1]))
        if call is not None and not 1 <= call <= count:
            known = all_named(name, range(1, count + 1))
            raise LayerNotFoundError(f"layer: expected {known}, got {layer!r}")
        return nodes, call

    def signals(self, layer: str) -> tuple[str, ...]:
        """Name the signals that were recorded of one layer."""
        return tuple(str(name) for name in self[layer].data_vars if name != "mask")

    @property
    def predictions(self) -> xr.Dataset | None:
        """What the model guessed to come next, or None if that wasn't recorded.

        Returns
        -------
        xarray.Dataset | None
            Dimensions ``(example, timestep, rank)``; what is at timestep ``t`` is about the token
            at ``t + 1``. ``predicted_id`` int32, the most probable first, -1 where there is no
            prediction; ``probability`` float32; ``predicted_token`` str, if the vocabulary is
            known and what the model predicts are its tokens; ``target_probability`` float32
            ``(example, timestep)``, the probability given to the token that really comes next (NaN
            where unknown), if any is known.
        """
        if PREDICTIONS_NODE not in self.tree.children:
            return None
        return self.tree[PREDICTIONS_NODE].to_dataset()

    @functools.cached_property
    def notes(self) -> Notes:
        """What a person writes about cells, by layer and cell; kept when the recording is saved.

        The first line of a note is the cell's name, which every view shows; an empty text takes a
        note away. Notes are also written in the page: the button "note", or the key n.

        Examples
        --------
        >>> recording.notes["lstm", 22] = "inside quotes"  # doctest: +SKIP
        """
        cells = {name: self[name].sizes["cell"] for name in self.layers}
        return Notes(cells, self.bidirectional, self.tree.attrs.get("notes"))

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the recording to a Zarr v3 directory, for :func:`open_recording`.

        An interrupted save leaves nothing that opens; one that would have replaced an older
        recording leaves the older one.

        Parameters
        ----------
        path : str or path-like
            The directory to make.
        overwrite : bool, default False
            Whether a recording that stands there may be replaced. Nothing else ever is. If it is
            the one that this was opened from, all of it is read into memory first.

        Raises
        ------
        FileExistsError
            If something stands there that may not be replaced.
        ValueError
            If a token or label is no text that UTF-8 can hold (a lone surrogate).
        """
        from lstm_widgets.recording import store  # noqa: PLC0415  (Zarr is needed for files only)

        layers = {name: self._node(name) for name in self.layers}
        attrs = {str(name): value for name, value in self.tree.attrs.items()}
        attrs.pop("notes", None)
        if self.notes:
            attrs["notes"] = self.notes.plain
        store.write(Path(path), layers, self.predictions, attrs, overwrite=overwrite)

    def __repr__(self) -> str:
        layers = {name: self[name] for name in self.layers}
        return as_text(layers, self.predictions, self.notes)

    def _repr_html_(self) -> str:
        layers = {name: self[name] for name in self.layers}
        return as_html(layers, self.predictions, self.notes)


def open_recording(path: str | PathLike[str]) -> Recording:
    """Open what :meth:`Recording.save` wrote.

    Only metadata is read; each array is read from the disk when it is touched, and only the part
    that is. ``recording["lstm_1"].load()`` reads a layer whole. Opening a recording runs no code
    from it.

    Parameters
    ----------
    path : str or path-like
        The directory.

    Returns
    -------
    Recording
        Equal to the saved one, to the bit.

    Raises
    ------
    FileNotFoundError
        If nothing stands at the path.
    RecordingFileError
        If it is no recording, an unfinished or damaged one, or one of a newer format.

    Examples
    --------
    >>> recording.save("text.zarr")
    >>> lw.open_recording("text.zarr")["lstm"].equals(recording["lstm"])
    True
    """
    from lstm_widgets.recording import store  # noqa: PLC0415  (Zarr is needed for files only)

    layers, predictions, attrs = store.read(Path(path))
    datasets = dict(zip(attrs["layers"], layers, strict=True))
    datasets = _joined(datasets, "window" in attrs)
    attrs["layers"] = list(datasets)
    return Recording(attrs["layers"], lambda: _tree(datasets, predictions, attrs))


def _shown(node: xr.Dataset, call: int | None) -> xr.Dataset:
    """Show all calls of a layer as one, or one of them; of a text the last one."""
    calls = node.attrs.get("calls")
    if calls is None:
        return node
    if call is None and node.attrs["same_timesteps"]:
        call = len(calls)
    attrs = {name: value for name, value in node.attrs.items() if name != "same_timesteps"}
    shown = node
    if call is not None:
        del attrs["calls"]
        start = sum(calls[: call - 1])
        shown = node.isel(timestep=slice(start, start + calls[call - 1]))
        shown = shown.assign_coords(timestep=np.arange(shown.sizes["timestep"]))
    first = [name for name in INITIAL if name in shown.coords]
    shown = shown.assign_coords({name: shown[name][:, (call or 1) - 1] for name in first})
    shown.attrs = attrs
    return shown


def _initial(node: xr.Dataset, name: str, call: int | None) -> npt.NDArray[np.float32] | None:
    """Give the states from which the calls that are shown of a layer started."""
    if name not in node.coords:
        return None
    states: npt.NDArray[np.float32] = node[name].values
    if "calls" not in node.attrs:
        return states[:, None]
    if call is None and node.attrs["same_timesteps"]:
        call = len(node.attrs["calls"])
    return states if call is None else states[:, call - 1 : call]


def _all_calls(node: xr.Dataset, call: int | None) -> xr.Dataset:
    """Show all calls of a layer, or one of them, and which timestep is of which."""
    calls = node.attrs.get("calls", [node.sizes["timestep"]])
    shown = _shown(node.assign_attrs(same_timesteps=False), call) if "calls" in node.attrs else node
    numbers = np.repeat(np.arange(1, len(calls) + 1), calls)
    return shown.assign_coords(
        call=("timestep", numbers if call is None else numbers[numbers == call])
    )


def _joined(datasets: Mapping[str, xr.Dataset], windowed: bool) -> dict[str, xr.Dataset]:
    """Put the calls of a layer together, which older files have as layers of their own."""
    joined: dict[str, xr.Dataset] = {}
    for name, dataset in datasets.items():
        later, call = [], 2
        while (named := call_name(name, call)) in datasets:
            later.append(datasets[named])
            call += 1
        base, number = split_call(name)
        if number is not None and base in datasets:
            continue
        joined[name] = dataset
        every = [dataset, *later]
        if later and all(list(d.data_vars) == list(dataset.data_vars) for d in every):
            joined[name] = xr.concat(
                [d.drop_vars("timestep") for d in every],
                "timestep",
                data_vars="minimal",
                coords="minimal",
                combine_attrs="override",
                compat="override",
                join="override",
            ).assign_coords(timestep=np.arange(sum(d.sizes["timestep"] for d in every)))
            calls = [d.sizes["timestep"] for d in every]
            joined[name].attrs |= {"calls": calls, "same_timesteps": windowed}
    return joined


def _tree(
    layers: Mapping[str, xr.Dataset], predictions: xr.Dataset | None, attrs: Mapping[str, Any]
) -> xr.DataTree:
    paths = _tree_paths(tuple(layers))
    nodes = {paths[name]: dataset for name, dataset in layers.items()}
    if predictions is not None:
        nodes[PREDICTIONS_NODE] = predictions
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attrs), **nodes})


def _tree_paths(names: Sequence[str]) -> dict[str, str]:
    """Give each layer its node in the tree: the name itself wherever a tree allows it.

    A node hands its coordinates down, so a layer cannot stand beneath another one, which may have
    another number of timesteps; nor can a path have an empty or dotted part. Such names become one
    percent-encoded node at the top.
    """
    taken = set(names)
    paths = {}
    for name in names:
        parts = name.split("/")
        above = {"/".join(parts[:n]) for n in range(1, len(parts))}
        fits = not (above & taken or {"", ".", ".."} & set(parts) or "%" in name)
        paths[name] = name if fits else quote(name, safe="").replace(".", "%2E")
    return paths


def _expect_layer(layer: RecordedLayer, labels: Sequence[str] | None) -> tuple[int, ...]:
    """Check a recorded layer; return the shape of its signals."""
    where = f"layer {layer.name!r}"
    if not layer.signals:
        raise ValueError(f"{where}: expected at least one signal, got none")
    shape = next(iter(layer.signals.values())).shape
    if len(shape) != len(AXES):
        raise ValueError(f"{where}: expected signals (example, timestep, cell), got shape {shape}")
    for name, values in layer.signals.items():
        if name in RESERVED or not name.isidentifier():
            raise ValueError(f"{where}: a signal cannot be called {name!r}")
        _expect(values, f"{where}: signal {name!r}", np.dtype(np.float32), shape)
    for name, values in layer.initial.items():
        of = (shape[0], len(layer.calls), shape[2]) if layer.calls else (shape[0], shape[2])
        _expect(values, f"{where}: initial {name!r}", np.dtype(np.float32), of)
        if f"initial_{name}" not in INITIAL:
            raise ValueError(f"{where}: {name!r} is no state that a layer starts from")
    if layer.calls and sum(layer.calls) != shape[1]:
        raise ValueError(
            f"{where}: expected calls of {shape[1]} timesteps together, got {layer.calls}"
        )
    if layer.mask is not None:
        _expect(layer.mask, f"{where}: mask", np.dtype(np.bool_), shape[:2])
    if layer.tokens is not None:
        _expect(layer.tokens, f"{where}: tokens", np.dtype(np.object_), shape[:2])
        _expect_strings(layer.tokens.ravel(), f"{where}: tokens")
    if labels is not None:
        if isinstance(labels, str) or len(labels) != shape[0]:
            raise ValueError(
                f"labels: expected one string for each of {shape[0]} examples of {where}, "
                f"got {len(labels)} for {labels!r:.80}"
            )
        _expect_strings(labels, "labels")
    return shape


def _attrs(layer: RecordedLayer) -> dict[str, Any]:
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
    return _jsonable(attrs, f"layer {layer.name!r}")


def _dataset(
    layer: RecordedLayer, labels: npt.NDArray[np.object_] | None, attrs: dict[str, Any]
) -> xr.Dataset:
    shape = next(iter(layer.signals.values())).shape
    variables: dict[Hashable, Any] = {name: (AXES, v) for name, v in layer.signals.items()}
    coords: dict[Hashable, Any] = {
        axis: np.arange(size) for axis, size in zip(AXES, shape, strict=True)
    }
    if layer.mask is not None:
        variables["mask"] = (AXES[:2], layer.mask)
    if layer.tokens is not None:
        coords["token"] = (AXES[:2], layer.tokens)
    if labels is not None:
        coords["label"] = (AXES[:1], labels)
    for name in INITIAL:
        if (values := layer.initial.get(name.removeprefix("initial_"))) is not None:
            axes = ("example", "call", "cell") if layer.calls else ("example", "cell")
            coords[name] = (axes, values)
    return xr.Dataset(variables, coords, attrs)


def predictions_dataset(given: RecordedPredictions, examples: int) -> xr.Dataset:
    """Check predictions, and make of them what :attr:`Recording.predictions` gives."""
    shape = given.ids.shape
    if len(shape) != len(PREDICTION_AXES) or shape[0] != examples:
        raise ValueError(
            f"predictions: expected ids ({examples} examples, timestep, rank), got shape {shape}"
        )
    _expect(given.ids, "predictions: ids", np.dtype(np.int32), shape)
    _expect(given.probabilities, "predictions: probabilities", np.dtype(np.float32), shape)
    variables: dict[Hashable, Any] = {
        "predicted_id": (PREDICTION_AXES, given.ids),
        "probability": (PREDICTION_AXES, given.probabilities),
    }
    if given.tokens is not None:
        _expect(given.tokens, "predictions: tokens", np.dtype(np.object_), shape)
        _expect_strings(given.tokens.ravel(), "predictions: tokens")
        variables["predicted_token"] = (PREDICTION_AXES, given.tokens)
    if given.targets is not None:
        _expect(given.targets, "predictions: targets", np.dtype(np.float32), shape[:2])
        variables["target_probability"] = (PREDICTION_AXES[:2], given.targets)
    coords = {axis: np.arange(size) for axis, size in zip(PREDICTION_AXES, shape, strict=True)}
    return xr.Dataset(variables, coords)


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


def _jsonable(attrs: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Bring attributes into the form in which JSON gives them back, so that a save changes none."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(attrs, default=_plain))
    except TypeError as error:
        raise TypeError(f"{what}: expected what JSON can hold: {error}") from error
    return plain


def _plain(value: object) -> object:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"got {value!r:.80}, a {type(value).__name__}")
