# What Numba compiles has no types: each function is compiled for those that it is called with.
# mypy: disable-error-code="untyped-decorator, no-untyped-def"
# ruff: noqa: ANN001, ANN202, PLR0917
"""The one compiled loop: a recurrent cell over whole sequences, its signals kept as it goes.

The equations are those of :func:`lstm_widgets.rnn.cells.step`. Importing this module imports Numba,
which takes a while: :mod:`lstm_widgets.rnn.scan` does so when it is first needed.

What makes it quick: the products with the inputs are done outside of the loop, for some timesteps at
once; those of a step are so small that BLAS need not rearrange the weights each time; blocks of examples
are shared out to threads; and everything elementwise is done on rows that stay in the closest cache, in
loops that LLVM turns into vector code.
"""

from __future__ import annotations

import itertools
import math
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lstm_widgets.rnn.cells import SIGNALS, Lookup
from lstm_widgets.rnn.compiled_activations import CODES, activate
from lstm_widgets.rnn.compiling import cached, jit, said_once
from lstm_widgets.rnn.meeting import called_off, meet, meetings
from lstm_widgets.rnn.parallel import alone, cpus, mapped, threads_here

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from lstm_widgets.rnn.cells import Cell, Holds

    Floats = npt.NDArray[np.floating[Any]]

__all__ = ["scan", "serves"]

_FIRST_SIX = tuple(np.uintp(k) for k in range(6))

# The loops ----------------------------------------------------------------------------------------

# Recurrent weights come in parts (part, units, gates * units / parts), either all gates in one or one in
# each, see _weights. All take, after what is the cell's own: what goes into the activations from the inputs
# (example, timestep, gates * units); the states (example, units), which become those after the last
# step; what is no padding (example, timestep), or nothing; whether the last timestep comes first; what
# is held, of each signal (signal, example, units), or nothing; room for all signals
# (signal, example, timestep, units); and where threads meet that share the units out to each other.
#
# If they do, everything but the hidden state is of a thread's own units only, of which `first` is the
# first in the hidden state: they meet when all have read it, and when all have written it.
#
# Rows are told by their numbers and not cut out: a cut costs as much as computing on it. Numbers are
# unsigned: of others each would be looked at whether it counts from the end.


@jit
def _hold(held, values, kept, first, last, b, t):
    """Put what is held into the rows of some signals."""
    for s in range(np.uintp(first), np.uintp(last)):
        for k in range(np.uintp(kept.shape[3])):
            if held[s, b, k]:
                kept[s, b, t, k] = values[s, b, k]


@jit
def _multiply(hidden, recurrent, sums):
    for part in range(recurrent.shape[0]):
        np.dot(hidden, recurrent[part], sums[part])


@jit
def _place(sums, gate, units):
    """Tell in which part a gate is, and where it begins there."""
    zero = np.uintp(0)
    return (zero, gate * units) if sums.shape[0] == 1 else (gate, zero)


@cached
def _lstm(recurrent, codes, z, state, real, reverse, held, values, kept, met, first):
    (hidden, cell), (code, gate_code) = state, codes
    h, c, i, f, g, o = _FIRST_SIX
    one, four = np.uintp(1), np.uintp(4)
    examples, timesteps = np.uintp(z.shape[0]), np.uintp(z.shape[1])
    units = np.uintp(kept.shape[3])
    masked, holding = real.size > 0, held.size > 0
    sums = np.empty((recurrent.shape[0], z.shape[0], recurrent.shape[2]), z.dtype)
    for step in range(timesteps):
        t = timesteps - one - step if reverse else step
        _multiply(hidden, recurrent, sums)
        meet(met)
        for b in range(examples):
            for gate in range(four):
                part, at = _place(sums, gate, units)
                for k in range(units):
                    kept[i + gate, b, t, k] = sums[part, b, at + k] + z[b, t, gate * units + k]
            activate(gate_code, kept, i, b, t)
            activate(gate_code, kept, f, b, t)
            activate(code, kept, g, b, t)
            activate(gate_code, kept, o, b, t)
            if holding:
                _hold(held, values, kept, 2, 6, b, t)
            if masked and not real[b, t]:
                for k in range(units):
                    kept[c, b, t, k] = cell[b, k]
                    kept[h, b, t, k] = hidden[b, first + k]
                continue
            for k in range(units):
                carried = kept[f, b, t, k] * cell[b, k]
                kept[c, b, t, k] = carried + kept[i, b, t, k] * kept[g, b, t, k]
            if holding:
                _hold(held, values, kept, 1, 2, b, t)
            for k in range(units):
                cell[b, k] = kept[c, b, t, k]
                kept[h, b, t, k] = kept[c, b, t, k]
            activate(code, kept, h, b, t)
            for k in range(units):
                kept[h, b, t, k] *= kept[o, b, t, k]
            if holding:
                _hold(held, values, kept, 0, 1, b, t)
            for k in range(units):
                hidden[b, first + k] = kept[h, b, t, k]
        meet(met)


