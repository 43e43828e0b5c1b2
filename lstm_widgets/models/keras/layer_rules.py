# Keras and TensorFlow have no types, so what comes from them is Any.
# ruff: noqa: ANN401
"""The rules by which layers hand relevance back, in the place of their gradients.

Each rule is one of :mod:`lstm_widgets.rnn.relevance_rules`:

- What is *affine* (Dense, Conv1D, pooling by means, Rescaling, a Lambda that is proved to be) has the
  epsilon rule.
- *BatchNormalization* and *Normalization* are affine maps of single values when a model runs in
  inference, and have the same rule. With ``bias_factor`` 0 and a small epsilon that gives what
  merging them into the layer before or after gives, which is called canonization (Motzkus et al.
  2022, arXiv:2202.06621).
- *LayerNormalization* has the LN-rule of Ali et al. 2022 (arXiv:2202.07304, eq. 9): the standard deviation
  is taken for a constant, and what is left, centring and scaling, is affine.
- A *product* with a mask gives all to what is masked.
- *Activation functions* hand relevance on as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.errors import UnsupportedLayerError
from lstm_widgets.models.keras.affine import is_affine
from lstm_widgets.models.keras.layers import load_keras
from lstm_widgets.models.keras.patches import is_stock, replaced
from lstm_widgets.rnn import relevance_rules
from lstm_widgets.rnn.cells import plain_array

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from lstm_widgets.models.keras.passes import Pass
    from lstm_widgets.rnn.relevance_rules import Rule

__all__ = ["OTHERS", "end_at", "merge", "no_rule", "shown_where", "stand_in", "tied"]
OTHERS = "The methods 'sensitivity', 'gradient_x_input', 'integrated_gradients' and 'occlusion' work here"

# They only move values about, or do nothing outside of training.
_MOVERS = (
    *("Dropout", "SpatialDropout1D", "GaussianDropout", "GaussianNoise", "AlphaDropout"),
    *("ActivityRegularization", "Identity", "InputLayer", "Embedding", "Masking"),
    *("Flatten", "Reshape", "Permute", "RepeatVector", "Concatenate", "Cropping1D"),
    *("UpSampling1D", "GlobalMaxPooling1D", "MaxPooling1D"),
)
# The same, among the operations of keras.ops.
_MOVING_OPERATIONS = (
    *("GetItem", "Reshape", "Transpose", "Squeeze", "ExpandDims", "Concatenate", "Stack", "Flip"),
    "Cast",
)
# Activation functions as layers.
_ACTIVATIONS = ("Activation", "ReLU", "LeakyReLU", "ELU", "PReLU")
# Activation functions that mix units, which no rule here shares out.
_MIXING = ("softmax", "log_softmax", "sparsemax", "glu")


def no_rule(done: Pass, name: str, what: str) -> Callable[..., Any]:
    """Make what stands in for the call of a layer that has no rule: it fails the pass."""

    def refused(*_: Any, **__: Any) -> None:
        done.fail(
            UnsupportedLayerError(
                f"model: relevance propagation has no rule for layer {name!r}, {what}. {OTHERS}"
            )
        )

    return refused


def stand_in(operation: Any, done: Pass) -> Callable[..., Any] | None:
    """Make what stands in for a layer's `call`; None: nothing has to."""
    name, kind = operation.name, type(operation).__name__
    refused = no_rule(done, name, f"a {kind}")
    call = operation.call
    if is_stock(operation, _MOVERS):
        return None
    own = type(operation).__module__.startswith("keras.src.ops.")
    if own and kind in _MOVING_OPERATIONS:
        return None

    def mixes() -> bool:
        return getattr(getattr(operation, "activation", None), "__name__", "") in _MIXING

    def unruled(*args: Any, **kwargs: Any) -> Any:
        outputs = call(*args, **kwargs)
        made = _floating(outputs)
        # What makes masks, for example, is on no way back. What makes vectors of ids is its end.
        if made and _floating((args, kwargs)):
            return refused()
        end_at(made, done)
        return outputs

    def dense(inputs: Any, training: bool | None = None) -> Any:  # noqa: ARG001
        return refused() if mixes() else _dense(operation, inputs, done)

    def elementwise(inputs: Any, **options: Any) -> Any:
        if mixes():
            return refused()
        return _activated(lambda x: call(x, **options), inputs, done)

    def affine(inputs: Any, **options: Any) -> Any:
        return _affine(lambda x: call(x, **options), inputs, done)

    def each_alone(inputs: Any, **options: Any) -> Any:
        return _affine(lambda x: call(x, **options), inputs, done, feeding=lambda x: x)

    def proved(inputs: Any, **options: Any) -> Any:
        def function(x: Any) -> Any:
            return call(x, **options)

        if hasattr(inputs, "dtype") and is_affine(function, inputs, mixing=False):
            return _affine(function, inputs, done)
        return unruled(inputs, **options)

    def padded(inputs: Any) -> Any:
        # What arrives at the zeros ends there.
        real = np.asarray(call(np.ones(inputs.shape, np.bool_)))
        return shown_where(real, call(inputs), done)

    def multiplied(*given: Any) -> Any:
        factors = given[0] if len(given) == 1 else given
        product = _masked(lambda *x: call(list(x)) if len(given) == 1 else call(*x), factors, done)
        return refused() if product is None else product

    def added(inputs: Any) -> Any:
        if len({tuple(part.shape) for part in inputs}) > 1:
            return refused()
        return _summed(lambda *parts: call(list(parts)), inputs, divisor(len(inputs)), done)

    def divisor(parts: int) -> int:
        return 1 if kind == "Add" else parts

    if is_stock(operation, ("Dense",)):
        return dense
    if is_stock(operation, _ACTIVATIONS):
        return elementwise
    if is_stock(operation, ("Conv1D",)):
        return lambda inputs: refused() if mixes() else _convolved(operation, inputs, done)
    if is_stock(operation, ("AveragePooling1D", "GlobalAveragePooling1D")):
        return affine
    if is_stock(operation, ("BatchNormalization", "Normalization", "Rescaling")):
        return each_alone
    if is_stock(operation, ("LayerNormalization",)) and not operation.rms_scaling:
        return lambda inputs: _layer_normalised(operation, call, inputs, done)
    if is_stock(operation, ("ZeroPadding1D",)):
        return padded
    if is_stock(operation, ("Multiply",)) or (own and kind == "Multiply"):
        return multiplied
    if is_stock(operation, ("Lambda",)):
        return proved
    if is_stock(operation, ("Add", "Average")):
        return added
    return unruled


