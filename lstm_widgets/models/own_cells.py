# Cells are of any class, and their weights of any framework: Any.
# ruff: noqa: ANN401
"""Cells of classes that a user has made known, by equations of the user's own."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.checks import is_whole
from lstm_widgets.errors import UnsupportedLayerError
from lstm_widgets.models.adapter import framework_of
from lstm_widgets.recording.recorded import can_be_signal
from lstm_widgets.rnn.cells import KINDS, Cell, Kind, add_kind, plain_array

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstm_widgets.rnn.cells import Hold

__all__ = [
    "OwnCell",
    "kind_of",
    "other_than_known",
    "read_own_cell",
    "register_cell",
    "size_of",
    "way_back",
]

# What says how many cells a layer has, in PyTorch and in Keras.
_SIZES = ("hidden_size", "units", "state_size")
# How the names of those signals end that a cell hands to its next step.
_STATE = "_state"
# What runs a cell, in PyTorch and in Keras.
_METHODS = ("forward", "call")


@dataclass(frozen=True)
class _Known:
    """What a user has said of a class of cells."""

    kind: str
    weights: Callable[[Any], Mapping[str, Any]]
    units: Callable[[Any], int] | None


_classes: weakref.WeakKeyDictionary[type, _Known] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class OwnCell(Cell):
    """A cell of a class that was made known.

    Attributes
    ----------
    weights : mapping of str to array
        What its step takes as ``weights``.
    size : int
        The number of its cells.
    computes : numpy.dtype
        The dtype in which it computes.
    """

    kernel: Any = None
    recurrent_kernel: Any = None
    bias: Any = None
    weights: Mapping[str, Any] = field(default_factory=dict)
    size: int = 0
    computes: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float32))

    @property
    def units(self) -> int:
        """The number of cells (in the sense of the recording: units) of the layer."""
        return self.size

    def width(self, signal: str) -> int:
        """Tell how many values a signal has at a timestep: one a cell."""
        del signal
        return self.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype in which it computes."""
        return self.computes

    @property
    def widest(self) -> int:
        """How many values an example has in the widest array of a step."""
        return max(self.size, *(int(size) for one in self.weights.values() for size in one.shape))

    def taken(self, inputs: Any) -> Any:
        """Make of inputs ``(example, features)`` what a step takes of them: all."""
        return inputs

    def in_numpy(self) -> OwnCell:
        """Return the same with half precision promoted to float32."""
        computes = self.computes if self.computes.itemsize >= 4 else np.dtype(np.float32)
        return replace(self.changed(plain_array), computes=computes)

    def astype(self, dtype: Any) -> OwnCell:
        """Return the same with weights of another dtype."""
        changed = self.changed(lambda weights: weights.astype(dtype))
        return replace(changed, computes=np.dtype(dtype))

    def changed(self, function: Callable[[Any], Any]) -> OwnCell:
        """Return the same with what a function makes of each of the weights; whole numbers stay."""
        weights = {
            name: function(one) if _is_float(one) else one for name, one in self.weights.items()
        }
        return replace(self, weights=weights)


def _is_float(array: Any) -> bool:
    return bool(array.dtype.kind == "f" or array.dtype.name == "bfloat16")


