"""The cells of two networks beside each other, partners in the same row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar

import ipywidgets
import numpy as np
import traitlets

from lstm_widgets.figures.cell_grid import cell_grid, row_of
from lstm_widgets.figures.legend import caption
from lstm_widgets.figures.sheet import EDGE, Sheet
from lstm_widgets.recording import Recording, Variants
from lstm_widgets.tokens.wording import in_line, sendable
from lstm_widgets.widgets.base import STATIC, FileState, PageWidget
from lstm_widgets.widgets.cell_grid import CellGrid
from lstm_widgets.widgets.page import export

if TYPE_CHECKING:
    from os import PathLike
    from typing import Unpack

    import xarray as xr

    from lstm_widgets.widgets.keywords import CellKeywords

__all__ = ["CellComparison"]

#: What is the same of the whole and of both grids.
_SAME = ("example", "timestep", "threshold", "palette", "scale", "align", "tracks", "hidden_tracks")
#: From this width on, grids stand beside each other in a figure; narrower, they stand below each other.
_BESIDE = 640
#: Between them.
_GAP = 8


class CellComparison(PageWidget):
    """
    Two grids of cells whose rows stand side by side: each cell beside its partner in the other network.

    The pair with the highest score stands at the top; cells without a partner at the bottom. What is
    selected, pointed at, zoomed or scrolled in one grid is so in the other: of a cell its partner. The
    status line tells their correlation, with a − where one is high when the other is low.

    Parameters
    ----------
    comparison : xarray.Dataset
        What `compare_cells` gave of both.
    a, b : Recording
        The recordings that were compared; for ``b``, if it was several, all of them.
    variant : str, optional
        Which of several networks is shown. Default: the first.
    **traits : optional
        ``cell``, one of ``a``; and what is the same of both grids: ``example``, ``timestep``, ``threshold``,
        ``palette``, ``scale``, ``align``, ``tracks``, ``hidden_tracks``.

    Attributes
    ----------
    a, b : CellGrid
        The grids.

    Raises
    ------
    TypeError, ValueError
        If the recordings aren't those that were compared.
    traitlets.TraitError
        For a value that a trait doesn't take; the message names the trait, what it takes and what came.

    Examples
    --------
    >>> compared = lw.compare_cells(recording, recording, shifts=20)
    >>> lw.CellComparison(compared, recording, recording, cell=1)
    <CellComparison: cell 1 and cell 1 (+), ρ = +1.00, p = 0.048, rotated p = 0.048>
    """

    _esm = STATIC / "cell_comparison.js"
    _css = STATIC / "cell_comparison.css"
    _shown: ClassVar[tuple[str, ...]] = ("comparison", "a", "b", "variant")
    _still_width: ClassVar[int] = 1200

    example = copy(CellGrid.example)
    cell = traitlets.Int(0, help="The selected cell of the first network.").tag(sync=True)
    timestep = copy(CellGrid.timestep)
    threshold = copy(CellGrid.threshold)
    scale = copy(CellGrid.scale)
    align = copy(CellGrid.align)
    tracks = copy(CellGrid.tracks)
    hidden_tracks = copy(CellGrid.hidden_tracks)

    _a = traitlets.Instance(CellGrid).tag(sync=True, **ipywidgets.widget_serialization)
    _b = traitlets.Instance(CellGrid).tag(sync=True, **ipywidgets.widget_serialization)
    _pairs = traitlets.Dict(help="Which cells are partners, and what is told of each pair.").tag(
        sync=True
    )

    def __init__(
        self,
        comparison: xr.Dataset,
        a: Recording,
        b: Recording | Mapping[str, Recording] | Sequence[Recording],
        *,
        variant: str | None = None,
        **traits: Unpack[CellKeywords],
    ) -> None:
        if not {"match", "score", "sign"} <= set(getattr(comparison, "data_vars", ())):
            raise TypeError(
                f"comparison: expected what compare_cells() gave, got {type(comparison).__name__}"
            )
        self._expect_known(traits)
        self._given = comparison
        self._comparison, b, self._variant = _one_of(comparison, a, b, variant)
        match, score = (self._comparison[name].to_numpy() for name in ("match", "score"))
        best = np.argsort(-np.nan_to_num(score, nan=-1.0), kind="stable")
        partners = match[best]
        self._partner = {int(one): int(other) for one, other in enumerate(match) if other >= 0}
        self._back = {other: one for one, other in self._partner.items()}
        cell = traits.get("cell", int(best[0]))
        same: dict[str, Any] = {k: v for k, v in traits.items() if k not in ("cell", "layout")}
        of_a = self._grid("a", a, best.tolist(), {**same, "cell": cell})
        of_b = self._grid(
            "b",
            b,
            partners[partners >= 0].tolist(),
            {**same, "cell": self._partner.get(cell, 0), "timestep": of_a.timestep},
        )
        layers = [str(self._comparison.attrs[name]) for name in ("layer_a", "layer_b")]
        pairs = {
            "layers": layers,
            "names": ["a", f"b: {in_line(sendable(self._variant))}" if self._variant else "b"],
            "partners": match.tolist(),
            "told": [self._told(one) for one in range(len(match))],
        }
        more: dict[str, Any] = {**traits, "cell": cell, "timestep": of_a.timestep}
        super().__init__(_a=of_a, _b=of_b, _pairs=pairs, **more)
        for grid in (self.a, self.b):
            grid.observe(self._on_grid, ["cell", *_SAME])

    def _grid(
        self,
        which: str,
        recording: Any,  # noqa: ANN401 - it is checked here
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
        return CellGrid(
            recording, layer=layer, signal=signal, order=tuple(order), sort="order", **traits
        )

    @property
    def comparison(self) -> xr.Dataset:
        """What `compare_cells` gave, as it was given."""
        return self._given

    @property
    def a(self) -> CellGrid:
        """The grid of the first network."""
        return self._a

    @property
    def b(self) -> CellGrid:
        """The grid of the other."""
        return self._b

    @property
    def variant(self) -> str | None:
        """Which of several networks is shown; None if there is one other only."""
        return self._variant

    # -- what goes together ----------------------------------------------------------------------
    # The page does the same with what is changed in it, which is newer than what is heard of it here.

    @traitlets.validate("cell", *_SAME)
    def _check(self, proposal: dict[str, Any]) -> Any:  # noqa: ANN401 - of many types
        """Set it in the first grid, which refuses what it doesn't take, and which the other follows."""
        name, value = proposal["trait"].name, proposal["value"]
        if self._from_page:
            return value
        setattr(self.a, name, value)
        return getattr(self.a, name)

    def _on_grid(self, change: dict[str, Any]) -> None:
        """Bring all to what one of the grids shows."""
        here, name, value = change["owner"], change["name"], change["new"]
        if here._from_page:  # noqa: SLF001 - a widget like this one
            return
        there, partners = (self.b, self._partner) if here is self.a else (self.a, self._back)
        if name != "cell":
            setattr(there, name, value)
        elif self._shows_compared and value in partners:
            there.cell = partners[value]
        setattr(self, name, getattr(self.a, name))

    @property
    def _shows_compared(self) -> bool:
        """Whether both grids show the layers that were compared."""
        return bool([self.a.layer, self.b.layer] == self._pairs["layers"])

    def _told(self, cell: int) -> str:
        """Tell of a cell of the first network what it has to do with its partner."""
        pair = self._comparison.sel(cell_a=cell)
        if cell not in self._partner:
            why = str(pair["reason"].item())
            return f"cell {cell} has no pair" + (f": {why}" if why else "")
        other = self._partner[cell]
        rho = f"{float(pair['correlation'].sel(cell_b=other)):+.2f}".replace("-", "−")
        flipped = int(pair["sign"]) < 0
        parts = [f"cell {cell} and cell {other} ({'−' if flipped else '+'})", f"ρ = {rho}"]
        for name, word in (("p_value", "p"), ("rotated_p_value", "rotated p")):
            value = float(pair[name])
            if not np.isnan(value):
                parts.append(f"{word} = {value:.2g}")
        return ", ".join(parts) + (" (−: one is high when the other is low)" if flipped else "")

    @property
    def _pair(self) -> str:
        """Say in a line what the selected cells have to do with each other, as the page does."""
        if not self._shows_compared:
            return "other layers than those that were compared"
        if self.a.cell in self._partner and self.b.cell not in self._back:
            return f"cell {self.b.cell} of {self._pairs['names'][1]} has no pair"
        told: str = self._pairs["told"][self.a.cell]
        return told

    def __repr__(self) -> str:
        return f"<CellComparison: {self._pair}>"

    # -- leaving the notebook --------------------------------------------------------------------

    @property
    def _subject(self) -> str:
        return " and ".join(dict.fromkeys(self._pairs["layers"]))

    def save_html(
        self,
        path: str | PathLike[str],
        *,
        title: str | None = None,
        overwrite: bool = False,
        exact: bool | None = None,
    ) -> None:
        """
        Save the widget, as it is now, to one HTML file that needs no kernel and no network.

        Both grids go together there as they do in the notebook.

        Parameters
        ----------
        path : str or path-like
            The file to write.
        title : str, optional
            The heading. Default: the kind of widget, and the layers.
        overwrite : bool, default False
            Whether an existing file may be replaced.
        exact : bool, optional
            As for `CellGrid.save_html`, which tells what goes into the file of each of the recordings.

        Raises
        ------
        FileExistsError
            If the file exists and may not be replaced.
        FileNotFoundError
            If the folder doesn't exist.
        ValueError
            If the signal shown of one of them takes more than 64 MiB alone.

        Examples
        --------
        >>> compared = lw.compare_cells(recording, recording, shifts=0)
        >>> shown = lw.CellComparison(compared, recording, recording)
        >>> shown.save_html("pairs.html", title="The same network twice")
        """
        export.write(path, self._page(self._file_state(exact=exact), title), overwrite=overwrite)

    def _file_state(self, *, exact: bool | None = None) -> FileState:
        """Give a file both grids."""
        grids = {"a": self.a, "b": self.b}
        # They are widgets like this one.
        files = {name: grid._file_state(exact=exact) for name, grid in grids.items()}  # noqa: SLF001
        return FileState(
            {f"_{name}": f"IPY_MODEL_{name}" for name in grids},
            [f"{name}: {missing}" for name, file in files.items() for missing in file.missing],
            rounded=any(file.rounded for file in files.values()),
            within={name: grid._traits_in(files[name]) for name, grid in grids.items()},  # noqa: SLF001
        )

    def _draw(self, sheet: Sheet, most: int) -> None:
        names = self._pairs["names"]
        lines = sheet.paragraph(EDGE, 14, self._pair, sheet.width - EDGE)
        sheet.end(28 + lines)
        beside = sheet.width >= _BESIDE
        wide = (sheet.width - _GAP) // 2 if beside else sheet.width
        grids = (self.a, self.b)
        every = [grid._snapshot() for grid in grids]  # noqa: SLF001 - widgets like this one
        orders = [grid._order(shown) for grid, shown in zip(grids, every, strict=True)]  # noqa: SLF001
        # Partners are in the same row of the picture, too.
        rows = max(map(len, orders)), max(0, row_of(orders[0], self.a.cell))
        drawn = []
        for name, shown, order in zip(names, every, orders, strict=True):
            part = Sheet(wide, sheet.theme, framed=sheet.framed)
            part.write(EDGE, 12, name, kind="bold", room=wide - 2 * EDGE)
            part.end(22)
            if shown.empty:
                part.nothing()
            else:
                cell_grid(part, shown, order, most=most, beside=rows)
            caption(part, shown, CellGrid._note)  # noqa: SLF001
            drawn.append(part)
        if beside:
            sheet.beside(drawn, wide + _GAP)
        else:
            for part in drawn:
                sheet.beside([part], 0)


def _one_of(
    comparison: xr.Dataset,
    a: Recording,
    b: Any,  # noqa: ANN401 - it is checked later
    variant: str | None,
) -> tuple[xr.Dataset, Any, str | None]:
    """Choose one of several networks; give its name, too."""
    if "variant" not in comparison.dims:
        if variant is not None:
            raise ValueError(f"variant: expected with several networks, got {variant!r} with one")
        return comparison, b, None
    names = comparison["variant"].to_numpy().tolist()
    variant = names[0] if variant is None else variant
    if variant not in names:
        raise ValueError(f"variant: expected one of {', '.join(map(repr, names))}, got {variant!r}")
    if isinstance(b, Sequence):
        b = dict(enumerate(b))
    if isinstance(b, Mapping) and not isinstance(b, Recording):
        # As compare_cells calls them, and their layers.
        given = b if isinstance(b, Variants) else {str(k): x for k, x in b.items() if x is not a}
        if variant not in given:
            raise ValueError(
                f"b: expected the networks that were compared, {variant!r} among them; got "
                f"{', '.join(map(repr, given)) or 'none'}"
            )
        b = (given if isinstance(given, Variants) else Variants(given))[variant]
    return comparison.sel(variant=variant), b, variant
