# What this framework has no use for, it is told all the same.
# ruff: noqa: ARG002
"""A framework in a few lines of NumPy, and the adapter that makes its models known to the package.

Its model reads ids: an embedding, an LSTM ``lower`` that the model may step itself, one timestep a
call, an LSTM ``upper`` that reads whole sequences, and a softmax over the next id. All of it is
computed in float64, by equations that stand here.
"""

from __future__ import annotations

import contextlib
import types
from collections import Counter
from dataclasses import dataclass

import numpy as np

from lstm_widgets.models.adapter import Adapter, Input, Result, register
from lstm_widgets.rnn import gradients, relevance_rules
from lstm_widgets.rnn.cells import KINDS, Cell
from lstm_widgets.rnn.relevance_rules import linear
from lstm_widgets.rnn.scan import scan
from lstm_widgets.rnn.sequences import Sequences


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class LSTM:
    """An LSTM layer: gates side by side, in the order input, forget, candidate, output."""

    def __init__(self, name, features, units, rng):
        self.name, self.units = name, units
        self.kernel = rng.normal(size=(features, 4 * units))
        self.recurrent_kernel = rng.normal(size=(units, 4 * units)) / 2
        self.bias = rng.normal(size=4 * units) / 4

    def start(self, examples):
        return [np.zeros((examples, self.units)) for _ in range(2)]

    def run(self, x, states):
        """Run over ``(example, timestep, features)``; return hidden states, and the last states."""
        hidden, cell = states
        over_time = []
        for t in range(x.shape[1]):
            z = x[:, t] @ self.kernel + hidden @ self.recurrent_kernel + self.bias
            i, f, g, o = np.split(z, 4, axis=1)
            cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
            hidden = sigmoid(o) * np.tanh(cell)
            over_time.append(hidden)
        return np.stack(over_time, axis=1), [hidden, cell]


class Tiny:
    """A model of the next id. With ``stepped``, it steps its lower layer itself."""

    def __init__(self, symbols=5, *, stepped, seed=0):
        rng = np.random.default_rng(seed)
        self.symbols, self.stepped = symbols, stepped
        self.embedding = rng.normal(size=(symbols, 3))
        self.lower, self.upper = LSTM("lower", 3, 4, rng), LSTM("upper", 4, 3, rng)
        self.readout = rng.normal(size=(3, symbols)) * 2

    def logits(self, vectors, run=LSTM.run):
        """Give ``(example, timestep, symbol)`` of the embedding's vectors.

        ``run(layer, x, states)`` is what runs a layer.
        """
        if self.stepped:
            states, over_time = self.lower.start(len(vectors)), []
            for t in range(vectors.shape[1]):
                hidden, states = run(self.lower, vectors[:, t : t + 1], states)
                over_time.append(hidden)
            x = np.concatenate(over_time, axis=1)
        else:
            x, _ = run(self.lower, vectors, self.lower.start(len(vectors)))
        x, _ = run(self.upper, x, self.upper.start(len(x)))
        return x @ self.readout

    def __call__(self, ids, run=LSTM.run):
        powers = np.exp(self.logits(self.embedding[ids], run))
        return powers / powers.sum(axis=-1, keepdims=True)


@dataclass(frozen=True)
class TinyLayer:
    """A layer of it, as the package sees it."""

    layer: LSTM
    stepped: bool
    kinds = ("LSTM",)
    dtypes = ("float64",)
    problem = ""
    optional = go_backwards = False

    @property
    def name(self):
        return self.layer.name

    @property
    def units(self):
        return (self.layer.name,)

    @property
    def sizes(self):
        return (self.layer.units,)

    def config(self):
        return {"units": self.layer.units}


@dataclass(frozen=True)
class TinyCall:
    """One call of a layer."""

    layer: TinyLayer
    number: int
    x: np.ndarray
    states: list
    mask = None
    over_time = True

    @property
    def cells(self):
        layer = self.layer.layer
        return (
            Cell(
                kind="LSTM",
                kernel=layer.kernel,
                recurrent_kernel=layer.recurrent_kernel,
                bias=layer.bias,
                activation_names=("tanh", "sigmoid"),
            ),
        )

    def own(self, x, states, mask, *, compiled=False):
        return self.layer.layer.run(x, states)

    def step(self, cell, x, states):
        return self.layer.layer.run(x[:, None], states)[1]

    def returned(self, hidden, mask, *, begun=False):
        return hidden


class TinyRun:
    """The model, ready to run."""

    def __init__(self, model, layers, loop):
        self._model = model
        self._layers = {one.name: one for one in layers}
        self._loop = loop

    def _outputs(self, batch, run):
        called = Counter()

        def ran(layer, x, states):
            called[layer.name] += 1
            one, number = self._layers[layer.name], called[layer.name]
            return run(TinyCall(one, number, x, self._loop.starts(one, number, states)))

        return {"next": self._model(batch, ran)}

    def __call__(self, batch):
        def ran(call):
            result = self._loop.run(call)
            assert isinstance(result, Result)
            return result.hidden, result.states

        return self._outputs(batch, ran)

    def alone(self, batch):
        return self._outputs(batch, lambda call: call.own(call.x, call.states, None))

    def activation(self, output, batch):
        return "softmax"

    def state(self):
        return {}

    def resume(self, state):
        assert not state


