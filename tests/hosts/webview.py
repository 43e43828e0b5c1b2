"""A page with a widget manager of its own and a kernel elsewhere: VS Code's, as it is published."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import lab
from host import NAMES, SETUP, Host, watched
from jupyter import FOLLOWING
from samples import BOXED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from host import Watched
    from playwright.sync_api import Browser, Locator, Route

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
#: What the page gets, by the last part of its address.
FILES = {
    "require.js": MODULES / "requirejs" / "require.js",
    "anywidget.js": MODULES / "anywidget" / "dist" / "index.js",
    "vscode.js": MODULES / "@vscode" / "jupyter-ipywidgets8" / "dist" / "ipywidgets.js",
}
#: What VS Code's page has of its theme: variables, and these colours among them.
COLOURS = {"light": ("#ffffff", "#3b3b3b"), "dark": ("#1f1f1f", "#cccccc")}
PAGE = """<!doctype html>
<html><head><meta charset="utf-8">
<style>
body { background: var(--vscode-editor-background); color: var(--vscode-editor-foreground); }
/* As VS Code has it, whatever the theme. */
.cell-output-ipywidget-background { background: white !important; }
.output { margin: 0 0 24px; }
</style>
<script src="/files/require.js"></script>
<script src="/files/bridge.js"></script>
</head><body></body></html>"""
THEME = """([theme, ground, ink]) => {
  const { style } = document.documentElement;
  style.setProperty("--vscode-editor-background", ground);
  style.setProperty("--vscode-editor-foreground", ink);
  document.body.className = `vscode-${theme}`;
  document.body.dataset.vscodeThemeKind = `vscode-${theme}`;
}"""
CELL = """async ([name, code]) => {
  const output = document.createElement("div");
  output.className = "output cell-output-ipywidget-background";
  output.dataset.name = name;
  document.body.append(output);
  await cell(code, output);
}"""


class Webview(Host):
    """Such a page."""

    def __init__(self, page: Watched, kernel: lab.Kernel) -> None:
        self.watched, self._kernel = page, kernel

    def output(self, name: str) -> Locator:
        return self.watched.page.locator(f".output[data-name='{name}']")

    def following(self) -> str:
        return self.output("following").locator(".widget-label").inner_text()

    def run(self, code: str) -> None:
        self._kernel.run(code)

    def value(self, expression: str) -> Any:
        return self._kernel.value(expression)

    def theme(self, name: str) -> None:
        self.watched.page.evaluate(THEME, [name, *COLOURS[name]])

    def ground(self, name: str, theme: str) -> str:
        # What others have in their boxes is black on white, as VS Code has it.
        return "light" if name == BOXED else theme


def bundle(folder: Path) -> Path:
    """Make one script of the page's own and of what connects it with the kernel."""
    made = folder / "bridge.js"
    esbuild = HERE.parents[1] / "js" / "node_modules" / ".bin" / "esbuild"
    command = [esbuild, HERE / "bridge.js", "--bundle", "--log-level=error", f"--outfile={made}"]
    subprocess.run(command, check=True)
    return made


@contextmanager
def vscode(browser: Browser, folder: Path) -> Iterator[Webview]:
    """Show all samples with VS Code's widget manager."""
    with lab.serve(folder) as server, watched(browser) as page:
        files = FILES | {"bridge.js": bundle(folder)}

        def answer(route: Route) -> None:
            name = urlsplit(route.request.url).path.rpartition("/")[2]
            if name == "page.html":
                route.fulfill(body=PAGE, content_type="text/html")
            else:
                route.fulfill(path=files[name], content_type="text/javascript")

        page.page.route(f"{server.url}files/**", answer)
        identity = server.api("POST", "kernels", {"name": "python3", "path": ""})["id"]
        page.page.goto(f"{server.url}files/page.html")
        opened = Webview(page, lab.Kernel(server.runtime / f"kernel-{identity}.json"))
        opened.theme("light")
        page.page.evaluate("([host, kernel]) => open(host, kernel)", ["vscode", identity])
        cells = {"setup": SETUP, "following": FOLLOWING}
        cells |= {name: f"shown[{name!r}].shown" for name in NAMES}
        for name, code in cells.items():
            page.page.evaluate(CELL, [name, code])
        yield opened
