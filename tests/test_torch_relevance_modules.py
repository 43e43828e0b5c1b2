"""Relevance through whatever PyTorch users write: packed sequences, loops of cells, masks, attention."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules import module as torch_module
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import lstm_widgets as lw
from lstm_widgets.errors import UnsupportedLayerError
from lstm_widgets.models.adapter import adapter_of

IDS = torch.tensor(np.random.default_rng(0).integers(1, 11, (5, 7)))
LENGTHS = torch.tensor([3, 7, 1, 5, 4])
SERIES = torch.tensor(np.random.default_rng(1).normal(size=(5, 7, 3)))
GRADIENTS = ("sensitivity", "gradient_x_input", "integrated_gradients")


class Reader(nn.Module):
    """What reads ids; what it makes of the hidden states is a function."""

    def __init__(self, then=None, features=4, **settings):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(11, 4)
        self.rnn = nn.LSTM(features, 6, **{"batch_first": True, **settings})
        self.head = nn.Linear(6 * (1 + self.rnn.bidirectional), 3)
        self.norm = nn.LayerNorm(6)
        self.batch_norm = nn.BatchNorm1d(6)
        self.batch_norm.running_mean += 0.3
        self.conv = nn.Conv1d(4, 4, 3, padding=1)
        self.then = then
        self.double()

    def forward(self, ids):
        return self.then(self, ids)


class Packing(Reader):
    def forward(self, ids, lengths):
        given = self.embed(ids)
        packed = pack_padded_sequence(given, lengths.cpu(), batch_first=True, enforce_sorted=False)
        hidden, (last, _) = self.rnn(packed)
        return self.then(self, hidden, last)


def last_state(model, _, last):
    return model.head(torch.cat(list(last[-(1 + model.rnn.bidirectional) :]), -1))


def every_state(model, hidden, _):
    return model.head(pad_packed_sequence(hidden, batch_first=True)[0])


class Gathering(Reader):
    def forward(self, ids, lengths):
        hidden, _ = self.rnn(self.embed(ids))
        last = (lengths - 1).view(-1, 1, 1).expand(-1, 1, hidden.size(2))
        return self.head(hidden.gather(1, last).squeeze(1)).log_softmax(-1)


class Stepping(nn.Module):
    def __init__(self, kind):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(11, 4)
        self.cell = getattr(nn, kind)(4, 6)
        self.head = nn.Linear(6, 1)
        self.double()

    def forward(self, ids):
        given, outputs = self.embed(ids), []
        hidden = torch.zeros(len(ids), 6, dtype=given.dtype)
        state = (hidden, hidden.clone()) if isinstance(self.cell, nn.LSTMCell) else hidden
        for t in range(ids.size(1)):
            state = self.cell(given[:, t], state)
            hidden = state[0] if isinstance(state, tuple) else state
            outputs.append(torch.sigmoid(self.head(hidden)))
        return torch.stack(outputs, 1)


def masked_mean(model, ids):
    mask = (ids != 5).unsqueeze(-1).double()
    hidden, _ = model.rnn(model.embed(ids))
    mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
    return model.head(F.relu(mean, inplace=True))


def normalised(model, ids):
    given = F.gelu(model.conv(model.embed(ids).transpose(1, 2))).transpose(1, 2)
    hidden = model.norm(model.rnn(given)[0])
    pooled = F.max_pool1d(hidden.transpose(1, 2), 7).squeeze(-1)
    turned = model.batch_norm(pooled) @ torch.eye(6, dtype=pooled.dtype)
    return model.head(turned * 2 + 1)


def attention(model, ids):
    hidden, _ = model.rnn(model.embed(ids))
    weights = torch.softmax(hidden.sum(-1), 1)
    read = torch.bmm(weights.unsqueeze(1), hidden).squeeze(1)
    return model.head(read * torch.sigmoid(hidden[:, 0]))


def frozen(model, ids):
    with torch.no_grad():
        given = model.embed(ids)
    hidden = model.rnn(given)[0].detach()
    kept = torch.zeros_like(hidden)
    for t in range(hidden.size(1)):
        kept[:, t] = hidden[:, t]
    kept = kept[:, -1].clone()
    kept += hidden[:, 0]
    return model.head(kept)


def gathered(**settings):
    return Gathering(**settings), (IDS, LENGTHS)


CASES = {
    "packed, last state": (Packing(last_state), (IDS, LENGTHS)),
    "packed, two layers both ways": (
        Packing(last_state, num_layers=2, bidirectional=True, dropout=0.5),
        (IDS, LENGTHS),
    ),
    "packed, over time": (Packing(every_state), (IDS, LENGTHS)),
    "last real timestep": gathered(),
    "time first": (
        Reader(lambda m, x: m.head(m.rnn(m.embed(x))[0][-1]), batch_first=False),
        IDS.t(),
    ),
    "turned inside": (
        Reader(lambda m, x: m.head(m.rnn(m.embed(x.t()))[0][-1])[:, 0], batch_first=False),
        IDS,
    ),
    "masked mean": (Reader(masked_mean), IDS),
    "normalised": (Reader(normalised), IDS),
    "attention": (Reader(attention), IDS),
    "frozen": (Reader(frozen), IDS),
    "LSTMCell": (Stepping("LSTMCell"), IDS),
    "GRUCell": (Stepping("GRUCell"), IDS),
    "RNNCell": (Stepping("RNNCell"), IDS),
    "bare, vectors": (nn.GRU(3, 4, batch_first=True).double(), SERIES),
    "bare, packed": (
        nn.RNN(3, 4, batch_first=True).double(),
        pack_padded_sequence(SERIES, LENGTHS, batch_first=True, enforce_sorted=False),
    ),
    "one-hot inside": (
        Reader(lambda m, x: m.head(m.rnn(F.one_hot(x, 11).double())[0][:, -1]), features=11),
        IDS,
    ),
    "one channel": (
        Reader(lambda m, x: m.head(m.rnn(x.unsqueeze(-1))[0][:, -1]), features=1),
        SERIES[..., 0],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_nothing_of_the_score_is_lost(case):
    model, inputs = CASES[case]
    found = lw.relevance(
        *(model, inputs),
        methods=("lrp", "integrated_gradients"),
        bias_factor=1,
        steps=200 if case in ("masked mean", "normalised") else 40,
    )
    assert np.abs(found["gap"].loc["lrp"]).max() < 1e-12
    assert np.abs(found["gap"].loc["integrated_gradients"]).max() < 2e-3
    assert np.abs(found["relevance"]).max() > 1e-3


@pytest.mark.parametrize(
    "case", ["packed, two layers both ways", "normalised", "attention", "LSTMCell", "frozen"]
)
def test_gradients_are_those_of_finite_differences(case):
    model, inputs = CASES[case]
    at = 2 if case == "LSTMCell" else None
    found = lw.relevance(
        *(model, inputs),
        methods=("gradient_x_input",),
        target=None if case == "LSTMCell" else 1,
        per_dimension=True,
        at=at,
    )
    ids = inputs[0] if isinstance(inputs, tuple) else inputs
    vectors = model.embed(ids).detach()

    def score(given):
        class Given(nn.Module):
            def forward(self, _):
                return given

        own, model.embed = model.embed, Given()
        try:
            with torch.no_grad():
                said = model.eval()(*inputs) if isinstance(inputs, tuple) else model.eval()(ids)
        finally:
            model.embed = own
        return torch.logit(said[:, at, 0]) if at is not None else said[:, 1]

    rng = np.random.default_rng(3)
    move = torch.tensor(rng.normal(size=vectors.shape))
    slope = (score(vectors + 1e-5 * move) - score(vectors - 1e-5 * move)) / 2e-5
    ours = found["relevance_per_dimension"].values[0] / vectors.numpy()
    np.testing.assert_allclose((ours * move.numpy()).sum((1, 2)), slope, atol=1e-8)


def test_packed_sequences_count_as_those_alone_without_padding():
    model, inputs = CASES["packed, two layers both ways"]
    methods = ("lrp", *GRADIENTS, "occlusion")
    found = lw.relevance(model, inputs, methods=methods, bias_factor=1, steps=5)
    real = np.arange(7) < LENGTHS.numpy()[:, None]
    np.testing.assert_array_equal(found["mask"], real)
    assert not found["relevance"].values[:, ~real].any()
    for k in (0, 2):
        length = int(LENGTHS[k])
        some = (IDS[k : k + 1, :length], LENGTHS[k : k + 1])
        alone = lw.relevance(model, some, methods=methods, bias_factor=1, steps=5)
        np.testing.assert_allclose(
            found["relevance"][:, k, :length], alone["relevance"][:, 0], atol=1e-12
        )


def test_what_is_read_behind_the_last_real_timestep_gets_nothing():
    model, inputs = CASES["last real timestep"]
    found = lw.relevance(model, inputs, methods=("lrp", "sensitivity"), bias_factor=1)
    behind = np.arange(7) >= LENGTHS.numpy()[:, None]
    assert not found["relevance"].values[:, behind].any()
    assert found.attrs["meaning"] == "classes"
    own = model.eval()(*inputs).detach().numpy()
    np.testing.assert_allclose(found["confidence"], np.exp(own.max(-1)), atol=1e-12)


def test_attention_counts_as_its_weights_held():
    """Relevance takes what softmax and sigmoid made for constants: so does this module."""
    model, _ = CASES["attention"]
    hidden, _ = model.rnn(model.embed(IDS))
    weights = torch.softmax(hidden.sum(-1), 1).detach()
    gate = torch.sigmoid(hidden[:, 0]).detach()

    def held(model, ids):
        hidden, _ = model.rnn(model.embed(ids))
        return model.head(
            torch.bmm(weights[: len(ids), None], hidden).squeeze(1) * gate[: len(ids)]
        )

    found = lw.relevance(model, IDS, methods="lrp", bias_factor=1)
    expected = lw.relevance(Reader(held), IDS, methods="lrp", bias_factor=1)
    np.testing.assert_allclose(found["relevance"], expected["relevance"], atol=1e-12)


class WordModel(nn.Module):
    """A language model as people write it: states in, states out, all predictions along one axis."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Embedding(11, 4)
        self.rnn = nn.LSTM(4, 6, 2, dropout=0.5)
        self.decoder = nn.Linear(6, 11)
        self.double()

    def init_hidden(self, examples):
        return (torch.zeros(2, examples, 6).double(), torch.zeros(2, examples, 6).double())

    def forward(self, ids, hidden):
        read, hidden = self.rnn(self.encoder(ids), hidden)
        return F.log_softmax(self.decoder(read).view(-1, 11), dim=1), hidden


