"""What relevance, dependency and curves read, how they are checked, and where they doubt themselves."""

import warnings

import keras
import numpy as np
import pytest
import xarray as xr
from keras import layers as L

import lstm_widgets as lw
from lstm_widgets import SelfCheckError
from lstm_widgets.models.keras.own_loop import OwnLoop
from lstm_widgets.rnn.comparison import CHECKED_TIMESTEPS
from lstm_widgets.views.examples import Examples

SYMBOLS, TEXT, WINDOW = "_abcdef", "abcfedabba", 4
EXPLAINING = {
    "relevance": lw.relevance,
    "dependency": lw.dependency,
    "curve": lambda model, ids, **options: lw.deletion_curve(
        model, ids, lw.relevance(model, ids, methods="sensitivity", check=False), **options
    ),
}


def classifier(*, length=None, masked=False, over_time=False, scale=0.5):
    rng = np.random.default_rng(3)
    model = keras.Sequential(
        [
            keras.Input((length,)),
            L.Embedding(len(SYMBOLS), 3, mask_zero=masked),
            L.LSTM(5, return_sequences=over_time, name="lstm"),
            L.Dense(len(SYMBOLS), activation="softmax"),
        ]
    )
    model.set_weights([rng.normal(size=w.shape) * scale for w in model.get_weights()])
    return model


def ids_of(text):
    return np.array([SYMBOLS.index(c) for c in text])


def windows_of(text, pad):
    rows = [*[pad] * (WINDOW - 1), *text]
    return [rows[k : k + WINDOW] for k in range(len(text))]


# Windows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [None, WINDOW])
def test_each_window_of_a_text_is_an_example(length):
    model = classifier(length=length)
    found = lw.relevance(model, TEXT, window=WINDOW, pad="_", vocabulary=SYMBOLS)
    windows = windows_of(TEXT, "_")
    alone = lw.relevance(model, np.array([ids_of(row) for row in windows]))
    np.testing.assert_allclose(found.relevance, alone.relevance, atol=1e-6)
    assert found.end.values.tolist() == list(range(len(TEXT)))
    padding = np.array(windows) == "_"
    np.testing.assert_array_equal(found["mask"], ~padding)
    expected = np.where(padding, "", np.array(windows))
    np.testing.assert_array_equal(found.token, expected)
    # Without padding the first windows end later.
    fewer = lw.relevance(model, TEXT, window=WINDOW, vocabulary=SYMBOLS)
    assert fewer.end.values.tolist() == list(range(WINDOW - 1, len(TEXT)))
    np.testing.assert_allclose(fewer.relevance, found.relevance[:, WINDOW - 1 :], atol=1e-6)
    assert "mask" not in fewer


def test_a_curve_is_over_the_windows_of_its_relevance():
    model, options = classifier(), {"window": WINDOW, "pad": "_", "vocabulary": SYMBOLS}
    found = lw.relevance(model, TEXT, methods="sensitivity", **options)
    curve = lw.deletion_curve(model, TEXT, found, limit=2, **options)
    np.testing.assert_allclose(curve.sel(removed=0)[0], found.score, atol=1e-6)
    assert np.isnan(curve[0, 0, 2])  # the first window has one token
    with pytest.raises(ValueError, match="inputs: expected 10 windows, got 7"):
        lw.deletion_curve(model, TEXT, found, **options | {"pad": None})
    with pytest.raises(ValueError, match="tokens: expected None, because a curve has no tokens"):
        lw.deletion_curve(model, TEXT, found, tokens=TEXT, **options)


@pytest.mark.parametrize("options", [{"window": 0}, {"window": 20}, {"pad": "_"}])
def test_windows_that_cannot_be_are_refused(options):
    with pytest.raises(ValueError, match=r"window: |pad: |at: |inputs: "):
        lw.relevance(classifier(), TEXT, vocabulary=SYMBOLS, **options)


# The check ----------------------------------------------------------------------------------------


@pytest.fixture
def wrong(monkeypatch):
    """A layer that computes something else than its weights say, by 1e-3."""
    own = OwnLoop.__call__

    def other(self, *arguments, **options):
        outputs, states = own(self, *arguments, **options)
        return outputs + 1e-3, [state + 1e-3 for state in states]

    monkeypatch.setattr(OwnLoop, "__call__", other)


