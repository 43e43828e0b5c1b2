"""CellFinder in a real JupyterLab: sorted, filtered, chosen by keys and mouse, and its numbers read."""

from __future__ import annotations

import re

import numpy as np
import recordings
from expected import Look, resized
from lab import eventually
from playwright.sync_api import expect
from widget_page import Widget, number

import lstm_widgets as lw

FINDER = """recording = planted()
said = [lw.concepts.inside_double_quotes, lw.concepts.line_length, lw.concepts.vowel]
table = lw.rank_cells(recording, said, shifts=60, seed=3)
grid = lw.CellFinder(recording, said, ranking=table)
grid"""
CONCEPTS = [lw.concepts.inside_double_quotes, lw.concepts.line_length, lw.concepts.vowel]


def ranked():
    recording = recordings.planted()
    return recording, lw.rank_cells(recording, CONCEPTS, shifts=60, seed=3)


class Finder(Widget):
    """The table and the card."""

    scrolling = ".lw-table"

    def __init__(self, notebook, index, recording, ranking, **more):
        self.recording, self.ranking = recording, ranking
        super().__init__(notebook, index, **more)
        self.table = self.root.locator(".lw-table")
        self.card = self.root.locator(".lw-card")
        self.told = self.root.locator(".lw-count")

    def row(self, row):
        return self.table.locator(f"[data-row='{row}']")

    def at(self, place):
        return self.table.locator(f"[data-at='{place}']")

    def rows(self):
        """The rows in view, from the top."""
        # At once: while one is read the others may be replaced.
        return self.table.locator("[data-row]").evaluate_all(
            "all => all.map((e) => +e.dataset.row)"
        )

    def shows(self, number):
        """Wait until everything is at a row, here and in Python."""
        row = self.ranking.iloc[number]
        traits = {"row": number, "layer": row.layer, "signal": row.signal, "cell": int(row.cell)}
        self.becomes(**traits)
        values = self.recording[row.layer][row.signal].to_numpy()[0, :, row.cell].astype(float)
        self.becomes(timestep=int(values.argmax() if row.sign > 0 else values.argmin()))
        expect(self.row(number)).to_have_attribute("aria-selected", "true")
        expect(self.status).to_contain_text(
            f"{row.layer} · cell {row.cell} · t={self.get('timestep')} "
        )
        expect(self.root.locator(".lw-caption b")).to_have_text(f"cell {row.cell}")
        expect(self.card.locator(".lw-card-head")).to_contain_text(
            f"cell {row.cell} of {row.layer}, {row.signal.replace('_', ' ')} — {row.concept}"
        )
        self.reads(number)

    def reads(self, number_):
        """Hold the card against Python's numbers."""
        row = self.ranking.iloc[number_]
        facts = self.card.locator(".lw-facts").first
        for name in ("score", "selection_score"):
            expect(facts).to_contain_text(number(row[name]))
        if row.kind == "yes_no":
            for name in ("auroc", "f1", "base_rate", "threshold"):
                expect(facts).to_contain_text(number(float(row[name])))
        for name in ("p_value", "q_value"):
            expect(facts).to_contain_text(f"{row[name]:.3f}")
        values = self.recording[row.layer][row.signal].to_numpy()[0, :, row.cell].astype(float)
        first = self.card.locator(".lw-passages button").first
        expect(first.locator(".lw-value")).to_have_text(number(values.max()))
        assert self.card.locator(".lw-passages button").count() == 10