def test_language_models_that_are_handed_their_states():
    model = WordModel()
    found = lw.dependency(model, IDS.t(), state="hidden", target="next")
    assert found.dims == ("example", "timestep", "input_timestep")
    vectors = model.encoder(IDS.t()).detach().requires_grad_()
    scores = model.decoder(model.eval().rnn(vectors)[0])
    (slope,) = torch.autograd.grad(scores[3, 1, IDS[1, 4]], vectors)
    np.testing.assert_allclose(found[1, 3], slope[:, 1].norm(dim=-1), atol=1e-12)
    explained = lw.relevance(model, IDS.t(), state="hidden", methods="lrp", at=3, bias_factor=1)
    assert explained.attrs["meaning"] == "classes"
    assert np.abs(explained["gap"]).max() < 1e-12


def test_projected_states_are_gone_through():
    torch.manual_seed(0)
    model = nn.LSTM(3, 6, 2, batch_first=True, proj_size=2, bidirectional=True).double()
    options = {"methods": ("lrp", "gradient_x_input"), "bias_factor": 1, "target": 1}
    found = lw.relevance(model, SERIES, **options)
    assert np.abs(found["gap"].loc["lrp"]).max() < 1e-12
    series = SERIES.clone().requires_grad_()
    (slope,) = torch.autograd.grad(model(series)[0][:, -1, 1].sum(), series)
    ours = found["relevance"].loc["gradient_x_input"]
    np.testing.assert_allclose(ours, SERIES * slope, atol=1e-12)
    for layer, signal in (("1/forward", "cell_state"), ("1/forward/projected", "hidden_state")):
        options = {"layer": f"lstm/{layer}", "cell": 1, "signal": signal, "at": 3}
        state = lw.relevance(model, SERIES, methods="lrp", bias_factor=1, **options)
        recorded = lw.record(model, SERIES)[f"lstm/{layer}"][signal]
        np.testing.assert_allclose(state["score"], recorded[:, 3, 1], atol=1e-6)
        assert np.abs(state["gap"]).max() < 1e-12


