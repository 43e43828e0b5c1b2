# A framework's models and tensors have no types here, so they are Any.
# ruff: noqa: ANN401
"""All that the rest of the package knows of a framework.

An :class:`Adapter` stands for one model. It tells what the model takes and gives, which recurrent
layers it has, and runs it with our loop in the place of theirs. Everything that goes in and comes
out are NumPy arrays.

A folder beside this file that is called as a framework's module has the adapter of its models. Its
``__init__`` is imported when the framework has been, and has

- ``MODELS`` and ``VOCABULARIES``, which say in words what it takes ("" if nothing), for messages;
- ``adapt(model)``, which gives an :class:`Adapter`, or None if the model is none of its own;
- ``lookup_of(layer)``, which gives a :class:`lstm_widgets.tokens.vocabulary.Lookup` of a layer that has
  a vocabulary, or None.

Models of other kinds are made known with :func:`register`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import pkgutil
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

import lstm_widgets.models
from lstm_widgets.errors import UnsupportedLayerError
from lstm_widgets.tokens.vocabulary import Lookup, Vocabulary

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import ModuleType

    import numpy.typing as npt

    from lstm_widgets.models.explaining import CellState, Explained
    from lstm_widgets.models.outputs import Output
    from lstm_widgets.rnn.cells import Cell
    from lstm_widgets.rnn.comparison import Check

__all__ = [
    "Adapter",
    "Call",
    "Compiled",
    "FollowedCall",
    "Follower",
    "Input",
    "Layer",
    "Loop",
    "Masker",
    "Result",
    "ReturnedCall",
    "Run",
    "adapter_of",
    "environment",
    "framework_of",
    "register",
    "standard_vocabulary",
]


@dataclass(frozen=True)
class Input:
    """One of the arrays that a model takes.

    Attributes
    ----------
    name : str
        Its name, by which it may be given in a dict.
    shape : tuple of int or None
        Its shape, the examples along the first axis; None: any length.
    dtype : str
        The name of its dtype, ``"string"`` of strings.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True)
class Masker:
    """What makes a model's mask of an input.

    Attributes
    ----------
    layer : str
        The name of the layer that does.
    value : number, optional
        What it takes for padding.
    """

    layer: str
    value: Any


class Layer(Protocol):
    """A recurrent layer of a model, or something recurrent that cannot be recorded."""

    @property
    def name(self) -> str:
        """Its name in the model; of one of two directions ``"name/forward"``, ``"name/backward"``."""

    @property
    def problem(self) -> str:
        """Why it cannot be recorded; "" if it can."""

    @property
    def units(self) -> tuple[str, ...]:
        """The names under which its cells are recorded, in the order in which they are stacked."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kind of each, a key of :data:`lstm_widgets.rnn.cells.SIGNALS`."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of cells (in the sense of a recording) of each."""

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The name of the dtype in which each computes."""

    @property
    def stepped(self) -> bool:
        """Whether it is a cell that the model steps itself, one call a timestep."""

    @property
    def optional(self) -> bool:
        """Whether the model need not call it: a cell that is also stepped within a layer."""

    @property
    def go_backwards(self) -> bool:
        """Whether it reads from the end."""

    def config(self) -> Any:
        """Tell its settings, as JSON can hold them; None if it doesn't tell."""


