"""Comparing cells of two networks: planted pairs, nulls, and similarities against their definitions."""

from __future__ import annotations

import warnings
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cross_decomposition import CCA

import lstm_widgets as lw
from lstm_widgets.analysis import compared_null, similarity
from lstm_widgets.recording import RecordedLayer, Recording


def recording_of(values, mask=None, tokens=None, layer="lstm", **signals):
    examples, timesteps, _ = np.shape(values)
    grid = np.empty((examples, timesteps), object)
    # No example says what another does: none are windows of one series.
    grid[:] = (
        [[f"{k} {t}" for t in range(timesteps)] for k in range(examples)]
        if tokens is None
        else tokens
    )
    every = {"hidden_state": np.asarray(values, np.float32)}
    every |= {name: np.asarray(each, np.float32) for name, each in signals.items()}
    return Recording.from_layers([RecordedLayer(layer, "LSTM", every, mask, grid)])


def slow(rng, shape, keep=0.9):
    """Cells (example, timestep, cell) that change slowly, each by itself."""
    noise = rng.normal(size=shape)
    for t in range(1, shape[1]):
        noise[:, t] = keep * noise[:, t - 1] + np.sqrt(1 - keep**2) * noise[:, t]
    return noise


def network(rng, inputs, cells):
    """A random recurrent network, tanh, over inputs (example, timestep, channel)."""
    into = rng.normal(size=(inputs.shape[2], cells))
    within = rng.normal(size=(cells, cells)) * 0.7 / np.sqrt(cells)
    state = np.zeros((len(inputs), cells))
    states = []
    for t in range(inputs.shape[1]):
        state = np.tanh(inputs[:, t] @ into + state @ within)
        states.append(state)
    return np.stack(states, axis=1)


# Pairs --------------------------------------------------------------------------------------------


def test_a_permuted_copy_with_other_signs_is_matched_exactly():
    rng = np.random.default_rng(0)
    values = network(rng, slow(rng, (6, 80, 3)), 12)
    order, signs = rng.permutation(12), rng.choice([-1.0, 1.0], 12)
    scale = np.exp(rng.normal(size=12))
    copy = (values * signs * scale + rng.normal(size=12))[..., order]
    found = lw.compare_cells(recording_of(values), recording_of(copy), shifts=50)
    np.testing.assert_array_equal(found["match"], np.argsort(order))
    np.testing.assert_array_equal(found["sign"], signs)
    np.testing.assert_allclose(found["score"], 1, atol=1e-6)
    assert (found["q_value"] < 0.05).all()
    assert (found["rotated_p_value"] < 0.05).all()
    assert set(found["reason"].values) == {""}
    np.testing.assert_allclose(found["robustness"], 1, atol=1e-6)
    assert found["svcca_p_value"] < 0.05


def test_networks_with_inputs_of_their_own_match_as_their_null_does():
    ranks, low = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        # Where all begin with the same state, that is what they have in common: their first steps are left out.
        a, b = (network(rng, slow(rng, (4, 90, 3), keep=0.8), 6)[:, 10:] for _ in range(2))
        found = lw.compare_cells(recording_of(a), recording_of(b), shifts=40, seed=seed)
        ranks.append((found["null"].mean("cell_a") >= found["score"].mean()).mean())
        low.append(
            [
                (found["p_value"] <= 0.1).mean(),
                found["cka_p_value"] <= 0.1,
                found["svcca_p_value"] <= 0.1,
            ]
        )
        assert (found["q_value"] > 0.02).all()
    assert 0.35 < np.mean(ranks) < 0.65
    assert (np.mean(low, axis=0) < 0.25).all()  # one in ten are


def test_networks_that_read_the_same_have_something_in_common_but_no_cells():
    rng = np.random.default_rng(2)
    inputs = slow(rng, (6, 80, 3), keep=0.5)
    a, b = (network(rng, inputs, 12) for _ in range(2))
    found = lw.compare_cells(recording_of(a), recording_of(b), shifts=100)
    assert (found["q_value"] < 0.05).any()  # they don't read the shifted inputs
    assert found["cka_p_value"] < 0.05
    # ... but any mixture of the cells does as well.
    rank = (found["rotated_null"] >= found["score"]).mean("rotation")
    assert 0.2 < float(rank.mean()) < 0.8
    assert float((found["rotated_p_value"] < 0.05).mean()) < 0.3


