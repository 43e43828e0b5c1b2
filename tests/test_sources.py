"""Where timesteps are told apart in models that make them of something else, by finite differences."""

import keras
import numpy as np
import pytest
from keras import layers as L

import lstm_widgets as lw
from lstm_widgets.errors import UnsupportedLayerError

CLASSES = 3
STEP = 1e-5


@pytest.fixture(autouse=True)
def double():
    """Compute in float64, for differences to be told apart."""
    before, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_dtype_policy("float64")
    keras.config.set_floatx("float64")
    keras.utils.set_random_seed(9)
    yield
    keras.config.set_dtype_policy(before)
    keras.config.set_floatx(floatx)


def classes(x, *, rnn=L.LSTM, name="lstm"):
    head = L.Dense(CLASSES, activation="softmax", name="head", bias_initializer="random_normal")
    return head(rnn(4, name=name)(x))


def series_with_an_axis_by_a_layer():
    x = keras.Input((6,), name="series")
    return keras.Model(x, classes(L.Reshape((6, 1), name="axis")(x))), (6,), (6, 1)


def series_with_an_axis_by_an_operation():
    x = keras.Input((6,), name="series")
    return keras.Model(x, classes(keras.ops.expand_dims(x, -1))), (6,), (6, 1)


class Series(keras.Model):
    def __init__(self):
        super().__init__()
        self.lstm = L.LSTM(4, name="lstm")
        self.head = L.Dense(CLASSES, activation="softmax")

    def call(self, x):
        return self.head(self.lstm(x[..., None]))


def series_in_a_subclassed_model():
    return Series(), (6,), (6, 1)


def flat_values_cut_into_timesteps():
    x = keras.Input((8,), name="flat")
    return keras.Model(x, classes(L.Reshape((4, 2), name="cut")(x))), (8,), (4, 2)


def video_through_a_convolution():
    x = keras.Input((3, 4, 4, 1), name="video")
    y = L.TimeDistributed(L.Conv2D(2, 2, activation="tanh"), name="see")(x)
    y = L.TimeDistributed(L.Flatten(), name="flatten")(y)
    return keras.Model(x, classes(y)), (3, 4, 4, 1), (3, 16)


def video_laid_flat():
    x = keras.Input((3, 2, 2, 1), name="video")
    return keras.Model(x, classes(L.Reshape((3, 4))(x))), (3, 2, 2, 1), (3, 4)


INPUTS = [
    series_with_an_axis_by_a_layer,
    series_with_an_axis_by_an_operation,
    series_in_a_subclassed_model,
    flat_values_cut_into_timesteps,
    video_through_a_convolution,
    video_laid_flat,
]


def columns_of_an_image():
    """As text is read off a picture: convolutions, then its columns from left to right."""
    x = keras.Input((4, 6, 1), name="image")
    y = L.Conv2D(2, 3, padding="same", activation="tanh", name="see")(x)
    y = L.MaxPooling2D((2, 1), name="pool")(y)
    y = L.Permute((2, 1, 3), name="turn")(y)
    y = L.Reshape((6, 4), name="columns")(y)
    y = L.Dense(3, activation="tanh", name="narrow")(y)
    return keras.Model(x, classes(y)), (4, 6, 1), "narrow"


def columns_of_a_grey_image():
    x = keras.Input((4, 6), name="image")
    return keras.Model(x, classes(L.Permute((2, 1), name="turn")(x))), (4, 6), "turn"


def convolved_without_channels():
    x = keras.Input((4, 6), name="image")
    y = L.Reshape((4, 6, 1), name="axis")(x)
    y = L.Conv2D(2, 2, activation="tanh", name="see")(y)
    y = L.Reshape((5, 6), name="columns")(L.Permute((2, 1, 3))(y))
    return keras.Model(x, classes(y)), (4, 6), "columns"


LAYERS = [columns_of_an_image, columns_of_a_grey_image, convolved_without_channels]


