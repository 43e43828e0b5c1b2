"""Names of files for what people have named."""

from __future__ import annotations

import re

__all__ = ["file_name"]

_OTHERS = re.compile(r"[^A-Za-z0-9_-]+")


def file_name(number: int, name: str) -> str:
    """
    Make a name that every file system takes; the number before it keeps names apart.

    Parameters
    ----------
    number : int
        Which one it is.
    name : str
        What it is called.

    Returns
    -------
    str

    Examples
    --------
    >>> file_name(3, "epoch 3"), file_name(0, "../Ä")
    ('3-epoch-3', '0--')
    """
    return f"{number}-{_OTHERS.sub('-', name)[:60]}"
