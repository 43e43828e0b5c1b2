"""What `import lstm_widgets` costs, beside `import xarray`, which all of its recordings are made of.

Each import is made in a process of its own, which tells the seconds of its CPU and of the clock; medians,
the kinds in turn, bytecode compiled before.

    python benchmarks/importing.py [--times 15]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys

CASES = {
    "import xarray": "import xarray",
    "import lstm_widgets": "import lstm_widgets",
    "and record": "import lstm_widgets; lstm_widgets.record",
    "and CellGrid": "import lstm_widgets; lstm_widgets.CellGrid",
    "and all names": "from lstm_widgets import *",
}
TIMED = """
import time
clock, cpu = time.perf_counter(), time.process_time()
{}
print(time.perf_counter() - clock, time.process_time() - cpu)
"""


def once(code: str) -> tuple[float, float]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    run = subprocess.run(
        [sys.executable, "-c", TIMED.format(code)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    clock, cpu = map(float, run.stdout.split())
    return clock, cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=15)
    times = parser.parse_args().times
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in CASES}
    for code in CASES.values():
        once(code)
    for _ in range(times):
        for name, code in CASES.items():
            found[name].append(once(code))
    medians = {
        name: [statistics.median(column) for column in zip(*rows, strict=True)]
        for name, rows in found.items()
    }
    _, beside = medians["import xarray"]
    print(f"{'':22} {'clock':>8} {'CPU':>8}   × xarray (CPU)")
    for name, (clock, cpu) in medians.items():
        print(f"{name:22} {clock:6.3f} s {cpu:6.3f} s   {cpu / beside:.2f}")


if __name__ == "__main__":
    main()