def _floating(values: Any) -> list[Any]:
    """List the tensors of floating point numbers in a structure."""
    found = load_keras().tree.flatten(values)
    return [v for v in found if hasattr(v, "dtype") and getattr(v.dtype, "is_floating", False)]


# The rules on tensors -----------------------------------------------------------------------------


def tied(
    sources: Sequence[Any], outputs: Sequence[Any], backward: Callable[..., Sequence[Any]]
) -> list[Any]:
    """Return the outputs, tied to their sources by a way back of our own.

    Parameters
    ----------
    sources : sequence of tensor
        Tensors.
    outputs : sequence of tensor
        Tensors that were computed from them.
    backward : callable
        From what arrives at each output to what arrives at each source; None: nothing.
    """
    import tensorflow as tf  # noqa: PLC0415

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def tied(*_: Any) -> Any:
        def grad(*given: Any) -> list[Any]:
            arrived = backward(*given)
            return [
                None if a is None else tf.cast(a, s.dtype)
                for a, s in zip(arrived, sources, strict=True)
            ]

        return [tf.identity(output) for output in outputs], grad

    outputs = [tf.stop_gradient(output) for output in outputs]
    return list(tied(*sources))


def _ruled(
    function: Callable[..., Any],
    sources: Sequence[Any],
    rule: Callable[..., Sequence[npt.NDArray[Any]]],
    done: Pass,
) -> Any:
    """Compute something that relevance goes back through by a rule, and gradients as ever.

    Parameters
    ----------
    function : callable
        From the sources to the output.
    sources : sequence of tensor
        Tensors.
    rule : callable
        From the two numbers of the epsilon rule, the relevance of the output, the output and the
        sources, as arrays, to the relevance of each source.
    done : Pass
        The pass that this is for.
    """
    import tensorflow as tf  # noqa: PLC0415

    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        inside = [tf.stop_gradient(source) for source in sources]
        tape.watch(inside)
        output = function(*inside)

    def backward(given: Any) -> Any:
        if done.rule is None:
            return tape.gradient(output, inside, output_gradients=given)
        return rule(done.rule, *map(plain_array, (given, output, *inside)))

    return tied(sources, [output], backward)[0]


