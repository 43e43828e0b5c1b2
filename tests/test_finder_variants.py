"""CellFinder over variants: the ranking and the evidence of one at a time, and what stays while they go by."""

from __future__ import annotations

import sys
from base64 import b64decode
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

import lstm_widgets as lw
from lstm_widgets.analysis.evidence import histogram
from lstm_widgets.widgets.page import ranking as page_ranking

sys.path.insert(0, str(Path(__file__).parent / "browser"))

import recordings

CONCEPTS = [lw.concepts.inside_double_quotes, lw.concepts.line_length, lw.concepts.vowel]
ABOUT = ["layer", "signal", "cell", "concept"]


@pytest.fixture(scope="module")
def variants():
    return recordings.epochs(recordings.planted())


@pytest.fixture(scope="module")
def ranking(variants):
    return lw.rank_cells(variants, CONCEPTS, signals="hidden_state", shifts=20)


def finder_of(variants, ranking, **more):
    return lw.CellFinder(variants, CONCEPTS, ranking=ranking, **more)


def about(ranking, row):
    return ranking.loc[row, ABOUT].tolist()


def twin(ranking, row, variant):
    """Find the row of another variant that is about the same, in a plain way."""
    same = (ranking[ABOUT] == ranking.loc[row, ABOUT]).all(axis=1)
    (found,) = ranking.index[same & (ranking["variant"] == variant)]
    return int(found)


def selection(finder):
    names = ("layer", "signal", "cell", "example", "timestep", "threshold")
    return {name: getattr(finder, name) for name in names}


def ask(finder, **request):
    reply, _ = finder._answer({"id": "1", **request})
    return reply


def packed(text):
    return np.frombuffer(b64decode(text), np.float32)


def test_the_row_goes_along_with_the_variant_and_the_selection_stays(variants, ranking):
    finder = finder_of(variants, ranking)
    # What is surest in any variant, as it is in the first.
    assert finder.variant == "epoch 0"
    assert finder.row == twin(ranking, 0, "epoch 0")
    finder.timestep, finder.threshold = 7, 0.125
    kept = selection(finder)
    for name in [*variants, "epoch 1"]:
        finder.variant = name
        assert finder.row == twin(ranking, 0, name)
        assert selection(finder) == kept
    # A row of another variant takes that along; of something else, its cell and threshold.
    other = int(
        ranking.index[(ranking["concept"] == "vowel") & (ranking["variant"] == "epoch 3")][0]
    )
    finder.row = other
    assert finder.variant == "epoch 3"
    assert [finder.layer, finder.signal, finder.cell] == about(ranking, other)[:3]
    finder.row = twin(ranking, other, "epoch 2")
    assert finder.variant == "epoch 2"
    # As the page tells it.
    row = twin(ranking, 0, "epoch 1")
    finder.set_state({"variant": "epoch 1", "row": row})
    assert (finder.variant, finder.row) == ("epoch 1", row)
    assert lw.CellFinder(variants, ranking, **finder.view).view == finder.view


def test_a_row_that_is_told_is_shown_in_its_variant(variants, ranking):
    row = int(ranking.index[ranking["variant"] == "epoch 2"][3])
    finder = finder_of(variants, ranking, row=row)
    assert (finder.variant, finder.row, finder.cell) == ("epoch 2", row, ranking["cell"][row])
    finder = finder_of(variants, ranking, row=row, variant="epoch 1")
    assert (finder.variant, finder.row) == ("epoch 1", twin(ranking, row, "epoch 1"))
    assert finder_of(variants, ranking, cell=1).row == -1


def test_of_a_variant_without_such_a_row_none_is_selected_until_there_is_one(variants, ranking):
    late = ranking["variant"].isin(["epoch 2", "epoch 3"])
    sure = ranking[late & (ranking["score"].abs() > 0.3)].reset_index(drop=True)
    finder = lw.CellFinder(variants, sure)
    assert (finder.variant, finder.row) == ("epoch 0", -1)
    finder.variant = "epoch 3"
    row = twin(sure, 0, "epoch 3")
    assert (finder.row, finder.cell) == (row, sure["cell"][row])
    finder.variant = "epoch 0"
    assert finder.row == -1
    finder.variant = "epoch 3"
    assert finder.row == row
    finder.row = -1
    finder.variant = "epoch 2"
    assert finder.row == -1


def test_variants_are_ranked_here(variants):
    finder = lw.CellFinder(variants, CONCEPTS[:1], shifts=20)
    layers = list(variants.layers)
    expected = lw.rank_cells(
        variants, CONCEPTS[:1], layers=layers, signals="hidden_state", shifts=20
    )
    pd.testing.assert_frame_equal(finder.ranking, expected)
    assert set(lw.CellFinder(variants, shifts=0).ranking["concept"]) == {
        concept.name for concept in lw.concepts.fitting(variants["epoch 0"])
    }