def test_a_ranking_is_sorted_filtered_and_chosen(show):
    notebook = show(FINDER)
    recording, ranking = ranked()
    finder = Finder(notebook, 1, recording, ranking)
    count = len(ranking)
    finder.shows(0)
    expect(finder.told).to_have_text(f"{count} rows")
    expect(finder.table).to_have_attribute("aria-rowcount", str(count + 1))
    assert finder.rows()[:5] == [0, 1, 2, 3, 4]

    # Sorted by a column: falling, rising, and as it was ranked.
    head = finder.table.locator(".lw-q_value[role=columnheader]")
    by_q = ranking.q_value.to_numpy()
    rising = np.argsort(np.where(np.isnan(by_q), np.inf, by_q), kind="stable")
    falling = np.argsort(np.where(np.isnan(by_q), np.inf, -by_q), kind="stable")
    for state, order in (("ascending", rising), ("descending", falling), ("none", range(count))):
        finder.control("sort q").click()
        expect(head).to_have_attribute("aria-sort", state)
        eventually(lambda: finder.rows()[:8], list(order[:8]))
    # By the size of the score, by name.
    finder.control("sort score").click()
    size = np.argsort(-ranking.score.abs().to_numpy(), kind="stable")
    eventually(lambda: finder.rows()[:6], list(size[:6]))
    finder.control("sort score").click()
    finder.control("sort score").click()

    # Filtered: by words, layer, concept, q.
    finder.control("find").fill("lower vow")
    kept = ranking.index[(ranking.layer == "lower") & (ranking.concept == "vowel")].tolist()
    expect(finder.told).to_have_text(f"{len(kept)} of {count} rows")
    eventually(lambda: finder.rows() == kept[: len(finder.rows())], expected=True)
    finder.control("find").fill("")
    finder.table.locator("xpath=..").locator("[data-control='concept']").select_option(
        "line_length"
    )
    finder.control("q below").fill("0.05")
    kept = ranking.index[(ranking.concept == "line_length") & (ranking.q_value < 0.05)].tolist()
    assert kept
    expect(finder.told).to_have_text(f"{len(kept)} of {count} rows")
    eventually(finder.rows, kept)
    # A numeric concept: its own words and numbers.
    finder.row(kept[-1]).click()
    finder.shows(kept[-1])
    expect(finder.card.locator(".lw-facts").first).to_contain_text("Spearman's ρ")
    finder.control("find").fill("nothing at all")
    expect(finder.table).to_contain_text("No row passes the filter.")
    finder.control("find").fill("")
    finder.control("q below").fill("")
    finder.table.locator("xpath=..").locator("[data-control='concept']").select_option("")

    # Keys: down twice, Enter; the end of the table; back to the top.
    finder.table.focus()
    finder.table.press("Home")
    finder.table.press("ArrowDown")
    finder.table.press("ArrowDown")
    at = finder.at(2)
    expect(finder.table).to_have_attribute("aria-activedescendant", at.get_attribute("id"))
    finder.table.press("Enter")
    finder.shows(2)
    finder.table.press("End")
    expect(finder.at(count - 1)).to_be_visible()
    finder.table.press("Enter")
    finder.becomes(row=count - 1)

    # From Python, and what is out of view comes into it.
    number_ = int(ranking.index[ranking.concept == "inside_double_quotes"][0])
    finder.set(row=number_)
    finder.shows(number_)
    assert notebook.page.evaluate("window.hacked") is None


