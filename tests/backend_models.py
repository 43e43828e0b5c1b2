"""The same models with the same weights, whatever Keras runs on, and all that is asked of them.

All sizes are alike, because JAX compiles each operation for each.
"""

from __future__ import annotations

import importlib
import json
import warnings
from pathlib import Path

import keras
import numpy as np
from keras import layers as L

import lstm_widgets as lw

COMPILERS = {"tensorflow": "function", "jax": "jit", "torch": "compile"}
SYMBOLS = "abcde"
TEXT = "abcabdeabcaddebcab" * 3


def weighted(model):
    """Give every weight a value of its own, the same on each backend; states are none of them."""
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=tuple(variable.shape), scale=0.5).astype("float32"))
    return model


def masked():
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            L.Embedding(5, 4, mask_zero=True, name="embedding"),
            L.LSTM(4, return_sequences=True, name="lstm"),
            L.GRU(4, reset_after=False, return_sequences=True, name="gru"),
            L.SimpleRNN(4, go_backwards=True, name="simple"),
            L.Dense(4),
        ]
    )


def two_directions():
    inputs = keras.Input((None, 4), name="series")
    both = L.Bidirectional(L.LSTM(4, return_sequences=True), merge_mode="sum", name="both")
    behind = both(L.Masking()(inputs))
    hidden, state = L.GRU(4, return_state=True, name="last")(behind, initial_state=inputs[:, 0])
    return keras.Model(inputs, {"scores": L.Dense(4)(hidden), "state": state})


class Nested(keras.Model):
    """Cells in a stack, a model in the model, and a cell that the model steps itself."""

    def __init__(self):
        super().__init__()
        self.stack = L.RNN([L.LSTMCell(4), L.GRUCell(4)], return_sequences=True, name="stack")
        self.inner = keras.Sequential([L.LSTM(4, return_sequences=True, name="lstm")], name="inner")
        self.cell = L.LSTMCell(4, name="cell")
        self.scores = L.Dense(4, activation="softmax")

    def call(self, x):
        x = self.inner(self.inner(self.stack(x)))
        state = self.cell.get_initial_state(keras.ops.shape(x)[0])
        for t in range(2):
            hidden, state = self.cell(x[:, t], state)
        return self.scores(hidden)


def stateful():
    return keras.Sequential(
        [
            keras.Input(batch_shape=(2, None, 4)),
            L.LSTM(4, stateful=True, return_sequences=True, name="lstm"),
            L.GRU(4, stateful=True, name="gru"),
        ]
    )


def typed(dtype):
    return keras.Sequential([keras.Input((None, 4)), L.LSTM(4, name="lstm", dtype=dtype)])


def language(length=None, sequences=True):
    return keras.Sequential(
        [
            keras.Input((length,), dtype="int32"),
            L.Embedding(len(SYMBOLS), 4),
            L.LSTM(4, return_sequences=True, name="lower"),
            L.GRU(4, return_sequences=sequences, name="upper"),
            L.Dense(len(SYMBOLS), activation="softmax"),
        ]
    )


class Recurring(keras.Model):
    """Without a shape of its own; built by the first call."""

    def __init__(self, wrapped=lambda function: function):
        super().__init__()
        self.lstm = L.LSTM(4, name="lstm")
        self.read = wrapped(self.lstm)

    def call(self, x, training=False):
        assert not training
        return self.read(x)


class Wrapping(keras.Model):
    """A recurrent layer behind something else's."""

    def __init__(self, inside):
        super().__init__()
        self.inside = inside
        self.lstm = L.LSTM(4, name="lstm")

    def call(self, x):
        hidden, _ = self.inside(x)
        return self.lstm(hidden)


def found(model):
    """Read everything that a model keeps."""
    return [np.array(np.asarray(keras.ops.stop_gradient(v.value))) for v in model.variables]


class Kept(dict):
    """Arrays by name, those of recordings among them."""

    def add(self, name, recording):
        for layer in recording.layers:
            for variable in recording[layer].data_vars:
                if recording[layer][variable].dtype.kind in "fb":
                    self[f"{name}/{layer}/{variable}"] = recording[layer][variable].values
        if recording.predictions is not None:
            for variable in ("probability", "target_probability"):
                self[f"{name}/{variable}"] = recording.predictions[variable].values

    def record(self, name, model, inputs, **options):
        before = found(model)
        self.add(name, lw.record(model, inputs, **options))
        for one, other in zip(before, found(model), strict=True):
            np.testing.assert_array_equal(one, other)


def layers_of_all_kinds(kept, ids, series):
    kept.record("masked", weighted(masked()), ids, check="full")
    kept.record("directions", weighted(two_directions()), series)


