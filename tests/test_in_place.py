"""Programs: what a function does to arrays, done again in place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_widgets.in_place import Program
from lstm_widgets.recurrence import ACTIVATIONS

RNG = np.random.default_rng(0)


def everything(a, b, which):
    gate = ACTIVATIONS["sigmoid"].function(a[:, :3])
    other = ACTIVATIONS["hard_sigmoid"].function(a[:, 3:])
    mixed = gate * b + (1 - gate) * np.maximum(other, -b)
    return mixed, np.where(which, mixed, b), mixed @ np.eye(3)[:, :2], b


def arrays(seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(5, 6)), rng.normal(size=(5, 3)), rng.random((5, 1)) < 0.5


@given(seeds=st.lists(st.integers(0, 1000), min_size=1, max_size=4))
def test_a_program_does_what_the_function_does_on_whatever_the_arrays_hold(seeds):
    room = arrays(0)
    program = Program(everything, *room)
    kept = [id(result) for result in program.results]
    for seed in seeds:
        values = arrays(seed)
        for array, value in zip(room, values, strict=True):
            array[:] = value
        program()
        for found, expected in zip(program.results, everything(*values), strict=True):
            np.testing.assert_array_equal(found, expected)
    assert [id(result) for result in program.results] == kept


def test_results_of_one_operation_are_not_those_of_another():
    program = Program(lambda a: (a + 1, a + 1, a * 2), np.ones(3))
    ones, others, twos = program.results
    assert not np.shares_memory(ones, others)
    assert not np.shares_memory(ones, twos)


@pytest.mark.parametrize(
    "function",
    [
        lambda a: [np.sort(a)],
        lambda a: [np.add.reduce(a)],
        lambda a: [np.where(a)],
        lambda a: [np.add(a, 1, where=[True, False])],
    ],
)
def test_what_cannot_be_taken_down_is_refused(function):
    with pytest.raises(TypeError):
        Program(function, RNG.normal(size=2))
