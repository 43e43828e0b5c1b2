"""Python in a page, Pyodide, has no threads, no Numba and no Zarr: what looks at recordings works there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

TESTS = Path(__file__).parent
#: What Pyodide doesn't have, of what is needed elsewhere.
MISSING = ("numba", "tensorflow", "keras", "zarr", "numcodecs", "google_crc32c", "dask")
AS_THERE = f"""
import sys, threading
sys.path[:0] = {[str(TESTS / "hosts"), str(TESTS / "browser"), str(TESTS), str(TESTS.parent)]}
import matplotlib.font_manager  # it looks for fonts in a thread, where there is one

for name in {MISSING}:
    sys.modules[name] = None

def refused(*_args, **_options):
    raise RuntimeError("can't start new thread")

threading._start_new_thread = refused
import lstm_widgets as lw
import recordings, samples
sys.platform = "emscripten"
import tqdm
tqdm.tqdm.monitor_interval = 0  # it wants a thread too, and does without one
"""
USES = """
for name, make in samples.WIDGETS.items():
    widget = make()
    shown = widget._repr_mimebundle_()
    data = shown[0] if isinstance(shown, tuple) else shown
    assert set(data) >= {"image/png", "text/plain"}, name
    widget.save_html(f"{name}.html")
ranking = lw.rank_cells(recordings.prose(), [lw.concepts.vowel], shifts=20)
assert len(ranking)
try:
    recordings.prose().save("text.zarr")
except ModuleNotFoundError as error:
    assert "need zarr" in str(error) and "save_html" in str(error)
    print("all")
"""


def test_what_looks_at_recordings_works(tmp_path):
    command = [sys.executable, "-c", AS_THERE + USES]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "all"


def test_what_it_has_not_is_not_asked_for(root):
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    marked = {
        re.split(r"[<>=]", need)[0]
        for need in project["dependencies"]
        if need.endswith("; sys_platform != 'emscripten'")
    }
    assert marked == {"google-crc32c", "numba", "numcodecs", "zarr"}
