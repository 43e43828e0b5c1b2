"""The reference of the relevance tests: one sentence, one timestep, one unit at a time.

Written from the equations in plain loops over Python numbers, and never fast.
"""

from __future__ import annotations

import math

import numpy as np


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


class Recurrent:
    """One recurrent layer with weights as Keras lays them out, for one sequence."""

    def __init__(self, kind, kernel, recurrent_kernel, bias, *, reset_after=False):
        self.kind, self.reset_after = kind, reset_after
        self.features, self.units = kernel.shape[0], recurrent_kernel.shape[0]
        self.kernel, self.recurrent_kernel = kernel.tolist(), recurrent_kernel.tolist()
        gates = kernel.shape[1]
        both = np.zeros((2, gates))
        if bias is not None:
            both[: bias.ndim if bias.ndim == 2 else 1] = bias
        self.input_bias, self.recurrent_bias = both.tolist()

    def from_input(self, x, column):
        return (
            sum(x[i] * self.kernel[i][column] for i in range(self.features))
            + (self.input_bias[column])
        )

    def from_hidden(self, hidden, column):
        return sum(hidden[i] * self.recurrent_kernel[i][column] for i in range(self.units))

    def forward(self, sequence, mask=None):
        """Keep everything of each timestep; at padding keep None."""
        u = self.units
        hidden, cell = [0.0] * u, [0.0] * u
        self.steps = []
        for t, x in enumerate(sequence):
            if mask is not None and not mask[t]:
                self.steps.append(None)
                continue
            step = {"x": list(map(float, x)), "h": hidden, "c": cell}

            def gate(k, x=step["x"], before=hidden):
                columns = range(k * u, (k + 1) * u)
                return [
                    self.from_input(x, j) + self.from_hidden(before, j) + self.recurrent_bias[j]
                    for j in columns
                ]

            if self.kind == "LSTM":
                step["i"], step["f"] = list(map(sigmoid, gate(0))), list(map(sigmoid, gate(1)))
                step["pre"], step["o"] = gate(2), list(map(sigmoid, gate(3)))
                step["g"] = list(map(math.tanh, step["pre"]))
                cell = [step["f"][j] * cell[j] + step["i"][j] * step["g"][j] for j in range(u)]
                hidden = [step["o"][j] * math.tanh(cell[j]) for j in range(u)]
            elif self.kind == "GRU":
                step["z"], step["r"] = list(map(sigmoid, gate(0))), list(map(sigmoid, gate(1)))
                pre = []
                for j in range(u):
                    column = 2 * u + j
                    if self.reset_after:
                        inner = self.from_hidden(hidden, column) + self.recurrent_bias[column]
                        inner *= step["r"][j]
                    else:
                        gated = [step["r"][i] * hidden[i] for i in range(u)]
                        inner = self.from_hidden(gated, column)
                    pre.append(self.from_input(step["x"], column) + inner)
                step["pre"], step["g"] = pre, list(map(math.tanh, pre))
                hidden = [
                    step["z"][j] * hidden[j] + (1 - step["z"][j]) * step["g"][j] for j in range(u)
                ]
            else:
                step["pre"] = gate(0)
                hidden = list(map(math.tanh, step["pre"]))
            step["h_new"], step["c_new"] = hidden, cell
            self.steps.append(step)
        return hidden, cell

    def backward(self, given, given_cell, epsilon, bias_factor):
        """From the relevance of the last states to that of the inputs and of the first states."""
        u, e = self.units, self.features
        n = u + e
        of_h, of_c = list(given), list(given_cell)
        of_x = [[0.0] * e for _ in self.steps]
        stabilised = lambda value: epsilon if value >= 0 else -epsilon

        for t in reversed(range(len(self.steps))):
            step = self.steps[t]
            if step is None:
                continue
            if self.kind == "LSTM":
                of_c = [of_c[j] + of_h[j] for j in range(u)]
                whole, of_whole = step["c_new"], of_c
                first = [step["f"][j] * step["c"][j] for j in range(u)]
                second = [step["i"][j] * step["g"][j] for j in range(u)]
            elif self.kind == "GRU":
                whole, of_whole = step["h_new"], of_h
                first = [step["z"][j] * step["h"][j] for j in range(u)]
                second = [(1 - step["z"][j]) * step["g"][j] for j in range(u)]
            of_first, of_g = [0.0] * u, list(of_h)
            if self.kind != "SimpleRNN":
                of_g = [0.0] * u
                for j in range(u):
                    s = stabilised(whole[j])
                    for i in range(u):
                        # The weights of a sum are identity matrices: each of the 2 u inputs has
                        # its share of what bias and stabiliser take, but only two have a weight.
                        constant = bias_factor * s / (2 * u)
                        one = (first[i] if i == j else 0.0) + constant
                        other = (second[i] if i == j else 0.0) + constant
                        of_first[i] += one / (whole[j] + s) * of_whole[j]
                        of_g[i] += other / (whole[j] + s) * of_whole[j]

            of_before = [0.0] * u
            last = 2 * u if self.kind != "SimpleRNN" else 0
            for j in range(u):
                column = last + j
                s = stabilised(step["pre"][j])
                scale, inner_scale, bias = 1.0, [1.0] * u, self.input_bias[column]
                if self.kind == "GRU" and self.reset_after:
                    scale = step["r"][j]
                    bias += scale * self.recurrent_bias[column]
                elif self.kind == "GRU":
                    inner_scale = step["r"]
                share = of_g[j] / (step["pre"][j] + s)
                constant = bias_factor * (bias + s) / n
                for i in range(e):
                    weight = self.kernel[i][column]
                    of_x[t][i] += (step["x"][i] * weight + constant) * share
                for i in range(u):
                    weight = self.recurrent_kernel[i][column] * scale
                    of_before[i] += (inner_scale[i] * step["h"][i] * weight + constant) * share
            if self.kind == "LSTM":
                of_h, of_c = of_before, of_first
            else:
                of_h = [of_before[i] + of_first[i] for i in range(u)]
        return np.array(of_x), np.array(of_h), np.array(of_c)


def dense_backward(x, kernel, bias, relevance, *, epsilon, bias_factor):
    """The epsilon rule for a dense layer."""
    inputs, outputs = kernel.shape
    result = [0.0] * inputs
    for j in range(outputs):
        z = sum(x[i] * kernel[i, j] for i in range(inputs)) + bias[j]
        s = epsilon if z >= 0 else -epsilon
        for i in range(inputs):
            message = x[i] * kernel[i, j] + bias_factor * (bias[j] + s) / inputs
            result[i] += message / (z + s) * relevance[j]
    return np.array(result)
