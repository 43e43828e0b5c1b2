"""Refuse what isn't a recording, and tell the way out."""

from __future__ import annotations

from lstm_widgets.recording.recording import Recording
from lstm_widgets.recording.variants import Variants

__all__ = ["common_layers", "expect_recording", "usual_layer"]


def expect_recording(argument: str, given: object, *, several: bool = False) -> None:
    """Refuse what isn't a recording.

    Parameters
    ----------
    argument : str
        What it is called in the error.
    given : object
        What came.
    several : bool, default False
        Whether `Variants` will do, too.

    Raises
    ------
    TypeError

    Examples
    --------
    >>> from lstm_widgets.recording.expecting import expect_recording
    >>> expect_recording("recording", recording)
    """
    if isinstance(given, Recording) or (several and isinstance(given, Variants)):
        return
    if isinstance(given, Variants):
        raise TypeError(
            f"{argument}: expected one Recording, got Variants; take one of them, "
            f"variants[{given.names[0]!r}], or one after the other"
        )
    more = ", or Variants of several" if several else ""
    raise TypeError(
        f"{argument}: expected a Recording (from record() or open_recording()){more}, got "
        f"{type(given).__name__}"
    )


def common_layers(variants: Variants, *, as_many_cells: bool = True) -> tuple[str, ...]:
    """Name the layers that all variants have, with a common signal; refuse variants that have none.

    Parameters
    ----------
    variants : Variants
    as_many_cells : bool, default True
        Whether they have to have as many cells, too.

    Returns
    -------
    tuple of str

    Raises
    ------
    ValueError
        If there is none. It tells which layers there are.

    Examples
    --------
    >>> from lstm_widgets.recording.expecting import common_layers
    >>> common_layers(lw.Variants({"one": recording, "other": recording}))
    ('lstm',)
    """
    found = variants.layers
    if not as_many_cells:
        first = next(iter(variants.values()))
        found = tuple(
            layer
            for layer in first.layers
            if all(layer in one.layers for one in variants.values()) and variants.signals(layer)
        )
    if found:
        return found
    told = "; ".join(
        f"{name!r} has "
        + ", ".join(f"{layer!r} ({one[layer].sizes['cell']} cells)" for layer in one.layers)
        for name, one in variants.items()
    )
    cells = "as many cells and " if as_many_cells else ""
    named = set.intersection(*(set(one.layers) for one in variants.values()))
    more = (
        "" if named else ". Layers without a name are numbered: name= them alike, and record again"
    )
    raise ValueError(
        f"recording: expected variants that have a layer in common, by the same name, with {cells}a signal "
        f"that all of them have; {told}{more}"
    )


def usual_layer(recording: Recording | Variants, signal: str, *, as_many_cells: bool = True) -> str:
    """Name the layer that is meant if none is said: the first that has a signal, else the first.

    Parameters
    ----------
    recording : Recording or Variants
        Of variants, it is one that all of them have.
    signal : str
    as_many_cells : bool, default True
        Whether it has to have as many cells in all variants.

    Raises
    ------
    ValueError
        If variants have no layer in common.

    Examples
    --------
    >>> from lstm_widgets.recording.expecting import usual_layer
    >>> usual_layer(recording, "hidden_state")
    'lstm'
    """
    layers = recording.layers
    if isinstance(recording, Variants):
        layers = common_layers(recording, as_many_cells=as_many_cells)
    return next((layer for layer in layers if signal in recording.signals(layer)), layers[0])
