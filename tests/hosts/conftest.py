"""One host at a time, with all samples in one page of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import jupyter
import marimo_app
import pytest
import webview

if TYPE_CHECKING:
    from collections.abc import Iterator

    from host import Host
    from playwright.sync_api import Browser

HOSTS = {
    "JupyterLab": partial(jupyter.notebook, app="lab"),
    "Notebook 7": partial(jupyter.notebook, app="notebook"),
    "Voila": jupyter.voila,
    "marimo edit": partial(marimo_app.marimo, mode="edit", wrapped=True),
    "marimo run": partial(marimo_app.marimo, mode="run", wrapped=False),
    "VS Code": webview.vscode,
    "Colab": webview.colab,
}


@pytest.fixture(scope="session", params=HOSTS)
def host(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    """Give one host after the other: pytest puts the tests of one together."""
    with HOSTS[request.param](browser, tmp_path_factory.mktemp("host")) as opened:
        yield opened
