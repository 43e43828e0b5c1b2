# What Numba compiles has no types: each function is compiled for those that it is called with.
# mypy: disable-error-code="untyped-decorator, no-untyped-def"
# ruff: noqa: ANN001, ANN202, ARG001, PLR0917
r"""The ways back through recurrent layers, compiled.

They do step by step what :mod:`lstm_widgets.rnn.gradients` and
:mod:`lstm_widgets.rnn.relevance_rules` say in NumPy, and are held against those. Importing this module
imports Numba, which takes a while: :func:`lstm_widgets.rnn.scan.compiled_module` does so when it is
first needed.

What makes them quick: products over all steps are done outside of the loops, so that one product a
step is left (two in a GRU whose gradient goes through its reset gate first); everything else is
elementwise on rows that stay in the closest cache; a block of examples a thread. What arrives at a
token as relevance, summed up, is a product of what the forward pass has computed already:
:math:`\sum_j s_j (x W)_j`, with :math:`s_j` the relevance of an output divided by what it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.rnn.compiled_activations import CODES, activate
from lstm_widgets.rnn.compiling import cached, jit, said_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from lstm_widgets.rnn.cells import Cell
    from lstm_widgets.rnn.relevance_rules import Rule
    from lstm_widgets.rnn.sequences import Block

    Floats = npt.NDArray[np.floating[Any]]

__all__ = ["AT_ONCE", "gradient", "relevance", "serves"]

AT_ONCE = 128
"""How many examples are gone back through at a time: their states stay in a processor's own cache."""

_NO_ROWS = np.empty((0, 0), np.bool_)

# Arrays in these loops are (example, timestep, unit), (example, unit) or (unit,). Rows are told by their
# numbers, which are unsigned, and not cut out: a cut costs as much as computing on it. `given` is what
# arrives at hidden states from later layers, `real` what isn't padding, each of no size if there is none.
# What arrives at states is changed in place.


@jit
def _order(step, timesteps, reverse):
    """Tell the step that is gone back through, and the one read before it."""
    t = step if reverse else timesteps - np.uintp(1) - step
    return t, (t + np.uintp(1) if reverse else t - np.uintp(1))


@jit
def _take(given, of_hidden, b, t):
    """Add what arrives from later layers."""
    if given.size:
        for k in range(np.uintp(of_hidden.shape[1])):
            of_hidden[b, k] += given[b, t, k]


# Relevance ----------------------------------------------------------------------------------------


@jit
def _stabilised(z, epsilon):
    return z + (epsilon if z >= 0 else -epsilon)


@jit
def _before(hidden, hidden0, past, before, first):
    """Look up the hidden states before a step."""
    for b in range(np.uintp(past.shape[0])):
        for k in range(np.uintp(past.shape[1])):
            past[b, k] = hidden0[b, k] if first else hidden[b, before, k]


@jit
def _share_of_sum(whole, arrived, shares, b, t, epsilon, factor):
    """Divide what arrives at a sum by what it is; return what each part is given back besides."""
    units = np.uintp(shares.shape[1])
    for k in range(units):
        shares[b, k] = arrived[b, k] / _stabilised(whole[b, t, k], epsilon)
    lost = epsilon - epsilon
    if factor:
        for k in range(units):
            lost += shares[b, k] * (epsilon if whole[b, t, k] >= 0 else -epsilon)
    return lost * factor


