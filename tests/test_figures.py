"""Figures for papers and slides: their sizes, colours and texts, and the files that they make."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import warnings
import zlib
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from recordings import rivers
from test_dependency_widget import made as dependency
from test_relevance_widget import made as relevance
from test_still import HOSTILE, PROSE, recording
from test_what_if import VOCABULARY, language

import lstm_widgets as lw
from lstm_widgets.colours import DARK, LIGHT, PADDING, Colours
from lstm_widgets.figures import columns, fonts
from lstm_widgets.recording import RecordedLayer, Recording

SVG = "{http://www.w3.org/2000/svg}"
#: Points a unit of a sheet.
POINT = 72 / 120


def finder():
    text = 'she said "well then" and left. ' * 9
    values = np.random.default_rng(0).normal(size=(1, len(text), 3)).astype(np.float32) / 5
    values[0, :, 1] = np.where(lw.concepts.inside_double_quotes(text), 0.9, -0.05)
    layer = RecordedLayer(
        "lstm", "LSTM", {"hidden_state": values}, tokens=np.array([[*text]], object)
    )
    return lw.CellFinder(Recording.from_layers([layer]), [lw.concepts.inside_double_quotes])


def comparison():
    one = recording(masked=True)
    return lw.CellComparison(lw.compare_cells(one, one, shifts=0), one, one)


MADE = {
    "CellComparison": comparison,
    "CellFinder": finder,
    "CellGrid": lambda: lw.CellGrid(recording(masked=True), cell=3, example=2, timestep=1),
    "DependencyHeatmap": lambda: lw.DependencyHeatmap({"LSTM": dependency(), "RNN": dependency()}),
    "ExampleGrid": lambda: lw.ExampleGrid(recording(6, 40, 3), timestep=30),
    "Explorer": lambda: lw.Explorer(recording(1, 300, 5), cell=2, timestep=40),
    "GateInspector": lambda: lw.GateInspector(recording(), cell=2),
    "RelevanceHeatmap": lambda: lw.RelevanceHeatmap(made_relevance(), targets=[0, 1] * 3),
    "SeriesPlot": lambda: lw.SeriesPlot(
        rivers(), signal="cell_state", cell=1, cells=(3,), threshold=0.5, timestep=900
    ),
    "StateSpace": lambda: lw.StateSpace(recording(), cell=2),
    "TextHeatmap": lambda: lw.TextHeatmap(recording(1, len(PROSE), 6, tokens=PROSE), cell=3),
    "WhatIf": lambda: lw.WhatIf(language("softmax"), "abcde abcde", vocabulary=VOCABULARY),
}


def made_relevance():
    return relevance(masked=True, labels=[f"sentence {i}" for i in range(6)])


def pixels(figure, dpi=120):
    return np.asarray(Image.open(io.BytesIO(figure.file("png", dpi=dpi))).convert("RGB"))


def svg(widget, path, **options):
    widget.save_figure(path / "figure.svg", **options)
    return ET.fromstring((path / "figure.svg").read_text("utf-8"))


def texts(root):
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def test_every_widget_is_tried():
    widgets = {name for name in lw.__all__ if hasattr(getattr(lw, name), "_esm")}
    assert set(MADE) == widgets


@pytest.mark.parametrize("name", MADE)
def test_every_widget_has_a_figure_in_which_nothing_is_cut_off(name):
    widget = MADE[name]()
    for width, inches in (("column", 3.5), ("page", 7.2), (5, 5)):
        for theme, paper in (("light", LIGHT), ("dark", DARK)):
            figure = widget.figure(width=width, theme=theme)
            assert isinstance(figure, Figure)
            assert figure.get_figwidth() == pytest.approx(inches)
            image = pixels(figure)
            assert image.shape[:2] == pytest.approx(np.array(figure.get_size_inches())[::-1] * 120)
            assert (image[-1, -1] == paper.background).all()
            sheet = widget._sheet(inches, theme)
            for word in sheet.words:
                assert word.size * POINT >= 6, word
                assert word.x >= 0, word
                right = word.x + sheet.text_width(word.text, word.kind, word.size)
                assert right <= sheet.width + 1, (word, right)
                assert word.size / 2 < word.y <= sheet.height
            for _, boxes, _ in sheet.fills:
                assert (boxes[:, :2] >= -1).all()
                assert (boxes[:, 2] <= sheet.width + 1).all()
                assert (boxes[:, 3] <= sheet.height + 1).all()


@pytest.mark.parametrize(("theme", "colours"), [("light", LIGHT), ("dark", DARK)])
def test_squares_have_the_colours_of_the_page(theme, colours):
    widget = lw.CellGrid(recording(1, 30, 8), scale=(-0.4, 0.8))
    image = pixels(widget.figure(theme=theme))
    values = widget.recording["lstm"].hidden_state.values[0]
    scale = Colours("hidden_state", float(np.abs(values).max()), "auto", (-0.4, 0.8), 0, colours)
    largest = np.abs(values).max(axis=0)
    expected, marks = scale.pixels(values, largest), scale.marks(values, largest)
    seen = 0
    for t, cell in np.ndindex(values.shape):
        x, y = columns.GUTTER + 22 * t, 1 + columns.TOKENS + 15 * cell
        square = image[y + 1 : y + 13, x + 1 : x + 20].reshape(-1, 3)
        if t == 0 or cell == 0:
            continue  # the frames of what is selected
        share = (square == expected[t, cell]).all(axis=1).mean()
        # What is cut off has lines over it, of nothing else.
        assert share == 1 if not marks[t, cell] else 0.3 < share < 0.95
        seen += bool(marks[t, cell])
    assert seen > 20


def test_what_is_no_number_and_what_is_padding_are_seen_and_told():
    made = recording(3, 4, 5, masked=True)
    made["lstm"].hidden_state.values[1, 1, 2] = np.nan
    widget = lw.CellGrid(made)
    image = pixels(widget.figure())
    place = columns.squares(3, 4, 5, square=15, column=0, row=0, room=864 - 96, most=400)

    def square(column, cell):
        x, y = columns.GUTTER + place.start(column), 1 + 18 + 20 + place.height * cell
        return image[y + 1 : y + 13, x + 1 : x + 13].reshape(-1, 3)

    nan = square(5, 2)
    assert (nan == LIGHT.unknown).all(axis=1).any()
    assert (nan.sum(axis=1) < 200).any()  # lines in the colour of letters
    padded = square(7, 2)
    common = np.unique(padded, axis=0, return_counts=True)[1].max()
    assert 0.5 < common / len(padded) < 0.97  # dots on one colour
    words = {word.text for word in widget._sheet(7.2, "light").words}
    assert {"not a number", "padding"} <= words
    assert "beyond the scale" not in words


def test_the_caption_tells_what_is_shown():
    model = language("softmax")
    made = lw.record(model, "abcde abcde", vocabulary=VOCABULARY)
    sheet = lw.CellGrid(made, layer="lower", cell=2, timestep=3)._sheet(7.2, "light")
    said = " ".join(word.text for word in sheet.words)
    for part in ("lower · cell 2 · t=3 'd' · hidden_state", "self-check: equals the layer to"):
        assert part in said
    assert "still picture" not in said


# -- files -----------------------------------------------------------------------------------------


def test_an_svg_has_text_letters_and_small_size(tmp_path):
    widget = lw.TextHeatmap(recording(1, len(PROSE), 6, tokens=PROSE), cell=3, threshold=2)
    root = svg(widget, tmp_path)
    written = texts(root)
    # All is faded, so that all letters of a line have one colour: they are one text.
    assert any("The miller asked where the small key was" in text for text in written)
    style = "".join(root.find(f".//{SVG}style").itertext())
    assert style.count("@font-face") == 3
    assert "font/woff" in style
    assert "http" not in style
    size = (tmp_path / "figure.svg").stat().st_size
    assert size < 200_000
    assert root.get("width") == "518.4pt"
    title = root.find(f"{SVG}title")
    assert title is not None
    assert title.text == "Text heatmap: lstm"


def test_an_svg_has_the_colours_of_the_page(tmp_path):
    made = recording(1, 12, 4)
    root = svg(lw.CellGrid(made), tmp_path, theme="dark")
    values = made["lstm"].hidden_state.values[0]
    scale = Colours("hidden_state", float(np.abs(values).max()), theme=DARK)
    expected = {f"#{bytes(c).hex()}" for c in scale.pixels(values, 1.0).reshape(-1, 3)}
    styles = " ".join(path.get("style", "") for path in root.iter(f"{SVG}path"))
    assert expected <= set(re.findall("#[0-9a-f]{6}", styles))


def test_a_pdf_has_its_fonts_and_is_small(tmp_path):
    widget = lw.Explorer(recording(1, 300, 5, tokens=PROSE), cell=2, timestep=40)
    widget.save_figure(tmp_path / "cells.pdf")
    # And by Matplotlib's own way.
    widget.figure().savefig(tmp_path / "saved.pdf")
    for name in ("cells.pdf", "saved.pdf"):
        raw = (tmp_path / name).read_bytes()
        assert len(raw) < 60_000
        assert raw.count(b"/FontFile2") >= 3
        assert b"/Type3" not in raw
        streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", raw, re.DOTALL)
        drawn = b"".join(zlib.decompress(s) for s in streams if s[:1] == b"\x78")
        assert drawn.count(b"TJ") > 50  # texts that are shown
    assert b"Explorer: lstm" in (tmp_path / "cells.pdf").read_bytes()


def test_a_png_has_as_many_dots_as_are_asked_for(tmp_path):
    widget = lw.GateInspector(recording())
    for dpi in (100, 300):
        widget.save_figure(tmp_path / f"{dpi}.png", dpi=dpi, width="column")
        image = Image.open(tmp_path / f"{dpi}.png")
        assert image.width == int(3.5 * dpi)
        assert image.info["dpi"] == pytest.approx((dpi, dpi), abs=0.1)


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_a_file_is_the_same_each_time(tmp_path, kind):
    widget = lw.CellGrid(recording())
    for name in ("one", "other"):
        widget.save_figure(tmp_path / f"{name}.{kind}")
    assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"other.{kind}").read_bytes()


def test_hostile_texts_are_texts(tmp_path):
    hostile = [*HOSTILE, "$x^2$", "\\alpha", "</text><script>x</script>", "&amp;", "\t"]
    made = recording(len(hostile), 1, 3, tokens=hostile, labels=hostile)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # not even of signs that no font has
        for example in range(len(hostile)):
            widget = lw.ExampleGrid(made, example=example)
            root = svg(widget, tmp_path, overwrite=True)
        assert not list(root.iter(f"{SVG}script"))
        one_text = made["lstm"]["token"].values.reshape(1, -1)
        values = made["lstm"].hidden_state.values.reshape(1, -1, 3)
        layer = RecordedLayer("lstm", "LSTM", {"hidden_state": values}, tokens=one_text)
        text = lw.TextHeatmap(Recording.from_layers([layer]), timestep=3)
        said = " ".join(texts(svg(text, tmp_path, overwrite=True)))
        for token in ("$x^2$", "\\alpha", "</text><script>x</script>", "&amp;", "漢"):
            assert token in said
        for kind in ("pdf", "png"):
            text.save_figure(tmp_path / f"text.{kind}")
            widget.save_figure(tmp_path / f"figure.{kind}")


# -- what is asked for -----------------------------------------------------------------------------


def test_what_can_not_be_is_refused_by_name(tmp_path):
    widget = lw.CellGrid(recording())
    for width in ("narrow", 2, 41, float("nan"), None, True):
        with pytest.raises(ValueError, match=r"width: expected 'column', 'page', or 2.5 to 40"):
            widget.figure(width=width)
    for theme in ("black", None):
        with pytest.raises(ValueError, match="theme: expected one of 'light', 'dark', got"):
            widget.figure(theme=theme)
    with pytest.raises(TypeError, match="ax: expected axes of a Matplotlib figure, got Figure"):
        widget.figure(ax=Figure())
    for name in ("cells.jpg", "cells", "cells.svgz"):
        with pytest.raises(ValueError, match=r"path: expected a name with .svg, .pdf, .png, got"):
            widget.save_figure(tmp_path / name)
    widget.save_figure(tmp_path / "cells.SVG")
    before = (tmp_path / "cells.SVG").read_bytes()
    widget.threshold = 0.5
    with pytest.raises(FileExistsError, match="overwrite=True"):
        widget.save_figure(tmp_path / "cells.SVG")
    assert (tmp_path / "cells.SVG").read_bytes() == before
    widget.save_figure(tmp_path / "cells.SVG", overwrite=True)
    assert (tmp_path / "cells.SVG").read_bytes() != before
    with pytest.raises(FileNotFoundError, match="expected an existing folder"):
        widget.save_figure(tmp_path / "nowhere" / "cells.svg")


def test_it_is_drawn_into_axes_of_a_figure_of_ones_own():
    own = Figure(figsize=(7, 3), dpi=100)
    inner = own.subfigures(1, 2)
    axes = [inner[0].add_axes((0.1, 0.1, 0.8, 0.8)), inner[1].subplots()]
    for ax, widget in zip(axes, (MADE["CellGrid"](), MADE["TextHeatmap"]()), strict=True):
        assert widget.figure(ax=ax, theme="dark") is own
        assert not ax.axison
        # Within the axes, and not distorted.
        before, (wide, high) = ax.get_position(True), np.ptp([ax.get_xlim(), ax.get_ylim()], 1)
        ax.apply_aspect()
        now, box = ax.get_position(), ax.get_window_extent()
        assert (now.x0, now.y1) == pytest.approx((before.x0, before.y1))
        assert now.width <= before.width + 1e-9
        assert now.height <= before.height + 1e-9
        assert box.width / wide == pytest.approx(box.height / high)
        # What is too high has fewer rows, so that it isn't much smaller.
        assert box.width / own.dpi * 120 / wide > 0.75
    file = io.BytesIO()
    own.savefig(file, format="png")
    image = np.asarray(Image.open(file).convert("RGB")).reshape(-1, 3)
    assert len(np.unique(image, axis=0)) > 100


def test_drawing_imports_no_pyplot_and_seeing_a_widget_s_class_no_matplotlib():
    code = """