def test_a_pair_of_cells_stands_out_from_what_all_have_in_common():
    rng = np.random.default_rng(3)
    inputs = slow(rng, (6, 80, 3), keep=0.5)
    a, b = (network(rng, inputs, 12) for _ in range(2))
    own = slow(rng, (6, 80), keep=0.8)
    a[..., 4], b[..., 9] = own + 0.2 * rng.normal(size=own.shape), -own
    found = lw.compare_cells(recording_of(a), recording_of(b), shifts=100).sel(cell_a=4)
    assert (int(found["match"]), int(found["sign"])) == (9, -1)
    assert found["q_value"] < 0.05
    assert found["rotated_p_value"] < 0.05


def test_correlation_is_that_of_numpy_whatever_the_blocks(monkeypatch):
    rng = np.random.default_rng(4)
    a, b = rng.normal(1e3, 1, (5, 40, 3)), rng.normal(size=(5, 40, 4))
    mask = rng.random((5, 40)) < 0.7
    ours = lw.compare_cells(recording_of(a, mask), recording_of(b, mask), shifts=0)
    both = np.concatenate([x.astype(np.float32)[mask] for x in (a, b)], axis=1).astype(np.float64)
    expected = np.corrcoef(both.T)[:3, 3:]
    np.testing.assert_allclose(ours["correlation"], expected, atol=1e-12)
    monkeypatch.setattr("lstm_widgets.analysis.co_moments.ROW_VALUES", 7 * 9)
    again = lw.compare_cells(recording_of(a, mask), recording_of(b, mask), shifts=0)
    np.testing.assert_allclose(again["correlation"], expected, atol=1e-12)
    assert np.isnan(ours["p_value"]).all()
    assert ours.sizes["shift"] == 0


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**31))
def test_the_matching_is_the_best_one(p, q, seed):
    correlation = np.random.default_rng(seed).uniform(-1, 1, (p, q))
    wide = np.abs(correlation if p <= q else correlation.T)
    best = max(
        sum(wide[k, j] for k, j in enumerate(way))
        for way in permutations(range(max(p, q)), min(p, q))
    )
    partner = similarity.matched(correlation)
    there = partner >= 0
    assert there.sum() == min(p, q) == len(set(partner[there]))
    assert np.abs(similarity.at_partners(correlation, partner))[there].sum() == pytest.approx(best)


def test_cells_without_values_are_named():
    rng = np.random.default_rng(5)
    values = slow(rng, (4, 50, 5))
    other = values.copy()
    values[1, 3, 1], values[..., 2] = np.nan, 0.1
    other[2, 2, 4] = np.inf
    found = lw.compare_cells(recording_of(values), recording_of(other), shifts=20)
    nothing = "values that aren't finite"
    assert found["reason"].values.tolist() == ["", nothing, "never changes", "", ""]
    assert found["reason_b"].values.tolist() == ["", "", "", "", nothing]
    assert found["match"].values[:4].tolist() == [0, -1, -1, 3]
    assert int(found["match"][4]) in {1, 2}
    for name in ("score", "p_value", "q_value", "rotated_p_value"):
        assert np.isnan(found[name]).values.tolist() == [False, True, True, False, False]
    assert np.isfinite(found["cka"])


def test_slow_drifts_are_no_agreement():
    rng = np.random.default_rng(6)
    drift = np.linspace(-3, 3, 2000)
    a, b = (rng.normal(size=(1, 2000, 2)) for _ in range(2))
    a[0, :, 0] += drift
    b[0, :, 1] -= drift
    found = lw.compare_cells(recording_of(a), recording_of(b), shifts=100)
    assert found["score"][0] > 0.7
    assert found["p_value"][0] > 0.05


