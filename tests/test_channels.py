"""Relevance of a series is that of its channels: held against what was planted, algebra and loops."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers as L

import lstm_widgets as lw
from lstm_widgets.models.keras.explained import Explained

RNG = np.random.default_rng(7)
#: What matters: rain of 3 timesteps before, cold of 10 before; wind doesn't.
CHANNELS, LAGS, WEIGHTS = ("rain", "cold", "wind"), (3, 10), (2.0, -1.5)
METHODS = ("lrp", "sensitivity", "gradient_x_input", "integrated_gradients", "occlusion")


def planted(timesteps=None, *, over_time=False):
    """A network whose forecast is 2 × rain 3 timesteps before − 1.5 × cold 10 timesteps before.

    Its cells hand on what the one before them was, so that each is a lag of one channel.
    """
    count = sum(LAGS) + 2
    kernel, recurrent, readout = np.zeros((3, count)), np.zeros((count, count)), np.zeros(count)
    first = 0
    for channel, (lag, weight) in enumerate(zip(LAGS, WEIGHTS, strict=True)):
        kernel[channel, first] = 1
        for k in range(first, first + lag):
            recurrent[k, k + 1] = 1
        readout[first + lag] = weight
        first += lag + 1
    model = keras.Sequential(
        [
            keras.Input((timesteps, 3)),
            L.SimpleRNN(count, activation="linear", use_bias=False, return_sequences=over_time),
            L.Dense(1, use_bias=False),
        ]
    )
    model.set_weights([kernel, recurrent, readout[:, None]])
    model.compile(loss="mse")
    return model


def trained():
    """Some network with gates, whose weights are random."""
    model = keras.Sequential([keras.Input((6, 3)), L.LSTM(4), L.Dense(2)])
    model.set_weights([RNG.normal(size=w.shape) * 0.8 for w in model.get_weights()])
    model.compile(loss="mse")
    return model


def series(examples=4, timesteps=14):
    return RNG.normal([0.5, -1, 3], size=(examples, timesteps, 3)).astype(np.float32)


def of_what_counts(x):
    """Relevance that what was planted has for the last forecast, if all of a value is its share."""
    expected = np.zeros_like(x)
    for channel, (lag, weight) in enumerate(zip(LAGS, WEIGHTS, strict=True)):
        expected[:, -1 - lag, channel] = weight * x[:, -1 - lag, channel]
    return expected


def test_every_method_finds_the_channel_and_the_lag_that_were_planted():
    model, x = planted(), series()
    found = lw.relevance(model, x, methods=METHODS, bias_factor=1, epsilon=1e-9)
    assert found.relevance.dims == ("method", "example", "timestep", "channel")
    expected = of_what_counts(x)
    for method in METHODS:
        values = found.relevance.loc[method]
        wanted = expected
        if method == "sensitivity":
            wanted = np.zeros_like(x)
            for channel, (lag, weight) in enumerate(zip(LAGS, WEIGHTS, strict=True)):
                wanted[:, -1 - lag, channel] = weight**2
        np.testing.assert_allclose(values, wanted, atol=1e-5, err_msg=method)
    np.testing.assert_allclose(found.score, expected.sum((1, 2)), atol=1e-5)
    # A forecast of each timestep: what counts moves along.
    early = lw.relevance(planted(over_time=True), x, methods="gradient_x_input", at=11)
    np.testing.assert_allclose(early.relevance[0, :, :12], of_what_counts(x[:, :12]), atol=1e-5)
    assert (early.relevance[0, :, 12:] == 0).all()


def test_relevance_of_channels_adds_up_to_that_of_timesteps():
    model, x = trained(), series(5, 6)
    # Of vectors that stand for tokens, the dimensions are summed over.
    options = {"methods": METHODS[:4], "bias_factor": 0.5, "target": 1}
    found = lw.relevance(model, x, **options)
    summed = lw.relevance(model, x, tokens=[list("abcdef")] * 5, **options)
    assert summed.relevance.dims == ("method", "example", "timestep")
    np.testing.assert_allclose(found.relevance.sum("channel"), summed.relevance, atol=1e-5)
    for name in ("score", "elsewhere", "gap"):
        np.testing.assert_allclose(found[name], summed[name], atol=1e-5)
    each = lw.relevance(model, x, tokens=[list("abcdef")] * 5, per_dimension=True, **options)
    np.testing.assert_allclose(found.relevance, each.relevance_per_dimension, atol=1e-6)


def test_relevance_of_channels_is_conserved_complete_and_that_of_differences():
    model, x = trained(), series(3, 6)
    found = lw.relevance(model, x, methods=METHODS, bias_factor=1, target=0, steps=60)
    total = found.relevance.sum(["timestep", "channel"])
    score, nothing = (np.asarray(model(each))[:, 0] for each in (x, np.zeros_like(x)))
    np.testing.assert_allclose(total.loc["lrp"] + found.elsewhere.loc["lrp"], score, atol=1e-4)
    np.testing.assert_allclose(total.loc["integrated_gradients"], score - nothing, atol=1e-4)
    width = 1e-2
    moves = np.eye(18, dtype=np.float32).reshape(18, 1, 6, 3) * width
    up, down = (
        np.asarray(model((x + sign * moves).reshape(-1, 6, 3)))[:, 0].reshape(18, 3)
        for sign in (1, -1)
    )
    slopes = ((up - down) / (2 * width)).T.reshape(3, 6, 3)
    np.testing.assert_allclose(found.relevance.loc["gradient_x_input"], slopes * x, atol=2e-3)
    np.testing.assert_allclose(found.relevance.loc["sensitivity"], slopes**2, atol=2e-3)


@pytest.mark.parametrize("batch_size", [None, 2])
def test_occlusion_replaces_a_stretch_of_a_channel(batch_size):
    model, x = trained(), series(3, 6)
    score = lambda x: np.asarray(model(x))[:, 1]
    means = x.mean((0, 1))
    for what, other in (("zero", np.zeros(3)), ("mean", means)):
        found = lw.relevance(
            *(model, x),
            methods="occlusion",
            target=1,
            replace_with=what,
            stretch=4,
            batch_size=batch_size,
        )
        for channel in range(3):
            for start, stop in ((0, 2), (2, 6)):  # counted from the last one
                without = x.copy()
                without[:, start:stop, channel] = other[channel]
                fall = (score(x) - score(without)) / (stop - start)
                values = found.relevance[0, :, start:stop, channel]
                np.testing.assert_allclose(values, np.stack([fall] * (stop - start), 1), atol=1e-5)


def test_blocks_are_other_stretches_of_the_same_channel():
    model, x = planted(), series()
    one = lw.relevance(model, x, methods="occlusion", replace_with="blocks", draws=1)
    for channel, (lag, weight) in enumerate(zip(LAGS, WEIGHTS, strict=True)):
        own = x[:, -1 - lag, channel]
        other = own - one.relevance[0, :, -1 - lag, channel].to_numpy() / weight
        for mine, taken in zip(own, other, strict=True):
            distance = np.abs(x[..., channel] - taken)
            assert distance.min() < 1e-5  # it is a value of the channel
            assert abs(mine - taken) > 1e-4  # another one
    counted = np.delete(one.relevance[0].to_numpy(), [14 - 1 - lag for lag in LAGS], axis=1)
    np.testing.assert_allclose(counted, 0, atol=1e-6)
    # Which rows run together doesn't matter; many draws come near the mean.
    again = lw.relevance(
        model, x, methods="occlusion", replace_with="blocks", draws=1, batch_size=1
    )
    np.testing.assert_allclose(again.relevance, one.relevance, atol=1e-6)
    other = lw.relevance(model, x, methods="occlusion", replace_with="blocks", draws=1, seed=1)
    assert np.abs(other.relevance - one.relevance).max() > 1e-3
    many = lw.relevance(model, x, methods="occlusion", replace_with="blocks", draws=400)
    mean = lw.relevance(model, x, methods="occlusion", replace_with="mean")
    np.testing.assert_allclose(many.relevance, mean.relevance, atol=0.5)


def test_padding_and_missing_values_are_in_no_mean():
    inputs = keras.Input((None, 3))
    hidden = L.LSTM(4)(L.Masking(-9)(inputs))
    model = keras.Model(inputs, L.Dense(1)(hidden))
    model.compile(loss="mse")
    x = series(3, 6)
    x[0, 4:] = -9
    found = lw.relevance(model, x, methods="occlusion", replace_with="mean")
    assert (found.relevance[0, 0, 4:] == 0).all()
    means = np.concatenate([x[0, :4], *x[1:]]).mean(0)
    without = x.copy()
    without[1, 2, 1] = means[1]
    fall = np.asarray(model(x) - model(without))[1, 0]
    np.testing.assert_allclose(found.relevance[0, 1, 2, 1], fall, atol=1e-5)


def test_what_is_no_series_has_no_channels():
    one_hot = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, (2, 6))]
    model = trained()
    assert "channel" not in lw.relevance(model, one_hot, methods="sensitivity").dims
    named = lw.relevance(model, one_hot[0], methods="sensitivity", vocabulary="abc")
    assert named.relevance.dims == ("method", "example", "timestep")
    inner = keras.Sequential([keras.Input((6, 3)), L.Dense(2, name="inner"), L.LSTM(2), L.Dense(1)])
    found = lw.relevance(inner, series(2, 6), methods="sensitivity", source="inner")
    assert "channel" not in found.dims
    for what in ("mean", "blocks"):
        with pytest.raises(ValueError, match="replace_with: expected 'zero' or an id, because"):
            lw.relevance(model, one_hot, methods="occlusion", replace_with=what)
    with pytest.raises(ValueError, match=r"channel 0 has no other block of 6 timesteps"):
        lw.relevance(model, series(1, 6), methods="occlusion", replace_with="blocks", stretch=6)


def test_values_that_count_go_first_in_a_deletion_curve():
    model, x = planted(), series()
    found = lw.relevance(model, x, methods="gradient_x_input")
    for what, other in (("zero", np.zeros(3)), ("mean", x.mean((0, 1)))):
        curve = lw.deletion_curve(model, x, found, limit=3, replace_with=what)
        values = found.relevance[0].to_numpy().reshape(4, -1)
        for k in range(4):
            for gone in range(4):
                without = x[k].copy()
                flat, order = without.reshape(-1), np.argsort(-values[k], kind="stable")[:gone]
                flat[order] = np.tile(other, 14)[order]
                score = float(np.asarray(model(without[None]))[0, 0])
                np.testing.assert_allclose(curve[0, k, gone], score, atol=1e-4)


def test_the_pointing_game_of_a_series_is_about_channels():
    model, x = planted(), np.abs(series())
    found = lw.relevance(model, x, methods=("gradient_x_input", "sensitivity"))
    truth = np.zeros(x.shape, np.bool_)
    truth[:, -1 - LAGS[0], 0] = True
    # The other one that counts speaks against the forecast.
    np.testing.assert_array_equal(lw.pointing_game(found, truth), 1)
    np.testing.assert_array_equal(lw.pointing_game(found, np.roll(truth, 1, axis=2)), 0)
    with pytest.raises(
        ValueError, match=r"truth: expected shape \(4, 14, 3\) \(example, timestep, ch"
    ):
        lw.pointing_game(found, truth.any(axis=2))


def test_series_of_several_lengths_are_read_length_by_length():
    model, long = planted(), series()
    lists = [long[0], long[1][:12], long[2]]
    with pytest.warns(UserWarning, match="length by length"):
        found = lw.relevance(model, lists, methods=("gradient_x_input", "occlusion"))
    np.testing.assert_allclose(
        found.relevance[0, 1, :12], of_what_counts(long[1:2, :12])[0], atol=1e-5
    )
    assert np.isnan(found.relevance[:, 1, 12:]).all()
    with pytest.warns(UserWarning, match="length by length"):
        mean = lw.relevance(model, lists, methods="occlusion", replace_with="mean")
    means = np.concatenate(lists).mean(0)
    expected = [WEIGHTS[0] * (x[-1 - LAGS[0], 0] - means[0]) for x in lists]
    values = [mean.relevance[0, k, len(x) - 1 - LAGS[0], 0] for k, x in enumerate(lists)]
    np.testing.assert_allclose(values, expected, atol=1e-5)
    with pytest.warns(UserWarning, match="length by length"):
        curve = lw.deletion_curve(model, lists, found, limit=1, replace_with="mean")
    np.testing.assert_allclose(curve[0, :, 0], found.score, atol=1e-5)


# Dependency ---------------------------------------------------------------------------------------


def test_dependency_finds_the_channel_and_the_lag_that_were_planted():
    x = series()
    for over_time in (False, True):
        model = planted(over_time=over_time)
        found = lw.dependency(model, x)
        assert found.dims == ("example", "timestep", "lag", "channel")
        assert found.timestep.values.tolist() == (list(range(14)) if over_time else [13])
        assert found.lag.values.tolist() == list(range(14))
        for k, row in enumerate(found.timestep.values):
            expected = np.full((14, 3), np.nan)
            expected[: row + 1] = 0
            for channel, (lag, weight) in enumerate(zip(LAGS, WEIGHTS, strict=True)):
                if lag <= row:
                    expected[lag, channel] = abs(weight)
            for example in range(4):
                np.testing.assert_allclose(found[example, k], expected, atol=1e-6)
    whole = found.mean(["example", "timestep"])
    assert float(whole.sel(lag=3, channel="channel 0")) == pytest.approx(2)


@pytest.mark.parametrize("over_time", [False, True])
@pytest.mark.parametrize("stretch", [1, 4])
def test_occlusion_tells_how_far_a_forecast_moves(over_time, stretch):
    model, x = planted(over_time=over_time), series()
    found = lw.dependency(model, x, method="occlusion", stretch=stretch)
    means = x.mean((0, 1))
    rows = range(14) if over_time else [13]
    assert found.shape == (4, len(rows), 14, 3)
    for k, row in enumerate(rows):
        expected = np.full((4, 14, 3), np.nan)
        expected[:, : row + 1] = 0
        for channel, (lag, weight) in enumerate(zip(LAGS, WEIGHTS, strict=True)):
            if lag > row:
                continue
            first = lag // stretch * stretch  # counted back from the prediction
            moved = np.abs(weight * (x[:, row - lag, channel] - means[channel]))
            expected[:, first : min(first + stretch, row + 1), channel] = moved[:, None]
        np.testing.assert_allclose(found[:, k], expected, atol=1e-5)


def test_occlusion_by_blocks_and_of_windows_is_that_of_each_window():
    model, x = planted(), series(1, 40)[0]
    found = lw.dependency(
        *(model, x), window=14, method="occlusion", replace_with="zero", batch_size=5
    )
    assert found.shape == (1, 27, 14, 3)
    assert found.timestep.values.tolist() == list(range(13, 40))
    for k, row in enumerate(found.timestep.values):
        expected = np.zeros((14, 3))
        for channel, (lag, weight) in enumerate(zip(LAGS, WEIGHTS, strict=True)):
            expected[lag, channel] = abs(weight * x[row - lag, channel])
        np.testing.assert_allclose(found[0, k], expected, atol=1e-5)
    few = lw.dependency(
        *(model, x), window=14, at=[20, -1], method="occlusion", replace_with="blocks", draws=30
    )
    assert few.timestep.values.tolist() == [20, 39]
    for k, row in enumerate((20, 39)):
        for channel, (lag, weight) in enumerate(zip(LAGS, WEIGHTS, strict=True)):
            own = np.abs(weight * (x[row - lag, channel] - x[:, channel]))
            value = float(few[0, k, lag, channel])
            assert abs(value - own.mean()) < 4 * own.std() / np.sqrt(30)
        assert np.count_nonzero(few[0, k]) == 2
    padded = lw.dependency(model, x, window=14, pad="zero", at=[4])
    assert np.isnan(padded[0, 0, 5:]).all()
    np.testing.assert_allclose(padded[0, 0, :5], np.outer(np.arange(5) == 3, [2, 0, 0]), atol=1e-6)


def test_dependency_of_channels_makes_up_that_of_vectors():
    model, x = trained(), series(3, 6)
    found = lw.dependency(model, x, target=1)
    of_tokens = lw.dependency(model, x, target=1, tokens=[list("abcdef")] * 3)
    assert of_tokens.dims == ("example", "timestep", "input_timestep")
    lengths = np.sqrt((found**2).sum("channel"))
    np.testing.assert_allclose(lengths[..., ::-1], of_tokens, atol=1e-5)
    width = 1e-2
    moves = np.eye(18, dtype=np.float32).reshape(18, 1, 6, 3) * width
    up, down = (
        np.asarray(model((x + sign * moves).reshape(-1, 6, 3)))[:, 1].reshape(18, 3)
        for sign in (1, -1)
    )
    slopes = np.abs((up - down) / (2 * width)).T.reshape(3, 6, 3)
    np.testing.assert_allclose(found[:, 0, ::-1], slopes, atol=2e-3)
    for norm, other in (("l2_squared", slopes**2), ("sum_of_roots", np.sqrt(slopes))):
        values = lw.dependency(model, x, target=1, norm=norm)
        np.testing.assert_allclose(values[:, 0, ::-1], other, atol=2e-2)
    largest = lw.dependency(model, x, target=1, normalise=True).max(["lag", "channel"])
    np.testing.assert_allclose(largest, 1, atol=1e-6)


def test_what_reads_on_depends_on_what_comes_later():
    keras.utils.set_random_seed(4)
    model = keras.Sequential(
        [keras.Input((6, 3)), L.Bidirectional(L.GRU(3, return_sequences=True)), L.Dense(1)]
    )
    x = series(2, 6)
    for method in ("gradient", "occlusion"):
        found = lw.dependency(model, x, method=method, at=[2, 4])
        assert found.lag.values.tolist() == list(range(-3, 5))
        assert np.isnan(found.sel(timestep=4, lag=-2)).all()
        assert (found.sel(timestep=2).sel(lag=[-3, 2]) > 0).all()


def test_what_dependency_is_told_of_a_series():
    model, x = planted(), series(2, 14)
    days = np.arange("2003-05-01", "2003-05-15", dtype="M8[D]")
    found = lw.dependency(
        *(model, x),
        method="occlusion",
        times=days,
        channels=CHANNELS,
        units={"rain": "mm", "flow": "m³/s"},
    )
    assert found.channel.values.tolist() == list(CHANNELS)
    assert found.unit.values.tolist() == ["mm", "", ""]
    assert found.attrs["units"] == "m³/s"
    assert found.time.values.tolist() == [days[13].astype("M8[ns]").astype(int)]
    one_hot = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, (2, 14))]
    with pytest.raises(ValueError, match=r"method: expected 'gradient', because what .* no series"):
        lw.dependency(model, one_hot, method="occlusion")
    with pytest.raises(ValueError, match="method: expected one of 'gradient', 'occlusion'; got 'i"):
        lw.dependency(model, x, method="integrated")
    with pytest.warns(UserWarning, match="length by length"):
        several = lw.dependency(model, [x[0], x[1, :12]], channels=CHANNELS)
    assert several.sel(example=1, timestep=11, lag=3, channel="rain") == pytest.approx(2)
    assert np.isnan(several.sel(example=1, timestep=13)).all()


def test_occlusion_keeps_what_is_done_when_interrupted(monkeypatch):
    model, x = planted(), series()
    whole = lw.dependency(model, x, method="occlusion", batch_size=12)
    run, calls = Explained.run, []

    def until(self, *arguments, **options):
        calls.append(options)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return run(self, *arguments, **options)

    monkeypatch.setattr(Explained, "run", until)
    with pytest.warns(UserWarning, match="interrupted: 12 of 42 runs were done"):
        part = lw.dependency(model, x, method="occlusion", batch_size=12)
    # Three runs at a time, four times: the channels of the last four timesteps.
    np.testing.assert_allclose(part[:, :, :4], whole[:, :, :4], atol=1e-6)
    assert np.isnan(part[:, :, 4:]).all()
    calls[:] = [{}] * 4  # before anything is done
    with pytest.raises(KeyboardInterrupt):
        lw.dependency(model, x, method="occlusion", batch_size=12)


@pytest.mark.parametrize("scaling", [(7.0, 3.0), (np.array([7.0]), np.array([3.0]))])
def test_forecasts_in_physical_units(scaling):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((12, 2)), keras.layers.LSTM(3), keras.layers.Dense(1)])
    series = np.random.default_rng(0).normal(size=(4, 12, 2)).astype(np.float32)
    methods = ["lrp", "integrated_gradients", "sensitivity"]
    plain = lw.relevance(model, series, methods=methods)
    told = lw.relevance(
        model, series, methods=methods, target_scaling=scaling, units={"flow": "mm"}
    )
    said = model.predict(series, verbose=0)[:, 0] * 3 + 7
    np.testing.assert_allclose(told["score"], said, rtol=1e-5)
    assert told["score"].attrs["units"] == "mm"
    for method, factor in zip(methods, (3, 3, 9), strict=True):
        np.testing.assert_allclose(
            told["relevance"].loc[method], plain["relevance"].loc[method] * factor, rtol=1e-5
        )
    nothing = model.predict(np.zeros((1, 12, 2), np.float32), verbose=0)[0, 0] * 3 + 7
    shared = told["relevance"].loc["integrated_gradients"].sum(["timestep", "channel"])
    np.testing.assert_allclose(shared, said - nothing, atol=1e-4)


def test_only_forecasts_have_a_scaling():
    model = keras.Sequential(
        [keras.Input((12, 2)), keras.layers.LSTM(3), keras.layers.Dense(2, activation="softmax")]
    )
    with pytest.raises(ValueError, match="target_scaling: expected None"):
        lw.relevance(model, np.zeros((1, 12, 2), np.float32), target_scaling=(0, 1))


def test_dependency_tells_when_each_input_was():
    model, x = planted(), series(2, 40)
    days = np.arange("2003-05-01", "2003-06-10", dtype="M8[D]")
    found = lw.dependency(model, x[0], times=days, window=14, at=[13, 30, 39])
    assert found.time.values.tolist() == days[[13, 30, 39]].astype("M8[ns]").tolist()
    steps = found.timestep.values[:, None] - found.lag.values
    np.testing.assert_array_equal(found.input_time, days[steps])
    # The series has begun on its first day; those of a shorter one have none before.
    early = lw.dependency(model, x[0], times=days, window=14, at=[4], pad="zero").input_time
    assert np.isnat(early.values).sum() == 14 - 5
    # Of several series, each has its own.
    own = np.stack([np.arange(40), 100 + np.arange(40) ** 2])
    each = lw.dependency(model, x, times=own, window=14, at=[13, 20])
    assert each.input_time.dims == ("example", "timestep", "lag")
    np.testing.assert_array_equal(
        each.input_time[1], own[1][each.timestep.values[:, None] - each.lag.values]
    )
    # Where all timesteps are predicted at, that says it all.
    every = lw.dependency(planted(over_time=True), x[:, :14], times=days[:14])
    assert every.sizes["timestep"] == 14
    assert "input_time" not in every.coords


def test_what_was_read_has_its_date_in_the_heatmap_of_dependencies():
    model, x = planted(), series(1, 40)[0]
    days = np.arange("2003-05-01", "2003-06-10", dtype="M8[D]")
    days[20:] += 300
    found = lw.dependency(model, x, times=days, window=14, at=[30, 39])
    widget = lw.DependencyHeatmap(found)
    first, stop = widget._extent["first"], widget._extent["stop"]
    assert (first, stop) == (17, 40)
    assert widget._text_of(0)["times"] == [str(day) for day in days[17:]]
    # Without what was read, as before.
    bare = lw.DependencyHeatmap(found.drop_vars("input_time"))._text_of(0)["times"]
    assert [t for t, label in enumerate(bare, first) if label] == [30, 39]
    numbers = lw.dependency(model, x, times=np.arange(40) / 4, window=14, at=[30])
    assert lw.DependencyHeatmap(numbers)._text_of(0)["times"][:2] == ["4.25", "4.50"]
