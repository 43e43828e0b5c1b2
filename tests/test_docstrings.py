"""Docstrings: one dialect, every parameter with its type, and examples that run."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
from typing import Any

import keras
import numpy as np
import pytest

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, RecordedSeries, Recording, Times

TEXT = 'she said "well then" and left. ' * 20
FOLDERS = (
    *("analysis", "concepts", "datasets", "figures", "models", "recording", "rnn", "running"),
    *("tokens", "views", "widgets"),
)
#: Modules whose examples run a model.
RUNNING = (
    "lstm_widgets.running.record",
    "lstm_widgets.running.training",
    *(
        f"lstm_widgets.analysis.{name}"
        for name in ("ablation", "dependency", "evaluation", "relevance")
    ),
    *(
        f"lstm_widgets.widgets.{name}"
        for name in ("dependency_heatmap", "relevance_heatmap", "what_if")
    ),
)
#: Those without an example.
WITHOUT_EXAMPLE: set[str] = set()


def modules() -> list[str]:
    alone = [f"lstm_widgets.{name}" for name in ("checks", "colours", "errors", "lru")]
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


def untyped(docstring: str) -> list[str]:
    """Give the parameters and attributes that stand without a type."""
    sections = re.findall(
        r"(?:Parameters|Attributes)\n-+\n(.*?)(?=\n\n\w[\w ]*\n---|\Z)", docstring, re.DOTALL
    )
    lines = [line for section in sections for line in section.split("\n")]
    return [line for line in lines if line and not line.startswith(" ") and " : " not in line]


def docstrings(name: str) -> list[str]:
    """Give the docstrings of a module's functions, classes and methods."""
    source = inspect.getsource(importlib.import_module(name))
    kinds = (ast.FunctionDef, ast.ClassDef)
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    return [ast.get_docstring(node) or "" for node in nodes]


def example_recording() -> Recording:
    """Make what examples call ``recording``: a text, and a cell that follows its quotes."""
    noise = np.random.default_rng(0).normal(size=(1, len(TEXT), 3)) / 5
    values = np.clip(noise, -0.5, 0.5).astype(np.float32)
    values[0, :, 1] = np.where(lw.concepts.inside_double_quotes(TEXT), 0.9, -0.05)
    tokens = np.array([[*TEXT]], object)
    return Recording.from_layers(
        [RecordedLayer("lstm", "LSTM", {"hidden_state": values}, tokens=tokens)]
    )


def example_series() -> Recording:
    """Make what examples call ``series``: three years of weather, and a cell that follows the rain."""
    days = np.arange("2001-01-01", "2004-01-01", dtype="datetime64[D]")
    rng = np.random.default_rng(0)
    rain = rng.exponential(2.0, len(days)) * (rng.random(len(days)) < 0.4)
    warm = 8 - 10 * np.cos(2 * np.pi * np.arange(len(days)) / 365.25) + rng.normal(size=len(days))
    wet = np.convolve(rain, np.exp(-np.arange(30) / 10))[: len(days)]
    cells = np.stack([np.tanh(wet / 40), warm / 20, rng.normal(size=len(days)) / 5], axis=1)
    times = Times(days.astype("M8[ns]"))
    read = np.stack([rain, warm], axis=1)[None].astype(np.float32)
    flow = (wet / 10)[None, :, None].astype(np.float32)
    layer = RecordedLayer("lstm", "LSTM", {"cell_state": cells[None].astype("f4")}, times=times)
    return Recording.from_layers(
        [layer],
        inputs=RecordedSeries(read, ("rain", "temperature"), ("mm", "°C"), times),
        outputs=RecordedSeries(flow + 1, ("flow",), ("mm",), times),
        targets=RecordedSeries(flow, ("flow",), ("mm",), times),
    )


def example_model() -> Any:
    """Make what examples call ``model``: it predicts the next of three characters."""
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(3, 2),
            keras.layers.LSTM(4, return_sequences=True, name="lstm"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )


@pytest.mark.parametrize("name", modules())
def test_examples_run(name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("no recording")
    known: dict[str, Any] = {
        "lw": lw,
        "recording": example_recording(),
        "series": example_series(),
    }
    if name in RUNNING:
        known["model"] = example_model()
    module = importlib.import_module(name)
    result = doctest.testmod(module, extraglobs=known, optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


@pytest.mark.parametrize("name", modules())
def test_parameters_have_types(name: str) -> None:
    found = [line for each in docstrings(name) for line in untyped(each)]
    assert not found


@pytest.mark.parametrize("name", sorted(public()))
def test_every_parameter_is_told(name: str) -> None:
    one = public()[name]
    called = one.__init__ if inspect.isclass(one) else one
    wanted = [each for each in inspect.signature(called).parameters.values() if each.name != "self"]
    docstring = inspect.getdoc(one) or ""
    told = {part.lstrip("*") for part in re.findall(r"\*{0,2}\w+", docstring.split("Returns\n")[0])}
    assert {each.name for each in wanted if each.kind is not each.VAR_KEYWORD} <= told


@pytest.mark.parametrize("name", sorted({*public()} - WITHOUT_EXAMPLE))
def test_there_is_an_example(name: str) -> None:
    assert ">>> " in (inspect.getdoc(public()[name]) or "")


def test_what_is_left_over_is_there_still() -> None:
    every = public()
    for name in WITHOUT_EXAMPLE:
        assert ">>> " not in (inspect.getdoc(every[name]) or ""), f"{name} has its example"
