# PyTorch's modules and tensors have types that say nothing of shapes: Any.
# ruff: noqa: ANN401
"""Run a PyTorch module, its recurrent layers running our loop."""

from __future__ import annotations

import contextlib
import copy
import operator
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

import torch

from lstm_widgets.errors import UnsupportedLayerError
from lstm_widgets.models.torch.carried import flat, parameters, structured
from lstm_widgets.models.torch.cells import as_array
from lstm_widgets.models.torch.explain import telling_more
from lstm_widgets.models.torch.head import last_activation
from lstm_widgets.models.torch.loops import Loops
from lstm_widgets.models.torch.outputs import named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt
    from torch import nn

    from lstm_widgets.models.adapter import Loop
    from lstm_widgets.models.outputs import Output
    from lstm_widgets.models.torch.layers import Found
    from lstm_widgets.models.torch.structure import Structure

__all__ = ["TorchRun", "as_found", "casts", "exact_products", "ready", "rounds_products", "running"]

# What holds other things, and may be changed in its place.
_CONTAINERS = (list, dict, set, deque)
# Larger ones are vocabularies and the like.
_FEW = 1000
# What every module has, which isn't its author's.
_OWN = frozenset(vars(torch.nn.Module()))
# While a model runs, PyTorch's loops are ours; see lstm_widgets.models.torch.loops.
_RUNNING = threading.RLock()


@contextlib.contextmanager
def running(
    model: nn.Module,
    structure: Structure,
    found: Sequence[Found],
    loop: Loop,
    *,
    pieces: bool = False,
    fresh: bool = False,
) -> Iterator[TorchRun]:
    """Make a model ready to run, as :meth:`Adapter.running` does, and leave it as it was found."""
    by_module: dict[int, list[Found]] = {}
    for one in found:
        by_module.setdefault(id(one.module), []).append(one)
    # What the module hands on itself is what it starts from.
    starts = loop.starts if structure.carried is None else _as_handed_on
    loops = Loops(by_module, loop.run, starts, loop.wants, structure.timesteps)
    with ready(model, loops) as kept, telling_more(model, structure):
        yield TorchRun(model, structure, loops, kept, pieces=pieces, fresh=fresh)


@contextlib.contextmanager
def ready(model: nn.Module, loops: Loops) -> Iterator[Kept]:
    """Let a module's layers run our loops, and leave it as it was found."""
    with _RUNNING, as_found(model) as kept, loops.replaced():
        yield Kept(model, kept)  # our loops included, which are not to be taken away


def _as_handed_on(layer: Any, call: int, states: list[Any]) -> list[Any]:
    del layer, call
    return states


class Kept:
    """What a module keeps from one call to the next: attributes of its own, and buffers.

    Parameters
    ----------
    model : torch.nn.Module
        The module, as it is now.
    before : Kept, optional
        The same of an earlier moment: what hasn't changed since isn't copied again.
    """

    def __init__(self, model: nn.Module, before: Kept | None = None) -> None:
        self._modules = [
            (module, dict(vars(module)), dict(module._buffers))  # noqa: SLF001
            for module in model.modules()
            if not isinstance(module, torch.jit.ScriptModule) and not _is_lazy(module)
        ]
        # What is in lists and dicts, to which a module may add.
        self._filled = [
            (k, name, value, copy.copy(value))
            for k, (_, attributes, _) in enumerate(self._modules)
            for name, value in attributes.items()
            if name not in _OWN and isinstance(value, _CONTAINERS) and len(value) <= _FEW
        ]
        known = {} if before is None else before._values  # noqa: SLF001
        self._values: dict[int, tuple[Any, int, Any]] = {}
        for one in model.buffers():
            version, same = one._version, known.get(id(one))  # noqa: SLF001
            if same is None or same[1] != version:
                same = (one, version, one.clone())
            self._values[id(one)] = same

    def changed(self, now: Kept) -> list[list[Any]]:
        """List what isn't now as it was: the place of the module, the name, and what it is."""
        found: list[list[Any]] = []
        for k, ((module, *before), (_, *after)) in enumerate(
            zip(self._modules, now._modules, strict=True)
        ):
            for of_before, of_now in zip(before, after, strict=True):
                for name, value in of_now.items():
                    if name not in of_before or of_before[name] is not value:
                        found.append([k, name, value])
            for name, value in before[1].items():
                same = module._buffers.get(name) is value  # noqa: SLF001
                if same and value is not None and value._version != self._values[id(value)][1]:  # noqa: SLF001
                    found.append([k, name, value])
        for k, name, value, filled in self._filled:
            if not _same(value, filled) and vars(self._modules[k][0]).get(name) is value:
                found.append([k, name, value])
        return found

    def change(self, changed: Sequence[Sequence[Any]]) -> None:
        """Make of the module what :meth:`changed` has told."""
        with torch.no_grad():
            for k, name, value in changed:
                module = self._modules[k][0]
                own = module._buffers.get(name)  # noqa: SLF001
                if own is not None and isinstance(value, torch.Tensor) and own.shape == value.shape:
                    own.copy_(value)
                else:
                    setattr(module, name, value)

    def restore(self) -> None:
        """Bring the module back to what it was."""
        for module, attributes, buffers in self._modules:
            for name in vars(module).keys() - attributes:
                del vars(module)[name]
            vars(module).update(attributes)
            module._buffers.update(buffers)  # noqa: SLF001
        for _, _, value, before in self._filled:
            if not _same(value, before):
                value.clear()
                (value.extend if isinstance(value, (list, deque)) else value.update)(before)
        with torch.no_grad():
            for one, version, before in self._values.values():
                if one._version != version:  # noqa: SLF001
                    one.copy_(before)


