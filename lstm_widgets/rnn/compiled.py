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
from lstm_widgets.rnn.compiled_activations import CODES, activate, sigmoid, tanh
from lstm_widgets.rnn.compiling import cached, jit, said_once
from lstm_widgets.rnn.meeting import called_off, meet, meetings
from lstm_widgets.rnn.parallel import alone, cpus, mapped, threads_here

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from lstm_widgets.rnn.cells import Cell, Holds

    Floats = npt.NDArray[np.floating[Any]]

__all__ = ["scan", "serves"]

# The activations that nearly all cells have.
TANH, SIGMOID = CODES["tanh"], CODES["sigmoid"]
_FIRST_FIVE = tuple(np.uintp(k) for k in range(5))

# The loops ----------------------------------------------------------------------------------------

# Recurrent weights come in parts (part, units, gates * units / parts), either all gates in one or one in
# each, see _weights. All take, after what is the cell's own: what goes into the activations from the inputs
# (timestep, example, gates * units), and the bias of that; the states (example, units), which become those
# after the last step; what is no padding (example, timestep), or nothing; whether the last timestep comes
# first; what is held, of each signal (signal, example, units), or nothing; the arrays of all signals
# (example, timestep, units), with the timestep and the unit from which on they are written; and where
# threads meet that share the units out to each other.
#
# If they do, everything but the hidden state and the signals is of a thread's own units only, of which
# `first` is the first in the hidden state: they meet when all have read it, and when all have written it.
#
# A step of an example is computed in rows that stay in the closest cache, and only then written to where it
# is kept, which is far from each other. Rows are told by their numbers and not cut out: a cut costs as much
# as computing on it. Numbers are unsigned: of others each would be looked at whether it counts from the end.


@jit
def _hold(held, values, signal, example, into, row, first):
    """Put what is held of a signal into a row."""
    for k in range(np.uintp(held.shape[2])):
        if held[signal, example, k]:
            into[row, first + k] = values[signal, example, k]


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
def _lstm(recurrent, codes, z, bias, state, real, reverse, held, values, kept, at, met, first):
    (hidden, cell), (code, gate_code), (since, unit) = state, codes, at
    hidden_state, cell_state, input_gate, forget_gate, candidate, output_gate = kept
    zero, one, two, three, four = _FIRST_FIVE
    examples, timesteps = np.uintp(z.shape[1]), np.uintp(z.shape[0])
    units = np.uintp(cell.shape[1])
    masked, holding, together = real.size > 0, held.size > 0, met[1][1] > 1
    # A function that knows all activations is so large that it isn't put in here, and calling it takes long.
    usual = code == TANH and gate_code == SIGMOID
    sums = np.empty((recurrent.shape[0], z.shape[1], recurrent.shape[2]), z.dtype)
    # The gates and the candidate, and what becomes of the cell state.
    row = np.empty((5, cell.shape[1]), z.dtype)
    rows = row.reshape(5, 1, 1, cell.shape[1])
    for step in range(timesteps):
        t = timesteps - one - step if reverse else step
        _multiply(hidden, recurrent, sums)
        if together:
            meet(met)
        for b in range(examples):
            for gate in range(four):
                part, from_hidden = _place(sums, gate, units)
                from_x = gate * units
                if not usual:
                    for k in range(units):
                        added = z[t, b, from_x + k] + bias[from_x + k]
                        row[gate, k] = sums[part, b, from_hidden + k] + added
                elif gate == two:
                    for k in range(units):
                        added = z[t, b, from_x + k] + bias[from_x + k]
                        row[gate, k] = tanh(sums[part, b, from_hidden + k] + added)
                else:
                    for k in range(units):
                        added = z[t, b, from_x + k] + bias[from_x + k]
                        row[gate, k] = sigmoid(sums[part, b, from_hidden + k] + added)
            if not usual:
                activate(gate_code, rows, zero, zero, zero)
                activate(gate_code, rows, one, zero, zero)
                activate(code, rows, two, zero, zero)
                activate(gate_code, rows, three, zero, zero)
            if holding:
                for gate in range(four):
                    _hold(held, values, two + gate, b, row, gate, zero)
            if not masked or real[b, t]:
                for k in range(units):
                    carried = row[one, k] * cell[b, k]
                    cell[b, k] = carried + row[zero, k] * row[two, k]
                if holding:
                    _hold(held, values, one, b, cell, b, zero)
                if usual:
                    for k in range(units):
                        hidden[b, first + k] = tanh(cell[b, k]) * row[three, k]
                else:
                    for k in range(units):
                        row[four, k] = cell[b, k]
                    activate(code, rows, four, zero, zero)
                    for k in range(units):
                        hidden[b, first + k] = row[four, k] * row[three, k]
                if holding:
                    _hold(held, values, zero, b, hidden, b, first)
            to = since + t
            for k in range(units):
                input_gate[b, to, unit + k] = row[zero, k]
                forget_gate[b, to, unit + k] = row[one, k]
                candidate[b, to, unit + k] = row[two, k]
                output_gate[b, to, unit + k] = row[three, k]
                cell_state[b, to, unit + k] = cell[b, k]
                hidden_state[b, to, unit + k] = hidden[b, first + k]
        if together:
            meet(met)