def differences(probabilities, x):
    """Central differences of each probability's logarithm, for every value of x, in one call."""
    count = x[0].size
    moves = STEP * np.concatenate([np.eye(count), -np.eye(count)]).reshape(-1, 1, *x.shape[1:])
    moved = np.log(np.asarray(probabilities((x + moves).reshape(-1, *x.shape[1:]))))
    up, down = moved.reshape(2, count, len(x), CLASSES)
    rise = (up - down) / (2 * STEP)  # (value, example, class)
    return np.moveaxis(rise, 0, -1).swapaxes(0, 1).reshape(CLASSES, *x.shape)


def of_classes(model, x, **options):
    """Gradients of all logits, from which those of the probabilities' logarithms follow."""
    options |= {"methods": "gradient_x_input"}
    if "channel" in lw.relevance(model, x, **options).dims:  # a series
        found = [lw.relevance(model, x, target=k, **options).relevance for k in range(CLASSES)]
    else:
        options["per_dimension"] = True
        found = [lw.relevance(model, x, target=k, **options) for k in range(CLASSES)]
        found = [each.relevance_per_dimension for each in found]
    return np.stack([each[0].to_numpy() for each in found])


def expect_differences(model, x, probabilities, values, **options):
    """Hold gradient times input of every class against finite differences."""
    found = of_classes(model, x, **options)
    weights = np.asarray(probabilities(values))
    mean = np.einsum("ec,cetd->etd", weights, found)
    expected = differences(probabilities, values) * values
    np.testing.assert_allclose(found - mean, expected.reshape(found.shape), atol=1e-8)


@pytest.mark.parametrize("make", INPUTS)
def test_an_input_that_is_cut_into_timesteps_is_the_source(make):
    model, shape, timesteps = make()
    x = np.random.default_rng(1).normal(size=(2, *shape))
    found = lw.relevance(model, x, methods=("gradient_x_input", "occlusion"))
    assert found.relevance.shape == (2, 2, timesteps[0])
    assert found.attrs["source"] in ("series", "flat", "video", "inputs")
    expect_differences(model, x, model, x)
    # Without a timestep: zeros in its place.
    gone = x.reshape(2, 1, *timesteps) * (1 - np.eye(timesteps[0]))[:, :, None]
    predicted = np.repeat(found.predicted.to_numpy(), timesteps[0])
    without = lw.relevance(model, gone.reshape(-1, *shape), methods="sensitivity", target=predicted)
    fallen = found.score.to_numpy()[:, None] - without.score.to_numpy().reshape(2, -1)
    np.testing.assert_allclose(found.relevance[1], fallen, atol=1e-10)


@pytest.mark.parametrize("make", LAYERS)
def test_what_recurrent_layers_read_is_the_source_where_the_input_has_no_timesteps(make):
    model, shape, name = make()
    x = np.random.default_rng(2).normal(size=(2, *shape))
    found = lw.relevance(model, x, methods=("lrp", "gradient_x_input"), bias_factor=1.0)
    assert found.attrs["source"] == name
    before = keras.Model(model.inputs, model.get_layer(name).output)
    behind = keras.Model(model.get_layer(name).output, model.output)
    values = np.asarray(before(x))
    assert found.sizes["timestep"] == values.shape[1]
    expect_differences(model, x, behind, values)
    # Relevance is that of the model behind, for which it is an input.
    alone = lw.relevance(behind, values, methods="lrp", bias_factor=1.0)
    np.testing.assert_allclose(found.relevance[0], alone.relevance[0].sum("channel"), atol=1e-12)
    np.testing.assert_allclose(found.gap[0], 0, atol=1e-10)