def _same(one: Any, other: Any) -> bool:
    """Whether two containers have the very same things."""
    if len(one) != len(other):
        return False
    if isinstance(one, set):
        return bool(one == other)
    if isinstance(one, dict):
        return all(a is b and one[a] is other[b] for a, b in zip(one, other, strict=True))
    return all(map(operator.is_, one, other))


def _is_lazy(module: nn.Module) -> bool:
    """Whether a module is still to be built, which its first call does for good."""
    lazy = isinstance(module, torch.nn.modules.lazy.LazyModuleMixin)
    return lazy and bool(module.has_uninitialized_params())


@contextlib.contextmanager
def as_found(model: nn.Module) -> Iterator[Kept]:
    """Let a module run in evaluation mode, without gradients, and leave it as it was found: that it gives."""
    kept = Kept(model)
    try:
        _evaluating(model)
        with torch.no_grad(), torch.compiler.set_stance("force_eager"), exact_products(model):
            yield kept
    finally:
        kept.restore()


def _evaluating(model: nn.Module) -> None:
    """Bring a module into evaluation mode."""
    try:
        model.eval()
    except NotImplementedError as error:
        raise UnsupportedLayerError(
            f"model: expected a module that can be brought into evaluation mode, got a "
            f"{type(model).__name__} ({error}) What torch.export makes of a module is one graph: use the "
            "module itself"
        ) from error


def rounds_products(model: nn.Module) -> bool:
    """Whether cuDNN rounds what a module's recurrent layers multiply, where nothing says otherwise."""
    settings, name, exact = _precision()
    return getattr(settings, name) != exact and any(
        one.is_cuda and one.dtype == torch.float32 for one in model.parameters()
    )


def casts(model: nn.Module) -> bool:
    """Whether ``torch.autocast`` has a module's layers compute in another type than its weights have."""
    return any(map(torch.is_autocast_enabled, _device_types(model)))


def _device_types(model: nn.Module) -> set[str]:
    return {one.device.type for one in model.parameters() if not one.is_meta}


@contextlib.contextmanager
def exact_products(model: nn.Module) -> Iterator[None]:
    """Let layers compute in the type of their weights, as such.

    By default cuDNN rounds float32 to 10 bits (TF32) in recurrent layers, and ``torch.autocast`` rounds
    what any layer multiplies.
    """
    settings, name, exact = _precision()
    before = getattr(settings, name)
    setattr(settings, name, exact)
    try:
        with contextlib.ExitStack() as stack:
            for device in _device_types(model):
                if torch.is_autocast_enabled(device):
                    stack.enter_context(torch.autocast(device, enabled=False))
            yield
    finally:
        setattr(settings, name, before)


def _precision() -> tuple[Any, str, Any]:
    """Tell where PyTorch is told how exact recurrent layers are, and what it is told for exact."""
    layers = getattr(torch.backends.cudnn, "rnn", None)
    if hasattr(layers, "fp32_precision"):
        return layers, "fp32_precision", "ieee"
    return torch.backends.cudnn, "allow_tf32", False  # before PyTorch 2.9