class Call(Protocol):
    """One call of a recurrent layer: what it received."""

    @property
    def layer(self) -> Layer:
        """The layer."""

    @property
    def number(self) -> int:
        """Which of its calls it is, as the model's author counts them, from 1 on."""

    @property
    def cells(self) -> Sequence[Cell]:
        """The layer's cells, with arrays of the dtype in which they compute."""

    @property
    def x(self) -> npt.NDArray[Any]:
        """What it reads, ``(example, timestep, features)``."""

    @property
    def states(self) -> Sequence[npt.NDArray[Any]]:
        """From which states it starts, those of each cell in turn, ``(example, units)``."""

    @property
    def mask(self) -> npt.NDArray[np.bool_] | None:
        """Bool ``(example, timestep)``, False at padding; None: nothing is."""

    @property
    def over_time(self) -> bool:
        """Whether the hidden state of every timestep goes on, and not the last one only."""

    def own(
        self,
        x: npt.NDArray[Any],
        states: Sequence[npt.NDArray[Any]],
        mask: npt.NDArray[np.bool_] | None,
        *,
        compiled: bool = False,
    ) -> tuple[npt.NDArray[Any], list[npt.NDArray[Any]]]:
        """Let the layer's own loop read this; return its output at every timestep, and last states.

        ``compiled`` tells that it is long enough to be worth compiling.
        """

    def step(
        self, cell: int, x: npt.NDArray[Any], states: Sequence[npt.NDArray[Any]]
    ) -> list[npt.NDArray[Any]]:
        """Let one of the layer's own cells, by its index, take a single step; return its states.

        ``x`` is ``(example, features)``.
        """

    def returned(
        self,
        hidden: npt.NDArray[Any],
        mask: npt.NDArray[np.bool_] | None,
        *,
        begun: bool = False,
    ) -> npt.NDArray[Any]:
        """Make of hidden states what the layer returns: its reading order, its values at padding.

        ``begun`` tells that something else than padding was read in an earlier piece.
        """


@dataclass(frozen=True)
class Result:
    """What a call of a layer came to.

    Attributes
    ----------
    hidden : numpy.ndarray, optional
        The last cell's hidden states ``(example, timestep, units)``, by the input's timesteps; None
        if only the last one goes on.
    states : list of numpy.ndarray
        The states in which it ended, as :attr:`Call.states`.
    begun : bool
        Whether something else than padding was read in an earlier piece.
    """

    hidden: npt.NDArray[Any] | None
    states: list[npt.NDArray[Any]]
    begun: bool = False


class Loop(Protocol):
    """What runs in the place of the layers' own loops."""

    def restart(self) -> None:
        """Forget the layers' calls since the model was called: it is called once more instead."""

    def wants(self, layer: Layer) -> bool:
        """Whether the calls of a layer matter; others may run their own loops."""

    def starts(self, layer: Layer, call: int, states: list[Any]) -> list[Any]:
        """From which states a call of a layer starts, given those that the model hands to it."""

    def run(self, call: Call) -> Result:
        """Run a call of a layer, and tell what goes on."""


class Run(Protocol):
    """A model that is ready to run."""

    def __call__(self, batch: Any) -> dict[str, npt.NDArray[Any]]:
        """Call the model, its layers running the loop; return its outputs by name, in their order."""

    def alone(self, batch: Any) -> dict[str, npt.NDArray[Any]]:
        """Call it with its layers' own loops, from where the last call started."""

    def activation(self, output: Output, batch: Any) -> str:
        """Tell the last activation of an output, by one more call of which nothing is recorded.

        ``"softmax"``, ``"sigmoid"``, ``"linear"``, ``"other"``, or ``"unknown"``.
        """

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Give what the model itself hands from one call to the next, for :meth:`resume`.

        Raises
        ------
        UnsupportedLayerError
            If there is something among it that arrays can't hold.
        """

    def resume(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what :meth:`state` has given."""


class FollowedCall(Call, Protocol):
    """One call of a recurrent layer, which has run its own loop already."""

    @property
    def own_outputs(self) -> npt.NDArray[Any]:
        """What the layer made of it at every timestep, in its own order, ``(example, timestep, units)``."""

    @property
    def own_states(self) -> Sequence[npt.NDArray[Any]]:
        """The states in which it ended, one array a state."""


