"""What a PyTorch module is recorded with, as people have it: tensors, tuples, dicts, loaders, packed."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import (
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
)
from torch.utils.data import DataLoader, TensorDataset

import lstm_widgets as lw

LETTERS = "abcdefghi"


def same(recorded, tensor, atol=1e-6):
    np.testing.assert_allclose(recorded, tensor.detach().numpy(), atol=atol)


class Tagger(nn.Module):
    """Ids, and lengths if there are any, as a language model reads them."""

    def __init__(self, **settings):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(9, 3)
        self.rnn = nn.LSTM(3, 4, batch_first=True, **settings)
        self.head = nn.Linear(4 * (1 + self.rnn.bidirectional), 9)

    def forward(self, ids, lengths=None):
        vectors = self.embed(ids)
        if lengths is None:
            return self.head(self.rnn(vectors)[0])
        packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
        return self.head(pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0])


class Packing(Tagger):
    def forward(self, ids, lengths):
        return super().forward(ids, lengths)


def texts(*lengths):
    rng = np.random.default_rng(1)
    return [torch.tensor(rng.integers(1, 9, n)) for n in lengths]


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("examples", [1, 2, 3])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_given_states_are_those_of_the_examples(kind, examples, batch_first):
    # Two layers and two timesteps: for two examples every axis of sequences and states is as long.
    torch.manual_seed(2)
    module = kind(4, 4, 2, batch_first=batch_first)
    x = torch.randn((examples, 2, 4) if batch_first else (2, examples, 4))
    states = torch.randn(2, 2, examples, 4)
    start = (states[0], states[1]) if kind is nn.LSTM else states[0]
    recording = lw.record(module, (x, start), check="full")
    own = module(x, start)[0]
    name = {nn.LSTM: "lstm", nn.GRU: "gru", nn.RNN: "rnn"}[kind]
    same(recording[f"{name}/1"]["hidden_state"], own if batch_first else own.transpose(0, 1))
    same(recording[f"{name}/0"].initial_hidden_state, states[0, 0])
    same(recording[f"{name}/1"].initial_hidden_state, states[0, 1])
    if kind is nn.LSTM:
        same(recording["lstm/1"].initial_cell_state, states[1, 1])


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("given", [True, False])
def test_one_sequence_without_an_axis_of_examples(batch_first, given):
    torch.manual_seed(3)
    module = nn.LSTM(3, 4, 2, batch_first=batch_first)
    x, states = torch.randn(5, 3), tuple(torch.randn(2, 2, 4))
    inputs = (x, states) if given else x
    recording = lw.record(module, inputs, check="full")
    same(recording["lstm/1"]["hidden_state"][0], module(x, states if given else None)[0])


class Loop(nn.Module):
    """Reads what stands along the first axis one after the other, with no axis of examples of its own."""

    def __init__(self, kind, *, alone):
        super().__init__()
        torch.manual_seed(9)
        self.cell, self.alone = kind(3, 4), alone

    def forward(self, x):
        zeros, every = torch.zeros(4), []
        two = isinstance(self.cell, nn.LSTMCell)
        states = None if not self.alone else (zeros, zeros) if two else zeros
        for row in x:
            states = self.cell(row, states)
            every.append(states[0] if two else states)
        return torch.stack(every)


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_a_loop_over_the_first_axis(kind, alone):
    model, x = Loop(kind, alone=alone), torch.randn(6, 3)
    same(lw.record(model, x, check="full")["cell"]["hidden_state"][0], model(x))
    if not alone:  # it takes several, with time first, too
        several = torch.randn(6, 2, 3)
        layer = lw.record(model, several, check="full")["cell"]
        same(layer["hidden_state"], model(several).transpose(0, 1))


def test_no_examples():
    for batch_first, shape in ((True, (0, 5, 3)), (False, (5, 0, 3))):
        module = nn.GRU(3, 4, batch_first=batch_first)
        recording = lw.record(module, torch.zeros(shape))
        assert recording["gru"]["hidden_state"].shape == (0, 5, 4)


class TimeFirst(nn.Module):
    """Takes examples first, and turns them itself; ``turned`` what it gives, too."""

    def __init__(self, turned):
        super().__init__()
        self.rnn, self.turned = nn.GRU(3, 4), turned

    def forward(self, x):
        hidden = self.rnn(x.transpose(0, 1))[0]
        return hidden.transpose(0, 1) if self.turned else hidden


@pytest.mark.parametrize("shape", [(2, 5, 3), (5, 2, 3), (4, 4, 3), (1, 4, 3), (4, 1, 3)])
@pytest.mark.parametrize("turned", [True, False])
def test_a_module_that_turns_the_axes_itself(shape, turned):
    torch.manual_seed(4)
    model, x = TimeFirst(turned), torch.randn(shape)
    own = model(x)
    recording = lw.record(model, x, check="full")
    same(recording["rnn"]["hidden_state"], own if turned else own.transpose(0, 1))


@pytest.mark.parametrize("shape", [(2, 5, 3), (5, 2, 3), (4, 4, 3), (1, 4, 3), (4, 1, 3)])
@pytest.mark.parametrize("array", [True, False])
def test_time_first(shape, array):
    torch.manual_seed(5)
    module, x = nn.GRU(3, 4), torch.randn(shape)
    recording = lw.record(module, x.double().numpy() if array else x, check="full")
    same(recording["gru"]["hidden_state"], module(x)[0].transpose(0, 1))
    same(recording.inputs, x.transpose(0, 1))


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("both", [True, False])
def test_packed_sequences_in_either_order(in_order, both):
    torch.manual_seed(6)
    some = [torch.randn(n, 3) for n in ((5, 5, 3, 1) if in_order else (3, 5, 1, 5))]
    module = nn.LSTM(3, 4, bidirectional=both)
    packed = pack_sequence(some, enforce_sorted=in_order)
    start = tuple(torch.randn(2, 1 + both, 4, 4))
    recording = lw.record(module, (packed, start), check="full")
    layer = recording["lstm"]
    assert layer["mask"].values.sum(axis=1).tolist() == [len(one) for one in some]
    own, _ = pad_packed_sequence(module(packed, start)[0], batch_first=True)
    real = layer["mask"].values
    same(layer["hidden_state"].values[real], own[torch.tensor(real)])
    for k, one in enumerate(some):
        alone = module(one, tuple(state[:, k] for state in start))[0]
        same(layer["hidden_state"][k, : len(one)], alone)


def test_packed_batches_are_as_long_as_what_was_packed():
    model, some = Packing(bidirectional=True), texts(3, 2, 4, 1, 5)
    ids, lengths = pad_sequence([*some, torch.zeros(7, dtype=int)], True)[:5], [3, 2, 4, 1, 5]
    tokens = [[LETTERS[i] for i in row] for row in ids]
    recording = lw.record(model, (ids, torch.tensor(lengths)), tokens=tokens, batch_size=2)
    layer = recording["rnn"]
    assert layer.sizes["timestep"] == 7
    assert layer["mask"].values.sum(axis=1).tolist() == lengths
    assert layer.token[4].values.tolist() == tokens[4]
    for k, n in enumerate(lengths):
        alone = lw.record(model, (ids[k : k + 1, :n], torch.tensor([n])))["rnn"]
        same(layer["cell_state"][k, :n], torch.tensor(alone["cell_state"].values[0]))


class Trimming(nn.Module):
    """Reads no farther than its longest example."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(3, 4, batch_first=True)

    def forward(self, x):
        longest = int((x != 0).any(-1).sum(1).max())
        return self.rnn(x[:, :longest])[0]


