"""Programs: what a function does to arrays, done again in place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_widgets.rnn.cells import ACTIVATIONS
from lstm_widgets.rnn.in_place import Program

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


def twice(a, b):
    both = a + b
    return both, both


def with_a_part(a, b):
    more = a + 1
    return more, more[:, :1] * b


# What makes it hard to let results stand where arguments were.
ONTO = {
    "nothing reads it any more": lambda a, b: (a * 2 + b, b - 1),
    "it is read later": lambda a, b: (a + 1, b * a),
    "an argument itself": lambda a, b: (a, b + a),
    "they change places": lambda a, b: (b, a),
    "twice the same": twice,
    "a part of something": lambda a, b: ((a * 2)[:, ::-1], b + 1),
    "a part of it is used": with_a_part,
    "in place": lambda a, b: (ACTIVATIONS["sigmoid"].function(a + b), a * b),
    "chosen": lambda a, b: (np.where(a > b, a + 1, b), np.where(a > b, b + 1, a)),
    "a product": lambda a, b: (a @ np.eye(3)[::-1] + b, a * 0.5),
}


@pytest.mark.parametrize("name", ONTO)
@pytest.mark.parametrize("count", [1, 2])
def test_results_stand_where_the_next_call_finds_them(name, count):
    function = ONTO[name]
    state = [RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))]
    expected = [array.copy() for array in state]
    program = Program(function, *state, onto=state[:count])
    for array, before in zip(state, expected, strict=True):  # taking it down changes nothing
        np.testing.assert_array_equal(array, before)
    for _ in range(3):
        program()
        results = [np.array(result) for result in function(*expected)]
        expected[:count] = results[:count]
        for found, right in zip(program.results, results, strict=True):
            np.testing.assert_array_equal(found, right)
        for array, right in zip(state, expected, strict=True):
            np.testing.assert_array_equal(array, right)
