"""What a PyTorch module can't be recorded with, or on: each error names what was expected, and what came."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence
from torch.utils.data import DataLoader

import lstm_widgets as lw


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.rnn = nn.Embedding(5, 3), nn.GRU(3, 4, batch_first=True)

    def forward(self, ids, states=None):
        return self.rnn(self.embed(ids), states)[0]


X = torch.zeros(2, 5, 3)


def refused(error, match, model, inputs=X, **options):
    with pytest.raises(error, match=match):
        lw.record(model, inputs, **options)


def test_no_recurrent_layers():
    refused(ValueError, "model: expected at least one recurrent layer", nn.Linear(3, 4))


class Unreached(nn.Module):
    def __init__(self, first):
        super().__init__()
        self.first, self.rnn, self.head = first, nn.LSTM(3, 4), nn.Linear(3, 2)

    def forward(self, x):
        return self.head(x) if self.first is None else self.first(x)


def test_a_layer_that_is_never_reached():
    refused(ValueError, "calls its recurrent layers; it called none of 'rnn'", Unreached(None))
    with pytest.warns(UserWarning, match="didn't call them: rnn"):
        assert list(lw.record(Unreached(nn.GRU(3, 4)), X)) == ["first"]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_another_dtype_than_the_weights(dtype):
    match = rf"inputs: expected the dtype of the model's weights, torch.float32, got {dtype}"
    refused(TypeError, match, nn.LSTM(3, 4), X.to(dtype))
    refused(TypeError, r"inputs\[1\]: expected the dtype", nn.GRU(3, 4), (X, X[:1].to(dtype)))
    refused(TypeError, r"inputs\[0\]: expected the dtype", nn.LSTM(3, 4), [X[0].to(dtype)])


def test_whole_numbers_for_a_layer_that_takes_none():
    # PyTorch says it in its own words, which have changed.
    refused(ValueError, "weight dtype|must have the type", nn.LSTM(3, 4), X.long())

    class Stepping(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.GRUCell(3, 4)

        def forward(self, x):
            return self.cell(x[:, 0])

    match = r"layer 'cell': expected the dtype of its weights, torch.float32, got .*int64"
    refused(ValueError, match, Stepping(), X.long())


def test_another_device_than_the_weights():
    match = r"inputs: expected the device of the model's weights, cpu, got a tensor on meta; .to\('cpu'\)"
    refused(ValueError, match, nn.LSTM(3, 4), X.to("meta"))
    match = "model: expected weights that have numbers, got some on the device meta"
    refused(ValueError, match, nn.LSTM(3, 4, device="meta"))


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_what_is_no_dense_tensor():
    refused(
        TypeError,
        "inputs: expected a dense tensor.* torch.sparse_coo; .to_dense",
        nn.GRU(3, 4),
        X.to_sparse(),
    )
    nested = torch.nested.nested_tensor([X[0], X[1, :2]])
    refused(
        TypeError, "inputs: expected a dense .* nested .* a list of tensors", nn.GRU(3, 4), nested
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool, torch.uint8])
def test_ids_of_a_dtype_that_an_embedding_does_not_take(dtype):
    ids = torch.ones(2, 5, dtype=dtype)
    match = f"inputs: expected ids of torch.int64 .* Embedding 'embed', got {dtype}; .long()"
    refused(TypeError, match, Reader(), ids)
    with pytest.raises(TypeError, match=match):
        lw.relevance(Reader(), ids, target=1, at=4)


def test_a_packed_sequence_for_a_model_that_wants_a_tensor():
    packed = pack_sequence([torch.tensor([1, 2]), torch.tensor([3])])
    match = "inputs: expected a tensor, because Reader .* PackedSequence"
    refused(TypeError, match, Reader(), packed)
    with pytest.raises(TypeError, match=match):
        lw.relevance(Reader(), packed, target=1, at=1)

    class Adding(Reader):
        def forward(self, ids):
            return self.rnn(ids + 1)

    match = "inputs: expected a tensor, because Adding .* PackedSequence"
    refused(TypeError, match, Adding(), packed)


@pytest.mark.parametrize("shape", [(1, 3, 4), (2, 2, 4), (1, 2, 5), (2, 4)])
def test_states_of_the_wrong_shape(shape):
    match = r"inputs\[1\]: expected 2 examples|Expected hidden|hx should"
    with pytest.raises((ValueError, RuntimeError), match=match):
        lw.record(Reader(), (torch.ones(2, 5, dtype=int), torch.zeros(shape)))


@pytest.mark.parametrize(
    ("kind", "states", "match"),
    [
        ("LSTM", torch.zeros(1, 2, 4), r"a tuple \(h_0, c_0\), as torch.nn.LSTM .* got a Tensor"),
        ("LSTM", (None, None), "got a tuple of NoneType, NoneType"),
        ("GRU", (torch.zeros(1, 2, 4),) * 2, "a tensor h_0.* got a tuple of Tensor, Tensor"),
        ("LSTMCell", torch.zeros(2, 4), r"a tuple \(h, c\) of two states \(2, 4\).* got \(2, 4\)"),
        ("LSTMCell", (torch.zeros(2, 4), torch.zeros(2, 5)), r"got \(2, 4\) and \(2, 5\)"),
        ("GRUCell", torch.zeros(3, 4), r"a state \(2, 4\), \(example, cell\), got \(3, 4\)"),
    ],
)
def test_what_is_no_state_names_the_layer(kind, states, match):
    model = nn.Sequential(getattr(nn, kind)(3, 4))
    x = torch.zeros(2, 3) if kind.endswith("Cell") else torch.zeros(5, 2, 3)
    with pytest.raises(ValueError, match=f"layer '0': expected .*{match}"):
        lw.record(model, run=lambda sequence: sequence[0](x, states))


def test_a_cell_that_is_handed_something_of_another_size():
    match = r"layer 'gru_cell': expected an input \(2, 3\), .*; got one of shape \(2, 5\)"
    with pytest.raises(ValueError, match=match):
        lw.record(nn.GRUCell(3, 4), run=lambda cell: cell(torch.zeros(2, 5)))


def test_an_id_that_the_embedding_does_not_have():
    ids = torch.tensor([[1, 2], [7, 1]])
    match = r"ids from 0 to 4, because the Embedding 'embed' has 5 .* the id 7 at position \(1, 0\)"
    refused(ValueError, match, Reader(), ids)
    with pytest.raises(ValueError, match=match):
        lw.record(Reader(), run=lambda model: model(ids))


class Forward(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(3, 4)

    def forward(self, x):
        out, _ = self.rnn(x)
        return out


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_by_torchscript():
    scripted = torch.jit.script(Forward())
    refused(lw.UnsupportedLayerError, "layer 'rnn' .* TorchScript", scripted)
    refused(lw.UnsupportedLayerError, "TorchScript", torch.jit.freeze(scripted.eval()))
    refused(
        lw.UnsupportedLayerError, "layer 'lstm' .* TorchScript", torch.jit.script(nn.LSTM(3, 4))
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_with_an_embedding_by_torchscript():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.rnn = nn.Embedding(5, 3), nn.LSTM(3, 5, batch_first=True)

        def forward(self, ids):
            out, _ = self.rnn(self.embed(ids))
            return out

    ids, match = torch.ones(2, 5, dtype=int), "layer 'rnn' .* TorchScript"
    for made in (torch.jit.script(Tagger()), torch.jit.trace(Tagger(), ids)):
        refused(lw.UnsupportedLayerError, match, made, ids)
        with pytest.raises(lw.UnsupportedLayerError, match=match):
            lw.relevance(made, ids, target=1, at=4)
        with pytest.raises(lw.UnsupportedLayerError, match=match):
            lw.generate(made, "ab", 2, vocabulary="abcde")
    exported = torch.export.export(Tagger(), (ids,)).module()
    refused(lw.UnsupportedLayerError, "torch.export .* use the module itself", exported, ids)


def test_a_class_that_is_built_on_those_of_pytorch_is_named():
    class Own(nn.RNNBase):
        def forward(self, x):
            return x @ self.weight_ih_l0.T

    class Cell(nn.RNNCellBase):
        def forward(self, x):
            return x @ self.weight_ih.T

    refused(lw.UnsupportedLayerError, "layer 'own' .* a class of its own", Own("LSTM", 3, 4))
    cell = nn.Sequential(Cell(3, 4, bias=True, num_chunks=2))
    refused(lw.UnsupportedLayerError, "layer '0' .*Cell, .*register_cell", cell)


def test_a_batch_that_shrinks_says_what_records_it():
    class Shrinking(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.GRUCell(3, 4)

        def forward(self, x, lengths):
            h = torch.zeros(len(x), 4)
            for t in range(x.shape[1]):
                k = int((lengths > t).sum())
                h = torch.cat([self.cell(x[:k, t], h[:k]), h[k:]])
            return h

    model, inputs = Shrinking(), (torch.randn(3, 4, 3), torch.tensor([4, 2, 1]))
    match = r"layer 'cell' .*expected 3, got 2\); run=lambda model: .* any number of examples"
    refused(lw.UnsupportedLayerError, match, model, inputs)
    layer = lw.record(model, run=lambda model: model(*inputs))["cell"]
    assert layer["mask"].values.sum(axis=1).tolist() == [4, 2, 1]


@pytest.mark.parametrize("returned", [None, 1.0, "text", torch.tensor(1.0)])
def test_nothing_to_predict_from(returned):
    class Silent(Reader):
        def forward(self, ids):
            super().forward(ids)
            return returned

    match = "model: expected one that returns an array or a tensor with examples"
    refused(ValueError, match, Silent(), torch.ones(2, 5, dtype=int), top_k=1)


@pytest.mark.filterwarnings("ignore")
def test_quantised():
    dynamic = torch.ao.quantization.quantize_dynamic(Forward(), {nn.GRU}, dtype=torch.qint8)
    refused(lw.UnsupportedLayerError, "layer 'rnn' .* quantised", dynamic)
    refused(lw.UnsupportedLayerError, "quantised", torch.ao.nn.quantizable.LSTM(3, 4))


def test_loaders_that_do_not_fit():
    refused(ValueError, "at least one batch", Forward(), DataLoader([], batch_size=2))
    refused(TypeError, "batches are tensors", Forward(), DataLoader([1], collate_fn=lambda _: "x"))

    class Two(Forward):
        def forward(self, x, lengths):
            return super().forward(x[: len(lengths)])

    refused(ValueError, "2 parts, .* takes x, lengths; got 1", Two(), DataLoader([(X[0],)]))
    turns = iter([torch.stack, pack_sequence])

    def collate(rows):
        return next(turns)(rows)

    mixed = DataLoader([X[0], X[0]], collate_fn=collate)
    refused(ValueError, "batches of one structure", Forward(), mixed)


def test_what_was_done_is_kept_when_interrupted():
    class Stops(Forward):
        def forward(self, x):
            if x.shape[1] == 2 and x[0, 0, 0] == 4:
                raise KeyboardInterrupt
            return super().forward(x)

    model, x = Stops(), torch.arange(6.0).repeat_interleave(15).reshape(6, 5, 3).transpose(0, 1)
    with pytest.warns(UserWarning, match=r"interrupted: .* first 4 of 6 examples"):
        recording = lw.record(model, x, batch_size=2)
    assert recording["rnn"].sizes["example"] == 4
    assert model.training
