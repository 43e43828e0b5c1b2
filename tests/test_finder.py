"""The Python side of CellFinder: what is chosen, what travels, and the evidence."""

from __future__ import annotations

import sys
from base64 import b64decode
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from traitlets import TraitError

import lstm_widgets as lw
from lstm_widgets.analysis.evidence import gather, histogram, lagged
from lstm_widgets.widgets.page import ranking as page_ranking
from lstm_widgets.widgets.page.ranking import NAMES, NUMBERS, on_slider

sys.path.insert(0, str(Path(__file__).parent / "browser"))

import recordings

CONCEPTS = [lw.concepts.inside_double_quotes, lw.concepts.line_length, lw.concepts.vowel]


@pytest.fixture(scope="module")
def recording() -> lw.Recording:
    return recordings.planted()


@pytest.fixture(scope="module")
def ranking(recording: lw.Recording) -> pd.DataFrame:
    return lw.rank_cells(recording, CONCEPTS, shifts=60, seed=3)


def ask(finder: lw.CellFinder, **request: object) -> dict[str, Any]:
    sent: list[dict[str, Any]] = []
    finder.send = lambda content, _buffers=None: sent.append(content)
    finder._on_message(finder, {"id": "1", **request}, [])
    assert len(sent) == 1
    return sent[0]


def packed(text: str) -> np.ndarray:
    return np.frombuffer(b64decode(text), np.float32)


def test_what_was_planted_is_shown_first(recording, ranking):
    finder = lw.CellFinder(recording, CONCEPTS, ranking=ranking)
    best = ranking.iloc[0]
    assert finder.row == 0
    assert (finder.layer, finder.signal, finder.cell) == (best.layer, best.signal, best.cell)
    assert {(r.layer, r.cell, r.concept) for r in ranking.iloc[:3].itertuples()} == {
        ("upper", 4, "inside_double_quotes"),
        ("lower", 2, "line_length"),
    }
    # The threshold and the strongest place of a row go with it.
    number = ranking.index[(ranking.layer == "upper") & (ranking.cell == 4)][0]
    finder.row = int(number)
    chosen = ranking.iloc[number]
    assert chosen.sign == -1
    assert finder.threshold == pytest.approx(abs(chosen.threshold), abs=0)
    values = recording["upper"].hidden_state.to_numpy()[0, :, 4]
    assert (finder.example, finder.timestep) == (0, int(values.argmin()))
    # So does its concept, unless other tracks were asked for.
    assert [track["name"] for track in finder._tracks["upper"]] == ["inside_double_quotes"]
    other = lw.CellFinder(recording, CONCEPTS, ranking=ranking, tracks=[lw.concepts.digit])
    assert [track["name"] for track in other._tracks["upper"]] == ["digit"]


def test_concepts_alone_are_ranked_here(recording):
    finder = lw.CellFinder(recording, CONCEPTS[:1])
    expected = lw.rank_cells(recording, CONCEPTS[:1], signals="hidden_state")
    pd.testing.assert_frame_equal(finder.ranking, expected)
    assert len(finder.ranking) == 11


def test_a_place_that_is_given_stays(recording, ranking):
    finder = lw.CellFinder(recording, ranking, layer="lower", cell=1, timestep=7)
    assert (finder.row, finder.layer, finder.cell, finder.timestep) == (-1, "lower", 1, 7)
    finder = lw.CellFinder(recording, ranking, row=2)
    assert finder.row == 2
    assert finder.cell == ranking.cell[2]


def test_choosing_keeps_a_threshold_that_the_slider_cannot_say(recording, ranking):
    table = ranking.copy()
    table.loc[1, ["threshold", "sign"]] = [-0.2, 1]
    finder = lw.CellFinder(recording, table, threshold=0.125)
    finder.threshold = 0.125
    finder.row = 1
    assert finder.threshold == 0.125
    assert [on_slider(*pair) for pair in ((0.5, 1), (-0.5, -1), (-0.5, 1), (0.5, -1))] == [
        *(0.5, 0.5, None, None)
    ]
    assert on_slider(np.nan, 1) is None


