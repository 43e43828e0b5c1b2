"""The colours of values, on light pages and on dark ones: js/src/colour/ in NumPy.

Both are held against one table, js/test/colours.json. Palettes are in palettes.json, colours in
hexadecimal from end to end. They come from:

===================  =========================================================================
RdBu_r, PuOr_r       ColorBrewer's RdBu and PuOr, reversed (Brewer and Harrower)
vik, berlin          Scientific colour maps (Crameri); berlin has a dark centre
managua_r            the same, dark centre, reversed
red_cyan             two ends and white; the diverging pair of notebooks on XML text
cividis              Nuñez, Anderton and Renslow 2018
viridis              matplotlib (Smith and van der Walt)
Purples              ColorBrewer's Purples (Brewer and Harrower)
Purples_dark         its hue from black on, for dark pages
blue_white_red_20    the 20 steps of the published notebooks, all of them: a comma missing after
                     a1d0e8 merges two there
===================  =========================================================================
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

TABLE: dict[str, dict[str, Any]] = json.loads(
    resources.files(__package__).joinpath("palettes.json").read_text("utf-8")
)
#: Colours in a ramp.
RAMP = 1024
#: Nothing softer: of any two others, neither can be read on some colours (4.5 : 1 is asked for).
INKS = (0, 0, 0), (255, 255, 255)
#: How much of the background is mixed into a value below the threshold.
FADE = 0.86

#: How much of their colour "no" and the least number of a concept track have.
_NO, _LEAST = 0.1, 0.22

PLAIN, IS_NAN, CLIPPED, PADDING = range(4)

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Theme:
    """The colours of what is no value: js/src/ui/root.css and js/src/panes/gates/pane.css have them, too."""

    name: str
    background: Colour
    foreground: Colour
    muted: Colour
    line: Colour
    bar: Colour
    chrome: Colour
    accent: Colour
    warn: Colour
    #: What was lost of a state, and what was written to it.
    keep: Colour
    write: Colour
    #: Concept tracks, in turn: no hues of a default palette of signals.
    tracks: tuple[Colour, ...]
    #: Channels as lines, in turn: js/src/colour/lines.js.
    lines: tuple[Colour, ...]
    #: What should have been said, behind what was.
    target: Colour

    @property
    def dark(self) -> bool:
        """Whether the page is dark."""
        return self.name == "dark"

    @property
    def unknown(self) -> Colour:
        """What NaN is drawn on: neither end nor middle of any palette."""
        return one_colour(mix(self.background, self.foreground, 0.3))

    def palette(self, name: str, *, signed: bool, plain: str = "cividis") -> str:
        """Give the palette that "auto" stands for; ``plain`` is that of values without a sign."""
        if name != "auto":
            return name
        if signed:
            return "berlin" if self.dark else "RdBu_r"
        return "Purples_dark" if self.dark and plain == "Purples" else plain


LIGHT = Theme(
    name="light",
    background=(255, 255, 255),
    foreground=(31, 35, 40),
    muted=(91, 99, 112),
    line=(213, 218, 225),
    bar=(107, 118, 134),
    chrome=(245, 247, 249),
    accent=(11, 98, 214),
    warn=(138, 75, 0),
    keep=(106, 61, 154),
    write=(194, 106, 0),
    tracks=((0, 143, 112), (122, 31, 120), (143, 122, 0)),
    lines=(
        *((11, 98, 196), (180, 73, 15), (122, 92, 0)),
        *((107, 79, 200), (77, 88, 102), (163, 40, 107)),
    ),
    target=(168, 179, 189),
)
DARK = Theme(
    name="dark",
    background=(17, 20, 23),
    foreground=(230, 233, 238),
    muted=(160, 169, 181),
    line=(58, 66, 76),
    bar=(151, 163, 179),
    chrome=(27, 32, 38),
    accent=(108, 176, 255),
    warn=(240, 179, 92),
    keep=(185, 162, 240),
    write=(242, 163, 58),
    tracks=((53, 201, 165), (229, 143, 224), (230, 210, 90)),
    lines=(
        *((108, 176, 255), (255, 157, 102), (224, 194, 80)),
        *((185, 162, 240), (182, 192, 204), (245, 138, 192)),
    ),
    target=(100, 110, 122),
)
THEMES = {theme.name: theme for theme in (LIGHT, DARK)}


def _rounded(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Round halves up, as the page does."""
    whole: NDArray[np.uint8] = np.floor(values + 0.5).astype(np.uint8)
    return whole


def _channels(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (0, 2, 4)]


@lru_cache
def ramp(name: str) -> NDArray[np.uint8]:
    """Give all colours of a palette in order: uint8 (RAMP, 3)."""
    stops = np.array([_channels(colour) for colour in TABLE[name]["colours"].split()], np.float64)
    place = np.arange(RAMP)
    if TABLE[name].get("stepped"):
        step = np.minimum(len(stops) - 1, (place / RAMP * len(stops)).astype(int))
        return _rounded(stops[step])
    at = place / (RAMP - 1) * (len(stops) - 1)
    left = np.minimum(len(stops) - 2, at.astype(int))
    share = (at - left)[:, None]
    return _rounded(stops[left] + (stops[left + 1] - stops[left]) * share)


def mix(a: ArrayLike, b: ArrayLike, share: float) -> NDArray[np.uint8]:
    """Mix colours (..., 3): from ``a``, with so large a share of ``b``."""
    one, other = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return _rounded(one + (other - one) * share)


def one_colour(colour: NDArray[np.uint8]) -> Colour:
    """Give a colour as three numbers."""
    red, green, blue = colour.tolist()
    return red, green, blue


