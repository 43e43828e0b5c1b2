"""Phase portraits: what is drawn is what the equations say."""

import warnings

import keras
import numpy as np
import pytest
import torch
from keras import layers as L
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgba
from matplotlib.quiver import Quiver

import lstm_widgets as lw
from lstm_widgets.errors import LayerNotFoundError

SYMBOLS = {"nothing": [0.0], "a pulse": [0.6], "its opposite": [-0.6]}


def simple_rnn(recurrent):
    recurrent = np.array(recurrent, np.float64)
    cells = len(recurrent)
    model = keras.Sequential([keras.Input((None, 1)), L.SimpleRNN(cells)])
    model.set_weights([np.ones((1, cells)), recurrent, np.zeros(cells)])
    return model


def marks(panel):
    """List where fixed points are marked, and whether each is filled."""
    found = []
    for one in panel.collections:
        if isinstance(one, PathCollection) and len(one.get_offsets()):
            filled = (one.get_facecolor() == one.get_edgecolor()).all(axis=1)
            found += zip(np.asarray(one.get_offsets()).tolist(), filled.tolist(), strict=True)
    return found


def test_of_one_cell_it_is_a_curve_for_each_input_and_network():
    models = {f"subject {k}": simple_rnn([[1.2 + 0.4 * k]]) for k in range(3)}
    figure = lw.phase_portrait(models, inputs=SYMBOLS)
    assert [panel.get_title() for panel in figure.axes] == list(models)
    for k, panel in enumerate(figure.axes):
        curves = [line for line in panel.lines if len(line.get_xdata()) > 2]
        for line, (u,) in zip(curves, SYMBOLS.values(), strict=True):
            h = line.get_xdata()
            np.testing.assert_allclose(
                line.get_ydata(), np.tanh((1.2 + 0.4 * k) * h + u) - h, atol=1e-6
            )
        # At each crossing of 0 a mark, filled where the curve falls.
        slope, expected = 1.2 + 0.4 * k, []
        fine = np.linspace(-1.1, 1.1, 20_000)
        for (u,) in SYMBOLS.values():
            change = np.tanh(slope * fine + u) - fine
            crossing = np.flatnonzero(np.diff(np.sign(change)))
            expected += [(fine[n], bool(change[n] > 0)) for n in crossing]
        found = [(at[0], filled) for at, filled in marks(panel)]
        assert len(found) == len(expected)
        for (h, filled), (near, falls) in zip(sorted(found), sorted(expected), strict=True):
            assert h == pytest.approx(near, abs=2e-4)
            assert filled == falls
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(SYMBOLS)


def test_of_two_cells_it_is_arrows_and_lines_where_one_stays():
    models = {
        "two bits": simple_rnn([[2, 0], [0, 2]]),
        "one wins": simple_rnn([[1.5, -1.5], [-1.5, 1.5]]),
    }
    figure = lw.phase_portrait(models, inputs={"nothing": [0.0], "a pulse": [0.6]})
    titles = [panel.get_title() for panel in figure.axes]
    assert titles == [f"{name} · {symbol}" for name in models for symbol in ("nothing", "a pulse")]
    first = figure.axes[0]
    found = marks(first)
    assert len(found) == 9
    high = 0.9575040240772687
    for at, filled in found:
        assert np.abs(np.abs(at) - high * np.round(np.abs(at))).max() < 1e-6
        assert filled == (min(map(abs, at)) > 0.5)
    (arrows,) = [one for one in first.collections if isinstance(one, Quiver)]
    at = arrows.get_offsets()[1::2]  # and not where nothing changes, in the middle
    true = np.tanh(2 * at) - at
    drawn = np.stack([arrows.U, arrows.V], axis=-1)[1::2]
    length, full = np.linalg.norm(drawn, axis=1), np.linalg.norm(true, axis=1)
    np.testing.assert_allclose(drawn / length[:, None], true / full[:, None], atol=1e-5)
    np.testing.assert_allclose(length, np.minimum(full, length.max()), atol=1e-6)
    # Where the other cell stays lies at ± 0.9575 and 0, whatever the first one is.
    lines = [one for one in first.collections if not isinstance(one, (Quiver, PathCollection))]
    across = np.concatenate([path.vertices for path in lines[1].get_paths()])[:, 1]
    assert np.abs(np.abs(across) - high * np.round(np.abs(across))).max() < 1e-3
    assert to_rgba(lines[0].get_edgecolor()[0]) != to_rgba(lines[1].get_edgecolor()[0])


