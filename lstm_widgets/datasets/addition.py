"""Sums as text: the task of the network that learns to add.

A question such as ``"8+6  "`` goes in, character by character, and the answer ``"14"`` comes out.
The task is that of a public Keras tutorial; the functions here are for any count of numbers and any
largest number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lstm_widgets.checks import expect_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

__all__ = [
    "SYMBOLS",
    "AdditionTask",
    "build_model",
    "decode",
    "encode",
    "train",
]

#: What texts are made of.
SYMBOLS = "0123456789+ "
_INDEX = {symbol: index for index, symbol in enumerate(SYMBOLS)}


@dataclass(frozen=True)
class AdditionTask:
    """Sums of ``count`` whole numbers from 1 to ``largest``.

    Parameters
    ----------
    count : int, default 2
        How many numbers are added.
    largest : int, default 10
        The largest of them.

    Raises
    ------
    ValueError
        If either isn't a positive whole number.
    """

    count: int = 2
    largest: int = 10

    def __post_init__(self) -> None:
        for name in ("count", "largest"):
            expect_whole(name, getattr(self, name), 1)

    @property
    def question_width(self) -> int:
        """Characters of a question: the largest number ``count`` times, and a + between them."""
        return self.count * len(str(self.largest)) + self.count - 1

    @property
    def answer_width(self) -> int:
        """Characters of an answer: the digits of the largest sum."""
        return len(str(self.count * self.largest))

    def all_terms(self) -> npt.NDArray[np.int64]:
        """Every choice of numbers, in counting order.

        Returns
        -------
        ndarray of int64, shape (largest ** count, count)
        """
        grid = np.indices((self.largest,) * self.count, dtype=np.int64)
        return grid.reshape(self.count, -1).T + 1

    def random_terms(self, examples: int, *, seed: int) -> npt.NDArray[np.int64]:
        """Numbers drawn evenly and independently; the same seed draws the same.

        Returns
        -------
        ndarray of int64, shape (examples, count)
        """
        expect_whole("examples", examples, 0)
        random = np.random.default_rng(seed)
        return random.integers(1, self.largest, size=(examples, self.count), endpoint=True)

    def questions(self, terms: npt.ArrayLike) -> list[str]:
        """Write the terms as ``"8+6  "``, padded at the end to :attr:`question_width`.

        Parameters
        ----------
        terms : array-like
            Whole numbers from 1 to ``largest``, shape (examples, count).
        """
        rows = self._expect_terms(terms)
        return ["+".join(map(str, row)).ljust(self.question_width) for row in rows.tolist()]

    def answers(self, terms: npt.ArrayLike) -> list[str]:
        """Write the sums as ``" 9"`` or ``"14"``, padded in front to :attr:`answer_width`.

        Parameters
        ----------
        terms : array-like
            Whole numbers from 1 to ``largest``, shape (examples, count).
        """
        rows = self._expect_terms(terms)
        return [str(total).rjust(self.answer_width) for total in rows.sum(axis=1).tolist()]

    def _expect_terms(self, terms: npt.ArrayLike) -> npt.NDArray[np.int64]:
        rows = np.asarray(terms)
        if rows.ndim != 2 or rows.shape[1] != self.count:
            raise ValueError(f"terms: expected shape (examples, {self.count}), got {rows.shape}")
        if rows.dtype.kind not in "iu":
            raise TypeError(f"terms: expected whole numbers, got dtype {rows.dtype}")
        if rows.size and (rows.min() < 1 or rows.max() > self.largest):
            raise ValueError(
                f"terms: expected numbers from 1 to {self.largest}, "
                f"got some from {rows.min()} to {rows.max()}"
            )
        return rows.astype(np.int64, copy=False)


def encode(texts: Sequence[str], width: int) -> npt.NDArray[np.float32]:
    """Write each character as a one-hot row over :data:`SYMBOLS`.

    Parameters
    ----------
    texts : sequence of str
        Texts of :data:`SYMBOLS`, each exactly ``width`` long.
    width : int
        Characters a text.

    Returns
    -------
    ndarray of float32, shape (len(texts), width, 12)

    Raises
    ------
    ValueError
        If a text has another length, or a character that isn't a symbol.
    """
    for text in texts:
        if len(text) != width:
            raise ValueError(f"texts: expected {width} characters each, got {text!r}")
        if strange := set(text) - set(SYMBOLS):
            raise ValueError(f"texts: expected only {SYMBOLS!r}, got {min(strange)!r} in {text!r}")
    indices = np.array([[_INDEX[c] for c in text] for text in texts], dtype=np.intp)
    return np.eye(len(SYMBOLS), dtype=np.float32)[indices.reshape(len(texts), width)]


def decode(rows: npt.ArrayLike) -> list[str]:
    """Read back the likeliest character of each row, be it one-hot or a model's output.

    Parameters
    ----------
    rows : array-like
        Numbers, shape (examples, width, 12).
    """
    values = np.asarray(rows)
    if values.ndim != 3 or values.shape[2] != len(SYMBOLS):
        raise ValueError(
            f"rows: expected shape (examples, width, {len(SYMBOLS)}), got {values.shape}"
        )
    return ["".join(SYMBOLS[index] for index in row) for row in values.argmax(axis=2).tolist()]


def build_model(task: AdditionTask, *, seed: int = 0) -> keras.Model:
    """Build the network: one LSTM reads the question, another one writes the answer.

    ``LSTM(100)`` → ``RepeatVector`` → ``LSTM(50, return_sequences=True)`` →
    ``TimeDistributed(Dense(softmax))``, with the layers named ``encoder``, ``repeat``, ``decoder``
    and ``characters``. Takes ``(batch, question_width, 12)``, gives ``(batch, answer_width, 12)``.

    Parameters
    ----------
    task : AdditionTask
        The task, which gives the sizes.
    seed : int, default 0
        What the first weights follow from. It is set for Keras, TensorFlow, NumPy and Python.
    """
    import keras  # noqa: PLC0415

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    symbols = len(SYMBOLS)
    return keras.Sequential(
        [
            layers.Input((task.question_width, symbols)),
            layers.LSTM(100, name="encoder"),
            layers.RepeatVector(task.answer_width, name="repeat"),
            layers.LSTM(50, return_sequences=True, name="decoder"),
            layers.TimeDistributed(layers.Dense(symbols, activation="softmax"), name="characters"),
        ],
        name="addition",
    )


def train(
    model: keras.Model,
    task: AdditionTask,
    terms: npt.ArrayLike,
    *,
    epochs: int = 150,
    batch_size: int = 20,
    learning_rate: float = 0.01,
    seed: int = 0,
) -> list[float]:
    """Train on the sums of some terms, by Adam with a learning rate that falls to 0 on a cosine.

    The defaults teach all pairs up to 10 within seconds on a laptop.

    Parameters
    ----------
    model : keras.Model
        What :func:`build_model` gave for the same task. It is changed.
    task : AdditionTask
        The task.
    terms : array-like
        The numbers to train on, shape (examples, count).
    epochs : int, default 150
        How often each example is seen.
    batch_size : int, default 20
        Examples a step.
    learning_rate : float, default 0.01
        The learning rate at the first step.
    seed : int, default 0
        What the order of the examples follows from. It is set for Keras, TensorFlow, NumPy and
        Python.

    Returns
    -------
    list of float
        The mean loss (cross-entropy, in nats a character) of each epoch.
    """
    import keras  # noqa: PLC0415

    keras.utils.set_random_seed(seed)
    inputs = encode(task.questions(terms), task.question_width)
    targets = encode(task.answers(terms), task.answer_width)
    steps = epochs * -(-len(inputs) // batch_size)
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="categorical_crossentropy")
    history = model.fit(inputs, targets, batch_size=batch_size, epochs=epochs, verbose=0)
    losses: list[float] = history.history["loss"]
    return losses
