"""SeriesPlot under the hand, in a real JupyterLab: 20 lines of 1 000 000 timesteps.

Beside it, in the same run, what a user would do without: Matplotlib draws the same lines anew, as a slider
with `interact` would have it do at each step. Times are from the event to the painted canvas, events
coming at random moments of a frame; medians and 95th percentiles.

    python benchmarks/series_plot.py [--steps 60]
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
from lstm_widgets.recording import RecordedLayer, RecordedSeries, Recording, Times

rng = np.random.default_rng(0)
count, channels, cells = 1_000_000, 12, 8
read = rng.standard_normal((1, count, channels), dtype=np.float32).cumsum(axis=1)
read[0, 400_000:400_700] = np.nan
states = np.tanh(rng.standard_normal((1, count, cells), dtype=np.float32))
times = Times(np.datetime64("1990-01-01", "ns") + np.arange(count) * np.timedelta64(15, "m"))
layer = RecordedLayer("lstm", "LSTM", {"hidden_state": states}, times=times)
names = tuple(f"channel {i}" for i in range(channels))
inputs = RecordedSeries(read, names, ("mm",) * channels, times)
recording = Recording.from_layers([layer], inputs=inputs)
"""

PLOT = """
sent = {"bytes": 0, "replies": 0}
plot = lw.SeriesPlot(recording, cells=tuple(range(8)), threshold=0.3)
send = plot.send
def counting(content, buffers=None):
    import json
    sent["replies"] += 1
    sent["bytes"] += sum(len(b) for b in buffers or []) + len(json.dumps(content))
    send(content, buffers)
plot.send = counting
plot
"""

# Behind each channel the relevance of all timesteps, which is more than a window has.
RELEVANCE = """
import xarray as xr

why = xr.Dataset(
    {
        "relevance": (
            ("method", "example", "timestep", "channel"),
            rng.standard_normal((1, 1, count, channels), dtype=np.float32),
        )
    },
    {"method": ["lrp"], "channel": list(names), "time": ("timestep", times.values)},
)
coloured = lw.SeriesPlot(recording, cells=tuple(range(8)), threshold=0.3, relevance=why)
coloured
"""

TODAY = """
import io, time
import matplotlib
matplotlib.use("agg")
from matplotlib.figure import Figure

def drawn():
    figure = Figure(figsize=(16, 9), dpi=100)
    every = figure.subplots(channels + cells, sharex=True)
    for i, axes in enumerate(every):
        axes.plot(times.values, read[0, :, i] if i < channels else states[0, :, i - channels])
    figure.savefig(io.BytesIO(), format="png")

def clocked():
    start = time.perf_counter()
    drawn()
    return 1000 * (time.perf_counter() - start)

drawn()
"""

# Steps of one kind, one after the other; gives the milliseconds of each.
ACTS = """{
  "timestep slider": (i) => input(control("timestep"), 5000 + 997 * i),
  "cell slider": (i) => input(control("cell"), i % 8),
  "threshold slider": (i) => input(control("threshold"), ((i * 13) % 90) / 100),
  "palette": (i) => input(control("palette"), ["vik", "berlin", "PuOr_r"][i % 3]),
  "arrow key": () => key("ArrowRight"),
  "zoom in and out": (i) => key(i % 12 < 6 ? "+" : "-"),
  "pan": (i) => {
    frame.scrollLeft = (frame.scrollLeft + 60) % (frame.scrollWidth - frame.clientWidth);
  },
  "hover": (i) => {
    frame.dispatchEvent(new PointerEvent("pointerleave"));
    frame.dispatchEvent(new PointerEvent("pointermove",
      { clientX: box.x + 300 + (i * 37) % 900, clientY: box.y + 200, bubbles: true }));
  },
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        lab.serve(Path(folder)) as server,
        lab.launch() as browser,
    ):
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        name = server.write("series.ipynb", [RECORDING, PLOT, TODAY, RELEVANCE])
        notebook = lab.Notebook(page, server, name)
        notebook.open()
        notebook.run(0, timeout=120)
        print("SeriesPlot, 20 lines x 1 000 000 timesteps, 1920 x 1080")
        notebook.run(1, timeout=120)
        root = page.locator(".lw").element_handle()
        painting = Painting(page, root, ".lw-series", ACTS)
        # All of the lines are seen at once.
        root.evaluate("root => { root.querySelector('.lw-series').style.height = '900px'; }")
        page.wait_for_timeout(2000)
        kinds = ("timestep slider", "arrow key", "hover", "threshold slider", "palette")
        ours = []

        def steps(*kinds: str) -> None:
            for kind in kinds:
                painting.steps(kind, 6)
                page.wait_for_timeout(400)
                ours.append(line(kind, painting.steps(kind, options.steps)))

        print(" thirty years:")
        steps(*kinds, "cell slider", "zoom in and out")
        for press, told in ((6, "two and a half years"), (10, "two weeks"), (8, "a day")):
            page.locator(".lw-series").focus()
            for _ in range(press):
                page.keyboard.press("+")
                page.wait_for_timeout(150)
            page.wait_for_timeout(800)
            print(f" {told}:")
            steps("arrow key", "pan", "hover")
            line("jump, with all its tiles", painting.jumps(12))
        sent = notebook.kernel.value("sent")
        print(f"  {sent['bytes'] / 1e6:.1f} MB in {sent['replies']} messages")
        notebook.run(3, timeout=240)
        painting.root = root = page.locator(".lw").nth(1).element_handle()
        root.evaluate("root => { root.querySelector('.lw-series').style.height = '900px'; }")
        root.evaluate("root => root.scrollIntoView()")
        page.wait_for_timeout(2000)
        print(" with relevance behind 12 of them, thirty years:")
        steps(*kinds, "zoom in and out")
        page.locator(".lw-series").nth(1).focus()
        for _ in range(6):
            page.keyboard.press("+")
            page.wait_for_timeout(150)
        page.wait_for_timeout(800)
        print(" the same, two and a half years:")
        steps("arrow key", "pan", "hover")
        print("Matplotlib, the same lines")
        notebook.run(2, timeout=300)
        theirs = statistics.median(
            notebook.kernel.value("clocked()", timeout=300) for _ in range(3)
        )
        print(
            f"  drawn in {theirs:.0f} ms\nRatio of a step: {theirs / max(ours):.0f} "
            f"({theirs:.0f} ms / {max(ours):.1f} ms, our slowest kind)"
        )


if __name__ == "__main__":
    main()
