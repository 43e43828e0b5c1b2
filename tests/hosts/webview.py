"""Pages with a widget manager of their own and a kernel elsewhere: VS Code's, as it is published, and Colab's kind."""

from __future__ import annotations

import json
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
    from playwright.sync_api import Browser, Locator, Page, Route

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
#: What the page gets, by the last part of its address.
FILES = {
    "require.js": MODULES / "requirejs" / "require.js",
    "anywidget.js": MODULES / "anywidget" / "dist" / "index.js",
    "html-manager.js": MODULES / "@jupyter-widgets" / "html-manager" / "dist" / "embed-amd.js",
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
#: What is run, by the name of what it shows.
CELLS = {"setup": SETUP, "following": FOLLOWING} | {
    name: f"shown[{name!r}].shown" for name in NAMES
}


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
        # What others have in their boxes is black on white: the managers' boxes know no dark.
        return "light" if name == BOXED else theme


def bundle(folder: Path) -> Path:
    """Make one script of the page's own and of what connects it with the kernel."""
    made = folder / "bridge.js"
    esbuild = HERE.parents[1] / "js" / "node_modules" / ".bin" / "esbuild"
    command = [esbuild, HERE / "bridge.js", "--bundle", "--log-level=error", f"--outfile={made}"]
    subprocess.run(command, check=True)
    return made


def answer_with(page: Page, url: str, files: dict[str, Path], html: str) -> None:
    """Let a page get these files, and ``page.html``, from below an address."""

    def answer(route: Route) -> None:
        name = urlsplit(route.request.url).path.rpartition("/")[2]
        if name == "page.html":
            route.fulfill(body=html, content_type="text/html")
        else:
            route.fulfill(path=files[name], content_type="text/javascript")

    page.route(f"{url}files/**", answer)


@contextmanager
def vscode(browser: Browser, folder: Path) -> Iterator[Webview]:
    """Show all samples with VS Code's widget manager."""
    with lab.serve(folder) as server, watched(browser) as page:
        answer_with(page.page, server.url, FILES | {"bridge.js": bundle(folder)}, PAGE)
        identity = server.api("POST", "kernels", {"name": "python3", "path": ""})["id"]
        page.page.goto(f"{server.url}files/page.html")
        opened = Webview(page, lab.Kernel(server.runtime / f"kernel-{identity}.json"))
        opened.theme("light")
        page.page.evaluate("([host, kernel]) => open(host, kernel)", ["vscode", identity])
        for name, code in CELLS.items():
            page.page.evaluate(CELL, [name, code])
        yield opened


# ---------------------------------------------------------------------------------------- Colab

#: An output of Colab: a page of another origin than the notebook's.
FRAME = """<!doctype html>
<html theme="light"><head><meta charset="utf-8">
<style>
html { background: white; color: #212121; }
html[theme=dark] { background: #383838; color: #e3e3e3; }
</style>
<script src="/files/require.js"></script>
<script src="/files/html-manager.js"></script>
<script src="/files/bridge.js"></script>
</head><body></body></html>"""
#: What its frames may.
SANDBOX = (
    "allow-downloads allow-forms allow-pointer-lock allow-popups allow-same-origin allow-scripts"
)
FRAMED = """async ([name, code, kernel]) => {
  await open("frame", kernel);
  await cell(code, document.body);
}"""
#: What its kernels run with here: Colab's own versions, and what is installed beside them.
PINS = dict(
    line.split("==")
    for line in (HERE.parents[1] / "constraints-colab.txt").read_text().splitlines()
    if not line.startswith("#")
)
PYTHON = HERE.parents[1] / "build" / "colab" / "bin" / "python"


class Frames(Webview):
    """A notebook each of whose outputs stands in a frame of its own."""

    def output(self, name: str) -> Locator:
        frame = self.watched.page.locator(f"iframe[name={json.dumps(name)}]")
        frame.scroll_into_view_if_needed()
        return frame.content_frame.locator("body")

    def theme(self, name: str) -> None:
        for frame in self.watched.page.frames[1:]:
            frame.evaluate("theme => document.documentElement.setAttribute('theme', theme)", name)


@contextmanager
def colab(browser: Browser, folder: Path) -> Iterator[Frames]:
    """Show each sample in a frame of its own, by a kernel with the versions that Colab has."""
    with lab.serve(folder) as server, watched(browser) as page:
        spec = folder / "data" / "kernels" / "colab" / "kernel.json"
        spec.parent.mkdir(parents=True)
        command = [str(PYTHON), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec.write_text(
            json.dumps({"argv": command, "display_name": "Colab", "language": "python"})
        )
        identity = server.api("POST", "kernels", {"name": "colab", "path": ""})["id"]
        kernel = lab.Kernel(server.runtime / f"kernel-{identity}.json")
        kernel.run(SETUP, timeout=120)
        files = FILES | {"bridge.js": bundle(folder)}
        answer_with(page.page, server.url, files, FRAME)
        outside = server.url.replace("127.0.0.1", "localhost")
        names = [name for name in CELLS if name != "setup"]
        frames = "".join(
            f'<iframe name="{name}" sandbox="{SANDBOX}" allow="local-network-access" src="{server.url}files/page.html" '
            'style="width: 100%; height: 960px; border: 0"></iframe>'
            for name in names
        )
        answer_with(page.page, outside, files, f"<!doctype html><body>{frames}</body>")
        page.page.goto(f"{outside}files/page.html")
        for name in names:
            page.page.frame(name).evaluate(FRAMED, [name, CELLS[name], identity])
        yield Frames(page, kernel)
