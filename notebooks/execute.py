"""Run notebooks from top to bottom, and keep the outputs that a reader on the web should see.

    python notebooks/execute.py notebooks/02_language_model.ipynb ...

Widgets leave their still picture and their text; what needs a kernel or a page is taken out, and so
are progress bars and what libraries log.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NEEDS_A_KERNEL = "application/vnd.jupyter.widget-view+json"

#: Widgets side by side have no still picture of their own: the kernel makes one of what is in the box.
BOXES = """
def _boxes_have_pictures():
    import base64
    import io

    import ipywidgets
    from PIL import Image

    plain = ipywidgets.Box._repr_mimebundle_

    def has_picture(widget):
        if isinstance(widget, ipywidgets.Box):
            return widget.children and all(map(has_picture, widget.children))
        return hasattr(widget, "_png")

    def picture(widget):
        if not isinstance(widget, ipywidgets.Box):
            return Image.open(io.BytesIO(widget._png()))
        parts = [picture(child) for child in widget.children]
        across = isinstance(widget, ipywidgets.HBox)
        widths, heights = [part.width for part in parts], [part.height for part in parts]
        size = (sum(widths), max(heights)) if across else (max(widths), sum(heights))
        whole = Image.new("RGB", size, "white")
        at = 0
        for part in parts:
            whole.paste(part, (at, 0) if across else (0, at))
            at += part.width if across else part.height
        return whole

    def bundle(self, **options):
        data = plain(self, **options)
        if not has_picture(self):
            return data
        file = io.BytesIO()
        picture(self).quantize(256).save(file, "PNG", optimize=True)
        return {**data, "image/png": base64.b64encode(file.getvalue()).decode()}

    ipywidgets.Box._repr_mimebundle_ = bundle


_boxes_have_pictures()
"""


def kept(output: nbformat.NotebookNode) -> bool:
    """Take out of an output what needs a kernel, and tell whether anything is left."""
    if output.output_type == "stream":
        return output.name == "stdout"
    data = output.get("data", {})
    if NEEDS_A_KERNEL not in data:
        return True
    del data[NEEDS_A_KERNEL]
    return "image/png" in data


for path in map(Path, sys.argv[1:]):
    notebook = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": path.parent}}
    client = NotebookClient(notebook, timeout=600, resources=place, coalesce_streams=True)
    with client.setup_kernel():
        client.kc.execute(BOXES, silent=True)
        for number, cell in enumerate(notebook.cells):
            client.execute_cell(cell, number)
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if kept(output)]
    path.write_text(nbformat.writes(notebook) + "\n", "utf-8")
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