def test_windows_are_shifted_within_their_series():
    rng = np.random.default_rng(7)
    series = [slow(rng, (1, 400, 3), keep=0.97)[0] for _ in range(2)]
    windows = np.arange(0, 361, 4)[:, None] + np.arange(40)
    tokens = rng.choice(list("abcdefghij"), 400)[windows]
    a, b = (recording_of(x[windows], tokens=tokens) for x in series)
    with pytest.warns(UserWarning, match="overlap"):
        found = lw.compare_cells(a, b, shifts=100)
    assert (found["q_value"] > 0.05).all()
    assert "overlap" in found.attrs["windows"]
    copy = recording_of(series[0][windows][..., ::-1] * -1, tokens=tokens)
    with pytest.warns(UserWarning, match="overlap"):
        found = lw.compare_cells(a, copy, shifts=100)
    assert found["match"].values.tolist() == [2, 1, 0]
    assert (found["p_value"] < 0.05).all()


def test_of_many_timesteps_some_are_shifted(monkeypatch):
    rng = np.random.default_rng(8)
    values = slow(rng, (8, 50, 3))
    monkeypatch.setattr(compared_null, "HELD", 6 * 120)
    found = lw.compare_cells(recording_of(values), recording_of(values[..., ::-1]), shifts=40)
    assert (found.attrs["timesteps"], found.attrs["null_timesteps"]) == (400, 120)
    assert found["match"].values.tolist() == [2, 1, 0]
    assert (found["p_value"] < 0.05).all()


# Several networks ---------------------------------------------------------------------------------


def test_robustness_is_the_largest_correlation_with_any_cell_of_any_other_seed():
    rng = np.random.default_rng(9)
    seeds = [network(rng, slow(rng, (4, 50, 3)), cells) for cells in (5, 4, 6)]
    first, *others = map(recording_of, seeds)
    variants = lw.Variants({"one": first, "two": others[0], "three": others[1]})
    found = lw.compare_cells(first, variants, shifts=10)
    assert found["variant"].values.tolist() == ["two", "three"]
    assert found["correlation"].dims == ("variant", "cell_a", "cell_b")
    own = seeds[0].astype(np.float32).reshape(-1, 5)
    expected = [
        max(
            abs(np.corrcoef(own[:, j], x[..., k].ravel())[0, 1])
            for x in seeds[1:]
            for k in range(x.shape[2])
        )
        for j in range(5)
    ]
    np.testing.assert_allclose(found["robustness"], expected, atol=1e-6)
    single = lw.compare_cells(first, others[1], shifts=10)
    np.testing.assert_allclose(found["correlation"][1], single["correlation"])
    np.testing.assert_array_equal(found["null"][1], single["null"])
    assert found["match"].dtype.kind == "i"
    assert found["match"].values[0].min() == -1  # five cells, four partners
    assert sorted(found["reason"].values[0]) == ["", "", "", "", "no partner left"]
    assert np.isnan(found["correlation"].values[0, :, 4:]).all()
    as_list = lw.compare_cells(first, others, shifts=0)
    np.testing.assert_array_equal(as_list["robustness"], found["robustness"])


def test_other_layers_and_signals():
    rng = np.random.default_rng(10)
    values = slow(rng, (3, 40, 3))
    a = recording_of(values, layer="one", cell_state=values * 2)
    b = recording_of(rng.normal(size=values.shape), layer="other", cell_state=values[..., ::-1])
    found = lw.compare_cells(a, b, signal=("hidden_state", "cell_state"), shifts=0)
    assert found["match"].values.tolist() == [2, 1, 0]
    assert (found.attrs["layer_a"], found.attrs["layer_b"]) == ("one", "other")
    assert found.attrs["signal_b"] == "cell_state"


def numbered(first, values, sizes=(3, 2), seed=0):
    """Make a recording of two layers, whose names have these numbers; of each a copy, turned around."""
    rng = np.random.default_rng(seed)
    layers = []
    for k, cells in enumerate(sizes):
        mixed = values[k][..., rng.permutation(values[k].shape[2])[:cells]]
        number = f"_{first + k}" if first + k else ""
        signals = {"hidden_state": mixed.astype(np.float32)}
        layers.append(RecordedLayer(f"lstm{number}", "LSTM", signals))
    return Recording.from_layers(layers)