import sys
import lstm_widgets as lw
lw.CellGrid
assert "matplotlib" not in sys.modules
import numpy as np
from lstm_widgets.recording import RecordedLayer, Recording
values = {"hidden_state": np.zeros((1, 4, 2), np.float32)}
widget = lw.CellGrid(Recording.from_layers([RecordedLayer("lstm", "LSTM", values)]))
assert "matplotlib" not in sys.modules
assert widget._png() and widget.figure()._repr_png_()
assert "matplotlib" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_padding_has_its_mark_in_every_view():
    assert PADDING in lw.CellGrid(recording(masked=True))._sheet(7.2, "light").seen
    assert PADDING in lw.ExampleGrid(recording(masked=True))._sheet(7.2, "light").seen
    assert PADDING in lw.RelevanceHeatmap(made_relevance())._sheet(7.2, "light").seen


# -- saturated gates -------------------------------------------------------------------------------


def screened():
    rng = np.random.default_rng(3)
    layers = []
    for name, cells in (("lower", 5), ("$upper_1$", 3)):
        gates = {f"{gate}_gate": rng.random((2, 40, cells)) for gate in ("input", "forget")}
        signals = {"hidden_state": rng.normal(size=(2, 40, cells)), **gates}
        signals = {signal: values.astype(np.float32) for signal, values in signals.items()}
        layers.append(RecordedLayer(name, "LSTM", signals))
    made = Recording.from_layers(layers)
    return made, lw.screen_cells(made, saturation=0.2)


