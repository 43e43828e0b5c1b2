"""Recordings on disk: a Zarr v3 directory, of which what is marked as complete opens, and nothing else.

::

    path/
      zarr.json             the marker: it says how much is there, which data belong to it, and (as
                            Zarr's consolidated metadata) what each group and array in them is: their
                            shapes there are those of what is complete; and while it is being written, the
                            statistics of that, so that with the levels a first picture needs no more
      resume/               only while it is being written: what it can be gone on with from
      data-<id>/
        0-lstm_1/           one group a layer, in model order
          zarr.json         its attributes
          hidden_state/     one array a signal; mask, token, label and the initial states beside them
          token/ tokens/    texts: a number a timestep, and the strings that the numbers stand for
        predictions/        if there are any: the same for the model's guesses
        inputs/ outputs/ targets/   and for the numbers that it read, said, and should have said

The marker is replaced in one step, after what it tells of is on the disk. A save writes a new
``data-<id>`` and then the marker, so that whatever interrupts it, ``path`` is at all times the old
recording, the new one, or none. A :class:`~lstm_widgets.recording.store.streaming.Stream` replaces it
again and again, unless it stands over a finished recording, which stays until the new one is finished.
"""

from lstm_widgets.recording.store.reading import read
from lstm_widgets.recording.store.writing import write
from lstm_widgets.recording.store.zipped import Zipped

__all__ = ["Zipped", "read", "write"]
