"""Texts read by PyTorch modules, held against Keras models with the same weights and against the modules."""

import keras
import numpy as np
import pytest
import torch
from keras import layers as L
from torch import nn
from torch.nn import functional as F

import lstm_widgets as lw

SYMBOLS = "abcdef "
TEXT = "a bad face, faced".replace(",", "")
SIZE = len(SYMBOLS)


class Reader(nn.Module):
    """What reads ids and says what comes next, as people write it."""

    def __init__(self, *, time_first=False, says="logits", flat=False, both=False):
        super().__init__()
        self.embed = nn.Embedding(SIZE, 4)
        self.rnn = nn.LSTM(4, 6, 2, batch_first=not time_first, dropout=0.3)
        self.head = nn.Linear(6, SIZE)
        self.says, self.flat, self.both = says, flat, both

    def forward(self, ids):
        y, hidden = self.rnn(self.embed(ids))
        y = self.head(y)
        if self.flat:
            y = y.reshape(-1, SIZE)
        if self.says == "log":
            y = F.log_softmax(y, dim=-1)
        if self.says == "probabilities":
            y = y.softmax(dim=-1)
        return (y, hidden) if self.both else y


class WordModel(Reader):
    """The same, which has to be handed its states, and hands them on."""

    def init_hidden(self, batch_size):
        return tuple(self.head.weight.new_zeros(2, batch_size, 6) for _ in range(2))

    def forward(self, ids, hidden):
        y, hidden = self.rnn(self.embed(ids), hidden)
        y = self.head(y)
        hidden = tuple(one.detach().clone() for one in hidden)
        return F.log_softmax(y.reshape(-1, SIZE) if self.flat else y, dim=-1), hidden


