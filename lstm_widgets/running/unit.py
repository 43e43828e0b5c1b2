"""What is kept of one call of one cell, and the memory that it is kept in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.recording import RecordedLayer
from lstm_widgets.recording.calls import call_name
from lstm_widgets.rnn.cells import recorded_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from lstm_widgets.models.adapter import Layer
    from lstm_widgets.recording import Times
    from lstm_widgets.rnn.comparison import Check
    from lstm_widgets.running.reading import Reading

__all__ = ["Unit", "joined", "recorded", "room"]

# From so many bytes NumPy asks for large pages.
_LARGE_BYTES = 1 << 22
_PAGE = 1 << 12


@dataclass
class Unit:
    """What is kept of one call of one cell."""

    layer: str  # its name in a recording
    call: int
    kind: str
    found: Layer
    signals: dict[str, npt.NDArray[np.float32]]
    mask: npt.NDArray[np.bool_]
    initial: dict[str, npt.NDArray[np.float32]]  # states that it starts from, by signal
    tolerance: float
    difference: float = 0.0
    checked_examples: int = 0
    checked_timesteps: int = 0
    held: bool = False  # whether cells of it are, so that the layer's own loop gives something else
    own: bool = False  # whether it is what that loop gave, so that there is nothing to compare
    reached: int = 0  # first example of the last batch in which the model called it

    @property
    def name(self) -> str:
        """The name under which it is recorded, its call included."""
        return self.layer if self.call == 1 else call_name(self.layer, self.call)

    @property
    def timesteps(self) -> int:
        """How many timesteps were read."""
        return int(self.mask.shape[1])

    def go_on(self, before: Unit, *, initial: bool) -> None:
        """Go on counting where the same call left off in the part before.

        ``initial`` tells that all parts start from the same states, or the first one alone from some.
        """
        self.difference = before.difference
        self.checked_examples = before.checked_examples
        self.checked_timesteps = before.checked_timesteps
        if initial:
            self.initial = before.initial

    def make_room(self, timesteps: int, done: int) -> None:
        """See to it that examples of so many timesteps have room; ``done`` of them are there already."""
        count, more = len(self.mask), timesteps - self.timesteps
        if more <= 0:
            return
        for name, values in self.signals.items():
            larger = room([name], (count, timesteps, values.shape[2]))[name]
            larger[:done, :-more] = values[:done]
            self.signals[name] = larger
        self.mask = np.pad(self.mask, [(0, 0), (0, more)], constant_values=True)
        self.end((slice(done), slice(timesteps - more, None)))

    def have_examples(self, count: int) -> None:
        """See to it that there are so many examples; those that are added were never read."""
        more = count - len(self.mask)
        if not more:
            return

        def longer(values: npt.NDArray[Any], nothing: float) -> npt.NDArray[Any]:
            behind = [(0, more), *[(0, 0)] * (values.ndim - 1)]
            return np.pad(values, behind, constant_values=nothing)

        self.signals = {name: longer(values, np.nan) for name, values in self.signals.items()}
        self.initial = {name: longer(values, np.nan) for name, values in self.initial.items()}
        self.mask = longer(self.mask, False)

    def end(self, behind: tuple[slice, slice]) -> None:
        """Note that some examples have nothing behind some timestep."""
        for values in self.signals.values():
            values[behind] = np.nan
        self.mask[behind] = False


def room(names: Sequence[str], shape: tuple[int, ...]) -> dict[str, npt.NDArray[np.float32]]:
    """Make room for signals, each from the beginning of a page of memory.

    So a framework may go on with them as they are. Together, small ones are backed by large pages: many
    small pages cost as much as computing. Large ones have memory of their own: what was freed before
    can serve again, and what is kept keeps no others.
    """
    size = math.prod(shape)
    pages = -(-size * 4 // _PAGE) * _PAGE
    together = 1 if size * 4 >= _LARGE_BYTES else max(1, len(names))
    made: dict[str, npt.NDArray[np.float32]] = {}
    for k in range(0, len(names), together):
        memory = np.empty(together * pages + _PAGE, np.uint8)
        first = -memory.ctypes.data % _PAGE
        for n, name in enumerate(names[k : k + together]):
            start = first + n * pages
            made[name] = memory[start : start + size * 4].view(np.float32).reshape(shape)
    return made


def joined(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Put what there is of each call of a layer on one time axis."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def recorded(
    name: str,
    units: Sequence[Unit],
    kept: tuple[slice, ...],
    tokens: npt.NDArray[np.object_] | None,
    *,
    check: Check,
    reading: Reading,
    times: Times | None,
) -> RecordedLayer:
    """Hand over what was kept of some calls of a cell as one layer of a recording.

    Parameters
    ----------
    name : str
        The layer's name.
    units : sequence of Unit
        What is kept of each call.
    kept : tuple of slice
        Which examples, and which timesteps, are there.
    tokens : numpy.ndarray, optional
        Str ``(example, timestep)``: what stands at each timestep of the calls,
        one after the other; None: not known.
    check : {"prefix", "full", False}
        How the layer was checked.
    reading : Reading
        How the model read.
    times : Times, optional
        When each of the timesteps that are there is.
    """
    first, within = units[0], kept[1:]
    if tokens is not None and within:
        parts = np.split(tokens, len(units), axis=1)  # of a text, which each call reads
        tokens = joined([part[:, *within] for part in parts])
    mask = joined([unit.mask[kept] for unit in units])
    initial = {
        signal: np.stack([unit.initial[signal][kept[0]] for unit in units], axis=1)
        for signal in first.initial
        if all(signal in unit.initial for unit in units)
    }
    if len(units) == 1:
        initial = {signal: values[:, 0] for signal, values in initial.items()}
    worst = max(units, key=lambda unit: unit.difference)
    return RecordedLayer(
        name=name,
        kind=recorded_kind(first.kind),
        signals={
            signal: joined([unit.signals[signal][kept] for unit in units])
            for signal in first.signals
        },
        mask=None if mask.all() else mask,
        tokens=tokens,
        times=times,
        positions=None if reading.positions is None else reading.positions[: mask.shape[1]],
        check={
            "difference": worst.difference,
            "tolerance": worst.tolerance,
            "mode": "none" if any(unit.held or unit.own for unit in units) else check or "none",
            "examples": min(unit.checked_examples for unit in units),
            "timesteps": sum(unit.checked_timesteps for unit in units),
        },
        config=first.found.config(),
        go_backwards=first.found.go_backwards,
        initial=initial,
        calls=tuple(unit.mask[kept].shape[1] for unit in units) if len(units) > 1 else (),
        same_timesteps=len(units) > 1 and reading.mode != "examples",
    )
