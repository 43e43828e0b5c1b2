"""A Recording: all that a model's recurrent layers did on some inputs."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import xarray as xr

from lstm_widgets.checks import expect_path
from lstm_widgets.errors import LayerNotFoundError, RecordingFileError
from lstm_widgets.recording.call_views import all_calls, initial_states, joined_calls, shown_calls
from lstm_widgets.recording.calls import all_named, call_name, split_call
from lstm_widgets.recording.directions import side_by_side
from lstm_widgets.recording.notes import Notes
from lstm_widgets.recording.recorded import (
    Node,
    RecordedLayer,
    RecordedPredictions,
    RecordedSeries,
    expect_layer,
    expect_series,
    jsonable,
    layer_attrs,
    layer_node,
    predictions_node,
    series_node,
)
from lstm_widgets.recording.repr import as_html, as_text

__all__ = ["Recording", "open_recording"]

if TYPE_CHECKING:
    from os import PathLike
    from types import ModuleType

    # Layers, what is beside them, and attributes.
    Contents = tuple[dict[str, Node], dict[str, Node], dict[str, Any]]

# Beside the layers there are nodes of what the model read and said. No layer can be called so: a "%"
# in a layer's name is percent-encoded.
BESIDE = ("predictions", "inputs", "outputs", "targets")


class Recording(Mapping[str, xr.Dataset]):
    """All that a model's recurrent layers did on some inputs: a mapping from layer to Dataset.

    A thin wrapper around an :class:`xarray.DataTree` with a node for each layer and a variable for
    each signal.
    ``recording["lstm_1"].forget_gate`` is a :class:`xarray.DataArray` with the dimensions
    ``(example, timestep, cell)``, and with the coordinates ``token`` ``(example, timestep)`` and
    ``label`` ``(example,)`` where they are known. The layer's initial states are the coordinates
    ``initial_hidden_state`` and ``initial_cell_state`` ``(example, cell)``: the states before the
    first timestep that was read, which is the last one for a layer that reads backwards. If the text
    was read in windows, every window starts from them; they are missing if windows start from
    different states.

    A layer that the model calls several times (a decoder in a loop, an encoder of two inputs) is
    one layer: ``recording["cell"]`` has all its calls, one after the other on the time axis, and
    ``recording["cell:2"]`` the second one. In a text all calls read the same timesteps; there
    ``recording["cell"]`` has the last call. :meth:`calls` always has all of them, and tells which
    timestep belongs to which call.

    Recordings come from :func:`lstm_widgets.record` and :func:`lstm_widgets.open_recording`. They
    are compared by identity.

    Examples
    --------
    >>> "lstm" in recording, list(recording), len(recording)
    (True, ['lstm'], 1)
    >>> recording["lstm"]["hidden_state"].dims
    ('example', 'timestep', 'cell')
    """

    def __init__(
        self,
        layers: Sequence[str],
        make_tree: Callable[[], xr.DataTree],
        contents: Callable[[], Contents] | None = None,
    ) -> None:
        self._paths = _tree_paths(layers)
        self._make_tree = make_tree
        # What the tree will be made of, where that is known without one.
        self._made_of = contents

    @functools.cached_property
    def tree(self) -> xr.DataTree:
        """The recording as an xarray tree; built on first access."""
        return self._make_tree()

    @classmethod
    def from_layers(
        cls,
        layers: Sequence[RecordedLayer],
        *,
        labels: Sequence[str] | None = None,
        attrs: Mapping[str, Any] | None = None,
        predictions: RecordedPredictions | None = None,
        inputs: RecordedSeries | None = None,
        outputs: RecordedSeries | None = None,
        targets: RecordedSeries | None = None,
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
            libraries), serialisable as JSON.
        predictions : RecordedPredictions, optional
            The model's predictions for the same examples.
        inputs, outputs, targets : RecordedSeries, optional
            The numbers that the model read, that it said, and that it should have said.

        Raises
        ------
        ValueError
            If names repeat, or shapes don't fit each other.
        TypeError
            If an array has another dtype than named in :class:`.RecordedLayer`,
            :class:`.RecordedPredictions` or :class:`.RecordedSeries`, a token or label isn't a
            string, or JSON cannot hold a configuration.
        """
        names = [layer.name for layer in layers]
        if not names:
            raise ValueError("layers: expected at least one recorded layer, got none")
        if len(set(names)) != len(names) or not all(names):
            raise ValueError(f"layers: expected different, non-empty names, got {names}")
        attrs = attrs or {}
        if "layers" in attrs:
            raise ValueError(
                "attrs: expected no 'layers', which is reserved for the names of the layers"
            )

        shapes = [expect_layer(layer, labels) for layer in layers]
        own_attrs = {layer.name: layer_attrs(layer) for layer in layers}
        column = None if labels is None else np.array([*labels, ""], object)[:-1]
        said: dict[str, Node] = {}
        if predictions is not None:
            said["predictions"] = predictions_node(predictions, shapes[0][0])
        every = {"inputs": inputs, "outputs": outputs, "targets": targets}
        series = {what: given for what, given in every.items() if given is not None}
        for what, given in series.items():
            expect_series(what, given, shapes[0][0])
        attrs = {"layers": names, **jsonable(attrs, "attrs")}

        def contents() -> Contents:
            nodes = {x.name: layer_node(x, column, own_attrs[x.name]) for x in layers}
            read = {what: series_node(what, given, column) for what, given in series.items()}
            return nodes, said | read, attrs

        def make_tree() -> xr.DataTree:
            nodes, beside, attrs = contents()
            datasets = {name: node.dataset for name, node in nodes.items()}
            return _tree(datasets, {what: node.dataset for what, node in beside.items()}, attrs)

        return cls(names, make_tree, contents)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers' names, in model order."""
        return tuple(self._paths)

    @property
    def bidirectional(self) -> dict[str, tuple[str, str]]:
        """Layers of which both directions were recorded, each with the names of the two.

        For example ``{"bidirectional": ("bidirectional/forward", "bidirectional/backward")}``;
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
        """Iterate over the names of :attr:`layers`."""
        return iter(self._paths)

    def __len__(self) -> int:
        """Count the :attr:`layers`."""
        return len(self._paths)

    def __contains__(self, layer: object) -> bool:
        """Whether there is a layer of this name, or both directions of one."""
        return isinstance(layer, str) and (layer in self._paths or layer in self.bidirectional)

    # Which of two recordings it is, and not what is in it: that may be on a disk, and large.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __getitem__(self, layer: str) -> xr.Dataset:
        """One layer: its signals, and a boolean ``mask`` if some timesteps are padding.

        The name of a :attr:`bidirectional` layer gives both directions: the cells of the forward one,
        then those of the backward one, with the coordinate ``direction`` ``(cell,)``. In both, index t
        is the input's timestep t.

        A layer that was called several times gives all calls one after the other (of a text, the last
        one); ``attrs["calls"]`` are their numbers of timesteps. ``"lstm:2"`` gives its second call.
        """
        if not isinstance(layer, str):
            raise TypeError(f"layer: expected a name, got {layer!r:.80}")
        nodes, call = self._nodes(layer)
        shown = [shown_calls(node, call) for node in nodes]
        dataset = shown[0] if len(shown) == 1 else side_by_side(*shown)
        # By this, errors can name it; no file, and no comparison, has it.
        dataset.encoding = {**dataset.encoding, "layer": layer}
        return dataset

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
            call, from 1. A warm-up of 12 timesteps and 4 single steps have 16 timesteps together.

        Examples
        --------
        >>> recording.calls("lstm").call.values.max()
        np.int64(1)
        """
        nodes, call = self._nodes(layer)
        shown = [all_calls(node, call) for node in nodes]
        return shown[0] if len(shown) == 1 else side_by_side(*shown)

    def call_names(self, layer: str) -> tuple[str, ...]:
        """Return the names of the calls of a layer that was called several times, else ().

        For example ``("cell:1", "cell:2", "cell:3")``.
        """
        names = self.bidirectional.get(layer, (layer,))
        if names[0] not in self._paths:
            return ()
        count = len(self._node(names[0]).attrs.get("calls", ()))
        return tuple(call_name(layer, call) for call in range(1, count + 1))

    def _node(self, layer: str) -> xr.Dataset:
        return self.tree[self._paths[layer]].to_dataset()

    def directions(self, layer: str) -> tuple[str, ...]:
        """Return the names of both directions of a layer or of a call; of any other, its own name.

        For example ``("bidirectional/forward:2", "bidirectional/backward:2")`` of
        ``"bidirectional:2"``.
        """
        name, call = (layer, None) if layer in self._paths else split_call(layer)
        names = (name,) if name in self._paths else self.bidirectional.get(name, (name,))
        return names if call is None else tuple(call_name(each, call) for each in names)

    def initial_states(self, layer: str, signal: str) -> npt.NDArray[np.float32] | None:
        """Return the initial states of each call of a layer.

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
        every = [initial_states(node, f"initial_{signal}", call) for node in nodes]
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
        """Return the names of the signals that were recorded of one layer."""
        return tuple(str(name) for name in self[layer].data_vars if name != "mask")

    @property
    def predictions(self) -> xr.Dataset | None:
        """The model's predictions of what comes next, or None if they weren't recorded.

        Returns
        -------
        xarray.Dataset | None
            Dimensions ``(example, timestep, rank)``; timestep ``t`` has the prediction of the token
            at ``t + 1``. ``predicted_id`` int32, the most probable first, -1 where there is no
            prediction; ``probability`` float32; ``predicted_token`` str, if the vocabulary is known
            and the model predicts its tokens; ``target_probability`` float32 ``(example, timestep)``,
            the probability of the token that really comes next (NaN where unknown), if any is known.
        """
        return self._beside("predictions")

    @property
    def inputs(self) -> xr.DataArray | None:
        """The numbers that the model read, or None if it read none (but tokens).

        Returns
        -------
        xarray.DataArray | None
            float32 ``(example, timestep, channel)`` in physical units where the scaling is known;
            missing values are NaN. Coordinates: ``channel``, its name; ``unit`` ``(channel,)``; ``time``
            ``(timestep,)`` or, where examples differ, ``(example, timestep)``, if times are known.

        Examples
        --------
        >>> series.inputs.sel(channel="rain").dims
        ('example', 'timestep')
        """
        return self._series("inputs")

    @property
    def outputs(self) -> xr.DataArray | None:
        """What the model said of a series, or None if it read none.

        Returns
        -------
        xarray.DataArray | None
            float32 ``(example, timestep, output)``, at the timestep after which it was said; NaN where
            nothing was. Coordinates as of :attr:`inputs`, with ``output`` for the names.
        """
        return self._series("outputs")

    @property
    def targets(self) -> xr.DataArray | None:
        """What the model should have said, as :attr:`outputs`, or None if that wasn't given."""
        return self._series("targets")

    def _series(self, what: str) -> xr.DataArray | None:
        node = self._beside(what)
        return None if node is None else node[what]

    def _beside(self, what: str) -> xr.Dataset | None:
        node = self.tree.children.get(f"%{what}")
        return None if node is None else node.to_dataset()

    @property
    def _all_beside(self) -> dict[str, xr.Dataset]:
        return {what: node for what in BESIDE if (node := self._beside(what)) is not None}

    @functools.cached_property
    def notes(self) -> Notes:
        """Your notes on cells, by layer and cell; saved with the recording.

        The first line of a note is the cell's name, which every view shows; an empty text removes a
        note. Notes can also be written in the page, with the button "note" or the key n.

        Examples
        --------
        >>> recording.notes["lstm", 1] = "inside quotes"
        >>> recording.notes.name("lstm", 1)
        'inside quotes'
        """
        cells = {name: self[name].sizes["cell"] for name in self.layers}
        try:
            return Notes(cells, self.bidirectional, self.tree.attrs.get("notes"))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise RecordingFileError(f"the notes of the recording are damaged: {error}") from error

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Save the recording to a Zarr v3 directory, for :func:`lstm_widgets.open_recording`.

        An interrupted save leaves nothing that could be opened, or the older recording that it would
        have replaced.

        Parameters
        ----------
        path : str or path-like
            The directory to create.
        overwrite : bool, default False
            Whether an existing recording may be replaced. Nothing else ever is. If it is the one that
            this was opened from, all of it is read into memory first.

        Raises
        ------
        FileExistsError
            If the path exists and may not be replaced.
        ValueError
            If a token or label can't be encoded as UTF-8 (a lone surrogate).
        """
        place = expect_path("path", path)
        store_module().write(place, *self._contents(), overwrite=overwrite)

    def _contents(self) -> Contents:
        """Tell what there is to be written; no tree is built for it."""
        if self._made_of is not None and "tree" not in vars(self):
            return self._made_of()
        attrs = {str(name): value for name, value in self.tree.attrs.items()}
        attrs.pop("notes", None)
        if self.notes:
            attrs["notes"] = self.notes.plain
        layers = {name: Node.of(self._node(name)) for name in self.layers}
        return layers, {what: Node.of(x) for what, x in self._all_beside.items()}, attrs

    def __repr__(self) -> str:
        layers = {name: self[name] for name in self.layers}
        return as_text(layers, self._all_beside, self.notes)

    def _repr_html_(self) -> str:
        layers = {name: self[name] for name in self.layers}
        return as_html(layers, self._all_beside, self.notes)


def open_recording(
    path: Any,  # noqa: ANN401 - whatever Zarr and fsspec open
    *,
    storage_options: Mapping[str, Any] | None = None,
) -> Recording:
    """Open a recording that :meth:`Recording.save` or ``record(..., to=...)`` wrote, read-only.

    Only metadata is read; arrays are read lazily, and only the parts that are used: a recording of 10⁸
    timesteps opens as fast as one of 10⁴. ``recording["lstm_1"].load()`` reads a whole layer.

    Opening a recording never runs code from it, wherever it stands: its arrays are of numbers, truth
    values and texts, in the few codecs that recordings are written with; anything else is refused. And
    nothing in it leads elsewhere: neither names nor links out of its directory are followed.

    Parameters
    ----------
    path : str, path-like, fsspec mapper or zarr.abc.store.Store
        Where it stands:

        - a directory;
        - a ``.zip`` file of such a directory, with or without the directory itself in it;
        - an address that fsspec opens (``pip install "lstm-widgets[remote]"``, and s3fs, gcsfs, adlfs,
          aiohttp or huggingface_hub for what lies there): ``"s3://..."``, ``"gs://..."``, ``"az://..."``,
          ``"abfs://..."``, ``"hf://..."``, ``"https://..."``, ``"memory://..."`` or ``"file://..."``. Others,
          and chains of them (``"::"``), are refused, as some of them unpickle, unpack or lead to where
          what they read tells them;
        - a mapper of fsspec, or a store of Zarr, of your own making: whatever these open.
    storage_options : mapping, optional
        What fsspec needs for an address: keys, regions, timeouts.

    Returns
    -------
    Recording
        With the same values as the saved one, bit for bit. Of one that is still being made, or whose
        making was interrupted, it has what is complete; a warning says how far that is, as do
        ``recording.tree.attrs["complete"]``, which is False, and ``["done"]``.

    Raises
    ------
    FileNotFoundError
        If the path doesn't exist.
    RecordingFileError
        If it isn't a recording, or a damaged one, or one of a newer format version. A part that is damaged
        or lost raises it when it is read, and the text names it; the rest can be read.
    OSError
        If a disk or a server fails, now or when something is read; the text names the address.
    ValueError
        If the address is none that is opened.

    Examples
    --------
    >>> recording.save("text.zarr")
    >>> lw.open_recording("text.zarr")["lstm"].equals(recording["lstm"])
    True
    """
    layers, beside, attrs = store_module().read(path, storage_options)
    datasets = joined_calls(layers, "window" in attrs)
    attrs["layers"] = list(datasets)
    return Recording(attrs["layers"], lambda: _tree(datasets, beside, attrs))


def contents_of(recording: Recording) -> Contents:
    """Tell what of a recording is written: layers, what is beside them, attributes."""
    return recording._contents()  # noqa: SLF001 - of this module


def store_module() -> ModuleType:
    """Load what reads and writes files: Zarr is needed for them only, and can't be had in Pyodide."""
    try:
        from lstm_widgets.recording import store  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "zarr":
            raise
        raise ModuleNotFoundError(
            "files of recordings need zarr, which isn't installed (and can't be in Pyodide, as in "
            "JupyterLite): there, make a recording of arrays with Recording.from_layers, or open what "
            "save_html has made elsewhere",
            name="zarr",
        ) from None
    return store


