"""Tables leave the page as files that pandas reads."""

from __future__ import annotations

import numpy as np
import pandas as pd
import recordings

import lstm_widgets as lw


def downloaded(page, button, tmp_path):
    with page.expect_download() as waiting:
        button.click()
    path = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path, pd.read_csv(path)


def test_the_rows_of_a_ranking(open_page, tmp_path):
    recording = recordings.planted()
    said = [lw.concepts.vowel, lw.concepts.whitespace]
    ranking = lw.rank_cells(recording, said, shifts=20)
    saved = open_page(lw.CellFinder(recording, said, ranking=ranking))
    root = saved.output(0).locator(".lw")
    button = root.get_by_role("button", name="save these rows")
    path, table = downloaded(saved.page, button, tmp_path)
    assert path.name == "ranking.csv"
    assert table["concept"].tolist() == ranking["concept"].tolist()
    for name in ("cell", "lag", "score", "p_value", "q_value", "threshold"):
        np.testing.assert_allclose(
            table[name].astype(float), ranking[name].astype(np.float32), rtol=1e-6
        )
    # What is filtered away doesn't leave.
    root.locator("[data-control='find']").fill("vowel")
    _, table = downloaded(saved.page, button, tmp_path)
    wanted = ranking[ranking["concept"] == "vowel"]
    assert table["cell"].tolist() == wanted["cell"].tolist()


def test_the_matches_of_a_span(show, tmp_path):
    notebook = show("grid = lw.CellGrid(planted(), span=(2, 6), example=0)\ngrid")
    root = notebook.output(1).locator(".lw")
    button = root.get_by_role("button", name="save the matches")
    path, table = downloaded(notebook.page, button, tmp_path)
    assert path.name == "matches.csv"
    found = lw.match(recordings.planted(), (2, 6), relax=True, limit=len(table))
    for name in ("example", "start", "stop"):
        assert table[name].tolist() == found[name].tolist()
    np.testing.assert_allclose(table["overlap"], found["overlap"])
    assert len(table) > 0


def test_matches_of_a_series_have_dates(show, tmp_path):
    notebook = show("grid = lw.CellGrid(rivers(), span=(777, 783), example=0)\ngrid")
    root = notebook.output(1).locator(".lw")
    button = root.get_by_role("button", name="save the matches")
    _, table = downloaded(notebook.page, button, tmp_path)
    days = pd.date_range("2001-01-01", periods=1500)
    assert len(table) > 0
    assert pd.to_datetime(table["first_time"]).tolist() == days[table["start"]].tolist()
    assert pd.to_datetime(table["last_time"]).tolist() == days[table["stop"] - 1].tolist()
    assert "tokens" not in table
