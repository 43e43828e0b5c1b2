"""CellFinder over variants: the table, the card and the picture of one after the other."""

from __future__ import annotations

import re

import numpy as np
import pytest
import recordings
from expected import Look
from lab import eventually
from playwright.sync_api import expect
from test_cell_finder import CONCEPTS, Finder
from widget_page import number

import lstm_widgets as lw

FINDER = """said = [lw.concepts.inside_double_quotes, lw.concepts.line_length, lw.concepts.vowel]
several = epochs(planted())
table = lw.rank_cells(several, said, signals="hidden_state", shifts=20)
grid = lw.CellFinder(several, said, ranking=table)
grid"""
ABOUT = ["layer", "signal", "cell", "concept"]


@pytest.fixture(scope="module")
def ranked():
    variants = recordings.epochs(recordings.planted())
    return variants, lw.rank_cells(variants, CONCEPTS, signals="hidden_state", shifts=20)


def twin(table, row, variant):
    same = (table[ABOUT] == table.loc[row, ABOUT]).all(axis=1)
    (found,) = table.index[same & (table["variant"] == variant)]
    return int(found)


def digits(value):
    return f"{value:.3f}".replace("-", "−")


def shows(finder, variants, table, row, less=""):
    """Hold the table and the card against numbers of Python's."""
    chosen = table.loc[row]
    expect(finder.row(row)).to_have_attribute("aria-selected", "true")
    own = table.index[table["variant"] == chosen.variant]
    eventually(lambda: set(finder.rows()) <= set(own), expected=True)
    score = chosen.score - (table.loc[twin(table, row, less)].score if less else 0)
    expect(finder.row(row).locator(".lw-score")).to_contain_text(digits(score))
    facts = finder.card.locator(".lw-facts").first
    expect(facts).to_contain_text(number(chosen.score))
    every = {
        name: one[chosen.layer][chosen.signal].to_numpy()[0, :, chosen.cell]
        for name, one in variants.items()
    }
    shown = {name: values - (every[less] if less else 0) for name, values in every.items()}
    first = finder.card.locator(".lw-passages button").first
    expect(first.locator(".lw-value")).to_have_text(number(float(shown[chosen.variant].max())))
    # The axis is that of all variants.
    low = min(values.min() for values in shown.values())
    high = max(values.max() for values in shown.values())
    name = finder.card.locator("svg").first.get_attribute("aria-label")
    assert f"from {number(float(low))} to {number(float(high))}:" in name