def test_each_point_is_a_cell_and_how_often_its_gate_is_saturated():
    made, table = screened()
    figure = lw.saturation_figure(table, width="column")
    assert figure.get_figwidth() == 3.5
    assert [panel.get_title() for panel in figure.axes] == ["input gate", "forget gate"]
    for panel, gate in zip(figure.axes, ("input_gate", "forget_gate"), strict=True):
        for points, layer in zip(panel.collections, made, strict=True):
            values = made[layer][gate].values.reshape(80, -1)
            shares = [(values < 0.2).mean(axis=0), (values > 1 - 0.2).mean(axis=0)]
            np.testing.assert_allclose(points.get_offsets(), np.transpose(shares), atol=1e-6)
        assert panel.get_xlabel() == "left-saturated"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(made)
    assert "below 0.2" in figure.texts[0].get_text()
    written = figure.file("svg").decode()
    assert "$upper_1$" in written  # no mathematics
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: (?:700 )?([\d.]+)px", written)]
    assert min(sizes) >= 6


def test_one_gate_goes_into_axes_of_ones_own():
    _, table = screened()
    ax = Figure().subplots()
    assert lw.saturation_figure(table, gates="forget_gate", ax=ax, theme="dark") is ax.figure
    assert ax.get_title() == "forget gate"
    with pytest.raises(ValueError, match="ax: expected with one gate, gates='input_gate'; got"):
        lw.saturation_figure(table, ax=ax)
    with pytest.raises(ValueError, match=r"gates: expected some of .*; got 'output_gate'"):
        lw.saturation_figure(table, gates="output_gate")
    with pytest.raises(ValueError, match="gates: expected some of a table from screen_cells"):
        lw.saturation_figure(table[["layer", "cell"]])
    with pytest.raises(TypeError, match="ax: expected axes"):
        lw.saturation_figure(table, gates="forget_gate", ax=3)
    with pytest.raises(ValueError, match="width"):
        lw.saturation_figure(table, width="wide")


