"""States in a few dimensions, against scikit-learn and the singular values of all of them in float64."""

from __future__ import annotations

import copy
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA, FastICA, IncrementalPCA, KernelPCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lstm_widgets as lw
from lstm_widgets.analysis import blocks, projecting
from lstm_widgets.errors import LayerNotFoundError
from lstm_widgets.recording import RecordedLayer, Recording

RNG = np.random.default_rng(0)


def recording_of(values, mask=None, **options):
    layer = RecordedLayer("lstm", "LSTM", {"hidden_state": values}, mask, **options)
    return Recording.from_layers([layer])


def states(*shape, rng=RNG):
    """States whose variances are apart, so that components have an order."""
    mixed = rng.normal(size=shape) * 2.0 ** -np.arange(shape[-1])
    turn, _ = np.linalg.qr(rng.normal(size=(shape[-1], shape[-1])))
    return (mixed @ turn + rng.normal(size=shape[-1])).astype(np.float32)


@settings(max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(3, 30), st.integers(1, 6)),
    padded=st.sampled_from([0, 0.2]),
    held=st.integers(1, 200),
    seed=st.integers(0, 2**31),
)
def test_components_are_those_of_all_states_whatever_the_blocks(shape, padded, held, seed):
    rng = np.random.default_rng(seed)
    values, mask = states(*shape, rng=rng), rng.random(shape[:2]) >= padded
    mask[0, :3] = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "ROW_VALUES", held)
        found = lw.project(recording_of(values, mask))
    rows = values[mask].astype(np.float64)
    away = rows - rows.mean(axis=0)
    _, sizes, directions = np.linalg.svd(away, full_matrices=False)
    k = min(3, shape[2])
    assert found.sizes["component"] == k
    share = np.zeros(k)
    many = min(k, len(sizes))
    share[:many] = (sizes**2 / (sizes**2).sum())[:many]
    np.testing.assert_allclose(found["explained_variance_ratio"], share, atol=1e-9)
    got = found["direction"].to_numpy()
    np.testing.assert_allclose(got @ got.T, np.eye(k), atol=1e-9)
    assert (np.take_along_axis(got, np.abs(got).argmax(axis=1)[:, None], axis=1) > 0).all()
    # Where variances are near each other, directions are any in their plane.
    apart = np.diff(np.append(-np.append(sizes, 0)[: k + 1], 0)) > 1e-2 * sizes[0]
    for one, other, told in zip(got, directions, apart, strict=False):
        if told and apart[0]:
            assert abs(one @ other) == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(found["center"], rows.mean(axis=0), atol=1e-9)
    expected = away @ got.T
    np.testing.assert_allclose(found["position"].to_numpy()[mask], expected, atol=1e-5)
    assert np.isnan(found["position"].to_numpy()[~mask]).all()
    assert found["position"].dtype == np.float32
    assert found.attrs["fitted"] == mask.sum()


def test_it_is_the_pca_of_scikit_learn():
    values = states(3, 400, 12)
    found = lw.project(recording_of(values), components=5)
    rows = values.reshape(-1, 12).astype(np.float64)
    model = PCA(5, svd_solver="full").fit(rows)
    np.testing.assert_allclose(
        found["explained_variance_ratio"], model.explained_variance_ratio_, rtol=1e-6
    )
    sign = np.sign((found["direction"].to_numpy() * model.components_).sum(axis=1))
    np.testing.assert_allclose(
        found["direction"], model.components_ * sign[:, None], rtol=0, atol=1e-6
    )
    expected = (model.transform(rows) * sign).reshape(3, 400, 5)
    np.testing.assert_allclose(found["position"], expected, rtol=0, atol=1e-5)
    assert found["component"].to_numpy().tolist() == ["PC 1", "PC 2", "PC 3", "PC 4", "PC 5"]


def test_a_mean_far_from_zero_costs_nothing():
    values = (states(1, 900, 3) + 1000).astype(np.float32)
    found = lw.project(recording_of(values))
    model = PCA(svd_solver="full").fit(values[0].astype(np.float64))
    np.testing.assert_allclose(
        found["explained_variance_ratio"], model.explained_variance_ratio_, rtol=1e-9
    )