@cached
def _gru(
    recurrent,
    recurrent_bias,
    codes,
    z,
    bias,
    state,
    real,
    reverse,
    held,
    values,
    kept,
    at,
    met,
    first,
):
    """``recurrent`` has all gates if the reset gate comes after the product, else gates and candidate."""
    hidden, (code, gate_code), (since, unit) = state[0], codes, at
    hidden_state, update_gate, reset_gate, candidate = kept
    zero, one, two, three, _ = _FIRST_FIVE
    examples, timesteps = np.uintp(z.shape[1]), np.uintp(z.shape[0])
    count = z.shape[2] // 3
    units = np.uintp(count)
    reset_after = not recurrent[1].size
    masked, holding, together = real.size > 0, held.size > 0, met[1][1] > 1
    sums = np.empty((recurrent[0].shape[0], z.shape[1], recurrent[0].shape[2]), z.dtype)
    gated, inner = np.empty_like(hidden), np.empty((1, *hidden.shape), z.dtype)
    # The update and the reset gate, and the candidate.
    row = np.empty((3, z.shape[1], count), z.dtype)
    rows = row.reshape(3, z.shape[1], 1, count)
    for step in range(timesteps):
        t = timesteps - one - step if reverse else step
        _multiply(hidden, recurrent[0], sums)
        if together:
            meet(met)
        for b in range(examples):
            for gate in range(np.uintp(recurrent_bias.shape[0])):
                part, from_hidden = _place(sums, gate, units)
                for k in range(units):
                    sums[part, b, from_hidden + k] += recurrent_bias[gate, k]
            for gate in range(two):
                part, from_hidden = _place(sums, gate, units)
                from_x = gate * units
                for k in range(units):
                    added = z[t, b, from_x + k] + bias[from_x + k]
                    row[gate, b, k] = sums[part, b, from_hidden + k] + added
            activate(gate_code, rows, zero, b, zero)
            activate(gate_code, rows, one, b, zero)
            if holding:
                _hold(held, values, one, b, row[zero], b, zero)
                _hold(held, values, two, b, row[one], b, zero)
            part, from_hidden = _place(sums, two, units)
            for k in range(units):
                of_hidden = sums[part, b, from_hidden + k] if reset_after else hidden[b, first + k]
                row[two, b, k] = row[one, b, k] * of_hidden
        if not reset_after:
            for b in range(examples):
                for k in range(units):
                    gated[b, k] = row[two, b, k]
            _multiply(gated, recurrent[1], inner)
        for b in range(examples):
            from_x = two * units
            for k in range(units):
                of_hidden = row[two, b, k] if reset_after else inner[0, b, k]
                row[two, b, k] = of_hidden + (z[t, b, from_x + k] + bias[from_x + k])
            activate(code, rows, two, b, zero)
            if holding:
                _hold(held, values, three, b, row[two], b, zero)
            if not masked or real[b, t]:
                for k in range(units):
                    new = (z.dtype.type(1) - row[zero, b, k]) * row[two, b, k]
                    hidden[b, first + k] = row[zero, b, k] * hidden[b, first + k] + new
                if holding:
                    _hold(held, values, zero, b, hidden, b, first)
            to = since + t
            for k in range(units):
                update_gate[b, to, unit + k] = row[zero, b, k]
                reset_gate[b, to, unit + k] = row[one, b, k]
                candidate[b, to, unit + k] = row[two, b, k]
                hidden_state[b, to, unit + k] = hidden[b, first + k]
        if together:
            meet(met)


