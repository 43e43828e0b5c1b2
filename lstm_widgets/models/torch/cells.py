# PyTorch's tensors have types that say nothing of their shapes: Any.
# ruff: noqa: ANN401
"""PyTorch's weights and tensors as the arrays that the loops take, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lstm_widgets.rnn.activations import ACTIVATIONS
from lstm_widgets.rnn.cells import Cell, plain_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from lstm_widgets.models.torch.layers import Found

__all__ = ["Weights", "as_array", "as_tensor", "listed", "read_cell"]


@dataclass(frozen=True)
class Weights:
    """The weights of one direction of one layer, as PyTorch has them: gates along the first axis."""

    input: Any
    hidden: Any
    input_bias: Any = None
    hidden_bias: Any = None
    projection: Any = None

    @property
    def listed(self) -> list[Any]:
        """In the order in which PyTorch's functions take them, those that there are."""
        every = (self.input, self.hidden, self.input_bias, self.hidden_bias, self.projection)
        return [one for one in every if one is not None]


def as_array(tensor: Any) -> npt.NDArray[Any]:
    """Look at a tensor as an array, without a copy where it is on the CPU."""
    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:  # of which NumPy knows nothing
        try:
            import ml_dtypes  # noqa: PLC0415
        except ImportError as error:
            error.add_note("bfloat16 needs it: pip install 'lstm-widgets[torch]'")
            raise

        bits: npt.NDArray[Any] = tensor.cpu().contiguous().view(torch.int16).numpy()
        return bits.view(ml_dtypes.bfloat16)
    array: npt.NDArray[Any] = tensor.resolve_conj().resolve_neg().cpu().numpy()
    return array


def as_tensor(array: npt.NDArray[Any], like: Any) -> Any:
    """Make a tensor of an array, of the dtype and on the device of another.

    It may share the array's memory, so nothing may write to it then.
    """
    if array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    if not array.flags.writeable or any(step < 0 for step in array.strides):
        array = array.copy()
    return torch.from_numpy(array).to(like.device, like.dtype)


def listed(one: Found, flat: Sequence[Any]) -> Weights:
    """Take one layer's direction out of the weights of a module, as PyTorch's functions take them."""
    module = one.module
    each = 2 + 2 * bool(module.bias) + bool(getattr(module, "proj_size", 0))
    place = one.number_of_layer * (2 if module.bidirectional else 1) + one.direction
    some = list(flat[place * each : (place + 1) * each])
    biases = some[2:4] if module.bias else [None, None]
    return Weights(some[0], some[1], *biases, *some[2 + 2 * bool(module.bias) :])


def read_cell(one: Found, weights: Weights) -> Cell:
    """Make a cell of PyTorch's weights.

    PyTorch has the gates of a GRU in the order reset, update, candidate, and keeps a bias for the
    input and one for the recurrent product of every cell. Of these only a GRU's candidate needs both:
    its reset gate acts on the second one. The update gate keeps the old state, as ours does. See the
    documentation of ``torch.nn.LSTM``, ``torch.nn.GRU`` and ``torch.nn.RNN``.
    """
    kernel, recurrent = as_array(weights.input).T, as_array(weights.hidden).T
    biases = [None if b is None else as_array(b) for b in (weights.input_bias, weights.hidden_bias)]
    bias: Any = None
    if one.kind == "GRU":
        kernel, recurrent = _update_first(kernel), _update_first(recurrent)
        if biases[0] is not None and biases[1] is not None:
            bias = np.stack([_update_first(b) for b in biases if b is not None])
    elif biases[0] is not None and biases[1] is not None:
        bias = plain_array(biases[0]) + plain_array(biases[1])
    activation = getattr(one.module, "nonlinearity", "tanh") if one.kind == "SimpleRNN" else "tanh"
    return Cell(
        kind=one.kind,
        kernel=np.ascontiguousarray(kernel),
        recurrent_kernel=np.ascontiguousarray(recurrent),
        bias=bias,
        activation=ACTIVATIONS[activation].function,
        recurrent_activation=ACTIVATIONS["sigmoid"].function,
        activation_names=(activation, "sigmoid"),
        reset_after=one.kind == "GRU",
        projection=None if weights.projection is None else as_array(weights.projection).T,
    )


def _update_first(weights: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Bring a GRU's gates, along the last axis, from the order of PyTorch into ours."""
    reset, update, candidate = np.split(weights, 3, axis=-1)
    return np.concatenate([update, reset, candidate], axis=-1)
