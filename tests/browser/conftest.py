"""One Jupyter server and one Chromium a session; kernels and pages as in `ready`."""

from __future__ import annotations

import contextlib
import re
import shutil
from typing import TYPE_CHECKING

import lab
import pytest
from expected import drawn
from odd_host import OddHost
from ready import Kernels, Pages
from widget_page import SETUP, Saved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from playwright.sync_api import Browser

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.Server]:
    with lab.serve(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="session")
def kernels(server: lab.Server) -> Iterator[Kernels]:
    started = Kernels(server)
    yield started
    started.close()


@pytest.fixture(scope="session")
def pages(server: lab.Server, browser: Browser) -> Pages:
    return Pages(browser, server)


@pytest.fixture
def open_notebook(
    server: lab.Server, pages: Pages, kernels: Kernels, request: pytest.FixtureRequest
) -> Iterator[Callable[..., lab.Notebook]]:
    """
    Open a notebook made of the given code cells, or a copy of the file at the given path.

    In JupyterLab, or in Notebook 7 with ``app="notebook"``.
    """
    opened: list[lab.Notebook] = []
    sessions: list[str] = []
    test = re.sub(r"\W+", "-", request.node.name).strip("-")

    def open_notebook(cells: Sequence[str] | Path, *, app: str = "lab") -> lab.Notebook:
        name = f"{test}-{len(opened)}.ipynb"
        if isinstance(cells, (list, tuple)):
            server.write(name, cells)
        else:
            shutil.copyfile(cells, server.root / name)
        sessions.append(kernels.serve(name))
        opened.append(pages.notebook(name, app))
        return pages.open(opened[-1])

    yield open_notebook

    failed = request.node.stash.get(FAILED, False)
    for notebook in opened:
        if failed:
            picture = notebook.screenshot(notebook.name.removesuffix(".ipynb"))
            told = [f"picture: {picture}", *notebook.errors]
            request.node.add_report_section("teardown", "page", "\n".join(told))
        pages.close(notebook, failed=failed)
    for session in sessions:
        kernels.end(session)


@pytest.fixture
def show(open_notebook):
    """Open a notebook of the given cells, after one with the recordings, and run it."""
    opened = []

    def show(*cells, app="lab"):
        notebook = open_notebook([SETUP, *cells], app=app)
        opened.append(notebook)
        notebook.run_all()
        return notebook

    yield show
    for notebook in opened:
        assert notebook.errors == []
        assert notebook.outside == []


@pytest.fixture
def open_page(browser, tmp_path):
    """Save a widget, and open the file with the network cut."""
    with contextlib.ExitStack() as stack:
        opened = []

        def open_page(widget, *, scheme="light", before=None, scripts=True, **options):
            path = tmp_path / f"page-{len(opened)}.html"
            widget.save_html(path, **options)
            context = browser.new_context(
                viewport={"width": 1280, "height": 900},
                color_scheme=scheme,
                java_script_enabled=scripts,
            )
            stack.callback(context.close)
            context.set_default_timeout(15_000)
            context.set_offline(True)
            # A file is no request to the network: whatever else is asked for fails, and is told below.
            context.route(re.compile(r"^(?!file:|data:)"), lambda route: route.abort())
            saved = Saved(context.new_page())
            if before:
                saved.page.add_init_script(before)
            saved.page.goto(path.as_uri())
            if scripts:
                drawn(saved.page)
            opened.append((saved, path))
            return saved

        yield open_page
        for saved, path in opened:
            assert [url for url in saved.asked if not url.startswith("data:")] == [path.as_uri()]
            assert saved.errors == []


@pytest.fixture
def open_host(browser):
    """Open a page with a host of its own, and nothing else in it than what is given; see `OddHost`."""
    with contextlib.ExitStack() as stack:
        opened = []

        def open_host(body="<body></body>", *, scheme="light"):
            context = browser.new_context(
                viewport={"width": 1280, "height": 900}, color_scheme=scheme
            )
            stack.callback(context.close)
            context.set_default_timeout(15_000)
            context.set_offline(True)
            opened.append(OddHost(context.new_page(), body))
            return opened[-1]

        yield open_host
        for host in opened:
            assert host.errors == []
