"""A language model read cell by cell: three things against the published way, on the same model and text.

- Recording: all signals of two LSTM layers, against ``predict`` once for each character on the
  window before it, of a model cut at the layer whose hidden states are wanted. Both ways of reading
  are shown: continuous, and windowed as ``predict`` reads.
- The saved notebook: all cells over 1000 characters in a ``TextHeatmap``, against printing each cell
  as coloured HTML, as is done.
- A slider step until the coloured text is there, against an ipywidgets slider that rebuilds the HTML.

Run: ``python benchmarks/text.py`` (about three minutes on two cores).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "browser"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import lab
import today
from painting import Painting
from today import line

WINDOW = 100
CELLS = 512
CHARACTERS = 1000

MODEL = f"""
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np
import lstm_widgets as lw

keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
letters = rng.choice(list("etaoin shrdlu.\\n"), {CHARACTERS + WINDOW})
symbols = sorted(set(letters))
text = np.array([symbols.index(letter) for letter in letters])
inputs = keras.Input((None,), dtype="int32")
lower = keras.layers.LSTM({CELLS}, return_sequences=True)(keras.layers.Embedding(16, 32)(inputs))
upper = keras.layers.LSTM({CELLS}, return_sequences=True)(lower)
outputs = keras.layers.Dense(16, activation="softmax")(upper)
model = keras.Model(inputs, outputs)
"""

SHOWN = f"""
text, letters = text[:{CHARACTERS}], letters[:{CHARACTERS}]
recording = lw.record(model, text, tokens=list(letters))
values = recording["lstm_1"]["hidden_state"].values
heat = lw.TextHeatmap(recording, layer="lstm_1")
heat
"""

ACTS = '{ "cell slider": (i) => input(control("cell"), i) }'


def recording(repeats: int) -> None:
    space: dict = {}
    exec(MODEL, space)
    import keras  # noqa: PLC0415

    import lstm_widgets as lw  # noqa: PLC0415

    model, text = space["model"], space["text"]
    cut = keras.Model(model.inputs, model.layers[-2].output)

    def milliseconds(function) -> float:
        start = time.perf_counter()
        function()
        return 1000 * (time.perf_counter() - start)

    def predict(start: int) -> float:
        window = text[None, start : start + WINDOW]
        return milliseconds(lambda: cut.predict(window, verbose=0))

    continuous = [milliseconds(lambda: lw.record(model, text)) for _ in range(repeats + 2)]
    windowed = [milliseconds(lambda: lw.record(model, text, window=WINDOW)) for _ in range(2)]
    predict(0)
    theirs = statistics.median(predict(start) for start in range(0, 400, 10))
    print(f"Recording two layers of {CELLS} cells, milliseconds a character")
    print(f"  predict on a window of {WINDOW}, hidden states of one layer {theirs:10.2f}")
    rows = (
        ("record, continuous, all signals", statistics.median(continuous[2:]) / len(text)),
        (f"record, window={WINDOW}, all signals", windowed[-1] / (len(text) - WINDOW + 1)),
    )
    for name, ours in rows:
        print(f"  {name:<48}{ours:10.3f}   ratio {theirs / ours:8.0f}", flush=True)


def in_the_notebook(steps: int) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        lab.serve(Path(folder)) as server,
        lab.launch() as browser,
    ):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        name = server.write("text.ipynb", [MODEL, SHOWN])
        notebook = lab.Notebook(page, server, name)
        notebook.open()
        notebook.run_all(timeout=200)
        root = page.locator(".lw").element_handle()
        painting = Painting(page, root, ".lw-text", ACTS)
        page.wait_for_timeout(1000)
        notebook.save()
        saved = (server.root / name).stat().st_size
        painting.steps("cell slider", 10)
        times = painting.steps("cell slider", steps)
        index = notebook.add(today.cell(tokens=CHARACTERS, cells=CELLS))
        notebook.run(index)
        their_times = today.steps(page, notebook.output(index), steps)
        notebook.kernel.run("import json")
        printed = notebook.kernel.value(
            f"sum(len(json.dumps(coloured(cell))) for cell in range({CELLS}))", timeout=120
        )
        state = notebook.kernel.value(
            "len(json.dumps(ipywidgets.Widget.get_manager_state(widgets=[heat])))", timeout=60
        )
    empty = len(json.dumps([MODEL, SHOWN]))
    print(f"The saved notebook, {CELLS} cells x {CHARACTERS} characters")
    print(f"  coloured HTML, one output a cell     {printed / 1e6:10.2f} MB")
    print(
        f"  a TextHeatmap, all signals behind it {(saved - empty) / 1e6:10.2f} MB   "
        f"ratio {printed / (saved - empty):8.0f}"
    )
    print(
        f"  and with the widget's state saved    {(saved - empty + state) / 1e6:10.2f} MB   "
        f"ratio {printed / (saved - empty + state):8.0f}"
    )
    print(f"A slider step until the text of {CHARACTERS} characters is painted")
    theirs, ours = line("coloured HTML", their_times), line("TextHeatmap", times)
    print(f"  ratio {theirs / ours:.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40)
    arguments = parser.parse_args()
    recording(arguments.repeats)
    in_the_notebook(arguments.steps)
