"""The picture of expected responses: its order, its colours, its words."""

from __future__ import annotations

import re

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

import lstm_widgets as lw
from lstm_widgets.colours import CLIPPED, IS_NAN, LIGHT, ramp
from lstm_widgets.figures import responses as figures
from lstm_widgets.figures.sheet import VALUES

WORDS = ["up", "down", "left", "<b>", "\x00", "\u202e", "\ud800"]


def made(words=WORDS, cells=6, groups=True, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(len(words), cells)).astype(np.float32)
    coords = {"word": np.array([*words, ""], object)[:-1], "cell": np.arange(cells)}
    if groups:
        coords["word_group"] = ("word", np.arange(len(words)) % 3 - 1)
        coords["cell_group"] = ("cell", np.arange(cells)[::-1] % 3 - 1)
    count = ("word", np.arange(len(words)) + 1)
    attrs = {"layer": "$x_1$", "signal": "cell_state", "different": 90}
    attrs["spelling"] = "words"
    return xr.Dataset({"response": (("word", "cell"), values), "count": count}, coords, attrs)


def sheet_of(responses, inches=7.2, theme=LIGHT):
    return figures._drawn(responses, inches, theme)


def said(sheet):
    return [word.text for word in sheet.words]


def squares(sheet):
    """Give the boxes of values, and their colours, row by row."""
    _, boxes, colours = next(each for each in sheet.fills if each[0] == VALUES)
    return boxes, colours


def test_rows_and_columns_stand_in_their_groups():
    responses = made()
    sheet = sheet_of(responses)
    texts = said(sheet)
    shown = [text for text in texts if text in {"up", "down", "left", "<b>", "␀", "◌", "\ufffd"}]
    # Groups 0 and 1 first, then those in none; what no font and no sender can have is spelled.
    assert {*shown[:2]} == {"down", "␀"}
    assert {*shown[2:4]} == {"left", "◌"}
    assert {*shown[4:]} == {"up", "<b>", "\ufffd"}
    assert texts.count("group 0") == texts.count("group 1") == 1
    assert texts.count("2 words") == 2
    assert "$x_1$: mean change of the cell state where a word is read" in " ".join(texts)
    counts = {"down": 2, "left": 3, "<b>": 4}
    for word, count in counts.items():
        (at,) = [each for each in sheet.words if each.text == word]
        (beside,) = [each for each in sheet.words if each.text == f"×{count}"]
        assert abs(at.y - beside.y) < 2


def test_squares_have_the_colours_of_their_values():
    responses = made(groups=False)
    values = responses["response"].to_numpy()
    boxes, colours = squares(sheet_of(responses))
    scale = np.quantile(np.abs(values), 0.99)
    assert len(boxes) == values.size
    for box, colour, value in zip(boxes, colours, values.ravel(), strict=True):
        at = np.clip((value / scale + 1) / 2, 0, 1) * 1023
        np.testing.assert_array_equal(colour, ramp("RdBu_r")[int(at + 0.5)])
        assert box[2] > box[0]
    left, top = boxes[:, 0].reshape(values.shape), boxes[:, 1].reshape(values.shape)
    assert (np.diff(left, axis=1) > 0).all()
    assert (np.diff(top, axis=0) > 0).all()


def test_what_moves_up_is_first_in_its_group():
    responses = made(words=[f"word {k}" for k in range(8)], cells=6)
    up = np.array([3, -1, 2, -2, 1, -3, 4, -4])
    cells = np.array([1, -2, 3, -3, 2, -1])
    responses["response"][:] = np.outer(up, cells)
    responses = responses.assign_coords(
        word_group=("word", np.zeros(8, int)), cell_group=("cell", np.zeros(6, int))
    )
    plan = figures._Plan.of(figures.Sheet(864, LIGHT), responses)
    up_first = up[plan.down.order] * np.sign(up[plan.down.order[0]])
    assert (np.diff(up_first) < 0).all()
    assert plan.values[0, 0] == np.abs(plan.values).max()
    assert (np.diff(plan.values[0]) < 0).all()


def test_marks_tell_what_is_no_number_and_what_is_beyond_the_scale():
    responses = made(cells=30)
    responses["response"][2] = np.nan
    sheet = sheet_of(responses)
    assert sheet.seen >= {IS_NAN, CLIPPED}
    assert {"not a number", "beyond the scale"} <= {*said(sheet)}
    assert any(text.startswith("≥ +") for text in said(sheet))
    responses["response"][:] = np.nan
    assert "not a number" in said(sheet_of(responses))
    responses["response"][:] = 0
    assert sheet_of(responses).seen == set()


