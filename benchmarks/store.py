"""How the chunks of a recording are best compressed: ratios of size and time, for codecs and chunk sizes.

Run: ``python benchmarks/store.py`` (about a minute on two cores).

Values are those of recurrent cells: slow tracks that saturate, fast ones, and gates near 0 and 1. Sizes are
parts of the raw float32; times those of one pass of compressing and one of decompressing, against copying.
"""

from __future__ import annotations

import time

import numpy as np
from numcodecs import Blosc  # type: ignore[import-untyped,unused-ignore]

SHUFFLES = {"none": Blosc.NOSHUFFLE, "shuffle": Blosc.SHUFFLE, "bitshuffle": Blosc.BITSHUFFLE}
CELLS = 256


def signals(rng: np.random.Generator, timesteps: int) -> dict[str, np.ndarray]:
    """Make tracks like those of hidden states and gates."""
    steps = rng.normal(size=(timesteps, CELLS)) * 10 ** rng.uniform(-2, 0, CELLS)
    slow = np.cumsum(steps, axis=0)
    slow -= slow[::512].repeat(512, axis=0)[:timesteps]
    return {
        "hidden_state": np.tanh(slow).astype(np.float32),
        "input_gate": (1 / (1 + np.exp(-4 * slow - rng.normal(size=slow.shape)))).astype(
            np.float32
        ),
    }


def measured(codec: Blosc, chunks: list[np.ndarray]) -> tuple[float, float, float]:
    """Give the size's part of raw, and the seconds of both ways."""
    start = time.perf_counter()
    packed = [codec.encode(chunk) for chunk in chunks]
    middle = time.perf_counter()
    for each in packed:
        codec.decode(each)
    end = time.perf_counter()
    raw = sum(chunk.nbytes for chunk in chunks)
    return sum(map(len, packed)) / raw, middle - start, end - middle


def main() -> None:
    """Print the table."""
    values = signals(np.random.default_rng(0), 1 << 14)
    print(f"{'signal':<14}{'codec':<7}{'shuffle':<12}{'MiB':>4}{'size':>7}{'write':>7}{'read':>7}")
    for name, signal in values.items():
        start = time.perf_counter()
        signal.copy()
        copying = time.perf_counter() - start
        for mebibytes in (1, 2, 4, 8):
            rows = (mebibytes << 20) // (4 * CELLS)
            chunks = [signal[k : k + rows] for k in range(0, len(signal), rows)]
            for codec, level in (("lz4", 5), ("zstd", 1)):
                for shuffle, kind in SHUFFLES.items():
                    size, write, read = measured(Blosc(codec, level, kind), chunks)
                    print(
                        f"{name:<14}{codec:<7}{shuffle:<12}{mebibytes:>4}{size:>7.3f}"
                        f"{write / copying:>7.1f}{read / copying:>7.1f}"
                    )


if __name__ == "__main__":
    main()
