"""PyTorch modules of every sort: half types, shared, lazy, compiled, with states of their own."""

from collections import deque
from dataclasses import dataclass

import ml_dtypes
import numpy as np
import pytest
import torch
from torch import nn

import lstm_widgets as lw

HALF = {torch.float16: np.float16, torch.bfloat16: ml_dtypes.bfloat16}


def same(recorded, tensor, atol=1e-6):
    np.testing.assert_allclose(recorded, tensor.detach().float().numpy(), atol=atol)


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_half_types_round_their_states_each_step(kind, dtype):
    torch.manual_seed(0)
    module = kind(3, 8, 2, batch_first=True, bidirectional=True, dtype=dtype)
    x = torch.randn(2, 9, 3).to(dtype)
    recording = lw.record(module, x, check="full")
    parts = [recording[name]["hidden_state"].values for name in list(recording)[-2:]]
    unit = torch.finfo(dtype).eps
    same(np.concatenate(parts, axis=-1), module(x)[0], atol=8 * unit)
    for layer in recording.values():
        for signal in recording.signals(next(iter(recording))):
            values = layer[signal].values
            np.testing.assert_array_equal(values, values.astype(HALF[dtype]).astype(np.float32))
        assert layer.attrs["check"]["tolerance"] > unit


@pytest.mark.parametrize("dtype", HALF)
def test_half_types_in_a_loop_and_with_a_projection(dtype):
    class Stepping(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(3, 4, dtype=dtype)

        def forward(self, x):
            state = None
            for t in range(x.shape[1]):
                state = self.cell(x[:, t], state)
            return state[0]

    torch.manual_seed(1)
    x = torch.randn(2, 5, 3).to(dtype)
    lw.record(Stepping(), x, check="full")
    lw.record(nn.LSTM(3, 4, proj_size=2, batch_first=True, dtype=dtype), x, check="full")
    lw.record(nn.LSTM(3, 4, batch_first=True, dtype=dtype), x.float().numpy(), check="full")


class Twice(nn.Module):
    """One layer under two names, called twice."""

    def __init__(self):
        super().__init__()
        self.first = self.second = nn.GRU(3, 3, batch_first=True)

    def forward(self, x):
        return self.second(self.first(x)[0])[0]


def test_a_layer_that_is_called_twice_is_one_layer():
    torch.manual_seed(2)
    model, x = Twice(), torch.randn(2, 5, 3)
    recording = lw.record(model, x, check="full")
    assert list(recording) == ["first"]
    once = model.first(x)[0]
    same(recording["first:1"]["hidden_state"], once)
    same(recording["first:2"]["hidden_state"], model.first(once)[0])


class Doubling(nn.LSTM):
    def forward(self, x, states=None):
        return super().forward(2 * x, states)[0]


def test_a_subclass_that_calls_its_base():
    torch.manual_seed(3)
    model, x = Doubling(3, 4), torch.randn(5, 2, 3)
    same(lw.record(model, x, check="full")["lstm"]["hidden_state"], model(x).transpose(0, 1))


def test_a_lazy_module_is_built():
    class Lazy(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.rnn = nn.LazyLinear(3), nn.GRU(3, 4, batch_first=True)

        def forward(self, x):
            return self.rnn(self.inner(x))[0]

    model, x = Lazy(), torch.randn(2, 5, 7)
    recording = lw.record(model, x, check="full")
    assert model.inner.in_features == 7
    same(recording["rnn"]["hidden_state"], model(x))


class Keeping(nn.Module):
    """Goes on from where its last call ended; ``buffer``: by a buffer that it writes to."""

    def __init__(self, buffer):
        super().__init__()
        self.rnn, self.buffer = nn.GRU(3, 4, batch_first=True), buffer
        if buffer:
            self.register_buffer("state", torch.zeros(1, 2, 4))
        else:
            self.state = torch.zeros(1, 2, 4)

    def forward(self, x):
        out, state = self.rnn(x, self.state)
        if self.buffer:
            self.state.copy_(state)
        else:
            self.state = state
        return out


@pytest.mark.parametrize("buffer", [True, False])
def test_states_that_a_module_keeps_itself(buffer):
    torch.manual_seed(4)
    model, x = Keeping(buffer), torch.randn(4, 5, 3)
    recording = lw.record(model, x, batch_size=2, check="full")
    assert not model.state.any()
    with torch.no_grad():
        own = torch.cat([model(x[:2]), model(x[2:])])
    same(recording["rnn"]["hidden_state"], own)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("norm", [nn.utils.weight_norm, nn.utils.parametrizations.weight_norm])
def test_weights_that_are_computed(norm):
    torch.manual_seed(5)
    model, x = nn.LSTM(3, 4, batch_first=True), torch.randn(2, 5, 3)
    norm(model, "weight_hh_l0")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.25)
    same(lw.record(model, x, check="full")["lstm"]["hidden_state"], model(x)[0])


class Forward(nn.Module):
    def __init__(self, compiled):
        super().__init__()
        rnn = nn.GRU(3, 4, batch_first=True)
        self.rnn = torch.compile(rnn) if compiled else rnn

    def forward(self, x):
        return self.rnn(x)[0]


def test_compiled_modules_are_recorded_under_their_names():
    x, inner, whole = torch.randn(2, 5, 3), Forward(True), Forward(False)
    whole.compile()
    for model in (inner, whole, torch.compile(Forward(False)), nn.DataParallel(Forward(False))):
        assert list(lw.record(model, x)) == ["rnn"]


def test_what_hooks_make_of_an_output_goes_on():
    torch.manual_seed(6)
    model, x = Twice(), torch.randn(2, 5, 3)
    model.first.register_forward_hook(lambda _, __, returned: (returned[0] * 2, returned[1]))
    recording = lw.record(model, x, check="full")
    same(2 * recording["first:2"]["hidden_state"], model(x))


@pytest.mark.parametrize("first", [True, False], ids=["batch first", "time first"])
def test_a_layer_alone_reads_axes_as_it_says_and_what_a_hook_makes_of_them(first):
    layer = nn.LSTM(2, 3, batch_first=first)
    x = torch.randn(4, 4, 2)  # as many examples as timesteps: the shape doesn't tell
    outputs, _ = layer(x)
    expected = outputs if first else outputs.transpose(0, 1)
    for given in (x, x.numpy(), np.broadcast_to(x.numpy(), x.shape), x.flip(0).numpy()[::-1]):
        recording = lw.record(layer, given)
        np.testing.assert_allclose(
            recording["lstm"]["hidden_state"], expected.detach(), rtol=0, atol=1e-6
        )

    layer.register_forward_pre_hook(lambda _, given: (given[0].mul_(2),))
    doubled, before = lw.record(layer, x), x.clone()
    outputs, _ = layer(x.clone())
    expected = outputs if first else outputs.transpose(0, 1)
    np.testing.assert_allclose(
        doubled["lstm"]["hidden_state"], expected.detach(), rtol=0, atol=1e-6
    )
    assert torch.equal(x, before)


def test_a_projected_hidden_state_is_a_layer_of_its_own(tmp_path):
    torch.manual_seed(7)
    module = nn.LSTM(3, 6, proj_size=2, batch_first=True, bidirectional=True)
    x, states = torch.randn(2, 5, 3), (torch.randn(2, 2, 2), torch.randn(2, 2, 6))
    recording = lw.record(module, (x, states))
    out, (hidden, cell) = module(x, states)
    assert recording.bidirectional["lstm"] == ("lstm/forward", "lstm/backward")
    same(recording["lstm/projected"]["hidden_state"], out)
    same(recording["lstm/forward"]["cell_state"][:, -1], cell[0])
    same(recording["lstm/backward"]["cell_state"][:, 0], cell[1])
    same(recording["lstm/backward/projected"]["hidden_state"][:, 0], hidden[1])
    same(recording["lstm/forward"].initial_cell_state, states[1][0])
    same(recording["lstm/forward/projected"].initial_hidden_state, states[0][0])
    assert "hidden_state" not in recording["lstm/forward"]
    path = tmp_path / "recording.zarr"
    recording.save(path)
    opened = lw.open_recording(path)
    assert list(opened) == list(recording)
    assert opened["lstm/projected"].equals(recording["lstm/projected"])
    assert "Projection" in repr(recording)
    grid = lw.CellGrid(recording, layer="lstm/projected")
    assert grid.signal == "hidden_state"
    assert lw.CellGrid(recording, layer="lstm/forward").signal == "cell_state"


def test_projected_states_can_be_held():
    torch.manual_seed(8)
    module, x = nn.LSTM(3, 6, proj_size=2, batch_first=True), torch.randn(2, 5, 3)
    for layer, signal in (("lstm/projected", "hidden_state"), ("lstm", "cell_state")):
        held = lw.Held(1, 0.5, layer, signal)
        recording = lw.record(module, x, held=held)
        assert (recording[layer][signal][..., 1] == 0.5).all()
    with pytest.raises(ValueError, match="signal: expected one of 'cell_state'"):
        lw.record(module, x, held=lw.Held(1, 0.5, "lstm", "hidden_state"))


class Remembering(nn.Module):
    """Keeps things in lists and dicts, which it changes in their places."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(4)
        self.rnn = nn.GRU(3, 4, batch_first=True)
        self.states, self.counts, self.seen = [None], {"calls": 0}, {3}
        self.last = deque([None], maxlen=1)

    def forward(self, x):
        out, state = self.rnn(x, self.states[-1])
        self.states.append(state)
        self.last.append(state)
        self.counts["calls"] += 1
        self.seen.add(len(x))
        return out


def test_what_a_module_keeps_in_lists_and_dicts_is_left_as_found():
    model, x = Remembering(), torch.randn(2, 5, 3)
    kept = model.states, model.counts, model.seen, model.last
    recording = lw.record(model, x, check="full")
    for one, before in zip((model.states, model.counts, model.seen, model.last), kept, strict=True):
        assert one is before
    assert kept == ([None], {"calls": 0}, {3}, deque([None]))
    same(recording["rnn"]["hidden_state"], model(x))
    # The next call goes on from what the model keeps, and leaves it there.
    state = model.states[-1]
    after = lw.record(model, x)["rnn"]
    assert model.states == [None, state]
    assert model.counts["calls"] == 1
    same(after["hidden_state"], model(x))


@dataclass
class Said:
    logits: torch.Tensor
    hidden: torch.Tensor
    loss: torch.Tensor | None = None


class Saying(nn.Module):
    """Returns a dataclass with the states from which it can go on."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.embed, self.rnn = nn.Embedding(5, 3), nn.GRU(3, 4, batch_first=True)
        self.head = nn.Linear(4, 5)

    def forward(self, ids, hidden=None):
        out, hidden = self.rnn(self.embed(ids), hidden)
        return Said(self.head(out), hidden)


def test_outputs_in_a_dataclass_have_its_names():
    model, text = Saying(), "abcde" * 40
    ids = torch.tensor(["abcde".index(letter) for letter in text])[None]
    said = model(ids).logits.softmax(-1).max(-1).values
    for options in ({}, {"state": "hidden", "batch_size": 60}):
        recording = lw.record(model, text, vocabulary="abcde", top_k=1, **options)
        same(recording.predictions.probability[..., 0], said)
    assert lw.record(model, ids, top_k=1, output="logits").predictions is not None
    found = lw.relevance(model, ids[:, :5], methods="gradient_x_input", at=4, target=2)
    same(found["score"], model(ids[:, :5]).logits[:, 4, 2])


def test_states_of_cells_that_are_returned_are_no_outputs():
    class Stepping(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(6)
            self.lower, self.upper = nn.LSTMCell(3, 4), nn.GRUCell(4, 4)
            self.head = nn.Linear(4, 5)

        def forward(self, x):
            lower, upper, every = None, None, []
            for t in range(x.shape[1]):
                lower = self.lower(x[:, t], lower)
                upper = self.upper(lower[0], upper)
                every.append(self.head(upper))
            return torch.stack(every, 1), (lower, upper)

    model, x = Stepping(), torch.randn(2, 5, 3)
    recording = lw.record(model, x, top_k=1)
    same(recording.predictions.probability[..., 0], model(x)[0].softmax(-1).max(-1).values)
    # Where they are all that is returned, they are what it is for.
    cell = nn.GRUCell(3, 4)
    with_probabilities = lw.record(cell, x[:, 0], top_k=1)
    same(with_probabilities.predictions.probability[:, 0, 0], cell(x[:, 0]).softmax(-1).amax(-1))