@pytest.mark.parametrize("inches", [2.5, 3.5, 7.2])
@pytest.mark.parametrize("cells", [1, 40, 500])
def test_nothing_is_wider_than_the_paper(inches, cells):
    responses = made(words=["a" * 90, *WORDS], cells=cells)
    sheet = sheet_of(responses, inches)
    boxes = np.concatenate([each[1] for each in sheet.fills])
    assert boxes[:, 2].max() <= sheet.width
    for word in sheet.words:
        assert word.x >= 0
        assert word.x + sheet.text_width(word.text, word.kind, word.size) <= sheet.width + 1
        assert word.size >= 10  # six points
    if cells == 500:
        told = " ".join(said(sheet))
        assert "of 500 cells, those that move most" in told


def test_cells_that_move_most_are_drawn_of_too_many():
    responses = made(cells=500, groups=False)
    responses["response"][:] = 0.01
    responses["response"][:, 471] = 5
    plan = figures._Plan.of(figures.Sheet(420, LIGHT), responses)
    assert 471 in plan.shown["cell"]
    assert plan.shown.sizes["cell"] < 500


def test_it_is_a_figure_with_real_text():
    figure = lw.response_figure(made(), width="column", theme="dark")
    assert figure.get_figwidth() == pytest.approx(3.5)
    written = figure.file("svg").decode()
    assert "$x_1$" in written
    assert "&lt;b&gt;" in written
    assert "\u202e" not in written
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: (?:700 )?([\d.]+)px", written)]
    assert min(sizes) >= 6
    assert figure._repr_png_()[:4] == b"\x89PNG"
    assert figure.file("pdf")[:4] == b"%PDF"


def test_it_goes_into_axes_of_ones_own_with_as_many_words_as_fit():
    responses = made(words=[f"word {k}" for k in range(80)])
    responses["response"][7] = 9
    figure = Figure(figsize=(5, 4))
    ax = figure.subplots()
    assert lw.response_figure(responses, ax=ax) is figure
    (drawn,) = [each for each in ax.artists if hasattr(each, "_sheet")]
    sheet = drawn._sheet
    texts = said(sheet)
    assert "word 7" in texts
    assert 3 <= sum(text.startswith("word ") for text in texts) < 80
    box = ax.get_window_extent()
    assert sheet.height <= sheet.width * box.height / box.width * 1.05
    with pytest.raises(TypeError, match="ax: expected axes"):
        lw.response_figure(responses, ax=3)


def test_errors_say_what_was_expected():
    with pytest.raises(ValueError, match=r"responses: expected what expected_responses\(\) gave"):
        lw.response_figure(xr.Dataset({"position": ("cell", [1.0])}))
    with pytest.raises(ValueError, match="one word and one cell, got none"):
        lw.response_figure(made().isel(word=slice(0)))
    with pytest.raises(ValueError, match="width"):
        lw.response_figure(made(), width="wide")
    with pytest.raises(ValueError, match="theme"):
        lw.response_figure(made(), theme="grey")


def test_of_variants_one_is_drawn_in_the_order_and_on_the_scale_of_all():
    late = made(cells=8)
    early = late.copy(deep=True)
    early["response"] = early["response"] * np.float32(0.25)
    both = xr.concat([early, late], "variant", coords="minimal", data_vars=["response"])
    both = both.assign_coords(variant=["early", "late"])
    sheets = [figures._drawn(both, 7.2, LIGHT, variant=k) for k in (0, 1)]
    scale = np.quantile(np.abs(both["response"].to_numpy()), 0.99)
    positions = [squares(sheet)[0] for sheet in sheets]
    np.testing.assert_array_equal(*positions)
    plan = figures._Plan.of(figures.Sheet(864, LIGHT), both, 0)
    values = early["response"].to_numpy()[np.ix_(plan.down.order, plan.across.order)]
    at = np.clip((values.ravel() / scale + 1) / 2, 0, 1) * 1023
    np.testing.assert_array_equal(squares(sheets[0])[1], ramp("RdBu_r")[(at + 0.5).astype(int)])
    legends = [[text for text in said(sheet) if text.startswith(("≤", "≥"))] for sheet in sheets]
    assert legends[0] == legends[1] != []
    told = " ".join(said(sheets[0]))
    assert "early · $x_1$: mean change" in told
    assert "of all 2 variants" in told
    figure = lw.response_figure(both, variant="late")
    assert "late · " in figure.file("svg").decode()
    for wrong in (None, "later"):
        with pytest.raises(ValueError, match=f"variant: expected one of 'early', 'late'.*{wrong}"):
            lw.response_figure(both, variant=wrong)
    with pytest.raises(ValueError, match=r"variant: expected None, .*one recording; got 'late'"):
        lw.response_figure(late, variant="late")
    # One that was taken out is a picture of its own.
    assert lw.response_figure(both.sel(variant="late")) is not None