def register_cell(
    cell_class: type,
    *,
    signals: Sequence[str],
    weights: Callable[[Any], Mapping[str, Any]],
    step: Callable[..., Any],
    units: Callable[[Any], int] | None = None,
) -> None:
    """
    Make a recurrent cell of your own known, so that models with it can be recorded.

    Say once what a class of cells computes in a timestep; from then on :func:`lstm_widgets.record`,
    :func:`lstm_widgets.generate`, :func:`lstm_widgets.ablate`, :class:`lstm_widgets.Held` and every widget
    take its cells as they take an LSTM's. Nothing has to be believed: each recording holds the equations
    against single steps of the cell itself, and a wrong one is a
    :class:`lstm_widgets.SelfCheckError`. A recording is opened and looked at
    without.

    The class is that of a cell which takes one timestep: in PyTorch a module ``forward(x, state)`` that the
    model calls in a loop; in Keras a cell for ``keras.layers.RNN``, or one that the model calls in a loop. It
    returns its states, or its output and then its states; the output is the hidden state.

    Parameters
    ----------
    cell_class : type
        The class. Subclasses with the same ``forward`` or ``call`` count, too. What was said of it before
        is replaced.
    signals : sequence of str
        The names of what it computes in each timestep, each with one value a cell. Those that end in
        ``_state`` are handed to its next step, in the order in which the cell takes and returns them;
        ``"hidden_state"`` is its output. Where one means what an LSTM's or a GRU's means
        (``"cell_state"``, ``"input_gate"``, ``"candidate"``, ...), call it so. What ends in ``_gate`` is
        drawn as a gate, from 0 to 1.
    weights : callable
        From a cell to its weights by name: arrays, or the framework's own tensors and variables, or
        numbers. Of a PyTorch module ``lambda cell: dict(cell.named_parameters())`` will do.
    step : callable
        ``step(weights, x, state, signal)`` computes one timestep of NumPy arrays, all of the dtype in which
        the cell computes: ``weights`` as above, ``x`` ``(example, features)``, ``state`` a tuple of the
        states before, ``(example, cell)``. It tells each signal as soon as that is computed, by
        ``signal(name, values)``, and goes on with what that returns, where values that are held
        (:class:`lstm_widgets.Held`) have been put in. What it returns is not looked at.
    units : callable, optional
        From a cell to the number of its cells (one value of each signal). None: its attribute
        ``hidden_size``, ``units`` or ``state_size``.

    Raises
    ------
    TypeError, ValueError
        If the class is none, or one that is known anyway; if signals have no ``"hidden_state"``, repeat, or
        aren't names; if weights or step can't be called so.

    See Also
    --------
    lstm_widgets.record : Record every signal of every cell.

    Notes
    -----
    Registered cells run in NumPy, step by step. Gradients go back through what they
    compute by themselves: dependency, and relevance by all methods but LRP, work as for any model. LRP goes
    through them function by function in PyTorch, and is refused in Keras. The state of such a cell can't be
    explained.

    Examples
    --------
    A minimal gated unit (Zhou et al. 2016, arXiv:1603.09420), which is a GRU with one gate:

    >>> import numpy as np, torch
    >>> class MinimalGatedUnit(torch.nn.Module):
    ...     def __init__(self, features, units):
    ...         super().__init__()
    ...         self.hidden_size = units
    ...         self.gate = torch.nn.Linear(features + units, units)
    ...         self.new = torch.nn.Linear(features + units, units)
    ...     def forward(self, x, h):
    ...         f = torch.sigmoid(self.gate(torch.cat([x, h], 1)))
    ...         g = torch.tanh(self.new(torch.cat([x, f * h], 1)))
    ...         return (1 - f) * h + f * g
    >>> def step(weights, x, state, signal):
    ...     (h,) = state
    ...     z = np.hstack([x, h]) @ weights["gate.weight"].T + weights["gate.bias"]
    ...     f = signal("forget_gate", 1 / (1 + np.exp(-z)))
    ...     z = np.hstack([x, f * h]) @ weights["new.weight"].T + weights["new.bias"]
    ...     g = signal("candidate", np.tanh(z))
    ...     signal("hidden_state", (1 - f) * h + f * g)
    >>> lw.register_cell(
    ...     MinimalGatedUnit,
    ...     signals=("hidden_state", "forget_gate", "candidate"),
    ...     weights=lambda cell: dict(cell.named_parameters()),
    ...     step=step,
    ... )
    >>> class Model(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.cell = MinimalGatedUnit(3, 4)
    ...     def forward(self, x):
    ...         h = torch.zeros(len(x), 4)
    ...         for t in range(x.shape[1]):
    ...             h = self.cell(x[:, t], h)
    ...         return h
    >>> recording = lw.record(Model(), torch.randn(2, 5, 3))
    >>> recording["cell"]["forget_gate"].shape
    (2, 5, 4)
    """
    _expect_class(cell_class)
    ordered, states = _expect_signals(signals)
    _expect_function("weights", weights, ("cell",))
    _expect_function("step", step, ("weights", "x", "state", "signal"))
    if units is not None:
        _expect_function("units", units, ("cell",))
    before = _classes.get(cell_class)
    kind = before.kind if before else _free_name(cell_class)
    of_class = Kind(
        ordered,
        states=states,
        gates=0,
        step=_stepping(cell_class.__name__, ordered, step),
        name=_shown_name(cell_class),
    )
    _classes[cell_class] = _Known(kind, weights, units)
    add_kind(kind, of_class)


