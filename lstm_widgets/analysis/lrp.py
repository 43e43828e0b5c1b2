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

from lstm_widgets.analysis.sequences import Sequences, Steps, walk_back
from lstm_widgets.parallel import product

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from lstm_widgets.recurrence import Cell

    Floats = npt.NDArray[np.floating[Any]]

__all__ = ["Rule", "linear", "mean_over_time", "recurrent", "total"]


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
        # + 0.0 makes of -0.0, whose sign is negative, 0.0.
        stabiliser: Floats = np.copysign(z.dtype.type(self.epsilon), z + z.dtype.type(0))
        return stabiliser

    def give_back(
        self, parts: Sequence[Floats], share: Floats, *taken: Floats | None, fan_in: int
    ) -> None:
        """Share what bias and stabiliser have taken of the outputs out among all inputs alike.

        Parameters
        ----------
        parts
            What the inputs have so far ``(..., inputs)``; changed.
        share
            The outputs' relevance divided by what they are.
        taken
            Bias and stabiliser.
        fan_in
            How many inputs there are.
        """
        if self.bias_factor:
            whole = sum(each for each in taken if each is not None)
            lost = (share * whole).sum(axis=-1, keepdims=True) * (self.bias_factor / fan_in)
            for part in parts:
                np.add(part, lost, out=part)


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
    result: Floats = x * (share @ kernel.T)
    rule.give_back([result], share, stabiliser, bias, fan_in=kernel.shape[0])
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
    result: list[Floats] = [part * share for part in parts]
    rule.give_back(result, share, stabiliser, fan_in=len(parts) * whole.shape[-1])
    return result


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


def recurrent(
    layer: Sequences, relevance: Floats | None, last_relevance: Sequence[Floats], rule: Rule
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
        ``(example, timestep, units)``; None: they gave none.
    last_relevance
        The same for the state that the layer ended with, in the order of ``initial_state``.
    rule
        Epsilon and bias factor.

    Returns
    -------
    tuple
        Relevance of ``x``, and of each initial state.
    """
    back = _BACK[layer.cell.kind](layer.cell, rule)
    return walk_back(layer, back.walk, relevance, last_relevance)


class _Back:
    """What the steps of all examples share: the linear map below the candidate.

    Below the hidden state, in a SimpleRNN. The gates take no relevance, so that no other weights
    are needed.
    """

    def __init__(self, cell: Cell, rule: Rule) -> None:
        self.rule = rule
        self.units = cell.units
        self.reset_after = cell.reset_after
        first = 0 if cell.kind == "SimpleRNN" else 2 * self.units
        columns = slice(first, first + self.units)
        self.kernel = np.ascontiguousarray(cell.kernel[:, columns])
        self.recurrent_kernel = np.ascontiguousarray(cell.recurrent_kernel[:, columns])
        self.back_kernel = np.ascontiguousarray(self.kernel.T)
        self.back_recurrent_kernel = np.ascontiguousarray(self.recurrent_kernel.T)
        bias = np.zeros_like(cell.kernel[0]) if cell.bias is None else cell.bias
        bias = bias[..., columns]
        self.bias, self.inner_bias = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))

    def below(
        self,
        steps: Steps,
        t: int,
        relevance: Floats,
        *,
        z: Floats,
        before: Floats,
        bias: Floats,
        scale: Floats | None = None,
    ) -> Floats:
        """Hand relevance back through the map, to the input and to the hidden state before.

        ``z`` is what came out of it, ``before`` what went into its recurrent product, ``scale``
        what this product was multiplied by, and ``bias`` what the inputs had no part in.
        """
        stabiliser = self.rule.stabiliser(z)
        share = steps.real(t, relevance / (z + stabiliser))
        of_x = np.multiply(steps.x[t], product(share, self.back_kernel), out=steps.of_x[t])
        scaled = share if scale is None else share * scale
        of_before: Floats = before * product(scaled, self.back_recurrent_kernel)
        fan_in = sum(self.kernel.shape)
        self.rule.give_back([of_x, of_before], share, stabiliser, bias, fan_in=fan_in)
        return of_before


class _Lstm(_Back):
    def walk(self, steps: Steps) -> list[Floats]:
        of_hidden, of_cell = steps.last
        for t in steps.backwards():
            _, cell, i, f, g, _ = steps.at(t)
            before, cell_before = steps.before(t)
            given = steps.with_given(t, of_hidden)
            kept, written = total([f * cell_before, i * g], cell, of_cell + given, self.rule)
            z = product(steps.x[t], self.kernel)
            z += product(before, self.recurrent_kernel)
            z += self.bias
            arrived = self.below(steps, t, written, z=z, before=before, bias=self.bias)
            of_hidden = steps.carried(t, arrived, given)
            of_cell = steps.carried(t, kept, of_cell)
        return [of_hidden, of_cell]


class _Gru(_Back):
    def walk(self, steps: Steps) -> list[Floats]:
        (of_hidden,) = steps.last
        for t in steps.backwards():
            hidden, update, reset, g = steps.at(t)
            (before,) = steps.before(t)
            given = steps.with_given(t, of_hidden)
            parts = [update * before, (1 - update) * g]
            kept, written = total(parts, hidden, given, self.rule)
            z = product(steps.x[t], self.kernel)
            bias, scale = self.bias, None
            if self.reset_after:
                z += reset * product(before, self.recurrent_kernel)
                bias, scale = bias + reset * self.inner_bias, reset
            else:
                before = reset * before
                z += product(before, self.recurrent_kernel)
            z += bias
            arrived = self.below(steps, t, written, z=z, before=before, bias=bias, scale=scale)
            of_hidden = steps.carried(t, kept + arrived, given)
        return [of_hidden]


class _SimpleRnn(_Back):
    def walk(self, steps: Steps) -> list[Floats]:
        (of_hidden,) = steps.last
        for t in steps.backwards():
            (before,) = steps.before(t)
            given = steps.with_given(t, of_hidden)
            z = product(steps.x[t], self.kernel)
            z += product(before, self.recurrent_kernel)
            z += self.bias
            arrived = self.below(steps, t, given, z=z, before=before, bias=self.bias)
            of_hidden = steps.carried(t, arrived, given)
        return [of_hidden]


_BACK: dict[str, Callable[[Cell, Rule], Any]] = {
    "LSTM": _Lstm,
    "GRU": _Gru,
    "SimpleRNN": _SimpleRnn,
}
