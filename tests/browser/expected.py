"""The colours that a value must have, computed without the page's code; and the picture that has them."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.image as mpimg
import numpy as np
from lab import settled
from matplotlib.colors import to_rgb

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

#: As published in notebooks, with the comma that is missing there.
BLUE_WHITE_RED_20 = (
    *("#85c2e1", "#89c4e2", "#95cae5", "#99cce6", "#a1d0e8"),
    *("#b2d9ec", "#baddee", "#c2e1f0", "#eff7fb", "#f9e8e8"),
    *("#f9e8e8", "#f9d4d4", "#f9bdbd", "#f8a8a8", "#f68f8f"),
    *("#f47676", "#f45f5f", "#f34343", "#f33b3b", "#f42e2e"),
)
#: Levels of 255 by which the page's ramps may be off: it keeps fewer stops than matplotlib's 256
#: colours and draws straight lines between them.
SPREAD = {"RdBu_r": 3, "berlin": 4, "cividis": 6, "Purples": 3, "blue_white_red_20": 0.5}
#: What of a value below the threshold is left.
KEPT = 0.14


def palette(name: str, position: np.ndarray) -> np.ndarray:
    """Colours (..., 3), 0 to 255, at positions from 0 to 1."""
    if name == "blue_white_red_20":
        steps = np.array([to_rgb(colour) for colour in BLUE_WHITE_RED_20])
        return 255 * steps[np.clip((position * 20).astype(int), 0, 19)]
    return 255 * mpl.colormaps[name](position)[..., :3]


@dataclass(frozen=True)
class Look:
    """How values become colours."""

    palette: str = "RdBu_r"
    scale: str | tuple[float, float] = "layer"
    gate: bool = False
    threshold: float = 0.0
    background: tuple[int, int, int] = (255, 255, 255)

    def position(self, values: np.ndarray, cell: np.ndarray, layer: float) -> np.ndarray:
        """Where values stand on the palette; ``cell`` and ``layer`` are largest magnitudes."""
        if isinstance(self.scale, tuple):
            low, high = self.scale
            return (values - low) / (high - low)
        if self.scale == "sigmoid":
            return 1 / (1 + np.exp(-values))
        if self.scale == "squared":
            squares = (values / cell) ** 2
            return squares if self.palette == "cividis" else (1 + squares) / 2
        largest = cell if self.scale == "cell" else layer
        if self.gate:
            return values / largest if self.scale == "cell" else values
        return (values / largest + 1) / 2

    def colours(
        self, values: np.ndarray, cell: np.ndarray, layer: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest allowed red, green and blue, each (..., 3), of values (...).

        A value travels as one of 253 steps between plus and minus its cell's largest magnitude, so what
        is drawn is off by at most half a step; then a ramp of 1024 colours rounds it once more.
        """
        half = cell / 252 * 1.001
        around = np.stack([values + half * share for share in np.linspace(-1, 1, 9)])
        position = self.position(np.clip(around, -cell, cell), cell, layer)
        nudged = np.concatenate([position - 1 / 1023, position, position + 1 / 1023])
        found = palette(self.palette, np.clip(nudged, 0, 1))
        spread = SPREAD[self.palette]
        low, high = found.min(axis=0) - spread, found.max(axis=0) + spread
        faded = (np.abs(values) < self.threshold)[..., None]
        paper = np.array(self.background) * (1 - KEPT)
        # Fading rounds, once for each of the two colours it mixes.
        return (
            np.where(faded, paper + KEPT * low - 1, low),
            np.where(faded, paper + KEPT * high + 1, high),
        )


def picture(canvas: Locator) -> np.ndarray:
    """All pixels of a canvas: uint8 (height, width, 3)."""
    url = canvas.evaluate("canvas => canvas.toDataURL('image/png')")
    image = mpimg.imread(io.BytesIO(base64.b64decode(url.split(",")[1])), format="png")
    return (image[..., :3] * 255).round().astype(np.uint8)


def wrong(
    canvas: Locator, x: np.ndarray, y: np.ndarray, low: np.ndarray, high: np.ndarray
) -> list[str]:
    """Tell the first few pixels that are not between the colours ``low`` and ``high``."""
    image = picture(canvas)
    x, y = np.broadcast_arrays(x, y)
    inside = (x >= 0) & (x < image.shape[1]) & (y >= 0) & (y < image.shape[0])
    if not inside.all():
        return [f"the canvas is {image.shape[1]} by {image.shape[0]} only"]
    found = image[y, x].astype(float)
    bad = ((found < low) | (found > high)).any(axis=-1)
    return [
        f"{bad.sum()} of {bad.size}: at ({x[i]}, {y[i]}) {found[i]}, expected {low[i].round(1)} to {high[i].round(1)}"
        for i in map(tuple, np.argwhere(bad)[:4])
    ]


def frames(where: Locator) -> None:
    """Wait until what was changed in the page is painted."""
    where.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def drawn(page: Page) -> None:
    """Wait until a saved page stands as it stays: with what its widgets show, and as large as that."""
    page.wait_for_function(
        """() => {
          const whole = document.querySelector("#widget");
          const failed = whole.children.length === 0 && whole.textContent.trim();
          return failed || whole.querySelector(".lw");
        }"""
    )
    settled(page.locator("body"))


def resized(root: Locator, width: int, height: int = 900) -> None:
    """Give the page another size, and wait until a widget in it has got its own."""
    root.page.set_viewport_size({"width": width, "height": height})
    root.evaluate(
        """root => new Promise((done) => {
          let [last, unchanged] = ["", 0];
          const look = () => {
            const place = JSON.stringify(root.getBoundingClientRect());
            unchanged = place === last ? unchanged + 1 : 0;
            last = place;
            if (unchanged > 20) done();
            else requestAnimationFrame(look);
          };
          look();
        })"""
    )
