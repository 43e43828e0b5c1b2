"""Every error that the package raises of its own, under one base class.

Bad arguments are plain ``TypeError`` and ``ValueError``. What stands here is what a program may want to
tell apart; each can still be caught as the built-in error that it is, too.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "LayerNotFoundError",
    "LstmWidgetsError",
    "ModelFileError",
    "RecordingFileError",
    "SelfCheckError",
    "UnsupportedLayerError",
]


class LstmWidgetsError(Exception):
    """
    The base class of all errors of this package.

    Examples
    --------
    >>> import lstm_widgets as lw
    >>> try:
    ...     lw.open_recording("README.md")
    ... except lw.errors.LstmWidgetsError as error:
    ...     print(type(error).__name__)
    RecordingFileError
    """


class UnsupportedLayerError(LstmWidgetsError, ValueError):
    """A layer of the model can't be recorded, or scores can't be traced back through it."""


class SelfCheckError(LstmWidgetsError, RuntimeError):
    """
    The self-check failed: what was recorded is not what the layer computes.

    Attributes
    ----------
    kept : object, optional
        What was done before, and passed the check: of :func:`lstm_widgets.record` a
        :class:`lstm_widgets.Recording` of the batches before, of :func:`lstm_widgets.generate` a
        :class:`lstm_widgets.Generation`; None if there is nothing.
    """

    kept: Any = None

    def keep(self, done: Any) -> None:  # noqa: ANN401 - a recording, or what was written
        """Keep what was done before."""
        self.kept = done
        self.add_note("What was done before that is kept: it is the error's attribute `kept`.")


class RecordingFileError(LstmWidgetsError, ValueError):
    """A path doesn't hold a recording that this version can read, or a part of one is damaged or lost."""


class ModelFileError(LstmWidgetsError, ValueError):
    """A file of a model is damaged, or holds what can't be converted."""


class LayerNotFoundError(LstmWidgetsError, KeyError, ValueError):
    """A recording, or a model, doesn't have the layer that was asked for, or the call of it."""

    def __str__(self) -> str:  # KeyError shows the repr of its message
        return str(self.args[0])
