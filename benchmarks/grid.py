"""CellGrid under the hand, in a real JupyterLab: 1024 cells × 100 000 timesteps.

Beside it, in the same run, what a user would do without: an ipywidgets slider whose every step rebuilds
the coloured HTML of one cell × 2 000 tokens. Times are from the event to the painted canvas (or the
changed page), events coming at random moments of a frame; medians and 95th percentiles.

    python benchmarks/grid.py [--scroll-seconds 300] [--steps 60]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "browser"))

import lab
import today
from painting import Painting
from today import line

RECORDING = """
import numpy as np
import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, Recording

rng = np.random.default_rng(0)
values = np.empty((1, 100_000, 1024), np.float32)
for start in range(0, 100_000, 10_000):
    block = rng.standard_normal((10_000, 1024), dtype=np.float32)
    values[0, start:start + 10_000] = np.tanh(block * np.linspace(0.1, 1, 1024, dtype=np.float32))
letters = rng.choice(list("etaoin shrdlu"), 100_000)
check = dict(difference=0.0, tolerance=1e-5, mode="prefix", examples=1, timesteps=16)
layer = RecordedLayer("lstm", "LSTM", {"hidden_state": values}, None,
                      letters.astype(object)[None], check=check)
recording = Recording.from_layers([layer])
"""

GRID = """
sent = {"bytes": 0, "values": 0, "replies": 0}
grid = lw.CellGrid(recording)
send = grid.send
def counting(content, buffers=None):
    import json
    sizes = [len(b) for b in buffers or []]
    sent["replies"] += 1
    sent["bytes"] += sum(sizes) + len(json.dumps(content))
    sent["values"] += sum(sizes[:len(content.get("tiles", []))])
    send(content, buffers)
grid.send = counting
grid
"""

# Steps of one kind, one after the other; gives the milliseconds of each, and of the slowest part.
ACTS = """{
  "cell slider": (i) => input(control("cell"), i % 1024),
  "cell slider, far jumps": (i) => input(control("cell"), (i * 37) % 1024),
  "timestep slider": (i) => input(control("timestep"), 5000 + ((i * 7) % 40)),
  "threshold slider": (i) => input(control("threshold"), ((i * 13) % 90) / 100),
  "palette": (i) => input(control("palette"), ["vik", "berlin", "PuOr_r", "RdBu_r"][i % 4]),
  "sort": (i) => input(control("sort by"), ["variance", "mean_magnitude", "index"][i % 3]),
  "scroll down": () => {
    frame.scrollTop = (frame.scrollTop + 45) % Math.max(200, frame.scrollHeight - 2200);
  },
  "scroll right": () => {
    frame.scrollLeft = (frame.scrollLeft + 60) % Math.max(200, frame.scrollWidth - 2200);
  },
  "arrow key": () => key("ArrowRight"),
}"""

FIRST_PAINT = """async () => {
  const start = performance.now();
  const panel = window.jupyterapp.shell.currentWidget;
  panel.content.deselectAll();
  panel.content.activeCellIndex = 1;
  const running = window.jupyterapp.commands.execute("notebook:run-cell");
  while (!(Number(document.querySelector(".lw")?.dataset.paints) > 0)) {
    await new Promise((r) => setTimeout(r, 2));
    if (performance.now() - start > 60000) throw new Error("nothing was painted");
  }
  const painted = performance.now() - start;
  await running;
  return painted;
}"""

SCROLL = """async ([root, seconds]) => {
  const frame = root.querySelector(".lw-grid");
  const end = performance.now() + seconds * 1000;
  let direction = 1;
  while (performance.now() < end) {
    frame.scrollLeft += 900 * direction;
    frame.scrollTop += 150 * direction;
    if (Math.random() < 0.02) frame.scrollLeft = Math.random() * frame.scrollWidth;
    if (frame.scrollLeft + frame.clientWidth >= frame.scrollWidth - 2) direction = -1;
    if (frame.scrollLeft <= 0) direction = 1;
    await new Promise((r) => requestAnimationFrame(r));
  }
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scroll-seconds", type=float, default=300)
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        lab.serve(Path(folder)) as server,
        lab.launch() as browser,
    ):
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        name = server.write("grid.ipynb", [RECORDING, GRID, today.cell(tokens=2000, cells=1024)])
        notebook = lab.Notebook(page, server, name)
        notebook.open()
        notebook.run(0, timeout=120)
        print("CellGrid, 1024 cells x 100 000 timesteps, 1920 x 1080")
        first = page.evaluate(FIRST_PAINT)
        print(f"  first paint after the cell is run: {first:.0f} ms")
        root = page.locator(".lw").element_handle()
        painting = Painting(page, root, ".lw-grid", ACTS)
        page.wait_for_timeout(1500)
        ours = []
        for kind in (
            "cell slider",
            "cell slider, far jumps",
            "timestep slider",
            "threshold slider",
            "palette",
            "sort",
            "scroll down",
            "scroll right",
            "arrow key",
        ):
            painting.steps(kind, 6)
            page.wait_for_timeout(300)
            ours.append(line(kind, painting.steps(kind, options.steps)))
        line("jump, with all its tiles", painting.jumps(20))
        page.locator(".lw-zoom button", has_text="all").click()
        page.wait_for_timeout(1500)
        print(" zoomed out to everything:")
        for kind in ("threshold slider", "palette", "cell slider"):
            line(kind, painting.steps(kind, options.steps // 2))
        for _ in range(4):
            page.locator(".lw-zoom button", has_text="+").click()
            page.wait_for_timeout(700)
        print(" zoomed out halfway:")
        for kind in ("scroll right", "threshold slider"):
            line(kind, painting.steps(kind, options.steps // 2))
        for _ in range(30):
            page.locator(".lw-zoom button", has_text="+").click()
            if page.evaluate(
                "(root) => root.querySelector('.lw-grid').scrollWidth > 1_400_000", root
            ):
                break
        devtools = page.context.new_cdp_session(page)

        def heap() -> float:
            for _ in range(3):
                devtools.send("HeapProfiler.collectGarbage")
                page.wait_for_timeout(200)
            return devtools.send("Runtime.getHeapUsage")["usedSize"] / 1e6

        before = heap()
        page.evaluate(SCROLL, [root, options.scroll_seconds])
        growth = heap() - before
        print(f"  heap after {options.scroll_seconds:.0f} s of scrolling: {growth:+.1f} MB")
        sent = notebook.kernel.value("sent")
        print(
            f"  on the wire: {sent['bytes'] / sent['values']:.3f} bytes a value "
            f"({sent['values'] / 1e6:.1f} million values, {sent['replies']} messages)"
        )
        drawn = page.evaluate(
            "(root) => { const f = root.querySelector('.lw-grid');"
            " return Math.floor((f.clientWidth - 84) / 15) * Math.floor((f.clientHeight - 20) / 15); }",
            root,
        )
        print("An ipywidgets slider that rebuilds coloured HTML, 1 cell x 2 000 tokens")
        notebook.run(2)
        output = notebook.output(2)
        theirs = line("slider step", today.steps(page, output, options.steps))
        print(
            f"Ratio of a slider step: {theirs / ours[0]:.1f} "
            f"({theirs:.0f} ms / {ours[0]:.1f} ms); {drawn} squares in view, "
            f"{1024 * 100_000 // 2000} times as many to scroll through"
        )


if __name__ == "__main__":
    main()
