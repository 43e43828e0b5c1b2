# What is given as a text may be of many types: Any.
# ruff: noqa: ANN401
"""A text, and the ways in which a model can read it: piece by piece, or window by window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.checks import is_whole
from lstm_widgets.models.gather import fits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from lstm_widgets.models.adapter import Adapter, Layer
    from lstm_widgets.running.reading import Reading
    from lstm_widgets.tokens.vocabulary import Encoding, Vocabulary

__all__ = ["batches", "is_text", "obstacle", "standard_text", "windows_of"]

# Timesteps that are read at a time. A whole number of rounds of the compiled loop.
PIECE = 4096
# Windows that are read at a time: as many as fit, and neither so few that calling costs more than
# computing, nor so many that an interruption comes late.
WINDOWS_BYTES = 1 << 26
WINDOWS = (64, 4096)


def is_written(inputs: Any) -> bool:
    """Whether a text is given as it is written, and not as numbers."""
    return isinstance(inputs, str) or (
        isinstance(inputs, (list, tuple)) and bool(inputs) and isinstance(inputs[0], str)
    )


def takes_whole_texts(model: Adapter) -> bool:
    """Whether a model of strings gets one for each example, and not one for each timestep."""
    shape = model.input_shape
    if shape is None:
        return model.lookup is not None and model.lookup.cuts
    return len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)


def as_str(token: str | bytes) -> str:
    """Read a string as TensorFlow keeps it."""
    return token.decode("utf-8", "replace") if isinstance(token, bytes) else str(token)


def split(text: str | Sequence[str], vocabulary: Vocabulary) -> npt.NDArray[np.str_]:
    """Cut a text into tokens, for a model that looks them up itself."""
    if isinstance(text, str):
        text = text.split() if vocabulary.spelling.apart else list(text)
    return np.array(text, np.str_)


def encode(
    model: Adapter,
    text: str | Sequence[str],
    vocabulary: Vocabulary | None,
    encoding: Encoding | None,
) -> tuple[npt.NDArray[np.object_], npt.NDArray[Any]]:
    """Tell a written text's tokens, and make of it what the model reads."""
    several = len(model.inputs)
    if several > 1:
        raise ValueError(
            f"inputs: expected {several} arrays (one for each input of the model), got a str"
        )
    if vocabulary is None:
        raise ValueError(
            "vocabulary: expected one, to read the text that inputs is, because the model takes "
            "numbers; got None"
        )
    if encoding is None:
        raise ValueError(
            "inputs: expected an array, because the model takes neither ids, nor one-hot vectors of "
            f"length {vocabulary.size}, nor scaled ids; got a str"
        )
    tokens, ids = vocabulary.encode(text, "inputs")
    return tokens, encoding.write(ids)


def is_text(values: Any, shape: tuple[int | None, ...] | None, window: int | None) -> bool:
    """Whether inputs are a text: one axis less than a batch has, that of the examples.

    A last axis of length 1 may be left out, in a batch and in a text.
    """
    if not hasattr(values, "shape"):
        return False
    given = tuple(values.shape)
    if shape is None:
        return len(given) == 1 or (window is not None and len(given) == 2)
    if len(given) == 1:
        return True
    if len(shape) == 3 and shape[2] == 1 and len(given) == 2:
        return bool(given[1] == 1 and shape[1] != 1)
    return len(given) == len(shape) - 1


def standard_text(
    values: Any,
    shape: tuple[int | None, ...] | None,
    window: int | None,
    *,
    padded: bool = False,
) -> npt.NDArray[Any]:
    """Check a text, and give it all the axes that the model's input has after the examples."""
    text = np.asarray(values)
    if text.dtype == object:  # strings as TensorFlow keeps them
        text = np.array([as_str(token) for token in text.flat], np.str_).reshape(text.shape)
    count = text.shape[0]
    if shape is not None:
        if len(shape) == text.ndim + 2 and shape[-1] == 1:
            text = text[..., None]
        if not fits((1, *text.shape), (None, None, *shape[2:])):
            raise ValueError(
                f"inputs: expected a batch of shape {shape} or a text of shape "
                f"({', '.join(map(str, ('n', *shape[2:])))}), got {tuple(values.shape)}"
            )
    if not count:
        raise ValueError("inputs: expected a text of at least one token, got an empty one")
    if window is None:
        return text
    if window > count and not padded:
        raise ValueError(
            f"window: expected at most {count}, the number of tokens of the text, got {window}; "
            "pad= puts padding before the text"
        )
    if shape is not None and shape[1] not in (None, window):
        raise ValueError(f"window: the model takes {shape[1]} timesteps, got {window}")
    return text


def expect_long_enough(lengths: npt.NDArray[np.intp], window: int) -> None:
    """Refuse a window that is longer than one of several texts."""
    shortest = int(lengths.argmin())
    if window > lengths[shortest]:
        raise ValueError(
            f"window: expected at most {lengths[shortest]}, the number of timesteps of example "
            f"{shortest}, got {window}; pad= puts padding before it"
        )


