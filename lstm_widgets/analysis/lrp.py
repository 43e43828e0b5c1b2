r"""Layer-wise relevance propagation: the backward passes, as functions on arrays.

A score is shared out among what went into it, layer by layer from the end, in proportion to what
each part contributed. Two rules do everything.

A *linear map* :math:`z_j = \sum_i x_i w_{ij} + b_j` with N inputs hands the relevance
:math:`R_j` of its outputs on by the epsilon rule (Bach et al. 2015; for recurrent networks Arras et
al. 2017, arXiv:1706.07206)

.. math::
    R_i = \sum_j \frac{x_i w_{ij} + \delta\,(\epsilon\,\mathrm{sign}(z_j) + b_j) / N}
    {z_j + \epsilon\,\mathrm{sign}(z_j)} R_j, \quad \mathrm{sign}(0) = 1

where :math:`\delta` is called ``bias_factor``. At 1 nothing is lost: the sum of the relevance
stays what it was. At 0 the shares of bias and stabiliser are dropped.

In a *product* of a gate and a signal, the signal takes all and the gate nothing (Arras et al. 2017).
Activation functions hand relevance on as it is.

The paper derives the LSTM from the two rules. GRU and SimpleRNN here follow from the same two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.floating[Any]]

__all__ = ["Rule", "Sequences", "Weights", "linear", "mean_over_time", "recurrent", "total"]


# Multiply-adds of one product. OpenBLAS shares larger ones out to threads, which costs more than it
# saves where many short products come one after the other; and what fits is close at hand.
_PRODUCT = 1 << 18


@dataclass(frozen=True)
class Rule:
    """The two numbers of the epsilon rule.

    Attributes
    ----------
    epsilon
        The stabiliser of the denominators, greater than 0.
    bias_factor
        How much of the shares of bias and stabiliser goes to the inputs: 1 all, 0 none.
    """

    epsilon: float = 0.001
    bias_factor: float = 0.0

    def stabiliser(self, z: Floats) -> Floats:
        """Return epsilon with the sign of z."""
        epsilon = z.dtype.type(self.epsilon)
        return np.where(z >= 0, epsilon, -epsilon)

    def of_all(self, lost: Floats, fan_in: int) -> Floats | float:
        """Share what bias and stabiliser took, summed over outputs, out among all inputs alike."""
        if not self.bias_factor:
            return 0.0
        share: Floats = lost.sum(axis=-1, keepdims=True) * (self.bias_factor / fan_in)
        return share


@dataclass(frozen=True)
class Weights:
    """A recurrent cell's weights as arrays, laid out as in :class:`lstm_widgets.recurrence.Cell`.

    Attributes
    ----------
    kernel, recurrent_kernel, bias, reset_after
        As there.
    """

    kernel: Floats
    recurrent_kernel: Floats
    bias: Floats | None
    reset_after: bool = False

    def candidate(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Take out what computes the candidate (of SimpleRNN: the hidden state).

        The gates take no relevance, so that nothing else is needed.

        Returns
        -------
        tuple
            Kernel, recurrent kernel, and the biases of the one and the other product, ``(units,)``
            each.
        """
        units = self.recurrent_kernel.shape[0]
        gates = self.recurrent_kernel.shape[1] // units
        columns = slice(2 * units, 3 * units) if gates > 1 else slice(None)
        none = np.zeros(units, self.kernel.dtype)
        bias = none if self.bias is None else self.bias[..., columns]
        both = (bias[0], bias[1]) if bias.ndim == 2 else (bias, none)
        return self.kernel[:, columns], self.recurrent_kernel[:, columns], *both


