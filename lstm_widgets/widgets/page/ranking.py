"""A ranking and its evidence, as they travel to the page: js/src/data/ranking.js and evidence.js."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.tokens.wording import sendable
from lstm_widgets.tokens.words import spelling_of
from lstm_widgets.views.times import shown_times

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from lstm_widgets.analysis.evidence import Evidence
    from lstm_widgets.recording import Recording

#: Rows that travel to the page, each 72 bytes.
ROWS = 10_000
NAMES = ("layer", "signal", "concept")
#: The columns with numbers, in the order in which they travel.
NUMBERS = (
    *("cell", "lag", "score", "selection_score", "auroc", "f1", "threshold", "sign", "base_rate"),
    *("pearson", "spearman", "p_value", "q_value", "effective_n"),
)


def expect_ranking(table: pd.DataFrame, recording: Recording) -> None:
    """
    Check that a table is a ranking of a recording.

    Raises
    ------
    ValueError
        If it lacks columns, is of several variants, or names what the recording doesn't have.
    """
    missing = [name for name in (*NAMES, "kind", *NUMBERS) if name not in table.columns]
    missing = [name for name in missing if name != "effective_n"]  # as before there was one
    if missing:
        raise ValueError(
            f"ranking: expected the columns of rank_cells(), found no {', '.join(map(repr, missing))}"
        )
    if "variant" in table and len(table["variant"].unique()) > 1:
        name = table["variant"].iloc[0]
        raise ValueError(
            "ranking: expected the rows of one variant, because one recording is shown; got several: "
            f"ranking[ranking['variant'] == {name!r}] beside variants[{name!r}] would do"
        )
    for (layer, signal), rows in table.groupby(["layer", "signal"], sort=False):
        if layer not in recording.layers and layer not in recording.bidirectional:
            known = ", ".join(map(repr, recording.layers))
            raise ValueError(f"ranking: expected layers of the recording ({known}), got {layer!r}")
        if signal not in recording.signals(layer):
            raise ValueError(
                f"ranking: expected signals of layer {layer!r} "
                f"({', '.join(map(repr, recording.signals(layer)))}), got {signal!r}"
            )
        cells = recording[layer].sizes["cell"]
        if not rows["cell"].between(0, cells - 1).all():
            raise ValueError(
                f"ranking: expected cells from 0 to {cells - 1} of layer {layer!r}, got "
                f"{rows['cell'].min()} to {rows['cell'].max()}"
            )


def encoded_ranking(table: pd.DataFrame) -> tuple[dict[str, Any], bytes]:
    """
    Write a ranking for the page.

    Parameters
    ----------
    table : pandas.DataFrame
        As checked by `expect_ranking`; of a long one, its first ``ROWS`` rows.

    Returns
    -------
    tuple of (dict, bytes)
        The names that codes stand for, how many rows there are, the reasons and their codes, and what
        is said of windows; and float32 ``(column, row)``, codes of ``NAMES`` first, then ``NUMBERS``.
    """
    part = table.iloc[:ROWS]
    if "effective_n" not in part:
        part = part.assign(effective_n=np.nan)
    described: dict[str, Any] = {"rows": len(part), "total": len(table), "numbers": list(NUMBERS)}
    reasons = part["reason"].fillna("").astype(str) if "reason" in part else [""] * len(part)
    codes = {reason: code for code, reason in enumerate(dict.fromkeys(reasons))}
    described["reason"] = [sendable(reason) for reason in codes]
    described["reasons"] = [codes[reason] for reason in reasons]
    told = table.attrs.get("windows")
    described["windows"] = list(dict.fromkeys(told.values())) if isinstance(told, dict) else []
    columns = []
    for name in NAMES:
        names = list(dict.fromkeys(part[name]))
        codes = {value: code for code, value in enumerate(names)}
        described[name] = [sendable(str(value)) for value in names]
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