@jit
def _below(written, bias, sums, inner, of_inputs, shares, b, t, epsilon, factor):
    """Go through the linear map below the candidate.

    ``sums`` is what goes into it but for the inputs, with its biases, which ``bias`` has alone.
    ``inner`` are the shares on their way to the hidden state, ``of_inputs`` what the inputs give to the
    map. ``shares`` is room to keep its shares in, or nothing.

    Returns what all inputs of the step take together, and what each is given back besides.
    """
    units = np.uintp(written.shape[1])
    total = lost = epsilon - epsilon
    for k in range(units):
        inner[b, k] = written[b, k] / _stabilised(of_inputs[b, t, k] + sums[b, k], epsilon)
    # Four sums at a time: each on its own would wait for its last addition.
    four = np.uintp(4)
    whole = units // four * four
    one = two = three = total
    for k in range(np.uintp(0), whole, four):
        total += inner[b, k] * of_inputs[b, t, k]
        one += inner[b, k + np.uintp(1)] * of_inputs[b, t, k + np.uintp(1)]
        two += inner[b, k + np.uintp(2)] * of_inputs[b, t, k + np.uintp(2)]
        three += inner[b, k + np.uintp(3)] * of_inputs[b, t, k + np.uintp(3)]
    for k in range(whole, units):
        total += inner[b, k] * of_inputs[b, t, k]
    total += one + two + three
    if factor:
        for k in range(units):
            z = of_inputs[b, t, k] + sums[b, k]
            lost += inner[b, k] * ((epsilon if z >= 0 else -epsilon) + bias[b, k])
    if shares.size:
        for k in range(units):
            shares[b, t, k] = inner[b, k]
    return total, lost * factor


@jit
def _nothing(inner, shares, b, t):
    """Hand nothing back from padding."""
    for k in range(np.uintp(inner.shape[1])):
        inner[b, k] = 0
    if shares.size:
        for k in range(np.uintp(inner.shape[1])):
            shares[b, t, k] = 0


@cached
def _relevance_lstm(
    weights, bias, numbers, signals, starts, inputs, given, real, reverse, of_states, totals, spread
):
    hidden, cell, i, f, g = signals
    hidden0, cell0 = starts
    (forward, back), (of_inputs, kept_shares) = weights, inputs
    of_hidden, of_cell = of_states
    epsilon, of_sums, of_map = numbers
    examples, timesteps = np.uintp(hidden.shape[0]), np.uintp(hidden.shape[1])
    units = np.uintp(hidden.shape[2])
    masked = real.size > 0
    shares = np.empty_like(of_hidden)
    written = np.empty_like(of_hidden)
    sums = np.empty_like(of_hidden)
    inner = np.empty_like(of_hidden)
    past = np.empty_like(of_hidden)
    arrived = np.empty_like(of_hidden)
    biases = np.empty_like(of_hidden)
    for b in range(examples):
        for k in range(units):
            biases[b, k] = bias[k]
    for step in range(timesteps):
        t, before = _order(step, timesteps, reverse)
        first = step + np.uintp(1) == timesteps
        _before(hidden, hidden0, past, before, first)
        np.dot(past, forward, sums)
        for b in range(examples):
            _take(given, of_hidden, b, t)
            totals[b, t] = 0
            spread[b, t] = 0
            if masked and not real[b, t]:
                _nothing(inner, kept_shares, b, t)
                continue
            for k in range(units):
                of_cell[b, k] += of_hidden[b, k]
            more = _share_of_sum(cell, of_cell, shares, b, t, epsilon, of_sums)
            for k in range(units):
                written[b, k] = i[b, t, k] * g[b, t, k] * shares[b, k] + more
            for k in range(units):
                kept = cell0[b, k] if first else cell[b, before, k]
                of_cell[b, k] = f[b, t, k] * kept * shares[b, k] + more
            for k in range(units):
                sums[b, k] += bias[k]
            totals[b, t], spread[b, t] = _below(
                written, biases, sums, inner, of_inputs, kept_shares, b, t, epsilon, of_map
            )
        np.dot(inner, back, arrived)
        for b in range(examples):
            if masked and not real[b, t]:
                continue
            for k in range(units):
                of_hidden[b, k] = past[b, k] * arrived[b, k] + spread[b, t]