def test_later_batches_may_be_longer():
    torch.manual_seed(7)
    model, lengths = Trimming(), [2, 1, 5, 3, 4]
    x = pad_sequence([torch.randn(n, 3) for n in lengths], True)
    layer = lw.record(model, x, batch_size=2, check="full")["rnn"]
    assert layer["mask"].values.sum(axis=1).tolist() == [2, 2, 5, 5, 4]
    for rows in (slice(0, 2), slice(2, 4), slice(4, 5)):
        own = model(x[rows])
        same(layer["hidden_state"][rows, : own.shape[1]], own)
        assert np.isnan(layer["update_gate"][rows, own.shape[1] :]).all()


def test_a_loader_gives_its_batches_one_after_the_other():
    model = Tagger()
    ids = torch.randint(0, 9, (7, 5))
    pairs = DataLoader(TensorDataset(ids, torch.arange(7)), batch_size=3)
    one = lw.record(model, pairs, vocabulary=LETTERS, top_k=2, check="full")
    other = lw.record(model, ids, vocabulary=LETTERS, top_k=2)
    np.testing.assert_allclose(one["rnn"]["cell_state"], other["rnn"]["cell_state"], atol=1e-6)
    assert one["rnn"].token.values.tolist() == other["rnn"].token.values.tolist()
    assert one.predictions.predicted_token.equals(other.predictions.predicted_token)