def test_the_card_moves_the_views_and_draws_what_python_counts(show):
    notebook = show(FINDER)
    recording, ranking = ranked()
    number_ = int(ranking.index[ranking.concept == "inside_double_quotes"][0])
    row = ranking.iloc[number_]
    finder = Finder(notebook, 1, recording, ranking)
    finder.set(row=number_)
    finder.shows(number_)
    assert row.sign == -1
    finder.becomes(threshold=abs(float(row.threshold)))

    # The threshold comes back into the slider.
    finder.set(threshold=0.0)
    expect(finder.control("threshold number")).to_have_value("0")
    finder.card.get_by_role("button", name="set the threshold slider to it").click()
    finder.becomes(threshold=abs(float(row.threshold)))

    # A passage: the grid, the text and Python go there.
    evidence = notebook.kernel.value(
        f"(lambda e: ([(p.kind, p.start, p.stop, p.peak) for p in e.passages], "
        f"e.histogram.inside.tolist(), e.histogram.outside.tolist(), len(e.null)))"
        f"(grid.evidence({number_}))"
    )
    places, inside, outside, shifts = evidence
    lines = finder.card.locator(".lw-passages button")
    for line, place in enumerate(places):
        expect(lines.nth(line).locator(".lw-kind")).to_have_text(place[0])
    lines.nth(9).locator(".lw-kind").click()
    peak = places[9][-1]
    finder.becomes(timestep=peak, row=number_, cell=int(row.cell))
    expect(finder.status).to_contain_text(f"t={peak} ")
    # A token of it; and by keys.
    lines.nth(8).locator(".lw-after span").nth(2).click()
    finder.becomes(timestep=places[8][-1] + 3)
    lines.nth(9).press("Enter")
    finder.becomes(timestep=peak)
    # Its tokens stand on the colours of their values, faded below the threshold.
    values = recording[row.layer][row.signal].to_numpy()[0, :, row.cell].astype(float)
    largest = np.abs(recording[row.layer][row.signal].to_numpy()).max()
    finder.set(threshold=0.0)
    start, stop, peak = places[0][1:]
    spans = "e => [...e.querySelectorAll('.lw-before span, .lw-peak, .lw-after span')]"
    tokens = lines.first.evaluate(f"{spans}.map(s => s.textContent)")
    text = recording[row.layer]["token"].to_numpy()[0, start:stop]
    assert tokens == [{"\n": "⏎"}.get(token, token) for token in text]

    def off():
        drawn = lines.first.evaluate(f"{spans}.map(s => getComputedStyle(s).backgroundColor)")
        if "" in drawn:  # a line that has just been replaced has no style any more
            return True
        colours = np.array([[int(c) for c in re.findall(r"\d+", one)[:3]] for one in drawn])
        low, high = Look().colours(values[start:stop], np.abs(values).max(), largest)
        return bool(((colours < low) | (colours > high)).any())

    eventually(off, expected=False)
    # Under them, where the concept holds.
    said = lw.concepts.inside_double_quotes.shift(int(row.lag))(
        recording[row.layer]["token"].to_numpy()[0]
    )
    lined = lines.first.evaluate(
        f"{spans}.map(s => s.style.getPropertyValue('--lw-said') === '100%')"
    )
    assert lined == said[start:stop].tolist()
    # What is pointed at is told.
    lines.first.locator(".lw-peak").hover()
    expect(finder.status).to_contain_text(f"t={peak} ")
    expect(finder.status).to_contain_text(number(values[peak]))

    # The histograms have the heights that Python's counts have.
    charts = finder.card.locator("svg")
    expect(charts).to_have_count(2)
    shares = np.array([np.array(c) / sum(c) for c in (outside, inside)])
    for path, share in zip(charts.first.locator("path").all(), shares / shares.max(), strict=True):
        steps = re.findall(r"V([\d.]+)H", path.get_attribute("d"))
        np.testing.assert_allclose([float(y) for y in steps], 100 - 100 * share, atol=0.006)
    expect(finder.card.locator(".lw-key").first).to_contain_text(f"with: {sum(inside)}")
    expect(finder.card.locator(".lw-key").last).to_contain_text(f"{shifts} random circular shifts")
    mark = charts.last.locator("line")
    assert abs(float(mark.get_attribute("x1")) - 50 * (1 + row.score)) < 1e-3

    # What the model does without the cell: said that it isn't known, or told on demand.
    held = finder.card.locator(".lw-held")
    expect(held).to_contain_text("Pass model= and inputs= to see")
    notebook.kernel.run(
        """import pandas as pd, types
losses = {"loss": 1.25, "loss_held": 1.5, "inside_double_quotes": 0.75, "changed_guesses": 0.125}
grid._ablate = {"": lambda **_: types.SimpleNamespace(table=pd.DataFrame([losses]))}
grid._can_ablate = True
grid.threshold = 0.01"""
    )
    held.get_by_role("button", name="hold this cell at 0").click()
    expect(held).to_contain_text("1.5000 (+0.2500)")
    expect(held).to_contain_text("+0.7500")
    expect(held).to_contain_text("12.5 %")

    # Dark: the same on dark paper, text that can be read.
    notebook.theme("dark")
    expect(finder.root).to_have_attribute("data-theme", "dark")
    seen = finder.card.locator(".lw-card-head b").first.evaluate(
        "e => [getComputedStyle(e).color, getComputedStyle(e.closest('.lw')).backgroundColor]"
    )
    ink, paper = ([int(c) for c in re.findall(r"\d+", one)[:3]] for one in seen)
    assert min(ink) > 180
    assert max(paper) < 60
    finder.reads(number_)

    # No scrolling sideways at any width; side by side where there is room.
    for width in (1280, 1920, 1000):
        resized(finder.root, width, 1200)
        beyond = finder.root.evaluate(
            """e => [e, ...e.querySelectorAll(".lw-bar, .lw-panes, .lw-pane, .lw-ranking, .lw-table,"
              + " .lw-card, .lw-filters, .lw-foot")]
              .filter(part => part.scrollWidth > part.clientWidth + 1).map(part => part.className)"""
        )
        assert beyond == [], width


