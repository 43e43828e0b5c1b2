"""JupyterLab, Notebook 7 and Voila, each with all samples in one notebook."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import lab
from host import FOLLOWED, NAMES, SETUP, Host, root_of, watched
from program import free_port, jupyter_environment, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from host import Watched
    from playwright.sync_api import Browser, Locator

FOLLOWING = f"""import ipywidgets

label = ipywidgets.Label("cell 0")
shown[{FOLLOWED!r}].widget.observe(lambda change: setattr(label, "value", f"cell {{change.new}}"), "cell")
label"""
CELLS = [SETUP, FOLLOWING, *(f"shown[{name!r}].shown" for name in NAMES)]

#: What the template of Voila asks for, with or without a widget in the page.
FONTS = ("https://cdn.jsdelivr.net/npm/@fortawesome/",)


class Open(Host):
    """A notebook in JupyterLab or Notebook 7."""

    def __init__(self, notebook: lab.Notebook, page: Watched) -> None:
        self.notebook, self.watched = notebook, page
        self._kernel = notebook.kernel

    def output(self, name: str) -> Locator:
        return self.notebook.output(2 + NAMES.index(name))

    def following(self) -> str:
        return self.notebook.output(1).locator(".widget-label").inner_text()

    def run(self, code: str) -> None:
        self._kernel.run(code)

    def value(self, expression: str) -> Any:
        return self._kernel.value(expression)

    def theme(self, name: str) -> None:
        self.notebook.theme(name)


@contextmanager
def notebook(browser: Browser, folder: Path, app: str) -> Iterator[Open]:
    """Show all samples in JupyterLab (``app="lab"``) or Notebook 7 (``"notebook"``)."""
    with lab.serve(folder) as server, watched(browser) as page:
        opened = lab.Notebook(page.page, server, server.write("samples.ipynb", CELLS), app)
        opened.open()
        page.errors.clear()  # what the application says while it starts is its own
        opened.run_all()
        yield Open(opened, page)


class Dashboard(Host):
    """The page that Voila makes of a notebook; each time it is loaded it gets a kernel of its own."""

    own = FONTS

    def __init__(self, page: Watched, url: str, kernels: Path) -> None:
        self.watched, self._url, self._kernels = page, url, kernels
        self._kernel: lab.Kernel
        self._theme = ""
        self.theme("light")

    def output(self, name: str) -> Locator:
        return self._cell(2 + NAMES.index(name))

    def following(self) -> str:
        return self._cell(1).locator(".widget-label").inner_text()

    def _cell(self, index: int) -> Locator:
        return self.watched.page.locator(f"[cell-index='{1 + index}']")

    def run(self, code: str) -> None:
        self._kernel.run(code)

    def value(self, expression: str) -> Any:
        return self._kernel.value(expression)

    def theme(self, name: str) -> None:
        if name == self._theme:
            return
        before = self._files()
        self.watched.page.goto(f"{self._url}?theme={name}", wait_until="commit", timeout=60_000)
        root_of(self, NAMES[-1])
        (new,) = self._files() - before
        self._kernel, self._theme = lab.Kernel(new), name

    def _files(self) -> set[Path]:
        return {*self._kernels.rglob("kernel-*.json")}


@contextmanager
def voila(browser: Browser, folder: Path) -> Iterator[Dashboard]:
    """Show all samples in Voila."""
    environment, port = jupyter_environment(folder), free_port()
    notebook, kernels = folder / "root" / "samples.ipynb", folder / "runtime"
    lab.write_notebook(notebook, CELLS)
    command = [
        *(sys.executable, "-m", "voila", str(notebook)),
        *("--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"),
        f"--Voila.connection_dir_root={kernels}",
    ]
    with running(command, folder, environment) as program, watched(browser) as page:
        program.wait_for(port)
        yield Dashboard(page, f"http://127.0.0.1:{port}/", kernels)
