# PyTorch's tensors and functions have types that say nothing of shapes: Any.
# ruff: noqa: ANN401
"""The way back through PyTorch's recurrent modules: gradients, or relevance.

Where a module runs our loop, the loop keeps what the way back takes, and the whole call becomes one function
of autograd's, whose way back is that of :mod:`lstm_widgets.rnn.gradients` or
:mod:`lstm_widgets.rnn.relevance_rules`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from lstm_widgets.models.adapter import Result
from lstm_widgets.models.passes import ReachedError
from lstm_widgets.models.self_check import CellRun
from lstm_widgets.models.torch.cells import as_array, as_tensor
from lstm_widgets.models.torch.loops import LayerCall, Loops
from lstm_widgets.rnn import gradients, relevance_rules
from lstm_widgets.rnn.cells import KINDS, plain_array
from lstm_widgets.rnn.scan import scan
from lstm_widgets.rnn.sequences import Sequences

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from lstm_widgets.models.cell_state import ExplainedState, StateReads
    from lstm_widgets.models.torch.layers import Found
    from lstm_widgets.models.torch.passes import Pass
    from lstm_widgets.rnn.cells import Lookup

    Arrays = list[npt.NDArray[Any]]

__all__ = ["OpenLoops"]


def _unwatched(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let nothing that a method computes be taken for the module's."""

    @functools.wraps(method)
    def unwatched(*arguments: Any) -> Any:
        with torch._C.DisableTorchFunction():  # noqa: SLF001
            return method(*arguments)

    return unwatched


