"""How relevance is held against the truth: equal to plain loops over sentences and words."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import xarray as xr
from keras import layers as L

import lstm_widgets as lw

RNG = np.random.default_rng(0)


def shaken(model):
    model.set_weights([RNG.normal(size=w.shape) * 0.7 for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def reader():
    """A network that reads ids and passes over padding, and ends in logits."""
    return shaken(
        keras.Sequential(
            [
                keras.Input((None,), dtype="int32"),
                L.Embedding(12, 4, mask_zero=True),
                L.LSTM(5),
                L.Dense(3),
            ]
        )
    )


IDS = RNG.integers(1, 12, (7, 6))
IDS[1, 4:] = IDS[2, :3] = IDS[3, 1:] = IDS[4] = 0  # the fifth is all padding
METHODS = ["lrp", "gradient_x_input"]


def given(values, mask=None):
    """Relevance as if a method had found it."""
    values = np.asarray(values, float)
    variables = {
        "relevance": (("method", "example", "timestep"), values),
        "score": ("example", np.zeros(values.shape[1])),
    }
    if mask is not None:
        variables["mask"] = (("example", "timestep"), np.asarray(mask))
    return xr.Dataset(variables, {"method": [f"m{k}" for k in range(len(values))]})


# The pointing game --------------------------------------------------------------------------------


def test_the_pointing_game_by_hand():
    nan = np.nan
    relevance = given(
        [
            [[1, 3, 2], [-1, -3, -2], [2, 2, 0], [0, 0, 0], [1, nan, 2], [1, 2, 9], [1, 2, 3]],
            [[3, 1, 2], [-3, -2, -1], [2, 2, 2], [1, 0, 0], [1, 0, 2], [1, 2, nan], [1, 2, 3]],
        ],
        mask=[[1, 1, 1]] * 5 + [[1, 1, 0]] + [[0, 0, 0]],
    ).assign(mask=lambda d: d.mask.astype(bool))
    truth = np.array(
        [[0, 1, 0], [1, 0, 0], [1, 0, 0], [0, 1, 1], [0, 0, 1], [0, 1, 1], [1, 1, 1]], bool
    )
    hit = lw.pointing_game(relevance, truth)
    assert hit.dims == ("method", "example")
    assert hit.name == "hit"
    np.testing.assert_array_equal(
        hit,
        [
            [1, 1, 1 / 2, 2 / 3, nan, 1, nan],
            [0, 0, 1 / 3, 0, 1, 1, nan],
        ],
    )
    # Where nothing matters there is no game; what is at padding doesn't matter.
    nothing = np.zeros_like(truth)
    nothing[5, 2] = True
    assert np.isnan(lw.pointing_game(relevance, nothing)).all()


def test_the_pointing_game_is_that_of_a_loop(reader):
    tokens = [[f"{k}" for k in row] for row in IDS]
    relevance = lw.relevance(reader, IDS, methods=METHODS, tokens=tokens, labels=list("abcdefg"))
    truth = RNG.random(IDS.shape) < 0.4
    truth[0] = False
    hit = lw.pointing_game(relevance, truth)
    assert hit.label.values.tolist() == list("abcdefg")
    assert "token" not in hit.coords
    for m, method in enumerate(METHODS):
        for k, ids in enumerate(IDS):
            real = np.flatnonzero(ids)
            if not truth[k, real].any():
                assert np.isnan(hit[m, k])
                continue
            best = max(real, key=lambda t: float(relevance.relevance[m, k, t]))
            assert hit.loc[method][k] == truth[k, best]


def test_what_is_no_game_is_refused():
    relevance = given([[[1, 2, 3]]])
    with pytest.raises(TypeError, match=r"relevance: expected the dataset that .* got DataArray"):
        lw.pointing_game(relevance.relevance, [[True, False, True]])
    with pytest.raises(TypeError, match="truth: expected bool, got dtype int64"):
        lw.pointing_game(relevance, np.array([[1, 0, 1]]))
    with pytest.raises(ValueError, match=r"truth: expected shape \(1, 3\) .* got \(1, 2\)"):
        lw.pointing_game(relevance, [[True, False]])


# The deletion curve -------------------------------------------------------------------------------


def by_loop(score, ids, values, most, gone):
    """One sentence: its scores as one word after the other goes."""
    real = [t for t in range(len(ids)) if ids[t] != 0]
    order = sorted(real, key=lambda t: -values[t])  # of equal ones the earlier goes first
    return [score(gone(ids, order[:k])) if k <= len(real) else np.nan for k in range(most + 1)]


@pytest.mark.parametrize(("replace_with", "batch_size"), [("zero", 3), (0, 40), (5, None)])
def test_the_deletion_curve_is_that_of_a_loop(reader, replace_with, batch_size):
    targets = [0, 1, 2, 0, 1, 2, 1]
    relevance = lw.relevance(reader, IDS, methods=METHODS, target=targets, labels=list("abcdefg"))
    curve = lw.deletion_curve(
        reader, IDS, relevance, limit=5, replace_with=replace_with, batch_size=batch_size
    )
    assert curve.dims == ("method", "example", "removed")
    assert curve["method"].values.tolist() == [*METHODS, "random"]
    assert curve["removed"].values.tolist() == [0, 1, 2, 3, 4, 5]
    assert curve.label.values.tolist() == list("abcdefg")
    embedding, lstm, dense = reader.layers

    def without(ids, gone):
        if replace_with == "zero":
            vectors = np.array(embedding(ids[None]))
            vectors[0, gone] = 0
            return dense(lstm(vectors, mask=(ids != 0)[None]))
        changed = ids.copy()
        changed[gone] = replace_with
        return reader(changed[None])

    for m in range(2):
        for k, target in enumerate(targets):
            expected = by_loop(
                lambda out, target=target: float(out[0, target]),
                IDS[k],
                relevance.relevance.values[m, k],
                5,
                without,
            )
            np.testing.assert_allclose(curve[m, k], expected, atol=1e-5)


def test_random_order_follows_from_the_seed_and_is_one_of_all_orders(reader):
    relevance = lw.relevance(reader, IDS, methods="lrp")
    curves = [lw.deletion_curve(reader, IDS, relevance, limit=6, seed=s)[1] for s in (1, 1, 2)]
    np.testing.assert_array_equal(curves[0], curves[1])
    assert (np.abs(curves[0] - curves[2]).max("removed") > 1e-3).any()
    # The end is the same, whatever the order; at the start it is the score.
    np.testing.assert_allclose(curves[0][:, 0], relevance.score, atol=1e-6)
    np.testing.assert_allclose(curves[0][0, 6], curves[2][0, 6], atol=1e-5)
    # After one word, it is the score without one of them.
    single = lw.relevance(reader, IDS[:1], methods="occlusion").relevance[0, 0].values
    fallen = float(relevance.score[0] - curves[0][0, 1])
    assert np.abs(single - fallen).min() < 1e-5


def test_relevance_that_is_nan_has_no_curve_and_equal_ones_go_from_the_left(reader):
    relevance = lw.relevance(reader, IDS, methods=METHODS)
    relevance.relevance[0, 0, 2] = np.nan
    relevance.relevance[0, 5] = 1.0
    curve = lw.deletion_curve(reader, IDS, relevance, limit=2, replace_with=0)
    assert np.isnan(curve[0, 0]).all()
    assert not np.isnan(curve[1:, 0]).any()
    target = int(relevance.target[5])
    for k in range(3):
        ids = IDS[[5]].copy()
        ids[0, :k] = 0
        np.testing.assert_allclose(curve[0, 5, k], reader(ids)[0, target], atol=1e-5)


def test_vectors_and_outputs_over_time():
    model = shaken(
        keras.Sequential(
            [
                keras.Input((5, 3)),
                L.GRU(4, return_sequences=True),
                L.Dense(1, activation="sigmoid"),
            ]
        )
    )
    x = RNG.normal(size=(3, 5, 3))
    relevance = lw.relevance(model, x, methods="sensitivity")
    curve = lw.deletion_curve(model, x, relevance, limit=2)
    for k in range(3):
        gone = x[[k]].copy()
        gone[0].flat[relevance.relevance.values[0, k].ravel().argsort()[-2:]] = 0
        p = float(np.asarray(model(gone))[0, -1, 0])
        np.testing.assert_allclose(curve[0, k, 2], np.log(p / (1 - p)), atol=1e-4)
    early = lw.relevance(model, x, methods="sensitivity", at=1)
    with pytest.raises(ValueError, match="relevance: expected that of this model and these inputs"):
        lw.deletion_curve(model, x, early)
    curve = lw.deletion_curve(model, x, early, limit=1, at=1)
    np.testing.assert_allclose(curve[0, :, 0], early.score, atol=1e-5)
    for k in range(3):
        gone = x[[k]].copy()
        gone[0].flat[early.relevance.values[0, k].argmax()] = 0
        p = float(np.asarray(model(gone))[0, 1, 0])
        np.testing.assert_allclose(curve[0, k, 1], np.log(p / (1 - p)), atol=1e-4)
    each = lw.relevance(model, x, methods="sensitivity", at=[1, -1, 2])
    curve = lw.deletion_curve(model, x, each, limit=1, at=[1, -1, 2], batch_size=2)
    np.testing.assert_allclose(curve[0, :, 0], each.score, atol=1e-5)
    with pytest.raises(ValueError, match="at: expected one for all examples or one for each of 3"):
        lw.deletion_curve(model, x, each, at=[1, 2])
    with pytest.raises(ValueError, match="replace_with: expected no id, because"):
        lw.deletion_curve(model, x, relevance, replace_with=0)


def test_what_does_not_fit_is_refused(reader):
    relevance = lw.relevance(reader, IDS, methods="lrp")
    for options, message in (
        ({"limit": 0}, "limit: expected a positive whole number, got 0"),
        ({"replace_with": -1}, "replace_with: expected a whole number from 0 on, got -1"),
        ({"replace_with": "mean"}, "replace_with: expected 'zero' or an id, because what 'embed"),
        (
            {"replace_with": "blocks"},
            "replace_with: expected 'zero', 'mean' or an id, got 'blocks'",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            lw.deletion_curve(reader, IDS, relevance, **options)
    with pytest.raises(ValueError, match="inputs: expected 7 examples, got 6"):
        lw.deletion_curve(reader, IDS[:6], relevance)
    with pytest.raises(ValueError, match="relevance: expected that of this model and these inputs"):
        lw.deletion_curve(reader, IDS[::-1].copy(), relevance)
    cell = lw.relevance(reader, IDS, methods="lrp", layer=reader.layers[1].name, cell=2)
    with pytest.raises(ValueError, match="expected that of an output, got that of cell 2 of layer"):
        lw.deletion_curve(reader, IDS, cell)
