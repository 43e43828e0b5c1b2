# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""The adapter of Keras 3, on TensorFlow, JAX or PyTorch; see :mod:`lstm_widgets.models.adapter`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lstm_widgets.models.adapter import Adapter
    from lstm_widgets.tokens.vocabulary import Lookup

MODELS = "a Keras 3 model (keras.Model)"
VOCABULARIES = "a TextVectorization or a StringLookup"


def adapt(model: Any) -> Adapter | None:
    """Make the adapter of a Keras model; None of anything else."""
    import keras  # noqa: PLC0415

    if not isinstance(model, keras.Model):
        _refuse_layers(model)
        return None
    from lstm_widgets.models.keras.adapter import KerasAdapter  # noqa: PLC0415

    return KerasAdapter(model)


def lookup_of(layer: Any) -> Lookup | None:
    """Make a lookup of a layer that makes ids of strings; None of anything else."""
    from lstm_widgets.models.keras.lookup import KerasLookup, is_lookup  # noqa: PLC0415

    return KerasLookup(layer) if is_lookup(layer) else None


def environment() -> dict[str, str]:
    """Tell with which environment variables Keras runs elsewhere on the backend that it has here."""
    keras = sys.modules.get("keras")
    return {} if keras is None else {"KERAS_BACKEND": str(keras.config.backend())}


def _refuse_layers(thing: Any) -> None:
    """Tell of layers that are in no model of Keras.

    Raises
    ------
    TypeError
        If it is a layer of Keras, or a module of another framework that has some.
    """
    import keras  # noqa: PLC0415

    kind = f"{type(thing).__module__}.{type(thing).__name__}"
    if isinstance(thing, keras.Layer):
        raise TypeError(
            f"model: expected {MODELS}, got {thing.name!r}, a {kind} without one: "
            f"keras.Sequential([layer]) makes a model of a layer"
        )
    modules = getattr(thing, "modules", None)
    parts = modules() if callable(modules) and hasattr(thing, "named_modules") else ()
    layer = next((one for one in parts if isinstance(one, keras.Layer)), None)
    if layer is not None:
        raise TypeError(
            f"model: expected {MODELS} or a module without layers of Keras, got a {kind} with the layer "
            f"{layer.name!r}: make what is around it a keras.Model, which may have modules as layers"
        )
