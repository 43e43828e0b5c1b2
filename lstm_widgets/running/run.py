"""Call a model batch after batch, and keep what its recurrent layers do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.errors import SelfCheckError
from lstm_widgets.models.inputs import expect_labels, standard_tokens, warn_outside

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    import numpy.typing as npt

    from lstm_widgets.models.adapter import Adapter, Run
    from lstm_widgets.recording import Recording
    from lstm_widgets.running.session import Session

    Outputs = dict[str, npt.NDArray[Any]]

__all__ = ["expect_alone", "prepared", "read", "record_run"]


def expect_alone(run: Any, others: Mapping[str, Any]) -> None:  # noqa: ANN401
    """Refuse a function that is none, and what says how the model is called beside one that calls it."""
    if not callable(run):
        raise TypeError(
            f"run: expected a function that does with the model what is to be recorded, got {run!r:.80}"
        )
    for argument, value in others.items():
        if value is not None:
            raise ValueError(
                f"{argument}: expected None with run=, which calls the model itself; got {value!r:.80}"
            )


def record_run(
    model: Adapter,
    run: Callable[[], Any],
    session: Session,
    *,
    tokens: Any,  # noqa: ANN401
    labels: Any,  # noqa: ANN401
    times: Any,  # noqa: ANN401
) -> Recording:
    """Record whatever a model does while a function runs.

    ``tokens``, ``labels`` and ``times`` are as for :func:`lstm_widgets.record`; whether they fit is seen
    afterwards.
    """

    def recording() -> Recording:
        count = session.done
        expect_labels(labels, count)
        rows = None if tokens is None else standard_tokens(tokens, count)
        session.expect_tokens(rows)
        made = session.recording(model, count, rows, labels=labels, times=times)
        if times is not None and not any("time" in layer.coords for layer in made.values()):
            counts = ", ".join(f"{n!r} has {made[n].sizes['timestep']}" for n in made)
            raise ValueError(
                f"times: expected as many as a layer has timesteps ({counts}); got times of shape "
                f"{np.shape(times)}"
            )
        return made

    try:
        with prepared(model, session), session.free():
            session.restart()
            run()
    except KeyboardInterrupt:
        if not session.units:
            raise
        warn_outside("interrupted: the recording has the calls of layers that were done")
    except SelfCheckError as error:
        if session.units:
            error.keep(recording())
        raise
    if not session.units:
        missed = ", ".join(map(repr, session.missed()))
        raise ValueError(
            f"run: expected a function that calls the model's recurrent layers ({missed}); it called "
            "none of them, or none of this model's"
        )
    session.end()
    return recording()


def prepared(model: Adapter, session: Session) -> AbstractContextManager[Run]:
    """Make a model ready for :func:`read`, and leave it as it was found."""
    return model.running(
        session.selection.found,
        session,
        pieces=session.reading.mode == "pieces",
        every_output=session.every_output,
        fresh=session.reading.mode == "windows",
    )


def read(run: Run, batch: Any, start: int, stop: int, session: Session) -> Outputs:  # noqa: ANN401
    """Call a model that is ready once; return its outputs."""
    session.begin(start, stop)
    outputs = run(batch)
    session.end()
    if session.check == "full" and not session.began_in_padding and not session.holding.layers:
        session.compare_outputs(outputs, run.alone(batch))
    session.go_on()
    return outputs
