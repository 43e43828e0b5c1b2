"""The addition task: complete, right, and the same after encoding and decoding."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_widgets.datasets.addition import (
    SYMBOLS,
    AdditionTask,
    build_model,
    decode,
    encode,
    train,
)

tasks = st.builds(AdditionTask, count=st.integers(1, 4), largest=st.integers(1, 12))
wide_tasks = st.builds(AdditionTask, count=st.integers(1, 9), largest=st.integers(1, 10**9))


@given(tasks)
@settings(deadline=None)
def test_all_terms_are_each_choice_once(task):
    terms = task.all_terms()
    assert terms.shape == (task.largest**task.count, task.count)
    assert len({tuple(row) for row in terms.tolist()}) == len(terms)
    assert terms.min() == 1
    assert terms.max() == task.largest


@given(wide_tasks, st.integers(0, 20), st.integers(0, 2**32))
def test_questions_and_answers_say_the_sum(task, examples, seed):
    terms = task.random_terms(examples, seed=seed)
    assert terms.shape == (examples, task.count)
    np.testing.assert_array_equal(terms, task.random_terms(examples, seed=seed))
    for row, question, answer in zip(
        terms, task.questions(terms), task.answers(terms), strict=True
    ):
        assert len(question) == task.question_width
        assert len(answer) == task.answer_width
        numbers = [int(number) for number in question.split("+")]
        assert numbers == row.tolist()
        assert sum(numbers) == int(answer)
        assert question == question.lstrip()
        assert answer == answer.rstrip()


@given(wide_tasks)
def test_widths_are_no_wider_than_needed(task):
    most = [[task.largest] * task.count]
    assert task.questions(most)[0].strip() == task.questions(most)[0]
    assert task.answers(most)[0].strip() == task.answers(most)[0]


@given(st.data(), st.integers(0, 8), st.integers(0, 5))
def test_decoding_undoes_encoding(data, width, examples):
    text = st.text(SYMBOLS, min_size=width, max_size=width)
    texts = data.draw(st.lists(text, min_size=examples, max_size=examples))
    rows = encode(texts, width)
    assert rows.shape == (examples, width, 12)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows.sum(axis=2), np.ones((examples, width)))
    assert decode(rows) == texts


def test_the_task_of_the_tutorial():
    task = AdditionTask()
    assert (task.question_width, task.answer_width) == (5, 2)
    assert task.questions([[8, 6], [10, 10], [1, 2]]) == ["8+6  ", "10+10", "1+2  "]
    assert task.answers([[8, 6], [10, 10], [1, 2]]) == ["14", "20", " 3"]
    assert task.all_terms()[[0, 1, -1]].tolist() == [[1, 1], [1, 2], [10, 10]]


def test_random_terms_reach_both_ends():
    terms = AdditionTask(count=3, largest=4).random_terms(1000, seed=1)
    assert set(terms.ravel().tolist()) == {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: AdditionTask(count=0),
            ValueError,
            "count: expected a positive whole number, got 0",
        ),
        (lambda: AdditionTask(largest=-1), ValueError, "largest.*got -1"),
        (
            lambda: AdditionTask(largest=2.5),
            ValueError,
            "largest: expected a positive whole number, got 2.5",
        ),
        (lambda: AdditionTask(count=True), ValueError, "count"),
        (lambda: AdditionTask().random_terms(-1, seed=0), ValueError, "examples.*got -1"),
        (lambda: AdditionTask().random_terms("9", seed=0), ValueError, "examples"),
        (
            lambda: AdditionTask().questions([[1, 2, 3]]),
            ValueError,
            r"terms.*\(examples, 2\).*\(1, 3\)",
        ),
        (lambda: AdditionTask().answers([1, 2]), ValueError, "terms"),
        (
            lambda: AdditionTask().answers([[1, 11]]),
            ValueError,
            "from 1 to 10, got some from 1 to 11",
        ),
        (lambda: AdditionTask().questions([[0, 1]]), ValueError, "from 1 to 10"),
        (lambda: AdditionTask().questions([[1.5, 1]]), TypeError, "terms: expected whole numbers"),
        (lambda: encode(["1+1"], 5), ValueError, r"expected 5 characters each, got '1\+1'"),
        (lambda: encode(["1-1"], 3), ValueError, "got '-' in '1-1'"),
        (lambda: decode(np.zeros((2, 12))), ValueError, r"\(examples, width, 12\), got \(2, 12\)"),
        (lambda: decode(np.zeros((2, 5, 11))), ValueError, "rows"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("task", [AdditionTask(), AdditionTask(count=3, largest=120)])
def test_the_model_has_the_sizes_of_the_task(task):
    model = build_model(task)
    assert model.input_shape == (None, task.question_width, 12)
    assert model.output_shape == (None, task.answer_width, 12)
    assert model.get_layer("encoder").units == 100
    assert model.get_layer("decoder").units == 50
    assert model.get_layer("decoder").return_sequences


def test_the_same_seed_builds_and_trains_the_same_model():
    task = AdditionTask(largest=3)
    first, second, other = (build_model(task, seed=seed) for seed in (1, 1, 2))
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])
    np.testing.assert_array_equal(first.get_weights()[0], second.get_weights()[0])
    losses = [train(m, task, task.all_terms(), epochs=2, batch_size=4) for m in (first, second)]
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_it_learns_to_add():
    task = AdditionTask()
    terms = task.all_terms()
    model = build_model(task)
    losses = train(model, task, terms)
    assert losses[-1] < losses[0]
    found = decode(model(encode(task.questions(terms), task.question_width)))
    exact = np.mean([one == other for one, other in zip(found, task.answers(terms), strict=True)])
    assert exact >= 0.99


def test_the_data_need_no_keras():
    code = "import sys, lstm_widgets.datasets.addition; print({'keras', 'tensorflow'} & set(sys.modules))"
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert output.stdout.strip() == "set()"