class TorchRun:
    """A module that is ready to run; see :class:`lstm_widgets.models.adapter.Run`."""

    def __init__(
        self,
        model: nn.Module,
        structure: Structure,
        loops: Loops,
        kept: Kept,
        *,
        pieces: bool = False,
        fresh: bool = False,
    ) -> None:
        self._model, self._structure, self._loops = model, structure, loops
        self._pieces, self._fresh = pieces, fresh
        # What the module had kept before the last call, and the states that it was handed then.
        self._found = self._before = kept
        self._started: Any = None
        self._ended: Any = None  # the states that it returned

    def __call__(self, batch: Any) -> dict[str, npt.NDArray[Any]]:
        """Call the module, its layers running the loop; return its outputs by name."""
        if self._fresh:
            self._before.restore()
        else:
            self._before = Kept(self._model, self._before)
        self._started = self._ended if self._pieces else None
        try:
            return self._called(batch)
        except Exception as error:
            self._expect_all(batch)
            error.add_note("This happened while recording.")
            raise

    def alone(self, batch: Any) -> dict[str, npt.NDArray[Any]]:
        """Call it with PyTorch's own loops, from where the last call started."""
        after, ended = Kept(self._model, self._before), self._ended
        self._before.restore()
        try:
            with self.paused():
                return self._called(batch)
        finally:
            after.restore()
            self._ended = ended

    def activation(self, output: Output, batch: Any) -> str:
        """Tell the last activation of an output, by one more call of which nothing is recorded."""

        def called() -> Any:
            return output.of(self.tensors(batch))

        after, ended = Kept(self._model, self._before), self._ended
        try:
            with self.paused():
                return last_activation(self._model, called)
        finally:
            after.restore()
            self._ended = ended

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Give what the module has changed of itself since it was found, and the states that it returned."""
        handed: dict[str, Any] = {"kept": self._found.changed(Kept(self._model))}
        if self._pieces:
            handed["ended"] = self._ended
        return flat(handed, type(self._model).__name__)

    def resume(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what :meth:`state` has given."""
        weights = next(iter(self._model.parameters()), None)
        handed = structured(state, None if weights is None else weights.device)
        self._found.change(handed["kept"])
        self._ended = handed.get("ended")

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Let PyTorch's own loops run."""
        self._loops.active, times = False, self._loops.times
        try:
            yield
        finally:
            self._loops.active, self._loops.times = True, times

    def returned(self, batch: Any) -> dict[str, Any]:
        """Call the module; return its tensors by name, without the states that layers handed on."""
        self._loops.restart()
        arguments, keywords = self._structure.call(batch, self._started)
        returned, carried = self._model(*arguments, **keywords), self._structure.carried
        ends = (*self._loops.states, *named(list(self._loops.stepped.values())).values())
        states = {_place(state) for state in ends}

        def ended(value: Any) -> bool:
            return isinstance(value, torch.Tensor) and _place(value) in states

        if carried is not None:
            given = keywords[carried.argument]
            self._ended, returned = carried.split(returned, given, ended)
        every = named(returned)
        # What is all states is what the module is for.
        return {name: value for name, value in every.items() if not ended(value)} or every

    def _expect_all(self, batch: Any) -> None:
        """Refuse to call a module without what it needs."""
        arguments, keywords = self._structure.call(batch, self._started)
        left = [name for name in parameters(self._model) if name not in keywords][len(arguments) :]
        missed = [name for name in left if parameters(self._model)[name]]
        if missed:
            raise TypeError(
                f"inputs: {type(self._model).__name__}.forward takes {missed[0]!r}, too: expected a tuple "
                f"of all arguments, or, of states that it also returns, state={missed[0]!r}"
            ) from None

    def _called(self, batch: Any) -> dict[str, npt.NDArray[Any]]:
        return {name: as_array(value) for name, value in self.tensors(batch).items()}

    def tensors(self, batch: Any) -> dict[str, Any]:
        """Call the module; return its outputs (example, ...) by name, as tensors."""
        returned = self.returned(batch)
        found = {
            name: self._structure.examples_first(name, value) for name, value in returned.items()
        }
        return {name: value for name, value in found.items() if value is not None}


def _place(tensor: Any) -> tuple[Any, ...]:
    """Tell where the numbers of a tensor are: those of what was detached are where they were."""
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride()
