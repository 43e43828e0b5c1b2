"""marimo, with all samples in one notebook: to edit, or to run as an app."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from host import FOLLOWED, NAMES, SETUP, Host, watched
from lab import CellError, eventually
from program import free_port, running
from samples import BOXED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from host import Watched
    from playwright.sync_api import Browser, Locator

#: A field in the page for a line of Python, and what became of it, as JSON.
ASKING = """import json
import traceback


def answer(line):
    number, _, code = line.partition(":")
    try:
        kind = "eval" if number.startswith("value") else "exec"
        told = {"value": eval(compile(code, "<line>", kind), {"shown": shown})}
    except Exception:
        told = {"error": traceback.format_exc()}
    return json.dumps({"number": number, **told}, default=str)


field = mo.ui.text(full_width=True)
field"""
ANSWER = "mo.plain_text(answer(field.value))"
#: Runs again whenever its cell is moved.
FOLLOWING = """mo.plain_text(f"cell {followed.value['cell']}")"""


def _source(wrapped: bool) -> str:
    """Write the notebook; its widgets as they are, or wrapped in what marimo has for them."""

    def cell(source: str, takes: str = "", gives: str = "") -> str:
        body = "".join(f"    {line}\n" for line in source.splitlines())
        return f"@app.cell\ndef _({takes}):\n{body}    return{gives}\n\n\n"

    def sample(name: str) -> str:
        widget = f"shown[{name!r}].widget"
        if name == BOXED:
            return cell(f"mo.hstack([{widget}, mo.md('beside it')], widths=[3, 1])")
        if name == FOLLOWED:  # its value can be read of what it is wrapped in
            return cell(f"followed = mo.ui.anywidget({widget})\nfollowed", gives=" (followed,)")
        return cell(f"mo.ui.anywidget({widget})" if wrapped else widget)

    setup = "".join(f"    {line}\n" for line in f"import marimo as mo\n{SETUP}".splitlines())
    return (
        'import marimo\n\napp = marimo.App(width="full")\n\n'
        f"with app.setup:\n{setup}\n\n"
        + cell(ASKING, gives=" answer, field")
        + cell(ANSWER, takes="answer, field")
        + cell(FOLLOWING, takes="followed")
        + "".join(map(sample, NAMES))
        + 'if __name__ == "__main__":\n    app.run()\n'
    )


class App(Host):
    """A page of marimo's, in which Python is asked by a field."""

    def __init__(self, page: Watched) -> None:
        self.watched = page
        self._asked = 0
        self._outputs = page.page.locator("[id^='output-']")

    def output(self, name: str) -> Locator:
        return self._outputs.nth(3 + NAMES.index(name))

    def following(self) -> str:
        return self._outputs.nth(2).inner_text()

    def run(self, code: str) -> None:
        self._ask("run", code)

    def value(self, expression: str) -> Any:
        return self._ask("value", expression)

    def theme(self, name: str) -> None:
        self.watched.page.emulate_media(color_scheme=name)  # which its settings follow

    def _ask(self, kind: str, code: str) -> Any:
        self._asked += 1
        number = f"{kind} {self._asked}"
        field = self._outputs.nth(0).locator("input")
        field.fill(f"{number}:{code}")
        field.press("Enter")
        told: dict[str, Any] = {}

        def answered() -> bool:
            text = self._outputs.nth(1).inner_text()
            if f'"{number}"' not in text:
                return False
            told.update(json.loads(text))
            return True

        eventually(answered, True, timeout=30)
        if "error" in told:
            raise CellError(told["error"])
        return told["value"]


@contextmanager
def marimo(browser: Browser, folder: Path, mode: str, *, wrapped: bool) -> Iterator[App]:
    """Show all samples in marimo, which is told to ``edit`` the notebook or to ``run`` it."""
    settings = folder / "config" / "marimo" / "marimo.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('[display]\ntheme = "system"\n[runtime]\nauto_instantiate = true\n')
    notebook = folder / "notebook.py"
    notebook.write_text(_source(wrapped))
    kept = {f"XDG_{kind.upper()}_HOME": str(folder / kind) for kind in ("config", "state")}
    port = free_port()
    command = [
        *(sys.executable, "-m", "marimo", mode, str(notebook)),
        *("--headless", "--no-token", "--host", "127.0.0.1", "--port", str(port)),
        *(["--skip-update-check"] if mode == "edit" else []),
    ]
    with running(command, folder, os.environ | kept) as program, watched(browser) as page:
        program.wait_for(port)
        page.page.goto(f"http://127.0.0.1:{port}/")
        yield App(page)