def _activated(function: Callable[[Any], Any], inputs: Any, done: Pass) -> Any:
    """Apply an elementwise function, which hands relevance on as it is."""
    return _ruled(function, [inputs], lambda _rule, given, *_: [given], done)


def _dense(layer: Any, inputs: Any, done: Pass) -> Any:
    import tensorflow as tf  # noqa: PLC0415

    keras = load_keras()
    convert = keras.ops.convert_to_tensor
    kernel = tf.cast(convert(layer.kernel), inputs.dtype)
    bias = tf.cast(convert(layer.bias), inputs.dtype) if layer.use_bias else None
    x = tf.stop_gradient(inputs)
    z = tf.tensordot(x, kernel, 1)
    z = z if bias is None else z + bias

    def backward(given: Any) -> list[Any]:
        if done.rule is None:
            return [tf.tensordot(given, kernel, [[-1], [1]])]
        read, weights, sums, arrived = map(plain_array, (x, kernel, z, given))
        of_bias = None if bias is None else plain_array(bias)
        return [relevance_rules.linear(read, weights, sums, arrived, done.rule, bias=of_bias)]

    (z,) = tied([inputs], [z], backward)
    if layer.activation in (None, keras.activations.linear):
        return z
    return _activated(layer.activation, z, done)


def _affine(
    function: Callable[[Any], Any],
    inputs: Any,
    done: Pass,
    *,
    linear: Callable[[Any], Any] | None = None,
    feeding: Callable[[Any], Any] | None = None,
) -> Any:
    """Compute an affine function, which relevance goes back through by the epsilon rule.

    Parameters
    ----------
    function : callable
        From the inputs to the outputs.
    inputs : tensor
        A tensor.
    done : Pass
        The pass that this is for.
    linear : callable, optional
        What the rule takes for the function, where that is affine only with something held. None:
        the function itself.
    feeding : callable, optional
        A linear map with a positive weight, the same for all inputs of an output, where the function
        has any weight, zero included, and no others: it tells what goes into what. None: the function
        has such weights itself.
    """
    import tensorflow as tf  # noqa: PLC0415

    linear = linear or function

    def transposed(f: Callable[[Any], Any], x: Any, arrived: npt.NDArray[Any]) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            y = f(x)
        return plain_array(tape.gradient(y, x, output_gradients=tf.cast(arrived, y.dtype)))

    def rule(rule: Rule, given: Any, z: Any, x: Any) -> list[npt.NDArray[Any]]:
        at = tf.constant(x, inputs.dtype)

        def spread(share: npt.NDArray[Any], stabiliser: npt.NDArray[Any]) -> npt.NDArray[Any]:
            bias = plain_array(linear(tf.zeros_like(at)))
            weights = plain_array((feeding or linear)(tf.ones_like(at)))
            weights = weights if feeding else weights - bias
            lost = share * (stabiliser + bias)
            lost = np.divide(lost, weights, out=np.zeros_like(lost), where=weights != 0)
            return np.asarray(transposed(feeding or linear, at, lost))

        of_x = relevance_rules.affine(
            *(x, z, given, rule),
            transposed=lambda share: transposed(linear, at, share),
            spread=spread,
        )
        return [of_x]

    return _ruled(function, [inputs], rule, done)


def _convolved(layer: Any, inputs: Any, done: Pass) -> Any:
    """Compute a Conv1D: padding that it adds takes nothing, because it is none of its inputs."""
    own, activation = type(layer).call, layer.activation

    def with_(*changes: tuple[str, Any]) -> Callable[[Any], Any]:
        patches = [(layer, name, value) for name, value in (("activation", None), *changes)]

        def run(x: Any) -> Any:
            with replaced(patches):
                return own(layer, x)

        return run

    ones = load_keras().ops.ones_like(layer.kernel)
    feeding = with_(("_kernel", ones), ("lora_enabled", False), ("use_bias", False))
    z = _affine(with_(), inputs, done, feeding=feeding)
    return z if activation is None else _activated(activation, z, done)


