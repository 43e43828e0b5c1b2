"""What a user would do without the package, and how its steps are timed beside ours."""

from __future__ import annotations

import statistics
from typing import Any

CELL = """
import html
import ipywidgets
from matplotlib import colormaps

shown = values[0, :TOKENS]
words = [html.escape(t) for t in letters[:TOKENS]]
palette = colormaps["RdBu_r"]
page = ipywidgets.HTML()
def coloured(cell):
    spans = []
    for token, value in zip(words, shown[:, cell]):
        r, g, b, _ = palette((float(value) + 1) / 2, bytes=True)
        spans.append(f'<span style="background: rgb({r},{g},{b})">{token}</span>')
    return f'<div data-cell="{cell}">' + "".join(spans) + "</div>"
def draw(cell):
    page.value = coloured(cell)
slider = ipywidgets.IntSlider(0, 0, CELLS - 1)
slider.observe(lambda change: draw(change["new"]), "value")
draw(0)
ipywidgets.VBox([slider, page])
"""

STEPS = """async ([output, count]) => {
  const times = [];
  const slider = output.querySelector(".noUi-handle");
  const text = output.querySelector(".widget-readout");
  for (let i = 1; i <= count; i++) {
    await new Promise((r) => setTimeout(r, 60));
    const before = output.querySelector("[data-cell]").dataset.cell;
    const start = performance.now();
    slider.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
    while (output.querySelector("[data-cell]").dataset.cell === before) {
      if (performance.now() - start > 5000) throw new Error("the slider did not move");
      await new Promise((r) => requestAnimationFrame(r));
    }
    times.push(performance.now() - start);
  }
  return times;
}"""


def cell(*, tokens: int, cells: int) -> str:
    """Give the notebook cell with a slider whose every step rebuilds coloured HTML.

    It reads ``values`` ``(1, timestep, cell)`` and ``letters`` of the notebook.
    """
    return CELL.replace("TOKENS", str(tokens)).replace("CELLS", str(cells))


def steps(page: Any, output: Any, count: int) -> list[float]:
    """Take steps of that slider; give the milliseconds until the text has changed."""
    output.locator(".noUi-handle").wait_for()
    return page.evaluate(STEPS, [output.element_handle(), count])


def line(name: str, times: list[float]) -> float:
    """Print the median and the 95th percentile of some milliseconds; give the median."""
    median = statistics.median(times)
    p95 = sorted(times)[max(0, round(0.95 * len(times)) - 1)]
    print(
        f"  {name:<28} median {median:7.1f} ms   p95 {p95:7.1f} ms   (n = {len(times)})", flush=True
    )
    return median