@pytest.mark.parametrize("name", ["see", "lower", "upper"])
def test_any_layer_with_timesteps_may_be_the_source(name):
    x = keras.Input((7, 2), name="series")
    y = L.Conv1D(3, 2, strides=2, activation="tanh", name="see")(x)
    y = L.LSTM(3, return_sequences=True, name="lower")(y)
    y = L.Bidirectional(L.GRU(2, return_sequences=True), name="upper")(y)
    model = keras.Model(x, classes(y))
    given = np.random.default_rng(3).normal(size=(2, 7, 2))
    layer = model.get_layer(name)
    values = np.asarray(keras.Model(x, layer.output)(given))
    behind = keras.Model(layer.output, model.output)
    expect_differences(model, given, behind, values, source=name)
    found = lw.dependency(model, given, source=name, norm="l1", target=1)
    alone = lw.dependency(behind, values, norm="l1", target=1).sum("channel")
    np.testing.assert_allclose(found[..., ::-1], alone, atol=1e-12)
    usual = lw.relevance(model, given, methods="sensitivity")
    assert usual.attrs["source"] == "series"


def test_dependency_of_a_series_is_the_size_of_differences():
    model, shape, _ = series_with_an_axis_by_an_operation()
    x = np.random.default_rng(4).normal(size=(2, *shape))
    found = lw.dependency(model, x, target=2, of="loss")
    expected = np.abs(differences(model, x)[2])
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-8)


def test_a_cell_of_a_model_of_columns_is_explained():
    model, shape, name = columns_of_an_image()
    x = np.random.default_rng(5).normal(size=(1, *shape))
    found = lw.relevance(model, x, layer="lstm", cell=1, methods="gradient_x_input")
    before = keras.Model(model.inputs, model.get_layer(name).output)
    behind = keras.Model(model.get_layer(name).output, model.get_layer("lstm").output)
    values = np.asarray(before(x))
    moves = STEP * np.eye(values.size).reshape(-1, *values.shape[1:])
    rise = np.asarray(behind(values + moves)) - np.asarray(behind(values - moves))
    expected = (rise[:, 1] / (2 * STEP)).reshape(values.shape)
    np.testing.assert_allclose(found.relevance[0], (expected * values).sum(-1), atol=1e-8)


def test_what_source_may_be_is_said():
    x, y = keras.Input((4,), name="one"), keras.Input((6,), name="other")
    a = L.LSTM(2, name="a")(L.Reshape((2, 2), name="cut")(x))
    b = L.LSTM(2, name="b")(L.Reshape((3, 2), name="slice")(y))
    model = keras.Model([x, y], L.Dense(2)(L.Concatenate()([a, b])))
    given = [np.ones((1, 4)), np.ones((1, 6))]
    with pytest.raises(
        ValueError, match=r"source: .* one of 'cut', 'one', 'other', 'slice'; got N"
    ):
        lw.relevance(model, given)
    for name, timesteps in (("one", 2), ("cut", 2), ("other", 3), ("slice", 3)):
        found = lw.relevance(model, given, source=name, methods="sensitivity")
        assert found.sizes["timestep"] == timesteps
    with pytest.raises(
        ValueError, match="source: expected one of 'cut', 'one', 'other', 'slice'; got 'a'"
    ):
        lw.relevance(model, given, source="a")


STEPS, FEATURES = 5, 3


def sliced(t):
    return L.Lambda(lambda z: z[:, t], name=f"step_{t}")


def layers_in_a_loop(slice_of, shape, *between):
    """One LSTM called once a timestep, what stands between it and the input as often."""
    x, h, c = keras.Input(shape, name="x"), keras.Input((4,)), keras.Input((4,))
    lstm, states = L.LSTM(4, return_state=True, name="lstm"), [h, c]
    for t in range(STEPS):
        y = slice_of(t)(x)
        for layer in between:
            y = layer(y)
        out, *states = lstm(y, initial_state=states)
    return keras.Model([x, h, c], L.Dense(CLASSES, activation="softmax")(out))


class Loop(keras.Model):
    def __init__(self):
        super().__init__()
        self.shape, self.narrow = L.Reshape((1, FEATURES)), L.Dense(2, activation="tanh")
        self.lstm, self.head = L.LSTM(4, return_state=True), L.Dense(CLASSES, activation="softmax")

    def call(self, inputs):
        x, *states = inputs
        for t in range(STEPS):
            out, *states = self.lstm(self.narrow(self.shape(x[:, t])), initial_state=states)
        return self.head(out)


