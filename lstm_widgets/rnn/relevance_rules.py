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

from lstm_widgets.rnn.scan import compiled_module
from lstm_widgets.rnn.sequences import Block, Sequences, Steps, walk_back

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import EllipsisType

    import numpy.typing as npt

    from lstm_widgets.rnn.cells import Cell

    Floats = npt.NDArray[np.floating[Any]]

__all__ = ["Rule", "affine", "linear", "recurrent", "total"]


@dataclass(frozen=True)
class Rule:
    """The two numbers of the epsilon rule.

    Attributes
    ----------
    epsilon : float, default 0.001
        The stabiliser of the denominators, greater than 0.
    bias_factor : float, default 0.0
        How much of the shares of bias and stabiliser goes to the inputs: 1 all, 0 none.
    """

    epsilon: float = 0.001
    bias_factor: float = 0.0

    def stabiliser(self, z: Floats) -> Floats:
        """Return epsilon with the sign of z."""
        # + 0.0 makes of -0.0, whose sign is negative, 0.0.
        stabiliser: Floats = z + z.dtype.type(0)
        return np.copysign(z.dtype.type(self.epsilon), stabiliser, out=stabiliser)

    def given_back(self, share: Floats, taken: Floats, fan_in: int) -> Floats:
        """Share what bias and stabiliser have taken of the outputs out among all inputs alike.

        Parameters
        ----------
        share : float array (..., outputs)
            The outputs' relevance divided by what they are, ``(..., outputs)``.
        taken : float array
            Bias and stabiliser.
        fan_in : int
            How many inputs there are.

        Returns
        -------
        numpy.ndarray
            What each input gets, ``(..., 1)``.
        """
        lost: Floats = (share * taken).sum(axis=-1, keepdims=True)
        return lost * share.dtype.type(self.bias_factor / fan_in)


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
    x : float array (..., inputs)
        What went in, ``(..., inputs)``.
    kernel : float array (inputs, outputs)
        ``(inputs, outputs)``.
    z : float array (..., outputs)
        What came out before the activation, ``(..., outputs)``.
    relevance : float array (..., outputs)
        Relevance of the outputs, ``(..., outputs)``.
    rule : Rule
        Epsilon and bias factor.
    bias : float array (outputs,), optional
        ``(outputs,)`` or None.

    Returns
    -------
    numpy.ndarray
        Relevance of the inputs, ``(..., inputs)``.
    """

    def spread(share: Floats, stabiliser: Floats) -> Floats:
        taken = stabiliser if bias is None else stabiliser + bias
        lost: Floats = (share * taken).sum(axis=-1, keepdims=True) / kernel.shape[0]
        return lost

    return affine(x, z, relevance, rule, transposed=lambda share: share @ kernel.T, spread=spread)


def affine(
    x: Floats,
    z: Floats,
    relevance: Floats,
    rule: Rule,
    *,
    transposed: Callable[[Floats], Floats],
    spread: Callable[[Floats, Floats], Floats],
) -> Floats:
    """Hand relevance back through any affine function by the epsilon rule.

    Parameters
    ----------
    x, z : float array
        What went in and what came out.
    relevance : float array
        Relevance of z.
    rule : Rule
        Epsilon and bias factor.
    transposed : callable
        The transpose of its linear map, from the shape of z to that of x.
    spread : callable
        From the relevance of z divided by its denominator, and the stabiliser, to what bias and
        stabiliser have taken of it, shared out among the inputs of each output alike.

    Returns
    -------
    numpy.ndarray
        Relevance of x.
    """
    stabiliser = rule.stabiliser(z)
    share = relevance / (z + stabiliser)
    result: Floats = x * transposed(share)
    if rule.bias_factor:
        result += x.dtype.type(rule.bias_factor) * spread(share, stabiliser)
    return result


def total(parts: Sequence[Floats], whole: Floats, relevance: Floats, rule: Rule) -> list[Floats]:
    """Hand relevance back through an elementwise sum.

    The epsilon rule for identity matrices, one beside the other: each output has as many inputs as
    all parts have units together.

    Parameters
    ----------
    parts : sequence of float array (..., units)
        What was added, ``(..., units)`` each.
    whole : float array
        Their sum.
    relevance : float array
        Relevance of the sum.
    rule : Rule
        Epsilon and bias factor.

    Returns
    -------
    list
        Relevance of each part.
    """
    return _Sum(parts, whole, rule).shared(relevance)


class _Sum:
    """An elementwise sum, ready to share out what arrives at it.

    Parts and whole may have timesteps as their first axis, which are then told apart.
    """

    def __init__(self, parts: Sequence[Floats], whole: Floats, rule: Rule) -> None:
        self._rule, self._fan_in = rule, len(parts) * whole.shape[-1]
        stabiliser = rule.stabiliser(whole)
        divisor = whole + stabiliser
        self._fractions = [part / divisor for part in parts]
        self._taken = stabiliser / divisor if rule.bias_factor else None

    def shared(self, relevance: Floats, at: int | EllipsisType = ...) -> list[Floats]:
        result: list[Floats] = [fraction[at] * relevance for fraction in self._fractions]
        if self._taken is not None:
            given = self._rule.given_back(relevance, self._taken[at], self._fan_in)
            for part in result:
                np.add(part, given, out=part)
        return result


def recurrent(
    layer: Sequences,
    relevance: Floats | None,
    last_relevance: Sequence[Floats],
    rule: Rule,
    *,
    summed: bool = False,
) -> tuple[Floats, list[Floats]]:
    r"""Hand relevance back through a recurrent layer, from its last timestep to its first.

    LSTM: :math:`h_t = o \odot \phi(c_t)` gives all to :math:`c_t`; the sum
    :math:`c_t = f \odot c_{t-1} + i \odot g` shares it out among its two terms, each of which goes
    to its signal; the linear map below the candidate g shares out among input and hidden state. A
    projection :math:`h_t = (o \odot \phi(c_t)) P` is one more linear map.

    GRU: the sum :math:`h_t = z \odot h_{t-1} + (1 - z) \odot g` likewise, then the map below g. With
    ``reset_after`` its recurrent weights and their bias are scaled by the reset gate, else its
    recurrent input is :math:`r \odot h_{t-1}`.

    SimpleRNN: the linear map alone.

    At masked timesteps the state passes through, and so does its relevance.

    What a timestep's inputs get of the map :math:`z_j = \sum_i x_i w_{ij} + \ldots` is, summed up,
    :math:`\sum_j s_j \sum_i x_i w_{ij}` with :math:`s_j` the relevance of an output divided by what it
    is: no product more than those that went into z.

    Parameters
    ----------
    layer : Sequences
        What it did.
    relevance : float array (example, timestep, units), optional
        Of the hidden state at each timestep, as far as later layers gave it some:
        ``(example, timestep, units)``; None: they gave none.
    last_relevance : sequence of float array
        The same for the state that the layer ended with, in the order of ``initial_state``.
    rule : Rule
        Epsilon and bias factor.
    summed : bool, default False
        Whether the relevance of ``x`` is to be summed over its last axis, which keeps length 1.

    Returns
    -------
    tuple
        Relevance of ``x``, and of each initial state.
    """
    back = _BACK[layer.cell.kind](layer.cell, rule, summed=summed)
    quick = compiled_module("compiled_back")
    if quick is not None and not quick.serves(layer.cell, gradients=False):
        quick = None

    def walk(block: Block) -> list[Floats]:
        if quick is not None:
            arrived: list[Floats] = quick.relevance(block, rule, summed=summed)
            return arrived
        return list(back.walk(Steps(block)))

    at_once = None if quick is None else quick.AT_ONCE
    return walk_back(layer, walk, relevance, last_relevance, summed=summed, at_once=at_once)


class _Back:
    """The linear map below the candidate; below the hidden state, in a SimpleRNN.

    The gates take no relevance, so that no other weights are needed.
    """

    def __init__(self, cell: Cell, rule: Rule, *, summed: bool) -> None:
        self.rule = rule
        self.summed = summed
        self.units = cell.units
        self.activation, self.projection = cell.activation, cell.projection
        self.reset_after = cell.reset_after
        columns = cell.candidate
        self.kernel = np.ascontiguousarray(cell.kernel[:, columns])
        self.recurrent_kernel = np.ascontiguousarray(cell.recurrent_kernel[:, columns])
        self.back_kernel = np.ascontiguousarray(self.kernel.T)
        self.back_recurrent_kernel = np.ascontiguousarray(self.recurrent_kernel.T)
        bias = np.zeros_like(cell.kernel[0]) if cell.bias is None else cell.bias
        bias = bias[..., columns]
        self.bias, self.inner_bias = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))

    def below(self, steps: Steps, before: Floats, scale: Floats | None = None) -> _Map:
        """Find the map at every step.

        ``before`` is what goes into its recurrent product, ``scale`` what that is multiplied by.
        """
        z = before @ self.recurrent_kernel
        bias = self.bias
        if scale is not None:
            z *= scale
            bias = bias + scale * self.inner_bias
        of_inputs = steps.x @ self.kernel if steps.of_inputs is None else steps.of_inputs
        z += of_inputs
        z += bias
        return _Map(self, steps, before, z=z, of_inputs=of_inputs, scale=scale, bias=bias)


class _Map:
    """The linear map below the candidate at every step, and the way back through it."""

    def __init__(
        self,
        back: _Back,
        steps: Steps,
        before: Floats,
        *,
        z: Floats,
        of_inputs: Floats,
        scale: Floats | None,
        bias: Floats,
    ) -> None:
        self._back, self._steps, self._before, self._scale = back, steps, before, scale
        self._of_inputs = of_inputs
        stabiliser = back.rule.stabiliser(z)
        self._divisor = z + stabiliser
        self._taken = stabiliser + bias if back.rule.bias_factor else None
        self._shares = np.empty_like(z)
        self._given = np.empty((*z.shape[:2], 1), z.dtype)

    def before(self, t: int, relevance: Floats) -> Floats:
        """Hand relevance of the candidate back to the hidden state before."""
        back = self._back
        share = np.divide(relevance, self._divisor[t], out=self._shares[t])
        self._steps.real(t, share)
        scaled = share if self._scale is None else share * self._scale[t]
        result: Floats = scaled @ back.back_recurrent_kernel
        result *= self._before[t]
        if self._taken is not None:
            fan_in = len(back.kernel) + len(back.recurrent_kernel)
            self._given[t] = back.rule.given_back(share, self._taken[t], fan_in)
            result += self._given[t]
        return result

    def inputs(self) -> None:
        """Hand it back to the inputs, of all steps at once."""
        back, steps = self._back, self._steps
        if back.summed:
            np.einsum("tnj,tnj->tn", self._shares, self._of_inputs, out=steps.of_x[..., 0])
        else:
            np.multiply(steps.x, self._shares @ back.back_kernel, out=steps.of_x)
        if self._taken is not None:
            steps.of_x += self._given * (back.kernel.shape[0] if back.summed else 1)


class _Lstm(_Back):
    def walk(self, steps: Steps) -> list[Floats]:
        of_hidden, of_cell = steps.last
        hidden, cell, i, f, g, o = steps.signals
        let_through = None if self.projection is None else o * self.activation(cell)
        before, cell_before = steps.before
        sums = _Sum([f * cell_before, i * g], cell, self.rule)
        below = self.below(steps, before)
        for t in steps.backwards():
            given = steps.with_given(t, of_hidden)
            shown = given
            if let_through is not None:
                shown = linear(let_through[t], self.projection, hidden[t], given, self.rule)
            kept, written = sums.shared(of_cell + shown, t)
            of_hidden = steps.carried(t, below.before(t, written), given)
            of_cell = steps.carried(t, kept, of_cell)
        below.inputs()
        return [of_hidden, of_cell]


class _Gru(_Back):
    def walk(self, steps: Steps) -> list[Floats]:
        (of_hidden,) = steps.last
        hidden, update, reset, g = steps.signals
        (before,) = steps.before
        sums = _Sum([update * before, (1 - update) * g], hidden, self.rule)
        below = (
            self.below(steps, before, reset)
            if self.reset_after
            else self.below(steps, reset * before)
        )
        for t in steps.backwards():
            given = steps.with_given(t, of_hidden)
            kept, written = sums.shared(given, t)
            of_hidden = steps.carried(t, kept + below.before(t, written), given)
        below.inputs()
        return [of_hidden]


class _SimpleRnn(_Back):
    def walk(self, steps: Steps) -> list[Floats]:
        (of_hidden,) = steps.last
        below = self.below(steps, steps.before[0])
        for t in steps.backwards():
            given = steps.with_given(t, of_hidden)
            of_hidden = steps.carried(t, below.before(t, given), given)
        below.inputs()
        return [of_hidden]


_BACK: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("LSTM", "ProjectedLSTM"), _Lstm),
    "GRU": _Gru,
    "SimpleRNN": _SimpleRnn,
}