def linear(
    x: Floats,
    kernel: Floats,
    z: Floats,
    relevance: Floats,
    rule: Rule,
    *,
    bias: Floats | None = None,
) -> Floats:
    """Hand relevance back through a linear map by the epsilon rule.

    Parameters
    ----------
    x
        What went in, ``(..., inputs)``.
    kernel
        ``(inputs, outputs)``.
    z
        What came out before the activation, ``(..., outputs)``.
    relevance
        Relevance of the outputs, ``(..., outputs)``.
    rule
        Epsilon and bias factor.
    bias
        ``(outputs,)`` or None.

    Returns
    -------
    numpy.ndarray
        Relevance of the inputs, ``(..., inputs)``.
    """
    stabiliser = rule.stabiliser(z)
    share = relevance / (z + stabiliser)
    lost = (stabiliser if bias is None else stabiliser + bias) * share
    result: Floats = x * (share @ kernel.T) + rule.of_all(lost, kernel.shape[0])
    return result


def total(parts: Sequence[Floats], whole: Floats, relevance: Floats, rule: Rule) -> list[Floats]:
    """Hand relevance back through an elementwise sum.

    The epsilon rule for identity matrices, one beside the other: each output has as many inputs as
    all parts have units together.

    Parameters
    ----------
    parts
        What was added, ``(..., units)`` each.
    whole
        Their sum.
    relevance
        Relevance of the sum.
    rule
        Epsilon and bias factor.

    Returns
    -------
    list
        Relevance of each part.
    """
    stabiliser = rule.stabiliser(whole)
    share = relevance / (whole + stabiliser)
    lost = rule.of_all(stabiliser * share, len(parts) * whole.shape[-1])
    return [part * share + lost for part in parts]


def mean_over_time(
    x: Floats, mean: Floats, real: npt.NDArray[np.bool_] | None, relevance: Floats, rule: Rule
) -> Floats:
    """Hand relevance back through a mean over timesteps.

    Parameters
    ----------
    x
        ``(example, timestep, units)``.
    mean
        ``(example, units)``.
    real
        Bool ``(example, timestep)``: which timesteps the mean is over; None: all.
    relevance
        Relevance of the mean, ``(example, units)``.
    rule
        Epsilon and bias factor. Inputs of a unit's mean are its values at the real timesteps.

    Returns
    -------
    numpy.ndarray
        ``(example, timestep, units)``.
    """
    stabiliser = rule.stabiliser(mean)
    share = relevance / (mean + stabiliser)
    weight = np.ones(x.shape[:2], x.dtype) if real is None else real.astype(x.dtype)
    weight = weight / np.maximum(weight.sum(axis=1, keepdims=True), 1)
    lost = rule.bias_factor * stabiliser * share
    result: Floats = (x * share[:, None] + lost[:, None]) * weight[..., None]
    return result


@dataclass(frozen=True)
class Sequences:
    """What a recurrent layer did: all that relevance needs to find its way back.

    Attributes
    ----------
    kind
        ``"LSTM"``, ``"GRU"`` or ``"SimpleRNN"``.
    weights
        The cell's.
    x
        What the layer received, ``(example, timestep, features)``.
    initial_state
        Hidden state, and for LSTM cell state, before the first timestep: ``(example, units)``.
    signals
        Those of :data:`lstm_widgets.recurrence.SIGNALS`, ``(example, timestep, units)``, index t
        for the input's timestep t; hidden and cell state as carried on at padding.
    mask
        Bool ``(example, timestep)``, False at padding; None: no padding.
    reverse
        Whether the layer read from the end.
    """

    kind: str
    weights: Weights
    x: Floats
    initial_state: Sequence[Floats]
    signals: Mapping[str, Floats]
    mask: npt.NDArray[np.bool_] | None = None
    reverse: bool = False