@pytest.mark.parametrize("row", [-2, 10_000, 1.5, "1", None])
def test_a_row_that_is_none_is_refused_by_name(recording, ranking, row):
    finder = lw.CellFinder(recording, ranking)
    with pytest.raises(TraitError, match="row"):
        finder.row = row
    assert finder.row == 0
    with pytest.raises(TraitError, match="row"):
        lw.CellFinder(recording, ranking, row=row)


def test_wrong_arguments_are_refused_by_name(recording, ranking):
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        lw.CellFinder(recording, ranking, colour="red")
    with pytest.raises(TypeError, match="recording: expected a Recording"):
        lw.CellFinder(3, ranking)
    with pytest.raises(TypeError, match="ranking: expected a DataFrame"):
        lw.CellFinder(recording, CONCEPTS, ranking=[1])
    with pytest.raises(TypeError, match="concepts"):
        lw.CellFinder(recording, ranking, ranking=ranking)
    with pytest.raises(TypeError, match="concepts"):
        lw.CellFinder(recording, 3)
    with pytest.raises(ValueError, match="found no 'lag', 'q_value'"):
        lw.CellFinder(recording, ranking.drop(columns=["lag", "q_value"]))
    for name, wrong in (("layer", "other"), ("signal", "candidate"), ("cell", 77)):
        with pytest.raises(ValueError, match=f"ranking: expected {name}s"):
            lw.CellFinder(recording, ranking.assign(**{name: wrong}))


def test_the_ranking_travels_as_codes_and_numbers(recording, ranking, monkeypatch):
    monkeypatch.setattr(page_ranking, "ROWS", 20)
    finder = lw.CellFinder(recording, ranking)
    sent = finder._ranking
    assert (sent["rows"], sent["total"]) == (20, len(ranking))
    columns = np.frombuffer(finder._ranked, np.float32).reshape(-1, 20)
    for name, codes in zip(NAMES, columns, strict=False):
        assert [sent[name][int(code)] for code in codes] == list(ranking[name][:20])
    for name, values in zip(NUMBERS, columns[len(NAMES) :], strict=True):
        np.testing.assert_array_equal(values, ranking[name][:20].to_numpy(np.float32))
    kinds = dict(zip(sent["concept"], sent["kinds"], strict=True))
    assert kinds == {c.name: c.kind for c in CONCEPTS if c.name in kinds}


def test_an_empty_ranking_is_shown(recording, ranking):
    finder = lw.CellFinder(recording, ranking.iloc[:0])
    assert (finder.row, finder._ranking["rows"], finder._ranked) == (-1, 0, b"")
    with pytest.raises(ValueError, match="row"):
        finder.evidence()


def test_the_null_is_that_of_the_ranking(recording, ranking):
    """From the shifted scores of the evidence, p follows as it stands in the table."""
    finder = lw.CellFinder(recording, CONCEPTS, ranking=ranking)
    for number in (0, 1, 2, 9, len(ranking) - 1):
        row, null = ranking.iloc[number], finder.evidence(number).null
        assert len(null) == 60
        hits = sum(not score * row.sign < row.score * row.sign - 1e-5 for score in null)
        assert (1 + hits) / 61 == row.p_value