@pytest.mark.parametrize(
    ("fit", "chosen"),
    [
        (slice(1, 3), np.s_[1:3]),
        ([0, -1], np.s_[[0, 3]]),
        (np.array([False, True, False, True]), np.s_[[1, 3]]),
        (np.arange(50) < 20, np.s_[:, :20]),
        (
            xr.DataArray(np.arange(200).reshape(4, 50) % 3 == 0),
            np.arange(200).reshape(4, 50) % 3 == 0,
        ),
    ],
    ids=["slice", "indices", "examples", "timesteps", "both"],
)
def test_what_is_fitted_to_a_part_is_applied_to_all(fit, chosen):
    values = states(4, 50, 5)
    mask = RNG.random((4, 50)) < 0.8
    found = lw.project(recording_of(values, mask), fit=fit)
    part = np.zeros((4, 50), bool)
    part[chosen] = True
    rows = values[mask & part].astype(np.float64)
    assert found.attrs["fitted"] == len(rows)
    model = PCA(3, svd_solver="full").fit(rows)
    np.testing.assert_allclose(
        found["explained_variance_ratio"], model.explained_variance_ratio_, rtol=1e-6
    )
    assert (np.isfinite(found["position"]).all("component").to_numpy() == mask).all()


def test_timesteps_that_are_not_finite_are_left_out():
    values = states(1, 60, 4)
    values[0, 7, 2], values[0, 9, 0] = np.nan, np.inf
    found = lw.project(recording_of(values))
    there = np.isfinite(values).all(axis=2)
    assert (np.isfinite(found["position"]).all("component").to_numpy() == there).all()
    assert found.attrs["fitted"] == 58
    np.testing.assert_allclose(found["center"], values[there].mean(axis=0), atol=1e-6)


def test_a_dead_layer_explains_nothing():
    found = lw.project(recording_of(np.full((1, 5, 2), 0.3, np.float32)))
    assert (found["position"] == 0).all()
    assert np.isnan(found["explained_variance_ratio"]).all()


def test_directions_of_ones_own():
    values = states(2, 30, 4)
    kernel = RNG.normal(size=(4, 3))
    found = lw.project(recording_of(values), method=kernel.T)
    np.testing.assert_allclose(found["position"], values @ kernel, atol=1e-5)
    assert found["component"].to_numpy().tolist() == ["direction 1", "direction 2", "direction 3"]
    assert (found["center"] == 0).all()
    assert "explained_variance_ratio" not in found
    named = xr.DataArray(kernel, {"class": ["he", "she", "it"]}, ("cell", "class"))
    found = lw.project(recording_of(values), method=named, components=2)
    assert found["component"].to_numpy().tolist() == ["he", "she"]
    np.testing.assert_allclose(found["position"], values @ kernel[:, :2], atol=1e-5)


@pytest.mark.parametrize("model", [PCA(3), IncrementalPCA(3), FastICA(3, random_state=0)])
@pytest.mark.parametrize("before", [False, True])
def test_linear_transformers_have_directions(model, before, monkeypatch):
    monkeypatch.setattr(blocks, "ROW_VALUES", 700)
    values = states(2, 300, 6)
    rows = values.reshape(-1, 6)
    model = copy.deepcopy(model)
    if before:
        model.fit(rows[:300])
    found = lw.project(recording_of(values), method=model)
    if before:
        expected = model.transform(rows).reshape(2, 300, 3)
        np.testing.assert_allclose(found["position"], expected, rtol=1e-4, atol=1e-4)
        assert found.attrs["fitted"] == 0
    else:
        assert not hasattr(model, "components_")  # the caller's own stays as it is
        assert found.attrs["fitted"] == 600
    name = type(model).__name__
    assert found.attrs["method"] == name
    assert found["component"].to_numpy().tolist() == [f"{name} {k}" for k in (1, 2, 3)]
    again = lw.positions_of(found, values)
    np.testing.assert_allclose(again, found["position"], rtol=1e-3, atol=1e-3)
    assert ("explained_variance_ratio" in found) == (name != "FastICA")


def test_a_transformer_of_other_cells_is_named():
    states = np.random.default_rng(0).normal(size=(1, 9, 4)).astype(np.float32)
    fitted = PCA(2).fit(np.random.default_rng(1).normal(size=(9, 3)))
    recording = lw.Recording.from_layers([RecordedLayer("rnn", "GRU", {"hidden_state": states})])
    with pytest.raises(
        ValueError, match=r"^method: expected PCA to transform .* 4 cells, .*said: "
    ):
        lw.project(recording, method=fitted)


