# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""The adapter of Keras 3, on TensorFlow; see :mod:`lstm_widgets.models.adapter`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lstm_widgets.models.adapter import Adapter
    from lstm_widgets.tokens.vocabulary import Lookup

MODELS = "a Keras 3 model (keras.Model)"
VOCABULARIES = "a TextVectorization or a StringLookup"


def adapt(model: Any) -> Adapter | None:
    """Make the adapter of a Keras model; None of anything else."""
    from lstm_widgets.models.keras.layers import load_keras  # noqa: PLC0415

    if not isinstance(model, load_keras().Model):
        return None
    from lstm_widgets.models.keras.adapter import KerasAdapter  # noqa: PLC0415

    return KerasAdapter(model)


def lookup_of(layer: Any) -> Lookup | None:
    """Make a lookup of a layer that makes ids of strings; None of anything else."""
    from lstm_widgets.models.keras.lookup import KerasLookup, is_lookup  # noqa: PLC0415

    return KerasLookup(layer) if is_lookup(layer) else None