def _tree(
    layers: Mapping[str, xr.Dataset], beside: Mapping[str, xr.Dataset], attrs: Mapping[str, Any]
) -> xr.DataTree:
    paths = _tree_paths(tuple(layers))
    nodes = {paths[name]: dataset for name, dataset in layers.items()}
    nodes |= {f"%{what}": dataset for what, dataset in beside.items()}
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attrs), **nodes})


def node_of(recording: Recording, layer: str) -> xr.Dataset:
    """Give a layer as the tree has it, with all of its calls.

    Parameters
    ----------
    recording : Recording
    layer : str
        One of ``recording.layers``.

    Returns
    -------
    xarray.Dataset

    Examples
    --------
    >>> from lstm_widgets.recording.recording import node_of
    >>> node_of(recording, "lstm").hidden_state.equals(recording["lstm"].hidden_state)
    True
    """
    return recording.tree[_tree_paths(recording.layers)[layer]].to_dataset()


def derived(
    recording: Recording,
    layers: Sequence[str] | Mapping[str, str],
    change: Callable[[str, xr.Dataset], xr.Dataset],
    attrs: Mapping[str, Any] | None = None,
) -> Recording:
    """Make a recording of some layers of another one, each changed; what is beside them stays.

    Parameters
    ----------
    recording : Recording
    layers : sequence of str, or mapping of str to str
        Names of its layers; of both directions side by side those of the two. Or new names, each with that
        of the layer.
    change : callable
        Gives what takes the place of a layer, from its name and its Dataset; called when the new
        recording is first read.
    attrs : mapping, optional
        Attributes of the new recording that the other one doesn't have, or has otherwise.

    Returns
    -------
    Recording

    Examples
    --------
    >>> from lstm_widgets.recording.recording import derived
    >>> twice = derived(recording, ["lstm"], lambda name, layer: layer.map(lambda values: 2 * values))
    >>> bool((twice["lstm"].hidden_state == 2 * recording["lstm"].hidden_state).all())
    True
    """
    own = layers if isinstance(layers, Mapping) else {name: name for name in layers}

    def make_tree() -> xr.DataTree:
        tree = recording.tree
        datasets = {name: change(layer, node_of(recording, layer)) for name, layer in own.items()}
        beside = {
            what: tree[f"%{what}"].to_dataset() for what in BESIDE if f"%{what}" in tree.children
        }
        kept = {str(k): v for k, v in tree.attrs.items()} | {"layers": list(own)}
        return _tree(datasets, beside, kept | dict(attrs or {}))

    return Recording(tuple(own), make_tree)


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
