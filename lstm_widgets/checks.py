"""What arguments have to be, told in one way: the argument, what was expected, and what came."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeGuard

import numpy as np


def is_whole(value: object) -> TypeGuard[int]:
    """
    Tell whether something is a whole number, of Python or NumPy; a bool isn't.

    Examples
    --------
    >>> import numpy as np
    >>> [is_whole(value) for value in (3, np.int8(3), 3.0, True)]
    [True, True, False, False]
    """
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def expect_whole(argument: str, value: object, least: int, most: int | None = None) -> int:
    """
    Check that an argument is a whole number.

    Parameters
    ----------
    argument : str
        Its name.
    value : object
        What came.
    least, most : int, optional
        Between which it has to be, both included.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If it isn't one, or out of these bounds.

    Examples
    --------
    >>> expect_whole("limit", 5, 0)
    5
    """
    if not is_whole(value) or value < least or (most is not None and value > most):
        if most is not None:
            expected = f"whole number from {least} to {most}"
        else:
            expected = "positive whole number" if least == 1 else f"whole number from {least} on"
        raise ValueError(f"{argument}: expected a {expected}, got {value!r:.80}")
    return int(value)


def expect_path(argument: str, value: object) -> Path:
    """
    Check that an argument is a path of this machine.

    Parameters
    ----------
    argument : str
        Its name.
    value : object
        What came.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    TypeError
        If it is neither a str nor path-like.
    ValueError
        If it is an address, as of a bucket.

    Examples
    --------
    >>> expect_path("to", "run").name
    'run'
    """
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{argument}: expected a path (str or Path), got {value!r:.80}")
    protocol, address, _ = str(value).partition("://")
    if address:  # which may have a password in it
        raise ValueError(
            f"{argument}: expected a path of this machine, got an address of {protocol}://; write it here, "
            "and copy the folder there"
        )
    return Path(value)