@cached
def _gru(recurrent, recurrent_bias, codes, z, state, real, reverse, held, values, kept, met, first):
    """``recurrent`` has all gates if the reset gate comes after the product, else gates and candidate."""
    hidden, (code, gate_code) = state[0], codes
    h, u, r, g, _, _ = _FIRST_SIX
    one, two = np.uintp(1), np.uintp(2)
    examples, timesteps = np.uintp(z.shape[0]), np.uintp(z.shape[1])
    units = np.uintp(kept.shape[3])
    reset_after = not recurrent[1].size
    masked, holding = real.size > 0, held.size > 0
    sums = np.empty((recurrent[0].shape[0], z.shape[0], recurrent[0].shape[2]), z.dtype)
    gated, inner = np.empty_like(hidden), np.empty((1, *hidden.shape), z.dtype)
    for step in range(timesteps):
        t = timesteps - one - step if reverse else step
        _multiply(hidden, recurrent[0], sums)
        meet(met)
        for b in range(examples):
            for gate in range(np.uintp(recurrent_bias.shape[0])):
                part, at = _place(sums, gate, units)
                for k in range(units):
                    sums[part, b, at + k] += recurrent_bias[gate, k]
            for gate in range(two):
                part, at = _place(sums, gate, units)
                for k in range(units):
                    kept[u + gate, b, t, k] = sums[part, b, at + k] + z[b, t, gate * units + k]
            activate(gate_code, kept, u, b, t)
            activate(gate_code, kept, r, b, t)
            if holding:
                _hold(held, values, kept, 1, 3, b, t)
            part, at = _place(sums, two, units)
            for k in range(units):
                from_hidden = sums[part, b, at + k] if reset_after else hidden[b, first + k]
                kept[g, b, t, k] = kept[r, b, t, k] * from_hidden
        if not reset_after:
            for b in range(examples):
                for k in range(units):
                    gated[b, k] = kept[g, b, t, k]
            _multiply(gated, recurrent[1], inner)
        for b in range(examples):
            for k in range(units):
                from_hidden = kept[g, b, t, k] if reset_after else inner[0, b, k]
                kept[g, b, t, k] = from_hidden + z[b, t, two * units + k]
            activate(code, kept, g, b, t)
            if holding:
                _hold(held, values, kept, 3, 4, b, t)
            if masked and not real[b, t]:
                for k in range(units):
                    kept[h, b, t, k] = hidden[b, first + k]
                continue
            for k in range(units):
                new = (z.dtype.type(1) - kept[u, b, t, k]) * kept[g, b, t, k]
                kept[h, b, t, k] = kept[u, b, t, k] * hidden[b, first + k] + new
            if holding:
                _hold(held, values, kept, 0, 1, b, t)
            for k in range(units):
                hidden[b, first + k] = kept[h, b, t, k]
        meet(met)


