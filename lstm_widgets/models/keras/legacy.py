# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""Open what Keras 2 saved, so that Keras 3 computes the same with it.

A file is only read: layers are built from a list of plain settings, known by name, so that nothing
in it can run. What is not on the list is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lstm_widgets.models.adapter import adapter_of
from lstm_widgets.models.keras.layers import load_keras
from lstm_widgets.models.keras.legacy_file import (
    RefusedError,
    class_and_config,
    expect_keras_2,
    expect_whole,
    member,
    model_config,
    names,
    opened,
    text,
)
from lstm_widgets.models.keras.legacy_layers import build_model
from lstm_widgets.models.keras.legacy_weights import GATES, take_weights

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["load_legacy", "load_legacy_weights"]


def load_legacy(path: str | PathLike[str]) -> Any:
    """Open a complete model that Keras 2 saved in HDF5, and rebuild it in Keras 3.

    Keras 3 can't open models with ``CuDNNLSTM`` or ``CuDNNGRU``, nor most other models of Keras 2. This
    rebuilds them with layers of Keras 3 and converts their weights, so that their outputs are the same.
    No code in the file is run.

    Models: Sequential and functional ones, with several inputs, outputs or branches, nested, with
    shared layers, and with initial states from other layers (encoder and decoder).

    Layers: ``CuDNNLSTM`` (becomes LSTM), ``CuDNNGRU`` (GRU with ``reset_after``), ``LSTM``, ``GRU``,
    ``SimpleRNN``, ``RNN`` around their cells, ``Bidirectional`` around these; ``TimeDistributed``,
    ``Dense``, ``Embedding``, ``Conv1D``, ``Conv2D``, pooling, padding, ``BatchNormalization``,
    ``LayerNormalization``, ``Dropout`` and other noise, activations, ``RepeatVector``, ``Masking``,
    ``Flatten``, ``Reshape``, ``Permute``; ``Concatenate``, ``Add``, ``Dot`` and other merges. Their
    names are kept. Optimiser, initialisers, regularisers and constraints are left out.

    Weights are those of the file except for two things, see :func:`load_legacy_weights`: the layout of
    cuDNN, and ``hard_sigmoid``, which was another function in Keras 2.

    Parameters
    ----------
    path : str or path-like
        The file, usually ``.h5`` or ``.hdf5``. If it holds only weights (``save_weights``), rebuild the
        model in Keras 3 and call :func:`load_legacy_weights`.

    Returns
    -------
    keras.Model
        Built and not compiled.

    Raises
    ------
    TypeError
        If ``path`` isn't a path.
    FileNotFoundError
        If there is no such file.
    ValueError
        If it isn't a model of Keras 2 in HDF5 (a SavedModel, a pickle, weights only, a model of Keras
        1 or 3, a damaged file), or has something that isn't converted: a layer, a setting. Then
        rebuild the model and call :func:`load_legacy_weights`.

    Examples
    --------
    >>> model = lw.load_legacy("weights-improvement-20.hdf5")  # doctest: +SKIP
    >>> recording = lw.record(model, inputs)  # doctest: +SKIP
    """
    with opened(path) as file:
        expect_whole(file)
        keras = load_keras()
        kind, config = class_and_config(model_config(file))
        try:
            model = build_model(keras, kind, config)
        except RefusedError as error:
            raise RefusedError(
                f"{error}. Rebuild the model in Keras 3 and call lw.load_legacy_weights(model, path)"
            ) from None
        version = text(file.attrs.get("keras_version", ""))
        take_weights(keras, model, member(file, "model_weights"), config=config, version=version)
    return model


