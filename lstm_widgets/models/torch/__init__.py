# PyTorch's modules may be of any class: Any.
# ruff: noqa: ANN401
"""The adapter of PyTorch; see :mod:`lstm_widgets.models.adapter`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lstm_widgets.models.adapter import Adapter
    from lstm_widgets.tokens.vocabulary import Lookup

MODELS = "a PyTorch module (torch.nn.Module)"
VOCABULARIES = ""  # PyTorch has no layers that have one


def adapt(model: Any) -> Adapter | None:
    """Make the adapter of a PyTorch module; None of anything else."""
    import torch  # noqa: PLC0415

    if not isinstance(model, torch.nn.Module):
        return None
    from lstm_widgets.models.torch.adapter import TorchAdapter  # noqa: PLC0415

    return TorchAdapter(model)


def lookup_of(layer: Any) -> Lookup | None:
    """Make a lookup of a layer that makes ids of strings: PyTorch has none."""
    del layer
    return None


def environment() -> dict[str, str]:
    """Tell which environment variables matter elsewhere: none."""
    return {}