@cached
def _simple_rnn(
    recurrent, codes, z, bias, state, real, reverse, held, values, kept, at, met, first
):
    hidden, (since, unit), (hidden_state,) = state[0], at, kept
    zero, one, _, _, _ = _FIRST_FIVE
    examples, timesteps = np.uintp(z.shape[1]), np.uintp(z.shape[0])
    units = np.uintp(z.shape[2])
    masked, holding, together = real.size > 0, held.size > 0, met[1][1] > 1
    sums = np.empty((1, z.shape[1], recurrent.shape[2]), z.dtype)
    row = np.empty((1, 1, 1, z.shape[2]), z.dtype)
    for step in range(timesteps):
        t = timesteps - one - step if reverse else step
        _multiply(hidden, recurrent, sums)
        if together:
            meet(met)
        for b in range(examples):
            if not masked or real[b, t]:
                for k in range(units):
                    row[zero, zero, zero, k] = sums[zero, b, k] + (z[t, b, k] + bias[k])
                activate(codes[0], row, zero, zero, zero)
                for k in range(units):
                    hidden[b, first + k] = row[zero, zero, zero, k]
                if holding:
                    _hold(held, values, zero, b, hidden, b, first)
            for k in range(units):
                hidden_state[b, since + t, unit + k] = hidden[b, first + k]
        if together:
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
# So many examples are multiplied where they stand; of fewer, several timesteps together are quicker.
_MANY_ROWS = 16
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
                {name: values[rows] for name, values in out.items()},
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
    examples, timesteps, _ = sequences.shape
    width, dtype = share.kernel.shape[1], cell.kernel.dtype
    # Also of all units, so that threads that share them go the same stretches.
    length = min(timesteps, max(1, _AHEAD // (examples * cell.kernel.shape[1])))
    signals = SIGNALS[cell.kind]
    count = units.stop - units.start
    room = np.empty((length, examples, width), dtype)
    bias = _read_only(np.zeros(width, dtype) if share.bias is None else share.bias.ravel())
    whole = (examples, timesteps, cell.units)
    straight = all(
        name in out
        and out[name].shape == whole
        and out[name].dtype == dtype
        and out[name].flags.c_contiguous
        for name in signals
    )
    kept = tuple(
        out[name] if straight else np.empty((examples, length, count), dtype) for name in signals
    )
    codes = tuple(CODES[name] for name in cell.activation_names)
    own = (state[0], *(np.ascontiguousarray(one[:, units]) for one in state[1:]))
    starts = range(0, timesteps, length)
    for start in reversed(starts) if reverse else starts:
        stop = min(start + length, timesteps)
        z = room[: stop - start]
        with np.errstate(all="ignore"):  # NaN and infinite weights are shown, not reported
            if products is None:
                _products(sequences[:, start:stop].swapaxes(0, 1), share.kernel, z)
            else:
                some = products.rows[:, start:stop].T
                np.take(products.table, some, axis=0, out=z, mode="clip")
        if of_inputs is not None:
            of_inputs[:, start:stop] = z[:, :, share.candidate].swapaxes(0, 1)
        real = _NOWHERE if mask is None else np.ascontiguousarray(mask[:, start:stop])
        _LOOPS[cell.kind](
            *share.weights,
            codes,
            z,
            bias,
            own,
            real,
            reverse,
            *held,
            kept,
            (np.uintp(start), np.uintp(units.start)) if straight else _FIRST_FIVE[:1] * 2,
            share.meeting,
            np.uintp(units.start),
        )
        if not straight:
            for name, values in out.items():
                values[:, start:stop, units] = kept[signals.index(name)][:, : stop - start]
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


def _products(steps: Floats, weights: Floats, out: Floats) -> None:
    """Multiply ``(timestep, example, features)``, whose examples are far from each other."""
    examples = steps.shape[1]
    if examples < _MANY_ROWS:
        rows = np.ascontiguousarray(steps).reshape(-1, steps.shape[2])
        _product(rows, weights, out.reshape(-1, out.shape[2]))
        return
    parts = -(-examples // _rows_at_once(*weights.shape))
    for k in range(parts):
        some = slice(examples * k // parts, examples * (k + 1) // parts)
        np.matmul(steps[:, some], weights, out=out[:, some])


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
