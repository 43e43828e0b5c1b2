"""A PyTorch module in a real JupyterLab: in the Explorer with one cell held, and in WhatIf."""

from __future__ import annotations

from lab import eventually
from playwright.sync_api import expect
from widget_page import Widget, number

MODEL = """import torch
from torch import nn

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(7, 4)
        self.lstm = nn.LSTM(4, 12, num_layers=2, batch_first=True)
        self.head = nn.Linear(12, 7)

    def forward(self, ids):
        return self.head(self.lstm(self.embed(ids))[0])

torch.manual_seed(1)
model = Model()
TEXT = "abba cab a bad deed <b<"
READ = {"vocabulary": "abcde <"}
"""
EXPLORER = """recording = lw.record(model, TEXT, top_k=3, held=lw.Held(3, 0.8, "lstm/1"), **READ)
grid = lw.Explorer(recording, layer="lstm/1", cell=3, timestep=20)
grid"""
WHAT_IF = """wish = lw.WhatIf(model, TEXT, layer="lstm/1", cell=3, **READ)
wish"""


class Picture(Widget):
    scrolling = ".lw-text"


def test_a_held_cell_of_a_module_is_seen_and_another_is_held_in_the_page(show):
    notebook = show(MODEL, EXPLORER, WHAT_IF)
    explorer = Picture(notebook, 2, name="grid")
    read = explorer.root.locator(".lw-gates-read")
    # The held cell has its value at every timestep; what it would have been is not shown.
    expect(explorer.status).to_contain_text("lstm/1 · cell 3 · t=20 ")
    expect(explorer.status).to_contain_text(f"hidden_state {number(0.8)}")
    for cell, timestep in ((3, 4), (5, 4)):
        explorer.set(cell=cell, timestep=timestep)
        value = f"recording['lstm/1'].hidden_state.values[0, {timestep}, {cell}].item()"
        expect(explorer.status).to_contain_text(
            f"hidden_state {number(notebook.kernel.value(value))}"
        )
        gate = f"recording['lstm/1'].forget_gate.values[0, {timestep}, {cell}].item()"
        expect(read).to_contain_text(number(notebook.kernel.value(gate)))

    wish = Picture(notebook, 3, name="wish")
    wish.control("hold").check()
    wish.control("held at number").fill("0.8")
    eventually(lambda: wish.get("value"), 0.8)
    found = "lw.ablate(model, TEXT, 3, value=0.8, layer='lstm/1', **READ).table"
    loss, held = notebook.kernel.value(f"{found}[['loss', 'loss_held']].values[0].tolist()")
    said = f"loss {number(loss)} → {number(held)} "
    expect(wish.root.locator(".lw-loss")).to_contain_text(said)
