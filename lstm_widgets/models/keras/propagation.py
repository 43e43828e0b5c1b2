# Keras and TensorFlow have no types, so what comes from them is Any.
# ruff: noqa: ANN401
"""The way back through a Keras model: gradients, or relevance.

Recurrent layers run our loop, which keeps what the way back takes. For relevance propagation, each
layer gets its rule of :mod:`lstm_widgets.rnn.relevance_rules` in the place of its gradient. Going back from
a score, TensorFlow then carries relevance where it would carry gradients, through whatever wiring
the model has. Layers that only move values about need no rule: their gradient moves relevance about
just so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.errors import UnsupportedLayerError
from lstm_widgets.models.keras.cells import as_array, mask_array, read_cell, tensor_cell
from lstm_widgets.models.keras.layer_rules import (
    OTHERS,
    end_at,
    merge,
    no_rule,
    shown_where,
    stand_in,
    tied,
)
from lstm_widgets.models.keras.layers import load_keras
from lstm_widgets.models.keras.loop_check import check_call
from lstm_widgets.models.keras.patches import is_stock
from lstm_widgets.models.keras.returned import as_returned, last_as_returned
from lstm_widgets.models.self_check import CellRun
from lstm_widgets.rnn import gradients, relevance_rules
from lstm_widgets.rnn.cells import SIGNALS, STATES, Cell, plain_array, step
from lstm_widgets.rnn.scan import scan
from lstm_widgets.rnn.sequences import Sequences

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    import numpy.typing as npt

    from lstm_widgets.models.keras.passes import Pass
    from lstm_widgets.models.keras.patches import Patch

__all__ = ["loops", "read_by", "rules"]


def loops(found: Sequence[Any], done: Pass) -> Iterator[Patch]:
    """Let recurrent layers run our loop.

    Parameters
    ----------
    found : sequence of object
        The layers, as the recorder lists them. Those with a problem keep their own.
    done : Pass
        The pass that the loops are for. Initial states that no layer computed are added to its
        ``others``.
    """
    for one in found:
        if one.stepped and not one.problem:
            yield one.layer, "call", _step(one, done)
        elif not one.problem:
            yield one.layer, "inner_loop", _loop(one, done)
            yield one.layer, "get_initial_state", _shown_states(one.layer, done)
            # Else a Bidirectional on a GPU might compute both directions past these loops.
            yield one.layer, "use_cudnn", False


def rules(
    model: Any, found: Sequence[Any], done: Pass, leading: Container[int] | None
) -> Iterator[Patch]:
    """Give every layer of a model its rule, but for the recurrent ones, whose loops have it.

    Parameters
    ----------
    model : object
        A Sequential or functional model.
    found : sequence of object
        Its recurrent layers, as the recorder lists them.
    done : Pass
        The pass that the rules are for. A layer without rule fails it as soon as it is called.
    leading : Container[int], optional
        The ids of the operations that lead to the output that is explained: others need no rule.
        None: all do.

    Raises
    ------
    UnsupportedLayerError
        If the model has custom code between its layers.
    """
    keras = load_keras()
    for one in found:
        if one.problem:
            yield one.layer, "call", no_rule(done, one.name, one.problem)
    for operation in operations_of(model, leading):
        if isinstance(operation, keras.layers.Bidirectional):
            if operation.merge_mode == "mul":
                problem = "a Bidirectional that multiplies its directions"
                yield operation, "call", no_rule(done, operation.name, problem)
            elif operation.merge_mode in ("sum", "ave"):
                yield operation, "call", merge(operation, done)
        elif not isinstance(operation, keras.layers.RNN) and not any(
            operation is one.layer for one in found
        ):
            call = stand_in(operation, done)
            if call is not None:
                yield operation, "call", _from_the_source_on(call, operation.call, done)


def operations_of(model: Any, leading: Container[int] | None = None) -> Iterator[Any]:
    """List what a model consists of, also inside of the models and wrappers in it.

    ``leading`` are the ids of those of its operations that matter; None: all.
    """
    keras = load_keras()
    graph = getattr(model, "_functional", None) or model
    if not type(model).call.__module__.startswith("keras.") or not hasattr(graph, "operations"):
        raise UnsupportedLayerError(
            f"model: relevance propagation needs a Sequential or functional model; {model.name!r}, "
            f"a {type(model).__name__}, has custom code between its layers. {OTHERS}"
        )
    for operation in graph.operations:
        if leading is not None and id(operation) not in leading:
            continue
        if isinstance(operation, keras.Model):
            yield from operations_of(operation)
        elif is_stock(operation, ("TimeDistributed",)):
            yield operation.layer
        else:
            yield operation


def _from_the_source_on(
    ruled: Callable[..., Any], call: Callable[..., Any], done: Pass
) -> Callable[..., Any]:
    """Let a layer have its rule unless it comes before a source inside of the model."""
    import tensorflow as tf  # noqa: PLC0415

    def either(*args: Any, **kwargs: Any) -> Any:
        if done.inside and not done.sources:
            output = call(*args, **kwargs)
            if not done.sources:  # neither is it this
                output = load_keras().tree.map_structure(tf.stop_gradient, output)
            return output
        return ruled(*args, **kwargs)

    return either


def _shown_states(layer: Any, done: Pass) -> Callable[..., Any]:
    """Let a layer show the initial states that it makes itself: relevance may end there."""
    get_initial_state = layer.get_initial_state

    def shown(batch_size: Any) -> Any:
        states = get_initial_state(batch_size)
        end_at(load_keras().tree.flatten(states), done)
        return states

    return shown


def _loop(one: Any, done: Pass) -> Callable[..., Any]:
    """Make the loop that stands in for a recurrent layer's own."""
    layer, cells = one.layer, one.cells

    def inner_loop(
        sequences: Any,
        initial_state: Any,
        mask: Any,
        training: bool = False,  # noqa: ARG001  (inference only)
    ) -> tuple[Any, Any, Any]:
        import tensorflow as tf  # noqa: PLC0415

        if not tf.executing_eagerly():  # in a tf.function of the model
            own = type(layer).inner_loop
            return own(layer, sequences, initial_state, mask)  # type: ignore[no-any-return]
        tree = load_keras().tree
        states = [tf.convert_to_tensor(state) for state in tree.flatten(initial_state)]
        if layer.stateful:
            end_at(states, done)
        real = None if mask is None else mask_array(tree.flatten(mask)[0])
        hidden = sequences
        last: list[Any] = []
        runs: list[CellRun] = []
        for cell, kind in zip(cells, one.kinds, strict=True):
            (hidden, *ended), run = _scanned(
                (kind, cell),
                tf.cast(hidden, cell.compute_dtype),
                [tf.cast(s, cell.compute_dtype) for s in states[len(last) :][: STATES[kind]]],
                done,
                mask=real,
                reverse=layer.go_backwards,
                over_time=layer.return_sequences or cell is not cells[-1],
            )
            last += ended
            runs.append(run)
        if done.check is not None and sequences.shape[1]:
            check_call(done.check, one, sequences, initial_state, mask=real, runs=runs)
        ones = np.ones((*sequences.shape[:2], 1), np.bool_)
        packed = tree.pack_sequence_as(initial_state, last)
        if layer.return_sequences:
            shown = as_returned(ones, real, layer)
            hidden = tf.reverse(hidden, [1]) if layer.go_backwards else hidden
            outputs = shown_where(shown, hidden, done)
            return outputs[:, -1], outputs, packed
        shown = last_as_returned(ones[:, 0], real, layer, begun=False)
        final = shown_where(shown, last[-STATES[one.kinds[-1]]], done)
        return final, tf.expand_dims(final, 1), packed

    return inner_loop


