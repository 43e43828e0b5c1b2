"""Several recordings of the same inputs: epochs, seeds, models, held cells."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from lstm_widgets.errors import LayerNotFoundError
from lstm_widgets.recording.counterparts import by_place, counterparts, renamed
from lstm_widgets.recording.joined import stacked
from lstm_widgets.recording.recording import Recording, open_recording
from lstm_widgets.recording.repr import variants_as_html, variants_as_text
from lstm_widgets.recording.same_inputs import expect_same_inputs
from lstm_widgets.recording.variant_folder import read_variants

if TYPE_CHECKING:
    from os import PathLike

    import pandas as pd

__all__ = ["Variants"]


class Variants(Mapping[str, Recording]):
    """Several recordings of the same inputs, by name: of epochs, seeds, other models, held cells.

    A mapping from a variant's name to its :class:`lstm_widgets.Recording`, in the order given. Analyses
    and widgets take it in the place of a recording.

    Parameters
    ----------
    recordings : mapping of str to Recording or path, or path
        The variants, at least one. What is a path is opened when it is first needed, as
        :func:`lstm_widgets.open_recording` does. Or the path of a folder that
        ``TrainingRecorder(to=...)`` has written.
    losses : pandas.DataFrame, optional
        What the model's loss was, a row a variant, with the name in the column ``variant``, as
        :attr:`lstm_widgets.TrainingRecorder.losses` has it.

    Attributes
    ----------
    losses : pandas.DataFrame or None
        As given.

    Raises
    ------
    FileNotFoundError, RecordingFileError
        If there are no variants at the path, or its list of them is damaged.
    TypeError
        If a name isn't a str, or a variant is neither a recording nor a path.
    ValueError
        If there is none, a name is empty, or what was recorded differs: the number of examples, or, of
        layers with the same name, timesteps, tokens, times, labels or masks, or the numbers that channels
        of the same name have. Of a path that is found out when it is opened. Of recordings of more than
        262 144 timesteps, as many are compared, in stretches spread over them.
        If one name means layers at different places, as the numbers do that Keras gives to layers without a
        name.

    Warns
    -----
    UserWarning
        If layers are taken by their places: those of one model are called as those of the first variant but
        for numbers, and have the same kinds and numbers of cells. They then have the first variant's names.

    Examples
    --------
    >>> variants = lw.Variants({"epoch 0": recording, "epoch 1": recording})
    >>> variants.names, variants.layers
    (('epoch 0', 'epoch 1'), ('lstm',))
    >>> variants.stacked("lstm", "hidden_state").dims
    ('variant', 'example', 'timestep', 'cell')
    """

    def __init__(
        self,
        recordings: Mapping[str, Recording | str | PathLike[str]] | str | PathLike[str],
        *,
        losses: pd.DataFrame | None = None,
    ) -> None:
        if isinstance(recordings, (str, os.PathLike)):
            recordings, written = read_variants(recordings)
            losses = written if losses is None else losses
        if not isinstance(recordings, Mapping):
            raise TypeError(
                "recordings: expected a dict from names to recordings or paths, "
                f"{{'epoch 0': recording, ...}}; got {type(recordings).__name__}"
            )
        if not recordings:
            raise ValueError("recordings: expected at least one variant, got none")
        for name, given in recordings.items():
            if not isinstance(name, str):
                raise TypeError(f"recordings: expected names that are str, got {name!r:.80}")
            if not name:
                raise ValueError("recordings: expected names that aren't empty, got ''")
            if not isinstance(given, (Recording, str, os.PathLike)):
                raise TypeError(
                    f"recordings: expected a recording or the path of one as variant {name!r}, got "
                    f"{type(given).__name__}; open_recording opens what isn't a path"
                )
        self._given = dict(recordings)
        self._opened: dict[str, Recording] = {}
        self._told = False  # whether it was told that layers are taken by their places
        self.losses = losses
        for name, given in self._given.items():
            if isinstance(given, Recording):
                self._take(name, given)

    @property
    def names(self) -> tuple[str, ...]:
        """The variants' names, in the order given."""
        return tuple(self._given)

    def __iter__(self) -> Iterator[str]:
        """Iterate over :attr:`names`."""
        return iter(self._given)

    def __len__(self) -> int:
        """Count the variants."""
        return len(self._given)

    def __contains__(self, name: object) -> bool:
        """Whether there is a variant of this name."""
        return name in self._given

    # Which of two it is, as of recordings: what is in them may be on a disk, and large.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __getitem__(self, name: str) -> Recording:
        """One variant's recording."""
        if name not in self._given:
            known = ", ".join(map(repr, self._given))
            raise KeyError(f"variant: expected one of {known}, got {name!r:.80}")
        if name not in self._opened:
            given = self._given[name]
            assert not isinstance(given, Recording)  # noqa: S101  (those are there from the beginning)
            try:
                recording = open_recording(given)
            except Exception as error:
                error.add_note(f"This is variant {name!r}.")
                raise
            self._take(name, recording)
        return self._opened[name]

    def _take(self, name: str, recording: Recording) -> None:
        """Hold a recording that was opened against one that is there already, and keep it."""
        if self._opened:
            other, before = next(iter(self._opened.items()))
            if recording is not before:
                known = counterparts(before, recording, (other, name))
                if known:
                    if not self._told:
                        warnings.warn(by_place(known, (other, name)), stacklevel=3)
                    self._told = True
                    recording = renamed(recording, known)
                expect_same_inputs(name, recording, other, before)
        self._opened[name] = recording

    def is_variant(self, name: str, recording: Recording) -> bool:
        """Tell whether a variant is this very recording, whatever its layers are called here.

        Parameters
        ----------
        name : str
            One of :attr:`names`.
        recording : Recording
            What it may be.
        """
        return recording in (self._given[name], self[name])

    @functools.cached_property
    def layers(self) -> tuple[str, ...]:
        """The names of the layers that all variants have, with as many cells and a common signal."""
        first, *others = self.values()
        return tuple(
            layer
            for layer in first.layers
            if all(layer in other.layers for other in others)
            if len({each[layer].sizes["cell"] for each in (first, *others)}) == 1
            if self.signals(layer)
        )

    def signals(self, layer: str) -> tuple[str, ...]:
        """Return the names of the signals that all variants have of one layer.

        Parameters
        ----------
        layer : str
            As for ``recording[layer]``.
        """
        found = []
        for name, recording in self.items():
            try:
                found.append(recording.signals(layer))
            except LayerNotFoundError as error:
                raise LayerNotFoundError(f"{error} (in variant {name!r})") from None
        first, *others = found
        return tuple(signal for signal in first if all(signal in other for other in others))

    def stacked(self, layer: str, signal: str) -> xr.DataArray:
        """Put a signal of all variants into one array, which reads what is asked for.

        Parameters
        ----------
        layer : str
            As for ``recording[layer]``.
        signal : str
            One of :meth:`signals`.

        Returns
        -------
        xarray.DataArray
            ``(variant, example, timestep, cell)``, with the coordinate ``variant`` of :attr:`names` and
            the coordinates that the first variant has. Nothing is read before values are asked for, and
            then of the variants that are selected only.

        Raises
        ------
        LayerNotFoundError
            If a variant doesn't have the layer.
        ValueError
            If a variant doesn't have the signal, or another number of cells.

        Examples
        --------
        >>> variants = lw.Variants({"one": recording, "other": recording})
        >>> variants.stacked("lstm", "hidden_state").sel(variant="other").shape
        (1, 620, 3)
        """
        known = self.signals(layer)
        if signal not in known:
            raise ValueError(
                f"signal: expected one that all variants have of layer {layer!r} "
                f"({', '.join(map(repr, known)) or 'there is none'}), got {signal!r}"
            )
        every = {name: recording[layer][signal] for name, recording in self.items()}
        first = next(iter(every.values()))
        for name, values in every.items():
            if values.shape != first.shape:
                raise ValueError(
                    f"layer: expected one with as many cells in all variants, got {layer!r}, which has "
                    f"{values.sizes['cell']} in {name!r} and {first.sizes['cell']} in {self.names[0]!r}"
                )
        together = stacked([values.variable for values in every.values()], "variant")
        coords = {
            name: each
            for name, each in first.coords.items()
            if not str(name).startswith("initial_")
        }
        names = np.array([*self.names, ""], object)[:-1]
        return xr.DataArray(together, {**coords, "variant": ("variant", names)}, name=signal)

    @property
    def _elsewhere(self) -> dict[str, list[str]]:
        """Layers that aren't in all variants, or not alike, each with the names of those that have it."""
        found: dict[str, list[str]] = {}
        for name, recording in self.items():
            for layer in recording.layers:
                if layer not in self.layers:
                    found.setdefault(layer, []).append(name)
        return found

    def _shown(self) -> dict[str, xr.Dataset]:
        first = next(iter(self.values()))
        shown = {}
        for layer in self.layers:
            kept = {*self.signals(layer), "mask"}
            shown[layer] = first[layer].drop_vars(
                [name for name in first[layer].data_vars if name not in kept]
            )
        return shown

    def __repr__(self) -> str:
        return variants_as_text(self.names, self._shown(), self._elsewhere)

    def _repr_html_(self) -> str:
        return variants_as_html(self.names, self._shown(), self._elsewhere)
