"""What a widget looks like: its pixels as the screen has them, and what of them can be read."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import matplotlib.image as mpimg
import numpy as np
from expected import frames
from test_backdrop import CONTRAST

if TYPE_CHECKING:
    from playwright.sync_api import Locator

#: Sliders are called what their traits are called.
SLIDER = "input[type=range]:enabled"
MENU = "select[data-control='palette']"
#: The least contrast of what is read, as WCAG 2.2 has it.
READABLE = 4.5
#: From how many pixels on a picture has letters: smaller ones are overviews, of values only.
LETTERS = 20_000
#: What a widget has behind it: its own ground, which is opaque.
PAPER = """root => getComputedStyle(root).backgroundColor.match(/[\\d.]+/g).map(Number)"""


def control_of(root: Locator) -> tuple[Locator, str | None]:
    """Give the control that a hand moves first, and its trait: a slider, where there is one."""
    sliders = root.locator(SLIDER).locator("visible=true")
    control = sliders.first if sliders.count() else root.locator(MENU).first
    return control, control.get_attribute("data-control")


def seen(root: Locator) -> list[np.ndarray]:
    """Take pictures, uint8 (height, width, 3), of a widget's canvases: off the screen, in front of all else."""
    frames(root)
    root.page.mouse.move(2, 2)
    taken = (each.screenshot() for each in root.locator("canvas").locator("visible=true").all())
    return [_pixels(png) for png in taken]


def _pixels(png: bytes) -> np.ndarray:
    image = mpimg.imread(io.BytesIO(png), format="png")
    return (image[..., :3] * 255).round().astype(np.uint8)


def paper(root: Locator) -> np.ndarray:
    """Give the colour of a widget's ground, 0 to 255."""
    red, green, blue, *opaque = root.evaluate(PAPER)
    assert opaque in ([], [1]), "what is behind a widget shines through"
    return np.array([red, green, blue])


def light(colours: np.ndarray) -> np.ndarray:
    """Relative luminance of colours (..., 3), as WCAG 2.2 defines it."""
    share = np.asarray(colours) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Contrast of colours (..., 3), 1 to 21, as WCAG 2.2 defines it."""
    a, b = light(one), light(other)
    return (np.maximum(a, b) + 0.05) / (np.minimum(a, b) + 0.05)


def painted(root: Locator) -> bool:
    """Whether each canvas of a widget has a picture: values are drawn in many colours."""
    found = seen(root)
    return bool(found) and min(map(colours, found)) >= 8


def colours(picture: np.ndarray) -> int:
    """How many different colours there are."""
    return len(np.unique(picture.reshape(-1, 3), axis=0))


def ink(picture: np.ndarray, ground: np.ndarray) -> float:
    """
    Contrast of the ink of a picture to its ground: of what is grey, as letters and lines are, and values aren't.

    Letters are thin, so that few of their pixels have all of their ink: a twentieth at least of the ink must.
    """
    pixels = picture.reshape(-1, 3).astype(int)
    grey = pixels[np.ptp(pixels, axis=1) <= 24]
    apart = contrast(grey, ground)
    apart = apart[apart > 1.5]
    return float(np.quantile(apart, 0.95)) if apart.size else 0.0


def faint(root: Locator, theme: str) -> dict[str, Any]:
    """Give what of a widget is too faint to be read on its ground, which has to be ``light`` or ``dark``."""
    ground = paper(root)
    dark = contrast(ground, np.array([255] * 3)) > contrast(ground, np.zeros(3))
    assert dark == (theme == "dark")
    least, whose = root.evaluate(CONTRAST)
    inks = [ink(each, ground) for each in seen(root) if each.size > 3 * LETTERS]
    assert inks
    found = {"text": (least, whose)} if least < READABLE else {}
    return found | ({"ink": inks} if min(inks) < READABLE else {})
