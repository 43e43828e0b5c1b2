"""After the build: every link within the site leads somewhere, and no page fetches from elsewhere."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from sphinx.util import logging

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

LOG = logging.getLogger(__name__)
#: What a browser fetches by itself, and where it is named. A link that somebody may follow is none of it.
FETCHED = {"img": "src", "script": "src", "iframe": "src", "link": "href", "source": "src"}


class Page(HTMLParser):
    """The links of a page, what it fetches, and what can be linked to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.fetched: set[str] = set()
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take what the tag names."""
        given = {name: value or "" for name, value in attrs}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        if FETCHED.get(tag) in given:
            self.fetched.add(given[FETCHED[tag]])


def faults(site: Path) -> Iterator[str]:
    """Tell what is wrong with the links of a site, page by page."""
    # What `save_html` wrote has its own tests, and may not fetch. The theme brings templates of its own.
    others = {*(site / "gallery").glob("*/*.html"), *(site / "_static").rglob("*.html")}
    pages = {
        path: Page(path.read_text("utf-8"))
        for path in sorted(site.rglob("*.html"))
        if path not in others
    }
    for path, page in pages.items():
        name = path.relative_to(site)
        for link in sorted(page.links | page.fetched):
            parts = urlsplit(link)
            if parts.scheme == "data":
                continue
            if parts.scheme or parts.netloc:
                if link in page.fetched:
                    yield f"{name} fetches {link}"
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            there = pages[target].places if target in pages else ()
            if not target.is_file():
                yield f"{name} links to {link}, which isn't there"
            elif there and parts.fragment and unquote(parts.fragment) not in there:
                yield f"{name} links to {link}, a place that isn't in that page"


def warn(app: Sphinx, exception: Exception | None) -> None:
    """Make a warning of each fault, with which a strict build fails."""
    if exception is None and app.builder.format == "html":
        for fault in faults(Path(app.outdir)):
            LOG.warning("%s", fault)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Look when the build has finished."""
    app.connect("build-finished", warn)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
