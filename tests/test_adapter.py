"""The adapter is all that the package knows of a framework: one of a few lines of NumPy will do."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import LSTM, Tiny, sigmoid

import lstm_widgets as lw

SYMBOLS = "abcde"


@pytest.fixture(params=[True, False], ids=["stepped", "whole"])
def model(request):
    return Tiny(stepped=request.param)


def signals(layer, x):
    """Compute all signals ``(example, timestep, unit)``, by equations of the test's own."""
    h, c = layer.start(len(x))
    found = {name: [] for name in ("hidden_state", "cell_state", "input_gate", "forget_gate")}
    found |= {"candidate": [], "output_gate": []}
    for t in range(x.shape[1]):
        z = x[:, t] @ layer.kernel + h @ layer.recurrent_kernel + layer.bias
        i, f, g, o = np.split(z, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c = f * c + i * g
        h = o * np.tanh(c)
        for values, new in zip(found.values(), (h, c, i, f, g, o), strict=True):
            values.append(new)
    return {name: np.stack(values, axis=1) for name, values in found.items()}


@pytest.mark.parametrize("check", ["prefix", "full"])
def test_every_signal_is_recorded(model, check):
    ids = np.random.default_rng(1).integers(0, 5, (6, 9))
    recording = lw.record(model, ids, vocabulary=SYMBOLS, top_k=2, check=check, batch_size=4)
    lower = signals(model.lower, model.embedding[ids])
    upper = signals(model.upper, lower["hidden_state"])
    assert recording.signals("lower") == tuple(lower)
    for name, values in lower.items():
        np.testing.assert_allclose(recording["lower"][name], values, atol=1e-6)
        np.testing.assert_allclose(recording["upper"][name], upper[name], atol=1e-6)
    # Each step of the lower layer is a call.
    assert recording["lower"].attrs.get("calls") == ([1] * 9 if model.stepped else None)
    assert recording.tree.attrs["model"] == "tiny"
    probabilities = model(ids)
    np.testing.assert_allclose(
        recording.predictions["probability"], -np.sort(-probabilities, axis=-1)[..., :2], rtol=1e-5
    )
    assert (recording.predictions["predicted_id"][..., 0] == probabilities.argmax(axis=-1)).all()
    assert recording["upper"].hidden_state.token[0].values.tolist() == [SYMBOLS[k] for k in ids[0]]


def test_a_text_is_read_piece_by_piece_and_its_states_are_carried_on():
    model = Tiny(stepped=False)
    ids = np.random.default_rng(2).integers(0, 5, 40)
    recording = lw.record(model, ids, batch_size=7, check="full", top_k=1)
    lower = signals(model.lower, model.embedding[ids[None]])
    upper = signals(model.upper, lower["hidden_state"])
    np.testing.assert_allclose(recording["upper"].cell_state, upper["cell_state"], atol=1e-6)


def test_windows_start_from_the_models_states(model):
    ids = np.random.default_rng(3).integers(0, 5, 12)
    recording = lw.record(model, ids, window=4)
    for t in (3, 7, 11):
        lower = signals(model.lower, model.embedding[ids[None, t - 3 : t + 1]])
        upper = signals(model.upper, lower["hidden_state"])
        np.testing.assert_allclose(
            recording["upper"].hidden_state[0, t], upper["hidden_state"][0, -1], atol=1e-6
        )


@pytest.mark.parametrize("window", [None, 3])
def test_a_text_is_written_on(window):
    model = Tiny(stepped=window is not None)
    written = lw.generate(model, "abc", 8, vocabulary=SYMBOLS, temperature=0, window=window)
    ids = [0, 1, 2]
    for k in range(8):
        read = ids if window is None else ids[-window:]
        probabilities = model(np.array([read]))[0, -1]
        np.testing.assert_allclose(written.probabilities[k], probabilities, rtol=1e-5)
        ids.append(int(probabilities.argmax()))
    assert written.text == "".join(SYMBOLS[k] for k in ids[3:])


def test_what_a_held_cell_costs(model):
    ids = np.random.default_rng(4).integers(0, 5, (3, 8))
    ablation = lw.ablate(
        model, ids, [0, 2], value=0.5, layer="lower", each=True, vocabulary=SYMBOLS
    )

    def loss(held):
        def run(layer, x, states):
            if held is None or layer is not model.lower:
                return layer.run(x, states)
            over_time = []
            for t in range(x.shape[1]):
                _, states = layer.run(x[:, t : t + 1], states)
                states[0][:, held] = 0.5
                over_time.append(states[0])
            return np.stack(over_time, axis=1), states

        probabilities = model(ids, run)[:, :-1]
        return -np.log(np.take_along_axis(probabilities, ids[:, 1:, None], -1)).mean()

    np.testing.assert_allclose(ablation.table["loss"], loss(None), rtol=1e-5)
    np.testing.assert_allclose(ablation.table["loss_held"], [loss(0), loss(2)], rtol=1e-5)


@pytest.mark.parametrize("off", [(1e-3, 1e-3), (1e-3, 0), (0, 1e-3)])
def test_a_wrong_layer_is_found(monkeypatch, model, off):
    run = LSTM.run

    def wrong(self, x, states):
        hidden, states = run(self, x, states)
        return hidden + off[0], [state + off[1] for state in states]

    monkeypatch.setattr(LSTM, "run", wrong)
    with pytest.raises(lw.errors.SelfCheckError, match="layer 'lower'"):
        lw.record(model, np.zeros((2, 5), int))


def test_a_model_of_no_known_framework_is_refused():
    with pytest.raises(TypeError, match=r"model: expected a Keras 3 model .* got builtins.dict"):
        lw.record({}, [[1, 2]])


@pytest.mark.parametrize("timestep", [2, 5])
def test_what_each_token_counts_for_an_output(model, timestep):
    ids = np.random.default_rng(5).integers(0, 5, (2, 6))
    methods = ["lrp", "gradient_x_input", "sensitivity", "integrated_gradients", "occlusion"]
    found = lw.relevance(
        model, ids, methods=methods, target=1, at=timestep, bias_factor=1, tokens=None
    )

    def score(vectors):
        return model.logits(vectors)[:, timestep, 1]

    vectors = model.embedding[ids]
    gradient = np.empty_like(vectors)
    for t, k in np.ndindex(vectors.shape[1:]):
        step = np.zeros_like(vectors)
        step[:, t, k] = 1e-6
        gradient[:, t, k] = (score(vectors + step) - score(vectors - step)) / 2e-6
    np.testing.assert_allclose(found["score"], score(vectors), rtol=1e-6)
    each = found["relevance"]
    np.testing.assert_allclose(
        each.loc["gradient_x_input"], (vectors * gradient).sum(axis=-1), atol=1e-5
    )
    np.testing.assert_allclose(each.loc["sensitivity"], (gradient**2).sum(axis=-1), atol=1e-5)
    for t in range(6):
        without = vectors.copy()
        without[:, t] = 0
        np.testing.assert_allclose(
            each.loc["occlusion"][:, t], score(vectors) - score(without), atol=1e-6
        )
    # Nothing is lost of the score, and nothing is given to what is read later.
    np.testing.assert_allclose(found["gap"].loc[["lrp", "integrated_gradients"]], 0, atol=1e-4)
    np.testing.assert_allclose(each[..., timestep + 1 :], 0, atol=1e-12)