def _step(one: Any, done: Pass) -> Callable[..., Any]:
    """Make what stands in for the call of a cell that the model steps itself."""
    cell = one.layer

    def call(inputs: Any, states: Any, training: bool = False) -> tuple[Any, Any]:  # noqa: ARG001
        import tensorflow as tf  # noqa: PLC0415

        if not tf.executing_eagerly():  # in a tf.function of the model
            return type(cell).call(cell, inputs, states, training=False)  # type: ignore[no-any-return]
        tree = load_keras().tree
        before = [tf.cast(state, cell.compute_dtype) for state in tree.flatten(states)]
        (_, *ended), run = _scanned(
            (one.kinds[0], cell),
            tf.cast(inputs, cell.compute_dtype)[:, None],
            before,
            done,
            mask=None,
            reverse=False,
            over_time=False,
        )
        if done.check is not None:
            check_call(done.check, one, inputs[:, None], before, mask=None, runs=[run])
        return ended[0], ended if tree.is_nested(states) else ended[0]

    return call


def read_by(one: Any, around: Callable[[Callable[[Any], list[Any]], int, Any], None]) -> Patch:
    """Let each call of a recurrent layer be read by a function.

    Parameters
    ----------
    one : object
        The layer, as the recorder lists it.
    around : callable
        It is given a function that makes of a mask the states in which the call ends, and that it
        has to call once; the number of timesteps; and the mask.
    """
    tree = load_keras().tree
    name = "call" if one.stepped else "inner_loop"
    own = getattr(one.layer, name)

    def inner_loop(
        sequences: Any,
        initial_state: Any,
        mask: Any,
        training: bool = False,  # noqa: ARG001  (inference only)
    ) -> Any:
        results: list[Any] = []

        def read(mask: Any) -> list[Any]:
            results.append(own(sequences, initial_state, mask, training=False))
            return list(tree.flatten(results[0][2]))

        around(read, int(sequences.shape[1]), mask)
        return results[0]

    def call(inputs: Any, states: Any, training: bool = False) -> Any:  # noqa: ARG001
        results: list[Any] = []

        def read(_: Any) -> list[Any]:
            results.append(own(inputs, states))
            return list(tree.flatten(results[0][1]))

        around(read, 1, None)
        return results[0]

    return one.layer, name, call if one.stepped else inner_loop


