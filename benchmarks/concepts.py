"""What concepts of a long text cost: all 19 of them, of a recording that stays on disk.

By the length of the text: microseconds of CPU time a character, by how many bytes a character the process
has grown at its largest, and how many of these are the tracks. Each length in a process of its own.

    python benchmarks/concepts.py [--characters 100000 1000000 10000000]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import lstm_widgets as lw
from lstm_widgets.concepts.make_tracks import packed_tracks
from lstm_widgets.datasets import dialogue
from lstm_widgets.recording import RecordedLayer, Recording

MARKUP = (
    "\n\n<p>It's a <b>bold</b> 'thing' (of [many] {kinds}) /* told */ here.\n# A remark.</p>\n\n"
)


def text(characters: int) -> str:
    part = dialogue.generate(20_000, seed=1, quotes="straight") + MARKUP * 20
    return (part * (characters // len(part) + 1))[:characters]


def save(characters: int, path: Path) -> None:
    tokens = np.array([[*text(characters)]], object)
    values = {"hidden_state": np.zeros((*tokens.shape, 1), np.float32)}
    Recording.from_layers([RecordedLayer("lstm", "LSTM", values, tokens=tokens)]).save(path)


def measure(path: Path) -> None:
    recording = lw.open_recording(path)
    count = recording["lstm"].sizes["timestep"]
    lw.concepts.tracks(  # what is loaded once
        Recording.from_layers(
            [
                RecordedLayer(
                    "lstm",
                    "LSTM",
                    {"hidden_state": np.zeros((1, 1, 1), np.float32)},
                    tokens=np.array([["a"]], object),
                )
            ]
        ),
        lw.concepts.TEXT,
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    start = time.process_time()
    tracks = packed_tracks(recording, lw.concepts.TEXT)
    seconds = time.process_time() - start
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    size = sum(track.nbytes for track in tracks.values())
    print(
        f"{count:>12,} {1e6 * seconds / count:>14.2f} {grown / 2**20:>10.0f} {grown / count:>12.1f} "
        f"{size / 2**20:>10.1f} {size / count:>12.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--characters", type=int, nargs="+", default=[10**5, 10**6, 10**7])
    parser.add_argument("--save", type=Path)
    parser.add_argument("--measure", type=Path)
    given = parser.parse_args()
    if given.save:
        save(given.characters[0], given.save)
        return
    if given.measure:
        measure(given.measure)
        return
    print(
        f"{'characters':>12} {'µs a character':>14} {'grown, MiB':>10} {'a character':>12} "
        f"{'tracks':>10} {'a character':>12}",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        for count in given.characters:
            path = Path(folder) / str(count)
            for arguments in (
                ["--characters", str(count), "--save", str(path)],
                ["--measure", str(path)],
            ):
                subprocess.run([sys.executable, __file__, *arguments], check=True)


if __name__ == "__main__":
    main()