@cached
def _relevance_gru(
    weights, bias, numbers, signals, starts, inputs, given, real, reverse, of_states, totals, spread
):
    """``bias`` are two if the reset gate comes after the product: that of the input, and of the product."""
    hidden, update, reset, g = signals
    hidden0 = starts[0]
    (forward, back), (of_inputs, kept_shares) = weights, inputs
    of_hidden = of_states[0]
    epsilon, of_sums, of_map = numbers
    examples, timesteps = np.uintp(hidden.shape[0]), np.uintp(hidden.shape[1])
    units = np.uintp(hidden.shape[2])
    masked, reset_after = real.size > 0, bias.shape[0] == 2
    one = hidden.dtype.type(1)
    shares = np.empty_like(of_hidden)
    written = np.empty_like(of_hidden)
    sums = np.empty_like(of_hidden)
    inner = np.empty_like(of_hidden)
    past = np.empty_like(of_hidden)
    arrived = np.empty_like(of_hidden)
    biases = np.empty_like(of_hidden)
    for step in range(timesteps):
        t, before = _order(step, timesteps, reverse)
        first = step + np.uintp(1) == timesteps
        _before(hidden, hidden0, past, before, first)
        if reset_after:
            np.dot(past, forward, sums)
        else:
            # What goes into the product is what the gate lets through.
            for b in range(examples):
                for k in range(units):
                    inner[b, k] = past[b, k] * reset[b, t, k]
            np.dot(inner, forward, sums)
        for b in range(examples):
            _take(given, of_hidden, b, t)
            totals[b, t] = 0
            spread[b, t] = 0
            if masked and not real[b, t]:
                _nothing(inner, kept_shares, b, t)
                continue
            more = _share_of_sum(hidden, of_hidden, shares, b, t, epsilon, of_sums)
            for k in range(units):
                value = (one - update[b, t, k]) * g[b, t, k]
                written[b, k] = value * shares[b, k] + more
            for k in range(units):
                of_hidden[b, k] = update[b, t, k] * past[b, k] * shares[b, k] + more
            if reset_after:
                for k in range(units):
                    biases[b, k] = bias[0, k] + reset[b, t, k] * bias[1, k]
                for k in range(units):
                    sums[b, k] = reset[b, t, k] * sums[b, k] + biases[b, k]
            else:
                for k in range(units):
                    biases[b, k] = bias[0, k]
                for k in range(units):
                    sums[b, k] += biases[b, k]
            totals[b, t], spread[b, t] = _below(
                written, biases, sums, inner, of_inputs, kept_shares, b, t, epsilon, of_map
            )
            if reset_after:
                for k in range(units):
                    inner[b, k] *= reset[b, t, k]
        np.dot(inner, back, arrived)
        for b in range(examples):
            if masked and not real[b, t]:
                continue
            for k in range(units):
                value = past[b, k] if reset_after else past[b, k] * reset[b, t, k]
                of_hidden[b, k] += value * arrived[b, k] + spread[b, t]


@cached
def _relevance_simple_rnn(
    weights, bias, numbers, signals, starts, inputs, given, real, reverse, of_states, totals, spread
):
    hidden, hidden0, of_hidden = signals[0], starts[0], of_states[0]
    (forward, back), (of_inputs, kept_shares) = weights, inputs
    epsilon, _, of_map = numbers
    examples, timesteps = np.uintp(hidden.shape[0]), np.uintp(hidden.shape[1])
    units = np.uintp(hidden.shape[2])
    masked = real.size > 0
    sums = np.empty_like(of_hidden)
    inner = np.empty_like(of_hidden)
    past = np.empty_like(of_hidden)
    arrived = np.empty_like(of_hidden)
    biases = np.empty_like(of_hidden)
    for b in range(examples):
        for k in range(units):
            biases[b, k] = bias[k]
    for step in range(timesteps):
        t, before = _order(step, timesteps, reverse)
        first = step + np.uintp(1) == timesteps
        _before(hidden, hidden0, past, before, first)
        np.dot(past, forward, sums)
        for b in range(examples):
            _take(given, of_hidden, b, t)
            totals[b, t] = 0
            spread[b, t] = 0
            if masked and not real[b, t]:
                _nothing(inner, kept_shares, b, t)
                continue
            for k in range(units):
                sums[b, k] += bias[k]
            totals[b, t], spread[b, t] = _below(
                of_hidden, biases, sums, inner, of_inputs, kept_shares, b, t, epsilon, of_map
            )
        np.dot(inner, back, arrived)
        for b in range(examples):
            if masked and not real[b, t]:
                continue
            for k in range(units):
                of_hidden[b, k] = past[b, k] * arrived[b, k] + spread[b, t]


# Gradients ----------------------------------------------------------------------------------------


