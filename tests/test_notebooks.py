"""Notebooks as they are committed. `make docs` runs each from top to bottom, for the gallery."""

from __future__ import annotations

import json
import re

import pytest

NOTEBOOKS = (
    "01_addition.ipynb",
    "02_language_model.ipynb",
    "03_xml.ipynb",
    "04_lstm_vs_rnn.ipynb",
    "05_sentiment.ipynb",
    "06_find_cells.ipynb",
    "07_series.ipynb",
    "08_pytorch.ipynb",
    "09_training.ipynb",
    "10_state_space.ipynb",
)


def test_there_are_no_others(root):
    assert tuple(sorted(path.name for path in (root / "notebooks").glob("*.ipynb"))) == NOTEBOOKS


def test_shipped_models_are_small_and_have_their_scripts(root):
    models = root / "notebooks" / "models"
    every = (*models.glob("*.keras"), *models.glob("*.pt"))
    shipped = {path.name: path.stat().st_size for path in every}
    assert 0 < sum(shipped.values()) <= 2 * 1024 * 1024
    assert {path.name for path in models.iterdir()} - set(shipped) == {
        "portable.py",
        "tide.txt",
        "train_catchment.py",
        "train_flip_flop.py",
        "train_language_model.py",
        "train_lstm_vs_rnn.py",
        "train_pytorch.py",
        "train_sentiment.py",
        "train_wear.py",
        "train_xml.py",
    }


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_committed_outputs_are_small_and_whole(root, name):
    path = root / "notebooks" / name
    notebook = json.loads(path.read_text("utf-8"))
    assert path.stat().st_size <= 1024 * 1024
    assert "widgets" not in notebook["metadata"]
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not any(output["output_type"] == "error" for output in outputs)
    assert not any(output.get("name") == "stderr" for output in outputs)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_widget_has_left_its_picture(root, name):
    notebook = json.loads((root / "notebooks" / name).read_text("utf-8"))
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    shown = [output["data"] for output in outputs if "data" in output]
    named = [data for data in shown if re.match(r"<\w+ |HBox|VBox", "".join(data["text/plain"]))]
    assert named
    assert all("image/png" in data for data in named)
