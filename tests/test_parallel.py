"""Products and work in blocks: the same as without."""

import threading

import numpy as np
import pytest

from lstm_widgets.rnn import parallel
from lstm_widgets.rnn.parallel import in_blocks, mapped


@pytest.mark.parametrize("examples", [0, 1, 5, 300, 4097])
@pytest.mark.parametrize("width", [1, 100, 1 << 17])
def test_every_example_is_in_one_block(monkeypatch, examples, width):
    monkeypatch.setattr(parallel, "cpus", lambda: 2)
    parts = in_blocks(lambda some: np.arange(examples)[some], examples, width)
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(examples))


def test_large_blocks_run_in_several_threads_and_small_ones_in_none(monkeypatch):
    monkeypatch.setattr(parallel, "cpus", lambda: 2)
    both = threading.Barrier(2)

    def function(_):
        both.wait(timeout=60)  # passed only by two threads at once
        return threading.get_ident()

    seen = in_blocks(function, 1000, 100)
    assert len(set(seen)) == len(seen) == 2
    assert threading.get_ident() in seen
    assert in_blocks(lambda _: threading.get_ident(), 3, 100) == [threading.get_ident()]


@pytest.mark.parametrize("wrong", range(5))
def test_an_error_arrives_and_nothing_runs_on(monkeypatch, wrong):
    monkeypatch.setattr(parallel, "cpus", lambda: 2)
    running = []

    def function(item):
        running.append(item)
        if item == wrong:
            raise IndexError(item)
        running.remove(item)
        return -item

    with pytest.raises(IndexError, match=str(wrong)):
        mapped(function, range(5))
    assert running == [wrong]
    assert mapped(function, range(wrong)) == [-item for item in range(wrong)]


def test_a_share_is_not_shared_out_again(monkeypatch):
    monkeypatch.setattr(parallel, "cpus", lambda: 2)
    both = threading.Barrier(2)

    def function(_):
        both.wait(timeout=60)
        inner = mapped(lambda _: threading.get_ident(), range(4))
        assert set(inner) == {threading.get_ident()}
        with parallel.alone():  # which would wait for whoever shared it out
            return in_blocks(lambda some: some.stop, 3, 1)

    with parallel.alone(), parallel.alone():
        assert mapped(function, range(2)) == [[3], [3]]
    mapped(lambda _: both.wait(timeout=60), range(2))  # afterwards there are two again
