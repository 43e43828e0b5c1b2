"""Layers a block of timesteps at a time, here or on a cluster, so that nothing needs the whole.

What is computed of a recording is a pure function from a block to something small, and a merge in the
order of the blocks: so the same edges give the same result to the bit, whoever computes it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import socket
import sys
import warnings
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from lstm_widgets.errors import RecordingFileError
from lstm_widgets.rnn.parallel import alone, cpus, mapped, one_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator

    import numpy.typing as npt
    import xarray as xr

    Result = TypeVar("Result")

__all__ = ["Block", "blocks_of", "blockwise", "current_client", "packed"]

#: Values (timestep × cell) of one block: 16 MiB of float32.
BLOCK_VALUES = 1 << 22
# How many blocks a worker of a cluster is given at a time, so that none waits for the next.
_AHEAD = 3
#: How many blocks are in work at a time without a cluster, at most.
HERE = 8


@dataclass(frozen=True)
class Block:
    """Some timesteps of some examples of a layer, read when they are asked for.

    Several examples are always whole ones.

    Parameters
    ----------
    layer : xarray.Dataset
        The layer, as ``recording[name]`` gives it.
    examples, timesteps : slice
        Which ones.
    """

    layer: xr.Dataset
    examples: slice
    timesteps: slice

    def read(self, signal: str, cells: slice = slice(None)) -> npt.NDArray[np.float32]:
        """Read a signal of all or some cells: ``(example, timestep, cell)``."""
        values: npt.NDArray[np.float32] = self.layer[signal][
            self.examples, self.timesteps, cells
        ].to_numpy()
        return values

    def mask(self) -> npt.NDArray[np.bool_]:
        """Tell which timesteps are no padding: ``(example, timestep)``."""
        if "mask" not in self.layer:
            return np.ones((_length(self.examples), _length(self.timesteps)), np.bool_)
        return np.asarray(self.layer["mask"][self.examples, self.timesteps].to_numpy())

    @property
    def columns(self) -> slice:
        """Where it is, if examples are laid end to end."""
        width = self.layer.sizes["timestep"]
        start = self.examples.start * width + self.timesteps.start
        return slice(start, start + _length(self.examples) * _length(self.timesteps))

    def __str__(self) -> str:
        """Say which it is, as an error does."""
        name = self.layer.encoding.get("layer")
        layer = "block" if name is None else f"layer {name!r}"
        examples, timesteps = (f"{s.start}:{s.stop}" for s in (self.examples, self.timesteps))
        return f"{layer}, examples {examples}, timesteps {timesteps}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Send away what is in memory of the block alone, and of what is on disk where it is."""
        part = self.layer.isel(example=self.examples, timestep=self.timesteps)
        return _sent, (part, self.columns)


class _Sent(Block):
    """A block that has come alone."""

    _columns: slice

    @property
    def columns(self) -> slice:
        return self._columns


def _sent(part: xr.Dataset, columns: slice) -> _Sent:
    block = _Sent(part, slice(0, part.sizes["example"]), slice(0, part.sizes["timestep"]))
    object.__setattr__(block, "_columns", columns)
    return block


