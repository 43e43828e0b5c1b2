r"""Where a cell's state moves least: minima of its speed, from many starts at once.

What is minimised is :math:`q(x) = \tfrac{1}{2} \lVert F(x, u) - x \rVert^2` (Sussillo and Barak 2013,
Neural Computation 25, 626-649), by the method of Levenberg and Marquardt with the Jacobians of the step;
how far a step goes is damped in proportion to the speed, which converges quadratically also where fixed
points lie on a line or a surface (Fan and Yuan 2005, Computing 74, 23-39).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.rnn.parallel import in_blocks

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from lstm_widgets.rnn.jacobians import StateMap

    Floats = npt.NDArray[np.float64]

__all__ = ["Minima", "distances", "minimised", "one_of_each"]

#: Values of one of the arrays (start, state, state) that are worked on at a time: 32 MiB each.
_VALUES = 1 << 22
#: Those of a block, which a thread works on by itself.
_BLOCK_VALUES = 1 << 18
#: The damping to begin with and the least, in units of the length of what is left of the step.
_DAMPING, _LEAST, _MOST = 1.0, 1e-10, 1e12
#: Where a step that isn't damped by more than this promises so small a part of q, it is a minimum.
_FLAT, _DAMPED = 1e-10, 100.0
#: By how much less a step is damped after one that did what it promised.
_EASE = 10
#: A point is looked for from its neighbours, so many values of distances at a time.
_DISTANCES = 1 << 24


@dataclass(frozen=True)
class Minima:
    """What starts came to, in the order of the starts.

    Attributes
    ----------
    state : float64 array (start, state)
        Where each ended.
    q : float64 array (start,)
        Half the square of how far the step moves it.
    found : bool array (start,)
        Whether it is a minimum: the speed is below the tolerance, or falls in no direction.
    done : int
        How many starts were worked on; fewer than there are if it was interrupted.
    """

    state: Floats
    q: Floats
    found: npt.NDArray[np.bool_]
    done: int


class _Pool:
    """The starts that are worked on now."""

    def __init__(self, step: StateMap, size: int) -> None:
        self.step = step
        shape = (size, step.size)
        self.state, self.left, self.slope = (np.empty(shape) for _ in range(3))
        # The Jacobian without the identity, and the product of its transpose with itself.
        self.matrix, self.product = (np.empty((*shape, step.size)) for _ in range(2))
        self.q, self.damping = np.empty(size), np.empty(size)
        self.flat = np.zeros(size, np.bool_)
        self.start, self.turns = np.empty(size, np.intp), np.zeros(size, np.intp)
        self.used = 0

    @property
    def _arrays(self) -> tuple[npt.NDArray[Any], ...]:
        return (
            *(self.state, self.left, self.slope, self.matrix, self.product, self.q),
            *(self.damping, self.flat, self.start, self.turns),
        )

    def add(self, states: Floats, starts: npt.NDArray[np.intp]) -> None:
        """Take further starts in."""
        new = slice(self.used, self.used + len(states))
        self.used = new.stop
        self.state[new], self.start[new] = states, starts
        self.damping[new], self.flat[new], self.turns[new] = _DAMPING, False, 0

        def run(some: slice) -> None:
            part = slice(new.start + some.start, new.start + some.stop)
            self.q[part] = np.inf
            self._arrive(part, self.state[part])

        self._in_blocks(run, len(states))

    def keep(self, staying: npt.NDArray[np.bool_]) -> None:
        """Let the others go."""
        count = int(staying.sum())
        if count < self.used:
            for array in self._arrays:
                array[:count] = array[: self.used][staying]
            self.used = count

    def turn(self) -> None:
        """Take a step from each."""
        self._in_blocks(self._turn, self.used)

    def _in_blocks(self, run: Callable[[slice], None], count: int) -> None:
        width = self.step.size**2
        in_blocks(run, count, width, max(1, _BLOCK_VALUES // width))

    def _turn(self, some: slice) -> None:
        lam = self.damping[some] * np.sqrt(2 * self.q[some])
        damped = self.product[some].copy()
        k = np.arange(self.step.size)
        damped[:, k, k] += np.maximum(lam, np.finfo(np.float64).tiny)[:, None]
        slope = self.slope[some]
        step = _solved(damped, -slope)
        expected = 0.5 * (step * (lam[:, None] * step - slope)).sum(axis=1)
        self.flat[some] = (expected <= _FLAT * self.q[some]) & (self.damping[some] <= _DAMPED)
        self.turns[some] += 1
        self._arrive(some, self.state[some] + step, expected)

    def _arrive(self, some: slice, states: Floats, expected: Floats | None = None) -> None:
        """Look at states, and go on from those that are better than the ones before."""
        after, jacobian = self.step.jacobian(states)
        left = after - states
        with np.errstate(over="ignore", invalid="ignore"):
            q = 0.5 * (left * left).sum(axis=1)
            gain = self.q[some] - q
            share = gain if expected is None else gain / expected
        better = np.isfinite(q) & np.isfinite(jacobian).all(axis=(1, 2)) & (share > 1e-4)
        if expected is not None:
            damping = self.damping[some]
            damping[better & (share > 0.75)] /= _EASE
            damping[~better | (share < 0.25)] *= 4
            np.clip(damping, _LEAST, None, out=damping)
        if not better.all():
            states, left, q, jacobian = states[better], left[better], q[better], jacobian[better]
        jacobian[:, np.arange(self.step.size), np.arange(self.step.size)] -= 1
        at = np.arange(some.start, some.stop)[better]
        self.state[at], self.left[at], self.q[at], self.matrix[at] = states, left, q, jacobian
        across = jacobian.transpose(0, 2, 1)
        self.slope[at] = (across @ left[..., None])[..., 0]
        self.product[at] = across @ jacobian


def _solved(matrices: Floats, values: Floats) -> Floats:
    try:
        return np.asarray(np.linalg.solve(matrices, values[..., None])[..., 0])
    except np.linalg.LinAlgError:  # one of them is singular
        return np.stack(
            [np.linalg.lstsq(a, b, rcond=None)[0] for a, b in zip(matrices, values, strict=True)]
        )


def minimised(
    step: StateMap,
    starts: Floats,
    *,
    tolerance: float,
    turns: int,
    advance: Callable[[int], object],
) -> Minima:
    """Minimise the speed from every start.

    Parameters
    ----------
    step : StateMap
        The step, in float64.
    starts : float64 array (start, state)
        Where to begin.
    tolerance : float
        Up to which ``q`` a state counts as fixed.
    turns : int
        How many steps of the search each start has.
    advance : callable
        Told how many more starts are done.

    Returns
    -------
    Minima
        Interrupted, it has those that were done.
    """
    count = len(starts)
    state, q = starts.copy(), np.full(count, np.inf)
    found, done = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    room = int(np.clip(_VALUES // step.size**2, 1, max(1, count)))
    pool, begun = _Pool(step, room), 0
    try:
        while begun < count or pool.used:
            if begun < count and pool.used <= room * 3 // 4:
                new = np.arange(begun, min(count, begun + room - pool.used))
                pool.add(starts[new], new)
                begun += len(new)
            used = slice(0, pool.used)
            flat = pool.flat[used] | (pool.q[used] <= tolerance)
            over = flat | (pool.turns[used] >= turns) | (pool.damping[used] > _MOST)
            if over.any():
                which = pool.start[used][over]
                state[which], q[which] = pool.state[used][over], pool.q[used][over]
                found[which], done[which] = flat[over], True
                pool.keep(~over)
                advance(len(which))
            if pool.used:
                pool.turn()
    except KeyboardInterrupt:
        if not done.any():
            raise
    return Minima(state[done], q[done], found[done], int(done.sum()))


def distances(points: Floats, others: Floats) -> Floats:
    """Tell how far each point is from the nearest of others: ``(point,)``."""
    nearest = np.empty(len(points))
    squares = (others * others).sum(axis=1)
    size = max(1, _DISTANCES // max(1, len(others)))
    for start in range(0, len(points), size):
        some = points[start : start + size]
        apart = (some * some).sum(axis=1)[:, None] - 2 * some @ others.T + squares
        nearest[start : start + size] = np.sqrt(np.maximum(apart.min(axis=1), 0))
    return nearest


def one_of_each(
    states: Floats, near: float, order: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Choose one of those that are nearer to each other than a distance.

    Parameters
    ----------
    states : float64 array (start, state)
        All of them.
    near : float
        The distance.
    order : int array (start,)
        Which comes first: it stands for those that are near it.

    Returns
    -------
    int array (point,), int array (point,)
        Which of the states are chosen, and how many each stands for.
    """
    chosen, counts = [], []
    rest = order
    while len(rest):
        apart = states[rest] - states[rest[0]]
        same = np.sqrt((apart * apart).sum(axis=1)) <= near
        same[0] = True
        chosen.append(rest[0])
        counts.append(int(same.sum()))
        rest = rest[~same]
    return np.array(chosen, np.intp), np.array(counts, np.intp)