def test_the_slider_switches_ranking_and_evidence(show, ranked):
    variants, table = ranked
    notebook = show(FINDER)
    finder = Finder(notebook, 1, variants, table)
    names = [*variants]
    row = twin(table, 0, "epoch 0")
    finder.becomes(variant="epoch 0", row=row)
    shows(finder, variants, table, row)
    each = len(table) // 4
    expect(finder.told).to_have_text(f"{each} rows")
    # A place and a threshold of one's own stay.
    finder.set(timestep=11, threshold=0.25)
    slider = finder.control("variant")
    largest = max(
        np.abs(one[table["layer"][0]].hidden_state.to_numpy()).max() for one in variants.values()
    )
    for key, name in (("End", "epoch 3"), ("ArrowLeft", "epoch 2"), ("ArrowRight", "epoch 3")):
        slider.press(key)
        row = twin(table, 0, name)
        finder.becomes(variant=name, row=row, timestep=11, threshold=0.25)
        shows(finder, variants, table, row)
        expect(finder.status).to_contain_text(f"{name} · ")
        # A passage stands on the colours of all variants.
        values = variants[name][table["layer"][0]].hidden_state.to_numpy()[0, :, table["cell"][0]]
        peak = finder.card.locator(".lw-passages button").first.locator(".lw-peak")
        low, high = Look(threshold=0.25).colours(
            np.array([values.max()], float), np.abs(values).max(), float(largest)
        )

        def off(peak=peak, low=low, high=high):
            drawn = peak.evaluate("e => getComputedStyle(e).backgroundColor")
            colour = np.array([int(c) for c in re.findall(r"\d+", drawn)[:3]])
            return bool(((colour < low[0]) | (colour > high[0])).any())

        eventually(off, expected=False)
    # Sorting and filters stay, too.
    finder.control("sort score").click()
    finder.control("find").fill("vowel")
    for name in names:
        finder.control("variant name").select_option(name)
        part = table[(table["variant"] == name) & (table["concept"] == "vowel")]
        order = part.index[np.argsort(-part["score"].abs().to_numpy(), kind="stable")]
        eventually(lambda order=order: finder.rows()[:5] == [*order[:5]], expected=True)
    finder.control("find").fill("")
    # Another cell, chosen in a variant, is that of the others.
    finder.control("sort score").click()
    finder.control("sort score").click()
    chosen = int(table.index[table["variant"] == "epoch 3"][2])
    finder.row(chosen).click()
    finder.becomes(row=chosen, cell=int(table["cell"][chosen]))
    finder.set(variant="epoch 1")
    shows(finder, variants, table, twin(table, chosen, "epoch 1"))
    finder.set(row=chosen)
    expect(slider).to_have_attribute("aria-valuetext", "epoch 3")
    shows(finder, variants, table, chosen)
    # Less another variant: scores, passages and the distribution are of differences.
    finder.control("difference to").select_option("epoch 0")
    expect(finder.control("sort score")).to_have_text("Δ score")
    shows(finder, variants, table, chosen, less="epoch 0")
    expect(finder.card).to_contain_text("distribution of differences")
    expect(finder.card).to_contain_text("scores are of epoch 3.")
    finder.control("difference to").select_option("")
    shows(finder, variants, table, chosen)
    # One after the other, each with its evidence.
    play = finder.control("play")
    play.click()
    expect(play).to_have_attribute("aria-label", re.compile("^stop"))
    expect(play).to_have_attribute("aria-label", re.compile("^play"))
    finder.becomes(variant="epoch 3", row=chosen)
    expect(finder.notice).to_be_empty()
    notebook.theme("dark")
    expect(finder.root).to_have_attribute("data-theme", "dark")
    shows(finder, variants, table, chosen)


def test_a_saved_page_has_all_variants(open_page, ranked):
    variants, table = ranked
    saved = open_page(lw.CellFinder(variants, CONCEPTS, ranking=table))
    finder = Finder(saved, 0, variants, table)
    for name in ("epoch 3", "epoch 1"):
        finder.control("variant name").select_option(name)
        shows(finder, variants, table, twin(table, 0, name))
    finder.control("difference to").select_option("epoch 0")
    expect(finder.card).to_contain_text("that of this difference is in the notebook")
    expect(finder.control("sort score")).to_have_text("Δ score")
    assert saved.errors == []
    assert not [url for url in saved.asked if not url.startswith("file:")]


def test_an_explorer_finds_cells_in_variants(show):
    notebook = show(
        "lw.concepts.TEXT = (lw.concepts.inside_double_quotes, lw.concepts.vowel)\n"
        "explorer = lw.Explorer(epochs(planted()), variant='epoch 3')\nexplorer"
    )
    output = notebook.output(1)
    root = output.locator(".lw-explorer").first
    root.locator("[data-control='find cells']").check()
    finder = output.locator(".lw-inner .lw-cell-finder")
    expect(finder).to_have_attribute("data-paints", re.compile(r"\d"), timeout=30_000)
    selected = finder.locator("[role=row][aria-selected=true]")
    expect(selected).to_contain_text("inside_double_quotes")
    before = selected.locator(".lw-score").inner_text()
    root.locator("[data-control='variant']").first.press("Home")
    expect(finder.locator("[data-control='variant']")).to_have_attribute(
        "aria-valuetext", "epoch 0"
    )
    expect(selected.locator(".lw-score")).not_to_have_text(before)
    finder.locator("[data-control='variant']").press("End")
    expect(root.locator("[data-control='variant']").first).to_have_attribute(
        "aria-valuetext", "epoch 3"
    )
    expect(selected.locator(".lw-score")).to_have_text(before)
    eventually(lambda: notebook.kernel.value("explorer.finder.variant"), "epoch 3")