def _scanned(
    known: tuple[str, Any],
    x: Any,
    states: Sequence[Any],
    done: Pass,
    *,
    mask: npt.NDArray[np.bool_] | None,
    reverse: bool,
    over_time: bool,
) -> tuple[list[Any], CellRun]:
    """Run one cell over whole sequences: its hidden state ``over_time``, and its last states.

    ``known`` are its kind, and the cell as Keras has it. What it did comes along.
    """
    import tensorflow as tf  # noqa: PLC0415

    cell = read_cell(*known)
    names = SIGNALS[cell.kind]
    shape = (len(names), int(x.shape[0]), int(x.shape[1]), cell.units)
    dtype = np.float64 if x.dtype == tf.float64 else np.float32
    signals = dict(zip(names, np.empty(shape, dtype), strict=True))
    read, begun = as_array(x), [as_array(state) for state in states]
    of_inputs = np.empty(shape[1:], dtype) if done.relevance else None
    last = scan(
        cell,
        read,
        begun,
        mask,
        signals,
        reverse=reverse,
        of_inputs=of_inputs,
        lookup=done.lookup(x),
    )
    run = CellRun(cell, known[1].compute_dtype, read, mask, reverse, begun, out=signals)

    def backward(*given: Any) -> Any:
        if done.rule is None and not gradients.known(cell):
            ours = tensor_cell(*known)
            return _gradient(ours, x, states, given, mask, reverse=reverse, over_time=over_time)
        layer = Sequences(
            *(cell.in_numpy(), plain_array(read), [plain_array(s) for s in begun], signals),
            mask=mask,
            reverse=reverse,
            of_inputs=of_inputs,
        )
        arrived = [plain_array(tensor) for tensor in given]
        of_hidden = arrived.pop(0) if over_time else None
        if done.rule is None:
            of_x, of_states = gradients.recurrent(layer, of_hidden, arrived)
        else:
            summed = done.summed and done.is_source(x)
            of_x, of_states = relevance_rules.recurrent(
                layer, of_hidden, arrived, done.rule, summed=summed
            )
        return [done.arrives(x, of_x), *of_states]

    hidden = [tf.cast(signals["hidden_state"], x.dtype)] if over_time else []
    ended = [tf.cast(state, x.dtype) for state in last]
    # Without a tape there is no way back.
    results = [*hidden, *ended]
    if done.tape is not None:
        results = tied([x, *states], results, backward)
    return (results if over_time else [None, *results]), run


def _gradient(
    cell: Cell,
    x: Any,
    states: Sequence[Any],
    given: Sequence[Any],
    mask: npt.NDArray[np.bool_] | None,
    *,
    reverse: bool,
    over_time: bool,
) -> Any:
    """Let TensorFlow differentiate the loop, for activations that only it knows."""
    import tensorflow as tf  # noqa: PLC0415

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch([x, *states])
        projected = tf.transpose(tf.tensordot(x, cell.kernel, 1), (1, 0, 2))
        if cell.input_bias is not None:
            projected += cell.input_bias
        last = list(states)
        hidden = []
        indices = range(int(x.shape[1]))
        for t in reversed(indices) if reverse else indices:
            z = projected[t]
            if cell.kind != "GRU":
                z += last[0] @ cell.recurrent_kernel
            new = list(step(cell, z, last)[: len(last)])
            if mask is not None:
                new = [tf.where(mask[:, t, None], n, s) for n, s in zip(new, last, strict=True)]
            last = new
            hidden.append(last[0])
        if reverse:
            hidden.reverse()
        outputs = [tf.stack(hidden, axis=1), *last] if over_time else last
    return tape.gradient(outputs, [x, *states], output_gradients=given)