@jit
def _slope(code, y):
    """Give the derivative of an activation, from what came out of it."""
    real = type(y)
    zero, one = real(0), real(1)
    if code == 0:  # tanh
        return one - y * y
    if code == 1:  # sigmoid
        return y - y * y
    if code == 3:  # relu
        return one if y > zero else zero
    if code == 4:  # hard_sigmoid
        return one / real(6) if zero < y < one else zero
    return one


# Of each the loop below knows the slope. Numbers as in CODES.
_SLOPES = ("tanh", "sigmoid", "linear", "relu", "hard_sigmoid")


@cached
def _gradient_lstm(back, codes, signals, starts, inner, given, real, reverse, of_states, of_z):
    _, cell, i, f, g, o = signals
    cell0, (of_hidden, of_cell), (code, gate_code) = starts[1], of_states, codes
    examples, timesteps = np.uintp(cell.shape[0]), np.uintp(cell.shape[1])
    units, zero, four = np.uintp(cell.shape[2]), np.uintp(0), np.uintp(4)
    masked = real.size > 0
    shown = np.empty((1, 1, 1, cell.shape[2]), cell.dtype)
    of_gates = np.empty((cell.shape[0], of_z.shape[2]), cell.dtype)
    arrived = np.empty_like(of_hidden)
    for step in range(timesteps):
        t, before = _order(step, timesteps, reverse)
        first = step + np.uintp(1) == timesteps
        for b in range(examples):
            _take(given, of_hidden, b, t)
            if masked and not real[b, t]:
                for k in range(four * units):
                    of_gates[b, k] = 0
                    of_z[b, t, k] = 0
                continue
            for k in range(units):
                shown[zero, zero, zero, k] = cell[b, t, k]
            activate(code, shown, zero, zero, zero)
            for k in range(units):
                y = shown[zero, zero, zero, k]
                slope = _slope(gate_code, o[b, t, k])
                of_gates[b, np.uintp(3) * units + k] = of_hidden[b, k] * y * slope
                of_cell[b, k] += of_hidden[b, k] * o[b, t, k] * _slope(code, y)
            for k in range(units):
                slope = _slope(gate_code, i[b, t, k])
                of_gates[b, k] = of_cell[b, k] * g[b, t, k] * slope
            for k in range(units):
                slope = _slope(code, g[b, t, k])
                of_gates[b, np.uintp(2) * units + k] = of_cell[b, k] * i[b, t, k] * slope
            for k in range(units):
                kept = cell0[b, k] if first else cell[b, before, k]
                of_gates[b, units + k] = of_cell[b, k] * kept * _slope(gate_code, f[b, t, k])
            for k in range(units):
                of_cell[b, k] *= f[b, t, k]
            for k in range(four * units):
                of_z[b, t, k] = of_gates[b, k]
        np.dot(of_gates, back[0], arrived)
        for b in range(examples):
            if masked and not real[b, t]:
                continue
            for k in range(units):
                of_hidden[b, k] = arrived[b, k]