def test_the_evidence_travels_as_it_is(recording, ranking):
    finder = lw.CellFinder(recording, CONCEPTS, ranking=ranking)
    number = int(ranking.index[ranking.concept == "inside_double_quotes"][0])
    row = ranking.iloc[number]
    reply = ask(finder, evidence=number)
    assert (reply["id"], reply["evidence"]) == ("1", number)
    dataset = recording[row.layer]
    values = dataset[row.signal].to_numpy()[..., row.cell]
    track = lw.concepts.tracks(recording, CONCEPTS[0], layer=row.layer)[row.concept].to_numpy()
    aligned = np.full(track.shape, np.nan)
    for t in range(track.shape[1]):
        if 0 <= t - row.lag < track.shape[1]:
            aligned[0, t] = track[0, t - row.lag]
    for passage in reply["passages"]:
        part = slice(passage["start"], passage["start"] + len(passage["tokens"]))
        np.testing.assert_array_equal(packed(passage["values"]), values[0, part])
        np.testing.assert_array_equal(packed(passage["said"]), aligned[0, part].astype(np.float32))
        assert passage["tokens"] == list(dataset["token"].to_numpy()[0, part])
        assert part.start <= passage["peak"] < part.stop
    drawn = histogram(values, aligned)
    assert reply["histogram"]["inside"] == drawn.inside.tolist()
    assert sum(reply["histogram"]["inside"]) == np.nansum(aligned)
    np.testing.assert_array_equal(packed(reply["null"]), finder.evidence(number).null)
    assert "expected 0 to" in ask(finder, evidence=99_999)["error"]
    assert "error" in ask(finder, evidence=None)
    # What grid and text ask for is answered, too.
    assert ask(finder, layer="upper", signal="hidden_state", similarity=1)["similarity"] == 1


def test_a_concept_that_is_not_known_has_passages_all_the_same(recording):
    said = {"speech": lw.concepts.inside_double_quotes, "vowel": lw.concepts.vowel}
    ranking = lw.rank_cells(recording, said, signals="hidden_state", shifts=20)
    alone = lw.CellFinder(recording, ranking)
    rows = {name: int(ranking.index[ranking.concept == name][0]) for name in said}
    unknown = ask(alone, evidence=rows["speech"])
    assert unknown["histogram"] is unknown["null"] is None
    assert len(unknown["passages"]) == 10
    assert ask(alone, evidence=rows["vowel"])["histogram"] is not None
    both = lw.CellFinder(recording, said, ranking=ranking)
    assert ask(both, evidence=rows["speech"])["histogram"] is not None
    # Without what it was made from, the null can't be made again.
    bare = ranking.copy()
    bare.attrs = {}
    reply = ask(lw.CellFinder(recording, said, ranking=bare), evidence=0)
    assert reply["null"] is None
    assert reply["histogram"] is not None


def test_what_a_concept_says_moves_within_examples():
    rng = np.random.default_rng(2)
    said = rng.standard_normal((3, 9))
    mask = np.ones((3, 9), bool)
    mask[1, 6:] = mask[2, :2] = False
    for lag in (0, 2, -3, 20):
        moved = lagged(said, mask, lag)
        for example in range(3):
            places = [t for t in range(9) if mask[example, t]]
            for t in range(9):
                at = places.index(t) - lag if t in places else -1
                if 0 <= at < len(places):
                    assert moved[example, t] == said[example, places[at]]
                else:
                    assert np.isnan(moved[example, t])


def test_evidence_of_examples_with_padding():
    recording = recordings.sums()
    concept = lw.concepts.digit
    row = {"layer": "lstm", "signal": "cell_state", "cell": 3, "kind": "yes_no", "lag": 1}
    found = gather(recording, row, concept)
    mask = recording["lstm"]["mask"].to_numpy()
    assert all(mask[p.example, p.start : p.stop].all() for p in found.passages)
    assert found.null is None
    # The first timestep of each example has nothing before it.
    assert found.histogram.inside.sum() + found.histogram.outside.sum() == mask[:, 1:].sum()


def test_a_change_of_row_from_the_page_takes_the_cell_along(recording, ranking):
    finder = lw.CellFinder(recording, ranking)
    row = ranking.iloc[4]
    state = {"row": 4, "layer": row.layer, "signal": row.signal, "cell": int(row.cell)}
    finder.set_state(state)
    assert {name: getattr(finder, name) for name in state} == state
    finder.set_state({"row": 2})
    assert (finder.layer, finder.cell) == (ranking.layer[2], ranking.cell[2])


