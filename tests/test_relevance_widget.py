"""RelevanceHeatmap in Python: what it takes and refuses, which examples it shows, and what it sends."""

from __future__ import annotations

import json
from uuid import uuid4

import ipywidgets
import keras
import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from traitlets import TraitError

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, Recording
from lstm_widgets.views.bands import Band
from lstm_widgets.views.examples import SORTS, Examples, Question
from lstm_widgets.widgets.page import export

METHODS = ("lrp", "sensitivity")


def dataset(tokens, values, *, mask=None, labels=None, methods=METHODS, **variables):
    """A dataset as relevance() makes it."""
    grid = np.empty((len(tokens), len(tokens[0])), object)
    grid[:] = tokens
    found = {"relevance": (("method", "example", "timestep"), values)}
    found |= {name: ("example", np.asarray(each)) for name, each in variables.items()}
    if mask is not None:
        found["mask"] = (("example", "timestep"), np.array(mask, bool))
    coords = {"method": list(methods), "token": (("example", "timestep"), grid)}
    if labels is not None:
        coords["label"] = ("example", np.array(labels, object))
    return xr.Dataset(found, coords, {"outputs": 2})


def made(count=6, steps=4, *, seed=0, masked=False, **more):
    """Some sentences from a seed, of two classes."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(2, count, steps)).astype(np.float32)
    values[1] **= 2
    tokens = rng.choice(np.array(["not", "good", "bad", "film", "a"], object), (count, steps))
    mask = np.arange(steps) < rng.integers(1, steps + 1, (count, 1)) if masked else None
    return dataset(
        tokens,
        values,
        mask=mask,
        score=rng.normal(size=count).astype(np.float32),
        confidence=rng.uniform(0.5, 1, count).astype(np.float32),
        predicted=np.arange(count) % 2,
        target=np.arange(count) % 2,
        **more,
    )


@pytest.fixture(scope="module")
def table(root):
    return json.loads((root / "js" / "test" / "examples.json").read_text("utf-8"))


def of_table(table):
    """The examples of the table that the page is held against, too."""
    rows = table["examples"]
    relevance = dataset(
        [row["tokens"] for row in rows],
        np.zeros((2, len(rows), 3), np.float32),
        mask=[row["mask"] for row in rows],
        **{k: [float(row[k]) for row in rows] for k in ("score", "confidence")},
        **{k: [row[k] for row in rows] for k in ("predicted", "target")},
    )
    return relevance, [row["true"] for row in rows]


# -- which examples, in which order -----------------------------------------------------------------


def test_filters_search_and_orders(table):
    """js/test/data/examples.test.mjs holds the page against the same table."""
    relevance, true = of_table(table)
    examples = Examples(relevance, targets=true)
    assert {question.get("sort", "index") for question, _ in table["questions"]} == set(SORTS)
    for question, wanted in table["questions"]:
        assert examples.order(Question(**question)).tolist() == wanted, question
    widget = lw.RelevanceHeatmap(relevance, targets=true, search="not", sort="shortest")
    assert widget.shown.tolist() == [3, 0, 1, 4]
    widget.predicted = 1
    assert widget.shown.tolist() == [3, 0]


def test_characters_are_searched_without_spaces():
    relevance = dataset([list("3+4= 7"), list("13+41=")], np.zeros((2, 2, 6), np.float32))
    assert lw.RelevanceHeatmap(relevance, search="3+4").shown.tolist() == [0, 1]
    assert lw.RelevanceHeatmap(relevance, search="3+4=").shown.tolist() == [0]
    assert lw.RelevanceHeatmap(relevance, search="3 +").shown.tolist() == []


@pytest.mark.parametrize("masked", [True, False])
def test_words_are_told_from_characters_whatever_the_padding(masked):
    padding = [""] * 9
    for tokens, kind in ((["very", "good", "film"], "words"), (["3", "+", "4"], "characters")):
        mask = [[1, 1, 1, *[0] * 9]] if masked else None
        relevance = dataset([[*tokens, *padding]], np.zeros((2, 1, 12)), mask=mask)
        assert Examples(relevance).spelling.kind == kind


# -- what it takes and refuses ------------------------------------------------------------------------


def test_by_default_all_of_it_is_shown():
    widget = lw.RelevanceHeatmap(made())
    assert (widget.example, widget.timestep, widget.method) == (0, 0, "lrp")
    assert (widget.scale, widget.palette, widget.sort, widget.outcome) == (
        *("example", "auto"),
        *("index", "all"),
    )
    assert widget.predicted is None
    assert widget.all_methods
    assert widget.shown.tolist() == [0, 1, 2, 3, 4, 5]


def test_a_padded_beginning_is_not_selected():
    relevance = dataset([["", "", "a"]] * 2, np.zeros((2, 2, 3)), mask=[[0, 0, 1]] * 2)
    assert lw.RelevanceHeatmap(relevance).timestep == 2
    assert lw.RelevanceHeatmap(relevance, timestep=0).timestep == 0


def test_the_first_that_is_shown_is_selected():
    relevance = made()
    order = np.argsort(-relevance["confidence"].values)
    assert lw.RelevanceHeatmap(relevance, sort="most_confident").example == order[0]
    assert lw.RelevanceHeatmap(relevance, predicted=1).example == 1
    assert lw.RelevanceHeatmap(relevance, predicted=1, example=2).example == 2
    assert lw.RelevanceHeatmap(relevance, search="no such words").example == 0


BAD = [
    ("example", 6, ["example", "0 to 5", "6"]),
    ("example", -1, ["example", "0 to 5", "-1"]),
    ("timestep", 4, ["timestep", "0 to 3", "4"]),
    ("method", "occlusion", ["method", "'lrp', 'sensitivity'", "'occlusion'"]),
    ("scale", "layer", ["scale", "'example'", "'layer'"]),
    ("scale", (1.0, 1.0), ["scale", "lowest < highest", "(1.0, 1.0)"]),
    ("palette", "jet", ["palette", "'RdBu_r'", "'jet'"]),
    ("sort", "random", ["sort", "'most_confident'", "'random'"]),
    ("predicted", "neutral", ["predicted", "'negative', 'positive'", "'neutral'"]),
    ("predicted", 0.5, ["predicted", "number or the name", "0.5"]),
    ("predicted", True, ["predicted", "True"]),
    ("outcome", "correct", ["outcome", "'right'", "'correct'"]),
    ("lines", -1, ["lines", "-1"]),
]


@pytest.mark.parametrize(("name", "value", "said"), BAD)
def test_a_wrong_value_is_refused_by_name(name, value, said):
    given = {"targets": [0] * 6, "class_names": ["negative", "positive"]}
    with pytest.raises(TraitError) as at_first:
        lw.RelevanceHeatmap(made(), **given, **{name: value})
    widget = lw.RelevanceHeatmap(made(), **given)
    before = getattr(widget, name)
    with pytest.raises(TraitError) as later:
        setattr(widget, name, value)
    for text in (str(at_first.value), str(later.value)):
        assert all(part in text for part in said), text
    assert getattr(widget, name) == before


@pytest.mark.parametrize("name", ["sorted", "_whole", "cell"])
def test_an_unknown_keyword_is_a_type_error(name):
    with pytest.raises(TypeError, match=rf"RelevanceHeatmap.*'{name}'.*targets, class_names.*sort"):
        lw.RelevanceHeatmap(made(), **{name: 1})


REFUSED = [
    (TypeError, r"relevance.*Dataset.*ndarray", lambda: (np.zeros((2, 3, 4)), {})),
    (ValueError, r"relevance.*\(method, example, timestep", lambda: (xr.Dataset({"a": 1}), {})),
    (ValueError, r"targets.*6 examples.*\(2,\)", lambda: (made(), {"targets": [0, 1]})),
    (TypeError, r"targets.*number or the name.*0\.5", lambda: (made(), {"targets": [0.5] * 6})),
    (
        ValueError,
        r"targets.*'a'.*'b'",
        lambda: (made(), {"targets": ["b"] * 6, "class_names": ["a"]}),
    ),
    (TypeError, r"class_names.*names.*'ab'", lambda: (made(), {"class_names": "ab"})),
    (
        TypeError,
        r"class_names.*str for each class, got 1",
        lambda: (made(), {"class_names": [1, 2]}),
    ),
    (ValueError, r"tokens.*6 examples, got 1", lambda: (made(), {"tokens": [["a"] * 4]})),
    (ValueError, r"tokens.*expected 4.*got 3", lambda: (made(), {"tokens": [["a"] * 3] * 6})),
    (TypeError, r"recording.*Recording.*int", lambda: (made(), {"recording": 3})),
    (ValueError, r"recording.*6 examples.*of 2", lambda: (made(), {"recording": recording(2)})),
]


@pytest.mark.parametrize(("error", "said", "given"), REFUSED)
def test_what_does_not_fit_is_refused_by_name(error, said, given):
    relevance, keywords = given()
    with pytest.raises(error, match=said):
        lw.RelevanceHeatmap(relevance, **keywords)


def test_what_is_not_known_can_not_be_asked_for():
    bare = made().drop_vars(["confidence", "predicted", "target"])
    for name, value, said in (
        ("sort", "least_confident", "no confidence"),
        ("predicted", 1, "no predicted classes"),
        ("outcome", "wrong", r"true classes are not known \(targets="),
    ):
        with pytest.raises(TraitError, match=said):
            lw.RelevanceHeatmap(bare, **{name: value})
    with pytest.raises(TraitError, match="true classes are not known"):
        lw.RelevanceHeatmap(made(), outcome="right")


def test_classes_are_numbers_or_names():
    names = {0: "negative", 1: "positive"}
    for true in ([0, 0, 0, 1, 1, -1], np.array([[0], [0], [0], [1], [1], [-1]])):
        widget = lw.RelevanceHeatmap(made(), targets=true, class_names=names, predicted="positive")
        assert widget.predicted == 1
        assert widget.shown.tolist() == [1, 3, 5]
        widget.outcome = "wrong"
        assert widget.shown.tolist() == [1]
    words = ["negative"] * 3 + ["positive"] * 3
    widget = lw.RelevanceHeatmap(
        made(), targets=words, class_names=list(names.values()), outcome="right"
    )
    assert widget.shown.tolist() == [0, 2, 3, 5]
    assert widget._summary["classes"] == [[0, "negative", 3], [1, "positive", 3]]


# -- of a model --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sigmoid():
    keras.utils.set_random_seed(5)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Embedding(7, 4, mask_zero=True),
            layers.LSTM(3, name="lstm"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    ids = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 1, 2], [3, 3, 0, 0, 0]])
    tokens = [[["", *"abcdef"][i] for i in row] for row in ids]
    return model, ids, tokens


def test_it_takes_what_relevance_returns(sigmoid):
    model, ids, tokens = sigmoid
    relevance = lw.relevance(model, ids, methods=METHODS, tokens=tokens, labels=["x", "y", "z"])
    assert relevance.attrs["outputs"] == 1
    widget = lw.RelevanceHeatmap(relevance, targets=[0, 1, 1], class_names=["no", "yes"])
    predicted = (model.predict(ids, verbose=0)[:, 0] > 0.5).astype(int)
    summary = widget._summary
    # The one logit speaks for class 1, whatever is predicted.
    assert summary["explained"] in ("class yes", "the class that the model predicts")
    assert (widget._examples.target == 1).all()
    assert sum(count for _, _, count in summary["classes"]) == 3
    assert summary["right"] == int((predicted == [0, 1, 1]).sum())
    assert (summary["masked"], summary["tokens"], summary["labels"]) == (True, True, True)
    assert widget._still().shape[1] == 900


def test_relevance_of_a_cell_has_no_classes(sigmoid):
    model, ids, tokens = sigmoid
    relevance = lw.relevance(model, ids, methods="lrp", tokens=tokens, layer="lstm", cell=2)
    widget = lw.RelevanceHeatmap(relevance, sort="highest_score")
    assert widget._summary["explained"] == "the hidden state of cell 2 of lstm"
    assert widget._summary["predicted"] is False
    score = relevance["score"].values
    assert widget.shown.tolist() == np.argsort(-score, kind="stable").tolist()
    assert "outputs" not in relevance.attrs


# -- what the page gets --------------------------------------------------------------------------------


def unpacked(text, packed, summary, count):
    """What a page makes of the bytes, by hand."""
    steps, at = summary["timesteps"], 0

    def take(dtype, *shape):
        nonlocal at
        array = np.frombuffer(packed, dtype, int(np.prod(shape)), at).reshape(shape)
        at += array.nbytes
        return array

    found = {"relevance": take("<f4", len(summary["methods"]), count, steps)}
    found |= {name: take("<f4", count) for name in ("score", "confidence")}
    found |= {name: take("<i4", count) for name in ("predicted", "true", "target")}
    if summary["tokens"]:
        found["tokens"] = np.array(text["table"], object)[take("<i4", count, steps)]
    if summary["masked"]:
        found["mask"] = take("u1", count, steps)
    assert at == len(packed)
    return found


def test_a_small_one_travels_whole():
    relevance = made(masked=True, labels=[f"number {i}" for i in range(6)])
    widget = lw.RelevanceHeatmap(relevance, targets=[1, 1, 0, 0, -1, 1])
    found = unpacked(widget._text, widget._whole, widget._summary, 6)
    for name in ("relevance", "score", "confidence", "predicted", "target", "mask"):
        np.testing.assert_array_equal(found[name], relevance[name].values)
    assert found["true"].tolist() == [1, 1, 0, 0, -1, 1]
    assert (found["tokens"] == relevance["token"].values).all()
    assert widget._text["labels"] == [f"number {i}" for i in range(6)]


def ask(widget, **request):
    sent = []
    widget.send = lambda content, buffers=None: sent.append((content, buffers or []))
    widget._on_message(widget, {"id": "7-abc", **request}, [])
    assert len(sent) == 1
    return sent[0]


def test_of_a_large_one_the_page_asks_for_rows_and_orders():
    relevance = made(25_000, 20, masked=True)
    true = np.arange(25_000) % 3 % 2
    widget = lw.RelevanceHeatmap(relevance, targets=true)
    assert widget._whole == b""
    order = {"sort": "most_confident", "predicted": 1, "outcome": "wrong", "search": "not good"}
    reply, buffers = ask(widget, order=order, rows=[24_999, 3, 17])
    assert (reply["id"], reply["order"], reply["rows"]) == ("7-abc", order, [24_999, 3, 17])
    chosen = np.frombuffer(buffers[0], "<u4")
    tokens, mask = relevance["token"].values, relevance["mask"].values
    wanted = [
        k
        for k in range(25_000)
        if k % 2 == 1 and true[k] == 0 and "not good" in " ".join(tokens[k][mask[k]])
    ]
    assert sorted(chosen) == wanted
    assert (np.diff(relevance["confidence"].values[chosen]) <= 0).all()
    found = unpacked(reply, buffers[1], widget._summary, 3)
    rows = [24_999, 3, 17]
    np.testing.assert_array_equal(found["relevance"], relevance["relevance"].values[:, rows])
    assert (found["tokens"] == tokens[rows]).all()
    # Either alone, and what no page asks for.
    assert ask(widget, order=None, rows=[5])[0]["table"]
    assert len(ask(widget, order=order, rows=[])[1]) == 1
    for broken in ({"rows": [25_000]}, {"rows": ["x"]}, {"order": {"by": 1}}, {"order": 3}):
        reply, _ = ask(widget, **{"order": None, "rows": [], **broken})
        assert reply["id"] == "7-abc"
        assert reply["error"]


def test_tokens_that_are_no_text_are_sent_as_text():
    tokens = [["<img src=x onerror=alert(1)>", "\ud800", "\u202e", ""]] * 2
    relevance = dataset(tokens, np.zeros((2, 2, 4)), labels=["\udc00", "</script>"])
    widget = lw.RelevanceHeatmap(relevance, class_names={0: "\ud800"}, search="\ud800")
    assert widget._text["table"] == ["<img src=x onerror=alert(1)>", "\ufffd", "\u202e", ""]
    json.dumps(widget.get_state(["_text", "_summary"]), ensure_ascii=False).encode()
    assert widget.shown.tolist() == [0, 1]
    assert widget._png()


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (1, 1)])
def test_nothing_and_nearly_nothing(shape):
    count, steps = shape
    values = np.zeros((1, *shape), np.float32)
    coords = {"method": ["lrp"]}
    relevance = xr.Dataset({"relevance": (("method", "example", "timestep"), values)}, coords)
    widget = lw.RelevanceHeatmap(relevance, search="a" if count else "")
    assert widget.shown.size == 0
    assert widget._png()
    assert widget._whole or count * steps == 0


def test_it_becomes_a_page(tmp_path, monkeypatch):
    relevance = made(4000, 50, masked=True)
    widget = lw.RelevanceHeatmap(relevance, recording=recording(4000, 50), exploring=True)
    assert not widget._whole
    state, missing, *_ = widget._file_state()
    assert (state["_explorer"], state["exploring"], missing) == (None, False, ["the recording"])
    found = unpacked(state["_text"], state["_whole"], widget._summary, 4000)
    np.testing.assert_array_equal(found["relevance"], relevance["relevance"].values)
    widget.save_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "<title>Relevance heatmap</title>" in page
    assert "Not in this file, but in the notebook: the recording." in page
    monkeypatch.setattr(export, "FILE_BYTES", 1000)
    with pytest.raises(ValueError, match=r"save_html.*MiB.*isel"):
        widget.save_html(tmp_path / "other.html")


# -- the Explorer --------------------------------------------------------------------------------------


def recording(count=6, steps=4, *, more=None):
    rng = np.random.default_rng(1)
    shapes = {"lstm": (count, steps, 3)} | (more or {})
    layers = [
        RecordedLayer(name, "LSTM", {"hidden_state": rng.normal(size=shape).astype(np.float32)})
        for name, shape in shapes.items()
    ]
    return Recording.from_layers(layers)


def test_an_explorer_is_made_when_it_is_asked_for_and_follows():
    widget = lw.RelevanceHeatmap(made(), recording=recording(), example=4, timestep=3)
    assert widget._explorer is None
    widget.exploring = True
    explorer = widget._explorer
    assert isinstance(explorer, lw.Explorer)
    assert widget.explorer is explorer
    assert (explorer.example, explorer.timestep) == (4, 3)
    widget.example, widget.timestep = 2, 1
    assert (explorer.example, explorer.timestep) == (2, 1)
    explorer.example, explorer.timestep = 5, 0
    assert (widget.example, widget.timestep) == (5, 0)
    assert lw.RelevanceHeatmap(made(), recording=recording(), exploring=True)._explorer is not None


def test_an_explorer_is_made_beforehand_where_none_can_be_made_later(request):
    class Plain:
        """What a host that is not Jupyter's talks through; it makes widgets only while a cell runs."""

        kernel = object()

        def __init__(self):
            self.comm_id = uuid4().hex

        def on_msg(self, _call):
            pass

        def send(self, *_args, **_options):
            pass

        def close(self, *_args, **_options):
            pass

    def opened(widget):
        assert running
        widget.comm = Plain()

    if hasattr(ipywidgets.Widget.comm, "klass"):  # ipywidgets 7 is for no host but Jupyter's
        with pytest.raises(TraitError, match="comm"):
            lw.RelevanceHeatmap(made()).comm = Plain()
        return
    running = True
    ipywidgets.Widget.on_widget_constructed(opened)
    request.addfinalizer(lambda: ipywidgets.Widget.on_widget_constructed(None))
    widget = lw.RelevanceHeatmap(made(), recording=recording(), example=4)
    without = lw.RelevanceHeatmap(made())
    running = False
    widget.set_state({"exploring": True})
    without.set_state({"exploring": True})
    assert isinstance(widget._explorer, lw.Explorer)
    assert widget.explorer.example == 4
    assert without._explorer is None