def kind_of(cell: Any) -> str:
    """Tell the kind of a cell whose class, with all it computes, was made known; "" of all else."""
    base = _base(cell)
    return _classes[base].kind if base is not None and _computes_as(type(cell), base) else ""


def other_than_known(cell: Any) -> str:
    """Say why a subclass of one that was made known isn't; "" of all else."""
    base, own = _base(cell), type(cell)
    if base is None or _computes_as(own, base):
        return ""
    return (
        f"of the class {own.__name__}, which computes something else than {base.__name__}, the class "
        "that lstm_widgets.register_cell has made known: register it, too"
    )


def _base(cell: Any) -> type | None:
    """Find the class that was made known, of a cell of it or of a subclass."""
    return next((base for base in type(cell).__mro__ if base in _classes), None)


def _computes_as(own: type, base: type) -> bool:
    return all(getattr(own, m, None) is getattr(base, m, None) for m in _METHODS)


def size_of(cell: Any) -> int:
    """Tell how many cells one of a registered class has."""
    known = _known(cell)
    size: Any
    if known.units is not None:
        size = known.units(cell)
    else:
        sizes = [getattr(cell, name, None) for name in _SIZES]
        size = next((one for one in sizes if is_whole(one)), None)
        if size is None:
            raise UnsupportedLayerError(
                f"register_cell: the number of cells of a {type(cell).__name__} isn't known, because it "
                f"has no whole number {', '.join(_SIZES[:-1])} or {_SIZES[-1]}: expected "
                "units=, a function from a cell to it"
            )
    if not is_whole(size) or size < 1:
        raise UnsupportedLayerError(
            f"register_cell: expected a positive whole number of cells of a {type(cell).__name__}, got "
            f"{size!r:.80}"
        )
    return int(size)


def read_own_cell(
    cell: Any, dtype: np.dtype[Any], array: Callable[[Any], npt.NDArray[Any]]
) -> OwnCell:
    """Read a cell of a registered class.

    Parameters
    ----------
    cell : object
        The cell.
    dtype : numpy.dtype
        The dtype in which it computes.
    array : callable
        Makes an array of what a framework has for one; everything else as it is.
    """
    known, name = _known(cell), type(cell).__name__
    given = known.weights(cell)
    if not isinstance(given, Mapping) or not given:
        got = "none" if given is None or isinstance(given, Mapping) else repr(given)[:80]
        raise TypeError(
            f"register_cell: expected weights= to give a dict of the arrays of a {name} by name, got {got}"
        )
    weights: dict[str, npt.NDArray[Any]] = {}
    for key, value in given.items():
        one = np.asarray(array(value))
        if not _is_float(one) and one.dtype.kind not in "biu":
            raise TypeError(
                f"register_cell: expected numbers for the weights {key!r} of a {name}, got "
                f"{type(value).__name__} of dtype {one.dtype}"
            )
        weights[key] = one.astype(dtype) if _is_float(one) else one.copy()
        weights[key].flags.writeable = False
    return OwnCell(known.kind, weights=weights, size=size_of(cell), computes=np.dtype(dtype))


def way_back(kind: str) -> str:
    """Say why nothing can be traced back through cells of a kind; "" if it can."""
    if all(known.kind != kind for known in _classes.values()):
        return ""
    return (
        f"of the class {KINDS[kind].name}, of which register_cell was told the steps, but no way back "
        "through them"
    )


def _known(cell: Any) -> _Known:
    base = _base(cell)
    assert base is not None  # noqa: S101  (it has a kind)
    return _classes[base]