@pytest.fixture(scope="module")
def twin():
    """The Keras model, and the weights of a module that are the same."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((None,)),
            L.Embedding(SIZE, 4, embeddings_initializer="random_normal"),
            L.LSTM(6, return_sequences=True, bias_initializer="random_normal", name="lower"),
            L.LSTM(6, return_sequences=True, bias_initializer="random_normal", name="upper"),
            L.Dense(SIZE, bias_initializer="random_normal"),
        ]
    )
    for one in model.weights:
        one.assign(one.numpy() * 2)
    embed, lower, upper, head = (
        [torch.tensor(w) for w in layer.get_weights()] for layer in model.layers
    )
    weights = {"embed.weight": embed[0], "head.weight": head[0].T, "head.bias": head[1]}
    for k, (kernel, recurrent, bias) in enumerate((lower, upper)):
        weights[f"rnn.weight_ih_l{k}"] = kernel.T
        weights[f"rnn.weight_hh_l{k}"] = recurrent.T
        weights[f"rnn.bias_ih_l{k}"], weights[f"rnn.bias_hh_l{k}"] = bias, 0 * bias
    return model, weights


def of(weights, kind=Reader, **settings):
    model = kind(**settings)
    model.load_state_dict(weights)
    return model


def same(found, expected, atol=1e-5):
    """Whether two recordings have the same values and predictions."""
    for name, other in (("rnn/0", "lower"), ("rnn/1", "upper")):
        for signal in ("hidden_state", "cell_state", "forget_gate", "candidate"):
            np.testing.assert_allclose(found[name][signal], expected[other][signal], atol=atol)
        assert found[name].token.values.tolist() == expected[other].token.values.tolist()
    for name in ("probability", "target_probability"):
        np.testing.assert_allclose(
            found.predictions[name], expected.predictions[name], atol=atol, equal_nan=True
        )
    np.testing.assert_array_equal(
        found.predictions.predicted_token, expected.predictions.predicted_token
    )


READERS = [
    {},
    {"says": "log", "flat": True},
    {"says": "probabilities", "both": True},
    {"time_first": True, "both": True},
    {"time_first": True, "flat": True, "says": "log"},
]


@pytest.mark.parametrize("settings", READERS, ids=str)
@pytest.mark.parametrize("options", [{}, {"window": 4}, {"window": 4, "pad": " "}], ids=str)
def test_a_text_is_recorded_as_by_keras(twin, settings, options):
    model = of(twin[1], **settings)
    options = {"vocabulary": SYMBOLS, "top_k": 3, "check": "full"} | options
    same(lw.record(model, TEXT, **options), lw.record(twin[0], TEXT, **options))


@pytest.mark.parametrize("settings", READERS, ids=str)
def test_examples_are_recorded_as_by_keras(twin, settings):
    model = of(twin[1], **settings)
    ids = np.random.default_rng(0).integers(0, SIZE, (4, 5))
    options = {"vocabulary": SYMBOLS, "top_k": 3, "check": "full"}
    given = torch.tensor(ids.T if settings.get("time_first") else ids)
    same(lw.record(model, given, **options), lw.record(twin[0], ids, **options))


@pytest.mark.parametrize(
    ("kind", "settings", "state"),
    [
        (Reader, {}, None),
        (Reader, {"time_first": True, "flat": True, "both": True}, None),
        (WordModel, {"time_first": True, "flat": True}, "hidden"),
        (WordModel, {}, "hidden"),
    ],
)
def test_what_runs_a_model_gives_what_it_gives_for_keras(twin, kind, settings, state):
    model, options = of(twin[1], kind, **settings), {"vocabulary": SYMBOLS}
    ours = {**options, "state": state}
    same(
        lw.record(model, TEXT, top_k=2, batch_size=5, **ours),
        lw.record(twin[0], TEXT, top_k=2, **options),
    )
    found = lw.generate(model, "a b", 6, seed=1, check="full", **ours)
    wanted = lw.generate(twin[0], "a b", 6, seed=1, **options)
    assert found.text == wanted.text
    np.testing.assert_allclose(found.probabilities, wanted.probabilities, atol=1e-5)
    same(found.recording, wanted.recording)
    for each in (False, True):
        cells = {"cells": [0, 3], "value": "mean", "each": each, "concepts": {"a": "a"}}
        found = lw.ablate(model, TEXT, layer="rnn/0", **cells, **ours).table
        wanted = lw.ablate(twin[0], TEXT, layer="lower", **cells, **options).table
        for column in ("loss", "loss_held", "change", "changed_guesses", "a", "not a"):
            np.testing.assert_allclose(found[column], wanted[column], atol=1e-5)
    found = lw.record(model, TEXT, top_k=2, held=lw.Held(2, 0.5, "rnn/1", "cell_state"), **ours)
    wanted = lw.record(
        twin[0], TEXT, top_k=2, held=lw.Held(2, 0.5, "upper", "cell_state"), **options
    )
    same(found, wanted)
    found = lw.WhatIf(model, TEXT, layer="rnn/1", cell=1, value=-0.5, **ours)
    wanted = lw.WhatIf(twin[0], TEXT, layer="upper", cell=1, value=-0.5, **options)
    np.testing.assert_allclose(found.loss_held, wanted.loss_held, atol=1e-5)
    assert found.loss_held != found.loss
    finder = lw.CellFinder(
        lw.record(model, TEXT, **ours), {"a": "a"}, model=model, inputs=TEXT, **ours
    )
    finder._run_without(0, "")
    row = finder.ranking.iloc[0]
    alone = lw.ablate(model, TEXT, row.cell, layer=row.layer, signal=row.signal, **ours).table
    assert finder._encoded(0)["ablation"]["held"] == pytest.approx(alone.loss_held[0])


def test_a_stop_and_tokens_are_as_for_keras(twin):
    model, tokens = of(twin[1]), list(TEXT)
    recording = lw.record(model, tokens, vocabulary=dict(zip(SYMBOLS, range(SIZE), strict=True)))
    assert recording["rnn/0"].token.values[0].tolist() == tokens
    made = lw.generate(model, tokens, 50, vocabulary=list(SYMBOLS), stop="a", seed=0)
    assert made.text.endswith("a")
    assert "a" not in made.text[:-1]


# Long texts ---------------------------------------------------------------------------------------


SEEN = []


class Counting(Reader):
    def forward(self, ids):
        self.longest = max(getattr(self, "longest", 0), ids.shape[1])
        SEEN.append(ids.shape[1])  # what the module keeps itself is left as it was found
        return super().forward(ids)


def test_a_long_text_is_read_piece_by_piece_with_states_carried_on(twin):
    torch.manual_seed(0)
    model, ids = of(twin[1], Counting), torch.randint(0, SIZE, (300,))
    SEEN.clear()
    recording = lw.record(model, ids, batch_size=70, top_k=1, check="full")
    assert max(SEEN) < 300
    assert not hasattr(model, "longest")  # it is left as it was found
    with torch.no_grad():
        expected = model.eval().rnn(model.embed(ids[None]))[0]
    np.testing.assert_allclose(recording["rnn/1"]["hidden_state"], expected, atol=1e-5)


class Backwards(Reader):
    def forward(self, ids):
        return super().forward(ids.flip(1)).flip(1)


class Pooling(Reader):
    def forward(self, ids):
        y, _ = self.rnn(self.embed(ids))
        return self.head(y - y.mean(dim=1, keepdim=True))


@pytest.mark.parametrize("kind", [Backwards, Pooling])
def test_what_cannot_be_read_in_pieces_is_read_at_once(twin, kind):
    model, text = of(twin[1], kind), TEXT * 8
    options = {"vocabulary": SYMBOLS, "top_k": SIZE}
    found = lw.record(model, text, batch_size=65, check="full", **options).predictions
    ids = torch.tensor([[SYMBOLS.index(c) for c in text]])
    expected = model.eval()(ids).softmax(-1).sort(descending=True).values
    np.testing.assert_allclose(found.probability, expected.detach(), atol=1e-5)
    with pytest.raises(ValueError, match=r"cannot read a text token by token; window=\.\.\."):
        lw.generate(model, TEXT, 3, vocabulary=SYMBOLS)


# States that are handed on ------------------------------------------------------------------------


class Packing(WordModel):
    """What hands its states on in a form of its own, beside others by their names."""

    def init_hidden(self):
        return torch.full((1, 2, 12), 0.25)

    def forward(self, ids, memory=None, *, scale=1.0):
        memory = self.init_hidden() if memory is None else memory
        start = tuple(one.transpose(0, 1).contiguous() for one in memory.chunk(2, dim=-1))
        y, (h, c) = self.rnn(self.embed(ids), start)
        return {"scores": self.head(y) * scale, "memory": torch.cat([h, c], -1).transpose(0, 1)}


class StatesFirst(Reader):
    def forward(self, hidden, ids):
        y, hidden = self.rnn(self.embed(ids), hidden)
        return hidden, self.head(y)


@pytest.mark.parametrize(("kind", "state"), [(Packing, "memory"), (StatesFirst, "hidden")])
def test_states_are_the_modules_own(twin, kind, state):
    model = of(twin[1], kind)
    made = lw.generate(model, "ab", 5, vocabulary=SYMBOLS, seed=2, state=state, check="full")
    ids, memory, said = [SYMBOLS.index(c) for c in "ab" + made.text], None, []
    model.eval()
    for part in (ids[:2], *([one] for one in ids[2:])):
        given = torch.tensor([part])
        if kind is Packing:
            scores, memory = model(given, memory).values()
        else:
            memory, scores = model(memory, given)
        said.append(scores[0, -1].softmax(-1).detach().numpy())
    np.testing.assert_allclose(made.probabilities, said[:-1], atol=1e-5)


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        (None, TypeError, r"WordModel.forward takes 'hidden', too: .* state='hidden'"),
        ("hiden", ValueError, r"state: expected .* \('ids', 'hidden'\), got 'hiden'"),
        (3, TypeError, "state: expected the name of an argument, got 3"),
    ],
)
def test_states_that_are_not_said_or_not_there_are_named(twin, state, error, message):
    with pytest.raises(error, match=message):
        lw.record(of(twin[1], WordModel), TEXT, vocabulary=SYMBOLS, state=state)


def test_layers_keep_their_states_in_keras(twin):
    with pytest.raises(ValueError, match="state: expected None, because the states of the model"):
        lw.record(twin[0], TEXT, vocabulary=SYMBOLS, state="hidden")


def test_what_returns_no_states_is_named(twin):
    class Forgetful(WordModel):
        def forward(self, ids, hidden):
            return super().forward(ids, hidden)[0]

    with pytest.raises(ValueError, match=r"state: expected Forgetful.forward to return .* Tensor"):
        lw.record(of(twin[1], Forgetful), TEXT, vocabulary=SYMBOLS, state="hidden")


class Keeping(Reader):
    """What keeps its states from one call to the next."""

    hidden = None

    def forward(self, ids):
        y, self.hidden = self.rnn(self.embed(ids), self.hidden)
        return self.head(y)


def test_states_that_a_module_keeps_are_as_found_before_each_window(twin):
    model, plain = of(twin[1], Keeping), of(twin[1])
    options = {"vocabulary": SYMBOLS, "top_k": 2, "check": "full"}
    for reading in ({"window": 3, "batch_size": len(TEXT)}, {"batch_size": 66}):
        text = TEXT * 5 if "window" not in reading else TEXT
        ours = lw.record(model, text, **options, **reading)
        theirs = lw.record(plain, text, **options, **reading)
        np.testing.assert_allclose(
            ours["rnn/1"].hidden_state, theirs["rnn/1"].hidden_state, atol=1e-6
        )
        assert model.hidden is None


# What stands at a timestep, and what the outputs are ------------------------------------------------


def test_one_hot_vectors_are_read():
    class Vectors(Reader):
        def __init__(self):
            super().__init__()
            self.rnn = nn.LSTM(SIZE, 6, batch_first=True)
            del self.embed

        def forward(self, x):
            return self.head(self.rnn(x)[0])

    torch.manual_seed(1)
    model = Vectors()
    ids = torch.tensor([SYMBOLS.index(c) for c in TEXT])
    vectors = F.one_hot(ids, SIZE).float()
    written = lw.record(model, TEXT, vocabulary=SYMBOLS, top_k=2)
    given = lw.record(model, vectors[None], vocabulary=SYMBOLS, top_k=2)
    for recording in (written, given):
        np.testing.assert_allclose(
            recording["rnn"].hidden_state, model.rnn(vectors[None])[0].detach(), atol=1e-6
        )
        assert "".join(recording["rnn"].token.values[0]) == TEXT
    lw.generate(model, "ab", 3, vocabulary=SYMBOLS, seed=0)


def test_ids_of_which_a_module_makes_vectors_itself_are_read(twin):
    class OneHot(Reader):
        def forward(self, ids):
            y, _ = self.rnn(F.one_hot(ids, SIZE).float() @ self.embed.weight)
            return self.head(y)

    class Own(nn.Module):
        def __init__(self, rnn):
            super().__init__()
            self.rnn = rnn

        def forward(self, ids):
            return self.rnn(F.one_hot(ids, SIZE).float())[0]

    options = {"vocabulary": SYMBOLS, "top_k": 2}
    same(lw.record(of(twin[1], OneHot), TEXT, **options), lw.record(twin[0], TEXT, **options))
    torch.manual_seed(5)
    rnn = nn.GRU(SIZE, SIZE, batch_first=True)
    ids = torch.tensor([[SYMBOLS.index(c) for c in TEXT]])
    found = lw.record(Own(rnn), TEXT, **options)["rnn"].hidden_state
    np.testing.assert_allclose(found, rnn(F.one_hot(ids, SIZE).float())[0].detach(), atol=1e-6)


class Ending(nn.Module):
    def __init__(self, end):
        super().__init__()
        self.rnn, self.head = nn.GRU(3, 4, batch_first=True), nn.Linear(4, 1)
        self.end = end

    def forward(self, x):
        return self.end(self.head(self.rnn(x)[1][-1]))


@pytest.mark.parametrize("frozen", [False, True])
def test_a_single_sigmoid_is_a_probability(frozen):
    model, x = Ending(torch.sigmoid).requires_grad_(not frozen), torch.randn(4, 5, 3)
    found = lw.record(model, x, top_k=2).predictions
    yes = model(x)[:, 0].detach().numpy()
    np.testing.assert_allclose(
        np.sort(found.probability[:, -1]), np.sort(np.stack([yes, 1 - yes], 1)), atol=1e-6
    )
    assert all(p.requires_grad != frozen for p in model.parameters())


@pytest.mark.parametrize("end", [nn.Identity(), nn.ReLU(), lambda x: x.squeeze(-1).unsqueeze(-1)])
def test_a_single_number_is_no_probability(end):
    with pytest.raises(ValueError, match=r"top_k: expected probabilities; .* torch\.sigmoid"):
        lw.record(Ending(end), torch.rand(2, 5, 3), top_k=1)


def test_losses_are_those_of_pytorch():
    torch.manual_seed(2)
    model, x, y = Ending(nn.Identity()), torch.randn(6, 5, 3), torch.randn(6, 1)
    expected = ((model(x) - y)[:, 0] ** 2).mean().item()
    for loss in ("mse", nn.MSELoss(), F.mse_loss, lambda t, o: ((t - o) ** 2)[..., 0]):
        table = lw.ablate(model, x, 1, targets=y.numpy(), loss=loss).table
        assert table.loss[0] == pytest.approx(expected, abs=1e-5)
    with pytest.raises(ValueError, match=r"loss: expected one of 'mse', .* got 'm'"):
        lw.ablate(model, x, 1, targets=y.numpy(), loss="m")


class Packed(Reader):
    def forward(self, ids, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embed(ids), lengths, batch_first=True, enforce_sorted=False
        )
        return self.head(nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0], True)[0])


def test_tokens_and_what_comes_next_are_read_off_packed_ids(twin):
    texts = ["bad face", "a", "cab"]
    ids = [torch.tensor([SYMBOLS.index(c) for c in text]) for text in texts]
    lengths = torch.tensor([len(text) for text in texts])
    given = (nn.utils.rnn.pad_sequence(ids, batch_first=True), lengths)
    packed, options = of(twin[1], Packed), {"vocabulary": SYMBOLS, "top_k": 2}
    found = lw.record(packed, given, check="full", **options)
    table = lw.ablate(packed, given, 1, layer="rnn/1", vocabulary=SYMBOLS).table
    losses = []
    for k, text in enumerate(texts):
        alone = lw.record(twin[0], ids[k].numpy()[None], **options)
        for name, other in (("rnn/0", "lower"), ("rnn/1", "upper")):
            ours, theirs = found[name], alone[other]
            np.testing.assert_allclose(
                ours.cell_state[k, : len(text)], theirs.cell_state[0], atol=1e-5
            )
            assert "".join(ours.token.values[k, : len(text)]) == text
            assert not ours["mask"].values[k, len(text) :].any()
        said = found.predictions.target_probability[k]
        if len(text) > 1:
            wanted = alone.predictions.target_probability[0, :-1]
            np.testing.assert_allclose(said[: len(text) - 1], wanted, atol=1e-5)
        assert np.isnan(said[len(text) - 1 :]).all()
        losses += (-np.log(said[: len(text) - 1])).values.tolist()
    assert table.loss[0] == pytest.approx(np.mean(losses), abs=1e-5)