def test_a_transformer_that_learns_by_parts_gets_all_of_them(monkeypatch):
    monkeypatch.setattr(blocks, "ROW_VALUES", 200)
    monkeypatch.setattr(projecting, "_LEAST_ROWS", 90)
    seen = []

    class Counted:
        def fit(self, _):
            raise AssertionError

        def partial_fit(self, x):
            seen.append(np.array(x))

        def transform(self, x):
            return x[:, :2] ** 2

    values = states(1, 301, 4)
    found = lw.project(recording_of(values), method=Counted())
    assert [len(part) for part in seen] == [100, 100, 101]
    np.testing.assert_array_equal(np.concatenate(seen), values[0])
    np.testing.assert_array_equal(found["position"][0], values[0, :, :2] ** 2)
    assert "direction" not in found


@pytest.mark.parametrize("model", [PCA(3, whiten=True), KernelPCA(3, kernel="rbf", random_state=0)])
def test_what_is_no_product_with_its_components_has_no_directions(model):
    values = states(1, 80, 4)
    found = lw.project(recording_of(values), method=make_pipeline(StandardScaler(), model))
    expected = make_pipeline(StandardScaler(), model).fit(values[0]).transform(values[0])
    np.testing.assert_allclose(np.abs(found["position"][0]), np.abs(expected), atol=1e-4)
    assert {"direction", "center"} & set(found) == set()
    with pytest.raises(ValueError, match=r"one by Pipeline\. Its own transform\(states\)"):
        lw.positions_of(found, values)


def test_positions_of_further_states():
    values = states(2, 40, 5)
    found = lw.project(recording_of(values))
    few = lw.positions_of(found, values[0, 3])
    assert lw.positions_of(found, values[0, :0]).shape == (0, found.sizes["component"])
    np.testing.assert_allclose(few, found["position"][0, 3], atol=1e-6)
    named = xr.DataArray(values[0].T, {"speed": ("point", np.arange(40))}, ("cell", "point"))
    placed = lw.positions_of(found, named)
    assert placed.dims == ("point", "component")
    assert {*placed.coords} == {"speed", "component"}
    np.testing.assert_array_equal(placed, found["position"][0])
    wrong = values[0].copy()
    wrong[4, 1] = np.nan
    assert np.flatnonzero(np.isnan(lw.positions_of(found, wrong)).all(axis=1)).tolist() == [4]
    with pytest.raises(ValueError, match=r"states: expected 5 cells .* \(40, 4\)"):
        lw.positions_of(found, values[0, :, :4])
    with pytest.raises(ValueError, match="expected an axis 'cell', got 'point', 'state'"):
        lw.positions_of(found, xr.DataArray(values[0], dims=("point", "state")))


def test_coordinates_are_those_of_the_recording(tmp_path):
    tokens = np.array([[*"abcdefghij"]] * 2, object)
    layer = RecordedLayer(
        *("lstm", "LSTM", {"hidden_state": states(2, 10, 3)}),
        tokens=tokens,
        positions=np.arange(0, 20, 2),
        initial={"hidden_state": np.zeros((2, 3), np.float32)},
    )
    recording = Recording.from_layers([layer], labels=["one", "two"])
    recording.save(tmp_path / "r")
    for each in (recording, lw.open_recording(tmp_path / "r")):
        found = lw.project(each)
        assert {*found.coords} == {"example", "timestep", "cell", "component", "token", "label"}
        np.testing.assert_array_equal(found["token"], tokens)
        assert found["label"].to_numpy().tolist() == ["one", "two"]
        told = ("layer", "signal", "method", "fitted")
        assert found.attrs == dict(zip(told, ("lstm", "hidden_state", "pca", 20), strict=True))


def test_both_directions_of_a_layer_are_one():
    one, other = states(1, 20, 3), states(1, 20, 3)
    layers = [
        RecordedLayer("b/forward", "LSTM", {"hidden_state": one}),
        RecordedLayer("b/backward", "LSTM", {"hidden_state": other}, go_backwards=True),
    ]
    found = lw.project(Recording.from_layers(layers), "b")
    assert found["direction"].dims == ("component", "cell")
    assert found["direction"].shape == (3, 6)


