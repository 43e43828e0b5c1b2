# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""The layers of Keras that make ids of strings."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lstm_widgets.models.keras.backend import backend
from lstm_widgets.models.keras.gather import array
from lstm_widgets.models.keras.layers import load_keras

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["KerasLookup", "find_lookup", "is_lookup"]


class KerasLookup:
    """A ``TextVectorization`` or ``StringLookup``, as a :class:`lstm_widgets.tokens.vocabulary.Lookup`.

    Parameters
    ----------
    layer : keras.layers.Layer
        The layer, which has its vocabulary.
    """

    def __init__(self, layer: Any) -> None:
        self._own = layer

    @functools.cached_property
    def _layer(self) -> Any:
        return _without_options(self._own)

    @functools.cached_property
    def tokens(self) -> tuple[str, ...]:
        """Its tokens by id."""
        return tuple(self._own.get_vocabulary())

    @property
    def unknown(self) -> int | None:
        """The id that it reads unknown tokens as, the first if it has several; None: it has none."""
        lookup = getattr(self._layer, "_lookup_layer", self._layer)
        return int(lookup.mask_token is not None) if lookup.num_oov_indices else None

    @property
    def cuts(self) -> bool:
        """Whether it cuts texts into tokens itself."""
        return isinstance(self._own, load_keras().layers.TextVectorization)

    @property
    def splits(self) -> Literal["words", "characters"] | None:
        """What it cuts them into; None where tokens themselves tell."""
        split = getattr(self._layer, "_split", None)
        if split is None:
            return None
        return "words" if split == "whitespace" else "characters"

    def encode(self, strings: Sequence[str]) -> npt.NDArray[np.int64]:
        """Make ids of tokens ``(n,)``; of texts, if it cuts them, a row each ``(n, tokens)``."""
        ids: npt.NDArray[np.int64] = array(self._layer(list(strings))).astype(np.int64)
        return ids

    def own_ids(self, strings: npt.NDArray[Any]) -> npt.NDArray[np.int64] | None:
        """Make ids of an input of its model, as it does there; None if it makes something else."""
        if self._own.get_config()["output_mode"] != "int":
            return None
        ids = array(self._own(backend().taken(strings)))
        return ids.astype(np.int64) if isinstance(ids, np.ndarray) else None


def is_lookup(layer: Any) -> bool:
    """Whether a layer makes ids of strings."""
    layers = load_keras().layers
    return isinstance(layer, (layers.TextVectorization, layers.StringLookup))


def find_lookup(model: Any) -> Any:
    """Find the layer that makes ids of strings in a model, None if there is none or several."""
    found = [
        layer
        for layer in model._flatten_layers(include_self=False)  # noqa: SLF001
        if is_lookup(layer) and not getattr(layer, "invert", False)
    ]
    # A TextVectorization has a StringLookup inside.
    inside = [id(getattr(layer, "_lookup_layer", None)) for layer in found]
    found = [layer for layer in found if id(layer) not in inside]
    return found[0] if len(found) == 1 else None


def _without_options(layer: Any) -> Any:
    """Make of a layer with a vocabulary one that maps any text to all of its ids."""
    config = layer.get_config() | {"output_mode": "int", "sparse": False}
    config |= {"pad_to_max_tokens": False, "max_tokens": None}
    if isinstance(layer, load_keras().layers.StringLookup):
        config |= {"invert": False}
    else:
        config |= {"ragged": False, "output_sequence_length": None}
    config |= {"vocabulary": None, "idf_weights": None, "vocabulary_size": None}
    made = type(layer).from_config(config)
    made.set_vocabulary(layer.get_vocabulary(include_special_tokens=False))
    return made
