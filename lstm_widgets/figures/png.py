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
#: Bits that don't count in the colours of soft edges.
_ROUGH = 4
_EACH = (255 >> _ROUGH) * 0x010101
#: Levels by which a colour may be off, the first that will do.
_OFF = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 255)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """
    Write a picture as a small PNG, of at most 256 colours.

    Where it has more, each is replaced by one that is off by as few levels as will do; areas of one
    colour come before the soft edges of letters.

    Parameters
    ----------
    pixels : uint8 array (height, width, 3)
    """
    wide = pixels.astype(np.uint32)
    packed = (wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]).reshape(-1)
    # Stretches of one colour are many times fewer than pixels.
    starts = np.flatnonzero(np.diff(packed, prepend=packed[0] + 1))
    lengths = np.diff(starts, append=len(packed))
    found, where = np.unique(packed[starts], return_inverse=True)
    count = np.bincount(where, lengths, len(found))
    every = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=-1).astype(np.int16)
    areas = every[np.argsort(-count, kind="stable")][: (count >= _AREA).sum()]
    palette = _fewer(areas, 208, every[:0])
    # Soft edges have thousands, of which as many are the same to the eye.
    rough, of = np.unique(found >> _ROUGH & _EACH, return_inverse=True)
    middles = np.stack([rough >> 16, rough >> 8 & 255, rough & 255], axis=-1).astype(np.int16)
    middles = (middles << _ROUGH) + (1 << _ROUGH - 1)
    soft = np.bincount(of, count < _AREA) > 0
    palette = _fewer(middles[soft], 256, palette)
    nearest = _distances(middles, palette).argmin(axis=1)[of]
    nearest[count >= _AREA] = _distances(every[count >= _AREA], palette).argmin(axis=1)
    nearest = nearest.astype(np.uint8)
    indexed = Image.fromarray(np.repeat(nearest[where], lengths).reshape(pixels.shape[:2]))
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
