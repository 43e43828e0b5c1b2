"""What the page is told of variants: recordings of the same inputs, one of which is shown at a time."""

from __future__ import annotations

import threading
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from lstm_widgets.lru import LRU
from lstm_widgets.recording.differences import difference, only
from lstm_widgets.recording.expecting import common_layers
from lstm_widgets.widgets.page.state import every_signal, is_little, layers_of, tiles_of, whole_of
from lstm_widgets.widgets.page.tiles import SignalTiles, Together, VariantTiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lstm_widgets.recording import Recording, Variants

#: Signals of a variant that are ready to be drawn, for each of the variants.
_KEPT_SIGNALS = 3
#: What is told of a layer, and of its text, that variants may differ in.
_OWN, _OWN_TEXT = ("predictions", "initial"), ("guessed", "initial")


class ShownVariants:
    """
    The variants that a widget shows, one at a time, or as differences to one of them.

    Parameters
    ----------
    variants : Variants

    Examples
    --------
    >>> variants = lw.Variants({"epoch 0": recording, "epoch 1": recording})
    >>> shown = ShownVariants(variants)
    >>> float(abs(shown.recording("epoch 1", "epoch 0")["lstm"].hidden_state).max())
    0.0
    """

    def __init__(self, variants: Variants) -> None:
        layers = common_layers(variants)
        self.names = variants.names
        self._variants = variants
        self._signals = {layer: variants.signals(layer) for layer in layers}
        self._recordings: dict[tuple[str, str], Recording] = {}
        self._tiles: LRU[SignalTiles] = LRU(_KEPT_SIGNALS * len(self.names))
        #: Found once, and not for each of the variants: a few numbers a cell.
        self._together: dict[tuple[str, str, str], Together] = {}
        self._lock = threading.RLock()

    def recording(self, variant: str, less: str = "") -> Recording:
        """
        Give one variant, with what all of them have.

        Parameters
        ----------
        variant : str
            Its name.
        less : str, optional
            The name of the variant that is subtracted from it; "" for none.

        Returns
        -------
        Recording
            The same object for the same names.
        """
        with self._lock:
            key = (variant, less)
            if key not in self._recordings:
                made = only(self._variants[variant], self._signals)
                if less:
                    made = difference(made, self._variants[less], self._signals)
                self._recordings[key] = made
            return self._recordings[key]

    @property
    def noted(self) -> Recording:
        """The first variant as it was given: it has the notes on cells, which all share."""
        return self._variants[self.names[0]]

    def every(self, less: str = "") -> list[Recording]:
        """Give all of them, each less the same."""
        return [self.recording(name, less) for name in self.names]

    def tiles(self, layer: str, signal: str, variant: str, less: str = "") -> SignalTiles:
        """Give a signal of a variant ready to be drawn, on the scale of all of them."""

        def made() -> SignalTiles:
            recording = self.recording(variant, less)
            key = (layer, signal, less)
            if key not in self._together:
                self._together[key] = Together.of(each.statistics for each in every())
            dataset = recording[layer]
            own = tiles_of(recording, layer, signal)
            together = self._together[key]
            return VariantTiles(dataset[signal], dataset.get("mask"), own, together, every)

        def every() -> Iterator[SignalTiles]:
            return (tiles_of(one, layer, signal) for one in self.every(less))

        with self._lock:
            return self._tiles.get((layer, signal, variant, less), made)

    def state(self, calls: tuple[str, ...] = ()) -> dict[str, Any]:
        """
        Describe all of them to the page, and give all of them if that is little.

        Parameters
        ----------
        calls : tuple of str, optional
            Calls of layers that are shown, too.

        Returns
        -------
        dict
            ``_layers`` of the first variant; ``_variants``, see `_described`; and where all of them travel
            ``_whole``, one behind the other, and ``_text``.
        """
        every = [layers_of(self.recording(name), calls) for name in self.names]
        told = _described(self.names, every)
        if not is_little(every[0], len(self.names)):
            return {"_layers": every[0], "_variants": told}
        return {"_layers": every[0]} | self.whole(told, every_signal(every[0]), self.names)

    def whole(
        self,
        told: dict[str, Any],
        kept: Mapping[str, tuple[str, ...]],
        names: Sequence[str],
        *,
        exact: bool = True,
    ) -> dict[str, Any]:
        """
        Give all that the page needs of some signals of some layers, of some variants.

        Parameters
        ----------
        told : dict
            What the page is told of variants.
        kept : mapping of str to tuple of str
            The signals of each layer.
        names : sequence of str
            The variants.
        exact : bool, default True
            As for `whole_of`.

        Returns
        -------
        dict
            ``_whole``, ``_text`` of the first of them, and ``_variants``, by which the page finds each.
        """
        found = []
        for name in names:
            # Values as they are go by no scale.
            tiles_for = None if exact else partial(self.tiles, variant=name)
            one = self.recording(name)
            found.append(whole_of(one, kept, exact=exact, tiles_for=tiles_for))
        ends = [0, *accumulate(len(each["_whole"]) for each in found)]
        text = [
            {
                layer: {key: about[key] for key in _OWN_TEXT if key in about}
                for layer, about in each["_text"].items()
            }
            for each in found
        ]
        shared = {
            layer: {key: value for key, value in about.items() if key not in _OWN_TEXT}
            for layer, about in found[0]["_text"].items()
        }
        places = [self.names.index(name) for name in names]
        some = {key: [told[key][at] for at in places] for key in ("names", "check", "own")}
        return {
            "_whole": b"".join(each["_whole"] for each in found),
            "_text": shared,
            "_variants": some | {"whole": ends, "text": text},
        }


def _described(names: Sequence[str], every: Sequence[list[dict[str, Any]]]) -> dict[str, Any]:
    """
    Describe variants to the page.

    Parameters
    ----------
    names : sequence of str
    every : sequence of list of dict
        The layers of each.

    Returns
    -------
    dict
        ``names``; ``check``, what the self-check of each layer found in each variant; ``own``, what is
        told of a layer in another way than of the first variant's. Where values travel also ``whole``, where
        each variant's begin among the bytes and where the last ends, and ``text``, what of ``_text`` is each
        variant's own.
    """
    own = [
        {
            layer["name"]: {key: layer.get(key) for key in _OWN if layer.get(key) != first.get(key)}
            for layer, first in zip(layers, every[0], strict=True)
        }
        for layers in every
    ]
    return {
        "names": list(names),
        "check": [{layer["name"]: layer["check"] for layer in layers} for layers in every],
        "own": own,
    }
