# Models and what they read may be of many types: Any.
# ruff: noqa: ANN401
"""Recordings of a small set of inputs while a model learns."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lstm_widgets.checks import expect_path, expect_whole, is_whole
from lstm_widgets.models.adapter import standard_vocabulary
from lstm_widgets.models.inputs import expect_positive, warn_outside
from lstm_widgets.recording import Recording, Variants
from lstm_widgets.recording.variant_folder import VariantFolder, losses_of
from lstm_widgets.rnn.comparison import Check, expect_check
from lstm_widgets.running.parts import Told
from lstm_widgets.running.repeated import Repeated
from lstm_widgets.running.selection import names_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from os import PathLike

    import pandas as pd

__all__ = ["TrainingRecorder"]

BY = ("epoch", "step")


class TrainingRecorder:
    """Record what a model does with a few inputs, again and again while it learns.

    A callback of Keras, ``model.fit(..., callbacks=[recorder])``, on TensorFlow, JAX and PyTorch; in a
    training loop of one's own, call :meth:`record`. Training isn't changed by it: weights, states,
    gradients, modes and random numbers are as without. If it is interrupted, what is recorded stays.

    Parameters
    ----------
    inputs : array, tensor, table, str, or a list, tuple or dict of these
        What is recorded: a few dozen examples, or a text, as for :func:`lstm_widgets.record`.
    every : int or sequence of int, default 1
        After how many epochs, or steps, it is recorded: at every so-many-th, before training, and after the
        last epoch of ``fit``, also of one that is stopped early; or after which.
    by : {"epoch", "step"}, default "epoch"
        What ``every`` counts. Variants are called ``"epoch 0"`` (before training), ``"epoch 1"`` (after the
        first epoch), …, or ``"step 200"``. A further ``fit`` goes on counting, unless its
        ``initial_epoch`` says otherwise.
    signals : str or sequence of str, optional
        Which signals are kept; None: all.
    layers : str or sequence of str, optional
        Which layers are kept; None: all.
    to : str or path-like, optional
        The folder to write into, with a recording for each variant; None: they are kept in memory. It is
        opened with ``Variants(to)``, also when the training was killed.
    overwrite : bool, default False
        Whether variants that stand there may be removed.
    vocabulary, unknown, window, step, pad, tokens, labels : object
        How the inputs are read, as for :func:`lstm_widgets.record`.
    times, channels, units, scaling : object
        What is known of a series, as for :func:`lstm_widgets.record`.
    batch_size : int, optional
    state : str, optional
        As for :func:`lstm_widgets.record`.
    check : {"prefix", "full", False}, default "full"
        How the first recording is checked, as by :func:`lstm_widgets.record`. Of a Keras model that reads the
        inputs in one call, the later ones are made after a compiled run of the model with its layers' own
        loops, and all that layers return is compared with that; where hidden states alone are kept, and
        nothing is masked, they are what layers return, and there is nothing to check. Of others, a prefix
        is checked, as :func:`lstm_widgets.record` does. False: none is checked.
    tolerance : float, optional
        The largest accepted difference, as for :func:`lstm_widgets.record`.

    Raises
    ------
    TypeError, ValueError
        If an argument isn't of the kind expected. Whether inputs fit the model is found out with the first
        recording, before training begins.
    FileExistsError
        If something stands at ``to`` that may not be replaced.

    Warns
    -----
    UserWarning
        If a later recording within ``fit`` fails, by its check or a full disk: training goes on without it.

    Examples
    --------
    >>> import numpy as np
    >>> recorder = lw.TrainingRecorder("abcab", vocabulary="abc")
    >>> model.compile("adam", "sparse_categorical_crossentropy")
    >>> x, y = np.array([[0, 1, 2]]), np.array([[1, 2, 0]])
    >>> _ = model.fit(x, y, epochs=2, verbose=0, callbacks=[recorder])
    >>> recorder.variants.names
    ('epoch 0', 'epoch 1', 'epoch 2')
    >>> recorder.variants.stacked("lstm", "hidden_state").shape
    (3, 1, 5, 4)

    In a loop of one's own:

    >>> recorder = lw.TrainingRecorder("abcab", vocabulary="abc")
    >>> recorder.record(model, "before", epoch=0)
    >>> recorder.record(model, "after", epoch=1, loss=0.7)
    >>> recorder.losses
      variant  epoch  loss
    0  before      0   NaN
    1   after      1   0.7
    """

    def __init__(
        self,
        inputs: Any,
        *,
        every: int | Sequence[int] = 1,
        by: Literal["epoch", "step"] = "epoch",
        signals: Sequence[str] | str | None = ("hidden_state",),
        layers: Sequence[str] | str | None = None,
        to: str | PathLike[str] | None = None,
        overwrite: bool = False,
        vocabulary: Any = None,
        unknown: int | str | None = None,
        window: int | None = None,
        step: int | None = None,
        pad: Any = None,
        tokens: Sequence[str] | Sequence[Sequence[str]] | Mapping[str, Any] | None = None,
        labels: Sequence[str] | None = None,
        times: Any = None,
        channels: Sequence[str] | None = None,
        units: Mapping[str, str] | Sequence[str] | None = None,
        scaling: Any = None,
        batch_size: int | None = None,
        state: str | None = None,
        check: Check = "full",
        tolerance: float | None = None,
    ) -> None:
        if by not in BY:
            raise ValueError(f"by: expected one of {', '.join(map(repr, BY))}, got {by!r:.80}")
        if not is_whole(every):
            given: Any = every
            one = isinstance(given, (str, bytes, Mapping)) or not np.iterable(given)
            chosen = [] if one else list(given)
            if not chosen:
                raise TypeError(
                    f"every: expected a whole number, or a sequence of some, got {every!r:.80}"
                )
            self._chosen = sorted({expect_whole("every", number, 0) for number in chosen})
        self._every = expect_whole("every", every, 1) if is_whole(every) else None
        for argument, asked in (("layers", layers), ("signals", signals)):
            names_of(argument, asked)
        expect_check(check, tolerance)
        for argument, number in (("batch_size", batch_size), ("window", window), ("step", step)):
            expect_positive(argument, number)
        self.by = by
        told = Told(
            window=window,
            step=step,
            pad=pad,
            vocabulary=standard_vocabulary(vocabulary, unknown),
            tokens=tokens,
            labels=labels,
            times=times,
            channels=channels,
            units=units,
        )
        self._repeat = functools.partial(
            Repeated,
            inputs=inputs,
            told=told,
            layers=layers,
            signals=signals,
            check=check,
            tolerance=tolerance,
            batch_size=batch_size,
            state=state,
            scaling=scaling,
        )
        self._folder = (
            None if to is None else VariantFolder(expect_path("to", to), overwrite=overwrite)
        )
        self._repeated: tuple[Any, Repeated] | None = None
        self._kept: dict[str, Any] = {}
        self._told: dict[str, dict[str, Any]] = {}
        self._model: Any = None
        self._last_epoch: int | None = None
        # The logs of an epoch after which nothing was due: it may have been the last one.
        self._left: Mapping[str, float] | None = None
        self._fitting = False  # whether `fit` has begun its first epoch
        self._offset = self._epoch = self._step = self._first_step = 0

    # What was recorded ----------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """The names of what was recorded so far."""
        return tuple(self._kept)

    @property
    def variants(self) -> Variants:
        """All that was recorded so far.

        Raises
        ------
        ValueError
            If that is nothing.
        """
        if not self._kept:
            raise ValueError(
                "variants: nothing was recorded yet: give the recorder to model.fit(callbacks=[...]), or "
                "call record(model, name)"
            )
        return Variants(self._kept, losses=self.losses)

    @property
    def losses(self) -> pd.DataFrame:
        """What was told beside each: its name (``variant``), ``epoch`` or ``step``, ``loss`` and so on."""
        return losses_of(self._told)

    def __repr__(self) -> str:
        count = len(self._kept)
        told = f": {', '.join(dict.fromkeys([self.names[0], self.names[-1]]))}" if count else ""
        return (
            f"TrainingRecorder of {count} variant{'s' * (count != 1)}{told.replace(',', ' to', 1)}"
        )

    def record(self, model: Any, name: str, **told: float) -> None:
        """Record what a model does now.

        Parameters
        ----------
        model : keras.Model or torch.nn.Module
            The model; its weights may be others each time, its layers not.
        name : str
            What the variant is called, as ``"epoch 3"``.
        **told : float
            Numbers to note beside it: ``epoch=3, loss=0.25``.

        Raises
        ------
        ValueError
            If there is a variant of this name, or inputs don't fit the model.
        SelfCheckError
            If what was recorded isn't what the layers compute.
        """
        if not isinstance(name, str) or not name:
            raise TypeError(f"name: expected a str that isn't empty, got {name!r:.80}")
        if name in self._kept:
            raise ValueError(f"name: expected a new one, got {name!r}, which was recorded already")
        for what, number in told.items():
            if what == "variant" or not isinstance(number, Real):
                raise TypeError(
                    f"{what}: expected a number to note, as float(...) makes of a tensor; got {number!r:.80}"
                )
        made = self._made(model)
        noted = {
            what: int(number) if is_whole(number) else float(number)
            for what, number in told.items()
        }
        self._kept[name] = made if self._folder is None else self._folder.add(name, made, noted)
        self._told[name] = noted

    def _made(self, model: Any) -> Recording:
        """Record what a model does now, and keep nothing of it."""
        if self._repeated is None or self._repeated[0] is not model:
            self._repeated = (model, self._repeat(model))
        return self._repeated[1].record()

    # What Keras calls -----------------------------------------------------------------------------

    @property
    def async_safe(self) -> bool:
        """Whether Keras need not wait for this after each step."""
        return self.by == "epoch"

    def set_model(self, model: Any) -> None:
        """Take the model that is trained."""
        if self._model is not None and self._model is not model:
            raise ValueError(
                "callbacks: expected the model that this recorder has recorded before; another one needs "
                "a TrainingRecorder of its own"
            )
        self._model = model

    def set_params(self, params: Mapping[str, Any] | None) -> None:
        """Take how long training is to last."""
        self._last_epoch = (params or {}).get("epochs")

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Begin with a ``fit``."""
        del logs
        self._fitting, self._left = False, None

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Record what the model does before training."""
        del logs
        self._first_step = self._step
        if self._fitting:
            return
        self._fitting = True
        self._offset = self._epoch if epoch < self._epoch else 0
        self._epoch = epoch + self._offset
        if self._due(self._now - 1, self._now):
            self._note(self._now, {}, before=True)
        elif not self._kept:  # what can't be recorded is told now, and not after hours
            self._made(self._model)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Record after a step, if it is one of those that were asked for."""
        if self.by != "step":
            return
        # Of steps that run together, older versions of Keras tell the first, newer ones the last.
        together = int(getattr(self._model, "steps_per_execution", 1))
        before, self._step = self._step, self._first_step + batch - batch % together + together
        if self._due(before, self._step):
            self._note(self._step, logs or {})

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Record after an epoch, if it is one of those that were asked for."""
        before, self._epoch = self._epoch, epoch + 1 + self._offset
        # What stops training may bring back earlier weights in the end, so it isn't waited for.
        stopped = getattr(self._model, "stop_training", False)
        last = self._every is not None and (stopped or epoch + 1 == self._last_epoch)
        due = self.by == "epoch" and self._due(before, self._epoch)
        self._left = None if last or due else logs or {}
        if last or due:
            self._note(self._now, logs or {})

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Record after the last epoch, if a later callback has stopped training after it."""
        del logs
        if self._every is not None and self._left is not None:
            self._note(self._now, self._left)
        self._left = None

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Do nothing at all other moments of which Keras tells its callbacks."""
        if name.startswith("on_") and name.endswith(("_begin", "_end")):
            return _nothing
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def _now(self) -> int:
        """How many epochs, or steps, there were."""
        return self._epoch if self.by == "epoch" else self._step

    def _due(self, before: int, now: int) -> bool:
        """Whether one of those asked for is after ``before``, up to ``now``."""
        if self._every is not None:
            return now // self._every > before // self._every
        return any(before < number <= now for number in self._chosen)

    def _note(self, number: int, logs: Mapping[str, float], *, before: bool = False) -> None:
        """Record a variant within ``fit``, or before its first epoch."""
        name = f"{self.by} {number}"
        if name in self._kept:
            return
        told = {what: value for what, value in logs.items() if isinstance(value, Real)}
        try:
            self.record(self._model, name, **{self.by: number, **told})
        except Exception as error:
            # Before training, that costs nothing; later, it would cost the training.
            if before and not self._kept:
                raise
            warn_outside(f"{name!r} isn't recorded: {type(error).__name__}: {error}")


def _nothing(*_: Any, **__: Any) -> None:
    pass