def test_a_long_recording_is_read_in_blocks(tmp_path, monkeypatch):
    values = states(2, 5000, 8)
    mask = RNG.random((2, 5000)) < 0.9
    recording_of(values, mask).save(tmp_path / "r")
    whole = lw.project(recording_of(values, mask))
    monkeypatch.setattr(blocks, "ROW_VALUES", 4096)
    largest = 0
    read = projecting._rows

    def seen(signal, block):
        nonlocal largest
        rows, there = read(signal, block)
        largest = max(largest, len(there))
        return rows, there

    monkeypatch.setattr(projecting, "_rows", seen)
    found = lw.project(lw.open_recording(tmp_path / "r"))
    assert largest <= 4096 // 8
    np.testing.assert_allclose(found["direction"], whole["direction"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(found["position"], whole["position"], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"signal": "cell_state"}, ValueError, "signal: expected one of 'hidden_state'"),
        ({"layer": "gru"}, LayerNotFoundError, "layer: expected one of 'lstm'"),
        ({"method": "tsne"}, ValueError, "method: expected 'pca', a transformer"),
        ({"method": PCA}, TypeError, "got PCA, a class: make one of it"),
        ({"method": SimpleNamespace(fit_transform=1)}, TypeError, "which has none"),
        ({"method": object()}, TypeError, "method: expected 'pca'"),
        ({"method": np.zeros((4, 2))}, ValueError, r"\(4, 2\); transposed, \.T, it would be one"),
        ({"method": np.zeros(4)}, ValueError, r"\(component, 4 cells\), got an array \(4,\)"),
        ({"method": np.zeros((0, 4))}, ValueError, r"got an array \(0, 4\)"),
        ({"method": [[1, np.nan, 0, 0]]}, ValueError, "expected finite directions"),
        ({"method": xr.DataArray(np.zeros((2, 4)))}, ValueError, "the axes 'dim_0', 'dim_1'"),
        ({"method": np.eye(4), "components": 5}, ValueError, "expected at most 4, the directions"),
        ({"method": np.eye(4), "fit": [0]}, ValueError, "fit: expected nothing with directions"),
        (
            {"method": PCA(2), "components": 3},
            ValueError,
            "at most 2, the components of PCA; got 3",
        ),
        ({"components": 5}, ValueError, "components: expected at most 4"),
        ({"components": 0}, ValueError, "components: expected a positive whole number"),
        ({"fit": [2]}, ValueError, "fit: expected a slice or indices of 2 examples"),
        ({"fit": "all"}, ValueError, "fit: expected a slice or indices"),
        ({"fit": np.ones(7, bool)}, ValueError, r"flags of 2 examples, 9 timesteps, .*\(7,\)"),
        ({"fit": slice(0, 0)}, ValueError, "fit: expected timesteps that aren't padding, got none"),
        ({"fit": np.arange(18).reshape(2, 9) == 1}, ValueError, "two or more timesteps .* got 1"),
    ],
)
def test_errors_say_what_was_expected(options, error, said):
    with pytest.raises(error, match=said):
        lw.project(recording_of(states(2, 9, 4)), **options)


def test_a_transformer_has_to_give_a_row_a_timestep():
    class Wrong:
        def transform(self, x):
            return x.sum(axis=0)

    with pytest.raises(
        ValueError, match=r"Wrong\.transform to give an array \(18, component\), got \(4,\)"
    ):
        lw.project(recording_of(states(2, 9, 4)), method=Wrong())


def test_principal_components_take_no_scikit_learn(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "sklearn"]:
        monkeypatch.setitem(sys.modules, name, None)
    assert lw.project(recording_of(states(1, 9, 4))).sizes["component"] == 3


def variants_of(*values, mask=None):
    return lw.Variants({f"epoch {k}": recording_of(each, mask) for k, each in enumerate(values)})


