"""The cells of two networks beside each other, partners in the same row."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np

from lstm_widgets.figures.png import png
from lstm_widgets.recording import Recording
from lstm_widgets.widgets.cell_grid import CellGrid

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["CellComparison"]

#: Traits that are the same on both sides, linked in the page.
_LINKED = ("example", "timestep", "threshold", "palette", "align")


class CellComparison(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """
    Two grids of cells whose rows stand side by side: each cell beside its partner in the other network.

    The pair with the highest score stands at the top; cells without a partner at the bottom. Selecting a
    cell selects its partner, and the line above tells their correlation, with a − where one is high when the
    other is low. (That goes through the kernel; example, timestep, threshold and palette are linked
    in the page.)

    Parameters
    ----------
    comparison : xarray.Dataset
        What `compare_cells` gave of both.
    a, b : Recording
        The recordings that were compared; for ``b``, if it was several, all of them.
    variant : str, optional
        Which of several networks is shown. Default: the first.
    **traits : optional
        Traits of both `CellGrid`: ``tracks``, ``threshold``, ``example``, ``timestep`` and others;
        ``cell`` is one of ``a``.

    Attributes
    ----------
    a, b : CellGrid
        The grids.

    Raises
    ------
    TypeError, ValueError
        If the recordings aren't those that were compared.

    Examples
    --------
    >>> compared = lw.compare_cells(recording, recording, shifts=20)
    >>> lw.CellComparison(compared, recording, recording, cell=1)
    <CellComparison: cell 1 and cell 1 (+), ρ = +1.00, p = 0.048, rotated p = 0.048>
    """

    def __init__(
        self,
        comparison: xr.Dataset,
        a: Recording,
        b: Recording | Mapping[str, Recording] | Sequence[Recording],
        *,
        variant: str | None = None,
        **traits: Any,  # noqa: ANN401 - each trait checks its own
    ) -> None:
        if not {"match", "score", "sign"} <= set(getattr(comparison, "data_vars", ())):
            raise TypeError(
                f"comparison: expected what compare_cells() gave, got {type(comparison).__name__}"
            )
        comparison, b = _one_of(comparison, b, variant)
        self._comparison = comparison
        pairs = [comparison[name].to_numpy() for name in ("match", "score")]
        best = np.argsort(-np.nan_to_num(pairs[1], nan=-1.0), kind="stable")
        partners = pairs[0][best]
        self._partner = {int(one): int(other) for one, other in enumerate(pairs[0]) if other >= 0}
        self._back = {other: one for one, other in self._partner.items()}
        cell = traits.pop("cell", int(best[0]))
        self.a = self._grid("a", a, cell, best.tolist(), traits)
        matched = self._partner.get(cell, 0)
        self.b = self._grid("b", b, matched, partners[partners >= 0].tolist(), traits)
        self._told = ipywidgets.HTML()
        for grid in (self.a, self.b):
            grid.layout.flex, grid.layout.min_width = "1 1 0%", "0"
            grid.observe(self._on_selected, ["cell", "layer"])
        #: Kept as long as the widget is.
        self._links = [ipywidgets.jslink((self.a, x), (self.b, x)) for x in _LINKED]
        self._tell()
        super().__init__([self._told, ipywidgets.HBox([self.a, self.b])])

    def _grid(
        self,
        which: str,
        recording: Any,  # noqa: ANN401 - it is checked here
        cell: int,
        order: list[int],
        traits: dict[str, Any],
    ) -> CellGrid:
        """Make one of the grids."""
        if not isinstance(recording, Recording):
            raise TypeError(
                f"{which}: expected the recording that was compared, got {type(recording).__name__}"
            )
        layer, signal = (self._comparison.attrs[f"{name}_{which}"] for name in ("layer", "signal"))
        cells = recording[layer].sizes["cell"]
        # Of several networks, the smaller ones have no further cells.
        known = int(self._comparison.sizes[f"cell_{which}"])
        if cells > known or (which == "a" and cells != known):
            raise ValueError(
                f"{which}: expected the recording that was compared, with {known} cells in layer {layer!r}; "
                f"got one with {cells}"
            )
        more = {**traits, "cell": cell, "order": tuple(order), "sort": "order"}
        return CellGrid(recording, layer=layer, signal=signal, **more)

    def _on_selected(self, change: dict[str, Any]) -> None:
        """Select the partner of what is selected."""
        here, there = (self.a, self.b) if change["owner"] is self.a else (self.b, self.a)
        partner = (self._partner if here is self.a else self._back).get(here.cell)
        if partner is not None and self._shows_compared:
            there.cell = partner
        self._tell()

    @property
    def _shows_compared(self) -> bool:
        """Whether both grids show the layers that were compared."""
        compared = (self._comparison.attrs["layer_a"], self._comparison.attrs["layer_b"])
        return (self.a.layer, self.b.layer) == compared

    def _tell(self) -> None:
        flipped = " (−: one is high when the other is low)" if "(−)" in self._pair else ""
        self._told.value = f"<span>{escape(self._pair)}{flipped}</span>"

    @property
    def _pair(self) -> str:
        """Say in a line what the selected cells have to do with each other."""
        if not self._shows_compared:
            return "other layers than those that were compared"
        one, other = self.a.cell, self.b.cell
        pair = self._comparison.sel(cell_a=one)
        rho = float(pair["correlation"].sel(cell_b=other))
        written = "unknown" if np.isnan(rho) else f"{rho:+.2f}".replace("-", "−")
        if self._partner.get(one) != other:
            why = str(pair["reason"].item()) if one not in self._partner else ""
            told = f" ({why})" if why else ""
            return f"cell {one} and cell {other}, no pair{told}, ρ = {written}"
        sign = "−" if int(pair["sign"]) < 0 else "+"
        parts = [f"cell {one} and cell {other} ({sign})", f"ρ = {written}"]
        for name, word in (("p_value", "p"), ("rotated_p_value", "rotated p")):
            value = float(pair[name])
            if not np.isnan(value):
                parts.append(f"{word} = {value:.2g}")
        return ", ".join(parts)

    def __repr__(self) -> str:
        return f"<CellComparison: {self._pair}>"

    def _repr_mimebundle_(self, **options: Any) -> Any:  # noqa: ANN401 - as IPython has it
        """Put a still picture of both grids beside the widget."""
        data: Any = super()._repr_mimebundle_(**options)
        if isinstance(data, dict):
            stills = [grid._still() for grid in (self.a, self.b)]  # noqa: SLF001 - widgets like this one
            high = max(len(still) for still in stills)
            room = [((0, high - len(still)), (0, 0), (0, 0)) for still in stills]
            both = [
                np.pad(still, pad, constant_values=255)
                for still, pad in zip(stills, room, strict=True)
            ]
            image = png(np.concatenate(both, axis=1))
            data |= {"image/png": b64encode(image).decode(), "text/plain": repr(self)}
        return data


def _one_of(
    comparison: xr.Dataset,
    b: Any,  # noqa: ANN401 - it is checked later
    variant: str | None,
) -> tuple[xr.Dataset, Any]:
    """Choose one of several networks."""
    if "variant" not in comparison.dims:
        if variant is not None:
            raise ValueError(f"variant: expected with several networks, got {variant!r} with one")
        return comparison, b
    names = comparison["variant"].to_numpy().tolist()
    variant = names[0] if variant is None else variant
    if variant not in names:
        raise ValueError(f"variant: expected one of {', '.join(map(repr, names))}, got {variant!r}")
    if isinstance(b, Sequence):
        b = dict(enumerate(b))
    if isinstance(b, Mapping) and not isinstance(b, Recording):
        given = {str(name): name for name in b}  # as compare_cells calls them
        if variant not in given:
            raise ValueError(
                f"b: expected the networks that were compared, {variant!r} among them; got "
                f"{', '.join(map(repr, given)) or 'none'}"
            )
        b = b[given[variant]]
    return comparison.sel(variant=variant), b
