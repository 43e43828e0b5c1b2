"""Record a text with the model of tiny.py into a file, and end without a word after some batches."""

from __future__ import annotations

import os
import sys

import numpy as np
import tiny

import lstm_widgets as lw
from lstm_widgets.recording.store import streaming
from lstm_widgets.running import run

MODEL = tiny.Tiny(stepped=False)
TEXT = "".join(np.random.default_rng(1).choice(list("abcde"), 900))
OPTIONS = {
    "continuous": {"batch_size": 100, "top_k": 2},
    "windows": {"batch_size": 100, "top_k": 2, "window": 7, "pad": "a"},
}


def main(how: str, path: str, batches: int) -> None:
    """Record, and be gone before the next batch is read."""
    streaming.SPACING = 0.0  # each mark is put on the disk by itself
    real, calls = run.read, []

    def read(*arguments):
        calls.append(1)
        if len(calls) > batches:
            os._exit(7)
        return real(*arguments)

    run.read = read
    lw.record(MODEL, TEXT, vocabulary="abcde", to=path, **OPTIONS[how])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