def _layer_normalised(layer: Any, call: Callable[[Any], Any], inputs: Any, done: Pass) -> Any:
    """Compute a LayerNormalization; its rule holds the standard deviation (Ali et al. 2022)."""
    import tensorflow as tf  # noqa: PLC0415

    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    axes = [axis % len(inputs.shape) for axis in axes]
    shape = [n if k in axes else 1 for k, n in enumerate(inputs.shape)]

    def weights(variable: Any) -> Any:
        return tf.reshape(tf.cast(tf.convert_to_tensor(variable), inputs.dtype), shape)

    def mean(x: Any) -> Any:
        return tf.reduce_mean(x, axes, keepdims=True)

    size = tf.math.rsqrt(mean(tf.square(inputs - mean(inputs))) + layer.epsilon)

    def linear(x: Any) -> Any:
        y = (x - mean(x)) * size
        y = y if layer.gamma is None else y * weights(layer.gamma)
        return y if layer.beta is None else y + weights(layer.beta)

    def feeding(x: Any) -> Any:
        return tf.broadcast_to(mean(x), x.shape)

    return _affine(call, inputs, done, linear=linear, feeding=feeding)


def _masked(function: Callable[..., Any], factors: Sequence[Any], done: Pass) -> Any:
    """Compute a product of masks and one thing that they mask; None if it is another product.

    What is masked takes all, as in a product of a signal and gates.
    """
    import tensorflow as tf  # noqa: PLC0415

    factors = [tf.convert_to_tensor(factor) for factor in factors]
    # Values may be 0 and 1 by accident: a mask doesn't depend on what stands at each timestep, but
    # for comparisons.
    masks = [bool(tf.reduce_all((f == 0) | (f == 1))) and not done.leads_to(f) for f in factors]
    if masks.count(False) != 1:
        return None
    signal = masks.index(False)

    def rule(_: Rule, given: Any, __: Any, *arrays: npt.NDArray[Any]) -> list[Any]:
        results: list[Any] = [None] * len(arrays)
        results[signal] = _summed_to(given, arrays[signal].shape)
        return results

    return _ruled(function, factors, rule, done)


def _summed_to(values: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Sum up what one value has been broadcast to."""
    values = values.sum(axis=tuple(range(values.ndim - len(shape))))
    axes = tuple(k for k, n in enumerate(shape) if n == 1 != values.shape[k])
    return np.asarray(values.sum(axis=axes, keepdims=True))


def _summed(function: Callable[..., Any], parts: Sequence[Any], divisor: int, done: Pass) -> Any:
    """Compute a sum, or an average, of parts."""
    return _ruled(
        function,
        parts,
        lambda rule, given, whole, *parts: relevance_rules.total(
            [part / divisor for part in parts], whole, given, rule
        ),
        done,
    )


def merge(layer: Any, done: Pass) -> Callable[..., Any]:
    """Make the `call` of a Bidirectional that adds or averages its directions."""
    call, mode = layer.call, layer.merge_mode

    def merged(*args: Any, **kwargs: Any) -> Any:
        with replaced([(layer, "merge_mode", None)]):
            forward, backward, *states = call(*args, **kwargs)
        divisor = 1 if mode == "sum" else 2
        output = _summed(
            lambda one, other: (one + other) / divisor, [forward, backward], divisor, done
        )
        return (output, *states) if states else output

    return merged


def end_at(states: Sequence[Any], done: Pass) -> None:
    """Let relevance end at some tensors."""
    for state in states if done.tape is not None else ():
        done.tape.watch(state)
        done.others.append(state)


def shown_where(shown: npt.NDArray[np.bool_], hidden: Any, done: Pass) -> Any:
    """Put zeros where a layer returns them in place of its state. Relevance may end there."""
    import tensorflow as tf  # noqa: PLC0415

    if shown.all():
        return hidden
    zeros = tf.zeros_like(hidden)
    end_at([zeros], done)
    return tf.where(shown, hidden, zeros)
