# Tokens may be given in many ways: Any.
# ruff: noqa: ANN401
"""Which of the tokens that were given stand at the timesteps of which layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.recording.calls import call_name, split_call

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from lstm_widgets.running.unit import Unit

    Layers = Mapping[str, Sequence[Unit]]

__all__ = ["expect_tokens", "picked", "tokens_of"]


def expect_tokens(tokens: Any, layers: Layers, recorded: Layers, known: Iterable[str]) -> None:
    """Check that tokens fit the layers' numbers of timesteps.

    Parameters
    ----------
    tokens : sequence or mapping
        What was given.
    layers : mapping of str to sequence of Unit
        The calls of each layer that was called.
    recorded : mapping of str to sequence of Unit
        What is recorded, see :func:`lstm_widgets.running.unit.recorded`.
    known : iterable of str
        The names of all that the model has.
    """
    if isinstance(tokens, Mapping):
        for name, named in tokens.items():
            called = _lengths_of(name, layers)
            if not called:
                every = dict.fromkeys(n for unit in known for n in _names_of(unit)[::-1])
                if split_call(name)[0] in every:
                    continue  # it isn't called, or can't be recorded
                raise ValueError(
                    f"tokens: expected names among {', '.join(map(repr, every))}; got {name!r}"
                )
            given = {len(row) for row in named}
            if len(given) > 1 or not given <= called:
                raise ValueError(
                    f"tokens[{name!r}]: expected {_counts(called)} tokens for each example, "
                    f"got {_counts(given)}"
                )
        return
    given = {len(row) for row in tokens}
    if given and (len(given) > 1 or not any(_fits(u, *given) for u in recorded.values())):
        lengths = ", ".join(f"{name!r} has {_lengths(units)}" for name, units in recorded.items())
        raise ValueError(
            f"tokens: expected as many for each example as a layer has timesteps ({lengths}); "
            f"got {_counts(given)}"
        )


def tokens_of(units: Sequence[Unit], tokens: Any, kept: Any) -> npt.NDArray[np.object_] | None:
    """Find what stands at each timestep of a layer, in all its calls; None: that isn't known."""
    starts = np.cumsum([0, *(unit.timesteps for unit in units)])
    array = np.full((len(units[0].mask), starts[-1]), "", object)[kept]
    named: list[tuple[int, int, Any]] = []  # where tokens begin and end, and the tokens
    names = _names_of(units[0].layer)
    whole = tokens
    if isinstance(tokens, Mapping):
        whole = next((tokens[name] for name in names if name in tokens), None)
        for k, unit in enumerate(units):
            calls = [call_name(name, unit.call) for name in names]
            rows = next((tokens[name] for name in calls if name in tokens), None)
            if rows is not None:
                named.append((starts[k], starts[k + 1], picked(rows, kept)))
    if whole is not None:
        rows = picked(whole, kept)
        lengths = {len(row) for row in rows}
        fits = _fits(units, lengths.pop()) if len(lengths) == 1 else ""
        if fits == "all" or not len(rows):
            named.insert(0, (0, starts[-1], rows))
        elif fits == "each":
            named[:0] = [(starts[k], starts[k + 1], rows) for k in range(len(units))]
    for start, stop, rows in named:
        for k, row in enumerate(rows):
            array[k, start:stop] = row
    return array if named else None


def _lengths_of(name: str, layers: Layers) -> set[int]:
    """Tell how many tokens may stand for a name: of all calls that it means, or of each."""
    base, call = split_call(name)
    lengths: set[int] = set()
    for layer, units in layers.items():
        meant = [unit.timesteps for unit in units if call in (None, unit.call)]
        if base in _names_of(layer) and meant:
            lengths |= {sum(meant)}
            lengths |= set(meant) if len(set(meant)) == 1 and meant[0] > 1 else set()
    return lengths


def _fits(units: Sequence[Unit], count: int) -> str:
    """Whether so many tokens name the timesteps of all calls, or those of each; "": neither."""
    if sum(unit.timesteps for unit in units) == count:
        return "all"
    # One token can't be that of each single step.
    each = {unit.timesteps for unit in units} == {count} and count > 1
    return "each" if each else ""


def _names_of(layer: str) -> list[str]:
    """List the names by which a layer may be meant, the closest first.

    ``"bi/forward"`` is also meant by ``"bi"``.
    """
    parts = layer.split("/")
    return ["/".join(parts[:k]) for k in range(len(parts), 0, -1)]


def _lengths(units: Sequence[Unit]) -> str:
    """Tell how many timesteps a layer has, in one call or in several."""
    each = [unit.timesteps for unit in units]
    if len(each) == 1:
        return str(each[0])
    several = f"{len(each)} calls of {each[0]}" if len(set(each)) == 1 else f"calls of {each}"
    return f"{sum(each)} ({several})"


def _counts(lengths: set[int]) -> str:
    return " and ".join(map(str, sorted(lengths)[:4])) + (" and others" if len(lengths) > 4 else "")


def picked(rows: Sequence[Any], index: Any) -> list[Any]:
    """Take what an index of the examples says from a sequence with one entry an example."""
    return [rows[k] for k in np.arange(len(rows))[index]]