def test_labels_of_short_examples_stand_beside_each_other():
    """Wherever the picture begins: the leftmost example may be one that has no label otherwise."""
    shown = recording(24, 2, 3, labels=[f"{k}+{k}={2 * k}" for k in range(24)])
    begins = set()
    for example in range(24):
        sheet = lw.CellGrid(shown, example=example, timestep=1)._sheet(4, "light")
        (head,) = (word for word in sheet.words if word.text == "example")
        labels = sorted(word for word in sheet.words if word.y == head.y)
        ends = [word.x + sheet.text_width(word.text, word.kind, word.size) for word in labels]
        assert len(labels) > 3
        assert all(end + 3 <= word.x for end, word in zip(ends, labels[1:], strict=False))
        assert ends[-1] <= sheet.width
        begins.add(labels[1].text)
    assert len(begins) > 3


@pytest.mark.parametrize("kind", ["mono", "sans", "bold"])
def test_a_mark_stands_over_the_letter_before_it(kind):
    """Letters that follow stand where they would without it, and the mark above the letter."""
    plain, _ = fonts.outline("qx", kind, 40)
    marked, _ = fonts.outline("q\u0303x", kind, 40)
    assert fonts.text_width("q\u0303x", kind) == fonts.text_width("qx", kind)
    letters = {tuple(point) for point in plain.tolist()}
    rest = np.array([point for point in marked.tolist() if tuple(point) not in letters])
    assert letters <= {tuple(point) for point in marked.tolist()}
    ((left, low), (right, _)) = rest.min(axis=0), rest.max(axis=0)
    begins, ends = 0, 40 * fonts.text_width("q", kind)
    assert begins <= left < right <= ends
    assert low > fonts.outline("x", kind, 40)[0][:, 1].max()
    # Of a letter that there is with its mark, that one.
    assert fonts.drawable("e\u0301", kind) == "é"
