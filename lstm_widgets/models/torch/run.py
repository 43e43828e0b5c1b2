# PyTorch's modules and tensors have types that say nothing of shapes: Any.
# ruff: noqa: ANN401
"""Run a PyTorch module, its recurrent layers running our loop."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import torch

from lstm_widgets.models.torch.cells import as_array
from lstm_widgets.models.torch.explain import explained
from lstm_widgets.models.torch.loops import Loops
from lstm_widgets.models.torch.outputs import named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    from torch import nn

    from lstm_widgets.models.adapter import Loop
    from lstm_widgets.models.outputs import Output
    from lstm_widgets.models.torch.layers import Found
    from lstm_widgets.models.torch.structure import Structure

__all__ = ["TorchRun", "as_found", "ready", "running"]

# While a model runs, PyTorch's loops are ours; see lstm_widgets.models.torch.loops.
_RUNNING = threading.RLock()


@contextlib.contextmanager
def running(
    model: nn.Module, structure: Structure, found: Sequence[Found], loop: Loop
) -> Iterator[TorchRun]:
    """Make a model ready to run, as :meth:`Adapter.running` does, and leave it as it was found."""
    by_module: dict[int, list[Found]] = {}
    for one in found:
        by_module.setdefault(id(one.module), []).append(one)
    loops = Loops(by_module, loop.run, loop.starts, loop.wants, structure.timesteps)
    with ready(model, loops):
        try:
            yield TorchRun(model, structure, loops)
        except Exception as error:
            told = explained(error, model, packed=structure.packed)
            if told is not None:
                raise told from error
            raise


@contextlib.contextmanager
def ready(model: nn.Module, loops: Loops) -> Iterator[None]:
    """Let a module's layers run our loops, and leave it as it was found."""
    with _RUNNING, as_found(model), loops.replaced():
        yield


@contextlib.contextmanager
def as_found(model: nn.Module) -> Iterator[None]:
    """Let a module run in evaluation mode, without gradients, and leave it as it was found."""
    # What a module keeps from one call to the next: attributes of its own, and buffers.
    kept = [(module, dict(vars(module)), dict(module._buffers)) for module in model.modules()]  # noqa: SLF001
    values = [(one, one._version, one.clone()) for one in model.buffers()]  # noqa: SLF001
    try:
        model.eval()
        with torch.no_grad(), torch.compiler.set_stance("force_eager"), _exact_products():
            yield
    finally:
        for module, attributes, buffers in kept:
            for name in vars(module).keys() - attributes:
                del vars(module)[name]
            vars(module).update(attributes)
            module._buffers.update(buffers)  # noqa: SLF001
        with torch.no_grad():
            for one, version, before in values:
                if one._version != version:  # noqa: SLF001
                    one.copy_(before)


@contextlib.contextmanager
def _exact_products() -> Iterator[None]:
    """Let cuDNN multiply float32 as such: by default it rounds to 10 bits (TF32) in recurrent layers."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


class TorchRun:
    """A module that is ready to run; see :class:`lstm_widgets.models.adapter.Run`."""

    def __init__(self, model: nn.Module, structure: Structure, loops: Loops) -> None:
        self._model, self._structure, self._loops = model, structure, loops

    def __call__(self, batch: Any) -> dict[str, npt.NDArray[Any]]:
        """Call the module, its layers running the loop; return its outputs by name."""
        self._loops.restart()
        try:
            return self._called(batch)
        except Exception as error:
            error.add_note("This happened while recording.")
            raise

    def alone(self, batch: Any) -> dict[str, npt.NDArray[Any]]:
        """Call it with PyTorch's own loops."""
        with self.paused():
            return self._called(batch)

    def activation(self, output: Output, batch: Any) -> str:
        """Tell the last activation of an output: PyTorch doesn't."""
        del output, batch
        return "unknown"

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Let PyTorch's own loops run."""
        self._loops.active = False
        try:
            yield
        finally:
            self._loops.active = True

    def _called(self, batch: Any) -> dict[str, npt.NDArray[Any]]:
        return {name: as_array(value) for name, value in self.tensors(batch).items()}

    def tensors(self, batch: Any) -> dict[str, Any]:
        """Call the module; return its outputs (example, ...) by name, as tensors."""
        arguments, keywords = self._structure.call(batch)
        outputs = named(self._model(*arguments, **keywords))
        # What a layer returns to be handed on is a state, and no output (example, ...).
        said = {
            name: self._structure.examples_first(value)
            for name, value in outputs.items()
            if not any(value is state for state in self._loops.states)
        }
        count = self._structure.examples
        return {
            name: value for name, value in said.items() if value.ndim and value.shape[0] == count
        }
