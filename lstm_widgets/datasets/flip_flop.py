"""Flip-flops: a few bits, each of which a network has to hold until a pulse sets it anew.

The task of Sussillo and Barak (2013, *Neural Computation* 25(3), 626-649): each channel is 0 but for
rare pulses of +1 or -1, and the network says for each channel which pulse came last. To hold three
bits it needs eight states that it stays in when nothing comes in: stable fixed points, which stand as
the corners of a cube do, with saddles between them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from lstm_widgets.checks import expect_whole

if TYPE_CHECKING:
    import keras
    import numpy.typing as npt

__all__ = ["KINDS", "Trials", "build_model", "generate", "train"]

#: The kinds of layers that :func:`build_model` knows.
KINDS = ("LSTM", "GRU", "SimpleRNN")


class Trials(NamedTuple):
    """What a network reads, and what it should say.

    Attributes
    ----------
    pulses : float32 array (trial, timestep, bit)
        +1 or -1 where a pulse sets a bit, else 0. All bits are set at the first timestep.
    bits : float32 array (trial, timestep, bit)
        The last pulse of each bit, this timestep's included: +1 or -1.
    """

    pulses: npt.NDArray[np.float32]
    bits: npt.NDArray[np.float32]


def generate(
    trials: int, *, timesteps: int = 64, bits: int = 3, rate: float = 0.1, seed: int
) -> Trials:
    """Draw pulses, and hold the last one of each bit.

    Parameters
    ----------
    trials : int
        How many sequences.
    timesteps : int, default 64
        The length of each.
    bits : int, default 3
        How many bits are to be held.
    rate : float, default 0.1
        The probability of a pulse, for each bit at each timestep after the first.
    seed : int
        What all draws follow from.

    Returns
    -------
    Trials

    Raises
    ------
    ValueError
        If a count isn't a positive whole number, or ``rate`` isn't from 0 to 1.

    Examples
    --------
    >>> trials = generate(2, timesteps=5, seed=1)
    >>> trials.pulses.shape, set(trials.bits.ravel().tolist()) == {-1.0, 1.0}
    ((2, 5, 3), True)
    """
    for name, count in (("trials", trials), ("timesteps", timesteps), ("bits", bits)):
        expect_whole(name, count, 1)
    if not 0 <= rate <= 1:
        raise ValueError(f"rate: expected a probability from 0 to 1, got {rate}")
    random = np.random.default_rng(seed)
    shape = (trials, timesteps, bits)
    comes = random.random(shape) < rate
    comes[:, 0] = True
    pulses = np.where(comes, random.choice([-1.0, 1.0], shape), 0.0).astype(np.float32)
    last = np.maximum.accumulate(np.where(comes, np.arange(timesteps)[:, None], 0), axis=1)
    return Trials(pulses, np.take_along_axis(pulses, last, axis=1))


def build_model(
    *,
    kind: Literal["LSTM", "GRU", "SimpleRNN"] = "LSTM",
    cells: int = 16,
    bits: int = 3,
    seed: int = 0,
) -> keras.Model:
    """Build a network that holds bits.

    A recurrent layer named ``memory`` → ``Dense(bits)`` named ``bits``. Takes
    ``(batch, timesteps, bits)`` and gives the same shape: what it holds for each bit.

    Parameters
    ----------
    kind : {'LSTM', 'GRU', 'SimpleRNN'}, default 'LSTM'
        The kind of layer.
    cells : int, default 16
        How many cells it has.
    bits : int, default 3
        How many bits are read and said.
    seed : int, default 0
        What the first weights follow from. It is set for Keras, TensorFlow, NumPy and Python.

    Raises
    ------
    ValueError
        If ``kind`` isn't one of :data:`KINDS`.
    """
    import keras  # noqa: PLC0415

    if kind not in KINDS:
        raise ValueError(f"kind: expected one of {', '.join(map(repr, KINDS))}, got {kind!r}")
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((None, bits)),
            getattr(layers, kind)(cells, return_sequences=True, name="memory"),
            layers.Dense(bits, name="bits"),
        ],
        name=f"flip_flop_{kind.lower()}",
    )


def train(
    model: keras.Model,
    trials: Trials,
    *,
    epochs: int,
    batch_size: int = 64,
    learning_rate: float = 0.01,
    seed: int = 0,
) -> list[float]:
    """Train on trials, by Adam with a learning rate that falls to 0 on a cosine.

    Parameters
    ----------
    model : keras.Model
        What :func:`build_model` gave. It is changed.
    trials : Trials
        What :func:`generate` gave.
    epochs : int
        How often each trial is seen.
    batch_size : int, default 64
        Trials a step.
    learning_rate : float, default 0.01
        The learning rate at the first step.
    seed : int, default 0
        What the order of the trials follows from. It is set for Keras, TensorFlow, NumPy and Python.

    Returns
    -------
    list of float
        The mean squared error of each epoch.
    """
    import keras  # noqa: PLC0415

    keras.utils.set_random_seed(seed)
    steps = epochs * -(-len(trials.pulses) // batch_size)
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    model.compile(optimizer=keras.optimizers.Adam(rate, clipnorm=1.0), loss="mse", jit_compile=True)
    history = model.fit(trials.pulses, trials.bits, batch_size=batch_size, epochs=epochs, verbose=0)
    losses: list[float] = history.history["loss"]
    return losses