def test_layers_that_are_numbered_otherwise_are_compared_by_place():
    rng = np.random.default_rng(12)
    values = [slow(rng, (2, 60, cells)) for cells in (3, 2)]
    a, *others = (numbered(first, values, seed=first) for first in (0, 1, 5))
    for layer, compared in (
        (None, ("lstm", "lstm_1")),
        ("lstm", ("lstm", "lstm_1")),
        ("lstm_1", ("lstm_1", "lstm_2")),
        (("lstm_1", "lstm_2"), ("lstm_1", "lstm_2")),
    ):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found = lw.compare_cells(a, others[0], layer=layer, shifts=0)
        by_place = [each for each in told if "by their places" in str(each.message)]
        assert len(by_place) == (not isinstance(layer, tuple))
        assert (found.attrs["layer_a"], found.attrs["layer_b"]) == compared
        np.testing.assert_allclose(found["score"], 1, atol=1e-6)
    with pytest.warns(UserWarning, match="by their places"):
        several = lw.compare_cells(a, others, layer="lstm_1", shifts=0)
    np.testing.assert_allclose(several["score"], 1, atol=1e-6)
    with pytest.warns(UserWarning, match="by their places"):
        variants = lw.Variants({"a": a, "b": others[0], "c": others[1]})
    for one in (
        a,
        others[0],
    ):  # neither is compared with itself, whatever its layers are called there
        layers = one.layers[0], "lstm"
        assert lw.compare_cells(one, variants, layer=layers, shifts=0).sizes["variant"] == 2


def test_one_name_of_layers_at_other_places_is_not_compared():
    rng = np.random.default_rng(13)
    values = [slow(rng, (2, 60, cells)) for cells in (4, 4)]
    a, b = numbered(0, values), numbered(1, values, sizes=(2, 2))
    with pytest.raises(ValueError, match=r"'lstm_1' is the second of .* the first of") as raised:
        lw.compare_cells(a, b)
    assert "layer=(that of a, that of b)" in raised.value.__notes__[0]
    found = lw.compare_cells(a, b, layer=("lstm", "lstm_1"), shifts=0)
    assert found.attrs["layer_b"] == "lstm_1"


def test_what_does_not_fit_is_refused():
    rng = np.random.default_rng(11)
    a = recording_of(rng.normal(size=(2, 9, 3)), tokens=list("abcdefghi"))
    with pytest.raises(ValueError, match=r"'b' differs from 'a'.*token"):
        lw.compare_cells(a, recording_of(rng.normal(size=(2, 9, 3)), tokens=list("abcdefghj")))
    with pytest.raises(ValueError, match="layer: expected layers with the same examples"):
        lw.compare_cells(a, recording_of(rng.normal(size=(2, 8, 3)), layer="other"))
    mask = np.arange(9) < [[9], [8]]
    with pytest.raises(ValueError, match="layer: expected layers with the same padding"):
        lw.compare_cells(a, recording_of(rng.normal(size=(2, 9, 3)), mask, layer="other"))
    read = recording_of(rng.normal(size=(2, 9, 3)), layer="other", tokens=list("abcdefghj"))
    with pytest.raises(ValueError, match="that of b has other tokens: 'j' instead of 'i'"):
        lw.compare_cells(a, read)
    with pytest.raises(
        ValueError, match="signal: expected one of 'hidden_state' of layer 'lstm' of a"
    ):
        lw.compare_cells(a, a, signal="cell_state")
    with pytest.raises(ValueError, match="layer: expected a name"):
        lw.compare_cells(a, a, layer=("lstm", "lstm", "lstm"))
    with pytest.raises(
        TypeError, match="a: expected one Recording, got Variants; take one of them"
    ):
        lw.compare_cells(lw.Variants({"a": a}), a)
    with pytest.raises(TypeError, match="b: expected a Recording"):
        lw.compare_cells(a, [a])
    with pytest.raises(TypeError, match="b: expected recordings, got str as 'x'"):
        lw.compare_cells(a, {"x": "path"})


