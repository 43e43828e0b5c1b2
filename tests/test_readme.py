"""What the README says is run as it stands, from its top to its bottom; it stays short."""

from __future__ import annotations

import re
from typing import Any

import pages

import lstm_widgets as lw

LITERAL = re.compile(r"`((?:lw|recording|grid)\b[^`]*)`")


def test_examples_run_one_after_the_other(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    pages.run(root / "README.md", names)
    recording = names["recording"]
    assert recording.predictions.sizes["rank"] == 5
    # The pieces of code in the text are about the same names.
    assert recording["lstm_1"].forget_gate.dims == ("example", "timestep", "cell")
    ranking = lw.rank_cells(recording, lw.concepts.TEXT, shifts=20)
    assert {"layer", "cell", "q_value"} <= set(ranking)


def test_names_in_the_text_exist(root):
    text = (root / "README.md").read_text("utf-8")
    prose = text
    for _, block in pages.blocks(root / "README.md"):
        prose = prose.replace(block, "")
    found = LITERAL.findall(prose)
    assert found
    for code in found:
        for path in re.findall(r"\blw((?:\.[a-z_A-Z]+)+)", code):
            thing: object = lw
            for name in path[1:].split("."):
                thing = getattr(thing, name)
        compile(code, "README.md", "exec")


def test_it_is_short(root):
    text = (root / "README.md").read_text("utf-8")
    assert len(text.splitlines()) < 130
    (block,) = pages.blocks(root / "README.md")
    assert len(block[1].splitlines()) <= 10
