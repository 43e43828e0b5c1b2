# ruff: noqa: ANN401 - what is given is of many types
"""Which score of a model is explained: of which class, and at which timestep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.indices import in_range

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstm_widgets.models.explaining import Pass

__all__ = [
    "confidence",
    "expect_forecast",
    "predicted",
    "standard_at",
    "standard_indices",
    "standard_target",
]


def expect_forecast(scaling: Any, *, forecast: bool) -> None:
    """Refuse the scaling of targets where what is explained is no forecast."""
    if scaling is not None and not forecast:
        raise ValueError(
            "target_scaling: expected None, because what is explained isn't a forecast; got "
            f"{scaling!r:.80}"
        )


def standard_indices(argument: str, value: Any, count: int) -> npt.NDArray[np.intp] | None:
    """Turn one index for all examples, or one for each, into one for each."""
    if value is None:
        return None
    indices = np.asarray(value)
    if indices.dtype.kind not in "iu":
        raise TypeError(f"{argument}: expected whole numbers, got {value!r:.80}")
    if indices.shape not in ((), (count,)):
        raise ValueError(
            f"{argument}: expected one for all examples or one for each of {count}, got shape "
            f"{indices.shape}"
        )
    return np.broadcast_to(indices, (count,)).astype(np.intp)


def standard_at(done: Pass, at: npt.NDArray[np.intp] | None) -> npt.NDArray[np.intp] | None:
    """Find the timestep whose output is meant; None for outputs without timesteps."""
    rows, *rest = (int(n) for n in done.logits.shape)
    if len(rest) == 1:
        if at is not None:
            raise ValueError(
                f"at: expected None, because the model's outputs have no timesteps; got {at[0]}"
            )
        return None
    count = rest[0]
    if at is None:
        mask = done.mask
        if mask is None or mask.shape[1] != count:
            return np.full(rows, count - 1)
        return np.where(mask.any(axis=1), count - 1 - mask[:, ::-1].argmax(axis=1), count - 1)
    return in_range("at", at, count, "timesteps")


def standard_target(
    target: npt.NDArray[np.intp] | None, logits: npt.NDArray[Any]
) -> npt.NDArray[np.intp]:
    """Find the class that is meant, by default the predicted one."""
    classes = logits.shape[-1]
    if classes == 1:
        if target is not None:
            raise ValueError(
                f"target: expected None, because the model has a single output and so a single "
                f"logit; got {target.flat[0]}"
            )
        return np.zeros(logits.shape[:-1], np.intp)
    if target is None:
        return predicted(logits)
    if (target < 0).any():
        raise ValueError(f"target: expected classes from 0, got {target[target < 0][0]}")
    return in_range("target", target, classes, "classes")


def predicted(logits: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Return the class that the model predicts; of a single logit, whether it is positive."""
    if logits.shape[-1] == 1:
        positive: npt.NDArray[np.intp] = (logits[..., 0] > 0).astype(np.intp)
        return positive
    best: npt.NDArray[np.intp] = logits.argmax(axis=-1)
    return best


def confidence(logits: npt.NDArray[Any], activation: str) -> dict[str, npt.NDArray[Any]]:
    """Return the probability of the predicted class, where there is one."""
    if activation == "softmax":
        return {"confidence": 1 / np.exp(logits - logits.max(axis=-1, keepdims=True)).sum(axis=-1)}
    if activation == "sigmoid":
        best = np.abs(logits[..., 0]) if logits.shape[-1] == 1 else logits.max(axis=-1)
        return {"confidence": 0.5 + 0.5 * np.tanh(best / 2)}
    return {}