# Similarity of layers -----------------------------------------------------------------------------

VALUES = st.tuples(
    st.integers(3, 40), st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**31)
).map(lambda x: (np.random.default_rng(x[3]), x[0], x[1], x[2]))


def pair(rng, n, p, q):
    common = rng.normal(size=(n, 2))
    x = common @ rng.normal(size=(2, p)) + rng.normal(size=(n, p))
    y = common @ rng.normal(size=(2, q)) + rng.normal(size=(n, q))
    return x - x.mean(axis=0), y - y.mean(axis=0)


def cka(x, y):
    return similarity.linear_cka(x.T @ x, x.T @ y, y.T @ y)


def svcca(x, y):
    return similarity.svcca(x.T @ y, similarity.directions(x.T @ x), similarity.directions(y.T @ y))


def rotation(rng, n):
    return np.linalg.qr(rng.normal(size=(n, n)))[0]


@given(VALUES)
def test_cka_is_that_of_gram_matrices(drawn):
    rng, n, p, q = drawn
    x, y = pair(rng, n, p, q)
    centring = np.eye(n) - 1 / n

    def hsic(one, other):
        return np.trace(one @ centring @ other @ centring) / (n - 1) ** 2

    one, other = (x + 5) @ (x + 5).T, (y - 3) @ (y - 3).T
    assert cka(x, y) == pytest.approx(
        hsic(one, other) / np.sqrt(hsic(one, one) * hsic(other, other))
    )


@given(VALUES)
def test_rotating_or_scaling_all_cells_alike_makes_no_difference(drawn):
    rng, n, p, q = drawn
    x, y = pair(rng, n, p, q)
    turned = 3.5 * x @ rotation(rng, p)
    assert cka(turned, y) == pytest.approx(cka(x, y))
    assert svcca(turned, y) == pytest.approx(svcca(x, y), abs=1e-7)
    assert cka(y, x) == pytest.approx(cka(x, y))
    assert cka(x, turned) == pytest.approx(1)
    assert svcca(x, turned) == pytest.approx(1, abs=1e-6)


@given(VALUES)
def test_svcca_is_the_cosine_of_angles_between_principal_subspaces(drawn):
    rng, n, p, q = drawn
    x, y = pair(rng, n, p, q)
    bases = []
    for each in (x, y):
        u, s, _ = np.linalg.svd(each, full_matrices=False)
        share = np.cumsum(s**2) / (s**2).sum()
        kept = next(k for k in range(1, len(s) + 1) if share[k - 1] >= 0.99 - 1e-12)
        bases.append(np.linalg.qr(u[:, :kept] * s[:kept])[0])
    angles = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    assert svcca(x, y) == pytest.approx(angles.mean(), abs=1e-6)


def test_svcca_is_the_mean_canonical_correlation_of_scikit_learn():
    rng = np.random.default_rng(12)
    x, y = pair(rng, 300, 3, 4)  # nothing is left out
    one, other = CCA(3, max_iter=5000, tol=1e-12).fit_transform(x, y)
    expected = [np.corrcoef(one[:, k], other[:, k])[0, 1] for k in range(3)]
    assert similarity.directions(x.T @ x).shape[1] == 3
    assert svcca(x, y) == pytest.approx(np.mean(expected), abs=1e-6)


def test_layers_are_compared_as_their_cells_are():
    rng = np.random.default_rng(13)
    x, y = pair(rng, 120, 4, 5)
    a, b = (recording_of(each.reshape(3, 40, -1)) for each in (x, y))
    found = lw.compare_cells(a, b, shifts=20)
    assert float(found["cka"]) == pytest.approx(cka(x, y), abs=1e-6)
    assert float(found["svcca"]) == pytest.approx(svcca(x, y), abs=1e-5)
    assert found["cka_null"].shape == found["svcca_null"].shape == (20,)
    assert float(found["svcca_null"].mean()) > 0.1
