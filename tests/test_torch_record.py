"""PyTorch modules are recorded as they are: against the fused layers' outputs, and plain steps."""

import copy

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import lstm_widgets as lw

LAYERS = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def stepped(module, x, layer, direction):
    """One layer's direction over one example (timestep, features), by the equations of PyTorch's manual."""
    suffix = f"l{layer}" + ("_reverse" if direction else "")
    weights = {
        name.removesuffix(f"_{suffix}"): value.detach().double().numpy()
        for name, value in module.named_parameters()
        if name.endswith(f"_{suffix}")
    }
    w, u = weights["weight_ih"], weights["weight_hh"]
    b = weights.get("bias_ih", np.zeros(len(w)))
    d = weights.get("bias_hh", np.zeros(len(w)))
    h, c = np.zeros(u.shape[1]), np.zeros(module.hidden_size)
    order = range(len(x))[:: -1 if direction else 1]
    signals = [{} for _ in x]
    for t in order:
        a, r = w @ x[t] + b, u @ h + d
        if isinstance(module, nn.LSTM):
            i, f, g, o = np.split(a + r, 4)
            i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
            c = f * c + i * g
            h = o * np.tanh(c)
            h = weights["weight_hr"] @ h if module.proj_size else h
            signals[t] = {"cell_state": c, "input_gate": i, "forget_gate": f, "candidate": g}
            signals[t]["output_gate"] = o
        elif isinstance(module, nn.GRU):
            (ar, az, an), (rr, rz, rn) = np.split(a, 3), np.split(r, 3)
            reset, z = sigmoid(ar + rr), sigmoid(az + rz)
            n = np.tanh(an + reset * rn)
            h = (1 - z) * n + z * h
            signals[t] = {"reset_gate": reset, "update_gate": z, "candidate": n}
        else:
            h = np.tanh(a + r) if module.nonlinearity == "tanh" else np.maximum(a + r, 0)
        signals[t]["hidden_state"] = h
    return {name: np.stack([one[name] for one in signals]) for name in signals[0]}


@given(
    name=st.sampled_from(["LSTM", "GRU", "RNN"]),
    layers=st.integers(1, 3),
    both=st.booleans(),
    bias=st.booleans(),
    batch_first=st.booleans(),
    packed=st.booleans(),
    double=st.booleans(),
    projected=st.integers(0, 3),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=40, deadline=None)
def test_every_signal_is_that_of_plain_steps(
    *, name, layers, both, bias, batch_first, packed, double, projected, seed
):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    module = LAYERS[name](
        *(3, 4, layers),
        bias=bias,
        batch_first=batch_first,
        bidirectional=both,
        dropout=0.5 if layers > 1 else 0,
        **({"proj_size": projected} if name == "LSTM" else {}),
        dtype=torch.float64 if double else torch.float32,
    )
    x = torch.tensor(rng.normal(size=(3, 5, 3)), dtype=next(module.parameters()).dtype)
    lengths = torch.tensor(rng.integers(1, 6, 3)) if packed else torch.tensor([5, 5, 5])
    inputs = x if batch_first else x.transpose(0, 1)
    if packed:
        inputs = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    recording = lw.record(module, inputs, check="full")
    base = name.lower()
    apart = "/projected" if getattr(module, "proj_size", 0) else ""
    for example in range(3):
        read = x[example, : lengths[example]].double().numpy()
        for layer in range(layers):
            outputs = []
            for direction in range(1 + both):
                parts = [base, *([str(layer)] if layers > 1 else [])]
                parts += [["forward", "backward"][direction]] if both else []
                expected = stepped(module, read, layer, direction)
                for signal, values in expected.items():
                    layer_name = "/".join(parts) + (apart if signal == "hidden_state" else "")
                    ours = recording[layer_name][signal].values[example, : lengths[example]]
                    np.testing.assert_allclose(ours, values, atol=2e-6 if not double else 1e-7)
                outputs.append(expected["hidden_state"])
            read = np.concatenate(outputs, axis=-1)
    own = module.eval()(inputs)[0]
    own = (
        pad_packed_sequence(own, True)[0] if packed else own if batch_first else own.transpose(0, 1)
    )
    last = [n for n in recording if "hidden_state" in recording[n]]
    last = [n for n in last if layers == 1 or f"/{layers - 1}" in n]
    ours = np.concatenate([recording[n]["hidden_state"].values for n in last], axis=-1)
    real = (np.arange(own.shape[1]) < lengths.numpy()[:, None])[..., None]
    np.testing.assert_allclose(
        np.where(real, ours[:, : own.shape[1]], 0), own.detach().numpy(), atol=2e-6
    )


