"""What a widget shows at one moment, as arrays and words: what its figure is drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.changes import started
from lstm_widgets.colours import Colours
from lstm_widgets.recording.repr import check_in_words
from lstm_widgets.recording.rows import Rows, rows_of
from lstm_widgets.tokens.wording import in_line, number, quoted, sendable
from lstm_widgets.tokens.words import Spelling
from lstm_widgets.views.times import ShownTimes, shown_times
from lstm_widgets.views.tracks import NONE

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr
    from numpy.typing import NDArray

    from lstm_widgets.colours import Theme
    from lstm_widgets.recording.levels import Levels
    from lstm_widgets.views.lines import Lines
    from lstm_widgets.views.tracks import Track


@dataclass(frozen=True)
class Snapshot:
    """
    One signal of one layer, and what is selected in it.

    Parameters
    ----------
    layer : dict
        One of a widget's ``_layers``.
    dataset : xarray.Dataset
        The layer in the recording.
    levels : Levels
        The signal.
    signal, example, cell, timestep, palette, scale, threshold, align : int, float or str
        As the widget's traits.
    given_name : str
        What a person calls the selected cell.
    tracks : tuple of (int, Track)
        The concept tracks that are shown, each with its place among all of them.
    predictions : xarray.Dataset, optional
        What the model guessed to come next.
    initial : float32 array (example, call, cell), optional
        The states that the layer started from.
    lines : Lines, optional
        The series beside the signals.
    variant, difference : str, optional
        The name of the variant that is shown, and of the one that is subtracted from it, if any.
    loudest : float32 array (cell,), optional
        What the bars beside cells are held against: their mean magnitude, of variants where it is largest.
    every, every_line : callable, optional
        Give the layer in each of the variants, of which ``dataset`` is one, and the lines of each.
    """

    layer: dict[str, Any]
    dataset: xr.Dataset
    levels: Levels
    signal: str
    example: int
    cell: int
    timestep: int
    palette: str
    scale: str | tuple[float, float]
    threshold: float
    align: str
    given_name: str = ""
    tracks: tuple[tuple[int, Track], ...] = ()
    predictions: xr.Dataset | None = None
    initial: NDArray[np.float32] | None = None
    lines: Lines | None = None
    variant: str = ""
    difference: str = ""
    loudest: NDArray[np.float32] | None = None
    every: Callable[[], list[xr.Dataset]] | None = None
    every_line: Callable[[], list[Lines]] | None = None

    @property
    def examples(self) -> int:
        """How many examples there are."""
        return int(self.layer["examples"])

    @property
    def timesteps(self) -> int:
        """How many timesteps each has."""
        return int(self.layer["timesteps"])

    @property
    def column(self) -> int:
        """The selected column: examples end to end."""
        return self.example * self.timesteps + self.timestep

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return 0 in (self.examples, self.timesteps, self.levels.cells)

    def coloured(self, theme: Theme) -> Colours:
        """Give how values become colours."""
        largest = float(self.levels.statistics.largest.max(initial=0))
        name = self.colour_name(self.signal)
        return Colours(name, largest, self.palette, self.scale, self.threshold, theme)

    def colour_name(self, signal: str) -> str:
        """Give what a signal's colours go by: a difference has a sign, also that of a gate."""
        return f"{signal}, a difference" if self.difference else signal

    @property
    def shown_signal(self) -> str:
        """The signal in words; of a difference, to what."""
        name = self.signal.replace("_", " ")
        return f"{name}: difference to {in_line(self.difference)}" if self.difference else name

    @property
    def checked(self) -> str:
        """What the self-check of the layer has found."""
        check = self.layer["check"]
        known = check.get("mode") == "none" or "tolerance" in check
        return f"self-check: {check_in_words(check)}" if known else ""

    @cached_property
    def spelling(self) -> Spelling:
        """How the layer's tokens spell a text."""
        return Spelling(self.layer.get("spelling", "characters"))

    @cached_property
    def times(self) -> ShownTimes | None:
        """When the timesteps are; None if that isn't known."""
        return shown_times(self.dataset)

    @cached_property
    def _tokens(self) -> Rows:
        return Rows(self.dataset["token"])

    @cached_property
    def _mask(self) -> Rows:
        return Rows(self.dataset["mask"])

    def shown_column(self, column: int) -> int | None:
        """Give the column of the token that stands at a column; None where an example ends before it."""
        at = column + (self.align == "predict")
        return at if at // self.timesteps == column // self.timesteps else None

    def token(self, column: int) -> str | None:
        """Give what stands at a column, as aligned; None where an example ends before it."""
        at = self.shown_column(column)
        if not self.layer["tokens"] or at is None:
            return None
        return sendable(self._tokens[at : at + 1][0])

    def text(self, start: int, stop: int) -> list[str]:
        """Give the tokens at some timesteps of the selected example; blanks where none are known."""
        if not self.layer["tokens"]:
            return [" "] * (stop - start)
        first = self.example * self.timesteps
        return [sendable(token) for token in self._tokens[first + start : first + stop]]

    def guesses(self, column: int) -> list[tuple[str, float, bool]]:
        """Give the model's top guesses at a column: token, probability, and whether it is the right one."""
        if self.predictions is None:
            return []
        timestep = column % self.timesteps
        here = {name: rows[column : column + 1][0] for name, rows in self._guessed.items()}
        if here["predicted_id"][0] < 0:
            return []
        known = "predicted_token" in here
        ids = (f"#{number}" for number in here["predicted_id"])
        tokens = here["predicted_token"] if known else ids
        following = None
        if known and self.layer["tokens"] and timestep + 1 < self.timesteps:
            following = self._tokens[column + 1 : column + 2][0]
        target = here.get("target_probability", np.nan)
        return [
            (sendable(str(token)), float(chance), token == following if known else chance == target)
            for token, chance in zip(tokens, here["probability"], strict=True)
        ]

    @cached_property
    def _guessed(self) -> dict[str, Rows]:
        arrays = () if self.predictions is None else self.predictions.data_vars.items()
        return {str(name): Rows(array) for name, array in arrays}

    def label(self, example: int) -> str:
        """Give an example's label, or else its number."""
        if not self.layer["labels"]:
            return str(example)
        return in_line(sendable(str(self.dataset["label"][example].item())))

    def padded(self, first: int, stop: int) -> NDArray[np.bool_]:
        """Tell which of some columns are padding."""
        if "mask" not in self.dataset:
            return np.zeros(stop - first, np.bool_)
        padded: NDArray[np.bool_] = ~self._mask[first:stop]
        return padded

    def series(self, signal: str, first: int, stop: int) -> NDArray[np.float64]:
        """Give a signal of the selected cell at some columns, NaN outside of the recording: float64."""
        low, high = max(0, first), min(stop, self.levels.columns)
        values = rows_of(self.dataset[signal], low, high, self.cell)
        edges = (low - first, stop - high)
        return np.pad(values.astype(np.float64), edges, constant_values=np.nan)

    @property
    def backwards(self) -> bool:
        """Whether the selected cell reads from the end."""
        second = "parts" in self.layer and self.cell >= self.layer["cells"] // 2
        return bool(self.layer.get("go_backwards", False)) != second

    def reach(self, signal: str, first: int, stop: int) -> NDArray[np.float64]:
        """Give a signal of the selected cell at some columns, in all variants one after the other."""
        if self.every is None:
            return self.series(signal, first, stop)
        values = [rows_of(one[signal], first, stop, self.cell) for one in self.every()]
        return np.concatenate(values).astype(np.float64)

    def beside(self, signal: str, first: int, stop: int) -> NDArray[np.float64]:
        """Give a state before each of some columns, that of the timestep read before or the initial one.

        NaN where there is none.
        """
        ahead = 1 if self.backwards else -1
        values = self.series(signal, first + ahead, stop + ahead)
        columns = np.arange(first, stop)
        elsewhere = (columns + ahead) // self.timesteps != columns // self.timesteps
        values[elsewhere | bool(self.layer.get("windowed", False))] = np.nan
        if self.initial is not None:
            states = started(
                self.initial[..., self.cell],
                columns,
                self.layer.get("calls", [self.timesteps]),
                backwards=self.backwards,
            )
            values = np.where(np.isnan(states), values, states)
        return values

    def cell_name(self, cell: int) -> str:
        """Name a cell as in a grid: of two directions, which one's and which of it."""
        if "parts" not in self.layer:
            return str(cell)
        part, index = divmod(cell, self.layer["cells"] // 2)
        return f"{'→←'[part]}{index}"

    @property
    def of_variants(self) -> list[str]:
        """Which variant is shown, and what is subtracted from it; nothing where there are no variants."""
        if not self.variant:
            return []
        less = f" minus {in_line(self.difference)}" if self.difference else ""
        return [in_line(self.variant) + less]

    @property
    def status(self) -> str:
        """What is selected, in words, with its number."""
        name = self.layer["name"]
        if self.empty:
            return f"{in_line(name)} · nothing recorded"
        cell = f"cell {self.cell}"
        if "parts" in self.layer:
            part, index = divmod(self.cell, self.layer["cells"] // 2)
            cell += f" ({('forward', 'backward')[part]} {index})"
        if self.given_name:
            cell += f" “{self.given_name}”"
        parts = [*self.of_variants, in_line(name), cell]
        if self.examples > 1:
            label = f' "{self.label(self.example)}"' if self.layer["labels"] else ""
            parts.append(f"example {self.example}{label}")
        token = self.token(self.column)
        arrow = "→ " if self.align == "predict" else ""
        when = f"t={self.timestep}"
        if self.times is not None:
            when = self.times.say(self.example, self.timestep)
        parts.append(when + ("" if token is None else f" {arrow}{quoted(token)}"))
        value = float(self.levels.read(self.column, self.column + 1, self.cell)[0])
        parts.append(f"{self.signal}{' difference' * bool(self.difference)} {number(value)}")
        if self.padded(self.column, self.column + 1)[0]:
            parts.append("padding")
        if self.threshold > 0:
            parts.append("on" if abs(value) >= self.threshold else "below the threshold")
        return " · ".join(parts)

    @property
    def said(self) -> list[str]:
        """What the tracks that are shown say of the selected token."""
        at = None if self.empty else self.shown_column(self.column)
        if at is None:
            return [in_line(sendable(track.name)) for _, track in self.tracks]
        padded = self.padded(at, at + 1)[0]
        return [
            track.say(NONE if padded else int(track.codes(at, at + 1)[0]))
            for _, track in self.tracks
        ]