def _stepping(
    name: str, signals: tuple[str, ...], step: Callable[..., Any]
) -> Callable[[Cell, Any, Sequence[Any], Hold], tuple[Any, ...]]:
    """Make of a user's step one of a kind, which looks at what it is told."""

    def stepped(
        cell: Cell, x: Any, state: Sequence[Any], hold: Hold
    ) -> tuple[npt.NDArray[Any], ...]:
        assert isinstance(cell, OwnCell)  # noqa: S101  (of its kind there are no others)
        told: dict[str, npt.NDArray[Any]] = {}

        def signal(which: str, values: Any) -> npt.NDArray[Any]:
            if which not in signals:
                raise ValueError(
                    f"step: expected one of the signals {', '.join(map(repr, signals))} of {name}, got "
                    f"{which!r}"
                )
            if which in told:
                raise ValueError(f"step: expected each signal of {name} once, got {which!r} again")
            array = np.asarray(values)
            shape = (len(x), cell.size)
            if array.shape != shape or array.dtype.kind not in "fiub":
                raise ValueError(
                    f"step: expected {which!r} of {name} to be numbers {shape}, which is (example, cell), "
                    f"got {array.dtype} {array.shape}"
                )
            told[which] = hold(which, array.astype(x.dtype))
            return _read_only(told[which])

        try:
            step(cell.weights, _read_only(x), tuple(map(_read_only, state)), signal)
        except Exception as error:
            error.add_note(f"This happened in the step that register_cell was given for {name}.")
            raise
        missing = [which for which in signals if which not in told]
        if missing:
            raise ValueError(
                f"step: expected it to tell every signal of {name} by signal(name, values), but it didn't "
                f"tell {', '.join(map(repr, missing))}"
            )
        return tuple(told[which] for which in signals)

    return stepped


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _expect_class(cell_class: Any) -> None:
    if not isinstance(cell_class, type):
        raise TypeError(f"cell_class: expected a class, got {cell_class!r:.80}, which is none")
    if not any(callable(getattr(cell_class, method, None)) for method in _METHODS):
        raise TypeError(
            f"cell_class: expected a class of cells, with {' or '.join(_METHODS)}, got "
            f"{cell_class.__name__}, which has neither"
        )
    framework = framework_of(cell_class)
    if framework:
        raise ValueError(
            f"cell_class: expected a class of your own, got {cell_class.__module__}."
            f"{cell_class.__name__}, which is {framework}'s"
        )


def _expect_signals(signals: Any) -> tuple[tuple[str, ...], int]:
    """Check the names of signals; return them with the states first, and how many these are."""
    if isinstance(signals, str) or not isinstance(signals, Sequence):
        raise TypeError(f"signals: expected several names, got {signals!r:.80}")
    for name in signals:
        if not isinstance(name, str) or not can_be_signal(name):
            raise ValueError(
                f"signals: expected names that are identifiers and not a recording's own, got {name!r:.80}"
            )
    if len(set(signals)) != len(signals):
        raise ValueError(f"signals: expected each name once, got {tuple(signals)!r:.200}")
    if "hidden_state" not in signals:
        raise ValueError(
            "signals: expected 'hidden_state' among them, which is what the cell gives and takes again; "
            f"got {tuple(signals)!r:.200}"
        )
    states = [name for name in signals if name.endswith(_STATE)]
    return (*states, *(name for name in signals if name not in states)), len(states)


def _expect_function(argument: str, function: Any, parameters: tuple[str, ...]) -> None:
    expected = f"{argument}: expected a function of ({', '.join(parameters)})"
    if not callable(function):
        raise TypeError(f"{expected}, got {function!r:.80}")
    try:
        inspect.signature(function).bind(*parameters)
    except TypeError:
        raise TypeError(f"{expected}, got one of {inspect.signature(function)}") from None
    except ValueError:  # of what is written in C, Python doesn't know
        return


def _shown_name(cell_class: type) -> str:
    """Tell what a recording calls cells of a class: as the class, unless another kind is called so."""
    name = cell_class.__name__
    return f"{cell_class.__module__}.{name}" if name in KINDS else name


def _free_name(cell_class: type) -> str:
    """Find a name for a kind that no other has: a class may be defined again by a notebook's cell."""
    name = f"{cell_class.__module__}.{cell_class.__qualname__}"
    number = 2
    unique = name
    while unique in KINDS:
        unique, number = f"{name} ({number})", number + 1
    return unique