class TinyAdapter(Adapter):
    """What the package knows of such a model."""

    name = "tiny"
    packages = ("numpy",)

    def __init__(self, model):
        self._model = model

    def config(self):
        return {"symbols": self._model.symbols}

    def weights(self):
        model = self._model
        for layer in (model.lower, model.upper):
            yield from (layer.kernel, layer.recurrent_kernel, layer.bias)
        yield from (model.embedding, model.readout)

    @property
    def inputs(self):
        return (Input("ids", (None, None), "int64"),)

    @property
    def outputs(self):
        return {"next": (None, None, self._model.symbols)}

    @property
    def layers(self):
        model = self._model
        return [TinyLayer(model.lower, model.stepped), TinyLayer(model.upper, stepped=False)]

    def obstacles(self):
        if self._model.stepped:
            yield "the model 'tiny'", True

    def build(self, first):
        pass

    @contextlib.contextmanager
    def running(self, layers, loop, *, pieces=False, every_output=False, fresh=False):
        yield TinyRun(self._model, layers, loop)

    def explained(self, inputs, *, source=None, cell=None, output=None, batch_size=None, **checks):
        assert source is cell is output is None, "this adapter explains its output only"
        return TinyExplained(self._model, np.asarray(inputs))


# The way back ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TinyBatch:
    ids: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class TinySource:
    name = "embedding"
    layer = "embedding"
    leaves = (0,)


@dataclass(frozen=True)
class TinyScore:
    """One logit a row, and where it stands among the logits."""

    values: np.ndarray
    there: np.ndarray  # 1 where the score stands, ``(row, timestep, symbol)``

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)


class TinyPass:
    """A call of the model: what each layer received and did, and the way back."""

    mask = None
    kept = types.MappingProxyType({})

    def __init__(self, model, vectors):
        self._model, self.source = model, vectors
        self._steps = []

        def ran(layer, x, states):
            adapted = TinyCall(TinyLayer(layer, stepped=False), 1, x, states)
            (cell,) = adapted.cells
            shape = (*x.shape[:2], layer.units)
            signals = {name: np.empty(shape) for name in KINDS["LSTM"].signals}
            last = scan(cell, x, states, None, signals)
            self._steps.append((layer, Sequences(cell.in_numpy(), x, states, signals)))
            return signals["hidden_state"], last

        self.logits = model.logits(vectors, ran)

    def back(self, score, rule=None, *, summed=False):
        upper = self._steps[-1][1]
        hidden = upper.signals["hidden_state"]
        if rule is None:
            arrived = score.there @ self._model.readout.T
        else:
            given = score.there * score.values[:, None, None]
            arrived = linear(hidden, self._model.readout, self.logits, given, rule)
        nothing = [np.zeros_like(state) for state in upper.initial_state]
        arrived, starts = self._through(upper, arrived, nothing, rule)
        elsewhere = sum(state.sum(axis=1) for state in starts)
        of_source, last = [], [np.zeros_like(state) for state in self._steps[0][1].initial_state]
        for _, steps in self._steps[-2::-1]:
            length = steps.x.shape[1]
            given, arrived = arrived[:, -length:], arrived[:, :-length]
            of_x, last = self._through(steps, given, last, rule)
            of_source.insert(0, of_x)
        elsewhere = elsewhere + sum(state.sum(axis=1) for state in last)
        of_source = np.concatenate(of_source, axis=1)
        return of_source.sum(axis=-1, keepdims=True) if summed else of_source, elsewhere

    @staticmethod
    def _through(steps, given, last, rule):
        if rule is None:
            return gradients.recurrent(steps, given, last)
        return relevance_rules.recurrent(steps, given, last, rule)


class TinyExplained:
    """The model opened for explanation."""

    cell = output = None
    activation = "softmax"
    has_ids, fixed = True, False
    source = TinySource()

    def __init__(self, model, ids):
        self._model, self.tokens = model, ids
        self.count = self.batch_size = len(ids)
        self.embeddings = model.embedding
        self.states = 2 * (model.lower.units + model.upper.units)

    def meaning(self, size):
        return "classes"

    def states_as_found(self):
        return contextlib.nullcontext()

    def batches(self, what):
        yield TinyBatch(self.tokens, np.arange(self.count))

    def joined(self, batches):
        ids, rows = (np.concatenate([getattr(b, n) for b in batches]) for n in ("ids", "rows"))
        return TinyBatch(ids, rows)

    def tokens_of(self, batch):
        return batch.ids.copy()

    def with_tokens(self, batch, tokens):
        return TinyBatch(tokens, batch.rows)

    def run(self, batch, *, values=None, kept=None, at=None, relevance=False):
        return TinyPass(self._model, self.embeddings[batch.ids] if values is None else values)

    def score(self, done, target, at, of="logit"):
        assert of == "logit"
        there = np.zeros_like(done.logits)
        there[np.arange(len(target)), at, target] = 1
        return TinyScore((there * done.logits).sum(axis=(1, 2)), there)

    def logits_at(self, done, at):
        return done.logits[np.arange(len(at)), at]


register(Tiny, TinyAdapter)