@pytest.mark.parametrize(("dtype", "apart"), [(torch.float16, 0.02), (torch.bfloat16, 0.1)])
def test_half_precision_is_as_near_as_it_can_be(dtype, apart):
    model, inputs = CASES["packed, two layers both ways"]
    options = {"methods": ("lrp", *GRADIENTS), "bias_factor": 1, "epsilon": 0.1, "steps": 3}
    exact = lw.relevance(model, inputs, **options)["relevance"]
    half = Packing(last_state, num_layers=2, bidirectional=True, dropout=0.5).to(dtype)
    found = lw.relevance(half, inputs, **options)["relevance"]
    assert found.dtype == np.float32
    assert float(np.abs(found - exact).max()) < apart * float(np.abs(exact).max())


def test_any_module_inside_can_be_the_source():
    class Projecting(Reader):
        def __init__(self):
            super().__init__()
            self.project = nn.Linear(3, 4).double()

        def forward(self, series):
            return self.head(self.rnn(torch.tanh(self.project(series)))[0][:, -1])

    found = lw.relevance(
        *(Projecting(), SERIES),
        methods=("lrp", "integrated_gradients"),
        source="project",
        bias_factor=1,
    )
    assert found.attrs["source"] == "project"
    assert np.abs(found["gap"]).max() < 1e-8
    with pytest.raises(ValueError, match="source: expected one of 'inputs'"):
        lw.relevance(Projecting(), SERIES, source="rojec")