def track_colours(
    index: int, shares: NDArray[np.float64], *, yes_no: bool, theme: Theme = LIGHT
) -> NDArray[np.uint8]:
    """
    Give what a concept track is drawn in, as js/src/colour/tracks.js does.

    Parameters
    ----------
    index : int
        Which track it is: hues take turns.
    shares : float64 array (code,)
        How much of its colour each code has, from 0 to 1.
    yes_no : bool
        Whether it says yes or no.
    theme : Theme, optional

    Returns
    -------
    uint8 array (code, 3)
    """
    hue = np.array(theme.tracks[index % len(theme.tracks)], np.float64)
    least = _NO if yes_no else _LEAST
    strength = (least + (1 - least) * shares)[:, None]
    return _rounded(np.array(theme.background) + (hue - theme.background) * strength)


def luminance(colour: ArrayLike) -> NDArray[np.float64]:
    """Give the relative luminance of colours (..., 3), as WCAG 2 defines it."""
    level = np.asarray(colour, np.float64) / 255
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    light: NDArray[np.float64] = linear @ np.array([0.2126, 0.7152, 0.0722])
    return light


_EITHER_INK = np.sqrt((luminance(INKS) + 0.05).prod()) - 0.05


def ink(colour: ArrayLike) -> NDArray[np.uint8]:
    """Give what is read most easily on colours (..., 3): black or white."""
    dark = (luminance(colour) > _EITHER_INK)[..., None]
    return np.where(dark, *INKS).astype(np.uint8)


@dataclass(frozen=True)
class Colours:
    """
    How the values of one signal of one layer become colours.

    Parameters
    ----------
    signal : str
        The signal's name: what ends in ``_gate`` is shown from 0 to 1, as long as it stays there.
    largest : float
        The largest magnitude in the layer.
    palette : str
        A name of the table, or ``"auto"``.
    scale : str or tuple of float
        As the trait of the widgets.
    threshold : float
        Values of smaller magnitude are faded.
    theme : Theme
    """

    signal: str
    largest: float
    palette: str = "auto"
    scale: str | tuple[float, float] = "layer"
    threshold: float = 0.0
    theme: Theme = LIGHT

    @property
    def gate(self) -> bool:
        """Whether the signal is a gate that stays between 0 and 1."""
        return self.signal.endswith("_gate") and self.largest <= 1

    @property
    def name(self) -> str:
        """The palette that is used."""
        signed = not (self.gate or self.scale == "squared")
        return self.theme.palette(self.palette, signed=signed)

    @property
    def diverging(self) -> bool:
        """Whether the palette has a middle."""
        return bool(TABLE[self.name]["kind"] == "diverging")

    @property
    def ramp(self) -> NDArray[np.uint8]:
        """The palette from end to end: uint8 (RAMP, 3)."""
        return ramp(self.name)

    @property
    def range(self) -> tuple[float, float]:
        """The values at both ends of the legend."""
        if isinstance(self.scale, tuple):
            return self.scale
        if self.scale in ("squared", "sigmoid") or self.gate:
            return 0, 1
        return (-1, 1) if self.scale == "cell" else (-self.largest, self.largest)

    def position(self, values: ArrayLike, largest: ArrayLike) -> NDArray[np.float64]:
        """
        Place values on the palette.

        Parameters
        ----------
        values : float array (...)
        largest : float array, broadcastable to ``values``
            The largest magnitude of each value's cell.

        Returns
        -------
        float64 array (...)
            From 0 to 1, and beyond where a value is cut off; NaN for NaN.
        """
        value, cell = np.asarray(values, np.float64), np.asarray(largest, np.float64)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if isinstance(self.scale, tuple):
                low, high = self.scale
                return (value - low) / (high - low)
            if self.scale == "sigmoid":
                return 1 / (1 + np.exp(-value))
            if self.scale == "squared":
                share = np.where(cell > 0, np.minimum(1, (value / cell) ** 2), 0)
                return (1 + share) / 2 if self.diverging else share
            if self.gate and self.scale == "layer":
                return value
            of = cell if self.scale == "cell" else np.float64(self.largest)
            if self.gate:
                return np.where(of > 0, value / of, 0)
            return np.where(of > 0, (value / of + 1) / 2, 0.5)

    def pixels(self, values: ArrayLike, largest: ArrayLike) -> NDArray[np.uint8]:
        """Give values (...) their colours: uint8 (..., 3). Parameters as for `position`."""
        value = np.asarray(values, np.float64)
        place = self.position(value, largest)
        step = np.floor(np.nan_to_num(place, nan=0, posinf=1, neginf=0) * (RAMP - 1) + 0.5)
        colours = self.ramp[np.clip(step, 0, RAMP - 1).astype(int)]
        faded = (np.abs(value) < self.threshold)[..., None]
        colours = np.where(faded, mix(colours, self.theme.background, FADE), colours)
        return np.where(np.isnan(value)[..., None], self.theme.unknown, colours).astype(np.uint8)

    def marks(self, values: ArrayLike, largest: ArrayLike) -> NDArray[np.uint8]:
        """Give values (...) their marks: ``PLAIN``, ``IS_NAN`` or ``CLIPPED``."""
        return marks_of(values, self.position(values, largest))


def marks_of(values: ArrayLike, place: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Give values (...) their marks, from where they stand on a palette, 0 to 1 and beyond."""
    value = np.asarray(values, np.float64)
    clipped = (place < -1e-6) | (place > 1 + 1e-6) | np.isinf(value)
    marks = np.where(clipped, CLIPPED, PLAIN)
    return np.where(np.isnan(value), IS_NAN, marks).astype(np.uint8)