class Reader(nn.Module):
    """Ids, packed by their lengths, as people write it."""

    def __init__(self, **settings):
        super().__init__()
        self.embed = nn.Embedding(11, 4)
        self.rnn = nn.LSTM(4, 6, batch_first=True, **settings)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(6 * (2 if self.rnn.bidirectional else 1), 3)

    def forward(self, ids, lengths):
        packed = pack_padded_sequence(
            self.embed(ids), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        hidden, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
        return self.head(self.dropout(hidden))


def test_padding_is_masked_and_the_order_is_the_one_given():
    torch.manual_seed(0)
    model, lengths = Reader(bidirectional=True), torch.tensor([3, 8, 1, 5])
    ids = torch.randint(0, 11, (4, 8))
    recording = lw.record(model, (ids, lengths), check="full")
    assert list(recording) == ["rnn/forward", "rnn/backward"]
    for layer in recording.values():
        assert layer["mask"].values.sum(axis=1).tolist() == [3, 8, 1, 5]
    alone = lw.record(model, (ids[:1, :3], lengths[:1]))
    for name in recording:
        np.testing.assert_allclose(
            recording[name]["cell_state"][0, :3], alone[name]["cell_state"][0], atol=1e-6
        )


class Stepping(nn.Module):
    """Two cells that the model steps itself, the second one reading the first one's state."""

    def __init__(self):
        super().__init__()
        self.lower, self.upper = nn.LSTMCell(3, 5), nn.GRUCell(5, 4)

    def forward(self, x):
        h, c = x.new_zeros(len(x), 5), x.new_zeros(len(x), 5)
        g = x.new_zeros(len(x), 4)
        said = []
        for t in range(x.shape[1]):
            h, c = self.lower(x[:, t], (h, c))
            g = self.upper(h, g)
            said.append(g)
        return torch.stack(said, dim=1)


def test_cells_that_the_model_steps_are_a_call_a_timestep():
    torch.manual_seed(1)
    model, x = Stepping(), torch.randn(2, 6, 3)
    recording = lw.record(model, x, check="full")
    assert list(recording) == ["lower", "upper"]
    np.testing.assert_allclose(
        recording["upper"]["hidden_state"], model(x).detach().numpy(), atol=1e-6
    )


def test_the_model_is_left_as_it_was_found():
    torch.manual_seed(2)
    model = Reader()
    model.head.eval()
    model(torch.randint(0, 11, (2, 4)), torch.tensor([4, 2])).sum().backward()
    hooks = []
    model.rnn.register_forward_hook(lambda *_: hooks.append(1))
    before = copy.deepcopy(model.state_dict())
    gradients = [p.grad.clone() for p in model.parameters()]
    forward = nn.LSTM.forward
    inputs = (torch.randint(0, 11, (2, 4)), torch.tensor([4, 2]))
    lw.record(model, inputs)
    with pytest.raises(ValueError, match=r"0 to 10, .*'embed' .* id 99"):
        lw.record(model, (torch.full((2, 4), 99), torch.tensor([4, 2])))
    assert hooks
    assert nn.LSTM.forward is forward
    assert model.training
    assert model.rnn.training
    assert not model.head.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        assert torch.equal(parameter.grad, gradient)


def test_what_compiles_or_shares_out_a_model_stands_for_it():
    torch.manual_seed(3)
    model = nn.GRU(3, 4, batch_first=True)
    x = torch.randn(2, 5, 3)
    plain = lw.record(model, x)
    for wrapped in (nn.DataParallel(model), torch.compile(model)):
        again = lw.record(wrapped, x)
        np.testing.assert_array_equal(again["gru"]["hidden_state"], plain["gru"]["hidden_state"])


def test_weights_that_are_computed_are_those_of_the_call():
    torch.manual_seed(4)
    model = nn.LSTM(3, 4, batch_first=True)
    nn.utils.parametrizations.weight_norm(model, "weight_hh_l0")
    with torch.no_grad():
        model.parametrizations.weight_hh_l0.original0.mul_(1.5)
    x = torch.randn(2, 5, 3)
    ours = lw.record(model, x, check="full")["lstm"]["hidden_state"]
    np.testing.assert_allclose(ours, model(x)[0].detach().numpy(), atol=1e-6)


def test_a_class_of_its_own_is_named():
    class OwnLSTM(nn.Module):
        def __init__(self):
            super().__init__()
            self.gates = nn.Linear(4, 8)

        def forward(self, x):
            return self.gates(x)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.own, self.gru = OwnLSTM(), nn.GRU(8, 3, batch_first=True)

        def forward(self, x):
            return self.gru(self.own(x))[0]

    x = torch.randn(2, 5, 4)
    with pytest.raises(lw.UnsupportedLayerError, match=r"layer 'own'.*OwnLSTM"):
        lw.record(Model(), x)
    assert list(lw.record(Model(), x, layers="gru")) == ["gru"]
