"""What is told of a recording before it is written: its arrays, their axes, and what they are on the disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Plan", "Variable", "layer_plan"]


@dataclass(frozen=True)
class Variable:
    """One array of a recording.

    Parameters
    ----------
    dims : tuple of str
        Its axes.
    dtype : str
        What it is on the disk: ``"float32"``, ``"float16"`` (which is read as float32), ``"float64"``,
        ``"int32"``, ``"int64"``, ``"bool"``, ``"date"`` (datetime64[ns]) or ``"string"``.
    zone : str
        The time zone of dates, "" if they are in none.
    """

    dims: tuple[str, ...]
    dtype: str = "float32"
    zone: str = ""


@dataclass(frozen=True)
class Plan:
    """What a layer consists of, or what stands beside the layers.

    Parameters
    ----------
    sizes : mapping of str to int or None
        The length of each axis; None for "example" or "timestep" if it isn't known beforehand.
    variables : mapping of str to Variable
        The arrays by name: the signals first, coordinates in any order.
    """

    sizes: Mapping[str, int | None]
    variables: Mapping[str, Variable] = field(default_factory=dict)


def layer_plan(
    signals: Sequence[str],
    *,
    examples: int | None,
    timesteps: int | None,
    cells: int,
    dtype: str = "float32",
    mask: bool = False,
    tokens: bool = False,
    more: Mapping[str, Variable] | None = None,
) -> Plan:
    """Plan a layer.

    Parameters
    ----------
    signals : sequence of str
        Their names.
    examples, timesteps : int or None
        How many there are; None if that isn't known beforehand.
    cells : int
        How many there are.
    dtype : {"float32", "float16"}
        What the signals are on the disk.
    mask, tokens : bool
        Whether the layer has them.
    more : mapping of str to Variable, optional
        Further coordinates, as initial states: ``{"initial_hidden_state": Variable(("example", "cell"))}``.

    Examples
    --------
    >>> layer_plan(["hidden_state"], examples=1, timesteps=None, cells=8).variables["hidden_state"].dims
    ('example', 'timestep', 'cell')
    """
    axes = ("example", "timestep", "cell")
    variables = {name: Variable(axes, dtype) for name in signals}
    if mask:
        variables["mask"] = Variable(axes[:2], "bool")
    if tokens:
        variables["token"] = Variable(axes[:2], "string")
    sizes = {"example": examples, "timestep": timesteps, "cell": cells}
    return Plan(sizes, variables | dict(more or {}))