@cached
def _gradient_gru(back, codes, signals, starts, inner, given, real, reverse, of_states, of_z):
    """``inner`` is what the reset gate multiplies if it comes after the product, else nothing."""
    hidden, update, reset, g = signals
    hidden0, of_hidden, (code, gate_code) = starts[0], of_states[0], codes
    examples, timesteps = np.uintp(hidden.shape[0]), np.uintp(hidden.shape[1])
    units, three = np.uintp(hidden.shape[2]), np.uintp(3)
    masked, reset_after = real.size > 0, inner.size > 0
    one = hidden.dtype.type(1)
    of_gates = np.empty((hidden.shape[0], back[0].shape[0]), hidden.dtype)
    of_g = np.empty_like(of_hidden)
    arrived = np.empty_like(of_hidden)
    both = np.empty_like(of_hidden)
    for step in range(timesteps):
        t, before = _order(step, timesteps, reverse)
        first = step + np.uintp(1) == timesteps
        for b in range(examples):
            _take(given, of_hidden, b, t)
            if masked and not real[b, t]:
                for k in range(units):
                    of_g[b, k] = 0
                for k in range(np.uintp(of_gates.shape[1])):
                    of_gates[b, k] = 0
                for k in range(three * units):
                    of_z[b, t, k] = 0
                continue
            for k in range(units):
                slope = _slope(code, g[b, t, k])
                of_g[b, k] = of_hidden[b, k] * (one - update[b, t, k]) * slope
                of_z[b, t, np.uintp(2) * units + k] = of_g[b, k]
            for k in range(units):
                value = hidden0[b, k] if first else hidden[b, before, k]
                slope = _slope(gate_code, update[b, t, k])
                of_gates[b, k] = of_hidden[b, k] * (value - g[b, t, k]) * slope
            if reset_after:
                for k in range(units):
                    slope = _slope(gate_code, reset[b, t, k])
                    of_gates[b, units + k] = of_g[b, k] * inner[b, t, k] * slope
                    of_gates[b, np.uintp(2) * units + k] = of_g[b, k] * reset[b, t, k]
        if not reset_after:
            np.dot(of_g, back[1], both)
            for b in range(examples):
                if masked and not real[b, t]:
                    continue
                for k in range(units):
                    value = hidden0[b, k] if first else hidden[b, before, k]
                    slope = _slope(gate_code, reset[b, t, k])
                    of_gates[b, units + k] = both[b, k] * value * slope
        np.dot(of_gates, back[0], arrived)
        for b in range(examples):
            if masked and not real[b, t]:
                continue
            for k in range(np.uintp(2) * units):
                of_z[b, t, k] = of_gates[b, k]
            for k in range(units):
                of_hidden[b, k] = of_hidden[b, k] * update[b, t, k] + arrived[b, k]
                if not reset_after:
                    of_hidden[b, k] += both[b, k] * reset[b, t, k]


@cached
def _gradient_simple_rnn(
    back, codes, signals, starts, inner, given, real, reverse, of_states, of_z
):
    hidden, of_hidden, code = signals[0], of_states[0], codes[0]
    examples, timesteps = np.uintp(hidden.shape[0]), np.uintp(hidden.shape[1])
    units = np.uintp(hidden.shape[2])
    masked = real.size > 0
    of_sums, arrived = np.empty_like(of_hidden), np.empty_like(of_hidden)
    for step in range(timesteps):
        t, _ = _order(step, timesteps, reverse)
        for b in range(examples):
            _take(given, of_hidden, b, t)
            if masked and not real[b, t]:
                _nothing(of_sums, of_z, b, t)
                continue
            for k in range(units):
                of_sums[b, k] = of_hidden[b, k] * _slope(code, hidden[b, t, k])
            for k in range(units):
                of_z[b, t, k] = of_sums[b, k]
        np.dot(of_sums, back[0], arrived)
        for b in range(examples):
            if masked and not real[b, t]:
                continue
            for k in range(units):
                of_hidden[b, k] = arrived[b, k]


# From arrays to arrays ----------------------------------------------------------------------------

_RELEVANCE = {
    "LSTM": (
        _relevance_lstm,
        ("hidden_state", "cell_state", "input_gate", "forget_gate", "candidate"),
    ),
    "GRU": (_relevance_gru, ("hidden_state", "update_gate", "reset_gate", "candidate")),
    "SimpleRNN": (_relevance_simple_rnn, ("hidden_state",)),
}
_GRADIENT = {
    "LSTM": _gradient_lstm,
    "GRU": _gradient_gru,
    "SimpleRNN": _gradient_simple_rnn,
}


def serves(cell: Cell, *, gradients: bool) -> bool:
    """Whether the compiled ways back have a cell's kind and activations, and compute in its dtype."""
    known = not gradients or set(cell.activation_names) <= set(_SLOPES)
    return known and cell.kind in _GRADIENT and cell.kernel.dtype in (np.float32, np.float64)


def _plain(array: Floats) -> Floats:
    # Numba compiles anew for arrays that may not be written to.
    return np.require(array, requirements=["C", "W"])


def _common(block: Block, names: Sequence[str] | None = None) -> tuple[Any, ...]:
    """Lay out signals, what they start from, what arrives, and what isn't padding."""
    signals = tuple(
        _plain(values) for name, values in block.signals.items() if names is None or name in names
    )
    starts = tuple(_plain(state) for state in block.initial_state)
    given = np.empty((0, 0, 0), block.x.dtype) if block.given is None else _plain(block.given)
    real = _NO_ROWS if block.mask is None else np.require(block.mask, requirements=["C", "W"])
    return signals, starts, given, real


