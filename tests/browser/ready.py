"""What notebooks of tests need, ready before it is asked for: started kernels, and a page of JupyterLab.

A page and a kernel cost seconds to start and a test needs neither to be new, only to be as if it were: a
kernel serves one notebook, and a page whose look or globals aren't what they were when it came is closed.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from lab import Kernel, Notebook

if TYPE_CHECKING:
    from concurrent.futures import Future

    from lab import Server
    from playwright.sync_api import Browser, Page

VIEWPORT = {"width": 1280, "height": 900}

#: All that the package offers is imported, and no name is left in the kernel.
WARM_UP = 'exec("from lstm_widgets import *", {})'

# What a test may leave behind that a notebook opened after it would see.
STATE = """() => ({
  globals: Object.keys(window).sort(),
  attributes: [document.documentElement, document.body].flatMap((element) =>
    [...element.attributes].flatMap(({ name, value }) => value.split(/; ?/)
      .map((part) => `${name}=${part}`)).sort()),
  native: Element.prototype.requestFullscreen.toString(),
  full: document.fullscreenElement !== null,
  size: [innerWidth, innerHeight, devicePixelRatio],
  media: ["print", "(prefers-color-scheme: dark)", "(prefers-reduced-motion: reduce)",
    "(forced-colors: active)"].map((query) => matchMedia(query).matches),
  dialogs: document.querySelectorAll(".jp-Dialog").length,
})"""


class Kernels:
    """Kernels that have imported the package; one more starts whenever one is taken."""

    def __init__(self, server: Server) -> None:
        self._server = server
        # Starting and ending go on beside the test, one after the other.
        self._worker = ThreadPoolExecutor(1)
        self._next = self._worker.submit(self._start)
        self._ended: list[Future[None]] = []

    def _start(self) -> str:
        identity = self._server.api("POST", "kernels", {"name": "python3", "path": ""})["id"]
        Kernel(self._server.runtime / f"kernel-{identity}.json").run(WARM_UP, timeout=120)
        return identity

    def serve(self, notebook: str) -> str:
        """Give the notebook of this name a kernel; return the name of their session."""
        kernel = self._next.result()
        self._next = self._worker.submit(self._start)
        session = {"path": notebook, "name": notebook, "type": "notebook", "kernel": {"id": kernel}}
        return self._server.api("POST", "sessions", session)["id"]

    def end(self, session: str) -> None:
        """End a session and its kernel."""
        self._ended.append(self._worker.submit(self._server.api, "DELETE", f"sessions/{session}"))

    def close(self) -> None:
        """Wait for what is going on; raise what has failed."""
        self._worker.shutdown()
        for future in [self._next, *self._ended]:
            future.result()


class Pages:
    """Pages to open notebooks in: one that was left as it was found is kept for the next."""

    def __init__(self, browser: Browser, server: Server) -> None:
        self._browser, self._server = browser, server
        #: What each page of JupyterLab was like when it came.
        self._states: dict[Page, Any] = {}
        self._free: list[Page] = []

    def notebook(self, name: str, app: str) -> Notebook:
        """Give a notebook, yet to be opened, a page that is kept, or a new one."""
        if app == "lab" and self._free:
            page = self._free.pop()
        else:
            context = self._browser.new_context(viewport=VIEWPORT)
            context.set_default_timeout(15_000)
            page = context.new_page()
        return Notebook(page, self._server, name, app)

    def open(self, notebook: Notebook) -> Notebook:
        """Open a notebook in its page."""
        notebook.open()
        if notebook.app == "lab" and notebook.page not in self._states:
            self._states[notebook.page] = notebook.page.evaluate(STATE)
        return notebook

    def close(self, notebook: Notebook, *, failed: bool) -> None:
        """Close a notebook; keep its page if nothing is left in it."""
        page = notebook.page
        state = self._states.get(page)
        if state is not None and not (failed or notebook.errors or notebook.reloaded):
            if page.evaluate("document.body.dataset.jpThemeLight") == "false":
                notebook.theme("light")
            notebook.close()
            page.set_viewport_size(VIEWPORT)
            page.mouse.move(0, 0)
            if page.evaluate(STATE) == state:
                self._free.append(page)
                return
        self._states.pop(page, None)
        page.context.close()
        self._server.forget_theme()  # which it keeps for all pages
