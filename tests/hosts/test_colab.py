"""Colab's own versions: the package fits beside them, tells Colab what it has to be told, and its page runs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from webview import PINS, PYTHON

ROOT = Path(__file__).parents[2]
#: What Colab's kernels have, as its release notes and users of it report.
COLAB = {
    "ipykernel": "6.17.1",
    "ipython": "7.34.0",
    "ipywidgets": "7.7.1",
    "keras": "3.10.0",
    "numpy": "2.0.2",
    "pandas": "2.2.2",
    "tensorflow": "2.19.0",
    "traitlets": "5.7.1",
}
SHELL = f"""
import sys, types, json
sys.path[:0] = {[str(ROOT / "tests"), str(ROOT / "tests" / "hosts"), str(ROOT / "tests" / "browser")]}
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
"""
#: Colab's own module, as far as widgets ask it.
OUTPUT = """
output = types.ModuleType("google.colab.output")
output.enabled = 0
def enable():
    output.enabled += 1
output.enable_custom_widget_manager = enable
output._widgets = types.SimpleNamespace(_installed_url="https://example.org/manager.js")
sys.modules["google.colab.output"] = output
"""


def said(code: str) -> Any:
    """Run code with Colab's versions, and give what it prints last, from JSON."""
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_what_colab_has_stays():
    found = said(
        "import json; from importlib.metadata import version\n"
        f"print(json.dumps({{name: version(name) for name in {list(COLAB)}}}))"
    )
    assert found == COLAB
    assert {name: PINS[name] for name in COLAB} == COLAB


def test_what_notebooks_load_was_saved_so_that_colab_reads_it():
    models = sorted((ROOT / "notebooks" / "models").glob("*.keras"))
    found = said(
        "import json, keras\n"
        f"read = [keras.models.load_model(path).count_params() for path in {[*map(str, models)]}]\n"
        "print(json.dumps(read))"
    )
    assert len(found) == len(models) > 0
    assert min(found) > 100


def test_colab_is_told_of_its_widget_manager():
    code = "import samples; widget = samples.WIDGETS['CellGrid']()\n"
    code += "data, about = shell.display_formatter.format(widget)\n"
    code += "print(json.dumps([output.enabled, sorted(data), about]))"
    enabled, kinds, about = said(SHELL + OUTPUT + code)
    view = "application/vnd.jupyter.widget-view+json"
    assert enabled == 1
    assert kinds == [view, "image/png", "text/plain"]
    manager = {"custom_widget_manager": {"url": "https://example.org/manager.js"}}
    assert about == {view: {"colab": manager}}


def test_its_page_runs(tmp_path):
    """As cells: with the magic, and what the last line gives is displayed."""
    code = f"""
import os, pages
from pathlib import Path
os.chdir({str(tmp_path)!r})
page = Path({str(ROOT / "docs" / "how_to" / "colab.md")!r})
lines, shown = [], []
shell.register_magic_function(lines.append, "line", "pip")
formatter = shell.display_formatter.format
shell.display_formatter.format = lambda *a, **k: shown.append(formatter(*a, **k)) or shown[-1]
magic = [line for line in page.read_text("utf-8").splitlines() if line.startswith("%")]
for cell in magic + [code for _, code in pages.blocks(page)]:
    shell.run_cell(cell).raise_error()
print()
print(json.dumps([lines, [sorted(data) for data, _ in shown]]))
"""
    lines, shown = said(SHELL + code)
    assert lines == ["install -q lstm-widgets"]
    view = "application/vnd.jupyter.widget-view+json"
    explorer, boxes = shown
    assert explorer == [view, "image/png", "text/plain"]
    assert boxes == []  # ipywidgets 7 displays itself
