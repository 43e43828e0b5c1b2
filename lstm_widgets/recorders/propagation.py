# Keras and TensorFlow have no types, so what comes from them is Any.
# ruff: noqa: ANN401
"""Relevance propagation through a Keras model.

Each layer gets its rule of :mod:`lstm_widgets.analysis.lrp` as the gradient of what it computes.
Going back from a score, TensorFlow then carries relevance where it would carry gradients, through
whatever wiring the model has. Layers that only move values about need no rule: their gradient moves
relevance about just so.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis import lrp
from lstm_widgets.recorders._layers import UnsupportedLayerError, load_keras
from lstm_widgets.recorders._session import (
    as_returned,
    is_stack,
    last_as_returned,
    mask_array,
    read_cell,
)
from lstm_widgets.recurrence import SIGNALS, STATES, Cell, scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy.typing as npt

    from lstm_widgets.recorders.explained import Pass

__all__ = ["Patch", "is_stock", "patches", "replaced"]

OTHERS = "The methods 'sensitivity', 'gradient_x_input', 'integrated_gradients' and 'occlusion' work here"

Patch = tuple[Any, str, Any]
"""An object, the name of one of its attributes, and what stands there for a while."""

# They only move values about, or do nothing outside of training.
_MOVERS = (
    *("Dropout", "SpatialDropout1D", "GaussianDropout", "GaussianNoise", "AlphaDropout"),
    *("ActivityRegularization", "Identity", "InputLayer", "Embedding", "Masking"),
    *("Flatten", "Reshape", "Permute", "RepeatVector", "Concatenate", "Cropping1D"),
    *("ZeroPadding1D", "GlobalMaxPooling1D", "MaxPooling1D"),
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


@contextlib.contextmanager
def replaced(patches: Iterable[Patch]) -> Iterator[None]:
    """Put something else in the place of attributes of layers, for as long as the context lasts."""
    before: list[tuple[dict[str, Any], str, Any]] = []
    missing = object()
    try:
        for thing, name, value in patches:
            # Past Keras's __setattr__, which has nothing to track here.
            before.append((thing.__dict__, name, thing.__dict__.get(name, missing)))
            thing.__dict__[name] = value
        yield
    finally:
        for attributes, name, value in reversed(before):
            if value is missing:
                del attributes[name]
            else:
                attributes[name] = value


def is_stock(layer: Any, names: Sequence[str]) -> bool:
    """Whether a layer computes what one of these layers of Keras does."""
    for name in names:
        base = getattr(load_keras().layers, name, None)
        if base is not None and isinstance(layer, base) and type(layer).call is base.call:
            return True
    return False


def patches(
    model: Any, found: Sequence[Any], done: Pass, rule: lrp.Rule
) -> tuple[list[Patch], dict[int, Callable[..., Any]]]:
    """Give every layer of a model its rule.

    Parameters
    ----------
    model
        A Sequential or functional model.
    found
        Its recurrent layers, as the recorder lists them.
    done
        The pass that the rules are for. Initial states that no layer computed are added to its
        ``others``; a layer without rule fails it as soon as it is called.
    rule
        Epsilon and bias factor.

    Returns
    -------
    tuple
        The patches, and by the id of each recurrent layer the loop that stands in for its own.

    Raises
    ------
    UnsupportedLayerError
        If the model has code of its own between its layers.
    """
    keras = load_keras()
    by_id = {id(one.layer): one for one in found}
    result: list[Patch] = []
    loops: dict[int, Callable[..., Any]] = {}

    def recurrent(layer: Any) -> None:
        one = by_id[id(layer)]
        if one.problem:
            result.append((layer, "call", _no_rule(done, one.name, one.problem)))
            return
        loops[id(layer)] = _loop(one, done, rule)
        result.append((layer, "inner_loop", loops[id(layer)]))
        result.append((layer, "get_initial_state", _shown_states(layer, done)))
        # Else a Bidirectional on a GPU might compute both directions past these loops.
        result.append((layer, "use_cudnn", False))

    for operation in operations_of(model):
        if isinstance(operation, keras.layers.RNN):
            recurrent(operation)
        elif isinstance(operation, keras.layers.Bidirectional):
            recurrent(operation.forward_layer)
            recurrent(operation.backward_layer)
            if operation.merge_mode == "mul":
                problem = "a Bidirectional that multiplies its directions"
                result.append((operation, "call", _no_rule(done, operation.name, problem)))
            elif operation.merge_mode in ("sum", "ave"):
                result.append((operation, "call", _merge(operation, rule)))
        else:
            call = _call(operation, done, rule)
            if call is not None:
                result.append((operation, "call", call))
    return result, loops


def operations_of(model: Any) -> Iterator[Any]:
    """List what a model consists of, also inside of the models and wrappers in it."""
    keras = load_keras()
    graph = getattr(model, "_functional", None) or model
    if not type(model).call.__module__.startswith("keras.") or not hasattr(graph, "operations"):
        raise UnsupportedLayerError(
            f"model: relevance propagation needs a Sequential or functional model; {model.name!r}, "
            f"a {type(model).__name__}, has code of its own between its layers. {OTHERS}"
        )
    for operation in graph.operations:
        if isinstance(operation, keras.Model):
            yield from operations_of(operation)
        elif is_stock(operation, ("TimeDistributed",)):
            yield operation.layer
        else:
            yield operation


def _no_rule(done: Pass, name: str, what: str) -> Callable[..., Any]:
    def refused(*_: Any, **__: Any) -> None:
        done.fail(
            UnsupportedLayerError(
                f"model: relevance propagation has no rule for layer {name!r}, {what}. {OTHERS}"
            )
        )

    return refused


def _call(operation: Any, done: Pass, rule: lrp.Rule) -> Callable[..., Any] | None:
    """Make what stands in for a layer's `call`; None: nothing has to."""
    name, kind = operation.name, type(operation).__name__
    refused = _no_rule(done, name, f"a {kind}")
    call = operation.call
    if is_stock(operation, _MOVERS):
        return None
    if type(operation).__module__.startswith("keras.src.ops.") and kind in _MOVING_OPERATIONS:
        return None

    def mixes() -> bool:
        return getattr(getattr(operation, "activation", None), "__name__", "") in _MIXING

    def unruled(*args: Any, **kwargs: Any) -> Any:
        outputs = call(*args, **kwargs)
        # What makes masks, for example, is on no way back.
        if any(t.dtype.is_floating for t in load_keras().tree.flatten(outputs)):
            return refused()
        return outputs

    def dense(inputs: Any, training: bool | None = None) -> Any:  # noqa: ARG001
        return refused() if mixes() else _dense(operation, inputs, rule)

    def elementwise(inputs: Any, **options: Any) -> Any:
        if mixes():
            return refused()
        return _routed([inputs], [call(inputs, **options)], lambda relevance: [relevance])[0]

    def pooled(inputs: Any, mask: Any = None) -> Any:
        real = None if mask is None else np.asarray(mask).astype(np.bool_)
        mean = call(inputs, mask=mask)
        return _routed(
            [inputs],
            [mean],
            lambda relevance: [
                lrp.mean_over_time(_array(inputs), _array(mean), real, relevance, rule)
            ],
        )[0]

    def added(inputs: Any) -> Any:
        if len({tuple(part.shape) for part in inputs}) > 1:
            return refused()
        return _summed(inputs, call(inputs), rule, 1 if kind == "Add" else len(inputs))

    if is_stock(operation, ("Dense",)):
        return dense
    if is_stock(operation, _ACTIVATIONS):
        return elementwise
    if is_stock(operation, ("GlobalAveragePooling1D",)):
        return pooled if operation.data_format == "channels_last" else refused
    if is_stock(operation, ("Add", "Average")):
        return added
    return unruled


