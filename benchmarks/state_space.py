"""StateSpace under the hand, in a real JupyterLab: 100 000 states as points, 1 000 000 as how many there are.

Beside it, in the same run, what a user would do without: Matplotlib draws the same states anew, as a slider
with `interact` would have it do at each step. Times are from the event to the painted canvas, events
coming at random moments of a frame; medians and 95th percentiles.

    python benchmarks/state_space.py [--steps 60]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "browser"))

import lab
from painting import Painting
from today import line

RECORDING = """
import numpy as np
import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, Recording

rng = np.random.default_rng(0)

def walks(examples, timesteps, cells=16):
    steps = rng.standard_normal((examples, timesteps, cells), dtype=np.float32)
    states = np.tanh(np.cumsum(steps, axis=1) / 12)
    return Recording.from_layers([RecordedLayer("gru", "GRU", {"hidden_state": states})])

few, many = walks(100, 1000), walks(100, 10_000)
"""

SHOWN = """
space = lw.StateSpace({recording}, axes={axes}, coloured_by="value")
space
"""

TODAY = """
import io, time
import matplotlib
matplotlib.use("agg")
from matplotlib.figure import Figure

place = lw.project(few)["position"].values.reshape(-1, 3)
value = few["gru"]["hidden_state"].values[..., 0].ravel()

def drawn():
    figure = Figure(figsize=(15, 5.6), dpi=100)
    figure.subplots().scatter(*place[:, :2].T, c=value, s=2, cmap="RdBu_r")
    figure.savefig(io.BytesIO(), format="png")

def clocked():
    start = time.perf_counter()
    drawn()
    return 1000 * (time.perf_counter() - start)

drawn()
"""

# Steps of one kind, one after the other; gives the milliseconds of each.
ACTS = """{
  "timestep slider": (i) => input(control("timestep"), 5 + 13 * i),
  "example slider": (i) => input(control("example"), i % 90),
  "threshold slider": (i) => input(control("threshold"), ((i * 13) % 90) / 100),
  "arrow key": () => key("ArrowRight"),
  "zoom in and out": (i) => key(i % 12 < 6 ? "+" : "-"),
  "turn or move": (i) => frame.dispatchEvent(new KeyboardEvent("keydown",
    { key: i % 20 < 10 ? "ArrowRight" : "ArrowLeft", shiftKey: true, bubbles: true, cancelable: true })),
  "hover": (i) => {
    frame.dispatchEvent(new PointerEvent("pointerleave"));
    frame.dispatchEvent(new PointerEvent("pointermove",
      { clientX: box.x + box.width / 2 + (i * 37) % 90, clientY: box.y + box.height / 2, bubbles: true }));
  },
}"""
KINDS = (
    "arrow key",
    "timestep slider",
    "hover",
    "threshold slider",
    "zoom in and out",
    "turn or move",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    shown = [
        ("100 000 states, two axes", "few", (0, 1)),
        ("100 000 states, three axes", "few", (0, 1, 2)),
        ("1 000 000 states, two axes", "many", (0, 1)),
        ("1 000 000 states, three axes", "many", (0, 1, 2)),
    ]
    cells = [SHOWN.format(recording=recording, axes=axes) for _, recording, axes in shown]
    with (
        tempfile.TemporaryDirectory() as folder,
        lab.serve(Path(folder)) as server,
        lab.launch() as browser,
    ):
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        name = server.write("space.ipynb", [RECORDING, TODAY, *cells])
        notebook = lab.Notebook(page, server, name)
        notebook.open()
        notebook.run(0, timeout=120)
        print("StateSpace, 1920 x 1080")
        slowest = 0.0
        for number, (told, _, _) in enumerate(shown):
            notebook.run(2 + number, timeout=240)
            root = page.locator(".lw").nth(number).element_handle()
            root.evaluate("root => root.scrollIntoView()")
            painting = Painting(page, root, ".lw-space", ACTS)
            page.wait_for_timeout(3000)
            print(f" {told}:")
            for kind in KINDS:
                painting.steps(kind, 6)
                page.wait_for_timeout(400)
                median = line(kind, painting.steps(kind, options.steps))
                if number == 0:
                    slowest = max(slowest, median)
        print("Matplotlib, 100 000 states")
        notebook.run(1, timeout=300)
        theirs = statistics.median(
            notebook.kernel.value("clocked()", timeout=300) for _ in range(3)
        )
        print(
            f"  drawn in {theirs:.0f} ms\nRatio of a step: {theirs / slowest:.0f} "
            f"({theirs:.0f} ms / {slowest:.1f} ms, our slowest kind)"
        )


if __name__ == "__main__":
    main()
