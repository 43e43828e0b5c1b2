"""Notes that people write on cells: a name, and whatever else there is to say."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, MutableMapping
from operator import index
from typing import Any

from lstm_widgets.errors import LayerNotFoundError

__all__ = ["Notes"]


class Notes(MutableMapping[tuple[str, int], str]):
    r"""Notes on cells, by layer and cell.

    The first line of a note is the cell's name, which every view shows.

    Parameters
    ----------
    cells : mapping of str to int
        The number of cells of each layer.
    both : mapping of str to tuple of str
        Layers of which both directions were recorded, each with the names of the two; notes are kept
        by direction.
    given : mapping, optional
        Notes by layer and cell, as :attr:`plain` gives them.

    Examples
    --------
    >>> notes = Notes({"lstm": 64})
    >>> notes["lstm", 22] = "inside quotes\nsince the third epoch"
    >>> notes.name("lstm", 22)
    'inside quotes'
    >>> dict(notes)
    {('lstm', 22): 'inside quotes\nsince the third epoch'}
    """

    def __init__(
        self,
        cells: Mapping[str, int],
        both: Mapping[str, tuple[str, str]] | None = None,
        given: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._cells = cells
        self._both = both or {}
        self._texts: dict[tuple[str, int], str] = {}
        self._watching: weakref.WeakSet[Any] = weakref.WeakSet()
        if given:
            self.replace(given)

    def _place(self, key: object) -> tuple[str, int]:
        """Find the layer, or the direction of it, and the cell in it."""
        if not isinstance(key, tuple) or len(key) != 2 or not isinstance(key[0], str):
            raise TypeError(f"notes: expected a layer and a cell, notes['lstm', 22]; got {key!r}")
        layer, cell = key[0], index(key[1])
        parts = self._both.get(layer, (layer,))
        if parts[0] not in self._cells:
            known = ", ".join(map(repr, [*self._cells, *self._both]))
            raise LayerNotFoundError(f"notes: expected one of the layers {known}; got {layer!r}")
        each = self._cells[parts[0]]
        if not 0 <= cell < each * len(parts):
            raise KeyError(
                f"notes: expected a cell from 0 to {each * len(parts) - 1} (layer {layer!r}), "
                f"got {cell}"
            )
        return parts[cell // each], cell % each

    def __getitem__(self, key: tuple[str, int]) -> str:
        return self._texts[self._place(key)]

    def __setitem__(self, key: tuple[str, int], text: str) -> None:
        """Set the note on a cell; an empty text removes it."""
        if not isinstance(text, str):
            raise TypeError(f"notes: expected a text, got {type(text).__name__}")
        place, text = self._place(key), text.strip()
        if self._texts.get(place, "") == text:
            return
        self._texts[place] = text
        if not text:
            del self._texts[place]
        self._tell()

    def __delitem__(self, key: tuple[str, int]) -> None:
        del self._texts[self._place(key)]
        self._tell()

    def __iter__(self) -> Iterator[tuple[str, int]]:
        order = list(self._cells)
        return iter(sorted(self._texts, key=lambda place: (order.index(place[0]), place[1])))

    def __len__(self) -> int:
        return len(self._texts)

    def __repr__(self) -> str:
        return f"Notes({dict(self)})"

    def name(self, layer: str, cell: int) -> str:
        """Return the name of a cell, the first line of its note; "" if it has no note."""
        return self.get((layer, cell), "").partition("\n")[0].rstrip()

    def replace(self, plain: Mapping[str, Mapping[str, str]]) -> None:
        """Let these be all notes, as :attr:`plain` gives them; nothing changes if one doesn't fit."""
        new = Notes(self._cells, self._both)
        for layer, texts in plain.items():
            for cell, text in texts.items():
                new[layer, int(cell)] = text
        if new._texts != self._texts:
            self._texts = new._texts
            self._tell()

    @property
    def plain(self) -> dict[str, dict[str, str]]:
        """All of them as JSON can hold them: by layer and the number of the cell as a str."""
        plain: dict[str, dict[str, str]] = {}
        for layer, cell in self:
            plain.setdefault(layer, {})[str(cell)] = self._texts[layer, cell]
        return plain

    def watch(self, watcher: Any) -> None:  # noqa: ANN401 - anything with that method
        """Call ``watcher.notes_changed()`` after every change, for as long as the watcher lives."""
        self._watching.add(watcher)

    def _tell(self) -> None:
        for watcher in list(self._watching):
            watcher.notes_changed()
