"""The site's check of its links finds what is wrong, and nothing else."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

sys.path.append(str(ROOT / "docs" / "_extensions"))

import links


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "how_to").mkdir()
    (tmp_path / "pic ture.png").write_bytes(b"")
    (tmp_path / "index.html").write_text('<h2 id="here">Here</h2>')
    return tmp_path


def found(site: Path, html: str) -> list[str]:
    (site / "how_to" / "page.html").write_text(html)
    return list(links.faults(site))


@pytest.mark.parametrize(
    "html",
    [
        '<a href="../index.html#here">a place</a>',
        '<a href="..">the folder of index.html</a>',
        '<a href="#x">below</a><p id="x">',
        '<a href="https://example.org/page">to follow</a>',
        '<img src="../pic%20ture.png">',
        '<img src="data:image/png;base64,AAAA">',
        "&lt;a href='nowhere'&gt;",
    ],
)
def test_what_leads_somewhere_is_right(site: Path, html: str) -> None:
    assert found(site, html) == []


@pytest.mark.parametrize(
    ("html", "told"),
    [
        ('<a href="../gone.html">', "../gone.html, which isn't there"),
        ('<a href="../index.html#there">', "a place that isn't in that page"),
        ('<a href="#x"><p id="y">', "a place that isn't in that page"),
        ('<img src="gone.png">', "gone.png, which isn't there"),
        ('<script src="https://example.org/a.js">', "fetches https://example.org/a.js"),
        ('<link rel="stylesheet" href="//example.org/a.css">', "fetches //example.org/a.css"),
    ],
)
def test_what_leads_nowhere_or_out_is_told(site: Path, html: str, told: str) -> None:
    (fault,) = found(site, html)
    assert fault.startswith("how_to/page.html ")
    assert told in fault
