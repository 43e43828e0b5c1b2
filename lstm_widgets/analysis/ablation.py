# Models, and what they read and return, are of many types: Any.
# ruff: noqa: ANN401
"""Ablation: what it costs a model when some of its cells are held at a value.

That a cell's values follow a concept doesn't mean that the model uses the cell. Holding it at a value
at every timestep and running the model again shows by how much its loss rises, where, and which of
its predictions change. It is the test of Lakretz et al. 2019, *The emergence of number and syntax
units in LSTM language models* (arXiv:1903.07435), who fixed cells at zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from lstm_widgets.analysis.held_runs import HeldRuns
from lstm_widgets.analysis.losses import Losses
from lstm_widgets.concepts.make_tracks import packed_tracks
from lstm_widgets.concepts.packed import PackedTrack
from lstm_widgets.models.adapter import adapter_of
from lstm_widgets.models.inputs import expect_positive
from lstm_widgets.models.outputs import Output
from lstm_widgets.recording import predictions_node
from lstm_widgets.recording.masks import mask_of
from lstm_widgets.rnn.comparison import Check, expect_check
from lstm_widgets.running.given import Given
from lstm_widgets.running.held import Held

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt
    import pandas as pd

    from lstm_widgets.analysis.losses import Loss, Outcome
    from lstm_widgets.concepts.concept import Concepts
    from lstm_widgets.recording import Recording

    Floats = npt.NDArray[np.float32]
    Value = (
        Literal["zero", "mean"]
        | float
        | Sequence[float]
        | npt.NDArray[np.floating[Any]]
        | Callable[[Floats], float]
    )

__all__ = ["Ablation", "ablate"]


@dataclass(frozen=True)
class Ablation:
    """What :func:`ablate` has found.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each run with cells held, in the order of the cells: ``layer``, ``signal``;
        ``cell`` and ``value``, tuples if several are held together; ``loss``, the mean loss of the
        unchanged model, ``loss_held``, the mean loss with the cells held, and ``change``, their
        difference ``loss_held - loss``; ``changed_guesses``, the share of timesteps at which the most
        probable symbol changes (NaN if the model doesn't predict symbols). Then, for each concept c,
        the mean change at timesteps where it holds, ``c``, and where it doesn't, ``not c``.
    timesteps : xarray.Dataset, optional
        ``loss`` and ``loss_held``, float32 ``(example, timestep)``, NaN where there is no target. If
        the model predicts symbols, also the variables of :attr:`lstm_widgets.Recording.predictions`,
        and the same with the cells held, with ``_held`` at the end of their names. None with
        ``each=True``.
    recording : Recording
        Of the unchanged model: the signal of the layer whose cells are held.
    """

    table: pd.DataFrame
    timesteps: xr.Dataset | None
    recording: Recording

    def _repr_html_(self) -> str:
        return str(self.table.to_html(float_format="{:.4f}".format))


def ablate(
    model: Any,
    inputs: Any,
    cells: int | Sequence[int] | npt.NDArray[np.integer[Any]] | None = None,
    *,
    value: Value = "zero",
    layer: str | None = None,
    signal: str = "hidden_state",
    concepts: Concepts | None = None,
    each: bool = False,
    targets: Any = None,
    loss: str | Loss | None = None,
    output: str | int | None = None,
    top_k: int = 5,
    window: int | None = None,
    pad: Any = None,
    state: str | None = None,
    vocabulary: Any = None,
    unknown: int | str | None = None,
    tokens: Any = None,
    batch_size: int | None = None,
    check: Check = "prefix",
    tolerance: float | None = None,
) -> Ablation:
    """Run a model with some of its cells held at a value, and measure what that costs.

    The model is first run unchanged, recorded and checked as by :func:`lstm_widgets.record`, and then
    with the cells held at every timestep that isn't padding. Afterwards its states and weights are as
    they were found.

    Parameters
    ----------
    model, inputs, window, pad, state, vocabulary, unknown, tokens, check, tolerance : as for record
        As for :func:`lstm_widgets.record`.
    cells : int or sequence of int, optional
        One cell, or several. With ``each=True``, default: all cells of the layer.
    value : {"zero", "mean"}, float, sequence of float, or callable, default "zero"
        What they are held at: ``"zero"``; ``"mean"``, each at the mean of its own values; a number,
        or one for each cell; or a function from a cell's values, float32 ``(n,)``, at all timesteps
        that aren't padding, to a number (``numpy.median``, for example).
    layer : str, optional
        The recurrent layer, by its name in a recording. Default: the first.
    signal : str, default "hidden_state"
        The signal that is held: the hidden state, the cell state or a gate.
    concepts : Concept, sequence of Concept, or mapping, optional
        Yes-or-no concepts, as for ``lstm_widgets.concepts.tracks``: the change of the loss is also
        given for the timesteps where each holds, and for those where it doesn't.
    each : bool, default False
        Hold one cell after the other instead of all together; many of them run at once, as more
        examples of a batch.
    targets : array, optional
        What the model should predict. Default: the next token, of a model with one output for each
        timestep, or of one that reads windows. Else classes, ``(example,)`` or ``(example,
        timestep)``, -1 where unknown; or, with ``loss``, what that takes: for a forecast, numbers of
        the outputs' shape (a last axis of length 1 may be left out), NaN where unknown.
    loss : str, object or callable, optional
        The name of a Keras loss (``"mse"``, ``"mae"``, ``"huber"``, ...), a Keras loss object, or a
        function of targets and outputs that returns one loss for each example, or for each of its
        timesteps. Default: the cross-entropy of outputs that are probabilities or logits of the
        symbols; of a model with a single sigmoid (or a single linear output, if it was compiled with
        a loss that takes it for a logit), the binary cross-entropy, with probabilities clipped at
        1e-7.
    output : str or int, optional
        Which output the loss is of, of a model with several: its name or its index.
    top_k : int, default 5
        How many of the most probable symbols to keep at each timestep.
    batch_size : int, optional
        How many examples (of a text: timesteps, or windows) run at a time, for each held cell.

    Returns
    -------
    Ablation

    Raises
    ------
    TypeError, ValueError
        If an argument doesn't fit the model or the inputs.
    UnsupportedLayerError, SelfCheckError
        As from :func:`lstm_widgets.record`.

    Warns
    -----
    UserWarning
        If it was interrupted; the table then has the cells that were done.

    Examples
    --------
    >>> found = lw.ablate(model, "abcab", [0, 1], vocabulary="abc")
    >>> found.table[["layer", "cell"]].values.tolist()
    [['lstm', (0, 1)]]
    """
    adapter = adapter_of(model, state=state)
    expect_check(check, tolerance)
    for argument, number in (("batch_size", batch_size), ("window", window), ("top_k", top_k)):
        expect_positive(argument, number)
    if cells is None and not each:
        raise ValueError("cells: expected one or several, or each=True for all; got None")
    given = Given(
        adapter,
        inputs,
        window=window,
        pad=pad,
        vocabulary=vocabulary,
        unknown=unknown,
        tokens=tokens,
        needs_ids=True,
    )
    runs = HeldRuns(adapter, given, layer, signal, batch_size)
    losses = Losses(
        given,
        runs.reading,
        targets,
        None if loss is None else adapter.loss_function(loss),
        output=Output(adapter, output),
        activation=runs.last_activation,
        top_k=top_k,
    )
    chosen = Held(range(runs.units) if cells is None else cells, 0.0, runs.layer, signal)
    runs.expect(chosen)  # before anything runs

    before, recording = runs.as_it_is(losses, tokens is not None, check, tolerance)
    numbers = _numbers(value, chosen.cells, recording[runs.layer], signal)
    where = _where(concepts, recording, runs.layer, before.known)
    if not each:
        held = Held(chosen.cells, numbers, runs.layer, signal)
        after = runs.together(held, losses)
        table = _table([held], [_row(before, after, 0, where)])
        return Ablation(table, _timesteps(before, after, recording, runs.layer), recording)
    several = [
        Held(cell, number, runs.layer, signal)
        for cell, number in zip(chosen.cells, numbers, strict=True)
    ]
    rows = []
    for after, copies in runs.one_by_one(several, losses):
        rows += [_row(before, after, copy, where) for copy in range(copies)]
    return Ablation(_table(several, rows), None, recording)


def _numbers(value: Value, cells: Sequence[int], layer: xr.Dataset, signal: str) -> list[float]:
    """Tell at what each cell is held."""
    if isinstance(value, str):
        if value not in ("zero", "mean"):
            raise ValueError(
                f"value: expected 'zero', 'mean', a number, one for each cell or a function; got "
                f"{value!r}"
            )
        if value == "zero":
            return [0.0] * len(cells)
    elif not callable(value):
        return list(Held(cells, value).value)
    function = np.mean if isinstance(value, str) else value
    values, real = layer[signal].to_numpy(), mask_of(layer)
    numbers = [np.asarray(function(values[real, cell])) for cell in cells]
    for number in numbers:
        if number.shape or number.dtype.kind not in "biuf":
            raise TypeError(f"value: expected a function that returns a number, got {number!r:.80}")
    return [float(number) for number in numbers]


def _where(
    concepts: Any, recording: Recording, layer: str, known: npt.NDArray[np.bool_]
) -> dict[str, PackedTrack]:
    """Tell at which timesteps with a known loss each concept holds, and at which it doesn't."""
    where: dict[str, PackedTrack] = {}
    if concepts is None:
        return where
    dataset = recording[layer]
    shape = dataset.sizes["example"], dataset.sizes["timestep"]
    here = (known & mask_of(dataset)).reshape(-1) if shape == known.shape else None
    for name, track in packed_tracks(recording, concepts, layer=layer).items():
        if track.kind != "yes_no":
            raise ValueError(f"concepts: expected yes/no concepts, got the numeric {name!r}")
        if here is None:
            raise ValueError(
                f"concepts: layer {layer!r} has tracks of shape {shape}, the loss is of shape "
                f"{known.shape}"
            )
        said = track.block(slice(None))
        where[name] = PackedTrack.of(here & said)
        where[f"not {name}"] = PackedTrack.of(here & ~said)
    return where


def _row(
    before: Outcome,
    after: Outcome,
    copy: int,
    where: Mapping[str, PackedTrack],
) -> dict[str, float]:
    known = before.known
    one, other = before.loss[0].astype(np.float64), after.loss[copy].astype(np.float64)
    with np.errstate(invalid="ignore"):  # infinite both times
        change = other - one
        row = {
            "loss": float(one[known].mean()),
            "loss_held": float(other[known].mean()),
            "change": float(change[known].mean()),
        }
    changed = np.nan
    if before.best is not None and after.best is not None:
        changed = float((before.best[0] != after.best[copy])[known].mean())
    row["changed_guesses"] = changed
    for name, packed in where.items():
        there = change.reshape(-1)[packed.block(slice(None))]
        row[name] = float(there.mean()) if len(there) else np.nan
    return row


def _table(several: Sequence[Held], rows: Sequence[Mapping[str, float]]) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415  (`import lstm_widgets` must not need it)

    def plain(values: tuple[Any, ...]) -> Any:
        return values[0] if len(values) == 1 else values

    return pd.DataFrame(
        [
            {
                "layer": held.layer,
                "signal": held.signal,
                "cell": plain(held.cells),
                "value": plain(held.value),
                **row,
            }
            for held, row in zip(several, rows, strict=False)  # fewer if it was interrupted
        ]
    )


def _timesteps(before: Outcome, after: Outcome, recording: Recording, layer: str) -> xr.Dataset:
    """Put both losses and both predictions side by side."""
    axes = ("example", "timestep")
    result = xr.Dataset({"loss": (axes, before.loss[0]), "loss_held": (axes, after.loss[0])})
    if recording.predictions is not None and after.predictions is not None:
        held = predictions_node(after.predictions, recording.predictions.sizes["example"]).dataset
        names = {str(name): f"{name}_held" for name in held.data_vars}
        result = result.merge(recording.predictions).merge(held.rename(names))
    dataset = recording[layer]
    if "token" in dataset.coords and dataset["token"].shape == before.known.shape:
        result = result.assign_coords(token=(axes, dataset["token"].to_numpy()))
    return result
