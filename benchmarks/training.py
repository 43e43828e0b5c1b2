"""What it costs to record a small set of inputs after every epoch, against an epoch.

Run: ``python benchmarks/training.py`` (about a minute on two cores).

Networks as in the notebooks, on TensorFlow: the sums of ``01_addition``, all 100 of them in batches of 20,
of which 20 are recorded after each epoch; and a character model on windows of a text, of which a passage
is. Each fits without a recorder, with one into memory, and with one into a folder, in turns; the first
epochs, which compile, aren't counted.

Processor time is shown, of all threads together: what else runs on the machine doesn't count.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import lstm_widgets as lw
from lstm_widgets.datasets import addition, dialogue

LIMIT = 0.05


class Timed:
    """A recorder of which the time is taken."""

    def __init__(self, recorder: lw.TrainingRecorder) -> None:
        self._recorder = recorder
        self.times: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._recorder, name)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Take the time of a recording."""
        start = time.process_time()
        self._recorder.on_epoch_end(epoch, logs)
        self.times.append(time.process_time() - start)


def sums() -> tuple[Any, Any, Any, int, dict[str, Any]]:
    """Make the network of the first notebook, and all its sums."""
    task = addition.AdditionTask()
    terms = task.all_terms()
    questions = task.questions(terms)
    x = addition.encode(questions, task.question_width)
    y = addition.encode(task.answers(terms), task.answer_width)
    model = addition.build_model(task)
    model.compile("adam", "categorical_crossentropy")
    return model, x, y, 20, {"inputs": x[::5], "tokens": {"encoder": questions[::5]}}


def characters() -> tuple[Any, Any, Any, int, dict[str, Any]]:
    """Make a small character model, and windows of a text."""
    text = dialogue.generate(20_000, seed=0)
    symbols = list(dialogue.SYMBOLS)
    ids = np.array([symbols.index(symbol) for symbol in text])
    windows = np.lib.stride_tricks.sliding_window_view(ids, 65)[::16]
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(len(symbols), 32),
            keras.layers.LSTM(64, return_sequences=True, name="lstm"),
            keras.layers.Dense(len(symbols), activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    passage = {"inputs": text[:500], "vocabulary": symbols}
    return model, windows[:, :-1], windows[:, 1:], 64, passage


def measure(name: str, made: tuple[Any, Any, Any, int, dict[str, Any]], rounds: int) -> None:
    """Fit in turns with a recorder into memory, with one into a folder, and without."""
    model, x, y, batch_size, recorded = made
    epochs = max(2, 40 // -(-len(x) // batch_size))
    with tempfile.TemporaryDirectory() as folder:
        recorders = {
            "memory": Timed(lw.TrainingRecorder(**recorded)),
            "folder": Timed(lw.TrainingRecorder(**recorded, to=Path(folder) / "run")),
        }
        took: dict[str, list[float]] = {"without": [], "memory": [], "folder": []}
        for turn in range(rounds + 1):
            for kind, times in took.items():
                callbacks = [] if kind == "without" else [recorders[kind]]
                start = time.process_time()
                model.fit(x, y, batch_size, epochs=epochs, verbose=0, callbacks=callbacks)
                if turn:
                    times.append((time.process_time() - start) / epochs)
    epoch = statistics.median(took["without"])
    print(f"{name}: an epoch takes {epoch * 1e3:.1f} ms")
    for kind, recorder in recorders.items():
        one = statistics.median(recorder.times[epochs:])
        pairs = zip(took[kind], took["without"], strict=True)
        ratio = statistics.median(a / b for a, b in pairs)
        print(
            f"  into {kind}: a recording takes {one * 1e3:.1f} ms, {one / epoch:.1%} of it; "
            f"fit with / without: {ratio:.3f}"
        )
        if kind == "memory":
            print(f"  {'within' if one <= LIMIT * epoch else 'OVER'} {LIMIT:.0%}")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    measure("sums", sums(), rounds)
    measure("characters", characters(), rounds)


if __name__ == "__main__":
    main()
