"""Which cells follow which concepts, with the evidence beside each."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from operator import index
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets

from lstm_widgets import concepts as ready
from lstm_widgets.analysis.ablation import ablate
from lstm_widgets.analysis.evidence import ends_of, gather, strongest
from lstm_widgets.analysis.ranking import rank_cells
from lstm_widgets.figures.ranking import ranked_rows
from lstm_widgets.lru import LRU
from lstm_widgets.models.adapter import adapter_of
from lstm_widgets.models.outputs import Output
from lstm_widgets.recording import Recording, Variants
from lstm_widgets.recording.expecting import common_layers
from lstm_widgets.widgets.base import STATIC, FileState
from lstm_widgets.widgets.grid_and_text import GridAndText
from lstm_widgets.widgets.page.ranking import (
    RankedRows,
    encoded_ablation,
    encoded_evidence,
    encoded_ranking,
    expect_ranking,
    on_slider,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Unpack

    import numpy.typing as npt
    import pandas as pd

    from lstm_widgets.analysis.ablation import Ablation
    from lstm_widgets.analysis.evidence import Evidence
    from lstm_widgets.concepts.concept import Concept, Concepts
    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.rnn.comparison import Check
    from lstm_widgets.views.snapshot import Snapshot
    from lstm_widgets.widgets.keywords import CellFinderKeywords

#: Rows whose evidence is kept.
_KEPT = 64
#: Rows whose evidence goes into a file.
_IN_A_FILE = 50


class CellFinder(GridAndText):
    """
    A ranking of cells as a table, and the evidence for each row.

    Choosing a row shows its cell in the grid and over the text (of a series, as a line), where it is
    strongest, with the row's threshold in the slider and its concept as a band under the tokens. The
    card beside the table shows the passages with the cell's highest and lowest values and a random
    sample, its values with and without the concept, and the held-out score within its null
    distribution, that of the circularly shifted concept; given the model, also what ablating the cell
    costs.

    Parameters
    ----------
    recording : Recording or Variants
        What ``record()`` or ``open_recording()`` gave, or several of the same inputs. Of these, the ranking
        of the variant shown is seen, and its evidence; with another variant, the row that is about the same
        cell and concept is selected there, and the selection stays.
    concepts : Concept, sequence of Concept, mapping, or pandas.DataFrame, optional
        What cells are ranked by, as for ``rank_cells``; or a table that ``rank_cells`` returned of this
        recording or these variants, or some of its rows. Default: what ``lstm_widgets.concepts.fitting``
        finds for the recording.
    ranking : pandas.DataFrame, optional
        What ``rank_cells`` returned for these concepts. Default: it is called, for the hidden states.
        Given a ranking without its concepts, there is evidence only for those that
        ``lstm_widgets.concepts`` has under their names.
    groups, step, lags, shifts, seed : optional
        As for ``rank_cells``, if that is called.
    model, inputs : optional
        The model and its inputs, as for ``ablate``; of variants a dict from their names to their models.
        With them, the card shows on demand what it costs the model if the cell of a row is held at zero.
    targets, loss, output : optional
        What the loss is computed from, as for ``ablate``.
    vocabulary, unknown, window, pad, state, tokens, batch_size, check, tolerance : optional
        How the model reads its inputs, as for ``record``.
    row : int, optional
        Which row of the ranking is selected at first. Default: the best; of variants, what that is about in
        the variant shown.
    **traits : optional
        Every trait of `CellGrid`, `TextHeatmap` and `SeriesPlot`. Default ``tracks``: the concept of the row.

    Raises
    ------
    TypeError
        For an unknown keyword, or if ``recording`` or ``concepts`` are something else.
    ValueError
        For a ranking of another recording or of other concepts.

    Examples
    --------
    >>> finder = lw.CellFinder(recording, [lw.concepts.inside_double_quotes])
    >>> finder.cell, finder.ranking["concept"][0]
    (1, 'inside_double_quotes')
    """

    _esm = STATIC / "cell_finder.js"
    _css = STATIC / "cell_finder.css"
    _shown: ClassVar[tuple[str, ...]] = ("recording", "ranking")
    _part_height: ClassVar[int] = 240

    row = traitlets.Int(-1, help="The chosen row of the ranking; -1 for none.").tag(sync=True)
    _ranking = traitlets.Dict(help="What codes in the ranking stand for.").tag(
        sync=True, echo_update=False
    )
    _ranked = traitlets.Bytes(help="float32 (column, row).").tag(sync=True, echo_update=False)
    _evidence = traitlets.Dict(
        help="In a file: the evidence of rows by their numbers, and by what is subtracted from values."
    ).tag(sync=True, echo_update=False)

    _chosen = traitlets.Int(0, help="How many times a cell was shown because its row was chosen.")
    _can_ablate = traitlets.Bool(False, help="Whether the model can be run.").tag(sync=True)

    def __init__(
        self,
        recording: Recording | Variants,
        concepts: Concepts | pd.DataFrame | None = None,
        *,
        ranking: pd.DataFrame | None = None,
        groups: Any = None,  # noqa: ANN401 - labels of many types
        step: int | None = None,
        lags: int | Sequence[int] | None = None,
        shifts: int | None = None,
        seed: int | None = None,
        model: Any = None,  # noqa: ANN401 - models are of many types
        inputs: Any = None,  # noqa: ANN401
        targets: Any = None,  # noqa: ANN401
        loss: Any = None,  # noqa: ANN401
        output: str | int | None = None,
        vocabulary: Any = None,  # noqa: ANN401
        unknown: int | str | None = None,
        window: int | None = None,
        pad: Any = None,  # noqa: ANN401
        state: str | None = None,
        tokens: Any = None,  # noqa: ANN401
        batch_size: int | None = None,
        check: Check = "prefix",
        tolerance: float | None = None,
        **traits: Unpack[CellFinderKeywords],
    ) -> None:
        import pandas as pd  # noqa: PLC0415 - `import lstm_widgets` must not need it

        self._expect_recording(recording)
        several = isinstance(recording, Variants)
        # Of the inputs, which all variants have in common.
        first = next(iter(recording.values())) if isinstance(recording, Variants) else recording
        # Before cells are ranked, which takes long.
        asked: dict[str, Any] = {"groups": groups, "step": step, "lags": lags}
        asked |= {"shifts": shifts, "seed": seed}
        self._expect_known(traits)
        options = {name: value for name, value in asked.items() if value is not None}
        if options and (ranking is not None or isinstance(concepts, pd.DataFrame)):
            raise TypeError(
                f"{', '.join(options)}: expected only where concepts are to be ranked, got a ranking"
            )
        if concepts is None:
            concepts = ready.fitting(first)
            if not concepts:
                raise ValueError(
                    "concepts: expected some, because none of lstm_widgets.concepts fits the tokens of "
                    "this recording; pass concepts, functions of the tokens or arrays, "
                    'CellFinder(recording, {"name": array})'
                )
        if isinstance(concepts, pd.DataFrame):
            if ranking is not None:
                raise TypeError(
                    "concepts: expected concepts, because ranking= is given; got a second ranking"
                )
            ranking, concepts = (
                concepts,
                _ready(concepts["concept"]) if "concept" in concepts else {},
            )
        elif ranking is None:
            layers = common_layers(recording) if isinstance(recording, Variants) else None
            signals = _first_signals(recording)
            ranking = rank_cells(recording, concepts, layers=layers, signals=signals, **options)
        elif not isinstance(ranking, pd.DataFrame):
            raise TypeError(
                f"ranking: expected a DataFrame from rank_cells(), got {type(ranking).__name__}"
            )
        expect_ranking(ranking, recording)
        if (model is None) != (inputs is None):
            raise TypeError("model, inputs: expected both or neither, got one")
        self._table = ranking
        self._concepts = concepts
        self._ablate: dict[str, Callable[..., Ablation]] = {}
        for name, each in _models(model, recording).items():
            Output(adapter_of(each, state=state), output)  # which refuses what there isn't
            self._ablate[name] = partial(
                ablate,
                each,
                inputs,
                targets=targets,
                loss=loss,
                output=output,
                vocabulary=vocabulary,
                unknown=unknown,
                window=window,
                pad=pad,
                state=state,
                tokens=tokens,
                batch_size=batch_size,
                check=check,
                tolerance=tolerance,
            )
        self._can_ablate = model is not None
        self._gathered: LRU[dict[str, Any]] = LRU(_KEPT)
        self._reach: LRU[npt.NDArray[np.float64]] = LRU(_KEPT)
        self._gathering = threading.RLock()
        self._own_tracks = "tracks" not in traits
        # Before the page is told of the widget.
        self._ranked_rows = RankedRows(ranking, several=several)
        #: What the selected row is about, also where the variant shown has no such row; -1 for nothing.
        self._claim = -1
        #: What the cell that is shown was chosen for.
        self._seen = -1
        self._ranking, self._ranked = encoded_ranking(ranking, self._ranked_rows)
        here = {"layer", "signal", "cell"} & traits.keys()
        told = "row" in traits and "variant" not in traits
        row = traits.pop("row", -1 if here or not len(ranking) else 0)
        every: dict[str, Any] = {**traits}
        super().__init__(recording, **every)
        if several and not told and row in range(len(ranking)):
            claim = int(self._ranked_rows.claims[row])
            row = self._ranked_rows.row(claim, self.variant)
            if row < 0:
                self._claim = claim
        if row != self.row:
            self.row = row
            for name, value in every.items():  # what is asked for comes before what the row shows
                setattr(self, name, value)

    @property
    def ranking(self) -> pd.DataFrame:
        """The ranking; ``row`` is an index into it."""
        return self._table

    @traitlets.validate("row")
    def _check_row(self, proposal: dict[str, Any]) -> int:
        row: int = proposal["value"]
        if not -1 <= row < len(self.ranking):
            raise traitlets.TraitError(
                f"row: expected 0 to {len(self.ranking) - 1}, or -1 for none, got {row}"
            )
        return row

    @traitlets.observe("variant")
    def _stay(self, _change: dict[str, Any]) -> None:
        """Choose the row that is about the same in the variant that is shown now."""
        known = self.row >= 0 and self._ranked_rows.variant(self.row) == self.variant
        if self._claim >= 0 and not known:
            self.row = self._ranked_rows.row(self._claim, self.variant)

    @traitlets.observe("row")
    def _go(self, change: dict[str, Any]) -> None:
        """Show the cell of the chosen row, at its strongest passage."""
        if self.row < 0:
            if self._ranked_rows.row(self._claim, self.variant) >= 0:
                self._claim = self._seen = -1  # nothing is chosen, though there would be a row
            return
        claim, variant = (
            int(self._ranked_rows.claims[self.row]),
            self._ranked_rows.variant(self.row),
        )
        stays = claim == self._seen and (
            change["old"] < 0 or self._ranked_rows.variant(change["old"]) != variant
        )
        self._claim = self._seen = claim
        if variant:
            self.variant = variant
        if not stays:
            self._show_row()

    def _show_row(self) -> None:
        row = self._row(self.row)
        if self._own_tracks:
            with suppress(ValueError):  # of so long a text there is no band, which is all
                self.tracks = _of_name(self._concepts, row["concept"])
        place = strongest(self._current, row)
        # Of a difference, it says nothing.
        threshold = None if self.difference else on_slider(row["threshold"], row["sign"])
        with self.hold_sync(), self.hold_trait_notifications():
            for name in ("layer", "signal", "cell"):
                setattr(self, name, row[name])
            if threshold is not None:
                self.threshold = threshold
            if place is not None:
                self.example, self.timestep = place
        self._chosen += 1

    def _row(self, number: int) -> dict[str, Any]:
        row: dict[str, Any] = self.ranking.iloc[number].to_dict()
        return row | {name: int(row[name]) for name in ("cell", "lag", "sign")}

    def _parts(self, sheet: Sheet, shown: Snapshot, most: int) -> None:
        part, rows = self._ranked_rows.shown(self.variant, self.difference)
        at = np.flatnonzero(rows == self.row)
        ranked_rows(sheet, part, int(at[0]) if len(at) else -1, changes=bool(self.difference))
        super()._parts(sheet, shown, most)

    # -- the evidence ----------------------------------------------------------------------------

    def evidence(self, row: int | None = None) -> Evidence:
        """
        Gather the evidence for a row of the ranking.

        Parameters
        ----------
        row : int, optional
            Its index; default: the selected one.

        Returns
        -------
        Evidence
            Passages, values with and without the concept, null distribution of the score. Where the
            difference to another variant is shown, passages and values are those of the difference.

        Raises
        ------
        ValueError
            If no row is selected, or the ranking doesn't have this one.
        """
        return self._gather(self.row if row is None else index(row), self.difference)

    def _gather(self, number: int, less: str) -> Evidence:
        if not 0 <= number < len(self.ranking):
            raise ValueError(f"row: expected 0 to {len(self.ranking) - 1}, got {number}")
        row, variant = self._row(number), self._ranked_rows.variant(number)
        concept = _of_name(self._concepts, row["concept"])
        how = self.ranking.attrs
        if self._several is None:
            return gather(self._current, row, concept, how)
        every = self._several.every(less)
        ends = self._reach.get(
            (row["layer"], row["signal"], row["cell"], less),
            lambda: np.concatenate([ends_of(one, row) for one in every]),
        )
        shown, ranked = self._one(variant, less), self._one(variant, "")
        return gather(shown, row, concept, how, ends=ends, ranked=ranked)

    def _encoded(self, number: int, less: str = "") -> dict[str, Any]:
        """Write the evidence for a row for the page; what was asked for last is kept."""
        with self._gathering:
            return self._gathered.get(
                (number, less),
                lambda: encoded_evidence(
                    self._gather(number, less), self._current, self._row(number)
                ),
            )

    def _answer(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        less = content.get("difference", "")
        if "ablate" in content:
            row = index(content["ablate"])
            self._run_without(row, less)
        elif "evidence" in content:
            row = index(content["evidence"])
        else:
            return super()._answer(content)
        told = {"id": content["id"], "evidence": row, "difference": less}
        return told | self._encoded(row, less), []

    def _run_without(self, number: int, less: str) -> None:
        """Run the model with the cell of a row held at zero, and add what came out to its evidence."""
        if not self._ablate:
            raise ValueError("ablate: expected model= and inputs= of CellFinder, got none")
        with self._gathering:
            evidence, row = self._encoded(number, less), self._row(number)
            if "ablation" in evidence:
                return  # asked twice
            concept = _of_name(self._concepts, row["concept"])
            found = self._ablate[self._ranked_rows.variant(number)](
                cells=row["cell"],
                layer=row["layer"],
                signal=row["signal"],
                concepts=concept if row["kind"] == "yes_no" else None,
            )
            evidence["ablation"] = encoded_ablation(found.table.iloc[0], row["concept"])

    def _file_state(self, *, exact: bool | None = None) -> FileState:
        found = super()._file_state(exact=exact)
        state, missing = found.traits, found.missing
        names: list[str] = state.get("_variants", {}).get("names", [""])
        best = max(1, _IN_A_FILE // len(names))
        held = {*self._ranked_rows.among(best, names)}
        held |= {self._ranked_rows.row(self._claim, name) for name in names} - {-1}
        if len(held) < len(self.ranking):
            told = f"the evidence of all rows but the best {best}"
            missing = [*missing, told + (" of each variant" if self._ranked_rows.several else "")]
        if self._ranked_rows.several:
            missing = [*missing, "evidence for other differences between variants"]
        less = self.difference
        state["_evidence"] = {
            f"{row} {one}".strip(): self._encoded(row, one)
            for row in sorted(held)
            for one in dict.fromkeys(("", less))
        }
        return found._replace(traits=state | {"_can_ablate": False}, missing=missing)


def _models(model: Any, recording: Recording | Variants) -> dict[str, Any]:  # noqa: ANN401 - of many types
    """Give the model of each variant; that of one recording by the name ""."""
    if model is None:
        return {}
    if not isinstance(recording, Variants):
        return {"": model}
    known = ", ".join(map(repr, recording.names))
    if not isinstance(model, Mapping):
        raise TypeError(
            f"model: expected a dict with the model of each variant ({known}), because recording is "
            f"Variants; got {type(model).__name__}"
        )
    missing = [name for name in recording.names if name not in model]
    if missing:
        raise ValueError(
            f"model: expected the model of each variant ({known}); got none of "
            f"{', '.join(map(repr, missing))}"
        )
    return {name: model[name] for name in recording.names}


def _first_signals(recording: Recording | Variants) -> list[str] | None:
    """Name the signal to rank by where all layers have it."""
    common = all("hidden_state" in recording.signals(layer) for layer in recording.layers)
    return ["hidden_state"] if common else None


def _ready(names: Iterable[str]) -> dict[str, Concept]:
    """Find the concepts that there are by their names."""
    known = {name: getattr(ready, name, None) for name in dict.fromkeys(names)}
    return {name: found for name, found in known.items() if isinstance(found, ready.Concept)}


def _of_name(concepts: Concepts, name: str) -> Concepts | None:
    """Choose one of several concepts; None if it isn't among them."""
    if isinstance(concepts, Mapping):
        return {name: concepts[name]} if name in concepts else None
    return [concept for concept in ready.resolve(concepts) if concept.name == name] or None
