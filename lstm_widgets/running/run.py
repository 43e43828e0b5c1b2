"""Call a model batch after batch, and keep what its recurrent layers do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstm_widgets.models.inputs import warn_outside

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import numpy.typing as npt

    from lstm_widgets.models.adapter import Adapter, Run
    from lstm_widgets.running.session import Session

    Outputs = dict[str, npt.NDArray[Any]]

__all__ = ["prepared", "read", "read_all"]


def read_all(
    run: Run,
    batch: Callable[[int, int], Any],
    size: int,
    session: Session,
    seen: Callable[[Outputs, int, int], None],
) -> None:
    """Let a model that is ready read everything, and the session know how much of it is done.

    ``batch(start, stop)`` is what the model is called with, ``seen(outputs, start, stop)`` is told
    what comes out.
    """
    parts = session.reading.parts(size)
    progress: Any = parts
    if len(parts) > 1:
        from tqdm.auto import tqdm  # noqa: PLC0415

        progress = tqdm(parts, desc="recording", unit="batch", leave=False)
    try:
        for start, stop in progress:
            seen(read(run, batch(start, stop), start, stop, session), start, stop)
            session.done = stop
    except KeyboardInterrupt:
        if not session.done:
            raise
        warn_outside(
            f"interrupted: the recording has the first {session.reading.describe(session.done)}"
        )
    finally:
        if progress is not parts:
            progress.close()


def prepared(model: Adapter, session: Session) -> AbstractContextManager[Run]:
    """Make a model ready for :func:`read`, and leave it as it was found."""
    return model.running(
        session.selection.found,
        session,
        any_length=session.reading.mode == "pieces",
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
