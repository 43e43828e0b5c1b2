"""Docstrings: one dialect, every parameter with its type, and examples that run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
from typing import Any

import numpy as np
import pytest

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, Recording

TEXT = 'she said "well then" and left. ' * 20
FOLDERS = ("analysis", "concepts", "figures", "recording", "tokens", "widgets")
#: Public functions without types in their docstrings yet. The list may only become shorter.
UNTYPED: set[str] = {"ablate", "deletion_curve", "dependency", "generate", "pointing_game"}
UNTYPED |= {"load_legacy", "load_legacy_weights", "record", "relevance"}
#: Those without an example.
WITHOUT_EXAMPLE: set[str] = {"ablate", "deletion_curve", "dependency", "pointing_game"}
WITHOUT_EXAMPLE |= {"record", "relevance"}


def modules() -> list[str]:
    alone = ["lstm_widgets.checks", "lstm_widgets.errors", "lstm_widgets.lru"]
    for folder in FOLDERS:
        package = importlib.import_module(f"lstm_widgets.{folder}")
        found = pkgutil.walk_packages(package.__path__, f"lstm_widgets.{folder}.")
        alone += [package.__name__, *(one.name for one in found)]
    return alone


def public() -> dict[str, Any]:
    every = {name: getattr(lw, name) for name in lw.__all__}
    every |= {f"concepts.{name}": getattr(lw.concepts, name) for name in lw.concepts.__all__}
    return {
        name: one
        for name, one in every.items()
        if inspect.isfunction(one) or (inspect.isclass(one) and hasattr(one, "_esm"))
    }


def typed(docstring: str) -> set[str]:
    """Give the parameters that stand with a type in the section of parameters."""
    section = re.search(
        r"\n *Parameters\n *-+\n(.*?)(?=\n *\w[\w ]*\n *---|\Z)", docstring, re.DOTALL
    )
    if section is None:
        return set()
    found = re.findall(r"(?m)^ *(\*{0,2}\w+(?:, \*{0,2}\w+)*) : \S", section[1])
    return {name for names in found for name in names.replace("*", "").split(", ")}


def example_recording() -> Recording:
    """Make what examples call ``recording``: a text, and a cell that follows its quotes."""
    noise = np.random.default_rng(0).normal(size=(1, len(TEXT), 3)) / 5
    values = np.clip(noise, -0.5, 0.5).astype(np.float32)
    values[0, :, 1] = np.where(lw.concepts.inside_double_quotes(TEXT), 0.9, -0.05)
    tokens = np.array([[*TEXT]], object)
    return Recording.from_layers(
        [RecordedLayer("lstm", "LSTM", {"hidden_state": values}, tokens=tokens)]
    )


@pytest.mark.parametrize("name", modules())
def test_examples_run(name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("no recording")
    known = {"lw": lw, "recording": example_recording()}
    module = importlib.import_module(name)
    result = doctest.testmod(module, extraglobs=known, optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


@pytest.mark.parametrize("name", sorted({*public()} - UNTYPED))
def test_parameters_have_types(name: str) -> None:
    one = public()[name]
    wanted = {*inspect.signature(one).parameters}
    if inspect.isclass(one):
        # Traits that a family of widgets shares stand in the docstrings of the base or as **traits.
        wanted = {
            each.name
            for each in inspect.signature(one.__init__).parameters.values()
            if each.kind is not each.VAR_KEYWORD and each.name != "self"
        }
    assert wanted <= typed(inspect.getdoc(one) or "")


@pytest.mark.parametrize("name", sorted({*public()} - WITHOUT_EXAMPLE))
def test_there_is_an_example(name: str) -> None:
    assert ">>> " in (inspect.getdoc(public()[name]) or "")


def test_what_is_left_over_is_there_still() -> None:
    every = public()
    for name in UNTYPED:
        told = typed(inspect.getdoc(every[name]) or "")
        assert not {*inspect.signature(every[name]).parameters} <= told, f"{name} has its types"
    for name in WITHOUT_EXAMPLE:
        assert ">>> " not in (inspect.getdoc(every[name]) or ""), f"{name} has its example"