def models_of_their_own_code(kept, ids, series):
    del ids
    nested, built = Nested(), Recurring()
    nested(series[:1])
    kept.record("nested", weighted(nested), series, batch_size=3, check="full")
    lw.record(built, series)
    kept.record("subclassed", weighted(built), keras.ops.convert_to_tensor(series))
    given = series
    if keras.backend.backend() == "torch":
        data = importlib.import_module("torch").utils.data
        targets = np.zeros(len(series))
        rows = [(x, y) for x, y in zip(series, targets, strict=True)]
        given = data.DataLoader(rows, batch_size=4)
    kept.record("loaded", weighted(two_directions()), given)
    # Functions that the backend compiles, traced before: what is in them is recorded all the same.
    name = keras.backend.backend()
    model = Recurring(getattr(importlib.import_module(name), COMPILERS[name]))
    if name != "torch":  # whose compiler is nothing that a test should wait for
        model(series)
    model.lstm.build(series.shape)
    kept.record("compiled", weighted(model), series)


def states(kept, ids, series):
    del ids
    model = weighted(stateful())
    model(series[:2])
    model.layers[0].states[0].assign(np.full((2, 4), 0.25, "float32"))
    kept.record("stateful", model, series[2:6])
    kept["stateful/next"] = keras.ops.convert_to_numpy(model(series[:2]))


def dtypes(kept, ids, series):
    del ids
    # JAX has float64 only if it is told to, which Keras warns of.
    warnings.filterwarnings("ignore", "Explicitly requested dtype")
    for dtype in ("float64", "mixed_bfloat16", "mixed_float16"):
        kept.record(dtype, weighted(typed(dtype)), series)


def texts(kept, ids, series):
    del ids, series
    for name, model, window in (
        ("pieces", language(), None),
        ("windows", language(5, sequences=False), 5),
    ):
        weighted(model)
        options = {"vocabulary": SYMBOLS, "window": window}
        kept.record(name, model, TEXT, top_k=3, **options)
        made = lw.generate(model, "abcab", 12, seed=3, **options)
        kept[f"{name}/text"] = made.ids
        kept[f"{name}/drawn"] = made.probabilities
        kept.add(f"{name}/generated", made.recording)
        table = lw.ablate(model, TEXT, [0, 2], each=True, layer="upper", **options).table
        numbers = table.select_dtypes("number")
        kept |= {f"{name}/ablated/{one}": numbers[one].to_numpy() for one in numbers}
    held = lw.Held([1, 3], [0.5, -0.5], layer="lower", signal="cell_state")
    kept.record("held", weighted(language()), TEXT, vocabulary=SYMBOLS, held=held)


CASES = (layers_of_all_kinds, models_of_their_own_code, states, dtypes, texts)


def inputs():
    rng = np.random.default_rng(0)
    ids = rng.integers(1, 5, (6, 9))
    ids[0, :3] = ids[1, 7:] = ids[2, 4:6] = 0
    series = rng.normal(size=(6, 9, 4)).astype("float32")
    series[0, 5:] = 0
    return ids, series


def results():
    """Record, generate and ablate; by name, arrays that are the same on each backend."""
    kept = Kept()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for case in CASES:
            case(kept, *inputs())
    return kept


def refusals():
    """Ask for what can't be had; by name, what is said."""
    ids, series = inputs()
    model, others = masked(), {}
    if keras.backend.backend() != "tensorflow":
        others = {
            "relevance": lambda: lw.relevance(model, ids, target=0),
            "dependency": lambda: lw.dependency(model, ids),
        }
    if keras.backend.backend() == "torch":
        torch = importlib.import_module("torch")
        within = torch.nn.Sequential(torch.nn.Linear(4, 4), L.LSTM(4, name="inside"))
        wrapped = Wrapping(L.TorchModuleWrapper(torch.nn.LSTM(4, 4), name="wrap"))
        others |= {
            "module": lambda: lw.record(within, series),
            "wrapped": lambda: lw.record(wrapped, series, layers=["wrap/lstm"]),
        }
    said = {}
    for name, asked in {
        "beyond": lambda: lw.record(model, np.where(ids == 2, 5, ids)),
        "negative": lambda: lw.record(model, np.where(ids == 2, -1, ids)),
        "layer": lambda: lw.record(L.LSTM(4, name="alone"), series),
        **others,
    }.items():
        try:
            asked()
        except Exception as error:  # noqa: BLE001  (the test tells which are right)
            said[name] = [type(error).__name__, str(error)]
        else:
            said[name] = ["nothing", ""]
    return said


def write(folder):
    """Write all of it into a folder."""
    folder = Path(folder)
    np.savez(folder / "results.npz", **results())
    recording = lw.record(weighted(masked()), inputs()[0])
    recording.save(folder / "recording.zarr")
    said = {"refusals": refusals(), "versions": sorted(recording.tree.attrs["versions"])}
    (folder / "said.json").write_text(json.dumps(said), "utf-8")
