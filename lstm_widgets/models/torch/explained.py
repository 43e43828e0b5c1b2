# PyTorch's modules and tensors have types that say nothing of shapes: Any.
# ruff: noqa: ANN401
"""A PyTorch module opened for explanation: its scores, and the way back from them to the tokens.

The module is called as it is, and looked at while it runs:

- recurrent layers run our loop, by :mod:`lstm_widgets.models.torch.back`;
- each function that it calls is seen (:mod:`lstm_widgets.models.torch.watch`): where ids become vectors, that
  shows its output, or takes another in its place; what went into the last activation are the logits; and
  for relevance propagation each function gets its rule (:mod:`lstm_widgets.models.torch.rules`).

Only what is explained counts for autograd meanwhile: parameters don't.
"""

from __future__ import annotations

import contextlib
import weakref
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from lstm_widgets.errors import SelfCheckError, UnsupportedLayerError
from lstm_widgets.models.batches import Batch, Batches
from lstm_widgets.models.cell_state import ExplainedState
from lstm_widgets.models.inputs import expect_positive, standard_batch_size
from lstm_widgets.models.loop_check import LoopCheck
from lstm_widgets.models.opened import Opened
from lstm_widgets.models.outputs import Output
from lstm_widgets.models.own_cells import way_back
from lstm_widgets.models.passes import ReachedError
from lstm_widgets.models.sources import Embedded, Source, find_source
from lstm_widgets.models.torch import run
from lstm_widgets.models.torch.back import OpenLoops
from lstm_widgets.models.torch.cells import as_array, as_tensor
from lstm_widgets.models.torch.explain import telling_more
from lstm_widgets.models.torch.layers import LAYERS
from lstm_widgets.models.torch.passes import Pass, Score
from lstm_widgets.models.torch.watch import Watch
from lstm_widgets.rnn.cells import plain_array
from lstm_widgets.rnn.comparison import TOLERANCES, Check, difference, expect_check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from lstm_widgets.models.explaining import CellState
    from lstm_widgets.models.torch.adapter import TorchAdapter

__all__ = ["Explained"]

# Examples whose outputs are compared with those of the model itself.
CHECKED_EXAMPLES = 4
# Values of the source, or of states, that run at a time even if that is more examples than usual.
_SOURCE_VALUES = 1 << 22


