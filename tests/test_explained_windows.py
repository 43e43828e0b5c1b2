# Labelled arrays of xarray, not tables of pandas.
# ruff: noqa: PD003, PD004, PD011
"""Relevance, dependency and curves of series that are read in windows: as if these were cut by hand."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers as L

import lstm_widgets as lw
from lstm_widgets.models.keras.explained import Explained
from lstm_widgets.views.examples import Examples

RNG = np.random.default_rng(5)
METHODS = ("lrp", "sensitivity", "gradient_x_input", "integrated_gradients", "occlusion")


def network(outputs: int = 2) -> Any:
    """Make one with gates, whose weights are random."""
    model = keras.Sequential([keras.Input((None, 2)), L.LSTM(3), L.Dense(outputs)])
    model.set_weights([RNG.normal(size=w.shape) * 0.8 for w in model.get_weights()])
    model.compile(loss="mse")
    return model


@pytest.fixture(scope="module")
def model() -> Any:
    return network()


def many_of(lengths: list[int]) -> list[Any]:
    return [RNG.normal(size=(n, 2)).astype(np.float32) for n in lengths]


def as_given(many: list[Any]) -> Any:
    """Stack series of one length."""
    return np.stack(many) if len({len(each) for each in many}) == 1 else many


def cut(many: list[Any], window: int, step: int, pad: float | None) -> tuple[Any, Any, Any]:
    """Cut all windows by hand; tell of which series each is, and where it ends."""
    rows, series, ends = [], [], []
    for k, each in enumerate(many):
        for end in range(0 if pad is not None else window - 1, len(each), step):
            before = [[pad] * 2] * max(0, window - 1 - end)
            rows.append([*before, *each[max(0, end + 1 - window) : end + 1]])
            series.append(k)
            ends.append(end)
    return np.array(rows, np.float32), np.array(series), np.array(ends)


#: Any windows of any series, of one length and of several, some behind padding.
any_windows = given(
    lengths=st.one_of(
        st.lists(st.integers(4, 9), min_size=1, max_size=3),
        st.tuples(st.integers(4, 9), st.integers(1, 3)).map(lambda some: [some[0]] * some[1]),
    ),
    window=st.integers(1, 4),
    step=st.integers(1, 4),
    pad=st.sampled_from([None, 0.5]),
)


@settings(deadline=None, max_examples=12)
@any_windows
def test_relevance_is_that_of_windows_cut_by_hand(
    model: Any, lengths: list[int], window: int, step: int, pad: float | None
) -> None:
    many = many_of(lengths)
    rows, series, ends = cut(many, window, step, pad)
    options: dict[str, Any] = {"target": 1, "steps": 20, "stretch": 2, "bias_factor": 1}
    wanted = lw.relevance(model, rows, methods=METHODS, **options)
    options |= {"window": window, "step": step, "pad": pad}
    found = lw.relevance(model, as_given(many), methods=METHODS, **options)
    for name in ("relevance", "score", "elsewhere", "gap"):
        np.testing.assert_allclose(found[name], wanted[name], atol=1e-5, err_msg=name)
    np.testing.assert_array_equal(found.end, ends)
    if len(many) > 1:
        np.testing.assert_array_equal(found.series, series)
    else:
        assert "series" not in found.coords
    there = ends[:, None] + np.arange(1 - window, 1) >= 0
    assert ("mask" in found) == (not there.all())
    if "mask" in found:
        np.testing.assert_array_equal(found["mask"], there)
    # And what each series has alone.
    for k, each in enumerate(many):
        alone = lw.relevance(model, each, methods=METHODS, **options)
        np.testing.assert_allclose(found.relevance[:, series == k], alone.relevance, atol=1e-5)


@settings(deadline=None, max_examples=12)
@any_windows
def test_dependency_is_that_of_windows_cut_by_hand(
    model: Any, lengths: list[int], window: int, step: int, pad: float | None
) -> None:
    many = many_of(lengths)
    rows, series, ends = cut(many, window, step, pad)
    for options in ({"method": "gradient"}, {"method": "occlusion", "replace_with": "zero"}):
        told: dict[str, Any] = {"target": 1, **options}
        wanted = lw.dependency(model, rows, **told).to_numpy()[:, 0]
        told |= {"window": window, "step": step, "pad": pad}
        found = lw.dependency(model, as_given(many), **told)
        assert found.timestep.values.tolist() == sorted(set(ends.tolist()))
        counted = 0
        for row, k, end in zip(wanted, series, ends, strict=True):
            own = found.sel(example=k, timestep=end)
            real = min(end + 1, window)  # padding has no lag
            np.testing.assert_allclose(own[:real], row[:real], atol=1e-5)
            assert own[real:].isnull().all()
            assert own.target == 1
            counted += own.size
        others = found.where(found.target < 0, drop=False)
        assert others.isnull().all()
        assert int((found.target >= 0).sum()) == len(ends)
        assert counted == len(ends) * window * 2


def fall_of(model: Any, rows: Any, at: tuple[int, int], channel: int, value: float) -> Any:
    """Tell how far outputs fall if a stretch of a channel has another value."""
    without = rows.copy()
    without[:, slice(*at), channel] = value
    return np.asarray(model(rows) - model(without))[:, 0]


@pytest.mark.parametrize("lengths", [[9, 9], [12, 6, 9]])
def test_the_mean_of_a_channel_is_that_of_what_was_there(model: Any, lengths: list[int]) -> None:
    """Of all timesteps of all series, each counted once, and none of what fills them up."""
    many = [each + np.array([5, -3], np.float32) for each in many_of(lengths)]
    means = np.concatenate(many).mean(axis=0)
    rows, series, ends = cut(many, 4, 2, None)
    options: dict[str, Any] = {"window": 4, "step": 2, "target": 0, "replace_with": "mean"}
    found = lw.relevance(model, as_given(many), methods="occlusion", stretch=3, **options)
    depends = lw.dependency(model, as_given(many), method="occlusion", stretch=3, **options)
    for channel in range(2):
        for at in ((0, 1), (1, 4)):
            fall = fall_of(model, rows, at, channel, means[channel])
            for t in range(*at):
                share = found.relevance[0, :, t, channel]
                np.testing.assert_allclose(share, fall / (at[1] - at[0]), atol=1e-5)
                moved = depends.isel(channel=channel, lag=3 - t)
                own = [
                    float(moved.sel(example=k, timestep=end))
                    for k, end in zip(series, ends, strict=True)
                ]
                np.testing.assert_allclose(own, np.abs(fall), atol=1e-5)


def test_occlusion_of_series_of_several_lengths(model: Any) -> None:
    """Without windows each is read as long as it is."""
    many = [each + np.array([5, -3], np.float32) for each in many_of([6, 9, 6, 4])]
    means = np.concatenate(many).mean(axis=0)
    with pytest.warns(UserWarning, match="length by length"):
        found = lw.dependency(model, many, method="occlusion", target=0, stretch=2)
    assert found.example.values.tolist() == [0, 1, 2, 3]
    for k, each in enumerate(many):
        row = found.sel(example=k, timestep=len(each) - 1)
        for channel in range(2):
            for lag in range(len(each)):
                first = len(each) - lag // 2 * 2
                at = (max(0, first - 2), first)
                fall = fall_of(model, each[None], at, channel, means[channel])
                np.testing.assert_allclose(row[lag, channel], np.abs(fall[0]), atol=1e-5)
        assert row[len(each) :].isnull().all()
        assert found.sel(example=k).drop_sel(timestep=len(each) - 1).isnull().all()


@pytest.mark.parametrize("window", [None, 3])
def test_blocks_are_of_what_was_there(window: int | None) -> None:
    """Channels are far from 0, so that padding among them would be seen."""
    summing = keras.Sequential(
        [keras.Input((None, 2)), L.SimpleRNN(1, activation="linear", use_bias=False), L.Dense(1)]
    )
    summing.set_weights([np.ones((2, 1)), np.ones((1, 1)), np.ones((1, 1)), np.zeros(1)])
    summing.compile(loss="mse")
    many = [each + np.array([100, -1000], np.float32) for each in many_of([6, 9, 4])]
    options: dict[str, Any] = {"method": "occlusion", "replace_with": "blocks", "draws": 1}
    if window is None:
        with pytest.warns(UserWarning, match="length by length"):
            found = lw.dependency(summing, many, **options)
    else:
        found = lw.dependency(summing, many, window=window, **options)
    known = found.to_numpy()[found.notnull()]
    assert len(known) > 20
    # One value of a channel takes the place of another, never a 0 that of a hundred.
    assert known.max() < 20
    assert (known > 0).all()  # never itself


@pytest.mark.parametrize("lengths", [[9, 9], [12, 6, 9]])
def test_a_curve_is_that_of_windows_cut_by_hand(model: Any, lengths: list[int]) -> None:
    many = many_of(lengths)
    rows, _, ends = cut(many, 4, 2, None)
    told: dict[str, Any] = {"methods": ("gradient_x_input", "sensitivity"), "target": 0}
    options: dict[str, Any] = {"window": 4, "step": 2}
    found = lw.relevance(model, as_given(many), **told, **options)
    for what, other in (("zero", np.zeros(2)), ("mean", np.concatenate(many).mean(axis=0))):
        curve = lw.deletion_curve(
            *(model, as_given(many), found), limit=3, replace_with=what, **options
        )
        np.testing.assert_array_equal(curve.end, ends)
        values = found.relevance.to_numpy().reshape(2, len(rows), -1)
        for m in range(2):
            for gone in range(4):
                without = rows.copy().reshape(len(rows), -1)
                order = np.argsort(-values[m], axis=1, kind="stable")[:, :gone]
                np.put_along_axis(without, order, np.tile(other, 4)[order], axis=1)
                score = np.asarray(model(without.reshape(rows.shape)))[:, 0]
                np.testing.assert_allclose(curve[m, :, gone], score, atol=1e-5)
    with pytest.raises(ValueError, match=f"inputs: expected {len(ends)} windows, got"):
        lw.deletion_curve(model, as_given(many), found, window=4)


def test_windows_know_their_series_and_their_times(model: Any) -> None:
    days = pd.date_range("2001-03-01", periods=8, tz="Europe/Berlin")
    tables = [
        pd.DataFrame(RNG.normal(size=(8, 2)).astype(np.float32), index, ["rain", "cold"])
        for index in (days, days + pd.Timedelta(days=100))
    ]
    options: dict[str, Any] = {"window": 3, "step": 2, "target": 0}
    found = lw.relevance(model, tables, methods="sensitivity", labels=["Ems", "Rur"], **options)
    assert found.label.values.tolist() == ["Ems"] * 3 + ["Rur"] * 3
    assert found.series.values.tolist() == [0, 0, 0, 1, 1, 1]
    index = [tables[k].index.tz_convert(None) for k in (0, 1)]
    for row, (k, end) in enumerate(zip(found.series.values, found.end.values, strict=True)):
        np.testing.assert_array_equal(found.time[row], index[k][end - 2 : end + 1])
    assert found.time.attrs["time_zone"] == "Europe/Berlin"
    assert found.channel.values.tolist() == ["rain", "cold"]
    each = lw.relevance(model, tables, methods="sensitivity", labels=list("abcdef"), **options)
    assert each.label.values.tolist() == list("abcdef")
    with pytest.raises(ValueError, match="labels: expected one str for each of 6 examples, got 3"):
        lw.relevance(model, tables, methods="sensitivity", labels=list("abc"), **options)
    depends = lw.dependency(model, tables, **options)
    assert depends.time.dims == ("example", "timestep")
    np.testing.assert_array_equal(depends.time[1], index[1][[2, 4, 6]])
    one = lw.dependency(model, tables, at=[-2, 4], **options)
    assert one.timestep.values.tolist() == [4, 6]
    np.testing.assert_allclose(one, depends[:, 1:], atol=1e-6)
    named = xr.DataArray(
        np.stack([table.to_numpy() for table in tables]),
        {"basin": ["Ems", "Rur"], "time": index[0].to_numpy(), "what": ["rain", "cold"]},
        ("basin", "time", "what"),
    )
    again = lw.relevance(model, named, methods="sensitivity", **options)
    np.testing.assert_array_equal(again.label, found.label)
    np.testing.assert_array_equal(again.time[3], index[0][:3])


def test_the_last_window_of_each_of_several_lengths(model: Any) -> None:
    many = many_of([9, 6])
    found = lw.dependency(model, many, window=4, at=-1, target=1)
    assert found.timestep.values.tolist() == [5, 8]
    for k, each in enumerate(many):
        alone = lw.dependency(model, each[None, -4:], target=1)
        np.testing.assert_allclose(
            found.sel(example=k, timestep=len(each) - 1), alone[0, 0], atol=1e-5
        )
        assert found.sel(example=k, timestep=[5, 8][k]).isnull().all()
    with pytest.raises(ValueError, match=r"at: expected indices below 6 .*, got 7"):
        lw.dependency(model, many, window=4, at=7)


def test_several_texts_are_read_in_windows() -> None:
    """What comes next is known of each text up to its last token."""
    reader = keras.Sequential(
        [
            keras.Input((None,)),
            L.Embedding(5, 3),
            L.LSTM(4, return_sequences=True),
            L.Dense(5, activation="softmax"),
        ]
    )
    reader.set_weights([RNG.normal(size=w.shape) for w in reader.get_weights()])
    texts = [RNG.integers(0, 5, n) for n in (6, 9)]
    options: dict[str, Any] = {"window": 4, "vocabulary": "abcde"}
    found = lw.dependency(reader, texts, target="next", of="loss", **options)
    each = lw.relevance(reader, texts, methods="gradient_x_input", **options)
    assert found.dims == ("example", "timestep", "input_timestep")
    for k, text in enumerate(texts):
        alone = lw.dependency(reader, text, target="next", of="loss", **options)
        own = found[k].sel(timestep=alone.timestep, input_timestep=alone.input_timestep)
        np.testing.assert_allclose(own, alone[0], atol=1e-6)
        np.testing.assert_array_equal(own.target, alone.target[0])
        assert int((found.target[k] >= 0).sum()) == len(text) - 4
        one = lw.relevance(reader, text, methods="gradient_x_input", **options)
        np.testing.assert_allclose(each.relevance[:, each.series == k], one.relevance, atol=1e-6)
        np.testing.assert_array_equal(each.token[each.series == k], one.token)


# Physical units -----------------------------------------------------------------------------------


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("window", [None, 5])
def test_dependency_in_the_units_of_the_forecast(outputs: int, window: int | None) -> None:
    model = network(outputs)
    length = 5 if window is None else 8
    x = RNG.normal(size=(3, length, 2)).astype(np.float32)
    mean, scale = np.array([7.0, -2.0])[:outputs], np.array([3.0, -40.0])[:outputs]
    target = None if outputs == 1 else 1
    told: dict[str, Any] = {"target": target, "window": window, "target_scaling": (mean, scale)}

    def forecast(rows: Any) -> Any:
        """Say what the model forecasts, as it was before it was scaled."""
        return (np.asarray(model(rows), np.float64) * scale + mean)[:, target or 0]

    rows = x[:, -5:]  # those of the last prediction
    width = 1e-2
    moves = np.eye(10, dtype=np.float32).reshape(10, 1, 5, 2) * width
    up, down = (
        forecast((rows + sign * moves).reshape(-1, 5, 2)).reshape(10, 3) for sign in (1, -1)
    )
    slopes = np.abs((up - down) / (2 * width)).T.reshape(3, 5, 2)[:, ::-1]
    for norm, wanted in (
        ("l2", slopes),
        ("l1", slopes),
        ("maximum", slopes),
        ("l2_squared", slopes**2),
        ("sum_of_roots", np.sqrt(slopes)),
    ):
        found = lw.dependency(model, x, norm=norm, **told)
        np.testing.assert_allclose(
            found[:, -1], wanted, atol=5e-3 * wanted.max(), rtol=2e-2, err_msg=norm
        )
    moved = lw.dependency(
        *(model, x), method="occlusion", replace_with="zero", units={"flow": "mm"}, **told
    )
    for lag in range(5):
        for channel in range(2):
            without = rows.copy()
            without[:, 4 - lag, channel] = 0
            change = np.abs(forecast(rows) - forecast(without))
            np.testing.assert_allclose(moved[:, -1, lag, channel], change, atol=1e-4)
    assert moved.attrs.get("units") == ("mm" if outputs == 1 else None)
    plain = lw.dependency(model, x, normalise=True, **told | {"target_scaling": None})
    np.testing.assert_allclose(lw.dependency(model, x, normalise=True, **told), plain, atol=1e-6)


def test_a_curve_in_the_units_of_the_forecast() -> None:
    model = network(1)
    x = RNG.normal(size=(3, 6, 2)).astype(np.float32)
    told: dict[str, Any] = {"target_scaling": (7.0, -3.0)}
    found = lw.relevance(model, x, methods="gradient_x_input", **told)
    curve = lw.deletion_curve(model, x, found, limit=2, **told)
    np.testing.assert_allclose(curve[0, :, 0], np.asarray(model(x))[:, 0] * -3 + 7, rtol=1e-5)
    most = found.relevance[0].to_numpy().reshape(3, -1).argmax(axis=1)
    without = x.reshape(3, -1).copy()
    without[np.arange(3), most] = 0
    said = np.asarray(model(without.reshape(x.shape)))[:, 0] * -3 + 7
    np.testing.assert_allclose(curve[0, :, 1], said, rtol=1e-5)
    with pytest.raises(ValueError, match="of forecasts in physical units: with their target_scal"):
        lw.deletion_curve(model, x, found)


def test_only_forecasts_have_units() -> None:
    layers = [keras.Input((5, 2)), L.LSTM(3), L.Dense(2, activation="softmax")]
    model = keras.Sequential(layers)
    with pytest.raises(ValueError, match="target_scaling: expected None, because what is expl"):
        lw.dependency(model, np.zeros((1, 5, 2), np.float32) + 0.5, target_scaling=(0, 1))


# What stays of series of several lengths ----------------------------------------------------------


def test_series_of_several_lengths_keep_their_times(model: Any) -> None:
    days = np.arange("2003-05-01", "2003-05-10", dtype="M8[D]")
    with pytest.warns(UserWarning, match="length by length"):
        found = lw.dependency(model, many_of([5, 9, 7]), target=0, times=days)
    assert found.timestep.values.tolist() == [4, 6, 8]
    np.testing.assert_array_equal(found.time, days[[4, 6, 8]])
    known = found.sel(time="2003-05-07").notnull().any(["lag", "channel"])
    assert known.values.tolist() == [False, False, True]


def test_what_is_interrupted_reads_no_other_length(model: Any, monkeypatch: Any) -> None:
    run, calls = Explained.run, []

    def until(self: Any, *arguments: Any, **options: Any) -> Any:
        calls.append(options)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return run(self, *arguments, **options)

    many = many_of([5, 9, 9])
    with pytest.warns(UserWarning, match="length by length"):
        whole = lw.dependency(model, many, target=0, method="occlusion", batch_size=6)
    monkeypatch.setattr(Explained, "run", until)
    with pytest.warns(UserWarning, match=r"length by length|interrupted: 6 of 18 runs were done"):
        part = lw.dependency(model, many, target=0, method="occlusion", batch_size=6)
    assert len(calls) == 4
    assert part.example.values.tolist() == [1, 2]  # the longest were read first
    np.testing.assert_allclose(part[:, :, :3], whole[1:, 1:, :3], atol=1e-6)
    assert part[:, :, 3:].isnull().all()


# What is shown of several series ------------------------------------------------------------------


def test_each_of_several_series_is_shown_as_long_as_it_is(model: Any) -> None:
    many = many_of([9, 6])
    options: dict[str, Any] = {"window": 4, "step": 2, "target": 0, "labels": ["Ems", "Rur"]}
    found = lw.dependency(model, many, **options)
    assert found.label.values.tolist() == ["Ems", "Rur"]
    widget = lw.DependencyHeatmap(found)
    assert widget._extent["stops"] == [8, 6]
    assert widget._extent["labels"] == ["Ems", "Rur"]
    assert widget.timestep == 7
    widget.example = 1
    words = [word.text for word in widget._sheet(7.5, "light").words]
    assert sum("the series has ended" in word for word in words) == 2
    widget.timestep = 5
    words = [word.text for word in widget._sheet(7.5, "light").words]
    assert any(word.startswith('example 1 "Rur" · t=5 · strongest: ') for word in words)
    assert any("6 timesteps" in word and "2 predictions" in word for word in words)


def test_windows_are_called_by_their_series_and_their_end(model: Any) -> None:
    options: dict[str, Any] = {"window": 4, "step": 3, "methods": "sensitivity", "target": 0}
    many = many_of([9, 5])
    found = lw.relevance(model, many, **options)
    assert list(Examples(found).labels) == ["series 0 · t=3", "series 0 · t=6", "series 1 · t=3"]
    named = lw.relevance(model, many, labels=["Ems", "Rur"], **options)
    assert list(Examples(named).labels) == ["Ems · t=3", "Ems · t=6", "Rur · t=3"]
    days = pd.date_range("2001-03-01", periods=9).to_numpy()
    timed = lw.relevance(model, many, times=days, **options)  # these stand beside the label
    assert list(Examples(timed).labels) == ["series 0", "series 0", "series 1"]
    one = lw.relevance(model, many[0], **options)
    assert list(Examples(one).labels) == ["t=3", "t=6"]
    assert Examples(lw.relevance(model, many[0][None], methods="lrp")).labels is None


@pytest.mark.parametrize("step", [1, 2])
def test_windows_of_several_series_are_found_in_a_recording_of_these(model: Any, step: int) -> None:
    many = many_of([9, 7, 12])
    options: dict[str, Any] = {"window": 4, "step": step}
    recording = lw.record(model, many, **options)
    found = lw.relevance(model, many, methods="gradient_x_input", target=0, **options)
    shown = lw.RelevanceHeatmap(found, recording=recording)
    explorer = shown.explorer
    layer = recording[recording.layers[0]]
    for k, (series, end) in enumerate(zip(found.series.values, found.end.values, strict=True)):
        shown.example = k
        place = end if step == 1 else layer.position.values.tolist().index(end)
        assert (explorer.example, explorer.timestep) == (series, place)
    # And back: what has a window is selected.
    explorer.timestep = 3 if step == 1 else 0
    assert (int(found.series[shown.example]), int(found.end[shown.example])) == (2, 3)
    explorer.example = 0
    assert shown.example == 0
    plot = lw.SeriesPlot(recording, relevance=found)
    np.testing.assert_array_equal(plot._placed[""].examples, found.series)
    np.testing.assert_array_equal(plot._placed[""].explained, found.end)
