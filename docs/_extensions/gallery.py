"""The gallery: every notebook is run, and its widgets stand in the site as pages that `save_html` wrote.

A notebook is run again only if it, its models or the package have changed since it was.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from docutils import nodes
from nbclient import NotebookClient
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

LOG = logging.getLogger(__name__)
ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
#: Where notebooks leave what they have shown; what is in `site` goes into the site as it is.
KEPT = ROOT / "build" / "gallery"
SITE = KEPT / "site"
PAGES = "application/vnd.lstm-widgets.pages+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
ANSI = re.compile(r"\x1b\[[0-9;]*m")
#: How high its page is, in pixels, at the width that it has here: nothing scrolls within a page that scrolls.
HEIGHTS = {
    "CellComparison": 920,
    "CellFinder": 1730,
    "CellGrid": 890,
    "DependencyHeatmap": 890,
    "ExampleGrid": 690,
    "Explorer": 1000,
    "RelevanceHeatmap": 870,
    "SeriesPlot": 800,
    "StateSpace": 810,
    "TextHeatmap": 800,
}
OTHERWISE = 800

#: Run in the notebook's kernel first: each widget that is shown is saved as a page, too.
SAVE_PAGES = """
def _save_pages(folder, mime):
    import inspect
    import itertools

    import ipywidgets
    from lstm_widgets.widgets.base import PageWidget
    from lstm_widgets.widgets.page import export

    # A page in the site is small: where not all of a recording fits, it has what it shows.
    export.FILE_BYTES = 6 * 2**20
    numbers = itertools.count(1)

    def pages(widget):
        if isinstance(widget, PageWidget):
            name = f"{next(numbers)}.html"
            exact = "exact" in inspect.signature(widget.save_html).parameters
            rounded = {"exact": False} if exact else {}
            widget.save_html(folder / name, overwrite=True, **rounded)
            return [[name, type(widget).__name__]]
        children = widget.children if isinstance(widget, ipywidgets.Box) else ()
        return [page for child in children for page in pages(child)]

    def with_pages(plain):
        def bundle(self, **options):
            data = plain(self, **options)
            (data[0] if isinstance(data, tuple) else data)[mime] = pages(self)
            return data

        return bundle

    for kind in (PageWidget, ipywidgets.Box):
        kind._repr_mimebundle_ = with_pages(kind._repr_mimebundle_)
