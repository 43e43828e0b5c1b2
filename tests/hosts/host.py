"""What a host of widgets is to a test: a page with all samples, and the Python that they are of."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lab import settled
from playwright.sync_api import expect
from samples import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

TESTS = Path(__file__).resolve().parents[1]
#: Where a kernel finds the samples, and what they are made with.
PATHS = [str(TESTS / "hosts"), str(TESTS / "browser"), str(TESTS)]
#: The first cell of a host's notebook; then one that shows what follows a widget, then one for each sample.
SETUP = f"import sys\n\nsys.path[:0] = {PATHS}\nimport samples\n\nshown = samples.make()"
#: Whose cell is followed, by what Python does whenever it changes.
FOLLOWED = "CellGrid"
NAMES = tuple(SAMPLES)
#: What is on this machine, or in the page itself.
HERE = r"(?:(?:http|ws)://(?:127\.0\.0\.1|localhost)[:/]|data:|blob:|file:|about:)"
VIEWPORT = {"width": 1280, "height": 1000}


class Watched:
    """A page: what it asks for elsewhere, which it doesn't get, and what goes wrong in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.outside: list[str] = []
        self.errors: list[str] = []
        # Also of the workers and the frames of the page.
        page.context.on("request", self._on_request)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: dialog.accept())

    def _on_request(self, request: Any) -> None:
        if not re.match(HERE, request.url):
            self.outside.append(request.url)


@contextmanager
def watched(browser: Browser) -> Iterator[Watched]:
    """Open a page that gets nothing from elsewhere."""
    # A page that a test itself answers with is of no network, and may ask this machine only if it is let.
    context = browser.new_context(viewport=VIEWPORT, permissions=["local-network-access"])
    context.set_default_timeout(20_000)
    context.route(re.compile(f"^(?!{HERE})"), lambda route: route.abort())
    try:
        yield Watched(context.new_page())
    finally:
        context.close()


class Host(Protocol):
    """A host that shows every sample."""

    #: what the page of the host itself asks for elsewhere, whatever is in it: how the addresses begin
    own: tuple[str, ...] = ()
    watched: Watched

    def output(self, name: str) -> Locator:
        """Give the place in which a sample stands."""

    def following(self) -> str:
        """Give what is shown of what follows the cell of a widget: ``cell 3``."""

    def run(self, code: str) -> None:
        """Let Python run a statement that knows all samples as ``shown``."""

    def value(self, expression: str) -> Any:
        """Give the value of an expression in Python, through JSON."""

    def theme(self, name: str) -> None:
        """Make the host ``light`` or ``dark``."""

    def ground(self, name: str, theme: str) -> str:
        """Whether a sample stands on what is light or dark in such a host."""
        del name
        return theme


def root_of(host: Host, name: str) -> Locator:
    """Give a sample's widget in the page, once it stands as it stays."""
    root = host.output(name).locator(".lw").first
    expect(root).to_have_attribute("data-paints", re.compile(r"\d"), timeout=60_000)
    settled(root)
    return root