def test_other_rankings_are_refused(variants, ranking):
    one = lw.rank_cells(variants["epoch 0"], CONCEPTS, signals="hidden_state", shifts=0)
    with pytest.raises(ValueError, match=r"with the column 'variant', as rank_cells\(variants"):
        lw.CellFinder(variants, one)
    named = ranking.assign(variant=ranking["variant"].astype(str).replace("epoch 2", "epoch 9"))
    with pytest.raises(ValueError, match=r"rows of the variants 'epoch 0', .*got 'epoch 9'"):
        lw.CellFinder(variants, named)
    with pytest.raises(ValueError, match=r"one row for each variant, layer, .*got several of"):
        lw.CellFinder(variants, pd.concat([ranking, ranking.iloc[:1]], ignore_index=True))
    with pytest.raises(ValueError, match="ranking: expected cells from 0 to"):
        lw.CellFinder(variants, ranking.assign(cell=77).drop_duplicates(["variant", *ABOUT]))


def test_the_ranking_travels_with_its_variants(variants, ranking, monkeypatch):
    def sent(finder):
        names = ["variant", "layer", "signal", "concept"]
        told = finder._ranking
        columns = np.frombuffer(finder._ranked, np.float32).reshape(-1, told["rows"])
        texts = [
            [told[n][int(code)] for code in codes] for n, codes in zip(names, columns, strict=False)
        ]
        table = pd.DataFrame(dict(zip(names, texts, strict=True)))
        return told, table.assign(cell=columns[4].astype(int), score=columns[6])

    told, table = sent(finder_of(variants, ranking))
    assert told["at"] is None
    for name in ("variant", *ABOUT):
        assert table[name].tolist() == ranking[name].tolist()
    # Of too many, what is best in any variant, in all of them.
    monkeypatch.setattr(page_ranking, "ROWS", 12)
    told, table = sent(finder_of(variants, ranking))
    best = ranking[ABOUT].drop_duplicates().iloc[:3]
    kept = ranking.merge(best.assign(kept=1), on=ABOUT, how="left")["kept"].notna()
    assert told["at"] == np.flatnonzero(kept).tolist()
    assert len(table) == 12
    assert table["variant"].value_counts().to_dict() == dict.fromkeys(variants, 3)
    np.testing.assert_array_equal(table["score"], ranking["score"][kept].astype(np.float32))
    assert told["totals"] == [len(ranking) // 4] * 4


def test_evidence_is_that_of_the_variant_on_axes_of_all(variants, ranking):
    finder = finder_of(variants, ranking)
    row = int(ranking.index[ranking["concept"] == "inside_double_quotes"][0])
    layer, signal, cell, _ = about(ranking, row)
    every = np.stack([one[layer][signal].to_numpy()[..., cell] for one in variants.values()])
    rows = [twin(ranking, row, name) for name in variants]
    for i, (name, number) in enumerate(zip(variants, rows, strict=True)):
        found = finder.evidence(number)
        np.testing.assert_array_equal(found.cell, every[i])
        assert found.histogram.edges[[0, -1]].tolist() == [every.min(), every.max()]
        assert found.histogram.inside.sum() == np.nansum(found.said)
        alone = lw.rank_cells(variants[name], CONCEPTS, signals=signal, layers=layer, shifts=20)
        other = lw.CellFinder(variants[name], CONCEPTS, ranking=alone)
        same = (alone["cell"] == cell) & (alone["concept"] == "inside_double_quotes")
        (place,) = alone.index[same]
        np.testing.assert_array_equal(found.null, other.evidence(int(place)).null)
        assert found.passages == other.evidence(int(place)).passages
    numeric = int(ranking.index[ranking["concept"] == "line_length"][0])
    layer, signal, cell, _ = about(ranking, numeric)
    levels = {
        tuple(finder.evidence(twin(ranking, numeric, name)).scatter.levels[[0, -1]])
        for name in variants
    }
    values = [one[layer][signal].to_numpy()[..., cell] for one in variants.values()]
    assert levels == {(np.min(values), np.max(values))}


def test_evidence_of_differences_is_that_of_what_is_shown(variants, ranking):
    finder = finder_of(variants, ranking, difference="epoch 1", variant="epoch 3")
    row = finder.row
    layer, signal, cell, _ = about(ranking, row)
    values = {n: one[layer][signal].to_numpy()[..., cell] for n, one in variants.items()}
    shown = values["epoch 3"] - values["epoch 1"]
    found = finder.evidence()
    np.testing.assert_array_equal(found.cell, shown)
    ends = [values[name] - values["epoch 1"] for name in variants]
    drawn = histogram(shown, found.said, ends=np.array([np.min(ends), np.max(ends)]))
    np.testing.assert_array_equal(found.histogram.inside, drawn.inside)
    # The null is that of what was ranked.
    reply = ask(finder, evidence=row, difference="epoch 1")
    own = ask(finder, evidence=row)
    assert (reply["difference"], own["difference"]) == ("epoch 1", "")
    assert reply["null"] == own["null"]
    first = own["passages"][0]
    part = slice(first["start"], first["start"] + len(first["tokens"]))
    np.testing.assert_array_equal(packed(first["values"]), values["epoch 3"][0, part])


def test_a_file_has_the_evidence_of_each_variant(variants, ranking, monkeypatch):
    monkeypatch.setattr("lstm_widgets.widgets.cell_finder._IN_A_FILE", 8)
    row = len(ranking) - 1
    finder = finder_of(variants, ranking, row=row)
    found = finder._file_state()
    best = ranking[ABOUT].drop_duplicates().iloc[:2]
    kept = set(np.flatnonzero(ranking.merge(best.assign(k=1), on=ABOUT, how="left")["k"].notna()))
    kept |= {twin(ranking, row, name) for name in variants}
    assert {*map(int, found.traits["_evidence"])} == kept
    assert "the evidence of all rows but the best 2 of each variant" in found.missing
    finder.difference = "epoch 1"
    held = finder._file_state().traits["_evidence"]
    assert {*held} == {str(k) for k in kept} | {f"{k} epoch 1" for k in kept}
    assert held[f"{row} epoch 1"]["passages"] != held[str(row)]["passages"]


def test_a_picture_has_the_rows_of_the_variant(variants, ranking, tmp_path):
    finder = finder_of(variants, ranking)
    marked = (221, 233, 249)
    for name in ("epoch 0", "epoch 3"):
        finder.variant = name
        part = ranking[ranking["variant"] == name]
        at = part.index.get_loc(finder.row)
        picture = np.asarray(finder._still())
        rows = np.flatnonzero((picture[:, 3] == marked).all(axis=-1))
        assert len(rows) == 20
        first = max(0, min(at - 5, len(part) - 10))
        assert rows[0] // 20 == at - first + 1
    finder.save_figure(tmp_path / "own.svg")
    assert "Δ score" not in (tmp_path / "own.svg").read_text("utf-8")
    finder.difference = "epoch 0"
    finder.save_figure(tmp_path / "less.svg")
    text = (tmp_path / "less.svg").read_text("utf-8")
    change = ranking["score"][finder.row] - ranking["score"][twin(ranking, finder.row, "epoch 0")]
    assert "Δ score" in text
    assert f">{change:.4f}<".replace("-", "−") in text


def test_each_variant_has_its_model():
    text = "".join(np.random.default_rng(5).choice(list("ab\n"), 120))
    models = {}
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((None,), dtype="int32")
        states = keras.layers.LSTM(3, return_sequences=True, name="lstm")(
            keras.layers.Embedding(3, 5)(inputs)
        )
        outputs = keras.layers.Dense(3, activation="softmax")(states)
        models[f"seed {seed}"] = keras.Model(inputs, outputs)
    more = {"vocabulary": list("ab\n")}
    several = lw.Variants({name: lw.record(one, text, **more) for name, one in models.items()})
    said = [lw.concepts.newline]
    finder = lw.CellFinder(several, said, model=models, inputs=text, shifts=0, **more)
    for row in (0, twin(finder.ranking, 0, "seed 1"), twin(finder.ranking, 0, "seed 2")):
        name, cell = finder.ranking["variant"][row], int(finder.ranking["cell"][row])
        found = lw.ablate(models[name], text, cell, layer="lstm", concepts=said, **more).table.iloc[
            0
        ]
        assert ask(finder, ablate=row)["ablation"]["held"] == pytest.approx(found.loss_held)
    with pytest.raises(TypeError, match="model: expected a dict with the model of each variant"):
        lw.CellFinder(several, said, model=models["seed 1"], inputs=text, shifts=0, **more)
    with pytest.raises(ValueError, match="got none of 'seed 2'"):
        lw.CellFinder(
            several, said, model={"seed 1": models["seed 1"]}, inputs=text, shifts=0, **more
        )


def test_an_explorer_and_its_finder_show_the_same_variant(variants, monkeypatch):
    monkeypatch.setattr(lw.concepts, "TEXT", (lw.concepts.inside_double_quotes, lw.concepts.vowel))
    explorer = lw.Explorer(variants, variant="epoch 3", finding=True)
    finder = explorer.finder
    assert explorer._finder is finder
    assert finder.recording is variants
    assert finder.variant == "epoch 3"
    finder.row = int(finder.ranking.index[finder.ranking["variant"] == "epoch 3"][2])
    assert selection(explorer) == selection(finder)
    explorer.timestep = 9
    explorer.variant = "epoch 1"
    assert finder.variant == "epoch 1"
    assert finder.ranking["variant"][finder.row] == "epoch 1"
    assert explorer.timestep == 9  # the selection stays
    finder.difference = "epoch 0"
    assert explorer.difference == "epoch 0"
    finder.row = twin(finder.ranking, 0, "epoch 2")
    assert explorer.variant == "epoch 2"
    assert selection(explorer) == selection(finder)


def test_over_a_series_the_lines_of_each_variant_are_there():
    rivers = recordings.epochs(recordings.rivers(days=200))
    inputs = rivers["epoch 0"].inputs
    said = {"rain": inputs.to_numpy()[..., 0]}
    finder = lw.CellFinder(rivers, said, shifts=0)
    plot = lw.SeriesPlot(rivers)
    assert finder._series_values[: 4 * 200] == plot._series_values[: 4 * 200]
    finder.variant = "epoch 2"
    assert finder.ranking["variant"][finder.row] == "epoch 2"
    assert finder._file_state().traits["_variants"]["names"] == [*rivers]
