# Whatever operators and ufuncs take may be an operand.
# ruff: noqa: ANN401
"""Functions on arrays, taken down once and then run again without making new arrays.

A step of a recurrent cell is some twenty operations on arrays that a processor's cache could hold.
NumPy makes a new one for the result of each, which over many steps costs as much as what is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

__all__ = ["Program"]


class Program:
    """What a function does with arrays, as a list of operations with room for their results.

    Calling it does all of them again, on what the arrays hold by then.

    Parameters
    ----------
    function
        Takes one argument for each array and returns several. It may apply operators, ufuncs,
        :func:`numpy.where` and basic indexing to them, and may not decide anything by their values.
    arrays
        What it is about.
    onto
        Arrays of the function that the next call is to find the first of its results in.

    Attributes
    ----------
    results
        The arrays that hold what the function returns.

    Raises
    ------
    TypeError
        If the function does anything else with the arrays.
    """

    def __init__(
        self,
        function: Callable[..., Sequence[Any]],
        *arrays: npt.NDArray[Any],
        onto: Sequence[npt.NDArray[Any]] = (),
    ) -> None:
        self._calls: list[_Call] = []
        results = function(*(_Noted(array, self._calls) for array in arrays))
        self.results = [_array(result) for result in results]
        # Only now are all of the function's own operations known.
        for k in range(len(self.results)):
            self._give_room(k, onto)
        for k, array in enumerate(onto):
            self._put_onto(array, k)

    def __call__(self) -> None:
        """Do it again."""
        for call in self._calls:
            call.function(*call.arguments, out=call.room)

    def _give_room(self, k: int, onto: Sequence[npt.NDArray[Any]]) -> None:
        """Let a result have an array of its own, if that of another is to be there or it is to be."""
        room = self.results[k]
        if k < len(onto):
            made = any(call.room is room for call in self._calls)
            alone = made and all(room is not other for other in self.results[:k])
        else:
            alone = not any(np.may_share_memory(room, array) for array in onto)
        if not alone:
            self.results[k] = np.empty_like(room)
            self._calls.append(_Call(_copy, [room], self.results[k]))

    def _put_onto(self, array: npt.NDArray[Any], k: int) -> None:
        """Let a result stand in an array: at once, if nothing reads what was there any more."""
        room = self.results[k]
        first = next(n for n, call in enumerate(self._calls) if call.room is room)
        read_later = _sharing(self._calls[first + 1 :], array)
        if read_later or not all(value is room for value in _sharing(self._calls, room)):
            self._calls.append(_Call(_copy, [room], array))
            return
        for call in self._calls:
            call.arguments = [array if value is room else value for value in call.arguments]
            call.room = array if call.room is room else call.room
        self.results = [array if result is room else result for result in self.results]


@dataclass(slots=True)
class _Call:
    """A function, what it is called with, and room for what comes of it."""

    function: Callable[..., Any]
    arguments: list[Any]
    room: npt.NDArray[Any]


def _sharing(calls: Sequence[_Call], array: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """List what calls are about that may have memory in common with an array."""
    return [
        value
        for call in calls
        for value in (*call.arguments, call.room)
        if isinstance(value, np.ndarray) and np.may_share_memory(value, array)
    ]


def _copy(values: npt.NDArray[Any], *, out: npt.NDArray[Any]) -> None:
    np.copyto(out, values)


def _copy_where(
    which: npt.NDArray[np.bool_], values: npt.NDArray[Any], *, out: npt.NDArray[Any]
) -> None:
    np.copyto(out, values, where=which)


def _array(value: Any) -> Any:
    return value.array if isinstance(value, _Noted) else value


class _Noted(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of which every use is taken down."""

    def __init__(self, array: npt.NDArray[Any], calls: list[_Call]) -> None:
        self.array = array
        self._calls = calls

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    def __getitem__(self, key: Any) -> _Noted:
        return _Noted(self.array[key], self._calls)

    def __array_ufunc__(
        self,
        ufunc: np.ufunc,
        method: str,
        *inputs: Any,
        out: tuple[Any, ...] = (None,),
        **options: Any,
    ) -> Any:
        if method != "__call__" or len(out) > 1 or options:
            return NotImplemented
        arrays = [_array(value) for value in inputs]
        # What comes of it now, whatever the arrays hold, has the room that it takes.
        room = ufunc(*arrays) if out[0] is None else _array(out[0])
        return self._note(ufunc, arrays, room)

    def __array_function__(
        self, function: Any, _types: Any, given: Sequence[Any], options: Any
    ) -> Any:
        if function is not np.where or len(given) != 3 or options:
            return NotImplemented
        which, one, other = map(_array, given)
        room = np.where(which, one, other)
        self._note(_copy, [other], room)
        return self._note(_copy_where, [which, one], room)

    def _note(
        self, function: Callable[..., Any], arguments: list[Any], room: npt.NDArray[Any]
    ) -> _Noted:
        self._calls.append(_Call(function, arguments, room))
        return _Noted(room, self._calls)
