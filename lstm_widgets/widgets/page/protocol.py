"""What the page asks of the kernel, and the answers: one message each, many buffers.

The page's side is js/src/data/kernel_source.js. A request is always answered, with an error text if
need be; its ``id`` comes back with the answer.

=============  =============================  ==============================================
wanted         request                        answer
=============  =============================  ==============================================
tiles          ``[[level, block, cells]]``    a buffer each: uint8 codes (cell, bin)
columns        ``[block]``                    tokens and labels, and a buffer each: the mask
values         ``[cell, start, stop]``        a buffer: exact float32
similarity     ``cell``                       a buffer: float32, one a cell
series         ``[[cell, block]]``            a buffer each: exact float32 (signal, column), and
                                              behind it, of a layer that starts from other states
                                              than zero, the initial state where a call starts
text           ``[example, start, stop]``     the different tokens, and a buffer: uint32, which
                                              of them stands at each timestep
predictions    ``[block]``                    three buffers each, see `guesses_of`
times          ``example``                    a buffer: float64, see `ShownTimes.packed`
find           a text                         two buffers: uint32, the first columns of the
                                              places where it stands, and those behind them
=============  =============================  ==============================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.changes import started
from lstm_widgets.recording.rows import rows_of
from lstm_widgets.tokens.wording import sendable
from lstm_widgets.views.times import shown_times
from lstm_widgets.widgets.page.search import hits_of
from lstm_widgets.widgets.page.tiles import BLOCK, SignalTiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import xarray as xr


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
        tokens = [sendable(token) for token in rows_of(dataset["token"], start, stop)]
    if "label" in dataset.coords:
        labels = [sendable(label) for label in dataset["label"][first:last].values]
    return {"start": start, "tokens": tokens, "first_example": first, "labels": labels}


def text_of(
    dataset: xr.Dataset, example: int, start: int, stop: int
) -> tuple[dict[str, Any], npt.NDArray[np.uint32]]:
    """
    Give the tokens of one example, each different one once.

    Parameters
    ----------
    dataset : xarray.Dataset
        One layer of a recording, with tokens.
    example : int
        Which example.
    start, stop : int
        Timesteps.

    Returns
    -------
    tuple of (dict, numpy.ndarray)
        ``example``, ``start`` and ``table`` (list of the different str); and uint32: which of the table
        stands at each timestep.
    """
    numbers: dict[str, int] = {}
    tokens = dataset["token"][example, start:stop].values
    codes = [numbers.setdefault(token, len(numbers)) for token in tokens]
    text = {"example": example, "start": start, "table": [sendable(token) for token in numbers]}
    return text, np.array(codes, dtype=np.uint32)


def guesses_of(
    predictions: xr.Dataset, start: int, stop: int
) -> tuple[
    list[str] | None, npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.float32]
]:
    """
    Give the top guesses at columns ``start`` to ``stop``.

    Parameters
    ----------
    predictions : xarray.Dataset
        ``Recording.predictions``.
    start, stop : int
        Columns: ``example * timesteps + timestep``.

    Returns
    -------
    table : list of str or None
        The different tokens; None if they are not known.
    ids : numpy.ndarray
        int32 (column, rank): which of the table, or the predicted id itself; -1 if there is none.
    probabilities : numpy.ndarray
        float32 (column, rank).
    targets : numpy.ndarray
        float32 (column,): the probability of the token that really comes next; NaN where unknown.
    """

    def rows(name: str) -> npt.NDArray[Any]:
        return rows_of(predictions[name], start, stop)

    ids = rows("predicted_id").astype(np.int32, copy=False)
    table = None
    if "predicted_token" in predictions:
        known, where, numbers = np.unique(ids, return_index=True, return_inverse=True)
        tokens = rows("predicted_token").reshape(-1)[where]
        table = [sendable(str(token)) for token in tokens]
        numbered = np.where(known < 0, -1, np.arange(len(known)))
        ids = numbered[numbers].reshape(ids.shape).astype(np.int32)
    probabilities = rows("probability").astype(np.float32, copy=False)
    if "target_probability" in predictions:
        targets = rows("target_probability").astype(np.float32, copy=False)
    else:
        targets = np.full(len(ids), np.nan, np.float32)
    return table, ids, probabilities, targets


def mask_of(dataset: xr.Dataset, start: int, stop: int) -> bytes:
    """Give one byte a column, 1 for a timestep and 0 for padding; no bytes where nothing is padded."""
    if "mask" not in dataset:
        return b""
    return rows_of(dataset["mask"], start, stop).astype(np.uint8).tobytes()


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
    rows = [
        rows_of(values, start, stop, cell)
        for name, values in dataset.data_vars.items()
        if name != "mask"
    ]
    return np.stack(rows).astype(np.float32, copy=False).tobytes()


def initial_row(
    dataset: xr.Dataset,
    initial: npt.NDArray[np.float32] | None,
    cell: int,
    start: int,
    stop: int,
) -> bytes:
    """Give a float32 for each column: the state that a call starts from here, else NaN."""
    columns = np.arange(start, stop)
    if initial is None:
        return np.full(stop - start, np.nan, np.float32).tobytes()
    calls = dataset.attrs.get("calls", [dataset.sizes["timestep"]])
    backwards = bool(dataset.attrs.get("go_backwards", False))
    states = started(initial[..., cell], columns, calls, backwards=backwards)
    return states.astype(np.float32).tobytes()


def answer(
    request: dict[str, Any],
    parts: Sequence[xr.Dataset],
    tiles: SignalTiles,
    predictions: xr.Dataset | None,
    initial: Sequence[npt.NDArray[np.float32] | None] = (),
) -> tuple[dict[str, Any], list[bytes]]:
    """
    Answer one request of the page.

    Parameters
    ----------
    request : dict
        See the table above.
    parts : sequence of xarray.Dataset
        The layer asked for; of both directions side by side the two, since putting them together
        copies all of their signals.
    tiles : SignalTiles
        The signal asked for.
    predictions : xarray.Dataset or None
        What the model guessed to come next.
    initial : sequence of float32 array (example, call, cell), optional
        The states that each part started from, if any is not zero.

    Returns
    -------
    tuple of (dict, list of bytes)
        The message and its buffers.

    Raises
    ------
    KeyError, TypeError, ValueError, IndexError
        For a request that no page of ours sends; the caller answers with its text.
    """
    dataset = parts[0]
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
        buffers.append(tiles.read(start, stop, cell).tobytes())
    reply["similarity"] = request.get("similarity")
    if reply["similarity"] is not None:
        buffers.append(tiles.similarity(reply["similarity"]).tobytes())
    reply["series"] = request.get("series", [])
    for cell, block in reply["series"]:
        start, stop = block * BLOCK, min((block + 1) * BLOCK, tiles.columns)
        part, index = divmod(cell, dataset.sizes["cell"])
        series = series_of(parts[part], index, start, stop)
        if initial:
            series += initial_row(parts[part], initial[part], index, start, stop)
        buffers.append(series)
    reply["text"] = None
    if request.get("text") is not None:
        reply["text"], codes = text_of(dataset, *request["text"])
        buffers.append(codes.tobytes())
    reply["predictions"] = []
    for block in request.get("predictions", []):
        if predictions is None:
            raise ValueError("predictions: this recording has none")
        start, stop = block * BLOCK, min((block + 1) * BLOCK, tiles.columns)
        table, *arrays = guesses_of(predictions, start, stop)
        reply["predictions"].append({"block": block, "table": table})
        buffers.extend(array.tobytes() for array in arrays)
    reply["times"] = request.get("times")
    if reply["times"] is not None:
        times = shown_times(dataset)
        if times is None:
            raise ValueError("times: this layer has none")
        buffers.append(times.packed(reply["times"]))
    reply["find"] = request.get("find")
    if reply["find"] is not None:
        buffers.extend(ends.tobytes() for ends in hits_of(dataset, reply["find"]))
    return reply, buffers
