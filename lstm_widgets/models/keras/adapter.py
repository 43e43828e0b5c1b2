# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""A Keras model, as the rest of the package sees it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from lstm_widgets.errors import UnsupportedLayerError
from lstm_widgets.models.adapter import Adapter, Input, Masker
from lstm_widgets.models.keras import gather, run
from lstm_widgets.models.keras.backend import backend
from lstm_widgets.models.keras.compiled_run import CompiledModel, compiled
from lstm_widgets.models.keras.explained import Explained
from lstm_widgets.models.keras.layers import Found, find_layers, plain_config
from lstm_widgets.models.keras.lookup import KerasLookup, find_lookup
from lstm_widgets.models.keras.losses import loss_function
from lstm_widgets.models.keras.outputs import declared, loss_of
from lstm_widgets.models.keras.padding import find_masker
from lstm_widgets.models.keras.timesteps import obstacles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    import numpy.typing as npt

    from lstm_widgets.models.adapter import Follower, Loop
    from lstm_widgets.models.explaining import CellState
    from lstm_widgets.rnn.comparison import Check

__all__ = ["KerasAdapter"]


class KerasAdapter(Adapter):
    """The adapter of a Keras model.

    Parameters
    ----------
    model : keras.Model
        Sequential, functional, subclassed or nested.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages whose versions a recording notes."""
        return ("keras", backend().name)

    @property
    def name(self) -> str:
        """The model's name."""
        return str(self.model.name)

    def config(self) -> dict[str, Any]:
        """Tell its settings, as JSON can hold them."""
        return plain_config(self.model)

    def weights(self) -> Iterator[npt.NDArray[Any]]:
        """Give its weights, and the states from which stateful layers start."""
        return run.weights(self.model, self.layers)

    # What goes in ---------------------------------------------------------------------------------

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What the model takes; nothing if it doesn't tell."""
        tensors = getattr(self.model, "inputs", None) or []
        return tuple(Input(t.name, tuple(t.shape), str(t.dtype)) for t in tensors)

    @property
    def input_shape(self) -> tuple[int | None, ...] | None:
        """The shape of its only input; None if it doesn't tell or has several."""
        if self.inputs:
            return super().input_shape
        # A subclassed model knows what it was built with: some batch, of some length.
        known = list((getattr(self.model, "_build_shapes_dict", None) or {}).values())
        if len(known) == 1 and isinstance(known[0], tuple) and len(known[0]) > 1:
            return (None, None, *known[0][2:])
        return None

    @property
    def batch_size(self) -> int | None:
        """The number of examples that the model takes at a time, if it takes no other."""
        return run.prescribed_batch_size(self.model, self.layers)

    @property
    def reads_strings(self) -> bool:
        """Whether what it takes are strings."""
        if self.inputs:
            return any(one.dtype == "string" for one in self.inputs)
        return self.lookup is not None

    @functools.cached_property
    def lookup(self) -> KerasLookup | None:
        """The only layer of it that makes ids of strings."""
        found = find_lookup(self.model)
        return None if found is None else KerasLookup(found)

    def unpacked(self, inputs: Any, *, more: bool = False) -> Any:
        """Take the examples out of a dataset of TensorFlow or Keras; everything else as it is."""
        del more
        return gather.unpacked(inputs, self.inputs)

    def batches(self, inputs: Any) -> tuple[Iterator[Any], int | None] | None:
        """Take one after the other out of a dataset of TensorFlow or Keras, or a loader of the backend."""
        return gather.batches(inputs, self.inputs)

    def array(self, value: Any) -> Any:
        """Make an array of a tensor, a list of examples of a ragged one; everything else as it is."""
        return gather.array(value)

    def masker(self, leaf: int) -> Masker | None:
        """Tell what is padding in one of its inputs, if padding then changes nothing else."""
        return find_masker(self.model, leaf)

    def filling_advice(self, timesteps: int) -> str:
        """Say how Keras fills sequences up, as the end of a sentence."""
        return f": keras.utils.pad_sequences(..., maxlen={timesteps}, padding=..., value=...)"

    def obstacles(self) -> Iterator[tuple[str, bool]]:
        """Name what may keep the model from reading a text piece by piece."""
        return obstacles(self.model)

    # What comes out -------------------------------------------------------------------------------

    @property
    def outputs(self) -> dict[str, tuple[int | None, ...]] | None:
        """The shapes of its outputs, by name, as known before it is called; None: it doesn't tell."""
        known = declared(self.model)
        return None if known is None else {name: tuple(t.shape) for name, t in known.items()}

    def loss(self, output: str | None) -> Any:
        """Tell what the model was compiled with for an output."""
        return loss_of(self.model, output)

    @property
    def probability_advice(self) -> str:
        """Say how a model tells that its single output is a probability."""
        return (
            ". Of a classifier: end it with keras.layers.Activation('sigmoid'), or compile it with "
            "keras.losses.BinaryCrossentropy(from_logits=True)"
        )

    # The run --------------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Found]:
        """Everything recurrent in it, in the model's order, cells that it steps itself last."""
        return find_layers(self.model)

    def build(self, first: Any) -> None:
        """Build the model if it isn't yet, from the first that it is to read."""
        run.build_model(self.model, first)

    def running(
        self,
        layers: Sequence[Any],
        loop: Loop,
        *,
        pieces: bool = False,
        every_output: bool = False,
        fresh: bool = False,
    ) -> AbstractContextManager[run.KerasRun]:
        """Make the model ready to run, and leave it as it was found."""
        return run.running(
            self.model,
            layers,
            loop,
            pieces=pieces,
            every_output=every_output,
            fresh=fresh,
        )

    def compiled(
        self,
        layers: Sequence[Any],
        batch: Any,
        loop: Follower,
        *,
        pieces: bool = False,
        every_output: bool = False,
        outputs: bool = True,
    ) -> CompiledModel | None:
        """Compile the model for one batch; None if that can't be."""
        return compiled(
            self.model,
            layers,
            batch,
            loop,
            pieces=pieces,
            every_output=every_output,
            outputs=outputs,
        )

    def settle(self) -> None:
        """Bring weights back from ``fit``, where it keeps them for an epoch."""
        backend().settle(self.model)

    def randomness_as_found(self) -> AbstractContextManager[Any]:
        """Leave what random numbers are drawn from as it was found."""
        return backend().randomness_as_found()

    def explained(
        self,
        inputs: Any,
        *,
        source: str | None = None,
        cell: CellState | None = None,
        output: str | int | None = None,
        batch_size: int | None = None,
        check: Check = "prefix",
        tolerance: float | None = None,
    ) -> Explained:
        """Open the model for explanation.

        Raises
        ------
        UnsupportedLayerError
            If Keras runs on another backend than TensorFlow.
        """
        if backend().name != "tensorflow":
            raise UnsupportedLayerError(
                f"model: {self.name!r} runs on Keras's backend {backend().name!r}, of which recordings "
                f"are made and cells are held, but nothing is traced back to the inputs: load the same "
                f"model and weights on TensorFlow (KERAS_BACKEND=tensorflow before keras is imported)"
            )
        return Explained(
            *(self.model, inputs),
            source=source,
            cell=cell,
            output=output,
            batch_size=batch_size,
            check=check,
            tolerance=tolerance,
        )

    def loss_function(self, loss: Any) -> Callable[[Any, Any], Any]:
        """Make of a loss of Keras, by its name or as an object, one that gives a number an output."""
        return loss_function(loss)
