"""Ranking and probing variants: each as it would be alone, on the same halves, folds and shifts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import traitlets

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, Recording

TOKENS = np.random.default_rng(0).choice(list("abcdefg .\n"), (12, 60)).astype(object)


def recording_of(values, cells=4, layers=("lstm",)):
    signals = {"hidden_state": np.asarray(values, np.float32)[..., :cells]}
    return Recording.from_layers(
        [RecordedLayer(name, "LSTM", signals, None, TOKENS) for name in layers]
    )


@pytest.fixture(scope="module")
def variants():
    """A cell that comes to follow vowels, epoch by epoch."""
    rng = np.random.default_rng(1)
    vowel = np.isin(TOKENS, ["a", "e"]).astype(float)
    states = {}
    for epoch, share in enumerate((0, 0.3, 3)):
        values = rng.normal(size=(12, 60, 4))
        values[..., 2] += share * vowel
        states[f"epoch {epoch}"] = recording_of(values)
    return lw.Variants(states)


def test_variants_are_ranked_as_each_alone(variants):
    concepts = [lw.concepts.vowel, lw.concepts.whitespace]
    table = lw.rank_cells(variants, concepts, shifts=40)
    assert table.columns[0] == "variant"
    assert list(table["variant"].cat.categories) == list(variants.names)
    assert len(table) == 3 * 4 * 2
    own = ["q_value", "pooled_p_value"]  # of all rows together
    for name, recording in variants.items():
        alone = lw.rank_cells(recording, concepts, shifts=40)
        both = [
            each.drop(columns=own).sort_values(["concept", "cell"], ignore_index=True)
            for each in (table[table["variant"] == name].drop(columns="variant"), alone)
        ]
        pd.testing.assert_frame_equal(*both)
    curve = table[(table["cell"] == 2) & (table["concept"] == "vowel")].sort_values("variant")
    assert curve["score"].is_monotonic_increasing
    assert (curve["q_value"] < 0.05).tolist()[0::2] == [False, True]
    assert table["variant"][0] == "epoch 2"  # what is sure comes first
    assert table.attrs["complete"]
    # Shifts and halves are the same: a variant twice has the same rows twice.
    first = variants["epoch 0"]
    twice = lw.rank_cells(lw.Variants({"one": first, "two": first}), concepts, shifts=20)
    rows = [twice[twice["variant"] == name].drop(columns="variant") for name in ("one", "two")]
    pd.testing.assert_frame_equal(
        *(each.sort_values(["concept", "cell"], ignore_index=True) for each in rows)
    )


def test_variants_of_other_sizes_are_ranked(variants):
    small = recording_of(variants["epoch 2"]["lstm"]["hidden_state"].values, cells=3)
    table = lw.rank_cells(
        lw.Variants({"four": variants["epoch 2"], "three": small}),
        lw.concepts.vowel,
        layers="lstm",
        shifts=0,
    )
    assert table["variant"].value_counts().to_dict() == {"four": 4, "three": 3}


def test_unless_it_is_said_it_is_a_layer_that_all_have(variants):
    values = variants["epoch 2"]["lstm"]["hidden_state"].to_numpy()
    one = recording_of(values, layers=("lstm", "upper"))
    other = recording_of(values, cells=3, layers=("first", "upper"))
    both = lw.Variants({"one": one, "other": other})
    table = lw.rank_cells(both, lw.concepts.vowel, shifts=0)
    assert set(table["layer"]) == {"upper"}
    assert len(table) == 7
    found = lw.probe(both, lw.concepts.vowel, signal="hidden_state", shifts=0, folds=3)
    assert found.layer == "upper"
    alone = lw.probe(
        one, lw.concepts.vowel, layer="upper", signal="hidden_state", shifts=0, folds=3
    )
    rows = found.table[found.table["variant"] == "one"].drop(columns="variant")
    pd.testing.assert_frame_equal(rows.reset_index(drop=True), alone.table)
    for function in (
        lambda: lw.project(both),
        lambda: lw.StateSpace(both),
    ):
        with pytest.raises(
            ValueError, match=r"in common.*'other' has 'first' \(3 cells\), 'upper'"
        ):
            function()
    none = lw.Variants({"one": one, "other": recording_of(values, layers=("lstm_1",))})
    for function in (lw.rank_cells, lw.probe):
        with pytest.raises(ValueError, match=r"'other' has 'lstm_1' \(4 cells\).*name= them alike"):
            function(none, lw.concepts.vowel)


def test_a_finder_shows_the_ranking_of_one_variant(variants):
    table = lw.rank_cells(variants, lw.concepts.vowel, shifts=0)
    with pytest.raises(ValueError, match=r"ranking: expected the rows of one variant.*'epoch \d'"):
        lw.CellFinder(variants["epoch 2"], table)
    rows = table[table["variant"] == "epoch 2"]
    assert len(lw.CellFinder(variants["epoch 2"], rows).ranking) == 4


def test_an_interrupted_ranking_keeps_whole_variants(variants, monkeypatch):
    from lstm_widgets.analysis import ranking  # noqa: PLC0415

    ranked, calls = ranking._ranked, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return ranked(*args)

    monkeypatch.setattr(ranking, "_ranked", interrupted)
    with pytest.warns(UserWarning, match="interrupted: 8 rows"):
        table = lw.rank_cells(variants, lw.concepts.vowel, shifts=0)
    assert not table.attrs["complete"]
    assert set(table["variant"]) == {"epoch 0", "epoch 1"}
    assert list(table["variant"].cat.categories) == list(variants.names)


def test_variants_are_probed_as_each_alone(variants):
    how = {"signal": "hidden_state", "shifts": 20, "folds": 3}
    found = lw.probe(variants, lw.concepts.vowel, **how)
    assert found.table.columns[0] == found.score.columns[0] == "variant"
    assert found.prediction["vowel"].dims == ("variant", "example", "timestep")
    for name, recording in variants.items():
        alone = lw.probe(recording, lw.concepts.vowel, **how)
        for one, other in ((found.table, alone.table), (found.score, alone.score)):
            rows = one[one["variant"] == name].drop(columns="variant").reset_index(drop=True)
            pd.testing.assert_frame_equal(rows, other)
        np.testing.assert_array_equal(
            found.prediction["vowel"].sel(variant=name), alone.prediction["vowel"]
        )
    whole = found.table[found.table["protocol"] == "whole state"].set_index("variant")["score"]
    assert whole["epoch 2"] > 0.9 > whole["epoch 0"]
    assert "epoch 1" in repr(found)
    assert "epoch 1" in found._repr_html_()
    assert found.table.attrs["complete"]


def test_a_plot_takes_the_probe_of_one_recording(variants):
    found = lw.probe(variants, lw.concepts.vowel, signal="hidden_state", shifts=0, folds=3)
    plot = lw.SeriesPlot(variants["epoch 0"])
    with pytest.raises(traitlets.TraitError, match="single recording"):
        plot.probe = found
