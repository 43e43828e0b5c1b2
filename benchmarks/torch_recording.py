"""What recording a PyTorch module costs, against running it and against the loop that people write.

Run: ``python benchmarks/torch_recording.py`` (about a minute on two cores).

One LSTM, with 2 threads. Recording all signals, self-check included, against the module's own fused
forward pass, which keeps the last state only, and against an ``nn.LSTMCell`` in a Python loop, which gives
hidden and cell state of every timestep, and no gates. The three take turns in every repeat, so that
whatever else the machine does hits all of them; medians are shown, of the time that passes and of the
time that the processors worked.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

import lstm_widgets as lw

if TYPE_CHECKING:
    from collections.abc import Callable

# What stands in a row: batch, time, features, cells; as in recording.py.
SHAPES = [
    (1, 2000, 64, 256),
    (1, 1000, 64, 512),
    (1, 2000, 16, 16),
    (64, 100, 64, 128),
    (256, 100, 128, 64),
    (32, 500, 64, 64),
]
THREADS = 2


def seconds(function: Callable[[], Any]) -> tuple[float, float]:
    """Measure how long it takes, and how long processors work for it."""
    start, worked = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - start, time.process_time() - worked


def stepped(cell: nn.LSTMCell, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Loop a cell over a batch ``(example, timestep, feature)``, and keep its states."""
    states: list[tuple[torch.Tensor, torch.Tensor]] = []
    for t in range(x.shape[1]):
        states.append(cell(x[:, t], states[-1] if states else None))
    hidden, of_cell = zip(*states, strict=True)
    return torch.stack(hidden, dim=1), torch.stack(of_cell, dim=1)


@torch.no_grad()
def measure(repeats: int) -> None:
    print("Recording all signals, self-check included (ms; in brackets, of processors' work)")
    print(
        f"{'batch, time, features, cells':<30}{'fused':>18}{'LSTMCell loop':>18}{'record':>18}"
        f"{'x fused':>14}{'loop / record':>15}"
    )
    for batch, timesteps, features, cells in SHAPES:
        torch.manual_seed(0)
        x = torch.randn(batch, timesteps, features)
        model, cell = nn.LSTM(features, cells, batch_first=True), nn.LSTMCell(features, cells)
        functions: list[Callable[[], Any]] = [
            lambda: model(x),  # noqa: B023
            lambda: stepped(cell, x),  # noqa: B023
            lambda: lw.record(model, x),  # noqa: B023
        ]
        for function in functions:
            function()
        taken: list[list[tuple[float, float]]] = [[], [], []]
        for _ in range(repeats):
            for function, measured in zip(functions, taken, strict=True):
                measured.append(seconds(function))
        passed, worked = (
            [1000 * statistics.median(pair[k] for pair in pairs) for pairs in taken] for k in (0, 1)
        )
        columns = [f"{p:.1f} ({w:.1f})" for p, w in zip(passed, worked, strict=True)]
        against = f"{passed[2] / passed[0]:.2f} ({worked[2] / worked[0]:.2f})"
        print(
            f"{f'{batch}, {timesteps}, {features}, {cells}':<30}"
            f"{''.join(f'{column:>18}' for column in columns)}{against:>14}"
            f"{passed[1] / passed[2]:>15.1f}",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=11)
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    print(f"PyTorch {torch.__version__}, {THREADS} threads\n")
    measure(arguments.repeats)
