"""One folder knows each framework: everything else works where there is none."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = "lstm_widgets"
FRAMEWORKS = {
    "keras": re.compile("keras|tensorflow|(^|[^a-z])tf($|[^a-z0-9])", re.IGNORECASE),
    "torch": re.compile("torch", re.IGNORECASE),
    "jax": re.compile("jax", re.IGNORECASE),  # known by Keras alone
}
#: What Keras runs on is the business of one module.
BACKENDS = "models/keras/backend.py"
#: An activation is named for where it comes from.
NAMES = {"hard_sigmoid_keras2", "_hard_sigmoid_keras2"}


def words(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Give all names and strings of a module, but for its docstrings."""
    docs = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        match node:
            case ast.alias(name=name) | ast.Name(id=name) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
                yield node.lineno, name
            case ast.ImportFrom(module=str(name)):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.Constant(value=str(text)) if id(node) not in docs:
                yield node.lineno, text


def test_nothing_else_names_a_framework(root: Path) -> None:
    package = root / PACKAGE
    found = []
    for file in sorted(package.rglob("*.py")):
        place = file.relative_to(package)
        # `datasets` are example tasks; the public names come from everywhere.
        if place.parts[0] in ("datasets", "__init__.py") or place.as_posix() == BACKENDS:
            continue
        others = [
            pattern
            for folder, pattern in FRAMEWORKS.items()
            if place.parts[:2] != ("models", folder)
        ]
        found += [
            f"{place}:{line}: {word!r:.60}"
            for line, word in words(ast.parse(file.read_text("utf-8")))
            if word not in NAMES and any(pattern.search(word) for pattern in others)
        ]
    assert found == []


USES = """
import sys
for name in ("keras", "tensorflow", "torch"):
    sys.modules[name] = None  # to import it is an ImportError
import numpy as np, lstm_widgets as lw
from tiny import Tiny
model = Tiny(stepped=True)
ids = np.random.default_rng(0).integers(0, 5, (2, 6))
print(lw.record(model, ids, vocabulary="abcde", top_k=2, check="full").layers)
print(len(lw.generate(model, "abc", 4, vocabulary="abcde", window=3, seed=0).text))
print(lw.ablate(model, ids, [0, 1], each=True).table.shape[0])
print(lw.relevance(model, ids, methods=["lrp", "sensitivity"], at=5).sizes["timestep"])
try:
    lw.record(3, ids)
except TypeError as error:
    print(error)
"""


def test_everything_runs_where_there_is_no_framework(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", USES],
        cwd=root / "tests",
        env={"PYTHONPATH": str(root), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *figures, refused = done.stdout.splitlines()
    assert figures == ["('lower', 'upper')", "4", "2", "6"]
    assert refused.startswith(
        "model: expected a Keras 3 model (keras.Model) or a PyTorch module (torch.nn.Module), got builtins.int"
    )
