"""What the page is told of a recording: its layers, and all of it where that is little."""

from __future__ import annotations

import threading
from base64 import b64encode
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from lstm_widgets.analysis.changes import initial_of
from lstm_widgets.lru import LRU
from lstm_widgets.recording.levels import written_levels
from lstm_widgets.recording.rows import Rows
from lstm_widgets.tokens.words import spelling_of
from lstm_widgets.views.times import shown_times
from lstm_widgets.widgets.page.protocol import columns_of, guesses_of, mask_of
from lstm_widgets.widgets.page.tiles import SignalTiles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lstm_widgets.recording import Recording

#: A recording of at most so many bytes (float32) travels to the page whole and needs no kernel there.
WHOLE_BYTES = 2 * 1024 * 1024
_WHOLE_COLUMNS = 32_768
#: Signals that are made into tiles are kept for as long as their recording, a few at a time.
_KEPT_SIGNALS = 3

_tiles: WeakKeyDictionary[Recording, LRU[SignalTiles]] = WeakKeyDictionary()
_lock = threading.RLock()


def tiles_of(recording: Recording, layer: str, signal: str) -> SignalTiles:
    """Give a signal ready to be drawn; those drawn last are kept."""

    def made() -> SignalTiles:
        dataset = recording[layer]
        parts = [recording[name][signal] for name in recording.directions(layer)]
        return SignalTiles(dataset[signal], dataset.get("mask"), written_levels(parts))

    with _lock:
        return _tiles.setdefault(recording, LRU(_KEPT_SIGNALS)).get((layer, signal), made)


def layer_names(recording: Recording) -> tuple[str, ...]:
    """Name what can be shown as a layer: before two directions, both of them side by side."""
    both = {forward: name for name, (forward, _) in recording.bidirectional.items()}
    names = ([both[name], name] if name in both else [name] for name in recording.layers)
    return tuple(name for group in names for name in group)


def first_timestep(recording: Recording, layer: str, example: int) -> int:
    """Find the first timestep that isn't padding, and in a text the first that ends a window."""
    dataset = recording[layer]
    if "mask" not in dataset or not 0 <= example < dataset.sizes["example"]:
        return 0
    mask, timesteps = Rows(dataset["mask"]), dataset.sizes["timestep"]
    first, stop = example * timesteps, (example + 1) * timesteps
    for start in range(first, stop, mask.block):
        real = np.flatnonzero(mask[start : min(start + mask.block, stop)])
        if len(real):
            return start - first + int(real[0])
    return 0


def _described(recording: Recording, name: str) -> dict[str, Any]:
    dataset = recording[name]
    described = {
        "name": name,
        "kind": dataset.attrs.get("kind", ""),
        "go_backwards": bool(dataset.attrs.get("go_backwards", False)),
        "windowed": bool(recording.tree.attrs.get("window")),
        "signals": list(recording.signals(name)),
        "examples": dataset.sizes["example"],
        "timesteps": dataset.sizes["timestep"],
        "cells": dataset.sizes["cell"],
        "masked": "mask" in dataset,
        "tokens": "token" in dataset.coords,
        "labels": "label" in dataset.coords,
        "check": dict(dataset.attrs.get("check", {})),
    }
    if "token" in dataset.coords:
        described["spelling"] = spelling_of(dataset).kind
    times = shown_times(dataset)
    if times is not None:
        described["times"] = times.described()
    if "calls" in dataset.attrs:
        described["calls"] = list(dataset.attrs["calls"])
    initial = initial_of(recording, name)
    if initial is not None:
        described["initial"] = "given" if initial.any() else "zero"
    predictions = recording.predictions
    if predictions is not None and predictions.sizes["timestep"] == dataset.sizes["timestep"]:
        described["predictions"] = predictions.sizes["rank"]
    return described


