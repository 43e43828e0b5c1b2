"""A page that ipywidgets makes holds all that a widget's page reads: it knows none of Python's defaults."""

from __future__ import annotations

import json
from base64 import b64decode

import ipywidgets
import numpy as np
import pytest
from ipywidgets.embed import embed_data, embed_minimal_html

from lstm_widgets import CellGrid, GateInspector, TextHeatmap
from lstm_widgets.recording import RecordedLayer, Recording


@pytest.fixture(scope="module")
def recording():
    values = np.random.default_rng(2).uniform(-1, 1, (1, 9, 4)).astype("float32")
    signals = {"hidden_state": values, "cell_state": 2 * values}
    tokens = np.array([list("abc defgh")], object)
    return Recording.from_layers([RecordedLayer("lstm", "LSTM", signals, None, tokens)])


@pytest.mark.parametrize("kind", [CellGrid, TextHeatmap, GateInspector])
@pytest.mark.parametrize("drop_defaults", [True, False])
def test_the_state_is_whole(recording, kind, drop_defaults):
    widget = kind(recording)
    boxed = ipywidgets.HBox([widget])
    data = embed_data([boxed], drop_defaults=drop_defaults)
    held = data["manager_state"]["state"][widget.model_id]
    buffers = {entry["path"][0]: b64decode(entry["data"]) for entry in held["buffers"]}
    state = {**held["state"], **buffers}
    assert set(state) == set(widget.keys)
    assert {"timestep", "threshold", "hidden_tracks", "scale"} <= set(state)
    assert state["_whole"] == widget._whole
    assert json.loads(json.dumps(held["state"], allow_nan=False))["_layers"][0]["cells"] == 4


def test_a_page_is_written(recording, tmp_path):
    widget = CellGrid(recording)
    path = tmp_path / "grid.html"
    embed_minimal_html(path, [widget])
    text = path.read_text("utf-8")
    assert '"hide_quiet_cells": false' in text