def test_timesteps_are_linked_where_they_are_the_same():
    both = recording(more={"pooled": (6, 2, 3)})
    widget = lw.RelevanceHeatmap(made(), recording=both, example=4, timestep=3)
    assert widget.explorer.layer == "lstm"
    widget.explorer.layer = "pooled"  # which moves its own selection to a timestep that it has
    assert (widget.explorer.timestep, widget.timestep) == (1, 3)
    widget.example, widget.timestep = 1, 2
    assert (widget.explorer.example, widget.explorer.timestep) == (1, 1)
    widget.explorer.timestep = 0
    assert widget.timestep == 2


def test_without_a_recording_it_says_what_is_missing():
    widget = lw.RelevanceHeatmap(made(), exploring=True)
    assert widget._explorer is None
    assert widget._summary["recording"] == "missing"
    with pytest.raises(ValueError, match=r"explorer.*recording=lw\.record"):
        _ = widget.explorer


# -- the still picture ---------------------------------------------------------------------------------


def test_a_band_has_the_colours_of_its_values():
    values = np.array([-2, -0.5, 0, 1, 2, 3, np.nan, np.inf])

    def check(band, largest, palette, position, marks):
        colours, found = band.look(values, largest)
        known = ~np.isnan(position)
        wanted = 255 * mpl.colormaps[palette](np.clip(position[known], 0, 1))[:, :3]
        assert np.abs(colours[known].astype(float) - wanted).max() < 4
        assert found.tolist() == marks

    place = np.where(np.isnan(values), np.nan, values)
    check(Band("lrp", 9), 3, "RdBu_r", (place / 3 + 1) / 2, [0, 0, 0, 0, 0, 0, 1, 2])
    check(Band("lrp", 9, scale="all"), 3, "RdBu_r", (place / 9 + 1) / 2, [0] * 6 + [1, 2])
    fixed = (place + 1) / 2
    check(Band("lrp", 9, scale=(-1, 1)), 3, "RdBu_r", fixed, [2, 0, 0, 0, 2, 2, 1, 2])
    # What has no sign begins at zero; below zero it can't be.
    check(Band("sensitivity", 9), 3, "Purples", place / 3, [2, 2, 0, 0, 0, 0, 1, 2])
    check(Band("sensitivity", 9, "vik"), 3, *half("vik", place / 3), [2, 2, 0, 0, 0, 0, 1, 2])
    check(Band("sensitivity", 9, scale=(-1, 2)), 3, "Purples", place / 2, [2, 2, 0, 0, 0, 2, 1, 2])
    assert Band("sensitivity", 9, scale=(-2.0, -1.0)).range(1) == (-2, -1)
    # Where all is zero, zero has its colour.
    assert Band("lrp", 0).look([0.0], 0)[0].tolist() == [[247, 246, 246]]
    assert Band("sensitivity", 0).look([0.0], 0)[0].tolist() == [[252, 251, 253]]