def layers_of(recording: Recording, calls: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Describe what can be shown as a layer: those of a recording, both directions, some calls."""
    of_calls = [name for call in calls for name in recording.directions(call)]
    described = {name: _described(recording, name) for name in [*recording.layers, *of_calls]}
    layers = []
    names = dict.fromkeys([*layer_names(recording), *calls, *of_calls])
    for name in names:
        pair = recording.directions(name)
        if len(pair) > 1:
            forward, backward = (described[part] for part in pair)
            both = {"name": name, "cells": 2 * forward["cells"], "parts": list(pair)}
            known = {each.get("initial") for each in (forward, backward)}
            if known == {"zero", "given"}:
                both["initial"] = "given"
            check = dict(recording[name].attrs["check"])
            layers.append({**forward, **both, "check": check})
        else:
            layers.append(described[name])
    return layers


def is_little(layers: Sequence[Mapping[str, Any]], variants: int = 1) -> bool:
    """Tell whether all of these layers, of so many variants, is so little that it travels whole."""
    columns = total = 0
    for layer in layers:
        if "parts" in layer:
            continue
        count = layer["examples"] * layer["timesteps"]
        columns += count
        total += 4 * len(layer["signals"]) * count * layer["cells"]
        total += 8 * count * layer.get("predictions", 0)
    return variants * total <= WHOLE_BYTES and columns <= _WHOLE_COLUMNS


def state_of(recording: Recording, calls: tuple[str, ...] = ()) -> dict[str, Any]:
    """Describe the recording, and some calls of its layers, and give all of it if it is small."""
    layers = layers_of(recording, calls)
    state: dict[str, Any] = {"_layers": layers}
    if is_little(layers):
        state |= whole_of(recording, every_signal(layers))
    return state


def every_signal(layers: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Name all signals of the layers that have values of their own."""
    return {one["name"]: tuple(one["signals"]) for one in layers if "parts" not in one}


def whole_of(
    recording: Recording,
    kept: Mapping[str, tuple[str, ...]],
    *,
    exact: bool = True,
    tiles_for: Callable[[str, str], SignalTiles] | None = None,
) -> dict[str, Any]:
    """
    Give all that the page needs of some signals of some layers, in their order.

    Parameters
    ----------
    recording : Recording
    kept : mapping of str to tuple of str
        The signals of each layer.
    exact : bool, default True
        Values as they are; else a byte each, and then the statistics that these go with.
    tiles_for : callable, optional
        Gives a signal of a layer ready to be drawn. Default: `tiles_of` this recording.

    Returns
    -------
    dict
        ``_whole`` and ``_text``.
    """
    values, statistics, masks, text = [], [], [], {}
    table, guesses = None, []
    predictions = recording.predictions
    if predictions is not None:
        count = predictions.sizes["example"] * predictions.sizes["timestep"]
        table, *arrays = guesses_of(predictions, 0, count)
        guesses = [array.tobytes() for array in arrays]
    for name, signals in kept.items():
        dataset = recording[name]
        count = dataset.sizes["example"] * dataset.sizes["timestep"]
        for signal in signals:
            tiles = tiles_for(name, signal) if tiles_for else tiles_of(recording, name, signal)
            values.append(tiles.read(0, count).T.tobytes() if exact else tiles.codes)
            if not exact:
                statistics.append(tiles.statistics.tobytes())
        masks.append(mask_of(dataset, 0, count))
        text[name] = columns_of(dataset, 0, count)
        initial = initial_of(recording, name)
        if initial is not None and initial.any():
            text[name]["initial"] = b64encode(initial.tobytes()).decode()
        times = shown_times(dataset)
        if times is not None and "runs" not in times.described():
            every = range(1 if times.shared else dataset.sizes["example"])
            text[name]["times"] = [b64encode(times.packed(row)).decode() for row in every]
        if table is not None:
            text[name]["guessed"] = table
    return {"_whole": b"".join([*values, *statistics, *masks, *guesses]), "_text": text}
