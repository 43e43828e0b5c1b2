"""Whether a PyTorch module on an accelerator is recorded and explained as on the CPU.

Run: ``python benchmarks/torch_devices.py`` where there is a GPU that CUDA, or Apple's MPS, can use. It is no
part of ``make bench``, which has to run where there is none: then the CPU stands alone in its table.

One packed classifier, in evaluation mode. Of each device it prints how far recorded signals and relevances
are from those of the CPU, and how long recording takes against the module's own pass there.
"""

from __future__ import annotations

import copy
import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import lstm_widgets as lw

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES, TIMESTEPS, SYMBOLS = 64, 100, 40


class Classifier(nn.Module):
    """The state in which two stacked, bidirectional layers end, and what it says."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(SYMBOLS, 64)
        self.lstm = nn.LSTM(64, 128, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(256, 5)

    def forward(self, ids: Any, lengths: Any) -> Any:
        read = pack_padded_sequence(
            self.embed(ids), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        _, (hidden, _) = self.lstm(read)
        return self.head(torch.cat([hidden[-2], hidden[-1]], dim=-1))


def devices() -> list[str]:
    """List what can be had, the CPU first."""
    found = ["cpu"]
    if torch.cuda.is_available():
        found.append("cuda")
    if torch.backends.mps.is_available():
        found.append("mps")
    return found


def milliseconds(function: Callable[[], Any], device: str) -> float:
    taken = []
    for _ in range(5):
        begun = time.perf_counter()
        function()
        if device != "cpu":
            getattr(torch, device).synchronize()
        taken.append(1000 * (time.perf_counter() - begun))
    return statistics.median(taken)


def main() -> None:
    torch.manual_seed(0)
    model = Classifier().eval()
    ids = torch.randint(0, SYMBOLS, (EXAMPLES, TIMESTEPS))
    lengths = torch.randint(TIMESTEPS // 2, TIMESTEPS + 1, (EXAMPLES,))
    methods = ("lrp", "sensitivity", "gradient_x_input", "integrated_gradients")
    print("device  signals apart  relevance apart  own pass ms  record ms")
    first = None
    for device in devices():
        there = copy.deepcopy(model).to(device)
        inputs = (ids.to(device), lengths.to(device))
        recording = lw.record(there, inputs, check="full")
        relevance = lw.relevance(there, inputs, methods=methods, target=0, bias_factor=1)
        found = [layer[name].values for layer in recording.values() for name in layer.data_vars]
        found.append(relevance.relevance.values)
        first = first or found
        apart = [
            float(np.nanmax(np.abs(a.astype(float) - b))) for a, b in zip(found, first, strict=True)
        ]
        with torch.no_grad():
            own = milliseconds(lambda: there(*inputs), device)  # noqa: B023
        ours = milliseconds(lambda: lw.record(there, inputs), device)  # noqa: B023
        print(f"{device:6}  {max(apart[:-1]):13.1e}  {apart[-1]:15.1e}  {own:11.1f}  {ours:9.1f}")


if __name__ == "__main__":
    main()