def test_what_has_no_rule_is_named_and_where_it_stands():
    class Squaring(nn.Module):
        def forward(self, hidden):
            return hidden * hidden

    model = Reader(lambda m, x: m.head(m.square(m.rnn(m.embed(x))[0][:, -1])))
    model.square = Squaring()
    with pytest.raises(UnsupportedLayerError, match="no rule for torch's mul in 'square'"):
        lw.relevance(model, IDS, methods="lrp")
    found = lw.relevance(model, IDS, methods=GRADIENTS, steps=20)
    assert np.abs(found["gap"].loc["integrated_gradients"]).max() < 1e-8


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(_, values):
        return values * 2

    @staticmethod
    def backward(_, given):
        return given * 2


@torch.jit.script
def gated(values: torch.Tensor) -> torch.Tensor:
    return values * values.sigmoid()


@pytest.mark.parametrize(("function", "name"), [(Doubled.apply, "Doubled"), (gated, "Mul")])
def test_what_is_computed_out_of_sight_is_refused(function, name):
    """Else it would hand on its gradient in the place of relevance."""
    model = Reader(lambda m, x: m.head(function(m.rnn(m.embed(x))[0][:, -1])))
    with pytest.raises(UnsupportedLayerError, match=f"no rule for '{name}'"):
        lw.relevance(model, IDS, methods="lrp")
    found = lw.relevance(model, IDS, methods="integrated_gradients")
    assert np.abs(found["gap"]).max() < 1e-8