@dataclass(frozen=True)
class ReturnedCall:
    """One call of a recurrent layer, of which nothing is known but what it returned.

    Attributes
    ----------
    layer : Layer
        The layer.
    number : int
        Which of its calls it is.
    outputs : numpy.ndarray
        As :attr:`FollowedCall.own_outputs`.
    start : numpy.ndarray
        The first of the states from which it started, ``(example, units)``.
    """

    layer: Layer
    number: int
    outputs: npt.NDArray[Any]
    start: npt.NDArray[Any]


class Follower(Loop, Protocol):
    """A loop that runs after the layers' own ones."""

    def takes_returned(self, layer: Layer, call: int) -> bool:
        """Whether all that it wants of a call without padding is in a :class:`ReturnedCall`."""

    def take(self, call: ReturnedCall) -> None:
        """Take what a call has returned."""


class Compiled(Protocol):
    """A model that is compiled for one batch, to be run again and again while its weights change.

    Its layers run their own loops; the loop is handed each :class:`FollowedCall`, or :class:`ReturnedCall`,
    afterwards, and what it comes to doesn't go on.
    """

    def running(self, loop: Follower) -> AbstractContextManager[Run]:
        """Make the model ready to run, for as long as the context lasts, and leave it as it was found."""


class Adapter(Protocol):
    """A model, as the rest of the package sees it.

    What has a body here is what a model without that ability does.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The model's name."""

    @property
    @abstractmethod
    def packages(self) -> tuple[str, ...]:
        """The packages whose versions a recording notes."""

    @abstractmethod
    def config(self) -> Any:
        """Tell its settings, as JSON can hold them; None if it doesn't tell."""

    def weights(self) -> Iterator[npt.NDArray[Any]]:
        """Give all that its outputs depend on beside its inputs, in an order of its own.

        Raises
        ------
        ValueError
            If it doesn't tell.
        """
        raise ValueError(
            f"to: expected None, because the model {self.name!r} doesn't tell its weights, by which a "
            "recording knows the model that it goes on with (Adapter.weights)"
        )

    # What goes in ---------------------------------------------------------------------------------

    @property
    @abstractmethod
    def inputs(self) -> tuple[Input, ...]:
        """What the model takes; nothing if it doesn't tell."""

    @property
    def input_shape(self) -> tuple[int | None, ...] | None:
        """The shape of its only input; None if it doesn't tell or has several."""
        return self.inputs[0].shape if len(self.inputs) == 1 else None

    @property
    def batch_size(self) -> int | None:
        """The number of examples that the model takes at a time, if it takes no other."""
        return None

    @property
    def reads_strings(self) -> bool:
        """Whether what it takes are strings."""
        return False

    @property
    def lookup(self) -> Lookup | None:
        """The only part of it that makes ids of strings."""
        return None

    def unpacked(self, inputs: Any, *, more: bool = False) -> Any:
        """Take the examples out of a dataset of the framework; everything else as it is.

        ``more`` tells that it is more of what was unpacked before, so that there is nothing to be found out.
        """
        del more
        return inputs

    def batches(self, inputs: Any) -> tuple[Iterator[Any], int | None] | None:
        """Take one after the other out of a dataset of the framework, and tell how many they are, if known.

        Each is a batch as :func:`lstm_widgets.record` takes it, or a single example. None: it is no dataset.
        """
        del inputs
        return None

    @property
    def time_first(self) -> bool:
        """Whether it is known to take sequences ``(timestep, example, ...)``."""
        return False

    def array(self, value: Any) -> Any:
        """Make an array of a tensor of the framework, a list of examples if they are of several lengths.

        Everything else stays as it is.
        """
        return value

    def masker(self, leaf: int) -> Masker | None:
        """Tell what is padding in one of its inputs, if padding then changes nothing else."""
        del leaf
        return None

    def filling_advice(self, timesteps: int) -> str:
        """Say how the framework fills sequences up, as the end of a sentence."""
        del timesteps
        return ""

    def carry(self, state: str) -> None:
        """Hand the states that the model returns to it again, with the next piece of a text.

        Parameters
        ----------
        state : str
            The argument by which it takes them.

        Raises
        ------
        TypeError, ValueError
            If there is none.
        """
        raise ValueError(
            f"state: expected None, because the states of the model {self.name!r} are its layers' own, "
            f"which are carried on; got {state!r}"
        )

    def obstacles(self) -> Iterator[tuple[str, bool]]:
        """Name what may keep the model from reading a text piece by piece.

        Reading so is exact if every recurrent layer reads forwards and starts where it ended, and
        everything else acts on each timestep by itself. Each comes with whether it is certain, or
        only unknown.
        """
        yield f"the model {self.name!r}", False

    # What comes out -------------------------------------------------------------------------------

    @property
    def outputs(self) -> Mapping[str, tuple[int | None, ...]] | None:
        """The shapes of its outputs, by name, as known before it is called; None: it doesn't tell."""
        return None

    def loss(self, output: str | None) -> Literal["logits", "other"] | None:
        """Tell what the model was trained with for an output, of a model that tells none for all.

        ``"logits"``: a loss of classes that takes the outputs for logits; ``"other"``: another one;
        None: that isn't known.
        """
        del output
        return None

    @property
    def probability_advice(self) -> str:
        """Say how a model tells that its single output is a probability, as sentences to go on with."""
        return ""

    # The run --------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def layers(self) -> Sequence[Layer]:
        """Everything recurrent in it, in the model's order, cells that it steps itself last."""

    @abstractmethod
    def build(self, first: Any) -> None:
        """Build the model if it isn't yet, from the first that it is to read."""

    @abstractmethod
    def running(
        self,
        layers: Sequence[Layer],
        loop: Loop,
        *,
        pieces: bool = False,
        every_output: bool = False,
        fresh: bool = False,
    ) -> AbstractContextManager[Run]:
        """Make the model ready to run, for as long as the context lasts, and leave it as it was found.

        Parameters
        ----------
        layers : sequence of Layer
            Those of :attr:`layers` that are to run the loop.
        loop : Loop
            What runs in the place of their own.
        pieces : bool
            Whether it is to read one piece of a text after the other, each of any length: whatever it
            hands on itself goes from one to the next.
        every_output : bool
            Whether layers that return their last output are to return that of every timestep.
        fresh : bool
            Whether each call starts from the states in which the model was found.
        """

    def compiled(
        self,
        layers: Sequence[Layer],
        batch: Any,
        loop: Follower,
        *,
        pieces: bool = False,
        every_output: bool = False,
        outputs: bool = True,
    ) -> Compiled | None:
        """Compile the model for one batch, as :meth:`running` would call it; None if that can't be.

        ``loop`` tells what is wanted of its layers' calls, and ``outputs`` whether what it returns is.
        """
        del layers, batch, loop, pieces, every_output, outputs
        return None

    def settle(self) -> None:
        """Bring weights that a training under way keeps elsewhere back into the model."""
        return

    def randomness_as_found(self) -> AbstractContextManager[Any]:
        """Leave what the framework draws random numbers from as it was found."""
        return contextlib.nullcontext()

    def loss_function(self, loss: Any) -> Callable[[Any, Any], Any]:
        """Make of a loss a function of targets and outputs that gives a number for each output.

        Raises
        ------
        TypeError, ValueError
            If it is no loss.
        """
        if not callable(loss):
            raise TypeError(f"loss: expected a function, got {loss!r:.80}")
        function: Callable[[Any, Any], Any] = loss
        return function

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

        Parameters
        ----------
        inputs : array or list of array
            What it is called with, as ``Given.whole`` gives it.
        source : str, optional
            The name of the layer ``(example, timestep, features)``, or of the model's input, at which
            tokens are told apart; None: whichever that is.
        cell : CellState, optional
            Explain this cell's state instead of the model's output.
        output : str or int, optional
            Which output, of a model with several.
        batch_size : int, optional
            How many examples run at a time; None: the adapter chooses.
        check : {"prefix", "full", False}
        tolerance : float, optional
            How what recurrent layers do is held against the layers themselves in each batch, as in
            :func:`lstm_widgets.record`.

        Raises
        ------
        TypeError, ValueError
            If inputs, source or cell don't fit the model.
        UnsupportedLayerError
            If the logits are out of reach.
        """
        del inputs, source, cell, output, batch_size, check, tolerance
        raise UnsupportedLayerError(f"model: nothing can be traced back through {self.name!r}")


# How the adapter of a model is found --------------------------------------------------------------

_REGISTERED: dict[type, Callable[[Any], Adapter]] = {}


def register(kind: type, adapter: Callable[[Any], Adapter]) -> None:
    """Make models of a kind known.

    Parameters
    ----------
    kind : type
        The class of the models.
    adapter : callable
        What makes an :class:`Adapter` of one.
    """
    _REGISTERED[kind] = adapter


def adapter_of(model: Any, *, state: str | None = None) -> Adapter:
    """Find the adapter of a model.

    Parameters
    ----------
    model : object
        The model.
    state : str, optional
        The argument by which it takes states, and hands on those that it returns.

    Raises
    ------
    TypeError, ValueError
        If it is a model of no framework that is known, or takes no such argument.
    """
    adapter = _found(model)
    if state is not None:
        adapter.carry(state)
    return adapter


def _found(model: Any) -> Adapter:
    for kind, make in _REGISTERED.items():
        if isinstance(model, kind):
            return make(model)
    for framework in _loaded():
        found: Adapter | None = framework.adapt(model)
        if found is not None:
            return found
    known = " or ".join(each.MODELS for each in _frameworks())
    raise TypeError(f"model: expected {known}, got {type(model).__module__}.{type(model).__name__}")


def standard_vocabulary(given: Any, unknown: int | str | None = None) -> Vocabulary | None:
    """Make a vocabulary of what was given as one, if anything was.

    Parameters
    ----------
    given : sequence, mapping or layer, optional
        As for :class:`lstm_widgets.tokens.vocabulary.Vocabulary`, or a layer of a framework that has
        a vocabulary.
    unknown : int or str, optional
        The id, or the token, that what isn't in it is read as.
    """
    if isinstance(given, Vocabulary):
        return given
    if given is None:
        if unknown is not None:
            raise ValueError(f"unknown: expected None without vocabulary=, got {unknown!r}")
        return None
    if not isinstance(given, (Mapping, Sequence, np.ndarray, Lookup)):
        found = (framework.lookup_of(given) for framework in _loaded())
        lookup = next((one for one in found if one is not None), None)
        if lookup is None:
            known = " or ".join(each.VOCABULARIES for each in _frameworks() if each.VOCABULARIES)
            raise TypeError(f"vocabulary: expected a list or dict, {known}, got {given!r:.80}")
        given = lookup
    return Vocabulary(given, unknown)


@functools.cache
def _frameworks() -> tuple[ModuleType, ...]:
    """List the folders of adapters. Importing one imports no framework."""
    name, path = lstm_widgets.models.__name__, lstm_widgets.models.__path__
    folders = [found.name for found in pkgutil.iter_modules(path) if found.ispkg]
    return tuple(importlib.import_module(f"{name}.{folder}") for folder in folders)


def environment() -> dict[str, str]:
    """Tell with which environment variables another process runs models as this one does."""
    told: dict[str, str] = {}
    for framework in _frameworks():
        told |= framework.environment()
    return told


def framework_of(kind: type) -> str:
    """Name the framework that a class is part of; "" of all other classes."""
    package = kind.__module__.partition(".")[0]
    names = [framework.__name__.rpartition(".")[2] for framework in _frameworks()]
    return package if package in names else ""


def _loaded() -> Iterator[ModuleType]:
    """List those whose framework has been imported; no other has models to adapt."""
    for framework in _frameworks():
        if sys.modules.get(framework.__name__.rpartition(".")[2]) is not None:
            yield framework
