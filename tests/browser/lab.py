"""A real JupyterLab and Notebook 7 in a real Chromium, for tests and benchmarks.

``serve`` starts a server of its own (own settings, own kernels, no network), which is both, ``launch`` a
browser, and ``Notebook`` is one open notebook: run its cells, ask its kernel, look at its page.
"""

from __future__ import annotations

import ast
import contextlib
import json
import re
import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import zmq
from chromium import find_chromium, missing
from jupyter_client.session import Session
from playwright.sync_api import expect, sync_playwright
from program import free_port, jupyter_environment, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from playwright.sync_api import Browser, Locator, Page
    from program import Program

# What never comes fails a test late; what comes late on a busy machine must not fail it at all.
expect.set_options(timeout=15_000)

ARTIFACTS = Path(__file__).resolve().parents[2] / ".artifacts"

# Nothing may ask the network or open a dialog by itself.
SETTINGS = {
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
        "checkForUpdates": False,
        "fetchNews": "false",
        "doNotDisturbMode": True,
    },
    "@jupyterlab/extensionmanager-extension/plugin.jupyterlab-settings": {"enabled": False},
    "@jupyterlab/docmanager-extension/plugin.jupyterlab-settings": {"autosave": False},
}

CHROMIUM_FLAGS = (
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
)

ANSI = re.compile(r"\x1b\[[0-9;]*m")


class CellError(AssertionError):
    """A cell, or code sent to the kernel, raised; the message is its traceback."""


# ---------------------------------------------------------------------------------------- server


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """Write a notebook of code cells."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells],
        metadata={
            "kernelspec": {
                "name": "python3",
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
            }
        },
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


@dataclass
class Server:
    """A running JupyterLab."""

    url: str
    root: Path
    runtime: Path
    settings: Path

    def write(self, name: str, cells: Sequence[str]) -> str:
        """Write a notebook of code cells into the root folder; return its name."""
        write_notebook(self.root / name, cells)
        return name

    def api(self, method: str, path: str, content: Any = None) -> Any:
        """Ask the server's REST interface; the decoded answer, None if it is empty."""
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"{self.url}api/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def forget_theme(self) -> None:
        """Let new pages be light again, whatever was chosen."""
        chosen = "@jupyterlab/apputils-extension/themes.jupyterlab-settings"
        (self.settings / chosen).unlink(missing_ok=True)

    def shut_down_kernels(self) -> None:
        """End every kernel that notebooks have started."""
        for kind in ("sessions", "kernels"):
            for item in self.api("GET", kind):
                try:
                    self.api("DELETE", f"{kind}/{item['id']}")
                except urllib.error.HTTPError as error:
                    if error.code != HTTPStatus.NOT_FOUND:  # it may have gone by itself
                        raise


@contextmanager
def serve(folder: Path) -> Iterator[Server]:
    """Run JupyterLab with all of its folders below ``folder`` until the block ends."""
    environment = jupyter_environment(folder)
    root, runtime, settings = (folder / name for name in ("root", "runtime", "settings"))
    for name, values in SETTINGS.items():
        path = settings / name
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(values))
    command = [
        *(sys.executable, "-m", "jupyterlab"),
        "--no-browser",
        "--expose-app-in-browser",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={free_port()}",
        f"--ServerApp.root_dir={root}",
        "--ServerApp.allow_root=True",
        "--ServerApp.terminals_enabled=False",
        "--IdentityProvider.token=",
        "--ServerApp.disable_check_xsrf=True",
        "--LabApp.extension_manager=readonly",
        "--JupyterNotebookApp.expose_app_in_browser=True",
    ]
    with running(command, folder, environment) as program:
        server = Server(_url_of(program, runtime), root, runtime, settings)
        yield server
        server.shut_down_kernels()


def _url_of(program: Program, runtime: Path) -> str:
    """Wait for the server; another program may have taken its port meanwhile: a file tells the one in use."""
    information = runtime / f"jpserver-{program.process.pid}.json"
    url = ""

    def ready() -> bool:
        nonlocal url
        with contextlib.suppress(OSError, ValueError, KeyError):
            url = str(json.loads(information.read_text())["url"])
            with urllib.request.urlopen(f"{url}api/status", timeout=5):
                return True
        return False

    program.wait_until(ready)
    return url


# ---------------------------------------------------------------------------------------- browser


