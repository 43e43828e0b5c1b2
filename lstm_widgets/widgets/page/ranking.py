"""A ranking and its evidence, as they travel to the page: js/src/data/ranking.js and evidence.js."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.recording import Variants
from lstm_widgets.tokens.wording import sendable
from lstm_widgets.tokens.words import spelling_of
from lstm_widgets.views.times import shown_times

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    import pandas as pd

    from lstm_widgets.analysis.evidence import Evidence
    from lstm_widgets.recording import Recording

#: Rows that travel to the page, each 72 bytes.
ROWS = 10_000
NAMES = ("layer", "signal", "concept")
#: What a row is about.
_ABOUT = ["layer", "signal", "cell", "concept"]
#: The columns with numbers, in the order in which they travel.
NUMBERS = (
    *("cell", "lag", "score", "selection_score", "auroc", "f1", "threshold", "sign", "base_rate"),
    *("pearson", "spearman", "p_value", "q_value", "effective_n"),
)


class RankedRows:
    """
    The rows of a ranking, and which of them are about the same cell and concept in several variants.

    Parameters
    ----------
    table : pandas.DataFrame
        As checked by `expect_ranking`.
    several : bool
        Whether it is that of variants.
    """

    def __init__(self, table: pd.DataFrame, *, several: bool) -> None:
        self._table = table
        self.several = several
        #: What each row is about, by a number: in the order in which that first comes.
        self.claims: npt.NDArray[np.intp] = np.arange(len(table))
        self._variants = [""] * len(table)
        if several:
            self.claims = (
                table.groupby(_ABOUT, sort=False, observed=True).ngroup().to_numpy(np.intp)
            )
            self._variants = [str(name) for name in table["variant"]]
        keys = zip(self.claims.tolist(), self._variants, strict=True)
        self._rows = {key: row for row, key in enumerate(keys)}

    def variant(self, row: int) -> str:
        """Name the variant of a row."""
        return self._variants[row]

    def row(self, claim: int, variant: str) -> int:
        """Give the row of a variant that is about something; -1 if there is none."""
        return self._rows.get((claim, variant), -1)

    def among(self, claims: int, variants: Sequence[str]) -> list[int]:
        """Give the rows of some variants about the first so many claims."""
        return [
            row
            for row, claim in enumerate(self.claims.tolist())
            if claim < claims and (not self.several or self._variants[row] in variants)
        ]

    def shown(self, variant: str, less: str) -> tuple[pd.DataFrame, npt.NDArray[np.intp]]:
        """
        Give the rows of a variant.

        Parameters
        ----------
        variant : str
        less : str
            The variant whose scores are subtracted; "" for none.

        Returns
        -------
        tuple of (pandas.DataFrame, int array (row,))
            These, and where they stand among all.
        """
        if not self.several:
            return self._table, np.arange(len(self._table))
        rows = np.flatnonzero(np.array(self._variants, object) == variant)
        part = self._table.iloc[rows]
        if less:
            scores = np.append(self._table["score"].to_numpy(np.float64), np.nan)
            others = [self.row(int(self.claims[row]), less) for row in rows]
            part = part.assign(score=part["score"].to_numpy() - scores[others])
        return part, rows


def expect_ranking(table: pd.DataFrame, recording: Recording | Variants) -> None:
    """
    Check that a table is a ranking of a recording, or of variants.

    Raises
    ------
    ValueError
        If it lacks columns, is of several variants where one recording is shown, or of none of those that
        are, or names what the recording doesn't have.
    """
    missing = [name for name in (*NAMES, "kind", *NUMBERS) if name not in table.columns]
    missing = [name for name in missing if name != "effective_n"]  # as before there was one
    if missing:
        raise ValueError(
            f"ranking: expected the columns of rank_cells(), found no {', '.join(map(repr, missing))}"
        )
    if isinstance(recording, Variants):
        _expect_variants(table, recording)
    elif "variant" in table and len(table["variant"].unique()) > 1:
        name = table["variant"].iloc[0]
        raise ValueError(
            "ranking: expected the rows of one variant, because one recording is shown; got several: "
            f"ranking[ranking['variant'] == {name!r}] beside variants[{name!r}] would do"
        )
    one = next(iter(recording.values())) if isinstance(recording, Variants) else recording
    for (layer, signal), rows in table.groupby(["layer", "signal"], sort=False):
        if layer not in recording.layers and layer not in one.bidirectional:
            known = ", ".join(map(repr, recording.layers))
            raise ValueError(f"ranking: expected layers of the recording ({known}), got {layer!r}")
        if signal not in recording.signals(layer):
            raise ValueError(
                f"ranking: expected signals of layer {layer!r} "
                f"({', '.join(map(repr, recording.signals(layer)))}), got {signal!r}"
            )
        cells = one[layer].sizes["cell"]
        if not rows["cell"].between(0, cells - 1).all():
            raise ValueError(
                f"ranking: expected cells from 0 to {cells - 1} of layer {layer!r}, got "
                f"{rows['cell'].min()} to {rows['cell'].max()}"
            )


def _expect_variants(table: pd.DataFrame, variants: Variants) -> None:
    if "variant" not in table:
        raise ValueError(
            "ranking: expected that of variants, with the column 'variant', as rank_cells(variants, ...) "
            "gives it; got one without"
        )
    known = ", ".join(map(repr, variants.names))
    for name in table["variant"].unique():
        if name not in variants.names:
            raise ValueError(f"ranking: expected rows of the variants {known}, got {name!r:.80}")
    twice = table.duplicated(["variant", *_ABOUT])
    if twice.any():
        said = ", ".join(repr(table[name][twice].iloc[0]) for name in ("variant", *_ABOUT))
        raise ValueError(
            f"ranking: expected one row for each variant, layer, signal, cell and concept; got several of "
            f"{said}"
        )


def encoded_ranking(table: pd.DataFrame, rows: RankedRows) -> tuple[dict[str, Any], bytes]:
    """
    Write a ranking for the page.

    Parameters
    ----------
    table : pandas.DataFrame
        As checked by `expect_ranking`; of a long one, about ``ROWS`` rows: its first ones, of variants those
        about what comes first.
    rows : RankedRows
        Its rows.

    Returns
    -------
    tuple of (dict, bytes)
        The names that codes stand for, how many rows there are, by their ``numbers`` if some are left out
        between them, the reasons and their codes, and what is said of windows; and float32 ``(column,
        row)``, codes of ``NAMES`` first, then ``NUMBERS``. Of variants, their codes come before.
    """
    names: tuple[str, ...] = NAMES
    part = table.iloc[:ROWS]
    described: dict[str, Any] = {}
    if rows.several:
        names = ("variant", *NAMES)
        variants = list(dict.fromkeys(table["variant"]))
        kept = rows.among(max(1, ROWS // max(1, len(variants))), variants)
        part = table.iloc[kept]
        described["at"] = kept if len(kept) < len(table) else None
        counts = table["variant"].value_counts()
        described["totals"] = [int(counts[name]) for name in dict.fromkeys(part["variant"])]
    if "effective_n" not in part:
        part = part.assign(effective_n=np.nan)
    described |= {"rows": len(part), "total": len(table), "numbers": list(NUMBERS)}
    reasons = part["reason"].fillna("").astype(str) if "reason" in part else [""] * len(part)
    codes = {reason: code for code, reason in enumerate(dict.fromkeys(reasons))}
    described["reason"] = [sendable(reason) for reason in codes]
    described["reasons"] = [codes[reason] for reason in reasons]
    told = table.attrs.get("windows")
    described["windows"] = list(dict.fromkeys(told.values())) if isinstance(told, dict) else []
    columns = []
    for name in names:
        there = list(dict.fromkeys(part[name]))
        codes = {value: code for code, value in enumerate(there)}
        described[name] = [sendable(str(value)) for value in there]
        columns.append([codes[value] for value in part[name]])
    kinds = dict(zip(part["concept"], part["kind"], strict=True))
    described["kinds"] = list(kinds.values())
    columns.extend(part[name].to_numpy(np.float64) for name in NUMBERS)
    return described, np.asarray(columns, np.float32).reshape(len(columns), len(part)).tobytes()


def on_slider(threshold: float, sign: float) -> float | None:
    r"""
    Give a threshold of a ranking as the slider of the widgets has it, which asks for \\|value\\|.

    Returns
    -------
    float or None
        None where it says something else: that values *below* 0.2 are on, for example.
    """
    return abs(float(threshold)) if threshold * sign > 0 else None


def encoded_evidence(
    evidence: Evidence, recording: Recording, row: Mapping[str, Any]
) -> dict[str, Any]:
    """
    Write the evidence of a row for the page.

    Parameters
    ----------
    evidence : Evidence
    recording : Recording
        Where its tokens are.
    row : mapping
        The row of the ranking.

    Returns
    -------
    dict
        What JSON can hold; arrays as base64 of float32.
    """
    dataset = recording[row["layer"]]
    tokens = dataset["token"] if "token" in dataset.coords else None
    spelling = spelling_of(dataset)
    labels = dataset["label"] if "label" in dataset.coords else None
    times = shown_times(dataset)
    passages = []
    for passage in evidence.passages:
        place = passage.example, slice(passage.start, passage.stop)
        passages.append(
            {
                "kind": passage.kind,
                "example": passage.example,
                "start": passage.start,
                "peak": passage.peak,
                "when": None if times is None else times.say(passage.example, passage.peak),
                "values": _packed(evidence.cell[place]),
                "said": None if evidence.said is None else _packed(evidence.said[place]),
                "tokens": None
                if tokens is None
                else [sendable(t) for t in tokens[place].to_numpy()],
                "spelling": spelling.kind,
                "label": None
                if labels is None
                else sendable(str(labels.to_numpy()[passage.example])),
            }
        )
    drawn, points = evidence.histogram, evidence.scatter
    return {
        "passages": passages,
        "histogram": drawn
        and {
            "low": float(drawn.edges[0]),
            "high": float(drawn.edges[-1]),
            "inside": drawn.inside.tolist(),
            "outside": drawn.outside.tolist(),
            "infinite": drawn.infinite,
        },
        "scatter": points
        and {
            "said": points.said[[0, -1]].tolist(),
            "values": points.levels[[0, -1]].tolist(),
            "counts": points.counts.tolist(),
            "means": [None if np.isnan(mean) else float(f"{mean:.6g}") for mean in points.means],
            "infinite": points.infinite,
        },
        "null": None if evidence.null is None else _packed(evidence.null),
    }


def encoded_ablation(found: pd.Series[Any], concept: str) -> dict[str, float]:
    """
    Write for the page what it cost to hold a cell at zero.

    Parameters
    ----------
    found : pandas.Series
        A row of the table of an ``Ablation``.
    concept : str
        The concept of the cell's row in the ranking.

    Returns
    -------
    dict of float
        ``loss``, ``held``; where they are known ``there``, the change where the concept holds,
        ``elsewhere``, and ``guesses``, the share of most probable symbols that became others.
    """
    names = {
        "loss": "loss",
        "loss_held": "held",
        concept: "there",
        f"not {concept}": "elsewhere",
        "changed_guesses": "guesses",
    }
    known = {short: float(found[name]) for name, short in names.items() if name in found}
    return {name: value for name, value in known.items() if np.isfinite(value)}


def _packed(values: np.ndarray[Any, Any]) -> str:
    return b64encode(np.ascontiguousarray(values, np.float32).tobytes()).decode()
