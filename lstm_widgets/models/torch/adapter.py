# What a module is called with may be anything: Any.
# ruff: noqa: ANN401
"""A PyTorch module, as the rest of the package sees it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils.data import DataLoader

from lstm_widgets.models.adapter import Adapter, Input
from lstm_widgets.models.inputs import warn_outside
from lstm_widgets.models.torch import run
from lstm_widgets.models.torch.carried import Carried
from lstm_widgets.models.torch.cells import as_array
from lstm_widgets.models.torch.explained import Explained
from lstm_widgets.models.torch.gather import batches, count_of, in_turn
from lstm_widgets.models.torch.layers import Found, find_layers, unwrapped
from lstm_widgets.models.torch.losses import loss_function
from lstm_widgets.models.torch.structure import Structure
from lstm_widgets.models.torch.threads import of_little_work, rest
from lstm_widgets.rnn.parallel import resting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    import numpy.typing as npt

    from lstm_widgets.models.adapter import Call, Loop, Result
    from lstm_widgets.models.explaining import CellState
    from lstm_widgets.rnn.comparison import Check

__all__ = ["TorchAdapter"]

resting(rest)


class TorchAdapter(Adapter):
    """The adapter of a PyTorch module.

    Parameters
    ----------
    model : torch.nn.Module
        Any module; what ``torch.compile`` or ``DataParallel`` made of one stands for it.
    """

    packages = ("torch",)

    def __init__(self, model: nn.Module) -> None:
        self.model = unwrapped(model)
        self.structure = Structure(self.model, self.layers, self._seen)

    @property
    def name(self) -> str:
        """The module's class."""
        return type(self.model).__name__

    def config(self) -> dict[str, Any]:
        """Tell what it consists of, as PyTorch prints it."""
        return {"module": repr(self.model)}

    def weights(self) -> Iterator[npt.NDArray[Any]]:
        """Give its parameters and buffers."""
        for tensors in (self.model.parameters(), self.model.buffers()):
            yield from map(as_array, tensors)

    # What goes in ---------------------------------------------------------------------------------

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What the model takes: a module doesn't tell."""
        return ()

    @functools.cached_property
    def input_shape(self) -> tuple[int | None, ...] | None:
        """The shape of its only input, as far as its first layer tells."""
        features = self.structure.features
        if (
            features is None
            or self.structure.one_step
            or (self.structure.of_vectors is None and self.structure.takes_ids)
        ):
            return None
        return (None, None, features)

    def unpacked(self, inputs: Any, *, more: bool = False) -> Any:
        """Take the arrays out of what a module is called with, or out of a list of examples."""
        if isinstance(inputs, DataLoader):
            return batches(self.model, self.structure, inputs)
        if isinstance(inputs, list):
            return self._examples(inputs)
        number = isinstance(inputs, np.ndarray) and inputs.dtype.kind in "biuf"
        if number or isinstance(inputs, (torch.Tensor, tuple, Mapping, PackedSequence)):
            return self.structure.take_more(inputs) if more else self.structure.take(inputs)
        return inputs

    def batches(self, inputs: Any) -> tuple[Iterator[Any], int | None] | None:
        """Take one batch after the other out of a DataLoader."""
        if not isinstance(inputs, DataLoader):
            return None
        return in_turn(self.model, self.structure, inputs), count_of(inputs)

    @property
    def time_first(self) -> bool:
        """Whether it is known to take sequences ``(timestep, example, ...)``."""
        return self.structure.time_first

    def _examples(self, inputs: list[Any]) -> Any:
        """Put examples into one array, if they are tensors of one length."""
        for k, one in enumerate(inputs):
            if isinstance(one, torch.Tensor):
                self.structure.expect_tensor(f"inputs[{k}]", one)
        arrays = [self.array(one) for one in inputs]
        shapes = {getattr(one, "shape", None) for one in arrays}
        return np.stack(arrays) if len(shapes) == 1 and shapes.isdisjoint({None, ()}) else arrays

    def array(self, value: Any) -> Any:
        """Make an array of a tensor; everything else as it is."""
        return as_array(value) if isinstance(value, torch.Tensor) else value

    def carry(self, state: str) -> None:
        """Hand the states that the module returns to it again, with the next piece of a text."""
        self.structure.carried = Carried(self.model, state)

    def obstacles(self) -> Iterator[tuple[str, bool]]:
        """Name what may keep the model from reading a text piece by piece: its code may do anything."""
        for one in self.layers:
            if one.go_backwards:
                yield f"layer {one.name!r} (which reads from the end)", True
        yield f"the model {self.name!r} (a module, whose code tells nothing)", False

    def randomness_as_found(self) -> AbstractContextManager[Any]:
        """Leave what random numbers are drawn from as it was found."""
        cuda = {one.device for one in self.model.parameters() if one.is_cuda}
        fork: AbstractContextManager[Any] = torch.random.fork_rng(list(cuda))
        return fork

    def loss_function(self, loss: Any) -> Callable[[Any, Any], Any]:
        """Make of a loss of PyTorch's, or of its name, one that gives a number for each output."""
        return loss_function(loss)

    @property
    def probability_advice(self) -> str:
        """Say how a module tells that its single output is a probability."""
        return ". Of a classifier: let the module end with torch.sigmoid"

    # The run --------------------------------------------------------------------------------------

    @functools.cached_property
    def layers(self) -> list[Found]:
        """Everything recurrent in it, in its order, cells that it steps itself last."""
        return find_layers(self.model)

    def build(self, first: Any) -> None:
        """Find out in which order the module takes and gives axes."""
        self.structure.build(first)
        if not (self.structure.alone or self.structure.of_layer):
            with of_little_work(), run.running(self.model, self.structure, [], _First()) as ready:
                self.structure.learn(ready.returned, first)

    def running(
        self,
        layers: Sequence[Any],
        loop: Loop,
        *,
        pieces: bool = False,
        every_output: bool = False,
        fresh: bool = False,
    ) -> AbstractContextManager[run.TorchRun]:
        """Make the model ready to run, and leave it as it was found."""
        del every_output
        if run.rounds_products(self.model):
            warn_outside(
                "model: while it is recorded, cuDNN multiplies float32 as such; otherwise it rounds to "
                "TF32 in recurrent layers (torch.backends.cudnn.allow_tf32), so that what the model says "
                "may differ from the recording by about 1e-3"
            )
        if run.casts(self.model):
            warn_outside(
                "model: while it is recorded, torch.autocast is off; otherwise layers compute in another "
                "type than their weights have, so that what the model says may differ from the recording "
                "by about 1e-3"
            )
        return run.running(self.model, self.structure, layers, loop, pieces=pieces, fresh=fresh)

    def explained(
        self,
        inputs: Any,
        *,
        source: str | None = None,
        cell: CellState | None = None,
        output: str | int | None = None,
        batch_size: int | None = None,
        check: Check = "prefix",
        tolerance: float | None = None,
    ) -> Explained:
        """Open the model for explanation."""
        return Explained(
            *(self, inputs),
            source=source,
            cell=cell,
            output=output,
            batch_size=batch_size,
            check=check,
            tolerance=tolerance,
        )

    def _seen(self, structure: Structure, arrays: Any) -> tuple[int, int] | None:
        """Tell how many examples and timesteps the first recurrent layer gets; 0 of one that is stepped."""
        given = arrays[0] if isinstance(arrays, list) else arrays
        carried, first = structure.carried, _First()
        # Of states that the module takes it depends on its order of axes for how many examples they are.
        counts = given.shape[: 1 if carried is None else 2]
        with of_little_work(), run.running(self.model, structure, self.layers, first):
            for count in counts:
                arguments, keywords = structure.arguments(arrays)
                if carried is not None:
                    state = carried.first(count)
                    arguments, keywords = carried.taken(arguments, keywords, state)
                try:
                    self.model(*arguments, **keywords)
                except _ReachedError as reached:
                    return reached.shape
                except Exception:  # noqa: BLE001, S112  (the run itself will tell)
                    continue
        return None


class _ReachedError(Exception):
    """A recurrent layer was reached, which is all that was asked."""

    def __init__(self, shape: tuple[int, int]) -> None:
        super().__init__()
        self.shape = shape


class _First:
    """What stops at the first call of a recurrent layer."""

    def restart(self) -> None:
        """Forget nothing."""

    def wants(self, layer: Any) -> bool:
        """Whether the calls of a layer matter: all do."""
        del layer
        return True

    def starts(self, layer: Any, call: int, states: list[Any]) -> list[Any]:
        """From which states a call starts: those that the model hands to it."""
        del layer, call
        return states

    def run(self, call: Call) -> Result:
        """Stop at a call."""
        raise _ReachedError((call.x.shape[0], 0 if call.layer.stepped else call.x.shape[1]))