@contextmanager
def launch() -> Iterator[Browser]:
    """Run a headless Chromium with a fresh profile until the block ends."""
    path = find_chromium()
    if path is None:
        raise RuntimeError(missing())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*CHROMIUM_FLAGS])
        try:
            yield browser
        finally:
            browser.close()


# ---------------------------------------------------------------------------------------- kernel


@dataclass
class Kernel:
    """The kernel behind a notebook, asked directly, past the page.

    It is the page's kernel: a trait set here reaches the page as if a cell had set it.
    """

    connection_file: Path

    def run(self, code: str, *, timeout: float = 30) -> None:
        """Execute ``code`` in the kernel's main namespace; ``CellError`` if it raises."""
        self._execute(code, {}, timeout)

    def value(self, expression: str, *, timeout: float = 30) -> Any:
        """Return the value of ``expression``, through JSON (arrays become lists)."""
        encoded = (
            "__import__('json').dumps("
            f"({expression}), default=lambda v: v.tolist() if hasattr(v, 'tolist') else str(v))"
        )
        answer = self._execute("", {"value": encoded}, timeout)["value"]
        if answer["status"] != "ok":
            raise CellError(ANSI.sub("", "\n".join(answer["traceback"])))
        return json.loads(ast.literal_eval(answer["data"]["text/plain"]))

    def _execute(self, code: str, expressions: dict[str, str], timeout: float) -> dict[str, Any]:
        # A plain socket rather than jupyter_client's clients: those want an event loop, and
        # Playwright's already runs in this thread. A fresh one each time outlives no restart.
        connection = json.loads(self.connection_file.read_text())
        session = Session(
            key=connection["key"].encode(), signature_scheme=connection["signature_scheme"]
        )
        context = zmq.Context.instance()
        with context.socket(zmq.DEALER) as shell:
            shell.linger = 0
            shell.connect(f"tcp://{connection['ip']}:{connection['shell_port']}")
            request = session.send(
                shell,
                "execute_request",
                {
                    "code": code,
                    "silent": False,
                    "store_history": False,
                    "user_expressions": expressions,
                    "allow_stdin": False,
                    "stop_on_error": True,
                },
            )
            deadline = time.monotonic() + timeout
            while True:
                left = deadline - time.monotonic()
                if left <= 0 or not shell.poll(left * 1000):
                    raise TimeoutError(f"the kernel gave no answer within {timeout} s to: {code}")
                _, reply = session.recv(shell)
                if reply["parent_header"].get("msg_id") == request["header"]["msg_id"]:
                    break
        content = reply["content"]
        if content["status"] != "ok":
            lines = content.get("traceback") or [content.get("evalue", content["status"])]
            raise CellError(ANSI.sub("", "\n".join(lines)))
        return content["user_expressions"]


# ---------------------------------------------------------------------------------------- notebook

# Every script below sees the notebook's panel as `panel` and the application as `app`.
_IN_PANEL = """async ([body, argument, timeout]) => {
  const app = window.jupyterapp;
  const panel = app?.shell.currentWidget;
  const late = new Promise((_, reject) =>
    setTimeout(() => reject(new Error(`not done within ${timeout} ms: ${body}`)), timeout));
  const run = new Function("app", "panel", "argument", `return (async () => { ${body} })()`);
  return await Promise.race([run(app, panel, argument), late]);
}"""

_READY = """() => {
  const context = window.jupyterapp?.shell.currentWidget?.context;
  const session = context?.sessionContext?.session;
  return Boolean(context?.isReady && session?.kernel?.connectionStatus === "connected"
    && session.kernel.status === "idle");
}"""


#: The kind of output that a widget is.
VIEW = "application/vnd.jupyter.widget-view+json"
# Whether in each output of a cell there is something.
_SHOWN = """area => [...area.querySelectorAll(".jp-OutputArea-output")].every((output) =>
  output.querySelector("button, canvas, img, input")
    || !["", "Loading widget..."].includes(output.innerText.trim()))"""
# Whether all widgets in an element, or it itself, are drawn with what they show; and nothing moved for some frames.
_SETTLED = """async (at) => {
  if (!at.isConnected) return false;
  const roots = [at, ...at.querySelectorAll(".lw")]
    .filter((each) => each.matches(".lw") && each.clientWidth > 0);
  if (roots.some((root) => !root.dataset.paints || root.ariaBusy === "true")) return false;
  const places = () => JSON.stringify([at, ...roots].map((each) => each.getBoundingClientRect()));
  const before = places();
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
  return places() === before;
}"""


