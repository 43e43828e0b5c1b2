"""Recurrent cells in float64 NumPy, one timestep after the other."""

from __future__ import annotations

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step(kind, weights, x, states):
    """Return the states after one timestep, the hidden state first."""
    kernel, recurrent, bias = (np.asarray(w, np.float64) for w in weights)
    h = states[0]
    u = h.shape[1]
    if kind == "SimpleRNN":
        return [np.tanh(x @ kernel + h @ recurrent + bias)]
    if kind == "GRU":  # reset_after
        a, b = x @ kernel + bias[0], h @ recurrent + bias[1]
        z, r = sigmoid(a[:, :u] + b[:, :u]), sigmoid(a[:, u : 2 * u] + b[:, u : 2 * u])
        candidate = np.tanh(a[:, 2 * u :] + r * b[:, 2 * u :])
        return [z * h + (1 - z) * candidate]
    z = x @ kernel + h @ recurrent + bias
    i, f, o = (sigmoid(z[:, k * u : (k + 1) * u]) for k in (0, 1, 3))
    c = f * states[1] + i * np.tanh(z[:, 2 * u : 3 * u])
    return [o * np.tanh(c), c]


def run(kind, weights, x, states, hold=None):
    """Run over ``x`` (example, timestep, feature); list the states after each timestep.

    ``hold(t, states)`` may change them before they are used again.
    """
    every, states = [], [np.asarray(s, np.float64) for s in states]
    for t in range(x.shape[1]):
        states = step(kind, weights, x[:, t].astype(np.float64), states)
        if hold is not None:
            hold(t, states)
        every.append([s.copy() for s in states])
    return [np.stack(parts, 1) for parts in zip(*every, strict=True)]
