"""Recordings on disk: a Zarr v3 directory that is either whole or doesn't open.

::

    path/
      zarr.json             written last: it says that all is there, which data belong to it, and (as
                            Zarr's consolidated metadata) what each group and array in them is: their
                            shapes there are those of what is complete
      data-<id>/
        0-lstm_1/           one group a layer, in model order
          zarr.json         its attributes
          hidden_state/     one array a signal; mask, token, label and the initial states beside them
        predictions/        if there are any: the same for the model's guesses
        inputs/ outputs/ targets/   and for the numbers that it read, said, and should have said

A save writes a new ``data-<id>`` and then replaces ``zarr.json`` in one step, so that whatever
interrupts it, ``path`` is at all times the old recording, the new one, or none.
"""

from lstm_widgets.recording.store.reading import read
from lstm_widgets.recording.store.writing import write

__all__ = ["read", "write"]