# The rules on tensors -----------------------------------------------------------------------------


def _array(tensor: Any) -> npt.NDArray[Any]:
    """Turn a tensor into an array that NumPy computes with: halves become singles."""
    array = np.asarray(tensor)
    return array if array.dtype.itemsize >= 4 else array.astype(np.float32)


def _routed(
    sources: Sequence[Any],
    outputs: Sequence[Any],
    backward: Callable[..., Sequence[npt.NDArray[Any]]],
) -> list[Any]:
    """Return the outputs, tied to their sources by a rule instead of by their gradient.

    Parameters
    ----------
    sources
        Tensors.
    outputs
        Tensors that were computed from them.
    backward
        From the relevance of each output, as arrays, to that of each source.
    """
    import tensorflow as tf  # noqa: PLC0415

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def routed(*_: Any) -> Any:
        def grad(*upstream: Any) -> list[Any]:
            arrived = backward(*map(_array, upstream))
            return [tf.cast(r, s.dtype) for r, s in zip(arrived, sources, strict=True)]

        return [tf.identity(output) for output in outputs], grad

    outputs = [tf.stop_gradient(output) for output in outputs]
    return list(routed(*sources))


def _dense(layer: Any, inputs: Any, rule: lrp.Rule) -> Any:
    import tensorflow as tf  # noqa: PLC0415

    convert = load_keras().ops.convert_to_tensor
    kernel = tf.cast(convert(layer.kernel), inputs.dtype)
    z = tf.tensordot(inputs, kernel, 1)
    bias = None
    if layer.use_bias:
        bias = tf.cast(convert(layer.bias), inputs.dtype)
        z += bias
    output = z if layer.activation is None else layer.activation(z)

    def backward(relevance: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        of_bias = None if bias is None else _array(bias)
        return [
            lrp.linear(_array(inputs), _array(kernel), _array(z), relevance, rule, bias=of_bias)
        ]

    return _routed([inputs], [output], backward)[0]


def _summed(parts: Sequence[Any], whole: Any, rule: lrp.Rule, divisor: int) -> Any:
    """Tie a sum, or an average, to its parts."""

    def backward(relevance: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        return lrp.total([_array(p) / divisor for p in parts], _array(whole), relevance, rule)

    return _routed(parts, [whole], backward)[0]


def _merge(layer: Any, rule: lrp.Rule) -> Callable[..., Any]:
    """Make the `call` of a Bidirectional that adds or averages its directions."""
    call, mode = layer.call, layer.merge_mode

    def merged(*args: Any, **kwargs: Any) -> Any:
        with replaced([(layer, "merge_mode", None)]):
            forward, backward, *states = call(*args, **kwargs)
        divisor = 1 if mode == "sum" else 2
        output = _summed([forward, backward], (forward + backward) / divisor, rule, divisor)
        return (output, *states) if states else output

    return merged


def _shown_states(layer: Any, done: Pass) -> Callable[..., Any]:
    """Let a layer show the initial states that it makes itself: relevance may end there."""
    get_initial_state = layer.get_initial_state

    def shown(batch_size: Any) -> Any:
        states = get_initial_state(batch_size)
        _end_at(load_keras().tree.flatten(states), done)
        return states

    return shown


def _end_at(states: Sequence[Any], done: Pass) -> None:
    for state in states:
        done.tape.watch(state)
        done.others.append(state)


def _loop(one: Any, done: Pass, rule: lrp.Rule) -> Callable[..., Any]:
    """Make the loop that stands in for a recurrent layer's own."""
    layer = one.layer
    stacked = is_stack(layer)
    cells = layer.cell.cells if stacked else [layer.cell]

    def inner_loop(
        sequences: Any,
        initial_state: Any,
        mask: Any,
        training: bool = False,  # noqa: ARG001  (inference only)
    ) -> tuple[Any, Any, Any]:
        import tensorflow as tf  # noqa: PLC0415

        tree = load_keras().tree
        states = [tf.convert_to_tensor(state) for state in tree.flatten(initial_state)]
        if layer.stateful:
            _end_at(states, done)
        real = None if mask is None else mask_array(tree.flatten(mask)[0])
        hidden = sequences
        last: list[Any] = []
        for cell, kind in zip(cells, one.kinds, strict=True):
            hidden = tf.cast(hidden, cell.compute_dtype)
            own = [tf.cast(s, cell.compute_dtype) for s in states[len(last) :][: STATES[kind]]]
            equations = read_cell(kind, cell)
            hidden, *ended = _scanned(
                equations, hidden, own, rule, mask=real, reverse=layer.go_backwards
            )
            last += ended
        ones = np.ones((*hidden.shape[:2], 1), np.bool_)
        packed = tree.pack_sequence_as(initial_state, last)
        if layer.return_sequences:
            shown = as_returned(ones, real, layer)
            hidden = tf.reverse(hidden, [1]) if layer.go_backwards else hidden
            outputs = _shown(shown, hidden, done)
            return outputs[:, -1], outputs, packed
        shown = last_as_returned(ones[:, 0], real, layer, begun=False)
        final = _shown(shown, last[-STATES[one.kinds[-1]]], done)
        return final, final[:, None], packed

    return inner_loop


def _shown(shown: npt.NDArray[np.bool_], hidden: Any, done: Pass) -> Any:
    """Put zeros where a layer returns them in place of its state. Relevance may end there."""
    import tensorflow as tf  # noqa: PLC0415

    if shown.all():
        return hidden
    zeros = tf.zeros_like(hidden)
    _end_at([zeros], done)
    return tf.where(shown, hidden, zeros)


def _scanned(
    cell: Cell,
    x: Any,
    states: Sequence[Any],
    rule: lrp.Rule,
    *,
    mask: npt.NDArray[np.bool_] | None,
    reverse: bool,
) -> list[Any]:
    """Run one cell over whole sequences: its hidden state over time, and its last states."""
    import tensorflow as tf  # noqa: PLC0415

    shape = (int(x.shape[1]), int(x.shape[0]), cell.units)
    dtype = np.float64 if x.dtype == tf.float64 else np.float32
    # In memory, time comes first: that is how the values are made and how they are needed.
    signals = {name: np.empty(shape, dtype).swapaxes(0, 1) for name in SIGNALS[cell.kind]}
    last = scan(cell, x, states, mask, signals, reverse=reverse)

    def backward(
        relevance: npt.NDArray[Any], *last_relevance: npt.NDArray[Any]
    ) -> list[npt.NDArray[Any]]:
        weights = lrp.Weights(
            _array(cell.kernel),
            _array(cell.recurrent_kernel),
            None if cell.bias is None else _array(cell.bias),
            reset_after=cell.reset_after,
        )
        layer = lrp.Sequences(
            *(cell.kind, weights, _array(x), [_array(state) for state in states], signals),
            mask=mask,
            reverse=reverse,
        )
        of_x, of_states = lrp.recurrent(layer, relevance, last_relevance, rule)
        return [of_x, *of_states]

    hidden = tf.cast(signals["hidden_state"], x.dtype)
    return _routed([x, *states], [hidden, *last], backward)