def one_reshape():
    return layers_in_a_loop(sliced, (STEPS, FEATURES), L.Reshape((1, FEATURES)))


def a_reshape_each():
    return layers_in_a_loop(
        sliced, (STEPS, FEATURES), lambda y: L.Reshape((1, FEATURES))(L.Dropout(0.5)(y))
    )


def an_operation():
    return layers_in_a_loop(
        sliced, (STEPS, FEATURES), lambda y: keras.ops.reshape(y, (-1, 1, FEATURES))
    )


def from_the_last_one_on():
    return layers_in_a_loop(
        lambda t: sliced(STEPS - 1 - t),
        (STEPS, FEATURES),
        L.Dense(2, activation="tanh"),
        L.Reshape((1, 2)),
    )


def frames_of_a_video():
    see = L.Conv2D(1, 2, activation="tanh")
    return layers_in_a_loop(sliced, (STEPS, 2, 3, 1), see, L.Flatten(), L.Reshape((1, 2)))


def single_values():
    return layers_in_a_loop(
        lambda t: L.Lambda(lambda z: z[:, t : t + 1]), (STEPS,), L.Reshape((1, 1))
    )


@pytest.mark.parametrize(
    "make",
    [
        one_reshape,
        a_reshape_each,
        an_operation,
        from_the_last_one_on,
        frames_of_a_video,
        single_values,
        Loop,
    ],
)
def test_the_input_that_a_loop_reads_timestep_by_timestep_is_the_source(make):
    model, rng = make(), np.random.default_rng(6)
    shape = (STEPS, FEATURES) if make is Loop else model.inputs[0].shape[1:]
    x, states = rng.normal(size=(2, *shape)), list(rng.normal(size=(2, 2, 4)))

    def probabilities(x):
        return model([x, *(np.tile(s, (len(x) // 2, 1)) for s in states)])

    found = of_classes(model, [x, *states])
    assert found.shape == (CLASSES, 2, STEPS, int(np.prod(shape[1:])))
    mean = np.einsum("ec,cetd->etd", np.asarray(probabilities(x)), found)
    expected = differences(probabilities, x) * x
    np.testing.assert_allclose(found - mean, expected.reshape(found.shape), atol=1e-8)
    sizes = lw.dependency(model, [x, *states], norm="l1", target=1, of="loss")
    of_loss = np.abs(differences(probabilities, x)[1]).reshape(2, STEPS, -1)
    if "channel" in sizes.dims:
        sizes = sizes[:, :, ::-1].sum("channel")  # by lag
    np.testing.assert_allclose(sizes[:, 0], of_loss.sum(-1), atol=1e-8)


def test_relevance_goes_through_code_between_the_layers_of_a_loop_or_names_it():
    model, x, (h, c) = one_reshape(), np.ones((1, STEPS, FEATURES)), np.zeros((2, 1, 4))
    found = lw.relevance(model, [x, h, c], methods="lrp", bias_factor=1)
    np.testing.assert_allclose(found.gap, 0, atol=1e-10)
    model = layers_in_a_loop(
        lambda t: L.Lambda(lambda z: z[:, t] ** 2, name=f"step_{t}"),
        (STEPS, FEATURES),
        L.Reshape((1, FEATURES)),
    )
    with pytest.raises(UnsupportedLayerError, match=r"no rule for layer 'step_\d', a Lambda"):
        lw.relevance(model, [x, h, c], methods="lrp")


def test_columns_that_a_loop_reads_are_no_timesteps_of_the_rows():
    def column(t):
        return L.Lambda(lambda z: z[:, :, t])

    model = layers_in_a_loop(column, (6, STEPS), L.Reshape((1, 6), name="axis"))
    with pytest.raises(UnsupportedLayerError, match="'axis' is called 5 times"):
        lw.relevance(model, [np.ones((1, 6, STEPS)), *np.zeros((2, 1, 4))])