def test_thousands_of_rows_and_hostile_names(show):
    """As many rows as travel; of them, only those in view are in the page."""
    notebook = show(
        """recording = hostile()
import pandas as pd
rng = np.random.default_rng(1)
rows = 12_000
table = pd.DataFrame({"layer": rng.choice(recording.layers, rows), "signal": "hidden_state"})
table["cell"] = rng.integers(0, 4, rows)
table["concept"] = rng.choice(HOSTILE, rows)
table["kind"] = "yes_no"
for name in ("selection_score auroc f1 threshold base_rate pearson spearman p_value q_value").split():
    table[name] = rng.random(rows)
table["score"] = rng.uniform(-1, 1, rows)
table["lag"] = 0
table["sign"] = np.where(table.score < 0, -1, 1)
grid = lw.CellFinder(recording, table)
grid"""
    )
    finder = Finder(notebook, 1, None, None)
    expect(finder.told).to_have_text("10000 rows best, of 12000 in Python")
    assert finder.table.locator("[data-row]").count() < 40
    expect(finder.at(0)).to_contain_text(notebook.kernel.value("table.concept[0]"))
    finder.table.press("End")
    expect(finder.at(9999)).to_contain_text(notebook.kernel.value("table.concept[9999]"))
    assert finder.table.locator("[data-row]").count() < 40
    finder.table.press("Enter")
    finder.becomes(row=9999, layer=notebook.kernel.value("table.layer[9999]"))
    # The concepts are not known, and the card says so.
    expect(finder.card).to_contain_text("pass CellFinder the concepts, too")
    expect(finder.card.locator("svg")).to_have_count(0)
    assert finder.card.locator(".lw-passages button").count() > 0
    finder.control("find").fill("<b>bold")
    finder.table.press("Home")
    expect(finder.at(0)).to_contain_text('"><b>bold</b>')
    assert notebook.page.evaluate("window.hacked") is None
    assert finder.root.locator("script, img").count() == 0
    # What is wrong with a concept is said in the card.
    notebook.kernel.run("grid._concepts = {name: 3 for name in HOSTILE}; grid._own_tracks = False")
    notebook.kernel.run("grid.row = 17")
    expect(finder.card).to_contain_text("The kernel could not answer: TypeError: concepts[")


def test_a_saved_page_has_the_evidence_of_the_best(open_page, monkeypatch):
    monkeypatch.setattr("lstm_widgets.widgets.cell_finder._IN_A_FILE", 4)
    recording, ranking = ranked()
    finder = Finder(
        open_page(lw.CellFinder(recording, CONCEPTS, ranking=ranking)), 0, recording, ranking
    )
    finder.reads(0)
    expect(finder.card.locator("svg")).to_have_count(2)
    for number_ in (3, 1):
        row = ranking.iloc[number_]
        finder.row(number_).click()
        values = recording[row.layer][row.signal].to_numpy()[0, :, row.cell]
        at = int(values.argmax() if row.sign > 0 else values.argmin())
        expect(finder.status).to_contain_text(f"{row.layer} · cell {row.cell} · t={at} ")
        finder.reads(number_)
    finder.row(6).click()
    row = ranking.iloc[6]
    expect(finder.status).to_contain_text(f"{row.layer} · cell {row.cell} · ")
    expect(finder.card).to_contain_text("This file holds the evidence of the best rows only")
    expect(finder.card.locator("svg")).to_have_count(0)
    finder.control("find").fill("vowel")
    expect(finder.told).to_contain_text(f"of {len(ranking)} rows")