@cached
def _simple_rnn(recurrent, codes, z, state, real, reverse, held, values, kept, met, first):
    hidden, h = state[0], _FIRST_SIX[0]
    one = np.uintp(1)
    examples, timesteps = np.uintp(z.shape[0]), np.uintp(z.shape[1])
    units = np.uintp(kept.shape[3])
    masked, holding = real.size > 0, held.size > 0
    sums = np.empty((1, z.shape[0], recurrent.shape[2]), z.dtype)
    for step in range(timesteps):
        t = timesteps - one - step if reverse else step
        _multiply(hidden, recurrent, sums)
        meet(met)
        for b in range(examples):
            if masked and not real[b, t]:
                for k in range(units):
                    kept[h, b, t, k] = hidden[b, first + k]
                continue
            for k in range(units):
                kept[h, b, t, k] = sums[0, b, k] + z[b, t, k]
            activate(codes[0], kept, h, b, t)
            if holding:
                _hold(held, values, kept, 0, 1, b, t)
            for k in range(units):
                hidden[b, first + k] = kept[h, b, t, k]
        meet(met)


# From arrays to arrays ----------------------------------------------------------------------------

# Values of what goes into the activations that are computed at a time: they stay in a cache.
_AHEAD = 1 << 17
# Multiply-adds that are worth a thread of their own.
_THREAD_WORK = 1 << 22
# Up to so many multiply-adds OpenBLAS multiplies matrices as they are. For more it first rearranges both,
# which for so few rows costs as much as the product, at each step anew.
_AS_THEY_ARE = 1_000_000
# Recurrent weights that are worth a thread of their own at each step, and the most such threads.
_SHARED_WEIGHTS = 1 << 15
_MOST_TOGETHER = 4
# BLAS computes so many columns together, or fewer, and what is left of them in another way. Threads share
# the units so that nothing is left: then sums are the same to the bit, however many threads there are.
_TOGETHER = 16
# Fewer rows than these are not worth it.
_FEW_ROWS = 4
_NOWHERE = np.empty((0, 0), np.bool_)

_LOOPS = {"LSTM": _lstm, "GRU": _gru, "SimpleRNN": _simple_rnn}


def serves(cell: Cell) -> bool:
    """Whether the compiled loop has a cell's equations and activations, and computes in its dtype."""
    known = cell.kind in _LOOPS and set(cell.activation_names) <= set(CODES)
    return known and cell.kernel.dtype in (np.float32, np.float64)