def blocks_of(layer: xr.Dataset, values: int | None = None) -> list[Block]:
    """Cut a layer into blocks, in order: of some whole examples, or of timesteps of one.

    Parameters
    ----------
    layer : xarray.Dataset
        The layer.
    values : int, optional
        How many values of a signal a block has at most, unless a single timestep has more. Default:
        `BLOCK_VALUES`. On disk, edges are those of chunks if a chunk has fewer.

    Returns
    -------
    list of Block
        All of it, each timestep of each example once.
    """
    most = BLOCK_VALUES if values is None else values
    examples, timesteps, cells = (layer.sizes[name] for name in ("example", "timestep", "cell"))
    batch, steps = _chunk(layer)
    columns = max(1, most // max(1, cells))
    if timesteps <= columns:
        together = _rounded(max(1, columns // max(1, timesteps)), batch)
        return [
            Block(layer, slice(k, min(k + together, examples)), slice(0, timesteps))
            for k in range(0, examples, together)
        ]
    columns = _rounded(columns, steps)
    return [
        Block(layer, slice(k, k + 1), slice(t, min(t + columns, timesteps)))
        for k in range(examples)
        for t in range(0, timesteps, columns)
    ]


def _rounded(count: int, chunk: int) -> int:
    return count - count % chunk if count >= chunk else count


def _chunk(layer: xr.Dataset) -> tuple[int, int]:
    """Tell how many examples and timesteps a chunk on disk has; 1 and 1 in memory."""
    for variable in layer.data_vars.values():
        chunks = variable.encoding.get("chunks")
        if variable.ndim == 3 and chunks is not None:
            return int(chunks[0]), int(chunks[1])
    return 1, 1


def blockwise(
    function: Callable[[Block], Result], blocks: Collection[Block], *, desc: str
) -> Iterator[Result]:
    """Call a function with every block, on the Dask cluster of the current client if there is one.

    Without one, as many blocks are in work as there are processors, at most `HERE`. Here and there, each
    block has one thread, and BLAS one for each block, so that sums come out the same wherever they are
    computed, and only a few results wait for those before them. Closing the iterator, or an
    interrupt, calls off what hasn't begun. Of a worker that is lost, what it had in work is computed
    again elsewhere.

    Parameters
    ----------
    function : callable
        From a block to something small. It may run in another thread, several times at once. On a cluster
        it is sent to every worker once, so it is one that can be pickled.
    blocks : collection of Block
        The blocks; each is taken when it is its turn.
    desc : str
        What the progress bar says is being done.

    Yields
    ------
    Result
        What it returned, in the order of the blocks.

    Raises
    ------
    TypeError
        If the function can't be sent to the workers.
    RecordingFileError
        If a worker doesn't see the file that the blocks are in.
    Exception
        Whatever the function raises, with a note of the block.
    """
    from tqdm.auto import tqdm  # noqa: PLC0415

    client = current_client()
    results = _here(function, blocks) if client is None else _there(client, function, blocks)
    quiet = True if len(blocks) < 2 else None
    bar = tqdm(total=len(blocks), desc=desc, unit="block", leave=False, disable=quiet)
    with bar, contextlib.closing(results):
        for result in results:
            bar.update()
            yield result


def _here(function: Callable[[Block], Result], blocks: Collection[Block]) -> Generator[Result]:
    def named(block: Block) -> Result:
        try:
            return function(block)
        except Exception as error:
            error.add_note(f"in {block}")
            raise

    left = iter(blocks)
    while some := [*itertools.islice(left, min(cpus(), HERE))]:
        with alone():
            results = mapped(named, some)
        yield from results


def current_client() -> Any:  # noqa: ANN401 - Dask has no types
    """Find the client of a Dask cluster that work is to be sent to; None if there is none.

    There is none where Dask was never imported, within the work of a worker, and where the client is
    asynchronous. A cluster within this process has nothing that our own threads haven't.
    """
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        client = distributed.default_client()
    except ValueError:
        return None
    try:
        distributed.get_worker()
    except ValueError:
        here = client.asynchronous or client.scheduler.address.startswith("inproc://")
        return None if here else client
    return None


def packed(thing: Any, argument: str) -> bytes:  # noqa: ANN401 - whatever can be pickled
    """Pickle what is sent to the workers of a cluster, functions and classes of a notebook, too.

    Raises
    ------
    TypeError
        If that can't be done.
    """
    from distributed.protocol.pickle import dumps  # noqa: PLC0415

    try:
        made: bytes = dumps(thing)
    except Exception as error:
        raise TypeError(
            f"{argument}: expected what can be pickled, to send it to the workers of the Dask cluster; "
            f"of {thing!r:.80} that can't be done: {error}. Without a cluster (close the client, or leave "
            "its with statement) nothing is sent"
        ) from error
    return made


def _there(
    client: Any,  # noqa: ANN401
    function: Callable[[Block], Result],
    blocks: Collection[Block],
) -> Generator[Result]:
    """Have a cluster do it, a few blocks ahead of what is asked for."""
    with warnings.catch_warnings():
        # What belongs to the function is sent once, however large it is: as a task of its own, which
        # is done again where the worker that had its result is lost.
        warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
        sent = client.submit(pickle.loads, packed(function, "function"), pure=False)
    left = iter(blocks)
    running: deque[tuple[Block, Any]] = deque()

    def more(count: int) -> None:
        for block in itertools.islice(left, count):
            running.append((block, client.submit(_on_worker, sent, block, pure=False)))

    try:
        more(_AHEAD * max(1, sum(client.nthreads().values())))
        while running:
            block, future = running[0]
            try:
                result = future.result()
            except Exception as error:
                error.add_note(f"in {block}, on a worker of the Dask cluster")
                raise
            running.popleft()
            future.release()
            more(1)
            yield result
    finally:
        if running:
            with contextlib.suppress(Exception):  # the client, or the cluster, may be closed
                client.cancel([future for _, future in running])


def _on_worker(function: Callable[[Block], Result], block: Block) -> Result:
    try:
        with one_thread():
            return function(block)
    except Exception as error:
        path = _unseen(block)
        if path is None:
            raise
        raise RecordingFileError(
            f"path: expected a recording that every worker of the Dask cluster can open by the same path, as "
            f"on a shared disk or in a bucket; the one on {socket.gethostname()!r} doesn't see {path!r}"
        ) from error


def _unseen(block: Block) -> str | None:
    """Name a file of a block that isn't there, seen from here."""
    for variable in block.layer.variables.values():
        source = variable.encoding.get("source")
        if isinstance(source, str) and "://" not in source and not os.path.exists(source):  # noqa: PTH110
            return source
    return None


def _length(part: slice) -> int:
    return max(0, int(part.stop) - int(part.start))