class Explained(Opened):
    """A module opened for explanation, see :class:`lstm_widgets.models.explaining.Explained`.

    Parameters
    ----------
    adapter : TorchAdapter
        The module's adapter.
    inputs : array, list or dict
        What it is called with, as ``Given.whole`` gives it.
    source : str, optional
        The name of the Embedding, of the input, or of any module with an output ``(example, timestep,
        features)``, at which tokens are told apart; None: the only Embedding or input of vectors, or else
        what the recurrent layers read.
    cell : CellState, optional
        Explain this cell's state instead of the model's output.
    output : str or int, optional
        Which output, of a model with several.
    batch_size : int, optional
        How many examples run at a time; None: 256, or more if they are short.
    check, tolerance : as for record
        How our loops are held against the layers' own in each batch, as in
        :func:`lstm_widgets.record`.

    Attributes
    ----------
    cell, output : CellState, str
        The same.
    batch_size : int
        How many examples run at a time.
    count : int
        The number of examples.
    fixed : bool
        Whether the module takes one example at a time.
    source : Source
        Where tokens are told apart.

    Raises
    ------
    TypeError, ValueError
        If inputs, source or cell don't fit the module.
    UnsupportedLayerError
        If the logits are out of reach.
    """

    def __init__(
        self,
        adapter: TorchAdapter,
        inputs: Any,
        *,
        source: str | None = None,
        cell: CellState | None = None,
        output: str | int | None = None,
        batch_size: int | None = None,
        check: Check = "prefix",
        tolerance: float | None = None,
    ) -> None:
        expect_positive("batch_size", batch_size)
        expect_check(check, tolerance)
        self._check, self._tolerance = check, tolerance
        self._model, self._structure = adapter.model, adapter.structure
        self._output = None if cell else Output(adapter, output)
        #: The name of the output that is explained, of a model with several.
        self.output: str | None = None
        if cell and output is not None:
            raise ValueError(f"output: expected None for the state of a cell, got {output!r}")
        self._inputs = Batches(inputs)
        self.count = self._inputs.count
        self._found = adapter.layers
        for one in self._found:
            if isinstance(one.module, torch.jit.ScriptModule):
                raise UnsupportedLayerError(
                    f"model: layer {one.name!r} cannot be explained: it is {one.problem}"
                )
        self.cell = cell
        self._state = None if cell is None else ExplainedState(cell, self._found)
        own = (
            None if self._state is None else next(o for o in self._found if o is self._state.layer)
        )
        if own is not None and own.own:
            raise UnsupportedLayerError(
                f"layer: {own.name!r} cannot be explained: it is {way_back(own.kind)}"
            )
        adapter.build(self._inputs.structured(self._inputs.batch(0, min(self.count, 2))))
        self.fixed = self._structure.alone  # without an axis of examples
        self.batch_size = standard_batch_size(1 if self.fixed else None, self.count, batch_size)
        few = self._inputs.batch(0, min(self.batch_size, CHECKED_EXAMPLES))
        looks = _Looks(self, few)
        self.source = looks.source(self._inputs.names, source)
        self._axes = looks.axes
        if self._state is not None:
            self._state.among(looks.lengths)
        if batch_size is None and not self.fixed:
            # Of a series with few channels, states are what takes memory.
            timesteps = 0 if self.tokens is None else int(self.tokens.shape[1])
            values = max(self.source.size, timesteps * self.states, 1)
            self.batch_size = max(self.batch_size, _SOURCE_VALUES // values)
        self._activation = "linear" if cell else looks.activation
        # What the first call is held against: some rows, and what the model makes of them.
        self._expected = None if cell else (looks.expected, looks.dtype)

    # What goes in ---------------------------------------------------------------------------------

    @property
    def activation(self) -> str:
        """What makes outputs of logits: ``softmax``, ``sigmoid``, ``linear`` or ``other``."""
        return self._activation

    @property
    def embeddings(self) -> npt.NDArray[Any] | None:
        """The source's vectors by id, ``(symbols, dimension)``; None if it isn't an Embedding."""
        weight = getattr(self.source.layer, "weight", None)
        is_table = isinstance(self.source.layer, torch.nn.Embedding) and weight is not None
        return plain_array(as_array(weight)) if is_table else None

    # The run --------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def states_as_found(self) -> Iterator[None]:
        """Leave everything in the model as it was."""
        with run.as_found(self._model):
            yield

    def run(
        self,
        batch: Batch,
        *,
        values: Any = None,
        kept: Mapping[str, Any] | None = None,
        at: npt.NDArray[np.intp] | None = None,
        relevance: bool = False,
    ) -> Pass:
        """Call the model, see :meth:`lstm_widgets.models.explaining.Explained.run`."""
        done = Pass(relevance=relevance)
        # The graph has the ways back. If these had the pass, which has the graph, none of it would ever
        # be freed: Python doesn't see what a graph refers to.
        seen = weakref.proxy(done)
        if self._check and values is None:
            full = self._check == "full"
            done.check = LoopCheck(seen, full=full, tolerance=self._tolerance)
        call = _Call(self, seen, batch, values=values, kept=kept)
        reads = None if self._state is None else self._state.reads(at)
        loops = OpenLoops.of(self._found, self._structure.timesteps, seen, self._state, reads)
        returned = None
        try:
            with call.opened(loops) as called, call.watch.looking():
                returned = called()
        except ReachedError:
            pass
        finally:
            loops.close()
        if self._state is not None and not isinstance(done.problem, ReachedError):
            raise self._state.unreached()
        if not done.sources:
            raise UnsupportedLayerError(
                f"model: {self.source.name!r} isn't reached, so that nothing can be traced back to it"
            )
        done.mask = call.mask_of(loops)
        if relevance and done.returned is not None:
            call.watch.expect_seen(done.returned)
        if returned is not None:
            logits, kind = call.watch.logits_of(self._chosen(returned))
            if relevance:
                call.watch.expect_seen(logits)
            with torch.enable_grad():
                done.returned = call.filled(self._of_classes(logits), done.mask)
            if self._expected is not None and values is None:
                self._compare(done, kind)
        call.watch.forget()
        return done

    def _chosen(self, returned: Mapping[str, Any]) -> Any:
        assert self._output is not None  # noqa: S101
        if len(returned) > 1:
            self.output = self._output.name(returned)
        return self._output.of(returned)

    @staticmethod
    def _of_classes(logits: Any) -> Any:
        """Give a single number an axis of its own."""
        return logits[:, None] if logits.ndim == 1 else logits

    def _compare(self, done: Pass, kind: str) -> None:
        """Hold the logits of the first examples against what the model itself returned for them."""
        assert self._expected is not None  # noqa: S101
        (expected, dtype), self._expected = self._expected, None
        made = activated(done.returned[: len(expected)].detach(), kind)
        if made is None:
            return
        found = difference(plain_array(as_array(made))[:, : expected.shape[1]], expected)
        tolerance = self._tolerance or TOLERANCES[dtype]
        if found > tolerance and (done.check is None or not done.check.drifted):
            raise SelfCheckError(
                f"the model's outputs differ by {found:.3g} from what its logits give, more than "
                f"the tolerance of {tolerance:.3g}"
            )

    # The scores -----------------------------------------------------------------------------------

    @torch.enable_grad()  # type: ignore[untyped-decorator]
    def score(
        self,
        done: Pass,
        target: npt.NDArray[np.intp],
        at: npt.NDArray[np.intp] | None,
        of: Literal["logit", "probability", "loss"] = "logit",
    ) -> Score:
        """Pick one score a row: the target's logit, for outputs over time that at a timestep.

        Or, of a softmax or sigmoid, its probability, or the loss if it is the true class. A single
        logit has one probability, and its target tells for the loss whether the truth is 1 or 0.
        """
        # Of a cell there are no timesteps any more.
        logits = self._logits_at(done, None if self.cell else at)
        single, sigmoid = logits.shape[1] == 1, self.activation == "sigmoid"
        index = np.zeros_like(target) if single else target
        chosen = logits[torch.arange(len(index)), torch.from_numpy(index)]
        if of == "logit":
            return Score(chosen)
        if of == "probability":
            return Score(chosen.sigmoid() if sigmoid else torch.exp(_log_softmax(logits, chosen)))
        if sigmoid:
            truth = torch.from_numpy(target).to(chosen) if single else torch.ones_like(chosen)
            loss = torch.nn.functional.binary_cross_entropy_with_logits
            return Score(loss(chosen, truth, reduction="none"))
        return Score(-_log_softmax(logits, chosen))

    def logits_at(self, done: Pass, at: npt.NDArray[np.intp] | None) -> npt.NDArray[Any]:
        """Return the logits ``(row, class)``, for outputs over time those at a timestep."""
        return plain_array(as_array(self._logits_at(done, at)))

    def _logits_at(self, done: Pass, at: npt.NDArray[np.intp] | None) -> Any:
        if at is None:
            return done.returned
        return done.returned[torch.arange(len(at)), torch.from_numpy(at)]


def activated(logits: Any, kind: str) -> Any:
    """Make outputs of logits; None where that isn't known."""
    if kind == "softmax":
        return logits.softmax(-1)
    if kind == "log_softmax":
        return logits.log_softmax(-1)
    if kind == "sigmoid":
        return logits.sigmoid()
    return logits if kind == "linear" else None


def _log_softmax(logits: Any, chosen: Any) -> Any:
    return chosen - torch.logsumexp(logits, dim=1)


class _Call:
    """One call of the module: its inputs, and what becomes of ids.

    With ``looks``, what it does is noted there, and nothing is shown or replaced.
    """

    def __init__(
        self,
        explained: Explained,
        done: Any,
        batch: Batch,
        *,
        values: Any = None,
        kept: Mapping[str, Any] | None = None,
        looks: _Looks | None = None,
    ) -> None:
        self._explained, self._done, self._batch = explained, done, batch
        self._values, self._looks = values, looks
        self._rows = len(batch.rows)
        self.given: list[Any] = []  # what the module is called with, in its order of axes
        self.watch = Watch(
            explained._model,  # noqa: SLF001
            done,
            embed=self._embedded,
            shown=self._shown,
            kept=kept or {},
            rows_along=self.rows_along,
        )

    @contextlib.contextmanager
    def opened(self, loops: OpenLoops) -> Iterator[Any]:
        """Make the module ready; give what calls it."""
        model, structure = self._explained._model, self._explained._structure  # noqa: SLF001
        arrays = self._explained._inputs.structured(self._batch)  # noqa: SLF001
        with run.ready(model, loops) as kept, _frozen(model), torch.enable_grad():
            called = run.TorchRun(model, structure, loops, kept)
            with structure.taking(self._taken), telling_more(model, structure):
                yield lambda: called.tensors(arrays)

    def rows_along(self, tensor: Any) -> int | None:
        """Tell along which axis of a tensor the rows are; None: along none."""
        first = self._explained._structure.time_first  # noqa: SLF001
        for axis in (1, 0) if first else (0, 1):
            if tensor.ndim > axis and tensor.shape[axis] == self._rows:
                return axis
        return None

    def _taken(self, tensors: list[Any], axes: Sequence[int | None]) -> list[Any]:
        """Let the inputs be shown; the way back ends at those that aren't the source."""
        self.given = tensors
        if self._looks is not None:
            return tensors
        source, made = self._explained.source, []
        for k, (tensor, axis) in enumerate(zip(tensors, axes, strict=True)):
            if source.layer is None and k == source.leaves[0]:
                made.append(self._source(tensor, axis))
            elif tensor.is_floating_point() and axis is not None:
                made.append(self._done.ends_at(tensor, axis))
            else:
                made.append(tensor)
        return made

    def _source(self, tensor: Any, axis: int | None) -> Any:
        """Show an input of vectors, or what is to take its place."""
        source = self._explained.source
        first = tensor[None] if axis is None else tensor.movedim(axis, 0)
        shape = first.shape if source.shape is None else (len(first), *source.shape)
        given = first.reshape(shape) if self._values is None else as_tensor(self._values, tensor)
        shown = given.detach().requires_grad_()
        self._done.sources.append((0, shown))
        made = shown if source.shape is None else shown.reshape(first.shape)
        if axis is None:
            return made[0]
        return made.movedim(0, axis) if axis else made

    def _embedded(self, name: str, number: int, ids: Any, made: Any, weight: Any) -> Any:
        """Show what became of ids, or put something else into its place."""
        looks, done = self._looks, self._done
        if looks is not None:
            looks.embedded(name, number, ids, made, self.given)
            return made
        source = self._explained.source
        axis = self._explained._axes.get((name, number))  # noqa: SLF001
        own = source.layer is not None and source.name.partition(":")[0] == name
        part = source.calls.get(number) if own else None
        if part is None or axis is None:
            along = self.rows_along(made)
            return made.detach() if along is None else done.ends_at(made, along)
        first = made.detach().movedim(axis, 0)
        if self._values is not None:
            start = sum(source.timesteps[:part])
            first = as_tensor(self._values[:, start : start + first.shape[1]], made)
        shown = first.requires_grad_()
        done.sources.append((part, shown))
        if self._values is None:
            rows = as_array(ids.movedim(axis, 0))
            done.looked_up(shown, as_array(weight), rows, as_array(shown))
        return shown.movedim(0, axis) if axis else shown

    def _shown(self, name: str, module: Any, value: Any, reads: bool) -> Any:
        """Show what a module inside of the model returns, or a recurrent one reads, if that is the source."""
        if self._looks is not None:
            self._looks.passed(name, module, value, reads=reads)
            return value
        source = self._explained.source
        if module is not source.layer or isinstance(module, torch.nn.Embedding):
            return value
        if reads != isinstance(module, tuple(LAYERS)):
            return value
        self._done.calls[name] = number = self._done.calls.get(name, 0) + 1
        if number > 1:
            return value
        first, back = batch_first(value, self._explained._axes[name, 1])  # noqa: SLF001
        given = first if self._values is None else as_tensor(self._values, first)
        shown = given.detach().requires_grad_()
        self._done.sources.append((0, shown))
        return back(shown)

    def mask_of(self, loops: OpenLoops) -> npt.NDArray[np.bool_] | None:
        """Tell which timesteps of the source are padding, as far as the module says it by packing."""
        timesteps = sum(int(shown.shape[1]) for _, shown in self._done.sources)
        mask = loops.packed
        if mask is None or mask.shape[0] != self._rows or mask.shape[1] > timesteps:
            return None
        return np.pad(mask, ((0, 0), (0, timesteps - mask.shape[1])))

    def filled(self, logits: Any, mask: npt.NDArray[np.bool_] | None) -> Any:
        """Fill outputs over time up to the timesteps that there were before they were packed."""
        if mask is None or logits.ndim != 3 or logits.shape[1] >= mask.shape[1]:
            return logits
        return torch.nn.functional.pad(logits, (0, 0, 0, mask.shape[1] - logits.shape[1]))


def batch_first(value: Any, axis: int) -> tuple[Any, Callable[[Any], Any]]:
    """Bring sequences into the order (row, timestep, ...); return them, and what brings them back."""
    if isinstance(value, PackedSequence):
        first, lengths = pad_packed_sequence(value, batch_first=True)

        def packed(values: Any) -> Any:
            order = value.sorted_indices
            given = values if order is None else values[order]
            some = lengths if order is None else lengths[order.cpu()]
            return value._replace(data=pack_padded_sequence(given, some, batch_first=True).data)

        return first, packed
    if not axis:
        return value, lambda values: values
    return value.movedim(axis, 0), lambda values: values.movedim(0, axis)


@contextlib.contextmanager
def _frozen(model: Any) -> Iterator[None]:
    """Let parameters not count for autograd."""
    counted = [one for one in model.parameters() if one.requires_grad]
    try:
        for one in counted:
            one.requires_grad_(False)
        yield
    finally:
        for one in counted:
            one.requires_grad_(True)


class _Looks:
    """What there is to see while the module reads a few examples.

    Attributes
    ----------
    lengths : dict of str to list of int
        The number of timesteps of each call of each recurrent layer.
    axes : dict
        Along which axis the rows are of what the calls of Embeddings make, by name and number.
    expected, dtype : array, str
        What the module returns, its layers running their own loops, and the dtype in which it does.
    activation : str
        The last activation.
    """

    def __init__(self, explained: Explained, few: Batch) -> None:
        self.axes: dict[tuple[str, int], int] = {}
        self.activation = "linear"
        self.expected: Any = None
        self.dtype = "float32"
        self._calls: list[Embedded] = []
        # Modules of which it may be the output, recurrent ones of which it may be the input, by name.
        self._inside: dict[str, tuple[Any, npt.NDArray[Any]]] = {}
        self._modules = {name: one for name, one in explained._model.named_modules()}  # noqa: SLF001, C416
        self._arrays = few.tensors
        self._explained = explained
        done = Pass()
        seen = weakref.proxy(done)
        call = _Call(explained, seen, few, looks=self)
        self._call = call
        loops = OpenLoops.of(explained._found, explained._structure.timesteps, seen)  # noqa: SLF001
        with call.opened(loops) as called:
            with call.watch.looking():
                returned = called()
            if explained._output is not None:  # noqa: SLF001
                chosen = explained._chosen(returned)  # noqa: SLF001
                _, kind = call.watch.logits_of(chosen)
                if chosen.ndim not in (1, 2, 3):
                    raise ValueError(
                        f"model: expected outputs (example, class) or (example, timestep, class), got shape "
                        f"{tuple(chosen.shape)}"
                    )
                self.dtype = str(chosen.dtype).removeprefix("torch.")
                self.activation = "softmax" if kind == "log_softmax" else kind
            loops.close()
            loops.active = False
            with torch.no_grad():
                own = called()
            if explained._output is not None:  # noqa: SLF001
                self.expected = plain_array(as_array(explained._of_classes(explained._chosen(own))))  # noqa: SLF001
        self.lengths = loops.lengths
        call.watch.forget()

    def embedded(self, name: str, number: int, ids: Any, made: Any, given: Sequence[Any]) -> None:
        """Take down what a call of an Embedding makes of ids."""
        if made.ndim != 3:
            return
        found: tuple[int, int] | None = None
        for k, (tensor, array) in enumerate(zip(given, self._arrays, strict=True)):
            if array.ndim != 2 or array.dtype.kind not in "iu":
                continue
            turned = [n for n in (0, 1) if np.array_equal(as_array(ids.movedim(n, 0)), array)]
            if turned and (found is None or ids is tensor):
                found = k, turned[0]
        leaf = None if found is None else found[0]
        axis = self._call.rows_along(made) if found is None else found[1]
        if axis is None:
            return
        self.axes[name, number] = axis
        shape = (int(made.shape[1 - axis]), int(made.shape[2]))
        self._calls.append(Embedded(name, self._modules.get(name, name), number, leaf, shape))

    def passed(self, name: str, module: Any, value: Any, *, reads: bool) -> None:
        """Take down where else tokens may be told apart: what modules return, what recurrent ones read."""
        if reads != isinstance(module, tuple(LAYERS)) or isinstance(module, torch.nn.Embedding):
            return
        tensor = value.data if isinstance(value, PackedSequence) else value
        if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
            return
        if name in self._inside or (tensor is value and value.ndim != 3):
            return
        axis = 0 if tensor is not value else self._call.rows_along(value)
        if reads and tensor is value:
            axis = 0 if module.batch_first else 1
        if axis is None:
            return
        self.axes[name, 1] = axis
        self._inside[name] = (module, as_array(batch_first(value, axis)[0]))

    def source(self, names: Sequence[str], wanted: str | None) -> Source:
        """Find where tokens are told apart."""
        structure = self._explained._structure  # noqa: SLF001
        vectors = {
            name: Source(name, None, {}, (k,), int(np.prod(array.shape[1:])))
            for k, (name, array) in enumerate(zip(names, self._arrays, strict=True))
            if array.ndim == 3 and array.dtype.kind == "f" and not structure.is_state(k, array)
        }
        known = {call.name for call in self._calls} | set(vectors)
        inside = {
            name: Source(
                name, module, {1: 0}, (None,), int(np.prod(read.shape[1:])), read.shape[1:2]
            )
            for name, (module, read) in self._inside.items()
        }
        if wanted in inside and wanted not in known:
            return inside[wanted]
        if known or wanted is not None:
            return find_source(self._calls, vectors or ({} if known else inside), wanted)
        read = next(
            ((n, r) for n, (m, r) in self._inside.items() if isinstance(m, tuple(LAYERS))), None
        )
        if read is None:
            shapes = ", ".join(str(array.shape) for array in self._arrays)
            raise ValueError(
                f"model: expected an Embedding, or an input (example, timestep, features) of floating "
                f"point numbers, to tell tokens apart; got inputs of shape {shapes}"
            )
        for k, (name, array) in enumerate(zip(names, self._arrays, strict=True)):
            flat = read[1].reshape(len(read[1]), -1)
            if array.dtype.kind == "f" and np.array_equal(array.reshape(len(array), -1), flat):
                shape = read[1].shape[1:]
                return Source(name, None, {}, (k,), flat.shape[1], shape[:1], shape)
        return inside[read[0]]