class OwnCell(nn.Module):
    """An LSTM written in PyTorch's functions, with the weights of PyTorch's own."""

    def __init__(self, rnn):
        super().__init__()
        self.weights = nn.ParameterList(rnn.parameters())

    def forward(self, given):
        w, u, b, d = self.weights
        hidden = cell = torch.zeros(len(given), u.shape[1], dtype=given.dtype)
        for t in range(given.shape[1]):
            both = torch.cat([given[:, t], hidden], 1)
            gates = F.linear(both, torch.cat([w, u], 1), b + d)
            i, f, g, o = gates.chunk(4, 1)
            cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
            hidden = torch.sigmoid(o) * torch.tanh(cell)
        return hidden


def test_gates_of_a_recurrence_of_ones_own_take_nothing():
    model = Reader(lambda m, x: m.head(m.rnn(m.embed(x))[0][:, -1]))
    expected = lw.relevance(model, IDS, methods="lrp")
    own = OwnCell(model.rnn)
    model.then = lambda m, x: m.head(own(m.embed(x)))
    found = lw.relevance(model, IDS, methods="lrp")
    np.testing.assert_allclose(found["relevance"], expected["relevance"], atol=1e-12)


def test_what_has_no_rule_but_isnt_on_the_way_changes_nothing():
    class Both(Reader):
        def forward(self, ids):
            last = self.rnn(self.embed(ids))[0][:, -1]
            return {"class": self.head(last), "norm": last.pow(2).sum(-1, keepdim=True)}

    found = lw.relevance(Both(), IDS, methods="lrp", output="class", bias_factor=1)
    plain = lw.relevance(
        Reader(lambda m, x: m.head(m.rnn(m.embed(x))[0][:, -1])), IDS, methods="lrp", bias_factor=1
    )
    np.testing.assert_array_equal(found["relevance"], plain["relevance"])
    with pytest.raises(UnsupportedLayerError, match="no rule for torch's pow"):
        lw.relevance(Both(), IDS, methods="lrp", output="norm")


@pytest.mark.parametrize(
    ("then", "error", "match"),
    [
        (
            lambda m, x: m.head(m.rnn(m.embed(x) + m.embed2(x))[0][:, -1]),
            ValueError,
            "source: the model has several, name one of 'embed', 'embed2'",
        ),
        (
            lambda m, x: m.head(torch.from_numpy(m.rnn(m.embed(x))[0][:, -1].detach().numpy())),
            UnsupportedLayerError,
            "makes NumPy of what it computes",
        ),
        (
            lambda m, x: m.rnn(m.embed(x))[0][:, None],
            ValueError,
            r"expected outputs \(example, class\)",
        ),
    ],
)
def test_bad_models_are_refused_by_name(then, error, match):
    model = Reader(then)
    model.embed2 = nn.Embedding(11, 4).double()
    with pytest.raises(error, match=match):
        lw.relevance(model, IDS)


@pytest.mark.parametrize("stopped", [False, True])
def test_the_model_is_left_as_it_was_found(stopped):
    model = Reader(masked_mean).train()
    model.then = masked_mean if not stopped else (lambda m, x: masked_mean(m, x).pow(2))
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    model.head.bias.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    if stopped:
        with pytest.raises(UnsupportedLayerError):
            lw.relevance(model, IDS, methods="lrp")
    else:
        lw.relevance(model, IDS, methods=("lrp", *GRADIENTS), bias_factor=1)
    assert model.training
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == (name != "head.bias")
        assert bool((parameter.grad == 1).all())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert not torch_module._global_forward_hooks
    assert not torch_module._global_forward_pre_hooks
    assert torch.is_grad_enabled()


def test_what_a_pass_keeps_is_freed_with_it():
    model = Reader(normalised)
    adapter = adapter_of(model)
    explained = adapter.explained(IDS.numpy())
    (batch,) = explained.batches("")
    done = explained.run(batch, relevance=True)
    seen = weakref.ref(done.sources[0][1])
    explained.score(done, np.zeros(5, int), None)
    del done
    gc.collect()
    assert seen() is None
