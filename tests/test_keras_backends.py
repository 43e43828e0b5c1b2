"""Keras on JAX and on PyTorch: what is recorded, written and held is what it is on TensorFlow."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from backend_models import refusals, results

BACKENDS = ("jax", "torch")

WITHOUT = """
import sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name in {missing} else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
"""

# A backend needs no other. PyTorch is imported before Keras, whose models are its modules, too.
MAKE = """
import {name}
import backend_models
backend_models.write({folder!r})
"""

OPEN = """
import lstm_widgets as lw
for path in {paths}:
    recording = lw.open_recording(path)
    assert recording.layers == ("lstm", "gru", "simple")
    lw.CellGrid(recording)
"""


def python(root, code, *, missing, **environment):
    """Start Python where the models are, and some packages aren't."""
    return subprocess.Popen(
        [sys.executable, "-c", WITHOUT.format(missing=missing) + code],
        cwd=root / "tests",
        env=os.environ | {"PYTHONPATH": str(root), **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process):
    _, said = process.communicate()
    assert process.returncode == 0, said


@pytest.fixture(scope="module")
def folders(root, tmp_path_factory):
    """Let each backend make everything in a process of its own, all at the same time."""
    made, running = {}, []
    for name in BACKENDS:
        made[name] = tmp_path_factory.mktemp(name)
        missing = [other for other in ("tensorflow", *BACKENDS) if other != name]
        code = MAKE.format(name=name, folder=str(made[name]))
        # What is compiled here runs once or twice.
        flags = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
        running.append(python(root, code, missing=missing, KERAS_BACKEND=name, XLA_FLAGS=flags))
    for process in running:
        finished(process)
    return made


@pytest.fixture(scope="module")
def expected():
    return results()


@pytest.mark.parametrize("name", BACKENDS)
def test_everything_is_what_it_is_on_tensorflow(folders, expected, name):
    made = np.load(folders[name] / "results.npz")
    assert sorted(made) == sorted(expected)
    assert len(made) > 100
    for key, values in expected.items():
        np.testing.assert_allclose(made[key], values, rtol=0, atol=1e-5, err_msg=f"{name}: {key}")


@pytest.mark.parametrize("name", BACKENDS)
def test_what_cannot_be_had_is_said(folders, name):
    said = json.loads((folders[name] / "said.json").read_text("utf-8"))
    assert said["versions"] == sorted(["keras", "lstm-widgets", "numpy", name])
    refused = said["refusals"]
    for each in ("relevance", "dependency"):
        kind, text = refused.pop(each)
        assert kind == "UnsupportedLayerError"
        assert f"backend {name!r}" in text
        assert "KERAS_BACKEND=tensorflow" in text
    if name == "torch":
        kind, text = refused.pop("module")
        assert kind == "TypeError"
        assert "Sequential with the layer 'inside': make what is around it a keras.Model" in text
        kind, text = refused.pop("wrapped")
        assert kind == "UnsupportedLayerError"
        assert "'wrap/lstm'" in text
        assert "a module that is none of Keras's" in text
    assert refused == refusals()
    assert refused["beyond"][1].startswith(
        "inputs: the model looks up ids from 0 to 4, got 5 (at ["
    )
    assert "got -1 (at [" in refused["negative"][1]
    assert "got 'alone', a keras" in refused["layer"][1]


def test_recordings_open_without_any_framework(root, folders):
    paths = [str(folder / "recording.zarr") for folder in folders.values()]
    missing = ["keras", "tensorflow", *BACKENDS]
    finished(python(root, OPEN.format(paths=paths), missing=missing))