def recurrent(
    layer: Sequences, relevance: Floats, last_relevance: Sequence[Floats], rule: Rule
) -> tuple[Floats, list[Floats]]:
    r"""Hand relevance back through a recurrent layer, from its last timestep to its first.

    LSTM: :math:`h_t = o \odot \phi(c_t)` gives all to :math:`c_t`; the sum
    :math:`c_t = f \odot c_{t-1} + i \odot g` shares it out among its two terms, each of which goes
    to its signal; the linear map below the candidate g shares out among input and hidden state.

    GRU: the sum :math:`h_t = z \odot h_{t-1} + (1 - z) \odot g` likewise, then the map below g. With
    ``reset_after`` its recurrent weights and their bias are scaled by the reset gate, else its
    recurrent input is :math:`r \odot h_{t-1}`.

    SimpleRNN: the linear map alone.

    At masked timesteps the state passes through, and so does its relevance.

    Parameters
    ----------
    layer
        What it did.
    relevance
        Of the hidden state at each timestep, as far as later layers gave it some:
        ``(example, timestep, units)``.
    last_relevance
        The same for the state that the layer ended with, in the order of ``initial_state``.
    rule
        Epsilon and bias factor.

    Returns
    -------
    tuple
        Relevance of ``x``, and of each initial state.
    """
    units, features = relevance.shape[2], layer.x.shape[2]
    at_once = max(1, _PRODUCT // (units * max(units, features)))
    of_x = np.empty_like(layer.x)
    of_states = [np.empty_like(state) for state in layer.initial_state]
    for start in range(0, len(of_x), at_once):
        some = slice(start, start + at_once)
        steps = _Steps(layer, some, relevance, last_relevance)
        of_some, of_some_states = _BACKWARD[layer.kind](layer.weights, steps, rule)
        of_x[some] = steps.as_given(of_some)
        for whole, part in zip(of_states, of_some_states, strict=True):
            whole[some] = part
    return of_x, of_states


class _Steps:
    """The same for some examples, with time as the first axis, in the order of reading."""

    def __init__(
        self,
        layer: Sequences,
        some: slice,
        relevance: Floats,
        last_relevance: Sequence[Floats],
    ) -> None:
        self._order = slice(None, None, -1 if layer.reverse else 1)
        self.x = self._in_order(layer.x[some])
        self.signals = {
            name: self._in_order(values[some]) for name, values in layer.signals.items()
        }
        self.before = {
            name: np.concatenate([start[None, some], self.signals[name][:-1]])
            for name, start in zip(
                ("hidden_state", "cell_state"), layer.initial_state, strict=False
            )
        }
        self.relevance = self._in_order(relevance[some])
        self.last_relevance = [given[some] for given in last_relevance]
        self.real = None if layer.mask is None else self._in_order(layer.mask[some])[..., None]

    def _in_order(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.ascontiguousarray(array.swapaxes(0, 1)[self._order])

    def as_given(self, array: Floats) -> Floats:
        """Put the axes, and time, back."""
        return np.ascontiguousarray(array[self._order].swapaxes(0, 1))

    def carried(self, t: int, new: Floats, old: Floats) -> Floats:
        """Choose between what a timestep hands on and, at padding, what passes through."""
        return new if self.real is None else np.where(self.real[t], new, old)


def _lstm(weights: Weights, steps: _Steps, rule: Rule) -> tuple[Floats, list[Floats]]:
    kernel, recurrent_kernel, bias, _ = weights.candidate()
    units = len(recurrent_kernel)
    signals, previous = steps.signals, steps.before["hidden_state"]
    below = _Below(steps, steps.x @ kernel + previous @ recurrent_kernel + bias, bias, rule)
    kept = signals["forget_gate"] * steps.before["cell_state"]
    written = signals["input_gate"] * signals["candidate"]
    stabiliser = rule.stabiliser(signals["cell_state"])
    denominator = signals["cell_state"] + stabiliser

    of_hidden, of_cell = steps.last_relevance
    for t in reversed(range(len(steps.x))):
        given = of_hidden + steps.relevance[t]
        share = (of_cell + given) / denominator[t]
        lost = rule.of_all(stabiliser[t] * share, 2 * units)
        message = below.share(t, written[t] * share + lost)
        hidden = previous[t] * (message @ recurrent_kernel.T) + below.lost(t, message)
        of_hidden = steps.carried(t, hidden, given)
        of_cell = steps.carried(t, kept[t] * share + lost, of_cell)
    return below.of_input(kernel), [of_hidden, of_cell]


def _gru(weights: Weights, steps: _Steps, rule: Rule) -> tuple[Floats, list[Floats]]:
    kernel, recurrent_kernel, bias, inner_bias = weights.candidate()
    units = len(recurrent_kernel)
    signals, previous = steps.signals, steps.before["hidden_state"]
    update, reset = signals["update_gate"], signals["reset_gate"]
    z = steps.x @ kernel + bias
    if weights.reset_after:
        z += reset * (previous @ recurrent_kernel + inner_bias)
        below = _Below(steps, z, bias + reset * inner_bias, rule)
    else:
        z += (reset * previous) @ recurrent_kernel
        below = _Below(steps, z, bias, rule)
    kept = update * previous
    written = (1 - update) * signals["candidate"]
    stabiliser = rule.stabiliser(signals["hidden_state"])
    denominator = signals["hidden_state"] + stabiliser

    (of_hidden,) = steps.last_relevance
    for t in reversed(range(len(steps.x))):
        given = of_hidden + steps.relevance[t]
        share = given / denominator[t]
        lost = rule.of_all(stabiliser[t] * share, 2 * units)
        message = below.share(t, written[t] * share + lost)
        if weights.reset_after:
            through = previous[t] * ((message * reset[t]) @ recurrent_kernel.T)
        else:
            through = reset[t] * previous[t] * (message @ recurrent_kernel.T)
        hidden = kept[t] * share + lost + through + below.lost(t, message)
        of_hidden = steps.carried(t, hidden, given)
    return below.of_input(kernel), [of_hidden]


def _simple_rnn(weights: Weights, steps: _Steps, rule: Rule) -> tuple[Floats, list[Floats]]:
    kernel, recurrent_kernel, bias, _ = weights.candidate()
    previous = steps.before["hidden_state"]
    below = _Below(steps, steps.x @ kernel + previous @ recurrent_kernel + bias, bias, rule)

    (of_hidden,) = steps.last_relevance
    for t in reversed(range(len(steps.x))):
        given = of_hidden + steps.relevance[t]
        message = below.share(t, given)
        hidden = previous[t] * (message @ recurrent_kernel.T) + below.lost(t, message)
        of_hidden = steps.carried(t, hidden, given)
    return below.of_input(kernel), [of_hidden]


_BACKWARD = {"LSTM": _lstm, "GRU": _gru, "SimpleRNN": _simple_rnn}


class _Below:
    """The linear map below the candidate, from input and hidden state, at every timestep.

    What it gives to the input waits until the loop over time is over: one product then does it for
    all timesteps.
    """

    def __init__(self, steps: _Steps, z: Floats, bias: Floats, rule: Rule) -> None:
        stabiliser = rule.stabiliser(z)
        self._steps = steps
        self._denominator = z + stabiliser
        self._constant = stabiliser + bias
        self._rule = rule
        self._fan_in = steps.x.shape[-1] + z.shape[-1]
        self._messages = np.empty_like(z)

    def share(self, t: int, relevance: Floats) -> Floats:
        """Divide the outputs' relevance by what they are; at padding there is none."""
        message: Floats = np.divide(relevance, self._denominator[t], out=self._messages[t])
        if self._steps.real is not None:
            np.copyto(message, 0, where=~self._steps.real[t])
        return message

    def lost(self, t: int, message: Floats) -> Floats | float:
        """Return what each input gets of the shares of bias and stabiliser."""
        return self._rule.of_all(self._constant[t] * message, self._fan_in)

    def of_input(self, kernel: Floats) -> Floats:
        """Return the relevance of the layer's input."""
        lost = self._rule.of_all(self._constant * self._messages, self._fan_in)
        result: Floats = self._steps.x * (self._messages @ kernel.T) + lost
        return result