@pytest.mark.parametrize("name", [None, "epoch 1"])
def test_variants_are_projected_alike(name):
    mask = RNG.random((2, 40)) < 0.8
    values = [states(2, 40, 5), states(2, 40, 5), states(2, 40, 5)]
    variants = variants_of(*values, mask=mask)
    found = lw.project(variants, fit_variant=name, fit=slice(1, 2))
    assert found["position"].dims == ("variant", "example", "timestep", "component")
    assert found["variant"].to_numpy().tolist() == ["epoch 0", "epoch 1", "epoch 2"]
    rows = np.concatenate([v[1][mask[1]] for v in (values if name is None else values[1:2])])
    model = PCA(3, svd_solver="full").fit(rows.astype(np.float64))
    np.testing.assert_allclose(
        found["explained_variance_ratio"], model.explained_variance_ratio_, rtol=1e-6
    )
    for each, got in zip(values, found["position"], strict=True):
        expected = lw.positions_of(found, np.where(mask[..., None], each, np.nan))
        np.testing.assert_array_equal(got, expected)
    assert found.attrs["fitted"] == len(rows)
    by_model = lw.project(variants, fit_variant=name, fit=[1], method=PCA(3, svd_solver="full"))
    np.testing.assert_allclose(np.abs(by_model["position"]), np.abs(found["position"]), atol=1e-4)


def test_errors_of_variants():
    variants = variants_of(states(2, 9, 4), states(2, 9, 4))
    with pytest.raises(
        ValueError, match="fit_variant: expected one of 'epoch 0', 'epoch 1', got 'x'"
    ):
        lw.project(variants, fit_variant="x")
    with pytest.raises(ValueError, match="fit_variant: expected nothing with directions"):
        lw.project(variants, fit_variant="epoch 1", method=np.eye(4))
    with pytest.raises(ValueError, match="fit_variant: expected nothing with one recording"):
        lw.project(variants["epoch 0"], fit_variant="epoch 1")
    apart = variants_of(states(2, 9, 4), states(2, 9, 3))
    with pytest.raises(ValueError, match="expected variants that have a layer in common"):
        lw.project(apart)
    with pytest.raises(ValueError, match="as many cells of 'lstm' in all variants, got 4, 3"):
        lw.project(apart, "lstm")


def test_unless_it_is_said_it_is_the_first_layer_with_the_signal():
    """As an LSTM of PyTorch with projections has its hidden states beside its cells."""
    rng = np.random.default_rng(0)
    tokens = rng.choice(list("abc"), (2, 30)).astype(object)
    cells, projected = rng.normal(size=(2, 2, 30, 4)).astype(np.float32)
    recording = Recording.from_layers(
        [
            RecordedLayer("rnn", "LSTM", {"cell_state": cells}, None, tokens),
            RecordedLayer("rnn/projected", "LSTM", {"hidden_state": projected}, None, tokens),
        ]
    )
    variants = lw.Variants({"one": recording, "other": recording})
    for one in (recording, variants):
        assert lw.project(one).attrs["layer"] == "rnn/projected"
        assert lw.project(one, signal="cell_state").attrs["layer"] == "rnn"
    assert lw.expected_responses(recording, clusters=0).attrs["layer"] == "rnn/projected"
    compared = lw.compare_cells(
        recording, recording, signal=("hidden_state", "cell_state"), shifts=0
    )
    assert (compared.attrs["layer_a"], compared.attrs["layer_b"]) == ("rnn/projected", "rnn")
    found = lw.probe(variants, {"a": "a"}, signal="hidden_state", shifts=0, folds=2)
    assert found.layer == lw.probe(recording, {"a": "a"}, signal="hidden_state", shifts=0).layer
    assert found.layer == "rnn/projected"
    with pytest.raises(ValueError, match="signal: expected one of 'cell_state' of layer 'rnn'"):
        lw.project(recording, signal="forget_gate")


def test_fixed_points_have_their_places():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(2, 1, 30, 4)).astype(np.float32)
    signals = dict(zip(("hidden_state", "cell_state"), values, strict=True))
    recording = Recording.from_layers([RecordedLayer("lstm", "LSTM", signals)])
    joint = rng.normal(size=(5, 8))
    names = {"signal": ("state", np.repeat([*signals], 4)), "cell": ("state", [*range(4)] * 2)}
    points = xr.DataArray(joint, names, ("point", "state"), "state")
    for signal, part in (("hidden_state", joint[:, :4]), ("cell_state", joint[:, 4:])):
        projection = lw.project(recording, signal=signal)
        found = lw.positions_of(projection, points)
        assert found.dims == ("point", "component")
        np.testing.assert_array_equal(found, lw.positions_of(projection, part))
    with pytest.raises(ValueError, match=r"expected those of signal 'cell_state'.*got none"):
        lw.positions_of(projection, points[:, :4])