def _flat(values: Floats) -> Floats:
    """Look at an array ``(example, timestep, ...)`` as at a matrix."""
    return values.reshape(-1, values.shape[-1])


def _rows(values: Floats, kernel: Floats) -> Floats:
    """Multiply all rows of an array ``(example, timestep, ...)`` by a matrix."""
    return (_flat(values) @ kernel).reshape(*values.shape[:2], kernel.shape[1])


def relevance(block: Block, rule: Rule, *, summed: bool) -> list[Floats]:
    """Hand relevance back through some examples, see :func:`relevance_rules.recurrent`."""
    cell, dtype = block.cell, block.cell.kernel.dtype
    loop, names = _RELEVANCE[cell.kind]
    columns = cell.candidate
    kernel, recurrent = (w[:, columns] for w in (cell.kernel, cell.recurrent_kernel))
    bias = np.zeros(cell.kernel.shape[1], dtype) if cell.bias is None else cell.bias
    bias = bias[..., columns]
    if cell.kind == "GRU":
        bias = np.broadcast_to(bias, (1 + cell.reset_after, cell.units))
    signals, starts, given, real = _common(block, names)
    of_inputs = _rows(block.x, kernel) if block.of_inputs is None else _plain(block.of_inputs)
    shares = np.empty((0, 0, 0), dtype) if summed else np.empty_like(of_inputs)
    sums, parts = sum(cell.kernel.shape[0:1]) + cell.units, 2 * cell.units
    numbers = (
        dtype.type(rule.epsilon),
        dtype.type(rule.bias_factor / parts),
        dtype.type(rule.bias_factor / sums),
    )
    of_states = tuple(np.array(state, dtype, order="C") for state in block.last)
    totals, spread = np.empty((2, *of_inputs.shape[:2]), dtype)
    weights, inputs = (_plain(recurrent), _plain(recurrent.T)), (of_inputs, shares)
    with said_once():
        loop(
            *(weights, _plain(bias), numbers, signals, starts, inputs, given, real),
            *(block.reverse, of_states, totals, spread),
        )
    if summed:
        block.of_x[..., 0] = totals + spread * kernel.shape[0]
    else:
        np.multiply(block.x, _rows(shares, kernel.T), out=block.of_x)
        np.add(block.of_x, spread[..., None], out=block.of_x)
    return list(of_states)


def gradient(block: Block) -> list[Floats]:
    """Take gradients back through some examples, see :func:`gradients.recurrent`."""
    cell, dtype, units = block.cell, block.cell.kernel.dtype, block.cell.units
    signals, starts, given, real = _common(block)
    inner, back = np.empty((0, 0, 0), dtype), (_plain(cell.recurrent_kernel.T),) * 2
    if cell.kind == "GRU":
        recurrent = cell.recurrent_kernel[:, 2 * units :]
        if cell.reset_after:
            inner = np.empty_like(signals[0])
            last, others = (-1, slice(None, -1)) if block.reverse else (0, slice(1, None))
            inner[:, last] = starts[0] @ recurrent
            read = slice(1, None) if block.reverse else slice(None, -1)
            inner[:, others] = _rows(signals[0][:, read], recurrent)
            if cell.bias is not None:
                inner += cell.bias[1, 2 * units :]
        else:
            back = _plain(cell.recurrent_kernel[:, : 2 * units].T), _plain(recurrent.T)
    of_z = np.empty((*block.x.shape[:2], cell.kernel.shape[1]), dtype)
    of_states = tuple(np.array(state, dtype, order="C") for state in block.last)
    codes = tuple(CODES[name] for name in cell.activation_names)
    with said_once():
        _GRADIENT[cell.kind](
            *(back, codes, signals, starts, inner, given, real, block.reverse, of_states, of_z)
        )
    np.matmul(_flat(of_z), cell.kernel.T, out=_flat(block.of_x))
    return list(of_states)