def load_legacy_weights(
    model: Any,
    path: str | PathLike[str],
    *,
    recurrent_activation: str | Mapping[str, str] | None = None,
) -> None:
    r"""Load weights that Keras 2 saved in HDF5 into a model, so that it computes the same.

    The ``load_weights`` of Keras 3 reads such files, too, but takes the numbers as they are, although
    three things have changed since:

    - ``hard_sigmoid`` was :math:`\min(\max(0.2 x + 0.5, 0), 1)` in Keras 2 and is
      :math:`\min(\max(x / 6 + 0.5, 0), 1)` in Keras 3. The weights that lead into one are multiplied
      by 1.2, which makes it the same function.
    - It was the default of the gates (``recurrent_activation``) before Keras 2.3 and in TensorFlow 1;
      since then, that is ``sigmoid``. Code that doesn't name it builds another model today.
    - ``CuDNNLSTM`` and ``CuDNNGRU`` keep each gate's matrices transposed and two biases for each gate.
      Keras 3 doesn't have them; their weights go into ``LSTM`` and ``GRU``, as they did in Keras 2.

    So the activation of the gates in training must be known, for every LSTM and GRU. It is, if

    - the weights have the layout of cuDNN: ``sigmoid``;
    - the file has the complete model: the activation in it, which replaces Keras 3's default;
    - the model was rebuilt with ``recurrent_activation="hard_sigmoid"``, which is then taken for that
      of Keras 2, or with a function other than ``sigmoid``, which stays;
    - the model has ``sigmoid`` and the file is of Keras 2.3 (TensorFlow 2.2) or later, where that was
      the default too. Only in code that used ``tf.compat.v1`` there it was not: then say so.

    Otherwise ``recurrent_activation`` has to be given; nothing is guessed.

    Layers of file and model are matched by name where the names are the same, else by their order, as
    in Keras 2. If anything doesn't fit, no weights are set.

    Parameters
    ----------
    model : keras.Model
        A Keras 3 model, built, of the layers that were saved.
    path : str or path-like
        The file: weights only (``save_weights``), or a complete model, whose weights are taken.
    recurrent_activation : str or mapping of str to str, optional
        The activation of the gates in training, ``"hard_sigmoid"`` or ``"sigmoid"``, for all layers of
        which it isn't known; or by layer, ``{"lstm_1": "hard_sigmoid"}``, with names as in a recording.
        The layers' activation is set accordingly: they needn't be rebuilt.

    Raises
    ------
    TypeError
        If ``model`` isn't a Keras model, or an argument is of the wrong type.
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file isn't one of Keras 2 in HDF5; if number or shapes of its weights aren't the
        model's; if file, model and ``recurrent_activation`` contradict each other; or if none of
        them says which function the gates had.

    Warns
    -----
    UserWarning
        If a GRU has no biases, from which it could be seen whether it had ``reset_after``, and the
        file is older than Keras 2.4.

    Examples
    --------
    >>> import keras
    >>> from keras import layers
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((None, 5)),
    ...         layers.LSTM(8, recurrent_activation="hard_sigmoid"),  # the default of that time
    ...         layers.Dense(2, activation="softmax"),
    ...     ]
    ... )
    >>> lw.load_legacy_weights(model, "weights-improvement-20.hdf5")  # doctest: +SKIP
    """
    adapter_of(model)  # which refuses what is none
    gates = recurrent_activation
    _expect_gates(gates)
    with opened(path) as file:
        expect_keras_2(file, "model.load_weights")
        whole = "model_weights" in file
        group = member(file, "model_weights") if whole else file
        if not names(group, "layer_names"):
            hint = ": if Keras 3 saved it, model.load_weights opens it" if "layers" in file else ""
            raise RefusedError(f"has no weights as Keras 2 writes them{hint}")
        config = None
        if "model_config" in file.attrs:
            _, config = class_and_config(model_config(file))
        version = file.attrs.get("keras_version", group.attrs.get("keras_version", ""))
        take_weights(
            load_keras(),
            model,
            group,
            config=config,
            version=text(version),
            gates=dict(gates) if isinstance(gates, Mapping) else gates,
        )


def _expect_gates(given: Any) -> None:
    if given is None:
        return
    for value in given.values() if isinstance(given, Mapping) else [given]:
        if not isinstance(value, str):
            raise TypeError(
                f"recurrent_activation: expected a name, {{layer: name}} or None, got {given!r:.60}"
            )
        if value not in GATES:
            raise ValueError(
                f"recurrent_activation: expected {' or '.join(map(repr, GATES))}, got {value!r}. "
                "Layers with another function are rebuilt with it"
            )
