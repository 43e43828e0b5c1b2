# Whatever operators and ufuncs take may be an operand.
# ruff: noqa: ANN401
"""Functions on arrays, taken down once and then run again without making new arrays.

A step of a recurrent cell is some twenty operations on arrays that a processor's cache could hold.
NumPy makes a new one for the result of each, which over many steps costs as much as what is done.
"""

from __future__ import annotations

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

    Attributes
    ----------
    results
        The arrays that hold what the function returns.

    Raises
    ------
    TypeError
        If the function does anything else with the arrays.
    """

    def __init__(self, function: Callable[..., Sequence[Any]], *arrays: npt.NDArray[Any]) -> None:
        self._calls: list[Callable[[], Any]] = []
        results = function(*(_Noted(array, self._calls) for array in arrays))
        self.results = [_array(result) for result in results]

    def __call__(self) -> None:
        """Do it again."""
        for call in self._calls:
            call()


def _array(value: Any) -> Any:
    return value.array if isinstance(value, _Noted) else value


class _Noted(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of which every use is taken down."""

    def __init__(self, array: npt.NDArray[Any], calls: list[Callable[[], Any]]) -> None:
        self.array = array
        self._calls = calls

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
        return self._note(room, lambda: ufunc(*arrays, out=room))

    def __array_function__(
        self, function: Any, _types: Any, given: Sequence[Any], options: Any
    ) -> Any:
        if function is not np.where or len(given) != 3 or options:
            return NotImplemented
        which, one, other = map(_array, given)
        room = np.where(which, one, other)
        self._note(room, lambda: np.copyto(room, other))
        return self._note(room, lambda: np.copyto(room, one, where=which))

    def _note(self, room: npt.NDArray[Any], call: Callable[[], Any]) -> _Noted:
        self._calls.append(call)
        return _Noted(room, self._calls)
