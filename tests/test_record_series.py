# Labelled arrays of xarray, not tables of pandas.
# ruff: noqa: PD003, PD004
"""Series that are recorded: whatever they are kept in, windows of one and of several, what was said."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st

import lstm_widgets as lw

DAYS = pd.date_range("2001-01-01", periods=90, name="day")
NAMES = ["rain", "temperature"]
RNG = np.random.default_rng(3)
READ = RNG.normal(size=(90, 2)).astype(np.float32)
FLOW = RNG.normal(size=90).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> Any:
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [keras.Input((None, 2)), keras.layers.LSTM(3, name="lstm"), keras.layers.Dense(1)]
    )


def windows(series: Any, length: int, step: int = 1) -> Any:
    """Cut a series into windows by hand."""
    return np.stack([series[k : k + length] for k in range(0, len(series) - length + 1, step)])


def table() -> pd.DataFrame:
    return pd.DataFrame(READ, DAYS, NAMES)


def labelled() -> xr.DataArray:
    coords = {"day": DAYS.to_numpy(), "what": NAMES, "unit": ("what", ["mm", "°C"])}
    return xr.DataArray(READ, coords, ("day", "what"))


def variables() -> xr.Dataset:
    return xr.Dataset(
        {
            n: ("day", READ[:, k], {"units": u})
            for k, (n, u) in enumerate(zip(NAMES, ("mm", "°C"), strict=True))
        },
        {"day": DAYS.to_numpy()},
    )


@pytest.mark.parametrize("kind", ["array", "table", "labelled", "variables", "list"])
@pytest.mark.parametrize("window", [None, 20])
def test_whatever_a_series_is_kept_in(kind: str, window: int | None, model: Any) -> None:
    told: dict[str, Any] = {"window": window}
    if kind in ("array", "list"):
        told |= {"times": DAYS, "channels": NAMES}
    if kind in ("array", "list", "table"):
        told["units"] = {"rain": "mm", "temperature": "°C", "unused": "m"}
    makers = {"array": lambda: READ, "list": READ.tolist, "table": table}
    makers |= {"labelled": labelled, "variables": variables}
    inputs: Any = makers[kind]()
    recording = lw.record(model, np.asarray(inputs) if kind == "list" else inputs, **told)
    assert recording.inputs is not None
    assert recording.inputs.dims == ("example", "timestep", "channel")
    np.testing.assert_array_equal(recording.inputs[0], READ)
    assert recording.inputs.channel.to_numpy().tolist() == NAMES
    assert recording.inputs.unit.to_numpy().tolist() == ["mm", "°C"]
    layer = recording["lstm"]
    assert (layer.time.to_numpy() == DAYS.to_numpy()).all()
    assert layer.cell_state.sel(time="2001-02", cell=1).shape == (1, 28)


def test_the_states_are_those_of_each_window(model: Any) -> None:
    recording = lw.record(model, READ, window=20)
    alone = lw.record(model, windows(READ, 20))
    last = alone["lstm"].cell_state[:, -1]
    np.testing.assert_allclose(recording["lstm"].cell_state[0, 19:], last, atol=1e-6)
    assert recording["lstm"].cell_state[0, :19].isnull().all()
    assert not recording["lstm"].mask[0, :19].any()
    assert recording["lstm"].mask[0, 19:].all()


@pytest.fixture(scope="module")
def two() -> Any:
    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [keras.Input((None, 2)), keras.layers.GRU(2, name="gru"), keras.layers.Dense(2)]
    )


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 12)),
    window=st.integers(1, 12),
    step=st.integers(1, 5),
    batch=st.integers(1, 9),
    padded=st.booleans(),
)
def test_windows_of_several_series(
    two: Any, sizes: tuple[int, int], window: int, *, step: int, batch: int, padded: bool
) -> None:
    """Each stands as it would alone, whatever is read at a time."""
    examples, length = sizes
    series = RNG.normal(size=(examples, length, 2)).astype(np.float32)
    options: dict[str, Any] = {"window": window, "step": step, "batch_size": batch}
    front = window - 1 if padded else 0
    options |= {"pad": 0.5} if padded else {}
    if window > length and not padded:
        with pytest.raises(ValueError, match=f"window: expected at most {length}"):
            lw.record(two, series, **options)
        return
    recording = lw.record(two, series, times=np.arange(length) * 3.0, **options)
    read = np.pad(series, [(0, 0), (front, 0), (0, 0)], constant_values=0.5)
    cut = np.stack([windows(each, window, step) for each in read]).reshape(-1, window, 2)
    ends = np.arange(window - 1 - front, length, step)
    assert recording.outputs is not None
    said = np.asarray(two(cut)).reshape(examples, -1, 2)
    np.testing.assert_allclose(recording.outputs[:, ends], said, atol=1e-5)
    others = np.setdiff1d(np.arange(length), ends)
    assert recording.outputs[:, others].isnull().all()
    layer = recording["gru"]
    states = np.asarray(two.layers[0](cut)).reshape(examples, -1, 2)
    kept = layer.hidden_state if step > 1 else layer.hidden_state[:, ends]
    np.testing.assert_allclose(kept, states, atol=1e-5)
    if step > 1:
        assert layer.position.to_numpy().tolist() == ends.tolist()
        assert layer.time.to_numpy().tolist() == [3.0 * end for end in ends]
    else:
        assert layer.sizes["timestep"] == length
    np.testing.assert_array_equal(recording.inputs, series)


def test_a_long_series_keeps_the_ends_of_its_windows_only(model: Any) -> None:
    long = np.zeros((5000, 2), np.float32)
    recording = lw.record(model, long, window=365, step=24)
    ends = np.arange(364, 5000, 24)
    assert recording["lstm"].cell_state.shape == (1, len(ends), 3)
    assert recording.inputs is not None
    assert recording.inputs.shape == (1, 5000, 2)
    assert recording.tree.attrs["step"] == 24


def test_tables_of_several_examples_have_their_own_times(model: Any) -> None:
    later = table().set_axis(DAYS + pd.Timedelta("30D"))
    recording = lw.record(model, [table(), later], window=20, labels=["a", "b"])
    time = recording["lstm"].time
    assert time.dims == ("example", "timestep")
    assert time[1, 0] == np.datetime64("2001-01-31")
    assert recording.inputs is not None
    assert recording.inputs.label.to_numpy().tolist() == ["a", "b"]


def test_tables_with_a_zone_keep_it(model: Any) -> None:
    hours = pd.date_range("2023-10-29", periods=30, freq="h", tz="Europe/Berlin")
    tables = [table()[:30].set_axis(hours), table()[:30].set_axis(hours + pd.Timedelta("1h"))]
    for inputs in (tables, tables[0]):
        time = lw.record(model, inputs, window=5)["lstm"].time
        assert time.attrs["time_zone"] == "Europe/Berlin"
        assert (np.diff(time.to_numpy()) == np.timedelta64(1, "h")).all()


def test_the_axis_of_examples_names_them(model: Any) -> None:
    both = xr.concat([labelled(), labelled() + 1], pd.Index(["north", "south"], name="basin"))
    recording = lw.record(model, both, window=20)
    assert recording["lstm"].label.to_numpy().tolist() == ["north", "south"]
    np.testing.assert_array_equal(recording["lstm"].time, DAYS)


def test_a_table_of_examples_is_no_series() -> None:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((5, 1)), keras.layers.LSTM(3, name="lstm")])
    rows = pd.DataFrame(READ[:10, :1].repeat(5, axis=1), pd.to_datetime(["2001-01-01"] * 10))
    recording = lw.record(model, rows)
    assert recording["lstm"].sizes["example"] == 10
    assert "time" not in recording["lstm"].coords


SCALERS = {
    "pair": (np.array([3.0, -1.0]), np.array([2.0, 0.5])),
    "names": {"rain": (3.0, 2.0), "temperature": (-1.0, 0.5)},
}


@pytest.mark.parametrize("kind", ["pair", "names", "scaler"])
def test_physical_units(kind: str, model: Any) -> None:
    physical = READ.astype(np.float64) * [2.0, 0.5] + [3.0, -1.0]
    scaling: Any = SCALERS.get(kind)
    if kind == "scaler":
        preprocessing = pytest.importorskip("sklearn.preprocessing")
        scaling = preprocessing.StandardScaler().fit(RNG.normal(size=(9, 2)))
        physical = scaling.inverse_transform(READ.astype(np.float64))
    flow = FLOW * 10 + 4
    recording = lw.record(
        model,
        table(),
        window=20,
        scaling=scaling,
        targets={"flow": FLOW},
        target_scaling=(4, 10),
    )
    assert recording.inputs is not None
    assert recording.outputs is not None
    assert recording.targets is not None
    np.testing.assert_allclose(recording.inputs[0], physical, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(recording.targets[0, :, 0], flow, rtol=1e-6)
    own = model.predict(windows(READ, 20), verbose=0)[:, 0] * 10 + 4
    np.testing.assert_allclose(recording.outputs.sel(output="flow")[0, 19:], own, rtol=1e-5)


@pytest.mark.parametrize(
    "targets",
    [
        FLOW,
        FLOW[:, None],
        FLOW[None],
        FLOW[19:],
        FLOW[19:, None],
        pd.Series(FLOW, DAYS, name="flow"),
        pd.DataFrame({"flow": FLOW}, DAYS),
        {"flow": FLOW},
        xr.Dataset({"flow": ("day", FLOW, {"units": "mm"})}, {"day": DAYS.to_numpy()}),
    ],
    ids=[
        "steps",
        "column",
        "example",
        "windows",
        "windows-column",
        "series",
        "table",
        "dict",
        "xarray",
    ],
)
def test_targets_in_any_form(targets: Any, model: Any) -> None:
    recording = lw.record(model, READ, window=20, targets=targets, units={"flow": "mm"})
    assert recording.targets is not None
    np.testing.assert_array_equal(recording.targets[0, 19:, 0], FLOW[19:])
    named = recording.targets.output.to_numpy().tolist()
    assert named == (["target"] if isinstance(targets, np.ndarray) else ["flow"])
    assert recording.targets.unit.to_numpy().tolist() == (["mm"] if named == ["flow"] else [""])


def test_targets_of_several_series_and_of_examples(model: Any) -> None:
    many = np.stack([READ, READ[::-1]])
    wanted = np.stack([FLOW, FLOW[::-1]])
    recording = lw.record(model, many, window=20, targets=wanted)
    np.testing.assert_array_equal(recording.targets[..., 0], wanted)  # type: ignore[index]
    cut = windows(READ, 20)
    alone = lw.record(model, cut, targets=FLOW[19:])
    assert alone.targets is not None
    np.testing.assert_array_equal(alone.targets[:, -1, 0], FLOW[19:])
    assert alone.targets[:, :-1].isnull().all()
    np.testing.assert_allclose(alone.outputs[:, -1], model.predict(cut, verbose=0), atol=1e-6)  # type: ignore[index]


def test_a_forecast_of_several_timesteps_stands_where_it_was_made() -> None:
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((20, 2)),
            keras.layers.LSTM(3),
            keras.layers.RepeatVector(4),
            keras.layers.LSTM(3, return_sequences=True),
            keras.layers.Dense(1),
        ]
    )
    wanted = windows(FLOW, 4)[: len(windows(READ, 20))][..., None]
    recording = lw.record(model, READ, window=20, targets=wanted)
    own = model.predict(windows(READ, 20), verbose=0)[..., 0]
    np.testing.assert_allclose(recording.outputs[0, 19:], own, atol=1e-6)  # type: ignore[index]
    np.testing.assert_array_equal(recording.targets[0, 19:], wanted[..., 0])  # type: ignore[index]


def test_a_continuous_reading_says_something_at_each_timestep(model: Any) -> None:
    recording = lw.record(model, table(), targets=FLOW)
    assert recording.outputs is not None
    for k in (0, 40, 89):
        own = model.predict(READ[None, : k + 1], verbose=0)[0]
        np.testing.assert_allclose(recording.outputs[0, k], own, atol=1e-5)


def test_missing_values_stay_missing(model: Any) -> None:
    holes = table()
    holes.iloc[30, 1] = np.nan
    recording = lw.record(model, holes, window=20)
    assert recording.inputs is not None
    assert recording.inputs.isnull().sum() == 1
    states = recording["lstm"].cell_state[0]
    assert states[30:50].isnull().all()
    assert not states[19:30].isnull().any()
    assert not states[50:].isnull().any()


def test_examples_of_several_lengths_end_where_they_end() -> None:
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((None, 2)), keras.layers.LSTM(3, name="lstm"), keras.layers.Dense(1)]
    )
    examples = [READ[:5], READ[:9], READ[:7]]
    with pytest.warns(UserWarning, match="length by length"):
        recording = lw.record(model, examples, targets=[1.0, 2.0, 3.0])
    assert recording.inputs is not None
    for k, each in enumerate(examples):
        last = len(each) - 1
        np.testing.assert_array_equal(recording.inputs[k, : last + 1], each)
        assert recording.inputs[k, last + 1 :].isnull().all()
        own = model.predict(each[None], verbose=0)[0]
        np.testing.assert_allclose(recording.outputs[k, last], own, atol=1e-6)  # type: ignore[index]
        assert recording.outputs[k].notnull().sum() == 1  # type: ignore[index]
        assert recording.targets[k, last, 0] == k + 1  # type: ignore[index]


def test_symbols_are_no_series() -> None:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(3, name="lstm")])
    one_hot = np.eye(3, dtype=np.float32)[[0, 1, 2, 1, 1]]
    assert lw.record(model, one_hot).inputs is None
    assert lw.record(model, one_hot, vocabulary="abc").inputs is None
    said = lw.record(model, one_hot, channels=["on", "off", "idle"])
    assert said.inputs is not None


def test_held_cells_and_their_recording_have_the_series_too(model: Any) -> None:
    recording = lw.record(model, table(), window=20, held=lw.Held(1, layer="lstm"))
    assert recording.inputs is not None
    assert "time" in recording["lstm"].coords


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"times": DAYS[:-1]}, ValueError, r"times: expected shape \(90,\)"),
        ({"times": DAYS[::-1]}, ValueError, "times: .*is followed by 2001-03-30"),
        ({"channels": ["rain"]}, ValueError, "channels: expected 2 names.*got 1: 'rain'"),
        (
            {"channels": ["rain", "rain"]},
            ValueError,
            "channels: expected different names, got 'rain'",
        ),
        ({"channels": "rt"}, TypeError, "channels: expected a sequence of str"),
        ({"units": ["mm"]}, ValueError, "units: expected 2"),
        ({"scaling": 3}, TypeError, r"scaling: expected \(mean, scale\)"),
        ({"scaling": {"snow": (0, 1)}}, ValueError, "scaling: expected names among .*'snow'"),
        (
            {"targets": FLOW[:7]},
            ValueError,
            r"targets: expected shape \(90,\).*or \(71,\).*got \(7,\)",
        ),
        ({"targets": ["a"] * 90}, TypeError, "targets: expected numbers"),
        ({"window": 91}, ValueError, "window: expected at most 90"),
        ({"window": None, "step": 2}, ValueError, "step: expected None, because without window="),
        ({"step": 0}, ValueError, "step: expected a positive whole number"),
    ],
)
def test_what_does_not_fit_is_named(
    change: dict[str, Any], error: type[Exception], told: str, model: Any
) -> None:
    with pytest.raises(error, match=told):
        lw.record(model, READ, **{"window": 20, **change})


@pytest.mark.parametrize("argument", ["times", "channels", "units", "targets", "scaling"])
def test_what_is_said_of_a_series_needs_one(argument: str) -> None:
    model = keras.Sequential(
        [keras.Input((None,)), keras.layers.Embedding(3, 2), keras.layers.LSTM(2)]
    )
    given: dict[str, Any] = {
        "times": [1, 2],
        "channels": ["a"],
        "units": ["m"],
        "targets": [1.0, 2.0],
    }
    given["scaling"] = (0, 1)
    with pytest.raises(
        ValueError, match=f"{argument}: expected None, because inputs aren't one series"
    ):
        lw.record(model, np.array([1, 2]), **{argument: given[argument]})


def test_one_timestep_and_one_channel() -> None:
    model = keras.Sequential([keras.Input((None, 1)), keras.layers.LSTM(2, name="lstm")])
    recording = lw.record(model, pd.Series([2.0], pd.to_datetime(["2001-01-01"]), name="flow"))
    assert recording.inputs is not None
    assert recording.inputs.shape == (1, 1, 1)
    assert recording.inputs.channel.to_numpy().tolist() == ["flow"]


def test_an_interrupted_reading_keeps_whole_series(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lstm_widgets.running import run  # noqa: PLC0415

    real, calls = run.read, []

    def read(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) > 4:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(run, "read", read)
    many = np.stack([READ, READ + 1, READ + 2])
    with pytest.warns(UserWarning, match="the first 1 of 3 examples"):
        recording = lw.record(
            model, many, window=20, batch_size=30, times=DAYS, targets=np.stack([FLOW] * 3)
        )
    assert recording["lstm"].sizes["example"] == 1
    assert recording.inputs is not None
    assert recording.inputs.shape == (1, 90, 2)
    calls.clear()
    with pytest.warns(UserWarning, match="the first 59 of 90 timesteps"):
        part = lw.record(model, READ, window=20, batch_size=10, times=DAYS)
    np.testing.assert_array_equal(part["lstm"].time, DAYS[:59])
    assert part.inputs is not None
    assert part.inputs.sizes["timestep"] == 59


@example(lengths=[1, 1], window=3, step=1, batch=1, padded=False)  # longer than any
@settings(deadline=None, max_examples=15)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=2, max_size=4),
    window=st.integers(1, 12),
    step=st.integers(1, 4),
    batch=st.integers(1, 9),
    padded=st.booleans(),
)
def test_windows_of_series_of_several_lengths(
    two: Any, lengths: list[int], window: int, *, step: int, batch: int, padded: bool
) -> None:
    """Each stands as it would alone; behind its end there is nothing."""
    lengths = [*lengths, max(lengths) + 1]  # not all alike
    many = [RNG.normal(size=(n, 2)).astype(np.float32) for n in lengths]
    options: dict[str, Any] = {"window": window, "step": step, "batch_size": batch}
    options |= {"pad": 0.5} if padded else {}
    if window > min(lengths) and not padded:
        with pytest.raises(
            ValueError, match=f"window: expected at most {min(lengths)}, the number"
        ):
            lw.record(two, many, **options)
        return
    recording = lw.record(two, many, **options)
    assert recording.inputs is not None
    assert recording.outputs is not None
    front = window - 1 if padded else 0
    for k, each in enumerate(many):
        read = np.pad(each, [(front, 0), (0, 0)], constant_values=0.5)
        cut = windows(read, window, step)
        ends = np.arange(window - 1 - front, len(each), step)
        states, said = np.asarray(two.layers[0](cut)), np.asarray(two(cut))
        places = ends if step == 1 else np.arange(len(ends))
        layer = recording["gru"].isel(example=k)
        np.testing.assert_allclose(layer.hidden_state[places], states, atol=1e-5)
        np.testing.assert_allclose(recording.outputs[k, ends], said, atol=1e-5)
        others = np.setdiff1d(np.arange(layer.sizes["timestep"]), places)
        assert layer.hidden_state[others].isnull().all()
        assert recording.outputs[k].isnull().all("output").sum() == max(lengths) - len(ends)
        np.testing.assert_array_equal(recording.inputs[k, : len(each)], each)
        assert recording.inputs[k, len(each) :].isnull().all()
        if "mask" in layer:
            np.testing.assert_array_equal(np.flatnonzero(layer.mask), places)
        else:
            assert not len(others)


def test_windows_of_several_lengths_of_a_model_that_takes_one_length() -> None:
    keras.utils.set_random_seed(2)
    layers = keras.layers
    for first in ([], [layers.Masking(-9.0)]):
        fixed = keras.Sequential(
            [keras.Input((20, 2)), *first, layers.LSTM(3, name="lstm"), layers.Dense(1)]
        )
        recording = lw.record(fixed, [READ, READ[:31]], window=20, batch_size=7)
        own = np.asarray(fixed(windows(READ[:31], 20)))
        np.testing.assert_allclose(recording.outputs[1, 19:31], own, atol=1e-5)
        assert recording["lstm"].mask.sum("timestep").to_numpy().tolist() == [71, 12]


def test_holding_cells_counts_all_series(model: Any) -> None:
    many, wanted = np.stack([READ, READ[::-1]]), np.stack([FLOW, FLOW[::-1]])
    loss = keras.losses.MeanSquaredError
    found = lw.ablate(model, many, window=20, cells=[1], targets=wanted, loss=loss(reduction=None))
    alone = [
        lw.ablate(model, one, window=20, cells=[1], targets=each, loss=loss(reduction=None))
        for one, each in zip(many, wanted, strict=True)
    ]
    for column in ("loss", "loss_held"):
        mean = np.mean([each.table[column][0] for each in alone])
        np.testing.assert_allclose(found.table[column][0], mean, rtol=1e-5)


def test_a_model_that_gives_its_states_says_nothing_more() -> None:
    for sequences in (True, False):
        model = keras.Sequential(
            [keras.Input((None, 2)), keras.layers.LSTM(3, return_sequences=sequences)]
        )
        assert lw.record(model, READ, window=20).outputs is None
        assert lw.record(model, READ[None]).outputs is None


def test_what_was_zero_is_zero_again(model: Any) -> None:
    rain = np.where(RNG.random((90, 2)) < 0.5, 0, 3.7)
    mean, scale = rain.mean(axis=0), rain.std(axis=0)
    recording = lw.record(model, ((rain - mean) / scale).astype(np.float32), scaling=(mean, scale))
    assert recording.inputs is not None
    np.testing.assert_array_equal(recording.inputs[0] == 0, rain == 0)
    np.testing.assert_allclose(recording.inputs[0], rain, rtol=1e-6)


@pytest.mark.parametrize("window", [None, 20])
def test_what_the_model_passes_over_is_missing(window: int | None) -> None:
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((None, 2)), keras.layers.Masking(-9.0), keras.layers.LSTM(3, name="lstm")]
    )
    holes = READ.copy()
    holes[40:45] = -9.0
    for inputs, options in ((holes, {"window": window}), (holes[None], {})):
        recording = lw.record(model, inputs, **options)
        assert recording.inputs is not None
        missing = recording.inputs.isnull().all("channel")[0].to_numpy()
        assert np.flatnonzero(missing).tolist() == [40, 41, 42, 43, 44]


@pytest.mark.parametrize("window", [None, 20])
def test_targets_of_series_of_several_lengths(window: int | None, model: Any) -> None:
    many, wanted = [READ[:50], READ, READ[:40]], [FLOW[:50], FLOW, FLOW[:40]]
    options: dict[str, Any] = {"window": window, "target_scaling": (1.0, 2.0)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # without windows: length by length
        recording = lw.record(model, many, targets=wanted, **options)
        tables = lw.record(model, many, targets=[each[:, None] for each in wanted], **options)
        with pytest.raises(ValueError, match=r"series, which are of lengths \[50, 90, 40\]; got"):
            lw.record(model, many, targets=[FLOW[:50], FLOW[:40], FLOW], **options)
        with pytest.raises(ValueError, match="targets: expected as many outputs for each series"):
            lw.record(model, many, targets=[wanted[0][:, None], *wanted[1:]], **options)
    assert recording.targets is not None
    for k, each in enumerate(wanted):
        np.testing.assert_allclose(recording.targets[k, : len(each), 0], each * 2 + 1, rtol=1e-6)
        assert recording.targets[k, len(each) :].isnull().all()
    xr.testing.assert_equal(recording.targets, tables.targets)
    with pytest.raises(ValueError, match="which are all of one length; got such of lengths"):
        lw.record(model, np.stack([READ, READ]), targets=[FLOW, FLOW[:50]], **options)


@pytest.mark.parametrize("window", [None, 20])
@pytest.mark.parametrize("kind", ["dates", "zone", "numbers"])
def test_tables_of_several_lengths_keep_their_times(
    kind: str, window: int | None, model: Any
) -> None:
    index = {
        "dates": pd.date_range("2001-03-01", periods=90),
        "zone": pd.date_range("2001-03-01", periods=90, freq="h", tz="Europe/Berlin"),
        "numbers": pd.Index(np.arange(90) / 2 + 1),
    }[kind]
    tables = [
        pd.DataFrame(READ[:n], index[first : first + n], NAMES)
        for first, n in ((0, 40), (0, 90), (30, 25), (89, 1))
    ][: 4 if window is None else 3]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # without windows: length by length
        recording = lw.record(model, tables, window=window)
    time = recording["lstm"].time
    assert time.dims == ("example", "timestep")
    assert time.attrs.get("time_zone") == ("Europe/Berlin" if kind == "zone" else None)
    plain = index.tz_convert(None) if kind == "zone" else index
    for k, table in enumerate(tables):
        first = index.get_loc(table.index[0])
        np.testing.assert_array_equal(time[k, : len(table)], plain[first : first + len(table)])
        assert (np.diff(time[k]) > np.zeros(1, np.diff(time[k]).dtype)).all()
    assert recording.inputs is not None
    np.testing.assert_array_equal(recording.inputs.time, time)
    # All that asks for times leaves out what stands behind the end.
    track = pd.Series(np.arange(90.0), index=index)
    found = lw.concepts.tracks(recording, {"track": track})["track"]
    known = found.notnull().sum("timestep").to_numpy()
    assert known.tolist() == [len(t) - (window or 1) + 1 for t in tables]
