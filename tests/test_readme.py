"""What the README says is run as it stands, from its top to its bottom."""

from __future__ import annotations

import ast
import re

import lstm_widgets as lw

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LITERAL = re.compile(r"`((?:lw|recording|grid)\b[^`]*)`")


def examples(root):
    text = (root / "README.md").read_text(encoding="utf-8")
    blocks = [(text.count("\n", 0, m.start(1)) + 1, m[1]) for m in BLOCK.finditer(text)]
    assert len(blocks) == text.count("```python")
    return text, blocks


def test_examples_run_one_after_the_other(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, blocks = examples(root)
    assert len(blocks) > 8
    names: dict[str, object] = {}
    for line, block in blocks:
        module = ast.parse(block)
        ast.increment_lineno(module, line - 1)
        # What a notebook would show at the end of a cell is shown.
        *before, last = module.body
        exec(compile(ast.Module(before, []), "README.md", "exec"), names)
        if not isinstance(last, ast.Expr):
            exec(compile(ast.Module([last], []), "README.md", "exec"), names)
            continue
        shown = eval(compile(ast.Expression(last.value), "README.md", "eval"), names)
        assert shown is not None, f"README.md, line {line}"
        if hasattr(shown, "_repr_mimebundle_"):
            assert shown._repr_mimebundle_()
    ranking = names["ranking"]
    assert {"layer", "cell", "q_value"} <= set(ranking)
    # The pieces of code between the examples are about the same names.
    assert names["recording"].predictions.sizes["rank"] == 5
    grid, recording = names["grid"], lw.open_recording
    assert grid.recording["encoder"].forget_gate.dims == ("example", "timestep", "cell")
    grid.recording.save("addition.zarr")
    assert list(recording("addition.zarr")) == list(grid.recording)
    grid.cell = 22
    grid.save_html("explorer.html")


def test_names_in_the_text_exist(root):
    text, blocks = examples(root)
    prose = text
    for _, block in blocks:
        prose = prose.replace(block, "")
    found = LITERAL.findall(prose)
    assert len(found) > 10
    for code in found:
        for path in re.findall(r"\blw((?:\.[a-z_A-Z]+)+)", code):
            thing: object = lw
            for name in path[1:].split("."):
                thing = getattr(thing, name)
        if "..." not in code:
            compile(code, "README.md", "exec")