def standard_pad(
    pad: Any,
    text: npt.NDArray[Any],
    encoding: Encoding | None,
    vocabulary: Vocabulary | None,
) -> npt.NDArray[Any]:
    """Make of a padding what stands at one timestep of a text, ``text.shape[1:]``."""
    row = text.shape[1:]
    if text.dtype.kind == "U":
        if not isinstance(pad, str):
            raise TypeError(
                f"pad: expected a token (str), because the model reads such; got {pad!r}"
            )
        return np.array(pad)
    if isinstance(pad, str):
        token = vocabulary is not None and vocabulary.has(pad)
        if not token and pad == "zero" and row:
            return np.zeros(row, text.dtype)
        if vocabulary is None or not token:
            known = "" if row else ", because the model takes ids"
            raise ValueError(
                f"pad: expected a token of the vocabulary=, an id, or 'zero' for a vector of zeros"
                f"{known}; got {pad!r}"
            )
        pad = vocabulary.id_of(pad)
    if is_whole(pad) and encoding is not None and encoding.kind != "ids":
        named = vocabulary is not None or encoding.kind == "one-hot"
        ids = encoding.read(text if text.ndim == 2 else text[..., None]) if named else None
        if ids is not None:
            size = encoding.size
            if not 0 <= pad < size:
                raise ValueError(f"pad: expected an id from 0 to {size - 1}, got {pad}")
            return encoding.write(np.array(pad)).reshape(row).astype(text.dtype)
    value = np.asarray(pad)
    if value.dtype.kind not in "biuf" or value.shape not in ((), row):
        raise ValueError(
            f"pad: expected an id, a token, or a row of shape {row} (or a number for all of it), "
            f"got {pad!r:.80}"
        )
    if not row and not (is_whole(pad) and pad >= 0) and text.dtype.kind in "iu":
        raise ValueError(f"pad: expected an id from 0, got {pad!r:.80}")
    return np.broadcast_to(value.astype(text.dtype), row)


def behind(pad: npt.NDArray[Any], count: int, texts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Put texts ``(text, timestep, ...)`` behind some timesteps of padding."""
    front = np.broadcast_to(pad, (len(texts), count, *texts.shape[2:]))
    return np.concatenate([front, texts], axis=1)


def standard_text_tokens(tokens: Any, count: int | None = None) -> list[str]:
    """Check the tokens of a text."""
    if not isinstance(tokens, (str, list, tuple, np.ndarray)):
        raise TypeError(
            f"tokens: expected a str or a sequence of str for a text, got {tokens!r:.80}"
        )
    for token in tokens:
        if not isinstance(token, str):
            raise TypeError(f"tokens: expected str, got {token!r:.80}")
    if count is not None and len(tokens) != count:
        raise ValueError(f"tokens: expected {count}, one for each of the text, got {len(tokens)}")
    return [str(token) for token in tokens]


def obstacle(model: Adapter, differs: Callable[[], str] | None = None) -> str:
    """Name what keeps a model from reading a text piece by piece, ``""`` if nothing does.

    Reading so is exact if every recurrent layer reads forwards and starts where it ended, and
    everything else acts on each timestep by itself.

    Parameters
    ----------
    model : Adapter
        The model.
    differs : callable, optional
        Computes whether it is exact, and says how it isn't; asked only where nothing but what isn't
        known to hinder stands in the way. None: that does.
    """
    found = list(model.obstacles())
    first = next((name for name, certain in found if certain or differs is None), "")
    if first or differs is None or not found:
        return first
    how = differs()
    return how and f"{found[0][0]}, because {how},"


def windows_of(texts: npt.NDArray[Any], window: int) -> npt.NDArray[Any]:
    """See all windows of texts ``(text, timestep, ...)``: ``(text, first timestep, timestep, ...)``."""
    every = np.lib.stride_tricks.sliding_window_view(texts, window, 1)
    return np.moveaxis(every, -1, 2)


def batches(
    texts: npt.NDArray[Any], reading: Reading, prescribed: int | None
) -> Callable[[int, int], npt.NDArray[Any]]:
    """Make the function that gives what the model is called with, of texts ``(text, timestep, ...)``."""
    if reading.mode == "pieces":
        return lambda start, stop: texts[:, start:stop]
    windows = windows_of(texts, reading.window)[:, :: reading.step]

    def batch(start: int, stop: int) -> npt.NDArray[Any]:
        rows = (
            windows[0, start:stop] if len(windows) == 1 else windows[reading.windows(start, stop)]
        )
        if prescribed and stop - start < prescribed:
            more = np.repeat(rows[-1:], prescribed - len(rows), axis=0)
            rows = np.concatenate([rows, more])
        return np.ascontiguousarray(rows)

    return batch


def standard_size(
    reading: Reading, layers: Sequence[Layer], prescribed: int | None, batch_size: int | None
) -> int:
    """Tell how many timesteps, or windows, are read at a time."""
    if reading.mode == "pieces":
        if prescribed not in (None, 1):
            raise ValueError(
                f"inputs: the model takes batches of exactly {prescribed} examples, a text is one; "
                "give window="
            )
        return batch_size or PIECE
    if prescribed or batch_size:
        if prescribed and batch_size not in (None, prescribed):
            raise ValueError(f"batch_size: the model prescribes {prescribed}, got {batch_size}")
        return prescribed or batch_size or 1
    widest = max(size for one in layers for size in one.sizes)
    # A window's hidden states, and what the gates of its steps are computed from.
    room = WINDOWS_BYTES // (4 * reading.window * widest * 5)
    return int(np.clip(room, *WINDOWS))
