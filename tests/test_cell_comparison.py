"""Two grids beside each other: rows of partners, one selection, what the pair is told to be."""

from __future__ import annotations

import io
from base64 import b64decode

import numpy as np
import pytest
import traitlets
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
    assert (shown.cell, shown.b.cell) == (1, 0)
    assert "cell 1 and cell 0 (−), ρ = −" in repr(shown)
    assert "one is high when the other is low" in repr(shown)
    shown.b.cell = 1
    assert (shown.cell, shown.a.cell) == (2, 2)
    assert "cell 2 and cell 1 (+), ρ = +" in repr(shown)
    assert "one is high" not in repr(shown)
    assert "p = 0.048" in repr(shown)
    shown.cell = 0
    assert (shown.a.cell, shown.b.cell) == (0, 3)


def test_a_cell_without_a_partner_moves_nothing_and_says_why(shown):
    shown.a.cell = 4
    assert shown.b.cell == 3
    assert "cell 4 has no pair: never changes" in repr(shown)
    shown.a.cell = 0
    shown.b.cell = 4
    assert (shown.cell, shown.a.cell) == (0, 0)
    assert "cell 4 of b has no pair" in repr(shown)


def test_other_layers_are_not_paired(shown):
    shown.a.layer = "other"
    shown.a.cell = 2
    assert shown.b.cell == 3
    assert "other layers" in repr(shown)


def test_what_is_the_same_goes_together(shown):
    everything = [shown, shown.a, shown.b]
    said = {"vowels": lw.concepts.vowel}
    for k, (name, value) in enumerate(
        {"example": 2, "timestep": 7, "threshold": 0.5, "palette": "vik", "scale": "cell"}.items()
    ):
        setattr(everything[k % 3], name, value)
        assert [getattr(each, name) for each in everything] == [value] * 3
    shown.tracks = said
    assert shown.a.tracks == shown.b.tracks == said
    with pytest.raises(traitlets.TraitError, match=r"timestep: expected 0 to 39 \(layer 'lstm'\)"):
        shown.timestep = 40
    assert [each.timestep for each in everything] == [7] * 3


def test_of_what_the_page_changes_nothing_older_goes_back_to_it(shown):
    """Partners of two quick choices: the page has made the second when the kernel hears of the first."""
    shown.a.set_state({"cell": 1, "timestep": 3})
    assert (shown.b.cell, shown.b.timestep, shown.timestep) == (3, 0, 0)
    shown.b.set_state({"cell": 0, "timestep": 3})
    shown.set_state({"cell": 1, "timestep": 3})
    assert "cell 1 and cell 0 (−)" in repr(shown)
    assert shown.view["cell"] == 1


def test_the_page_is_told_the_pairs(shown):
    pairs = shown._pairs
    assert pairs["partners"] == [*MATCH, -1]
    assert pairs["layers"] == ["lstm", "lstm"]
    for cell, told in enumerate(pairs["told"]):
        shown.a.cell = cell
        assert repr(shown) == f"<CellComparison: {told}>"


def test_keywords_make_the_same_again(shown, networks):
    shown.a.cell, shown.threshold = 2, 0.25
    again = lw.CellComparison(shown.comparison, *networks, **shown.view)
    assert again.view == shown.view
    assert (again.b.cell, again.b.threshold) == (1, 0.25)


def test_it_has_a_still_picture_of_both(shown):
    data = shown._repr_mimebundle_()[0]
    assert "application/vnd.jupyter.widget-view+json" in data
    picture = np.asarray(Image.open(io.BytesIO(b64decode(data["image/png"]))).convert("RGB"))
    assert picture.shape[1] == shown._still_width
    words = [word.text for word in shown._sheet(10, "light").words]
    assert "cell 0 and cell 3 (+), ρ = +1.00, p = 0.048, rotated p = 0.048" in words
    assert words.count("a") == words.count("b") == 1
    assert data["text/plain"] == repr(shown)


def heights(sheet):
    """Give the heights of the numbers of cells at the left of each grid."""
    half, found = sheet.width / 2, ({}, {})
    for word in sheet.words:
        if word.text.isdigit() and word.x % half < 45:
            found[int(word.x > half)][int(word.text)] = word.y
    return found


@pytest.mark.parametrize("row", [0, 20, 39])
def test_in_a_figure_of_many_cells_partners_stand_in_the_same_row(row):
    rng = np.random.default_rng(2)
    values = rng.normal(size=(2, 50, 40))
    networks = recording_of(values), recording_of(values[..., ::-1][..., :25])
    shown = lw.CellComparison(lw.compare_cells(*networks, shifts=0), *networks)
    shown.cell = shown.a.order[row]
    one, other = heights(shown._sheet(10, "light"))
    assert shown.cell in one
    pairs = [(a, b) for a, b in shown._partner.items() if a in one and b in other]
    assert len(pairs) > 8
    assert all(one[a] == other[b] for a, b in pairs)


def test_in_a_figure_partners_stand_in_the_same_row(shown):
    """Where it is as narrow as a column, one grid is below the other."""
    one, other = heights(shown._sheet(10, "light"))
    assert len(one) == len(other) == 5
    assert all(one[cell] == other[partner] for cell, partner in enumerate(MATCH))
    narrow = shown._sheet(3.5, "light")
    (a,), (b,) = ([word for word in narrow.words if word.text == name] for name in "ab")
    assert (a.x, b.x) == (12, 12)
    assert b.y > a.y + 100
    assert max(word.x for word in narrow.words) < narrow.width


def test_a_file_has_both_grids(shown, tmp_path):
    shown.save_html(tmp_path / "pairs.html")
    text = (tmp_path / "pairs.html").read_text()
    assert "<h1>Cell comparison: lstm</h1>" in text
    for name in "ab":
        assert f'data-of="{name}" data-trait="_whole"' in text
    shown.save_html(tmp_path / "pairs.html", overwrite=True, exact=False)
    assert "rounded to 1/252" in (tmp_path / "pairs.html").read_text()


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


def test_layers_that_are_numbered_otherwise_are_shown_by_place(networks):
    values = networks[0]["lstm"].hidden_state.to_numpy()
    seeds = [recording_of(values * (1 + k), (f"lstm_{k}", f"lstm_{k + 1}")) for k in range(1, 4)]
    first, *others = seeds
    given = {"two": others[0], "three": others[1]}
    with pytest.warns(UserWarning, match="by their places"):
        compared = lw.compare_cells(first, others[0], layer="lstm_2", shifts=0)
    shown = lw.CellComparison(compared, first, others[0])
    assert (shown.a.layer, shown.b.layer) == ("lstm_2", "lstm_3")
    with pytest.warns(UserWarning, match="by their places"):
        several = lw.compare_cells(first, given, layer="lstm_2", shifts=0)
    for name in given:
        with pytest.warns(UserWarning, match="by their places"):
            shown = lw.CellComparison(several, first, given, variant=name)
        found = shown.b.recording[shown.b.layer].hidden_state
        assert found.equals(given[name][given[name].layers[1]].hidden_state)


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
