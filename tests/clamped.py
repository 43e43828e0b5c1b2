"""The reference of the tests of held cells: one example and one timestep at a time, in NumPy."""

from __future__ import annotations

import numpy as np

from lstm_widgets.rnn.cells import SIGNALS, STATES


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def plain(kind, weights, x, clamps, *, reset_after=True, mask=None, reverse=False):
    """Compute all signals of one layer, ``(example, timestep, cell)``, one timestep at a time.

    ``clamps`` maps a signal to {cell: value}.
    """
    kernel, recurrent, bias = (w.astype(np.float64) for w in weights)
    units = recurrent.shape[0]
    examples, timesteps, _ = x.shape
    out = {name: np.zeros((examples, timesteps, units)) for name in SIGNALS[kind]}

    def clamped(name, values):
        values = np.array(values)
        for cell, value in clamps.get(name, {}).items():
            values[cell] = value
        return values

    for e in range(examples):
        h = c = np.zeros(units)
        for t in range(timesteps)[:: -1 if reverse else 1]:
            if mask is not None and not mask[e, t]:
                for name in SIGNALS[kind][: STATES[kind]]:
                    out[name][e, t] = h if name == "hidden_state" else c
                continue
            if kind == "LSTM":
                i, f, g, o = np.split(x[e, t] @ kernel + h @ recurrent + bias, 4)
                i, f = clamped("input_gate", sigmoid(i)), clamped("forget_gate", sigmoid(f))
                g, o = clamped("candidate", np.tanh(g)), clamped("output_gate", sigmoid(o))
                c = clamped("cell_state", f * c + i * g)
                h = clamped("hidden_state", o * np.tanh(c))
                values = [h, c, i, f, g, o]
            elif kind == "GRU":
                b, b2 = bias if reset_after else (bias, np.zeros(3 * units))
                xz, xr, xg = np.split(x[e, t] @ kernel + b, 3)
                uz, ur, ug = np.split(recurrent, 3, axis=1)
                bz, br, bg = np.split(b2, 3)
                z = clamped("update_gate", sigmoid(xz + h @ uz + bz))
                r = clamped("reset_gate", sigmoid(xr + h @ ur + br))
                inner = r * (h @ ug + bg) if reset_after else (r * h) @ ug
                g = clamped("candidate", np.tanh(xg + inner))
                h = clamped("hidden_state", z * h + (1 - z) * g)
                values = [h, z, r, g]
            else:
                h = clamped("hidden_state", np.tanh(x[e, t] @ kernel + h @ recurrent + bias))
                values = [h]
            for name, value in zip(SIGNALS[kind], values, strict=True):
                out[name][e, t] = value
    return out
