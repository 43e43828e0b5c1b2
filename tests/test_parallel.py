"""Products and work in blocks: the same as without."""

import threading

import numpy as np
import pytest

from lstm_widgets import parallel
from lstm_widgets.parallel import in_blocks


@pytest.mark.parametrize("examples", [0, 1, 5, 300, 4097])
@pytest.mark.parametrize("width", [1, 100, 1 << 17])
def test_every_example_is_in_one_block(monkeypatch, examples, width):
    monkeypatch.setattr(parallel, "cpus", lambda: 2)
    parts = in_blocks(lambda some: np.arange(examples)[some], examples, width)
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(examples))


def test_large_blocks_run_in_threads_and_errors_arrive():
    seen = set(in_blocks(lambda _: threading.get_ident(), 10_000, 100))
    assert threading.get_ident() not in seen
    assert in_blocks(lambda _: threading.get_ident(), 3, 100) == [threading.get_ident()]
    with pytest.raises(ZeroDivisionError):
        in_blocks(lambda _: 1 / 0, 10_000, 100)
