"""Networks that guess the next character: what the notebooks on text are about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

__all__ = ["build_model", "encode", "loss", "train"]


def encode(text: str, symbols: Sequence[str]) -> npt.NDArray[np.int32]:
    """Write each character as its place in ``symbols``.

    Parameters
    ----------
    text : str
        Made of these symbols only.
    symbols : sequence of str
        Every character there is, each once.

    Returns
    -------
    ndarray of int32, shape (len(text),)

    Raises
    ------
    ValueError
        If a character of the text isn't one of the symbols.
    """
    index = {symbol: number for number, symbol in enumerate(symbols)}
    if strange := set(text) - set(index):
        raise ValueError(f"text: expected only characters of symbols, got {min(strange)!r}")
    return np.array([index[character] for character in text], np.int32)


def build_model(
    symbols: int,
    *,
    kind: Literal["LSTM", "GRU", "SimpleRNN"] = "LSTM",
    cells: Sequence[int] = (128, 128),
    embedding: int = 32,
    dropout: float = 0.0,
    l1: float = 0.0,
    seed: int = 0,
) -> keras.Model:
    r"""Build a network that gives, after each character, the probabilities of the next one.

    ``Embedding`` → recurrent layers, each followed by ``ActivityRegularization`` and ``Dropout`` if
    they are asked for → ``Dense(softmax)``. The recurrent layers are named by their kind and place:
    ``lstm_1``, ``lstm_2``.
    Takes ids ``(batch, timesteps)`` of any length, gives ``(batch, timesteps, symbols)``.

    Parameters
    ----------
    symbols : int
        How many different characters there are.
    kind : {"LSTM", "GRU", "SimpleRNN"}, default "LSTM"
        The kind of the recurrent layers.
    cells : sequence of int, default (128, 128)
        How many cells each of them has.
    embedding : int, default 32
        How many numbers stand for a character.
    dropout : float, default 0.0
        The share of hidden states that is left out while training, drawn anew at each timestep.
    l1 : float, default 0.0
        L1 activity regularisation: while training, so much times the sum of all \|hidden states\| of
        one window is added to the loss. It pulls the hidden state to 0.
    seed : int, default 0
        What the first weights follow from. It is set for Keras, TensorFlow, NumPy and Python.
    """
    import keras  # noqa: PLC0415

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    stack = [
        layers.Input((None,), dtype="int32"),
        layers.Embedding(symbols, embedding, name="symbols"),
    ]
    for place, count in enumerate(cells, 1):
        name = f"{kind.lower()}_{place}"
        stack.append(getattr(layers, kind)(count, return_sequences=True, name=name))
        if l1:  # a layer of its own, because Keras's SimpleRNN ignores its activity_regularizer
            stack.append(layers.ActivityRegularization(l1=l1, name=f"l1_{place}"))
        if dropout:
            stack.append(layers.Dropout(dropout, name=f"dropout_{place}"))
    stack.append(layers.Dense(symbols, activation="softmax", name="next_symbol"))
    return keras.Sequential(stack, name="next_character")


def train(
    model: keras.Model,
    ids: npt.ArrayLike,
    *,
    epochs: int,
    window: int = 64,
    streams: int | None = None,
    batch_size: int = 32,
    learning_rate: float = 0.003,
    weight_decay: float = 0.0,
    seed: int = 0,
) -> list[float]:
    """Train on a text, by AdamW with a learning rate that falls to 0 on a cosine.

    There are two ways to read the text. With ``streams`` it is cut into so many long pieces, which
    are read side by side, ``window`` characters a step, and the state is carried on from step to
    step: for a network that will read *continuously*. Without, each example is a window of its own
    that starts from the initial state, and all windows of the text are seen in every epoch: for a
    network that will always read *windows* of this length.

    Parameters
    ----------
    model : keras.Model
        What :func:`build_model` gave. It is changed.
    ids : int array (n,)
        The text, as :func:`encode` writes it, shape (characters,).
    epochs : int
        How often the text is read.
    window : int, default 64
        Characters a step, through which the error is propagated back.
    streams : int, optional
        How many pieces are read side by side. Default: windows.
    batch_size : int, default 32
        Windows a step; without meaning for streams, where a step has one window of each.
    learning_rate : float, default 0.003
        The learning rate at the first step.
    weight_decay : float, default 0.0
        How far each weight goes back to 0 at a step, times the learning rate (AdamW).
    seed : int, default 0
        What dropout and the order of the windows follow from. It is set for Keras, TensorFlow, NumPy
        and Python.

    Returns
    -------
    list of float
        The mean loss (cross-entropy, in nats a character) of each epoch, regularisation included.

    Raises
    ------
    ValueError
        If the text is too short for one step.
    """
    import keras  # noqa: PLC0415

    keras.utils.set_random_seed(seed)
    text = np.asarray(ids, np.int32)
    if len(text) <= window * (streams or 1):
        raise ValueError(
            f"ids: expected more than {window * (streams or 1)} characters, got {len(text)}"
        )
    if streams:
        pieces, batch_size = _side_by_side(text, window, streams), streams
    else:
        pieces = np.lib.stride_tricks.sliding_window_view(text, window + 1)
    trained = _copy(model, window, streams)
    steps = epochs * -(-len(pieces) // batch_size)
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=weight_decay, clipnorm=1.0)
    trained.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy")
    history = trained.fit(
        pieces[:, :-1],
        pieces[:, 1:],
        batch_size=batch_size,
        epochs=epochs,
        shuffle=not streams,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: _reset(trained))],
        verbose=0,
    )
    model.set_weights(trained.get_weights())
    losses: list[float] = history.history["loss"]
    return losses


def _side_by_side(text: npt.NDArray[np.int32], window: int, streams: int) -> npt.NDArray[np.int32]:
    """Cut a text into steps of one window a stream; row k + streams goes on where row k ends."""
    steps = (len(text) - 1) // (streams * window)
    starts = np.arange(steps)[:, None] * window + np.arange(streams) * (steps * window)
    pieces: npt.NDArray[np.int32] = text[starts.reshape(-1, 1) + np.arange(window + 1)]
    return pieces


def _copy(model: keras.Model, window: int, streams: int | None) -> keras.Model:
    """Build the same network once more; with streams, it carries its state on from step to step."""
    import keras  # noqa: PLC0415

    stack = [keras.layers.Input(batch_shape=(streams, window), dtype="int32")]
    for layer in model.layers:
        config = layer.get_config()
        if isinstance(layer, keras.layers.RNN):
            config["stateful"] = bool(streams)
        stack.append(type(layer).from_config(config))
    copy = keras.Sequential(stack, name=model.name)
    copy.set_weights(model.get_weights())
    return copy


def _reset(model: keras.Model) -> None:
    for layer in model.layers:
        if getattr(layer, "stateful", False):
            layer.reset_state()


def loss(model: keras.Model, ids: npt.ArrayLike) -> float:
    """Give the mean loss (cross-entropy, in nats a character) on a text that is read in one go.

    Parameters
    ----------
    model : keras.Model
        What :func:`build_model` gave.
    ids : int array (n,)
        The text, as :func:`encode` writes it, shape (characters,).
    """
    text = np.asarray(ids, np.int32)
    probabilities = model.predict(text[None, :-1], verbose=0)[0]
    return float(-np.log(probabilities[np.arange(len(text) - 1), text[1:]]).mean())