def half(name, position):
    """The upper half of a palette of ours that Matplotlib doesn't have, registered for the test."""
    from lstm_widgets.colours import TABLE  # noqa: PLC0415

    colours = [f"#{colour}" for colour in TABLE[name]["colours"].split()]
    made = mpl.colors.LinearSegmentedColormap.from_list("half", colours, 1024)
    upper = mpl.colors.ListedColormap(made(np.linspace(0.5, 1, 512)), "upper_half")
    mpl.colormaps.register(upper, force=True)
    return "upper_half", position


def test_the_picture_shows_the_selected_example():
    relevance = made(200, 3)
    relevance["relevance"].values[:] = 0
    relevance["relevance"].values[0, 150] = (-1, 0.5, 1)
    widget = lw.RelevanceHeatmap(relevance, example=150, timestep=1, all_methods=False)

    def drawn():
        """The colours above the foot, where the legend is."""
        return {tuple(c) for c in widget._still()[:-48].reshape(-1, 3).tolist()}

    colours = drawn()
    for position in (0, 0.75, 1):
        wanted = 255 * np.array(mpl.colormaps["RdBu_r"](position)[:3])
        assert min(np.abs(np.array(c) - wanted).max() for c in colours) < 4, position
    # Filtered away, it is gone.
    widget.predicted = 1
    colours = drawn()
    darkest = 255 * np.array(mpl.colormaps["RdBu_r"](0)[:3])
    assert min(np.abs(np.array(c) - darkest).max() for c in colours) > 4
