"""Layers a block of timesteps at a time, here or on a cluster, so that nothing needs the whole.

What is computed of a recording is a pure function from a block to something small, and a merge in the
order of the blocks: so the same edges give the same result to the bit, whoever computes it.
"""

from __future__ import annotations

import itertools
import sys
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from lstm_widgets.rnn.parallel import alone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt
    import xarray as xr

    Result = TypeVar("Result")

__all__ = ["Block", "blocks_of", "blockwise"]

#: Values (timestep × cell) of one block: 16 MiB of float32.
BLOCK_VALUES = 1 << 22
# How many blocks a worker of a cluster is given at a time, so that none waits for the next.
_AHEAD = 3


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
    function: Callable[[Block], Result], blocks: Sequence[Block], *, desc: str
) -> Iterator[Result]:
    """Call a function with every block, on the Dask cluster of the current client if there is one.

    BLAS has one thread for each block, so that sums come out the same wherever they are computed.
    Closing the iterator, or an interrupt, calls off what hasn't begun.

    Parameters
    ----------
    function : callable
        From a block to something small. On a cluster both are sent to workers, so it is a function of a
        module, or a ``functools.partial`` of one.
    blocks : sequence of Block
        The blocks.
    desc : str
        What the progress bar says is being done.

    Yields
    ------
    Result
        What it returned, in the order of the blocks.
    """
    from tqdm.auto import tqdm  # noqa: PLC0415

    client = _client()
    results = _here(function, blocks) if client is None else _there(client, function, blocks)
    quiet = True if len(blocks) < 2 else None
    with tqdm(total=len(blocks), desc=desc, unit="block", leave=False, disable=quiet) as bar:
        for result in results:
            yield result
            bar.update()


def _here(function: Callable[[Block], Result], blocks: Sequence[Block]) -> Iterator[Result]:
    for block in blocks:
        yield _alone(function, block)


def _alone(function: Callable[[Block], Result], block: Block) -> Result:
    with alone():
        return function(block)


def _client() -> Any:  # noqa: ANN401 - Dask has no types
    """Find the current client of a cluster: there is none where Dask was never imported."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        return distributed.default_client()
    except ValueError:
        return None


def _there(
    client: Any,  # noqa: ANN401
    function: Callable[[Block], Result],
    blocks: Sequence[Block],
) -> Iterator[Result]:
    """Have a cluster do it, a few blocks ahead of what is asked for."""
    left = iter(blocks)
    ahead = _AHEAD * max(1, sum(client.nthreads().values()))
    running: deque[Any] = deque()

    def more(count: int) -> None:
        for block in itertools.islice(left, count):
            running.append(client.submit(_alone, function, block, pure=False))

    try:
        more(ahead)
        while running:
            result = running[0].result()
            running.popleft().release()
            more(1)
            yield result
    finally:
        client.cancel(list(running))


def _length(part: slice) -> int:
    return max(0, int(part.stop) - int(part.start))
