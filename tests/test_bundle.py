"""The bundles that are shipped: small, and with no way to the network or to run text as code."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STATIC = ROOT / "lstm_widgets" / "static"
BUNDLES = sorted(path for path in STATIC.iterdir() if path.is_file())
#: A name of XML is no address: nothing is fetched from it.
NAMESPACES = ("http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml")

FORBIDDEN = [
    r"innerHTML",
    r"outerHTML",
    r"insertAdjacentHTML",
    r"createContextualFragment",
    r"document\.write",
    r"setHTMLUnsafe",
    r"srcdoc",
    r"DOMParser",
    r"\beval\b",
    r"\bnew\s+Function\b|\bFunction\s*\(",
    r"\bset(?:Timeout|Interval)\s*\(\s*[\"'`]",
    r"\bfetch\s*\(",
    r"XMLHttpRequest",
    r"WebSocket",
    r"EventSource",
    r"sendBeacon",
    r"\bimport\s*\(",
    r"\bimport\s*[\"'{*]",
    r"@import",
    r"https?://",
    r"url\(\s*[\"']?(?!data:)",
]


def test_every_widget_has_its_bundle() -> None:
    names = {path.name for path in BUNDLES}
    widgets = (
        *("cell_comparison", "cell_finder", "cell_grid", "dependency_heatmap", "example_grid"),
        *("explorer", "gate_inspector", "relevance_heatmap", "series_plot", "state_space"),
        *("text_heatmap", "what_if"),
    )
    assert names == {f"{widget}.{kind}" for widget in widgets for kind in ("js", "css")} | {
        "page.js"
    }


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.name)
def test_a_bundle_is_small(path: Path) -> None:
    """As it is sent: compressed."""
    # Of all of them, 6 kB are series: clocks of zones, ticks, lines of channels.
    # These have the pictures of several widgets in one, the lines of SeriesPlot, too; the grid
    # has the matches of spans below it; SeriesPlot has relevance behind its lines. Of each, 2.4 kB choose
    # among variants, and 1.1 kB of CellFinder find the same row in each.
    most = {
        "cell_comparison.js": 52_000,
        "cell_grid.js": 52_000,
        "explorer.js": 77_500,
        "cell_finder.js": 78_700,
    }
    most["series_plot.js"] = 53_500
    most["state_space.js"] = 50_500
    otherwise = 5_000 if path.suffix == ".css" else 46_500
    assert 0 < len(gzip.compress(path.read_bytes(), 9)) < most.get(path.name, otherwise)


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.name)
@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_a_bundle_reaches_for_nothing(path: Path, pattern: str) -> None:
    text = path.read_text("utf-8")
    for name in NAMESPACES:
        text = text.replace(name, "")
    found = re.search(pattern, text)
    assert found is None, text[max(0, found.start() - 60) : found.end() + 60]


@pytest.mark.parametrize("path", [p for p in BUNDLES if p.suffix == ".js"], ids=lambda p: p.name)
def test_a_bundle_is_one_module_with_a_default(path: Path) -> None:
    """What anywidget loads; and nothing that a page's RequireJS would answer to."""
    text = path.read_text("utf-8")
    assert re.search(r"export\s*\{[^}]*\bas default\b", text)
    assert "define.amd" not in text