def test_batches_of_a_loader_may_be_of_different_lengths():
    model, some = Tagger(), texts(2, 3, 1, 5, 4)
    loader = DataLoader(some, batch_size=2, collate_fn=lambda rows: pad_sequence(rows, True))
    recording = lw.record(model, loader, vocabulary=LETTERS, top_k=1, check="full")
    layer = recording["rnn"]
    assert layer["mask"].values.sum(axis=1).tolist() == [3, 3, 5, 5, 4]
    for rows, batch in zip((slice(0, 2), slice(2, 4), slice(4, 5)), loader, strict=True):
        same(layer["hidden_state"][rows, : batch.shape[1]], model.rnn(model.embed(batch))[0])
        found = model(batch).softmax(-1).max(-1).values
        same(recording.predictions.probability[rows, : batch.shape[1], 0], found)
    assert layer.token[0].values.tolist() == [*(LETTERS[i] for i in some[0]), "a", "", ""]


class Stepping(nn.Module):
    """A loop of cells, as long as the batch is, or chunks of it, one call after the other."""

    def __init__(self, chunk):
        super().__init__()
        torch.manual_seed(3)
        self.chunk = chunk
        self.rnn = nn.LSTM(3, 4, batch_first=True) if chunk else nn.LSTMCell(3, 4)

    def forward(self, x):
        states, every = None, []
        if self.chunk:
            for piece in x.split(self.chunk, 1):
                y, states = self.rnn(piece, states)
                every.append(y)
            return torch.cat(every, 1)
        for t in range(x.shape[1]):
            states = self.rnn(x[:, t], states)
            every.append(states[0])
        return torch.stack(every, 1)


@pytest.mark.parametrize("chunk", [0, 2])
def test_batches_may_call_a_layer_as_often_as_they_are_long(chunk, tmp_path):
    model, lengths = Stepping(chunk), [7, 2, 5, 1, 7, 3]
    some = [torch.randn(n, 3) for n in lengths]
    loader = DataLoader(some, batch_size=2, collate_fn=lambda rows: pad_sequence(rows, True))
    layer = lw.record(model, loader, check="full")["rnn"]
    longest = [7, 7, 5, 5, 7, 7]
    assert layer["mask"].values.sum(axis=1).tolist() == longest
    for k, batch in enumerate(loader):
        rows = slice(2 * k, 2 * k + 2)
        own = model(batch)
        same(layer["hidden_state"][rows, : own.shape[1]], own)
        assert np.isnan(layer["cell_state"][rows, own.shape[1] :]).all()
    with pytest.warns(UserWarning, match="length by length"):
        by_length = lw.record(model, some)["rnn"]
    assert by_length["mask"].values.sum(axis=1).tolist() == lengths
    # In a file each call stands where that of the first batch does, and none has more.
    written = lw.record(model, loader, to=tmp_path / "longest-first.zarr")["rnn"]
    np.testing.assert_array_equal(written["hidden_state"], layer["hidden_state"])
    np.testing.assert_array_equal(written["mask"], layer["mask"])
    assert written.attrs["calls"] == layer.attrs["calls"]
    shorter_first = DataLoader(some[3:], batch_size=1)
    with pytest.raises(ValueError, match=r"layer 'rnn' has 7 timesteps .* 1, and 1 before"):
        lw.record(model, shorter_first, to=tmp_path / "other.zarr")


def test_calls_of_a_layer_stand_where_those_of_the_first_batch_do(tmp_path):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.GRU(3, 4, batch_first=True)

        def forward(self, x):
            _, last = self.rnn(x)
            return self.rnn(x[:, ::2], last)[0][:, -1]

    some = [torch.randn(1, n, 3) for n in (7, 4, 6)]
    model, loader = Twice(), DataLoader(some, batch_size=None)
    layer = lw.record(model, loader)["rnn"]
    written = lw.record(model, loader, to=tmp_path / "calls.zarr")["rnn"]
    np.testing.assert_array_equal(written["hidden_state"], layer["hidden_state"])
    np.testing.assert_array_equal(written["mask"], layer["mask"])


def test_a_loader_of_batches_of_one_length_is_explained_as_its_batches_together():
    model, ids = Tagger(), torch.randint(1, 9, (4, 5))
    loader = DataLoader(ids, batch_size=3)
    options = {"methods": "gradient_x_input", "at": -1, "target": 2}
    one, other = (lw.relevance(model, inputs, **options) for inputs in (loader, ids))
    np.testing.assert_allclose(one["relevance"], other["relevance"], atol=1e-6)
    assert one["at"].values.tolist() == [4] * 4


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32"])
def test_ids_in_an_array_may_be_small_numbers(dtype):
    model, ids = Tagger(), np.array([[1, 2, 8], [0, 3, 4]])
    one, other = lw.record(model, ids.astype(dtype))["rnn"], lw.record(model, ids)["rnn"]
    np.testing.assert_array_equal(one["hidden_state"], other["hidden_state"])


