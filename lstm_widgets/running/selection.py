"""Which of a model's recurrent layers are to be recorded, and which of their signals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lstm_widgets.errors import LayerNotFoundError, UnsupportedLayerError
from lstm_widgets.recording.calls import is_part, split_call
from lstm_widgets.rnn.cells import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstm_widgets.models.adapter import Layer

__all__ = ["Selection", "names_of"]


class Selection:
    """Which layers and which of their signals are to be kept.

    With ``keep=False`` the layers are needed, but none of their signals.
    """

    def __init__(
        self,
        found: Sequence[Layer],
        layers: Sequence[str] | str | None,
        signals: Sequence[str] | str | None,
        *,
        keep: bool = True,
    ) -> None:
        self._keep = keep
        if not found:
            raise ValueError(
                "model: expected at least one recurrent layer (LSTM, GRU, SimpleRNN, RNN), "
                "got a model with none (a cell of a class of your own is one when "
                "lstm_widgets.register_cell has made the class known)"
            )
        self._layers = names_of("layers", layers)
        self._signals = names_of("signals", signals)
        # Also of layers that can't be recorded.
        self.known = units = [unit for one in found for unit in one.units]
        for name in self._layers or ():
            base, _ = split_call(name)
            if not any(is_part(unit, base) for unit in units):
                raise LayerNotFoundError(
                    f"layers: expected names among {', '.join(map(repr, units))}; got {name!r}"
                )
        for one in found:
            if one.problem and self.keeps(one.name):
                raise UnsupportedLayerError(
                    f"model: layer {one.name!r} cannot be recorded: it is {one.problem}. "
                    f"To record the others, name them in layers="
                )
        self.found = [one for one in found if not one.problem]
        known = dict.fromkeys(name for one in self.found for k in one.kinds for name in SIGNALS[k])
        for name in self._signals or ():
            if name not in known:
                raise ValueError(
                    f"signals: expected names among {', '.join(map(repr, known))}; got {name!r}"
                )

    @property
    def names(self) -> tuple[str, ...]:
        """The names that were asked for; none if all layers are to be kept."""
        return self._layers or ()

    def keeps(self, unit: str, call: int | None = None) -> bool:
        """Whether a call of a layer, or cell of a stack, is to be kept; None: any of its calls."""
        if self._layers is None:
            return True
        for name in self._layers:
            base, wanted = split_call(name)
            if (is_part(unit, base) or is_part(base, unit)) and (
                call is None or wanted in (None, call)
            ):
                return True
        return False

    def signals(self, unit: str, call: int, kind: str) -> tuple[str, ...]:
        """Which signals are to be kept of a call of it, in the order of :data:`SIGNALS`."""
        if not self._keep or not self.keeps(unit, call):
            return ()
        return tuple(n for n in SIGNALS[kind] if self._signals is None or n in self._signals)


def names_of(argument: str, names: Sequence[str] | str | None) -> tuple[str, ...] | None:
    """Give the names that are asked for; None: all.

    Parameters
    ----------
    argument : str
        What it is called in the error.
    names : str or sequence of str, optional
        What came.

    Raises
    ------
    TypeError, ValueError
        If that is something else, or nothing.

    Examples
    --------
    >>> names_of("layers", "lstm"), names_of("layers", None)
    (('lstm',), None)
    """
    if names is None:
        return None
    expected = f"{argument}: expected one or more names, or None for all; got {names!r:.80}"
    if isinstance(names, str):
        names = (names,)
    if not isinstance(names, Iterable):
        raise TypeError(expected)
    several = tuple(names)
    if not several or not all(isinstance(name, str) for name in several):
        raise ValueError(expected)
    return several