"""


def digest(notebook: Path) -> str:
    """Name all that what a notebook shows depends on."""
    made_from = [notebook]
    for folder, pattern in (("notebooks/models", "*"), ("lstm_widgets", "**/*.*")):
        made_from += sorted(path for path in (ROOT / folder).glob(pattern) if path.is_file())
    kept = [path for path in made_from if "__pycache__" not in path.parts]
    parts = [SAVE_PAGES.encode(), *(path.read_bytes() for path in kept)]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def run(path: Path) -> nbformat.NotebookNode:
    """Run a notebook, or take what it showed when it was run on the same files."""
    kept, stamp, now = KEPT / path.name, KEPT / f"{path.stem}.digest", digest(path)
    if stamp.is_file() and stamp.read_text() == now:
        return nbformat.read(kept, as_version=4)
    LOG.info("running %s", path.name)
    folder = SITE / "gallery" / path.stem
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    notebook = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": path.parent}}
    client = NotebookClient(notebook, timeout=600, resources=place, coalesce_streams=True)
    begin = f"{SAVE_PAGES}\nimport pathlib\n_save_pages(pathlib.Path({str(folder)!r}), {PAGES!r})"
    quiet = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    with client.setup_kernel(env=quiet):
        client.kc.execute(begin, silent=True)
        for number, cell in enumerate(notebook.cells):
            client.execute_cell(cell, number)
    nbformat.write(notebook, kept)
    stamp.write_text(now)
    return notebook


def raw(html: str) -> str:
    """Put HTML into Markdown as it is."""
    return f"```````{{raw}} html\n{html}\n```````"


def live(source: str, kind: str) -> str:
    """Show a saved page in a frame that may run its own scripts, and nothing else."""
    height = HEIGHTS.get(kind, OTHERWISE)
    return raw(
        f'<figure class="live"><iframe src="{source}" title="{kind}" height="{height}" '
        f'loading="lazy" sandbox="allow-scripts"></iframe>'
        f'<figcaption><a href="{source}">{kind} on a page of its own</a></figcaption></figure>'
    )


def shown(output: Any, name: str) -> Iterator[str]:  # noqa: ANN401 - a notebook's node
    """Give what a cell has shown, as Markdown."""
    if output.output_type == "stream":
        if output.name == "stdout":
            yield f"```````text\n{ANSI.sub('', output.text).rstrip()}\n```````"
        return
    data = output.get("data", {})
    html, text = data.get("text/html", ""), ANSI.sub("", data.get("text/plain", ""))
    if PAGES in data:
        for number, kind in data[PAGES]:
            yield live(f"{name}/{number}", kind)
    elif WIDGET_VIEW in data:
        return  # a progress bar
    elif "image/png" in data:
        alt = escape(output.metadata.get("image/png", {}).get("alt", ""))
        yield raw(f'<img src="data:image/png;base64,{data["image/png"]}" alt="{alt}">')
    elif html and not html.startswith("<pre"):
        yield raw(f'<div class="shown">{html}</div>')
    elif text:
        yield f"```````text\n{text}\n```````"


def written(name: str, notebook: nbformat.NotebookNode) -> str:
    """Make a page of a notebook that was run."""
    parts = ["---\nhtml_theme.sidebar_secondary.remove: true\n---"]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```````python\n{cell.source}\n```````")
        parts += [part for output in cell.outputs for part in shown(output, name)]
    return "\n\n".join(parts) + "\n"


def picture(notebook: nbformat.NotebookNode) -> str:
    """Give the last still picture that a notebook has in the repository, in base64."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    pictures = [
        output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})
    ]
    return pictures[-1]


def write_pages(app: Sphinx) -> None:
    """Write a page for each notebook before the build reads them."""
    KEPT.mkdir(parents=True, exist_ok=True)
    for path in NOTEBOOKS:
        page = Path(app.srcdir) / "gallery" / f"{path.stem}.md"
        text = written(path.stem, run(path))
        if not page.is_file() or page.read_text("utf-8") != text:
            page.write_text(text, "utf-8")


class Cards(SphinxDirective):
    """One card a notebook: its picture, its title, and the first sentence."""

    def run(self) -> list[nodes.Node]:
        """Make the cards, in the order of the notebooks."""
        cards = []
        for path in NOTEBOOKS:
            notebook = nbformat.read(path, as_version=4)
            image = Path(self.env.app.outdir) / "_images" / f"{path.stem}.png"
            image.parent.mkdir(parents=True, exist_ok=True)
            image.write_bytes(base64.b64decode(picture(notebook)))
            heading, _, text = notebook.cells[0].source.partition("\n")
            sentence = re.sub(r"[*_`]", "", text.strip().split(". ")[0].replace("\n", " "))
            cards.append(
                f'<a class="card-of" href="{path.stem}.html">'
                f'<img src="../_images/{path.stem}.png" alt="" loading="lazy">'
                f"<strong>{escape(heading.lstrip('# '))}</strong>"
                f"<span>{escape(sentence.rstrip('.'))}.</span></a>"
            )
        html = f'<div class="cards">{"".join(cards)}</div>'
        return [nodes.raw("", html, format="html")]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Run what has to be run, and copy the saved pages as they are."""
    SITE.mkdir(parents=True, exist_ok=True)
    app.connect("builder-inited", write_pages, priority=100)
    app.config.html_extra_path = [*app.config.html_extra_path, str(SITE)]
    app.add_directive("gallery-cards", Cards)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": False}
