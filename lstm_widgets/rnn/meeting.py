# What Numba compiles has no types.
# mypy: disable-error-code="untyped-decorator, no-untyped-def, no-untyped-call, call-arg"
# ruff: noqa: ANN001, ANN202
"""Where threads wait for each other between the steps of a compiled loop.

It takes a fifth of a microsecond, where the system's means take some: a step of a large layer takes ten.
Whoever waits long lets others have the processor.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from lstm_widgets.rnn.compiling import jit

__all__ = ["called_off", "meet", "meetings"]

_PATIENCE = 1000
_OFF = np.iinfo(np.int64).max // 2
# In libc, or in kernel32.
_let_others = types.ExternalFunction(
    "SwitchToThread" if sys.platform == "win32" else "sched_yield", types.int32()
)


def meetings(threads: int) -> list[tuple[Any, Any]]:
    """Make what each of some threads brings to :func:`meet`, again and again.

    Parameters
    ----------
    threads : int
        How many have to be there for all to go on. All of them have to run at once.

    Returns
    -------
    list of tuple
        One for each thread: how many have come so far, which all share; and how many there have to be,
        and how many more the next time.
    """
    come = np.zeros(1, np.int64)
    return [(come, np.array([0, threads], np.int64)) for _ in range(threads)]


def called_off(meeting: tuple[Any, Any]) -> None:
    """Let nobody wait any more: one of the threads won't come."""
    meeting[0][0] = _OFF


@intrinsic
def _come(typingctx, counter):
    """Add one, and let others see all that was written before."""
    del typingctx

    def code(context, builder, signature, arguments):
        array = _array(context, builder, signature, arguments)
        return builder.atomic_rmw("add", array.data, ir.Constant(ir.IntType(64), 1), "seq_cst")

    return types.int64(counter), code


@intrinsic
def _seen(typingctx, counter):
    """Read how many have come, and see all that they have written before."""
    del typingctx

    def code(context, builder, signature, arguments):
        array = _array(context, builder, signature, arguments)
        return builder.load_atomic(array.data, "acquire", 8)

    return types.int64(counter), code


def _array(context, builder, signature, arguments):
    return context.make_array(signature.args[0])(context, builder, arguments[0])


@jit
def meet(meeting):  # noqa: ANN201
    """Go on when all are here; at once if there is one only."""
    come, goal = meeting
    if goal[1] < 2:
        return
    goal[0] += goal[1]
    _come(come)
    waited = 0
    while _seen(come) < goal[0]:
        waited += 1
        if waited == _PATIENCE:
            waited = 0
            _let_others()
