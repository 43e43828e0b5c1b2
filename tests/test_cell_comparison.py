"""Two grids beside each other: rows of partners, one selection, what the pair is told to be."""

from __future__ import annotations

import io
from base64 import b64decode

import ipywidgets
import numpy as np
import pytest
from PIL import Image

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, Recording

MATCH = [3, 0, 1, 2]  # of each cell of a, that of b
SIGNS = [1, -1, 1, -1]


def recording_of(values, layers=("lstm",)):
    examples, timesteps, _ = values.shape
    tokens = np.array([[f"{k}.{t}" for t in range(timesteps)] for k in range(examples)], object)
    signals = {"hidden_state": values.astype(np.float32)}
    return Recording.from_layers([RecordedLayer(x, "LSTM", signals, None, tokens) for x in layers])


@pytest.fixture(scope="module")
def networks():
    """The second one has the cells of the first in another order, two of them turned over, and one more."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 40, 5))
    values[..., 4] = 0.5  # never changes
    copy = np.empty((3, 40, 5))
    for cell, (partner, sign) in enumerate(zip(MATCH, SIGNS, strict=True)):
        copy[..., partner] = sign * values[..., cell] + 0.1 * cell * rng.normal(size=(3, 40))
    copy[..., 4] = rng.normal(size=(3, 40))
    return recording_of(values, ("lstm", "other")), recording_of(copy)


@pytest.fixture
def shown(networks):
    return lw.CellComparison(lw.compare_cells(*networks, shifts=20), *networks)


def test_partners_are_in_the_same_row(shown, networks):
    compared = lw.compare_cells(*networks, shifts=0)
    assert compared["match"].values.tolist() == [*MATCH, -1]
    assert [shown.a.sort, shown.b.sort] == ["order", "order"]
    scores = compared["score"].values[list(shown.a.order[:4])]
    assert (np.diff(scores) <= 0).all()
    assert [MATCH[cell] for cell in shown.a.order[:4]] == list(shown.b.order)
    assert shown.a.order[4] == 4
    assert (shown.a.cell, shown.b.cell) == (0, 3)


def test_selecting_a_cell_selects_its_partner_and_tells_the_pair(shown):
    shown.a.cell = 1
    assert shown.b.cell == 0
    assert "cell 1 and cell 0 (−), ρ = −" in shown._told.value
    assert "one is high when the other is low" in shown._told.value
    shown.b.cell = 1
    assert shown.a.cell == 2
    assert "cell 2 and cell 1 (+), ρ = +" in shown._told.value
    assert "one is high" not in shown._told.value
    assert "p = 0.048" in repr(shown)


def test_a_cell_without_a_partner_moves_nothing_and_says_why(shown):
    shown.a.cell = 4
    assert shown.b.cell == 3
    assert "no pair (never changes), ρ = unknown" in repr(shown)
    shown.a.cell = 0
    shown.b.cell = 4
    assert shown.a.cell == 0
    assert "cell 0 and cell 4, no pair, ρ = " in repr(shown)


def test_other_layers_are_not_paired(shown):
    shown.a.layer = "other"
    shown.a.cell = 2
    assert shown.b.cell == 3
    assert "other layers" in repr(shown)


def test_the_rest_is_linked_in_the_page(shown):
    linked = {(link.source[1], link.target[1]) for link in shown._links}
    assert linked >= {(name, name) for name in ("example", "timestep", "threshold")}
    for link in shown._links:
        assert isinstance(link, ipywidgets.widgets.widget_link.Link)
        assert (link.source[0], link.target[0]) == (shown.a, shown.b)
    assert shown.children[1].children == (shown.a, shown.b)


def test_it_has_a_still_picture_of_both(shown):
    data = shown._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    picture = Image.open(io.BytesIO(b64decode(data["image/png"])))
    one, other = (grid._still() for grid in (shown.a, shown.b))
    both = np.asarray(picture.convert("RGB"))
    assert both.shape == (max(len(one), len(other)), one.shape[1] + other.shape[1], 3)
    assert data["text/plain"] == repr(shown)


def test_one_of_several_networks_is_shown(networks):
    a, b = networks
    variants = lw.Variants({"copy": b, "same": a})
    fewer = recording_of(a["lstm"]["hidden_state"].values[..., :3])
    compared = lw.compare_cells(a, {"copy": b, "fewer": fewer}, layer="lstm", shifts=0)
    shown = lw.CellComparison(
        compared, a, {"copy": b, "fewer": fewer}, variant="fewer", threshold=0.3
    )
    assert shown.b.recording is fewer
    assert shown.b.order == (0, 1, 2)
    assert shown.b.threshold == 0.3
    assert lw.CellComparison(compared, a, variants).b.recording is b
    numbered = lw.compare_cells(a, {1: b}, shifts=0)
    assert lw.CellComparison(numbered, a, {1: b}).b.recording is b
    as_list = lw.compare_cells(a, [b], shifts=0)
    assert lw.CellComparison(as_list, a, [b]).b.recording is b


def test_what_does_not_fit_is_refused(networks):
    a, b = networks
    compared = lw.compare_cells(a, b, shifts=0)
    with pytest.raises(TypeError, match=r"comparison: expected what compare_cells\(\) gave"):
        lw.CellComparison(a, a, b)
    with pytest.raises(TypeError, match="b: expected the recording that was compared, got list"):
        lw.CellComparison(compared, a, [b])
    with pytest.raises(
        ValueError, match="a: expected the recording that was compared, with 5 cells"
    ):
        lw.CellComparison(compared, recording_of(np.zeros((3, 40, 2))), b)
    with pytest.raises(ValueError, match="variant: expected with several networks"):
        lw.CellComparison(compared, a, b, variant="b")
    several = lw.compare_cells(a, {"x": b}, shifts=0)
    with pytest.raises(ValueError, match="variant: expected one of 'x', got 'y'"):
        lw.CellComparison(several, a, {"x": b}, variant="y")
    with pytest.raises(
        ValueError, match="b: expected the networks that were compared, 'x' among them"
    ):
        lw.CellComparison(several, a, {"z": b})
    with pytest.raises(TypeError, match="unexpected keyword argument 'cels'"):
        lw.CellComparison(compared, a, b, cels=1)