def scan(
    cell: Cell,
    sequences: Floats,
    initial_state: Sequence[Floats],
    mask: npt.NDArray[np.bool_] | None,
    out: Mapping[str, Floats],
    *,
    reverse: bool = False,
    held: Holds | None = None,
    of_inputs: Floats | None = None,
    lookup: Lookup | None = None,
) -> list[Floats]:
    """Run a cell over whole sequences, see :func:`lstm_widgets.rnn.scan.scan`."""
    examples, timesteps, features = sequences.shape
    dtype = cell.kernel.dtype
    state = [np.array(s, dtype, order="C") for s in initial_state]
    if not examples or not timesteps:
        return state
    signals = SIGNALS[cell.kind]
    holds = _held(held or {}, signals, examples, cell.units, dtype)
    work = examples * timesteps * cell.kernel.shape[1] * (features + cell.units)
    threads = max(1, min(cpus(), examples, work // _THREAD_WORK))
    most = _rows_at_once(cell.units, cell.units)
    parts = min(examples, threads * max(1, -(-examples // (threads * most))))
    edges = [examples * k // parts for k in range(parts + 1)]
    shares = _shares(cell, -(-examples // parts), 1 if examples > 1 else _together(cell, timesteps))
    looked_up = None if lookup is None else _looked_up(cell, lookup.used(), threads)

    def run(part: tuple[slice, _Share]) -> None:
        rows, share = part
        products = None
        if looked_up is not None:
            table = _columns(looked_up.table, cell, share.units)
            products = Lookup(table, looked_up.rows[rows])
        try:
            _scan_block(
                share,
                sequences[rows],
                tuple(s[rows] for s in state),
                None if mask is None else mask[rows],
                {name: values[rows, :, share.units] for name, values in out.items()},
                reverse=reverse,
                of_inputs=None if of_inputs is None else of_inputs[rows, :, share.units],
                products=products,
                held=tuple(np.ascontiguousarray(one[:, rows, share.units]) for one in holds),
            )
        except BaseException:
            called_off(share.meeting)
            raise

    blocks = [slice(a, b) for a, b in itertools.pairwise(edges)]
    with said_once(), alone():
        mapped(run, list(itertools.product(blocks, shares)))
    return state


class _Share(NamedTuple):
    """What a thread computes of a cell: all of its units, or some."""

    cell: Cell
    units: slice
    kernel: Floats
    bias: Floats | None
    weights: tuple[Any, ...]
    meeting: tuple[Any, Any]

    @property
    def candidate(self) -> slice:
        """Which columns of the weights lead to the candidate; of a SimpleRNN, to the hidden state."""
        count = self.units.stop - self.units.start
        first = self.cell.candidate.start // self.cell.units
        return slice(first * count, (first + 1) * count)


def _together(cell: Cell, timesteps: int) -> int:
    """Tell how many threads share out the units of a cell that reads a single example.

    Each then has its part of the weights in the cache of its processor.
    """
    if (
        cell.kind == "GRU" and not cell.reset_after
    ):  # whose second product needs what the first made
        return 1
    worth = int(cell.recurrent_kernel.size) // _SHARED_WEIGHTS
    inseparable = _inseparable(cell)
    room = 1 if cell.units % inseparable else cell.units // inseparable
    return max(1, min(threads_here(), worth, room, timesteps, _MOST_TOGETHER))


def _inseparable(cell: Cell) -> int:
    """Tell how many units, with all their gates, are whole rounds of what BLAS computes together."""
    return _TOGETHER // math.gcd(_TOGETHER, cell.recurrent_kernel.shape[1] // cell.units)


def _shares(cell: Cell, rows: int, count: int) -> list[_Share]:
    """Share the units of a cell out to some threads; ``rows`` examples are in a block."""
    some = _inseparable(cell)
    edges = [cell.units * k // count // some * some for k in range(count)] + [cell.units]
    shares = []
    for (first, stop), meeting in zip(itertools.pairwise(edges), meetings(count), strict=True):
        units = slice(first, stop)
        bias = None if cell.input_bias is None else _columns(cell.input_bias[None], cell, units)
        weights = _weights(cell, units, rows)
        shares.append(
            _Share(cell, units, _columns(cell.kernel, cell, units), bias, weights, meeting)
        )
    return shares


def _columns(weights: Floats, cell: Cell, units: slice) -> Floats:
    """Give the columns ``(rows, gates * units)`` of some units, of each gate."""
    if units.stop - units.start == cell.units:
        return weights
    by_gate = weights.reshape(len(weights), -1, cell.units)[:, :, units]
    return np.ascontiguousarray(by_gate).reshape(len(weights), -1)


def _scan_block(
    share: _Share,
    sequences: Floats,
    state: tuple[Floats, ...],
    mask: npt.NDArray[np.bool_] | None,
    out: Mapping[str, Floats],
    *,
    reverse: bool,
    of_inputs: Floats | None,
    products: Lookup | None,
    held: tuple[Floats, ...],
) -> None:
    """Run the loop over some examples, in stretches of timesteps."""
    cell, units = share.cell, share.units
    examples, timesteps, features = sequences.shape
    width, dtype = share.kernel.shape[1], cell.kernel.dtype
    # Also of all units, so that threads that share them go the same stretches.
    length = min(timesteps, max(1, _AHEAD // (examples * cell.kernel.shape[1])))
    signals = SIGNALS[cell.kind]
    count = units.stop - units.start
    room = np.empty((examples * length, width), dtype)
    kept = np.empty((len(signals), examples, length, count), dtype)
    codes = tuple(CODES[name] for name in cell.activation_names)
    own = (state[0], *(np.ascontiguousarray(one[:, units]) for one in state[1:]))
    starts = range(0, timesteps, length)
    for start in reversed(starts) if reverse else starts:
        stop = min(start + length, timesteps)
        z = room[: examples * (stop - start)]
        with np.errstate(all="ignore"):  # NaN and infinite weights are shown, not reported
            if products is None:
                _product(sequences[:, start:stop].reshape(-1, features), share.kernel, z)
            else:
                some = products.rows[:, start:stop].ravel()
                np.take(products.table, some, axis=0, out=z, mode="clip")
            if of_inputs is not None:
                shape = (examples, stop - start, count)
                of_inputs[:, start:stop] = z[:, share.candidate].reshape(shape)
            if share.bias is not None:
                z += share.bias
        real = _NOWHERE if mask is None else np.ascontiguousarray(mask[:, start:stop])
        _LOOPS[cell.kind](
            *share.weights,
            codes,
            z.reshape(examples, stop - start, width),
            own,
            real,
            reverse,
            *held,
            kept,
            share.meeting,
            np.uintp(units.start),
        )
        for name, values in out.items():
            values[:, start:stop] = kept[signals.index(name), :, : stop - start]
    for one, mine in zip(state[1:], own[1:], strict=True):
        one[:, units] = mine


def _looked_up(cell: Cell, lookup: Lookup, threads: int) -> Lookup | None:
    """Multiply the rows of a table by the weights, if these are fewer than what reads them."""
    count = len(lookup.table)
    if 2 * count > lookup.rows.size:
        return None
    products = np.empty((count, cell.kernel.shape[1]), cell.kernel.dtype)
    edges = [count * k // threads for k in range(threads + 1)]

    def run(rows: slice) -> None:
        with np.errstate(all="ignore"):
            _product(lookup.table[rows], cell.kernel, products[rows])

    with alone():
        mapped(run, [slice(a, b) for a, b in itertools.pairwise(edges)])
    return Lookup(products, lookup.rows)


def _rows_at_once(features: int, width: int) -> int:
    """Tell how many rows of features BLAS multiplies without rearranging the weights."""
    rows = _AS_THEY_ARE // (features * width)
    return rows if rows >= _FEW_ROWS else sys.maxsize


def _product(rows: Floats, weights: Floats, out: Floats) -> None:
    """Multiply many rows, so many at once as is quickest."""
    size = min(_rows_at_once(*weights.shape), len(rows))
    whole = len(rows) - len(rows) % size
    stacked = rows[:whole].reshape(-1, size, rows.shape[1])
    np.matmul(stacked, weights, out=out[:whole].reshape(-1, size, weights.shape[1]))
    np.matmul(rows[whole:], weights, out=out[whole:])


def _weights(cell: Cell, some: slice, rows: int) -> tuple[Any, ...]:
    """Lay out the weights of some units as the loop takes them, for so many examples in a block.

    A single row is multiplied with all gates at once, several with one after the other: these products
    are the smaller ones.
    """
    recurrent, units = _columns(cell.recurrent_kernel, cell, some), some.stop - some.start

    def parts(weights: Floats) -> Floats:
        if rows == 1:
            return _read_only(weights[None])
        return _read_only(weights.reshape(len(weights), -1, units).swapaxes(0, 1))

    if cell.kind != "GRU":
        return (parts(recurrent),)
    nothing = parts(recurrent[:, :0])
    if cell.reset_after:
        bias = recurrent[:0]
        if cell.recurrent_bias is not None:
            bias = cell.recurrent_bias.reshape(-1, cell.units)[:, some]
        return (parts(recurrent), nothing), _read_only(bias)
    gates = 2 * units
    return (parts(recurrent[:, :gates]), parts(recurrent[:, gates:])), _read_only(recurrent[:0])


def _read_only(weights: Floats) -> Floats:
    """Look at weights as at what isn't written to: for what may be, Numba would compile anew."""
    looked_at = np.ascontiguousarray(weights).view()
    looked_at.flags.writeable = False
    return looked_at


def _held(
    held: Holds, signals: Sequence[str], examples: int, units: int, dtype: np.dtype[Any]
) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Lay out what is held, ``(signal, example, units)``; empty arrays if nothing is."""
    names = [name for name in signals if name in held]
    shape = (len(signals) if names else 0, examples, units)
    which, values = np.zeros(shape, np.bool_), np.zeros(shape, dtype)
    for name in names:
        k = signals.index(name)
        which[k], values[k] = held[name]
    return which, values