@pytest.mark.parametrize("named", [True, False])
def test_a_loader_gives_what_forward_needs(named):
    model, lengths = Packing(), (2, 3, 1, 5, 4)

    def collate(rows):
        ids, counts = pad_sequence(rows, True), torch.tensor([len(row) for row in rows])
        y = torch.zeros(len(rows))
        return {"lengths": counts, "y": y, "ids": ids} if named else (ids, counts, y)

    loader = DataLoader(texts(*lengths), batch_size=2, collate_fn=collate)
    layer = lw.record(model, loader, check="full")["rnn"]
    assert layer["mask"].values.sum(axis=1).tolist() == list(lengths)


def test_a_loader_may_pack_or_have_time_first():
    model, some = nn.LSTM(3, 4), [torch.randn(n, 3) for n in (2, 3, 1, 5, 4)]
    packed = DataLoader(some, batch_size=2, collate_fn=lambda r: pack_sequence(r, False))
    time_first = DataLoader(some, batch_size=2, collate_fn=pad_sequence)
    one, other = lw.record(model, packed)["lstm"], lw.record(model, time_first)["lstm"]
    assert one["mask"].values.sum(axis=1).tolist() == [2, 3, 1, 5, 4]
    for k, n in enumerate((2, 3, 1, 5, 4)):
        same(one["hidden_state"][k, :n], torch.tensor(other["hidden_state"].values[k, :n]))


def test_a_shuffling_loader_warns():
    loader = DataLoader(TensorDataset(torch.randint(0, 9, (4, 5))), shuffle=True)
    with pytest.warns(UserWarning, match="shuffles"):
        lw.record(Tagger(), loader)


def test_a_list_has_examples():
    model, some = Tagger(), texts(4, 2, 4)
    with pytest.warns(UserWarning, match="length by length"):
        layer = lw.record(model, some, vocabulary=LETTERS)["rnn"]
    assert layer["mask"].values.sum(axis=1).tolist() == [4, 2, 4]
    for k, one in enumerate(some):
        same(layer["hidden_state"][k, : len(one)], model.rnn(model.embed(one))[0])
    whole = lw.record(model, [some[0], some[2]])["rnn"]
    assert whole["hidden_state"].shape == (2, 4, 4)


class Nested(nn.Module):
    """Takes a tuple of states in a tuple, constants, and keywords."""

    def __init__(self):
        super().__init__()
        self.lower, self.upper = nn.LSTM(3, 4, batch_first=True), nn.GRUCell(4, 4)

    def forward(self, batch, scale, *, flag=False, nothing=None):
        x, (hidden, of_cell) = batch
        assert flag
        assert nothing is None
        out, _ = self.lower(x * scale, hidden)
        for t in range(x.shape[1]):
            of_cell = self.upper(out[:, t], of_cell)
        return of_cell


def test_nested_states_and_constants():
    torch.manual_seed(8)
    model, x = Nested(), torch.randn(4, 3, 3)
    states, of_cell = tuple(torch.randn(2, 1, 4, 4)), torch.randn(4, 4)
    batch = (x, (states, of_cell))
    inputs = {"batch": batch, "scale": torch.tensor(2.0), "flag": True, "nothing": None}
    recording = lw.record(model, inputs, check="full", batch_size=3)
    same(recording["upper"]["hidden_state"][:, -1], model(**inputs))
    same(recording["upper"].initial_hidden_state, of_cell)
    same(recording["lower"].initial_cell_state, states[1][0])


def test_what_stands_before_the_first_layer_never_reads_more_than_a_batch():
    read = []

    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(7, 4)
            self.rnn = nn.LSTM(4, 3, batch_first=True)

        def forward(self, ids):
            read.append(ids.numel())
            return self.rnn(self.embedding(ids))[0]

    ids = torch.randint(0, 7, (640, 30))
    recording = lw.record(Tagger(), ids, batch_size=16)
    assert recording["rnn"].sizes["example"] == 640
    assert max(read) == 16 * 30


def test_states_may_be_lists():
    class Listing(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(8)
            self.embed = nn.Embedding(9, 3)
            self.rnn, self.cell = nn.LSTM(3, 4, batch_first=True), nn.LSTMCell(4, 4)

        def forward(self, ids):
            y, _ = self.rnn(self.embed(ids), [torch.ones(1, len(ids), 4)] * 2)
            states, every = [torch.ones(len(ids), 4)] * 2, []
            for t in range(y.shape[1]):
                states = list(self.cell(y[:, t], states))
                every.append(states[0])
            return torch.stack(every, 1)

    model, ids = Listing(), torch.randint(0, 9, (2, 5))
    same(lw.record(model, ids, check="full")["cell"]["hidden_state"], model(ids))
    found = lw.relevance(model, ids, methods="gradient_x_input", at=4, target=2)
    same(found["score"], model(ids)[:, 4, 2])
