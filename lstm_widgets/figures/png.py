"""A still picture as a small file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Pixels from which on a colour is that of an area.
_AREA = 40
#: Levels by which a colour may be off, the first that will do.
_OFF = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 255)


def png(image: Image.Image) -> bytes:
    """
    Write a picture as a small PNG, of at most 256 colours.

    Where it has more, each is replaced by one that is off by as few levels as will do; areas of one
    colour come before the soft edges of letters.
    """
    pixels = np.asarray(image).astype(np.uint32)
    packed = pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]
    found, where, count = np.unique(packed, return_inverse=True, return_counts=True)
    every = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=-1).astype(np.int16)
    order = np.argsort(-count, kind="stable")
    areas = int((count >= _AREA).sum())
    palette = _fewer(every[order[:areas]], 208, every[:0])
    palette = _fewer(every[order[areas:]], 256, palette)
    nearest = _distances(every, palette).argmin(axis=1)
    indexed = Image.fromarray(nearest[where].reshape(packed.shape).astype(np.uint8))
    indexed.putpalette(palette.astype(np.uint8).tobytes())
    file = io.BytesIO()
    indexed.save(file, "PNG", optimize=True)
    return file.getvalue()


def _distances(colours: NDArray[np.int16], others: NDArray[np.int16]) -> NDArray[np.int16]:
    """Give the levels by which each colour is off each of others: (colour, other)."""
    off = np.zeros((len(colours), len(others)), np.int16)
    for channel in range(3):
        apart = np.abs(colours[:, channel, None] - others[:, channel])
        np.maximum(off, apart, out=off)
    return off


def _fewer(colours: NDArray[np.int16], most: int, kept: NDArray[np.int16]) -> NDArray[np.int16]:
    """Add some colours to those that are kept, so that each is near to one; ``most`` in all."""
    known = _distances(colours, kept).min(axis=1, initial=255)
    for off in _OFF:
        found = list(kept)
        red, green, blue = colours[known > off].T.copy() if len(kept) else colours.T.copy()
        while len(red) and len(found) <= most:
            found.append(np.array((red[0], green[0], blue[0])))
            far = np.abs(red - red[0]) > off
            far |= np.abs(green - green[0]) > off
            far |= np.abs(blue - blue[0]) > off
            red, green, blue = red[far], green[far], blue[far]
        if len(found) <= most:
            break
    return np.stack(found) if found else kept