@pytest.mark.parametrize(("cells", "pairs"), [(3, 3), (4, 6)])
def test_more_cells_come_in_pairs(cells, pairs):
    model = simple_rnn(2 * np.eye(cells))
    figure = lw.phase_portrait(model, inputs=[0.0], rest=0.9575040240772687, theme="dark")
    assert len(figure.axes) == pairs
    assert figure.axes[-1].get_xlabel() == f"cell {cells - 2}"
    assert figure.axes[-1].get_ylabel() == f"cell {cells - 1}"
    bright = [m for m in marks(figure.axes[0]) if m[1]]
    assert len(bright) >= 4
    assert "the other cells at 0.957504" in figure.texts[0].get_text()
    assert figure.file("png")


def test_of_an_lstm_it_is_the_cell_state():
    """Its hidden state has followed: c stays where f c + i g = c at h = o tanh(c)."""
    model = keras.Sequential([keras.Input((None, 1)), L.LSTM(1, name="lstm")])
    model.set_weights([np.array(w, float) for w in ([[2, 0, 2, 0]], [[0, 0, 4, 0]], [1, 1, 0, 2])])
    figure = lw.phase_portrait(model, inputs={"nothing": [0.0]})
    (panel,) = figure.axes
    assert panel.get_xlabel() == "cell state"
    (line,) = [one for one in panel.lines if len(one.get_xdata()) > 2]
    c = line.get_xdata()
    sigmoid = 1 / (1 + np.exp(-np.array([1, 1, 2.0])))
    h = sigmoid[2] * np.tanh(c)
    expected = sigmoid[1] * c + sigmoid[0] * np.tanh(4 * h) - c
    np.testing.assert_allclose(line.get_ydata(), expected, atol=1e-6)
    points = lw.fixed_points(
        model, inputs=[0.0], starts=np.array([[0.5, 3.0], [-0.5, -3], [0, 0.1]])
    )
    cell_states = points["state"].values[:, 1]
    assert sorted(at[0] for at, _ in marks(panel)) == pytest.approx(sorted(cell_states), abs=1e-6)


def test_modules_of_pytorch_and_limits():
    torch.manual_seed(0)

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = torch.nn.GRU(1, 2, batch_first=True)

        def forward(self, x):
            return self.gru(x)[0]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = lw.phase_portrait(
            {k: Model() for k in "abcdefgh"}, inputs=[0.5], limits=(-0.5, 0.5), width=5
        )
    assert [panel.get_title() for panel in figure.axes] == list("abcdefgh")
    assert figure.axes[0].get_xlim() == (-0.5, 0.5)


def test_what_cant_be_drawn_is_refused():
    model = simple_rnn(np.eye(2))
    with pytest.raises(
        ValueError, match=r"layer: expected one of 1 to 4 cells, got 'simple_rnn.*' with 5"
    ):
        lw.phase_portrait(simple_rnn(np.eye(5)), inputs=[0.0])
    with pytest.raises(ValueError, match="models: expected networks with as many cells"):
        lw.phase_portrait({"a": model, "b": simple_rnn(np.eye(3))}, inputs=[0.0])
    with pytest.raises(ValueError, match="inputs: expected at least one"):
        lw.phase_portrait(model, inputs={})
    for several in (["a", "b"], [[0.0], [1.0]]):
        with pytest.raises((TypeError, ValueError), match=r"inputs: .* by names, in a dict"):
            lw.phase_portrait(model, inputs=several)
    with pytest.raises(LayerNotFoundError, match="layer: expected one of 'simple_rnn"):
        lw.phase_portrait(model, "lstm", inputs=[0.0])
    with pytest.raises(ValueError, match="limits: expected two numbers"):
        lw.phase_portrait(model, inputs=[0.0], limits=(1, -1))
    with pytest.raises(ValueError, match="rest: expected a number, or one for each of 2 cells"):
        lw.phase_portrait(model, inputs=[0.0], rest=[0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="theme"):
        lw.phase_portrait(model, inputs=[0.0], theme="grey")


def test_panels_take_the_room_that_there_is():
    """A curve may be wider than it is high; planes of several networks stand in one row, if they aren't small."""
    (curve,) = lw.phase_portrait(simple_rnn([[2.0]]), inputs=SYMBOLS).axes
    assert curve.get_position().width > 0.85
    models = {f"subject {k}": simple_rnn([[2, 0], [0, 1 + k]]) for k in range(3)}
    for width, rows in ((7.2, [4, 2]), (3.5, [2, 2, 2])):
        figure = lw.phase_portrait(models, inputs={"nothing": [0.0], "a pulse": [0.6]}, width=width)
        places = [panel.get_position() for panel in figure.axes]
        tops = [round(place.y0, 6) for place in places]
        assert [tops.count(top) for top in sorted(set(tops), reverse=True)] == rows
        wide, high = figure.get_size_inches()
        for place in places:
            assert place.width * wide == pytest.approx(place.height * high)
            assert place.x1 <= 1