@dataclass
class OpenLoops(Loops):
    """What runs in the place of PyTorch's loops, open for the way back.

    Attributes
    ----------
    done : Pass
        The pass that it is for, by a weak reference: the graph, which the pass has, has this.
    explained, reads : ExplainedState and StateReads, optional
        The cell whose state is explained, and where the calls of its layer stand.
    lengths : dict of str to list of int
        The number of timesteps of each call of each layer.
    """

    done: Pass | None = None
    explained: ExplainedState | None = None
    reads: StateReads | None = None
    lengths: dict[str, list[int]] = field(default_factory=dict)
    _ways: list[Sequences] = field(default_factory=list)  # those of the call that is under way
    _data: Any = None  # what it reads
    packed: Any = None  # what of the first sequences that were packed isn't padding

    @classmethod
    def of(
        cls,
        found: Sequence[Found],
        timesteps: Callable[[npt.NDArray[np.intp]], int],
        done: Pass,
        state: ExplainedState | None = None,
        reads: StateReads | None = None,
    ) -> OpenLoops:
        """Make it of the recurrent layers of a module."""
        by_module: dict[int, list[Found]] = {}
        for one in found:
            by_module.setdefault(id(one.module), []).append(one)
        loops = cls(
            by_module,
            run=lambda call: loops.kept(call),  # noqa: PLW0108  (there are none yet)
            starts=lambda layer, number, states: states,  # noqa: ARG005
            # Registered cells compute by functions that are seen, whose ways back are known.
            wants=lambda one: not one.problem and not one.own,
            timesteps=timesteps,
            done=done,
            explained=state,
            reads=reads,
        )
        return loops

    def close(self) -> None:
        """Let go of what the graph has: it holds this."""
        self.restart()
        self._data = None

    def kept(self, call: LayerCall) -> Result:
        """Run a call of a layer, and keep what the way back through it takes."""
        (cell,), done = call.cells, self.done
        assert done is not None  # noqa: S101
        self.lengths.setdefault(call.layer.name, []).append(call.x.shape[1])
        self.packed = call.mask if self.packed is None else self.packed
        given = call
        if (
            self.reads is not None
            and self.explained is not None
            and call.layer is self.explained.layer
        ):
            given = replace(call, mask=self.reads.begin(call.x.shape[1], call.mask))
        lookup = None if self._ways else done.lookup(self._data)
        signals, of_inputs, last = _scanned(given, lookup, relevance=done.relevance)
        if done.check is not None and call.x.shape[1]:
            # PyTorch has no padding in front, where a layer that reads from the end is to stop.
            front = call.layer.go_backwards and given.mask is not call.mask
            checked = call if front else given
            out = _scanned(call, lookup, relevance=False)[0] if front else signals
            name = call.layer.dtypes[0]
            reverse = call.layer.go_backwards
            run = CellRun(cell, name, call.x, checked.mask, reverse, call.states, out=out)
            done.check(checked, [run])
        begun = [plain_array(state) for state in call.states]
        self._ways.append(
            Sequences(
                *(cell.in_numpy(), plain_array(call.x), begun, signals),
                mask=given.mask,
                reverse=call.layer.go_backwards,
                of_inputs=of_inputs,
            )
        )
        return Result(signals["hidden_state"], last)

    @_unwatched
    def over_time(self, function: str, found: list[Found], arguments: tuple[Any, ...]) -> Any:
        """Run all layers and directions of a module that runs over time."""
        module, given = self._calls[-1]
        packed = isinstance(given, PackedSequence)
        data, place = arguments[0], 2 if packed else 1
        start = arguments[place]
        starts = list(start) if isinstance(start, tuple) else [start]
        order, back_order = None, None
        if packed and given.unsorted_indices is not None:
            order, back_order = given.unsorted_indices, given.sorted_indices
        starts = [self._begun(state, 1, order, back_order) for state in starts]
        before = tuple(state.detach() for state in starts)
        rest = list(arguments)
        rest[0], rest[place] = data.detach(), before if isinstance(start, tuple) else before[0]
        width = 2 if module.bidirectional else 1

        def arranged(values: Any) -> npt.NDArray[Any]:
            """Bring what arrives at outputs into the order (example, timestep, units)."""
            if not packed:
                return plain_array(
                    as_array(values if module.batch_first else values.transpose(0, 1))
                )
            padded, _ = pad_packed_sequence(
                PackedSequence(values, arguments[1]),
                batch_first=True,
                total_length=ways[0].x.shape[1],
            )
            padded = padded if order is None else padded[order]
            return plain_array(as_array(padded))

        def as_taken(values: npt.NDArray[Any]) -> Any:
            """Bring what arrives at inputs into the order of what the module's function took."""
            made = as_tensor(values, data)
            if not packed:
                return made if module.batch_first else made.transpose(0, 1)
            made = made if back_order is None else made[back_order]
            lengths = (np.arange(len(made))[:, None] < arguments[1].numpy()).sum(axis=1)
            return pack_padded_sequence(made, torch.from_numpy(lengths), batch_first=True).data

        def backward(*given: Any) -> list[Any]:
            hidden = None if given[0] is None else arranged(given[0])
            of_last: list[Arrays] = []  # of each layer and direction
            for k, way in enumerate(ways):
                each = []
                for state, values in zip(given[1:], way.initial_state, strict=True):
                    ended = np.zeros_like(values)
                    if state is not None:
                        one = state[k] if order is None else state[k][order]
                        ended = plain_array(as_array(one)).astype(ended.dtype, copy=False)
                    each.append(ended)
                of_last.append(each)
            of_start: list[Arrays] = [[] for _ in ways]
            for layer in range(len(ways) // width)[::-1]:
                of_x = None
                for k in range(layer * width, (layer + 1) * width):
                    way = ways[k]
                    units = way.signals["hidden_state"].shape[2]
                    some = slice((k % width) * units, (k % width + 1) * units)
                    here = None if hidden is None else np.ascontiguousarray(hidden[..., some])
                    arrived, of_start[k] = self._back(way, here, of_last[k], data, first=layer == 0)
                    of_x = arrived if of_x is None else of_x + arrived
                hidden = of_x
            of_data = self.done.arrives(data, hidden)  # type: ignore[union-attr, arg-type]
            made = []
            for one in zip(*of_start, strict=True):
                tensor = as_tensor(np.stack(one), data)
                made.append(tensor if back_order is None else tensor[:, back_order])
            return [None if of_data is None else as_taken(of_data), *made]

        ways = self._ways = []
        self._data = data
        returned = _tied(
            lambda: super(OpenLoops, self).over_time(function, found, tuple(rest)),
            backward,
            [data, *starts],
        )
        self._reached(found, returned[1:], order)
        return returned

    @_unwatched
    def step(self, function: str, found: list[Found], arguments: tuple[Any, ...]) -> Any:
        """Run one step of a cell that the model steps itself."""
        data, before, *rest = arguments
        states = list(before) if isinstance(before, tuple) else [before]
        states = [self._begun(state, 0) for state in states]
        given = tuple(state.detach() for state in states)
        taken = given if isinstance(before, tuple) else given[0]

        def run() -> Any:
            made = super(OpenLoops, self).step(function, found, (data.detach(), taken, *rest))
            return made if isinstance(made, tuple) else (made,)

        def backward(*given: Any) -> list[Any]:
            (way,) = ways
            last = [
                np.zeros_like(state) if one is None else plain_array(as_array(one))
                for one, state in zip(given, way.initial_state, strict=True)
            ]
            of_x, of_states = self._back(way, None, last, data, first=True)
            return [as_tensor(of_x[:, 0], data), *(as_tensor(one, data) for one in of_states)]

        ways = self._ways = []
        self._data = None
        returned = _tied(run, backward, [data, *states])
        self._reached(found, [state[None] for state in returned], None)
        return returned if isinstance(before, tuple) else returned[0]

    def _begun(self, state: Any, axis: int, order: Any = None, back_order: Any = None) -> Any:
        """Let the way back end at an initial state that nothing was computed for."""
        if state.requires_grad or self.done is None:
            return state
        sorted_ = state if order is None else state.index_select(axis, order)
        leaf = self.done.ends_at(sorted_, axis)
        return leaf if back_order is None else leaf.index_select(axis, back_order)

    def _back(
        self, way: Sequences, hidden: Any, last: Arrays, data: Any, *, first: bool
    ) -> tuple[npt.NDArray[Any], Arrays]:
        done = self.done
        assert done is not None  # noqa: S101
        if done.rule is None:
            return gradients.recurrent(way, hidden, last)
        summed = done.summed and first and done.is_source(data)
        return relevance_rules.recurrent(way, hidden, last, done.rule, summed=summed)

    def _reached(self, found: list[Found], last: Sequence[Any], order: Any) -> None:
        """End the call of the model if it has come to the cell that is explained."""
        state, reads, done = self.explained, self.reads, self.done
        if state is None or reads is None or done is None:
            return
        if not any(one is state.layer for one in found):
            return
        here = reads.ended()
        if here is None:
            return
        place = [one.name for one in found].index(state.layer.name)
        values = last[state.state][place]
        values = values if order is None else values[order]
        before = torch.zeros_like(values) if done.returned is None else done.returned
        chosen = torch.from_numpy(here).to(values.device)
        done.returned = values if here.all() else torch.where(chosen, values, before)
        if reads.over:
            done.fail(ReachedError())


def _scanned(
    call: LayerCall, lookup: Lookup | None, *, relevance: bool
) -> tuple[dict[str, npt.NDArray[Any]], Any, Arrays]:
    """Run a cell: its signals, what of the inputs relevance takes, and the states in which it ends."""
    (cell,) = call.cells
    dtype = np.float64 if cell.kernel.dtype == np.float64 else np.float32
    shape = call.x.shape[:2]
    signals: dict[str, npt.NDArray[Any]] = {
        name: np.empty((*shape, cell.width(name)), dtype) for name in KINDS[cell.kind].signals
    }
    of_inputs = np.empty((*shape, cell.units), dtype) if relevance else None
    last = scan(
        *(cell, call.x, call.states, call.mask, signals),
        reverse=call.layer.go_backwards,
        of_inputs=of_inputs,
        lookup=lookup,
    )
    return signals, of_inputs, last


def _tied(
    run: Callable[[], tuple[Any, ...]], backward: Callable[..., list[Any]], given: Sequence[Any]
) -> Any:
    """Run something, tied to what it was given by a way back of our own.

    ``backward`` goes from what arrives at each output, None if nothing does, to what arrives at each of
    those.
    """
    return _Tied.apply(run, backward, *given)


class _Tied(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, run: Any, backward: Any, *_: Any) -> Any:
        ctx.set_materialize_grads(False)
        ctx.way = backward
        return run()

    @staticmethod
    def backward(ctx: Any, *given: Any) -> Any:
        if all(one is None for one in given):
            return (None,) * len(ctx.needs_input_grad)
        return (None, None, *ctx.way(*given))
