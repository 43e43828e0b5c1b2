"""What the page asks of the kernel, and the answers: one message each, many buffers.

The page's side is js/src/core/kernel_source.js. A request is always answered, with an error text if
need be; its ``id`` comes back with the answer.

=============  =============================  ==============================================
wanted         request                        answer
=============  =============================  ==============================================
tiles          ``[[level, block, cells]]``    a buffer each: uint8 codes (cell, bin)
columns        ``[block]``                    tokens and labels, and a buffer each: the mask
values         ``[cell, start, stop]``        a buffer: exact float32
similarity     ``cell``                       a buffer: float32, one a cell
series         ``[[cell, block]]``            a buffer each: exact float32 (signal, column)
=============  =============================  ==============================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.widgets._tiles import BLOCK, SignalTiles

if TYPE_CHECKING:
    import xarray as xr


def sendable(text: str) -> str:
    """Give a text that UTF-8 can hold: half a surrogate pair becomes the replacement character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def columns_of(dataset: xr.Dataset, start: int, stop: int) -> dict[str, Any]:
    """
    Give what stands above columns ``start`` to ``stop``, examples laid end to end.

    Parameters
    ----------
    dataset : xarray.Dataset
        One layer of a recording.
    start, stop : int
        Columns: ``example * timesteps + timestep``.

    Returns
    -------
    dict
        ``tokens`` (list of str, or None if unknown), ``first_example`` and ``labels`` (list of str for
        the examples that the columns touch, or None).
    """
    timesteps = max(1, dataset.sizes["timestep"])
    first, last = start // timesteps, -(-stop // timesteps)
    tokens = labels = None
    if "token" in dataset.coords:
        rows = dataset["token"][first:last].values.reshape(-1)
        tokens = [
            sendable(token) for token in rows[start - first * timesteps : stop - first * timesteps]
        ]
    if "label" in dataset.coords:
        labels = [sendable(label) for label in dataset["label"][first:last].values]
    return {"start": start, "tokens": tokens, "first_example": first, "labels": labels}


def mask_of(dataset: xr.Dataset, start: int, stop: int) -> bytes:
    """Give one byte a column, 1 for a timestep and 0 for padding; no bytes where nothing is padded."""
    if "mask" not in dataset:
        return b""
    return dataset["mask"].values.reshape(-1)[start:stop].astype(np.uint8).tobytes()


def series_of(dataset: xr.Dataset, cell: int, start: int, stop: int) -> bytes:
    """
    Give all signals of one cell over some columns.

    Only what is asked for is read, so that a recording that was opened lazily stays on its disk.

    Parameters
    ----------
    dataset : xarray.Dataset
        One layer of a recording.
    cell : int
    start, stop : int
        Columns: ``example * timesteps + timestep``.

    Returns
    -------
    bytes
        float32 (signal, column), the signals in the order of the recording.
    """
    timesteps = max(1, dataset.sizes["timestep"])
    first, last = start // timesteps, -(-stop // timesteps)
    start, stop = start - first * timesteps, stop - first * timesteps
    # Of a single long example only the stretch; of several short ones all, cut below.
    within = slice(start, stop) if last - first == 1 else slice(None)
    cut = slice(None) if last - first == 1 else slice(start, stop)
    rows = [
        values[first:last, within, cell].values.reshape(-1)[cut]
        for name, values in dataset.data_vars.items()
        if name != "mask"
    ]
    return np.stack(rows).astype(np.float32, copy=False).tobytes()


def answer(
    request: dict[str, Any], dataset: xr.Dataset, tiles: SignalTiles
) -> tuple[dict[str, Any], list[bytes]]:
    """
    Answer one request of the page.

    Parameters
    ----------
    request : dict
        See the table above.
    dataset : xarray.Dataset
        The layer asked for.
    tiles : SignalTiles
        The signal asked for.

    Returns
    -------
    tuple of (dict, list of bytes)
        The message and its buffers.

    Raises
    ------
    KeyError, TypeError, ValueError, IndexError
        For a request that no page of ours sends; the caller answers with its text.
    """
    buffers: list[bytes] = []
    reply: dict[str, Any] = {key: request[key] for key in ("id", "layer", "signal")}
    reply["tiles"] = request.get("tiles", [])
    for level, block, cells in reply["tiles"]:
        buffers.append(tiles.tile(int(level), int(block), cells).tobytes())
    reply["columns"] = []
    for block in request.get("columns", []):
        start, stop = block * BLOCK, min((block + 1) * BLOCK, tiles.columns)
        reply["columns"].append(columns_of(dataset, start, stop))
        buffers.append(mask_of(dataset, start, stop))
    reply["values"] = request.get("values")
    if reply["values"] is not None:
        cell, start, stop = reply["values"]
        buffers.append(tiles.flat[start:stop, cell].tobytes())
    reply["similarity"] = request.get("similarity")
    if reply["similarity"] is not None:
        buffers.append(tiles.similarity(reply["similarity"]).tobytes())
    reply["series"] = request.get("series", [])
    for cell, block in reply["series"]:
        start, stop = block * BLOCK, min((block + 1) * BLOCK, tiles.columns)
        buffers.append(series_of(dataset, cell, start, stop))
    return reply, buffers
