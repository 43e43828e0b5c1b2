"""Which layer of one model is which of another, where names only number them.

Keras calls layers without a name by what they are and how many were made before: the two of one model are
``lstm`` and ``lstm_1``, those of the next ``lstm_2`` and ``lstm_3``, or, in another session, ``lstm_1`` and
``lstm_2``. So by its name ``lstm_1`` may be the second layer of one and the first of the other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lstm_widgets.recording.calls import call_name, split_call
from lstm_widgets.recording.recording import Recording, derived

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["by_place", "counterparts", "name_of", "renamed"]

_NUMBER = re.compile(r"_\d+(?=/|$)")
_ORDINALS = ("first", "second", "third")


def counterparts(one: Recording, other: Recording, names: tuple[str, str]) -> dict[str, str]:
    """Find the layers of a recording that stand for those of another by their places.

    Parameters
    ----------
    one, other : Recording
        Of two models.
    names : tuple of str
        What both are called in an error.

    Returns
    -------
    dict of str to str
        From each layer of the model of ``other`` to that of ``one``, if they are called the same but for
        numbers, and of the same kinds and sizes. Empty if layers are to be taken by their names.

    Raises
    ------
    ValueError
        If that isn't so, and one name means layers at different places.

    Examples
    --------
    >>> from lstm_widgets.recording.counterparts import counterparts
    >>> counterparts(recording, recording, ("one", "other"))
    {}
    """
    order, others = _model_layers(one), _model_layers(other)
    if order == others:
        return {}
    if [*map(_unnumbered, order)] == [*map(_unnumbered, others)]:
        known = dict(zip(others, order, strict=True))
        found = {layer: name_of(known, layer) for layer in other.layers}
        if all(_kind(other, b) == _kind(one, a) for b, a in found.items() if a in one.layers):
            return known
    for layer in order:
        if layer in one.layers and layer in other.layers:
            _expect_same_place(layer, {names[0]: order, names[1]: others})
    return {}


def name_of(known: Mapping[str, str], layer: str) -> str:
    """Tell how a layer, a call of it, or both its directions are called in the other model.

    Examples
    --------
    >>> name_of({"bi_1/forward": "bi/forward"}, "bi_1"), name_of({"lstm_1": "lstm"}, "lstm_1:2")
    ('bi', 'lstm:2')
    """
    base, call = split_call(layer)
    for own, name in known.items():
        if own == base or own.startswith(f"{base}/"):
            found = "/".join(name.split("/")[: base.count("/") + 1])
            return found if call is None else call_name(found, call)
    return layer


def renamed(recording: Recording, known: Mapping[str, str]) -> Recording:
    """Give a recording whose layers have other names, as :func:`counterparts` gives them.

    Examples
    --------
    >>> from lstm_widgets.recording.counterparts import renamed
    >>> renamed(recording, {"lstm": "lstm_1"}).layers
    ('lstm_1',)
    """
    layers = {name_of(known, layer): layer for layer in recording.layers}
    attrs = {
        "model_layers": [name_of(known, layer) for layer in _model_layers(recording)],
        "notes": {name_of(known, layer): each for layer, each in recording.notes.plain.items()},
    }
    return derived(recording, layers, lambda _, layer: layer, attrs)


def by_place(known: Mapping[str, str], names: tuple[str, str]) -> str:
    """Say that layers are taken by their places, as :func:`counterparts` gives them."""
    return (
        f"recordings: layers {', '.join(map(repr, known))} of {names[1]!r} are taken for "
        f"{', '.join(map(repr, known.values()))} of {names[0]!r}, by their places: they are called the "
        "same but for numbers, and have the same kinds and numbers of cells. name= in the models says which "
        "is which"
    )


def _model_layers(recording: Recording) -> tuple[str, ...]:
    """Name all recurrent layers of the model, in its order; those that are recorded, if that isn't known."""
    return tuple(recording.tree.attrs.get("model_layers", recording.layers))


def _unnumbered(name: str) -> str:
    return _NUMBER.sub("", name)


def _kind(recording: Recording, layer: str) -> tuple[Any, ...]:
    found = recording[layer]
    return found.attrs["kind"], found.attrs["go_backwards"], found.sizes["cell"]


def _expect_same_place(layer: str, orders: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse a name that is that of another layer among those that differ by number only."""
    word = _unnumbered(layer)
    alike = {name: [x for x in order if _unnumbered(x) == word] for name, order in orders.items()}
    places = {name: each.index(layer) for name, each in alike.items()}
    if len(set(places.values())) > 1:
        told = " and ".join(
            f"the {_ordinal(places[name])} of {', '.join(map(repr, each))} in {name!r}"
            for name, each in alike.items()
        )
        raise ValueError(
            f"recordings: expected layers that have the same names in all models, but {layer!r} is {told}. "
            "Layers without a name are numbered as they are made: name= them alike, and record again"
        )


def _ordinal(place: int) -> str:
    return _ORDINALS[place] if place < len(_ORDINALS) else f"{place + 1}th"
