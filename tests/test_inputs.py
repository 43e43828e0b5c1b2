"""What a model is given to read, in each of the forms in which people keep it."""

import warnings

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from keras import layers as L

import lstm_widgets as lw
from lstm_widgets import record

TEXTS = ["a good film", "a bad film", "good good acting and a good plot", "bad"]
METHODS = ("lrp", "gradient_x_input", "occlusion")


def rng(seed=0):
    return np.random.default_rng(seed)


def uneven(*lengths, features=3, seed=0):
    random = rng(seed)
    return [random.normal(size=(n, features)).astype("float32") for n in lengths]


def quietly(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return function(*args, **kwargs)


def states(recording, name="lstm"):
    return recording[name].hidden_state.to_numpy()


def of_keras(model, x, name="lstm"):
    """The hidden states that Keras computes, by a copy of the layer that returns all of them."""
    value = tf.convert_to_tensor(x)
    for layer in model.layers:
        if layer.name == name:
            copy = type(layer).from_config(layer.get_config() | {"return_sequences": True})
            copy.build(value.shape)
            copy.set_weights(layer.get_weights())
            return np.asarray(copy(value, mask=getattr(value, "_keras_mask", None)))
        if not isinstance(layer, L.InputLayer):
            value = layer(value)
    raise AssertionError(name)


# Strings ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[(1,), ()], ids=["(n, 1)", "(n,)"])
def reader(request):
    """A model of strings, its layer that makes ids of them, and the same model without that."""
    keras.utils.set_random_seed(3)
    vectorise = L.TextVectorization(output_sequence_length=9, name="vectorise")
    vectorise.adapt(TEXTS)
    inputs = keras.Input(request.param, dtype="string")
    embedding = L.Embedding(vectorise.vocabulary_size(), 4, name="embedding")
    head = [L.LSTM(3, name="lstm"), L.Dense(1, activation="sigmoid", name="out")]
    head[1].bias_initializer = "random_normal"
    x = embedding(vectorise(inputs))
    for layer in head:
        x = layer(x)
    ids = y = keras.Input((9,), dtype="int64")
    for layer in (embedding, *head):
        y = layer(y)
    return keras.Model(inputs, x), vectorise, keras.Model(ids, y)


FORMS = {
    "list": list,
    "list of np.str_": lambda t: list(np.array(t)),
    "tuple": tuple,
    "array": np.array,
    "array (n, 1)": lambda t: np.array(t)[:, None],
    "objects": lambda t: np.array(t, object),
    "objects (n, 1)": lambda t: np.array(t, object)[:, None],
    "bytes": lambda t: np.array([each.encode() for each in t]),
    "tensor": tf.constant,
    "tensor (n, 1)": lambda t: tf.constant(t)[:, None],
    "series": pd.Series,
    "series of strings": lambda t: pd.Series(t, dtype="string"),
    "frame": lambda t: pd.DataFrame({"review": t}),
    "dataset": lambda t: tf.data.Dataset.from_tensor_slices(t).batch(3),
    "dataset of single ones": tf.data.Dataset.from_tensor_slices,
    "dataset with classes": lambda t: tf.data.Dataset.from_tensor_slices(
        (t, np.zeros(len(t)))
    ).batch(3),
    "x, y": lambda t: (np.array(t), np.zeros(len(t))),
}


@pytest.mark.parametrize("form", FORMS)
def test_strings_are_read_in_any_form(reader, form):
    model, vectorise, core = reader
    ids = np.asarray(vectorise(TEXTS))
    recording = record(model, FORMS[form](TEXTS), labels=TEXTS)
    np.testing.assert_allclose(states(recording), of_keras(core, ids), atol=1e-6)
    names = np.array(vectorise.get_vocabulary(), object)
    assert recording["lstm"].token.to_numpy().tolist() == names[ids].tolist()


def test_one_string_is_one_example(reader):
    model, vectorise, _ = reader
    one = record(model, TEXTS[2])
    np.testing.assert_array_equal(states(one), states(record(model, TEXTS))[2:3])
    for vocabulary in (vectorise, vectorise.get_vocabulary()):
        named = record(model, TEXTS[2], vocabulary=vocabulary)
        assert named["lstm"].token.to_numpy()[0, :3].tolist() == ["good", "good", "acting"]
    given = record(model, TEXTS[:1], tokens=[list("abcdefghi")])
    assert "".join(given["lstm"].token.to_numpy()[0]) == "abcdefghi"


def test_words_that_the_model_does_not_know_are_what_it_reads(reader):
    model, *_ = reader
    assert record(model, "a zebra")["lstm"].token.to_numpy()[0, :3].tolist() == ["a", "[UNK]", ""]


@pytest.mark.parametrize("form", ["list", "objects (n, 1)", "tensor", "dataset"])
def test_relevance_of_strings_is_that_of_their_ids(reader, form):
    model, vectorise, core = reader
    given = FORMS[form](TEXTS)
    ids = np.asarray(vectorise(TEXTS))
    found = lw.relevance(model, given, methods=METHODS)
    expected = lw.relevance(core, ids, methods=METHODS)
    np.testing.assert_allclose(found.relevance, expected.relevance, atol=1e-7)
    assert found.token.to_numpy()[0, :3].tolist() == ["a", "good", "film"]
    curve = lw.deletion_curve(model, given, found, limit=3)
    np.testing.assert_allclose(curve, lw.deletion_curve(core, ids, expected, limit=3), atol=1e-6)
    np.testing.assert_allclose(lw.dependency(model, given), lw.dependency(core, ids), atol=1e-7)


def test_ablation_of_strings_is_that_of_their_ids(reader):
    model, vectorise, core = reader
    options = {"each": True, "targets": [1, 0, 1, 0]}
    found = lw.ablate(model, TEXTS, **options).table
    expected = lw.ablate(core, np.asarray(vectorise(TEXTS)), **options).table
    np.testing.assert_allclose(found.loss_held, expected.loss_held, atol=1e-6)


def test_a_subclassed_model_and_an_unbuilt_one_read_strings():
    vectorise = L.TextVectorization(output_sequence_length=5)
    vectorise.adapt(TEXTS)

    class Reader(keras.Model):
        def __init__(self):
            super().__init__()
            self.vectorise, self.embedding = vectorise, L.Embedding(12, 4)
            self.rnn = L.LSTM(3, name="lstm")

        def call(self, texts):
            return self.rnn(self.embedding(self.vectorise(texts)))

    model = Reader()
    recording = record(model, TEXTS)
    np.testing.assert_allclose(states(recording)[:, -1], model(tf.constant(TEXTS)), atol=1e-6)
    unbuilt = keras.Sequential([vectorise, L.Embedding(12, 4), L.LSTM(3, name="lstm")])
    recording = record(unbuilt, TEXTS)
    np.testing.assert_allclose(states(recording)[:, -1], unbuilt(tf.constant(TEXTS)), atol=1e-6)


@pytest.fixture(scope="module")
def speller():
    """A model that looks up one string at each timestep."""
    keras.utils.set_random_seed(4)
    inputs = keras.Input((None,), dtype="string")
    ids = L.StringLookup(vocabulary=list("abcd"), mask_token="")(inputs)
    x = L.LSTM(3, name="lstm")(L.Embedding(6, 2, mask_zero=True, name="embedding")(ids))
    return keras.Model(inputs, x)


def test_a_model_of_one_string_a_timestep_reads_texts_and_uneven_lists(speller):
    text = record(speller, "abca")
    assert text["lstm"].token.to_numpy()[0].tolist() == list("abca")
    for given in (
        list("abca"),
        [list("abca")],
        np.array([list("abca")]),
        tf.constant(list("abca")),
    ):
        np.testing.assert_allclose(states(record(speller, given)), states(text), atol=1e-7)
    for given in ([list("ab"), list("dcba")], tf.ragged.constant([list("ab"), list("dcba")])):
        with pytest.warns(UserWarning, match="padded at the end with ''"):
            recording = record(speller, given)
        assert recording["lstm"].token.to_numpy().tolist() == [["a", "b", "", ""], list("dcba")]
        assert recording["lstm"].mask.to_numpy().sum(axis=1).tolist() == [2, 4]
        np.testing.assert_allclose(
            states(recording)[0, 1], states(record(speller, "ab"))[0, 1], atol=1e-7
        )


@pytest.mark.parametrize("nothing", [None, np.nan, 3])
def test_what_is_no_string_is_named(reader, nothing):
    model, *_ = reader
    with pytest.raises(TypeError, match=r"inputs: expected str, .* at position 1"):
        record(model, np.array(["a", nothing], object)[:, None][:, 0])


# Datasets, tables, tuples -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def series():
    """A model of series of three channels."""
    keras.utils.set_random_seed(5)
    return keras.Sequential(
        [keras.Input((None, 3)), L.LSTM(4, name="lstm"), L.Dense(2, activation="softmax")]
    )


X = rng(1).normal(size=(5, 6, 3)).astype("float32")
Y = np.array([0, 1, 0, 1, 1])
SLICES = tf.data.Dataset.from_tensor_slices


@pytest.mark.parametrize(
    "given",
    [
        SLICES(X).batch(2),
        SLICES(X),
        SLICES((X, Y)).batch(2),
        SLICES((X, Y, Y)).batch(3),
        SLICES((X, Y)),
        (X, Y),
        (tf.constant(X), tf.constant(Y), np.ones(5)),
        (X, keras.utils.to_categorical(Y)),
        list(X),
        tuple(X),
        [pd.DataFrame(x) for x in X],
        X.astype(object),
        X.tolist(),
    ],
    ids=str,
)
def test_what_holds_examples_gives_them_in_their_order(series, given):
    recording = record(series, given)
    np.testing.assert_array_equal(states(recording), states(record(series, X)))


def test_windows_that_keras_cuts_are_examples(series):
    values = rng(2).normal(size=(20, 3)).astype("float32")
    windows = np.stack([values[k : k + 5] for k in range(16)])
    cut = keras.utils.timeseries_dataset_from_array
    for dataset in (
        cut(values, None, 5, batch_size=7),
        cut(values, values[4:, 0], 5, batch_size=7),
    ):
        np.testing.assert_allclose(
            states(record(series, dataset)), states(record(series, windows)), atol=1e-6
        )
    with pytest.raises(ValueError, match=r"inputs: expected a finite dataset, .*take\(n\)"):
        record(series, cut(values, None, 5).repeat())
    with pytest.raises(ValueError, match="inputs: expected a dataset with at least one batch"):
        record(series, SLICES(X).take(0))


def test_batches_of_several_lengths_come_out_of_a_dataset():
    model = keras.Sequential(
        [keras.Input((None,)), L.Embedding(9, 3, mask_zero=True), L.LSTM(4, name="lstm")]
    )
    rows = [[1, 2], [3, 4, 5], [6], [7, 8, 1, 2]]
    padded = keras.utils.pad_sequences(rows, padding="post")
    dataset = tf.data.Dataset.from_generator(
        lambda: iter(rows), output_signature=tf.TensorSpec((None,), tf.int32)
    )
    for given in (dataset, dataset.padded_batch(2), dataset.ragged_batch(3)):
        recording = quietly(record, model, given)
        np.testing.assert_allclose(states(recording), of_keras(model, padded), atol=1e-6)
        np.testing.assert_array_equal(recording["lstm"].mask, padded != 0)


def test_models_of_two_inputs_read_datasets_and_tuples():
    a, b = keras.Input((None, 2), name="a"), keras.Input((4,), name="b")
    model = keras.Model([a, b], L.LSTM(4, name="lstm")(a, initial_state=[b, b]))
    xs = X[..., :2], X[:, 0, [0, 1, 2, 0]]
    expected = states(record(model, list(xs)))
    named = dict(zip("ab", xs, strict=True))
    for given in (
        xs,
        (xs, Y),
        (list(xs), Y),
        (named, Y),
        named,
        SLICES((xs, Y)).batch(2),
        SLICES(xs).batch(2),
        SLICES((named, Y)).batch(2),
        SLICES(named),
    ):
        np.testing.assert_array_equal(states(record(model, given)), expected)


def test_tables_are_texts_or_batches_by_their_shape(series):
    frame = pd.DataFrame(X[0], columns=["rain", "wind", "sun"])
    expected = states(record(series, X[0]))
    np.testing.assert_array_equal(states(record(series, frame)), expected)
    nullable = frame.astype("Float32")
    np.testing.assert_array_equal(states(record(series, nullable)), expected)
    nullable.iloc[2, 1] = pd.NA
    assert np.isnan(states(record(series, nullable))[0, 2:]).all()
    with pytest.raises(TypeError, match="inputs: expected columns of numbers, got column 'day'"):
        record(series, frame.assign(day=pd.Timestamp("2026-01-01")))
    with pytest.raises(TypeError, match="inputs: expected numbers"):
        record(series, frame.assign(place="Linz"))
    words = keras.Sequential([keras.Input((None,)), L.Embedding(9, 3), L.LSTM(4, name="lstm")])
    ids = pd.Series([1, 2, 3], dtype="Int64", index=[5, 6, 7])
    np.testing.assert_array_equal(states(record(words, ids)), states(record(words, [[1, 2, 3]])))


@pytest.mark.parametrize("given", [iter([X]), object(), {"a", "b"}])
def test_what_is_no_input_at_all_is_named(series, given):
    with pytest.raises(TypeError, match=r"inputs: expected arrays, .* a dataset; got a builtins\."):
        record(series, given)


def test_no_input_is_named(series):
    with pytest.raises(TypeError, match=r"inputs: expected what the model is called with, or run="):
        record(series, None)


# Several lengths, in a model that masks -----------------------------------------------------------


def forms(rows):
    return {
        "list": rows,
        "tuple": tuple(rows),
        "objects": np.array([*rows, None], object)[:-1],
        "ragged": tf.RaggedTensor.from_row_lengths(np.concatenate(rows), [len(r) for r in rows]),
        "lists": [row.tolist() for row in rows],
        "tensors": [tf.constant(row) for row in rows],
        "series of arrays": pd.Series(list(rows)),
    }


@pytest.mark.parametrize("form", forms(uneven(4, 7, 2)))
def test_several_lengths_are_filled_up_with_what_the_model_masks(form):
    keras.utils.set_random_seed(6)
    model = keras.Sequential(
        [keras.Input((None, 3)), L.Masking(-1.0, name="hide"), L.LSTM(5, name="lstm"), L.Dense(2)]
    )
    rows = uneven(4, 7, 2)
    padded = keras.utils.pad_sequences(rows, dtype="float32", padding="post", value=-1.0)
    with pytest.warns(
        UserWarning,
        match=r"3 sequences of 2 to 7 timesteps are padded at the end with -1.0, which layer 'hide'",
    ) as told:
        recording = record(
            model, forms(rows)[form], tokens=["abcd", "abcdefg", "ab"], labels=list("xyz")
        )
    assert told[0].filename == __file__
    np.testing.assert_allclose(states(recording), of_keras(model, padded), atol=1e-6)
    np.testing.assert_array_equal(recording["lstm"].mask.sum("timestep"), [4, 7, 2])
    assert recording["lstm"].token.to_numpy()[2].tolist() == [*"ab", *[""] * 5]
    found = quietly(
        lw.relevance, model, forms(rows)[form], methods=METHODS, tokens=["abcd", "abcdefg", "ab"]
    )
    tokens = [[*row, *[""] * (7 - len(row))] for row in ("abcd", "abcdefg", "ab")]
    expected = lw.relevance(model, padded, methods=METHODS, tokens=tokens)
    np.testing.assert_array_equal(found.relevance, expected.relevance)


def test_a_model_of_one_length_gets_as_much_padding():
    model = keras.Sequential(
        [keras.Input((6,)), L.Embedding(9, 3, mask_zero=True), L.LSTM(4, name="lstm")]
    )
    recording = quietly(record, model, [[1, 2, 3], [4, 5]])
    padded = keras.utils.pad_sequences([[1, 2, 3], [4, 5]], 6, padding="post")
    np.testing.assert_allclose(states(recording), of_keras(model, padded), atol=1e-6)
    with pytest.raises(ValueError, match=r"inputs: expected shape \(None, 6\)"):
        quietly(record, model, [[1] * 7, [2]])
    blind = keras.Sequential([keras.Input((6,)), L.Embedding(9, 3), L.LSTM(4)])
    with pytest.raises(
        ValueError, match=r"inputs: .* isn't known to mask padding.*pad_sequences\(.*maxlen=6"
    ):
        record(blind, [[1, 2, 3], [4, 5]])


def test_two_inputs_of_several_lengths_are_filled_up_each_with_its_own():
    a, b = keras.Input((None,), name="a"), keras.Input((None, 2), name="b")
    x = L.LSTM(3, name="words")(L.Embedding(9, 3, mask_zero=True)(a))
    y = L.LSTM(3, name="lstm")(L.Masking(7.0)(b))
    model = keras.Model([a, b], [x, y])
    ids, rows = [[1, 2, 3], [4]], uneven(2, 5, features=2)
    recording = quietly(record, model, {"a": ids, "b": rows})
    assert recording["words"].mask.to_numpy().sum(axis=1).tolist() == [3, 1]
    assert recording["lstm"].mask.to_numpy().sum(axis=1).tolist() == [2, 5]
    for k in range(2):
        alone = record(model, [np.array([ids[k]]), rows[k][None]])
        n, m = len(ids[k]), len(rows[k])
        np.testing.assert_allclose(
            states(recording, "words")[k, :n], states(alone, "words")[0], atol=1e-6
        )
        np.testing.assert_allclose(states(recording)[k, :m], states(alone)[0], atol=1e-6)


# Several lengths, in a model that doesn't ---------------------------------------------------------


def blind(*front, head=None, sequences=False, **options):
    keras.utils.set_random_seed(8)
    last = head or [L.Dense(4, activation="softmax", bias_initializer="random_normal")]
    return keras.Sequential(
        [*front, L.LSTM(5, name="lstm", return_sequences=sequences, **options), *last]
    )


LENGTHS = (4, 7, 2, 7, 4)
UNMASKED = {
    "no mask": lambda: blind(keras.Input((None, 3))),
    "over time": lambda: blind(keras.Input((None, 3)), sequences=True),
    "backwards": lambda: blind(keras.Input((None, 3)), go_backwards=True),
    # It lets go of the mask.
    "convolution": lambda: blind(
        keras.Input((None, 3)), L.Masking(), L.Conv1D(4, 2, padding="same")
    ),
    "maximum": lambda: blind(
        keras.Input((None, 3)),
        L.Masking(),
        sequences=True,
        head=[L.GlobalMaxPooling1D(), L.Dense(4)],
    ),
    "halved": lambda: blind(keras.Input((None, 3)), L.MaxPooling1D(2, padding="same")),
}


def test_an_empty_example_needs_a_mask():
    model = keras.Sequential([keras.Input((None,)), L.Embedding(5, 3), L.LSTM(4, name="lstm")])
    with pytest.raises(ValueError, match=r"sequences of one timestep or more, .* an empty one, 1"):
        record(model, [[1, 2], [], [3]])
    masking = keras.Sequential(
        [keras.Input((None,)), L.Embedding(5, 3, mask_zero=True), L.LSTM(4, name="lstm")]
    )
    recording = quietly(record, masking, [[1, 2], [], [3]])
    assert recording["lstm"].mask.sum("timestep").to_numpy().tolist() == [2, 0, 1]


@pytest.mark.parametrize("kind", UNMASKED)
def test_without_a_mask_each_example_is_read_as_if_alone(kind):
    model, rows = UNMASKED[kind](), uneven(*LENGTHS)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        recording = record(model, rows, labels=list("vwxyz"), batch_size=3)
    assert any(
        "read length by length, because the model isn't known" in str(w.message) for w in told
    )
    assert recording["lstm"].label.to_numpy().tolist() == list("vwxyz")
    for k, row in enumerate(rows):
        alone = quietly(record, model, row[None])["lstm"]
        n = alone.sizes["timestep"]
        for signal in alone.data_vars:
            if signal == "mask":
                continue
            here = recording["lstm"][signal].to_numpy()[k]
            np.testing.assert_allclose(here[:n], alone[signal].to_numpy()[0], atol=1e-6)
            assert np.isnan(here[n:]).all()
        assert recording["lstm"].mask.to_numpy()[k].tolist() == [True] * n + [False] * (
            len(here) - n
        )


@pytest.mark.parametrize("sequences", [False, True])
def test_what_else_runs_a_model_reads_length_by_length_too(sequences):
    model = blind(keras.Input((None,)), L.Embedding(9, 3), sequences=sequences)
    rows = [rng(k).integers(1, 4, n) for k, n in enumerate(LENGTHS)]
    tokens = [[str(i) for i in row] for row in rows]
    targets = np.array([0, 1, 2, 3, 0])
    found = quietly(lw.relevance, model, rows, methods=METHODS, target=targets, tokens=tokens)
    depends = quietly(lw.dependency, model, rows, tokens=tokens, target=targets)
    curve = quietly(lw.deletion_curve, model, rows, found, limit=2)
    ablated = quietly(lw.ablate, model, rows, each=True, targets=targets)
    held = []
    for k, row in enumerate(rows):
        n = len(row)
        alone = lw.relevance(model, row[None], methods=METHODS, target=targets[k])
        here = found.isel(example=k)
        np.testing.assert_allclose(here.relevance[:, :n], alone.relevance[:, 0], atol=1e-6)
        assert np.isnan(here.relevance[:, n:]).all()
        assert here.mask.sum() == n
        assert here.token.to_numpy().tolist() == tokens[k] + [""] * (7 - n)
        np.testing.assert_allclose(here.score, alone.score[0], atol=1e-6)
        one = lw.dependency(model, row[None], target=int(targets[k]))[0]
        several = depends[k].sel(timestep=one.timestep, input_timestep=one.input_timestep)
        np.testing.assert_allclose(several, one, atol=1e-6)
        assert int((~np.isnan(depends[k])).sum()) == one.size
        assert depends.token.to_numpy()[k].tolist() == tokens[k] + [""] * (7 - n)
        np.testing.assert_allclose(
            curve[:-1, k], lw.deletion_curve(model, row[None], alone, limit=2)[:-1, 0], atol=1e-6
        )
        held.append(lw.ablate(model, row[None], each=True, targets=targets[k : k + 1]).table)
    losses = np.array([table.loss_held for table in held])
    weights = np.array(LENGTHS) if sequences else np.ones(len(rows))
    np.testing.assert_allclose(ablated.table.loss_held, weights @ losses / weights.sum(), atol=1e-5)


def test_predictions_of_several_lengths_are_those_of_each():
    model = blind(keras.Input((None,)), L.Embedding(4, 3), sequences=True)
    rows = [rng(k).integers(0, 4, n) for k, n in enumerate(LENGTHS)]
    found = quietly(record, model, rows, top_k=2, vocabulary="abcd").predictions
    for k, row in enumerate(rows):
        n = len(row)
        alone = record(model, row[None], top_k=2, vocabulary="abcd").predictions
        for name in ("predicted_id", "predicted_token"):
            assert found[name].to_numpy()[k, :n].tolist() == alone[name].to_numpy()[0].tolist()
        for name in ("probability", "target_probability"):
            np.testing.assert_allclose(found[name][k, :n], alone[name][0], atol=1e-6)
            assert np.isnan(found[name][k, n:]).all()
        assert (found.predicted_id[k, n:] == -1).all()


def test_sequences_that_differ_in_more_than_their_length_are_refused(series):
    for rows in ([X[0], X[0, :, :2]], [X[0], X[0, 0]], [[1.0, 2.0], 3.0]):
        with pytest.raises(
            ValueError, match="inputs: expected sequences of one length, or such as"
        ):
            record(series, rows)


def test_errors_say_what_it_is_that_does_not_fit(series, reader):
    with pytest.raises(ValueError, match="along axis 2 the model takes 3, there are 5"):
        record(series, np.zeros((2, 4, 5)))
    with pytest.raises(ValueError, match=r"inputs: expected shape .* so there are 3 axes"):
        record(series, np.zeros((2, 4, 3, 1, 1)))
    model, vectorise, _ = reader
    with pytest.raises(ValueError, match="window: expected None, because the model makes tokens"):
        record(model, TEXTS, window=2)
    head = L.Dense(vectorise.vocabulary_size())
    writer = keras.Model(model.inputs, head(model.output))
    with pytest.raises(ValueError, match=r"encode: expected a function .* takes strings"):
        lw.generate(writer, "a film", 2, vocabulary=vectorise, window=1)


def test_as_many_classes_as_words_are_no_words_unless_that_is_said(reader):
    model, vectorise, _ = reader
    head = L.Dense(vectorise.vocabulary_size(), activation="softmax")
    told = keras.Model(model.inputs, head(model.get_layer("lstm").output))
    assert "predicted_token" not in record(told, TEXTS, top_k=2).predictions
    found = record(told, TEXTS, top_k=2, vocabulary=vectorise).predictions
    ids = found.predicted_id.to_numpy()
    names = np.array(vectorise.get_vocabulary(), object)
    expected = np.where(ids >= 0, names[ids], "")
    assert found.predicted_token.to_numpy().tolist() == expected.tolist()