@pytest.mark.usefixtures("wrong")
@pytest.mark.parametrize("check", ["prefix", "full"])
@pytest.mark.parametrize("name", EXPLAINING)
def test_what_a_layer_does_not_do_is_refused_unless_it_is_asked_for(name, check):
    run, model = EXPLAINING[name], classifier(masked=True)
    ids = np.random.default_rng(0).integers(1, 7, (3, 40))
    ids[1, 20:] = ids[2, :30] = 0
    with pytest.raises(
        SelfCheckError, match=r"^layer 'lstm': .* differs by 0.001 .*tolerance="
    ) as e:
        run(model, ids, check=check)
    assert "Exception encountered" not in str(e.value)
    run(model, ids, check=check, tolerance=2e-3)
    run(model, ids, check=False)


@pytest.mark.parametrize("name", EXPLAINING)
def test_how_to_check_is_said(name):
    ids = np.ones((1, 3), int)
    with pytest.raises(ValueError, match="check: expected 'prefix', 'full' or False, got 'some'"):
        EXPLAINING[name](classifier(), ids, check="some")
    with pytest.raises(ValueError, match="tolerance: expected a positive number, got 0"):
        EXPLAINING[name](classifier(), ids, tolerance=0)


def test_of_a_long_text_a_beginning_is_run_by_the_layer_itself(monkeypatch):
    own, read = OwnLoop.__call__, []

    def noted(self, x, *arguments, **options):
        read.append(int(x.shape[1]))
        return own(self, x, *arguments, **options)

    monkeypatch.setattr(OwnLoop, "__call__", noted)
    model = classifier(over_time=True)
    ids = np.random.default_rng(0).integers(1, 7, 500)
    short = lw.dependency(model, ids, at=[499])
    assert read
    assert max(read) <= CHECKED_TIMESTEPS
    assert short.shape == (1, 1, 500)
    lw.dependency(model, ids, at=[499], check="full")
    assert max(read) == 500


# Doubt --------------------------------------------------------------------------------------------


def test_relevance_says_where_it_does_not_add_up():
    model, ids = classifier(scale=0.7), np.random.default_rng(1).integers(1, 7, (6, 5))
    weights = model.get_weights()
    weights[-1] = np.full_like(weights[-1], 30.0)  # the score is nearly all bias
    model.set_weights(weights)
    with pytest.warns(UserWarning, match=r"for 6 of 6 examples .* by 'lrp' doesn't add up") as seen:
        found = lw.relevance(model, ids)
    assert seen[0].filename == __file__
    assert found.doubtful.loc["lrp"].all()
    assert not found.doubtful.loc["sensitivity"].any()
    # The page is told which methods' bands to mark, example by example.
    assert Examples(found).rows([0, 4])[0]["doubtful"] == [[0], [0]]
    assert Examples(found.drop_vars("doubtful")).rows([0])[0]["doubtful"] is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = lw.relevance(model, ids, methods="lrp", bias_factor=1)
    assert not found.doubtful.any()
    with pytest.warns(UserWarning, match="by 'integrated_gradients' .*more steps= are needed"):
        found = lw.relevance(classifier(scale=3.0), ids, methods="integrated_gradients", steps=1)
    doubtful = found.doubtful.loc["integrated_gradients"]
    gap = np.abs(found.gap.loc["integrated_gradients"])
    assert (
        gap[doubtful].min()
        > 0.1 * np.abs(found.relevance.loc["integrated_gradients"])[doubtful].sum("timestep").min()
    )


def test_doubt_of_examples_of_several_lengths_stays_with_them():
    model = classifier(scale=2.0)
    rows = [[1, 2, 3], [4, 5, 6, 1, 2], [3, 3, 1]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        together = lw.relevance(model, rows, methods=["lrp", "integrated_gradients"], steps=2)
        alone = [
            lw.relevance(model, [row], methods=["lrp", "integrated_gradients"], steps=2)
            for row in rows
        ]
    expected = xr.concat([one.doubtful for one in alone], "example")
    np.testing.assert_array_equal(together.doubtful, expected)
