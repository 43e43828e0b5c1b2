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
    NotebookClient(notebook, timeout=600, resources=place, coalesce_streams=True).execute()
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if kept(output)]
    path.write_text(nbformat.writes(notebook) + "\n", "utf-8")
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
