# Each process imports what it measures, and nothing else.
# ruff: noqa: PLC0415
"""What recordings cost that are larger than memory, and larger than one machine.

Run: ``python benchmarks/scale.py`` (half an hour and more, 30 GB of disk), or ``--quick`` for the same with
small sizes in a few minutes, to see that it works: ratios of small sizes say little. Everything is printed
as ratios of what is measured in the same run, and as bytes.

By default, as the sizes stand in the aims:

- *recording* 2 000 000 timesteps x 256 cells x 6 signals (12 GB) of a Keras LSTM to disk: the peak of the
  process's memory (``VmHWM``) above what it had with the framework loaded and the model called once, aim
  1.5 GB; and its time against the slower of its two parts alone, recording the same piece by piece into
  memory, and writing as many bytes as the file has to the same disk, both ending in fsync, aim 1.3;
- *looking* at 10 000 000 timesteps x 256 cells: opening and the first picture of a ``CellGrid``, against one
  hundredth of the length, aim 1.5; growth of memory while scrolling through it, aim 300 MB; a jump to
  anywhere, aim 150 ms at the median;
- *ranking* the same by 19 concepts: peak of memory, aim 1.5 GB; time for each timestep against one hundredth
  of the length, aim 1.3; at a tenth of the length, two workers of one thread on a Dask cluster against one,
  aim 1.6, with the processor time of both;
- *growth*: 10^5, 10^6, 10^7 timesteps, each for recording, opening, the first picture, ranking and
  matching: what ten times the length costs, aim ten times at most.

Every figure is measured in a process of its own. What is read has been written as a recording is, from
random walks with tokens, without a model, and its pages may be in the system's cache: all sizes alike, so
far as they fit.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

SIGNALS = ("hidden_state", "cell_state", "input_gate", "forget_gate", "candidate", "output_gate")
SYMBOLS = "abcdefghijklmnopqrstuvwxyz .,()\"'\nABCDEFGHIJ0123456789"
PIECE = 1 << 16
MB, GB = 1e6, 1e9


# Memory -------------------------------------------------------------------------------------------


def status(line: str) -> float:
    """Read a line of this process's status, in bytes."""
    text = Path("/proc/self/status").read_text("ascii")
    return 1024.0 * int(text.split(f"{line}:")[1].split()[0])


class Peak:
    """The most memory that this process has from here on, above what it has here."""

    def __init__(self) -> None:
        try:  # the peak begins anew
            Path("/proc/self/clear_refs").write_text("5", "ascii")
            self.begun = status("VmRSS")
        except OSError:
            self.begun = status("VmHWM")

    @property
    def growth(self) -> float:
        return max(0.0, status("VmHWM") - self.begun)


# What is recorded, and what is read ---------------------------------------------------------------


def ids(count: int) -> np.ndarray:
    """Give characters at random, with quotes and brackets that are open for a while."""
    return np.random.default_rng(1).integers(0, len(SYMBOLS), count, dtype=np.int32)


def model(cells: int) -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    keras.utils.set_random_seed(0)
    inputs = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(len(SYMBOLS), 64)(inputs)
    x = keras.layers.LSTM(cells, return_sequences=True)(x)
    return keras.Model(inputs, keras.layers.Dense(len(SYMBOLS), activation="softmax")(x))


def write_walk(path: Path, timesteps: int, cells: int) -> None:
    """Write a recording of one signal, walks that are drawn back to 0, piece by piece."""
    from scipy.signal import lfilter

    from lstm_widgets.recording.store.streaming import Stream, layer_plan

    rng = np.random.default_rng(0)
    steps = rng.standard_normal((PIECE, cells), dtype=np.float32)
    base = np.tanh(lfilter([0.1], [1, -0.99], steps, axis=0)).astype(np.float32)
    symbols = np.array(list(SYMBOLS), object)
    text = ids(PIECE)
    attrs = {"kind": "LSTM", "go_backwards": False, "masked_share": 0.0, "config": {}}
    attrs["check"] = {"mode": "none"}
    with Stream.open(path, fingerprint={"walk": f"{timesteps} {cells}"}) as stream:
        stream.layer(
            "lstm",
            layer_plan(["hidden_state"], examples=1, timesteps=timesteps, cells=cells, tokens=True),
            attrs,
        )
        for k, start in enumerate(range(0, timesteps, PIECE)):
            count = min(PIECE, timesteps - start)
            piece = np.roll(base, (977 * k, k), axis=(0, 1))[None, :count]
            tokens = symbols[np.roll(text, 353 * k)[None, :count]]
            place = (slice(0, 1), slice(start, start + count))
            stream.write("lstm", place, {"hidden_state": piece, "token": tokens})
            stream.mark(start + count)
        stream.finish()


