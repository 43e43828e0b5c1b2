"""What the pages of the site say is run as it stands; the site has a page for each public name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pages
import pytest
from conftest import ROOT

import lstm_widgets as lw

if TYPE_CHECKING:
    from pathlib import Path

DOCS = ROOT / "docs"
START = DOCS / "get_started.md"
LINK = re.compile(r"\]\(([^)\s]+)\)")
#: What a build makes.
MADE = re.compile(r"generated/|gallery/[0-9]")


def written() -> list[Path]:
    """Give the pages that are in the repository, not those that a build makes."""
    pages_of_site = [
        page for page in sorted(DOCS.rglob("*.md")) if not MADE.search(page.as_posix())
    ]
    return [*pages_of_site, ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]


WITH_EXAMPLES = [
    page
    for page in written()
    if DOCS in page.parents and page != START and "```python" in page.read_text("utf-8")
]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run *Get started*, whose names the other pages go on with."""
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("start"))
        pages.run(START, names)
    assert {"lw", "model", "text", "symbols", "recording"} <= set(names)
    return names


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: str(page.relative_to(DOCS)))
def test_examples_of_a_page_run(
    page: Path, start: dict[str, Any], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pages.run(page, dict(start))


def test_every_public_name_is_in_the_reference() -> None:
    text = (DOCS / "reference" / "index.md").read_text("utf-8")
    listed = set(re.findall(r"^   (\w+)$", text, re.MULTILINE))
    assert listed == set(lw.__all__) - {"concepts", "errors"}


def test_every_concept_is_in_the_reference() -> None:
    text = (DOCS / "reference" / "concepts.md").read_text("utf-8")
    listed = set(re.findall(r"^   (\w+)$", text, re.MULTILINE))
    made = {name for name in lw.concepts.__all__ if callable(getattr(lw.concepts, name))}
    ready = {
        name
        for name in lw.concepts.__all__
        if isinstance(getattr(lw.concepts, name), lw.concepts.Concept)
    }
    assert listed == made - ready - {"Concepts"}


@pytest.mark.parametrize("page", written(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Also for who reads the file itself; what the build makes is checked by the build."""
    for link in LINK.findall(page.read_text("utf-8")):
        if re.match(r"https://[a-z0-9.-]+\.[a-z]+(/\S*)?$", link):
            continue
        path = link.split("#")[0]
        assert MADE.search(path) or (page.parent / path).exists(), f"{page.name}: {link}"


def test_a_page_of_the_list_is_on_the_list() -> None:
    for folder in ("how_to", "concepts"):
        index = (DOCS / folder / "index.md").read_text("utf-8")
        there = {page.stem for page in (DOCS / folder).glob("*.md")} - {"index"}
        assert {link.removesuffix(".md") for link in LINK.findall(index)} >= there
        assert set(index.split("```{toctree}")[1].split()) - {":hidden:", "```"} == there
