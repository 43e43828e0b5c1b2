"""The picture of scores while a network learns: its numbers, its words and its files."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from PIL import Image

import lstm_widgets as lw
from lstm_widgets.colours import DARK, LIGHT

EPOCHS = (0, 1, 2, 5)


def table_of(names=tuple(f"epoch {n}" for n in EPOCHS), cells=7, layers=("lstm",), seed=0):
    """A ranking of variants: cell k has the score k / 10 at last, some with the opposite sign."""
    rng = np.random.default_rng(seed)
    rows = []
    for layer in layers:
        for cell in range(cells):
            for n, name in enumerate(names):
                sign = -1 if cell % 2 else 1
                score = cell / 10 * (n + 1) / len(names)
                rows.append(
                    {
                        "variant": name,
                        "layer": layer,
                        "signal": "hidden_state",
                        "cell": cell,
                        "concept": "in $quotes$",
                        "kind": "yes_no",
                        "score": score * sign,
                        "sign": sign,
                        "q_value": 0.01 if n > 1 else 0.5,
                    }
                )
    table = pd.DataFrame(rows).sample(frac=1, random_state=int(rng.integers(99)), ignore_index=True)
    table["variant"] = pd.Categorical(table["variant"], names, ordered=True)
    return table


def marks(axes):
    """Where marks stand, whether they are filled, by colour."""
    found = {}
    for points in axes.collections:
        filled = tuple(points.get_facecolor()[0]) == tuple(points.get_edgecolor()[0])
        key = tuple(points.get_edgecolor()[0][:3])
        found.setdefault(key, []).extend((*at, filled) for at in points.get_offsets().tolist())
    return {colour: sorted(places) for colour, places in found.items()}


def test_marks_stand_at_scores_in_the_selected_direction_and_are_filled_where_sure():
    figure = lw.LearningCurve(table_of(), cells=[6, 3]).figure()
    (axes,) = figure.axes
    found = marks(axes)
    assert len(found) == 2
    for colour, cell in zip(LIGHT.lines, (6, 3), strict=False):
        expected = [(x, cell / 10 * (n + 1) / 4, n > 1) for n, x in enumerate(EPOCHS)]
        np.testing.assert_allclose(found[tuple(np.array(colour) / 255)], expected)
    thin = [
        line for line in axes.lines if line.get_linewidth() == 0.5 and len(line.get_xdata()) == 4
    ]
    ends = sorted(line.get_ydata()[-1] for line in thin)
    np.testing.assert_allclose(ends, [0, 0.1, 0.2, 0.4, 0.5])
    assert axes.get_xlabel() == "epoch"
    assert "2 · AUROC − 1" in axes.get_ylabel()


def test_the_best_cells_of_the_last_variant_are_named_and_no_name_is_on_another():
    figure = lw.LearningCurve(table_of(cells=30)).figure(width="column", theme="dark")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts][::-1] == [
        f"cell {k}" for k in (29, 28, 27, 26, 25)
    ]
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[k + 1 :])
    right = figure.get_figwidth() * figure.dpi
    assert max(box.x1 for box in boxes) <= right
    assert figure.get_facecolor()[:3] == pytest.approx(np.array(DARK.background) / 255)


LOSSES = {
    "history": SimpleNamespace(history={"loss": [3, 2, 1], "accuracy": [0, 0, 0]}, epoch=[0, 1, 2]),
    "dict": {"loss": [3, 2, 1]},
    "sequence": np.array([3, 2, 1]),
}


@pytest.mark.parametrize("kind", LOSSES)
def test_losses_of_epochs_stand_after_them(kind):
    figure = lw.LearningCurve(table_of(), LOSSES[kind]).figure()
    scores, loss = figure.axes
    (line,) = loss.lines
    assert line.get_xdata().tolist() == [1, 2, 3]
    assert line.get_ydata().tolist() == [3, 2, 1]
    assert scores.get_xlim() == loss.get_xlim()
    assert loss.texts[0].get_text() in {"training", "loss"}


def test_losses_of_a_recorder_stand_at_their_variants():
    told = pd.DataFrame(
        {
            "variant": ["epoch 0", "epoch 1", "epoch 5", "epoch 9"],
            "epoch": [0, 1, 5, 9],
            "loss": [np.nan, 2.0, 1.0, 0.5],
            "val_loss": [3.0, 2.5, 2.0, 1.0],
        }
    )
    figure = lw.LearningCurve(table_of(), told).figure()
    training, validation = figure.axes[1].lines
    assert training.get_xdata().tolist() == [1, 5]
    assert validation.get_ydata().tolist() == [3, 2.5, 2]
    assert [text.get_text() for text in figure.axes[1].texts] == ["training", "validation"]


def test_variants_without_numbers_stand_evenly():
    table = table_of(("seed one", "a wide one", "untrained", "shuffled"))
    curve = lw.LearningCurve(table, [4, 3, 2, 1])
    figure = curve.figure(width="column")
    assert figure.axes[1].lines[0].get_xdata().tolist() == [0, 1, 2, 3]
    assert next(text.get_text() for text in figure.axes[1].get_xticklabels()) == "seed one"
    with pytest.raises(ValueError, match="loss: expected one value for each of the 4 variants"):
        lw.LearningCurve(table, [1, 2])


def test_layers_are_told_apart_and_chosen():
    table = table_of(layers=("one", "other_one"))
    names = [text.get_text() for text in lw.LearningCurve(table).figure().axes[0].texts]
    assert set(names) >= {"one cell 6", "other one cell 6"}
    only = lw.LearningCurve(table, layer="one", cells=[6])
    assert "further cells" in only.alt
    assert [text.get_text() for text in only.figure().axes[0].texts] == ["cell 6"]


def test_what_it_shows_is_told_in_words():
    curve = lw.LearningCurve(table_of(), [2, 1], cells=[5])
    assert curve.alt == (
        "Held-out scores (2 · AUROC − 1) for in $quotes$ by variant, from epoch 0 to epoch 5. "
        "cell 5: 0.12 to 0.50, first sure at epoch 2. 6 further cells as thin lines. "
        "Training loss: 2 to 1."
    )
    data, metadata = curve._repr_mimebundle_()
    assert data["image/png"].startswith("iVBORw0KGgo")
    assert data["text/plain"] == repr(curve)
    assert metadata["image/png"]["alt"] == curve.alt


def test_its_picture_in_a_notebook_is_a_small_file_of_the_same_picture():
    curve = lw.LearningCurve(table_of(), [2, 1])
    small = b64decode(curve._repr_mimebundle_()[0]["image/png"])
    whole = curve.figure().file("png", dpi=240)
    assert len(small) < len(whole) / 2
    pixels = [
        np.asarray(Image.open(io.BytesIO(file)).convert("RGB"), int) for file in (small, whole)
    ]
    assert pixels[0].shape == pixels[1].shape
    assert np.abs(pixels[0] - pixels[1]).max() <= 16


def test_text_stays_text_and_can_be_read():
    written = lw.LearningCurve(table_of(), [2, 1]).figure(width="column").file("svg").decode()
    assert "in $quotes$" in written  # no mathematics
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: (?:700 )?([\d.]+)px", written)]
    assert min(sizes) >= 6


def test_a_cell_that_a_variant_does_not_have_leaves_a_gap():
    table = table_of()
    table = table[~((table["cell"] == 6) & (table["variant"] == "epoch 0"))]
    curve = lw.LearningCurve(table, cells=[6])
    assert "cell 6: no score to 0.60" in curve.alt
    curve.figure()


def test_a_band_reaches_to_what_shifted_concepts_reach():
    table = table_of()
    table["null_level"] = table["cell"] / 50 + 0.01 * table["variant"].cat.codes
    for theme in (LIGHT, DARK):
        curve = lw.LearningCurve(table, cells=[6, 3])
        (axes,) = curve.figure(theme=theme.name).axes
        (band,) = [each for each in axes.collections if isinstance(each, PolyCollection)]
        (path,) = band.get_paths()
        edge = {x: y for x, y in path.vertices.tolist() if y > axes.get_ylim()[0]}
        assert [edge[x] for x in EPOCHS] == pytest.approx([0.12, 0.13, 0.14, 0.15])
        assert (min(edge), max(edge)) == axes.get_xlim()
        assert max(abs(band.get_facecolor()[0][:3] - np.array(theme.background) / 255)) < 0.1
    assert "19 of 20 shifted concepts stay below 0.12 to 0.15, a grey band." in curve.alt
    for width in ("page", "column"):
        figure = curve.figure(width=width)
        figure.canvas.draw()
        (note,) = figure.texts
        assert "grey: 19 of 20 shifted concepts" in note.get_text()
        assert note.get_window_extent().x1 <= figure.get_figwidth() * figure.dpi
        below = figure.axes[-1].xaxis.label.get_window_extent().y0
        assert note.get_window_extent().y1 < below


def test_without_shifts_there_is_no_band():
    table = table_of()
    table["null_level"] = np.nan
    for each in (table, table.drop(columns="null_level")):
        curve = lw.LearningCurve(each)
        assert "band" not in curve.alt
        assert "grey" not in curve.figure().texts[0].get_text()


def test_what_does_not_fit_is_refused():
    table = table_of()
    with pytest.raises(ValueError, match=r"scores: expected a table of rank_cells\(variants"):
        lw.LearningCurve(table.drop(columns="variant"))
    with pytest.raises(ValueError, match="scores: expected a table with rows, got an empty one"):
        lw.LearningCurve(table[:0])
    with pytest.raises(ValueError, match=r"scores: expected a table of rank_cells.*got list"):
        lw.LearningCurve([1])
    with pytest.raises(ValueError, match=r"concept: expected one of 'in \$quotes\$'; got 'vowel'"):
        lw.LearningCurve(table, concept="vowel")
    with pytest.raises(ValueError, match=r"cells: expected some of 0 to 6, got \[9\]"):
        lw.LearningCurve(table, cells=[1, 9])
    with pytest.raises(TypeError, match=r"cells: expected several, as in \[1\]"):
        lw.LearningCurve(table, cells=1)
    with pytest.raises(ValueError, match=r"loss: expected what fit\(\) returned"):
        lw.LearningCurve(table, {"loss": "high"})
    with pytest.raises(
        ValueError, match=r"loss: expected a dict with a loss.*got 'accuracy', 'f1'"
    ):
        lw.LearningCurve(table, {"accuracy": [1, 2], "f1": [1, 2]})
    with pytest.raises(ValueError, match=r"loss: expected a dict with a loss.*got an empty one"):
        lw.LearningCurve(table, SimpleNamespace(history={}, epoch=[]))
    with pytest.raises(ValueError, match="loss: expected a table with the columns"):
        lw.LearningCurve(table, pd.DataFrame({"loss": [1]}))
    with pytest.raises(ValueError, match="loss: expected losses of the variants"):
        lw.LearningCurve(table, pd.DataFrame({"variant": ["x"], "loss": [1.0]}))
    with pytest.raises(ValueError, match="width"):
        lw.LearningCurve(table).figure(width="wide")
