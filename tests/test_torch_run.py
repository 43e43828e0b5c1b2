"""Whatever happens inside of a model while a function runs is recorded."""

import keras
import numpy as np
import pytest
import torch
from torch import nn

import lstm_widgets as lw


class Agent:
    """Steps a policy, whose states it keeps."""

    def __init__(self):
        torch.manual_seed(0)
        self.policy = nn.ModuleDict({"core": nn.GRUCell(3, 4), "head": nn.Linear(4, 2)})
        self.state = torch.zeros(1, 4)

    def act(self, observation):
        self.state = self.policy["core"](observation, self.state)
        return int(self.policy["head"](self.state).argmax())

    def play(self, steps):
        rng = np.random.default_rng(1)
        for _ in range(steps):
            self.act(torch.tensor(rng.normal(size=(1, 3)), dtype=torch.float32))


def test_an_agent_that_steps_its_cell():
    agent, again = Agent(), Agent()
    recording = lw.record(
        *(agent.policy,),
        run=lambda _: agent.play(6),
        tokens=[list("abcdef")],
        labels=["game"],
        times=np.arange("2001-01-01", "2001-01-07", dtype="M8[D]"),
        check="full",
    )
    layer = recording["core"]
    again.play(6)
    assert layer["hidden_state"].shape == (1, 6, 4)
    np.testing.assert_allclose(
        layer["hidden_state"][:, -1], again.state.detach().numpy(), atol=1e-6
    )
    assert layer.token[0].values.tolist() == list("abcdef")
    assert layer.label.values.tolist() == ["game"]
    assert str(layer.time.values[1])[:10] == "2001-01-02"
    assert agent.policy.training


class Writer(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.embed, self.rnn = nn.Embedding(5, 3), nn.LSTM(3, 4, batch_first=True)
        self.head = nn.Linear(4, 5)

    def forward(self, ids, hidden=None):
        out, hidden = self.rnn(self.embed(ids), hidden)
        return self.head(out), hidden

    def generate(self, ids, count):
        logits, hidden = self(ids)
        for _ in range(count):
            ids = logits[:, -1:].argmax(-1)
            logits, hidden = self(ids, hidden)
        return hidden


def test_each_call_is_the_next_on_the_time_axis():
    model, ids = Writer(), torch.tensor([[0, 1, 2], [3, 3, 4]])
    found = []
    recording = lw.record(model, run=lambda m: found.append(m.generate(ids, 4)))
    assert recording.call_names("rnn")[-1] == "rnn:5"
    assert recording["rnn"].sizes["timestep"] == 3 + 4
    last = recording["rnn"]["cell_state"][:, -1]
    np.testing.assert_allclose(last, found[0][1][0].numpy(), atol=1e-6)


def test_calls_may_have_different_numbers_of_examples():
    model = Writer()
    batches = [torch.randint(0, 5, shape) for shape in ((2, 3), (4, 2), (1, 3))]
    recording = lw.record(model, run=lambda m: [m(batch) for batch in batches], check="full")
    for k, batch in enumerate(batches):
        count, call = len(batch), recording[f"rnn:{k + 1}"]
        assert call["hidden_state"].shape[:2] == (4, batch.shape[1])
        own = model.rnn(model.embed(batch))[0].detach().numpy()
        np.testing.assert_allclose(call["hidden_state"][:count], own, atol=1e-6)
        if count < 4:
            assert np.isnan(call["forget_gate"][count:]).all()
            assert not call["mask"][count:].any()


def test_an_interrupt_keeps_the_calls_that_were_done():
    model = Writer()

    def run(module):
        module(torch.tensor([[1, 2]]))
        raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted"):
        recording = lw.record(model, run=run)
    assert recording["rnn"].sizes["timestep"] == 2
    with pytest.raises(KeyboardInterrupt):
        lw.record(model, run=lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    assert model.training


def test_a_keras_model_may_be_run_as_well():
    model = keras.Sequential([keras.Input((None, 3)), keras.layers.GRU(4, name="gru")])
    x = np.random.default_rng(3).normal(size=(2, 5, 3)).astype("float32")
    recording = lw.record(model, run=lambda m: m(x))
    same = lw.record(model, x)
    np.testing.assert_array_equal(recording["gru"]["hidden_state"], same["gru"]["hidden_state"])


def test_what_does_not_go_together_is_refused():
    model, x = Writer(), torch.tensor([[1, 2]])
    with pytest.raises(TypeError, match="inputs: expected what the model is called with, or run="):
        lw.record(model)
    with pytest.raises(TypeError, match="run: expected a function"):
        lw.record(model, run=x)
    with pytest.raises(ValueError, match="inputs: expected None with run="):
        lw.record(model, x, run=lambda m: m(x))
    with pytest.raises(ValueError, match="window: expected None with run="):
        lw.record(model, run=lambda m: m(x), window=3)
    with pytest.raises(ValueError, match=r"run: .* recurrent layers .*'rnn'"):
        lw.record(model, run=lambda m: m.embed(x))
    with pytest.raises(ValueError, match="labels: expected one str for each of 1 examples"):
        lw.record(model, run=lambda m: m(x), labels=["a", "b"])
    with pytest.raises(ValueError, match="times: expected as many as a layer has timesteps"):
        lw.record(model, run=lambda m: m(x), times=[1, 2, 3])