def size_of(path: Path) -> int:
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())


def concepts() -> Any:
    """Give 19 concepts of characters."""
    import lstm_widgets as lw

    plain = "bracket_depth digit first_word_of_sentence inside_brackets inside_double_quotes line_length"
    plain += " newline position_in_line position_in_word punctuation upper_case vowel whitespace"
    plain += " word_end word_start"
    found = [getattr(lw.concepts, name) for name in plain.split()]
    return [*found, *(lw.concepts.is_token(letter) for letter in "etao")]


# What is measured, each in a process of its own ---------------------------------------------------


def record(path: str, timesteps: int, cells: int) -> dict[str, Any]:
    """Record to disk, as a user does."""
    import lstm_widgets as lw

    made, text = model(cells), ids(timesteps)
    lw.record(made, text[: PIECE // 8])  # what is compiled once a machine, and traced once a model
    peak = Peak()
    start = time.perf_counter()
    recording = lw.record(made, text, vocabulary=list(SYMBOLS), to=path)
    took = time.perf_counter() - start
    assert recording["lstm"].sizes["timestep"] == timesteps
    return {"seconds": took, "growth": peak.growth, "bytes": size_of(Path(path))}


def compute(timesteps: int, cells: int) -> dict[str, Any]:
    """Record the same piece by piece into memory, which is let go."""
    import lstm_widgets as lw

    made, text = model(cells), ids(timesteps)
    lw.record(made, text[: PIECE // 8])
    start = time.perf_counter()
    for k in range(0, timesteps, PIECE):
        lw.record(made, text[k : k + PIECE], vocabulary=list(SYMBOLS))
    return {"seconds": time.perf_counter() - start}


def write(path: str, size: int) -> dict[str, Any]:
    """Write bytes that nothing makes smaller."""
    piece = np.random.default_rng(0).bytes(1 << 23)
    start = time.perf_counter()
    with Path(path).open("wb", buffering=0) as file:
        file.writelines(piece[: size - k] for k in range(0, size, len(piece)))
        os.fsync(file.fileno())
    took = time.perf_counter() - start
    Path(path).unlink()
    return {"seconds": took}


def walk(path: str, timesteps: int, cells: int) -> dict[str, Any]:
    start = time.perf_counter()
    write_walk(Path(path), timesteps, cells)
    return {"seconds": time.perf_counter() - start, "bytes": size_of(Path(path))}


def look(path: str) -> dict[str, Any]:
    """Open, draw, jump, and scroll from one end to the other, as the page asks for it."""
    import lstm_widgets as lw
    from lstm_widgets.recording import RecordedLayer, Recording

    # What is loaded and compiled with the first picture of a session, whatever it shows.
    rng = np.random.default_rng(0)
    small = RecordedLayer("lstm", "LSTM", {"hidden_state": rng.random((1, 99, 8), np.float32)})
    Recording.from_layers([small]).save(f"{path}.small")
    lw.CellGrid(lw.open_recording(f"{path}.small"))._repr_mimebundle_()
    shutil.rmtree(f"{path}.small")
    peak = Peak()
    start = time.perf_counter()
    recording = lw.open_recording(path)
    opened = time.perf_counter() - start
    grid = lw.CellGrid(recording)
    grid._repr_mimebundle_()
    first = time.perf_counter() - start - opened
    drawn = peak.growth
    layer = recording["lstm"]
    timesteps, cells = layer.sizes["timestep"], layer.sizes["cell"]
    rows = list(range(min(cells, 48)))
    replies: list[Any] = []
    grid.send = lambda content, buffers=None: replies.append((content, buffers))

    def ask(level: int, block: int) -> float:
        begun = time.perf_counter()
        same = {"layer": "lstm", "signal": "hidden_state"}
        tiles = {"id": "1", "tiles": [[level, block, rows]], **same}
        # At what is finest, the letters above are asked for, too.
        if level == 0:
            tiles["columns"] = [block]
        grid._on_message(grid, tiles, [])  # noqa: SLF001 - as if the page asked
        content, buffers = replies.pop()
        assert not content.get("error"), content
        assert len(buffers[0]) > 0
        return time.perf_counter() - begun

    blocks = -(-timesteps // 512)
    jumps = [ask(0, int(block)) for block in rng.integers(0, blocks, 60)]
    before = Peak()
    coarsest = max(0, int(np.log2(max(1, blocks))))
    for level in range(coarsest + 1):
        there = -(-timesteps // (512 << level))
        for block in np.unique(np.linspace(0, there - 1, 120).astype(int)):
            ask(level, int(block))
    return {
        "open": opened,
        "first": first,
        "drawn": drawn,
        "jump": statistics.median(jumps),
        "scrolled": before.growth,
    }


def rank(path: str, workers: int = 0) -> dict[str, Any]:
    """Rank every cell by every concept: here, or on a cluster of processes with one thread each."""
    import lstm_widgets as lw

    recording = lw.open_recording(path)
    said = concepts()

    def run() -> dict[str, Any]:
        peak = Peak()
        start, used = time.perf_counter(), time.process_time()
        ranking = lw.rank_cells(recording, said)
        took = time.perf_counter() - start
        assert len(ranking)
        return {
            "seconds": took,
            "processor": time.process_time() - used,
            "growth": peak.growth,
            "steps": recording["lstm"].sizes["timestep"],
        }

    if not workers:
        return run()
    import distributed

    with (
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.run(__import__, "lstm_widgets.analysis.ranking")
        before = sum(client.run(time.process_time).values())
        found = run()
        return found | {"workers": sum(client.run(time.process_time).values()) - before}


def match(path: str) -> dict[str, Any]:
    import lstm_widgets as lw

    recording = lw.open_recording(path)
    peak = Peak()
    start = time.perf_counter()
    lw.match(recording, (100, 110), relax=True)
    return {"seconds": time.perf_counter() - start, "growth": peak.growth}


MEASURED = {each.__name__: each for each in (record, compute, write, walk, look, rank, match)}


def measured(what: str, **arguments: Any) -> dict[str, Any]:
    """Measure something in a process of its own."""
    command = [sys.executable, __file__, "--measure", what, "--with", json.dumps(arguments)]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{what} {arguments} failed")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


# What is printed ----------------------------------------------------------------------------------


def say(what: str, value: str, aim: str = "") -> None:
    print(f"  {what:<58}{value:>16}{f'   aim {aim}' if aim else ''}", flush=True)


def recording(folder: Path, timesteps: int, cells: int) -> None:
    print(f"Recording {timesteps} timesteps x {cells} cells x {len(SIGNALS)} signals", flush=True)
    path = folder / "recorded.zarr"
    whole = measured("record", path=str(path), timesteps=timesteps, cells=cells)
    shutil.rmtree(path)
    alone = measured("compute", timesteps=timesteps, cells=cells)
    disk = measured("write", path=str(folder / "bytes"), size=whole["bytes"])
    values = 4 * timesteps * cells * len(SIGNALS)
    say("in memory, and on disk", f"{values / GB:.2f}, {whole['bytes'] / GB:.2f} GB")
    say("peak of memory above the loaded framework", f"{whole['growth'] / GB:.2f} GB", "1.5 GB")
    say("recording to disk", f"{whole['seconds']:.1f} s")
    say("recording piece by piece into memory", f"{alone['seconds']:.1f} s")
    speed = whole["bytes"] / disk["seconds"] / MB
    say(f"writing as many bytes ({speed:.0f} MB/s)", f"{disk['seconds']:.1f} s")
    slower = max(alone["seconds"], disk["seconds"])
    say("against the slower of the two", f"x {whole['seconds'] / slower:.2f}", "1.3")


def looking(found: dict[int, dict[str, Any]]) -> None:
    short, long = min(found), max(found)
    print(f"Looking at {long} timesteps, against {short}", flush=True)
    one, other = found[short], found[long]
    say("opening", f"{1000 * one['open']:.0f}, {1000 * other['open']:.0f} ms")
    say("first picture", f"{1000 * one['first']:.0f}, {1000 * other['first']:.0f} ms")
    both = [each["open"] + each["first"] for each in (one, other)]
    say("opened and drawn, against the short one", f"x {both[1] / both[0]:.2f}", "1.5")
    say("memory for the first picture", f"{other['drawn'] / MB:.0f} MB")
    say("growth of memory while scrolling", f"{other['scrolled'] / MB:.0f} MB", "300 MB")
    say("a jump anywhere, median of 60", f"{1000 * other['jump']:.0f} ms", "150 ms")


def ranking(folder: Path, found: dict[int, dict[str, Any]]) -> None:
    short, long = min(found), max(found)
    print(f"Ranking {long} timesteps by 19 concepts, against {short}", flush=True)
    one, other = found[short], found[long]
    say("peak of memory", f"{other['growth'] / GB:.2f} GB", "1.5 GB")
    say("time", f"{one['seconds']:.1f}, {other['seconds']:.1f} s")
    ratio = other["seconds"] / long / (one["seconds"] / short)
    say("for each timestep, against the short one", f"x {ratio:.2f}", "1.3")
    *_, middle, _ = [short, *sorted(found)]
    print(f"Ranking {middle} timesteps on a cluster", flush=True)
    path = str(folder / f"{middle}.zarr")
    by = {count: measured("rank", path=path, workers=count) for count in (1, 2)}
    for count, each in by.items():
        times = f"{each['seconds']:.1f}, {each['workers']:.1f} s"
        say(f"{count} worker(s) of one thread: wall, processor", times)
    gain = by[1]["seconds"] / by[2]["seconds"]
    say("two against one", f"x {gain:.2f}", "1.6 and more")


def growth(costs: dict[str, dict[int, float]]) -> None:
    lengths = sorted(next(iter(costs.values())))
    print("What length costs: seconds, and against ten times less", flush=True)
    print(f"  {'timesteps':<16}" + "".join(f"{length:>22}" for length in lengths))
    for what, by in costs.items():
        line = f"  {what:<16}"
        for k, length in enumerate(lengths):
            before = f"x {by[length] / by[lengths[k - 1]]:.1f}" if k else ""
            line += f"{by[length]:>12.3f}{before:>10}"
        print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes: does it work?")
    parser.add_argument("--recorded", type=int, help="timesteps that are recorded (2 000 000)")
    parser.add_argument(
        "--lengths", type=int, nargs="+", help="timesteps that are read (10^5 10^6 10^7)"
    )
    parser.add_argument("--cells", type=int, default=256)
    parser.add_argument(
        "--folder", type=Path, help="on which disk (the folder for temporary files)"
    )
    parser.add_argument("--only", nargs="+", choices=("record", "look", "rank", "growth"))
    parser.add_argument("--measure", choices=MEASURED, help=argparse.SUPPRESS)
    parser.add_argument("--with", dest="arguments", default="{}", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(MEASURED[asked.measure](**json.loads(asked.arguments))))
        return
    recorded = asked.recorded or (40_000 if asked.quick else 2_000_000)
    lengths = asked.lengths or ([20_000, 200_000] if asked.quick else [10**5, 10**6, 10**7])
    only = asked.only or ["record", "look", "rank", "growth"]
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name)
        free = shutil.disk_usage(folder).free / GB
        print(f"{os.cpu_count()} cores, {free:.0f} GB free on the disk\n", flush=True)
        if "record" in only:
            recording(folder, recorded, asked.cells)
        costs: dict[str, dict[int, float]] = {}
        if "growth" in only:
            for length in lengths:
                path = folder / "grown.zarr"
                cost = measured("record", path=str(path), timesteps=length, cells=asked.cells)
                costs.setdefault("record", {})[length] = cost["seconds"]
                shutil.rmtree(path)
        if {"look", "rank", "growth"} & set(only):
            for length in lengths:
                path = str(folder / f"{length}.zarr")
                measured("walk", path=path, timesteps=length, cells=asked.cells)
        paths = {length: str(folder / f"{length}.zarr") for length in lengths}
        if {"look", "growth"} & set(only):
            seen = {length: measured("look", path=path) for length, path in paths.items()}
            costs["open"] = {length: each["open"] for length, each in seen.items()}
            costs["first picture"] = {length: each["first"] for length, each in seen.items()}
            if "look" in only:
                looking(seen)
        if {"rank", "growth"} & set(only):
            ranked = {length: measured("rank", path=path) for length, path in paths.items()}
            costs["rank"] = {length: each["seconds"] for length, each in ranked.items()}
            if "rank" in only:
                ranking(folder, ranked)
        if "growth" in only:
            matched = {length: measured("match", path=path) for length, path in paths.items()}
            costs["match"] = {length: each["seconds"] for length, each in matched.items()}
            growth(costs)


if __name__ == "__main__":
    main()