def test_a_file_holds_the_evidence_of_the_best(recording, ranking, tmp_path, monkeypatch):
    monkeypatch.setattr("lstm_widgets.widgets.cell_finder._IN_A_FILE", 3)
    finder = lw.CellFinder(recording, CONCEPTS, ranking=ranking, row=5)
    state, missing, *_ = finder._file_state()
    assert list(state["_evidence"]) == ["0", "1", "2", "5"]
    assert missing == ["the evidence of all rows but the best 3"]
    finder.save_html(tmp_path / "finder.html")
    text = (tmp_path / "finder.html").read_text("utf-8")
    assert "Not in this file, but in the notebook: the evidence of all rows but the best 3." in text
    assert finder._evidence == {}


def test_the_model_is_run_without_a_cell_on_demand(ranking, recording):
    keras.utils.set_random_seed(3)
    inputs = keras.Input((None,), dtype="int32")
    states = keras.layers.LSTM(4, return_sequences=True, name="lstm")(
        keras.layers.Embedding(3, 5)(inputs)
    )
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(states))
    text = "".join(np.random.default_rng(5).choice(list("ab\n"), 120))
    recorded = lw.record(model, text, vocabulary=list("ab\n"))
    said = [lw.concepts.newline, lw.concepts.position_in_line]
    more = {"vocabulary": list("ab\n")}
    finder = lw.CellFinder(recorded, said, model=model, inputs=text, **more)
    assert finder._can_ablate
    table = finder.ranking
    for concept in said:
        number = int(table.index[table.concept == concept.name][0])
        assert "ablation" not in ask(finder, evidence=number)
        reply = ask(finder, ablate=number)
        held = [concept] if concept.kind == "yes_no" else None
        cell = int(table.cell[number])
        found = lw.ablate(model, text, cell, layer="lstm", concepts=held, **more).table.iloc[0]
        told = {"loss": found.loss, "held": found.loss_held, "guesses": found.changed_guesses}
        if held:
            told |= {"there": found["newline"], "elsewhere": found["not newline"]}
        assert reply["evidence"] == number
        assert reply["ablation"] == pytest.approx(told)
        assert reply["ablation"]["held"] != reply["ablation"]["loss"]
        # It stays with the evidence, and goes into a file, which has no model.
        assert ask(finder, evidence=number)["ablation"] == reply["ablation"]
        state, *_ = finder._file_state()
        assert state["_evidence"][str(number)]["ablation"] == reply["ablation"]
        assert state["_can_ablate"] is False
    alone = lw.CellFinder(recording, ranking)
    assert not alone._can_ablate
    assert "expected model= and inputs=" in ask(alone, ablate=0)["error"]
    with pytest.raises(TypeError, match="model, inputs"):
        lw.CellFinder(recording, ranking, model=model)


def test_the_still_picture_marks_the_chosen_row(recording, ranking):
    marked = (221, 233, 249)  # 14 % of the page's accent

    def rows(finder):
        picture = np.asarray(finder._still())
        return np.flatnonzero((picture[:, 3] == marked).all(axis=-1))

    first = rows(lw.CellFinder(recording, ranking))
    assert first.tolist() == list(range(first[0], first[0] + 20))
    assert rows(lw.CellFinder(recording, ranking, row=2))[0] == first[0] + 40
    # Of a row further down, the rows about it; of none, no mark.
    assert rows(lw.CellFinder(recording, ranking, row=20))[0] == first[0] + 100
    assert len(rows(lw.CellFinder(recording, ranking, cell=1))) == 0
    assert len(rows(lw.CellFinder(recording, ranking.iloc[:0]))) == 0
    # Its bar goes to the side of the score, as far as that is large.
    place = ranking.index[ranking.score < -0.5][0]
    chosen = lw.CellFinder(recording, ranking, row=int(place))
    picture = np.asarray(chosen._still())
    bar = (picture[rows(chosen)[10], 700:801] == (107, 118, 134)).all(axis=-1)
    assert abs(bar[:50].sum() + 50 * ranking.score[place]) < 2
    assert bar[52:].sum() == 0
