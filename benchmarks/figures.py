"""What figures cost: the milliseconds and kilobytes of each widget's still picture, SVG and PDF.

Of a recording of the size of a teaching notebook's, in which values follow from those before, as a cell's
do. Medians of CPU time, Matplotlib loaded before; loading it, once, is measured in a process of its own.
Above each column stands what it should stay below.

    python benchmarks/figures.py [--times 7]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, Recording

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = (
    "The miller asked where the small key was, and looked at the sacks that stood by the door, one "
    'beside the other. "On the shelf," said his daughter; "and I told you so this morning."\n'
) * 12
#: Milliseconds and kilobytes.
MOST = {"still": (100, 40), "svg": (None, 200), "pdf": (400, 60)}
LOADED = """
import time
start = time.process_time()
import lstm_widgets.figures.artist
print(time.process_time() - start)
"""


def recording(text: str, cells: int) -> Recording:
    rng = np.random.default_rng(0)
    slow = rng.normal(size=(6, 1, len(text), cells))
    for t in range(1, len(text)):
        slow[:, :, t] = 0.9 * slow[:, :, t - 1] + 0.4 * slow[:, :, t]
    states = ("hidden_state", "cell_state", "candidate")
    gates = ("input_gate", "forget_gate", "output_gate")
    signals = {name: np.tanh(values) for name, values in zip(states, slow[:3], strict=True)}
    signals |= {name: 1 / (1 + np.exp(-v)) for name, v in zip(gates, slow[3:], strict=True)}
    signals = {name: values.astype(np.float32) for name, values in signals.items()}
    tokens = np.array([[*text]], object)
    return Recording.from_layers([RecordedLayer("lstm", "LSTM", signals, tokens=tokens)])


def seconds(call: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=7)
    times = parser.parse_args().times
    run = [sys.executable, "-c", LOADED]
    loading = [float(subprocess.check_output(run, text=True)) for _ in range(3)]
    print(f"loading Matplotlib, once: {min(loading) * 1e3:.0f} ms (300)")
    made = recording(TEXT, 64)
    widgets = {
        "CellGrid": lw.CellGrid(made, cell=22, timestep=90),
        "TextHeatmap": lw.TextHeatmap(made, cell=22, timestep=90),
        "ExampleGrid": lw.ExampleGrid(recording(TEXT[:40], 64), cell=22),
        "GateInspector": lw.GateInspector(made, cell=22, timestep=90),
        "Explorer": lw.Explorer(made, cell=22, timestep=90),
    }
    print(f"{'':14}", *(f"{kind:>10} ms   KB" for kind in MOST))
    print(f"{'at most':14}", *(f"{most or '':>10}   {size:>5}" for most, size in MOST.values()))
    with tempfile.TemporaryDirectory() as folder:
        for name, widget in widgets.items():
            row = []
            for kind in MOST:
                path = Path(folder) / f"figure.{kind}"

                def draw(widget: lw.CellGrid = widget, path: Path = path) -> int:
                    if path.suffix == ".still":  # what stands beside the widget
                        bundle = widget._repr_mimebundle_()
                        data = bundle[0] if isinstance(bundle, tuple) else bundle
                        return len(data["image/png"]) * 3 // 4
                    widget.save_figure(path, overwrite=True)
                    return path.stat().st_size

                size = draw()
                row.append(f"{seconds(draw, times) * 1e3:10.0f}   {size / 1e3:5.0f}")
            print(f"{name:14}", *row)


if __name__ == "__main__":
    main()