@dataclass
class Notebook:
    """One notebook, open in one page."""

    page: Page
    server: Server
    name: str
    #: the application that shows it: "lab", or "notebook" for Notebook 7
    app: str = "lab"
    #: addresses outside the server that the page asked for
    outside: list[str] = field(default_factory=list)
    #: uncaught errors of the page, and what it wrote to its console as errors
    errors: list[str] = field(default_factory=list)
    #: whether its page was loaded anew: JupyterLab may then open what it had once more, whenever it gets to it
    reloaded: bool = False

    def __post_init__(self) -> None:
        self._heard = {
            "request": self._on_request,
            "pageerror": lambda error: self.errors.append(str(error)),
            "console": self._on_console,
            "dialog": lambda dialog: dialog.accept(),
        }
        for event, hear in self._heard.items():
            self.page.on(event, hear)

    def _on_request(self, request: Any) -> None:
        local = (self.server.url, self.server.url.replace("http", "ws", 1), "data:", "blob:")
        if not request.url.startswith(local):
            self.outside.append(request.url)

    def _on_console(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    # -- opening

    def open(self, *, timeout: float = 60) -> Notebook:
        """Open the notebook and wait for its kernel, in the JupyterLab of the page, else in a new one."""
        if self.app == "lab" and self.page.url.startswith(f"{self.server.url}lab"):
            self._in_panel(
                """const old = [...app.shell.widgets("main")];
                await app.commands.execute("docmanager:open", { path: argument, factory: "Notebook" });
                for (const widget of old) widget.dispose();""",
                self.name,
            )
        else:
            name = urllib.parse.quote(self.name)
            lab = f"lab/workspaces/test-{secrets.token_hex(4)}/tree/{name}?reset"
            where = {"lab": lab, "notebook": f"notebooks/{name}"}[self.app]
            self.page.goto(f"{self.server.url}{where}")
        self.wait_until_ready(timeout=timeout)
        self.dismiss_dialogs()
        self.errors.clear()  # what the application says while it starts is its own
        return self

    def reload(self, *, timeout: float = 60) -> None:
        """Save, then load the page anew; the kernel stays."""
        self.save()
        self.reloaded = True
        self.page.reload()
        self.wait_until_ready(timeout=timeout)
        self.dismiss_dialogs()

    def close(self) -> None:
        """Close the notebook, saved or not; its page and its kernel stay."""
        self._in_panel("panel.dispose();")
        for event, hear in self._heard.items():
            self.page.remove_listener(event, hear)

    def save(self) -> None:
        """Save the notebook, outputs included."""
        self._in_panel("await panel.context.save();")

    def wait_until_ready(self, *, timeout: float = 60) -> None:
        """Wait until the notebook is shown and its kernel is idle."""
        self.page.wait_for_function(_READY, timeout=timeout * 1000)
        self._in_panel("await app.restored; await panel.revealed; await panel.content.ready;")

    def dismiss_dialogs(self) -> None:
        """Close whatever dialogs stand open, by their first (cancelling) button."""
        dialogs = self.page.locator("dialog.jp-Dialog, .jp-Dialog")
        while dialogs.count():
            dialogs.first.locator("button.jp-Dialog-button").first.click()

    def _in_panel(self, body: str, argument: Any = None, *, timeout: float = 30) -> Any:
        return self.page.evaluate(_IN_PANEL, [body, argument, timeout * 1000])

    # -- running

    def run_all(self, *, timeout: float = 120) -> None:
        """Run every cell; ``CellError`` with the traceback of the first that raises."""
        self._in_panel('await app.commands.execute("notebook:run-all-cells");', timeout=timeout)
        self._after_running(timeout)

    def run(self, index: int, *, timeout: float = 120) -> None:
        """Run one cell, counted from 0; ``CellError`` with its traceback if it raises."""
        self._in_panel(
            """panel.content.deselectAll();
            panel.content.activeCellIndex = argument;
            await app.commands.execute("notebook:run-cell");""",
            index,
            timeout=timeout,
        )
        self._after_running(timeout, index)

    def add(self, source: str) -> int:
        """Append a code cell; return its index."""
        return self._in_panel(
            """const model = panel.content.model.sharedModel;
            model.addCell({ cell_type: "code", source: argument });
            return model.cells.length - 1;""",
            source,
        )

    def _after_running(self, timeout: float, index: int | None = None) -> None:
        self.page.wait_for_function(_READY, timeout=timeout * 1000)
        for number in range(self.count()) if index is None else (index,):
            for output in self.outputs(number):
                if output["output_type"] == "error":
                    text = ANSI.sub("", "\n".join(output["traceback"]))
                    raise CellError(f"cell {number} of {self.name}:\n{text}")

    def state(self) -> dict[str, Any]:
        """Give the cells (kind, source, how often run), the selected one, the mode, and what is unsaved."""
        return self._in_panel(
            """const { widgets, activeCellIndex, mode } = panel.content;
            const cell = ({ model }) => [model.type, model.sharedModel.source, model.executionCount];
            return { cells: widgets.map(cell), activeCellIndex, mode, dirty: panel.context.model.dirty };"""
        )

    def count(self) -> int:
        """Return the number of cells."""
        return self._in_panel("return panel.content.model.cells.length;")

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """Return a cell's outputs, as nbformat has them."""
        return self._in_panel(
            "return panel.content.model.cells.get(argument).outputs?.toJSON() ?? [];", index
        )

    # -- looking

    def output(self, index: int) -> Locator:
        """Scroll to a cell; once its widgets stand as they stay, return the locator of its output area."""
        self._in_panel("await panel.content.scrollToItem(argument, 'smart');", index)
        area = self.page.locator(
            f".jp-Notebook [data-windowed-list-index='{index}'] .jp-Cell-outputWrapper"
        )
        if any(VIEW in output.get("data", {}) for output in self.outputs(index)):
            eventually(lambda: area.evaluate(_SHOWN), True, timeout=60)
            settled(area)
        return area

    def received(self) -> None:
        """Wait until the page has got what the kernel has sent so far."""
        self._in_panel(
            """const asked = { code: "", silent: true, store_history: false };
            await panel.sessionContext.session.kernel.requestExecute(asked).done;"""
        )

    def theme(self, name: str) -> None:
        """Switch to the ``light`` or the ``dark`` theme."""
        title = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}[name]
        self._in_panel(
            'await app.commands.execute("apputils:change-theme", { theme: argument });', title
        )
        light = json.dumps(str(name == "light").lower())
        self.page.wait_for_function(f"document.body.dataset.jpThemeLight === {light}")
        settled(self.page.locator("body"))  # the page is laid out anew

    def screenshot(self, name: str) -> Path:
        """Take a picture of the page into the ignored folder ``.artifacts``; return its path."""
        path = ARTIFACTS / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        self.page.screenshot(path=path)
        return path

    # -- the kernel

    @property
    def kernel(self) -> Kernel:
        """The notebook's kernel."""
        identity = self._in_panel("return panel.sessionContext.session.kernel.id;")
        return Kernel(self.server.runtime / f"kernel-{identity}.json")

    def restart(self, *, timeout: float = 60) -> None:
        """Restart the kernel, without the question."""
        self._in_panel("await panel.sessionContext.restartKernel();", timeout=timeout)
        self.page.wait_for_function(_READY, timeout=timeout * 1000)


# ---------------------------------------------------------------------------------------- helpers


def pixel(canvas: Locator, x: float, y: float) -> tuple[int, int, int, int]:
    """Red, green, blue, alpha (0 to 255) of a canvas at CSS pixels from its upper left corner."""
    red, green, blue, alpha = canvas.evaluate(
        """(canvas, [x, y]) => {
          const column = Math.floor(x * canvas.width / canvas.clientWidth);
          const row = Math.floor(y * canvas.height / canvas.clientHeight);
          return [...canvas.getContext("2d").getImageData(column, row, 1, 1).data];
        }""",
        [x, y],
    )
    return red, green, blue, alpha


def settled(where: Locator) -> None:
    """Wait until all widgets there, or the one it is, stand as they stay: drawn, and nothing moves any more."""
    eventually(lambda: where.evaluate(_SETTLED), True, timeout=60)


def eventually(read: Callable[[], Any], expected: Any, *, timeout: float = 15) -> None:
    """Read again and again until ``read()`` equals ``expected``; else an error with the last value."""
    deadline = time.monotonic() + timeout
    while True:
        value = read()
        if value == expected:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"expected {expected!r} within {timeout} s, last was {value!r}")
        time.sleep(0.05)
